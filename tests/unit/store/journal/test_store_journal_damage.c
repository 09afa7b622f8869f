/* Unit tests of src/store/embedded/journal/journal_recovery.h: what the disk has damaged, what a torn write
 * has left, and what an earlier kesher has written.
 */
#include "unit/store/journal/journal_desk.h"

/* ---- damage ---- */

static off_t place_of(size_t segment, size_t record)
{
    return (off_t)(KS_JOURNAL_HEAD_SIZE + segment * KS_JOURNAL_SEGMENT_SIZE + record * RECORD_SIZE);
}

/* After a crash, the database has these, and a round has begun. */
static void take_all(struct desk *desk, uint64_t first, uint64_t last)
{
    assert_taken(desk, first, last);
    assert_nothing_to_take(desk);
    ks_journal_released(&desk->journal, true);
    assert_int_equal(ks_journal_begin(&desk->journal), KS_OK);
    desk->in_database = last;
}

static void assert_put_aside(struct desk *desk, const uint8_t *bytes, size_t size)
{
    uint8_t found[4096];
    assert_int_equal(desk->findings.damaged, size);
    int fd = openat(desk->directory_fd, desk->findings.name, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, found, sizeof found), size);
    assert_memory_equal(found, bytes, size);
    close(fd);
}

/* The last batch may be a torn write: what stands behind the damage is left out, and told. */
static void damage_in_the_last_batch_ends_it(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 3);
    for (off_t byte = 0; byte < RECORD_SIZE; byte++) {
        change_byte(desk, place_of(0, 1) + byte);
        crash(desk);
        assert_taken(desk, 1, 1);
        assert_nothing_to_take(desk);
        assert_int_equal(desk->findings.left_out, 1);
        assert_int_equal(desk->findings.damaged, 0);
        change_byte(desk, place_of(0, 1) + byte);
    }
    crash(desk);
    assert_taken(desk, 1, 3);
    assert_int_equal(desk->findings.left_out, 0);
}

/* A later batch was written, so this one was acknowledged: one record is lost, not all behind it. */
static void a_damaged_record_of_an_earlier_batch_is_all_that_is_lost(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 3);
    commit(desk, 4, 4);
    for (off_t byte = 0; byte < RECORD_SIZE; byte++) {
        change_byte(desk, place_of(0, 1) + byte);
        uint8_t *image = read_image(desk);
        crash(desk);
        assert_taken(desk, 1, 1);
        assert_taken(desk, 3, 4);
        assert_nothing_to_take(desk);
        assert_int_equal(desk->findings.left_out, 0);
        assert_put_aside(desk, image + place_of(0, 1), RECORD_SIZE);
        change_byte(desk, place_of(0, 1) + byte);
        free(image);
    }
}

static void damage_at_the_beginning_and_right_before_the_last_batch_loses_no_more(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 3);
    commit(desk, 4, 5);
    change_byte(desk, place_of(0, 0));
    change_byte(desk, place_of(0, 2));
    crash(desk);
    assert_taken(desk, 2, 2);
    assert_taken(desk, 4, 5);
    assert_nothing_to_take(desk);
    assert_int_equal(desk->findings.damaged, 2 * RECORD_SIZE);
    struct stat status;
    assert_int_equal(fstatat(desk->directory_fd, "damaged", &status, 0), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
}

static void damage_that_reaches_into_the_last_batch_is_told_apart(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 3);
    commit(desk, 4, 6);
    change_byte(desk, place_of(0, 2));
    change_byte(desk, place_of(0, 3));
    crash(desk);
    assert_taken(desk, 1, 2);
    assert_nothing_to_take(desk);
    assert_int_equal(desk->findings.damaged, RECORD_SIZE);
    assert_int_equal(desk->findings.left_out, 2);
}

static void damage_of_what_the_database_has_is_not_told(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 3);
    commit(desk, 4, 6);
    change_byte(desk, place_of(0, 0));
    desk->in_database = 2;
    crash(desk);
    assert_taken(desk, 3, 6);
    assert_int_equal(desk->findings.damaged, 0);
    assert_int_equal(faccessat(desk->directory_fd, "damaged", F_OK, 0), -1);
}

/* Each of two segments, one after the other. */
static void the_newer_segment_proves_damage_in_the_older_one(void **state)
{
    struct desk *desk = *state;
    uint64_t last = fill_segment(desk, 1);
    commit(desk, last + 1, last + 2);
    change_byte(desk, place_of(0, 7));
    crash(desk);
    assert_taken(desk, 1, 7);
    assert_taken(desk, 9, last + 2);
    assert_nothing_to_take(desk);
    assert_int_equal(desk->findings.damaged, RECORD_SIZE);
}

/* A torn write is recovered; then the new round ends exactly where a record of the torn one begins. */
static void what_a_torn_write_has_left_never_comes_back(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 2);
    commit(desk, 3, 10);
    change_byte(desk, place_of(0, 2));
    crash(desk);
    assert_int_equal(desk->findings.left_out, 7);
    take_all(desk, 1, 2);
    const uint8_t content[3 * RECORD_SIZE - KS_JOURNAL_RECORD_SMALLEST] = {0};
    struct ks_journal_record record = record_of(3);
    record.content = content;
    record.content_size = sizeof content;
    assert_true(ks_journal_reserve(&desk->journal, 3 * (size_t)RECORD_SIZE));
    ks_journal_add(&desk->journal, &record);
    assert_int_equal(ks_journal_commit(&desk->journal), KS_OK);
    crash(desk);
    assert_true(ks_journal_take(&desk->journal, &record));
    assert_int_equal(record.message_id, 3);
    assert_nothing_to_take(desk);
    assert_int_equal(desk->findings.left_out, 0);
}

