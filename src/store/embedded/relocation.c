/* relocation.c — see relocation.h. */
#include "store/embedded/relocation.h"

#include "store/embedded/engine.h"
#include "store/embedded/vault/moving.h"
#include "store/embedded/vault/sweep.h"

#include <string.h>

enum { PIECE_USERS = 256 /* whose rows change in one transaction */ };

static const char done_text[] = "SELECT Value FROM settings WHERE Name='files by alias'";
static const char set_done_text[] =
    "INSERT OR REPLACE INTO settings(Name, Value) VALUES('files by alias', 1)";
static const char has_rows_text[] = "SELECT 1 FROM files WHERE ID=?1 UNION ALL SELECT 1 FROM removals"
                                    " WHERE ID=?1 LIMIT 1";

/* "files/" and 32 digits are the directory; an alias is never the id that it is of. */
#define HAS_OLD_PATH "substr(PathName, 7, 32) = lower(hex(ID))"
static const char old_users_text[] =
    "SELECT DISTINCT ID FROM files WHERE ID>? AND " HAS_OLD_PATH " ORDER BY ID LIMIT ?";
/* REPLACE: a row of a file that was adopted under the new path. */
static const char change_text[] =
    "UPDATE OR REPLACE files SET PathName=?1 || substr(PathName, 39) WHERE ID=?2 AND " HAS_OLD_PATH;

struct relocation {
    struct ks_engine *engine;
    enum ks_result (*adopt)(struct ks_engine *engine, const struct ks_client_id *id);
    sqlite3_stmt *has_rows;
    bool was_done;
    size_t moved;
};

/* ---- directories ---- */

static enum ks_result is_known(const struct relocation *relocation, const struct ks_client_id *id,
                               bool *known)
{
    *known = ks_users_find(relocation->engine->users, id) != NULL;
    if (*known)
        return KS_OK;
    struct ks_query query = ks_query_start(relocation->has_rows);
    ks_query_blob(&query, id->bytes, sizeof id->bytes);
    *known = ks_query_next(&query);
    return ks_query_end(&query);
}

/* Whether the directory of this name is that of an id. */
static enum ks_result is_old(const struct relocation *relocation, const struct ks_client_id *name, bool *old)
{
    struct ks_client_id id;
    bool known = false;
    *old = false;
    ks_alias_to_id(relocation->engine->aliases, name->bytes, id.bytes);
    enum ks_result result = is_known(relocation, &id, &known);
    if (result != KS_OK || known)
        return result;
    result = is_known(relocation, name, old);
    if (result != KS_OK || *old || relocation->was_done)
        return result;
    *old = true;
    return relocation->adopt(relocation->engine, name);
}

static enum ks_result move_directory(void *context, const struct ks_client_id *name)
{
    struct relocation *relocation = context;
    const struct ks_engine *engine = relocation->engine;
    char from[KS_NAMES_DIRECTORY_SIZE];
    char to[KS_NAMES_DIRECTORY_SIZE];
    bool old = false;
    enum ks_result result = is_old(relocation, name, &old);
    if (result != KS_OK || !old)
        return result;
    ks_names_old_directory(name, from);
    ks_names_directory(engine->aliases, name, to);
    relocation->moved++;
    return ks_moving_move(engine->directory_fd, engine->log, from, to);
}

static enum ks_result move_directories(struct relocation *relocation)
{
    struct ks_engine *engine = relocation->engine;
    enum ks_result result =
        ks_database_prepare(engine->writer.database, has_rows_text, &relocation->has_rows);
    if (result == KS_OK)
        result = ks_sweep_walk_directories(engine->directory_fd, move_directory, relocation);
    sqlite3_finalize(relocation->has_rows);
    if (result == KS_OK && (relocation->moved > 0 || !relocation->was_done))
        result = ks_moving_sync(engine->directory_fd);
    if (relocation->moved > 0)
        ks_log_notice(engine->log, "moved the files of %zu users from their secret ids to their public ids",
                      relocation->moved);
    return result;
}

/* ---- rows ---- */

static enum ks_result change_rows_of(const struct ks_engine *engine, sqlite3_stmt *change,
                                     const struct ks_client_id *id)
{
    char path[KS_NAMES_DIRECTORY_SIZE];
    struct ks_query query = ks_query_start(change);
    ks_names_directory(engine->aliases, id, path);
    ks_query_text(&query, path, strlen(path));
    ks_query_blob(&query, id->bytes, sizeof id->bytes);
    return ks_query_run(&query);
}

/* The next users with old paths, at most PIECE_USERS, after the last ones. */
static enum ks_result find_users(sqlite3_stmt *statement, struct ks_client_id *ids, size_t *count)
{
    const struct ks_client_id after = *count > 0 ? ids[*count - 1] : (struct ks_client_id){{0}};
    struct ks_query query = ks_query_start(statement);
    ks_query_blob(&query, after.bytes, *count > 0 ? sizeof after.bytes : 0);
    ks_query_integer(&query, PIECE_USERS);
    for (*count = 0; ks_query_next(&query); ++*count) {
        if (sqlite3_column_bytes(statement, 0) != KS_CLIENT_ID_SIZE) {
            (void)ks_query_end(&query);
            return KS_INVALID;
        }
        memcpy(ids[*count].bytes, sqlite3_column_blob(statement, 0), KS_CLIENT_ID_SIZE);
    }
    return ks_query_end(&query);
}

/* KS_OK when there are no others; KS_MORE. */
static enum ks_result change_piece(struct ks_engine *engine, sqlite3_stmt *find, sqlite3_stmt *change,
                                   struct ks_client_id *ids, size_t *count)
{
    enum ks_result result = find_users(find, ids, count);
    if (result != KS_OK || *count == 0)
        return result;
    result = ks_database_writer_begin(&engine->writer);
    for (size_t i = 0; i < *count && result == KS_OK; i++)
        result = ks_database_writer_check(&engine->writer, change_rows_of(engine, change, &ids[i]));
    enum ks_result finished = ks_database_writer_finish(&engine->writer);
    ks_database_writer_forget_failure(&engine->writer);
    if (result == KS_OK)
        result = finished;
    return result == KS_OK ? KS_MORE : result;
}

static enum ks_result change_rows(struct ks_engine *engine)
{
    sqlite3_stmt *find = NULL;
    sqlite3_stmt *change = NULL;
    struct ks_client_id ids[PIECE_USERS];
    size_t count = 0;
    enum ks_result result = ks_database_prepare(engine->writer.database, old_users_text, &find);
    if (result == KS_OK)
        result = ks_database_prepare(engine->writer.database, change_text, &change);
    if (result == KS_OK)
        result = KS_MORE;
    while (result == KS_MORE)
        result = change_piece(engine, find, change, ids, &count);
    sqlite3_finalize(find);
    sqlite3_finalize(change);
    return result;
}

enum ks_result ks_relocation_run(struct ks_engine *engine,
                                 enum ks_result (*adopt)(struct ks_engine *engine,
                                                         const struct ks_client_id *id))
{
    struct relocation relocation = {.engine = engine, .adopt = adopt};
    int64_t done = 0;
    enum ks_result result = ks_database_read_integer(engine->writer.database, done_text, &done);
    if (result != KS_OK && result != KS_NOT_FOUND)
        return result;
    relocation.was_done = result == KS_OK;
    result = move_directories(&relocation);
    if (result == KS_OK && !relocation.was_done)
        result = change_rows(engine);
    if (result == KS_OK && !relocation.was_done)
        result = ks_database_run(engine->writer.database, set_done_text);
    return result;
}
