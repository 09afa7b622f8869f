/* file_reader.h — the thread that reads the rows of users' files (database_reader.h): lists them, and finds
 * them for those who open files (stored_files.h) and compute their SHA-256 (digests.h), who run parts of
 * their work here. It reads no contents, so it keeps nobody waiting.
 */
#ifndef KS_STORE_EMBEDDED_READERS_FILE_READER_H
#define KS_STORE_EMBEDDED_READERS_FILE_READER_H

#include "store/embedded/memory/users.h"
#include "store/embedded/readers/database_reader.h"
#include "store/embedded/readers/file_row.h"
#include "store/store.h"

struct ks_file_reader {
    /* Set before the start; all of it outlives the thread. */
    struct ks_database_reader reader; /* as its header says */
    struct ks_users *users;
    int directory_fd;             /* the data directory */
    struct ks_thread_hooks hooks; /* digests.h */
};

/* KS_OK; KS_NO_MEMORY, KS_IO. */
enum ks_result ks_file_reader_start(struct ks_file_reader *file_reader);

/* Answers what was asked, ends the thread. Not started is fine. */
void ks_file_reader_stop(struct ks_file_reader *file_reader);

/* Any thread: posts a task. */
void ks_file_reader_post(struct ks_file_reader *file_reader, struct ks_task *task);

/* Any thread: reads the page, and posts the answer. */
void ks_file_reader_list(struct ks_file_reader *file_reader, struct ks_store_list_files *request);

/* ---- this thread's; before it runs, the opener's thread may call, too ---- */

/* The row of a user's file. KS_OK; KS_NOT_FOUND, also for an unknown user; KS_INVALID when it is not sound,
 * which is logged; KS_NO_MEMORY, KS_IO. `name` is NUL-terminated. */
enum ks_result ks_file_reader_find(struct ks_file_reader *file_reader, const struct ks_client_id *id,
                                   const char *name, struct ks_file_row *row);

/* The first row behind `after` whose SHA-256 is not known, and which a user has. KS_OK; KS_NOT_FOUND;
 * KS_NO_MEMORY, KS_IO. */
enum ks_result ks_file_reader_next_without_digest(struct ks_file_reader *file_reader, int64_t after,
                                                  struct ks_file_row *row);

/* How many of these there are. The same results. */
enum ks_result ks_file_reader_count_without_digest(struct ks_file_reader *file_reader, uint64_t *count);

#endif
