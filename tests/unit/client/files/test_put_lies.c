/* Unit tests of kesher_files_put with one file (client/files/put_one.h): servers that answer nonsense, or not
 * at all. */
#include "unit/client/files/put_one_fixture.h"

static void assert_nonsense(struct put_fixture *fixture, uint16_t request, uint16_t code, const void *payload,
                            size_t size)
{
    struct kesher_put_result result;
    uint8_t *bytes = put_content(LARGE, 1);
    put_fixture_clear(fixture);
    put_server_answer(&fixture->server, request, code, payload, size);
    assert_int_equal(put(fixture, "file", true, bytes, LARGE, &result, NULL), KESHER_PROTOCOL);
    assert_int_equal(fixture->account->server->lie_count, 0);
    free(bytes);
}

static void nonsense_about_what_is_there_is_told(void **state)
{
    struct put_fixture *fixture = *state;
    static const struct ks_put_open lies[] = {
        {.offset = LARGE + 1},
        {.offset = KS_FILE_LARGEST},
        {.flags = KS_PUT_IS_KEPT, .offset = 5},
        {.flags = KS_PUT_IS_KEPT, .offset = LARGE + 1},
        {.flags = 2},
        {.flags = 0x80},
    };
    uint8_t bytes[KS_PUT_OPEN_SIZE + 1] = {0};
    for (size_t i = 0; i < KS_COUNT_OF(lies); i++) {
        ks_put_open_encode(&lies[i], bytes);
        assert_nonsense(fixture, KS_REQUEST_PUT_FILE, KS_RESPONSE_PUT_OPEN, bytes, KS_PUT_OPEN_SIZE);
    }
    memset(bytes, 0, sizeof bytes);
    assert_nonsense(fixture, KS_REQUEST_PUT_FILE, KS_RESPONSE_PUT_OPEN, bytes, KS_PUT_OPEN_SIZE + 1);
    assert_nonsense(fixture, KS_REQUEST_PUT_FILE, KS_RESPONSE_PUT_OPEN, bytes, KS_PUT_OPEN_SIZE - 1);
    assert_nonsense(fixture, KS_REQUEST_PUT_FILE, KS_RESPONSE_PUT_OPEN, bytes, 0);
    assert_nonsense(fixture, KS_REQUEST_PUT_FILE, KS_RESPONSE_PUT_END, bytes, 1);
    assert_nonsense(fixture, KS_REQUEST_PUT_FILE, KS_RESPONSE_ERROR, NULL, 0);
}

/* What is put anew has nothing at the server. */
static void offset_of_a_put_that_begins_is_nonsense(void **state)
{
    struct put_fixture *fixture = *state;
    const struct ks_put_open wrong = {.offset = 5, .cksum = 4711};
    uint8_t bytes[KS_PUT_OPEN_SIZE];
    ks_put_open_encode(&wrong, bytes);
    put_server_answer(&fixture->server, KS_REQUEST_PUT_FILE, KS_RESPONSE_PUT_OPEN, bytes, sizeof bytes);
    assert_nonsense(fixture, KS_REQUEST_PUT_FILE, KS_RESPONSE_PUT_OPEN, bytes, sizeof bytes);
}

static void position_that_is_not_that_of_the_put_is_nonsense(void **state)
{
    struct put_fixture *fixture = *state;
    static const uint64_t positions[] = {
        0, KS_FILE_PIECE_LIMIT - 1, KS_FILE_PIECE_LIMIT + 1, LARGE, LARGE + 1, UINT64_MAX};
    uint8_t bytes[9] = {0};
    for (size_t i = 0; i < KS_COUNT_OF(positions); i++) {
        ks_store_u64(bytes, positions[i]);
        assert_nonsense(fixture, KS_REQUEST_PUT_PIECE, KS_RESPONSE_PUT_PIECE, bytes, 8);
    }
    ks_store_u64(bytes, KS_FILE_PIECE_LIMIT);
    assert_nonsense(fixture, KS_REQUEST_PUT_PIECE, KS_RESPONSE_PUT_PIECE, bytes, 9);
    assert_nonsense(fixture, KS_REQUEST_PUT_PIECE, KS_RESPONSE_PUT_PIECE, bytes, 7);
    assert_nonsense(fixture, KS_REQUEST_PUT_PIECE, KS_RESPONSE_PUT_END, bytes, 1);
}

