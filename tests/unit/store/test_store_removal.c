/* Unit tests of waiting messages in the embedded engine, src/store/embedded: how they leave the disk, and
 * failing disks. */
#include "unit/store/messages_fixture.h"

#include "base/text.h"

#include <signal.h>

/* ---- failures ---- */

static void a_failed_commit_leaves_no_message(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "before");
    struct ks_stage *stage = message_stage(house, &users.alice, "large");
    rlim_t before = limit_files_to(1024);
    enum ks_result staged = append_stage(house, &users.bob, &users.alice, stage, 5, NULL);
    struct ks_store_append_message request = append_request(house, &users.bob, &users.alice, "small");
    ks_store_append_message(house->store, &request);
    fixture_wait_for_answer(&house->waiter);
    limit_files_to(before);
    assert_int_equal(staged, KS_IO);
    assert_int_equal(request.request.result, KS_IO);
    assert_spooled(house, 0);
    assert_waiting(house, &users.bob, "before");
    uint64_t id = append(house, &users.bob, &users.alice, "after");
    assert_true(id > 1);
    assert_waiting(house, &users.bob, "before after");
    house_restart(house);
    assert_waiting(house, &users.bob, "before after");
}

static void a_failed_deletion_is_tried_again_ever_more_rarely(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "small");
    append_spooled(house, &users.bob, &users.alice, "large");
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    rlim_t before = limit_files_to(1024);
    enum ks_result failed = delivered(house, &users.bob, 7, part.last);
    house_tick(house);
    fixture_clock_forward(&house->clock, 1);
    house_tick(house);
    limit_files_to(before);
    assert_int_equal(failed, KS_IO);
    /* Not delivered again, whatever waits behind. */
    append(house, &users.bob, &users.alice, "next");
    assert_waiting(house, &users.bob, "next");
    assert_spooled(house, 1);
    assert_database(house, "SELECT count(*) FROM messages", "3");
    fixture_clock_forward(&house->clock, 1);
    house_tick(house);
    assert_database(house, "SELECT count(*) FROM messages", "3"); /* failed twice: two seconds */
    fixture_clock_forward(&house->clock, 1);
    house_tick(house);
    assert_database(house, "SELECT count(*) FROM messages", "1");
    assert_spooled(house, 0);
    assert_waiting(house, &users.bob, "next");
}

static void what_could_not_be_deleted_may_come_again_after_a_restart(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "again");
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    rlim_t before = limit_files_to(1024);
    enum ks_result failed = delivered(house, &users.bob, 7, part.last);
    house_close(house);
    limit_files_to(before);
    assert_int_equal(failed, KS_IO);
    house_open(house);
    assert_waiting(house, &users.bob, "again");
}

/* ---- many ---- */

/* Rows for a receiver, put there while no server runs. */
static void insert_rows(struct house *house, const struct ks_client_id *receiver, unsigned count,
                        const char *content)
{
    char id[2 * KS_CLIENT_ID_SIZE + 1];
    char sql[768];
    ks_text_to_hex(receiver->bytes, sizeof receiver->bytes, id);
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%u)"
             " INSERT INTO messages(ToClient, FromClient, Type, ContentSize, Content)"
             " SELECT x'%s', x'%s', 3, length(%s), %s FROM n;"
             " INSERT INTO waiting SELECT ToClient, ID, ContentSize FROM messages",
             count, id, id, content, content);
    house_close(house);
    run_on_database(house, sql);
    house_open(house);
}

static void a_huge_part_leaves_in_pieces_and_others_commit_meanwhile(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct held_writer held;
    enum { MANY = 35 * 1000 };
    insert_rows(house, &users.bob, MANY, "x'00'");
    append(house, &users.alice, &users.bob, "one");
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    struct ks_store_lease_waiting small = lease(house, &users.alice, 8);
    assert_int_equal(part.count, MANY);
    assert_int_equal(part.size, MANY * (HEAD_SIZE + 1));
    struct fixture_waiter others;
    fixture_waiter_init(&others);
    writer_hold(house, &held);
    struct ks_store_lease_delivered huge = {
        .request = fixture_request(&house->waiter), .receiver = users.bob, .owner = 7, .last = part.last};
    struct ks_store_lease_delivered one = {
        .request = fixture_request(&others), .receiver = users.alice, .owner = 8, .last = small.last};
    struct ks_store_append_message request = append_request(house, &users.bob, &users.alice, "meanwhile");
    request.request = fixture_request(&others);
    assert_int_equal(settle(house, &users.bob, 7, part.last), KS_OK);
    assert_int_equal(settle(house, &users.alice, 8, small.last), KS_OK);
    ks_store_lease_delivered(house->store, &huge);
    ks_store_lease_delivered(house->store, &one);
    ks_store_append_message(house->store, &request);
    writer_let_go(&held);
    fixture_wait_for_answer(&others);
    fixture_wait_for_answer(&others);
    assert_int_equal(request.request.result, KS_OK);
    assert_int_equal(one.request.result, KS_OK);
    assert_int_equal(fixture_wait(&house->waiter, &huge.request), KS_OK);
    assert_database(house, "SELECT count(*) FROM messages", "1");
    assert_waiting(house, &users.bob, "meanwhile");
}

