/* Unit tests of the embedded engine, src/store/embedded: own files that are put and removed, over restarts,
 * crashes, commits that fail, and users who go. */
#include "unit/store/own_files_fixture.h"

enum { LIFETIME = 3600, MEBIBYTE = 1024 * 1024 };

/* ---- puts in one line ---- */

static struct ks_store_put_open put_request(struct house *house, const struct ks_client_id *id,
                                            uint8_t number, const char *name, uint64_t size)
{
    struct ks_store_put_open request = {.request = fixture_request(&house->waiter), .id = *id, .size = size};
    memset(request.put_id, number, sizeof request.put_id);
    snprintf(request.file_name, sizeof request.file_name, "%s", name);
    return request;
}

static struct ks_store_put_open put_open(struct house *house, const struct ks_client_id *id, uint8_t number,
                                         const char *name, uint64_t size)
{
    struct ks_store_put_open request = put_request(house, id, number, name, size);
    ks_store_put_open(house->store, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
    return request;
}

/* Of which so much is there. */
static struct ks_stage *put_on(struct house *house, const struct ks_client_id *id, uint8_t number,
                               const char *name, uint64_t size, const char *there)
{
    struct ks_store_put_open request = put_open(house, id, number, name, size);
    assert_false(request.is_kept);
    assert_int_equal(request.offset, strlen(there));
    assert_int_equal(request.cksum, cksum_of(there));
    return request.stage;
}

static struct ks_stage *put_begun(struct house *house, const struct ks_client_id *id, uint8_t number,
                                  const char *name, uint64_t size, const char *text)
{
    struct ks_stage *stage = put_on(house, id, number, name, size, "");
    assert_int_equal(write_chunk(house, stage, text, false), KS_OK);
    return stage;
}

static void put_broken(struct house *house, const struct ks_client_id *id, uint8_t number, const char *name,
                       uint64_t size, const char *text)
{
    ks_store_put_park(house->store, put_begun(house, id, number, name, size, text));
}

static enum ks_result put_end(struct house *house, struct ks_stage *stage, const char *text)
{
    struct ks_store_confirm request = confirm_request(house, stage, cksum_of(text));
    ks_store_confirm(house->store, &request);
    return fixture_wait(&house->waiter, &request.request);
}

static void put_file(struct house *house, const struct ks_client_id *id, const char *name, const char *text)
{
    assert_int_equal(put_end(house, put_begun(house, id, 200, name, strlen(text), text), text), KS_OK);
}

static enum ks_result remove_file(struct house *house, const struct ks_client_id *id, const char *name)
{
    struct ks_store_remove_file request = removal_request(house, id, name);
    ks_store_remove_file(house->store, &request);
    return fixture_wait(&house->waiter, &request.request);
}

static void discard_stage(struct house *house, struct ks_stage *stage)
{
    struct ks_store_request request = fixture_request(&house->waiter);
    ks_store_discard(house->store, stage, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request), KS_OK);
}

/* All that was asked of the vault is over, but for what waits for the writer. */
static void vault_settle(struct house *house)
{
    struct ks_vault *vault = ks_engine_of(house->store)->vault;
    for (unsigned i = 0; i < vault->thread_count; i++)
        ks_thread_reach(vault->threads[i].thread);
    ks_vault_settle(vault);
}

/* What the ends of removals leave to others is over, too. */
static void assert_left(struct house *house, int count)
{
    vault_settle(house);
    ks_thread_reach(ks_engine_of(house->store)->writer.thread);
    ks_thread_reach(ks_engine_of(house->store)->reaper);
    assert_int_equal(fixture_count_entries(house->directory, "staging"), count);
    assert_int_equal(fixture_count_removed(house->directory), 0);
}

static void assert_puts(struct house *house, const struct ks_client_id *id, uint64_t count, uint64_t bytes)
{
    uint64_t found = 0;
    uint64_t found_bytes = 0;
    ks_puts_sums(ks_engine_of(house->store)->puts, id, &found, &found_bytes);
    assert_int_equal(found, count);
    assert_int_equal(found_bytes, bytes);
}

