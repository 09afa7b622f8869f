/* Unit tests of the smaller half of crypto: checksum.h, content.h, base64.h, alias.h, digest.h, secret.h and
 * random.h. Vectors come from tests/vectors.json, which other libraries made, and from the
 * standards.
 */
#include "unit/unit.h"

#include "base/text.h"
#include "crypto/alias.h"
#include "crypto/base64.h"
#include "crypto/checksum.h"
#include "crypto/content.h"
#include "crypto/digest.h"
#include "crypto/random.h"
#include "crypto/secret.h"

#include <limits.h>
#include <stdbool.h>

#include "vectors.h"

/* ---- cksum ---- */

static uint32_t cksum_of(const void *bytes, size_t size)
{
    struct ks_cksum cksum = ks_cksum_start();
    ks_cksum_add(&cksum, bytes, size);
    return ks_cksum_value(&cksum);
}

static void cksum_is_that_of_the_posix_command(void **state)
{
    (void)state;
    assert_int_equal(cksum_of("", 0), 4294967295);
    assert_int_equal(cksum_of("hello", 5), 3287646509);
    assert_int_equal(cksum_of("123456789", 9), 930766865);
}

static uint8_t *vector_bytes(unsigned n)
{
    uint8_t *bytes = malloc((size_t)n + 1);
    assert_non_null(bytes);
    for (unsigned j = 0; j < n; j++)
        bytes[j] = (uint8_t)(j * 31 + n);
    return bytes;
}

static void crc32_is_that_of_gzip(void **state)
{
    (void)state;
    static const uint8_t zeros[32] = {0};
    assert_int_equal(ks_crc32((const uint8_t *)"123456789", 9), 0xCBF43926);
    assert_int_equal(ks_crc32((const uint8_t *)"", 0), 0);
    assert_int_equal(ks_crc32(zeros, sizeof zeros), 0x190A55AD);
}

static void cksum_matches_the_vectors_fast_and_portable(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(vector_cksum); i++) {
        uint8_t *bytes = vector_bytes(vector_cksum[i].n);
        struct ks_cksum portable = ks_cksum_start();
        ks_cksum_add_portable(&portable, bytes, vector_cksum[i].n);
        assert_int_equal(cksum_of(bytes, vector_cksum[i].n), vector_cksum[i].cksum);
        assert_int_equal(ks_cksum_value(&portable), vector_cksum[i].cksum);
        free(bytes);
    }
}

static void cksum_is_the_same_at_every_split(void **state)
{
    (void)state;
    uint8_t *bytes = vector_bytes(1000);
    for (size_t split = 0; split <= 1000; split++) {
        struct ks_cksum fast = ks_cksum_start();
        struct ks_cksum mixed = ks_cksum_start();
        ks_cksum_add(&fast, bytes, split);
        ks_cksum_add(&fast, bytes + split, 1000 - split);
        ks_cksum_add_portable(&mixed, bytes, split);
        ks_cksum_add(&mixed, bytes + split, 1000 - split);
        assert_int_equal(ks_cksum_value(&fast), 2782501245);
        assert_int_equal(ks_cksum_value(&mixed), 2782501245);
    }
    free(bytes);
}

static void cksum_of_unaligned_pieces_is_the_portable_one(void **state)
{
    (void)state;
    uint8_t *bytes = vector_bytes(4096);
    for (size_t start = 0; start < 64; start++)
        for (size_t size = 0; size < 300; size++) {
            struct ks_cksum portable = ks_cksum_start();
            ks_cksum_add_portable(&portable, bytes + start, size);
            assert_int_equal(cksum_of(bytes + start, size), ks_cksum_value(&portable));
        }
    free(bytes);
}

static void cksum_value_can_be_asked_in_between(void **state)
{
    (void)state;
    struct ks_cksum cksum = ks_cksum_start();
    ks_cksum_add(&cksum, (const uint8_t *)"123", 3);
    uint32_t once = ks_cksum_value(&cksum);
    assert_int_equal(ks_cksum_value(&cksum), once);
    ks_cksum_add(&cksum, (const uint8_t *)"456789", 6);
    assert_int_equal(ks_cksum_value(&cksum), 930766865);
}

