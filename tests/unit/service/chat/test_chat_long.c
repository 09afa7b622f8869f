/* test_chat_long.c — lines and answers that are longer than a message or a send may be: where they are cut
 * (protocol.md §2). */
#include "unit/service/chat/chat_fixture.h"

#include "base/text.h"

#define EURO   "\xe2\x82\xac"
#define SMILEY "\xf0\x9f\x98\x80"
#define R      "\xef\xbf\xbd"

enum { LONG = 10000 };

/* `count` times the same character. */
static char *repeated(const char *character, size_t count)
{
    size_t length = strlen(character);
    char *text = malloc(count * length + 1);
    assert_non_null(text);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * length, character, length);
    text[count * length] = '\0';
    return text;
}

/* The listener hears `text` in messages of `piece` bytes each, the last one shorter; in its own mode. */
static void assert_hears_pieces(struct hall *hall, unsigned listener, const char *text, size_t piece)
{
    struct ks_buffer expected = ks_buffer_empty(0);
    bool in_lines = listener == 1;
    for (size_t left = strlen(text); left > 0;) {
        size_t size = left < piece ? left : piece;
        struct ks_buffer message = ks_buffer_empty(0);
        assert_int_equal(ks_buffer_append(&message, "dana: ", 6), KS_OK);
        assert_int_equal(ks_buffer_append(&message, text, size), KS_OK);
        for (size_t at = 0; !in_lines && at < message.size;) {
            size_t part = ks_text_cut(message.bytes + at, message.size - at, KS_CHAT_SEND_LIMIT);
            assert_int_equal(ks_buffer_append(&expected, "<", 1), KS_OK);
            assert_int_equal(ks_buffer_append(&expected, message.bytes + at, part), KS_OK);
            assert_int_equal(ks_buffer_append(&expected, ">", 1), KS_OK);
            at += part;
        }
        if (in_lines) {
            assert_int_equal(ks_buffer_append(&expected, message.bytes, message.size), KS_OK);
            assert_int_equal(ks_buffer_append(&expected, "\n", 1), KS_OK);
        }
        ks_buffer_free(&message);
        text += size;
        left -= size;
    }
    assert_int_equal(ks_buffer_append(&expected, "", 1), KS_OK);
    assert_hears(hall, listener, (const char *)expected.bytes);
    ks_buffer_free(&expected);
}

/* "dana" speaks in the mode given; 1 hears lines, 2 chunks. */
static void enter_three(struct hall *hall, bool in_lines)
{
    enter_two(hall, in_lines);
    enter_as_member(hall, 2, 1, "noa", false);
}

static const struct {
    const char *character;
    size_t piece; /* of 4096 bytes, what holds whole characters */
} kinds[] = {{"x", 4096}, {"\xc3\xa9", 4096}, {EURO, 4095}, {SMILEY, 4096}};

static void a_long_message_is_split_between_characters_in_both_modes(void **state)
{
    struct hall *hall = *state;
    enter_three(hall, false);
    for (size_t i = 0; i < 2 * KS_COUNT_OF(kinds); i++) {
        size_t kind = i % KS_COUNT_OF(kinds);
        char *text = repeated(kinds[kind].character, LONG);
        say(hall, 0, text);
        if (i >= KS_COUNT_OF(kinds))
            say(hall, 0, "\n"); /* the first one begins line mode */
        assert_hears_pieces(hall, 1, text, kinds[kind].piece);
        assert_hears_pieces(hall, 2, text, kinds[kind].piece);
        free(text);
    }
}

static void a_long_line_is_split_the_same_whatever_the_reads(void **state)
{
    static const size_t steps[] = {0, 1, 3, 7, 1000, 4095, 4096, 4097, 8192, 30000};
    struct hall *hall = *state;
    enter_three(hall, true);
    for (size_t i = 0; i < KS_COUNT_OF(kinds); i++)
        for (size_t j = 0; j < KS_COUNT_OF(steps); j++) {
            char *text = repeated(kinds[i].character, LONG);
            fake_connection_send(&hall->peers[0], text, strlen(text), steps[j]);
            say(hall, 0, "\n");
            assert_hears_pieces(hall, 1, text, kinds[i].piece);
            assert_hears_pieces(hall, 2, text, kinds[i].piece);
            free(text);
        }
}

static void a_line_of_exactly_the_limit_is_one_message(void **state)
{
    struct hall *hall = *state;
    enter_three(hall, true);
    char *text = repeated("x", KS_CHAT_MESSAGE_LIMIT);
    for (size_t cut = 0; cut < 3; cut++) {
        say_bytes(hall, 0, text, KS_CHAT_MESSAGE_LIMIT - cut);
        say_bytes(hall, 0, text, cut);
        say(hall, 0, "\nnext\n");
        size_t size = 0;
        const char *heard = heard_since(hall, 1, &size);
        assert_int_equal(size, 6 + KS_CHAT_MESSAGE_LIMIT + 1 + sizeof "dana: next");
        assert_memory_equal(heard + size - 12, "\ndana: next\n", 12);
        forget_heard(hall, 1);
    }
    free(text);
}

