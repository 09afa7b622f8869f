/* removal.c — see removal.h. */
#include "store/embedded/writer/removal.h"

#include "base/limits/log_repeats.h"
#include "store/embedded/memory/table.h"
#include "store/embedded/vault/names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PIECE_ROWS = 10 * 1000,         /* deleted in one batch */
    PIECE_BYTES = 16 * 1024 * 1024, /* the same: SQLite looks at each page of a content when it frees it */
    PIECES = 4,                     /* transactions in one tick */
    PIECE_INBOXES = 256,            /* in one of them */
};

/* ---- files, on the reaper's thread ---- */

/* Files of messages whose rows are gone. */
struct ks_removed_files {
    struct ks_task task;
    const struct ks_removal *removal;
    struct ks_removed_files *next; /* of the batch */
    size_t count;
    char path_names[KS_REMOVED_FILES][KS_NAMES_MESSAGE_SIZE];
};

static void unlink_files(struct ks_task *task)
{
    struct ks_removed_files *files = KS_CONTAINER_OF(task, struct ks_removed_files, task);
    const struct ks_removal *removal = files->removal;
    int failure = 0;
    for (size_t i = 0; i < files->count; i++)
        if (unlinkat(removal->directory_fd, files->path_names[i], 0) != 0)
            failure = errno;
    if (failure != 0) {
        char text[128];
        ks_log_trouble(removal->log, KS_LOG_WARNING, "cannot remove a file from messages/: %s",
                       strerror_r(failure, text, sizeof text));
    }
    free(files);
}

static void post_unlink(struct ks_removal *removal, struct ks_removed_files *files)
{
    files->task.run = unlink_files;
    ks_executor_post(ks_thread_executor(removal->reaper), &files->task);
}

/* ---- a piece of one receiver's rows, inside the batch ---- */

struct removal_piece {
    const struct ks_client_id *receiver;
    uint64_t after;
    uint64_t up_to;
    bool more; /* there are others, up to what was asked for */
};

static bool is_batch_full(const struct ks_removal *removal)
{
    return removal->rows >= PIECE_ROWS || removal->bytes >= PIECE_BYTES;
}

static struct ks_query ask_for_piece(struct ks_removal *removal, enum ks_statement statement,
                                     const struct removal_piece *piece)
{
    struct ks_query query = ks_database_writer_query(removal->writer, statement);
    ks_query_blob(&query, piece->receiver->bytes, sizeof piece->receiver->bytes);
    ks_query_integer(&query, (int64_t)piece->after);
    ks_query_integer(&query, (int64_t)piece->up_to);
    return query;
}

/* Cuts the piece to what the batch still has room for. */
static enum ks_result measure_piece(struct ks_removal *removal, struct removal_piece *piece)
{
    struct ks_query query = ask_for_piece(removal, KS_STATEMENT_SIZES_OF_MESSAGES, piece);
    uint64_t last = 0;
    while (!piece->more && ks_query_next(&query)) {
        piece->more = is_batch_full(removal);
        if (piece->more)
            break;
        last = (uint64_t)sqlite3_column_int64(query.statement, 0);
        removal->bytes += (uint64_t)sqlite3_column_int64(query.statement, 1);
        removal->rows++;
    }
    piece->up_to = last;
    return ks_database_writer_check(removal->writer, ks_query_end(&query));
}

/* Reads the paths of large contents. The piece ends before those that there is no room for. */
static void read_places(struct ks_query *query, struct removal_piece *piece, struct ks_removed_files *files)
{
    uint64_t last = 0;
    do {
        if (files->count == KS_REMOVED_FILES) {
            piece->up_to = last;
            piece->more = true;
            return;
        }
        last = (uint64_t)sqlite3_column_int64(query->statement, 0);
        snprintf(files->path_names[files->count++], sizeof files->path_names[0], "%s",
                 (const char *)sqlite3_column_text(query->statement, 1));
    } while (ks_query_next(query));
}

