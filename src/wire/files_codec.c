/* files_codec.c — see files_codec.h. */
#include "wire/files_codec.h"

#include <string.h>

/* ---- names ---- */

static bool is_part(const char *part, size_t size)
{
    bool is_dots = (size == 1 && part[0] == '.') || (size == 2 && part[0] == '.' && part[1] == '.');
    return size > 0 && !is_dots;
}

static bool is_forbidden(char letter)
{
    unsigned char byte = (unsigned char)letter;
    return byte < 0x20 || byte == 0x7f || byte == '\\';
}

bool ks_file_name_is_valid(const char *name, size_t size)
{
    size_t start = 0;
    if (size == 0 || size > KS_FILE_NAME_LIMIT)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (is_forbidden(name[i]))
            return false;
        if (name[i] != '/')
            continue;
        if (!is_part(name + start, i - start))
            return false;
        start = i + 1;
    }
    return is_part(name + start, size - start);
}

/* ---- parts ---- */

static uint64_t take_u64(struct ks_reader *reader)
{
    const uint8_t *taken = ks_reader_take(reader, sizeof(uint64_t));
    return taken == NULL ? 0 : ks_load_u64(taken);
}

static void put_u64(struct ks_writer *writer, uint64_t value)
{
    uint8_t *room = ks_writer_reserve(writer, sizeof value);
    if (room != NULL)
        ks_store_u64(room, value);
}

/* A size, an offset, a position: a larger one makes the cursor fail. */
static uint64_t take_position(struct ks_reader *reader)
{
    uint64_t value = take_u64(reader);
    if (value > KS_FILE_LARGEST)
        reader->failed = true;
    return value;
}

static const uint8_t unknown[KS_FILE_SHA256_SIZE];

/* What is said not to be known has to be zeros: the cursor fails otherwise. */
static void take_facts(struct ks_reader *reader, struct ks_file_facts *facts)
{
    memset(facts, 0, sizeof *facts);
    facts->size = take_position(reader);
    facts->time = take_u64(reader);
    uint8_t flags = ks_reader_u8(reader);
    facts->has_cksum = (flags & KS_FILE_HAS_CKSUM) != 0;
    facts->has_sha256 = (flags & KS_FILE_HAS_SHA256) != 0;
    facts->cksum = ks_reader_u32(reader);
    ks_reader_copy(reader, facts->sha256, sizeof facts->sha256);
    bool is_plain = (flags & ~(KS_FILE_HAS_CKSUM | KS_FILE_HAS_SHA256)) == 0 &&
                    (facts->has_cksum || facts->cksum == 0) &&
                    (facts->has_sha256 || memcmp(facts->sha256, unknown, sizeof unknown) == 0);
    if (!is_plain)
        reader->failed = true;
}

static void put_facts(struct ks_writer *writer, const struct ks_file_facts *facts)
{
    unsigned flags =
        (facts->has_cksum ? KS_FILE_HAS_CKSUM : 0U) | (facts->has_sha256 ? KS_FILE_HAS_SHA256 : 0U);
    put_u64(writer, facts->size);
    put_u64(writer, facts->time);
    ks_writer_u8(writer, (uint8_t)flags);
    ks_writer_u32(writer, facts->has_cksum ? facts->cksum : 0);
    ks_writer_put(writer, facts->has_sha256 ? facts->sha256 : unknown, sizeof unknown);
}

static enum ks_result whole(const struct ks_reader *reader)
{
    return reader->failed || reader->size > 0 ? KS_INVALID : KS_OK;
}

static enum ks_result written(const struct ks_writer *writer, size_t *size)
{
    *size = writer->failed ? 0 : writer->size;
    return writer->failed ? KS_TOO_LARGE : KS_OK;
}

/* ---- requests ---- */

enum ks_result ks_get_file_parse(const uint8_t *bytes, size_t size, struct ks_get_file *get)
{
    struct ks_reader reader = ks_reader_over(bytes, size);
    get->offset = take_position(&reader);
    get->cksum = ks_reader_u32(&reader);
    get->length = take_u64(&reader);
    get->name = ks_wire_text_take(&reader);
    return whole(&reader);
}