static void assert_quota(struct house *house, const struct ks_client_id *id, uint64_t files, uint64_t bytes)
{
    uint64_t found = 0;
    uint64_t found_bytes = 0;
    ks_quotas_sums(ks_engine_of(house->store)->quotas, id, &found, &found_bytes);
    assert_int_equal(found, files);
    assert_int_equal(found_bytes, bytes);
}

static bool is_there(const struct house *house, const struct ks_client_id *id, const char *name)
{
    char path[512];
    return access(whole_path_of(house, id, name, path), F_OK) == 0;
}

static void in_staging(const struct house *house, const char *name, char path[static 512])
{
    snprintf(path, 512, "%s/staging/%s", house->directory, name);
}

static void put_path(const struct house *house, const struct ks_client_id *id, uint8_t number,
                     char path[static 512])
{
    char name[KS_NAMES_PUT_SIZE];
    uint8_t put_id[KS_PUT_ID_SIZE];
    memset(put_id, number, sizeof put_id);
    ks_names_put(fixture_aliases, id, put_id, name);
    in_staging(house, name, path);
}

/* As if it had been written when the test began, and so much earlier. */
static void make_older(const struct house *house, const struct ks_client_id *id, uint8_t number,
                       int64_t seconds)
{
    char path[512];
    put_path(house, id, number, path);
    const struct timespec then = {.tv_sec = FIXTURE_WALL_START - seconds};
    assert_int_equal(utimensat(AT_FDCWD, path, (struct timespec[]){then, then}, 0), 0);
}

/* ---- restarts ---- */

static void what_came_is_there_after_a_restart_parked_or_not(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    assert_int_equal(register_user(house, "alice", NULL, &id), KS_OK);
    put_broken(house, &id, 1, "parked", 8, "half");
    put_begun(house, &id, 2, "a/open", 8, "hal");
    put_begun(house, &id, 3, "complete", 4, "text");
    put_on(house, &id, 4, "nothing", 4, "");
    house_restart(house);
    assert_int_equal(fixture_count_entries(house->directory, "staging"), 3);
    assert_puts(house, &id, 3, 11);
    struct ks_embedded_statistics statistics;
    ks_embedded_statistics(house->store, &statistics);
    assert_int_equal(statistics.puts, 3);
    assert_int_equal(statistics.put_bytes, 11);
    struct ks_stage *stage = put_on(house, &id, 2, "a/open", 8, "hal");
    assert_int_equal(write_chunk(house, stage, "flife", false), KS_OK);
    assert_int_equal(put_end(house, stage, "halflife"), KS_OK);
    assert_int_equal(put_end(house, put_on(house, &id, 3, "complete", 4, "text"), "text"), KS_OK);
    house_restart(house);
    assert_file_reads(house, &id, "a/open", "halflife");
    assert_file_reads(house, &id, "complete", "text");
    assert_puts(house, &id, 1, 4);
    discard_stage(house, put_on(house, &id, 1, "parked", 8, "half"));
}

static void a_put_may_be_cut_again_and_again(void **state)
{
    static const char whole[] = "one byte for each life of the server";
    struct house *house = *state;
    struct ks_client_id id;
    char there[sizeof whole] = "";
    assert_int_equal(register_user(house, "alice", NULL, &id), KS_OK);
    for (size_t i = 0; i + 1 < sizeof whole; i++) {
        char byte[2] = {whole[i], '\0'};
        struct ks_stage *stage = put_on(house, &id, 1, "x", sizeof whole - 1, there);
        assert_int_equal(write_chunk(house, stage, byte, false), KS_OK);
        there[i] = whole[i];
        if (i % 2 == 0)
            ks_store_put_park(house->store, stage);
        house_restart(house);
    }
    assert_int_equal(put_end(house, put_on(house, &id, 1, "x", sizeof whole - 1, whole), whole), KS_OK);
    assert_file_reads(house, &id, "x", whole);
}

