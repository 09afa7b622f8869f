/* journal_desk.h — a journal in a directory of its own, for its tests: opened as the server does it, written,
 * crashed and damaged by hand.
 */
#ifndef KS_TESTS_UNIT_STORE_JOURNAL_JOURNAL_DESK_H
#define KS_TESTS_UNIT_STORE_JOURNAL_JOURNAL_DESK_H

#include "unit/store/journal/journal_fixture.h"
#include "unit/store/store_fixture.h"

#include "crypto/random.h"
#include "store/embedded/journal/journal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { RECORD_SIZE = 72 + 8, CONTENT_SIZE = 8, SECTOR = 512, SECOND_HEAD = 2048 };

enum { IMAGE_SIZE = KS_JOURNAL_HEAD_SIZE + KS_JOURNAL_SEGMENTS * KS_JOURNAL_SEGMENT_SIZE };

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
static inline enum ks_result try_open(struct desk *desk)
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

static inline int set_up(void **state)
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

static inline int tear_down(void **state)
{
    struct desk *desk = *state;
    ks_journal_close(&desk->journal);
    close(desk->directory_fd);
    fixture_directory_remove(desk->directory);
    free(desk);
    return 0;
}

static inline struct ks_journal_record record_of(uint64_t id)
{
    static const uint8_t content[CONTENT_SIZE] = "content";
    struct ks_journal_record record = {
        .message_id = id, .type = (uint8_t)id, .content_size = sizeof content, .content = content};
    memset(record.receiver.bytes, (int)id, sizeof record.receiver.bytes);
    memset(record.sender.bytes, (int)id + 1, sizeof record.sender.bytes);
    return record;
}

static inline void add(struct desk *desk, uint64_t first, uint64_t last)
{
    assert_true(ks_journal_reserve(&desk->journal, (size_t)(last - first + 1) * RECORD_SIZE));
    for (uint64_t id = first; id <= last; id++) {
        const struct ks_journal_record record = record_of(id);
        ks_journal_add(&desk->journal, &record);
    }
}

static inline void commit(struct desk *desk, uint64_t first, uint64_t last)
{
    add(desk, first, last);
    assert_int_equal(ks_journal_commit(&desk->journal), KS_OK);
}

static inline void assert_taken(struct desk *desk, uint64_t first, uint64_t last)
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

static inline void assert_nothing_to_take(struct desk *desk)
{
    struct ks_journal_record record;
    assert_false(ks_journal_take(&desk->journal, &record));
}

/* As a crash leaves it: nothing is written any more. */
static inline void crash(struct desk *desk)
{
    assert_int_equal(close(desk->journal.fd), 0);
    desk->journal.fd = -1;
    assert_int_equal(try_open(desk), KS_OK);
}

static inline void change_byte(struct desk *desk, off_t offset)
{
    uint8_t byte = 0;
    int fd = openat(desk->directory_fd, "journal", O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

static inline uint8_t *read_image(struct desk *desk)
{
    uint8_t *image = malloc(IMAGE_SIZE);
    assert_non_null(image);
    int fd = openat(desk->directory_fd, "journal", O_RDONLY);
    assert_int_equal(pread(fd, image, IMAGE_SIZE, 0), IMAGE_SIZE);
    close(fd);
    return image;
}

static inline void write_image(struct desk *desk, const uint8_t *image)
{
    int fd = openat(desk->directory_fd, "journal", O_WRONLY);
    assert_int_equal(pwrite(fd, image, IMAGE_SIZE, 0), IMAGE_SIZE);
    close(fd);
}

/* Returns the last id. */
static inline uint64_t fill_segment(struct desk *desk, uint64_t first)
{
    uint64_t last = first + KS_JOURNAL_SEGMENT_SIZE / RECORD_SIZE - 1;
    commit(desk, first, last);
    return last;
}

#define DESK_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif
