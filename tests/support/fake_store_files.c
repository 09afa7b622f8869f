/* fake_store_files.c — stages and verified files of the store in memory (fake_store.h). */
#include "support/fake_store_internal.h"

#include "wire/drop_codec.h"

#include <stdlib.h>

/* ---- files ---- */

/* Of a name that ks_kept_name takes: what it keeps. */
static enum ks_result keep_name(const char *name, char kept[static KS_TEXT_FIELD_SIZE])
{
    const char *start = NULL;
    size_t size = 0;
    enum ks_result result = ks_kept_name(name, strlen(name), &start, &size);
    if (result != KS_OK)
        return result;
    memcpy(kept, start, size);
    kept[size] = '\0';
    return KS_OK;
}

struct fake_file *fake_store_find_file(struct fake_store *store, const struct ks_client_id *id,
                                       const char *name)
{
    for (unsigned i = 0; i < store->file_count; i++) {
        struct fake_file *file = &store->files[i];
        if (!file->is_gone && fake_store_same(&file->id, id) && strcmp(file->name, name) == 0)
            return file;
    }
    return NULL;
}

/* The file that this one would replace; NULL for none. */
static struct fake_file *older_one(struct fake_store *store, const struct fake_file *file)
{
    return fake_store_find_file(store, &file->id, file->name);
}

void fake_store_sum_files(const struct fake_store *store, const struct ks_client_id *id, uint64_t *files,
                          uint64_t *bytes)
{
    *files = 0;
    *bytes = 0;
    for (unsigned i = 0; i < store->file_count; i++) {
        if (store->files[i].is_gone || !fake_store_same(&store->files[i].id, id))
            continue;
        ++*files;
        *bytes += store->files[i].content.size;
    }
}

enum ks_store_limit fake_store_passed_limit(struct fake_store *store, const struct fake_file *file,
                                            uint64_t size)
{
    uint64_t files = 0;
    uint64_t bytes = 0;
    const struct fake_file *older = older_one(store, file);
    uint64_t before = older != NULL ? older->content.size : 0;
    if (store->limits == NULL)
        return KS_STORE_LIMIT_NONE;
    fake_store_sum_files(store, &file->id, &files, &bytes);
    if (older == NULL && fake_store_passes(atomic_load(&store->limits->user_files), files + 1))
        return KS_STORE_LIMIT_USER_FILES;
    if (size > before && fake_store_passes(atomic_load(&store->limits->user_bytes), bytes - before + size))
        return KS_STORE_LIMIT_USER_BYTES;
    return KS_STORE_LIMIT_NONE;
}

/* ---- stages ---- */

static void stage_link(struct ks_stage **list, struct ks_stage *stage)
{
    stage->next = *list;
    stage->link = list;
    if (*list != NULL)
        (*list)->link = &stage->next;
    *list = stage;
}

static void stage_unlink(struct ks_stage *stage)
{
    *stage->link = stage->next;
    if (stage->next != NULL)
        stage->next->link = stage->link;
}

void fake_store_stage_move(struct ks_stage **list, struct ks_stage *stage)
{
    stage_unlink(stage);
    stage_link(list, stage);
}

void fake_store_stage_free(struct ks_store *store, struct ks_stage *stage)
{
    fake_store_of(store)->open_stages--;
    stage_unlink(stage);
    ks_buffer_free(&stage->file.content);
    free(stage);
}

struct ks_stage *fake_store_stage_new(struct fake_store *store, enum ks_stage_purpose purpose,
                                      const struct ks_client_id *id, const char *name)
{
    struct ks_stage *stage = calloc(1, sizeof *stage);
    if (stage == NULL)
        return NULL;
    store->open_stages++;
    stage_link(&store->stages, stage);
    stage->purpose = purpose;
    stage->file.id = *id;
    memcpy(stage->file.name, name, sizeof stage->file.name);
    stage->file.content = ks_buffer_empty(0);
    return stage;
}

static enum ks_result stage_open(struct ks_store *store, struct ks_store_stage_open *request)
{
    struct fake_store *fake = fake_store_of(store);
    uint64_t files = 0;
    uint64_t bytes = 0;
    enum ks_store_limit limit = KS_STORE_LIMIT_NONE;
    char name[KS_TEXT_FIELD_SIZE] = "";
    if (fake_store_find(store, &request->id) == NULL)
        return KS_NOT_FOUND;
    if (fake_store_is_short(fake)) {
        request->limit = KS_STORE_LIMIT_FREE_SPACE;
        return KS_NO_SPACE;
    }
    if (request->purpose == KS_STAGE_FILE && keep_name(request->file_name, name) != KS_OK)
        return KS_INVALID;
    struct ks_stage *stage = fake_store_stage_new(fake, request->purpose, &request->id, name);
    if (stage == NULL)
        return KS_NO_MEMORY;
    stage->transform = request->transform;
    if (request->purpose == KS_STAGE_FILE)
        limit = fake_store_passed_limit(fake, &stage->file, request->content_size);
    if (limit != KS_STORE_LIMIT_NONE) {
        request->limit = limit;
        fake_store_stage_free(store, stage);
        return KS_REFUSED;
    }
    fake_store_sum_files(fake, &request->id, &files, &bytes);
    request->has_files = files > 0;
    request->stage = stage;
    return KS_OK;
}

