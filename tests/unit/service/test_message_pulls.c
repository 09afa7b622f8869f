/* Unit tests of 604 on the server, src/service/messages/pulls.c: what waits, on its way to its receiver
 * (protocol.md §1.3). */
#include "unit/service/people_fixture.h"

/* ---- 604 ---- */

static void waiting_messages_come_oldest_first_from_their_senders_aliases(void **state)
{
    struct people *people = *state;
    const uint8_t *payload = NULL;
    size_t size = 0;
    struct ks_waiting_message head;
    send_message(people, &people->bob, "one");
    send_message(people, &people->carol, "not for bob");
    send_message(people, &people->bob, "three");
    pull(people);
    assert_int_equal(next_answer(people->fixture, &payload, &size), KS_RESPONSE_WAITING_MESSAGES);
    assert_int_equal(ks_waiting_message_parse(payload, size, &head), KS_OK);
    struct ks_client_id alias = alias_of(people, &people->alice);
    assert_memory_equal(&head.sender, &alias, sizeof alias);
    assert_int_equal(head.message_id, 1);
    assert_int_equal(head.type, KS_MESSAGE_TEXT);
    assert_int_equal(head.content_size, 3);
    size_t second = KS_WAITING_MESSAGE_FIXED_SIZE + 3;
    assert_int_equal(ks_waiting_message_parse(payload + second, size - second, &head), KS_OK);
    assert_int_equal(head.message_id, 3);
    assert_int_equal(size, second + KS_WAITING_MESSAGE_FIXED_SIZE + 5);
}

static void nothing_waiting_is_an_empty_answer(void **state)
{
    struct people *people = *state;
    pull(people);
    assert_pulled(people, "");
}

static void pull_and_skip(struct people *people)
{
    pull(people);
    assert_int_equal(next_answer(people->fixture, NULL, NULL), KS_RESPONSE_WAITING_MESSAGES);
}

static void what_was_acknowledged_is_deleted_when_it_has_settled(void **state)
{
    struct people *people = *state;
    uint64_t settle_time_ms = people->fixture->environment.settings.settle_time_ms;
    send_message(people, &people->bob, "one");
    pull(people);
    assert_pulled(people, "one ");
    assert_int_equal(settling(people), 1);
    fake_connection_wait(&people->fixture->connection, settle_time_ms - 1);
    assert_int_equal(settling(people), 1);
    fake_connection_wait(&people->fixture->connection, 1);
    assert_int_equal(waiting(people), 0);
    assert_int_equal(people->fixture->connection.reminder_ms, 0);
    assert_false(people->fixture->connection.end_wanted);
}

static void what_was_acknowledged_is_deleted_at_an_end_of_input_after_it(void **state)
{
    struct people *people = *state;
    send_message(people, &people->bob, "one");
    pull(people);
    assert_int_equal(settling(people), 1);
    fake_connection_end(&people->fixture->connection);
    assert_int_equal(waiting(people), 0);
    assert_true(people->fixture->connection.finished);
}

static void what_was_acknowledged_before_a_reset_waits_again(void **state)
{
    struct people *people = *state;
    send_message(people, &people->bob, "one");
    pull(people);
    assert_int_equal(settling(people), 1);
    fake_connection_close(&people->fixture->connection);
    assert_int_equal(settling(people), 0);
    assert_int_equal(on_lease(people), 0);
    assert_int_equal(waiting(people), 1);
}

/* The reset is there when the time is over, but no event has told of it. */
static void a_reset_that_nobody_has_told_of_counts(void **state)
{
    struct people *people = *state;
    send_message(people, &people->bob, "one");
    pull(people);
    people->fixture->connection.broken = true;
    let_settle(people);
    assert_int_equal(settling(people), 1);
    fake_connection_close(&people->fixture->connection);
    assert_int_equal(waiting(people), 1);
}

static void a_later_request_proves_nothing(void **state)
{
    struct people *people = *state;
    send_message(people, &people->bob, "one");
    pull(people);
    pull(people);
    assert_pulled(people, "one ");
    assert_pulled(people, "");
    assert_int_equal(settling(people), 1);
    fake_connection_close(&people->fixture->connection);
    assert_int_equal(waiting(people), 1);
}

