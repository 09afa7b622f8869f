/* test_session_limits.c — the limits of the binary port, without sockets and disks: each gets the protocol's
 * error, and nobody else notices. */
#include "unit/service/session_fixture.h"

#include "base/limits/allowance.h"
#include "crypto/content.h"

enum { CONTENT_SIZE = 32 };

static const uint8_t key[KS_CONTENT_KEY_SIZE] = "0123456789abcdef";

static struct ks_client_id add_user(struct fixture *fixture, const char *name)
{
    struct fake_user *user = &fixture->store.users[fixture->store.user_count++];
    memset(user->user.id.bytes, 0x50, KS_CLIENT_ID_SIZE);
    user->user.id.bytes[0] = (uint8_t)fixture->store.user_count;
    strcpy(user->user.name, name);
    user->content_key = ks_content_key_new(key, fixture->loop.time.wall_seconds);
    assert_non_null(user->content_key);
    return user->user.id;
}

static void upload(struct fixture *fixture, const struct ks_client_id *id, const char *name)
{
    uint8_t content[CONTENT_SIZE];
    struct ks_buffer bytes = ks_buffer_empty(0);
    fill_content(key, content, sizeof content, true);
    add_upload(&bytes, id, name, content, sizeof content, 0);
    send_and_free(fixture, &bytes, 0);
}

static void confirm(struct fixture *fixture, const struct ks_client_id *id, const char *name)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_name_request(&bytes, id, KS_REQUEST_CRC_OK, name);
    send_and_free(fixture, &bytes, 0);
}

static void a_user_has_so_many_uploads_and_a_confirmation_makes_room(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id one = add_user(fixture, "one");
    struct ks_client_id two = add_user(fixture, "two");
    fixture->environment.settings.uploads_per_user = 2;
    upload(fixture, &one, "a");
    upload(fixture, &one, "b");
    upload(fixture, &one, "c");
    upload(fixture, &two, "a");
    ASSERT_ANSWERS(fixture, KS_RESPONSE_FILE_RECEIVED, KS_RESPONSE_FILE_RECEIVED, KS_RESPONSE_DROP_ERROR,
                   KS_RESPONSE_FILE_RECEIVED);
    confirm(fixture, &one, "a");
    upload(fixture, &one, "c");
    upload(fixture, &one, "d");
    ASSERT_ANSWERS(fixture, KS_RESPONSE_CONFIRMED, KS_RESPONSE_FILE_RECEIVED, KS_RESPONSE_DROP_ERROR);
}

static void an_upload_that_replaces_its_earlier_self_counts_once(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = add_user(fixture, "one");
    fixture->environment.settings.uploads_per_user = 2;
    for (unsigned i = 0; i < 5; i++) {
        upload(fixture, &id, "a");
        assert_int_equal(next_answer(fixture, NULL, NULL), KS_RESPONSE_FILE_RECEIVED);
    }
}

/* From the same address, so that users count. */
static void when_all_places_are_taken_whoever_has_most_makes_room(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id greedy = add_user(fixture, "greedy");
    struct ks_client_id modest = add_user(fixture, "modest");
    struct ks_client_id newcomer = add_user(fixture, "newcomer");
    fixture->environment.settings.uploads = 4;
    upload(fixture, &modest, "a");
    upload(fixture, &greedy, "a");
    upload(fixture, &greedy, "b");
    upload(fixture, &greedy, "c");
    upload(fixture, &newcomer, "a");
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(next_answer(fixture, NULL, NULL), KS_RESPONSE_FILE_RECEIVED);
    assert_int_equal(fixture->store.open_stages, 4);
    confirm(fixture, &greedy, "a");
    confirm(fixture, &greedy, "b");
    confirm(fixture, &modest, "a");
    confirm(fixture, &newcomer, "a");
    ASSERT_ANSWERS(fixture, KS_RESPONSE_DROP_ERROR, KS_RESPONSE_CONFIRMED, KS_RESPONSE_CONFIRMED,
                   KS_RESPONSE_CONFIRMED);
}

static void uploads_on_their_way_make_no_room(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id one = add_user(fixture, "one");
    struct ks_client_id two = add_user(fixture, "two");
    struct fake_connection other;
    struct ks_buffer bytes = ks_buffer_empty(0);
    static const uint8_t content[CONTENT_SIZE];
    fixture->environment.settings.uploads = 1;
    add_upload(&bytes, &one, "a", content, sizeof content, 0);
    assert_true(fake_connection_open(&other, &fixture->loop, &ks_frames_events, &fixture->port));
    fake_connection_send(&other, bytes.bytes, bytes.size - 1, 0);
    ks_buffer_free(&bytes);
    upload(fixture, &two, "a");
    ASSERT_ANSWERS(fixture, KS_RESPONSE_DROP_ERROR);
    fake_connection_close(&other);
}

