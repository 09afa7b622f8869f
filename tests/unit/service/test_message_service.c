/* test_message_service.c — messages without sockets and disks: the real services behind a fake connection and
 * a fake store (protocol.md §1.3). The peer's TCP acknowledges what the test lets it take. */
#include "unit/service/people_fixture.h"

/* ---- 601 and 602 ---- */

static void the_list_has_all_others_in_order_under_their_aliases(void **state)
{
    struct people *people = *state;
    const uint8_t *payload = NULL;
    size_t size = 0;
    struct ks_listed_user entry;
    ask(people, &people->bob, KS_REQUEST_LIST_USERS, NULL, 0);
    assert_int_equal(next_answer(people->fixture, &payload, &size), KS_RESPONSE_USERS);
    assert_int_equal(size, 2 * KS_LISTED_USER_SIZE);
    assert_int_equal(ks_listed_user_parse(payload, size, &entry), KS_OK);
    struct ks_client_id alias = alias_of(people, &people->alice);
    assert_memory_equal(&entry.alias, &alias, sizeof alias);
    assert_string_equal(entry.name, "alice");
    assert_int_equal(ks_listed_user_parse(payload + KS_LISTED_USER_SIZE, size, &entry), KS_OK);
    assert_string_equal(entry.name, "carol");
}

static void with_plain_ids_the_list_shows_them(void **state)
{
    struct people *people = *state;
    const uint8_t *payload = NULL;
    size_t size = 0;
    people->fixture->environment.settings.plain_public_ids = true;
    ask(people, &people->bob, KS_REQUEST_LIST_USERS, NULL, 0);
    assert_int_equal(next_answer(people->fixture, &payload, &size), KS_RESPONSE_USERS);
    assert_memory_equal(payload, &people->alice, sizeof people->alice);
}

static void a_list_without_others_is_empty(void **state)
{
    struct people *people = *state;
    const uint8_t *payload = NULL;
    size_t size = 1;
    people->fixture->store.user_count = 1;
    ask(people, &people->alice, KS_REQUEST_LIST_USERS, NULL, 0);
    assert_int_equal(next_answer(people->fixture, &payload, &size), KS_RESPONSE_USERS);
    assert_int_equal(size, 0);
}

static void who_is_not_registered_gets_an_error_for_everything(void **state)
{
    struct people *people = *state;
    const struct ks_client_id stranger = {{9}};
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_request(&bytes, &stranger, KS_REQUEST_LIST_USERS, NULL, 0);
    add_request(&bytes, &stranger, KS_REQUEST_USER_KEY, &people->bob, sizeof people->bob);
    add_message(&bytes, &stranger, &people->bob, KS_MESSAGE_TEXT, "text", 4);
    add_request(&bytes, &stranger, KS_REQUEST_WAITING_MESSAGES, NULL, 0);
    send_and_free(people->fixture, &bytes, 0);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_ERROR, KS_RESPONSE_ERROR, KS_RESPONSE_ERROR,
                   KS_RESPONSE_ERROR);
    assert_int_equal(waiting(people), 0);
}

static void the_alias_is_no_proof_of_identity(void **state)
{
    struct people *people = *state;
    struct ks_client_id alias = alias_of(people, &people->bob);
    ask(people, &alias, KS_REQUEST_WAITING_MESSAGES, NULL, 0);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_ERROR);
}

static void assert_key_under(struct people *people, const struct ks_client_id *target)
{
    const uint8_t *payload = NULL;
    size_t size = 0;
    struct ks_user_key_answer answer;
    ask(people, &people->alice, KS_REQUEST_USER_KEY, target, sizeof *target);
    assert_int_equal(next_answer(people->fixture, &payload, &size), KS_RESPONSE_USER_KEY);
    assert_int_equal(ks_user_key_answer_parse(payload, size, &answer), KS_OK);
    assert_memory_equal(&answer.target, target, sizeof *target);
    assert_int_equal(answer.public_key[0], 'b');
}

