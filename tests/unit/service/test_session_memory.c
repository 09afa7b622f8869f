/* test_session_memory.c — memory for what comes in and for long answers, without sockets and disks: taken for
 * what has come, shared out among users and networks, and given to those who wait, at the cost of the
 * slowest.
 */
#include "unit/unit.h"

#include "unit/service/people_fixture.h"

#include "crypto/content.h"
#include "unit/base/failing_memory.h"

enum {
    HEAD = KS_REQUEST_HEADER_SIZE + KS_SEND_MESSAGE_FIXED_SIZE,
    SIZE = 200 * 1000, /* of a message; it would be taken into memory */
    SMALL_LIMIT = 1024 * 1024,
    USER_SHARE = SMALL_LIMIT / KS_BUDGET_PARTS,
    NETWORK_SHARE = USER_SHARE * KS_BUDGET_NETWORK_SHARE,
    CROWD = 40,
};

static uint8_t content[SIZE];

static void make_content(void)
{
    for (size_t i = 0; i < SIZE; i++)
        content[i] = (uint8_t)(i * 7 + i / 251);
}

static int set_up_memory(void **state)
{
    make_content();
    return set_up_people(state);
}

static struct ks_budget *contents(const struct people *people)
{
    return &people->fixture->loop.contents;
}

static size_t used(const struct people *people)
{
    return atomic_load(&contents(people)->used);
}

static struct ks_buffer message_of(const struct people *people, const struct ks_client_id *sender,
                                   uint32_t size)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_message(&bytes, sender, &people->bob, KS_MESSAGE_FILE, content, size);
    return bytes;
}

static void assert_last_message_is_whole(const struct people *people, uint32_t size)
{
    const struct fake_message *message = people->fixture->store.messages;
    assert_non_null(message);
    while (message->next != NULL)
        message = message->next;
    assert_int_equal(message->content.size, size);
    assert_memory_equal(message->content.bytes, content, size);
}

/* ---- a crowd of other connections ---- */

struct crowd {
    struct people *people;
    struct fake_connection connections[CROWD];
    unsigned count;
};

static void address_of(unsigned number, uint8_t address[KS_PEER_ADDRESS_SIZE])
{
    memset(address, 0, KS_PEER_ADDRESS_SIZE);
    address[0] = 0x20;
    address[5] = (uint8_t)number; /* of the /48 */
    address[15] = 1;
}

/* One more connection, from the network of that number, that sends the first `sent` bytes of the content. */
static struct fake_connection *join(struct crowd *crowd, const struct ks_client_id *sender, unsigned network,
                                    uint32_t sent)
{
    struct fixture *fixture = crowd->people->fixture;
    struct fake_connection *connection = &crowd->connections[crowd->count++];
    struct ks_buffer bytes = message_of(crowd->people, sender, SIZE);
    assert_true(fake_connection_open(connection, &fixture->loop, &ks_frames_events, &fixture->port));
    address_of(network, connection->address);
    fake_connection_send(connection, bytes.bytes, HEAD + sent, 0);
    ks_buffer_free(&bytes);
    return connection;
}

static void leave_all(struct crowd *crowd)
{
    for (unsigned i = 0; i < crowd->count; i++)
        fake_connection_close(&crowd->connections[i]);
}

/* The fixture's connection sends a message of `size` bytes, all at once. */
static void send_whole(struct people *people, uint32_t size)
{
    struct ks_buffer bytes = message_of(people, &people->alice, size);
    send_and_free(people->fixture, &bytes, 0);
}

static uint16_t answer_on(const struct fake_connection *connection)
{
    struct ks_response_header header = {.code = 0};
    if (ks_response_header_parse(connection->output.bytes, connection->output.size, &header) != KS_OK)
        return 0;
    return header.code;
}

/* ---- what has come ---- */

static void memory_is_taken_for_what_has_come(void **state)
{
    struct people *people = *state;
    struct crowd crowd = {.people = people};
    join(&crowd, &people->alice, 1, 0);
    assert_int_equal(used(people), 0);
    join(&crowd, &people->alice, 2, 600);
    assert_in_range(used(people), 600, 4 * 600);
    size_t before = used(people);
    join(&crowd, &people->alice, 3, SIZE - 1);
    assert_int_equal(used(people), before + SIZE);
    leave_all(&crowd);
}

