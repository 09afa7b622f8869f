/* loading.c — see loading.h. */
#include "store/embedded/loading.h"

#include "base/text.h"
#include "store/embedded/engine.h"
#include "store/embedded/memory/identities.h"
#include "store/embedded/memory/users_load.h"
#include "store/embedded/relocation.h"
#include "store/embedded/vault/contents.h"
#include "store/embedded/vault/sweep.h"

#include <string.h>

enum { PIECE_FILES = 4096 /* in one transaction */, ESCAPED_SIZE = 256 };

/* A statement that only the start needs. */
static enum ks_result start_reading(struct ks_engine *engine, const char *sql, struct ks_query *query)
{
    sqlite3_stmt *statement = NULL;
    enum ks_result result = ks_database_prepare(engine->writer.database, sql, &statement);
    if (result == KS_OK)
        *query = ks_query_start(statement);
    return result;
}

static enum ks_result end_reading(struct ks_query *query)
{
    enum ks_result result = ks_query_end(query);
    sqlite3_finalize(query->statement);
    return result;
}

/* ---- users ---- */

static const char users_text[] =
    "SELECT rowid, ID, Name, PublicKey IS NOT NULL, AESKey, AESKeyUsed, KeyReset IS NOT NULL"
    " FROM clients ORDER BY rowid";

enum { COLUMN_NUMBER, COLUMN_ID, COLUMN_NAME, COLUMN_HAS_KEY, COLUMN_AES, COLUMN_AES_USED, COLUMN_KEY_RESET };

static enum ks_result read_content_key(sqlite3_stmt *row, struct ks_user_entry *entry)
{
    if (sqlite3_column_bytes(row, COLUMN_AES) != KS_CONTENT_KEY_SIZE)
        return KS_OK;
    entry->content_key = ks_content_key_new(sqlite3_column_blob(row, COLUMN_AES), entry->since);
    return entry->content_key != NULL ? KS_OK : KS_NO_MEMORY;
}

static enum ks_result read_user(struct ks_engine *engine, sqlite3_stmt *row, struct ks_users_load *load)
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
    enum ks_result result = ks_users_load_add(load, &id, name, (size_t)name_size, &entry);
    if (result != KS_OK)
        return result;
    entry->number = sqlite3_column_int64(row, COLUMN_NUMBER);
    entry->since = ks_age_from_stored(&engine->age, sqlite3_column_int64(row, COLUMN_AES_USED));
    entry->has_public_key = sqlite3_column_int(row, COLUMN_HAS_KEY) != 0;
    entry->key_was_reset = !entry->has_public_key && sqlite3_column_int(row, COLUMN_KEY_RESET) != 0;
    return read_content_key(row, entry);
}

static enum ks_result read_users(struct ks_engine *engine, struct ks_users_load *load)
{
    struct ks_query query;
    enum ks_result result = start_reading(engine, users_text, &query);
    if (result != KS_OK)
        return result;
    while (result == KS_OK && ks_query_next(&query))
        result = read_user(engine, query.statement, load);
    enum ks_result read = end_reading(&query);
    return result != KS_OK ? result : read;
}

enum ks_result ks_loading_users(struct ks_engine *engine)
{
    struct ks_users_load load = {0};
    enum ks_result result = read_users(engine, &load);
    if (result != KS_OK) {
        ks_users_load_free(&load);
        return result;
    }
    result = ks_users_load_finish(&load, engine->users);
    return result == KS_EXISTS ? KS_INVALID : result;
}

/* ---- accounts ---- */

enum { ACCOUNT_ID, ACCOUNT_KEY, ACCOUNT_CLASSIC, ACCOUNT_REGISTERED };

static enum ks_result add_classic_id(struct ks_engine *engine, sqlite3_stmt *row, struct ks_user_entry *entry)
{
    struct ks_client_id id;
    struct ks_classic_entry *classic = NULL;
    if (sqlite3_column_type(row, ACCOUNT_CLASSIC) == SQLITE_NULL)
        return KS_OK;
    if (sqlite3_column_bytes(row, ACCOUNT_CLASSIC) != KS_CLIENT_ID_SIZE)
        return KS_INVALID;
    memcpy(id.bytes, sqlite3_column_blob(row, ACCOUNT_CLASSIC), sizeof id.bytes);
    enum ks_result result = ks_identities_expect_classic(engine->users, entry, &id, &classic);
    if (result == KS_OK)
        ks_identities_set_classic(engine->users, entry, classic);
    return result;
}

