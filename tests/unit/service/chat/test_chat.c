/* test_chat.c — the chat service behind fake connections: the menu, the prompts, members and what they are
 * told (protocol.md §2). Its limits are in test_chat_limits.c, how input is cut in test_chat_input.c, many
 * loops in test_groups.c. */
#include "unit/service/chat/chat_fixture.h"

/* ---- the menu ---- */

static void the_menu_comes_first_in_a_send_of_its_own(void **state)
{
    struct hall *hall = *state;
    hall_open(hall, 0, 0);
    assert_hears(
        hall, 0,
        "<Hello client, please choose an option: \n 1. Connect to a group chat. \n 2. Create a group "
        "chat. \n 3. Exit the server. \n >");
    assert_true(hall->peers[0].idle);
}

static void whoever_chooses_3_is_let_go(void **state)
{
    static const struct {
        const char *choice;
        const char *answer;
    } cases[] = {{"3", "<Exit the chat \n>"}, {" 3\t", "<Exit the chat \n>"}, {"3\r\n", "Exit the chat \n"}};
    struct hall *hall = *state;
    for (unsigned i = 0; i < KS_COUNT_OF(cases); i++) {
        hall_open(hall, i, 0);
        forget_heard(hall, i);
        say(hall, i, cases[i].choice);
        assert_hears(hall, i, cases[i].answer);
        assert_true(hall->peers[i].finished);
        assert_false(hall->peers[i].aborted);
    }
}

static void any_other_choice_is_invalid_and_the_menu_comes_again(void **state)
{
    static const char *const choices[] = {"4", "0",  "12",       "1 2", "Exit", "hello",
                                          " ", "\t", "\xd9\xa1", "1.",  "\x01"};
    struct hall *hall = *state;
    hall_open(hall, 0, 0);
    assert_hears(hall, 0, HEARD_MENU);
    for (size_t i = 0; i < KS_COUNT_OF(choices); i++) {
        say(hall, 0, choices[i]);
        assert_hears(hall, 0, "<You chose an invalid option... \n>" HEARD_MENU);
    }
    say(hall, 0, "9\n");
    assert_hears(hall, 0, KS_CHAT_INVALID_OPTION KS_CHAT_MENU "\n");
    say(hall, 0, "1 \n");
    assert_hears(hall, 0, KS_CHAT_ASK_NAME);
}

static void whoever_floods_the_menu_and_reads_nothing_waits_for_the_answers_to_go_out(void **state)
{
    struct hall *hall = *state;
    enum { COUNT = 20000 };
    char *flood = malloc(2 * COUNT);
    assert_non_null(flood);
    memset(flood, '\n', 2 * COUNT);
    for (size_t i = 0; i < COUNT; i++)
        flood[2 * i] = 'x';
    hall_open(hall, 0, 0);
    hall->peers[0].window = 0;
    fake_connection_send(&hall->peers[0], flood, 2 * COUNT, 1000);
    assert_in_range(hall->peers[0].output.size, KS_OUTPUT_HIGH_WATER, KS_OUTPUT_HIGH_WATER + 1000);
    assert_true(hall->peers[0].paused);
    fake_connection_take(&hall->peers[0], SIZE_MAX / 2);
    assert_int_equal(hall->peers[0].output.size,
                     strlen(KS_CHAT_MENU) + COUNT * strlen(KS_CHAT_INVALID_OPTION KS_CHAT_MENU "\n"));
    assert_false(hall->peers[0].paused);
    free(flood);
}

/* ---- creating and joining ---- */

static void a_group_is_created_in_chunk_mode(void **state)
{
    struct hall *hall = *state;
    hall_open(hall, 0, 0);
    assert_hears(hall, 0, HEARD_MENU);
    say(hall, 0, "2");
    assert_hears(hall, 0, "<Enter your name: \n>");
    say(hall, 0, "dana");
    assert_hears(hall, 0, "<Enter password for the group: \n>");
    assert_int_equal(ks_groups_count(hall->groups), 0);
    say(hall, 0, "secret");
    assert_hears(hall, 0,
                 "<The id of the group is:1\nYou're connected to group chat #1\nYou can start to talk!>");
    assert_int_equal(ks_groups_count(hall->groups), 1);
}

