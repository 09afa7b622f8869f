/* percentiles.h — latencies counted in buckets of less than one percent width, after the idea of HdrHistogram
 * (Tene, "How NOT to measure latency"): constant memory, any number of values. One owner; any thread.
 */
#ifndef KS_BENCH_LOAD_PERCENTILES_H
#define KS_BENCH_LOAD_PERCENTILES_H

#include <stdint.h>

enum {
    KS_PERCENTILES_FINE_BITS = 7, /* 128 buckets for every doubling */
    KS_PERCENTILES_BUCKETS = (64 - KS_PERCENTILES_FINE_BITS + 1) << KS_PERCENTILES_FINE_BITS,
};

/* Begins as zeros. */
struct ks_percentiles {
    uint64_t count;
    uint64_t greatest;
    uint64_t sum; /* of a run's latencies in nanoseconds: 584 years of them fit */
    uint64_t buckets[KS_PERCENTILES_BUCKETS];
};

void ks_percentiles_add(struct ks_percentiles *percentiles, uint64_t value);

/* The same value `times` times. */
void ks_percentiles_add_many(struct ks_percentiles *percentiles, uint64_t value, uint64_t times);

/* All that `others` counted, too. */
void ks_percentiles_merge(struct ks_percentiles *percentiles, const struct ks_percentiles *others);

/* The value that `share` (0 to 1) of all values do not exceed: the upper end of its bucket, never above the
 * greatest value. 0 when there are no values. */
uint64_t ks_percentiles_at(const struct ks_percentiles *percentiles, double share);

#endif
