/* confirm.c — the work of the confirm thread: everything that waits, confirms, appends and removals, becomes
 * one group, and goes through the steps together. The order is the promise: data synced, renamed, directories
 * synced, rows committed, then the answers. Where the rows cannot be had, what was removed or replaced is
 * brought back (displaced.c), and the content of a message goes. Everything here but rows_done runs on the
 * confirm thread.
 *
 * For one or two files fdatasync of each is cheapest; from SYNC_TOGETHER on, one syncfs of the file system
 * is (measured on ext4: 8 ms against 60 ms for a thousand files of 10 KiB).
 *
 * syncfs tells a write-back error once, of whatever file (since Linux 5.8). So when it fails, its error may
 * be that of a file which is still arriving, or waits for its 1029, and the next syncfs would know nothing of
 * it: the pages that could not be written are clean, and zeros on disk. But a descriptor is told every error
 * of its own file since it was opened, whatever syncfs was told. Hence: whatever had its first byte before a
 * syncfs that failed is synced by itself, through the descriptor that wrote it; and where that must be closed
 * before (ks_vault_close_written), all that was written has reached the disk first. For own files that broke
 * off this holds, too: what was parked is synced and read from the disk before it goes on (putting.c), and
 * only then has "its first byte". Directories have nothing to sync but what their own group has changed,
 * which the group's own sync or fsync tells of; no other waits with a change meanwhile. SQLite and the
 * journal sync descriptors of their own. */
#include "base/limits/log_repeats.h"
#include "store/embedded/vault/vault_internal.h"
#include "store/reply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SYNC_TOGETHER = 3 };

static struct ks_stage *stage_of(struct ks_vault_row *row)
{
    return KS_CONTAINER_OF(row, struct ks_stage, row);
}

static void confirm_fail(struct ks_stage *stage, const char *what, int error_number)
{
    struct ks_vault *vault = stage->vault;
    char text[128];
    stage->failure = ks_vault_failure(error_number);
    if (vault->logged_group == vault->group)
        return; /* one line says it for a thousand files */
    vault->logged_group = vault->group;
    ks_log_trouble(vault->options.log, KS_LOG_ERROR, "cannot %s a confirmed file: %s", what,
                   strerror_r(error_number, text, sizeof text));
}

/* Of the content of a message: answers, and forgets the stage. */
static void append_end(struct ks_stage *stage, enum ks_result result)
{
    struct ks_store_request *request = stage->request;
    const struct ks_vault *vault = stage->vault;
    if (stage->in_place && result != KS_OK &&
        unlinkat(vault->options.directory_fd, stage->row.path_name, 0) != 0 && errno != ENOENT) {
        char text[128];
        ks_log_trouble(vault->options.log, KS_LOG_WARNING, "cannot remove a file from messages/: %s",
                       strerror_r(errno, text, sizeof text));
    }
    ks_vault_end(stage, false);
    ks_reply_post(request, result);
}

static bool sync_file_system(struct ks_vault *vault)
{
    if (syncfs(vault->staging_fd) == 0)
        return true;
    char text[128];
    atomic_fetch_add(&vault->failed_syncs, 1);
    ks_log_trouble(vault->options.log, KS_LOG_WARNING, "cannot sync the file system: %s",
                   strerror_r(errno, text, sizeof text));
    return false;
}

/* ---- the steps ---- */

