/* details.c — see details.h. Everything but the two entries runs on the pull thread. */
#include "store/embedded/readers/details.h"

#include "store/embedded/readers/pull_reader.h"
#include "store/reply.h"

#include <string.h>

enum { PIECE_FILES = 50 * 1000 }; /* summed up in one go: a page of users ends there */

#define DETAILS_COLUMNS                                                                                      \
    "SELECT c.rowid, c.ID, c.Name, c.PublicKey, c.Registered,"                                               \
    " CAST(strftime('%s', c.LastSeen) AS INTEGER), a.Key, a.ClassicID IS NOT NULL"                           \
    " FROM clients AS c LEFT JOIN accounts AS a ON a.ID=c.ID"

static const char user_text[] = DETAILS_COLUMNS " WHERE c.Name=?";
static const char users_text[] = DETAILS_COLUMNS " WHERE c.rowid>? ORDER BY c.rowid LIMIT ?";
static const char files_text[] = "SELECT count(*), total(Size) FROM files WHERE ID=?";

enum {
    COLUMN_NUMBER,
    COLUMN_ID,
    COLUMN_NAME,
    COLUMN_KEY,
    COLUMN_REGISTERED,
    COLUMN_LAST_SEEN,
    COLUMN_ACCOUNT_KEY,
    COLUMN_CLASSIC,
};

/* Operators ask rarely, so these statements are compiled when they do. */
static enum ks_result have_statements(struct ks_database_reader *reader)
{
    enum ks_result result = ks_database_reader_prepare(reader, KS_PULL_DESCRIBE_USER, user_text);
    if (result == KS_OK)
        result = ks_database_reader_prepare(reader, KS_PULL_DESCRIBE_USERS, users_text);
    if (result == KS_OK)
        result = ks_database_reader_prepare(reader, KS_PULL_SUM_FILES, files_text);
    return result;
}

static enum ks_result sum_files(struct ks_details *details, struct ks_user_details *user)
{
    struct ks_query query = ks_query_start(details->reader->statements[KS_PULL_SUM_FILES]);
    ks_query_blob(&query, user->user.id.bytes, sizeof user->user.id.bytes);
    if (ks_query_next(&query)) {
        user->files = (uint64_t)sqlite3_column_int64(query.statement, 0);
        user->file_bytes = (uint64_t)sqlite3_column_int64(query.statement, 1);
    }
    return ks_query_end(&query);
}

/* KS_IO for a row that is not sound. */
static enum ks_result take_account(sqlite3_stmt *row, struct ks_user_details *user)
{
    user->user.is_account = sqlite3_column_type(row, COLUMN_ACCOUNT_KEY) != SQLITE_NULL;
    user->user.has_classic_id = sqlite3_column_int(row, COLUMN_CLASSIC) != 0;
    if (!user->user.is_account)
        return KS_OK;
    if (sqlite3_column_bytes(row, COLUMN_ACCOUNT_KEY) != KS_ACCOUNT_KEY_SIZE)
        return KS_IO;
    memcpy(user->account_key, sqlite3_column_blob(row, COLUMN_ACCOUNT_KEY), KS_ACCOUNT_KEY_SIZE);
    return KS_OK;
}

/* LastSeen on disk may be late. KS_OK; KS_IO for a row that is not sound. */
static enum ks_result take_row(struct ks_details *details, sqlite3_stmt *row, struct ks_user_details *user)
{
    const void *name = sqlite3_column_text(row, COLUMN_NAME);
    int name_size = sqlite3_column_bytes(row, COLUMN_NAME);
    memset(user, 0, sizeof *user);
    if (name == NULL || name_size >= KS_TEXT_FIELD_SIZE ||
        sqlite3_column_bytes(row, COLUMN_ID) != KS_CLIENT_ID_SIZE)
        return KS_IO;
    memcpy(user->user.name, name, (size_t)name_size);
    memcpy(user->user.id.bytes, sqlite3_column_blob(row, COLUMN_ID), KS_CLIENT_ID_SIZE);
    user->user.has_public_key = sqlite3_column_type(row, COLUMN_KEY) != SQLITE_NULL;
    user->registered = sqlite3_column_int64(row, COLUMN_REGISTERED);
    user->last_seen = sqlite3_column_int64(row, COLUMN_LAST_SEEN);
    int64_t last_seen = ks_users_last_seen(details->users, &user->user.id);
    if (last_seen > user->last_seen)
        user->last_seen = last_seen;
    ks_inboxes_waiting(details->inboxes, &user->user.id, &user->messages, &user->message_bytes);
    ks_puts_sums(details->puts, &user->user.id, &user->puts, &user->put_bytes);
    enum ks_result result = take_account(row, user);
    return result == KS_OK ? sum_files(details, user) : result;
}

