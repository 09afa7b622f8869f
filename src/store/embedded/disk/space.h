/* space.h — whether the data directory's file system has less room than must be left there. It is looked at
 * no more than once a second, by the writer's tick, never by a loop; any thread may ask what was seen. One
 * line of log tells when the shortage begins, one when it ends: that is when there is a quarter more than
 * must be left, or a disk at its limit would turn with every file that comes and goes.
 */
#ifndef KS_STORE_EMBEDDED_DISK_SPACE_H
#define KS_STORE_EMBEDDED_DISK_SPACE_H

#include "base/clock.h"
#include "base/log.h"
#include "store/limits.h"

#include <stdbool.h>

struct ks_space {
    /* Set at the start, read by every thread. */
    int directory_fd;
    const struct ks_clock *clock;
    const struct ks_log *log;
    const struct ks_store_limits *limits;
    uint64_t looked_at_ms;       /* the looking thread's */
    _Atomic uint64_t free_bytes; /* as they were seen then */
    _Atomic bool is_short;       /* since when that was last asked */
};

/* Begins, and looks. What is pointed to, and the directory, outlive it; there is nothing to end. */
void ks_space_init(struct ks_space *space, int directory_fd, const struct ks_clock *clock,
                   const struct ks_log *log, const struct ks_store_limits *limits);

/* Looks, if the last time is a second ago. One thread at a time. */
void ks_space_tick(struct ks_space *space);

/* True from when there is less than the limit, which may have been changed just now, until there is a quarter
 * more. Any thread. */
bool ks_space_is_short(struct ks_space *space);

#endif
