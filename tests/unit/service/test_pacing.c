/* test_pacing.c — lists of users within their budget and beyond it: the counts (pacing.h), and sessions whose
 * lists are slowed, with a clock by hand. */
#include "unit/service/session_fixture.h"

#include "unit/unit.h"
#include "wire/messages_codec.h"

enum { USERS = 1000, LISTED = USERS - 1, LIST_SIZE = LISTED * KS_LISTED_USER_SIZE, RATE = 65536 };

static const uint64_t hour_ms = UINT64_C(3600) * 1000;

/* ---- counts ---- */

/* Of a user, from a /64 of that number; 0: from a network that does not count. */
static struct ks_pacing_terms terms(uint8_t user, uint8_t network)
{
    const uint8_t address[KS_NETWORK_ADDRESS_SIZE] = {[0] = 0x20, [7] = network};
    struct ks_pacing_terms result = {.budget = 1000, .rate = 1000};
    result.id.bytes[0] = user;
    if (network != 0)
        result.networks = ks_networks_levels(address);
    return result;
}

static int set_up_pacing(void **state)
{
    struct ks_pacing *pacing = NULL;
    assert_int_equal(ks_pacing_new(&pacing), KS_OK);
    *state = pacing;
    return 0;
}

static int tear_down_pacing(void **state)
{
    ks_pacing_free(*state);
    return 0;
}

static void a_budget_lasts_for_an_hour_and_fills_again(void **state)
{
    const struct ks_pacing_terms one = terms(1, 0);
    const struct ks_pacing_terms other = terms(2, 0);
    for (unsigned i = 0; i < 4; i++)
        assert_true(ks_pacing_begin(*state, &one, 250, 1));
    assert_false(ks_pacing_begin(*state, &one, 250, 1));
    assert_true(ks_pacing_begin(*state, &other, 250, 1));
    assert_false(ks_pacing_begin(*state, &one, 250, 1));
    assert_true(ks_pacing_begin(*state, &one, 250, 2 + hour_ms / 4));
    assert_true(ks_pacing_begin(*state, &one, 250, 10 + 3 * hour_ms));
}

static void a_list_that_begins_in_the_budget_is_charged_whole(void **state)
{
    const struct ks_pacing_terms one = terms(1, 0);
    assert_true(ks_pacing_begin(*state, &one, 5000, 1));
    assert_false(ks_pacing_begin(*state, &one, 1, 1));
    assert_false(ks_pacing_begin(*state, &one, 1, 4 * hour_ms));
    assert_true(ks_pacing_begin(*state, &one, 1, 4 * hour_ms + 2));
}

static void the_users_of_a_network_share_eight_budgets(void **state)
{
    for (unsigned user = 1; user <= KS_PACING_NETWORK_SHARE; user++) {
        const struct ks_pacing_terms each = terms((uint8_t)user, 7);
        assert_true(ks_pacing_begin(*state, &each, 1000, 1));
    }
    const struct ks_pacing_terms ninth = terms(99, 7);
    const struct ks_pacing_terms elsewhere = terms(99, 8);
    assert_false(ks_pacing_begin(*state, &ninth, 1, 1));
    assert_true(ks_pacing_begin(*state, &elsewhere, 1, 1));
}

static void many_networks_of_one_larger_network_have_a_budget_together(void **state)
{
    unsigned granted = 0;
    for (uint8_t user = 1; user <= 100; user++) {
        const struct ks_pacing_terms each = terms(user, user); /* all in one /56 */
        granted += ks_pacing_begin(*state, &each, 1000, 1) ? 1 : 0;
    }
    assert_int_equal(granted, KS_PACING_NETWORK_SHARE * ks_network_shares[1]);
}

