/* Unit tests of what own files cost: a list of a hundred thousand files takes no more memory than one of a
 * hundred; and wherever memory runs out, it is told, and what is there stays right.
 */
#include "unit/client/files/get_server.h"

#include "unit/base/failing_memory.h"

enum { CROWD = 100000 };

static bool count_file(void *context, const struct kesher_file *file)
{
    size_t *count = context;
    assert_int_equal(strtoul(file->name, NULL, 10), *count);
    ++*count;
    return true;
}

/* How many allocations of ours it takes to list so many. */
static size_t list_crowd(struct get_fixture *fixture, size_t crowd)
{
    size_t count = 0;
    fixture->server->crowd = crowd;
    fixture->server->page = 1000;
    allocations_until_failure = SIZE_MAX;
    enum kesher_status status = kesher_files_list(fixture->files, NULL, count_file, &count, &fixture->error);
    size_t allocations = SIZE_MAX - allocations_until_failure;
    allocations_until_failure = 0;
    assert_int_equal(status, KESHER_OK);
    assert_int_equal(count, crowd);
    return allocations;
}

static void list_takes_no_memory_however_long_it_is(void **state)
{
    struct get_fixture *fixture = *state;
    assert_int_equal(list_crowd(fixture, CROWD), list_crowd(fixture, 100));
}

/* Every file has its name and is right, or has none. */
static void expect_whole_or_none(const struct get_fixture *fixture, const char *target, size_t size)
{
    assert_true(!get_has(fixture, target) ||
                directory_holds(fixture->target->directory, target, fixture->server->content, size));
}

static void get_tells_when_memory_runs_out(void **state)
{
    struct get_fixture *fixture = *state;
    size_t nth = 1;
    get_keep(fixture, "name", fixture->server->content, 100000);
    get_keep(fixture, "other", fixture->server->content, 20);
    get_want(fixture, "name", "some/target");
    get_want(fixture, "other", "other");
    for (bool is_over = false; !is_over; nth++) {
        kesher_files_close(fixture->files);
        get_fixture_open(fixture);
        (void)unlinkat(fixture->target->directory, "some/target", 0);
        (void)unlinkat(fixture->target->directory, "other", 0);
        fixture->account->server->writing = (struct secure_cut){.is_set = true, .left = 50000};
        failed = false;
        allocations_until_failure = nth;
        enum kesher_status status = get_run(fixture);
        allocations_until_failure = 0;
        is_over = !failed;
        assert_true(status == KESHER_OK || (failed && status != KESHER_PROTOCOL));
        expect_whole_or_none(fixture, "some/target", 100000);
        expect_whole_or_none(fixture, "other", 20);
    }
    assert_true(nth > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GET_TEST(list_takes_no_memory_however_long_it_is),
        GET_TEST(get_tells_when_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
