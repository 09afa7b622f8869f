/* allowance.c — see allowance.h. A table of fixed size; an address may stand in any of the places of its row.
 */
#include "base/limits/allowance.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 1024, PLACES = 8 };

static const uint64_t hour_ms = UINT64_C(3600) * 1000;

/* One number instead of two: when the bucket will be full again, if nothing is taken. Taking one moves that
 * by an hour divided by the allowance; the bucket is empty when it lies an hour ahead (generic cell rate
 * algorithm, ITU-T I.371). */
struct bucket {
    uint8_t key[KS_NETWORK_ADDRESS_SIZE];
    uint64_t full_at_ms;
};

struct ks_allowance {
    pthread_mutex_t lock;
    struct ks_hash_key key;
    struct bucket rows[KS_NETWORK_LEVELS][ROWS][PLACES];
};

enum ks_result ks_allowance_new(const struct ks_hash_key *key, struct ks_allowance **allowance)
{
    struct ks_allowance *created = calloc(1, sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    pthread_mutex_init(&created->lock, NULL);
    created->key = *key;
    *allowance = created;
    return KS_OK;
}

void ks_allowance_free(struct ks_allowance *allowance)
{
    if (allowance == NULL)
        return;
    pthread_mutex_destroy(&allowance->lock);
    free(allowance);
}

/* The network's bucket, or one that is full, which owes nothing. NULL when there is neither. */
static struct bucket *bucket_of(struct ks_allowance *allowance, unsigned level,
                                const uint8_t key[static KS_NETWORK_ADDRESS_SIZE], uint64_t now_ms)
{
    uint64_t hash = ks_keyed_hash(&allowance->key, key, KS_NETWORK_ADDRESS_SIZE);
    struct bucket *row = allowance->rows[level][hash % ROWS];
    struct bucket *full = NULL;
    for (size_t i = 0; i < PLACES; i++) {
        if (memcmp(row[i].key, key, sizeof row[i].key) == 0)
            return &row[i];
        if (row[i].full_at_ms <= now_ms)
            full = &row[i];
    }
    return full;
}

/* When the bucket will be full again with one more taken from it; 0 when it is too empty for that. */
static uint64_t full_after_one(const struct bucket *bucket, uint64_t per_hour, uint64_t now_ms)
{
    uint64_t full_at_ms = bucket->full_at_ms > now_ms ? bucket->full_at_ms : now_ms;
    uint64_t share_ms = hour_ms / per_hour > 0 ? hour_ms / per_hour : 1;
    return full_at_ms + share_ms <= now_ms + hour_ms ? full_at_ms + share_ms : 0;
}

/* Under the lock. Takes it only with `taking`. */
static bool take(struct ks_allowance *allowance, const struct ks_network_levels *levels, unsigned per_hour,
                 uint64_t now_ms, bool taking)
{
    struct bucket *buckets[KS_NETWORK_LEVELS];
    uint64_t full_at_ms[KS_NETWORK_LEVELS];
    for (unsigned i = 0; i < levels->count; i++) {
        uint64_t share = (uint64_t)per_hour * ks_network_shares[i];
        buckets[i] = bucket_of(allowance, i, levels->keys[i], now_ms);
        full_at_ms[i] = buckets[i] != NULL ? full_after_one(buckets[i], share, now_ms) : 0;
        if (full_at_ms[i] == 0)
            return false;
    }
    for (unsigned i = 0; i < levels->count && taking; i++) {
        memcpy(buckets[i]->key, levels->keys[i], sizeof buckets[i]->key);
        buckets[i]->full_at_ms = full_at_ms[i];
    }
    return true;
}

static bool ask(struct ks_allowance *allowance, const uint8_t *address, unsigned per_hour, uint64_t now_ms,
                bool taking)
{
    const struct ks_network_levels levels = ks_networks_levels(address);
    if (per_hour == 0)
        return true;
    pthread_mutex_lock(&allowance->lock);
    bool granted = take(allowance, &levels, per_hour, now_ms, taking);
    pthread_mutex_unlock(&allowance->lock);
    return granted;
}

bool ks_allowance_take(struct ks_allowance *allowance, const uint8_t address[static KS_NETWORK_ADDRESS_SIZE],
                       unsigned per_hour, uint64_t now_ms)
{
    return ask(allowance, address, per_hour, now_ms, true);
}

bool ks_allowance_has(struct ks_allowance *allowance, const uint8_t address[static KS_NETWORK_ADDRESS_SIZE],
                      unsigned per_hour, uint64_t now_ms)
{
    return ask(allowance, address, per_hour, now_ms, false);
}
