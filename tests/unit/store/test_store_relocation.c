/* Unit tests of src/store/embedded/relocation.c: files that an older kesher keeps under the secret ids of
 * their users are found under the aliases after a start, wherever the last start was stopped. */
#include "unit/store/engine_fixture.h"

#include <sys/mman.h>
#include <sys/stat.h>

static const char text_of_alice[] = "dear diary";

/* ---- what an older kesher has left ---- */

struct people {
    struct ks_client_id alice;
    struct ks_client_id bob;
};

static void keep_file(struct house *house, const struct ks_client_id *id, const char *name, const char *text)
{
    struct ks_store_stage_open opening = {.request = fixture_request(&house->waiter), .id = *id};
    char bytes[128];
    snprintf(opening.file_name, sizeof opening.file_name, "%s", name);
    ks_store_stage_open(house->store, &opening);
    assert_int_equal(fixture_wait(&house->waiter, &opening.request), KS_OK);
    snprintf(bytes, sizeof bytes, "%s", text);
    struct ks_store_stage_write writing = {.request = fixture_request(&house->waiter),
                                           .stage = opening.stage,
                                           .bytes = (uint8_t *)bytes,
                                           .size = strlen(bytes),
                                           .last = true};
    ks_store_stage_write(house->store, &writing);
    assert_int_equal(fixture_wait(&house->waiter, &writing.request), KS_OK);
    struct ks_store_confirm confirm = {.request = fixture_request(&house->waiter), .stage = opening.stage};
    ks_store_confirm(house->store, &confirm);
    assert_int_equal(fixture_wait(&house->waiter, &confirm.request), KS_OK);
}

static void rename_directory(const struct house *house, const char *from, const char *to)
{
    char source[128];
    char target[128];
    snprintf(source, sizeof source, "%s/%s", house->directory, from);
    snprintf(target, sizeof target, "%s/%s", house->directory, to);
    assert_int_equal(rename(source, target), 0);
}

static void directory_becomes_old(const struct house *house, const struct ks_client_id *id)
{
    char old[KS_NAMES_DIRECTORY_SIZE];
    char new[KS_NAMES_DIRECTORY_SIZE];
    ks_names_old_directory(id, old);
    rename_directory(house, fixture_directory_of(id, new), old);
}

static void directory_becomes_new(const struct house *house, const struct ks_client_id *id)
{
    char old[KS_NAMES_DIRECTORY_SIZE];
    char new[KS_NAMES_DIRECTORY_SIZE];
    ks_names_old_directory(id, old);
    rename_directory(house, old, fixture_directory_of(id, new));
}

static void rows_become_old(const struct house *house)
{
    run_on_database(house, "UPDATE files SET PathName='files/' || lower(hex(ID)) || substr(PathName, 39);"
                           "DELETE FROM settings WHERE Name='files by alias'");
}

/* Two users with two files each, as an older kesher has them; the house is closed. */
static struct people old_people(struct house *house)
{
    struct people people;
    assert_int_equal(register_user(house, "alice", NULL, &people.alice), KS_OK);
    assert_int_equal(register_user(house, "bob", NULL, &people.bob), KS_OK);
    keep_file(house, &people.alice, "diary", text_of_alice);
    keep_file(house, &people.alice, "dir/list", "eggs");
    keep_file(house, &people.bob, "diary", "nothing today");
    house_close(house);
    directory_becomes_old(house, &people.alice);
    directory_becomes_old(house, &people.bob);
    rows_become_old(house);
    return people;
}

static void assert_moved(struct house *house, const struct people *people)
{
    char path[256];
    char old[KS_NAMES_DIRECTORY_SIZE];
    assert_true(fixture_file_is(house->directory, path_of(&people->alice, "diary", path), text_of_alice));
    assert_true(fixture_file_is(house->directory, path_of(&people->alice, "list", path), "eggs"));
    assert_true(fixture_file_is(house->directory, path_of(&people->bob, "diary", path), "nothing today"));
    ks_names_old_directory(&people->alice, old);
    assert_int_equal(fixture_count_entries(house->directory, old), 0);
    assert_int_equal(fixture_count_entries(house->directory, "files"), 2);
    assert_database(house, "SELECT count(*) FROM files", "3");
    assert_database(house, "SELECT count(*) FROM files WHERE substr(PathName, 7, 32)=lower(hex(ID))", "0");
    assert_database(house, "SELECT PathName FROM files WHERE FileName='dir/list'",
                    path_of(&people->alice, "list", path));
}

/* ---- */

static void files_lie_under_the_alias_from_the_first_on(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    char old[KS_NAMES_DIRECTORY_SIZE];
    assert_int_equal(register_user(house, "alice", NULL, &id), KS_OK);
    keep_file(house, &id, "diary", text_of_alice);
    ks_names_old_directory(&id, old);
    char command[256];
    snprintf(command, sizeof command, "find '%s' | grep -q %s", house->directory, old + sizeof "files/" - 1);
    assert_int_not_equal(system(command), 0);
}

