/* journal.c — see journal.h: the ring of segments. */
#include "store/embedded/journal/journal.h"

#include "base/file.h"
#include "store/embedded/journal/journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MEMORY_SIZE = KS_JOURNAL_SEGMENTS * KS_JOURNAL_SEGMENT_SIZE };

static const char unfinished[] = "journal.new"; /* until all of it is written */

/* ---- segments ---- */

static off_t segment_offset(size_t number)
{
    return (off_t)(KS_JOURNAL_HEAD_SIZE + number * KS_JOURNAL_SEGMENT_SIZE);
}

static size_t next_of(size_t number)
{
    return (number + 1) % KS_JOURNAL_SEGMENTS;
}

static void set_synced(struct ks_journal_segment *segment, size_t size)
{
    segment->size = size;
    atomic_store(&segment->synced, size);
}

static struct ks_journal_segment *active_of(struct ks_journal *journal)
{
    return &journal->segments[atomic_load(&journal->active)];
}

/* From now on, it is the one that is written. Whoever takes comes there when the one before is read. */
static void start_segment(struct ks_journal *journal, size_t number)
{
    struct ks_journal_segment *segment = &journal->segments[number];
    segment->filling = ++journal->fillings;
    set_synced(segment, 0);
    atomic_store(&journal->active, number);
}

/* What the batch that is being added is told by. */
static uint64_t batch_of(const struct ks_journal_segment *segment)
{
    return segment->filling * KS_JOURNAL_SEGMENT_SIZE + atomic_load(&segment->synced);
}

/* The first message that was found; UINT64_MAX when there is none. */
static uint64_t first_id(const struct ks_journal_segment *segment)
{
    return atomic_load(&segment->synced) > 0 ? ks_journal_record_id(segment->bytes) : UINT64_MAX;
}

/* ---- the file ---- */

static enum ks_result sync_file(const struct ks_journal *journal)
{
    return fdatasync(journal->fd) == 0 ? KS_OK : ks_result_from_errno(errno);
}

/* Nobody knows what is on disk now. What is pending stays in RAM. Returns the failure for the caller. */
static enum ks_result give_up(struct ks_journal *journal, enum ks_result failure)
{
    int error_number = errno;
    close(journal->fd);
    journal->fd = -1;
    journal->has_begun = false;
    errno = error_number;
    return failure == KS_NO_SPACE ? KS_NO_SPACE : KS_IO;
}

/* What is in the file is durable before it gets its name, and the name before anything is added. */
static enum ks_result make_whole(struct ks_journal *journal, int directory_fd)
{
    if (!ks_journal_file_has_space(journal->fd))
        return KS_NO_SPACE;
    enum ks_result result = ks_journal_begin(journal);
    if (result == KS_OK &&
        (renameat(directory_fd, unfinished, directory_fd, "journal") != 0 || fsync(directory_fd) != 0))
        result = ks_result_from_errno(errno);
    return result;
}

/* Under another name: what a power cut leaves of a file on its way may be anything, not only blank. */
static enum ks_result create(struct ks_journal *journal, int directory_fd)
{
    journal->fd = openat(directory_fd, unfinished, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (journal->fd < 0)
        return ks_result_from_errno(errno);
    enum ks_result result = make_whole(journal, directory_fd);
    if (result != KS_OK) {
        int failure = errno;
        unlinkat(directory_fd, unfinished, 0);
        unlinkat(directory_fd, "journal", 0); /* a name that may not be durable, or of what is none */
        errno = failure;
    }
    return result;
}

/* From the system: what nobody needs goes back there (give_memory_back). */
static enum ks_result allocate(struct ks_journal *journal)
{
    void *bytes =
        mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bytes == MAP_FAILED)
        return KS_NO_MEMORY;
    journal->bytes = bytes;
    for (size_t i = 0; i < KS_JOURNAL_SEGMENTS; i++)
        journal->segments[i].bytes = journal->bytes + i * KS_JOURNAL_SEGMENT_SIZE;
    return KS_OK;
}

/* Nothing is pending: what is in memory is of no use. */
static void give_memory_back(struct ks_journal *journal)
{
    (void)madvise(journal->bytes, MEMORY_SIZE, MADV_DONTNEED); /* a hint */
}

