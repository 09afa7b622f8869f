/* test_worker.c — net/worker.h with real sockets and a service that takes whatever comes: who gets in, and
 * who leaves for it, when all places are taken; tasks, work for the pool, and the end.
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
    bool comes_busy;          /* whoever comes has something in flight */
    _Atomic bool heard;       /* somebody said something */
    enum ks_standing comes_as;
    struct ks_connection *guests[LIMIT + KS_NEWCOMERS_LIMIT + 1]; /* the worker's thread */
    _Atomic unsigned opened;
    sem_t gate;
    int ends[LIMIT + KS_NEWCOMERS_LIMIT + 1]; /* ours */
    unsigned count;
};

/* Static, for the address sanitizer's stack keeps no alignment to cache lines. */
static struct ks_connection_counts counts;

/* ---- the service ---- */

static bool opened(struct ks_connection *connection, void *service)
{
    struct hall *hall = service;
    connection->session = service;
    hall->guests[hall->opened++] = connection;
    ks_connection_set_standing(connection, hall->comes_as);
    ks_connection_set_idle(connection, !hall->comes_busy);
    return true;
}

static size_t received(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    struct hall *hall = connection->session;
    (void)bytes;
    hall->heard = true;
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
    bool is_full =
        atomic_fetch_add(&hall->shared.connection_count, 1) >= atomic_load(&hall->shared.connection_limit);
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

static void fence(struct hall *hall)
{
    fixture_call_on(&hall->worker->core.loop.executor, NULL, NULL);
}

/* Until there are so many; those that have gone are closed then, too, which comes after the count. */
static void await_connections(struct hall *hall, unsigned count)
{
    while (atomic_load(&hall->shared.connection_count) != count)
        usleep(1000);
    fence(hall);
}

/* Whether the worker has closed the end that came as this one. */
static bool has_left(const struct hall *hall, unsigned number)
{
    char byte;
    return recv(hall->ends[number], &byte, 1, MSG_DONTWAIT) == 0;
}

static void be_busy(void *context)
{
    const struct hall *hall = context;
    for (unsigned i = 0; i < hall->opened; i++)
        ks_connection_set_idle(hall->guests[i], false);
}

static void become_idle(void *context)
{
    const struct hall *hall = context;
    for (unsigned i = 0; i < hall->opened; i++)
        ks_connection_set_idle(hall->guests[i], true);
}

/* ---- who gets in ---- */

static void newcomers_that_wait_for_room_are_bounded(void **state)
{
    struct hall *hall = *state;
    fill(hall);
    hold(hall);
    for (unsigned i = 0; i < KS_NEWCOMERS_LIMIT; i++)
        assert_int_equal(come(hall), KS_OK);
    assert_int_equal(come(hall), KS_REFUSED);
    let_go(hall);
    await_connections(hall, LIMIT);
    assert_int_equal(atomic_load(&hall->shared.newcomers), 0);
    assert_int_equal(staying(hall), LIMIT);
}

static void a_socket_that_is_handed_over_becomes_a_connection(void **state)
{
    struct hall *hall = *state;
    assert_int_equal(come(hall), KS_OK);
    fence(hall);
    assert_int_equal(hall->opened, 1);
    assert_int_equal(atomic_load(&hall->worker->core.connection_count), 1);
    assert_int_equal(staying(hall), 1);
}

static void a_newcomer_takes_the_place_of_the_longest_idle(void **state)
{
    struct hall *hall = *state;
    fill(hall);
    assert_int_equal(come(hall), KS_OK);
    await_connections(hall, LIMIT);
    while (hall->opened <= LIMIT)
        fence(hall);
    assert_true(has_left(hall, 0));
    assert_int_equal(staying(hall), LIMIT);
    assert_int_equal(ks_counted(&hall->worker->core.counts.evicted), 1);
}

static void where_nobody_is_idle_a_newcomer_is_refused_and_its_socket_stays_the_callers(void **state)
{
    struct hall *hall = *state;
    hall->comes_busy = true;
    fill(hall);
    assert_int_equal(come(hall), KS_REFUSED); /* which closes it then */
    assert_int_equal(atomic_load(&hall->worker->core.connection_count), LIMIT);
    assert_int_equal(atomic_load(&hall->shared.newcomers), 0);
    assert_int_equal(staying(hall), LIMIT);
}

static void whoever_is_known_does_not_leave_while_few_are(void **state)
{
    struct hall *hall = *state;
    hall->shared.connection_limit = 4 * LIMIT; /* of which three quarters are theirs */
    hall->comes_as = KS_STANDING_KNOWN;
    fill(hall);
    hall->shared.connection_count += 3 * LIMIT; /* others, elsewhere */
    assert_int_equal(come(hall), KS_REFUSED);
    hall->shared.connection_count -= 3 * LIMIT;
    assert_int_equal(staying(hall), LIMIT);
}

static void whoever_is_known_leaves_where_these_hold_more_than_their_part(void **state)
{
    struct hall *hall = *state;
    hall->comes_as = KS_STANDING_KNOWN;
    fill(hall);
    atomic_fetch_add(&hall->shared.known_count, 1); /* another, elsewhere */
    assert_int_equal(come(hall), KS_OK);
    await_connections(hall, LIMIT);
    atomic_fetch_sub(&hall->shared.known_count, 1);
    assert_true(has_left(hall, 0));
}

static void where_there_is_room_meanwhile_nobody_leaves(void **state)
{
    struct hall *hall = *state;
    fill(hall);
    hold(hall);
    assert_int_equal(come(hall), KS_OK);
    atomic_store(&hall->shared.connection_limit, LIMIT + 1);
    let_go(hall);
    while (atomic_load(&hall->shared.newcomers) > 0)
        usleep(1000);
    while (hall->opened <= LIMIT)
        fence(hall);
    assert_int_equal(staying(hall), LIMIT + 1);
    assert_int_equal(ks_counted(&hall->worker->core.counts.evicted), 0);
}

static void where_nobody_is_idle_any_more_the_newcomer_is_turned_away(void **state)
{
    struct hall *hall = *state;
    struct fixture_call busy = {.task.run = fixture_call_run, .function = be_busy, .context = hall};
    assert_int_equal(sem_init(&busy.done, 0, 0), 0);
    fill(hall);
    hold(hall);
    ks_executor_post(&hall->worker->core.loop.executor, &busy.task); /* before the newcomer finds one */
    assert_int_equal(come(hall), KS_OK);
    let_go(hall);
    await_connections(hall, LIMIT);
    while (sem_wait(&busy.done) != 0)
        ;
    sem_destroy(&busy.done);
    while (!has_left(hall, LIMIT))
        usleep(1000);
    assert_int_equal(staying(hall), LIMIT);
    assert_int_equal(atomic_load(&counts.too_many), 1);
    assert_int_equal(atomic_load(&hall->shared.newcomers), 0);
    assert_int_equal(atomic_load(&hall->worker->core.connection_count), LIMIT);
}

/* ---- tasks and work ---- */

struct trace {
    struct ks_task tasks[3];
    unsigned order[3];
    unsigned count;
    pthread_t thread;
};

static struct trace trace; /* the worker's, while it runs */

static void trace_run(struct ks_task *task)
{
    trace.order[trace.count++] = (unsigned)(task - trace.tasks);
    trace.thread = pthread_self();
}

static void tasks_run_on_the_workers_thread_in_the_order_in_which_they_were_posted(void **state)
{
    struct hall *hall = *state;
    memset(&trace, 0, sizeof trace);
    for (unsigned i = 0; i < KS_COUNT_OF(trace.tasks); i++) {
        trace.tasks[i].run = trace_run;
        ks_executor_post(&hall->worker->core.loop.executor, &trace.tasks[i]);
    }
    fence(hall);
    assert_int_equal(trace.count, KS_COUNT_OF(trace.tasks));
    for (unsigned i = 0; i < trace.count; i++)
        assert_int_equal(trace.order[i], i);
    assert_true(pthread_equal(trace.thread, hall->worker->thread));
}

/* A task that the worker posts to itself as long as a guest that speaks is not heard, up to `most` times. */
struct relay {
    struct ks_task task;
    struct hall *hall;
    unsigned most;
    unsigned runs;
    bool heard; /* in the last run */
    sem_t over;
};

static void relay_run(struct ks_task *task)
{
    struct relay *relay = KS_CONTAINER_OF(task, struct relay, task);
    relay->heard = relay->hall->heard;
    if (++relay->runs == relay->most || relay->heard)
        sem_post(&relay->over);
    else
        ks_executor_post(&relay->hall->worker->core.loop.executor, &relay->task);
}

static void relay_begin(void *context)
{
    struct relay *relay = context;
    assert_int_equal(send(relay->hall->ends[0], "x", 1, 0), 1);
    ks_executor_post(&relay->hall->worker->core.loop.executor, &relay->task);
}

static void relay_until_the_guest_is_heard(struct hall *hall, struct relay *relay)
{
    *relay = (struct relay){.task.run = relay_run, .hall = hall, .most = relay->most};
    assert_int_equal(sem_init(&relay->over, 0, 0), 0);
    assert_int_equal(come(hall), KS_OK);
    fence(hall);
    fixture_call_on(&hall->worker->core.loop.executor, relay_begin, relay);
    while (sem_wait(&relay->over) != 0)
        ;
    sem_destroy(&relay->over);
}

static void what_a_worker_posts_to_itself_runs_before_it_looks_at_its_sockets(void **state)
{
    struct relay relay = {.most = 2}; /* a turn of the loop lies between them, where it is woken for each */
    relay_until_the_guest_is_heard(*state, &relay);
    assert_false(relay.heard);
}

static void what_a_worker_posts_to_itself_again_and_again_keeps_no_socket_waiting(void **state)
{
    enum { FOR_EVER = 1000000 };
    struct relay relay = {.most = FOR_EVER};
    relay_until_the_guest_is_heard(*state, &relay);
    assert_in_range(relay.runs, 2, FOR_EVER - 1);
}

struct labour {
    struct ks_offload offload;
    struct ks_loop *loop;
    pthread_t worked_on;
    pthread_t done_on;
    bool inside;
    sem_t done;
};

static void labour_work(struct ks_offload *offload)
{
    KS_CONTAINER_OF(offload, struct labour, offload)->worked_on = pthread_self();
}

static void labour_done(struct ks_offload *offload)
{
    struct labour *labour = KS_CONTAINER_OF(offload, struct labour, offload);
    labour->done_on = labour->inside ? labour->worked_on : pthread_self();
    sem_post(&labour->done);
}

static void labour_begin(void *context)
{
    struct labour *labour = context;
    labour->inside = true;
    ks_loop_offload(labour->loop, &labour->offload);
    labour->inside = false;
}

static void what_is_offloaded_is_worked_elsewhere_and_done_later_on_the_loop(void **state)
{
    struct hall *hall = *state;
    struct labour labour = {.offload = {.work = labour_work, .done = labour_done},
                            .loop = &hall->worker->core.loop};
    assert_int_equal(sem_init(&labour.done, 0, 0), 0);
    fixture_call_on(&hall->worker->core.loop.executor, labour_begin, &labour);
    while (sem_wait(&labour.done) != 0)
        ;
    sem_destroy(&labour.done);
    assert_true(pthread_equal(labour.done_on, hall->worker->thread));
    assert_false(pthread_equal(labour.worked_on, hall->worker->thread));
    assert_int_equal(ks_counted(&hall->worker->core.counts.offloaded), 1);
    assert_int_equal(ks_counted(&hall->worker->core.counts.offloads_done), 1);
}

/* ---- the end ---- */

static void quiescing_ends_the_idle_at_once_and_the_busy_when_they_are(void **state)
{
    struct hall *hall = *state;
    assert_int_equal(come(hall), KS_OK);
    fence(hall);
    fixture_call_on(&hall->worker->core.loop.executor, be_busy, hall);
    assert_int_equal(come(hall), KS_OK);
    fence(hall);
    ks_worker_quiesce(hall->worker);
    await_connections(hall, 1);
    assert_true(has_left(hall, 1));
    assert_false(has_left(hall, 0));
    hall->opened = 1; /* the other is gone */
    fixture_call_on(&hall->worker->core.loop.executor, become_idle, hall);
    close(hall->ends[0]);
    hall->ends[0] = dup(hall->ends[1]);
    await_connections(hall, 0);
}

static void end_all_ends_the_busy_too(void **state)
{
    struct hall *hall = *state;
    hall->comes_busy = true;
    fill(hall);
    ks_worker_end_all(hall->worker);
    await_connections(hall, 0);
    assert_int_equal(staying(hall), 0);
}

static void what_was_posted_before_the_stop_runs_before_it_ends(void **state)
{
    struct hall *hall = *state;
    struct ks_worker *worker = NULL;
    memset(&trace, 0, sizeof trace);
    assert_int_equal(ks_worker_start(&hall->shared, 1, &worker), KS_OK);
    trace.tasks[0].run = trace_run;
    trace.tasks[1].run = trace_run;
    ks_executor_post(&worker->core.loop.executor, &trace.tasks[0]);
    ks_worker_stop(worker);
    assert_int_equal(trace.count, 1);
    ks_executor_post(&worker->core.loop.executor, &trace.tasks[1]);
    assert_true(ks_worker_run_late_tasks(worker));
    assert_int_equal(trace.count, 2);
    assert_false(ks_worker_run_late_tasks(worker));
    ks_worker_free(worker);
}

#define WORKER_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(newcomers_that_wait_for_room_are_bounded),
        WORKER_TEST(a_socket_that_is_handed_over_becomes_a_connection),
        WORKER_TEST(a_newcomer_takes_the_place_of_the_longest_idle),
        WORKER_TEST(where_nobody_is_idle_a_newcomer_is_refused_and_its_socket_stays_the_callers),
        WORKER_TEST(whoever_is_known_does_not_leave_while_few_are),
        WORKER_TEST(whoever_is_known_leaves_where_these_hold_more_than_their_part),
        WORKER_TEST(where_there_is_room_meanwhile_nobody_leaves),
        WORKER_TEST(where_nobody_is_idle_any_more_the_newcomer_is_turned_away),
        WORKER_TEST(tasks_run_on_the_workers_thread_in_the_order_in_which_they_were_posted),
        WORKER_TEST(what_a_worker_posts_to_itself_runs_before_it_looks_at_its_sockets),
        WORKER_TEST(what_a_worker_posts_to_itself_again_and_again_keeps_no_socket_waiting),
        WORKER_TEST(what_is_offloaded_is_worked_elsewhere_and_done_later_on_the_loop),
        WORKER_TEST(quiescing_ends_the_idle_at_once_and_the_busy_when_they_are),
        WORKER_TEST(end_all_ends_the_busy_too),
        WORKER_TEST(what_was_posted_before_the_stop_runs_before_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
