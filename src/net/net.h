/* net.h — the network of a server: worker threads, listeners, signals. The only room that knows libuv.
 *
 * The main thread accepts and hands each connection to the least loaded worker; from then on the connection
 * belongs to that worker's loop (connection.h).
 */
#ifndef KS_NET_NET_H
#define KS_NET_NET_H

#include "base/limits/keyed_hash.h"
#include "base/limits/networks.h"
#include "net/connection.h"
#include "net/tls/tls_port.h"

struct ks_net;

struct ks_net_options {
    unsigned workers;          /* 0: one fewer than cores */
    unsigned connection_limit; /* in total; at it the longest-idle connection of the lowest standing makes
                                  room; users and members do only while they hold more than three quarters of
                                  it. 0: 20000, or what RLIMIT_NOFILE allows if that is less */
    unsigned address_limit;    /* connections of one address; 0: no limit */
    struct ks_networks_current *unlimited; /* networks without that limit */
    struct ks_hash_key hash_key;           /* random: of what is counted by address */
    size_t buffer_limit; /* bytes in buffers of all connections together, three quarters of them for
                            what comes in, one for answers; 0: 256 MiB */
    uint64_t alive_ms;   /* how often `alive` is wanted; 0: never */
    /* While ks_net_run runs, on the main thread; NULL is allowed. `alive` is not called while the loop of a
     * worker does not turn; `stopping` once, when a signal has said so. */
    void (*alive)(void *context);
    void (*stopping)(void *context);
    void (*hang_up)(void *context); /* on SIGHUP */
    void *context;
    const struct ks_clock *clock;
    const struct ks_log *log;
};

/* Starts the workers; nothing is listened on yet. Sets RLIMIT_NOFILE to what the connections need, or
 * else to its hard limit; what libuv needs for so many is allocated here. Ignores SIGPIPE,
 * and from now on SIGTERM and SIGINT are ks_net_run's, even if they come before it. KS_OK with *net for
 * ks_net_close; KS_NO_MEMORY; KS_IO. Main thread. */
enum ks_result ks_net_open(const struct ks_net_options *options, struct ks_net **net);

enum { KS_ADDRESS_TEXT_SIZE = 300 };

enum { KS_NET_LISTENERS_LIMIT = 8 };

/* Listens on "host:port" ("[v6]:port", ":port" for all interfaces, IPv4 and IPv6; port 0 picks one) and gives
 * what connects to `service` by way of `events`; both must live until ks_net_close, and so must `name`, which
 * is what statistics call it. `bound` receives the address with the real port, and which families it takes
 * where that is all interfaces. "unix:PATH" listens on a socket in the file system (base/local.h) that only
 * programs of our own user and of root may use, and for them there is room beyond the limit of connections;
 * it is removed when ks_net_run stops listening. KS_OK; KS_INVALID when the address is none; KS_NOT_FOUND for
 * a host that is not known; KS_EXISTS when the address is in use; KS_IO. `why` then holds a sentence. Main
 * thread, before ks_net_run. */
enum ks_result ks_net_listen(struct ks_net *net, const char *name, const char *address,
                             const struct ks_connection_events *events, void *service,
                             char bound[KS_ADDRESS_TEXT_SIZE], char *why, size_t why_size);

/* Makes a secure port (net/tls/tls_port.h) for connections of this network: `crowd` and `output` of the
 * options are ours. The port goes as service, with ks_tls_carrier_events, to ks_net_listen, and is freed
 * after ks_net_close. Results as ks_tls_port_new. Main thread. */
enum ks_result ks_net_secure_port(struct ks_net *net, const struct ks_tls_port_options *options,
                                  struct ks_tls_port **port);

/* Changes two of the options. Connections that are there stay. There are never more than RLIMIT_NOFILE was
 * set for at the opening. Main thread. */
void ks_net_set_limits(struct ks_net *net, unsigned connection_limit, unsigned address_limit);

/* Why a connection was closed as soon as it was accepted. */
enum ks_net_refusal {
    KS_NET_REFUSED_FULL,     /* the limit of connections was reached, and nobody made room */
    KS_NET_REFUSED_ADDRESS,  /* the limit of one address was */
    KS_NET_REFUSED_STRANGER, /* of another user, on a socket in the file system */
    KS_NET_REFUSED_MEMORY,
    KS_NET_REFUSED_SERVICE, /* its service had no room or no memory for it; accepted before */
    KS_NET_REFUSALS,
};

struct ks_net_listener_statistics {
    const char *name;
    uint64_t open;     /* connections now */
    uint64_t accepted; /* those that the service refused then among them */
    uint64_t refused[KS_NET_REFUSALS];
};

struct ks_net_budget_statistics {
    size_t used; /* bytes */
    size_t limit;
    unsigned waiting; /* holders (base/limits/budget.h) */
    uint64_t cuts;    /* holders that were cut */
};

/* What the network is doing, for metrics. */
struct ks_net_statistics {
    size_t listener_count;
    struct ks_net_listener_statistics listeners[KS_NET_LISTENERS_LIMIT];
    unsigned connection_limit;
    unsigned workers;
    uint64_t received; /* bytes */
    uint64_t sent;     /* bytes */
    uint64_t evicted;  /* idle connections that made room */
    uint64_t offloads; /* on their way now */
    uint64_t quiet;    /* log lines about trouble that were left out, for there was one lately */
    struct ks_net_budget_statistics contents; /* on their way in */
    struct ks_net_budget_statistics answers;  /* long ones, on their way out */
    size_t output;                            /* memory of what waits to be sent */
    size_t output_limit;
};

/* Any thread, between open and close. */
void ks_net_statistics(const struct ks_net *net, struct ks_net_statistics *statistics);

/* How many connections there are. Any thread. */
unsigned ks_net_connections(const struct ks_net *net);

/* Serves until SIGTERM or SIGINT; then stops listening, lets what is in flight finish (for some seconds at
 * most) and returns when no connection is left. The workers still run, so that the store can be closed. Main
 * thread. */
void ks_net_run(struct ks_net *net);

/* Ends the workers and frees everything. Nobody may post to a loop any more. NULL is allowed. Main thread. */
void ks_net_close(struct ks_net *net);

#endif
