/* displaced.c — what a change in files/ displaces: the file that is removed, or the older one of the name of
 * a file that is confirmed. Until the change is committed it is kept, within its directory, under a name of
 * what is being removed (names.h): a removal renames it to that, a confirmation gives it that as a second
 * name. Then the reaper frees it.
 *
 * If the commit fails, what was displaced is brought back, on the confirm thread again; so what was
 * acknowledged is there, whatever came after it and failed. A crash before that leaves it where it is: the
 * next start takes away the row of its path, unless there is a file, and then what was displaced
 * (leftovers.h). So who was told that a file is removed does not see it again, and who was told that it is
 * not still has it. A file that has displaced none stays where it is, and is adopted at the next start.
 *
 * Of two changes of one path, the later may come before anybody knows what becomes of the earlier. Hence all
 * that are not over are in a chain, at a *place* that is found by the path. The end of an earlier one comes
 * first, unless the later one has failed before its commit. When the earlier one fails, it gives what it
 * holds to the next one for what that holds, which is nobody's: it was put there by the one that has failed.
 * When the later one ends for good, what the earlier ones hold is not wanted again: they are *final*.
 *
 * There are file systems without second names. There, what a confirmation displaces is gone with its rename.
 */
#include "base/limits/log_repeats.h"
#include "store/embedded/disk/reaper.h"
#include "store/embedded/vault/sweep.h"
#include "store/embedded/vault/vault_internal.h"
#include "store/reply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A path of files/, while there are changes of it that are not over. */
struct ks_vault_place {
    UT_hash_handle hh;
    struct ks_stage *last;
    char path[KS_NAMES_PATH_SIZE];
};

static void complain(const struct ks_vault *vault, const char *what)
{
    char text[128];
    ks_log_trouble(vault->options.log, KS_LOG_ERROR, "cannot %s: %s", what,
                   strerror_r(errno, text, sizeof text));
}

/* ---- the changes of one path, under the lock ---- */

/* NULL when out of memory. */
static struct ks_vault_place *get_place(struct ks_vault *vault, const char *path)
{
    struct ks_vault_place *place = NULL;
    size_t size = strlen(path);
    HASH_FIND(hh, vault->places, path, size, place);
    if (place != NULL)
        return place;
    place = calloc(1, sizeof *place);
    if (place == NULL)
        return NULL;
    memcpy(place->path, path, size);
    HASH_ADD_KEYPTR(hh, vault->places, place->path, size, place);
    if (place->hh.tbl != NULL)
        return place;
    free(place);
    return NULL;
}

/* As the last of its path. False when out of memory. */
static bool join_chain(struct ks_vault *vault, struct ks_stage *stage)
{
    struct ks_vault_place *place = get_place(vault, stage->row.path_name);
    if (place == NULL)
        return false;
    stage->place = place;
    stage->earlier = place->last;
    if (place->last != NULL)
        place->last->later = stage;
    place->last = stage;
    return true;
}

/* Its end has come. If it was for good, what the earlier ones still hold is not wanted. */
static void leave_chain(struct ks_vault *vault, struct ks_stage *stage, bool for_good)
{
    struct ks_vault_place *place = stage->place;
    if (place == NULL)
        return;
    for (struct ks_stage *earlier = stage->earlier; for_good && earlier != NULL; earlier = earlier->earlier)
        earlier->is_final = true;
    if (stage->later != NULL)
        stage->later->earlier = stage->earlier;
    else
        place->last = stage->earlier;
    if (stage->earlier != NULL)
        stage->earlier->later = stage->later;
    if (place->last != NULL)
        return;
    HASH_DELETE(hh, vault->places, place);
    free(place);
}

/* What one that failed holds is from now on what the next has displaced. */
static void pass_on(struct ks_stage *stage)
{
    struct ks_displaced *held = &stage->displaced;
    struct ks_stage *later = stage->later;
    if (!held->is_held || stage->is_final || later == NULL)
        return;
    struct ks_displaced of_later = later->displaced;
    later->displaced = *held;
    *held = of_later;
}

/* ---- displacing ---- */

void ks_displaced_expect(struct ks_stage *stage)
{
    struct ks_vault *vault = stage->vault;
    pthread_mutex_lock(&vault->lock);
    vault->changes++;
    pthread_mutex_unlock(&vault->lock);
}

static bool enter(struct ks_stage *stage)
{
    pthread_mutex_lock(&stage->vault->lock);
    bool joined = join_chain(stage->vault, stage);
    pthread_mutex_unlock(&stage->vault->lock);
    return joined;
}

