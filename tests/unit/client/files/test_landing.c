/* Unit tests of files that have come: what is synced, in which order, together or one by one, and what a disk
 * that fails at it does to the promise. And of what is written to a descriptor, whoever reads there.
 */
#include "unit/client/files/target_fixture.h"

#include "client/files/descriptor.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

/* ---- a disk that can fail ---- */

/* What was asked of the disk. */
static unsigned disk_syncs;
static unsigned file_syncs;
static unsigned directory_syncs;
static unsigned names;          /* that were given */
static unsigned unsynced_names; /* before any sync of data */
static bool file_system_fails;  /* to sync as a whole */
static int failing_file = -1;   /* whose sync fails */
static bool directories_fail;

/* The names are the linker's. NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_syncfs(int fd);
int __real_fdatasync(int fd);
int __real_fsync(int fd);
int __real_renameat2(int from, const char *old_name, int to, const char *new_name, unsigned flags);
int __wrap_syncfs(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fsync(int fd);
int __wrap_renameat2(int from, const char *old_name, int to, const char *new_name, unsigned flags);
/* NOLINTEND(bugprone-reserved-identifier) */

static int fail_with(int error_number)
{
    errno = error_number;
    return -1;
}

int __wrap_syncfs(int fd)
{
    disk_syncs++;
    return file_system_fails ? fail_with(EIO) : __real_syncfs(fd);
}

int __wrap_fdatasync(int fd)
{
    file_syncs++;
    return fd == failing_file ? fail_with(EIO) : __real_fdatasync(fd);
}

int __wrap_fsync(int fd)
{
    directory_syncs++;
    return directories_fail ? fail_with(EIO) : __real_fsync(fd);
}

int __wrap_renameat2(int from, const char *old_name, int to, const char *new_name, unsigned flags)
{
    names++;
    unsynced_names += disk_syncs == 0 && file_syncs == 0 ? 1 : 0;
    return __real_renameat2(from, old_name, to, new_name, flags);
}

static int open_disk(void **state)
{
    disk_syncs = file_syncs = directory_syncs = names = unsynced_names = 0;
    file_system_fails = directories_fail = false;
    failing_file = -1;
    return open_target_fixture(state);
}

enum { MANY = 20 };

struct crowd {
    struct ks_landing landings[MANY];
    struct ks_landing *pointers[MANY];
    size_t count;
};

/* Complete files: `path` has a %zu. */
static void begin_crowd(struct target_fixture *fixture, struct crowd *crowd, size_t count, const char *path)
{
    static char paths[MANY][64];
    crowd->count = count;
    for (size_t i = 0; i < count; i++) {
        const char *place = strstr(path, "%zu");
        assert_true(snprintf(paths[i], sizeof paths[i], "%.*s%zu%s",
                             (int)(place != NULL ? place - path : (long)strlen(path)), path, i,
                             place != NULL ? place + 3 : "") > 0);
        fixture_open_landing(fixture, &crowd->landings[i], paths[i], false);
        assert_int_equal(landing_add(&crowd->landings[i], "content", NULL), KESHER_OK);
        crowd->pointers[i] = &crowd->landings[i];
    }
}

static void end_crowd(struct crowd *crowd)
{
    for (size_t i = 0; i < crowd->count; i++)
        close_landing(&crowd->landings[i], false);
}

static size_t count_settled(const struct crowd *crowd)
{
    size_t count = 0;
    for (size_t i = 0; i < crowd->count; i++)
        count += crowd->landings[i].status == KESHER_OK ? 1 : 0;
    return count;
}

static void one_file_is_synced_by_itself(void **state)
{
    struct target_fixture *fixture = *state;
    struct crowd crowd;
    begin_crowd(fixture, &crowd, 1, "file%zu");
    ks_landings_settle(crowd.pointers, crowd.count);
    assert_int_equal(count_settled(&crowd), 1);
    end_crowd(&crowd);
    assert_int_equal(disk_syncs, 0);
    assert_int_equal(file_syncs, 1);
    assert_int_equal(directory_syncs, 1);
    assert_int_equal(unsynced_names, 0);
    assert_true(directory_says(fixture->directory, "file0", "content"));
}

/* Somebody may have made them and been killed before they were synced. */
static void directories_above_a_file_are_synced_too(void **state)
{
    struct target_fixture *fixture = *state;
    struct crowd crowd;
    assert_int_equal(mkdirat(fixture->directory, "a", 0755), 0);
    begin_crowd(fixture, &crowd, 1, "a/b/c%zu");
    ks_landings_settle(crowd.pointers, crowd.count);
    assert_int_equal(count_settled(&crowd), 1);
    end_crowd(&crowd);
    assert_int_equal(directory_syncs, 3); /* b, a, and the one that was open */
}

static void many_files_share_their_syncs(void **state)
{
    struct target_fixture *fixture = *state;
    struct crowd crowd;
    begin_crowd(fixture, &crowd, MANY, "a/b/file%zu");
    ks_landings_settle(crowd.pointers, crowd.count);
    assert_int_equal(count_settled(&crowd), MANY);
    end_crowd(&crowd);
    assert_int_equal(disk_syncs, 1);
    assert_int_equal(file_syncs, 0);
    assert_int_equal(directory_syncs, 1);
    assert_int_equal(names, MANY);
    assert_int_equal(unsynced_names, 0);
    assert_true(directory_says(fixture->directory, "a/b/file19", "content"));
}

