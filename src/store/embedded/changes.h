/* changes.h — the requests that change the database, as tasks of the writer. Any thread calls; the work runs
 * on the writer's thread; the answers are posted. Contracts as in store.h.
 */
#ifndef KS_STORE_EMBEDDED_CHANGES_H
#define KS_STORE_EMBEDDED_CHANGES_H

#include "store/embedded/vault/vault.h"
#include "store/store.h"

struct ks_engine;

void ks_change_register(struct ks_engine *engine, struct ks_store_register *request);

/* The next three: the caller has announced the change with ks_users_expect_change. */
void ks_change_set_keys(struct ks_engine *engine, struct ks_store_set_keys *request);
void ks_change_drop_content_key(struct ks_engine *engine, struct ks_store_drop_content_key *request);
void ks_change_reset_key(struct ks_engine *engine, struct ks_store_reset_key *request);

/* The vault's files become rows, in one commit: files of users (Verified = 1), contents of messages; and the
 * rows of those that are removed go. rows->done runs on the writer's thread. */
void ks_change_put_rows(struct ks_engine *engine, struct ks_vault_rows *rows);

#endif
