/* journal_file.c — see journal_file.h. */
#include "store/embedded/journal/journal_file.h"

#include "base/bytes.h"
#include "base/file.h"
#include "crypto/checksum.h"
#include "store/embedded/journal/journal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    VERSION_BEFORE = 2,
    MAGIC_SIZE = 16,
    OFFSET_VERSION = MAGIC_SIZE, /* the head's */
    OFFSET_SEGMENT_SIZE = OFFSET_VERSION + 4,
    OFFSET_SALT = OFFSET_SEGMENT_SIZE + 4,
    OFFSET_CRC = OFFSET_SALT + 8,
    COPY_SIZE = OFFSET_CRC + 4,
    SECOND_COPY = 2048, /* in another sector than the first */
    SPACE_FACTOR = 4,
    FILE_SIZE = KS_JOURNAL_HEAD_SIZE + KS_JOURNAL_SEGMENTS * KS_JOURNAL_SEGMENT_SIZE,
    FILE_SIZE_BEFORE = KS_JOURNAL_HEAD_SIZE + KS_JOURNAL_SEGMENTS_BEFORE * KS_JOURNAL_SEGMENT_SIZE,
};

static const uint8_t magic[MAGIC_SIZE] = "kesher journal\n";
static const uint8_t no_magic[MAGIC_SIZE] = {0};

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

static void make_copy(uint8_t *copy, uint32_t version, uint64_t salt)
{
    memcpy(copy, magic, MAGIC_SIZE);
    ks_store_u32(copy + OFFSET_VERSION, version);
    ks_store_u32(copy + OFFSET_SEGMENT_SIZE, KS_JOURNAL_SEGMENT_SIZE);
    ks_store_u64(copy + OFFSET_SALT, salt);
    ks_store_u32(copy + OFFSET_CRC, ks_crc32(copy, OFFSET_CRC));
}

enum ks_result ks_journal_file_write_head(int fd, uint64_t salt)
{
    uint8_t head[KS_JOURNAL_HEAD_SIZE] = {0};
    make_copy(head, KS_JOURNAL_VERSION, salt);
    make_copy(head + SECOND_COPY, KS_JOURNAL_VERSION, salt);
    return ks_file_write_all_at(fd, head, sizeof head, 0);
}

/* Of this version, or of the one before, which has the same. */
static bool is_sound_copy(const uint8_t *copy)
{
    uint8_t expected[COPY_SIZE];
    const uint32_t version = ks_load_u32(copy + OFFSET_VERSION);
    make_copy(expected, version == VERSION_BEFORE ? VERSION_BEFORE : KS_JOURNAL_VERSION,
              ks_load_u64(copy + OFFSET_SALT));
    return memcmp(copy, expected, COPY_SIZE) == 0;
}

/* The version that a head of an older or newer kesher tells; 0 when it is none. */
static uint32_t version_of(const uint8_t *head)
{
    return memcmp(head, magic, MAGIC_SIZE) == 0 ? ks_load_u32(head + OFFSET_VERSION) : 0;
}

bool ks_journal_file_has_space(int fd)
{
    struct statvfs status;
    if (fstatvfs(fd, &status) != 0)
        return false;
    errno = ENOSPC;
    return status.f_bavail > (fsblkcnt_t)(SPACE_FACTOR * FILE_SIZE) / status.f_frsize;
}

enum ks_result ks_journal_file_wipe_segments(int fd)
{
    static const uint8_t nothing[4 * KS_JOURNAL_HEAD_SIZE] = {0};
    enum ks_result result = KS_OK;
    for (off_t at = KS_JOURNAL_HEAD_SIZE; at < FILE_SIZE && result == KS_OK; at += (off_t)sizeof nothing)
        result = ks_file_write_all_at(fd, nothing, sizeof nothing, at);
    return result;
}

enum ks_result ks_journal_file_read_head(int fd, struct ks_journal_head *head)
{
    uint8_t bytes[KS_JOURNAL_HEAD_SIZE];
    struct stat status;
    if (fstat(fd, &status) != 0)
        return KS_IO;
    if (!S_ISREG(status.st_mode))
        return KS_INVALID;
    if (status.st_size == 0)
        return KS_NOT_FOUND;
    if (status.st_size < (off_t)sizeof bytes || status.st_size > FILE_SIZE)
        return KS_INVALID;
    if (read_all_at(fd, bytes, sizeof bytes, 0) != KS_OK)
        return KS_IO;
    head->segments_size = (size_t)status.st_size - sizeof bytes;
    const uint8_t *copy = is_sound_copy(bytes) ? bytes : bytes + SECOND_COPY;
    if (is_sound_copy(copy)) {
        head->version = ks_load_u32(copy + OFFSET_VERSION);
        head->salt = ks_load_u64(copy + OFFSET_SALT);
    } else if (memcmp(bytes, no_magic, MAGIC_SIZE) == 0) {
        return KS_NOT_FOUND;
    } else {
        head->version = version_of(bytes);
    }
    /* A file of the version before may be on its way to this one's size. */
    bool is_known = head->version == 1 || (is_sound_copy(copy) && head->version <= KS_JOURNAL_VERSION);
    off_t smallest = head->version == KS_JOURNAL_VERSION ? FILE_SIZE : FILE_SIZE_BEFORE;
    return is_known && status.st_size >= smallest ? KS_OK : KS_INVALID;
}

enum ks_result ks_journal_file_read_segments(int fd, uint8_t *bytes, size_t size)
{
    return read_all_at(fd, bytes, size, KS_JOURNAL_HEAD_SIZE);
}
