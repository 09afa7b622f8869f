/* worker.h — a worker: one thread, one libuv loop, and the connections that belong to it. Private to src/net.
 *
 * Glossary. *ready*: a connection with kept input to be offered again. *dirty*: one with output to be sent.
 * *doomed*: one whose `closed` is due. The three lists are worked off in that order just before the loop
 * waits for the network again, so that everything that one turn brought forth leaves in one send per
 * connection.
 */
#ifndef KS_NET_WORKER_H
#define KS_NET_WORKER_H

#include "base/counter.h"
#include "base/mailbox.h"
#include "net/connection.h"
#include "net/crowd.h"
#include "net/deadline.h"
#include "net/net.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <uv.h>

struct ks_tcp;

/* What one listener counts, for metrics; owned by struct ks_net, and there as long as it. */
struct ks_listener_counts {
    /* The main thread's. */
    _Alignas(KS_CACHE_LINE) _Atomic uint64_t accepted;
    _Atomic uint64_t refused[KS_NET_REFUSALS];
    _Atomic uint64_t quiet; /* lines that were not logged, for there was one lately */
    const char *name;
    /* Added to by every worker. */
    _Alignas(KS_CACHE_LINE) _Atomic uint64_t closed;
    _Atomic uint64_t unwelcome; /* of these: refused by the service */
    _Atomic uint64_t too_many;  /* of these: found no room after all */
};

/* What one worker counts, for metrics. */
struct ks_worker_counts {
    _Alignas(KS_CACHE_LINE) _Atomic uint64_t received; /* bytes */
    _Atomic uint64_t sent;                             /* bytes */
    _Atomic uint64_t evicted;                          /* connections that made room */
    _Atomic uint64_t offloaded;
    _Atomic uint64_t offloads_done;
};

/* What all workers share; owned by struct ks_net. */
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
    struct ks_worker *const *workers;  /* set before the first connection is handed over */
    unsigned worker_count;
};

/* Idle connections of one standing. */
struct ks_idle_list {
    struct ks_tcp *oldest;
    struct ks_tcp *newest;
};

struct ks_worker {
    struct ks_worker_counts counts;
    struct ks_loop loop;
    struct ks_worker_shared *shared;
    uv_loop_t uv;
    uv_async_t wake;      /* the mailbox is no longer empty */
    uv_prepare_t prepare; /* works off the lists */
    uv_timer_t ticks;     /* runs while a deadline is set or a delivery is watched */
    struct ks_mailbox mailbox;
    struct ks_deadline_wheel wheel;     /* of deadlines */
    struct ks_deadline_wheel reminders; /* of watched deliveries */
    struct ks_tcp *ready;
    struct ks_tcp *dirty;
    struct ks_tcp *doomed;
    struct ks_tcp *watching;
    struct ks_idle_list idle[KS_STANDINGS];
    uint8_t *scratch;
    pthread_t thread;
    _Atomic unsigned connection_count; /* of this worker; the acceptor reads it to find the least loaded */
    _Atomic uint64_t oldest_idle_ms[KS_STANDINGS]; /* since when the oldest is; UINT64_MAX when nobody is */
    bool ticking;
    bool quiescing; /* no connection may stay */
    struct ks_task quiesce_task;
    struct ks_task end_all_task;
    struct ks_task close_task;
};

enum {
    KS_WORKER_SCRATCH_SIZE = 256 * 1024,
    KS_NEWCOMERS_LIMIT = 128, /* beyond `connections`; of the descriptors that the server keeps for itself */
};

/* Starts the thread with its loop. KS_OK with *worker, KS_NO_MEMORY, KS_IO. */
enum ks_result ks_worker_start(struct ks_worker_shared *shared, unsigned number, struct ks_worker **worker);

/* Gives an accepted socket to the worker, which opens a connection on it. Any thread. The caller has counted
 * it in shared->connection_count. Where it `needs_room`, the longest-idle connection of the lowest standing
 * ends first, of KS_STANDING_KNOWN only while these hold more than what is reserved for them, unless others
 * have gone meanwhile. Whoever was chosen may be busy by then: then somebody else leaves, or, where nobody is
 * idle any more, the socket is closed, and counted in listener->too_many. KS_OK; KS_REFUSED when nobody is
 * idle, or KS_NEWCOMERS_LIMIT others wait; KS_NO_MEMORY; and then the socket is still the caller's. */
enum ks_result ks_worker_hand_over(struct ks_worker *worker, int fd, const struct sockaddr_storage *peer,
                                   const struct ks_connection_events *events, void *service,
                                   struct ks_listener_counts *listener, bool needs_room);

/* Ends every connection as soon as nothing is in flight on it. Any thread, once; wait for connection_count to
 * become 0, and after KS_QUIESCE_MS call ks_worker_end_all. */
void ks_worker_quiesce(struct ks_worker *worker);

/* Ends every connection that is left. Any thread, once. */
void ks_worker_end_all(struct ks_worker *worker);

enum { KS_QUIESCE_MS = 5000 };

/* Runs what is in the mailbox and ends the thread. No connection may be left. Others may still post. */
void ks_worker_stop(struct ks_worker *worker);

/* After ks_worker_stop, on the stopper's thread: runs what was posted since. True when there was something.
 */
bool ks_worker_run_late_tasks(struct ks_worker *worker);

/* Nobody posts any more. */
void ks_worker_free(struct ks_worker *worker);

/* For net/tcp/tcp.c: makes the ticks run while they are needed. */
void ks_worker_need_ticks(struct ks_worker *worker);

#endif
