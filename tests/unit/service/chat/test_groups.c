/* test_groups.c — groups over several loops: one order for all, credit, and members that come and go while
 * packets are on their way. Queues are in test_groups_queues.c, real threads in test_groups_threads.c. */
#include "unit/service/chat/chat_fixture.h"

static bool mailbox_is_empty(struct hall *hall, unsigned loop)
{
    return atomic_load(&hall->loops[loop].mailbox.newest) == NULL;
}

/* ---- one order ---- */

static void assert_same_trace(struct hall *hall, unsigned peer, unsigned other)
{
    size_t size = 0;
    size_t other_size = 0;
    const char *heard = heard_since(hall, peer, &size);
    const char *other_heard = heard_since(hall, other, &other_size);
    assert_int_equal(size, other_size);
    assert_memory_equal(heard, other_heard, size);
}

/* A speaker and a listener on each loop. */
static void enter_speakers_and_listeners(struct hall *hall)
{
    enter_as_creator(hall, 0, 0, "s0", true);
    enter_as_member(hall, 1, 1, "s1", true);
    enter_as_member(hall, 2, 2, "s2", true);
    for (unsigned loop = 0; loop < HALL_LOOPS; loop++)
        enter_as_member(hall, 3 + loop, loop, "listener", true);
}

static void all_hear_one_order_in_whatever_order_the_loops_run(void **state)
{
    static const unsigned orders[][HALL_LOOPS] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                                  {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    struct hall *hall = *state;
    enter_speakers_and_listeners(hall);
    for (unsigned i = 0; i < KS_COUNT_OF(orders); i++) {
        say_only(hall, 2, "a\n");
        say_only(hall, 0, "b\n");
        say_only(hall, 1, "c\n");
        say_only(hall, 0, "d\n");
        for (unsigned j = 0; j < HALL_LOOPS; j++)
            fake_loop_run(&hall->loops[orders[i][j]]);
        for (unsigned loop = 0; loop < HALL_LOOPS; loop++)
            assert_hears(hall, 3 + loop, "s2: a\ns0: b\ns1: c\ns0: d\n");
        assert_hears(hall, 0, "s2: a\ns1: c\n");
        assert_hears(hall, 1, "s2: a\ns0: b\ns0: d\n");
        assert_hears(hall, 2, "s0: b\ns1: c\ns0: d\n");
        hall_settle(hall);
    }
}

static void all_hear_one_order_however_speaking_and_running_mix(void **state)
{
    struct hall *hall = *state;
    uint32_t random = 1;
    size_t said = 0;
    enter_speakers_and_listeners(hall);
    for (unsigned step = 0; step < 5000; step++) {
        char line[32];
        random = random * 1664525U + 1013904223U;
        unsigned loop = (random >> 8) % HALL_LOOPS;
        if ((random >> 16) % 3 == 0) {
            fake_loop_run(&hall->loops[loop]);
            continue;
        }
        snprintf(line, sizeof line, "%u\n", step);
        say_only(hall, loop, line);
        said += strlen("s0: ") + strlen(line);
    }
    hall_settle(hall);
    assert_same_trace(hall, 3, 4);
    assert_same_trace(hall, 3, 5);
    assert_int_equal(hall->peers[3].trace.size - hall->heard[3], said);
}

static void a_member_hears_only_what_is_said_after_it_joined(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 1, "omer", true);
    hall_open(hall, 2, 1);
    say(hall, 2, "1\n");
    say(hall, 2, "noa\n1\n");
    forget_heard(hall, 2);
    say_only(hall, 0, "before\n"); /* on its way to loop 1 */
    say_only(hall, 2, "secret\n");
    say_only(hall, 0, "after\n");
    hall_settle(hall);
    assert_hears(hall, 1, "dana: before\ndana: after\n");
    assert_hears(hall, 2, LINE_JOINED "dana: after\n");
}

static void no_packet_goes_to_loops_where_nobody_sits_any_more(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 1, "omer", true);
    enter_as_member(hall, 2, 2, "noa", true);
    hall_close(hall, 1);
    forget_heard(hall, 2);
    say_only(hall, 0, "x\n");
    assert_true(mailbox_is_empty(hall, 1));
    hall_settle(hall);
    assert_hears(hall, 2, "dana: x\n");
    enter_as_member(hall, 1, 1, "omer", true); /* on the seat that is there */
    say(hall, 0, "y\n");
    assert_hears(hall, 1, "dana: y\n");
}

static void whoever_is_alone_posts_nothing(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    for (unsigned i = 0; i < 1000; i++) {
        say_only(hall, 0, "to nobody\n");
        assert_true(mailbox_is_empty(hall, 0));
    }
    assert_false(hall->peers[0].paused);
}

/* ---- coming and going ---- */

static void who_says_exit_while_packets_are_on_their_way_hears_them_out(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 1, "omer", true);
    enter_as_member(hall, 2, 1, "noa", true);
    say_only(hall, 0, "x\n");
    say_only(hall, 1, "y\nExit\nz\n");
    say_only(hall, 0, "after\n");
    say_only(hall, 1, "never heard\n");
    hall_settle(hall);
    assert_hears(hall, 1, "dana: x\n" KS_CHAT_LEFT);
    assert_hears(hall, 2, "dana: x\nomer: y\ndana: after\nomer has removed from the group \n");
    assert_hears(hall, 0, "omer: y\nomer has removed from the group \n");
    assert_true(hall->peers[1].finished);
}

