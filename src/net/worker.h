/* worker.h — a worker: one thread, one libuv loop, and the connections that belong to it. Private to src/net.
 *
 * What its connections know of it is struct ks_worker_core (net/loop/worker_core.h); what a worker knows of
 * them is net/tcp/tcp.h.
 */
#ifndef KS_NET_WORKER_H
#define KS_NET_WORKER_H

#include "base/mailbox.h"
#include "net/loop/worker_core.h"

#include <pthread.h>
#include <uv.h>

struct ks_worker {
    struct ks_worker_core core;
    uv_async_t wake;      /* the mailbox is no longer empty */
    uv_prepare_t prepare; /* works off the lists */
    struct ks_mailbox mailbox;
    pthread_t thread;
    struct ks_task quiesce_task;
    struct ks_task end_all_task;
    struct ks_task close_task;
};

enum {
    KS_NEWCOMERS_LIMIT = 128, /* beyond `connections`; of the descriptors that the server keeps for itself */
};

/* What the log says of a connection that found no room: for ks_peer_address_log_refusal. */
extern const char ks_worker_no_room[];

/* Starts the thread with its loop. `number`: from 0, in this order. KS_OK with *worker; KS_NO_MEMORY; KS_IO.
 */
enum ks_result ks_worker_start(struct ks_worker_shared *shared, unsigned number, struct ks_worker **worker);

/* Gives an accepted socket to the worker, which opens a connection on it. Any thread. The caller has counted
 * it in shared->connection_count. Where it `needs_room`, the longest-idle connection of the lowest standing
 * ends first, of KS_STANDING_KNOWN only while these hold more than what is reserved for them, unless others
 * have gone meanwhile. Whoever was chosen may be busy by then: then somebody else leaves, or, where nobody is
 * idle any more, the socket is closed, and counted in its too_many. KS_OK; KS_REFUSED when nobody is idle, or
 * KS_NEWCOMERS_LIMIT others wait; KS_NO_MEMORY; and then the socket is still the caller's. */
enum ks_result ks_worker_hand_over(struct ks_worker *worker, const struct ks_accepted *accepted,
                                   bool needs_room);

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

#endif
