/* Unit tests of limits in the embedded engine, src/store: what waits for a receiver, and what a user keeps.
 */
#include "unit/store/operators_fixture.h"

/* ---- what waits ---- */

/* The receiver takes all that waits. */
static void take_all(struct house *house, const struct ks_client_id *receiver)
{
    struct ks_store_lease_waiting part = lease(house, receiver, 7);
    assert_true(part.count > 0);
    assert_int_equal(delivered(house, receiver, 7, part.last), KS_OK);
}

static void a_message_too_many_is_refused_and_leaves_no_trace(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    atomic_store(&house->limits.waiting_messages, 2);
    append(house, &users.bob, &users.alice, "one");
    uint64_t last = append(house, &users.bob, &users.bob, "two");
    assert_int_equal(try_append(house, &users.bob, &users.alice, "three"), KS_REFUSED);
    assert_waiting(house, &users.bob, "one two");
    assert_database(house, "SELECT count(*) FROM messages", "2");
    assert_int_equal(append(house, &users.alice, &users.bob, "another's"), last + 1);
    take_all(house, &users.bob);
    append(house, &users.bob, &users.alice, "four");
    assert_waiting(house, &users.bob, "four");
}

static void bytes_that_wait_have_a_limit(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    atomic_store(&house->limits.waiting_bytes, 10);
    assert_int_equal(try_append(house, &users.bob, &users.alice, "eleven byte"), KS_REFUSED);
    append(house, &users.bob, &users.alice, "sixsix");
    assert_int_equal(try_append(house, &users.bob, &users.bob, "fives"), KS_REFUSED);
    append(house, &users.bob, &users.bob, "four");
    assert_int_equal(try_append(house, &users.bob, &users.alice, "1"), KS_REFUSED);
    take_all(house, &users.bob);
    append(house, &users.bob, &users.alice, "ten bytes!");
}

static void what_the_same_batch_has_added_counts(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct held_writer held;
    struct ks_store_append_message requests[10];
    static const char *const texts[] = {"a", "b", "longer", "c", "d", "e", "f", "g", "h", "i"};
    atomic_store(&house->limits.waiting_messages, 9); /* half of it for one sender */
    atomic_store(&house->limits.waiting_bytes, 9);
    append(house, &users.bob, &users.alice, "0");
    writer_hold(house, &held);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++) {
        requests[i] = append_request(house, &users.bob, &users.alice, texts[i]);
        ks_store_append_message(house->store, &requests[i]);
    }
    writer_let_go(&held);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++)
        fixture_wait_for_answer(&house->waiter);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++)
        assert_int_equal(requests[i].request.result, i == 2 || i > 4 ? KS_REFUSED : KS_OK);
    assert_waiting(house, &users.bob, "0 a b c d");
}

static void a_large_message_that_is_refused_leaves_no_file(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    atomic_store(&house->limits.waiting_bytes, 6);
    append_spooled(house, &users.bob, &users.alice, "large");
    struct ks_stage *stage = message_stage(house, &users.alice, "2.");
    assert_int_equal(append_stage(house, &users.bob, &users.alice, stage, 2, NULL), KS_REFUSED);
    assert_spooled(house, 1);
    assert_int_equal(fixture_count_entries(house->directory, "staging"), 0);
    assert_waiting(house, &users.bob, "large");
}

static void what_waited_before_a_restart_counts(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    atomic_store(&house->limits.waiting_messages, 1);
    append(house, &users.bob, &users.alice, "one");
    house_restart(house);
    assert_int_equal(try_append(house, &users.bob, &users.alice, "two"), KS_REFUSED);
    atomic_store(&house->limits.waiting_messages, 3);
    append(house, &users.bob, &users.alice, "two");
}

static void what_could_not_be_committed_does_not_count(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    atomic_store(&house->limits.waiting_messages, 3);
    atomic_store(&house->limits.waiting_bytes, 11);
    append(house, &users.bob, &users.alice, "one");
    rlim_t before = limit_files_to(1024);
    enum ks_result failed = try_append(house, &users.bob, &users.alice, "fives");
    limit_files_to(before);
    assert_int_equal(failed, KS_IO);
    append(house, &users.bob, &users.alice, "after");
    assert_waiting(house, &users.bob, "one after");
}

