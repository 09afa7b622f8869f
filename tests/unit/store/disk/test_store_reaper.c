/* Unit tests of src/store/embedded/disk/reaper.h: who replaces a large file does not wait until its space is
 * free. */
#include "unit/store/store_fixture.h"

#include "store/embedded/disk/reaper.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

enum { LARGE = 8 * 1024 * 1024 };

struct yard {
    char directory[64];
    int directory_fd;
    struct ks_thread *reaper;
};

static int set_up(void **state)
{
    struct yard *yard = calloc(1, sizeof *yard);
    assert_non_null(yard);
    fixture_directory_make(yard->directory);
    yard->directory_fd = open(yard->directory, O_RDONLY | O_DIRECTORY);
    assert_true(yard->directory_fd >= 0);
    assert_int_equal(ks_reaper_start(&yard->reaper), KS_OK);
    *state = yard;
    return 0;
}

static int tear_down(void **state)
{
    struct yard *yard = *state;
    ks_thread_stop(yard->reaper);
    close(yard->directory_fd);
    fixture_directory_remove(yard->directory);
    free(yard);
    return 0;
}

static void make_file(const struct yard *yard, const char *name, off_t size)
{
    int fd = openat(yard->directory_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size), 0);
    assert_int_equal(close(fd), 0);
}

/* How many files without a name this process keeps. */
static unsigned files_without_name(void)
{
    unsigned count = 0;
    DIR *descriptors = opendir("/proc/self/fd");
    assert_non_null(descriptors);
    for (const struct dirent *entry = readdir(descriptors); entry != NULL; entry = readdir(descriptors)) {
        struct stat status;
        int fd = atoi(entry->d_name);
        if (fd > 2 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 0)
            count++;
    }
    closedir(descriptors);
    return count;
}

static void a_large_file_that_is_replaced_is_freed_by_the_reaper(void **state)
{
    const struct yard *yard = *state;
    sem_t gate;
    struct fixture_call busy = {.task.run = fixture_call_run, .function = fixture_hold, .context = &gate};
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_int_equal(sem_init(&busy.done, 0, 0), 0);
    ks_executor_post(ks_thread_executor(yard->reaper), &busy.task);
    unsigned before = files_without_name();
    make_file(yard, "old", LARGE);
    make_file(yard, "new", 1);
    struct ks_held_file *held = ks_reaper_hold(yard->directory_fd, "old");
    assert_non_null(held);
    assert_int_equal(renameat(yard->directory_fd, "new", yard->directory_fd, "old"), 0);
    ks_reaper_let_go(yard->reaper, held);
    assert_int_equal(files_without_name(), before + 1);
    sem_post(&gate);
    fixture_call_on(ks_thread_executor(yard->reaper), NULL, NULL);
    assert_int_equal(files_without_name(), before);
}

static void what_was_held_in_vain_stays(void **state)
{
    const struct yard *yard = *state;
    struct stat status;
    make_file(yard, "old", LARGE);
    ks_reaper_let_go(yard->reaper, ks_reaper_hold(yard->directory_fd, "old"));
    fixture_call_on(ks_thread_executor(yard->reaper), NULL, NULL);
    assert_int_equal(fstatat(yard->directory_fd, "old", &status, 0), 0);
    assert_int_equal(status.st_size, LARGE);
}

static void only_large_files_are_held(void **state)
{
    const struct yard *yard = *state;
    make_file(yard, "small", 1024);
    make_file(yard, "large", LARGE);
    assert_int_equal(symlinkat("large", yard->directory_fd, "link"), 0);
    assert_int_equal(mkdirat(yard->directory_fd, "directory", 0700), 0);
    static const char *const names[] = {"small", "link", "directory", "nothing"};
    for (size_t i = 0; i < KS_COUNT_OF(names); i++)
        assert_null(ks_reaper_hold(yard->directory_fd, names[i]));
    ks_reaper_let_go(yard->reaper, NULL);
}

#define YARD_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        YARD_TEST(a_large_file_that_is_replaced_is_freed_by_the_reaper),
        YARD_TEST(what_was_held_in_vain_stays),
        YARD_TEST(only_large_files_are_held),
    };
    return cmocka_run_group_tests_name("store_reaper", tests, NULL, NULL);
}
