/* Unit tests of SHA-256 of users' files, src/store/embedded/readers/digests.c. */
#include "unit/store/readers/digests_fixture.h"

/* ---- what is computed ---- */

static void a_digest_is_computed_when_it_is_asked_for_and_kept(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_store_file_open opened;
    keep_text(house, &users.alice, "a", "abc");
    assert_digest(house, &users.alice, "a", "abc");
    assert_database(house, "SELECT hex(SHA256) FROM files",
                    "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD");
    assert_digest(house, &users.alice, "a", "abc");
    house_restart(house);
    assert_digest(house, &users.alice, "a", "abc");
    assert_int_equal(open_prefix(house, &users.alice, "a", 0, &opened), KS_OK);
    assert_true(opened.kept.facts.has_sha256);
    assert_int_equal(opened.kept.facts.sha256[0], 0xba);
    ks_store_file_close(house->store, opened.file);
}

static void nobody_has_to_ask(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    for (int i = 0; i < 2 * KS_DIGEST_FINDINGS; i++) {
        char name[32];
        snprintf(name, sizeof name, "file %d", i);
        keep_text(house, &users.alice, name, name);
    }
    keep_text(house, &users.bob, "empty", "");
    wait_until_all_is_known(house);
    assert_digest(house, &users.alice, "file 0", "file 0");
    assert_digest(house, &users.alice, "file 77", "file 77");
    assert_digest(house, &users.bob, "empty", "");
    assert_database(house, "SELECT count(*) FROM files WHERE length(SHA256) = 32", "129");
}

static void a_large_file_is_computed_in_slices(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    enum { SIZE = 20 * 1024 * 1024 + 54321 };
    uint8_t *bytes = many_bytes(SIZE);
    uint8_t expected[KS_SHA256_SIZE];
    uint8_t sha256[KS_SHA256_SIZE];
    sha256_of(bytes, SIZE, expected);
    keep_bytes(house, &users.alice, "large", bytes, SIZE);
    wait_until_all_is_known(house);
    assert_int_equal(digest(house, &users.alice, "large", sha256), KS_OK);
    assert_memory_equal(sha256, expected, sizeof expected);
    free(bytes);
}

/* Keeps nine mebibytes, and waits for their SHA-256. How many pieces of them were dropped from memory. */
static unsigned count_dropped(struct house *house, const struct ks_client_id *id, const char *name)
{
    enum { SIZE = 9 * 1024 * 1024 };
    uint8_t *bytes = many_bytes(SIZE);
    dropped = 0;
    keep_bytes(house, id, name, bytes, SIZE);
    wait_until_all_is_known(house);
    free(bytes);
    return dropped;
}

static void what_others_have_in_memory_stays_there(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    assert_int_equal(count_dropped(house, &users.alice, "in memory"), 0);
    nothing_is_in_memory = true;
    assert_int_equal(count_dropped(house, &users.alice, "on the disk"), 36);
    nothing_is_in_memory = false;
}

static void who_asks_together_is_answered_together(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct held_threads held;
    struct ks_store_digest_file requests[12];
    threads_hold(house, &held);
    keep_text(house, &users.alice, "a", "abc");
    keep_text(house, &users.alice, "b", "b");
    keep_text(house, &users.bob, "a", "his");
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++) {
        const bool is_hers = i % 3 < 2;
        requests[i] = digest_request(house, is_hers ? &users.alice : &users.bob, i % 3 == 1 ? "b" : "a");
        ks_store_digest_file(house->store, &requests[i]);
    }
    threads_let_go(&held);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++)
        fixture_wait_for_answer(&house->waiter);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++) {
        static const char *const texts[] = {"abc", "b", "his"};
        uint8_t expected[KS_SHA256_SIZE];
        sha256_of(texts[i % 3], strlen(texts[i % 3]), expected);
        assert_int_equal(requests[i].request.result, KS_OK);
        assert_memory_equal(requests[i].sha256, expected, sizeof expected);
    }
    assert_int_equal(ks_engine_of(house->store)->digests.asked, 0);
}