static void a_key_is_found_under_alias_and_id_and_the_target_is_echoed(void **state)
{
    struct people *people = *state;
    struct ks_client_id alias = alias_of(people, &people->bob);
    assert_key_under(people, &alias);
    assert_key_under(people, &people->bob);
}

static void no_user_and_no_key_are_errors(void **state)
{
    struct people *people = *state;
    const struct ks_client_id nobody = {{9}};
    struct ks_client_id carol = alias_of(people, &people->carol);
    ask(people, &people->alice, KS_REQUEST_USER_KEY, &nobody, sizeof nobody);
    ask(people, &people->alice, KS_REQUEST_USER_KEY, &carol, sizeof carol);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_ERROR, KS_RESPONSE_ERROR);
}

/* ---- 603 ---- */

static void a_message_is_stored_for_its_receiver_and_its_target_echoed(void **state)
{
    struct people *people = *state;
    struct ks_client_id target = alias_of(people, &people->bob);
    struct ks_buffer bytes = ks_buffer_empty(0);
    const uint8_t *payload = NULL;
    size_t size = 0;
    struct ks_message_stored_answer answer;
    add_message(&bytes, &people->alice, &target, KS_MESSAGE_TEXT, "hello", 5);
    send_and_free(people->fixture, &bytes, 1);
    assert_int_equal(next_answer(people->fixture, &payload, &size), KS_RESPONSE_MESSAGE_STORED);
    assert_int_equal(ks_message_stored_answer_parse(payload, size, &answer), KS_OK);
    assert_memory_equal(&answer.target, &target, sizeof target);
    assert_int_equal(answer.message_id, 1);
    const struct fake_message *message = people->fixture->store.messages;
    assert_memory_equal(&message->receiver, &people->bob, sizeof people->bob);
    assert_memory_equal(&message->head.sender, &people->alice, sizeof people->alice);
    assert_int_equal(message->content.size, 5);
    assert_memory_equal(message->content.bytes, "hello", 5);
}

static void every_type_may_be_empty(void **state)
{
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    for (unsigned type = KS_MESSAGE_KEY_REQUEST; type <= KS_MESSAGE_FILE; type++)
        add_message(&bytes, &people->alice, &people->bob, (uint8_t)type, NULL, 0);
    send_and_free(people->fixture, &bytes, 0);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_MESSAGE_STORED, KS_RESPONSE_MESSAGE_STORED,
                   KS_RESPONSE_MESSAGE_STORED, KS_RESPONSE_MESSAGE_STORED);
    assert_int_equal(waiting(people), 4);
}

static void what_makes_no_sense_is_refused_and_skipped(void **state)
{
    struct people *people = *state;
    const struct ks_client_id nobody = {{9}};
    struct ks_buffer bytes = ks_buffer_empty(0);
    uint8_t lie[KS_SEND_MESSAGE_FIXED_SIZE + 3] = {0};
    lie[KS_CLIENT_ID_SIZE] = KS_MESSAGE_TEXT;
    lie[KS_CLIENT_ID_SIZE + 1] = 4;
    add_message(&bytes, &people->alice, &people->bob, 0, "text", 4);
    add_message(&bytes, &people->alice, &people->bob, 5, "text", 4);
    add_message(&bytes, &people->alice, &nobody, KS_MESSAGE_TEXT, "text", 4);
    add_request(&bytes, &people->alice, KS_REQUEST_SEND_MESSAGE, lie, sizeof lie);
    add_request(&bytes, &people->alice, KS_REQUEST_SEND_MESSAGE, lie, KS_SEND_MESSAGE_FIXED_SIZE - 1);
    add_request(&bytes, &people->alice, KS_REQUEST_LIST_USERS, lie, 1);
    add_message(&bytes, &people->alice, &people->bob, KS_MESSAGE_TEXT, "sound", 5);
    send_and_free(people->fixture, &bytes, 0);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_ERROR, KS_RESPONSE_ERROR, KS_RESPONSE_ERROR,
                   KS_RESPONSE_ERROR, KS_RESPONSE_ERROR, KS_RESPONSE_ERROR, KS_RESPONSE_MESSAGE_STORED);
    assert_int_equal(waiting(people), 1);
}