static void a_lower_limit_takes_nothing_away(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    append(house, &users.bob, &users.alice, "two");
    atomic_store(&house->limits.waiting_messages, 1);
    assert_int_equal(try_append(house, &users.bob, &users.alice, "three"), KS_REFUSED);
    assert_waiting(house, &users.bob, "one two");
}

/* ---- what users keep ---- */

static void assert_sums(struct house *house, const struct ks_client_id *id, uint64_t files, uint64_t bytes)
{
    uint64_t found_files = 0;
    uint64_t found_bytes = 0;
    ks_quotas_sums(ks_engine_of(house->store)->quotas, id, &found_files, &found_bytes);
    assert_int_equal(found_files, files);
    assert_int_equal(found_bytes, bytes);
}

static void assert_users_with_files(struct house *house, size_t count)
{
    assert_int_equal(ks_quotas_users(ks_engine_of(house->store)->quotas), count);
}

static void a_file_too_many_is_refused_before_its_content(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    atomic_store(&house->limits.user_files, 2);
    keep_file(house, &users.alice, "one", "1");
    keep_file(house, &users.alice, "two", "2");
    assert_int_equal(try_declared(house, &users.alice, "three", 1), KS_REFUSED);
    assert_int_equal(try_declared(house, &users.alice, "folder/two", 1), KS_OK);
    keep_file(house, &users.alice, "two", "another");
    keep_file(house, &users.bob, "three", "3");
    assert_sums(house, &users.alice, 2, 8);
    atomic_store(&house->limits.user_files, 3);
    keep_file(house, &users.alice, "three", "3");
}

static void bytes_too_many_are_refused_before_they_come_and_a_replacement_counts_the_difference(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    atomic_store(&house->limits.user_bytes, 10);
    keep_file(house, &users.alice, "six", "123456");
    assert_int_equal(try_declared(house, &users.alice, "other", 5), KS_REFUSED);
    assert_int_equal(try_declared(house, &users.alice, "other", 4), KS_OK);
    assert_int_equal(try_declared(house, &users.alice, "six", 11), KS_REFUSED);
    assert_int_equal(try_declared(house, &users.alice, "six", 10), KS_OK);
    assert_int_equal(try_declared(house, &users.alice, "other", UINT32_MAX), KS_REFUSED);
    assert_int_equal(fixture_count_entries(house->directory, "staging"), 0);
}

static void over_a_limit_that_was_lowered_a_file_may_become_smaller(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    keep_file(house, &users.alice, "one", "1234567890");
    keep_file(house, &users.alice, "two", "1234567890");
    atomic_store(&house->limits.user_bytes, 5);
    atomic_store(&house->limits.user_files, 1);
    assert_int_equal(try_declared(house, &users.alice, "two", 11), KS_REFUSED);
    keep_file(house, &users.alice, "two", "123456789");
    keep_file(house, &users.alice, "two", "123456789");
    assert_sums(house, &users.alice, 2, 19);
}

static void a_confirm_over_the_limit_leaves_the_older_file_as_it_is(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    char path[256];
    atomic_store(&house->limits.user_bytes, 8);
    keep_file(house, &users.alice, "x", "12345");
    struct ks_stage *stage = stage_file(house, &users.alice, "x", "123456789");
    assert_int_equal(confirm_stage(house, stage), KS_REFUSED);
    assert_true(fixture_file_is(house->directory, path_of(&users.alice, "x", path), "12345"));
    assert_database(house, "SELECT count(*) || ' ' || sum(Size) FROM files", "1 5");
    assert_int_equal(fixture_count_entries(house->directory, "staging"), 0);
    assert_sums(house, &users.alice, 1, 5);
    keep_file(house, &users.alice, "x", "12345678");
    assert_sums(house, &users.alice, 1, 8);
}

