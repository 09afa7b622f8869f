/* Unit tests of base/text.h: what strangers write, judged, cut, escaped and turned into hex. */
#include "unit/unit.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

/* ---- user names ---- */

static void user_name_takes_printable_ascii(void **state)
{
    (void)state;
    assert_true(ks_text_is_user_name("a", 1));
    assert_true(ks_text_is_user_name(" Michael Jackson ", 17));
    for (int byte = 0x21; byte <= 0x7e; byte++) {
        char name = (char)byte;
        assert_true(ks_text_is_user_name(&name, 1));
    }
}

static void user_name_refuses_everything_else(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        if (byte >= 0x20 && byte <= 0x7e)
            continue;
        char name[3] = {'a', (char)byte, 'b'};
        assert_false(ks_text_is_user_name(name, sizeof name));
    }
}

static void user_name_has_1_to_254_bytes(void **state)
{
    (void)state;
    char name[256];
    memset(name, 'n', sizeof name);
    assert_false(ks_text_is_user_name(name, 0));
    assert_true(ks_text_is_user_name(name, 254));
    assert_false(ks_text_is_user_name(name, 255));
}

static void user_name_is_not_all_blank(void **state)
{
    (void)state;
    assert_false(ks_text_is_user_name(" ", 1));
    assert_false(ks_text_is_user_name("     ", 5));
    assert_true(ks_text_is_user_name("    .", 5));
}

static void a_new_user_name_has_no_blank_at_either_end(void **state)
{
    (void)state;
    assert_true(ks_text_is_new_user_name("Michael Jackson", 15));
    assert_true(ks_text_is_new_user_name("!", 1));
    assert_false(ks_text_is_new_user_name(" Michael", 8));
    assert_false(ks_text_is_new_user_name("Michael ", 8));
    assert_false(ks_text_is_new_user_name("", 0));
    assert_false(ks_text_is_new_user_name("Mi\tchael", 8));
}

static void the_case_of_letters_is_that_of_ascii(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char text = (char)byte;
        char lower = 0;
        ks_text_to_lower(&text, 1, &lower);
        assert_int_equal(lower, byte >= 'A' && byte <= 'Z' ? (char)(byte + 32) : text);
        assert_true(ks_text_equals_in_any_case(&text, &lower, 1));
    }
    assert_false(ks_text_equals_in_any_case("a@", "A`", 2));
    assert_false(ks_text_equals_in_any_case("\xc3\xa9", "\xc3\x89", 2));
}

/* ---- UTF-8 ---- */

static const struct {
    const char *bytes;
    size_t size;
    size_t length;
} utf8_table[] = {
    {"", 0, 0},
    {"\x00", 1, 1},
    {"a", 1, 1},
    {"\x7f", 1, 1},
    {"\x80", 1, 0}, /* a continuation byte alone */
    {"\xbf", 1, 0},
    {"\xc0\x80", 2, 0}, /* overlong NUL */
    {"\xc1\xbf", 2, 0}, /* overlong 0x7f */
    {"\xc2\x80", 2, 2}, /* U+0080, the first of two bytes */
    {"\xd7\xa7", 2, 2}, /* qof */
    {"\xdf\xbf", 2, 2}, /* U+07FF */
    {"\xdf", 1, 0},     /* ends inside */
    {"\xdf\x7f", 2, 0},
    {"\xdf\xc0", 2, 0},
    {"\xe0\x9f\xbf", 3, 0}, /* overlong U+07FF */
    {"\xe0\xa0\x80", 3, 3}, /* U+0800 */
    {"\xe2\x82\xac", 3, 3}, /* euro */
    {"\xe2\x82", 2, 0},
    {"\xe2", 1, 0},
    {"\xe2\x28\xa1", 3, 0},
    {"\xe2\x82\x28", 3, 0},
    {"\xed\x9f\xbf", 3, 3},     /* U+D7FF */
    {"\xed\xa0\x80", 3, 0},     /* U+D800, a surrogate */
    {"\xed\xbf\xbf", 3, 0},     /* U+DFFF, a surrogate */
    {"\xee\x80\x80", 3, 3},     /* U+E000 */
    {"\xef\xbf\xbf", 3, 3},     /* U+FFFF */
    {"\xf0\x8f\xbf\xbf", 4, 0}, /* overlong U+FFFF */
    {"\xf0\x90\x80\x80", 4, 4}, /* U+10000 */
    {"\xf0\x9f\x98\x80", 4, 4},
    {"\xf0\x9f\x98", 3, 0},
    {"\xf0\x9f\x98\x41", 4, 0},
    {"\xf4\x8f\xbf\xbf", 4, 4}, /* U+10FFFF, the last */
    {"\xf4\x90\x80\x80", 4, 0}, /* U+110000 */
    {"\xf5\x80\x80\x80", 4, 0},
    {"\xf8\x88\x80\x80\x80", 5, 0}, /* five bytes were UTF-8 once */
    {"\xfe", 1, 0},
    {"\xff", 1, 0},
    {"ab", 2, 1}, /* only the first character is asked for */
};

