/* receivers.h — receivers who take all that waits for them (604), and look whether it is what was sent. Main
 * thread.
 */
#ifndef KS_BENCH_TRAFFIC_RECEIVERS_H
#define KS_BENCH_TRAFFIC_RECEIVERS_H

#include "bench/traffic/senders.h"

struct ks_receivers_result {
    uint64_t messages;
    struct ks_percentiles first; /* ns from a receiver's first 604 to the first of its messages, whole */
};

/* Closes the connections of `senders`, which spoke kesher, and has each of its receivers take what waits, on
 * a connection of its own. When `measured`, that is what the run measures: a message is an operation, and the
 * time from a receiver's first 604 to its last message a latency. False when the run has failed, as it does
 * for what was acknowledged and is not there, is there twice, in another order, changed, or by somebody else,
 * and for what was never sent. */
bool ks_receivers_take_all(struct ks_senders *senders, bool measured, struct ks_receivers_result *result);

#endif
