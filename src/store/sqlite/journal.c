/* journal.c — see journal.h. A record is, little-endian: CRC-32 of all that follows (4), size of all of it, a
 * multiple of 8 (4), message id (8), receiver (16), sender (16), content size (4), type (1), size of the
 * place or 0 (1), zero (2); then the place or the content. */
#include "store/sqlite/journal.h"

#include "base/bytes.h"
#include "base/file.h"
#include "crypto/crc32.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    OFFSET_CRC = 0,
    OFFSET_SIZE = 4,
    OFFSET_ID = 8,
    OFFSET_RECEIVER = 16,
    OFFSET_SENDER = 32,
    OFFSET_CONTENT_SIZE = 48,
    OFFSET_TYPE = 52,
    OFFSET_PLACE_SIZE = 53,
    OFFSET_BYTES = 56,
    ALIGNMENT = 8,
    PLACE_LIMIT = 255, /* with its NUL */
    VERSION = 1,
    MAGIC_SIZE = 16,
    SPACE_FACTOR = 4,
    MEMORY_SIZE = KS_JOURNAL_SEGMENTS * KS_JOURNAL_SEGMENT_SIZE,
    FILE_SIZE = KS_JOURNAL_HEAD_SIZE + MEMORY_SIZE,
};

static const uint8_t magic[MAGIC_SIZE] = "kesher journal\n";
static const uint8_t no_magic[MAGIC_SIZE] = {0};

/* ---- records ---- */

static uint64_t load_u64(const uint8_t *bytes)
{
    return ks_load_u32(bytes) | (uint64_t)ks_load_u32(bytes + 4) << 32;
}

static void store_u64(uint8_t *bytes, uint64_t value)
{
    ks_store_u32(bytes, (uint32_t)value);
    ks_store_u32(bytes + 4, (uint32_t)(value >> 32));
}

