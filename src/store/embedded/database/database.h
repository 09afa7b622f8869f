/* database.h — a connection to SQLite: opened as we want it, and its errors as ours.
 *
 * One thread at a time uses a connection. Only this folder includes sqlite3.h.
 */
#ifndef KS_STORE_EMBEDDED_DATABASE_DATABASE_H
#define KS_STORE_EMBEDDED_DATABASE_DATABASE_H

#include "base/result.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Opens `path` for writing (created when it is not there, WAL, synchronous=FULL, both read back) or only for
 * reading. KS_OK with *database for sqlite3_close_v2; KS_NO_MEMORY, KS_NO_SPACE, KS_IO; KS_INVALID when the
 * file is no database. After a failure *database is NULL and `why` holds a sentence. */
enum ks_result ks_database_open(const char *path, bool writable, sqlite3 **database, char *why,
                                size_t why_size);

/* What an SQLite result code means to us: SQLITE_OK, ROW and DONE are KS_OK; SQLITE_CONSTRAINT is KS_EXISTS.
 */
enum ks_result ks_database_result(int code);

/* Whether the disk has failed to give this connection what it wanted to read, ever since it was opened: then
 * SQLITE_CORRUPT need not be damage, for SQLite answers it to EIO, too. */
bool ks_database_could_not_read(sqlite3 *database);

/* Runs SQL without parameters and without rows. */
enum ks_result ks_database_run(sqlite3 *database, const char *sql);

/* Runs SQL and reads the integer in the first column of its first row. KS_NOT_FOUND without a row. */
enum ks_result ks_database_read_integer(sqlite3 *database, const char *sql, int64_t *value);

/* Compiles SQL for repeated use; free with sqlite3_finalize. */
enum ks_result ks_database_prepare(sqlite3 *database, const char *sql, sqlite3_stmt **statement);

#endif
