/* sweep.h — what happens in the data directory before the vault opens: staging/ is emptied, files/ is walked.
 * Nothing in files/ is ever changed. Memory does not grow with the number of files. The opener's thread.
 */
#ifndef KS_STORE_VAULT_SWEEP_H
#define KS_STORE_VAULT_SWEEP_H

#include "base/log.h"
#include "store/vault/vault.h"

/* Removes everything in staging/. KS_OK, KS_NO_MEMORY, KS_IO. */
enum ks_result ks_sweep_clear_staging(int directory_fd);

/* Calls `visit` for every regular file in a user's directory, with its stored name as file name and kept
 * name, until one answers something else than KS_OK. What else lies there is logged and left. KS_OK,
 * KS_NO_MEMORY, KS_IO, or what `visit` said. */
enum ks_result ks_sweep_walk_files(int directory_fd, const struct ks_log *log,
                                   enum ks_result (*visit)(void *context, const struct ks_vault_row *row),
                                   void *context);

/* True when there is a regular file of this path in the data directory. */
bool ks_sweep_has_file(int directory_fd, const char *path_name);

#endif
