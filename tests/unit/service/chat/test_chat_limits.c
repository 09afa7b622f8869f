/* test_chat_limits.c — what the chat service does not do for ever and not for everybody: numbers of groups,
 * how many there may be, time, and wrong passwords (protocol.md §2). */
#include "unit/service/chat/chat_fixture.h"

/* ---- numbers of groups ---- */

static void a_new_group_has_the_lowest_number_that_is_free(void **state)
{
    struct hall *hall = *state;
    for (unsigned i = 0; i < 3; i++) {
        char expected[16];
        hall_open(hall, i, 0);
        say(hall, i, "2\ndana\nsecret\n");
        snprintf(expected, sizeof expected, "is:%u\n", i + 1);
        size_t size = 0;
        const char *heard = heard_since(hall, i, &size);
        assert_non_null(memmem(heard, size, expected, strlen(expected)));
    }
    hall_close(hall, 1);
    hall_close(hall, 0);
    assert_int_equal(ks_groups_count(hall->groups), 1);
    enter_as_creator(hall, 0, 0, "omer", true);
    enter_as_member(hall, 4, 0, "noa", true); /* of group 1 */
    say(hall, 4, "hello\n");
    assert_hears(hall, 0, "noa: hello\n");
}

static void a_group_of_more_members_is_deleted_with_the_last(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 0, "omer", true);
    hall_close(hall, 0);
    assert_int_equal(ks_groups_count(hall->groups), 1);
    enter_as_member(hall, 2, 0, "noa", true);
    say(hall, 1, "Exit\n");
    assert_int_equal(ks_groups_count(hall->groups), 1);
    say(hall, 2, "Exit\n");
    assert_int_equal(ks_groups_count(hall->groups), 0);
}

static void a_group_that_is_deleted_during_the_password_is_a_wrong_one(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    hall_open(hall, 1, 0);
    say(hall, 1, "1\nomer\n1\n");
    forget_heard(hall, 1);
    say(hall, 0, "Exit\n");
    say(hall, 1, "secret\n");
    assert_hears(hall, 1, LINE_NO_GROUP);
}

static void a_group_that_takes_the_number_of_a_deleted_one_is_another(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    hall_open(hall, 1, 0);
    say(hall, 1, "1\nomer\n1\n");
    forget_heard(hall, 1);
    hall_close(hall, 0);
    enter_as_creator(hall, 0, 0, "noa", true); /* the same number and password */
    say(hall, 1, "secret\n");
    assert_hears(hall, 1, LINE_NO_GROUP);
    say(hall, 1, "1\nsecret\n");
    assert_hears(hall, 1, KS_CHAT_ASK_PASSWORD LINE_JOINED);
}

/* ---- limits ---- */

static void too_many_groups_are_full(void **state)
{
    struct hall *hall = *state;
    for (unsigned i = 0; i < 3; i++)
        enter_as_creator(hall, i, 0, "dana", true);
    hall_open(hall, 3, 0);
    say(hall, 3, "2");
    say(hall, 3, "omer");
    forget_heard(hall, 3);
    say(hall, 3, "secret");
    assert_hears(hall, 3, "<The server is full, try again later. \n>");
    assert_true(hall->peers[3].finished);
    hall_close(hall, 1);
    enter_as_creator(hall, 1, 0, "noa", true);
    assert_int_equal(ks_groups_count(hall->groups), 3);
}

static void too_many_members_are_full_but_only_behind_the_password(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    for (unsigned i = 1; i < 8; i++)
        enter_as_member(hall, i, i % HALL_LOOPS, "member", true);
    hall_open(hall, 8, 0);
    say(hall, 8, "1\nomer\n1\nwrong\n");
    forget_heard(hall, 8);
    say(hall, 8, "secret\n");
    assert_hears(hall, 8, "The server is full, try again later. \n");
    assert_true(hall->peers[8].finished);
    hall_close(hall, 5);
    enter_as_member(hall, 9, 1, "noa", true);
    forget_heard(hall, 0);
    say(hall, 9, "in\n");
    assert_hears(hall, 0, "noa: in\n");
}

/* ---- time ---- */

static void every_prompt_ends_after_its_time_without_input(void **state)
{
    static const char *const so_far[] = {"1\n",       "1\nomer\n",        "1\nomer\n1\n", "2\n",
                                         "2\nomer\n", "1\nomer\n1\nno\n", "1\nom"};
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    for (unsigned i = 0; i < KS_COUNT_OF(so_far); i++) {
        hall_open(hall, i + 1, 0);
        say(hall, i + 1, so_far[i]);
    }
    hall_wait(hall, HALL_PROMPT_MS - 1);
    for (unsigned i = 0; i < KS_COUNT_OF(so_far); i++)
        assert_false(hall->peers[i + 1].finished);
    hall_wait(hall, 1);
    for (unsigned i = 0; i < KS_COUNT_OF(so_far); i++)
        assert_true(hall->peers[i + 1].finished);
    assert_false(hall->peers[0].finished);
}

