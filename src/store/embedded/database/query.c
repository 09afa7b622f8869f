/* query.c — see query.h. */
#include "store/embedded/database/query.h"

struct ks_query ks_query_start(sqlite3_stmt *statement)
{
    return (struct ks_query){.statement = statement, .parameter = 0, .code = SQLITE_OK};
}

static void query_note(struct ks_query *query, int code)
{
    if (query->code == SQLITE_OK)
        query->code = code;
}

void ks_query_blob(struct ks_query *query, const void *bytes, size_t size)
{
    query_note(query, sqlite3_bind_blob64(query->statement, ++query->parameter, bytes, size, SQLITE_STATIC));
}

void ks_query_text(struct ks_query *query, const char *text, size_t size)
{
    query_note(query, sqlite3_bind_text64(query->statement, ++query->parameter, text, size, SQLITE_STATIC,
                                          SQLITE_UTF8));
}

void ks_query_integer(struct ks_query *query, int64_t value)
{
    query_note(query, sqlite3_bind_int64(query->statement, ++query->parameter, value));
}

void ks_query_null(struct ks_query *query)
{
    query_note(query, sqlite3_bind_null(query->statement, ++query->parameter));
}

bool ks_query_next(struct ks_query *query)
{
    if (query->code == SQLITE_OK || query->code == SQLITE_ROW)
        query->code = sqlite3_step(query->statement);
    return query->code == SQLITE_ROW;
}

enum ks_result ks_query_end(struct ks_query *query)
{
    /* Without a statement, `code` says why it could not be compiled. */
    if (query->statement != NULL) {
        sqlite3_reset(query->statement);
        sqlite3_clear_bindings(query->statement);
    }
    return ks_database_result(query->code);
}

enum ks_result ks_query_run(struct ks_query *query)
{
    ks_query_next(query);
    return ks_query_end(query);
}