static void turns_of_a_user_follow_each_other_and_make_the_rate(void **state)
{
    const struct ks_pacing_terms one = terms(1, 0);
    const struct ks_pacing_terms other = terms(2, 0);
    assert_int_equal(ks_pacing_turn(*state, &one, 500, 1), 0);
    assert_int_equal(ks_pacing_turn(*state, &one, 500, 1), 500);
    assert_int_equal(ks_pacing_turn(*state, &one, 500, 1), 1000);
    assert_int_equal(ks_pacing_turn(*state, &other, 500, 1), 0);
    assert_int_equal(ks_pacing_turn(*state, &one, 500, 1201), 300);
    assert_int_equal(ks_pacing_turn(*state, &one, 500, 100000), 0); /* what was not used is gone */
    assert_int_equal(ks_pacing_turn(*state, &one, 500, 100000), 500);
}

static void a_turn_that_is_given_back_is_the_next_ones(void **state)
{
    const struct ks_pacing_terms one = terms(1, 0);
    assert_int_equal(ks_pacing_turn(*state, &one, 500, 1), 0);
    assert_int_equal(ks_pacing_turn(*state, &one, 500, 1), 500);
    ks_pacing_give_back(*state, &one, 500);
    assert_int_equal(ks_pacing_turn(*state, &one, 500, 1), 500);
}

static void no_limit_is_no_limit(void **state)
{
    struct ks_pacing_terms one = terms(1, 1);
    one.budget = 0;
    for (unsigned i = 0; i < 100; i++)
        assert_true(ks_pacing_begin(*state, &one, UINT32_MAX, 1));
}

/* ---- sessions ---- */

static int set_up_users(void **state)
{
    assert_int_equal(set_up(state), 0);
    struct fixture *fixture = *state;
    for (unsigned i = 0; i < USERS; i++) {
        struct fake_user *user = &fixture->store.users[fixture->store.user_count++];
        memcpy(user->user.id.bytes, &i, sizeof i);
        snprintf(user->user.name, sizeof user->user.name, "user %u", i);
    }
    fixture->environment.settings.plain_public_ids = true;
    fixture->environment.settings.list_budget = LIST_SIZE;
    fixture->environment.settings.list_rate = RATE;
    return 0;
}

static void ask_over(struct fake_connection *connection)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    const struct ks_client_id id = {{0}};
    add_request(&bytes, &id, KS_REQUEST_LIST_USERS, NULL, 0);
    fake_connection_send(connection, bytes.bytes, bytes.size, 0);
    ks_buffer_free(&bytes);
}

/* How much of a list has come over a connection, behind `lists` whole ones. */
static size_t of_list(const struct fake_connection *connection, size_t lists)
{
    return connection->output.size - lists * (LIST_SIZE + KS_RESPONSE_HEADER_SIZE);
}

static void the_first_list_comes_at_once_and_the_next_at_the_pace_of_the_rate(void **state)
{
    struct fixture *fixture = *state;
    ask_over(&fixture->connection);
    assert_int_equal(of_list(&fixture->connection, 1), 0);
    ask_over(&fixture->connection);
    size_t before = of_list(&fixture->connection, 1);
    assert_in_range(before, KS_RESPONSE_HEADER_SIZE + 1, 65536);   /* a page */
    assert_int_equal(atomic_load(&fixture->loop.answers.used), 0); /* none is held while it pauses */
    fake_connection_wait(&fixture->connection, 900);
    assert_int_equal(of_list(&fixture->connection, 1), before);
    for (unsigned i = 0; i < LIST_SIZE / RATE + 1; i++)
        fake_connection_wait(&fixture->connection, 1000);
    assert_int_equal(of_list(&fixture->connection, 2), 0);
    const uint8_t *payload = NULL;
    size_t size = 0;
    for (unsigned list = 0; list < 2; list++) {
        assert_int_equal(next_answer(fixture, &payload, &size), KS_RESPONSE_USERS);
        assert_int_equal(size, LIST_SIZE);
        assert_memory_equal(payload + size - KS_LISTED_USER_SIZE + KS_CLIENT_ID_SIZE, "user 999", 9);
    }
}

