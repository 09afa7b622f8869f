/* journal.c — see journal.h: the file, its head, its segments. */
#include "store/embedded/journal/journal.h"

#include "base/bytes.h"
#include "base/file.h"
#include "crypto/checksum.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    VERSION = 2,
    MAGIC_SIZE = 16,
    OFFSET_VERSION = MAGIC_SIZE, /* the head's */
    OFFSET_SEGMENT_SIZE = OFFSET_VERSION + 4,
    OFFSET_SALT = OFFSET_SEGMENT_SIZE + 4,
    OFFSET_CRC = OFFSET_SALT + 8,
    COPY_SIZE = OFFSET_CRC + 4,
    SECOND_COPY = 2048, /* in another sector than the first */
    SPACE_FACTOR = 4,
    MEMORY_SIZE = KS_JOURNAL_SEGMENTS * KS_JOURNAL_SEGMENT_SIZE,
    FILE_SIZE = KS_JOURNAL_HEAD_SIZE + MEMORY_SIZE,
};

static const uint8_t magic[MAGIC_SIZE] = "kesher journal\n";
static const uint8_t no_magic[MAGIC_SIZE] = {0};
static const char unfinished[] = "journal.new"; /* until all of it is written */

/* ---- segments ---- */

static off_t segment_offset(size_t number)
{
    return (off_t)(KS_JOURNAL_HEAD_SIZE + number * KS_JOURNAL_SEGMENT_SIZE);
}

static bool is_empty(const struct ks_journal_segment *segment)
{
    return segment->released == segment->size;
}

static void start_over(struct ks_journal *journal, struct ks_journal_segment *segment)
{
    segment->filling = ++journal->fillings;
    segment->size = 0;
    segment->synced = 0;
    segment->taken = 0;
    segment->released = 0;
}

/* What the batch that is being added is told by. */
static uint64_t batch_of(const struct ks_journal_segment *segment)
{
    return segment->filling * KS_JOURNAL_SEGMENT_SIZE + segment->synced;
}

