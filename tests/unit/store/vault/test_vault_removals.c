/* Unit tests of src/store/embedded/vault/displaced.c: files that are removed, and what becomes of them when
 * the disk or the index refuses. */
#include "unit/store/vault/shelf_fixture.h"

/* As if the row had been lost. */
static void lose_row(const char *name)
{
    char path[256];
    row_of(path_of(&somebody, name, path))[0] = '\0';
}

/* ---- removals ---- */

static void a_removed_file_and_its_row_are_gone(void **state)
{
    struct house *house = *state;
    put_file(house, "a/b", "text");
    put_file(house, "b", "other");
    assert_true(has_file(house, "a\\b", "text"));
    assert_int_equal(remove_file(house, "a/b"), KS_OK);
    assert_false(is_there(house, "a\\b"));
    assert_false(has_row("a\\b"));
    assert_true(is_there(house, "b"));
    assert_left(house, 0);
    assert_int_equal(remove_file(house, "a/b"), KS_NOT_FOUND);
    assert_int_equal(remove_file(house, "a"), KS_NOT_FOUND);
    assert_int_equal(remove_file(house, "../b"), KS_NOT_FOUND);
    assert_int_equal(remove_file(house, ""), KS_NOT_FOUND);
}

static void what_is_half_there_is_removed(void **state)
{
    struct house *house = *state;
    char path[256];
    put_file(house, "no row", "text");
    lose_row("no row");
    assert_int_equal(remove_file(house, "no row"), KS_OK);
    assert_false(is_there(house, "no row"));
    put_file(house, "no file", "text");
    assert_int_equal(unlink(in_house(house, path_of(&somebody, "no file", path))), 0);
    assert_int_equal(remove_file(house, "no file"), KS_OK);
    assert_false(has_row("no file"));
}

static void what_is_no_file_is_not_taken_away(void **state)
{
    struct house *house = *state;
    char path[256];
    put_file(house, "x", "text");
    assert_int_equal(mkdir(in_house(house, path_of(&somebody, "folder", path)), 0700), 0);
    assert_int_equal(remove_file(house, "folder"), KS_NOT_FOUND);
    assert_true(is_there(house, "folder"));
}

static void the_file_is_gone_before_the_commit_and_freed_after_it(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "text");
    struct ks_store_remove_file removal = remove_request(house, "x");
    shelf.waits = true;
    ks_vault_remove(house->vault, &removal);
    shelf_await();
    assert_false(is_there(house, "x"));
    assert_removed(house, 1);
    assert_true(has_row("x"));
    unsigned answers = atomic_load(&house->waiter.answers);
    shelf_commit(KS_OK);
    assert_int_equal(fixture_wait(&house->waiter, &removal.request), KS_OK);
    assert_int_equal(atomic_load(&house->waiter.answers), answers + 1);
    assert_left(house, 0);
}

static void a_removal_and_a_put_of_one_name_may_be_in_one_group(void **state)
{
    struct house *house = *state;
    struct gate gate;
    put_file(house, "x", "older");
    struct ks_stage *stage = put_whole(house, 1, "x", "newer");
    struct ks_store_remove_file removal = remove_request(house, "x");
    struct ks_store_confirm end = put_end_request(house, stage, "newer");
    gate_close(&gate, house->vault->confirm_thread);
    ks_vault_remove(house->vault, &removal);
    ks_vault_confirm(house->vault, &end);
    go_on_together(house, &gate);
    fixture_wait_for_answer(&house->waiter);
    fixture_wait_for_answer(&house->waiter);
    assert_int_equal(removal.request.result, KS_OK);
    assert_int_equal(end.request.result, KS_OK);
    assert_false(end.replaced);
    assert_true(has_file(house, "x", "newer"));
    assert_true(has_row("x"));
    assert_left(house, 0);
}

static void a_put_and_a_removal_of_one_name_may_be_in_one_group(void **state)
{
    struct house *house = *state;
    struct gate gate;
    put_file(house, "x", "older");
    struct ks_stage *stage = put_whole(house, 1, "x", "newer");
    struct ks_store_remove_file removals[2] = {remove_request(house, "x"), remove_request(house, "x")};
    struct ks_store_confirm end = put_end_request(house, stage, "newer");
    gate_close(&gate, house->vault->confirm_thread);
    ks_vault_confirm(house->vault, &end);
    ks_vault_remove(house->vault, &removals[0]);
    ks_vault_remove(house->vault, &removals[1]);
    go_on_together(house, &gate);
    for (unsigned i = 0; i < 3; i++)
        fixture_wait_for_answer(&house->waiter);
    assert_int_equal(end.request.result, KS_OK);
    assert_true(end.replaced);
    assert_int_equal(removals[0].request.result, KS_OK);
    assert_int_equal(removals[1].request.result, KS_NOT_FOUND);
    assert_false(is_there(house, "x"));
    assert_false(has_row("x"));
    assert_left(house, 0);
}

