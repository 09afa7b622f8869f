/* Unit tests of the pure parts of own files: cli/files/file_patterns.h, cli/files/file_names.h,
 * cli/commands/same_names.h, and how their names and times are shown. */
#include "unit/unit.h"

#include "cli/commands/same_names.h"
#include "cli/files/file_names.h"
#include "cli/files/file_patterns.h"
#include "cli/terminal/shown_name.h"
#include "cli/terminal/shown_time.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- patterns ---- */

static bool means(const char *operand, bool below, const char *name)
{
    struct ks_file_patterns patterns;
    assert_true(ks_file_patterns_open(&operand, 1, below, &patterns));
    bool meant = ks_file_patterns_mean(&patterns, name);
    assert_true(patterns.met[0] == meant);
    ks_file_patterns_close(&patterns);
    return meant;
}

static void a_name_means_itself_and_nothing_else(void **state)
{
    (void)state;
    assert_true(means("a.txt", false, "a.txt"));
    assert_false(means("a.txt", false, "a.txt2"));
    assert_false(means("a.txt", false, "a"));
    assert_false(means("a.txt", false, "aXtxt"));
    assert_false(means("a.txt", false, "a.txt/b"));
    assert_false(means("a", false, "a/b"));
    assert_false(means("", false, "a"));
}

static void a_wildcard_stands_for_no_slash(void **state)
{
    (void)state;
    assert_true(means("*.jpg", false, "a.jpg"));
    assert_false(means("*.jpg", false, "photos/a.jpg"));
    assert_true(means("photos/*.jpg", false, "photos/a.jpg"));
    assert_false(means("photos/*.jpg", false, "photos/2026/a.jpg"));
    assert_true(means("*/*/*.jpg", false, "photos/2026/a.jpg"));
    assert_false(means("photos?a.jpg", false, "photos/a.jpg"));
    assert_true(means("[ab].txt", false, "b.txt"));
    assert_false(means("[!ab].txt", false, "b.txt"));
    assert_true(means("*", false, ".hidden"));
}

static void a_question_mark_is_one_character_of_any_size(void **state)
{
    (void)state;
    assert_true(means("caf?.txt", false, "caf\xc3\xa9.txt"));
    assert_true(means("?", false, "\xf0\x9f\x99\x82"));
    assert_false(means("caf?.txt", false, "cafee.txt"));
    assert_true(means("*.txt", false, "\xff\xfe.txt")); /* what is no UTF-8 has its bytes */
}

static void a_backslash_takes_the_meaning_of_a_wildcard(void **state)
{
    (void)state;
    assert_true(means("a\\*", false, "a*"));
    assert_false(means("a\\*", false, "ab"));
}

static void a_pattern_means_the_very_name_too(void **state)
{
    (void)state;
    assert_true(means("a[1].txt", false, "a1.txt"));
    assert_true(means("a[1].txt", false, "a[1].txt"));
}

static void what_is_below_is_meant_where_that_is_asked_for(void **state)
{
    (void)state;
    assert_true(means("photos", true, "photos/a.jpg"));
    assert_true(means("photos", true, "photos/2026/a.jpg"));
    assert_true(means("photos/", true, "photos/2026/a.jpg"));
    assert_true(means("photos//", true, "photos/a.jpg"));
    assert_true(means("photos/2026", true, "photos/2026/a.jpg"));
    assert_true(means("photos", true, "photos"));
    assert_false(means("photos", true, "photos2/a.jpg"));
    assert_false(means("2026", true, "photos/2026/a.jpg"));
    assert_true(means("pho*", true, "photos/2026/a.jpg"));
    assert_true(means("*/20??", true, "photos/2026/a.jpg"));
    assert_true(means("*/202?/", true, "photos/2026/a.jpg"));
    assert_true(means("*", true, "photos/2026/a.jpg"));
    assert_false(means("/", true, "a"));
    assert_false(means("", true, "a/b"));
}

static void each_operand_that_means_nothing_is_known(void **state)
{
    (void)state;
    const char *const operands[] = {"a*", "b", "*"};
    struct ks_file_patterns patterns;
    assert_true(ks_file_patterns_open(operands, KS_COUNT_OF(operands), false, &patterns));
    assert_true(ks_file_patterns_mean(&patterns, "apple"));
    assert_true(patterns.met[0] && !patterns.met[1] && patterns.met[2]);
    assert_false(ks_file_patterns_mean(&patterns, "a/b"));
    ks_file_patterns_close(&patterns);
}

static void assert_prefix(const char *const *operands, size_t count, const char *expected)
{
    struct ks_file_patterns patterns;
    char prefix[8];
    assert_true(ks_file_patterns_open(operands, count, true, &patterns));
    ks_file_patterns_prefix(&patterns, prefix, sizeof prefix);
    assert_string_equal(prefix, expected);
    ks_file_patterns_close(&patterns);
}

#define ASSERT_PREFIX(expected, ...)                                                                         \
    assert_prefix((const char *const[]){__VA_ARGS__}, KS_COUNT_OF(((const char *const[]){__VA_ARGS__})),     \
                  expected)

static void the_prefix_is_what_all_meant_names_begin_with(void **state)
{
    (void)state;
    assert_prefix(NULL, 0, "");
    ASSERT_PREFIX("a/b", "a/b");
    ASSERT_PREFIX("a/b", "a/b/");
    ASSERT_PREFIX("a/b", "a/b*");
    ASSERT_PREFIX("", "*");
    ASSERT_PREFIX("", "\\a");
    ASSERT_PREFIX("a", "abc", "a*", "abd");
    ASSERT_PREFIX("ab", "abc", "abd?");
    ASSERT_PREFIX("ab", "ab", "abc");
    ASSERT_PREFIX("", "abc", "xyz");
    ASSERT_PREFIX("longer-", "longer-than-seven"); /* what is cut is right, too */
}

