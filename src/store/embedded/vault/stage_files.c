/* stage_files.c — see vault_internal.h: the states of a stage, and its file in staging/, which is in the
 * lists of the thread that the stage is pinned to. Everything here runs on that thread. */
#include "base/machine.h"
#include "store/embedded/vault/sweep.h"
#include "store/embedded/vault/vault_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- states ---- */

static const char *const state_names[STAGE_STATES] = {"growing", "complete", "failed"};

static const uint16_t state_ways[STAGE_STATES] = {
    [STAGE_GROWING] = KS_WAY_TO(STAGE_COMPLETE) | KS_WAY_TO(STAGE_FAILED),
    [STAGE_COMPLETE] = KS_WAY_TO(STAGE_FAILED),
};

static const struct ks_machine machine = {.name = "stage", .states = state_names, .ways = state_ways};

/* The only way to another state. */
void ks_stage_become(struct ks_stage *stage, enum stage_state state)
{
    const struct ks_log *log = stage->vault->options.log;
    unsigned from = stage->state;
    if (ks_machine_step(&machine, log, &stage->state, state) && ks_log_shows(log, KS_LOG_DEBUG))
        ks_machine_tell(&machine, log, stage->name, from, state);
}

/* ---- lists and files ---- */

void ks_stage_delist(struct ks_stage *stage)
{
    struct ks_vault_thread *thread = stage->owner->thread;
    if (stage->fd >= 0) {
        DL_DELETE2(thread->by_use, stage, use_previous, use_next);
        thread->open_files--;
    }
    if (stage->on_disk)
        DL_DELETE2(thread->by_age, stage, age_previous, age_next);
}

void ks_stage_mark_used(struct ks_stage *stage)
{
    struct ks_vault_thread *thread = stage->owner->thread;
    stage->last_byte_ms = ks_clock_monotonic_ms(thread->vault->options.clock);
    /* Its file is open, so it is in both lists, and neither is empty: clang's analyzer cannot know that.
     * NOLINTBEGIN(clang-analyzer-core.NullDereference) */
    DL_DELETE2(thread->by_age, stage, age_previous, age_next);
    DL_APPEND2(thread->by_age, stage, age_previous, age_next);
    DL_DELETE2(thread->by_use, stage, use_previous, use_next);
    DL_APPEND2(thread->by_use, stage, use_previous, use_next);
    /* NOLINTEND(clang-analyzer-core.NullDereference) */
}

void ks_stage_fail(struct ks_stage *stage, enum ks_result failure)
{
    ks_stage_delist(stage);
    ks_vault_remove_file(stage);
    ks_stage_become(stage, STAGE_FAILED);
    stage->failure = failure;
    if (stage->put != NULL)
        ks_puts_set_bytes(stage->vault->options.puts, stage->put, 0, 0);
}

/* Closes the file that was not used for longest, when there are too many. */
static void make_room(struct ks_vault_thread *thread)
{
    if (thread->open_files < thread->open_file_limit)
        return;
    struct ks_stage *stage = thread->by_use;
    DL_DELETE2(thread->by_use, stage, use_previous, use_next);
    thread->open_files--;
    enum ks_result result = ks_vault_close_written(stage);
    if (result != KS_OK)
        ks_stage_fail(stage, result);
}

static enum ks_result create_file(struct ks_stage *stage, int *fd)
{
    stage->failed_syncs = atomic_load(&stage->vault->failed_syncs);
    *fd = openat(stage->vault->staging_fd, stage->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                 0600);
    return *fd >= 0 ? KS_OK : ks_vault_failure(errno);
}

static void enlist(struct ks_stage *stage, int fd)
{
    struct ks_vault_thread *thread = stage->owner->thread;
    stage->fd = fd;
    thread->open_files++;
    DL_APPEND2(thread->by_use, stage, use_previous, use_next);
    if (!stage->on_disk)
        DL_APPEND2(thread->by_age, stage, age_previous, age_next);
    stage->on_disk = true;
}

enum ks_result ks_stage_open_file(struct ks_stage *stage)
{
    int fd = -1;
    if (stage->fd >= 0)
        return KS_OK;
    make_room(stage->owner->thread);
    enum ks_result result = stage->on_disk ? ks_vault_reopen(stage, &fd) : create_file(stage, &fd);
    if (result == KS_OK)
        enlist(stage, fd);
    return result;
}

enum ks_result ks_stage_resume_file(struct ks_stage *stage)
{
    int fd = -1;
    make_room(stage->owner->thread);
    stage->failed_syncs = atomic_load(&stage->vault->failed_syncs);
    enum ks_result result = ks_vault_reopen(stage, &fd);
    if (result != KS_OK)
        return errno == ENOENT ? KS_NOT_FOUND : result;
    enlist(stage, fd);
    ks_stage_mark_used(stage);
    return KS_OK;
}

void ks_stage_date(struct ks_stage *stage)
{
    struct stat status;
    stage->is_dated = fstat(stage->fd, &status) == 0;
    if (stage->is_dated)
        stage->row.written = ks_sweep_written(&status);
}
