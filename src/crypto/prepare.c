/* prepare.c — see prepare.h. */
#include "crypto/prepare.h"

#include "crypto/content.h"
#include "crypto/digest.h"
#include "crypto/rsa.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/rand.h>

/* A public key of nobody: its private half was thrown away. */
static const uint8_t trial_key[KS_RSA_PUBLIC_SIZE] = {
    0x30, 0x81, 0x9d, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01,
    0x05, 0x00, 0x03, 0x81, 0x8b, 0x00, 0x30, 0x81, 0x87, 0x02, 0x81, 0x81, 0x00, 0xdd, 0x0f, 0x8d,
    0x0c, 0x7e, 0x01, 0x57, 0x57, 0xbb, 0x27, 0xb6, 0x34, 0x4f, 0x1e, 0xdf, 0xa7, 0x93, 0x1c, 0xba,
    0xb7, 0x4a, 0x6f, 0x3d, 0xb0, 0x65, 0x36, 0xe9, 0x0e, 0xb6, 0x8a, 0xa9, 0xb7, 0xd2, 0xac, 0xe9,
    0x37, 0x98, 0x5e, 0xf7, 0xa7, 0x26, 0x82, 0x4c, 0xcd, 0xf7, 0x31, 0x08, 0xf4, 0xd4, 0xd2, 0x2c,
    0xcd, 0xad, 0xed, 0x49, 0xd4, 0x64, 0x56, 0x1b, 0x63, 0x80, 0x2e, 0xfa, 0xea, 0x88, 0xf9, 0x1b,
    0x59, 0x29, 0x99, 0xb1, 0x97, 0x6d, 0xa5, 0xde, 0x9a, 0xd1, 0x52, 0xe2, 0x54, 0x6f, 0x0e, 0x6f,
    0x16, 0xbe, 0x98, 0x17, 0x2b, 0xc6, 0x03, 0xad, 0xdc, 0xcd, 0x44, 0x39, 0x07, 0x57, 0xa0, 0x35,
    0x5d, 0xfc, 0xbc, 0x46, 0x63, 0xd1, 0xe8, 0xdf, 0xa1, 0x85, 0xc8, 0xba, 0xc3, 0x65, 0xb3, 0xfc,
    0x74, 0x1b, 0x22, 0x3c, 0x1d, 0x2c, 0x84, 0xc9, 0x03, 0x3e, 0x8a, 0xd6, 0xad, 0x02, 0x01, 0x11,
};

/* OpenSSL's own state, in the order in which it fails soundly: RAND takes the default context for granted. */
static enum ks_result prepare_library(void)
{
    if (OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_LOAD_CONFIG, NULL) != 1 ||
        OSSL_LIB_CTX_get0_global_default() == NULL)
        return KS_NO_MEMORY;
    if (RAND_status() != 1)
        return KS_CRYPTO;
    return KS_OK;
}

static enum ks_result try_digest(void)
{
    uint8_t digest[KS_SHA256_SIZE];
    return ks_sha256(trial_key, sizeof trial_key, digest);
}

/* There and back: the two are found by themselves. */
static enum ks_result try_content(void)
{
    static const uint8_t key[16] = {0};
    uint8_t block[KS_CONTENT_BLOCK_SIZE] = {0};
    struct ks_content_cipher *encryptor = NULL;
    struct ks_content_cipher *decryptor = NULL;
    enum ks_result result = ks_content_encryptor_new(key, &encryptor);
    if (result == KS_OK)
        result = ks_content_decryptor_new(key, &decryptor);
    if (result == KS_OK)
        result = ks_content_cipher_blocks(encryptor, block, block, sizeof block);
    if (result == KS_OK)
        result = ks_content_cipher_blocks(decryptor, block, block, sizeof block);
    ks_content_cipher_free(encryptor);
    ks_content_cipher_free(decryptor);
    return result;
}

static enum ks_result try_key(void)
{
    static const uint8_t plaintext[16] = {0};
    uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE];
    struct ks_public_key *key = NULL;
    enum ks_result result = ks_public_key_parse(trial_key, &key);
    if (result == KS_OK)
        result = ks_public_key_encrypt(key, plaintext, sizeof plaintext, encrypted);
    ks_public_key_free(key);
    return result == KS_INVALID ? KS_CRYPTO : result; /* our own key is sound */
}

enum ks_result ks_crypto_prepare(void)
{
    enum ks_result result = prepare_library();
    if (result == KS_OK)
        result = try_digest();
    if (result == KS_OK)
        result = try_content();
    if (result == KS_OK)
        result = try_key();
    ERR_clear_error();
    return result;
}
