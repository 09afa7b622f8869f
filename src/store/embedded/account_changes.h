/* account_changes.h — the requests that change accounts and invitations, as tasks of the writer. Any thread
 * calls; the work runs on the writer's thread; the answers are posted. Contracts in store/store_accounts.h.
 *
 * What a request expects in RAM (memory/identities.h) hangs at its `part` until it settles.
 */
#ifndef KS_STORE_EMBEDDED_ACCOUNT_CHANGES_H
#define KS_STORE_EMBEDDED_ACCOUNT_CHANGES_H

#include "store/store.h"

struct ks_engine;

/* account_registration.c */
void ks_account_change_register(struct ks_engine *engine, struct ks_store_register_account *request);

/* The next two: the caller has announced the change with ks_users_expect_change. */
void ks_account_change_adopt(struct ks_engine *engine, struct ks_store_adopt *request);
void ks_account_change_set_classic(struct ks_engine *engine, struct ks_store_set_classic *request);

void ks_account_change_invite(struct ks_engine *engine, struct ks_store_invite *request);

#endif
