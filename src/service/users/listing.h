/* listing.h — 601: the list of all other users, page by page (protocol.md §1.3). Private to src/service. */
#ifndef KS_SERVICE_USERS_LISTING_H
#define KS_SERVICE_USERS_LISTING_H

#include "service/core/exchange.h"

/* A rule of the binary port (core/rules.h): the answer is a stream, as fast as the asker's budget lets it be
 * (pacing.h). On the connection's loop. */
void ks_listing_begin(struct ks_exchange *exchange, const uint8_t *fixed);

#endif
