/* crowd.c — see crowd.h. */
#include "net/crowd.h"

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

void ks_crowd_init(struct ks_crowd *crowd, unsigned limit, struct ks_networks_current *unlimited)
{
    pthread_mutex_init(&crowd->lock, NULL);
    crowd->entries = NULL;
    atomic_init(&crowd->limit, limit);
    crowd->unlimited = unlimited;
}

void ks_crowd_destroy(struct ks_crowd *crowd)
{
    HASH_CLEAR(hh, crowd->entries);
    pthread_mutex_destroy(&crowd->lock);
}

/* Under the lock. NULL when out of memory. */
static struct ks_crowd_entry *entry_for(struct ks_crowd *crowd,
                                        const uint8_t key[static KS_NETWORK_ADDRESS_SIZE])
{
    struct ks_crowd_entry *entry = NULL;
    HASH_FIND(hh, crowd->entries, key, KS_NETWORK_ADDRESS_SIZE, entry);
    if (entry != NULL)
        return entry;
    entry = calloc(1, sizeof *entry);
    if (entry == NULL)
        return NULL;
    memcpy(entry->key, key, sizeof entry->key);
    HASH_ADD(hh, crowd->entries, key, sizeof entry->key, entry);
    if (entry->hh.tbl != NULL)
        return entry;
    free(entry);
    return NULL;
}

enum ks_result ks_crowd_enter(struct ks_crowd *crowd, const uint8_t address[static KS_NETWORK_ADDRESS_SIZE])
{
    uint8_t key[KS_NETWORK_ADDRESS_SIZE];
    unsigned limit = atomic_load_explicit(&crowd->limit, memory_order_relaxed);
    if (limit > 0 && crowd->unlimited != NULL && ks_networks_current_contain(crowd->unlimited, address))
        limit = 0;
    ks_networks_customer(address, key);
    pthread_mutex_lock(&crowd->lock);
    struct ks_crowd_entry *entry = entry_for(crowd, key);
    enum ks_result result = entry == NULL ? KS_NO_MEMORY : KS_OK;
    if (entry != NULL && limit > 0 && entry->count >= limit)
        result = KS_REFUSED;
    if (result == KS_OK)
        entry->count++;
    pthread_mutex_unlock(&crowd->lock);
    return result;
}

void ks_crowd_leave(struct ks_crowd *crowd, const uint8_t address[static KS_NETWORK_ADDRESS_SIZE])
{
    uint8_t key[KS_NETWORK_ADDRESS_SIZE];
    struct ks_crowd_entry *entry = NULL;
    ks_networks_customer(address, key);
    pthread_mutex_lock(&crowd->lock);
    HASH_FIND(hh, crowd->entries, key, sizeof key, entry);
    if (entry != NULL && --entry->count == 0) {
        HASH_DELETE(hh, crowd->entries, entry);
        free(entry);
    }
    pthread_mutex_unlock(&crowd->lock);
}
