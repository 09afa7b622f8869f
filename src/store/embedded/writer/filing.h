/* filing.h — from the journal into the database. The middle one of three parts through which a message goes:
 *
 *     appending.h    a message that was sent becomes durable: in the journal under load, else as rows
 *     filing.h       what the journal has becomes rows, later, many in one transaction
 *     message_rows.h the rows
 *
 *                     appended ──────────── as rows, with its batch ────────────> filed
 *                         │                                                        ^
 *                         └── journalled (durable, acknowledged) ── by the filer ──┘
 *
 * Filing is done by whoever has the turn to write to the database (write_turn.h), in its transaction. That is
 * the filer, a thread for it: when a part of the journal is full, or nothing was appended for a moment. Or
 * the writer, when it needs rows at once (ks_appending_reach), or room in the journal.
 *
 * What holds: messages are filed in the order of their ids, so all with ids up to `sqlite_sequence` are, and
 * none is taken twice, whatever happens. A row of `messages` and its row of `waiting` are committed together.
 * What is journalled is kept there until its rows are committed. Messages that are not filed wait for their
 * receivers like any others: inboxes.h knows of them; and nothing is leased before it is filed.
 *
 * docs/decisions.md tells why there is a journal at all, and from which load on it pays.
 */
#ifndef KS_STORE_EMBEDDED_WRITER_FILING_H
#define KS_STORE_EMBEDDED_WRITER_FILING_H

#include "base/retry.h"
#include "store/embedded/journal/journal.h"
#include "store/embedded/writer/writer.h"

#include <stdbool.h>

struct ks_filing {
    /* Set before anything else is called; all of it outlives the filing. */
    struct ks_database_writer *writer;
    const struct ks_clock *clock;
    const struct ks_random *random;
    const struct ks_log *log;
    int directory_fd; /* the data directory */

    _Atomic uint64_t filed; /* ids up to this are rows, and that is committed */
    struct ks_journal journal;
    /* The writer's thread's. */
    uint64_t last_message_id; /* that was given out, by who appends */
    uint64_t next_opening_ms; /* when the journal has failed: when it is opened again */
    /* Of who has the turn. */
    uint64_t filed_in_transaction; /* as `filed`, if the transaction is committed */
    /* The filer's. */
    struct ks_database_writer connection; /* without a thread of its own */
    struct ks_courtesy courtesy;
    struct ks_thread *thread;
    struct ks_task task;
    _Atomic bool is_asked;    /* the task is posted */
    _Atomic bool log_is_long; /* and should be written back when it has run */
    struct ks_retry retry;
    _Atomic uint64_t ns_per_kibibyte; /* that filing has taken lately */
};

/* The opener's thread, before the writer runs and before anything looks at messages: reads which id was the
 * last, opens the journal and files what it has. When there is no space for a journal (the log says so),
 * everything works without, and is slower. KS_OK; errors of the database, and of a journal that is there,
 * which `why` tells. */
enum ks_result ks_filing_recover(struct ks_filing *filing, char *why, size_t why_size);

/* The same, after that: begins the journal, starts the filer. KS_OK; KS_NO_MEMORY, KS_IO; errors of the
 * database, which the log tells. */
enum ks_result ks_filing_start(struct ks_filing *filing);

/* Before the writer is stopped, and no more is asked for: what was asked of the filer has been done. */
void ks_filing_settle(struct ks_filing *filing);

/* After the writer's thread: ends the filer, files what the journal still has, and closes it. */
void ks_filing_stop(struct ks_filing *filing);

/* Any thread: has the filer file what is journalled now. */
void ks_filing_ask(struct ks_filing *filing);

/* Any thread of the store's: has the filer write back the database's log, which keeps nobody from writing. */
void ks_filing_write_back_log(struct ks_filing *filing);

/* Any thread: has this run on the filer's thread. */
void ks_filing_post(struct ks_filing *filing, struct ks_task *task);

/* The filer's thread, outside a transaction: files what is journalled now. What fails stays in the journal.
 */
void ks_filing_file_journalled(struct ks_filing *filing);

/* Any thread: for how many microseconds who appends `size` bytes leaves the machine to the filer, lest the
 * journal be full one day and all have to wait long: each waits a little, the more the fuller it is. 0 as
 * long as the filer keeps up. */
uint64_t ks_filing_pace(const struct ks_filing *filing, size_t size);

/* The writer's thread, outside a transaction, in a batch of which nothing has failed, when the journal is
 * full: has a part of it filed, by the filer if it is at it, else here. KS_OK; else nothing was. */
enum ks_result ks_filing_make_room(struct ks_filing *filing);

/* Inside a transaction of this writer: files all that is journalled. KS_OK; else the transaction has failed.
 */
enum ks_result ks_filing_file(struct ks_filing *filing, struct ks_database_writer *writer);

/* Inside the same: that the ids up to this one are filed now. */
void ks_filing_note(struct ks_filing *filing, uint64_t last);

/* The writer's thread: the journal cannot be written; it is opened again after a while. */
void ks_filing_journal_failed(struct ks_filing *filing);

/* When a transaction of either is over; it still has the turn. */
void ks_filing_transaction_over(struct ks_filing *filing, bool committed);

/* About once a second, on the writer's thread, between batches: what is journalled for long is filed, and an
 * empty journal marked as such; when it has failed a while ago, it is opened again. */
void ks_filing_tick(struct ks_filing *filing, bool is_quiet);

#endif
