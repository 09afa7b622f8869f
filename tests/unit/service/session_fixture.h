/* session_fixture.h — the binary port without sockets and disks, for unit tests: the real services behind a
 * fake connection, a fake store and a set clock; frames to send, answers to read.
 */
#ifndef KS_TESTS_UNIT_SERVICE_SESSION_FIXTURE_H
#define KS_TESTS_UNIT_SERVICE_SESSION_FIXTURE_H

#include "crypto/content.h"
#include "service/binary_port.h"
#include "service/core/frames.h"
#include "service/drop/staged.h"
#include "service/users/pacing.h"
#include "support/fake_connection.h"
#include "support/fake_store.h"
#include "support/service_settings.h"
#include "wire/drop_codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BUFFER_LIMIT = 64 * 1024 * 1024 };

struct fixture {
    struct fake_loop loop;
    struct fake_store store;
    struct ks_service_environment environment;
    struct ks_frames_port port;
    struct fake_connection connection;
    size_t read; /* of the connection's output */
};

static inline int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    fake_loop_init(&fixture->loop, BUFFER_LIMIT);
    fake_loop_keep_log(&fixture->loop);
    fake_store_init(&fixture->store);
    fixture->port =
        (struct ks_frames_port){.rules = &ks_binary_port_rules, .environment = &fixture->environment};
    fixture->environment.store = &fixture->store.store;
    fixture->environment.random = ks_random_system();
    fixture->environment.clock = &fixture->loop.time.clock;
    fixture->environment.log = &fixture->loop.log;
    fixture->environment.settings = usual_settings;
    assert_int_equal(ks_staged_new(&fixture->environment.staged), KS_OK);
    assert_int_equal(ks_pacing_new(&fixture->environment.pacing), KS_OK);
    assert_true(
        fake_connection_open(&fixture->connection, &fixture->loop, &ks_frames_events, &fixture->port));
    *state = fixture;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *fixture = *state;
    fake_connection_close(&fixture->connection);
    assert_int_equal(atomic_load(&fixture->loop.contents.used), 0); /* every buffer was given back */
    assert_int_equal(atomic_load(&fixture->loop.answers.used), 0);
    assert_null(fixture->loop.contents.shares); /* every claim is over */
    assert_null(fixture->loop.answers.shares);
    ks_staged_free(fixture->environment.staged);
    ks_pacing_free(fixture->environment.pacing);
    fake_store_destroy(&fixture->store);
    fake_loop_destroy(&fixture->loop);
    free(fixture);
    return 0;
}

/* Somebody else takes all of a budget. */
static inline void fill_budget(struct fixture *fixture, struct ks_budget *budget, struct ks_holder *other)
{
    ks_holder_init(other, budget, &fixture->loop.loop.executor, NULL);
    assert_true(ks_holder_take(other, BUFFER_LIMIT));
}

/* ---- frames for tests ---- */

static inline void add_request(struct ks_buffer *bytes, const struct ks_client_id *id, uint16_t code,
                               const void *payload, size_t size)
{
    struct ks_request_header header = {.version = 3, .code = code, .payload_size = (uint32_t)size};
    uint8_t head[KS_REQUEST_HEADER_SIZE];
    if (id != NULL)
        header.client_id = *id;
    ks_request_header_encode(&header, head);
    assert_int_equal(ks_buffer_append(bytes, head, sizeof head), KS_OK);
    assert_int_equal(ks_buffer_append(bytes, payload, size), KS_OK);
}

static inline void add_name_request(struct ks_buffer *bytes, const struct ks_client_id *id, uint16_t code,
                                    const char *name)
{
    uint8_t field[KS_TEXT_FIELD_SIZE];
    assert_int_equal(ks_text_field_encode(name, strlen(name), field), KS_OK);
    add_request(bytes, id, code, field, sizeof field);
}

/* A 1028 with `content` as it goes over the wire. `payload_size` 0 means the true one. */
static inline void add_upload(struct ks_buffer *bytes, const struct ks_client_id *id, const char *name,
                              const void *content, uint32_t content_size, uint32_t payload_size)
{
    struct ks_request_header header = {.client_id = *id, .version = 3, .code = KS_REQUEST_SEND_FILE};
    uint8_t head[KS_REQUEST_HEADER_SIZE];
    uint8_t fixed[KS_SEND_FILE_FIXED_SIZE];
    header.payload_size = payload_size != 0 ? payload_size : KS_SEND_FILE_FIXED_SIZE + content_size;
    ks_request_header_encode(&header, head);
    assert_int_equal(ks_send_file_payload_encode(content_size, name, strlen(name), fixed), KS_OK);
    assert_int_equal(ks_buffer_append(bytes, head, sizeof head), KS_OK);
    assert_int_equal(ks_buffer_append(bytes, fixed, sizeof fixed), KS_OK);
    assert_int_equal(ks_buffer_append(bytes, content, content_size), KS_OK);
}

/* A content of `size` bytes, a multiple of 16, that decrypts to a text with a right padding of one byte or
 * with a wrong one. */
static inline void fill_content(const uint8_t key[static KS_CONTENT_KEY_SIZE], uint8_t *content, size_t size,
                                bool right)
{
    struct ks_content_cipher *cipher = NULL;
    memset(content, right ? 1 : 0, size);
    assert_int_equal(ks_content_encryptor_new(key, &cipher), KS_OK);
    assert_int_equal(ks_content_cipher_blocks(cipher, content, content, size), KS_OK);
    ks_content_cipher_free(cipher);
}

static inline void send_and_free(struct fixture *fixture, struct ks_buffer *bytes, size_t step)
{
    fake_connection_send(&fixture->connection, bytes->bytes, bytes->size, step);
    ks_buffer_free(bytes);
}

/* The next answer's code; its payload at *payload. -1 when there is none. */
static inline int next_answer(struct fixture *fixture, const uint8_t **payload, size_t *size)
{
    struct ks_response_header header;
    const struct ks_buffer *output = &fixture->connection.output;
    if (ks_response_header_parse(output->bytes + fixture->read, output->size - fixture->read, &header) !=
        KS_OK)
        return -1;
    fixture->read += KS_RESPONSE_HEADER_SIZE;
    assert_in_range(header.payload_size, 0, output->size - fixture->read);
    if (payload != NULL)
        *payload = output->bytes + fixture->read;
    if (size != NULL)
        *size = header.payload_size;
    fixture->read += header.payload_size;
    return header.code;
}

static inline void assert_answers(struct fixture *fixture, const int *codes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(next_answer(fixture, NULL, NULL), codes[i]);
    assert_int_equal(next_answer(fixture, NULL, NULL), -1);
}

#define ASSERT_ANSWERS(fixture, ...)                                                                         \
    do {                                                                                                     \
        const int expected_codes[] = {__VA_ARGS__};                                                          \
        assert_answers((fixture), expected_codes, sizeof expected_codes / sizeof expected_codes[0]);         \
    } while (0)

#endif
