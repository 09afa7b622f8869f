/* partial_file.c — see partial_file.h. */
#include "client/files/partial_file.h"

#include "base/file.h"
#include "base/text.h"
#include "client/failure.h"
#include "crypto/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum {
    ATTEMPTS = 16,  /* while others make and remove it */
    HASH_SIZE = 16, /* bytes, of a short name */
    WRITE_BACK_PIECE = 8 * 1024 * 1024,
    WORTH_ROOM = 1024 * 1024,
};

static const char suffix[] = ".part";

/* ---- its name ---- */

static enum kesher_status make_short_name(struct ks_partial_file *partial,
                                          const struct ks_destination *destination,
                                          struct kesher_error *error)
{
    uint8_t hash[KS_SHA256_SIZE];
    char hex[2 * HASH_SIZE + 1];
    enum ks_result result = ks_sha256(destination->name, strlen(destination->name), hash);
    if (result != KS_OK)
        return ks_failure_from_result(error, result, "cannot make the name of a partial file");
    partial->is_short = true;
    ks_text_to_hex(hash, HASH_SIZE, hex);
    if (snprintf(partial->name, sizeof partial->name, ".kesher-%s%s", hex, suffix) < 0)
        partial->name[0] = '\0';
    return KESHER_OK;
}

static enum kesher_status make_name(struct ks_partial_file *partial, const struct ks_destination *destination,
                                    struct kesher_error *error)
{
    size_t size = strlen(destination->name);
    if (size + sizeof suffix > sizeof partial->name)
        return make_short_name(partial, destination, error);
    memcpy(partial->name, destination->name, size);
    memcpy(partial->name + size, suffix, sizeof suffix);
    return KESHER_OK;
}

/* ---- opening ---- */

static enum kesher_status fail_foreign(const struct ks_partial_file *partial,
                                       const struct ks_destination *destination, const char *what,
                                       struct kesher_error *error)
{
    char shown[KS_FILES_SHOWN_SIZE];
    return ks_failure(error, KESHER_FILE,
                      "cannot fetch '%s': '%s' beside it, where a partial file would be, %s; move it away",
                      destination->shown, ks_files_show(partial->name, shown), what);
}

/* Opens it, or makes it. -1 with errno; EEXIST when it has just come or gone. */
static int open_or_make(const struct ks_partial_file *partial, const struct ks_destination *destination,
                        mode_t mode, bool *is_made)
{
    /* O_NONBLOCK for a FIFO, which is found out afterwards. */
    const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    *is_made = false;
    int fd = openat(destination->directory, partial->name, flags);
    if (fd >= 0 || errno != ENOENT)
        return fd;
    *is_made = true;
    return openat(destination->directory, partial->name, flags | O_CREAT | O_EXCL, mode | S_ISVTX);
}

