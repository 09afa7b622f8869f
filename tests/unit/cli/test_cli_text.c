/* Unit tests of cli/terminal/text_stream.h and cli/terminal/shown_name.h: texts and names of strangers on
 * their way to a terminal or into JSON, however they are cut. */
#include "unit/unit.h"

#include "base/text.h"
#include "cli/terminal/shown_name.h"
#include "cli/terminal/text_stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OUT_SIZE = 1024 };

/* Converts one piece into exactly the room that the header asks for, so that a write past it is seen. */
static size_t convert_piece(struct ks_text_stream *stream, const uint8_t *bytes, size_t size, char *out)
{
    size_t room = KS_TEXT_STREAM_GROWTH * size + KS_TEXT_STREAM_REST;
    uint8_t *piece = unit_exact_copy(bytes, size);
    char *exact = malloc(room);
    assert_non_null(exact);
    size_t given = ks_text_stream_convert(stream, piece, size, exact);
    assert_true(given <= room);
    memcpy(out, exact, given);
    free(exact);
    free(piece);
    return given;
}

/* The whole text in pieces that end at `first` and `second`; how many bytes came out. */
static size_t convert_cut(enum ks_text_form form, const uint8_t *bytes, size_t size, size_t first,
                          size_t second, char *out)
{
    struct ks_text_stream stream = ks_text_stream_begin(form);
    size_t used = convert_piece(&stream, bytes, first, out);
    used += convert_piece(&stream, bytes + first, second - first, out + used);
    used += convert_piece(&stream, bytes + second, size - second, out + used);
    return used + ks_text_stream_end(&stream, out + used);
}

static size_t convert_bytewise(enum ks_text_form form, const uint8_t *bytes, size_t size, char *out)
{
    struct ks_text_stream stream = ks_text_stream_begin(form);
    size_t used = 0;
    for (size_t i = 0; i < size; i++)
        used += convert_piece(&stream, bytes + i, 1, out + used);
    return used + ks_text_stream_end(&stream, out + used);
}

static void assert_out(const char *out, size_t used, const char *expected, const char *where)
{
    if (used != strlen(expected) || memcmp(out, expected, used) != 0)
        fail_msg("%s: '%.*s' instead of '%s'", where, (int)used, out, expected);
}

/* At every two cuts, and byte by byte. */
static void assert_converted(enum ks_text_form form, const char *text, size_t size, const char *expected)
{
    char out[OUT_SIZE];
    char where[64];
    const uint8_t *bytes = (const uint8_t *)text;
    for (size_t second = 0; second <= size; second++) {
        for (size_t first = 0; first <= second; first++) {
            (void)snprintf(where, sizeof where, "cut at %zu and %zu", first, second);
            size_t used = convert_cut(form, bytes, size, first, second, out);
            assert_out(out, used, expected, where);
        }
    }
    size_t used = convert_bytewise(form, bytes, size, out);
    assert_out(out, used, expected, "byte by byte");
}

