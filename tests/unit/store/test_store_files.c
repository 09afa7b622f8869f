/* Unit tests of the embedded engine, src/store/embedded: rows of files, what opening refuses and repairs, and
 * failing disks. */
#include "unit/store/engine_fixture.h"

#include <signal.h>
#include <sys/mount.h>

/* ---- uploads, from a chunk to the row ---- */

static struct ks_stage *upload(struct house *house, const struct ks_client_id *id, const char *name,
                               const char *text)
{
    struct ks_store_stage_open opening = {.request = fixture_request(&house->waiter), .id = *id};
    snprintf(opening.file_name, sizeof opening.file_name, "%s", name);
    ks_store_stage_open(house->store, &opening);
    assert_int_equal(fixture_wait(&house->waiter, &opening.request), KS_OK);
    char bytes[256];
    size_t size = strlen(text);
    memcpy(bytes, text, size);
    struct ks_store_stage_write writing = {.request = fixture_request(&house->waiter),
                                           .stage = opening.stage,
                                           .bytes = (uint8_t *)bytes,
                                           .size = size,
                                           .last = true};
    ks_store_stage_write(house->store, &writing);
    assert_int_equal(fixture_wait(&house->waiter, &writing.request), KS_OK);
    return opening.stage;
}

static enum ks_result confirm(struct house *house, struct ks_stage *stage)
{
    struct ks_store_confirm request = {.request = fixture_request(&house->waiter), .stage = stage};
    ks_store_confirm(house->store, &request);
    return fixture_wait(&house->waiter, &request.request);
}

static void a_confirmed_file_has_its_row(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    char path[256];
    assert_int_equal(register_user(house, "frank", NULL, &id), KS_OK);
    struct ks_stage *stage = upload(house, &id, "C:\\papers\\a letter.txt", "dear all");
    assert_database(house, "SELECT count(*) FROM files", "0");
    assert_int_equal(confirm(house, stage), KS_OK);
    assert_true(fixture_file_is(house->directory, path_of(&id, "a letter.txt", path), "dear all"));
    assert_database(house, "SELECT PathName FROM files", path);
    assert_database(house, "SELECT FileName FROM files", "C:\\papers\\a letter.txt");
    assert_database(house, "SELECT KeptName FROM files", "a letter.txt");
    assert_database(house, "SELECT Verified FROM files", "1");
    assert_database(house, "SELECT count(*) FROM files JOIN clients USING(ID)", "1");
}

static void one_kept_name_is_one_file_and_one_row(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    char path[256];
    assert_int_equal(register_user(house, "grace", NULL, &id), KS_OK);
    assert_int_equal(confirm(house, upload(house, &id, "a/x", "first")), KS_OK);
    assert_int_equal(confirm(house, upload(house, &id, "b/x", "second")), KS_OK);
    assert_true(fixture_file_is(house->directory, path_of(&id, "x", path), "second"));
    assert_database(house, "SELECT count(*) FROM files", "1");
    assert_database(house, "SELECT FileName FROM files", "b/x");
}

static void nobody_waits_until_a_replaced_file_is_freed(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    char path[256];
    char whole[512];
    sem_t gate;
    struct fixture_call busy = {.task.run = fixture_call_run, .function = fixture_hold, .context = &gate};
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_int_equal(sem_init(&busy.done, 0, 0), 0);
    assert_int_equal(register_user(house, "grace", NULL, &id), KS_OK);
    assert_int_equal(confirm(house, upload(house, &id, "x", "first")), KS_OK);
    snprintf(whole, sizeof whole, "%s/%s", house->directory, path_of(&id, "x", path));
    assert_int_equal(truncate(whole, 100 * 1024 * 1024), 0); /* as if it were large */
    ks_executor_post(ks_thread_executor(ks_engine_of(house->store)->reaper), &busy.task);
    assert_int_equal(confirm(house, upload(house, &id, "x", "second")), KS_OK);
    assert_true(fixture_file_is(house->directory, path, "second"));
    sem_post(&gate);
    fixture_hold(&busy.done);
}

