/* places.h — who may begin an upload, and which staged ones go for it (staged.h): the limits of the settings,
 * their counts and their lines in the log. Private to src/service. On the connection's loop.
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

/* Discards what has waited for its confirmation for too long. */
void ks_places_forget_stale(const struct ks_service_environment *environment);

#endif
