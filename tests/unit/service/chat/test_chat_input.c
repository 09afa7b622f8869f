/* test_chat_input.c — how unframed input becomes lines and chunks (protocol.md §2), whatever the reads are
 * that it comes in. Long messages are in test_chat_long.c. */
#include "unit/service/chat/chat_fixture.h"

#define EURO   "\xe2\x82\xac"
#define SMILEY "\xf0\x9f\x98\x80"
#define R      "\xef\xbf\xbd"

/* ---- chunks ---- */

static void a_read_in_chunk_mode_is_one_message(void **state)
{
    struct hall *hall = *state;
    enter_two(hall, false);
    say(hall, 0, "one");
    say(hall, 0, "two words");
    assert_hears(hall, 1, "dana: one\ndana: two words\n");
}

static void a_newline_inside_a_chunk_separates_two(void **state)
{
    struct hall *hall = *state;
    enter_two(hall, false);
    say(hall, 0, "one\ntwo\r\nthree\rfour");
    assert_hears(hall, 1, "dana: one\ndana: two\ndana: three\ndana: four\n");
    say(hall, 1, "x\n");
    assert_hears(hall, 0, "<omer: x>"); /* still in chunk mode */
    say(hall, 0, "\nfive");
    assert_hears(hall, 1, "dana: five\n");
    say(hall, 1, "y\n");
    assert_hears(hall, 0, "<omer: y>");
}

static void a_newline_inside_a_chunk_separates_answers_to_prompts(void **state)
{
    struct hall *hall = *state;
    hall_open(hall, 0, 0);
    say(hall, 0, "2\ndana\nsecret");
    assert_hears(hall, 0,
                 HEARD_MENU HEARD_NAME APART(KS_CHAT_ASK_NEW_PASSWORD) APART(
                     "The id of the group is:1\nYou're connected to group chat #1\nYou can start to talk!"));
}

/* ---- from chunks to lines ---- */

static void a_read_that_ends_in_a_newline_begins_line_mode(void **state)
{
    static const char *const endings[] = {"\n", "\r", "\r\n"};
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    for (unsigned i = 0; i < KS_COUNT_OF(endings); i++) {
        char text[16];
        enter_as_member(hall, i + 1, 0, "omer", false);
        say(hall, 0, "one\n");
        assert_hears(hall, i + 1, "<dana: one>");
        snprintf(text, sizeof text, "mine%s", endings[i]);
        say(hall, i + 1, text);
        assert_hears(hall, 0, "omer: mine\n");
        say(hall, 0, "two\n");
        assert_hears(hall, i + 1, "dana: two\n");
        say(hall, i + 1, "not ");
        say(hall, i + 1, "yet");
        assert_hears(hall, 0, "");
        say(hall, i + 1, "\n");
        assert_hears(hall, 0, "omer: not yet\n");
        say(hall, 0, "three\n");
        assert_hears(hall, i + 1, "dana: three\n"); /* for good */
    }
}

static void line_mode_begins_also_with_an_empty_line(void **state)
{
    struct hall *hall = *state;
    hall_open(hall, 0, 0);
    say(hall, 0, "\n");
    say(hall, 0, "1");
    say(hall, 0, "\n");
    assert_hears(hall, 0, HEARD_MENU KS_CHAT_ASK_NAME);
}

static void the_lf_of_a_crlf_may_come_in_the_next_read(void **state)
{
    struct hall *hall = *state;
    enter_two(hall, false);
    say(hall, 0, "one\r");
    assert_hears(hall, 1, "dana: one\n");
    say(hall, 0, "\ntwo\r");
    say(hall, 0, "\n");
    say(hall, 0, "three\r");
    say(hall, 0, "four\r\n");
    say(hall, 0, "\nfive\n");
    assert_hears(hall, 1, "dana: two\ndana: three\ndana: four\ndana: five\n");
}

static void a_cr_in_the_middle_of_a_read_takes_no_lf_of_the_next(void **state)
{
    struct hall *hall = *state;
    enter_two(hall, true);
    say(hall, 0, "one\rtwo");
    say(hall, 0, "\nthree\n");
    assert_hears(hall, 1, "dana: one\ndana: two\ndana: three\n");
}

