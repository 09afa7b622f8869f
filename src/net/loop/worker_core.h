/* worker_core.h — the part of a worker that its connections know: the loop, its time, its lists, what is
 * counted. Private to src/net.
 *
 * A worker (net/worker.h) owns it and runs the loop; the *carrier*, which is whatever has the sockets of the
 * connections (net/tcp/tcp.h), hands in what is to be called, once, before the loop runs. So carriers know
 * their worker by this alone, and a carrier with sockets of another kind needs nothing else. Its worker's
 * thread alone, but for what is atomic.
 */
#ifndef KS_NET_LOOP_WORKER_CORE_H
#define KS_NET_LOOP_WORKER_CORE_H

#include "base/counter.h"
#include "net/connection.h"
#include "net/loop/connection_lists.h"
#include "net/loop/crowd.h"
#include "net/loop/deadline.h"
#include "net/loop/peer_address.h"

#include <stdatomic.h>
#include <uv.h>

/* What becomes of the connections of one listener, for metrics. Added to by every worker. */
struct ks_connection_counts {
    _Alignas(KS_CACHE_LINE) _Atomic uint64_t closed;
    _Atomic uint64_t unwelcome; /* of these: refused by the service */
    _Atomic uint64_t too_many;  /* of these: found no room after all */
};

/* A socket that was accepted, on its way to a connection. Whoever holds it owns the socket. */
struct ks_accepted {
    int fd; /* non-blocking */
    struct sockaddr_storage peer;
    const struct ks_connection_events *events;
    void *service;
    struct ks_connection_counts *counts; /* outlive the connection */
};

/* What one worker counts, for metrics. */
struct ks_worker_counts {
    _Alignas(KS_CACHE_LINE) _Atomic uint64_t received; /* bytes */
    _Atomic uint64_t sent;                             /* bytes */
    _Atomic uint64_t evicted;                          /* connections that made room */
    _Atomic uint64_t offloaded;
    _Atomic uint64_t offloads_done;
};

struct ks_worker_core;

/* What all workers share; owned by struct ks_net. Zeroed at first but for what struct ks_net knows. */
struct ks_worker_shared {
    const struct ks_clock *clock;
    const struct ks_log *log;
    unsigned descriptors; /* the process has none of this number or a higher one */
    struct ks_budget contents;
    struct ks_budget answers;
    struct ks_crowd crowd;             /* connections by address, counted as connection_count is */
    _Atomic size_t output;             /* memory of what waits to be sent on all connections, roughly */
    size_t output_limit;               /* beyond, services take less work (connection.h) */
    _Atomic unsigned connection_count; /* of all workers, those still being handed over included */
    _Atomic unsigned connection_limit; /* may change at any time */
    _Atomic unsigned known_count;      /* of the connections: with KS_STANDING_KNOWN */
    _Atomic unsigned newcomers;        /* that wait for somebody to leave; each has a descriptor */
    struct ks_worker_core *cores[KS_LOOPS_LIMIT]; /* complete before the first connection is handed over */
    unsigned core_count;
};

struct ks_delivery_watch; /* a carrier's own */

struct ks_worker_core {
    struct ks_worker_counts counts;
    struct ks_loop loop; /* what services see of it */
    struct ks_worker_shared *shared;
    uv_loop_t uv;
    uv_timer_t ticks;                   /* runs while a deadline is set or a delivery is watched */
    uint64_t ticked_ms;                 /* when the last tick came, or the ticks began */
    uv_timer_cb on_tick;                /* the carrier's */
    uv_poll_cb on_socket;               /* the carrier's: something happened at a socket */
    struct ks_deadline_wheel deadlines; /* of services, and of endings */
    struct ks_deadline_wheel reminders;
    struct ks_connection_lists lists;
    struct ks_delivery_watch *watching; /* the carrier's */
    uint8_t *scratch;                   /* KS_WORKER_SCRATCH_SIZE bytes for input */
    _Atomic unsigned connection_count;  /* of this worker; the acceptor reads it to find the least loaded */
    bool ticking;
    bool stood_still; /* the last tick came late, and was put off */
    bool quiescing;   /* no connection may stay */
};

enum { KS_WORKER_SCRATCH_SIZE = 256 * 1024 };

static inline struct ks_worker_core *ks_worker_core_of(const struct ks_loop *loop)
{
    return KS_CONTAINER_OF(loop, struct ks_worker_core, loop);
}

/* Makes the ticks run while they are needed: whoever sets a deadline or a reminder, or watches, calls it. */
void ks_worker_core_need_ticks(struct ks_worker_core *core);

/* Stops them; in a tick, when nothing needs them any more. */
void ks_worker_core_stop_ticks(struct ks_worker_core *core);

/* To be asked in each tick, once: whether the loop stood still before it (the process was stopped, or got no
 * processor), so that deadlines have passed while what peers did in time lies unread in the sockets. The tick
 * then ends here: the sockets are looked at before the next one, which is never told so. */
bool ks_worker_core_stood_still(struct ks_worker_core *core);

/* One connection of this worker is gone, or has not come about: takes it from all counts. Any thread. */
void ks_worker_core_count_out(struct ks_worker_core *core, const struct ks_peer_address *peer,
                              struct ks_connection_counts *counts);

#endif
