/* store.c — what every engine shares: the rule for kept names, and how a request ends. Any thread. */
#include "store/store.h"

#include "store/reply.h"

#include <string.h>

static bool is_dot_name(const char *name, size_t size)
{
    return (size == 1 && name[0] == '.') || (size == 2 && name[0] == '.' && name[1] == '.');
}

enum ks_result ks_kept_name(const char *name, size_t name_size, const char **kept, size_t *kept_size)
{
    size_t start = 0;
    for (size_t i = 0; i < name_size; i++) {
        unsigned char byte = (unsigned char)name[i];
        if (byte < 0x20 || byte == 0x7f)
            return KS_INVALID;
        if (byte == '/' || byte == '\\')
            start = i + 1;
    }
    if (start == name_size || is_dot_name(name + start, name_size - start))
        return KS_INVALID;
    *kept = name + start;
    *kept_size = name_size - start;
    return KS_OK;
}

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
