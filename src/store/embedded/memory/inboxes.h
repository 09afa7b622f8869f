/* inboxes.h — what waits for whom, in RAM: sums of each receiver's messages (inboxes.c), and who has leased
 * which part of them (leases.c; contracts in store.h). The messages themselves stay on disk.
 *
 * There is an inbox only for who has messages waiting, or rows that must still be deleted. Everything here is
 * guarded by a lock of its own and asks no disk. A lease ends by itself only when somebody takes it over.
 *
 * Deleting: what was delivered is gone here at once; its rows go later. Until then the inbox stays, with a
 * removal *on its way*, or *undeleted* when that failed. So noting a failure needs no memory.
 *
 * Memory: about 250 bytes per inbox, and 80 for each part that is leased, settles, has come back, or is being
 * deleted. Of those that settle there are at most KS_SETTLING_LIMIT for a receiver, and each that has come
 * back holds a message of those that the limits of what waits allow.
 */
#ifndef KS_STORE_EMBEDDED_MEMORY_INBOXES_H
#define KS_STORE_EMBEDDED_MEMORY_INBOXES_H

#include "base/clock.h"
#include "store/limits.h"
#include "store/store.h"

struct ks_inboxes;
struct ks_largest_senders;

/* A run of messages: those with ids above `after` and up to `last`. */
struct ks_part {
    uint64_t after;
    uint64_t last;
    uint64_t count;
    uint64_t bytes; /* of the contents */
    bool more;      /* when it was leased, others waited behind it */
};

enum { KS_SETTLING_LIMIT = 1024 };

/* NULL when out of memory. `clock` and `limits` outlive them. */
struct ks_inboxes *ks_inboxes_new(const struct ks_clock *clock, uint64_t lease_lifetime_ms,
                                  const struct ks_store_limits *limits);
void ks_inboxes_free(struct ks_inboxes *inboxes); /* NULL is allowed */

/* At the start: what waits for a receiver on disk, all of it in `waiting` (`after` does not matter). When the
 * receiver is not known any more, it is all undeleted. KS_OK, KS_NO_MEMORY. */
enum ks_result ks_inboxes_load(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                               const struct ks_part *waiting, bool known);

/* ---- any thread ---- */

/* Leases the next part to `owner`. KS_MORE, and nothing is leased, when some of it is above `filed`: it
 * has to become rows first (filing.h). KS_OK with *part, whose count is 0 when nothing waits or somebody else
 * has the lease; KS_NO_MEMORY. KS_PENDING when not all that waits fits the limit: the lease is the owner's,
 * the caller finds out which of the messages from part->after up to part->last do, and goes on with
 * ks_inboxes_lease_run or ks_inboxes_lease_nothing. */
enum ks_result ks_inboxes_lease(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                                uint64_t owner, uint64_t filed, uint64_t size_limit, size_t overhead,
                                struct ks_part *part);

/* Leases what was found. KS_OK; KS_NOT_FOUND when somebody else has the lease by now; KS_PENDING when the
 * owner's lease does not end with part->after any more: look again, from the new part->after up to
 * part->last; KS_IO when there is no such run; KS_NO_MEMORY. */
enum ks_result ks_inboxes_lease_run(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                                    uint64_t owner, struct ks_part *part);

/* Looking failed: the owner's lease ends if it has no parts. */
void ks_inboxes_lease_nothing(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                              uint64_t owner);

/* The owner's part that ends with `last`; the lease is fresh again. KS_OK with *part, KS_NOT_FOUND. */
enum ks_result ks_inboxes_part(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                               uint64_t owner, uint64_t last, struct ks_part *part);

/* The owner's oldest part, which ends with `last`, settles. With *joins it becomes one with the part that the
 * owner had settle last, if it begins where that one ends; *joins then stays true. KS_OK; KS_NOT_FOUND when
 * the lease is lost; KS_REFUSED at KS_SETTLING_LIMIT, and the part stays leased. */
enum ks_result ks_inboxes_settle(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                                 uint64_t owner, uint64_t last, bool *joins);

/* The owner's settling part that ends with `last` was delivered: KS_OK, and the removal of what has ids above
 * *after is on its way, which the caller ends with ks_inboxes_removed. Else KS_NOT_FOUND. */
enum ks_result ks_inboxes_delivered(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                                    uint64_t owner, uint64_t last, uint64_t *after);

/* What waits for a receiver. */
void ks_inboxes_waiting(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t *count,
                        uint64_t *bytes);

/* Whether there is anything of the receiver: what waits, or rows that must still be deleted. */
bool ks_inboxes_has(struct ks_inboxes *inboxes, const struct ks_client_id *receiver);

/* What waits for all of them. */
void ks_inboxes_all_waiting(struct ks_inboxes *inboxes, uint64_t *count, uint64_t *bytes);

void ks_inboxes_renew(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t owner);
void ks_inboxes_release(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t owner);

/* ---- the writer's thread only ---- */

/* A message is about to be committed: makes sure that there is an inbox. KS_OK, then one of the next two
 * follows, with the same content_size; KS_REFUSED with *limit when it would pass one, with what waits and
 * what is expected already, or its sender's share: a sender may have as much as there is room left for
 * others, which below half of the limits is always so. KS_MORE, if the message `can_wait`, when that has to
 * be counted first (counting.h); else it counts for nobody. KS_NO_MEMORY. */
enum ks_result ks_inboxes_expect(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                                 const struct ks_client_id *sender, uint64_t content_size, bool can_wait,
                                 enum ks_store_limit *limit);

/* It is committed. Ids ascend. */
void ks_inboxes_arrived(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t message_id,
                        uint64_t content_size);

/* It is not. */
void ks_inboxes_not_arrived(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,
                            const struct ks_client_id *sender, uint64_t content_size);

/* It is to be counted who has how much (counting.h): from behind which id, and in which *era*, which ends
 * whenever anything but an arrival changes what waits. What settles behind something that came back counts,
 * too. */
void ks_inboxes_count_from(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t *after,
                           uint64_t *era);

/* It was counted in that era: takes *senders over and sets it to NULL. False, and nothing is taken over, when
 * the era is over. True when there is no inbox any more. */
bool ks_inboxes_counted(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t era,
                        struct ks_largest_senders **senders);

/* The receiver is no more: nothing waits, nothing is leased, and what there was is undeleted. */
void ks_inboxes_abandon(struct ks_inboxes *inboxes, const struct ks_client_id *receiver);

/* The same, but the removal is on its way at once, if there is anything to remove: true, and the caller ends
 * it. */
bool ks_inboxes_vacate(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t *up_to);

/* A message was put aside: it waits no more. If it was part of a lease, that part and those behind it are
 * leased no more; what settles with it comes back without it. Once for each message that is listed; `size` is
 * what was counted for it. */
void ks_inboxes_forget(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t message_id,
                       uint64_t size);

/* Ends the removal of what has ids above `after` (0 after ks_inboxes_vacate): its rows are gone, or they are
 * undeleted. */
void ks_inboxes_removed(struct ks_inboxes *inboxes, const struct ks_client_id *receiver, uint64_t after,
                        bool gone);

/* The next receiver with undeleted rows, above which id and up to which they are; a removal is on its way, to
 * be ended like any other. False when there is none. */
bool ks_inboxes_next_undeleted(struct ks_inboxes *inboxes, struct ks_client_id *receiver, uint64_t *after,
                               uint64_t *up_to);

#endif
