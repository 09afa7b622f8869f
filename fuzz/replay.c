/* replay.c — feeds a fuzz target every file of its corpus, without a fuzzer: an ordinary test, which keeps
 * what fuzzing once found from coming back. It also feeds it no bytes, and every input cut short.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* After those four. */
#include <cmocka.h>

#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INPUT_LIMIT = 1024 * 1024, CUTS = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* From a copy of exactly the size, so that the sanitizer sees a read past its end. */
static void feed(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    if (size > 0)
        memcpy(copy, bytes, size);
    assert_int_equal(LLVMFuzzerTestOneInput(copy, size), 0);
    free(copy);
}

static void feed_file(int directory_fd, const char *name)
{
    struct ks_buffer input = ks_buffer_empty(INPUT_LIMIT);
    assert_int_equal(ks_file_read(directory_fd, name, &input), KS_OK);
    size_t step = input.size / CUTS + 1;
    for (size_t size = 0; size < input.size; size += step)
        feed(input.bytes, size);
    feed(input.bytes, input.size);
    ks_buffer_free(&input);
}

static void corpus_is_taken(void **state)
{
    int directory_fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(directory_fd >= 0);
    DIR *directory = opendir(*state);
    assert_non_null(directory);
    size_t count = 0;
    const struct dirent *entry = NULL;
    /* There is one thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        feed_file(directory_fd, entry->d_name);
        count++;
    }
    closedir(directory);
    close(directory_fd);
    feed(NULL, 0);
    assert_true(count > 0); /* a corpus that is not found would pass for ever */
}

int main(int count, char **arguments)
{
    if (count != 2)
        return 2;
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(corpus_is_taken, arguments[1])};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
