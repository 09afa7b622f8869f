/* test_chat_codec.c — the bytes of group chat (protocol.md §2): lines, numbers, and what becomes of
 * characters that are cut, wrong or dangerous. */
#include "unit/unit.h"

#include "base/text.h"
#include "wire/chat_codec.h"

#include <stdio.h>

enum { CLEAN_SIZE = 1024 };

/* ---- lines ---- */

static void a_line_ends_at_lf_cr_or_crlf(void **state)
{
    static const struct {
        const char *bytes;
        size_t line, taken; /* taken 0: no line */
    } cases[] = {{"", 0, 0},         {"abc", 0, 0},      {"\n", 0, 1},     {"\r", 0, 1},
                 {"\r\n", 0, 2},     {"ab\n", 2, 3},     {"ab\r", 2, 3},   {"ab\r\n", 2, 4},
                 {"ab\n\r", 2, 3},   {"ab\r\r\n", 2, 3}, {"a\nb\n", 1, 2}, {"a\r\nb\r\n", 1, 3},
                 {"\n\nab\n", 0, 1}, {"a\rb\n", 1, 2}};
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++) {
        size_t size = strlen(cases[i].bytes);
        size_t line = 99;
        size_t taken = 99;
        uint8_t *bytes = unit_exact_copy(cases[i].bytes, size);
        bool found = ks_chat_line(bytes, size, &line, &taken);
        assert_int_equal(found, cases[i].taken > 0);
        assert_int_equal(line, found ? cases[i].line : 99);
        assert_int_equal(taken, found ? cases[i].taken : 99);
        free(bytes);
    }
}

static void a_line_that_is_cut_short_is_none_unless_its_cr_is_there(void **state)
{
    static const uint8_t text[] = "one line\r\n";
    enum { LINE = 8 };
    (void)state;
    for (size_t cut = 0; cut < sizeof text; cut++) {
        size_t line = 0;
        size_t taken = 0;
        uint8_t *bytes = unit_exact_copy(text, cut);
        assert_int_equal(ks_chat_line(bytes, cut, &line, &taken), cut > LINE);
        assert_int_equal(line, cut > LINE ? LINE : 0);
        assert_int_equal(taken, cut > LINE ? cut : 0);
        free(bytes);
    }
}

/* ---- blanks and numbers ---- */

static void blanks_and_tabs_around_a_text_are_trimmed_and_none_inside(void **state)
{
    static const struct {
        const char *text;
        size_t start, size;
    } cases[] = {{"", 0, 0},     {" ", 1, 0},        {" \t ", 3, 0}, {"a", 0, 1},   {"1 ", 0, 1},
                 {" \t2", 2, 1}, {"\ta b\t ", 1, 3}, {"\r1", 0, 2},  {"1\n", 0, 2}, {"\xc2\xa0", 0, 2}};
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++) {
        size_t size = strlen(cases[i].text);
        size_t start = 99;
        uint8_t *text = unit_exact_copy(cases[i].text, size);
        assert_int_equal(ks_chat_trim(text, size, &start), cases[i].size);
        assert_int_equal(start, cases[i].start);
        free(text);
    }
}

static void a_group_number_is_digits_and_not_zero(void **state)
{
    static const struct {
        const char *text;
        unsigned number; /* 0: none */
    } cases[] = {{"1", 1},
                 {"42", 42},
                 {" 7\t", 7},
                 {"007", 7},
                 {"4000000000", 4000000000},
                 {"4294967289", 4294967289},
                 {"99999999999", 0},
                 {"4294967296", 0},
                 {"18446744073709551617", 0},
                 {"", 0},
                 {"  ", 0},
                 {"0", 0},
                 {"000", 0},
                 {"-1", 0},
                 {"+1", 0},
                 {"1 2", 0},
                 {"1a", 0},
                 {"a1", 0},
                 {"0x1", 0},
                 {"1.0", 0},
                 {"\xd9\xa1", 0},
                 {"1\n", 0}};
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++) {
        size_t size = strlen(cases[i].text);
        unsigned number = 0;
        uint8_t *text = unit_exact_copy(cases[i].text, size);
        assert_int_equal(ks_chat_group_number(text, size, &number), cases[i].number > 0);
        if (cases[i].number > 0)
            assert_int_equal(number, cases[i].number);
        free(text);
    }
}

static void a_nul_is_no_end_of_a_group_number(void **state)
{
    unsigned number = 0;
    (void)state;
    assert_false(ks_chat_group_number((const uint8_t *)"1\0002", 3, &number));
}

/* ---- characters that are not complete ---- */