static void what_is_not_there_has_no_digest(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    keep_text(house, &users.alice, "a", "abc");
    assert_int_equal(try_digest(house, &users.alice, "b"), KS_NOT_FOUND);
    assert_int_equal(try_digest(house, &users.bob, "a"), KS_NOT_FOUND);
    assert_int_equal(remove_user(house, "alice"), KS_OK);
    assert_int_equal(try_digest(house, &users.alice, "a"), KS_NOT_FOUND);
}

static void an_adopted_file_gets_a_digest_and_a_time(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    char path[256];
    keep_text(house, &users.alice, "a", "abc");
    house_close(house);
    fixture_write_file(house->directory, path_of(&users.alice, "orphan", path), "found");
    house_open(house);
    assert_digest(house, &users.alice, "orphan", "found");
    assert_database(house, "SELECT Written IS NOT NULL AND Cksum IS NULL FROM files WHERE KeptName='orphan'",
                    "1");
    /* Of the same size, and written later: no row was had for it. */
    house_close(house);
    fixture_write_file(house->directory, path, "other");
    house_open(house);
    assert_digest(house, &users.alice, "orphan", "other");
}

/* ---- what is in motion ---- */

static void a_digest_never_gets_into_the_row_of_another_file(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct held_threads held;
    threads_hold(house, &held);
    keep_text(house, &users.alice, "a", "the first");
    struct ks_store_digest_file request = digest_request(house, &users.alice, "a");
    ks_store_digest_file(house->store, &request);
    openings_settle(house);
    keep_text(house, &users.alice, "a", "the other");
    threads_let_go(&held);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_NOT_FOUND);
    assert_digest(house, &users.alice, "a", "the other");
}

/* Even where it has the row's number, its path, its size and its time. */
static void a_digest_never_gets_into_a_row_of_the_same_number(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct held_threads held;
    struct stat status;
    char path[512];
    char number[256];
    char number_now[256];
    char sql[256];
    threads_hold(house, &held);
    keep_text(house, &users.alice, "a", "the first");
    assert_int_equal(stat(whole_path_of(house, &users.alice, "a", path), &status), 0);
    ask_database(house, "SELECT rowid FROM files", number);
    int fd = open(path, O_RDONLY); /* it keeps its name, so that it is read to its end */
    char other[640];
    snprintf(other, sizeof other, "%s/kept", house->directory);
    assert_int_equal(link(path, other), 0);
    struct ks_store_digest_file request = digest_request(house, &users.alice, "a");
    ks_store_digest_file(house->store, &request);
    openings_settle(house);
    run_on_database(house, "DELETE FROM files");
    keep_text(house, &users.alice, "a", "the other");
    ask_database(house, "SELECT rowid FROM files", number_now);
    assert_string_equal(number, number_now);
    assert_int_equal(utimensat(AT_FDCWD, path, (struct timespec[]){status.st_atim, status.st_mtim}, 0), 0);
    snprintf(sql, sizeof sql, "UPDATE files SET Written=%lld", (long long)ks_sweep_written(&status));
    run_on_database(house, sql);
    threads_let_go(&held);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_NOT_FOUND);
    assert_digest(house, &users.alice, "a", "the other");
    close(fd);
    assert_int_equal(unlink(other), 0);
}

static void of_a_file_that_is_removed_the_space_is_not_kept(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct held_threads held;
    threads_hold(house, &held);
    keep_text(house, &users.alice, "a", "abc");
    struct ks_store_digest_file request = digest_request(house, &users.alice, "a");
    ks_store_digest_file(house->store, &request);
    openings_settle(house);
    struct ks_store_remove_file removal = removal_request(house, &users.alice, "a");
    ks_store_remove_file(house->store, &removal);
    assert_int_equal(fixture_wait(&house->waiter, &removal.request), KS_OK);
    ks_thread_reach(ks_engine_of(house->store)->reaper);
    threads_let_go(&held);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_NOT_FOUND);
    openings_settle(house);
    closings_settle(house);
    assert_null(ks_engine_of(house->store)->stored_files.all);
}

