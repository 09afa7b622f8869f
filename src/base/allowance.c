/* allowance.c — see allowance.h. A table of fixed size; an address may stand in any of the places of its row.
 */
#include "base/allowance.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 1024, PLACES = 4 };

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
    struct bucket rows[ROWS][PLACES];
};

enum ks_result ks_allowance_new(struct ks_allowance **allowance)
{
    struct ks_allowance *created = calloc(1, sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    pthread_mutex_init(&created->lock, NULL);
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

static struct bucket *row_of(struct ks_allowance *allowance,
                             const uint8_t key[static KS_NETWORK_ADDRESS_SIZE])
{
    return allowance->rows[ks_networks_hash(key) % ROWS];
}

/* The address's bucket, or the fullest of its row, emptied of its past. */
static struct bucket *bucket_of(struct ks_allowance *allowance,
                                const uint8_t key[static KS_NETWORK_ADDRESS_SIZE], uint64_t now_ms)
{
    struct bucket *row = row_of(allowance, key);
    struct bucket *fullest = &row[0];
    for (size_t i = 0; i < PLACES; i++) {
        if (memcmp(row[i].key, key, sizeof row[i].key) == 0)
            return &row[i];
        if (row[i].full_at_ms < fullest->full_at_ms)
            fullest = &row[i];
    }
    memcpy(fullest->key, key, sizeof fullest->key);
    fullest->full_at_ms = now_ms;
    return fullest;
}

bool ks_allowance_take(struct ks_allowance *allowance, const uint8_t address[static KS_NETWORK_ADDRESS_SIZE],
                       unsigned per_hour, uint64_t now_ms)
{
    uint8_t key[KS_NETWORK_ADDRESS_SIZE];
    if (per_hour == 0)
        return true;
    ks_networks_customer(address, key);
    pthread_mutex_lock(&allowance->lock);
    struct bucket *bucket = bucket_of(allowance, key, now_ms);
    uint64_t full_at_ms = bucket->full_at_ms > now_ms ? bucket->full_at_ms : now_ms;
    uint64_t share_ms = hour_ms / per_hour > 0 ? hour_ms / per_hour : 1;
    bool granted = full_at_ms + share_ms <= now_ms + hour_ms;
    if (granted)
        bucket->full_at_ms = full_at_ms + share_ms;
    pthread_mutex_unlock(&allowance->lock);
    return granted;
}
