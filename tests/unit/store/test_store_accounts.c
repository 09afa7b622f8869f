/* Unit tests of accounts in the embedded engine, src/store/embedded/account_*.c: several changes in one
 * batch, batches that fail, and accounts that come back while something of them is still to be deleted. */
#include "unit/store/accounts_fixture.h"

#include "store/embedded/memory/users_internal.h"

#include <signal.h>

enum { KEY = 11, OTHER_KEY = 12, THIRD_KEY = 13, CODE = 21, OTHER_CODE = 22 };

/* ---- one batch ---- */

static void an_account_gets_another_key_in_the_batch_that_makes_it(void **state)
{
    struct house *house = *state;
    struct held_writer held;
    struct ks_store_register_account made = account_request(house, "alice", KEY, 0);
    struct ks_store_invite invitation = invite_request(house, CODE, 1, "alice");
    struct ks_store_register_account bound = account_request(house, "alice", OTHER_KEY, CODE);
    struct ks_store_register_account again = account_request(house, "bob", KEY, 0);
    writer_hold(house, &held);
    ks_store_register_account(house->store, &made);
    ks_store_invite(house->store, &invitation);
    ks_store_register_account(house->store, &bound);
    ks_store_register_account(house->store, &again);
    commit_together(house, &held, 4);
    assert_int_equal(made.request.result, KS_OK);
    assert_int_equal(bound.request.result, KS_OK);
    assert_true(bound.replaced);
    assert_int_equal(again.request.result, KS_OK);
    assert_memory_equal(&made.account.id, &bound.account.id, sizeof made.account.id);
    assert_key(house, OTHER_KEY, &made.account.id);
    assert_key(house, KEY, &again.account.id);
    house_restart(house);
    assert_key(house, OTHER_KEY, &made.account.id);
    assert_key(house, KEY, &again.account.id);
    assert_database(house, "SELECT count(*) FROM invitations", "0");
}

static void the_classic_side_is_what_the_batch_left_it_at(void **state)
{
    struct house *house = *state;
    struct held_writer held;
    struct ks_client_id bob;
    assert_int_equal(register_user(house, "bob", NULL, &bob), KS_OK);
    struct ks_store_adopt adoption = adopt_request(house, &bob, KEY);
    struct ks_store_set_classic on = classic_request(house, &bob, 5);
    struct ks_store_set_classic off = classic_request(house, &bob, 0);
    struct ks_store_set_classic on_again = classic_request(house, &bob, 6);
    writer_hold(house, &held);
    ks_store_adopt(house->store, &adoption);
    ks_store_set_classic(house->store, &on);
    ks_store_set_classic(house->store, &off);
    ks_store_set_classic(house->store, &on_again);
    commit_together(house, &held, 4);
    assert_int_equal(adoption.request.result, KS_OK);
    assert_int_equal(on.request.result, KS_OK);
    assert_int_equal(off.request.result, KS_OK);
    assert_int_equal(on_again.request.result, KS_OK);
    const struct ks_user_entry *entry = ks_users_find(ks_engine_of(house->store)->users, &bob);
    assert_int_equal(atomic_load(&entry->changes_expected), 0); /* or questions would wait for the writer */
    for (int restarts = 0; restarts < 2; restarts++) {
        uint8_t key[KS_PUBLIC_KEY_SIZE];
        assert_stands_for(house, &bob, NULL);
        assert_stands_for(house, &on.classic_id, &on.classic_id);
        assert_stands_for(house, &on_again.classic_id, &bob);
        assert_int_equal(public_key_of(house, &bob, key), KS_OK);
        assert_int_equal(key[0], 6);
        house_restart(house);
    }
}

