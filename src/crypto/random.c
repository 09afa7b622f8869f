/* random.c — see random.h. */
#include "crypto/random.h"

#include <limits.h>
#include <openssl/rand.h>

static enum ks_result system_fill(const struct ks_random *random, void *bytes, size_t size)
{
    (void)random;
    if (size > INT_MAX || RAND_priv_bytes(bytes, (int)size) != 1)
        return KS_CRYPTO;
    return KS_OK;
}

const struct ks_random *ks_random_system(void)
{
    static const struct ks_random system = {.fill = system_fill};
    return &system;
}
