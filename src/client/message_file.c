/* message_file.c — see message_file.h. */
#include "client/message_file.h"

#include "base/bytes.h"
#include "base/file.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAGIC_SIZE = 8, COPY_STEP = 32 * 1024 };

static const uint8_t magic[MAGIC_SIZE] = {'k', 's', 'h', 'r', 'm', 's', 'g', '1'};

enum ks_result ks_message_file_write_header(int fd, uint64_t payload_size)
{
    uint8_t header[KS_MESSAGE_FILE_HEADER_SIZE];
    struct ks_writer writer = ks_writer_over(header, sizeof header);
    ks_writer_put(&writer, magic, sizeof magic);
    ks_writer_u32(&writer, (uint32_t)payload_size);
    ks_writer_u32(&writer, (uint32_t)(payload_size >> 32));
    return ks_file_write_all_at(fd, header, sizeof header, 0);
}

enum ks_result ks_message_file_size(int fd, uint64_t *size)
{
    uint8_t header[KS_MESSAGE_FILE_HEADER_SIZE];
    struct stat status;
    if (fstat(fd, &status) != 0)
        return KS_IO;
    enum ks_result result = ks_message_file_read(fd, header, sizeof header, 0);
    if (result != KS_OK)
        return result;
    uint64_t payload_size = ks_load_u32(header + MAGIC_SIZE) | (uint64_t)ks_load_u32(header + MAGIC_SIZE + 4)
                                                                   << 32;
    if (memcmp(header, magic, sizeof magic) != 0 || payload_size > UINT32_MAX ||
        (uint64_t)status.st_size != sizeof header + payload_size)
        return KS_INVALID;
    *size = sizeof header + payload_size;
    return KS_OK;
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

enum ks_result ks_message_file_entry(int fd, uint64_t size, uint64_t offset, struct ks_entry *entry)
{
    uint8_t bytes[KS_WAITING_MESSAGE_FIXED_SIZE];
    if (offset == size)
        return KS_MORE;
    if (offset > size || size - offset < sizeof bytes)
        return KS_INVALID;
    enum ks_result result = ks_message_file_read(fd, bytes, sizeof bytes, offset);
    if (result != KS_OK)
        return result;
    entry->fd = fd;
    entry->offset = offset;
    if (ks_waiting_message_parse(bytes, sizeof bytes, &entry->fixed) != KS_OK ||
        size - offset < ks_entry_size(entry))
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
