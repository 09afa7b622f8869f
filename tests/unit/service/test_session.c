/* test_session.c — the binary port without sockets and disks: the real services behind a fake connection, a
 * fake store and a set clock (protocol.md §1, §1.2). */
#include "unit/service/session_fixture.h"

#include "crypto/checksum.h"
#include "crypto/content.h"

static const uint8_t test_key[KS_CONTENT_KEY_SIZE] = "0123456789abcdef";

/* A user with a content key, as after 1026. */
static struct ks_client_id make_user(struct fixture *fixture)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    const uint8_t *payload = NULL;
    size_t size = 0;
    struct ks_client_id id;
    add_name_request(&bytes, NULL, KS_REQUEST_REGISTER_DROP, "uri");
    send_and_free(fixture, &bytes, 0);
    assert_int_equal(next_answer(fixture, &payload, &size), KS_RESPONSE_REGISTERED);
    assert_int_equal(ks_client_id_answer_parse(payload, size, &id), KS_OK);
    fixture->store.users[0].content_key = ks_content_key_new(test_key, fixture->loop.time.wall_seconds);
    assert_non_null(fixture->store.users[0].content_key);
    return id;
}

/* `size` bytes of a file, encrypted as a client does. */
static struct ks_buffer make_content(size_t size, uint8_t *plain)
{
    struct ks_buffer content = ks_buffer_empty(0);
    struct ks_content_cipher *cipher = NULL;
    size_t content_size = 0;
    for (size_t i = 0; i < size; i++)
        plain[i] = (uint8_t)(i * 31 + size);
    assert_int_equal(ks_buffer_reserve(&content, size + 16), KS_OK);
    assert_int_equal(ks_content_encryptor_new(test_key, &cipher), KS_OK);
    assert_int_equal(ks_content_encrypt_last(cipher, plain, size, content.bytes, &content_size), KS_OK);
    content.size = content_size;
    ks_content_cipher_free(cipher);
    return content;
}

/* ---- frames ---- */

static void an_unknown_code_is_answered_and_its_payload_skipped(void **state)
{
    struct fixture *fixture = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    uint8_t payload[1000] = {0};
    add_request(&bytes, NULL, 4711, payload, sizeof payload);
    add_request(&bytes, NULL, 4712, NULL, 0);
    send_and_free(fixture, &bytes, 0);
    assert_int_equal(fixture->connection.output.bytes[0], KS_VERSION_MESSAGES);
    ASSERT_ANSWERS(fixture, KS_RESPONSE_ERROR, KS_RESPONSE_ERROR);
    assert_false(fixture->connection.finished);
}

static void an_unknown_code_with_a_long_payload_ends_the_connection_after_the_answer(void **state)
{
    struct fixture *fixture = *state;
    struct ks_request_header header = {.code = 4711, .payload_size = KS_SKIP_LIMIT + 1};
    uint8_t head[KS_REQUEST_HEADER_SIZE];
    ks_request_header_encode(&header, head);
    fake_connection_send(&fixture->connection, head, sizeof head, 0);
    ASSERT_ANSWERS(fixture, KS_RESPONSE_ERROR);
    assert_true(fixture->connection.finished);
}

static void a_payload_that_does_not_fit_gets_the_error_of_its_service(void **state)
{
    struct fixture *fixture = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    uint8_t payload[KS_NAME_AND_KEY_PAYLOAD_SIZE + 1] = "x";
    add_request(&bytes, NULL, KS_REQUEST_REGISTER_DROP, payload, KS_NAME_PAYLOAD_SIZE - 1);
    add_request(&bytes, NULL, KS_REQUEST_REGISTER_DROP, payload, KS_NAME_PAYLOAD_SIZE + 1);
    add_request(&bytes, NULL, KS_REQUEST_PUBLIC_KEY, payload, KS_NAME_AND_KEY_PAYLOAD_SIZE + 1);
    add_request(&bytes, NULL, KS_REQUEST_REGISTER_MESSAGES, payload, 0);
    add_request(&bytes, NULL, KS_REQUEST_SEND_FILE, payload, KS_SEND_FILE_FIXED_SIZE - 1);
    send_and_free(fixture, &bytes, 0);
    ASSERT_ANSWERS(fixture, KS_RESPONSE_REGISTRATION_FAILED, KS_RESPONSE_REGISTRATION_FAILED,
                   KS_RESPONSE_DROP_ERROR, KS_RESPONSE_ERROR, KS_RESPONSE_DROP_ERROR);
}

