/* filing.h — by whom waiting messages are found on disk: the table `waiting`, an index by receiver that is
 * written later than the messages themselves.
 *
 * A message is durable as soon as its row is: at the end of `messages`, where all receivers share a page. An
 * index by receiver would cost every one of them a page of its own in every commit, and most of what a commit
 * costs. So rows are *filed* in pieces, sorted: when there are many, when somebody wants to read or delete
 * them, and at the start. Up to which id they are filed stands in `settings`, and changes in the same
 * transaction.
 *
 * Messages that are not filed yet wait for their receivers like any others: inboxes.h knows of them.
 */
#ifndef KS_STORE_SQLITE_FILING_H
#define KS_STORE_SQLITE_FILING_H

#include "store/store.h"

#include <stdbool.h>

struct ks_engine;

struct ks_filing {
    _Atomic uint64_t done;   /* ids up to this are filed, and committed */
    uint64_t in_transaction; /* the same, if the writer's transaction is committed */
};

/* The opener's thread, before the writer runs: files what is not. last_message_id is known. KS_OK; errors of
 * the database. */
enum ks_result ks_filing_start(struct ks_engine *engine);

/* The writer's thread, inside its batch: files all that was inserted, if messages up to `up_to` are not filed
 * yet. KS_OK; else the batch has failed. */
enum ks_result ks_filing_reach(struct ks_engine *engine, uint64_t up_to);

/* The writer's thread, when its batch is about to be committed: files when there is a piece to file. */
void ks_filing_batch(struct ks_engine *engine);

/* The writer's thread, when its transaction is over. */
void ks_filing_transaction_over(struct ks_engine *engine, bool committed);

/* Any thread: has all messages filed that wait now, then leases and answers as ks_messages_lease_waiting. */
void ks_filing_before_lease(struct ks_engine *engine, struct ks_store_lease_waiting *request);

#endif
