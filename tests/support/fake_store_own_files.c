/* fake_store_own_files.c — own files of the store in memory (fake_store.h): puts that break off and go on,
 * and what is asked of verified files. */
#include "support/fake_store_internal.h"

#include "crypto/digest.h"

#include <stdlib.h>

struct ks_stored_file {
    struct fake_file *file; /* stays in the store, whatever becomes of it */
};

static struct ks_cksum sum_of(const struct ks_buffer *content, uint64_t size)
{
    struct ks_cksum sum = ks_cksum_start();
    ks_cksum_add(&sum, content->bytes, size < content->size ? (size_t)size : content->size);
    return sum;
}

static uint32_t cksum_of(const struct ks_buffer *content)
{
    struct ks_cksum sum = sum_of(content, content->size);
    return ks_cksum_value(&sum);
}

/* ---- what is parked ---- */

static void stage_forget(struct ks_stage *parked)
{
    *parked->link = parked->next;
    if (parked->next != NULL)
        parked->next->link = parked->link;
    ks_buffer_free(&parked->file.content);
    free(parked);
}

void fake_store_forget_parked(struct fake_store *store, const struct ks_client_id *id)
{
    struct ks_stage *next = NULL;
    for (struct ks_stage *parked = store->parked; parked != NULL; parked = next) {
        next = parked->next;
        if (id == NULL || fake_store_same(&parked->file.id, id))
            stage_forget(parked);
    }
}

void fake_store_put_park(struct ks_store *store, struct ks_stage *stage)
{
    struct fake_store *fake = fake_store_of(store);
    bool is_sound = stage->failure == KS_OK || fake_store_stays_after(stage->failure);
    bool stays =
        stage->purpose == KS_STAGE_PUT && is_sound && stage->kept == NULL && stage->file.content.size > 0;
    stage->failure = KS_OK;
    if (!stays) {
        fake_store_stage_free(store, stage);
        return;
    }
    fake->open_stages--;
    fake_store_stage_move(&fake->parked, stage);
}

/* A user's put of this id in a list; NULL for none. */
static struct ks_stage *find_put(struct ks_stage *list, const struct ks_store_put_open *request)
{
    for (struct ks_stage *stage = list; stage != NULL; stage = stage->next)
        if (stage->purpose == KS_STAGE_PUT && fake_store_same(&stage->file.id, &request->id) &&
            memcmp(stage->put_id, request->put_id, sizeof stage->put_id) == 0)
            return stage;
    return NULL;
}

static uint64_t count_puts(const struct ks_stage *list, const struct ks_client_id *id)
{
    uint64_t count = 0;
    for (const struct ks_stage *stage = list; stage != NULL; stage = stage->next)
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): stage_forget moves the list on, through its link
        if (stage->purpose == KS_STAGE_PUT && (id == NULL || fake_store_same(&stage->file.id, id)))
            count++;
    return count;
}

static uint64_t came_of(const struct ks_stage *list, const struct ks_client_id *id)
{
    uint64_t bytes = 0;
    for (const struct ks_stage *stage = list; stage != NULL; stage = stage->next)
        if (stage->purpose == KS_STAGE_PUT && fake_store_same(&stage->file.id, id))
            bytes += stage->file.content.size;
    return bytes;
}

void fake_store_sum_puts(const struct fake_store *store, const struct ks_client_id *id, uint64_t *puts,
                         uint64_t *bytes)
{
    *puts = count_puts(store->stages, id) + count_puts(store->parked, id);
    *bytes = came_of(store->stages, id) + came_of(store->parked, id);
}

/* ---- limits of puts ---- */

/* What the user's puts may come to: of those that are open what was declared, of the others what came. */
static uint64_t promised_bytes(const struct fake_store *store, const struct ks_client_id *id)
{
    uint64_t bytes = 0;
    for (const struct ks_stage *stage = store->stages; stage != NULL; stage = stage->next)
        if (stage->purpose == KS_STAGE_PUT && stage->kept == NULL && fake_store_same(&stage->file.id, id))
            bytes += stage->size;
    return bytes + came_of(store->parked, id);
}

