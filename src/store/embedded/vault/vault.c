/* vault.c — see vault.h: opening and closing, and the way of requests to the threads. What the stage threads
 * do stands in stage.c, what the confirm thread does in confirm.c, and what stages are in staging.c. */
#include "store/embedded/vault/vault.h"

#include "store/embedded/vault/vault_internal.h"
#include "store/reply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TICK_MS = 1000 };

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
    enum ks_result result = ks_vault_stage_new(vault, request, &request->stage);
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

void ks_vault_discard(struct ks_vault *vault, struct ks_stage *stage, struct ks_store_request *request)
{
    (void)vault;
    stage->request = request;
    post_to_stage(stage, &stage->discarding, ks_stage_run_discard);
}

void ks_vault_put_open(struct ks_vault *vault, struct ks_store_put_open *request)
{
    enum ks_result result = ks_vault_put_new(vault, request, &request->stage);
    if (result == KS_OK) {
        post_to_stage(request->stage, &request->request.task, ks_putting_run_open);
        return;
    }
    request->stage = NULL;
    ks_reply_now(&request->request, result);
}

void ks_vault_put_park(struct ks_vault *vault, struct ks_stage *stage)
{
    (void)vault;
    post_to_stage(stage, &stage->discarding, ks_putting_run_park);
}

void ks_vault_remove(struct ks_vault *vault, struct ks_store_remove_file *request)
{
    struct ks_stage *removal = NULL;
    enum ks_result result = ks_vault_removal_new(vault, request, &removal);
    if (result != KS_OK) {
        ks_reply_now(&request->request, result);
        return;
    }
    removal->request = &request->request;
    post_to_stage(removal, &removal->discarding, ks_stage_run_remove);
}

/* Who has no stages has none that could fail; any thread will do then. */
void ks_vault_expel(struct ks_vault *vault, struct ks_vault_expulsion *expulsion)
{
    expulsion->thread = ks_vault_thread_of(vault, &expulsion->id);
    expulsion->task.run = ks_stage_run_expel;
    ks_executor_post(ks_thread_executor(expulsion->thread->thread), &expulsion->task);
}

/* Twice: what runs with a task is in its batch, and a batch is over when another one runs. */
void ks_vault_settle(struct ks_vault *vault)
{
    ks_thread_reach(vault->confirm_thread);
    ks_thread_reach(vault->confirm_thread);
}

void ks_vault_post(struct ks_vault *vault, struct ks_task *task)
{
    ks_executor_post(ks_thread_executor(vault->confirm_thread), task);
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
    pthread_cond_init(&created->changes_over, NULL);
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
    atomic_store(&vault->is_stopping, true);
    for (unsigned i = 0; i < vault->thread_count; i++)
        ks_thread_stop(vault->threads[i].thread);
    vault->thread_count = 0;
    ks_displaced_wait(vault);
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
        if (stage->put != NULL)
            ks_vault_leave_file(stage);
        ks_vault_remove_file(stage);
        ks_vault_release(stage);
    }
    for (unsigned i = 0; i < KS_VAULT_THREAD_LIMIT; i++)
        free(vault->threads[i].scratch);
    if (vault->staging_fd >= 0)
        close(vault->staging_fd);
    pthread_cond_destroy(&vault->changes_over);
    pthread_mutex_destroy(&vault->lock);
    free(vault);
}
