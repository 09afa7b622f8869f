/* Unit tests of src/store/embedded/database/wal_file.h: what SQLite writes to the log through us is what
 * another connection, and a copy of the files as they are after a crash, read.
 */
#include "unit/store/store_fixture.h"

#include "store/embedded/database/database.h"
#include "store/embedded/database/wal_file.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct house {
    char directory[64];
    char path[128];
    sqlite3 *writer;
};

static void open_writer(struct house *house)
{
    char why[256] = "";
    assert_int_equal(ks_database_open(house->path, true, &house->writer, why, sizeof why), KS_OK);
}

static int set_up(void **state)
{
    struct house *house = calloc(1, sizeof *house);
    assert_non_null(house);
    fixture_directory_make(house->directory);
    snprintf(house->path, sizeof house->path, "%s/test.db", house->directory);
    open_writer(house);
    assert_int_equal(
        ks_database_run(house->writer, "CREATE TABLE things(number INTEGER PRIMARY KEY, bytes BLOB)"), KS_OK);
    *state = house;
    return 0;
}

static int tear_down(void **state)
{
    struct house *house = *state;
    assert_int_equal(sqlite3_close(house->writer), SQLITE_OK);
    fixture_directory_remove(house->directory);
    free(house);
    return 0;
}

/* `count` more things of `size` bytes each, in one transaction. */
static enum ks_result add_things(struct house *house, int count, int size)
{
    char sql[300];
    snprintf(sql, sizeof sql,
             "BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
             " INSERT INTO things(bytes) SELECT randomblob(%d) FROM n; COMMIT",
             count, size);
    enum ks_result result = ks_database_run(house->writer, sql);
    if (result != KS_OK && !sqlite3_get_autocommit(house->writer))
        assert_int_equal(ks_database_run(house->writer, "ROLLBACK"), KS_OK);
    return result;
}

/* What a connection of its own sees at `path`; the database must be sound. */
static int64_t things_at(const char *path)
{
    sqlite3 *reader = NULL;
    char why[256] = "";
    int64_t count = -1;
    int64_t sound = 0;
    assert_int_equal(ks_database_open(path, false, &reader, why, sizeof why), KS_OK);
    assert_int_equal(ks_database_read_integer(reader, "SELECT count(*) FROM things", &count), KS_OK);
    assert_int_equal(
        ks_database_read_integer(
            reader, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check='ok'", &sound),
        KS_OK);
    assert_int_equal(sound, 1);
    sqlite3_close(reader);
    return count;
}

/* As if the machine had been killed now: what is in the files, opened somewhere else. */
static int64_t things_after_a_kill(const struct house *house)
{
    char command[512];
    char path[192];
    snprintf(command, sizeof command, "mkdir -p %s/copy && cp %s %s-wal %s/copy/", house->directory,
             house->path, house->path, house->directory);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): a test, with a path of its own */
    snprintf(path, sizeof path, "%s/copy/test.db", house->directory);
    int64_t count = things_at(path);
    snprintf(command, sizeof command, "rm -r %s/copy", house->directory);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c) */
    return count;
}

static void what_is_committed_is_seen_by_others_and_survives(void **state)
{
    struct house *house = *state;
    int64_t expected = 0;
    for (int i = 0; i < 50; i++) {
        assert_int_equal(add_things(house, 1 + i, 64), KS_OK);
        expected += 1 + i;
        assert_int_equal(things_at(house->path), expected);
    }
    assert_int_equal(things_after_a_kill(house), expected);
}

/* Larger than what is joined, with single pages that are, and spread over several writes. */
static void a_large_transaction_is_whole(void **state)
{
    struct house *house = *state;
    assert_int_equal(add_things(house, 20, 1000 * 1000), KS_OK);
    assert_int_equal(things_at(house->path), 20);
    assert_int_equal(things_after_a_kill(house), 20);
}

/* SQLite then writes pages before the commit, reads them back, and writes some of them again in their place.
 */