void fake_store_stage_open(struct ks_store *store, struct ks_store_stage_open *request)
{
    fake_store_complete(store, &request->request, stage_open(store, request));
}

static enum ks_result stage_write(struct ks_stage *stage, const struct ks_store_stage_write *request)
{
    size_t size = request->size;
    enum ks_result result = stage->complete ? KS_INVALID : KS_OK;
    if (result == KS_OK && stage->transform.apply != NULL)
        result = stage->transform.apply(stage->transform.context, request->bytes, request->size,
                                        request->last, &size);
    if (result == KS_OK && size > request->size)
        result = KS_INVALID;
    if (result == KS_OK)
        result = ks_buffer_append(&stage->file.content, request->bytes, size);
    stage->complete = request->last && result == KS_OK;
    return result;
}

void fake_store_stage_write(struct ks_store *store, struct ks_store_stage_write *request)
{
    struct ks_stage *stage = request->stage;
    enum ks_result result = stage->failure != KS_OK ? stage->failure : fake_store_take_failure(store);
    if (result == KS_OK)
        result = stage->purpose == KS_STAGE_PUT ? fake_store_put_write(stage, request)
                                                : stage_write(stage, request);
    stage->failure = result;
    fake_store_complete(store, &request->request, result);
}

enum ks_result fake_store_put_in_place(struct fake_store *store, struct ks_stage *stage,
                                       const struct ks_store_confirm *request)
{
    struct fake_file *older = older_one(store, &stage->file);
    if (store->file_count == FAKE_FILES_LIMIT)
        return KS_NO_SPACE;
    if (older != NULL)
        older->is_gone = true;
    stage->file.facts = (struct ks_file_facts){
        .time = (uint64_t)fake_store_wall_seconds(store) * 1000000000U,
        .has_cksum = request->has_cksum,
        .cksum = request->has_cksum ? request->cksum : 0,
    };
    store->files[store->file_count++] = stage->file;
    stage->file.content = ks_buffer_empty(0);
    return KS_OK;
}

static enum ks_result confirm(struct fake_store *fake, struct ks_store_confirm *request)
{
    struct ks_stage *stage = request->stage;
    if (!stage->complete || stage->purpose != KS_STAGE_FILE)
        return KS_INVALID;
    request->limit = fake_store_passed_limit(fake, &stage->file, stage->file.content.size);
    if (request->limit != KS_STORE_LIMIT_NONE)
        return KS_REFUSED;
    request->replaced = older_one(fake, &stage->file) != NULL;
    return fake_store_put_in_place(fake, stage, request);
}

bool fake_store_stays_after(enum ks_result result)
{
    return result == KS_INVALID || result == KS_REFUSED || result == KS_EXISTS || result == KS_NO_SPACE ||
           result == KS_NO_MEMORY;
}

void fake_store_confirm(struct ks_store *store, struct ks_store_confirm *request)
{
    struct ks_stage *stage = request->stage;
    enum ks_result failure = fake_store_take_failure(store);
    enum ks_result result = stage->failure != KS_OK ? stage->failure : failure;
    request->replaced = false;
    if (result == KS_OK)
        result = stage->purpose == KS_STAGE_PUT ? fake_store_put_confirm(fake_store_of(store), request)
                                                : confirm(fake_store_of(store), request);
    if (stage->purpose == KS_STAGE_PUT && fake_store_stays_after(result))
        fake_store_put_park(store, stage);
    else
        fake_store_stage_free(store, stage);
    fake_store_complete_end(store, &request->request, result);
}

void fake_store_discard(struct ks_store *store, struct ks_stage *stage, struct ks_store_request *request)
{
    fake_store_stage_free(store, stage);
    if (request != NULL)
        fake_store_complete(store, request, KS_OK);
}

/* ---- ends ---- */

void fake_store_sweep(struct fake_store *store)
{
    while (store->stages != NULL)
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it moves store->stages on, through stage->link
        fake_store_put_park(&store->store, store->stages);
}

void fake_store_expel(struct fake_store *store, const struct ks_client_id *id)
{
    for (struct ks_stage *stage = store->stages; stage != NULL; stage = stage->next)
        if (fake_store_same(&stage->file.id, id) && stage->failure == KS_OK)
            stage->failure = KS_NOT_FOUND;
    fake_store_forget_parked(store, id);
    for (unsigned i = 0; i < store->file_count; i++)
        store->files[i].is_gone |= fake_store_same(&store->files[i].id, id);
}
