/* tls_port_internal.h — a secure port as the files of its carrier see it. Private to src/net/tls; any thread.
 */
#ifndef KS_NET_TLS_TLS_PORT_INTERNAL_H
#define KS_NET_TLS_TLS_PORT_INTERNAL_H

#include "net/tls/tls_port.h"

#include <pthread.h>

enum { KS_TLS_SCRATCH_SIZE = 64 * 1024 };

struct ks_tls_port {
    struct ks_tls_port_options options;
    struct ks_tls_counts counts;
    struct ks_known_networks *known;
    _Atomic unsigned handshakes;
    _Atomic unsigned unsigned_count;
    pthread_mutex_t lock; /* over `context` */
    struct ks_tls_context *context;
    uint8_t *scratch[KS_LOOPS_LIMIT]; /* each its loop's alone */
};

/* One more stranger, or one more handshake, from there: false when there are too many already. From half of
 * the limit on they are dropped by chance, the more the more there are (random early drop, as OpenSSH's
 * MaxStartups); the last quarter is for networks that users have come from. */
bool ks_tls_port_admit_stranger(struct ks_tls_port *port, const uint8_t address[static KS_PEER_ADDRESS_SIZE]);
bool ks_tls_port_admit_handshake(struct ks_tls_port *port,
                                 const uint8_t address[static KS_PEER_ADDRESS_SIZE]);

/* It is no stranger any more, or gone; the handshake is over. */
void ks_tls_port_count_out_stranger(struct ks_tls_port *port);
void ks_tls_port_count_out_handshake(struct ks_tls_port *port);

/* Somebody from there has signed in. */
void ks_tls_port_note_user(struct ks_tls_port *port, const uint8_t address[static KS_PEER_ADDRESS_SIZE]);

/* The context of handshakes that begin now, with a reference; NULL before there is one. */
struct ks_tls_context *ks_tls_port_context(struct ks_tls_port *port);

/* Room of KS_TLS_SCRATCH_SIZE for the loop with this number; NULL when there is no memory. That loop's
 * thread. */
uint8_t *ks_tls_port_scratch(struct ks_tls_port *port, unsigned loop);

#endif
