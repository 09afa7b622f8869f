/* rsa.c — see rsa.h. EVP_PKEY is the whole state of either key, so the opaque types are only names for it. */
#include "crypto/rsa.h"

#include "crypto/openssl_error.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <string.h>

enum { RSA_BITS = 1024, RSA_EXPONENT = 17, PRIVATE_KEY_SIZE_LIMIT = 8192 };

static EVP_PKEY *pkey_of(const void *key)
{
    return (EVP_PKEY *)key;
}

static bool public_numbers_are_sound(EVP_PKEY *pkey)
{
    BIGNUM *modulus = NULL;
    BIGNUM *exponent = NULL;
    bool sound = EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA && EVP_PKEY_get_bits(pkey) == RSA_BITS &&
                 EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &modulus) == 1 &&
                 EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1 && BN_is_odd(modulus) &&
                 BN_is_odd(exponent) && !BN_is_one(exponent);
    BN_free(modulus);
    BN_free(exponent);
    return sound;
}

/* OpenSSL reads a negative number as a positive one. So the numbers must stand in `der`, whose end they are,
 * just as they are written back. */
static bool numbers_are_canonical(EVP_PKEY *pkey, const uint8_t der[static KS_RSA_PUBLIC_SIZE])
{
    unsigned char *encoded = NULL;
    int size = i2d_PublicKey(pkey, &encoded);
    bool canonical = size > 0 && size <= KS_RSA_PUBLIC_SIZE &&
                     memcmp(der + KS_RSA_PUBLIC_SIZE - size, encoded, (size_t)size) == 0;
    OPENSSL_free(encoded);
    return canonical;
}

/* Whether a key that OpenSSL did not take is written as everybody writes a sound one: then it is not to
 * blame. OpenSSL often keeps to itself that it had no memory. */
static bool is_plainly_sound(const uint8_t der[static KS_RSA_PUBLIC_SIZE])
{
    static const uint8_t before_modulus[] = {
        0x30, 0x81, 0x9d, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01,
        0x01, 0x05, 0x00, 0x03, 0x81, 0x8b, 0x00, 0x30, 0x81, 0x87, 0x02, 0x81, 0x81, 0x00,
    };
    const uint8_t *modulus = der + sizeof before_modulus;
    const uint8_t *exponent = modulus + RSA_BITS / 8;
    return memcmp(der, before_modulus, sizeof before_modulus) == 0 && (modulus[0] & 0x80) != 0 &&
           (exponent[-1] & 1) != 0 && exponent[0] == 2 && exponent[1] == 1 && (exponent[2] & 0x81) == 1 &&
           exponent[2] != 1;
}

enum ks_result ks_public_key_parse(const uint8_t der[static KS_RSA_PUBLIC_SIZE], struct ks_public_key **key)
{
    const unsigned char *next = der;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &next, KS_RSA_PUBLIC_SIZE);
    if (pkey == NULL || next != der + KS_RSA_PUBLIC_SIZE || !public_numbers_are_sound(pkey) ||
        !numbers_are_canonical(pkey, der)) {
        EVP_PKEY_free(pkey);
        return ks_openssl_failure(is_plainly_sound(der) ? KS_CRYPTO : KS_INVALID);
    }
    *key = (struct ks_public_key *)pkey;
    return KS_OK;
}

void ks_public_key_free(struct ks_public_key *key)
{
    EVP_PKEY_free(pkey_of(key));
}

static bool use_label(EVP_PKEY_CTX *context, const char *label)
{
    if (label[0] == '\0')
        return true;
    char *copy = OPENSSL_strdup(label); /* the context's, once it has taken it */
    if (copy != NULL && EVP_PKEY_CTX_set0_rsa_oaep_label(context, copy, (int)strlen(copy)) == 1)
        return true;
    OPENSSL_free(copy);
    return false;
}

/* The defaults of OpenSSL's OAEP are SHA-1 for both digests and an empty label; said here all the same. */
static bool use_oaep(EVP_PKEY_CTX *context, const char *label)
{
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha1()) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha1()) == 1 && use_label(context, label);
}

enum ks_result ks_public_key_encrypt(struct ks_public_key *key, const uint8_t *plaintext, size_t size,
                                     uint8_t encrypted[static KS_RSA_ENCRYPTED_SIZE])
{
    return ks_public_key_encrypt_labelled(key, "", plaintext, size, encrypted);
}

enum ks_result ks_public_key_encrypt_labelled(struct ks_public_key *key, const char *label,
                                              const uint8_t *plaintext, size_t size,
                                              uint8_t encrypted[static KS_RSA_ENCRYPTED_SIZE])
{
    if (size > KS_RSA_PLAINTEXT_LIMIT)
        return KS_TOO_LARGE;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pkey_of(key), NULL);
    size_t encrypted_size = KS_RSA_ENCRYPTED_SIZE;
    bool done = context != NULL && EVP_PKEY_encrypt_init(context) == 1 && use_oaep(context, label) &&
                EVP_PKEY_encrypt(context, encrypted, &encrypted_size, plaintext, size) == 1 &&
                encrypted_size == KS_RSA_ENCRYPTED_SIZE;
    EVP_PKEY_CTX_free(context);
    return done ? KS_OK : ks_openssl_failure(KS_CRYPTO);
}