static void what_is_too_old_goes_at_a_start(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    assert_int_equal(register_user(house, "alice", NULL, &id), KS_OK);
    put_broken(house, &id, 1, "old", 8, "half");
    put_broken(house, &id, 2, "young", 8, "half");
    put_broken(house, &id, 3, "of tomorrow", 8, "half");
    vault_settle(house);
    make_older(house, &id, 1, LIFETIME + 1);
    make_older(house, &id, 2, LIFETIME - 10);
    make_older(house, &id, 3, -24 * 3600);
    house_restart(house);
    assert_puts(house, &id, 2, 8);
    assert_int_equal(fixture_count_entries(house->directory, "staging"), 2);
    /* What is left of a lifetime counts on. */
    struct ks_puts *puts = ks_engine_of(house->store)->puts;
    uint64_t now = ks_clock_monotonic_ms(&house->clock.clock);
    assert_null(ks_puts_take_over_age(puts, now + 9999));
    struct ks_put_entry *put = ks_puts_take_over_age(puts, now + 10000);
    assert_non_null(put);
    assert_int_equal(put->put_id[0], 2);
    ks_puts_forget(puts, put);
    assert_null(ks_puts_take_over_age(puts, now + (LIFETIME - 1) * 1000));
    put = ks_puts_take_over_age(puts, now + LIFETIME * 1000);
    assert_non_null(put);
    ks_puts_forget(puts, put);
}

static void what_is_nobodys_goes_at_a_start(void **state)
{
    static const char *const strangers[] = {"put-", "put-12", "0000000000000001", "removed-", "removed-x-y"};
    struct house *house = *state;
    const struct ks_client_id nobody = {.bytes = {1, 2, 3}};
    struct ks_client_id id;
    char path[512];
    assert_int_equal(register_user(house, "alice", NULL, &id), KS_OK);
    put_broken(house, &id, 1, "hers", 8, "half");
    vault_settle(house);
    put_path(house, &nobody, 1, path);
    fixture_write_file("", path + 1, "of somebody who is no user");
    for (size_t i = 0; i < KS_COUNT_OF(strangers); i++) {
        in_staging(house, strangers[i], path);
        fixture_write_file("", path + 1, "whatever");
    }
    house_restart(house);
    assert_int_equal(fixture_count_entries(house->directory, "staging"), 1);
    assert_puts(house, &id, 1, 4);
    assert_puts(house, &nobody, 0, 0);
}

static void names_with_parts_are_adopted(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    assert_int_equal(register_user(house, "alice", NULL, &id), KS_OK);
    put_file(house, &id, "a/b/c", "1");
    put_file(house, &id, "c", "2");
    assert_true(is_there(house, &id, "a\\b\\c"));
    house_close(house);
    run_on_database(house, "DELETE FROM files");
    house_open(house);
    assert_listed(house, &id, "", PAGE, "a/b/c c");
    assert_file_reads(house, &id, "a/b/c", "1");
    assert_int_equal(remove_file(house, &id, "a/b/c"), KS_OK);
    assert_listed(house, &id, "", PAGE, "c");
}

/* ---- what is kept already ---- */

static void what_is_kept_without_its_row_gets_it(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    assert_int_equal(register_user(house, "alice", NULL, &id), KS_OK);
    put_file(house, &id, "x", "text");
    for (unsigned restarts = 0; restarts < 2; restarts++) {
        house_close(house);
        run_on_database(house, "DELETE FROM files");
        house_open(house); /* which adopts it, and knows no cksum */
        if (restarts == 0)
            run_on_database(house, "DELETE FROM files");
        struct ks_store_put_open request = put_open(house, &id, 1, "x", 4);
        assert_true(request.is_kept);
        assert_int_equal(put_end(house, request.stage, "text"), KS_OK);
        assert_database(house, "SELECT count(*) FROM files", "1");
        assert_true(facts_of(house, &id, "x").has_cksum);
        assert_file_reads(house, &id, "x", "text");
        assert_quota(house, &id, 1, 4);
    }
}

