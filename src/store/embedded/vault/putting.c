/* putting.c — own files that are put: how they are opened, and parked. Everything here runs on the thread
 * that the stage is pinned to.
 *
 * What has come of a put is what the disk gives back. When its file is opened again, it is synced first: then
 * all that is there is durable, or the sync tells that something was lost, and the file goes. But an error of
 * write-back is told only once, and whoever was told may be gone, with the process, before it could remove
 * the file: the kernel would know nothing of it, and its cache would have the bytes as they were meant. So
 * what is synced is dropped from the cache, and the offset and the cksum that a client gets are of bytes that
 * were read from the disk. What was lost is not in them, so it is sent again; and what is in them is durable
 * already, whatever happens to the descriptors, the process or the machine between now and the confirmation.
 * From the opening on, the stage is like any other (confirm.c): it counts the failed syncs before its sync,
 * its new bytes are synced by the descriptor that wrote them, or have reached the disk when that is closed,
 * which is true for parking, too: an error then means that the file goes.
 *
 * Of a file that is kept already nothing is held open: what was read is known by its inode and its times, and
 * the confirmation looks whether they are still the same. Its data was synced before it got its name; of one
 * that came there by somebody's hand, the confirmation tells whether the disk has it.
 *
 * Reading takes as long as it does, so it goes in slices, between which others of the same thread have
 * theirs. */
#include "base/limits/log_repeats.h"
#include "store/embedded/vault/vault_internal.h"
#include "store/reply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SLICE = 8 * 1024 * 1024,  /* read in one turn */
    SCRATCH_SIZE = 256 * 1024 /* at once, so that it is summed while it is in the processor's cache */
};

/* ---- ends ---- */

static void open_failed(struct ks_stage *stage, enum ks_result result, bool may_be_parked)
{
    struct ks_store_put_open *request = KS_CONTAINER_OF(stage->request, struct ks_store_put_open, request);
    request->limit = stage->limit;
    request->stage = NULL;
    ks_stage_delist(stage);
    ks_vault_end(stage, may_be_parked);
    ks_reply_post(&request->request, result);
}

static void opened(struct ks_stage *stage)
{
    struct ks_store_put_open *request = KS_CONTAINER_OF(stage->request, struct ks_store_put_open, request);
    bool is_kept = stage->row.is_kept;
    ks_puts_set_bytes(stage->vault->options.puts, stage->put, is_kept ? 0 : stage->size,
                      is_kept ? 0 : stage->declared);
    if (stage->size == stage->declared) {
        if (!is_kept)
            ks_stage_date(stage);
        ks_stage_become(stage, STAGE_COMPLETE);
    }
    request->is_kept = is_kept;
    request->offset = stage->size;
    request->cksum = ks_cksum_value(&stage->cksum);
    ks_reply_post(&request->request, KS_OK);
}

void ks_putting_run_park(struct ks_task *task)
{
    struct ks_stage *stage = KS_CONTAINER_OF(task, struct ks_stage, discarding);
    ks_stage_delist(stage);
    ks_vault_end(stage, true);
}

/* ---- what is there is read ---- */

/* One buffer for each thread, however many read. NULL when out of memory. */
static uint8_t *scratch_of(struct ks_vault_thread *thread)
{
    if (thread->scratch == NULL)
        thread->scratch = malloc(SCRATCH_SIZE);
    return thread->scratch;
}

/* As much as there is of a piece, once. KS_OK with *count > 0; KS_IO, also when the file has become shorter.
 */
static enum ks_result read_piece(int fd, uint8_t *bytes, size_t size, uint64_t offset, size_t *count)
{
    ssize_t got = 0;
    do
        got = pread(fd, bytes, size, (off_t)offset);
    while (got < 0 && errno == EINTR);
    *count = got > 0 ? (size_t)got : 0;
    return got > 0 ? KS_OK : KS_IO;
}

/* Sums the next slice as the disk has it; what was read stays in nobody's way, either. */
static enum ks_result read_slice(struct ks_stage *stage, int fd)
{
    uint8_t *scratch = scratch_of(stage->owner->thread);
    uint64_t from = stage->cksum.length;
    uint64_t behind = from < SLICE ? from : SLICE;
    uint64_t end = stage->size - from < SLICE ? stage->size : from + SLICE;
    enum ks_result result = scratch == NULL ? KS_NO_MEMORY : KS_OK;
    int advised = posix_fadvise(fd, (off_t)(from - behind), SLICE + (off_t)behind, POSIX_FADV_DONTNEED);
    (void)advised; /* there is nothing else to be done, nor is it known to fail */
    while (result == KS_OK && stage->cksum.length < end) {
        uint64_t left = end - stage->cksum.length;
        size_t count = 0;
        result = read_piece(fd, scratch, left < SCRATCH_SIZE ? (size_t)left : SCRATCH_SIZE,
                            stage->cksum.length, &count);
        ks_cksum_add(&stage->cksum, scratch, count);
    }
    return result;
}

static enum ks_result read_own(struct ks_stage *stage)
{
    enum ks_result result = ks_stage_open_file(stage);
    if (result != KS_OK)
        return result;
    ks_stage_mark_used(stage);
    return read_slice(stage, stage->fd);
}

