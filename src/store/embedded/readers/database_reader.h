/* database_reader.h — a thread that reads from the database, with a connection of its own that cannot write,
 * and the statements that its users have compiled there. key_reader.h and pull_reader.h are such threads.
 * Every read is one short transaction, so the write-ahead log can be emptied.
 *
 * Starting and stopping are the opener's thread's, posting is any thread's; everything else is the thread's
 * own.
 */
#ifndef KS_STORE_EMBEDDED_READERS_DATABASE_READER_H
#define KS_STORE_EMBEDDED_READERS_DATABASE_READER_H

#include "base/log.h"
#include "base/thread.h"
#include "store/embedded/database/query.h"

enum { KS_READER_STATEMENTS = 6 }; /* places for them */

struct ks_database_reader {
    /* Set before anything else is called; all of it outlives the reader. */
    const char *database_path;
    const char *subject; /* what is read, in the plural, for the log */
    const struct ks_log *log;

    struct ks_thread *thread;
    sqlite3 *database; /* NULL after an error, until the next read */
    sqlite3_stmt *statements[KS_READER_STATEMENTS];
};

/* Starts the thread, called `name`. KS_OK, KS_NO_MEMORY, KS_IO. */
enum ks_result ks_database_reader_start(struct ks_database_reader *reader, const char *name);

/* Runs what was posted, ends the thread and the connection. Not started is fine. */
void ks_database_reader_stop(struct ks_database_reader *reader);

/* Posts a task. */
void ks_database_reader_post(struct ks_database_reader *reader, struct ks_task *task);

/* Makes sure that there is a connection. KS_OK, KS_NO_MEMORY, KS_IO. */
enum ks_result ks_database_reader_connect(struct ks_database_reader *reader);

/* Makes a new one: nothing that was read before is remembered. No statement may be running. The same results.
 */
enum ks_result ks_database_reader_reconnect(struct ks_database_reader *reader);

/* As ks_database_reader_connect, and makes sure that statements[place] is compiled: from `text`, always the
 * same for this place. None of the statements may be running. The same results; before the thread runs, the
 * opener's thread may call it, too.
 */
enum ks_result ks_database_reader_prepare(struct ks_database_reader *reader, unsigned place,
                                          const char *text);

/* A read failed with `result`; the next connection may do better. Returns `result`. */
enum ks_result ks_database_reader_failed(struct ks_database_reader *reader, enum ks_result result);

#endif
