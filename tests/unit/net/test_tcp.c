/* test_tcp.c — what net/tcp promises beyond the contract of a connection (connection_contract.h): to its
 * worker, which ends and evicts connections, and of memory that runs short.
 */
#include "unit/net/tcp_fixture.h"

enum { GUESTS = 4, MUCH = 4 * 1024 * 1024, LINGER_MS = 5000, LAST_OUTPUT_MS = 30000, SECOND_MS = 1000 };

/* ---- memory that runs out ---- */

static bool memory_is_out;

/* The names are the linker's. NOLINTBEGIN(bugprone-reserved-identifier) */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
/* NOLINTEND(bugprone-reserved-identifier) */

void *__wrap_malloc(size_t size)
{
    return memory_is_out ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return memory_is_out ? NULL : __real_calloc(count, size);
}

/* ---- a service whose guests write down what happens ---- */

struct guest {
    struct ks_connection *connection; /* NULL: none, or closed */
    struct ks_accepted accepted;
    int peer; /* its end */
    bool is_refused;
    bool leaves_all; /* it consumes nothing, and pauses */
    bool has_ended;
    bool is_closed;
    unsigned drained;
    size_t received;
    size_t largest;      /* piece */
    struct guest *wakes; /* whom it resumes when it is closed */
};

struct inn {
    struct tcp_fixture *fixture;
    struct guest guests[GUESTS];
};

static bool guest_opened(struct ks_connection *connection, void *service)
{
    struct guest *guest = service;
    guest->connection = connection;
    connection->session = guest;
    return !guest->is_refused;
}

static size_t guest_received(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    struct guest *guest = connection->session;
    (void)bytes;
    if (guest->leaves_all) {
        ks_connection_pause(connection);
        return 0;
    }
    guest->received += size;
    guest->largest = size > guest->largest ? size : guest->largest;
    return size;
}

static void guest_ended(struct ks_connection *connection)
{
    struct guest *guest = connection->session;
    guest->has_ended = true;
    ks_connection_finish(connection);
}

static void guest_drained(struct ks_connection *connection)
{
    struct guest *guest = connection->session;
    guest->drained++;
}

static void guest_closed(struct ks_connection *connection)
{
    struct guest *guest = connection->session;
    guest->is_closed = true;
    guest->connection = NULL;
    if (guest->wakes != NULL)
        ks_connection_resume(guest->wakes->connection);
}

static const struct ks_connection_events guest_events = {.opened = guest_opened,
                                                         .received = guest_received,
                                                         .input_ended = guest_ended,
                                                         .drained = guest_drained,
                                                         .deadline = guest_ended,
                                                         .closed = guest_closed,
                                                         .input_is_secret = true};

static int set_up(void **state)
{
    struct inn *inn = calloc(1, sizeof *inn);
    assert_non_null(inn);
    inn->fixture = tcp_fixture_new();
    for (size_t i = 0; i < GUESTS; i++)
        inn->guests[i].peer = -1;
    *state = inn;
    return 0;
}

static int tear_down(void **state)
{
    struct inn *inn = *state;
    for (size_t i = 0; i < GUESTS; i++)
        if (inn->guests[i].peer >= 0)
            close(inn->guests[i].peer);
    tcp_fixture_free(inn->fixture);
    free(inn);
    return 0;
}

static struct guest *come(struct inn *inn, size_t number)
{
    struct guest *guest = &inn->guests[number];
    guest->accepted = (struct ks_accepted){.events = &guest_events, .service = guest};
    guest->peer = tcp_fixture_connect(&guest->accepted);
    tcp_fixture_open(inn->fixture, &guest->accepted);
    return guest;
}

/* By a socket in the file system. */
static struct guest *come_from_here(struct inn *inn, size_t number)
{
    struct guest *guest = &inn->guests[number];
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    guest->accepted = (struct ks_accepted){
        .fd = ends[0], .peer.ss_family = AF_UNIX, .events = &guest_events, .service = guest};
    guest->peer = ends[1];
    tcp_fixture_open(inn->fixture, &guest->accepted);
    return guest;
}

static void turn(struct inn *inn)
{
    tcp_fixture_turn(inn->fixture);
}

