/* hash.h — SipHash-2-4, the keyed hash of the user index: strangers choose their names, and must not be able
 * to choose names that all fall into one bucket. Pure; any thread.
 */
#ifndef KS_STORE_SQLITE_HASH_H
#define KS_STORE_SQLITE_HASH_H

#include <stddef.h>
#include <stdint.h>

enum { KS_HASH_KEY_SIZE = 16 };

/* 64 bits of `size` bytes under a random `key`. */
uint64_t ks_hash_keyed(const uint8_t key[static KS_HASH_KEY_SIZE], const void *bytes, size_t size);

#endif
