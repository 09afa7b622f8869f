/* peer_address.c — see peer_address.h. */
#include "net/peer_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

void ks_peer_address(const struct sockaddr_storage *address, uint8_t bytes[static KS_PEER_ADDRESS_SIZE])
{
    memset(bytes, 0, KS_PEER_ADDRESS_SIZE);
    if (address->ss_family == AF_INET6) {
        memcpy(bytes, &((const struct sockaddr_in6 *)address)->sin6_addr, KS_PEER_ADDRESS_SIZE);
    } else if (address->ss_family == AF_INET) {
        memcpy(bytes, mapped_prefix, sizeof mapped_prefix);
        memcpy(bytes + sizeof mapped_prefix, &((const struct sockaddr_in *)address)->sin_addr, 4);
    }
}

struct ks_peer ks_peer_of(const struct sockaddr_storage *address)
{
    struct ks_peer peer = {.port = 0, .is_local = address->ss_family == AF_UNIX};
    ks_peer_address(address, peer.bytes);
    if (address->ss_family == AF_INET6)
        peer.port = ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
    else if (address->ss_family == AF_INET)
        peer.port = ntohs(((const struct sockaddr_in *)address)->sin_port);
    return peer;
}

void ks_peer_describe(const struct ks_peer *peer, char *text, size_t size)
{
    char shown[INET6_ADDRSTRLEN] = "?";
    if (peer->is_local) {
        snprintf(text, size, "this machine");
        return;
    }
    bool is_v4 = memcmp(peer->bytes, mapped_prefix, sizeof mapped_prefix) == 0;
    inet_ntop(is_v4 ? AF_INET : AF_INET6, peer->bytes + (is_v4 ? sizeof mapped_prefix : 0), shown,
              sizeof shown);
    snprintf(text, size, is_v4 ? "%s:%u" : "[%s]:%u", shown, (unsigned)peer->port);
}