/* The removal is posted by hand, behind the others of the batch. */
static void what_comes_behind_a_removal_in_its_batch_finds_nobody(void **state)
{
    struct house *house = *state;
    struct held_writer held;
    struct ks_client_id alice;
    struct ks_store_remove_user removal = {.request = fixture_request(&house->waiter), .name = "alice"};
    assert_int_equal(register_account(house, "alice", KEY, 0, &alice), KS_OK);
    assert_int_equal(invite(house, CODE, 1, "alice"), KS_OK);
    struct ks_store_set_classic before = classic_request(house, &alice, 5);
    struct ks_store_set_classic behind = classic_request(house, &alice, 6);
    struct ks_store_register_account bound = account_request(house, "alice", OTHER_KEY, CODE);
    struct ks_store_register_account anew = account_request(house, "carol", KEY, 0);
    writer_hold(house, &held);
    ks_store_set_classic(house->store, &before);
    begin_removal(house, &removal);
    ks_store_set_classic(house->store, &behind);
    ks_store_register_account(house->store, &bound);
    ks_store_register_account(house->store, &anew);
    commit_together(house, &held, 5);
    assert_int_equal(before.request.result, KS_OK);
    assert_int_equal(removal.request.result, KS_OK);
    assert_int_equal(behind.request.result, KS_NOT_FOUND);
    assert_int_equal(bound.request.result, KS_IO); /* not yet, and it uses nothing up */
    assert_int_equal(anew.request.result, KS_OK);
    assert_stands_for(house, &before.classic_id, &before.classic_id);
    assert_key(house, KEY, &anew.account.id);
    assert_int_equal(register_account(house, "alice", OTHER_KEY, CODE, NULL), KS_OK);
    assert_key(house, OTHER_KEY, &alice);
}

/* ---- batches that fail ---- */

/* What was there before the batch, and must be there after it. */
struct before {
    struct ks_client_id alice; /* an account, on the classic ports */
    struct ks_client_id classic_id;
    struct ks_client_id bob;   /* a classic user, of whom a key is at hand */
    struct ks_client_id carol; /* an account that was removed */
};

static struct before prepare(struct house *house)
{
    struct before before;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    fill_public_key(key, 7);
    assert_int_equal(register_account(house, "alice", KEY, 0, &before.alice), KS_OK);
    assert_int_equal(set_classic(house, &before.alice, 5, &before.classic_id), KS_OK);
    assert_int_equal(register_user(house, "bob", key, &before.bob), KS_OK);
    assert_int_equal(register_account(house, "carol", THIRD_KEY, 0, &before.carol), KS_OK);
    assert_int_equal(remove_user(house, "carol"), KS_OK);
    assert_int_equal(invite(house, CODE, 1, "alice"), KS_OK);
    assert_int_equal(invite(house, OTHER_CODE, 1, "carol"), KS_OK);
    assert_int_equal(invite(house, 23, 1, ""), KS_OK);
    assert_int_equal(public_key_of(house, &before.bob, key), KS_OK);
    return before;
}

static void assert_as_before(struct house *house, const struct before *before)
{
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    assert_key(house, KEY, &before->alice);
    assert_stands_for(house, &before->classic_id, &before->alice);
    assert_stands_for(house, &before->bob, &before->bob);
    assert_int_equal(public_key_of(house, &before->bob, key), KS_OK);
    assert_int_equal(key[0], 7);
    assert_int_equal(public_key_of(house, &before->alice, key), KS_OK);
    assert_int_equal(key[0], 5);
    for (unsigned other = OTHER_KEY; other < OTHER_KEY + 8; other++)
        assert_int_equal(sign_in(house, (uint8_t)other, NULL), KS_NOT_FOUND);
    assert_int_equal(look_up(house, &before->carol, NULL), KS_NOT_FOUND);
    assert_int_equal(count_list(house, &before->bob, true), 1);
    const struct ks_users *users = ks_engine_of(house->store)->users;
    assert_int_equal(ks_embedded_user_count(house->store), 2);
    assert_int_equal(HASH_CNT(by_key, users->account_keys), 1); /* what was expected is forgotten */
    assert_int_equal(HASH_CNT(by_id, users->classic_ids), 1);
    assert_database(house, "SELECT count(*) FROM invitations", "3");
}