enum ks_result ks_get_file_encode(const struct ks_get_file *get, uint8_t *bytes, size_t capacity,
                                  size_t *size)
{
    struct ks_writer writer = ks_writer_over(bytes, capacity);
    put_u64(&writer, get->offset);
    ks_writer_u32(&writer, get->cksum);
    put_u64(&writer, get->length);
    ks_wire_text_put(&writer, &get->name);
    return written(&writer, size);
}

enum ks_result ks_put_file_parse(const uint8_t *bytes, size_t size, struct ks_put_file *put)
{
    struct ks_reader reader = ks_reader_over(bytes, size);
    memset(put, 0, sizeof *put);
    ks_reader_copy(&reader, put->put_id, sizeof put->put_id);
    put->flags = ks_reader_u8(&reader);
    put->size = take_position(&reader);
    put->name = ks_wire_text_take(&reader);
    return (put->flags & ~(KS_PUT_REPLACE | KS_PUT_ANEW)) != 0 ? KS_INVALID : whole(&reader);
}

enum ks_result ks_put_file_encode(const struct ks_put_file *put, uint8_t *bytes, size_t capacity,
                                  size_t *size)
{
    struct ks_writer writer = ks_writer_over(bytes, capacity);
    ks_writer_put(&writer, put->put_id, sizeof put->put_id);
    ks_writer_u8(&writer, put->flags);
    put_u64(&writer, put->size);
    ks_wire_text_put(&writer, &put->name);
    return written(&writer, size);
}

/* ---- answers ---- */

enum ks_result ks_file_entry_next(const uint8_t *bytes, size_t size, size_t *offset,
                                  struct ks_file_facts *facts, struct ks_wire_text *name)
{
    if (*offset == size)
        return KS_NOT_FOUND;
    if (*offset > size) /* of an answer without its first byte */
        return KS_INVALID;
    struct ks_reader reader = ks_reader_over(bytes + *offset, size - *offset);
    take_facts(&reader, facts);
    *name = ks_wire_text_take(&reader);
    if (reader.failed)
        return KS_INVALID;
    *offset = size - reader.size;
    return KS_OK;
}

enum ks_result ks_file_entry_add(uint8_t *bytes, size_t capacity, size_t *size,
                                 const struct ks_file_facts *facts, const struct ks_wire_text *name)
{
    size_t added = 0;
    struct ks_writer writer = ks_writer_over(bytes + *size, capacity - *size);
    put_facts(&writer, facts);
    ks_wire_text_put(&writer, name);
    enum ks_result result = written(&writer, &added);
    *size += added;
    return result;
}

enum ks_result ks_got_file_parse(const uint8_t *bytes, size_t size, struct ks_got_file *got)
{
    struct ks_reader reader = ks_reader_over(bytes, size);
    got->offset = take_position(&reader);
    got->length = take_position(&reader);
    take_facts(&reader, &got->facts);
    if (got->offset > got->facts.size || got->length > got->facts.size - got->offset)
        return KS_INVALID;
    return whole(&reader);
}

void ks_got_file_encode(const struct ks_got_file *got, uint8_t bytes[static KS_GOT_FILE_SIZE])
{
    struct ks_writer writer = ks_writer_over(bytes, KS_GOT_FILE_SIZE);
    put_u64(&writer, got->offset);
    put_u64(&writer, got->length);
    put_facts(&writer, &got->facts);
}

enum ks_result ks_put_open_parse(const uint8_t *bytes, size_t size, struct ks_put_open *open)
{
    struct ks_reader reader = ks_reader_over(bytes, size);
    open->flags = ks_reader_u8(&reader);
    open->offset = take_position(&reader);
    open->cksum = ks_reader_u32(&reader);
    return (open->flags & ~KS_PUT_IS_KEPT) != 0 ? KS_INVALID : whole(&reader);
}

void ks_put_open_encode(const struct ks_put_open *open, uint8_t bytes[static KS_PUT_OPEN_SIZE])
{
    struct ks_writer writer = ks_writer_over(bytes, KS_PUT_OPEN_SIZE);
    ks_writer_u8(&writer, open->flags);
    put_u64(&writer, open->offset);
    ks_writer_u32(&writer, open->cksum);
}
