/* thread.c — see thread.h. A mailbox, a semaphore that is posted when the mailbox stops being empty, a loop.
 */
#include "base/thread.h"

#include "base/counter.h"
#include "base/mailbox.h"
#include "base/wakes.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum { NICEST = 19 };

struct ks_thread {
    struct ks_executor executor;
    struct ks_mailbox mailbox;
    _Atomic uint64_t posted; /* beside what every poster writes anyway */
    struct ks_thread_hooks hooks;
    struct ks_task stop_task;
    sem_t wake;
    pthread_t handle;
    char name[16];
    bool stopping;        /* the thread's own */
    _Atomic uint64_t ran; /* likewise */
};

static void thread_wake(void *thread)
{
    sem_post(&((struct ks_thread *)thread)->wake);
}

static void thread_post(struct ks_executor *executor, struct ks_task *task)
{
    struct ks_thread *thread = KS_CONTAINER_OF(executor, struct ks_thread, executor);
    atomic_fetch_add_explicit(&thread->posted, 1, memory_order_relaxed);
    if (ks_mailbox_put(&thread->mailbox, task))
        ks_wakes_ask(thread_wake, thread);
    ks_wakes_count();
}

static void thread_stop_task(struct ks_task *task)
{
    KS_CONTAINER_OF(task, struct ks_thread, stop_task)->stopping = true;
}

static bool thread_run_batch(struct ks_thread *thread)
{
    /* Whoever posts after this take wakes again; what was owed until now would only pile up while the thread
     * is never idle, and be spun through later. */
    while (sem_trywait(&thread->wake) == 0)
        ;
    struct ks_task *task = ks_mailbox_take(&thread->mailbox);
    if (task == NULL)
        return false;
    while (task != NULL) {
        struct ks_task *next = task->next;
        task->run(task);
        ks_count(&thread->ran, 1);
        task = next;
    }
    if (thread->hooks.batch_done != NULL)
        thread->hooks.batch_done(thread->hooks.context);
    return true;
}

static uint64_t thread_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000U + (uint64_t)now.tv_nsec / 1000000U;
}

static void thread_wait(struct ks_thread *thread, uint64_t until_ms)
{
    if (until_ms == UINT64_MAX) {
        while (sem_wait(&thread->wake) != 0 && errno == EINTR)
            ;
        return;
    }
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000U),
                             .tv_nsec = (long)(until_ms % 1000U) * 1000000L};
    while (sem_clockwait(&thread->wake, CLOCK_MONOTONIC, &until) != 0 && errno == EINTR)
        ;
}

static uint64_t next_tick_ms(const struct ks_thread *thread)
{
    bool ticks = thread->hooks.tick != NULL && thread->hooks.tick_ms > 0;
    return ticks ? thread_now_ms() + thread->hooks.tick_ms : UINT64_MAX;
}

/* Nothing was posted. */
static void thread_idle(struct ks_thread *thread, uint64_t next_tick)
{
    uint64_t after = KS_THREAD_UNTIL_POSTED;
    if (thread->hooks.idle != NULL)
        after = thread->hooks.idle(thread->hooks.context);
    if (after == 0)
        return;
    uint64_t until = after == KS_THREAD_UNTIL_POSTED ? UINT64_MAX : thread_now_ms() + after;
    thread_wait(thread, until < next_tick ? until : next_tick);
}

/* On Linux a priority is a thread's. To be nicer is allowed to everybody. */
static void be_nicer(int by)
{
    (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + by);
}

/* Where that is refused, the nicest it can be. */
static void be_last(void)
{
    const struct sched_param none = {0};
    if (pthread_setschedparam(pthread_self(), SCHED_IDLE, &none) != 0)
        be_nicer(NICEST);
}

static void *thread_main(void *argument)
{
    struct ks_thread *thread = argument;
    uint64_t next_tick = next_tick_ms(thread);
    if (thread->hooks.nice != 0)
        be_nicer(thread->hooks.nice);
    if (thread->hooks.is_last)
        be_last();
    for (;;) {
        bool ran = thread_run_batch(thread);
        if (thread->stopping && !ran)
            return NULL;
        if (next_tick != UINT64_MAX && thread_now_ms() >= next_tick) {
            thread->hooks.tick(thread->hooks.context);
            next_tick = next_tick_ms(thread);
        }
        if (!ran)
            thread_idle(thread, next_tick);
    }
}

/* Signals are the business of the main thread alone. */
static int thread_create(struct ks_thread *thread)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&thread->handle, NULL, thread_main, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

enum ks_result ks_thread_start(struct ks_thread **thread, const char *name,
                               const struct ks_thread_hooks *hooks)
{
    struct ks_thread *created = calloc(1, sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    created->executor.post = thread_post;
    created->hooks = *hooks;
    created->stop_task.run = thread_stop_task;
    ks_mailbox_init(&created->mailbox);
    for (size_t i = 0; i < sizeof created->name - 1 && name[i] != '\0'; i++)
        created->name[i] = name[i];
    if (sem_init(&created->wake, 0, 0) != 0)
        goto no_semaphore;
    if (thread_create(created) != 0)
        goto no_thread;
    pthread_setname_np(created->handle, created->name);
    *thread = created;
    return KS_OK;

no_thread:
    sem_destroy(&created->wake);
no_semaphore:
    free(created);
    return KS_IO;
}

struct ks_executor *ks_thread_executor(struct ks_thread *thread)
{
    return &thread->executor;
}

uint64_t ks_thread_waiting(const struct ks_thread *thread)
{
    uint64_t ran = ks_counted(&thread->ran); /* first: what is posted meanwhile only adds */
    return atomic_load_explicit(&thread->posted, memory_order_relaxed) - ran;
}

struct milestone {
    struct ks_task task;
    sem_t reached;
};

static void pass_milestone(struct ks_task *task)
{
    sem_post(&KS_CONTAINER_OF(task, struct milestone, task)->reached);
}

void ks_thread_reach(struct ks_thread *thread)
{
    struct milestone milestone = {.task.run = pass_milestone};
    sem_init(&milestone.reached, 0, 0); /* cannot fail with these */
    ks_executor_post(ks_thread_executor(thread), &milestone.task);
    ks_wakes_flush();
    while (sem_wait(&milestone.reached) != 0)
        ;
    sem_destroy(&milestone.reached);
}

void ks_thread_stop(struct ks_thread *thread)
{
    if (thread == NULL)
        return;
    thread_post(&thread->executor, &thread->stop_task);
    ks_wakes_flush();
    pthread_join(thread->handle, NULL);
    sem_destroy(&thread->wake);
    free(thread);
}
