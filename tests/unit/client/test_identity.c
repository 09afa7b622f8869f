/* Unit tests of client/home/identity_text.h, client/lines.h and client/home/identity.h: every liberality in
 * reading by its name, the exact bytes in writing. */
#include "unit/client/home_fixture.h"

#include "client/home/identity.h"
#include "client/home/identity_text.h"
#include "client/lines.h"
#include "crypto/base64.h"

#include <fcntl.h>

#include "vectors.h"

#define ID_HEX "00112233445566778899aabbccddeeff"

static const uint8_t id_bytes[KS_CLIENT_ID_SIZE] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                                    0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};

static const char *key_text(size_t number)
{
    return vector_keys[number].private_base64;
}

static struct ks_buffer der_of(size_t number)
{
    struct ks_buffer der = ks_buffer_empty(0);
    assert_int_equal(ks_base64_decode(key_text(number), strlen(key_text(number)), &der), KS_OK);
    return der;
}

/* The private key is the one of the vectors with this number. */
static void assert_key(const struct ks_private_key *key, size_t number)
{
    uint8_t public_key[KS_RSA_PUBLIC_SIZE];
    uint8_t expected[KS_RSA_PUBLIC_SIZE];
    struct ks_private_key *other = NULL;
    struct ks_buffer der = der_of(number);
    assert_non_null(key);
    assert_int_equal(ks_private_key_parse(der.bytes, der.size, &other), KS_OK);
    assert_int_equal(ks_private_key_public(key, public_key), KS_OK);
    assert_int_equal(ks_private_key_public(other, expected), KS_OK);
    assert_memory_equal(public_key, expected, sizeof expected);
    ks_private_key_free(other);
    ks_buffer_wipe(&der);
}

/* The key's base64 in lines of `width`, each ended by `newline`. */
static void append_wrapped(struct ks_buffer *text, size_t width, const char *newline)
{
    const char *key = key_text(0);
    for (size_t at = 0; at < strlen(key); at += width) {
        size_t left = strlen(key) - at;
        assert_int_equal(ks_buffer_append(text, key + at, left < width ? left : width), KS_OK);
        assert_int_equal(ks_buffer_append(text, newline, strlen(newline)), KS_OK);
    }
}

static void append_text(struct ks_buffer *text, const char *more)
{
    assert_int_equal(ks_buffer_append(text, more, strlen(more)), KS_OK);
}

/* Parses from a copy that ends where the text ends, and frees both. */
static enum ks_result parse(struct ks_buffer *text, struct ks_identity_text *identity)
{
    uint8_t *copy = unit_exact_copy(text->bytes, text->size);
    enum ks_result result = ks_identity_text_parse(copy, text->size, identity);
    free(copy);
    ks_buffer_free(text);
    return result;
}

/* The text is Alice with the id above and the first key of the vectors. */
static void assert_alice(struct ks_buffer *text)
{
    struct ks_identity_text identity;
    assert_int_equal(parse(text, &identity), KS_OK);
    assert_string_equal(identity.name, "Alice");
    assert_memory_equal(identity.id.bytes, id_bytes, sizeof id_bytes);
    assert_key(identity.key, 0);
    ks_private_key_free(identity.key);
}

static struct ks_buffer start(const char *first_lines)
{
    struct ks_buffer text = ks_buffer_empty(0);
    append_text(&text, first_lines);
    return text;
}

static void assert_alice_with(const char *first_lines, const char *after_key)
{
    struct ks_buffer text = start(first_lines);
    append_text(&text, key_text(0));
    append_text(&text, after_key);
    assert_alice(&text);
}

/* ---- me.info, read liberally ---- */

static void strict_form_is_read(void **state)
{
    (void)state;
    assert_alice_with("Alice\n" ID_HEX "\n", "\n");
}

static void crlf_is_read(void **state)
{
    (void)state;
    assert_alice_with("Alice\r\n" ID_HEX "\r\n", "\r\n");
}

static void no_newline_at_the_end_is_read(void **state)
{
    (void)state;
    assert_alice_with("Alice\n" ID_HEX "\n", "");
    assert_alice_with("Alice\r\n" ID_HEX "\r\n", "\r");
}