/* Every change that there is, in one batch that cannot be committed. */
static void a_batch_that_fails_leaves_everything_as_it_was(void **state)
{
    struct house *house = *state;
    struct before before = prepare(house);
    struct held_writer held;
    struct ks_store_register_account made = account_request(house, "dave", 14, 23);
    struct ks_store_register_account bound = account_request(house, "alice", OTHER_KEY, CODE);
    struct ks_store_register_account returned = account_request(house, "carol", 15, OTHER_CODE);
    struct ks_store_invite invitation = invite_request(house, 24, 1, "dave");
    struct ks_store_register_account bound_new = account_request(house, "dave", 16, 24);
    struct ks_store_adopt adoption = adopt_request(house, &before.bob, 17);
    struct ks_store_set_classic on = classic_request(house, &before.bob, 8);
    struct ks_store_set_classic off = classic_request(house, &before.alice, 0);
    const struct ks_store_request *requests[] = {&made.request,       &bound.request,     &returned.request,
                                                 &invitation.request, &bound_new.request, &adoption.request,
                                                 &on.request,         &off.request};
    writer_hold(house, &held);
    ks_store_register_account(house->store, &made);
    ks_store_register_account(house->store, &bound);
    ks_store_register_account(house->store, &returned);
    ks_store_invite(house->store, &invitation);
    ks_store_register_account(house->store, &bound_new);
    ks_store_adopt(house->store, &adoption);
    ks_store_set_classic(house->store, &on);
    ks_store_set_classic(house->store, &off);
    rlim_t limit = limit_files_to(1024);
    commit_together(house, &held, KS_COUNT_OF(requests));
    limit_files_to(limit);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++)
        assert_true(requests[i]->result == KS_NO_SPACE || requests[i]->result == KS_IO);
    assert_false(bound.replaced);
    assert_as_before(house, &before);
    house_restart(house);
    assert_as_before(house, &before);
    house_tick_through(house); /* what is left of carol goes */
    assert_int_equal(register_account(house, "dave", 14, 23, NULL), KS_OK);
    assert_int_equal(register_account(house, "alice", OTHER_KEY, CODE, NULL), KS_OK);
    assert_int_equal(register_account(house, "carol", 15, OTHER_CODE, NULL), KS_OK);
    assert_int_equal(adopt(house, &before.bob, 17), KS_OK);
}

/* Every change again, applied, and not committed yet. */
static void nobody_sees_what_is_not_committed(void **state)
{
    struct house *house = *state;
    struct before before = prepare(house);
    struct held_writer held;
    struct middle_of_a_batch middle;
    struct ks_store_register_account made = account_request(house, "dave", 14, 0);
    struct ks_store_register_account bound = account_request(house, "alice", OTHER_KEY, CODE);
    struct ks_store_register_account returned = account_request(house, "carol", 15, OTHER_CODE);
    struct ks_store_adopt adoption = adopt_request(house, &before.bob, 17);
    struct ks_store_set_classic on = classic_request(house, &before.alice, 8);
    writer_hold(house, &held);
    ks_store_register_account(house->store, &made);
    ks_store_register_account(house->store, &bound);
    ks_store_register_account(house->store, &returned);
    ks_store_adopt(house->store, &adoption);
    ks_store_set_classic(house->store, &on);
    middle_stay(house, &middle);
    writer_let_go(&held);
    middle_reach(&middle);
    for (unsigned key = OTHER_KEY; key < OTHER_KEY + 8; key++)
        assert_int_equal(sign_in(house, (uint8_t)key, NULL), KS_NOT_FOUND);
    assert_key(house, KEY, &before.alice);
    assert_stands_for(house, &before.classic_id, &before.alice);
    assert_stands_for(house, &on.classic_id, &on.classic_id);
    assert_stands_for(house, &before.bob, &before.bob);
    assert_int_equal(look_up(house, &before.carol, NULL), KS_NOT_FOUND);
    assert_int_equal(count_list(house, &before.bob, true), 1);
    middle_leave(&middle);
    for (int answers = 0; answers < 5; answers++)
        fixture_wait_for_answer(&house->waiter);
    assert_int_equal(on.request.result, KS_OK);
    assert_stands_for(house, &on.classic_id, &before.alice);
    assert_key(house, OTHER_KEY, &before.alice);
}

/* And the same changes, committed at once. */
static void a_batch_with_every_change_makes_all_of_them(void **state)
{
    struct house *house = *state;
    struct before before = prepare(house);
    struct held_writer held;
    struct ks_store_register_account made = account_request(house, "dave", 14, 23);
    struct ks_store_register_account bound = account_request(house, "alice", OTHER_KEY, CODE);
    struct ks_store_register_account returned = account_request(house, "carol", 15, OTHER_CODE);
    struct ks_store_adopt adoption = adopt_request(house, &before.bob, 17);
    struct ks_store_set_classic on = classic_request(house, &before.bob, 8);
    writer_hold(house, &held);
    ks_store_register_account(house->store, &made);
    ks_store_register_account(house->store, &bound);
    ks_store_register_account(house->store, &returned);
    ks_store_adopt(house->store, &adoption);
    ks_store_set_classic(house->store, &on);
    commit_together(house, &held, 5);
    for (int restarts = 0; restarts < 2; restarts++) {
        assert_key(house, 14, &made.account.id);
        assert_key(house, OTHER_KEY, &before.alice);
        assert_key(house, 15, &before.carol);
        assert_key(house, 17, &before.bob);
        assert_int_equal(sign_in(house, KEY, NULL), KS_NOT_FOUND);
        assert_stands_for(house, &before.classic_id, &before.classic_id);
        assert_stands_for(house, &on.classic_id, &before.bob);
        assert_int_equal(count_list(house, &before.bob, true), 0);
        assert_int_equal(count_list(house, &before.bob, false), 3);
        assert_database(house, "SELECT count(*) FROM invitations", "0");
        assert_database(house, "SELECT count(*) FROM retired", "0");
        house_restart(house);
    }
}