static void what_is_kept_with_its_row_changes_nothing(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    assert_int_equal(register_user(house, "alice", NULL, &id), KS_OK);
    put_file(house, &id, "x", "text");
    run_on_database(house, "UPDATE files SET FileName='as it was'");
    assert_int_equal(put_end(house, put_open(house, &id, 1, "x", 4).stage, "text"), KS_OK);
    assert_database(house, "SELECT FileName FROM files", "as it was");
    assert_int_equal(remove_file(house, &id, "x"), KS_OK);
    assert_database(house, "SELECT count(*) FROM files", "0");
}

/* ---- removals ---- */

static void what_is_removed_counts_no_more(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    atomic_store(&house->limits.user_files, 1);
    assert_int_equal(register_user(house, "alice", NULL, &id), KS_OK);
    put_file(house, &id, "one", "1");
    assert_int_equal(remove_file(house, &id, "one"), KS_OK);
    assert_quota(house, &id, 0, 0);
    struct ks_stage *stage = put_begun(house, &id, 1, "one", 2, "12");
    struct ks_stage *other = put_begun(house, &id, 2, "two", 1, "2");
    assert_int_equal(put_end(house, stage, "12"), KS_OK);
    /* Without waiting for the answers. */
    struct ks_store_remove_file removal = removal_request(house, &id, "one");
    struct ks_store_confirm end = confirm_request(house, other, cksum_of("2"));
    ks_store_remove_file(house->store, &removal);
    ks_store_confirm(house->store, &end);
    fixture_wait_for_answer(&house->waiter);
    fixture_wait_for_answer(&house->waiter);
    assert_int_equal(removal.request.result, KS_OK);
    assert_int_equal(end.request.result, KS_OK);
    assert_quota(house, &id, 1, 1);
    assert_left(house, 0);
}

static void what_is_half_there_is_removed(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    char path[512];
    assert_int_equal(register_user(house, "alice", NULL, &id), KS_OK);
    put_file(house, &id, "no file", "text");
    assert_int_equal(unlink(whole_path_of(house, &id, "no file", path)), 0);
    assert_int_equal(remove_file(house, &id, "no file"), KS_OK);
    assert_database(house, "SELECT count(*) FROM files", "0");
    put_file(house, &id, "no row", "text");
    run_on_database(house, "DELETE FROM files");
    assert_int_equal(remove_file(house, &id, "no row"), KS_OK);
    assert_false(is_there(house, &id, "no row"));
    assert_int_equal(remove_file(house, &id, "no row"), KS_NOT_FOUND);
}

static void a_large_file_is_removed_without_waiting_for_its_space(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    char path[512];
    sem_t gate;
    struct fixture_call busy = {.task.run = fixture_call_run, .function = fixture_hold, .context = &gate};
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_int_equal(sem_init(&busy.done, 0, 0), 0);
    assert_int_equal(register_user(house, "alice", NULL, &id), KS_OK);
    put_file(house, &id, "x", "text");
    assert_int_equal(truncate(whole_path_of(house, &id, "x", path), 64 * MEBIBYTE), 0);
    ks_executor_post(ks_thread_executor(ks_engine_of(house->store)->reaper), &busy.task);
    assert_int_equal(remove_file(house, &id, "x"), KS_OK);
    assert_int_equal(fixture_count_removed(house->directory), 1);
    sem_post(&gate);
    fixture_hold(&busy.done);
    assert_left(house, 0);
}

static void a_removal_that_cannot_be_committed_brings_all_back(void **state)
{
    struct house *house = *state;
    struct held_writer held;
    struct ks_client_id id;
    assert_int_equal(register_user(house, "alice", NULL, &id), KS_OK);
    put_file(house, &id, "x", "text");
    struct ks_store_remove_file removal = removal_request(house, &id, "x");
    writer_hold(house, &held);
    ks_store_remove_file(house->store, &removal);
    vault_settle(house);
    assert_false(is_there(house, &id, "x"));
    rlim_t before = limit_files_to(1024);
    writer_let_go(&held);
    fixture_wait_for_answer(&house->waiter);
    limit_files_to(before);
    assert_int_equal(removal.request.result, KS_IO);
    assert_file_reads(house, &id, "x", "text");
    assert_quota(house, &id, 1, 4);
    assert_left(house, 0);
    house_restart(house);
    assert_file_reads(house, &id, "x", "text");
    assert_int_equal(remove_file(house, &id, "x"), KS_OK);
    assert_quota(house, &id, 0, 0);
    assert_listed(house, &id, "", PAGE, "");
}