static void nobody_is_hurried_at_the_menu(void **state)
{
    struct hall *hall = *state;
    hall_open(hall, 0, 0);
    hall_wait(hall, UINT64_C(24) * 3600 * 1000);
    say(hall, 0, "what\n");
    hall_wait(hall, UINT64_C(24) * 3600 * 1000);
    assert_false(hall->peers[0].finished);
    say(hall, 0, "1\n");
    hall_wait(hall, HALL_PROMPT_MS);
    assert_true(hall->peers[0].finished);
}

static void input_gives_a_prompt_its_whole_time_again(void **state)
{
    struct hall *hall = *state;
    hall_open(hall, 0, 0);
    say(hall, 0, "2\n");
    for (const char *next = "dana"; *next != '\0'; next++) {
        hall_wait(hall, HALL_PROMPT_MS - 1);
        assert_false(hall->peers[0].finished);
        say_bytes(hall, 0, next, 1);
    }
    hall_wait(hall, HALL_PROMPT_MS);
    assert_true(hall->peers[0].finished);
}

static void members_may_be_silent_for_ever(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 0, "omer", false);
    say(hall, 0, "half a line");
    for (unsigned days = 0; days < 30; days++)
        hall_wait(hall, 24 * 3600 * UINT64_C(1000));
    say(hall, 0, "\n");
    assert_hears(hall, 1, "<dana: half a line>");
    assert_int_equal(hall->peers[1].deadline_ms, 0);
}

/* ---- wrong passwords ---- */

static void the_tenth_wrong_password_ends_the_connection(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    hall_open(hall, 1, 0);
    say(hall, 1, "1\nomer\n1\n");
    forget_heard(hall, 1);
    for (unsigned i = 1; i < 10; i++) {
        say(hall, 1, "wrong\n");
        hall_wait(hall, 2000); /* its turn has come */
        assert_hears(hall, 1, LINE_NOT_PASSWORD);
    }
    say(hall, 1, "wrong\n");
    hall_wait(hall, 2000);
    assert_hears(hall, 1, KS_CHAT_WRONG_PASSWORD "\n");
    assert_true(hall->peers[1].finished);
}

static void wrong_passwords_count_also_when_the_group_is_chosen_anew(void **state)
{
    struct hall *hall = *state;
    hall->environment.wrong_passwords = 2;
    enter_as_creator(hall, 0, 0, "dana", true);
    hall_open(hall, 1, 0);
    say(hall, 1, "1\nomer\n1\nwrong\n");
    hall_close(hall, 0);
    say(hall, 1, "wrong\n");
    assert_false(hall->peers[1].finished); /* there was no group to guess at */
    enter_as_creator(hall, 0, 0, "noa", true);
    say(hall, 1, "1\nwrong\n");
    assert_true(hall->peers[1].finished);
}

/* Four wrong ones are free; the guess after the next waits. */
static void guess_until_turns_are_taken(struct hall *hall, unsigned peer)
{
    say(hall, peer, "1\nomer\n1\n");
    for (unsigned i = 0; i < 5; i++)
        say(hall, peer, "wrong\n");
    forget_heard(hall, peer);
}

static void a_guess_waits_for_its_turn_and_so_does_what_comes_behind_it(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    hall_open(hall, 1, 0);
    guess_until_turns_are_taken(hall, 1);
    say(hall, 1, "secret\nhello\n");
    assert_hears(hall, 1, "");
    assert_false(hall->peers[1].idle); /* it is owed an answer */
    hall_wait(hall, 399);
    assert_hears(hall, 1, "");
    hall_wait(hall, 1);
    assert_hears(hall, 1, LINE_JOINED);
    assert_true(hall->peers[1].idle);
    assert_hears(hall, 0, "omer: hello\n");
}

static void an_address_shares_its_turns_between_its_connections(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    hall_open(hall, 1, 0);
    guess_until_turns_are_taken(hall, 1);
    hall_open(hall, 2, 1);
    memcpy(hall->peers[2].address, hall->peers[1].address, KS_PEER_ADDRESS_SIZE);
    say(hall, 2, "1\nnoa\n1\n");
    forget_heard(hall, 2);
    hall_open(hall, 3, 2); /* another address */
    say(hall, 3, "1\ngal\n1\n");
    forget_heard(hall, 3);
    say(hall, 1, "wrong\n");
    say(hall, 2, "secret\n");
    say(hall, 3, "secret\n");
    assert_hears(hall, 3, LINE_JOINED);
    hall_wait(hall, 400);
    assert_hears(hall, 1, LINE_NOT_PASSWORD);
    assert_hears(hall, 2, "");
    hall_wait(hall, 500);
    assert_hears(hall, 2, LINE_JOINED);
}

static void who_goes_while_the_guess_waits_is_forgotten_and_so_is_the_guess(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    hall_open(hall, 1, 0);
    guess_until_turns_are_taken(hall, 1);
    say(hall, 1, "secret\n");
    hall_close(hall, 1);
    hall_wait(hall, 1000);
    assert_hears(hall, 0, "");
}