/* ---- names ---- */

static void assert_tree(const char *path, const char *expected)
{
    size_t size = 0;
    const char *name = ks_file_names_of_tree(path, &size);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(name, expected, size);
    assert_true(name >= path && name <= path + strlen(path));
}

static void a_directory_gives_its_files_its_own_name(void **state)
{
    (void)state;
    assert_tree("photos", "photos");
    assert_tree("photos/", "photos");
    assert_tree("photos///", "photos");
    assert_tree("/abs/photos", "photos");
    assert_tree("../photos", "photos");
    assert_tree("./a/photos/", "photos");
    assert_tree("...", "...");
    assert_tree(".hidden", ".hidden");
}

static void a_directory_whose_path_says_no_name_gives_none(void **state)
{
    (void)state;
    assert_tree(".", "");
    assert_tree("./", "");
    assert_tree("..", "");
    assert_tree("../..", "");
    assert_tree("photos/.", "");
    assert_tree("photos/..", "");
    assert_tree("/", "");
    assert_tree("//", "");
    assert_tree("", "");
}

static void the_last_part_follows_the_last_slash(void **state)
{
    (void)state;
    assert_string_equal(ks_file_names_last_part("a"), "a");
    assert_string_equal(ks_file_names_last_part("a/b/c"), "c");
    assert_string_equal(ks_file_names_last_part("a/"), "");
    assert_string_equal(ks_file_names_last_part(""), "");
}

/* ---- two of one name ---- */

static void the_pair_that_is_complete_first_is_found(void **state)
{
    (void)state;
    const char *const given[] = {"z", "b", "a", "z", "b", "z"};
    struct ks_named names[KS_COUNT_OF(given)];
    const struct ks_named *first = NULL;
    const struct ks_named *second = NULL;
    for (size_t i = 0; i < KS_COUNT_OF(given); i++)
        names[i] = (struct ks_named){.name = given[i], .index = i};
    assert_true(ks_same_names_find(names, KS_COUNT_OF(given), &first, &second));
    assert_int_equal(first->index, 0);
    assert_int_equal(second->index, 3);
}

static void names_that_differ_are_no_pair(void **state)
{
    (void)state;
    struct ks_named names[] = {{"b", 0}, {"a", 1}, {"B", 2}};
    const struct ks_named *first = NULL;
    const struct ks_named *second = NULL;
    assert_false(ks_same_names_find(names, KS_COUNT_OF(names), &first, &second));
    assert_false(ks_same_names_find(NULL, 0, &first, &second));
}

/* ---- showing ---- */

static void a_path_is_safe_for_a_terminal_and_has_no_quotes(void **state)
{
    (void)state;
    char shown[KS_SHOWN_PATH_SIZE];
    assert_string_equal(ks_shown_path("a: b.txt", true, shown, sizeof shown), "a: b.txt");
    assert_string_equal(ks_shown_path("a\x1b[31m\n", true, shown, sizeof shown), "a\\x1b[31m\\x0a");
    assert_string_equal(ks_shown_path("gpj.\xe2\x80\xae", false, shown, sizeof shown), "gpj.\\xe2\\x80\\xae");
    assert_string_equal(ks_shown_path("\xd7\xa9", true, shown, sizeof shown),
                        "\xe2\x81\xa8\xd7\xa9\xe2\x81\xa9");
    assert_string_equal(ks_shown_path("\xd7\xa9", false, shown, sizeof shown), "\xd7\xa9");
}

static void a_path_is_cut_with_its_isolates(void **state)
{
    (void)state;
    char shown[20];
    char exact[20 + 1] = {0};
    memset(exact, 'a', 20);
    assert_true(strlen(ks_shown_path(exact, true, shown, sizeof shown)) <= 13);
    assert_string_equal(shown + strlen(shown) - 3, "...");
    ks_shown_path("\xd7\xa9\xd7\xa9\xd7\xa9\xd7\xa9\xd7\xa9\xd7\xa9\xd7\xa9\xd7\xa9\xd7\xa9", true, shown,
                  sizeof shown);
    assert_string_equal(shown + strlen(shown) - 3, "\xe2\x81\xa9");
}

static void a_short_time_is_for_columns(void **state)
{
    (void)state;
    char text[KS_SHOWN_TIME_SIZE];
    assert_int_equal(setenv("TZ", "UTC-2", 1), 0);
    tzset();
    assert_string_equal(ks_shown_time_short(1763839027, text), "2025-11-22 21:17");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_means_itself_and_nothing_else),
        cmocka_unit_test(a_wildcard_stands_for_no_slash),
        cmocka_unit_test(a_question_mark_is_one_character_of_any_size),
        cmocka_unit_test(a_backslash_takes_the_meaning_of_a_wildcard),
        cmocka_unit_test(a_pattern_means_the_very_name_too),
        cmocka_unit_test(what_is_below_is_meant_where_that_is_asked_for),
        cmocka_unit_test(each_operand_that_means_nothing_is_known),
        cmocka_unit_test(the_prefix_is_what_all_meant_names_begin_with),
        cmocka_unit_test(a_directory_gives_its_files_its_own_name),
        cmocka_unit_test(a_directory_whose_path_says_no_name_gives_none),
        cmocka_unit_test(the_last_part_follows_the_last_slash),
        cmocka_unit_test(the_pair_that_is_complete_first_is_found),
        cmocka_unit_test(names_that_differ_are_no_pair),
        cmocka_unit_test(a_path_is_safe_for_a_terminal_and_has_no_quotes),
        cmocka_unit_test(a_path_is_cut_with_its_isolates),
        cmocka_unit_test(a_short_time_is_for_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
