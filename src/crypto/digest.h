/* digest.h — SHA-256: in one call for stored names of long files and fingerprints of keys, as a stream for
 * what is too large to be in memory; and HMAC with it. Any thread; a stream has one owner at a time. */
#ifndef KS_CRYPTO_DIGEST_H
#define KS_CRYPTO_DIGEST_H

#include "base/result.h"

#include <stddef.h>
#include <stdint.h>

enum { KS_SHA256_SIZE = 32 };

/* KS_OK or KS_CRYPTO. */
enum ks_result ks_sha256(const void *bytes, size_t size, uint8_t digest[static KS_SHA256_SIZE]);

/* HMAC-SHA-256 (RFC 2104). KS_OK or KS_CRYPTO. */
enum ks_result ks_hmac_sha256(const void *key, size_t key_size, const void *bytes, size_t size,
                              uint8_t mac[static KS_SHA256_SIZE]);

struct ks_digest;

/* A stream at its start. KS_OK with *digest for ks_digest_free; KS_NO_MEMORY; KS_CRYPTO. */
enum ks_result ks_digest_new(struct ks_digest **digest);
void ks_digest_free(struct ks_digest *digest); /* NULL is allowed */

/* KS_OK or KS_CRYPTO. */
enum ks_result ks_digest_add(struct ks_digest *digest, const void *bytes, size_t size);

/* The SHA-256 of all that was added; the stream is at its start again. KS_OK; KS_CRYPTO, and then what is
 * added is refused until another call of this has begun anew. */
enum ks_result ks_digest_finish(struct ks_digest *digest, uint8_t value[static KS_SHA256_SIZE]);

#endif
