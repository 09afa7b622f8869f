/* test_store_shares.c — whose messages an inbox takes when it is more than half full, in the embedded engine;
 * and who has how much (largest_senders.h). */
#include "unit/store/operators_fixture.h"

#include "store/embedded/memory/largest_senders.h"

enum { MANY = 300 };

static struct ks_client_id add_user(struct house *house, const char *name)
{
    struct ks_client_id id;
    assert_int_equal(register_user(house, name, NULL, &id), KS_OK);
    return id;
}

/* How many messages of `sender` are taken in a row. */
static unsigned takes(struct house *house, const struct ks_client_id *receiver,
                      const struct ks_client_id *sender, const char *text)
{
    unsigned count = 0;
    while (try_append(house, receiver, sender, text) == KS_OK)
        count++;
    return count;
}

static void one_sender_fills_half_and_what_is_left_is_for_others(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_client_id carol = add_user(house, "carol");
    struct ks_client_id dave = add_user(house, "dave");
    struct ks_client_id erin = add_user(house, "erin");
    atomic_store(&house->limits.waiting_messages, 10);
    assert_int_equal(takes(house, &users.bob, &users.alice, "flood"), 5);
    assert_int_equal(takes(house, &users.bob, &carol, "many"), 3);
    assert_int_equal(takes(house, &users.bob, &users.alice, "flood"), 0);
    assert_int_equal(takes(house, &users.bob, &dave, "hello"), 1);
    assert_int_equal(takes(house, &users.bob, &erin, "hello"), 1); /* the last place */
    assert_int_equal(takes(house, &users.bob, &users.bob, "full"), 0);
    assert_int_equal(takes(house, &users.alice, &users.bob, "another inbox"), 5);
}

static void bytes_are_shared_likewise(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_client_id carol = add_user(house, "carol");
    atomic_store(&house->limits.waiting_bytes, 100);
    assert_int_equal(takes(house, &users.bob, &users.alice, "ten bytes."), 5);
    assert_int_equal(takes(house, &users.bob, &carol, "ten bytes."), 3);
    append(house, &users.alice, &carol,
           "ten bytes. and eighty-two more bytes, of somebody who had nothing there "
           "before: they fit.");
}

static void what_waited_before_a_restart_is_counted_from_the_disk(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_client_id carol = add_user(house, "carol");
    for (unsigned i = 0; i < 6; i++)
        append(house, &users.bob, &users.alice, "before");
    append(house, &users.bob, &carol, "before");
    house_restart(house);
    atomic_store(&house->limits.waiting_messages, 10);
    assert_int_equal(takes(house, &users.bob, &users.alice, "flood"), 0);
    assert_int_equal(takes(house, &users.bob, &carol, "more"), 1);
}

static void what_the_receiver_takes_makes_room_for_its_sender(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_client_id carol = add_user(house, "carol");
    atomic_store(&house->limits.waiting_messages, 10);
    assert_int_equal(takes(house, &users.bob, &users.alice, "flood"), 5);
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    assert_int_equal(takes(house, &users.bob, &carol, "meanwhile"), 3);
    assert_int_equal(delivered(house, &users.bob, 7, part.last), KS_OK);
    assert_int_equal(takes(house, &users.bob, &users.alice, "again"), 4);
}

/* What the first receiver had is older, and comes back before what the second had. */
static void what_came_back_in_any_order_is_counted(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_client_id carol = add_user(house, "carol");
    atomic_store(&house->limits.waiting_messages, 10);
    assert_int_equal(takes(house, &users.bob, &users.alice, "flood"), 5);
    assert_int_equal(settle(house, &users.bob, 7, lease(house, &users.bob, 7).last), KS_OK);
    append(house, &users.bob, &carol, "newer");
    assert_int_equal(settle(house, &users.bob, 8, lease(house, &users.bob, 8).last), KS_OK);
    ks_store_lease_release(house->store, &users.bob, 7);
    ks_store_lease_release(house->store, &users.bob, 8);
    assert_int_equal(takes(house, &users.bob, &users.alice, "flood"), 0);
    assert_int_equal(takes(house, &users.bob, &carol, "more"), 2);
}

/* In one batch, most of it before anything is counted; and messages of the journal. */
static void a_flood_is_stopped_at_the_same_message_as_one_by_one(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_client_id carol = add_user(house, "carol");
    static struct ks_store_append_message requests[MANY];
    struct held_writer held;
    atomic_store(&house->limits.waiting_messages, 400);
    for (unsigned round = 0; round < 2; round++) {
        writer_hold(house, &held);
        for (unsigned i = round * MANY / 2; i < (round + 1) * MANY / 2; i++) {
            requests[i] = append_request(house, &users.bob, &users.alice, "flood");
            ks_store_append_message(house->store, &requests[i]);
        }
        writer_let_go(&held);
        for (unsigned i = round * MANY / 2; i < (round + 1) * MANY / 2; i++)
            fixture_wait_for_answer(&house->waiter);
    }
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(requests[i].request.result, i < 200 ? KS_OK : KS_REFUSED);
    append(house, &users.bob, &carol, "hello");
}

/* What waits for the count and what comes behind it, though that alone would not have had to wait. */
static void messages_that_wait_for_a_count_stay_in_their_order(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_client_id carol = add_user(house, "carol");
    struct ks_store_append_message requests[3];
    static const char *const texts[] = {"large-enough", "x", "y"};
    struct held_writer held;
    atomic_store(&house->limits.waiting_bytes, 20);
    append(house, &users.bob, &users.alice, "12345");
    writer_hold(house, &held);
    for (unsigned i = 0; i < KS_COUNT_OF(requests); i++) {
        requests[i] = append_request(house, &users.bob, &carol, texts[i]);
        ks_store_append_message(house->store, &requests[i]);
    }
    writer_let_go(&held);
    for (unsigned i = 0; i < KS_COUNT_OF(requests); i++)
        fixture_wait_for_answer(&house->waiter);
    assert_int_equal(requests[0].request.result, KS_OK);
    assert_int_equal(requests[1].request.result, KS_REFUSED); /* its sender has more than is left by now */
    assert_waiting(house, &users.bob, "12345 large-enough");
}

