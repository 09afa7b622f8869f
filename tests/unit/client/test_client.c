/* Unit tests of client/transport/channel.h and of how client/transport/request.h sends and takes, over socket
 * pairs: frames sent in one piece, received in any, cut anywhere, and answers that lie about their sizes. */
#include "unit/unit.h"

#include "client/transport/request.h"
#include "wire/blocks.h"
#include "wire/drop_codec.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PATIENT_MS = 60 * 1000, /* a limit that no test reaches */
    SHORT_MS = 20,          /* one that is meant to be reached */
};

struct pair {
    struct ks_channel *channel;
    int peer;
};

static struct pair pair_of(int type, uint32_t progress_ms)
{
    int fds[2];
    struct pair pair = {.channel = NULL};
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(ks_channel_adopt(fds[0], "test", progress_ms, &pair.channel, NULL), KESHER_OK);
    pair.peer = fds[1];
    return pair;
}

/* Over the channel of a session whose server has answered before. */
static enum kesher_status take_answer(struct ks_channel *channel, struct ks_answer *answer,
                                      struct kesher_error *error)
{
    struct ks_client_session session = {
        .channel = channel, .options = ks_client_session_limits(NULL), .is_alive = true, .shown = "test"};
    return ks_request_take_answer(&session, answer, error);
}

static enum kesher_status send_request(struct ks_channel *channel, struct kesher_identity *identity,
                                       const uint8_t *payload, uint32_t size)
{
    struct ks_client_session session = {.channel = channel, .identity = identity};
    return ks_request_send(&session, KS_REQUEST_REGISTER_DROP, payload, size, NULL);
}

static void pair_close(struct pair *pair)
{
    ks_channel_close(pair->channel);
    if (pair->peer >= 0)
        close(pair->peer);
}

static void peer_writes(const struct pair *pair, const void *bytes, size_t size)
{
    assert_int_equal(write(pair->peer, bytes, size), size);
}

static void peer_ends(struct pair *pair)
{
    close(pair->peer);
    pair->peer = -1;
}

/* A response frame; returns its size. */
static size_t frame(uint8_t *bytes, uint16_t code, uint32_t told_size, const void *payload, size_t size)
{
    const struct ks_response_header header = {.version = 3, .code = code, .payload_size = told_size};
    ks_response_header_encode(&header, bytes);
    if (size > 0)
        memcpy(bytes + KS_RESPONSE_HEADER_SIZE, payload, size);
    return KS_RESPONSE_HEADER_SIZE + size;
}

static const uint8_t sample[KS_KEY_ANSWER_SIZE] = "the payload of a key answer";

static size_t key_frame(uint8_t *bytes)
{
    return frame(bytes, KS_RESPONSE_KEY_ACCEPTED, sizeof sample, sample, sizeof sample);
}

static void assert_key_answer(const struct ks_answer *answer)
{
    assert_int_equal(answer->code, KS_RESPONSE_KEY_ACCEPTED);
    assert_int_equal(answer->payload_size, sizeof sample);
    assert_memory_equal(answer->payload, sample, sizeof sample);
}

/* ---- sending ---- */

/* In a SOCK_SEQPACKET pair every send(2) is a packet of its own. */
static void small_request_goes_out_in_one_send(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 1, KS_NAME_PAYLOAD_SIZE, KS_NAME_AND_KEY_PAYLOAD_SIZE,
                                     KS_SMALL_REQUEST_LIMIT - KS_REQUEST_HEADER_SIZE};
    uint8_t payload[KS_SMALL_REQUEST_LIMIT];
    memset(payload, 'p', sizeof payload);
    for (size_t i = 0; i < KS_COUNT_OF(sizes); i++) {
        struct pair pair = pair_of(SOCK_SEQPACKET, PATIENT_MS);
        uint8_t got[2 * KS_SMALL_REQUEST_LIMIT];
        struct kesher_identity identity = {.name = "Anna"};
        struct ks_request_header parsed;
        memset(identity.id.bytes, 'i', sizeof identity.id.bytes);
        assert_int_equal(send_request(pair.channel, &identity, payload, sizes[i]), KESHER_OK);
        assert_int_equal(read(pair.peer, got, sizeof got), KS_REQUEST_HEADER_SIZE + sizes[i]);
        assert_int_equal(ks_request_header_parse(got, KS_REQUEST_HEADER_SIZE, &parsed), KS_OK);
        assert_memory_equal(parsed.client_id.bytes, identity.id.bytes, KS_CLIENT_ID_SIZE);
        assert_int_equal(parsed.version, 3);
        assert_int_equal(parsed.code, 1025);
        assert_int_equal(parsed.payload_size, sizes[i]);
        assert_memory_equal(got + KS_REQUEST_HEADER_SIZE, payload, sizes[i]);
        pair_close(&pair);
    }
}