enum ks_result ks_private_key_generate(struct ks_private_key **key)
{
    EVP_PKEY *pkey = NULL;
    BIGNUM *exponent = BN_new();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
    bool done =
        exponent != NULL && context != NULL && BN_set_word(exponent, RSA_EXPONENT) == 1 &&
        EVP_PKEY_keygen_init(context) == 1 && EVP_PKEY_CTX_set_rsa_keygen_bits(context, RSA_BITS) == 1 &&
        EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context, exponent) == 1 && EVP_PKEY_generate(context, &pkey) == 1;
    EVP_PKEY_CTX_free(context);
    BN_free(exponent);
    if (!done)
        return ks_openssl_failure(KS_CRYPTO);
    *key = (struct ks_private_key *)pkey;
    return KS_OK;
}

enum ks_result ks_private_key_parse(const uint8_t *der, size_t size, struct ks_private_key **key)
{
    if (size > PRIVATE_KEY_SIZE_LIMIT)
        return KS_INVALID;
    const unsigned char *next = der;
    EVP_PKEY *pkey = d2i_AutoPrivateKey(NULL, &next, (long)size);
    if (pkey == NULL)
        return ks_openssl_failure(KS_INVALID);
    if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA || EVP_PKEY_get_bits(pkey) != RSA_BITS) {
        EVP_PKEY_free(pkey);
        return KS_INVALID;
    }
    *key = (struct ks_private_key *)pkey;
    return KS_OK;
}

enum ks_result ks_private_key_encode(const struct ks_private_key *key, struct ks_buffer *der)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey_of(key));
    unsigned char *encoded = NULL;
    int size = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, &encoded);
    enum ks_result result =
        size <= 0 ? ks_openssl_failure(KS_CRYPTO) : ks_buffer_append(der, encoded, (size_t)size);
    if (size > 0)
        OPENSSL_clear_free(encoded, (size_t)size);
    PKCS8_PRIV_KEY_INFO_free(info);
    return result;
}

enum ks_result ks_private_key_public(const struct ks_private_key *key, uint8_t der[static KS_RSA_PUBLIC_SIZE])
{
    unsigned char *encoded = NULL;
    int size = i2d_PUBKEY(pkey_of(key), &encoded);
    if (size <= 0)
        return ks_openssl_failure(KS_CRYPTO);
    enum ks_result result = KS_INVALID;
    if (size == KS_RSA_PUBLIC_SIZE) {
        memcpy(der, encoded, KS_RSA_PUBLIC_SIZE);
        result = KS_OK;
    }
    OPENSSL_free(encoded);
    return result;
}

/* Whether the error says of what was to be decrypted that it is not for this key. Everything else, memory and
 * random numbers that were not to be had among it, is a failure of ours: whoever took that for a verdict
 * would throw away a sound message. */
static bool is_verdict(unsigned long error)
{
    int reason = ERR_GET_REASON(error);
    return ERR_GET_LIB(error) == ERR_LIB_RSA &&
           (reason == RSA_R_OAEP_DECODING_ERROR || reason == RSA_R_DATA_TOO_LARGE_FOR_MODULUS);
}

enum ks_result ks_private_key_decrypt(const struct ks_private_key *key,
                                      const uint8_t encrypted[static KS_RSA_ENCRYPTED_SIZE],
                                      uint8_t *plaintext, size_t *plaintext_size)
{
    return ks_private_key_decrypt_labelled(key, "", encrypted, plaintext, plaintext_size);
}

enum ks_result ks_private_key_decrypt_labelled(const struct ks_private_key *key, const char *label,
                                               const uint8_t encrypted[static KS_RSA_ENCRYPTED_SIZE],
                                               uint8_t *plaintext, size_t *plaintext_size)
{
    uint8_t decrypted[KS_RSA_ENCRYPTED_SIZE]; /* OpenSSL asks for room for the whole modulus */
    size_t size = sizeof decrypted;
    ERR_clear_error(); /* the first error will be this call's */
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(pkey_of(key), NULL);
    bool done = context != NULL && EVP_PKEY_decrypt_init(context) == 1 && use_oaep(context, label) &&
                EVP_PKEY_decrypt(context, decrypted, &size, encrypted, KS_RSA_ENCRYPTED_SIZE) == 1 &&
                size <= KS_RSA_PLAINTEXT_LIMIT;
    EVP_PKEY_CTX_free(context);
    if (done) {
        memcpy(plaintext, decrypted, size);
        *plaintext_size = size;
    }
    OPENSSL_cleanse(decrypted, sizeof decrypted);
    return done ? KS_OK : ks_openssl_failure(is_verdict(ERR_peek_error()) ? KS_INVALID : KS_CRYPTO);
}

void ks_private_key_free(struct ks_private_key *key)
{
    EVP_PKEY_free(pkey_of(key)); /* clears the secret numbers */
}
