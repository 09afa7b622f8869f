/* Unit tests of the way of a file: client/outbound/content_source.h and client/drop/pipeline.h against plain
 * encryption, and whole uploads against a scripted server that lies. */
#include "unit/client/home_fixture.h"

#include "client/home/home_server.h"

#include "client/drop/pipeline.h"
#include "client/transport/client_session.h"
#include "crypto/base64.h"
#include "wire/drop_codec.h"

#include <kesher/kesher.h>

#include <netinet/in.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "vectors.h"

static const uint8_t content_key[KS_CONTENT_KEY_SIZE] = "0123456789abcde";

static uint8_t plain_byte(size_t index)
{
    return (uint8_t)(index * 31 + (index >> 8));
}

static int file_of(size_t size)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    uint8_t *bytes = malloc(size + 1);
    assert_true(fd >= 0);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = plain_byte(i);
    assert_int_equal(write(fd, bytes, size), size);
    free(bytes);
    return fd;
}

/* Decrypts `content` in place and compares it with the file of that size. */
static void assert_content(uint8_t *content, size_t content_size, size_t size)
{
    struct ks_content_cipher *cipher = NULL;
    if (content == NULL) {
        fail_msg("there is no content at all");
        return;
    }
    assert_int_equal(content_size, ks_content_size_of_file(size));
    assert_int_equal(ks_content_decryptor_new(content_key, &cipher), KS_OK);
    assert_int_equal(ks_content_cipher_blocks(cipher, content, content, content_size), KS_OK);
    ks_content_cipher_free(cipher);
    assert_int_equal(ks_content_padding_size(content, content_size), content_size - size);
    for (size_t i = 0; i < size; i++)
        if (content[i] != plain_byte(i))
            fail_msg("byte %zu of %zu differs", i, size);
}

static uint32_t cksum_of_file(size_t size)
{
    struct ks_cksum cksum = ks_cksum_start();
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = plain_byte(i);
        ks_cksum_add_portable(&cksum, &byte, 1);
    }
    return ks_cksum_value(&cksum);
}

/* ---- content_source and pipeline ---- */

static const size_t file_sizes[] = {
    0,
    1,
    15,
    16,
    17,
    32 * 1024 - 1,
    32 * 1024,
    32 * 1024 + 1,
    KS_PIPELINE_PIECE_SIZE - 16,
    KS_PIPELINE_PIECE_SIZE - 1,
    KS_PIPELINE_PIECE_SIZE,
    KS_PIPELINE_PIECE_SIZE + 1,
    KS_PIPELINE_PIECE_SIZE *KS_PIPELINE_PIECES - 1,
    KS_PIPELINE_PIECE_SIZE *KS_PIPELINE_PIECES + 5,
    KS_PIPELINE_PIECE_SIZE * 5,
};

static void content_in_pieces_of_any_size_is_the_same(void **state)
{
    (void)state;
    static const size_t capacities[] = {16, 48, 32 * 1024 - 16, 32 * 1024, 32 * 1024 + 16, 1024 * 1024};
    for (size_t f = 0; f < KS_COUNT_OF(file_sizes); f++) {
        for (size_t c = 0; c < KS_COUNT_OF(capacities); c++) {
            struct ks_content_source source;
            size_t content_size = ks_content_size_of_file(file_sizes[f]);
            uint8_t *content = malloc(content_size);
            int fd = file_of(file_sizes[f]);
            size_t total = 0;
            assert_non_null(content);
            assert_int_equal(ks_content_source_open(&source, fd, file_sizes[f], content_key), KS_OK);
            for (size_t size = 1; size > 0; total += size) {
                size_t left = content_size - total;
                size_t capacity = left < capacities[c] ? left : capacities[c];
                assert_int_equal(ks_content_source_read(&source, content + total, capacity, &size), KS_OK);
                assert_int_equal(size, capacity);
            }
            assert_int_equal(ks_cksum_value(&source.cksum), cksum_of_file(file_sizes[f]));
            assert_content(content, total, file_sizes[f]);
            ks_content_source_close(&source);
            close(fd);
            free(content);
        }
    }
}