static void the_first_start_moves_directories_and_rows(void **state)
{
    struct house *house = *state;
    struct people people = old_people(house);
    house_open(house);
    assert_moved(house, &people);
    house_restart(house);
    assert_moved(house, &people);
}

/* Rows change when all directories have been moved: until then each directory may be old or new. */
static void a_start_goes_on_wherever_the_last_one_stopped(void **state)
{
    struct house *house = *state;
    struct people people = old_people(house);
    for (unsigned step = 0; step < 4; step++) {
        if (step & 1)
            directory_becomes_new(house, &people.alice);
        if (step & 2)
            directory_becomes_new(house, &people.bob);
        house_open(house);
        assert_moved(house, &people);
        house_close(house);
        directory_becomes_old(house, &people.alice);
        directory_becomes_old(house, &people.bob);
        rows_become_old(house);
    }
    house_open(house);
}

static void one_users_rows_may_be_new_already(void **state)
{
    struct house *house = *state;
    struct people people = old_people(house);
    char sql[512];
    char path[256];
    directory_becomes_new(house, &people.alice);
    directory_becomes_new(house, &people.bob);
    snprintf(sql, sizeof sql, "UPDATE files SET PathName='%s' WHERE FileName='dir/list'",
             path_of(&people.alice, "list", path));
    run_on_database(house, sql);
    house_open(house);
    assert_moved(house, &people);
}

static void half_of_the_files_may_be_moved_already(void **state)
{
    struct house *house = *state;
    struct people people = old_people(house);
    char path[256];
    char old[KS_NAMES_DIRECTORY_SIZE];
    char from[128];
    char new[KS_NAMES_DIRECTORY_SIZE];
    char to[128];
    snprintf(to, sizeof to, "%s/%s", house->directory, fixture_directory_of(&people.alice, new));
    assert_int_equal(mkdir(to, 0700), 0);
    ks_names_old_directory(&people.alice, old);
    snprintf(from, sizeof from, "%s/list", old);
    rename_directory(house, from, path_of(&people.alice, "list", path));
    house_open(house);
    assert_moved(house, &people);
}

/* A crash in between leaves a file with both names; and what has no second name moves by its only one. */
static void of_a_file_with_both_names_one_stays(void **state)
{
    struct house *house = *state;
    struct people people = old_people(house);
    char old[KS_NAMES_DIRECTORY_SIZE], new[KS_NAMES_DIRECTORY_SIZE], from[256], to[256], path[256];
    struct stat status;
    ks_names_old_directory(&people.alice, old);
    fixture_directory_of(&people.alice, new);
    snprintf(to, sizeof to, "%s/%s", house->directory, new);
    assert_int_equal(mkdir(to, 0700), 0);
    snprintf(from, sizeof from, "%s/%s/list", house->directory, old);
    snprintf(to, sizeof to, "%s/%s", house->directory, path_of(&people.alice, "list", path));
    assert_int_equal(link(from, to), 0);
    snprintf(from, sizeof from, "%s/%s/a folder", house->directory, old);
    assert_int_equal(mkdir(from, 0700), 0);
    house_open(house);
    assert_moved(house, &people);
    assert_int_equal(stat(to, &status), 0);
    assert_int_equal(status.st_nlink, 1);
    snprintf(to, sizeof to, "%s/%s/a folder", house->directory, new);
    assert_int_equal(stat(to, &status), 0);
    snprintf(to, sizeof to, "%s/damaged", house->directory);
    assert_int_not_equal(stat(to, &status), 0); /* nothing was put aside */
}

/* A backup that was put back over newer files. */
static void of_two_files_of_one_name_the_older_is_put_aside(void **state)
{
    struct house *house = *state;
    struct people people = old_people(house);
    char path[256];
    char old[KS_NAMES_DIRECTORY_SIZE];
    house_open(house);
    house_close(house);
    ks_names_old_directory(&people.alice, old);
    char made[128];
    snprintf(made, sizeof made, "%s/%s", house->directory, old);
    assert_int_equal(mkdir(made, 0700), 0);
    snprintf(path, sizeof path, "%s/diary", old);
    fixture_write_file(house->directory, path, "an older one");
    house_open(house);
    assert_moved(house, &people);
    assert_int_equal(fixture_count_entries(house->directory, "damaged"), 2);
    snprintf(path, sizeof path, "damaged/file-%.32s-diary",
             strchr(fixture_directory_of(&people.alice, old), '/') + 1);
    assert_true(fixture_file_is(house->directory, path, "an older one"));
}

