/* budget.c — see budget.h. */
#include "base/budget.h"

#include <stdlib.h>

void ks_budget_init(struct ks_budget *budget, size_t limit)
{
    atomic_init(&budget->used, 0);
    atomic_init(&budget->waiter_count, 0);
    budget->limit = limit;
    budget->first_waiter = NULL;
    budget->last_waiter = NULL;
    budget->block_count = 0;
    pthread_mutex_init(&budget->lock, NULL);
    pthread_mutex_init(&budget->blocks_lock, NULL);
}

void ks_budget_destroy(struct ks_budget *budget)
{
    while (budget->block_count > 0)
        free(budget->blocks[--budget->block_count]);
    pthread_mutex_destroy(&budget->blocks_lock);
    pthread_mutex_destroy(&budget->lock);
}

bool ks_budget_take(struct ks_budget *budget, size_t size)
{
    size_t used = atomic_load(&budget->used);
    do {
        bool fits = size <= budget->limit && used <= budget->limit - size;
        if (!fits && used != 0)
            return false;
    } while (!atomic_compare_exchange_weak(&budget->used, &used, used + size));
    return true;
}

bool ks_budget_take_of_half(struct ks_budget *budget, size_t size)
{
    size_t half = budget->limit / 2;
    size_t used = atomic_load(&budget->used);
    do {
        if (size > half || used > half - size)
            return false;
    } while (!atomic_compare_exchange_weak(&budget->used, &used, used + size));
    return true;
}

void *ks_budget_block_new(struct ks_budget *budget)
{
    void *block = NULL;
    pthread_mutex_lock(&budget->blocks_lock);
    if (budget->block_count > 0)
        block = budget->blocks[--budget->block_count];
    pthread_mutex_unlock(&budget->blocks_lock);
    return block != NULL ? block : aligned_alloc(KS_BUDGET_BLOCK_ALIGNMENT, KS_BUDGET_BLOCK_SIZE);
}

void ks_budget_block_free(struct ks_budget *budget, void *block)
{
    pthread_mutex_lock(&budget->blocks_lock);
    if (budget->block_count < KS_BUDGET_BLOCKS_KEPT) {
        budget->blocks[budget->block_count++] = block;
        block = NULL;
    }
    pthread_mutex_unlock(&budget->blocks_lock);
    free(block);
}

/* Takes the whole queue: every waiter tries again, and queues up again where it must. */
static void wake_waiters(struct ks_budget *budget)
{
    pthread_mutex_lock(&budget->lock);
    struct ks_budget_waiter *waiter = budget->first_waiter;
    budget->first_waiter = NULL;
    budget->last_waiter = NULL;
    atomic_store(&budget->waiter_count, 0);
    while (waiter != NULL) {
        struct ks_budget_waiter *next = waiter->next;
        waiter->waiting = false;
        ks_executor_post(waiter->executor, &waiter->task);
        waiter = next;
    }
    pthread_mutex_unlock(&budget->lock);
}

void ks_budget_give(struct ks_budget *budget, size_t size)
{
    atomic_fetch_sub(&budget->used, size);
    if (atomic_load(&budget->waiter_count) > 0)
        wake_waiters(budget);
}

void ks_budget_wait(struct ks_budget *budget, struct ks_budget_waiter *waiter)
{
    pthread_mutex_lock(&budget->lock);
    waiter->next = NULL;
    waiter->waiting = true;
    if (budget->last_waiter != NULL)
        budget->last_waiter->next = waiter;
    else
        budget->first_waiter = waiter;
    budget->last_waiter = waiter;
    atomic_fetch_add(&budget->waiter_count, 1);
    pthread_mutex_unlock(&budget->lock);
    /* What was given back before the count was visible woke nobody. */
    if (atomic_load(&budget->used) == 0)
        wake_waiters(budget);
}

bool ks_budget_cancel(struct ks_budget *budget, struct ks_budget_waiter *waiter)
{
    pthread_mutex_lock(&budget->lock);
    bool was_waiting = waiter->waiting;
    struct ks_budget_waiter *before = NULL;
    struct ks_budget_waiter **link = &budget->first_waiter;
    while (was_waiting && *link != waiter) {
        before = *link;
        link = &before->next;
    }
    if (was_waiting) {
        *link = waiter->next;
        if (budget->last_waiter == waiter)
            budget->last_waiter = before;
        waiter->waiting = false;
        atomic_fetch_sub(&budget->waiter_count, 1);
    }
    pthread_mutex_unlock(&budget->lock);
    return was_waiting;
}