static void cksum_counts_lengths_of_more_than_32_bits(void **state)
{
    (void)state;
    /* Zeros leave the remainder 0, so only their number matters. From `head -c N /dev/zero | cksum`. */
    const struct ks_cksum largest_file = {.remainder = 0, .length = 4294967023};
    const struct ks_cksum four_gibibytes = {.remainder = 0, .length = UINT64_C(1) << 32};
    assert_int_equal(ks_cksum_value(&largest_file), 3459752864);
    assert_int_equal(ks_cksum_value(&four_gibibytes), 4215202376);
}

/* ---- contents ---- */

struct piece {
    uint8_t *bytes;
    size_t size;
};

static struct piece from_hex(const char *hex)
{
    struct piece piece = {.size = strlen(hex) / 2};
    piece.bytes = malloc(piece.size + 1);
    assert_non_null(piece.bytes);
    assert_true(ks_text_from_hex(hex, strlen(hex), piece.bytes, piece.size));
    return piece;
}

/* Encrypts `plain` as two pieces, the first of `split` bytes, in place. */
static void assert_encrypts(const uint8_t *key, struct piece plain, struct piece cipher, size_t split)
{
    struct ks_content_cipher *encryptor = NULL;
    uint8_t *output = malloc(plain.size + KS_CONTENT_BLOCK_SIZE);
    size_t last_size = 0;
    assert_non_null(output);
    memcpy(output, plain.bytes, plain.size);
    assert_int_equal(ks_content_encryptor_new(key, &encryptor), KS_OK);
    assert_int_equal(ks_content_cipher_blocks(encryptor, output, output, split), KS_OK);
    assert_int_equal(
        ks_content_encrypt_last(encryptor, output + split, plain.size - split, output + split, &last_size),
        KS_OK);
    ks_content_cipher_free(encryptor);
    assert_int_equal(split + last_size, cipher.size);
    assert_memory_equal(output, cipher.bytes, cipher.size);
    free(output);
}

static void assert_decrypts(const uint8_t *key, struct piece plain, struct piece cipher, size_t split)
{
    struct ks_content_cipher *decryptor = NULL;
    uint8_t *output = malloc(cipher.size);
    assert_non_null(output);
    assert_int_equal(ks_content_decryptor_new(key, &decryptor), KS_OK);
    assert_int_equal(ks_content_cipher_blocks(decryptor, cipher.bytes, output, split), KS_OK);
    assert_int_equal(
        ks_content_cipher_blocks(decryptor, cipher.bytes + split, output + split, cipher.size - split),
        KS_OK);
    ks_content_cipher_free(decryptor);
    assert_int_equal(ks_content_padding_size(output, cipher.size), cipher.size - plain.size);
    assert_memory_equal(output, plain.bytes, plain.size);
    free(output);
}

static void contents_match_the_vectors_at_every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(vector_aes); i++) {
        struct piece key = from_hex(vector_aes[i].key_hex);
        struct piece plain = from_hex(vector_aes[i].plain_hex);
        struct piece cipher = from_hex(vector_aes[i].cipher_hex);
        assert_int_equal(key.size, 16);
        for (size_t split = 0; split <= plain.size; split += KS_CONTENT_BLOCK_SIZE)
            assert_encrypts(key.bytes, plain, cipher, split);
        for (size_t split = 0; split <= cipher.size; split += KS_CONTENT_BLOCK_SIZE)
            assert_decrypts(key.bytes, plain, cipher, split);
        free(key.bytes);
        free(plain.bytes);
        free(cipher.bytes);
    }
}

static void contents_are_whole_blocks(void **state)
{
    (void)state;
    const uint8_t key[16] = {1};
    uint8_t bytes[32] = {0};
    struct ks_content_cipher *cipher = NULL;
    assert_int_equal(ks_content_decryptor_new(key, &cipher), KS_OK);
    assert_int_equal(ks_content_cipher_blocks(cipher, bytes, bytes, 0), KS_OK);
    assert_int_equal(ks_content_cipher_blocks(cipher, bytes, bytes, 15), KS_CRYPTO);
    assert_int_equal(ks_content_cipher_blocks(cipher, bytes, bytes, 17), KS_CRYPTO);
    assert_int_equal(ks_content_cipher_blocks(cipher, bytes, bytes, (size_t)INT_MAX + 1), KS_CRYPTO);
    ks_content_cipher_free(cipher);
    ks_content_cipher_free(NULL);
}