static void an_upload_that_is_declared_takes_no_memory_either(void **state)
{
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    struct fake_user *user = &people->fixture->store.users[0];
    user->content_key = ks_content_key_new(content, people->fixture->loop.time.wall_seconds);
    add_upload(&bytes, &people->alice, "x", content, SIZE, 0);
    size_t head = bytes.size - SIZE;
    fake_connection_send(&people->fixture->connection, bytes.bytes, head, 0);
    assert_int_equal(used(people), 0);
    fake_connection_send(&people->fixture->connection, bytes.bytes + head, 16, 0);
    assert_in_range(used(people), 16, 4096);
    fake_connection_send(&people->fixture->connection, bytes.bytes + head + 16, SIZE - 16, 0);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_FILE_RECEIVED);
    ks_buffer_free(&bytes);
}

static void a_message_that_comes_whole_takes_its_size_and_makes_no_claim(void **state)
{
    struct people *people = *state;
    people->fixture->store.later_appends = true;
    struct ks_buffer bytes = message_of(people, &people->alice, 1000);
    fake_connection_send_only(&people->fixture->connection, bytes.bytes, bytes.size);
    assert_int_equal(used(people), 1000);
    assert_null(contents(people)->shares);
    ks_buffer_free(&bytes);
    fake_connection_run(&people->fixture->connection);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_MESSAGE_STORED);
}

static void messages_in_pieces_of_any_size_are_whole(void **state)
{
    struct people *people = *state;
    static const size_t steps[] = {1, 7, 999, 4096, 70000, SIZE};
    for (size_t i = 0; i < 2 * KS_COUNT_OF(steps); i++) {
        uint32_t size = steps[i / 2] == 1 ? 3000 : SIZE;
        struct ks_buffer bytes = message_of(people, &people->alice, size);
        people->fixture->store.later = i % 2 == 1;
        send_and_free(people->fixture, &bytes, steps[i / 2]);
        ASSERT_ANSWERS(people->fixture, KS_RESPONSE_MESSAGE_STORED);
        assert_last_message_is_whole(people, size);
    }
}

/* Other holders take what is left when `taken` bytes have come; the rest comes in steps. */
static void run_short(struct people *people, uint32_t taken, size_t step)
{
    struct ks_buffer bytes = message_of(people, &people->alice, SIZE);
    struct fake_connection *connection = &people->fixture->connection;
    struct ks_holder other;
    fake_connection_send(connection, bytes.bytes, HEAD + taken, 0);
    ks_holder_init(&other, contents(people), &people->fixture->loop.loop.executor, NULL);
    assert_true(ks_holder_take(&other, contents(people)->limit - used(people)));
    fake_connection_send(connection, bytes.bytes + HEAD + taken, 50000, step);
    assert_int_equal(people->fixture->store.open_stages, 1);
    assert_in_range(used(people), 0, contents(people)->limit);
    ks_holder_give(&other, other.held);
    fake_connection_run(connection);
    fake_connection_send(connection, bytes.bytes + HEAD + taken + 50000, SIZE - taken - 50000, step);
    ks_buffer_free(&bytes);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_MESSAGE_STORED);
    assert_last_message_is_whole(people, SIZE);
    assert_int_equal(people->fixture->store.open_stages, 0);
}

static void a_message_that_finds_no_more_memory_goes_on_to_a_stage(void **state)
{
    struct people *people = *state;
    static const uint32_t taken[] = {1, 5000, 12000};
    static const size_t steps[] = {0, 1000, 20000};
    for (size_t i = 0; i < KS_COUNT_OF(taken) * KS_COUNT_OF(steps) * 2; i++) {
        people->fixture->store.later = i % 2 == 1;
        run_short(people, taken[i / 2 % KS_COUNT_OF(taken)], steps[i / 2 / KS_COUNT_OF(taken)]);
    }
}

static const struct ks_store_operations *plain_operations;

/* Stages open at once, chunks are written later. */
static void write_later(struct ks_store *store, struct ks_store_stage_write *request)
{
    struct fake_store *fake = KS_CONTAINER_OF(store, struct fake_store, store);
    fake->later = true;
    plain_operations->stage_write(store, request);
    fake->later = false;
}

