/* inboxes_internal.h — inboxes from within: what inboxes.c, leases.c and inbox_table.c share. Private to
 * these three, which call each other in this order; everything under ks_inboxes.lock.
 */
#ifndef KS_STORE_EMBEDDED_MEMORY_INBOXES_INTERNAL_H
#define KS_STORE_EMBEDDED_MEMORY_INBOXES_INTERNAL_H

#include "store/embedded/memory/inboxes.h"

#include "store/embedded/memory/table.h"

#include <pthread.h>

/* A part that somebody has, or had. It goes from list to list, and so no step after the lease needs memory.
 * Allocated like tables, and for the same reason. */
struct ks_inbox_part {
    struct ks_inbox_part *prev, *next; /* older, newer */
    struct ks_part part;
    uint64_t owner; /* while it settles */
};

struct ks_inbox {
    UT_hash_handle hh;
    struct ks_client_id id;
    /* What waits or is leased. */
    uint64_t count;
    uint64_t bytes;
    uint64_t last; /* the highest id there was */
    uint64_t tail; /* what has a higher id than this is the tail: it waits, and nobody has had it */
    /* What of that is leased. */
    uint64_t owner;
    uint64_t progress_ms;
    uint64_t leased_count;
    uint64_t leased_bytes;
    struct ks_inbox_part *leases; /* oldest first */
    struct ks_largest_senders
        *senders; /* who has how much of it, and of what is expected; NULL: not counted */
    uint64_t era; /* in which it was, or can be */
    /* What of that waits again, before the tail. */
    uint64_t returned_count;
    uint64_t returned_bytes;
    struct ks_inbox_part *returned; /* the next to be leased first */
    /* What is hidden: what settles, what is being deleted, and what could not be. */
    struct ks_inbox_part *settling; /* longest settling first */
    struct ks_inbox_part *leaving;
    struct ks_inbox_part *staying;
    /* Undeleted ones. */
    struct ks_inbox *previous, *next;
    uint64_t expected_bytes; /* of messages that are about to be committed, … */
    uint32_t expected;       /* … and how many they are */
    uint32_t removals;       /* on their way */
    uint32_t settling_count;
    bool leased;    /* to `owner`, though perhaps without a part yet */
    bool undeleted; /* in that list */
    bool vacated;   /* the receiver is no more: all there is has to be deleted */
};

struct ks_inboxes {
    pthread_mutex_t lock;
    struct ks_inbox *inboxes;
    struct ks_inbox *undeleted; /* longest waiting first */
    uint64_t count;             /* of all: what waits or is leased */
    uint64_t bytes;
    uint64_t eras; /* how many there were: none has the number of another, of any inbox */
    const struct ks_clock *clock;
    uint64_t lease_lifetime_ms;
    const struct ks_store_limits *limits;
};

/* ---- inbox_table.c ---- */

/* NULL when there is none. */
struct ks_inbox *ks_inbox_find(struct ks_inboxes *inboxes, const struct ks_client_id *id);

/* The one there is, or a new one; NULL when out of memory. */
struct ks_inbox *ks_inbox_get(struct ks_inboxes *inboxes, const struct ks_client_id *id);

/* Frees an inbox that nobody needs any more. */
void ks_inbox_put(struct ks_inboxes *inboxes, struct ks_inbox *inbox);

/* What waits or is leased is now so much. */
void ks_inbox_change_sums(struct ks_inboxes *inboxes, struct ks_inbox *inbox, uint64_t count, uint64_t bytes);

/* The same, and whose it is has to be counted again. */
void ks_inbox_set_waiting(struct ks_inboxes *inboxes, struct ks_inbox *inbox, uint64_t count, uint64_t bytes);

/* ---- leases.c ---- */

/* Frees all parts but those that are on their way to deletion; what was leased or settling is not
 * counted any more. */
void ks_inbox_forget_parts(struct ks_inbox *inbox);

/* Frees a list of parts. */
void ks_inbox_free_parts(struct ks_inbox_part **parts);

/* A message that waits, is leased or settles, does so no more; the leased part that has it and
 * those behind it are leased no more. `size` is what was counted for it. The sums of what waits are the
 * caller's to change: true when they must be. */
bool ks_inbox_forget(struct ks_inbox *inbox, uint64_t message_id, uint64_t size);

#endif
