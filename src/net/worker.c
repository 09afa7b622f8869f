/* worker.c — see worker.h. All but start, hand-over, evict, quiesce and stop runs on the worker's own thread.
 */
#include "net/worker.h"

#include "net/provision.h"

#include "net/tcp/tcp.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ks_worker *worker_of_executor(struct ks_executor *executor)
{
    return KS_CONTAINER_OF(KS_CONTAINER_OF(executor, struct ks_loop, executor), struct ks_worker, loop);
}

static void worker_post(struct ks_executor *executor, struct ks_task *task)
{
    struct ks_worker *worker = worker_of_executor(executor);
    if (ks_mailbox_put(&worker->mailbox, task))
        uv_async_send(&worker->wake);
}

static bool run_mailbox(struct ks_worker *worker)
{
    struct ks_task *task = ks_mailbox_take(&worker->mailbox);
    bool any = task != NULL;
    while (task != NULL) {
        struct ks_task *next = task->next;
        task->run(task);
        task = next;
    }
    return any;
}

static void on_wake(uv_async_t *wake)
{
    run_mailbox(wake->data);
}

static void on_prepare(uv_prepare_t *prepare)
{
    ks_tcp_work_off(prepare->data);
}

/* ---- deadlines ---- */

static void deadline_expired(struct ks_deadline *deadline, void *context)
{
    (void)context;
    ks_tcp_deadline_passed(deadline);
}

static void reminder_expired(struct ks_deadline *reminder, void *context)
{
    (void)context;
    ks_tcp_reminder_passed(reminder);
}

static void on_tick(uv_timer_t *ticks)
{
    struct ks_worker *worker = ticks->data;
    ks_deadline_wheel_advance(&worker->wheel, uv_now(&worker->uv), deadline_expired, NULL);
    ks_tcp_check_deliveries(worker);
    ks_deadline_wheel_advance(&worker->reminders, uv_now(&worker->uv), reminder_expired, NULL);
    if (worker->wheel.count == 0 && worker->watching == NULL) {
        uv_timer_stop(ticks);
        worker->ticking = false;
    }
}

void ks_worker_need_ticks(struct ks_worker *worker)
{
    if (worker->ticking)
        return;
    /* An empty wheel may have slept; nothing hangs there that a jump could miss, save what was just set. */
    worker->ticking = true;
    uv_timer_start(&worker->ticks, on_tick, KS_DEADLINE_TICK_MS, KS_DEADLINE_TICK_MS);
}

/* ---- offloaded work ---- */

struct offload_job {
    uv_work_t work;
    struct ks_offload *offload;
};

static void job_work(uv_work_t *work)
{
    struct ks_offload *offload = ((struct offload_job *)work->data)->offload;
    offload->work(offload);
}

static void job_done(uv_work_t *work, int status)
{
    (void)status; /* nobody cancels */
    struct offload_job *job = work->data;
    struct ks_offload *offload = job->offload;
    struct ks_worker *worker = KS_CONTAINER_OF(offload->loop, struct ks_worker, loop);
    free(job);
    ks_count(&worker->counts.offloads_done, 1);
    offload->done(offload);
}

static void offload_done_task(struct ks_task *task)
{
    struct ks_offload *offload = KS_CONTAINER_OF(task, struct ks_offload, task);
    offload->done(offload);
}

static void worker_offload(struct ks_loop *loop, struct ks_offload *offload)
{
    struct ks_worker *worker = KS_CONTAINER_OF(loop, struct ks_worker, loop);
    offload->loop = loop;
    struct offload_job *job = malloc(sizeof *job);
    if (job != NULL) {
        job->work.data = job;
        job->offload = offload;
        if (uv_queue_work(&worker->uv, &job->work, job_work, job_done) == 0) {
            ks_count(&worker->counts.offloaded, 1);
            return;
        }
        free(job);
    }
    /* Slower, but done: the work happens here. */
    offload->work(offload);
    offload->task.run = offload_done_task;
    ks_executor_post(&loop->executor, &offload->task);
}

/* ---- hand-over, eviction, quiescing ---- */

/* A connection that came, on its way to its worker. Where all places are taken, it goes first to one of
 * which another has to leave. */
struct hand_over {
    struct ks_task task;
    struct ks_worker *worker;
    int fd;
    struct sockaddr_storage peer;
    const struct ks_connection_events *events;
    void *service;
    struct ks_listener_counts *listener;
    struct ks_worker *evicting; /* where somebody idle was found */
    enum ks_standing standing;  /* of who was found */
    bool has_waited;            /* for those that leave there anyway */
};

static void hand_over_run(struct ks_task *task)
{
    struct hand_over *hand_over = KS_CONTAINER_OF(task, struct hand_over, task);
    ks_tcp_open(hand_over->worker, hand_over->fd, &hand_over->peer, hand_over->events, hand_over->service,
                hand_over->listener);
    free(hand_over);
}

