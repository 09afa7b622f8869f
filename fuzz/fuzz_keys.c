/* fuzz_keys.c — the RSA keys of strangers: the public ones that users register, and the private ones of
 * identities that others have made. The first byte of the input says which; the rest is DER.
 *
 * The properties: a public key is taken, and encrypts, or is the one to blame; a private key that is taken is
 * written, and read back as it was written; and whatever is decrypted with it is refused or fits.
 *
 * OpenSSL, which reads them, is slow, and tells a fuzzer nothing: this one does a thousand inputs in a
 * second.
 */
#include "crypto/rsa.h"
#include "quick_keys.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void public_key(const uint8_t *bytes, size_t size)
{
    static const uint8_t plaintext[KS_RSA_PLAINTEXT_LIMIT + 1] = "secret";
    uint8_t der[KS_RSA_PUBLIC_SIZE] = {0};
    uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE];
    struct ks_public_key *key = NULL;
    memcpy(der, bytes, size < sizeof der ? size : sizeof der);
    enum ks_result result = ks_public_key_parse(der, &key);
    require(result == KS_OK ||
            result == KS_INVALID); /* or a stranger's key would count as a failure of ours */
    if (result != KS_OK)
        return;
    require(ks_public_key_encrypt(key, plaintext, KS_RSA_PLAINTEXT_LIMIT, encrypted) == KS_OK);
    require(ks_public_key_encrypt(key, plaintext, sizeof plaintext, encrypted) == KS_TOO_LARGE);
    ks_public_key_free(key);
}

static void must_come_back(const struct ks_private_key *key)
{
    struct ks_buffer der = ks_buffer_empty(0);
    struct ks_buffer again = ks_buffer_empty(0);
    struct ks_private_key *read = NULL;
    require(ks_private_key_encode(key, &der) == KS_OK);
    require(ks_private_key_parse(der.bytes, der.size, &read) == KS_OK);
    require(ks_private_key_encode(read, &again) == KS_OK);
    require(again.size == der.size && memcmp(again.bytes, der.bytes, der.size) == 0);
    ks_private_key_free(read);
    ks_buffer_wipe(&der);
    ks_buffer_wipe(&again);
}

static void private_key(const uint8_t *bytes, size_t size)
{
    static const uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE] = {1, 2, 3};
    uint8_t plaintext[KS_RSA_PLAINTEXT_LIMIT];
    uint8_t der[KS_RSA_PUBLIC_SIZE];
    size_t plaintext_size = 0;
    struct ks_private_key *key = NULL;
    if (ks_private_key_parse(bytes, size, &key) != KS_OK)
        return;
    must_come_back(key);
    enum ks_result result = ks_private_key_public(key, der);
    require(result == KS_OK || result == KS_INVALID || result == KS_CRYPTO);
    if (ks_private_key_decrypt(key, encrypted, plaintext, &plaintext_size) == KS_OK)
        require(plaintext_size <= sizeof plaintext);
    ks_private_key_free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 1)
        return 0;
    quick_keys_odds = 1;
    if ((bytes[0] & 1) == 0)
        public_key(bytes + 1, size - 1);
    else
        private_key(bytes + 1, size - 1);
    return 0;
}
