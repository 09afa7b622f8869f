/* Unit tests of src/base/courtesy.h, with others who take as long as the test wants. */
#include "unit/unit.h"

#include "base/courtesy.h"

#include <stdint.h>

static uint64_t now_ns;
static uint64_t taken_ns; /* by the others, when they are offered the core */
static unsigned offers;

/* The names are the linker's. */
int __wrap_sched_yield(void);                /* NOLINT(bugprone-reserved-identifier) */
uint64_t __wrap_ks_clock_stopwatch_ns(void); /* NOLINT(bugprone-reserved-identifier) */

int __wrap_sched_yield(void) /* NOLINT(bugprone-reserved-identifier) */
{
    offers++;
    now_ns += taken_ns;
    return 0;
}

uint64_t __wrap_ks_clock_stopwatch_ns(void) /* NOLINT(bugprone-reserved-identifier) */
{
    return now_ns;
}

static int set_up(void **state)
{
    (void)state;
    now_ns = 5;
    taken_ns = 0;
    offers = 0;
    return 0;
}

static void the_core_is_offered_again_and_again_to_who_needs_it_for_a_moment(void **state)
{
    (void)state;
    struct ks_courtesy courtesy = {0};
    taken_ns = 1000 * 1000;
    for (int i = 0; i < 100; i++)
        ks_courtesy_offer(&courtesy);
    assert_int_equal(offers, 100);
}

static void after_somebody_has_taken_a_whole_slice_nothing_is_offered_for_a_while(void **state)
{
    (void)state;
    struct ks_courtesy courtesy = {0};
    taken_ns = 3 * 1000 * 1000;
    ks_courtesy_offer(&courtesy);
    for (int i = 0; i < 99; i++) {
        now_ns += 1000 * 1000;
        ks_courtesy_offer(&courtesy);
    }
    assert_int_equal(offers, 1);
    now_ns += 1000 * 1000;
    ks_courtesy_offer(&courtesy);
    assert_int_equal(offers, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_core_is_offered_again_and_again_to_who_needs_it_for_a_moment, set_up),
        cmocka_unit_test_setup(after_somebody_has_taken_a_whole_slice_nothing_is_offered_for_a_while, set_up),
    };
    return cmocka_run_group_tests_name("courtesy", tests, NULL, NULL);
}
