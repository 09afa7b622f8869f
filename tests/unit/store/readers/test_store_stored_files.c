/* Unit tests of users' files as they are listed and read, src/store/embedded/readers/file_reader.c and
 * stored_files.c. */
#include "unit/store/own_files_fixture.h"

/* ---- lists ---- */

static void pages_come_in_the_order_of_the_bytes_of_names(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    static const char *const names[] = {"b", "a", "B", "\xc3\xa4", "ab", "a b", "\xf0\x9f\x8e\x81", "~"};
    for (size_t i = 0; i < KS_COUNT_OF(names); i++)
        keep_text(house, &users.alice, names[i], "text");
    keep_text(house, &users.bob, "aa", "not hers");
    assert_listed(house, &users.alice, "", PAGE, "B a a b ab b ~ \xc3\xa4 \xf0\x9f\x8e\x81");
    assert_listed(house, &users.alice, "", 3, "B a a b …");
    assert_listed(house, &users.alice, "a b", 3, "ab b ~ …");
    assert_listed(house, &users.alice, "~", 2, "\xc3\xa4 \xf0\x9f\x8e\x81");
    assert_listed(house, &users.alice, "az", 1, "b …"); /* not the name of a file */
    assert_listed(house, &users.alice, "\xff", 3, "");
}

static void who_has_no_files_has_an_empty_list(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    assert_listed(house, &users.bob, "", PAGE, "");
}

static void the_list_of_nobody_is_not_found(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct file_page page;
    const struct ks_client_id nobody = {.bytes = {1, 2, 3}};
    keep_text(house, &users.alice, "a", "text");
    assert_int_equal(remove_user(house, "alice"), KS_OK);
    assert_int_equal(list_files(house, &users.alice, "", PAGE, &page), KS_NOT_FOUND);
    assert_int_equal(list_files(house, &nobody, "", PAGE, &page), KS_NOT_FOUND);
}

static void what_is_listed_is_known_from_the_row(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct stat status;
    char path[512];
    keep_text(house, &users.alice, "a", "hello");
    assert_int_equal(stat(whole_path_of(house, &users.alice, "a", path), &status), 0);
    assert_int_equal(unlink(path), 0); /* nobody asks the disk */
    const struct ks_file_facts facts = facts_of(house, &users.alice, "a");
    assert_int_equal(facts.size, 5);
    assert_int_equal(facts.time, (uint64_t)ks_sweep_written(&status));
    assert_true(facts.has_cksum);
    assert_int_equal(facts.cksum, 3287646509U);
}

static void of_an_adopted_file_the_disk_knows(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct stat status;
    char path[512];
    char relative[256];
    keep_text(house, &users.alice, "a", "hello");
    house_close(house);
    fixture_write_file(house->directory, path_of(&users.alice, "orphan", relative), "found");
    assert_int_equal(stat(whole_path_of(house, &users.alice, "orphan", path), &status), 0);
    house_open(house);
    const struct ks_file_facts facts = facts_of(house, &users.alice, "orphan");
    assert_int_equal(facts.size, 5);
    assert_int_equal(facts.time, (uint64_t)ks_sweep_written(&status));
    assert_false(facts.has_cksum);
    assert_int_equal(facts.cksum, 0);
    assert_file_reads(house, &users.alice, "orphan", "found");
}

static void rows_that_are_not_sound_are_left_out(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    static const char *const breaking[] = {
        "PathName='elsewhere/' || KeptName",
        "PathName='files/' || hex(zeroblob(100))",
        "Size=-1",
        "Size='five'",
        "Cksum=4294967296",
        "Written='yesterday'",
        "PathName=x'66696c65732f0061'",
    };
    for (size_t i = 0; i < KS_COUNT_OF(breaking); i++) {
        char sql[256];
        struct ks_stored_file *file = NULL;
        keep_text(house, &users.alice, "a", "text");
        keep_text(house, &users.alice, "b", "text");
        keep_text(house, &users.alice, "c", "text");
        snprintf(sql, sizeof sql, "UPDATE files SET %s WHERE KeptName='b'", breaking[i]);
        run_on_database(house, sql);
        assert_listed(house, &users.alice, "", PAGE, "a c");
        assert_listed(house, &users.alice, "", 1, "a …");
        assert_listed(house, &users.alice, "a", 1, "c");
        assert_int_equal(open_file(house, &users.alice, "b", &file), KS_INVALID);
        assert_int_equal(open_file(house, &users.alice, "c", &file), KS_OK);
        ks_store_file_close(house->store, file);
    }
    run_on_database(house, "UPDATE files SET KeptName='a/../b' WHERE KeptName='b'");
    assert_listed(house, &users.alice, "", PAGE, "a c");
}