/* The same where the server was killed before the segments were wiped, or while they were. */
static void a_second_crash_before_the_new_round_changes_nothing(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 2);
    commit(desk, 3, 10);
    change_byte(desk, place_of(0, 2));
    crash(desk);
    assert_taken(desk, 1, 2);
    desk->in_database = 2; /* and no more */
    uint8_t *image = read_image(desk);
    memset(image + place_of(0, 0), 0, RECORD_SIZE); /* a wipe that was torn */
    write_image(desk, image);
    free(image);
    crash(desk);
    assert_false(ks_journal_is_pending(&desk->journal));
    assert_int_equal(desk->findings.damaged, 0);
    commit(desk, 3, 5);
    crash(desk);
    take_all(desk, 3, 5);
}

/* Every set of sectors of a batch may be lost: a filling over an earlier one, with a batch before it. What
 * was acknowledged is taken, of the torn batch its beginning; and never anything in the next round. */
static void every_torn_write_is_survived(void **state)
{
    enum { ACKNOWLEDGED = 3, TORN = 40, SECTORS = (ACKNOWLEDGED + TORN) * RECORD_SIZE / SECTOR + 1 };
    struct desk *desk = *state;
    commit(desk, 1, 100);
    assert_taken(desk, 1, 100);
    ks_journal_released(&desk->journal, true);
    commit(desk, 101, 100 + ACKNOWLEDGED);
    uint8_t *before = read_image(desk);
    commit(desk, 101 + ACKNOWLEDGED, 100 + ACKNOWLEDGED + TORN);
    uint8_t *after = read_image(desk);
    uint8_t *image = malloc(IMAGE_SIZE);
    assert_non_null(image);
    for (unsigned lost = 0; lost < 1U << SECTORS; lost++) {
        memcpy(image, after, IMAGE_SIZE);
        for (unsigned sector = 0; sector < SECTORS; sector++)
            if ((lost >> sector & 1) != 0)
                memcpy(image + KS_JOURNAL_HEAD_SIZE + (size_t)sector * SECTOR,
                       before + KS_JOURNAL_HEAD_SIZE + (size_t)sector * SECTOR, SECTOR);
        write_image(desk, image);
        desk->in_database = 100;
        crash(desk);
        size_t count = ks_journal_pending(&desk->journal) / RECORD_SIZE;
        assert_in_range(count, lost == 0 ? ACKNOWLEDGED + TORN : ACKNOWLEDGED, ACKNOWLEDGED + TORN);
        assert_int_equal(desk->findings.damaged, 0);
        assert_taken(desk, 101, 100 + count);
    }
    free(before);
    free(after);
    free(image);
}

/* ---- version 1 ---- */

static void write_journal_1(struct desk *desk, uint64_t first, uint64_t last)
{
    uint8_t *image = calloc(1, IMAGE_SIZE);
    assert_non_null(image);
    fixture_journal_1_head(image);
    uint8_t *next = image + KS_JOURNAL_HEAD_SIZE;
    for (uint64_t id = first; id <= last; id++) {
        const struct ks_journal_record record = record_of(id);
        next += fixture_journal_1_record(next, &record);
    }
    ks_journal_close(&desk->journal);
    write_image(desk, image);
    free(image);
}

static void what_an_earlier_kesher_has_left_is_taken(void **state)
{
    struct desk *desk = *state;
    write_journal_1(desk, 1, 9);
    desk->in_database = 2;
    assert_int_equal(try_open(desk), KS_OK);
    take_all(desk, 3, 9);
    commit(desk, 10, 12);
    crash(desk); /* it is a journal of our version now */
    take_all(desk, 10, 12);
    uint8_t *image = read_image(desk);
    assert_int_equal(image[16], 3);
    free(image);
}

static void the_messages_of_an_earlier_kesher_end_at_damage(void **state)
{
    struct desk *desk = *state;
    write_journal_1(desk, 1, 9);
    change_byte(desk, KS_JOURNAL_HEAD_SIZE + 3 * (56 + CONTENT_SIZE) + 60);
    assert_int_equal(try_open(desk), KS_OK);
    take_all(desk, 1, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DESK_TEST(damage_in_the_last_batch_ends_it),
        DESK_TEST(a_damaged_record_of_an_earlier_batch_is_all_that_is_lost),
        DESK_TEST(damage_at_the_beginning_and_right_before_the_last_batch_loses_no_more),
        DESK_TEST(damage_that_reaches_into_the_last_batch_is_told_apart),
        DESK_TEST(damage_of_what_the_database_has_is_not_told),
        DESK_TEST(the_newer_segment_proves_damage_in_the_older_one),
        DESK_TEST(what_a_torn_write_has_left_never_comes_back),
        DESK_TEST(a_second_crash_before_the_new_round_changes_nothing),
        DESK_TEST(every_torn_write_is_survived),
        DESK_TEST(what_an_earlier_kesher_has_left_is_taken),
        DESK_TEST(the_messages_of_an_earlier_kesher_end_at_damage),
    };
    return cmocka_run_group_tests_name("store_journal_damage", tests, NULL, NULL);
}
