/* filing.h — the way of messages into the database: appended, journalled or inserted, filed.
 *
 * Under load, a batch of the writer that does nothing but append messages goes to the journal (journal.h), in
 * one write; few messages, and few at a time, go straight into the database. What is in the journal is
 * *inserted*, as rows of `messages`, later: while one segment of the journal is written the other one is
 * taken, some rows after each batch, in one transaction; and all of it when nothing was appended for a
 * moment, when somebody wants it, and at the end. A batch that appends and changes the database anyway, or
 * has too much for the journal, inserts all there is, in its own transaction. Always in the order of ids: so
 * `sqlite_sequence`, which changes in the same transaction, tells up to where they are inserted, and a
 * message is taken from the journal once, whatever happens.
 *
 * Rows are *filed*, which means noted in the table `waiting`, an index by receiver, later still: it would
 * cost each receiver a page of its own in every commit, and most of what a commit costs. They are filed in
 * pieces: with what is taken from the journal, when there are many, when somebody wants to read or delete
 * them, and at the start. Up to which id they are filed stands in `settings`, and changes in the same
 * transaction.
 *
 * Messages that are not inserted or filed yet wait for their receivers like any others: inboxes.h knows of
 * them.
 */
#ifndef KS_STORE_SQLITE_FILING_H
#define KS_STORE_SQLITE_FILING_H

#include "base/retry.h"
#include "store/embedded/journal/journal.h"
#include "store/store.h"

#include <stdbool.h>

struct ks_engine;

struct ks_filing {
    _Atomic uint64_t done;   /* ids up to this are filed, and committed */
    uint64_t in_transaction; /* the same, if the writer's transaction is committed */
    /* The writer's thread's. */
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
enum ks_result ks_filing_recover(struct ks_engine *engine, char *why, size_t why_size);

/* The same, after that: files what is not. KS_OK; errors of the database. */
enum ks_result ks_filing_start(struct ks_engine *engine);

/* After the writer's thread: inserts what the journal still has, and closes it. */
void ks_filing_stop(struct ks_engine *engine);

/* The writer's thread, inside its batch: this message, whose id is given, is to be committed with the batch.
 * It lives until the batch is settled. */
void ks_filing_append(struct ks_engine *engine, struct ks_store_append_message *request);

/* The same: inserts and files all that was appended, if messages up to `up_to` are not filed yet; others see
 * it when the batch is committed. KS_OK; else the batch has failed. */
enum ks_result ks_filing_reach(struct ks_engine *engine, uint64_t up_to);

/* The writer's thread, before its batch is committed: journals or inserts what was appended, files when there
 * is a piece to file. */
void ks_filing_batch(struct ks_engine *engine);

/* The writer's thread, when the batch is settled: inserts some of what the journal has, if it must. */
void ks_filing_batch_over(struct ks_engine *engine);

/* The writer's thread, when its transaction is over. */
void ks_filing_transaction_over(struct ks_engine *engine, bool committed);

/* The writer's thread, when it has nothing to do: inserts some of what the journal has, once it was quiet for
 * a moment. Returns when to be asked again, as the hook of thread.h does. */
uint64_t ks_filing_idle(struct ks_engine *engine);

/* About once a second, on the writer's thread, between batches: opens the journal again when that has failed
 * a while ago. */
void ks_filing_tick(struct ks_engine *engine);

/* The writer's thread, between batches: inserts all that the journal has, and commits. */
enum ks_result ks_filing_insert_all(struct ks_engine *engine);

/* Any thread: has all messages filed that wait now, then leases and answers as ks_messages_lease_waiting. */
void ks_filing_before_lease(struct ks_engine *engine, struct ks_store_lease_waiting *request);

#endif
