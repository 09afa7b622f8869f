/* home_files.c — see home_files.h. */
#include "client/home/home_files.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "client/failure.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SMALL_FILE_LIMIT = 64 * 1024, KEPT_COPIES = 10000, LEFTOVER_AGE_SECONDS = 60 * 60 };

/* ---- the directory ---- */

static int open_directory(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static enum kesher_status fail_directory(const struct kesher_home *home, int error_number,
                                         struct kesher_error *error)
{
    char shown[300];
    ks_text_escape(home->path, strlen(home->path), shown, sizeof shown);
    return ks_failure_system(error, KESHER_FILE, error_number, "cannot open the home directory '%s'", shown);
}

enum kesher_status ks_home_files_open(struct kesher_home *home, struct kesher_error *error)
{
    home->directory_fd = open_directory(home->path);
    if (home->directory_fd < 0)
        return errno == ENOENT ? KESHER_OK : fail_directory(home, errno, error);
    ks_home_files_sweep(home, LEFTOVER_AGE_SECONDS); /* no lock tells whose they are; by then nobody's */
    return KESHER_OK;
}

enum kesher_status ks_home_files_make(struct kesher_home *home, struct kesher_error *error)
{
    if (!ks_file_make_directories(home->path))
        return fail_directory(home, errno, error);
    if (home->directory_fd < 0)
        home->directory_fd = open_directory(home->path);
    return home->directory_fd >= 0 ? KESHER_OK : fail_directory(home, errno, error);
}

enum kesher_status ks_home_files_failure(const struct kesher_home *home, int error_number, const char *doing,
                                         const char *name, struct kesher_error *error)
{
    char shown[300];
    ks_text_escape(home->path, strlen(home->path), shown, sizeof shown);
    return ks_failure_system(error, KESHER_FILE, error_number, "cannot %s %s in '%s'", doing, name, shown);
}

static enum kesher_status create_directory(const struct kesher_home *home, const char *name,
                                           struct kesher_error *error)
{
    if (mkdirat(home->directory_fd, name, 0700) != 0 && errno != EEXIST)
        return ks_home_files_failure(home, errno, "create", name, error);
    /* Also one that exists: who made it may have been killed before this. */
    return fsync(home->directory_fd) == 0 ? KESHER_OK
                                          : ks_home_files_failure(home, errno, "sync", name, error);
}

enum kesher_status ks_home_files_directory(const struct kesher_home *home, const char *name,
                                           struct kesher_home **directory, struct kesher_error *error)
{
    struct kesher_home *created = calloc(1, sizeof *created);
    enum kesher_status status = create_directory(home, name, error);
    if (created == NULL || asprintf(&created->path, "%s/%s", home->path, name) < 0) {
        free(created);
        return ks_failure_no_memory(error);
    }
    if (status == KESHER_OK) {
        created->directory_fd = openat(home->directory_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (created->directory_fd < 0)
            status = ks_home_files_failure(home, errno, "open", name, error);
    }
    if (status == KESHER_OK) {
        *directory = created;
        return KESHER_OK;
    }
    free(created->path);
    free(created);
    return status;
}

enum kesher_status ks_home_files_list(const struct kesher_home *home, DIR **entries,
                                      struct kesher_error *error)
{
    int fd = openat(home->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *entries = fd < 0 ? NULL : fdopendir(fd);
    if (*entries != NULL)
        return KESHER_OK;
    int error_number = errno;
    if (fd >= 0)
        close(fd);
    return ks_home_files_failure(home, error_number, "list", "the files", error);
}

/* Whether ks_file_replace makes such a temporary name for a file of ours, and not somebody else for his: ours
 * ends with a process's number. */
static bool is_temporary(const char *name)
{
    static const char own[] =
        ".@(me.info|my.info|priv.key|server.info|account.key|server.trust)?(.new|.old.+([0-9])).+([0-9]).tmp";
    static const char contact[] = ".+(?).contact.+([0-9]).tmp";
    return fnmatch(own, name, FNM_EXTMATCH) == 0 || fnmatch(contact, name, FNM_EXTMATCH) == 0;
}

/* Which files to remove. */
struct leftovers {
    const char *name; /* temporary ones of this file; NULL: of any */
    unsigned age_seconds;
};

static bool is_swept(const struct kesher_home *home, const struct leftovers *leftovers, const char *entry)
{
    struct stat status;
    const size_t size = leftovers->name == NULL ? 0 : strlen(leftovers->name);
    if (!is_temporary(entry) ||
        (size > 0 && (strncmp(entry + 1, leftovers->name, size) != 0 || entry[1 + size] != '.')))
        return false;
    return fstatat(home->directory_fd, entry, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           ks_clock_wall_seconds(ks_clock_system()) - status.st_mtim.tv_sec >= leftovers->age_seconds;
}

static void sweep_files(const struct kesher_home *home, const struct leftovers *leftovers)
{
    const struct dirent *entry = NULL;
    DIR *entries = NULL;
    if (ks_home_files_list(home, &entries, NULL) != KESHER_OK || entries == NULL)
        return;
    while ((entry = readdir(entries)) != NULL) /* NOLINT(concurrency-mt-unsafe): a stream of our own */
        if (is_swept(home, leftovers, entry->d_name))
            (void)unlinkat(home->directory_fd, entry->d_name, 0);
    closedir(entries);
}

void ks_home_files_sweep(const struct kesher_home *home, unsigned age_seconds)
{
    sweep_files(home, &(struct leftovers){.age_seconds = age_seconds});
}

void ks_home_files_sweep_of(const struct kesher_home *home, const char *name)
{
    sweep_files(home, &(struct leftovers){.name = name});
}

bool ks_home_files_exists(const struct kesher_home *home, const char *name)
{
    return home->directory_fd >= 0 && faccessat(home->directory_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

enum kesher_status ks_home_files_read(const struct kesher_home *home, const char *name,
                                      struct ks_buffer *buffer, struct kesher_error *error)
{
    char shown[300];
    enum ks_result result =
        home->directory_fd >= 0 ? ks_file_read(home->directory_fd, name, buffer) : KS_NOT_FOUND;
    int error_number = errno;
    ks_text_escape(home->path, strlen(home->path), shown, sizeof shown);
    switch (result) {
    case KS_OK:
        return KESHER_OK;
    case KS_NOT_FOUND:
        return ks_failure(error, KESHER_NOT_FOUND, "there is no %s in '%s'", name, shown);
    case KS_TOO_LARGE:
        return ks_failure(error, KESHER_INVALID, "%s in '%s' is too long to be what it should be; replace it",
                          name, shown);
    case KS_NO_MEMORY:
        return ks_failure_no_memory(error);
    default:
        return ks_failure_system(error, KESHER_FILE, error_number, "cannot read %s in '%s'", name, shown);
    }
}

enum kesher_status ks_home_files_write(const struct kesher_home *home, const char *name,
                                       const struct ks_buffer *bytes, struct kesher_error *error)
{
    char shown[300];
    if (ks_file_replace(home->directory_fd, name, bytes->bytes, bytes->size, 0600) == KS_OK)
        return KESHER_OK;
    int error_number = errno;
    ks_text_escape(home->path, strlen(home->path), shown, sizeof shown);
    return ks_failure_system(error, KESHER_FILE, error_number, "cannot write %s in '%s'", name, shown);
}

enum kesher_status ks_home_files_keep_old(const struct kesher_home *home, const char *name,
                                          struct kesher_error *error)
{
    char kept[64] = "";
    unsigned number = 0;
    if (!ks_home_files_exists(home, name))
        return KESHER_OK;
    do {
        if (++number > KEPT_COPIES || snprintf(kept, sizeof kept, "%s.old.%u", name, number) < 0)
            return ks_failure(error, KESHER_FILE, "there are too many old copies of %s; remove some", name);
    } while (ks_home_files_exists(home, kept));
    struct ks_buffer bytes = ks_buffer_empty(SMALL_FILE_LIMIT);
    enum kesher_status status = ks_home_files_read(home, name, &bytes, error);
    if (status == KESHER_OK)
        status = ks_home_files_write(home, kept, &bytes, error);
    ks_buffer_wipe(&bytes);
    return status;
}

enum kesher_status ks_home_files_fail_content(const struct kesher_home *home, const char *name,
                                              const char *expected, struct kesher_error *error)
{
    char shown[300];
    ks_text_escape(home->path, strlen(home->path), shown, sizeof shown);
    return ks_failure(error, KESHER_INVALID, "%s in '%s' is not as it should be; it needs %s", name, shown,
                      expected);
}
