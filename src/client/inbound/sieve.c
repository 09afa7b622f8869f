/* sieve.c — see sieve.h. */
#include "client/inbound/sieve.h"

#include "client/failure.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static enum kesher_status fail(const struct ks_sieve *sieve, const char *doing, struct kesher_error *error)
{
    return ks_home_files_failure(sieve->seen->directory, errno, doing, "received messages", error);
}

enum kesher_status ks_sieve_init(struct ks_sieve *sieve, const struct ks_message_file *file, uint64_t number,
                                 struct ks_seen *seen, struct kesher_error *error)
{
    sieve->file = *file;
    sieve->number = number;
    sieve->seen = seen;
    sieve->brings_new = false;
    sieve->window_begin = 0;
    sieve->window_size = 0;
    enum ks_result result = ks_digest_new(&sieve->digest);
    return result == KS_OK ? KESHER_OK
                           : ks_failure_from_result(error, result, "cannot compute the digests of messages");
}

void ks_sieve_destroy(struct ks_sieve *sieve)
{
    ks_digest_free(sieve->digest);
}

/* ---- reading ---- */

/* The bytes from `offset` on, at least one and up to `wanted`; the end of the file is farther. Small messages
 * are many: they are not read one by one. */
static enum ks_result peek(struct ks_sieve *sieve, uint64_t offset, uint64_t wanted, const uint8_t **bytes,
                           size_t *size)
{
    if (offset < sieve->window_begin || offset >= sieve->window_begin + sieve->window_size) {
        uint64_t left = sieve->file.size - offset;
        sieve->window_begin = offset;
        sieve->window_size = left < sizeof sieve->window ? (size_t)left : sizeof sieve->window;
        enum ks_result result =
            ks_message_file_read(sieve->file.fd, sieve->window, sieve->window_size, offset);
        if (result != KS_OK) {
            sieve->window_size = 0;
            return KS_IO;
        }
    }
    size_t skipped = (size_t)(offset - sieve->window_begin);
    size_t ready = sieve->window_size - skipped;
    *bytes = sieve->window + skipped;
    *size = wanted < ready ? (size_t)wanted : ready;
    return KS_OK;
}

/* KS_INVALID when the message at `offset`, which is before the end, goes beyond it. */
static enum ks_result entry_at(struct ks_sieve *sieve, uint64_t offset, struct ks_entry *entry)
{
    uint8_t fixed[KS_WAITING_MESSAGE_FIXED_SIZE];
    if (sieve->file.size - offset < sizeof fixed)
        return KS_INVALID;
    for (size_t done = 0; done < sizeof fixed;) {
        const uint8_t *bytes = NULL;
        size_t size = 0;
        enum ks_result result = peek(sieve, offset + done, sizeof fixed - done, &bytes, &size);
        if (result != KS_OK)
            return result;
        memcpy(fixed + done, bytes, size);
        done += size;
    }
    entry->fd = sieve->file.fd;
    entry->offset = offset;
    entry->received = sieve->file.received;
    if (ks_waiting_message_parse(fixed, sizeof fixed, &entry->fixed) != KS_OK ||
        ks_entry_size(entry) > sieve->file.size - offset)
        return KS_INVALID;
    return KS_OK;
}

enum kesher_status ks_sieve_judge(struct ks_sieve *sieve, uint64_t *count, struct kesher_error *error)
{
    struct ks_entry entry;
    *count = 0;
    for (uint64_t offset = KS_MESSAGE_FILE_HEADER_SIZE; offset < sieve->file.size;
         offset += ks_entry_size(&entry)) {
        enum ks_result result = entry_at(sieve, offset, &entry);
        if (result == KS_INVALID)
            return KESHER_INVALID;
        if (result != KS_OK)
            return fail(sieve, "read", error);
        ++*count;
    }
    return KESHER_OK;
}

/* ---- which stay ---- */

