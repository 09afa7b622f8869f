/* Unit tests of the embedded engine, src/store/embedded: how an operator's removal of a user goes, next to
 * all that may be on its way for that user, over crashes and on failing disks. */
#include "unit/store/operators_fixture.h"

#include "base/text.h"

/* ---- what goes ---- */

static void a_removed_user_takes_all_along_but_what_others_have(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_client_id again;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    keep_file(house, &users.bob, "one", "1");
    keep_file(house, &users.bob, "two", "2");
    keep_file(house, &users.alice, "hers", "3");
    append(house, &users.bob, &users.alice, "small");
    append_spooled(house, &users.bob, &users.alice, "large");
    append(house, &users.alice, &users.bob, "to alice");
    assert_int_equal(public_key_of(house, &users.bob, key), KS_OK);
    assert_int_equal(remove_user(house, "bob"), KS_OK);
    assert_false(has_directory(house, &users.bob));
    assert_int_equal(files_of(house, &users.alice), 1);
    assert_int_equal(look_up(house, &users.bob, NULL), KS_NOT_FOUND);
    assert_int_equal(public_key_of(house, &users.bob, key), KS_NOT_FOUND);
    assert_int_equal(lease(house, &users.bob, 7).count, 0);
    assert_database(house, "SELECT count(*) FROM clients", "1");
    assert_database(house, "SELECT count(*) FROM files", "1");
    assert_database(house, "SELECT count(*) FROM messages", "1");
    assert_spooled(house, 0);
    assert_waiting(house, &users.alice, "to alice");
    assert_int_equal(register_user(house, "bob", NULL, &again), KS_OK);
    assert_memory_not_equal(&again, &users.bob, sizeof again);
    assert_int_equal(remove_user(house, "carol"), KS_NOT_FOUND);
}

static void a_removed_user_stays_away_over_restarts(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    keep_file(house, &users.bob, "one", "1");
    append(house, &users.bob, &users.alice, "small");
    assert_int_equal(remove_user(house, "bob"), KS_OK);
    assert_database(house, "SELECT count(*) FROM removals", "1"); /* until no upload can have begun before */
    house_restart(house);
    assert_int_equal(look_up(house, &users.bob, NULL), KS_NOT_FOUND);
    house_tick_through(house);
    fixture_clock_forward(&house->clock, 60);
    house_tick(house);
    assert_database(house, "SELECT count(*) FROM removals", "0");
    assert_database(house, "SELECT count(*) FROM files", "0");
    assert_database(house, "SELECT count(*) FROM messages", "0");
}

static void many_files_go_in_pieces(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    char path[256];
    enum { MANY = 600 };
    keep_file(house, &users.bob, "first", "1");
    house_close(house);
    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "file %d", i);
        fixture_write_file(house->directory, path_of(&users.bob, name, path), "x");
    }
    house_open(house);
    assert_database(house, "SELECT count(*) FROM files", "601");
    assert_int_equal(remove_user(house, "bob"), KS_OK);
    assert_false(has_directory(house, &users.bob));
    assert_database(house, "SELECT count(*) FROM files", "0");
}

static void many_messages_go_in_pieces(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    char id[2 * KS_CLIENT_ID_SIZE + 1];
    char sql[768];
    ks_text_to_hex(users.bob.bytes, sizeof users.bob.bytes, id);
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<25000)"
             " INSERT INTO messages(ToClient, FromClient, Type, ContentSize, Content)"
             " SELECT x'%s', x'%s', 3, 1, x'00' FROM n;"
             " INSERT INTO waiting SELECT ToClient, ID, ContentSize FROM messages",
             id, id);
    house_close(house);
    run_on_database(house, sql);
    house_open(house);
    assert_int_equal(remove_user(house, "bob"), KS_OK);
    assert_database(house, "SELECT count(*) FROM messages", "0");
    assert_database(house, "SELECT count(*) FROM waiting", "0");
}

static void of_two_removals_one_finds_the_user(void **state)
{
    struct house *house = *state;
    two_users(house);
    struct held_writer held;
    struct ks_store_remove_user first = {.request = fixture_request(&house->waiter), .name = "bob"};
    struct ks_store_remove_user second = {.request = fixture_request(&house->waiter), .name = "bob"};
    writer_hold(house, &held);
    begin_removal(house, &first);
    begin_removal(house, &second);
    writer_let_go(&held);
    fixture_wait_for_answer(&house->waiter);
    fixture_wait_for_answer(&house->waiter);
    assert_int_equal(first.request.result, KS_OK);
    assert_int_equal(second.request.result, KS_NOT_FOUND);
}

