/* Unit tests of src/store/embedded/vault/displaced.c: files that are replaced, and what becomes of the older
 * and of the newer when the disk or the index refuses. */
#include "unit/store/vault/shelf_fixture.h"

/* An end of a put, or a removal, that was asked for and is not answered yet. */
struct asked {
    struct ks_store_confirm end;
    struct ks_store_remove_file removal;
};

static void ask_end(struct house *house, struct asked *asked, struct ks_stage *stage, const char *text)
{
    asked->end = put_end_request(house, stage, text);
    ks_vault_confirm(house->vault, &asked->end);
}

static void ask_put(struct house *house, struct asked *asked, uint8_t number, const char *text)
{
    ask_end(house, asked, put_whole(house, number, "x", text), text);
}

static void ask_removal(struct house *house, struct asked *asked)
{
    asked->removal = remove_request(house, "x");
    ks_vault_remove(house->vault, &asked->removal);
}

static void wait_for_answers(struct house *house, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        fixture_wait_for_answer(&house->waiter);
}

/* A file x; what is asked from now on waits for its commit. */
static void have_older(struct house *house)
{
    shelf.waits = false;
    put_file(house, "x", "older");
    shelf.waits = true;
}

/* Each a group of its own. */
static void ask_two_puts(struct house *house, struct asked asked[2])
{
    ask_put(house, &asked[0], 1, "second");
    reach_index(house);
    ask_put(house, &asked[1], 2, "third");
    reach_index(house);
}

/* Two changes of x, each a group of its own that waits for its commit, with these results. So that the end of
 * the second comes before the first has given up, or after it. */
static void commit_both(struct house *house, enum ks_result first, enum ks_result second, bool late)
{
    struct gate gate;
    gate_close(&gate, house->vault->confirm_thread);
    shelf_commit(first);
    if (late) {
        gate_open(&gate);
        ks_vault_settle(house->vault);
    }
    shelf_commit(second);
    if (!late)
        gate_open(&gate);
    wait_for_answers(house, 2);
    ks_vault_settle(house->vault);
}

/* ---- one replacement ---- */

static void the_older_is_freed_when_the_newer_is_committed(void **state)
{
    struct house *house = *state;
    struct asked asked;
    put_file(house, "x", "older");
    shelf.waits = true;
    ask_put(house, &asked, 1, "newer");
    shelf_await();
    assert_true(has_file(house, "x", "newer"));
    assert_removed(house, 1);
    shelf_commit(KS_OK);
    wait_for_answers(house, 1);
    assert_int_equal(asked.end.request.result, KS_OK);
    assert_true(asked.end.replaced);
    assert_kept(house, "x", "newer");
    assert_left(house, 0);
}

static void a_put_that_cannot_be_committed_brings_the_older_back(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "older");
    house->answer = KS_IO;
    assert_int_equal(put_over(house, 1, "x", "newer one"), KS_IO);
    assert_kept(house, "x", "older");
    assert_left(house, 0);
    assert_puts(house, 0, 0);
}

static void what_came_of_a_put_that_could_not_be_committed_is_not_sent_again(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "older");
    house->answer = KS_NO_SPACE;
    assert_int_equal(put_over(house, 1, "x", "newer one"), KS_NO_SPACE);
    assert_kept(house, "x", "older");
    assert_staged(house, 1);
    house->answer = KS_OK;
    struct ks_store_put_open again = put_request(house, 1, "x", strlen("newer one"));
    again.replace = true;
    assert_int_equal(ask_to_put(house, &again), KS_OK);
    assert_int_equal(again.offset, strlen("newer one"));
    assert_int_equal(put_end(house, again.stage, "newer one"), KS_OK);
    assert_kept(house, "x", "newer one");
    assert_left(house, 0);
}

static void an_upload_that_cannot_be_committed_brings_the_older_back(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "older");
    house->answer = KS_NO_SPACE;
    assert_int_equal(confirm(house, upload(house, "x", "newer")), KS_NO_SPACE);
    assert_kept(house, "x", "older");
    assert_left(house, 0);
    house->answer = KS_OK;
    assert_int_equal(confirm(house, upload(house, "x", "newer")), KS_OK);
    assert_true(has_file(house, "x", "newer"));
    assert_left(house, 0);
}

