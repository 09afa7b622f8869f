/* Unit tests of ks_store_check in the embedded engine, src/store/embedded/readers/check*.c. */
#include "unit/store/accounts_fixture.h"

enum { FOUND_LIMIT = 256 };

struct found {
    struct ks_check_finding findings[FOUND_LIMIT];
    size_t count;
    struct ks_check_cursor cursor;
};

static struct found *check(struct house *house, bool repair)
{
    struct found *found = calloc(1, sizeof *found);
    assert_non_null(found);
    struct ks_store_check request = {.repair = repair, .is_alone = true, .limit = 16};
    do {
        assert_true(found->count + request.limit <= FOUND_LIMIT);
        request.request = fixture_request(&house->waiter);
        request.findings = found->findings + found->count;
        ks_store_check(house->store, &request);
        assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
        found->count += request.count;
    } while (!request.is_complete);
    found->cursor = request.cursor;
    return found;
}

static void assert_sound(struct house *house)
{
    struct found *found = check(house, false);
    for (size_t i = 0; i < found->count; i++)
        if (found->findings[i].is_wrong)
            fail_msg("%s", found->findings[i].what);
    free(found);
}

/* One thing is wrong, and this is said of it. */
static void assert_found(struct house *house, bool repair, const char *what)
{
    struct found *found = check(house, repair);
    bool seen = false;
    for (size_t i = 0; i < found->count; i++)
        seen = seen || (found->findings[i].is_wrong && strstr(found->findings[i].what, what) != NULL);
    if (!seen || found->cursor.wrong != 1)
        fail_msg("%zu findings, the first: %s", found->count, found->findings[0].what);
    free(found);
}

