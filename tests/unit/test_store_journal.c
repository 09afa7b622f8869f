/* Unit tests of src/store/sqlite/journal.h: what was committed is read again, whatever else is in the file.
 */
#include "store_fixture.h"

#include "store/sqlite/journal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { RECORD_SIZE = 56 + 8, CONTENT_SIZE = 8 };

struct desk {
    char directory[64];
    int directory_fd;
    struct ks_journal journal;
};

static enum ks_result try_open(struct desk *desk)
{
    char why[256] = "";
    enum ks_result result = ks_journal_open(&desk->journal, desk->directory_fd, why, sizeof why);
    assert_true((result == KS_OK) == (why[0] == '\0'));
    return result;
}

static int set_up(void **state)
{
    struct desk *desk = calloc(1, sizeof *desk);
    assert_non_null(desk);
    fixture_directory_make(desk->directory);
    desk->directory_fd = open(desk->directory, O_RDONLY | O_DIRECTORY);
    assert_true(desk->directory_fd >= 0);
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

/* Each byte of a record counts, and what stands behind a damaged one is not trusted. */
static void records_end_before_a_damaged_one(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 3);
    for (off_t byte = 0; byte < RECORD_SIZE; byte++) {
        change_byte(desk, KS_JOURNAL_HEAD_SIZE + RECORD_SIZE + byte);
        crash(desk);
        assert_taken(desk, 1, 1);
        assert_nothing_to_take(desk);
        change_byte(desk, KS_JOURNAL_HEAD_SIZE + RECORD_SIZE + byte);
    }
    crash(desk);
    assert_taken(desk, 1, 3);
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

static void what_was_discarded_is_gone(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 4);
    ks_journal_discard(&desk->journal);
    assert_nothing_to_take(desk);
    crash(desk);
    assert_nothing_to_take(desk);
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
    write_file(desk, "kesher journal\n\0\2", 17, 3000000); /* another version */
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
        DESK_TEST(records_end_before_a_damaged_one),
        DESK_TEST(records_of_an_earlier_round_are_not_read),
        DESK_TEST(what_was_taken_in_vain_is_taken_again),
        DESK_TEST(when_one_segment_is_full_the_other_is_written),
        DESK_TEST(there_is_no_room_before_the_older_segment_is_released),
        DESK_TEST(more_than_a_segment_has_no_room),
        DESK_TEST(a_journal_that_was_closed_empty_says_so),
        DESK_TEST(a_journal_that_was_closed_in_need_keeps_what_it_has),
        DESK_TEST(what_was_discarded_is_gone),
        DESK_TEST(a_write_that_fails_loses_only_its_own),
        DESK_TEST(a_file_that_was_never_finished_is_made_again),
        DESK_TEST(what_is_no_journal_of_ours_is_left_alone),
        DESK_TEST(a_journal_that_was_cut_is_not_taken_for_whole),
    };
    return cmocka_run_group_tests_name("store_journal", tests, NULL, NULL);
}
