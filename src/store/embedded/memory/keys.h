/* keys.h — public keys that were asked for lately: a bounded cache over the disk. A public key changes only
 * when an operator has it reset, or the user removed; then it is dropped here after the commit. What was read
 * from the disk before that must not be put here after it: so whoever reads asks for the *era* first. Any
 * thread.
 */
#ifndef KS_STORE_EMBEDDED_MEMORY_KEYS_H
#define KS_STORE_EMBEDDED_MEMORY_KEYS_H

#include "store/store.h"

struct ks_key_cache;

/* A cache of at most `limit` keys. NULL when out of memory. */
struct ks_key_cache *ks_key_cache_new(size_t limit);
void ks_key_cache_free(struct ks_key_cache *cache); /* NULL is allowed */

/* True, and the key, when it is there; it then counts as the latest. */
bool ks_key_cache_get(struct ks_key_cache *cache, const struct ks_client_id *id,
                      uint8_t public_key[static KS_PUBLIC_KEY_SIZE]);

/* Changes whenever a key is dropped. */
uint64_t ks_key_cache_era(struct ks_key_cache *cache);

/* Remembers a key that was read in `era` in place of the one that was asked for longest ago. Not when that
 * era is over, nor when out of memory. */
void ks_key_cache_put(struct ks_key_cache *cache, const struct ks_client_id *id,
                      const uint8_t public_key[static KS_PUBLIC_KEY_SIZE], uint64_t era);

/* Forgets a key. */
void ks_key_cache_drop(struct ks_key_cache *cache, const struct ks_client_id *id);

#endif
