/* journal_record.h — a message as the journal knows it, in RAM and in bytes. Pure; any thread.
 *
 * A record is, little-endian: CRC-32 of all that follows (4), size of all of it, a multiple of 8 (4), message
 * id (8), receiver (16), sender (16), content size (4), type (1), size of the place or 0 (1), size of this
 * header (1), zero (1), salt (8), batch (8); then the place or the content. Version 1 ends before the salt,
 * and has 0 as size of its header.
 *
 * The salt is the round's, random (journal.h): a record of an earlier round, or one that a sender has put
 * into a content, has another one.
 */
#ifndef KS_STORE_EMBEDDED_JOURNAL_JOURNAL_RECORD_H
#define KS_STORE_EMBEDDED_JOURNAL_JOURNAL_RECORD_H

#include "wire/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KS_JOURNAL_RECORD_ALIGNMENT = 8,
    KS_JOURNAL_RECORD_SMALLEST = 72, /* bytes */
};

/* A message, as the journal and the database know it. `place` is the path of a content that lies in a file,
 * at most 254 bytes; without one, `content` has content_size bytes. */
struct ks_journal_record {
    uint64_t message_id;
    struct ks_client_id receiver;
    struct ks_client_id sender;
    uint8_t type;
    uint32_t content_size;
    const char *place;
    const uint8_t *content;
};

/* The bytes that a message takes. */
size_t ks_journal_record_size(const struct ks_journal_record *record);

/* Writes those bytes. */
void ks_journal_record_encode(const struct ks_journal_record *record, uint64_t salt, uint64_t batch,
                              uint8_t *bytes);

/* Whether a sound record with this salt begins here, of `left` bytes. */
bool ks_journal_record_is_sound(const uint8_t *bytes, size_t left, uint64_t salt);

/* The same for a record of version 1, which has no salt. */
bool ks_journal_record_is_sound_1(const uint8_t *bytes, size_t left);

/* Of a sound record, of either version: what it says, pointing into `bytes`; returns its size. */
size_t ks_journal_record_decode(const uint8_t *bytes, struct ks_journal_record *record);

/* Of a sound record: its size, its message's id, and (not in version 1) its batch. */
size_t ks_journal_record_stored_size(const uint8_t *bytes);
uint64_t ks_journal_record_id(const uint8_t *bytes);
uint64_t ks_journal_record_batch(const uint8_t *bytes);

#endif