/* ---- commits that fail ---- */

static void a_removal_that_cannot_be_committed_brings_the_file_back(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "text");
    house->answer = KS_NO_SPACE;
    assert_int_equal(remove_file(house, "x"), KS_NO_SPACE);
    assert_true(has_file(house, "x", "text"));
    assert_true(has_row("x"));
    assert_left(house, 0);
    house->answer = KS_OK;
    assert_int_equal(remove_file(house, "x"), KS_OK);
    assert_false(is_there(house, "x"));
}

static void two_removals_that_cannot_be_committed_bring_the_file_back(void **state)
{
    struct house *house = *state;
    struct gate gate;
    put_file(house, "x", "text");
    for (unsigned together = 0; together < 2; together++) {
        struct ks_store_remove_file removals[2] = {remove_request(house, "x"), remove_request(house, "x")};
        shelf.waits = true;
        gate_close(&gate, house->vault->confirm_thread);
        ks_vault_remove(house->vault, &removals[0]);
        if (!together) {
            go_on_together(house, &gate);
            shelf_await();
            gate_close(&gate, house->vault->confirm_thread);
        }
        ks_vault_remove(house->vault, &removals[1]);
        go_on_together(house, &gate);
        for (unsigned i = together; i < 2; i++)
            shelf_commit(KS_IO);
        fixture_wait_for_answer(&house->waiter);
        fixture_wait_for_answer(&house->waiter);
        assert_int_equal(removals[0].request.result, KS_IO);
        assert_int_equal(removals[1].request.result, KS_IO);
        assert_true(has_file(house, "x", "text"));
        assert_left(house, 0);
    }
}

/* The second finds no file, and takes its row: it must not come back for the sake of the first. */
static void a_second_removal_that_is_committed_is_for_good(void **state)
{
    struct house *house = *state;
    struct gate gate;
    for (unsigned late = 0; late < 2; late++) {
        struct ks_store_remove_file removals[2] = {remove_request(house, "x"), remove_request(house, "x")};
        shelf.waits = false;
        put_file(house, "x", "text");
        shelf.waits = true;
        ks_vault_remove(house->vault, &removals[0]);
        shelf_await();
        ks_vault_remove(house->vault, &removals[1]);
        reach_index(house);
        /* So that the end of the second comes before the first has given up, or after it. */
        gate_close(&gate, house->vault->confirm_thread);
        shelf_commit(KS_IO);
        if (late) {
            gate_open(&gate);
            ks_vault_settle(house->vault);
        }
        shelf_commit(KS_OK);
        if (!late)
            gate_open(&gate);
        fixture_wait_for_answer(&house->waiter);
        fixture_wait_for_answer(&house->waiter);
        assert_int_equal(removals[0].request.result, KS_IO);
        assert_int_equal(removals[1].request.result, KS_OK);
        assert_false(is_there(house, "x"));
        assert_false(has_row("x"));
        assert_left(house, 0);
    }
}

static void of_three_removals_the_last_brings_the_file_back(void **state)
{
    struct house *house = *state;
    struct ks_store_remove_file removals[3];
    put_file(house, "x", "text");
    shelf.waits = true;
    for (unsigned i = 0; i < 3; i++) {
        removals[i] = remove_request(house, "x");
        ks_vault_remove(house->vault, &removals[i]);
        reach_index(house);
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_false(is_there(house, "x"));
        shelf_commit(KS_IO);
        fixture_wait_for_answer(&house->waiter);
        ks_vault_settle(house->vault);
    }
    assert_true(has_file(house, "x", "text"));
    assert_left(house, 0);
}

static void an_older_file_does_not_come_back_over_a_newer(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "older");
    struct ks_stage *stage = put_whole(house, 1, "x", "newer");
    struct ks_store_remove_file removal = remove_request(house, "x");
    struct ks_store_confirm end = put_end_request(house, stage, "newer");
    shelf.waits = true;
    ks_vault_remove(house->vault, &removal);
    shelf_await();
    ks_vault_confirm(house->vault, &end);
    reach_index(house);
    shelf_commit(KS_IO);
    shelf_commit(KS_OK);
    fixture_wait_for_answer(&house->waiter);
    fixture_wait_for_answer(&house->waiter);
    assert_int_equal(removal.request.result, KS_IO);
    assert_int_equal(end.request.result, KS_OK);
    ks_vault_settle(house->vault);
    assert_true(has_file(house, "x", "newer"));
    assert_left(house, 0);
}