static void a_request_may_arrive_one_byte_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_name_request(&bytes, NULL, KS_REQUEST_REGISTER_DROP, "tamar");
    send_and_free(fixture, &bytes, 1);
    ASSERT_ANSWERS(fixture, KS_RESPONSE_REGISTERED);
    assert_string_equal(fixture->store.users[0].user.name, "tamar");
}

static void many_requests_in_one_segment_are_answered_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    for (unsigned i = 0; i < 60; i++) {
        char name[16];
        snprintf(name, sizeof name, "user %u", i / 2);
        add_name_request(&bytes, NULL, KS_REQUEST_REGISTER_DROP, name);
    }
    fixture->store.later = true;
    send_and_free(fixture, &bytes, 0);
    for (unsigned i = 0; i < 60; i++)
        assert_int_equal(next_answer(fixture, NULL, NULL),
                         i % 2 == 0 ? KS_RESPONSE_REGISTERED : KS_RESPONSE_REGISTRATION_FAILED);
    assert_int_equal(next_answer(fixture, NULL, NULL), -1);
}

static void half_a_header_is_cut_off_in_time_and_silence_never(void **state)
{
    struct fixture *fixture = *state;
    uint8_t part[5] = {0};
    fake_connection_wait(&fixture->connection, UINT64_C(1000) * 3600 * 24);
    assert_false(fixture->connection.aborted);
    fake_connection_send(&fixture->connection, part, sizeof part, 0);
    fake_connection_wait(&fixture->connection, fixture->environment.settings.header_timeout_ms - 1);
    fake_connection_send(&fixture->connection, part, 1, 0); /* a trickle does not help */
    assert_false(fixture->connection.aborted);
    fake_connection_wait(&fixture->connection, 1);
    assert_true(fixture->connection.aborted);
}

static void a_peer_that_ends_its_side_still_gets_its_answers(void **state)
{
    struct fixture *fixture = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    fixture->store.later = true;
    add_name_request(&bytes, NULL, KS_REQUEST_REGISTER_DROP, "noa");
    fake_connection_send_only(&fixture->connection, bytes.bytes, bytes.size);
    ks_buffer_free(&bytes);
    assert_int_equal(next_answer(fixture, NULL, NULL), -1);
    fake_connection_end(&fixture->connection);
    ASSERT_ANSWERS(fixture, KS_RESPONSE_REGISTERED);
    assert_true(fixture->connection.finished);
}

static void a_full_disk_is_a_general_error_and_not_a_taken_name(void **state)
{
    struct fixture *fixture = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    fixture->store.next_failure = KS_NO_SPACE;
    add_name_request(&bytes, NULL, KS_REQUEST_REGISTER_DROP, "noa");
    send_and_free(fixture, &bytes, 0);
    ASSERT_ANSWERS(fixture, KS_RESPONSE_DROP_ERROR);
}

/* ---- uploads ---- */

static void upload_and_compare(struct fixture *fixture, const struct ks_client_id *id, size_t file_size,
                               size_t step)
{
    uint8_t *plain = malloc(file_size + 1);
    assert_non_null(plain);
    struct ks_buffer content = make_content(file_size, plain);
    struct ks_buffer bytes = ks_buffer_empty(0);
    struct ks_file_answer answer;
    const uint8_t *payload = NULL;
    size_t size = 0;
    add_upload(&bytes, id, "dir/report.txt", content.bytes, (uint32_t)content.size, 0);
    send_and_free(fixture, &bytes, step);
    assert_int_equal(next_answer(fixture, &payload, &size), KS_RESPONSE_FILE_RECEIVED);
    assert_int_equal(ks_file_answer_parse(payload, size, &answer), KS_OK);
    assert_int_equal(answer.content_size, content.size);
    assert_string_equal((const char *)answer.name_field, "dir/report.txt");
    struct ks_cksum cksum = ks_cksum_start();
    ks_cksum_add(&cksum, plain, file_size);
    assert_int_equal(answer.cksum, ks_cksum_value(&cksum));
    add_name_request(&bytes, id, KS_REQUEST_CRC_OK, "report.txt"); /* the kept name is the same */
    send_and_free(fixture, &bytes, step);
    ASSERT_ANSWERS(fixture, KS_RESPONSE_CONFIRMED);
    struct fake_file *file = &fixture->store.files[fixture->store.file_count - 1];
    assert_int_equal(file->content.size, file_size);
    if (file_size > 0)
        assert_memory_equal(file->content.bytes, plain, file_size);
    ks_buffer_free(&content);
    free(plain);
}

