/* Unit tests of where a fetched file goes: paths that are no targets, what may be in its place, and partial
 * files, with everything that others may have put where one would be.
 */
#include "unit/client/files/target_fixture.h"

#include <signal.h>
#include <sys/resource.h>

/* ---- paths ---- */

static void path_that_leads_elsewhere_is_refused(void **state)
{
    static const char *const paths[] = {"",      "/a", "a//b", "a/",       ".",    "./a",
                                        "a/./b", "..", "../a", "a/../b",   "a/..", "a/b/../../../c",
                                        "/",     "//", "a/.",  "/tmp/../x"};
    struct target_fixture *fixture = *state;
    for (size_t i = 0; i < KS_COUNT_OF(paths); i++) {
        struct ks_destination destination;
        assert_int_equal(fixture_open_destination(fixture, &destination, paths[i], true), KESHER_INVALID);
        assert_int_equal(fixture->error.status, KESHER_INVALID);
    }
    assert_false(directory_has(fixture->directory, "a"));
}

static void directories_are_made_as_others_make_them(void **state)
{
    struct target_fixture *fixture = *state;
    struct ks_destination destination;
    assert_int_equal(fixture_open_destination(fixture, &destination, "one/two/three", false), KESHER_OK);
    ks_destination_close(&destination);
    assert_int_equal(directory_mode(fixture->directory, "one/two"), S_IFDIR | 0755);
    assert_false(directory_has(fixture->directory, "one/two/three"));
    assert_int_equal(fixture_open_destination(fixture, &destination, "one/two/four", false), KESHER_OK);
    ks_destination_close(&destination);
}

static void symbolic_link_to_a_directory_is_not_followed(void **state)
{
    struct target_fixture *fixture = *state;
    struct ks_destination destination;
    assert_int_equal(mkdirat(fixture->directory, "real", 0755), 0);
    assert_int_equal(symlinkat("real", fixture->directory, "link"), 0);
    assert_int_equal(fixture_open_destination(fixture, &destination, "link/file", true), KESHER_INVALID);
    assert_non_null(strstr(fixture->error.sentence, "symbolic link"));
    assert_int_equal(fixture_open_destination(fixture, &destination, "link/deep/file", true), KESHER_INVALID);
    assert_false(directory_has(fixture->directory, "real/deep"));
    assert_int_equal(symlinkat("nowhere", fixture->directory, "dangling"), 0);
    assert_int_equal(fixture_open_destination(fixture, &destination, "dangling/file", true), KESHER_INVALID);
    assert_false(directory_has(fixture->directory, "nowhere"));
}

static void file_is_no_directory(void **state)
{
    struct target_fixture *fixture = *state;
    struct ks_destination destination;
    directory_write(fixture->directory, "file", "x", 0644);
    assert_int_equal(fixture_open_destination(fixture, &destination, "file/below", true), KESHER_FILE);
    assert_true(directory_says(fixture->directory, "file", "x"));
}

static void part_that_is_too_long_is_refused(void **state)
{
    struct target_fixture *fixture = *state;
    struct ks_destination destination;
    char path[600];
    memset(path, 'n', sizeof path);
    path[256] = '\0';
    assert_int_equal(fixture_open_destination(fixture, &destination, path, true), KESHER_INVALID);
    assert_non_null(strstr(fixture->error.sentence, "cannot have"));
    path[256] = '/';
    path[258] = '\0';
    assert_int_equal(fixture_open_destination(fixture, &destination, path, true), KESHER_INVALID);
}

/* To root nothing is forbidden. */
static void directory_that_is_not_writable_is_told(void **state)
{
    struct target_fixture *fixture = *state;
    struct ks_landing landing;
    bool is_root = geteuid() == 0;
    assert_int_equal(mkdirat(fixture->directory, "closed", 0555), 0);
    assert_int_equal(fchmod(fixture->directory, 0755), 0);
    assert_int_equal(is_root ? seteuid(65534) : 0, 0);
    enum kesher_status deep =
        fixture_open_destination(fixture, &landing.destination, "closed/new/file", false);
    enum kesher_status opened = fixture_open_destination(fixture, &landing.destination, "closed/file", false);
    enum kesher_status made = ks_partial_file_open(&landing.partial, &landing.destination, &fixture->error);
    assert_int_equal(is_root ? seteuid(0) : 0, 0);
    assert_int_equal(deep, KESHER_FILE);
    assert_int_equal(opened, KESHER_OK);
    assert_int_equal(made, KESHER_FILE);
    assert_non_null(strstr(fixture->error.sentence, "closed/file"));
    ks_destination_close(&landing.destination);
}