static void of_a_batch_in_which_one_is_refused_the_others_stay(void **state)
{
    struct house *house = *state;
    struct held_writer held;
    struct ks_store_register_account one = account_request(house, "one", KEY, 0);
    struct ks_store_register_account taken = account_request(house, "ONE", OTHER_KEY, 0);
    struct ks_store_register_account uninvited = account_request(house, "two", OTHER_KEY, CODE);
    struct ks_store_register_account three = account_request(house, "three", THIRD_KEY, 0);
    writer_hold(house, &held);
    ks_store_register_account(house->store, &one);
    ks_store_register_account(house->store, &taken);
    ks_store_register_account(house->store, &uninvited);
    ks_store_register_account(house->store, &three);
    commit_together(house, &held, 4);
    assert_int_equal(one.request.result, KS_OK);
    assert_int_equal(taken.request.result, KS_EXISTS);
    assert_int_equal(uninvited.request.result, KS_REFUSED);
    assert_int_equal(three.request.result, KS_OK);
    assert_database(house, "SELECT count(*) FROM clients", "2");
    assert_database(house, "SELECT count(*) FROM accounts", "2");
    assert_int_equal(ks_embedded_user_count(house->store), 2);
}

/* ---- coming back ---- */

/* The reaper is about to remove the directory: a new file would go with it. */
static void nobody_comes_back_before_all_of_it_is_gone(void **state)
{
    struct house *house = *state;
    struct ks_client_id alice;
    struct held_writer held; /* here it is the reaper that is held */
    struct ks_store_remove_user removal = {.request = fixture_request(&house->waiter), .name = "alice"};
    assert_int_equal(register_account(house, "alice", KEY, 0, &alice), KS_OK);
    keep_file(house, &alice, "file", "old");
    assert_int_equal(invite(house, CODE, 1, "alice"), KS_OK);
    assert_int_equal(sem_init(&held.reached, 0, 0), 0);
    assert_int_equal(sem_init(&held.gate, 0, 0), 0);
    held.call =
        (struct fixture_call){.task.run = fixture_call_run, .function = writer_stay_here, .context = &held};
    assert_int_equal(sem_init(&held.call.done, 0, 0), 0);
    ks_executor_post(ks_thread_executor(ks_engine_of(house->store)->reaper), &held.call.task);
    fixture_hold(&held.reached);
    ks_store_remove_user(house->store, &removal);
    while (look_up(house, &alice, NULL) == KS_OK)
        sched_yield();
    assert_int_equal(register_account(house, "alice", OTHER_KEY, CODE, NULL), KS_IO);
    assert_int_equal(sign_in(house, OTHER_KEY, NULL), KS_NOT_FOUND);
    writer_let_go(&held);
    fixture_wait_for_answer(&house->waiter);
    assert_int_equal(removal.request.result, KS_OK);
    assert_int_equal(register_account(house, "alice", OTHER_KEY, CODE, NULL), KS_OK); /* not used up */
    assert_int_equal(files_of(house, &alice), 0);
}

static void what_came_back_is_removed_by_nobody(void **state)
{
    struct house *house = *state;
    struct ks_client_id alice;
    assert_int_equal(register_account(house, "alice", KEY, 0, &alice), KS_OK);
    keep_file(house, &alice, "file", "old");
    append(house, &alice, &alice, "old");
    assert_int_equal(remove_user(house, "alice"), KS_OK);
    assert_int_equal(invite(house, CODE, 1, "alice"), KS_OK);
    assert_database(house, "SELECT count(*) FROM removals", "1");
    assert_int_equal(register_account(house, "alice", OTHER_KEY, CODE, NULL), KS_OK);
    assert_database(house, "SELECT count(*) FROM removals", "0");
    keep_file(house, &alice, "file", "new");
    append(house, &alice, &alice, "new");
    for (int restarts = 0; restarts < 3; restarts++) {
        house_tick_through(house);
        fixture_clock_forward(&house->clock, 61);
        assert_int_equal(files_of(house, &alice), 1);
        assert_waiting(house, &alice, "new");
        house_restart(house);
    }
}

