/* reply.h — how an engine ends a request: inside the call, or on the executor of whoever asked. Any thread.
 */
#ifndef KS_STORE_REPLY_H
#define KS_STORE_REPLY_H

#include "store/store.h"

/* Runs `done` now. Only from inside the store's operation itself, as its last step, with no lock held. The
 * request is its owner's again, and may be gone, when this returns. */
void ks_reply_now(struct ks_store_request *request, enum ks_result result);

/* Posts `done` to request->reply_to. The request is its owner's again. */
void ks_reply_post(struct ks_store_request *request, enum ks_result result);

#endif
