/* stage.c — the work of a stage thread: chunks are transformed and written, stages handed to the confirm
 * thread or discarded, old ones swept. Everything here runs on the thread that the stage is pinned to. */
#include "base/file.h"
#include "base/machine.h"
#include "store/embedded/vault/sweep.h"
#include "store/embedded/vault/vault_internal.h"
#include "store/reply.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The kernel is asked to write each piece as soon as it is whole, and waited for some pieces later: so a
 * large file's confirm finds little left to sync, and no upload fills the page cache with dirty pages. */
enum { WRITE_BACK_PIECE = 8 * 1024 * 1024, WRITE_BACK_LAG = 8 * WRITE_BACK_PIECE };

/* Large chunks bypass the page cache: that saves a copy and the pages for it, some 0.4 seconds of CPU for
 * each gibibyte, and what the cache holds for others stays in it. Small ones are better off there, for their
 * files are synced together. */
enum { DIRECT_SIZE = 512 * 1024, DIRECT_ALIGNMENT = 4096 };

/* ---- states ---- */

static const char *const state_names[STAGE_STATES] = {"growing", "complete", "failed"};

static const uint16_t state_ways[STAGE_STATES] = {
    [STAGE_GROWING] = KS_WAY_TO(STAGE_COMPLETE) | KS_WAY_TO(STAGE_FAILED),
    [STAGE_COMPLETE] = KS_WAY_TO(STAGE_FAILED),
};

static const struct ks_machine machine = {.name = "stage", .states = state_names, .ways = state_ways};

/* The only way to another state. */
static void become(struct ks_stage *stage, enum stage_state state)
{
    const struct ks_log *log = stage->vault->options.log;
    unsigned from = stage->state;
    if (ks_machine_step(&machine, log, &stage->state, state) && ks_log_shows(log, KS_LOG_DEBUG))
        ks_machine_tell(&machine, log, stage->name, from, state);
}

/* ---- lists and files ---- */

/* Takes the stage out of the thread's lists; its file stays open. */
static void delist(struct ks_vault_thread *thread, struct ks_stage *stage)
{
    if (stage->fd >= 0) {
        DL_DELETE2(thread->by_use, stage, use_previous, use_next);
        thread->open_files--;
    }
    if (stage->on_disk)
        DL_DELETE2(thread->by_age, stage, age_previous, age_next);
}

/* The stage was used just now: it is the last to be swept, and to be closed. */
static void mark_used(struct ks_vault_thread *thread, struct ks_stage *stage)
{
    stage->last_byte_ms = ks_clock_monotonic_ms(thread->vault->options.clock);
    /* Its file is open, so it is in both lists, and neither is empty: clang's analyzer cannot know that.
     * NOLINTBEGIN(clang-analyzer-core.NullDereference) */
    DL_DELETE2(thread->by_age, stage, age_previous, age_next);
    DL_APPEND2(thread->by_age, stage, age_previous, age_next);
    DL_DELETE2(thread->by_use, stage, use_previous, use_next);
    DL_APPEND2(thread->by_use, stage, use_previous, use_next);
    /* NOLINTEND(clang-analyzer-core.NullDereference) */
}

static void fail_stage(struct ks_vault_thread *thread, struct ks_stage *stage, enum ks_result failure)
{
    delist(thread, stage);
    ks_vault_remove_file(stage);
    become(stage, STAGE_FAILED);
    stage->failure = failure;
}

/* Closes the file that was not used for longest. */
static void close_one(struct ks_vault_thread *thread)
{
    struct ks_stage *stage = thread->by_use;
    DL_DELETE2(thread->by_use, stage, use_previous, use_next);
    thread->open_files--;
    enum ks_result result = ks_vault_close_written(stage);
    if (result != KS_OK)
        fail_stage(thread, stage, result);
}

