/* test_session_blocks.c — peers that pad requests to blocks of 1024 bytes, and wait for answers that are
 * padded, too (protocol.md, "Blocks"); src/service/core/padding.c behind src/service/core/exchange.c. */
#include "unit/service/people_fixture.h"

#include "wire/blocks.h"

static const uint8_t padding[KS_BLOCK_SIZE];

/* Zeros up to the multiple of a block, counted from `begin` on. */
static void add_padding(struct ks_buffer *bytes, size_t begin)
{
    size_t rest = (KS_BLOCK_SIZE - (bytes->size - begin) % KS_BLOCK_SIZE) % KS_BLOCK_SIZE;
    assert_int_equal(ks_buffer_append(bytes, padding, rest), KS_OK);
}

static void add_padded(struct ks_buffer *bytes, const struct ks_client_id *id, uint16_t code,
                       const void *payload, size_t size)
{
    size_t begin = bytes->size;
    add_request(bytes, id, code, payload, size);
    add_padding(bytes, begin);
}

static void add_padded_message(struct people *people, struct ks_buffer *bytes, uint32_t size)
{
    uint8_t content[2 * KS_BLOCK_SIZE];
    size_t begin = bytes->size;
    memset(content, 'm', sizeof content);
    add_message(bytes, &people->alice, &people->bob, KS_MESSAGE_TEXT, content, size);
    add_padding(bytes, begin);
}

/* The next answer's code; fails the test unless it is padded to a block. -1 when there is none. */
static int next_padded(struct people *people)
{
    struct fixture *fixture = people->fixture;
    const struct ks_buffer *output = &fixture->connection.output;
    size_t begin = fixture->read;
    int code = next_answer(fixture, NULL, NULL);
    if (code < 0)
        return code;
    size_t rest = (KS_BLOCK_SIZE - (fixture->read - begin) % KS_BLOCK_SIZE) % KS_BLOCK_SIZE;
    assert_in_range(rest, 0, output->size - fixture->read);
    assert_memory_equal(output->bytes + fixture->read, padding, rest);
    fixture->read += rest;
    return code;
}

static void assert_padded(struct people *people, const int *codes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(next_padded(people), codes[i]);
    assert_int_equal(people->fixture->read, people->fixture->connection.output.size);
}

#define ASSERT_PADDED(people, ...)                                                                           \
    do {                                                                                                     \
        const int expected_padded[] = {__VA_ARGS__};                                                         \
        assert_padded((people), expected_padded, sizeof expected_padded / sizeof expected_padded[0]);        \
    } while (0)

static void send_block(struct people *people, const struct ks_buffer *bytes, size_t from, size_t to)
{
    fake_connection_send(&people->fixture->connection, bytes->bytes + from, to - from, 0);
}

/* ---- requests ---- */

/* One of each kind: short padding, none, a target behind its header, a header that begins with zeros. */
static void add_conversation(struct people *people, struct ks_buffer *bytes)
{
    uint8_t name[KS_TEXT_FIELD_SIZE];
    uint8_t key[KS_NAME_AND_KEY_PAYLOAD_SIZE] = "yael";
    add_padded_message(people, bytes, 5);
    add_padded_message(people, bytes, KS_BLOCK_SIZE - 5 - 44);
    size_t begin = bytes->size;
    add_request(bytes, &people->alice, KS_REQUEST_USER_KEY, NULL, 0);
    assert_int_equal(ks_buffer_append(bytes, &people->bob, sizeof people->bob), KS_OK);
    add_padding(bytes, begin);
    add_padded(bytes, &people->alice, KS_REQUEST_LIST_USERS, NULL, 0);
    add_padded(bytes, &people->bob, KS_REQUEST_WAITING_MESSAGES, NULL, 0);
    add_padded(bytes, NULL, 4711, key, 50);
    assert_int_equal(ks_text_field_encode("zoe", 3, name), KS_OK);
    add_padded(bytes, NULL, KS_REQUEST_REGISTER_DROP, name, sizeof name);
    add_padded_message(people, bytes, KS_BLOCK_SIZE - 44);
    add_padded_message(people, bytes, KS_BLOCK_SIZE + 1);
    add_padded(bytes, NULL, KS_REQUEST_REGISTER_MESSAGES, key, sizeof key - 1);
    add_padded(bytes, &people->bob, KS_REQUEST_WAITING_MESSAGES, NULL, 0);
}

