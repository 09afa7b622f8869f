/* operators.h — what operators ask of the engine, as its operations (contracts in store.h): RAM finds the
 * user, the pull thread reads, the writer changes.
 */
#ifndef KS_STORE_EMBEDDED_OPERATORS_H
#define KS_STORE_EMBEDDED_OPERATORS_H

#include "store/store.h"

/* Any thread. */
void ks_operators_describe_user(struct ks_store *store, struct ks_store_describe_user *request);
void ks_operators_describe_users(struct ks_store *store, struct ks_store_describe_users *request);
void ks_operators_reset_key(struct ks_store *store, struct ks_store_reset_key *request);
void ks_operators_remove_user(struct ks_store *store, struct ks_store_remove_user *request);
void ks_operators_probe(struct ks_store *store, struct ks_store_probe *request);

#endif