static void hand_over_post(struct hand_over *hand_over)
{
    hand_over->task.run = hand_over_run;
    ks_executor_post(&hand_over->worker->loop.executor, &hand_over->task);
}

enum { STRANGERS_PART = 4 }; /* one in so many connections is never reserved for users and members */

/* Who may make room for a newcomer, which is a stranger: users and members only while they hold more than
 * what is reserved for them. */
static enum ks_standing highest_to_leave(const struct ks_worker_shared *shared, enum ks_standing up_to)
{
    unsigned limit = atomic_load(&shared->connection_limit);
    unsigned reserved = limit - limit / STRANGERS_PART;
    bool may_be_known = atomic_load(&shared->known_count) > reserved;
    return up_to == KS_STANDING_KNOWN && !may_be_known ? KS_STANDING_STRANGER : up_to;
}

static struct ks_worker *with_longest_idle(const struct ks_worker_shared *shared, unsigned standing)
{
    struct ks_worker *with_oldest = NULL;
    uint64_t oldest_ms = UINT64_MAX;
    for (unsigned i = 0; i < shared->worker_count; i++) {
        uint64_t idle_ms =
            atomic_load_explicit(&shared->workers[i]->oldest_idle_ms[standing], memory_order_relaxed);
        if (idle_ms < oldest_ms) {
            oldest_ms = idle_ms;
            with_oldest = shared->workers[i];
        }
    }
    return with_oldest;
}

static void eviction_run(struct ks_task *task);

/* False when nobody is idle. */
static bool begin_eviction(struct hand_over *newcomer)
{
    const struct ks_worker_shared *shared = newcomer->worker->shared;
    const enum ks_standing up_to = highest_to_leave(shared, KS_STANDING_KNOWN);
    struct ks_worker *evicting = NULL;
    unsigned standing = 0;
    while (standing <= up_to && (evicting = with_longest_idle(shared, standing)) == NULL)
        standing++;
    if (evicting == NULL)
        return false;
    newcomer->task.run = eviction_run;
    newcomer->evicting = evicting;
    newcomer->standing = (enum ks_standing)standing;
    newcomer->has_waited = false;
    ks_executor_post(&evicting->loop.executor, &newcomer->task);
    return true;
}

/* Whether too many are connected, which may have passed since the newcomer came. */
static bool lacks_room(const struct ks_worker_shared *shared)
{
    return atomic_load(&shared->connection_count) > atomic_load(&shared->connection_limit);
}

static void eviction_run(struct ks_task *task)
{
    struct hand_over *newcomer = KS_CONTAINER_OF(task, struct hand_over, task);
    struct ks_worker *evicting = newcomer->evicting;
    bool some_are_leaving = evicting->doomed != NULL || evicting->dirty != NULL;
    if (some_are_leaving && !newcomer->has_waited) {
        newcomer->has_waited = true; /* until they are counted out, at the end of this turn */
        ks_executor_post(&evicting->loop.executor, &newcomer->task);
        return;
    }
    /* Of a burst, those before this one may have taken what was not reserved. */
    enum ks_standing highest = highest_to_leave(evicting->shared, newcomer->standing);
    bool has_room = !lacks_room(evicting->shared) || ks_tcp_evict_idle(evicting, highest);
    if (!has_room && begin_eviction(newcomer))
        return;
    atomic_fetch_sub(&evicting->shared->newcomers, 1);
    if (has_room) {
        hand_over_post(newcomer); /* only now, lest it be the one to leave */
    } else {
        ks_tcp_turn_away(newcomer->worker, newcomer->fd, &newcomer->peer, newcomer->listener);
        free(newcomer);
    }
}

/* The first time; false, too, when too many are at it already. */
static bool become_newcomer(struct hand_over *newcomer)
{
    struct ks_worker_shared *shared = newcomer->worker->shared;
    if (atomic_fetch_add(&shared->newcomers, 1) < KS_NEWCOMERS_LIMIT && begin_eviction(newcomer))
        return true;
    atomic_fetch_sub(&shared->newcomers, 1);
    return false;
}