static void a_group_is_created_in_line_mode_and_every_text_ends_with_one_lf(void **state)
{
    struct hall *hall = *state;
    hall_open(hall, 0, 0);
    assert_hears(hall, 0, HEARD_MENU);
    say(hall, 0, "2\n");
    assert_hears(hall, 0, "Enter your name: \n");
    say(hall, 0, "dana\n");
    assert_hears(hall, 0, "Enter password for the group: \n");
    say(hall, 0, "secret\n");
    assert_hears(hall, 0,
                 "The id of the group is:1\nYou're connected to group chat #1\nYou can start to talk!\n");
}

static void a_group_is_joined_in_chunk_mode(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    hall_open(hall, 1, 0);
    say(hall, 1, "1");
    assert_hears(hall, 1, HEARD_MENU "<Enter your name: \n>");
    say(hall, 1, "omer");
    assert_hears(hall, 1, "<Enter group ID: \n>");
    say(hall, 1, " 1\t");
    assert_hears(hall, 1, "<Enter password: \n>");
    say(hall, 1, "secret");
    assert_hears(hall, 1, "<You're connected to group chat #1\n>");
    assert_hears(hall, 0, ""); /* nobody is told */
}

static void a_group_is_joined_in_line_mode_with_everything_in_one_read(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    hall_open(hall, 1, 0);
    say(hall, 1, "1\nomer\n1\nsecret\nhello\n");
    assert_hears(hall, 1, HEARD_MENU KS_CHAT_ASK_NAME KS_CHAT_ASK_GROUP KS_CHAT_ASK_PASSWORD LINE_JOINED);
    assert_hears(hall, 0, "omer: hello\n");
}

static void a_wrong_group_is_asked_for_again(void **state)
{
    static const char *const wrong[] = {"2",   "0",           "-1",         "one", "1x",
                                        "1 1", "99999999999", "4294967297", " ",   "Exit"};
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", false);
    hall_open(hall, 1, 0);
    say(hall, 1, "1");
    say(hall, 1, "omer");
    forget_heard(hall, 1);
    for (size_t i = 0; i < KS_COUNT_OF(wrong); i++) {
        say(hall, 1, wrong[i]);
        assert_hears(hall, 1, "<There is no group id like this,try again><Enter group ID: \n>");
    }
    say(hall, 1, "5\n");
    assert_hears(hall, 1, "There is no group id like this,try again\nEnter group ID: \n");
    say(hall, 1, "01\n");
    assert_hears(hall, 1, KS_CHAT_ASK_PASSWORD);
}

static void a_wrong_password_is_asked_for_again(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", false);
    hall_open(hall, 1, 0);
    say(hall, 1, "1");
    say(hall, 1, "omer");
    say(hall, 1, "1");
    forget_heard(hall, 1);
    say(hall, 1, "Secret");
    assert_hears(hall, 1, "<There is no group password like this,try again><Enter password: \n>");
    say(hall, 1, "secret \n"); /* a blank is part of it */
    assert_hears(hall, 1, "There is no group password like this,try again\nEnter password: \n");
    say(hall, 1, "secret\r\n");
    assert_hears(hall, 1, LINE_JOINED);
}

static void the_password_is_that_of_the_group_and_not_of_another(void **state)
{
    struct hall *hall = *state;
    hall_open(hall, 0, 0);
    say(hall, 0, "2\ndana\nfirst\n");
    hall_open(hall, 1, 0);
    say(hall, 1, "2\nnoa\nsecond\n");
    hall_open(hall, 2, 0);
    say(hall, 2, "1\nomer\n2\n");
    forget_heard(hall, 2);
    say(hall, 2, "first\n");
    assert_hears(hall, 2, LINE_NOT_PASSWORD);
    say(hall, 2, "second\n");
    assert_hears(hall, 2, "You're connected to group chat #2\n");
}

