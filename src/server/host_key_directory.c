/* host_key_directory.c — see host_key_directory.h. */
#include "server/host_key_directory.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    OTHERS_MAY = 077,
    OTHERS_MAY_READ_ROOTS = 027,
    LOCK_WAIT_MS = 5000,
    LOCK_PAUSE_MS = 20,
};

enum ks_result ks_host_key_fail(char why[static KS_HOST_KEY_WHY_SIZE], const char *what,
                                const char *directory, const char *name)
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the main thread alone
    const char *reason = strerror(errno);
    (void)snprintf(why, KS_HOST_KEY_WHY_SIZE, "cannot %s %s%s%s: %s", what, directory,
                   directory[0] != '\0' ? "/" : "", name, reason);
    return KS_IO;
}

/* ---- who may read it ---- */

static enum ks_result refuse_owner(char why[static KS_HOST_KEY_WHY_SIZE], const char *path,
                                   const struct stat *status)
{
    (void)snprintf(why, KS_HOST_KEY_WHY_SIZE,
                   "%s belongs to user %u, and kesherd runs as user %u: chown %u %s", path, status->st_uid,
                   geteuid(), geteuid(), path);
    return KS_REFUSED;
}

static enum ks_result refuse_mode(char why[static KS_HOST_KEY_WHY_SIZE], const char *path,
                                  const struct stat *status)
{
    (void)snprintf(why, KS_HOST_KEY_WHY_SIZE,
                   "others can read %s (mode %04o), where a private key is: chmod %s %s", path,
                   status->st_mode & 07777, S_ISDIR(status->st_mode) ? "700" : "600", path);
    return KS_REFUSED;
}

/* A key that root keeps for a group, as packages and systemd do, is as safe as one of our own. */
static enum ks_result judge(enum ks_host_key_rule rule, const char *path, const struct stat *status,
                            char why[static KS_HOST_KEY_WHY_SIZE])
{
    bool is_given = rule == KS_HOST_KEY_RULE_GIVEN;
    bool is_roots = is_given && status->st_uid == 0;
    bool is_ours = status->st_uid == geteuid() || (is_given && geteuid() == 0); /* who looks for others */
    if (rule == KS_HOST_KEY_RULE_PUBLIC)
        return KS_OK;
    if (!is_ours && !is_roots)
        return refuse_owner(why, path, status);
    if ((status->st_mode & (is_roots ? OTHERS_MAY_READ_ROOTS : OTHERS_MAY)) != 0)
        return refuse_mode(why, path, status);
    return KS_OK;
}

/* ---- the directory ---- */

/* Whoever has it needs some milliseconds, unless it was stopped in their middle. */
static enum ks_result lock(int fd, const char *path, char why[static KS_HOST_KEY_WHY_SIZE])
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
    for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; waited += LOCK_PAUSE_MS) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || waited >= LOCK_WAIT_MS)
            return ks_host_key_fail(why, "lock", "", path);
        nanosleep(&pause, NULL);
    }
    return KS_OK;
}

static enum ks_result open_and_lock(const char *path, int *fd, char why[static KS_HOST_KEY_WHY_SIZE])
{
    struct stat status;
    enum ks_result result = KS_OK;
    int opened = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opened < 0) {
        bool is_missing = errno == ENOENT;
        (void)ks_host_key_fail(why, "open", "", path);
        return is_missing ? KS_NOT_FOUND : KS_IO;
    }
    if (fstat(opened, &status) != 0)
        result = ks_host_key_fail(why, "look at", "", path);
    if (result == KS_OK)
        result = judge(KS_HOST_KEY_RULE_OWN, path, &status, why);
    if (result == KS_OK)
        result = lock(opened, path, why);
    if (result == KS_OK)
        *fd = opened;
    else
        close(opened);
    return result;
}

enum ks_result ks_host_key_directory_open(const struct ks_host_key_place *place, bool create, int *fd,
                                          char why[static KS_HOST_KEY_WHY_SIZE])
{
    char path[PATH_MAX];
    enum ks_result result = open_and_lock(place->directory, fd, why);
    if (result != KS_NOT_FOUND || !create)
        return result;
    (void)snprintf(path, sizeof path, "%s", place->directory);
    if (!ks_file_make_directories(path)) {
        result = ks_result_from_errno(errno);
        (void)ks_host_key_fail(why, "make", "", place->directory);
        return result == KS_NO_SPACE ? KS_NO_SPACE : KS_IO;
    }
    return open_and_lock(place->directory, fd, why);
}

void ks_host_key_directory_tidy(int fd)
{
    int listed = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = listed >= 0 ? fdopendir(listed) : NULL;
    if (directory == NULL) {
        if (listed >= 0)
            close(listed);
        return;
    }
    const struct dirent *entry = NULL;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own
    while ((entry = readdir(directory)) != NULL) {
        size_t size = strlen(entry->d_name);
        if (entry->d_name[0] == '.' && size > 4 && strcmp(entry->d_name + size - 4, ".tmp") == 0)
            (void)unlinkat(fd, entry->d_name, 0); /* the next start tries again */
    }
    closedir(directory);
}

