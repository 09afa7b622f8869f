/* worker.c — see worker.h. All but start, hand-over, evict, quiesce and stop runs on the worker's own thread.
 */
#include "net/worker.h"

#include "base/wakes.h"
#include "net/provision.h"
#include "net/tcp/tcp.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct ks_worker *worker_of_executor(struct ks_executor *executor)
{
    return KS_CONTAINER_OF(executor, struct ks_worker, core.loop.executor);
}

static void worker_wake(void *worker)
{
    uv_async_send(&((struct ks_worker *)worker)->wake);
}

static void worker_post(struct ks_executor *executor, struct ks_task *task)
{
    struct ks_worker *worker = worker_of_executor(executor);
    if (ks_mailbox_put(&worker->mailbox, task))
        ks_wakes_ask(worker_wake, worker);
    ks_wakes_count();
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

enum { OWN_TURNS = 4 }; /* of what it posts to itself, before it looks at its sockets again */

/* The end of a turn. What the worker has posted to itself, as it does with every line of the chat, it runs at
 * once: to be woken by itself would take a turn more, with three system calls. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct ks_worker *worker = prepare->data;
    bool has_own = true;
    for (unsigned turns = 0; has_own; turns++) {
        has_own = turns < OWN_TURNS && ks_wakes_forget(worker);
        ks_wakes_release(); /* before connections are counted out: after that, who was posted to may end */
        ks_tcp_work_off(&worker->core);
        ks_wakes_hold();
        if (has_own)
            run_mailbox(worker);
    }
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
    free(job);
    ks_count(&ks_worker_core_of(offload->loop)->counts.offloads_done, 1);
    offload->done(offload);
}

static void offload_done_task(struct ks_task *task)
{
    struct ks_offload *offload = KS_CONTAINER_OF(task, struct ks_offload, task);
    offload->done(offload);
}