/* Others may ask meanwhile how much is pending. */
static void empty(struct ks_journal *journal)
{
    for (size_t i = 0; i < KS_JOURNAL_SEGMENTS; i++)
        set_synced(&journal->segments[i], 0);
    journal->taken = journal->released = (struct ks_journal_position){0};
    atomic_store(&journal->released_segment, 0);
    atomic_store(&journal->released_bytes, 0);
    atomic_store(&journal->taken_bytes, 0);
    atomic_store(&journal->synced_bytes, 0);
    atomic_store(&journal->active, 0);
}

static void close_and_free(struct ks_journal *journal)
{
    if (journal->fd >= 0)
        close(journal->fd);
    if (journal->bytes != NULL)
        munmap(journal->bytes, MEMORY_SIZE);
    journal->fd = -1;
    journal->bytes = NULL;
    journal->has_begun = false;
    journal->is_marked = false;
    journal->has_new_head = false;
    journal->cannot_sync_writes = false;
    journal->fillings = 0;
    empty(journal);
}

/* A head without a byte is that of a file that was never finished, if the segments have none either. */
static bool is_blank(const struct ks_journal *journal)
{
    for (size_t i = 0; i < MEMORY_SIZE; i++)
        if (journal->bytes[i] != 0)
            return false;
    return true;
}

/* Finds what nobody has taken. Of the damage, what is lost is put aside. */
static enum ks_result find_messages(struct ks_journal *journal, const struct ks_journal_options *options,
                                    uint64_t salt, struct ks_journal_findings *findings)
{
    struct ks_buffer damaged = ks_buffer_empty(MEMORY_SIZE);
    enum ks_result result = ks_journal_recovery_find(journal->segments, salt, options->in_database, &damaged,
                                                     &findings->left_out);
    findings->damaged = damaged.size;
    if (result == KS_OK && damaged.size > 0)
        result = ks_journal_recovery_put_aside(options->directory_fd, options->clock, salt, &damaged,
                                               findings->name);
    ks_buffer_free(&damaged);
    return result == KS_OK || result == KS_NO_MEMORY ? result : KS_IO;
}

static int compare_first_ids(const void *one, const void *other)
{
    uint64_t first = first_id(one);
    uint64_t second = first_id(other);
    return (first > second) - (first < second);
}

/* The oldest one first, which is taken first; those without messages behind them. Which of them stands where
 * in the file does not matter any more: nothing is added before a round begins. */
static void put_in_order(struct ks_journal *journal)
{
    qsort(journal->segments, KS_JOURNAL_SEGMENTS, sizeof journal->segments[0], compare_first_ids);
    uint64_t bytes = 0;
    for (size_t i = 0; i < KS_JOURNAL_SEGMENTS; i++)
        bytes += atomic_load(&journal->segments[i].synced);
    atomic_store(&journal->synced_bytes, bytes);
    atomic_store(&journal->active, KS_JOURNAL_SEGMENTS - 1);
}

static enum ks_result read_file(struct ks_journal *journal, const struct ks_journal_options *options,
                                struct ks_journal_findings *findings, uint32_t *version)
{
    struct ks_journal_head head = {0};
    enum ks_result found = ks_journal_file_read_head(journal->fd, &head);
    *version = head.version;
    if (found != KS_OK && found != KS_NOT_FOUND)
        return found;
    enum ks_result result = ks_journal_file_read_segments(journal->fd, journal->bytes, head.segments_size);
    if (found == KS_NOT_FOUND)
        return result == KS_OK && !is_blank(journal) ? KS_INVALID : KS_NOT_FOUND;
    if (result == KS_OK && head.version > 1)
        result = find_messages(journal, options, head.salt, findings);
    else if (result == KS_OK)
        ks_journal_recovery_find_1(journal->segments, options->in_database);
    put_in_order(journal);
    return result;
}

