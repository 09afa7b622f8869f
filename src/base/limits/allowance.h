/* allowance.h — how much an address may ask for in an hour: a token bucket for each (Turner, 1986).
 *
 * A bucket holds an hour's allowance at most, and fills again over the hour. IPv6 addresses count by their
 * /64, and by their /56 and /48 with four and sixteen times as much (networks.h). Constant memory: only a
 * full bucket makes room for another, so where too many addresses owe something, others are refused for a
 * while; which ones meet in a row of the table, nobody can choose (keyed_hash.h). Any thread.
 */
#ifndef KS_BASE_LIMITS_ALLOWANCE_H
#define KS_BASE_LIMITS_ALLOWANCE_H

#include "base/limits/keyed_hash.h"
#include "base/limits/networks.h"

struct ks_allowance;

/* `key` is copied; random, and nobody else's. KS_OK with *allowance for ks_allowance_free; KS_NO_MEMORY. */
enum ks_result ks_allowance_new(const struct ks_hash_key *key, struct ks_allowance **allowance);
void ks_allowance_free(struct ks_allowance *allowance); /* NULL is allowed */

/* Takes one of `per_hour` for this address. False when it has none left at `now_ms` (monotonic), or there is
 * no room to note it: nothing is taken then. 0 for `per_hour` is no limit. */
bool ks_allowance_take(struct ks_allowance *allowance, const uint8_t address[static KS_NETWORK_ADDRESS_SIZE],
                       unsigned per_hour, uint64_t now_ms);

/* Whether ks_allowance_take would grant one; takes nothing. */
bool ks_allowance_has(struct ks_allowance *allowance, const uint8_t address[static KS_NETWORK_ADDRESS_SIZE],
                      unsigned per_hour, uint64_t now_ms);

#endif
