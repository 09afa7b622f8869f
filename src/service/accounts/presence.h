/* presence.h — which connections are signed in as which account, over all loops: so that all of an account's
 * are cut at once when it is removed, or has another key.
 *
 * An *attendance* is one connection's. It belongs to the connection's loop, and so do its functions. Whoever
 * cuts may be on any thread: the attendance's owner is told on its own loop.
 *
 * The order of things at a sign-in makes it safe: the store says that there is such an account; the
 * attendance begins; the store is asked once more. A removal that was committed before the second answer is
 * seen there, and one that is committed later finds the attendance: it cuts when it is committed.
 *
 * Memory: some 200 bytes for each connection that is signed in.
 */
#ifndef KS_SERVICE_ACCOUNTS_PRESENCE_H
#define KS_SERVICE_ACCOUNTS_PRESENCE_H

#include "base/executor.h"
#include "store/store_accounts.h"

struct ks_presence;
struct ks_attendance;

/* KS_OK with *presence for ks_presence_free, when nobody attends any more; KS_NO_MEMORY. */
enum ks_result ks_presence_new(struct ks_presence **presence);
void ks_presence_free(struct ks_presence *presence); /* NULL is allowed */

/* A connection on the loop of `executor` is signed in as the account `id` by `key`, unless `limit` of them
 * are, 0 for no limit. KS_OK with *attendance for ks_presence_leave; KS_REFUSED at the limit; KS_NO_MEMORY.
 */
enum ks_result ks_presence_enter(struct ks_presence *presence, const struct ks_client_id *id,
                                 const uint8_t key[static KS_ACCOUNT_KEY_SIZE], unsigned limit,
                                 struct ks_executor *executor, struct ks_attendance **attendance);

/* From now on `cut` is called, on the loop, once, when the account is no longer the connection's. Who set it
 * before is forgotten. False when that has happened already: then it is not called. */
bool ks_attendance_set_owner(struct ks_attendance *attendance, void (*cut)(void *owner), void *owner);

/* The connection is not the account's any more, or gone. `cut` is not called. NULL is allowed. */
void ks_presence_leave(struct ks_attendance *attendance);

/* The account `id` was removed: cuts all of its connections but that of `except`, NULL for none. Any thread,
 * but where `except` is given its loop. */
void ks_presence_cut(struct ks_presence *presence, const struct ks_client_id *id,
                     const struct ks_attendance *except);

/* The account `id` has another key now: cuts those that signed in with one that it had. Any thread. */
void ks_presence_cut_others(struct ks_presence *presence, const struct ks_client_id *id,
                            const uint8_t key[static KS_ACCOUNT_KEY_SIZE]);

/* How many connections are signed in. Any thread. */
size_t ks_presence_count(struct ks_presence *presence);

#endif