static void a_message_that_goes_on_to_a_stage_waits_for_its_chunks(void **state)
{
    struct people *people = *state;
    struct fake_store *store = &people->fixture->store;
    struct ks_store_operations operations = *store->store.operations;
    struct fake_connection *connection = &people->fixture->connection;
    struct ks_buffer bytes = message_of(people, &people->alice, SIZE);
    struct ks_holder other;
    operations.stage_write = write_later;
    plain_operations = store->store.operations;
    store->store.operations = &operations;
    fake_connection_send(connection, bytes.bytes, HEAD + 5000, 0);
    ks_holder_init(&other, contents(people), &people->fixture->loop.loop.executor, NULL);
    assert_true(ks_holder_take(&other, contents(people)->limit - used(people) - 100 * 1000));
    fake_connection_send(connection, bytes.bytes + HEAD + 5000, SIZE - 5000, 0);
    ks_buffer_free(&bytes);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_MESSAGE_STORED);
    assert_last_message_is_whole(people, SIZE);
    ks_holder_give(&other, other.held);
    store->store.operations = plain_operations;
}

static void a_message_on_its_way_to_a_stage_may_break_off(void **state)
{
    struct people *people = *state;
    struct crowd crowd = {.people = people};
    people->fixture->store.later = true;
    struct fake_connection *connection = join(&crowd, &people->alice, 1, 5000);
    struct ks_holder other;
    ks_holder_init(&other, contents(people), &people->fixture->loop.loop.executor, NULL);
    assert_true(ks_holder_take(&other, contents(people)->limit - used(people)));
    fake_connection_send_only(connection, content + 5000, 50000); /* the stage is being opened */
    leave_all(&crowd);
    ks_holder_give(&other, other.held);
    assert_int_equal(people->fixture->store.open_stages, 0);
    assert_int_equal(waiting(people), 0);
}

/* ---- shares ---- */

static void one_user_from_many_addresses_leaves_the_rest_to_others(void **state)
{
    struct people *people = *state;
    struct crowd crowd = {.people = people};
    contents(people)->limit = SMALL_LIMIT;
    for (unsigned i = 0; i < CROWD; i++)
        join(&crowd, &people->carol, i, 60000);
    assert_in_range(used(people), 1, USER_SHARE > SIZE ? USER_SHARE : SIZE);
    send_whole(people, SIZE);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_MESSAGE_STORED);
    leave_all(&crowd);
}

static void one_network_with_many_users_leaves_the_rest_to_others(void **state)
{
    struct people *people = *state;
    struct crowd crowd = {.people = people};
    contents(people)->limit = SMALL_LIMIT;
    for (unsigned i = 0; i < CROWD; i++) {
        char name[] = {'u', (char)('a' + i % 26), (char)('a' + i / 26), '\0'};
        struct ks_client_id user = add_user(people->fixture, name, true);
        join(&crowd, &user, 7, 20000);
    }
    assert_in_range(used(people), 1, NETWORK_SHARE);
    send_whole(people, SIZE);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_MESSAGE_STORED);
    leave_all(&crowd);
}

static void those_at_their_share_go_on_when_it_has_room(void **state)
{
    struct people *people = *state;
    struct crowd crowd = {.people = people};
    contents(people)->limit = SMALL_LIMIT;
    for (unsigned i = 0; i < CROWD; i++)
        join(&crowd, &people->carol, i, 60000);
    for (unsigned i = 0; i < CROWD; i++)
        fake_connection_send(&crowd.connections[i], content + 60000, SIZE - 60000, 0);
    for (unsigned i = 0; i < CROWD * CROWD; i++) /* what one gives back is another's */
        fake_connection_run(&crowd.connections[i % CROWD]);
    for (unsigned i = 0; i < CROWD; i++)
        assert_int_equal(answer_on(&crowd.connections[i]), KS_RESPONSE_MESSAGE_STORED);
    leave_all(&crowd);
}

/* ---- under pressure ---- */

/* Users of as many networks fill all memory with what comes in. */
static void fill_with_crowd(struct crowd *crowd)
{
    struct people *people = crowd->people;
    contents(people)->limit = SMALL_LIMIT;
    for (unsigned i = 0; i < CROWD; i++) {
        char name[] = {'u', (char)('a' + i % 26), (char)('a' + i / 26), '\0'};
        struct ks_client_id user = add_user(people->fixture, name, true);
        join(crowd, &user, i, 60000);
    }
    assert_in_range(used(people), SMALL_LIMIT / 2, SMALL_LIMIT);
}

