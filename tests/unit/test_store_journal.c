/* Unit tests of src/store/sqlite/journal.h: what was committed is read again, whatever else is in the file.
 */
#include "journal_fixture.h"
#include "store_fixture.h"

#include "crypto/random.h"
#include "store/sqlite/journal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { RECORD_SIZE = 72 + 8, CONTENT_SIZE = 8, SECTOR = 512, SECOND_HEAD = 2048 };

struct desk {
    char directory[64];
    int directory_fd;
    struct fixture_clock clock;
    struct ks_journal journal;
    struct ks_journal_findings findings;
    uint64_t in_database;
    char why[256];
};

/* As the server does it, with nothing to insert. */
static enum ks_result try_open(struct desk *desk)
{
    const struct ks_journal_options options = {
        .directory_fd = desk->directory_fd,
        .clock = &desk->clock.clock,
        .random = ks_random_system(),
        .in_database = desk->in_database,
    };
    desk->why[0] = '\0';
    enum ks_result result =
        ks_journal_open(&desk->journal, &options, &desk->findings, desk->why, sizeof desk->why);
    assert_true((result == KS_OK) == (desk->why[0] == '\0'));
    if (result == KS_OK && !ks_journal_is_pending(&desk->journal))
        assert_int_equal(ks_journal_begin(&desk->journal), KS_OK);
    return result;
}

static int set_up(void **state)
{
    struct desk *desk = calloc(1, sizeof *desk);
    assert_non_null(desk);
    fixture_directory_make(desk->directory);
    desk->directory_fd = open(desk->directory, O_RDONLY | O_DIRECTORY);
    assert_true(desk->directory_fd >= 0);
    fixture_clock_init(&desk->clock);
    ks_journal_init(&desk->journal);
    assert_int_equal(try_open(desk), KS_OK);
    *state = desk;
    return 0;
}

static int tear_down(void **state)
{
    struct desk *desk = *state;
    ks_journal_close(&desk->journal);
    close(desk->directory_fd);
    fixture_directory_remove(desk->directory);
    free(desk);
    return 0;
}

static struct ks_journal_record record_of(uint64_t id)
{
    static const uint8_t content[CONTENT_SIZE] = "content";
    struct ks_journal_record record = {
        .message_id = id, .type = (uint8_t)id, .content_size = sizeof content, .content = content};
    memset(record.receiver.bytes, (int)id, sizeof record.receiver.bytes);
    memset(record.sender.bytes, (int)id + 1, sizeof record.sender.bytes);
    return record;
}

static void add(struct desk *desk, uint64_t first, uint64_t last)
{
    assert_true(ks_journal_reserve(&desk->journal, (size_t)(last - first + 1) * RECORD_SIZE));
    for (uint64_t id = first; id <= last; id++) {
        const struct ks_journal_record record = record_of(id);
        ks_journal_add(&desk->journal, &record);
    }
}

static void commit(struct desk *desk, uint64_t first, uint64_t last)
{
    add(desk, first, last);
    assert_int_equal(ks_journal_commit(&desk->journal), KS_OK);
}

static void assert_taken(struct desk *desk, uint64_t first, uint64_t last)
{
    struct ks_journal_record record;
    for (uint64_t id = first; id <= last; id++) {
        const struct ks_journal_record expected = record_of(id);
        assert_true(ks_journal_take(&desk->journal, &record));
        assert_int_equal(record.message_id, id);
        assert_memory_equal(&record.receiver, &expected.receiver, sizeof record.receiver);
        assert_memory_equal(&record.sender, &expected.sender, sizeof record.sender);
        assert_int_equal(record.type, expected.type);
        assert_null(record.place);
        assert_int_equal(record.content_size, CONTENT_SIZE);
        assert_memory_equal(record.content, expected.content, CONTENT_SIZE);
    }
}

