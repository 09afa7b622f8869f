/* Unit tests of src/store/embedded/journal/journal.h: what was committed is read again, whatever else is in
 * the file.
 */
#include "unit/store/journal/journal_desk.h"

#include <sys/wait.h>

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
    assert_int_equal(ks_journal_pending(&desk->journal), 5 * RECORD_SIZE);
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

static void records_of_an_earlier_filling_are_not_read(void **state)
{
    struct desk *desk = *state;
    uint64_t oldest = fill_segment(desk, 1);
    uint64_t last = oldest;
    for (int i = 1; i < KS_JOURNAL_SEGMENTS; i++)
        last = fill_segment(desk, last + 1);
    assert_taken(desk, 1, last);
    ks_journal_released(&desk->journal, true);
    commit(desk, last + 1, last + 2); /* in the first segment again: its old 3 and more stand behind them */
    crash(desk);
    assert_taken(desk, oldest + 1, last + 2); /* of the others, nobody has said that the database has them */
    assert_nothing_to_take(desk);
}

static void records_of_an_earlier_round_are_not_read(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 10);
    assert_taken(desk, 1, 10);
    ks_journal_released(&desk->journal, true);
    ks_journal_close(&desk->journal); /* empty, and says so */
    assert_int_equal(try_open(desk), KS_OK);
    commit(desk, 11, 12);
    crash(desk);
    assert_taken(desk, 11, 12);
    assert_nothing_to_take(desk);
}

static void an_empty_journal_that_was_marked_so_has_nothing_but_what_comes(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 10);
    assert_taken(desk, 1, 10);
    ks_journal_mark_empty(&desk->journal);
    ks_journal_released(&desk->journal, true);
    ks_journal_mark_empty(&desk->journal); /* the first one came too early */
    ks_journal_mark_empty(&desk->journal);
    crash(desk);
    assert_nothing_to_take(desk);
    commit(desk, 11, 12);
    assert_taken(desk, 11, 12);
    ks_journal_released(&desk->journal, true);
    ks_journal_mark_empty(&desk->journal);
    commit(desk, 13, 14);
    crash(desk);
    assert_taken(desk, 13, 14);
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

static void when_one_segment_is_full_the_next_is_written(void **state)
{
    struct desk *desk = *state;
    uint64_t last = fill_segment(desk, 1);
    commit(desk, last + 1, last + 2);
    crash(desk);
    assert_taken(desk, 1, last + 2);
    assert_nothing_to_take(desk);
}

static void there_is_no_room_before_the_oldest_segment_is_left_behind(void **state)
{
    struct desk *desk = *state;
    uint64_t oldest = fill_segment(desk, 1);
    uint64_t last = oldest;
    for (int i = 1; i < KS_JOURNAL_SEGMENTS; i++)
        last = fill_segment(desk, last + 1);
    assert_false(ks_journal_reserve(&desk->journal, RECORD_SIZE));
    assert_taken(desk, 1, oldest + 1);
    assert_false(ks_journal_reserve(&desk->journal, RECORD_SIZE));
    ks_journal_released(&desk->journal, true);
    commit(desk, last + 1, last + 1);
    crash(desk);
    assert_taken(desk, oldest + 1, last + 1);
    assert_nothing_to_take(desk);
}

/* Always with as much pending as two segments have. */
static void the_ring_goes_round_and_round(void **state)
{
    struct desk *desk = *state;
    uint64_t first = 1;
    uint64_t middle = fill_segment(desk, 1);
    uint64_t last = fill_segment(desk, middle + 1);
    for (int i = 0; i < KS_JOURNAL_SEGMENTS + 2; i++) {
        assert_taken(desk, first, middle);
        ks_journal_released(&desk->journal, true);
        assert_int_equal(ks_journal_pending(&desk->journal), (last - middle) * RECORD_SIZE);
        first = middle + 1;
        middle = last;
        last = fill_segment(desk, last + 1);
    }
    desk->in_database = first - 1;
    crash(desk);
    assert_int_equal(ks_journal_pending(&desk->journal), (last - first + 1) * RECORD_SIZE);
    assert_taken(desk, first, last);
    assert_nothing_to_take(desk);
}

static void what_is_released_is_told_to_who_waits_for_it(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 4);
    const uint64_t end = ks_journal_end(&desk->journal);
    commit(desk, 5, 5);
    assert_taken(desk, 1, 4);
    assert_int_equal(ks_journal_taken(&desk->journal), end);
    assert_false(ks_journal_is_released(&desk->journal, end));
    ks_journal_released(&desk->journal, true);
    assert_true(ks_journal_is_released(&desk->journal, end));
    assert_false(ks_journal_is_released(&desk->journal, ks_journal_end(&desk->journal)));
    assert_taken(desk, 5, 5);
    ks_journal_released(&desk->journal, false);
    assert_int_equal(ks_journal_taken(&desk->journal), end);
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

/* ---- the head ---- */