/* It is adopted at the next start. */
static void a_file_that_has_replaced_none_stays_where_it_is(void **state)
{
    struct house *house = *state;
    house->answer = KS_IO;
    assert_int_equal(put_over(house, 1, "x", "first"), KS_IO);
    assert_true(has_file(house, "x", "first"));
    assert_left(house, 0);
}

static void with_its_user_both_are_gone(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "older");
    house->answer = KS_NOT_FOUND;
    assert_int_equal(put_over(house, 1, "x", "newer"), KS_NOT_FOUND);
    assert_int_equal(fixture_count_entries(house->directory, "files"), 0);
    assert_staged(house, 0);
}

static void what_is_brought_back_counts_again(void **state)
{
    struct house *house = *state;
    uint64_t files = 0;
    uint64_t bytes = 0;
    struct ks_quotas *quotas = ks_quotas_new(&house->limits);
    assert_non_null(quotas);
    house->vault->options.quotas = quotas;
    put_file(house, "x", "older");
    house->answer = KS_IO;
    for (uint8_t i = 0; i < 3; i++) {
        if (i < 2)
            assert_int_equal(put_over(house, i, "x", "a longer newer one"), KS_IO);
        else
            assert_int_equal(remove_file(house, "x"), KS_IO);
        ks_quotas_sums(quotas, &somebody, &files, &bytes);
        assert_int_equal(files, 1);
        assert_int_equal(bytes, strlen("older"));
    }
    house->answer = KS_OK;
    assert_int_equal(remove_file(house, "x"), KS_OK);
    assert_int_equal(ks_quotas_users(quotas), 0);
    house->vault->options.quotas = NULL;
    ks_quotas_free(quotas);
}

/* ---- several changes of one name ---- */

static void of_two_puts_that_fail_neither_stays(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "older");
    shelf.waits = true;
    for (unsigned late = 0; late < 2; late++) {
        struct asked asked[2];
        ask_two_puts(house, asked);
        assert_true(has_file(house, "x", "third"));
        commit_both(house, KS_IO, KS_IO, late);
        assert_kept(house, "x", "older");
        assert_left(house, 0);
    }
}

static void two_puts_of_one_group_that_fail_leave_the_older(void **state)
{
    struct house *house = *state;
    struct gate gate;
    struct asked asked[2];
    put_file(house, "x", "older");
    house->answer = KS_IO;
    gate_close(&gate, house->vault->confirm_thread);
    ask_put(house, &asked[0], 1, "second");
    ask_put(house, &asked[1], 2, "third");
    go_on_together(house, &gate);
    wait_for_answers(house, 2);
    assert_kept(house, "x", "older");
    assert_left(house, 0);
}

static void a_put_behind_one_that_fails_stays(void **state)
{
    struct house *house = *state;
    for (unsigned late = 0; late < 2; late++) {
        struct asked asked[2];
        have_older(house);
        ask_two_puts(house, asked);
        commit_both(house, KS_IO, KS_OK, late);
        assert_int_equal(asked[0].end.request.result, KS_IO);
        assert_int_equal(asked[1].end.request.result, KS_OK);
        assert_kept(house, "x", "third");
        assert_left(house, 0);
    }
}

static void a_put_that_fails_behind_another_leaves_that_one(void **state)
{
    struct house *house = *state;
    for (unsigned late = 0; late < 2; late++) {
        struct asked asked[2];
        have_older(house);
        ask_two_puts(house, asked);
        commit_both(house, KS_OK, KS_IO, late);
        assert_kept(house, "x", "second");
        assert_left(house, 0);
    }
}

static void a_removal_behind_a_put_that_fails(void **state)
{
    struct house *house = *state;
    for (unsigned i = 0; i < 4; i++) {
        struct asked asked[2];
        enum ks_result removed = i < 2 ? KS_IO : KS_OK;
        have_older(house);
        ask_put(house, &asked[0], 1, "newer");
        reach_index(house);
        ask_removal(house, &asked[1]);
        reach_index(house);
        assert_false(is_there(house, "x"));
        commit_both(house, KS_IO, removed, i % 2 == 0);
        assert_int_equal(asked[1].removal.request.result, removed);
        if (removed == KS_IO)
            assert_kept(house, "x", "older");
        else
            assert_false(is_there(house, "x") || has_row("x"));
        assert_left(house, 0);
    }
}

