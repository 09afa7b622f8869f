/* crowd.c — see crowd.h. */
#include "net/loop/crowd.h"

#include <stdlib.h>

#if defined(__GNUC__) && !defined(__clang__)
/* gcc's analyser does not see that what HASH_ADD added belongs to the table. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* A table that cannot grow tells so: hh.tbl is NULL then. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct ks_crowd_entry {
    uint8_t key[KS_NETWORK_ADDRESS_SIZE];
    unsigned count;
    UT_hash_handle hh;
};

void ks_crowd_init(struct ks_crowd *crowd, const struct ks_hash_key *key, unsigned limit,
                   struct ks_networks_current *unlimited)
{
    pthread_mutex_init(&crowd->lock, NULL);
    crowd->key = *key;
    crowd->entries = NULL;
    atomic_init(&crowd->limit, limit);
    crowd->unlimited = unlimited;
    crowd->proxies = NULL;
}

static bool contains(struct ks_networks_current *networks,
                     const uint8_t address[static KS_NETWORK_ADDRESS_SIZE])
{
    return networks != NULL && ks_networks_current_contain(networks, address);
}

void ks_crowd_destroy(struct ks_crowd *crowd)
{
    HASH_CLEAR(hh, crowd->entries);
    pthread_mutex_destroy(&crowd->lock);
}

static unsigned hash_of(const struct ks_crowd *crowd, const uint8_t key[static KS_NETWORK_ADDRESS_SIZE])
{
    return (unsigned)ks_keyed_hash(&crowd->key, key, KS_NETWORK_ADDRESS_SIZE);
}

static struct ks_crowd_entry *find(struct ks_crowd *crowd, const uint8_t key[static KS_NETWORK_ADDRESS_SIZE])
{
    struct ks_crowd_entry *entry = NULL;
    HASH_FIND_BYHASHVALUE(hh, crowd->entries, key, KS_NETWORK_ADDRESS_SIZE, hash_of(crowd, key), entry);
    return entry;
}

/* Under the lock. NULL when out of memory. */
static struct ks_crowd_entry *entry_for(struct ks_crowd *crowd,
                                        const uint8_t key[static KS_NETWORK_ADDRESS_SIZE])
{
    struct ks_crowd_entry *entry = find(crowd, key);
    if (entry != NULL)
        return entry;
    entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    memcpy(entry->key, key, sizeof entry->key);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, crowd->entries, entry->key, sizeof entry->key, hash_of(crowd, key),
                                entry);
    if (entry->hh.tbl != NULL)
        return entry;
    free(entry);
    return NULL;
}

static enum ks_result enter(struct ks_crowd *crowd, const uint8_t key[static KS_NETWORK_ADDRESS_SIZE],
                            uint64_t limit)
{
    struct ks_crowd_entry *entry = entry_for(crowd, key);
    if (entry == NULL)
        return KS_NO_MEMORY;
    if (limit > 0 && entry->count >= limit)
        return KS_REFUSED; /* it has others, so it stays */
    entry->count++;
    return KS_OK;
}

static void leave(struct ks_crowd *crowd, const uint8_t key[static KS_NETWORK_ADDRESS_SIZE])
{
    struct ks_crowd_entry *entry = find(crowd, key);
    if (entry == NULL || --entry->count > 0)
        return;
    HASH_DELETE(hh, crowd->entries, entry);
    free(entry);
}

enum ks_result ks_crowd_enter(struct ks_crowd *crowd, const uint8_t address[static KS_NETWORK_ADDRESS_SIZE])
{
    const struct ks_network_levels levels = ks_networks_levels(address);
    uint64_t limit = atomic_load_explicit(&crowd->limit, memory_order_relaxed);
    enum ks_result result = KS_OK;
    unsigned entered = 0;
    if (limit > 0 && (contains(crowd->unlimited, address) || contains(crowd->proxies, address)))
        limit = 0;
    pthread_mutex_lock(&crowd->lock);
    while (result == KS_OK && entered < levels.count) {
        result = enter(crowd, levels.keys[entered], limit * ks_network_shares[entered]);
        if (result == KS_OK)
            entered++;
    }
    while (result != KS_OK && entered > 0)
        leave(crowd, levels.keys[--entered]);
    pthread_mutex_unlock(&crowd->lock);
    return result;
}

void ks_crowd_leave(struct ks_crowd *crowd, const uint8_t address[static KS_NETWORK_ADDRESS_SIZE])
{
    const struct ks_network_levels levels = ks_networks_levels(address);
    pthread_mutex_lock(&crowd->lock);
    for (unsigned i = 0; i < levels.count; i++)
        leave(crowd, levels.keys[i]);
    pthread_mutex_unlock(&crowd->lock);
}
