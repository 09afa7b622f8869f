/* random.h — randomness as a seam: the kernel's in a program, a counted one in a test. */
#ifndef KS_CRYPTO_RANDOM_H
#define KS_CRYPTO_RANDOM_H

#include "base/result.h"

#include <stddef.h>

struct ks_random {
    /* Fills `bytes`. KS_OK or KS_CRYPTO; any thread. */
    enum ks_result (*fill)(const struct ks_random *random, void *bytes, size_t size);
};

/* The kernel's (getrandom(2)), which needs no memory: OpenSSL's generator dies when there is none for its
 * first use. Static, never freed. */
const struct ks_random *ks_random_system(void);

static inline enum ks_result ks_random_fill(const struct ks_random *random, void *bytes, size_t size)
{
    return random->fill(random, bytes, size);
}

#endif