static void request_over_the_limit_is_not_sent(void **state)
{
    (void)state;
    struct pair pair = pair_of(SOCK_STREAM, PATIENT_MS);
    uint8_t payload[KS_SMALL_REQUEST_LIMIT] = {0};
    struct kesher_identity identity = {.name = "Anna"};
    const uint32_t size = KS_SMALL_REQUEST_LIMIT - KS_REQUEST_HEADER_SIZE + 1;
    uint8_t byte = 0;
    assert_int_equal(send_request(pair.channel, &identity, payload, size), KESHER_INVALID);
    assert_int_equal(recv(pair.peer, &byte, 1, MSG_DONTWAIT), -1);
    pair_close(&pair);
}

struct slow_reader {
    int fd;
    const uint8_t *first; /* written before anything is read */
    size_t first_size;
    size_t read_step;
    size_t total; /* read in the end */
    uint32_t sum;
};

static void *read_slowly(void *argument)
{
    struct slow_reader *reader = argument;
    uint8_t step[4096];
    size_t written = 0;
    while (written < reader->first_size) {
        ssize_t wrote = write(reader->fd, reader->first + written, reader->first_size - written);
        if (wrote <= 0)
            return NULL;
        written += (size_t)wrote;
    }
    for (;;) {
        ssize_t got = read(reader->fd, step, reader->read_step);
        if (got <= 0)
            return NULL;
        for (ssize_t i = 0; i < got; i++)
            reader->sum = reader->sum * 31 + step[i];
        reader->total += (size_t)got;
    }
}

