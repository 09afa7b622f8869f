/* seen.c — see seen.h.
 *
 * A table is a file of slots of 16 bytes: 12 of a digest, 4 of a place; zeros where nothing is. The first
 * slot is the header: a magic word and the count. The others, a power of two, are probed one after the other,
 * and at most three quarters of them are in use.
 */
#include "client/inbound/seen.h"

#include "base/bytes.h"
#include "base/file.h"
#include "client/failure.h"
#include "client/inbound/message_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SLOT_SIZE = 16,
    FIRST_CAPACITY = 1024,
    PROBE_SLOTS = 16, /* read at once */
    MAGIC_SIZE = 8,
};

static const char recent_name[] = "seen";
static const char older_name[] = "seen.old";
static const char grown_name[] = "seen.tmp";
static const uint8_t magic[MAGIC_SIZE] = {'k', 's', 'h', 'r', 's', 'e', 'e', '1'};

static enum kesher_status fail(const struct ks_seen *seen, int error_number, const char *doing,
                               struct kesher_error *error)
{
    return ks_home_files_failure(seen->directory, error_number, doing, "the table of received messages",
                                 error);
}

/* ---- a table ---- */

static void close_table(struct ks_seen_table *table)
{
    if (table->fd >= 0)
        close(table->fd);
    *table = (struct ks_seen_table){.fd = -1};
}

static enum ks_result write_header(const struct ks_seen_table *table)
{
    uint8_t header[SLOT_SIZE];
    struct ks_writer writer = ks_writer_over(header, sizeof header);
    ks_writer_put(&writer, magic, sizeof magic);
    ks_writer_u32(&writer, (uint32_t)table->count);
    ks_writer_u32(&writer, (uint32_t)(table->count >> 32));
    return ks_file_write_all_at(table->fd, header, sizeof header, 0);
}

/* Takes capacity and count from the file. False when it is no sound table. */
static bool read_header(struct ks_seen_table *table)
{
    uint8_t header[SLOT_SIZE];
    struct stat status;
    if (fstat(table->fd, &status) != 0 || status.st_size % SLOT_SIZE != 0 ||
        ks_message_file_read(table->fd, header, sizeof header, 0) != KS_OK ||
        memcmp(header, magic, sizeof magic) != 0)
        return false;
    table->capacity = (uint64_t)status.st_size / SLOT_SIZE - 1;
    table->count = ks_load_u32(header + MAGIC_SIZE) | (uint64_t)ks_load_u32(header + MAGIC_SIZE + 4) << 32;
    bool is_power = table->capacity > 0 && (table->capacity & (table->capacity - 1)) == 0;
    return is_power && table->count <= table->capacity;
}

