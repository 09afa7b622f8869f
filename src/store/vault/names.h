/* names.h — where the file of a kept name lies (protocol.md §1.2): `files/<id in hex>/<stored name>`. Pure;
 * any thread.
 *
 * The stored name is the kept name where that fits. A longer one is cut at a character boundary and gets `~`
 * and 16 hex digits of the SHA-256 of the kept name. So does a short one that happens to end like that:
 * then a name that was cut and one that was not are never the same.
 */
#ifndef KS_STORE_VAULT_NAMES_H
#define KS_STORE_VAULT_NAMES_H

#include "wire/frame.h"

#include <stdbool.h>

enum {
    KS_NAMES_PATH_SIZE = 160,    /* NUL included */
    KS_NAMES_STORED_LIMIT = 120, /* KS_NAMES_PATH_SIZE - 1 less "files/", 32 hex digits, "/" */
};

/* Writes the path of a kept name. KS_OK or KS_CRYPTO. */
enum ks_result ks_names_path(const struct ks_client_id *id, const char *kept, size_t kept_size,
                             char path[static KS_NAMES_PATH_SIZE]);

/* Writes the path of the user's directory, "files/" and hex. */
enum { KS_NAMES_DIRECTORY_SIZE = 39 };
void ks_names_directory(const struct ks_client_id *id, char path[static KS_NAMES_DIRECTORY_SIZE]);

#endif