static size_t padded(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

size_t ks_journal_record_size(const struct ks_journal_record *record)
{
    return padded(OFFSET_BYTES + (record->place != NULL ? strlen(record->place) + 1 : record->content_size));
}

/* Of all that follows it. */
static uint32_t checksum(const uint8_t *bytes, size_t size)
{
    return ks_crc32(bytes + OFFSET_SIZE, size - OFFSET_SIZE);
}

static void encode(const struct ks_journal_record *record, uint8_t *bytes, size_t size)
{
    size_t place_size = record->place != NULL ? strlen(record->place) + 1 : 0;
    size_t content_size = record->place != NULL ? 0 : record->content_size;
    memset(bytes, 0, OFFSET_BYTES);
    ks_store_u32(bytes + OFFSET_SIZE, (uint32_t)size);
    store_u64(bytes + OFFSET_ID, record->message_id);
    memcpy(bytes + OFFSET_RECEIVER, record->receiver.bytes, KS_CLIENT_ID_SIZE);
    memcpy(bytes + OFFSET_SENDER, record->sender.bytes, KS_CLIENT_ID_SIZE);
    ks_store_u32(bytes + OFFSET_CONTENT_SIZE, record->content_size);
    bytes[OFFSET_TYPE] = record->type;
    bytes[OFFSET_PLACE_SIZE] = (uint8_t)place_size;
    if (place_size > 0)
        memcpy(bytes + OFFSET_BYTES, record->place, place_size);
    else if (content_size > 0)
        memcpy(bytes + OFFSET_BYTES, record->content, content_size);
    size_t end = OFFSET_BYTES + place_size + content_size;
    memset(bytes + end, 0, size - end);
    ks_store_u32(bytes + OFFSET_CRC, checksum(bytes, size));
}

/* Reads a sound record. Returns its size. */
static size_t decode(const uint8_t *bytes, struct ks_journal_record *record)
{
    const uint8_t *rest = bytes + OFFSET_BYTES;
    bool has_place = bytes[OFFSET_PLACE_SIZE] > 0;
    *record = (struct ks_journal_record){
        .message_id = load_u64(bytes + OFFSET_ID),
        .type = bytes[OFFSET_TYPE],
        .content_size = ks_load_u32(bytes + OFFSET_CONTENT_SIZE),
        .place = has_place ? (const char *)rest : NULL,
        .content = has_place ? NULL : rest,
    };
    memcpy(record->receiver.bytes, bytes + OFFSET_RECEIVER, KS_CLIENT_ID_SIZE);
    memcpy(record->sender.bytes, bytes + OFFSET_SENDER, KS_CLIENT_ID_SIZE);
    return ks_load_u32(bytes + OFFSET_SIZE);
}

/* Whether a sound record of a message after `last` begins here, with `left` bytes to the segment's end. */
static bool is_sound(const uint8_t *bytes, size_t left, uint64_t last)
{
    if (left < OFFSET_BYTES)
        return false;
    size_t size = ks_load_u32(bytes + OFFSET_SIZE);
    size_t place_size = bytes[OFFSET_PLACE_SIZE];
    size_t content_size = place_size > 0 ? 0 : ks_load_u32(bytes + OFFSET_CONTENT_SIZE);
    if (size > left || content_size > left || size != padded(OFFSET_BYTES + place_size + content_size) ||
        ks_load_u32(bytes + OFFSET_CRC) != checksum(bytes, size))
        return false;
    return load_u64(bytes + OFFSET_ID) > last &&
           (place_size == 0 || bytes[OFFSET_BYTES + place_size - 1] == '\0');
}

/* ---- segments ---- */

static off_t segment_offset(size_t number)
{
    return (off_t)(KS_JOURNAL_HEAD_SIZE + number * KS_JOURNAL_SEGMENT_SIZE);
}

static bool is_empty(const struct ks_journal_segment *segment)
{
    return segment->released == segment->size;
}

static void start_over(struct ks_journal_segment *segment)
{
    segment->size = 0;
    segment->synced = 0;
    segment->taken = 0;
    segment->released = 0;
}

/* Finds out what was read. Returns the first message's id; UINT64_MAX when there is none. */
static uint64_t find_records(struct ks_journal_segment *segment)
{
    uint64_t first = UINT64_MAX;
    uint64_t last = 0;
    size_t end = 0;
    start_over(segment);
    while (is_sound(segment->bytes + end, KS_JOURNAL_SEGMENT_SIZE - end, last)) {
        last = load_u64(segment->bytes + end + OFFSET_ID);
        if (end == 0)
            first = last;
        end += ks_load_u32(segment->bytes + end + OFFSET_SIZE);
    }
    segment->size = end;
    segment->synced = end;
    return first;
}

/* ---- the file ---- */

static enum ks_result read_all_at(int fd, uint8_t *bytes, size_t size, off_t offset)
{
    while (size > 0) {
        ssize_t count = pread(fd, bytes, size, offset);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return KS_IO;
        bytes += count;
        offset += count;
        size -= (size_t)count;
    }
    return KS_OK;
}

static void make_head(uint8_t head[static KS_JOURNAL_HEAD_SIZE])
{
    memset(head, 0, KS_JOURNAL_HEAD_SIZE);
    memcpy(head, magic, MAGIC_SIZE);
    ks_store_u32(head + MAGIC_SIZE, VERSION);
    ks_store_u32(head + MAGIC_SIZE + 4, KS_JOURNAL_SEGMENT_SIZE);
}

/* Whether the disk is far from full after the file is written: it must not be what fills it. */
static bool has_space(int fd)
{
    struct statvfs status;
    return fstatvfs(fd, &status) == 0 &&
           status.f_bavail > (fsblkcnt_t)(SPACE_FACTOR * FILE_SIZE) / status.f_frsize;
}

/* The head comes last: a file without one is not finished. */
static enum ks_result write_new(struct ks_journal *journal, int directory_fd)
{
    uint8_t head[KS_JOURNAL_HEAD_SIZE] = {0};
    enum ks_result result = KS_NO_SPACE;
    if (has_space(journal->fd))
        result = ks_file_write_all_at(journal->fd, head, sizeof head, 0);
    for (size_t i = 0; i < KS_JOURNAL_SEGMENTS && result == KS_OK; i++)
        result = ks_file_write_all_at(journal->fd, journal->segments[i].bytes, KS_JOURNAL_SEGMENT_SIZE,
                                      segment_offset(i));
    if (result == KS_OK && fsync(journal->fd) != 0)
        result = ks_result_from_errno(errno);
    make_head(head);
    if (result == KS_OK)
        result = ks_file_write_all_at(journal->fd, head, sizeof head, 0);
    if (result == KS_OK && (fsync(journal->fd) != 0 || fsync(directory_fd) != 0))
        result = ks_result_from_errno(errno);
    if (result != KS_OK) {
        int failure = errno;
        unlinkat(directory_fd, "journal", 0);
        errno = failure;
    }
    return result;
}

static enum ks_result read_segments(struct ks_journal *journal)
{
    uint64_t firsts[KS_JOURNAL_SEGMENTS];
    for (size_t i = 0; i < KS_JOURNAL_SEGMENTS; i++) {
        struct ks_journal_segment *segment = &journal->segments[i];
        if (read_all_at(journal->fd, segment->bytes, KS_JOURNAL_SEGMENT_SIZE, segment_offset(i)) != KS_OK)
            return KS_IO;
        firsts[i] = find_records(segment);
    }
    /* The older one is to be taken first, so it is the one that is not written. */
    journal->active = firsts[0] < firsts[1] ? 1 : 0;
    return KS_OK;
}

/* KS_NOT_FOUND when the file is new, or was never finished. */
static enum ks_result read_file(struct ks_journal *journal)
{
    uint8_t head[KS_JOURNAL_HEAD_SIZE];
    uint8_t expected[KS_JOURNAL_HEAD_SIZE];
    struct stat status;
    if (fstat(journal->fd, &status) != 0)
        return KS_IO;
    if (!S_ISREG(status.st_mode))
        return KS_INVALID;
    if (status.st_size == 0)
        return KS_NOT_FOUND;
    make_head(expected);
    if (status.st_size < (off_t)sizeof head)
        return KS_INVALID;
    if (read_all_at(journal->fd, head, sizeof head, 0) != KS_OK)
        return KS_IO;
    if (memcmp(head, no_magic, MAGIC_SIZE) == 0)
        return KS_NOT_FOUND;
    if (memcmp(head, expected, sizeof head) != 0 || status.st_size != FILE_SIZE)
        return KS_INVALID;
    return read_segments(journal);
}

/* From the system: what nobody needs goes back there (give_memory_back). */
static enum ks_result allocate(struct ks_journal *journal)
{
    void *bytes =
        mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bytes == MAP_FAILED)
        return KS_NO_MEMORY;
    journal->bytes = bytes;
    for (size_t i = 0; i < KS_JOURNAL_SEGMENTS; i++)
        journal->segments[i].bytes = journal->bytes + i * KS_JOURNAL_SEGMENT_SIZE;
    return KS_OK;
}