static void assert_conversation(struct people *people)
{
    ASSERT_PADDED(people, KS_RESPONSE_MESSAGE_STORED, KS_RESPONSE_MESSAGE_STORED, KS_RESPONSE_USER_KEY,
                  KS_RESPONSE_USERS, KS_RESPONSE_WAITING_MESSAGES, KS_RESPONSE_ERROR, KS_RESPONSE_REGISTERED,
                  KS_RESPONSE_MESSAGE_STORED, KS_RESPONSE_MESSAGE_STORED, KS_RESPONSE_ERROR,
                  KS_RESPONSE_WAITING_MESSAGES);
    assert_false(people->fixture->connection.aborted);
    assert_false(people->fixture->connection.finished);
}

static void pipelined_requests_are_answered_in_blocks_however_they_are_split(void **state)
{
    (void)state;
    size_t size = 1;
    for (size_t split = 0; split < size; split++) {
        void *fresh = NULL;
        struct ks_buffer bytes = ks_buffer_empty(0);
        set_up_people(&fresh);
        struct people *people = fresh;
        add_conversation(people, &bytes);
        size = bytes.size;
        send_block(people, &bytes, 0, split);
        send_block(people, &bytes, split, size);
        assert_conversation(people);
        ks_buffer_free(&bytes);
        tear_down_people(&fresh);
    }
}

static void requests_in_blocks_may_arrive_in_steps_of_any_size(void **state)
{
    (void)state;
    static const size_t steps[] = {1, 2, 7, 22, 23, 24, 39, 1000, 1023, 1024, 1025, 2048};
    for (size_t i = 0; i < 2 * sizeof steps / sizeof steps[0]; i++) {
        void *fresh = NULL;
        struct ks_buffer bytes = ks_buffer_empty(0);
        set_up_people(&fresh);
        struct people *people = fresh;
        people->fixture->store.later = i % 2 != 0;
        add_conversation(people, &bytes);
        send_and_free(people->fixture, &bytes, steps[i / 2]);
        assert_conversation(people);
        tear_down_people(&fresh);
    }
}

static void headers_that_begin_with_zeros_are_no_padding_however_they_are_split(void **state)
{
    (void)state;
    size_t size = 1;
    for (size_t split = 0; split < size; split++) {
        void *fresh = NULL;
        struct ks_buffer bytes = ks_buffer_empty(0);
        set_up_people(&fresh);
        struct people *people = fresh;
        add_name_request(&bytes, NULL, KS_REQUEST_REGISTER_DROP, "zoe");
        add_message(&bytes, &people->alice, &people->bob, KS_MESSAGE_TEXT, padding, KS_BLOCK_SIZE - 10 - 44);
        add_name_request(&bytes, NULL, KS_REQUEST_REGISTER_DROP, "zoe");
        size = bytes.size;
        send_block(people, &bytes, 0, split);
        send_block(people, &bytes, split, size);
        ASSERT_ANSWERS(people->fixture, KS_RESPONSE_REGISTERED, KS_RESPONSE_MESSAGE_STORED,
                       KS_RESPONSE_REGISTRATION_FAILED);
        ks_buffer_free(&bytes);
        tear_down_people(&fresh);
    }
}

static void an_upload_is_padded_from_its_requests_start(void **state)
{
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    uint8_t content[70000] = {1};
    people->fixture->store.users[0].content_key = ks_content_key_new((const uint8_t *)"0123456789abcdef", 0);
    add_upload(&bytes, &people->alice, "x", content, 69984, 0);
    add_padding(&bytes, 0);
    size_t begin = bytes.size;
    add_upload(&bytes, &people->alice, "y", content, 4000, KS_SEND_FILE_FIXED_SIZE); /* the 259 variant */
    add_padding(&bytes, begin);
    begin = bytes.size;
    add_upload(&bytes, &people->alice, "..", content, 4000, 0); /* refused, and skipped */
    add_padding(&bytes, begin);
    send_and_free(people->fixture, &bytes, 500);
    ASSERT_PADDED(people, KS_RESPONSE_FILE_RECEIVED, KS_RESPONSE_FILE_RECEIVED, KS_RESPONSE_DROP_ERROR);
}

static void a_602_without_a_payload_has_its_target_behind_the_header(void **state)
{
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_request(&bytes, &people->alice, KS_REQUEST_USER_KEY, NULL, 0);
    assert_int_equal(ks_buffer_append(&bytes, &people->bob, sizeof people->bob), KS_OK);
    send_and_free(people->fixture, &bytes, 0);
    ASSERT_PADDED(people, KS_RESPONSE_USER_KEY);
}

/* ---- padding that comes late ---- */

