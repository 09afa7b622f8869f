/* forgetful_disk.h — calls of the vault come here by the linker's --wrap, to a kernel whose cache forgets as
 * that of Linux does: an error of write-back is told once; until it is dropped, the cache has the bytes as
 * they were meant, and then the disk's, which are zeros. */
#ifndef KS_TESTS_UNIT_STORE_VAULT_FORGETFUL_DISK_H
#define KS_TESTS_UNIT_STORE_VAULT_FORGETFUL_DISK_H

#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static _Atomic ino_t lost;       /* the file that could not be written; 0: none */
static _Atomic bool told;        /* and somebody was told */
static _Atomic bool dropped;     /* and it is not in the cache any more */
static _Atomic bool syncs_fail;  /* the next sync of the file system, for an error of some file */
static _Atomic int sync_failure; /* of the next file that is synced */
static _Atomic int write_failure;
static _Atomic size_t write_limit; /* bytes that are written before it */

/* The names are the linker's. NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_fdatasync(int fd);
int __real_sync_file_range(int fd, off_t offset, off_t size, unsigned flags);
int __real_posix_fadvise64(int fd, off_t offset, off_t size, int advice);
ssize_t __real_pread64(int fd, void *bytes, size_t size, off_t offset);
ssize_t __real_pwrite64(int fd, const void *bytes, size_t size, off_t offset);
int __wrap_syncfs(int fd);
int __wrap_fdatasync(int fd);
int __wrap_sync_file_range(int fd, off_t offset, off_t size, unsigned flags);
int __wrap_posix_fadvise64(int fd, off_t offset, off_t size, int advice);
ssize_t __wrap_pread64(int fd, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off_t offset);

static inline bool is_lost(int fd)
{
    struct stat status;
    return atomic_load(&lost) != 0 && fstat(fd, &status) == 0 && status.st_ino == atomic_load(&lost);
}

static inline bool tells(int fd)
{
    errno = EIO;
    return is_lost(fd) && !atomic_exchange(&told, true);
}

int __wrap_syncfs(int fd)
{
    (void)fd;
    errno = EIO;
    return atomic_exchange(&syncs_fail, false) ? -1 : 0;
}

int __wrap_fdatasync(int fd)
{
    int failure = atomic_exchange(&sync_failure, 0);
    if (tells(fd))
        return -1;
    errno = failure;
    return failure != 0 ? -1 : __real_fdatasync(fd);
}

int __wrap_sync_file_range(int fd, off_t offset, off_t size, unsigned flags)
{
    return tells(fd) ? -1 : __real_sync_file_range(fd, offset, size, flags);
}

int __wrap_posix_fadvise64(int fd, off_t offset, off_t size, int advice)
{
    if (is_lost(fd) && advice == POSIX_FADV_DONTNEED)
        atomic_store(&dropped, true);
    return __real_posix_fadvise64(fd, offset, size, advice);
}

ssize_t __wrap_pread64(int fd, void *bytes, size_t size, off_t offset)
{
    ssize_t count = __real_pread64(fd, bytes, size, offset);
    if (count > 0 && is_lost(fd) && atomic_load(&dropped))
        memset(bytes, 0, (size_t)count);
    return count;
}

ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off_t offset)
{
    size_t limit = atomic_exchange(&write_limit, 0);
    if (limit > 0)
        return __real_pwrite64(fd, bytes, limit < size ? limit : size, offset);
    errno = atomic_exchange(&write_failure, 0);
    return errno != 0 ? -1 : __real_pwrite64(fd, bytes, size, offset);
}
/* NOLINTEND(bugprone-reserved-identifier) */

#endif
