/* Unit tests of cli/terminal/progress_text.h and cli/terminal/shown_size.h: the line of a progress bar at any
 * width, a rate that can be read, sizes. */
#include "unit/unit.h"

#include "cli/terminal/progress_text.h"
#include "cli/terminal/shown_size.h"

#include <string.h>

/* ---- sizes ---- */

static void a_size_has_one_to_three_digits_before_the_point(void **state)
{
    (void)state;
    static const struct {
        double bytes;
        const char *shown;
    } sizes[] = {
        {0, "0 B"},
        {1, "1 B"},
        {999, "999 B"},
        {999.4, "999 B"},
        {999.6, "1.0 kB"},
        {1000, "1.0 kB"},
        {12345, "12.3 kB"},
        {999949, "999.9 kB"},
        {999950, "1.0 MB"},
        {6442450944, "6.4 GB"},
        {999.9e12, "999.9 TB"},
        {1e15, "1.0 PB"},
        {9.2e18, "9200.0 PB"},
    };
    for (size_t i = 0; i < KS_COUNT_OF(sizes); i++) {
        char text[KS_SHOWN_SIZE_SIZE];
        assert_string_equal(ks_shown_size(sizes[i].bytes, text), sizes[i].shown);
    }
}

/* ---- the rate ---- */

static void a_steady_stream_has_its_rate_from_the_first_look_on(void **state)
{
    (void)state;
    struct ks_rate rate = {.has_begun = false};
    ks_rate_count(&rate, 5000, 123456789); /* moved in no time */
    for (uint64_t now = 5010; now <= 25000; now += 10) {
        ks_rate_count(&rate, now, 1000);
        if (now >= 5200)
            assert_true(rate.per_second > 99999 && rate.per_second < 100001);
    }
    assert_true(ks_rate_is_settled(&rate));
}

static void a_rate_is_settled_after_a_second(void **state)
{
    (void)state;
    struct ks_rate rate = {.has_begun = false};
    assert_false(ks_rate_is_settled(&rate));
    for (uint64_t now = 0; now < 1000; now += 100)
        ks_rate_count(&rate, now, 1);
    assert_false(ks_rate_is_settled(&rate));
    ks_rate_count(&rate, 1000, 1);
    assert_true(ks_rate_is_settled(&rate));
}

static void a_rate_does_not_jump_and_follows_within_seconds(void **state)
{
    (void)state;
    struct ks_rate rate = {.has_begun = false};
    uint64_t now = 0;
    for (; now <= 20000; now += 100)
        ks_rate_count(&rate, now, 100000); /* a megabyte a second */
    ks_rate_count(&rate, now += 100, 0);
    ks_rate_count(&rate, now += 100, 0); /* nothing for a moment */
    assert_true(rate.per_second > 0.9e6 && rate.per_second < 1e6);
    for (uint64_t until = now + 12000; now <= until; now += 100)
        ks_rate_count(&rate, now, 10000);
    assert_true(rate.per_second > 0.09e6 && rate.per_second < 0.2e6);
}

static void a_long_pause_counts(void **state)
{
    (void)state;
    struct ks_rate rate = {.has_begun = false};
    uint64_t now = 0;
    for (; now <= 10000; now += 100)
        ks_rate_count(&rate, now, 100000);
    ks_rate_count(&rate, now + 60000, 0);
    assert_true(rate.per_second < 0.1e6);
}

/* ---- the line ---- */

static const struct ks_progress_view usual = {
    .done = 450, .total = 1000, .rate = 12.3e6, .is_settled = true, .name = "photos/2026/a.jpg"};

static const char *line_of(const struct ks_progress_view *view, int columns)
{
    static char text[KS_PROGRESS_TEXT_SIZE];
    ks_progress_text(view, columns, text);
    return text;
}

static void the_usual_widths_have_what_fits(void **state)
{
    (void)state;
    struct ks_progress_view view = usual;
    view.total = (uint64_t)1e9;
    view.done = (uint64_t)450e6;
    assert_string_equal(line_of(&view, 40), " 45%  12.3 MB/s   0:45  ...2026/a.jpg");
    assert_string_equal(line_of(&view, 80),
                        " 45% [=========>           ]  12.3 MB/s     0:45 left  photos/2026/a.jpg");
    assert_string_equal(line_of(&view, 200), " 45% [============>               ]  12.3 MB/s     0:45 left  "
                                             "photos/2026/a.jpg");
    view.file = 3;
    view.files = 1000;
    assert_string_equal(line_of(&view, 80),
                        " 45% [====>     ]  12.3 MB/s     0:45 left  3 of 1000  photos/2026/a.jpg");
}

