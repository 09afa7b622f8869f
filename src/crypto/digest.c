/* digest.c — see digest.h. */
#include "crypto/digest.h"

#include <openssl/evp.h>

enum ks_result ks_sha256(const void *bytes, size_t size, uint8_t digest[static KS_SHA256_SIZE])
{
    return EVP_Digest(bytes, size, digest, NULL, EVP_sha256(), NULL) == 1 ? KS_OK : KS_CRYPTO;
}