static void many_directories_share_theirs(void **state)
{
    struct target_fixture *fixture = *state;
    struct crowd crowd;
    begin_crowd(fixture, &crowd, MANY, "directory%zu/file");
    ks_landings_settle(crowd.pointers, crowd.count);
    assert_int_equal(count_settled(&crowd), MANY);
    end_crowd(&crowd);
    assert_int_equal(disk_syncs, 2);
    assert_int_equal(directory_syncs, 0);
}

/* Whose error it is that the file system tells of is asked of every file. */
static void disk_that_fails_to_sync_is_asked_for_each_file(void **state)
{
    struct target_fixture *fixture = *state;
    struct crowd crowd;
    begin_crowd(fixture, &crowd, MANY, "a/file%zu");
    file_system_fails = true;
    failing_file = crowd.landings[7].partial.fd;
    ks_landings_settle(crowd.pointers, crowd.count);
    assert_int_equal(count_settled(&crowd), MANY - 1);
    assert_int_equal(crowd.landings[7].status, KESHER_FILE);
    assert_non_null(strstr(crowd.landings[7].error.sentence, "a/file7"));
    end_crowd(&crowd);
    assert_int_equal(file_syncs, MANY);
    assert_int_equal(directory_syncs, 2); /* its own, and the one above, which nothing else has synced */
    assert_false(directory_has(fixture->directory, "a/file7"));
    assert_true(directory_says(fixture->directory, "a/file7.part", "content"));
    assert_true(directory_says(fixture->directory, "a/file8", "content"));
}

static void file_that_cannot_be_synced_gets_no_name(void **state)
{
    struct target_fixture *fixture = *state;
    struct crowd crowd;
    begin_crowd(fixture, &crowd, 1, "file%zu");
    failing_file = crowd.landings[0].partial.fd;
    ks_landings_settle(crowd.pointers, crowd.count);
    assert_int_equal(crowd.landings[0].status, KESHER_FILE);
    end_crowd(&crowd);
    assert_int_equal(names, 0);
    assert_false(directory_has(fixture->directory, "file0"));
}

static void name_that_cannot_be_synced_is_told(void **state)
{
    struct target_fixture *fixture = *state;
    struct crowd crowd;
    begin_crowd(fixture, &crowd, 2, "file%zu");
    directories_fail = true;
    ks_landings_settle(crowd.pointers, crowd.count);
    assert_int_equal(count_settled(&crowd), 0);
    assert_non_null(strstr(crowd.landings[1].error.sentence, "sync the directory"));
    end_crowd(&crowd);
}

static void one_that_is_there_meanwhile_keeps_no_other_from_its_name(void **state)
{
    struct target_fixture *fixture = *state;
    struct crowd crowd;
    begin_crowd(fixture, &crowd, 5, "file%zu");
    directory_write(fixture->directory, "file2", "mine", 0644);
    ks_landings_settle(crowd.pointers, crowd.count);
    assert_int_equal(count_settled(&crowd), 4);
    assert_int_equal(crowd.landings[2].status, KESHER_EXISTS);
    end_crowd(&crowd);
    assert_true(directory_says(fixture->directory, "file2", "mine"));
    assert_true(directory_says(fixture->directory, "file4", "content"));
}

/* ---- descriptors ---- */

static void pipe_that_nobody_reads_raises_no_signal(void **state)
{
    struct target_fixture *fixture = *state;
    int ends[2];
    sigset_t pending;
    sigset_t blocked;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    (void)signal(SIGPIPE, SIG_DFL); /* would end this program */
    assert_int_equal(ks_descriptor_write(ends[1], (const uint8_t *)"x", 1, "file", &fixture->error),
                     KESHER_FILE);
    assert_non_null(strstr(fixture->error.sentence, "file"));
    assert_int_equal(sigpending(&pending), 0);
    assert_int_equal(sigismember(&pending, SIGPIPE), 0);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &blocked), 0);
    assert_int_equal(sigismember(&blocked, SIGPIPE), 0);
    close(ends[1]);
}

enum { PIPED = 1024 * 1024 };

static void *read_all(void *context)
{
    const int *end = context;
    uint8_t step[4096];
    size_t *size = malloc(sizeof *size);
    ssize_t got = 1;
    assert_non_null(size);
    for (*size = 0; got > 0; *size += (size_t)(got > 0 ? got : 0))
        got = read(*end, step, sizeof step);
    return size;
}

static void pipe_that_is_full_is_waited_for(void **state)
{
    struct target_fixture *fixture = *state;
    int ends[2];
    pthread_t reader;
    void *size = NULL;
    uint8_t *bytes = calloc(1, PIPED);
    assert_non_null(bytes);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(pthread_create(&reader, NULL, read_all, &ends[0]), 0);
    assert_int_equal(ks_descriptor_write(ends[1], bytes, PIPED, "file", &fixture->error), KESHER_OK);
    close(ends[1]);
    assert_int_equal(pthread_join(reader, &size), 0);
    assert_int_equal(*(size_t *)size, PIPED);
    close(ends[0]);
    free(size);
    free(bytes);
}

#define DISK_TEST(function) cmocka_unit_test_setup_teardown(function, open_disk, close_target_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISK_TEST(one_file_is_synced_by_itself),
        DISK_TEST(directories_above_a_file_are_synced_too),
        DISK_TEST(many_files_share_their_syncs),
        DISK_TEST(many_directories_share_theirs),
        DISK_TEST(disk_that_fails_to_sync_is_asked_for_each_file),
        DISK_TEST(file_that_cannot_be_synced_gets_no_name),
        DISK_TEST(name_that_cannot_be_synced_is_told),
        DISK_TEST(one_that_is_there_meanwhile_keeps_no_other_from_its_name),
        DISK_TEST(pipe_that_nobody_reads_raises_no_signal),
        DISK_TEST(pipe_that_is_full_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
