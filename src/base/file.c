/* file.c — see file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_STEP = 4096, NAME_LIMIT = 200 };

static void close_keeping_errno(int fd)
{
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
}

enum ks_result ks_file_read(int directory_fd, const char *name, struct ks_buffer *buffer)
{
    int fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ks_result_from_errno(errno);
    enum ks_result result = KS_OK;
    while (result == KS_OK) {
        uint8_t step[READ_STEP];
        ssize_t got = read(fd, step, sizeof step);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            result = ks_result_from_errno(errno);
        else if (got > 0)
            result = ks_buffer_append(buffer, step, (size_t)got);
        explicit_bzero(step, sizeof step); /* key files come through here */
    }
    close_keeping_errno(fd);
    return result;
}

enum ks_result ks_file_write_all(int fd, const void *bytes, size_t size)
{
    const uint8_t *next = bytes;
    while (size > 0) {
        ssize_t written = write(fd, next, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return ks_result_from_errno(errno);
        next += written;
        size -= (size_t)written;
    }
    return KS_OK;
}

enum ks_result ks_file_write_all_at(int fd, const void *bytes, size_t size, off_t offset)
{
    const uint8_t *next = bytes;
    while (size > 0) {
        ssize_t written = pwrite(fd, next, size, offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return ks_result_from_errno(errno);
        next += written;
        offset += written;
        size -= (size_t)written;
    }
    return KS_OK;
}

static enum ks_result write_and_sync(int fd, const void *bytes, size_t size, mode_t mode)
{
    enum ks_result result = ks_file_write_all(fd, bytes, size);
    if (result != KS_OK)
        return result;
    if (fchmod(fd, mode) != 0 || fsync(fd) != 0)
        return ks_result_from_errno(errno);
    return KS_OK;
}

static enum ks_result sync_directory(int directory_fd)
{
    int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return ks_result_from_errno(errno);
    enum ks_result result = fsync(fd) == 0 ? KS_OK : ks_result_from_errno(errno);
    close_keeping_errno(fd);
    return result;
}

enum ks_result ks_file_replace(int directory_fd, const char *name, const void *bytes, size_t size,
                               mode_t mode)
{
    char temporary[NAME_LIMIT + 32];
    int length = snprintf(temporary, sizeof temporary, ".%s.%ld.tmp", name, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof temporary) {
        errno = ENAMETOOLONG;
        return KS_IO;
    }
    int fd = openat(directory_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return ks_result_from_errno(errno);
    enum ks_result result = write_and_sync(fd, bytes, size, mode);
    if (close(fd) != 0 && result == KS_OK)
        result = ks_result_from_errno(errno);
    if (result == KS_OK && renameat(directory_fd, temporary, directory_fd, name) != 0)
        result = ks_result_from_errno(errno);
    if (result != KS_OK) {
        int saved_errno = errno;
        unlinkat(directory_fd, temporary, 0);
        errno = saved_errno;
        return result;
    }
    return sync_directory(directory_fd);
}

static bool sync_parent(const char *path)
{
    char parent[PATH_MAX] = ".";
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    while (size > 0 && path[size - 1] != '/')
        size--;
    if (size > 0 && size < sizeof parent) {
        memcpy(parent, path, size);
        parent[size] = '\0';
    }
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES; /* one that cannot be listed may be added to all the same */
    bool is_synced = fsync(fd) == 0 || errno == EINVAL; /* of directories some file systems know none */
    close_keeping_errno(fd);
    return is_synced;
}

/* What exists already is synced on demand: who made it may have been killed before that. */
static bool make_directory(const char *path, bool sync_existing)
{
    if (mkdir(path, 0700) == 0)
        return sync_parent(path);
    return errno == EEXIST && (!sync_existing || sync_parent(path));
}

bool ks_file_make_directories(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        bool is_made = make_directory(path, false);
        *slash = '/';
        if (!is_made)
            return false;
    }
    return make_directory(path, true);
}

/* No hard links here: an empty file of ours holds the name until `from` is renamed over it. */
static bool rename_over_own(int directory_fd, const char *from, const char *to)
{
    int fd = openat(directory_fd, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    close(fd);
    if (renameat(directory_fd, from, directory_fd, to) == 0)
        return true;
    int saved_errno = errno;
    (void)unlinkat(directory_fd, to, 0);
    errno = saved_errno;
    return false;
}

bool ks_file_rename_new(int directory_fd, const char *from, const char *to)
{
    if (renameat2(directory_fd, from, directory_fd, to, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return false;
    if (linkat(directory_fd, from, directory_fd, to, 0) == 0) {
        (void)unlinkat(directory_fd, from, 0); /* it has its name */
        return true;
    }
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK)
        return false;
    return rename_over_own(directory_fd, from, to);
}

enum ks_result ks_file_make_room(int fd, off_t size)
{
    while (size > 0 && fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, size) != 0) {
        if (errno == EOPNOTSUPP || errno == ENOSYS)
            return KS_OK;
        if (errno != EINTR)
            return ks_result_from_errno(errno);
    }
    return KS_OK;
}