/* A large one does not wait itself: it is on disk, and what its group of syncs has goes together. */
static void a_large_message_does_not_overtake_one_that_waits_for_a_count(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_client_id carol = add_user(house, "carol");
    struct held_writer held;
    atomic_store(&house->limits.waiting_bytes, 20);
    append(house, &users.bob, &users.alice, "12345");
    struct ks_store_append_message large = append_request(house, &users.bob, &carol, "");
    large.stage = message_stage(house, &carol, "x");
    large.content_size = 1;
    struct ks_store_append_message small = append_request(house, &users.bob, &carol, "large-enough");
    writer_hold(house, &held);
    ks_store_append_message(house->store, &small);
    ks_store_append_message(house->store, &large);
    usleep(100 * 1000); /* the vault hands it over meanwhile; later, and there is nothing to overtake */
    writer_let_go(&held);
    fixture_wait_for_answer(&house->waiter);
    fixture_wait_for_answer(&house->waiter);
    assert_int_equal(small.request.result, KS_OK);
    assert_true(large.request.result == KS_REFUSED || large.message_id > small.message_id);
}

static void large_messages_of_the_largest_sender_are_refused_too(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_client_id carol = add_user(house, "carol");
    atomic_store(&house->limits.waiting_messages, 4);
    append(house, &users.bob, &users.alice, "one");
    append(house, &users.bob, &users.alice, "two");
    assert_int_equal(try_append(house, &users.bob, &users.alice, "three"), KS_REFUSED);
    struct ks_stage *stage = message_stage(house, &users.alice, "large");
    assert_int_equal(append_stage(house, &users.bob, &users.alice, stage, 5, NULL), KS_REFUSED);
    assert_int_equal(fixture_count_entries(house->directory, "staging"), 0);
    append_spooled(house, &users.bob, &carol, "large");
}

static void what_waits_for_a_count_at_the_end_is_answered(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_store_append_message requests[20];
    struct held_writer held;
    atomic_store(&house->limits.waiting_messages, 10);
    writer_hold(house, &held);
    for (unsigned i = 0; i < KS_COUNT_OF(requests); i++) {
        requests[i] = append_request(house, &users.bob, &users.alice, "late");
        ks_store_append_message(house->store, &requests[i]);
    }
    writer_let_go(&held);
    house_close(house);
    for (unsigned i = 0; i < KS_COUNT_OF(requests); i++)
        fixture_wait_for_answer(&house->waiter);
    house_open(house);
    unsigned taken = 0;
    for (unsigned i = 0; i < KS_COUNT_OF(requests); i++)
        taken += requests[i].request.result == KS_OK;
    assert_int_equal(taken, 5);
}

/* ---- senders ---- */

static struct ks_client_id number_id(unsigned number)
{
    struct ks_client_id id = {{0}};
    memcpy(id.bytes, &number, sizeof number);
    return id;
}

static void of_more_senders_than_there_is_room_for_the_largest_are_known(void **state)
{
    (void)state;
    struct ks_largest_senders *senders = ks_largest_senders_new();
    const struct ks_client_id large = number_id(1);
    const struct ks_client_id heavy = number_id(2);
    assert_non_null(senders);
    ks_largest_senders_add(senders, &heavy, 1000 * 1000);
    for (unsigned i = 0; i < 2 * KS_LARGEST_SENDERS_LIMIT; i++) {
        const struct ks_client_id other = number_id(100 + i);
        ks_largest_senders_add(senders, &other, 0);
        ks_largest_senders_add(senders, &large, 1);
    }
    assert_int_equal(ks_largest_senders_share_of(senders, &large).messages, 2 * KS_LARGEST_SENDERS_LIMIT);
    assert_int_equal(ks_largest_senders_share_of(senders, &large).bytes, 2 * KS_LARGEST_SENDERS_LIMIT);
    assert_int_equal(ks_largest_senders_share_of(senders, &heavy).bytes, 1000 * 1000);
    ks_largest_senders_take(senders, &large, 1);
    assert_int_equal(ks_largest_senders_share_of(senders, &large).messages, 2 * KS_LARGEST_SENDERS_LIMIT - 1);
    ks_largest_senders_take(senders, &heavy, 1000 * 1000);
    assert_int_equal(ks_largest_senders_share_of(senders, &heavy).messages, 0);
    ks_largest_senders_free(senders);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(one_sender_fills_half_and_what_is_left_is_for_others),
        HOUSE_TEST(bytes_are_shared_likewise),
        HOUSE_TEST(what_waited_before_a_restart_is_counted_from_the_disk),
        HOUSE_TEST(what_the_receiver_takes_makes_room_for_its_sender),
        HOUSE_TEST(what_came_back_in_any_order_is_counted),
        HOUSE_TEST(a_flood_is_stopped_at_the_same_message_as_one_by_one),
        HOUSE_TEST(messages_that_wait_for_a_count_stay_in_their_order),
        HOUSE_TEST(a_large_message_does_not_overtake_one_that_waits_for_a_count),
        HOUSE_TEST(large_messages_of_the_largest_sender_are_refused_too),
        HOUSE_TEST(what_waits_for_a_count_at_the_end_is_answered),
        cmocka_unit_test(of_more_senders_than_there_is_room_for_the_largest_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
