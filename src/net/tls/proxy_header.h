/* proxy_header.h — what a proxy says before the bytes of its client: version 2 of the PROXY protocol of
 * HAProxy (proxy-protocol.txt, 2.2). Pure; any thread. Private to src/net.
 */
#ifndef KS_NET_TLS_PROXY_HEADER_H
#define KS_NET_TLS_PROXY_HEADER_H

#include "base/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KS_PROXY_HEADER_LIMIT = 16 + 2048, KS_PROXY_ADDRESS_SIZE = 16 };

struct ks_proxy_header {
    size_t size;      /* of the header: what follows is the client's */
    bool has_address; /* else the proxy speaks for itself */
    uint16_t port;
    uint8_t address[KS_PROXY_ADDRESS_SIZE]; /* IPv6, or mapped IPv4 */
};

/* Reads the header at the beginning of what came. KS_OK with *header; KS_MORE; KS_INVALID for what is none,
 * and for one of a kind that has no address we know; KS_TOO_LARGE over KS_PROXY_HEADER_LIMIT. */
enum ks_result ks_proxy_header_parse(const uint8_t *bytes, size_t size, struct ks_proxy_header *header);

#endif
