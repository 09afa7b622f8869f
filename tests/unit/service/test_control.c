/* Unit tests of src/service/operators: an operator's program behind a fake connection, users in a fake store,
 * groups for real. */
#include "unit/unit.h"

#include "base/text.h"
#include "crypto/alias.h"
#include "crypto/digest.h"
#include "service/chat/chat_service.h"
#include "service/chat/groups.h"
#include "service/chat/turnstile.h"
#include "service/operators/control.h"
#include "support/fake_connection.h"
#include "support/fake_store.h"

#include <stdio.h>

struct office {
    struct fake_loop loop;
    struct fake_store store;
    struct ks_groups *groups;
    struct ks_turnstile *turnstile;
    struct ks_alias_key *alias_key;
    struct ks_control_environment environment;
    struct fake_connection connection;
    size_t read; /* of its output */
};

static int set_up(void **state)
{
    static const struct ks_groups_limits limits = {
        .groups = 200, .members = 8, .member_queue = 1024 * 1024, .queues = 16 * 1024 * 1024};
    static const uint8_t key[KS_ALIAS_KEY_SIZE] = {7};
    struct office *office = calloc(1, sizeof *office);
    assert_non_null(office);
    fake_loop_init(&office->loop, 1024);
    fake_store_init(&office->store);
    assert_int_equal(ks_groups_new(&limits, &office->loop.log, &office->groups), KS_OK);
    assert_int_equal(ks_turnstile_new(&(struct ks_hash_key){{0}}, &office->turnstile), KS_OK);
    assert_int_equal(ks_alias_key_new(key, &office->alias_key), KS_OK);
    office->environment.operations = (struct ks_operations_environment){.store = &office->store.store,
                                                                        .random = ks_random_system(),
                                                                        .clock = &office->loop.time.clock,
                                                                        .groups = office->groups,
                                                                        .alias_key = office->alias_key,
                                                                        .log = &office->loop.log};
    assert_true(
        fake_connection_open(&office->connection, &office->loop, &ks_control_events, &office->environment));
    *state = office;
    return 0;
}

static int tear_down(void **state)
{
    struct office *office = *state;
    fake_connection_close(&office->connection);
    assert_int_equal(atomic_load(&office->environment.sessions), 0);
    ks_groups_free(office->groups);
    ks_turnstile_free(office->turnstile);
    ks_alias_key_free(office->alias_key);
    fake_store_destroy(&office->store);
    fake_loop_destroy(&office->loop);
    free(office);
    return 0;
}

static void registered(struct ks_store_request *request)
{
    (void)request;
}

static void register_user(struct office *office, const char *name, bool has_key)
{
    struct ks_store_register request = {.request = {.reply_to = &office->loop.loop.executor},
                                        .has_public_key = has_key};
    bool later = office->store.later;
    office->store.later = false;
    request.request.done = registered;
    snprintf(request.name, sizeof request.name, "%s", name);
    ks_store_register_user(&office->store.store, &request);
    assert_int_equal(request.request.result, KS_OK);
    office->store.later = later;
}

static void ask(struct office *office, const char *line)
{
    fake_connection_send(&office->connection, line, strlen(line), 0);
}

/* The next line of the answer without its LF; NULL when there is none. */
static const char *next_line(struct office *office, char line[static KS_CONTROL_LINE_LIMIT])
{
    const struct ks_buffer *output = &office->connection.output;
    const char *start = (const char *)output->bytes + office->read;
    const char *end = office->read < output->size ? memchr(start, '\n', output->size - office->read) : NULL;
    if (end == NULL)
        return NULL;
    assert_in_range(end - start, 1, KS_CONTROL_LINE_LIMIT - 1);
    memcpy(line, start, (size_t)(end - start));
    line[end - start] = '\0';
    office->read += (size_t)(end - start) + 1;
    return line;
}

