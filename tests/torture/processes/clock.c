/* clock.c — for LD_PRELOAD: a time of day that somebody else sets while the program runs.
 *
 * KESHER_CLOCK_PAGE names a file of eight bytes, which is mapped: so many seconds are added to the time of
 * day, by whichever call it is asked for. The monotonic clocks stay what they are, and so do the times of
 * files.
 */
#include "../preload.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int shifted_clock_gettime(clockid_t id, struct timespec *now) INSTEAD_OF("clock_gettime");
int shifted_gettimeofday(struct timeval *now, void *zone) INSTEAD_OF("gettimeofday");
time_t shifted_time(time_t *now) INSTEAD_OF("time");

static const _Atomic int64_t *offset;

__attribute__((constructor)) static void map_page(void)
{
    const char *path = getenv("KESHER_CLOCK_PAGE");
    int file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    void *page = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
    if (page == MAP_FAILED)
        abort(); /* a run without it would prove nothing */
    offset = page;
    close(file);
}

int shifted_clock_gettime(clockid_t id, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, id, now);
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        now->tv_sec += atomic_load(offset);
    return result;
}

int shifted_gettimeofday(struct timeval *now, void *zone)
{
    (void)zone;
    struct timespec precise;
    int result = shifted_clock_gettime(CLOCK_REALTIME, &precise);
    if (result == 0)
        *now = (struct timeval){.tv_sec = precise.tv_sec, .tv_usec = precise.tv_nsec / 1000};
    return result;
}

time_t shifted_time(time_t *now)
{
    struct timespec precise = {0};
    shifted_clock_gettime(CLOCK_REALTIME, &precise);
    if (now != NULL)
        *now = precise.tv_sec;
    return precise.tv_sec;
}