/* Of the same size and time, so only what it reads tells that it is not the row's: the row is on its way. */
static void a_file_whose_row_is_not_committed_yet_is_not_damaged(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct held_threads held;
    struct held_writer writer;
    struct stat status;
    char path[512];
    char sql[256];
    struct ks_engine *engine = ks_engine_of(house->store);
    threads_hold(house, &held);
    keep_text(house, &users.alice, "a", "the first");
    struct ks_stage *stage = stage_bytes(house, &users.alice, "a", (const uint8_t *)"the other", 9);
    snprintf(path, sizeof path, "%s/staging/%s", house->directory, stage->name);
    assert_int_equal(stat(path, &status), 0);
    whole_path_of(house, &users.alice, "a", path);
    assert_int_equal(utimensat(AT_FDCWD, path, (struct timespec[]){status.st_atim, status.st_mtim}, 0), 0);
    snprintf(sql, sizeof sql, "UPDATE files SET Written=%lld", (long long)ks_sweep_written(&status));
    run_on_database(house, sql);
    writer_hold(house, &writer);
    struct ks_store_confirm confirm = confirm_request(house, stage, cksum_of("the other"));
    ks_store_confirm(house->store, &confirm);
    for (unsigned i = 0; i < engine->vault->thread_count; i++)
        ks_thread_reach(engine->vault->threads[i].thread);
    ks_vault_settle(engine->vault);
    assert_true(fixture_file_is(house->directory, path + strlen(house->directory) + 1, "the other"));
    /* The job in the background has opened the first one, and the other one is next. */
    struct ks_store_digest_file request = digest_request(house, &users.alice, "a");
    ks_store_digest_file(house->store, &request);
    openings_settle(house);
    threads_let_go(&held);
    writer_let_go(&writer);
    fixture_wait_for_answer(&house->waiter);
    fixture_wait_for_answer(&house->waiter);
    assert_int_equal(confirm.request.result, KS_OK);
    assert_true(request.request.result == KS_NOT_FOUND || request.request.result == KS_OK);
    assert_digest(house, &users.alice, "a", "the other");
}

/* Who puts again what is kept makes nothing be computed again. */
static void a_file_that_is_put_again_keeps_its_digest(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct held_threads held;
    keep_text(house, &users.alice, "a", "abc");
    assert_digest(house, &users.alice, "a", "abc");
    threads_hold(house, &held);
    struct ks_store_put_open put = {
        .request = fixture_request(&house->waiter), .id = users.alice, .size = 3, .file_name = "a"};
    ks_store_put_open(house->store, &put);
    assert_int_equal(fixture_wait(&house->waiter, &put.request), KS_OK);
    assert_true(put.is_kept);
    struct ks_store_confirm confirm = confirm_request(house, put.stage, cksum_of("abc"));
    ks_store_confirm(house->store, &confirm);
    assert_int_equal(fixture_wait(&house->waiter, &confirm.request), KS_OK);
    assert_digest(house, &users.alice, "a", "abc");
    threads_let_go(&held);
}

/* ---- damage ---- */

static void damage_is_found_and_looked_at_again_by_the_next_start(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct held_threads held;
    threads_hold(house, &held);
    keep_text(house, &users.alice, "a", "hello");
    keep_text(house, &users.alice, "b", "sound");
    rot(house, &users.alice, "a", "hellO");
    threads_let_go(&held);
    assert_int_equal(try_digest(house, &users.alice, "a"), KS_INVALID);
    assert_database(house, "SELECT hex(SHA256) || length(SHA256) FROM files WHERE KeptName='a'", "0");
    assert_false(facts_of(house, &users.alice, "a").has_sha256);
    assert_int_equal(try_digest(house, &users.alice, "a"), KS_INVALID);
    assert_digest(house, &users.alice, "b", "sound");
    rot(house, &users.alice, "a", "hello"); /* somebody has put a backup back */
    assert_int_equal(try_digest(house, &users.alice, "a"), KS_INVALID);
    house_restart(house);
    assert_digest(house, &users.alice, "a", "hello");
    house_restart(house);
    assert_digest(house, &users.alice, "a", "hello");
}

static void a_file_that_cannot_be_read_is_looked_at_again_by_the_next_start(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct held_threads held;
    threads_hold(house, &held);
    keep_text(house, &users.alice, "a", "hello");
    nothing_is_in_memory = true;
    files_are_unreadable = true;
    threads_let_go(&held);
    enum ks_result result = try_digest(house, &users.alice, "a");
    nothing_is_in_memory = false;
    files_are_unreadable = false;
    assert_int_equal(result, KS_INVALID);
    assert_false(facts_of(house, &users.alice, "a").has_sha256);
    house_restart(house);
    assert_digest(house, &users.alice, "a", "hello");
}