static unsigned refused_in(const struct crowd *crowd)
{
    unsigned count = 0;
    for (unsigned i = 0; i < crowd->count; i++)
        count += answer_on(&crowd->connections[i]) == KS_RESPONSE_ERROR;
    return count;
}

static void let_seconds_pass(struct crowd *crowd, unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        fake_connection_wait(&crowd->people->fixture->connection, 1000);
        for (unsigned j = 0; j < crowd->count; j++)
            fake_connection_wait(&crowd->connections[j], 0);
    }
}

static void who_waits_is_served_at_the_cost_of_the_slowest(void **state)
{
    struct people *people = *state;
    struct crowd crowd = {.people = people};
    fill_with_crowd(&crowd);
    send_whole(people, SIZE);
    assert_int_equal(next_answer(people->fixture, NULL, NULL), -1);
    let_seconds_pass(&crowd, 4);
    assert_int_equal(refused_in(&crowd), 0); /* nobody is given less than five seconds */
    let_seconds_pass(&crowd, 60);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_MESSAGE_STORED);
    assert_in_range(refused_in(&crowd), 1, CROWD - 1);
    assert_true(atomic_load(&contents(people)->cuts) > 0);
    leave_all(&crowd);
}

static void without_anybody_who_waits_the_slow_have_all_the_time_there_is(void **state)
{
    struct people *people = *state;
    struct crowd crowd = {.people = people};
    people->fixture->environment.settings.payload_timeout_ms = UINT64_C(3600) * 1000;
    join(&crowd, &people->alice, 1, 100000);
    let_seconds_pass(&crowd, 600);
    assert_int_equal(refused_in(&crowd), 0);
    fake_connection_send(&crowd.connections[0], content + 100000, SIZE - 100000, 0);
    assert_int_equal(answer_on(&crowd.connections[0]), KS_RESPONSE_MESSAGE_STORED);
    leave_all(&crowd);
}

static void the_connection_of_a_content_that_was_cut_is_in_step(void **state)
{
    struct people *people = *state;
    struct crowd crowd = {.people = people};
    fill_with_crowd(&crowd);
    send_whole(people, SIZE);
    let_seconds_pass(&crowd, 60);
    for (unsigned i = 0; i < CROWD; i++) {
        struct fake_connection *connection = &crowd.connections[i];
        struct ks_buffer bytes = ks_buffer_empty(0);
        size_t before = connection->output.size;
        if (answer_on(connection) != KS_RESPONSE_ERROR)
            continue;
        assert_int_equal(ks_buffer_append(&bytes, content, SIZE - 60000), KS_OK);
        add_request(&bytes, &people->alice, KS_REQUEST_WAITING_MESSAGES, NULL, 0);
        fake_connection_send(connection, bytes.bytes, bytes.size, 0);
        assert_int_equal(connection->output.size, before + KS_RESPONSE_HEADER_SIZE);
        ks_buffer_free(&bytes);
    }
    leave_all(&crowd);
}

/* ---- while we wait ---- */

enum { LONG_MS = 100 * 1000 };

static void a_message_that_waits_for_memory_is_not_timed(void **state)
{
    struct people *people = *state;
    struct ks_holder other;
    people->fixture->environment.settings.payload_rate = 100;
    fill_budget(people->fixture, contents(people), &other);
    struct ks_buffer bytes = message_of(people, &people->alice, SIZE);
    fake_connection_send(&people->fixture->connection, bytes.bytes, HEAD + 1000, 0);
    for (unsigned i = 0; i < 20; i++)
        fake_connection_wait(&people->fixture->connection, LONG_MS);
    assert_false(people->fixture->connection.aborted);
    ks_holder_give(&other, BUFFER_LIMIT);
    fake_connection_run(&people->fixture->connection);
    fake_connection_send(&people->fixture->connection, bytes.bytes + HEAD + 1000, SIZE - 1000, 0);
    ks_buffer_free(&bytes);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_MESSAGE_STORED);
}

static void an_answer_that_waits_for_memory_is_not_timed(void **state)
{
    struct people *people = *state;
    struct ks_holder other;
    send_message(people, &people->bob, "one");
    fill_budget(people->fixture, &people->fixture->loop.answers, &other);
    pull(people);
    for (unsigned i = 0; i < 20; i++)
        fake_connection_wait(&people->fixture->connection, LONG_MS);
    assert_false(people->fixture->connection.aborted);
    ks_holder_give(&other, BUFFER_LIMIT);
    fake_connection_run(&people->fixture->connection);
    assert_pulled(people, "one ");
}

