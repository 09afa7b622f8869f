/* destination.c — see destination.h. The path is walked part by part, so that no symbolic link on it is
 * followed. */
#include "client/files/destination.h"

#include "base/file.h"
#include "client/failure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUM_STEP = 256 * 1024 };

/* ---- what failed ---- */

/* The file system says that of a name that it cannot have. */
static bool is_about_name(int error_number)
{
    return error_number == ENAMETOOLONG || error_number == EINVAL || error_number == EILSEQ;
}

enum kesher_status ks_destination_failure(const struct ks_destination *destination, int error_number,
                                          const char *doing, struct kesher_error *error)
{
    if (is_about_name(error_number))
        return ks_failure_system(error, KESHER_INVALID, error_number,
                                 "this file system cannot have a file '%s'; choose another name",
                                 destination->shown);
    return ks_failure_system(error, KESHER_FILE, error_number, "cannot %s '%s'", doing, destination->shown);
}

enum kesher_status ks_destination_fail_exists(const struct ks_destination *destination,
                                              struct kesher_error *error)
{
    return ks_failure(error, KESHER_EXISTS,
                      "'%s' is there already; replace it with --replace, or choose another name",
                      destination->shown);
}

/* ---- the path ---- */

/* The next part, and what follows its '/'; NULL at the last. */
static const char *next_part(const char *path, size_t *size)
{
    const char *slash = strchr(path, '/');
    *size = slash != NULL ? (size_t)(slash - path) : strlen(path);
    return slash != NULL ? slash + 1 : NULL;
}

static bool is_part(const char *part, size_t size)
{
    return size > 0 && !(size == 1 && part[0] == '.') && !(size == 2 && part[0] == '.' && part[1] == '.');
}

static enum kesher_status judge_path(const struct ks_destination *destination, struct kesher_error *error)
{
    size_t size = 0;
    for (const char *part = destination->path; part != NULL;) {
        const char *next = next_part(part, &size);
        if (!is_part(part, size))
            return ks_failure(error, KESHER_INVALID,
                              "'%s' is no path to write a file to: it must not be absolute, and none of its "
                              "parts empty, '.' or '..'",
                              destination->shown);
        if (size > NAME_MAX)
            return ks_destination_failure(destination, ENAMETOOLONG, "write", error);
        part = next;
    }
    return KESHER_OK;
}

static enum kesher_status fail_directory(const struct ks_destination *destination, int directory,
                                         const char *part, int error_number, struct kesher_error *error)
{
    struct stat status;
    if ((error_number == ENOTDIR || error_number == ELOOP) &&
        fstatat(directory, part, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode))
        return ks_failure(error, KESHER_INVALID,
                          "a directory of '%s' is a symbolic link, which is not followed; choose another "
                          "name, or replace the link with a directory",
                          destination->shown);
    return ks_destination_failure(destination, error_number, "open a directory of", error);
}

/* Opens the directory `part` of `directory`, making it where it is not there. -1 with errno. */
static int enter(int directory, const char *part)
{
    const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(directory, part, flags);
    if (fd >= 0 || errno != ENOENT)
        return fd;
    if (mkdirat(directory, part, 0777) != 0 && errno != EEXIST)
        return -1;
    return openat(directory, part, flags);
}

/* Syncs a directory; one that may not be listed, over its file system. */
static bool sync_directory(int directory, int file)
{
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES && syncfs(file) == 0;
    bool is_synced = fsync(fd) == 0 || errno == EINVAL; /* of directories some file systems know none */
    int failure = errno;
    close(fd);
    errno = failure;
    return is_synced;
}

/* Goes through the directories of the path. With a `file` each on the way is synced when it was left, so all
 * but the last. KESHER_OK, and *reached is to be closed. */