static void a_file_arrives_whole_at_every_size_and_step(void **state)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 16383, 16384, 16385, 65536, 300000, 1000003};
    static const size_t steps[] = {0, 1000, 16384, 70000, 7};
    struct fixture *fixture = *state;
    struct ks_client_id id = make_user(fixture);
    for (size_t later = 0; later < 2; later++) {
        fixture->store.later = later != 0;
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
            for (size_t j = 0; j < sizeof steps / sizeof steps[0]; j++)
                if (steps[j] != 7 || sizes[i] < 20000)
                    upload_and_compare(fixture, &id, sizes[i], steps[j]);
    }
    assert_int_equal(fixture->store.open_stages, 0);
}

static void pipelined_uploads_and_confirmations_are_answered_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = make_user(fixture);
    struct ks_buffer bytes = ks_buffer_empty(0);
    uint8_t plain[100];
    struct ks_buffer content = make_content(sizeof plain, plain);
    for (unsigned i = 0; i < 30; i++) {
        char name[16];
        snprintf(name, sizeof name, "file %u", i);
        add_upload(&bytes, &id, name, content.bytes, (uint32_t)content.size, 0);
        add_name_request(&bytes, &id, KS_REQUEST_CRC_OK, name);
    }
    fixture->store.later = true;
    send_and_free(fixture, &bytes, 0);
    for (unsigned i = 0; i < 30; i++) {
        assert_int_equal(next_answer(fixture, NULL, NULL), KS_RESPONSE_FILE_RECEIVED);
        assert_int_equal(next_answer(fixture, NULL, NULL), KS_RESPONSE_CONFIRMED);
    }
    assert_int_equal(fixture->store.file_count, 30);
    assert_string_equal(fixture->store.files[29].name, "file 29");
    ks_buffer_free(&content);
}

static void a_refused_upload_is_skipped_and_the_next_request_served(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = make_user(fixture);
    struct ks_client_id stranger = {{0xEE}};
    struct ks_buffer bytes = ks_buffer_empty(0);
    uint8_t *content = calloc(1, 100000);
    assert_non_null(content);
    add_upload(&bytes, &stranger, "x", content, 49984, 0);
    add_upload(&bytes, &id, "..", content, 99984, KS_SEND_FILE_FIXED_SIZE); /* the 259 variant */
    add_upload(&bytes, &id, "x", content, 17, 0);
    add_upload(&bytes, &id, "x", content, 0, 0);
    add_upload(&bytes, &id, "x", content, 32, KS_SEND_FILE_FIXED_SIZE + 31);
    bytes.size -= 1; /* so much less than the content, as its payload size says */
    add_request(&bytes, NULL, 4711, NULL, 0);
    send_and_free(fixture, &bytes, 0);
    free(content);
    ASSERT_ANSWERS(fixture, KS_RESPONSE_DROP_ERROR, KS_RESPONSE_DROP_ERROR, KS_RESPONSE_DROP_ERROR,
                   KS_RESPONSE_DROP_ERROR, KS_RESPONSE_DROP_ERROR, KS_RESPONSE_ERROR);
    assert_int_equal(fixture->store.open_stages, 0);
}

