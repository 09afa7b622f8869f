/* keyed_hash.h — a hash of a few bytes that nobody can predict who has not got the key: SipHash-2-4 (Aumasson
 * and Bernstein, "SipHash: a fast short-input PRF", 2012).
 *
 * For tables whose keys strangers choose: with any hash that they can compute, they choose keys that meet in
 * one place. Pure; any thread. The key comes from whoever makes the table, at random and once.
 */
#ifndef KS_BASE_LIMITS_KEYED_HASH_H
#define KS_BASE_LIMITS_KEYED_HASH_H

#include <stddef.h>
#include <stdint.h>

enum { KS_HASH_KEY_SIZE = 16 };

struct ks_hash_key {
    uint8_t bytes[KS_HASH_KEY_SIZE];
};

uint64_t ks_keyed_hash(const struct ks_hash_key *key, const void *bytes, size_t size);

#endif
