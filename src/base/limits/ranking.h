/* ranking.h — who has most: things with a weight that changes often, and the heaviest at any time (a binary
 * heap: Williams, 1964). Adding, removing and changing a weight take a time that grows with the logarithm of
 * their number.
 *
 * A ranked thing has a `struct ks_ranked` as a member and is found by KS_CONTAINER_OF; it is its owner's, who
 * removes it before it goes. One thread at a time.
 */
#ifndef KS_BASE_LIMITS_RANKING_H
#define KS_BASE_LIMITS_RANKING_H

#include "base/result.h"

#include <stddef.h>
#include <stdint.h>

struct ks_ranked {
    uint64_t weight;
    size_t place; /* in the heap */
};

/* Zeros: an empty ranking. */
struct ks_ranking {
    struct ks_ranked **heap;
    size_t count;
    size_t room;
};

/* Adds a thing with weight 0. KS_OK; KS_NO_MEMORY. */
enum ks_result ks_ranking_add(struct ks_ranking *ranking, struct ks_ranked *ranked);

void ks_ranking_remove(struct ks_ranking *ranking, struct ks_ranked *ranked);

void ks_ranking_set_weight(struct ks_ranking *ranking, struct ks_ranked *ranked, uint64_t weight);

/* One of the heaviest; NULL when there is none. */
struct ks_ranked *ks_ranking_first(const struct ks_ranking *ranking);

/* Frees the ranking's own memory; what is still in it is left alone. */
void ks_ranking_free(struct ks_ranking *ranking);

#endif
