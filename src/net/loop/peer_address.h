/* peer_address.h — where a connection comes from, in 20 bytes. A plain value; any thread. Private to src/net.
 */
#ifndef KS_NET_LOOP_PEER_ADDRESS_H
#define KS_NET_LOOP_PEER_ADDRESS_H

#include "net/connection.h"

#include <sys/socket.h>

struct ks_peer_address {
    uint16_t port;
    bool is_local;                       /* at a socket in the file system: it has no address */
    uint8_t bytes[KS_PEER_ADDRESS_SIZE]; /* IPv6, or mapped IPv4; zeros for other families */
};

struct ks_peer_address ks_peer_address_of(const struct sockaddr_storage *address);

/* "192.0.2.7:1234", "[2001:db8::7]:1234" or "this machine", cut to `size` with its NUL. */
void ks_peer_address_describe(const struct ks_peer_address *peer, char *text, size_t size);

/* Says in the log that a connection from there was refused, and why, in a sentence that is constant. */
void ks_peer_address_log_refusal(const struct ks_peer_address *peer, const struct ks_log *log,
                                 const char *sentence);

#endif
