/* places.h — who may begin an upload, and which staged ones go for it (staged.h): the limits of the settings,
 * their counts and their lines in the log. Private to src/service. On the connection's loop.
 */
#ifndef KS_SERVICE_PLACES_H
#define KS_SERVICE_PLACES_H

#include "service/core/session.h"

/* Counts the upload that `exchange` begins in; false at a limit, which is logged. When all places are taken,
 * another one goes for it. */
bool ks_places_enter(const struct ks_exchange *exchange);

/* Discards what has waited for its confirmation for too long. */
void ks_places_forget_stale(const struct ks_service_environment *environment, struct ks_loop *loop);

#endif