static void lines_about_the_limit_end_where_they_end(void **state)
{
    static const char *const endings[] = {"\n", "\r", "\r\n"};
    struct hall *hall = *state;
    enter_two(hall, true);
    char *text = repeated("x", 2 * KS_CHAT_MESSAGE_LIMIT);
    for (size_t length = KS_CHAT_MESSAGE_LIMIT - 3; length < KS_CHAT_MESSAGE_LIMIT + 6; length++)
        for (size_t i = 0; i < KS_COUNT_OF(endings); i++) {
            struct ks_buffer input = ks_buffer_empty(0);
            size_t pieces = length > KS_CHAT_MESSAGE_LIMIT ? 2 : 1;
            size_t size = 0;
            assert_int_equal(ks_buffer_append(&input, text, length), KS_OK);
            assert_int_equal(ks_buffer_append(&input, endings[i], strlen(endings[i])), KS_OK);
            assert_int_equal(ks_buffer_append(&input, "next\n", 5), KS_OK);
            say_bytes(hall, 0, input.bytes, input.size);
            const char *heard = heard_since(hall, 1, &size);
            assert_int_equal(size, length + pieces * strlen("dana: \n") + strlen("dana: next\n"));
            assert_memory_equal(heard + size - 12, "\ndana: next\n", 12);
            forget_heard(hall, 1);
            ks_buffer_free(&input);
        }
    free(text);
}

static void a_line_that_never_ends_is_told_in_pieces_and_takes_no_more_memory(void **state)
{
    struct hall *hall = *state;
    enter_two(hall, true);
    char *text = repeated("x", KS_CHAT_MESSAGE_LIMIT);
    for (unsigned i = 0; i < 100; i++) {
        say_bytes(hall, 0, text, KS_CHAT_MESSAGE_LIMIT - 1);
        if (i > 0)
            assert_int_not_equal(hall->peers[1].trace.size, hall->heard[1]);
        forget_heard(hall, 1);
    }
    free(text);
}

static void what_is_replaced_may_make_a_message_longer_and_it_is_split(void **state)
{
    struct hall *hall = *state;
    enter_three(hall, false);
    char *text = repeated("\xff", 3000);
    char *expected = repeated(R, 3000);
    say_bytes(hall, 0, text, 3000);
    assert_hears_pieces(hall, 1, expected, 4095);
    assert_hears_pieces(hall, 2, expected, 4095);
    free(expected);
    free(text);
}

static void exit_is_not_the_rest_of_a_long_line(void **state)
{
    struct hall *hall = *state;
    enter_two(hall, true);
    char *text = repeated("x", KS_CHAT_MESSAGE_LIMIT);
    say_bytes(hall, 0, text, KS_CHAT_MESSAGE_LIMIT);
    forget_heard(hall, 1);
    say(hall, 0, "Exit\n");
    assert_hears(hall, 1, "dana: Exit\n");
    assert_false(hall->peers[0].finished);
    say(hall, 0, "Ex");
    say(hall, 0, "it\n");
    assert_true(hall->peers[0].finished);
    free(text);
}

static void of_a_long_line_at_a_prompt_only_the_beginning_counts(void **state)
{
    static const size_t steps[] = {0, 1000, 4096};
    struct hall *hall = *state;
    char *text = repeated("x", LONG);
    enter_as_creator(hall, 0, 0, "dana", true);
    for (unsigned i = 0; i < KS_COUNT_OF(steps); i++) {
        hall_open(hall, i + 1, 0);
        say(hall, i + 1, "1\n");
        fake_connection_send(&hall->peers[i + 1], text, LONG, steps[i]);
        say(hall, i + 1, "\n1\nsecret\nhello\n");
        size_t size = 0;
        const char *heard = heard_since(hall, 0, &size);
        assert_int_equal(size, KS_CHAT_NAME_LIMIT + sizeof ": hello");
        assert_memory_equal(heard, text, KS_CHAT_NAME_LIMIT);
        forget_heard(hall, 0);
        hall_close(hall, i + 1);
        forget_heard(hall, 0);
    }
    free(text);
}

static void of_a_long_password_the_same_counts_in_both_modes(void **state)
{
    struct hall *hall = *state;
    char *text = repeated(EURO, LONG);
    hall_open(hall, 0, 0);
    say(hall, 0, "2");
    say(hall, 0, "dana");
    say(hall, 0, text);
    hall_open(hall, 1, 0);
    say(hall, 1, "1\nomer\n1\n");
    forget_heard(hall, 1);
    fake_connection_send(&hall->peers[1], text, strlen(text), 1000);
    say(hall, 1, "\n");
    assert_hears(hall, 1, LINE_JOINED);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HALL_TEST(a_long_message_is_split_between_characters_in_both_modes),
        HALL_TEST(a_long_line_is_split_the_same_whatever_the_reads),
        HALL_TEST(a_line_of_exactly_the_limit_is_one_message),
        HALL_TEST(lines_about_the_limit_end_where_they_end),
        HALL_TEST(a_line_that_never_ends_is_told_in_pieces_and_takes_no_more_memory),
        HALL_TEST(what_is_replaced_may_make_a_message_longer_and_it_is_split),
        HALL_TEST(exit_is_not_the_rest_of_a_long_line),
        HALL_TEST(of_a_long_line_at_a_prompt_only_the_beginning_counts),
        HALL_TEST(of_a_long_password_the_same_counts_in_both_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