static void padding_is_1_to_16_equal_bytes(void **state)
{
    (void)state;
    uint8_t last[48];
    for (uint8_t padding = 1; padding <= 16; padding++) {
        memset(last, 0xee, sizeof last);
        memset(last + sizeof last - padding, padding, padding);
        assert_int_equal(ks_content_padding_size(last, sizeof last), padding);
        assert_int_equal(ks_content_padding_size(last + 32, 16), padding);
        if (padding > 1) {
            last[sizeof last - padding] ^= 1; /* its first byte is wrong */
            assert_int_equal(ks_content_padding_size(last, sizeof last), 0);
        }
    }
}

static void bad_padding_strips_nothing(void **state)
{
    (void)state;
    uint8_t last[32];
    for (unsigned byte = 0; byte < 256; byte++) {
        memset(last, 0x55, sizeof last);
        last[sizeof last - 1] = (uint8_t)byte;
        assert_int_equal(ks_content_padding_size(last, sizeof last), byte == 1 ? 1 : 0);
    }
    memset(last, 17, sizeof last);
    assert_int_equal(ks_content_padding_size(last, sizeof last), 0); /* more than a block */
    memset(last, 1, sizeof last);
    assert_int_equal(ks_content_padding_size(last, 15), 0);
    assert_int_equal(ks_content_padding_size(last, 0), 0);
}

/* ---- base64 ---- */

static const struct {
    const char *plain;
    const char *text;
} base64_table[] = {
    /* RFC 4648, section 10 */
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xfb\xff\xbf", "+/+/"},
};

static enum ks_result decode(const char *text, struct ks_buffer *bytes)
{
    *bytes = ks_buffer_empty(1000);
    uint8_t *copy = unit_exact_copy(text, strlen(text));
    enum ks_result result = ks_base64_decode((const char *)copy, strlen(text), bytes);
    free(copy);
    return result;
}

static void assert_decodes(const char *text, const char *plain)
{
    struct ks_buffer bytes;
    assert_int_equal(decode(text, &bytes), KS_OK);
    assert_int_equal(bytes.size, strlen(plain));
    if (bytes.size > 0)
        assert_memory_equal(bytes.bytes, plain, bytes.size);
    ks_buffer_free(&bytes);
}

static void base64_is_written_in_one_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(base64_table); i++) {
        struct ks_buffer text = ks_buffer_empty(0);
        const char *plain = base64_table[i].plain;
        assert_int_equal(ks_base64_encode((const uint8_t *)plain, strlen(plain), &text), KS_OK);
        assert_int_equal(text.size, strlen(base64_table[i].text));
        if (text.size > 0)
            assert_memory_equal(text.bytes, base64_table[i].text, text.size);
        assert_decodes(base64_table[i].text, plain);
        ks_buffer_free(&text);
    }
}

static void base64_is_appended_to_what_is_there(void **state)
{
    (void)state;
    struct ks_buffer buffer = ks_buffer_empty(0);
    assert_int_equal(ks_buffer_append(&buffer, "key: ", 5), KS_OK);
    assert_int_equal(ks_base64_encode((const uint8_t *)"foo", 3, &buffer), KS_OK);
    assert_int_equal(ks_base64_decode("Zm9v", 4, &buffer), KS_OK);
    assert_int_equal(buffer.size, 12);
    assert_memory_equal(buffer.bytes, "key: Zm9vfoo", 12);
    ks_buffer_free(&buffer);
}

static void base64_is_read_however_it_was_wrapped(void **state)
{
    (void)state;
    assert_decodes("Zm9v\nYmFy\n", "foobar");
    assert_decodes("Zm9v\r\nYmFy\r\n", "foobar");
    assert_decodes("  Zm\t9v Y\r\n\r\nmFy", "foobar");
    assert_decodes("Z\ng\n=\n=\n", "f");
    assert_decodes("Zg", "f"); /* padding left out */
    assert_decodes("Zm8", "fo");
    assert_decodes("Zm9vYg=", "foob");
    assert_decodes(" \r\n", "");
}