static const struct {
    const char *text;
    size_t size;
    const char *terminal;
    const char *json;
} table[] = {
    {"", 0, "", ""},
    {"plain ~", 7, "plain ~", "plain ~"},
    {"\xd7\xa7\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\xd7\xa7\xe2\x82\xac\xf0\x9f\x98\x80",
     "\xd7\xa7\xe2\x82\xac\xf0\x9f\x98\x80"},
    {"a\tb\nc", 5, "a\tb\nc", "a\\tb\\nc"},
    {"C:\\x \"q\"", 8, "C:\\x \"q\"", "C:\\\\x \\\"q\\\""},
    /* line ends */
    {"a\r\nb", 4, "a\nb", "a\\u000d\\nb"},
    {"a\rb", 3, "a\\x0db", "a\\u000db"},
    {"\r", 1, "\\x0d", "\\u000d"},
    {"\r\r\n\r", 4, "\\x0d\n\\x0d", "\\u000d\\u000d\\n\\u000d"},
    {"\r\xff", 2, "\\x0d\xef\xbf\xbd", "\\u000d\\ufffd"},
    {"\r\xd7\xa7", 3, "\\x0d\xd7\xa7", "\\u000d\xd7\xa7"},
    {"\r\xd7\n", 3, "\\x0d\xef\xbf\xbd\n", "\\u000d\\ufffd\\n"},
    /* controls */
    {"\x1b[31m", 5, "\\x1b[31m", "\\u001b[31m"},
    {"\0\a\x7f", 3, "\\x00\\x07\\x7f", "\\u0000\\u0007\\u007f"},
    {"\xc2\x80\xc2\x9f\xc2\xa0", 6, "\\xc2\\x80\\xc2\\x9f\xc2\xa0", "\\u0080\\u009f\xc2\xa0"},
    /* what turns the direction of writing, and its neighbours */
    {"\xe2\x80\xa7\xe2\x80\xaa\xe2\x80\xae\xe2\x80\xaf", 12,
     "\xe2\x80\xa7\\xe2\\x80\\xaa\\xe2\\x80\\xae\xe2\x80\xaf", "\xe2\x80\xa7\\u202a\\u202e\xe2\x80\xaf"},
    {"\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xb0", 12,
     "\xe2\x81\xa5\\xe2\\x81\\xa6\\xe2\\x81\\xa9\xe2\x81\xb0", "\xe2\x81\xa5\\u2066\\u2069\xe2\x81\xb0"},
    /* other ends of lines; marks of direction stay */
    {"\xe2\x80\xa8\xe2\x80\xa9", 6, "\\xe2\\x80\\xa8\\xe2\\x80\\xa9", "\\u2028\\u2029"},
    {"\xd7\xa9!\xe2\x80\x8f\xd8\x9c", 8, "\xd7\xa9!\xe2\x80\x8f\xd8\x9c", "\xd7\xa9!\xe2\x80\x8f\xd8\x9c"},
    /* not UTF-8: one U+FFFD for each longest beginning of a character */
    {"\xff\xfe", 2, "\xef\xbf\xbd\xef\xbf\xbd", "\\ufffd\\ufffd"},
    {"\x80\xbf", 2, "\xef\xbf\xbd\xef\xbf\xbd", "\\ufffd\\ufffd"},
    {"\xc0\x80", 2, "\xef\xbf\xbd\xef\xbf\xbd", "\\ufffd\\ufffd"},
    {"\xe2\x82", 2, "\xef\xbf\xbd", "\\ufffd"},
    {"\xe2\x82"
     "a",
     3,
     "\xef\xbf\xbd"
     "a",
     "\\ufffda"},
    {"\xf0\x9f\x98\xf0\x9f\x98\x80", 7, "\xef\xbf\xbd\xf0\x9f\x98\x80", "\\ufffd\xf0\x9f\x98\x80"},
    {"\xe0\x9f\xbf", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "\\ufffd\\ufffd\\ufffd"},
    {"\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "\\ufffd\\ufffd\\ufffd"},
    {"\xf4\x90\x80\x80", 4, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
     "\\ufffd\\ufffd\\ufffd\\ufffd"},
    {"\xe1\x80\xe2\xf0\x91\x92\xf1\xbf"
     "A",
     9,
     "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
     "A",
     "\\ufffd\\ufffd\\ufffd\\ufffdA"},
};

static void terminal_gets_nothing_that_commands_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(table); i++)
        assert_converted(KS_TEXT_FOR_TERMINAL, table[i].text, table[i].size, table[i].terminal);
}

/* No line of the table looks like one of ours. */
static void message_is_as_for_a_terminal(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(table); i++)
        assert_converted(KS_TEXT_FOR_MESSAGE, table[i].text, table[i].size, table[i].terminal);
}

