/* retry.h — when to try again what has failed: after a second, then twice as long each time, at last about
 * every minute. A plain value, all zeros at first; one thread at a time. */
#ifndef KS_BASE_RETRY_H
#define KS_BASE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

enum { KS_RETRY_FIRST_MS = 1000, KS_RETRY_LAST_MS = 64 * 1000 };

struct ks_retry {
    uint64_t at_ms;
    uint64_t delay_ms; /* 0: the last try went well */
};

/* `now_ms` is of a monotonic clock, here and below. */
static inline bool ks_retry_is_due(const struct ks_retry *retry, uint64_t now_ms)
{
    return retry->delay_ms == 0 || now_ms >= retry->at_ms;
}

/* How a try went. */
static inline void ks_retry_note(struct ks_retry *retry, uint64_t now_ms, bool failed)
{
    uint64_t twice = 2 * retry->delay_ms;
    if (!failed)
        retry->delay_ms = 0;
    else if (retry->delay_ms == 0)
        retry->delay_ms = KS_RETRY_FIRST_MS;
    else
        retry->delay_ms = twice < KS_RETRY_LAST_MS ? twice : KS_RETRY_LAST_MS;
    retry->at_ms = now_ms + retry->delay_ms;
}

#endif
