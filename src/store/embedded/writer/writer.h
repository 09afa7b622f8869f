/* writer.h — the one thread that writes to the database.
 *
 * Requests are posted to it as tasks. All that were posted while one commit was on its way are the next
 * batch: the first that needs it begins a transaction, the end of the batch commits it, and only then is the
 * index in RAM changed and are the answers sent (group commit). So a task runs twice: first to *apply* itself
 * inside the transaction, then, through the function it leaves with ks_database_writer_settle_later, to
 * *settle*: to read the batch's result, change RAM and answer.
 *
 * Errors: when SQLite refuses anything but a constraint, the whole batch is rolled back and every request in
 * it gets that error. After an input/output error the connection is closed, and the next batch opens a new
 * one: the engine lives on. Everything here but start and stop is the writer's thread's.
 */
#ifndef KS_STORE_SQLITE_WRITER_H
#define KS_STORE_SQLITE_WRITER_H

#include "base/counter.h"
#include "base/thread.h"
#include "store/embedded/database/query.h"

struct ks_engine;
struct ks_user_entry;

enum { KS_INSERTED_TOGETHER = 16 };

enum ks_statement {
    KS_STATEMENT_BEGIN,
    KS_STATEMENT_COMMIT,
    KS_STATEMENT_INSERT_CLIENT,      /* ID, Name, PublicKey, LastSeen, Registered, AESKeyUsed */
    KS_STATEMENT_DELETE_CLIENT,      /* rowid */
    KS_STATEMENT_READ_PUBLIC_KEY,    /* rowid */
    KS_STATEMENT_SET_PUBLIC_KEY,     /* PublicKey, rowid */
    KS_STATEMENT_RESET_KEY,          /* KeyReset, rowid */
    KS_STATEMENT_INSERT_REMOVAL,     /* ID */
    KS_STATEMENT_DELETE_REMOVAL,     /* ID */
    KS_STATEMENT_DELETE_FILES,       /* ID, how many */
    KS_STATEMENT_DELETE_FILE,        /* rowid, PathName */
    KS_STATEMENT_SET_CONTENT_KEY,    /* AESKey, AESKeyUsed, rowid */
    KS_STATEMENT_FORGET_CONTENT_KEY, /* rowid, AESKey */
    KS_STATEMENT_SET_LAST_SEEN,      /* LastSeen, AESKeyUsed, rowid */
    KS_STATEMENT_PUT_FILE,           /* ID, FileName, PathName, KeptName, Size, Cksum, Written */
    KS_STATEMENT_ADOPT_FILE,         /* ID, FileName, PathName, KeptName */
    KS_STATEMENT_SET_FILE_SIZE,      /* Size, rowid */
    KS_STATEMENT_INSERT_MESSAGE,     /* ID, ToClient, FromClient, Type, ContentSize, Place, Content, Sum */
    KS_STATEMENT_INSERT_MESSAGES_TOGETHER, /* the same, KS_INSERTED_TOGETHER times */
    KS_STATEMENT_SIZES_OF_MESSAGES,        /* ToClient, highest ID: ID, ContentSize in the order of ID */
    KS_STATEMENT_PLACES_OF_MESSAGES,       /* the same: ID, Place of those that have one */
    KS_STATEMENT_DELETE_MESSAGES,          /* the same */
    KS_STATEMENT_DELETE_WAITING,           /* the same */
    KS_STATEMENT_DELETE_MESSAGE,           /* ID */
    KS_STATEMENT_DELETE_WAITING_ONE,       /* ToClient, ID; its ContentSize */
    KS_STATEMENT_FILE_MESSAGES,            /* the highest ID that is filed, the highest that is to be */
    KS_STATEMENT_SET_FILED,                /* the highest ID that is filed */
    KS_STATEMENT_SET_AGE,                  /* the directory's time (age.h) */
    KS_STATEMENT_COUNT,
};

/* What commits were like. Counted by the writer's thread, read by any. */
struct ks_database_writer_counts {
    struct ks_histogram requests;     /* in one commit */
    struct ks_histogram microseconds; /* that it took */
    _Atomic uint64_t failures;        /* batches of which nothing was kept */
};

