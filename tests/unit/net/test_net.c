/* test_net.c — the parts of src/net that need no socket, and the output queue over a pair of them. */
#include "unit/unit.h"

#include "net/housekeeping.h"
#include "net/loop/connection_lists.h"
#include "net/loop/deadline.h"
#include "net/loop/output_queue.h"
#include "net/loop/peer_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- deadlines ---- */

enum { DEADLINES = 2000 };

struct expiry {
    struct ks_deadline deadline;
    uint64_t wanted_ms;
    uint64_t expired_ms; /* 0: not yet */
};

struct expiry_context {
    uint64_t now_ms;
    struct ks_deadline_wheel *wheel;
    struct ks_deadline *also_clear;
};

static void note_expiry(struct ks_deadline *deadline, void *context)
{
    struct expiry_context *expiry_context = context;
    struct expiry *expiry = (struct expiry *)(void *)deadline; /* its first member */
    assert_int_equal(expiry->expired_ms, 0);
    expiry->expired_ms = expiry_context->now_ms;
    if (expiry_context->also_clear != NULL)
        ks_deadline_clear(expiry_context->wheel, expiry_context->also_clear);
}

static void deadlines_expire_once_and_not_before_their_time(void **state)
{
    (void)state;
    struct ks_deadline_wheel wheel;
    struct expiry *expiries = calloc(DEADLINES, sizeof *expiries);
    struct expiry_context context = {.wheel = &wheel};
    assert_non_null(expiries);
    ks_deadline_wheel_init(&wheel, 1000);
    for (unsigned i = 0; i < DEADLINES; i++) { /* up to several turns of the wheel ahead */
        expiries[i].wanted_ms = 1000 + (uint64_t)i * i % 200000;
        ks_deadline_set(&wheel, &expiries[i].deadline, expiries[i].wanted_ms);
    }
    for (uint64_t now = 1000; now <= 202000; now += 37) {
        context.now_ms = now;
        ks_deadline_wheel_advance(&wheel, now, note_expiry, &context);
    }
    assert_int_equal(wheel.count, 0);
    for (unsigned i = 0; i < DEADLINES; i++)
        assert_in_range(expiries[i].expired_ms, expiries[i].wanted_ms,
                        expiries[i].wanted_ms + 2 * KS_DEADLINE_TICK_MS + 37);
    free(expiries);
}

static void a_deadline_that_moves_expires_at_its_last_time(void **state)
{
    (void)state;
    struct ks_deadline_wheel wheel;
    struct expiry later = {.wanted_ms = 0};
    struct expiry sooner = {.wanted_ms = 0};
    struct expiry_context context = {.wheel = &wheel};
    ks_deadline_wheel_init(&wheel, 0);
    ks_deadline_set(&wheel, &later.deadline, 100);
    ks_deadline_set(&wheel, &later.deadline, 5000);
    ks_deadline_set(&wheel, &sooner.deadline, 5000);
    ks_deadline_set(&wheel, &sooner.deadline, 100);
    for (uint64_t now = 0; now <= 10000; now += 50) {
        context.now_ms = now;
        ks_deadline_wheel_advance(&wheel, now, note_expiry, &context);
    }
    assert_in_range(later.expired_ms, 5000, 5000 + 2 * KS_DEADLINE_TICK_MS + 50);
    assert_in_range(sooner.expired_ms, 100, 100 + 2 * KS_DEADLINE_TICK_MS + 50);
}

static void a_deadline_that_is_cleared_never_expires_not_even_by_another_of_the_same_moment(void **state)
{
    (void)state;
    struct ks_deadline_wheel wheel;
    struct expiry first = {.wanted_ms = 0};
    struct expiry second = {.wanted_ms = 0};
    struct expiry_context context = {.wheel = &wheel, .now_ms = 1000};
    ks_deadline_wheel_init(&wheel, 0);
    ks_deadline_set(&wheel, &first.deadline, 500);
    ks_deadline_set(&wheel, &second.deadline, 500); /* met first: newest of its slot */
    context.also_clear = &first.deadline;
    ks_deadline_wheel_advance(&wheel, 1000, note_expiry, &context);
    assert_int_equal(second.expired_ms, 1000);
    assert_int_equal(first.expired_ms, 0);
    assert_int_equal(wheel.count, 0);
}

