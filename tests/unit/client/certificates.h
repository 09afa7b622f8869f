/* certificates.h — certificates that the servers of tests show: of any name, any age, and signed by anybody.
 */
#ifndef KS_TESTS_UNIT_CLIENT_CERTIFICATES_H
#define KS_TESTS_UNIT_CLIENT_CERTIFICATES_H

#include "unit/unit.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

/* A certificate for `name` that ends `seconds` from now, signed with `signer`, or with its own key. */
static inline void secure_certificate(const char *name, long seconds, EVP_PKEY *signer, X509_NAME *issuer,
                                      X509 **certificate, EVP_PKEY **key)
{
    *key = EVP_EC_gen("P-256");
    *certificate = X509_new();
    assert_non_null(*key);
    assert_non_null(*certificate);
    assert_int_equal(X509_set_version(*certificate, 2), 1);
    ASN1_INTEGER_set(X509_get_serialNumber(*certificate), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(*certificate), -24L * 60 * 60));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(*certificate), seconds));
    assert_int_equal(X509_set_pubkey(*certificate, *key), 1);
    assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(*certificate), "CN", MBSTRING_ASC,
                                                (const unsigned char *)name, -1, -1, 0),
                     1);
    assert_int_equal(
        X509_set_issuer_name(*certificate, issuer != NULL ? issuer : X509_get_subject_name(*certificate)), 1);
    if (signer == NULL) { /* may vouch for others, too */
        X509_EXTENSION *extension =
            X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
        assert_non_null(extension);
        assert_int_equal(X509_add_ext(*certificate, extension, -1), 1);
        X509_EXTENSION_free(extension);
    }
    assert_true(X509_sign(*certificate, signer != NULL ? signer : *key, EVP_sha256()) > 0);
}

#endif