static void blank_lines_are_skipped(void **state)
{
    (void)state;
    assert_alice_with("\n \t\nAlice\n\r\n\n" ID_HEX "\n  \n", "\n\n\n");
}

static void upper_case_hex_is_read(void **state)
{
    (void)state;
    assert_alice_with("Alice\n00112233445566778899AABBCCDDEEFF\n", "\n");
    assert_alice_with("Alice\n00112233445566778899aAbBcCdDeEfF\n", "\n");
}

static void hex_with_spaces_is_read(void **state)
{
    (void)state;
    assert_alice_with("Alice\n00 11 22 33 44 55 66 77 88 99 aa bb cc dd ee ff \n", "\n");
}

static void wrapped_base64_is_read(void **state)
{
    (void)state;
    static const size_t widths[] = {1, 3, 64, 72, 76};
    for (size_t i = 0; i < KS_COUNT_OF(widths); i++) {
        struct ks_buffer text = start("Alice\n" ID_HEX "\n");
        append_wrapped(&text, widths[i], i % 2 == 0 ? "\n" : "\r\n");
        assert_alice(&text);
    }
}

static void name_padded_with_nuls_is_read(void **state)
{
    (void)state;
    static const char nuls[KS_TEXT_FIELD_SIZE] = "";
    struct ks_buffer text = start("Alice");
    assert_int_equal(ks_buffer_append(&text, nuls, sizeof nuls - 5), KS_OK);
    append_text(&text, "\n" ID_HEX "\n");
    append_text(&text, key_text(0));
    assert_alice(&text);
}

static void names_keep_their_blanks(void **state)
{
    (void)state;
    struct ks_identity_text identity;
    struct ks_buffer text = start("  Alice of Wonder land \n" ID_HEX "\n");
    assert_int_equal(parse(&text, &identity), KS_OK);
    assert_string_equal(identity.name, "  Alice of Wonder land ");
}

static void missing_or_broken_key_is_no_key(void **state)
{
    (void)state;
    static const char *const keys[] = {"", "\n", "no base64!\n", "AAAA\n",
                                       "MIICdgIBADANBgkqhkiG9w0BAQEFAASC\n"};
    for (size_t i = 0; i < KS_COUNT_OF(keys); i++) {
        struct ks_identity_text identity;
        struct ks_buffer text = start("Alice\n" ID_HEX "\n");
        append_text(&text, keys[i]);
        assert_int_equal(parse(&text, &identity), KS_OK);
        assert_null(identity.key);
    }
}

static void what_has_no_name_or_id_is_invalid(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "\n\n",
        "Alice",
        "Alice\n",
        "Alice\n00112233445566778899aabbccddeef\n",
        "Alice\n00112233445566778899aabbccddee\n",
        "Alice\n00112233445566778899aabbccddeeff00\n",
        "Alice\n00112233445566778899aabbccddeegg\n",
        ("Al\tice\n" ID_HEX "\n"),
        ("\xd7\xa7\xd7\xa9\xd7\xa8\n" ID_HEX "\n"),
    };
    for (size_t i = 0; i < KS_COUNT_OF(texts); i++) {
        struct ks_identity_text identity;
        struct ks_buffer text = start(texts[i]);
        assert_int_equal(parse(&text, &identity), KS_INVALID);
    }
}

static void name_of_255_bytes_is_invalid(void **state)
{
    (void)state;
    char name[KS_TEXT_FIELD_SIZE + 1];
    struct ks_identity_text identity;
    memset(name, 'a', sizeof name);
    name[KS_TEXT_FIELD_SIZE] = '\0';
    struct ks_buffer text = start(name);
    append_text(&text, "\n" ID_HEX "\n");
    assert_int_equal(parse(&text, &identity), KS_INVALID);
    text = start(name + 1);
    append_text(&text, "\n" ID_HEX "\n");
    assert_int_equal(parse(&text, &identity), KS_OK);
    assert_string_equal(identity.name, name + 1);
}