static void worker_offload(struct ks_loop *loop, struct ks_offload *offload)
{
    struct ks_worker_core *core = ks_worker_core_of(loop);
    offload->loop = loop;
    struct offload_job *job = malloc(sizeof *job);
    if (job != NULL) {
        job->work.data = job;
        job->offload = offload;
        if (uv_queue_work(&core->uv, &job->work, job_work, job_done) == 0) {
            ks_count(&core->counts.offloaded, 1);
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
    struct ks_worker_core *core; /* of its worker */
    struct ks_accepted accepted;
    struct ks_worker_core *evicting; /* where somebody idle was found */
    enum ks_standing standing;       /* of who was found */
    bool has_waited;                 /* for those that leave there anyway */
};

static void hand_over_run(struct ks_task *task)
{
    struct hand_over *hand_over = KS_CONTAINER_OF(task, struct hand_over, task);
    ks_tcp_open(hand_over->core, &hand_over->accepted);
    free(hand_over);
}

static void hand_over_post(struct hand_over *hand_over)
{
    hand_over->task.run = hand_over_run;
    ks_executor_post(&hand_over->core->loop.executor, &hand_over->task);
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

static struct ks_worker_core *with_longest_idle(const struct ks_worker_shared *shared, unsigned standing)
{
    struct ks_worker_core *with_oldest = NULL;
    uint64_t oldest_ms = UINT64_MAX;
    for (unsigned i = 0; i < shared->core_count; i++) {
        uint64_t idle_ms =
            atomic_load_explicit(&shared->cores[i]->lists.oldest_idle_ms[standing], memory_order_relaxed);
        if (idle_ms < oldest_ms) {
            oldest_ms = idle_ms;
            with_oldest = shared->cores[i];
        }
    }
    return with_oldest;
}

static void eviction_run(struct ks_task *task);

/* False when nobody is idle. */
static bool begin_eviction(struct hand_over *newcomer)
{
    const struct ks_worker_shared *shared = newcomer->core->shared;
    const enum ks_standing up_to = highest_to_leave(shared, KS_STANDING_KNOWN);
    struct ks_worker_core *evicting = NULL;
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

const char ks_worker_no_room[] = "the limit of connections is reached and nobody makes room (connections)";

/* Closes the socket, for there is no room for it after all; last, as the listener does. */
static void turn_away(const struct hand_over *newcomer)
{
    const struct ks_accepted *accepted = &newcomer->accepted;
    const struct ks_peer_address peer = ks_peer_address_of(&accepted->peer);
    atomic_fetch_add_explicit(&accepted->counts->too_many, 1, memory_order_relaxed);
    ks_peer_address_log_refusal(&peer, newcomer->core->shared->log, ks_worker_no_room);
    close(accepted->fd);
    ks_worker_core_count_out(newcomer->core, &peer, accepted->counts);
}

static void eviction_run(struct ks_task *task)
{
    struct hand_over *newcomer = KS_CONTAINER_OF(task, struct hand_over, task);
    struct ks_worker_core *evicting = newcomer->evicting;
    bool some_are_leaving = evicting->lists.doomed != NULL || evicting->lists.dirty != NULL;
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
        turn_away(newcomer);
        free(newcomer);
    }
}

/* The first time; false, too, when too many are at it already. */
static bool become_newcomer(struct hand_over *newcomer)
{
    struct ks_worker_shared *shared = newcomer->core->shared;
    if (atomic_fetch_add(&shared->newcomers, 1) < KS_NEWCOMERS_LIMIT && begin_eviction(newcomer))
        return true;
    atomic_fetch_sub(&shared->newcomers, 1);
    return false;
}

/* The executor holds the newcomer, which gcc's analyser does not see. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

enum ks_result ks_worker_hand_over(struct ks_worker *worker, const struct ks_accepted *accepted,
                                   bool needs_room)
{
    struct hand_over *hand_over = malloc(sizeof *hand_over);
    if (hand_over == NULL)
        return KS_NO_MEMORY;
    *hand_over = (struct hand_over){.core = &worker->core, .accepted = *accepted};
    atomic_fetch_add(&worker->core.connection_count, 1);
    if (!needs_room) {
        hand_over_post(hand_over);
    } else if (!become_newcomer(hand_over)) {
        atomic_fetch_sub(&worker->core.connection_count, 1);
        free(hand_over);
        return KS_REFUSED;
    }
    return KS_OK;
}

static void quiesce_run(struct ks_task *task)
{
    struct ks_worker *worker = KS_CONTAINER_OF(task, struct ks_worker, quiesce_task);
    worker->core.quiescing = true;
    ks_tcp_end_connections(&worker->core, false);
}

void ks_worker_quiesce(struct ks_worker *worker)
{
    worker->quiesce_task.run = quiesce_run;
    ks_executor_post(&worker->core.loop.executor, &worker->quiesce_task);
}

static void end_all_run(struct ks_task *task)
{
    ks_tcp_end_connections(&KS_CONTAINER_OF(task, struct ks_worker, end_all_task)->core, true);
}

void ks_worker_end_all(struct ks_worker *worker)
{
    worker->end_all_task.run = end_all_run;
    ks_executor_post(&worker->core.loop.executor, &worker->end_all_task);
}

/* ---- start and stop ---- */

static void close_run(struct ks_task *task)
{
    struct ks_worker *worker = KS_CONTAINER_OF(task, struct ks_worker, close_task);
    uv_close((uv_handle_t *)&worker->wake, NULL);
    uv_close((uv_handle_t *)&worker->prepare, NULL);
    uv_close((uv_handle_t *)&worker->core.ticks, NULL);
}

static void *worker_main(void *argument)
{
    struct ks_worker *worker = argument;
    uv_run(&worker->core.uv, UV_RUN_DEFAULT);
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
    if (uv_loop_init(&worker->core.uv) != 0)
        return KS_IO;
    enum ks_result result = ks_provision_watchers(&worker->core.uv, worker->core.shared->descriptors);
    if (result != KS_OK) {
        uv_loop_close(&worker->core.uv);
        return result;
    }
    if (uv_async_init(&worker->core.uv, &worker->wake, on_wake) != 0) {
        uv_loop_close(&worker->core.uv);
        return KS_IO;
    }
    uv_prepare_init(&worker->core.uv, &worker->prepare); /* these two cannot fail */
    uv_timer_init(&worker->core.uv, &worker->core.ticks);
    worker->wake.data = worker;
    worker->prepare.data = worker;
    worker->core.ticks.data = worker;
    uv_prepare_start(&worker->prepare, on_prepare);
    ks_deadline_wheel_init(&worker->core.deadlines, uv_now(&worker->core.uv));
    ks_deadline_wheel_init(&worker->core.reminders, uv_now(&worker->core.uv));
    return KS_OK;
}

static void init_core(struct ks_worker_core *core, struct ks_worker_shared *shared, unsigned number,
                      uint8_t *scratch)
{
    core->scratch = scratch;
    core->shared = shared;
    core->loop.executor.post = worker_post;
    core->loop.number = number;
    core->loop.clock = shared->clock;
    core->loop.contents = &shared->contents;
    core->loop.answers = &shared->answers;
    core->loop.log = shared->log;
    core->loop.offload = worker_offload;
    atomic_init(&core->connection_count, 0);
    ks_connection_lists_init(&core->lists, &shared->known_count);
    ks_tcp_serve(core);
}

enum ks_result ks_worker_start(struct ks_worker_shared *shared, unsigned number, struct ks_worker **worker)
{
    struct ks_worker *created = aligned_alloc(_Alignof(struct ks_worker), sizeof *created);
    uint8_t *scratch = malloc(KS_WORKER_SCRATCH_SIZE);
    enum ks_result result = KS_NO_MEMORY;
    if (created == NULL || scratch == NULL)
        goto failed;
    memset(created, 0, sizeof *created);
    init_core(&created->core, shared, number, scratch);
    ks_mailbox_init(&created->mailbox);
    result = init_loop(created);
    if (result != KS_OK)
        goto failed;
    if (start_thread(created, number) != 0) {
        close_run(&created->close_task);
        uv_run(&created->core.uv, UV_RUN_DEFAULT);
        uv_loop_close(&created->core.uv);
        result = KS_IO;
        goto failed;
    }
    shared->cores[shared->core_count++] = &created->core;
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
    ks_executor_post(&worker->core.loop.executor, &worker->close_task);
    pthread_join(worker->thread, NULL);
}

bool ks_worker_run_late_tasks(struct ks_worker *worker)
{
    return run_mailbox(worker);
}

void ks_worker_free(struct ks_worker *worker)
{
    uv_loop_close(&worker->core.uv);
    free(worker->core.scratch);
    free(worker);
}
