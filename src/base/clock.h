/* clock.h — time as a seam: the system's in a program, a hand-set one in a test. */
#ifndef KS_BASE_CLOCK_H
#define KS_BASE_CLOCK_H

#include <stdint.h>

struct ks_clock {
    /* Milliseconds from some fixed point, never going back. Any thread. */
    uint64_t (*monotonic_ms)(const struct ks_clock *clock);
    /* Seconds since 1970, UTC. Any thread. */
    int64_t (*wall_seconds)(const struct ks_clock *clock);
};

/* The system's clock; static, never freed. */
const struct ks_clock *ks_clock_system(void);

static inline uint64_t ks_clock_monotonic_ms(const struct ks_clock *clock)
{
    return clock->monotonic_ms(clock);
}

static inline int64_t ks_clock_wall_seconds(const struct ks_clock *clock)
{
    return clock->wall_seconds(clock);
}

/* Whole seconds of the monotonic clock: to tell how old something is. */
static inline int64_t ks_clock_steady_seconds(const struct ks_clock *clock)
{
    return (int64_t)(clock->monotonic_ms(clock) / 1000U);
}

/* Nanoseconds from some fixed point, never going back: to measure how long something took, not to decide
 * anything by. Any thread. */
uint64_t ks_clock_stopwatch_ns(void);

enum { KS_CLOCK_TEXT_SIZE = 20, KS_CLOCK_SHOWN_SIZE = KS_CLOCK_TEXT_SIZE + 1 };

/* "YYYY-MM-DD HH:MM:SS" in UTC with a NUL, the form of clients.LastSeen (protocol.md §1.2). A year that has
 * not four digits comes out as the beginning of 1970. */
void ks_clock_format_utc(int64_t wall_seconds, char text[KS_CLOCK_TEXT_SIZE]);

/* "YYYY-MM-DDTHH:MM:SSZ" in UTC with a NUL (RFC 3339): one word, which says of which zone it is. For people,
 * and for JSON. */
void ks_clock_show(int64_t wall_seconds, char text[KS_CLOCK_SHOWN_SIZE]);

#endif
