/* test_groups_queues.c — what waits for members who do not take it, and who is cut off for it. */
#include "unit/service/chat/chat_fixture.h"

/* Who takes nothing more of what is written to it. */
static void stop_taking(struct hall *hall, unsigned peer)
{
    hall->peers[peer].window = hall->peers[peer].output.size;
}

/* A line of `size` bytes, its LF included, from this peer; what is posted is run. */
static void say_long(struct hall *hall, unsigned peer, size_t size)
{
    char *line = malloc(size);
    assert_non_null(line);
    memset(line, 'x', size);
    line[size - 1] = '\n';
    say_bytes(hall, peer, line, size);
    free(line);
}

/* `count` lines of 1000 bytes. */
static void say_much(struct hall *hall, unsigned peer, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        say_long(hall, peer, 1000);
}

static void who_takes_nothing_is_cut_off_at_the_limit_and_nobody_else(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 1, "omer", true);
    enter_as_member(hall, 2, 1, "noa", true);
    stop_taking(hall, 1);
    size_t limit = 1024 * 1024;
    for (unsigned i = 0; !hall->peers[1].aborted; i++) {
        assert_in_range(i, 0, 1100);
        say_long(hall, 0, 1000);
    }
    size_t size = 0;
    heard_since(hall, 1, &size);
    assert_in_range(size, limit, limit + 1100);
    hall_close(hall, 1);
    say(hall, 0, "goes on\n");
    heard_since(hall, 2, &size);
    assert_true(size > limit);
    const char *heard = heard_since(hall, 2, &size);
    static const char ending[] = "omer has removed from the group \ndana: goes on\n";
    assert_memory_equal(heard + size - (sizeof ending - 1), ending, sizeof ending - 1);
    assert_false(hall->peers[2].aborted);
    assert_false(hall->peers[0].paused);
}

static void who_takes_slowly_is_not_cut_off(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 1, "omer", true);
    stop_taking(hall, 1);
    for (unsigned i = 0; i < 20; i++) {
        say_much(hall, 0, 500);
        assert_false(hall->peers[1].aborted);
        fake_connection_take(&hall->peers[1], 600 * 1000);
        stop_taking(hall, 1);
    }
    say_much(hall, 0, 500);
    assert_false(hall->peers[1].aborted);
}

static void enter_as_speakers(struct hall *hall)
{
    enter_as_creator(hall, 0, 0, "s0", true);
    for (unsigned i = 1; i < 6; i++)
        enter_as_member(hall, i, i % 2, "s1", true);
}

/* What the speakers may say before the loop of a listener runs: 256 lines of 1000 bytes each, which is more
 * than its queue may hold. */
static void speak_in_one_turn(struct hall *hall)
{
    char line[1001];
    memset(line, 'x', sizeof line - 1);
    line[999] = '\n';
    line[1000] = '\0';
    for (unsigned i = 0; i < 6; i++)
        for (unsigned j = 0; j < 256; j++)
            say_only(hall, i, line);
}

static void who_takes_everything_is_not_cut_off_for_what_comes_in_one_turn_of_its_loop(void **state)
{
    struct hall *hall = *state;
    enter_as_speakers(hall);
    enter_as_member(hall, 6, 2, "listener", true);
    enter_as_member(hall, 7, 2, "lazy", true);
    stop_taking(hall, 7);
    speak_in_one_turn(hall);
    hall_settle(hall);
    size_t size = 0;
    heard_since(hall, 6, &size);
    assert_int_equal(size, 6 * 256 * (strlen("s0: ") + 1000));
    for (unsigned i = 0; i < 7; i++)
        assert_false(hall->peers[i].aborted);
    assert_true(hall->peers[7].aborted);
}

static void who_says_exit_and_takes_nothing_is_cut_off_at_the_limit_too(void **state)
{
    struct hall *hall = *state;
    enter_as_speakers(hall);
    enter_as_member(hall, 6, 2, "omer", true);
    stop_taking(hall, 6);
    speak_in_one_turn(hall);
    say_only(hall, 6, "Exit\n");
    hall_settle(hall);
    assert_true(hall->peers[6].aborted);
    assert_false(hall->peers[6].finished);
    hall_close(hall, 6);
    say(hall, 0, "goes on\n");
    assert_false(hall->peers[0].aborted);
}