static void name_displaced(struct ks_stage *stage)
{
    uint64_t number = atomic_fetch_add(&stage->vault->last_stage_number, 1) + 1;
    ks_names_removed(stage->row.path_name, number, stage->displaced.name);
}

/* Takes the file of a removal away. */
static int move_away(struct ks_stage *stage)
{
    struct ks_vault *vault = stage->vault;
    struct ks_displaced *displaced = &stage->displaced;
    name_displaced(stage);
    if (renameat(vault->options.directory_fd, stage->row.path_name, vault->options.directory_fd,
                 displaced->name) != 0)
        return errno;
    displaced->is_held = true;
    stage->row.had_file = true;
    if (vault->options.quotas != NULL)
        ks_quotas_give_back(vault->options.quotas, &stage->row.id,
                            &(struct ks_quota_change){.after = displaced->size});
    return 0;
}

int ks_displaced_take(struct ks_stage *stage)
{
    struct ks_quota_change change;
    if (!enter(stage))
        return ENOMEM;
    int failure = ks_vault_change(stage, 0, &change);
    stage->displaced.size = change.before;
    return failure == 0 && change.replaces ? move_away(stage) : failure;
}

/* Whether the file is gone meanwhile, with its user, or the file system has no second name for it. */
static bool cannot_be_kept(int error_number)
{
    return error_number == ENOENT || error_number == EPERM || error_number == EOPNOTSUPP ||
           error_number == ENOSYS || error_number == EMLINK;
}

int ks_displaced_keep(struct ks_stage *stage, const struct ks_quota_change *change)
{
    int directory_fd = stage->vault->options.directory_fd;
    struct ks_displaced *displaced = &stage->displaced;
    if (!enter(stage))
        return ENOMEM;
    if (!change->replaces)
        return 0;
    name_displaced(stage);
    displaced->size = change->before;
    displaced->is_held = linkat(directory_fd, stage->row.path_name, directory_fd, displaced->name, 0) == 0;
    return displaced->is_held || cannot_be_kept(errno) ? 0 : errno;
}

int ks_displaced_stay(struct ks_stage *stage)
{
    return enter(stage) ? 0 : ENOMEM;
}

/* ---- ends ---- */

static void delete_displaced(struct ks_stage *stage)
{
    struct ks_displaced *displaced = &stage->displaced;
    bool is_gone = !displaced->is_held ||
                   unlinkat(stage->vault->options.directory_fd, displaced->name, 0) == 0 || errno == ENOENT;
    if (!is_gone) /* as with the directory of a user who was removed */
        complain(stage->vault, "delete a file that was removed or replaced");
    displaced->is_held = false;
}

static void free_displaced(struct ks_task *task)
{
    struct ks_stage *stage = KS_CONTAINER_OF(task, struct ks_stage, discarding);
    delete_displaced(stage);
    ks_vault_release(stage);
}

/* The removal of a user was faster. Its directory goes with its last file. */
static void remove_of_nobody(struct ks_stage *stage)
{
    const struct ks_vault *vault = stage->vault;
    char directory[KS_NAMES_DIRECTORY_SIZE];
    if (unlinkat(vault->options.directory_fd, stage->row.path_name, 0) != 0 && errno != ENOENT)
        complain(vault, "remove a file of a user who was removed");
    delete_displaced(stage);
    ks_names_directory(vault->options.aliases, &stage->row.id, directory);
    int failure = unlinkat(vault->options.directory_fd, directory, AT_REMOVEDIR);
    (void)failure;
    if (vault->options.quotas != NULL)
        ks_quotas_forget(vault->options.quotas, &stage->row.id);
}

static bool is_for_good(enum ks_result result)
{
    return result == KS_OK || result == KS_NOT_FOUND;
}

static void answer(struct ks_stage *stage, enum ks_result result)
{
    struct ks_store_request *request = stage->request;
    if (stage->in_place && result == KS_NOT_FOUND)
        remove_of_nobody(stage);
    if (!stage->row.is_removal) {
        struct ks_store_confirm *confirm = KS_CONTAINER_OF(request, struct ks_store_confirm, request);
        confirm->limit = stage->limit;
        confirm->replaced = result == KS_OK && stage->replaced;
        ks_vault_put_away(stage, ks_vault_stays_after(result));
    }
    ks_reply_post(request, result);
}

