/* journal.h — messages that are durable and not in the database yet: the file `journal` in the data
 * directory.
 *
 * A commit of SQLite writes whole pages and much beside; a message is some hundred bytes. So a batch that
 * does nothing but append messages is written here, one behind the other, with one write that is its own
 * sync, and answered. filing.h takes the messages into the database later, oldest first, many in one
 * transaction.
 *
 * The file: a head (journal_file.h), then a ring of segments. They are written in turn, and taken into the
 * database in the same order. All of it is written when the file is created, as `journal.new`, which becomes
 * `journal` when it is durable: so a sync of what is written over it is no change of the file's size or
 * place. A record is a message with its id, the round's salt, its batch and a CRC-32 (journal_record.h).
 *
 * What a record stands for is never in doubt. A *round* begins when nothing is pending: it draws a salt, and
 * no record of an earlier round has that. Within a round each *filling* of a segment, from its beginning on,
 * has a number, and a *batch* is told by its filling and by where in it it begins; fillings and batches
 * ascend, and a batch is written when the one before it is synced. A segment is filled again only when all it
 * had is in the database. So after a crash the messages of the last filling of each segment are taken, as far
 * as the database does not have them; journal_recovery.h tells what becomes of damage. Then the segments are
 * wiped, and a round begins.
 *
 * What is in the file is in RAM too, until it is taken: at most sixteen mebibytes, of which an idle server
 * keeps none.
 *
 * Two threads, which do not wait for each other: one *adds*, the writer's; one *takes*, who has the turn to
 * write to the database (write_turn.h). Opening, beginning and closing are for when there is only one.
 */
#ifndef KS_STORE_EMBEDDED_JOURNAL_JOURNAL_H
#define KS_STORE_EMBEDDED_JOURNAL_JOURNAL_H

#include "base/clock.h"
#include "base/result.h"
#include "crypto/random.h"
#include "store/embedded/journal/journal_record.h"
#include "store/embedded/journal/journal_recovery.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KS_JOURNAL_SEGMENTS = 16,
    KS_JOURNAL_SEGMENT_SIZE = 1024 * 1024, /* some 7000 short messages */
    KS_JOURNAL_HEAD_SIZE = 4096,
    KS_JOURNAL_SEGMENTS_BEFORE = 2, /* in files of versions 1 and 2 */
    /* messages in all segments */
    KS_JOURNAL_RECORD_LIMIT = KS_JOURNAL_SEGMENTS * KS_JOURNAL_SEGMENT_SIZE / KS_JOURNAL_RECORD_SMALLEST,
};

struct ks_journal_segment {
    uint8_t *bytes;
    uint64_t filling;      /* its number in the round */
    size_t size;           /* of what was added */
    _Atomic size_t synced; /* of that, what is durable */
};

/* How far the ring was read. */
struct ks_journal_position {
    size_t segment;
    size_t offset;
    uint64_t bytes; /* all of them since the beginning */
};

struct ks_journal {
    int fd; /* -1: closed; messages that were not taken stay in RAM and, so far as they were synced, on disk
             */
    uint8_t *bytes; /* of all segments */
    struct ks_journal_segment segments[KS_JOURNAL_SEGMENTS];
    /* Of who adds. */
    uint64_t salt;           /* the round's */
    uint64_t fillings;       /* of all segments in the round */
    bool has_begun;          /* a round: messages may be added */
    bool is_marked;          /* empty, in the file … */
    bool has_new_head;       /* … by a head that may not be durable */
    bool cannot_sync_writes; /* each by itself: this kernel syncs files only */
    /* Of who takes: ahead of what is released while a transaction is open. */
    struct ks_journal_position taken;
    struct ks_journal_position released;
    /* What one tells the other. */
    _Atomic size_t active;           /* the segment that is written */
    _Atomic uint64_t synced_bytes;   /* of all that was synced since the beginning … */
    _Atomic uint64_t taken_bytes;    /* … of what of it was taken … */
    _Atomic uint64_t released_bytes; /* … and of what of it is in the database */
    /* The last one that was read: it and those up to the active one are kept. */
    _Atomic size_t released_segment;
};

struct ks_journal_options {
    int directory_fd; /* the data directory */
    const struct ks_clock *clock;
    const struct ks_random *random;
    uint64_t in_database; /* messages with ids up to this are in the database, or nobody's */
};

/* A closed journal. */
void ks_journal_init(struct ks_journal *journal);

/* Opens the file and reads what nobody has taken, or creates it. Nothing may be pending. What a crash or the
 * disk has damaged is told in *findings, and what of it is lost is put aside. Until a round has begun,
 * nothing can be added, and the file stays as it is. KS_OK; KS_NO_SPACE: there is no room for a new file;
 * KS_NO_MEMORY, KS_CRYPTO, KS_IO; KS_INVALID when the file is none that we can read. `why` has a sentence
 * then, and the journal is closed. */
enum ks_result ks_journal_open(struct ks_journal *journal, const struct ks_journal_options *options,
                               struct ks_journal_findings *findings, char *why, size_t why_size);

/* Begins a round, if that was not done: nothing that is in the file is read ever again. Nothing may be
 * pending. KS_OK; KS_NO_SPACE, KS_IO (errno), and the journal is as after a ks_journal_commit that failed. */
enum ks_result ks_journal_begin(struct ks_journal *journal);

/* Frees everything. When nothing is pending, the file says so from now on. Closed is fine. */
void ks_journal_close(struct ks_journal *journal);

bool ks_journal_is_open(const struct ks_journal *journal);

/* ---- adding ---- */

/* Makes room for `size` bytes of records. False when there is none, or no round. */
bool ks_journal_reserve(struct ks_journal *journal, size_t size);

/* Adds a message, for which there is room. */
void ks_journal_add(struct ks_journal *journal, const struct ks_journal_record *record);

/* Makes durable what was added. KS_OK. KS_NO_SPACE, KS_IO (errno): nobody knows what is on disk now; what was
 * added since the last commit is not pending, and the journal takes no more until it is opened again. */
enum ks_result ks_journal_commit(struct ks_journal *journal);

/* When nothing is pending: notes it in the file, so that it has no messages for who finds it beside another
 * database, and gives the memory back. Not synced; the next commit does that. When it fails, the journal is
 * as after a commit that failed. */
void ks_journal_mark_empty(struct ks_journal *journal);

/* ---- taking ---- */

/* Takes the oldest message that was not taken. False when there is none. What the record points to is valid
 * until the next ks_journal_released. */
bool ks_journal_take(struct ks_journal *journal, struct ks_journal_record *record);

/* The transaction in which messages were taken is over: they are in the database, and their room is free, or
 * they were not taken after all. */
void ks_journal_released(struct ks_journal *journal, bool committed);

/* ---- any thread ---- */

/* The bytes of the messages that are pending: not taken, or taken and not released. */
uint64_t ks_journal_pending(const struct ks_journal *journal);

/* What was taken since the beginning, in bytes; what was synced; and whether all up to there is released. */
uint64_t ks_journal_taken(const struct ks_journal *journal);
uint64_t ks_journal_end(const struct ks_journal *journal);
bool ks_journal_is_released(const struct ks_journal *journal, uint64_t end);

static inline bool ks_journal_is_pending(const struct ks_journal *journal)
{
    return ks_journal_pending(journal) > 0;
}

#endif
