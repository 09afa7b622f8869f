/* user_requests.h — the requests about users, their keys and the list of them, as operations of the engine
 * (contracts in store.h): RAM answers what it can, a reader has the public keys, the writer changes. A
 * question about a user with changes on their way goes to the writer, which settles those first.
 */
#ifndef KS_STORE_EMBEDDED_USER_REQUESTS_H
#define KS_STORE_EMBEDDED_USER_REQUESTS_H

#include "store/store.h"

/* Any thread. */
void ks_user_requests_register_user(struct ks_store *store, struct ks_store_register *request);
void ks_user_requests_look_up(struct ks_store *store, struct ks_store_look_up *request);
enum ks_result ks_user_requests_name_at_hand(struct ks_store *store, const struct ks_client_id *id,
                                             char name[static KS_TEXT_FIELD_SIZE]);
void ks_user_requests_public_key(struct ks_store *store, struct ks_store_public_key *request);
void ks_user_requests_set_keys(struct ks_store *store, struct ks_store_set_keys *request);
void ks_user_requests_content_key(struct ks_store *store, struct ks_store_content_key *request);
void ks_user_requests_drop_content_key(struct ks_store *store, struct ks_store_drop_content_key *request);
void ks_user_requests_touch(struct ks_store *store, const struct ks_client_id *id);
void ks_user_requests_list_begin(struct ks_store *store, struct ks_store_list_begin *request);
void ks_user_requests_list_users(struct ks_store *store, struct ks_store_list_users *request);

#endif