static void keep(struct house *house, const struct ks_client_id *id, const char *name, const char *text,
                 uint32_t cksum)
{
    struct ks_stage *stage = NULL;
    assert_int_equal(open_stage(house, id, name, &stage), KS_OK);
    assert_int_equal(write_chunk(house, stage, text, true), KS_OK);
    struct ks_store_confirm request = {
        .request = fixture_request(&house->waiter), .stage = stage, .has_cksum = true, .cksum = cksum};
    ks_store_confirm(house->store, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
}

static const uint32_t hello_cksum = 3287646509U;

/* Users with two files of "hello", and three messages for bob, one of them in a file. */
static struct pair full_house(struct house *house)
{
    struct pair users = two_users(house);
    keep(house, &users.alice, "one", "hello", hello_cksum);
    keep(house, &users.alice, "two", "hello", hello_cksum);
    append(house, &users.bob, &users.alice, "first");
    append_spooled(house, &users.bob, &users.alice, "second");
    append(house, &users.bob, &users.alice, "third");
    return users;
}

/* Changes the file's bytes and not its times, as a disk does. */
static void rot(struct house *house, const char *name, const char *text)
{
    char path[512];
    struct stat status;
    snprintf(path, sizeof path, "%s/%s", house->directory, name);
    assert_int_equal(stat(path, &status), 0);
    fixture_write_file(house->directory, name, text);
    assert_int_equal(utimensat(AT_FDCWD, path, (struct timespec[]){status.st_atim, status.st_mtim}, 0), 0);
}

/* ---- */

static void what_is_sound_is_looked_at_and_found_so(void **state)
{
    struct house *house = *state;
    full_house(house);
    struct found *found = check(house, false);
    assert_int_equal(found->count, 0);
    assert_int_equal(found->cursor.files, 2);
    assert_int_equal(found->cursor.messages, 3);
    free(found);
    house_restart(house);
    assert_sound(house);
}

static void a_file_that_has_rotted_is_told_and_put_aside(void **state)
{
    struct house *house = *state;
    struct pair users = full_house(house);
    char path[256];
    rot(house, path_of(&users.alice, "one", path), "hallo");
    assert_found(house, false, "/one of alice is not what its sender was told");
    assert_true(fixture_file_is(house->directory, path, "hallo"));
    assert_found(house, true, "/one of alice");
    assert_int_equal(files_of(house, &users.alice), 1);
    assert_database(house, "SELECT count(*) FROM files", "1");
    assert_int_equal(fixture_count_entries(house->directory, "damaged"), 2);
    uint64_t files = 0;
    uint64_t bytes = 0;
    ks_quotas_sums(ks_engine_of(house->store)->quotas, &users.alice, &files, &bytes);
    assert_int_equal(files, 1);
    assert_int_equal(bytes, 5);
    assert_sound(house);
    keep(house, &users.alice, "one", "hello", hello_cksum);
    assert_sound(house);
}

static void a_file_that_is_missing_is_told_and_its_row_goes(void **state)
{
    struct house *house = *state;
    struct pair users = full_house(house);
    char path[256];
    char full[512];
    snprintf(full, sizeof full, "%s/%s", house->directory, path_of(&users.alice, "two", path));
    assert_int_equal(unlink(full), 0);
    assert_found(house, false, "is missing");
    assert_database(house, "SELECT count(*) FROM files", "2");
    assert_found(house, true, "is missing");
    assert_database(house, "SELECT count(*) FROM files", "1");
    assert_int_equal(fixture_count_entries(house->directory, "damaged"), 1);
    assert_sound(house);
}

static void a_cut_file_is_damage_and_a_later_one_is_none(void **state)
{
    struct house *house = *state;
    struct pair users = full_house(house);
    char path[256];
    rot(house, path_of(&users.alice, "one", path), "hell");
    assert_found(house, true, "is not what its sender was told");
    fixture_clock_forward(&house->clock, 1);
    usleep(20 * 1000); /* so that it has another time */
    fixture_write_file(house->directory, path_of(&users.alice, "two", path), "later");
    assert_found(house, true, "was written later than its row");
    assert_true(fixture_file_is(house->directory, path, "later"));
    house_restart(house);
    assert_sound(house);
}

static void a_file_without_a_row_is_told_and_adopted_by_a_start(void **state)
{
    struct house *house = *state;
    full_house(house);
    run_on_database(house, "DELETE FROM files WHERE FileName='one'");
    assert_found(house, true, "has no row");
    house_restart(house);
    assert_sound(house);
    assert_database(house, "SELECT count(*) FROM files", "2");
}

static void damaged_messages_are_told_and_put_aside(void **state)
{
    struct house *house = *state;
    struct pair users = full_house(house);
    char place[256];
    assert_waiting(house, &users.bob, "first second third");
    run_on_database(house, "UPDATE messages SET Type=4 WHERE ID=1");
    assert_found(house, false, "message 1 is damaged: it is not what was stored");
    assert_found(house, true, "message 1 is damaged");
    ask_database(house, "SELECT Place FROM messages WHERE ID=2", place);
    fixture_write_file(house->directory, place, "Second and some bytes");
    assert_found(house, true, "message 2 is damaged");
    assert_waiting(house, &users.bob, "third");
    assert_sound(house);
    assert_int_equal(fixture_count_entries(house->directory, "damaged"), 4);
}

static void a_listed_message_without_a_row_is_told_and_taken_out(void **state)
{
    struct house *house = *state;
    struct pair users = full_house(house);
    assert_waiting(house, &users.bob, "first second third");
    run_on_database(house, "DELETE FROM messages WHERE ID=3");
    assert_found(house, false, "message 3 is damaged: it is missing");
    assert_found(house, true, "message 3 is damaged");
    assert_waiting(house, &users.bob, "first second");
    assert_sound(house);
}

static void a_message_that_is_in_no_inbox_is_told(void **state)
{
    struct house *house = *state;
    struct pair users = full_house(house);
    assert_waiting(house, &users.bob, "first second third");
    run_on_database(house, "DELETE FROM waiting WHERE ID=3");
    assert_found(house, true, "message 3 is in nobody's inbox");
    assert_database(house, "SELECT count(*) FROM messages", "3");
}

static void a_content_without_a_message_is_told_and_put_aside(void **state)
{
    struct house *house = *state;
    full_house(house);
    fixture_write_file(house->directory, "messages/0123456789abcdef0123456789abcdef", "orphan");
    assert_found(house, false, "has no message");
    assert_found(house, true, "has no message");
    assert_sound(house);
    assert_true(
        fixture_file_is(house->directory, "damaged/content-0123456789abcdef0123456789abcdef", "orphan"));
}

static void a_directory_that_is_open_to_others_is_closed(void **state)
{
    struct house *house = *state;
    struct stat status;
    assert_int_equal(chmod(house->directory, 0755), 0);
    assert_found(house, false, "open to others (mode 0755)");
    assert_found(house, true, "open to others");
    assert_int_equal(stat(house->directory, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    assert_sound(house);
}

static void a_damaged_index_is_told(void **state)
{
    struct house *house = *state;
    full_house(house);
    /* SQLite then takes the index for one over other rows. */
    run_on_database(house,
                    "PRAGMA writable_schema=ON;"
                    "UPDATE sqlite_schema SET sql='CREATE UNIQUE INDEX messages_place ON messages(Place)"
                    " WHERE Place IS NULL' WHERE name='messages_place'");
    struct found *found = check(house, false);
    assert_true(found->cursor.wrong > 0);
    assert_non_null(strstr(found->findings[0].what, "kesher.db: "));
    free(found);
}

/* One account, on the classic ports; one that was removed; one classic user. */
static void accounts_that_are_sound_are_found_so(void **state)
{
    struct house *house = *state;
    struct ks_client_id alice;
    assert_int_equal(register_account(house, "alice", 11, 0, &alice), KS_OK);
    assert_int_equal(set_classic(house, &alice, 5, NULL), KS_OK);
    assert_int_equal(register_account(house, "carol", 12, 0, NULL), KS_OK);
    assert_int_equal(remove_user(house, "carol"), KS_OK);
    assert_int_equal(register_user(house, "bob", NULL, NULL), KS_OK);
    assert_int_equal(invite(house, 21, 100000, "carol"), KS_OK);
    assert_sound(house);
}

/* Each of these is wrong, and nothing else with it. */
static void tables_of_accounts_that_contradict_others_are_told(void **state)
{
    struct house *house = *state;
    static const struct {
        const char *breaks;
        const char *mends;
        const char *what;
    } rows[] = {
        {"INSERT INTO accounts VALUES(zeroblob(16), zeroblob(32), NULL, 0, 'x')",
         "DELETE FROM accounts WHERE ID=zeroblob(16)", "without a user: accounts: 1"},
        {"UPDATE accounts SET ClassicID=(SELECT ID FROM clients WHERE Name='bob')",
         "UPDATE accounts SET ClassicID=NULL", "the id of somebody: classic ids of accounts: 1"},
        {"UPDATE accounts SET Skeleton='another'", "UPDATE accounts SET Skeleton='alice'",
         "with another skeleton than their users: accounts: 1"},
        {"UPDATE clients SET Skeleton=NULL WHERE Name='bob'",
         "UPDATE clients SET Skeleton='bob' WHERE Name='bob'", "without a skeleton: users: 1"},
        {"INSERT INTO retired SELECT ID, 'gone', 'gone' FROM clients WHERE Name='bob'", "DELETE FROM retired",
         "ids of removed accounts: 1"},
        {"INSERT INTO retired VALUES(zeroblob(16), 'bob', 'bob')", "DELETE FROM retired",
         "names of removed accounts: 1"},
        {"INSERT INTO invitations VALUES(zeroblob(32), 100001, 0, '')", "DELETE FROM invitations",
         "invitations: 1"},
    };
    assert_int_equal(register_account(house, "alice", 11, 0, NULL), KS_OK);
    assert_int_equal(register_user(house, "bob", NULL, NULL), KS_OK);
    for (size_t i = 0; i < KS_COUNT_OF(rows); i++) {
        run_on_database(house, rows[i].breaks);
        assert_found(house, false, rows[i].what);
        run_on_database(house, rows[i].mends);
        assert_sound(house);
    }
}

/* A start goes on without it. */
static void an_account_without_a_user_does_not_keep_a_server_from_starting(void **state)
{
    struct house *house = *state;
    struct ks_client_id alice;
    assert_int_equal(register_account(house, "alice", 11, 0, &alice), KS_OK);
    run_on_database(house, "INSERT INTO accounts VALUES(zeroblob(16), zeroblob(32), NULL, 0, 'x')");
    house_restart(house);
    assert_key(house, 11, &alice);
    assert_int_equal(sign_in(house, 0, NULL), KS_NOT_FOUND);
}

static void many_findings_come_page_by_page(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    for (int i = 0; i < 40; i++) {
        char name[32];
        snprintf(name, sizeof name, "file %d", i);
        keep(house, &users.alice, name, "hello", hello_cksum + 1);
        append(house, &users.bob, &users.alice, "text");
    }
    run_on_database(house, "UPDATE messages SET Type=4");
    struct found *found = check(house, false);
    assert_int_equal(found->cursor.wrong, 80);
    assert_int_equal(found->count, 80);
    free(found);
    free(check(house, true));
    assert_sound(house);
    assert_waiting(house, &users.bob, "");
}

/* Files are replaced and messages come and go all the time: nothing of it is wrong. */
static void what_is_in_motion_is_not_wrong(void **state)
{
    struct house *house = *state;
    struct pair users = full_house(house);
    for (int round = 0; round < 10; round++) {
        struct fixture_waiter other;
        struct found *found = calloc(1, sizeof *found);
        struct ks_store_check request = {.limit = 16, .findings = found->findings};
        assert_non_null(found);
        fixture_waiter_init(&other);
        do {
            request.request = fixture_request(&other);
            ks_store_check(house->store, &request);
            keep(house, &users.alice, "one", "hello", hello_cksum);
            append_spooled(house, &users.bob, &users.alice, "passing");
            struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
            assert_int_equal(delivered(house, &users.bob, 7, part.last), KS_OK);
            assert_int_equal(fixture_wait(&other, &request.request), KS_OK);
            if (request.count > 0)
                fail_msg("%s", request.findings[0].what);
        } while (!request.is_complete);
        free(found);
    }
}

static void closing_ends_a_check(void **state)
{
    struct house *house = *state;
    struct ks_check_finding findings[16];
    full_house(house);
    struct ks_store_check request = {
        .request = fixture_request(&house->waiter), .limit = 16, .findings = findings};
    ks_store_check(house->store, &request);
    house_close(house);
    enum ks_result result = fixture_wait(&house->waiter, &request.request);
    assert_true(result == KS_OK || result == KS_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(what_is_sound_is_looked_at_and_found_so),
        HOUSE_TEST(a_file_that_has_rotted_is_told_and_put_aside),
        HOUSE_TEST(a_file_that_is_missing_is_told_and_its_row_goes),
        HOUSE_TEST(a_cut_file_is_damage_and_a_later_one_is_none),
        HOUSE_TEST(a_file_without_a_row_is_told_and_adopted_by_a_start),
        HOUSE_TEST(damaged_messages_are_told_and_put_aside),
        HOUSE_TEST(a_listed_message_without_a_row_is_told_and_taken_out),
        HOUSE_TEST(a_message_that_is_in_no_inbox_is_told),
        HOUSE_TEST(a_content_without_a_message_is_told_and_put_aside),
        HOUSE_TEST(a_directory_that_is_open_to_others_is_closed),
        HOUSE_TEST(a_damaged_index_is_told),
        HOUSE_TEST(accounts_that_are_sound_are_found_so),
        HOUSE_TEST(tables_of_accounts_that_contradict_others_are_told),
        HOUSE_TEST(an_account_without_a_user_does_not_keep_a_server_from_starting),
        HOUSE_TEST(many_findings_come_page_by_page),
        HOUSE_TEST(what_is_in_motion_is_not_wrong),
        HOUSE_TEST(closing_ends_a_check),
    };
    return cmocka_run_group_tests_name("store_check", tests, NULL, NULL);
}
