/* allowance.h — how much an address may ask for in an hour: a token bucket for each (Turner, 1986).
 *
 * A bucket holds an hour's allowance at most, and fills again over the hour. Constant memory: when there are
 * too many addresses, the one with the fullest bucket makes room, which loses next to nothing. IPv6 addresses
 * count by their /64. Any thread.
 */
#ifndef KS_BASE_ALLOWANCE_H
#define KS_BASE_ALLOWANCE_H

#include "base/networks.h"

struct ks_allowance;

/* KS_OK with *allowance for ks_allowance_free; KS_NO_MEMORY. */
enum ks_result ks_allowance_new(struct ks_allowance **allowance);
void ks_allowance_free(struct ks_allowance *allowance); /* NULL is allowed */

/* Takes one of `per_hour` for this address. False when it has none left at `now_ms` (monotonic); 0 for
 * `per_hour` is no limit. */
bool ks_allowance_take(struct ks_allowance *allowance, const uint8_t address[static KS_NETWORK_ADDRESS_SIZE],
                       unsigned per_hour, uint64_t now_ms);

#endif
