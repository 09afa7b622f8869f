/* details.h — what operators ask about users: read from the disk by the pull thread (pull_reader.h), with
 * what only RAM knows. Any thread calls; the answers are posted. Contracts as in store.h.
 */
#ifndef KS_STORE_SQLITE_DETAILS_H
#define KS_STORE_SQLITE_DETAILS_H

#include "store/store.h"

struct ks_engine;

void ks_details_user(struct ks_engine *engine, struct ks_store_describe_user *request);
void ks_details_users(struct ks_engine *engine, struct ks_store_describe_users *request);

#endif
