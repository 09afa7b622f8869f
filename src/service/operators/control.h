/* control.h — the service behind the control socket of a server (wire/control_codec.h): one request at a time
 * on a connection, whose answer is streamed as its reader takes it. Fuzzed and tested like any other service.
 *
 * Bounded: a request by its limit, an answer's memory by a page and what may wait on a connection, the number
 * of connections by KS_CONTROL_SESSIONS_LIMIT; one more is told that the server is busy. Who begins a line
 * and says nothing more for KS_CONTROL_LINE_MS is cut off. A reader may take all the time that its pager
 * needs.
 */
#ifndef KS_SERVICE_OPERATORS_CONTROL_H
#define KS_SERVICE_OPERATORS_CONTROL_H

#include "net/connection.h"
#include "service/operators/operations.h"

enum {
    KS_CONTROL_SESSIONS_LIMIT = 16,
    KS_CONTROL_LINE_MS = 60 * 1000,
};

/* What a listener gives the connections; one per server, any thread. */
struct ks_control_environment {
    struct ks_operations_environment operations;
    _Atomic unsigned sessions; /* that there are */
};

extern const struct ks_connection_events ks_control_events;

#endif