static void line_of_a_message_that_looks_like_ours_is_marked(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *shown;
    } cases[] = {
        {"From: bob", "> From: bob"},
        {"From: ", "> From: "},
        {"Content:", "> Content:"},
        {"-----<EOM>-----", "> -----<EOM>-----"},
        {"a\n-----<EOM>-----\r\n\nFrom: b\n", "a\n> -----<EOM>-----\n\n> From: b\n"},
        {"-----<EOM>----- ", "> -----<EOM>----- "},
        /* with what nobody sees in it */
        {"\xe2\x80\x8b\xe2\x81\xa0"
         "Fr\xc2\xadom: b",
         "> \xe2\x80\x8b\xe2\x81\xa0"
         "Fr\xc2\xadom: b"},
        {"\xe2\x81\xa0"
         "x",
         "\xe2\x81\xa0"
         "x"},
        /* what goes before in the same line is seen */
        {"x From: b", "x From: b"},
        {" From: b", " From: b"},
        {"\rFrom: b", "\\x0dFrom: b"},
        {"\xff"
         "From: b",
         "\xef\xbf\xbd"
         "From: b"},
        {"\x1b"
         "From: b",
         "\\x1bFrom: b"},
        {"> From: b", "> From: b"},
        /* what only begins so */
        {"From:b", "From:b"},
        {"From\n: b", "From\n: b"},
        {"FFrom: b", "FFrom: b"},
        {"from: b", "from: b"},
        {"Contents:", "Contents:"},
        {"-----<EOM>----", "-----<EOM>----"},
        {"------<EOM>-----", "------<EOM>-----"},
        {"C", "C"},
        {"C\xd7\xa7", "C\xd7\xa7"},
        {"Fr\xff", "Fr\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++)
        assert_converted(KS_TEXT_FOR_MESSAGE, cases[i].text, strlen(cases[i].text), cases[i].shown);
}

/* More of them than are kept in mind: such a line is marked without being looked at to its end. */
static void line_that_begins_with_many_invisible_characters_is_marked(void **state)
{
    (void)state;
    char text[3 * 100 + 8] = "";
    char shown[sizeof text + 2] = "> ";
    for (int i = 0; i < 100; i++)
        strcat(text, "\xe2\x80\x8b");
    strcat(text, "From: b");
    strcat(shown, text);
    char out[OUT_SIZE];
    size_t used = convert_bytewise(KS_TEXT_FOR_MESSAGE, (const uint8_t *)text, strlen(text), out);
    assert_out(out, used, shown, "byte by byte");
    used = convert_cut(KS_TEXT_FOR_MESSAGE, (const uint8_t *)text, strlen(text), 0, 0, out);
    assert_out(out, used, shown, "at once");
}

static void json_loses_nothing_but_what_is_no_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(table); i++)
        assert_converted(KS_TEXT_FOR_JSON, table[i].text, table[i].size, table[i].json);
}

/* True when `out` is well-formed, and every character of it may go to a terminal or stand in a JSON string.
 */
static bool is_clean(enum ks_text_form form, const char *out, size_t size)
{
    const uint8_t *bytes = (const uint8_t *)out;
    while (size > 0) {
        size_t length = ks_text_utf8_length(bytes, size);
        bool is_layout = form != KS_TEXT_FOR_JSON && (bytes[0] == '\n' || bytes[0] == '\t');
        if (length == 0 ||
            (!is_layout && !ks_text_is_harmless(bytes, length) && !ks_text_is_direction_mark(bytes, length)))
            return false;
        bytes += length;
        size -= length;
    }
    return true;
}

/* Bytes of the kinds that matter, so that well-formed characters come about, too. */
static uint8_t interesting_byte(uint32_t random)
{
    static const uint8_t bytes[] = {'a',  '\r', '\n', 0x1b, 0x7f, 0x80, 0x81, 0x9b, 0xa6, 0xaa, 0xbf,
                                    0xc2, 0xd7, 0xe0, 0xe2, 0xed, 0xef, 0xf0, 0xf4, 0xff, '"',  '\\',
                                    0x00, '\t', 'F',  'r',  'o',  'm',  ':',  ' ',  'C',  '-'};
    return bytes[random % sizeof bytes];
}

static void any_bytes_come_out_clean_and_the_same_however_they_are_cut(void **state)
{
    (void)state;
    uint32_t seed = 7;
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[24];
        char whole[OUT_SIZE];
        char cut[OUT_SIZE];
        for (size_t i = 0; i < sizeof bytes; i++) {
            seed = seed * 1664525U + 1013904223U;
            bytes[i] = interesting_byte(seed >> 16);
        }
        static const enum ks_text_form forms[] = {KS_TEXT_FOR_TERMINAL, KS_TEXT_FOR_MESSAGE,
                                                  KS_TEXT_FOR_JSON};
        enum ks_text_form form = forms[round % 3];
        size_t size = convert_cut(form, bytes, sizeof bytes, sizeof bytes, sizeof bytes, whole);
        assert_true(is_clean(form, whole, size));
        size_t first = seed % 12;
        assert_int_equal(convert_cut(form, bytes, sizeof bytes, first, first + 12, cut), size);
        assert_memory_equal(cut, whole, size);
    }
}

static bool ends_at_line_start(const char *text, size_t size)
{
    char out[OUT_SIZE];
    struct ks_text_stream stream = ks_text_stream_begin(KS_TEXT_FOR_MESSAGE);
    size_t used = ks_text_stream_convert(&stream, text, size, out);
    (void)ks_text_stream_end(&stream, out + used);
    return stream.at_line_start;
}

