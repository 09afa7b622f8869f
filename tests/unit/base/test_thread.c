/* Unit tests of base/mailbox.h and base/thread.h: what several threads share. They are worth most under the
 * thread sanitizer (`make test-tsan`).
 */
#include "unit/unit.h"

#include "base/thread.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { POSTERS = 4, TASKS_OF_EACH = 5000 };

/* ---- mailbox ---- */

static void mailbox_gives_tasks_in_the_order_of_posting(void **state)
{
    (void)state;
    struct ks_mailbox mailbox;
    struct ks_task tasks[5];
    ks_mailbox_init(&mailbox);
    for (size_t i = 0; i < KS_COUNT_OF(tasks); i++)
        ks_mailbox_put(&mailbox, &tasks[i]);
    struct ks_task *taken = ks_mailbox_take(&mailbox);
    for (size_t i = 0; i < KS_COUNT_OF(tasks); i++) {
        assert_ptr_equal(taken, &tasks[i]);
        taken = taken->next;
    }
    assert_null(taken);
}

static void mailbox_asks_for_a_wake_up_only_when_it_was_empty(void **state)
{
    (void)state;
    struct ks_mailbox mailbox;
    struct ks_task tasks[3];
    ks_mailbox_init(&mailbox);
    assert_null(ks_mailbox_take(&mailbox));
    assert_true(ks_mailbox_put(&mailbox, &tasks[0]));
    assert_false(ks_mailbox_put(&mailbox, &tasks[1]));
    assert_ptr_equal(ks_mailbox_take(&mailbox), &tasks[0]);
    assert_null(ks_mailbox_take(&mailbox));
    assert_true(ks_mailbox_put(&mailbox, &tasks[2]));
}

/* ---- thread ---- */

/* What the tasks of one test write down; only the thread under test touches it until that was stopped. */
struct record {
    struct ks_task task;
    struct record *previous_of_poster;
    unsigned *ran;
    bool has_run;
    bool in_order;
};

static void record_run(struct ks_task *task)
{
    struct record *record = KS_CONTAINER_OF(task, struct record, task);
    record->in_order = record->previous_of_poster == NULL || record->previous_of_poster->has_run;
    record->has_run = true;
    (*record->ran)++;
}

struct poster {
    pthread_t handle;
    struct ks_executor *executor;
    struct record records[TASKS_OF_EACH];
};

static void *poster_main(void *argument)
{
    struct poster *poster = argument;
    for (size_t i = 0; i < TASKS_OF_EACH; i++)
        ks_executor_post(poster->executor, &poster->records[i].task);
    return NULL;
}

static struct ks_thread *start(const struct ks_thread_hooks *hooks)
{
    static const struct ks_thread_hooks no_hooks = {0};
    struct ks_thread *thread = NULL;
    assert_int_equal(ks_thread_start(&thread, "test", hooks != NULL ? hooks : &no_hooks), KS_OK);
    return thread;
}

static void thread_runs_every_task_once_and_in_the_order_of_each_poster(void **state)
{
    (void)state;
    struct ks_thread *thread = start(NULL);
    struct poster *posters = calloc(POSTERS, sizeof *posters);
    assert_non_null(posters);
    unsigned ran = 0;
    for (size_t p = 0; p < POSTERS; p++) {
        posters[p].executor = ks_thread_executor(thread);
        for (size_t i = 0; i < TASKS_OF_EACH; i++)
            posters[p].records[i] = (struct record){
                .task.run = record_run,
                .previous_of_poster = i > 0 ? &posters[p].records[i - 1] : NULL,
                .ran = &ran,
            };
        assert_int_equal(pthread_create(&posters[p].handle, NULL, poster_main, &posters[p]), 0);
    }
    for (size_t p = 0; p < POSTERS; p++)
        pthread_join(posters[p].handle, NULL);
    ks_thread_stop(thread);
    assert_int_equal(ran, POSTERS * TASKS_OF_EACH);
    for (size_t p = 0; p < POSTERS; p++)
        for (size_t i = 0; i < TASKS_OF_EACH; i++)
            assert_true(posters[p].records[i].in_order);
    free(posters);
}