static void an_answer_that_has_left_gets_its_padding_when_the_requests_has_come(void **state)
{
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_padded_message(people, &bytes, 5);
    send_block(people, &bytes, 0, 49);
    size_t answered = KS_RESPONSE_HEADER_SIZE + KS_MESSAGE_STORED_ANSWER_SIZE;
    assert_int_equal(people->fixture->connection.output.size, answered);
    send_block(people, &bytes, 49, 49 + 22);
    fake_connection_wait(&people->fixture->connection, 1000);
    assert_int_equal(people->fixture->connection.output.size, answered);
    send_block(people, &bytes, 49 + 22, 49 + 23);
    ASSERT_PADDED(people, KS_RESPONSE_MESSAGE_STORED);
    send_block(people, &bytes, 49 + 23, bytes.size);
    assert_int_equal(next_padded(people), -1);
    ks_buffer_free(&bytes);
}

static void padding_does_not_get_into_the_middle_of_a_long_answer(void **state)
{
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    char *text = calloc(1, 600001);
    assert_non_null(text);
    memset(text, 't', 600000);
    send_message(people, &people->bob, text);
    free(text);
    add_padded(&bytes, &people->bob, KS_REQUEST_WAITING_MESSAGES, NULL, 0);
    stall(people);
    send_block(people, &bytes, 0, KS_REQUEST_HEADER_SIZE);
    send_block(people, &bytes, KS_REQUEST_HEADER_SIZE, bytes.size);
    ks_buffer_free(&bytes);
    people->fixture->connection.window = SIZE_MAX;
    fake_connection_run(&people->fixture->connection);
    ASSERT_PADDED(people, KS_RESPONSE_WAITING_MESSAGES);
}

static void short_padding_counts_after_a_silence_of_200_ms(void **state)
{
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_padded_message(people, &bytes, KS_BLOCK_SIZE - 22 - 44);
    send_block(people, &bytes, 0, bytes.size - 1);
    fake_connection_wait(&people->fixture->connection, 1000); /* one is missing */
    size_t answered = people->fixture->connection.output.size;
    assert_in_range(answered, 1, 100);
    send_block(people, &bytes, bytes.size - 1, bytes.size);
    ks_buffer_free(&bytes);
    fake_connection_wait(&people->fixture->connection, 199);
    assert_int_equal(people->fixture->connection.output.size, answered);
    assert_true(people->fixture->connection.idle); /* a header that is still coming may make room */
    fake_connection_wait(&people->fixture->connection, 1);
    assert_true(people->fixture->connection.idle);
    ASSERT_PADDED(people, KS_RESPONSE_MESSAGE_STORED);
}

static void the_end_of_input_is_such_a_silence(void **state)
{
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_padded_message(people, &bytes, KS_BLOCK_SIZE - 22 - 44);
    send_and_free(people->fixture, &bytes, 0);
    fake_connection_end(&people->fixture->connection);
    ASSERT_PADDED(people, KS_RESPONSE_MESSAGE_STORED);
    assert_true(people->fixture->connection.finished);
}

static void short_padding_counts_at_once_when_padding_is_the_custom(void **state)
{
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_padded_message(people, &bytes, 5);
    for (uint32_t rest = 1; rest < 30; rest++)
        add_padded_message(people, &bytes, KS_BLOCK_SIZE - rest - 44);
    send_and_free(people->fixture, &bytes, 0);
    for (unsigned i = 0; i < 30; i++)
        assert_int_equal(next_padded(people), KS_RESPONSE_MESSAGE_STORED);
    assert_int_equal(next_padded(people), -1);
}

/* ---- what is no padding ---- */

static void a_byte_inside_the_padding_ends_the_connection_after_the_answers(void **state)
{
    (void)state;
    static const size_t places[] = {23, 24, 500, 1024 - 49 - 1};
    for (size_t i = 0; i < 2 * sizeof places / sizeof places[0]; i++) {
        void *fresh = NULL;
        struct ks_buffer bytes = ks_buffer_empty(0);
        set_up_people(&fresh);
        struct people *people = fresh;
        people->fixture->store.later = i % 2 != 0;
        add_padded_message(people, &bytes, 5);
        bytes.bytes[49 + places[i / 2]] = 1;
        add_padded_message(people, &bytes, 5);
        send_and_free(people->fixture, &bytes, 0);
        ASSERT_PADDED(people, KS_RESPONSE_MESSAGE_STORED); /* one */
        assert_true(people->fixture->connection.finished);
        tear_down_people(&fresh);
    }
}