/* ---- reading ---- */

static void a_file_is_read_as_it_was_confirmed(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_store_file_open opened;
    keep_text(house, &users.alice, "a", "hello");
    assert_int_equal(open_prefix(house, &users.alice, "a", 0, &opened), KS_OK);
    assert_string_equal(opened.kept.name, "a");
    assert_int_equal(opened.kept.facts.size, 5);
    assert_true(opened.kept.facts.has_cksum);
    assert_int_equal(opened.kept.facts.cksum, 3287646509U);
    assert_int_equal(opened.kept.facts.time, facts_of(house, &users.alice, "a").time);
    assert_int_equal(opened.sum.length, 0);
    assert_reads(house, opened.file, "hello");
    ks_store_file_close(house->store, opened.file);
}

static void reads_go_from_anywhere_to_the_end(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_stored_file *file = NULL;
    uint8_t bytes[8];
    size_t size = 0;
    struct ks_cksum sum = sum_of("he", 2);
    const struct ks_cksum all = sum_of("hello", 5);
    keep_text(house, &users.alice, "a", "hello");
    assert_int_equal(open_file(house, &users.alice, "a", &file), KS_OK);
    assert_int_equal(read_file_at(house, file, 2, bytes, 2, &size, &sum), KS_OK);
    assert_int_equal(size, 2);
    assert_memory_equal(bytes, "ll", 2);
    assert_int_equal(read_file_at(house, file, 4, bytes, sizeof bytes, &size, &sum), KS_OK);
    assert_int_equal(size, 1);
    assert_int_equal(ks_cksum_value(&sum), ks_cksum_value(&all));
    assert_int_equal(read_file_at(house, file, 5, bytes, sizeof bytes, &size, &sum), KS_OK);
    assert_int_equal(size, 0);
    assert_int_equal(read_file_at(house, file, UINT64_MAX, bytes, sizeof bytes, &size, &sum), KS_OK);
    assert_int_equal(size, 0);
    assert_int_equal(ks_cksum_value(&sum), ks_cksum_value(&all));
    ks_store_file_close(house->store, file);
}

static void an_empty_file_is_read_as_nothing(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    keep_text(house, &users.alice, "empty", "");
    assert_file_reads(house, &users.alice, "empty", "");
}

/* In pieces and slices of several sizes, of which none divides the file. */
static void a_large_file_is_read_and_summed_whole(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    enum { SIZE = 20 * 1024 * 1024 + 12345, STEP = 1000 * 1000 };
    uint8_t *bytes = many_bytes(SIZE);
    uint8_t *read = malloc(STEP);
    struct ks_store_file_open opened;
    keep_bytes(house, &users.alice, "large", bytes, SIZE);
    for (uint64_t prefix = 0; prefix <= SIZE + 1; prefix += prefix < SIZE - STEP ? 7 * STEP + 1 : STEP) {
        const struct ks_cksum expected = sum_of(bytes, prefix < SIZE ? prefix : SIZE);
        assert_int_equal(open_prefix(house, &users.alice, "large", prefix, &opened), KS_OK);
        assert_int_equal(opened.sum.length, expected.length);
        assert_int_equal(opened.sum.remainder, expected.remainder);
        ks_store_file_close(house->store, opened.file);
    }
    assert_int_equal(open_prefix(house, &users.alice, "large", STEP, &opened), KS_OK);
    for (size_t offset = STEP, size = STEP; size == STEP; offset += size) {
        assert_int_equal(read_file_at(house, opened.file, offset, read, STEP, &size, &opened.sum), KS_OK);
        assert_memory_equal(read, bytes + offset, size);
    }
    const struct ks_cksum all = sum_of(bytes, SIZE);
    assert_int_equal(ks_cksum_value(&opened.sum), ks_cksum_value(&all));
    ks_store_file_close(house->store, opened.file);
    free(bytes);
    free(read);
}