static void every_cut_of_a_character_is_unfinished_and_the_whole_is_not(void **state)
{
    static const char *const characters[] = {"a",
                                             "\xc2\x80",
                                             "\xdf\xbf",
                                             "\xe0\xa0\x80",
                                             "\xed\x9f\xbf",
                                             "\xee\x80\x80",
                                             "\xf0\x90\x80\x80",
                                             "\xf1\x80\x80\x80",
                                             "\xf4\x8f\xbf\xbf",
                                             "\xe2\x82\xac"};
    static const char before[] = "x\xc3\xa9";
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(characters); i++) {
        size_t length = strlen(characters[i]);
        for (size_t cut = 1; cut <= length; cut++) {
            uint8_t bytes[8];
            memcpy(bytes, before, sizeof before - 1);
            memcpy(bytes + sizeof before - 1, characters[i], cut);
            size_t expected = cut < length ? cut : 0;
            uint8_t *alone = unit_exact_copy(characters[i], cut);
            uint8_t *behind = unit_exact_copy(bytes, sizeof before - 1 + cut);
            assert_int_equal(ks_chat_unfinished(alone, cut), expected);
            assert_int_equal(ks_chat_unfinished(behind, sizeof before - 1 + cut), expected);
            free(alone);
            free(behind);
        }
    }
    assert_int_equal(ks_chat_unfinished(NULL, 0), 0);
}

static void what_can_never_become_a_character_is_not_unfinished(void **state)
{
    static const char *const endings[] = {
        "\x80",         "\xbf\xbf",     "\x80\x80\x80", "\x80\x80\x80\x80", "\xc0",
        "\xc1",         "\xf5",         "\xff",         "\xe0\x80",         "\xe0\x9f",
        "\xed\xa0",     "\xed\xbf",     "\xf0\x80",     "\xf0\x8f",         "\xf4\x90",
        "\xf0\x80\x80", "\xf4\x90\x80", "\xc3\xa9\x80", "\xe2\x82\xac\x80", "\xc3z"};
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(endings); i++) {
        size_t size = strlen(endings[i]);
        uint8_t *bytes = unit_exact_copy(endings[i], size);
        assert_int_equal(ks_chat_unfinished(bytes, size), 0);
        free(bytes);
    }
}

/* ---- clean texts ---- */

/* From a copy of exactly the size to a place of exactly the size that the header promises. */
static size_t clean(const void *text, size_t size, char result[static CLEAN_SIZE])
{
    size_t room = size * KS_CHAT_CLEAN_FACTOR;
    uint8_t *copy = unit_exact_copy(text, size);
    uint8_t *cleaned = malloc(room > 0 ? room : 1);
    assert_non_null(cleaned);
    size_t cleaned_size = ks_chat_clean(copy, size, cleaned);
    assert_in_range(cleaned_size, 0, room < CLEAN_SIZE - 1 ? room : CLEAN_SIZE - 1);
    memcpy(result, cleaned, cleaned_size);
    result[cleaned_size] = '\0';
    free(cleaned);
    free(copy);
    return cleaned_size;
}

struct text_pair {
    const char *text;
    const char *clean;
};

static void assert_cleaned(const struct text_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char result[CLEAN_SIZE];
        clean(pairs[i].text, strlen(pairs[i].text), result);
        if (strcmp(result, pairs[i].clean) != 0)
            fail_msg("text %zu became \"%s\" instead of \"%s\"", i, result, pairs[i].clean);
    }
}

#define R "\xef\xbf\xbd" /* U+FFFD */

/* What bytes.decode("utf-8", errors="replace") makes of them in Python: one U+FFFD for each maximal subpart
 * (Unicode 15, 3.9, table 3-8). */
static void every_maximal_subpart_that_is_no_character_becomes_one_replacement(void **state)
{
    static const struct text_pair pairs[] = {
        {"\x80", R},
        {"\xbf", R},
        {"\x80\x80", R R},
        {"\xc0\xaf", R R},
        {"\xc1\xbf", R R},
        {"\xf5\x80\x80\x80", R R R R},
        {"\xfe\xff", R R},
        {"\xc3", R},
        {"\xc3z", R "z"},
        {"\xc3\xc3\xa9", R "\xc3\xa9"},
        {"\xe2\x82", R},
        {"\xe2\x82z", R "z"},
        {"\xe2z\x82", R "z" R},
        {"\xe0\x80\x80", R R R},
        {"\xe0\x9f\xbf", R R R},
        {"\xed\xa0\x80", R R R},
        {"\xed\xbf\xbf", R R R},
        {"\xf0\x9f\x98", R},
        {"\xf0\x9f\x98z", R "z"},
        {"\xf0\x9f\xf0\x9f\x98\x80", R "\xf0\x9f\x98\x80"},
        {"\xf0\x8f\xbf\xbf", R R R R},
        {"\xf4\x90\x80\x80", R R R R},
        {"\xf1\x80\x80\xc3\xa9", R "\xc3\xa9"},
        {"\xf8\x88\x80\x80\x80", R R R R R},
        {"a\xf1\x80\x80\xe1\x80\xc2"
         "b\x80"
         "c\x80\xbf"
         "d",
         "a" R R R "b" R "c" R R "d"},
        {"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", R R R R "A"},
    };
    (void)state;
    assert_cleaned(pairs, KS_COUNT_OF(pairs));
}

