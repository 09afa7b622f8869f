/* Unit tests of the small rooms of base: result.h, buffer.h, clock.h, file.h and log.h. */
#include "unit/unit.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/result.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- results ---- */

static void every_result_has_a_text_of_its_own(void **state)
{
    (void)state;
    for (int left = KS_OK; left <= KS_CLOSED; left++) {
        assert_string_not_equal(ks_result_text((enum ks_result)left), "unknown result");
        for (int right = KS_OK; right < left; right++)
            assert_string_not_equal(ks_result_text((enum ks_result)left),
                                    ks_result_text((enum ks_result)right));
    }
}

static void errno_becomes_a_result(void **state)
{
    (void)state;
    assert_int_equal(ks_result_from_errno(ENOSPC), KS_NO_SPACE);
    assert_int_equal(ks_result_from_errno(EDQUOT), KS_NO_SPACE);
    assert_int_equal(ks_result_from_errno(ENOMEM), KS_NO_MEMORY);
    assert_int_equal(ks_result_from_errno(ENOENT), KS_NOT_FOUND);
    assert_int_equal(ks_result_from_errno(EEXIST), KS_EXISTS);
    assert_int_equal(ks_result_from_errno(EIO), KS_IO);
    assert_int_equal(ks_result_from_errno(EACCES), KS_IO);
}

/* ---- buffers ---- */

static void buffer_grows_and_keeps_its_bytes(void **state)
{
    (void)state;
    struct ks_buffer buffer = ks_buffer_empty(0);
    for (unsigned i = 0; i < 10000; i++) {
        uint8_t byte = (uint8_t)(i * 7);
        assert_int_equal(ks_buffer_append(&buffer, &byte, 1), KS_OK);
    }
    assert_int_equal(buffer.size, 10000);
    for (unsigned i = 0; i < 10000; i++)
        assert_int_equal(buffer.bytes[i], (uint8_t)(i * 7));
    ks_buffer_free(&buffer);
}

static void buffer_never_passes_its_limit(void **state)
{
    (void)state;
    uint8_t bytes[200] = {0};
    struct ks_buffer buffer = ks_buffer_empty(100);
    assert_int_equal(ks_buffer_append(&buffer, bytes, 101), KS_TOO_LARGE);
    assert_int_equal(ks_buffer_append(&buffer, bytes, 70), KS_OK);
    assert_int_equal(ks_buffer_append(&buffer, bytes, 31), KS_TOO_LARGE);
    assert_int_equal(buffer.size, 70);
    assert_int_equal(ks_buffer_append(&buffer, bytes, 30), KS_OK);
    assert_int_equal(buffer.size, 100);
    assert_int_equal(buffer.capacity, 100); /* doubling stops there too */
    assert_int_equal(ks_buffer_append(&buffer, bytes, 1), KS_TOO_LARGE);
    assert_int_equal(ks_buffer_append(&buffer, bytes, 0), KS_OK);
    ks_buffer_free(&buffer);
}

static void buffer_refuses_sizes_that_would_wrap_round(void **state)
{
    (void)state;
    struct ks_buffer buffer = ks_buffer_empty(0);
    assert_int_equal(ks_buffer_append(&buffer, "a", 1), KS_OK);
    assert_int_equal(ks_buffer_reserve(&buffer, SIZE_MAX), KS_TOO_LARGE);
    assert_int_equal(ks_buffer_reserve(&buffer, SIZE_MAX - 1), KS_TOO_LARGE);
    assert_int_equal(ks_buffer_reserve(&buffer, SIZE_MAX / 2), KS_TOO_LARGE);
    assert_int_equal(buffer.size, 1);
    ks_buffer_free(&buffer);
}

static void buffer_is_unchanged_when_there_is_no_memory(void **state)
{
    (void)state;
    struct ks_buffer buffer = ks_buffer_empty(0);
    assert_int_equal(ks_buffer_append(&buffer, "abc", 3), KS_OK);
    struct ks_buffer before = buffer;
    assert_int_equal(ks_buffer_reserve(&buffer, SIZE_MAX / 4), KS_NO_MEMORY);
    assert_memory_equal(&buffer, &before, sizeof buffer);
    assert_memory_equal(buffer.bytes, "abc", 3);
    ks_buffer_free(&buffer);
}

