/* kept.c — see kept.h. The file of the reading lock holds a count of changes, so that the directory is read
 * again only when another program has changed it. */
#include "client/inbound/kept.h"

#include "base/bytes.h"
#include "base/file.h"
#include "base/text.h"
#include "client/failure.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_CAPACITY = 16, NUMBER_DIGITS = 16, SENDER_DIGITS = 32 };

static const char unreadable[] = ".kept";
static const char unsaved[] = ".unsaved";
static const char temporary[] = "kept.tmp";

static enum kesher_status fail(const struct ks_kept *kept, int error_number, const char *doing,
                               struct kesher_error *error)
{
    return ks_home_files_failure(kept->inbox->directory, error_number, doing, "a message", error);
}

void ks_kept_init(struct ks_kept *kept, struct ks_client_inbox *inbox)
{
    *kept = (struct ks_kept){.inbox = inbox};
}

void ks_kept_free(struct ks_kept *kept)
{
    free(kept->messages);
    *kept = (struct ks_kept){.inbox = kept->inbox};
}

/* ---- names ---- */

static void format_name(const struct ks_kept_message *message, char name[static KS_CLIENT_INBOX_NAME_SIZE])
{
    char sender[SENDER_DIGITS + 1];
    ks_text_to_hex(message->sender.bytes, sizeof message->sender.bytes, sender);
    int size =
        snprintf(name, KS_CLIENT_INBOX_NAME_SIZE, "%016" PRIx64 "-%016" PRIx64 "-%s%s", message->sequence,
                 message->offset, sender, message->is_unsaved ? unsaved : unreadable);
    if (size < 0 || size >= KS_CLIENT_INBOX_NAME_SIZE)
        name[0] = '\0';
}

static bool parse_name(const char *name, struct ks_kept_message *message)
{
    char expected[KS_CLIENT_INBOX_NAME_SIZE];
    static const size_t sender_at = (size_t)2 * (NUMBER_DIGITS + 1);
    char *rest = NULL;
    if (strlen(name) < sender_at + SENDER_DIGITS)
        return false;
    message->is_unsaved = strcmp(name + sender_at + SENDER_DIGITS, unsaved) == 0;
    message->sequence = strtoull(name, &rest, 16);
    message->offset = strtoull(*rest == '-' ? rest + 1 : rest, NULL, 16);
    if (!ks_text_from_hex(name + sender_at, SENDER_DIGITS, message->sender.bytes,
                          sizeof message->sender.bytes))
        return false;
    format_name(message, expected);
    return strcmp(name, expected) == 0;
}

/* ---- the list ---- */

static uint64_t stamp_on_disk(const struct ks_kept *kept)
{
    uint8_t count[8] = {0};
    if (ks_message_file_read(kept->inbox->reading.fd, count, sizeof count, 0) != KS_OK)
        return 0;
    return ks_load_u32(count) | (uint64_t)ks_load_u32(count + 4) << 32;
}

/* Tells the other programs that their lists are out of date. */
static enum kesher_status count_change(struct ks_kept *kept, struct kesher_error *error)
{
    uint8_t count[8];
    uint64_t stamp = kept->stamp + 1;
    ks_store_u32(count, (uint32_t)stamp);
    ks_store_u32(count + 4, (uint32_t)(stamp >> 32));
    if (ks_file_write_all_at(kept->inbox->reading.fd, count, sizeof count, 0) != KS_OK) {
        kept->loaded = false;
        return fail(kept, errno, "count", error);
    }
    kept->stamp = stamp;
    return KESHER_OK;
}

static int compare(const void *left, const void *right)
{
    const struct ks_kept_message *a = left;
    const struct ks_kept_message *b = right;
    if (a->sequence != b->sequence)
        return a->sequence < b->sequence ? -1 : 1;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    return 0;
}

static void count_in(struct ks_kept *kept, const struct ks_kept_message *message)
{
    if (message->is_unsaved)
        kept->unsaved++;
    else
        kept->bytes += message->size;
}

static void count_out(struct ks_kept *kept, const struct ks_kept_message *message)
{
    if (message->is_unsaved)
        kept->unsaved--;
    else
        kept->bytes -= message->size;
}

static enum kesher_status append(struct ks_kept *kept, const struct ks_kept_message *message,
                                 struct kesher_error *error)
{
    if (kept->count == kept->capacity) {
        size_t capacity = kept->capacity == 0 ? FIRST_CAPACITY : kept->capacity * 2;
        struct ks_kept_message *grown = reallocarray(kept->messages, capacity, sizeof *grown);
        if (grown == NULL)
            return ks_failure_no_memory(error);
        kept->messages = grown;
        kept->capacity = capacity;
    }
    kept->messages[kept->count++] = *message;
    count_in(kept, message);
    return KESHER_OK;
}

/* The same in its place. It is the latest of all, unless a power cut has taken the inbox's progress. */
static enum kesher_status insert(struct ks_kept *kept, const struct ks_kept_message *message,
                                 struct kesher_error *error)
{
    enum kesher_status status = append(kept, message, error);
    if (status != KESHER_OK)
        return status;
    struct ks_kept_message *messages = kept->messages;
    for (size_t at = kept->count - 1; at > 0 && compare(&messages[at - 1], message) > 0; at--) {
        messages[at] = messages[at - 1];
        messages[at - 1] = *message;
    }
    return KESHER_OK;
}