static enum ks_result digest_entry(struct ks_sieve *sieve, const struct ks_entry *entry,
                                   uint8_t value[static KS_SHA256_SIZE])
{
    uint64_t left = ks_entry_size(entry);
    uint64_t offset = entry->offset;
    while (left > 0) {
        const uint8_t *bytes = NULL;
        size_t size = 0;
        enum ks_result result = peek(sieve, offset, left, &bytes, &size);
        if (result == KS_OK)
            result = ks_digest_add(sieve->digest, bytes, size);
        if (result != KS_OK)
            return result;
        offset += size;
        left -= size;
    }
    return ks_digest_finish(sieve->digest, value);
}

static enum kesher_status remember(struct ks_sieve *sieve, const struct ks_entry *entry, bool *stays,
                                   struct kesher_error *error)
{
    uint8_t value[KS_SHA256_SIZE];
    bool is_new = false;
    enum ks_result result = digest_entry(sieve, entry, value);
    if (result == KS_CRYPTO)
        return ks_failure_from_result(error, result, "cannot compute the digest of a message");
    if (result != KS_OK)
        return fail(sieve, "read", error);
    /* The same for the same message of the same file whenever it is looked at, and hardly ever for another.
     */
    uint32_t place = (uint32_t)entry->offset + (uint32_t)sieve->number * UINT32_C(0x9E3779B1);
    enum kesher_status status = ks_seen_add(sieve->seen, value, place, &is_new, error);
    sieve->brings_new = sieve->brings_new || is_new;
    *stays = is_new || entry->fixed.type == KS_MESSAGE_KEY_REQUEST;
    return status;
}

enum kesher_status ks_sieve_look(struct ks_sieve *sieve, bool *all_stays, struct kesher_error *error)
{
    enum kesher_status status = KESHER_OK;
    struct ks_entry entry;
    *all_stays = true;
    for (uint64_t offset = KS_MESSAGE_FILE_HEADER_SIZE;
         offset < sieve->file.size && status == KESHER_OK && *all_stays; offset += ks_entry_size(&entry)) {
        if (entry_at(sieve, offset, &entry) != KS_OK)
            return fail(sieve, "read", error);
        status = remember(sieve, &entry, all_stays, error);
    }
    return status;
}

/* Copies the run of messages from `begin` to `end`. */
static enum kesher_status copy_run(const struct ks_sieve *sieve, uint64_t begin, uint64_t end, int to,
                                   uint64_t *copied, struct kesher_error *error)
{
    if (ks_message_file_copy(sieve->file.fd, begin, end - begin, to) != KS_OK)
        return fail(sieve, "copy", error);
    *copied += end - begin;
    return KESHER_OK;
}

enum kesher_status ks_sieve_copy(struct ks_sieve *sieve, int to, uint64_t *copied, struct kesher_error *error)
{
    uint64_t offset = KS_MESSAGE_FILE_HEADER_SIZE;
    uint64_t begin = offset;
    enum kesher_status status = KESHER_OK;
    *copied = 0;
    if (lseek(to, KS_MESSAGE_FILE_HEADER_SIZE, SEEK_SET) < 0)
        return fail(sieve, "copy", error);
    while (offset < sieve->file.size && status == KESHER_OK) {
        struct ks_entry entry;
        bool stays = true;
        if (entry_at(sieve, offset, &entry) != KS_OK)
            return fail(sieve, "read", error);
        status = remember(sieve, &entry, &stays, error);
        if (status == KESHER_OK && !stays) {
            status = copy_run(sieve, begin, offset, to, copied, error);
            begin = offset + ks_entry_size(&entry);
        }
        offset += ks_entry_size(&entry);
    }
    if (status == KESHER_OK)
        status = copy_run(sieve, begin, offset, to, copied, error);
    if (status == KESHER_OK &&
        (ks_message_file_write_header(to, (uint32_t)*copied, sieve->file.received) != KS_OK ||
         fsync(to) != 0))
        status = fail(sieve, "write", error);
    return status;
}
