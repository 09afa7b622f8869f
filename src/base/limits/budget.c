/* budget.c — see budget.h.
 *
 * Holders that made no claim take and give with an atomic operation each while nobody waits; everything else
 * is under the lock. Posting to an executor needs no lock of anybody's, so it may be done under it.
 */
#include "base/limits/budget.h"

#include "base/limits/shares.h"

#include <stdlib.h>
#include <string.h>

enum {
    CUTS_AT_ONCE = 8, /* at most, and not more than it takes for */
    CUT_PART = 16,    /* a sixteenth of the limit */
};

void ks_budget_init(struct ks_budget *budget, size_t limit)
{
    memset(budget, 0, sizeof *budget);
    budget->limit = limit;
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

/* ---- taking ---- */

/* From what all hold together. */
static bool take_from(struct ks_budget *budget, size_t size, size_t limit)
{
    size_t used = atomic_load(&budget->used);
    do {
        bool fits = size <= limit && used <= limit - size;
        bool is_alone = used == 0 && limit == budget->limit;
        if (!fits && !is_alone)
            return false;
    } while (!atomic_compare_exchange_weak(&budget->used, &used, used + size));
    return true;
}

/* Under the lock: takes, or returns the line to wait in. */
static struct ks_line *obstacle(struct ks_holder *holder, size_t size, size_t limit)
{
    for (size_t i = 0; i < KS_HOLDER_SHARES && holder->shares[i] != NULL; i++)
        if (!ks_share_has_room(holder->shares[i], size))
            return ks_share_line(holder->shares[i]);
    if (!take_from(holder->budget, size, limit))
        return &holder->budget->line;
    for (size_t i = 0; i < KS_HOLDER_SHARES && holder->shares[i] != NULL; i++)
        ks_share_take(holder->shares[i], size);
    holder->held += size;
    return NULL;
}

static bool take_within(struct ks_holder *holder, size_t size, size_t limit)
{
    struct ks_budget *budget = holder->budget;
    if (atomic_load(&budget->in_line) > 0)
        return false;
    if (!holder->is_claimed) {
        bool taken = take_from(budget, size, limit);
        holder->held += taken ? size : 0;
        return taken;
    }
    pthread_mutex_lock(&budget->lock);
    bool taken = obstacle(holder, size, limit) == NULL;
    pthread_mutex_unlock(&budget->lock);
    return taken;
}

bool ks_holder_take(struct ks_holder *holder, size_t size)
{
    return take_within(holder, size, holder->budget->limit);
}

bool ks_holder_take_of_half(struct ks_holder *holder, size_t size)
{
    return take_within(holder, size, holder->budget->limit / 2);
}

/* ---- waiting; all under the lock ---- */

static void enter_line(struct ks_holder *holder, struct ks_line *line)
{
    struct ks_budget *budget = holder->budget;
    holder->line = line;
    holder->next_in_line = NULL;
    if (line->last != NULL)
        line->last->next_in_line = holder;
    else
        line->first = holder;
    line->last = holder;
    atomic_fetch_add(&budget->waiting, 1);
    if (line == &budget->line)
        atomic_fetch_add(&budget->in_line, 1);
}

static void leave_line(struct ks_holder *holder)
{
    struct ks_budget *budget = holder->budget;
    struct ks_line *line = holder->line;
    struct ks_holder *before = NULL;
    struct ks_holder **link = &line->first;
    while (*link != holder) {
        before = *link;
        link = &before->next_in_line;
    }
    *link = holder->next_in_line;
    if (line->last == holder)
        line->last = before;
    holder->line = NULL;
    atomic_fetch_sub(&budget->waiting, 1);
    if (line == &budget->line)
        atomic_fetch_sub(&budget->in_line, 1);
}

static void post(struct ks_holder *holder)
{
    if (!atomic_exchange(&holder->is_posted, true))
        ks_executor_post(holder->executor, &holder->task);
}

/* Gives the first ones in a line what they wait for, as far as it goes. Who meets another limit on the way
 * waits there. */
static void serve(struct ks_line *line)
{
    while (line->first != NULL) {
        struct ks_holder *holder = line->first;
        struct ks_line *now = obstacle(holder, holder->wanted, holder->budget->limit);
        if (now == line)
            return;
        leave_line(holder);
        if (now != NULL) {
            enter_line(holder, now);
            continue;
        }
        holder->granted = holder->wanted;
        post(holder);
    }
}

void ks_holder_give(struct ks_holder *holder, size_t size)
{
    struct ks_budget *budget = holder->budget;
    if (!holder->is_claimed) {
        holder->held -= size;
        atomic_fetch_sub(&budget->used, size);
        if (atomic_load(&budget->in_line) == 0)
            return;
    }
    pthread_mutex_lock(&budget->lock);
    if (holder->is_claimed) {
        holder->held -= size;
        atomic_fetch_sub(&budget->used, size);
    }
    for (size_t i = 0; i < KS_HOLDER_SHARES && holder->shares[i] != NULL; i++) {
        ks_share_give(holder->shares[i], size);
        serve(ks_share_line(holder->shares[i]));
    }
    serve(&budget->line);
    pthread_mutex_unlock(&budget->lock);
}

void ks_holder_wait(struct ks_holder *holder, size_t size)
{
    struct ks_budget *budget = holder->budget;
    holder->is_waiting = true;
    pthread_mutex_lock(&budget->lock);
    holder->wanted = size;
    enter_line(holder, &budget->line);
    /* What was given back before it stood there was given to nobody. */
    serve(&budget->line);
    pthread_mutex_unlock(&budget->lock);
}

void ks_holder_stop_waiting(struct ks_holder *holder)
{
    if (!holder->is_waiting)
        return;
    pthread_mutex_lock(&holder->budget->lock);
    if (holder->line != NULL) {
        struct ks_line *line = holder->line;
        leave_line(holder);
        holder->is_waiting = false;
        serve(line);                  /* those behind may have less in their way */
        serve(&holder->budget->line); /* or stand there now, after something was given back unseen */
    }
    pthread_mutex_unlock(&holder->budget->lock);
}

/* ---- being watched ---- */

/* Under the lock. */
static void unwatch(struct ks_holder *holder)
{
    if (holder->watched_link == NULL)
        return;
    *holder->watched_link = holder->next_watched;
    if (holder->next_watched != NULL)
        holder->next_watched->watched_link = holder->watched_link;
    holder->watched_link = NULL;
    holder->is_cut = false;
}

static void watch(struct ks_holder *holder, uint64_t now_ms)
{
    struct ks_budget *budget = holder->budget;
    holder->next_watched = budget->watched;
    holder->watched_link = &budget->watched;
    if (budget->watched != NULL)
        budget->watched->watched_link = &holder->next_watched;
    budget->watched = holder;
    holder->looked_at_ms = now_ms;
    holder->progress_then = atomic_load_explicit(&holder->progress, memory_order_relaxed);
}

void ks_holder_watch(struct ks_holder *holder, bool is_peers_turn, uint64_t now_ms)
{
    is_peers_turn = is_peers_turn && holder->is_claimed;
    if (holder->is_watched == is_peers_turn)
        return;
    holder->is_watched = is_peers_turn;
    pthread_mutex_lock(&holder->budget->lock);
    if (is_peers_turn)
        watch(holder, now_ms);
    else
        unwatch(holder);
    pthread_mutex_unlock(&holder->budget->lock);
}

void ks_holder_progressed(struct ks_holder *holder, size_t size)
{
    uint64_t before = atomic_load_explicit(&holder->progress, memory_order_relaxed);
    atomic_store_explicit(&holder->progress, before + size, memory_order_relaxed);
}

static bool has_share(const struct ks_holder *holder, const struct ks_share *share)
{
    for (size_t i = 0; i < KS_HOLDER_SHARES; i++)
        if (holder->shares[i] == share)
            return true;
    return false;
}

/* For how long a byte stays in the holder's memory, in milliseconds: what it holds, divided by the rate of
 * its progress since it was looked at before. 0 when it was not watched for long enough. Under the lock. */
static uint64_t slowness(struct ks_holder *holder, uint64_t now_ms)
{
    uint64_t elapsed_ms = now_ms - holder->looked_at_ms;
    uint64_t progress = atomic_load_explicit(&holder->progress, memory_order_relaxed);
    uint64_t since = progress - holder->progress_then;
    if (elapsed_ms < KS_HOLDER_PATIENCE_MS || holder->is_cut)
        return 0;
    if (elapsed_ms >= 2 * (uint64_t)KS_HOLDER_PATIENCE_MS) { /* long ago counts no more, next time */
        holder->looked_at_ms = now_ms - KS_HOLDER_PATIENCE_MS;
        holder->progress_then = progress - since * KS_HOLDER_PATIENCE_MS / elapsed_ms;
    }
    return holder->held * elapsed_ms / (since > 0 ? since : 1);
}

/* Of those with that share; NULL: of all. */
static struct ks_holder *slowest(const struct ks_budget *budget, const struct ks_share *share,
                                 uint64_t now_ms)
{
    struct ks_holder *found = NULL;
    uint64_t most = KS_HOLDER_PATIENCE_MS - 1;
    for (struct ks_holder *holder = budget->watched; holder != NULL; holder = holder->next_watched) {
        if (share != NULL && !has_share(holder, share))
            continue;
        uint64_t its = slowness(holder, now_ms);
        if (its <= most)
            continue;
        found = holder;
        most = its;
    }
    return found;
}

/* Several at a time, since those who wait are many, too. */
static void cut_slowest(struct ks_budget *budget, const struct ks_share *share, uint64_t now_ms)
{
    size_t enough = budget->limit / CUT_PART;
    size_t freed = 0;
    for (unsigned i = 0; i < CUTS_AT_ONCE && freed < enough; i++) {
        struct ks_holder *found = slowest(budget, share, now_ms);
        if (found == NULL)
            return;
        freed += found->held;
        found->is_cut = true;
        atomic_fetch_add(&budget->cuts, 1);
        post(found);
    }
}

void ks_holder_press(struct ks_holder *holder, uint64_t now_ms)
{
    struct ks_budget *budget = holder->budget;
    pthread_mutex_lock(&budget->lock);
    const struct ks_share *share = holder->line != NULL ? ks_share_of_line(budget, holder->line) : NULL;
    bool is_own_affair = holder->line == NULL || (share != NULL && ks_share_kind_of(share) == KS_SHARE_USER);
    bool is_soon = budget->looked_at_ms != 0 && now_ms - budget->looked_at_ms < KS_BUDGET_LOOK_MS;
    if (!is_own_affair && !is_soon) {
        budget->looked_at_ms = now_ms;
        cut_slowest(budget, share, now_ms);
    }
    pthread_mutex_unlock(&budget->lock);
}

/* ---- the life of a holder ---- */

static void holder_run(struct ks_task *task)
{
    struct ks_holder *holder = KS_CONTAINER_OF(task, struct ks_holder, task);
    pthread_mutex_lock(&holder->budget->lock);
    size_t granted = holder->granted;
    bool is_cut = holder->is_cut && holder->watched_link != NULL;
    holder->granted = 0;
    atomic_store(&holder->is_posted, false);
    pthread_mutex_unlock(&holder->budget->lock);
    if (granted > 0)
        holder->is_waiting = false;
    holder->called(holder, granted, is_cut);
}

void ks_holder_init(struct ks_holder *holder, struct ks_budget *budget, struct ks_executor *executor,
                    void (*called)(struct ks_holder *holder, size_t granted, bool is_cut))
{
    memset(holder, 0, sizeof *holder);
    holder->budget = budget;
    holder->executor = executor;
    holder->called = called;
    holder->task.run = holder_run;
}

/* Under the lock. */
static void release_claim(struct ks_holder *holder)
{
    for (size_t i = 0; i < KS_HOLDER_SHARES && holder->shares[i] != NULL; i++) {
        ks_shares_release(&holder->budget->shares, holder->shares[i]);
        holder->shares[i] = NULL;
    }
}

/* A share of `parts` of the limit. */
static bool claim_share(struct ks_holder *holder, size_t *count, enum ks_share_kind kind, const uint8_t *key,
                        size_t parts)
{
    struct ks_budget *budget = holder->budget;
    size_t limit = budget->limit / KS_BUDGET_PARTS * parts;
    holder->shares[*count] = ks_shares_get(&budget->shares, kind, key, limit);
    return holder->shares[(*count)++] != NULL;
}

static bool claim_networks(struct ks_holder *holder, size_t *count, const uint8_t *address)
{
    const struct ks_network_levels levels = ks_networks_levels(address);
    bool done = true;
    for (unsigned i = 0; i < levels.count && done; i++)
        done = claim_share(holder, count, KS_SHARE_NETWORK, levels.keys[i], KS_BUDGET_NETWORK_SHARE + i);
    return done;
}

enum ks_result ks_holder_claim(struct ks_holder *holder, const uint8_t *user, const uint8_t *address)
{
    size_t count = 0;
    pthread_mutex_lock(&holder->budget->lock);
    bool done = user == NULL || claim_share(holder, &count, KS_SHARE_USER, user, 1);
    if (done && address != NULL)
        done = claim_networks(holder, &count, address);
    if (!done)
        release_claim(holder);
    holder->is_claimed = done;
    pthread_mutex_unlock(&holder->budget->lock);
    return done ? KS_OK : KS_NO_MEMORY;
}

bool ks_holder_end(struct ks_holder *holder)
{
    ks_holder_stop_waiting(holder);
    ks_holder_watch(holder, false, 0);
    if (atomic_load(&holder->is_posted))
        return false;
    if (holder->is_claimed) {
        pthread_mutex_lock(&holder->budget->lock);
        release_claim(holder);
        holder->is_claimed = false;
        pthread_mutex_unlock(&holder->budget->lock);
    }
    return true;
}