/* ---- uploads on their way ---- */

static void uploads_of_a_removed_user_fail_and_leave_nothing(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_stage *growing = NULL;
    struct ks_stage *complete = NULL;
    struct ks_stage *others = NULL;
    struct ks_stage *late = NULL;
    assert_int_equal(open_stage(house, &users.bob, "growing", &growing), KS_OK);
    assert_int_equal(write_chunk(house, growing, "some", false), KS_OK);
    assert_int_equal(open_stage(house, &users.bob, "complete", &complete), KS_OK);
    assert_int_equal(write_chunk(house, complete, "all", true), KS_OK);
    assert_int_equal(open_stage(house, &users.alice, "hers", &others), KS_OK);
    assert_int_equal(write_chunk(house, others, "all", true), KS_OK);
    assert_int_equal(remove_user(house, "bob"), KS_OK);
    assert_int_equal(fixture_count_entries(house->directory, "staging"), 1);
    assert_int_equal(write_chunk(house, growing, "more", true), KS_NOT_FOUND);
    assert_int_equal(confirm_stage(house, growing), KS_NOT_FOUND);
    assert_int_equal(confirm_stage(house, complete), KS_NOT_FOUND);
    assert_int_equal(confirm_stage(house, others), KS_OK);
    assert_int_equal(open_stage(house, &users.bob, "late", &late), KS_NOT_FOUND);
    assert_false(has_directory(house, &users.bob));
}

static void an_upload_that_had_not_begun_is_refused_when_it_is_confirmed(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_stage *stage = NULL;
    assert_int_equal(open_stage(house, &users.bob, "late", &stage), KS_OK);
    assert_int_equal(remove_user(house, "bob"), KS_OK);
    assert_int_equal(write_chunk(house, stage, "all", true), KS_OK);
    assert_int_equal(confirm_stage(house, stage), KS_NOT_FOUND);
    assert_false(has_directory(house, &users.bob));
    assert_int_equal(fixture_count_entries(house->directory, "staging"), 0);
    assert_database(house, "SELECT count(*) FROM files", "0");
}

static void a_file_whose_row_comes_in_the_batch_of_the_removal_goes(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct held_writer held;
    struct ks_stage *stage = NULL;
    struct fixture_waiter waiter;
    struct ks_executor *confirms = ks_thread_executor(ks_engine_of(house->store)->vault->confirm_thread);
    fixture_waiter_init(&waiter);
    struct ks_store_remove_user removal = {.request = fixture_request(&waiter), .name = "bob"};
    writer_hold(house, &held);
    begin_removal(house, &removal);
    assert_int_equal(open_stage(house, &users.bob, "late", &stage), KS_OK);
    assert_int_equal(write_chunk(house, stage, "all", true), KS_OK);
    struct ks_store_confirm confirm = {.request = fixture_request(&house->waiter), .stage = stage};
    ks_store_confirm(house->store, &confirm);
    while (files_of(house, &users.bob) == 0) /* renamed into place; then its row is handed over */
        fixture_call_on(confirms, NULL, NULL);
    fixture_call_on(confirms, NULL, NULL);
    writer_let_go(&held);
    assert_int_equal(fixture_wait(&waiter, &removal.request), KS_OK);
    assert_int_equal(fixture_wait(&house->waiter, &confirm.request), KS_NOT_FOUND);
    assert_false(has_directory(house, &users.bob));
    assert_database(house, "SELECT count(*) FROM files", "0");
}

/* ---- changes on their way ---- */