static void of_several_staged_at_once_only_those_that_fit_are_confirmed(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_store_confirm requests[6];
    sem_t gate;
    struct fixture_call hold = {.task.run = fixture_call_run, .function = fixture_hold, .context = &gate};
    struct ks_executor *confirms = ks_thread_executor(ks_engine_of(house->store)->vault->confirm_thread);
    size_t confirmed = 0;
    atomic_store(&house->limits.user_files, 4);
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_int_equal(sem_init(&hold.done, 0, 0), 0);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++) {
        char name[8];
        snprintf(name, sizeof name, "%zu", i);
        requests[i] = (struct ks_store_confirm){.request = fixture_request(&house->waiter),
                                                .stage = stage_file(house, &users.alice, name, "1")};
    }
    ks_executor_post(confirms, &hold.task);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++)
        ks_store_confirm(house->store, &requests[i]);
    sem_post(&gate);
    fixture_hold(&hold.done);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++)
        fixture_wait_for_answer(&house->waiter);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++) {
        assert_int_equal(requests[i].request.result, i < 4 ? KS_OK : KS_REFUSED);
        confirmed += requests[i].request.result == KS_OK;
    }
    assert_sums(house, &users.alice, confirmed, confirmed);
    assert_int_equal(files_of(house, &users.alice), 4);
    assert_database(house, "SELECT count(*) FROM files", "4");
}

static void sums_are_those_of_the_disk_after_a_restart(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    char path[256];
    keep_file(house, &users.alice, "kept", "12345");
    keep_file(house, &users.alice, "kept", "123");
    keep_file(house, &users.alice, "missing", "1234567");
    keep_file(house, &users.alice, "grown", "1");
    assert_sums(house, &users.alice, 3, 11);
    house_close(house);
    fixture_write_file(house->directory, path_of(&users.alice, "adopted", path), "1234");
    fixture_write_file(house->directory, path_of(&users.alice, "grown", path), "12");
    run_on_database(house, "UPDATE files SET Size=NULL WHERE KeptName='kept'");
    char missing[384];
    snprintf(missing, sizeof missing, "%s/%s", house->directory, path_of(&users.alice, "missing", path));
    assert_int_equal(unlink(missing), 0);
    house_open(house);
    assert_sums(house, &users.alice, 3, 9);
    assert_users_with_files(house, 1);
    keep_file(house, &users.alice, "missing", "12");
    assert_sums(house, &users.alice, 4, 11);
    house_restart(house);
    assert_sums(house, &users.alice, 4, 11);
}

static void only_who_has_files_costs_memory(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    assert_int_equal(try_declared(house, &users.bob, "x", 1), KS_OK);
    assert_users_with_files(house, 0);
    atomic_store(&house->limits.user_bytes, 1);
    struct ks_stage *stage = stage_file(house, &users.bob, "x", "12");
    assert_int_equal(confirm_stage(house, stage), KS_REFUSED);
    assert_users_with_files(house, 0);
    keep_file(house, &users.alice, "x", "1");
    assert_users_with_files(house, 1);
}

static void a_removed_user_counts_no_more(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    keep_file(house, &users.alice, "x", "1");
    keep_file(house, &users.bob, "y", "12");
    assert_int_equal(remove_user(house, "alice"), KS_OK);
    assert_users_with_files(house, 1);
    assert_sums(house, &users.alice, 0, 0);
    assert_sums(house, &users.bob, 1, 2);
    house_restart(house);
    assert_users_with_files(house, 1);
}

static enum ks_store_limit limit_at_opening(struct house *house, const struct ks_client_id *id,
                                            const char *name, uint64_t size, enum ks_result expected)
{
    struct ks_store_stage_open opening = {
        .request = fixture_request(&house->waiter), .id = *id, .content_size = size};
    snprintf(opening.file_name, sizeof opening.file_name, "%s", name);
    ks_store_stage_open(house->store, &opening);
    assert_int_equal(fixture_wait(&house->waiter, &opening.request), expected);
    return opening.limit;
}

static enum ks_store_limit limit_at_confirmation(struct house *house, struct ks_stage *stage)
{
    struct ks_store_confirm request = {.request = fixture_request(&house->waiter), .stage = stage};
    ks_store_confirm(house->store, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_REFUSED);
    return request.limit;
}

