/* web.h — what the secure port tells a browser: a page of plain text about what it has found, and how an
 * invitation is used.
 *
 * GET (or HEAD) / and /join, one request on a connection; anything else is 404, another method 405. What
 * stands behind the # of a link never comes here: browsers keep it. No page refers to anything, sets anything
 * or runs anything, and its headers say so. There is no Strict-Transport-Security: it would speak for every
 * port of the host's name, most of which are not ours, browsers ignore it where nobody vouches for the
 * certificate, and nothing of this port is ever served in the clear.
 *
 * Bounded: heads by KS_HTTP_HEAD_LIMIT; a connection, from its first moment to its last, by KS_WEB_MS, and by
 * KS_WEB_SESSIONS_LIMIT with others: one more is closed.
 */
#ifndef KS_SERVICE_WEB_WEB_H
#define KS_SERVICE_WEB_WEB_H

#include "base/clock.h"
#include "net/connection.h"

enum {
    KS_WEB_SESSIONS_LIMIT = 256,
    KS_WEB_MS = 10 * 1000,
};

/* What a listener gives the connections; one per server, any thread. */
struct ks_web_environment {
    const struct ks_clock *clock;
    _Atomic unsigned sessions; /* that there are */
};

extern const struct ks_connection_events ks_web_events;

#endif