bool ks_host_key_directory_has(int fd, const char *name)
{
    return faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

/* ---- files ---- */

static enum ks_result read_all(int file, struct ks_buffer *bytes)
{
    /* All at once: what grows leaves copies behind. */
    enum ks_result result = ks_buffer_reserve(bytes, KS_HOST_KEY_FILE_LIMIT);
    while (result == KS_OK && bytes->size < KS_HOST_KEY_FILE_LIMIT) {
        ssize_t count = read(file, bytes->bytes + bytes->size, KS_HOST_KEY_FILE_LIMIT - bytes->size);
        if (count == 0)
            return KS_OK;
        if (count < 0 && errno != EINTR)
            return KS_IO;
        bytes->size += count > 0 ? (size_t)count : 0;
    }
    return result == KS_OK ? KS_TOO_LARGE : result;
}

enum ks_result ks_host_key_file_read(int fd, const char *directory, const char *name,
                                     enum ks_host_key_rule rule, struct ks_buffer *bytes,
                                     char why[static KS_HOST_KEY_WHY_SIZE])
{
    char path[2 * PATH_MAX];
    struct stat status;
    (void)snprintf(path, sizeof path, "%s%s%s", directory, directory[0] != '\0' ? "/" : "", name);
    int file = openat(fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0) {
        bool is_missing = errno == ENOENT || errno == ENOTDIR;
        (void)ks_host_key_fail(why, "read", directory, name);
        return is_missing ? KS_NOT_FOUND : KS_IO;
    }
    enum ks_result result = KS_OK;
    if (fstat(file, &status) != 0)
        result = ks_host_key_fail(why, "look at", directory, name);
    else if (!S_ISREG(status.st_mode))
        result = KS_INVALID;
    if (result == KS_OK)
        result = judge(rule, path, &status, why);
    if (result == KS_OK) {
        result = read_all(file, bytes);
        if (result == KS_IO)
            (void)ks_host_key_fail(why, "read", directory, name);
    }
    if (result == KS_INVALID)
        (void)snprintf(why, KS_HOST_KEY_WHY_SIZE, "%s is no file", path);
    else if (result == KS_TOO_LARGE || result == KS_NO_MEMORY)
        (void)snprintf(why, KS_HOST_KEY_WHY_SIZE, "cannot read %s: %s", path, ks_result_text(result));
    close(file);
    return result;
}

enum ks_result ks_host_key_file_read_identity(const struct ks_host_key_place *place, int fd, const char *name,
                                              struct ks_tls_identity **identity,
                                              char why[static KS_HOST_KEY_WHY_SIZE])
{
    char reason[KS_TLS_WHY_SIZE] = "";
    struct ks_buffer bytes = ks_buffer_empty(KS_HOST_KEY_FILE_LIMIT);
    enum ks_result result =
        ks_host_key_file_read(fd, place->directory, name, KS_HOST_KEY_RULE_OWN, &bytes, why);
    if (result == KS_OK) {
        const char *text = (const char *)bytes.bytes;
        result = ks_tls_identity_parse(text, bytes.size, text, bytes.size, identity, reason);
        if (result != KS_OK)
            (void)snprintf(why, KS_HOST_KEY_WHY_SIZE, "%s/%s: %s", place->directory, name,
                           reason[0] != '\0' ? reason : ks_result_text(result));
    }
    ks_buffer_wipe(&bytes);
    return result;
}

enum ks_result ks_host_key_file_write_identity(const struct ks_host_key_place *place, int fd,
                                               const char *name, const struct ks_tls_identity *identity,
                                               bool is_secret, char why[static KS_HOST_KEY_WHY_SIZE])
{
    struct ks_buffer pem = ks_buffer_empty(KS_HOST_KEY_FILE_LIMIT);
    enum ks_result result = ks_buffer_reserve(&pem, KS_HOST_KEY_FILE_LIMIT); /* nothing that grows */
    if (result == KS_OK && is_secret)
        result = ks_tls_identity_encode_key(identity, &pem);
    if (result == KS_OK)
        result = ks_tls_identity_encode_certificates(identity, &pem);
    if (result == KS_OK)
        result = ks_file_replace(fd, name, pem.bytes, pem.size, is_secret ? 0600 : 0644);
    if (result == KS_IO || result == KS_NOT_FOUND)
        result = ks_host_key_fail(why, "write", place->directory, name);
    else if (result != KS_OK)
        (void)snprintf(why, KS_HOST_KEY_WHY_SIZE, "cannot write %s/%s: %s", place->directory, name,
                       ks_result_text(result));
    ks_buffer_wipe(&pem);
    return result;
}

/* Not written where it is right already: a start should not need room on the disk. */
static bool is_copied(const struct ks_host_key_place *place, int fd, const struct ks_tls_identity *identity)
{
    char why[KS_HOST_KEY_WHY_SIZE] = "";
    struct ks_buffer there = ks_buffer_empty(KS_HOST_KEY_FILE_LIMIT);
    struct ks_buffer wanted = ks_buffer_empty(KS_HOST_KEY_FILE_LIMIT);
    bool is_same = ks_host_key_file_read(fd, place->directory, KS_HOST_KEY_CERTIFICATE,
                                         KS_HOST_KEY_RULE_PUBLIC, &there, why) == KS_OK &&
                   ks_tls_identity_encode_certificates(identity, &wanted) == KS_OK &&
                   there.size == wanted.size && memcmp(there.bytes, wanted.bytes, wanted.size) == 0;
    ks_buffer_free(&there);
    ks_buffer_free(&wanted);
    return is_same;
}

void ks_host_key_file_copy_certificate(const struct ks_host_key_place *place, int fd,
                                       const struct ks_tls_identity *identity)
{
    char why[KS_HOST_KEY_WHY_SIZE] = "";
    if (!is_copied(place, fd, identity))
        (void)ks_host_key_file_write_identity(place, fd, KS_HOST_KEY_CERTIFICATE, identity, false, why);
}
