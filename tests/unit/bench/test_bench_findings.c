/* Unit tests of bench/load/findings.h: what is printed for people and for programs. */
#include "unit/unit.h"

#include "bench/load/findings.h"

#include <stdio.h>

static int set_up(void **state)
{
    *state = calloc(1, sizeof(struct ks_findings));
    return *state == NULL;
}

static int tear_down(void **state)
{
    free(*state);
    return 0;
}

static void assert_prints(const struct ks_findings *findings, bool json, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    assert_true(ks_findings_print(findings, json, stream));
    assert_int_equal(fclose(stream), 0);
    assert_string_equal(text, expected);
    free(text);
}

static void nothing_is_an_empty_object(void **state)
{
    assert_prints(*state, true, "{}\n");
    assert_prints(*state, false, "");
}

static void json_is_one_object_on_one_line(void **state)
{
    ks_findings_text(*state, "mode", "ask");
    ks_findings_number(*state, "requests", 1234567);
    ks_findings_number(*state, "seconds", 0.125);
    assert_prints(*state, true, "{\"mode\": \"ask\", \"requests\": 1234567, \"seconds\": 0.125}\n");
}

static void json_texts_are_escaped(void **state)
{
    ks_findings_text(*state, "text", "a\"b\\c\nd\x7F\xC3\xA9");
    assert_prints(*state, true, "{\"text\": \"a\\\"b\\\\c\\u000ad\\u007f\xC3\xA9\"}\n");
}

static void json_numbers_are_finite(void **state)
{
    const double zero = 0;
    ks_findings_number(*state, "a", 1 / zero);
    ks_findings_number(*state, "b", zero / zero);
    ks_findings_number(*state, "c", -2.5);
    ks_findings_number(*state, "d", 1e300);
    assert_prints(*state, true, "{\"a\": 0, \"b\": 0, \"c\": -2.5, \"d\": 1e+300}\n");
}

static void people_read_groups_of_digits(void **state)
{
    ks_findings_number(*state, "a_b", 1234567);
    ks_findings_number(*state, "c", -123456);
    ks_findings_number(*state, "d", 999);
    ks_findings_number(*state, "e", 0.12345);
    ks_findings_number(*state, "f", 12.3456);
    ks_findings_number(*state, "g", 123.456);
    ks_findings_number(*state, "h", 1234.56);
    assert_prints(*state, false,
                  "a b                               1 234 567\n"
                  "c                                 -123 456\n"
                  "d                                 999\n"
                  "e                                 0.123\n"
                  "f                                 12.35\n"
                  "g                                 123.5\n"
                  "h                                 1 235\n");
}

static void a_long_text_is_cut(void **state)
{
    struct ks_findings *findings = *state;
    char text[2 * KS_FINDINGS_TEXT_SIZE];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    ks_findings_text(findings, "text", text);
    assert_int_equal(strlen(findings->rows[0].text), KS_FINDINGS_TEXT_SIZE - 1);
}

static void latencies_are_told_in_microseconds(void **state)
{
    struct ks_percentiles *latency = calloc(1, sizeof *latency);
    assert_non_null(latency);
    ks_percentiles_add_many(latency, 100, 3);
    ks_percentiles_add(latency, 500);
    ks_findings_latency(*state, latency);
    free(latency);
    assert_prints(*state, true,
                  "{\"latency_mean_us\": 0.2, \"latency_p50_us\": 0.1, \"latency_p99_us\": 0.5, "
                  "\"latency_p999_us\": 0.5, \"latency_max_us\": 0.5}\n");
}

static void a_full_disk_is_a_failure(void **state)
{
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    ks_findings_number(*state, "a", 1);
    assert_false(ks_findings_print(*state, true, full));
    (void)fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_an_empty_object, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_is_one_object_on_one_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_texts_are_escaped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_numbers_are_finite, set_up, tear_down),
        cmocka_unit_test_setup_teardown(people_read_groups_of_digits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_text_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(latencies_are_told_in_microseconds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_is_a_failure, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
