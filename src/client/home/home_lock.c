/* home_lock.c — see home_lock.h. */
#include "client/home/home_lock.h"

#include "base/clock.h"
#include "client/failure.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <unistd.h>

enum { FIRST_PAUSE_MS = 2, LONGEST_PAUSE_MS = 50 };

enum kesher_status ks_home_lock_open(struct ks_home_lock *lock, const struct kesher_home *home,
                                     const char *name, struct kesher_error *error)
{
    lock->held = false;
    lock->fd = openat(home->directory_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return lock->fd >= 0 ? KESHER_OK : ks_home_files_failure(home, errno, "open", name, error);
}

void ks_home_lock_close(struct ks_home_lock *lock)
{
    if (lock->fd >= 0)
        close(lock->fd);
    *lock = KS_HOME_LOCK_NONE;
}

enum kesher_status ks_home_lock_take(struct ks_home_lock *lock, uint32_t wait_ms, const char *doing,
                                     struct kesher_error *error)
{
    const struct ks_clock *clock = ks_clock_system();
    uint64_t deadline = ks_clock_monotonic_ms(clock) + wait_ms;
    int pause_ms = FIRST_PAUSE_MS;
    while (!lock->held) {
        lock->held = flock(lock->fd, LOCK_EX | LOCK_NB) == 0;
        if (lock->held || errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return ks_failure_system(error, KESHER_FILE, errno, "cannot lock a file of the home");
        if (ks_clock_monotonic_ms(clock) >= deadline)
            return ks_failure(error, KESHER_TIMEOUT,
                              "another program is %s in this home; wait for it, or end it", doing);
        (void)poll(NULL, 0, pause_ms); /* flock(2) itself knows no time limit */
        pause_ms = pause_ms * 2 < LONGEST_PAUSE_MS ? pause_ms * 2 : LONGEST_PAUSE_MS;
    }
    return KESHER_OK;
}

void ks_home_lock_release(struct ks_home_lock *lock)
{
    if (lock->held)
        (void)flock(lock->fd, LOCK_UN);
    lock->held = false;
}