extern const uint64_t ks_database_writer_request_bounds[KS_HISTOGRAM_BOUNDS];
extern const uint64_t ks_database_writer_microsecond_bounds[KS_HISTOGRAM_BOUNDS];

/* Something that the writer does between two batches, in transactions of its own: no request fails with it.
 */
struct ks_interlude {
    struct ks_task task;       /* the writer's until `run` */
    struct ks_engine *engine;  /* likewise */
    struct ks_interlude *next; /* likewise */
    void (*run)(struct ks_interlude *interlude);
};

struct ks_database_writer {
    struct ks_database_writer_counts counts;
    struct ks_thread *thread;
    sqlite3 *database; /* NULL after an input/output error, until the next batch */
    sqlite3_stmt *statements[KS_STATEMENT_COUNT];
    struct ks_task *first_to_settle; /* of this batch, in the order of applying */
    struct ks_task *last_to_settle;
    struct ks_interlude *interludes; /* due when this batch is over; the last one first */
    size_t to_settle;                /* how many those are */
    bool in_transaction;
    bool must_commit;         /* this batch has changed the database; else the transaction is filing.h's */
    enum ks_result failure;   /* of this batch */
    uint64_t last_message_id; /* that was given out */
    uint64_t last_flush_ms;   /* upkeep.c: when LastSeen was last written */
    bool flush_is_behind;     /* upkeep.c: the last piece did not take all */
};

/* Opens the connection and compiles the statements; upgrades nothing. Before start, on the opener's thread,
 * and again by the writer after an error. KS_OK; errors and `why` as ks_database_open. */
enum ks_result ks_database_writer_connect(struct ks_engine *engine, char *why, size_t why_size);
void ks_database_writer_disconnect(struct ks_engine *engine);

/* KS_OK, KS_NO_MEMORY, KS_IO. */
enum ks_result ks_database_writer_start(struct ks_engine *engine);

/* Runs what was posted, writes what is due, ends the thread. Not started is fine. */
void ks_database_writer_stop(struct ks_engine *engine);

/* Any thread: posts a task. */
void ks_database_writer_post(struct ks_engine *engine, struct ks_task *task);

/* Any thread: has the interlude run, once. */
void ks_database_writer_between(struct ks_engine *engine, struct ks_interlude *interlude);

/* Makes sure that a transaction is open, which ends with the batch. KS_OK; else the batch has failed: settle
 * later all the same. */
enum ks_result ks_database_writer_begin(struct ks_engine *engine);

/* The same, but for work that may go on in the next batch: the transaction ends with the first one that
 * changes the database, or fails. */
enum ks_result ks_database_writer_open_transaction(struct ks_engine *engine);

/* A run of a statement inside the transaction. */
struct ks_query ks_database_writer_query(struct ks_engine *engine, enum ks_statement statement);

/* Judges the result of such a run: KS_OK and KS_EXISTS (a constraint) are the caller's; anything else fails
 * the batch. Returns `result`. */
enum ks_result ks_database_writer_check(struct ks_engine *engine, enum ks_result result);

/* Has `settle` run with this task once the batch is committed or has failed. */
void ks_database_writer_settle_later(struct ks_engine *engine, struct ks_task *task,
                                     void (*settle)(struct ks_task *task));

/* Counts a commit of this batch that is over now. `began_ns` is of ks_clock_stopwatch_ns. */
void ks_database_writer_count_commit(struct ks_engine *engine, uint64_t began_ns);

/* Ends the transaction that ks_database_writer_begin has asked for: commits, or rolls back when something
 * failed, which ends that of ks_database_writer_open_transaction too. KS_OK or the failure, which stays in
 * writer.failure until ks_database_writer_forget_failure. */
enum ks_result ks_database_writer_finish(struct ks_engine *engine);
void ks_database_writer_forget_failure(struct ks_engine *engine);

/* Between batches, on a full disk: writes back what the database's log has, as far as readers let it, so that
 * the log begins anew and needs no more room than it has. Returns how many bytes the database has inside
 * itself for new rows. */
uint64_t ks_database_writer_write_back(struct ks_engine *engine);

#endif
