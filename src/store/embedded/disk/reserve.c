/* reserve.c — see reserve.h. */
#include "store/embedded/disk/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    MEBIBYTE = 1024 * 1024,
    LARGEST = 24 * MEBIBYTE,
    SMALLEST = MEBIBYTE / 4,
    SHARE = 8,            /* of the room that there is: one of so many parts */
    TO_OPEN_IN = MEBIBYTE /* with less room than this, a database cannot be opened for sure */
};

static off_t free_bytes(int fd)
{
    struct statvfs status;
    if (fstatvfs(fd, &status) != 0)
        return 0;
    uint64_t bytes = (uint64_t)status.f_bavail * status.f_frsize;
    return bytes < INT64_MAX ? (off_t)bytes : INT64_MAX;
}

/* Without writing: what cannot be allocated so would take as long as it is large. False with errno. */
static bool allocate(const struct ks_reserve *reserve)
{
    if (fallocate(reserve->fd, 0, 0, reserve->size) == 0)
        return true;
    int failure = errno;
    if (ftruncate(reserve->fd, 0) != 0)
        failure = EIO;
    errno = failure;
    return false;
}

void ks_reserve_init(struct ks_reserve *reserve)
{
    *reserve = (struct ks_reserve){.fd = -1};
}

/* The size that it should have, and not less than what is there already. */
static off_t size_for(int fd, off_t room)
{
    struct stat status;
    off_t size = room / SHARE > SMALLEST ? room / SHARE : SMALLEST;
    if (fstat(fd, &status) == 0 && status.st_size > size)
        size = status.st_size;
    return size < LARGEST ? size : LARGEST;
}

static void begin_to_refuse(struct ks_reserve *reserve)
{
    reserve->is_given_up = true;
    atomic_store(&reserve->refuses, true);
    ks_log_error(reserve->log, "the data directory's file system is full: messages are still delivered and"
                               " deleted; uploads and new messages are refused until there is room");
}

void ks_reserve_open(struct ks_reserve *reserve, int directory_fd, const struct ks_log *log)
{
    off_t room = free_bytes(directory_fd);
    reserve->log = log;
    reserve->directory_fd = directory_fd;
    reserve->fd = openat(directory_fd, "reserve", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (reserve->fd < 0)
        return;
    reserve->size = size_for(reserve->fd, room);
    if (room < TO_OPEN_IN && ks_reserve_give_up(reserve))
        return;
    if (allocate(reserve))
        return;
    if (errno == ENOSPC)
        begin_to_refuse(reserve);
    else
        ks_reserve_close(reserve);
}

void ks_reserve_close(struct ks_reserve *reserve)
{
    if (reserve->fd >= 0)
        close(reserve->fd);
    ks_reserve_init(reserve);
}

bool ks_reserve_give_up(struct ks_reserve *reserve)
{
    if (reserve->fd < 0 || reserve->is_given_up)
        return false;
    if (ftruncate(reserve->fd, 0) == 0) {
        begin_to_refuse(reserve);
        return true;
    }
    char text[128];
    ks_log_error(reserve->log, "the disk is full, and `reserve` cannot be given up: %s",
                 strerror_r(errno, text, sizeof text));
    return false;
}

bool ks_reserve_is_given_up(const struct ks_reserve *reserve)
{
    return reserve->is_given_up;
}

void ks_reserve_tick(struct ks_reserve *reserve, uint64_t inside)
{
    if (reserve->is_given_up && free_bytes(reserve->directory_fd) >= reserve->size && allocate(reserve))
        reserve->is_given_up = false;
    bool refuses = reserve->is_given_up && inside < (uint64_t)reserve->size;
    if (atomic_exchange(&reserve->refuses, refuses) && !refuses)
        ks_log_notice(reserve->log, "there is room for new messages again");
}

bool ks_reserve_refuses(const struct ks_reserve *reserve)
{
    return atomic_load_explicit(&reserve->refuses, memory_order_relaxed);
}