static void each_part_settles_in_its_own_time(void **state)
{
    struct people *people = *state;
    uint64_t settle_time_ms = people->fixture->environment.settings.settle_time_ms;
    send_message(people, &people->bob, "one");
    pull_and_skip(people);
    fake_connection_wait(&people->fixture->connection, settle_time_ms / 2);
    send_message(people, &people->bob, "two");
    pull_and_skip(people);
    assert_int_equal(settling(people), 2);
    fake_connection_wait(&people->fixture->connection, settle_time_ms / 2);
    assert_int_equal(settling(people), 1);
    fake_connection_wait(&people->fixture->connection, settle_time_ms / 2);
    assert_int_equal(waiting(people), 0);
}

/* However fast it pulls, a connection has few parts settling, and the first of them is not put off for ever.
 */
static void parts_that_follow_each_other_closely_settle_together(void **state)
{
    struct people *people = *state;
    uint64_t settle_time_ms = people->fixture->environment.settings.settle_time_ms;
    for (unsigned i = 0; i < 3; i++) {
        send_message(people, &people->bob, "text");
        pull_and_skip(people);
        fake_connection_wait(&people->fixture->connection, 10);
    }
    assert_int_equal(people->fixture->store.messages->part, 3);
    for (unsigned i = 0; i < 20; i++) {
        send_message(people, &people->bob, "text");
        pull_and_skip(people);
        fake_connection_wait(&people->fixture->connection, settle_time_ms / 10);
    }
    assert_in_range(settling(people), 1, 12);
}

static void what_cannot_settle_yet_stays_on_lease(void **state)
{
    struct people *people = *state;
    uint64_t settle_time_ms = people->fixture->environment.settings.settle_time_ms;
    send_message(people, &people->bob, "one");
    pull_and_skip(people);
    people->fixture->store.settles_no_more = true;
    fake_connection_wait(&people->fixture->connection, settle_time_ms / 2);
    send_message(people, &people->bob, "two");
    pull_and_skip(people);
    assert_int_equal(on_lease(people), 1);
    people->fixture->store.settles_no_more = false;
    fake_connection_wait(&people->fixture->connection, settle_time_ms / 2);
    assert_int_equal(settling(people), 1);
    let_settle(people);
    assert_int_equal(waiting(people), 0);
}

static void other_connections_lease_what_came_behind_what_settles(void **state)
{
    struct people *people = *state;
    struct fixture *fixture = people->fixture;
    struct fake_connection other;
    struct ks_buffer bytes = ks_buffer_empty(0);
    send_message(people, &people->bob, "one");
    pull_and_skip(people);
    send_message(people, &people->bob, "two");
    assert_true(fake_connection_open(&other, &fixture->loop, &ks_frames_events, &fixture->port));
    add_request(&bytes, &people->bob, KS_REQUEST_WAITING_MESSAGES, NULL, 0);
    fake_connection_send(&other, bytes.bytes, bytes.size, 0);
    ks_buffer_free(&bytes);
    assert_int_equal(other.output.size, KS_RESPONSE_HEADER_SIZE + KS_WAITING_MESSAGE_FIXED_SIZE + 3);
    assert_int_equal(settling(people), 2);
    fake_connection_end(&other);
    assert_int_equal(settling(people), 1); /* its own */
    fake_connection_close(&other);
    fake_connection_close(&fixture->connection);
    assert_int_equal(waiting(people), 1);
}

static void an_end_before_the_acknowledgement_deletes_nothing_yet(void **state)
{
    struct people *people = *state;
    send_message(people, &people->bob, "one");
    stall(people);
    pull(people);
    fake_connection_end(&people->fixture->connection);
    fake_connection_take(&people->fixture->connection, SIZE_MAX / 2);
    assert_int_equal(settling(people), 1);
    assert_true(people->fixture->connection.shut);
    assert_false(people->fixture->connection.finished);
    assert_true(people->fixture->connection.idle); /* it may make room */
    let_settle(people);
    assert_int_equal(waiting(people), 0);
    assert_true(people->fixture->connection.finished);
}

