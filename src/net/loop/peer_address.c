/* peer_address.c — see peer_address.h. */
#include "net/loop/peer_address.h"

#include "base/limits/log_repeats.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

struct ks_peer_address ks_peer_address_of(const struct sockaddr_storage *address)
{
    struct ks_peer_address peer = {.port = 0, .is_local = address->ss_family == AF_UNIX};
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        peer.port = ntohs(v6->sin6_port);
        memcpy(peer.bytes, &v6->sin6_addr, sizeof peer.bytes);
    } else if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        peer.port = ntohs(v4->sin_port);
        memcpy(peer.bytes, mapped_prefix, sizeof mapped_prefix);
        memcpy(peer.bytes + sizeof mapped_prefix, &v4->sin_addr, sizeof v4->sin_addr);
    }
    return peer;
}

void ks_peer_address_describe(const struct ks_peer_address *peer, char *text, size_t size)
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

void ks_peer_address_log_refusal(const struct ks_peer_address *peer, const struct ks_log *log,
                                 const char *sentence)
{
    const struct ks_log_cause cause = ks_log_cause(sentence, peer->bytes, NULL);
    char text[KS_PEER_TEXT_SIZE];
    ks_peer_address_describe(peer, text, sizeof text);
    ks_log_repeatable(log, KS_LOG_WARNING, &cause, KS_LOG_REFUSALS, "%s: refused: %s", text, sentence);
}
