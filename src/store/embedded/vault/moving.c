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

/* Of two directories of one user, whose files become those of one. */
struct merge {
    int directory_fd;
    const struct ks_log *log;
    const char *from;
    const char *to;
};

static bool is_one_file(const struct stat *one, const struct stat *other)
{
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

/* By a second name: of a rename between two directories a power cut may leave none. Where there are no second
 * names, of directories too, it has to be a rename. */
static enum ks_result add_entry(const struct merge *merge, const char *name)
{
    char source[MERGED_PATH_SIZE];
    char target[MERGED_PATH_SIZE];
    struct stat old;
    struct stat new;
    snprintf(source, sizeof source, "%s/%s", merge->from, name);
    snprintf(target, sizeof target, "%s/%s", merge->to, name);
    if (fstatat(merge->directory_fd, source, &old, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? KS_OK : failure_of(errno);
    if (fstatat(merge->directory_fd, target, &new, AT_SYMLINK_NOFOLLOW) == 0)
        return is_one_file(&old, &new) ? KS_OK : put_aside(merge->directory_fd, merge->log, source, target);
    if (linkat(merge->directory_fd, source, merge->directory_fd, target, 0) == 0 ||
        renameat(merge->directory_fd, source, merge->directory_fd, target) == 0)
        return KS_OK;
    return failure_of(errno);
}

static enum ks_result remove_entry(const struct merge *merge, const char *name)
{
    char source[MERGED_PATH_SIZE];
    snprintf(source, sizeof source, "%s/%s", merge->from, name);
    return unlinkat(merge->directory_fd, source, 0) == 0 || errno == ENOENT ? KS_OK : failure_of(errno);
}

static enum ks_result visit_entries(const struct merge *merge, DIR *listing,
                                    enum ks_result (*visit)(const struct merge *merge, const char *name))
{
    rewinddir(listing);
    for (;;) {
        errno = 0;
        /* Each listing is read by one thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
        const struct dirent *entry = readdir(listing);
        if (entry == NULL)
            return errno == 0 ? KS_OK : failure_of(errno);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        enum ks_result result = visit(merge, entry->d_name);
        if (result != KS_OK)
            return result;
    }
}

/* Both are there. */
static enum ks_result merge_directories(const struct merge *merge)
{
    int fd = openat(merge->directory_fd, merge->from, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return failure_of(errno);
    DIR *listing = fdopendir(fd);
    if (listing == NULL) {
        close(fd);
        return KS_NO_MEMORY;
    }
    enum ks_result result = visit_entries(merge, listing, add_entry);
    if (result == KS_OK)
        result = sync_path(merge->directory_fd, merge->to);
    if (result == KS_OK)
        result = visit_entries(merge, listing, remove_entry);
    closedir(listing);
    if (result == KS_OK && unlinkat(merge->directory_fd, merge->from, AT_REMOVEDIR) != 0)
        result = failure_of(errno);
    return result;
}

enum ks_result ks_moving_move(int directory_fd, const struct ks_log *log,
                              const char from[static KS_NAMES_DIRECTORY_SIZE],
                              const char to[static KS_NAMES_DIRECTORY_SIZE])
{
    if (renameat(directory_fd, from, directory_fd, to) == 0 || errno == ENOENT)
        return KS_OK;
    const struct merge merge = {.directory_fd = directory_fd, .log = log, .from = from, .to = to};
    return errno == EEXIST || errno == ENOTEMPTY ? merge_directories(&merge) : failure_of(errno);
}