/* Each row is more than a piece may have. */
static void large_rows_leave_one_by_one(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    insert_rows(house, &users.bob, 3, "zeroblob(17825792)");
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    assert_int_equal(part.count, 3);
    assert_int_equal(delivered(house, &users.bob, 7, part.last), KS_OK);
    assert_database(house, "SELECT count(*) FROM messages", "0");
}

static void many_files_leave_in_pieces(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    enum { MANY = 2 * KS_REMOVED_FILES + 5 };
    struct ks_store_append_message appends[MANY];
    for (size_t i = 0; i < MANY; i++) {
        appends[i] = append_request(house, &users.bob, &users.alice, "");
        appends[i].content_size = 4;
        appends[i].stage = message_stage(house, &users.alice, "file");
    }
    for (size_t i = 0; i < MANY; i++)
        ks_store_append_message(house->store, &appends[i]);
    for (size_t i = 0; i < MANY; i++)
        fixture_wait_for_answer(&house->waiter);
    append(house, &users.bob, &users.alice, "and one that is none");
    assert_spooled(house, MANY);
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    assert_int_equal(part.count, MANY + 1);
    assert_int_equal(delivered(house, &users.bob, 7, part.last), KS_OK);
    assert_spooled(house, 0);
    assert_database(house, "SELECT count(*) FROM messages", "0");
}

static void a_long_run_is_found_in_pieces(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    enum { MANY = 250 * 1000, FIT = 210 * 1000 };
    insert_rows(house, &users.bob, MANY, "x'0000'");
    struct ks_store_lease_waiting part =
        lease_within(house, &users.bob, 7, (uint64_t)FIT * (HEAD_SIZE + 2) + 1);
    assert_int_equal(part.count, FIT);
    assert_int_equal(part.last, FIT);
    assert_int_equal(part.size, FIT * (HEAD_SIZE + 2));
    part = lease(house, &users.bob, 7);
    assert_int_equal(part.count, MANY - FIT);
}

/* ---- users that are dropped ---- */

static void a_dropped_user_takes_its_messages_along(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_client_id carol;
    assert_int_equal(register_user(house, "carol", NULL, &carol), KS_OK);
    append(house, &carol, &users.alice, "small");
    append_spooled(house, &carol, &users.alice, "large");
    append(house, &users.bob, &users.alice, "stays");
    struct ks_store_lease_waiting part = lease(house, &carol, 7);
    assert_int_equal(part.count, 2);
    fixture_clock_forward(&house->clock, DAY);
    house_tick(house);
    assert_int_equal(look_up(house, &carol, NULL), KS_NOT_FOUND);
    assert_int_equal(try_to_read(house, &carol, &part), KS_NOT_FOUND);
    assert_int_equal(delivered(house, &carol, 7, part.last), KS_NOT_FOUND);
    assert_int_equal(lease(house, &carol, 7).count, 0);
    assert_database(house, "SELECT count(*) FROM messages", "1");
    assert_spooled(house, 0);
    struct ks_store_append_message late = append_request(house, &carol, &users.alice, "late");
    ks_store_append_message(house->store, &late);
    assert_int_equal(fixture_wait(&house->waiter, &late.request), KS_NOT_FOUND);
    assert_waiting(house, &users.bob, "stays");
}

static void messages_of_a_user_who_is_no_more_go_after_a_restart(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "small");
    append_spooled(house, &users.bob, &users.alice, "large");
    append(house, &users.alice, &users.alice, "stays");
    house_close(house);
    run_on_database(house, "DELETE FROM clients WHERE Name='bob'");
    house_open(house);
    assert_int_equal(lease(house, &users.bob, 7).count, 0);
    house_tick(house);
    assert_database(house, "SELECT count(*) FROM messages", "1");
    assert_spooled(house, 0);
    assert_waiting(house, &users.alice, "stays");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(a_failed_commit_leaves_no_message),
        HOUSE_TEST(a_failed_deletion_is_tried_again_ever_more_rarely),
        HOUSE_TEST(what_could_not_be_deleted_may_come_again_after_a_restart),
        HOUSE_TEST(a_huge_part_leaves_in_pieces_and_others_commit_meanwhile),
        HOUSE_TEST(large_rows_leave_one_by_one),
        HOUSE_TEST(many_files_leave_in_pieces),
        HOUSE_TEST(a_long_run_is_found_in_pieces),
        HOUSE_TEST(a_dropped_user_takes_its_messages_along),
        HOUSE_TEST(messages_of_a_user_who_is_no_more_go_after_a_restart),
    };
    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests_name("store_removal", tests, NULL, NULL);
}