static void who_never_confirmed_anything_waits_five_minutes_when_half_of_the_places_are_taken(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id stranger = add_user(fixture, "stranger");
    struct ks_client_id regular = add_user(fixture, "regular");
    fixture->environment.settings.uploads = 3;
    upload(fixture, &regular, "first");
    confirm(fixture, &regular, "first");
    ASSERT_ANSWERS(fixture, KS_RESPONSE_FILE_RECEIVED, KS_RESPONSE_CONFIRMED);
    upload(fixture, &stranger, "a");
    upload(fixture, &regular, "a");
    ASSERT_ANSWERS(fixture, KS_RESPONSE_FILE_RECEIVED, KS_RESPONSE_FILE_RECEIVED);
    fake_connection_wait(&fixture->connection, KS_STAGED_UNPROVEN_MS);
    upload(fixture, &regular, "b");
    assert_int_equal(fixture->store.open_stages, 3);
    fake_connection_wait(&fixture->connection, 1);
    upload(fixture, &regular, "b"); /* again: it needs no place more, but looks at the others */
    assert_int_equal(fixture->store.open_stages, 2);
    ASSERT_ANSWERS(fixture, KS_RESPONSE_FILE_RECEIVED, KS_RESPONSE_FILE_RECEIVED);
    confirm(fixture, &stranger, "a");
    confirm(fixture, &regular, "a");
    ASSERT_ANSWERS(fixture, KS_RESPONSE_DROP_ERROR, KS_RESPONSE_CONFIRMED);
}

static void a_clock_that_jumps_makes_no_upload_old(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = add_user(fixture, "one");
    upload(fixture, &id, "a");
    fixture->loop.time.wall_seconds += INT64_C(400) * 24 * 3600;
    fixture->store.users[0].content_key->last_used = fixture->loop.time.wall_seconds;
    upload(fixture, &id, "b");
    confirm(fixture, &id, "a");
    ASSERT_ANSWERS(fixture, KS_RESPONSE_FILE_RECEIVED, KS_RESPONSE_FILE_RECEIVED, KS_RESPONSE_CONFIRMED);
    upload(fixture, &id, "c");
    fake_connection_wait(&fixture->connection, UINT64_C(3600) * 1000 + 1);
    upload(fixture, &id, "d");
    confirm(fixture, &id, "c");
    ASSERT_ANSWERS(fixture, KS_RESPONSE_FILE_RECEIVED, KS_RESPONSE_FILE_RECEIVED, KS_RESPONSE_DROP_ERROR);
}

static void uploads_that_break_off_make_room(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = add_user(fixture, "one");
    fixture->environment.settings.uploads_per_user = 1;
    for (unsigned i = 0; i < 3; i++) {
        static const uint8_t content[CONTENT_SIZE];
        struct fake_connection other;
        struct ks_buffer bytes = ks_buffer_empty(0);
        add_upload(&bytes, &id, "a", content, sizeof content, 0);
        assert_true(fake_connection_open(&other, &fixture->loop, &ks_frames_events, &fixture->port));
        fake_connection_send(&other, bytes.bytes, bytes.size - 1, 0);
        ks_buffer_free(&bytes);
        fake_connection_close(&other);
    }
    upload(fixture, &id, "a");
    ASSERT_ANSWERS(fixture, KS_RESPONSE_FILE_RECEIVED);
}

/* `count` payloads of a byte each, `apart_ms` from each other, of an upload that wants more. */
static void trickle(struct fixture *fixture, const struct ks_client_id *id, unsigned count, uint64_t apart_ms)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    static const uint8_t content[1024 * 1024];
    add_upload(&bytes, id, "slow", content, sizeof content, 0);
    size_t head = bytes.size - sizeof content;
    fake_connection_send(&fixture->connection, bytes.bytes, head, 0);
    for (unsigned i = 0; i < count && !fixture->connection.aborted; i++) {
        fake_connection_wait(&fixture->connection, apart_ms);
        fake_connection_send(&fixture->connection, bytes.bytes + head + i, 1, 0);
    }
    ks_buffer_free(&bytes);
}

