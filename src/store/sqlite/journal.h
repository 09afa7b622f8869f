/* journal.h — messages that are durable and not in the database yet: the file `journal` in the data
 * directory.
 *
 * A commit of SQLite writes whole pages and much beside; a message is some hundred bytes. So a batch that
 * does nothing but append messages is written here, one behind the other, with one write and one sync, and
 * answered. filing.h takes the messages into the database later, oldest first, many in one transaction.
 *
 * The file: a head (magic, version, size of a segment), then two segments. One is written while the other one
 * is taken into the database. All of it is written when the file is created, so that a sync of what is
 * written over it is no change of the file's size or place. A record is a message with its id and a CRC-32;
 * ids ascend. A segment's records end where the CRC does not match or the ids do not ascend: what follows is
 * from an earlier round. After a crash, all records with ids above the database's highest are taken into it;
 * those of a write that the crash cut short were acknowledged to nobody.
 *
 * What is in the file is in RAM too, until it is taken: two mebibytes, of which an idle server keeps none.
 * Opened and closed by engine.c; the writer's thread.
 */
#ifndef KS_STORE_SQLITE_JOURNAL_H
#define KS_STORE_SQLITE_JOURNAL_H

#include "base/result.h"
#include "wire/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KS_JOURNAL_SEGMENTS = 2,
    KS_JOURNAL_SEGMENT_SIZE = 1024 * 1024, /* some 6000 short messages */
    KS_JOURNAL_HEAD_SIZE = 4096,
};

/* A message, as the journal and the database know it. `place` is the path of a content that lies in a file,
 * at most 255 bytes; without one, `content` has content_size bytes. */
struct ks_journal_record {
    uint64_t message_id;
    struct ks_client_id receiver;
    struct ks_client_id sender;
    uint8_t type;
    uint32_t content_size;
    const char *place;
    const uint8_t *content;
};

/* Offsets into a segment: taken ≤ synced ≤ size, released ≤ taken. */
struct ks_journal_segment {
    uint8_t *bytes;
    size_t size;     /* of what was added */
    size_t synced;   /* of that, what is durable */
    size_t taken;    /* of that, what is in the database when its transaction is committed */
    size_t released; /* of that, what is in the database */
};

struct ks_journal {
    int fd; /* -1: closed; messages that were not taken stay in RAM and, so far as they were synced, on disk
             */
    uint8_t *bytes; /* of all segments */
    struct ks_journal_segment segments[KS_JOURNAL_SEGMENTS];
    size_t active; /* the one that is written */
};

/* A closed journal. */
void ks_journal_init(struct ks_journal *journal);

/* Opens the file, or creates it; reads what nobody has taken. Nothing may be pending. KS_OK; KS_NO_MEMORY,
 * KS_NO_SPACE, KS_IO; KS_INVALID when the file is none of ours. `why` has a sentence then, and the journal is
 * closed. */
enum ks_result ks_journal_open(struct ks_journal *journal, int directory_fd, char *why, size_t why_size);

/* Frees everything. When nothing is pending, the file says so from now on. Closed is fine. */
void ks_journal_close(struct ks_journal *journal);

bool ks_journal_is_open(const struct ks_journal *journal);

/* ---- writing ---- */

/* The bytes that a message takes. */
size_t ks_journal_record_size(const struct ks_journal_record *record);

/* Makes room for `size` bytes of records. False when there is none, or the journal is closed. */
bool ks_journal_reserve(struct ks_journal *journal, size_t size);

/* Adds a message, for which there is room. */
void ks_journal_add(struct ks_journal *journal, const struct ks_journal_record *record);

/* Makes durable what was added. KS_OK. KS_NO_SPACE, KS_IO (errno): nobody knows what is on disk now; what was
 * added since the last commit is not pending, and the journal takes no more until it is opened again. */
enum ks_result ks_journal_commit(struct ks_journal *journal);

/* ---- taking ---- */

/* Takes the oldest message that was not taken. False when there is none. What the record points to is valid
 * until the next ks_journal_reserve or ks_journal_released. */
bool ks_journal_take(struct ks_journal *journal, struct ks_journal_record *record);

/* Whether a message is pending: not taken, or taken and not released. */
bool ks_journal_is_pending(const struct ks_journal *journal);

/* The bytes of those that were not taken. */
size_t ks_journal_untaken(const struct ks_journal *journal);

/* Whether one of them is in the segment that is not written, because it was full. */
bool ks_journal_has_full_segment(const struct ks_journal *journal);

/* The transaction in which messages were taken is over: they are in the database, and their room is free, or
 * they were not taken after all. */
void ks_journal_released(struct ks_journal *journal, bool committed);

/* When nothing is pending: notes it in the file, so that it has no messages for who finds it beside another
 * database. Best effort. */
void ks_journal_mark_empty(struct ks_journal *journal);

/* Forgets what was read: it is known not to be needed. */
void ks_journal_discard(struct ks_journal *journal);

#endif
