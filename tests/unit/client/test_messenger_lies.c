/* Unit tests of <kesher/messages.h> against servers that lie: each lie is a protocol error with a sentence,
 * the connection is dropped, nothing is remembered, and the next call gets on with a new connection. */
#include "unit/client/messenger_fixture.h"

#include "client/outbound/outgoing.h"

/* What a call is, and what has to be there before it. */
typedef enum kesher_status (*call_function)(struct world *world);

static bool visit_all(void *context, const struct kesher_user *user)
{
    (void)context;
    (void)user;
    return true;
}

static enum kesher_status list(struct world *world)
{
    return kesher_messenger_users(world->alice.messenger, visit_all, NULL, &last_error);
}

static enum kesher_status key(struct world *world)
{
    struct kesher_user_key key;
    return kesher_messenger_key(world->alice.messenger, "bob", &key, &last_error);
}

static enum kesher_status request(struct world *world)
{
    return kesher_messenger_request_key(world->alice.messenger, "bob", &last_error);
}

static enum kesher_status text(struct world *world)
{
    return send_text(&world->alice, &world->bob, "x");
}

static enum kesher_status receive(struct world *world)
{
    bool more = false;
    return kesher_messenger_pull(world->alice.messenger, &more, &last_error);
}

/* The call fails as it should, and without the lie it succeeds. */
static void assert_lie(struct world *world, call_function call, enum kesher_status expected)
{
    ASSERT_FAILS(call(world), expected);
    assert_int_equal(world->server.lie_count, 0);
    ASSERT_DONE(call(world));
}

static void told(struct server_lie *lie, uint32_t told_size, size_t size)
{
    lie->told_size = told_size;
    lie->size = size;
}

static void other_codes_are_protocol_errors(void **state)
{
    struct world *world = *state;
    static const struct {
        uint16_t request;
        call_function call;
    } calls[] = {{601, list}, {602, key}, {603, request}, {604, receive}};
    static const uint16_t codes[] = {1, 2100, 2101, 2102, 2103, 2104, 2105, 2107, 9001};
    for (size_t c = 0; c < KS_COUNT_OF(calls); c++)
        for (size_t i = 0; i < KS_COUNT_OF(codes); i++) {
            uint16_t right = (uint16_t)(calls[c].request + 1500);
            if (codes[i] == right)
                continue;
            server_lie(&world->server, calls[c].request, codes[i]);
            assert_lie(world, calls[c].call, KESHER_PROTOCOL);
            assert_non_null(strstr(last_error.sentence, world->server.address));
        }
}

static void payload_of_an_error_is_dropped(void **state)
{
    struct world *world = *state;
    static const struct {
        call_function call;
        enum kesher_status outcome;
        uint16_t request;
    } calls[] = {{list, KESHER_UNKNOWN, 601},
                 {key, KESHER_REFUSED, 602},
                 {request, KESHER_REFUSED, 603},
                 {receive, KESHER_REFUSED, 604}};
    for (size_t c = 0; c < KS_COUNT_OF(calls); c++)
        for (uint32_t size = 0; size <= 1000; size += 250) {
            told(server_lie(&world->server, calls[c].request, 9000), size, size);
            size_t before = world->server.trail_size;
            assert_lie(world, calls[c].call, calls[c].outcome);
            assert_true(world->server.trail_size > before);
        }
}

static void error_with_an_endless_payload_is_a_protocol_error(void **state)
{
    struct world *world = *state;
    told(server_lie(&world->server, 601, 9000), UINT32_MAX, 10);
    assert_lie(world, list, KESHER_PROTOCOL);
    told(server_lie(&world->server, 602, 9000), UINT32_MAX, 10);
    assert_lie(world, key, KESHER_PROTOCOL);
    told(server_lie(&world->server, 603, 9000), KS_SKIP_LIMIT + 1, 10);
    assert_lie(world, request, KESHER_PROTOCOL);
    told(server_lie(&world->server, 604, 9000), KS_SKIP_LIMIT + 1, 10);
    assert_lie(world, receive, KESHER_PROTOCOL);
}

