/* file_reader.c — see file_reader.h. */
#include "store/embedded/readers/file_reader.h"

#include "base/limits/log_repeats.h"
#include "store/reply.h"

#include <fcntl.h>
#include <string.h>

enum { LIST_FILES, FIND_FILE, NEXT_WITHOUT_DIGEST, COUNT_WITHOUT_DIGEST }; /* the places of the statements */

static const char list_text[] =
    "SELECT " KS_FILE_ROW_COLUMNS " FROM files WHERE ID=? AND KeptName>? ORDER BY KeptName";
static const char find_text[] = "SELECT " KS_FILE_ROW_COLUMNS " FROM files WHERE ID=? AND KeptName=?";
static const char next_text[] = "SELECT " KS_FILE_ROW_COLUMNS " FROM files INDEXED BY files_without_sha256"
                                " WHERE SHA256 IS NULL AND rowid>? AND ID IN (SELECT ID FROM clients)"
                                " ORDER BY rowid";
static const char count_text[] =
    "SELECT count(*) FROM files INDEXED BY files_without_sha256 WHERE SHA256 IS NULL";

static enum ks_result prepare(struct ks_file_reader *file_reader, unsigned place, const char *text,
                              struct ks_query *query)
{
    enum ks_result result = ks_database_reader_prepare(&file_reader->reader, place, text);
    if (result == KS_OK)
        *query = ks_query_start(file_reader->reader.statements[place]);
    return result;
}

/* `found` is what the rows have said. */
static enum ks_result finish(struct ks_file_reader *file_reader, struct ks_query *query, enum ks_result found)
{
    enum ks_result result = ks_query_end(query);
    return result == KS_OK ? found : ks_database_reader_failed(&file_reader->reader, result);
}

/* False for one that is not sound. */
static bool take_row(struct ks_file_reader *file_reader, const struct ks_query *query,
                     struct ks_file_row *row)
{
    if (ks_file_row_read(query->statement, row))
        return true;
    ks_log_trouble(file_reader->reader.log, KS_LOG_ERROR, "row %lld of the table files is not sound",
                   (long long)row->number);
    return false;
}

/* ---- pages ---- */

/* Of adopted files, and of those that an older kesher has kept, only the disk knows the time. */
static bool tell_file(const struct ks_file_reader *file_reader, const struct ks_file_row *row,
                      struct ks_kept_file *kept)
{
    struct stat status;
    bool is_seen = !(row->has_size && row->has_written) &&
                   fstatat(file_reader->directory_fd, row->path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                   S_ISREG(status.st_mode);
    if (is_seen || row->has_size) {
        ks_file_row_tell(row, is_seen ? &status : NULL, kept);
        return true;
    }
    ks_log_trouble(file_reader->reader.log, KS_LOG_ERROR,
                   "a file that the database knows is missing: row %lld of the table files",
                   (long long)row->number);
    return false;
}

/* What is not sound, or of which nothing is known, is left out. */
static void take_page(struct ks_file_reader *file_reader, struct ks_query *query,
                      struct ks_store_list_files *request)
{
    struct ks_file_row row;
    while (!request->more && ks_query_next(query)) {
        struct ks_kept_file kept;
        if (!take_row(file_reader, query, &row) || !tell_file(file_reader, &row, &kept))
            continue;
        if (request->count < request->limit)
            request->files[request->count++] = kept;
        else
            request->more = true;
    }
}

static enum ks_result read_page(struct ks_file_reader *file_reader, struct ks_store_list_files *request)
{
    struct ks_user user;
    struct ks_query query;
    request->count = 0;
    request->more = false;
    enum ks_result result = ks_users_look_up(file_reader->users, &request->id, true, &user);
    if (result == KS_OK)
        result = prepare(file_reader, LIST_FILES, list_text, &query);
    if (result != KS_OK)
        return result;
    ks_query_blob(&query, request->id.bytes, sizeof request->id.bytes);
    ks_query_text(&query, request->after, strnlen(request->after, sizeof request->after));
    take_page(file_reader, &query, request);
    return finish(file_reader, &query, KS_OK);
}

static void run_list(struct ks_task *task)
{
    struct ks_store_list_files *request = KS_CONTAINER_OF(task, struct ks_store_list_files, request.task);
    ks_reply_post(&request->request, read_page(request->request.part, request));
}

void ks_file_reader_list(struct ks_file_reader *file_reader, struct ks_store_list_files *request)
{
    request->request.part = file_reader;
    request->request.task.run = run_list;
    ks_file_reader_post(file_reader, &request->request.task);
}

/* ---- rows ---- */

enum ks_result ks_file_reader_find(struct ks_file_reader *file_reader, const struct ks_client_id *id,
                                   const char *name, struct ks_file_row *row)
{
    struct ks_user user;
    struct ks_query query;
    enum ks_result result = ks_users_look_up(file_reader->users, id, true, &user);
    if (result == KS_OK)
        result = prepare(file_reader, FIND_FILE, find_text, &query);
    if (result != KS_OK)
        return result;
    ks_query_blob(&query, id->bytes, sizeof id->bytes);
    ks_query_text(&query, name, strlen(name));
    enum ks_result found = KS_NOT_FOUND;
    if (ks_query_next(&query))
        found = take_row(file_reader, &query, row) ? KS_OK : KS_INVALID;
    return finish(file_reader, &query, found);
}

enum ks_result ks_file_reader_next_without_digest(struct ks_file_reader *file_reader, int64_t after,
                                                  struct ks_file_row *row)
{
    struct ks_query query;
    enum ks_result result = prepare(file_reader, NEXT_WITHOUT_DIGEST, next_text, &query);
    if (result != KS_OK)
        return result;
    ks_query_integer(&query, after);
    enum ks_result found = KS_NOT_FOUND;
    while (found == KS_NOT_FOUND && ks_query_next(&query))
        if (take_row(file_reader, &query, row))
            found = KS_OK;
    return finish(file_reader, &query, found);
}

enum ks_result ks_file_reader_count_without_digest(struct ks_file_reader *file_reader, uint64_t *count)
{
    struct ks_query query;
    enum ks_result result = prepare(file_reader, COUNT_WITHOUT_DIGEST, count_text, &query);
    if (result != KS_OK)
        return result;
    if (ks_query_next(&query))
        *count = (uint64_t)sqlite3_column_int64(query.statement, 0);
    return finish(file_reader, &query, KS_OK);
}

/* ---- the thread ---- */

void ks_file_reader_post(struct ks_file_reader *file_reader, struct ks_task *task)
{
    ks_database_reader_post(&file_reader->reader, task);
}

enum ks_result ks_file_reader_start(struct ks_file_reader *file_reader)
{
    struct ks_query query;
    enum ks_result result = prepare(file_reader, LIST_FILES, list_text, &query);
    if (result == KS_OK)
        result = prepare(file_reader, FIND_FILE, find_text, &query);
    return result != KS_OK ? result
                           : ks_thread_start(&file_reader->reader.thread, "store-files", &file_reader->hooks);
}

void ks_file_reader_stop(struct ks_file_reader *file_reader)
{
    ks_database_reader_stop(&file_reader->reader);
}