static void await_closed(struct inn *inn, const struct guest *guest)
{
    while (!guest->is_closed)
        turn(inn);
}

static void guest_sends(struct guest *guest, size_t size)
{
    static const uint8_t bytes[16 * 1024] = "secret";
    assert_in_range(size, 1, sizeof bytes);
    assert_int_equal(send(guest->peer, bytes, size, MSG_NOSIGNAL), size);
    tcp_fixture_await_bytes(guest->accepted.fd, (int)size);
}

static void write_to(struct guest *guest, size_t size)
{
    uint8_t *bytes = calloc(1, size);
    assert_non_null(bytes);
    assert_true(ks_connection_write(guest->connection, bytes, size));
    free(bytes);
}

/* Whether the peer sees that the connection is over. */
static bool peer_sees_end(const struct guest *guest)
{
    char piece[1024];
    ssize_t got = 1;
    while (got > 0)
        got = recv(guest->peer, piece, sizeof piece, MSG_DONTWAIT);
    return got == 0;
}

static void take(struct inn *inn, const struct guest *guest, size_t size)
{
    static char piece[64 * 1024];
    while (size > 0) {
        ssize_t got = recv(guest->peer, piece, size < sizeof piece ? size : sizeof piece, 0);
        assert_int_not_equal(got, 0);
        size -= got > 0 ? (size_t)got : 0;
        turn(inn);
    }
}

/* ---- opening ---- */

static void a_connection_is_counted_until_it_is_closed(void **state)
{
    struct inn *inn = *state;
    struct guest *guest = come(inn, 0);
    assert_int_equal(tcp_fixture_connections(inn->fixture), 1);
    ks_connection_abort(guest->connection);
    await_closed(inn, guest);
    assert_int_equal(tcp_fixture_connections(inn->fixture), 0);
    assert_int_equal(atomic_load(&inn->fixture->counts.closed), 1);
    assert_int_equal(atomic_load(&inn->fixture->counts.unwelcome), 0);
}

static void a_connection_that_its_service_refuses_is_closed_and_counted(void **state)
{
    struct inn *inn = *state;
    inn->guests[0].is_refused = true;
    struct guest *guest = come(inn, 0);
    while (tcp_fixture_connections(inn->fixture) > 0)
        turn(inn);
    tcp_fixture_await(guest->peer, POLLIN);
    assert_true(peer_sees_end(guest));
    assert_false(guest->is_closed);
    assert_int_equal(atomic_load(&inn->fixture->counts.unwelcome), 1);
    assert_int_equal(atomic_load(&inn->fixture->counts.closed), 1);
}

static void without_memory_a_connection_is_closed_and_counted_out(void **state)
{
    struct inn *inn = *state;
    struct guest *guest = &inn->guests[0];
    guest->accepted = (struct ks_accepted){.events = &guest_events, .service = guest};
    guest->peer = tcp_fixture_connect(&guest->accepted);
    const struct ks_peer_address peer = ks_peer_address_of(&guest->accepted.peer);
    assert_int_equal(ks_crowd_enter(&inn->fixture->shared.crowd, peer.bytes), KS_OK);
    atomic_fetch_add(&inn->fixture->shared.connection_count, 1);
    atomic_fetch_add(&inn->fixture->core.connection_count, 1);
    guest->accepted.counts = &inn->fixture->counts;
    memory_is_out = true;
    ks_tcp_open(&inn->fixture->core, &guest->accepted);
    memory_is_out = false;
    assert_null(guest->connection);
    assert_int_equal(tcp_fixture_connections(inn->fixture), 0);
    tcp_fixture_await(guest->peer, POLLIN);
    assert_true(peer_sees_end(guest));
}