static void reserving_makes_room_and_leaves_the_size(void **state)
{
    (void)state;
    struct ks_buffer buffer = ks_buffer_empty(0);
    assert_int_equal(ks_buffer_reserve(&buffer, 0), KS_OK);
    assert_null(buffer.bytes);
    assert_int_equal(ks_buffer_reserve(&buffer, 1000), KS_OK);
    assert_true(buffer.capacity >= 1000);
    assert_int_equal(buffer.size, 0);
    memset(buffer.bytes, 'r', 1000);
    ks_buffer_free(&buffer);
}

static void dropping_the_front_moves_the_rest_up(void **state)
{
    (void)state;
    struct ks_buffer buffer = ks_buffer_empty(0);
    ks_buffer_drop_front(&buffer, 5);
    assert_int_equal(buffer.size, 0);
    assert_int_equal(ks_buffer_append(&buffer, "abcdef", 6), KS_OK);
    ks_buffer_drop_front(&buffer, 0);
    assert_int_equal(buffer.size, 6);
    ks_buffer_drop_front(&buffer, 2);
    assert_int_equal(buffer.size, 4);
    assert_memory_equal(buffer.bytes, "cdef", 4);
    ks_buffer_drop_front(&buffer, 4);
    assert_int_equal(buffer.size, 0);
    assert_int_equal(ks_buffer_append(&buffer, "g", 1), KS_OK);
    ks_buffer_drop_front(&buffer, 100);
    assert_int_equal(buffer.size, 0);
    ks_buffer_free(&buffer);
}

static void freed_and_wiped_buffers_are_empty_and_usable(void **state)
{
    (void)state;
    struct ks_buffer buffer = ks_buffer_empty(10);
    ks_buffer_wipe(&buffer);
    assert_int_equal(ks_buffer_append(&buffer, "abc", 3), KS_OK);
    ks_buffer_wipe(&buffer);
    assert_null(buffer.bytes);
    assert_int_equal(buffer.size + buffer.capacity, 0);
    assert_int_equal(ks_buffer_append(&buffer, "abc", 3), KS_OK);
    ks_buffer_free(&buffer);
    assert_null(buffer.bytes);
    assert_int_equal(buffer.limit, 10);
    ks_buffer_free(&buffer);
}

/* ---- clock ---- */

static void assert_utc(int64_t seconds, const char *expected)
{
    char text[KS_CLOCK_TEXT_SIZE];
    ks_clock_format_utc(seconds, text);
    assert_string_equal(text, expected);
}

static void clock_writes_utc(void **state)
{
    (void)state;
    assert_utc(0, "1970-01-01 00:00:00");
    assert_utc(951827696, "2000-02-29 12:34:56");
    assert_utc(2147483648, "2038-01-19 03:14:08");
    assert_utc(253402300799, "9999-12-31 23:59:59");
}

static void clock_shows_the_zone(void **state)
{
    (void)state;
    char text[KS_CLOCK_SHOWN_SIZE];
    ks_clock_show(951827696, text);
    assert_string_equal(text, "2000-02-29T12:34:56Z");
}

static void clock_writes_something_harmless_where_a_date_has_no_room(void **state)
{
    (void)state;
    assert_utc(253402300800, "1970-01-01 00:00:00"); /* the year 10000 */
    assert_utc(INT64_MAX, "1970-01-01 00:00:00");
    assert_utc(-62135596801, "1970-01-01 00:00:00"); /* the year 0, too short for who counts on its size */
    char text[KS_CLOCK_SHOWN_SIZE];
    ks_clock_show(-62135596801, text);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
}

static void system_clock_goes_on_and_is_after_2020(void **state)
{
    (void)state;
    const struct ks_clock *clock = ks_clock_system();
    uint64_t before = ks_clock_monotonic_ms(clock);
    assert_true(ks_clock_monotonic_ms(clock) >= before);
    assert_true(ks_clock_wall_seconds(clock) > 1577836800);
}