/* What it holds is nobody's any more. */
static void finish(struct ks_stage *stage, enum ks_result result)
{
    struct ks_vault *vault = stage->vault;
    pthread_mutex_lock(&vault->lock);
    leave_chain(vault, stage, is_for_good(result)); /* from now on what it holds is its own */
    pthread_mutex_unlock(&vault->lock);
    answer(stage, result);
    pthread_mutex_lock(&vault->lock);
    if (--vault->changes == 0)
        pthread_cond_broadcast(&vault->changes_over);
    pthread_mutex_unlock(&vault->lock);
    stage->discarding.run = free_displaced;
    if (stage->displaced.is_held && vault->options.reaper != NULL)
        ks_executor_post(ks_thread_executor(vault->options.reaper), &stage->discarding);
    else
        free_displaced(&stage->discarding);
}

static void sync_directory(const struct ks_vault *vault, const char *path)
{
    int fd = openat(vault->options.directory_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        complain(vault, "sync a directory into which a file was brought back");
    if (fd >= 0)
        close(fd);
}

/* What has come of a put need not be sent again: it has its name in staging/ back. */
static void take_back(struct ks_stage *stage)
{
    const struct ks_vault *vault = stage->vault;
    if (stage->put != NULL && stage->in_place)
        stage->on_disk =
            linkat(vault->options.directory_fd, stage->row.path_name, vault->staging_fd, stage->name, 0) == 0;
}

static void count_again(const struct ks_stage *stage, bool has_other, uint64_t other)
{
    const struct ks_vault *vault = stage->vault;
    const struct ks_quota_change change = {.replaces = true, .before = stage->displaced.size, .after = other};
    if (vault->options.quotas == NULL)
        return;
    if (has_other)
        ks_quotas_give_back(vault->options.quotas, &stage->row.id, &change);
    else if (ks_quotas_load(vault->options.quotas, &stage->row.id, stage->displaced.size) != KS_OK)
        ks_log_trouble(vault->options.log, KS_LOG_ERROR, "no memory to count a file that was brought back");
}

/* Whether what is held is still in its place: then the change was not made. */
static bool is_in_place(const struct ks_stage *stage)
{
    struct ks_vault_identity there;
    struct ks_vault_identity held;
    return ks_vault_identify(stage->vault, stage->row.path_name, &there) &&
           ks_vault_identify(stage->vault, stage->displaced.name, &held) && ks_vault_is_same(&there, &held);
}

/* The file is its user's again, or nobody's: then the user has gone. Over what nobody was told to be there.
 * What cannot be brought back stays as it is until the next start, which removes it. */
static void bring_back(struct ks_stage *stage)
{
    const struct ks_vault *vault = stage->vault;
    struct ks_displaced *displaced = &stage->displaced;
    char directory[KS_NAMES_DIRECTORY_SIZE];
    uint64_t other = 0;
    if (is_in_place(stage))
        return;
    bool has_other = ks_sweep_file_size(vault->options.directory_fd, stage->row.path_name, &other);
    take_back(stage);
    if (renameat(vault->options.directory_fd, displaced->name, vault->options.directory_fd,
                 stage->row.path_name) != 0) {
        displaced->is_held = errno == ENOENT;
        complain(vault, "bring a file back whose removal, or replacement, has failed");
        if (stage->in_place)
            ks_vault_remove_file(stage); /* whoever went on with it would write to what stays in its place */
        return;
    }
    displaced->is_held = false;
    stage->in_place = false;
    count_again(stage, has_other, other);
    ks_names_directory(vault->options.aliases, &stage->row.id, directory);
    sync_directory(vault, directory);
}

void ks_displaced_give_up(struct ks_stage *stage, enum ks_result result)
{
    pthread_mutex_lock(&stage->vault->lock);
    pass_on(stage);
    bool is_wanted = stage->displaced.is_held && !stage->is_final && stage->later == NULL;
    pthread_mutex_unlock(&stage->vault->lock);
    if (is_wanted)
        bring_back(stage);
    finish(stage, result);
}

static void run_give_up(struct ks_task *task)
{
    struct ks_stage *stage = KS_CONTAINER_OF(task, struct ks_stage, discarding);
    ks_displaced_give_up(stage, stage->row.result);
}

void ks_displaced_end(struct ks_stage *stage, enum ks_result result)
{
    struct ks_vault *vault = stage->vault;
    if (is_for_good(result)) {
        finish(stage, result);
        return;
    }
    stage->discarding.run = run_give_up;
    ks_executor_post(ks_thread_executor(vault->confirm_thread), &stage->discarding);
}

void ks_displaced_wait(struct ks_vault *vault)
{
    pthread_mutex_lock(&vault->lock);
    while (vault->changes > 0)
        pthread_cond_wait(&vault->changes_over, &vault->lock);
    pthread_mutex_unlock(&vault->lock);
}
