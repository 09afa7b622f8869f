/* Unit tests of src/store/embedded/memory/puts.c: which puts there are, who makes room for another, and how
 * long they are kept. */
#include "unit/unit.h"

#include "store/embedded/memory/puts.h"

#include <stdio.h>
#include <string.h>

static const struct ks_client_id alice = {.bytes = {1, 1}};
static const struct ks_client_id bob = {.bytes = {2, 2}};
static const struct ks_client_id carol = {.bytes = {3, 3}};

struct desk {
    struct ks_store_limits limits;
    struct ks_log log;
    struct ks_puts *puts;
};

static int set_up(void **state)
{
    struct desk *desk = calloc(1, sizeof *desk);
    assert_non_null(desk);
    desk->log = (struct ks_log){.fd = -1, .level = KS_LOG_ERROR};
    desk->puts = ks_puts_new(&desk->limits, &desk->log);
    assert_non_null(desk->puts);
    *state = desk;
    return 0;
}

static int tear_down(void **state)
{
    struct desk *desk = *state;
    ks_puts_free(desk->puts);
    free(desk);
    return 0;
}

/* ---- in one line ---- */

static const uint8_t *put_id_of(uint8_t number)
{
    static uint8_t put_id[KS_PUT_ID_SIZE];
    memset(put_id, number, sizeof put_id);
    return put_id;
}

static enum ks_result try_open(struct desk *desk, const struct ks_client_id *id, uint8_t number,
                               uint64_t size, struct ks_put_entry **put, enum ks_store_limit *limit)
{
    bool was_parked = false;
    *put = NULL;
    return ks_puts_open(desk->puts, id, put_id_of(number), size, put, &was_parked, limit);
}

static struct ks_put_entry *open_put(struct desk *desk, const struct ks_client_id *id, uint8_t number,
                                     uint64_t size, bool expected_parked)
{
    struct ks_put_entry *put = NULL;
    enum ks_store_limit limit = KS_STORE_LIMIT_NONE;
    bool was_parked = !expected_parked;
    assert_int_equal(ks_puts_open(desk->puts, id, put_id_of(number), size, &put, &was_parked, &limit), KS_OK);
    assert_int_equal(was_parked, expected_parked);
    return put;
}

static void assert_refused(struct desk *desk, const struct ks_client_id *id, uint8_t number, uint64_t size,
                           enum ks_store_limit expected)
{
    struct ks_put_entry *put = NULL;
    enum ks_store_limit limit = KS_STORE_LIMIT_NONE;
    assert_int_equal(try_open(desk, id, number, size, &put, &limit), KS_REFUSED);
    assert_int_equal(limit, expected);
}

/* Whoever wants this one is told that another has to go first, which it does. */
static void assert_makes_room(struct desk *desk, const struct ks_client_id *id, uint8_t number, uint64_t size,
                              const struct ks_client_id *whose, uint8_t which)
{
    struct ks_put_entry *put = NULL;
    enum ks_store_limit limit = KS_STORE_LIMIT_NONE;
    assert_int_equal(try_open(desk, id, number, size, &put, &limit), KS_MORE);
    assert_memory_equal(put->id.bytes, whose->bytes, sizeof whose->bytes);
    assert_int_equal(put->put_id[0], which);
    ks_puts_forget(desk->puts, put);
}

static void park_put(struct desk *desk, const struct ks_client_id *id, uint8_t number, uint64_t bytes,
                     uint64_t until_ms)
{
    struct ks_put_entry *put = open_put(desk, id, number, bytes, false);
    ks_puts_set_bytes(desk->puts, put, bytes, bytes);
    assert_true(ks_puts_park(desk->puts, put, until_ms));
}

static void assert_sums(struct desk *desk, const struct ks_client_id *id, uint64_t count, uint64_t bytes)
{
    uint64_t found = 0;
    uint64_t found_bytes = 0;
    ks_puts_sums(desk->puts, id, &found, &found_bytes);
    assert_int_equal(found, count);
    assert_int_equal(found_bytes, bytes);
}

static void assert_all(struct desk *desk, uint64_t count, uint64_t bytes)
{
    uint64_t found = 0;
    uint64_t found_bytes = 0;
    ks_puts_all(desk->puts, &found, &found_bytes);
    assert_int_equal(found, count);
    assert_int_equal(found_bytes, bytes);
}

/* ---- one put ---- */

static void a_put_is_open_once(void **state)
{
    struct desk *desk = *state;
    struct ks_put_entry *other = NULL;
    enum ks_store_limit limit = KS_STORE_LIMIT_NONE;
    struct ks_put_entry *put = open_put(desk, &alice, 1, 10, false);
    assert_int_equal(try_open(desk, &alice, 1, 10, &other, &limit), KS_CLOSED);
    ks_puts_forget(desk->puts, open_put(desk, &bob, 1, 10, false));
    ks_puts_forget(desk->puts, put);
    ks_puts_forget(desk->puts, open_put(desk, &alice, 1, 10, false));
}

