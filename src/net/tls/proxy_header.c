/* proxy_header.c — see proxy_header.h. */
#include "net/tls/proxy_header.h"

#include <string.h>

enum {
    FIXED_SIZE = 16,
    COMMAND_LOCAL = 0x20, /* version 2 in the upper half */
    COMMAND_PROXY = 0x21,
    TCP_OVER_IPV4 = 0x11,
    TCP_OVER_IPV6 = 0x21,
    IPV4_SIZE = 4 + 4 + 2 + 2, /* both addresses, both ports */
    IPV6_SIZE = 16 + 16 + 2 + 2,
};

static const uint8_t signature[] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

static uint16_t read_port(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]); /* as the network has it */
}

static enum ks_result read_address(uint8_t family, const uint8_t *bytes, size_t size,
                                   struct ks_proxy_header *header)
{
    header->has_address = true;
    if (family == TCP_OVER_IPV4 && size >= IPV4_SIZE) {
        memset(header->address, 0, 10);
        memset(header->address + 10, 0xff, 2);
        memcpy(header->address + 12, bytes, 4);
        header->port = read_port(bytes + 8);
        return KS_OK;
    }
    if (family == TCP_OVER_IPV6 && size >= IPV6_SIZE) {
        memcpy(header->address, bytes, KS_PROXY_ADDRESS_SIZE);
        header->port = read_port(bytes + 32);
        return KS_OK;
    }
    return KS_INVALID;
}

enum ks_result ks_proxy_header_parse(const uint8_t *bytes, size_t size, struct ks_proxy_header *header)
{
    size_t compared = size < sizeof signature ? size : sizeof signature;
    *header = (struct ks_proxy_header){.size = 0};
    if (size == 0)
        return KS_MORE;
    if (memcmp(bytes, signature, compared) != 0)
        return KS_INVALID;
    if (size < FIXED_SIZE)
        return KS_MORE;
    uint8_t command = bytes[12];
    size_t rest = (size_t)bytes[14] << 8 | bytes[15];
    if (command != COMMAND_LOCAL && command != COMMAND_PROXY)
        return KS_INVALID;
    if (FIXED_SIZE + rest > KS_PROXY_HEADER_LIMIT)
        return KS_TOO_LARGE;
    if (size < FIXED_SIZE + rest)
        return KS_MORE;
    header->size = FIXED_SIZE + rest;
    return command == COMMAND_LOCAL ? KS_OK : read_address(bytes[13], bytes + FIXED_SIZE, rest, header);
}