static void a_put_behind_a_removal_that_fails(void **state)
{
    struct house *house = *state;
    for (unsigned i = 0; i < 4; i++) {
        struct asked asked[2];
        enum ks_result put = i < 2 ? KS_IO : KS_OK;
        have_older(house);
        ask_removal(house, &asked[0]);
        reach_index(house);
        ask_put(house, &asked[1], 1, "newer");
        reach_index(house);
        commit_both(house, KS_IO, put, i % 2 == 0);
        assert_int_equal(asked[1].end.request.result, put);
        assert_kept(house, "x", put == KS_OK ? "newer" : "older");
        assert_left(house, 0);
    }
}

/* Whoever puts what is there already is told that it is kept: so it must be. */
static void what_was_found_in_place_of_a_put_that_fails(void **state)
{
    struct house *house = *state;
    for (unsigned i = 0; i < 4; i++) {
        struct asked asked[2];
        enum ks_result found = i < 2 ? KS_IO : KS_OK;
        have_older(house);
        ask_put(house, &asked[0], 1, "newer");
        reach_index(house);
        ask_end(house, &asked[1], put_kept(house, 2, "x", "newer"), "newer");
        reach_index(house);
        commit_both(house, KS_IO, found, i % 2 == 0);
        assert_int_equal(asked[1].end.request.result, found);
        assert_kept(house, "x", found == KS_OK ? "newer" : "older");
        assert_left(house, 0);
    }
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
    struct asked asked;
    pthread_t committer;
    put_file(house, "x", "older");
    shelf.waits = true;
    ask_put(house, &asked, 1, "newer");
    shelf_await();
    assert_int_equal(sem_init(&waits, 0, 0), 0);
    assert_int_equal(pthread_create(&committer, NULL, commit_when_somebody_waits, NULL), 0);
    house_close(house);
    assert_int_equal(pthread_join(committer, NULL), 0);
    wait_for_answers(house, 1);
    assert_kept(house, "x", "older");
    house_open(house);
}

/* ---- disks that fail ---- */

static void a_directory_that_cannot_be_synced_brings_the_older_back(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "older");
    atomic_store(&syncs_to_failure, 1);
    assert_int_equal(put_over(house, 1, "x", "newer"), KS_IO);
    assert_kept(house, "x", "older");
    assert_left(house, 0);
    assert_int_equal(put_over(house, 1, "x", "newer"), KS_OK);
    assert_kept(house, "x", "newer");
}

/* The first one brings back what the second one has displaced, before the second has given up. */
static void a_directory_that_cannot_be_synced_for_two_puts_brings_the_older_back(void **state)
{
    struct house *house = *state;
    struct gate gate;
    struct asked asked[2];
    put_file(house, "x", "older");
    gate_close(&gate, house->vault->confirm_thread);
    ask_put(house, &asked[0], 1, "second");
    ask_put(house, &asked[1], 2, "third");
    house_settle(house);
    atomic_store(&syncs_to_failure, 1);
    gate_open(&gate);
    wait_for_answers(house, 2);
    assert_kept(house, "x", "older");
    assert_left(house, 0);
}

static void a_file_that_cannot_be_renamed_leaves_the_older(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "older");
    struct ks_stage *stage = put_whole(house, 1, "x", "newer");
    atomic_store(&renames_fail, true);
    assert_int_equal(put_end(house, stage, "newer"), KS_IO);
    atomic_store(&renames_fail, false);
    assert_kept(house, "x", "older");
    ks_vault_settle(house->vault);
    assert_staged(house, 0);
    assert_int_equal(put_over(house, 1, "x", "newer"), KS_OK);
}

/* Nor is it parked: it is what stays in its place until the next start. */
static void a_put_over_what_cannot_be_brought_back_begins_anew(void **state)
{
    struct house *house = *state;
    struct asked asked;
    have_older(house);
    ask_put(house, &asked, 1, "newer");
    shelf_await();
    atomic_store(&renames_fail, true);
    shelf_commit(KS_NO_SPACE);
    wait_for_answers(house, 1);
    assert_int_equal(asked.end.request.result, KS_NO_SPACE);
    atomic_store(&renames_fail, false);
    ks_vault_settle(house->vault);
    assert_true(has_file(house, "x", "newer"));
    assert_staged(house, 0);
    assert_puts(house, 0, 0);
    assert_removed(house, 1);
}

