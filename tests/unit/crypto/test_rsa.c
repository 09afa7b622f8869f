/* Unit tests of crypto/rsa.h, against keys and ciphertexts that Crypto++ made (tests/vectors.json). */
#include "unit/unit.h"

#include "base/text.h"
#include "crypto/base64.h"
#include "crypto/rsa.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "vectors.h"

enum {
    PKCS8_HEADER_SIZE = 26,                /* before the PKCS#1 key in the vectors' PKCS#8 */
    MODULUS_LAST = KS_RSA_PUBLIC_SIZE - 4, /* then 02 01 and the exponent */
    EXPONENT = KS_RSA_PUBLIC_SIZE - 1,
};

static void load_public(size_t number, uint8_t der[static KS_RSA_PUBLIC_SIZE])
{
    const char *hex = vector_keys[number].public_hex;
    assert_true(ks_text_from_hex(hex, strlen(hex), der, KS_RSA_PUBLIC_SIZE));
}

static struct ks_buffer private_der(size_t number)
{
    struct ks_buffer der = ks_buffer_empty(0);
    const char *text = vector_keys[number].private_base64;
    assert_int_equal(ks_base64_decode(text, strlen(text), &der), KS_OK);
    return der;
}

static struct ks_private_key *load_private(size_t number)
{
    struct ks_private_key *key = NULL;
    struct ks_buffer der = private_der(number);
    assert_int_equal(ks_private_key_parse(der.bytes, der.size, &key), KS_OK);
    ks_buffer_wipe(&der);
    return key;
}

/* ---- what other libraries made ---- */

static void private_keys_decrypt_the_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(vector_oaep); i++) {
        struct ks_private_key *key = load_private((size_t)vector_oaep[i].key);
        uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE];
        uint8_t expected[16];
        uint8_t plaintext[KS_RSA_PLAINTEXT_LIMIT];
        size_t size = 0;
        assert_true(ks_text_from_hex(vector_oaep[i].cipher_hex, 256, encrypted, sizeof encrypted));
        assert_true(ks_text_from_hex(vector_oaep[i].plain_hex, 32, expected, sizeof expected));
        assert_int_equal(ks_private_key_decrypt(key, encrypted, plaintext, &size), KS_OK);
        assert_int_equal(size, sizeof expected);
        assert_memory_equal(plaintext, expected, sizeof expected);
        ks_private_key_free(key);
    }
}

static void public_half_of_a_private_key_is_the_one_in_the_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(vector_keys); i++) {
        uint8_t expected[KS_RSA_PUBLIC_SIZE];
        uint8_t der[KS_RSA_PUBLIC_SIZE];
        struct ks_private_key *key = load_private(i);
        load_public(i, expected);
        assert_int_equal(ks_private_key_public(key, der), KS_OK);
        assert_memory_equal(der, expected, sizeof der);
        ks_private_key_free(key);
    }
}

/* ---- encryption ---- */

static void every_length_up_to_86_comes_back(void **state)
{
    (void)state;
    uint8_t der[KS_RSA_PUBLIC_SIZE];
    struct ks_public_key *public_key = NULL;
    struct ks_private_key *private_key = load_private(0);
    load_public(0, der);
    assert_int_equal(ks_public_key_parse(der, &public_key), KS_OK);
    for (size_t length = 0; length <= KS_RSA_PLAINTEXT_LIMIT; length++) {
        uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE];
        uint8_t *plaintext = malloc(KS_RSA_PLAINTEXT_LIMIT);
        size_t size = 1000;
        assert_non_null(plaintext);
        assert_int_equal(ks_public_key_encrypt(public_key, der, length, encrypted), KS_OK);
        assert_int_equal(ks_private_key_decrypt(private_key, encrypted, plaintext, &size), KS_OK);
        assert_int_equal(size, length);
        assert_true(length == 0 || memcmp(plaintext, der, length) == 0);
        free(plaintext);
    }
    uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE];
    assert_int_equal(ks_public_key_encrypt(public_key, der, 87, encrypted), KS_TOO_LARGE);
    ks_public_key_free(public_key);
    ks_private_key_free(private_key);
}

static void same_text_is_never_encrypted_to_the_same_bytes(void **state)
{
    (void)state;
    uint8_t der[KS_RSA_PUBLIC_SIZE];
    uint8_t first[KS_RSA_ENCRYPTED_SIZE];
    uint8_t second[KS_RSA_ENCRYPTED_SIZE];
    struct ks_public_key *key = NULL;
    load_public(0, der);
    assert_int_equal(ks_public_key_parse(der, &key), KS_OK);
    assert_int_equal(ks_public_key_encrypt(key, der, 16, first), KS_OK);
    assert_int_equal(ks_public_key_encrypt(key, der, 16, second), KS_OK);
    assert_memory_not_equal(first, second, sizeof first);
    ks_public_key_free(key);
}

