/* crowd.h — how many connections each address has, and the limit on it. Private to src/net.
 *
 * IPv6 addresses count by their /64, and by their /56 and /48, with four and sixteen times the limit
 * (networks.h). Everybody is counted, but the limit does not apply to the unlimited networks, nor to proxies.
 * Any thread: the acceptor counts in, workers count out.
 */
#ifndef KS_NET_LOOP_CROWD_H
#define KS_NET_LOOP_CROWD_H

#include "base/limits/keyed_hash.h"
#include "base/limits/networks.h"

#include <pthread.h>

struct ks_crowd_entry;

struct ks_crowd {
    pthread_mutex_t lock;
    struct ks_hash_key key;
    struct ks_crowd_entry *entries;
    _Atomic unsigned limit; /* 0: none */
    struct ks_networks_current *unlimited;
    struct ks_networks_current *proxies; /* whose clients are counted by their own addresses; NULL: none */
};

/* `key` is copied; random. */
void ks_crowd_init(struct ks_crowd *crowd, const struct ks_hash_key *key, unsigned limit,
                   struct ks_networks_current *unlimited);
void ks_crowd_destroy(struct ks_crowd *crowd); /* everybody has left */

/* KS_OK, and one more is counted; KS_REFUSED at the limit; KS_NO_MEMORY. */
enum ks_result ks_crowd_enter(struct ks_crowd *crowd, const uint8_t address[static KS_NETWORK_ADDRESS_SIZE]);
void ks_crowd_leave(struct ks_crowd *crowd, const uint8_t address[static KS_NETWORK_ADDRESS_SIZE]);

#endif