static void answers_that_are_due_before_the_end_are_not_timed(void **state)
{
    struct people *people = *state;
    struct fake_connection *connection = &people->fixture->connection;
    struct ks_buffer bytes = message_of(people, &people->alice, 1000);
    size_t first = bytes.size;
    add_message(&bytes, &people->alice, &people->bob, KS_MESSAGE_TEXT, content, SIZE);
    bytes.bytes[first + HEAD - 1] ^= 1; /* its sizes contradict each other */
    people->fixture->store.later_appends = true;
    fake_connection_send_only(connection, bytes.bytes, first + 10);
    assert_true(connection->deadline_ms != 0);
    fake_connection_send_only(connection, bytes.bytes + first + 10, HEAD - 10);
    ks_buffer_free(&bytes);
    assert_int_equal(connection->deadline_ms, 0);
    assert_false(connection->idle);
    fake_connection_run(connection);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_MESSAGE_STORED, KS_RESPONSE_ERROR);
    assert_true(connection->finished);
}

static void a_connection_that_goes_while_it_waits_leaves_nothing(void **state)
{
    struct people *people = *state;
    struct crowd crowd = {.people = people};
    struct ks_holder other;
    fill_budget(people->fixture, contents(people), &other);
    join(&crowd, &people->alice, 1, 1000);
    join(&crowd, &people->alice, 2, 1000);
    fake_connection_close(&crowd.connections[0]);
    ks_holder_give(&other, BUFFER_LIMIT); /* its turn is on its way when the connection goes */
    fake_connection_close(&crowd.connections[1]);
    assert_int_equal(used(people), 0);
}

/* ---- the two of them ---- */

static void contents_do_not_starve_answers_nor_the_other_way_round(void **state)
{
    struct people *people = *state;
    struct ks_holder other;
    send_message(people, &people->bob, "one");
    fill_budget(people->fixture, contents(people), &other);
    ask(people, &people->bob, KS_REQUEST_LIST_USERS, NULL, 0);
    assert_int_equal(next_answer(people->fixture, NULL, NULL), KS_RESPONSE_USERS);
    pull(people);
    assert_pulled(people, "one ");
    ks_holder_give(&other, BUFFER_LIMIT);
    fill_budget(people->fixture, &people->fixture->loop.answers, &other);
    send_whole(people, SIZE);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_MESSAGE_STORED);
    ks_holder_give(&other, BUFFER_LIMIT);
}

/* Two pulls that nobody takes hold all memory for answers; a third one waits for it. */
static void an_answer_that_nobody_takes_is_broken_off_for_one_that_waits(void **state)
{
    struct people *people = *state;
    struct crowd crowd = {.people = people};
    struct ks_buffer request = ks_buffer_empty(0);
    people->fixture->loop.answers.limit = 700 * 1000; /* a page of 256 KiB, and as much output */
    people->fixture->environment.settings.message_limit = 8 * 1024 * 1024;
    for (unsigned i = 0; i < 10; i++) {
        send_whole(people, SIZE);
        assert_int_equal(next_answer(people->fixture, NULL, NULL), KS_RESPONSE_MESSAGE_STORED);
    }
    struct fake_connection *lazy = &crowd.connections[crowd.count++];
    assert_true(
        fake_connection_open(lazy, &people->fixture->loop, &ks_frames_events, &people->fixture->port));
    address_of(1, lazy->address);
    lazy->window = 0;
    add_request(&request, &people->bob, KS_REQUEST_WAITING_MESSAGES, NULL, 0);
    fake_connection_send(lazy, request.bytes, request.size, 0);
    ks_buffer_free(&request);
    add_message(&request, &people->alice, &people->carol, KS_MESSAGE_FILE, content, SIZE);
    add_request(&request, &people->carol, KS_REQUEST_WAITING_MESSAGES, NULL, 0);
    fake_connection_send(&people->fixture->connection, request.bytes, request.size, 0);
    ks_buffer_free(&request);
    assert_int_equal(next_answer(people->fixture, NULL, NULL), KS_RESPONSE_MESSAGE_STORED);
    let_seconds_pass(&crowd, 8);
    assert_true(lazy->aborted);
    assert_false(people->fixture->connection.aborted);
    fake_connection_close(lazy);
    fake_connection_run(&people->fixture->connection);
    assert_int_equal(next_answer(people->fixture, NULL, NULL), KS_RESPONSE_WAITING_MESSAGES);
    assert_int_equal(waiting(people), 10); /* bob's wait again */
    assert_int_equal(on_lease(people), 0);
}

