/* stamps.h — when the requests that are on their way were written: for every connection a queue of runs of
 * requests that were written at the same time, in as many places as it may have requests on their way, all in
 * one allocation. One owner; any thread.
 */
#ifndef KS_BENCH_LOAD_STAMPS_H
#define KS_BENCH_LOAD_STAMPS_H

#include <stdbool.h>
#include <stdint.h>

struct ks_stamps_run {
    uint64_t time_ns;
    uint32_t count; /* at least 1 */
};

struct ks_stamps_queue {
    uint32_t first; /* index of the oldest run */
    uint32_t runs;
    uint32_t count; /* of all of them together */
};

/* Private. */
struct ks_stamps {
    struct ks_stamps_run *runs; /* `depth` for each queue */
    struct ks_stamps_queue *queues;
    uint32_t depth;
};

/* Room for `queues` queues of `depth` requests. False without memory; then there is nothing to free. */
bool ks_stamps_init(struct ks_stamps *stamps, uint32_t queues, uint32_t depth);
void ks_stamps_free(struct ks_stamps *stamps); /* zeros are allowed */

/* How many requests of a queue are on their way. */
static inline uint32_t ks_stamps_count(const struct ks_stamps *stamps, uint32_t queue)
{
    return stamps->queues[queue].count;
}

/* `count` more, at least 1, were written now; no more than `depth` are on their way then. */
void ks_stamps_put(struct ks_stamps *stamps, uint32_t queue, uint32_t count, uint64_t time_ns);

/* Takes up to `limit` of the oldest, of those that were written at the same time; there is one at least.
 * Returns how many it took; *time_ns is when they were written. */
uint32_t ks_stamps_take(struct ks_stamps *stamps, uint32_t queue, uint32_t limit, uint64_t *time_ns);

#endif