static void zeros_without_a_request_before_them_are_an_unknown_code(void **state)
{
    struct people *people = *state;
    for (unsigned i = 0; i < 2; i++) {
        fake_connection_send(&people->fixture->connection, padding, KS_REQUEST_HEADER_SIZE - 1, 0);
        assert_int_equal(next_answer(people->fixture, NULL, NULL), -1);
        fake_connection_send(&people->fixture->connection, padding, 1, 0);
        assert_int_equal(i == 0 ? next_answer(people->fixture, NULL, NULL) : next_padded(people),
                         KS_RESPONSE_ERROR);
        if (i == 0) /* a request like any other: it may be padded */
            fake_connection_send(&people->fixture->connection, padding,
                                 KS_BLOCK_SIZE - KS_REQUEST_HEADER_SIZE, 100);
        people->fixture->read = people->fixture->connection.output.size;
    }
    assert_int_equal(people->fixture->connection.output.size, 2 * KS_BLOCK_SIZE);
}

/* ---- time ---- */

static void nobody_is_timed_out_inside_padding(void **state)
{
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_padded_message(people, &bytes, 5);
    send_block(people, &bytes, 0, bytes.size - 1);
    fake_connection_wait(&people->fixture->connection, UINT64_C(1000) * 3600 * 24);
    assert_false(people->fixture->connection.aborted);
    assert_true(people->fixture->connection.idle);
    ks_buffer_free(&bytes);
}

static void padding_cancels_no_deferred_answer_however_it_is_split(void **state)
{
    (void)state;
    for (size_t split = 278; split <= KS_BLOCK_SIZE; split++) {
        void *fresh = NULL;
        struct ks_buffer bytes = ks_buffer_empty(0);
        set_up_people(&fresh);
        struct people *people = fresh;
        people->fixture->store.later = split % 2 != 0;
        add_name_request(&bytes, &people->alice, KS_REQUEST_CRC_WRONG, "x");
        add_padding(&bytes, 0);
        send_block(people, &bytes, 0, split);
        send_block(people, &bytes, split, bytes.size);
        fake_connection_wait(&people->fixture->connection, 1999);
        assert_int_equal(people->fixture->connection.output.size, 0);
        fake_connection_wait(&people->fixture->connection, 1);
        ASSERT_PADDED(people, KS_RESPONSE_CONFIRMED);
        ks_buffer_free(&bytes);
        tear_down_people(&fresh);
    }
}

static void a_request_behind_the_padding_cancels_the_deferred_answer(void **state)
{
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_name_request(&bytes, &people->alice, KS_REQUEST_CRC_WRONG, "x");
    add_padding(&bytes, 0);
    add_padded_message(people, &bytes, 5);
    send_and_free(people->fixture, &bytes, 100);
    fake_connection_wait(&people->fixture->connection, 5000);
    ASSERT_PADDED(people, KS_RESPONSE_MESSAGE_STORED);
}

static void too_few_zeros_for_padding_cancel_the_deferred_answer(void **state)
{
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_name_request(&bytes, &people->alice, KS_REQUEST_CRC_WRONG, "x");
    assert_int_equal(ks_buffer_append(&bytes, padding, 22), KS_OK);
    send_and_free(people->fixture, &bytes, 0);
    fake_connection_wait(&people->fixture->connection, 2000);
    assert_int_equal(people->fixture->connection.output.size, 0);
    assert_false(people->fixture->connection.aborted);
    fake_connection_wait(&people->fixture->connection,
                         people->fixture->environment.settings.header_timeout_ms);
    assert_true(people->fixture->connection.aborted); /* half a header */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipelined_requests_are_answered_in_blocks_however_they_are_split),
        cmocka_unit_test(requests_in_blocks_may_arrive_in_steps_of_any_size),
        cmocka_unit_test(headers_that_begin_with_zeros_are_no_padding_however_they_are_split),
        PEOPLE_TEST(an_upload_is_padded_from_its_requests_start),
        PEOPLE_TEST(a_602_without_a_payload_has_its_target_behind_the_header),
        PEOPLE_TEST(an_answer_that_has_left_gets_its_padding_when_the_requests_has_come),
        PEOPLE_TEST(padding_does_not_get_into_the_middle_of_a_long_answer),
        PEOPLE_TEST(short_padding_counts_after_a_silence_of_200_ms),
        PEOPLE_TEST(the_end_of_input_is_such_a_silence),
        PEOPLE_TEST(short_padding_counts_at_once_when_padding_is_the_custom),
        cmocka_unit_test(a_byte_inside_the_padding_ends_the_connection_after_the_answers),
        PEOPLE_TEST(zeros_without_a_request_before_them_are_an_unknown_code),
        PEOPLE_TEST(nobody_is_timed_out_inside_padding),
        cmocka_unit_test(padding_cancels_no_deferred_answer_however_it_is_split),
        PEOPLE_TEST(a_request_behind_the_padding_cancels_the_deferred_answer),
        PEOPLE_TEST(too_few_zeros_for_padding_cancel_the_deferred_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