/* One takes nothing of a small page, another one a large page slowly, and a third one waits. */
static void an_answer_that_is_taken_slowly_is_not_the_slowest(void **state)
{
    struct people *people = *state;
    struct crowd crowd = {.people = people};
    struct ks_client_id receivers[] = {people->bob, people->carol, add_user(people->fixture, "dan", true)};
    people->fixture->loop.answers.limit = 900 * 1000; /* for one page of 256 KiB and one of 150 kB */
    for (unsigned i = 0; i < 2; i++) {
        struct fake_connection *connection = &crowd.connections[crowd.count++];
        struct ks_buffer bytes = ks_buffer_empty(0);
        assert_true(fake_connection_open(connection, &people->fixture->loop, &ks_frames_events,
                                         &people->fixture->port));
        address_of(i + 1, connection->address);
        for (unsigned j = 0; j < 1 + 2 * i; j++)
            add_message(&bytes, &people->alice, &receivers[i], KS_MESSAGE_FILE, content, 150 * 1000);
        add_request(&bytes, &receivers[i], KS_REQUEST_WAITING_MESSAGES, NULL, 0);
        connection->window = (1 + 2 * i) * (KS_RESPONSE_HEADER_SIZE + KS_MESSAGE_STORED_ANSWER_SIZE);
        fake_connection_send(connection, bytes.bytes, bytes.size, 0);
        ks_buffer_free(&bytes);
    }
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_message(&bytes, &people->alice, &receivers[2], KS_MESSAGE_FILE, content, SIZE);
    add_request(&bytes, &receivers[2], KS_REQUEST_WAITING_MESSAGES, NULL, 0);
    send_and_free(people->fixture, &bytes, 0);
    assert_true(atomic_load(&people->fixture->loop.answers.waiting) > 0);
    for (unsigned i = 0; i < 8 && !crowd.connections[0].aborted && !crowd.connections[1].aborted; i++) {
        fake_connection_take(&crowd.connections[1], 20000);
        let_seconds_pass(&crowd, 1);
    }
    assert_true(crowd.connections[0].aborted);
    assert_false(crowd.connections[1].aborted);
    leave_all(&crowd);
}

/* A list of one page would leave at once, but not behind another one that is not taken. */
static void a_short_answer_behind_one_that_nobody_takes_is_broken_off_for_one_that_waits(void **state)
{
    enum { USERS = 230 };
    struct people *people = *state;
    struct crowd crowd = {.people = people};
    struct ks_buffer requests = ks_buffer_empty(0);
    people->fixture->loop.answers.limit = USERS * sizeof(struct ks_user) * 2;
    while (people->fixture->store.user_count < USERS + 1)
        add_user(people->fixture, "u", true);
    struct fake_connection *lazy = &crowd.connections[crowd.count++];
    assert_true(
        fake_connection_open(lazy, &people->fixture->loop, &ks_frames_events, &people->fixture->port));
    address_of(1, lazy->address);
    lazy->window = 0;
    add_request(&requests, &people->alice, KS_REQUEST_LIST_USERS, NULL, 0);
    add_request(&requests, &people->alice, KS_REQUEST_LIST_USERS, NULL, 0);
    fake_connection_send(lazy, requests.bytes, requests.size, 0);
    ks_buffer_free(&requests);
    ask(people, &people->bob, KS_REQUEST_LIST_USERS, NULL, 0);
    assert_int_equal(people->fixture->connection.output.size, KS_RESPONSE_HEADER_SIZE);
    let_seconds_pass(&crowd, 8);
    assert_true(lazy->aborted);
    fake_connection_close(lazy);
    fake_connection_run(&people->fixture->connection);
    assert_int_equal(next_answer(people->fixture, NULL, NULL), KS_RESPONSE_USERS);
}

/* ---- when the system has none ---- */

