/* clock.c — see clock.h. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t system_monotonic_ms(const struct ks_clock *clock)
{
    (void)clock;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000U + (uint64_t)now.tv_nsec / 1000000U;
}

static int64_t system_wall_seconds(const struct ks_clock *clock)
{
    (void)clock;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec;
}

const struct ks_clock *ks_clock_system(void)
{
    static const struct ks_clock system = {.monotonic_ms = system_monotonic_ms,
                                           .wall_seconds = system_wall_seconds};
    return &system;
}

uint64_t ks_clock_stopwatch_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

void ks_clock_format_utc(int64_t wall_seconds, char text[KS_CLOCK_TEXT_SIZE])
{
    time_t seconds = (time_t)wall_seconds;
    struct tm parts = {0};
    if (gmtime_r(&seconds, &parts) == NULL ||
        strftime(text, KS_CLOCK_TEXT_SIZE, "%Y-%m-%d %H:%M:%S", &parts) != KS_CLOCK_TEXT_SIZE - 1)
        snprintf(text, KS_CLOCK_TEXT_SIZE, "1970-01-01 00:00:00");
}

void ks_clock_show(int64_t wall_seconds, char text[KS_CLOCK_SHOWN_SIZE])
{
    ks_clock_format_utc(wall_seconds, text);
    text[10] = 'T';
    text[KS_CLOCK_SHOWN_SIZE - 2] = 'Z';
    text[KS_CLOCK_SHOWN_SIZE - 1] = '\0';
}
