/* account_key.c — see account_key.h. */
#include "crypto/account_key.h"

#include "crypto/digest.h"
#include "crypto/openssl_error.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>

_Static_assert((int)KS_ED25519_PUBLIC_SIZE == (int)KS_ED25519_SECRET_SIZE, "both halves are 32 bytes");

enum ks_result ks_account_key_public(const uint8_t secret[static KS_ED25519_SECRET_SIZE],
                                     uint8_t key[static KS_ED25519_PUBLIC_SIZE])
{
    size_t size = KS_ED25519_PUBLIC_SIZE;
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, KS_ED25519_SECRET_SIZE);
    bool made = pkey != NULL && EVP_PKEY_get_raw_public_key(pkey, key, &size) == 1;
    EVP_PKEY_free(pkey);
    return made ? KS_OK : ks_openssl_failure(KS_CRYPTO);
}

enum ks_result ks_account_key_sign(const uint8_t secret[static KS_ED25519_SECRET_SIZE], const void *bytes,
                                   size_t size, uint8_t signature[static KS_ED25519_SIGNATURE_SIZE])
{
    size_t signature_size = KS_ED25519_SIGNATURE_SIZE;
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, KS_ED25519_SECRET_SIZE);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool made = pkey != NULL && context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, pkey) == 1 &&
                EVP_DigestSign(context, signature, &signature_size, bytes, size) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(pkey);
    return made ? KS_OK : ks_openssl_failure(KS_CRYPTO);
}

enum ks_result ks_account_key_verify(const uint8_t key[static KS_ED25519_PUBLIC_SIZE], const void *bytes,
                                     size_t size, const uint8_t signature[static KS_ED25519_SIGNATURE_SIZE])
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, KS_ED25519_PUBLIC_SIZE);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    enum ks_result result = KS_CRYPTO;
    if (pkey != NULL && context != NULL && EVP_DigestVerifyInit(context, NULL, NULL, NULL, pkey) == 1) {
        int verdict = EVP_DigestVerify(context, signature, KS_ED25519_SIGNATURE_SIZE, bytes, size);
        result = verdict == 1 ? KS_OK : KS_REFUSED;
    }
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(pkey);
    return result == KS_OK ? KS_OK : ks_openssl_failure(result);
}

enum {
    GROUPS = 5,
    GROUP_SIZE = 4,
    BITS_PER_DIGIT = 5,
};

_Static_assert(GROUPS *(GROUP_SIZE + 1) == (int)KS_SHORT_FINGERPRINT_SIZE,
               "between groups, or the NUL behind");

/* The digit that begins at this bit, the highest of the first byte being bit 0. */
static char digit_at(const uint8_t *bytes, unsigned bit)
{
    static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
    unsigned pair = (unsigned)bytes[bit / 8] << 8 | bytes[bit / 8 + 1];
    return digits[pair >> (16 - BITS_PER_DIGIT - bit % 8) & 31];
}

enum ks_result ks_account_key_short_fingerprint(const uint8_t key[static KS_ED25519_PUBLIC_SIZE],
                                                char text[static KS_SHORT_FINGERPRINT_SIZE])
{
    static const char label[] = "kesher account 1"; /* with its NUL */
    uint8_t bytes[sizeof label + KS_ED25519_PUBLIC_SIZE];
    uint8_t digest[KS_SHA256_SIZE];
    memcpy(bytes, label, sizeof label);
    memcpy(bytes + sizeof label, key, KS_ED25519_PUBLIC_SIZE);
    enum ks_result result = ks_sha256(bytes, sizeof bytes, digest);
    if (result != KS_OK)
        return result;
    for (size_t i = 0; i < (size_t)GROUPS * GROUP_SIZE; i++) {
        char *group = text + i / GROUP_SIZE * (GROUP_SIZE + 1);
        group[i % GROUP_SIZE] = digit_at(digest, (unsigned)i * BITS_PER_DIGIT);
        group[GROUP_SIZE] = '-';
    }
    text[KS_SHORT_FINGERPRINT_SIZE - 1] = '\0';
    return KS_OK;
}