/* ---- crashes ---- */

/* What a crash now would leave; the house goes on with that. */
static void crash_begin(const struct house *house, char copy[static 80])
{
    char command[256];
    snprintf(copy, 80, "%s.crash", house->directory);
    snprintf(command, sizeof command, "cp -a '%s' '%s'", house->directory, copy);
    assert_int_equal(system(command), 0);
}

static void crash_end(struct house *house, const char *copy)
{
    house_close(house);
    fixture_directory_remove(house->directory);
    assert_int_equal(rename(copy, house->directory), 0);
    house_open(house);
}

static void a_removal_that_a_crash_cut_short_is_completed(void **state)
{
    struct house *house = *state;
    struct held_writer held;
    struct ks_client_id id;
    char copy[80];
    assert_int_equal(register_user(house, "alice", NULL, &id), KS_OK);
    put_file(house, &id, "a/x", "text");
    put_file(house, &id, "y", "other");
    struct ks_store_remove_file removal = removal_request(house, &id, "a/x");
    writer_hold(house, &held);
    ks_store_remove_file(house->store, &removal);
    vault_settle(house);
    crash_begin(house, copy);
    writer_let_go(&held);
    fixture_wait_for_answer(&house->waiter);
    crash_end(house, copy);
    assert_listed(house, &id, "", PAGE, "y");
    assert_database(house, "SELECT count(*) FROM files", "1");
    assert_int_equal(fixture_count_removed(house->directory), 0);
    assert_quota(house, &id, 1, 5);
    assert_int_equal(remove_file(house, &id, "a/x"), KS_NOT_FOUND);
}

/* It was answered, and its file was not deleted yet; meanwhile there may be another. */
static void a_file_that_was_put_after_a_removal_survives_a_crash(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    char path[512];
    char name[KS_NAMES_REMOVED_SIZE];
    assert_int_equal(register_user(house, "alice", NULL, &id), KS_OK);
    put_file(house, &id, "x", "newer");
    whole_path_of(house, &id, "x", path);
    ks_names_removed(path + strlen(house->directory) + 1, 7, name);
    fixture_write_file(house->directory, name, "older");
    house_restart(house);
    assert_file_reads(house, &id, "x", "newer");
    assert_true(facts_of(house, &id, "x").has_cksum);
    assert_listed(house, &id, "", PAGE, "x");
    assert_int_equal(fixture_count_removed(house->directory), 0);
}

/* ---- users who go ---- */

static void a_user_who_goes_takes_its_puts_along(void **state)
{
    struct house *house = *state;
    struct ks_client_id alice;
    struct ks_client_id bob;
    assert_int_equal(register_user(house, "alice", NULL, &alice), KS_OK);
    assert_int_equal(register_user(house, "bob", NULL, &bob), KS_OK);
    put_broken(house, &alice, 1, "parked", 8, "half");
    put_broken(house, &bob, 1, "parked", 8, "half");
    struct ks_stage *open = put_begun(house, &alice, 2, "open", 8, "half");
    struct ks_stage *empty = put_on(house, &alice, 3, "empty", 8, "");
    assert_int_equal(remove_user(house, "alice"), KS_OK);
    assert_left(house, 1);
    assert_int_equal(write_chunk(house, open, "life", false), KS_NOT_FOUND);
    assert_int_equal(write_chunk(house, empty, "life", false), KS_NOT_FOUND);
    ks_store_put_park(house->store, open);
    ks_store_put_park(house->store, empty);
    assert_left(house, 1);
    assert_puts(house, &alice, 0, 0);
    assert_puts(house, &bob, 1, 4);
    struct ks_store_put_open request = put_request(house, &alice, 1, "parked", 8);
    ks_store_put_open(house->store, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_NOT_FOUND);
}

