/* stage.c — the work of a stage thread: chunks are transformed and written, stages handed to the confirm
 * thread or discarded, old ones swept. Everything here runs on the thread that the stage is pinned to. */
#include "base/file.h"
#include "store/embedded/vault/vault_internal.h"
#include "store/reply.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* The kernel is asked to write each piece as soon as it is whole, and waited for some pieces later: so a
 * large file's confirm finds little left to sync, and no upload fills the page cache with dirty pages. */
enum { WRITE_BACK_PIECE = 8 * 1024 * 1024, WRITE_BACK_LAG = 8 * WRITE_BACK_PIECE };

/* Large chunks bypass the page cache: that saves a copy and the pages for it, some 0.4 seconds of CPU for
 * each gibibyte, and what the cache holds for others stays in it. Small ones are better off there, for their
 * files are synced together. */
enum { DIRECT_SIZE = 512 * 1024, DIRECT_ALIGNMENT = 4096 };

/* ---- openings ---- */

void ks_stage_run_judge(struct ks_task *task)
{
    struct ks_store_stage_open *request = KS_CONTAINER_OF(task, struct ks_store_stage_open, request.task);
    struct ks_stage *stage = request->stage;
    struct ks_quota_change change;
    int failure = ks_vault_change(stage, request->content_size, &change);
    enum ks_result result = failure == 0 ? KS_OK : ks_vault_failure(failure);
    if (result == KS_OK)
        result = ks_quotas_judge(stage->vault->options.quotas, &request->id, &change, &request->limit);
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

/* Of a put, the bytes count as come when they are written; the last of them makes it complete. */
static void count_bytes(struct ks_stage *stage, const struct ks_store_stage_write *request)
{
    ks_cksum_add(&stage->cksum, request->bytes, request->size);
    ks_puts_set_bytes(stage->vault->options.puts, stage->put, stage->size, stage->declared);
}

static bool is_last(const struct ks_stage *stage, const struct ks_store_stage_write *request)
{
    return stage->purpose == KS_STAGE_PUT ? stage->size == stage->declared : request->last;
}

static enum ks_result write_chunk(struct ks_stage *stage, const struct ks_store_stage_write *request)
{
    size_t size = 0;
    enum ks_result result = transform_chunk(stage, request, &size);
    if (result == KS_OK)
        result = ks_stage_open_file(stage);
    if (result != KS_OK)
        return result;
    result = write_bytes(stage, request->bytes, size);
    if (result != KS_OK)
        return result;
    stage->size += size;
    ks_stage_mark_used(stage);
    result = write_back(stage);
    if (result != KS_OK) {
        stage->is_lost = true;
        return result;
    }
    if (stage->purpose == KS_STAGE_PUT)
        count_bytes(stage, request);
    if (stage->purpose == KS_STAGE_MESSAGE)
        return sum_up(stage, request->bytes, size, request->last);
    if (is_last(stage, request))
        ks_stage_date(stage);
    return KS_OK;
}

/* What a chunk comes to before anything is written. */
static enum ks_result judge_chunk(const struct ks_stage *stage, const struct ks_store_stage_write *request)
{
    if (stage->state == STAGE_FAILED)
        return stage->failure;
    if (stage->purpose == KS_STAGE_PUT)
        return request->size > stage->declared - stage->size ? KS_INVALID : KS_OK;
    return stage->state == STAGE_COMPLETE ? KS_INVALID : KS_OK;
}

/* A put that found no room for a chunk, or was asked for nonsense, has what came before: it is worth parking.
 */
static void fail(struct ks_stage *stage, enum ks_result failure)
{
    if (stage->purpose != KS_STAGE_PUT || stage->is_lost || !ks_vault_stays_after(failure)) {
        ks_stage_fail(stage, failure);
        return;
    }
    ks_stage_become(stage, STAGE_FAILED);
    stage->failure = failure;
}

void ks_stage_run_write(struct ks_task *task)
{
    struct ks_store_stage_write *request = KS_CONTAINER_OF(task, struct ks_store_stage_write, request.task);
    struct ks_stage *stage = request->stage;
    enum ks_result result = judge_chunk(stage, request);
    if (result == KS_OK && stage->state == STAGE_GROWING)
        result = write_chunk(stage, request);
    if (result != KS_OK && stage->state != STAGE_FAILED)
        fail(stage, result);
    if (result == KS_OK && is_last(stage, request))
        ks_stage_become(stage, STAGE_COMPLETE);
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
    ks_stage_delist(stage);
    ks_vault_end(stage, ks_vault_stays_after(failure));
    ks_reply_post(request, failure);
}

/* Hands a complete stage to the confirm thread. */
static void hand_over(struct ks_stage *stage, struct ks_store_request *request,
                      void (*run)(struct ks_task *task))
{
    ks_stage_delist(stage);
    enum ks_result result = limit_confirming_files(stage);
    if (result != KS_OK) {
        ks_vault_end(stage, false);
        ks_reply_post(request, result);
        return;
    }
    stage->row.size = stage->size;
    stage->request = request;
    if (stage->row.message == NULL)
        ks_displaced_expect(stage);
    request->task.run = run;
    ks_executor_post(ks_thread_executor(stage->vault->confirm_thread), &request->task);
}

/* Whether the stage may become a file. */
static enum ks_result judge_confirm(const struct ks_stage *stage, const struct ks_store_confirm *request)
{
    if (stage->state == STAGE_FAILED)
        return stage->failure;
    if (stage->purpose == KS_STAGE_MESSAGE || stage->state == STAGE_GROWING)
        return KS_INVALID; /* nobody sent its last chunk */
    if (stage->purpose == KS_STAGE_PUT && request->cksum != ks_cksum_value(&stage->cksum))
        return KS_CRYPTO;
    return KS_OK;
}

void ks_stage_run_confirm(struct ks_task *task)
{
    struct ks_store_confirm *request = KS_CONTAINER_OF(task, struct ks_store_confirm, request.task);
    struct ks_stage *stage = request->stage;
    enum ks_result result = judge_confirm(stage, request);
    request->replaced = false;
    stage->row.has_cksum = request->has_cksum && stage->is_dated;
    stage->row.cksum = request->cksum;
    if (result == KS_OK)
        hand_over(stage, &request->request, ks_confirm_run);
    else
        refuse(stage, &request->request, result);
}

void ks_stage_run_append(struct ks_task *task)
{
    struct ks_store_append_message *request =
        KS_CONTAINER_OF(task, struct ks_store_append_message, request.task);
    struct ks_stage *stage = request->stage;
    bool fits = stage->purpose == KS_STAGE_MESSAGE && stage->size == request->content_size &&
                stage->state == STAGE_COMPLETE;
    stage->row.message = request;
    if (fits)
        hand_over(stage, &request->request, ks_confirm_run_append);
    else
        refuse(stage, &request->request, stage->state == STAGE_FAILED ? stage->failure : KS_INVALID);
}

void ks_stage_run_discard(struct ks_task *task)
{
    struct ks_stage *stage = KS_CONTAINER_OF(task, struct ks_stage, discarding);
    struct ks_store_request *request = stage->request;
    ks_stage_delist(stage);
    ks_vault_end(stage, false);
    if (request != NULL)
        ks_reply_post(request, KS_OK);
}

/* It comes by here only to stay behind what was asked for before. */
void ks_stage_run_remove(struct ks_task *task)
{
    struct ks_stage *stage = KS_CONTAINER_OF(task, struct ks_stage, discarding);
    ks_displaced_expect(stage);
    task->run = ks_confirm_run_remove;
    ks_executor_post(ks_thread_executor(stage->vault->confirm_thread), task);
}

static void remove_parked_of(struct ks_vault *vault, const struct ks_client_id *id)
{
    struct ks_put_entry *put = NULL;
    if (vault->options.puts == NULL)
        return;
    while ((put = ks_puts_take_of(vault->options.puts, id)) != NULL)
        ks_vault_remove_parked(vault, put);
}

void ks_stage_run_expel(struct ks_task *task)
{
    struct ks_vault_expulsion *expulsion = KS_CONTAINER_OF(task, struct ks_vault_expulsion, task);
    struct ks_vault_thread *thread = expulsion->thread;
    struct ks_stage *next = NULL;
    for (struct ks_stage *stage = thread->by_age; stage != NULL; stage = next) {
        next = stage->age_next;
        if (memcmp(&stage->row.id, &expulsion->id, sizeof expulsion->id) == 0)
            ks_stage_fail(stage, KS_NOT_FOUND);
    }
    remove_parked_of(thread->vault, &expulsion->id);
    expulsion->done(expulsion);
}

static unsigned sweep_parked(struct ks_vault *vault, uint64_t now)
{
    struct ks_put_entry *put = NULL;
    unsigned swept = 0;
    if (vault->options.puts == NULL)
        return 0;
    for (; (put = ks_puts_take_over_age(vault->options.puts, now)) != NULL; swept++)
        ks_vault_remove_parked(vault, put);
    return swept;
}

void ks_stage_tick(void *vault_thread)
{
    struct ks_vault_thread *thread = vault_thread;
    struct ks_vault *vault = thread->vault;
    uint64_t now = ks_clock_monotonic_ms(vault->options.clock);
    unsigned swept = sweep_parked(vault, now);
    while (thread->by_age != NULL && now - thread->by_age->last_byte_ms >= vault->stage_lifetime_ms) {
        ks_stage_fail(thread->by_age, KS_NOT_FOUND);
        swept++;
    }
    if (swept > 0)
        ks_log_info(vault->options.log, "removed %u uploads that nobody confirmed", swept);
}