static void text_cut_anywhere_is_read_safely(void **state)
{
    (void)state;
    struct ks_buffer text = start("Alice\r\n" ID_HEX "\r\n");
    append_wrapped(&text, 64, "\r\n");
    for (size_t size = 0; size <= text.size; size++) {
        struct ks_identity_text identity;
        uint8_t *copy = unit_exact_copy(text.bytes, size);
        enum ks_result result = ks_identity_text_parse(copy, size, &identity);
        bool has_id = size >= strlen("Alice\r\n" ID_HEX);
        assert_int_equal(result, has_id ? KS_OK : KS_INVALID);
        if (result == KS_OK)
            ks_private_key_free(identity.key);
        free(copy);
    }
    ks_buffer_free(&text);
}

/* ---- priv.key ---- */

static void assert_key_text(const void *bytes, size_t size)
{
    struct ks_private_key *key = NULL;
    uint8_t *copy = unit_exact_copy(bytes, size);
    assert_int_equal(ks_identity_text_parse_key(copy, size, &key), KS_OK);
    assert_key(key, 0);
    ks_private_key_free(key);
    free(copy);
}

static void key_in_one_line_is_read(void **state)
{
    (void)state;
    assert_key_text(key_text(0), strlen(key_text(0)));
}

static void key_in_wrapped_lines_is_read(void **state)
{
    (void)state;
    struct ks_buffer text = start("\n");
    append_wrapped(&text, 64, "\r\n");
    assert_key_text(text.bytes, text.size);
    ks_buffer_free(&text);
}

static void key_as_raw_der_is_read(void **state)
{
    (void)state;
    struct ks_buffer der = der_of(0);
    assert_key_text(der.bytes, der.size);
    ks_buffer_free(&der);
}

static void what_is_no_key_is_invalid(void **state)
{
    (void)state;
    struct ks_private_key *key = NULL;
    static const char *const texts[] = {"", "\n", "hello", "0\x82", "-----BEGIN PRIVATE KEY-----\n"};
    for (size_t i = 0; i < KS_COUNT_OF(texts); i++) {
        uint8_t *copy = unit_exact_copy(texts[i], strlen(texts[i]));
        assert_int_equal(ks_identity_text_parse_key(copy, strlen(texts[i]), &key), KS_INVALID);
        free(copy);
    }
    assert_null(key);
}

/* ---- written strictly ---- */

static void info_is_written_strictly(void **state)
{
    (void)state;
    struct ks_buffer der = der_of(0);
    struct ks_private_key *key = NULL;
    struct ks_client_id id;
    struct ks_buffer text = ks_buffer_empty(0);
    struct ks_buffer expected = start("Alice\n" ID_HEX "\n");
    memcpy(id.bytes, id_bytes, sizeof id.bytes);
    append_text(&expected, key_text(0));
    append_text(&expected, "\n");
    assert_int_equal(ks_private_key_parse(der.bytes, der.size, &key), KS_OK);
    assert_int_equal(ks_identity_text_format("Alice", &id, key, &text), KS_OK);
    assert_int_equal(text.size, expected.size);
    assert_memory_equal(text.bytes, expected.bytes, expected.size);
    ks_private_key_free(key);
    ks_buffer_free(&der);
    ks_buffer_free(&text);
    ks_buffer_free(&expected);
}

/* ---- homes ---- */

static void put_file(const struct fixture *fixture, const char *name, const char *text, const char *more)
{
    struct ks_buffer bytes = start(text);
    append_text(&bytes, more);
    assert_int_equal(ks_home_files_write(fixture->home, name, &bytes, NULL), KESHER_OK);
    ks_buffer_free(&bytes);
}

static void assert_home_is(const struct fixture *fixture, const char *name, size_t key)
{
    struct kesher_identity *identity = NULL;
    struct kesher_error error = {.sentence = ""};
    if (kesher_identity_load(fixture->home, &identity, &error) != KESHER_OK)
        fail_msg("%s", error.sentence);
    assert_string_equal(kesher_identity_name(identity), name);
    assert_memory_equal(identity->id.bytes, id_bytes, sizeof id_bytes);
    assert_key(identity->key, key);
    kesher_identity_free(identity);
}

static void assert_home_fails(const struct fixture *fixture, enum kesher_status expected)
{
    struct kesher_identity *identity = NULL;
    struct kesher_error error = {.sentence = ""};
    assert_int_equal(kesher_identity_load(fixture->home, &identity, &error), expected);
    assert_null(identity);
    assert_int_equal(error.status, expected);
    assert_true(strlen(error.sentence) > 0);
}