static enum ks_result take_key(sqlite3_stmt *row, uint8_t public_key[static KS_PUBLIC_KEY_SIZE])
{
    if (sqlite3_column_type(row, COLUMN_KEY) == SQLITE_NULL)
        return KS_OK;
    if (sqlite3_column_bytes(row, COLUMN_KEY) != KS_PUBLIC_KEY_SIZE)
        return KS_IO;
    memcpy(public_key, sqlite3_column_blob(row, COLUMN_KEY), KS_PUBLIC_KEY_SIZE);
    return KS_OK;
}

/* ---- one user ---- */

static enum ks_result read_user(struct ks_details *details, struct ks_store_describe_user *request)
{
    enum ks_result found = have_statements(details->reader);
    if (found != KS_OK)
        return found;
    struct ks_query query = ks_query_start(details->reader->statements[KS_PULL_DESCRIBE_USER]);
    ks_query_text(&query, request->name, strnlen(request->name, sizeof request->name));
    found = KS_NOT_FOUND;
    if (ks_query_next(&query)) {
        found = take_row(details, query.statement, &request->details);
        if (found == KS_OK)
            found = take_key(query.statement, request->public_key);
    }
    enum ks_result result = ks_query_end(&query);
    return result == KS_OK ? found : ks_database_reader_failed(details->reader, result);
}

static void run_user(struct ks_task *task)
{
    struct ks_store_describe_user *request =
        KS_CONTAINER_OF(task, struct ks_store_describe_user, request.task);
    struct ks_details *details = request->request.part;
    ks_reply_post(&request->request, read_user(details, request));
}

void ks_details_user(struct ks_details *details, struct ks_store_describe_user *request)
{
    request->request.part = details;
    request->request.task.run = run_user;
    ks_database_reader_post(details->reader, &request->request.task);
}

/* ---- a page of users ---- */

static enum ks_result read_users(struct ks_details *details, struct ks_store_describe_users *request)
{
    uint64_t files = 0;
    request->count = 0;
    enum ks_result taken = have_statements(details->reader);
    if (taken != KS_OK)
        return taken;
    struct ks_query query = ks_query_start(details->reader->statements[KS_PULL_DESCRIBE_USERS]);
    ks_query_integer(&query, (int64_t)request->cursor);
    ks_query_integer(&query, (int64_t)request->limit);
    while (taken == KS_OK && files < PIECE_FILES && request->count < request->limit &&
           ks_query_next(&query)) {
        struct ks_user_details *user = &request->details[request->count];
        taken = take_row(details, query.statement, user);
        files += user->files;
        request->cursor = (uint64_t)sqlite3_column_int64(query.statement, COLUMN_NUMBER);
        request->count++;
    }
    enum ks_result result = ks_query_end(&query);
    return result == KS_OK ? taken : ks_database_reader_failed(details->reader, result);
}

static void run_users(struct ks_task *task)
{
    struct ks_store_describe_users *request =
        KS_CONTAINER_OF(task, struct ks_store_describe_users, request.task);
    struct ks_details *details = request->request.part;
    ks_reply_post(&request->request, read_users(details, request));
}

void ks_details_users(struct ks_details *details, struct ks_store_describe_users *request)
{
    request->request.part = details;
    request->request.task.run = run_users;
    ks_database_reader_post(details->reader, &request->request.task);
}