/* ---- files: each test in a directory of its own ---- */

struct place {
    char path[64];
    int fd;
};

static int enter_place(void **state)
{
    static struct place place;
    snprintf(place.path, sizeof place.path, "/tmp/kesher-test-XXXXXX");
    if (mkdtemp(place.path) == NULL)
        return -1;
    place.fd = open(place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = &place;
    return place.fd < 0 ? -1 : 0;
}

/* How many entries the place has; with `remove`, none afterwards. */
static int entries_of(const struct place *place, bool remove_them)
{
    int count = 0;
    DIR *directory = opendir(place->path);
    assert_non_null(directory);
    const struct dirent *entry = NULL;
    while ((entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        count++;
        if (remove_them && unlinkat(place->fd, entry->d_name, 0) != 0)
            unlinkat(place->fd, entry->d_name, AT_REMOVEDIR);
    }
    closedir(directory);
    return count;
}

static int leave_place(void **state)
{
    struct place *place = *state;
    entries_of(place, true);
    close(place->fd);
    return rmdir(place->path);
}

static void assert_file_holds(const struct place *place, const char *name, const char *expected)
{
    struct ks_buffer buffer = ks_buffer_empty(1024);
    assert_int_equal(ks_file_read(place->fd, name, &buffer), KS_OK);
    assert_int_equal(buffer.size, strlen(expected));
    if (buffer.size > 0)
        assert_memory_equal(buffer.bytes, expected, buffer.size);
    ks_buffer_free(&buffer);
}

static void replaced_file_holds_exactly_the_new_bytes(void **state)
{
    const struct place *place = *state;
    assert_int_equal(ks_file_replace(place->fd, "a", "first and long", 14, 0600), KS_OK);
    assert_file_holds(place, "a", "first and long");
    assert_int_equal(ks_file_replace(place->fd, "a", "second", 6, 0600), KS_OK);
    assert_file_holds(place, "a", "second");
    assert_int_equal(ks_file_replace(place->fd, "a", NULL, 0, 0600), KS_OK);
    assert_file_holds(place, "a", "");
    assert_int_equal(entries_of(place, false), 1); /* nothing temporary stays */
}

static void replaced_file_has_exactly_the_mode_asked_for(void **state)
{
    const struct place *place = *state;
    static const mode_t modes[] = {0600, 0644, 0400};
    mode_t mask = umask(077);
    for (size_t i = 0; i < KS_COUNT_OF(modes); i++) {
        struct stat status;
        assert_int_equal(ks_file_replace(place->fd, "a", "x", 1, modes[i]), KS_OK);
        assert_int_equal(fstatat(place->fd, "a", &status, 0), 0);
        assert_int_equal(status.st_mode & 07777, modes[i]);
    }
    umask(mask);
}

static void failed_replacement_leaves_the_old_file_and_nothing_else(void **state)
{
    const struct place *place = *state;
    assert_int_equal(ks_file_replace(place->fd, "a", "old", 3, 0600), KS_OK);
    /* The file system takes no more than four bytes of any file: writing fails half-way. */
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit tight = {.rlim_cur = 4, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    enum ks_result result = ks_file_replace(place->fd, "a", "new and long", 12, 0600);
    int error_number = errno;
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(result, KS_IO);
    assert_int_equal(error_number, EFBIG);
    assert_file_holds(place, "a", "old");
    assert_int_equal(entries_of(place, false), 1);
}

static void file_that_cannot_be_renamed_over_stays(void **state)
{
    const struct place *place = *state;
    assert_int_equal(mkdirat(place->fd, "d", 0700), 0);
    assert_int_equal(ks_file_replace(place->fd, "d", "x", 1, 0600), KS_IO);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(entries_of(place, false), 1);
}

static void name_too_long_to_replace_is_refused(void **state)
{
    const struct place *place = *state;
    char name[300];
    memset(name, 'n', sizeof name);
    name[200] = '\0';
    assert_int_equal(ks_file_replace(place->fd, name, "x", 1, 0600), KS_OK);
    name[200] = 'n';
    name[299] = '\0';
    assert_int_equal(ks_file_replace(place->fd, name, "x", 1, 0600), KS_IO);
    assert_int_equal(errno, ENAMETOOLONG);
}

static void directories_are_made_with_their_parents(void **state)
{
    const struct place *place = *state;
    char path[128];
    struct stat status;
    assert_true(snprintf(path, sizeof path, "%s/a/b//c/", place->path) > 0);
    assert_true(ks_file_make_directories(path));
    assert_true(ks_file_make_directories(path));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(ks_file_replace(place->fd, "file", "x", 1, 0600), KS_OK);
    assert_true(snprintf(path, sizeof path, "%s/file/d", place->path) > 0);
    assert_false(ks_file_make_directories(path));
    assert_int_equal(errno, ENOTDIR);
    assert_int_equal(unlinkat(place->fd, "a/b/c", AT_REMOVEDIR), 0);
    assert_int_equal(unlinkat(place->fd, "a/b", AT_REMOVEDIR), 0);
}

static void link_in_the_place_of_the_temporary_file_is_not_followed(void **state)
{
    const struct place *place = *state;
    char temporary[64];
    snprintf(temporary, sizeof temporary, ".a.%ld.tmp", (long)getpid());
    assert_int_equal(ks_file_replace(place->fd, "victim", "intact", 6, 0600), KS_OK);
    assert_int_equal(symlinkat("victim", place->fd, temporary), 0);
    assert_int_equal(ks_file_replace(place->fd, "a", "x", 1, 0600), KS_IO);
    assert_file_holds(place, "victim", "intact");
}

static void file_is_read_up_to_the_limit_of_the_buffer(void **state)
{
    const struct place *place = *state;
    uint8_t bytes[10000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31);
    assert_int_equal(ks_file_replace(place->fd, "a", bytes, sizeof bytes, 0600), KS_OK);
    struct ks_buffer exact = ks_buffer_empty(sizeof bytes);
    assert_int_equal(ks_file_read(place->fd, "a", &exact), KS_OK);
    assert_int_equal(exact.size, sizeof bytes);
    assert_memory_equal(exact.bytes, bytes, sizeof bytes);
    ks_buffer_free(&exact);
    struct ks_buffer tight = ks_buffer_empty(sizeof bytes - 1);
    assert_int_equal(ks_file_read(place->fd, "a", &tight), KS_TOO_LARGE);
    ks_buffer_free(&tight);
}

static void file_that_cannot_be_read_says_why(void **state)
{
    const struct place *place = *state;
    struct ks_buffer buffer = ks_buffer_empty(100);
    assert_int_equal(ks_file_read(place->fd, "missing", &buffer), KS_NOT_FOUND);
    assert_int_equal(ks_file_read(place->fd, ".", &buffer), KS_IO);
    assert_int_equal(errno, EISDIR);
    ks_buffer_free(&buffer);
}

static void writing_goes_on_over_short_writes(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    static uint8_t bytes[1024 * 1024]; /* more than a pipe holds */
    assert_int_equal(ks_file_write_all(ends[1], bytes, sizeof bytes), KS_IO);
    assert_int_equal(errno, EAGAIN);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(ks_file_write_all(-1, "x", 1), KS_IO);
    assert_int_equal(ks_file_write_all(-1, NULL, 0), KS_OK);
}

struct drain {
    int fd;
    size_t size;
};

static void *drain_main(void *argument)
{
    struct drain *drain = argument;
    uint8_t bytes[1000];
    ssize_t got = 0;
    while ((got = read(drain->fd, bytes, sizeof bytes)) > 0)
        drain->size += (size_t)got;
    return NULL;
}

static void everything_is_written_however_slowly_it_is_taken(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct drain drain = {.fd = ends[0]};
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, drain_main, &drain), 0);
    static uint8_t bytes[1024 * 1024];
    assert_int_equal(ks_file_write_all(ends[1], bytes, sizeof bytes), KS_OK);
    close(ends[1]);
    pthread_join(reader, NULL);
    close(ends[0]);
    assert_int_equal(drain.size, sizeof bytes);
}

static void writing_at_a_place_leaves_the_rest(void **state)
{
    const struct place *place = *state;
    assert_int_equal(ks_file_replace(place->fd, "a", "0123456789", 10, 0600), KS_OK);
    int fd = openat(place->fd, "a", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ks_file_write_all_at(fd, "abc", 3, 4), KS_OK);
    assert_int_equal(ks_file_write_all_at(fd, "X", 1, -1), KS_IO);
    close(fd);
    assert_file_holds(place, "a", "0123abc789");
}

/* ---- log ---- */

/* What one line of log amounts to, read back from a pipe. */
static size_t logged(enum ks_log_level level, enum ks_log_level limit, bool journald, const char *text,
                     char *line, size_t size)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    const struct ks_log log = {.fd = ends[1], .level = limit, .journald = journald};
    errno = ECHILD;
    ks_log_write(&log, level, "%s", text);
    assert_int_equal(errno, ECHILD);
    ssize_t got = read(ends[0], line, size - 1);
    close(ends[0]);
    close(ends[1]);
    line[got > 0 ? got : 0] = '\0';
    return strlen(line);
}

