/* store_directory.c — see store_directory.h. */
#include "store/embedded/disk/store_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* What the operating system said, as one of the results that opening may have. */
static enum ks_result system_failure(const char *what, const char *name, char *why, size_t why_size)
{
    enum ks_result result = ks_result_from_errno(errno);
    char text[128];
    snprintf(why, why_size, "cannot %s %s: %s", what, name, strerror_r(errno, text, sizeof text));
    return result == KS_NO_SPACE || result == KS_NO_MEMORY ? result : KS_IO;
}

static enum ks_result take_lock(int directory_fd, const char *directory, int *lock_fd, char *why,
                                size_t why_size)
{
    *lock_fd = openat(directory_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (*lock_fd < 0)
        return system_failure("open the lock in", directory, why, why_size);
    if (flock(*lock_fd, LOCK_EX | LOCK_NB) == 0)
        return KS_OK;
    if (errno != EWOULDBLOCK)
        return system_failure("lock", directory, why, why_size);
    snprintf(why, why_size, "another server uses %s", directory);
    return KS_EXISTS;
}

/* SQLite would create its file readable for all; it takes the mode of the others from this one. */
static enum ks_result create_private(int directory_fd, const char *database_path, char *why, size_t why_size)
{
    int fd = openat(directory_fd, "kesher.db", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return system_failure("open", database_path, why, why_size);
    close(fd);
    return KS_OK;
}

/* A new directory must survive a power cut like what will be in it. */
static enum ks_result sync_parent(int directory_fd, const char *directory, char *why, size_t why_size)
{
    int fd = openat(directory_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum ks_result result = KS_OK;
    if (fd < 0 || fsync(fd) != 0)
        result = system_failure("sync the parent of", directory, why, why_size);
    if (fd >= 0)
        close(fd);
    return result;
}

enum ks_result ks_store_directory_fill(int directory_fd, const char *directory, const char *database_path,
                                       char *why, size_t why_size)
{
    if ((mkdirat(directory_fd, "staging", 0700) != 0 && errno != EEXIST) ||
        (mkdirat(directory_fd, "files", 0700) != 0 && errno != EEXIST) ||
        (mkdirat(directory_fd, "messages", 0700) != 0 && errno != EEXIST))
        return system_failure("create staging/, files/ and messages/ in", directory, why, why_size);
    enum ks_result result = create_private(directory_fd, database_path, why, why_size);
    if (result == KS_OK && fsync(directory_fd) != 0)
        result = system_failure("sync", directory, why, why_size);
    return result;
}

static void warn_when_open_to_others(int directory_fd, const char *directory, const struct ks_log *log)
{
    struct stat status;
    if (fstat(directory_fd, &status) == 0 && (status.st_mode & 0077) != 0)
        ks_log_warning(log, "%s is open to others than its owner: chmod 700 is better", directory);
}

enum ks_result ks_store_directory_open(const char *directory, const struct ks_log *log, int *directory_fd,
                                       int *lock_fd, char *why, size_t why_size)
{
    bool is_new = mkdir(directory, 0700) == 0;
    if (!is_new && errno != EEXIST)
        return system_failure("create", directory, why, why_size);
    *directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*directory_fd < 0)
        return system_failure("open", directory, why, why_size);
    warn_when_open_to_others(*directory_fd, directory, log);
    enum ks_result result = is_new ? sync_parent(*directory_fd, directory, why, why_size) : KS_OK;
    return result == KS_OK ? take_lock(*directory_fd, directory, lock_fd, why, why_size) : result;
}
