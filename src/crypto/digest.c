/* digest.c — see digest.h. */
#include "crypto/digest.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdlib.h>

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

struct ks_digest {
    EVP_MD_CTX *context;
    bool is_begun; /* else OpenSSL's context is half of one, and must not be used */
};

/* Memory is taken each time. */
static enum ks_result begin(struct ks_digest *digest)
{
    digest->is_begun = EVP_DigestInit_ex2(digest->context, EVP_sha256(), NULL) == 1;
    return digest->is_begun ? KS_OK : KS_CRYPTO;
}

enum ks_result ks_digest_new(struct ks_digest **digest)
{
    struct ks_digest *created = calloc(1, sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    created->context = EVP_MD_CTX_new();
    enum ks_result result = created->context == NULL ? KS_NO_MEMORY : begin(created);
    if (result != KS_OK) {
        ks_digest_free(created);
        return result;
    }
    *digest = created;
    return KS_OK;
}

void ks_digest_free(struct ks_digest *digest)
{
    if (digest == NULL)
        return;
    EVP_MD_CTX_free(digest->context);
    free(digest);
}

enum ks_result ks_digest_add(struct ks_digest *digest, const void *bytes, size_t size)
{
    return digest->is_begun && EVP_DigestUpdate(digest->context, bytes, size) == 1 ? KS_OK : KS_CRYPTO;
}

enum ks_result ks_digest_finish(struct ks_digest *digest, uint8_t value[static KS_SHA256_SIZE])
{
    bool finished = digest->is_begun && EVP_DigestFinal_ex(digest->context, value, NULL) == 1;
    enum ks_result begun = begin(digest);
    return finished ? begun : KS_CRYPTO;
}
