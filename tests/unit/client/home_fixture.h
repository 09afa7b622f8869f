/* home_fixture.h — an empty home of its own for every test, removed afterwards. The test's state is a struct
 * fixture. */
#ifndef KS_TESTS_UNIT_CLIENT_HOME_FIXTURE_H
#define KS_TESTS_UNIT_CLIENT_HOME_FIXTURE_H

#include "unit/unit.h"

#include "client/home/home_files.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    struct kesher_home *home;
    char path[64];
};

static inline int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

/* For cmocka_unit_test_setup_teardown. */
static inline int open_home(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    strcpy(fixture->path, "/tmp/kesher-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->path));
    assert_int_equal(kesher_home_open(fixture->path, &fixture->home, NULL), KESHER_OK);
    *state = fixture;
    return 0;
}

static inline int close_home(void **state)
{
    struct fixture *fixture = *state;
    kesher_home_close(fixture->home);
    assert_int_equal(nftw(fixture->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(fixture);
    return 0;
}

#define HOME_TEST(function) cmocka_unit_test_setup_teardown(function, open_home, close_home)

#endif
