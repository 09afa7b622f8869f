/* client_inbox.c — see client_inbox.h. */
#include "client/inbound/client_inbox.h"

#include "base/file.h"
#include "client/failure.h"
#include "crypto/checksum.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    NUMBER_DIGITS = 16,
    PROGRESS_BODY = 2 * NUMBER_DIGITS + 1,     /* what is summed */
    PROGRESS_SIZE = PROGRESS_BODY + 1 + 8 + 1, /* a blank, the sum, a newline */
};

static const char messages[] = "messages";
static const char progress_name[] = "progress";

static enum kesher_status fail(const struct ks_client_inbox *inbox, int error_number, const char *doing,
                               const char *name, struct kesher_error *error)
{
    return ks_home_files_failure(inbox->directory, error_number, doing, name, error);
}

enum kesher_status ks_client_inbox_open(struct ks_client_inbox *inbox, const struct kesher_home *home,
                                        struct kesher_error *error)
{
    *inbox = (struct ks_client_inbox){
        .pulling = KS_HOME_LOCK_NONE, .reading = KS_HOME_LOCK_NONE, .progress_fd = -1, .frame = {.fd = -1}};
    enum kesher_status status = ks_home_files_directory(home, "inbox", &inbox->directory, error);
    if (status == KESHER_OK)
        status = ks_home_lock_open(&inbox->pulling, inbox->directory, "pull.lock", error);
    if (status == KESHER_OK)
        status = ks_home_lock_open(&inbox->reading, inbox->directory, "read.lock", error);
    if (status == KESHER_OK) {
        inbox->progress_fd = openat(inbox->directory->directory_fd, progress_name,
                                    O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (inbox->progress_fd < 0)
            status = fail(inbox, errno, "open", progress_name, error);
    }
    if (status != KESHER_OK)
        ks_client_inbox_close(inbox);
    return status;
}

static void close_frame(struct ks_client_inbox *inbox)
{
    if (inbox->frame.fd >= 0)
        close(inbox->frame.fd);
    inbox->frame.fd = -1;
}

void ks_client_inbox_close(struct ks_client_inbox *inbox)
{
    if (inbox->directory == NULL)
        return;
    close_frame(inbox);
    if (inbox->progress_fd >= 0)
        close(inbox->progress_fd);
    ks_home_lock_close(&inbox->pulling);
    ks_home_lock_close(&inbox->reading);
    kesher_home_close(inbox->directory);
    *inbox = (struct ks_client_inbox){.progress_fd = -1, .frame = {.fd = -1}};
}

enum kesher_status ks_client_inbox_sync(const struct ks_client_inbox *inbox, struct kesher_error *error)
{
    if (fsync(inbox->directory->directory_fd) == 0)
        return KESHER_OK;
    return fail(inbox, errno, "sync", "the directory", error);
}

/* ---- names ---- */

void ks_client_inbox_name(uint64_t sequence, const char *kind, char name[static KS_CLIENT_INBOX_NAME_SIZE])
{
    int size = snprintf(name, KS_CLIENT_INBOX_NAME_SIZE, "%016" PRIx64 ".%s", sequence, kind);
    if (size < 0 || size >= KS_CLIENT_INBOX_NAME_SIZE)
        name[0] = '\0';
}

/* The number in a name of that kind; 0 when it is another name. */
static uint64_t number_in(const char *name, const char *kind)
{
    char expected[KS_CLIENT_INBOX_NAME_SIZE];
    uint64_t number = strtoull(name, NULL, 16);
    ks_client_inbox_name(number, kind, expected);
    return strcmp(name, expected) == 0 ? number : 0;
}

/* The number that a name of any kind begins with; 0 when there is none. */
static uint64_t number_before(const char *name)
{
    char *rest = NULL;
    uint64_t number = strtoull(name, &rest, 16);
    return rest == name + NUMBER_DIGITS && (*rest == '.' || *rest == '-') ? number : 0;
}

static void note(struct ks_client_inbox_listing *listing, uint64_t after, const char *name)
{
    uint64_t number = number_in(name, messages);
    uint64_t incoming = number_in(name, "incoming");
    uint64_t any = number_before(name);
    if (incoming != 0)
        listing->incoming = incoming;
    if (number > after && (listing->next == 0 || number < listing->next))
        listing->next = number;
    if (any > listing->last) /* also of what is kept: a power cut may take the progress */
        listing->last = any;
}

enum kesher_status ks_client_inbox_list(const struct ks_client_inbox *inbox, uint64_t after,
                                        struct ks_client_inbox_listing *listing, struct kesher_error *error)
{
    uint64_t offset = 0;
    DIR *entries = NULL;
    *listing = (struct ks_client_inbox_listing){.last = 0};
    enum kesher_status status = ks_client_inbox_progress(inbox, &listing->last, &offset, error);
    if (status == KESHER_OK)
        status = ks_home_files_list(inbox->directory, &entries, error);
    if (status != KESHER_OK)
        return status;
    const struct dirent *entry = NULL;
    errno = 0;
    while ((entry = readdir(entries)) != NULL) { /* NOLINT(concurrency-mt-unsafe): a stream of our own */
        note(listing, after, entry->d_name);
        errno = 0;
    }
    int error_number = errno;
    closedir(entries);
    return error_number == 0 ? KESHER_OK : fail(inbox, error_number, "list", "the messages", error);
}

/* ---- progress ---- */

static uint32_t sum_of(const char *text, size_t size)
{
    struct ks_cksum cksum = ks_cksum_start();
    ks_cksum_add(&cksum, (const uint8_t *)text, size);
    return ks_cksum_value(&cksum);
}

/* The line of the progress file, with a NUL. */
static void format_progress(uint64_t sequence, uint64_t offset, char line[static PROGRESS_SIZE + 1])
{
    char body[PROGRESS_BODY + 1] = "";
    int size = snprintf(body, sizeof body, "%016" PRIx64 " %016" PRIx64, sequence, offset);
    if (size == PROGRESS_BODY)
        size = snprintf(line, PROGRESS_SIZE + 1, "%s %08" PRIx32 "\n", body, sum_of(body, PROGRESS_BODY));
    if (size != PROGRESS_SIZE)
        line[0] = '\0';
}

enum kesher_status ks_client_inbox_progress(const struct ks_client_inbox *inbox, uint64_t *sequence,
                                            uint64_t *offset, struct kesher_error *error)
{
    char line[PROGRESS_SIZE + 1] = "";
    char expected[PROGRESS_SIZE + 1];
    char *rest = NULL;
    *sequence = 0;
    *offset = 0;
    enum ks_result result = ks_message_file_read(inbox->progress_fd, line, PROGRESS_SIZE, 0);
    if (result == KS_IO)
        return fail(inbox, errno, "read", progress_name, error);
    if (result != KS_OK)
        return KESHER_OK;
    uint64_t first = strtoull(line, &rest, 16);
    uint64_t second = strtoull(rest, NULL, 16);
    format_progress(first, second, expected);
    if (strcmp(line, expected) == 0) {
        *sequence = first;
        *offset = second;
    }
    return KESHER_OK;
}

static enum kesher_status write_progress(const struct ks_client_inbox *inbox, uint64_t sequence,
                                         uint64_t offset, struct kesher_error *error)
{
    char line[PROGRESS_SIZE + 1];
    format_progress(sequence, offset, line);
    if (ks_file_write_all_at(inbox->progress_fd, line, PROGRESS_SIZE, 0) != KS_OK)
        return fail(inbox, errno, "write", progress_name, error);
    return KESHER_OK;
}

/* ---- the messages ---- */

/* Opens the file with that number. KESHER_NOT_FOUND when there is none, KESHER_INVALID when it is damaged. */
static enum kesher_status open_frame(struct ks_client_inbox *inbox, uint64_t sequence,
                                     struct kesher_error *error)
{
    char name[KS_CLIENT_INBOX_NAME_SIZE];
    if (inbox->frame.fd >= 0 && inbox->frame_sequence == sequence)
        return KESHER_OK;
    close_frame(inbox);
    ks_client_inbox_name(sequence, messages, name);
    inbox->frame.fd = openat(inbox->directory->directory_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    inbox->frame_sequence = sequence;
    if (inbox->frame.fd < 0 && errno == ENOENT)
        return KESHER_NOT_FOUND;
    if (inbox->frame.fd < 0)
        return fail(inbox, errno, "open", name, error);
    switch (ks_message_file_begin(&inbox->frame)) {
    case KS_OK:
        return KESHER_OK;
    case KS_INVALID:
        return KESHER_INVALID;
    default:
        return fail(inbox, errno, "read", name, error);
    }
}

static enum kesher_status remove_frame(struct ks_client_inbox *inbox, struct kesher_error *error)
{
    char name[KS_CLIENT_INBOX_NAME_SIZE];
    close_frame(inbox);
    ks_client_inbox_name(inbox->frame_sequence, messages, name);
    if (unlinkat(inbox->directory->directory_fd, name, 0) != 0 && errno != ENOENT)
        return fail(inbox, errno, "remove", name, error);
    return KESHER_OK;
}

static enum kesher_status set_aside(struct ks_client_inbox *inbox, struct kesher_error *error)
{
    char name[KS_CLIENT_INBOX_NAME_SIZE];
    char aside[KS_CLIENT_INBOX_NAME_SIZE];
    int directory_fd = inbox->directory->directory_fd;
    close_frame(inbox);
    ks_client_inbox_name(inbox->frame_sequence, messages, name);
    ks_client_inbox_name(inbox->frame_sequence, "damaged", aside);
    if (renameat(directory_fd, name, directory_fd, aside) != 0)
        return fail(inbox, errno, "rename", name, error);
    return KESHER_OK;
}

/* The message at `offset` of the file with that number. KESHER_NOT_FOUND when there is no such file or its
 * end is reached (then it is removed); KESHER_INVALID when it is damaged. */
static enum kesher_status entry_at(struct ks_client_inbox *inbox, uint64_t sequence, uint64_t offset,
                                   struct ks_entry *entry, struct kesher_error *error)
{
    enum kesher_status status = open_frame(inbox, sequence, error);
    if (status != KESHER_OK)
        return status;
    switch (ks_message_file_entry(&inbox->frame, offset, entry)) {
    case KS_OK:
        return KESHER_OK;
    case KS_MORE:
        status = remove_frame(inbox, error);
        return status == KESHER_OK ? KESHER_NOT_FOUND : status;
    case KS_INVALID:
        return KESHER_INVALID;
    default:
        return fail(inbox, errno, "read", "a message", error);
    }
}

enum kesher_status ks_client_inbox_next(struct ks_client_inbox *inbox, struct ks_place *place,
                                        struct ks_entry *entry, bool *damaged, struct kesher_error *error)
{
    struct ks_client_inbox_listing listing;
    place->is_kept = false;
    *damaged = false;
    enum kesher_status status = ks_client_inbox_progress(inbox, &place->sequence, &place->offset, error);
    if (status != KESHER_OK)
        return status;
    for (;;) {
        status = entry_at(inbox, place->sequence, place->offset, entry, error);
        if (status == KESHER_OK)
            return KESHER_OK;
        if (status == KESHER_INVALID) {
            *damaged = true;
            status = set_aside(inbox, error);
        }
        if (status == KESHER_OK || status == KESHER_NOT_FOUND)
            status = ks_client_inbox_list(inbox, place->sequence, &listing, error);
        if (status != KESHER_OK)
            return status;
        if (listing.next == 0)
            return KESHER_NOT_FOUND;
        place->sequence = listing.next;
        place->offset = KS_MESSAGE_FILE_HEADER_SIZE;
    }
}

enum kesher_status ks_client_inbox_advance(struct ks_client_inbox *inbox, const struct ks_place *place,
                                           const struct ks_entry *entry, struct kesher_error *error)
{
    uint64_t next = place->offset + ks_entry_size(entry);
    enum kesher_status status = write_progress(inbox, place->sequence, next, error);
    if (status == KESHER_OK && next == inbox->frame.size)
        status = remove_frame(inbox, error);
    return status;
}