static void utf8_length_knows_every_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(utf8_table); i++) {
        uint8_t *bytes = unit_exact_copy(utf8_table[i].bytes, utf8_table[i].size);
        size_t length = ks_text_utf8_length(bytes, utf8_table[i].size);
        free(bytes);
        if (length != utf8_table[i].length)
            fail_msg("row %zu: %zu instead of %zu", i, length, utf8_table[i].length);
    }
}

/* Every code point, encoded by the book, is accepted with its length. */
static size_t encode_utf8(uint32_t point, uint8_t *bytes)
{
    if (point < 0x80) {
        bytes[0] = (uint8_t)point;
        return 1;
    }
    size_t length = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = length; i > 1; i--) {
        bytes[i - 1] = (uint8_t)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    bytes[0] = (uint8_t)(0xf0U << (4 - length) | point);
    return length;
}

static void utf8_length_takes_every_code_point_but_surrogates(void **state)
{
    (void)state;
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        uint8_t bytes[4];
        size_t length = encode_utf8(point, bytes);
        bool surrogate = point >= 0xd800 && point <= 0xdfff;
        if (ks_text_utf8_length(bytes, length) != (surrogate ? 0 : length))
            fail_msg("U+%04X", (unsigned)point);
    }
}

/* ---- cutting ---- */

static void cut_never_splits_a_character(void **state)
{
    (void)state;
    /* a, qof, euro, a smiley, b, and the places between them */
    static const char text[] = "a\xd7\xa7\xe2\x82\xac\xf0\x9f\x98\x80"
                               "b";
    static const size_t cut_at[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11};
    size_t size = sizeof text - 1;
    for (size_t limit = 0; limit <= size; limit++)
        assert_int_equal(ks_text_cut((const uint8_t *)text, size, limit), cut_at[limit]);
    assert_int_equal(ks_text_cut((const uint8_t *)text, size, 1000), size);
    assert_int_equal(ks_text_cut((const uint8_t *)"", 0, 0), 0);
}

static void cut_takes_malformed_bytes_as_characters_of_one_byte(void **state)
{
    (void)state;
    static const uint8_t continuations[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80};
    for (size_t limit = 0; limit <= sizeof continuations; limit++)
        assert_int_equal(ks_text_cut(continuations, sizeof continuations, limit), limit);
    static const uint8_t unfinished[] = {'a', 0xf0, 0x9f, 0x98, 'b', 'c'};
    for (size_t limit = 0; limit <= sizeof unfinished; limit++)
        assert_int_equal(ks_text_cut(unfinished, sizeof unfinished, limit), limit);
    static const uint8_t euro_and_more[] = {0xe2, 0x82, 0xac, 0x82, 0x82};
    assert_int_equal(ks_text_cut(euro_and_more, sizeof euro_and_more, 2), 0);
    assert_int_equal(ks_text_cut(euro_and_more, sizeof euro_and_more, 3), 3);
    assert_int_equal(ks_text_cut(euro_and_more, sizeof euro_and_more, 4), 4);
}

