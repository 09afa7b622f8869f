/* vault.c — see vault.h: opening and closing, which thread a stage belongs to, and the way of requests there.
 * What the stage threads do stands in stage.c, what the confirm thread does in confirm.c. */
#include "store/embedded/vault/vault.h"

#include "base/log_repeats.h"
#include "store/embedded/memory/id_hash.h"
#include "store/embedded/vault/sweep.h"
#include "store/embedded/vault/vault_internal.h"
#include "store/reply.h"
#include "wire/drop_codec.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TICK_MS = 1000 };

enum ks_result ks_vault_failure(int error_number)
{
    enum ks_result result = ks_result_from_errno(error_number);
    return result == KS_NO_SPACE || result == KS_NO_MEMORY ? result : KS_IO;
}

/* ---- stages and their owners ---- */

static struct ks_vault_thread *least_loaded(struct ks_vault *vault)
{
    struct ks_vault_thread *least = &vault->threads[0];
    for (unsigned i = 1; i < vault->thread_count; i++)
        if (vault->threads[i].owners < least->owners)
            least = &vault->threads[i];
    return least;
}

/* Under the lock. */
static struct ks_vault_owner *owner_find(struct ks_vault *vault, const struct ks_client_id *id)
{
    struct ks_vault_owner *owner = NULL;
    HASH_FIND_BYHASHVALUE(hh, vault->owners, id->bytes, sizeof id->bytes, ks_id_hash(id), owner);
    return owner;
}

/* Under the lock. NULL when out of memory. */
static struct ks_vault_owner *owner_get(struct ks_vault *vault, const struct ks_client_id *id)
{
    struct ks_vault_owner *owner = owner_find(vault, id);
    if (owner != NULL)
        return owner;
    owner = calloc(1, sizeof *owner);
    if (owner == NULL)
        return NULL;
    owner->id = *id;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, vault->owners, owner->id.bytes, sizeof owner->id.bytes, ks_id_hash(id),
                                owner);
    if (owner->hh.tbl == NULL) {
        free(owner);
        return NULL;
    }
    owner->thread = least_loaded(vault);
    owner->thread->owners++;
    return owner;
}

/* Under the lock. */
static void owner_put(struct ks_vault *vault, struct ks_vault_owner *owner)
{
    if (--owner->stages > 0)
        return;
    HASH_DELETE(hh, vault->owners, owner);
    owner->thread->owners--;
    free(owner);
}

static bool stage_enlist(struct ks_vault *vault, struct ks_stage *stage)
{
    pthread_mutex_lock(&vault->lock);
    stage->owner = owner_get(vault, &stage->row.id);
    if (stage->owner != NULL) {
        stage->owner->stages++;
        DL_APPEND2(vault->stages, stage, all_previous, all_next);
    }
    pthread_mutex_unlock(&vault->lock);
    return stage->owner != NULL;
}

void ks_vault_release(struct ks_stage *stage)
{
    struct ks_vault *vault = stage->vault;
    pthread_mutex_lock(&vault->lock);
    DL_DELETE2(vault->stages, stage, all_previous, all_next);
    owner_put(vault, stage->owner);
    pthread_mutex_unlock(&vault->lock);
    ks_sums_free(&stage->sums);
    free(stage);
}

/* Where the file of a user will lie. KS_OK; KS_INVALID for a name that ks_kept_name refuses; KS_CRYPTO. */
static enum ks_result name_file(const struct ks_vault *vault, struct ks_stage *stage,
                                const struct ks_store_stage_open *request)
{
    const char *kept = NULL;
    size_t kept_size = 0;
    size_t size = strnlen(request->file_name, sizeof request->file_name);
    memcpy(stage->file_name, request->file_name, size);
    enum ks_result result = ks_kept_name(stage->file_name, size, &kept, &kept_size);
    stage->row.file_name = stage->file_name;
    stage->row.kept_name = kept;
    if (result != KS_OK)
        return result;
    return ks_names_path(vault->options.aliases, &request->id, kept, kept_size, stage->row.path_name);
}

/* Where the content of a message will lie. KS_OK, KS_CRYPTO. */
static enum ks_result name_message(const struct ks_vault *vault, struct ks_stage *stage)
{
    uint8_t number[KS_NAMES_MESSAGE_NUMBER_SIZE];
    enum ks_result result = ks_random_fill(vault->options.random, number, sizeof number);
    if (result == KS_OK)
        ks_names_message(number, stage->row.path_name);
    return result;
}

/* Fills a new stage from a request. */
static enum ks_result stage_init(struct ks_vault *vault, struct ks_stage *stage,
                                 const struct ks_store_stage_open *request)
{
    enum ks_result result =
        request->purpose == KS_STAGE_MESSAGE ? name_message(vault, stage) : name_file(vault, stage, request);
    if (result != KS_OK)
        return result;
    stage->vault = vault;
    stage->purpose = request->purpose;
    stage->transform = request->transform;
    stage->row.id = request->id;
    stage->fd = -1;
    uint64_t number = atomic_fetch_add(&vault->last_stage_number, 1) + 1;
    snprintf(stage->name, sizeof stage->name, "%016" PRIx64, number);
    return KS_OK;
}

