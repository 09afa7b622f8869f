/* pull_reader.h — the thread that reads waiting messages, with a connection of its own that cannot write.
 * Public keys are read by another one (key_reader.h), so they never wait behind a large pull. Every read is
 * one short transaction, so the write-ahead log can be emptied.
 *
 * The thread also unlinks the files of messages that are deleted, and of users that are removed: that takes
 * long for large ones. And it reads what operators ask (details.h).
 */
#ifndef KS_STORE_SQLITE_PULLS_H
#define KS_STORE_SQLITE_PULLS_H

#include "base/thread.h"
#include "store/embedded/database/query.h"
#include "store/embedded/vault/names.h"
#include "store/store.h"

struct ks_engine;

struct ks_pull_reader {
    struct ks_thread *thread;
    sqlite3 *database; /* the thread's; NULL after an error, until the next read */
    uint8_t *scratch;  /* KS_SUMS_PIECE bytes, for contents in files */
    sqlite3_stmt *walk_sizes;
    sqlite3_stmt *read_messages;
    sqlite3_stmt *describe_user; /* these three are details.c's */
    sqlite3_stmt *describe_users;
    sqlite3_stmt *sum_files;
    sqlite3_stmt *count_senders; /* counting.c's */
};

/* KS_OK; KS_NO_MEMORY, KS_IO. */
enum ks_result ks_pull_reader_start(struct ks_engine *engine);

/* Answers what was asked, ends the thread. Not started is fine. */
void ks_pull_reader_stop(struct ks_engine *engine);

/* The thread itself: makes sure that there is a connection, with all statements but those of details.c and
 * counting.c. KS_OK, KS_NO_MEMORY, KS_IO. */
enum ks_result ks_pull_reader_connect(struct ks_engine *engine);

/* The thread itself: a read failed with `result`; the next connection may do better. Returns `result`. */
enum ks_result ks_pull_reader_failed(struct ks_engine *engine, enum ks_result result);

/* Any thread. ks_inboxes_lease has said KS_PENDING, and request->after and `until` say where to look: finds
 * the run that fits, leases it and posts the answer. */
void ks_pull_reader_lease(struct ks_engine *engine, struct ks_store_lease_waiting *request);

/* Any thread: reads, and posts the answer. */
void ks_pull_reader_read(struct ks_engine *engine, struct ks_store_lease_read *request);

#endif
