/* keys.h — public keys that were asked for lately: a bounded cache over the disk. A public key never changes
 * once it is stored, and a user that has one is never dropped, so what stands here is always true. Any
 * thread.
 */
#ifndef KS_STORE_SQLITE_KEYS_H
#define KS_STORE_SQLITE_KEYS_H

#include "store/store.h"

struct ks_key_cache;

/* A cache of at most `limit` keys. NULL when out of memory. */
struct ks_key_cache *ks_key_cache_new(size_t limit);
void ks_key_cache_free(struct ks_key_cache *cache); /* NULL is allowed */

/* True, and the key, when it is there; it then counts as the latest. */
bool ks_key_cache_get(struct ks_key_cache *cache, const struct ks_client_id *id,
                      uint8_t public_key[static KS_PUBLIC_KEY_SIZE]);

/* Remembers a key in place of the one that was asked for longest ago. Out of memory, it does not. */
void ks_key_cache_put(struct ks_key_cache *cache, const struct ks_client_id *id,
                      const uint8_t public_key[static KS_PUBLIC_KEY_SIZE]);

#endif
