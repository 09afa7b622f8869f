/* injector_files.c — calls about files and their names: see injector.c. */
#include "injector.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BLOCK = 4096 };

/* ---- opening and closing ---- */

static int open_at(int directory, const char *path, int flags, mode_t mode)
{
    if (injector_fails(injector_is_data(directory, path) ? INJECTOR_OPEN : INJECTOR_OPEN_OTHER))
        return -1;
    return (int)syscall(SYS_openat, directory, path, flags, mode);
}

INSTEAD_OF_OPENS(open_at)

int injected_close(int fd) INSTEAD_OF("close");

/* Linux closes in any case. */
int injected_close(int fd)
{
    bool is_data = injector_target_of(fd) == TARGET_DATA;
    int result = (int)syscall(SYS_close, fd);
    return is_data && injector_fails(INJECTOR_CLOSE) ? -1 : result;
}

/* ---- bytes ---- */

static enum injector_kind kind_of_read(int fd)
{
    switch (injector_target_of(fd)) {
    case TARGET_DATA:
        return INJECTOR_READ;
    case TARGET_SOCKET:
        return INJECTOR_RECEIVE;
    default:
        return INJECTOR_READ_OTHER;
    }
}

static enum injector_kind kind_of_write(int fd)
{
    switch (injector_target_of(fd)) {
    case TARGET_DATA:
        return INJECTOR_WRITE;
    case TARGET_SOCKET:
        return INJECTOR_SEND;
    case TARGET_LOG:
        return INJECTOR_WRITE_LOG;
    default:
        return INJECTOR_WRITE_OTHER;
    }
}

/* A prefix of which a system may say that it is all for now: whole blocks where the page cache is passed by.
 */
static size_t short_size(int fd, size_t size)
{
    size_t half = size / 2;
    if (half >= BLOCK)
        return half / BLOCK * BLOCK;
    bool is_direct = (syscall(SYS_fcntl, fd, F_GETFL) & O_DIRECT) != 0;
    return half == 0 || is_direct ? size : half;
}

/* A pipe that tells of an error has moved no byte. Loops wait for ever for one that was taken all the same.
 */
static bool is_whole_or_nothing(enum injector_kind kind)
{
    return kind == INJECTOR_READ_OTHER || kind == INJECTOR_WRITE_OTHER;
}

static ssize_t move_bytes(enum injector_kind kind, long number, int fd, const void *bytes, size_t size,
                          off_t offset)
{
    struct injector_verdict verdict = injector_judge(kind);
    if (verdict.error != 0 && (!verdict.is_short || is_whole_or_nothing(kind))) {
        errno = verdict.error;
        return -1;
    }
    size_t moved = verdict.is_short ? short_size(fd, size) : size;
    ssize_t result = syscall(number, fd, bytes, moved, offset);
    if (verdict.error == 0)
        return result;
    errno = verdict.error;
    return -1;
}

/* Of several pieces, a short one has a part of the first. */
static ssize_t move_pieces(enum injector_kind kind, long number, int fd, const struct iovec *pieces,
                           int count, off_t offset, int flags)
{
    struct injector_verdict verdict = injector_judge(kind);
    if (verdict.error != 0 && (!verdict.is_short || is_whole_or_nothing(kind))) {
        errno = verdict.error;
        return -1;
    }
    struct iovec part = count > 0 ? pieces[0] : (struct iovec){.iov_len = 0};
    if (verdict.is_short)
        part.iov_len = short_size(fd, part.iov_len);
    ssize_t result = verdict.is_short ? syscall(number, fd, &part, 1, offset, 0L, flags)
                                      : syscall(number, fd, pieces, count, offset, 0L, flags);
    if (verdict.error == 0)
        return result;
    errno = verdict.error;
    return -1;
}

ssize_t injected_read(int fd, void *bytes, size_t size) INSTEAD_OF("read");
ssize_t injected_pread(int fd, void *bytes, size_t size, off_t offset) INSTEAD_OF("pread");
ssize_t injected_pread64(int fd, void *bytes, size_t size, off_t offset) INSTEAD_OF("pread64");
ssize_t injected_preadv2(int fd, const struct iovec *pieces, int count, off_t offset, int flags)
    INSTEAD_OF("preadv2");
ssize_t injected_preadv64v2(int fd, const struct iovec *pieces, int count, off_t offset, int flags)
    INSTEAD_OF("preadv64v2");
ssize_t injected_write(int fd, const void *bytes, size_t size) INSTEAD_OF("write");
ssize_t injected_pwrite(int fd, const void *bytes, size_t size, off_t offset) INSTEAD_OF("pwrite");
ssize_t injected_pwrite64(int fd, const void *bytes, size_t size, off_t offset) INSTEAD_OF("pwrite64");
ssize_t injected_pwritev2(int fd, const struct iovec *pieces, int count, off_t offset, int flags)
    INSTEAD_OF("pwritev2");
ssize_t injected_pwritev64v2(int fd, const struct iovec *pieces, int count, off_t offset, int flags)
    INSTEAD_OF("pwritev64v2");

