/* Unit tests of crypto/passphrase.h. The two known lines were made with Python's hashlib and cryptography. */
#include "unit/unit.h"

#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/passphrase.h"
#include "crypto/secret.h"

#include <stdio.h>

static const char known_passphrase[] = "correct horse";
static const char known_wrapped[] =
    "kesher-wrapped-1 scrypt 10 8 2 AAECAwQFBgcICQoLDA0ODw== "
    "yMnKy8zNzs/Q0dLTsKweHn6oQNSdFIXXb1vnY/St+QFHfgMHEYrDcSUH67M8rIlKbgQKwzVaR4eTnUzr eb3b2a0178d17d86";
static const char known_sealed[] =
    "kesher-sealed-1 yMnKy8zNzs/Q0dLTDWLq9zYgBAbAmT3DfEI7JTKj1NGrZHKzthrPnhg= a2c2cd174c600a8c";

static const struct ks_scrypt_cost cheap = {.log_n = 4, .r = 1, .p = 1};

static void fill_known(uint8_t key[static KS_HOME_KEY_SIZE])
{
    for (unsigned i = 0; i < KS_HOME_KEY_SIZE; i++)
        key[i] = (uint8_t)(100 + i);
}

static enum ks_result unwrap(const char *line, size_t size, const char *passphrase,
                             uint8_t key[static KS_HOME_KEY_SIZE])
{
    uint8_t *copy = unit_exact_copy(line, size);
    enum ks_result result = ks_home_key_unwrap((const char *)copy, size, passphrase, strlen(passphrase), key);
    free(copy);
    return result;
}

/* A line of `text`, with the check that belongs to it. */
static void with_check(const char *text, char *line, size_t capacity)
{
    uint8_t digest[KS_SHA256_SIZE];
    char hex[17];
    assert_int_equal(ks_sha256(text, strlen(text), digest), KS_OK);
    ks_text_to_hex(digest, 8, hex);
    assert_true(snprintf(line, capacity, "%s%s", text, hex) < (int)capacity);
}

static void lines_of_another_program_are_opened(void **state)
{
    (void)state;
    uint8_t key[KS_HOME_KEY_SIZE];
    uint8_t expected[KS_HOME_KEY_SIZE];
    struct ks_buffer secret = ks_buffer_empty(KS_SEALED_SECRET_LIMIT);
    fill_known(expected);
    assert_int_equal(unwrap(known_wrapped, strlen(known_wrapped), known_passphrase, key), KS_OK);
    assert_memory_equal(key, expected, sizeof key);
    assert_int_equal(ks_home_key_open(key, "account.key", known_sealed, strlen(known_sealed), &secret),
                     KS_OK);
    assert_int_equal(secret.size, strlen("a private key"));
    assert_memory_equal(secret.bytes, "a private key", secret.size);
    ks_buffer_wipe(&secret);
}

static void new_ones_cost_what_is_promised(void **state)
{
    (void)state;
    static const char beginning[] = "kesher-wrapped-1 scrypt 17 8 1 ";
    uint8_t key[KS_HOME_KEY_SIZE];
    uint8_t back[KS_HOME_KEY_SIZE];
    const struct ks_scrypt_cost usual = ks_scrypt_cost_usual();
    struct ks_buffer line = ks_buffer_empty(KS_SEALED_LINE_LIMIT);
    fill_known(key);
    assert_int_equal(ks_home_key_wrap(key, "x", 1, &usual, ks_random_system(), &line), KS_OK);
    assert_memory_equal(line.bytes, beginning, strlen(beginning));
    assert_int_equal(unwrap((const char *)line.bytes, line.size, "x", back), KS_OK);
    assert_memory_equal(back, key, sizeof key);
    ks_buffer_free(&line);
}

