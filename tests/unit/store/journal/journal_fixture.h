/* journal_fixture.h — journals of versions 1 and 2, as kesher wrote them before: written from what its header
 * said.
 */
#ifndef KS_TESTS_UNIT_STORE_JOURNAL_JOURNAL_FIXTURE_H
#define KS_TESTS_UNIT_STORE_JOURNAL_JOURNAL_FIXTURE_H

#include "crypto/checksum.h"
#include "store/embedded/journal/journal.h"

#include <string.h>

static inline void fixture_journal_put(uint8_t *bytes, size_t size, uint64_t value)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

static inline void fixture_journal_1_head(uint8_t *head)
{
    memcpy(head, "kesher journal\n", 16);
    fixture_journal_put(head + 16, 4, 1);
    fixture_journal_put(head + 20, 4, 1024 * 1024);
}

/* One of its two copies. */
static inline void fixture_journal_2_head(uint8_t *copy, uint64_t salt)
{
    memcpy(copy, "kesher journal\n", 16);
    fixture_journal_put(copy + 16, 4, 2);
    fixture_journal_put(copy + 20, 4, 1024 * 1024);
    fixture_journal_put(copy + 24, 8, salt);
    fixture_journal_put(copy + 32, 4, ks_crc32(copy, 32));
}

/* Of a message without a place. Returns the record's size. */
static inline size_t fixture_journal_1_record(uint8_t *bytes, const struct ks_journal_record *record)
{
    size_t size = (56 + (size_t)record->content_size + 7) / 8 * 8;
    memset(bytes, 0, size);
    fixture_journal_put(bytes + 4, 4, (uint32_t)size);
    fixture_journal_put(bytes + 8, 8, record->message_id);
    memcpy(bytes + 16, record->receiver.bytes, 16);
    memcpy(bytes + 32, record->sender.bytes, 16);
    fixture_journal_put(bytes + 48, 4, record->content_size);
    bytes[52] = record->type;
    memcpy(bytes + 56, record->content, record->content_size);
    fixture_journal_put(bytes, 4, ks_crc32(bytes + 4, size - 4));
    return size;
}

#endif