static void a_wheel_that_slept_for_hours_still_finds_every_deadline(void **state)
{
    (void)state;
    struct ks_deadline_wheel wheel;
    struct expiry expiry = {.wanted_ms = 0};
    struct expiry_context context = {.wheel = &wheel, .now_ms = 90000000};
    ks_deadline_wheel_init(&wheel, 0);
    ks_deadline_set(&wheel, &expiry.deadline, 40000);
    ks_deadline_wheel_advance(&wheel, 90000000, note_expiry, &context);
    assert_int_equal(expiry.expired_ms, 90000000);
}

/* ---- output ---- */

static void output_arrives_whole_and_in_order_through_a_full_socket(void **state)
{
    (void)state;
    int ends[2];
    struct ks_output_queue output = {0};
    size_t sent = 0;
    size_t received = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    for (unsigned i = 0; i < 3000; i++) {
        uint8_t piece[997];
        size_t size = 1 + i % sizeof piece;
        for (size_t j = 0; j < size; j++)
            piece[j] = (uint8_t)((sent + j) * 7);
        assert_int_equal(ks_output_queue_append(&output, piece, size), KS_OK);
        sent += size;
    }
    assert_int_equal(output.waiting, sent);
    assert_int_equal(ks_output_queue_send(&output, ends[0]), KS_MORE); /* more than a socket takes */
    while (received < sent) {
        uint8_t piece[5000];
        ssize_t got = read(ends[1], piece, sizeof piece);
        assert_true(got > 0);
        for (ssize_t j = 0; j < got; j++)
            assert_int_equal(piece[j], (uint8_t)((received + (size_t)j) * 7));
        received += (size_t)got;
        assert_int_not_equal(ks_output_queue_send(&output, ends[0]), KS_IO);
    }
    assert_int_equal(output.waiting, 0);
    assert_null(output.first);
    close(ends[0]);
    close(ends[1]);
}

static void output_to_a_peer_that_is_gone_is_an_error_and_no_signal(void **state)
{
    (void)state;
    int ends[2];
    struct ks_output_queue output = {0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    close(ends[1]);
    assert_int_equal(ks_output_queue_append(&output, "x", 1), KS_OK);
    assert_int_equal(ks_output_queue_send(&output, ends[0]), KS_IO);
    ks_output_queue_clear(&output);
    assert_int_equal(output.waiting, 0);
    close(ends[0]);
}

/* ---- addresses ---- */

static void a_peer_address_of_either_version_is_described_with_its_port(void **state)
{
    (void)state;
    const struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(1234), .sin_addr.s_addr = htonl(0xc0000207)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(4321)};
    struct sockaddr_storage address = {0};
    char text[KS_PEER_TEXT_SIZE];
    memcpy(&address, &v4, sizeof v4);
    struct ks_peer_address peer = ks_peer_address_of(&address);
    ks_peer_address_describe(&peer, text, sizeof text);
    assert_string_equal(text, "192.0.2.7:1234");
    assert_int_equal(inet_pton(AF_INET6, "2001:db8::7", &v6.sin6_addr), 1);
    memcpy(&address, &v6, sizeof v6);
    peer = ks_peer_address_of(&address);
    ks_peer_address_describe(&peer, text, sizeof text);
    assert_string_equal(text, "[2001:db8::7]:4321");
}

static void an_ipv4_peer_is_the_same_by_either_version(void **state)
{
    (void)state;
    const struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(1234), .sin_addr.s_addr = htonl(0xc0000207)};
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(1234)};
    struct sockaddr_storage addresses[2] = {{0}};
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.7", &mapped.sin6_addr), 1);
    memcpy(&addresses[0], &v4, sizeof v4);
    memcpy(&addresses[1], &mapped, sizeof mapped);
    const struct ks_peer_address one = ks_peer_address_of(&addresses[0]);
    const struct ks_peer_address other = ks_peer_address_of(&addresses[1]);
    assert_memory_equal(one.bytes, other.bytes, sizeof one.bytes);
}

static void a_peer_at_a_socket_in_the_file_system_is_this_machine(void **state)
{
    (void)state;
    static const uint8_t zeros[KS_PEER_ADDRESS_SIZE];
    const struct sockaddr_storage address = {.ss_family = AF_UNIX};
    const struct ks_peer_address peer = ks_peer_address_of(&address);
    char text[KS_PEER_TEXT_SIZE];
    ks_peer_address_describe(&peer, text, sizeof text);
    assert_true(peer.is_local);
    assert_memory_equal(peer.bytes, zeros, sizeof zeros);
    assert_string_equal(text, "this machine");
}

/* ---- lists ---- */

struct links_of_three {
    _Atomic unsigned known;
    struct ks_connection_lists lists;
    struct ks_connection_links links[3];
};

