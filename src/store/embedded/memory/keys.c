/* keys.c — see keys.h. uthash keeps its entries in the order of adding; whoever is asked for is added anew,
 * so the first is always the one to go. */
#include "store/embedded/memory/keys.h"

#include "store/embedded/memory/id_hash.h"
#include "store/embedded/memory/table.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct cached_key {
    UT_hash_handle hh;
    struct ks_client_id id;
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
};

struct ks_key_cache {
    pthread_mutex_t lock;
    struct cached_key *keys;
    size_t limit;
    uint64_t era;
};

struct ks_key_cache *ks_key_cache_new(size_t limit)
{
    struct ks_key_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL)
        return NULL;
    cache->limit = limit;
    pthread_mutex_init(&cache->lock, NULL);
    return cache;
}

void ks_key_cache_free(struct ks_key_cache *cache)
{
    if (cache == NULL)
        return;
    struct cached_key *key = cache->keys;
    struct cached_key *next = NULL;
    HASH_CLEAR(hh, cache->keys);
    for (; key != NULL; key = next) {
        next = key->hh.next;
        free(key);
    }
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

static struct cached_key *find_key(struct ks_key_cache *cache, const struct ks_client_id *id)
{
    struct cached_key *key = NULL;
    HASH_FIND_BYHASHVALUE(hh, cache->keys, id->bytes, sizeof id->bytes, ks_id_hash(id), key);
    return key;
}

/* As the latest. Without memory for the table, the key is forgotten. */
static void add_key(struct ks_key_cache *cache, struct cached_key *key)
{
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, cache->keys, key->id.bytes, sizeof key->id.bytes, ks_id_hash(&key->id),
                                key);
    if (key->hh.tbl == NULL)
        free(key);
}

bool ks_key_cache_get(struct ks_key_cache *cache, const struct ks_client_id *id,
                      uint8_t public_key[static KS_PUBLIC_KEY_SIZE])
{
    pthread_mutex_lock(&cache->lock);
    struct cached_key *key = find_key(cache, id);
    bool found = key != NULL;
    if (found) {
        memcpy(public_key, key->public_key, sizeof key->public_key);
        HASH_DELETE(hh, cache->keys, key);
        add_key(cache, key);
    }
    pthread_mutex_unlock(&cache->lock);
    return found;
}

uint64_t ks_key_cache_era(struct ks_key_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    uint64_t era = cache->era;
    pthread_mutex_unlock(&cache->lock);
    return era;
}

/* Makes room and adds; returns what went for it, or cannot stay. Under the lock. */
static struct cached_key *exchange_keys(struct ks_key_cache *cache, struct cached_key *created, uint64_t era)
{
    if (cache->era != era)
        return created;
    struct cached_key *out = find_key(cache, &created->id);
    if (out == NULL && HASH_COUNT(cache->keys) >= cache->limit)
        out = cache->keys;
    if (out != NULL)
        HASH_DELETE(hh, cache->keys, out);
    add_key(cache, created);
    return out;
}

void ks_key_cache_put(struct ks_key_cache *cache, const struct ks_client_id *id,
                      const uint8_t public_key[static KS_PUBLIC_KEY_SIZE], uint64_t era)
{
    struct cached_key *created = malloc(sizeof *created);
    if (created == NULL)
        return;
    created->id = *id;
    memcpy(created->public_key, public_key, sizeof created->public_key);
    pthread_mutex_lock(&cache->lock);
    struct cached_key *out = exchange_keys(cache, created, era);
    pthread_mutex_unlock(&cache->lock);
    free(out);
}

void ks_key_cache_drop(struct ks_key_cache *cache, const struct ks_client_id *id)
{
    pthread_mutex_lock(&cache->lock);
    struct cached_key *key = find_key(cache, id);
    if (key != NULL)
        HASH_DELETE(hh, cache->keys, key);
    cache->era++;
    pthread_mutex_unlock(&cache->lock);
    free(key);
}
