/* budget.h — a limit on the memory that all connections together may hold for one purpose, shared out fairly.
 *
 * Terms. A *holder* is one thing that takes memory of a budget: a content on its way in, a long answer on its
 * way out. Whoever is refused waits in a *line*, stops reading from its peer, and is given what it waits for
 * when its turn comes: first come, first served, and nobody passes those who wait. So memory stays bounded
 * whatever strangers send, and nobody is turned away for want of it.
 *
 * A peer decides how long it takes to send, or to take, the rest of something. So a holder that depends on
 * its peer makes a *claim* for its user and its network, and each of these has a *share* of the budget: at
 * it, they wait for their own, in a line of their own, while others go on. Where all shares together are too
 * much, time decides: somebody who waits *presses*, and the holder in whose memory a byte stays longest is
 * *cut*: told to give back what it holds. Only holders that wait for their peers (ks_holder_watch), and were
 * slow for KS_HOLDER_PATIENCE_MS, are ever cut.
 *
 * A holder is part of its owner and used on its executor's thread, a budget by any. Times are monotonic
 * milliseconds.
 */
#ifndef KS_BASE_LIMITS_BUDGET_H
#define KS_BASE_LIMITS_BUDGET_H

#include "base/executor.h"
#include "base/limits/networks.h"
#include "base/result.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KS_BUDGET_BLOCK_SIZE = 1024 * 1024,
    KS_BUDGET_BLOCK_ALIGNMENT = 4096, /* what direct I/O asks of memory, on every disk that we know */
    KS_BUDGET_BLOCKS_KEPT = 8,
    KS_BUDGET_PARTS = 8,         /* one user's share is one of these parts of the limit, */
    KS_BUDGET_NETWORK_SHARE = 2, /* one customer's two, and one more for each wider network around it */
    KS_BUDGET_LOOK_MS = 20,      /* looking for the slowest holder costs; not more often than this */
    KS_HOLDER_USER_SIZE = 16,    /* bytes that tell users apart */
    KS_HOLDER_PATIENCE_MS = 5000,
    KS_HOLDER_PRESS_MS = 1000, /* how often those who wait are to press */
};

struct ks_holder;
struct ks_share;

struct ks_line {
    struct ks_holder *first;
    struct ks_holder *last;
};

struct ks_budget {
    _Atomic size_t used;
    size_t limit;
    _Atomic unsigned waiting; /* holders in all lines */
    _Atomic unsigned in_line; /* in the one below */
    _Atomic uint64_t cuts;    /* holders that were told to give back */
    pthread_mutex_t lock;     /* of the rest, and of what holders have for the budget */
    struct ks_line line;      /* for the budget itself; those for shares are with the shares */
    struct ks_share *shares;
    struct ks_holder *watched;
    uint64_t looked_at_ms;
    pthread_mutex_t blocks_lock; /* of the next two */
    void *blocks[KS_BUDGET_BLOCKS_KEPT];
    unsigned block_count;
};

/* `limit` in bytes. */
void ks_budget_init(struct ks_budget *budget, size_t limit);
void ks_budget_destroy(struct ks_budget *budget); /* nobody holds anything, or waits */

/* A block of KS_BUDGET_BLOCK_SIZE bytes, which the caller has taken from the budget; NULL without memory. A
 * few that were given back are kept, uncounted, and used again: fresh memory costs a page fault for every 4
 * KiB, more than the copy into it. */
void *ks_budget_block_new(struct ks_budget *budget);
void ks_budget_block_free(struct ks_budget *budget, void *block);

/* ---- holders ---- */

enum { KS_HOLDER_SHARES = 1 + KS_NETWORK_LEVELS }; /* of a user, and of the networks around an address */

struct ks_holder {
    /* ---- the holder's thread ---- */
    struct ks_budget *budget;
    struct ks_executor *executor;
    void (*called)(struct ks_holder *holder, size_t granted, bool is_cut);
    bool is_claimed;
    bool is_waiting;
    bool is_watched;
    _Atomic uint64_t progress; /* bytes that its peer has sent, or taken */
    _Atomic bool is_posted;    /* a call is on its way: the holder must stay */
    /* ---- the budget's, under its lock once claimed ---- */
    size_t held;
    struct ks_share *shares[KS_HOLDER_SHARES];
    struct ks_line *line; /* that it waits in; NULL for none */
    struct ks_holder *next_in_line;
    size_t wanted;
    size_t granted;
    bool is_cut;
    struct ks_holder *next_watched;
    struct ks_holder **watched_link;
    uint64_t looked_at_ms; /* what follows is as of then */
    uint64_t progress_then;
    struct ks_task task;
};

/* Holds nothing. `called` is posted to the executor: with the `granted` bytes that were waited for and have
 * been taken; with `is_cut` when others wait and this holder is the slowest, so that it should give back what
 * it holds; with neither when what was on its way holds no more. The owner may go in there. */
void ks_holder_init(struct ks_holder *holder, struct ks_budget *budget, struct ks_executor *executor,
                    void (*called)(struct ks_holder *holder, size_t granted, bool is_cut));

/* Counts what it takes from now on for a user (KS_HOLDER_USER_SIZE bytes; NULL: not known yet) and for the
 * networks around an address (ks_networks_levels; NULL: one without limits). Once, before it takes anything.
 * KS_OK, or KS_NO_MEMORY: then it is not claimed. */
enum ks_result ks_holder_claim(struct ks_holder *holder, const uint8_t *user, const uint8_t *address);

/* Takes `size` bytes; false, and nothing taken, when the limit or a share would be passed, or others wait. A
 * request larger than a limit is granted when nothing else of it is out, so that nobody waits for ever. */
bool ks_holder_take(struct ks_holder *holder, size_t size);

/* The same, as long as no more than half of the limit is used then: for who can do with less. */
bool ks_holder_take_of_half(struct ks_holder *holder, size_t size);

/* Gives `size` bytes back, and to those who wait. */
void ks_holder_give(struct ks_holder *holder, size_t size);

/* Has `size` bytes taken as soon as they may be; then it is `called`, never in here. One wait at a time, and
 * nothing is taken meanwhile. */
void ks_holder_wait(struct ks_holder *holder, size_t size);

/* Waits no more. When the call is on its way already it comes all the same, and the owner gives back. */
void ks_holder_stop_waiting(struct ks_holder *holder);

/* Tells whose turn it is: its peer's, or not. Cheap when that is known already. Of those that made no claim
 * nobody is watched. */
void ks_holder_watch(struct ks_holder *holder, bool is_peers_turn, uint64_t now_ms);

/* Its peer has sent, or taken, so many bytes. */
void ks_holder_progressed(struct ks_holder *holder, size_t size);

/* A holder that waits, and not for its own user's share, has the slowest holder cut: of its network, when it
 * waits for that, else of all. */
void ks_holder_press(struct ks_holder *holder, uint64_t now_ms);

/* No longer watched or waiting, and its claim is over; all must have been given back. False when a call is
 * still on its way: the holder must stay, and be ended again when that has come. */
bool ks_holder_end(struct ks_holder *holder);

#endif