static enum ks_result create_file(struct ks_stage *stage, int *fd)
{
    stage->failed_syncs = atomic_load(&stage->vault->failed_syncs);
    *fd = openat(stage->vault->staging_fd, stage->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                 0600);
    return *fd >= 0 ? KS_OK : ks_vault_failure(errno);
}

static enum ks_result open_file(struct ks_vault_thread *thread, struct ks_stage *stage)
{
    int fd = -1;
    if (stage->fd >= 0)
        return KS_OK;
    if (thread->open_files >= thread->open_file_limit)
        close_one(thread);
    enum ks_result result = stage->on_disk ? ks_vault_reopen(stage, &fd) : create_file(stage, &fd);
    if (result != KS_OK)
        return result;
    stage->fd = fd;
    thread->open_files++;
    DL_APPEND2(thread->by_use, stage, use_previous, use_next);
    if (!stage->on_disk)
        DL_APPEND2(thread->by_age, stage, age_previous, age_next);
    stage->on_disk = true;
    return KS_OK;
}

/* ---- openings ---- */

void ks_stage_run_judge(struct ks_task *task)
{
    struct ks_store_stage_open *request = KS_CONTAINER_OF(task, struct ks_store_stage_open, request.task);
    struct ks_stage *stage = request->stage;
    const struct ks_quota_change change = ks_vault_change(stage, request->content_size);
    enum ks_result result =
        ks_quotas_judge(stage->vault->options.quotas, &request->id, &change, &request->limit);
    if (result != KS_OK) {
        ks_vault_release(stage);
        request->stage = NULL;
    }
    ks_reply_post(&request->request, result);
}

/* ---- chunks ---- */

/* A write-back error told here would not be told again by fdatasync, so it must not be passed over. File
 * systems that cannot do it are none the worse. */
static enum ks_result request_write_back(int fd, uint64_t offset, unsigned flags)
{
    if (sync_file_range(fd, (off_t)offset, WRITE_BACK_PIECE, flags) == 0 || errno == ENOSYS ||
        errno == EINVAL || errno == ESPIPE)
        return KS_OK;
    return ks_vault_failure(errno);
}

static enum ks_result write_back(struct ks_stage *stage)
{
    enum ks_result result = KS_OK;
    while (result == KS_OK && stage->size - stage->write_back >= WRITE_BACK_PIECE) {
        result = request_write_back(stage->fd, stage->write_back, SYNC_FILE_RANGE_WRITE);
        if (result == KS_OK && stage->write_back >= WRITE_BACK_LAG)
            result = request_write_back(stage->fd, stage->write_back - WRITE_BACK_LAG,
                                        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                            SYNC_FILE_RANGE_WAIT_AFTER);
        stage->write_back += WRITE_BACK_PIECE;
    }
    return result;
}

static enum ks_result transform_chunk(struct ks_stage *stage, const struct ks_store_stage_write *request,
                                      size_t *size)
{
    *size = request->size;
    if (stage->transform.apply == NULL)
        return KS_OK;
    enum ks_result result =
        stage->transform.apply(stage->transform.context, request->bytes, request->size, request->last, size);
    return result == KS_OK && *size > request->size ? KS_INVALID : result;
}

static bool is_aligned(uint64_t number)
{
    return number % DIRECT_ALIGNMENT == 0;
}

/* Switches direct I/O of the stage's file on or off. False when the file system cannot do it. */
static bool set_direct(struct ks_stage *stage, bool direct)
{
    if (stage->is_direct == direct)
        return true;
    if (fcntl(stage->fd, F_SETFL, direct ? O_DIRECT : 0) != 0)
        return false;
    stage->is_direct = direct;
    return true;
}

/* Writes at the end of the file past the page cache. False when that cannot be: then all of it is left to be
 * written in the ordinary way. *result is KS_OK, or what went wrong. */