static void a_connection_that_we_end_still_settles_at_its_end(void **state)
{
    struct people *people = *state;
    send_message(people, &people->bob, "one");
    pull(people);
    ask(people, &people->bob, 9999, NULL, 0);
    ks_connection_finish(&people->fixture->connection.connection);
    assert_true(people->fixture->connection.end_wanted);
    assert_int_equal(settling(people), 1);
    fake_connection_end(&people->fixture->connection);
    assert_int_equal(waiting(people), 0);
}

static void nothing_is_deleted_before_the_last_byte_was_acknowledged(void **state)
{
    struct people *people = *state;
    size_t frame = KS_RESPONSE_HEADER_SIZE + 2 * (KS_WAITING_MESSAGE_FIXED_SIZE + 3);
    send_message(people, &people->bob, "one");
    send_message(people, &people->bob, "two");
    stall(people);
    pull(people);
    fake_connection_take(&people->fixture->connection, frame - 1);
    let_settle(people);
    assert_int_equal(on_lease(people), 2);
    fake_connection_take(&people->fixture->connection, 1);
    assert_int_equal(settling(people), 2);
    let_settle(people);
    assert_int_equal(waiting(people), 0);
}

static void a_connection_that_goes_before_gives_everything_back(void **state)
{
    struct people *people = *state;
    send_message(people, &people->bob, "one");
    send_message(people, &people->bob, "two");
    stall(people);
    pull(people);
    assert_int_equal(on_lease(people), 2);
    fake_connection_take(&people->fixture->connection, KS_RESPONSE_HEADER_SIZE + 30);
    fake_connection_close(&people->fixture->connection);
    assert_int_equal(on_lease(people), 0);
    assert_int_equal(waiting(people), 2);
}

static void another_connection_gets_nothing_meanwhile(void **state)
{
    struct people *people = *state;
    struct fixture *fixture = people->fixture;
    struct fake_connection other;
    struct ks_buffer bytes = ks_buffer_empty(0);
    static const uint8_t empty[] = {KS_VERSION_MESSAGES, 0x38, 0x08, 0, 0, 0, 0};
    send_message(people, &people->bob, "one");
    stall(people);
    pull(people);
    assert_true(fake_connection_open(&other, &fixture->loop, &ks_frames_events, &fixture->port));
    add_request(&bytes, &people->bob, KS_REQUEST_WAITING_MESSAGES, NULL, 0);
    fake_connection_send(&other, bytes.bytes, bytes.size, 0);
    ks_buffer_free(&bytes);
    assert_int_equal(other.output.size, sizeof empty);
    assert_memory_equal(other.output.bytes, empty, sizeof empty);
    fake_connection_close(&other);
    assert_int_equal(on_lease(people), 1);
}

static void the_next_pull_of_the_same_connection_goes_on_behind(void **state)
{
    struct people *people = *state;
    send_message(people, &people->bob, "one");
    stall(people);
    pull(people);
    assert_pulled(people, "one ");
    send_message(people, &people->bob, "two");
    pull(people);
    assert_pulled(people, "two ");
    pull(people);
    assert_pulled(people, "");
    assert_int_equal(on_lease(people), 2);
    fake_connection_take(&people->fixture->connection, SIZE_MAX / 2);
    assert_int_equal(settling(people), 2);
}

/* `size` of each answer to a 604, until nothing waits. */
static void assert_answer_sizes(struct people *people, const unsigned *messages, size_t count,
                                size_t message_size)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *payload = NULL;
        size_t size = 0;
        pull(people);
        fake_connection_take(&people->fixture->connection, SIZE_MAX / 2);
        assert_int_equal(next_answer(people->fixture, &payload, &size), KS_RESPONSE_WAITING_MESSAGES);
        assert_int_equal(size, messages[i] * (KS_WAITING_MESSAGE_FIXED_SIZE + message_size));
    }
}

