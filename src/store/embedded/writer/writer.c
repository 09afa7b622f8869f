/* writer.c — see writer.h: the thread, the connection, the transaction of a batch. What is done in
 * it comes in tasks and by the hooks. */
#include "store/embedded/writer/writer.h"

#include "base/limits/log_repeats.h"
#include "base/wakes.h"

#include <stdio.h>

enum {
    TICK_MS = 1000,
    LOG_PAGES = 4000,          /* of the database's log: time to write it back … */
    LOG_LIMIT = 4 * LOG_PAGES, /* … and here at the latest, for otherwise it would grow without end */
    COURTESY_STEPS = 1000,     /* of SQLite's machine: some 40 µs */
};

/* FAIL, where a statement has many rows: no copies of pages to undo the statement alone. Whatever fails
 * undoes the whole transaction. */
#define ONE_MESSAGE "(?, ?, ?, ?, ?, ?, ?, ?)"
#define FOUR_MORE   "," ONE_MESSAGE "," ONE_MESSAGE "," ONE_MESSAGE "," ONE_MESSAGE
#define INSERT_MESSAGE                                                                                       \
    "INSERT OR FAIL INTO messages(ID, ToClient, FromClient, Type, ContentSize, Place, Content, Sum)"         \
    " VALUES" ONE_MESSAGE