static void assert_line(struct office *office, const char *expected)
{
    char line[KS_CONTROL_LINE_LIMIT];
    const char *found = next_line(office, line);
    assert_non_null(found);
    assert_string_equal(found, expected);
}

static void assert_no_line(struct office *office)
{
    assert_int_equal(office->read, office->connection.output.size);
}

#define FINGERPRINT_OF_ZEROS "b393 9788 42a0 fa3d 3e14 7019 6f09 8f47 3f96 78e7 2463 cb65 ec4a b558 1856 c2e4"
#define ALL_IS_WELL          "{\"result\":\"ok\"}"

/* ---- users ---- */

static void a_list_has_a_line_for_each_user(void **state)
{
    struct office *office = *state;
    register_user(office, "alice", true);
    register_user(office, "bob \"the\" builder", false);
    office->store.users[0].last_seen = FAKE_WALL_START + 61;
    ask(office, "1 users\n");
    assert_line(office, "{\"name\":\"alice\",\"registered\":\"2026-01-01T00:00:00Z\",\"last_seen\":"
                        "\"2026-01-01T00:01:01Z\",\"has_key\":true,\"files\":0,\"file_bytes\":0,"
                        "\"messages\":0,\"message_bytes\":0}");
    char line[KS_CONTROL_LINE_LIMIT];
    assert_non_null(strstr(next_line(office, line), "bob \\\"the\\\" builder"));
    assert_line(office, ALL_IS_WELL);
    assert_no_line(office);
}

static void an_answer_comes_whatever_pieces_the_request_came_in_and_whenever_the_store_answers(void **state)
{
    struct office *office = *state;
    office->store.later = true;
    register_user(office, "alice", true);
    fake_connection_send(&office->connection, "1 users\n1 groups\n", 17, 1);
    char line[KS_CONTROL_LINE_LIMIT];
    assert_non_null(strstr(next_line(office, line), "alice"));
    assert_line(office, ALL_IS_WELL);
    assert_line(office, ALL_IS_WELL);
    assert_no_line(office);
}

static void many_requests_at_once_are_answered_one_after_the_other(void **state)
{
    struct office *office = *state;
    char line[KS_CONTROL_LINE_LIMIT];
    office->store.later = true;
    register_user(office, "alice", true);
    ask(office, "1 user alice\n1 remove alice\n1 user alice\n1 users\n");
    assert_non_null(strstr(next_line(office, line), "alice"));
    assert_line(office, ALL_IS_WELL);
    assert_line(office, ALL_IS_WELL);
    assert_line(office, "{\"result\":\"not found\",\"message\":\"there is no user \\\"alice\\\"\"}");
    assert_line(office, ALL_IS_WELL);
    assert_no_line(office);
}

static void details_have_the_alias_and_the_fingerprint_and_never_the_id(void **state)
{
    struct office *office = *state;
    char line[KS_CONTROL_LINE_LIMIT];
    struct ks_control_user user;
    struct ks_client_id alias;
    char hex[2 * KS_CLIENT_ID_SIZE + 1];
    register_user(office, "alice", true);
    const struct ks_client_id *id = &office->store.users[0].user.id;
    ask(office, "1 user alice\n");
    assert_non_null(next_line(office, line));
    assert_int_equal(ks_control_user_parse(line, strlen(line), &user), KS_OK);
    ks_alias_of_id(office->alias_key, id->bytes, alias.bytes);
    ks_text_to_hex(alias.bytes, sizeof alias.bytes, hex);
    assert_string_equal(user.public_id, hex);
    /* head -c 160 /dev/zero | sha256sum */
    assert_string_equal(user.key_fingerprint, FINGERPRINT_OF_ZEROS);
    ks_text_to_hex(id->bytes, sizeof id->bytes, hex);
    assert_null(strstr(line, hex));
    assert_line(office, ALL_IS_WELL);
    office->environment.operations.plain_public_ids = true; /* then the id is what everybody sees */
    ask(office, "1 user alice\n");
    assert_non_null(strstr(next_line(office, line), hex));
}