static void a_restart_keeps_files_and_empties_staging(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    char path[256];
    assert_int_equal(register_user(house, "heidi", NULL, &id), KS_OK);
    assert_int_equal(confirm(house, upload(house, &id, "kept", "kept bytes")), KS_OK);
    house_close(house);
    fixture_write_file(house->directory, "staging/0000000000000001", "left by a crash");
    house_open(house);
    assert_int_equal(fixture_count_entries(house->directory, "staging"), 0);
    assert_true(fixture_file_is(house->directory, path_of(&id, "kept", path), "kept bytes"));
    assert_database(house, "SELECT PathName FROM files", path);
}

static void a_file_without_a_row_is_adopted(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    char path[256];
    assert_int_equal(register_user(house, "ivan", NULL, &id), KS_OK);
    assert_int_equal(confirm(house, upload(house, &id, "dir/kept", "kept")), KS_OK);
    house_close(house);
    fixture_write_file(house->directory, path_of(&id, "orphan", path), "a crash before the commit");
    fixture_write_file(house->directory, "files/not a user", "not ours");
    house_open(house);
    assert_database(house, "SELECT count(*) FROM files", "2");
    assert_database(house, "SELECT FileName FROM files WHERE Verified=1 AND KeptName='orphan'", "orphan");
    assert_database(house, "SELECT PathName FROM files WHERE KeptName='orphan'", path);
    assert_database(house, "SELECT FileName FROM files WHERE KeptName='kept'", "dir/kept");
    assert_true(fixture_file_is(house->directory, "files/not a user", "not ours"));
    /* And is replaced like any other. */
    assert_int_equal(confirm(house, upload(house, &id, "new/orphan", "newer")), KS_OK);
    assert_database(house, "SELECT FileName FROM files WHERE KeptName='orphan'", "new/orphan");
    assert_database(house, "SELECT count(*) FROM files", "2");
}

static void an_adopted_file_with_a_cut_name_gives_way_to_the_long_name(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    char name[201];
    assert_int_equal(register_user(house, "judy", NULL, &id), KS_OK);
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(confirm(house, upload(house, &id, name, "one")), KS_OK);
    run_on_database(house, "DELETE FROM files");
    house_restart(house);
    assert_database(house, "SELECT length(KeptName) FROM files", "120");
    assert_int_equal(confirm(house, upload(house, &id, name, "two")), KS_OK);
    assert_database(house, "SELECT count(*) FROM files", "1");
    assert_database(house, "SELECT length(KeptName) FROM files", "200");
}

static void a_row_whose_file_is_missing_is_left(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    char path[256];
    char whole[384];
    assert_int_equal(register_user(house, "karl", NULL, &id), KS_OK);
    assert_int_equal(confirm(house, upload(house, &id, "lost", "bytes")), KS_OK);
    house_close(house);
    snprintf(whole, sizeof whole, "%s/%s", house->directory, path_of(&id, "lost", path));
    assert_int_equal(unlink(whole), 0);
    house_open(house);
    assert_database(house, "SELECT count(*) FROM files", "1");
}

static void closing_with_stages_open_frees_them(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    assert_int_equal(register_user(house, "leo", NULL, &id), KS_OK);
    assert_non_null(upload(house, &id, "never confirmed", "bytes"));
    house_restart(house);
    assert_int_equal(fixture_count_entries(house->directory, "staging"), 0);
}

/* ---- refusals and failures ---- */

static void a_second_server_is_refused(void **state)
{
    struct house *house = *state;
    struct ks_store *second = NULL;
    char why[256];
    assert_int_equal(house_try_open(house, &second, why, sizeof why), KS_EXISTS);
    assert_non_null(strstr(why, "another server"));
}

static void a_database_of_a_newer_kesher_is_refused(void **state)
{
    struct house *house = *state;
    char why[256];
    house_close(house);
    run_on_database(house, "PRAGMA user_version=1000");
    assert_int_equal(house_try_open(house, &house->store, why, sizeof why), KS_INVALID);
    assert_non_null(strstr(why, "newer"));
}