static void cutting_piece_by_piece_always_comes_to_the_end(void **state)
{
    (void)state;
    uint8_t bytes[64];
    uint32_t seed = 1;
    for (int round = 0; round < 20000; round++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            seed = seed * 1664525U + 1013904223U;
            bytes[i] = (uint8_t)(seed >> 24);
        }
        size_t done = 0;
        while (done < sizeof bytes) {
            size_t cut = ks_text_cut(bytes + done, sizeof bytes - done, 4);
            assert_in_range(cut, 1, 4); /* no character is longer than four bytes */
            done += cut;
        }
    }
}

/* ---- escapes ---- */

static void assert_escaped(const char *text, size_t size, const char *expected)
{
    char escaped[256];
    uint8_t *bytes = unit_exact_copy(text, size);
    assert_ptr_equal(ks_text_escape(bytes, size, escaped, sizeof escaped), escaped);
    free(bytes);
    assert_string_equal(escaped, expected);
}

static void escape_leaves_printable_text_alone(void **state)
{
    (void)state;
    assert_escaped("", 0, "");
    assert_escaped("plain ~", 7, "plain ~");
    assert_escaped("\xd7\xa7\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\xd7\xa7\xe2\x82\xac\xf0\x9f\x98\x80");
    assert_escaped("\xc2\xa0", 2, "\xc2\xa0"); /* the first after the C1 controls */
}

static void escape_for_quotation_marks_escapes_them_too(void **state)
{
    char escaped[16];
    (void)state;
    assert_string_equal(ks_text_escape_quoted("a\"\\\n", 4, escaped, sizeof escaped), "a\\x22\\x5c\\x0a");
    assert_string_equal(ks_text_escape("a\"b", 3, escaped, sizeof escaped), "a\"b");
}

static void escape_turns_controls_and_malformed_bytes_into_hex(void **state)
{
    (void)state;
    assert_escaped("a\nb\r\t", 5, "a\\x0ab\\x0d\\x09");
    assert_escaped("\x1b[31m\x7f", 6, "\\x1b[31m\\x7f");
    assert_escaped("\0", 1, "\\x00");
    assert_escaped("\\n", 2, "\\x5cn");
    assert_escaped("\xff\xc0\x80", 3, "\\xff\\xc0\\x80");
    assert_escaped("\xe2\x82", 2, "\\xe2\\x82");
    assert_escaped("\xc2\x9b"
                   "31m",
                   5, "\\xc2\\x9b31m"); /* C1: CSI in one character */
    assert_escaped("\xc2\x80\xc2\x9f", 4, "\\xc2\\x80\\xc2\\x9f");
}

static void escape_shows_what_turns_the_direction_of_writing(void **state)
{
    (void)state;
    assert_escaped("\xe2\x80\xaa\xe2\x80\xae", 6, "\\xe2\\x80\\xaa\\xe2\\x80\\xae");
    assert_escaped("\xe2\x81\xa6\xe2\x81\xa9", 6, "\\xe2\\x81\\xa6\\xe2\\x81\\xa9");
    assert_escaped("\xe2\x80\xa7\xe2\x80\xaf", 6, "\xe2\x80\xa7\xe2\x80\xaf"); /* their neighbours */
    assert_escaped("\xe2\x81\xa5\xe2\x81\xb0", 6, "\xe2\x81\xa5\xe2\x81\xb0");
}

static void escape_shows_what_ends_a_line_or_is_not_seen(void **state)
{
    (void)state;
    assert_escaped("\xe2\x80\xa8\xe2\x80\xa9", 6, "\\xe2\\x80\\xa8\\xe2\\x80\\xa9");
    assert_escaped("\xd8\x9c\xe2\x80\x8f", 5, "\\xd8\\x9c\\xe2\\x80\\x8f");
    assert_escaped("\xef\xbb\xbf", 3, "\\xef\\xbb\\xbf");
}

static void shell_word_is_one_word_of_a_shell(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"alice", "alice"},
        {"a/b-1.x", "a/b-1.x"},
        {"Anna B", "'Anna B'"},
        {"", "''"},
        {"it's", "'it'\\''s'"},
        {"-rf", "'-rf'"},
        {"$(x)", "'$(x)'"},
        {"~", "'~'"},
        {"a\\b", "'a\\b'"},
        {"a\x1b"
         "b",
         "a\\x1bb"},
    };
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++) {
        char word[64];
        assert_string_equal(ks_text_shell_word(cases[i][0], word, sizeof word), cases[i][1]);
    }
}

