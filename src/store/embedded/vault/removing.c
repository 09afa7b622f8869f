/* removing.c — files that are removed from files/. A removal goes the way of a confirmation: in a group of
 * the confirm thread its file is renamed, within its directory, to a name of what is being removed (names.h),
 * the directory is synced, the row goes in the commit of the group; then it is answered, and the reaper frees
 * the file. So files and rows change in one order, whatever is put and removed under one name. What the user
 * has is less from the rename on, for what counts is what lies in files/ under its name (quotas.h).
 *
 * If the commit fails, the file is brought back, on the confirm thread again, unless there is another by
 * then. A crash before that leaves it where it is: the next start takes away its row, unless another file is
 * at its path, and then the file (leftovers.h). So who was told that a file is removed does not see it again,
 * and who was told that it is not still has it.
 *
 * Of two removals of one path, the later may find no file, for the earlier holds it, and nobody knows yet
 * what that will come to. Hence all that are not over are known by their path, and in a chain: the end of an
 * earlier one comes first, and if it fails, its file goes on to the later one, which brings it back only if
 * it fails, too. Where the later one found another file, what the earlier holds is not wanted again: it is
 * *final*. */
#include "base/limits/log_repeats.h"
#include "store/embedded/disk/reaper.h"
#include "store/embedded/vault/sweep.h"
#include "store/embedded/vault/vault_internal.h"
#include "store/reply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void complain(const struct ks_vault *vault, const char *what)
{
    char text[128];
    ks_log_trouble(vault->options.log, KS_LOG_ERROR, "cannot %s: %s", what,
                   strerror_r(errno, text, sizeof text));
}

/* ---- the removals of one path, under the lock ---- */

static struct ks_stage *find_last(const struct ks_vault *vault, const char *path)
{
    struct ks_stage *last = NULL;
    HASH_FIND(hh, vault->removals, path, strlen(path), last);
    return last;
}

/* The last one of its path from now on. False when out of memory. */
static bool make_last(struct ks_vault *vault, struct ks_stage *stage)
{
    HASH_ADD_KEYPTR(hh, vault->removals, stage->row.path_name, strlen(stage->row.path_name), stage);
    return stage->hh.tbl != NULL;
}

static void make_last_again(struct ks_vault *vault, struct ks_stage *stage)
{
    if (!make_last(vault, stage))
        stage->is_final = true; /* nobody would find it: it must not come back over what is done later */
}

/* Behind the one that is the last, which has the file, or waits for it. */
static bool join_chain(struct ks_vault *vault, struct ks_stage *stage)
{
    struct ks_stage *last = find_last(vault, stage->row.path_name);
    if (last != NULL)
        HASH_DELETE(hh, vault->removals, last);
    if (!make_last(vault, stage)) {
        if (last != NULL)
            make_last_again(vault, last);
        return false;
    }
    if (last != NULL && stage->row.had_file) {
        last->is_final = true;
    } else if (last != NULL) {
        last->later = stage;
        stage->earlier = last;
    }
    return true;
}

/* Its end has come. If it was for good, what an earlier one still holds is not wanted, either. */
static void leave_chain(struct ks_vault *vault, struct ks_stage *stage, bool for_good)
{
    struct ks_stage *earlier = stage->earlier;
    struct ks_stage *later = stage->later;
    bool was_last = find_last(vault, stage->row.path_name) == stage;
    if (was_last)
        HASH_DELETE(hh, vault->removals, stage);
    if (later != NULL)
        later->earlier = earlier;
    if (earlier == NULL)
        return;
    earlier->later = later;
    earlier->is_final = earlier->is_final || for_good || (later == NULL && stage->is_final);
    if (was_last)
        make_last_again(vault, earlier);
}

/* The file of one that failed goes on to the next. */
static void pass_on(struct ks_stage *stage)
{
    struct ks_stage *later = stage->later;
    if (!stage->holds || later == NULL)
        return;
    memcpy(later->name, stage->name, sizeof later->name);
    later->size = stage->size;
    later->holds = true;
    later->is_final = later->is_final || stage->is_final;
    stage->holds = false;
}

/* ---- taking away ---- */

static int move_away(struct ks_stage *stage)
{
    struct ks_vault *vault = stage->vault;
    uint64_t number = atomic_fetch_add(&vault->last_stage_number, 1) + 1;
    ks_names_removed(stage->row.path_name, number, stage->name);
    if (renameat(vault->options.directory_fd, stage->row.path_name, vault->options.directory_fd,
                 stage->name) != 0)
        return errno;
    if (vault->options.quotas != NULL)
        ks_quotas_give_back(vault->options.quotas, &stage->row.id,
                            &(struct ks_quota_change){.after = stage->size});
    return 0;
}