static void a_prefix_longer_than_the_file_is_the_file(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_store_file_open opened;
    keep_text(house, &users.alice, "a", "hello");
    assert_int_equal(open_prefix(house, &users.alice, "a", UINT64_MAX, &opened), KS_OK);
    assert_int_equal(opened.sum.length, 5);
    assert_int_equal(ks_cksum_value(&opened.sum), 3287646509U);
    ks_store_file_close(house->store, opened.file);
    keep_text(house, &users.alice, "empty", "");
    assert_int_equal(open_prefix(house, &users.alice, "empty", 1, &opened), KS_OK);
    assert_int_equal(opened.sum.length, 0);
    ks_store_file_close(house->store, opened.file);
}

static void what_is_not_there_is_not_found(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_stored_file *file = NULL;
    keep_text(house, &users.alice, "a", "hello");
    assert_int_equal(open_file(house, &users.alice, "b", &file), KS_NOT_FOUND);
    assert_int_equal(open_file(house, &users.bob, "a", &file), KS_NOT_FOUND);
    assert_int_equal(open_file(house, &users.alice, "", &file), KS_NOT_FOUND);
    assert_int_equal(remove_user(house, "alice"), KS_OK);
    assert_int_equal(open_file(house, &users.alice, "a", &file), KS_NOT_FOUND);
}

static void a_file_that_is_replaced_while_it_is_read_stays_whole(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_stored_file *file = NULL;
    char path[512];
    keep_text(house, &users.alice, "a", "the first");
    assert_int_equal(open_file(house, &users.alice, "a", &file), KS_OK);
    keep_text(house, &users.alice, "a", "the second");
    assert_reads(house, file, "the first");
    assert_file_reads(house, &users.alice, "a", "the second");
    assert_int_equal(unlink(whole_path_of(house, &users.alice, "a", path)), 0);
    assert_reads(house, file, "the first");
    ks_store_file_close(house->store, file);
}

static void a_file_that_is_removed_while_it_is_read_stays_whole(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_stored_file *file = NULL;
    struct ks_stored_file *again = NULL;
    enum { SIZE = 5 * 1024 * 1024 };
    uint8_t *bytes = many_bytes(SIZE);
    uint8_t *read = malloc(SIZE);
    size_t size = 0;
    struct ks_cksum sum = ks_cksum_start();
    assert_non_null(read);
    keep_bytes(house, &users.alice, "a", bytes, SIZE);
    assert_int_equal(open_file(house, &users.alice, "a", &file), KS_OK);
    assert_int_equal(read_file_at(house, file, 0, read, 1000, &size, &sum), KS_OK);
    struct ks_store_remove_file removal = removal_request(house, &users.alice, "a");
    ks_store_remove_file(house->store, &removal);
    assert_int_equal(fixture_wait(&house->waiter, &removal.request), KS_OK);
    ks_thread_reach(ks_engine_of(house->store)->reaper);
    assert_int_equal(read_file_at(house, file, 1000, read + 1000, SIZE, &size, &sum), KS_OK);
    assert_int_equal(size, SIZE - 1000);
    assert_memory_equal(read, bytes, SIZE);
    assert_int_equal(open_file(house, &users.alice, "a", &again), KS_NOT_FOUND);
    assert_listed(house, &users.alice, "", PAGE, "");
    ks_store_file_close(house->store, file);
    closings_settle(house);
    free(bytes);
    free(read);
}

static void files_of_a_user_who_is_removed_stay_until_they_are_closed(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_stored_file *file = NULL;
    keep_text(house, &users.alice, "a", "hello");
    assert_int_equal(open_file(house, &users.alice, "a", &file), KS_OK);
    assert_int_equal(remove_user(house, "alice"), KS_OK);
    assert_reads(house, file, "hello");
    ks_store_file_close(house->store, file);
}

/* ---- what is in motion ---- */

/* A confirmation whose file lies in its place, and whose row is not committed yet, for the writer is held. */
struct in_motion {
    struct held_writer held;
    struct ks_store_confirm confirm;
    struct ks_store_file_open open;
};

