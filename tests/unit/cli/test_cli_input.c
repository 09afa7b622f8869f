/* Unit tests of cli/terminal/input.h: lines from a pipe, of any bytes, with a limit. */
#include "unit/unit.h"

#include "cli/terminal/input.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is to be read, written by a thread, since a pipe holds less than the longest lines. */
struct source {
    struct ks_input input;
    pthread_t thread;
    int ends[2];
    const char *bytes;
    size_t size;
    size_t step; /* bytes in one write */
};

static void *write_all(void *context)
{
    const struct source *source = context;
    size_t done = 0;
    while (done < source->size) {
        size_t step = source->size - done < source->step ? source->size - done : source->step;
        ssize_t written = write(source->ends[1], source->bytes + done, step);
        if (written < 0)
            break;
        done += (size_t)written;
    }
    close(source->ends[1]);
    return NULL;
}

static void source_start(struct source *source, const char *bytes, size_t size, size_t step, size_t limit)
{
    assert_int_equal(pipe(source->ends), 0);
    source->bytes = bytes;
    source->size = size;
    source->step = step;
    ks_input_init(&source->input, source->ends[0], limit);
    assert_int_equal(pthread_create(&source->thread, NULL, write_all, source), 0);
}

static void source_end(struct source *source)
{
    assert_int_equal(pthread_join(source->thread, NULL), 0);
    ks_input_destroy(&source->input);
    close(source->ends[0]);
}

static void expect_line(struct source *source, const char *expected, size_t expected_size)
{
    char *line = NULL;
    size_t size = 0;
    assert_int_equal(ks_input_line(&source->input, &line, &size), KS_INPUT_LINE);
    assert_int_equal(size, expected_size);
    assert_memory_equal(line, expected, expected_size);
    assert_int_equal(line[size], '\0');
}

static void expect_other(struct source *source, enum ks_input_result expected)
{
    char *line = NULL;
    size_t size = 0;
    assert_int_equal(ks_input_line(&source->input, &line, &size), expected);
}

static void lines_end_in_lf_or_cr_lf_or_with_the_input(void **state)
{
    (void)state;
    static const char text[] = "one\n\n two \r\n\r\na\rb\nlast";
    for (size_t step = 1; step <= sizeof text; step++) {
        struct source source;
        source_start(&source, text, sizeof text - 1, step, 100);
        expect_line(&source, "one", 3);
        expect_line(&source, "", 0);
        expect_line(&source, " two ", 5);
        expect_line(&source, "", 0);
        expect_line(&source, "a\rb", 3);
        expect_line(&source, "last", 4);
        expect_other(&source, KS_INPUT_END);
        expect_other(&source, KS_INPUT_END);
        source_end(&source);
    }
}

static void an_empty_input_has_no_line(void **state)
{
    (void)state;
    struct source source;
    source_start(&source, "", 0, 1, 100);
    expect_other(&source, KS_INPUT_END);
    source_end(&source);
}

static void nul_bytes_are_kept(void **state)
{
    (void)state;
    struct source source;
    source_start(&source, "a\0b\n\0\n", 6, 6, 100);
    expect_line(&source, "a\0b", 3);
    expect_line(&source, "\0", 1);
    expect_other(&source, KS_INPUT_END);
    source_end(&source);
}

static void a_line_over_the_limit_is_skipped_and_the_next_is_read(void **state)
{
    (void)state;
    enum { LIMIT = 3 * KS_INPUT_PIECE_SIZE };
    for (size_t length = LIMIT - 1; length <= LIMIT + 1; length++) {
        char *text = malloc(length + 6);
        struct source source;
        assert_non_null(text);
        memset(text, 'x', length);
        memcpy(text + length, "\nnext\n", 6);
        source_start(&source, text, length + 6, 1000, LIMIT);
        if (length <= LIMIT)
            expect_line(&source, text, length);
        else
            expect_other(&source, KS_INPUT_TOO_LONG);
        expect_line(&source, "next", 4);
        expect_other(&source, KS_INPUT_END);
        source_end(&source);
        free(text);
    }
}

static void a_line_over_the_limit_may_be_the_last(void **state)
{
    (void)state;
    struct source source;
    source_start(&source, "123456789", 9, 2, 8);
    expect_other(&source, KS_INPUT_TOO_LONG);
    expect_other(&source, KS_INPUT_END);
    source_end(&source);
}

static void expect_trimmed(const char *text, size_t size, const char *expected, size_t expected_size)
{
    char *line = malloc(size + 1); /* of exactly this size, so that a step past it is seen */
    assert_non_null(line);
    memcpy(line, text, size);
    line[size] = '\0';
    const char *trimmed = ks_input_trim(line, &size);
    assert_int_equal(size, expected_size);
    assert_memory_equal(trimmed, expected, expected_size);
    assert_int_equal(trimmed[size], '\0');
    free(line);
}

static void trimming_takes_blanks_from_both_ends_only(void **state)
{
    (void)state;
    expect_trimmed("", 0, "", 0);
    expect_trimmed(" \t\r", 3, "", 0);
    expect_trimmed("110", 3, "110", 3);
    expect_trimmed("  a b\t \r", 8, "a b", 3);
    expect_trimmed(" \0 ", 3, "\0", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_end_in_lf_or_cr_lf_or_with_the_input),
        cmocka_unit_test(an_empty_input_has_no_line),
        cmocka_unit_test(nul_bytes_are_kept),
        cmocka_unit_test(a_line_over_the_limit_is_skipped_and_the_next_is_read),
        cmocka_unit_test(a_line_over_the_limit_may_be_the_last),
        cmocka_unit_test(trimming_takes_blanks_from_both_ends_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