static bool write_direct(struct ks_stage *stage, const uint8_t *bytes, size_t size, enum ks_result *result)
{
    struct ks_vault *vault = stage->vault;
    if (size < DIRECT_SIZE || !is_aligned(size) || !is_aligned(stage->size) ||
        !is_aligned((uintptr_t)bytes) || atomic_load_explicit(&vault->no_direct, memory_order_relaxed))
        return false;
    if (set_direct(stage, true)) {
        *result = ks_file_write_all_at(stage->fd, bytes, size, (off_t)stage->size);
        if (*result == KS_OK)
            stage->write_back = stage->size + size; /* nothing of it is in the cache */
        if (*result == KS_OK || errno != EINVAL)
            return true;
    }
    atomic_store_explicit(&vault->no_direct, true, memory_order_relaxed);
    return false;
}

static enum ks_result write_bytes(struct ks_stage *stage, const uint8_t *bytes, size_t size)
{
    enum ks_result result = KS_OK;
    if (!write_direct(stage, bytes, size, &result)) {
        if (!set_direct(stage, false))
            return ks_vault_failure(errno);
        result = ks_file_write_all_at(stage->fd, bytes, size, (off_t)stage->size);
    }
    return result == KS_OK ? KS_OK : ks_vault_failure(errno);
}

/* The sums of a message's content stand behind it, and do not count as its size. */
static enum ks_result sum_up(struct ks_stage *stage, const uint8_t *bytes, size_t size, bool last)
{
    enum ks_result result = ks_sums_add(&stage->sums, bytes, size);
    if (result != KS_OK || !last)
        return result;
    result = ks_sums_end(&stage->sums);
    return result == KS_OK ? write_bytes(stage, stage->sums.bytes, stage->sums.size) : result;
}

/* Of a file that is whole; it is not written again. */
static void date_file(struct ks_stage *stage)
{
    struct stat status;
    stage->is_dated = fstat(stage->fd, &status) == 0;
    if (stage->is_dated)
        stage->row.written = ks_sweep_written(&status);
}

static enum ks_result write_chunk(struct ks_vault_thread *thread, struct ks_stage *stage,
                                  const struct ks_store_stage_write *request)
{
    size_t size = 0;
    enum ks_result result = transform_chunk(stage, request, &size);
    if (result == KS_OK)
        result = open_file(thread, stage);
    if (result != KS_OK)
        return result;
    result = write_bytes(stage, request->bytes, size);
    if (result != KS_OK)
        return result;
    stage->size += size;
    mark_used(thread, stage);
    result = write_back(stage);
    if (result == KS_OK && stage->purpose == KS_STAGE_MESSAGE)
        result = sum_up(stage, request->bytes, size, request->last);
    else if (result == KS_OK && request->last)
        date_file(stage);
    return result;
}

void ks_stage_run_write(struct ks_task *task)
{
    struct ks_store_stage_write *request = KS_CONTAINER_OF(task, struct ks_store_stage_write, request.task);
    struct ks_stage *stage = request->stage;
    struct ks_vault_thread *thread = stage->owner->thread;
    enum ks_result result = stage->failure;
    if (stage->state == STAGE_COMPLETE)
        result = KS_INVALID;
    else if (stage->state == STAGE_GROWING)
        result = write_chunk(thread, stage, request);
    if (result != KS_OK && stage->state != STAGE_FAILED)
        fail_stage(thread, stage, result);
    if (result == KS_OK && request->last)
        become(stage, STAGE_COMPLETE);
    ks_reply_post(&request->request, result);
}

/* ---- the ends of a stage ---- */

/* What waits for the confirm thread keeps its file open only while few do. KS_OK, or why the file is worth
 * nothing. */
static enum ks_result limit_confirming_files(struct ks_stage *stage)
{
    struct ks_vault *vault = stage->vault;
    if (stage->fd < 0)
        return KS_OK;
    if (atomic_fetch_add(&vault->confirming_files, 1) < KS_VAULT_CONFIRMING_FILES) {
        stage->fd_is_counted = true;
        return KS_OK;
    }
    atomic_fetch_sub(&vault->confirming_files, 1);
    return ks_vault_close_written(stage);
}