int ks_removing_take(struct ks_stage *stage)
{
    struct ks_vault *vault = stage->vault;
    stage->row.had_file = ks_sweep_file_size(vault->options.directory_fd, stage->row.path_name, &stage->size);
    pthread_mutex_lock(&vault->lock);
    bool joined = join_chain(vault, stage);
    pthread_mutex_unlock(&vault->lock);
    if (!joined)
        return ENOMEM;
    if (!stage->row.had_file)
        return 0;
    int failure = move_away(stage);
    stage->row.had_file = failure == 0;
    stage->holds = failure == 0;
    return failure;
}

/* ---- ends ---- */

static void free_file(struct ks_task *task)
{
    struct ks_stage *stage = KS_CONTAINER_OF(task, struct ks_stage, discarding);
    bool is_gone = unlinkat(stage->vault->options.directory_fd, stage->name, 0) == 0 || errno == ENOENT;
    if (!is_gone) /* as with the directory of a user who was removed */
        complain(stage->vault, "delete a file that was removed");
    ks_vault_release(stage);
}

/* Answers. What it holds is nobody's any more. */
static void finish(struct ks_stage *stage, enum ks_result result)
{
    struct ks_vault *vault = stage->vault;
    ks_reply_post(stage->request, result);
    pthread_mutex_lock(&vault->lock);
    leave_chain(vault, stage, result == KS_OK || result == KS_NOT_FOUND);
    if (--vault->removing == 0)
        pthread_cond_broadcast(&vault->removed);
    pthread_mutex_unlock(&vault->lock);
    stage->discarding.run = free_file;
    if (!stage->holds)
        ks_vault_release(stage);
    else if (vault->options.reaper != NULL)
        ks_executor_post(ks_thread_executor(vault->options.reaper), &stage->discarding);
    else
        free_file(&stage->discarding);
}

static void sync_directory(const struct ks_vault *vault, const char *path)
{
    int fd = openat(vault->options.directory_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        complain(vault, "sync a directory into which a file was brought back");
    if (fd >= 0)
        close(fd);
}

/* The file is its user's again, or nobody's: then the user has gone, or has another by now. What cannot be
 * brought back stays as it is until the next start, which removes it, as was asked for. */
static void bring_back(struct ks_stage *stage)
{
    const struct ks_vault *vault = stage->vault;
    char directory[KS_NAMES_DIRECTORY_SIZE];
    if (stage->is_final || ks_sweep_has_file(vault->options.directory_fd, stage->row.path_name))
        return;
    if (renameat(vault->options.directory_fd, stage->name, vault->options.directory_fd,
                 stage->row.path_name) != 0) {
        stage->holds = errno == ENOENT;
        complain(vault, "bring a file back whose removal has failed");
        return;
    }
    stage->holds = false;
    if (vault->options.quotas != NULL &&
        ks_quotas_load(vault->options.quotas, &stage->row.id, stage->size) != KS_OK)
        ks_log_trouble(vault->options.log, KS_LOG_ERROR, "no memory to count a file that was brought back");
    ks_names_directory(vault->options.aliases, &stage->row.id, directory);
    sync_directory(vault, directory);
}

void ks_removing_give_up(struct ks_stage *stage, enum ks_result result)
{
    pthread_mutex_lock(&stage->vault->lock);
    pass_on(stage);
    pthread_mutex_unlock(&stage->vault->lock);
    if (stage->holds)
        bring_back(stage);
    finish(stage, result);
}

static void run_give_up(struct ks_task *task)
{
    struct ks_stage *stage = KS_CONTAINER_OF(task, struct ks_stage, discarding);
    ks_removing_give_up(stage, stage->row.result);
}

void ks_removing_end(struct ks_stage *stage, enum ks_result result)
{
    struct ks_vault *vault = stage->vault;
    if (result == KS_OK || result == KS_NOT_FOUND) {
        finish(stage, result);
        return;
    }
    stage->discarding.run = run_give_up;
    ks_executor_post(ks_thread_executor(vault->confirm_thread), &stage->discarding);
}

void ks_removing_wait(struct ks_vault *vault)
{
    pthread_mutex_lock(&vault->lock);
    while (vault->removing > 0)
        pthread_cond_wait(&vault->removed, &vault->lock);
    pthread_mutex_unlock(&vault->lock);
}
