/* buffer.h — a growing run of bytes with an upper limit.
 *
 * One owner, one thread. Whatever a stranger can make grow goes through a buffer with a limit.
 */
#ifndef KS_BASE_BUFFER_H
#define KS_BASE_BUFFER_H

#include "base/result.h"

#include <stddef.h>
#include <stdint.h>

struct ks_buffer {
    uint8_t *bytes; /* NULL while capacity is 0 */
    size_t size;
    size_t capacity;
    size_t limit; /* size never exceeds it; 0 means no limit (for input that is our own) */
};

/* An empty buffer; allocates nothing yet. */
static inline struct ks_buffer ks_buffer_empty(size_t limit)
{
    return (struct ks_buffer){.bytes = NULL, .size = 0, .capacity = 0, .limit = limit};
}

/* Makes room for `size` more bytes at bytes + size and leaves `size` as it is.
 * KS_OK; KS_TOO_LARGE over the limit; KS_NO_MEMORY. On failure nothing changed. */
enum ks_result ks_buffer_reserve(struct ks_buffer *buffer, size_t size);

/* Appends a copy. Errors as ks_buffer_reserve. */
enum ks_result ks_buffer_append(struct ks_buffer *buffer, const void *bytes, size_t size);

/* Drops the first `size` bytes (at most all of them). */
void ks_buffer_drop_front(struct ks_buffer *buffer, size_t size);

/* Frees the bytes; the buffer is empty and usable again. */
void ks_buffer_free(struct ks_buffer *buffer);

/* The same, and wipes them first: for secrets. */
void ks_buffer_wipe(struct ks_buffer *buffer);

#endif
