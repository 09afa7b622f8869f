/* check.h — ks_store_check in the embedded engine: all that is stored is read and compared, in phases, piece
 * by piece, on a thread of its own with a connection of its own: a piece may take long, and nobody waits for
 * it.
 *
 * What is in motion is not wrong: an upload is in files/ a moment before its row is committed, a message in
 * the journal before it is a row, a row gone before its file. So whoever finds something odd has everything
 * that is on its way settle, then looks again, and tells only what has stayed as it was.
 *
 * check.c runs the phases, and looks at the directory and the database as a whole; check_files.c looks at
 * files/, check_messages.c at messages, check_accounts.c at accounts. What they share stands in
 * check_internal.h.
 */
#ifndef KS_STORE_EMBEDDED_READERS_CHECK_H
#define KS_STORE_EMBEDDED_READERS_CHECK_H

#include "base/thread.h"
#include "store/embedded/memory/quotas.h"
#include "store/embedded/readers/damage.h"
#include "store/embedded/vault/vault.h"
#include "store/embedded/writer/appending.h"
#include "store/store.h"

struct ks_check {
    /* Set before the start; all of it outlives the check. */
    struct ks_database_writer *writer;
    const struct ks_filing *filing;
    struct ks_appending *appending;
    struct ks_damage *damage;
    struct ks_vault *vault;
    struct ks_users *users;
    struct ks_quotas *quotas;
    struct ks_thread *reaper;
    const struct ks_alias_key *aliases;
    const struct ks_log *log;
    const char *database_path;
    int directory_fd; /* the data directory */

    struct ks_thread *thread;
    sqlite3 *database;     /* NULL between checks */
    uint8_t *scratch;      /* KS_SUMS_PIECE bytes */
    _Atomic bool stopping; /* whatever is on its way ends soon */
};

/* KS_OK; KS_NO_MEMORY, KS_IO. */
enum ks_result ks_check_start(struct ks_check *check);

/* Ends the thread; what was asked is answered. Before the others stop. Not started is fine. */
void ks_check_stop(struct ks_check *check);

/* Any thread: checks a piece, and posts the answer (store.h). */
void ks_check_ask(struct ks_check *check, struct ks_store_check *request);

#endif
