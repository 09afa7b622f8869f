/* lanes.h — what is in the messages of a run, and how the run tells them apart: a lane leads from one
 * sender to one receiver, and the messages in it are numbered from 0. Pure; one owner.
 *
 * A message's content is its number, the number of its lane (4 bytes each, little-endian), then bytes that
 * are the same in all of them; of a shorter one there is the beginning.
 */
#ifndef KS_BENCH_TRAFFIC_LANES_H
#define KS_BENCH_TRAFFIC_LANES_H

#include "base/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KS_LANES_MARK_SIZE = 8,            /* number and lane */
    KS_LANES_PATTERN_SIZE = 64 * 1024, /* after so many, the bytes that all have come again */
};

/* What was acknowledged to a lane's sender, or has come to its receiver. Begins as zeros. */
struct ks_lane {
    uint64_t count;
    uint64_t ids;     /* a sum over the ids in their order: equal for equal sequences */
    uint32_t last_id; /* 0: none yet */
};

struct ks_lanes {
    uint32_t size; /* of each */
    uint32_t senders;
    uint32_t receivers;
    uint32_t count;
    uint8_t pattern[KS_LANES_PATTERN_SIZE];
};

/* Each of the fewer has several of the more: sender s has lanes s, s + senders, ..., and lane l leads to
 * receiver l % receivers. Neither number is 0. */
void ks_lanes_begin(struct ks_lanes *lanes, uint32_t size, uint32_t senders, uint32_t receivers);

/* How many lanes a sender has; it uses them in turn. */
uint32_t ks_lanes_of(const struct ks_lanes *lanes, uint32_t sender);

/* The lane from `sender` to `receiver`. False when there is none. */
bool ks_lanes_find(const struct ks_lanes *lanes, uint32_t sender, uint32_t receiver, uint32_t *lane);

/* Writes `size` bytes of a message's content, from `offset` on. */
void ks_lanes_write(const struct ks_lanes *lanes, uint32_t lane, uint64_t number, uint32_t offset,
                    uint8_t *bytes, size_t size);

/* Whether those bytes of the content are these. */
bool ks_lanes_match(const struct ks_lanes *lanes, uint32_t lane, uint64_t number, uint32_t offset,
                    const uint8_t *bytes, size_t size);

/* As much of a content, from `offset` >= KS_LANES_MARK_SIZE on, as there is in one place; *size bytes of it.
 */
const uint8_t *ks_lanes_borrow(const struct ks_lanes *lanes, uint32_t offset, size_t *size);

/* Counts a message, with its id where it has one, else 0. False when the ids of the lane do not ascend. */
bool ks_lanes_count(struct ks_lane *lane, uint32_t id);

#endif