ssize_t injected_read(int fd, void *bytes, size_t size)
{
    return move_bytes(kind_of_read(fd), SYS_read, fd, bytes, size, 0);
}

ssize_t injected_pread(int fd, void *bytes, size_t size, off_t offset)
{
    return move_bytes(kind_of_read(fd), SYS_pread64, fd, bytes, size, offset);
}

ssize_t injected_pread64(int fd, void *bytes, size_t size, off_t offset)
{
    return injected_pread(fd, bytes, size, offset);
}

ssize_t injected_preadv2(int fd, const struct iovec *pieces, int count, off_t offset, int flags)
{
    return move_pieces(kind_of_read(fd), SYS_preadv2, fd, pieces, count, offset, flags);
}

ssize_t injected_preadv64v2(int fd, const struct iovec *pieces, int count, off_t offset, int flags)
{
    return injected_preadv2(fd, pieces, count, offset, flags);
}

ssize_t injected_write(int fd, const void *bytes, size_t size)
{
    return move_bytes(kind_of_write(fd), SYS_write, fd, bytes, size, 0);
}

ssize_t injected_pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    return move_bytes(kind_of_write(fd), SYS_pwrite64, fd, bytes, size, offset);
}

ssize_t injected_pwrite64(int fd, const void *bytes, size_t size, off_t offset)
{
    return injected_pwrite(fd, bytes, size, offset);
}

ssize_t injected_pwritev2(int fd, const struct iovec *pieces, int count, off_t offset, int flags)
{
    return move_pieces(kind_of_write(fd), SYS_pwritev2, fd, pieces, count, offset, flags);
}

ssize_t injected_pwritev64v2(int fd, const struct iovec *pieces, int count, off_t offset, int flags)
{
    return move_pieces(kind_of_write(fd), SYS_pwritev2, fd, pieces, count, offset, flags);
}

/* ---- syncs and sizes ---- */

#define DEFINE_SYNC(function, name, kind, number)                                                            \
    int function(int fd) INSTEAD_OF(name);                                                                   \
    int function(int fd)                                                                                     \
    {                                                                                                        \
        return injector_fails(kind) ? -1 : (int)syscall(number, fd);                                         \
    }

DEFINE_SYNC(injected_fsync, "fsync", INJECTOR_FSYNC, SYS_fsync)
DEFINE_SYNC(injected_fdatasync, "fdatasync", INJECTOR_FDATASYNC, SYS_fdatasync)
DEFINE_SYNC(injected_syncfs, "syncfs", INJECTOR_SYNCFS, SYS_syncfs)

int injected_sync_file_range(int fd, off_t offset, off_t size, unsigned flags) INSTEAD_OF("sync_file_range");

int injected_sync_file_range(int fd, off_t offset, off_t size, unsigned flags)
{
    return injector_fails(INJECTOR_SYNC_FILE_RANGE)
               ? -1
               : (int)syscall(SYS_sync_file_range, fd, offset, size, flags);
}

#define DEFINE_TRUNCATE(function, name)                                                                      \
    int function(int fd, off_t size) INSTEAD_OF(name);                                                       \
    int function(int fd, off_t size)                                                                         \
    {                                                                                                        \
        return injector_fails(INJECTOR_TRUNCATE) ? -1 : (int)syscall(SYS_ftruncate, fd, size);               \
    }

#define DEFINE_ALLOCATE(function, name)                                                                      \
    int function(int fd, int mode, off_t offset, off_t size) INSTEAD_OF(name);                               \
    int function(int fd, int mode, off_t offset, off_t size)                                                 \
    {                                                                                                        \
        return injector_fails(INJECTOR_ALLOCATE) ? -1 : (int)syscall(SYS_fallocate, fd, mode, offset, size); \
    }

DEFINE_TRUNCATE(injected_ftruncate, "ftruncate")
DEFINE_TRUNCATE(injected_ftruncate64, "ftruncate64")
DEFINE_ALLOCATE(injected_fallocate, "fallocate")
DEFINE_ALLOCATE(injected_fallocate64, "fallocate64")

/* ---- names ---- */

int injected_mkdirat(int directory, const char *path, mode_t mode) INSTEAD_OF("mkdirat");
int injected_mkdir(const char *path, mode_t mode) INSTEAD_OF("mkdir");
int injected_unlinkat(int directory, const char *path, int flags) INSTEAD_OF("unlinkat");
int injected_unlink(const char *path) INSTEAD_OF("unlink");
int injected_rmdir(const char *path) INSTEAD_OF("rmdir");
int injected_renameat(int from, const char *old, int to, const char *new) INSTEAD_OF("renameat");
int injected_rename(const char *old, const char *new) INSTEAD_OF("rename");
int injected_linkat(int from, const char *old, int to, const char *new, int flags) INSTEAD_OF("linkat");

int injected_mkdirat(int directory, const char *path, mode_t mode)
{
    return injector_fails(INJECTOR_MKDIR) ? -1 : (int)syscall(SYS_mkdirat, directory, path, mode);
}

int injected_mkdir(const char *path, mode_t mode)
{
    return injected_mkdirat(AT_FDCWD, path, mode);
}