/* Not by kesher: its tables do not take it. */
static void a_database_with_a_user_twice_is_refused(void **state)
{
    struct house *house = *state;
    char why[256];
    assert_int_equal(register_user(house, "mia", NULL, NULL), KS_OK);
    assert_int_equal(register_user(house, "noa", NULL, NULL), KS_OK);
    house_close(house);
    run_on_database(house, "CREATE TABLE copy AS SELECT * FROM clients;"
                           "DROP TABLE clients;"
                           "ALTER TABLE copy RENAME TO clients;"
                           "UPDATE clients SET Name = 'mia'");
    assert_int_equal(house_try_open(house, &house->store, why, sizeof why), KS_INVALID);
    run_on_database(house, "UPDATE clients SET Name = rowid, ID = (SELECT max(ID) FROM clients)");
    assert_int_equal(house_try_open(house, &house->store, why, sizeof why), KS_INVALID);
}

static void what_is_no_database_of_ours_is_refused(void **state)
{
    struct house *house = *state;
    char why[256];
    house_close(house);
    run_on_database(house, "PRAGMA application_id=1");
    assert_int_equal(house_try_open(house, &house->store, why, sizeof why), KS_INVALID);
    assert_non_null(strstr(why, "another program"));
    fixture_write_file(house->directory, "kesher.db",
                       "These are not the bytes of a database, but longer than "
                       "the hundred bytes that SQLite calls its header.");
    assert_int_equal(house_try_open(house, &house->store, why, sizeof why), KS_INVALID);
    assert_non_null(strstr(why, "kesher.db"));
}

static void the_data_is_for_its_owner_only(void **state)
{
    struct house *house = *state;
    static const struct {
        const char *name;
        mode_t mode;
    } expected[] = {{"kesher.db", 0600}, {"kesher.db-wal", 0600}, {"lock", 0600},
                    {"staging", 0700},   {"files", 0700},         {"messages", 0700}};
    house_close(house);
    fixture_directory_remove(house->directory);
    mode_t before = umask(0);
    house_open(house);
    assert_int_equal(register_user(house, "mallory", NULL, NULL), KS_OK);
    umask(before);
    for (size_t i = 0; i < KS_COUNT_OF(expected); i++) {
        char path[128];
        struct stat status;
        snprintf(path, sizeof path, "%s/%s", house->directory, expected[i].name);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0777, expected[i].mode);
    }
}

static void a_failed_commit_is_told_to_all_and_the_engine_lives_on(void **state)
{
    struct house *house = *state;
    struct held_writer held;
    struct ks_client_id id;
    struct ks_store_register requests[10];
    uint8_t byte = 0;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    fill_public_key(key, 8);
    assert_int_equal(register_user(house, "before", NULL, &id), KS_OK);
    writer_hold(house, &held);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++) {
        requests[i] = (struct ks_store_register){.request = fixture_request(&house->waiter)};
        snprintf(requests[i].name, sizeof requests[i].name, "unlucky %zu", i);
        ks_store_register_user(house->store, &requests[i]);
    }
    struct ks_store_set_keys change = {
        .request = fixture_request(&house->waiter), .id = id, .has_public_key = true};
    change.content_key = new_content_key(house, 81);
    ks_store_set_keys(house->store, &change);
    rlim_t before = limit_files_to(1024);
    writer_let_go(&held);
    for (size_t i = 0; i < KS_COUNT_OF(requests) + 1; i++)
        fixture_wait_for_answer(&house->waiter);
    limit_files_to(before);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++)
        assert_int_equal(requests[i].request.result, KS_IO);
    assert_int_equal(change.request.result, KS_IO);
    ks_content_key_release(change.content_key);
    /* Nothing of it is there, and all of it works again. */
    assert_int_equal(content_key_of(house, &id, &byte), KS_REFUSED);
    assert_int_equal(register_user(house, "unlucky 3", NULL, NULL), KS_OK);
    assert_int_equal(set_keys(house, &id, key, 82), KS_OK);
    house_restart(house);
    assert_database(house, "SELECT group_concat(Name) FROM clients", "before,unlucky 3");
    assert_int_equal(content_key_of(house, &id, &byte), KS_OK);
    assert_int_equal(byte, 82);
}