static void log_line_has_a_stamp_a_level_and_its_text(void **state)
{
    (void)state;
    char line[200];
    logged(KS_LOG_WARNING, KS_LOG_INFO, false, "the disk is nearly full", line, sizeof line);
    int stamp[7] = {0};
    char offset[6] = "";
    int used = 0;
    assert_int_equal(sscanf(line, "%4d-%2d-%2d %2d:%2d:%2d.%3d%5[-+0-9] %n", &stamp[0], &stamp[1], &stamp[2],
                            &stamp[3], &stamp[4], &stamp[5], &stamp[6], offset, &used),
                     8);
    assert_int_equal(strlen(offset), 5); /* from UTC, "+0200" */
    assert_string_equal(line + used, "warning the disk is nearly full\n");
}

static void log_line_for_journald_has_a_priority_instead(void **state)
{
    (void)state;
    static const char *const expected[] = {"<3>x\n", "<4>x\n", "<5>x\n", "<6>x\n", "<7>x\n"};
    for (int level = KS_LOG_ERROR; level <= KS_LOG_DEBUG; level++) {
        char line[20];
        logged((enum ks_log_level)level, KS_LOG_DEBUG, true, "x", line, sizeof line);
        assert_string_equal(line, expected[level]);
    }
}

static void log_drops_lines_above_its_level(void **state)
{
    (void)state;
    for (int limit = KS_LOG_ERROR; limit <= KS_LOG_DEBUG; limit++)
        for (int level = KS_LOG_ERROR; level <= KS_LOG_DEBUG; level++) {
            char line[20];
            size_t size =
                logged((enum ks_log_level)level, (enum ks_log_level)limit, true, "x", line, sizeof line);
            assert_int_equal(size > 0, level <= limit);
        }
}