static enum ks_store_limit passed_by_puts(const struct fake_store *store, const struct ks_client_id *id)
{
    // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): as above
    uint64_t own = count_puts(store->stages, id) + count_puts(store->parked, id);
    // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): as above
    uint64_t all = count_puts(store->stages, NULL) + count_puts(store->parked, NULL);
    if (store->limits == NULL)
        return KS_STORE_LIMIT_NONE;
    if (fake_store_passes(atomic_load(&store->limits->user_puts), own))
        return KS_STORE_LIMIT_USER_PUTS;
    if (fake_store_passes(atomic_load(&store->limits->user_bytes), promised_bytes(store, id)))
        return KS_STORE_LIMIT_USER_BYTES;
    return fake_store_passes(atomic_load(&store->limits->puts), all) ? KS_STORE_LIMIT_PUTS
                                                                     : KS_STORE_LIMIT_NONE;
}

/* The oldest of the user's; of whoever has most, with NULL. NULL for none. */
static struct ks_stage *oldest_parked(const struct fake_store *store, const struct ks_client_id *id)
{
    struct ks_stage *oldest = NULL;
    uint64_t most = 0;
    for (struct ks_stage *parked = store->parked; parked != NULL; parked = parked->next) {
        uint64_t count = id == NULL ? count_puts(store->parked, &parked->file.id) : 1;
        if ((id != NULL && !fake_store_same(&parked->file.id, id)) || count < most)
            continue;
        most = count;
        oldest = parked;
    }
    return oldest;
}

/* With the stage among those that are open. */
static enum ks_store_limit make_room(struct fake_store *store, const struct ks_client_id *id)
{
    for (;;) {
        enum ks_store_limit limit = passed_by_puts(store, id);
        struct ks_stage *victim = limit == KS_STORE_LIMIT_NONE
                                      ? NULL
                                      : oldest_parked(store, limit == KS_STORE_LIMIT_PUTS ? NULL : id);
        if (victim == NULL)
            return limit;
        stage_forget(victim);
    }
}

/* ---- puts ---- */

/* What was parked under the put id, if it counts; else it is forgotten. */
static struct ks_stage *take_parked(struct fake_store *store, const struct ks_store_put_open *request)
{
    struct ks_stage *parked = find_put(store->parked, request);
    if (parked == NULL)
        return NULL;
    if (request->anew || parked->file.content.size > request->size) {
        stage_forget(parked);
        return NULL;
    }
    store->open_stages++;
    fake_store_stage_move(&store->stages, parked);
    memcpy(parked->file.name, request->file_name, sizeof parked->file.name);
    return parked;
}

static struct ks_stage *put_new(struct fake_store *store, const struct ks_store_put_open *request,
                                struct fake_file *older)
{
    struct ks_stage *stage = fake_store_stage_new(store, KS_STAGE_PUT, &request->id, request->file_name);
    if (stage == NULL)
        return NULL;
    memcpy(stage->put_id, request->put_id, sizeof stage->put_id);
    if (!request->anew && older != NULL && older->content.size == request->size)
        stage->kept = older;
    return stage;
}

/* Before anything changes. */
static enum ks_result judge_open(struct ks_store *store, struct ks_store_put_open *request,
                                 const struct fake_file *older)
{
    if (fake_store_find(store, &request->id) == NULL)
        return KS_NOT_FOUND;
    if (!ks_file_name_is_valid(request->file_name, strlen(request->file_name)))
        return KS_INVALID;
    if (fake_store_is_short(fake_store_of(store))) {
        request->limit = KS_STORE_LIMIT_FREE_SPACE;
        return KS_NO_SPACE;
    }
    if (find_put(fake_store_of(store)->stages, request) != NULL)
        return KS_CLOSED;
    if (older != NULL && !request->replace && (request->anew || older->content.size != request->size))
        return KS_EXISTS;
    return fake_store_take_failure(store);
}

