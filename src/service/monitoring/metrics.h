/* metrics.h — metrics and health over HTTP, for monitors, on a port of their own.
 *
 * GET (or HEAD) /metrics gives what `render` writes; /healthz says "ok" when the store answers within
 * KS_METRICS_HEALTH_MS, else 503. Anything else is 404, another method 405. Requests have no content: after
 * one that announces some the connection ends. Connections are kept alive; each serves one request at a time.
 *
 * Bounded: heads by KS_HTTP_HEAD_LIMIT, and by KS_METRICS_HEAD_MS from their first byte; idle connections by
 * KS_METRICS_IDLE_MS, and answers that nobody takes by the same; the number of connections by
 * KS_METRICS_SESSIONS_LIMIT, one more is closed. A scrape allocates one buffer and is written on the pool,
 * never on a loop.
 */
#ifndef KS_SERVICE_MONITORING_METRICS_H
#define KS_SERVICE_MONITORING_METRICS_H

#include "net/connection.h"
#include "store/store.h"

enum {
    KS_METRICS_SESSIONS_LIMIT = 32,
    KS_METRICS_TEXT_LIMIT = 64 * 1024,
    KS_METRICS_HEAD_MS = 10 * 1000,
    KS_METRICS_IDLE_MS = 120 * 1000,
    KS_METRICS_HEALTH_MS = 5 * 1000,
};

/* What a listener gives the connections; one per server, any thread. */
struct ks_metrics_environment {
    struct ks_store *store;
    const struct ks_clock *clock;
    /* Writes all metrics; returns their size, 0 when they do not fit. On any thread, several at a time. */
    size_t (*render)(void *context, char *text, size_t capacity);
    void *context;
    _Atomic unsigned sessions; /* that there are */
};

extern const struct ks_connection_events ks_metrics_events;

#endif
