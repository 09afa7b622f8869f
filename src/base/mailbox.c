/* mailbox.c — see mailbox.h. */
#include "base/mailbox.h"

#include <stddef.h>

bool ks_mailbox_put(struct ks_mailbox *mailbox, struct ks_task *task)
{
    struct ks_task *newest = atomic_load_explicit(&mailbox->newest, memory_order_relaxed);
    do {
        task->next = newest;
    } while (!atomic_compare_exchange_weak_explicit(&mailbox->newest, &newest, task, memory_order_release,
                                                    memory_order_relaxed));
    return newest == NULL;
}

struct ks_task *ks_mailbox_take(struct ks_mailbox *mailbox)
{
    struct ks_task *task = atomic_exchange_explicit(&mailbox->newest, NULL, memory_order_acquire);
    struct ks_task *oldest_first = NULL;
    while (task != NULL) {
        struct ks_task *older = task->next;
        task->next = oldest_first;
        oldest_first = task;
        task = older;
    }
    return oldest_first;
}
