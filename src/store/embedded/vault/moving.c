/* moving.c — see moving.h. */
#include "store/embedded/vault/moving.h"

#include "base/text.h"
#include "store/embedded/disk/damaged.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ESCAPED_SIZE = 512, NOTE_SIZE = 512, MERGED_PATH_SIZE = KS_NAMES_DIRECTORY_SIZE + NAME_MAX + 1 };

static enum ks_result failure_of(int error_number)
{
    enum ks_result result = ks_result_from_errno(error_number);
    return result == KS_NO_SPACE || result == KS_NO_MEMORY ? result : KS_IO;
}

static enum ks_result sync_path(int directory_fd, const char *path)
{
    int fd = openat(directory_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return failure_of(errno);
    enum ks_result result = fsync(fd) == 0 ? KS_OK : failure_of(errno);
    close(fd);
    return result;
}

enum ks_result ks_moving_sync(int directory_fd)
{
    return sync_path(directory_fd, "files");
}

/* The alias, for who looks into damaged/ shall not find an id there. */
static enum ks_result put_aside(int directory_fd, const struct ks_log *log, const char *path,
                                const char *kept)
{
    char name[MERGED_PATH_SIZE];
    char note[NOTE_SIZE];
    char escaped[ESCAPED_SIZE];
    struct ks_damaged damaged = {.name = name, .note = note};
    snprintf(name, sizeof name, "file-%.32s-%s", strchr(kept, '/') + 1, strrchr(kept, '/') + 1);
    snprintf(note, sizeof note,
             "An older file of the same name as %s: both were there when files moved to the\n"
             "directories of their users' public ids. Nothing is wrong with it.\n",
             kept);
    enum ks_result result = ks_damaged_move(directory_fd, &damaged, path);
    if (result == KS_OK)
        ks_log_warning(log, "there are two files for %s: the older one is %s now",
                       ks_text_escape(kept, strlen(kept), escaped, sizeof escaped), damaged.path);
    return result == KS_NOT_FOUND ? KS_OK : result;
}

static enum ks_result move_entry(int directory_fd, const struct ks_log *log, const char *from, const char *to,
                                 const char *name)
{
    char source[MERGED_PATH_SIZE];
    char target[MERGED_PATH_SIZE];
    struct stat status;
    snprintf(source, sizeof source, "%s/%s", from, name);
    snprintf(target, sizeof target, "%s/%s", to, name);
    if (fstatat(directory_fd, target, &status, AT_SYMLINK_NOFOLLOW) == 0)
        return put_aside(directory_fd, log, source, target);
    if (renameat(directory_fd, source, directory_fd, target) == 0 || errno == ENOENT)
        return KS_OK;
    return failure_of(errno);
}

static enum ks_result move_entries(int directory_fd, const struct ks_log *log, DIR *listing, const char *from,
                                   const char *to)
{
    for (;;) {
        errno = 0;
        /* Each listing is read by one thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
        const struct dirent *entry = readdir(listing);
        if (entry == NULL)
            return errno == 0 ? KS_OK : failure_of(errno);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        enum ks_result result = move_entry(directory_fd, log, from, to, entry->d_name);
        if (result != KS_OK)
            return result;
    }
}

/* Both are there. */
static enum ks_result merge(int directory_fd, const struct ks_log *log, const char *from, const char *to)
{
    int fd = openat(directory_fd, from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return failure_of(errno);
    DIR *listing = fdopendir(fd);
    if (listing == NULL) {
        close(fd);
        return KS_NO_MEMORY;
    }
    enum ks_result result = move_entries(directory_fd, log, listing, from, to);
    closedir(listing);
    if (result == KS_OK)
        result = sync_path(directory_fd, to);
    if (result == KS_OK && unlinkat(directory_fd, from, AT_REMOVEDIR) != 0)
        result = failure_of(errno);
    return result;
}

enum ks_result ks_moving_move(int directory_fd, const struct ks_log *log,
                              const char from[static KS_NAMES_DIRECTORY_SIZE],
                              const char to[static KS_NAMES_DIRECTORY_SIZE])
{
    if (renameat(directory_fd, from, directory_fd, to) == 0 || errno == ENOENT)
        return KS_OK;
    return errno == EEXIST || errno == ENOTEMPTY ? merge(directory_fd, log, from, to) : failure_of(errno);
}