/* Another connection of the address that peer 1 has used up the turns of; at the password. */
static void come_after_guesser(struct hall *hall, unsigned peer)
{
    hall_open(hall, peer, peer % HALL_LOOPS);
    memcpy(hall->peers[peer].address, hall->peers[1].address, KS_PEER_ADDRESS_SIZE);
    say(hall, peer, "1\nnoa\n1\n");
    forget_heard(hall, peer);
}

static void who_goes_gives_the_turn_to_the_next_of_the_address(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    hall_open(hall, 1, 0);
    guess_until_turns_are_taken(hall, 1);
    for (unsigned i = 2; i < 10; i++) {
        come_after_guesser(hall, i);
        say(hall, i, "wrong\n");
    }
    for (unsigned i = 2; i < 10; i++)
        if (i % 2 == 0)
            fake_connection_end(&hall->peers[i]);
        else
            hall_close(hall, i);
    come_after_guesser(hall, 10);
    say(hall, 10, "secret\n");
    hall_wait(hall, 399);
    assert_hears(hall, 10, "");
    hall_wait(hall, 1);
    assert_hears(hall, 10, LINE_JOINED);
}

static void behind_any_number_of_guessers_a_password_waits_for_seconds(void **state)
{
    struct hall *hall = *state;
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    enter_as_creator(hall, 0, 0, "dana", true);
    hall_open(hall, 1, 0);
    guess_until_turns_are_taken(hall, 1);
    memcpy(address, hall->peers[1].address, sizeof address);
    for (unsigned i = 0; i < 1000; i++)
        ks_turnstile_take(hall->turnstile, address, ks_clock_monotonic_ms(hall->environment.clock));
    come_after_guesser(hall, 2);
    say(hall, 2, "secret\n");
    hall_wait(hall, KS_TURNSTILE_WAIT_LARGEST_MS - 1);
    assert_hears(hall, 2, "");
    hall_wait(hall, 1);
    assert_hears(hall, 2, LINE_JOINED);
}

static void a_guess_that_waits_ends_with_the_input(void **state)
{
    static const char *const guesses[] = {"secret", "secret\n", "wrong", "wrong\n"};
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    for (unsigned i = 0; i < KS_COUNT_OF(guesses); i++) {
        hall_open(hall, i + 1, 0);
        guess_until_turns_are_taken(hall, i + 1);
        say(hall, i + 1, guesses[i]);
        fake_connection_end(&hall->peers[i + 1]);
        assert_true(hall->peers[i + 1].finished);
        assert_hears(hall, i + 1, "");
    }
    hall_wait(hall, 1000);
    assert_hears(hall, 0, "");
}

/* Whoever pipes in a whole conversation is still served. */
static void a_guess_is_judged_when_something_was_said_after_it_before_the_end(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    hall_open(hall, 1, 0);
    guess_until_turns_are_taken(hall, 1);
    say(hall, 1, "secret\n");
    say(hall, 1, "hello\n");
    fake_connection_end(&hall->peers[1]);
    assert_false(hall->peers[1].finished);
    hall_wait(hall, 400);
    assert_hears(hall, 1, LINE_JOINED);
    assert_true(hall->peers[1].finished);
    assert_hears(hall, 0, "omer: hello\nomer has removed from the group \n");
}

static void a_group_that_is_deleted_while_the_guess_waits_is_a_wrong_one(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    hall_open(hall, 1, 0);
    guess_until_turns_are_taken(hall, 1);
    say(hall, 1, "secret\n");
    hall_close(hall, 0);
    hall_wait(hall, 400);
    assert_hears(hall, 1, LINE_NO_GROUP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HALL_TEST(a_new_group_has_the_lowest_number_that_is_free),
        HALL_TEST(a_group_of_more_members_is_deleted_with_the_last),
        HALL_TEST(a_group_that_is_deleted_during_the_password_is_a_wrong_one),
        HALL_TEST(a_group_that_takes_the_number_of_a_deleted_one_is_another),
        HALL_TEST(too_many_groups_are_full),
        HALL_TEST(too_many_members_are_full_but_only_behind_the_password),
        HALL_TEST(every_prompt_ends_after_its_time_without_input),
        HALL_TEST(nobody_is_hurried_at_the_menu),
        HALL_TEST(input_gives_a_prompt_its_whole_time_again),
        HALL_TEST(members_may_be_silent_for_ever),
        HALL_TEST(the_tenth_wrong_password_ends_the_connection),
        HALL_TEST(wrong_passwords_count_also_when_the_group_is_chosen_anew),
        HALL_TEST(a_guess_waits_for_its_turn_and_so_does_what_comes_behind_it),
        HALL_TEST(an_address_shares_its_turns_between_its_connections),
        HALL_TEST(who_goes_while_the_guess_waits_is_forgotten_and_so_is_the_guess),
        HALL_TEST(who_goes_gives_the_turn_to_the_next_of_the_address),
        HALL_TEST(behind_any_number_of_guessers_a_password_waits_for_seconds),
        HALL_TEST(a_guess_that_waits_ends_with_the_input),
        HALL_TEST(a_guess_is_judged_when_something_was_said_after_it_before_the_end),
        HALL_TEST(a_group_that_is_deleted_while_the_guess_waits_is_a_wrong_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