static enum ks_store_limit passed_limit(struct fake_store *store, struct ks_stage *stage)
{
    enum ks_store_limit limit = fake_store_passed_limit(store, &stage->file, stage->size);
    return limit != KS_STORE_LIMIT_NONE ? limit : make_room(store, &stage->file.id);
}

static enum ks_result put_open(struct ks_store *store, struct ks_store_put_open *request)
{
    struct fake_store *fake = fake_store_of(store);
    struct fake_file *older = fake_store_find_file(fake, &request->id, request->file_name);
    enum ks_result result = judge_open(store, request, older);
    if (result != KS_OK)
        return result;
    struct ks_stage *stage = take_parked(fake, request);
    if (stage == NULL)
        stage = put_new(fake, request, older);
    if (stage == NULL)
        return KS_NO_MEMORY;
    stage->size = request->size;
    stage->replace = request->replace;
    request->limit = passed_limit(fake, stage);
    if (request->limit != KS_STORE_LIMIT_NONE) {
        fake_store_put_park(store, stage);
        return KS_REFUSED;
    }
    const struct ks_buffer *content = stage->kept != NULL ? &stage->kept->content : &stage->file.content;
    request->stage = stage;
    request->is_kept = stage->kept != NULL;
    request->offset = content->size;
    request->cksum = cksum_of(content);
    return KS_OK;
}

void fake_store_put_open(struct ks_store *store, struct ks_store_put_open *request)
{
    fake_store_complete(store, &request->request, put_open(store, request));
}

enum ks_result fake_store_put_write(struct ks_stage *stage, const struct ks_store_stage_write *request)
{
    uint64_t room = stage->kept != NULL ? 0 : stage->size - stage->file.content.size;
    if (request->size > room)
        return KS_INVALID;
    return ks_buffer_append(&stage->file.content, request->bytes, request->size);
}

static enum ks_result confirm_kept(struct ks_stage *stage, const struct ks_store_confirm *request)
{
    if (stage->kept->is_gone)
        return KS_EXISTS;
    if (cksum_of(&stage->kept->content) != request->cksum)
        return KS_CRYPTO;
    stage->kept->facts.has_cksum = true;
    stage->kept->facts.cksum = request->cksum;
    return KS_OK;
}

enum ks_result fake_store_put_confirm(struct fake_store *store, struct ks_store_confirm *request)
{
    struct ks_stage *stage = request->stage;
    if (stage->kept != NULL)
        return confirm_kept(stage, request);
    if (stage->file.content.size != stage->size)
        return KS_INVALID;
    if (cksum_of(&stage->file.content) != request->cksum)
        return KS_CRYPTO;
    bool exists = fake_store_find_file(store, &stage->file.id, stage->file.name) != NULL;
    if (exists && !stage->replace)
        return KS_EXISTS;
    request->limit = fake_store_passed_limit(store, &stage->file, stage->size);
    if (request->limit != KS_STORE_LIMIT_NONE)
        return KS_REFUSED;
    request->replaced = exists;
    return fake_store_put_in_place(store, stage, request);
}

/* ---- the list ---- */

static void describe_file(const struct fake_file *file, struct ks_kept_file *kept)
{
    memcpy(kept->name, file->name, sizeof kept->name);
    kept->facts = file->facts;
    kept->facts.size = file->content.size;
}

/* The user's first file behind this name; NULL at the end. */
static const struct fake_file *next_file(const struct fake_store *store, const struct ks_client_id *id,
                                         const char *after)
{
    const struct fake_file *next = NULL;
    for (unsigned i = 0; i < store->file_count; i++) {
        const struct fake_file *file = &store->files[i];
        if (file->is_gone || !fake_store_same(&file->id, id) || strcmp(file->name, after) <= 0)
            continue;
        if (next == NULL || strcmp(file->name, next->name) < 0)
            next = file;
    }
    return next;
}