/* Whatever it is, that was no look at it. */
static void a_file_that_cannot_be_looked_at_is_not_damaged(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_store_file_open opened;
    struct held_threads held;
    threads_hold(house, &held);
    keep_text(house, &users.alice, "a", "hello");
    struct ks_store_digest_file request = digest_request(house, &users.alice, "a");
    ks_store_digest_file(house->store, &request);
    openings_settle(house);
    files_are_unseen = true;
    enum ks_result opening = open_prefix(house, &users.alice, "a", 0, &opened);
    threads_let_go(&held);
    enum ks_result reading = fixture_wait(&house->waiter, &request.request);
    files_are_unseen = false;
    assert_int_equal(opening, KS_IO);
    assert_int_equal(reading, KS_IO);
    assert_digest(house, &users.alice, "a", "hello");
}

static void a_file_that_is_gone_or_has_another_size_has_no_digest(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct held_threads held;
    char path[512];
    threads_hold(house, &held);
    keep_text(house, &users.alice, "gone", "hello");
    keep_text(house, &users.alice, "short", "hello");
    keep_text(house, &users.alice, "sound", "hello");
    rot(house, &users.alice, "short", "hell");
    assert_int_equal(unlink(whole_path_of(house, &users.alice, "gone", path)), 0);
    threads_let_go(&held);
    wait_until_all_is_known(house);
    assert_int_equal(try_digest(house, &users.alice, "gone"), KS_INVALID);
    assert_int_equal(try_digest(house, &users.alice, "short"), KS_INVALID);
    assert_digest(house, &users.alice, "sound", "hello");
    assert_database(house, "SELECT count(*) FROM files WHERE SHA256=x''", "2");
    /* And the next start leaves them. */
    house_restart(house);
    assert_int_equal(try_digest(house, &users.alice, "gone"), KS_INVALID);
    assert_int_equal(try_digest(house, &users.alice, "short"), KS_INVALID);
}

static void a_row_that_is_not_sound_stops_nobody(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct held_threads held;
    threads_hold(house, &held);
    keep_text(house, &users.alice, "a", "a");
    keep_text(house, &users.alice, "b", "b");
    keep_text(house, &users.alice, "c", "c");
    run_on_database(house, "UPDATE files SET Size='five' WHERE KeptName='b'");
    threads_let_go(&held);
    assert_int_equal(try_digest(house, &users.alice, "b"), KS_INVALID);
    assert_digest(house, &users.alice, "c", "c");
    assert_digest(house, &users.alice, "a", "a");
}

/* ---- restarts ---- */

static void what_was_not_computed_is_computed_after_a_restart(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct held_threads held;
    threads_hold(house, &held);
    for (int i = 0; i < 10; i++) {
        char name[32];
        snprintf(name, sizeof name, "file %d", i);
        keep_text(house, &users.alice, name, name);
    }
    ks_thread_reach(
        ks_engine_of(house->store)->writer.thread); /* the digests hear of a row after its asker */
    openings_settle(house);
    assert_int_equal(count_unknown(house), 10);
    threads_open_gate(&held);
    house_restart(house);
    assert_true(count_unknown(house) <= 10);
    wait_until_all_is_known(house);
    assert_digest(house, &users.alice, "file 9", "file 9");
}

/* The job in the background has a file of hers to read that takes hours. */
static void have_a_huge_file(struct house *house, const struct ks_client_id *id)
{
    char path[512];
    char relative[256];
    keep_text(house, id, "a", "abc");
    assert_digest(house, id, "a", "abc");
    house_close(house);
    fixture_write_file(house->directory, path_of(id, "huge", relative), "");
    if (truncate(whole_path_of(house, id, "huge", path), (off_t)8 << 40) != 0)
        skip();
    house_open(house);
    openings_settle(house);
}

static void closing_does_not_wait_for_a_digest(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    have_a_huge_file(house, &users.alice);
    struct ks_store_digest_file requests[2];
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++) {
        requests[i] = digest_request(house, &users.alice, "huge");
        ks_store_digest_file(house->store, &requests[i]);
        openings_settle(house);
    }
    house_close(house);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++)
        assert_int_equal(requests[i].request.result, KS_CLOSED);
    assert_database(house, "SELECT SHA256 FROM files WHERE KeptName='huge'", "NULL");
    assert_database(house, "SELECT length(SHA256) FROM files WHERE KeptName='a'", "32");
}

