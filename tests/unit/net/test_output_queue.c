/* test_output_queue.c — what waits for a peer: texts that go apart, bytes that are shared, and the memory
 * that they take. Over a pair of SOCK_SEQPACKET sockets every send is seen as one packet.
 */
#include "unit/unit.h"

#include "net/loop/output_queue.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* The names are the linker's. NOLINTBEGIN(bugprone-reserved-identifier) */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
/* NOLINTEND(bugprone-reserved-identifier) */

static bool memory_is_out;

void *__wrap_malloc(size_t size)
{
    return memory_is_out ? NULL : __real_malloc(size);
}

struct line {
    struct ks_output_queue output;
    int ends[2];
};

static int open_line(void **state, int type)
{
    struct line *line = calloc(1, sizeof *line);
    assert_non_null(line);
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, line->ends), 0);
    *state = line;
    return 0;
}

static int set_up_packets(void **state)
{
    return open_line(state, SOCK_SEQPACKET);
}

static int set_up_stream(void **state)
{
    return open_line(state, SOCK_STREAM);
}

static int tear_down(void **state)
{
    struct line *line = *state;
    ks_output_queue_clear(&line->output);
    assert_int_equal(line->output.waiting, 0);
    assert_int_equal(line->output.memory, 0);
    close(line->ends[0]);
    close(line->ends[1]);
    free(line);
    return 0;
}

static struct ks_shared *shared_text(const char *text)
{
    struct ks_shared *shared = ks_shared_new(strlen(text));
    assert_non_null(shared);
    shared->size = strlen(text);
    memcpy(shared->bytes, text, shared->size);
    return shared;
}

static void append(struct line *line, const char *text)
{
    assert_int_equal(ks_output_queue_append(&line->output, text, strlen(text)), KS_OK);
}

static void append_apart(struct line *line, const char *text)
{
    assert_int_equal(ks_output_queue_append_apart(&line->output, text, strlen(text)), KS_OK);
}

/* The next send, as the peer sees it; "" when there is none. */
static void assert_packet(struct line *line, const char *expected)
{
    char packet[8192];
    ssize_t size = recv(line->ends[1], packet, sizeof packet - 1, MSG_DONTWAIT);
    packet[size > 0 ? size : 0] = '\0';
    assert_string_equal(packet, expected);
}

static void send_all(struct line *line)
{
    assert_int_equal(ks_output_queue_send(&line->output, line->ends[0]), KS_OK);
    assert_int_equal(line->output.waiting, 0);
    assert_int_equal(line->output.memory, 0);
    assert_null(line->output.first);
}

/* ---- apart ---- */

static void what_goes_apart_is_joined_with_nothing_before_or_behind_it(void **state)
{
    struct line *line = *state;
    append(line, "one ");
    append(line, "two");
    append_apart(line, "three");
    append_apart(line, "four");
    append(line, "five ");
    append(line, "six");
    send_all(line);
    assert_packet(line, "one two");
    assert_packet(line, "three");
    assert_packet(line, "four");
    assert_packet(line, "five six");
    assert_packet(line, "");
}

static void hundreds_that_go_apart_are_as_many_sends(void **state)
{
    struct line *line = *state;
    enum { COUNT = 150 };
    char text[16];
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(text, sizeof text, "text %u", i);
        append_apart(line, text);
    }
    size_t received = 0;
    while (received < COUNT) {
        enum ks_result result = ks_output_queue_send(&line->output, line->ends[0]);
        assert_true(result == KS_OK || result == KS_MORE); /* a socket takes only some packets */
        char packet[64];
        ssize_t size = 0;
        while ((size = recv(line->ends[1], packet, sizeof packet - 1, MSG_DONTWAIT)) > 0) {
            packet[size] = '\0';
            snprintf(text, sizeof text, "text %zu", received++);
            assert_string_equal(packet, text);
        }
    }
    send_all(line);
}

static void nothing_at_all_makes_no_send(void **state)
{
    struct line *line = *state;
    struct ks_shared *shared = shared_text("x");
    append(line, "");
    append_apart(line, "");
    assert_int_equal(ks_output_queue_append_shared(&line->output, shared, 1, 0, true), KS_OK);
    assert_int_equal(ks_output_queue_append_shared(&line->output, shared, 0, 0, false), KS_OK);
    assert_int_equal(line->output.memory, 0);
    append(line, "something");
    append_apart(line, "");
    send_all(line);
    assert_packet(line, "something");
    assert_packet(line, "");
    ks_shared_release(shared);
}

/* ---- shared ---- */