static void whose_input_ends_while_packets_are_on_their_way_hears_them_out(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 1, "omer", true);
    say_only(hall, 0, "x\n");
    say_only(hall, 1, "y");
    fake_connection_end(&hall->peers[1]);
    hall_settle(hall);
    assert_hears(hall, 1, "dana: x\n");
    assert_hears(hall, 0, "omer: y\nomer has removed from the group \n");
    assert_true(hall->peers[1].finished);
}

static void who_is_gone_before_it_has_heard_all_leaves_at_once(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 1, "omer", true);
    say_only(hall, 0, "x\n");
    say_only(hall, 1, "Exit\n");
    fake_connection_close(&hall->peers[1]);
    hall->peers[1] = (struct fake_connection){0};
    hall_settle(hall);
    assert_hears(hall, 0, "omer has removed from the group \n");
}

static void what_a_speaker_said_arrives_also_when_it_is_gone(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 1, "omer", true);
    say_only(hall, 0, "x\n");
    fake_connection_close(&hall->peers[0]); /* its loop runs, the other's does not */
    hall->peers[0] = (struct fake_connection){0};
    assert_hears(hall, 1, "");
    hall_settle(hall);
    assert_hears(hall, 1, "dana: x\ndana has removed from the group \n");
}

static void a_group_goes_with_its_last_member_and_its_memory_with_the_last_packet(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 1, "omer", true);
    enter_as_member(hall, 2, 2, "noa", true);
    say_only(hall, 0, "x\n");
    say_only(hall, 0, "y\n");
    for (unsigned i = 0; i < 3; i++) {
        hall->peers[i].connection.events->closed(&hall->peers[i].connection); /* no loop runs */
        hall->peers[i].open = false;
    }
    assert_int_equal(ks_groups_count(hall->groups), 0);
    assert_false(mailbox_is_empty(hall, 1));
    hall_settle(hall);
    for (unsigned i = 0; i < HALL_LOOPS; i++)
        assert_true(mailbox_is_empty(hall, i));
}

static void a_new_group_of_the_same_number_hears_nothing_of_the_old_ones_packets(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 1, "omer", true);
    say_only(hall, 0, "old\n");
    for (unsigned i = 0; i < 2; i++) {
        hall->peers[i].connection.events->closed(&hall->peers[i].connection);
        hall->peers[i].open = false;
    }
    hall_open(hall, 2, 1);
    say_only(hall, 2, "2\n");
    say_only(hall, 2, "noa\nsecret\n");
    forget_heard(hall, 2);
    hall_settle(hall);
    assert_hears(hall, 2, "");
    assert_int_equal(ks_groups_count(hall->groups), 1);
}

/* Members come and go in an order from a generator while two speak; whoever is there hears a part of what the
 * listener that is always there hears, without a gap. */
static void assert_part_of(struct hall *hall, unsigned peer, unsigned whole)
{
    size_t size = 0;
    size_t whole_size = 0;
    const char *heard = heard_since(hall, peer, &size);
    const char *all = heard_since(hall, whole, &whole_size);
    assert_true(size == 0 || memmem(all, whole_size, heard, size) != NULL);
}

static void guests_hear_a_part_without_gaps(void **state)
{
    struct hall *hall = *state;
    uint32_t random = 7;
    enter_as_creator(hall, 0, 0, "s0", true);
    enter_as_member(hall, 1, 1, "s1", true);
    enter_as_member(hall, 2, 2, "listener", true);
    for (unsigned step = 0; step < 3000; step++) {
        char text[64];
        random = random * 1664525U + 1013904223U;
        unsigned guest = 3 + (random >> 8) % 4;
        unsigned loop = (random >> 12) % HALL_LOOPS;
        snprintf(text, sizeof text, "%u\n", step);
        switch ((random >> 16) % 5) {
        case 0:
            fake_loop_run(&hall->loops[loop]);
            break;
        case 1:
            if (hall->peers[guest].loop == NULL) {
                hall_open(hall, guest, loop);
                say_only(hall, guest, "1\n");
                snprintf(text, sizeof text, "g%u\n1\nsecret\n", step);
                say_only(hall, guest, text);
                forget_heard(hall, guest);
                break;
            }
            /* What is on its way to the guest is lost with it, and that the listener may hear of later. */
            hall_settle(hall);
            assert_part_of(hall, guest, 2);
            fake_connection_close(&hall->peers[guest]);
            hall->peers[guest] = (struct fake_connection){0};
            hall->heard[guest] = 0;
            break;
        default:
            say_only(hall, (random >> 20) % 2, text);
        }
    }
    hall_settle(hall);
    for (unsigned guest = 3; guest < 7; guest++)
        assert_part_of(hall, guest, 2);
}

/* ---- credit ---- */