static void pipeline_gives_the_content_in_order_file_after_file(void **state)
{
    (void)state;
    struct ks_pipeline *pipeline = NULL;
    assert_int_equal(ks_pipeline_new(&pipeline), KS_OK);
    for (size_t f = 0; f < KS_COUNT_OF(file_sizes); f++) {
        struct ks_content_source source;
        struct ks_buffer content = ks_buffer_empty(0);
        int fd = file_of(file_sizes[f]);
        const uint8_t *bytes = NULL;
        size_t size = 0;
        assert_int_equal(ks_content_source_open(&source, fd, file_sizes[f], content_key), KS_OK);
        ks_pipeline_start(pipeline, &source);
        while (ks_pipeline_next(pipeline, &bytes, &size) == KS_OK && size > 0) {
            assert_int_equal(ks_buffer_append(&content, bytes, size), KS_OK);
            ks_pipeline_release(pipeline);
        }
        ks_pipeline_stop(pipeline);
        assert_int_equal(ks_cksum_value(&source.cksum), cksum_of_file(file_sizes[f]));
        assert_content(content.bytes, content.size, file_sizes[f]);
        ks_content_source_close(&source);
        ks_buffer_free(&content);
        close(fd);
    }
    ks_pipeline_free(pipeline);
}

static void pipeline_stopped_anywhere_can_start_again(void **state)
{
    (void)state;
    struct ks_pipeline *pipeline = NULL;
    int fd = file_of(KS_PIPELINE_PIECE_SIZE * 5);
    assert_int_equal(ks_pipeline_new(&pipeline), KS_OK);
    for (int taken = 0; taken < 6; taken++) {
        struct ks_content_source source;
        const uint8_t *bytes = NULL;
        size_t size = 0;
        assert_int_equal(ks_content_source_open(&source, fd, KS_PIPELINE_PIECE_SIZE * 5, content_key), KS_OK);
        ks_pipeline_start(pipeline, &source);
        for (int i = 0; i < taken; i++) {
            assert_int_equal(ks_pipeline_next(pipeline, &bytes, &size), KS_OK);
            ks_pipeline_release(pipeline);
        }
        ks_pipeline_stop(pipeline);
        ks_content_source_close(&source);
    }
    ks_pipeline_free(pipeline);
    close(fd);
}

static void file_that_became_shorter_is_noticed(void **state)
{
    (void)state;
    static const size_t left[] = {0, 1, 16, 32 * 1024, 32 * 1024 + 1, KS_PIPELINE_PIECE_SIZE - 1};
    uint8_t *content = malloc(KS_PIPELINE_PIECE_SIZE + 16);
    assert_non_null(content);
    for (size_t i = 0; i < KS_COUNT_OF(left); i++) {
        struct ks_content_source source;
        int fd = file_of(left[i]);
        size_t size = 0;
        assert_int_equal(ks_content_source_open(&source, fd, KS_PIPELINE_PIECE_SIZE, content_key), KS_OK);
        assert_int_equal(ks_content_source_read(&source, content, KS_PIPELINE_PIECE_SIZE + 16, &size),
                         KS_MORE);
        ks_content_source_close(&source);
        close(fd);
    }
    free(content);
}

/* ---- a scripted server ---- */

enum { ANSWER_COUNT = 16, TRAIL_COUNT = 32 };

/* What the server says to each request in turn; after the last it ends the connection. */
struct script {
    int listener;
    struct {
        uint16_t code; /* 0: end the connection here */
        int32_t size;  /* told in the header; the payload sent is what really belongs there */
    } answers[ANSWER_COUNT];
    size_t answer_count;
    uint32_t cksum;              /* for 2103 */
    uint16_t trail[TRAIL_COUNT]; /* codes of the requests that came */
    size_t trail_size;
};