/* Plain text is looked at in blocks. */
static void what_is_not_plain_is_found_wherever_it_stands(void **state)
{
    static const struct text_pair pairs[] = {
        {"\x1f", ""}, {"\x7f", ""}, {"\x80", R},   {"\t", "\t"},
        {" ", " "},   {"~", "~"},   {"\x1bM", ""}, {"\xc3\xa9", "\xc3\xa9"},
    };
    enum { LONGEST = 50 };
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(pairs); i++)
        for (size_t before = 0; before < LONGEST; before++)
            for (size_t behind = 0; behind < LONGEST; behind += 7) {
                char text[CLEAN_SIZE];
                char expected[CLEAN_SIZE];
                char result[CLEAN_SIZE];
                int size = snprintf(text, sizeof text, "%0*d%s%0*d", (int)before + 1, 0, pairs[i].text,
                                    (int)behind + 1, 0);
                snprintf(expected, sizeof expected, "%0*d%s%0*d", (int)before + 1, 0, pairs[i].clean,
                         (int)behind + 1, 0);
                clean(text, (size_t)size, result);
                assert_string_equal(result, expected);
            }
}

static void characters_stay_as_they_are(void **state)
{
    static const struct text_pair pairs[] = {
        {"", ""},
        {"plain text, 100% ~", "plain text, 100% ~"},
        {"\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d"},
        {"\xe2\x82\xac", "\xe2\x82\xac"},
        {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"\xef\xbf\xbd", "\xef\xbf\xbd"},
        {"\xc2\xa0", "\xc2\xa0"},
        {"\xd9\x85\xe2\x80\x8c\xe2\x80\x8d", "\xd9\x85\xe2\x80\x8c\xe2\x80\x8d"}, /* joiners */
        {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
    };
    (void)state;
    assert_cleaned(pairs, KS_COUNT_OF(pairs));
}

static void characters_that_deceive_the_eye_go(void **state)
{
    static const struct text_pair pairs[] = {
        {"a\xe2\x80\xae"
         "b",
         "ab"}, /* U+202E */
        {"a\xe2\x80\xa8"
         "b\xe2\x80\xa9"
         "c",
         "abc"}, /* U+2028, U+2029 */
        {"\xe2\x81\xa6"
         "a\xe2\x81\xa9\xe2\x81\xaf",
         "a"},                                    /* U+2066, U+2069, U+206F */
        {"\xd8\x9c\xe2\x80\x8e\xe2\x80\x8f", ""}, /* U+061C, U+200E, U+200F */
        {"\xef\xbb\xbf"
         "a",
         "a"}, /* U+FEFF */
    };
    (void)state;
    assert_cleaned(pairs, KS_COUNT_OF(pairs));
}

static void controls_go_and_tabs_stay(void **state)
{
    char text[0x20 + 3 + 0x20 * 2];
    char result[CLEAN_SIZE];
    size_t size = 0;
    (void)state;
    for (unsigned byte = 0; byte < 0x20; byte++)
        if (byte != 0x1b)
            text[size++] = (char)byte;
    text[size++] = 0x7f;
    for (unsigned c1 = 0x80; c1 < 0xa0; c1++) {
        text[size++] = '\xc2';
        text[size++] = (char)c1;
    }
    assert_int_equal(clean(text, size, result), 1);
    assert_string_equal(result, "\t");
}

static void escape_sequences_go_whole(void **state)
{
    static const struct text_pair pairs[] = {
        {"\x1b[31mred\x1b[0m", "red"},
        {"\x1b[?25l\x1b[2J\x1b[1;1Hx", "x"},
        {"\x1b[38;2;1;2;3mx", "x"},
        {"\x1b[ qx", "x"},
        {"\x1b]0;title\x07x", "x"},
        {"\x1b]8;;http://x/\x1b\\link\x1b]8;;\x1b\\", "link"},
        {"\x1bPq#0;2\x1b\\x", "x"},
        {"\x1bXsos\x1b\\x\x1b^pm\x1b\\y\x1b_apc\x1b\\z", "xyz"},
        {"\x1b(Bx", "x"},
        {"\x1b#8x", "x"},
        {"\x1b"
         "cx\x1b=y\x1b>z",
         "xyz"},
        {"\x1b%Gx", "x"},
        {"\xc2\x9b"
         "31mx",
         "31mx"}, /* without its introducer it is only text */
    };
    (void)state;
    assert_cleaned(pairs, KS_COUNT_OF(pairs));
}

static void escape_sequences_that_do_not_end_leave_no_escape(void **state)
{
    static const struct text_pair pairs[] = {
        {"x\x1b", "x"},
        {"x\x1b[", "x"},
        {"x\x1b[31", "x"},
        {"x\x1b[31\xc3\xa9", "x\xc3\xa9"},
        {"x\x1b[31\x1b[0my", "xy"},
        {"x\x1b]0;no end", "x"},
        {"x\x1b]0;other\x1b[0my", "xy"},
        {"x\x1b]0;cut\x1b", "x"},
        {"x\x1b(", "x"},
        {"\x1b\x1b[31mx", "x"},
        {"\x1b\x1b\x1b", ""},
        {"\x1b\xc3\xa9", "\xc3\xa9"},
        {"\x1b\x80", R},
        {"\x1b\tx", "\tx"},
    };
    (void)state;
    assert_cleaned(pairs, KS_COUNT_OF(pairs));
}

static void a_nul_is_a_control_like_others(void **state)
{
    char result[CLEAN_SIZE];
    (void)state;
    assert_int_equal(clean("a\0b\x1b\0c", 6, result), 3);
    assert_string_equal(result, "abc");
}

/* Whatever comes in, also cut anywhere: only whole characters come out, no control among them; and what is
 * clean stays as it is. */
static void what_comes_out_is_always_clean(void **state)
{
    static const uint8_t alphabet[] = {0x1b, '[',  ']',  '\\', 'P',  'm',  '0',  ';',  ' ',
                                       0x07, 0x00, 0x09, 0x7f, 0xc2, 0x9b, 0x85, 0xa0, 0xe2,
                                       0x82, 0xed, 0xf0, 0x9f, 0xf4, 0xff, 0x80, 0xae, 0xa8};
    uint32_t random = 1;
    (void)state;
    for (unsigned run = 0; run < 20000; run++) {
        uint8_t text[24];
        char once[CLEAN_SIZE];
        char twice[CLEAN_SIZE];
        for (size_t i = 0; i < sizeof text; i++) {
            random = random * 1664525U + 1013904223U;
            text[i] = alphabet[(random >> 16) % sizeof alphabet];
        }
        size_t size = clean(text, run % (sizeof text + 1), once);
        for (size_t at = 0; at < size;) {
            size_t length = ks_text_utf8_length((const uint8_t *)once + at, size - at);
            assert_true(length > 0);
            assert_true(once[at] == '\t' || ks_text_is_harmless((const uint8_t *)once + at, length));
            at += length;
        }
        assert_int_equal(clean(once, size, twice), size);
        assert_memory_equal(once, twice, size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_ends_at_lf_cr_or_crlf),
        cmocka_unit_test(a_line_that_is_cut_short_is_none_unless_its_cr_is_there),
        cmocka_unit_test(blanks_and_tabs_around_a_text_are_trimmed_and_none_inside),
        cmocka_unit_test(a_group_number_is_digits_and_not_zero),
        cmocka_unit_test(a_nul_is_no_end_of_a_group_number),
        cmocka_unit_test(every_cut_of_a_character_is_unfinished_and_the_whole_is_not),
        cmocka_unit_test(what_can_never_become_a_character_is_not_unfinished),
        cmocka_unit_test(every_maximal_subpart_that_is_no_character_becomes_one_replacement),
        cmocka_unit_test(what_is_not_plain_is_found_wherever_it_stands),
        cmocka_unit_test(characters_stay_as_they_are),
        cmocka_unit_test(characters_that_deceive_the_eye_go),
        cmocka_unit_test(controls_go_and_tabs_stay),
        cmocka_unit_test(escape_sequences_go_whole),
        cmocka_unit_test(escape_sequences_that_do_not_end_leave_no_escape),
        cmocka_unit_test(a_nul_is_a_control_like_others),
        cmocka_unit_test(what_comes_out_is_always_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
