/* loading.c — see loading.h. */
#include "store/sqlite/loading.h"

#include "base/text.h"
#include "store/sqlite/engine.h"
#include "store/vault/sweep.h"

#include <string.h>

enum { ADOPT_PIECE = 4096, ESCAPED_SIZE = 256 };

/* ---- users ---- */

static const char users_text[] =
    "SELECT rowid, ID, Name, PublicKey IS NOT NULL, Registered, AESKey, AESKeyUsed"
    " FROM clients ORDER BY rowid";

enum {
    COLUMN_NUMBER,
    COLUMN_ID,
    COLUMN_NAME,
    COLUMN_HAS_KEY,
    COLUMN_REGISTERED,
    COLUMN_AES,
    COLUMN_AES_USED
};

static enum ks_result load_content_key(struct ks_engine *engine, sqlite3_stmt *row,
                                       struct ks_user_entry *entry)
{
    if (sqlite3_column_bytes(row, COLUMN_AES) != KS_CONTENT_KEY_SIZE)
        return KS_OK;
    struct ks_content_key *key =
        ks_content_key_new(sqlite3_column_blob(row, COLUMN_AES), sqlite3_column_int64(row, COLUMN_AES_USED));
    if (key == NULL)
        return KS_NO_MEMORY;
    ks_users_set_content_key(engine->users, entry, key);
    ks_content_key_release(key);
    return KS_OK;
}

static enum ks_result load_user(struct ks_engine *engine, sqlite3_stmt *row)
{
    struct ks_client_id id;
    struct ks_user_entry *entry = NULL;
    const void *id_bytes = sqlite3_column_blob(row, COLUMN_ID);
    const char *name = (const char *)sqlite3_column_text(row, COLUMN_NAME);
    int name_size = sqlite3_column_bytes(row, COLUMN_NAME);
    if (id_bytes == NULL || sqlite3_column_bytes(row, COLUMN_ID) != KS_CLIENT_ID_SIZE || name == NULL ||
        !ks_text_is_user_name(name, (size_t)name_size))
        return KS_INVALID;
    memcpy(id.bytes, id_bytes, sizeof id.bytes);
    enum ks_result result = ks_users_add(engine->users, &id, name, (size_t)name_size, &entry);
    if (result != KS_OK)
        return result == KS_EXISTS ? KS_INVALID : result;
    entry->number = sqlite3_column_int64(row, COLUMN_NUMBER);
    entry->registered = sqlite3_column_int64(row, COLUMN_REGISTERED);
    ks_users_publish(engine->users, entry, sqlite3_column_int(row, COLUMN_HAS_KEY) != 0);
    return load_content_key(engine, row, entry);
}

enum ks_result ks_loading_users(struct ks_engine *engine)
{
    sqlite3_stmt *statement = NULL;
    enum ks_result result = ks_database_prepare(engine->writer.database, users_text, &statement);
    if (result != KS_OK)
        return result;
    struct ks_query query = ks_query_start(statement);
    while (result == KS_OK && ks_query_next(&query))
        result = load_user(engine, statement);
    enum ks_result read = ks_query_end(&query);
    sqlite3_finalize(statement);
    return result != KS_OK ? result : read;
}

/* ---- files ---- */

struct adoption {
    struct ks_engine *engine;
    size_t looked_at; /* in this transaction */
    size_t adopted;
};

static enum ks_result adopt_file(void *context, const struct ks_vault_row *row)
{
    struct adoption *adoption = context;
    struct ks_engine *engine = adoption->engine;
    enum ks_result result = ks_writer_begin(engine);
    if (result != KS_OK)
        return result;
    struct ks_query query = ks_writer_query(engine, KS_STATEMENT_ADOPT_FILE);
    ks_query_blob(&query, row->id.bytes, sizeof row->id.bytes);
    ks_query_text(&query, row->file_name, strlen(row->file_name));
    ks_query_text(&query, row->path_name, strlen(row->path_name));
    ks_query_text(&query, row->kept_name, strlen(row->kept_name));
    result = ks_writer_check(engine, ks_query_run(&query));
    if (result != KS_OK)
        return result;
    adoption->adopted += (size_t)sqlite3_changes(engine->writer.database);
    if (++adoption->looked_at < ADOPT_PIECE)
        return KS_OK;
    adoption->looked_at = 0;
    return ks_writer_finish(engine);
}

static enum ks_result adopt_files(struct ks_engine *engine)
{
    struct adoption adoption = {.engine = engine, .looked_at = 0, .adopted = 0};
    enum ks_result result = ks_sweep_walk_files(engine->directory_fd, engine->log, adopt_file, &adoption);
    enum ks_result finished = ks_writer_finish(engine);
    ks_writer_forget_failure(engine);
    if (adoption.adopted > 0)
        ks_log_warning(engine->log, "adopted %zu files that had no row in the database", adoption.adopted);
    return result != KS_OK ? result : finished;
}

/* Without the directory's name, which is a user's secret id. */
static void report_missing(struct ks_engine *engine, const char *path_name)
{
    char escaped[ESCAPED_SIZE];
    const char *slash = strrchr(path_name, '/');
    const char *stored = slash == NULL ? path_name : slash + 1;
    ks_log_error(engine->log, "the database knows a file that is missing from files/: %s",
                 ks_text_escape(stored, strlen(stored), escaped, sizeof escaped));
}

static enum ks_result report_missing_files(struct ks_engine *engine)
{
    sqlite3_stmt *statement = NULL;
    enum ks_result result =
        ks_database_prepare(engine->writer.database, "SELECT PathName FROM files", &statement);
    if (result != KS_OK)
        return result;
    struct ks_query query = ks_query_start(statement);
    while (ks_query_next(&query)) {
        const char *path_name = (const char *)sqlite3_column_text(statement, 0);
        if (path_name == NULL || !ks_sweep_has_file(engine->directory_fd, path_name))
            report_missing(engine, path_name == NULL ? "" : path_name);
    }
    result = ks_query_end(&query);
    sqlite3_finalize(statement);
    return result;
}

enum ks_result ks_loading_files(struct ks_engine *engine)
{
    enum ks_result result = adopt_files(engine);
    return result == KS_OK ? report_missing_files(engine) : result;
}