/* ---- what is there ---- */

static enum kesher_status look(struct target_fixture *fixture, const char *name, bool replace,
                               struct ks_destination_present *present)
{
    struct ks_destination destination;
    assert_int_equal(fixture_open_destination(fixture, &destination, name, replace), KESHER_OK);
    enum kesher_status status = ks_destination_look(&destination, present, &fixture->error);
    ks_destination_close(&destination);
    return status;
}

static void what_is_there_is_told(void **state)
{
    struct target_fixture *fixture = *state;
    struct ks_destination_present present;
    assert_int_equal(look(fixture, "nothing", false, &present), KESHER_OK);
    assert_false(present.is_there);
    directory_write(fixture->directory, "file", "four", 0640);
    assert_int_equal(look(fixture, "file", false, &present), KESHER_OK);
    assert_true(present.is_file);
    assert_int_equal(present.size, 4);
    assert_int_equal(present.mode, 0640);
}

static void what_is_no_file_is_not_replaced(void **state)
{
    struct target_fixture *fixture = *state;
    struct ks_destination_present present;
    assert_int_equal(mkdirat(fixture->directory, "directory", 0755), 0);
    assert_int_equal(mkfifoat(fixture->directory, "fifo", 0644), 0);
    assert_int_equal(look(fixture, "directory", false, &present), KESHER_EXISTS);
    assert_int_equal(look(fixture, "fifo", false, &present), KESHER_EXISTS);
    assert_int_equal(look(fixture, "directory", true, &present), KESHER_FILE);
    assert_non_null(strstr(fixture->error.sentence, "is a directory"));
    assert_int_equal(look(fixture, "fifo", true, &present), KESHER_FILE);
    assert_non_null(strstr(fixture->error.sentence, "no regular file"));
}

static void symbolic_link_is_replaced_and_not_followed(void **state)
{
    struct target_fixture *fixture = *state;
    struct ks_destination_present present;
    struct ks_landing landing;
    bool replaced = false;
    directory_write(fixture->directory, "real", "mine", 0644);
    assert_int_equal(symlinkat("real", fixture->directory, "link"), 0);
    assert_int_equal(look(fixture, "link", false, &present), KESHER_EXISTS);
    fixture_open_landing(fixture, &landing, "link", true);
    assert_int_equal(landing_add(&landing, "theirs", NULL), KESHER_OK);
    assert_int_equal(
        ks_partial_file_take_name(&landing.partial, &landing.destination, &replaced, &fixture->error),
        KESHER_OK);
    close_landing(&landing, false);
    assert_true(replaced);
    assert_true(directory_says(fixture->directory, "real", "mine"));
    assert_true(directory_says(fixture->directory, "link", "theirs"));
}

/* ---- partial files ---- */

static void partial_file_goes_on_where_it_was(void **state)
{
    struct target_fixture *fixture = *state;
    struct ks_landing landing;
    bool replaced = true;
    fixture_open_landing(fixture, &landing, "sub/file", false);
    assert_int_equal(landing_add(&landing, "hel", NULL), KESHER_OK);
    close_landing(&landing, false);
    assert_int_equal(directory_mode(fixture->directory, "sub/file.part"), S_IFREG | S_ISVTX | 0644);
    fixture_open_landing(fixture, &landing, "sub/file", false);
    assert_int_equal(landing.partial.cksum.length, 3);
    assert_int_equal(landing_add(&landing, "lo", NULL), KESHER_OK);
    assert_int_equal(ks_cksum_value(&landing.partial.cksum), 3287646509); /* of "hello" */
    assert_int_equal(
        ks_partial_file_take_name(&landing.partial, &landing.destination, &replaced, &fixture->error),
        KESHER_OK);
    close_landing(&landing, false);
    assert_false(replaced);
    assert_true(directory_says(fixture->directory, "sub/file", "hello"));
    assert_int_equal(directory_mode(fixture->directory, "sub/file"), S_IFREG | 0644);
    assert_false(directory_has(fixture->directory, "sub/file.part"));
}