/* ---- labels ---- */

static struct ks_public_key *load_public_key(size_t number)
{
    uint8_t der[KS_RSA_PUBLIC_SIZE];
    struct ks_public_key *key = NULL;
    load_public(number, der);
    assert_int_equal(ks_public_key_parse(der, &key), KS_OK);
    return key;
}

static void label_of_encryption_opens_it_again(void **state)
{
    (void)state;
    static const uint8_t secret[KS_RSA_PLAINTEXT_LIMIT] = "thirty-two bytes, say";
    struct ks_public_key *public_key = load_public_key(0);
    struct ks_private_key *key = load_private(0);
    uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE];
    uint8_t plaintext[KS_RSA_PLAINTEXT_LIMIT];
    size_t size = 0;
    assert_int_equal(
        ks_public_key_encrypt_labelled(public_key, "kesher adopt 1", secret, sizeof secret, encrypted),
        KS_OK);
    assert_int_equal(ks_private_key_decrypt_labelled(key, "kesher adopt 1", encrypted, plaintext, &size),
                     KS_OK);
    assert_int_equal(size, sizeof secret);
    assert_memory_equal(plaintext, secret, sizeof secret);
    ks_public_key_free(public_key);
    ks_private_key_free(key);
}

/* Nobody who relays a challenge of one kind gets an answer of the other out of a client. */
static void no_other_label_opens_what_was_encrypted_under_one(void **state)
{
    (void)state;
    static const char *const labels[] = {"", "kesher adopt 1", "kesher adopt 2", "kesher adopt"};
    static const uint8_t secret[32] = {1};
    struct ks_public_key *public_key = load_public_key(0);
    struct ks_private_key *key = load_private(0);
    for (size_t i = 0; i < KS_COUNT_OF(labels); i++) {
        uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE];
        assert_int_equal(
            ks_public_key_encrypt_labelled(public_key, labels[i], secret, sizeof secret, encrypted), KS_OK);
        for (size_t j = 0; j < KS_COUNT_OF(labels); j++) {
            uint8_t plaintext[KS_RSA_PLAINTEXT_LIMIT];
            size_t size = 0;
            assert_int_equal(ks_private_key_decrypt_labelled(key, labels[j], encrypted, plaintext, &size),
                             i == j ? KS_OK : KS_INVALID);
        }
    }
    ks_public_key_free(public_key);
    ks_private_key_free(key);
}

static void classic_ciphertexts_are_those_of_the_empty_label(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(vector_oaep); i++) {
        struct ks_private_key *key = load_private((size_t)vector_oaep[i].key);
        uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE];
        uint8_t plaintext[KS_RSA_PLAINTEXT_LIMIT];
        size_t size = 0;
        assert_true(ks_text_from_hex(vector_oaep[i].cipher_hex, 256, encrypted, sizeof encrypted));
        assert_int_equal(ks_private_key_decrypt_labelled(key, "", encrypted, plaintext, &size), KS_OK);
        assert_int_equal(ks_private_key_decrypt_labelled(key, "kesher adopt 1", encrypted, plaintext, &size),
                         KS_INVALID);
        ks_private_key_free(key);
    }
}

/* ---- keys that are not this one ---- */

static void what_was_not_made_for_this_key_is_invalid(void **state)
{
    (void)state;
    struct ks_private_key *right = load_private(0);
    struct ks_private_key *wrong = load_private(1);
    uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE];
    uint8_t plaintext[KS_RSA_PLAINTEXT_LIMIT];
    size_t size = 0;
    assert_true(ks_text_from_hex(vector_oaep[0].cipher_hex, 256, encrypted, sizeof encrypted));
    assert_int_equal(ks_private_key_decrypt(wrong, encrypted, plaintext, &size), KS_INVALID);
    for (size_t i = 0; i < sizeof encrypted; i += 9) {
        encrypted[i] ^= 1;
        assert_int_equal(ks_private_key_decrypt(right, encrypted, plaintext, &size), KS_INVALID);
        encrypted[i] ^= 1;
    }
    assert_int_equal(ks_private_key_decrypt(right, encrypted, plaintext, &size), KS_OK);
    memset(encrypted, 0xff, sizeof encrypted); /* larger than the modulus */
    assert_int_equal(ks_private_key_decrypt(right, encrypted, plaintext, &size), KS_INVALID);
    memset(encrypted, 0, sizeof encrypted);
    assert_int_equal(ks_private_key_decrypt(right, encrypted, plaintext, &size), KS_INVALID);
    ks_private_key_free(right);
    ks_private_key_free(wrong);
}

