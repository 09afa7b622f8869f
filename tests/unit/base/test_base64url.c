/* Unit tests of base/base64url.h. */
#include "unit/unit.h"

#include "base/base64url.h"

enum { SIZES = 48 };

struct vector {
    const char *bytes;
    size_t size;
    const char *text;
};

/* RFC 4648, section 10, without padding; then the two digits that base64 has otherwise. */
static const struct vector vectors[] = {
    {"", 0, ""},           {"f", 1, "Zg"},          {"fo", 2, "Zm8"},          {"foo", 3, "Zm9v"},
    {"foob", 4, "Zm9vYg"}, {"fooba", 5, "Zm9vYmE"}, {"foobar", 6, "Zm9vYmFy"}, {"\xfb\xff\xfe", 3, "-__-"},
    {"\0\0\0", 3, "AAAA"}, {"\xff", 1, "_w"},
};

static void bytes_have_the_text_of_the_rfc_and_it_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(vectors); i++) {
        const struct vector *vector = &vectors[i];
        char text[16];
        uint8_t bytes[8];
        ks_base64url_encode((const uint8_t *)vector->bytes, vector->size, text);
        assert_string_equal(text, vector->text);
        assert_int_equal(strlen(text), KS_BASE64URL_LENGTH(vector->size));
        assert_int_equal(ks_base64url_decode(text, strlen(text), bytes, vector->size), KS_OK);
        assert_memory_equal(bytes, vector->bytes, vector->size);
    }
}

static void every_size_comes_back_and_nothing_is_written_behind_it(void **state)
{
    (void)state;
    for (size_t size = 1; size < SIZES; size++) {
        size_t length = KS_BASE64URL_LENGTH(size);
        uint8_t *bytes = malloc(size);
        uint8_t *again = malloc(size);
        char *text = malloc(length + 1);
        assert_non_null(bytes);
        assert_non_null(again);
        assert_non_null(text);
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)(i * 73 + size);
        ks_base64url_encode(bytes, size, text);
        assert_int_equal(strlen(text), length);
        assert_int_equal(ks_base64url_decode(text, length, again, size), KS_OK);
        assert_memory_equal(bytes, again, size);
        free(text);
        free(again);
        free(bytes);
    }
}

static void a_text_of_another_length_is_invalid(void **state)
{
    static const char text[] = "AAECAwQFBgcICQoLDA0ODwAAAA";
    uint8_t bytes[16];
    (void)state;
    for (size_t length = 0; length < sizeof text; length++) {
        char *copy = (char *)unit_exact_copy(text, length);
        assert_int_equal(ks_base64url_decode(copy, length, bytes, sizeof bytes),
                         length == 22 ? KS_OK : KS_INVALID);
        free(copy);
    }
}

static void other_characters_are_invalid_at_every_place(void **state)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (void)state;
    for (unsigned character = 0; character < 256; character++) {
        bool is_digit = character != 0 && strchr(good, (int)character) != NULL;
        for (size_t place = 0; place < 4; place++) {
            char text[] = "AAAA";
            uint8_t bytes[3];
            text[place] = (char)character;
            assert_int_equal(ks_base64url_decode(text, 4, bytes, 3), is_digit ? KS_OK : KS_INVALID);
        }
    }
}

/* "Zh" would be "f" as well to a decoder that looks away. */
static void bits_behind_the_last_byte_must_be_zero(void **state)
{
    uint8_t bytes[2];
    (void)state;
    assert_int_equal(ks_base64url_decode("Zg", 2, bytes, 1), KS_OK);
    for (int last = 'h'; last <= 'v'; last++) {
        char text[] = {'Z', (char)last};
        assert_int_equal(ks_base64url_decode(text, 2, bytes, 1), KS_INVALID);
    }
    assert_int_equal(ks_base64url_decode("Zm8", 3, bytes, 2), KS_OK);
    assert_int_equal(ks_base64url_decode("Zm9", 3, bytes, 2), KS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_have_the_text_of_the_rfc_and_it_is_read),
        cmocka_unit_test(every_size_comes_back_and_nothing_is_written_behind_it),
        cmocka_unit_test(a_text_of_another_length_is_invalid),
        cmocka_unit_test(other_characters_are_invalid_at_every_place),
        cmocka_unit_test(bits_behind_the_last_byte_must_be_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