static void wrong_passphrase_is_told_apart_from_damage(void **state)
{
    (void)state;
    static const char *const wrong[] = {"correct horsf", "correct hors", "correct horse ", "Correct horse",
                                        ""};
    uint8_t key[KS_HOME_KEY_SIZE];
    uint8_t zeros[KS_HOME_KEY_SIZE] = {0};
    for (size_t i = 0; i < KS_COUNT_OF(wrong); i++) {
        fill_known(key);
        assert_int_equal(unwrap(known_wrapped, strlen(known_wrapped), wrong[i], key), KS_REFUSED);
        assert_memory_equal(key, zeros, sizeof key);
    }
    for (size_t i = 0; i < strlen(known_wrapped); i++) {
        char damaged[sizeof known_wrapped];
        memcpy(damaged, known_wrapped, sizeof damaged);
        damaged[i] ^= 1;
        if (unwrap(damaged, strlen(damaged), known_passphrase, key) != KS_INVALID)
            fail_msg("damage at byte %zu was not seen", i);
        if (unwrap(known_wrapped, i, known_passphrase, key) != KS_INVALID)
            fail_msg("a line of %zu bytes was taken", i);
    }
}

/* Somebody who writes the file can make the check fit, and no more. */
static void what_a_wrapped_line_says_is_part_of_it(void **state)
{
    (void)state;
    static const struct {
        const char *from;
        const char *to;
    } swaps[] = {{" 10 8 2 ", " 10 8 1 "}, {" 10 8 2 ", " 11 8 2 "}, {" AAEC", " BAEC"}, {" yMnK", " zMnK"}};
    for (size_t i = 0; i < KS_COUNT_OF(swaps); i++) {
        uint8_t key[KS_HOME_KEY_SIZE];
        char text[sizeof known_wrapped];
        char line[sizeof known_wrapped];
        memcpy(text, known_wrapped, sizeof text);
        text[strlen(text) - 16] = '\0';
        char *place = strstr(text, swaps[i].from);
        assert_non_null(place);
        memcpy(place, swaps[i].to, strlen(swaps[i].to));
        with_check(text, line, sizeof line);
        assert_int_equal(unwrap(line, strlen(line), known_passphrase, key), KS_REFUSED);
    }
}

static void lines_that_ask_for_too_much_are_refused_before_they_get_it(void **state)
{
    (void)state;
    static const struct {
        struct ks_scrypt_cost cost;
        bool allowed;
    } cases[] = {
        {{17, 8, 1}, true},   {{20, 8, 4}, true},   {{19, 16, 4}, true}, {{20, 11, 1}, true},
        {{20, 12, 1}, false}, {{20, 16, 1}, false}, {{21, 1, 1}, false}, {{17, 17, 1}, false},
        {{17, 8, 5}, false},  {{255, 8, 1}, false}, {{0, 8, 1}, false},  {{17, 0, 1}, false},
        {{17, 8, 0}, false},  {{16, 1, 1}, false},  {{15, 1, 1}, true},
    };
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++) {
        char text[256];
        char line[300];
        uint8_t key[KS_HOME_KEY_SIZE] = {1};
        struct ks_buffer made = ks_buffer_empty(KS_SEALED_LINE_LIMIT);
        const struct ks_scrypt_cost *cost = &cases[i].cost;
        assert_int_equal(ks_scrypt_cost_is_allowed(cost), cases[i].allowed);
        if (cases[i].allowed)
            continue;
        assert_true(snprintf(text, sizeof text, "kesher-wrapped-1 scrypt %u %u %u %s", cost->log_n, cost->r,
                             cost->p, strstr(known_wrapped, "AAEC")) > 0);
        text[strlen(text) - 16] = '\0';
        with_check(text, line, sizeof line);
        enum ks_result result = unwrap(line, strlen(line), known_passphrase, key);
        assert_true(result == KS_TOO_LARGE || (result == KS_INVALID && strstr(text, " 0 ") != NULL));
        assert_int_equal(ks_home_key_wrap(key, "x", 1, cost, ks_random_system(), &made), KS_INVALID);
        assert_int_equal(made.size, 0);
    }
}