static void every_text_in_lines_is_the_same_at_every_cut(void **state)
{
    static const char text[] = "on\xc3\xa9\r\nt" SMILEY "o\rthr" EURO "e\nfour\n";
    static const char *const expected =
        "dana: on\xc3\xa9\ndana: t" SMILEY "o\ndana: thr" EURO "e\ndana: four\n";
    struct hall *hall = *state;
    enter_two(hall, true);
    for (size_t cut = 1; cut < sizeof text - 1; cut++) {
        say_bytes(hall, 0, text, cut);
        say_bytes(hall, 0, text + cut, sizeof text - 1 - cut);
        assert_hears(hall, 1, expected);
    }
    for (size_t step = 1; step < sizeof text; step++) {
        fake_connection_send(&hall->peers[0], text, sizeof text - 1, step);
        hall_settle(hall);
        assert_hears(hall, 1, expected);
    }
}

static void a_whole_conversation_may_come_one_byte_at_a_time(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    hall_open(hall, 1, 0);
    say(hall, 1, "\n"); /* whoever types byte by byte must have begun line mode */
    say_slowly(hall, 1, "1\r\nomer\r\n1\r\nsecret\r\nhello\r\nExit\r\n");
    assert_hears(hall, 1,
                 HEARD_MENU KS_CHAT_ASK_NAME KS_CHAT_ASK_GROUP KS_CHAT_ASK_PASSWORD LINE_JOINED KS_CHAT_LEFT);
    assert_hears(hall, 0, "omer: hello\nomer has removed from the group \n");
}

static void empty_input_is_ignored_everywhere(void **state)
{
    struct hall *hall = *state;
    hall_open(hall, 0, 0);
    say(hall, 0, "\n\r\n\r\r\n2\n\n\r\ndana\n\n\n\rsecret\n\n\n");
    assert_hears(hall, 0, HEARD_MENU KS_CHAT_ASK_NAME KS_CHAT_ASK_NEW_PASSWORD LINE_CREATED);
    enter_as_member(hall, 1, 0, "omer", true);
    say(hall, 0, "\n\n\r\n\nx\n\n");
    assert_hears(hall, 1, "dana: x\n");
}

/* ---- characters that are cut ---- */

static void a_character_may_be_cut_anywhere_in_chunk_mode(void **state)
{
    static const char *const characters[] = {"\xc3\xa9", EURO, SMILEY, "\xf4\x8f\xbf\xbf"};
    struct hall *hall = *state;
    enter_two(hall, false);
    for (size_t i = 0; i < KS_COUNT_OF(characters); i++)
        for (size_t cut = 1; cut < strlen(characters[i]); cut++) {
            char expected[64];
            char first[16];
            char second[16];
            snprintf(first, sizeof first, "ab%.*s", (int)cut, characters[i]);
            snprintf(second, sizeof second, "%sz", characters[i] + cut);
            say(hall, 0, first);
            assert_hears(hall, 1, "dana: ab\n");
            say(hall, 0, second);
            snprintf(expected, sizeof expected, "dana: %sz\n", characters[i]);
            assert_hears(hall, 1, expected);
        }
}

static void a_character_may_come_byte_by_byte_in_chunk_mode(void **state)
{
    struct hall *hall = *state;
    enter_two(hall, false);
    say_slowly(hall, 0, "\xf0\x9f\x98");
    assert_hears(hall, 1, "");
    say(hall, 0, "\x80");
    assert_hears(hall, 1, "dana: " SMILEY "\n");
    say_slowly(hall, 0, EURO "\xc3\xa9");
    assert_hears(hall, 1, "dana: " EURO "\ndana: \xc3\xa9\n");
    say(hall, 0, "a\xf0");
    say(hall, 0, "\x9f");
    say(hall, 0, "z"); /* it never comes */
    assert_hears(hall, 1, "dana: a\ndana: " R "z\n");
}

static void the_rest_of_a_character_may_come_as_a_line(void **state)
{
    struct hall *hall = *state;
    enter_two(hall, false);
    say(hall, 0, "\xe2\x82");
    say(hall, 0, "\xac\n");
    assert_hears(hall, 1, "dana: " EURO "\n");
    say(hall, 0, "a\xe2");
    say(hall, 0, "\x82\xac");
    say(hall, 0, "\n");
    assert_hears(hall, 1, "dana: a" EURO "\n");
}

