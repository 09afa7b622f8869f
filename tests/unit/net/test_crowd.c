/* Unit tests of crowd.h: who is counted, by what, and until when. */
#include "unit/unit.h"

#include "net/loop/crowd.h"

enum { LIMIT = 2 };

static int set_up(void **state)
{
    static struct ks_crowd crowd;
    const struct ks_hash_key key = {{1, 2}};
    ks_crowd_init(&crowd, &key, LIMIT, NULL);
    *state = &crowd;
    return 0;
}

/* Whoever has come has to have left again, or memory leaks. */
static int tear_down(void **state)
{
    struct ks_crowd *crowd = *state;
    int left = crowd->entries == NULL ? 0 : -1;
    ks_crowd_destroy(crowd);
    return left;
}

struct address {
    uint8_t bytes[KS_NETWORK_ADDRESS_SIZE];
};

/* 2001:db8:0:<network>::<host>, so that the upper byte of `network` is its /56. */
static struct address of(unsigned network, unsigned host)
{
    return (struct address){
        {0x20, 0x01, 0x0d, 0xb8, 0, 0, (uint8_t)(network >> 8), (uint8_t)network, [15] = (uint8_t)host}};
}

static enum ks_result enter(struct ks_crowd *crowd, struct address address)
{
    return ks_crowd_enter(crowd, address.bytes);
}

static void leave(struct ks_crowd *crowd, struct address address)
{
    ks_crowd_leave(crowd, address.bytes);
}

static void fill(struct ks_crowd *crowd, unsigned network)
{
    for (unsigned host = 0; host < LIMIT; host++)
        assert_int_equal(enter(crowd, of(network, host)), KS_OK);
}

static void empty(struct ks_crowd *crowd, unsigned network)
{
    for (unsigned host = 0; host < LIMIT; host++)
        leave(crowd, of(network, host));
}

static void an_address_has_so_many_until_one_leaves(void **state)
{
    struct ks_crowd *crowd = *state;
    const struct address peer = {{[10] = 0xff, 0xff, 192, 0, 2, 1}};
    const struct address neighbour = {{[10] = 0xff, 0xff, 192, 0, 2, 2}};
    assert_int_equal(enter(crowd, peer), KS_OK);
    assert_int_equal(enter(crowd, peer), KS_OK);
    assert_int_equal(enter(crowd, peer), KS_REFUSED);
    assert_int_equal(enter(crowd, neighbour), KS_OK);
    leave(crowd, peer);
    assert_int_equal(enter(crowd, peer), KS_OK);
    leave(crowd, peer);
    leave(crowd, peer);
    leave(crowd, neighbour);
}

static void hosts_of_one_64_count_together(void **state)
{
    struct ks_crowd *crowd = *state;
    fill(crowd, 1);
    assert_int_equal(enter(crowd, of(1, 99)), KS_REFUSED);
    assert_int_equal(enter(crowd, of(2, 99)), KS_OK);
    leave(crowd, of(2, 99));
    empty(crowd, 1);
}

static void a_56_has_four_times_as_many(void **state)
{
    struct ks_crowd *crowd = *state;
    for (unsigned network = 0; network < 4; network++)
        fill(crowd, network);
    assert_int_equal(enter(crowd, of(4, 0)), KS_REFUSED);
    assert_int_equal(enter(crowd, of(0x100, 0)), KS_OK);
    leave(crowd, of(0x100, 0));
    for (unsigned network = 0; network < 4; network++)
        empty(crowd, network);
}

static void a_48_has_sixteen_times_as_many(void **state)
{
    struct ks_crowd *crowd = *state;
    for (unsigned network = 0; network < 16; network++)
        fill(crowd, network / 4 << 8 | network % 4);
    assert_int_equal(enter(crowd, of(0x400, 0)), KS_REFUSED);
    for (unsigned network = 0; network < 16; network++)
        empty(crowd, network / 4 << 8 | network % 4);
}

static void whom_a_larger_network_refuses_counts_in_no_smaller_one(void **state)
{
    struct ks_crowd *crowd = *state;
    for (unsigned network = 0; network < 4; network++)
        fill(crowd, network);
    for (unsigned i = 0; i < 2 * LIMIT; i++)
        assert_int_equal(enter(crowd, of(4, 0)), KS_REFUSED);
    empty(crowd, 0);
    fill(crowd, 4);
    for (unsigned network = 1; network < 5; network++)
        empty(crowd, network);
}

static void without_a_limit_all_are_counted_and_come_in(void **state)
{
    struct ks_crowd *crowd = *state;
    atomic_store(&crowd->limit, 0);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(enter(crowd, of(1, 1)), KS_OK);
    atomic_store(&crowd->limit, LIMIT);
    assert_int_equal(enter(crowd, of(1, 1)), KS_REFUSED);
    for (unsigned i = 0; i < 100; i++)
        leave(crowd, of(1, 1));
}

#define CROWD_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CROWD_TEST(an_address_has_so_many_until_one_leaves),
        CROWD_TEST(hosts_of_one_64_count_together),
        CROWD_TEST(a_56_has_four_times_as_many),
        CROWD_TEST(a_48_has_sixteen_times_as_many),
        CROWD_TEST(whom_a_larger_network_refuses_counts_in_no_smaller_one),
        CROWD_TEST(without_a_limit_all_are_counted_and_come_in),
    };
    return cmocka_run_group_tests_name("crowd", tests, NULL, NULL);
}
