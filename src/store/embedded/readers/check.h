/* check.h — ks_store_check in the embedded engine: all that is stored is read and compared, in phases, piece
 * by piece, on a thread of its own with a connection of its own: a piece may take long, and nobody waits for
 * it.
 *
 * What is in motion is not wrong: an upload is in files/ a moment before its row is committed, a message in
 * the journal before it is a row, a row gone before its file. So whoever finds something odd has everything
 * that is on its way settle, then looks again, and tells only what has stayed as it was.
 *
 * check.c runs the phases, and looks at the directory and the database as a whole; check_files.c looks at
 * files/, check_messages.c at messages. Everything here but asking, start and stop is the check thread's.
 */
#ifndef KS_STORE_SQLITE_CHECK_H
#define KS_STORE_SQLITE_CHECK_H

#include "base/thread.h"
#include "store/embedded/database/query.h"
#include "store/store.h"

struct ks_engine;

struct ks_check {
    struct ks_thread *thread;
    sqlite3 *database;     /* NULL between checks */
    uint8_t *scratch;      /* KS_SUMS_PIECE bytes */
    _Atomic bool stopping; /* whatever is on its way ends soon */
};

/* KS_OK; KS_NO_MEMORY, KS_IO. */
enum ks_result ks_check_start(struct ks_engine *engine);

/* Ends the thread; what was asked is answered. Before the others stop. Not started is fine. */
void ks_check_stop(struct ks_engine *engine);

/* The operation; any thread. */
void ks_check_ask(struct ks_store *store, struct ks_store_check *request);

/* ---- what the phases share ---- */

/* Adds a finding, for which there is room. */
void ks_check_tell(struct ks_store_check *request, bool is_wrong, const char *meaning, const char *done,
                   const char *what, ...) __attribute__((format(printf, 5, 6)));

/* Whether there is no room for another finding, or the engine is about to close. */
bool ks_check_must_pause(const struct ks_engine *engine, const struct ks_store_check *request);

/* Returns when all that is on its way now has come to rest: uploads and messages have their rows, and files
 * of rows that are gone are gone. */
void ks_check_settle(struct ks_engine *engine);

/* Has `apply` run on the writer's thread between batches, in a transaction of its own, while nothing is put
 * into files/ or messages/; returns what it, or the commit, says. */
enum ks_result ks_check_change(struct ks_engine *engine,
                               enum ks_result (*apply)(struct ks_engine *engine, void *context),
                               void *context);

/* The phases: each goes on behind cursor.after. KS_OK when it is over, KS_MORE when it is not, else it
 * failed. */
enum ks_result ks_check_files(struct ks_engine *engine, struct ks_store_check *request);
enum ks_result ks_check_strays(struct ks_engine *engine, struct ks_store_check *request);
enum ks_result ks_check_messages(struct ks_engine *engine, struct ks_store_check *request);
enum ks_result ks_check_inboxes(struct ks_engine *engine, struct ks_store_check *request);
enum ks_result ks_check_contents(struct ks_engine *engine, struct ks_store_check *request);

#endif