static void who_is_refused_is_told_which_limit_it_was(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_stage *first = stage_file(house, &users.alice, "first", "123456");
    struct ks_stage *second = stage_file(house, &users.alice, "second", "123456");
    keep_file(house, &users.alice, "x", "12345");
    atomic_store(&house->limits.user_files, 1);
    assert_int_equal(limit_at_opening(house, &users.alice, "y", 1, KS_REFUSED), KS_STORE_LIMIT_USER_FILES);
    assert_int_equal(limit_at_confirmation(house, first), KS_STORE_LIMIT_USER_FILES);
    atomic_store(&house->limits.user_files, 0);
    atomic_store(&house->limits.user_bytes, 10);
    assert_int_equal(limit_at_opening(house, &users.alice, "y", 6, KS_REFUSED), KS_STORE_LIMIT_USER_BYTES);
    assert_int_equal(limit_at_confirmation(house, second), KS_STORE_LIMIT_USER_BYTES);
    atomic_store(&house->limits.free_space, UINT64_MAX - 1);
    assert_int_equal(limit_at_opening(house, &users.alice, "y", 1, KS_NO_SPACE), KS_STORE_LIMIT_FREE_SPACE);
    struct ks_client_id nobody = {{0}};
    assert_int_equal(limit_at_opening(house, &nobody, "y", 1, KS_NOT_FOUND), KS_STORE_LIMIT_NONE);
}

static void assert_all(struct house *house, uint64_t files, uint64_t bytes)
{
    struct ks_embedded_statistics statistics;
    ks_embedded_statistics(house->store, &statistics);
    assert_int_equal(statistics.files, files);
    assert_int_equal(statistics.file_bytes, bytes);
}

static void the_sums_of_all_users_are_kept_with_each_change(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    assert_all(house, 0, 0);
    keep_file(house, &users.alice, "x", "1");
    keep_file(house, &users.bob, "y", "12345");
    assert_all(house, 2, 6);
    keep_file(house, &users.bob, "y", "12");
    assert_all(house, 2, 3);
    atomic_store(&house->limits.user_bytes, 3);
    assert_int_equal(confirm_stage(house, stage_file(house, &users.bob, "z", "12")), KS_REFUSED);
    assert_all(house, 2, 3);
    house_restart(house);
    assert_all(house, 2, 3);
    assert_int_equal(remove_user(house, "bob"), KS_OK);
    assert_all(house, 1, 1);
    assert_int_equal(remove_user(house, "alice"), KS_OK);
    assert_all(house, 0, 0);
}

/* What was asked of the stage threads is done. */
static void reach_stages(struct house *house)
{
    const struct ks_vault *vault = ks_engine_of(house->store)->vault;
    for (unsigned i = 0; i < vault->thread_count; i++)
        fixture_call_on(ks_thread_executor(vault->threads[i].thread), NULL, NULL);
}

static void a_file_put_in_place_while_its_user_goes_counts_no_more(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct held_writer held;
    struct fixture_waiter waiter;
    struct ks_executor *confirms = ks_thread_executor(ks_engine_of(house->store)->vault->confirm_thread);
    fixture_waiter_init(&waiter);
    struct ks_store_remove_user removal = {.request = fixture_request(&waiter), .name = "alice"};
    writer_hold(house, &held);
    ks_store_remove_user(house->store, &removal);
    reach_stages(house); /* what begins from here on does not fail with the user's stages */
    struct ks_store_confirm confirm = {.request = fixture_request(&house->waiter),
                                       .stage = stage_file(house, &users.alice, "x", "12")};
    ks_store_confirm(house->store, &confirm);
    reach_stages(house);
    fixture_call_on(confirms, NULL, NULL);
    fixture_call_on(confirms, NULL, NULL); /* behind the batch that it was in */
    assert_sums(house, &users.alice, 1, 2);
    writer_let_go(&held);
    assert_int_equal(fixture_wait(&house->waiter, &confirm.request), KS_NOT_FOUND);
    assert_int_equal(fixture_wait(&waiter, &removal.request), KS_OK);
    assert_users_with_files(house, 0);
}

static void a_file_put_in_place_after_its_user_has_gone_counts_no_more(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    sem_t gate;
    struct fixture_call hold = {.task.run = fixture_call_run, .function = fixture_hold, .context = &gate};
    struct fixture_waiter waiter;
    fixture_waiter_init(&waiter);
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_int_equal(sem_init(&hold.done, 0, 0), 0);
    keep_file(house, &users.alice, "older", "1");
    struct ks_store_confirm confirm = {.request = fixture_request(&waiter),
                                       .stage = stage_file(house, &users.alice, "x", "12")};
    ks_executor_post(ks_thread_executor(ks_engine_of(house->store)->vault->confirm_thread), &hold.task);
    ks_store_confirm(house->store, &confirm);
    reach_stages(house);
    assert_int_equal(remove_user(house, "alice"), KS_OK);
    assert_users_with_files(house, 0);
    sem_post(&gate);
    fixture_hold(&hold.done);
    assert_int_equal(fixture_wait(&waiter, &confirm.request), KS_NOT_FOUND);
    assert_users_with_files(house, 0);
    assert_false(has_directory(house, &users.alice));
}

