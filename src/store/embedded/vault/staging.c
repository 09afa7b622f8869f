/* staging.c — the stages there are: who owns them and which thread they are pinned to, how they are made and
 * freed, and what vault.c, stage.c and confirm.c all do with their files in staging/. */
#include "base/limits/log_repeats.h"
#include "store/embedded/disk/reaper.h"
#include "store/embedded/memory/id_hash.h"
#include "store/embedded/vault/vault_internal.h"
#include "wire/drop_codec.h"
#include "wire/files_codec.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* Any thread will do for who has no stages. */
struct ks_vault_thread *ks_vault_thread_of(struct ks_vault *vault, const struct ks_client_id *id)
{
    pthread_mutex_lock(&vault->lock);
    const struct ks_vault_owner *owner = owner_find(vault, id);
    struct ks_vault_thread *thread = owner != NULL ? owner->thread : &vault->threads[0];
    pthread_mutex_unlock(&vault->lock);
    return thread;
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
    stage->purpose = request->purpose;
    stage->transform = request->transform;
    uint64_t number = atomic_fetch_add(&vault->last_stage_number, 1) + 1;
    snprintf(stage->name, sizeof stage->name, "%016" PRIx64, number);
    return KS_OK;
}

/* An empty one of that user. NULL when out of memory. */
static struct ks_stage *stage_allocate(struct ks_vault *vault, const struct ks_client_id *id)
{
    struct ks_stage *stage = calloc(1, sizeof *stage);
    if (stage == NULL)
        return NULL;
    stage->vault = vault;
    stage->row.id = *id;
    stage->fd = -1;
    stage->cksum = ks_cksum_start();
    return stage;
}

/* *stage is one that is filled, if `result` says so; else it is freed. */
static enum ks_result stage_finish(struct ks_stage *filled, enum ks_result result, struct ks_stage **stage)
{
    if (result == KS_OK && !stage_enlist(filled->vault, filled))
        result = KS_NO_MEMORY;
    if (result == KS_OK)
        *stage = filled;
    else
        free(filled);
    return result;
}

enum ks_result ks_vault_stage_new(struct ks_vault *vault, const struct ks_store_stage_open *request,
                                  struct ks_stage **stage)
{
    struct ks_stage *created = stage_allocate(vault, &request->id);
    return created == NULL ? KS_NO_MEMORY : stage_finish(created, stage_init(vault, created, request), stage);
}

/* Where an own file lies. KS_OK; KS_INVALID for a name that none may have; KS_CRYPTO. */
static enum ks_result name_own_file(struct ks_stage *stage, const char name[static KS_TEXT_FIELD_SIZE])
{
    size_t size = strnlen(name, KS_TEXT_FIELD_SIZE);
    if (!ks_file_name_is_valid(name, size))
        return KS_INVALID;
    memcpy(stage->file_name, name, size);
    stage->row.file_name = stage->file_name;
    stage->row.kept_name = stage->file_name;
    return ks_names_path(stage->vault->options.aliases, &stage->row.id, stage->file_name, size,
                         stage->row.path_name);
}

enum ks_result ks_vault_put_new(struct ks_vault *vault, const struct ks_store_put_open *request,
                                struct ks_stage **stage)
{
    struct ks_stage *created = stage_allocate(vault, &request->id);
    if (created == NULL)
        return KS_NO_MEMORY;
    created->purpose = KS_STAGE_PUT;
    created->declared = request->size;
    created->replace = request->replace;
    ks_names_put(vault->options.aliases, &request->id, request->put_id, created->name);
    return stage_finish(created, name_own_file(created, request->file_name), stage);
}

enum ks_result ks_vault_removal_new(struct ks_vault *vault, const struct ks_store_remove_file *request,
                                    struct ks_stage **stage)
{
    struct ks_stage *created = stage_allocate(vault, &request->id);
    if (created == NULL)
        return KS_NO_MEMORY;
    created->row.is_removal = true;
    enum ks_result result = name_own_file(created, request->name);
    return stage_finish(created, result == KS_INVALID ? KS_NOT_FOUND : result, stage);
}