static void answers_grow_only_for_who_asks_on(void **state)
{
    enum { SIZE = 100 * 1024 };
    static uint8_t content[SIZE];
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    people->fixture->environment.settings.pull_limit = 5 * 1024 * 1024;
    for (unsigned turn = 0; turn < 2; turn++) {
        /* 512 KiB, 2 MiB, then 5 MiB and no more; what leaves nothing waiting sets it back */
        static const unsigned messages[] = {5, 20, 51, 51, 3, 0};
        for (unsigned i = 0; i < 130; i++)
            add_message(&bytes, &people->alice, &people->bob, KS_MESSAGE_FILE, content, SIZE);
        send_and_free(people->fixture, &bytes, 0);
        bytes = ks_buffer_empty(0);
        for (unsigned i = 0; i < 130; i++)
            assert_int_equal(next_answer(people->fixture, NULL, NULL), KS_RESPONSE_MESSAGE_STORED);
        assert_answer_sizes(people, messages, sizeof messages / sizeof messages[0], SIZE);
    }
}

static void a_pull_has_a_limit_and_the_next_goes_on(void **state)
{
    struct people *people = *state;
    people->fixture->environment.settings.pull_limit = 2 * (KS_WAITING_MESSAGE_FIXED_SIZE + 3);
    send_message(people, &people->bob, "one");
    send_message(people, &people->bob, "two");
    send_message(people, &people->bob, "a message larger than the limit of a pull, which comes alone");
    send_message(people, &people->bob, "end");
    pull(people);
    assert_pulled(people, "one two ");
    pull(people);
    assert_pulled(people, "a message larger than the limit of a pull, which comes alone ");
    pull(people);
    assert_pulled(people, "end ");
}

static void a_peer_that_ends_its_side_is_waited_for(void **state)
{
    struct people *people = *state;
    send_message(people, &people->bob, "one");
    stall(people);
    pull(people);
    fake_connection_end(&people->fixture->connection);
    assert_false(people->fixture->connection.finished);
    fake_connection_take(&people->fixture->connection, SIZE_MAX / 2);
    let_settle(people);
    assert_int_equal(waiting(people), 0);
    assert_true(people->fixture->connection.finished);
}

static void a_peer_that_ended_its_side_and_takes_nothing_is_cut_off(void **state)
{
    struct people *people = *state;
    uint64_t timeout = people->fixture->environment.settings.stall_timeout_ms;
    send_message(people, &people->bob, "one");
    stall(people);
    pull(people);
    fake_connection_end(&people->fixture->connection);
    fake_connection_wait(&people->fixture->connection, timeout - 1);
    fake_connection_take(&people->fixture->connection, 1);
    fake_connection_wait(&people->fixture->connection, 1);
    assert_false(people->fixture->connection.aborted); /* it has taken something */
    fake_connection_wait(&people->fixture->connection, timeout);
    assert_true(people->fixture->connection.aborted);
}

static void progress_renews_the_lease(void **state)
{
    struct people *people = *state;
    send_message(people, &people->bob, "one");
    stall(people);
    pull(people);
    unsigned before = people->fixture->store.renewals;
    fake_connection_take(&people->fixture->connection, 1);
    assert_true(people->fixture->store.renewals > before);
}

static void a_connection_with_messages_on_their_way_is_not_idle(void **state)
{
    struct people *people = *state;
    send_message(people, &people->bob, "one");
    stall(people);
    pull(people);
    assert_false(people->fixture->connection.idle);
    fake_connection_take(&people->fixture->connection, SIZE_MAX / 2);
    assert_true(people->fixture->connection.idle);
}

/* A long answer, `step` bytes taken at a time. */
static void pull_long(struct people *people, size_t step)
{
    enum { SIZE = 100000, COUNT = 5 };
    static uint8_t content[SIZE];
    struct ks_buffer bytes = ks_buffer_empty(0);
    const uint8_t *payload = NULL;
    size_t size = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        memset(content, (int)i, SIZE);
        add_message(&bytes, &people->alice, &people->bob, KS_MESSAGE_FILE, content, SIZE);
    }
    send_and_free(people->fixture, &bytes, 0);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(next_answer(people->fixture, NULL, NULL), KS_RESPONSE_MESSAGE_STORED);
    stall(people);
    size_t before = people->fixture->connection.output.size;
    pull(people);
    assert_in_range(people->fixture->connection.output.size - before, 1, 400 * 1024); /* not ahead of it */
    while (on_lease(people) > 0)
        fake_connection_take(&people->fixture->connection, step);
    assert_int_equal(next_answer(people->fixture, &payload, &size), KS_RESPONSE_WAITING_MESSAGES);
    assert_int_equal(size, COUNT * (KS_WAITING_MESSAGE_FIXED_SIZE + SIZE));
    for (unsigned i = 0; i < COUNT; i++) {
        memset(content, (int)i, SIZE);
        payload += KS_WAITING_MESSAGE_FIXED_SIZE;
        assert_memory_equal(payload, content, SIZE);
        payload += SIZE;
    }
}

