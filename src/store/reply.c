/* reply.c — see reply.h. */
#include "store/reply.h"

void ks_reply_now(struct ks_store_request *request, enum ks_result result)
{
    request->result = result;
    request->done(request);
}

static void reply_run(struct ks_task *task)
{
    struct ks_store_request *request = KS_CONTAINER_OF(task, struct ks_store_request, task);
    request->done(request);
}

void ks_reply_post(struct ks_store_request *request, enum ks_result result)
{
    request->result = result;
    request->task.run = reply_run;
    ks_executor_post(request->reply_to, &request->task);
}