/* All queues together may take 1 MiB, one of them as much. */
static int set_up_small(void **state)
{
    static const struct ks_groups_limits limits = {
        .groups = 3, .members = 8, .member_queue = 1024 * 1024, .queues = 1024 * 1024};
    *state = hall_new(&limits);
    return 0;
}

static void when_all_queues_are_too_long_each_has_the_small_limit(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    for (unsigned i = 1; i < 6; i++) {
        enter_as_member(hall, i, i % HALL_LOOPS, "omer", true);
        stop_taking(hall, i);
    }
    enter_as_member(hall, 6, 1, "noa", true);
    say_much(hall, 0, 200); /* 5 x 200 KB */
    for (unsigned i = 1; i < 6; i++)
        assert_false(hall->peers[i].aborted);
    say_much(hall, 0, 80);
    for (unsigned i = 1; i < 6; i++)
        assert_true(hall->peers[i].aborted);
    assert_false(hall->peers[6].aborted);
}

static void what_is_taken_counts_no_more_and_neither_does_who_is_gone(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    for (unsigned i = 1; i < 5; i++) {
        enter_as_member(hall, i, i % HALL_LOOPS, "omer", true);
        stop_taking(hall, i);
    }
    say_much(hall, 0, 240);
    fake_connection_take(&hall->peers[1], SIZE_MAX / 2);
    hall_close(hall, 2);
    hall_close(hall, 4);
    say_much(hall, 0, 500); /* one queue is long */
    assert_false(hall->peers[3].aborted);
    assert_false(hall->peers[1].aborted);
}

/* Many short segments take much memory while few bytes wait; nothing tells when they are gone. */
static void what_was_taken_in_silence_counts_no_more_either(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 1, "omer", true);
    hall_open(hall, 2, 2);
    say(hall, 2, "2\nnoa\nsecret\n"); /* a group of its own */
    hall_open(hall, 3, 0);
    say(hall, 3, "1\n");
    say(hall, 3, "gal\n2\nsecret\n");
    hall->peers[1].overhead = 1000 * 1000;
    stop_taking(hall, 1);
    say(hall, 0, "short\n");
    fake_connection_take(&hall->peers[1], SIZE_MAX / 2);
    hall_wait(hall, 2000);
    stop_taking(hall, 3);
    say_much(hall, 2, 500);
    assert_false(hall->peers[3].aborted);
}

static void who_takes_nothing_is_cut_off_in_a_silent_group_too(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 1, "omer", true);
    hall_open(hall, 2, 2);
    say(hall, 2, "2\nnoa\nsecret\n");
    hall_open(hall, 3, 0);
    say(hall, 3, "1\n");
    say(hall, 3, "gal\n2\nsecret\n");
    stop_taking(hall, 1);
    stop_taking(hall, 3);
    say_much(hall, 0, 900);
    assert_false(hall->peers[1].aborted);
    say_much(hall, 2, 200); /* now they are too many together */
    hall_wait(hall, 2000);
    assert_true(hall->peers[1].aborted);
    assert_false(hall->peers[3].aborted);
}

#define SMALL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_small, hall_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HALL_TEST(who_takes_nothing_is_cut_off_at_the_limit_and_nobody_else),
        HALL_TEST(who_takes_slowly_is_not_cut_off),
        HALL_TEST(who_takes_everything_is_not_cut_off_for_what_comes_in_one_turn_of_its_loop),
        HALL_TEST(who_says_exit_and_takes_nothing_is_cut_off_at_the_limit_too),
        SMALL_TEST(when_all_queues_are_too_long_each_has_the_small_limit),
        SMALL_TEST(what_is_taken_counts_no_more_and_neither_does_who_is_gone),
        SMALL_TEST(what_was_taken_in_silence_counts_no_more_either),
        SMALL_TEST(who_takes_nothing_is_cut_off_in_a_silent_group_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
