/* names.h — where the file of a kept name lies (protocol.md §1.2): `files/<public alias in hex>/<stored
 * name>`; and the content of a message: `messages/<32 hex digits>`. The alias, for the id is a secret and
 * paths are seen in listings and backups. Pure; any thread.
 *
 * The stored name is the kept name where that fits. A longer one is cut at a character boundary and gets `~`
 * and 16 hex digits of the SHA-256 of the kept name. So does a short one that happens to end like that:
 * then a name that was cut and one that was not are never the same.
 */
#ifndef KS_STORE_EMBEDDED_VAULT_NAMES_H
#define KS_STORE_EMBEDDED_VAULT_NAMES_H

#include "crypto/alias.h"
#include "wire/frame.h"

#include <stdbool.h>

enum {
    KS_NAMES_PATH_SIZE = 160,    /* NUL included */
    KS_NAMES_STORED_LIMIT = 120, /* KS_NAMES_PATH_SIZE - 1 less "files/", 32 hex digits, "/" */
};

/* Writes the path of a kept name of the user `id`. KS_OK or KS_CRYPTO. */
enum ks_result ks_names_path(const struct ks_alias_key *aliases, const struct ks_client_id *id,
                             const char *kept, size_t kept_size, char path[static KS_NAMES_PATH_SIZE]);

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

#endif
