/* address.h — "address:port" as people write it. Pure; any thread. */
#ifndef KS_BASE_ADDRESS_H
#define KS_BASE_ADDRESS_H

#include "base/result.h"

#include <stdbool.h>
#include <stddef.h>

#define KS_ADDRESS_DEFAULT_HOST "127.0.0.1"
#define KS_ADDRESS_DEFAULT_PORT "1357"

enum { KS_ADDRESS_HOST_SIZE = 256, KS_ADDRESS_PORT_SIZE = 6 };

struct ks_address {
    char host[KS_ADDRESS_HOST_SIZE]; /* "": all interfaces, where one listens */
    char port[KS_ADDRESS_PORT_SIZE]; /* decimal, 1–65535; 0 for any that is free, where one listens */
};

/* Reads "host:port", "host", "[v6]:port", "[v6]" or a bare IPv6 address; blanks around are ignored, a missing
 * port is 1357. KS_OK or KS_INVALID. Whether the host exists is not asked. */
enum ks_result ks_address_parse(const char *text, size_t size, struct ks_address *address);

/* The same with another port where it is missing: decimal, 1–65535. */
enum ks_result ks_address_parse_for(const char *text, size_t size, const char *default_port,
                                    struct ks_address *address);

/* What a server listens on: "host:port", "[v6]:port" or ":port" for all interfaces; port 0 is any that is
 * free. The host is an address of IPv4 or IPv6, or could be a name; whether it is one is not asked. KS_OK or
 * KS_INVALID. */
enum ks_result ks_address_parse_listener(const char *text, struct ks_address *address);

/* The same in one form: "host:port" or "[v6]:port", in `text` with room for `capacity` >= 270 bytes. */
void ks_address_format(const struct ks_address *address, char *text, size_t capacity);

/* True when both stand for one server as they are written: nobody is asked what a name stands for. */
bool ks_address_is_same(const struct ks_address *one, const struct ks_address *other);

#endif