static void a_failed_flush_is_tried_again(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    fill_public_key(key, 8);
    assert_int_equal(register_user(house, "patient", key, &id), KS_OK);
    fixture_clock_forward(&house->clock, 100);
    ks_store_touch(house->store, &id);
    rlim_t before = limit_files_to(1024);
    house_tick(house);
    limit_files_to(before);
    assert_database(house, "SELECT LastSeen FROM clients", "2026-01-01 00:00:00");
    fixture_clock_forward(&house->clock, 60);
    house_tick(house);
    assert_database(house, "SELECT LastSeen FROM clients", "2026-01-01 00:01:40");
}

static void a_failed_drop_of_a_keyless_user_is_tried_again(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    assert_int_equal(register_user(house, "keyless", NULL, &id), KS_OK);
    fixture_clock_forward(&house->clock, DAY);
    rlim_t before = limit_files_to(1024);
    house_tick(house);
    limit_files_to(before);
    assert_int_equal(look_up(house, &id, NULL), KS_OK);
    house_tick(house);
    assert_int_equal(look_up(house, &id, NULL), KS_NOT_FOUND);
}

static void a_full_disk_says_no_space_and_is_survived(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    char ballast[128];
    house_close(house);
    if (mount("kesher-unit", house->directory, "tmpfs", 0, "size=2m") != 0)
        skip();
    house_open(house);
    enum ks_result result = register_user(house, "first", NULL, &id);
    snprintf(ballast, sizeof ballast, "head -c 4m /dev/zero > %s/ballast 2>/dev/null", house->directory);
    int full = system(ballast);
    enum ks_result refused = KS_OK;
    for (int i = 0; i < 100 && refused == KS_OK; i++) {
        char name[32];
        snprintf(name, sizeof name, "user %d", i);
        refused = register_user(house, name, NULL, NULL);
    }
    snprintf(ballast, sizeof ballast, "%s/ballast", house->directory);
    int emptied = unlink(ballast);
    enum ks_result after = register_user(house, "after", NULL, NULL);
    house_close(house);
    assert_int_equal(umount2(house->directory, MNT_DETACH), 0);
    assert_int_equal(result, KS_OK);
    assert_int_not_equal(full, 0);
    assert_int_equal(refused, KS_NO_SPACE);
    assert_int_equal(emptied, 0);
    assert_int_equal(after, KS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(a_confirmed_file_has_its_row),
        HOUSE_TEST(one_kept_name_is_one_file_and_one_row),
        HOUSE_TEST(nobody_waits_until_a_replaced_file_is_freed),
        HOUSE_TEST(a_restart_keeps_files_and_empties_staging),
        HOUSE_TEST(a_file_without_a_row_is_adopted),
        HOUSE_TEST(an_adopted_file_with_a_cut_name_gives_way_to_the_long_name),
        HOUSE_TEST(a_row_whose_file_is_missing_is_left),
        HOUSE_TEST(closing_with_stages_open_frees_them),
        HOUSE_TEST(a_second_server_is_refused),
        HOUSE_TEST(a_database_of_a_newer_kesher_is_refused),
        HOUSE_TEST(a_database_with_a_user_twice_is_refused),
        HOUSE_TEST(what_is_no_database_of_ours_is_refused),
        HOUSE_TEST(the_data_is_for_its_owner_only),
        HOUSE_TEST(a_failed_commit_is_told_to_all_and_the_engine_lives_on),
        HOUSE_TEST(a_failed_flush_is_tried_again),
        HOUSE_TEST(a_failed_drop_of_a_keyless_user_is_tried_again),
        HOUSE_TEST(a_full_disk_says_no_space_and_is_survived),
    };
    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests_name("store_files", tests, NULL, NULL);
}