static void an_upload_that_cannot_be_written_gets_2107_and_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = make_user(fixture);
    uint8_t *plain = malloc(1000000);
    assert_non_null(plain);
    struct ks_buffer content = make_content(1000000, plain);
    for (size_t later = 0; later < 2; later++) {
        struct ks_buffer bytes = ks_buffer_empty(0);
        fixture->store.later = later != 0;
        fixture->store.next_failure = KS_NO_SPACE;
        add_upload(&bytes, &id, "big", content.bytes, (uint32_t)content.size, 0);
        add_request(&bytes, NULL, 4711, NULL, 0);
        send_and_free(fixture, &bytes, 50000);
        ASSERT_ANSWERS(fixture, KS_RESPONSE_DROP_ERROR, KS_RESPONSE_ERROR);
        assert_int_equal(fixture->store.open_stages, 0);
    }
    ks_buffer_free(&content);
    free(plain);
}

static void a_connection_that_ends_in_mid_upload_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = make_user(fixture);
    struct ks_buffer bytes = ks_buffer_empty(0);
    uint8_t *content = calloc(1, 200000);
    assert_non_null(content);
    fixture->store.later = true;
    add_upload(&bytes, &id, "x", content, 200000, 0);
    fake_connection_send_only(&fixture->connection, bytes.bytes, bytes.size - 1);
    fake_connection_close(&fixture->connection);
    ks_buffer_free(&bytes);
    free(content);
    assert_int_equal(fixture->store.open_stages, 0);
}

static void an_upload_that_falls_silent_is_cut_off_and_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = make_user(fixture);
    struct ks_buffer bytes = ks_buffer_empty(0);
    uint8_t content[1600] = {0};
    add_upload(&bytes, &id, "x", content, sizeof content, 0);
    fake_connection_send(&fixture->connection, bytes.bytes, bytes.size - 1, 0);
    ks_buffer_free(&bytes);
    fake_connection_wait(&fixture->connection, fixture->environment.settings.payload_timeout_ms - 1);
    assert_false(fixture->connection.aborted);
    fake_connection_wait(&fixture->connection, 1);
    assert_true(fixture->connection.aborted);
    fake_connection_close(&fixture->connection);
    assert_int_equal(fixture->store.open_stages, 0);
}

static void a_key_serves_sixteen_contents_without_a_confirmation(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = make_user(fixture);
    uint8_t plain[10];
    struct ks_buffer content = make_content(sizeof plain, plain);
    struct ks_buffer bytes = ks_buffer_empty(0);
    for (unsigned i = 0; i < 17; i++)
        add_upload(&bytes, &id, "x", content.bytes, (uint32_t)content.size, 0);
    send_and_free(fixture, &bytes, 0);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(next_answer(fixture, NULL, NULL), KS_RESPONSE_FILE_RECEIVED);
    ASSERT_ANSWERS(fixture, KS_RESPONSE_DROP_ERROR);
    assert_null(fixture->store.users[0].content_key); /* forgotten, here and in the store */
    ks_buffer_free(&content);
}

static void bad_padding_has_no_answer_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = make_user(fixture);
    struct ks_buffer bytes = ks_buffer_empty(0);
    uint8_t content[32] = "no padding comes out of this....";
    add_upload(&bytes, &id, "x", content, sizeof content, 0);
    add_name_request(&bytes, &id, KS_REQUEST_CRC_OK, "x");
    send_and_free(fixture, &bytes, 0);
    ASSERT_ANSWERS(fixture, KS_RESPONSE_FILE_RECEIVED, KS_RESPONSE_CONFIRMED);
    assert_int_equal(fixture->store.files[0].content.size, sizeof content);
}

static void uploads_wait_for_the_buffer_budget_and_go_on(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = make_user(fixture);
    fixture->loop.contents.limit = 40000; /* less than one upload would like to have */
    fixture->store.later = true;
    upload_and_compare(fixture, &id, 1000003, 30000);
    upload_and_compare(fixture, &id, 1000003, 0);
}

/* ---- 1029, 1030, 1031 ---- */

static void stage_one(struct fixture *fixture, const struct ks_client_id *id)
{
    uint8_t plain[10];
    struct ks_buffer content = make_content(sizeof plain, plain);
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_upload(&bytes, id, "x", content.bytes, (uint32_t)content.size, 0);
    send_and_free(fixture, &bytes, 0);
    ks_buffer_free(&content);
    ASSERT_ANSWERS(fixture, KS_RESPONSE_FILE_RECEIVED);
}