/* ---- public keys of strangers ---- */

static enum ks_result parse_public(const uint8_t *der)
{
    struct ks_public_key *key = NULL;
    uint8_t *copy = unit_exact_copy(der, KS_RSA_PUBLIC_SIZE);
    enum ks_result result = ks_public_key_parse(copy, &key);
    free(copy);
    assert_true((result == KS_OK) == (key != NULL));
    ks_public_key_free(key);
    return result;
}

static void public_key_with_a_small_odd_exponent_is_taken(void **state)
{
    (void)state;
    uint8_t der[KS_RSA_PUBLIC_SIZE];
    load_public(0, der);
    static const uint8_t exponents[] = {3, 5, 17, 127};
    for (size_t i = 0; i < KS_COUNT_OF(exponents); i++) {
        der[EXPONENT] = exponents[i];
        assert_int_equal(parse_public(der), KS_OK);
    }
}

static void public_key_with_an_even_exponent_or_one_below_3_is_refused(void **state)
{
    (void)state;
    uint8_t der[KS_RSA_PUBLIC_SIZE];
    load_public(0, der);
    static const uint8_t exponents[] = {0, 1, 2, 4, 16, 126};
    for (size_t i = 0; i < KS_COUNT_OF(exponents); i++) {
        der[EXPONENT] = exponents[i];
        assert_int_equal(parse_public(der), KS_INVALID);
    }
}

/* OpenSSL alone would read these as positive. */
static void public_key_with_a_negative_number_is_refused(void **state)
{
    (void)state;
    uint8_t der[KS_RSA_PUBLIC_SIZE];
    enum { MODULUS_LENGTH = 27, MODULUS_SIGN = 28 };
    load_public(0, der);
    der[EXPONENT] = 0x91;
    assert_int_equal(parse_public(der), KS_INVALID);
    load_public(0, der);
    der[MODULUS_LENGTH] = 0x80; /* the modulus without its leading zero, so one byte for the exponent */
    memmove(der + MODULUS_SIGN, der + MODULUS_SIGN + 1, 128);
    memcpy(der + MODULUS_LAST, (const uint8_t[]){2, 2, 1, 1}, 4);
    assert_int_equal(parse_public(der), KS_INVALID);
}

static void public_key_with_an_even_modulus_is_refused(void **state)
{
    (void)state;
    uint8_t der[KS_RSA_PUBLIC_SIZE];
    load_public(0, der);
    der[MODULUS_LAST] &= 0xfe;
    assert_int_equal(parse_public(der), KS_INVALID);
}

/* 160 bytes also hold a modulus of 1016 bits with an exponent of two bytes. */
static void public_key_of_another_size_is_refused(void **state)
{
    (void)state;
    uint8_t der[KS_RSA_PUBLIC_SIZE];
    load_public(0, der);
    enum { MODULUS_LENGTH = 27 };
    assert_int_equal(der[MODULUS_LENGTH], 0x81);
    der[MODULUS_LENGTH] = 0x80;
    der[MODULUS_LAST - 1] |= 1;
    memcpy(der + MODULUS_LAST, (const uint8_t[]){2, 2, 1, 1}, 4);
    const unsigned char *next = der;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &next, KS_RSA_PUBLIC_SIZE);
    assert_non_null(pkey); /* nothing else is wrong with it */
    assert_int_equal(EVP_PKEY_get_bits(pkey), 1016);
    EVP_PKEY_free(pkey);
    assert_int_equal(parse_public(der), KS_INVALID);
}

/* Without the NULL parameters of its algorithm a key of 1024 bits has 158 bytes. */
static void public_key_that_leaves_bytes_over_is_refused(void **state)
{
    (void)state;
    uint8_t der[KS_RSA_PUBLIC_SIZE];
    load_public(0, der);
    enum { WHOLE_LENGTH = 2, ALGORITHM_LENGTH = 4, PARAMETERS = 16 };
    assert_memory_equal(der + PARAMETERS, ((const uint8_t[]){5, 0}), 2);
    memmove(der + PARAMETERS, der + PARAMETERS + 2, KS_RSA_PUBLIC_SIZE - PARAMETERS - 2);
    der[WHOLE_LENGTH] -= 2;
    der[ALGORITHM_LENGTH] -= 2;
    memset(der + KS_RSA_PUBLIC_SIZE - 2, 0, 2);
    const unsigned char *next = der;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &next, KS_RSA_PUBLIC_SIZE);
    assert_non_null(pkey); /* nothing else is wrong with it */
    assert_int_equal(EVP_PKEY_get_bits(pkey), 1024);
    EVP_PKEY_free(pkey);
    assert_int_equal(parse_public(der), KS_INVALID);
}

