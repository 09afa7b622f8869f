/* Unit tests of libkesher's own files when memory runs out: every allocation of a session, a put and a
 * removal fails once. What fails is told, nothing leaks, and the same call does it afterwards. The server's
 * thread has all the memory that it wants. */
#include "unit/base/failing_memory.h"
#include "unit/client/files/put_server.h"

enum { LARGE = 300000 };

static void removal_told(void *context, size_t index, enum kesher_status status,
                         const struct kesher_error *error)
{
    bool *removed = context;
    (void)index;
    (void)error;
    *removed = status == KESHER_OK;
}

/* Opens a session, puts a small and a large file, and removes one. */
static enum kesher_status do_all(struct put_fixture *fixture, struct put_plan *plan,
                                 const struct kesher_put_list *list, struct kesher_error *error)
{
    static const char *const names[] = {"small"};
    bool removed = false;
    enum kesher_status status = kesher_files_open(fixture->account->home, fixture->account->server->link,
                                                  &fixture->account->options, &fixture->files, error);
    plan->given = 0;
    plan->told = 0;
    if (status == KESHER_OK)
        status = kesher_files_put(fixture->files, list, error);
    assert_int_equal(plan->told, plan->given);
    if (status == KESHER_OK)
        status = kesher_files_remove(fixture->files, names, 1, removal_told, &removed, error);
    assert_int_equal(removed, status == KESHER_OK);
    kesher_files_close(fixture->files);
    fixture->files = NULL;
    return status;
}

static void failing_allocations_are_told_and_lose_nothing(void **state)
{
    struct put_fixture *fixture = *state;
    uint8_t *bytes = put_content(LARGE, 1);
    const struct kesher_put puts[] = {{.fd = put_file_of(bytes, 1000), .name = "small", .replace = true},
                                      {.fd = put_file_of(bytes, LARGE), .name = "large", .replace = true}};
    struct put_plan *plan = calloc(1, sizeof *plan);
    const struct kesher_put_list list = {plan, put_plan_next, put_plan_done};
    struct kesher_error error;
    *plan = (struct put_plan){.puts = puts, .count = 2};
    kesher_files_close(fixture->files);
    fixture->files = NULL;
    assert_int_equal(do_all(fixture, plan, &list, &error), KESHER_OK);
    size_t nth = 1;
    for (failed = true; failed; nth++) {
        failed = false;
        allocations_until_failure = nth;
        enum kesher_status status = do_all(fixture, plan, &list, &error);
        allocations_until_failure = 0;
        if (status != KESHER_OK)
            assert_true(error.sentence[0] != '\0');
        if (!failed)
            assert_int_equal(status, KESHER_OK);
    }
    assert_true(nth > 10);
    assert_kept(fixture, "large", bytes, LARGE);
    close(puts[0].fd);
    close(puts[1].fd);
    free(plan);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PUT_TEST(failing_allocations_are_told_and_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