static bool is_in_place(const struct ks_partial_file *partial, const struct ks_destination *destination)
{
    struct stat opened;
    struct stat named;
    return fstat(partial->fd, &opened) == 0 &&
           fstatat(destination->directory, partial->name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

/* What is there may have been put there by somebody else, who waits for us to write to it. */
static enum kesher_status judge_opened(struct ks_partial_file *partial,
                                       const struct ks_destination *destination, bool is_made,
                                       struct kesher_error *error)
{
    struct stat status;
    if (fstat(partial->fd, &status) != 0)
        return ks_destination_failure(destination, errno, "open the partial file of", error);
    if (!S_ISREG(status.st_mode))
        return fail_foreign(partial, destination, "is no regular file", error);
    if (!is_made && (status.st_uid != geteuid() || status.st_nlink > 1))
        return fail_foreign(partial, destination, "is somebody else's, or has another name, too", error);
    partial->is_marked = is_made || (status.st_mode & S_ISVTX) != 0;
    return KESHER_OK;
}

static enum kesher_status lock(const struct ks_partial_file *partial,
                               const struct ks_destination *destination, struct kesher_error *error)
{
    while (flock(partial->fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return ks_failure(error, KESHER_FILE,
                              "'%s' is being fetched already, by this or another program; wait for that to "
                              "end",
                              destination->shown);
        if (errno != EINTR)
            return ks_destination_failure(destination, errno, "lock the partial file of", error);
    }
    return KESHER_OK;
}

static enum kesher_status fail_open(const struct ks_partial_file *partial,
                                    const struct ks_destination *destination, struct kesher_error *error)
{
    if (errno == ELOOP)
        return fail_foreign(partial, destination, "is a symbolic link", error);
    if (errno == EISDIR)
        return fail_foreign(partial, destination, "is a directory", error);
    return ks_destination_failure(destination, errno, "write", error);
}

/* One attempt. KESHER_OK, and *is_ours is false when the file has just come or gone. */
static enum kesher_status try_open(struct ks_partial_file *partial, const struct ks_destination *destination,
                                   mode_t mode, bool *is_ours, struct kesher_error *error)
{
    bool is_made = false;
    partial->fd = open_or_make(partial, destination, mode, &is_made);
    *is_ours = partial->fd >= 0;
    if (partial->fd < 0 && errno == ENAMETOOLONG && !partial->is_short)
        return make_short_name(partial, destination, error);
    if (partial->fd < 0)
        return errno == EEXIST ? KESHER_OK : fail_open(partial, destination, error);
    enum kesher_status status = judge_opened(partial, destination, is_made, error);
    if (status == KESHER_OK)
        status = lock(partial, destination, error);
    *is_ours = status == KESHER_OK && is_in_place(partial, destination);
    if (!*is_ours) {
        close(partial->fd);
        partial->fd = -1;
    }
    return status;
}

enum kesher_status ks_partial_file_open(struct ks_partial_file *partial,
                                        const struct ks_destination *destination, struct kesher_error *error)
{
    struct ks_destination_present present;
    bool is_ours = false;
    *partial = (struct ks_partial_file){.fd = -1, .cksum = ks_cksum_start()};
    enum kesher_status status = ks_destination_look(destination, &present, error);
    if (status == KESHER_OK)
        status = make_name(partial, destination, error);
    mode_t mode = present.is_file ? 0600 : 0666; /* others may not read what it replaces */
    for (unsigned i = 0; status == KESHER_OK && !is_ours && i < ATTEMPTS; i++)
        status = try_open(partial, destination, mode, &is_ours, error);
    if (status == KESHER_OK && !is_ours)
        status = ks_failure(error, KESHER_FILE, "the partial file of '%s' comes and goes; try again",
                            destination->shown);
    if (status != KESHER_OK)
        return status;
    if (ks_destination_sum(partial->fd, KS_FILE_LARGEST, &partial->cksum))
        return KESHER_OK;
    status = errno == ENOMEM ? ks_failure_no_memory(error)
                             : ks_destination_failure(destination, errno, "read the partial file of", error);
    ks_partial_file_close(partial, destination, false);
    return status;
}

static void leave(struct ks_partial_file *partial, const struct ks_destination *destination, bool remove)
{
    struct stat status;
    bool is_empty = fstat(partial->fd, &status) == 0 && status.st_size == 0;
    if ((remove || (is_empty && partial->is_marked)) && is_in_place(partial, destination)) {
        (void)unlinkat(destination->directory, partial->name, 0);
        return;
    }
    if (!partial->is_changed)
        return;
    /* Gives back room that was made, and half a step that a full disk took. */
    int result = ftruncate(partial->fd, (off_t)partial->cksum.length);
    (void)result;
}

void ks_partial_file_close(struct ks_partial_file *partial, const struct ks_destination *destination,
                           bool remove)
{
    if (partial->fd < 0)
        return;
    if (!partial->has_target_name)
        leave(partial, destination, remove);
    close(partial->fd);
    partial->fd = -1;
}

/* ---- its content ---- */

enum kesher_status ks_partial_file_make_room(struct ks_partial_file *partial,
                                             const struct ks_destination *destination, uint64_t size,
                                             struct kesher_error *error)
{
    if (size - partial->cksum.length < WORTH_ROOM)
        return KESHER_OK;
    partial->is_changed = true;
    if (ks_file_make_room(partial->fd, (off_t)size) == KS_OK)
        return KESHER_OK;
    return ks_failure_system(error, KESHER_FILE, errno,
                             "there is no room for '%s', of which %" PRIu64 " bytes are still to come; make "
                             "room and try again",
                             destination->shown, size - partial->cksum.length);
}

/* So that the sync at the end has little to do. Errors are told then. */
static void begin_write_back(struct ks_partial_file *partial)
{
    if (partial->cksum.length - partial->writing_back < WRITE_BACK_PIECE)
        return;
    int result =
        sync_file_range(partial->fd, (off_t)partial->writing_back,
                        (off_t)(partial->cksum.length - partial->writing_back), SYNC_FILE_RANGE_WRITE);
    (void)result;
    partial->writing_back = partial->cksum.length;
}

/* One that fits is ours from now on, whoever made it. Where the file system has no such mark, we remember. */
static void mark(struct ks_partial_file *partial)
{
    struct stat status;
    int result = partial->is_marked || fstat(partial->fd, &status) != 0
                     ? 0
                     : fchmod(partial->fd, (status.st_mode & 0777) | S_ISVTX);
    (void)result;
    partial->is_marked = true;
}

enum kesher_status ks_partial_file_add(struct ks_partial_file *partial,
                                       const struct ks_destination *destination, const uint8_t *bytes,
                                       size_t size, struct kesher_error *error)
{
    mark(partial);
    partial->is_changed = true;
    if (ks_file_write_all_at(partial->fd, bytes, size, (off_t)partial->cksum.length) != KS_OK)
        return ks_failure_system(error, KESHER_FILE, errno,
                                 "cannot write '%s'; the %" PRIu64 " bytes that came are kept beside it, and "
                                 "the next try goes on behind them",
                                 destination->shown, partial->cksum.length);
    ks_cksum_add(&partial->cksum, bytes, size);
    begin_write_back(partial);
    return KESHER_OK;
}

enum kesher_status ks_partial_file_restart(struct ks_partial_file *partial,
                                           const struct ks_destination *destination,
                                           struct kesher_error *error)
{
    if (!partial->is_marked && partial->cksum.length > 0)
        return fail_foreign(partial, destination, "has something else", error);
    if (ftruncate(partial->fd, 0) != 0)
        return ks_destination_failure(destination, errno, "empty the partial file of", error);
    partial->cksum = ks_cksum_start();
    partial->writing_back = 0;
    return KESHER_OK;
}

/* ---- its end ---- */

/* Takes the mark off. */
static bool set_mode(const struct ks_partial_file *partial, const struct ks_destination_present *present,
                     mode_t *before)
{
    struct stat status;
    if (fstat(partial->fd, &status) != 0)
        return false;
    mode_t mode = present->is_file ? present->mode : status.st_mode & 0777;
    *before = status.st_mode & 07777;
    return mode == *before || fchmod(partial->fd, mode) == 0;
}

enum kesher_status ks_partial_file_take_name(struct ks_partial_file *partial,
                                             const struct ks_destination *destination, bool *replaced,
                                             struct kesher_error *error)
{
    struct ks_destination_present present;
    mode_t before = 0;
    enum kesher_status status = ks_destination_look(destination, &present, error);
    if (status == KESHER_OK && present.is_file && !destination->replace)
        status = ks_destination_fail_exists(destination, error);
    if (status != KESHER_OK)
        return status;
    if (!is_in_place(partial, destination))
        return ks_failure(error, KESHER_FILE, "the partial file of '%s' was moved away; try again",
                          destination->shown);
    if (!set_mode(partial, &present, &before))
        return ks_destination_failure(destination, errno, "set the permissions of", error);
    status = ks_destination_take_name(destination, partial->name, replaced, error);
    partial->has_target_name = status == KESHER_OK;
    if (status != KESHER_OK && fchmod(partial->fd, before) != 0)
        partial->is_marked = false;
    return status;
}
