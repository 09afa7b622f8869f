/* known_networks.h — the networks from which users have come lately: strangers of these keep a part of what
 * there is for strangers.
 *
 * Constant memory: some thousands of networks; of those that meet in one place the one that was seen longest
 * ago goes. Any thread.
 */
#ifndef KS_BASE_LIMITS_KNOWN_NETWORKS_H
#define KS_BASE_LIMITS_KNOWN_NETWORKS_H

#include "base/limits/keyed_hash.h"
#include "base/limits/networks.h"

struct ks_known_networks;

enum { KS_KNOWN_NETWORK_MS = 7 * 24 * 3600 * 1000 }; /* a week */

/* `key` is copied; random. KS_OK with *known for ks_known_networks_free; KS_NO_MEMORY. */
enum ks_result ks_known_networks_new(const struct ks_hash_key *key, struct ks_known_networks **known);
void ks_known_networks_free(struct ks_known_networks *known); /* NULL is allowed */

/* A user has come from there. `now_ms`: monotonic, as below. */
void ks_known_networks_add(struct ks_known_networks *known,
                           const uint8_t address[static KS_NETWORK_ADDRESS_SIZE], uint64_t now_ms);

/* Whether one has within the last week: of an IPv4 address its /24 counts, of an IPv6 one its /48. */
bool ks_known_networks_contain(struct ks_known_networks *known,
                               const uint8_t address[static KS_NETWORK_ADDRESS_SIZE], uint64_t now_ms);

#endif
