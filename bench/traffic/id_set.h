/* id_set.h — client ids that a server gave out, to see that it gives none twice: a table of a fixed size,
 * never more than three quarters full. One owner; any thread.
 */
#ifndef KS_BENCH_TRAFFIC_ID_SET_H
#define KS_BENCH_TRAFFIC_ID_SET_H

#include "wire/frame.h"

#include <stdbool.h>

/* Private. */
struct ks_id_set {
    struct ks_client_id *places; /* zeros: free */
    uint64_t mask;
};

/* Room for `count` ids, at least 1. False without memory; then there is nothing to free. */
bool ks_id_set_init(struct ks_id_set *set, uint64_t count);
void ks_id_set_free(struct ks_id_set *set); /* zeros are allowed */

/* Adds one of at most `count` ids. False when it is there already, or is nothing but zeros. */
bool ks_id_set_add(struct ks_id_set *set, const uint8_t id[static KS_CLIENT_ID_SIZE]);

#endif