static void whoever_is_ahead_of_the_loops_waits_and_goes_on(void **state)
{
    struct hall *hall = *state;
    char line[1001];
    enum { COUNT = 1000 };
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 1, "omer", true);
    enter_as_member(hall, 2, 0, "noa", true);
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(line, sizeof line, "%0998u\n", i);
        say_only(hall, 0, line);
        fake_loop_run(&hall->loops[0]); /* only loop 1 is behind */
    }
    assert_true(hall->peers[0].paused);
    size_t size = 0;
    heard_since(hall, 2, &size);
    assert_in_range(size, KS_GROUPS_CREDIT / 2, KS_GROUPS_CREDIT + 1100);
    hall_settle(hall);
    assert_false(hall->peers[0].paused);
    assert_same_trace(hall, 1, 2);
    const char *heard = heard_since(hall, 1, &size);
    assert_int_equal(size, COUNT * (strlen("dana: ") + 999));
    for (unsigned i = 0; i < COUNT; i++) { /* nothing lost, nothing twice */
        char expected[1010];
        int length = snprintf(expected, sizeof expected, "dana: %0998u\n", i);
        assert_memory_equal(heard + (size_t)i * (size_t)length, expected, (size_t)length);
    }
}

static void one_read_with_many_lines_stops_at_the_credit_too(void **state)
{
    struct hall *hall = *state;
    enum { COUNT = 30000 };
    char *lines = malloc(2 * COUNT);
    size_t size = 0;
    assert_non_null(lines);
    for (size_t i = 0; i < COUNT; i++)
        memcpy(lines + 2 * i, "x\n", 2);
    enter_as_creator(hall, 0, 0, "a name that makes much of little", true);
    enter_as_member(hall, 1, 1, "omer", true);
    fake_connection_send_only(&hall->peers[0], lines, 2 * COUNT);
    assert_true(hall->peers[0].paused);
    assert_true(hall->peers[0].kept.size > COUNT);
    hall_settle(hall);
    heard_since(hall, 1, &size);
    assert_int_equal(size, COUNT * strlen("a name that makes much of little: x\n"));
    free(lines);
}

static void who_waits_for_credit_may_go(void **state)
{
    struct hall *hall = *state;
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 1, "omer", true);
    for (unsigned i = 0; i < 400; i++) {
        char line[1001];
        memset(line, 'x', sizeof line - 1);
        line[999] = '\n';
        line[1000] = '\0';
        say_only(hall, 0, line);
    }
    assert_true(hall->peers[0].paused);
    fake_connection_close(&hall->peers[0]);
    hall->peers[0] = (struct fake_connection){0};
    hall_settle(hall);
    size_t size = 0;
    const char *heard = heard_since(hall, 1, &size);
    static const char farewell[] = "dana has removed from the group \n";
    assert_memory_equal(heard + size - (sizeof farewell - 1), farewell, sizeof farewell - 1);
}

static void the_end_of_input_waits_for_the_credit_and_nothing_is_lost(void **state)
{
    struct hall *hall = *state;
    enum { COUNT = 400 };
    char line[1001];
    memset(line, 'x', sizeof line - 1);
    line[999] = '\n';
    line[1000] = '\0';
    enter_as_creator(hall, 0, 0, "dana", true);
    enter_as_member(hall, 1, 1, "omer", true);
    for (unsigned i = 0; i < COUNT; i++)
        say_only(hall, 0, line);
    assert_true(hall->peers[0].paused);
    fake_connection_end(&hall->peers[0]);
    assert_false(hall->peers[0].finished);
    hall_settle(hall);
    assert_true(hall->peers[0].finished);
    size_t size = 0;
    heard_since(hall, 1, &size);
    assert_int_equal(size, COUNT * (strlen("dana: ") + 1000) + strlen("dana has removed from the group \n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HALL_TEST(all_hear_one_order_in_whatever_order_the_loops_run),
        HALL_TEST(all_hear_one_order_however_speaking_and_running_mix),
        HALL_TEST(a_member_hears_only_what_is_said_after_it_joined),
        HALL_TEST(no_packet_goes_to_loops_where_nobody_sits_any_more),
        HALL_TEST(whoever_is_alone_posts_nothing),
        HALL_TEST(who_says_exit_while_packets_are_on_their_way_hears_them_out),
        HALL_TEST(whose_input_ends_while_packets_are_on_their_way_hears_them_out),
        HALL_TEST(who_is_gone_before_it_has_heard_all_leaves_at_once),
        HALL_TEST(what_a_speaker_said_arrives_also_when_it_is_gone),
        HALL_TEST(a_group_goes_with_its_last_member_and_its_memory_with_the_last_packet),
        HALL_TEST(a_new_group_of_the_same_number_hears_nothing_of_the_old_ones_packets),
        HALL_TEST(guests_hear_a_part_without_gaps),
        HALL_TEST(whoever_is_ahead_of_the_loops_waits_and_goes_on),
        HALL_TEST(one_read_with_many_lines_stops_at_the_credit_too),
        HALL_TEST(who_waits_for_credit_may_go),
        HALL_TEST(the_end_of_input_waits_for_the_credit_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
