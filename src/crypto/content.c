/* content.c — see content.h. */
#include "crypto/content.h"

#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

/* The cipher context is the whole state, so the opaque type is only a name for it. */
static EVP_CIPHER_CTX *context_of(struct ks_content_cipher *cipher)
{
    return (EVP_CIPHER_CTX *)cipher;
}

static enum ks_result cipher_new(const uint8_t *key, int encrypt, struct ks_content_cipher **cipher)
{
    static const uint8_t zero_iv[KS_CONTENT_BLOCK_SIZE] = {0};
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context == NULL)
        return KS_NO_MEMORY;
    if (EVP_CipherInit_ex2(context, EVP_aes_128_cbc(), key, zero_iv, encrypt, NULL) != 1 ||
        EVP_CIPHER_CTX_set_padding(context, 0) != 1) {
        EVP_CIPHER_CTX_free(context);
        return KS_CRYPTO;
    }
    *cipher = (struct ks_content_cipher *)context;
    return KS_OK;
}

enum ks_result ks_content_encryptor_new(const uint8_t key[static 16], struct ks_content_cipher **cipher)
{
    return cipher_new(key, 1, cipher);
}

enum ks_result ks_content_decryptor_new(const uint8_t key[static 16], struct ks_content_cipher **cipher)
{
    return cipher_new(key, 0, cipher);
}

void ks_content_cipher_free(struct ks_content_cipher *cipher)
{
    EVP_CIPHER_CTX_free(context_of(cipher)); /* wipes the key schedule */
}

enum ks_result ks_content_cipher_blocks(struct ks_content_cipher *cipher, const uint8_t *input,
                                        uint8_t *output, size_t size)
{
    int produced = 0;
    if (size == 0)
        return KS_OK;
    if (size > INT_MAX || size % KS_CONTENT_BLOCK_SIZE != 0 ||
        EVP_CipherUpdate(context_of(cipher), output, &produced, input, (int)size) != 1 ||
        produced != (int)size)
        return KS_CRYPTO;
    return KS_OK;
}

enum ks_result ks_content_encrypt_last(struct ks_content_cipher *cipher, const uint8_t *input, size_t size,
                                       uint8_t *output, size_t *output_size)
{
    size_t whole = size - size % KS_CONTENT_BLOCK_SIZE;
    uint8_t last[KS_CONTENT_BLOCK_SIZE];
    size_t rest = size - whole;
    if (rest > 0)
        memcpy(last, input + whole, rest);
    memset(last + rest, (int)(sizeof last - rest), sizeof last - rest);
    enum ks_result result = ks_content_cipher_blocks(cipher, input, output, whole);
    if (result == KS_OK)
        result = ks_content_cipher_blocks(cipher, last, output + whole, sizeof last);
    OPENSSL_cleanse(last, sizeof last);
    *output_size = whole + sizeof last;
    return result;
}

size_t ks_content_padding_size(const uint8_t *last, size_t size)
{
    if (size < KS_CONTENT_BLOCK_SIZE)
        return 0;
    const uint8_t *block = last + size - KS_CONTENT_BLOCK_SIZE;
    uint8_t padding = block[KS_CONTENT_BLOCK_SIZE - 1];
    if (padding < 1 || padding > KS_CONTENT_BLOCK_SIZE)
        return 0;
    for (size_t i = KS_CONTENT_BLOCK_SIZE - padding; i < KS_CONTENT_BLOCK_SIZE; i++)
        if (block[i] != padding)
            return 0;
    return padding;
}