static void assert_nothing_to_take(struct desk *desk)
{
    struct ks_journal_record record;
    assert_false(ks_journal_take(&desk->journal, &record));
}

/* As a crash leaves it: nothing is written any more. */
static void crash(struct desk *desk)
{
    assert_int_equal(close(desk->journal.fd), 0);
    desk->journal.fd = -1;
    assert_int_equal(try_open(desk), KS_OK);
}

static void change_byte(struct desk *desk, off_t offset)
{
    uint8_t byte = 0;
    int fd = openat(desk->directory_fd, "journal", O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

/* ---- what is read again ---- */

static void a_new_journal_has_nothing(void **state)
{
    struct desk *desk = *state;
    assert_false(ks_journal_is_pending(&desk->journal));
    assert_nothing_to_take(desk);
    crash(desk);
    assert_false(ks_journal_is_pending(&desk->journal));
}

static void what_was_committed_is_there_after_a_crash(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 3);
    commit(desk, 5, 6);
    crash(desk);
    assert_int_equal(ks_journal_untaken(&desk->journal), 5 * RECORD_SIZE);
    assert_taken(desk, 1, 3);
    assert_taken(desk, 5, 6);
    assert_nothing_to_take(desk);
    assert_true(ks_journal_is_pending(&desk->journal));
}

static void what_was_not_committed_is_not(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 3);
    add(desk, 4, 6);
    assert_taken(desk, 1, 3);
    assert_nothing_to_take(desk);
    crash(desk);
    assert_taken(desk, 1, 3);
    assert_nothing_to_take(desk);
}

static void places_and_empty_contents_are_kept(void **state)
{
    struct desk *desk = *state;
    struct ks_journal_record spooled = record_of(1);
    struct ks_journal_record empty = record_of(2);
    spooled.place = "messages/0123";
    spooled.content_size = 123456789;
    spooled.content = NULL;
    empty.content_size = 0;
    size_t size = ks_journal_record_size(&spooled) + ks_journal_record_size(&empty);
    assert_true(ks_journal_reserve(&desk->journal, size));
    ks_journal_add(&desk->journal, &spooled);
    ks_journal_add(&desk->journal, &empty);
    assert_int_equal(ks_journal_commit(&desk->journal), KS_OK);
    crash(desk);
    struct ks_journal_record record;
    assert_true(ks_journal_take(&desk->journal, &record));
    assert_string_equal(record.place, "messages/0123");
    assert_int_equal(record.content_size, 123456789);
    assert_true(ks_journal_take(&desk->journal, &record));
    assert_null(record.place);
    assert_int_equal(record.content_size, 0);
    assert_nothing_to_take(desk);
}

static void records_of_an_earlier_round_are_not_read(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 10);
    assert_taken(desk, 1, 10);
    ks_journal_released(&desk->journal, true);
    commit(desk, 11, 12); /* the old 3 to 10 stand behind them */
    crash(desk);
    assert_taken(desk, 11, 12);
    assert_nothing_to_take(desk);
}

/* ---- taking and releasing ---- */

static void what_was_taken_in_vain_is_taken_again(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 4);
    assert_taken(desk, 1, 2);
    ks_journal_released(&desk->journal, true);
    assert_taken(desk, 3, 4);
    ks_journal_released(&desk->journal, false);
    assert_true(ks_journal_is_pending(&desk->journal));
    assert_taken(desk, 3, 4);
    assert_nothing_to_take(desk);
    ks_journal_released(&desk->journal, true);
    assert_false(ks_journal_is_pending(&desk->journal));
}

/* Returns the last id. */
static uint64_t fill_segment(struct desk *desk, uint64_t first)
{
    uint64_t last = first + KS_JOURNAL_SEGMENT_SIZE / RECORD_SIZE - 1;
    commit(desk, first, last);
    return last;
}

