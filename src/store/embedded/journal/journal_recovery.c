/* journal_recovery.c — see journal_recovery.h. A record tells its batch, and that where the batch begins in
 * which filling of the segment (journal.h): so what an earlier filling has left behind the end of this one,
 * or between the sectors of a torn write, is known for what it is. */
#include "store/embedded/journal/journal_recovery.h"

#include "base/file.h"
#include "store/embedded/journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A segment on its way to its messages. */
struct journal_walk {
    uint8_t *bytes;
    uint64_t salt;
    uint64_t filling;    /* the last one of this segment */
    uint64_t last_batch; /* of the whole journal */
    uint64_t in_database;
    size_t kept; /* bytes of messages that stay */
    size_t left_out;
    struct ks_buffer *damaged;
};

/* ---- records in a segment ---- */

static bool is_sound(const struct journal_walk *walk, size_t at)
{
    return ks_journal_record_is_sound(walk->bytes + at, KS_JOURNAL_SEGMENT_SIZE - at, walk->salt);
}

static uint64_t batch_at(const struct journal_walk *walk, size_t at)
{
    return ks_journal_record_batch(walk->bytes + at);
}

static bool is_current(const struct journal_walk *walk, size_t at)
{
    return is_sound(walk, at) && batch_at(walk, at) / KS_JOURNAL_SEGMENT_SIZE == walk->filling &&
           batch_at(walk, at) % KS_JOURNAL_SEGMENT_SIZE <= at;
}

static bool is_new(const struct journal_walk *walk, size_t at)
{
    return ks_journal_record_id(walk->bytes + at) > walk->in_database;
}

/* Most of a journal is blank, most of the time: what is, has no record. */
static size_t skip_blank(const struct journal_walk *walk, size_t at)
{
    static const uint8_t blank[4096] = {0};
    while (at % sizeof blank == 0 && at < KS_JOURNAL_SEGMENT_SIZE &&
           memcmp(walk->bytes + at, blank, sizeof blank) == 0)
        at += sizeof blank;
    return at;
}

/* The first record of the last filling from here on; KS_JOURNAL_SEGMENT_SIZE when there is none. */
static size_t find_current(const struct journal_walk *walk, size_t at)
{
    at = skip_blank(walk, at);
    while (at < KS_JOURNAL_SEGMENT_SIZE && !is_current(walk, at))
        at = skip_blank(walk, at + KS_JOURNAL_RECORD_ALIGNMENT);
    return at < KS_JOURNAL_SEGMENT_SIZE ? at : KS_JOURNAL_SEGMENT_SIZE;
}

/* The highest batch that a record here tells of; 0 when there is none. */
static uint64_t highest_batch(const struct journal_walk *walk)
{
    uint64_t highest = 0;
    size_t at = 0;
    while ((at = skip_blank(walk, at)) < KS_JOURNAL_SEGMENT_SIZE) {
        bool sound = is_sound(walk, at);
        if (sound && batch_at(walk, at) > highest)
            highest = batch_at(walk, at);
        at += sound ? ks_journal_record_stored_size(walk->bytes + at) : KS_JOURNAL_RECORD_ALIGNMENT;
    }
    return highest;
}

/* Returns the record's size. */
static size_t keep_if_new(struct journal_walk *walk, size_t at)
{
    size_t size = ks_journal_record_stored_size(walk->bytes + at);
    if (is_new(walk, at)) {
        memmove(walk->bytes + walk->kept, walk->bytes + at, size);
        walk->kept += size;
    }
    return size;
}

static void count_left_out(struct journal_walk *walk, size_t at)
{
    while ((at = find_current(walk, at)) < KS_JOURNAL_SEGMENT_SIZE) {
        walk->left_out += is_new(walk, at) ? 1 : 0;
        at += ks_journal_record_stored_size(walk->bytes + at);
    }
}

/* Where what is surely lost ends, of the damage between `at` and the record at `next`. */
static size_t end_of_lost(const struct journal_walk *walk, size_t at, size_t next)
{
    size_t start = batch_at(walk, next) % KS_JOURNAL_SEGMENT_SIZE;
    if (batch_at(walk, next) < walk->last_batch)
        return next;
    return start > at ? start : at;
}

