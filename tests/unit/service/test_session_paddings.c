/* test_session_paddings.c — what the checksums of 2103 tell whoever guesses at paddings, and what becomes of
 * 1028s that are refused, without sockets and disks (protocol.md §1.1, §1.2). */
#include "unit/service/session_fixture.h"

#include "unit/unit.h"

#include <pthread.h>

enum { CONTENT_SIZE = 32, GUESSERS = 8, GUESSES = 50 };

static const uint8_t test_key[KS_CONTENT_KEY_SIZE] = "0123456789abcdef";

static struct ks_client_id add_user(struct fixture *fixture)
{
    struct fake_user *user = &fixture->store.users[fixture->store.user_count++];
    memset(user->user.id.bytes, 0x50, KS_CLIENT_ID_SIZE);
    strcpy(user->user.name, "alice");
    user->content_key = ks_content_key_new(test_key, fixture->loop.time.wall_seconds);
    assert_non_null(user->content_key);
    return user->user.id;
}

static void upload_over(struct fake_connection *connection, const struct ks_client_id *id, bool right)
{
    uint8_t content[CONTENT_SIZE];
    struct ks_buffer bytes = ks_buffer_empty(0);
    fill_content(test_key, content, sizeof content, right);
    add_upload(&bytes, id, "x", content, sizeof content, 0);
    fake_connection_send(connection, bytes.bytes, bytes.size, 0);
    ks_buffer_free(&bytes);
}

static int answer_to(struct fixture *fixture, const struct ks_client_id *id, bool right)
{
    upload_over(&fixture->connection, id, right);
    return next_answer(fixture, NULL, NULL);
}

static void confirm(struct fixture *fixture, const struct ks_client_id *id)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_name_request(&bytes, id, KS_REQUEST_CRC_OK, "x");
    send_and_free(fixture, &bytes, 0);
    ASSERT_ANSWERS(fixture, KS_RESPONSE_CONFIRMED);
}

/* ---- wrong paddings ---- */

static void three_wrong_paddings_are_answered_and_with_the_fourth_the_key_is_gone(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = add_user(fixture);
    for (unsigned i = 0; i < KS_CONTENT_KEY_WRONG_PADDINGS; i++)
        assert_int_equal(answer_to(fixture, &id, false), KS_RESPONSE_FILE_RECEIVED);
    assert_int_equal(answer_to(fixture, &id, true), KS_RESPONSE_FILE_RECEIVED);
    assert_int_equal(answer_to(fixture, &id, false), KS_RESPONSE_DROP_ERROR);
    assert_null(fixture->store.users[0].content_key);
    assert_int_equal(answer_to(fixture, &id, true), KS_RESPONSE_DROP_ERROR);
}

static void confirmations_do_not_reset_the_count_of_wrong_paddings(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = add_user(fixture);
    for (unsigned i = 0; i < KS_CONTENT_KEY_WRONG_PADDINGS; i++) {
        assert_int_equal(answer_to(fixture, &id, false), KS_RESPONSE_FILE_RECEIVED);
        confirm(fixture, &id);
        assert_int_equal(answer_to(fixture, &id, true), KS_RESPONSE_FILE_RECEIVED);
        confirm(fixture, &id);
    }
    assert_int_equal(answer_to(fixture, &id, false), KS_RESPONSE_DROP_ERROR);
    assert_int_equal(answer_to(fixture, &id, true), KS_RESPONSE_DROP_ERROR);
}

static void only_rightly_padded_confirmations_reset_the_sixteen_uses(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = add_user(fixture);
    for (unsigned i = 0; i < KS_CONTENT_KEY_USES - 1; i++)
        assert_int_equal(answer_to(fixture, &id, true), KS_RESPONSE_FILE_RECEIVED);
    confirm(fixture, &id);
    for (unsigned i = 0; i < KS_CONTENT_KEY_USES - 1; i++)
        assert_int_equal(answer_to(fixture, &id, true), KS_RESPONSE_FILE_RECEIVED);
    assert_int_equal(answer_to(fixture, &id, false), KS_RESPONSE_FILE_RECEIVED);
    confirm(fixture, &id);
    assert_int_equal(answer_to(fixture, &id, true), KS_RESPONSE_DROP_ERROR);
}

static void wrong_paddings_count_over_all_connections_with_the_key(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = add_user(fixture);
    for (unsigned i = 0; i < KS_CONTENT_KEY_WRONG_PADDINGS + 2; i++) {
        struct fake_connection other;
        struct ks_response_header header;
        assert_true(fake_connection_open(&other, &fixture->loop, &ks_frames_events, &fixture->port));
        upload_over(&other, &id, false);
        assert_int_equal(ks_response_header_parse(other.output.bytes, other.output.size, &header), KS_OK);
        assert_int_equal(header.code, i < KS_CONTENT_KEY_WRONG_PADDINGS ? KS_RESPONSE_FILE_RECEIVED
                                                                        : KS_RESPONSE_DROP_ERROR);
        fake_connection_close(&other);
    }
}