static void either_copy_of_the_head_is_enough(void **state)
{
    struct desk *desk = *state;
    commit(desk, 1, 4);
    for (off_t byte = 0; byte < 36; byte += 3) { /* of each part of it one at least */
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
    found[16] = 4;
    memset(found + SECOND_HEAD, 0, 36);
    write_image(desk, found);
    free(found);
    assert_int_equal(try_open(desk), KS_INVALID);
    assert_non_null(strstr(desk->why, "version 4"));
    assert_non_null(strstr(desk->why, "newer"));
}

/* As a kesher with two segments left it. */
static void a_journal_of_version_2_is_read_and_made_a_ring(void **state)
{
    enum { SIZE_BEFORE = KS_JOURNAL_HEAD_SIZE + KS_JOURNAL_SEGMENTS_BEFORE * KS_JOURNAL_SEGMENT_SIZE };
    struct desk *desk = *state;
    uint64_t last = fill_segment(desk, 1);
    commit(desk, last + 1, last + 2);
    close(desk->journal.fd);
    desk->journal.fd = -1;
    uint8_t *image = read_image(desk);
    fixture_journal_2_head(image, desk->journal.salt);
    fixture_journal_2_head(image + SECOND_HEAD, desk->journal.salt);
    write_image(desk, image);
    free(image);
    int fd = openat(desk->directory_fd, "journal", O_WRONLY);
    assert_int_equal(ftruncate(fd, SIZE_BEFORE), 0);
    close(fd);
    assert_int_equal(try_open(desk), KS_OK);
    assert_taken(desk, 1, last + 2);
    assert_nothing_to_take(desk);
    ks_journal_released(&desk->journal, true);
    assert_int_equal(ks_journal_begin(&desk->journal), KS_OK);
    for (int i = 0; i < KS_JOURNAL_SEGMENTS; i++)
        last = fill_segment(desk, last + 3) - 2;
    crash(desk);
    assert_false(ks_journal_reserve(&desk->journal, RECORD_SIZE));
    assert_int_equal(ks_journal_pending(&desk->journal),
                     KS_JOURNAL_SEGMENTS * (KS_JOURNAL_SEGMENT_SIZE / RECORD_SIZE) * RECORD_SIZE);
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

/* Is killed while it writes a new journal. */
static void be_cut_off(struct desk *desk)
{
    const struct rlimit limit = {.rlim_cur = 1000000, .rlim_max = 1000000};
    const struct rlimit no_core = {0};
    pid_t child = fork();
    int status = 0;
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGXFSZ, SIG_DFL);
        setrlimit(RLIMIT_CORE, &no_core);
        setrlimit(RLIMIT_FSIZE, &limit);
        (void)try_open(desk);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

/* New blocks of a file, which no sync has reached, may hold anything after a power cut. */
static void fill_with_garbage(struct desk *desk, const char *name)
{
    struct stat status;
    static uint8_t garbage[1000000];
    memset(garbage, 0xa5, sizeof garbage);
    int fd = openat(desk->directory_fd, name, O_WRONLY);
    if (fd < 0)
        return;
    assert_int_equal(fstat(fd, &status), 0);
    assert_in_range(status.st_size, 1, sizeof garbage);
    assert_int_equal(pwrite(fd, garbage, (size_t)status.st_size, 0), status.st_size);
    close(fd);
}

static void a_power_cut_while_the_file_is_made_leaves_nothing_that_matters(void **state)
{
    struct desk *desk = *state;
    ks_journal_close(&desk->journal);
    assert_int_equal(unlinkat(desk->directory_fd, "journal", 0), 0);
    be_cut_off(desk);
    fill_with_garbage(desk, "journal");
    fill_with_garbage(desk, "journal.new");
    assert_int_equal(try_open(desk), KS_OK);
    assert_int_equal(faccessat(desk->directory_fd, "journal.new", F_OK, 0), -1);
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
    write_file(desk, "kesher journal\n\0\1", 17, 2000000); /* and of another size */
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

int main(void)
{
    signal(SIGXFSZ, SIG_IGN);
    const struct CMUnitTest tests[] = {
        DESK_TEST(a_new_journal_has_nothing),
        DESK_TEST(what_was_committed_is_there_after_a_crash),
        DESK_TEST(what_was_not_committed_is_not),
        DESK_TEST(places_and_empty_contents_are_kept),
        DESK_TEST(records_of_an_earlier_filling_are_not_read),
        DESK_TEST(records_of_an_earlier_round_are_not_read),
        DESK_TEST(an_empty_journal_that_was_marked_so_has_nothing_but_what_comes),
        DESK_TEST(what_was_taken_in_vain_is_taken_again),
        DESK_TEST(when_one_segment_is_full_the_next_is_written),
        DESK_TEST(there_is_no_room_before_the_oldest_segment_is_left_behind),
        DESK_TEST(the_ring_goes_round_and_round),
        DESK_TEST(what_is_released_is_told_to_who_waits_for_it),
        DESK_TEST(more_than_a_segment_has_no_room),
        DESK_TEST(a_journal_that_was_closed_empty_says_so),
        DESK_TEST(a_journal_that_was_closed_in_need_keeps_what_it_has),
        DESK_TEST(nothing_is_added_before_a_round_has_begun),
        DESK_TEST(what_the_database_has_is_not_taken),
        DESK_TEST(either_copy_of_the_head_is_enough),
        DESK_TEST(a_head_that_was_wiped_is_no_empty_journal),
        DESK_TEST(a_newer_version_is_told),
        DESK_TEST(a_journal_of_version_2_is_read_and_made_a_ring),
        DESK_TEST(a_write_that_fails_loses_only_its_own),
        DESK_TEST(a_file_that_was_never_finished_is_made_again),
        DESK_TEST(a_power_cut_while_the_file_is_made_leaves_nothing_that_matters),
        DESK_TEST(what_is_no_journal_of_ours_is_left_alone),
        DESK_TEST(a_journal_that_was_cut_is_not_taken_for_whole),
    };
    return cmocka_run_group_tests_name("store_journal", tests, NULL, NULL);
}
