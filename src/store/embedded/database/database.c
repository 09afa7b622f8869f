/* database.c — see database.h. */
#include "store/embedded/database/database.h"

#include "store/embedded/database/wal_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { BUSY_TIMEOUT_MS = 5000, SYNCHRONOUS_FULL = 2 };

enum ks_result ks_database_result(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return KS_OK;
    case SQLITE_FULL:
        return KS_NO_SPACE;
    case SQLITE_NOMEM:
        return KS_NO_MEMORY;
    case SQLITE_CONSTRAINT:
        return KS_EXISTS;
    case SQLITE_NOTADB:
        return KS_INVALID;
    default:
        return KS_IO;
    }
}

/* What makes SQLite's Unix file system answer SQLITE_IOERR_CORRUPTFS, of which a statement makes
 * SQLITE_CORRUPT. */
static bool is_of_the_disk(int error_number)
{
    return error_number == EIO || error_number == ENXIO || error_number == ERANGE;
}

bool ks_database_could_not_read(sqlite3 *database)
{
    static const int files[] = {SQLITE_FCNTL_FILE_POINTER,
                                SQLITE_FCNTL_JOURNAL_POINTER}; /* that is: the log */
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        sqlite3_file *file = NULL;
        int error_number = 0;
        if (sqlite3_file_control(database, "main", files[i], &file) == SQLITE_OK && file != NULL &&
            file->pMethods != NULL &&
            file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &error_number) == SQLITE_OK &&
            is_of_the_disk(error_number))
            return true;
    }
    return false;
}

enum ks_result ks_database_run(sqlite3 *database, const char *sql)
{
    return ks_database_result(sqlite3_exec(database, sql, NULL, NULL, NULL));
}

enum ks_result ks_database_prepare(sqlite3 *database, const char *sql, sqlite3_stmt **statement)
{
    return ks_database_result(
        sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL));
}

enum ks_result ks_database_read_integer(sqlite3 *database, const char *sql, int64_t *value)
{
    sqlite3_stmt *statement = NULL;
    enum ks_result result = ks_database_prepare(database, sql, &statement);
    if (result != KS_OK)
        return result;
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return code == SQLITE_DONE ? KS_NOT_FOUND : ks_database_result(code);
}

/* The journal mode is the one setting whose refusal is told only by the row that comes back. A database that
 * was in another one is changed behind that row: whether that succeeded is told by the end. */
static enum ks_result set_write_ahead_log(sqlite3 *database)
{
    sqlite3_stmt *statement = NULL;
    enum ks_result result = ks_database_prepare(database, "PRAGMA journal_mode=WAL", &statement);
    if (result != KS_OK)
        return result;
    int code = sqlite3_step(statement);
    bool is_wal = code == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
    if (code == SQLITE_ROW)
        code = sqlite3_step(statement);
    sqlite3_finalize(statement);
    if (code != SQLITE_DONE)
        return code == SQLITE_ROW ? KS_IO : ks_database_result(code);
    return is_wal ? KS_OK : KS_IO;
}

static enum ks_result configure_writer(sqlite3 *database)
{
    enum ks_result result = set_write_ahead_log(database);
    if (result == KS_OK)
        result = ks_database_run(database, "PRAGMA synchronous=FULL;"
                                           "PRAGMA wal_autocheckpoint=0;"
                                           "PRAGMA journal_size_limit=67108864;"
                                           "PRAGMA cache_size=-16384;"
                                           "PRAGMA trusted_schema=OFF;");
    int64_t synchronous = 0;
    if (result == KS_OK)
        result = ks_database_read_integer(database, "PRAGMA synchronous", &synchronous);
    if (result == KS_OK && synchronous != SYNCHRONOUS_FULL)
        result = KS_IO;
    return result;
}

static enum ks_result configure_reader(sqlite3 *database)
{
    return ks_database_run(database, "PRAGMA query_only=ON;"
                                     "PRAGMA cache_size=-4096;"
                                     "PRAGMA trusted_schema=OFF;");
}

enum ks_result ks_database_open(const char *path, bool writable, sqlite3 **database, char *why,
                                size_t why_size)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
                (writable ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
    const char *file_system = writable ? ks_wal_file_system() : NULL;
    enum ks_result result = ks_database_result(sqlite3_open_v2(path, database, flags, file_system));
    if (result == KS_OK) {
        sqlite3_extended_result_codes(*database, 1);
        sqlite3_busy_timeout(*database, BUSY_TIMEOUT_MS);
        result = writable ? configure_writer(*database) : configure_reader(*database);
    }
    if (result != KS_OK) {
        snprintf(why, why_size, "cannot open the database %s: %s", path, sqlite3_errmsg(*database));
        sqlite3_close_v2(*database);
        *database = NULL;
    }
    return result;
}