static void public_key_of_another_algorithm_is_refused(void **state)
{
    (void)state;
    uint8_t der[KS_RSA_PUBLIC_SIZE] = {0};
    unsigned char *encoded = NULL;
    EVP_PKEY *curve = EVP_EC_gen("P-256");
    int size = i2d_PUBKEY(curve, &encoded);
    assert_in_range(size, 1, KS_RSA_PUBLIC_SIZE);
    memcpy(der, encoded, (size_t)size);
    assert_int_equal(parse_public(der), KS_INVALID);
    OPENSSL_free(encoded);
    EVP_PKEY_free(curve);
    load_public(0, der);
    assert_int_equal(der[15], 0x01); /* rsaEncryption; 0a would be RSASSA-PSS */
    der[15] = 0x0a;
    assert_int_equal(parse_public(der), KS_INVALID);
}

static void garbage_is_no_public_key(void **state)
{
    (void)state;
    uint8_t der[KS_RSA_PUBLIC_SIZE];
    memset(der, 0, sizeof der);
    assert_int_equal(parse_public(der), KS_INVALID);
    memset(der, 0xff, sizeof der);
    assert_int_equal(parse_public(der), KS_INVALID);
    memset(der, 0x30, sizeof der);
    assert_int_equal(parse_public(der), KS_INVALID);
}

