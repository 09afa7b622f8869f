/* resolve.c — see resolve.h. */
#include "bench/load/resolve.h"

#include "base/address.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

/* Most servers listen on an address of IPv4; "localhost" is often that of IPv6 first. */
static const struct addrinfo *preferred(const struct addrinfo *found)
{
    for (const struct addrinfo *next = found; next != NULL; next = next->ai_next)
        if (next->ai_family == AF_INET)
            return next;
    return found;
}

enum ks_result ks_resolve_address(const char *text, struct sockaddr_storage *address, socklen_t *address_size,
                                  char *reason, size_t reason_capacity)
{
    struct ks_address parsed;
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    if (ks_address_parse_listener(text, &parsed) != KS_OK || parsed.host[0] == '\0') {
        (void)snprintf(reason, reason_capacity, "'%s' is not HOST:PORT", text);
        return KS_INVALID;
    }
    int error = getaddrinfo(parsed.host, parsed.port, &hints, &found);
    if (error != 0) {
        (void)snprintf(reason, reason_capacity, "cannot resolve '%s': %s", text, gai_strerror(error));
        return KS_NOT_FOUND;
    }
    const struct addrinfo *chosen = preferred(found);
    memcpy(address, chosen->ai_addr, chosen->ai_addrlen);
    *address_size = chosen->ai_addrlen;
    freeaddrinfo(found);
    return KS_OK;
}