/* Nothing is pending: what is in memory is of no use. */
static void give_memory_back(struct ks_journal *journal)
{
    (void)madvise(journal->bytes, MEMORY_SIZE, MADV_DONTNEED); /* a hint */
}

static void close_and_free(struct ks_journal *journal)
{
    if (journal->fd >= 0)
        close(journal->fd);
    if (journal->bytes != NULL)
        munmap(journal->bytes, MEMORY_SIZE);
    ks_journal_init(journal);
}

static enum ks_result open_file(struct ks_journal *journal, int directory_fd)
{
    journal->fd = openat(directory_fd, "journal", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (journal->fd < 0)
        return ks_result_from_errno(errno);
    enum ks_result result = read_file(journal);
    return result == KS_NOT_FOUND ? write_new(journal, directory_fd) : result;
}

void ks_journal_init(struct ks_journal *journal)
{
    *journal = (struct ks_journal){.fd = -1};
}

enum ks_result ks_journal_open(struct ks_journal *journal, int directory_fd, char *why, size_t why_size)
{
    close_and_free(journal);
    enum ks_result result = allocate(journal);
    errno = 0;
    if (result == KS_OK)
        result = open_file(journal, directory_fd);
    if (result == KS_OK) {
        if (!ks_journal_is_pending(journal))
            give_memory_back(journal);
        return KS_OK;
    }
    char text[128];
    if (result == KS_INVALID)
        snprintf(why, why_size, "`journal` in the data directory is not a journal that this kesher can read");
    else
        snprintf(why, why_size, "cannot open `journal` in the data directory: %s",
                 errno != 0 ? strerror_r(errno, text, sizeof text) : ks_result_text(result));
    close_and_free(journal);
    return result == KS_INVALID || result == KS_NO_MEMORY || result == KS_NO_SPACE ? result : KS_IO;
}

void ks_journal_close(struct ks_journal *journal)
{
    ks_journal_mark_empty(journal);
    close_and_free(journal);
}

bool ks_journal_is_open(const struct ks_journal *journal)
{
    return journal->fd >= 0;
}

/* ---- writing ---- */

bool ks_journal_reserve(struct ks_journal *journal, size_t size)
{
    if (journal->fd < 0)
        return false;
    if (size <= KS_JOURNAL_SEGMENT_SIZE - journal->segments[journal->active].size)
        return true;
    size_t other = (journal->active + 1) % KS_JOURNAL_SEGMENTS;
    if (size > KS_JOURNAL_SEGMENT_SIZE || !is_empty(&journal->segments[other]))
        return false;
    start_over(&journal->segments[other]);
    journal->active = other;
    return true;
}

void ks_journal_add(struct ks_journal *journal, const struct ks_journal_record *record)
{
    struct ks_journal_segment *segment = &journal->segments[journal->active];
    size_t size = ks_journal_record_size(record);
    encode(record, segment->bytes + segment->size, size);
    segment->size += size;
}

enum ks_result ks_journal_commit(struct ks_journal *journal)
{
    struct ks_journal_segment *segment = &journal->segments[journal->active];
    enum ks_result result =
        ks_file_write_all_at(journal->fd, segment->bytes + segment->synced, segment->size - segment->synced,
                             segment_offset(journal->active) + (off_t)segment->synced);
    if (result == KS_OK && fdatasync(journal->fd) != 0)
        result = ks_result_from_errno(errno);
    if (result == KS_OK) {
        segment->synced = segment->size;
        return KS_OK;
    }
    segment->size = segment->synced;
    int failure = errno;
    close(journal->fd);
    journal->fd = -1;
    errno = failure;
    return result == KS_NO_SPACE ? KS_NO_SPACE : KS_IO;
}

/* ---- taking ---- */

static bool take_from(struct ks_journal_segment *segment, struct ks_journal_record *record)
{
    if (segment->taken >= segment->synced)
        return false;
    segment->taken += decode(segment->bytes + segment->taken, record);
    return true;
}

bool ks_journal_take(struct ks_journal *journal, struct ks_journal_record *record)
{
    size_t older = (journal->active + 1) % KS_JOURNAL_SEGMENTS;
    return take_from(&journal->segments[older], record) ||
           take_from(&journal->segments[journal->active], record);
}

bool ks_journal_is_pending(const struct ks_journal *journal)
{
    for (size_t i = 0; i < KS_JOURNAL_SEGMENTS; i++)
        if (journal->segments[i].released < journal->segments[i].synced)
            return true;
    return false;
}

size_t ks_journal_untaken(const struct ks_journal *journal)
{
    size_t size = 0;
    for (size_t i = 0; i < KS_JOURNAL_SEGMENTS; i++)
        size += journal->segments[i].synced - journal->segments[i].taken;
    return size;
}

bool ks_journal_has_full_segment(const struct ks_journal *journal)
{
    const struct ks_journal_segment *older = &journal->segments[(journal->active + 1) % KS_JOURNAL_SEGMENTS];
    return older->taken < older->synced;
}

void ks_journal_released(struct ks_journal *journal, bool committed)
{
    for (size_t i = 0; i < KS_JOURNAL_SEGMENTS; i++) {
        struct ks_journal_segment *segment = &journal->segments[i];
        if (!committed)
            segment->taken = segment->released;
        segment->released = segment->taken;
        if (is_empty(segment))
            start_over(segment);
    }
}

void ks_journal_mark_empty(struct ks_journal *journal)
{
    static const uint8_t nothing[OFFSET_BYTES] = {0};
    if (journal->fd < 0 || ks_journal_is_pending(journal))
        return;
    for (size_t i = 0; i < KS_JOURNAL_SEGMENTS; i++)
        (void)ks_file_write_all_at(journal->fd, nothing, sizeof nothing, segment_offset(i));
    give_memory_back(journal);
}

void ks_journal_discard(struct ks_journal *journal)
{
    for (size_t i = 0; i < KS_JOURNAL_SEGMENTS; i++)
        start_over(&journal->segments[i]);
    ks_journal_mark_empty(journal);
}