static enum kesher_status read_list(struct ks_kept *kept, DIR *entries, struct kesher_error *error)
{
    enum kesher_status status = KESHER_OK;
    const struct dirent *entry = NULL;
    errno = 0;
    while (status == KESHER_OK &&
           (entry = readdir(entries)) != NULL) { /* NOLINT(concurrency-mt-unsafe): a stream of our own */
        struct ks_kept_message message;
        struct stat file;
        if (parse_name(entry->d_name, &message) &&
            fstatat(kept->inbox->directory->directory_fd, entry->d_name, &file, AT_SYMLINK_NOFOLLOW) == 0) {
            message.size = (uint64_t)file.st_size;
            status = append(kept, &message, error);
        }
        errno = 0;
    }
    if (status == KESHER_OK && errno != 0)
        status = fail(kept, errno, "list", error);
    return status;
}

enum kesher_status ks_kept_refresh(struct ks_kept *kept, struct kesher_error *error)
{
    uint64_t stamp = stamp_on_disk(kept);
    DIR *entries = NULL;
    if (kept->loaded && kept->stamp == stamp)
        return KESHER_OK;
    kept->loaded = false;
    kept->count = 0;
    kept->unsaved = 0;
    kept->bytes = 0;
    enum kesher_status status = ks_home_files_list(kept->inbox->directory, &entries, error);
    if (status != KESHER_OK)
        return status;
    status = read_list(kept, entries, error);
    closedir(entries);
    if (status != KESHER_OK)
        return status;
    if (kept->count > 1)
        qsort(kept->messages, kept->count, sizeof kept->messages[0], compare);
    kept->stamp = stamp;
    kept->loaded = true;
    return KESHER_OK;
}

size_t ks_kept_find(const struct ks_kept *kept, uint64_t sequence, uint64_t offset)
{
    const struct ks_kept_message wanted = {.sequence = sequence, .offset = offset};
    const struct ks_kept_message *found =
        kept->count == 0 ? NULL : bsearch(&wanted, kept->messages, kept->count, sizeof wanted, compare);
    return found == NULL ? kept->count : (size_t)(found - kept->messages);
}

/* ---- the messages ---- */

/* The message of an open file: the only one in it, or one of those with which it came. */
static enum ks_result find_entry(struct ks_message_file *file, uint64_t offset, struct ks_entry *entry)
{
    enum ks_result result = ks_message_file_begin(file);
    if (result == KS_OK)
        result = ks_message_file_entry(file, KS_MESSAGE_FILE_HEADER_SIZE, entry);
    if (result == KS_OK && entry->offset + ks_entry_size(entry) != file->size)
        result = ks_message_file_entry(file, offset, entry);
    return result;
}