static void a_message_over_the_limit_is_refused_without_being_taken(void **state)
{
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    uint8_t content[200] = {0};
    people->fixture->environment.settings.message_limit = 100;
    add_message(&bytes, &people->alice, &people->bob, KS_MESSAGE_TEXT, content, 101);
    add_message(&bytes, &people->alice, &people->bob, KS_MESSAGE_TEXT, content, 100);
    send_and_free(people->fixture, &bytes, 0);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_ERROR, KS_RESPONSE_MESSAGE_STORED);
    assert_int_equal(waiting(people), 1);
}

static void a_store_that_fails_is_an_error(void **state)
{
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    people->fixture->store.next_failure = KS_NO_SPACE;
    add_message(&bytes, &people->alice, &people->bob, KS_MESSAGE_TEXT, "text", 4);
    send_and_free(people->fixture, &bytes, 0);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_ERROR);
}

/* Large contents at every step, with answers at once and later. */
static void large_contents_go_through_a_stage(void **state)
{
    struct people *people = *state;
    enum { SIZE = 150000 };
    static uint8_t content[SIZE];
    const size_t steps[] = {0, 1000, 65536};
    people->fixture->environment.settings.spool_threshold = 1000;
    for (size_t i = 0; i < SIZE; i++)
        content[i] = (uint8_t)(i * 7);
    for (unsigned round = 0; round < 6; round++) {
        struct ks_buffer bytes = ks_buffer_empty(0);
        people->fixture->store.later = round % 2 == 1;
        add_message(&bytes, &people->alice, &people->bob, KS_MESSAGE_FILE, content, SIZE);
        send_and_free(people->fixture, &bytes, steps[round / 2]);
        ASSERT_ANSWERS(people->fixture, KS_RESPONSE_MESSAGE_STORED);
    }
    assert_int_equal(people->fixture->store.open_stages, 0);
    for (const struct fake_message *message = people->fixture->store.messages; message != NULL;
         message = message->next) {
        assert_int_equal(message->content.size, SIZE);
        assert_memory_equal(message->content.bytes, content, SIZE);
    }
}

static void a_large_message_that_breaks_off_leaves_nothing(void **state)
{
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    static uint8_t content[50000];
    people->fixture->environment.settings.spool_threshold = 1000;
    add_message(&bytes, &people->alice, &people->bob, KS_MESSAGE_FILE, content, sizeof content);
    fake_connection_send(&people->fixture->connection, bytes.bytes, bytes.size - 1, 0);
    ks_buffer_free(&bytes);
    fake_connection_end(&people->fixture->connection);
    assert_true(people->fixture->connection.finished);
    assert_int_equal(people->fixture->store.open_stages, 0);
    assert_int_equal(waiting(people), 0);
}

/* Its sender, or its receiver, is still being looked up then. */
static void a_message_breaks_off_while_its_users_are_looked_up(void **state)
{
    struct people *people = *state;
    struct fake_connection *connection = &people->fixture->connection;
    struct ks_client_id alias = alias_of(people, &people->bob);
    struct ks_buffer bytes = ks_buffer_empty(0);
    people->fixture->store.later = true;
    add_message(&bytes, &people->alice, &alias, KS_MESSAGE_TEXT, "broken", 6);
    fake_connection_send_only(connection, bytes.bytes, bytes.size - 1);
    fake_connection_end(connection);
    assert_true(connection->finished);
    fake_connection_close(connection);
    assert_true(
        fake_connection_open(connection, &people->fixture->loop, &ks_frames_events, &people->fixture->port));
    fake_connection_send_only(connection, bytes.bytes, bytes.size - 1);
    fake_connection_close(connection);
    assert_true(
        fake_connection_open(connection, &people->fixture->loop, &ks_frames_events, &people->fixture->port));
    assert_int_equal(waiting(people), 0);
    ks_buffer_free(&bytes);
}