/* What an earlier server has left is deleted first; then its note must not go with that of a later removal.
 */
static void after_a_crash_it_comes_back_when_the_rest_is_gone(void **state)
{
    struct house *house = *state;
    struct ks_client_id alice;
    assert_int_equal(register_account(house, "alice", KEY, 0, &alice), KS_OK);
    keep_file(house, &alice, "file", "old");
    append(house, &alice, &alice, "old");
    assert_int_equal(invite(house, CODE, 2, "alice"), KS_OK);
    house_close(house);
    run_on_database(house, "INSERT INTO retired SELECT a.ID, Name, a.Skeleton FROM accounts AS a"
                           " JOIN clients USING(ID);"
                           "INSERT INTO removals SELECT ID FROM accounts;"
                           "DELETE FROM accounts; DELETE FROM clients");
    house_open(house);
    house_tick_through(house);
    assert_database(house, "SELECT count(*) FROM files", "0");
    assert_database(house, "SELECT count(*) FROM messages", "0");
    assert_int_equal(register_account(house, "alice", OTHER_KEY, CODE, NULL), KS_OK);
    keep_file(house, &alice, "file", "new");
    assert_int_equal(remove_user(house, "alice"), KS_OK);
    fixture_clock_forward(&house->clock, 61);
    house_tick_through(house);
    assert_database(house, "SELECT count(*) FROM removals", "1"); /* of the later one */
    assert_int_equal(register_account(house, "alice", OTHER_KEY, CODE, NULL), KS_OK);
    assert_key(house, OTHER_KEY, &alice);
}

/* ---- invitations ---- */

static void there_are_so_many_invitations_and_those_that_are_over_make_room(void **state)
{
    struct house *house = *state;
    house_close(house);
    run_on_database(house, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<100000)"
                           " INSERT INTO invitations SELECT randomblob(32), 1,"
                           " CASE WHEN i>99990 THEN 1767225600+100 ELSE 0 END, '' FROM n");
    house_open(house);
    assert_int_equal(invite(house, CODE, 1, ""), KS_TOO_LARGE);
    fixture_clock_forward(&house->clock, 100);
    assert_int_equal(invite(house, CODE, 1, ""), KS_OK);
    assert_database(house, "SELECT count(*) FROM invitations", "99991");
}

/* As long as there is room, none is deleted: the clock may have been wrong. */
static void a_clock_that_was_ahead_takes_no_invitation_with_it(void **state)
{
    struct house *house = *state;
    struct ks_store_invite request = invite_request(house, CODE, 1, "");
    request.until = FIXTURE_WALL_START + 100;
    ks_store_invite(house->store, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
    fixture_clock_jump(&house->clock, DAY);
    assert_int_equal(register_account(house, "alice", KEY, CODE, NULL), KS_REFUSED);
    assert_int_equal(invite(house, OTHER_CODE, 1, ""), KS_OK);
    fixture_clock_jump(&house->clock, -DAY);
    assert_int_equal(register_account(house, "alice", KEY, CODE, NULL), KS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(an_account_gets_another_key_in_the_batch_that_makes_it),
        HOUSE_TEST(the_classic_side_is_what_the_batch_left_it_at),
        HOUSE_TEST(what_comes_behind_a_removal_in_its_batch_finds_nobody),
        HOUSE_TEST(a_batch_that_fails_leaves_everything_as_it_was),
        HOUSE_TEST(nobody_sees_what_is_not_committed),
        HOUSE_TEST(a_batch_with_every_change_makes_all_of_them),
        HOUSE_TEST(of_a_batch_in_which_one_is_refused_the_others_stay),
        HOUSE_TEST(nobody_comes_back_before_all_of_it_is_gone),
        HOUSE_TEST(what_came_back_is_removed_by_nobody),
        HOUSE_TEST(after_a_crash_it_comes_back_when_the_rest_is_gone),
        HOUSE_TEST(there_are_so_many_invitations_and_those_that_are_over_make_room),
        HOUSE_TEST(a_clock_that_was_ahead_takes_no_invitation_with_it),
    };
    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests_name("store_accounts", tests, NULL, NULL);
}