enum kesher_status ks_kept_open(const struct ks_kept *kept, size_t index, struct ks_entry *entry,
                                struct kesher_error *error)
{
    char name[KS_CLIENT_INBOX_NAME_SIZE];
    struct ks_message_file file = {.fd = -1};
    format_name(&kept->messages[index], name);
    file.fd = openat(kept->inbox->directory->directory_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (file.fd < 0)
        return errno == ENOENT ? KESHER_NOT_FOUND : fail(kept, errno, "open", error);
    enum ks_result result = find_entry(&file, kept->messages[index].offset, entry);
    if (result == KS_OK)
        return KESHER_OK;
    int error_number = errno;
    close(file.fd);
    return result == KS_IO ? fail(kept, error_number, "read", error) : KESHER_NOT_FOUND;
}

static enum kesher_status forget(struct ks_kept *kept, size_t index, struct kesher_error *error)
{
    char name[KS_CLIENT_INBOX_NAME_SIZE];
    format_name(&kept->messages[index], name);
    if (unlinkat(kept->inbox->directory->directory_fd, name, 0) != 0 && errno != ENOENT)
        return fail(kept, errno, "remove", error);
    count_out(kept, &kept->messages[index]);
    kept->count--;
    memmove(&kept->messages[index], &kept->messages[index + 1],
            (kept->count - index) * sizeof kept->messages[0]);
    return KESHER_OK;
}

enum kesher_status ks_kept_remove(struct ks_kept *kept, size_t index, struct kesher_error *error)
{
    enum kesher_status status = forget(kept, index, error);
    return status == KESHER_OK ? count_change(kept, error) : status;
}

/* Writes the file under a temporary name, then gives it its own. */
static enum kesher_status write_file(const struct ks_kept *kept, const struct ks_kept_message *message,
                                     const struct ks_entry *entry, struct kesher_error *error)
{
    char name[KS_CLIENT_INBOX_NAME_SIZE];
    int directory_fd = kept->inbox->directory->directory_fd;
    format_name(message, name);
    int fd = openat(directory_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(kept, errno, "keep", error);
    bool written =
        ks_message_file_write_header(fd, (uint32_t)ks_entry_size(entry), entry->received) == KS_OK &&
        lseek(fd, KS_MESSAGE_FILE_HEADER_SIZE, SEEK_SET) >= 0 &&
        ks_message_file_copy(entry->fd, entry->offset, ks_entry_size(entry), fd) == KS_OK && fsync(fd) == 0;
    int error_number = errno;
    if (close(fd) != 0 && written) {
        written = false;
        error_number = errno;
    }
    if (written && renameat(directory_fd, temporary, directory_fd, name) == 0)
        return KESHER_OK;
    if (written)
        error_number = errno;
    (void)unlinkat(directory_fd, temporary, 0); /* what is missing may be room */
    return fail(kept, error_number, "keep", error);
}

/* The oldest of the unreadable, as long as there are too many: the index, or the count. */
static size_t find_superfluous(const struct ks_kept *kept)
{
    size_t count = kept->count - kept->unsaved;
    size_t index = 0;
    if (count <= 1 || (count <= KS_KEPT_MESSAGES && kept->bytes <= KS_KEPT_BYTES))
        return kept->count;
    while (kept->messages[index].is_unsaved)
        index++;
    return index;
}

enum kesher_status ks_kept_add(struct ks_kept *kept, const struct ks_place *place,
                               const struct ks_entry *entry, struct kesher_error *error)
{
    const struct ks_kept_message message = {.sequence = place->sequence,
                                            .offset = place->offset,
                                            .size = KS_MESSAGE_FILE_HEADER_SIZE + ks_entry_size(entry),
                                            .sender = entry->fixed.sender};
    enum kesher_status status = ks_kept_refresh(kept, error);
    if (status == KESHER_OK)
        status = write_file(kept, &message, entry, error);
    if (status == KESHER_OK && ks_kept_find(kept, message.sequence, message.offset) == kept->count)
        status = insert(kept, &message, error);
    if (status == KESHER_OK)
        status = ks_client_inbox_sync(kept->inbox, error);
    for (size_t index; status == KESHER_OK && (index = find_superfluous(kept)) < kept->count;)
        status = forget(kept, index, error);
    return status == KESHER_OK ? count_change(kept, error) : status;
}

/* ---- files that cannot be saved ---- */

static enum kesher_status fail_too_many(struct kesher_error *error)
{
    return ks_failure(error, KESHER_FULL,
                      "%d received files wait to be saved, and no more are taken; make room for them",
                      (int)KS_KEPT_MESSAGES);
}

/* A second name for the .messages file; a copy of the message where there are no hard links. */
static enum kesher_status link_frame(struct ks_kept *kept, const struct ks_kept_message *message,
                                     const struct ks_entry *entry, struct kesher_error *error)
{
    char frame[KS_CLIENT_INBOX_NAME_SIZE];
    char name[KS_CLIENT_INBOX_NAME_SIZE];
    int directory_fd = kept->inbox->directory->directory_fd;
    ks_client_inbox_name(message->sequence, "messages", frame);
    format_name(message, name);
    if (linkat(directory_fd, frame, directory_fd, name, 0) == 0 || errno == EEXIST)
        return KESHER_OK;
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK)
        return fail(kept, errno, "keep", error);
    return write_file(kept, message, entry, error);
}

enum kesher_status ks_kept_add_unsaved(struct ks_kept *kept, const struct ks_place *place,
                                       const struct ks_entry *entry, struct kesher_error *error)
{
    const struct ks_kept_message message = {.sequence = place->sequence,
                                            .offset = place->offset,
                                            .sender = entry->fixed.sender,
                                            .is_unsaved = true};
    enum kesher_status status = ks_kept_refresh(kept, error);
    if (status != KESHER_OK)
        return status;
    size_t index = ks_kept_find(kept, message.sequence, message.offset);
    if (index < kept->count)
        status = ks_kept_mark_unsaved(kept, index, error);
    else
        status = kept->unsaved < KS_KEPT_MESSAGES ? link_frame(kept, &message, entry, error)
                                                  : fail_too_many(error);
    if (status == KESHER_OK && index == kept->count)
        status = insert(kept, &message, error);
    if (status == KESHER_OK)
        status = ks_client_inbox_sync(kept->inbox, error);
    return status == KESHER_OK ? count_change(kept, error) : status;
}

enum kesher_status ks_kept_mark_unsaved(struct ks_kept *kept, size_t index, struct kesher_error *error)
{
    struct ks_kept_message *message = &kept->messages[index];
    char old_name[KS_CLIENT_INBOX_NAME_SIZE];
    char new_name[KS_CLIENT_INBOX_NAME_SIZE];
    int directory_fd = kept->inbox->directory->directory_fd;
    struct ks_kept_message marked = *message;
    if (message->is_unsaved)
        return KESHER_OK;
    if (kept->unsaved >= KS_KEPT_MESSAGES)
        return fail_too_many(error);
    marked.is_unsaved = true;
    format_name(message, old_name);
    format_name(&marked, new_name);
    if (renameat(directory_fd, old_name, directory_fd, new_name) != 0)
        return fail(kept, errno, "keep", error);
    count_out(kept, message);
    *message = marked;
    count_in(kept, message);
    return count_change(kept, error);
}
