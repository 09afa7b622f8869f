/* listener.h — one listening socket on the main loop. Private to src/net. */
#ifndef KS_NET_LISTENER_H
#define KS_NET_LISTENER_H

#include "net/net.h"
#include "net/worker.h"

struct ks_listener;

/* What one listener counts, for metrics; owned by struct ks_net, and there as long as it. */
struct ks_listener_counts {
    /* The main thread's. */
    _Alignas(KS_CACHE_LINE) _Atomic uint64_t accepted;
    _Atomic uint64_t refused[KS_NET_REFUSALS];
    _Atomic uint64_t quiet; /* lines that were not logged, for there was one lately */
    const char *name;
    struct ks_connection_counts connections; /* the workers' */
};

/* What all listeners of a server share; owned by struct ks_net. */
struct ks_listener_shared {
    uv_loop_t *uv;
    struct ks_worker **workers;
    unsigned worker_count;
    struct ks_worker_shared *counts;
};

/* Binds and listens; see ks_net_listen for the arguments and results. `counts` outlives every connection. */
enum ks_result ks_listener_open(const struct ks_listener_shared *shared, struct ks_listener_counts *counts,
                                const char *address, const struct ks_connection_events *events, void *service,
                                char *bound, size_t bound_size, char *why, size_t why_size,
                                struct ks_listener **listener);

/* Stops listening; frees itself when the main loop has run once more. */
void ks_listener_close(struct ks_listener *listener);

#endif