static enum ks_result read_account(struct ks_engine *engine, sqlite3_stmt *row)
{
    struct ks_client_id id;
    struct ks_account_entry *account = NULL;
    if (sqlite3_column_bytes(row, ACCOUNT_ID) != KS_CLIENT_ID_SIZE ||
        sqlite3_column_bytes(row, ACCOUNT_KEY) != KS_ACCOUNT_KEY_SIZE)
        return KS_INVALID;
    memcpy(id.bytes, sqlite3_column_blob(row, ACCOUNT_ID), sizeof id.bytes);
    struct ks_user_entry *entry = ks_users_find(engine->users, &id);
    if (entry == NULL) {
        ks_log_error(engine->log, "the database knows an account without a user");
        return KS_OK;
    }
    enum ks_result result = ks_identities_expect(engine->users, entry, sqlite3_column_blob(row, ACCOUNT_KEY),
                                                 sqlite3_column_int64(row, ACCOUNT_REGISTERED), &account);
    if (result != KS_OK)
        return result;
    ks_identities_set(engine->users, account);
    return add_classic_id(engine, row, entry);
}

enum ks_result ks_loading_accounts(struct ks_engine *engine)
{
    struct ks_query query;
    enum ks_result result =
        start_reading(engine, "SELECT ID, Key, ClassicID, Registered FROM accounts", &query);
    if (result != KS_OK)
        return result;
    while (result == KS_OK && ks_query_next(&query))
        result = read_account(engine, query.statement);
    enum ks_result read = end_reading(&query);
    return result != KS_OK ? result : read;
}

/* ---- files ---- */

struct file_adoption {
    struct ks_engine *engine;
    size_t looked_at; /* in this transaction */
    size_t adopted;
};

static enum ks_result adopt_file(void *context, const struct ks_vault_row *row)
{
    struct file_adoption *adoption = context;
    struct ks_engine *engine = adoption->engine;
    enum ks_result result = ks_database_writer_begin(&engine->writer);
    if (result != KS_OK)
        return result;
    struct ks_query query = ks_database_writer_query(&engine->writer, KS_STATEMENT_ADOPT_FILE);
    ks_query_blob(&query, row->id.bytes, sizeof row->id.bytes);
    ks_query_text(&query, row->file_name, strlen(row->file_name));
    ks_query_text(&query, row->path_name, strlen(row->path_name));
    ks_query_text(&query, row->kept_name, strlen(row->kept_name));
    result = ks_database_writer_check(&engine->writer, ks_query_run(&query));
    if (result != KS_OK)
        return result;
    adoption->adopted += (size_t)sqlite3_changes(engine->writer.database);
    if (++adoption->looked_at < PIECE_FILES)
        return KS_OK;
    adoption->looked_at = 0;
    return ks_database_writer_finish(&engine->writer);
}

static enum ks_result end_adoption(const struct file_adoption *adoption, enum ks_result result)
{
    struct ks_engine *engine = adoption->engine;
    enum ks_result finished = ks_database_writer_finish(&engine->writer);
    ks_database_writer_forget_failure(&engine->writer);
    if (adoption->adopted > 0)
        ks_log_warning(engine->log, "adopted %zu files that had no row in the database", adoption->adopted);
    return result != KS_OK ? result : finished;
}

static enum ks_result adopt_files(struct ks_engine *engine)
{
    struct file_adoption adoption = {.engine = engine, .looked_at = 0, .adopted = 0};
    return end_adoption(&adoption, ks_sweep_walk_files(engine->directory_fd, engine->aliases, engine->log,
                                                       adopt_file, &adoption));
}

static enum ks_result adopt_old_directory(struct ks_engine *engine, const struct ks_client_id *id)
{
    struct file_adoption adoption = {.engine = engine, .looked_at = 0, .adopted = 0};
    char path[KS_NAMES_DIRECTORY_SIZE];
    ks_names_old_directory(id, path);
    return end_adoption(&adoption, ks_sweep_walk_directory(engine->directory_fd, engine->log, path, id,
                                                           adopt_file, &adoption));
}

static void report_missing(struct ks_engine *engine, const char *path_name)
{
    char escaped[ESCAPED_SIZE];
    ks_log_error(engine->log, "the database knows a file that is missing: %s",
                 ks_text_escape(path_name, strlen(path_name), escaped, sizeof escaped));
}

