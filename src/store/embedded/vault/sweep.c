/* sweep.c — see sweep.h. */
#include "store/embedded/vault/sweep.h"

#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ESCAPED_SIZE = 512 };

/* What the operating system said, less what only a single call can mean. */
static enum ks_result failure_of(int error_number)
{
    return ks_result_from_errno(error_number) == KS_NO_MEMORY ? KS_NO_MEMORY : KS_IO;
}

static enum ks_result open_listing(int directory_fd, const char *name, DIR **listing)
{
    int fd = openat(directory_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return failure_of(errno);
    *listing = fdopendir(fd);
    if (*listing != NULL)
        return KS_OK;
    enum ks_result result = failure_of(errno);
    close(fd);
    return result;
}

/* The next entry but "." and ".."; NULL at the end, and then *result tells whether it was the end. */
static const struct dirent *next_entry(DIR *listing, enum ks_result *result)
{
    for (;;) {
        errno = 0;
        /* Each listing is read by one thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
        const struct dirent *entry = readdir(listing);
        if (entry == NULL) {
            *result = errno == 0 ? KS_OK : failure_of(errno);
            return NULL;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            return entry;
    }
}

/* ---- staging/ ---- */

/* A clock that was set back is no reason to lose what is there. */
static bool goes_on(int staging_fd, const char *name, int64_t oldest)
{
    struct stat status;
    return ks_names_is_put(name) && fstatat(staging_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(status.st_mode) && status.st_size > 0 && status.st_mtim.tv_sec >= oldest;
}

enum ks_result ks_sweep_clear_staging(int directory_fd, int64_t oldest)
{
    DIR *listing = NULL;
    enum ks_result result = open_listing(directory_fd, "staging", &listing);
    if (result != KS_OK)
        return result;
    const struct dirent *entry = NULL;
    while ((entry = next_entry(listing, &result)) != NULL) {
        if (!goes_on(dirfd(listing), entry->d_name, oldest) &&
            unlinkat(dirfd(listing), entry->d_name, 0) != 0) {
            result = failure_of(errno);
            break;
        }
    }
    closedir(listing);
    return result;
}

/* False for what is not one, or is not there any more. */
static bool read_staged(int staging_fd, const struct ks_alias_key *aliases, const char *name,
                        struct ks_sweep_staged *staged)
{
    struct stat status;
    if (fstatat(staging_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    *staged = (struct ks_sweep_staged){
        .name = name, .bytes = (uint64_t)status.st_size, .written = status.st_mtim.tv_sec};
    return ks_names_read_put(aliases, name, &staged->id, staged->put_id);
}

enum ks_result ks_sweep_walk_staging(int directory_fd, const struct ks_alias_key *aliases,
                                     enum ks_result (*visit)(void *context,
                                                             const struct ks_sweep_staged *staged),
                                     void *context)
{
    DIR *listing = NULL;
    enum ks_result result = open_listing(directory_fd, "staging", &listing);
    if (result != KS_OK)
        return result;
    const struct dirent *entry = NULL;
    while ((entry = next_entry(listing, &result)) != NULL) {
        struct ks_sweep_staged staged;
        if (read_staged(dirfd(listing), aliases, entry->d_name, &staged))
            result = visit(context, &staged);
        if (result != KS_OK)
            break;
    }
    closedir(listing);
    return result;
}

enum ks_result ks_sweep_remove_staged(int directory_fd, const char *name)
{
    char path[sizeof "staging/" + KS_NAMES_PUT_SIZE];
    snprintf(path, sizeof path, "staging/%s", name);
    return unlinkat(directory_fd, path, 0) == 0 || errno == ENOENT ? KS_OK : failure_of(errno);
}

enum ks_result ks_sweep_remove_puts(int directory_fd, const struct ks_alias_key *aliases,
                                    struct ks_puts *puts, const struct ks_client_id *id)
{
    enum ks_result result = KS_OK;
    struct ks_put_entry *put = NULL;
    while ((put = ks_puts_take_of(puts, id)) != NULL) {
        char name[KS_NAMES_PUT_SIZE];
        ks_names_put(aliases, &put->id, put->put_id, name);
        enum ks_result removed = ks_sweep_remove_staged(directory_fd, name);
        result = result == KS_OK ? removed : result;
        ks_puts_forget(puts, put);
    }
    return result;
}

/* ---- files/ ---- */

struct directory_walk {
    int directory_fd;
    const struct ks_log *log;
    enum ks_result (*visit)(void *context, const struct ks_vault_row *row);
    void *context;
};

static void report_stranger(const struct ks_log *log, const char *where, const char *name)
{
    char escaped[ESCAPED_SIZE];
    ks_log_warning(log, "%s holds something that kesher did not put there: %s", where,
                   ks_text_escape(name, strlen(name), escaped, sizeof escaped));
}

/* Whether an entry is of `type`: DT_REG or DT_DIR. */
static bool is_of_type(int directory_fd, const struct dirent *entry, unsigned char type)
{
    struct stat status;
    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type == type;
    return fstatat(directory_fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           IFTODT(status.st_mode) == type;
}

static enum ks_result visit_file(const struct directory_walk *walk, const struct ks_client_id *id,
                                 const char *directory, const char *name, const char *kept)
{
    struct ks_vault_row row = {.id = *id, .file_name = kept, .kept_name = kept};
    int length = snprintf(row.path_name, sizeof row.path_name, "%s/%s", directory, name);
    if (length < 0 || (size_t)length >= sizeof row.path_name)
        return KS_OK; /* ks_names_read_stored has seen to it */
    return walk->visit(walk->context, &row);
}

/* `shown` is the directory's name in the log. */
static enum ks_result walk_directory(const struct directory_walk *walk, const char *directory,
                                     const char *shown, const struct ks_client_id *id)
{
    DIR *listing = NULL;
    enum ks_result result = open_listing(walk->directory_fd, directory, &listing);
    if (result != KS_OK)
        return result;
    const struct dirent *entry = NULL;
    while ((entry = next_entry(listing, &result)) != NULL) {
        char kept[KS_TEXT_FIELD_SIZE];
        if (ks_names_read_removed(entry->d_name) != NULL)
            continue;
        if (!is_of_type(dirfd(listing), entry, DT_REG) || !ks_names_read_stored(entry->d_name, kept)) {
            report_stranger(walk->log, shown, entry->d_name);
            continue;
        }
        result = visit_file(walk, id, directory, entry->d_name, kept);
        if (result != KS_OK)
            break;
    }
    closedir(listing);
    return result;
}

enum ks_result ks_sweep_walk_directories(
    int directory_fd, enum ks_result (*visit)(void *context, const struct ks_client_id *bytes), void *context)
{
    DIR *listing = NULL;
    enum ks_result result = open_listing(directory_fd, "files", &listing);
    if (result != KS_OK)
        return result;
    const struct dirent *entry = NULL;
    while ((entry = next_entry(listing, &result)) != NULL) {
        struct ks_client_id bytes;
        if (is_of_type(dirfd(listing), entry, DT_DIR) && ks_names_read_directory(entry->d_name, &bytes))
            result = visit(context, &bytes);
        if (result != KS_OK)
            break;
    }
    closedir(listing);
    return result;
}

enum ks_result ks_sweep_walk_directory(int directory_fd, const struct ks_log *log, const char *path,
                                       const struct ks_client_id *id,
                                       enum ks_result (*visit)(void *context, const struct ks_vault_row *row),
                                       void *context)
{
    const struct directory_walk walk = {
        .directory_fd = directory_fd, .log = log, .visit = visit, .context = context};
    return walk_directory(&walk, path, "a directory of files/", id); /* its name is the secret id */
}

static enum ks_result walk_files_of(void *context, const char *directory, const struct ks_client_id *id)
{
    return walk_directory(context, directory, directory, id);
}

/* Calls `visit` for each user's directory. What else lies in files/ is logged, if there is a log. */
static enum ks_result walk_users(int directory_fd, const struct ks_alias_key *aliases,
                                 const struct ks_log *log,
                                 enum ks_result (*visit)(void *context, const char *directory,
                                                         const struct ks_client_id *id),
                                 void *context)
{
    DIR *listing = NULL;
    enum ks_result result = open_listing(directory_fd, "files", &listing);
    if (result != KS_OK)
        return result;
    const struct dirent *entry = NULL;
    while ((entry = next_entry(listing, &result)) != NULL) {
        char directory[KS_NAMES_DIRECTORY_SIZE];
        struct ks_client_id id;
        if (!is_of_type(dirfd(listing), entry, DT_DIR) || !ks_names_read_directory(entry->d_name, &id)) {
            if (log != NULL)
                report_stranger(log, "files/", entry->d_name);
            continue;
        }
        ks_alias_to_id(aliases, id.bytes, id.bytes);
        ks_names_directory(aliases, &id, directory);
        result = visit(context, directory, &id);
        if (result != KS_OK)
            break;
    }
    closedir(listing);
    return result;
}

enum ks_result ks_sweep_walk_files(int directory_fd, const struct ks_alias_key *aliases,
                                   const struct ks_log *log,
                                   enum ks_result (*visit)(void *context, const struct ks_vault_row *row),
                                   void *context)
{
    struct directory_walk walk = {
        .directory_fd = directory_fd, .log = log, .visit = visit, .context = context};
    return walk_users(directory_fd, aliases, log, walk_files_of, &walk);
}

struct removed_walk {
    int directory_fd;
    enum ks_result (*visit)(void *context, const char *path, const char *removed);
    void *context;
};

static enum ks_result visit_removed(const struct removed_walk *walk, const char *directory, const char *name)
{
    char path[KS_NAMES_PATH_SIZE];
    char removed[KS_NAMES_REMOVED_SIZE];
    const char *stored = ks_names_read_removed(name);
    if (stored == NULL)
        return KS_OK;
    int path_size = snprintf(path, sizeof path, "%s/%s", directory, stored);
    int removed_size = snprintf(removed, sizeof removed, "%s/%s", directory, name);
    if (path_size < 0 || (size_t)path_size >= sizeof path || removed_size < 0 ||
        (size_t)removed_size >= sizeof removed)
        return KS_OK; /* ks_names_read_removed has seen to it */
    return walk->visit(walk->context, path, removed);
}

static enum ks_result walk_removed_of(void *context, const char *directory, const struct ks_client_id *id)
{
    const struct removed_walk *walk = context;
    DIR *listing = NULL;
    enum ks_result result = open_listing(walk->directory_fd, directory, &listing);
    (void)id;
    if (result != KS_OK)
        return result;
    const struct dirent *entry = NULL;
    while ((entry = next_entry(listing, &result)) != NULL) {
        result = visit_removed(walk, directory, entry->d_name);
        if (result != KS_OK)
            break;
    }
    closedir(listing);
    return result;
}

enum ks_result ks_sweep_walk_removed(int directory_fd, const struct ks_alias_key *aliases,
                                     enum ks_result (*visit)(void *context, const char *path,
                                                             const char *removed),
                                     void *context)
{
    struct removed_walk walk = {.directory_fd = directory_fd, .visit = visit, .context = context};
    return walk_users(directory_fd, aliases, NULL, walk_removed_of, &walk);
}

enum ks_result ks_sweep_messages(int directory_fd, const struct ks_log *log,
                                 enum ks_result (*is_known)(void *context, const char *path_name,
                                                            bool *known),
                                 void *context, size_t *removed)
{
    DIR *listing = NULL;
    enum ks_result result = open_listing(directory_fd, "messages", &listing);
    if (result != KS_OK)
        return result;
    const struct dirent *entry = NULL;
    while ((entry = next_entry(listing, &result)) != NULL) {
        char path_name[KS_NAMES_MESSAGE_SIZE];
        bool known = false;
        if (!is_of_type(dirfd(listing), entry, DT_REG) || !ks_names_is_message(entry->d_name)) {
            report_stranger(log, "messages/", entry->d_name);
            continue;
        }
        snprintf(path_name, sizeof path_name, "messages/%.32s", entry->d_name);
        result = is_known(context, path_name, &known);
        if (result == KS_OK && !known) {
            result = unlinkat(dirfd(listing), entry->d_name, 0) == 0 ? KS_OK : failure_of(errno);
            *removed += result == KS_OK;
        }
        if (result != KS_OK)
            break;
    }
    closedir(listing);
    return result;
}

static bool find_file(int directory_fd, const char *path_name, struct stat *status)
{
    return fstatat(directory_fd, path_name, status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status->st_mode);
}

/* KS_MORE when there may be others. */
static enum ks_result remove_entries(DIR *listing, size_t limit)
{
    enum ks_result result = KS_OK;
    const struct dirent *entry = NULL;
    for (size_t removed = 0; removed < limit; removed++) {
        entry = next_entry(listing, &result);
        if (entry == NULL)
            return result;
        if (unlinkat(dirfd(listing), entry->d_name, 0) != 0 && errno != ENOENT)
            return failure_of(errno);
    }
    return KS_MORE;
}

static enum ks_result sync_files(int directory_fd)
{
    int fd = openat(directory_fd, "files", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return failure_of(errno);
    enum ks_result result = fsync(fd) == 0 ? KS_OK : failure_of(errno);
    close(fd);
    return result;
}

enum ks_result ks_sweep_remove_user(int directory_fd, const struct ks_alias_key *aliases,
                                    const struct ks_client_id *id, size_t limit)
{
    char directory[KS_NAMES_DIRECTORY_SIZE];
    ks_names_directory(aliases, id, directory);
    int fd = openat(directory_fd, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? sync_files(directory_fd) : failure_of(errno);
    DIR *listing = fdopendir(fd);
    if (listing == NULL) {
        close(fd);
        return KS_NO_MEMORY;
    }
    enum ks_result result = remove_entries(listing, limit);
    closedir(listing);
    if (result != KS_OK)
        return result;
    if (unlinkat(directory_fd, directory, AT_REMOVEDIR) == 0)
        return sync_files(directory_fd);
    /* An upload that was being confirmed may have put a file there just now. */
    return errno == ENOTEMPTY || errno == ENOENT ? KS_MORE : failure_of(errno);
}

bool ks_sweep_has_file(int directory_fd, const char *path_name)
{
    struct stat status;
    return find_file(directory_fd, path_name, &status);
}

int64_t ks_sweep_written(const struct stat *status)
{
    return (int64_t)status->st_mtim.tv_sec * 1000 * 1000 * 1000 + status->st_mtim.tv_nsec;
}

bool ks_sweep_look(int directory_fd, const char *path_name, uint64_t *size, int64_t *written)
{
    struct stat status;
    if (!find_file(directory_fd, path_name, &status))
        return false;
    *size = (uint64_t)status.st_size;
    *written = ks_sweep_written(&status);
    return true;
}

bool ks_sweep_file_size(int directory_fd, const char *path_name, uint64_t *size)
{
    int64_t written = 0;
    return ks_sweep_look(directory_fd, path_name, size, &written);
}

bool ks_sweep_has_file_of_size(int directory_fd, const char *path_name, uint64_t size)
{
    struct stat status;
    return find_file(directory_fd, path_name, &status) && (uint64_t)status.st_size == size;
}