/* Else the answers to what was begun in time would tell right from wrong without an end. */
static void contents_on_their_way_under_a_key_that_goes_learn_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = add_user(fixture);
    struct fake_connection others[2];
    struct ks_buffer frames[2];
    for (unsigned i = 0; i < KS_COUNT_OF(others); i++) {
        uint8_t content[CONTENT_SIZE];
        frames[i] = ks_buffer_empty(0);
        fill_content(test_key, content, sizeof content, i == 0);
        add_upload(&frames[i], &id, "y", content, sizeof content, 0);
        assert_true(fake_connection_open(&others[i], &fixture->loop, &ks_frames_events, &fixture->port));
        fake_connection_send(&others[i], frames[i].bytes, frames[i].size - 1, 0);
    }
    for (unsigned i = 0; i < KS_CONTENT_KEY_WRONG_PADDINGS + 1; i++)
        (void)answer_to(fixture, &id, false);
    for (unsigned i = 0; i < KS_COUNT_OF(others); i++) {
        struct ks_response_header header;
        fake_connection_send(&others[i], frames[i].bytes + frames[i].size - 1, 1, 0);
        assert_int_equal(ks_response_header_parse(others[i].output.bytes, others[i].output.size, &header),
                         KS_OK);
        assert_int_equal(header.code, KS_RESPONSE_DROP_ERROR);
        fake_connection_close(&others[i]);
        ks_buffer_free(&frames[i]);
    }
}

static void the_key_is_off_the_disk_before_a_wrong_padding_is_answered(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = add_user(fixture);
    assert_int_equal(answer_to(fixture, &id, true), KS_RESPONSE_FILE_RECEIVED);
    assert_false(fixture->store.users[0].key_is_off_disk);
    assert_int_equal(answer_to(fixture, &id, false), KS_RESPONSE_FILE_RECEIVED);
    assert_true(fixture->store.users[0].key_is_off_disk);
    assert_non_null(fixture->store.users[0].content_key);
}

static void a_wrong_padding_whose_key_the_disk_keeps_is_refused_and_counts(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = add_user(fixture);
    for (unsigned i = 0; i < KS_CONTENT_KEY_WRONG_PADDINGS; i++) {
        fixture->store.fail_drops = true;
        assert_int_equal(answer_to(fixture, &id, false), KS_RESPONSE_DROP_ERROR);
        assert_int_equal(fixture->store.open_stages, 0);
    }
    fixture->store.fail_drops = false;
    assert_int_equal(answer_to(fixture, &id, false), KS_RESPONSE_DROP_ERROR);
    assert_int_equal(answer_to(fixture, &id, true), KS_RESPONSE_DROP_ERROR);
}

static void a_connection_that_goes_while_its_key_goes_from_the_disk_leaves_nothing_behind(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = add_user(fixture);
    struct fake_connection other;
    uint8_t content[CONTENT_SIZE];
    struct ks_buffer bytes = ks_buffer_empty(0);
    fill_content(test_key, content, sizeof content, false);
    add_upload(&bytes, &id, "x", content, sizeof content, 0);
    fixture->store.later = true;
    assert_true(fake_connection_open(&other, &fixture->loop, &ks_frames_events, &fixture->port));
    fake_connection_send_only(&other, bytes.bytes, bytes.size);
    fake_connection_close(&other);
    ks_buffer_free(&bytes);
    assert_int_equal(atomic_load(&fixture->store.users[0].content_key->references), 1);
}

struct guesser {
    struct ks_content_key *key;
    unsigned answered;
};

static void *guess(void *argument)
{
    struct guesser *guesser = argument;
    for (unsigned i = 0; i < GUESSES; i++) {
        guesser->answered += ks_content_key_count(guesser->key, false);
        ks_content_key_confirmed(guesser->key);
    }
    return NULL;
}

static void at_once_no_more_wrong_paddings_are_answered_than_one_by_one(void **state)
{
    (void)state;
    struct ks_content_key *key = ks_content_key_new(test_key, 0);
    struct guesser guessers[GUESSERS] = {{0}};
    pthread_t threads[GUESSERS];
    unsigned answered = 0;
    assert_non_null(key);
    for (unsigned i = 0; i < GUESSERS; i++) {
        guessers[i].key = key;
        assert_int_equal(pthread_create(&threads[i], NULL, guess, &guessers[i]), 0);
    }
    for (unsigned i = 0; i < GUESSERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        answered += guessers[i].answered;
    }
    assert_in_range(answered, 0, KS_CONTENT_KEY_WRONG_PADDINGS);
    assert_true(ks_content_key_is_used_up(key));
    ks_content_key_release(key);
}

/* ---- refused contents ---- */