static void list_whose_size_is_no_multiple_is_a_protocol_error(void **state)
{
    struct world *world = *state;
    static const uint32_t sizes[] = {1, 270, 272, 541, 543, UINT32_MAX};
    for (size_t i = 0; i < KS_COUNT_OF(sizes); i++) {
        told(server_lie(&world->server, 601, 2101), sizes[i], sizes[i] < 1000 ? sizes[i] : 1000);
        assert_lie(world, list, KESHER_PROTOCOL);
    }
}

static void name_without_an_end_is_a_protocol_error(void **state)
{
    struct world *world = *state;
    struct server_lie *lie = server_lie(&world->server, 601, 2101);
    told(lie, 2 * KS_LISTED_USER_SIZE, 2 * KS_LISTED_USER_SIZE);
    memset(lie->payload, 'a', KS_CLIENT_ID_SIZE + 1);
    memset(lie->payload + KS_LISTED_USER_SIZE, 'n', KS_LISTED_USER_SIZE);
    assert_lie(world, list, KESHER_PROTOCOL);
}

static bool count_user(void *context, const struct kesher_user *user)
{
    (void)user;
    ++*(unsigned *)context;
    return true;
}

/* Zeros; one id twice, also far apart; bytes that are no text. */
static void list_that_makes_no_sense_is_not_visited(void **state)
{
    struct world *world = *state;
    enum { USERS = 3 };
    for (int kind = 0; kind < 4; kind++) {
        unsigned visited = 0;
        struct server_lie *lie = server_lie(&world->server, 601, 2101);
        told(lie, USERS * KS_LISTED_USER_SIZE, USERS * KS_LISTED_USER_SIZE);
        for (int user = 0; user < USERS; user++)
            memset(lie->payload + user * KS_LISTED_USER_SIZE, 'a' + user, KS_CLIENT_ID_SIZE + 1);
        uint8_t *last = lie->payload + (USERS - 1) * KS_LISTED_USER_SIZE;
        if (kind == 0)
            memset(last, 0, KS_LISTED_USER_SIZE);
        else if (kind < 3)
            memset(last, 'a' + kind - 1, KS_CLIENT_ID_SIZE);
        else
            memcpy(last + KS_CLIENT_ID_SIZE, "\xff\xfe\x01", 4);
        ASSERT_FAILS(kesher_messenger_users(world->alice.messenger, count_user, &visited, &last_error),
                     KESHER_PROTOCOL);
        assert_non_null(strstr(last_error.sentence, "makes no sense"));
        assert_int_equal(visited, 0);
    }
}

static void list_that_breaks_off_is_asked_for_again(void **state)
{
    struct world *world = *state;
    struct server_lie *lie = server_lie(&world->server, 601, 2101);
    told(lie, 3 * KS_LISTED_USER_SIZE, KS_LISTED_USER_SIZE + 5);
    memset(lie->payload, 'n', KS_CLIENT_ID_SIZE + 1);
    size_t before = world->server.trail_size;
    ASSERT_DONE(list(world));
    assert_int_equal(world->server.trail_size, before + 2);
}

/* What a lying 2102 is made of. */
static struct server_lie *lie_about_key(struct world *world)
{
    struct server_lie *lie = server_lie(&world->server, 602, 2102);
    memcpy(lie->payload, world->bob.id.bytes, KS_CLIENT_ID_SIZE);
    memcpy(lie->payload + KS_CLIENT_ID_SIZE, world->bob.public_key, KS_PUBLIC_KEY_SIZE);
    told(lie, KS_USER_KEY_ANSWER_SIZE, KS_USER_KEY_ANSWER_SIZE);
    return lie;
}

