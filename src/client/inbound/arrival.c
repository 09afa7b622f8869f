/* arrival.c — see arrival.h. */
#include "client/inbound/arrival.h"

#include "base/clock.h"
#include "base/file.h"
#include "client/failure.h"
#include "client/inbound/sieve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* More than can be in the socket's buffer when the size becomes known. */
enum { FIRST_ROOM = 1024 * 1024 };

static const char incoming[] = "incoming";
static const char messages[] = "messages";
static const char filtered[] = "tmp";

static enum kesher_status fail(const struct ks_client_inbox *inbox, int error_number, const char *doing,
                               struct kesher_error *error)
{
    return ks_home_files_failure(inbox->directory, error_number, doing, "received messages", error);
}

static enum kesher_status remove_file(const struct ks_client_inbox *inbox, uint64_t sequence,
                                      const char *kind, struct kesher_error *error)
{
    char name[KS_CLIENT_INBOX_NAME_SIZE];
    ks_client_inbox_name(sequence, kind, name);
    if (unlinkat(inbox->directory->directory_fd, name, 0) != 0 && errno != ENOENT)
        return ks_home_files_failure(inbox->directory, errno, "remove", name, error);
    return KESHER_OK;
}

/* ---- becoming visible ---- */

static enum kesher_status publish(const struct ks_arrival *arrival, const char *from,
                                  struct kesher_error *error)
{
    const struct ks_client_inbox *inbox = arrival->inbox;
    char old_name[KS_CLIENT_INBOX_NAME_SIZE];
    char new_name[KS_CLIENT_INBOX_NAME_SIZE];
    ks_client_inbox_name(arrival->sequence, from, old_name);
    ks_client_inbox_name(arrival->sequence, messages, new_name);
    if (renameat(inbox->directory->directory_fd, old_name, inbox->directory->directory_fd, new_name) != 0)
        return ks_home_files_failure(inbox->directory, errno, "rename", old_name, error);
    return ks_client_inbox_sync(inbox, error);
}

