/* random.h — randomness as a seam: OpenSSL's in a program, a counted one in a test. */
#ifndef KS_CRYPTO_RANDOM_H
#define KS_CRYPTO_RANDOM_H

#include "base/result.h"

#include <stddef.h>

struct ks_random {
    /* Fills `bytes`. KS_OK or KS_CRYPTO; any thread. */
    enum ks_result (*fill)(const struct ks_random *random, void *bytes, size_t size);
};

/* OpenSSL's generator for secrets (RAND_priv_bytes); static, never freed. */
const struct ks_random *ks_random_system(void);

static inline enum ks_result ks_random_fill(const struct ks_random *random, void *bytes, size_t size)
{
    return random->fill(random, bytes, size);
}

#endif