static void partial_file_belongs_to_one_at_a_time(void **state)
{
    struct target_fixture *fixture = *state;
    struct ks_landing landing;
    struct ks_landing other;
    fixture_open_landing(fixture, &landing, "file", false);
    assert_int_equal(landing_add(&landing, "half", NULL), KESHER_OK);
    assert_int_equal(fixture_open_destination(fixture, &other.destination, "file", false), KESHER_OK);
    assert_int_equal(ks_partial_file_open(&other.partial, &other.destination, &fixture->error), KESHER_FILE);
    assert_non_null(strstr(fixture->error.sentence, "being fetched already"));
    close_landing(&landing, false);
    assert_int_equal(ks_partial_file_open(&other.partial, &other.destination, &fixture->error), KESHER_OK);
    assert_int_equal(other.partial.cksum.length, 4);
    close_landing(&other, false);
}

static void partial_file_with_nothing_in_it_goes(void **state)
{
    struct target_fixture *fixture = *state;
    struct ks_landing landing;
    fixture_open_landing(fixture, &landing, "file", false);
    assert_true(directory_has(fixture->directory, "file.part"));
    close_landing(&landing, false);
    assert_false(directory_has(fixture->directory, "file.part"));
    fixture_open_landing(fixture, &landing, "file", false);
    assert_int_equal(landing_add(&landing, "wrong", NULL), KESHER_OK);
    close_landing(&landing, true);
    assert_false(directory_has(fixture->directory, "file.part"));
}

static void partial_file_of_another_content_begins_again(void **state)
{
    struct target_fixture *fixture = *state;
    struct ks_landing landing;
    fixture_open_landing(fixture, &landing, "file", false);
    assert_int_equal(landing_add(&landing, "a long and older content", NULL), KESHER_OK);
    close_landing(&landing, false);
    fixture_open_landing(fixture, &landing, "file", false);
    assert_int_equal(ks_partial_file_restart(&landing.partial, &landing.destination, &fixture->error),
                     KESHER_OK);
    assert_int_equal(landing_add(&landing, "new", NULL), KESHER_OK);
    close_landing(&landing, false);
    assert_true(directory_says(fixture->directory, "file.part", "new"));
}

/* Somebody keeps a file "film.part", and gets "film". */
static void file_of_the_users_that_is_called_so_is_not_written_over(void **state)
{
    struct target_fixture *fixture = *state;
    struct ks_landing landing;
    const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000}};
    struct stat left;
    directory_write(fixture->directory, "film.part", "the first part", 0644);
    assert_int_equal(utimensat(fixture->directory, "film.part", times, 0), 0);
    fixture_open_landing(fixture, &landing, "film", false);
    assert_int_equal(ks_partial_file_restart(&landing.partial, &landing.destination, &fixture->error),
                     KESHER_FILE);
    assert_non_null(strstr(fixture->error.sentence, "film.part"));
    close_landing(&landing, false);
    assert_true(directory_says(fixture->directory, "film.part", "the first part"));
    assert_int_equal(fstatat(fixture->directory, "film.part", &left, 0), 0);
    assert_int_equal(left.st_mode, S_IFREG | 0644);
    assert_int_equal(left.st_mtim.tv_sec, 2000);
}

/* One whose cksum fits is gone on with, and ours from then on. */
static void file_that_fits_becomes_a_partial_file(void **state)
{
    struct target_fixture *fixture = *state;
    struct ks_landing landing;
    directory_write(fixture->directory, "film.part", "the first", 0644);
    fixture_open_landing(fixture, &landing, "film", false);
    assert_int_equal(landing_add(&landing, " part", NULL), KESHER_OK);
    close_landing(&landing, false);
    assert_true(directory_says(fixture->directory, "film.part", "the first part"));
    assert_int_equal(directory_mode(fixture->directory, "film.part"), S_IFREG | S_ISVTX | 0644);
}

static void refuse_partial(struct target_fixture *fixture, const char *name, const char *why)
{
    struct ks_landing landing;
    assert_int_equal(fixture_open_destination(fixture, &landing.destination, name, false), KESHER_OK);
    assert_int_equal(ks_partial_file_open(&landing.partial, &landing.destination, &fixture->error),
                     KESHER_FILE);
    assert_non_null(strstr(fixture->error.sentence, why));
    ks_destination_close(&landing.destination);
}

