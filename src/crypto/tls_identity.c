/* tls_identity.c — see tls_identity.h. */
#include "crypto/tls_identity.h"

#include "crypto/digest.h"
#include "crypto/openssl_error.h"
#include "crypto/tls_internal.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHAIN_LIMIT = 8, /* certificates between the server's and an authority's */
    RSA_BITS_AT_LEAST = 2048,
    SERIAL_SIZE = 16,
};

/* What RFC 5280 (4.1.2.5) writes for "it has no end": clients hold on to the key, not to a date. */
static const char no_end[] = "99991231235959Z";
static const char beginning[] = "20200101000000Z"; /* whatever a client's clock says */

static struct ks_tls_identity *identity_new(void)
{
    struct ks_tls_identity *identity = calloc(1, sizeof *identity);
    if (identity != NULL)
        identity->chain = sk_X509_new_null();
    if (identity != NULL && identity->chain == NULL) {
        free(identity);
        return NULL;
    }
    return identity;
}

void ks_tls_identity_free(struct ks_tls_identity *identity)
{
    if (identity == NULL)
        return;
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
    sk_X509_pop_free(identity->chain, X509_free);
    free(identity);
}

enum ks_result ks_tls_certificate_fingerprint(X509 *certificate,
                                              uint8_t fingerprint[static KS_TLS_FINGERPRINT_SIZE])
{
    unsigned char *der = NULL;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    if (size <= 0)
        return ks_openssl_failure(KS_CRYPTO);
    enum ks_result result = ks_sha256(der, (size_t)size, fingerprint);
    OPENSSL_free(der);
    return result;
}

/* Takes the identity, which is complete; frees it when something is wrong. */
static enum ks_result finish(struct ks_tls_identity *identity, enum ks_result result,
                             struct ks_tls_identity **finished)
{
    if (result == KS_OK)
        result = ks_tls_certificate_fingerprint(identity->certificate, identity->fingerprint);
    if (result == KS_OK)
        *finished = identity;
    else
        ks_tls_identity_free(identity);
    return result;
}

/* ---- one of our own ---- */

static bool set_serial(X509 *certificate)
{
    unsigned char bytes[SERIAL_SIZE];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    bytes[0] &= 0x7f; /* positive, and not shorter */
    bytes[0] |= 0x40;
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool set = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return set;
}

static bool set_name(X509 *certificate)
{
    X509_NAME *name = X509_get_subject_name(certificate);
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"kesher", -1, -1, 0) ==
               1 &&
           X509_set_issuer_name(certificate, name) == 1;
}

static bool add_extension(X509 *certificate, int what, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, what, value);
    bool added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

static bool fill_certificate(X509 *certificate, EVP_PKEY *key)
{
    return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
           ASN1_TIME_set_string(X509_getm_notBefore(certificate), beginning) == 1 &&
           ASN1_TIME_set_string(X509_getm_notAfter(certificate), no_end) == 1 && set_name(certificate) &&
           X509_set_pubkey(certificate, key) == 1 &&
           add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(certificate, NID_key_usage, "critical,digitalSignature") &&
           add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
           X509_sign(certificate, key, EVP_sha256()) > 0;
}

enum ks_result ks_tls_identity_generate(struct ks_tls_identity **identity)
{
    struct ks_tls_identity *created = identity_new();
    if (created == NULL)
        return KS_NO_MEMORY;
    created->key = EVP_EC_gen("P-256");
    created->certificate = X509_new();
    bool made = created->key != NULL && created->certificate != NULL &&
                fill_certificate(created->certificate, created->key);
    return finish(created, made ? KS_OK : ks_openssl_failure(KS_CRYPTO), identity);
}

/* ---- one of the operator's ---- */