static void a_file_that_lies_there_without_its_row_counts(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    keep_file(house, &users.alice, "before", "1");
    struct ks_stage *stage = stage_file(house, &users.alice, "x", "12345");
    rlim_t before = limit_files_to(1024);
    enum ks_result failed = confirm_stage(house, stage);
    limit_files_to(before);
    assert_int_equal(failed, KS_IO);
    assert_sums(house, &users.alice, 2, 6);
    house_restart(house);
    assert_sums(house, &users.alice, 2, 6);
}

static void a_file_that_cannot_be_put_in_place_does_not_count(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    char path[256];
    char blocked[384];
    keep_file(house, &users.alice, "before", "1");
    struct ks_stage *stage = stage_file(house, &users.alice, "x", "12345");
    snprintf(blocked, sizeof blocked, "%s/%s", house->directory, path_of(&users.alice, "x", path));
    assert_int_equal(mkdir(blocked, 0700), 0);
    assert_int_equal(confirm_stage(house, stage), KS_IO);
    assert_sums(house, &users.alice, 1, 1);
    assert_int_equal(rmdir(blocked), 0);
}

static void a_replacement_that_cannot_be_put_in_place_leaves_the_sums_as_they_were(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    char path[256];
    char kept[384];
    keep_file(house, &users.alice, "x", "123");
    struct ks_stage *stage = stage_file(house, &users.alice, "x", "12345");
    snprintf(kept, sizeof kept, "%s/%s", house->directory, path_of(&users.alice, "x", path));
    assert_int_equal(unlink(kept), 0);
    assert_int_equal(mkdir(kept, 0700), 0);
    assert_int_equal(confirm_stage(house, stage), KS_IO);
    assert_sums(house, &users.alice, 1, 3);
    assert_int_equal(rmdir(kept), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(a_message_too_many_is_refused_and_leaves_no_trace),
        HOUSE_TEST(bytes_that_wait_have_a_limit),
        HOUSE_TEST(what_the_same_batch_has_added_counts),
        HOUSE_TEST(a_large_message_that_is_refused_leaves_no_file),
        HOUSE_TEST(what_waited_before_a_restart_counts),
        HOUSE_TEST(what_could_not_be_committed_does_not_count),
        HOUSE_TEST(a_lower_limit_takes_nothing_away),
        HOUSE_TEST(a_file_too_many_is_refused_before_its_content),
        HOUSE_TEST(bytes_too_many_are_refused_before_they_come_and_a_replacement_counts_the_difference),
        HOUSE_TEST(over_a_limit_that_was_lowered_a_file_may_become_smaller),
        HOUSE_TEST(a_confirm_over_the_limit_leaves_the_older_file_as_it_is),
        HOUSE_TEST(of_several_staged_at_once_only_those_that_fit_are_confirmed),
        HOUSE_TEST(sums_are_those_of_the_disk_after_a_restart),
        HOUSE_TEST(only_who_has_files_costs_memory),
        HOUSE_TEST(a_removed_user_counts_no_more),
        HOUSE_TEST(who_is_refused_is_told_which_limit_it_was),
        HOUSE_TEST(the_sums_of_all_users_are_kept_with_each_change),
        HOUSE_TEST(a_file_put_in_place_while_its_user_goes_counts_no_more),
        HOUSE_TEST(a_file_put_in_place_after_its_user_has_gone_counts_no_more),
        HOUSE_TEST(a_file_that_lies_there_without_its_row_counts),
        HOUSE_TEST(a_file_that_cannot_be_put_in_place_does_not_count),
        HOUSE_TEST(a_replacement_that_cannot_be_put_in_place_leaves_the_sums_as_they_were),
    };
    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests_name("store_quota", tests, NULL, NULL);
}