static void whoever_is_doomed_while_dirty_is_taken_once_and_as_doomed(void **state)
{
    (void)state;
    struct links_of_three three = {0};
    ks_connection_lists_init(&three.lists, &three.known);
    ks_connection_lists_add_dirty(&three.lists, &three.links[0]);
    ks_connection_lists_add_doomed(&three.lists, &three.links[0]);
    ks_connection_lists_add_dirty(&three.lists, &three.links[0]);
    assert_null(ks_connection_lists_take_doomed(&three.lists));
    assert_null(ks_connection_lists_take_dirty(&three.lists));
    assert_ptr_equal(ks_connection_lists_take_doomed(&three.lists), &three.links[0]);
    assert_true(ks_connection_lists_are_worked_off(&three.lists));
}

static void nobody_is_taken_as_doomed_while_somebody_is_ready(void **state)
{
    (void)state;
    struct links_of_three three = {0};
    ks_connection_lists_init(&three.lists, &three.known);
    ks_connection_lists_add_doomed(&three.lists, &three.links[0]);
    ks_connection_lists_add_ready(&three.lists, &three.links[1]);
    ks_connection_lists_add_ready(&three.lists, &three.links[1]);
    assert_null(ks_connection_lists_take_doomed(&three.lists));
    assert_ptr_equal(ks_connection_lists_take_ready(&three.lists), &three.links[1]);
    assert_null(ks_connection_lists_take_ready(&three.lists));
    assert_ptr_equal(ks_connection_lists_take_doomed(&three.lists), &three.links[0]);
}

static void the_longest_idle_is_found_after_others_have_left(void **state)
{
    (void)state;
    struct links_of_three three = {0};
    ks_connection_lists_init(&three.lists, &three.known);
    for (size_t i = 0; i < KS_COUNT_OF(three.links); i++)
        ks_connection_lists_enter_idle(&three.lists, &three.links[i], 10 * (i + 1));
    ks_connection_lists_leave_idle(&three.lists, &three.links[1]);
    assert_ptr_equal(ks_connection_lists_longest_idle(&three.lists, KS_STANDING_KNOWN), &three.links[0]);
    ks_connection_lists_add_doomed(&three.lists, &three.links[0]);
    assert_ptr_equal(ks_connection_lists_longest_idle(&three.lists, KS_STANDING_KNOWN), &three.links[2]);
    assert_int_equal(atomic_load(&three.lists.oldest_idle_ms[KS_STANDING_SILENT]), 30);
}

static void those_who_are_known_are_counted(void **state)
{
    (void)state;
    struct links_of_three three = {0};
    ks_connection_lists_init(&three.lists, &three.known);
    ks_connection_lists_set_standing(&three.lists, &three.links[0], KS_STANDING_KNOWN, 1);
    ks_connection_lists_set_standing(&three.lists, &three.links[0], KS_STANDING_KNOWN, 2);
    ks_connection_lists_set_standing(&three.lists, &three.links[1], KS_STANDING_STRANGER, 3);
    assert_int_equal(atomic_load(&three.known), 1);
    ks_connection_lists_set_standing(&three.lists, &three.links[0], KS_STANDING_SILENT, 4);
    assert_int_equal(atomic_load(&three.known), 0);
}

/* ---- pulse ---- */

static void a_pulse_is_felt_while_every_executor_runs(void **state)
{
    (void)state;
    struct unit_executor executors[3];
    struct ks_pulse pulse = {.count = 0};
    for (size_t i = 0; i < KS_COUNT_OF(executors); i++) {
        unit_executor_init(&executors[i]);
        ks_pulse_add(&pulse, &executors[i].executor);
    }
    for (unsigned round = 0; round < 3; round++) {
        assert_true(ks_pulse_feel(&pulse));
        for (size_t i = 0; i < KS_COUNT_OF(executors); i++)
            assert_int_equal(unit_executor_run(&executors[i]), 1);
    }
}

static void no_pulse_is_felt_until_the_last_executor_has_run(void **state)
{
    (void)state;
    struct unit_executor runs;
    struct unit_executor hangs;
    struct ks_pulse pulse = {.count = 0};
    unit_executor_init(&runs);
    unit_executor_init(&hangs);
    ks_pulse_add(&pulse, &runs.executor);
    ks_pulse_add(&pulse, &hangs.executor);
    assert_true(ks_pulse_feel(&pulse));
    for (unsigned round = 0; round < 3; round++) {
        assert_int_equal(unit_executor_run(&runs), round == 0 ? 1 : 0);
        assert_false(ks_pulse_feel(&pulse));
    }
    assert_int_equal(unit_executor_run(&hangs), 1);
    assert_true(ks_pulse_feel(&pulse));
    unit_executor_run(&runs);
    unit_executor_run(&hangs);
}