/* The executor holds the newcomer, which gcc's analyser does not see. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

enum ks_result ks_worker_hand_over(struct ks_worker *worker, int fd, const struct sockaddr_storage *peer,
                                   const struct ks_connection_events *events, void *service,
                                   struct ks_listener_counts *listener, bool needs_room)
{
    struct hand_over *hand_over = malloc(sizeof *hand_over);
    if (hand_over == NULL)
        return KS_NO_MEMORY;
    *hand_over = (struct hand_over){.worker = worker,
                                    .fd = fd,
                                    .peer = *peer,
                                    .events = events,
                                    .service = service,
                                    .listener = listener};
    atomic_fetch_add(&worker->connection_count, 1);
    if (!needs_room) {
        hand_over_post(hand_over);
    } else if (!become_newcomer(hand_over)) {
        atomic_fetch_sub(&worker->connection_count, 1);
        free(hand_over);
        return KS_REFUSED;
    }
    return KS_OK;
}

static void quiesce_run(struct ks_task *task)
{
    struct ks_worker *worker = KS_CONTAINER_OF(task, struct ks_worker, quiesce_task);
    worker->quiescing = true;
    ks_tcp_end_connections(worker, false);
}

void ks_worker_quiesce(struct ks_worker *worker)
{
    worker->quiesce_task.run = quiesce_run;
    ks_executor_post(&worker->loop.executor, &worker->quiesce_task);
}

static void end_all_run(struct ks_task *task)
{
    ks_tcp_end_connections(KS_CONTAINER_OF(task, struct ks_worker, end_all_task), true);
}

void ks_worker_end_all(struct ks_worker *worker)
{
    worker->end_all_task.run = end_all_run;
    ks_executor_post(&worker->loop.executor, &worker->end_all_task);
}

/* ---- start and stop ---- */

static void close_run(struct ks_task *task)
{
    struct ks_worker *worker = KS_CONTAINER_OF(task, struct ks_worker, close_task);
    uv_close((uv_handle_t *)&worker->wake, NULL);
    uv_close((uv_handle_t *)&worker->prepare, NULL);
    uv_close((uv_handle_t *)&worker->ticks, NULL);
}

static void *worker_main(void *argument)
{
    struct ks_worker *worker = argument;
    uv_run(&worker->uv, UV_RUN_DEFAULT);
    return NULL;
}

static int start_thread(struct ks_worker *worker, unsigned number)
{
    char name[16];
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&worker->thread, NULL, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure != 0)
        return failure;
    snprintf(name, sizeof name, "worker-%u", number);
    pthread_setname_np(worker->thread, name);
    return 0;
}

static enum ks_result init_loop(struct ks_worker *worker)
{
    if (uv_loop_init(&worker->uv) != 0)
        return KS_IO;
    enum ks_result result = ks_provision_watchers(&worker->uv, worker->shared->descriptors);
    if (result != KS_OK) {
        uv_loop_close(&worker->uv);
        return result;
    }
    if (uv_async_init(&worker->uv, &worker->wake, on_wake) != 0) {
        uv_loop_close(&worker->uv);
        return KS_IO;
    }
    uv_prepare_init(&worker->uv, &worker->prepare); /* these two cannot fail */
    uv_timer_init(&worker->uv, &worker->ticks);
    worker->wake.data = worker;
    worker->prepare.data = worker;
    worker->ticks.data = worker;
    uv_prepare_start(&worker->prepare, on_prepare);
    ks_deadline_wheel_init(&worker->wheel, uv_now(&worker->uv));
    ks_deadline_wheel_init(&worker->reminders, uv_now(&worker->uv));
    return KS_OK;
}

enum ks_result ks_worker_start(struct ks_worker_shared *shared, unsigned number, struct ks_worker **worker)
{
    struct ks_worker *created = aligned_alloc(_Alignof(struct ks_worker), sizeof *created);
    uint8_t *scratch = malloc(KS_WORKER_SCRATCH_SIZE);
    enum ks_result result = KS_NO_MEMORY;
    if (created == NULL || scratch == NULL)
        goto failed;
    memset(created, 0, sizeof *created);
    created->scratch = scratch;
    created->shared = shared;
    created->loop.executor.post = worker_post;
    created->loop.number = number;
    created->loop.clock = shared->clock;
    created->loop.contents = &shared->contents;
    created->loop.answers = &shared->answers;
    created->loop.log = shared->log;
    created->loop.offload = worker_offload;
    ks_mailbox_init(&created->mailbox);
    atomic_init(&created->connection_count, 0);
    for (size_t i = 0; i < KS_STANDINGS; i++)
        atomic_init(&created->oldest_idle_ms[i], UINT64_MAX);
    result = init_loop(created);
    if (result != KS_OK)
        goto failed;
    if (start_thread(created, number) != 0) {
        close_run(&created->close_task);
        uv_run(&created->uv, UV_RUN_DEFAULT);
        uv_loop_close(&created->uv);
        result = KS_IO;
        goto failed;
    }
    *worker = created;
    return KS_OK;

failed:
    free(scratch);
    free(created);
    return result;
}

void ks_worker_stop(struct ks_worker *worker)
{
    worker->close_task.run = close_run;
    ks_executor_post(&worker->loop.executor, &worker->close_task);
    pthread_join(worker->thread, NULL);
}

bool ks_worker_run_late_tasks(struct ks_worker *worker)
{
    return run_mailbox(worker);
}

void ks_worker_free(struct ks_worker *worker)
{
    uv_loop_close(&worker->uv);
    free(worker->scratch);
    free(worker);
}