static const char files_text[] = "SELECT rowid, PathName, Size, ID, Written, SHA256=x'' FROM files"
                                 " WHERE ID NOT IN (SELECT ID FROM removals)";

enum { FILE_NUMBER, FILE_PATH, FILE_SIZE, FILE_USER, FILE_WRITTEN, FILE_WAS_DAMAGED };

/* Of users who are there: nobody else will ever have another. */
static enum ks_result count_file(struct ks_engine *engine, sqlite3_stmt *row, uint64_t size)
{
    struct ks_client_id id;
    if (sqlite3_column_bytes(row, FILE_USER) != KS_CLIENT_ID_SIZE)
        return KS_INVALID;
    memcpy(id.bytes, sqlite3_column_blob(row, FILE_USER), sizeof id.bytes);
    return ks_users_find(engine->users, &id) != NULL ? ks_quotas_load(engine->quotas, &id, size) : KS_OK;
}

static bool has_size(sqlite3_stmt *row, uint64_t size)
{
    return sqlite3_column_type(row, FILE_SIZE) == SQLITE_INTEGER &&
           (uint64_t)sqlite3_column_int64(row, FILE_SIZE) == size;
}

/* A file that was written at another time than its row's is another one. That one of another size was written
 * at the same time is damage, and is for the check to tell. */
static bool is_row_of(sqlite3_stmt *row, uint64_t size, int64_t written)
{
    if (sqlite3_column_type(row, FILE_WRITTEN) == SQLITE_INTEGER)
        return sqlite3_column_int64(row, FILE_WRITTEN) == written;
    return has_size(row, size);
}

/* Adopted files have no size yet, nor have those that an older kesher has kept. */
static enum ks_result correct_row(struct ks_engine *engine, sqlite3_stmt *row, uint64_t size)
{
    enum ks_result result = ks_database_writer_begin(&engine->writer);
    if (result != KS_OK)
        return result;
    struct ks_query query = ks_database_writer_query(&engine->writer, KS_STATEMENT_SET_FILE_SIZE);
    ks_query_integer(&query, (int64_t)size);
    ks_query_integer(&query, sqlite3_column_int64(row, FILE_NUMBER));
    return ks_database_writer_check(&engine->writer, ks_query_run(&query));
}

/* A file was damaged, or gone, when its SHA-256 was to be computed. A backup may have brought it back. */
static enum ks_result try_digest_again(struct ks_engine *engine, sqlite3_stmt *row)
{
    enum ks_result result = ks_database_writer_begin(&engine->writer);
    if (result != KS_OK)
        return result;
    struct ks_query query = ks_database_writer_query(&engine->writer, KS_STATEMENT_FORGET_FILE_DIGEST);
    ks_query_integer(&query, sqlite3_column_int64(row, FILE_NUMBER));
    return ks_database_writer_check(&engine->writer, ks_query_run(&query));
}

static enum ks_result mend_row(struct ks_engine *engine, sqlite3_stmt *row, uint64_t size, int64_t written)
{
    if (!is_row_of(row, size, written))
        return correct_row(engine, row, size);
    bool was_damaged = sqlite3_column_int(row, FILE_WAS_DAMAGED) != 0;
    return was_damaged && has_size(row, size) ? try_digest_again(engine, row) : KS_OK;
}

static enum ks_result check_file(struct ks_engine *engine, sqlite3_stmt *row)
{
    const char *path_name = (const char *)sqlite3_column_text(row, FILE_PATH);
    uint64_t size = 0;
    int64_t written = 0;
    if (path_name != NULL && ks_sweep_look(engine->directory_fd, path_name, &size, &written)) {
        enum ks_result result = mend_row(engine, row, size, written);
        return result == KS_OK ? count_file(engine, row, size) : result;
    }
    report_missing(engine, path_name == NULL ? "" : path_name);
    return KS_OK;
}

/* Those of removed users are about to go. */
static enum ks_result check_files(struct ks_engine *engine)
{
    struct ks_query query;
    size_t looked_at = 0;
    enum ks_result result = start_reading(engine, files_text, &query);
    if (result != KS_OK)
        return result;
    while (result == KS_OK && ks_query_next(&query)) {
        result = check_file(engine, query.statement);
        if (result == KS_OK && ++looked_at % PIECE_FILES == 0)
            result = ks_database_writer_finish(&engine->writer);
    }
    enum ks_result read = end_reading(&query);
    enum ks_result finished = ks_database_writer_finish(&engine->writer);
    ks_database_writer_forget_failure(&engine->writer);
    return result != KS_OK ? result : read != KS_OK ? read : finished;
}

