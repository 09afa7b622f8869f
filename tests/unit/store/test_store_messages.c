/* Unit tests of waiting messages in the embedded engine, src/store/embedded: appending, their ids, reading,
 * restarts. */
#include "unit/store/messages_fixture.h"

/* ---- append ---- */

static void a_message_waits_for_its_receiver(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    uint64_t id = append(house, &users.bob, &users.alice, "hello");
    assert_int_equal(id, 1);
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    assert_int_equal(part.count, 1);
    assert_int_equal(part.size, HEAD_SIZE + 5);
    assert_true(part.after < id);
    assert_int_equal(part.last, id);
    struct seen seen = read_all(house, &users.bob, &part);
    assert_int_equal(seen.messages[0].id, id);
    assert_memory_equal(&seen.messages[0].sender, &users.alice, sizeof users.alice);
    assert_int_equal(seen.messages[0].type, 3);
    assert_string_equal(seen.messages[0].text, "hello");
    assert_int_equal(lease(house, &users.alice, 8).count, 0);
}

static void every_type_and_an_empty_content_are_kept(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    static const uint8_t types[] = {0, 1, 2, 4, 255};
    for (size_t i = 0; i < KS_COUNT_OF(types); i++) {
        struct ks_store_append_message request = append_request(house, &users.bob, &users.alice, "");
        request.type = types[i];
        request.content = NULL;
        ks_store_append_message(house->store, &request);
        assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
    }
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    assert_int_equal(part.size, KS_COUNT_OF(types) * HEAD_SIZE);
    struct seen seen = read_all(house, &users.bob, &part);
    for (size_t i = 0; i < KS_COUNT_OF(types); i++) {
        assert_int_equal(seen.messages[i].type, types[i]);
        assert_int_equal(seen.messages[i].size, 0);
    }
}

static void nothing_is_stored_for_an_unknown_receiver(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_client_id nobody = {.bytes = {1, 2, 3}};
    struct ks_store_append_message request = append_request(house, &nobody, &users.alice, "lost");
    ks_store_append_message(house->store, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_NOT_FOUND);
    assert_int_equal(lease(house, &nobody, 7).count, 0);
    assert_database(house, "SELECT count(*) FROM messages", "0");
}

static void a_content_over_the_limit_needs_a_stage(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_store_append_message request = append_request(house, &users.bob, &users.alice, "");
    request.content_size = KS_MESSAGE_IN_MEMORY_LIMIT + 1;
    ks_store_append_message(house->store, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_TOO_LARGE);
}

static void messages_keep_their_order_over_two_receivers(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct held_writer held;
    struct ks_store_append_message requests[20];
    char texts[20][4];
    writer_hold(house, &held);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++) {
        snprintf(texts[i], sizeof texts[i], "%zu", i);
        requests[i] = append_request(house, i % 3 == 0 ? &users.alice : &users.bob, &users.alice, texts[i]);
        ks_store_append_message(house->store, &requests[i]);
    }
    writer_let_go(&held);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++)
        fixture_wait_for_answer(&house->waiter);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++) {
        assert_int_equal(requests[i].request.result, KS_OK);
        assert_int_equal(requests[i].message_id, i + 1);
    }
    assert_waiting(house, &users.alice, "0 3 6 9 12 15 18");
    assert_waiting(house, &users.bob, "1 2 4 5 7 8 10 11 13 14 16 17 19");
}

/* ---- ids ---- */

static void ids_are_not_used_again_after_deletion_and_restart(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    uint64_t last = append(house, &users.bob, &users.alice, "two");
    assert_int_equal(lease(house, &users.bob, 7).last, last);
    assert_int_equal(delivered(house, &users.bob, 7, last), KS_OK);
    assert_database(house, "SELECT count(*) FROM messages", "0");
    assert_int_equal(append(house, &users.bob, &users.alice, "three"), last + 1);
    assert_int_equal(lease(house, &users.bob, 7).last, last + 1);
    assert_int_equal(delivered(house, &users.bob, 7, last + 1), KS_OK);
    house_restart(house);
    assert_database(house, "SELECT count(*) FROM messages", "0");
    assert_int_equal(append(house, &users.bob, &users.alice, "four"), last + 2);
}

static void the_low_half_of_an_id_is_never_zero(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "first");
    house_close(house);
    run_on_database(house, "UPDATE sqlite_sequence SET seq=8589934590 WHERE name='messages'");
    house_open(house);
    assert_int_equal(append(house, &users.bob, &users.alice, "last of its kind"), 0x1ffffffff);
    assert_int_equal(append(house, &users.bob, &users.alice, "skips one"), 0x200000001);
    assert_waiting(house, &users.bob, "first last of its kind skips one");
}

/* ---- reading ---- */

static void a_part_is_read_with_any_capacity(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    static const char *const texts[] = {"", "a", "some words", "", "the last of them, and the longest"};
    for (size_t i = 0; i < KS_COUNT_OF(texts); i++)
        append(house, &users.bob, &users.alice, texts[i]);
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    for (size_t capacity = HEAD_SIZE + 1; capacity < part.size + 2; capacity++) {
        struct seen seen = read_in_pieces(house, &users.bob, &part, capacity);
        for (size_t i = 0; i < KS_COUNT_OF(texts); i++)
            assert_string_equal(seen.messages[i].text, texts[i]);
        assert_true(seen.calls >= part.size / capacity);
    }
    uint8_t bytes[HEAD_SIZE];
    struct ks_store_lease_read request = read_request(house, &users.bob, &part, bytes, sizeof bytes);
    ks_store_lease_read(house->store, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_INVALID);
}

