/* account_key.h — the Ed25519 keys of accounts (RFC 8032), and what people compare of them (protocol.md §8).
 *
 * Signing and judging cost some 30 and 100 microseconds: on the server they run on the pool. Any thread.
 */
#ifndef KS_CRYPTO_ACCOUNT_KEY_H
#define KS_CRYPTO_ACCOUNT_KEY_H

#include "base/result.h"

#include <stddef.h>
#include <stdint.h>

enum {
    KS_ED25519_PUBLIC_SIZE = 32,
    KS_ED25519_SECRET_SIZE = 32, /* the seed */
    KS_ED25519_SIGNATURE_SIZE = 64,
    KS_SHORT_FINGERPRINT_SIZE = 25, /* five groups of four and a NUL */
};

/* The public half of a secret one. KS_OK, KS_CRYPTO, KS_NO_MEMORY. */
enum ks_result ks_account_key_public(const uint8_t secret[static KS_ED25519_SECRET_SIZE],
                                     uint8_t key[static KS_ED25519_PUBLIC_SIZE]);

/* Signs. KS_OK, KS_CRYPTO, KS_NO_MEMORY. */
enum ks_result ks_account_key_sign(const uint8_t secret[static KS_ED25519_SECRET_SIZE], const void *bytes,
                                   size_t size, uint8_t signature[static KS_ED25519_SIGNATURE_SIZE]);

/* KS_OK when the signature holds; KS_REFUSED when not, also for a key that is none; KS_CRYPTO, KS_NO_MEMORY
 * when that could not be found out. */
enum ks_result ks_account_key_verify(const uint8_t key[static KS_ED25519_PUBLIC_SIZE], const void *bytes,
                                     size_t size, const uint8_t signature[static KS_ED25519_SIGNATURE_SIZE]);

/* "8k2d-…": the first 100 bits of SHA-256("kesher account 1\0" ‖ key) in Crockford's base32. KS_OK,
 * KS_CRYPTO.
 */
enum ks_result ks_account_key_short_fingerprint(const uint8_t key[static KS_ED25519_PUBLIC_SIZE],
                                                char text[static KS_SHORT_FINGERPRINT_SIZE]);

#endif
