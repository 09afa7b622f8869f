/* tls_identity.h — who a server is in TLS: a private key and the certificates for it.
 *
 * The *fingerprint* is SHA-256 of the DER SubjectPublicKeyInfo (protocol.md §7): it stays when a certificate
 * is renewed for the same key. Immutable; any thread.
 */
#ifndef KS_CRYPTO_TLS_IDENTITY_H
#define KS_CRYPTO_TLS_IDENTITY_H

#include "base/buffer.h"
#include "base/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KS_TLS_FINGERPRINT_SIZE = 32,
    KS_TLS_FINGERPRINT_TEXT_SIZE = 44, /* base64url without padding, and a NUL */
    KS_TLS_WHY_SIZE = 256,
};

struct ks_tls_identity;

/* A new ECDSA P-256 key, and a self-signed certificate for it that names nobody and does not end soon. KS_OK
 * with *identity for ks_tls_identity_free; KS_CRYPTO, KS_NO_MEMORY. */
enum ks_result ks_tls_identity_generate(struct ks_tls_identity **identity);

/* Reads PEM: the server's certificate, then those that lead to an authority, if any; and its key. KS_OK;
 * KS_INVALID, and `why` holds a sentence: no certificate, no key, a key with a passphrase, or of another
 * certificate, or of a kind that TLS 1.3 does not take. KS_CRYPTO, KS_NO_MEMORY. */
enum ks_result ks_tls_identity_parse(const char *certificates, size_t certificates_size, const char *key,
                                     size_t key_size, struct ks_tls_identity **identity,
                                     char why[static KS_TLS_WHY_SIZE]);

/* Appends PEM; wipe that of the key. KS_OK, KS_CRYPTO, KS_NO_MEMORY, KS_TOO_LARGE. */
enum ks_result ks_tls_identity_encode_certificates(const struct ks_tls_identity *identity,
                                                   struct ks_buffer *pem);
enum ks_result ks_tls_identity_encode_key(const struct ks_tls_identity *identity, struct ks_buffer *pem);

void ks_tls_identity_free(struct ks_tls_identity *identity); /* wipes; NULL is allowed */

void ks_tls_identity_fingerprint(const struct ks_tls_identity *identity,
                                 uint8_t fingerprint[static KS_TLS_FINGERPRINT_SIZE]);

/* When the server's certificate ends, seconds since 1970. */
int64_t ks_tls_identity_ends(const struct ks_tls_identity *identity);

/* Whether it is one that a server made for itself: no authority vouches for it. */
bool ks_tls_identity_is_self_signed(const struct ks_tls_identity *identity);

/* The first name that the certificate is for; false when it names nobody. */
bool ks_tls_identity_name(const struct ks_tls_identity *identity, char *name, size_t name_size);

/* A fingerprint as people hand it on, and back. KS_OK; KS_INVALID for a text that is none. */
void ks_tls_fingerprint_text(const uint8_t fingerprint[static KS_TLS_FINGERPRINT_SIZE],
                             char text[static KS_TLS_FINGERPRINT_TEXT_SIZE]);
enum ks_result ks_tls_fingerprint_parse(const char *text, size_t size,
                                        uint8_t fingerprint[static KS_TLS_FINGERPRINT_SIZE]);

#endif
