/* known_networks.c — see known_networks.h: a hash table of places for a few networks each. */
#include "base/limits/known_networks.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SETS = 2048, WAYS = 4 }; /* a power of two; 128 KiB */

struct entry {
    uint64_t network; /* its hash */
    uint64_t seen_ms; /* 0: nobody's */
};

struct ks_known_networks {
    pthread_mutex_t lock;
    struct ks_hash_key key;
    struct entry entries[SETS][WAYS];
};

enum ks_result ks_known_networks_new(const struct ks_hash_key *key, struct ks_known_networks **known)
{
    struct ks_known_networks *created = calloc(1, sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    pthread_mutex_init(&created->lock, NULL);
    created->key = *key;
    *known = created;
    return KS_OK;
}

void ks_known_networks_free(struct ks_known_networks *known)
{
    if (known == NULL)
        return;
    pthread_mutex_destroy(&known->lock);
    free(known);
}

static uint64_t hash_of(const struct ks_known_networks *known,
                        const uint8_t address[static KS_NETWORK_ADDRESS_SIZE])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    bool is_ipv4 = memcmp(address, mapped, sizeof mapped) == 0;
    return ks_keyed_hash(&known->key, address, is_ipv4 ? 15 : 6);
}

/* Where it stands; NULL when it does not. Under the lock. */
static struct entry *find(struct ks_known_networks *known, uint64_t network)
{
    struct entry *set = known->entries[network % SETS];
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].seen_ms != 0 && set[i].network == network)
            return &set[i];
    return NULL;
}

static struct entry *oldest_of(struct entry set[static WAYS])
{
    struct entry *oldest = &set[0];
    for (size_t i = 1; i < WAYS; i++)
        if (set[i].seen_ms < oldest->seen_ms)
            oldest = &set[i];
    return oldest;
}

void ks_known_networks_add(struct ks_known_networks *known,
                           const uint8_t address[static KS_NETWORK_ADDRESS_SIZE], uint64_t now_ms)
{
    uint64_t network = hash_of(known, address);
    pthread_mutex_lock(&known->lock);
    struct entry *entry = find(known, network);
    if (entry == NULL)
        entry = oldest_of(known->entries[network % SETS]);
    *entry = (struct entry){.network = network, .seen_ms = now_ms != 0 ? now_ms : 1};
    pthread_mutex_unlock(&known->lock);
}

bool ks_known_networks_contain(struct ks_known_networks *known,
                               const uint8_t address[static KS_NETWORK_ADDRESS_SIZE], uint64_t now_ms)
{
    uint64_t network = hash_of(known, address);
    pthread_mutex_lock(&known->lock);
    const struct entry *entry = find(known, network);
    bool contained = entry != NULL && now_ms - entry->seen_ms < KS_KNOWN_NETWORK_MS;
    pthread_mutex_unlock(&known->lock);
    return contained;
}
