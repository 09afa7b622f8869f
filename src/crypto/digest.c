/* digest.c — see digest.h. */
#include "crypto/digest.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>

enum ks_result ks_sha256(const void *bytes, size_t size, uint8_t digest[static KS_SHA256_SIZE])
{
    return EVP_Digest(bytes, size, digest, NULL, EVP_sha256(), NULL) == 1 ? KS_OK : KS_CRYPTO;
}

enum ks_result ks_hmac_sha256(const void *key, size_t key_size, const void *bytes, size_t size,
                              uint8_t mac[static KS_SHA256_SIZE])
{
    if (key_size > INT_MAX)
        return KS_CRYPTO;
    return HMAC(EVP_sha256(), key, (int)key_size, bytes, size, mac, NULL) != NULL ? KS_OK : KS_CRYPTO;
}

/* OpenSSL's context is the whole state, so the opaque type is only a name for it. */
static EVP_MD_CTX *context_of(struct ks_digest *digest)
{
    return (EVP_MD_CTX *)digest;
}

enum ks_result ks_digest_new(struct ks_digest **digest)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL)
        return KS_NO_MEMORY;
    if (EVP_DigestInit_ex2(context, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(context);
        return KS_CRYPTO;
    }
    *digest = (struct ks_digest *)context;
    return KS_OK;
}

void ks_digest_free(struct ks_digest *digest)
{
    EVP_MD_CTX_free(context_of(digest));
}

enum ks_result ks_digest_add(struct ks_digest *digest, const void *bytes, size_t size)
{
    return EVP_DigestUpdate(context_of(digest), bytes, size) == 1 ? KS_OK : KS_CRYPTO;
}

enum ks_result ks_digest_finish(struct ks_digest *digest, uint8_t value[static KS_SHA256_SIZE])
{
    EVP_MD_CTX *context = context_of(digest);
    bool finished = EVP_DigestFinal_ex(context, value, NULL) == 1;
    /* No new fetch of the algorithm: the context keeps it. */
    return finished && EVP_DigestInit_ex2(context, NULL, NULL) == 1 ? KS_OK : KS_CRYPTO;
}