static const char *const statement_texts[KS_STATEMENT_COUNT] = {
    [KS_STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [KS_STATEMENT_COMMIT] = "COMMIT",
    [KS_STATEMENT_INSERT_CLIENT] =
        "INSERT INTO clients(ID, Name, PublicKey, LastSeen, Registered, AESKeyUsed, Skeleton)"
        " VALUES(?, ?, ?, ?, ?, ?, ?)",
    [KS_STATEMENT_DELETE_CLIENT] = "DELETE FROM clients WHERE rowid=?",
    [KS_STATEMENT_READ_PUBLIC_KEY] = "SELECT PublicKey FROM clients WHERE rowid=?",
    [KS_STATEMENT_SET_PUBLIC_KEY] = "UPDATE clients SET PublicKey=?, KeyReset=NULL WHERE rowid=?",
    [KS_STATEMENT_RESET_KEY] =
        "UPDATE clients SET PublicKey=NULL, AESKey=NULL, AESKeyUsed=NULL, KeyReset=? WHERE rowid=?",
    [KS_STATEMENT_INSERT_REMOVAL] = "INSERT INTO removals(ID) VALUES(?)",
    [KS_STATEMENT_DELETE_REMOVAL] = "DELETE FROM removals WHERE ID=?",
    [KS_STATEMENT_DELETE_FILES] =
        "DELETE FROM files WHERE rowid IN (SELECT rowid FROM files WHERE ID=? LIMIT ?)",
    [KS_STATEMENT_DELETE_FILE] = "DELETE FROM files WHERE rowid=? AND PathName=?",
    [KS_STATEMENT_REMOVE_FILE] = "DELETE FROM files WHERE PathName=?",
    [KS_STATEMENT_HAS_FILE] = "SELECT 1 FROM files WHERE ID=? AND KeptName=? AND PathName=? AND Size=?"
                              " AND Cksum=? AND Written=?",
    [KS_STATEMENT_SET_CONTENT_KEY] = "UPDATE clients SET AESKey=?, AESKeyUsed=? WHERE rowid=?",
    [KS_STATEMENT_FORGET_CONTENT_KEY] =
        "UPDATE clients SET AESKey=NULL, AESKeyUsed=NULL WHERE rowid=? AND AESKey=?",
    [KS_STATEMENT_SET_LAST_SEEN] =
        "UPDATE clients SET LastSeen=?, AESKeyUsed=coalesce(?, AESKeyUsed) WHERE rowid=?",
    /* REPLACE for both of its keys: the row of that name, and one that was adopted under that path. */
    [KS_STATEMENT_PUT_FILE] = "INSERT OR REPLACE INTO files(ID, FileName, PathName, Verified, KeptName, Size,"
                              " Cksum, Written) VALUES(?, ?, ?, 1, ?, ?, ?, ?)",
    [KS_STATEMENT_ADOPT_FILE] = "INSERT OR IGNORE INTO files(ID, FileName, PathName, Verified, KeptName)"
                                " SELECT ?1, ?2, ?3, 1, ?4"
                                " WHERE NOT EXISTS (SELECT 1 FROM removals WHERE ID=?1)",
    /* Of a file that is another one now, nobody was told a cksum. */
    [KS_STATEMENT_SET_FILE_SIZE] =
        "UPDATE files SET Size=?, Cksum=NULL, Written=NULL, SHA256=NULL WHERE rowid=?",
    /* Only in the row of that very file. */
    [KS_STATEMENT_SET_FILE_DIGEST] = "UPDATE files SET SHA256=?, Size=?, Written=?"
                                     " WHERE rowid=? AND PathName=? AND Size IS ? AND Written IS ?"
                                     " AND Cksum IS ? AND SHA256 IS NULL",
    [KS_STATEMENT_FORGET_FILE_DIGEST] = "UPDATE files SET SHA256=NULL WHERE rowid=?",
    [KS_STATEMENT_INSERT_MESSAGE] = INSERT_MESSAGE,
    [KS_STATEMENT_INSERT_MESSAGES_TOGETHER] =
        INSERT_MESSAGE FOUR_MORE FOUR_MORE FOUR_MORE "," ONE_MESSAGE "," ONE_MESSAGE "," ONE_MESSAGE,
    [KS_STATEMENT_SIZES_OF_MESSAGES] = "SELECT ID, ContentSize FROM waiting"
                                       " WHERE ToClient=? AND ID>? AND ID<=? ORDER BY ID",
    [KS_STATEMENT_PLACES_OF_MESSAGES] = "SELECT ID, Place FROM messages INDEXED BY messages_spooled"
                                        " WHERE ToClient=? AND ID>? AND ID<=? AND Place IS NOT NULL"
                                        " ORDER BY ID",
    [KS_STATEMENT_DELETE_MESSAGES] = "DELETE FROM messages"
                                     " WHERE ID IN"
                                     " (SELECT ID FROM waiting WHERE ToClient=? AND ID>? AND ID<=?)",
    [KS_STATEMENT_DELETE_WAITING] = "DELETE FROM waiting WHERE ToClient=? AND ID>? AND ID<=?",
    [KS_STATEMENT_DELETE_MESSAGE] = "DELETE FROM messages WHERE ID=?",
    [KS_STATEMENT_DELETE_WAITING_ONE] = "DELETE FROM waiting WHERE ToClient=? AND ID=?"
                                        " RETURNING ContentSize",
    [KS_STATEMENT_INDEX_MESSAGES] = "INSERT OR FAIL INTO waiting(ToClient, ID, ContentSize)"
                                    " SELECT ToClient, ID, ContentSize FROM messages WHERE ID>? AND ID<=?"
                                    " ORDER BY ToClient, ID",
    [KS_STATEMENT_SET_AGE] = "UPDATE settings SET Value=? WHERE Name='seconds run'",
    [KS_STATEMENT_ACCOUNT_BY_KEY] = "SELECT ID, Key, Registered, ClassicID FROM accounts WHERE Key=?",
    [KS_STATEMENT_ACCOUNT_BY_ID] = "SELECT ID, Key, Registered, ClassicID FROM accounts WHERE ID=?",
    [KS_STATEMENT_INSERT_ACCOUNT] =
        "INSERT INTO accounts(ID, Key, Registered, Skeleton)"
        " SELECT ID, ?, ?, coalesce(Skeleton, lower(Name)) FROM clients WHERE ID=?",
    [KS_STATEMENT_SET_ACCOUNT_KEY] = "UPDATE accounts SET Key=?, ClassicID=NULL WHERE ID=?",
    [KS_STATEMENT_SET_CLASSIC_ID] = "UPDATE accounts SET ClassicID=? WHERE ID=?",
    [KS_STATEMENT_SET_CLASSIC_KEY] =
        "UPDATE clients SET PublicKey=?, AESKey=NULL, AESKeyUsed=NULL, KeyReset=NULL WHERE rowid=?",
    [KS_STATEMENT_DELETE_ACCOUNT] = "DELETE FROM accounts WHERE ID=?",
    [KS_STATEMENT_SKELETON_OF_ACCOUNT] = "SELECT 1 FROM accounts WHERE Skeleton=?1"
                                         " UNION ALL SELECT 1 FROM retired WHERE Skeleton=?1 LIMIT 1",
    [KS_STATEMENT_SKELETON_OF_ANYBODY] = "SELECT 1 FROM clients WHERE Skeleton=?1"
                                         " UNION ALL SELECT 1 FROM retired WHERE Skeleton=?1 LIMIT 1",
    [KS_STATEMENT_RETIRE_ACCOUNT] = "INSERT OR REPLACE INTO retired(ID, Name, Skeleton)"
                                    " SELECT a.ID, c.Name, a.Skeleton FROM accounts AS a"
                                    " JOIN clients AS c ON c.ID=a.ID WHERE a.ID=?",
    [KS_STATEMENT_RETIRED_BY_NAME] = "SELECT ID FROM retired WHERE Name=?",
    [KS_STATEMENT_DELETE_RETIRED] = "DELETE FROM retired WHERE ID=?",
    [KS_STATEMENT_READ_INVITATION] = "SELECT Uses, Until, Name FROM invitations WHERE Hash=?",
    [KS_STATEMENT_USE_INVITATION] = "UPDATE invitations SET Uses=Uses-1 WHERE Hash=?",
    [KS_STATEMENT_DELETE_INVITATION] = "DELETE FROM invitations WHERE Hash=?",
    [KS_STATEMENT_INSERT_INVITATION] = "INSERT INTO invitations(Hash, Uses, Until, Name) VALUES(?, ?, ?, ?)",
    [KS_STATEMENT_COUNT_INVITATIONS] = "SELECT count(*) FROM invitations",
    [KS_STATEMENT_DELETE_OVER_INVITATIONS] = "DELETE FROM invitations WHERE Until<>0 AND Until<=?",
};

/* ---- the connection ---- */

void ks_database_writer_disconnect(struct ks_database_writer *writer)
{
    for (size_t i = 0; i < KS_STATEMENT_COUNT; i++) {
        sqlite3_finalize(writer->statements[i]);
        writer->statements[i] = NULL;
    }
    sqlite3_close_v2(writer->database);
    writer->database = NULL;
}

/* After a commit. A log that is written back while others write to it never begins anew: what it has at the
 * end is not all written back. So when it has become too long for that, the others wait. */
static int look_at_log(void *context, sqlite3 *database, const char *name, int pages)
{
    const struct ks_database_writer *writer = context;
    if (pages >= LOG_LIMIT)
        (void)sqlite3_wal_checkpoint_v2(database, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    else if (pages >= LOG_PAGES)
        writer->log_is_long(writer->context);
    return SQLITE_OK;
}

/* While a statement runs. Not when the writer waits for us to end. */
static int offer_core(void *context)
{
    const struct ks_database_writer *writer = context;
    if (!ks_write_turn_is_wanted(writer->turn))
        ks_courtesy_offer(writer->courtesy);
    return 0; /* go on */
}

enum ks_result ks_database_writer_connect(struct ks_database_writer *writer, char *why, size_t why_size)
{
    enum ks_result result = ks_database_open(writer->database_path, true, &writer->database, why, why_size);
    if (result == KS_OK)
        sqlite3_wal_hook(writer->database, look_at_log, writer);
    if (result == KS_OK && writer->courtesy != NULL)
        sqlite3_progress_handler(writer->database, COURTESY_STEPS, offer_core, writer);
    return result;
}

/* Statements are compiled when they are first used: at the start, the tables are not there yet. */
static enum ks_result compile_statement(struct ks_database_writer *writer, enum ks_statement statement)
{
    if (writer->statements[statement] != NULL)
        return KS_OK;
    return ks_database_prepare(writer->database, statement_texts[statement], &writer->statements[statement]);
}

static enum ks_result reconnect(struct ks_database_writer *writer)
{
    char why[256] = "";
    if (writer->database != NULL)
        return KS_OK;
    enum ks_result result = ks_database_writer_connect(writer, why, sizeof why);
    if (result == KS_OK)
        ks_log_trouble(writer->log, KS_LOG_NOTICE, "the database is open again");
    else
        ks_log_trouble(writer->log, KS_LOG_ERROR, "the database cannot be changed: %s", why);
    return result;
}

/* ---- the transaction of a batch ---- */

enum ks_result ks_database_writer_check(struct ks_database_writer *writer, enum ks_result result)
{
    if (result == KS_OK || result == KS_EXISTS || writer->failure != KS_OK)
        return result;
    writer->failure = result;
    ks_log_trouble(writer->log, KS_LOG_ERROR, "the database refused a change: %s",
                   writer->database != NULL ? sqlite3_errmsg(writer->database) : ks_result_text(result));
    return result;
}

static enum ks_result run_statement(struct ks_database_writer *writer, enum ks_statement statement)
{
    struct ks_query query = ks_database_writer_query(writer, statement);
    return ks_database_writer_check(writer, ks_query_run(&query));
}

enum ks_result ks_database_writer_begin(struct ks_database_writer *writer)
{
    if (writer->failure != KS_OK || writer->in_transaction)
        return writer->failure;
    ks_write_turn_take(writer->turn, writer->in_a_hurry);
    writer->failure = reconnect(writer);
    if (writer->failure == KS_OK && run_statement(writer, KS_STATEMENT_BEGIN) == KS_OK)
        writer->in_transaction = true;
    else
        ks_write_turn_give(writer->turn);
    return writer->failure;
}

struct ks_query ks_database_writer_query(struct ks_database_writer *writer, enum ks_statement statement)
{
    enum ks_result result = compile_statement(writer, statement);
    struct ks_query query = ks_query_start(writer->statements[statement]);
    if (result != KS_OK)
        query.code = result == KS_NO_MEMORY ? SQLITE_NOMEM : SQLITE_IOERR;
    return query;
}

const uint64_t ks_database_writer_request_bounds[KS_HISTOGRAM_BOUNDS] = {
    1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500, 1000, 2000, 5000, 10000};
const uint64_t ks_database_writer_microsecond_bounds[KS_HISTOGRAM_BOUNDS] = {
    50,    100,   250,    500,    1000,   2500,    5000,    10000,
    25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 10000000};

void ks_database_writer_count_commit(struct ks_database_writer *writer, uint64_t began_ns)
{
    struct ks_database_writer_counts *counts = &writer->counts;
    uint64_t took = (ks_clock_stopwatch_ns() - began_ns) / 1000;
    ks_histogram_count(&counts->microseconds, ks_database_writer_microsecond_bounds, took);
    ks_histogram_count(&counts->requests, ks_database_writer_request_bounds, writer->to_settle);
}

static void commit(struct ks_database_writer *writer)
{
    uint64_t began = ks_clock_stopwatch_ns();
    if (run_statement(writer, KS_STATEMENT_COMMIT) == KS_OK)
        ks_database_writer_count_commit(writer, began);
}

enum ks_result ks_database_writer_finish(struct ks_database_writer *writer)
{
    if (!writer->in_transaction)
        return writer->failure;
    if (writer->failure == KS_OK)
        commit(writer);
    if (writer->failure != KS_OK)
        ks_count(&writer->counts.failures, 1);
    if (writer->failure != KS_OK && !sqlite3_get_autocommit(writer->database) &&
        ks_database_run(writer->database, "ROLLBACK") != KS_OK)
        writer->failure = KS_IO;
    writer->in_transaction = false;
    writer->transaction_over(writer->context, writer->failure == KS_OK);
    ks_write_turn_give(writer->turn);
    return writer->failure;
}

void ks_database_writer_forget_failure(struct ks_database_writer *writer)
{
    /* Nobody knows what a connection is worth after an input/output error; a new one knows. */
    if (writer->failure != KS_OK && writer->failure != KS_NO_SPACE && writer->database != NULL)
        ks_database_writer_disconnect(writer);
    writer->failure = KS_OK;
}

void ks_database_writer_write_back(struct ks_database_writer *writer)
{
    if (reconnect(writer) == KS_OK && !writer->in_transaction)
        (void)sqlite3_wal_checkpoint_v2(writer->database, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

uint64_t ks_database_writer_find_room(struct ks_database_writer *writer)
{
    int64_t pages = 0;
    int64_t page_size = 0;
    if (writer->database == NULL || writer->in_transaction)
        return 0;
    ks_database_writer_write_back(writer);
    if (ks_database_read_integer(writer->database, "PRAGMA freelist_count", &pages) != KS_OK ||
        ks_database_read_integer(writer->database, "PRAGMA page_size", &page_size) != KS_OK)
        return 0;
    return (uint64_t)pages * (uint64_t)page_size;
}

void ks_database_writer_settle_later(struct ks_database_writer *writer, struct ks_task *task,
                                     void (*settle)(struct ks_task *task))
{
    task->run = settle;
    task->next = NULL;
    if (writer->last_to_settle == NULL)
        writer->first_to_settle = task;
    else
        writer->last_to_settle->next = task;
    writer->last_to_settle = task;
    writer->to_settle++;
}

static void join_interludes(struct ks_task *task)
{
    struct ks_interlude *interlude = KS_CONTAINER_OF(task, struct ks_interlude, task);
    struct ks_database_writer *writer = interlude->writer;
    interlude->next = writer->interludes;
    writer->interludes = interlude;
}

void ks_database_writer_between(struct ks_database_writer *writer, struct ks_interlude *interlude)
{
    interlude->writer = writer;
    interlude->task.run = join_interludes;
    ks_database_writer_post(writer, &interlude->task);
}

static void run_interludes(struct ks_database_writer *writer)
{
    while (writer->interludes != NULL) {
        struct ks_interlude *interlude = writer->interludes;
        writer->interludes = interlude->next;
        interlude->run(interlude);
    }
}

static void writer_batch_done(void *context)
{
    struct ks_database_writer *writer = context;
    writer->hooks.batch(writer->context);
    ks_database_writer_finish(writer);
    struct ks_task *task = writer->first_to_settle;
    writer->first_to_settle = NULL;
    writer->last_to_settle = NULL;
    writer->to_settle = 0;
    ks_wakes_hold();
    while (task != NULL) {
        struct ks_task *next = task->next;
        task->run(task);
        task = next;
    }
    ks_wakes_release();
    ks_database_writer_forget_failure(writer);
    writer->hooks.batch_over(writer->context);
    run_interludes(writer);
}

static void writer_tick(void *context)
{
    const struct ks_database_writer *writer = context;
    writer->hooks.tick(writer->context);
}

static uint64_t writer_idle(void *context)
{
    const struct ks_database_writer *writer = context;
    return writer->hooks.idle(writer->context);
}

/* ---- the thread ---- */

void ks_database_writer_post(struct ks_database_writer *writer, struct ks_task *task)
{
    ks_executor_post(ks_thread_executor(writer->thread), task);
}

enum ks_result ks_database_writer_start(struct ks_database_writer *writer)
{
    const struct ks_thread_hooks hooks = {
        .context = writer,
        .batch_done = writer_batch_done,
        .tick = writer_tick,
        .tick_ms = TICK_MS,
        .idle = writer_idle,
    };
    return ks_thread_start(&writer->thread, "store-writer", &hooks);
}

void ks_database_writer_stop(struct ks_database_writer *writer)
{
    ks_thread_stop(writer->thread);
    writer->thread = NULL;
}
