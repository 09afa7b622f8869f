/* peer_address.h — where a connection comes from, in 20 bytes. A plain value; any thread. Private to src/net.
 */
#ifndef KS_NET_PEER_H
#define KS_NET_PEER_H

#include "net/connection.h"

#include <sys/socket.h>

struct ks_peer {
    uint16_t port;
    bool is_local;                       /* at a socket in the file system: it has no address */
    uint8_t bytes[KS_PEER_ADDRESS_SIZE]; /* IPv6, or mapped IPv4 */
};

struct ks_peer ks_peer_of(const struct sockaddr_storage *address);

/* The address as 16 bytes of IPv6, an IPv4 one mapped; zeros for other families. */
void ks_peer_address(const struct sockaddr_storage *address, uint8_t bytes[static KS_PEER_ADDRESS_SIZE]);

/* "192.0.2.7:1234", "[2001:db8::7]:1234" or "this machine", cut to `size` with its NUL. */
void ks_peer_describe(const struct ks_peer *peer, char *text, size_t size);

#endif
