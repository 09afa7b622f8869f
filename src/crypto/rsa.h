/* rsa.h — the users' RSA-1024 keys: public ones as 160 bytes of SubjectPublicKeyInfo, private ones as PKCS#8
 * DER; encryption with OAEP, SHA-1 for digest and MGF1, with the empty label (protocol.md §1.1) or another
 * one (§8.3).
 *
 * Where OpenSSL runs out of memory without saying so, KS_CRYPTO stands for KS_NO_MEMORY; so may KS_INVALID
 * for a private key that is read, and a public one that is not written as everybody writes it.
 *
 * These calls cost from 20 microseconds to milliseconds: on the server they run on the pool, never on a loop.
 * Any thread.
 */
#ifndef KS_CRYPTO_RSA_H
#define KS_CRYPTO_RSA_H

#include "base/buffer.h"
#include "base/result.h"

#include <stddef.h>
#include <stdint.h>

enum {
    KS_RSA_PUBLIC_SIZE = 160,    /* of the DER public key */
    KS_RSA_ENCRYPTED_SIZE = 128, /* of what comes out of an encryption */
    KS_RSA_PLAINTEXT_LIMIT = 86, /* OAEP with SHA-1 takes 42 of 128 bytes */
};

struct ks_public_key;
struct ks_private_key;

/* Reads and judges a public key: refused (KS_INVALID) is what does not parse or leaves bytes over, is not
 * RSA of 1024 bits, has an even modulus, or an exponent that is even or below 3. KS_OK with *key for
 * ks_public_key_free, KS_CRYPTO, KS_NO_MEMORY. */
enum ks_result ks_public_key_parse(const uint8_t der[static KS_RSA_PUBLIC_SIZE], struct ks_public_key **key);
void ks_public_key_free(struct ks_public_key *key); /* NULL is allowed */

/* Encrypts up to KS_RSA_PLAINTEXT_LIMIT bytes. KS_OK, KS_TOO_LARGE, KS_CRYPTO, KS_NO_MEMORY. */
enum ks_result ks_public_key_encrypt(struct ks_public_key *key, const uint8_t *plaintext, size_t size,
                                     uint8_t encrypted[static KS_RSA_ENCRYPTED_SIZE]);

/* The same under a label, which need not be kept: what was encrypted under one opens under no other, and so
 * not under the empty one. */
enum ks_result ks_public_key_encrypt_labelled(struct ks_public_key *key, const char *label,
                                              const uint8_t *plaintext, size_t size,
                                              uint8_t encrypted[static KS_RSA_ENCRYPTED_SIZE]);

/* A new key pair with exponent 17: larger exponents do not fit 160 bytes. KS_OK, KS_CRYPTO,
 * KS_NO_MEMORY. */
enum ks_result ks_private_key_generate(struct ks_private_key **key);

/* Reads PKCS#8 DER (PKCS#1 RSAPrivateKey too). KS_OK, KS_INVALID when it is no RSA-1024 private key,
 * KS_NO_MEMORY. */
enum ks_result ks_private_key_parse(const uint8_t *der, size_t size, struct ks_private_key **key);

/* Writes PKCS#8 DER to the end of `der`; wipe it afterwards. KS_OK, KS_CRYPTO, KS_NO_MEMORY, KS_TOO_LARGE. */
enum ks_result ks_private_key_encode(const struct ks_private_key *key, struct ks_buffer *der);

/* Its public half. KS_OK; KS_INVALID when it does not come out as 160 bytes (a foreign key with a large
 * exponent); KS_CRYPTO; KS_NO_MEMORY. */
enum ks_result ks_private_key_public(const struct ks_private_key *key,
                                     uint8_t der[static KS_RSA_PUBLIC_SIZE]);

/* Decrypts into `plaintext` with room for KS_RSA_PLAINTEXT_LIMIT bytes. KS_OK with *plaintext_size;
 * KS_INVALID when it was not made with this key's public half, and only then; KS_CRYPTO (no random numbers,
 * say) and KS_NO_MEMORY, after which it may be tried again. */
enum ks_result ks_private_key_decrypt(const struct ks_private_key *key,
                                      const uint8_t encrypted[static KS_RSA_ENCRYPTED_SIZE],
                                      uint8_t *plaintext, size_t *plaintext_size);

/* The same for what was encrypted under `label`; KS_INVALID also for another one. */
enum ks_result ks_private_key_decrypt_labelled(const struct ks_private_key *key, const char *label,
                                               const uint8_t encrypted[static KS_RSA_ENCRYPTED_SIZE],
                                               uint8_t *plaintext, size_t *plaintext_size);

void ks_private_key_free(struct ks_private_key *key); /* wipes; NULL is allowed */

#endif
