/* message_file.h — messages on disk as a server sent them: a header of 16 bytes (a magic word, how many bytes
 * of messages follow, and when they came), then the payload of a 2104. One thread at a time.
 *
 * A file whose size is not that of its header was not completed. Homes of older versions have files whose
 * header does not say when they came: then it is when the file was last written to.
 */
#ifndef KS_CLIENT_INBOUND_MESSAGE_FILE_H
#define KS_CLIENT_INBOUND_MESSAGE_FILE_H

#include "base/result.h"
#include "wire/messages_codec.h"

enum { KS_MESSAGE_FILE_HEADER_SIZE = 16 };

/* An open file of messages. */
struct ks_message_file {
    int fd;           /* who owns it is said where it comes from; -1 when none is open */
    uint64_t size;    /* header included */
    int64_t received; /* when it came: seconds since 1970, UTC */
};

/* One message in an open file. */
struct ks_entry {
    int fd; /* the file's; who owns it is said where an entry comes from */
    uint64_t offset;
    int64_t received; /* as the file's */
    struct ks_waiting_message fixed;
};

static inline uint64_t ks_entry_size(const struct ks_entry *entry)
{
    return (uint64_t)KS_WAITING_MESSAGE_FIXED_SIZE + entry->fixed.content_size;
}

static inline uint64_t ks_entry_content_offset(const struct ks_entry *entry)
{
    return entry->offset + KS_WAITING_MESSAGE_FIXED_SIZE;
}

/* Writes the header. KS_OK; KS_NO_SPACE; KS_IO (errno). */
enum ks_result ks_message_file_write_header(int fd, uint32_t payload_size, int64_t received);

/* Reads the header of file->fd. KS_OK; KS_INVALID when the file is not complete, or no such file; KS_IO. */
enum ks_result ks_message_file_begin(struct ks_message_file *file);

/* pread(2) of exactly `size` bytes. KS_OK; KS_INVALID when the file ends before; KS_IO (errno). */
enum ks_result ks_message_file_read(int fd, void *bytes, size_t size, uint64_t offset);

/* Reads the message at `offset` of a file that was begun. KS_OK; KS_MORE at the end; KS_INVALID when it does
 * not fit; KS_IO. */
enum ks_result ks_message_file_entry(const struct ks_message_file *file, uint64_t offset,
                                     struct ks_entry *entry);

/* Copies `size` bytes from `offset` of one file to the end of what was written to another. Errors as above,
 * KS_NO_SPACE. */
enum ks_result ks_message_file_copy(int from, uint64_t offset, uint64_t size, int to);

#endif
