/* message_file.h — messages on disk as a server sent them: a header of 16 bytes (a magic word, and how many
 * bytes of messages follow), then the payload of a 2104. One thread at a time.
 *
 * A file whose size is not that of its header was not completed.
 */
#ifndef KS_CLIENT_MESSAGE_FILE_H
#define KS_CLIENT_MESSAGE_FILE_H

#include "base/result.h"
#include "wire/messages.h"

enum { KS_MESSAGE_FILE_HEADER_SIZE = 16 };

/* One message in an open file. */
struct ks_entry {
    int fd; /* the file's; who owns it is said where an entry comes from */
    uint64_t offset;
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
enum ks_result ks_message_file_write_header(int fd, uint64_t payload_size);

/* The size of a complete file, header included. KS_OK; KS_INVALID when it is not complete, or no such file;
 * KS_IO. */
enum ks_result ks_message_file_size(int fd, uint64_t *size);

/* pread(2) of exactly `size` bytes. KS_OK; KS_INVALID when the file ends before; KS_IO (errno). */
enum ks_result ks_message_file_read(int fd, void *bytes, size_t size, uint64_t offset);

/* Reads the message at `offset` of a file of `size` bytes. KS_OK; KS_MORE at the end; KS_INVALID when it does
 * not fit; KS_IO. */
enum ks_result ks_message_file_entry(int fd, uint64_t size, uint64_t offset, struct ks_entry *entry);

/* Copies `size` bytes from `offset` of one file to the end of what was written to another. Errors as above,
 * KS_NO_SPACE. */
enum ks_result ks_message_file_copy(int from, uint64_t offset, uint64_t size, int to);

#endif
