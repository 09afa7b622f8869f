/* ask_service.h — the ask service: four-letter requests on a port of its own (protocol.md §3).
 *
 * Give ks_ask_service_events to a listener with a `struct ks_ask_service_environment *` as the service. A
 * session takes no memory beyond a few bytes and the answers that wait; whoever floods it waits for his
 * answers to go out. Everything of a connection runs on its loop.
 */
#ifndef KS_SERVICE_ASK_ASK_SERVICE_H
#define KS_SERVICE_ASK_ASK_SERVICE_H

#include "crypto/random.h"
#include "net/connection.h"

struct ks_tally;

enum { KS_ASK_SERVICE_STATUS_SIZE = 512 };

/* One per server, filled before the first connection, read-only afterwards. */
struct ks_ask_service_environment {
    const struct ks_clock *clock;
    const struct ks_random *random;
    const struct ks_log *log;
    const char *name; /* the answer to NAME; what is beyond KS_ASK_SERVICE_STATUS_SIZE bytes is cut */
    /* The answer to STAT, one line, NUL-terminated. Called on the connection's loop; any loop. */
    void (*status)(void *context, char text[static KS_ASK_SERVICE_STATUS_SIZE]);
    void *context;
    struct ks_tally *tally; /* NULL: nobody counts */
};

extern const struct ks_connection_events ks_ask_service_events;

#endif