static void shared_bytes_go_with_the_others_and_from_where_it_was_said(void **state)
{
    struct line *line = *state;
    struct ks_shared *shared = shared_text("0123456789");
    append(line, "before ");
    assert_int_equal(ks_output_queue_append_shared(&line->output, shared, 2, 3, false), KS_OK);
    append(line, " behind");
    assert_int_equal(ks_output_queue_append_shared(&line->output, shared, 0, 10, true), KS_OK);
    assert_int_equal(ks_output_queue_append_shared(&line->output, shared, 9, 1, false), KS_OK);
    append(line, "!");
    send_all(line);
    assert_packet(line, "before 234 behind");
    assert_packet(line, "0123456789");
    assert_packet(line, "9!");
    ks_shared_release(shared);
}

static void shared_bytes_are_held_until_they_are_sent_or_dropped(void **state)
{
    struct line *line = *state;
    struct ks_shared *shared = shared_text("shared");
    assert_int_equal(ks_output_queue_append_shared(&line->output, shared, 0, 6, false), KS_OK);
    assert_int_equal(atomic_load(&shared->references), 2);
    send_all(line);
    assert_int_equal(atomic_load(&shared->references), 1);
    assert_int_equal(ks_output_queue_append_shared(&line->output, shared, 0, 6, true), KS_OK);
    assert_int_equal(ks_output_queue_append_shared(&line->output, shared, 0, 6, false), KS_OK);
    assert_int_equal(atomic_load(&shared->references), 3);
    ks_output_queue_clear(&line->output);
    assert_int_equal(atomic_load(&shared->references), 1);
    assert_int_equal(ks_output_queue_append_shared(&line->output, shared, 0, 6, false), KS_OK);
    ks_shared_release(shared); /* the output's is the last */
    send_all(line);
}

static void more_shared_pieces_than_one_send_takes_arrive_in_order(void **state)
{
    struct line *line = *state;
    struct ks_shared *shared = shared_text("abcdefghijklmnopqrstuvwxyz");
    char all[512] = "";
    for (unsigned i = 0; i < 150; i++)
        assert_int_equal(ks_output_queue_append_shared(&line->output, shared, i % 26, 1, false), KS_OK);
    send_all(line);
    for (char packet[256];;) {
        ssize_t size = recv(line->ends[1], packet, sizeof packet - 1, MSG_DONTWAIT);
        if (size <= 0)
            break;
        packet[size] = '\0';
        strcat(all, packet); /* NOLINT: there is room for 150 */
    }
    assert_int_equal(strlen(all), 150);
    for (unsigned i = 0; i < 150; i++)
        assert_int_equal(all[i], 'a' + i % 26);
    ks_shared_release(shared);
}

/* ---- memory ---- */

static void memory_is_never_less_than_what_waits(void **state)
{
    struct line *line = *state;
    struct ks_shared *shared = shared_text("0123456789");
    size_t before = 0;
    for (unsigned i = 0; i < 100; i++) {
        append_apart(line, "a text of some length");
        assert_true(line->output.memory >= before + strlen("a text of some length"));
        before = line->output.memory;
        assert_int_equal(ks_output_queue_append_shared(&line->output, shared, 0, 10, false), KS_OK);
        assert_true(line->output.memory >= before + 10);
        before = line->output.memory;
        append(line, "x");
        assert_true(line->output.memory >= before);
        before = line->output.memory;
        assert_true(line->output.memory >= line->output.waiting);
    }
    ks_output_queue_clear(&line->output);
    assert_int_equal(line->output.memory, 0);
    ks_shared_release(shared);
}

static void without_memory_nothing_is_appended(void **state)
{
    struct line *line = *state;
    struct ks_shared *shared = shared_text("shared");
    char much[1000];
    memset(much, 'x', sizeof much);
    append(line, "before ");
    size_t memory = line->output.memory;
    memory_is_out = true;
    enum ks_result plain = ks_output_queue_append(&line->output, much, sizeof much);
    enum ks_result apart = ks_output_queue_append_apart(&line->output, "apart", 5);
    enum ks_result held = ks_output_queue_append_shared(&line->output, shared, 0, 6, false);
    memory_is_out = false;
    assert_int_equal(plain, KS_NO_MEMORY);
    assert_int_equal(apart, KS_NO_MEMORY);
    assert_int_equal(held, KS_NO_MEMORY);
    assert_int_equal(atomic_load(&shared->references), 1);
    assert_int_equal(line->output.waiting, 7);
    assert_int_equal(line->output.memory, memory);
    append(line, "behind");
    send_all(line);
    assert_packet(line, "before behind");
    ks_shared_release(shared);
}

/* ---- all kinds, through a socket that takes only some ---- */

/* Byte i of everything that is sent. */
static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 7 + i / 251);
}