static void a_password_may_be_anything_but_nothing(void **state)
{
    static const char password[] = "\0\x01 \xff\x1b[31m";
    struct hall *hall = *state;
    hall_open(hall, 0, 0);
    say(hall, 0, "2\ndana\n\n\r\n");
    assert_int_equal(ks_groups_count(hall->groups), 0);
    say_bytes(hall, 0, password, sizeof password - 1);
    say(hall, 0, "\n");
    assert_int_equal(ks_groups_count(hall->groups), 1);
    hall_open(hall, 1, 0);
    say(hall, 1, "1\nomer\n1\n");
    forget_heard(hall, 1);
    say_bytes(hall, 1, password, sizeof password - 2);
    say(hall, 1, "\n");
    assert_hears(hall, 1, LINE_NOT_PASSWORD);
    say_bytes(hall, 1, password, sizeof password - 1);
    say(hall, 1, "\n");
    assert_hears(hall, 1, LINE_JOINED);
}

/* ---- names ---- */

static void assert_name_becomes(struct hall *hall, const char *name, const char *heard)
{
    char expected[KS_CHAT_NAME_LIMIT + 8];
    hall_open(hall, 1, 0);
    say(hall, 1, "1");
    say(hall, 1, name);
    say(hall, 1, "1");
    say(hall, 1, "secret");
    say(hall, 1, "x");
    snprintf(expected, sizeof expected, "%s: x\n", heard);
    assert_hears(hall, 0, expected);
    hall_close(hall, 1);
    forget_heard(hall, 0);
}

#define TEN    "0123456789"
#define SIXTY  TEN TEN TEN TEN TEN TEN
#define EURO   "\xe2\x82\xac"
#define SMILEY "\xf0\x9f\x98\x80"

static void a_name_is_cleaned_and_cut_to_64_bytes_between_characters(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    assert_name_becomes(hall, "o", "o");
    assert_name_becomes(hall, SIXTY "abcd", SIXTY "abcd");
    assert_name_becomes(hall, SIXTY "abcde", SIXTY "abcd");
    assert_name_becomes(hall, SIXTY "a" EURO, SIXTY "a" EURO);
    assert_name_becomes(hall, SIXTY "ab" EURO, SIXTY "ab");
    assert_name_becomes(hall, SIXTY SMILEY "x", SIXTY SMILEY);
    assert_name_becomes(hall, SIXTY "a" SMILEY, SIXTY "a");
    assert_name_becomes(hall, "\x1b[31mred\x1b[0m\x07", "red");
    assert_name_becomes(hall, "a\xff", "a\xef\xbf\xbd");
    assert_name_becomes(hall, SIXTY "ab\xff", SIXTY "ab"); /* what replaces it would not fit */
    assert_name_becomes(hall, "Exit", "Exit");
    assert_name_becomes(hall, "100%s%n", "100%s%n");
}

static void a_name_of_which_nothing_is_left_is_no_input(void **state)
{
    struct hall *hall = *state;
    hall_open(hall, 0, 0);
    say(hall, 0, "2");
    forget_heard(hall, 0);
    say(hall, 0, "\x1b[31m\x07");
    assert_hears(hall, 0, "");
    say(hall, 0, "dana");
    assert_hears(hall, 0, APART(KS_CHAT_ASK_NEW_PASSWORD));
}

/* ---- members ---- */