static void a_peer_is_known_by_its_address(void **state)
{
    static const uint8_t loopback[KS_PEER_ADDRESS_SIZE] = {
        [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}; /* mapped */
    struct inn *inn = *state;
    struct guest *guest = come(inn, 0);
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    char text[KS_PEER_TEXT_SIZE];
    ks_connection_peer_address(guest->connection, address);
    assert_memory_equal(address, loopback, sizeof address);
    ks_connection_describe_peer(guest->connection, text, sizeof text);
    assert_memory_equal(text, "127.0.0.1:", 10);
}

static void a_peer_on_this_machine_has_no_address_and_is_known_for_good(void **state)
{
    static const uint8_t zeros[KS_PEER_ADDRESS_SIZE];
    struct inn *inn = *state;
    struct guest *guest = come_from_here(inn, 0);
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    char text[KS_PEER_TEXT_SIZE];
    ks_connection_peer_address(guest->connection, address);
    assert_memory_equal(address, zeros, sizeof address);
    ks_connection_describe_peer(guest->connection, text, sizeof text);
    assert_string_equal(text, "this machine");
    ks_connection_set_standing(guest->connection, KS_STANDING_SILENT);
    assert_int_equal(atomic_load(&inn->fixture->shared.known_count), 1);
    assert_false(ks_tcp_evict_idle(&inn->fixture->core, KS_STANDING_STRANGER));
}

static void what_a_socket_on_this_machine_has_taken_is_delivered(void **state)
{
    struct inn *inn = *state;
    struct guest *guest = come_from_here(inn, 0);
    write_to(guest, 3);
    assert_int_equal(ks_connection_delivered_up_to(guest->connection), 0);
    ks_connection_flush(guest->connection);
    assert_int_equal(ks_connection_delivered_up_to(guest->connection), 3);
}

static void bytes_are_counted_both_ways(void **state)
{
    struct inn *inn = *state;
    struct guest *guest = come(inn, 0);
    guest_sends(guest, 100);
    while (guest->received < 100)
        turn(inn);
    write_to(guest, 200);
    take(inn, guest, 200);
    assert_int_equal(ks_counted(&inn->fixture->core.counts.received), 100);
    assert_int_equal(ks_counted(&inn->fixture->core.counts.sent), 200);
}

/* ---- endings ---- */

static void a_peer_that_never_ends_is_closed_after_some_seconds(void **state)
{
    struct inn *inn = *state;
    struct guest *guest = come(inn, 0);
    ks_connection_finish(guest->connection);
    tcp_fixture_pass(inn->fixture, LINGER_MS / 2);
    assert_false(guest->is_closed);
    tcp_fixture_pass(inn->fixture, LINGER_MS);
    await_closed(inn, guest);
    assert_false(guest->has_ended);
}

static void a_peer_that_takes_nothing_loses_the_last_output(void **state)
{
    struct inn *inn = *state;
    struct guest *guest = come(inn, 0);
    write_to(guest, MUCH);
    ks_connection_finish(guest->connection);
    tcp_fixture_pass(inn->fixture, LAST_OUTPUT_MS / 2);
    assert_false(guest->is_closed);
    tcp_fixture_pass(inn->fixture, LAST_OUTPUT_MS);
    await_closed(inn, guest);
}

static void an_end_that_is_wanted_is_waited_for_a_second(void **state)
{
    struct inn *inn = *state;
    struct guest *guest = come(inn, 0);
    ks_connection_want_end(guest->connection, true);
    ks_connection_abort(guest->connection);
    turn(inn);
    assert_false(guest->is_closed);
    tcp_fixture_pass(inn->fixture, 2 * SECOND_MS);
    await_closed(inn, guest);
    assert_false(guest->has_ended);
}

static void who_is_resumed_by_anothers_end_is_offered_what_it_left(void **state)
{
    struct inn *inn = *state;
    struct guest *waits = come(inn, 0);
    struct guest *goes = come(inn, 1);
    waits->leaves_all = true;
    guest_sends(waits, 10);
    while (inn->fixture->core.counts.received == 0)
        turn(inn);
    waits->leaves_all = false;
    goes->wakes = waits;
    ks_connection_abort(goes->connection);
    await_closed(inn, goes);
    assert_int_equal(waits->received, 10);
}

static void of_two_that_end_together_one_may_resume_the_other(void **state)
{
    struct inn *inn = *state;
    struct guest *resumed = come(inn, 0);
    struct guest *resumes = come(inn, 1);
    ks_connection_pause(resumed->connection);
    resumes->wakes = resumed;
    ks_connection_abort(resumed->connection);
    ks_connection_abort(resumes->connection); /* the last comes first */
    await_closed(inn, resumes);
    await_closed(inn, resumed);
}

/* ---- what the worker asks for ---- */

static void the_longest_idle_of_the_lowest_standing_is_evicted(void **state)
{
    struct inn *inn = *state;
    for (size_t i = 0; i < GUESTS; i++)
        come(inn, i);
    ks_connection_set_standing(inn->guests[0].connection, KS_STANDING_KNOWN);
    ks_connection_set_standing(inn->guests[1].connection, KS_STANDING_STRANGER);
    ks_connection_set_standing(inn->guests[2].connection, KS_STANDING_STRANGER);
    ks_connection_set_idle(inn->guests[3].connection, false); /* silent, but busy */
    ks_connection_set_idle(inn->guests[1].connection, true);  /* idle since now */
    static const size_t order[] = {2, 1, 0};
    for (size_t i = 0; i < KS_COUNT_OF(order); i++) {
        assert_true(ks_tcp_evict_idle(&inn->fixture->core, KS_STANDING_KNOWN));
        await_closed(inn, &inn->guests[order[i]]);
        assert_int_equal(tcp_fixture_connections(inn->fixture), GUESTS - 1 - i);
    }
    assert_false(ks_tcp_evict_idle(&inn->fixture->core, KS_STANDING_KNOWN));
    assert_int_equal(ks_counted(&inn->fixture->core.counts.evicted), KS_COUNT_OF(order));
    assert_false(inn->guests[3].is_closed);
}

static void nobody_above_the_standing_is_evicted(void **state)
{
    struct inn *inn = *state;
    struct guest *guest = come(inn, 0);
    ks_connection_set_standing(guest->connection, KS_STANDING_KNOWN);
    assert_false(ks_tcp_evict_idle(&inn->fixture->core, KS_STANDING_STRANGER));
    turn(inn);
    assert_false(guest->is_closed);
}

static void whoever_is_evicted_counts_no_more_as_known(void **state)
{
    struct inn *inn = *state;
    struct guest *guest = come(inn, 0);
    ks_connection_want_end(guest->connection, true); /* so that it stays for a while */
    ks_connection_set_standing(guest->connection, KS_STANDING_KNOWN);
    assert_int_equal(atomic_load(&inn->fixture->shared.known_count), 1);
    assert_true(ks_tcp_evict_idle(&inn->fixture->core, KS_STANDING_KNOWN));
    assert_int_equal(atomic_load(&inn->fixture->shared.known_count), 0);
    assert_false(ks_tcp_evict_idle(&inn->fixture->core, KS_STANDING_KNOWN));
}

static void since_when_the_oldest_is_idle_may_be_read(void **state)
{
    struct inn *inn = *state;
    const _Atomic uint64_t *oldest_ms = inn->fixture->core.lists.oldest_idle_ms;
    assert_true(atomic_load(&oldest_ms[KS_STANDING_SILENT]) == UINT64_MAX);
    struct guest *guest = come(inn, 0);
    assert_true(atomic_load(&oldest_ms[KS_STANDING_SILENT]) < UINT64_MAX);
    ks_connection_set_standing(guest->connection, KS_STANDING_INCOMPLETE);
    assert_true(atomic_load(&oldest_ms[KS_STANDING_SILENT]) == UINT64_MAX);
    assert_true(atomic_load(&oldest_ms[KS_STANDING_INCOMPLETE]) < UINT64_MAX);
    ks_connection_set_idle(guest->connection, false);
    assert_true(atomic_load(&oldest_ms[KS_STANDING_INCOMPLETE]) == UINT64_MAX);
}

static void an_orderly_end_spares_who_is_busy(void **state)
{
    struct inn *inn = *state;
    struct guest *idle = come(inn, 0);
    struct guest *busy = come(inn, 1);
    ks_connection_set_idle(busy->connection, false);
    ks_tcp_end_connections(&inn->fixture->core, false);
    await_closed(inn, idle);
    assert_false(busy->is_closed);
    ks_tcp_end_connections(&inn->fixture->core, true);
    await_closed(inn, busy);
}

static void while_quiescing_whoever_becomes_idle_is_finished(void **state)
{
    struct inn *inn = *state;
    struct guest *busy = come(inn, 0);
    ks_connection_set_idle(busy->connection, false);
    inn->fixture->core.quiescing = true;
    write_to(busy, 3);
    ks_connection_set_idle(busy->connection, true);
    take(inn, busy, 3);
    tcp_fixture_pass(inn->fixture, SECOND_MS); /* it lingers for less */
    await_closed(inn, busy);
}

static void while_quiescing_whoever_comes_is_finished(void **state)
{
    struct inn *inn = *state;
    inn->fixture->core.quiescing = true;
    struct guest *guest = come(inn, 0);
    tcp_fixture_pass(inn->fixture, SECOND_MS);
    await_closed(inn, guest);
}

static void ticks_run_only_while_they_are_needed(void **state)
{
    struct inn *inn = *state;
    struct guest *guest = come(inn, 0);
    assert_false(inn->fixture->core.ticking);
    ks_connection_set_deadline(guest->connection, SECOND_MS);
    assert_true(inn->fixture->core.ticking);
    ks_connection_set_deadline(guest->connection, 0);
    while (inn->fixture->core.ticking)
        turn(inn);
    ks_connection_set_reminder(guest->connection, SECOND_MS);
    assert_true(inn->fixture->core.ticking);
    tcp_fixture_pass(inn->fixture, 2 * SECOND_MS);
    while (inn->fixture->core.ticking)
        turn(inn);
}

static void after_a_standstill_input_is_read_before_a_deadline_counts(void **state)
{
    struct inn *inn = *state;
    struct guest *guest = come(inn, 0);
    ks_connection_set_deadline(guest->connection, SECOND_MS);
    turn(inn);
    guest_sends(guest, 5);
    tcp_fixture_await(guest->accepted.fd, POLLIN);
    tcp_fixture_now_ms += 2 * SECOND_MS;
    usleep(2 * KS_DEADLINE_TICK_MS * 1000); /* for libuv, too, a tick is due when it turns */
    turn(inn);
    assert_int_equal(guest->received, 5);
    assert_false(guest->has_ended);
    while (!guest->has_ended) /* nothing has moved the deadline */
        turn(inn);
}

/* As on a machine with too much to do; a peer may not live longer for that. */
static void where_every_tick_is_late_deadlines_pass_all_the_same(void **state)
{
    enum { TURNS = 10 };
    struct inn *inn = *state;
    struct guest *guest = come(inn, 0);
    ks_connection_set_deadline(guest->connection, 1);
    for (int i = 0; i < TURNS && !guest->has_ended; i++) {
        tcp_fixture_now_ms += 3 * KS_DEADLINE_TICK_MS;
        usleep(2 * KS_DEADLINE_TICK_MS * 1000); /* a tick is due in each turn */
        turn(inn);
    }
    assert_true(guest->has_ended);
}

/* ---- memory ---- */

static void with_much_output_of_all_little_of_one_is_full(void **state)
{
    struct inn *inn = *state;
    struct guest *guest = come(inn, 0);
    inn->fixture->shared.output_limit = KS_OUTPUT_SHORT;
    write_to(guest, KS_OUTPUT_SHORT);
    assert_false(ks_connection_output_is_full(guest->connection));
    write_to(guest, KS_OUTPUT_SHORT);
    assert_true(ks_connection_output_is_full(guest->connection));
    take(inn, guest, 2 * (size_t)KS_OUTPUT_SHORT);
    assert_int_equal(guest->drained, 1); /* though the low-water mark was never passed */
    assert_false(ks_connection_output_is_full(guest->connection));
}

static void with_much_output_of_all_input_is_read_in_small_pieces(void **state)
{
    struct inn *inn = *state;
    struct guest *guest = come(inn, 0);
    inn->fixture->shared.output_limit = 0;
    atomic_store(&inn->fixture->shared.output, 1);
    guest_sends(guest, 3 * (size_t)KS_OUTPUT_SHORT);
    while (guest->received < 3 * (size_t)KS_OUTPUT_SHORT)
        turn(inn);
    assert_in_range(guest->largest, 1, KS_OUTPUT_SHORT);
    atomic_store(&inn->fixture->shared.output, 0);
}

static void input_that_is_kept_counts_with_the_output_of_all(void **state)
{
    struct inn *inn = *state;
    struct guest *guest = come(inn, 0);
    guest->leaves_all = true;
    guest_sends(guest, 3 * (size_t)KS_OUTPUT_SHORT);
    while (atomic_load(&inn->fixture->shared.output) == 0)
        turn(inn);
    guest->leaves_all = false;
    ks_connection_resume(guest->connection);
    while (guest->received == 0)
        turn(inn);
    assert_int_equal(atomic_load(&inn->fixture->shared.output), 0);
}

static void secret_input_is_wiped_when_it_was_consumed(void **state)
{
    struct inn *inn = *state;
    struct guest *guest = come(inn, 0);
    guest_sends(guest, 100);
    while (guest->received < 100)
        turn(inn);
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(inn->fixture->core.scratch[i], 0);
}

static void without_memory_to_write_the_connection_ends_later(void **state)
{
    struct inn *inn = *state;
    struct guest *guest = come(inn, 0);
    memory_is_out = true;
    assert_false(ks_connection_write(guest->connection, "x", 1));
    memory_is_out = false;
    assert_false(guest->is_closed);
    assert_true(ks_connection_write(guest->connection, "x", 1)); /* ignored */
    await_closed(inn, guest);
}

static void without_memory_to_keep_input_the_connection_ends(void **state)
{
    struct inn *inn = *state;
    struct guest *guest = come(inn, 0);
    guest->leaves_all = true;
    guest_sends(guest, 10);
    memory_is_out = true;
    while (!guest->is_closed)
        turn(inn);
    memory_is_out = false;
}

static void without_memory_for_a_reminder_the_connection_ends(void **state)
{
    struct inn *inn = *state;
    struct guest *guest = come(inn, 0);
    memory_is_out = true;
    ks_connection_set_reminder(guest->connection, SECOND_MS);
    memory_is_out = false;
    await_closed(inn, guest);
}

#define TCP_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TCP_TEST(a_connection_is_counted_until_it_is_closed),
        TCP_TEST(a_connection_that_its_service_refuses_is_closed_and_counted),
        TCP_TEST(without_memory_a_connection_is_closed_and_counted_out),
        TCP_TEST(a_peer_is_known_by_its_address),
        TCP_TEST(a_peer_on_this_machine_has_no_address_and_is_known_for_good),
        TCP_TEST(what_a_socket_on_this_machine_has_taken_is_delivered),
        TCP_TEST(bytes_are_counted_both_ways),
        TCP_TEST(a_peer_that_never_ends_is_closed_after_some_seconds),
        TCP_TEST(a_peer_that_takes_nothing_loses_the_last_output),
        TCP_TEST(an_end_that_is_wanted_is_waited_for_a_second),
        TCP_TEST(who_is_resumed_by_anothers_end_is_offered_what_it_left),
        TCP_TEST(of_two_that_end_together_one_may_resume_the_other),
        TCP_TEST(the_longest_idle_of_the_lowest_standing_is_evicted),
        TCP_TEST(nobody_above_the_standing_is_evicted),
        TCP_TEST(whoever_is_evicted_counts_no_more_as_known),
        TCP_TEST(since_when_the_oldest_is_idle_may_be_read),
        TCP_TEST(an_orderly_end_spares_who_is_busy),
        TCP_TEST(while_quiescing_whoever_becomes_idle_is_finished),
        TCP_TEST(while_quiescing_whoever_comes_is_finished),
        TCP_TEST(ticks_run_only_while_they_are_needed),
        TCP_TEST(after_a_standstill_input_is_read_before_a_deadline_counts),
        TCP_TEST(where_every_tick_is_late_deadlines_pass_all_the_same),
        TCP_TEST(with_much_output_of_all_little_of_one_is_full),
        TCP_TEST(with_much_output_of_all_input_is_read_in_small_pieces),
        TCP_TEST(input_that_is_kept_counts_with_the_output_of_all),
        TCP_TEST(secret_input_is_wiped_when_it_was_consumed),
        TCP_TEST(without_memory_to_write_the_connection_ends_later),
        TCP_TEST(without_memory_to_keep_input_the_connection_ends),
        TCP_TEST(without_memory_for_a_reminder_the_connection_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