static void shell_word_without_room_is_cut_and_is_no_command(void **state)
{
    (void)state;
    char word[16];
    assert_string_equal(ks_text_shell_word("012345678901234", word, sizeof word), "012345678901234");
    assert_string_equal(ks_text_shell_word("0123456789012345", word, sizeof word), "012345678901...");
    assert_string_equal(ks_text_shell_word("a 23456789012", word, sizeof word), "'a 23456789012'");
    assert_string_equal(ks_text_shell_word("a 234567890123", word, sizeof word), "a 234567890123");
}

static size_t encode(unsigned point, uint8_t bytes[4])
{
    if (point < 0x80) {
        bytes[0] = (uint8_t)point;
        return 1;
    }
    size_t size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--) {
        bytes[i] = (uint8_t)(0x80 | (point & 0x3F));
        point >>= 6;
    }
    bytes[0] = (uint8_t)(0xF0U << (4 - size) | point);
    return size;
}

static bool is_one_of(unsigned point, const unsigned *points, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (points[i] == point)
            return true;
    return false;
}

static void every_character_but_these_is_harmless(void **state)
{
    static const unsigned harmful[] = {0x7F,   0x061C, 0x200E, 0x200F, 0x2028, 0x2029, 0x202A, 0x202B,
                                       0x202C, 0x202D, 0x202E, 0x2066, 0x2067, 0x2068, 0x2069, 0x206A,
                                       0x206B, 0x206C, 0x206D, 0x206E, 0x206F, 0xFEFF};
    static const unsigned marks[] = {0x061C, 0x200E, 0x200F};
    (void)state;
    for (unsigned point = 0; point <= 0x10FFFF; point++) {
        uint8_t bytes[4];
        size_t size = encode(point, bytes);
        bool is_character = point < 0xD800 || point > 0xDFFF;
        bool is_control = point < 0x20 || (point >= 0x80 && point < 0xA0);
        assert_int_equal(ks_text_is_harmless(bytes, size),
                         is_character && !is_control && !is_one_of(point, harmful, KS_COUNT_OF(harmful)));
        assert_int_equal(ks_text_is_direction_mark(bytes, size), is_one_of(point, marks, KS_COUNT_OF(marks)));
    }
    assert_false(ks_text_is_harmless((const uint8_t *)"", 0));
    assert_false(ks_text_is_harmless((const uint8_t *)"ab", 2));
}

static void escape_cuts_what_does_not_fit(void **state)
{
    (void)state;
    char escaped[8];
    ks_text_escape("1234567", 7, escaped, sizeof escaped);
    assert_string_equal(escaped, "1234567"); /* fits exactly */
    ks_text_escape("12345678", 8, escaped, sizeof escaped);
    assert_string_equal(escaped, "1234...");
    ks_text_escape("1234\n", 5, escaped, sizeof escaped);
    assert_string_equal(escaped, "1234...");
    ks_text_escape("\n\n", 2, escaped, sizeof escaped);
    assert_string_equal(escaped, "\\x0a...");
    ks_text_escape("123\xe2\x82\xac"
                   "4567",
                   10, escaped, sizeof escaped);
    assert_string_equal(escaped, "123..."); /* the euro is not split */
    ks_text_escape("\xc2\x9b", 2, escaped, sizeof escaped);
    assert_string_equal(escaped, "..."); /* eight bytes, and no room for the NUL */
}

static void escape_stays_inside_every_capacity(void **state)
{
    (void)state;
    static const char text[] = "a\n\xc2\x9b\xe2\x82\xac\xff"
                               "bcdefgh\\i";
    for (size_t capacity = 8; capacity < 64; capacity++) {
        char *escaped = malloc(capacity); /* of exactly this size, so that a write past it is seen */
        assert_non_null(escaped);
        ks_text_escape(text, sizeof text - 1, escaped, capacity);
        assert_true(strlen(escaped) < capacity);
        free(escaped);
    }
}

/* ---- hex ---- */

