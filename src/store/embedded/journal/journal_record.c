/* journal_record.c — see journal_record.h. */
#include "store/embedded/journal/journal_record.h"

#include "base/bytes.h"
#include "crypto/checksum.h"

#include <string.h>

enum {
    OFFSET_CRC = 0,
    OFFSET_SIZE = 4,
    OFFSET_ID = 8,
    OFFSET_RECEIVER = 16,
    OFFSET_SENDER = 32,
    OFFSET_CONTENT_SIZE = 48,
    OFFSET_TYPE = 52,
    OFFSET_PLACE_SIZE = 53,
    OFFSET_HEADER_SIZE = 54,
    HEADER_SIZE_1 = 56,
    OFFSET_SALT = 56,
    OFFSET_BATCH = 64,
    HEADER_SIZE = KS_JOURNAL_RECORD_SMALLEST,
};

static size_t padded(size_t size)
{
    return (size + KS_JOURNAL_RECORD_ALIGNMENT - 1) / KS_JOURNAL_RECORD_ALIGNMENT *
           KS_JOURNAL_RECORD_ALIGNMENT;
}

/* Of all that follows it. */
static uint32_t checksum(const uint8_t *bytes, size_t size)
{
    return ks_crc32(bytes + OFFSET_SIZE, size - OFFSET_SIZE);
}

size_t ks_journal_record_size(const struct ks_journal_record *record)
{
    return padded(HEADER_SIZE + (record->place != NULL ? strlen(record->place) + 1 : record->content_size));
}

void ks_journal_record_encode(const struct ks_journal_record *record, uint64_t salt, uint64_t batch,
                              uint8_t *bytes)
{
    size_t size = ks_journal_record_size(record);
    size_t place_size = record->place != NULL ? strlen(record->place) + 1 : 0;
    size_t content_size = record->place != NULL ? 0 : record->content_size;
    memset(bytes, 0, HEADER_SIZE);
    ks_store_u32(bytes + OFFSET_SIZE, (uint32_t)size);
    ks_store_u64(bytes + OFFSET_ID, record->message_id);
    memcpy(bytes + OFFSET_RECEIVER, record->receiver.bytes, KS_CLIENT_ID_SIZE);
    memcpy(bytes + OFFSET_SENDER, record->sender.bytes, KS_CLIENT_ID_SIZE);
    ks_store_u32(bytes + OFFSET_CONTENT_SIZE, record->content_size);
    bytes[OFFSET_TYPE] = record->type;
    bytes[OFFSET_PLACE_SIZE] = (uint8_t)place_size;
    bytes[OFFSET_HEADER_SIZE] = HEADER_SIZE;
    ks_store_u64(bytes + OFFSET_SALT, salt);
    ks_store_u64(bytes + OFFSET_BATCH, batch);
    if (place_size > 0)
        memcpy(bytes + HEADER_SIZE, record->place, place_size);
    else if (content_size > 0)
        memcpy(bytes + HEADER_SIZE, record->content, content_size);
    size_t end = HEADER_SIZE + place_size + content_size;
    memset(bytes + end, 0, size - end);
    ks_store_u32(bytes + OFFSET_CRC, checksum(bytes, size));
}

/* Whether a record with a header of this size begins here, and nothing in it has changed. */
static bool is_whole(const uint8_t *bytes, size_t left, size_t header_size)
{
    size_t size = ks_load_u32(bytes + OFFSET_SIZE);
    size_t place_size = bytes[OFFSET_PLACE_SIZE];
    size_t content_size = place_size > 0 ? 0 : ks_load_u32(bytes + OFFSET_CONTENT_SIZE);
    if (size > left || content_size > left || size != padded(header_size + place_size + content_size) ||
        ks_load_u32(bytes + OFFSET_CRC) != checksum(bytes, size))
        return false;
    return place_size == 0 || bytes[header_size + place_size - 1] == '\0';
}

bool ks_journal_record_is_sound(const uint8_t *bytes, size_t left, uint64_t salt)
{
    return left >= HEADER_SIZE && ks_load_u64(bytes + OFFSET_SALT) == salt &&
           bytes[OFFSET_HEADER_SIZE] == HEADER_SIZE && is_whole(bytes, left, HEADER_SIZE);
}

bool ks_journal_record_is_sound_1(const uint8_t *bytes, size_t left)
{
    return left >= HEADER_SIZE_1 && bytes[OFFSET_HEADER_SIZE] == 0 && is_whole(bytes, left, HEADER_SIZE_1);
}

size_t ks_journal_record_decode(const uint8_t *bytes, struct ks_journal_record *record)
{
    const uint8_t *rest = bytes + (bytes[OFFSET_HEADER_SIZE] > 0 ? HEADER_SIZE : HEADER_SIZE_1);
    bool has_place = bytes[OFFSET_PLACE_SIZE] > 0;
    *record = (struct ks_journal_record){
        .message_id = ks_journal_record_id(bytes),
        .type = bytes[OFFSET_TYPE],
        .content_size = ks_load_u32(bytes + OFFSET_CONTENT_SIZE),
        .place = has_place ? (const char *)rest : NULL,
        .content = has_place ? NULL : rest,
    };
    memcpy(record->receiver.bytes, bytes + OFFSET_RECEIVER, KS_CLIENT_ID_SIZE);
    memcpy(record->sender.bytes, bytes + OFFSET_SENDER, KS_CLIENT_ID_SIZE);
    return ks_journal_record_stored_size(bytes);
}

size_t ks_journal_record_stored_size(const uint8_t *bytes)
{
    return ks_load_u32(bytes + OFFSET_SIZE);
}

uint64_t ks_journal_record_id(const uint8_t *bytes)
{
    return ks_load_u64(bytes + OFFSET_ID);
}

uint64_t ks_journal_record_batch(const uint8_t *bytes)
{
    return ks_load_u64(bytes + OFFSET_BATCH);
}
