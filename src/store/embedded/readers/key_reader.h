/* key_reader.h — the thread that reads from the database, with a connection of its own that cannot write.
 * Every read is one short transaction, so the write-ahead log can be emptied.
 */
#ifndef KS_STORE_SQLITE_READERS_H
#define KS_STORE_SQLITE_READERS_H

#include "base/thread.h"
#include "store/embedded/database/query.h"
#include "store/store.h"

struct ks_engine;

struct ks_key_reader {
    struct ks_thread *thread;
    sqlite3 *database; /* the thread's; NULL after an error, until the next read */
    sqlite3_stmt *read_public_key;
};

/* KS_OK; KS_NO_MEMORY, KS_IO. */
enum ks_result ks_key_reader_start(struct ks_engine *engine);

/* Answers what was asked, ends the thread. Not started is fine. */
void ks_key_reader_stop(struct ks_engine *engine);

/* Any thread: reads the public key of a user that is known to have one, and posts the answer. */
void ks_key_reader_public_key(struct ks_engine *engine, struct ks_store_public_key *request);

#endif