/* Its user registered after the backup of the database was made. */
static void an_old_directory_of_nobody_is_adopted_and_moved_once(void **state)
{
    struct house *house = *state;
    struct people people = old_people(house);
    char path[256];
    run_on_database(house, "DELETE FROM clients WHERE Name='bob'; DELETE FROM files WHERE FileName='diary'");
    house_open(house);
    assert_true(fixture_file_is(house->directory, path_of(&people.bob, "diary", path), "nothing today"));
    assert_database(house, "SELECT count(*) FROM files WHERE FileName='diary'", "2");
    house_close(house);
    /* Between the directory and its rows: it must not be taken for an id's, and moved again. */
    rows_become_old(house);
    house_open(house);
    assert_true(fixture_file_is(house->directory, path_of(&people.bob, "diary", path), "nothing today"));
    assert_int_equal(fixture_count_entries(house->directory, "files"), 2);
}

static void what_is_strange_in_an_old_directory_is_told_without_the_secret_id(void **state)
{
    struct house *house = *state;
    struct people people = old_people(house);
    char old[KS_NAMES_DIRECTORY_SIZE], path[256], log[4096] = "";
    run_on_database(house, "DELETE FROM clients WHERE Name='bob'; DELETE FROM files WHERE FileName='diary'");
    ks_names_old_directory(&people.bob, old);
    snprintf(path, sizeof path, "%s/%s/a folder", house->directory, old);
    assert_int_equal(mkdir(path, 0700), 0);
    close(house->log.fd);
    house->log.fd = memfd_create("log", MFD_CLOEXEC);
    assert_true(house->log.fd >= 0);
    house_open(house);
    assert_true(pread(house->log.fd, log, sizeof log - 1, 0) > 0);
    assert_non_null(
        strstr(log, "a directory of files/ holds something that kesher did not put there: a folder\n"));
    assert_null(strstr(log, strchr(old, '/') + 1));
}

static void a_new_directory_of_nobody_stays(void **state)
{
    struct house *house = *state;
    struct people people = old_people(house);
    char path[256];
    house_open(house);
    house_close(house);
    run_on_database(house, "DELETE FROM clients WHERE Name='bob'; DELETE FROM files");
    house_open(house);
    assert_true(fixture_file_is(house->directory, path_of(&people.bob, "diary", path), "nothing today"));
    assert_database(house, "SELECT count(*) FROM files", "3");
}

/* Removed by an older kesher that could not finish. */
static void the_old_directory_of_a_removed_user_goes(void **state)
{
    struct house *house = *state;
    struct people people = old_people(house);
    char directory[KS_NAMES_DIRECTORY_SIZE];
    run_on_database(house, "INSERT INTO removals SELECT ID FROM clients WHERE Name='bob';"
                           "DELETE FROM clients WHERE Name='bob'");
    house_open(house);
    house_tick_through(house);
    assert_int_equal(fixture_count_entries(house->directory, "files"), 1);
    assert_int_equal(fixture_count_entries(house->directory, fixture_directory_of(&people.bob, directory)),
                     0);
}

/* What stops the move stops the start, and the next one goes on. */
static void a_move_that_fails_is_told_and_tried_again(void **state)
{
    struct house *house = *state;
    struct people people = old_people(house);
    char directory[KS_NAMES_DIRECTORY_SIZE];
    char why[256];
    char path[128];
    fixture_directory_of(&people.alice, directory);
    fixture_write_file(house->directory, directory, "where a directory should be");
    assert_int_equal(house_try_open(house, &house->store, why, sizeof why), KS_IO);
    snprintf(path, sizeof path, "%s/%s", house->directory, directory);
    assert_int_equal(unlink(path), 0);
    house_open(house);
    assert_moved(house, &people);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(files_lie_under_the_alias_from_the_first_on),
        HOUSE_TEST(the_first_start_moves_directories_and_rows),
        HOUSE_TEST(a_start_goes_on_wherever_the_last_one_stopped),
        HOUSE_TEST(one_users_rows_may_be_new_already),
        HOUSE_TEST(half_of_the_files_may_be_moved_already),
        HOUSE_TEST(of_a_file_with_both_names_one_stays),
        HOUSE_TEST(of_two_files_of_one_name_the_older_is_put_aside),
        HOUSE_TEST(an_old_directory_of_nobody_is_adopted_and_moved_once),
        HOUSE_TEST(what_is_strange_in_an_old_directory_is_told_without_the_secret_id),
        HOUSE_TEST(a_new_directory_of_nobody_stays),
        HOUSE_TEST(the_old_directory_of_a_removed_user_goes),
        HOUSE_TEST(a_move_that_fails_is_told_and_tried_again),
    };
    return cmocka_run_group_tests_name("store_relocation", tests, NULL, NULL);
}
