/* crowd.h — how many connections each address has, and the limit on it. Private to src/net.
 *
 * IPv6 addresses count by their /64. Everybody is counted, but the limit does not apply to the unlimited
 * networks. Any thread: the acceptor counts in, workers count out.
 */
#ifndef KS_NET_CROWD_H
#define KS_NET_CROWD_H

#include "base/networks.h"

#include <pthread.h>

struct ks_crowd_entry;

struct ks_crowd {
    pthread_mutex_t lock;
    struct ks_crowd_entry *entries;
    _Atomic unsigned limit; /* 0: none */
    struct ks_networks_current *unlimited;
};

void ks_crowd_init(struct ks_crowd *crowd, unsigned limit, struct ks_networks_current *unlimited);
void ks_crowd_destroy(struct ks_crowd *crowd); /* everybody has left */

/* KS_OK, and one more is counted; KS_REFUSED at the limit; KS_NO_MEMORY. */
enum ks_result ks_crowd_enter(struct ks_crowd *crowd, const uint8_t address[static KS_NETWORK_ADDRESS_SIZE]);
void ks_crowd_leave(struct ks_crowd *crowd, const uint8_t address[static KS_NETWORK_ADDRESS_SIZE]);

#endif