static void send_name(struct fixture *fixture, const struct ks_client_id *id, uint16_t code)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_name_request(&bytes, id, code, "x");
    send_and_free(fixture, &bytes, 0);
}

static void a_1030_is_answered_after_two_seconds_of_silence(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = make_user(fixture);
    stage_one(fixture, &id);
    send_name(fixture, &id, KS_REQUEST_CRC_WRONG);
    fake_connection_wait(&fixture->connection, 1999);
    assert_int_equal(next_answer(fixture, NULL, NULL), -1);
    fake_connection_wait(&fixture->connection, 1);
    ASSERT_ANSWERS(fixture, KS_RESPONSE_CONFIRMED);
    send_name(fixture, &id, KS_REQUEST_CRC_OK); /* it was discarded */
    ASSERT_ANSWERS(fixture, KS_RESPONSE_DROP_ERROR);
}

static void any_byte_cancels_the_answer_to_a_1030(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = make_user(fixture);
    for (size_t later = 0; later < 2; later++) {
        struct ks_buffer bytes = ks_buffer_empty(0);
        fixture->store.later = later != 0;
        stage_one(fixture, &id);
        add_name_request(&bytes, &id, KS_REQUEST_CRC_WRONG, "x");
        add_name_request(&bytes, &id, KS_REQUEST_CRC_GIVE_UP, "x"); /* in the same segment */
        send_and_free(fixture, &bytes, 0);
        fake_connection_wait(&fixture->connection, 5000);
        ASSERT_ANSWERS(fixture, KS_RESPONSE_CONFIRMED); /* one, for the 1031 */
        send_name(fixture, &id, KS_REQUEST_CRC_WRONG);
        fake_connection_wait(&fixture->connection, 1000);
        stage_one(fixture, &id);
        fake_connection_wait(&fixture->connection, 5000);
        assert_int_equal(next_answer(fixture, NULL, NULL), -1);
    }
}

static void the_end_of_input_brings_the_answer_to_a_1030_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = make_user(fixture);
    send_name(fixture, &id, KS_REQUEST_CRC_WRONG);
    assert_int_equal(next_answer(fixture, NULL, NULL), -1);
    fake_connection_end(&fixture->connection);
    ASSERT_ANSWERS(fixture, KS_RESPONSE_CONFIRMED);
    assert_true(fixture->connection.finished);
}

static void strangers_are_refused_whatever_they_ask(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id stranger = {{0xEE}};
    send_name(fixture, &stranger, KS_REQUEST_CRC_OK);
    send_name(fixture, &stranger, KS_REQUEST_CRC_WRONG);
    send_name(fixture, &stranger, KS_REQUEST_CRC_GIVE_UP);
    send_name(fixture, &stranger, KS_REQUEST_RECONNECT);
    ASSERT_ANSWERS(fixture, KS_RESPONSE_DROP_ERROR, KS_RESPONSE_DROP_ERROR, KS_RESPONSE_DROP_ERROR,
                   KS_RESPONSE_RECONNECT_DENIED);
}

static void a_confirmation_means_the_upload_of_its_own_connection_first(void **state)
{
    struct fixture *fixture = *state;
    struct fake_connection other;
    struct ks_client_id id = make_user(fixture);
    uint8_t plain[40];
    struct ks_buffer content = make_content(sizeof plain, plain);
    struct ks_buffer bytes = ks_buffer_empty(0);
    stage_one(fixture, &id); /* 10 bytes, here */
    assert_true(fake_connection_open(&other, &fixture->loop, &ks_frames_events, &fixture->port));
    add_upload(&bytes, &id, "x", content.bytes, (uint32_t)content.size, 0);
    fake_connection_send(&other, bytes.bytes, bytes.size, 0); /* 40 bytes, there, and later */
    ks_buffer_free(&bytes);
    ks_buffer_free(&content);
    send_name(fixture, &id, KS_REQUEST_CRC_OK);
    send_name(fixture, &id, KS_REQUEST_CRC_OK); /* then the other's */
    send_name(fixture, &id, KS_REQUEST_CRC_OK); /* then nothing is left */
    ASSERT_ANSWERS(fixture, KS_RESPONSE_CONFIRMED, KS_RESPONSE_CONFIRMED, KS_RESPONSE_DROP_ERROR);
    assert_int_equal(fixture->store.files[0].content.size, 10);
    assert_int_equal(fixture->store.files[1].content.size, 40);
    fake_connection_close(&other);
}

