/* test_turnstile.c — how guessing is slowed down by address, with a clock set by hand. */
#include "unit/unit.h"

#include "service/chat/turnstile.h"

#include <pthread.h>

enum {
    FREE = 3, /* wrong guesses; more of them make turns */
    START_MS = 1000 * 1000,
    FORGOTTEN_MS = 10 * 60 * 1000,
};

struct address {
    uint8_t bytes[KS_PEER_ADDRESS_SIZE];
};

static struct address v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    return (struct address){{[10] = 0xff, [11] = 0xff, [12] = a, [13] = b, [14] = c, [15] = d}};
}

/* 2001:db8:0:`network`::`host` */
static struct address v6(uint8_t network, uint8_t host)
{
    return (struct address){{0x20, 0x01, 0x0d, 0xb8, [7] = network, [15] = host}};
}

static int set_up(void **state)
{
    struct ks_turnstile *turnstile = NULL;
    assert_int_equal(ks_turnstile_new(&(struct ks_hash_key){{0}}, &turnstile), KS_OK);
    *state = turnstile;
    return 0;
}

static int tear_down(void **state)
{
    ks_turnstile_free(*state);
    return 0;
}

static void guess_wrong(struct ks_turnstile *turnstile, struct address address, unsigned times,
                        uint64_t now_ms)
{
    for (unsigned i = 0; i < times; i++)
        ks_turnstile_wrong(turnstile, address.bytes, now_ms);
}

static uint64_t wait_of(struct ks_turnstile *turnstile, struct address address, uint64_t now_ms)
{
    return ks_turnstile_take(turnstile, address.bytes, now_ms).wait_ms;
}

/* Three guesses at one moment: when the address has turns, the third waits for two of them. */
static uint64_t spacing_of(struct ks_turnstile *turnstile, struct address address, uint64_t now_ms)
{
    uint64_t first = wait_of(turnstile, address, now_ms);
    uint64_t second = wait_of(turnstile, address, now_ms);
    uint64_t third = wait_of(turnstile, address, now_ms);
    assert_int_equal(third - second, second - first);
    return third - second;
}

static void who_never_guessed_wrong_never_waits(void **state)
{
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(wait_of(*state, v4(192, 0, 2, 1), START_MS), 0);
}

static void some_wrong_guesses_are_free(void **state)
{
    for (unsigned i = 0; i < FREE; i++) {
        guess_wrong(*state, v4(192, 0, 2, 1), 1, START_MS);
        assert_int_equal(spacing_of(*state, v4(192, 0, 2, 1), START_MS), 0);
    }
    guess_wrong(*state, v4(192, 0, 2, 1), 1, START_MS);
    assert_int_equal(spacing_of(*state, v4(192, 0, 2, 1), START_MS), 400);
}

static void turns_come_the_slower_the_more_were_wrong_to_a_second(void **state)
{
    for (unsigned wrong = FREE + 1; wrong < 15; wrong++) {
        struct address address = v4(192, 0, 2, (uint8_t)wrong);
        guess_wrong(*state, address, wrong, START_MS);
        assert_int_equal(spacing_of(*state, address, START_MS), wrong < 10 ? wrong * 100 : 1000);
    }
}

static void a_turn_is_taken_by_whoever_waits_for_it(void **state)
{
    struct address address = v4(192, 0, 2, 1);
    guess_wrong(*state, address, 5, START_MS);
    assert_int_equal(wait_of(*state, address, START_MS), 0);
    assert_int_equal(wait_of(*state, address, START_MS), 500);
    assert_int_equal(wait_of(*state, address, START_MS + 100), 900);
    assert_int_equal(wait_of(*state, address, START_MS + 1500), 0);
    assert_int_equal(wait_of(*state, address, START_MS + 1500), 500);
    assert_int_equal(wait_of(*state, address, START_MS + 60000), 0); /* turns that nobody took are gone */
    assert_int_equal(wait_of(*state, address, START_MS + 60000), 500);
}

static void addresses_have_turns_of_their_own(void **state)
{
    guess_wrong(*state, v4(192, 0, 2, 1), 100, START_MS);
    guess_wrong(*state, v6(1, 1), 100, START_MS);
    assert_int_equal(spacing_of(*state, v4(192, 0, 2, 2), START_MS), 0);
    assert_int_equal(spacing_of(*state, v4(193, 0, 2, 1), START_MS), 0);
    struct address elsewhere = v6(2, 1);
    elsewhere.bytes[5] = 1; /* another /48 */
    assert_int_equal(spacing_of(*state, elsewhere, START_MS), 0);
    assert_int_equal(spacing_of(*state, v4(192, 0, 2, 1), START_MS), 1000);
}