static void when_one_segment_is_full_the_other_is_written(void **state)
{
    struct desk *desk = *state;
    uint64_t last = fill_segment(desk, 1);
    assert_false(ks_journal_has_full_segment(&desk->journal));
    commit(desk, last + 1, last + 2);
    assert_true(ks_journal_has_full_segment(&desk->journal));
    crash(desk);
    assert_true(ks_journal_has_full_segment(&desk->journal));
    assert_taken(desk, 1, last + 2);
    assert_nothing_to_take(desk);
}

static void there_is_no_room_before_the_older_segment_is_released(void **state)
{
    struct desk *desk = *state;
    uint64_t middle = fill_segment(desk, 1);
    uint64_t last = fill_segment(desk, middle + 1);
    assert_false(ks_journal_reserve(&desk->journal, RECORD_SIZE));
    assert_taken(desk, 1, middle);
    assert_false(ks_journal_reserve(&desk->journal, RECORD_SIZE));
    ks_journal_released(&desk->journal, true);
    commit(desk, last + 1, last + 1);
    crash(desk);
    assert_taken(desk, middle + 1, last + 1);
    assert_nothing_to_take(desk);
}

static void more_than_a_segment_has_no_room(void **state)
{
    struct desk *desk = *state;
    assert_true(ks_journal_reserve(&desk->journal, KS_JOURNAL_SEGMENT_SIZE));
    assert_false(ks_journal_reserve(&desk->journal, KS_JOURNAL_SEGMENT_SIZE + 1));
}

static void a_journal_that_was_closed_empty_says_so(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 4);
    assert_taken(desk, 1, 4);
    ks_journal_released(&desk->journal, true);
    crash(desk);
    assert_taken(desk, 1, 4); /* the file has them still */
    ks_journal_released(&desk->journal, true);
    assert_int_equal(ks_journal_begin(&desk->journal), KS_OK);
    commit(desk, 5, 6);
    assert_taken(desk, 5, 6);
    ks_journal_released(&desk->journal, true);
    ks_journal_close(&desk->journal);
    assert_int_equal(try_open(desk), KS_OK);
    assert_nothing_to_take(desk);
}

static void a_journal_that_was_closed_in_need_keeps_what_it_has(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 4);
    assert_taken(desk, 1, 4);
    ks_journal_close(&desk->journal);
    assert_int_equal(try_open(desk), KS_OK);
    assert_taken(desk, 1, 4);
}

static void nothing_is_added_before_a_round_has_begun(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 4);
    crash(desk);
    assert_false(ks_journal_reserve(&desk->journal, RECORD_SIZE));
    assert_taken(desk, 1, 4);
    ks_journal_released(&desk->journal, true);
    assert_int_equal(ks_journal_begin(&desk->journal), KS_OK);
    commit(desk, 5, 5);
    crash(desk);
    assert_taken(desk, 5, 5);
    assert_nothing_to_take(desk);
}

static void what_the_database_has_is_not_taken(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 4);
    desk->in_database = 3;
    crash(desk);
    assert_taken(desk, 4, 4);
    assert_nothing_to_take(desk);
    desk->in_database = 4;
    crash(desk);
    assert_false(ks_journal_is_pending(&desk->journal));
}

/* ---- damage ---- */

enum { IMAGE_SIZE = KS_JOURNAL_HEAD_SIZE + KS_JOURNAL_SEGMENTS * KS_JOURNAL_SEGMENT_SIZE };

static uint8_t *read_image(struct desk *desk)
{
    uint8_t *image = malloc(IMAGE_SIZE);
    assert_non_null(image);
    int fd = openat(desk->directory_fd, "journal", O_RDONLY);
    assert_int_equal(pread(fd, image, IMAGE_SIZE, 0), IMAGE_SIZE);
    close(fd);
    return image;
}