/* Notes the files that go with the piece, for after the commit. */
static enum ks_result collect_files(struct ks_removal *removal, struct removal_piece *piece)
{
    struct ks_query query = ask_for_piece(removal, KS_STATEMENT_PLACES_OF_MESSAGES, piece);
    struct ks_removed_files *files = NULL;
    enum ks_result result = KS_OK;
    if (ks_query_next(&query)) {
        files = calloc(1, sizeof *files);
        if (files != NULL) {
            read_places(&query, piece, files);
            files->removal = removal;
            LL_PREPEND(removal->files, files);
        } else {
            result = KS_NO_MEMORY;
        }
    }
    enum ks_result read = ks_database_writer_check(removal->writer, ks_query_end(&query));
    return read != KS_OK ? read : result;
}

/* KS_OK when no row is left, KS_MORE when there are others; what fails is told, and the batch with it, if it
 * was the database. */
static enum ks_result delete_piece(struct ks_removal *removal, const struct ks_client_id *receiver,
                                   uint64_t after, uint64_t up_to)
{
    struct removal_piece piece = {.receiver = receiver, .after = after, .up_to = up_to, .more = false};
    enum ks_result result = ks_database_writer_begin(removal->writer);
    if (result == KS_OK)
        result = ks_appending_reach(removal->appending, up_to);
    if (result == KS_OK)
        result = measure_piece(removal, &piece);
    if (result == KS_OK)
        result = collect_files(removal, &piece);
    if (result != KS_OK)
        return result;
    struct ks_query query = ask_for_piece(removal, KS_STATEMENT_DELETE_MESSAGES, &piece);
    result = ks_database_writer_check(removal->writer, ks_query_run(&query));
    if (result != KS_OK)
        return result;
    query = ask_for_piece(removal, KS_STATEMENT_DELETE_WAITING, &piece);
    result = ks_database_writer_check(removal->writer, ks_query_run(&query));
    return result == KS_OK && piece.more ? KS_MORE : result;
}

enum ks_result ks_removal_piece(struct ks_removal *removal, const struct ks_client_id *receiver,
                                uint64_t after, uint64_t up_to)
{
    return is_batch_full(removal) ? KS_MORE : delete_piece(removal, receiver, after, up_to);
}

void ks_removal_batch_over(struct ks_removal *removal, bool committed)
{
    removal->rows = 0;
    removal->bytes = 0;
    while (removal->files != NULL) {
        struct ks_removed_files *files = removal->files;
        removal->files = files->next;
        if (committed)
            post_unlink(removal, files);
        else
            free(files);
    }
}

/* ---- what is undeleted ---- */

struct removal_attempt {
    struct ks_client_id receiver;
    uint64_t after;
    enum ks_result result;
};

/* In a transaction of its own. True when there may be more to do now. */
static bool delete_undeleted(struct ks_removal *removal)
{
    struct removal_attempt attempts[PIECE_INBOXES];
    size_t count = 0;
    bool failed = false;
    uint64_t up_to = 0;
    while (!failed && count < PIECE_INBOXES && !is_batch_full(removal) &&
           ks_inboxes_next_undeleted(removal->inboxes, &attempts[count].receiver, &attempts[count].after,
                                     &up_to)) {
        struct removal_attempt *attempt = &attempts[count];
        attempt->result = delete_piece(removal, &attempt->receiver, attempt->after, up_to);
        failed = attempt->result != KS_OK && attempt->result != KS_MORE;
        count++;
    }
    enum ks_result result = ks_database_writer_finish(removal->writer);
    bool committed = result == KS_OK;
    ks_database_writer_forget_failure(removal->writer);
    ks_removal_batch_over(removal, committed);
    for (size_t i = 0; i < count; i++)
        ks_inboxes_removed(removal->inboxes, &attempts[i].receiver, attempts[i].after,
                           committed && attempts[i].result == KS_OK);
    if (result == KS_NO_SPACE && ks_reserve_give_up(removal->reserve))
        return true;
    if (count > 0)
        ks_retry_note(&removal->retry, ks_clock_monotonic_ms(removal->clock), failed || !committed);
    return count > 0 && !failed && committed;
}

void ks_removal_tick(struct ks_removal *removal)
{
    if (!ks_retry_is_due(&removal->retry, ks_clock_monotonic_ms(removal->clock)))
        return;
    for (int i = 0; i < PIECES && delete_undeleted(removal); i++)
        ;
}