static void a_peer_has_a_session_from_its_first_byte_on(void **state)
{
    struct fixture *fixture = *state;
    struct fake_connection other;
    const uint8_t byte = 0;
    assert_true(fake_connection_open(&other, &fixture->loop, &ks_frames_events, &fixture->port));
    assert_ptr_equal(other.connection.session, &fixture->port);
    fake_connection_send(&other, &byte, 1, 0);
    assert_ptr_not_equal(other.connection.session, &fixture->port);
    fake_connection_close(&other);
    assert_true(fake_connection_open(&other, &fixture->loop, &ks_frames_events, &fixture->port));
    fake_connection_end(&other);
    assert_true(other.finished);
    fake_connection_close(&other);
}

static void old_stages_are_forgotten(void **state)
{
    struct fixture *fixture = *state;
    struct ks_client_id id = make_user(fixture);
    struct fake_connection other;
    struct ks_buffer bytes = ks_buffer_empty(0);
    uint8_t content[16] = {0};
    stage_one(fixture, &id);
    fake_connection_wait(&fixture->connection, UINT64_C(3601) * 1000);
    assert_true(fake_connection_open(&other, &fixture->loop, &ks_frames_events, &fixture->port));
    add_upload(&bytes, &id, "y", content, sizeof content, 0);
    fake_connection_send(&other, bytes.bytes, bytes.size, 0);
    ks_buffer_free(&bytes);
    assert_int_equal(fixture->store.open_stages, 1);
    fake_connection_close(&other);
}

#define SESSION_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SESSION_TEST(an_unknown_code_is_answered_and_its_payload_skipped),
        SESSION_TEST(an_unknown_code_with_a_long_payload_ends_the_connection_after_the_answer),
        SESSION_TEST(a_payload_that_does_not_fit_gets_the_error_of_its_service),
        SESSION_TEST(a_request_may_arrive_one_byte_at_a_time),
        SESSION_TEST(many_requests_in_one_segment_are_answered_in_order),
        SESSION_TEST(half_a_header_is_cut_off_in_time_and_silence_never),
        SESSION_TEST(a_peer_that_ends_its_side_still_gets_its_answers),
        SESSION_TEST(a_full_disk_is_a_general_error_and_not_a_taken_name),
        SESSION_TEST(a_file_arrives_whole_at_every_size_and_step),
        SESSION_TEST(pipelined_uploads_and_confirmations_are_answered_in_order),
        SESSION_TEST(a_refused_upload_is_skipped_and_the_next_request_served),
        SESSION_TEST(an_upload_that_cannot_be_written_gets_2107_and_leaves_nothing),
        SESSION_TEST(a_connection_that_ends_in_mid_upload_leaves_nothing),
        SESSION_TEST(an_upload_that_falls_silent_is_cut_off_and_leaves_nothing),
        SESSION_TEST(a_key_serves_sixteen_contents_without_a_confirmation),
        SESSION_TEST(bad_padding_has_no_answer_of_its_own),
        SESSION_TEST(uploads_wait_for_the_buffer_budget_and_go_on),
        SESSION_TEST(a_1030_is_answered_after_two_seconds_of_silence),
        SESSION_TEST(any_byte_cancels_the_answer_to_a_1030),
        SESSION_TEST(the_end_of_input_brings_the_answer_to_a_1030_at_once),
        SESSION_TEST(strangers_are_refused_whatever_they_ask),
        SESSION_TEST(a_confirmation_means_the_upload_of_its_own_connection_first),
        SESSION_TEST(a_peer_has_a_session_from_its_first_byte_on),
        SESSION_TEST(old_stages_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