static void a_character_that_is_never_completed_is_replaced(void **state)
{
    struct hall *hall = *state;
    enter_two(hall, false);
    say(hall, 0, "\xe2\x82");
    assert_hears(hall, 1, "");
    say(hall, 0, "x");
    assert_hears(hall, 1, "dana: " R "x\n");
    say(hall, 0, "\xe2");
    say(hall, 0, "\nx");
    assert_hears(hall, 1, "dana: " R "\ndana: x\n");
}

/* ---- the end of input ---- */

static void a_partial_line_counts_at_the_end_of_input(void **state)
{
    struct hall *hall = *state;
    enter_two(hall, true);
    say(hall, 0, "half a li");
    assert_hears(hall, 1, "");
    fake_connection_end(&hall->peers[0]);
    hall_settle(hall);
    assert_hears(hall, 1, "dana: half a li\ndana has removed from the group \n");
    assert_true(hall->peers[0].finished);
}

static void a_partial_exit_counts_too_and_the_group_hears_of_one_leave(void **state)
{
    struct hall *hall = *state;
    enter_two(hall, true);
    say(hall, 0, "Exit");
    fake_connection_end(&hall->peers[0]);
    hall_settle(hall);
    assert_hears(hall, 0, KS_CHAT_LEFT);
    assert_hears(hall, 1, "dana has removed from the group \n");
}

static void a_partial_answer_to_a_prompt_counts_too(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    hall_open(hall, 1, 0);
    say(hall, 1, "1\n");
    say(hall, 1, "omer\n1\nsecret");
    fake_connection_end(&hall->peers[1]);
    hall_settle(hall);
    assert_hears(hall, 1, HEARD_MENU KS_CHAT_ASK_NAME KS_CHAT_ASK_GROUP KS_CHAT_ASK_PASSWORD LINE_JOINED);
    assert_hears(hall, 0, "omer has removed from the group \n");
    assert_true(hall->peers[1].finished);
}

static void a_line_that_ends_with_the_input_is_not_repeated(void **state)
{
    struct hall *hall = *state;
    enter_two(hall, true);
    say(hall, 0, "whole\n");
    fake_connection_end(&hall->peers[0]);
    hall_settle(hall);
    assert_hears(hall, 1, "dana: whole\ndana has removed from the group \n");
}

static void half_a_character_at_the_end_of_input_is_replaced(void **state)
{
    struct hall *hall = *state;
    enter_two(hall, false);
    say(hall, 0, "a\xe2\x82");
    fake_connection_end(&hall->peers[0]);
    hall_settle(hall);
    assert_hears(hall, 1, "dana: a\ndana: " R "\ndana has removed from the group \n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HALL_TEST(a_read_in_chunk_mode_is_one_message),
        HALL_TEST(a_newline_inside_a_chunk_separates_two),
        HALL_TEST(a_newline_inside_a_chunk_separates_answers_to_prompts),
        HALL_TEST(a_read_that_ends_in_a_newline_begins_line_mode),
        HALL_TEST(line_mode_begins_also_with_an_empty_line),
        HALL_TEST(the_lf_of_a_crlf_may_come_in_the_next_read),
        HALL_TEST(a_cr_in_the_middle_of_a_read_takes_no_lf_of_the_next),
        HALL_TEST(every_text_in_lines_is_the_same_at_every_cut),
        HALL_TEST(a_whole_conversation_may_come_one_byte_at_a_time),
        HALL_TEST(empty_input_is_ignored_everywhere),
        HALL_TEST(a_character_may_be_cut_anywhere_in_chunk_mode),
        HALL_TEST(a_character_may_come_byte_by_byte_in_chunk_mode),
        HALL_TEST(the_rest_of_a_character_may_come_as_a_line),
        HALL_TEST(a_character_that_is_never_completed_is_replaced),
        HALL_TEST(a_partial_line_counts_at_the_end_of_input),
        HALL_TEST(a_partial_exit_counts_too_and_the_group_hears_of_one_leave),
        HALL_TEST(a_partial_answer_to_a_prompt_counts_too),
        HALL_TEST(a_line_that_ends_with_the_input_is_not_repeated),
        HALL_TEST(half_a_character_at_the_end_of_input_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
