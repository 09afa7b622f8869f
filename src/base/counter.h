/* counter.h — numbers that only grow, for metrics: cheap to count, read by whoever likes, never exact across
 * several of them.
 *
 * Each is counted by one thread alone, so that counting is a load, an addition and a store, and no cache line
 * is fought over. What several threads count has a number for each of them, and is added up when it is read.
 */
#ifndef KS_BASE_COUNTER_H
#define KS_BASE_COUNTER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KS_CACHE_LINE = 64, /* bytes; what different threads count is at least so far apart */
    KS_HISTOGRAM_BOUNDS = 16,
};

/* Counts `more`. The counter's thread alone. */
static inline void ks_count(_Atomic uint64_t *counter, uint64_t more)
{
    uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, before + more, memory_order_relaxed);
}

/* Any thread. */
static inline uint64_t ks_counted(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* How often values fell between bounds: counts[i] of those up to bounds[i] and above the one before, the last
 * of those above all bounds. */
struct ks_histogram {
    _Atomic uint64_t counts[KS_HISTOGRAM_BOUNDS + 1];
    _Atomic uint64_t sum; /* of the values */
};

/* Counts a value. The histogram's thread alone; `bounds` ascend. */
static inline void ks_histogram_count(struct ks_histogram *histogram,
                                      const uint64_t bounds[static KS_HISTOGRAM_BOUNDS], uint64_t value)
{
    size_t i = 0;
    while (i < KS_HISTOGRAM_BOUNDS && value > bounds[i])
        i++;
    ks_count(&histogram->counts[i], 1);
    ks_count(&histogram->sum, value);
}

#endif