static void end_that_makes_no_sense_is_told(void **state)
{
    struct put_fixture *fixture = *state;
    uint8_t bytes[2] = {4, 0};
    assert_nonsense(fixture, KS_REQUEST_PUT_END, KS_RESPONSE_PUT_END, bytes, 1);
    bytes[0] = 0;
    assert_nonsense(fixture, KS_REQUEST_PUT_END, KS_RESPONSE_PUT_END, bytes, 2);
    assert_nonsense(fixture, KS_REQUEST_PUT_END, KS_RESPONSE_PUT_END, bytes, 0);
    assert_nonsense(fixture, KS_REQUEST_PUT_END, KS_RESPONSE_PUT_PIECE, bytes, 1);
    assert_nonsense(fixture, KS_REQUEST_PUT_END, KS_RESPONSE_REFUSED, bytes, 1);
}

/* The piece is refused, and the end is taken: what the server has nobody knows any more. */
static void server_that_goes_on_behind_a_refusal_is_left(void **state)
{
    struct put_fixture *fixture = *state;
    struct kesher_put_result result;
    uint8_t *bytes = put_content(300000, 1);
    static const uint8_t flags = 0;
    put_server_refuse(&fixture->server, KS_REQUEST_PUT_PIECE, KS_REFUSAL_NO_SPACE);
    put_server_answer(&fixture->server, KS_REQUEST_PUT_END, KS_RESPONSE_PUT_END, &flags, 1);
    assert_int_equal(put(fixture, "file", false, bytes, 300000, &result, NULL), KESHER_REFUSED);
    assert_int_equal(put(fixture, "file", false, bytes, 300000, &result, NULL), KESHER_OK);
    assert_int_equal(fixture->account->server->connections, 3);
    free(bytes);
}

static void silence_is_not_repeated(void **state)
{
    struct put_fixture *fixture = *state;
    static const uint16_t requests[] = {KS_REQUEST_PUT_FILE, KS_REQUEST_PUT_PIECE, KS_REQUEST_PUT_END};
    fixture->account->options.progress_ms = QUIET_MS;
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++) {
        struct kesher_put_result result;
        uint8_t *bytes = put_content(300000, 1);
        const struct secure_lie lie = {.request = requests[i], .end = SECURE_STAYS_MUTE};
        put_fixture_reopen(fixture);
        put_server_clear(&fixture->server);
        secure_tell_lie(fixture->account->server, &lie);
        unsigned connections = fixture->account->server->connections;
        assert_int_equal(put(fixture, "file", false, bytes, 300000, &result, NULL), KESHER_TIMEOUT);
        assert_int_equal(fixture->account->server->connections, connections);
        free(bytes);
    }
}

/* It has restarted, say. That is no habit: what follows shares a connection. */
static void server_that_ended_a_connection_once_gets_one_for_all_that_follows(void **state)
{
    struct put_fixture *fixture = *state;
    struct kesher_put_result result;
    uint8_t *bytes = put_content(LARGE, 1);
    const struct secure_lie last = {.request = KS_REQUEST_PUT_END,
                                    .code = KS_RESPONSE_PUT_END,
                                    .told_size = 1,
                                    .size = 1,
                                    .end = SECURE_ENDS};
    secure_tell_lie(fixture->account->server, &last);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(put(fixture, "file", true, bytes, LARGE, &result, NULL), KESHER_OK);
    assert_int_equal(fixture->account->server->connections, 3);
    assert_int_equal(fixture->account->notices, 0);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PUT_TEST(nonsense_about_what_is_there_is_told),
        PUT_TEST(offset_of_a_put_that_begins_is_nonsense),
        PUT_TEST(position_that_is_not_that_of_the_put_is_nonsense),
        PUT_TEST(end_that_makes_no_sense_is_told),
        PUT_TEST(server_that_goes_on_behind_a_refusal_is_left),
        PUT_TEST(silence_is_not_repeated),
        PUT_TEST(server_that_ended_a_connection_once_gets_one_for_all_that_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
