/* fake_store_files.c — stages and verified files of the store in memory (fake_store.h). */
#include "support/fake_store_internal.h"

#include "wire/drop_codec.h"

#include <stdlib.h>

/* ---- files ---- */

static bool same_name(const struct fake_file *one, const struct fake_file *other)
{
    const char *names[2] = {NULL, NULL};
    size_t sizes[2] = {0, 0};
    return fake_store_same(&one->id, &other->id) &&
           ks_kept_name(one->name, strlen(one->name), &names[0], &sizes[0]) == KS_OK &&
           ks_kept_name(other->name, strlen(other->name), &names[1], &sizes[1]) == KS_OK &&
           sizes[0] == sizes[1] && memcmp(names[0], names[1], sizes[0]) == 0;
}

static bool can_be_kept(const struct ks_store_stage_open *request)
{
    const char *kept = NULL;
    size_t size = 0;
    return ks_kept_name(request->file_name, strlen(request->file_name), &kept, &size) == KS_OK;
}

/* The file that this one would replace; NULL for none. */
static struct fake_file *older_one(struct fake_store *store, const struct fake_file *file)
{
    for (unsigned i = 0; i < store->file_count; i++)
        if (!store->files[i].is_gone && same_name(&store->files[i], file))
            return &store->files[i];
    return NULL;
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

/* The limit that the user's files would pass with this one of so many bytes. */
static enum ks_store_limit passed_limit(struct fake_store *store, const struct fake_file *file, uint64_t size)
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

void fake_store_stage_free(struct ks_store *store, struct ks_stage *stage)
{
    fake_store_of(store)->open_stages--;
    *stage->link = stage->next;
    if (stage->next != NULL)
        stage->next->link = stage->link;
    ks_buffer_free(&stage->file.content);
    free(stage);
}

static struct ks_stage *stage_new(struct fake_store *store, const struct ks_store_stage_open *request)
{
    struct ks_stage *stage = calloc(1, sizeof *stage);
    if (stage == NULL)
        return NULL;
    store->open_stages++;
    stage->next = store->stages;
    stage->link = &store->stages;
    if (store->stages != NULL)
        store->stages->link = &stage->next;
    store->stages = stage;
    stage->purpose = request->purpose;
    stage->file.id = request->id;
    memcpy(stage->file.name, request->file_name, sizeof stage->file.name);
    stage->file.content = ks_buffer_empty(0);
    stage->transform = request->transform;
    return stage;
}

static enum ks_result stage_open(struct ks_store *store, struct ks_store_stage_open *request)
{
    struct fake_store *fake = fake_store_of(store);
    uint64_t files = 0;
    uint64_t bytes = 0;
    enum ks_store_limit limit = KS_STORE_LIMIT_NONE;
    if (fake_store_find(store, &request->id) == NULL)
        return KS_NOT_FOUND;
    if (fake_store_is_short(fake)) {
        request->limit = KS_STORE_LIMIT_FREE_SPACE;
        return KS_NO_SPACE;
    }
    if (request->purpose == KS_STAGE_FILE && !can_be_kept(request))
        return KS_INVALID;
    struct ks_stage *stage = stage_new(fake, request);
    if (stage == NULL)
        return KS_NO_MEMORY;
    if (request->purpose == KS_STAGE_FILE)
        limit = passed_limit(fake, &stage->file, request->content_size);
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

void fake_store_stage_write(struct ks_store *store, struct ks_store_stage_write *request)
{
    struct ks_stage *stage = request->stage;
    size_t size = request->size;
    enum ks_result result = stage->failure != KS_OK ? stage->failure : fake_store_take_failure(store);
    if (result == KS_OK && stage->complete)
        result = KS_INVALID;
    if (result == KS_OK && stage->transform.apply != NULL)
        result = stage->transform.apply(stage->transform.context, request->bytes, request->size,
                                        request->last, &size);
    if (result == KS_OK && size > request->size)
        result = KS_INVALID;
    if (result == KS_OK)
        result = ks_buffer_append(&stage->file.content, request->bytes, size);
    stage->failure = result;
    stage->complete = request->last && result == KS_OK;
    fake_store_complete(store, &request->request, result);
}

static enum ks_result put_in_place(struct fake_store *store, struct ks_stage *stage)
{
    struct fake_file *older = older_one(store, &stage->file);
    if (store->file_count == FAKE_FILES_LIMIT)
        return KS_NO_SPACE;
    if (older != NULL)
        older->is_gone = true;
    store->files[store->file_count++] = stage->file;
    stage->file.content = ks_buffer_empty(0);
    return KS_OK;
}

static enum ks_result confirm(struct ks_store *store, struct ks_store_confirm *request)
{
    struct ks_stage *stage = request->stage;
    struct fake_store *fake = fake_store_of(store);
    enum ks_result failure = fake_store_take_failure(store);
    if (stage->failure != KS_OK)
        return stage->failure;
    if (failure != KS_OK)
        return failure;
    if (!stage->complete || stage->purpose != KS_STAGE_FILE)
        return KS_INVALID;
    request->limit = passed_limit(fake, &stage->file, stage->file.content.size);
    return request->limit != KS_STORE_LIMIT_NONE ? KS_REFUSED : put_in_place(fake, stage);
}

void fake_store_confirm(struct ks_store *store, struct ks_store_confirm *request)
{
    enum ks_result result = confirm(store, request);
    fake_store_stage_free(store, request->stage);
    fake_store_complete(store, &request->request, result);
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
        fake_store_stage_free(&store->store, store->stages);
}

void fake_store_expel(struct fake_store *store, const struct ks_client_id *id)
{
    for (struct ks_stage *stage = store->stages; stage != NULL; stage = stage->next)
        if (fake_store_same(&stage->file.id, id) && stage->failure == KS_OK)
            stage->failure = KS_NOT_FOUND;
    for (unsigned i = 0; i < store->file_count; i++)
        store->files[i].is_gone |= fake_store_same(&store->files[i].id, id);
}