static void what_is_no_partial_file_is_refused(void **state)
{
    struct target_fixture *fixture = *state;
    directory_write(fixture->directory, "real", "mine", 0644);
    assert_int_equal(symlinkat("real", fixture->directory, "a.part"), 0);
    assert_int_equal(mkdirat(fixture->directory, "b.part", 0755), 0);
    assert_int_equal(mkfifoat(fixture->directory, "c.part", 0644), 0);
    assert_int_equal(linkat(fixture->directory, "real", fixture->directory, "d.part", 0), 0);
    refuse_partial(fixture, "a", "symbolic link");
    refuse_partial(fixture, "b", "directory");
    refuse_partial(fixture, "c", "no regular file");
    refuse_partial(fixture, "d", "another name");
    assert_true(directory_says(fixture->directory, "real", "mine"));
}

static void partial_file_of_somebody_else_is_refused(void **state)
{
    struct target_fixture *fixture = *state;
    if (geteuid() != 0)
        skip();
    directory_write(fixture->directory, "file.part", "trap", 0666);
    assert_int_equal(fchownat(fixture->directory, "file.part", 65534, 65534, 0), 0);
    refuse_partial(fixture, "file", "somebody else's");
}

static void long_names_have_short_partial_files(void **state)
{
    struct target_fixture *fixture = *state;
    struct ks_landing landing;
    char name[NAME_MAX + 1];
    bool replaced = false;
    for (size_t size = 249; size <= NAME_MAX; size++) {
        memset(name, 'n', size);
        name[size] = '\0';
        fixture_open_landing(fixture, &landing, name, false);
        assert_int_equal(landing.partial.is_short, size > 250);
        assert_int_equal(landing_add(&landing, "x", NULL), KESHER_OK);
        close_landing(&landing, false);
        fixture_open_landing(fixture, &landing, name, false);
        assert_int_equal(landing.partial.cksum.length, 1); /* it is found again */
        assert_int_equal(
            ks_partial_file_take_name(&landing.partial, &landing.destination, &replaced, &fixture->error),
            KESHER_OK);
        close_landing(&landing, false);
        assert_true(directory_says(fixture->directory, name, "x"));
    }
}

/* ---- names ---- */

static void what_came_meanwhile_is_not_written_over(void **state)
{
    struct target_fixture *fixture = *state;
    struct ks_landing landing;
    bool replaced = true;
    fixture_open_landing(fixture, &landing, "file", false);
    assert_int_equal(landing_add(&landing, "theirs", NULL), KESHER_OK);
    directory_write(fixture->directory, "file", "mine", 0644);
    assert_int_equal(
        ks_partial_file_take_name(&landing.partial, &landing.destination, &replaced, &fixture->error),
        KESHER_EXISTS);
    assert_int_equal(
        ks_destination_take_name(&landing.destination, landing.partial.name, &replaced, &fixture->error),
        KESHER_EXISTS); /* also at the last moment */
    close_landing(&landing, false);
    assert_false(replaced);
    assert_true(directory_says(fixture->directory, "file", "mine"));
    assert_true(directory_says(fixture->directory, "file.part", "theirs"));
    assert_int_equal(directory_mode(fixture->directory, "file.part") & S_ISVTX, S_ISVTX);
}

static void what_is_replaced_keeps_its_permissions(void **state)
{
    struct target_fixture *fixture = *state;
    struct ks_landing landing;
    bool replaced = false;
    directory_write(fixture->directory, "secret", "old", 0600);
    directory_write(fixture->directory, "tool", "old", 0755);
    fixture_open_landing(fixture, &landing, "secret", true);
    assert_int_equal(directory_mode(fixture->directory, "secret.part") & 0777, 0600); /* nobody reads it */
    assert_int_equal(landing_add(&landing, "new", NULL), KESHER_OK);
    assert_int_equal(
        ks_partial_file_take_name(&landing.partial, &landing.destination, &replaced, &fixture->error),
        KESHER_OK);
    assert_true(replaced);
    close_landing(&landing, false);
    fixture_open_landing(fixture, &landing, "tool", true);
    assert_int_equal(
        ks_partial_file_take_name(&landing.partial, &landing.destination, &replaced, &fixture->error),
        KESHER_OK);
    close_landing(&landing, false);
    assert_true(directory_says(fixture->directory, "secret", "new"));
    assert_int_equal(directory_mode(fixture->directory, "secret"), S_IFREG | 0600);
    assert_int_equal(directory_mode(fixture->directory, "tool"), S_IFREG | 0755);
}

