/* test_worker.c — net/worker.h with real sockets and a service that takes whatever comes: who gets in, and
 * who leaves for it, when all places are taken.
 */
#include "unit/store/store_fixture.h"

#include "net/worker.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LIMIT = 2, CAPACITY = 1024 * 1024 };

struct hall {
    struct ks_log log;
    struct ks_worker_shared shared;
    struct ks_worker *worker;
    struct fixture_call call; /* keeps the worker busy */
    sem_t gate;
    int ends[LIMIT + KS_NEWCOMERS_LIMIT + 1]; /* ours */
    unsigned count;
};

/* Static, for the address sanitizer's stack keeps no alignment to cache lines. */
static struct ks_connection_counts counts;

/* ---- the service ---- */

static bool opened(struct ks_connection *connection, void *service)
{
    connection->session = service;
    ks_connection_set_idle(connection, true);
    return true;
}

static size_t received(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    (void)connection;
    (void)bytes;
    return size;
}

static void is_over(struct ks_connection *connection)
{
    ks_connection_finish(connection);
}

static void closed(struct ks_connection *connection)
{
    (void)connection;
}

static const struct ks_connection_events events = {
    .opened = opened, .received = received, .input_ended = is_over, .deadline = is_over, .closed = closed};

/* ---- the hall ---- */

static int begin(void **state)
{
    struct hall *hall = aligned_alloc(KS_CACHE_LINE, (sizeof *hall / KS_CACHE_LINE + 1) * KS_CACHE_LINE);
    assert_non_null(hall);
    memset(hall, 0, sizeof *hall);
    memset(&counts, 0, sizeof counts);
    hall->log = ks_log_to_stderr(KS_LOG_ERROR);
    hall->shared.clock = ks_clock_system();
    hall->shared.log = &hall->log;
    hall->shared.output_limit = CAPACITY;
    hall->shared.connection_limit = LIMIT;
    ks_crowd_init(&hall->shared.crowd, &(struct ks_hash_key){{0}}, 0, NULL);
    ks_budget_init(&hall->shared.contents, CAPACITY);
    ks_budget_init(&hall->shared.answers, CAPACITY);
    assert_int_equal(ks_worker_start(&hall->shared, 0, &hall->worker), KS_OK);
    assert_int_equal(sem_init(&hall->gate, 0, 0), 0);
    *state = hall;
    return 0;
}

static int end(void **state)
{
    struct hall *hall = *state;
    for (unsigned i = 0; i < hall->count; i++)
        close(hall->ends[i]);
    while (atomic_load(&hall->shared.connection_count) > 0)
        usleep(1000);
    ks_worker_stop(hall->worker);
    while (ks_worker_run_late_tasks(hall->worker))
        ;
    ks_worker_free(hall->worker);
    ks_budget_destroy(&hall->shared.contents);
    ks_budget_destroy(&hall->shared.answers);
    ks_crowd_destroy(&hall->shared.crowd);
    sem_destroy(&hall->gate);
    free(hall);
    return 0;
}

/* As an acceptor does it. */
static enum ks_result come(struct hall *hall)
{
    struct ks_accepted accepted = {
        .peer.ss_family = AF_INET, .events = &events, .service = hall, .counts = &counts};
    const struct ks_peer_address peer = ks_peer_address_of(&accepted.peer);
    int ends[2];
    assert_in_range(hall->count, 0, KS_COUNT_OF(hall->ends) - 1);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    accepted.fd = ends[0];
    assert_int_equal(ks_crowd_enter(&hall->shared.crowd, peer.bytes), KS_OK);
    bool is_full = atomic_fetch_add(&hall->shared.connection_count, 1) >= LIMIT;
    enum ks_result result = ks_worker_hand_over(hall->worker, &accepted, is_full);
    hall->ends[hall->count++] = ends[1];
    if (result != KS_OK) {
        ks_crowd_leave(&hall->shared.crowd, peer.bytes);
        atomic_fetch_sub(&hall->shared.connection_count, 1);
        close(ends[0]);
    }
    return result;
}

/* How many connections have not been closed by the worker. */
static unsigned staying(const struct hall *hall)
{
    unsigned count = 0;
    char byte;
    for (unsigned i = 0; i < hall->count; i++)
        count += recv(hall->ends[i], &byte, 1, MSG_DONTWAIT) != 0;
    return count;
}

static void fill(struct hall *hall)
{
    for (unsigned i = 0; i < LIMIT; i++)
        assert_int_equal(come(hall), KS_OK);
    fixture_call_on(&hall->worker->core.loop.executor, NULL, NULL); /* behind them */
}

static void hold(struct hall *hall)
{
    hall->call = (struct fixture_call){.task.run = fixture_call_run, .function = fixture_hold};
    hall->call.context = &hall->gate;
    assert_int_equal(sem_init(&hall->call.done, 0, 0), 0);
    ks_executor_post(&hall->worker->core.loop.executor, &hall->call.task);
}

static void let_go(struct hall *hall)
{
    sem_post(&hall->gate);
    while (sem_wait(&hall->call.done) != 0)
        ;
    sem_destroy(&hall->call.done);
}

/* ---- tests ---- */

static void newcomers_that_wait_for_room_are_bounded(void **state)
{
    struct hall *hall = *state;
    fill(hall);
    hold(hall);
    for (unsigned i = 0; i < KS_NEWCOMERS_LIMIT; i++)
        assert_int_equal(come(hall), KS_OK);
    assert_int_equal(come(hall), KS_REFUSED);
    let_go(hall);
    while (atomic_load(&hall->shared.connection_count) > LIMIT)
        usleep(1000);
    assert_int_equal(atomic_load(&hall->shared.newcomers), 0);
    assert_int_equal(staying(hall), LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(newcomers_that_wait_for_room_are_bounded, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