struct chain {
    struct ks_task task;
    struct ks_executor *executor;
    unsigned left;
};

static void chain_run(struct ks_task *task)
{
    struct chain *chain = KS_CONTAINER_OF(task, struct chain, task);
    if (--chain->left > 0)
        ks_executor_post(chain->executor, &chain->task);
}

static void stop_waits_for_what_tasks_post_themselves(void **state)
{
    (void)state;
    struct ks_thread *thread = start(NULL);
    struct chain chain = {.task.run = chain_run, .executor = ks_thread_executor(thread), .left = 1000};
    ks_executor_post(chain.executor, &chain.task);
    ks_thread_stop(thread);
    assert_int_equal(chain.left, 0);
}

static void stop_of_nothing_and_of_an_idle_thread_is_fine(void **state)
{
    (void)state;
    ks_thread_stop(NULL);
    ks_thread_stop(start(NULL));
}

/* A gate holds the thread inside a task, so that the test decides what is in the next batch. */
struct gate {
    struct ks_task task;
    sem_t reached;
    sem_t open;
};

static void gate_run(struct ks_task *task)
{
    struct gate *gate = KS_CONTAINER_OF(task, struct gate, task);
    sem_post(&gate->reached);
    sem_wait(&gate->open);
}

static void gate_init(struct gate *gate)
{
    gate->task.run = gate_run;
    sem_init(&gate->reached, 0, 0);
    sem_init(&gate->open, 0, 0);
}

static void gate_destroy(struct gate *gate)
{
    sem_destroy(&gate->reached);
    sem_destroy(&gate->open);
}

struct batches {
    unsigned ran;
    unsigned ran_at_batch[8];
    unsigned count;
};

static void batches_done(void *context)
{
    struct batches *batches = context;
    assert_true(batches->count < KS_COUNT_OF(batches->ran_at_batch));
    batches->ran_at_batch[batches->count++] = batches->ran;
}

static void what_is_posted_during_one_batch_is_the_next_batch(void **state)
{
    (void)state;
    struct batches batches = {0};
    const struct ks_thread_hooks hooks = {.context = &batches, .batch_done = batches_done};
    struct ks_thread *thread = start(&hooks);
    struct gate gate;
    gate_init(&gate);
    struct record records[3];
    ks_executor_post(ks_thread_executor(thread), &gate.task);
    sem_wait(&gate.reached);
    for (size_t i = 0; i < KS_COUNT_OF(records); i++) {
        records[i] = (struct record){.task.run = record_run, .ran = &batches.ran};
        ks_executor_post(ks_thread_executor(thread), &records[i].task);
    }
    sem_post(&gate.open);
    ks_thread_stop(thread);
    /* The gate alone, then all three; the order to stop may be in that batch or in one of its own. */
    assert_true(batches.count >= 2);
    assert_int_equal(batches.ran_at_batch[0], 0);
    assert_int_equal(batches.ran_at_batch[1], 3);
    gate_destroy(&gate);
}

static void tick_posts(void *context)
{
    sem_post(context);
}

static void thread_ticks_while_it_has_nothing_to_do(void **state)
{
    (void)state;
    sem_t ticks;
    sem_init(&ticks, 0, 0);
    struct ks_thread *thread =
        start(&(struct ks_thread_hooks){.context = &ticks, .tick = tick_posts, .tick_ms = 1});
    for (int i = 0; i < 5; i++)
        while (sem_wait(&ticks) != 0)
            ;
    ks_thread_stop(thread);
    sem_destroy(&ticks);
}

struct busy {
    struct chain chain;
    unsigned ticks;
};

static void tick_ends_the_chain(void *context)
{
    struct busy *busy = context;
    if (++busy->ticks == 3)
        busy->chain.left = 1;
}