/* It was complete, and on its way to be confirmed. */
static void a_put_that_ends_after_its_user_went_is_not_parked(void **state)
{
    struct house *house = *state;
    struct ks_client_id alice;
    struct ks_vault_pause pause;
    assert_int_equal(register_user(house, "alice", NULL, &alice), KS_OK);
    struct ks_stage *stage = put_begun(house, &alice, 1, "x", 4, "text");
    keep_text(house, &alice, "x", "it was not asked to replace this one");
    struct ks_store_confirm end = confirm_request(house, stage, cksum_of("text"));
    struct ks_store_remove_user removal = {.request = fixture_request(&house->waiter)};
    snprintf(removal.name, sizeof removal.name, "alice");
    ks_vault_hold(ks_engine_of(house->store)->vault, &pause);
    ks_store_confirm(house->store, &end);
    ks_store_remove_user(house->store, &removal);
    for (unsigned i = 0; i < 2; i++) /* its stages have failed, as far as they do */
        for (unsigned t = 0; t < ks_engine_of(house->store)->vault->thread_count; t++)
            ks_thread_reach(ks_engine_of(house->store)->vault->threads[t].thread);
    ks_vault_let_go(&pause);
    fixture_wait_for_answer(&house->waiter);
    fixture_wait_for_answer(&house->waiter);
    assert_int_equal(removal.request.result, KS_OK);
    assert_true(end.request.result == KS_EXISTS || end.request.result == KS_NOT_FOUND);
    assert_left(house, 0);
    assert_puts(house, &alice, 0, 0);
}

static void a_removal_of_a_user_who_goes_leaves_nothing(void **state)
{
    struct house *house = *state;
    struct held_writer held;
    struct ks_client_id alice;
    assert_int_equal(register_user(house, "alice", NULL, &alice), KS_OK);
    put_file(house, &alice, "x", "text");
    struct ks_store_remove_file file = removal_request(house, &alice, "x");
    struct ks_store_remove_user user = {.request = fixture_request(&house->waiter)};
    snprintf(user.name, sizeof user.name, "alice");
    writer_hold(house, &held);
    ks_store_remove_user(house->store, &user);
    for (unsigned t = 0; t < ks_engine_of(house->store)->vault->thread_count; t++)
        ks_thread_reach(ks_engine_of(house->store)->vault->threads[t].thread);
    ks_store_remove_file(house->store, &file);
    vault_settle(house);
    writer_let_go(&held);
    fixture_wait_for_answer(&house->waiter);
    fixture_wait_for_answer(&house->waiter);
    assert_int_equal(user.request.result, KS_OK);
    assert_int_equal(file.request.result, KS_NOT_FOUND);
    assert_false(has_directory(house, &alice));
    assert_left(house, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(what_came_is_there_after_a_restart_parked_or_not),
        HOUSE_TEST(a_put_may_be_cut_again_and_again),
        HOUSE_TEST(what_is_too_old_goes_at_a_start),
        HOUSE_TEST(what_is_nobodys_goes_at_a_start),
        HOUSE_TEST(names_with_parts_are_adopted),
        HOUSE_TEST(what_is_kept_without_its_row_gets_it),
        HOUSE_TEST(what_is_kept_with_its_row_changes_nothing),
        HOUSE_TEST(what_is_removed_counts_no_more),
        HOUSE_TEST(what_is_half_there_is_removed),
        HOUSE_TEST(a_large_file_is_removed_without_waiting_for_its_space),
        HOUSE_TEST(a_removal_that_cannot_be_committed_brings_all_back),
        HOUSE_TEST(a_removal_that_a_crash_cut_short_is_completed),
        HOUSE_TEST(a_file_that_was_put_after_a_removal_survives_a_crash),
        HOUSE_TEST(a_user_who_goes_takes_its_puts_along),
        HOUSE_TEST(a_put_that_ends_after_its_user_went_is_not_parked),
        HOUSE_TEST(a_removal_of_a_user_who_goes_leaves_nothing),
    };
    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests_name("store_own_files", tests, NULL, NULL);
}