static void refuse(struct ks_stage *stage, struct ks_store_request *request, enum ks_result failure)
{
    ks_vault_release(stage);
    ks_reply_post(request, failure);
}

/* Hands a complete stage to the confirm thread; answers for one that is not. */
static void hand_over(struct ks_stage *stage, struct ks_store_request *request,
                      void (*run)(struct ks_task *task))
{
    struct ks_vault_thread *thread = stage->owner->thread;
    if (stage->state == STAGE_GROWING)
        fail_stage(thread, stage, KS_INVALID); /* nobody sent its last chunk */
    if (stage->state == STAGE_FAILED) {
        refuse(stage, request, stage->failure);
        return;
    }
    delist(thread, stage);
    enum ks_result result = limit_confirming_files(stage);
    if (result != KS_OK) {
        ks_vault_remove_file(stage);
        refuse(stage, request, result);
        return;
    }
    stage->row.size = stage->size;
    stage->request = request;
    request->task.run = run;
    ks_executor_post(ks_thread_executor(stage->vault->confirm_thread), &request->task);
}

void ks_stage_run_confirm(struct ks_task *task)
{
    struct ks_store_confirm *request = KS_CONTAINER_OF(task, struct ks_store_confirm, request.task);
    struct ks_stage *stage = request->stage;
    if (stage->purpose != KS_STAGE_FILE && stage->state != STAGE_FAILED)
        fail_stage(stage->owner->thread, stage, KS_INVALID);
    stage->row.has_cksum = request->has_cksum && stage->is_dated;
    stage->row.cksum = request->cksum;
    hand_over(stage, &request->request, ks_confirm_run);
}

void ks_stage_run_append(struct ks_task *task)
{
    struct ks_store_append_message *request =
        KS_CONTAINER_OF(task, struct ks_store_append_message, request.task);
    struct ks_stage *stage = request->stage;
    bool fits = stage->purpose == KS_STAGE_MESSAGE && stage->size == request->content_size;
    if (!fits && stage->state != STAGE_FAILED)
        fail_stage(stage->owner->thread, stage, KS_INVALID);
    stage->row.message = request;
    hand_over(stage, &request->request, ks_confirm_run_append);
}

void ks_stage_run_discard(struct ks_task *task)
{
    struct ks_stage *stage = KS_CONTAINER_OF(task, struct ks_stage, discarding);
    struct ks_store_request *request = stage->request;
    delist(stage->owner->thread, stage);
    ks_vault_remove_file(stage);
    ks_vault_release(stage);
    if (request != NULL)
        ks_reply_post(request, KS_OK);
}

void ks_stage_run_expel(struct ks_task *task)
{
    struct ks_vault_expulsion *expulsion = KS_CONTAINER_OF(task, struct ks_vault_expulsion, task);
    struct ks_vault_thread *thread = expulsion->thread;
    struct ks_stage *next = NULL;
    for (struct ks_stage *stage = thread->by_age; stage != NULL; stage = next) {
        next = stage->age_next;
        if (memcmp(&stage->row.id, &expulsion->id, sizeof expulsion->id) == 0)
            fail_stage(thread, stage, KS_NOT_FOUND);
    }
    expulsion->done(expulsion);
}

void ks_stage_tick(void *vault_thread)
{
    struct ks_vault_thread *thread = vault_thread;
    const struct ks_vault *vault = thread->vault;
    uint64_t now = ks_clock_monotonic_ms(vault->options.clock);
    unsigned swept = 0;
    while (thread->by_age != NULL && now - thread->by_age->last_byte_ms >= vault->stage_lifetime_ms) {
        fail_stage(thread, thread->by_age, KS_NOT_FOUND);
        swept++;
    }
    if (swept > 0)
        ks_log_info(vault->options.log, "removed %u uploads that nobody confirmed", swept);
}