static void base64_with_anything_else_is_invalid(void **state)
{
    (void)state;
    static const char *const invalid[] = {"Z",    "Zm9vY",    "Zm9v!A==", "Zm9v-_-_",    "Zg==Zg==",
                                          "=Zg=", "Zm9vYmF-", "AAAA----", "Zm9v\x80zzz", "Zm9v."};
    for (size_t i = 0; i < KS_COUNT_OF(invalid); i++) {
        struct ks_buffer bytes;
        if (decode(invalid[i], &bytes) != KS_INVALID)
            fail_msg("'%s' was accepted", invalid[i]);
        assert_int_equal(bytes.size, 0);
        ks_buffer_free(&bytes);
    }
    struct ks_buffer bytes = ks_buffer_empty(100);
    assert_int_equal(ks_base64_decode("Zm9\0", 4, &bytes), KS_INVALID); /* a NUL is no blank */
    ks_buffer_free(&bytes);
}

static void base64_keeps_to_the_limit_of_its_target(void **state)
{
    (void)state;
    struct ks_buffer tight = ks_buffer_empty(5);
    assert_int_equal(ks_base64_decode("Zm9vYmFy", 8, &tight), KS_TOO_LARGE);
    assert_int_equal(ks_base64_encode((const uint8_t *)"foobar", 6, &tight), KS_TOO_LARGE);
    assert_int_equal(ks_base64_encode((const uint8_t *)"", (size_t)INT_MAX, &tight), KS_TOO_LARGE);
    assert_int_equal(ks_base64_decode("", (size_t)INT_MAX, &tight), KS_TOO_LARGE);
    assert_int_equal(tight.size, 0);
    ks_buffer_free(&tight);
    struct ks_buffer exact = ks_buffer_empty(4);
    assert_int_equal(ks_base64_decode("Zm9vYg==", 8, &exact), KS_OK); /* padding needs no room */
    assert_int_equal(exact.size, 4);
    ks_buffer_free(&exact);
}

static void base64_round_trip_of_every_length(void **state)
{
    (void)state;
    for (unsigned size = 0; size < 200; size++) {
        uint8_t *bytes = vector_bytes(size);
        struct ks_buffer text = ks_buffer_empty(0);
        struct ks_buffer again = ks_buffer_empty(0);
        assert_int_equal(ks_base64_encode(bytes, size, &text), KS_OK);
        assert_int_equal(ks_base64_decode((const char *)text.bytes, text.size, &again), KS_OK);
        assert_int_equal(again.size, size);
        if (size > 0)
            assert_memory_equal(again.bytes, bytes, size);
        ks_buffer_free(&text);
        ks_buffer_free(&again);
        free(bytes);
    }
}

/* ---- aliases ---- */