static void write_image(struct desk *desk, const uint8_t *image)
{
    int fd = openat(desk->directory_fd, "journal", O_WRONLY);
    assert_int_equal(pwrite(fd, image, IMAGE_SIZE, 0), IMAGE_SIZE);
    close(fd);
}

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
        size_t count = ks_journal_untaken(&desk->journal) / RECORD_SIZE;
        assert_in_range(count, lost == 0 ? ACKNOWLEDGED + TORN : ACKNOWLEDGED, ACKNOWLEDGED + TORN);
        assert_int_equal(desk->findings.damaged, 0);
        assert_taken(desk, 101, 100 + count);
    }
    free(before);
    free(after);
    free(image);
}

/* ---- the head ---- */

static void either_copy_of_the_head_is_enough(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 4);
    for (off_t byte = 0; byte < 36; byte++) {
        change_byte(desk, byte);
        crash(desk);
        assert_taken(desk, 1, 4);
        change_byte(desk, byte);
        change_byte(desk, SECOND_HEAD + byte);
        crash(desk);
        assert_taken(desk, 1, 4);
        change_byte(desk, SECOND_HEAD + byte);
    }
    change_byte(desk, 24);
    change_byte(desk, SECOND_HEAD + 24);
    close(desk->journal.fd);
    desk->journal.fd = -1;
    assert_int_equal(try_open(desk), KS_INVALID);
}

static void a_head_that_was_wiped_is_no_empty_journal(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 4);
    uint8_t *image = read_image(desk);
    memset(image, 0, KS_JOURNAL_HEAD_SIZE);
    write_image(desk, image);
    free(image);
    close(desk->journal.fd);
    desk->journal.fd = -1;
    assert_int_equal(try_open(desk), KS_INVALID);
}