static void what_a_member_says_goes_to_every_other_member_as_its_mode_wants_it(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 0, "omer", false);
    enter_as_member(hall, 2, 0, "noa", true);
    say(hall, 0, "hello\n");
    assert_hears(hall, 0, "");
    assert_hears(hall, 1, "<dana: hello>");
    assert_hears(hall, 2, "dana: hello\n");
    say(hall, 1, "hi there");
    assert_hears(hall, 0, "omer: hi there\n");
    assert_hears(hall, 1, "");
    assert_hears(hall, 2, "omer: hi there\n");
    say(hall, 2, "one\ntwo\nthree\n");
    assert_hears(hall, 0, "noa: one\nnoa: two\nnoa: three\n");
    assert_hears(hall, 1, "<noa: one><noa: two><noa: three>");
}

static void a_message_is_cleaned_and_blanks_stay(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 0, "omer", true);
    say(hall, 0, "  a\tb\x1b[2J\xff  \n");
    assert_hears(hall, 1, "dana:   a\tb\xef\xbf\xbd  \n");
}

static void a_message_of_which_nothing_is_left_is_not_sent(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 0, "omer", true);
    say(hall, 0, "\x1b[31m\n\x07\n\x1b]0;title\x07\n");
    assert_hears(hall, 1, "");
    say(hall, 0, " \n");
    assert_hears(hall, 1, "dana:  \n");
}

static void other_groups_hear_nothing(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 0, "omer", true);
    hall_open(hall, 2, 0);
    say(hall, 2, "2\nnoa\nsecret\n");
    forget_heard(hall, 2);
    say(hall, 0, "hello\n");
    say(hall, 0, "Exit\n");
    assert_hears(hall, 1, "dana: hello\ndana has removed from the group \n");
    assert_hears(hall, 2, "");
    say(hall, 2, "alone\n");
    assert_hears(hall, 1, "");
}

static void two_members_may_have_one_name(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 0, "dana", true);
    enter_as_member(hall, 2, 0, "omer", true);
    say(hall, 0, "one\n");
    say(hall, 1, "two\n");
    assert_hears(hall, 0, "dana: two\n");
    assert_hears(hall, 1, "dana: one\n");
    assert_hears(hall, 2, "dana: one\ndana: two\n");
    say(hall, 0, "Exit\n");
    say(hall, 1, "three\n");
    assert_hears(hall, 2, "dana has removed from the group \ndana: three\n");
}

/* ---- leaving ---- */

static void a_member_leaves_by_exit(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 0, "omer", false);
    enter_as_member(hall, 2, 0, "noa", true);
    say(hall, 0, "bye\nExit\nnot heard\n");
    assert_hears(hall, 0, "You chose exit so you removed from the group. \n");
    assert_true(hall->peers[0].finished);
    assert_hears(hall, 1, "<dana: bye><dana has removed from the group \n>");
    assert_hears(hall, 2, "dana: bye\ndana has removed from the group \n");
    say(hall, 1, "Exit");
    assert_hears(hall, 1, "<You chose exit so you removed from the group. \n>");
    assert_hears(hall, 2, "omer has removed from the group \n");
    assert_hears(hall, 0, "");
}

static void only_exactly_exit_leaves(void **state)
{
    static const char *const messages[] = {"exit",  "EXIT", " Exit",  "Exit ",
                                           "Exit.", "Exi",  "Exit\t", "Ex\x01it"};
    static const char *const heard[] = {"exit", "EXIT", " Exit", "Exit ", "Exit.", "Exi", "Exit\t", "Exit"};
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", false);
    enter_as_member(hall, 1, 0, "omer", false);
    for (size_t i = 0; i < KS_COUNT_OF(messages); i++) {
        char expected[32];
        say(hall, 0, messages[i]);
        snprintf(expected, sizeof expected, "<dana: %s>", heard[i]);
        assert_hears(hall, 1, expected);
        assert_false(hall->peers[0].finished);
    }
}