static bool read_fully(int fd, uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t got = read(fd, bytes, size);
        if (got <= 0)
            return false;
        bytes += got;
        size -= (size_t)got;
    }
    return true;
}

/* A key answer under the first key of the vectors. */
static void fill_key_answer(uint8_t *payload)
{
    uint8_t der[KS_PUBLIC_KEY_SIZE];
    struct ks_public_key *key = NULL;
    struct ks_buffer private_der = ks_buffer_empty(0);
    struct ks_private_key *private_key = NULL;
    const char *text = vector_keys[0].private_base64;
    assert_int_equal(ks_base64_decode(text, strlen(text), &private_der), KS_OK);
    assert_int_equal(ks_private_key_parse(private_der.bytes, private_der.size, &private_key), KS_OK);
    assert_int_equal(ks_private_key_public(private_key, der), KS_OK);
    assert_int_equal(ks_public_key_parse(der, &key), KS_OK);
    assert_int_equal(ks_public_key_encrypt(key, content_key, sizeof content_key, payload + KS_CLIENT_ID_SIZE),
                     KS_OK);
    ks_public_key_free(key);
    ks_private_key_free(private_key);
    ks_buffer_free(&private_der);
}

/* False when the connection is to be closed; an answer is used up only by a request. */
static bool serve_one(struct script *script, int fd, size_t *next)
{
    static uint8_t request[KS_REQUEST_HEADER_SIZE + 1024 * 1024];
    uint8_t answer[KS_RESPONSE_HEADER_SIZE + KS_FILE_ANSWER_SIZE] = {0};
    uint8_t *payload = answer + KS_RESPONSE_HEADER_SIZE;
    struct ks_request_header header;
    uint32_t true_size = 0;
    if (!read_fully(fd, request, KS_REQUEST_HEADER_SIZE))
        return false;
    assert_int_equal(ks_request_header_parse(request, KS_REQUEST_HEADER_SIZE, &header), KS_OK);
    assert_true(header.payload_size <= 1024 * 1024);
    if (!read_fully(fd, request, header.payload_size))
        return false;
    script->trail[script->trail_size++ % TRAIL_COUNT] = header.code;
    size_t index = (*next)++;
    uint16_t code = script->answers[index].code;
    if (code == 0)
        return false;
    if (code == KS_RESPONSE_KEY_ACCEPTED || code == KS_RESPONSE_RECONNECTED) {
        fill_key_answer(payload);
        true_size = KS_KEY_ANSWER_SIZE;
    } else if (code == KS_RESPONSE_FILE_RECEIVED) {
        struct ks_file_answer file = {.cksum = script->cksum};
        ks_file_answer_encode(&file, payload);
        true_size = KS_FILE_ANSWER_SIZE;
    } else if (code == KS_RESPONSE_REGISTERED || code == KS_RESPONSE_CONFIRMED) {
        true_size = KS_CLIENT_ID_ANSWER_SIZE;
    }
    const struct ks_response_header told = {
        .version = 3,
        .code = code,
        .payload_size = script->answers[index].size < 0 ? true_size : (uint32_t)script->answers[index].size};
    ks_response_header_encode(&told, answer);
    size_t size = KS_RESPONSE_HEADER_SIZE + (size_t)told.payload_size;
    return write(fd, answer, size < sizeof answer ? size : sizeof answer) > 0;
}