/* The file of the stage, which is closed. -1 with errno. */
static int open_again(const struct ks_stage *stage)
{
    int fd = -1;
    if (stage->row.is_kept)
        return openat(stage->vault->options.directory_fd, stage->row.path_name,
                      O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return ks_vault_reopen(stage, &fd) == KS_OK ? fd : -1;
}

static void sync_data_of(struct ks_stage *stage)
{
    int fd = stage->fd >= 0 ? stage->fd : open_again(stage);
    if (fd < 0 && stage->row.is_kept && errno == ENOENT)
        return; /* put_in_place will see it */
    if (fd < 0) {
        confirm_fail(stage, "open", errno);
        return;
    }
    if (fdatasync(fd) != 0) {
        confirm_fail(stage, "sync", errno);
        stage->is_lost = true;
    }
    if (stage->fd < 0)
        close(fd);
}

static void sync_data(struct ks_vault *vault, struct ks_vault_row *group, size_t count)
{
    bool together = count >= SYNC_TOGETHER && sync_file_system(vault);
    for (struct ks_vault_row *row = group; row != NULL; row = row->next)
        if (!row->is_removal &&
            (!together || stage_of(row)->failed_syncs != atomic_load(&vault->failed_syncs)))
            sync_data_of(stage_of(row));
}

static bool rename_into_place(const struct ks_stage *stage)
{
    const struct ks_vault *vault = stage->vault;
    return renameat(vault->staging_fd, stage->name, vault->options.directory_fd, stage->row.path_name) == 0;
}

static bool make_user_directory(struct ks_vault *vault, const struct ks_stage *stage)
{
    char directory[KS_NAMES_DIRECTORY_SIZE];
    ks_names_directory(vault->options.aliases, &stage->row.id, directory);
    if (mkdirat(vault->options.directory_fd, directory, 0700) != 0)
        return false;
    vault->files_is_dirty = true;
    return true;
}

/* Before the rename: what is refused leaves the older file of that name as it is. Contents of messages are
 * the index's to judge. */
static bool may_be_put_in_place(struct ks_stage *stage, struct ks_quota_change *change)
{
    struct ks_quotas *quotas = stage->vault->options.quotas;
    if (stage->row.message != NULL)
        return true;
    int failure = ks_vault_change(stage, stage->row.size, change);
    stage->replaced = change->replaces;
    if (failure != 0)
        confirm_fail(stage, "look for an older file of", failure);
    else if (change->replaces && stage->purpose == KS_STAGE_PUT && !stage->replace)
        stage->failure = KS_EXISTS;
    else if (quotas != NULL)
        stage->failure = ks_quotas_take(quotas, &stage->row.id, change, &stage->limit);
    return stage->failure == KS_OK;
}

static void give_quota_back(const struct ks_stage *stage, const struct ks_quota_change *change)
{
    if (stage->vault->options.quotas != NULL && stage->row.message == NULL)
        ks_quotas_give_back(stage->vault->options.quotas, &stage->row.id, change);
}

static int move_into_place(struct ks_vault *vault, struct ks_stage *stage,
                           const struct ks_quota_change *change)
{
    bool is_message = stage->row.message != NULL;
    int failure = is_message ? 0 : ks_displaced_keep(stage, change);
    if (failure != 0)
        return failure;
    if (rename_into_place(stage))
        return 0;
    if (!is_message && errno == ENOENT && make_user_directory(vault, stage) && rename_into_place(stage))
        return 0;
    return errno;
}

static void put_in_place(struct ks_vault *vault, struct ks_stage *stage)
{
    bool is_message = stage->row.message != NULL;
    struct ks_quota_change change = {0};
    if (!may_be_put_in_place(stage, &change))
        return;
    int failure = move_into_place(vault, stage, &change);
    if (failure != 0) {
        confirm_fail(stage, "rename", failure);
        give_quota_back(stage, &change);
        return;
    }
    stage->on_disk = false; /* no longer in staging/ */
    stage->in_place = true;
    vault->messages_is_dirty = vault->messages_is_dirty || is_message;
}

/* What is kept already has only to be what it was. */
static void find_in_place(struct ks_vault *vault, struct ks_stage *stage)
{
    struct ks_vault_identity now;
    int failure = 0;
    if (!ks_vault_identify(vault, stage->row.path_name, &now) || !ks_vault_is_same(&now, &stage->kept))
        stage->failure = KS_EXISTS;
    else
        failure = ks_displaced_stay(stage);
    if (failure != 0)
        confirm_fail(stage, "keep", failure);
}

static void change_files(struct ks_vault *vault, struct ks_stage *stage)
{
    int failure = stage->row.is_removal ? ks_displaced_take(stage) : 0;
    if (failure != 0)
        confirm_fail(stage, "take away", failure);
    else if (stage->row.is_kept)
        find_in_place(vault, stage);
    else if (!stage->row.is_removal)
        put_in_place(vault, stage);
}

static enum ks_result sync_directory(struct ks_vault *vault, const char *path)
{
    int fd = openat(vault->options.directory_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return ks_vault_failure(errno);
    enum ks_result result = fsync(fd) == 0 ? KS_OK : ks_vault_failure(errno);
    close(fd);
    return result;
}

static void sync_directory_of(struct ks_vault *vault, struct ks_stage *stage)
{
    struct ks_vault_owner *owner = stage->owner;
    if (owner->synced_in_group != vault->group) {
        char directory[KS_NAMES_DIRECTORY_SIZE];
        ks_names_directory(vault->options.aliases, &owner->id, directory);
        owner->sync_result = sync_directory(vault, directory);
        owner->synced_in_group = vault->group;
        if (owner->sync_result != KS_OK)
            confirm_fail(stage, "sync the directory of", errno);
    }
    stage->failure = owner->sync_result;
}

/* Whether the user's directory has to be synced for this one. */
static bool needs_directory(const struct ks_stage *stage)
{
    const struct ks_vault_row *row = &stage->row;
    return stage->failure == KS_OK && row->message == NULL && (!row->is_removal || row->had_file);
}

/* How many directories the group has changed. */
static size_t count_directories(const struct ks_vault *vault, struct ks_vault_row *group)
{
    size_t count = vault->files_is_dirty ? 1 : 0;
    count += vault->messages_is_dirty ? 1 : 0;
    for (struct ks_vault_row *row = group; row != NULL; row = row->next) {
        struct ks_stage *stage = stage_of(row);
        if (!needs_directory(stage) || stage->owner->renamed_in_group == vault->group)
            continue;
        stage->owner->renamed_in_group = vault->group;
        count++;
    }
    return count;
}

static enum ks_result sync_if_dirty(struct ks_vault *vault, const char *path, bool *is_dirty)
{
    enum ks_result result = *is_dirty ? sync_directory(vault, path) : KS_OK;
    *is_dirty = result != KS_OK;
    if (result != KS_OK)
        ks_log_trouble(vault->options.log, KS_LOG_ERROR, "cannot sync %s/: %s", path, ks_result_text(result));
    return result;
}

static void sync_directories(struct ks_vault *vault, struct ks_vault_row *group)
{
    if (count_directories(vault, group) >= SYNC_TOGETHER && sync_file_system(vault)) {
        vault->files_is_dirty = false;
        vault->messages_is_dirty = false;
        return;
    }
    enum ks_result files = sync_if_dirty(vault, "files", &vault->files_is_dirty);
    enum ks_result messages = sync_if_dirty(vault, "messages", &vault->messages_is_dirty);
    for (struct ks_vault_row *row = group; row != NULL; row = row->next) {
        struct ks_stage *stage = stage_of(row);
        if (stage->failure == KS_OK && row->message != NULL) {
            stage->failure = messages;
        } else if (needs_directory(stage)) {
            sync_directory_of(vault, stage);
            if (stage->failure == KS_OK && !row->is_removal)
                stage->failure = files;
        }
    }
}

/* ---- the rows ---- */

/* On the index's thread. */
static void rows_done(struct ks_vault_rows *rows)
{
    struct ks_vault_row *row = rows->first; /* `rows` goes with the first stage */
    while (row != NULL) {
        struct ks_vault_row *next = row->next;
        if (row->message != NULL)
            append_end(stage_of(row), row->result);
        else
            ks_displaced_end(stage_of(row), row->result);
        row = next;
    }
}

static void end_failed(struct ks_stage *stage)
{
    if (stage->row.message != NULL)
        append_end(stage, stage->failure);
    else
        ks_displaced_give_up(stage, stage->failure);
}

/* Those that failed are answered; the others become one list, in their order. */
static struct ks_vault_row *keep_succeeded(struct ks_vault_row *group)
{
    struct ks_vault_row *first = NULL;
    struct ks_vault_row **end = &first;
    while (group != NULL) {
        struct ks_vault_row *row = group;
        group = row->next;
        row->next = NULL;
        if (stage_of(row)->failure != KS_OK) {
            end_failed(stage_of(row));
            continue;
        }
        *end = row;
        end = &row->next;
    }
    return first;
}

static void commit_rows(struct ks_vault *vault, struct ks_vault_row *first)
{
    struct ks_vault_rows *rows = &stage_of(first)->rows;
    *rows = (struct ks_vault_rows){.index = vault->options.index, .first = first, .done = rows_done};
    rows->index->commit(rows->index, rows);
}

/* ---- the group ---- */

static void join_group(struct ks_stage *stage)
{
    struct ks_vault *vault = stage->vault;
    stage->row.next = NULL;
    if (vault->last_waiting == NULL)
        vault->first_waiting = &stage->row;
    else
        vault->last_waiting->next = &stage->row;
    vault->last_waiting = &stage->row;
}

void ks_confirm_run(struct ks_task *task)
{
    join_group(KS_CONTAINER_OF(task, struct ks_store_confirm, request.task)->stage);
}

void ks_confirm_run_remove(struct ks_task *task)
{
    join_group(KS_CONTAINER_OF(task, struct ks_stage, discarding));
}

void ks_confirm_run_append(struct ks_task *task)
{
    join_group(KS_CONTAINER_OF(task, struct ks_store_append_message, request.task)->stage);
}

void ks_confirm_batch_done(void *context)
{
    struct ks_vault *vault = context;
    struct ks_vault_row *group = vault->first_waiting;
    size_t count = 0; /* of those with data */
    vault->first_waiting = NULL;
    vault->last_waiting = NULL;
    vault->group++;
    for (const struct ks_vault_row *row = group; row != NULL; row = row->next)
        count += row->is_removal ? 0 : 1;
    sync_data(vault, group, count);
    for (struct ks_vault_row *row = group; row != NULL; row = row->next)
        if (stage_of(row)->failure == KS_OK)
            change_files(vault, stage_of(row));
    if (group != NULL)
        sync_directories(vault, group);
    struct ks_vault_row *succeeded = keep_succeeded(group);
    if (succeeded != NULL)
        commit_rows(vault, succeeded);
}