/* A key that needs a passphrase is none: nobody is there to type it. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

static enum ks_result wrong(char why[static KS_TLS_WHY_SIZE], const char *sentence)
{
    enum ks_result result = ks_openssl_failure(KS_INVALID);
    if (result == KS_INVALID)
        snprintf(why, KS_TLS_WHY_SIZE, "%s", sentence);
    return result;
}

static enum ks_result read_certificates(struct ks_tls_identity *identity, BIO *pem,
                                        char why[static KS_TLS_WHY_SIZE])
{
    identity->certificate = PEM_read_bio_X509(pem, NULL, no_passphrase, NULL);
    if (identity->certificate == NULL)
        return wrong(why, "it holds no certificate (PEM)");
    X509 *next = NULL;
    while ((next = PEM_read_bio_X509(pem, NULL, no_passphrase, NULL)) != NULL) {
        if (sk_X509_num(identity->chain) == CHAIN_LIMIT || sk_X509_push(identity->chain, next) == 0) {
            X509_free(next);
            return wrong(why, "it holds too many certificates");
        }
    }
    (void)ks_openssl_failure(KS_OK); /* the end of the file is none */
    return KS_OK;
}

static bool is_of_a_kind_for_tls(EVP_PKEY *key)
{
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC:
    case EVP_PKEY_ED25519:
        return true;
    case EVP_PKEY_RSA:
        return EVP_PKEY_get_bits(key) >= RSA_BITS_AT_LEAST;
    default:
        return false;
    }
}

static enum ks_result read_key(struct ks_tls_identity *identity, BIO *pem, char why[static KS_TLS_WHY_SIZE])
{
    identity->key = PEM_read_bio_PrivateKey(pem, NULL, no_passphrase, NULL);
    if (identity->key == NULL)
        return wrong(why, "it holds no private key (PEM) that can be read without a passphrase");
    if (!is_of_a_kind_for_tls(identity->key))
        return wrong(why, "its key is of a kind that is not used for TLS 1.3: take ECDSA P-256");
    if (X509_check_private_key(identity->certificate, identity->key) != 1)
        return wrong(why, "it is not the key of the certificate");
    return KS_OK;
}

enum ks_result ks_tls_identity_parse(const char *certificates, size_t certificates_size, const char *key,
                                     size_t key_size, struct ks_tls_identity **identity,
                                     char why[static KS_TLS_WHY_SIZE])
{
    why[0] = '\0';
    if (certificates_size > INT32_MAX || key_size > INT32_MAX)
        return KS_INVALID;
    struct ks_tls_identity *parsed = identity_new();
    BIO *certificates_pem = BIO_new_mem_buf(certificates, (int)certificates_size);
    BIO *key_pem = BIO_new_mem_buf(key, (int)key_size);
    enum ks_result result = KS_NO_MEMORY;
    if (parsed != NULL && certificates_pem != NULL && key_pem != NULL) {
        result = read_certificates(parsed, certificates_pem, why);
        if (result == KS_OK)
            result = read_key(parsed, key_pem, why);
    }
    BIO_free(certificates_pem);
    BIO_free(key_pem);
    return finish(parsed, result, identity);
}

/* ---- as PEM ---- */

/* Appends what was written, and wipes it there. */
static enum ks_result take_written(BIO *written, bool complete, struct ks_buffer *pem)
{
    char *bytes = NULL;
    long size = written != NULL ? BIO_get_mem_data(written, &bytes) : 0;
    enum ks_result result = ks_openssl_failure(KS_CRYPTO);
    if (complete && size > 0)
        result = ks_buffer_append(pem, bytes, (size_t)size);
    if (bytes != NULL && size > 0)
        OPENSSL_cleanse(bytes, (size_t)size);
    BIO_free(written);
    return result;
}

enum ks_result ks_tls_identity_encode_certificates(const struct ks_tls_identity *identity,
                                                   struct ks_buffer *pem)
{
    BIO *written = BIO_new(BIO_s_mem());
    bool complete = written != NULL && PEM_write_bio_X509(written, identity->certificate) == 1;
    for (int i = 0; complete && i < sk_X509_num(identity->chain); i++)
        complete = PEM_write_bio_X509(written, sk_X509_value(identity->chain, i)) == 1;
    return take_written(written, complete, pem);
}

