/* budget.h — a limit on the memory that all connections together may hold in buffers.
 *
 * Whoever wants a buffer takes its size from the budget first; whoever is refused stops reading from its peer
 * and is woken when something was given back. So memory stays bounded whatever strangers send, and nobody is
 * turned away. Any thread.
 */
#ifndef KS_BASE_BUDGET_H
#define KS_BASE_BUDGET_H

#include "base/executor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    KS_BUDGET_BLOCK_SIZE = 1024 * 1024,
    KS_BUDGET_BLOCK_ALIGNMENT = 4096, /* what direct I/O asks of memory, on every disk that we know */
    KS_BUDGET_BLOCKS_KEPT = 8,
};

struct ks_budget_waiter {
    struct ks_task task; /* posted to `executor` when there may be room; then no longer waiting */
    struct ks_executor *executor;
    struct ks_budget_waiter *next; /* the budget's while waiting */
    bool waiting;                  /* the budget's, under its lock */
};

struct ks_budget {
    _Atomic size_t used;
    size_t limit;
    _Atomic unsigned waiter_count;
    pthread_mutex_t lock; /* of the waiters' queue, first come first served */
    struct ks_budget_waiter *first_waiter;
    struct ks_budget_waiter *last_waiter;
    pthread_mutex_t blocks_lock; /* of the next two */
    void *blocks[KS_BUDGET_BLOCKS_KEPT];
    unsigned block_count;
};

/* `limit` in bytes. */
void ks_budget_init(struct ks_budget *budget, size_t limit);
void ks_budget_destroy(struct ks_budget *budget);

/* Takes `size` bytes; false, and nothing taken, when the limit would be passed. A single request larger than
 * the limit is granted when nothing else is out, so that nobody waits for ever. */
bool ks_budget_take(struct ks_budget *budget, size_t size);

/* The same, as long as no more than half of the limit is used then: for who can do with less. */
bool ks_budget_take_of_half(struct ks_budget *budget, size_t size);

/* Gives `size` bytes back and wakes waiters. */
void ks_budget_give(struct ks_budget *budget, size_t size);

/* A block of KS_BUDGET_BLOCK_SIZE bytes, which the caller has taken from the budget; NULL without memory. A
 * few that were given back are kept, uncounted, and used again: fresh memory costs a page fault for every 4
 * KiB, more than the copy into it. */
void *ks_budget_block_new(struct ks_budget *budget);
void ks_budget_block_free(struct ks_budget *budget, void *block);

/* Asks to have waiter->task posted once something was given back (at once when nothing is out). The waiter's
 * owner then tries ks_budget_take again, and may have to wait again. */
void ks_budget_wait(struct ks_budget *budget, struct ks_budget_waiter *waiter);

/* Takes a waiter out again. True when it was still waiting: its task will not run. False when the task is
 * already posted and will run. */
bool ks_budget_cancel(struct ks_budget *budget, struct ks_budget_waiter *waiter);

#endif
