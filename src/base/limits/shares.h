/* shares.h — what users and networks hold of a budget, found by their keys. Private to src/base.
 *
 * Whoever calls has the lock of the budget. A share is there as long as a holder refers to it.
 */
#ifndef KS_BASE_LIMITS_SHARES_H
#define KS_BASE_LIMITS_SHARES_H

#include "base/limits/budget.h"

enum ks_share_kind { KS_SHARE_USER, KS_SHARE_NETWORK };

enum { KS_SHARE_KEY_SIZE = 16 };

struct ks_share;

/* The share of that key, with one more reference; `limit` in bytes. NULL without memory. */
struct ks_share *ks_shares_get(struct ks_share **shares, enum ks_share_kind kind,
                               const uint8_t key[static KS_SHARE_KEY_SIZE], size_t limit);

void ks_shares_release(struct ks_share **shares, struct ks_share *share);

enum ks_share_kind ks_share_kind_of(const struct ks_share *share);

/* Whether `size` bytes more are within the limit, or nothing is held. */
bool ks_share_has_room(const struct ks_share *share, size_t size);

void ks_share_take(struct ks_share *share, size_t size);
void ks_share_give(struct ks_share *share, size_t size);

/* Of those who wait for it. */
struct ks_line *ks_share_line(struct ks_share *share);

/* The share whose line that is; NULL for a budget's own. */
const struct ks_share *ks_share_of_line(const struct ks_budget *budget, const struct ks_line *line);

#endif
