/* bytes.h — little-endian integers and bounded cursors over bytes that somebody else owns.
 *
 * Every integer on the wire is unsigned, little-endian and unaligned (protocol.md §1). The cursors never
 * allocate, never read or write past their end, and remember that they would have had to: check `failed`
 * once, after the last call. Pure; any thread.
 */
#ifndef KS_BASE_BYTES_H
#define KS_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t ks_load_u16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] | (uint16_t)(bytes[1] << 8));
}

static inline uint32_t ks_load_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static inline void ks_store_u16(uint8_t *bytes, uint16_t value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
}

static inline void ks_store_u32(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
    bytes[2] = (uint8_t)(value >> 16);
    bytes[3] = (uint8_t)(value >> 24);
}

static inline uint64_t ks_load_u64(const uint8_t *bytes)
{
    return ks_load_u32(bytes) | (uint64_t)ks_load_u32(bytes + 4) << 32;
}

static inline void ks_store_u64(uint8_t *bytes, uint64_t value)
{
    ks_store_u32(bytes, (uint32_t)value);
    ks_store_u32(bytes + 4, (uint32_t)(value >> 32));
}

/* Reads from `bytes`, which must outlive the cursor. */
struct ks_reader {
    const uint8_t *bytes;
    size_t size; /* of what is left */
    bool failed; /* some call wanted more than was left */
};

static inline struct ks_reader ks_reader_over(const uint8_t *bytes, size_t size)
{
    return (struct ks_reader){.bytes = bytes, .size = size, .failed = false};
}

/* The next `size` bytes, in place, or NULL (and `failed`) when fewer are left. */
static inline const uint8_t *ks_reader_take(struct ks_reader *reader, size_t size)
{
    if (reader->failed || size > reader->size) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *taken = reader->bytes;
    reader->bytes += size;
    reader->size -= size;
    return taken;
}

static inline void ks_reader_copy(struct ks_reader *reader, void *destination, size_t size)
{
    const uint8_t *taken = ks_reader_take(reader, size);
    if (taken != NULL)
        memcpy(destination, taken, size);
}

static inline uint8_t ks_reader_u8(struct ks_reader *reader)
{
    const uint8_t *taken = ks_reader_take(reader, 1);
    return taken == NULL ? 0 : taken[0];
}

static inline uint16_t ks_reader_u16(struct ks_reader *reader)
{
    const uint8_t *taken = ks_reader_take(reader, 2);
    return taken == NULL ? 0 : ks_load_u16(taken);
}

static inline uint32_t ks_reader_u32(struct ks_reader *reader)
{
    const uint8_t *taken = ks_reader_take(reader, 4);
    return taken == NULL ? 0 : ks_load_u32(taken);
}

/* Writes into `bytes`, which must outlive the cursor. */
struct ks_writer {
    uint8_t *bytes;
    size_t capacity;
    size_t size; /* written so far */
    bool failed; /* some call had no room; nothing of it was written */
};

static inline struct ks_writer ks_writer_over(uint8_t *bytes, size_t capacity)
{
    return (struct ks_writer){.bytes = bytes, .capacity = capacity, .size = 0, .failed = false};
}

/* Room for `size` bytes, counted as written, or NULL (and `failed`). */
static inline uint8_t *ks_writer_reserve(struct ks_writer *writer, size_t size)
{
    if (writer->failed || size > writer->capacity - writer->size) {
        writer->failed = true;
        return NULL;
    }
    uint8_t *room = writer->bytes + writer->size;
    writer->size += size;
    return room;
}

static inline void ks_writer_put(struct ks_writer *writer, const void *source, size_t size)
{
    uint8_t *room = ks_writer_reserve(writer, size);
    if (room != NULL && size > 0)
        memcpy(room, source, size);
}

static inline void ks_writer_u8(struct ks_writer *writer, uint8_t value)
{
    ks_writer_put(writer, &value, 1);
}

static inline void ks_writer_u16(struct ks_writer *writer, uint16_t value)
{
    uint8_t *room = ks_writer_reserve(writer, 2);
    if (room != NULL)
        ks_store_u16(room, value);
}

static inline void ks_writer_u32(struct ks_writer *writer, uint32_t value)
{
    uint8_t *room = ks_writer_reserve(writer, 4);
    if (room != NULL)
        ks_store_u32(room, value);
}

#endif