static void who_asks_goes_before_what_nobody_asked_for(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    have_a_huge_file(house, &users.alice);
    keep_text(house, &users.alice, "b", "b");
    keep_text(house, &users.alice, "c", "c");
    assert_digest(house, &users.alice, "c", "c");
    assert_digest(house, &users.alice, "b", "b");
    assert_database(house, "SELECT SHA256 FROM files WHERE KeptName='huge'", "NULL");
}

static void uploads_that_come_all_the_time_do_not_stop_it(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct held_threads held;
    sem_t gate;
    struct fixture_call busy[2]; /* one runs, and one waits */
    threads_hold(house, &held);
    keep_text(house, &users.alice, "a", "abc");
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    for (size_t i = 0; i < KS_COUNT_OF(busy); i++) {
        busy[i] =
            (struct fixture_call){.task.run = fixture_call_run, .function = fixture_hold, .context = &gate};
        assert_int_equal(sem_init(&busy[i].done, 0, 0), 0);
        ks_executor_post(ks_thread_executor(ks_engine_of(house->store)->vault->threads[0].thread),
                         &busy[i].task);
    }
    threads_let_go(&held);
    wait_until_all_is_known(house);
    for (size_t i = 0; i < KS_COUNT_OF(busy); i++)
        sem_post(&gate);
    for (size_t i = 0; i < KS_COUNT_OF(busy); i++)
        fixture_hold(&busy[i].done);
    assert_digest(house, &users.alice, "a", "abc");
}

static void what_is_found_in_a_moment_before_the_end_is_kept(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    keep_text(house, &users.alice, "a", "abc");
    ks_thread_reach(ks_engine_of(house->store)->writer.thread); /* as above */
    openings_settle(house);
    ks_thread_reach(ks_engine_of(house->store)->digests.background.reading.thread);
    ks_thread_reach(ks_engine_of(house->store)->file_reader.reader.thread);
    house_close(house);
    assert_database(house, "SELECT length(SHA256) FROM files", "32");
}

/* ---- limits and failures ---- */

static void as_many_wait_as_leave_room_for_others(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct held_threads held;
    enum { ASKED = KS_DIGESTS_LIMIT };
    struct ks_store_digest_file *requests = calloc(ASKED, sizeof *requests);
    size_t refused[2] = {0, 0};
    assert_non_null(requests);
    threads_hold(house, &held);
    keep_text(house, &users.alice, "a", "hers");
    keep_text(house, &users.bob, "a", "his");
    for (size_t i = 0; i < ASKED; i++) {
        requests[i] = digest_request(house, i < ASKED * 3 / 4 ? &users.alice : &users.bob, "a");
        ks_store_digest_file(house->store, &requests[i]);
    }
    openings_settle(house);
    threads_let_go(&held);
    for (size_t i = 0; i < ASKED; i++)
        fixture_wait_for_answer(&house->waiter);
    for (size_t i = 0; i < ASKED; i++) {
        refused[i < ASKED * 3 / 4 ? 0 : 1] += requests[i].request.result == KS_REFUSED;
        assert_true(requests[i].request.result == KS_REFUSED || requests[i].request.result == KS_OK);
    }
    assert_int_equal(refused[0], ASKED * 3 / 4 - ASKED / 2);
    assert_int_equal(refused[1], 0);
    assert_int_equal(ks_engine_of(house->store)->digests.asked, 0);
    free(requests);
}

/* Notes who was answered, in order. */
struct noted_order {
    struct ks_executor executor;
    char names[64];
    sem_t answered;
};

static void note_answer(struct ks_store_request *request)
{
    struct noted_order *order = KS_CONTAINER_OF(request->reply_to, struct noted_order, executor);
    strcat(order->names, KS_CONTAINER_OF(request, struct ks_store_digest_file, request)->name);
    sem_post(&order->answered);
}

