/* stamps.c — see stamps.h. */
#include "bench/load/stamps.h"

#include <stdlib.h>

bool ks_stamps_init(struct ks_stamps *stamps, uint32_t queues, uint32_t depth)
{
    *stamps = (struct ks_stamps){.depth = depth};
    stamps->runs = calloc((size_t)queues * depth, sizeof *stamps->runs);
    stamps->queues = calloc(queues, sizeof *stamps->queues);
    if (stamps->runs != NULL && stamps->queues != NULL)
        return true;
    ks_stamps_free(stamps);
    return false;
}

void ks_stamps_free(struct ks_stamps *stamps)
{
    free(stamps->runs);
    free(stamps->queues);
    *stamps = (struct ks_stamps){0};
}

void ks_stamps_put(struct ks_stamps *stamps, uint32_t queue, uint32_t count, uint64_t time_ns)
{
    struct ks_stamps_queue *waiting = &stamps->queues[queue];
    uint32_t index = waiting->first + waiting->runs;
    if (index >= stamps->depth)
        index -= stamps->depth;
    stamps->runs[(size_t)queue * stamps->depth + index] =
        (struct ks_stamps_run){.time_ns = time_ns, .count = count};
    waiting->runs++;
    waiting->count += count;
}

uint32_t ks_stamps_take(struct ks_stamps *stamps, uint32_t queue, uint32_t limit, uint64_t *time_ns)
{
    struct ks_stamps_queue *waiting = &stamps->queues[queue];
    struct ks_stamps_run *run = &stamps->runs[(size_t)queue * stamps->depth + waiting->first];
    uint32_t taken = run->count < limit ? run->count : limit;
    *time_ns = run->time_ns;
    run->count -= taken;
    waiting->count -= taken;
    if (run->count == 0) {
        waiting->first = waiting->first + 1 == stamps->depth ? 0 : waiting->first + 1;
        waiting->runs--;
    }
    return taken;
}