static enum kesher_status walk(const struct ks_destination *destination, int file, int *reached,
                               struct kesher_error *error)
{
    char part[NAME_MAX + 1];
    size_t size = 0;
    int fd = openat(destination->base, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return ks_destination_failure(destination, errno, "open the directory of", error);
    const char *next = NULL;
    for (const char *at = destination->path; (next = next_part(at, &size)) != NULL; at = next) {
        memcpy(part, at, size);
        part[size] = '\0';
        int entered = enter(fd, part);
        enum kesher_status status = KESHER_OK;
        if (entered < 0)
            status = fail_directory(destination, fd, part, errno, error);
        else if (file >= 0 && !sync_directory(fd, file))
            status = ks_destination_failure(destination, errno, "sync a directory of", error);
        close(fd);
        if (status != KESHER_OK) {
            if (entered >= 0)
                close(entered);
            return status;
        }
        fd = entered;
    }
    *reached = fd;
    return KESHER_OK;
}

enum kesher_status ks_destination_open(struct ks_destination *destination, const struct kesher_get *get,
                                       struct kesher_error *error)
{
    const char *slash = strrchr(get->target, '/');
    struct stat status;
    *destination = (struct ks_destination){.base = get->directory,
                                           .path = get->target,
                                           .name = slash != NULL ? slash + 1 : get->target,
                                           .replace = get->replace,
                                           .directory = -1};
    ks_files_show(get->target, destination->shown);
    enum kesher_status result = judge_path(destination, error);
    if (result == KESHER_OK)
        result = walk(destination, -1, &destination->directory, error);
    if (result != KESHER_OK)
        return result;
    if (fstat(destination->directory, &status) != 0) {
        result = ks_destination_failure(destination, errno, "open the directory of", error);
        ks_destination_close(destination);
        return result;
    }
    destination->device = status.st_dev;
    destination->inode = status.st_ino;
    return KESHER_OK;
}

void ks_destination_close(struct ks_destination *destination)
{
    if (destination->directory >= 0)
        close(destination->directory);
    destination->directory = -1;
}

enum kesher_status ks_destination_sync(const struct ks_destination *destination, bool path_too, int fd,
                                       struct kesher_error *error)
{
    int reached = -1;
    if (!sync_directory(destination->directory, fd))
        return ks_destination_failure(destination, errno, "sync the directory of", error);
    if (!path_too || destination->name == destination->path)
        return KESHER_OK;
    enum kesher_status status = walk(destination, fd, &reached, error);
    if (reached >= 0)
        close(reached);
    return status;
}

/* ---- what is there ---- */

/* Something that is neither a file nor nothing. */
static enum kesher_status judge_other(const struct ks_destination *destination, mode_t mode,
                                      struct kesher_error *error)
{
    if (!destination->replace)
        return ks_destination_fail_exists(destination, error);
    if (S_ISLNK(mode))
        return KESHER_OK;
    return ks_failure(error, KESHER_FILE,
                      S_ISDIR(mode) ? "'%s' is a directory, which no file replaces; choose another name"
                                    : "'%s' is no regular file, and is not replaced; choose another name",
                      destination->shown);
}

enum kesher_status ks_destination_look(const struct ks_destination *destination,
                                       struct ks_destination_present *present, struct kesher_error *error)
{
    struct stat status;
    *present = (struct ks_destination_present){.is_there = false};
    if (fstatat(destination->directory, destination->name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? KESHER_OK : ks_destination_failure(destination, errno, "write", error);
    present->is_there = true;
    if (!S_ISREG(status.st_mode))
        return judge_other(destination, status.st_mode, error);
    present->is_file = true;
    present->size = (uint64_t)status.st_size;
    present->mode = status.st_mode & 0777;
    return KESHER_OK;
}

/* The next step of a file. As pread(2). */
static ssize_t read_step(int fd, uint8_t *step, uint64_t size, uint64_t offset)
{
    uint64_t left = size - offset;
    ssize_t got = -1;
    do
        got = pread(fd, step, left < SUM_STEP ? (size_t)left : SUM_STEP, (off_t)offset);
    while (got < 0 && errno == EINTR);
    return got;
}

bool ks_destination_sum(int fd, uint64_t size, struct ks_cksum *cksum)
{
    *cksum = ks_cksum_start();
    uint8_t *step = malloc(SUM_STEP);
    if (step == NULL) {
        errno = ENOMEM;
        return false;
    }
    ssize_t got = 1;
    while (got > 0 && cksum->length < size) {
        got = read_step(fd, step, size, cksum->length);
        if (got > 0)
            ks_cksum_add(cksum, step, (size_t)got);
    }
    int failure = errno;
    free(step);
    errno = failure;
    return got >= 0;
}

enum kesher_status ks_destination_read(const struct ks_destination *destination, uint64_t size,
                                       struct ks_cksum *cksum, struct kesher_error *error)
{
    int fd =
        openat(destination->directory, destination->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    bool is_read = fd >= 0 && ks_destination_sum(fd, size, cksum);
    int failure = errno;
    if (fd >= 0)
        close(fd);
    if (is_read)
        return KESHER_OK;
    return failure == ENOMEM ? ks_failure_no_memory(error)
                             : ks_destination_failure(destination, failure, "read", error);
}

enum kesher_status ks_destination_take_name(const struct ks_destination *destination, const char *from,
                                            bool *replaced, struct kesher_error *error)
{
    struct ks_destination_present present;
    enum kesher_status status = ks_destination_look(destination, &present, error);
    if (status != KESHER_OK)
        return status;
    bool is_named =
        destination->replace
            ? renameat(destination->directory, from, destination->directory, destination->name) == 0
            : ks_file_rename_new(destination->directory, from, destination->name);
    *replaced = is_named && present.is_there;
    if (is_named)
        return KESHER_OK;
    return !destination->replace && errno == EEXIST
               ? ks_destination_fail_exists(destination, error)
               : ks_destination_failure(destination, errno, "write", error);
}