enum ks_result ks_tls_identity_encode_key(const struct ks_tls_identity *identity, struct ks_buffer *pem)
{
    BIO *written = BIO_new(BIO_s_secmem());
    bool complete = written != NULL &&
                    PEM_write_bio_PrivateKey(written, identity->key, NULL, NULL, 0, no_passphrase, NULL) == 1;
    return take_written(written, complete, pem);
}

/* ---- what it says ---- */

void ks_tls_identity_fingerprint(const struct ks_tls_identity *identity,
                                 uint8_t fingerprint[static KS_TLS_FINGERPRINT_SIZE])
{
    memcpy(fingerprint, identity->fingerprint, KS_TLS_FINGERPRINT_SIZE);
}

int64_t ks_tls_identity_ends(const struct ks_tls_identity *identity)
{
    struct tm end;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(identity->certificate), &end) != 1)
        return 0;
    return (int64_t)timegm(&end);
}

bool ks_tls_identity_is_self_signed(const struct ks_tls_identity *identity)
{
    return X509_self_signed(identity->certificate, 0) == 1;
}

bool ks_tls_identity_name(const struct ks_tls_identity *identity, char *name, size_t name_size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(identity->certificate, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++) {
        int kind = 0;
        const ASN1_IA5STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &kind);
        if (kind != GEN_DNS)
            continue;
        size_t size = (size_t)ASN1_STRING_length(value);
        const unsigned char *bytes = ASN1_STRING_get0_data(value);
        found = size > 0 && size < name_size && memchr(bytes, '*', size) == NULL &&
                memchr(bytes, 0, size) == NULL;
        if (found)
            snprintf(name, name_size, "%.*s", (int)size, (const char *)bytes);
    }
    GENERAL_NAMES_free(names);
    (void)ks_openssl_failure(KS_OK);
    return found;
}

/* ---- fingerprints as text ---- */

enum { DIGITS = KS_TLS_FINGERPRINT_TEXT_SIZE - 1 };

/* Base64 as OpenSSL writes it, and as RFC 4648, 5 does for addresses, differ in two digits and the padding.
 */
void ks_tls_fingerprint_text(const uint8_t fingerprint[static KS_TLS_FINGERPRINT_SIZE],
                             char text[static KS_TLS_FINGERPRINT_TEXT_SIZE])
{
    unsigned char encoded[DIGITS + 2]; /* with its padding, and a NUL */
    EVP_EncodeBlock(encoded, fingerprint, KS_TLS_FINGERPRINT_SIZE);
    for (size_t i = 0; i < DIGITS; i++) {
        char digit = (char)encoded[i];
        text[i] = digit == '+' ? '-' : digit == '/' ? '_' : digit;
    }
    text[DIGITS] = '\0';
}

enum ks_result ks_tls_fingerprint_parse(const char *text, size_t size,
                                        uint8_t fingerprint[static KS_TLS_FINGERPRINT_SIZE])
{
    unsigned char encoded[DIGITS + 1];
    uint8_t decoded[KS_TLS_FINGERPRINT_SIZE + 1];
    char again[KS_TLS_FINGERPRINT_TEXT_SIZE];
    if (size != DIGITS)
        return KS_INVALID;
    for (size_t i = 0; i < DIGITS; i++)
        encoded[i] = (unsigned char)(text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i]);
    encoded[DIGITS] = '=';
    if (EVP_DecodeBlock(decoded, encoded, sizeof encoded) != sizeof decoded)
        return ks_openssl_failure(KS_INVALID);
    ks_tls_fingerprint_text(decoded, again); /* one fingerprint has one text */
    if (memcmp(again, text, DIGITS) != 0)
        return KS_INVALID;
    memcpy(fingerprint, decoded, KS_TLS_FINGERPRINT_SIZE);
    return KS_OK;
}
