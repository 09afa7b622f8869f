/* address.c — see address.h. */
#include "bench/address.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* "HOST:PORT" or "[ADDRESS]:PORT" into its two parts. */
static bool split(const char *server, char *host, size_t host_capacity, const char **port)
{
    const char *colon = strrchr(server, ':');
    if (colon == NULL || colon[1] == '\0')
        return false;
    size_t size = (size_t)(colon - server);
    if (size >= 2 && server[0] == '[' && server[size - 1] == ']') {
        server++;
        size -= 2;
    }
    if (size == 0 || size >= host_capacity)
        return false;
    memcpy(host, server, size);
    host[size] = '\0';
    *port = colon + 1;
    return true;
}

/* Most servers listen on an address of IPv4; "localhost" is often that of IPv6 first. */
static const struct addrinfo *preferred(const struct addrinfo *found)
{
    for (const struct addrinfo *next = found; next != NULL; next = next->ai_next)
        if (next->ai_family == AF_INET)
            return next;
    return found;
}

enum ks_result ks_address_resolve(const char *text, struct sockaddr_storage *address, socklen_t *address_size,
                                  char *reason, size_t reason_capacity)
{
    char host[256];
    const char *port = NULL;
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    if (!split(text, host, sizeof host, &port)) {
        (void)snprintf(reason, reason_capacity, "'%s' is not HOST:PORT", text);
        return KS_INVALID;
    }
    int error = getaddrinfo(host, port, &hints, &found);
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
