/* secret.c — see secret.h. */
#include "crypto/secret.h"

#include <openssl/crypto.h>

void ks_secret_wipe(void *bytes, size_t size)
{
    OPENSSL_cleanse(bytes, size);
}

bool ks_secret_equal(const void *left, const void *right, size_t size)
{
    return CRYPTO_memcmp(left, right, size) == 0;
}