static void one_that_is_leaving_is_as_good_as_open(void **state)
{
    struct desk *desk = *state;
    struct ks_put_entry *other = NULL;
    enum ks_store_limit limit = KS_STORE_LIMIT_NONE;
    park_put(desk, &alice, 1, 5, 1000);
    struct ks_put_entry *leaving = ks_puts_take_of(desk->puts, &alice);
    assert_non_null(leaving);
    assert_sums(desk, &alice, 0, 0);
    assert_int_equal(try_open(desk, &alice, 1, 10, &other, &limit), KS_CLOSED);
    ks_puts_forget(desk->puts, leaving);
    ks_puts_forget(desk->puts, open_put(desk, &alice, 1, 10, false));
}

static void what_has_come_is_summed(void **state)
{
    struct desk *desk = *state;
    struct ks_put_entry *put = open_put(desk, &alice, 1, 100, false);
    park_put(desk, &alice, 2, 7, 1000);
    park_put(desk, &bob, 1, 1, 1000);
    ks_puts_set_bytes(desk->puts, put, 40, 100);
    assert_sums(desk, &alice, 2, 47);
    assert_sums(desk, &bob, 1, 1);
    assert_sums(desk, &carol, 0, 0);
    assert_all(desk, 3, 48);
    ks_puts_set_bytes(desk->puts, put, 60, 100);
    assert_all(desk, 3, 68);
    ks_puts_forget(desk->puts, put);
    assert_sums(desk, &alice, 1, 7);
    assert_all(desk, 2, 8);
}

static void what_was_left_by_another_server_is_parked(void **state)
{
    struct desk *desk = *state;
    assert_int_equal(ks_puts_load(desk->puts, &alice, put_id_of(1), 12, 1000), KS_OK);
    assert_sums(desk, &alice, 1, 12);
    struct ks_put_entry *put = open_put(desk, &alice, 1, 100, true);
    assert_int_equal(put->bytes, 12);
    ks_puts_forget(desk->puts, put);
}

/* ---- age ---- */

static void each_goes_when_its_time_is_up(void **state)
{
    struct desk *desk = *state;
    park_put(desk, &alice, 1, 1, 3000);
    park_put(desk, &bob, 1, 1, 1000);
    park_put(desk, &alice, 2, 1, 2000);
    assert_null(ks_puts_take_over_age(desk->puts, 999));
    for (uint64_t now = 1000; now <= 3000; now += 1000) {
        struct ks_put_entry *put = ks_puts_take_over_age(desk->puts, now);
        assert_non_null(put);
        assert_int_equal(put->until_ms, now);
        assert_null(ks_puts_take_over_age(desk->puts, now));
        ks_puts_forget(desk->puts, put);
    }
    assert_all(desk, 0, 0);
    assert_null(ks_puts_take_over_age(desk->puts, UINT64_MAX));
}

static void one_that_is_opened_again_has_no_age(void **state)
{
    struct desk *desk = *state;
    park_put(desk, &alice, 1, 1, 1000);
    struct ks_put_entry *put = open_put(desk, &alice, 1, 1, true);
    assert_null(ks_puts_take_over_age(desk->puts, 5000));
    assert_true(ks_puts_park(desk->puts, put, 6000));
    assert_null(ks_puts_take_over_age(desk->puts, 5999));
    assert_ptr_equal(ks_puts_take_over_age(desk->puts, 6000), put);
    ks_puts_forget(desk->puts, put);
}

/* ---- users who go ---- */

static void a_user_who_goes_has_nothing_parked_any_more(void **state)
{
    struct desk *desk = *state;
    struct ks_put_entry *open = open_put(desk, &alice, 1, 10, false);
    park_put(desk, &alice, 2, 1, 1000);
    park_put(desk, &alice, 3, 1, 2000);
    park_put(desk, &bob, 1, 1, 1000);
    for (unsigned i = 0; i < 2; i++) {
        struct ks_put_entry *put = ks_puts_take_of(desk->puts, &alice);
        assert_non_null(put);
        ks_puts_forget(desk->puts, put);
    }
    assert_null(ks_puts_take_of(desk->puts, &alice));
    assert_false(ks_puts_park(desk->puts, open, 1000));
    assert_sums(desk, &alice, 0, 0);
    ks_puts_forget(desk->puts, open);
    assert_sums(desk, &bob, 1, 1);
    park_put(desk, &alice, 4, 1, 1000); /* whoever comes back */
}

/* ---- limits ---- */

static void a_users_oldest_makes_room_for_another_of_it(void **state)
{
    struct desk *desk = *state;
    atomic_store(&desk->limits.user_puts, 3);
    park_put(desk, &alice, 1, 1, 3000);
    park_put(desk, &alice, 2, 1, 1000);
    park_put(desk, &bob, 9, 1, 500);
    struct ks_put_entry *open = open_put(desk, &alice, 3, 1, false);
    assert_makes_room(desk, &alice, 4, 1, &alice, 2);
    struct ks_put_entry *second = open_put(desk, &alice, 4, 1, false);
    assert_makes_room(desk, &alice, 5, 1, &alice, 1);
    struct ks_put_entry *third = open_put(desk, &alice, 5, 1, false);
    assert_refused(desk, &alice, 6, 1, KS_STORE_LIMIT_USER_PUTS);
    assert_sums(desk, &bob, 1, 1);
    ks_puts_forget(desk->puts, open);
    ks_puts_forget(desk->puts, second);
    ks_puts_forget(desk->puts, third);
}