static void empty_home_has_no_identity(void **state)
{
    const struct fixture *fixture = *state;
    assert_false(kesher_identity_exists(fixture->home));
    assert_home_fails(fixture, KESHER_NOT_FOUND);
}

static void my_info_stands_in_for_me_info(void **state)
{
    const struct fixture *fixture = *state;
    put_file(fixture, "my.info", "Mine\n" ID_HEX "\n", key_text(1));
    assert_true(kesher_identity_exists(fixture->home));
    assert_home_is(fixture, "Mine", 1);
    put_file(fixture, "me.info", "Me\n" ID_HEX "\n", key_text(0));
    assert_home_is(fixture, "Me", 0);
}

static void key_of_me_info_goes_before_priv_key(void **state)
{
    const struct fixture *fixture = *state;
    put_file(fixture, "me.info", "Me\n" ID_HEX "\n", key_text(0));
    put_file(fixture, "priv.key", key_text(1), "\n");
    assert_home_is(fixture, "Me", 0);
}

static void key_of_priv_key_goes_before_my_info(void **state)
{
    const struct fixture *fixture = *state;
    put_file(fixture, "me.info", "Me\n" ID_HEX "\n", "");
    put_file(fixture, "my.info", "Mine\n" ID_HEX "\n", key_text(0));
    assert_home_is(fixture, "Me", 0);
    put_file(fixture, "priv.key", key_text(1), "");
    assert_home_is(fixture, "Me", 1);
}

static void identity_without_any_key_is_invalid(void **state)
{
    const struct fixture *fixture = *state;
    put_file(fixture, "me.info", "Me\n" ID_HEX "\n", "");
    assert_home_fails(fixture, KESHER_INVALID);
    put_file(fixture, "priv.key", "garbage", "");
    assert_home_fails(fixture, KESHER_INVALID);
}

static void broken_me_info_is_not_passed_over(void **state)
{
    const struct fixture *fixture = *state;
    put_file(fixture, "me.info", "Me\nno id\n", "");
    put_file(fixture, "my.info", "Mine\n" ID_HEX "\n", key_text(0));
    assert_true(kesher_identity_exists(fixture->home));
    assert_home_fails(fixture, KESHER_INVALID);
}

