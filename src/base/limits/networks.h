/* networks.h — addresses of peers as 16 bytes (IPv6; IPv4 mapped, RFC 4291, 2.5.5.2), and lists of networks.
 *
 * Functions are pure; any thread. `struct ks_networks_current` is a list that an operator may replace while
 * others read it.
 */
#ifndef KS_BASE_LIMITS_NETWORKS_H
#define KS_BASE_LIMITS_NETWORKS_H

#include "base/result.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KS_NETWORK_ADDRESS_SIZE = 16 };

/* What a peer's address counts by: an IPv4 address by itself; an IPv6 one by its /64, which is what one
 * customer gets at least, and by its /56 and /48, which many get, with larger shares. */
enum { KS_NETWORK_LEVELS = 3 };

struct ks_network_levels {
    unsigned count; /* 1 or KS_NETWORK_LEVELS */
    /* Different for each network, whatever its level. */
    uint8_t keys[KS_NETWORK_LEVELS][KS_NETWORK_ADDRESS_SIZE];
};

/* How much more than a customer's a level may have: once, four times, sixteen times. */
extern const unsigned ks_network_shares[KS_NETWORK_LEVELS];

struct ks_network_levels ks_networks_levels(const uint8_t address[static KS_NETWORK_ADDRESS_SIZE]);

struct ks_networks;

/* Reads "10.0.0.0/8, fd00::/8, 192.0.2.1": networks and addresses, with commas or blanks between; "none" for
 * none. KS_OK with *networks for ks_networks_free; KS_INVALID; KS_NO_MEMORY. */
enum ks_result ks_networks_parse(const char *text, struct ks_networks **networks);
void ks_networks_free(struct ks_networks *networks); /* NULL is allowed */

bool ks_networks_contain(const struct ks_networks *networks,
                         const uint8_t address[static KS_NETWORK_ADDRESS_SIZE]);

/* Zeros: no list, which contains nothing. Lists that were replaced live until the end, for somebody may still
 * be reading them; operators do not replace them that often. */
struct ks_networks_current {
    _Atomic(struct ks_networks *) newest;
};

/* Takes over the list. One thread at a time. */
void ks_networks_replace(struct ks_networks_current *current, struct ks_networks *networks);

bool ks_networks_current_contain(struct ks_networks_current *current,
                                 const uint8_t address[static KS_NETWORK_ADDRESS_SIZE]);

/* Frees all lists; nobody reads any more. */
void ks_networks_clear(struct ks_networks_current *current);

#endif