static void long_log_line_is_cut_and_still_ends_in_a_newline(void **state)
{
    (void)state;
    char text[3000];
    char line[3000];
    for (size_t length = 1000; length < 1100; length++) {
        memset(text, 'x', length);
        text[length] = '\0';
        size_t whole = length + 4; /* "<3>" and the newline */
        size_t size = logged(KS_LOG_ERROR, KS_LOG_ERROR, true, text, line, sizeof line);
        assert_int_equal(size, whole < 1023 ? whole : 1023);
        assert_int_equal(line[size - 1], '\n');
        assert_int_equal(line[size - 2], 'x');
    }
}

static void log_that_nobody_takes_is_no_error(void **state)
{
    (void)state;
    const struct ks_log log = {.fd = -1, .level = KS_LOG_DEBUG};
    errno = 0;
    ks_log_error(&log, "number %d", 5);
    assert_int_equal(errno, 0);
}

static void log_levels_have_names(void **state)
{
    (void)state;
    static const char *const names[] = {"error", "warning", "notice", "info", "debug"};
    enum ks_log_level level = KS_LOG_DEBUG;
    for (size_t i = 0; i < KS_COUNT_OF(names); i++) {
        assert_true(ks_log_level_parse(names[i], &level));
        assert_int_equal(level, i);
    }
    assert_false(ks_log_level_parse("", &level));
    assert_false(ks_log_level_parse("Error", &level));
    assert_false(ks_log_level_parse("errors", &level));
}