static void changes_are_made_and_failures_told(void **state)
{
    struct office *office = *state;
    register_user(office, "alice", true);
    ask(office, "1 reset-key alice\n");
    assert_line(office, ALL_IS_WELL);
    assert_false(office->store.users[0].user.has_public_key);
    ask(office, "1 reset-key bob\n");
    assert_line(office, "{\"result\":\"not found\",\"message\":\"there is no user \\\"bob\\\"\"}");
    office->store.next_failure = KS_NO_SPACE;
    ask(office, "1 remove alice\n");
    assert_line(office, "{\"result\":\"failed\",\"message\":\"cannot remove the user: no space left\"}");
    assert_int_equal(office->store.user_count, 1);
    ask(office, "1 remove alice\n");
    assert_line(office, ALL_IS_WELL);
    assert_int_equal(office->store.user_count, 0);
    office->store.next_failure = KS_IO;
    ask(office, "1 users\n");
    char line[KS_CONTROL_LINE_LIMIT];
    assert_non_null(strstr(next_line(office, line), "\"failed\""));
    assert_no_line(office);
}

static void a_list_waits_for_a_reader_who_does_not_read(void **state)
{
    struct office *office = *state;
    char line[KS_CONTROL_LINE_LIMIT];
    enum { ASKED = 200, USERS = 64 };
    char name[KS_TEXT_FIELD_SIZE];
    memset(name, '"', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    for (int i = 0; i < USERS; i++) {
        name[0] = (char)('a' + i / 16);
        name[1] = (char)('a' + i % 16);
        register_user(office, name, true);
    }
    office->connection.window = 0;
    for (int i = 0; i < ASKED; i++)
        ask(office, "1 users\n");
    assert_in_range(office->connection.output.size, KS_OUTPUT_HIGH_WATER,
                    KS_OUTPUT_HIGH_WATER + 2 * KS_OPERATION_LINES_LIMIT);
    unsigned ends = 0;
    unsigned users = 0;
    while (ends < ASKED) {
        fake_connection_take(&office->connection, 1000);
        while (next_line(office, line) != NULL) {
            ends += strcmp(line, ALL_IS_WELL) == 0;
            users += strstr(line, "\"name\"") != NULL;
        }
    }
    assert_int_equal(users, ASKED * USERS);
    assert_no_line(office);
}

/* ---- invitations ---- */

static void an_invitation_is_told_once_and_its_hash_is_stored(void **state)
{
    struct office *office = *state;
    struct ks_control_invitation invitation;
    uint8_t hash[KS_SHA256_SIZE];
    char line[KS_CONTROL_LINE_LIMIT];
    ask(office, "1 invite 3 1800000000 alice\n");
    const char *found = next_line(office, line);
    assert_non_null(found);
    assert_int_equal(ks_control_invitation_parse(found, strlen(found), &invitation), KS_OK);
    assert_line(office, ALL_IS_WELL);
    assert_int_equal(ks_sha256(invitation.code, sizeof invitation.code, hash), KS_OK);
    assert_int_equal(office->store.invitation_count, 1);
    assert_memory_equal(office->store.invitations[0].hash, hash, sizeof hash);
    assert_int_equal(office->store.invitations[0].uses, 3);
    assert_int_equal(office->store.invitations[0].until, 1800000000);
    assert_string_equal(office->store.invitations[0].name, "alice");
    struct ks_control_invitation other;
    ask(office, "1 invite 1 0\n");
    found = next_line(office, line);
    assert_non_null(found);
    assert_int_equal(ks_control_invitation_parse(found, strlen(found), &other), KS_OK);
    assert_memory_not_equal(&invitation, &other, sizeof other);
    assert_string_equal(office->store.invitations[1].name, "");
    assert_line(office, ALL_IS_WELL);
}

static void invitations_that_make_no_sense_are_refused(void **state)
{
    struct office *office = *state;
    ask(office, "1 invite 100001 0\n");
    assert_line(office, "{\"result\":\"invalid\",\"message\":\"an invitation has 100000 uses at most\"}");
    ask(office, "1 invite 1 1700000000\n");
    assert_line(office, "{\"result\":\"invalid\",\"message\":\"this invitation would be over already\"}");
    ask(office, "1 invite 0 0\n");
    assert_line(office, "{\"result\":\"invalid\",\"message\":\"this is no request\"}");
    office->store.next_failure = KS_TOO_LARGE;
    ask(office, "1 invite 1 0\n");
    assert_line(office,
                "{\"result\":\"failed\",\"message\":\"there are as many open invitations as there may be\"}");
    assert_int_equal(office->store.invitation_count, 0);
}

/* ---- groups ---- */

static void the_groups_of_both_ports_are_told(void **state)
{
    static const struct ks_groups_limits limits = {
        .groups = 200, .members = 8, .member_queue = 1024 * 1024, .queues = 16 * 1024 * 1024};
    struct office *office = *state;
    struct fake_connection peers[2];
    struct ks_groups *secure = NULL;
    assert_int_equal(ks_groups_new(&limits, &office->loop.log, &secure), KS_OK);
    office->environment.operations.secure_groups = secure;
    struct ks_groups *halls[] = {office->groups, secure};
    struct ks_chat_service_environment chats[2];
    office->loop.time.wall_seconds = 1767225600;
    for (int i = 0; i < 2; i++) {
        chats[i] = (struct ks_chat_service_environment){.clock = &office->loop.time.clock,
                                                        .log = &office->loop.log,
                                                        .groups = halls[i],
                                                        .turnstile = office->turnstile,
                                                        .prompt_timeout_ms = 1000,
                                                        .wrong_passwords = 10};
        assert_true(fake_connection_open(&peers[i], &office->loop, &ks_chat_service_events, &chats[i]));
        fake_connection_send(&peers[i], "2\nann\nsecret\n", 13, 0);
    }
    ask(office, "1 groups\n");
    assert_line(
        office,
        "{\"group\":1,\"members\":1,\"since\":\"2026-01-01T00:00:00Z\",\"messages\":0,\"secure\":false}");
    assert_line(
        office,
        "{\"group\":1,\"members\":1,\"since\":\"2026-01-01T00:00:00Z\",\"messages\":0,\"secure\":true}");
    assert_line(office, ALL_IS_WELL);
    for (int i = 0; i < 2; i++)
        fake_connection_close(&peers[i]);
    fake_loop_run(&office->loop);
    ks_groups_free(secure);
}

static void groups_are_told_with_their_members_and_messages(void **state)
{
    struct office *office = *state;
    struct fake_connection peers[2];
    struct ks_chat_service_environment chat = {.clock = &office->loop.time.clock,
                                               .log = &office->loop.log,
                                               .groups = office->groups,
                                               .turnstile = office->turnstile,
                                               .prompt_timeout_ms = 1000,
                                               .wrong_passwords = 10};
    office->loop.time.wall_seconds = 1767225600;
    for (int i = 0; i < 2; i++)
        assert_true(fake_connection_open(&peers[i], &office->loop, &ks_chat_service_events, &chat));
    fake_connection_send(&peers[0], "2\nann\nsecret\n", 13, 0);
    fake_connection_send(&peers[1], "1\nben\n1\nsecret\n", 15, 0);
    fake_connection_send(&peers[0], "one\ntwo\n", 8, 0);
    fake_connection_send(&peers[1], "three\n", 6, 0);
    ask(office, "1 groups\n");
    assert_line(
        office,
        "{\"group\":1,\"members\":2,\"since\":\"2026-01-01T00:00:00Z\",\"messages\":3,\"secure\":false}");
    assert_line(office, ALL_IS_WELL);
    fake_connection_send(&peers[1], "Exit\n", 5, 0);
    ask(office, "1 groups\n"); /* a farewell is no message */
    assert_line(
        office,
        "{\"group\":1,\"members\":1,\"since\":\"2026-01-01T00:00:00Z\",\"messages\":3,\"secure\":false}");
    assert_line(office, ALL_IS_WELL);
    for (int i = 0; i < 2; i++)
        fake_connection_close(&peers[i]);
    fake_loop_run(&office->loop);
    ask(office, "1 groups\n");
    assert_line(office, ALL_IS_WELL);
}

static void more_groups_than_a_page_holds_are_all_told(void **state)
{
    struct office *office = *state;
    struct fake_connection peers[100];
    char line[KS_CONTROL_LINE_LIMIT];
    struct ks_chat_service_environment chat = {.clock = &office->loop.time.clock,
                                               .log = &office->loop.log,
                                               .groups = office->groups,
                                               .turnstile = office->turnstile,
                                               .prompt_timeout_ms = 1000,
                                               .wrong_passwords = 10};
    for (size_t i = 0; i < KS_COUNT_OF(peers); i++) {
        assert_true(fake_connection_open(&peers[i], &office->loop, &ks_chat_service_events, &chat));
        fake_connection_send(&peers[i], "2\nann\nsecret\n", 13, 0);
    }
    ask(office, "1 groups\n");
    for (unsigned i = 1; i <= KS_COUNT_OF(peers); i++) {
        struct ks_control_group group;
        assert_non_null(next_line(office, line));
        assert_int_equal(ks_control_group_parse(line, strlen(line), &group), KS_OK);
        assert_int_equal(group.number, i);
    }
    assert_line(office, ALL_IS_WELL);
    for (size_t i = 0; i < KS_COUNT_OF(peers); i++)
        fake_connection_close(&peers[i]);
    fake_loop_run(&office->loop);
}

static void without_a_server_there_are_no_groups(void **state)
{
    struct office *office = *state;
    struct ks_control_end end;
    char line[KS_CONTROL_LINE_LIMIT];
    office->environment.operations.groups = NULL;
    ask(office, "1 groups\n");
    assert_non_null(next_line(office, line));
    assert_int_equal(ks_control_end_parse(line, strlen(line), &end), KS_OK);
    assert_int_equal(end.result, KS_OK);
    assert_non_null(strstr(end.message, "no server"));
}

/* ---- strangers' bytes, and ends ---- */

static void what_is_no_request_is_told_and_the_next_one_served(void **state)
{
    struct office *office = *state;
    ask(office, "\n1 nonsense\n2 users\n1 users\n");
    assert_line(office, "{\"result\":\"invalid\",\"message\":\"this server speaks version 1\"}");
    assert_line(office, "{\"result\":\"invalid\",\"message\":\"this is no request\"}");
    assert_line(office, "{\"result\":\"invalid\",\"message\":\"this server speaks version 1\"}");
    assert_line(office, ALL_IS_WELL);
}

static void a_line_that_does_not_end_is_cut_off(void **state)
{
    struct office *office = *state;
    char line[KS_CONTROL_REQUEST_LIMIT];
    memset(line, '1', sizeof line);
    fake_connection_send(&office->connection, line, sizeof line - 1, 0);
    assert_no_line(office);
    fake_connection_send(&office->connection, line, 1, 0);
    assert_line(office, "{\"result\":\"invalid\",\"message\":\"this line is too long\"}");
    assert_true(office->connection.finished);
}

static void the_beginning_of_a_line_is_waited_for_in_vain_only_so_long(void **state)
{
    struct office *office = *state;
    assert_true(office->connection.idle);
    ask(office, "1 us");
    assert_false(office->connection.idle);
    fake_connection_wait(&office->connection, KS_CONTROL_LINE_MS - 1);
    assert_false(office->connection.aborted);
    fake_connection_wait(&office->connection, 1);
    assert_true(office->connection.aborted);
}

static void who_only_waits_may_wait(void **state)
{
    struct office *office = *state;
    ask(office, "1 users\n");
    assert_int_equal(office->connection.deadline_ms, 0);
    assert_true(office->connection.idle);
}

static void the_end_of_the_input_comes_after_the_answer(void **state)
{
    struct office *office = *state;
    office->store.later = true;
    fake_connection_send_only(&office->connection, "1 users\n", 8);
    fake_connection_end(&office->connection);
    fake_connection_run(&office->connection);
    assert_line(office, ALL_IS_WELL);
    assert_true(office->connection.finished);
}

static void a_connection_that_goes_before_its_answer_leaves_nothing_behind(void **state)
{
    struct office *office = *state;
    struct fake_connection other;
    register_user(office, "alice", true);
    office->store.later = true;
    assert_true(fake_connection_open(&other, &office->loop, &ks_control_events, &office->environment));
    fake_connection_send_only(&other, "1 remove alice\n", 15);
    fake_connection_close(&other);
    fake_loop_run(&office->loop);
    assert_int_equal(office->store.user_count, 0); /* it was asked for, so it is done */
}

static void one_more_than_the_limit_is_told_that_the_server_is_busy(void **state)
{
    struct office *office = *state;
    struct fake_connection others[KS_CONTROL_SESSIONS_LIMIT];
    for (size_t i = 0; i < KS_COUNT_OF(others); i++)
        assert_true(
            fake_connection_open(&others[i], &office->loop, &ks_control_events, &office->environment));
    const struct fake_connection *last = &others[KS_COUNT_OF(others) - 1];
    const char *expected =
        "{\"result\":\"busy\",\"message\":\"too many others speak to this server already\"}\n";
    assert_int_equal(last->output.size, strlen(expected));
    assert_memory_equal(last->output.bytes, expected, strlen(expected));
    assert_true(last->finished);
    assert_int_equal(others[0].output.size, 0);
    for (size_t i = 0; i < KS_COUNT_OF(others); i++)
        fake_connection_close(&others[i]);
    ask(office, "1 users\n");
    assert_line(office, ALL_IS_WELL);
}

#define OFFICE_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OFFICE_TEST(a_list_has_a_line_for_each_user),
        OFFICE_TEST(an_answer_comes_whatever_pieces_the_request_came_in_and_whenever_the_store_answers),
        OFFICE_TEST(many_requests_at_once_are_answered_one_after_the_other),
        OFFICE_TEST(details_have_the_alias_and_the_fingerprint_and_never_the_id),
        OFFICE_TEST(changes_are_made_and_failures_told),
        OFFICE_TEST(a_list_waits_for_a_reader_who_does_not_read),
        OFFICE_TEST(an_invitation_is_told_once_and_its_hash_is_stored),
        OFFICE_TEST(invitations_that_make_no_sense_are_refused),
        OFFICE_TEST(the_groups_of_both_ports_are_told),
        OFFICE_TEST(groups_are_told_with_their_members_and_messages),
        OFFICE_TEST(more_groups_than_a_page_holds_are_all_told),
        OFFICE_TEST(without_a_server_there_are_no_groups),
        OFFICE_TEST(what_is_no_request_is_told_and_the_next_one_served),
        OFFICE_TEST(a_line_that_does_not_end_is_cut_off),
        OFFICE_TEST(the_beginning_of_a_line_is_waited_for_in_vain_only_so_long),
        OFFICE_TEST(who_only_waits_may_wait),
        OFFICE_TEST(the_end_of_the_input_comes_after_the_answer),
        OFFICE_TEST(a_connection_that_goes_before_its_answer_leaves_nothing_behind),
        OFFICE_TEST(one_more_than_the_limit_is_told_that_the_server_is_busy),
    };
    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}
