/* message_file.c — see message_file.h. */
#include "client/inbound/message_file.h"

#include "base/bytes.h"
#include "base/file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAGIC_SIZE = 4, OLD_MAGIC_SIZE = 8, COPY_STEP = 32 * 1024 };

static const uint8_t magic[MAGIC_SIZE] = {'k', 's', 'm', '2'};
static const uint8_t old_magic[OLD_MAGIC_SIZE] = {'k', 's', 'h', 'r', 'm', 's', 'g', '1'};

enum ks_result ks_message_file_write_header(int fd, uint32_t payload_size, int64_t received)
{
    uint8_t header[KS_MESSAGE_FILE_HEADER_SIZE];
    struct ks_writer writer = ks_writer_over(header, sizeof header);
    ks_writer_put(&writer, magic, sizeof magic);
    ks_writer_u32(&writer, payload_size);
    ks_writer_u32(&writer, (uint32_t)received);
    ks_writer_u32(&writer, (uint32_t)((uint64_t)received >> 32));
    return ks_file_write_all_at(fd, header, sizeof header, 0);
}

static bool parse_header(const uint8_t header[static KS_MESSAGE_FILE_HEADER_SIZE], const struct stat *status,
                         struct ks_message_file *file)
{
    if (memcmp(header, magic, sizeof magic) == 0) {
        file->size = ks_load_u32(header + MAGIC_SIZE);
        file->received = (int64_t)(ks_load_u32(header + 8) | (uint64_t)ks_load_u32(header + 12) << 32);
        return true;
    }
    if (memcmp(header, old_magic, sizeof old_magic) != 0 || ks_load_u32(header + 12) != 0)
        return false;
    file->size = ks_load_u32(header + OLD_MAGIC_SIZE);
    file->received = status->st_mtim.tv_sec;
    return true;
}

enum ks_result ks_message_file_begin(struct ks_message_file *file)
{
    uint8_t header[KS_MESSAGE_FILE_HEADER_SIZE];
    struct stat status;
    if (fstat(file->fd, &status) != 0)
        return KS_IO;
    enum ks_result result = ks_message_file_read(file->fd, header, sizeof header, 0);
    if (result != KS_OK)
        return result;
    if (!parse_header(header, &status, file))
        return KS_INVALID;
    file->size += sizeof header;
    return (uint64_t)status.st_size == file->size ? KS_OK : KS_INVALID;
}

enum ks_result ks_message_file_read(int fd, void *bytes, size_t size, uint64_t offset)
{
    uint8_t *next = bytes;
    while (size > 0) {
        ssize_t got = pread(fd, next, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return KS_IO;
        if (got == 0)
            return KS_INVALID;
        next += got;
        offset += (uint64_t)got;
        size -= (size_t)got;
    }
    return KS_OK;
}

enum ks_result ks_message_file_entry(const struct ks_message_file *file, uint64_t offset,
                                     struct ks_entry *entry)
{
    uint8_t bytes[KS_WAITING_MESSAGE_FIXED_SIZE];
    if (offset == file->size)
        return KS_MORE;
    if (offset > file->size || file->size - offset < sizeof bytes)
        return KS_INVALID;
    enum ks_result result = ks_message_file_read(file->fd, bytes, sizeof bytes, offset);
    if (result != KS_OK)
        return result;
    entry->fd = file->fd;
    entry->offset = offset;
    entry->received = file->received;
    if (ks_waiting_message_parse(bytes, sizeof bytes, &entry->fixed) != KS_OK ||
        file->size - offset < ks_entry_size(entry))
        return KS_INVALID;
    return KS_OK;
}

enum ks_result ks_message_file_copy(int from, uint64_t offset, uint64_t size, int to)
{
    uint8_t step[COPY_STEP];
    enum ks_result result = KS_OK;
    while (size > 0 && result == KS_OK) {
        size_t part = size < sizeof step ? (size_t)size : sizeof step;
        result = ks_message_file_read(from, step, part, offset);
        if (result == KS_OK)
            result = ks_file_write_all(to, step, part);
        offset += part;
        size -= part;
    }
    return result;
}