enum ks_result ks_vault_reopen(const struct ks_stage *stage, int *fd)
{
    *fd = openat(stage->vault->staging_fd, stage->name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
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

int ks_vault_change(const struct ks_stage *stage, uint64_t size, struct ks_quota_change *change)
{
    struct stat status;
    *change = (struct ks_quota_change){.after = size};
    if (fstatat(stage->vault->options.directory_fd, stage->row.path_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? 0 : errno;
    change->replaces = S_ISREG(status.st_mode);
    change->before = change->replaces ? (uint64_t)status.st_size : 0;
    return 0;
}

/* ---- ends ---- */

static void close_file(struct ks_stage *stage)
{
    if (stage->fd >= 0)
        close(stage->fd);
    stage->fd = -1;
    if (stage->fd_is_counted)
        atomic_fetch_sub(&stage->vault->confirming_files, 1);
    stage->fd_is_counted = false;
}

void ks_vault_leave_file(struct ks_stage *stage)
{
    close_file(stage);
    stage->on_disk = false;
}

static void unlink_staged(const struct ks_vault *vault, const char *name)
{
    if (unlinkat(vault->staging_fd, name, 0) == 0)
        return;
    char text[128];
    ks_log_trouble(vault->options.log, KS_LOG_WARNING, "cannot remove a file from staging/: %s",
                   strerror_r(errno, text, sizeof text));
}

void ks_vault_remove_file(struct ks_stage *stage)
{
    bool on_disk = stage->on_disk;
    ks_vault_leave_file(stage);
    if (on_disk)
        unlink_staged(stage->vault, stage->name);
}

bool ks_vault_stays_after(enum ks_result result)
{
    return result == KS_INVALID || result == KS_REFUSED || result == KS_EXISTS || result == KS_NO_SPACE ||
           result == KS_NO_MEMORY;
}

/* From the last of these calls on, another stage may have the file. */
static bool park(struct ks_stage *stage)
{
    struct ks_vault *vault = stage->vault;
    if (!stage->on_disk || stage->size == 0 || stage->is_lost ||
        (stage->fd >= 0 && ks_vault_close_written(stage) != KS_OK) ||
        !ks_puts_park(vault->options.puts, stage->put, stage->last_byte_ms + vault->stage_lifetime_ms))
        return false;
    ks_vault_leave_file(stage);
    return true;
}

void ks_vault_put_away(struct ks_stage *stage, bool may_be_parked)
{
    bool is_parked = stage->put != NULL && may_be_parked && park(stage);
    if (!is_parked)
        ks_vault_remove_file(stage);
    if (!is_parked && stage->put != NULL)
        ks_puts_forget(stage->vault->options.puts, stage->put);
    stage->put = NULL;
}

void ks_vault_end(struct ks_stage *stage, bool may_be_parked)
{
    ks_vault_put_away(stage, may_be_parked);
    ks_vault_release(stage);
}

void ks_vault_remove_parked(struct ks_vault *vault, struct ks_put_entry *put)
{
    char path[sizeof "staging/" + KS_NAMES_PUT_SIZE] = "staging/";
    char *name = path + sizeof "staging/" - 1;
    struct ks_held_file *held = NULL;
    ks_names_put(vault->options.aliases, &put->id, put->put_id, name);
    if (vault->options.reaper != NULL)
        held = ks_reaper_hold(vault->options.directory_fd, path);
    unlink_staged(vault, name);
    ks_reaper_let_go(vault->options.reaper, held);
    ks_puts_forget(vault->options.puts, put);
}

/* ---- which file it is ---- */

static int64_t nanoseconds(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000 * 1000 * 1000 + time->tv_nsec;
}

static bool take_identity(const struct stat *status, struct ks_vault_identity *identity)
{
    *identity = (struct ks_vault_identity){
        .device = status->st_dev,
        .inode = status->st_ino,
        .size = (uint64_t)status->st_size,
        .written = nanoseconds(&status->st_mtim),
        .changed = nanoseconds(&status->st_ctim),
    };
    return S_ISREG(status->st_mode);
}

bool ks_vault_identify(const struct ks_vault *vault, const char *path, struct ks_vault_identity *identity)
{
    struct stat status;
    return fstatat(vault->options.directory_fd, path, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           take_identity(&status, identity);
}

bool ks_vault_identify_open(int fd, struct ks_vault_identity *identity)
{
    struct stat status;
    return fstat(fd, &status) == 0 && take_identity(&status, identity);
}

bool ks_vault_is_same(const struct ks_vault_identity *left, const struct ks_vault_identity *right)
{
    return left->device == right->device && left->inode == right->inode && left->size == right->size &&
           left->written == right->written && left->changed == right->changed;
}