static void append_some(struct ks_output_queue *output, struct ks_shared *shared, size_t *sent, unsigned kind,
                        size_t size)
{
    uint8_t bytes[4096];
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(*sent + i);
    *sent += size;
    if (kind == 0) {
        assert_int_equal(ks_output_queue_append(output, bytes, size), KS_OK);
    } else if (kind == 1) {
        assert_int_equal(ks_output_queue_append_apart(output, bytes, size), KS_OK);
    } else { /* shared bytes have their place behind all that was shared before */
        memcpy(shared->bytes + shared->size, bytes, size);
        assert_int_equal(ks_output_queue_append_shared(output, shared, shared->size, size, kind == 2), KS_OK);
        shared->size += size;
    }
}

static void take_some(struct line *line, size_t *received, size_t limit)
{
    uint8_t bytes[5000];
    ssize_t got = recv(line->ends[1], bytes, limit < sizeof bytes ? limit : sizeof bytes, MSG_DONTWAIT);
    for (ssize_t i = 0; i < got; i++)
        assert_int_equal(bytes[i], byte_at(*received + (size_t)i));
    *received += got > 0 ? (size_t)got : 0;
}

static void everything_arrives_in_order_whatever_the_socket_takes_at_a_time(void **state)
{
    struct line *line = *state;
    struct ks_shared *shared = ks_shared_new(4U * 1024 * 1024);
    int small = 4096;
    uint32_t random = 5;
    size_t sent = 0;
    size_t received = 0;
    bool was_full = false;
    assert_non_null(shared);
    assert_int_equal(setsockopt(line->ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    for (unsigned i = 0; i < 4000; i++) {
        random = random * 1664525U + 1013904223U;
        append_some(&line->output, shared, &sent, (random >> 8) % 4, 1 + (random >> 12) % 1500);
        enum ks_result result = ks_output_queue_send(&line->output, line->ends[0]);
        assert_true(result == KS_OK || result == KS_MORE);
        was_full = was_full || result == KS_MORE;
        assert_int_equal(result == KS_OK, line->output.waiting == 0);
        take_some(line, &received, 1 + (random >> 4) % 1400);
    }
    assert_true(was_full);
    while (received < sent) {
        assert_int_not_equal(ks_output_queue_send(&line->output, line->ends[0]), KS_IO);
        take_some(line, &received, 5000);
    }
    assert_int_equal(line->output.memory, 0);
    assert_int_equal(atomic_load(&shared->references), 1);
    ks_shared_release(shared);
}

/* ---- shared bytes between threads ---- */

enum { READERS = 4, SHARES = 2000 };

struct reader {
    struct ks_shared *shares[SHARES];
    unsigned wrong;
};

static void *read_and_release(void *argument)
{
    struct reader *reader = argument;
    for (unsigned i = 0; i < SHARES; i++) {
        if (reader->shares[i]->bytes[0] != (uint8_t)i)
            reader->wrong++;
        ks_shared_release(reader->shares[i]);
    }
    return NULL;
}

static void the_last_of_many_threads_frees_what_they_share(void **state)
{
    struct reader *readers = calloc(READERS, sizeof *readers);
    pthread_t threads[READERS];
    (void)state;
    assert_non_null(readers);
    for (unsigned i = 0; i < SHARES; i++) {
        struct ks_shared *shared = ks_shared_new(1);
        assert_non_null(shared);
        shared->bytes[0] = (uint8_t)i;
        for (unsigned j = 0; j < READERS; j++)
            readers[j].shares[i] = ks_shared_retain(shared);
        ks_shared_release(shared);
    }
    for (unsigned j = 0; j < READERS; j++)
        assert_int_equal(pthread_create(&threads[j], NULL, read_and_release, &readers[j]), 0);
    for (unsigned j = 0; j < READERS; j++) {
        assert_int_equal(pthread_join(threads[j], NULL), 0);
        assert_int_equal(readers[j].wrong, 0);
    }
    free(readers);
}

#define PACKET_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_packets, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PACKET_TEST(what_goes_apart_is_joined_with_nothing_before_or_behind_it),
        PACKET_TEST(hundreds_that_go_apart_are_as_many_sends),
        PACKET_TEST(nothing_at_all_makes_no_send),
        PACKET_TEST(shared_bytes_go_with_the_others_and_from_where_it_was_said),
        PACKET_TEST(shared_bytes_are_held_until_they_are_sent_or_dropped),
        PACKET_TEST(more_shared_pieces_than_one_send_takes_arrive_in_order),
        PACKET_TEST(memory_is_never_less_than_what_waits),
        PACKET_TEST(without_memory_nothing_is_appended),
        cmocka_unit_test_setup_teardown(everything_arrives_in_order_whatever_the_socket_takes_at_a_time,
                                        set_up_stream, tear_down),
        cmocka_unit_test(the_last_of_many_threads_frees_what_they_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
