/* address.c — see address.h. */
#include "client/address.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct span {
    const char *text;
    size_t size;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span trimmed(const char *text, size_t size)
{
    while (size > 0 && is_blank(text[0])) {
        text++;
        size--;
    }
    while (size > 0 && is_blank(text[size - 1]))
        size--;
    return (struct span){.text = text, .size = size};
}

static bool port_is_sound(struct span port)
{
    unsigned value = 0;
    if (port.size < 1 || port.size >= KS_ADDRESS_PORT_SIZE)
        return false;
    for (size_t i = 0; i < port.size; i++) {
        if (port.text[i] < '0' || port.text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(port.text[i] - '0');
    }
    return value >= 1 && value <= 65535;
}

static bool host_is_sound(struct span host)
{
    if (host.size < 1 || host.size >= KS_ADDRESS_HOST_SIZE)
        return false;
    for (size_t i = 0; i < host.size; i++)
        if (host.text[i] <= ' ' || host.text[i] > '~' || host.text[i] == '[' || host.text[i] == ']')
            return false;
    return true;
}

/* Cuts the port off, which stays as it is where there is none. False when brackets do not match. */
static bool split(struct span text, struct span *host, struct span *port)
{
    *host = text;
    if (text.text == NULL || text.size == 0)
        return false;
    if (text.text[0] == '[') {
        const char *end = memchr(text.text, ']', text.size);
        if (end == NULL)
            return false;
        size_t rest = text.size - (size_t)(end + 1 - text.text);
        *host = (struct span){.text = text.text + 1, .size = (size_t)(end - text.text) - 1};
        if (rest > 0)
            *port = (struct span){.text = end + 2, .size = rest - 1};
        return rest == 0 || end[1] == ':';
    }
    const char *colon = memrchr(text.text, ':', text.size);
    if (colon == NULL || memchr(text.text, ':', (size_t)(colon - text.text)) != NULL)
        return true; /* no colon, or several: a bare IPv6 address */
    *host = (struct span){.text = text.text, .size = (size_t)(colon - text.text)};
    *port = (struct span){.text = colon + 1, .size = text.size - host->size - 1};
    return true;
}

enum ks_result ks_address_parse_for(const char *text, size_t size, const char *default_port,
                                    struct ks_address *address)
{
    struct span host;
    struct span port = {.text = default_port, .size = strlen(default_port)};
    if (!split(trimmed(text, size), &host, &port))
        return KS_INVALID;
    host = trimmed(host.text, host.size);
    port = trimmed(port.text, port.size);
    if (!host_is_sound(host) || !port_is_sound(port))
        return KS_INVALID;
    memset(address, 0, sizeof *address);
    memcpy(address->host, host.text, host.size);
    memcpy(address->port, port.text, port.size);
    return KS_OK;
}

enum ks_result ks_address_parse(const char *text, size_t size, struct ks_address *address)
{
    return ks_address_parse_for(text, size, KS_ADDRESS_DEFAULT_PORT, address);
}

void ks_address_format(const struct ks_address *address, char *text, size_t capacity)
{
    bool v6 = strchr(address->host, ':') != NULL;
    if (snprintf(text, capacity, v6 ? "[%s]:%s" : "%s:%s", address->host, address->port) < 0)
        text[0] = '\0';
}