/* Nor when the newer one is removed, too, before the first has given up. */
static void an_older_file_does_not_come_back_for_a_newer_that_was_removed(void **state)
{
    struct house *house = *state;
    struct gate gate;
    put_file(house, "x", "older");
    struct ks_stage *stage = put_whole(house, 1, "x", "newer");
    struct ks_store_remove_file removals[2] = {remove_request(house, "x"), remove_request(house, "x")};
    struct ks_store_confirm end = put_end_request(house, stage, "newer");
    shelf.waits = true;
    ks_vault_remove(house->vault, &removals[0]);
    reach_index(house);
    ks_vault_confirm(house->vault, &end);
    reach_index(house);
    ks_vault_remove(house->vault, &removals[1]);
    reach_index(house);
    gate_close(&gate, house->vault->confirm_thread);
    shelf_commit(KS_IO);
    shelf_commit(KS_OK);
    shelf_commit(KS_OK);
    gate_open(&gate);
    for (unsigned i = 0; i < 3; i++)
        fixture_wait_for_answer(&house->waiter);
    assert_int_equal(removals[0].request.result, KS_IO);
    assert_int_equal(removals[1].request.result, KS_OK);
    assert_false(is_there(house, "x"));
    assert_false(has_row("x"));
    assert_left(house, 0);
}

static void *commit_when_somebody_waits(void *nothing)
{
    fixture_hold(&waits);
    shelf_commit(KS_IO);
    return nothing;
}

static void a_vault_that_stops_waits_for_what_it_may_have_to_bring_back(void **state)
{
    struct house *house = *state;
    pthread_t committer;
    put_file(house, "x", "text");
    struct ks_store_remove_file removal = remove_request(house, "x");
    shelf.waits = true;
    ks_vault_remove(house->vault, &removal);
    shelf_await();
    assert_int_equal(sem_init(&waits, 0, 0), 0);
    assert_int_equal(pthread_create(&committer, NULL, commit_when_somebody_waits, NULL), 0);
    atomic_store(&somebody_waits, false);
    house_close(house);
    assert_true(atomic_load(&somebody_waits));
    assert_int_equal(pthread_join(committer, NULL), 0);
    fixture_wait_for_answer(&house->waiter);
    assert_int_equal(removal.request.result, KS_IO);
    assert_true(has_file(house, "x", "text"));
    assert_staged(house, 0);
    house_open(house);
}

/* ---- disks that fail ---- */

static void a_directory_that_cannot_be_synced_keeps_the_file(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "text");
    atomic_store(&syncs_to_failure, 1);
    assert_int_equal(remove_file(house, "x"), KS_IO);
    assert_true(has_file(house, "x", "text"));
    assert_true(has_row("x"));
    assert_left(house, 0);
    assert_int_equal(remove_file(house, "x"), KS_OK);
}

static void a_file_that_cannot_be_renamed_stays(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "text");
    atomic_store(&renames_fail, true);
    assert_int_equal(remove_file(house, "x"), KS_IO);
    atomic_store(&renames_fail, false);
    assert_true(has_file(house, "x", "text"));
    assert_int_equal(remove_file(house, "x"), KS_OK);
}

/* Then it waits where it is, and the next start completes the removal. */
static void what_cannot_be_brought_back_is_not_deleted(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "text");
    struct ks_store_remove_file removal = remove_request(house, "x");
    shelf.waits = true;
    ks_vault_remove(house->vault, &removal);
    shelf_await();
    atomic_store(&renames_fail, true);
    shelf_commit(KS_IO);
    assert_int_equal(fixture_wait(&house->waiter, &removal.request), KS_IO);
    ks_vault_settle(house->vault);
    atomic_store(&renames_fail, false);
    assert_false(is_there(house, "x"));
    assert_left(house, 1);
}

#define REMOVAL_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, house_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REMOVAL_TEST(a_removed_file_and_its_row_are_gone),
        REMOVAL_TEST(what_is_half_there_is_removed),
        REMOVAL_TEST(what_is_no_file_is_not_taken_away),
        REMOVAL_TEST(the_file_is_gone_before_the_commit_and_freed_after_it),
        REMOVAL_TEST(a_removal_and_a_put_of_one_name_may_be_in_one_group),
        REMOVAL_TEST(a_put_and_a_removal_of_one_name_may_be_in_one_group),
        REMOVAL_TEST(a_removal_that_cannot_be_committed_brings_the_file_back),
        REMOVAL_TEST(two_removals_that_cannot_be_committed_bring_the_file_back),
        REMOVAL_TEST(a_second_removal_that_is_committed_is_for_good),
        REMOVAL_TEST(of_three_removals_the_last_brings_the_file_back),
        REMOVAL_TEST(an_older_file_does_not_come_back_over_a_newer),
        REMOVAL_TEST(an_older_file_does_not_come_back_for_a_newer_that_was_removed),
        REMOVAL_TEST(a_vault_that_stops_waits_for_what_it_may_have_to_bring_back),
        REMOVAL_TEST(a_directory_that_cannot_be_synced_keeps_the_file),
        REMOVAL_TEST(a_file_that_cannot_be_renamed_stays),
        REMOVAL_TEST(what_cannot_be_brought_back_is_not_deleted),
    };
    return cmocka_run_group_tests_name("vault_removals", tests, NULL, NULL);
}
