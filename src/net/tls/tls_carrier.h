/* tls_carrier.h — connections over TLS: a carrier over another one (net/connection.h). Towards the connection
 * below, a TCP one in a server, it is a service; towards the services of a secure port (tls_port.h) it is the
 * connection.
 *
 * A stranger gets nothing but this structure and what it has sent before a whole ClientHello has come; then a
 * handshake, whose expensive part runs on the pool (crypto/tls.h); then its service. The connection below is
 * on one loop, and so is this; its memory stays until the pool has let go of it.
 *
 * What is written is gathered until the turn of the loop ends (ks_connection_want_turn), and goes out in
 * records as large as may be; what is written apart is a record of its own, or several. So much as the peer
 * takes is encrypted, and not more. The peer's end of input is its close_notify: a TCP stream that ends
 * without it was cut, and is told as a reset is. `delivered_up_to` is what the TCP of the peer has
 * acknowledged of the records that carry it; so nothing is deleted for it here (secure.md, section 2).
 */
#ifndef KS_NET_TLS_TLS_CARRIER_H
#define KS_NET_TLS_TLS_CARRIER_H

#include "net/tls/tls_port.h"

/* For ks_net_listen, with a struct ks_tls_port as service, which has an identity. */
extern const struct ks_connection_events ks_tls_carrier_events;

#endif
