/* moving.h — a user's directory in files/ gets another name: the one of the alias instead of that of the
 * secret id (store/embedded/relocation.h). Before the vault opens; the opener's thread.
 */
#ifndef KS_STORE_EMBEDDED_VAULT_MOVING_H
#define KS_STORE_EMBEDDED_VAULT_MOVING_H

#include "base/log.h"
#include "store/embedded/vault/names.h"

/* Renames `from` to `to`, or lets its files join those of `to` when both are there: what `to` has already is
 * put aside from `from`, and logged. Not durable before ks_moving_sync; a crash in between leaves each file
 * in one of the two, or in both. KS_OK, also when there is no `from`; KS_NO_SPACE, KS_NO_MEMORY, KS_IO
 * (errno). */
enum ks_result ks_moving_move(int directory_fd, const struct ks_log *log,
                              const char from[static KS_NAMES_DIRECTORY_SIZE],
                              const char to[static KS_NAMES_DIRECTORY_SIZE]);

/* Makes the renames durable. KS_OK, KS_IO (errno). */
enum ks_result ks_moving_sync(int directory_fd);

#endif
