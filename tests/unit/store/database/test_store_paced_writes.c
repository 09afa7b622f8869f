/* Unit tests of src/store/embedded/database/paced_writes.h, with a disk that says what the test wants. */
#include "unit/store/store_fixture.h"

#include "store/embedded/database/database.h"
#include "store/embedded/database/paced_writes.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>

static unsigned waits; /* for the disk */
static off_t waited_for;
static int answer; /* 0, or what errno is to be */

/* The name is the linker's. NOLINTNEXTLINE(bugprone-reserved-identifier) */
int __wrap_sync_file_range(int fd, off_t offset, off_t size, unsigned flags);

/* NOLINTNEXTLINE(bugprone-reserved-identifier) */
int __wrap_sync_file_range(int fd, off_t offset, off_t size, unsigned flags)
{
    (void)fd;
    (void)offset;
    waits++;
    waited_for += size;
    assert_int_equal(flags, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    errno = answer;
    return answer == 0 ? 0 : -1;
}

struct desk {
    char directory[64];
    sqlite3 *database;
    bool is_paced;
    enum ks_result result;
};

static int set_up(void **state)
{
    char path[128];
    char why[256];
    struct desk *desk = calloc(1, sizeof *desk);
    assert_non_null(desk);
    fixture_directory_make(desk->directory);
    ks_paced_writes_install();
    snprintf(path, sizeof path, "%s/database", desk->directory);
    assert_int_equal(ks_database_open(path, true, &desk->database, why, sizeof why), KS_OK);
    assert_int_equal(ks_database_run(desk->database, "CREATE TABLE bytes(b BLOB)"), KS_OK);
    waits = 0;
    waited_for = 0;
    answer = 0;
    *state = desk;
    return 0;
}

static int tear_down(void **state)
{
    struct desk *desk = *state;
    sqlite3_close_v2(desk->database);
    fixture_directory_remove(desk->directory);
    free(desk);
    return 0;
}

static void *write_rows(void *context)
{
    struct desk *desk = context;
    if (desk->is_paced)
        ks_paced_writes_begin();
    desk->result =
        ks_database_run(desk->database, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n"
                                        " WHERE i<1000) INSERT INTO bytes SELECT zeroblob(3000) FROM n");
    return NULL;
}

/* Three megabytes, in a transaction, on a thread of its own. */
static enum ks_result write_much(struct desk *desk, bool is_paced)
{
    pthread_t thread;
    desk->is_paced = is_paced;
    assert_int_equal(pthread_create(&thread, NULL, write_rows, desk), 0);
    pthread_join(thread, NULL);
    return desk->result;
}

static void assert_rows(struct desk *desk, int64_t expected)
{
    int64_t count = 0;
    assert_int_equal(ks_database_read_integer(desk->database, "SELECT count(*) FROM bytes", &count), KS_OK);
    assert_int_equal(count, expected);
}

static void a_thread_that_paces_its_writes_waits_for_the_disk_now_and_then(void **state)
{
    struct desk *desk = *state;
    assert_int_equal(write_much(desk, true), KS_OK);
    assert_in_range(waits, 8, 20);
    assert_in_range(waited_for, 2500000, 6000000);
    assert_rows(desk, 1000);
}

static void the_others_do_not(void **state)
{
    struct desk *desk = *state;
    assert_int_equal(write_much(desk, false), KS_OK);
    assert_int_equal(waits, 0);
}

/* The error is told once: what has failed here, no sync would tell. */
static void an_error_of_the_disk_fails_the_transaction(void **state)
{
    struct desk *desk = *state;
    answer = EIO;
    assert_int_equal(write_much(desk, true), KS_IO);
    answer = 0;
    assert_rows(desk, 0);
}

static void where_the_file_system_cannot_wait_nothing_fails(void **state)
{
    struct desk *desk = *state;
    answer = EINVAL;
    assert_int_equal(write_much(desk, true), KS_OK);
    assert_int_not_equal(waits, 0);
    assert_rows(desk, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_thread_that_paces_its_writes_waits_for_the_disk_now_and_then,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_others_do_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_error_of_the_disk_fails_the_transaction, set_up, tear_down),
        cmocka_unit_test_setup_teardown(where_the_file_system_cannot_wait_nothing_fails, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("store_paced_writes", tests, NULL, NULL);
}
