/* writer.h — the thread that changes the database, and a connection with a transaction, which the filer
 * (filing.h) has, too, without a thread: everything here but start, stop, post and batches.
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
#ifndef KS_STORE_EMBEDDED_WRITER_WRITER_H
#define KS_STORE_EMBEDDED_WRITER_WRITER_H

#include "base/counter.h"
#include "base/courtesy.h"
#include "base/log.h"
#include "base/thread.h"
#include "store/embedded/database/query.h"
#include "store/embedded/writer/write_turn.h"

struct ks_database_writer;

enum { KS_INSERTED_TOGETHER = 16 };

enum ks_statement {
    KS_STATEMENT_BEGIN,
    KS_STATEMENT_COMMIT,
    KS_STATEMENT_INSERT_CLIENT,   /* ID, Name, PublicKey, LastSeen, Registered, AESKeyUsed, Skeleton */
    KS_STATEMENT_DELETE_CLIENT,   /* rowid */
    KS_STATEMENT_READ_PUBLIC_KEY, /* rowid */
    KS_STATEMENT_SET_PUBLIC_KEY,  /* PublicKey, rowid */
    KS_STATEMENT_RESET_KEY,       /* KeyReset, rowid */
    KS_STATEMENT_INSERT_REMOVAL,  /* ID */
    KS_STATEMENT_DELETE_REMOVAL,  /* ID */
    KS_STATEMENT_DELETE_FILES,    /* ID, how many */
    KS_STATEMENT_DELETE_FILE,     /* rowid, PathName */
    KS_STATEMENT_REMOVE_FILE,     /* PathName */
    KS_STATEMENT_HAS_FILE,        /* ID, KeptName, PathName, Size, Cksum, Written: a row when it is just so */
    KS_STATEMENT_SET_CONTENT_KEY, /* AESKey, AESKeyUsed, rowid */
    KS_STATEMENT_FORGET_CONTENT_KEY, /* rowid, AESKey */
    KS_STATEMENT_SET_LAST_SEEN,      /* LastSeen, AESKeyUsed, rowid */
    KS_STATEMENT_PUT_FILE,           /* ID, FileName, PathName, KeptName, Size, Cksum, Written */
    KS_STATEMENT_ADOPT_FILE,         /* ID, FileName, PathName, KeptName */
    KS_STATEMENT_SET_FILE_SIZE,      /* Size, rowid */
    KS_STATEMENT_SET_FILE_DIGEST,    /* SHA256, Size, Written; rowid, PathName, Size, Written, Cksum */
    KS_STATEMENT_FORGET_FILE_DIGEST, /* rowid */
    KS_STATEMENT_INSERT_MESSAGE,     /* ID, ToClient, FromClient, Type, ContentSize, Place, Content, Sum */
    KS_STATEMENT_INSERT_MESSAGES_TOGETHER, /* the same, KS_INSERTED_TOGETHER times */
    KS_STATEMENT_SIZES_OF_MESSAGES,        /* ToClient, highest ID: ID, ContentSize in the order of ID */
    KS_STATEMENT_PLACES_OF_MESSAGES,       /* the same: ID, Place of those that have one */
    KS_STATEMENT_DELETE_MESSAGES,          /* the same */
    KS_STATEMENT_DELETE_WAITING,           /* the same */
    KS_STATEMENT_DELETE_MESSAGE,           /* ID */
    KS_STATEMENT_DELETE_WAITING_ONE,       /* ToClient, ID; its ContentSize */
    KS_STATEMENT_INDEX_MESSAGES,           /* the highest ID that is indexed, the highest that is to be */
    KS_STATEMENT_SET_AGE,                  /* the directory's time (age.h) */
    /* account_rows.h */
    KS_STATEMENT_ACCOUNT_BY_KEY,      /* Key: ID, Key, Registered, ClassicID */
    KS_STATEMENT_ACCOUNT_BY_ID,       /* ID: the same */
    KS_STATEMENT_INSERT_ACCOUNT,      /* Key, Registered, ID */
    KS_STATEMENT_SET_ACCOUNT_KEY,     /* Key, ID */
    KS_STATEMENT_SET_CLASSIC_ID,      /* ClassicID, ID */
    KS_STATEMENT_SET_CLASSIC_KEY,     /* PublicKey, rowid of clients */
    KS_STATEMENT_DELETE_ACCOUNT,      /* ID */
    KS_STATEMENT_SKELETON_OF_ACCOUNT, /* Skeleton: a row when it is an account's, or was one's */
    KS_STATEMENT_SKELETON_OF_ANYBODY, /* the same; or when it is any user's */
    KS_STATEMENT_RETIRE_ACCOUNT,      /* ID */
    KS_STATEMENT_RETIRED_BY_NAME,     /* Name: ID */
    KS_STATEMENT_DELETE_RETIRED,      /* ID */
    KS_STATEMENT_READ_INVITATION,     /* Hash: Uses, Until, Name */
    KS_STATEMENT_USE_INVITATION,      /* Hash */
    KS_STATEMENT_DELETE_INVITATION,   /* Hash */
    KS_STATEMENT_INSERT_INVITATION,   /* Hash, Uses, Until, Name */
    KS_STATEMENT_COUNT_INVITATIONS,
    KS_STATEMENT_DELETE_OVER_INVITATIONS, /* wall seconds */
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
    struct ks_task task;               /* the writer's until `run` */
    struct ks_database_writer *writer; /* likewise */
    struct ks_interlude *next;         /* likewise */
    void (*run)(struct ks_interlude *interlude);
};