static void *serve(void *argument)
{
    struct script *script = argument;
    size_t index = 0;
    while (index < script->answer_count) {
        int fd = accept(script->listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        bool going_on = true;
        while (going_on && index < script->answer_count)
            going_on = serve_one(script, fd, &index);
        uint8_t rest;
        if (going_on) /* the client has all it needs; wait for its end */
            (void)!read(fd, &rest, 1);
        close(fd);
    }
    return NULL;
}

struct served {
    struct script script;
    pthread_t thread;
    char address[KESHER_ADDRESS_SIZE];
};

static void start_server(struct served *served)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    served->script.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(served->script.listener >= 0);
    assert_int_equal(bind(served->script.listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(served->script.listener, 4), 0);
    assert_int_equal(getsockname(served->script.listener, (struct sockaddr *)&address, &size), 0);
    assert_true(snprintf(served->address, sizeof served->address, "127.0.0.1:%u", ntohs(address.sin_port)) >
                0);
    while (served->script.answer_count < ANSWER_COUNT &&
           served->script.answers[served->script.answer_count].size != 0)
        served->script.answer_count++;
    assert_int_equal(pthread_create(&served->thread, NULL, serve, &served->script), 0);
}

static void stop_server(struct served *served)
{
    shutdown(served->script.listener, SHUT_RDWR);
    pthread_join(served->thread, NULL);
    close(served->script.listener);
}

static void assert_trail(const struct served *served, const uint16_t *expected, size_t count)
{
    assert_int_equal(served->script.trail_size, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(served->script.trail[i], expected[i]);
}

#define ASSERT_TRAIL(served, ...)                                                                            \
    assert_trail((served), (const uint16_t[]){__VA_ARGS__},                                                  \
                 sizeof((const uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t))

static void put_key(const struct fixture *fixture)
{
    const char *text = vector_keys[0].private_base64;
    const struct ks_buffer bytes = {.bytes = (uint8_t *)text, .size = strlen(text)};
    assert_int_equal(ks_home_files_write(fixture->home, "priv.key", &bytes, NULL), KESHER_OK);
}

/* As the course's batch client, but quick, so that a test of repeats takes no time. */
static const struct kesher_options quick = {.backoff_ms = 1, .reconnects = 2, .error_repeats = 3};

static enum kesher_status try_register(const struct fixture *fixture, struct served *served)
{
    struct kesher_identity *identity = NULL;
    put_key(fixture);
    start_server(served);
    enum kesher_status status =
        kesher_register(fixture->home, served->address, "Alice", &quick, &identity, NULL);
    assert_true((identity != NULL) == (status == KESHER_OK));
    kesher_identity_free(identity);
    stop_server(served);
    return status;
}

static enum kesher_status try_put(const struct fixture *fixture, struct served *served, size_t size)
{
    struct kesher_drop *drop = NULL;
    uint32_t cksum = 0;
    put_key(fixture);
    const char *info = "Alice\n00112233445566778899aabbccddeeff\n";
    const struct ks_buffer bytes = {.bytes = (uint8_t *)info, .size = strlen(info)};
    assert_int_equal(ks_home_files_write(fixture->home, "me.info", &bytes, NULL), KESHER_OK);
    start_server(served);
    int fd = file_of(size);
    const struct kesher_upload upload = {.fd = fd, .size = size, .name = "file"};
    assert_int_equal(ks_home_server_record(fixture->home, served->address, NULL), KESHER_OK);
    enum kesher_status status = kesher_drop_open(fixture->home, served->address, &quick, &drop, NULL);
    if (status == KESHER_OK)
        status = kesher_drop_put(drop, &upload, &cksum, NULL);
    if (status == KESHER_OK)
        assert_int_equal(cksum, cksum_of_file(size));
    kesher_drop_close(drop);
    stop_server(served);
    close(fd);
    return status;
}

static void registration_is_saved(void **state)
{
    const struct fixture *fixture = *state;
    struct served served = {.script.answers = {{2100, -1}, {2102, -1}}};
    assert_int_equal(try_register(fixture, &served), KESHER_OK);
    ASSERT_TRAIL(&served, 1025, 1026);
    assert_true(kesher_identity_exists(fixture->home));
}

static void ids_of_a_wrong_size_are_error_answers(void **state)
{
    const struct fixture *fixture = *state;
    struct served served = {.script.answers = {{2100, 15}, {2100, 17}, {2100, 1}, {2100, 279}}};
    assert_int_equal(try_register(fixture, &served), KESHER_REFUSED);
    ASSERT_TRAIL(&served, 1025, 1025, 1025, 1025);
    assert_false(kesher_identity_exists(fixture->home));
}

static void message_server_gets_600(void **state)
{
    const struct fixture *fixture = *state;
    struct served served = {.script.answers = {{9000, -1}, {2100, -1}}};
    assert_int_equal(try_register(fixture, &served), KESHER_OK);
    ASSERT_TRAIL(&served, 1025, 600);
}

static void message_server_that_closes_gets_600(void **state)
{
    const struct fixture *fixture = *state;
    struct served served = {.script.answers = {{0, -1}, {2100, -1}}};
    assert_int_equal(try_register(fixture, &served), KESHER_OK);
    ASSERT_TRAIL(&served, 1025, 600);
}

static void registration_that_lost_its_key_answer_sends_the_key_again(void **state)
{
    const struct fixture *fixture = *state;
    struct served served = {.script.answers = {{2100, -1}, {0, -1}, {2102, -1}}};
    assert_int_equal(try_register(fixture, &served), KESHER_OK);
    ASSERT_TRAIL(&served, 1025, 1026, 1026);
}

static void existing_identity_is_not_overwritten(void **state)
{
    const struct fixture *fixture = *state;
    struct kesher_identity *identity = NULL;
    const struct ks_buffer none = {.bytes = NULL};
    assert_int_equal(ks_home_files_write(fixture->home, "my.info", &none, NULL), KESHER_OK);
    assert_int_equal(kesher_register(fixture->home, "127.0.0.1:1", "Alice", &quick, &identity, NULL),
                     KESHER_EXISTS);
}

static void file_is_confirmed(void **state)
{
    const struct fixture *fixture = *state;
    static const size_t sizes[] = {0, 1000, 400000};
    for (size_t i = 0; i < KS_COUNT_OF(sizes); i++) {
        struct served served = {.script.answers = {{2105, -1}, {2103, -1}, {2104, -1}}};
        served.script.cksum = cksum_of_file(sizes[i]);
        assert_int_equal(try_put(fixture, &served, sizes[i]), KESHER_OK);
        ASSERT_TRAIL(&served, 1027, 1028, 1029);
    }
}

static void file_answers_of_a_wrong_size_are_error_answers(void **state)
{
    const struct fixture *fixture = *state;
    struct served served = {
        .script.answers = {
            {2105, -1}, {2103, 278}, {2105, -1}, {2103, 275}, {2105, -1}, {2103, 1}, {2105, -1}, {2103, 16}}};
    served.script.cksum = cksum_of_file(10);
    assert_int_equal(try_put(fixture, &served, 10), KESHER_REFUSED);
    ASSERT_TRAIL(&served, 1027, 1028, 1027, 1028, 1027, 1028, 1027, 1028);
}

static void answer_that_promises_gigabytes_is_a_protocol_error(void **state)
{
    const struct fixture *fixture = *state;
    struct served served = {.script.answers = {{2105, -1}, {2103, INT32_MAX}}};
    assert_int_equal(try_put(fixture, &served, 10), KESHER_PROTOCOL);
    ASSERT_TRAIL(&served, 1027, 1028);
}

static void keys_of_a_wrong_size_are_error_answers(void **state)
{
    const struct fixture *fixture = *state;
    struct served served = {.script.answers = {{2105, 143}, {2105, 16}, {2105, 145}, {2105, 279}}};
    assert_int_equal(try_put(fixture, &served, 10), KESHER_REFUSED);
    ASSERT_TRAIL(&served, 1027, 1027, 1027, 1027);
}

static void fourth_wrong_sum_gives_up(void **state)
{
    const struct fixture *fixture = *state;
    struct served served = {.script.answers = {{2105, -1},
                                               {2103, -1},
                                               {2104, -1},
                                               {2103, -1},
                                               {2104, -1},
                                               {2103, -1},
                                               {2104, -1},
                                               {2103, -1},
                                               {2104, -1}}};
    served.script.cksum = cksum_of_file(10) ^ 1;
    assert_int_equal(try_put(fixture, &served, 10), KESHER_MISMATCH);
    ASSERT_TRAIL(&served, 1027, 1028, 1030, 1028, 1030, 1028, 1030, 1028, 1031);
}

static void lost_connection_sends_the_file_again(void **state)
{
    const struct fixture *fixture = *state;
    struct served served = {
        .script.answers = {{2105, -1}, {0, -1}, {2103, -1}, {0, -1}, {2105, -1}, {2103, -1}, {2104, -1}}};
    served.script.cksum = cksum_of_file(10);
    assert_int_equal(try_put(fixture, &served, 10), KESHER_OK);
    ASSERT_TRAIL(&served, 1027, 1028, 1028, 1029, 1027, 1028, 1029);
}

static void files_that_cannot_be_sent_leave_the_server_alone(void **state)
{
    const struct fixture *fixture = *state;
    struct served served = {.script.answers = {{2105, -1}}};
    struct kesher_drop *drop = NULL;
    char name[KS_TEXT_FIELD_SIZE + 1];
    const char *info = "Alice\n00112233445566778899aabbccddeeff\n";
    const struct ks_buffer bytes = {.bytes = (uint8_t *)info, .size = strlen(info)};
    put_key(fixture);
    assert_int_equal(ks_home_files_write(fixture->home, "me.info", &bytes, NULL), KESHER_OK);
    memset(name, 'n', sizeof name);
    name[KS_TEXT_FIELD_SIZE] = '\0';
    start_server(&served);
    assert_int_equal(kesher_drop_open(fixture->home, served.address, &quick, &drop, NULL), KESHER_OK);
    int fd = file_of(10);
    const struct kesher_upload uploads[] = {
        {.fd = fd, .size = 10, .name = ""},
        {.fd = fd, .size = 10, .name = name},
        {.fd = fd, .size = KESHER_FILE_SIZE_LIMIT + 1, .name = "large"},
        {.fd = fd, .size = 11, .name = "shorter"},
        {.fd = -1, .size = 10, .name = "unreadable"},
    };
    static const enum kesher_status expected[] = {KESHER_INVALID, KESHER_INVALID, KESHER_FILE, KESHER_FILE,
                                                  KESHER_FILE};
    for (size_t i = 0; i < KS_COUNT_OF(uploads); i++)
        assert_int_equal(kesher_drop_put(drop, &uploads[i], NULL, NULL), expected[i]);
    kesher_drop_close(drop);
    stop_server(&served);
    close(fd);
    ASSERT_TRAIL(&served, 1027);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_in_pieces_of_any_size_is_the_same),
        cmocka_unit_test(pipeline_gives_the_content_in_order_file_after_file),
        cmocka_unit_test(pipeline_stopped_anywhere_can_start_again),
        cmocka_unit_test(file_that_became_shorter_is_noticed),
        HOME_TEST(registration_is_saved),
        HOME_TEST(ids_of_a_wrong_size_are_error_answers),
        HOME_TEST(message_server_gets_600),
        HOME_TEST(message_server_that_closes_gets_600),
        HOME_TEST(registration_that_lost_its_key_answer_sends_the_key_again),
        HOME_TEST(existing_identity_is_not_overwritten),
        HOME_TEST(file_is_confirmed),
        HOME_TEST(file_answers_of_a_wrong_size_are_error_answers),
        HOME_TEST(answer_that_promises_gigabytes_is_a_protocol_error),
        HOME_TEST(keys_of_a_wrong_size_are_error_answers),
        HOME_TEST(fourth_wrong_sum_gives_up),
        HOME_TEST(lost_connection_sends_the_file_again),
        HOME_TEST(files_that_cannot_be_sent_leave_the_server_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
