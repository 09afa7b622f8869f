/* test_message_service.c — messages without sockets and disks: the real services behind a fake connection and
 * a fake store (protocol.md §1.3). The peer's TCP acknowledges what the test lets it take. */
#include "session_fixture.h"

#include "crypto/alias.h"
#include "wire/messages.h"

static const uint8_t alias_key_bytes[KS_ALIAS_KEY_SIZE] = "an alias key 16";

struct people {
    struct fixture *fixture;
    struct ks_alias_key *alias_key;
    struct ks_client_id alice, bob, carol; /* carol has no key */
};

static struct ks_client_id add_user(struct fixture *fixture, const char *name, bool has_key)
{
    struct fake_user *user = &fixture->store.users[fixture->store.user_count++];
    memset(user->user.id.bytes, 0x50, KS_CLIENT_ID_SIZE);
    user->user.id.bytes[0] = (uint8_t)fixture->store.user_count;
    strcpy(user->user.name, name);
    user->user.has_public_key = has_key;
    memset(user->public_key, name[0], KS_PUBLIC_KEY_SIZE);
    return user->user.id;
}

static int set_up_people(void **state)
{
    struct people *people = calloc(1, sizeof *people);
    assert_non_null(people);
    void *fixture = NULL;
    set_up(&fixture);
    people->fixture = fixture;
    assert_int_equal(ks_alias_key_new(alias_key_bytes, &people->alias_key), KS_OK);
    people->fixture->environment.alias_key = people->alias_key;
    people->alice = add_user(fixture, "alice", true);
    people->bob = add_user(fixture, "bob", true);
    people->carol = add_user(fixture, "carol", false);
    *state = people;
    return 0;
}

static int tear_down_people(void **state)
{
    struct people *people = *state;
    void *fixture = people->fixture;
    tear_down(&fixture);
    ks_alias_key_free(people->alias_key);
    free(people);
    return 0;
}

static struct ks_client_id alias_of(const struct people *people, const struct ks_client_id *id)
{
    struct ks_client_id alias = {{0}};
    ks_alias_of_id(people->alias_key, id->bytes, alias.bytes);
    return alias;
}

/* ---- requests and answers ---- */

static void add_message(struct ks_buffer *bytes, const struct ks_client_id *sender,
                        const struct ks_client_id *target, uint8_t type, const void *content, uint32_t size)
{
    struct ks_send_message_payload payload = {.target = *target, .type = type, .content_size = size};
    struct ks_buffer whole = ks_buffer_empty(0);
    uint8_t fixed[KS_SEND_MESSAGE_FIXED_SIZE];
    ks_send_message_payload_encode(&payload, fixed);
    assert_int_equal(ks_buffer_append(&whole, fixed, sizeof fixed), KS_OK);
    if (size > 0)
        assert_int_equal(ks_buffer_append(&whole, content, size), KS_OK);
    add_request(bytes, sender, KS_REQUEST_SEND_MESSAGE, whole.bytes, whole.size);
    ks_buffer_free(&whole);
}

static void send_message(struct people *people, const struct ks_client_id *target, const char *text)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_message(&bytes, &people->alice, target, KS_MESSAGE_TEXT, text, (uint32_t)strlen(text));
    send_and_free(people->fixture, &bytes, 0);
    assert_int_equal(next_answer(people->fixture, NULL, NULL), KS_RESPONSE_MESSAGE_STORED);
}

static void ask(struct people *people, const struct ks_client_id *id, uint16_t code, const void *payload,
                size_t size)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_request(&bytes, id, code, payload, size);
    send_and_free(people->fixture, &bytes, 0);
}

static void pull(struct people *people)
{
    ask(people, &people->bob, KS_REQUEST_WAITING_MESSAGES, NULL, 0);
}

/* Reads the texts of a 2104 into one string, with a space behind each. */
static void read_texts(const uint8_t *payload, size_t size, char *texts, size_t capacity)
{
    size_t used = 0;
    while (size > 0) {
        struct ks_waiting_message head;
        assert_int_equal(ks_waiting_message_parse(payload, size, &head), KS_OK);
        payload += KS_WAITING_MESSAGE_FIXED_SIZE;
        size -= KS_WAITING_MESSAGE_FIXED_SIZE;
        assert_in_range(head.content_size, 0, size);
        assert_in_range(used + head.content_size + 2, 0, capacity);
        memcpy(texts + used, payload, head.content_size);
        used += head.content_size;
        texts[used++] = ' ';
        payload += head.content_size;
        size -= head.content_size;
    }
    texts[used] = '\0';
}