static void hex_is_written_in_lower_case(void **state)
{
    (void)state;
    char hex[9];
    ks_text_to_hex((const uint8_t[]){0x00, 0x7f, 0xab, 0xff}, 4, hex);
    assert_string_equal(hex, "007fabff");
    ks_text_to_hex(NULL, 0, hex);
    assert_string_equal(hex, "");
}

static bool hex_reads(const char *hex, const uint8_t *expected, size_t size)
{
    size_t hex_size = strlen(hex);
    uint8_t *copy = unit_exact_copy(hex, hex_size);
    uint8_t *bytes = malloc(size > 0 ? size : 1); /* of exactly this size, so that a write past it is seen */
    assert_non_null(bytes);
    bool read = ks_text_from_hex((const char *)copy, hex_size, bytes, size);
    bool equal = read && (size == 0 || memcmp(bytes, expected, size) == 0);
    free(copy);
    free(bytes);
    return equal;
}

static void hex_is_read_liberally(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x01, 0xab, 0xcd};
    assert_true(hex_reads("01abcd", bytes, 3));
    assert_true(hex_reads("01ABcD", bytes, 3));
    assert_true(hex_reads("01 ab cd", bytes, 3));
    assert_true(hex_reads(" \t01  ab\tcd ", bytes, 3));
    assert_true(hex_reads("", bytes, 0));
    assert_true(hex_reads("  ", bytes, 0));
}

static void hex_with_other_characters_or_another_length_is_refused(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x01, 0xab, 0xcd};
    assert_false(hex_reads("01abc", bytes, 3));
    assert_false(hex_reads("01ab", bytes, 3));
    assert_false(hex_reads("01abcdef", bytes, 3));
    assert_false(hex_reads("01abcg", bytes, 3));
    assert_false(hex_reads("0x01abcd", bytes, 3));
    assert_false(hex_reads("01-ab-cd", bytes, 3));
    assert_false(hex_reads("0 1abcd", bytes, 3)); /* a blank inside a pair */
    assert_false(hex_reads("01abc ", bytes, 3));
    assert_false(hex_reads("@1abcd", bytes, 3)); /* the neighbours of the digits */
    assert_false(hex_reads("/1abcd", bytes, 3));
    assert_false(hex_reads(":1abcd", bytes, 3));
    assert_false(hex_reads("`1abcd", bytes, 3));
    assert_false(hex_reads("G1abcd", bytes, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(user_name_takes_printable_ascii),
        cmocka_unit_test(user_name_refuses_everything_else),
        cmocka_unit_test(user_name_has_1_to_254_bytes),
        cmocka_unit_test(user_name_is_not_all_blank),
        cmocka_unit_test(a_new_user_name_has_no_blank_at_either_end),
        cmocka_unit_test(the_case_of_letters_is_that_of_ascii),
        cmocka_unit_test(utf8_length_knows_every_form),
        cmocka_unit_test(utf8_length_takes_every_code_point_but_surrogates),
        cmocka_unit_test(cut_never_splits_a_character),
        cmocka_unit_test(cut_takes_malformed_bytes_as_characters_of_one_byte),
        cmocka_unit_test(cutting_piece_by_piece_always_comes_to_the_end),
        cmocka_unit_test(escape_leaves_printable_text_alone),
        cmocka_unit_test(escape_for_quotation_marks_escapes_them_too),
        cmocka_unit_test(escape_turns_controls_and_malformed_bytes_into_hex),
        cmocka_unit_test(escape_shows_what_turns_the_direction_of_writing),
        cmocka_unit_test(escape_shows_what_ends_a_line_or_is_not_seen),
        cmocka_unit_test(shell_word_is_one_word_of_a_shell),
        cmocka_unit_test(shell_word_without_room_is_cut_and_is_no_command),
        cmocka_unit_test(every_character_but_these_is_harmless),
        cmocka_unit_test(escape_cuts_what_does_not_fit),
        cmocka_unit_test(escape_stays_inside_every_capacity),
        cmocka_unit_test(hex_is_written_in_lower_case),
        cmocka_unit_test(hex_is_read_liberally),
        cmocka_unit_test(hex_with_other_characters_or_another_length_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
