/* wal_file.h — the operating system as SQLite's writer sees it: everything is SQLite's own, but the
 * write-ahead log is written in few large pieces.
 *
 * SQLite writes each page of a transaction to the log with two calls, a header and the page, all of them one
 * behind the other. Here they are joined in memory, and written when the log is synced, read, measured or
 * closed, or when something is written elsewhere in it. A transaction is committed by the sync
 * (synchronous=FULL, which database.c makes sure of), so nothing that is acknowledged is ever only here; and
 * an error of the delayed write is the error of the call that made it happen, at the latest of the sync.
 *
 * Other connections must not read the log before the sync: SQLite shows them only what is committed.
 */
#ifndef KS_STORE_EMBEDDED_DATABASE_WAL_FILE_H
#define KS_STORE_EMBEDDED_DATABASE_WAL_FILE_H

#include "base/result.h"

/* The name to give to sqlite3_open_v2 for a connection that writes; NULL, and SQLite's own way, when SQLite
 * has no memory for it. Any thread. */
const char *ks_wal_file_system(void);

#endif