/* At most two columns for each character. */
static int columns_of(const char *text)
{
    int columns = 0;
    for (; *text != '\0'; text++)
        if (((unsigned char)*text & 0xc0) != 0x80)
            columns += (unsigned char)*text < 0x80 ? 1 : 2;
    return columns;
}

static void every_line_leaves_room_for_the_echo_of_a_ctrl_c(void **state)
{
    (void)state;
    static const char *const names[] = {
        "",
        "a",
        "a-name-that-is-longer-than-most-terminals/and-a-directory-with-a-long-name/and-another/a.jpg",
        "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e.txt",
        "\xf0\x9f\x99\x82\xf0\x9f\x99\x82\xf0\x9f\x99\x82\xf0\x9f\x99\x82\xf0\x9f\x99\x82\xf0\x9f\x99\x82",
    };
    static const double rates[] = {0, 1, 999.9e3, 999.9e9, 1e20};
    for (int columns = 0; columns <= 220; columns++)
        for (size_t name = 0; name < KS_COUNT_OF(names); name++)
            for (size_t rate = 0; rate < KS_COUNT_OF(rates); rate++) {
                const struct ks_progress_view view = {.done = UINT64_MAX / 3,
                                                      .total = UINT64_MAX,
                                                      .rate = rates[rate],
                                                      .is_settled = true,
                                                      .file = 999999,
                                                      .files = 1000000,
                                                      .name = names[name]};
                int used = columns_of(line_of(&view, columns));
                assert_true(used <= columns - 3 || used == 0);
            }
}

static void a_name_that_is_cut_shows_its_end_in_whole_characters(void **state)
{
    (void)state;
    struct ks_progress_view view = usual;
    view.name = "directory/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e.txt";
    const char *line = line_of(&view, 40);
    const char *cut = strstr(line, "...");
    assert_non_null(cut);
    assert_string_equal(cut, "...\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e.txt");
}

static void percents_end_at_100_and_begin_at_0(void **state)
{
    (void)state;
    static const struct {
        uint64_t done;
        uint64_t total;
        const char *percent;
    } cases[] = {
        {0, 10, "  0%"},
        {9999, 10000, " 99%"},
        {10, 10, "100%"},
        {20, 10, "100%"}, /* it has grown */
        {0, 0, "100%"},
        {UINT64_MAX - 1, UINT64_MAX, "100%"},
        {UINT64_MAX / 2, UINT64_MAX, " 50%"},
    };
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++) {
        struct ks_progress_view view = usual;
        view.done = cases[i].done;
        view.total = cases[i].total;
        assert_memory_equal(line_of(&view, 80), cases[i].percent, 4);
    }
}

static void the_time_that_is_left_is_told_once_it_can_be_known(void **state)
{
    (void)state;
    static const struct {
        double rate;
        bool is_settled;
        const char *left;
    } cases[] = {
        {100, false, "    -:-- left"},     {0, true, "    -:-- left"},   {100, true, "    0:10 left"},
        {1, true, "   16:40 left"},        {0.1, true, " 2:46:40 left"}, {0.00277779, true, "99:59:58 left"},
        {0.002777, true, "    -:-- left"},
    };
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++) {
        struct ks_progress_view view = usual;
        view.done = 0;
        view.rate = cases[i].rate;
        view.is_settled = cases[i].is_settled;
        if (strstr(line_of(&view, 80), cases[i].left) == NULL)
            fail_msg("'%s' is not in '%s'", cases[i].left, line_of(&view, 80));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_size_has_one_to_three_digits_before_the_point),
        cmocka_unit_test(a_steady_stream_has_its_rate_from_the_first_look_on),
        cmocka_unit_test(a_rate_is_settled_after_a_second),
        cmocka_unit_test(a_rate_does_not_jump_and_follows_within_seconds),
        cmocka_unit_test(a_long_pause_counts),
        cmocka_unit_test(the_usual_widths_have_what_fits),
        cmocka_unit_test(every_line_leaves_room_for_the_echo_of_a_ctrl_c),
        cmocka_unit_test(a_name_that_is_cut_shows_its_end_in_whole_characters),
        cmocka_unit_test(percents_end_at_100_and_begin_at_0),
        cmocka_unit_test(the_time_that_is_left_is_told_once_it_can_be_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
