/* query.h — one run of a compiled statement: parameters in their order, then the step. The thread of its
 * connection.
 *
 * The first error sticks, so it is checked once, at the end. What is bound must live until ks_query_end (or
 * ks_query_run, which ends the query too).
 */
#ifndef KS_STORE_EMBEDDED_DATABASE_QUERY_H
#define KS_STORE_EMBEDDED_DATABASE_QUERY_H

#include "store/embedded/database/database.h"

struct ks_query {
    sqlite3_stmt *statement;
    int parameter; /* the last one bound */
    int code;      /* SQLite's first error, or the last step's */
};

struct ks_query ks_query_start(sqlite3_stmt *statement);
void ks_query_blob(struct ks_query *query, const void *bytes, size_t size);
void ks_query_text(struct ks_query *query, const char *text, size_t size);
void ks_query_integer(struct ks_query *query, int64_t value);
void ks_query_null(struct ks_query *query);

/* The next row: true while there is one. Read it with sqlite3_column_*. */
bool ks_query_next(struct ks_query *query);

/* Resets the statement and unbinds. KS_OK or the first error, as ks_database_result. */
enum ks_result ks_query_end(struct ks_query *query);

/* For statements without rows: step and end. */
enum ks_result ks_query_run(struct ks_query *query);

#endif
