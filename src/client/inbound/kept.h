/* kept.h — messages that were shown and are not done with, one file each in the inbox's directory, in the
 * form of message_file.h:
 *
 *   <number>-<offset>-<sender>.kept      could not be read, until a key for it arrives
 *   <number>-<offset>-<sender>.unsaved   a file that could not be saved, until it can be; mostly a second
 * name (a hard link) of the .messages file that it came in, so that a disk without room can keep it
 *
 * Under the inbox's reading lock; one thread at a time.
 *
 * Bounded: of the unreadable, over KS_KEPT_MESSAGES of them, or KS_KEPT_BYTES together, the oldest are
 * dropped. Of the unsaved none is: no more than KS_KEPT_MESSAGES are taken.
 */
#ifndef KS_CLIENT_INBOUND_KEPT_H
#define KS_CLIENT_INBOUND_KEPT_H

#include "client/inbound/client_inbox.h"

enum { KS_KEPT_MESSAGES = 4096 };
#define KS_KEPT_BYTES (UINT64_C(512) * 1024 * 1024)

struct ks_kept_message {
    uint64_t sequence; /* where it came from, as in struct ks_place */
    uint64_t offset;
    uint64_t size;
    struct ks_client_id sender;
    bool is_unsaved;
};

struct ks_kept {
    struct ks_client_inbox *inbox;    /* the caller's */
    struct ks_kept_message *messages; /* in order of arrival */
    size_t count;
    size_t unsaved; /* of them */
    size_t capacity;
    uint64_t bytes; /* of the unreadable */
    uint64_t stamp; /* of the list on disk when it was read */
    bool loaded;
};

void ks_kept_init(struct ks_kept *kept, struct ks_client_inbox *inbox);
void ks_kept_free(struct ks_kept *kept);

/* Brings the list up to date. KESHER_OK; KESHER_FILE; KESHER_NO_MEMORY. */
enum kesher_status ks_kept_refresh(struct ks_kept *kept, struct kesher_error *error);

/* The index of the message with that place, or `count`. */
size_t ks_kept_find(const struct ks_kept *kept, uint64_t sequence, uint64_t offset);

/* Opens a message; entry->fd is to be closed. KESHER_OK; KESHER_NOT_FOUND when its file is gone or damaged;
 * KESHER_FILE. */
enum kesher_status ks_kept_open(const struct ks_kept *kept, size_t index, struct ks_entry *entry,
                                struct kesher_error *error);

/* Keeps an unreadable message of the inbox, on the disk when it returns: the inbox's position goes past it
 * then, and the disk may have that at once. One that is kept already is replaced. KESHER_OK; KESHER_FILE;
 * KESHER_NO_MEMORY. */
enum kesher_status ks_kept_add(struct ks_kept *kept, const struct ks_place *place,
                               const struct ks_entry *entry, struct kesher_error *error);

/* Keeps a file of the inbox that could not be saved: as a hard link, or where the file system has none as a
 * copy; on the disk when it returns. KESHER_OK, also when it was kept already;
 * KESHER_FILE; KESHER_FULL; KESHER_NO_MEMORY. */
enum kesher_status ks_kept_add_unsaved(struct ks_kept *kept, const struct ks_place *place,
                                       const struct ks_entry *entry, struct kesher_error *error);

/* The message at `index` could not be read, and now cannot be saved. KESHER_OK; KESHER_FILE. */
enum kesher_status ks_kept_mark_unsaved(struct ks_kept *kept, size_t index, struct kesher_error *error);

/* Forgets the message at `index` and removes its file. KESHER_OK; KESHER_FILE. */
enum kesher_status ks_kept_remove(struct ks_kept *kept, size_t index, struct kesher_error *error);

#endif