static void exit_counts_only_for_members(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    hall_open(hall, 1, 0);
    say(hall, 1, "Exit\n1\nExit\nExit\n1\nExit\n");
    assert_hears(
        hall, 1,
        HEARD_MENU KS_CHAT_INVALID_OPTION KS_CHAT_MENU
        "\n" KS_CHAT_ASK_NAME KS_CHAT_ASK_GROUP LINE_NO_GROUP KS_CHAT_ASK_PASSWORD LINE_NOT_PASSWORD);
    assert_false(hall->peers[1].finished);
    hall_open(hall, 2, 0);
    say(hall, 2, "2\nomer\nExit\n");
    assert_false(hall->peers[2].finished);
    assert_int_equal(ks_groups_count(hall->groups), 2);
}

static void a_member_whose_connection_ends_has_left(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 0, "omer", true);
    enter_as_member(hall, 2, 0, "noa", false);
    enter_as_member(hall, 3, 0, "gal", false);
    fake_connection_end(&hall->peers[1]);
    hall_settle(hall);
    assert_true(hall->peers[1].finished);
    assert_hears(hall, 0, "omer has removed from the group \n");
    hall_close(hall, 1); /* not told twice */
    assert_hears(hall, 0, "");
    hall_close(hall, 2); /* a reset: no end of input before */
    assert_hears(hall, 0, "noa has removed from the group \n");
    assert_hears(hall, 3, "<omer has removed from the group \n><noa has removed from the group \n>");
}

static void who_goes_before_being_a_member_is_no_loss_to_the_group(void **state)
{
    static const char *const so_far[] = {"",    "1\n",       "1\nomer\n",       "1\nomer\n1\n",
                                         "2\n", "2\nomer\n", "1\nomer\n1\nno\n"};
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    for (size_t i = 0; i < KS_COUNT_OF(so_far); i++) {
        hall_open(hall, 1, 0);
        say(hall, 1, so_far[i]);
        if (i % 2 == 0) {
            fake_connection_end(&hall->peers[1]);
            assert_true(hall->peers[1].finished);
        }
        hall_close(hall, 1);
        assert_hears(hall, 0, "");
        assert_int_equal(ks_groups_count(hall->groups), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HALL_TEST(the_menu_comes_first_in_a_send_of_its_own),
        HALL_TEST(whoever_chooses_3_is_let_go),
        HALL_TEST(any_other_choice_is_invalid_and_the_menu_comes_again),
        HALL_TEST(whoever_floods_the_menu_and_reads_nothing_waits_for_the_answers_to_go_out),
        HALL_TEST(a_group_is_created_in_chunk_mode),
        HALL_TEST(a_group_is_created_in_line_mode_and_every_text_ends_with_one_lf),
        HALL_TEST(a_group_is_joined_in_chunk_mode),
        HALL_TEST(a_group_is_joined_in_line_mode_with_everything_in_one_read),
        HALL_TEST(a_wrong_group_is_asked_for_again),
        HALL_TEST(a_wrong_password_is_asked_for_again),
        HALL_TEST(the_password_is_that_of_the_group_and_not_of_another),
        HALL_TEST(a_password_may_be_anything_but_nothing),
        HALL_TEST(a_name_is_cleaned_and_cut_to_64_bytes_between_characters),
        HALL_TEST(a_name_of_which_nothing_is_left_is_no_input),
        HALL_TEST(what_a_member_says_goes_to_every_other_member_as_its_mode_wants_it),
        HALL_TEST(a_message_is_cleaned_and_blanks_stay),
        HALL_TEST(a_message_of_which_nothing_is_left_is_not_sent),
        HALL_TEST(other_groups_hear_nothing),
        HALL_TEST(two_members_may_have_one_name),
        HALL_TEST(a_member_leaves_by_exit),
        HALL_TEST(only_exactly_exit_leaves),
        HALL_TEST(exit_counts_only_for_members),
        HALL_TEST(a_member_whose_connection_ends_has_left),
        HALL_TEST(who_goes_before_being_a_member_is_no_loss_to_the_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
