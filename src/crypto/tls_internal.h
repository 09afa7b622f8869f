/* tls_internal.h — what tls.c and tls_identity.c share. Private to them. */
#ifndef KS_CRYPTO_TLS_INTERNAL_H
#define KS_CRYPTO_TLS_INTERNAL_H

#include "crypto/tls_identity.h"

#include <openssl/x509.h>

struct ks_tls_identity {
    EVP_PKEY *key;
    X509 *certificate;
    STACK_OF(X509) * chain; /* behind the certificate */
    uint8_t fingerprint[KS_TLS_FINGERPRINT_SIZE];
};

/* KS_OK, KS_CRYPTO, KS_NO_MEMORY. */
enum ks_result ks_tls_certificate_fingerprint(X509 *certificate,
                                              uint8_t fingerprint[static KS_TLS_FINGERPRINT_SIZE]);

#endif