static void numbers_and_words_are_read_strictly(void **state)
{
    (void)state;
    static const char *const beginnings[] = {
        "kesher-wrapped-2 scrypt 10 8 2 ",   "kesher-wrapped-1 argon2 10 8 2 ",
        "kesher-wrapped-1 scrypt 010 8 2 ",  "kesher-wrapped-1 scrypt +10 8 2 ",
        "kesher-wrapped-1 scrypt 10 8 ",     "kesher-wrapped-1  scrypt 10 8 2 ",
        "kesher-wrapped-1 scrypt 10 8 2 2 ", "kesher-wrapped-1 scrypt 1000000 8 2 "};
    for (size_t i = 0; i < KS_COUNT_OF(beginnings); i++) {
        char text[256];
        char line[300];
        uint8_t key[KS_HOME_KEY_SIZE];
        assert_true(snprintf(text, sizeof text, "%s%s", beginnings[i], strstr(known_wrapped, "AAEC")) > 0);
        text[strlen(text) - 16] = '\0';
        with_check(text, line, sizeof line);
        if (unwrap(line, strlen(line), known_passphrase, key) != KS_INVALID)
            fail_msg("'%s' was taken", line);
    }
}

static void passphrases_have_between_one_byte_and_the_limit(void **state)
{
    (void)state;
    static const char passphrase[KS_PASSPHRASE_LIMIT + 1] = "of zeros behind this";
    static const struct {
        size_t size;
        enum ks_result result;
    } cases[] = {
        {0, KS_INVALID}, {1, KS_OK}, {KS_PASSPHRASE_LIMIT, KS_OK}, {KS_PASSPHRASE_LIMIT + 1, KS_INVALID}};
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++) {
        uint8_t key[KS_HOME_KEY_SIZE] = {1};
        struct ks_buffer line = ks_buffer_empty(KS_SEALED_LINE_LIMIT);
        assert_int_equal(ks_home_key_wrap(key, passphrase, cases[i].size, &cheap, ks_random_system(), &line),
                         cases[i].result);
        ks_buffer_free(&line);
    }
}

static void nothing_is_wrapped_or_sealed_twice_alike(void **state)
{
    (void)state;
    uint8_t key[KS_HOME_KEY_SIZE] = {1};
    struct ks_buffer lines[4];
    for (size_t i = 0; i < KS_COUNT_OF(lines); i++) {
        lines[i] = ks_buffer_empty(KS_SEALED_LINE_LIMIT);
        enum ks_result result =
            i < 2 ? ks_home_key_wrap(key, "x", 1, &cheap, ks_random_system(), &lines[i])
                  : ks_home_key_seal(key, "purpose", "secret", 6, ks_random_system(), &lines[i]);
        assert_int_equal(result, KS_OK);
    }
    for (size_t i = 0; i < KS_COUNT_OF(lines); i += 2) {
        assert_int_equal(lines[i].size, lines[i + 1].size);
        assert_memory_not_equal(lines[i].bytes, lines[i + 1].bytes, lines[i].size);
    }
    for (size_t i = 0; i < KS_COUNT_OF(lines); i++)
        ks_buffer_free(&lines[i]);
}

static void sealed_secret_opens_for_its_purpose_and_home_only(void **state)
{
    (void)state;
    uint8_t key[KS_HOME_KEY_SIZE];
    struct ks_buffer secret = ks_buffer_empty(KS_SEALED_SECRET_LIMIT);
    fill_known(key);
    assert_int_equal(ks_home_key_open(key, "account.ke", known_sealed, strlen(known_sealed), &secret),
                     KS_REFUSED);
    key[31] ^= 0x80;
    assert_int_equal(ks_home_key_open(key, "account.key", known_sealed, strlen(known_sealed), &secret),
                     KS_REFUSED);
    assert_int_equal(secret.size, 0);
    ks_buffer_wipe(&secret);
}

