/* damaged.c — see damaged.h. The note comes first, and reserves the name: whatever happens then, what lies in
 * damaged/ can be explained. */
#include "store/embedded/disk/damaged.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ATTEMPTS = 10000, MARK_SIZE = 16 };

static enum ks_result failure_of(int error_number)
{
    enum ks_result result = ks_result_from_errno(error_number);
    return result == KS_NO_SPACE || result == KS_NO_MEMORY ? result : KS_IO;
}

/* Closes what was written once it is durable. */
static enum ks_result finish(int fd, enum ks_result result)
{
    if (result == KS_OK && fsync(fd) != 0)
        result = failure_of(errno);
    int failure = errno;
    if (close(fd) != 0 && result == KS_OK)
        return failure_of(errno);
    errno = failure;
    return result;
}

static enum ks_result sync_directory(int directory_fd, const char *path)
{
    int fd = openat(directory_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 ? finish(fd, KS_OK) : failure_of(errno);
}

static enum ks_result make_directory(int directory_fd)
{
    if (mkdirat(directory_fd, "damaged", 0700) != 0)
        return errno == EEXIST ? KS_OK : failure_of(errno);
    return fsync(directory_fd) == 0 ? KS_OK : failure_of(errno);
}

/* Opens the note of the first name that is free, and sets damaged->path to what it is the note of. */
static enum ks_result open_note(int directory_fd, struct ks_damaged *damaged, int *fd)
{
    char note[KS_DAMAGED_PATH_SIZE + 4];
    char mark[MARK_SIZE] = "";
    struct stat status;
    for (int i = 2; i < ATTEMPTS; i++) {
        snprintf(damaged->path, sizeof damaged->path, "damaged/%.*s%s", KS_DAMAGED_NAME_LIMIT, damaged->name,
                 mark);
        snprintf(note, sizeof note, "%s.txt", damaged->path);
        bool is_taken = fstatat(directory_fd, damaged->path, &status, AT_SYMLINK_NOFOLLOW) == 0;
        if (!is_taken)
            *fd = openat(directory_fd, note, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (*fd >= 0)
            return KS_OK;
        if (!is_taken && errno != EEXIST)
            return failure_of(errno);
        snprintf(mark, sizeof mark, "-%d", i);
    }
    return KS_IO;
}

/* Everything but the names' durability. */
static enum ks_result write_note(int directory_fd, struct ks_damaged *damaged)
{
    int fd = -1;
    enum ks_result result = make_directory(directory_fd);
    if (result == KS_OK)
        result = open_note(directory_fd, damaged, &fd);
    if (result != KS_OK)
        return result;
    return finish(fd, ks_file_write_all(fd, damaged->note, strlen(damaged->note)));
}

/* Only the note was put there. It has been opened by that name, so there is room. */
static void name_the_note(struct ks_damaged *damaged)
{
    size_t size = strlen(damaged->path);
    snprintf(damaged->path + size, sizeof damaged->path - size, ".txt");
}

enum ks_result ks_damaged_note(int directory_fd, struct ks_damaged *damaged)
{
    enum ks_result result = write_note(directory_fd, damaged);
    if (result != KS_OK)
        return result;
    name_the_note(damaged);
    return sync_directory(directory_fd, "damaged");
}

enum ks_result ks_damaged_write(int directory_fd, struct ks_damaged *damaged, const void *bytes, size_t size)
{
    enum ks_result result = write_note(directory_fd, damaged);
    if (result != KS_OK)
        return result;
    int fd = openat(directory_fd, damaged->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return failure_of(errno);
    result = finish(fd, ks_file_write_all(fd, bytes, size));
    return result == KS_OK ? sync_directory(directory_fd, "damaged") : result;
}

/* Of the directory in which `path` lies. */
static enum ks_result sync_parent(int directory_fd, const char *path)
{
    char parent[KS_DAMAGED_PATH_SIZE];
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return fsync(directory_fd) == 0 ? KS_OK : failure_of(errno);
    snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
    return sync_directory(directory_fd, parent);
}

/* By a second name, which is durable before the first one goes: of a rename between two directories a power
 * cut may leave none. Where there are no second names, of directories too, it has to be a rename. */
static enum ks_result give_name(int directory_fd, const char *path, const char *name, bool *is_twice)
{
    *is_twice = linkat(directory_fd, path, directory_fd, name, 0) == 0;
    if (*is_twice || (errno != ENOENT && renameat(directory_fd, path, directory_fd, name) == 0))
        return KS_OK;
    return errno == ENOENT ? KS_NOT_FOUND : failure_of(errno);
}

enum ks_result ks_damaged_move(int directory_fd, struct ks_damaged *damaged, const char *path)
{
    bool is_twice = false;
    enum ks_result result = write_note(directory_fd, damaged);
    if (result != KS_OK)
        return result;
    enum ks_result named = give_name(directory_fd, path, damaged->path, &is_twice);
    if (named != KS_OK && named != KS_NOT_FOUND)
        return named;
    if (named == KS_NOT_FOUND)
        name_the_note(damaged);
    result = sync_directory(directory_fd, "damaged");
    if (result != KS_OK || named == KS_NOT_FOUND)
        return result != KS_OK ? result : named;
    if (is_twice && unlinkat(directory_fd, path, 0) != 0 && errno != ENOENT)
        return failure_of(errno);
    return sync_parent(directory_fd, path);
}