static enum ks_result stage_new(struct ks_vault *vault, const struct ks_store_stage_open *request,
                                struct ks_stage **stage)
{
    struct ks_stage *created = calloc(1, sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    enum ks_result result = stage_init(vault, created, request);
    if (result == KS_OK && !stage_enlist(vault, created))
        result = KS_NO_MEMORY;
    if (result != KS_OK) {
        free(created);
        return result;
    }
    *stage = created;
    return KS_OK;
}

enum ks_result ks_vault_reopen(const struct ks_stage *stage, int *fd)
{
    *fd = openat(stage->vault->staging_fd, stage->name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    return *fd >= 0 ? KS_OK : ks_vault_failure(errno);
}

/* To the disk, but not further: its cache is for the sync. File systems that cannot do it are synced. */
static enum ks_result write_out(int fd)
{
    const unsigned all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    if (sync_file_range(fd, 0, 0, all) == 0)
        return KS_OK;
    if (errno != ENOSYS && errno != EINVAL && errno != ESPIPE)
        return ks_vault_failure(errno);
    return fdatasync(fd) == 0 ? KS_OK : ks_vault_failure(errno);
}

enum ks_result ks_vault_close_written(struct ks_stage *stage)
{
    enum ks_result result = write_out(stage->fd);
    close(stage->fd);
    stage->fd = -1;
    stage->is_direct = false;
    return result;
}

struct ks_quota_change ks_vault_change(const struct ks_stage *stage, uint64_t size)
{
    struct ks_quota_change change = {.replaces = false, .before = 0, .after = size};
    change.replaces =
        ks_sweep_file_size(stage->vault->options.directory_fd, stage->row.path_name, &change.before);
    return change;
}

void ks_vault_remove_file(struct ks_stage *stage)
{
    struct ks_vault *vault = stage->vault;
    if (stage->fd >= 0)
        close(stage->fd);
    stage->fd = -1;
    if (stage->fd_is_counted)
        atomic_fetch_sub(&vault->confirming_files, 1);
    stage->fd_is_counted = false;
    if (stage->on_disk && unlinkat(vault->staging_fd, stage->name, 0) != 0) {
        char text[128];
        ks_log_trouble(vault->options.log, KS_LOG_WARNING, "cannot remove a file from staging/: %s",
                       strerror_r(errno, text, sizeof text));
    }
    stage->on_disk = false;
}

/* ---- requests ---- */

static void post_to_stage(const struct ks_stage *stage, struct ks_task *task,
                          void (*run)(struct ks_task *task))
{
    task->run = run;
    ks_executor_post(ks_thread_executor(stage->owner->thread->thread), task);
}

/* True for a file that is over a limit, unless it replaces another: the disk knows. */
static bool needs_replacement(const struct ks_vault *vault, const struct ks_store_stage_open *request)
{
    const struct ks_quota_change change = {.replaces = false, .before = 0, .after = request->content_size};
    return request->purpose == KS_STAGE_FILE && vault->options.quotas != NULL &&
           ks_quotas_judge(vault->options.quotas, &request->id, &change, NULL) != KS_OK;
}

void ks_vault_stage_open(struct ks_vault *vault, struct ks_store_stage_open *request)
{
    enum ks_result result = stage_new(vault, request, &request->stage);
    if (result == KS_OK && needs_replacement(vault, request))
        post_to_stage(request->stage, &request->request.task, ks_stage_run_judge);
    else
        ks_reply_now(&request->request, result);
}

void ks_vault_stage_write(struct ks_vault *vault, struct ks_store_stage_write *request)
{
    (void)vault;
    post_to_stage(request->stage, &request->request.task, ks_stage_run_write);
}

void ks_vault_confirm(struct ks_vault *vault, struct ks_store_confirm *request)
{
    (void)vault;
    post_to_stage(request->stage, &request->request.task, ks_stage_run_confirm);
}

void ks_vault_append(struct ks_vault *vault, struct ks_store_append_message *request)
{
    (void)vault;
    post_to_stage(request->stage, &request->request.task, ks_stage_run_append);
}

void ks_vault_discard(struct ks_vault *vault, struct ks_store_discard *request)
{
    (void)vault;
    post_to_stage(request->stage, &request->request.task, ks_stage_run_discard);
}

/* Who has no stages has none that could fail; any thread will do then. */
void ks_vault_expel(struct ks_vault *vault, struct ks_vault_expulsion *expulsion)
{
    struct ks_vault_owner *owner = NULL;
    pthread_mutex_lock(&vault->lock);
    owner = owner_find(vault, &expulsion->id);
    expulsion->thread = owner != NULL ? owner->thread : &vault->threads[0];
    pthread_mutex_unlock(&vault->lock);
    expulsion->task.run = ks_stage_run_expel;
    ks_executor_post(ks_thread_executor(expulsion->thread->thread), &expulsion->task);
}

/* Twice: what runs with a task is in its batch, and a batch is over when another one runs. */
void ks_vault_settle(struct ks_vault *vault)
{
    ks_thread_reach(vault->confirm_thread);
    ks_thread_reach(vault->confirm_thread);
}

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        ;
}

static void stay(struct ks_task *task)
{
    struct ks_vault_pause *pause = KS_CONTAINER_OF(task, struct ks_vault_pause, task);
    sem_post(&pause->reached);
    wait_for(&pause->over);
    sem_post(&pause->reached);
}

void ks_vault_hold(struct ks_vault *vault, struct ks_vault_pause *pause)
{
    pause->task.run = stay;
    sem_init(&pause->reached, 0, 0); /* cannot fail with these */
    sem_init(&pause->over, 0, 0);
    ks_executor_post(ks_thread_executor(vault->confirm_thread), &pause->task);
    wait_for(&pause->reached);
}

void ks_vault_let_go(struct ks_vault_pause *pause)
{
    sem_post(&pause->over);
    wait_for(&pause->reached);
    sem_destroy(&pause->reached);
    sem_destroy(&pause->over);
}

void ks_vault_waiting(const struct ks_vault *vault, uint64_t *stages, uint64_t *confirms)
{
    *stages = 0;
    for (unsigned i = 0; i < vault->thread_count; i++)
        *stages += ks_thread_waiting(vault->threads[i].thread);
    *confirms = ks_thread_waiting(vault->confirm_thread);
}

/* ---- opening and closing ---- */

static unsigned thread_count(const struct ks_vault_options *options)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned wanted = options->threads > 0 ? options->threads : cores > 0 ? (unsigned)cores : 1;
    return wanted < KS_VAULT_THREAD_LIMIT ? wanted : KS_VAULT_THREAD_LIMIT;
}

