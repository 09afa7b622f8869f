/* Unit tests of bench/load/percentiles.h: how near the counted percentiles are to those of all values. */
#include "unit/unit.h"

#include "bench/load/percentiles.h"

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct ks_percentiles));
    return *state == NULL;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

/* Not below the value, and less than one percent above it. */
static void assert_near(uint64_t found, uint64_t value)
{
    assert_in_range(found, value, value + value / 100);
}

static void nothing_has_no_percentiles(void **state)
{
    assert_int_equal(ks_percentiles_at(*state, 0), 0);
    assert_int_equal(ks_percentiles_at(*state, 0.5), 0);
    assert_int_equal(ks_percentiles_at(*state, 1), 0);
}

static void one_value_is_every_percentile(void **state)
{
    ks_percentiles_add(*state, 123456789);
    for (unsigned share = 0; share <= 4; share++)
        assert_int_equal(ks_percentiles_at(*state, share / 4.0), 123456789);
}

static void small_values_are_exact(void **state)
{
    for (uint64_t value = 1; value <= 100; value++)
        ks_percentiles_add(*state, value);
    assert_int_equal(ks_percentiles_at(*state, 0.01), 1);
    assert_int_equal(ks_percentiles_at(*state, 0.5), 50);
    assert_int_equal(ks_percentiles_at(*state, 0.99), 99);
    assert_int_equal(ks_percentiles_at(*state, 1), 100);
}

static void large_values_are_near(void **state)
{
    const uint64_t count = 100000;
    for (uint64_t i = 1; i <= count; i++)
        ks_percentiles_add(*state, i * 1000);
    assert_near(ks_percentiles_at(*state, 0.5), count / 2 * 1000);
    assert_near(ks_percentiles_at(*state, 0.99), count / 100 * 99 * 1000);
    assert_near(ks_percentiles_at(*state, 0.999), count / 1000 * 999 * 1000);
    assert_int_equal(ks_percentiles_at(*state, 1), count * 1000);
}

/* At every power of two, where buckets change their width, and beside it. */
static void every_value_is_near_its_bucket_s_end(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift < 64; shift++)
        for (int beside = -1; beside <= 1; beside++) {
            struct ks_percentiles *one = calloc(1, sizeof *one);
            assert_non_null(one);
            uint64_t value = (UINT64_C(1) << shift) + (uint64_t)(int64_t)beside;
            ks_percentiles_add(one, value);
            ks_percentiles_add(one, UINT64_MAX);
            uint64_t found = ks_percentiles_at(one, 0.5);
            assert_true(found >= value);
            assert_true(found - value <= value / 100);
            free(one);
        }
}

static void the_greatest_value_is_exact(void **state)
{
    struct ks_percentiles *percentiles = *state;
    ks_percentiles_add(percentiles, 1000001);
    ks_percentiles_add(percentiles, 1000003);
    ks_percentiles_add(percentiles, 999999);
    assert_int_equal(percentiles->greatest, 1000003);
    assert_int_equal(ks_percentiles_at(percentiles, 1), 1000003);
}

static void an_outlier_is_seen_only_beyond_its_share(void **state)
{
    ks_percentiles_add_many(*state, 10, 999);
    ks_percentiles_add(*state, 5000000);
    assert_int_equal(ks_percentiles_at(*state, 0.5), 10);
    assert_int_equal(ks_percentiles_at(*state, 0.999), 10);
    assert_int_equal(ks_percentiles_at(*state, 0.9995), 5000000);
}

static void many_at_once_are_as_many_one_by_one(void **state)
{
    struct ks_percentiles *percentiles = *state;
    struct ks_percentiles *others = calloc(1, sizeof *others);
    assert_non_null(others);
    for (uint64_t value = 5; value < 5000000; value = value * 3 + 1) {
        ks_percentiles_add_many(percentiles, value, 7);
        for (unsigned i = 0; i < 7; i++)
            ks_percentiles_add(others, value);
    }
    ks_percentiles_add_many(percentiles, UINT64_MAX, 0);
    assert_memory_equal(percentiles, others, sizeof *others);
    free(others);
}

static void merged_they_are_those_of_all(void **state)
{
    struct ks_percentiles *all = *state;
    struct ks_percentiles *parts = calloc(2, sizeof *parts);
    assert_non_null(parts);
    for (uint64_t value = 1; value < 3000000; value = value * 5 / 4 + 1) {
        ks_percentiles_add(all, value);
        ks_percentiles_add(&parts[value % 2], value);
    }
    ks_percentiles_merge(&parts[0], &parts[1]);
    assert_memory_equal(all, &parts[0], sizeof *all);
    free(parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_has_no_percentiles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_value_is_every_percentile, set_up, tear_down),
        cmocka_unit_test_setup_teardown(small_values_are_exact, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_values_are_near, set_up, tear_down),
        cmocka_unit_test(every_value_is_near_its_bucket_s_end),
        cmocka_unit_test_setup_teardown(the_greatest_value_is_exact, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_outlier_is_seen_only_beyond_its_share, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_at_once_are_as_many_one_by_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(merged_they_are_those_of_all, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