static void thread_ticks_while_it_is_never_idle(void **state)
{
    (void)state;
    struct busy busy = {.chain = {.task.run = chain_run, .left = UINT32_MAX}};
    const struct ks_thread_hooks hooks = {.context = &busy, .tick = tick_ends_the_chain, .tick_ms = 1};
    struct ks_thread *thread = start(&hooks);
    busy.chain.executor = ks_thread_executor(thread);
    ks_executor_post(busy.chain.executor, &busy.chain.task);
    ks_thread_stop(thread); /* returns only because ticks came between the batches */
    assert_true(busy.ticks >= 3);
}

struct idler {
    unsigned calls;
    uint64_t answers[3];
    sem_t *all_given;
};

static uint64_t idler_asked(void *context)
{
    struct idler *idler = context;
    if (idler->calls == KS_COUNT_OF(idler->answers)) {
        sem_post(idler->all_given);
        return KS_THREAD_UNTIL_POSTED;
    }
    return idler->answers[idler->calls++];
}

static void thread_that_is_idle_is_asked_when_it_wants_to_be(void **state)
{
    (void)state;
    sem_t all_given;
    sem_init(&all_given, 0, 0);
    struct idler idler = {.answers = {0, 1, 0}, .all_given = &all_given};
    struct ks_thread *thread = start(&(struct ks_thread_hooks){.context = &idler, .idle = idler_asked});
    while (sem_wait(&all_given) != 0)
        ;
    ks_thread_stop(thread);
    assert_int_equal(idler.calls, 3);
    sem_destroy(&all_given);
}

static void idle_thread_runs_what_is_posted(void **state)
{
    (void)state;
    enum { HOUR = 3600 * 1000 };
    struct idler idler = {.answers = {HOUR, HOUR, HOUR}};
    struct gate gates[2];
    struct ks_thread *thread = start(&(struct ks_thread_hooks){.context = &idler, .idle = idler_asked});
    for (size_t i = 0; i < KS_COUNT_OF(gates); i++) {
        gate_init(&gates[i]);
        ks_executor_post(ks_thread_executor(thread), &gates[i].task);
        sem_wait(&gates[i].reached);
        sem_post(&gates[i].open);
    }
    ks_thread_stop(thread);
    for (size_t i = 0; i < KS_COUNT_OF(gates); i++)
        gate_destroy(&gates[i]);
}

struct asked_priority {
    struct ks_task task;
    int policy;
    int nice;
};

static void ask_priority(struct ks_task *task)
{
    struct asked_priority *asked = KS_CONTAINER_OF(task, struct asked_priority, task);
    asked->policy = sched_getscheduler(0); /* of this thread */
    asked->nice = getpriority(PRIO_PROCESS, 0);
}

/* Or the nicest one, where the system does not let it be the last. */
static void thread_that_is_last_lets_all_others_go_first(void **state)
{
    (void)state;
    struct asked_priority asked = {.task.run = ask_priority};
    struct ks_thread *thread = start(&(struct ks_thread_hooks){.is_last = true});
    ks_executor_post(ks_thread_executor(thread), &asked.task);
    ks_thread_stop(thread);
    assert_true(asked.policy == SCHED_IDLE || asked.nice == 19);
    assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mailbox_gives_tasks_in_the_order_of_posting),
        cmocka_unit_test(mailbox_asks_for_a_wake_up_only_when_it_was_empty),
        cmocka_unit_test(thread_runs_every_task_once_and_in_the_order_of_each_poster),
        cmocka_unit_test(stop_waits_for_what_tasks_post_themselves),
        cmocka_unit_test(stop_of_nothing_and_of_an_idle_thread_is_fine),
        cmocka_unit_test(what_is_posted_during_one_batch_is_the_next_batch),
        cmocka_unit_test(thread_ticks_while_it_has_nothing_to_do),
        cmocka_unit_test(thread_ticks_while_it_is_never_idle),
        cmocka_unit_test(thread_that_is_idle_is_asked_when_it_wants_to_be),
        cmocka_unit_test(idle_thread_runs_what_is_posted),
        cmocka_unit_test(thread_that_is_last_lets_all_others_go_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
