/* percentiles.c — see percentiles.h. Values below 2^FINE_BITS have a bucket each; above, every doubling has
 * 2^FINE_BITS buckets. */
#include "bench/load/percentiles.h"

enum { FINE = 1 << KS_PERCENTILES_FINE_BITS };

static unsigned bucket_of(uint64_t value)
{
    if (value < FINE)
        return (unsigned)value;
    unsigned exponent = 63 - (unsigned)__builtin_clzll(value);
    unsigned shift = exponent - KS_PERCENTILES_FINE_BITS;
    unsigned fine = (unsigned)(value >> shift) & (FINE - 1);
    return ((shift + 1) << KS_PERCENTILES_FINE_BITS) + fine;
}

/* The greatest value that falls into a bucket. */
static uint64_t end_of(unsigned bucket)
{
    if (bucket < FINE)
        return bucket;
    unsigned shift = (bucket >> KS_PERCENTILES_FINE_BITS) - 1;
    uint64_t fine = (bucket & (FINE - 1)) | FINE;
    return (fine << shift) + ((UINT64_C(1) << shift) - 1);
}

void ks_percentiles_add_many(struct ks_percentiles *percentiles, uint64_t value, uint64_t times)
{
    if (times == 0)
        return;
    percentiles->count += times;
    percentiles->sum += value * times;
    if (value > percentiles->greatest)
        percentiles->greatest = value;
    percentiles->buckets[bucket_of(value)] += times;
}

void ks_percentiles_add(struct ks_percentiles *percentiles, uint64_t value)
{
    ks_percentiles_add_many(percentiles, value, 1);
}

void ks_percentiles_merge(struct ks_percentiles *percentiles, const struct ks_percentiles *others)
{
    percentiles->count += others->count;
    percentiles->sum += others->sum;
    if (others->greatest > percentiles->greatest)
        percentiles->greatest = others->greatest;
    for (unsigned i = 0; i < KS_PERCENTILES_BUCKETS; i++)
        percentiles->buckets[i] += others->buckets[i];
}

uint64_t ks_percentiles_at(const struct ks_percentiles *percentiles, double share)
{
    double wanted = share * (double)percentiles->count;
    uint64_t seen = 0;
    for (unsigned i = 0; i < KS_PERCENTILES_BUCKETS; i++) {
        seen += percentiles->buckets[i];
        if (seen > 0 && (double)seen >= wanted) {
            uint64_t end = end_of(i);
            return end < percentiles->greatest ? end : percentiles->greatest;
        }
    }
    return percentiles->greatest;
}