static enum ks_result start_stage_threads(struct ks_vault *vault)
{
    unsigned count = thread_count(&vault->options);
    for (unsigned i = 0; i < count; i++) {
        struct ks_vault_thread *thread = &vault->threads[i];
        const struct ks_thread_hooks hooks = {.context = thread, .tick = ks_stage_tick, .tick_ms = TICK_MS};
        char name[32];
        snprintf(name, sizeof name, "store-vault-%u", i);
        thread->vault = vault;
        thread->open_file_limit = KS_VAULT_OPEN_FILES / count;
        enum ks_result result = ks_thread_start(&thread->thread, name, &hooks);
        if (result != KS_OK)
            return result;
        vault->thread_count++;
    }
    return KS_OK;
}

static enum ks_result start_confirm_thread(struct ks_vault *vault)
{
    const struct ks_thread_hooks hooks = {.context = vault, .batch_done = ks_confirm_batch_done};
    return ks_thread_start(&vault->confirm_thread, "store-confirm", &hooks);
}

enum ks_result ks_vault_open(const struct ks_vault_options *options, struct ks_vault **vault)
{
    struct ks_vault *created = calloc(1, sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    created->options = *options;
    created->stage_lifetime_ms = (uint64_t)options->stage_lifetime * 1000U;
    created->files_is_dirty = true;     /* what an earlier server left unsynced */
    created->messages_is_dirty = false; /* there, what has no row is gone */
    pthread_mutex_init(&created->lock, NULL);
    created->staging_fd = openat(options->directory_fd, "staging", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum ks_result result = created->staging_fd >= 0 ? KS_OK : ks_vault_failure(errno);
    if (result == KS_OK)
        result = start_confirm_thread(created);
    if (result == KS_OK)
        result = start_stage_threads(created);
    if (result == KS_OK) {
        *vault = created;
        return KS_OK;
    }
    ks_vault_stop(created);
    ks_vault_free(created);
    return result;
}

void ks_vault_stop(struct ks_vault *vault)
{
    for (unsigned i = 0; i < vault->thread_count; i++)
        ks_thread_stop(vault->threads[i].thread);
    vault->thread_count = 0;
    ks_thread_stop(vault->confirm_thread);
    vault->confirm_thread = NULL;
}

void ks_vault_free(struct ks_vault *vault)
{
    if (vault == NULL)
        return;
    struct ks_stage *next = NULL;
    for (struct ks_stage *stage = vault->stages; stage != NULL; stage = next) {
        next = stage->all_next;
        ks_vault_remove_file(stage);
        ks_vault_release(stage);
    }
    if (vault->staging_fd >= 0)
        close(vault->staging_fd);
    pthread_mutex_destroy(&vault->lock);
    free(vault);
}
