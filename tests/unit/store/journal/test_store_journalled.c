/* Unit tests of src/store/embedded/writer/appending.h and filing.h: messages that go through the journal into
 * the database.
 */
#include "unit/store/journal/journalled_fixture.h"

#include <signal.h>

/* ---- the way ---- */

static void a_batch_of_messages_is_in_the_journal_first(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    assert_database(house, "SELECT count(*) FROM messages", "0");
    go_on(batch);
    file_now(house);
    assert_database(house, "SELECT count(*) FROM messages", "100");
    assert_database(house, "SELECT count(*) FROM waiting", "100");
    assert_delivered(house, &users, 1, MANY);
    free(batch);
}

static void the_database_has_it_when_it_is_quiet(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    char count[256] = "0";
    append_together(house, &users, batch, 1, MANY, KS_OK);
    go_on(batch);
    while (strcmp(count, "100") != 0)
        ask_database(house, "SELECT count(*) FROM messages", count);
    free(batch);
}

static void few_messages_are_in_the_database_at_once(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, 3, KS_OK);
    assert_database(house, "SELECT count(*) FROM messages", "3");
    go_on(batch);
    free(batch);
}

static void the_first_messages_after_a_quiet_moment_are_no_load(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, 40, KS_OK);
    go_on(batch);
    append_together(house, &users, batch, 41, 40, KS_OK); /* in the same moment */
    assert_database(house, "SELECT count(*) FROM messages", "40");
    go_on(batch);
    file_now(house); /* behind what is journalled, nothing becomes a row at once */
    fixture_clock_forward(&house->clock, 1);
    append_together(house, &users, batch, 81, 40, KS_OK);
    assert_database(house, "SELECT count(*) FROM messages", "120");
    go_on(batch);
    assert_delivered(house, &users, 1, 120);
    free(batch);
}

static void few_messages_behind_many_keep_their_order(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    go_on(batch);
    for (int i = 1; i <= 3; i++) {
        append_together(house, &users, batch, MANY + i, 1, KS_OK);
        go_on(batch);
    }
    assert_delivered(house, &users, 1, MANY + 3);
    free(batch);
}

static void journalled_messages_can_be_leased(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    struct ks_store_lease_waiting part = lease_request(house, &users.bob, 7, NO_LIMIT);
    ks_store_lease_waiting(house->store, &part);
    go_on(batch);
    assert_int_equal(fixture_wait(&house->waiter, &part.request), KS_OK);
    assert_int_equal(part.count, MANY);
    ks_store_lease_release(house->store, &users.bob, 7);
    assert_delivered(house, &users, 1, MANY);
    free(batch);
}

/* Nobody else sees what an open transaction has filed. */
static void messages_that_were_taken_and_not_committed_can_be_leased(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    begin_to_file(house);
    struct ks_store_lease_waiting part = lease_request(house, &users.bob, 7, 1);
    ks_store_lease_waiting(house->store, &part);
    go_on(batch);
    end_filing(house);
    assert_int_equal(fixture_wait(&house->waiter, &part.request), KS_OK);
    assert_int_equal(part.count, 1);
    assert_string_equal(read_all(house, &users.bob, &part).messages[0].text, "1");
    ks_store_lease_release(house->store, &users.bob, 7);
    assert_delivered(house, &users, 1, MANY);
    free(batch);
}

/* The writer does not wait for who files. */
static void messages_are_journalled_while_others_are_filed(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    begin_to_file(house);
    go_on(batch);
    append_together(house, &users, batch, MANY + 1, MANY, KS_OK);
    end_filing(house);
    assert_database(house, "SELECT count(*) FROM messages", "100");
    go_on(batch);
    assert_delivered(house, &users, 1, 2 * MANY);
    free(batch);
}

/* Together more than the journal has room for. */
static void a_full_journal_gets_room_though_the_filer_does_nothing(void **state)
{
    enum { BATCHES = KS_JOURNAL_SEGMENTS + 4, EACH = 1000, SIZE = 950 };
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    struct held_writer filer;
    char text[SIZE + 1] = {0};
    memset(text, 'x', SIZE);
    filer_hold(house, &filer);
    for (int i = 0; i < BATCHES; i++) {
        for (int k = 0; k < EACH; k++)
            batch->requests[k] = append_request(house, &users.bob, &users.alice, text);
        append_requests(house, batch, EACH, KS_OK);
        go_on(batch);
    }
    writer_let_go(&filer);
    assert_int_equal(lease(house, &users.bob, 7).count, BATCHES * EACH);
    free(batch);
}

static void fail_the_batch(void *writer)
{
    ((struct ks_database_writer *)writer)->failure = KS_IO;
}