static void begin_motion(struct house *house, struct in_motion *motion, const struct ks_client_id *id,
                         const char *text)
{
    struct ks_stage *stage = stage_bytes(house, id, "a", (const uint8_t *)text, strlen(text));
    motion->confirm = confirm_request(house, stage, cksum_of(text));
    writer_hold(house, &motion->held);
    ks_store_confirm(house->store, &motion->confirm);
    ks_vault_settle(ks_engine_of(house->store)->vault); /* by way of its stage thread */
    for (unsigned i = 0; i < ks_engine_of(house->store)->vault->thread_count; i++)
        ks_thread_reach(ks_engine_of(house->store)->vault->threads[i].thread);
    ks_vault_settle(ks_engine_of(house->store)->vault);
}

/* Opens, and waits until the opening waits for the writer. */
static void open_in_motion(struct house *house, struct in_motion *motion, const struct ks_client_id *id)
{
    struct ks_engine *engine = ks_engine_of(house->store);
    motion->open = open_request(house, id, "a", 0);
    ks_store_file_open(house->store, &motion->open);
    ks_thread_reach(engine->file_reader.reader.thread);
    for (unsigned i = 0; i < KS_STORED_FILES_THREADS; i++)
        ks_thread_reach(engine->stored_files.threads[i].thread);
    ks_vault_settle(engine->vault);
    assert_int_equal(atomic_load(&house->waiter.answers), 0);
}

static void end_motion(struct house *house, struct in_motion *motion)
{
    writer_let_go(&motion->held);
    fixture_wait_for_answer(&house->waiter);
    fixture_wait_for_answer(&house->waiter);
    assert_int_equal(motion->confirm.request.result, KS_OK);
}

static void forget_answers(struct house *house)
{
    atomic_store(&house->waiter.answers, 0);
}

static void a_file_whose_row_is_not_committed_yet_comes_with_that_row(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct in_motion motion;
    keep_text(house, &users.alice, "a", "the first");
    begin_motion(house, &motion, &users.alice, "the second one");
    forget_answers(house);
    open_in_motion(house, &motion, &users.alice);
    end_motion(house, &motion);
    assert_int_equal(motion.open.request.result, KS_OK);
    assert_int_equal(motion.open.kept.facts.size, strlen("the second one"));
    assert_int_equal(motion.open.kept.facts.cksum, cksum_of("the second one"));
    assert_reads(house, motion.open.file, "the second one");
    ks_store_file_close(house->store, motion.open.file);
}

/* It has been renamed, and its row is about to go. */
static void a_file_that_is_being_removed_is_not_found(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct in_motion motion;
    char path[512];
    keep_text(house, &users.alice, "a", "the first");
    writer_hold(house, &motion.held);
    struct ks_store_remove_file removal = removal_request(house, &users.alice, "a");
    ks_store_remove_file(house->store, &removal);
    for (unsigned i = 0; i < ks_engine_of(house->store)->vault->thread_count; i++)
        ks_thread_reach(ks_engine_of(house->store)->vault->threads[i].thread);
    ks_vault_settle(ks_engine_of(house->store)->vault);
    assert_int_equal(access(whole_path_of(house, &users.alice, "a", path), F_OK), -1);
    forget_answers(house);
    open_in_motion(house, &motion, &users.alice);
    writer_let_go(&motion.held);
    fixture_wait_for_answer(&house->waiter);
    fixture_wait_for_answer(&house->waiter);
    assert_int_equal(removal.request.result, KS_OK);
    assert_int_equal(motion.open.request.result, KS_NOT_FOUND);
}

static void closing_ends_an_opening_that_waits_for_the_writer(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct in_motion motion;
    keep_text(house, &users.alice, "a", "the first");
    begin_motion(house, &motion, &users.alice, "the second one");
    forget_answers(house);
    open_in_motion(house, &motion, &users.alice);
    sem_post(&motion.held.gate);
    house_close(house);
    assert_int_equal(atomic_load(&house->waiter.answers), 2);
    assert_int_equal(motion.confirm.request.result, KS_OK);
    assert_true(motion.open.request.result == KS_OK || motion.open.request.result == KS_CLOSED);
}

