/* tls_port.h — a secure port: who the server is there, what it serves, and how many strangers it lets in
 * (secure.md is the design, protocol.md §7 the wire).
 *
 * What listens for it gives `ks_tls_carrier_events` (tls_carrier.h) and the port as service. Counts are of
 * all workers; any thread.
 */
#ifndef KS_NET_TLS_TLS_PORT_H
#define KS_NET_TLS_TLS_PORT_H

#include "base/counter.h"
#include "base/limits/keyed_hash.h"
#include "base/limits/networks.h"
#include "crypto/random.h"
#include "crypto/tls.h"
#include "net/connection.h"

struct ks_crowd;
struct ks_known_networks;

enum {
    KS_TLS_HANDSHAKES_LIMIT = 256, /* from a whole ClientHello to the end of the handshake */
    KS_TLS_UNSIGNED_LIMIT = 1024,  /* connections of strangers, in whatever state */
    KS_TLS_HANDSHAKE_MS = 10 * 1000,
};

/* What becomes of strangers, for metrics. */
struct ks_tls_counts {
    _Atomic uint64_t handshakes; /* that came to a good end */
    _Atomic uint64_t broken;     /* that did not */
    _Atomic uint64_t no_tls;     /* plain text, HTTP, anything else */
    _Atomic uint64_t dropped;    /* for there were too many strangers, or handshakes */
    _Atomic uint64_t late;       /* for their time was up */
};

/* Whom connections are handed to when the handshake is over. */
struct ks_tls_service {
    const struct ks_connection_events *events;
    void *service;
};

struct ks_tls_port_options {
    const struct ks_clock *clock;
    const struct ks_random *random;
    const struct ks_log *log;
    struct ks_hash_key hash_key;
    struct ks_tls_service kesher;        /* for ALPN kesher/1 */
    struct ks_tls_service http;          /* for http/1.1, and without ALPN */
    struct ks_networks_current *proxies; /* whose connections begin with a PROXY header; NULL: none */
    struct ks_crowd *crowd; /* counts what comes by proxies, by the address in the header; NULL: nobody */
    _Atomic size_t *output; /* the sum of what waits to be sent on all connections; NULL: nobody asks */
};

struct ks_tls_port;

/* Without an identity yet. KS_OK with *port for ks_tls_port_free; KS_NO_MEMORY. */
enum ks_result ks_tls_port_new(const struct ks_tls_port_options *options, struct ks_tls_port **port);
void ks_tls_port_free(struct ks_tls_port *port); /* no connection is left; NULL is allowed */

/* Handshakes that begin from now on are with this identity; connections that are there keep theirs. KS_OK;
 * KS_CRYPTO, KS_NO_MEMORY, and all is as it was. */
enum ks_result ks_tls_port_set_identity(struct ks_tls_port *port, const struct ks_tls_identity *identity);

/* What is counted; the port's. */
const struct ks_tls_counts *ks_tls_port_counts(const struct ks_tls_port *port);
unsigned ks_tls_port_handshakes(const struct ks_tls_port *port); /* now */
unsigned ks_tls_port_unsigned(const struct ks_tls_port *port);   /* now */

#endif
