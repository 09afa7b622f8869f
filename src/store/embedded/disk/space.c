/* space.c — see space.h. */
#include "store/embedded/disk/space.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/statvfs.h>

enum { LOOK_EVERY_MS = 1000, MEBIBYTE = 1024 * 1024 };

/* What cannot be looked at is taken for roomy: the writes will tell. */
static void look(struct ks_space *space)
{
    struct statvfs status;
    space->looked_at_ms = ks_clock_monotonic_ms(space->clock);
    if (fstatvfs(space->directory_fd, &status) == 0) {
        atomic_store(&space->free_bytes, (uint64_t)status.f_bavail * status.f_frsize);
        return;
    }
    if (atomic_exchange(&space->free_bytes, UINT64_MAX) != UINT64_MAX) {
        char text[128];
        ks_log_warning(space->log, "cannot see how much room the data directory has: %s",
                       strerror_r(errno, text, sizeof text));
    }
}

/* Whoever turns the state tells it. */
static void tell(struct ks_space *space, bool is_short, uint64_t bytes, uint64_t limit)
{
    if (atomic_exchange(&space->is_short, is_short) == is_short)
        return;
    if (is_short)
        ks_log_error(space->log,
                     "the data directory's file system has %" PRIu64 " MiB left, and %" PRIu64
                     " MiB are to stay free: uploads and messages are refused",
                     bytes / MEBIBYTE, limit / MEBIBYTE);
    else
        ks_log_notice(space->log, "the data directory's file system has room again");
}

bool ks_space_is_short(struct ks_space *space)
{
    uint64_t limit = atomic_load(&space->limits->free_space);
    uint64_t bytes = atomic_load(&space->free_bytes);
    bool was_short = atomic_load(&space->is_short);
    bool is_short = bytes < limit || (was_short && bytes - limit < limit / 4);
    if (is_short != was_short)
        tell(space, is_short, bytes, limit);
    return is_short;
}

void ks_space_tick(struct ks_space *space)
{
    if (ks_clock_monotonic_ms(space->clock) - space->looked_at_ms < LOOK_EVERY_MS)
        return;
    look(space);
    ks_space_is_short(space);
}

void ks_space_init(struct ks_space *space, int directory_fd, const struct ks_clock *clock,
                   const struct ks_log *log, const struct ks_store_limits *limits)
{
    space->directory_fd = directory_fd;
    space->clock = clock;
    space->log = log;
    space->limits = limits;
    atomic_init(&space->free_bytes, UINT64_MAX);
    atomic_init(&space->is_short, false);
    look(space);
    ks_space_is_short(space);
}