static void users_have_their_turns(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    sem_t gate;
    struct fixture_call held = {.task.run = fixture_call_run, .function = fixture_hold, .context = &gate};
    static const char *const names[] = {"1", "2", "3", "4", "x", "y"};
    struct ks_store_digest_file requests[KS_COUNT_OF(names)];
    struct noted_order order = {.executor.post = fixture_run_at_once};
    assert_int_equal(sem_init(&order.answered, 0, 0), 0);
    have_a_huge_file(house, &users.alice);
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_int_equal(sem_init(&held.done, 0, 0), 0);
    ks_executor_post(ks_thread_executor(ks_engine_of(house->store)->digests.urgent.reading.thread),
                     &held.task);
    for (size_t i = 0; i < KS_COUNT_OF(names); i++)
        keep_text(house, i < 4 ? &users.alice : &users.bob, names[i], "text");
    for (size_t i = 0; i < KS_COUNT_OF(names); i++) {
        requests[i] = digest_request(house, i < 4 ? &users.alice : &users.bob, names[i]);
        requests[i].request = (struct ks_store_request){.reply_to = &order.executor, .done = note_answer};
        ks_store_digest_file(house->store, &requests[i]);
    }
    openings_settle(house);
    sem_post(&gate);
    fixture_hold(&held.done);
    for (size_t i = 0; i < KS_COUNT_OF(names); i++)
        fixture_hold(&order.answered);
    /* 2 and the others may be found in the background meanwhile, but nobody of hers comes before his first.
     */
    assert_int_equal(strlen(order.names), KS_COUNT_OF(names));
    assert_true(strchr(order.names, 'x') < strchr(order.names, '4'));
}

static void what_cannot_be_written_is_told_and_tried_again(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct held_threads held;
    threads_hold(house, &held);
    keep_text(house, &users.alice, "a", "abc");
    struct ks_store_digest_file request = digest_request(house, &users.alice, "a");
    ks_store_digest_file(house->store, &request);
    openings_settle(house);
    rlim_t before = limit_files_to(1024);
    threads_let_go(&held);
    enum ks_result result = fixture_wait(&house->waiter, &request.request);
    limit_files_to(before);
    assert_int_equal(result, KS_IO);
    assert_digest(house, &users.alice, "a", "abc");
    keep_text(house, &users.alice, "b", "b");
    fixture_clock_forward(&house->clock, 64);
    wait_until_all_is_known(house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(a_digest_is_computed_when_it_is_asked_for_and_kept),
        HOUSE_TEST(nobody_has_to_ask),
        HOUSE_TEST(a_large_file_is_computed_in_slices),
        HOUSE_TEST(what_others_have_in_memory_stays_there),
        HOUSE_TEST(who_asks_together_is_answered_together),
        HOUSE_TEST(what_is_not_there_has_no_digest),
        HOUSE_TEST(an_adopted_file_gets_a_digest_and_a_time),
        HOUSE_TEST(a_digest_never_gets_into_the_row_of_another_file),
        HOUSE_TEST(a_digest_never_gets_into_a_row_of_the_same_number),
        HOUSE_TEST(of_a_file_that_is_removed_the_space_is_not_kept),
        HOUSE_TEST(a_file_whose_row_is_not_committed_yet_is_not_damaged),
        HOUSE_TEST(a_file_that_is_put_again_keeps_its_digest),
        HOUSE_TEST(damage_is_found_and_looked_at_again_by_the_next_start),
        HOUSE_TEST(a_file_that_cannot_be_read_is_looked_at_again_by_the_next_start),
        HOUSE_TEST(a_file_that_cannot_be_looked_at_is_not_damaged),
        HOUSE_TEST(a_file_that_is_gone_or_has_another_size_has_no_digest),
        HOUSE_TEST(a_row_that_is_not_sound_stops_nobody),
        HOUSE_TEST(what_was_not_computed_is_computed_after_a_restart),
        HOUSE_TEST(closing_does_not_wait_for_a_digest),
        HOUSE_TEST(who_asks_goes_before_what_nobody_asked_for),
        HOUSE_TEST(uploads_that_come_all_the_time_do_not_stop_it),
        HOUSE_TEST(what_is_found_in_a_moment_before_the_end_is_kept),
        HOUSE_TEST(as_many_wait_as_leave_room_for_others),
        HOUSE_TEST(users_have_their_turns),
        HOUSE_TEST(what_cannot_be_written_is_told_and_tried_again),
    };
    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests_name("store_digests", tests, NULL, NULL);
}