static void addresses_of_one_ipv6_network_share_their_turns(void **state)
{
    for (uint8_t host = 0; host < 10; host++)
        guess_wrong(*state, v6(1, host), 1, START_MS);
    assert_int_equal(spacing_of(*state, v6(1, 200), START_MS), 1000);
}

static void wrong_guesses_are_forgotten_ten_minutes_after_the_last(void **state)
{
    struct address address = v4(192, 0, 2, 1);
    guess_wrong(*state, address, 5, START_MS);
    guess_wrong(*state, address, 1, START_MS + FORGOTTEN_MS - 1);
    assert_int_equal(spacing_of(*state, address, START_MS + 2 * FORGOTTEN_MS - 2), 600);
    assert_int_equal(spacing_of(*state, address, START_MS + 2 * FORGOTTEN_MS - 1), 0);
    guess_wrong(*state, address, FREE, START_MS + 2 * FORGOTTEN_MS);
    assert_int_equal(spacing_of(*state, address, START_MS + 2 * FORGOTTEN_MS), 0); /* from the beginning */
}

static void an_address_with_many_wrong_guesses_is_not_forgotten_for_many_with_few(void **state)
{
    guess_wrong(*state, v4(192, 0, 2, 1), 50, START_MS);
    for (unsigned i = 0; i < 100000; i++)
        guess_wrong(*state, v4(10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i), 1, START_MS);
    assert_int_equal(spacing_of(*state, v4(192, 0, 2, 1), START_MS), 1000);
}

/* Whoever finds no place in the table shares one, and guesses no faster for it. */
static void where_the_table_is_full_guesses_are_counted_all_the_same(void **state)
{
    for (unsigned i = 0; i < 100000; i++)
        guess_wrong(*state, v4(10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i), 1, START_MS);
    for (uint8_t i = 0; i < 100; i++) {
        guess_wrong(*state, v4(192, 0, 2, i), FREE + 1, START_MS);
        assert_in_range(spacing_of(*state, v4(192, 0, 2, i), START_MS), 400, 1000);
    }
}

/* 2001:db8:1:`network`::1, of a /56 that is the network's first byte. */
static struct address v6_of_48(uint16_t network)
{
    return (struct address){
        {0x20, 0x01, 0x0d, 0xb8, [5] = 1, [6] = (uint8_t)(network >> 8), [7] = (uint8_t)network, [15] = 1}};
}

static void networks_of_one_56_and_one_48_slow_each_other_down_later(void **state)
{
    for (unsigned i = 0; i < 4 * (FREE + 1) - 1; i++)
        guess_wrong(*state, v6_of_48((uint16_t)i), 1, START_MS);
    assert_int_equal(spacing_of(*state, v6_of_48(200), START_MS), 0);
    guess_wrong(*state, v6_of_48(100), 1, START_MS);
    assert_int_equal(spacing_of(*state, v6_of_48(200), START_MS), 400 / 4);
    assert_int_equal(spacing_of(*state, v6_of_48(0x200), START_MS), 0);
    for (unsigned i = 0; i < 16 * (FREE + 1) - 4 * (FREE + 1); i++)
        guess_wrong(*state, v6_of_48((uint16_t)(i << 8)), 1, START_MS);
    assert_int_equal(spacing_of(*state, v6_of_48(0xff00), START_MS), 400 / 16);
    assert_int_equal(spacing_of(*state, v6(1, 1), START_MS), 0);
}

static void nobody_waits_longer_than_the_largest_wait(void **state)
{
    struct address address = v4(192, 0, 2, 1);
    guess_wrong(*state, address, 100, START_MS);
    for (uint64_t i = 0; i <= KS_TURNSTILE_WAIT_LARGEST_MS / 1000; i++)
        assert_int_equal(wait_of(*state, address, START_MS), i * 1000);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(wait_of(*state, address, START_MS), KS_TURNSTILE_WAIT_LARGEST_MS);
    /* When no more come, the queue is as long as what was waited for, and no longer. */
    assert_int_equal(wait_of(*state, address, START_MS + 5000), KS_TURNSTILE_WAIT_LARGEST_MS - 4000);
    assert_int_equal(wait_of(*state, address, START_MS + KS_TURNSTILE_WAIT_LARGEST_MS + 5000), 0);
}

/* ---- turns that are given back ---- */

