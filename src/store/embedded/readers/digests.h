/* digests.h — SHA-256 of users' files, computed afterwards, off everybody's path: of every row that has none,
 * those first that somebody asks for (ks_store_digest_file), the others in the order of their rows. It goes
 * on after a restart, and begins again when rows are committed (ks_digests_wake); it never polls.
 *
 * Threads. Two read and compute: one for those who ask, and one in the background (store-digest-bg), which
 * gets a core and the disk only when nobody else wants them, and is slow while uploads come. Such a thread
 * may stand still for a second, and on a busy machine for good; so nobody waits for what it does, and it
 * takes no lock, asks no database, opens and closes no file: it is given a file that is open, and gives back
 * what it found. All else is done on store-files (file_reader.h): rows are looked up, files opened
 * (stored_files.h) and findings gathered. Many are written together, in a transaction of their own between
 * two batches of the writer: once a while, or at once where somebody waits. A finding is written only into
 * the row of that very file: whatever took its place meanwhile keeps its own.
 *
 * While a file is read, its cksum is compared with the row's. What is damaged is logged, and gets an empty
 * SHA-256, so that it is not read again before the next start, which looks whether a backup was put back
 * (loading.h). What only cannot be had now (memory, descriptors, a full disk) is tried again after a while.
 */
#ifndef KS_STORE_EMBEDDED_READERS_DIGESTS_H
#define KS_STORE_EMBEDDED_READERS_DIGESTS_H

#include "base/clock.h"
#include "base/retry.h"
#include "store/embedded/readers/digest_findings.h"
#include "store/embedded/readers/digest_reading.h"

enum {
    KS_DIGESTS_LIMIT =
        256, /* requests that wait; one user's may be as many as there is room left for others */
};

struct ks_digests;

/* One of the two that compute, and the file that it works at, if any. The reader's thread's. */
struct ks_digest_job {
    struct ks_digests *digests;
    struct ks_digest_reading reading;
    struct ks_task task;
    bool is_busy;
    struct ks_file_row row;
    struct ks_stored_file *file;
    struct ks_digest_askers askers;
    enum ks_result result;
};

struct ks_digests {
    /* Set before the start; all of it outlives the threads. */
    struct ks_file_reader *reader;
    struct ks_stored_files *files;
    struct ks_database_writer *writer;
    struct ks_vault *vault; /* set before anything is asked */
    const struct ks_clock *clock;
    const struct ks_log *log;

    _Atomic bool stopping;
    _Atomic uint64_t unknown;   /* files of which it is not known, about */
    _Atomic uint64_t committed; /* rows since the last look */
    struct ks_task waking;
    struct ks_task edge; /* of the beginning, and of the end */

    /* The reader's thread's. */
    struct ks_digest_job urgent, background;
    struct ks_digest_askers waiting;
    size_t asked; /* requests that wait, wherever they are */
    struct ks_client_id last_served;
    int64_t after;   /* rows up to this have been looked at … */
    bool look_again; /* … but there may be others now */
    bool is_at_end;  /* there is none */
    bool has_begun;
    struct ks_digest_findings *gathered;
    struct ks_digest_findings *written; /* with the writer */
    bool is_writing;
    bool is_hurried;       /* somebody waits for what is gathered */
    uint64_t gathering_ns; /* since when (ks_clock_stopwatch_ns) */
    struct ks_retry retry;
    struct ks_interlude interlude;
    struct ks_task writing; /* the writer's way back */
    enum ks_result write_result;
};

/* With the reader's connection, before its thread runs: begins with what was not known before. KS_OK;
 * KS_NO_MEMORY, KS_CRYPTO, KS_IO. */
enum ks_result ks_digests_start(struct ks_digests *digests);

/* When the reader's thread runs, and the files can be opened: begins. */
void ks_digests_begin(struct ks_digests *digests);

/* Before the files close and the writer stops, while the reader's thread still runs: what waits will be told
 * KS_CLOSED, and what was found goes to the writer, when that thread is reached. Not started is fine, here
 * and below. */
void ks_digests_stop(struct ks_digests *digests);

/* When the reader has stopped. */
void ks_digests_free(struct ks_digests *digests);

/* Any thread; as in store.h. */
void ks_digests_ask(struct ks_digests *digests, struct ks_store_digest_file *request);

/* Any thread: so many rows were committed. Costs next to nothing. */
void ks_digests_wake(struct ks_digests *digests, uint64_t rows);

/* The hook of the reader's thread (thread.h); `context` are the digests. */
uint64_t ks_digests_idle(void *context);

#endif