static void changes_behind_a_removal_do_not_reach_who_gets_its_place(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house); /* bob is the last one: his row's number is free after him */
    struct held_writer held;
    struct fixture_waiter waiter;
    struct ks_client_id carol;
    uint8_t byte = 0;
    fixture_waiter_init(&waiter);
    struct ks_store_remove_user removal = {.request = fixture_request(&waiter), .name = "bob"};
    struct ks_store_register registration = {.request = fixture_request(&waiter), .name = "carol"};
    struct ks_store_set_keys set = {
        .request = fixture_request(&waiter), .id = users.bob, .has_public_key = true};
    struct ks_store_drop_content_key drop = {.request = fixture_request(&waiter), .id = users.bob};
    struct ks_store_append_message message = append_request(house, &users.bob, &users.alice, "late");
    message.request = fixture_request(&waiter);
    set.content_key = new_content_key(house, 5);
    drop.content_key = set.content_key;
    ks_store_touch(house->store, &users.bob);
    writer_hold(house, &held);
    begin_removal(house, &removal);
    ks_store_register_user(house->store, &registration);
    ks_store_set_keys(house->store, &set);
    ks_store_drop_content_key(house->store, &drop);
    ks_store_append_message(house->store, &message);
    ks_store_touch(house->store, &users.bob);
    writer_let_go(&held);
    for (int i = 0; i < 5; i++)
        fixture_hold(&waiter.answered);
    ks_content_key_release(set.content_key);
    assert_int_equal(removal.request.result, KS_OK);
    assert_int_equal(registration.request.result, KS_OK);
    assert_int_equal(set.request.result, KS_NOT_FOUND);
    assert_int_equal(drop.request.result, KS_OK);
    assert_int_equal(message.request.result, KS_NOT_FOUND);
    carol = registration.id;
    assert_int_equal(content_key_of(house, &carol, &byte), KS_REFUSED);
    assert_database(house, "SELECT PublicKey FROM clients WHERE Name='carol'", "NULL");
    assert_database(house, "SELECT count(*) FROM messages", "0");
    fixture_clock_forward(&house->clock, 3600);
    house_tick(house); /* LastSeen of who was touched is written */
    assert_database(house, "SELECT LastSeen FROM clients WHERE Name='carol'", "2026-01-01 00:00:00");
}

static void changes_before_a_removal_in_one_batch_are_answered_and_go_along(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct held_writer held;
    struct fixture_waiter waiter;
    fixture_waiter_init(&waiter);
    struct ks_store_set_keys set = {.request = fixture_request(&waiter), .id = users.bob};
    struct ks_store_append_message message = append_request(house, &users.bob, &users.alice, "just before");
    struct ks_store_remove_user removal = {.request = fixture_request(&waiter), .name = "bob"};
    message.request = fixture_request(&waiter);
    set.content_key = new_content_key(house, 5);
    writer_hold(house, &held);
    ks_store_set_keys(house->store, &set);
    ks_store_append_message(house->store, &message);
    begin_removal(house, &removal);
    writer_let_go(&held);
    for (int i = 0; i < 3; i++)
        fixture_hold(&waiter.answered);
    ks_content_key_release(set.content_key);
    assert_int_equal(set.request.result, KS_OK);
    assert_int_equal(message.request.result, KS_OK);
    assert_int_equal(removal.request.result, KS_OK);
    assert_database(house, "SELECT count(*) FROM messages", "0");
    assert_int_equal(lease(house, &users.bob, 7).count, 0);
}

static void a_lease_on_messages_of_a_removed_user_is_lost(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "small");
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    assert_int_equal(part.count, 1);
    assert_int_equal(remove_user(house, "bob"), KS_OK);
    assert_int_equal(try_to_read(house, &users.bob, &part), KS_NOT_FOUND);
    assert_int_equal(delivered(house, &users.bob, 7, part.last), KS_NOT_FOUND);
}

/* ---- failures and crashes ---- */

static void a_removal_that_the_disk_refuses_leaves_the_user_whole(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    keep_file(house, &users.bob, "one", "1");
    append(house, &users.bob, &users.alice, "small");
    rlim_t before = limit_files_to(1024);
    enum ks_result result = remove_user(house, "bob");
    limit_files_to(before);
    assert_int_equal(result, KS_IO);
    assert_int_equal(look_up(house, &users.bob, NULL), KS_OK);
    assert_int_equal(files_of(house, &users.bob), 1);
    assert_waiting(house, &users.bob, "small");
    keep_file(house, &users.bob, "two", "2");
    assert_int_equal(remove_user(house, "bob"), KS_OK);
    assert_false(has_directory(house, &users.bob));
}

/* As a server leaves it that ends right after the commit. */
static void crash_in_a_removal(struct house *house, const char *name)
{
    char sql[256];
    house_close(house);
    snprintf(sql, sizeof sql,
             "INSERT INTO removals SELECT ID FROM clients WHERE Name='%s';"
             "DELETE FROM clients WHERE Name='%s'",
             name, name);
    run_on_database(house, sql);
}