static void what_was_asked_behind_a_slow_list_is_answered_behind_it(void **state)
{
    struct fixture *fixture = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    ask_over(&fixture->connection);
    ask_over(&fixture->connection);
    add_request(&bytes, NULL, 4711, NULL, 0);
    send_and_free(fixture, &bytes, 0);
    for (unsigned i = 0; i < 10; i++)
        fake_connection_wait(&fixture->connection, 1000);
    ASSERT_ANSWERS(fixture, KS_RESPONSE_USERS, KS_RESPONSE_USERS, KS_RESPONSE_ERROR);
}

static void lists_of_one_user_on_many_connections_share_the_rate(void **state)
{
    enum { CONNECTIONS = 4 };
    struct fixture *fixture = *state;
    struct fake_connection others[CONNECTIONS];
    ask_over(&fixture->connection);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        assert_true(fake_connection_open(&others[i], &fixture->loop, &ks_frames_events, &fixture->port));
        ask_over(&others[i]);
    }
    assert_true(of_list(&others[0], 0) > KS_RESPONSE_HEADER_SIZE);
    for (unsigned i = 1; i < CONNECTIONS; i++)
        assert_int_equal(of_list(&others[i], 0), KS_RESPONSE_HEADER_SIZE);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        fake_connection_close(&others[i]);
    ask_over(&fixture->connection); /* their turns were given back */
    fake_connection_wait(&fixture->connection, 1000);
    assert_true(of_list(&fixture->connection, 1) > KS_RESPONSE_HEADER_SIZE);
}

/* It is we who wait, for longer than a peer may be slow. */
static void a_peer_is_not_closed_for_a_long_pause(void **state)
{
    struct fixture *fixture = *state;
    fixture->environment.settings.list_rate = 1000;
    ask_over(&fixture->connection);
    ask_over(&fixture->connection);
    size_t before = of_list(&fixture->connection, 1);
    for (unsigned i = 0; i < 60; i++)
        fake_connection_wait(&fixture->connection, 1000);
    assert_false(fixture->connection.aborted);
    fake_connection_wait(&fixture->connection, 10000);
    assert_true(of_list(&fixture->connection, 1) > before);
}

static void a_peer_that_takes_nothing_of_a_slow_list_is_closed(void **state)
{
    struct fixture *fixture = *state;
    ask_over(&fixture->connection);
    ask_over(&fixture->connection);
    fixture->connection.window = fixture->connection.output.size;
    for (unsigned i = 0; i < 70 && !fixture->connection.aborted; i++)
        fake_connection_wait(&fixture->connection, 1000);
    assert_true(fixture->connection.aborted);
}

#define COUNT_TEST(name)   cmocka_unit_test_setup_teardown(name, set_up_pacing, tear_down_pacing)
#define SESSION_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_users, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        COUNT_TEST(a_budget_lasts_for_an_hour_and_fills_again),
        COUNT_TEST(a_list_that_begins_in_the_budget_is_charged_whole),
        COUNT_TEST(the_users_of_a_network_share_eight_budgets),
        COUNT_TEST(many_networks_of_one_larger_network_have_a_budget_together),
        COUNT_TEST(turns_of_a_user_follow_each_other_and_make_the_rate),
        COUNT_TEST(a_turn_that_is_given_back_is_the_next_ones),
        COUNT_TEST(no_limit_is_no_limit),
        SESSION_TEST(the_first_list_comes_at_once_and_the_next_at_the_pace_of_the_rate),
        SESSION_TEST(what_was_asked_behind_a_slow_list_is_answered_behind_it),
        SESSION_TEST(lists_of_one_user_on_many_connections_share_the_rate),
        SESSION_TEST(a_peer_is_not_closed_for_a_long_pause),
        SESSION_TEST(a_peer_that_takes_nothing_of_a_slow_list_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