/* KS_CLOSED when it is another file meanwhile: whoever asks again is told of that one. */
static enum ks_result read_kept(struct ks_stage *stage)
{
    struct ks_vault_identity now;
    int fd =
        openat(stage->vault->options.directory_fd, stage->row.path_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? KS_CLOSED : ks_vault_failure(errno);
    enum ks_result result = KS_CLOSED;
    if (ks_vault_identify_open(fd, &now) && ks_vault_is_same(&now, &stage->kept))
        result = read_slice(stage, fd);
    close(fd);
    return result;
}

/* Reads the next slice, if there is one. KS_MORE: there are others. */
static enum ks_result read_on(struct ks_stage *stage)
{
    if (stage->state == STAGE_FAILED)
        return stage->failure; /* its user goes, or its time was up */
    if (stage->cksum.length == stage->size)
        return KS_OK;
    if (atomic_load(&stage->vault->is_stopping))
        return KS_CLOSED;
    enum ks_result result = stage->row.is_kept ? read_kept(stage) : read_own(stage);
    return result == KS_OK && stage->cksum.length < stage->size ? KS_MORE : result;
}

static void run_read(struct ks_task *task);

static void go_on(struct ks_stage *stage)
{
    enum ks_result result = read_on(stage);
    if (result == KS_OK) {
        opened(stage);
    } else if (result == KS_MORE) {
        stage->discarding.run = run_read;
        ks_executor_post(ks_thread_executor(stage->owner->thread->thread), &stage->discarding);
    } else {
        open_failed(stage, result, result == KS_CLOSED || result == KS_NO_MEMORY);
    }
}

static void run_read(struct ks_task *task)
{
    go_on(KS_CONTAINER_OF(task, struct ks_stage, discarding));
}

/* ---- openings ---- */

/* Enters the put among those that are open; the oldest make room. */
static enum ks_result enter(struct ks_stage *stage, const struct ks_store_put_open *request, uint64_t size,
                            bool *was_parked)
{
    struct ks_vault *vault = stage->vault;
    struct ks_put_entry *put = NULL;
    enum ks_result result = KS_MORE;
    while (result == KS_MORE) {
        result = ks_puts_open(vault->options.puts, &request->id, request->put_id, size, &put, was_parked,
                              &stage->limit);
        if (result == KS_MORE)
            ks_vault_remove_parked(vault, put);
    }
    if (result == KS_OK)
        stage->put = put;
    return result;
}

/* What is there of it is synced. False when it is worth nothing. */
static bool sync_parked(struct ks_stage *stage)
{
    struct ks_vault_identity there;
    char text[128];
    if (fdatasync(stage->fd) != 0) {
        ks_log_trouble(stage->vault->options.log, KS_LOG_WARNING,
                       "what has come of an own file is lost: cannot sync it: %s",
                       strerror_r(errno, text, sizeof text));
        return false;
    }
    if (!ks_vault_identify_open(stage->fd, &there) || there.size > stage->declared)
        return false;
    stage->size = there.size;
    stage->write_back = there.size;
    return true;
}

static void forget_parked(struct ks_stage *stage)
{
    ks_stage_delist(stage);
    stage->on_disk = true;
    ks_vault_remove_file(stage);
}

/* Takes up what was parked. KS_OK; KS_NOT_FOUND when there is nothing any more that could be taken up. After
 * anything else it is parked again, as it was. */
static enum ks_result take_up(struct ks_stage *stage, bool anew)
{
    struct ks_puts *puts = stage->vault->options.puts;
    enum ks_result result = anew ? KS_NOT_FOUND : ks_stage_resume_file(stage);
    if (anew || (result == KS_OK && !sync_parked(stage))) {
        forget_parked(stage);
        return KS_NOT_FOUND;
    }
    if (result != KS_OK && result != KS_NOT_FOUND) {
        if (!ks_puts_park(puts, stage->put, stage->put->until_ms))
            ks_vault_remove_parked(stage->vault, stage->put);
        stage->put = NULL;
    }
    return result;
}

/* What is to be written goes to a new file. */
static enum ks_result begin_file(struct ks_stage *stage)
{
    enum ks_result result = ks_stage_open_file(stage);
    if (result == KS_OK)
        ks_stage_mark_used(stage);
    return result;
}

/* KS_EXISTS for what has to replace, and may not; KS_REFUSED at a limit. */
static enum ks_result judge_older(struct ks_stage *stage, const struct ks_store_put_open *request,
                                  bool has_older, bool may_be_kept)
{
    struct ks_quotas *quotas = stage->vault->options.quotas;
    const struct ks_quota_change change = {
        .replaces = has_older, .before = has_older ? stage->kept.size : 0, .after = request->size};
    if (has_older && !request->replace && !may_be_kept)
        return KS_EXISTS;
    return quotas == NULL ? KS_OK : ks_quotas_judge(quotas, &request->id, &change, &stage->limit);
}

static enum ks_result begin(struct ks_stage *stage, const struct ks_store_put_open *request)
{
    bool was_parked = false;
    bool has_older = ks_vault_identify(stage->vault, stage->row.path_name, &stage->kept);
    bool may_be_kept = has_older && stage->kept.size == request->size && !request->anew;
    enum ks_result result = judge_older(stage, request, has_older, may_be_kept);
    if (result == KS_OK)
        result = enter(stage, request, may_be_kept ? 0 : request->size, &was_parked);
    if (result == KS_OK)
        result = was_parked ? take_up(stage, request->anew) : KS_NOT_FOUND;
    if (result != KS_NOT_FOUND)
        return result;
    if (!may_be_kept)
        return begin_file(stage);
    stage->failed_syncs = atomic_load(&stage->vault->failed_syncs);
    stage->row.is_kept = true;
    stage->row.written = stage->kept.written;
    stage->is_dated = true;
    stage->size = stage->kept.size;
    return KS_OK;
}

void ks_putting_run_open(struct ks_task *task)
{
    struct ks_store_put_open *request = KS_CONTAINER_OF(task, struct ks_store_put_open, request.task);
    struct ks_stage *stage = request->stage;
    stage->request = &request->request;
    enum ks_result result = begin(stage, request);
    if (result == KS_OK)
        go_on(stage);
    else
        open_failed(stage, result, false);
}