enum ks_result ks_loading_files(struct ks_engine *engine)
{
    enum ks_result result = ks_relocation_run(engine, adopt_old_directory);
    if (result == KS_OK)
        result = adopt_files(engine);
    return result == KS_OK ? check_files(engine) : result;
}

/* ---- messages ---- */

static enum ks_result has_row(void *statement, const char *path_name, bool *has)
{
    struct ks_query query = ks_query_start(statement);
    ks_query_text(&query, path_name, strlen(path_name));
    *has = ks_query_next(&query);
    return ks_query_end(&query);
}

/* What an append that failed, or a removal that was cut short, has left behind. */
static enum ks_result remove_unknown_contents(struct ks_engine *engine)
{
    struct ks_query query;
    size_t removed = 0;
    enum ks_result result =
        start_reading(engine, "SELECT 1 FROM messages INDEXED BY messages_place WHERE Place=?", &query);
    if (result != KS_OK)
        return result;
    result = ks_sweep_messages(engine->directory_fd, engine->log, has_row, query.statement, &removed);
    sqlite3_finalize(query.statement);
    if (removed > 0)
        ks_log_notice(engine->log, "removed %zu files without a message from messages/", removed);
    return result;
}

/* NULL when the row has its file, as far as anybody can tell. */
static const char *judge_spooled(const struct ks_engine *engine, sqlite3_stmt *statement,
                                 struct ks_damage_row *row)
{
    const char *why = ks_damage_read_row(statement, NULL, row);
    if (sqlite3_errcode(sqlite3_db_handle(statement)) == SQLITE_NOMEM)
        return NULL;
    if (why != NULL || row->place == NULL)
        return why;
    struct ks_contents contents = {
        .directory_fd = engine->directory_fd, .place = row->place, .content_size = row->content_size};
    return ks_contents_look(&contents) == KS_INVALID ? contents.why : NULL;
}

/* Their receivers would find out; but here it costs nobody a connection. */
static enum ks_result put_aside_without_content(struct ks_engine *engine)
{
    struct ks_query query;
    struct ks_damage_row row;
    enum ks_result result = start_reading(engine,
                                          "SELECT " KS_DAMAGE_COLUMNS " FROM messages AS m"
                                          " INDEXED BY messages_place WHERE m.Place NOT NULL",
                                          &query);
    if (result != KS_OK)
        return result;
    while (result == KS_OK && ks_query_next(&query)) {
        const char *why = judge_spooled(engine, query.statement, &row);
        if (why != NULL)
            result = ks_damage_put_aside(&engine->damage, &row, why);
    }
    enum ks_result read = end_reading(&query);
    return result != KS_OK ? result : read;
}

static enum ks_result load_inbox(struct ks_engine *engine, sqlite3_stmt *row)
{
    struct ks_client_id receiver;
    if (sqlite3_column_bytes(row, 0) != KS_CLIENT_ID_SIZE)
        return KS_INVALID;
    memcpy(receiver.bytes, sqlite3_column_blob(row, 0), sizeof receiver.bytes);
    const struct ks_part waiting = {.count = (uint64_t)sqlite3_column_int64(row, 1),
                                    .bytes = (uint64_t)sqlite3_column_int64(row, 2),
                                    .last = (uint64_t)sqlite3_column_int64(row, 3)};
    bool known = ks_users_find(engine->users, &receiver) != NULL;
    return ks_inboxes_load(engine->inboxes, &receiver, &waiting, known);
}

static enum ks_result load_inboxes(struct ks_engine *engine)
{
    struct ks_query query;
    enum ks_result result = start_reading(engine,
                                          "SELECT ToClient, count(*), sum(ContentSize), max(ID)"
                                          " FROM waiting GROUP BY ToClient",
                                          &query);
    if (result != KS_OK)
        return result;
    while (result == KS_OK && ks_query_next(&query))
        result = load_inbox(engine, query.statement);
    enum ks_result read = end_reading(&query);
    return result != KS_OK ? result : read;
}

enum ks_result ks_loading_messages(struct ks_engine *engine)
{
    enum ks_result result = put_aside_without_content(engine);
    if (result == KS_OK)
        result = remove_unknown_contents(engine);
    if (result == KS_OK)
        result = ks_filing_start(&engine->filing);
    return result == KS_OK ? load_inboxes(engine) : result;
}
