/* stamps.c — see stamps.h. */
#include "bench/stamps.h"

#include <stdlib.h>

bool ks_stamps_init(struct ks_stamps *stamps, uint32_t queues, uint32_t depth)
{
    *stamps = (struct ks_stamps){.depth = depth};
    stamps->times = calloc((size_t)queues * depth, sizeof *stamps->times);
    stamps->queues = calloc(queues, sizeof *stamps->queues);
    if (stamps->times != NULL && stamps->queues != NULL)
        return true;
    ks_stamps_free(stamps);
    return false;
}

void ks_stamps_free(struct ks_stamps *stamps)
{
    free(stamps->times);
    free(stamps->queues);
    *stamps = (struct ks_stamps){0};
}