static void nothing_overtakes_a_large_message(void **state)
{
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    static uint8_t content[50000];
    char small[2] = "a";
    people->fixture->environment.settings.spool_threshold = 1000;
    people->fixture->store.later = true;
    add_message(&bytes, &people->alice, &people->bob, KS_MESSAGE_TEXT, small, 1);
    add_message(&bytes, &people->alice, &people->bob, KS_MESSAGE_FILE, content, sizeof content);
    add_message(&bytes, &people->alice, &people->bob, KS_MESSAGE_TEXT, small, 1);
    send_and_free(people->fixture, &bytes, 0);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_MESSAGE_STORED, KS_RESPONSE_MESSAGE_STORED,
                   KS_RESPONSE_MESSAGE_STORED);
    const struct fake_message *message = people->fixture->store.messages;
    assert_int_equal(message->content.size, 1);
    assert_int_equal(message->next->content.size, sizeof content);
    assert_int_equal(message->next->next->content.size, 1);
}

static void small_messages_are_begun_while_earlier_ones_wait_for_their_commit(void **state)
{
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    for (unsigned i = 0; i < 10; i++)
        add_message(&bytes, &people->alice, &people->bob, KS_MESSAGE_TEXT, "text", 4);
    people->fixture->store.later_appends = true;
    fake_connection_send_only(&people->fixture->connection, bytes.bytes, bytes.size);
    ks_buffer_free(&bytes);
    assert_int_equal(waiting(people), 10);
    assert_int_equal(next_answer(people->fixture, NULL, NULL), -1);
    fake_connection_run(&people->fixture->connection);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(next_answer(people->fixture, NULL, NULL), KS_RESPONSE_MESSAGE_STORED);
}

static void without_room_in_the_budget_a_message_waits(void **state)
{
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    static uint8_t content[5000];
    struct ks_holder other;
    fill_budget(people->fixture, &people->fixture->loop.contents, &other);
    add_message(&bytes, &people->alice, &people->bob, KS_MESSAGE_TEXT, content, sizeof content);
    send_and_free(people->fixture, &bytes, 0);
    assert_int_equal(next_answer(people->fixture, NULL, NULL), -1);
    ks_holder_give(&other, BUFFER_LIMIT);
    fake_connection_run(&people->fixture->connection);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_MESSAGE_STORED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PEOPLE_TEST(the_list_has_all_others_in_order_under_their_aliases),
        PEOPLE_TEST(with_plain_ids_the_list_shows_them),
        PEOPLE_TEST(a_list_without_others_is_empty),
        PEOPLE_TEST(who_is_not_registered_gets_an_error_for_everything),
        PEOPLE_TEST(the_alias_is_no_proof_of_identity),
        PEOPLE_TEST(a_key_is_found_under_alias_and_id_and_the_target_is_echoed),
        PEOPLE_TEST(no_user_and_no_key_are_errors),
        PEOPLE_TEST(a_message_is_stored_for_its_receiver_and_its_target_echoed),
        PEOPLE_TEST(every_type_may_be_empty),
        PEOPLE_TEST(what_makes_no_sense_is_refused_and_skipped),
        PEOPLE_TEST(a_message_over_the_limit_is_refused_without_being_taken),
        PEOPLE_TEST(a_store_that_fails_is_an_error),
        PEOPLE_TEST(large_contents_go_through_a_stage),
        PEOPLE_TEST(a_large_message_that_breaks_off_leaves_nothing),
        PEOPLE_TEST(a_message_breaks_off_while_its_users_are_looked_up),
        PEOPLE_TEST(nothing_overtakes_a_large_message),
        PEOPLE_TEST(small_messages_are_begun_while_earlier_ones_wait_for_their_commit),
        PEOPLE_TEST(without_room_in_the_budget_a_message_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