/* The first message that was found; UINT64_MAX when there is none. */
static uint64_t first_id(const struct ks_journal_segment *segment)
{
    return segment->synced > 0 ? ks_journal_record_id(segment->bytes) : UINT64_MAX;
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

static void make_copy(uint8_t *copy, uint64_t salt)
{
    memcpy(copy, magic, MAGIC_SIZE);
    ks_store_u32(copy + OFFSET_VERSION, VERSION);
    ks_store_u32(copy + OFFSET_SEGMENT_SIZE, KS_JOURNAL_SEGMENT_SIZE);
    ks_store_u64(copy + OFFSET_SALT, salt);
    ks_store_u32(copy + OFFSET_CRC, ks_crc32(copy, OFFSET_CRC));
}

static enum ks_result write_head(const struct ks_journal *journal)
{
    uint8_t head[KS_JOURNAL_HEAD_SIZE] = {0};
    make_copy(head, journal->salt);
    make_copy(head + SECOND_COPY, journal->salt);
    return ks_file_write_all_at(journal->fd, head, sizeof head, 0);
}

static bool is_sound_copy(const uint8_t *copy)
{
    uint8_t expected[COPY_SIZE];
    make_copy(expected, ks_load_u64(copy + OFFSET_SALT));
    return memcmp(copy, expected, COPY_SIZE) == 0;
}

/* The version that a head of an older or newer kesher tells; 0 when it is none. */
static uint32_t version_of(const uint8_t *head)
{
    return memcmp(head, magic, MAGIC_SIZE) == 0 ? ks_load_u32(head + OFFSET_VERSION) : 0;
}

/* Whether the disk is far from full after the file is written: it must not be what fills it. */
static bool has_space(int fd)
{
    struct statvfs status;
    return fstatvfs(fd, &status) == 0 &&
           status.f_bavail > (fsblkcnt_t)(SPACE_FACTOR * FILE_SIZE) / status.f_frsize;
}

static enum ks_result wipe_segments(const struct ks_journal *journal)
{
    static const uint8_t nothing[4 * KS_JOURNAL_HEAD_SIZE] = {0};
    enum ks_result result = KS_OK;
    for (off_t at = KS_JOURNAL_HEAD_SIZE; at < FILE_SIZE && result == KS_OK; at += (off_t)sizeof nothing)
        result = ks_file_write_all_at(journal->fd, nothing, sizeof nothing, at);
    return result;
}

static enum ks_result sync_file(const struct ks_journal *journal)
{
    return fdatasync(journal->fd) == 0 ? KS_OK : ks_result_from_errno(errno);
}

/* Nobody knows what is on disk now. What is pending stays in RAM. Returns the failure for the caller. */
static enum ks_result give_up(struct ks_journal *journal, enum ks_result failure)
{
    int error_number = errno;
    close(journal->fd);
    journal->fd = -1;
    journal->has_begun = false;
    errno = error_number;
    return failure == KS_NO_SPACE ? KS_NO_SPACE : KS_IO;
}

/* What is in the file is durable before it gets its name, and the name before anything is added. */
static enum ks_result make_whole(struct ks_journal *journal, int directory_fd)
{
    if (!has_space(journal->fd))
        return KS_NO_SPACE;
    enum ks_result result = ks_journal_begin(journal);
    if (result == KS_OK &&
        (renameat(directory_fd, unfinished, directory_fd, "journal") != 0 || fsync(directory_fd) != 0))
        result = ks_result_from_errno(errno);
    return result;
}

/* Under another name: what a power cut leaves of a file on its way may be anything, not only blank. */
static enum ks_result create(struct ks_journal *journal, int directory_fd)
{
    journal->fd = openat(directory_fd, unfinished, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (journal->fd < 0)
        return ks_result_from_errno(errno);
    enum ks_result result = make_whole(journal, directory_fd);
    if (result != KS_OK) {
        int failure = errno;
        unlinkat(directory_fd, unfinished, 0);
        unlinkat(directory_fd, "journal", 0); /* a name that may not be durable, or of what is none */
        errno = failure;
    }
    return result;
}

static enum ks_result read_segments(struct ks_journal *journal)
{
    return read_all_at(journal->fd, journal->bytes, MEMORY_SIZE, KS_JOURNAL_HEAD_SIZE);
}

/* What is in the file, if it is one that we know; *salt is 0 where version 1 has none. KS_NOT_FOUND when an
 * older kesher has never finished the file, which it made under this name. */
static enum ks_result read_head(const struct ks_journal *journal, uint64_t *salt, uint32_t *version)
{
    uint8_t head[KS_JOURNAL_HEAD_SIZE];
    struct stat status;
    if (fstat(journal->fd, &status) != 0)
        return KS_IO;
    if (!S_ISREG(status.st_mode))
        return KS_INVALID;
    if (status.st_size == 0)
        return KS_NOT_FOUND;
    if (status.st_size < (off_t)sizeof head)
        return KS_INVALID;
    if (read_all_at(journal->fd, head, sizeof head, 0) != KS_OK)
        return KS_IO;
    const uint8_t *copy = is_sound_copy(head) ? head : head + SECOND_COPY;
    if (is_sound_copy(copy)) {
        *version = VERSION;
        *salt = ks_load_u64(copy + OFFSET_SALT);
    } else if (memcmp(head, no_magic, MAGIC_SIZE) == 0) {
        return KS_NOT_FOUND;
    } else {
        *version = version_of(head);
    }
    bool is_known = *version == VERSION ? is_sound_copy(copy) : *version == 1;
    return is_known && status.st_size == FILE_SIZE ? KS_OK : KS_INVALID;
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

/* A head without a byte is that of a file that was never finished, if the segments have none either. */
static bool is_blank(const struct ks_journal *journal)
{
    for (size_t i = 0; i < MEMORY_SIZE; i++)
        if (journal->bytes[i] != 0)
            return false;
    return true;
}

/* Finds what nobody has taken. Of the damage, what is lost is put aside. */
static enum ks_result find_messages(struct ks_journal *journal, const struct ks_journal_options *options,
                                    uint64_t salt, struct ks_journal_findings *findings)
{
    struct ks_buffer damaged = ks_buffer_empty(MEMORY_SIZE);
    enum ks_result result = ks_journal_recovery_find(journal->segments, salt, options->in_database, &damaged,
                                                     &findings->left_out);
    findings->damaged = damaged.size;
    if (result == KS_OK && damaged.size > 0)
        result = ks_journal_recovery_put_aside(options->directory_fd, options->clock, salt, &damaged,
                                               findings->name);
    ks_buffer_free(&damaged);
    return result == KS_OK || result == KS_NO_MEMORY ? result : KS_IO;
}

static enum ks_result read_file(struct ks_journal *journal, const struct ks_journal_options *options,
                                struct ks_journal_findings *findings, uint32_t *version)
{
    uint64_t salt = 0;
    enum ks_result head = read_head(journal, &salt, version);
    if (head != KS_OK && head != KS_NOT_FOUND)
        return head;
    enum ks_result result = read_segments(journal);
    if (head == KS_NOT_FOUND)
        return result == KS_OK && !is_blank(journal) ? KS_INVALID : KS_NOT_FOUND;
    if (result == KS_OK && *version == VERSION)
        result = find_messages(journal, options, salt, findings);
    else if (result == KS_OK)
        ks_journal_recovery_find_1(journal->segments, options->in_database);
    /* The older one is to be taken first, so it is the one that is not written. */
    journal->active = first_id(&journal->segments[0]) < first_id(&journal->segments[1]) ? 1 : 0;
    return result;
}

static enum ks_result open_file(struct ks_journal *journal, const struct ks_journal_options *options,
                                struct ks_journal_findings *findings, uint32_t *version)
{
    enum ks_result result = ks_random_fill(options->random, &journal->salt, sizeof journal->salt);
    if (result != KS_OK)
        return result;
    (void)unlinkat(options->directory_fd, unfinished, 0);
    journal->fd = openat(options->directory_fd, "journal", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (journal->fd < 0 && errno != ENOENT)
        return ks_result_from_errno(errno);
    result = journal->fd < 0 ? KS_NOT_FOUND : read_file(journal, options, findings, version);
    if (result != KS_NOT_FOUND)
        return result;
    if (journal->fd >= 0)
        close(journal->fd);
    return create(journal, options->directory_fd);
}

static void explain(enum ks_result result, uint32_t version, char *why, size_t why_size)
{
    char text[128];
    if (result == KS_INVALID && version > VERSION)
        snprintf(why, why_size,
                 "`journal` in the data directory has version %" PRIu32
                 ", of a newer kesher; this one knows versions up to %d",
                 version, VERSION);
    else if (result == KS_INVALID)
        snprintf(why, why_size, "`journal` in the data directory is not a journal that this kesher can read");
    else
        snprintf(why, why_size, "cannot open `journal` in the data directory: %s",
                 errno != 0 ? strerror_r(errno, text, sizeof text) : ks_result_text(result));
}

void ks_journal_init(struct ks_journal *journal)
{
    *journal = (struct ks_journal){.fd = -1};
}

enum ks_result ks_journal_open(struct ks_journal *journal, const struct ks_journal_options *options,
                               struct ks_journal_findings *findings, char *why, size_t why_size)
{
    uint32_t version = VERSION;
    close_and_free(journal);
    *findings = (struct ks_journal_findings){.left_out = 0};
    errno = 0;
    enum ks_result result = allocate(journal);
    if (result == KS_OK)
        result = open_file(journal, options, findings, &version);
    if (result == KS_OK) {
        if (!ks_journal_is_pending(journal))
            give_memory_back(journal);
        return KS_OK;
    }
    explain(result, version, why, why_size);
    close_and_free(journal);
    return result == KS_INVALID || result == KS_NO_MEMORY || result == KS_NO_SPACE || result == KS_CRYPTO
               ? result
               : KS_IO;
}

enum ks_result ks_journal_begin(struct ks_journal *journal)
{
    if (journal->has_begun)
        return KS_OK;
    enum ks_result result = wipe_segments(journal);
    if (result == KS_OK)
        result = sync_file(journal);
    if (result == KS_OK)
        result = write_head(journal);
    if (result == KS_OK)
        result = sync_file(journal);
    if (result != KS_OK)
        return give_up(journal, result);
    for (size_t i = 0; i < KS_JOURNAL_SEGMENTS; i++)
        start_over(journal, &journal->segments[i]);
    journal->has_begun = true;
    give_memory_back(journal);
    return KS_OK;
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
    if (!journal->has_begun)
        return false;
    if (size <= KS_JOURNAL_SEGMENT_SIZE - journal->segments[journal->active].size)
        return true;
    size_t other = (journal->active + 1) % KS_JOURNAL_SEGMENTS;
    if (size > KS_JOURNAL_SEGMENT_SIZE || !is_empty(&journal->segments[other]))
        return false;
    start_over(journal, &journal->segments[other]);
    journal->active = other;
    return true;
}

void ks_journal_add(struct ks_journal *journal, const struct ks_journal_record *record)
{
    struct ks_journal_segment *segment = &journal->segments[journal->active];
    ks_journal_record_encode(record, journal->salt, batch_of(segment), segment->bytes + segment->size);
    segment->size += ks_journal_record_size(record);
}

enum ks_result ks_journal_commit(struct ks_journal *journal)
{
    struct ks_journal_segment *segment = &journal->segments[journal->active];
    enum ks_result result =
        ks_file_write_all_at(journal->fd, segment->bytes + segment->synced, segment->size - segment->synced,
                             segment_offset(journal->active) + (off_t)segment->synced);
    if (result == KS_OK)
        result = sync_file(journal);
    if (result == KS_OK) {
        segment->synced = segment->size;
        return KS_OK;
    }
    segment->size = segment->synced;
    return give_up(journal, result);
}

/* ---- taking ---- */

static bool take_from(struct ks_journal_segment *segment, struct ks_journal_record *record)
{
    if (segment->taken >= segment->synced)
        return false;
    segment->taken += ks_journal_record_decode(segment->bytes + segment->taken, record);
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
            start_over(journal, segment);
    }
}

void ks_journal_mark_empty(struct ks_journal *journal)
{
    if (!journal->has_begun || ks_journal_is_pending(journal))
        return;
    journal->salt++; /* as good as a new one: what is told apart are rounds, from what is not known */
    enum ks_result result = write_head(journal);
    if (result != KS_OK)
        (void)give_up(journal, result);
    give_memory_back(journal);
}