/* ---- ebb ---- */

/* Looks once a second at these many connections; returns how often memory was to be given back, and in
 * *last at which look, from 0. */
static unsigned look_at(struct ks_ebb *ebb, const unsigned *connections, size_t count, size_t *last)
{
    unsigned times = 0;
    for (size_t i = 0; i < count; i++)
        if (ks_ebb_look(ebb, connections[i], i * KS_EBB_LOOK_MS)) {
            times++;
            *last = i;
        }
    return times;
}

#define LOOK_AT(ebb, last, ...)                                                                              \
    look_at(ebb, (const unsigned[]){__VA_ARGS__}, KS_COUNT_OF(((const unsigned[]){__VA_ARGS__})), last)

static void memory_goes_back_once_when_more_than_half_of_a_crowd_has_gone(void **state)
{
    (void)state;
    struct ks_ebb ebb = {0};
    size_t last = 0;
    assert_int_equal(LOOK_AT(&ebb, &last, 10, 5000, 10000, 4999, 4999, 4999, 4999, 4999, 4999, 4999), 1);
    assert_int_equal(last, 4);
}

static void memory_stays_while_at_least_half_of_a_crowd_is_there_or_there_was_none(void **state)
{
    (void)state;
    struct ks_ebb half = {0};
    struct ks_ebb few = {0};
    size_t last = 0;
    assert_int_equal(LOOK_AT(&half, &last, 10000, 5000, 5000, 5001, 5000, 5000, 5000, 5000), 0);
    assert_int_equal(LOOK_AT(&few, &last, KS_EBB_CROWD - 1, 0, 0, 0, 0, 0, 0, 0), 0);
}

static void memory_stays_until_the_crowd_no_longer_becomes_smaller(void **state)
{
    (void)state;
    struct ks_ebb ebb = {0};
    size_t last = 0;
    assert_int_equal(LOOK_AT(&ebb, &last, 10000, 4000, 3000, 2000, 1000, 900, 901, 901, 901, 901), 1);
    assert_int_equal(last, 6);
}

static void memory_goes_back_after_every_crowd_but_not_more_often_than_once_in_a_while(void **state)
{
    (void)state;
    struct ks_ebb ebb = {0};
    size_t last = 0;
    const size_t pause = KS_EBB_PAUSE_MS / KS_EBB_LOOK_MS;
    assert_int_equal(LOOK_AT(&ebb, &last, 2000, 0, 0, KS_EBB_CROWD, 0, 0, 0, 0, 0, 0, 0, 0, 0), 2);
    assert_int_equal(last, 2 + pause);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines_expire_once_and_not_before_their_time),
        cmocka_unit_test(a_deadline_that_moves_expires_at_its_last_time),
        cmocka_unit_test(a_deadline_that_is_cleared_never_expires_not_even_by_another_of_the_same_moment),
        cmocka_unit_test(a_wheel_that_slept_for_hours_still_finds_every_deadline),
        cmocka_unit_test(output_arrives_whole_and_in_order_through_a_full_socket),
        cmocka_unit_test(output_to_a_peer_that_is_gone_is_an_error_and_no_signal),
        cmocka_unit_test(a_peer_address_of_either_version_is_described_with_its_port),
        cmocka_unit_test(an_ipv4_peer_is_the_same_by_either_version),
        cmocka_unit_test(a_peer_at_a_socket_in_the_file_system_is_this_machine),
        cmocka_unit_test(whoever_is_doomed_while_dirty_is_taken_once_and_as_doomed),
        cmocka_unit_test(nobody_is_taken_as_doomed_while_somebody_is_ready),
        cmocka_unit_test(the_longest_idle_is_found_after_others_have_left),
        cmocka_unit_test(those_who_are_known_are_counted),
        cmocka_unit_test(a_pulse_is_felt_while_every_executor_runs),
        cmocka_unit_test(no_pulse_is_felt_until_the_last_executor_has_run),
        cmocka_unit_test(memory_goes_back_once_when_more_than_half_of_a_crowd_has_gone),
        cmocka_unit_test(memory_stays_while_at_least_half_of_a_crowd_is_there_or_there_was_none),
        cmocka_unit_test(memory_stays_until_the_crowd_no_longer_becomes_smaller),
        cmocka_unit_test(memory_goes_back_after_every_crowd_but_not_more_often_than_once_in_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
