/* buffer.c — see buffer.h. */
#include "base/buffer.h"

#include <stdlib.h>
#include <string.h>

enum { BUFFER_SMALLEST = 64 };

enum ks_result ks_buffer_reserve(struct ks_buffer *buffer, size_t size)
{
    if (size > SIZE_MAX / 2 - buffer->size)
        return KS_TOO_LARGE;
    size_t wanted = buffer->size + size;
    if (buffer->limit != 0 && wanted > buffer->limit)
        return KS_TOO_LARGE;
    if (wanted <= buffer->capacity)
        return KS_OK;
    size_t capacity = buffer->capacity * 2 > BUFFER_SMALLEST ? buffer->capacity * 2 : BUFFER_SMALLEST;
    if (capacity < wanted)
        capacity = wanted;
    if (buffer->limit != 0 && capacity > buffer->limit)
        capacity = buffer->limit;
    uint8_t *bytes = realloc(buffer->bytes, capacity);
    if (bytes == NULL)
        return KS_NO_MEMORY;
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return KS_OK;
}

enum ks_result ks_buffer_append(struct ks_buffer *buffer, const void *bytes, size_t size)
{
    enum ks_result result = ks_buffer_reserve(buffer, size);
    if (result != KS_OK)
        return result;
    if (size > 0)
        memcpy(buffer->bytes + buffer->size, bytes, size);
    buffer->size += size;
    return KS_OK;
}

void ks_buffer_drop_front(struct ks_buffer *buffer, size_t size)
{
    if (size >= buffer->size) {
        buffer->size = 0;
        return;
    }
    memmove(buffer->bytes, buffer->bytes + size, buffer->size - size);
    buffer->size -= size;
}

void ks_buffer_free(struct ks_buffer *buffer)
{
    free(buffer->bytes);
    *buffer = ks_buffer_empty(buffer->limit);
}

void ks_buffer_wipe(struct ks_buffer *buffer)
{
    if (buffer->bytes != NULL)
        explicit_bzero(buffer->bytes, buffer->capacity);
    ks_buffer_free(buffer);
}