static void assert_pulled(struct people *people, const char *expected)
{
    const uint8_t *payload = NULL;
    size_t size = 0;
    char texts[256];
    assert_int_equal(next_answer(people->fixture, &payload, &size), KS_RESPONSE_WAITING_MESSAGES);
    read_texts(payload, size, texts, sizeof texts);
    assert_string_equal(texts, expected);
}

static unsigned waiting(const struct people *people)
{
    return fake_store_waiting(&people->fixture->store, &people->bob);
}

static unsigned on_lease(const struct people *people)
{
    return fake_store_leased(&people->fixture->store, &people->bob);
}

/* The peer takes nothing more of what comes. */
static void stall(struct people *people)
{
    people->fixture->connection.window = people->fixture->connection.taken;
}

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
    struct ks_budget *budget = &people->fixture->loop.budget;
    assert_true(ks_budget_take(budget, BUFFER_LIMIT));
    add_message(&bytes, &people->alice, &people->bob, KS_MESSAGE_TEXT, content, sizeof content);
    send_and_free(people->fixture, &bytes, 0);
    assert_int_equal(next_answer(people->fixture, NULL, NULL), -1);
    ks_budget_give(budget, BUFFER_LIMIT);
    fake_connection_run(&people->fixture->connection);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_MESSAGE_STORED);
}

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

static void what_was_acknowledged_is_deleted(void **state)
{
    struct people *people = *state;
    send_message(people, &people->bob, "one");
    pull(people);
    assert_pulled(people, "one ");
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
    assert_int_equal(waiting(people), 2);
    fake_connection_take(&people->fixture->connection, 1);
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

static void what_was_acknowledged_last_counts_when_the_connection_goes(void **state)
{
    struct people *people = *state;
    send_message(people, &people->bob, "one");
    stall(people);
    pull(people);
    people->fixture->connection.taken = people->fixture->connection.output.size; /* no event tells */
    fake_connection_close(&people->fixture->connection);
    assert_int_equal(waiting(people), 0);
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
    assert_true(fake_connection_open(&other, &fixture->loop, &ks_frames_events, &fixture->environment));
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
    assert_int_equal(waiting(people), 2);
    fake_connection_take(&people->fixture->connection, SIZE_MAX / 2);
    assert_int_equal(waiting(people), 0);
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
    enum { SIZE = 100000, COUNT = 12 };
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
    assert_in_range(people->fixture->connection.output.size - before, 1, 600 * 1024); /* not ahead of it */
    while (waiting(people) > 0)
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
    struct ks_budget *budget = &people->fixture->loop.budget;
    send_message(people, &people->bob, "one");
    assert_true(ks_budget_take(budget, BUFFER_LIMIT));
    pull(people);
    assert_int_equal(waiting(people), 1);
    ks_budget_give(budget, BUFFER_LIMIT);
    fake_connection_run(&people->fixture->connection);
    assert_pulled(people, "one ");
    assert_int_equal(waiting(people), 0);
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

#define PEOPLE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_people, tear_down_people)

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
        PEOPLE_TEST(nothing_overtakes_a_large_message),
        PEOPLE_TEST(small_messages_are_begun_while_earlier_ones_wait_for_their_commit),
        PEOPLE_TEST(without_room_in_the_budget_a_message_waits),
        PEOPLE_TEST(waiting_messages_come_oldest_first_from_their_senders_aliases),
        PEOPLE_TEST(nothing_waiting_is_an_empty_answer),
        PEOPLE_TEST(what_was_acknowledged_is_deleted),
        PEOPLE_TEST(nothing_is_deleted_before_the_last_byte_was_acknowledged),
        PEOPLE_TEST(a_connection_that_goes_before_gives_everything_back),
        PEOPLE_TEST(what_was_acknowledged_last_counts_when_the_connection_goes),
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