/* What the engine does on the writer's thread beside the tasks. All are set. */
struct ks_database_writer_hooks {
    /* The tasks of a batch have applied themselves, and it is about to be committed. */
    void (*batch)(void *context);
    /* All of them have settled. */
    void (*batch_over)(void *context);
    /* Nothing was posted: as the hook of thread.h. */
    uint64_t (*idle)(void *context);
    /* About once a second, between batches. */
    void (*tick)(void *context);
};

struct ks_database_writer {
    /* Set before anything else is called; all of it outlives the writer. */
    const char *database_path;
    const struct ks_log *log;
    struct ks_write_turn *turn; /* taken by ks_database_writer_begin, given by ks_database_writer_finish … */
    bool in_a_hurry;            /* … so */
    void *context;              /* of the functions here and in `hooks` */
    /* A transaction is committed, or rolled back; before that is told to anybody, and before others write. */
    void (*transaction_over)(void *context, bool committed);
    /* The database's log has so many pages that somebody should write it back, now and not in between. */
    void (*log_is_long)(void *context);
    struct ks_database_writer_hooks hooks; /* of one with a thread */
    struct ks_courtesy *courtesy;          /* NULL, or while a statement runs others are let go first by it */

    struct ks_database_writer_counts counts;
    struct ks_thread *thread;
    sqlite3 *database; /* NULL after an input/output error, until the next batch */
    sqlite3_stmt *statements[KS_STATEMENT_COUNT];
    struct ks_task *first_to_settle; /* of this batch, in the order of applying */
    struct ks_task *last_to_settle;
    struct ks_interlude *interludes; /* due when this batch is over; the last one first */
    size_t to_settle;                /* how many those are */
    bool in_transaction;
    enum ks_result failure; /* of this batch */
};

/* Opens the connection, and upgrades nothing; statements are compiled when they are first used. Before start,
 * on the opener's thread, and again by the writer after an error. KS_OK; errors and `why` as
 * ks_database_open. */
enum ks_result ks_database_writer_connect(struct ks_database_writer *writer, char *why, size_t why_size);
void ks_database_writer_disconnect(struct ks_database_writer *writer);

/* KS_OK, KS_NO_MEMORY, KS_IO. */
enum ks_result ks_database_writer_start(struct ks_database_writer *writer);

/* Runs what was posted, ends the thread. Not started is fine. */
void ks_database_writer_stop(struct ks_database_writer *writer);

/* Any thread: posts a task. */
void ks_database_writer_post(struct ks_database_writer *writer, struct ks_task *task);

/* Any thread: has the interlude run, once. */
void ks_database_writer_between(struct ks_database_writer *writer, struct ks_interlude *interlude);

/* Makes sure that a transaction is open, which ends with the batch. KS_OK; else the batch has failed: settle
 * later all the same. */
enum ks_result ks_database_writer_begin(struct ks_database_writer *writer);

/* A run of a statement inside the transaction. */
struct ks_query ks_database_writer_query(struct ks_database_writer *writer, enum ks_statement statement);

/* Judges the result of such a run: KS_OK and KS_EXISTS (a constraint) are the caller's; anything else fails
 * the batch. Returns `result`. */
enum ks_result ks_database_writer_check(struct ks_database_writer *writer, enum ks_result result);

/* Has `settle` run with this task once the batch is committed or has failed. */
void ks_database_writer_settle_later(struct ks_database_writer *writer, struct ks_task *task,
                                     void (*settle)(struct ks_task *task));

/* Counts a commit of this batch that is over now. `began_ns` is of ks_clock_stopwatch_ns. */
void ks_database_writer_count_commit(struct ks_database_writer *writer, uint64_t began_ns);

/* Ends the transaction that ks_database_writer_begin has asked for: commits, or rolls back when something
 * failed. KS_OK or the failure, which stays in writer.failure until ks_database_writer_forget_failure. */
enum ks_result ks_database_writer_finish(struct ks_database_writer *writer);
void ks_database_writer_forget_failure(struct ks_database_writer *writer);

/* Outside a transaction: writes back what the database's log has, as far as readers let it, so that the log
 * begins anew and needs no more room than it has. Nobody has to wait for that, and what fails is left for the
 * next time. */
void ks_database_writer_write_back(struct ks_database_writer *writer);

/* The same, on a full disk: returns how many bytes the database has inside itself for new rows. */
uint64_t ks_database_writer_find_room(struct ks_database_writer *writer);

#endif
