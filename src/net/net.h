/* net.h — the network of a server: worker threads, listeners, signals. The only room that knows libuv.
 *
 * The main thread accepts and hands each connection to the least loaded worker; from then on the connection
 * belongs to that worker's loop (connection.h).
 */
#ifndef KS_NET_NET_H
#define KS_NET_NET_H

#include "net/connection.h"

struct ks_net;

struct ks_net_options {
    unsigned workers;          /* 0: one per core */
    unsigned connection_limit; /* in total; at it the longest-idle connection makes room. 0: 20000, or what
                                  RLIMIT_NOFILE allows if that is less */
    size_t buffer_limit;       /* bytes in buffers of all connections together; 0: 256 MiB */
    const struct ks_clock *clock;
    const struct ks_log *log;
};

/* Starts the workers; nothing is listened on yet. Raises RLIMIT_NOFILE to its hard limit and ignores SIGPIPE.
 * KS_OK with *net for ks_net_close; KS_NO_MEMORY; KS_IO. Main thread. */
enum ks_result ks_net_open(const struct ks_net_options *options, struct ks_net **net);

enum { KS_ADDRESS_TEXT_SIZE = 300 };

/* Listens on "host:port" ("[v6]:port", ":port" for all interfaces; port 0 picks one) and gives what connects
 * to `service` by way of `events`; both must live until ks_net_close. `bound` receives the address with the
 * real port. KS_OK; KS_INVALID when the address is none; KS_EXISTS when it is in use; KS_IO. `why` then holds
 * a sentence. Main thread, before ks_net_run. */
enum ks_result ks_net_listen(struct ks_net *net, const char *address,
                             const struct ks_connection_events *events, void *service,
                             char bound[KS_ADDRESS_TEXT_SIZE], char *why, size_t why_size);

/* Serves until SIGTERM or SIGINT; then stops listening, lets what is in flight finish (for some seconds at
 * most) and returns when no connection is left. The workers still run, so that the store can be closed. Main
 * thread. */
void ks_net_run(struct ks_net *net);

/* Ends the workers and frees everything. Nobody may post to a loop any more. NULL is allowed. Main thread. */
void ks_net_close(struct ks_net *net);

#endif
