/* stored_files.h — verified files that are open for reading: ks_store_file_open, file_read and file_close in
 * the embedded engine, and the way to a file for those who compute its SHA-256 (digests.h).
 *
 * Threads. The row is found on store-files (file_reader.h). Everything else that may wait for the disk runs
 * on a few threads of its own (store-read-0 …): all open files of one user are on one of them, so a user
 * whose files come slowly from the disk keeps those waiting that share the thread, and no others. Not on the
 * vault's stage threads: there, a put that the disk slows down would keep gets waiting, and the other way
 * round. There are as many on each machine, for what they do is to wait. Long sums of prefixes go in slices,
 * so that others on the thread have their turns.
 *
 * What is in motion is not wrong: a file is renamed into its place, or out of it, a moment before its row
 * follows. So where the file is not the row's, all that is on its way to be confirmed or removed is let
 * through, without anybody's waiting for it, and then both are looked at again. What has stayed as it was is
 * damaged: the size is another one, the file was written later, is missing, or is none.
 *
 * A descriptor stays with its file: whatever is put in its place, or removed, what is read is whole.
 */
#ifndef KS_STORE_EMBEDDED_READERS_STORED_FILES_H
#define KS_STORE_EMBEDDED_READERS_STORED_FILES_H

#include "store/embedded/readers/file_reader.h"
#include "store/embedded/vault/vault.h"
#include "store/embedded/writer/writer.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    KS_STORED_FILES_LIMIT =
        1024, /* open for users; a user may have as many as there is room left for others */
    KS_STORED_FILES_THREADS = 4,
};

struct ks_stored_files;

struct ks_stored_files_thread {
    struct ks_thread *thread;
    uint8_t *buffer; /* the thread's */
    unsigned files;  /* under the lock: those that are on it */
};

/* One that is open, or about to be. */
struct ks_stored_file {
    struct ks_stored_files *files;
    struct ks_stored_file *previous, *next; /* under the lock */
    struct ks_stored_files_thread *thread;
    struct ks_task task; /* of the opening, later of the end */
    struct ks_file_row row;
    struct stat status; /* as it was opened */
    int fd;             /* -1 while it is not open */
    bool is_counted;    /* in KS_STORED_FILES_LIMIT */

    /* While it is opened: one of these two waits for it. */
    struct ks_store_file_open *request;
    void (*opened)(struct ks_stored_file *file, enum ks_result result);
    void *context; /* of `opened` */
    void (*rested)(struct ks_stored_file *file);
    uint8_t odd_looks; /* at what was not the row's, since that has changed */
    uint8_t changes;   /* of the row */
    uint8_t turns;     /* of letting through that are left */
};

struct ks_stored_files {
    /* Set before the start; all of it outlives the threads. */
    struct ks_file_reader *reader;
    struct ks_vault *vault; /* set before anything is asked */
    struct ks_database_writer *writer;
    struct ks_thread *reaper;
    const struct ks_log *log;
    int directory_fd; /* the data directory */

    struct ks_stored_files_thread threads[KS_STORED_FILES_THREADS];
    _Atomic bool closing; /* nothing is posted to the vault any more, and nothing opened */
    pthread_mutex_t lock; /* of what follows, and what is marked so */
    struct ks_stored_file *all;
    unsigned counted;
};

/* Before anything else; and the last of all. */
void ks_stored_files_init(struct ks_stored_files *files);
void ks_stored_files_destroy(struct ks_stored_files *files);

/* KS_OK; KS_NO_MEMORY, KS_IO. */
enum ks_result ks_stored_files_start(struct ks_stored_files *files);

/* Before the vault stops: when it returns, nothing is opened any more, and nothing is posted to the vault.
 * What is being opened is told KS_CLOSED. Not started is fine, here and below. */
void ks_stored_files_close(struct ks_stored_files *files);

/* When the reader has stopped: does what was asked, ends the threads, and closes what nobody has closed. */
void ks_stored_files_stop(struct ks_stored_files *files);

/* Any thread; contracts as in store.h. */
void ks_stored_files_open(struct ks_stored_files *files, struct ks_store_file_open *request);
void ks_stored_files_read(struct ks_stored_files *files, struct ks_store_file_read *request);

/* Any thread: closes it, behind the reads that were asked for; it is gone afterwards. */
void ks_stored_file_close(struct ks_stored_file *file);

/* The reader's thread: opens the file of a row, for ks_stored_file_close. KS_OK: `opened` will be called, on
 * any thread, with the file, its `context` set: KS_OK, and it is open; KS_NOT_FOUND: the row is no more;
 * KS_INVALID: the file is damaged or gone; KS_NO_MEMORY, KS_IO, KS_CLOSED. Else KS_NO_MEMORY. */
enum ks_result ks_stored_files_open_row(struct ks_stored_files *files, const struct ks_file_row *row,
                                        void (*opened)(struct ks_stored_file *file, enum ks_result result),
                                        void *context);

/* The reader's thread, of one that is open: has all that is on its way to be confirmed or removed come to
 * rest, then calls `rested` on the same thread; when the engine is about to close, as soon as may be. */
void ks_stored_file_rest(struct ks_stored_file *file, void (*rested)(struct ks_stored_file *file));

/* Reads `size` bytes at `offset`, all of them. KS_OK; KS_INVALID when the file is shorter; KS_NO_MEMORY,
 * KS_IO. Blocking; one thread at a time, while it is open. */
enum ks_result ks_stored_file_read_at(const struct ks_stored_file *file, uint64_t offset, uint8_t *bytes,
                                      size_t size);

/* How many are open for users. Any thread. */
uint64_t ks_stored_files_count(struct ks_stored_files *files);

#endif