static void a_long_answer_is_written_as_the_peer_takes_it(void **state)
{
    struct people *people = *state;
    const size_t steps[] = {SIZE_MAX / 2, 200000, 50000, 7001};
    for (unsigned i = 0; i < 8; i++) {
        people->fixture->store.later = i % 2 == 1;
        people->fixture->connection.window = SIZE_MAX;
        fake_connection_run(&people->fixture->connection);
        pull_long(people, steps[i / 2]);
    }
}

/* Until the answer has begun and waits for its peer. */
static void begin_long_pull(struct people *people)
{
    static uint8_t content[250000];
    struct ks_buffer bytes = ks_buffer_empty(0);
    for (unsigned i = 0; i < 4; i++)
        add_message(&bytes, &people->alice, &people->bob, KS_MESSAGE_FILE, content, sizeof content);
    send_and_free(people->fixture, &bytes, 0);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(next_answer(people->fixture, NULL, NULL), KS_RESPONSE_MESSAGE_STORED);
    stall(people);
    pull(people);
}

static void a_peer_that_takes_nothing_of_a_long_answer_is_cut_off(void **state)
{
    struct people *people = *state;
    begin_long_pull(people);
    fake_connection_wait(&people->fixture->connection,
                         people->fixture->environment.settings.stall_timeout_ms);
    assert_true(people->fixture->connection.aborted);
    fake_connection_close(&people->fixture->connection);
    assert_int_equal(on_lease(people), 0);
    assert_int_equal(waiting(people), 4);
}

static void a_read_error_in_mid_answer_ends_the_connection(void **state)
{
    struct people *people = *state;
    begin_long_pull(people);
    people->fixture->store.next_failure = KS_IO;
    fake_connection_take(&people->fixture->connection, SIZE_MAX / 2);
    assert_true(people->fixture->connection.aborted);
    fake_connection_close(&people->fixture->connection);
    assert_int_equal(waiting(people), 4);
}

static void a_connection_may_go_while_a_page_is_read(void **state)
{
    struct people *people = *state;
    begin_long_pull(people);
    people->fixture->store.later = true;
    people->fixture->connection.window = SIZE_MAX;
    fake_connection_close(&people->fixture->connection);
    assert_int_equal(on_lease(people), 0);
    assert_int_equal(waiting(people), 4);
}

static void a_lost_lease_in_mid_answer_ends_the_connection(void **state)
{
    struct people *people = *state;
    begin_long_pull(people);
    ks_store_lease_release(&people->fixture->store.store, &people->bob,
                           people->fixture->store.messages->owner);
    fake_connection_take(&people->fixture->connection, SIZE_MAX / 2);
    assert_true(people->fixture->connection.aborted);
}

static void requests_behind_a_long_answer_wait_for_it(void **state)
{
    struct people *people = *state;
    begin_long_pull(people);
    ask(people, &people->bob, KS_REQUEST_LIST_USERS, NULL, 0);
    ask(people, &people->bob, KS_REQUEST_WAITING_MESSAGES, NULL, 0);
    fake_connection_take(&people->fixture->connection, SIZE_MAX / 2);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_WAITING_MESSAGES, KS_RESPONSE_USERS,
                   KS_RESPONSE_WAITING_MESSAGES);
}