/* A table of empty slots in a new file `name`. */
static enum ks_result create_table(const struct ks_seen *seen, const char *name, uint64_t capacity,
                                   struct ks_seen_table *table)
{
    table->fd = openat(seen->directory->directory_fd, name,
                       O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (table->fd < 0)
        return ks_result_from_errno(errno);
    table->capacity = capacity;
    table->count = 0;
    if (ftruncate(table->fd, (off_t)((capacity + 1) * SLOT_SIZE)) != 0)
        return ks_result_from_errno(errno);
    return write_header(table);
}

static uint64_t home_slot(const struct ks_seen_table *table, const uint8_t *digest)
{
    /* Not from the first byte, one bit of which is always set. */
    uint64_t hash = ks_load_u32(digest + 4) | (uint64_t)ks_load_u32(digest + 8) << 32;
    return hash & (table->capacity - 1);
}

static off_t slot_offset(uint64_t slot)
{
    return (off_t)((slot + 1) * SLOT_SIZE);
}

static bool is_empty(const uint8_t *slot)
{
    static const uint8_t nothing[KS_SEEN_DIGEST_SIZE] = {0};
    return memcmp(slot, nothing, sizeof nothing) == 0;
}

/* Looks for the digest. KS_OK with its *place; KS_NOT_FOUND with the empty *slot where it belongs;
 * KS_TOO_LARGE when there is neither; KS_IO. */
static enum ks_result find(const struct ks_seen_table *table, const uint8_t *digest, uint64_t *slot,
                           uint32_t *place)
{
    uint8_t slots[PROBE_SLOTS * SLOT_SIZE];
    uint64_t next = home_slot(table, digest);
    for (uint64_t probed = 0; probed < table->capacity;) {
        uint64_t left = table->capacity - next;
        size_t count = left < PROBE_SLOTS ? (size_t)left : PROBE_SLOTS;
        if (ks_message_file_read(table->fd, slots, count * SLOT_SIZE, (uint64_t)slot_offset(next)) != KS_OK) {
            errno = EIO;
            return KS_IO;
        }
        for (size_t i = 0; i < count; i++) {
            const uint8_t *found = slots + i * SLOT_SIZE;
            *slot = next + i;
            *place = ks_load_u32(found + KS_SEEN_DIGEST_SIZE);
            if (is_empty(found))
                return KS_NOT_FOUND;
            if (memcmp(found, digest, KS_SEEN_DIGEST_SIZE) == 0)
                return KS_OK;
        }
        probed += count;
        next = (next + count) & (table->capacity - 1);
    }
    return KS_TOO_LARGE;
}

static enum ks_result put(struct ks_seen_table *table, const uint8_t *digest, uint64_t slot, uint32_t place)
{
    uint8_t bytes[SLOT_SIZE];
    memcpy(bytes, digest, KS_SEEN_DIGEST_SIZE);
    ks_store_u32(bytes + KS_SEEN_DIGEST_SIZE, place);
    table->count++;
    return ks_file_write_all_at(table->fd, bytes, sizeof bytes, slot_offset(slot));
}

/* ---- growing ---- */

static bool is_too_full(uint64_t capacity, uint64_t count)
{
    return count * 4 > capacity * 3;
}

static enum ks_result copy_slots(const struct ks_seen_table *from, struct ks_seen_table *to)
{
    uint8_t slots[PROBE_SLOTS * SLOT_SIZE];
    enum ks_result result = KS_OK;
    for (uint64_t next = 0; next < from->capacity && result == KS_OK; next += PROBE_SLOTS) {
        uint64_t left = from->capacity - next;
        size_t count = left < PROBE_SLOTS ? (size_t)left : PROBE_SLOTS;
        result = ks_message_file_read(from->fd, slots, count * SLOT_SIZE, (uint64_t)slot_offset(next));
        for (size_t i = 0; i < count && result == KS_OK; i++) {
            const uint8_t *bytes = slots + i * SLOT_SIZE;
            uint64_t slot = 0;
            uint32_t place = 0;
            if (is_empty(bytes))
                continue;
            result = find(to, bytes, &slot, &place);
            if (result == KS_NOT_FOUND)
                result = put(to, bytes, slot, ks_load_u32(bytes + KS_SEEN_DIGEST_SIZE));
        }
    }
    return result == KS_OK ? write_header(to) : result;
}

/* More capacity, in a new file that takes the old one's place when it is complete. */
static enum ks_result grow(struct ks_seen *seen, uint64_t capacity)
{
    struct ks_seen_table grown = {.fd = -1};
    int directory_fd = seen->directory->directory_fd;
    enum ks_result result = create_table(seen, grown_name, capacity, &grown);
    if (result == KS_OK)
        result = copy_slots(&seen->recent, &grown);
    if (result == KS_OK &&
        (fdatasync(grown.fd) != 0 || renameat(directory_fd, grown_name, directory_fd, recent_name) != 0))
        result = ks_result_from_errno(errno);
    if (result != KS_OK) {
        close_table(&grown);
        return result;
    }
    close_table(&seen->recent);
    seen->recent = grown;
    return KS_OK;
}

/* ---- both tables ---- */

static enum kesher_status open_recent(struct ks_seen *seen, struct kesher_error *error)
{
    seen->recent.fd = openat(seen->directory->directory_fd, recent_name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (seen->recent.fd >= 0 && read_header(&seen->recent))
        return KESHER_OK;
    close_table(&seen->recent);
    if (create_table(seen, recent_name, FIRST_CAPACITY, &seen->recent) == KS_OK)
        return KESHER_OK;
    return fail(seen, errno, "create", error);
}

enum kesher_status ks_seen_open(struct ks_seen *seen, const struct kesher_home *directory,
                                struct kesher_error *error)
{
    *seen = (struct ks_seen){.directory = directory, .recent = {.fd = -1}, .older = {.fd = -1}};
    seen->older.fd = openat(directory->directory_fd, older_name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (seen->older.fd >= 0 && !read_header(&seen->older))
        close_table(&seen->older);
    enum kesher_status status = open_recent(seen, error);
    if (status != KESHER_OK)
        ks_seen_close(seen);
    return status;
}

void ks_seen_close(struct ks_seen *seen)
{
    close_table(&seen->recent);
    close_table(&seen->older);
}

static enum ks_result add(struct ks_seen *seen, const uint8_t *digest, uint32_t place, uint32_t *first_place)
{
    uint64_t slot = 0;
    enum ks_result result =
        seen->older.fd >= 0 ? find(&seen->older, digest, &slot, first_place) : KS_NOT_FOUND;
    if (result == KS_OK || result == KS_IO)
        return result;
    result = is_too_full(seen->recent.capacity, seen->recent.count + 1)
                 ? grow(seen, seen->recent.capacity * 2)
                 : KS_OK;
    if (result == KS_OK)
        result = find(&seen->recent, digest, &slot, first_place);
    if (result == KS_TOO_LARGE) { /* a program died before it wrote down how many there are */
        result = grow(seen, seen->recent.capacity * 2);
        if (result == KS_OK)
            result = find(&seen->recent, digest, &slot, first_place);
    }
    if (result != KS_NOT_FOUND)
        return result;
    *first_place = place;
    return put(&seen->recent, digest, slot, place);
}

enum kesher_status ks_seen_add(struct ks_seen *seen, const uint8_t digest[static KS_SHA256_SIZE],
                               uint32_t place, bool *is_new, struct kesher_error *error)
{
    uint8_t kept[KS_SEEN_DIGEST_SIZE];
    uint32_t first_place = 0;
    memcpy(kept, digest, sizeof kept);
    kept[0] |= 1; /* never all zeros, which is an empty slot */
    enum ks_result result = add(seen, kept, place, &first_place);
    *is_new = first_place == place;
    return result == KS_OK ? KESHER_OK : fail(seen, errno, "write", error);
}

enum kesher_status ks_seen_reserve(struct ks_seen *seen, uint64_t count, struct kesher_error *error)
{
    uint64_t capacity = seen->recent.capacity;
    while (is_too_full(capacity, seen->recent.count + count))
        capacity *= 2;
    if (capacity == seen->recent.capacity || grow(seen, capacity) == KS_OK)
        return KESHER_OK;
    return fail(seen, errno, "write", error);
}

enum kesher_status ks_seen_sync(struct ks_seen *seen, struct kesher_error *error)
{
    if (write_header(&seen->recent) != KS_OK || fdatasync(seen->recent.fd) != 0)
        return fail(seen, errno, "write", error);
    return KESHER_OK;
}

enum kesher_status ks_seen_rotate(struct ks_seen *seen, struct kesher_error *error)
{
    int directory_fd = seen->directory->directory_fd;
    if (seen->recent.count < KS_SEEN_MESSAGES)
        return KESHER_OK;
    enum kesher_status status = ks_seen_sync(seen, error);
    if (status != KESHER_OK)
        return status;
    if (renameat(directory_fd, recent_name, directory_fd, older_name) != 0)
        return fail(seen, errno, "rename", error);
    close_table(&seen->older);
    seen->older = seen->recent;
    seen->recent = (struct ks_seen_table){.fd = -1};
    return open_recent(seen, error);
}