static void it_is_known_whether_the_last_line_ended(void **state)
{
    (void)state;
    assert_false(ends_at_line_start("", 0));
    assert_false(ends_at_line_start("a", 1));
    assert_true(ends_at_line_start("a\n", 2));
    assert_true(ends_at_line_start("a\r\n", 3));
    assert_false(ends_at_line_start("a\n\r", 3));
    assert_false(ends_at_line_start("a\n\xe2", 3));
    assert_false(ends_at_line_start("a\n\xff", 3));
    assert_false(ends_at_line_start("a\n\xd7\xa7", 4));
    assert_false(ends_at_line_start("a\nb", 3));
    assert_false(ends_at_line_start("a\nFro", 5));
    assert_true(ends_at_line_start("a\nFrom: \n", 9));
}

/* ---- names ---- */

static void names_that_could_deceive_are_quoted(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *shown;
    } cases[] = {
        {"alice", "alice"},
        {"Anna Maria", "Anna Maria"},
        {"o'hara", "o'hara"},
        {"back\\slash", "back\\x5cslash"},
        {"alice ", "\"alice \""},
        {" alice", "\" alice\""},
        {"a  b", "\"a  b\""},
        {"alice: hi", "\"alice: hi\""},
        {"From: bob", "\"From: bob\""},
        {"Content:", "\"Content:\""},
        {"(key not accepted)", "\"(key not accepted)\""},
        {"\"", "\"\\x22\""},
        {"a\" b: \"c", "\"a\\x22 b: \\x22c\""},
        {"00112233445566778899aabbccddeeff", "\"00112233445566778899aabbccddeeff\""},
        {"a\nFrom: b", "\"a\\x0aFrom: b\""},
        {"", "\"\""},
    };
    char shown[KS_SHOWN_NAME_SIZE];
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++)
        assert_string_equal(ks_shown_name(cases[i].name, shown), cases[i].shown);
}

static void longest_names_fit_in_their_quotes(void **state)
{
    (void)state;
    static const char bytes[] = {'"', '\\', '\xff'};
    char name[KESHER_NAME_SIZE];
    for (size_t i = 0; i < KS_COUNT_OF(bytes); i++) {
        char *shown = malloc(KS_SHOWN_NAME_SIZE);
        assert_non_null(shown);
        memset(name, bytes[i], sizeof name - 1);
        name[0] = ':';
        name[sizeof name - 1] = '\0';
        size_t size = strlen(ks_shown_name(name, shown));
        assert_int_equal(size, 1 + 1 + 4 * (KESHER_NAME_SIZE - 2) + 1);
        assert_true(shown[0] == '"' && shown[size - 1] == '"' && strchr(shown + 1, '"') == shown + size - 1);
        free(shown);
    }
}

/* What is written from right to left turns nothing round that stands beside it. */
static void names_beyond_ascii_keep_their_direction_to_themselves(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *shown;
    } cases[] = {
        {"alice", "alice"},
        {"a:b", "\"a:b\""},
        {"\327\223\327\240\327\224", "\342\201\250\327\223\327\240\327\224\342\201\251"},
        {"\327\223:", "\342\201\250\"\327\223:\"\342\201\251"},
        /* Marks of its own would end ours: they are made visible. */
        {"a\342\201\251b", "a\\xe2\\x81\\xa9b"},
    };
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++) {
        char shown[KS_SHOWN_NAME_SIZE];
        assert_string_equal(ks_shown_name_isolated(cases[i].name, shown), cases[i].shown);
    }
}

static void longest_name_has_room_for_its_isolates(void **state)
{
    (void)state;
    char name[KESHER_NAME_SIZE];
    char shown[KS_SHOWN_NAME_SIZE];
    memset(name, '\x01', sizeof name - 1);
    memcpy(name + sizeof name - 3, "\303\251", 3); /* e acute, and the NUL */
    name[0] = '(';
    size_t size = strlen(ks_shown_name_isolated(name, shown));
    assert_in_range(size, 4 * (sizeof name - 8), sizeof shown - 1);
    assert_memory_equal(shown + size - 3, "\342\201\251", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terminal_gets_nothing_that_commands_it),
        cmocka_unit_test(message_is_as_for_a_terminal),
        cmocka_unit_test(line_of_a_message_that_looks_like_ours_is_marked),
        cmocka_unit_test(line_that_begins_with_many_invisible_characters_is_marked),
        cmocka_unit_test(json_loses_nothing_but_what_is_no_text),
        cmocka_unit_test(any_bytes_come_out_clean_and_the_same_however_they_are_cut),
        cmocka_unit_test(it_is_known_whether_the_last_line_ended),
        cmocka_unit_test(names_that_could_deceive_are_quoted),
        cmocka_unit_test(longest_names_fit_in_their_quotes),
        cmocka_unit_test(names_beyond_ascii_keep_their_direction_to_themselves),
        cmocka_unit_test(longest_name_has_room_for_its_isolates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
