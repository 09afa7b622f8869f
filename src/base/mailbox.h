/* mailbox.h — tasks from many threads, taken by one.
 *
 * A lock-free stack that is taken whole and turned round, so that the taker sees posting order. The poster
 * learns whether the mailbox was empty before: only then must the taker be woken, so a burst of completions
 * costs one wake-up.
 */
#ifndef KS_BASE_MAILBOX_H
#define KS_BASE_MAILBOX_H

#include "base/executor.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct ks_mailbox {
    _Atomic(struct ks_task *) newest;
};

/* An empty mailbox; needs no destruction. */
static inline void ks_mailbox_init(struct ks_mailbox *mailbox)
{
    atomic_init(&mailbox->newest, NULL);
}

/* Puts `task` in; true when the mailbox was empty and its taker must be woken. Any thread. */
bool ks_mailbox_put(struct ks_mailbox *mailbox, struct ks_task *task);

/* Everything that is in it, oldest first, linked by `next`; NULL when empty. The taker's thread only. */
struct ks_task *ks_mailbox_take(struct ks_mailbox *mailbox);

#endif
