/* names.h — where the file of a kept name lies (protocol.md §1.2): `files/<public alias in hex>/<stored
 * name>`; and the content of a message: `messages/<32 hex digits>`. The alias, for the id is a secret and
 * paths are seen in listings and backups. Pure; any thread.
 *
 * The stored name is the kept name where that fits, with `\` for each `/`, which no kept name has: so a
 * user's directory has no others in it. A longer one is cut at a character boundary and gets `~` and 16 hex
 * digits of the SHA-256 of the kept name. So does a short one that happens to end like that: then a name that
 * was cut and one that was not are never the same.
 *
 * In `staging/`, what has come of an own file that is on its way in has a name that says whose it is, so that
 * it is understood after a restart. A file that is being removed stays in its directory, under a name that no
 * stored name is like: a rename within one directory is whole or not there after a power cut, whereas of one
 * between two directories both names may be lost.
 */
#ifndef KS_STORE_EMBEDDED_VAULT_NAMES_H
#define KS_STORE_EMBEDDED_VAULT_NAMES_H

#include "crypto/alias.h"
#include "wire/files_codec.h"
#include "wire/frame.h"

#include <stdbool.h>

enum {
    KS_NAMES_PATH_SIZE = 160,    /* NUL included */
    KS_NAMES_STORED_LIMIT = 120, /* KS_NAMES_PATH_SIZE - 1 less "files/", 32 hex digits, "/" */
};

/* Writes the path of a kept name of the user `id`. KS_OK or KS_CRYPTO. */
enum ks_result ks_names_path(const struct ks_alias_key *aliases, const struct ks_client_id *id,
                             const char *kept, size_t kept_size, char path[static KS_NAMES_PATH_SIZE]);

/* The kept name that a stored name stands for, as far as that can be told: one that was cut stands for
 * itself. False for what is no stored name. */
bool ks_names_read_stored(const char *stored, char kept[static KS_TEXT_FIELD_SIZE]);

/* Writes the path of a message's content that has this random number. */
enum { KS_NAMES_MESSAGE_NUMBER_SIZE = 16, KS_NAMES_MESSAGE_SIZE = 42 };
void ks_names_message(const uint8_t number[static KS_NAMES_MESSAGE_NUMBER_SIZE],
                      char path[static KS_NAMES_MESSAGE_SIZE]);

/* True for the last part of such a path. */
bool ks_names_is_message(const char *name);

/* Writes the path of the user's directory, "files/" and the alias in hex. */
enum { KS_NAMES_DIRECTORY_SIZE = 39 };
void ks_names_directory(const struct ks_alias_key *aliases, const struct ks_client_id *id,
                        char path[static KS_NAMES_DIRECTORY_SIZE]);

/* Where an older kesher kept a user's files: under the id itself (relocation.h). */
void ks_names_old_directory(const struct ks_client_id *id, char path[static KS_NAMES_DIRECTORY_SIZE]);

/* The last part of such a path, of either kind: true with its 16 bytes. Only lower-case digits, as we write
 * them. */
bool ks_names_read_directory(const char *name, struct ks_client_id *bytes);

/* ---- in staging/ ---- */

enum {
    KS_NAMES_PUT_SIZE = 70, /* "put-", 32 hex digits, "-", 32 of them, NUL; and for all that lies there */
};

/* Writes the name of what has come under this put id: `put-<public alias in hex>-<put id in hex>`. */
void ks_names_put(const struct ks_alias_key *aliases, const struct ks_client_id *id,
                  const uint8_t put_id[static KS_PUT_ID_SIZE], char name[static KS_NAMES_PUT_SIZE]);

/* True for such a name, with what it says. */
bool ks_names_read_put(const struct ks_alias_key *aliases, const char *name, struct ks_client_id *id,
                       uint8_t put_id[static KS_PUT_ID_SIZE]);

/* Whether a name is like these. */
bool ks_names_is_put(const char *name);

/* ---- what is being removed ---- */

enum { KS_NAMES_REMOVED_SIZE = 186 }; /* a directory, "/\removed-", 16 hex digits, "-", a stored name, NUL */

/* Writes the path that the file of this path (ks_names_path) has while it is removed: `files/<public alias in
 * hex>/\removed-<number in hex>-<stored name>`. No other that is there has this number. */
void ks_names_removed(const char *path, uint64_t number, char removed[static KS_NAMES_REMOVED_SIZE]);

/* The stored name in the last part of such a path; NULL where it is not one. */
const char *ks_names_read_removed(const char *name);

#endif
