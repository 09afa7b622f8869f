/* filing.h — the way of messages into the database. A message is *appended* to a batch of the writer;
 * *journalled*, which means durable in the journal; *inserted*, a row of `messages`; *indexed*, noted in the
 * table `waiting`. Filing is all of that.
 *
 * Under load, a batch of the writer that does nothing but append messages goes to the journal (journal.h), in
 * one write; few messages, and few at a time, go straight into the database. What is in the journal is
 * inserted later: while one segment of the journal is written the other one is taken, some rows after each
 * batch, in one transaction; and all of it when nothing was appended for a moment, when somebody wants it,
 * and at the end. A batch that appends and changes the database anyway, or has too much for the journal,
 * inserts all there is, in its own transaction. Always in the order of ids: so
 * `sqlite_sequence`, which changes in the same transaction, tells up to where they are inserted, and a
 * message is taken from the journal once, whatever happens.
 *
 * Rows are indexed by receiver later still: it would cost each receiver a page of its own in every commit,
 * and most of what a commit costs. They are indexed in pieces: with what is taken from the journal, when
 * there are many, when somebody wants to read or delete them, and at the start. Up to which id they are
 * stands in `settings` (as 'messages filed'), and changes in the same transaction.
 *
 * Messages that are not inserted or indexed yet wait for their receivers like any others: inboxes.h knows of
 * them.
 */
#ifndef KS_STORE_EMBEDDED_WRITER_FILING_H
#define KS_STORE_EMBEDDED_WRITER_FILING_H

#include "base/retry.h"
#include "store/embedded/journal/journal.h"
#include "store/embedded/writer/writer.h"
#include "store/store.h"

#include <stdbool.h>

struct ks_filing {
    /* Set before anything else is called; all of it outlives the filing. */
    struct ks_database_writer *writer;
    const struct ks_clock *clock;
    const struct ks_random *random;
    const struct ks_log *log;
    int directory_fd; /* the data directory */

    _Atomic uint64_t indexed; /* ids up to this are, and that is committed */
    /* The writer's thread's. */
    uint64_t indexed_in_transaction; /* the same, if the writer's transaction is committed */
    uint64_t last_message_id;        /* that was given out, by who appends */
    struct ks_journal journal;
    uint64_t inserted;                     /* ids up to this, if the writer's transaction is committed … */
    uint64_t inserted_before;              /* … and if it is not */
    struct ks_store_append_message *first; /* of this batch, in the order of ids: not inserted … */
    struct ks_store_append_message *last;  /* … and not journalled */
    size_t size;                           /* that they take in the journal */
    size_t count;                          /* that the batch has appended, or the last one that did … */
    size_t count_before;                   /* … and the one before that */
    size_t load;                           /* messages without a quiet moment … */
    uint64_t last_append_ms;               /* … up to this one */
    bool quiet;                            /* nothing was appended since the thread was idle */
    struct ks_retry retry;                 /* of taking what the journal has */
    uint64_t next_opening_ms;              /* when the journal has failed: when it is opened again */
};

/* The opener's thread, before the writer runs and before anything looks at messages: reads which id was the
 * last, opens the journal and inserts what it has. When there is no space for a journal (the log says so),
 * everything works without, and is slower. KS_OK; errors of the database, and of a journal that is there,
 * which `why` tells. */
enum ks_result ks_filing_recover(struct ks_filing *filing, char *why, size_t why_size);

/* The same, after that: indexes what is not. KS_OK; errors of the database. */
enum ks_result ks_filing_start(struct ks_filing *filing);

/* After the writer's thread: inserts what the journal still has, and closes it. */
void ks_filing_stop(struct ks_filing *filing);

/* The writer's thread, inside its batch: this message, whose id is given, is to be committed with the batch.
 * It lives until the batch is settled. */
void ks_filing_append(struct ks_filing *filing, struct ks_store_append_message *request);

/* The same: inserts and indexes all that was appended, if messages up to `up_to` are not indexed yet; others
 * see it when the batch is committed. KS_OK; else the batch has failed. */
enum ks_result ks_filing_reach(struct ks_filing *filing, uint64_t up_to);

/* The writer's thread, before its batch is committed: journals or inserts what was appended, indexes when
 * there is a piece to index. */
void ks_filing_batch(struct ks_filing *filing);

/* The writer's thread, when the batch is settled: inserts some of what the journal has, if it must. */
void ks_filing_batch_over(struct ks_filing *filing);

/* The writer's thread, when its transaction is over. */
void ks_filing_transaction_over(struct ks_filing *filing, bool committed);

/* The writer's thread, when it has nothing to do: inserts some of what the journal has, once it was quiet for
 * a moment. Returns when to be asked again, as the hook of thread.h does. */
uint64_t ks_filing_idle(struct ks_filing *filing);

/* About once a second, on the writer's thread, between batches: opens the journal again when that has failed
 * a while ago. */
void ks_filing_tick(struct ks_filing *filing);

/* The writer's thread, between batches: inserts all that the journal has, and commits. */
enum ks_result ks_filing_insert_all(struct ks_filing *filing);

#endif