/* A message in pieces while the n-th allocation fails, for every n. */
static void out_of_memory_a_message_is_refused_or_its_connection_ends(void **state)
{
    struct people *people = *state;
    bool any_failed = true;
    for (size_t nth = 1; any_failed; nth++) {
        struct crowd crowd = {.people = people};
        struct ks_buffer bytes = message_of(people, &people->alice, SIZE);
        struct fake_connection *connection = &crowd.connections[crowd.count++];
        assert_true(fake_connection_open(connection, &people->fixture->loop, &ks_frames_events,
                                         &people->fixture->port));
        failed = false;
        allocations_until_failure = nth;
        fake_connection_send(connection, bytes.bytes, HEAD + 100, 0);
        fake_connection_send(connection, bytes.bytes + HEAD + 100, SIZE - 100, 5000);
        allocations_until_failure = 0;
        any_failed = failed;
        ks_buffer_free(&bytes);
        uint16_t answer = answer_on(connection);
        assert_true(connection->aborted || answer == KS_RESPONSE_ERROR ||
                    answer == KS_RESPONSE_MESSAGE_STORED);
        leave_all(&crowd);
        assert_int_equal(used(people), 0);
    }
}

/* The same for who asks for messages: none is lost. */
static void out_of_memory_messages_wait_on(void **state)
{
    struct people *people = *state;
    bool any_failed = true;
    send_whole(people, SIZE);
    for (size_t nth = 1; any_failed; nth++) {
        struct crowd crowd = {.people = people};
        struct ks_buffer request = ks_buffer_empty(0);
        struct fake_connection *connection = &crowd.connections[crowd.count++];
        add_request(&request, &people->bob, KS_REQUEST_WAITING_MESSAGES, NULL, 0);
        assert_true(fake_connection_open(connection, &people->fixture->loop, &ks_frames_events,
                                         &people->fixture->port));
        failed = false;
        allocations_until_failure = nth;
        fake_connection_send(connection, request.bytes, request.size, 0);
        allocations_until_failure = 0;
        any_failed = failed;
        ks_buffer_free(&request);
        assert_true(connection->aborted || answer_on(connection) == KS_RESPONSE_ERROR || !any_failed);
        leave_all(&crowd);
        assert_int_equal(waiting(people), 1);
        assert_int_equal(on_lease(people), 0);
    }
}

#define MEMORY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_memory, tear_down_people)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MEMORY_TEST(memory_is_taken_for_what_has_come),
        MEMORY_TEST(an_upload_that_is_declared_takes_no_memory_either),
        MEMORY_TEST(a_message_that_comes_whole_takes_its_size_and_makes_no_claim),
        MEMORY_TEST(messages_in_pieces_of_any_size_are_whole),
        MEMORY_TEST(a_message_that_finds_no_more_memory_goes_on_to_a_stage),
        MEMORY_TEST(a_message_that_goes_on_to_a_stage_waits_for_its_chunks),
        MEMORY_TEST(a_message_on_its_way_to_a_stage_may_break_off),
        MEMORY_TEST(one_user_from_many_addresses_leaves_the_rest_to_others),
        MEMORY_TEST(one_network_with_many_users_leaves_the_rest_to_others),
        MEMORY_TEST(those_at_their_share_go_on_when_it_has_room),
        MEMORY_TEST(who_waits_is_served_at_the_cost_of_the_slowest),
        MEMORY_TEST(without_anybody_who_waits_the_slow_have_all_the_time_there_is),
        MEMORY_TEST(the_connection_of_a_content_that_was_cut_is_in_step),
        MEMORY_TEST(a_message_that_waits_for_memory_is_not_timed),
        MEMORY_TEST(an_answer_that_waits_for_memory_is_not_timed),
        MEMORY_TEST(answers_that_are_due_before_the_end_are_not_timed),
        MEMORY_TEST(a_connection_that_goes_while_it_waits_leaves_nothing),
        MEMORY_TEST(contents_do_not_starve_answers_nor_the_other_way_round),
        MEMORY_TEST(an_answer_that_nobody_takes_is_broken_off_for_one_that_waits),
        MEMORY_TEST(an_answer_that_is_taken_slowly_is_not_the_slowest),
        MEMORY_TEST(a_short_answer_behind_one_that_nobody_takes_is_broken_off_for_one_that_waits),
        MEMORY_TEST(out_of_memory_a_message_is_refused_or_its_connection_ends),
        MEMORY_TEST(out_of_memory_messages_wait_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