static enum ks_result open_file(struct ks_journal *journal, const struct ks_journal_options *options,
                                struct ks_journal_findings *findings, uint32_t *version)
{
    enum ks_result result = ks_random_fill(options->random, &journal->salt, sizeof journal->salt);
    if (result != KS_OK)
        return result;
    (void)unlinkat(options->directory_fd, unfinished, 0);
    journal->fd = openat(options->directory_fd, "journal", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (journal->fd < 0 && errno != ENOENT)
        return ks_result_from_errno(errno);
    result = journal->fd < 0 ? KS_NOT_FOUND : read_file(journal, options, findings, version);
    if (result != KS_NOT_FOUND)
        return result;
    if (journal->fd >= 0)
        close(journal->fd);
    return create(journal, options->directory_fd);
}

static void explain(enum ks_result result, uint32_t version, char *why, size_t why_size)
{
    char text[128];
    if (result == KS_INVALID && version > KS_JOURNAL_VERSION)
        snprintf(why, why_size,
                 "`journal` in the data directory has version %" PRIu32
                 ", of a newer kesher; this one knows versions up to %d",
                 version, KS_JOURNAL_VERSION);
    else if (result == KS_INVALID)
        snprintf(why, why_size, "`journal` in the data directory is not a journal that this kesher can read");
    else
        snprintf(why, why_size, "cannot open `journal` in the data directory: %s",
                 errno != 0 ? strerror_r(errno, text, sizeof text) : ks_result_text(result));
}

void ks_journal_init(struct ks_journal *journal)
{
    *journal = (struct ks_journal){.fd = -1};
}

enum ks_result ks_journal_open(struct ks_journal *journal, const struct ks_journal_options *options,
                               struct ks_journal_findings *findings, char *why, size_t why_size)
{
    uint32_t version = KS_JOURNAL_VERSION;
    close_and_free(journal);
    *findings = (struct ks_journal_findings){.left_out = 0};
    errno = 0;
    enum ks_result result = allocate(journal);
    if (result == KS_OK)
        result = open_file(journal, options, findings, &version);
    if (result == KS_OK) {
        if (!ks_journal_is_pending(journal))
            give_memory_back(journal);
        return KS_OK;
    }
    explain(result, version, why, why_size);
    close_and_free(journal);
    return result == KS_INVALID || result == KS_NO_MEMORY || result == KS_NO_SPACE || result == KS_CRYPTO
               ? result
               : KS_IO;
}

static void start_round(struct ks_journal *journal)
{
    empty(journal);
    start_segment(journal, 0);
    journal->has_begun = true;
    journal->is_marked = true;
    give_memory_back(journal);
}

enum ks_result ks_journal_begin(struct ks_journal *journal)
{
    if (journal->has_begun)
        return KS_OK;
    enum ks_result result = ks_journal_file_wipe_segments(journal->fd);
    if (result == KS_OK)
        result = sync_file(journal);
    if (result == KS_OK)
        result = ks_journal_file_write_head(journal->fd, journal->salt);
    if (result == KS_OK)
        result = sync_file(journal);
    if (result != KS_OK)
        return give_up(journal, result);
    start_round(journal);
    return KS_OK;
}

void ks_journal_close(struct ks_journal *journal)
{
    ks_journal_mark_empty(journal);
    close_and_free(journal);
}

bool ks_journal_is_open(const struct ks_journal *journal)
{
    return journal->fd >= 0;
}

/* ---- adding ---- */

/* The next segment may be written when whoever takes has left it behind. */
static bool is_free(const struct ks_journal *journal, size_t number)
{
    return number != atomic_load(&journal->released_segment);
}

bool ks_journal_reserve(struct ks_journal *journal, size_t size)
{
    if (!journal->has_begun)
        return false;
    if (size <= KS_JOURNAL_SEGMENT_SIZE - active_of(journal)->size)
        return true;
    size_t next = next_of(atomic_load(&journal->active));
    if (size > KS_JOURNAL_SEGMENT_SIZE || !is_free(journal, next))
        return false;
    start_segment(journal, next);
    return true;
}

void ks_journal_add(struct ks_journal *journal, const struct ks_journal_record *record)
{
    struct ks_journal_segment *segment = active_of(journal);
    ks_journal_record_encode(record, journal->salt, batch_of(segment), segment->bytes + segment->size);
    segment->size += ks_journal_record_size(record);
}

/* With its sync, if the kernel has that: a second call would be another wait of the thread. */
static ssize_t write_some(struct ks_journal *journal, const uint8_t *bytes, size_t size, off_t offset)
{
    const struct iovec piece = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    ssize_t count = -1;
    if (!journal->cannot_sync_writes) {
        count = pwritev2(journal->fd, &piece, 1, offset, journal->has_new_head ? 0 : RWF_DSYNC);
        journal->cannot_sync_writes = count < 0 && errno == EOPNOTSUPP;
    }
    return journal->cannot_sync_writes ? pwrite(journal->fd, bytes, size, offset) : count;
}

/* A write's own sync makes nothing durable but what it wrote. So a head that was written before, by which
 * recovery knows this round, needs one of the file. */
static enum ks_result write_durably(struct ks_journal *journal, const uint8_t *bytes, size_t size,
                                    off_t offset)
{
    while (size > 0) {
        ssize_t count = write_some(journal, bytes, size, offset);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count < 0 ? ks_result_from_errno(errno) : KS_IO;
        bytes += count;
        offset += count;
        size -= (size_t)count;
    }
    if (!journal->has_new_head && !journal->cannot_sync_writes)
        return KS_OK;
    enum ks_result result = sync_file(journal);
    journal->has_new_head = result != KS_OK;
    return result;
}

enum ks_result ks_journal_commit(struct ks_journal *journal)
{
    struct ks_journal_segment *segment = active_of(journal);
    const size_t synced = atomic_load(&segment->synced);
    const size_t size = segment->size - synced;
    const off_t offset = segment_offset(atomic_load(&journal->active)) + (off_t)synced;
    enum ks_result result = write_durably(journal, segment->bytes + synced, size, offset);
    if (result != KS_OK) {
        segment->size = synced;
        return give_up(journal, result);
    }
    journal->is_marked = false;
    atomic_fetch_add(&journal->synced_bytes, size);
    atomic_store(&segment->synced, segment->size);
    return KS_OK;
}

void ks_journal_mark_empty(struct ks_journal *journal)
{
    const size_t next = next_of(atomic_load(&journal->active));
    if (!journal->has_begun || journal->is_marked || ks_journal_is_pending(journal) ||
        !is_free(journal, next))
        return;
    journal->salt++; /* as good as a new one: what is told apart are rounds, from what is not known */
    journal->has_new_head = true;
    enum ks_result result = ks_journal_file_write_head(journal->fd, journal->salt);
    if (result != KS_OK)
        (void)give_up(journal, result);
    else
        start_segment(journal, next); /* a filling has one salt */
    journal->is_marked = true;
    give_memory_back(journal);
}

/* ---- taking ---- */

bool ks_journal_take(struct ks_journal *journal, struct ks_journal_record *record)
{
    struct ks_journal_position *at = &journal->taken;
    for (;;) {
        /* Before it is looked into: what is not the active one any more becomes no longer. */
        const bool is_active = at->segment == atomic_load(&journal->active);
        const struct ks_journal_segment *segment = &journal->segments[at->segment];
        if (at->offset < atomic_load(&segment->synced)) {
            size_t size = ks_journal_record_decode(segment->bytes + at->offset, record);
            at->offset += size;
            at->bytes += size;
            atomic_store_explicit(&journal->taken_bytes, at->bytes, memory_order_relaxed);
            return true;
        }
        if (is_active)
            return false;
        at->segment = next_of(at->segment);
        at->offset = 0;
    }
}

void ks_journal_released(struct ks_journal *journal, bool committed)
{
    if (!committed) {
        journal->taken = journal->released;
        atomic_store(&journal->taken_bytes, journal->taken.bytes);
        return;
    }
    journal->released = journal->taken;
    atomic_store(&journal->released_bytes, journal->released.bytes);
    atomic_store(&journal->released_segment, journal->released.segment);
}

/* ---- any thread ---- */

/* What is released was synced before: read in this order, it is never the greater one. */
uint64_t ks_journal_pending(const struct ks_journal *journal)
{
    uint64_t released = atomic_load(&journal->released_bytes);
    return atomic_load(&journal->synced_bytes) - released;
}

uint64_t ks_journal_taken(const struct ks_journal *journal)
{
    return atomic_load(&journal->taken_bytes);
}

uint64_t ks_journal_end(const struct ks_journal *journal)
{
    return atomic_load(&journal->synced_bytes);
}

bool ks_journal_is_released(const struct ks_journal *journal, uint64_t end)
{
    return atomic_load(&journal->released_bytes) >= end;
}