static void a_transaction_that_does_not_fit_the_cache_is_whole(void **state)
{
    struct house *house = *state;
    assert_int_equal(
        ks_database_run(house->writer, "PRAGMA cache_size=10; CREATE INDEX by_bytes ON things(bytes)"),
        KS_OK);
    assert_int_equal(add_things(house, 5000, 100), KS_OK);
    assert_int_equal(ks_database_run(house->writer, "BEGIN; UPDATE things SET bytes=randomblob(100);"
                                                    "DELETE FROM things WHERE number % 2 = 0; COMMIT"),
                     KS_OK);
    assert_int_equal(things_at(house->path), 2500);
    assert_int_equal(things_after_a_kill(house), 2500);
}

static void what_is_rolled_back_is_not_there(void **state)
{
    struct house *house = *state;
    assert_int_equal(add_things(house, 3, 64), KS_OK);
    assert_int_equal(ks_database_run(house->writer,
                                     "PRAGMA cache_size=10; BEGIN;"
                                     "INSERT INTO things(bytes) SELECT randomblob(50000) FROM things;"
                                     "INSERT INTO things(bytes) SELECT randomblob(50000) FROM things;"
                                     "ROLLBACK"),
                     KS_OK);
    assert_int_equal(things_at(house->path), 3);
    assert_int_equal(things_after_a_kill(house), 3);
    assert_int_equal(add_things(house, 4, 64), KS_OK);
    assert_int_equal(things_after_a_kill(house), 7);
}

static void the_log_may_start_again(void **state)
{
    struct house *house = *state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(add_things(house, 10, 5000), KS_OK);
        assert_int_equal(ks_database_run(house->writer, i % 2 == 0 ? "PRAGMA wal_checkpoint(RESTART)"
                                                                   : "PRAGMA wal_checkpoint(TRUNCATE)"),
                         KS_OK);
        assert_int_equal(add_things(house, 1, 64), KS_OK);
        assert_int_equal(things_after_a_kill(house), 11 * (i + 1));
    }
}

static void a_write_that_fails_fails_the_transaction(void **state)
{
    struct house *house = *state;
    struct rlimit before;
    assert_int_equal(add_things(house, 3, 64), KS_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    const struct rlimit narrow = {.rlim_cur = 256 * 1024, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &narrow), 0);
    enum ks_result result = add_things(house, 100, 10000);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_not_equal(result, KS_OK);
    assert_int_equal(things_at(house->path), 3);
    assert_int_equal(things_after_a_kill(house), 3);
    assert_int_equal(sqlite3_close(house->writer), SQLITE_OK);
    open_writer(house);
    assert_int_equal(add_things(house, 5, 10000), KS_OK);
    assert_int_equal(things_after_a_kill(house), 8);
}

static int fail_to_unlink(const char *path)
{
    (void)path;
    errno = EIO;
    return -1;
}

/* SQLite says first that it is done, and then commits: the rollback journal goes. */
static void a_database_that_stays_without_the_log_is_refused(void **state)
{
    const struct house *house = *state;
    char path[160];
    char why[256] = "";
    sqlite3 *database = NULL;
    sqlite3_vfs *file_system = sqlite3_vfs_find(NULL);
    snprintf(path, sizeof path, "%s/other.db", house->directory);
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(ks_database_run(database, "CREATE TABLE things(number)"), KS_OK);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
    assert_int_equal(file_system->xSetSystemCall(file_system, "unlink", (sqlite3_syscall_ptr)fail_to_unlink),
                     SQLITE_OK);
    assert_int_equal(ks_database_open(path, true, &database, why, sizeof why), KS_IO);
    assert_int_equal(file_system->xSetSystemCall(file_system, "unlink", NULL), SQLITE_OK);
    assert_null(database);
    assert_int_equal(ks_database_open(path, true, &database, why, sizeof why), KS_OK);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

static void there_is_one_file_system_for_all(void **state)
{
    (void)state;
    assert_non_null(ks_wal_file_system());
    assert_ptr_equal(ks_wal_file_system(), ks_wal_file_system());
}

#define HOUSE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(what_is_committed_is_seen_by_others_and_survives),
        HOUSE_TEST(a_large_transaction_is_whole),
        HOUSE_TEST(a_transaction_that_does_not_fit_the_cache_is_whole),
        HOUSE_TEST(what_is_rolled_back_is_not_there),
        HOUSE_TEST(the_log_may_start_again),
        HOUSE_TEST(a_write_that_fails_fails_the_transaction),
        HOUSE_TEST(a_database_that_stays_without_the_log_is_refused),
        cmocka_unit_test(there_is_one_file_system_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
