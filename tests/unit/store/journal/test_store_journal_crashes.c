/* Unit tests of src/store/embedded/writer/filing.h: what is in the journal survives crashes, damage and
 * failures.
 */
#include "unit/store/journal/journalled_fixture.h"

#include <signal.h>

/* ---- crashes ---- */

static void what_is_in_the_journal_waits_after_a_crash(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append(house, &users.bob, &users.alice, "1");
    append_together(house, &users, batch, 2, MANY, KS_OK);
    crash(house, batch);
    assert_database(house, "SELECT count(*) FROM messages", "101");
    append(house, &users.bob, &users.alice, "102");
    assert_delivered(house, &users, 1, 102);
    free(batch);
}

static void a_second_crash_changes_nothing(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    crash(house, batch);
    crash(house, NULL);
    assert_delivered(house, &users, 1, MANY);
    free(batch);
}

static void what_was_delivered_does_not_come_back_after_a_crash(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    go_on(batch);
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    assert_int_equal(delivered(house, &users.bob, 7, part.last), KS_OK);
    crash(house, NULL);
    assert_database(house, "SELECT count(*) FROM messages", "0");
    assert_int_equal(lease(house, &users.bob, 7).count, 0);
    append_together(house, &users, batch, 1, 5, KS_OK);
    assert_true(batch->requests[0].message_id > part.last);
    crash(house, batch);
    assert_delivered(house, &users, 1, 5);
    free(batch);
}

static void a_crash_while_the_journal_is_taken_loses_and_doubles_nothing(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    char copy[64];
    append_together(house, &users, batch, 1, MANY, KS_OK);
    begin_to_file(house);
    copy_directory(house, copy);
    end_filing(house);
    go_down(house, batch, copy);
    house_open(house);
    assert_delivered(house, &users, 1, MANY);
    free(batch);
}

static void what_was_filed_before_a_crash_is_not_doubled(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    file_now(house);
    crash(house, batch); /* the journal still has them */
    assert_database(house, "SELECT count(*) FROM messages", "100");
    assert_delivered(house, &users, 1, MANY);
    free(batch);
}

/* ---- damage ---- */

/* From now on the log can be looked at. */
static void log_to_file(struct house *house)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_true(dup3(fileno(file), house->log.fd, O_CLOEXEC) == house->log.fd);
    fclose(file);
}

static bool log_tells(const struct house *house, const char *text)
{
    char found[4096];
    ssize_t size = pread(house->log.fd, found, sizeof found - 1, 0);
    assert_true(size >= 0);
    found[size] = '\0';
    return strstr(found, text) != NULL;
}