static void damaged_or_cut_sealed_line_is_invalid(void **state)
{
    (void)state;
    uint8_t key[KS_HOME_KEY_SIZE];
    struct ks_buffer secret = ks_buffer_empty(KS_SEALED_SECRET_LIMIT);
    fill_known(key);
    for (size_t i = 0; i < strlen(known_sealed); i++) {
        char damaged[sizeof known_sealed];
        memcpy(damaged, known_sealed, sizeof damaged);
        damaged[i] ^= 1;
        assert_int_equal(ks_home_key_open(key, "account.key", damaged, strlen(damaged), &secret), KS_INVALID);
        uint8_t *cut = unit_exact_copy(known_sealed, i);
        assert_int_equal(ks_home_key_open(key, "account.key", (const char *)cut, i, &secret), KS_INVALID);
        free(cut);
    }
    assert_int_equal(secret.size, 0);
    ks_buffer_wipe(&secret);
}

static void secrets_of_every_size_come_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 32, 33, KS_SEALED_SECRET_LIMIT};
    static uint8_t bytes[KS_SEALED_SECRET_LIMIT + 1];
    uint8_t key[KS_HOME_KEY_SIZE] = {9};
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31);
    for (size_t i = 0; i < KS_COUNT_OF(sizes); i++) {
        struct ks_buffer line = ks_buffer_empty(KS_SEALED_LINE_LIMIT);
        struct ks_buffer secret = ks_buffer_empty(KS_SEALED_SECRET_LIMIT);
        assert_int_equal(ks_home_key_seal(key, "p", bytes, sizes[i], ks_random_system(), &line), KS_OK);
        assert_int_equal(ks_home_key_open(key, "p", (const char *)line.bytes, line.size, &secret), KS_OK);
        assert_int_equal(secret.size, sizes[i]);
        assert_memory_equal(secret.bytes, bytes, sizes[i]);
        ks_buffer_free(&line);
        ks_buffer_wipe(&secret);
    }
    struct ks_buffer line = ks_buffer_empty(KS_SEALED_LINE_LIMIT);
    assert_int_equal(ks_home_key_seal(key, "p", bytes, sizeof bytes, ks_random_system(), &line), KS_INVALID);
    assert_int_equal(ks_home_key_seal(key, "p", bytes, 0, ks_random_system(), &line), KS_INVALID);
}

static enum ks_result fill_nothing(const struct ks_random *random, void *bytes, size_t size)
{
    (void)random;
    (void)bytes;
    (void)size;
    return KS_CRYPTO;
}

static void nothing_is_made_without_randomness(void **state)
{
    (void)state;
    static const struct ks_random broken = {.fill = fill_nothing};
    uint8_t key[KS_HOME_KEY_SIZE] = {1};
    struct ks_buffer line = ks_buffer_empty(KS_SEALED_LINE_LIMIT);
    assert_int_equal(ks_home_key_wrap(key, "x", 1, &cheap, &broken, &line), KS_CRYPTO);
    assert_int_equal(ks_home_key_seal(key, "p", "x", 1, &broken, &line), KS_CRYPTO);
    assert_int_equal(line.size, 0);
    ks_buffer_free(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_another_program_are_opened),
        cmocka_unit_test(new_ones_cost_what_is_promised),
        cmocka_unit_test(wrong_passphrase_is_told_apart_from_damage),
        cmocka_unit_test(what_a_wrapped_line_says_is_part_of_it),
        cmocka_unit_test(lines_that_ask_for_too_much_are_refused_before_they_get_it),
        cmocka_unit_test(numbers_and_words_are_read_strictly),
        cmocka_unit_test(passphrases_have_between_one_byte_and_the_limit),
        cmocka_unit_test(nothing_is_wrapped_or_sealed_twice_alike),
        cmocka_unit_test(sealed_secret_opens_for_its_purpose_and_home_only),
        cmocka_unit_test(damaged_or_cut_sealed_line_is_invalid),
        cmocka_unit_test(secrets_of_every_size_come_back),
        cmocka_unit_test(nothing_is_made_without_randomness),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