static void alias_is_the_aes_block_of_the_id(void **state)
{
    (void)state;
    /* FIPS 197, appendix C.1 */
    static const uint8_t key[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    static const uint8_t id[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                   0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    static const uint8_t expected[16] = {0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30,
                                         0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4, 0xc5, 0x5a};
    struct ks_alias_key *alias_key = NULL;
    uint8_t alias[16];
    assert_int_equal(ks_alias_key_new(key, &alias_key), KS_OK);
    ks_alias_of_id(alias_key, id, alias);
    assert_memory_equal(alias, expected, sizeof alias);
    ks_alias_to_id(alias_key, alias, alias); /* in place */
    assert_memory_equal(alias, id, sizeof alias);
    ks_alias_key_free(alias_key);
    ks_alias_key_free(NULL);
}

static void aliases_are_a_permutation(void **state)
{
    (void)state;
    enum { IDS = 1000 };
    static const uint8_t key[16] = "a key of a test";
    struct ks_alias_key *alias_key = NULL;
    uint8_t aliases[IDS][16];
    assert_int_equal(ks_alias_key_new(key, &alias_key), KS_OK);
    for (unsigned i = 0; i < IDS; i++) {
        uint8_t id[16] = {(uint8_t)i, (uint8_t)(i >> 8)};
        uint8_t back[16];
        ks_alias_of_id(alias_key, id, aliases[i]);
        ks_alias_to_id(alias_key, aliases[i], back);
        assert_memory_equal(back, id, sizeof id);
        assert_memory_not_equal(aliases[i], id, sizeof id);
        for (unsigned j = 0; j < i; j++)
            assert_memory_not_equal(aliases[i], aliases[j], 16);
    }
    ks_alias_key_free(alias_key);
}

/* ---- the rest ---- */

/* RFC 4231, cases 2 and 6: a short key, and one that is longer than a block. */
static void hmac_is_that_of_the_standard(void **state)
{
    static const char expected[] = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    static const char expected_long[] = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
    static const char text[] = "what do ya want for nothing?";
    static const char long_text[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    uint8_t mac[KS_SHA256_SIZE];
    uint8_t long_key[131];
    char hex[2 * KS_SHA256_SIZE + 1];
    (void)state;
    assert_int_equal(ks_hmac_sha256("Jefe", 4, text, strlen(text), mac), KS_OK);
    ks_text_to_hex(mac, sizeof mac, hex);
    assert_string_equal(hex, expected);
    memset(long_key, 0xaa, sizeof long_key);
    assert_int_equal(ks_hmac_sha256(long_key, sizeof long_key, long_text, strlen(long_text), mac), KS_OK);
    ks_text_to_hex(mac, sizeof mac, hex);
    assert_string_equal(hex, expected_long);
}

static void sha256_is_that_of_the_standard(void **state)
{
    (void)state;
    uint8_t digest[KS_SHA256_SIZE];
    char hex[2 * KS_SHA256_SIZE + 1];
    assert_int_equal(ks_sha256("abc", 3, digest), KS_OK);
    ks_text_to_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(ks_sha256("", 0, digest), KS_OK);
    ks_text_to_hex(digest, sizeof digest, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void secrets_are_wiped_and_compared_to_the_last_byte(void **state)
{
    (void)state;
    uint8_t left[33] = "the secret of one, the secret of";
    uint8_t right[33];
    memcpy(right, left, sizeof right);
    assert_true(ks_secret_equal(left, right, sizeof left));
    for (size_t i = 0; i < sizeof right; i++) {
        right[i] ^= 0x80;
        assert_false(ks_secret_equal(left, right, sizeof left));
        assert_true(ks_secret_equal(left, right, i));
        right[i] ^= 0x80;
    }
    ks_secret_wipe(left, 32);
    assert_memory_equal(left, (const uint8_t[33]){0}, sizeof left);
}

static void randomness_fills_exactly_and_differs(void **state)
{
    (void)state;
    uint8_t first[34] = {0};
    uint8_t second[34] = {0};
    assert_int_equal(ks_random_fill(ks_random_system(), first + 1, 32), KS_OK);
    assert_int_equal(ks_random_fill(ks_random_system(), second + 1, 32), KS_OK);
    assert_int_equal(first[0] | first[33], 0);
    assert_memory_not_equal(first + 1, second + 1, 32);
    assert_int_equal(ks_random_fill(ks_random_system(), first, 0), KS_OK);
    assert_int_equal(ks_random_fill(ks_random_system(), first, (size_t)INT_MAX + 1), KS_CRYPTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cksum_is_that_of_the_posix_command),
        cmocka_unit_test(crc32_is_that_of_gzip),
        cmocka_unit_test(cksum_matches_the_vectors_fast_and_portable),
        cmocka_unit_test(cksum_is_the_same_at_every_split),
        cmocka_unit_test(cksum_of_unaligned_pieces_is_the_portable_one),
        cmocka_unit_test(cksum_value_can_be_asked_in_between),
        cmocka_unit_test(cksum_counts_lengths_of_more_than_32_bits),
        cmocka_unit_test(contents_match_the_vectors_at_every_split),
        cmocka_unit_test(contents_are_whole_blocks),
        cmocka_unit_test(padding_is_1_to_16_equal_bytes),
        cmocka_unit_test(bad_padding_strips_nothing),
        cmocka_unit_test(base64_is_written_in_one_line),
        cmocka_unit_test(base64_is_appended_to_what_is_there),
        cmocka_unit_test(base64_is_read_however_it_was_wrapped),
        cmocka_unit_test(base64_with_anything_else_is_invalid),
        cmocka_unit_test(base64_keeps_to_the_limit_of_its_target),
        cmocka_unit_test(base64_round_trip_of_every_length),
        cmocka_unit_test(alias_is_the_aes_block_of_the_id),
        cmocka_unit_test(aliases_are_a_permutation),
        cmocka_unit_test(hmac_is_that_of_the_standard),
        cmocka_unit_test(sha256_is_that_of_the_standard),
        cmocka_unit_test(secrets_are_wiped_and_compared_to_the_last_byte),
        cmocka_unit_test(randomness_fills_exactly_and_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