static void a_turn_that_is_given_back_is_the_next_ones(void **state)
{
    struct address address = v4(192, 0, 2, 1);
    guess_wrong(*state, address, 5, START_MS);
    assert_int_equal(wait_of(*state, address, START_MS), 0);
    struct ks_turn turn = ks_turnstile_take(*state, address.bytes, START_MS);
    assert_int_equal(turn.wait_ms, 500);
    assert_int_equal(wait_of(*state, address, START_MS), 1000);
    ks_turnstile_give_back(*state, address.bytes, turn, START_MS);
    assert_int_equal(wait_of(*state, address, START_MS), 1000);
    assert_int_equal(wait_of(*state, address, START_MS), 1500);
}

/* Also those beyond the largest wait, which made the queue no longer, or hardly: else whoever takes and gives
 * back enough of them would guess without waiting. */
static void a_thousand_turns_given_back_leave_the_queue_as_it_was(void **state)
{
    struct ks_turn turns[1000];
    struct address address = v4(192, 0, 2, 1);
    guess_wrong(*state, address, 100, START_MS);
    for (unsigned i = 0; i < 10; i++)
        wait_of(*state, address, START_MS);
    for (size_t i = 0; i < KS_COUNT_OF(turns); i++)
        turns[i] = ks_turnstile_take(*state, address.bytes, START_MS + i);
    for (size_t i = 0; i < KS_COUNT_OF(turns); i++)
        ks_turnstile_give_back(*state, address.bytes, turns[i], START_MS + 1000);
    assert_int_equal(wait_of(*state, address, START_MS + 1000), 9000);
}

static void a_turn_of_a_forgotten_address_is_given_back_to_nobody(void **state)
{
    struct address address = v4(192, 0, 2, 1);
    guess_wrong(*state, address, 100, START_MS);
    struct ks_turn turn = ks_turnstile_take(*state, address.bytes, START_MS);
    ks_turnstile_give_back(*state, address.bytes, turn, START_MS + FORGOTTEN_MS);
    guess_wrong(*state, address, 100, START_MS + FORGOTTEN_MS);
    turn.later_ms[0] = UINT64_MAX;
    ks_turnstile_give_back(*state, address.bytes, turn, START_MS + FORGOTTEN_MS);
    assert_int_equal(spacing_of(*state, address, START_MS + FORGOTTEN_MS), 1000);
}

/* ---- threads ---- */

/* Every other guesser goes before its turn. */
static void *guess(void *turnstile)
{
    for (unsigned i = 0; i < 2000; i++) {
        struct address address = v4(192, 0, 2, (uint8_t)(i % 4));
        ks_turnstile_wrong(turnstile, address.bytes, START_MS);
        struct ks_turn turn = ks_turnstile_take(turnstile, address.bytes, START_MS);
        if (i % 2 == 0)
            ks_turnstile_give_back(turnstile, address.bytes, turn, START_MS);
    }
    return NULL;
}

static void guesses_of_many_threads_are_all_counted(void **state)
{
    pthread_t threads[4];
    for (size_t i = 0; i < KS_COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, guess, *state), 0);
    for (size_t i = 0; i < KS_COUNT_OF(threads); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(wait_of(*state, v4(192, 0, 2, 1), START_MS), KS_TURNSTILE_WAIT_LARGEST_MS);
    assert_int_equal(spacing_of(*state, v4(192, 0, 2, 0), START_MS), 1000); /* all turns were given back */
    assert_int_equal(wait_of(*state, v4(192, 0, 2, 0), START_MS), 3000);
}

#define TURNSTILE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TURNSTILE_TEST(who_never_guessed_wrong_never_waits),
        TURNSTILE_TEST(some_wrong_guesses_are_free),
        TURNSTILE_TEST(turns_come_the_slower_the_more_were_wrong_to_a_second),
        TURNSTILE_TEST(a_turn_is_taken_by_whoever_waits_for_it),
        TURNSTILE_TEST(addresses_have_turns_of_their_own),
        TURNSTILE_TEST(addresses_of_one_ipv6_network_share_their_turns),
        TURNSTILE_TEST(wrong_guesses_are_forgotten_ten_minutes_after_the_last),
        TURNSTILE_TEST(an_address_with_many_wrong_guesses_is_not_forgotten_for_many_with_few),
        TURNSTILE_TEST(where_the_table_is_full_guesses_are_counted_all_the_same),
        TURNSTILE_TEST(networks_of_one_56_and_one_48_slow_each_other_down_later),
        TURNSTILE_TEST(nobody_waits_longer_than_the_largest_wait),
        TURNSTILE_TEST(a_turn_that_is_given_back_is_the_next_ones),
        TURNSTILE_TEST(a_thousand_turns_given_back_leave_the_queue_as_it_was),
        TURNSTILE_TEST(a_turn_of_a_forgotten_address_is_given_back_to_nobody),
        TURNSTILE_TEST(guesses_of_many_threads_are_all_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
