/* account_requests.h — the requests about accounts and invitations, as operations of the engine (contracts in
 * store/store_accounts.h): RAM knows keys and classic ids, a reader asks the disk for skeletons, the writer
 * changes.
 */
#ifndef KS_STORE_EMBEDDED_ACCOUNT_REQUESTS_H
#define KS_STORE_EMBEDDED_ACCOUNT_REQUESTS_H

#include "store/store.h"

/* Any thread. */
enum ks_result ks_account_requests_classic_id(struct ks_store *store, const struct ks_client_id *shown,
                                              struct ks_client_id *id);
void ks_account_requests_sign_in(struct ks_store *store, struct ks_store_sign_in *request);
void ks_account_requests_register(struct ks_store *store, struct ks_store_register_account *request);
void ks_account_requests_adopt(struct ks_store *store, struct ks_store_adopt *request);
void ks_account_requests_set_classic(struct ks_store *store, struct ks_store_set_classic *request);
void ks_account_requests_invite(struct ks_store *store, struct ks_store_invite *request);
void ks_account_requests_name_holder(struct ks_store *store, struct ks_store_name_holder *request);

#endif