static void log_takes_the_form_of_journald_where_stderr_goes_there(void **state)
{
    (void)state;
    unsetenv("JOURNAL_STREAM");
    struct ks_log log = ks_log_to_stderr(KS_LOG_NOTICE);
    assert_int_equal(log.fd, STDERR_FILENO);
    assert_int_equal(log.level, KS_LOG_NOTICE);
    assert_false(log.journald);
    struct stat status;
    char stream[64];
    assert_int_equal(fstat(STDERR_FILENO, &status), 0);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    assert_true(ks_log_to_stderr(KS_LOG_NOTICE).journald);
    snprintf(stream, sizeof stream, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino + 1);
    setenv("JOURNAL_STREAM", stream, 1);
    assert_false(ks_log_to_stderr(KS_LOG_NOTICE).journald);
    unsetenv("JOURNAL_STREAM");
}

#define IN_A_PLACE(function) cmocka_unit_test_setup_teardown(function, enter_place, leave_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_result_has_a_text_of_its_own),
        cmocka_unit_test(errno_becomes_a_result),
        cmocka_unit_test(buffer_grows_and_keeps_its_bytes),
        cmocka_unit_test(buffer_never_passes_its_limit),
        cmocka_unit_test(buffer_refuses_sizes_that_would_wrap_round),
        cmocka_unit_test(buffer_is_unchanged_when_there_is_no_memory),
        cmocka_unit_test(reserving_makes_room_and_leaves_the_size),
        cmocka_unit_test(dropping_the_front_moves_the_rest_up),
        cmocka_unit_test(freed_and_wiped_buffers_are_empty_and_usable),
        cmocka_unit_test(clock_writes_utc),
        cmocka_unit_test(clock_shows_the_zone),
        cmocka_unit_test(clock_writes_something_harmless_where_a_date_has_no_room),
        cmocka_unit_test(system_clock_goes_on_and_is_after_2020),
        IN_A_PLACE(replaced_file_holds_exactly_the_new_bytes),
        IN_A_PLACE(replaced_file_has_exactly_the_mode_asked_for),
        IN_A_PLACE(failed_replacement_leaves_the_old_file_and_nothing_else),
        IN_A_PLACE(file_that_cannot_be_renamed_over_stays),
        IN_A_PLACE(name_too_long_to_replace_is_refused),
        IN_A_PLACE(directories_are_made_with_their_parents),
        IN_A_PLACE(link_in_the_place_of_the_temporary_file_is_not_followed),
        IN_A_PLACE(file_is_read_up_to_the_limit_of_the_buffer),
        IN_A_PLACE(file_that_cannot_be_read_says_why),
        cmocka_unit_test(writing_goes_on_over_short_writes),
        cmocka_unit_test(everything_is_written_however_slowly_it_is_taken),
        IN_A_PLACE(writing_at_a_place_leaves_the_rest),
        cmocka_unit_test(log_line_has_a_stamp_a_level_and_its_text),
        cmocka_unit_test(log_line_for_journald_has_a_priority_instead),
        cmocka_unit_test(log_drops_lines_above_its_level),
        cmocka_unit_test(long_log_line_is_cut_and_still_ends_in_a_newline),
        cmocka_unit_test(log_that_nobody_takes_is_no_error),
        cmocka_unit_test(log_levels_have_names),
        cmocka_unit_test(log_takes_the_form_of_journald_where_stderr_goes_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