/* Makes the file visible without what was received before. */
static enum kesher_status publish_copy(struct ks_arrival *arrival, struct ks_sieve *sieve,
                                       struct kesher_error *error)
{
    char name[KS_CLIENT_INBOX_NAME_SIZE];
    uint64_t copied = 0;
    ks_client_inbox_name(arrival->sequence, filtered, name);
    int fd = openat(arrival->inbox->directory->directory_fd, name,
                    O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return ks_home_files_failure(arrival->inbox->directory, errno, "create", name, error);
    enum kesher_status status = ks_sieve_copy(sieve, fd, &copied, error);
    close(fd);
    arrival->brings_new = sieve->brings_new;
    if (status == KESHER_OK)
        status = ks_seen_sync(sieve->seen, error);
    if (status == KESHER_OK)
        status = copied > 0 ? publish(arrival, filtered, error)
                            : remove_file(arrival->inbox, arrival->sequence, filtered, error);
    return status == KESHER_OK ? remove_file(arrival->inbox, arrival->sequence, incoming, error) : status;
}

static enum kesher_status sift(struct ks_arrival *arrival, struct ks_sieve *sieve, struct kesher_error *error)
{
    bool all_stays = false;
    uint64_t count = 0;
    enum kesher_status status = ks_sieve_judge(sieve, &count, error);
    if (status == KESHER_OK)
        status = ks_seen_reserve(sieve->seen, count, error);
    if (status == KESHER_OK)
        status = ks_sieve_look(sieve, &all_stays, error);
    if (status == KESHER_OK && !all_stays)
        return publish_copy(arrival, sieve, error);
    arrival->brings_new = sieve->brings_new;
    if (status == KESHER_OK)
        status = ks_seen_sync(sieve->seen, error);
    return status == KESHER_OK ? publish(arrival, incoming, error) : status;
}

/* A file that came whole: KESHER_INVALID when its messages do not add up, and it is removed. */
static enum kesher_status take_in(struct ks_arrival *arrival, const struct ks_message_file *file,
                                  struct kesher_error *error)
{
    struct ks_seen seen;
    struct ks_sieve sieve;
    enum kesher_status status = ks_seen_open(&seen, arrival->inbox->directory, error);
    if (status != KESHER_OK)
        return status;
    status = ks_sieve_init(&sieve, file, arrival->sequence, &seen, error);
    if (status == KESHER_OK) {
        status = sift(arrival, &sieve, error);
        ks_sieve_destroy(&sieve);
    }
    /* Only now, when nobody asks any more what was added for this file. */
    if (status == KESHER_OK)
        status = ks_seen_rotate(&seen, error);
    ks_seen_close(&seen);
    if (status == KESHER_INVALID &&
        remove_file(arrival->inbox, arrival->sequence, incoming, error) != KESHER_OK)
        return KESHER_FILE;
    return status;
}

/* ---- what a program that died left behind ---- */

static enum kesher_status recover_one(struct ks_client_inbox *inbox, uint64_t sequence,
                                      struct kesher_error *error)
{
    char name[KS_CLIENT_INBOX_NAME_SIZE];
    char visible[KS_CLIENT_INBOX_NAME_SIZE];
    struct ks_arrival arrival = {.inbox = inbox, .sequence = sequence};
    struct ks_message_file file = {.fd = -1};
    uint64_t reached = 0;
    uint64_t offset = 0;
    ks_client_inbox_name(sequence, incoming, name);
    ks_client_inbox_name(sequence, messages, visible);
    enum kesher_status status = ks_client_inbox_progress(inbox, &reached, &offset, error);
    if (status != KESHER_OK)
        return status;
    /* Visible already, or even shown: only the last step was missing. */
    if (reached >= sequence || ks_home_files_exists(inbox->directory, visible))
        return remove_file(inbox, sequence, incoming, error);
    arrival.fd = openat(inbox->directory->directory_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (arrival.fd < 0)
        return ks_home_files_failure(inbox->directory, errno, "open", name, error);
    file.fd = arrival.fd;
    enum ks_result result = ks_message_file_begin(&file);
    if (result == KS_INVALID) /* the server sends it again */
        status = remove_file(inbox, sequence, incoming, error);
    else if (result != KS_OK || fsync(arrival.fd) != 0)
        status = fail(inbox, errno, "read", error);
    else
        status = take_in(&arrival, &file, error);
    close(arrival.fd);
    return status == KESHER_INVALID ? KESHER_OK : status;
}

static enum kesher_status recover_all(struct ks_client_inbox *inbox, struct ks_client_inbox_listing *listing,
                                      struct kesher_error *error)
{
    enum kesher_status status = ks_client_inbox_list(inbox, 0, listing, error);
    while (status == KESHER_OK && listing->incoming != 0) {
        status = recover_one(inbox, listing->incoming, error);
        if (status == KESHER_OK)
            status = ks_client_inbox_list(inbox, 0, listing, error);
    }
    return status;
}

enum kesher_status ks_arrival_recover(struct ks_client_inbox *inbox, struct kesher_error *error)
{
    struct ks_client_inbox_listing listing;
    enum kesher_status status = ks_home_lock_take(&inbox->pulling, 0, "receiving messages", error);
    if (status != KESHER_OK)
        return status == KESHER_TIMEOUT ? KESHER_OK : status;
    status = recover_all(inbox, &listing, error);
    ks_home_lock_release(&inbox->pulling);
    return status;
}

/* ---- the way in ---- */

enum kesher_status ks_arrival_begin(struct ks_arrival *arrival, struct ks_client_inbox *inbox,
                                    uint32_t wait_ms, struct kesher_error *error)
{
    struct ks_client_inbox_listing listing;
    char name[KS_CLIENT_INBOX_NAME_SIZE];
    *arrival = (struct ks_arrival){.inbox = inbox, .offset = KS_MESSAGE_FILE_HEADER_SIZE, .fd = -1};
    enum kesher_status status = ks_home_lock_take(&inbox->pulling, wait_ms, "receiving messages", error);
    if (status != KESHER_OK)
        return status;
    status = recover_all(inbox, &listing, error);
    if (status == KESHER_OK) {
        arrival->sequence = listing.last + 1;
        ks_client_inbox_name(arrival->sequence, incoming, name);
        arrival->fd = openat(inbox->directory->directory_fd, name,
                             O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (arrival->fd < 0)
            status = ks_home_files_failure(inbox->directory, errno, "create", name, error);
        else if (ks_file_make_room(arrival->fd, FIRST_ROOM) != KS_OK)
            status = fail(inbox, errno, "make room for", error);
    }
    if (status != KESHER_OK)
        ks_arrival_end(arrival);
    return status;
}

enum kesher_status ks_arrival_expect(struct ks_arrival *arrival, uint32_t payload_size,
                                     struct kesher_error *error)
{
    arrival->received = ks_clock_wall_seconds(ks_clock_system());
    if (ks_message_file_write_header(arrival->fd, payload_size, arrival->received) != KS_OK)
        return fail(arrival->inbox, errno, "write", error);
    return KESHER_OK;
}

enum kesher_status ks_arrival_write(struct ks_arrival *arrival, const uint8_t *bytes, size_t size,
                                    struct kesher_error *error)
{
    if (ks_file_write_all_at(arrival->fd, bytes, size, (off_t)arrival->offset) != KS_OK)
        return fail(arrival->inbox, errno, "write", error);
    arrival->offset += size;
    return KESHER_OK;
}

enum kesher_status ks_arrival_finish(struct ks_arrival *arrival, struct kesher_error *error)
{
    enum kesher_status status = KESHER_OK;
    bool is_empty = arrival->offset == KS_MESSAGE_FILE_HEADER_SIZE;
    /* Gives back the room that was not needed. */
    if (!is_empty && (ftruncate(arrival->fd, (off_t)arrival->offset) != 0 || fsync(arrival->fd) != 0))
        status = fail(arrival->inbox, errno, "sync", error);
    if (status == KESHER_OK && !is_empty)
        status = ks_client_inbox_sync(arrival->inbox, error);
    const struct ks_message_file file = {
        .fd = arrival->fd, .size = arrival->offset, .received = arrival->received};
    if (status == KESHER_OK)
        status = take_in(arrival, &file, error);
    close(arrival->fd);
    arrival->fd = -1;
    return status;
}

void ks_arrival_end(struct ks_arrival *arrival)
{
    if (arrival->fd >= 0) {
        close(arrival->fd);
        (void)remove_file(arrival->inbox, arrival->sequence, incoming, NULL);
    }
    arrival->fd = -1;
    ks_home_lock_release(&arrival->inbox->pulling);
}