static void all_is_sent_to_a_peer_that_reads_one_byte_at_a_time(void **state)
{
    (void)state;
    static uint8_t bytes[50000];
    struct pair pair = pair_of(SOCK_STREAM, PATIENT_MS);
    struct slow_reader reader = {.fd = pair.peer, .read_step = 1};
    pthread_t thread;
    uint32_t sum = 0;
    int small = 4096;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7);
        sum = sum * 31 + bytes[i];
    }
    assert_int_equal(setsockopt(pair.peer, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_int_equal(pthread_create(&thread, NULL, read_slowly, &reader), 0);
    assert_int_equal(ks_channel_send(pair.channel, bytes, sizeof bytes, NULL), KESHER_OK);
    ks_channel_close(pair.channel);
    pthread_join(thread, NULL);
    close(pair.peer);
    assert_int_equal(reader.total, sizeof bytes);
    assert_int_equal(reader.sum, sum);
}

/* The peer writes until nobody takes it, and only then reads: a sender that did not take in would never end.
 */
static void sending_goes_on_while_answers_back_up(void **state)
{
    (void)state;
    static uint8_t bytes[4 * 1024 * 1024];
    static uint8_t answers[60 * 1024];
    struct pair pair = pair_of(SOCK_STREAM, PATIENT_MS);
    struct slow_reader reader = {
        .fd = pair.peer, .first = answers, .first_size = sizeof answers, .read_step = 4096};
    pthread_t thread;
    int small = 2048;
    assert_int_equal(setsockopt(pair.peer, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    assert_int_equal(pthread_create(&thread, NULL, read_slowly, &reader), 0);
    assert_int_equal(ks_channel_send(pair.channel, bytes, sizeof bytes, NULL), KESHER_OK);
    assert_int_equal(ks_channel_skip(pair.channel, sizeof answers, NULL), KESHER_OK);
    ks_channel_close(pair.channel);
    pthread_join(thread, NULL);
    close(pair.peer);
    assert_int_equal(reader.total, sizeof bytes);
}

/* Fills both ways until nothing moves. */
static void peer_that_floods_and_takes_nothing_is_a_protocol_error(void **state)
{
    (void)state;
    static uint8_t bytes[4 * 1024 * 1024];
    struct pair pair = pair_of(SOCK_STREAM, SHORT_MS);
    struct kesher_error error;
    assert_int_equal(fcntl(pair.peer, F_SETFL, O_NONBLOCK), 0);
    while (write(pair.peer, bytes, 4096) > 0)
        ;
    assert_int_equal(ks_channel_send(pair.channel, bytes, sizeof bytes, &error), KESHER_PROTOCOL);
    assert_true(ks_channel_is_broken(pair.channel));
    pair_close(&pair);
}

static void peer_that_takes_nothing_times_out(void **state)
{
    (void)state;
    static uint8_t bytes[4 * 1024 * 1024];
    struct pair pair = pair_of(SOCK_STREAM, SHORT_MS);
    assert_int_equal(ks_channel_send(pair.channel, bytes, sizeof bytes, NULL), KESHER_TIMEOUT);
    assert_true(ks_channel_is_broken(pair.channel));
    pair_close(&pair);
}

/* It answers nothing any more, so what it would still take need not be waited for. */
static void peer_that_ends_its_side_and_takes_nothing_is_a_lost_connection(void **state)
{
    (void)state;
    static uint8_t bytes[4 * 1024 * 1024];
    struct pair pair = pair_of(SOCK_STREAM, PATIENT_MS);
    assert_int_equal(shutdown(pair.peer, SHUT_WR), 0);
    assert_int_equal(ks_channel_send(pair.channel, bytes, sizeof bytes, NULL), KESHER_CONNECTION);
    assert_true(ks_channel_is_broken(pair.channel));
    pair_close(&pair);
}

static void the_end_is_seen_behind_what_nobody_asked_for(void **state)
{
    (void)state;
    static uint8_t bytes[4 * 1024 * 1024];
    struct pair pair = pair_of(SOCK_STREAM, PATIENT_MS);
    uint8_t answers[2 * 512];
    struct ks_answer answer;
    size_t size = key_frame(answers);
    ks_channel_take_exactly(pair.channel, true);
    peer_writes(&pair, answers, size + key_frame(answers + size));
    assert_int_equal(shutdown(pair.peer, SHUT_WR), 0);
    assert_int_equal(ks_channel_send(pair.channel, bytes, sizeof bytes, NULL), KESHER_CONNECTION);
    assert_int_equal(take_answer(pair.channel, &answer, NULL), KESHER_CONNECTION);
    pair_close(&pair);
}

static void answer_before_the_end_is_received_after_it(void **state)
{
    (void)state;
    struct pair pair = pair_of(SOCK_STREAM, PATIENT_MS);
    uint8_t bytes[512];
    struct ks_answer answer;
    peer_writes(&pair, bytes, key_frame(bytes));
    peer_ends(&pair);
    assert_int_equal(ks_channel_send(pair.channel, bytes, sizeof bytes, NULL), KESHER_CONNECTION);
    assert_true(ks_channel_is_broken(pair.channel));
    assert_int_equal(take_answer(pair.channel, &answer, NULL), KESHER_OK);
    assert_key_answer(&answer);
    assert_int_equal(take_answer(pair.channel, &answer, NULL), KESHER_CONNECTION);
    pair_close(&pair);
}

/* ---- receiving ---- */

struct slow_writer {
    int fd;
    const uint8_t *bytes;
    size_t size;
};

static void *write_slowly(void *argument)
{
    const struct slow_writer *writer = argument;
    for (size_t i = 0; i < writer->size; i++) {
        if (write(writer->fd, writer->bytes + i, 1) != 1)
            return NULL;
        sched_yield();
    }
    return NULL;
}

static void answers_arrive_one_byte_at_a_time(void **state)
{
    (void)state;
    struct pair pair = pair_of(SOCK_STREAM, PATIENT_MS);
    uint8_t bytes[1024];
    size_t size = key_frame(bytes);
    size += frame(bytes + size, KS_RESPONSE_DROP_ERROR, 0, NULL, 0);
    size += key_frame(bytes + size);
    struct slow_writer writer = {.fd = pair.peer, .bytes = bytes, .size = size};
    pthread_t thread;
    struct ks_answer answer;
    assert_int_equal(pthread_create(&thread, NULL, write_slowly, &writer), 0);
    assert_int_equal(take_answer(pair.channel, &answer, NULL), KESHER_OK);
    assert_key_answer(&answer);
    assert_int_equal(take_answer(pair.channel, &answer, NULL), KESHER_OK);
    assert_int_equal(answer.code, KS_RESPONSE_DROP_ERROR);
    assert_int_equal(answer.payload_size, 0);
    assert_int_equal(take_answer(pair.channel, &answer, NULL), KESHER_OK);
    assert_key_answer(&answer);
    pthread_join(thread, NULL);
    pair_close(&pair);
}

static void many_answers_in_one_segment_are_told_apart(void **state)
{
    (void)state;
    struct pair pair = pair_of(SOCK_STREAM, PATIENT_MS);
    enum { COUNT = 100 };
    uint8_t bytes[COUNT * (KS_RESPONSE_HEADER_SIZE + KS_KEY_ANSWER_SIZE)];
    size_t size = 0;
    for (int i = 0; i < COUNT; i++)
        size += key_frame(bytes + size);
    peer_writes(&pair, bytes, size);
    for (int i = 0; i < COUNT; i++) {
        struct ks_answer answer;
        assert_int_equal(take_answer(pair.channel, &answer, NULL), KESHER_OK);
        assert_key_answer(&answer);
    }
    pair_close(&pair);
}

static void answer_cut_at_any_byte_is_a_lost_connection(void **state)
{
    (void)state;
    uint8_t bytes[512];
    size_t whole = key_frame(bytes);
    for (size_t size = 0; size < whole; size++) {
        struct pair pair = pair_of(SOCK_STREAM, PATIENT_MS);
        struct ks_answer answer;
        struct kesher_error error = {.status = KESHER_OK};
        if (size > 0)
            peer_writes(&pair, bytes, size);
        peer_ends(&pair);
        assert_int_equal(take_answer(pair.channel, &answer, &error), KESHER_CONNECTION);
        assert_int_equal(error.status, KESHER_CONNECTION);
        assert_non_null(strstr(error.sentence, "test"));
        assert_true(ks_channel_is_broken(pair.channel));
        pair_close(&pair);
    }
}

static void silent_peer_times_out(void **state)
{
    (void)state;
    struct pair pair = pair_of(SOCK_STREAM, SHORT_MS);
    struct ks_answer answer;
    peer_writes(&pair, "abc", 3);
    assert_int_equal(take_answer(pair.channel, &answer, NULL), KESHER_TIMEOUT);
    assert_true(ks_channel_is_broken(pair.channel));
    pair_close(&pair);
}

static void peeking_takes_nothing(void **state)
{
    (void)state;
    struct pair pair = pair_of(SOCK_STREAM, PATIENT_MS);
    uint8_t bytes[512];
    struct ks_response_header header = {.code = 0};
    struct ks_answer answer;
    size_t size = key_frame(bytes);
    assert_false(ks_channel_peek(pair.channel, 0, &header));
    peer_writes(&pair, bytes, KS_RESPONSE_HEADER_SIZE - 1);
    assert_false(ks_channel_peek(pair.channel, 1, &header));
    assert_false(ks_channel_is_broken(pair.channel));
    peer_writes(&pair, bytes + KS_RESPONSE_HEADER_SIZE - 1, size - KS_RESPONSE_HEADER_SIZE + 1);
    assert_true(ks_channel_peek(pair.channel, PATIENT_MS, &header));
    assert_true(ks_channel_peek(pair.channel, 0, &header));
    assert_int_equal(header.code, KS_RESPONSE_KEY_ACCEPTED);
    assert_int_equal(take_answer(pair.channel, &answer, NULL), KESHER_OK);
    assert_key_answer(&answer);
    peer_ends(&pair);
    assert_false(ks_channel_peek(pair.channel, PATIENT_MS, &header));
    pair_close(&pair);
}

/* ---- answers that lie ---- */

static int left_in_socket(const struct pair *pair)
{
    int left = 0;
    assert_int_equal(ioctl(ks_channel_descriptor(pair->channel), FIONREAD, &left), 0);
    return left;
}

/* So that the end of the program, with something left, is a reset. */
static void what_was_not_asked_for_stays_in_the_socket(void **state)
{
    (void)state;
    struct pair pair = pair_of(SOCK_STREAM, PATIENT_MS);
    struct ks_response_header header;
    uint8_t bytes[2048] = {0};
    uint8_t received[sizeof sample];
    uint8_t byte = 0;
    ks_channel_take_exactly(pair.channel, true);
    size_t size = key_frame(bytes);
    for (int round = 0; round < 2; round++) {
        /* The second one has padding before it. */
        if (round == 1)
            peer_writes(&pair, ks_blocks_zeros, ks_blocks_rest(size));
        peer_writes(&pair, bytes, size);
        assert_int_equal(ks_channel_receive_header(pair.channel, &header, NULL), KESHER_OK);
        assert_int_equal(header.payload_size, sizeof sample);
        assert_int_equal(left_in_socket(&pair), sizeof sample);
        assert_int_equal(ks_channel_receive(pair.channel, received, sizeof sample - 1, NULL), KESHER_OK);
        assert_memory_equal(received, sample, sizeof sample - 1);
        assert_int_equal(ks_channel_look(pair.channel, &byte, NULL), KESHER_OK);
        assert_int_equal(byte, sample[sizeof sample - 1]);
        assert_int_equal(left_in_socket(&pair), 1);
        assert_int_equal(ks_channel_receive(pair.channel, &byte, 1, NULL), KESHER_OK);
        assert_int_equal(left_in_socket(&pair), 0);
    }
    ks_channel_take_exactly(pair.channel, false);
    peer_writes(&pair, ks_blocks_zeros, ks_blocks_rest(size));
    peer_writes(&pair, bytes, size);
    assert_int_equal(ks_channel_receive_header(pair.channel, &header, NULL), KESHER_OK);
    assert_int_equal(left_in_socket(&pair), 0);
    pair_close(&pair);
}

static void look_at_the_next_byte_waits_for_it_and_sees_the_end(void **state)
{
    (void)state;
    struct pair pair = pair_of(SOCK_STREAM, SHORT_MS);
    struct kesher_error error;
    uint8_t byte = 0;
    ks_channel_take_exactly(pair.channel, true);
    assert_int_equal(ks_channel_look(pair.channel, &byte, &error), KESHER_TIMEOUT);
    pair_close(&pair);
    pair = pair_of(SOCK_STREAM, PATIENT_MS);
    peer_ends(&pair);
    assert_int_equal(ks_channel_look(pair.channel, &byte, &error), KESHER_CONNECTION);
    pair_close(&pair);
}

static void longer_payload_is_dropped_up_to_the_limit(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {KS_FILE_ANSWER_SIZE + 1, KS_SKIP_LIMIT};
    static uint8_t bytes[KS_RESPONSE_HEADER_SIZE + KS_SKIP_LIMIT];
    for (size_t i = 0; i < KS_COUNT_OF(sizes); i++) {
        struct pair pair = pair_of(SOCK_STREAM, PATIENT_MS);
        uint8_t next[512];
        struct ks_answer answer;
        struct slow_reader writer = {.fd = pair.peer, .first = bytes, .read_step = 1};
        pthread_t thread;
        writer.first_size = frame(bytes, KS_RESPONSE_ERROR, sizes[i], NULL, 0) + sizes[i];
        assert_int_equal(pthread_create(&thread, NULL, read_slowly, &writer), 0);
        assert_int_equal(take_answer(pair.channel, &answer, NULL), KESHER_OK);
        assert_int_equal(answer.code, KS_RESPONSE_ERROR);
        assert_int_equal(answer.payload_size, sizes[i]);
        peer_writes(&pair, next, key_frame(next));
        assert_int_equal(take_answer(pair.channel, &answer, NULL), KESHER_OK);
        assert_key_answer(&answer);
        ks_channel_close(pair.channel);
        pthread_join(thread, NULL);
        close(pair.peer);
    }
}

static void payload_over_the_limit_is_a_protocol_error(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {KS_SKIP_LIMIT + 1, UINT32_C(0x7fffffff), UINT32_MAX};
    for (size_t i = 0; i < KS_COUNT_OF(sizes); i++) {
        struct pair pair = pair_of(SOCK_STREAM, PATIENT_MS);
        uint8_t bytes[64];
        struct ks_answer answer;
        struct kesher_error error;
        peer_writes(&pair, bytes, frame(bytes, KS_RESPONSE_FILE_RECEIVED, sizes[i], NULL, 0));
        assert_int_equal(take_answer(pair.channel, &answer, &error), KESHER_PROTOCOL);
        assert_true(ks_channel_is_broken(pair.channel));
        pair_close(&pair);
    }
}

/* ---- servers that pad ---- */

static void small_request(const struct pair *pair, uint8_t *received, size_t size)
{
    struct kesher_identity identity = {.name = "Anna"};
    assert_int_equal(send_request(pair->channel, &identity, NULL, 0), KESHER_OK);
    assert_int_equal(read(pair->peer, received, size), size);
}

/* Two answers in blocks, so that the first padding has `rest` bytes. */
static size_t two_padded_answers(uint8_t *bytes, size_t rest)
{
    static const uint8_t payload[KS_BLOCK_SIZE] = {'p'};
    memset(bytes, 0, 2 * KS_BLOCK_SIZE);
    frame(bytes, KS_RESPONSE_USERS, (uint32_t)(KS_BLOCK_SIZE - rest - KS_RESPONSE_HEADER_SIZE), payload,
          KS_BLOCK_SIZE - rest - KS_RESPONSE_HEADER_SIZE);
    key_frame(bytes + KS_BLOCK_SIZE);
    return 2 * KS_BLOCK_SIZE;
}

static void padding_behind_an_answer_is_dropped_however_it_is_split(void **state)
{
    (void)state;
    static const size_t rests[] = {0, 1, 6, 7, 8, 800};
    uint8_t bytes[2 * KS_BLOCK_SIZE];
    for (size_t i = 0; i < KS_COUNT_OF(rests); i++)
        for (size_t split = KS_BLOCK_SIZE - rests[i]; split <= KS_BLOCK_SIZE + KS_RESPONSE_HEADER_SIZE;
             split++) {
            struct pair pair = pair_of(SOCK_STREAM, PATIENT_MS);
            struct ks_answer answer;
            struct ks_response_header header;
            size_t size = two_padded_answers(bytes, rests[i]);
            peer_writes(&pair, bytes, split);
            assert_int_equal(take_answer(pair.channel, &answer, NULL), KESHER_OK);
            assert_int_equal(answer.code, KS_RESPONSE_USERS);
            assert_int_equal(ks_channel_peek(pair.channel, 0, &header),
                             split == KS_BLOCK_SIZE + KS_RESPONSE_HEADER_SIZE);
            peer_writes(&pair, bytes + split, size - split);
            assert_int_equal(take_answer(pair.channel, &answer, NULL), KESHER_OK);
            assert_key_answer(&answer);
            assert_false(ks_channel_peek(pair.channel, 0, &header));
            pair_close(&pair);
        }
}

static void requests_are_padded_from_the_first_padding_on(void **state)
{
    (void)state;
    static const uint8_t zeros[KS_BLOCK_SIZE] = {0};
    struct pair pair = pair_of(SOCK_STREAM, PATIENT_MS);
    uint8_t bytes[KS_BLOCK_SIZE] = {0};
    uint8_t received[KS_BLOCK_SIZE];
    struct ks_answer answer;
    small_request(&pair, received, KS_REQUEST_HEADER_SIZE);
    size_t size = key_frame(bytes);
    peer_writes(&pair, bytes, size);
    assert_int_equal(take_answer(pair.channel, &answer, NULL), KESHER_OK);
    small_request(&pair, received, KS_REQUEST_HEADER_SIZE);
    memset(bytes + size, 0, sizeof bytes - size);
    peer_writes(&pair, bytes + size, sizeof bytes - size);
    peer_writes(&pair, bytes, sizeof bytes);
    assert_int_equal(take_answer(pair.channel, &answer, NULL), KESHER_OK);
    for (int i = 0; i < 2; i++) {
        small_request(&pair, received, sizeof received);
        assert_memory_equal(received + KS_REQUEST_HEADER_SIZE, zeros,
                            sizeof received - KS_REQUEST_HEADER_SIZE);
    }
    assert_int_equal(ks_channel_send(pair.channel, zeros, 1000, NULL), KESHER_OK);
    assert_int_equal(ks_channel_send_end(pair.channel, zeros, 1000, 2000, NULL), KESHER_OK);
    peer_writes(&pair, bytes, sizeof bytes);
    assert_int_equal(take_answer(pair.channel, &answer, NULL), KESHER_OK);
    assert_int_equal(recv(pair.peer, received, sizeof received, MSG_WAITALL), sizeof received);
    assert_int_equal(recv(pair.peer, received, sizeof received, MSG_WAITALL), sizeof received);
    assert_int_equal(recv(pair.peer, received, 1, MSG_DONTWAIT), -1);
    pair_close(&pair);
}

static void zeros_in_a_payload_are_no_padding(void **state)
{
    (void)state;
    struct pair pair = pair_of(SOCK_STREAM, PATIENT_MS);
    uint8_t bytes[KS_BLOCK_SIZE] = {0};
    uint8_t received[KS_BLOCK_SIZE];
    struct ks_response_header header;
    peer_writes(&pair, bytes, frame(bytes, KS_RESPONSE_USERS, 500, received, 0) + 500);
    assert_int_equal(ks_channel_receive_header(pair.channel, &header, NULL), KESHER_OK);
    small_request(&pair, received, KS_REQUEST_HEADER_SIZE);
    assert_int_equal(ks_channel_receive(pair.channel, received, 500, NULL), KESHER_OK);
    small_request(&pair, received, KS_REQUEST_HEADER_SIZE);
    assert_int_equal(recv(pair.peer, received, 1, MSG_DONTWAIT), -1);
    pair_close(&pair);
}

static void a_byte_inside_the_padding_is_a_protocol_error(void **state)
{
    (void)state;
    struct pair pair = pair_of(SOCK_STREAM, PATIENT_MS);
    uint8_t bytes[2 * KS_BLOCK_SIZE];
    struct ks_answer answer;
    size_t size = two_padded_answers(bytes, 800);
    bytes[KS_BLOCK_SIZE - 1] = 3;
    peer_writes(&pair, bytes, size);
    assert_int_equal(take_answer(pair.channel, &answer, NULL), KESHER_OK);
    assert_int_equal(take_answer(pair.channel, &answer, NULL), KESHER_PROTOCOL);
    assert_true(ks_channel_is_broken(pair.channel));
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_request_goes_out_in_one_send),
        cmocka_unit_test(request_over_the_limit_is_not_sent),
        cmocka_unit_test(all_is_sent_to_a_peer_that_reads_one_byte_at_a_time),
        cmocka_unit_test(sending_goes_on_while_answers_back_up),
        cmocka_unit_test(peer_that_floods_and_takes_nothing_is_a_protocol_error),
        cmocka_unit_test(peer_that_takes_nothing_times_out),
        cmocka_unit_test(peer_that_ends_its_side_and_takes_nothing_is_a_lost_connection),
        cmocka_unit_test(the_end_is_seen_behind_what_nobody_asked_for),
        cmocka_unit_test(answer_before_the_end_is_received_after_it),
        cmocka_unit_test(answers_arrive_one_byte_at_a_time),
        cmocka_unit_test(many_answers_in_one_segment_are_told_apart),
        cmocka_unit_test(answer_cut_at_any_byte_is_a_lost_connection),
        cmocka_unit_test(silent_peer_times_out),
        cmocka_unit_test(peeking_takes_nothing),
        cmocka_unit_test(longer_payload_is_dropped_up_to_the_limit),
        cmocka_unit_test(payload_over_the_limit_is_a_protocol_error),
        cmocka_unit_test(what_was_not_asked_for_stays_in_the_socket),
        cmocka_unit_test(look_at_the_next_byte_waits_for_it_and_sees_the_end),
        cmocka_unit_test(padding_behind_an_answer_is_dropped_however_it_is_split),
        cmocka_unit_test(requests_are_padded_from_the_first_padding_on),
        cmocka_unit_test(zeros_in_a_payload_are_no_padding),
        cmocka_unit_test(a_byte_inside_the_padding_is_a_protocol_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