/* The head of a 1028 that declares `size` bytes, answered before any of them comes. */
static void begin_upload(struct fixture *fixture, const struct ks_client_id *id, const char *name,
                         uint32_t size, bool in_payload)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_upload(&bytes, id, name, NULL, 0, in_payload ? KS_SEND_FILE_FIXED_SIZE + size : 0);
    memcpy(bytes.bytes + KS_REQUEST_HEADER_SIZE, &size, sizeof size);
    send_and_free(fixture, &bytes, 0);
    ASSERT_ANSWERS(fixture, KS_RESPONSE_DROP_ERROR);
}

static void send_content(struct fixture *fixture, size_t size)
{
    uint8_t *content = calloc(1, size);
    assert_non_null(content);
    fake_connection_send(&fixture->connection, content, size, 0);
    free(content);
}

static void assert_in_step(struct fixture *fixture)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_request(&bytes, NULL, 4711, NULL, 0);
    send_and_free(fixture, &bytes, 0);
    ASSERT_ANSWERS(fixture, KS_RESPONSE_ERROR);
}

static void a_strangers_content_ends_the_connection_after_64_kib(void **state)
{
    static const char *const names[] = {"x", ".."}; /* refused for the id, and for the name first */
    for (unsigned i = 0; i < 2 * KS_COUNT_OF(names); i++) {
        struct fixture *fixture = *state;
        const struct ks_client_id stranger = {{0xEE}};
        begin_upload(fixture, &stranger, names[i / 2], 256 * 1024, i % 2 == 0);
        send_content(fixture, KS_SKIP_LIMIT - 1);
        assert_false(fixture->connection.finished);
        send_content(fixture, 1);
        assert_true(fixture->connection.finished);
        fake_connection_close(&fixture->connection);
        fixture->read = 0;
        assert_true(
            fake_connection_open(&fixture->connection, &fixture->loop, &ks_frames_events, &fixture->port));
    }
}

static void a_strangers_content_of_64_kib_is_skipped(void **state)
{
    struct fixture *fixture = *state;
    const struct ks_client_id stranger = {{0xEE}};
    begin_upload(fixture, &stranger, "x", KS_SKIP_LIMIT, true);
    send_content(fixture, KS_SKIP_LIMIT);
    assert_in_step(fixture);
}

static void any_other_refused_content_is_skipped_whole(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = add_user(fixture);
    begin_upload(fixture, &id, "..", 1024 * 1024, true);
    send_content(fixture, 1024 * 1024);
    assert_in_step(fixture);
    fixture->environment.settings.uploads_per_user = 0;
    begin_upload(fixture, &id, "x", 1024 * 1024, false);
    send_content(fixture, 1024 * 1024);
    assert_in_step(fixture);
}

static void what_was_asked_before_a_strangers_content_is_answered(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = add_user(fixture);
    const struct ks_client_id stranger = {{0xEE}};
    static const uint8_t content[256 * 1024];
    struct ks_buffer bytes = ks_buffer_empty(0);
    uint8_t mine[CONTENT_SIZE];
    fill_content(test_key, mine, sizeof mine, true);
    add_upload(&bytes, &id, "x", mine, sizeof mine, 0);
    add_upload(&bytes, &stranger, "x", content, sizeof content, 0);
    fixture->store.later = true;
    fake_connection_send_only(&fixture->connection, bytes.bytes, bytes.size);
    ks_buffer_free(&bytes);
    fake_connection_run(&fixture->connection);
    ASSERT_ANSWERS(fixture, KS_RESPONSE_FILE_RECEIVED, KS_RESPONSE_DROP_ERROR);
    assert_true(fixture->connection.finished);
}

#define PADDING_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PADDING_TEST(three_wrong_paddings_are_answered_and_with_the_fourth_the_key_is_gone),
        PADDING_TEST(confirmations_do_not_reset_the_count_of_wrong_paddings),
        PADDING_TEST(only_rightly_padded_confirmations_reset_the_sixteen_uses),
        PADDING_TEST(wrong_paddings_count_over_all_connections_with_the_key),
        PADDING_TEST(contents_on_their_way_under_a_key_that_goes_learn_nothing),
        PADDING_TEST(the_key_is_off_the_disk_before_a_wrong_padding_is_answered),
        PADDING_TEST(a_wrong_padding_whose_key_the_disk_keeps_is_refused_and_counts),
        PADDING_TEST(a_connection_that_goes_while_its_key_goes_from_the_disk_leaves_nothing_behind),
        PADDING_TEST(at_once_no_more_wrong_paddings_are_answered_than_one_by_one),
        PADDING_TEST(a_strangers_content_ends_the_connection_after_64_kib),
        PADDING_TEST(a_strangers_content_of_64_kib_is_skipped),
        PADDING_TEST(any_other_refused_content_is_skipped_whole),
        PADDING_TEST(what_was_asked_before_a_strangers_content_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