/* What the last filling has from the beginning on. KS_OK, KS_NO_MEMORY. */
static enum ks_result walk_through(struct journal_walk *walk)
{
    enum ks_result result = KS_OK;
    size_t at = 0;
    while (at < KS_JOURNAL_SEGMENT_SIZE && result == KS_OK) {
        if (is_current(walk, at)) {
            at += keep_if_new(walk, at);
            continue;
        }
        size_t next = find_current(walk, at);
        if (next == KS_JOURNAL_SEGMENT_SIZE)
            return KS_OK;
        size_t end = end_of_lost(walk, at, next);
        if (is_new(walk, next)) /* else all of it is in the database */
            result = ks_buffer_append(walk->damaged, walk->bytes + at, end - at);
        if (end < next) {
            count_left_out(walk, next);
            return result;
        }
        at = next;
    }
    return result;
}

static void set_synced(struct ks_journal_segment *segment, size_t size)
{
    segment->size = size;
    atomic_store(&segment->synced, size);
}

enum ks_result ks_journal_recovery_find(struct ks_journal_segment *segments, uint64_t salt,
                                        uint64_t in_database, struct ks_buffer *damaged, size_t *left_out)
{
    struct journal_walk walks[KS_JOURNAL_SEGMENTS];
    uint64_t last_batch = 0;
    for (size_t i = 0; i < KS_JOURNAL_SEGMENTS; i++) {
        walks[i] = (struct journal_walk){
            .bytes = segments[i].bytes, .salt = salt, .in_database = in_database, .damaged = damaged};
        uint64_t highest = highest_batch(&walks[i]);
        walks[i].filling = highest / KS_JOURNAL_SEGMENT_SIZE;
        last_batch = highest > last_batch ? highest : last_batch;
    }
    *left_out = 0;
    enum ks_result result = KS_OK;
    for (size_t i = 0; i < KS_JOURNAL_SEGMENTS && result == KS_OK; i++) {
        walks[i].last_batch = last_batch;
        result = walk_through(&walks[i]);
        set_synced(&segments[i], walks[i].kept);
        *left_out += walks[i].left_out;
    }
    return result;
}

void ks_journal_recovery_find_1(struct ks_journal_segment *segments, uint64_t in_database)
{
    for (size_t i = 0; i < KS_JOURNAL_SEGMENTS; i++) {
        struct journal_walk walk = {.bytes = segments[i].bytes, .in_database = in_database};
        uint64_t last = 0;
        size_t at = 0;
        while (ks_journal_record_is_sound_1(walk.bytes + at, KS_JOURNAL_SEGMENT_SIZE - at) &&
               ks_journal_record_id(walk.bytes + at) > last) {
            last = ks_journal_record_id(walk.bytes + at);
            at += keep_if_new(&walk, at);
        }
        set_synced(&segments[i], walk.kept);
    }
}

/* ---- what is damaged ---- */

/* Opens damaged/, which may be new. The descriptor, or -1 with errno. */
static int open_damaged(int directory_fd)
{
    if (mkdirat(directory_fd, "damaged", 0700) == 0) {
        if (fsync(directory_fd) != 0)
            return -1;
    } else if (errno != EEXIST) {
        return -1;
    }
    return openat(directory_fd, "damaged", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

enum ks_result ks_journal_recovery_put_aside(int directory_fd, const struct ks_clock *clock, uint64_t number,
                                             const struct ks_buffer *damaged,
                                             char name[static KS_JOURNAL_RECOVERY_NAME_SIZE])
{
    static const char folder[] = "damaged/";
    char now[KS_CLOCK_SHOWN_SIZE];
    ks_clock_show(ks_clock_wall_seconds(clock), now);
    snprintf(name, KS_JOURNAL_RECOVERY_NAME_SIZE, "%sjournal-%s-%016" PRIx64, folder, now, number);
    int fd = open_damaged(directory_fd);
    if (fd < 0)
        return ks_result_from_errno(errno);
    enum ks_result result =
        ks_file_replace(fd, name + sizeof folder - 1, damaged->bytes, damaged->size, 0600);
    int failure = errno;
    close(fd);
    errno = failure;
    return result;
}