static void public_key_with_any_bit_of_its_frame_flipped_is_judged_safely(void **state)
{
    (void)state;
    uint8_t der[KS_RSA_PUBLIC_SIZE];
    uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE];
    unsigned refused = 0;
    load_public(0, der);
    for (size_t bit = 0; bit < (size_t)30 * 8; bit++) {
        struct ks_public_key *key = NULL;
        der[bit / 8] ^= (uint8_t)(1U << bit % 8);
        if (ks_public_key_parse(der, &key) == KS_OK)
            assert_int_equal(ks_public_key_encrypt(key, der, 16, encrypted), KS_OK);
        else
            refused++;
        ks_public_key_free(key);
        der[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_true(refused > 200);
}

/* ---- private keys ---- */

static void new_keys_differ_and_have_a_public_half_of_160_bytes(void **state)
{
    (void)state;
    uint8_t der[2][KS_RSA_PUBLIC_SIZE];
    for (size_t i = 0; i < 2; i++) {
        struct ks_private_key *key = NULL;
        assert_int_equal(ks_private_key_generate(&key), KS_OK);
        assert_int_equal(ks_private_key_public(key, der[i]), KS_OK);
        assert_int_equal(parse_public(der[i]), KS_OK);
        assert_int_equal(der[i][EXPONENT], 17);
        ks_private_key_free(key);
    }
    assert_memory_not_equal(der[0], der[1], KS_RSA_PUBLIC_SIZE);
}

static void private_key_is_written_as_it_was_read(void **state)
{
    (void)state;
    struct ks_buffer read = private_der(0);
    struct ks_buffer written = ks_buffer_empty(1000);
    struct ks_private_key *key = load_private(0);
    assert_int_equal(ks_private_key_encode(key, &written), KS_OK);
    assert_int_equal(written.size, read.size);
    assert_memory_equal(written.bytes, read.bytes, read.size);
    struct ks_buffer tight = ks_buffer_empty(100);
    assert_int_equal(ks_private_key_encode(key, &tight), KS_TOO_LARGE);
    ks_private_key_free(key);
    ks_buffer_free(&read);
    ks_buffer_free(&written);
    ks_buffer_free(&tight);
}

static void private_key_is_read_from_pkcs1_too(void **state)
{
    (void)state;
    struct ks_buffer der = private_der(0);
    struct ks_private_key *key = NULL;
    uint8_t public_der[KS_RSA_PUBLIC_SIZE];
    uint8_t expected[KS_RSA_PUBLIC_SIZE];
    assert_int_equal(ks_private_key_parse(der.bytes + PKCS8_HEADER_SIZE, der.size - PKCS8_HEADER_SIZE, &key),
                     KS_OK);
    assert_int_equal(ks_private_key_public(key, public_der), KS_OK);
    load_public(0, expected);
    assert_memory_equal(public_der, expected, sizeof expected);
    ks_private_key_free(key);
    ks_buffer_free(&der);
}

static void private_key_cut_short_anywhere_is_invalid(void **state)
{
    (void)state;
    struct ks_buffer der = private_der(0);
    for (size_t size = 0; size < der.size; size++) {
        struct ks_private_key *key = NULL;
        uint8_t *part = unit_exact_copy(der.bytes, size);
        assert_int_equal(ks_private_key_parse(part, size, &key), KS_INVALID);
        free(part);
    }
    ks_buffer_free(&der);
}

static enum ks_result parse_private_of(EVP_PKEY *pkey)
{
    struct ks_private_key *key = NULL;
    unsigned char *encoded = NULL;
    int size = i2d_PrivateKey(pkey, &encoded);
    assert_true(size > 0);
    enum ks_result result = ks_private_key_parse(encoded, (size_t)size, &key);
    ks_private_key_free(key);
    OPENSSL_free(encoded);
    EVP_PKEY_free(pkey);
    return result;
}

static void private_key_of_another_kind_is_invalid(void **state)
{
    (void)state;
    uint8_t large[8193] = {0x30};
    struct ks_private_key *key = NULL;
    assert_int_equal(parse_private_of(EVP_RSA_gen(768)), KS_INVALID);
    assert_int_equal(parse_private_of(EVP_RSA_gen(2048)), KS_INVALID);
    assert_int_equal(parse_private_of(EVP_EC_gen("P-256")), KS_INVALID);
    assert_int_equal(ks_private_key_parse(large, sizeof large, &key), KS_INVALID);
    assert_null(key);
}

static void private_key_whose_public_half_does_not_fit_says_so(void **state)
{
    (void)state;
    struct ks_private_key *key = NULL;
    unsigned char *encoded = NULL;
    uint8_t der[KS_RSA_PUBLIC_SIZE];
    EVP_PKEY *pkey = EVP_RSA_gen(1024); /* with OpenSSL's exponent, 65537 */
    int size = i2d_PrivateKey(pkey, &encoded);
    assert_int_equal(ks_private_key_parse(encoded, (size_t)size, &key), KS_OK);
    assert_int_equal(ks_private_key_public(key, der), KS_INVALID);
    ks_private_key_free(key);
    OPENSSL_free(encoded);
    EVP_PKEY_free(pkey);
}

static void freeing_no_key_is_fine(void **state)
{
    (void)state;
    ks_public_key_free(NULL);
    ks_private_key_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(private_keys_decrypt_the_vectors),
        cmocka_unit_test(public_half_of_a_private_key_is_the_one_in_the_vectors),
        cmocka_unit_test(every_length_up_to_86_comes_back),
        cmocka_unit_test(same_text_is_never_encrypted_to_the_same_bytes),
        cmocka_unit_test(label_of_encryption_opens_it_again),
        cmocka_unit_test(no_other_label_opens_what_was_encrypted_under_one),
        cmocka_unit_test(classic_ciphertexts_are_those_of_the_empty_label),
        cmocka_unit_test(what_was_not_made_for_this_key_is_invalid),
        cmocka_unit_test(public_key_with_a_small_odd_exponent_is_taken),
        cmocka_unit_test(public_key_with_an_even_exponent_or_one_below_3_is_refused),
        cmocka_unit_test(public_key_with_a_negative_number_is_refused),
        cmocka_unit_test(public_key_with_an_even_modulus_is_refused),
        cmocka_unit_test(public_key_of_another_size_is_refused),
        cmocka_unit_test(public_key_that_leaves_bytes_over_is_refused),
        cmocka_unit_test(public_key_of_another_algorithm_is_refused),
        cmocka_unit_test(garbage_is_no_public_key),
        cmocka_unit_test(public_key_with_any_bit_of_its_frame_flipped_is_judged_safely),
        cmocka_unit_test(new_keys_differ_and_have_a_public_half_of_160_bytes),
        cmocka_unit_test(private_key_is_written_as_it_was_read),
        cmocka_unit_test(private_key_is_read_from_pkcs1_too),
        cmocka_unit_test(private_key_cut_short_anywhere_is_invalid),
        cmocka_unit_test(private_key_of_another_kind_is_invalid),
        cmocka_unit_test(private_key_whose_public_half_does_not_fit_says_so),
        cmocka_unit_test(freeing_no_key_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
