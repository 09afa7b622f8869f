/* Unit tests of src/base/scheduling.h, with a system that says what the test wants. */
#include "base/scheduling.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sched.h>

static int policy;  /* -1: it is not told */
static int refusal; /* an errno; 0: it may be changed */

/* The names are the linker's. NOLINTBEGIN(bugprone-reserved-identifier) */
int __wrap_sched_getscheduler(pid_t thread);
int __wrap_sched_setscheduler(pid_t thread, int wanted, const struct sched_param *parameters);
/* NOLINTEND(bugprone-reserved-identifier) */

int __wrap_sched_getscheduler(pid_t thread)
{
    assert_int_equal(thread, 0);
    if (policy < 0)
        errno = ENOSYS;
    return policy;
}

int __wrap_sched_setscheduler(pid_t thread, int wanted, const struct sched_param *parameters)
{
    assert_int_equal(thread, 0);
    assert_int_equal(parameters->sched_priority, 0);
    if (refusal != 0) {
        errno = refusal;
        return -1;
    }
    policy = wanted;
    return 0;
}

static void the_ordinary_policy_becomes_batch(void **state)
{
    (void)state;
    policy = SCHED_OTHER;
    refusal = 0;
    assert_int_equal(ks_scheduling_let_others_finish(), KS_OK);
    assert_int_equal(policy, SCHED_BATCH);
}

static void a_policy_that_was_chosen_is_not_touched(void **state)
{
    static const int chosen[] = {SCHED_BATCH, SCHED_IDLE, SCHED_RR, SCHED_FIFO,
                                 SCHED_RR | SCHED_RESET_ON_FORK};
    (void)state;
    refusal = EPERM;
    for (size_t i = 0; i < sizeof chosen / sizeof chosen[0]; i++) {
        policy = chosen[i];
        assert_int_equal(ks_scheduling_let_others_finish(), KS_OK);
    }
}

static void a_refusal_is_told(void **state)
{
    (void)state;
    policy = SCHED_OTHER;
    refusal = EPERM;
    assert_int_equal(ks_scheduling_let_others_finish(), KS_IO);
    assert_int_equal(errno, EPERM);
    assert_int_equal(policy, SCHED_OTHER);
    policy = -1;
    assert_int_equal(ks_scheduling_let_others_finish(), KS_IO);
    assert_int_equal(errno, ENOSYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ordinary_policy_becomes_batch),
        cmocka_unit_test(a_policy_that_was_chosen_is_not_touched),
        cmocka_unit_test(a_refusal_is_told),
    };
    return cmocka_run_group_tests_name("scheduling", tests, NULL, NULL);
}