static void an_older_that_cannot_be_kept_is_not_replaced(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "older");
    atomic_store(&links_failure, ENOSPC);
    assert_int_equal(put_over(house, 1, "x", "newer"), KS_NO_SPACE);
    assert_kept(house, "x", "older");
    ks_vault_settle(house->vault);
    assert_removed(house, 0);
}

/* Or where somebody has just taken the older away. */
static void on_a_disk_without_second_names_files_are_replaced(void **state)
{
    static const int failures[] = {EPERM, EOPNOTSUPP, EMLINK, ENOENT};
    struct house *house = *state;
    for (size_t i = 0; i < KS_COUNT_OF(failures); i++) {
        house->answer = KS_OK;
        put_file(house, "x", "older");
        atomic_store(&links_failure, failures[i]);
        assert_int_equal(put_over(house, 1, "x", "newer"), KS_OK);
        assert_kept(house, "x", "newer");
        house->answer = KS_IO;
        assert_int_equal(put_over(house, 1, "x", "newest"), KS_IO);
        assert_true(has_file(house, "x", "newest")); /* until the next start there is no row of it */
        assert_left(house, 0);
        atomic_store(&links_failure, 0);
    }
}

static void where_nobody_can_look_nothing_is_replaced_or_removed(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "older");
    struct ks_stage *stage = put_whole(house, 1, "x", "newer");
    atomic_store(&looks_fail, true);
    assert_int_equal(put_end(house, stage, "newer"), KS_IO);
    assert_int_equal(remove_file(house, "x"), KS_IO);
    atomic_store(&looks_fail, false);
    assert_kept(house, "x", "older");
    assert_left(house, 0);
}

#define REPLACEMENT_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, house_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REPLACEMENT_TEST(the_older_is_freed_when_the_newer_is_committed),
        REPLACEMENT_TEST(a_put_that_cannot_be_committed_brings_the_older_back),
        REPLACEMENT_TEST(what_came_of_a_put_that_could_not_be_committed_is_not_sent_again),
        REPLACEMENT_TEST(an_upload_that_cannot_be_committed_brings_the_older_back),
        REPLACEMENT_TEST(a_file_that_has_replaced_none_stays_where_it_is),
        REPLACEMENT_TEST(with_its_user_both_are_gone),
        REPLACEMENT_TEST(what_is_brought_back_counts_again),
        REPLACEMENT_TEST(of_two_puts_that_fail_neither_stays),
        REPLACEMENT_TEST(two_puts_of_one_group_that_fail_leave_the_older),
        REPLACEMENT_TEST(a_put_behind_one_that_fails_stays),
        REPLACEMENT_TEST(a_put_that_fails_behind_another_leaves_that_one),
        REPLACEMENT_TEST(a_removal_behind_a_put_that_fails),
        REPLACEMENT_TEST(a_put_behind_a_removal_that_fails),
        REPLACEMENT_TEST(what_was_found_in_place_of_a_put_that_fails),
        REPLACEMENT_TEST(a_vault_that_stops_waits_for_what_it_may_have_to_bring_back),
        REPLACEMENT_TEST(a_directory_that_cannot_be_synced_brings_the_older_back),
        REPLACEMENT_TEST(a_directory_that_cannot_be_synced_for_two_puts_brings_the_older_back),
        REPLACEMENT_TEST(a_file_that_cannot_be_renamed_leaves_the_older),
        REPLACEMENT_TEST(a_put_over_what_cannot_be_brought_back_begins_anew),
        REPLACEMENT_TEST(an_older_that_cannot_be_kept_is_not_replaced),
        REPLACEMENT_TEST(on_a_disk_without_second_names_files_are_replaced),
        REPLACEMENT_TEST(where_nobody_can_look_nothing_is_replaced_or_removed),
    };
    return cmocka_run_group_tests_name("vault_replacements", tests, NULL, NULL);
}
