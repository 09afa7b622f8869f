/* store.c — what every engine shares: content keys with their reference counts, the rule for kept names, and
 * how a request ends. Any thread. */
#include "store/store.h"

#include "crypto/secret.h"
#include "store/reply.h"

#include <stdlib.h>
#include <string.h>

struct ks_content_key *ks_content_key_new(const uint8_t bytes[static KS_CONTENT_KEY_SIZE], int64_t last_used)
{
    struct ks_content_key *key = malloc(sizeof *key);
    if (key == NULL)
        return NULL;
    atomic_init(&key->references, 1);
    atomic_init(&key->uses, 0);
    atomic_init(&key->last_used, last_used);
    memcpy(key->bytes, bytes, sizeof key->bytes);
    return key;
}

struct ks_content_key *ks_content_key_retain(struct ks_content_key *key)
{
    atomic_fetch_add_explicit(&key->references, 1, memory_order_relaxed);
    return key;
}

void ks_content_key_release(struct ks_content_key *key)
{
    if (key == NULL || atomic_fetch_sub_explicit(&key->references, 1, memory_order_acq_rel) > 1)
        return;
    ks_secret_wipe(key->bytes, sizeof key->bytes);
    free(key);
}

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