static void assert_mode_0600(const struct fixture *fixture, const char *name)
{
    struct stat status;
    assert_int_equal(fstatat(fixture->home->directory_fd, name, &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
}

static void prepared_key_is_on_disk_before_any_id(void **state)
{
    const struct fixture *fixture = *state;
    struct kesher_identity *identity = NULL;
    struct kesher_identity *again = NULL;
    uint8_t first[KS_RSA_PUBLIC_SIZE];
    uint8_t second[KS_RSA_PUBLIC_SIZE];
    assert_int_equal(ks_identity_prepare(fixture->home, "Alice", &identity, NULL), KESHER_OK);
    assert_mode_0600(fixture, "priv.key");
    assert_false(kesher_identity_exists(fixture->home));
    assert_int_equal(ks_identity_prepare(fixture->home, "Bob", &again, NULL), KESHER_OK);
    assert_int_equal(ks_identity_public_key(identity, first, NULL), KESHER_OK);
    assert_int_equal(ks_identity_public_key(again, second, NULL), KESHER_OK);
    assert_memory_equal(first, second, sizeof first);
    kesher_identity_free(identity);
    kesher_identity_free(again);
}

static void unreadable_priv_key_is_not_overwritten(void **state)
{
    const struct fixture *fixture = *state;
    struct kesher_identity *identity = NULL;
    struct ks_buffer bytes = ks_buffer_empty(0);
    put_file(fixture, "priv.key", "garbage", "");
    assert_int_equal(ks_identity_prepare(fixture->home, "Alice", &identity, NULL), KESHER_INVALID);
    assert_null(identity);
    assert_int_equal(ks_home_files_read(fixture->home, "priv.key", &bytes, NULL), KESHER_OK);
    assert_int_equal(bytes.size, strlen("garbage"));
    ks_buffer_free(&bytes);
}

static void saved_identity_is_read_back(void **state)
{
    const struct fixture *fixture = *state;
    struct kesher_identity *identity = NULL;
    char fingerprint[KESHER_FINGERPRINT_SIZE];
    put_file(fixture, "priv.key", key_text(0), "");
    assert_int_equal(ks_identity_prepare(fixture->home, "Alice", &identity, NULL), KESHER_OK);
    memcpy(identity->id.bytes, id_bytes, sizeof id_bytes);
    assert_int_equal(ks_identity_save(fixture->home, identity, NULL), KESHER_OK);
    assert_int_equal(kesher_identity_fingerprint(identity, fingerprint, NULL), KESHER_OK);
    assert_int_equal(strlen(fingerprint), 79);
    kesher_identity_free(identity);
    assert_mode_0600(fixture, "me.info");
    assert_mode_0600(fixture, "priv.key");
    assert_home_is(fixture, "Alice", 0);
}

static void old_files_are_kept_under_free_names(void **state)
{
    const struct fixture *fixture = *state;
    put_file(fixture, "me.info", "one", "");
    assert_int_equal(ks_identity_keep_old(fixture->home, NULL), KESHER_OK);
    put_file(fixture, "me.info", "two", "");
    assert_int_equal(ks_identity_keep_old(fixture->home, NULL), KESHER_OK);
    struct ks_buffer bytes = ks_buffer_empty(0);
    assert_int_equal(ks_home_files_read(fixture->home, "me.info.old.1", &bytes, NULL), KESHER_OK);
    assert_memory_equal(bytes.bytes, "one", 3);
    ks_buffer_free(&bytes);
    assert_int_equal(ks_home_files_read(fixture->home, "me.info.old.2", &bytes, NULL), KESHER_OK);
    assert_memory_equal(bytes.bytes, "two", 3);
    ks_buffer_free(&bytes);
    assert_mode_0600(fixture, "me.info.old.1");
    assert_false(ks_home_files_exists(fixture->home, "priv.key.old.1"));
}

static void names_that_are_none_are_refused(void **state)
{
    const struct fixture *fixture = *state;
    struct kesher_identity *identity = NULL;
    static const char *const names[] = {"", "   ", "a\nb", "\xc3\xa9"};
    for (size_t i = 0; i < KS_COUNT_OF(names); i++)
        assert_int_equal(ks_identity_prepare(fixture->home, names[i], &identity, NULL), KESHER_INVALID);
    assert_null(identity);
    assert_false(ks_home_files_exists(fixture->home, "priv.key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strict_form_is_read),
        cmocka_unit_test(crlf_is_read),
        cmocka_unit_test(no_newline_at_the_end_is_read),
        cmocka_unit_test(blank_lines_are_skipped),
        cmocka_unit_test(upper_case_hex_is_read),
        cmocka_unit_test(hex_with_spaces_is_read),
        cmocka_unit_test(wrapped_base64_is_read),
        cmocka_unit_test(name_padded_with_nuls_is_read),
        cmocka_unit_test(names_keep_their_blanks),
        cmocka_unit_test(missing_or_broken_key_is_no_key),
        cmocka_unit_test(what_has_no_name_or_id_is_invalid),
        cmocka_unit_test(name_of_255_bytes_is_invalid),
        cmocka_unit_test(text_cut_anywhere_is_read_safely),
        cmocka_unit_test(key_in_one_line_is_read),
        cmocka_unit_test(key_in_wrapped_lines_is_read),
        cmocka_unit_test(key_as_raw_der_is_read),
        cmocka_unit_test(what_is_no_key_is_invalid),
        cmocka_unit_test(info_is_written_strictly),
        HOME_TEST(empty_home_has_no_identity),
        HOME_TEST(my_info_stands_in_for_me_info),
        HOME_TEST(key_of_me_info_goes_before_priv_key),
        HOME_TEST(key_of_priv_key_goes_before_my_info),
        HOME_TEST(identity_without_any_key_is_invalid),
        HOME_TEST(broken_me_info_is_not_passed_over),
        HOME_TEST(prepared_key_is_on_disk_before_any_id),
        HOME_TEST(unreadable_priv_key_is_not_overwritten),
        HOME_TEST(saved_identity_is_read_back),
        HOME_TEST(old_files_are_kept_under_free_names),
        HOME_TEST(names_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
