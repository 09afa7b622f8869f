/* places.h — who may begin an upload, and which staged ones go for it (staged.h): the limits of the settings,
 * their counts and their lines in the log. Private to src/service and src/server. Any thread, but for
 * ks_places_enter, which is on the connection's loop.
 */
#ifndef KS_SERVICE_DROP_PLACES_H
#define KS_SERVICE_DROP_PLACES_H

#include "service/core/exchange.h"

struct ks_staged_upload;

/* Counts the upload that `exchange` begins in; false at a limit, which is logged. When all places are taken,
 * another one goes for it. */
bool ks_places_enter(const struct ks_exchange *exchange);

/* Discards an upload that is no longer in the registry: its stage goes, and its key is released. Does not
 * wait for the store. */
void ks_places_discard(const struct ks_service_environment *environment, struct ks_staged_upload *upload);

/* Discards what has waited for its confirmation for too long. Whoever begins or ends an upload does that, and
 * whoever counts: nobody else would notice. */
void ks_places_forget_stale(const struct ks_service_environment *environment);

/* Discards what waits for a confirmation by a user who was removed. */
void ks_places_forget_user(struct ks_staged *staged, struct ks_store *store, const struct ks_client_id *id);

/* How many places are taken, of all users. While the store is open. */
unsigned ks_places_taken(const struct ks_service_environment *environment);

#endif
