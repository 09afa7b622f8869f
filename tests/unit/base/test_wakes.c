/* Unit tests of src/base/wakes.h: nobody who was posted to sleeps on, and nobody is woken too often. */
#include "unit/unit.h"

#include "base/thread.h"
#include "base/wakes.h"

#include <semaphore.h>

enum { SLEEPERS = 40, A_FEW_DOZEN = 100 };

static void wake_up(void *count)
{
    ++*(unsigned *)count;
}

static void who_does_not_hold_wakes_at_once(void **state)
{
    (void)state;
    unsigned woken = 0;
    ks_wakes_ask(wake_up, &woken);
    assert_int_equal(woken, 1);
    ks_wakes_ask(wake_up, &woken);
    assert_int_equal(woken, 2);
}

static void what_is_held_is_woken_once_when_it_is_released(void **state)
{
    (void)state;
    unsigned one = 0;
    unsigned other = 0;
    ks_wakes_hold();
    for (int i = 0; i < 3; i++) {
        ks_wakes_ask(wake_up, &one);
        ks_wakes_ask(wake_up, &other);
    }
    assert_int_equal(one + other, 0);
    ks_wakes_release();
    assert_int_equal(one, 1);
    assert_int_equal(other, 1);
    ks_wakes_release();
    assert_int_equal(one + other, 2);
    ks_wakes_ask(wake_up, &one);
    assert_int_equal(one, 2);
}

static void who_has_much_to_do_is_woken_before(void **state)
{
    (void)state;
    unsigned woken = 0;
    ks_wakes_hold();
    ks_wakes_ask(wake_up, &woken);
    for (int i = 0; i < A_FEW_DOZEN; i++)
        ks_wakes_count();
    assert_int_equal(woken, 1);
    ks_wakes_ask(wake_up, &woken); /* asleep again meanwhile */
    assert_int_equal(woken, 1);
    ks_wakes_release();
    assert_int_equal(woken, 2);
}

static void where_many_sleep_none_is_forgotten(void **state)
{
    (void)state;
    unsigned woken[SLEEPERS] = {0};
    ks_wakes_hold();
    for (int i = 0; i < SLEEPERS; i++)
        ks_wakes_ask(wake_up, &woken[i]);
    ks_wakes_release();
    for (int i = 0; i < SLEEPERS; i++)
        assert_int_equal(woken[i], 1);
}

static void a_flush_wakes_and_goes_on_holding(void **state)
{
    (void)state;
    unsigned woken = 0;
    ks_wakes_hold();
    ks_wakes_ask(wake_up, &woken);
    ks_wakes_flush();
    assert_int_equal(woken, 1);
    ks_wakes_ask(wake_up, &woken);
    assert_int_equal(woken, 1);
    ks_wakes_release();
    assert_int_equal(woken, 2);
}

static void who_is_awake_is_not_woken_and_no_other_is_forgotten_for_it(void **state)
{
    (void)state;
    unsigned woken[3] = {0};
    ks_wakes_hold();
    for (int i = 0; i < 3; i++)
        ks_wakes_ask(wake_up, &woken[i]);
    assert_true(ks_wakes_forget(&woken[0]));
    assert_false(ks_wakes_forget(&woken[0]));
    ks_wakes_release();
    assert_int_equal(woken[0], 0);
    assert_int_equal(woken[1], 1);
    assert_int_equal(woken[2], 1);
    assert_false(ks_wakes_forget(&woken[1])); /* it has been woken */
}

struct note {
    struct ks_task task;
    sem_t written;
};

static void write_note(struct ks_task *task)
{
    sem_post(&KS_CONTAINER_OF(task, struct note, task)->written);
}

static void a_thread_runs_what_is_posted_when_who_posts_lets_it(void **state)
{
    (void)state;
    struct ks_thread *thread = NULL;
    const struct ks_thread_hooks no_hooks = {0};
    struct note note = {.task.run = write_note};
    assert_int_equal(sem_init(&note.written, 0, 0), 0);
    assert_int_equal(ks_thread_start(&thread, "sleeper", &no_hooks), KS_OK);
    ks_wakes_hold();
    ks_executor_post(ks_thread_executor(thread), &note.task);
    ks_wakes_release();
    assert_int_equal(sem_wait(&note.written), 0);
    ks_thread_stop(thread);
    sem_destroy(&note.written);
}

static void who_waits_for_a_thread_wakes_it_before(void **state)
{
    (void)state;
    struct ks_thread *thread = NULL;
    const struct ks_thread_hooks no_hooks = {0};
    assert_int_equal(ks_thread_start(&thread, "sleeper", &no_hooks), KS_OK);
    ks_wakes_hold();
    ks_thread_reach(thread);
    ks_thread_stop(thread);
    ks_wakes_release();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_does_not_hold_wakes_at_once),
        cmocka_unit_test(what_is_held_is_woken_once_when_it_is_released),
        cmocka_unit_test(who_has_much_to_do_is_woken_before),
        cmocka_unit_test(where_many_sleep_none_is_forgotten),
        cmocka_unit_test(a_flush_wakes_and_goes_on_holding),
        cmocka_unit_test(who_is_awake_is_not_woken_and_no_other_is_forgotten_for_it),
        cmocka_unit_test(a_thread_runs_what_is_posted_when_who_posts_lets_it),
        cmocka_unit_test(who_waits_for_a_thread_wakes_it_before),
    };
    return cmocka_run_group_tests_name("wakes", tests, NULL, NULL);
}