static void a_removal_that_was_cut_short_goes_on_at_the_next_start(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    char path[256];
    keep_file(house, &users.bob, "one", "1");
    append(house, &users.bob, &users.alice, "small");
    append_spooled(house, &users.bob, &users.alice, "large");
    crash_in_a_removal(house, "bob");
    fixture_write_file(house->directory, path_of(&users.bob, "no row", path), "x");
    house_open(house);
    assert_database(house, "SELECT count(*) FROM files", "1"); /* not adopted */
    house_tick_through(house);
    assert_false(has_directory(house, &users.bob));
    assert_database(house, "SELECT count(*) FROM files", "0");
    assert_database(house, "SELECT count(*) FROM messages", "0");
    assert_spooled(house, 0);
    fixture_clock_forward(&house->clock, 60);
    house_tick(house);
    assert_database(house, "SELECT count(*) FROM removals", "0");
}

static void a_crash_after_the_files_and_before_the_rows_reports_no_file_as_missing(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    char path[256];
    char log[512];
    char line[512] = "";
    keep_file(house, &users.bob, "one", "1");
    crash_in_a_removal(house, "bob");
    snprintf(log, sizeof log, "%s/%s", house->directory, path_of(&users.bob, "one", path));
    assert_int_equal(unlink(log), 0);
    snprintf(log, sizeof log, "%s/log", house->directory);
    int quiet = house->log.fd;
    house->log.fd = open(log, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    house_open(house);
    assert_true(read(house->log.fd, line, sizeof line - 1) >= 0);
    assert_string_equal(line, "");
    house_tick(house);
    house_close(house);
    close(house->log.fd);
    house->log.fd = quiet;
    assert_database(house, "SELECT count(*) FROM files", "0");
}

static void what_cannot_be_deleted_is_tried_again(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    char path[256];
    char obstacle[512];
    keep_file(house, &users.bob, "one", "1");
    snprintf(obstacle, sizeof obstacle, "%s/%s", house->directory, path_of(&users.bob, "a directory", path));
    assert_int_equal(mkdir(obstacle, 0700), 0);
    assert_int_equal(remove_user(house, "bob"), KS_OK);
    assert_true(has_directory(house, &users.bob));
    house_tick(house);
    assert_int_equal(rmdir(obstacle), 0);
    fixture_clock_forward(&house->clock, 60);
    house_tick_through(house);
    assert_false(has_directory(house, &users.bob));
}

static void closing_finishes_a_removal(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    keep_file(house, &users.bob, "one", "1");
    struct ks_store_remove_user removal = {.request = fixture_request(&house->waiter), .name = "bob"};
    ks_store_remove_user(house->store, &removal);
    house_close(house);
    assert_int_equal(fixture_wait(&house->waiter, &removal.request), KS_OK);
    assert_false(has_directory(house, &users.bob));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(a_removed_user_takes_all_along_but_what_others_have),
        HOUSE_TEST(a_removed_user_stays_away_over_restarts),
        HOUSE_TEST(many_files_go_in_pieces),
        HOUSE_TEST(many_messages_go_in_pieces),
        HOUSE_TEST(of_two_removals_one_finds_the_user),
        HOUSE_TEST(uploads_of_a_removed_user_fail_and_leave_nothing),
        HOUSE_TEST(an_upload_that_had_not_begun_is_refused_when_it_is_confirmed),
        HOUSE_TEST(a_file_whose_row_comes_in_the_batch_of_the_removal_goes),
        HOUSE_TEST(changes_behind_a_removal_do_not_reach_who_gets_its_place),
        HOUSE_TEST(changes_before_a_removal_in_one_batch_are_answered_and_go_along),
        HOUSE_TEST(a_lease_on_messages_of_a_removed_user_is_lost),
        HOUSE_TEST(a_removal_that_the_disk_refuses_leaves_the_user_whole),
        HOUSE_TEST(a_removal_that_was_cut_short_goes_on_at_the_next_start),
        HOUSE_TEST(a_crash_after_the_files_and_before_the_rows_reports_no_file_as_missing),
        HOUSE_TEST(what_cannot_be_deleted_is_tried_again),
        HOUSE_TEST(closing_finishes_a_removal),
    };
    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests_name("store_departures", tests, NULL, NULL);
}