/* Another file got its name: a fetched "file.part", say. */
static void file_in_the_place_of_the_partial_one_does_not_get_the_name(void **state)
{
    struct target_fixture *fixture = *state;
    struct ks_landing landing;
    bool replaced = false;
    fixture_open_landing(fixture, &landing, "file", true);
    assert_int_equal(landing_add(&landing, "right", NULL), KESHER_OK);
    directory_write(fixture->directory, "other", "wrong", 0644);
    assert_int_equal(renameat(fixture->directory, "other", fixture->directory, "file.part"), 0);
    assert_int_equal(
        ks_partial_file_take_name(&landing.partial, &landing.destination, &replaced, &fixture->error),
        KESHER_FILE);
    close_landing(&landing, true);
    assert_false(directory_has(fixture->directory, "file"));
    assert_true(directory_says(fixture->directory, "file.part", "wrong")); /* not ours to remove */
}

static void directory_that_came_meanwhile_is_told(void **state)
{
    struct target_fixture *fixture = *state;
    struct ks_landing landing;
    bool replaced = false;
    fixture_open_landing(fixture, &landing, "file", true);
    assert_int_equal(mkdirat(fixture->directory, "file", 0755), 0);
    assert_int_equal(
        ks_partial_file_take_name(&landing.partial, &landing.destination, &replaced, &fixture->error),
        KESHER_FILE);
    close_landing(&landing, false);
}

/* ---- a full disk ---- */

static void full_disk_keeps_what_came(void **state)
{
    struct target_fixture *fixture = *state;
    struct ks_landing landing;
    struct rlimit before;
    struct rlimit small;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 10;
    fixture_open_landing(fixture, &landing, "file", false);
    assert_int_equal(landing_add(&landing, "8 bytes.", NULL), KESHER_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum kesher_status status = landing_add(&landing, "too much", &fixture->error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    close_landing(&landing, false);
    assert_int_equal(status, KESHER_FILE);
    assert_non_null(strstr(fixture->error.sentence, "the 8 bytes that came are kept"));
    assert_true(directory_says(fixture->directory, "file.part", "8 bytes."));
}

static void room_that_is_not_there_is_told_at_once(void **state)
{
    struct target_fixture *fixture = *state;
    struct ks_landing landing;
    struct stat status;
    fixture_open_landing(fixture, &landing, "file", false);
    assert_int_equal(landing_add(&landing, "begin", NULL), KESHER_OK);
    assert_int_equal(ks_partial_file_make_room(&landing.partial, &landing.destination, 2 * 1024 * 1024, NULL),
                     KESHER_OK);
    /* More than any file system has. */
    assert_int_equal(
        ks_partial_file_make_room(&landing.partial, &landing.destination, KS_FILE_LARGEST, &fixture->error),
        KESHER_FILE);
    assert_non_null(strstr(fixture->error.sentence, "no room"));
    close_landing(&landing, false);
    assert_int_equal(fstatat(fixture->directory, "file.part", &status, 0), 0);
    assert_int_equal(status.st_size, 5);
    assert_true(status.st_blocks * 512 < 1024 * 1024); /* room was given back */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TARGET_TEST(path_that_leads_elsewhere_is_refused),
        TARGET_TEST(directories_are_made_as_others_make_them),
        TARGET_TEST(symbolic_link_to_a_directory_is_not_followed),
        TARGET_TEST(file_is_no_directory),
        TARGET_TEST(part_that_is_too_long_is_refused),
        TARGET_TEST(directory_that_is_not_writable_is_told),
        TARGET_TEST(what_is_there_is_told),
        TARGET_TEST(what_is_no_file_is_not_replaced),
        TARGET_TEST(symbolic_link_is_replaced_and_not_followed),
        TARGET_TEST(partial_file_goes_on_where_it_was),
        TARGET_TEST(partial_file_belongs_to_one_at_a_time),
        TARGET_TEST(partial_file_with_nothing_in_it_goes),
        TARGET_TEST(partial_file_of_another_content_begins_again),
        TARGET_TEST(file_of_the_users_that_is_called_so_is_not_written_over),
        TARGET_TEST(file_that_fits_becomes_a_partial_file),
        TARGET_TEST(what_is_no_partial_file_is_refused),
        TARGET_TEST(partial_file_of_somebody_else_is_refused),
        TARGET_TEST(long_names_have_short_partial_files),
        TARGET_TEST(what_came_meanwhile_is_not_written_over),
        TARGET_TEST(what_is_replaced_keeps_its_permissions),
        TARGET_TEST(file_in_the_place_of_the_partial_one_does_not_get_the_name),
        TARGET_TEST(directory_that_came_meanwhile_is_told),
        TARGET_TEST(full_disk_keeps_what_came),
        TARGET_TEST(room_that_is_not_there_is_told_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