static void keys_of_others_and_keys_that_are_none_are_not_pinned(void **state)
{
    struct world *world = *state;
    struct kesher_user_key pinned;
    static const uint32_t sizes[] = {0, 16, 175, 177, 279, 280, 1000};
    for (size_t i = 0; i < KS_COUNT_OF(sizes); i++) {
        told(lie_about_key(world), sizes[i], sizes[i]);
        ASSERT_FAILS(key(world), KESHER_PROTOCOL);
    }
    lie_about_key(world)->payload[3] ^= 1; /* the target */
    ASSERT_FAILS(key(world), KESHER_PROTOCOL);
    lie_about_key(world)->payload[KS_CLIENT_ID_SIZE] ^= 1; /* no DER */
    ASSERT_FAILS(key(world), KESHER_PROTOCOL);
    memset(lie_about_key(world)->payload + KS_CLIENT_ID_SIZE, 0, KS_PUBLIC_KEY_SIZE);
    ASSERT_FAILS(key(world), KESHER_PROTOCOL);
    lie_about_key(world)->payload[KS_CLIENT_ID_SIZE] ^= 1;
    ASSERT_FAILS(text(world), KESHER_PROTOCOL);
    assert_int_equal(world->server.queue_size, 0);
    ASSERT_DONE(kesher_messenger_key(world->alice.messenger, "bob", &pinned, &last_error));
    assert_true(pinned.is_new);
}

static void receipts_that_do_not_fit_are_protocol_errors(void **state)
{
    struct world *world = *state;
    static const uint32_t sizes[] = {4, 19, 21, 1000};
    for (size_t i = 0; i < KS_COUNT_OF(sizes); i++) {
        struct server_lie *lie = server_lie(&world->server, 603, 2103);
        memcpy(lie->payload, world->bob.id.bytes, KS_CLIENT_ID_SIZE);
        told(lie, sizes[i], sizes[i]);
        assert_lie(world, request, KESHER_PROTOCOL);
    }
    struct server_lie *lie = server_lie(&world->server, 603, 2103);
    memcpy(lie->payload, world->alice.id.bytes, KS_CLIENT_ID_SIZE); /* of another message */
    told(lie, KS_MESSAGE_STORED_ANSWER_SIZE, KS_MESSAGE_STORED_ANSWER_SIZE);
    assert_lie(world, request, KESHER_PROTOCOL);
}

static void receipt_without_a_payload_has_no_id(void **state)
{
    struct world *world = *state;
    struct kesher_receipt receipt = {.has_id = true, .message_id = 9};
    int fd = text_file("hello", 5);
    share_key(&world->alice, &world->bob);
    told(server_lie(&world->server, 603, 2103), 0, 0);
    ASSERT_DONE(kesher_messenger_send(world->alice.messenger, "bob", KESHER_MESSAGE_TEXT, fd, 5, false,
                                      &receipt, &last_error));
    assert_false(receipt.has_id);
    close(fd);
}

static void key_with_a_false_receipt_is_not_used_for_sending(void **state)
{
    struct world *world = *state;
    enum kesher_key_state keys = KESHER_KEY_IN_USE;
    told(server_lie(&world->server, 603, 2103), 19, 19);
    ASSERT_FAILS(kesher_messenger_share_key(world->alice.messenger, "bob", &last_error), KESHER_PROTOCOL);
    ASSERT_DONE(kesher_messenger_key_state(world->alice.messenger, "bob", &keys, &last_error));
    assert_int_equal(keys, KESHER_KEY_NONE);
}

/* Content sizes that do not add up: too long, too short, in the first message and in the last. */
static void messages_that_do_not_add_up_leave_nothing(void **state)
{
    struct world *world = *state;
    static const struct {
        uint32_t sizes[2]; /* of two contents, as told */
        size_t payload;    /* all of it */
    } cases[] = {
        {{0, 0}, 24},           {{0, 0}, 26},           {{0, 0}, 49},
        {{0, 0}, 51},           {{10, 0}, 34},          {{10, 0}, 36},
        {{UINT32_MAX, 0}, 100}, {{0, UINT32_MAX}, 100}, {{UINT32_MAX - 24, 0}, 100},
        {{75, 1}, 101},         {{74, 0}, 100},         {{0, 51}, 100},
    };
    char path[200];
    struct kesher_message message;
    assert_true(snprintf(path, sizeof path, "%s/inbox/%016x.incoming", world->alice.path, 1) > 0);
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++) {
        struct server_lie *lie = server_lie(&world->server, 604, 2104);
        struct ks_waiting_message first = {.message_id = 1, .type = 1, .content_size = cases[i].sizes[0]};
        struct ks_waiting_message second = {.message_id = 2, .type = 1, .content_size = cases[i].sizes[1]};
        ks_waiting_message_encode(&first, lie->payload);
        size_t behind = (size_t)KS_WAITING_MESSAGE_FIXED_SIZE + cases[i].sizes[0];
        if (behind < 200)
            ks_waiting_message_encode(&second, lie->payload + behind);
        told(lie, (uint32_t)cases[i].payload, cases[i].payload);
        ASSERT_FAILS(receive(world), KESHER_PROTOCOL);
        assert_int_not_equal(access(path, F_OK), 0);
        assert_int_equal(kesher_messenger_next(world->alice.messenger, &message, NULL), KESHER_NOT_FOUND);
    }
    ASSERT_DONE(receive(world));
}