int injected_unlinkat(int directory, const char *path, int flags)
{
    return injector_fails(INJECTOR_UNLINK) ? -1 : (int)syscall(SYS_unlinkat, directory, path, flags);
}

int injected_unlink(const char *path)
{
    return injected_unlinkat(AT_FDCWD, path, 0);
}

int injected_rmdir(const char *path)
{
    return injected_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int injected_renameat(int from, const char *old, int to, const char *new)
{
    return injector_fails(INJECTOR_RENAME) ? -1 : (int)syscall(SYS_renameat2, from, old, to, new, 0);
}

int injected_rename(const char *old, const char *new)
{
    return injected_renameat(AT_FDCWD, old, AT_FDCWD, new);
}

int injected_linkat(int from, const char *old, int to, const char *new, int flags)
{
    return injector_fails(INJECTOR_LINK) ? -1 : (int)syscall(SYS_linkat, from, old, to, new, flags);
}

/* ---- what is known of files ---- */

int injected_fstatat(int directory, const char *path, struct stat *status, int flags) INSTEAD_OF("fstatat64");
int injected_fstat(int fd, struct stat *status) INSTEAD_OF("fstat64");
int injected_stat(const char *path, struct stat *status) INSTEAD_OF("stat64");
int injected_lstat(const char *path, struct stat *status) INSTEAD_OF("lstat64");
int injected_fstatvfs(int fd, struct statvfs *status) INSTEAD_OF("fstatvfs64");
int injected_fchmod(int fd, mode_t mode) INSTEAD_OF("fchmod");
int injected_fchmodat(int directory, const char *path, mode_t mode, int flags) INSTEAD_OF("fchmodat");
int injected_fchown(int fd, uid_t user, gid_t group) INSTEAD_OF("fchown");
int injected_access(const char *path, int mode) INSTEAD_OF("access");

int injected_fstatat(int directory, const char *path, struct stat *status, int flags)
{
    return injector_fails(INJECTOR_STAT) ? -1 : (int)syscall(SYS_newfstatat, directory, path, status, flags);
}

int injected_fstat(int fd, struct stat *status)
{
    bool is_data = injector_target_of(fd) == TARGET_DATA;
    return is_data && injector_fails(INJECTOR_STAT) ? -1 : (int)syscall(SYS_fstat, fd, status);
}

int injected_stat(const char *path, struct stat *status)
{
    return injected_fstatat(AT_FDCWD, path, status, 0);
}

int injected_lstat(const char *path, struct stat *status)
{
    return injected_fstatat(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

int injected_fstatvfs(int fd, struct statvfs *status)
{
    int (*real)(int fd, struct statvfs *status) = (int (*)(int, struct statvfs *))injector_next("fstatvfs64");
    return injector_fails(INJECTOR_STATVFS) ? -1 : real(fd, status);
}

int injected_fchmod(int fd, mode_t mode)
{
    return injector_fails(INJECTOR_CHMOD) ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}

int injected_fchmodat(int directory, const char *path, mode_t mode, int flags)
{
    (void)flags; /* the system has none */
    return injector_fails(INJECTOR_CHMOD) ? -1 : (int)syscall(SYS_fchmodat, directory, path, mode);
}

int injected_fchown(int fd, uid_t user, gid_t group)
{
    return injector_fails(INJECTOR_CHMOD) ? -1 : (int)syscall(SYS_fchown, fd, user, group);
}

int injected_access(const char *path, int mode)
{
    return injector_is_data(AT_FDCWD, path) && injector_fails(INJECTOR_ACCESS)
               ? -1
               : (int)syscall(SYS_access, path, mode);
}

/* ---- lists of directories, locks, maps ---- */

DIR *injected_fdopendir(int fd) INSTEAD_OF("fdopendir");
struct dirent *injected_readdir(DIR *directory) INSTEAD_OF("readdir64");
int injected_flock(int fd, int operation) INSTEAD_OF("flock");
int injected_fcntl(int fd, int command, ...) INSTEAD_OF("fcntl64");
void *injected_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
    INSTEAD_OF("mmap64");

DIR *injected_fdopendir(int fd)
{
    DIR *(*real)(int fd) = (DIR * (*)(int)) injector_next("fdopendir");
    return injector_fails(INJECTOR_READDIR) ? NULL : real(fd);
}

struct dirent *injected_readdir(DIR *directory)
{
    struct dirent *(*real)(DIR * directory) = (struct dirent * (*)(DIR *)) injector_next("readdir64");
    return injector_fails(INJECTOR_READDIR) ? NULL : real(directory);
}

int injected_flock(int fd, int operation)
{
    return injector_fails(INJECTOR_LOCK) ? -1 : (int)syscall(SYS_flock, fd, operation);
}

/* Giving a lock back does not fail. */
int injected_fcntl(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    const struct flock *lock = argument;
    bool locks = (command == F_SETLK || command == F_SETLKW) && lock->l_type != F_UNLCK;
    return locks && injector_fails(INJECTOR_LOCK) ? -1 : (int)syscall(SYS_fcntl, fd, command, argument);
}

void *injected_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (injector_fails(INJECTOR_MMAP))
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}
