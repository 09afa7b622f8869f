/* client_inbox.h — what was received and is not done with, on disk in the home's inbox/:
 *
 *   <number>.incoming   an answer on its way, or one that came whole and was not judged yet (arrival.h)
 *   <number>.messages   an answer whose messages wait to be shown (message_file.h); numbers count up
 *   progress            "<number> <offset> <checksum>": all messages before that are done with
 *   <number>.tmp        what of an .incoming is to stay, while it is copied (arrival.h)
 *   <number>.damaged    a .messages file that made no sense and was set aside
 *   <…>.kept, .unsaved  single messages that were shown and not read, or not saved (kept.h)
 *   seen, seen.old      what was received before (seen.h)
 *   pull.lock           held while something arrives
 *   read.lock           held from next to done, so that two programs do not show the same message
 *
 * A program may die anywhere: what is in a .messages file comes until its progress is written, which is one
 * write(2). One thread at a time.
 */
#ifndef KS_CLIENT_INBOUND_CLIENT_INBOX_H
#define KS_CLIENT_INBOUND_CLIENT_INBOX_H

#include "client/home/home_lock.h"
#include "client/inbound/message_file.h"

enum { KS_CLIENT_INBOX_NAME_SIZE = 96 }; /* of a file in it, with its NUL */

/* Where a message stands. */
struct ks_place {
    bool is_kept;
    uint64_t sequence; /* the number of its .messages file */
    uint64_t offset;   /* in that */
};

struct ks_client_inbox {
    struct kesher_home *directory; /* inbox/ */
    struct ks_home_lock pulling;
    struct ks_home_lock reading;
    int progress_fd;
    struct ks_message_file frame; /* the .messages file that is being read; the inbox's */
    uint64_t frame_sequence;
};

/* KESHER_OK, and ks_client_inbox_close is due; KESHER_FILE; KESHER_NO_MEMORY. */
enum kesher_status ks_client_inbox_open(struct ks_client_inbox *inbox, const struct kesher_home *home,
                                        struct kesher_error *error);
void ks_client_inbox_close(struct ks_client_inbox *inbox); /* a zeroed one is allowed */

/* The name of the file with that number; `kind` is "messages" and so on. */
void ks_client_inbox_name(uint64_t sequence, const char *kind, char name[static KS_CLIENT_INBOX_NAME_SIZE]);

/* What there is, by number; 0 stands for none. */
struct ks_client_inbox_listing {
    uint64_t last;     /* the highest number of all that is or was there */
    uint64_t next;     /* the lowest .messages above `after` */
    uint64_t incoming; /* some .incoming */
};

/* KESHER_OK; KESHER_FILE. */
enum kesher_status ks_client_inbox_list(const struct ks_client_inbox *inbox, uint64_t after,
                                        struct ks_client_inbox_listing *listing, struct kesher_error *error);

/* How far the messages are done with. One that makes no sense, after a power cut for instance, is one at the
 * very beginning; one that the disk does not give is a failure, else all would be shown again. KESHER_OK;
 * KESHER_FILE. */
enum kesher_status ks_client_inbox_progress(const struct ks_client_inbox *inbox, uint64_t *sequence,
                                            uint64_t *offset, struct kesher_error *error);

/* The next message that is not done with; its descriptor stays the inbox's. Under the reading lock. A file
 * that is damaged is set aside as <number>.damaged, with *damaged set. KESHER_OK; KESHER_NOT_FOUND when there
 * is none (`error` is left alone); KESHER_FILE. */
enum kesher_status ks_client_inbox_next(struct ks_client_inbox *inbox, struct ks_place *place,
                                        struct ks_entry *entry, bool *damaged, struct kesher_error *error);

/* The message that ks_client_inbox_next gave is done with. Under the reading lock. KESHER_OK; KESHER_FILE. */
enum kesher_status ks_client_inbox_advance(struct ks_client_inbox *inbox, const struct ks_place *place,
                                           const struct ks_entry *entry, struct kesher_error *error);

/* fsync(2) of the directory. KESHER_OK; KESHER_FILE. */
enum kesher_status ks_client_inbox_sync(const struct ks_client_inbox *inbox, struct kesher_error *error);

#endif
