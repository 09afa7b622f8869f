/* check_internal.h — the check from within: what its phases share (check_common.c), and the phases that
 * check.c calls. Everything is the check thread's.
 */
#ifndef KS_STORE_EMBEDDED_READERS_CHECK_INTERNAL_H
#define KS_STORE_EMBEDDED_READERS_CHECK_INTERNAL_H

#include "store/embedded/readers/check.h"

/* ---- check_common.c ---- */

/* Adds a finding, for which there is room. */
void ks_check_tell(struct ks_store_check *request, bool is_wrong, const char *meaning, const char *done,
                   const char *what, ...) __attribute__((format(printf, 5, 6)));

/* Whether there is no room for another finding, or the engine is about to close. */
bool ks_check_must_pause(const struct ks_check *check, const struct ks_store_check *request);

/* Returns when all that is on its way now has come to rest: uploads and messages have their rows, and files
 * of rows that are gone are gone. */
void ks_check_settle(struct ks_check *check);

/* Has `apply` run on the writer's thread between batches, in a transaction of its own, while nothing is put
 * into files/ or messages/; returns what it, or the commit, says. */
enum ks_result ks_check_change(struct ks_check *check,
                               enum ks_result (*apply)(struct ks_check *check, void *context), void *context);

/* A walk over files that looks for those that no row knows. */
struct ks_stray_walk {
    struct ks_check *check;
    struct ks_store_check *request;
    const char *row_text; /* the statement that finds the row of a path */
    uint64_t found;       /* of the walk; those before cursor.after were told already */
};

/* Whether a file that the walk has come to is the next to be told: no row knows it, not even when all has
 * come to rest, and it is still there. KS_OK with *is_next; KS_NOT_FOUND when enough were told; KS_MORE when
 * there is no room to tell it; errors of the database. */
enum ks_result ks_check_stray(struct ks_stray_walk *strays, const char *path, bool *is_next);

/* ---- check_files.c, check_messages.c and check_accounts.c ---- */

/* The phases: each goes on behind cursor.after. KS_OK when it is over, KS_MORE when it is not, else it
 * failed. */
enum ks_result ks_check_files(struct ks_check *check, struct ks_store_check *request);
enum ks_result ks_check_strays(struct ks_check *check, struct ks_store_check *request);
enum ks_result ks_check_messages(struct ks_check *check, struct ks_store_check *request);
enum ks_result ks_check_inboxes(struct ks_check *check, struct ks_store_check *request);
enum ks_result ks_check_contents(struct ks_check *check, struct ks_store_check *request);
enum ks_result ks_check_accounts(struct ks_check *check, struct ks_store_check *request);

#endif