static void without_room_in_the_budget_an_answer_waits(void **state)
{
    struct people *people = *state;
    struct ks_holder other;
    send_message(people, &people->bob, "one");
    fill_budget(people->fixture, &people->fixture->loop.answers, &other);
    pull(people);
    assert_int_equal(waiting(people), 1);
    ks_holder_give(&other, BUFFER_LIMIT);
    fake_connection_run(&people->fixture->connection);
    assert_pulled(people, "one ");
    assert_int_equal(settling(people), 1);
}

static void pipelined_sends_and_pulls_take_effect_in_their_order(void **state)
{
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    people->fixture->store.later = true;
    add_message(&bytes, &people->bob, &people->bob, KS_MESSAGE_TEXT, "1", 1);
    add_request(&bytes, &people->bob, KS_REQUEST_WAITING_MESSAGES, NULL, 0);
    add_request(&bytes, &people->bob, KS_REQUEST_WAITING_MESSAGES, NULL, 0);
    add_message(&bytes, &people->bob, &people->bob, KS_MESSAGE_TEXT, "2", 1);
    add_request(&bytes, &people->bob, KS_REQUEST_WAITING_MESSAGES, NULL, 0);
    send_and_free(people->fixture, &bytes, 0);
    assert_int_equal(next_answer(people->fixture, NULL, NULL), KS_RESPONSE_MESSAGE_STORED);
    assert_pulled(people, "1 ");
    assert_pulled(people, "");
    assert_int_equal(next_answer(people->fixture, NULL, NULL), KS_RESPONSE_MESSAGE_STORED);
    assert_pulled(people, "2 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PEOPLE_TEST(waiting_messages_come_oldest_first_from_their_senders_aliases),
        PEOPLE_TEST(nothing_waiting_is_an_empty_answer),
        PEOPLE_TEST(what_was_acknowledged_is_deleted_when_it_has_settled),
        PEOPLE_TEST(what_was_acknowledged_is_deleted_at_an_end_of_input_after_it),
        PEOPLE_TEST(what_was_acknowledged_before_a_reset_waits_again),
        PEOPLE_TEST(a_reset_that_nobody_has_told_of_counts),
        PEOPLE_TEST(a_later_request_proves_nothing),
        PEOPLE_TEST(each_part_settles_in_its_own_time),
        PEOPLE_TEST(parts_that_follow_each_other_closely_settle_together),
        PEOPLE_TEST(what_cannot_settle_yet_stays_on_lease),
        PEOPLE_TEST(other_connections_lease_what_came_behind_what_settles),
        PEOPLE_TEST(an_end_before_the_acknowledgement_deletes_nothing_yet),
        PEOPLE_TEST(a_connection_that_we_end_still_settles_at_its_end),
        PEOPLE_TEST(answers_grow_only_for_who_asks_on),
        PEOPLE_TEST(nothing_is_deleted_before_the_last_byte_was_acknowledged),
        PEOPLE_TEST(a_connection_that_goes_before_gives_everything_back),
        PEOPLE_TEST(another_connection_gets_nothing_meanwhile),
        PEOPLE_TEST(the_next_pull_of_the_same_connection_goes_on_behind),
        PEOPLE_TEST(a_pull_has_a_limit_and_the_next_goes_on),
        PEOPLE_TEST(a_peer_that_ends_its_side_is_waited_for),
        PEOPLE_TEST(a_peer_that_ended_its_side_and_takes_nothing_is_cut_off),
        PEOPLE_TEST(progress_renews_the_lease),
        PEOPLE_TEST(a_connection_with_messages_on_their_way_is_not_idle),
        PEOPLE_TEST(a_long_answer_is_written_as_the_peer_takes_it),
        PEOPLE_TEST(a_peer_that_takes_nothing_of_a_long_answer_is_cut_off),
        PEOPLE_TEST(a_read_error_in_mid_answer_ends_the_connection),
        PEOPLE_TEST(a_connection_may_go_while_a_page_is_read),
        PEOPLE_TEST(a_lost_lease_in_mid_answer_ends_the_connection),
        PEOPLE_TEST(requests_behind_a_long_answer_wait_for_it),
        PEOPLE_TEST(without_room_in_the_budget_an_answer_waits),
        PEOPLE_TEST(pipelined_sends_and_pulls_take_effect_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