static enum ks_result list_files(struct ks_store *store, struct ks_store_list_files *request)
{
    const struct fake_store *fake = fake_store_of(store);
    const char *after = request->after;
    const struct fake_file *file = NULL;
    if (fake_store_find(store, &request->id) == NULL)
        return KS_NOT_FOUND;
    while ((file = next_file(fake, &request->id, after)) != NULL && request->count < request->limit) {
        describe_file(file, &request->files[request->count++]);
        after = file->name;
    }
    request->more = file != NULL;
    return fake_store_take_failure(store);
}

void fake_store_list_files(struct ks_store *store, struct ks_store_list_files *request)
{
    request->count = 0;
    request->more = false;
    fake_store_complete(store, &request->request, list_files(store, request));
}

/* ---- reading ---- */

/* KS_OK with *file. */
static enum ks_result find_sound(struct ks_store *store, const struct ks_client_id *id, const char *name,
                                 struct fake_file **file)
{
    enum ks_result failure = fake_store_take_failure(store);
    if (failure != KS_OK)
        return failure;
    *file = fake_store_find_file(fake_store_of(store), id, name);
    if (*file == NULL)
        return KS_NOT_FOUND;
    return (*file)->is_damaged ? KS_INVALID : KS_OK;
}

static enum ks_result file_open(struct ks_store *store, struct ks_store_file_open *request)
{
    struct fake_file *file = NULL;
    enum ks_result result = find_sound(store, &request->id, request->name, &file);
    if (result != KS_OK)
        return result;
    request->file = malloc(sizeof *request->file);
    if (request->file == NULL)
        return KS_NO_MEMORY;
    request->file->file = file;
    fake_store_of(store)->open_files++;
    describe_file(file, &request->kept);
    request->sum = sum_of(&file->content, request->prefix);
    return KS_OK;
}

void fake_store_file_open(struct ks_store *store, struct ks_store_file_open *request)
{
    fake_store_complete(store, &request->request, file_open(store, request));
}

static enum ks_result file_read(struct ks_store *store, struct ks_store_file_read *request)
{
    const struct fake_file *file = request->file->file;
    enum ks_result failure = fake_store_take_failure(store);
    if (failure != KS_OK)
        return failure;
    if (file->is_damaged)
        return KS_INVALID;
    if (request->offset >= file->content.size)
        return KS_OK;
    size_t left = file->content.size - (size_t)request->offset;
    request->size = left < request->capacity ? left : request->capacity;
    if (request->size > 0)
        memcpy(request->bytes, file->content.bytes + request->offset, request->size);
    ks_cksum_add(&request->sum, request->bytes, request->size);
    return KS_OK;
}

void fake_store_file_read(struct ks_store *store, struct ks_store_file_read *request)
{
    request->size = 0;
    fake_store_complete(store, &request->request, file_read(store, request));
}

void fake_store_file_close(struct ks_store *store, struct ks_stored_file *file)
{
    fake_store_of(store)->open_files--;
    free(file);
}

/* ---- removals and digests ---- */

void fake_store_remove_file(struct ks_store *store, struct ks_store_remove_file *request)
{
    struct fake_file *file = fake_store_find_file(fake_store_of(store), &request->id, request->name);
    enum ks_result result = fake_store_take_failure(store);
    if (result == KS_OK && file == NULL)
        result = KS_NOT_FOUND;
    if (result == KS_OK)
        file->is_gone = true;
    fake_store_complete_end(store, &request->request, result);
}

static enum ks_result digest_file(struct ks_store *store, struct ks_store_digest_file *request)
{
    struct fake_file *file = NULL;
    enum ks_result result = find_sound(store, &request->id, request->name, &file);
    if (result == KS_OK)
        result = ks_sha256(file->content.bytes, file->content.size, file->facts.sha256);
    if (result != KS_OK)
        return result;
    file->facts.has_sha256 = true;
    memcpy(request->sha256, file->facts.sha256, sizeof request->sha256);
    return KS_OK;
}

void fake_store_digest_file(struct ks_store *store, struct ks_store_digest_file *request)
{
    fake_store_complete(store, &request->request, digest_file(store, request));
}