static void a_file_that_is_gone_with_its_row_is_not_found(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct in_motion motion;
    char path[512];
    keep_text(house, &users.alice, "a", "the first");
    writer_hold(house, &motion.held);
    assert_int_equal(unlink(whole_path_of(house, &users.alice, "a", path)), 0);
    forget_answers(house);
    open_in_motion(house, &motion, &users.alice);
    run_on_database(house, "DELETE FROM files");
    writer_let_go(&motion.held);
    assert_int_equal(fixture_wait(&house->waiter, &motion.open.request), KS_NOT_FOUND);
}

/* ---- damage ---- */

static void a_file_that_is_not_the_rows_is_damaged(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_stored_file *file = NULL;
    char path[512];
    char other[512];
    keep_text(house, &users.alice, "short", "hello");
    keep_text(house, &users.alice, "late", "hello");
    keep_text(house, &users.alice, "gone", "hello");
    keep_text(house, &users.alice, "link", "hello");
    keep_text(house, &users.alice, "directory", "hello");
    keep_text(house, &users.alice, "pipe", "hello");
    rot(house, &users.alice, "short", "hell");
    assert_int_equal(utimensat(AT_FDCWD, whole_path_of(house, &users.alice, "late", path), NULL, 0), 0);
    assert_int_equal(unlink(whole_path_of(house, &users.alice, "gone", path)), 0);
    assert_int_equal(unlink(whole_path_of(house, &users.alice, "link", path)), 0);
    assert_int_equal(symlink(whole_path_of(house, &users.alice, "late", other), path), 0);
    assert_int_equal(unlink(whole_path_of(house, &users.alice, "directory", path)), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(unlink(whole_path_of(house, &users.alice, "pipe", path)), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    static const char *const names[] = {"short", "late", "gone", "link", "directory", "pipe"};
    for (size_t i = 0; i < KS_COUNT_OF(names); i++)
        assert_int_equal(open_file(house, &users.alice, names[i], &file), KS_INVALID);
    assert_int_equal(ks_stored_files_count(&ks_engine_of(house->store)->stored_files), 0);
}

static void a_file_that_becomes_shorter_is_not_read_beyond_its_end(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_stored_file *file = NULL;
    uint8_t bytes[16];
    size_t size = 0;
    struct ks_cksum sum = ks_cksum_start();
    keep_text(house, &users.alice, "a", "hello");
    assert_int_equal(open_file(house, &users.alice, "a", &file), KS_OK);
    rot(house, &users.alice, "a", "hel");
    assert_int_equal(read_file_at(house, file, 0, bytes, sizeof bytes, &size, &sum), KS_INVALID);
    assert_int_equal(size, 0);
    assert_int_equal(sum.length, 0);
    assert_int_equal(read_file_at(house, file, 0, bytes, 3, &size, &sum), KS_OK);
    ks_store_file_close(house->store, file);
}

static void a_file_that_becomes_longer_is_read_to_its_old_end(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_stored_file *file = NULL;
    keep_text(house, &users.alice, "a", "hello");
    assert_int_equal(open_file(house, &users.alice, "a", &file), KS_OK);
    rot(house, &users.alice, "a", "hello again");
    assert_reads(house, file, "hello");
    ks_store_file_close(house->store, file);
}

/* ---- limits ---- */

/* Opens as many as may be; how many those are. */
static size_t open_many(struct house *house, const struct ks_client_id *id, struct ks_stored_file **files)
{
    size_t count = 0;
    enum ks_result result = KS_OK;
    while (result == KS_OK) {
        assert_true(count < KS_STORED_FILES_LIMIT);
        result = open_file(house, id, "a", &files[count]);
        count += result == KS_OK ? 1 : 0;
    }
    assert_int_equal(result, KS_TOO_LARGE);
    return count;
}

static void a_user_has_as_many_open_as_are_left_for_others(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    static struct ks_stored_file *files[2 * KS_STORED_FILES_LIMIT];
    keep_text(house, &users.alice, "a", "hers");
    keep_text(house, &users.bob, "a", "his");
    size_t count = open_many(house, &users.alice, files);
    assert_int_equal(count, KS_STORED_FILES_LIMIT / 2);
    size_t others = open_many(house, &users.bob, files + count);
    assert_int_equal(others, KS_STORED_FILES_LIMIT / 4);
    assert_reads(house, files[count - 1], "hers");
    assert_reads(house, files[count], "his");
    ks_store_file_close(house->store, files[0]);
    closings_settle(house);
    assert_int_equal(open_file(house, &users.bob, "a", &files[0]), KS_OK);
    for (size_t i = 0; i < count + others; i++)
        ks_store_file_close(house->store, files[i]);
    closings_settle(house);
    assert_int_equal(ks_stored_files_count(&ks_engine_of(house->store)->stored_files), 0);
}

static void files_that_nobody_closes_go_with_the_store(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_stored_file *file = NULL;
    keep_text(house, &users.alice, "a", "hello");
    assert_int_equal(open_file(house, &users.alice, "a", &file), KS_OK);
    assert_int_equal(open_file(house, &users.alice, "a", &file), KS_OK);
    house_restart(house);
    assert_file_reads(house, &users.alice, "a", "hello");
}

/* What one user reads stays on one thread; while it is held up, others go on. */
static void a_user_whose_disk_is_slow_holds_nobody_up(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_stored_file *hers = NULL;
    struct ks_stored_file *also_hers = NULL;
    sem_t gate;
    struct fixture_call slow = {.task.run = fixture_call_run, .function = fixture_hold, .context = &gate};
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_int_equal(sem_init(&slow.done, 0, 0), 0);
    keep_text(house, &users.alice, "a", "hers");
    keep_text(house, &users.bob, "a", "his");
    assert_int_equal(open_file(house, &users.alice, "a", &hers), KS_OK);
    assert_int_equal(open_file(house, &users.alice, "a", &also_hers), KS_OK);
    assert_ptr_equal(hers->thread, also_hers->thread);
    ks_executor_post(ks_thread_executor(hers->thread->thread), &slow.task);
    assert_file_reads(house, &users.bob, "a", "his");
    assert_listed(house, &users.alice, "", PAGE, "a");
    sem_post(&gate);
    fixture_hold(&slow.done);
    ks_store_file_close(house->store, hers);
    ks_store_file_close(house->store, also_hers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(pages_come_in_the_order_of_the_bytes_of_names),
        HOUSE_TEST(who_has_no_files_has_an_empty_list),
        HOUSE_TEST(the_list_of_nobody_is_not_found),
        HOUSE_TEST(what_is_listed_is_known_from_the_row),
        HOUSE_TEST(of_an_adopted_file_the_disk_knows),
        HOUSE_TEST(rows_that_are_not_sound_are_left_out),
        HOUSE_TEST(a_file_is_read_as_it_was_confirmed),
        HOUSE_TEST(reads_go_from_anywhere_to_the_end),
        HOUSE_TEST(an_empty_file_is_read_as_nothing),
        HOUSE_TEST(a_large_file_is_read_and_summed_whole),
        HOUSE_TEST(a_prefix_longer_than_the_file_is_the_file),
        HOUSE_TEST(what_is_not_there_is_not_found),
        HOUSE_TEST(a_file_that_is_replaced_while_it_is_read_stays_whole),
        HOUSE_TEST(a_file_that_is_removed_while_it_is_read_stays_whole),
        HOUSE_TEST(files_of_a_user_who_is_removed_stay_until_they_are_closed),
        HOUSE_TEST(a_file_whose_row_is_not_committed_yet_comes_with_that_row),
        HOUSE_TEST(a_file_that_is_being_removed_is_not_found),
        HOUSE_TEST(closing_ends_an_opening_that_waits_for_the_writer),
        HOUSE_TEST(a_file_that_is_gone_with_its_row_is_not_found),
        HOUSE_TEST(a_file_that_is_not_the_rows_is_damaged),
        HOUSE_TEST(a_file_that_becomes_shorter_is_not_read_beyond_its_end),
        HOUSE_TEST(a_file_that_becomes_longer_is_read_to_its_old_end),
        HOUSE_TEST(a_user_has_as_many_open_as_are_left_for_others),
        HOUSE_TEST(files_that_nobody_closes_go_with_the_store),
        HOUSE_TEST(a_user_whose_disk_is_slow_holds_nobody_up),
    };
    return cmocka_run_group_tests_name("store_stored_files", tests, NULL, NULL);
}