static void a_payload_that_trickles_is_cut_off(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = add_user(fixture, "one");
    fixture->environment.settings.payload_rate = 100;
    trickle(fixture, &id, 60, 1000);
    assert_true(fixture->connection.aborted);
}

static void without_a_rate_a_payload_may_trickle(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = add_user(fixture, "one");
    trickle(fixture, &id, 60, 1000);
    assert_false(fixture->connection.aborted);
}

static void a_slow_payload_above_the_rate_goes_on(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = add_user(fixture, "one");
    fixture->environment.settings.payload_rate = 100;
    trickle(fixture, &id, 10000, 8);
    assert_false(fixture->connection.aborted);
}

static void register_name(struct fixture *fixture, const char *name)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_name_request(&bytes, NULL, KS_REQUEST_REGISTER_DROP, name);
    send_and_free(fixture, &bytes, 0);
}

static void an_address_registers_so_many_users_in_an_hour(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ks_allowance_new(&(struct ks_hash_key){{0}}, &fixture->environment.registrations),
                     KS_OK);
    fixture->environment.settings.registrations_per_hour = 2;
    fixture->loop.time.monotonic_ms = 1000;
    register_name(fixture, "one");
    register_name(fixture, "two");
    register_name(fixture, "three");
    ASSERT_ANSWERS(fixture, KS_RESPONSE_REGISTERED, KS_RESPONSE_REGISTERED, KS_RESPONSE_REGISTRATION_FAILED);
    fixture->connection.address[0] = 0x20; /* somebody else */
    register_name(fixture, "three");
    ASSERT_ANSWERS(fixture, KS_RESPONSE_REGISTERED);
    ks_allowance_free(fixture->environment.registrations);
}

static void unlimited_networks_register_as_they_like(void **state)
{
    struct fixture *fixture = *state;
    struct ks_networks_current unlimited = {.newest = NULL};
    struct ks_networks *networks = NULL;
    assert_int_equal(ks_networks_parse("::/128", &networks), KS_OK);
    ks_networks_replace(&unlimited, networks);
    assert_int_equal(ks_allowance_new(&(struct ks_hash_key){{0}}, &fixture->environment.registrations),
                     KS_OK);
    fixture->environment.unlimited = &unlimited;
    fixture->environment.settings.registrations_per_hour = 1;
    register_name(fixture, "one");
    register_name(fixture, "two");
    ASSERT_ANSWERS(fixture, KS_RESPONSE_REGISTERED, KS_RESPONSE_REGISTERED);
    ks_allowance_free(fixture->environment.registrations);
    ks_networks_clear(&unlimited);
}

static void an_address_asks_for_so_many_keys_in_an_hour(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = add_user(fixture, "one");
    assert_int_equal(ks_allowance_new(&(struct ks_hash_key){{0}}, &fixture->environment.keys), KS_OK);
    fixture->environment.settings.keys_per_hour = 1;
    for (unsigned i = 0; i < 2; i++) {
        struct ks_buffer bytes = ks_buffer_empty(0);
        add_name_request(&bytes, &id, KS_REQUEST_RECONNECT, "one");
        send_and_free(fixture, &bytes, 0);
    }
    /* This user has no public key, which is told only to those who may ask. */
    ASSERT_ANSWERS(fixture, KS_RESPONSE_RECONNECT_DENIED, KS_RESPONSE_DROP_ERROR);
    ks_allowance_free(fixture->environment.keys);
}

#define LIMIT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIMIT_TEST(a_user_has_so_many_uploads_and_a_confirmation_makes_room),
        LIMIT_TEST(an_upload_that_replaces_its_earlier_self_counts_once),
        LIMIT_TEST(when_all_places_are_taken_whoever_has_most_makes_room),
        LIMIT_TEST(uploads_on_their_way_make_no_room),
        LIMIT_TEST(who_never_confirmed_anything_waits_five_minutes_when_half_of_the_places_are_taken),
        LIMIT_TEST(a_clock_that_jumps_makes_no_upload_old),
        LIMIT_TEST(uploads_that_break_off_make_room),
        LIMIT_TEST(a_payload_that_trickles_is_cut_off),
        LIMIT_TEST(without_a_rate_a_payload_may_trickle),
        LIMIT_TEST(a_slow_payload_above_the_rate_goes_on),
        LIMIT_TEST(an_address_registers_so_many_users_in_an_hour),
        LIMIT_TEST(unlimited_networks_register_as_they_like),
        LIMIT_TEST(an_address_asks_for_so_many_keys_in_an_hour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