static void a_read_after_a_take_over_finds_nothing(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    uint8_t bytes[HEAD_SIZE + 1];
    append(house, &users.bob, &users.alice, "half of it is read");
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    struct ks_store_lease_read request = read_request(house, &users.bob, &part, bytes, sizeof bytes);
    ks_store_lease_read(house->store, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
    assert_int_equal(request.size, HEAD_SIZE + 1);
    fixture_clock_forward(&house->clock, LEASE_SECONDS);
    struct ks_store_lease_waiting taken = lease(house, &users.bob, 8);
    assert_int_equal(delivered(house, &users.bob, 8, taken.last), KS_OK);
    ks_store_lease_read(house->store, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_NOT_FOUND);
}

/* The read has begun when the new owner has what it wanted: no row is there, and that is no error. */
static void a_read_that_loses_its_lease_on_the_way_finds_nothing(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_engine *engine = ks_engine_of(house->store);
    struct fixture_waiter other;
    uint8_t bytes[256];
    sem_t gate;
    struct fixture_call busy = {.task.run = fixture_call_run, .function = fixture_hold, .context = &gate};
    fixture_waiter_init(&other);
    append(house, &users.bob, &users.alice, "gone");
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_int_equal(sem_init(&busy.done, 0, 0), 0);
    ks_executor_post(ks_thread_executor(engine->pull_reader.reader.thread), &busy.task);
    struct ks_store_lease_read request = read_request(house, &users.bob, &part, bytes, sizeof bytes);
    request.request.reply_to = &other.executor;
    ks_store_lease_read(house->store, &request);
    ks_store_lease_release(house->store, &users.bob, 7);
    part = lease(house, &users.bob, 8);
    assert_int_equal(delivered(house, &users.bob, 8, part.last), KS_OK);
    sem_post(&gate);
    assert_int_equal(fixture_wait(&other, &request.request), KS_NOT_FOUND);
    fixture_hold(&busy.done);
}

static void a_part_without_one_of_its_messages_is_an_error_and_not_a_shorter_one(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    uint8_t bytes[1024];
    size_t size = 0;
    unsigned calls = 0;
    for (int i = 0; i < 3; i++)
        append(house, &users.bob, &users.alice, "text");
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    run_on_database(house, "DELETE FROM messages WHERE ID=2");
    assert_int_equal(read_bytes(house, &users.bob, &part, sizeof bytes, bytes, &size, &calls), KS_NOT_FOUND);
    assert_int_equal(size, 0);
    /* Also when the reader stands in its middle. */
    part = lease(house, &users.bob, 7);
    assert_int_equal(part.count, 2);
    struct ks_store_lease_read request = read_request(house, &users.bob, &part, bytes, HEAD_SIZE + 1);
    ks_store_lease_read(house->store, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
    run_on_database(house, "DELETE FROM messages WHERE ID=1");
    ks_store_lease_read(house->store, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_IO);
}

/* ---- restarts ---- */

static void what_was_leased_and_not_delivered_waits_after_a_restart(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    append(house, &users.alice, &users.bob, "other");
    append(house, &users.bob, &users.alice, "two");
    assert_int_equal(lease(house, &users.bob, 7).count, 2);
    house_restart(house);
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    assert_int_equal(part.count, 2);
    assert_int_equal(part.size, 2 * HEAD_SIZE + 6);
    assert_int_equal(part.last, 3);
    ks_store_lease_release(house->store, &users.bob, 7);
    assert_waiting(house, &users.bob, "one two");
    assert_waiting(house, &users.alice, "other");
}

static void what_was_delivered_is_gone_after_a_restart(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    append(house, &users.bob, &users.alice, "two");
    struct ks_store_lease_waiting part = lease_within(house, &users.bob, 7, 1);
    assert_int_equal(delivered(house, &users.bob, 7, part.last), KS_OK);
    house_restart(house);
    assert_waiting(house, &users.bob, "two");
}

static void closing_finishes_what_was_asked(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct held_writer held;
    append(house, &users.bob, &users.alice, "one");
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    writer_hold(house, &held);
    struct ks_store_append_message request = append_request(house, &users.bob, &users.alice, "two");
    struct ks_store_lease_delivered done = {
        .request = fixture_request(&house->waiter), .receiver = users.bob, .owner = 7, .last = part.last};
    ks_store_append_message(house->store, &request);
    assert_int_equal(settle(house, &users.bob, 7, part.last), KS_OK);
    ks_store_lease_delivered(house->store, &done);
    writer_let_go(&held);
    house_restart(house);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
    assert_int_equal(fixture_wait(&house->waiter, &done.request), KS_OK);
    assert_waiting(house, &users.bob, "two");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(a_message_waits_for_its_receiver),
        HOUSE_TEST(every_type_and_an_empty_content_are_kept),
        HOUSE_TEST(nothing_is_stored_for_an_unknown_receiver),
        HOUSE_TEST(a_content_over_the_limit_needs_a_stage),
        HOUSE_TEST(messages_keep_their_order_over_two_receivers),
        HOUSE_TEST(ids_are_not_used_again_after_deletion_and_restart),
        HOUSE_TEST(the_low_half_of_an_id_is_never_zero),
        HOUSE_TEST(a_part_is_read_with_any_capacity),
        HOUSE_TEST(a_read_after_a_take_over_finds_nothing),
        HOUSE_TEST(a_read_that_loses_its_lease_on_the_way_finds_nothing),
        HOUSE_TEST(a_part_without_one_of_its_messages_is_an_error_and_not_a_shorter_one),
        HOUSE_TEST(what_was_leased_and_not_delivered_waits_after_a_restart),
        HOUSE_TEST(what_was_delivered_is_gone_after_a_restart),
        HOUSE_TEST(closing_finishes_what_was_asked),
    };
    return cmocka_run_group_tests_name("store_messages", tests, NULL, NULL);
}
