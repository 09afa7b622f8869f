/* digest_askers.c — see digest_askers.h. */
#include "store/embedded/readers/digest_askers.h"

#include <string.h>

static bool is_of(struct ks_task *task, const struct ks_client_id *id)
{
    return memcmp(&ks_digest_asker_of(task)->id, id, sizeof *id) == 0;
}

void ks_digest_askers_put(struct ks_digest_askers *askers, struct ks_store_digest_file *request)
{
    struct ks_task *task = &request->request.task;
    task->next = NULL;
    if (askers->last == NULL)
        askers->first = task;
    else
        askers->last->next = task;
    askers->last = task;
}

/* `before` is the one before it; NULL for the first. */
static struct ks_store_digest_file *take_behind(struct ks_digest_askers *askers, struct ks_task *before)
{
    struct ks_task *taken = before != NULL ? before->next : askers->first;
    if (taken == NULL)
        return NULL;
    if (before != NULL)
        before->next = taken->next;
    else
        askers->first = taken->next;
    if (askers->last == taken)
        askers->last = before;
    return ks_digest_asker_of(taken);
}

struct ks_store_digest_file *ks_digest_askers_take(struct ks_digest_askers *askers)
{
    return take_behind(askers, NULL);
}

struct ks_store_digest_file *ks_digest_askers_take_fairly(struct ks_digest_askers *askers,
                                                          const struct ks_client_id *last_served)
{
    struct ks_task *before = NULL;
    for (struct ks_task *task = askers->first; task != NULL; before = task, task = task->next)
        if (!is_of(task, last_served))
            return take_behind(askers, before);
    return take_behind(askers, NULL);
}

size_t ks_digest_askers_count(const struct ks_digest_askers *askers, const struct ks_client_id *id)
{
    size_t count = 0;
    for (struct ks_task *task = askers->first; task != NULL; task = task->next)
        count += is_of(task, id) ? 1 : 0;
    return count;
}
