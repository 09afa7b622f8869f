/* Unit tests of src/store/embedded/writer/message_rows.h: whatever becomes a row is found by its receiver. */
#include "unit/store/messages_fixture.h"

enum { MANY = 5000 };

static void assert_filed(struct house *house, const char *count)
{
    assert_database(house, "SELECT count(*) FROM waiting", count);
}

static void few_messages_are_rows_at_once(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    assert_filed(house, "1");
    append(house, &users.alice, &users.bob, "two");
    assert_filed(house, "2");
    assert_waiting(house, &users.bob, "one");
    append(house, &users.bob, &users.alice, "three");
    assert_waiting(house, &users.bob, "one three");
}

static void what_is_filed_waits_after_a_restart(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    assert_waiting(house, &users.bob, "one");
    append(house, &users.bob, &users.alice, "two");
    append(house, &users.alice, &users.bob, "three");
    house_restart(house);
    assert_filed(house, "3");
    assert_waiting(house, &users.bob, "one two");
    assert_waiting(house, &users.alice, "three");
    append(house, &users.bob, &users.alice, "four");
    assert_waiting(house, &users.bob, "one two four");
}

/* One batch, of more than a piece. */
static void append_together(struct house *house, const struct pair *users, size_t count)
{
    struct ks_store_append_message *requests = calloc(count, sizeof *requests);
    struct held_writer held;
    assert_non_null(requests);
    writer_hold(house, &held);
    for (size_t i = 0; i < count; i++) {
        requests[i] = append_request(house, i % 2 == 0 ? &users->bob : &users->alice, &users->alice, "text");
        ks_store_append_message(house->store, &requests[i]);
    }
    writer_let_go(&held);
    for (size_t i = 0; i < count; i++)
        fixture_wait_for_answer(&house->waiter);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(requests[i].request.result, KS_OK);
    free(requests);
}

static void many_are_filed_in_pieces(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append_together(house, &users, MANY);
    append(house, &users.bob, &users.alice, "one more");
    assert_int_equal(lease(house, &users.bob, 7).count, MANY / 2 + 1);
    assert_int_equal(lease(house, &users.alice, 7).count, MANY / 2);
    assert_filed(house, "5001");
    assert_database(house, "SELECT count(*) FROM messages", "5001");
}

static void a_deleted_message_leaves_neither_row(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    append(house, &users.bob, &users.alice, "two");
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    append(house, &users.bob, &users.alice, "three");
    assert_int_equal(delivered(house, &users.bob, 7, part.last), KS_OK);
    assert_filed(house, "1");
    assert_database(house, "SELECT count(*) FROM messages", "1");
    house_restart(house);
    assert_waiting(house, &users.bob, "three");
}

static void what_could_not_be_stored_has_neither_row(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    rlim_t before = limit_files_to(1024);
    assert_int_not_equal(try_append(house, &users.bob, &users.alice, "lost"), KS_OK);
    limit_files_to(before);
    assert_filed(house, "1");
    assert_database(house, "SELECT count(*) FROM messages", "1");
    append(house, &users.bob, &users.alice, "two");
    assert_waiting(house, &users.bob, "one two");
}

static void after_one_that_was_lost_others_are_stored(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    rlim_t before = limit_files_to(1024);
    assert_int_not_equal(try_append(house, &users.bob, &users.alice, "lost"), KS_OK);
    limit_files_to(before);
    assert_waiting(house, &users.bob, "one");
    house_restart(house);
    append(house, &users.bob, &users.alice, "two");
    assert_waiting(house, &users.bob, "one two");
}

static void a_database_that_filed_at_once_is_taken_over(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    append(house, &users.alice, &users.bob, "two");
    house_close(house);
    run_on_database(house, BEFORE_ACCOUNTS
                    "DROP TABLE waiting; DELETE FROM settings WHERE Name='messages filed';"
                    "CREATE INDEX messages_waiting ON messages(ToClient, ID, ContentSize);"
                    "ALTER TABLE files DROP COLUMN Cksum; ALTER TABLE files DROP COLUMN Written;"
                    "ALTER TABLE messages DROP COLUMN Sum;"
                    "PRAGMA user_version=3");
    house_open(house);
    assert_filed(house, "2");
    assert_database(house, "SELECT count(*) FROM sqlite_schema WHERE name='messages_waiting'", "0");
    append(house, &users.bob, &users.alice, "three");
    assert_waiting(house, &users.bob, "one three");
    assert_waiting(house, &users.alice, "two");
}

static void a_database_that_filed_late_is_taken_over(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    append(house, &users.alice, &users.bob, "two");
    append(house, &users.bob, &users.alice, "three");
    house_close(house);
    run_on_database(house, BEFORE_ACCOUNTS
                    "INSERT INTO settings(Name, Value) SELECT 'messages filed', min(ID) FROM messages;"
                    "DELETE FROM waiting WHERE ID > (SELECT min(ID) FROM messages);"
                    "PRAGMA user_version=6");
    house_open(house);
    assert_filed(house, "3");
    assert_database(house, "SELECT count(*) FROM settings WHERE Name='messages filed'", "0");
    assert_waiting(house, &users.bob, "one three");
    assert_waiting(house, &users.alice, "two");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(few_messages_are_rows_at_once),
        HOUSE_TEST(what_is_filed_waits_after_a_restart),
        HOUSE_TEST(many_are_filed_in_pieces),
        HOUSE_TEST(a_deleted_message_leaves_neither_row),
        HOUSE_TEST(what_could_not_be_stored_has_neither_row),
        HOUSE_TEST(after_one_that_was_lost_others_are_stored),
        HOUSE_TEST(a_database_that_filed_at_once_is_taken_over),
        HOUSE_TEST(a_database_that_filed_late_is_taken_over),
    };
    return cmocka_run_group_tests_name("store_filing", tests, NULL, NULL);
}
