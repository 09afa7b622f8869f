/* sums.c — see sums.h. */
#include "store/embedded/disk/sums.h"

#include "base/bytes.h"
#include "crypto/checksum.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };

uint32_t ks_sums_of_row(const struct ks_sums_row *row)
{
    enum { SIZE_AT = 8 + 2 * KS_CLIENT_ID_SIZE, HEAD_SIZE = SIZE_AT + 4 + 1 };
    uint8_t head[HEAD_SIZE];
    ks_store_u32(head, (uint32_t)row->message_id);
    ks_store_u32(head + 4, (uint32_t)(row->message_id >> 32));
    memcpy(head + 8, row->receiver->bytes, KS_CLIENT_ID_SIZE);
    memcpy(head + 8 + KS_CLIENT_ID_SIZE, row->sender->bytes, KS_CLIENT_ID_SIZE);
    ks_store_u32(head + SIZE_AT, row->content_size);
    head[HEAD_SIZE - 1] = row->type;
    return ks_crc32_add(ks_crc32(head, sizeof head), row->bytes, row->size);
}

static enum ks_result end_piece(struct ks_sums *sums)
{
    if (sums->capacity - sums->size < KS_SUMS_SIZE) {
        size_t capacity = sums->capacity > 0 ? 2 * sums->capacity : FIRST_CAPACITY;
        uint8_t *bytes = realloc(sums->bytes, capacity);
        if (bytes == NULL)
            return KS_NO_MEMORY;
        sums->bytes = bytes;
        sums->capacity = capacity;
    }
    ks_store_u32(sums->bytes + sums->size, sums->current);
    sums->size += KS_SUMS_SIZE;
    sums->current = 0;
    sums->filled = 0;
    return KS_OK;
}

enum ks_result ks_sums_add(struct ks_sums *sums, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        size_t part = KS_SUMS_PIECE - sums->filled;
        part = part < size ? part : size;
        sums->current = ks_crc32_add(sums->current, bytes, part);
        sums->filled += part;
        bytes += part;
        size -= part;
        if (sums->filled == KS_SUMS_PIECE && end_piece(sums) != KS_OK)
            return KS_NO_MEMORY;
    }
    return KS_OK;
}

enum ks_result ks_sums_end(struct ks_sums *sums)
{
    return sums->filled > 0 ? end_piece(sums) : KS_OK;
}

void ks_sums_free(struct ks_sums *sums)
{
    free(sums->bytes);
    *sums = (struct ks_sums){0};
}
