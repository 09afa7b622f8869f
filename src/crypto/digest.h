/* digest.h — SHA-256 in one call: stored names of long files, fingerprints of keys. Any thread. */
#ifndef KS_CRYPTO_DIGEST_H
#define KS_CRYPTO_DIGEST_H

#include "base/result.h"

#include <stddef.h>
#include <stdint.h>

enum { KS_SHA256_SIZE = 32 };

/* KS_OK or KS_CRYPTO. */
enum ks_result ks_sha256(const void *bytes, size_t size, uint8_t digest[static KS_SHA256_SIZE]);

#endif
