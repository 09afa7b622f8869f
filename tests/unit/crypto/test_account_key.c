/* test_account_key.c — crypto/account_key.h: Ed25519 (RFC 8032, 7.1), and short fingerprints. */
#include "unit/unit.h"

#include "crypto/account_key.h"

/* RFC 8032, 7.1, test 2. */
static const uint8_t secret[32] = {0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3,
                                   0x46, 0xec, 0x11, 0x4e, 0x0f, 0x5b, 0x8a, 0x31, 0x9f, 0x35, 0xab,
                                   0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb};
static const uint8_t public_key[32] = {0x3d, 0x40, 0x17, 0xc3, 0xe8, 0x43, 0x89, 0x5a, 0x92, 0xb7, 0x0a,
                                       0xa7, 0x4d, 0x1b, 0x7e, 0xbc, 0x9c, 0x98, 0x2c, 0xcf, 0x2e, 0xc4,
                                       0x96, 0x8c, 0xc0, 0xcd, 0x55, 0xf1, 0x2a, 0xf4, 0x66, 0x0c};
static const uint8_t message[1] = {0x72};
static const uint8_t signed_so[64] = {
    0x92, 0xa0, 0x09, 0xa9, 0xf0, 0xd4, 0xca, 0xb8, 0x72, 0x0e, 0x82, 0x0b, 0x5f, 0x64, 0x25, 0x40,
    0xa2, 0xb2, 0x7b, 0x54, 0x16, 0x50, 0x3f, 0x8f, 0xb3, 0x76, 0x22, 0x23, 0xeb, 0xdb, 0x69, 0xda,
    0x08, 0x5a, 0xc1, 0xe4, 0x3e, 0x15, 0x99, 0x6e, 0x45, 0x8f, 0x36, 0x13, 0xd0, 0xf1, 0x1d, 0x8c,
    0x38, 0x7b, 0x2e, 0xae, 0xb4, 0x30, 0x2a, 0xee, 0xb0, 0x0d, 0x29, 0x16, 0x12, 0xbb, 0x0c, 0x00};

static void test_keys_and_signatures_are_those_of_the_rfc(void **state)
{
    (void)state;
    uint8_t key[KS_ED25519_PUBLIC_SIZE];
    uint8_t signature[KS_ED25519_SIGNATURE_SIZE];
    assert_int_equal(ks_account_key_public(secret, key), KS_OK);
    assert_memory_equal(key, public_key, sizeof key);
    assert_int_equal(ks_account_key_sign(secret, message, sizeof message, signature), KS_OK);
    assert_memory_equal(signature, signed_so, sizeof signature);
    assert_int_equal(ks_account_key_verify(key, message, sizeof message, signature), KS_OK);
}

static void test_a_signature_holds_for_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof signed_so; i++) {
        uint8_t changed[KS_ED25519_SIGNATURE_SIZE];
        memcpy(changed, signed_so, sizeof changed);
        changed[i] ^= 1;
        assert_int_equal(ks_account_key_verify(public_key, message, sizeof message, changed), KS_REFUSED);
    }
    uint8_t other_key[KS_ED25519_PUBLIC_SIZE];
    memcpy(other_key, public_key, sizeof other_key);
    other_key[5] ^= 1;
    assert_int_equal(ks_account_key_verify(other_key, message, sizeof message, signed_so), KS_REFUSED);
    assert_int_equal(ks_account_key_verify(public_key, "s", 1, signed_so), KS_REFUSED);
    assert_int_equal(ks_account_key_verify(public_key, "", 0, signed_so), KS_REFUSED);
}

static void test_a_short_fingerprint_is_five_groups_of_four(void **state)
{
    (void)state;
    char text[KS_SHORT_FINGERPRINT_SIZE];
    assert_int_equal(ks_account_key_short_fingerprint(public_key, text), KS_OK);
    assert_string_equal(text, "vgta-4ntw-4a0v-m956-vrth");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_and_signatures_are_those_of_the_rfc),
        cmocka_unit_test(test_a_signature_holds_for_nothing_else),
        cmocka_unit_test(test_a_short_fingerprint_is_five_groups_of_four),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