static void answer_that_promises_gigabytes_and_ends_leaves_nothing(void **state)
{
    struct world *world = *state;
    struct kesher_message message;
    told(server_lie(&world->server, 604, 2104), 100 * 1000 * 1000, 1000);
    ASSERT_FAILS(receive(world), KESHER_CONNECTION);
    assert_int_equal(kesher_messenger_next(world->alice.messenger, &message, NULL), KESHER_NOT_FOUND);
    ASSERT_DONE(receive(world));
}

/* ---- registration ---- */

static void registration_speaks_600_only(void **state)
{
    struct world *world = *state;
    struct person carol = {.name = "carol"};
    struct kesher_identity *identity = NULL;
    strcpy(carol.path, "/tmp/kesher-test-XXXXXX");
    assert_non_null(mkdtemp(carol.path));
    assert_int_equal(kesher_home_open(carol.path, &carol.home, NULL), KESHER_OK);
    const struct kesher_options options = {.backoff_ms = 1, .reconnects = 1};
    person_write(&carol, "priv.key", vector_keys[0].private_base64);
    ASSERT_FAILS(kesher_register_messages(carol.home, world->server.address, "carol", &options, &identity,
                                          &last_error),
                 KESHER_REFUSED);
    assert_false(kesher_identity_exists(carol.home));
    struct server_lie *lie = server_lie(&world->server, 600, 2100);
    told(lie, KS_CLIENT_ID_ANSWER_SIZE, KS_CLIENT_ID_ANSWER_SIZE);
    ASSERT_DONE(kesher_register_messages(carol.home, world->server.address, "carol", &options, &identity,
                                         &last_error));
    assert_string_equal(kesher_identity_name(identity), "carol");
    kesher_identity_free(identity);
    for (size_t i = 0; i < world->server.trail_size; i++)
        assert_int_equal(world->server.trail[i], 600);
    ASSERT_FAILS(kesher_register_messages(carol.home, world->server.address, "carol", &options, &identity,
                                          &last_error),
                 KESHER_EXISTS);
    kesher_home_close(carol.home);
    assert_int_equal(nftw(carol.path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(other_codes_are_protocol_errors),
        WORLD_TEST(payload_of_an_error_is_dropped),
        WORLD_TEST(error_with_an_endless_payload_is_a_protocol_error),
        WORLD_TEST(list_whose_size_is_no_multiple_is_a_protocol_error),
        WORLD_TEST(name_without_an_end_is_a_protocol_error),
        WORLD_TEST(list_that_makes_no_sense_is_not_visited),
        WORLD_TEST(list_that_breaks_off_is_asked_for_again),
        WORLD_TEST(keys_of_others_and_keys_that_are_none_are_not_pinned),
        WORLD_TEST(receipts_that_do_not_fit_are_protocol_errors),
        WORLD_TEST(receipt_without_a_payload_has_no_id),
        WORLD_TEST(key_with_a_false_receipt_is_not_used_for_sending),
        WORLD_TEST(messages_that_do_not_add_up_leave_nothing),
        WORLD_TEST(answer_that_promises_gigabytes_and_ends_leaves_nothing),
        WORLD_TEST(registration_speaks_600_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