static int open_journal_file(const struct house *house)
{
    char path[128];
    snprintf(path, sizeof path, "%s/journal", house->directory);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* In the content of the first message of the first segment. */
static void flip_a_byte(const struct house *house)
{
    uint8_t byte = 0;
    off_t offset = KS_JOURNAL_HEAD_SIZE + KS_JOURNAL_RECORD_SMALLEST;
    int fd = open_journal_file(house);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

static void a_flipped_byte_loses_one_message_and_is_told(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *first = batch_new();
    struct batch *second = batch_new();
    append_together(house, &users, first, 1, MANY, KS_OK);
    go_on(first);
    append_together(house, &users, second, MANY + 1, MANY, KS_OK);
    crash_and_stay_down(house, second);
    flip_a_byte(house);
    log_to_file(house);
    house_open(house);
    assert_true(log_tells(house, "the journal was damaged: 80 bytes"));
    assert_int_equal(fixture_count_entries(house->directory, "damaged"), 1);
    assert_delivered(house, &users, 2, 2 * MANY);
    free(first);
    free(second);
}

static void what_a_torn_write_leaves_out_is_told(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    crash_and_stay_down(house, batch);
    flip_a_byte(house);
    log_to_file(house);
    house_open(house);
    assert_true(log_tells(house, "99 messages behind the gap"));
    assert_int_equal(lease(house, &users.bob, 7).count, 0);
    free(batch);
}

static void ids_go_on_behind_all_that_a_journal_could_hold(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    uint64_t last = batch->requests[MANY - 1].message_id;
    crash(house, batch);
    crash(house, NULL); /* the second one finds nothing, and remembers */
    append_together(house, &users, batch, 1, 1, KS_OK);
    go_on(batch);
    assert_true(batch->requests[0].message_id > last + KS_JOURNAL_RECORD_LIMIT);
    free(batch);
}

/* As a kesher with journals of version 1 leaves it when it is killed. */
static void the_journal_of_an_earlier_kesher_is_delivered(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    uint8_t image[KS_JOURNAL_HEAD_SIZE + 8192] = {0};
    append(house, &users.bob, &users.alice, "1");
    house_close(house);
    fixture_journal_1_head(image);
    uint8_t *next = image + KS_JOURNAL_HEAD_SIZE;
    for (uint64_t i = 1; i <= MANY; i++) { /* the first one is in the database, too */
        int size = snprintf(batch->texts[i], sizeof batch->texts[i], "%d", (int)i);
        const struct ks_journal_record record = {.message_id = i,
                                                 .receiver = users.bob,
                                                 .sender = users.alice,
                                                 .type = 3,
                                                 .content_size = (uint32_t)size,
                                                 .content = (const uint8_t *)batch->texts[i]};
        next += fixture_journal_1_record(next, &record);
    }
    int fd = open_journal_file(house);
    assert_int_equal(pwrite(fd, image, sizeof image, 0), sizeof image);
    close(fd);
    house_open(house);
    append_together(house, &users, batch, MANY + 1, MANY, KS_OK);
    crash(house, batch);
    assert_delivered(house, &users, 1, 2 * MANY);
    free(batch);
}

/* ---- failures ---- */

/* As if it had been opened for reading only: every write fails. */
static void break_journal(struct house *house)
{
    struct ks_journal *journal = &ks_engine_of(house->store)->filing.journal;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(dup3(fd, journal->fd, O_CLOEXEC) == journal->fd);
    close(fd);
}

static void without_a_journal_messages_go_straight_to_the_database(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    break_journal(house);
    go_on(batch);
    append_together(house, &users, batch, MANY + 1, MANY, KS_OK);
    assert_database(house, "SELECT count(*) FROM messages", "200");
    go_on(batch);
    append_together(house, &users, batch, 2 * MANY + 1, MANY, KS_OK);
    assert_database(house, "SELECT count(*) FROM messages", "300");
    crash(house, batch);
    assert_delivered(house, &users, 1, 3 * MANY);
    free(batch);
}

static void a_broken_journal_is_opened_again(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    break_journal(house);
    append_together(house, &users, batch, 1, MANY, KS_OK);
    go_on(batch);
    fixture_clock_forward(&house->clock, 61);
    house_tick(house);
    append_together(house, &users, batch, MANY + 1, MANY, KS_OK);
    assert_database(house, "SELECT count(*) FROM messages", "100");
    crash(house, batch);
    assert_delivered(house, &users, 1, 2 * MANY);
    free(batch);
}

static void what_nothing_could_take_is_refused_and_does_not_come_back(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    rlim_t before = limit_files_to(KS_JOURNAL_HEAD_SIZE + (MANY + 10) * 64);
    go_on(batch);
    append_together(house, &users, batch, MANY + 1, MANY, KS_IO);
    limit_files_to(before);
    go_on(batch);
    fixture_clock_forward(&house->clock, 61);
    house_tick(house);
    append_together(house, &users, batch, MANY + 1, MANY, KS_OK);
    go_on(batch);
    assert_delivered(house, &users, 1, 2 * MANY);
    free(batch);
}

static void what_the_filer_cannot_file_stays_in_the_journal_and_is_filed_later(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    rlim_t before = limit_files_to(1024);
    file_now(house);
    limit_files_to(before);
    assert_database(house, "SELECT count(*) FROM messages", "0");
    assert_true(ks_journal_is_pending(&filing_of(house)->journal));
    fixture_clock_forward(&house->clock, 61);
    file_now(house);
    assert_database(house, "SELECT count(*) FROM messages", "100");
    go_on(batch);
    assert_delivered(house, &users, 1, MANY);
    free(batch);
}

static void a_start_that_cannot_take_the_journal_fails_and_loses_nothing(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    struct ks_store *store = NULL;
    char why[256];
    append_together(house, &users, batch, 1, MANY, KS_OK);
    crash_and_stay_down(house, batch);
    rlim_t before = limit_files_to(1024);
    enum ks_result result = house_try_open(house, &store, why, sizeof why);
    limit_files_to(before);
    assert_int_not_equal(result, KS_OK);
    assert_true(why[0] != '\0');
    house_open(house);
    assert_delivered(house, &users, 1, MANY);
    free(batch);
}

static void a_foreign_journal_stops_the_start(void **state)
{
    struct house *house = *state;
    struct ks_store *store = NULL;
    char path[128];
    char why[256];
    house_close(house);
    snprintf(path, sizeof path, "%s/journal", house->directory);
    assert_int_equal(truncate(path, 10000), 0);
    assert_int_equal(house_try_open(house, &store, why, sizeof why), KS_INVALID);
    assert_non_null(strstr(why, "journal"));
}

int main(void)
{
    signal(SIGXFSZ, SIG_IGN);
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(what_is_in_the_journal_waits_after_a_crash),
        HOUSE_TEST(a_second_crash_changes_nothing),
        HOUSE_TEST(what_was_delivered_does_not_come_back_after_a_crash),
        HOUSE_TEST(a_crash_while_the_journal_is_taken_loses_and_doubles_nothing),
        HOUSE_TEST(what_was_filed_before_a_crash_is_not_doubled),
        HOUSE_TEST(a_flipped_byte_loses_one_message_and_is_told),
        HOUSE_TEST(what_a_torn_write_leaves_out_is_told),
        HOUSE_TEST(ids_go_on_behind_all_that_a_journal_could_hold),
        HOUSE_TEST(the_journal_of_an_earlier_kesher_is_delivered),
        HOUSE_TEST(without_a_journal_messages_go_straight_to_the_database),
        HOUSE_TEST(a_broken_journal_is_opened_again),
        HOUSE_TEST(what_nothing_could_take_is_refused_and_does_not_come_back),
        HOUSE_TEST(what_the_filer_cannot_file_stays_in_the_journal_and_is_filed_later),
        HOUSE_TEST(a_start_that_cannot_take_the_journal_fails_and_loses_nothing),
        HOUSE_TEST(a_foreign_journal_stops_the_start),
    };
    return cmocka_run_group_tests_name("store_journal_crashes", tests, NULL, NULL);
}