/* As after an error of the database, behind which it cannot be opened: what was asked for in the same batch
 * is not done, and whoever needs room in the journal does not make that forgotten. */
static void a_full_journal_does_not_hide_what_has_failed_in_its_batch(void **state)
{
    enum { EACH = 1000, SIZE = 950 };
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    struct held_writer filer;
    char text[SIZE + 1] = {0};
    memset(text, 'x', SIZE);
    for (int k = 0; k < EACH; k++)
        batch->requests[k] = append_request(house, &users.bob, &users.alice, text);
    filer_hold(house, &filer);
    for (int i = 0; i < KS_JOURNAL_SEGMENTS; i++) {
        append_requests(house, batch, EACH, KS_OK);
        go_on(batch);
    }
    struct held_writer held;
    struct ks_store_register late = {.request = fixture_request(&house->waiter), .name = "late"};
    writer_hold(house, &held);
    struct ks_database_writer *writer = &ks_engine_of(house->store)->writer;
    struct fixture_call failing = {
        .task.run = fixture_call_run, .function = fail_the_batch, .context = writer};
    assert_int_equal(sem_init(&failing.done, 0, 0), 0);
    for (int k = 0; k < EACH; k++)
        ks_store_append_message(house->store, &batch->requests[k]);
    ks_executor_post(ks_thread_executor(writer->thread), &failing.task);
    ks_store_register_user(house->store, &late);
    writer_let_go(&held);
    for (int k = 0; k < EACH + 1; k++)
        fixture_wait_for_answer(&house->waiter);
    writer_let_go(&filer);
    assert_int_equal(late.request.result, KS_IO);
    assert_int_equal(batch->requests[0].request.result, KS_IO);
    assert_int_equal(lease(house, &users.bob, 7).count, KS_JOURNAL_SEGMENTS * EACH);
    free(batch);
}

static void other_changes_do_not_keep_the_journal_from_being_taken(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    char count[256] = "0";
    append_together(house, &users, batch, 1, MANY, KS_OK);
    go_on(batch);
    for (int i = 0; strcmp(count, "100") != 0; i++) { /* never quiet for 20 milliseconds */
        char name[32];
        snprintf(name, sizeof name, "user %d", i);
        assert_int_equal(register_user(house, name, NULL, NULL), KS_OK);
        ask_database(house, "SELECT count(*) FROM messages", count);
        assert_true(i < 10000);
    }
    free(batch);
}

static void much_goes_round_and_round(void **state)
{
    enum { ROUNDS = 40, EACH = 1000 };
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    for (int i = 0; i < ROUNDS; i++) {
        append_together(house, &users, batch, i * EACH, EACH, KS_OK);
        go_on(batch);
    }
    assert_int_equal(lease(house, &users.bob, 7).count, ROUNDS * EACH);
    ks_store_lease_release(house->store, &users.bob, 7);
    assert_database(house,
                    "SELECT count(*) FROM (SELECT row_number() OVER (ORDER BY ID) - 1 AS n,"
                    " CAST(Content AS TEXT) AS c FROM messages) WHERE c = CAST(n AS TEXT)",
                    "40000");
    house_restart(house);
    assert_int_equal(lease(house, &users.bob, 7).count, ROUNDS * EACH);
    free(batch);
}

static void a_closed_store_has_everything_in_the_database(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    go_on(batch);
    house_close(house);
    assert_database(house, "SELECT count(*) FROM messages", "100");
    house_open(house);
    assert_delivered(house, &users, 1, MANY);
    free(batch);
}

int main(void)
{
    signal(SIGXFSZ, SIG_IGN);
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(a_batch_of_messages_is_in_the_journal_first),
        HOUSE_TEST(the_database_has_it_when_it_is_quiet),
        HOUSE_TEST(few_messages_are_in_the_database_at_once),
        HOUSE_TEST(the_first_messages_after_a_quiet_moment_are_no_load),
        HOUSE_TEST(few_messages_behind_many_keep_their_order),
        HOUSE_TEST(journalled_messages_can_be_leased),
        HOUSE_TEST(messages_that_were_taken_and_not_committed_can_be_leased),
        HOUSE_TEST(messages_are_journalled_while_others_are_filed),
        HOUSE_TEST(a_full_journal_gets_room_though_the_filer_does_nothing),
        HOUSE_TEST(a_full_journal_does_not_hide_what_has_failed_in_its_batch),
        HOUSE_TEST(other_changes_do_not_keep_the_journal_from_being_taken),
        HOUSE_TEST(much_goes_round_and_round),
        HOUSE_TEST(a_closed_store_has_everything_in_the_database),
    };
    return cmocka_run_group_tests_name("store_journalled", tests, NULL, NULL);
}
