/* saved_file.c — see saved_file.h. */
#include "client/inbound/saved_file.h"

#include "base/file.h"
#include "base/text.h"
#include "client/failure.h"
#include "crypto/random.h"
#include "crypto/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SENDER_PART = 64,
    ATTEMPT_LIMIT = 100000, /* copies of one name */
    STEP = 32 * 1024,
    TEMPORARY_SIZE = 64,
};

/* ---- the name ---- */

static bool is_safe(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           byte == '.' || byte == '_' || byte == '-';
}

void ks_saved_file_name(const char *sender, uint32_t message_id, unsigned attempt,
                        char name[static KS_SAVED_FILE_NAME_SIZE])
{
    char safe[SENDER_PART + 1];
    size_t size = 0;
    for (; size < SENDER_PART && sender[size] != '\0'; size++)
        safe[size] = is_safe(sender[size]) ? sender[size] : '_';
    safe[size] = '\0';
    if (safe[0] == '.' || safe[0] == '-')
        safe[0] = '_';
    const char *shown = size > 0 ? safe : "unknown";
    int written = attempt < 2 ? snprintf(name, KS_SAVED_FILE_NAME_SIZE, "%s-%" PRIu32, shown, message_id)
                              : snprintf(name, KS_SAVED_FILE_NAME_SIZE, "%s-%" PRIu32 "-%u", shown,
                                         message_id, attempt);
    if (written < 0)
        name[0] = '\0';
}

/* ---- the file ---- */

struct target {
    const char *directory; /* as given, for sentences */
    int directory_fd;
    int fd;
    char temporary[TEMPORARY_SIZE]; /* empty when the file has no name yet */
};

static enum kesher_status fail(const struct target *target, int error_number, const char *doing,
                               struct kesher_error *error)
{
    char shown[300];
    return ks_failure_system(
        error, KESHER_FILE, error_number,
        "cannot %s a received file in '%s' (it is kept until it can be saved; see to the directory "
        "or name another)",
        doing, ks_text_escape(target->directory, strlen(target->directory), shown, sizeof shown));
}

/* A file without a name, where the file system has that: a crash leaves nothing. Else one with a random name.
 */
static enum kesher_status create(struct target *target, struct kesher_error *error)
{
    uint8_t random[8];
    char hex[2 * sizeof random + 1];
    target->temporary[0] = '\0';
    target->fd = access("/proc/self/fd", X_OK) == 0 /* it gets its name through that */
                     ? openat(target->directory_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600)
                     : -1;
    if (target->fd >= 0)
        return KESHER_OK;
    if (ks_random_fill(ks_random_system(), random, sizeof random) != KS_OK)
        return ks_failure(error, KESHER_CRYPTO, "cannot make a name: there is no randomness");
    ks_text_to_hex(random, sizeof random, hex);
    if (snprintf(target->temporary, sizeof target->temporary, ".kesher-%s.part", hex) < 0)
        target->temporary[0] = '\0';
    target->fd =
        openat(target->directory_fd, target->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (target->fd >= 0)
        return KESHER_OK;
    target->temporary[0] = '\0';
    return fail(target, errno, "create", error);
}

static enum kesher_status fill(const struct target *target, struct ks_plaintext *plaintext,
                               struct kesher_error *error)
{
    uint8_t step[STEP];
    enum kesher_status status = KESHER_OK;
    /* What does not fit fails before it is decrypted: it may be tried often. */
    if (ks_file_make_room(target->fd, (off_t)plaintext->left) != KS_OK)
        status = fail(target, errno, "make room for", error);
    for (size_t size = 1; status == KESHER_OK && size > 0;) {
        enum ks_result result = ks_plaintext_read(plaintext, step, sizeof step, &size);
        if (result == KS_CRYPTO)
            status = ks_failure_from_result(error, result, "cannot decrypt a received file");
        else if (result != KS_OK)
            status = fail(target, errno, "read the content of", error);
        else if (ks_file_write_all(target->fd, step, size) != KS_OK)
            status = fail(target, errno, "write", error);
    }
    ks_secret_wipe(step, sizeof step);
    if (status == KESHER_OK && fsync(target->fd) != 0)
        status = fail(target, errno, "sync", error);
    return status;
}

/* Gives the file its name. 0 or an errno; EEXIST when the name is taken. */
static int link_as(struct target *target, const char *name)
{
    char proc[64];
    if (target->temporary[0] == '\0') {
        if (snprintf(proc, sizeof proc, "/proc/self/fd/%d", target->fd) < 0)
            return EINVAL;
        return linkat(AT_FDCWD, proc, target->directory_fd, name, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
    }
    if (!ks_file_rename_new(target->directory_fd, target->temporary, name))
        return errno;
    target->temporary[0] = '\0';
    return 0;
}

static enum kesher_status name_it(struct target *target, const char *sender, uint32_t message_id,
                                  char name[static KS_SAVED_FILE_NAME_SIZE], struct kesher_error *error)
{
    int failure = EEXIST;
    for (unsigned attempt = 1; failure == EEXIST && attempt <= ATTEMPT_LIMIT; attempt++) {
        ks_saved_file_name(sender, message_id, attempt, name);
        failure = link_as(target, name);
    }
    if (failure != 0)
        return fail(target, failure, "name", error);
    return fsync(target->directory_fd) == 0 ? KESHER_OK : fail(target, errno, "sync", error);
}

static enum kesher_status write_named(struct target *target, const char *sender, uint32_t message_id,
                                      struct ks_plaintext *plaintext,
                                      char name[static KS_SAVED_FILE_NAME_SIZE], struct kesher_error *error)
{
    enum kesher_status status = create(target, error);
    if (status != KESHER_OK)
        return status;
    status = fill(target, plaintext, error);
    if (status == KESHER_OK)
        status = name_it(target, sender, message_id, name, error);
    close(target->fd);
    if (target->temporary[0] != '\0')
        (void)unlinkat(target->directory_fd, target->temporary, 0);
    return status;
}

enum kesher_status ks_saved_file_write(const char *directory, const char *sender, uint32_t message_id,
                                       struct ks_plaintext *plaintext, char path[static KESHER_PATH_SIZE],
                                       struct kesher_error *error)
{
    char name[KS_SAVED_FILE_NAME_SIZE];
    struct target target = {.directory = directory};
    char *absolute = realpath(directory, NULL);
    target.directory_fd = absolute == NULL ? -1 : open(absolute, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (target.directory_fd < 0) {
        enum kesher_status status = fail(&target, errno, "save", error);
        free(absolute);
        return status;
    }
    enum kesher_status status = KESHER_OK;
    if (strlen(absolute) + KS_SAVED_FILE_NAME_SIZE + 1 > KESHER_PATH_SIZE)
        status = fail(&target, ENAMETOOLONG, "save", error);
    if (status == KESHER_OK)
        status = write_named(&target, sender, message_id, plaintext, name, error);
    if (status == KESHER_OK &&
        snprintf(path, KESHER_PATH_SIZE, "%s/%s", strcmp(absolute, "/") == 0 ? "" : absolute, name) < 0)
        path[0] = '\0';
    close(target.directory_fd);
    free(absolute);
    return status;
}