static void of_one_age_the_first_that_broke_off_is_the_oldest(void **state)
{
    struct desk *desk = *state;
    atomic_store(&desk->limits.user_puts, 2);
    park_put(desk, &alice, 1, 1, 1000);
    park_put(desk, &alice, 2, 1, 1000);
    assert_true(ks_puts_park(desk->puts, open_put(desk, &alice, 1, 1, true), 1000));
    assert_makes_room(desk, &alice, 3, 1, &alice, 2);
    ks_puts_forget(desk->puts, open_put(desk, &alice, 3, 1, false));
    assert_sums(desk, &alice, 1, 1);
}

static void one_that_goes_on_needs_no_room(void **state)
{
    struct desk *desk = *state;
    atomic_store(&desk->limits.user_puts, 2);
    atomic_store(&desk->limits.puts, 2);
    park_put(desk, &alice, 1, 1, 1000);
    park_put(desk, &alice, 2, 1, 2000);
    struct ks_put_entry *put = open_put(desk, &alice, 1, 1, true);
    assert_sums(desk, &alice, 2, 2);
    assert_true(ks_puts_park(desk->puts, put, 1000));
    /* But where a limit has become lower, the others do. */
    atomic_store(&desk->limits.user_puts, 1);
    assert_makes_room(desk, &alice, 1, 1, &alice, 2);
    ks_puts_forget(desk->puts, open_put(desk, &alice, 1, 1, true));
}

static void nobody_makes_room_in_vain(void **state)
{
    struct desk *desk = *state;
    atomic_store(&desk->limits.user_bytes, 10);
    struct ks_put_entry *open = open_put(desk, &alice, 1, 6, false);
    park_put(desk, &alice, 2, 2, 1000);
    assert_refused(desk, &alice, 3, 5, KS_STORE_LIMIT_USER_BYTES);
    assert_refused(desk, &alice, 3, UINT64_MAX, KS_STORE_LIMIT_USER_BYTES);
    assert_sums(desk, &alice, 2, 2);
    assert_makes_room(desk, &alice, 3, 4, &alice, 2);
    ks_puts_forget(desk->puts, open_put(desk, &alice, 3, 4, false));
    ks_puts_forget(desk->puts, open);
}

/* Of one that goes on, what has come counts as a part of what was declared. */
static void bytes_are_counted_once(void **state)
{
    struct desk *desk = *state;
    atomic_store(&desk->limits.user_bytes, 10);
    park_put(desk, &alice, 1, 9, 1000);
    struct ks_put_entry *put = open_put(desk, &alice, 1, 10, true);
    assert_refused(desk, &alice, 2, 1, KS_STORE_LIMIT_USER_BYTES);
    ks_puts_set_bytes(desk->puts, put, 0, 0); /* it has failed, or is kept already */
    struct ks_put_entry *other = open_put(desk, &alice, 2, 10, false);
    ks_puts_forget(desk->puts, put);
    ks_puts_forget(desk->puts, other);
}

static void of_all_whoever_has_most_makes_room(void **state)
{
    struct desk *desk = *state;
    atomic_store(&desk->limits.puts, 4);
    park_put(desk, &bob, 1, 1, 100);
    park_put(desk, &alice, 1, 1, 3000);
    park_put(desk, &alice, 2, 1, 2000);
    struct ks_put_entry *open = open_put(desk, &carol, 1, 1, false);
    assert_makes_room(desk, &carol, 2, 1, &alice, 2);
    struct ks_put_entry *second = open_put(desk, &carol, 2, 1, false);
    assert_sums(desk, &bob, 1, 1);
    atomic_store(&desk->limits.puts, 2);
    assert_refused(desk, &bob, 2, 1, KS_STORE_LIMIT_PUTS);
    assert_sums(desk, &bob, 1, 1);
    ks_puts_forget(desk->puts, open);
    ks_puts_forget(desk->puts, second);
}

#define DESK_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DESK_TEST(a_put_is_open_once),
        DESK_TEST(one_that_is_leaving_is_as_good_as_open),
        DESK_TEST(what_has_come_is_summed),
        DESK_TEST(what_was_left_by_another_server_is_parked),
        DESK_TEST(each_goes_when_its_time_is_up),
        DESK_TEST(one_that_is_opened_again_has_no_age),
        DESK_TEST(a_user_who_goes_has_nothing_parked_any_more),
        DESK_TEST(a_users_oldest_makes_room_for_another_of_it),
        DESK_TEST(of_one_age_the_first_that_broke_off_is_the_oldest),
        DESK_TEST(one_that_goes_on_needs_no_room),
        DESK_TEST(nobody_makes_room_in_vain),
        DESK_TEST(bytes_are_counted_once),
        DESK_TEST(of_all_whoever_has_most_makes_room),
    };
    return cmocka_run_group_tests_name("store_puts", tests, NULL, NULL);
}
