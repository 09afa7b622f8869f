/* address.c — see address.h. */
#include "base/address.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
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

static bool port_is_sound(struct span port, unsigned least)
{
    unsigned value = 0;
    if (port.size < 1 || port.size >= KS_ADDRESS_PORT_SIZE)
        return false;
    for (size_t i = 0; i < port.size; i++) {
        if (port.text[i] < '0' || port.text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(port.text[i] - '0');
    }
    return value >= least && value <= 65535;
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

static void store(struct span host, struct span port, struct ks_address *address)
{
    memset(address, 0, sizeof *address);
    memcpy(address->host, host.text, host.size);
    memcpy(address->port, port.text, port.size);
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
    if (!host_is_sound(host) || !port_is_sound(port, 1))
        return KS_INVALID;
    store(host, port, address);
    return KS_OK;
}

enum ks_result ks_address_parse(const char *text, size_t size, struct ks_address *address)
{
    return ks_address_parse_for(text, size, KS_ADDRESS_DEFAULT_PORT, address);
}

/* Labels of letters, digits, hyphens and underscores; the last one is no number, for that would be a wrong
 * address of IPv4 (RFC 1123, 2.1). */
static bool is_host_name(const char *host)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    const char *dot = strrchr(host, '.');
    const char *label = dot != NULL ? dot + 1 : host;
    return host[strspn(host, allowed)] == '\0' && host[0] != '-' && host[0] != '.' &&
           strstr(host, "..") == NULL && label[strspn(label, "0123456789")] != '\0';
}

static bool is_v6(const char *host)
{
    char address[KS_ADDRESS_HOST_SIZE];
    struct in6_addr binary;
    size_t size = strcspn(host, "%"); /* before a scope, as in fe80::1%eth0 */
    memcpy(address, host, size);
    address[size] = '\0';
    return inet_pton(AF_INET6, address, &binary) == 1 && (host[size] == '\0' || host[size + 1] != '\0');
}

enum ks_result ks_address_parse_listener(const char *text, struct ks_address *address)
{
    struct span host;
    struct span port = {.text = "", .size = 0};
    struct in_addr binary;
    if (!split((struct span){.text = text, .size = strlen(text)}, &host, &port) || !port_is_sound(port, 0) ||
        host.size >= KS_ADDRESS_HOST_SIZE || (host.size == 0 && text[0] == '['))
        return KS_INVALID;
    store(host, port, address);
    if (text[0] == '[')
        return is_v6(address->host) ? KS_OK : KS_INVALID;
    bool sound =
        host.size == 0 || inet_pton(AF_INET, address->host, &binary) == 1 || is_host_name(address->host);
    return sound ? KS_OK : KS_INVALID;
}

void ks_address_format(const struct ks_address *address, char *text, size_t capacity)
{
    bool v6 = strchr(address->host, ':') != NULL;
    if (snprintf(text, capacity, v6 ? "[%s]:%s" : "%s:%s", address->host, address->port) < 0)
        text[0] = '\0';
}

/* ---- the same, or another ---- */

/* The bytes of an address of IPv6, which can be written in many ways. */
static bool parse_v6(const char *host, struct in6_addr *parsed)
{
    return inet_pton(AF_INET6, host, parsed) == 1;
}

static size_t size_without_dot(const char *host)
{
    size_t size = strlen(host);
    return size > 1 && host[size - 1] == '.' ? size - 1 : size;
}

static bool is_same_host(const char *one, const char *other)
{
    struct in6_addr left;
    struct in6_addr right;
    if (parse_v6(one, &left) && parse_v6(other, &right))
        return memcmp(&left, &right, sizeof left) == 0;
    size_t size = size_without_dot(one);
    return size == size_without_dot(other) && ks_text_equals_in_any_case(one, other, size);
}

bool ks_address_is_same(const struct ks_address *one, const struct ks_address *other)
{
    return strtoul(one->port, NULL, 10) == strtoul(other->port, NULL, 10) &&
           is_same_host(one->host, other->host);
}