static void a_newer_version_is_told(void **state)
{
    struct desk *desk = *state;
    ks_journal_close(&desk->journal);
    uint8_t *found = read_image(desk);
    found[16] = 3;
    memset(found + SECOND_HEAD, 0, 36);
    write_image(desk, found);
    free(found);
    assert_int_equal(try_open(desk), KS_INVALID);
    assert_non_null(strstr(desk->why, "version 3"));
    assert_non_null(strstr(desk->why, "newer"));
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
    assert_int_equal(image[16], 2);
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

/* ---- failures ---- */

static void a_write_that_fails_loses_only_its_own(void **state)
{
    struct desk *desk = *state;
    struct rlimit limit;
    commit(desk, 1, 2);
    add(desk, 3, 4);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    const struct rlimit small = {.rlim_cur = KS_JOURNAL_HEAD_SIZE, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum ks_result result = ks_journal_commit(&desk->journal);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(result, KS_IO);
    assert_false(ks_journal_is_open(&desk->journal));
    assert_false(ks_journal_reserve(&desk->journal, RECORD_SIZE));
    assert_taken(desk, 1, 2);
    assert_nothing_to_take(desk);
    assert_int_equal(try_open(desk), KS_OK);
    assert_taken(desk, 1, 2);
    assert_nothing_to_take(desk);
}

static void write_file(struct desk *desk, const char *bytes, size_t size, off_t length)
{
    int fd = openat(desk->directory_fd, "journal", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    assert_int_equal(ftruncate(fd, length), 0);
    close(fd);
}

static void a_file_that_was_never_finished_is_made_again(void **state)
{
    struct desk *desk = *state;
    ks_journal_close(&desk->journal);
    write_file(desk, "", 0, 0);
    assert_int_equal(try_open(desk), KS_OK);
    ks_journal_close(&desk->journal);
    write_file(desk, "", 0, KS_JOURNAL_HEAD_SIZE + 1000);
    assert_int_equal(try_open(desk), KS_OK);
    commit(desk, 1, 4);
    crash(desk);
    assert_taken(desk, 1, 4);
}

static void what_is_no_journal_of_ours_is_left_alone(void **state)
{
    struct desk *desk = *state;
    static const char text[] = "my travels, by the lake\n";
    ks_journal_close(&desk->journal);
    write_file(desk, text, sizeof text - 1, sizeof text - 1);
    assert_int_equal(try_open(desk), KS_INVALID);
    assert_true(fixture_file_is(desk->directory, "journal", text));
    write_file(desk, text, sizeof text - 1, 3000000);
    assert_int_equal(try_open(desk), KS_INVALID);
    write_file(desk, "kesher journal\n\0\1", 17, 3000000); /* and of another size */
    assert_int_equal(try_open(desk), KS_INVALID);
    assert_int_equal(unlinkat(desk->directory_fd, "journal", 0), 0);
    assert_int_equal(mkdirat(desk->directory_fd, "journal", 0700), 0);
    assert_int_equal(try_open(desk), KS_IO);
    assert_int_equal(unlinkat(desk->directory_fd, "journal", AT_REMOVEDIR), 0);
    assert_int_equal(mkfifoat(desk->directory_fd, "journal", 0600), 0);
    assert_int_equal(try_open(desk), KS_INVALID);
}

static void a_journal_that_was_cut_is_not_taken_for_whole(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 4);
    ks_journal_close(&desk->journal);
    int fd = openat(desk->directory_fd, "journal", O_WRONLY);
    assert_int_equal(ftruncate(fd, KS_JOURNAL_HEAD_SIZE + 100), 0);
    close(fd);
    assert_int_equal(try_open(desk), KS_INVALID);
}

#define DESK_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    signal(SIGXFSZ, SIG_IGN);
    const struct CMUnitTest tests[] = {
        DESK_TEST(a_new_journal_has_nothing),
        DESK_TEST(what_was_committed_is_there_after_a_crash),
        DESK_TEST(what_was_not_committed_is_not),
        DESK_TEST(places_and_empty_contents_are_kept),
        DESK_TEST(records_of_an_earlier_round_are_not_read),
        DESK_TEST(what_was_taken_in_vain_is_taken_again),
        DESK_TEST(when_one_segment_is_full_the_other_is_written),
        DESK_TEST(there_is_no_room_before_the_older_segment_is_released),
        DESK_TEST(more_than_a_segment_has_no_room),
        DESK_TEST(a_journal_that_was_closed_empty_says_so),
        DESK_TEST(a_journal_that_was_closed_in_need_keeps_what_it_has),
        DESK_TEST(nothing_is_added_before_a_round_has_begun),
        DESK_TEST(what_the_database_has_is_not_taken),
        DESK_TEST(damage_in_the_last_batch_ends_it),
        DESK_TEST(a_damaged_record_of_an_earlier_batch_is_all_that_is_lost),
        DESK_TEST(damage_at_the_beginning_and_right_before_the_last_batch_loses_no_more),
        DESK_TEST(damage_that_reaches_into_the_last_batch_is_told_apart),
        DESK_TEST(damage_of_what_the_database_has_is_not_told),
        DESK_TEST(the_newer_segment_proves_damage_in_the_older_one),
        DESK_TEST(what_a_torn_write_has_left_never_comes_back),
        DESK_TEST(a_second_crash_before_the_new_round_changes_nothing),
        DESK_TEST(every_torn_write_is_survived),
        DESK_TEST(either_copy_of_the_head_is_enough),
        DESK_TEST(a_head_that_was_wiped_is_no_empty_journal),
        DESK_TEST(a_newer_version_is_told),
        DESK_TEST(what_an_earlier_kesher_has_left_is_taken),
        DESK_TEST(the_messages_of_an_earlier_kesher_end_at_damage),
        DESK_TEST(a_write_that_fails_loses_only_its_own),
        DESK_TEST(a_file_that_was_never_finished_is_made_again),
        DESK_TEST(what_is_no_journal_of_ours_is_left_alone),
        DESK_TEST(a_journal_that_was_cut_is_not_taken_for_whole),
    };
    return cmocka_run_group_tests_name("store_journal", tests, NULL, NULL);
}
