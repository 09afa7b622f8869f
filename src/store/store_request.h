/* store_request.h — what every request to a store begins with: see store.h, which has the rules. */
#ifndef KS_STORE_STORE_REQUEST_H
#define KS_STORE_STORE_REQUEST_H

#include "base/executor.h"
#include "base/result.h"

struct ks_store;

struct ks_store_request {
    struct ks_task task;    /* the engine's, while the request is on its way */
    struct ks_store *store; /* likewise */
    void *part;             /* likewise: which part of the engine has it */
    struct ks_executor *reply_to;
    void (*done)(struct ks_store_request *request);
    enum ks_result result;
};

#endif
