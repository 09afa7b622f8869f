/* lanes.c — see lanes.h. */
#include "bench/traffic/lanes.h"

#include "base/bytes.h"

void ks_lanes_begin(struct ks_lanes *lanes, uint32_t size, uint32_t senders, uint32_t receivers)
{
    uint64_t state = UINT64_C(0x9E3779B97F4A7C15);
    lanes->size = size;
    lanes->senders = senders;
    lanes->receivers = receivers;
    lanes->count = senders > receivers ? senders : receivers;
    for (size_t i = 0; i < sizeof lanes->pattern; i++) {
        state ^= state << 13; /* Marsaglia's xorshift */
        state ^= state >> 7;
        state ^= state << 17;
        lanes->pattern[i] = (uint8_t)(state >> 56);
    }
}

uint32_t ks_lanes_of(const struct ks_lanes *lanes, uint32_t sender)
{
    return (lanes->count - sender - 1) / lanes->senders + 1;
}

bool ks_lanes_find(const struct ks_lanes *lanes, uint32_t sender, uint32_t receiver, uint32_t *lane)
{
    *lane = lanes->senders >= lanes->receivers ? sender : receiver;
    return *lane % lanes->senders == sender && *lane % lanes->receivers == receiver;
}

static void mark(uint32_t lane, uint64_t number, uint8_t bytes[static KS_LANES_MARK_SIZE])
{
    ks_store_u32(bytes, (uint32_t)number);
    ks_store_u32(bytes + 4, lane);
}

/* How much of `size` bytes at `offset` is of the mark. */
static size_t marked(uint32_t offset, size_t size)
{
    size_t left = offset < KS_LANES_MARK_SIZE ? KS_LANES_MARK_SIZE - offset : 0;
    return left < size ? left : size;
}

const uint8_t *ks_lanes_borrow(const struct ks_lanes *lanes, uint32_t offset, size_t *size)
{
    size_t start = offset % KS_LANES_PATTERN_SIZE;
    size_t here = KS_LANES_PATTERN_SIZE - start;
    *size = lanes->size - offset < here ? lanes->size - offset : here;
    return lanes->pattern + start;
}

void ks_lanes_write(const struct ks_lanes *lanes, uint32_t lane, uint64_t number, uint32_t offset,
                    uint8_t *bytes, size_t size)
{
    uint8_t of_mark[KS_LANES_MARK_SIZE];
    size_t here = marked(offset, size);
    if (here > 0) {
        mark(lane, number, of_mark);
        memcpy(bytes, of_mark + offset, here);
    }
    while (here < size) {
        size_t run = 0;
        const uint8_t *pattern = ks_lanes_borrow(lanes, offset + (uint32_t)here, &run);
        if (run > size - here)
            run = size - here;
        memcpy(bytes + here, pattern, run);
        here += run;
    }
}

bool ks_lanes_match(const struct ks_lanes *lanes, uint32_t lane, uint64_t number, uint32_t offset,
                    const uint8_t *bytes, size_t size)
{
    uint8_t of_mark[KS_LANES_MARK_SIZE];
    size_t here = marked(offset, size);
    if (here > 0) {
        mark(lane, number, of_mark);
        if (memcmp(bytes, of_mark + offset, here) != 0)
            return false;
    }
    while (here < size) {
        size_t run = 0;
        const uint8_t *pattern = ks_lanes_borrow(lanes, offset + (uint32_t)here, &run);
        if (run > size - here)
            run = size - here;
        if (memcmp(bytes + here, pattern, run) != 0)
            return false;
        here += run;
    }
    return true;
}

bool ks_lanes_count(struct ks_lane *lane, uint32_t id)
{
    lane->count++;
    lane->ids = (lane->ids ^ id) * UINT64_C(1099511628211);
    if (id == 0)
        return true;
    bool ascends = id > lane->last_id;
    lane->last_id = id;
    return ascends;
}
