/* alias.c — see alias.h. The bare block function is what is wanted here, and it must be callable from every
 * loop at once: OpenSSL's AES_encrypt on a read-only key schedule does that without a context per thread. It
 * is marked as deprecated in favour of EVP, whose contexts are not shareable; the list of a million users
 * would need one fetch per row. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/alias.h"

#include <openssl/aes.h>
#include <openssl/crypto.h>
#include <stdlib.h>

struct ks_alias_key {
    AES_KEY encrypt;
    AES_KEY decrypt;
};

enum ks_result ks_alias_key_new(const uint8_t key[static KS_ALIAS_KEY_SIZE], struct ks_alias_key **alias_key)
{
    struct ks_alias_key *created = calloc(1, sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    if (AES_set_encrypt_key(key, KS_ALIAS_KEY_SIZE * 8, &created->encrypt) != 0 ||
        AES_set_decrypt_key(key, KS_ALIAS_KEY_SIZE * 8, &created->decrypt) != 0) {
        ks_alias_key_free(created);
        return KS_CRYPTO;
    }
    *alias_key = created;
    return KS_OK;
}

void ks_alias_key_free(struct ks_alias_key *alias_key)
{
    if (alias_key == NULL)
        return;
    OPENSSL_cleanse(alias_key, sizeof *alias_key);
    free(alias_key);
}

void ks_alias_of_id(const struct ks_alias_key *alias_key, const uint8_t from[static KS_ALIAS_SIZE],
                    uint8_t to[static KS_ALIAS_SIZE])
{
    AES_encrypt(from, to, &alias_key->encrypt);
}

void ks_alias_to_id(const struct ks_alias_key *alias_key, const uint8_t from[static KS_ALIAS_SIZE],
                    uint8_t to[static KS_ALIAS_SIZE])
{
    AES_decrypt(from, to, &alias_key->decrypt);
}
