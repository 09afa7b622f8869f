/* stamps.h — when each of the requests that are on their way was written: for every connection a queue of as
 * many times as it may have requests on their way, all in one allocation. One owner; any thread.
 */
#ifndef KS_BENCH_STAMPS_H
#define KS_BENCH_STAMPS_H

#include <stdbool.h>
#include <stdint.h>

struct ks_stamps {
    uint64_t *times; /* `depth` for each queue */
    struct ks_stamps_queue {
        uint32_t first; /* index of the oldest */
        uint32_t count;
    } * queues;
    uint32_t depth;
};

/* Room for `queues` queues of `depth` times. False without memory; then there is nothing to free. */
bool ks_stamps_init(struct ks_stamps *stamps, uint32_t queues, uint32_t depth);
void ks_stamps_free(struct ks_stamps *stamps); /* zeros are allowed */

/* How many wait in a queue. */
static inline uint32_t ks_stamps_count(const struct ks_stamps *stamps, uint32_t queue)
{
    return stamps->queues[queue].count;
}

/* Puts one behind the others, of which there are fewer than `depth`. */
static inline void ks_stamps_put(struct ks_stamps *stamps, uint32_t queue, uint64_t time_ns)
{
    struct ks_stamps_queue *place = &stamps->queues[queue];
    uint32_t index = place->first + place->count;
    if (index >= stamps->depth)
        index -= stamps->depth;
    stamps->times[(uint64_t)queue * stamps->depth + index] = time_ns;
    place->count++;
}

/* Takes the oldest; there is one. */
static inline uint64_t ks_stamps_take(struct ks_stamps *stamps, uint32_t queue)
{
    struct ks_stamps_queue *place = &stamps->queues[queue];
    uint64_t time_ns = stamps->times[(uint64_t)queue * stamps->depth + place->first];
    place->first = place->first + 1 == stamps->depth ? 0 : place->first + 1;
    place->count--;
    return time_ns;
}

#endif
