/* fake_store.c — see fake_store.h. */
#include "fake_store.h"

#include <stdlib.h>
#include <string.h>

struct ks_stage {
    struct ks_stage *next;
    struct ks_stage **link;
    struct fake_file file;
    struct ks_stage_transform transform;
    bool complete;
    enum ks_result failure;
};

static struct fake_store *fake_of(struct ks_store *store)
{
    return KS_CONTAINER_OF(store, struct fake_store, store);
}

static void complete_later(struct ks_task *task)
{
    struct ks_store_request *request = KS_CONTAINER_OF(task, struct ks_store_request, task);
    request->done(request);
}

static void complete(struct ks_store *store, struct ks_store_request *request, enum ks_result result)
{
    request->result = result;
    if (!fake_of(store)->later) {
        request->done(request);
        return;
    }
    request->task.run = complete_later;
    ks_executor_post(request->reply_to, &request->task);
}

static enum ks_result take_failure(struct ks_store *store)
{
    enum ks_result failure = fake_of(store)->next_failure;
    fake_of(store)->next_failure = KS_OK;
    return failure;
}

static struct fake_user *find_user(struct ks_store *store, const struct ks_client_id *id)
{
    struct fake_store *fake = fake_of(store);
    for (unsigned i = 0; i < fake->user_count; i++)
        if (memcmp(&fake->users[i].user.id, id, sizeof *id) == 0)
            return &fake->users[i];
    return NULL;
}

static enum ks_result add_user(struct fake_store *fake, struct ks_store_register *request)
{
    for (unsigned i = 0; i < fake->user_count; i++)
        if (strcmp(fake->users[i].user.name, request->name) == 0)
            return KS_EXISTS;
    if (fake->user_count == FAKE_USERS_LIMIT)
        return KS_NO_SPACE;
    struct fake_user *user = &fake->users[fake->user_count++];
    memset(user, 0, sizeof *user);
    memset(user->user.id.bytes, 0xA0, KS_CLIENT_ID_SIZE);
    user->user.id.bytes[0] = (uint8_t)fake->user_count;
    memcpy(user->user.name, request->name, sizeof user->user.name);
    user->user.has_public_key = request->has_public_key;
    if (request->has_public_key)
        memcpy(user->public_key, request->public_key, KS_PUBLIC_KEY_SIZE);
    request->id = user->user.id;
    return KS_OK;
}

static void fake_register_user(struct ks_store *store, struct ks_store_register *request)
{
    enum ks_result failure = take_failure(store);
    complete(store, &request->request, failure != KS_OK ? failure : add_user(fake_of(store), request));
}

static void fake_look_up(struct ks_store *store, struct ks_store_look_up *request)
{
    struct fake_user *user = find_user(store, &request->id);
    if (user != NULL)
        request->user = user->user;
    complete(store, &request->request, user != NULL ? KS_OK : KS_NOT_FOUND);
}

static void fake_public_key(struct ks_store *store, struct ks_store_public_key *request)
{
    struct fake_user *user = find_user(store, &request->id);
    enum ks_result result = user == NULL ? KS_NOT_FOUND : user->user.has_public_key ? KS_OK : KS_REFUSED;
    if (result == KS_OK)
        memcpy(request->public_key, user->public_key, KS_PUBLIC_KEY_SIZE);
    complete(store, &request->request, result);
}

static enum ks_result set_keys(struct fake_user *user, const struct ks_store_set_keys *request)
{
    if (user == NULL)
        return KS_NOT_FOUND;
    if (request->has_public_key && user->user.has_public_key &&
        memcmp(user->public_key, request->public_key, KS_PUBLIC_KEY_SIZE) != 0)
        return KS_REFUSED;
    if (request->has_public_key) {
        memcpy(user->public_key, request->public_key, KS_PUBLIC_KEY_SIZE);
        user->user.has_public_key = true;
    }
    ks_content_key_release(user->content_key);
    user->content_key = ks_content_key_retain(request->content_key);
    return KS_OK;
}

static void fake_set_keys(struct ks_store *store, struct ks_store_set_keys *request)
{
    enum ks_result failure = take_failure(store);
    complete(store, &request->request,
             failure != KS_OK ? failure : set_keys(find_user(store, &request->id), request));
}

static void fake_content_key(struct ks_store *store, struct ks_store_content_key *request)
{
    struct fake_user *user = find_user(store, &request->id);
    enum ks_result result = user == NULL ? KS_NOT_FOUND : user->content_key != NULL ? KS_OK : KS_REFUSED;
    if (result == KS_OK)
        request->content_key = ks_content_key_retain(user->content_key);
    complete(store, &request->request, result);
}

static void fake_drop_content_key(struct ks_store *store, struct ks_store_drop_content_key *request)
{
    struct fake_user *user = find_user(store, &request->id);
    if (user != NULL && user->content_key == request->content_key) {
        ks_content_key_release(user->content_key);
        user->content_key = NULL;
    }
    complete(store, &request->request, KS_OK);
}

static void fake_touch(struct ks_store *store, const struct ks_client_id *id)
{
    (void)store;
    (void)id;
}

static void stage_free(struct ks_store *store, struct ks_stage *stage)
{
    fake_of(store)->open_stages--;
    *stage->link = stage->next;
    if (stage->next != NULL)
        stage->next->link = stage->link;
    ks_buffer_free(&stage->file.content);
    free(stage);
}

static void fake_stage_open(struct ks_store *store, struct ks_store_stage_open *request)
{
    struct ks_stage *stage = calloc(1, sizeof *stage);
    if (stage == NULL) {
        complete(store, &request->request, KS_NO_MEMORY);
        return;
    }
    struct fake_store *fake = fake_of(store);
    fake->open_stages++;
    stage->next = fake->stages;
    stage->link = &fake->stages;
    if (fake->stages != NULL)
        fake->stages->link = &stage->next;
    fake->stages = stage;
    stage->file.id = request->id;
    memcpy(stage->file.name, request->file_name, sizeof stage->file.name);
    stage->file.content = ks_buffer_empty(0);
    stage->transform = request->transform;
    request->stage = stage;
    complete(store, &request->request, KS_OK);
}

static void fake_stage_write(struct ks_store *store, struct ks_store_stage_write *request)
{
    struct ks_stage *stage = request->stage;
    size_t size = request->size;
    enum ks_result result = stage->failure != KS_OK ? stage->failure : take_failure(store);
    if (result == KS_OK)
        result = stage->transform.apply(stage->transform.context, request->bytes, request->size,
                                        request->last, &size);
    if (result == KS_OK)
        result = ks_buffer_append(&stage->file.content, request->bytes, size);
    stage->failure = result;
    stage->complete = request->last && result == KS_OK;
    complete(store, &request->request, result);
}

static void fake_confirm(struct ks_store *store, struct ks_store_confirm *request)
{
    struct fake_store *fake = fake_of(store);
    struct ks_stage *stage = request->stage;
    enum ks_result result = take_failure(store);
    if (result == KS_OK && !stage->complete)
        result = KS_INVALID;
    if (result == KS_OK && fake->file_count == FAKE_FILES_LIMIT)
        result = KS_NO_SPACE;
    if (result == KS_OK) {
        fake->files[fake->file_count++] = stage->file;
        stage->file.content = ks_buffer_empty(0);
    }
    stage_free(store, stage);
    complete(store, &request->request, result);
}

static void fake_discard(struct ks_store *store, struct ks_store_discard *request)
{
    stage_free(store, request->stage);
    complete(store, &request->request, KS_OK);
}

static void fake_close(struct ks_store *store)
{
    (void)store;
}

static const struct ks_store_operations fake_operations = {
    .register_user = fake_register_user,
    .look_up = fake_look_up,
    .public_key = fake_public_key,
    .set_keys = fake_set_keys,
    .content_key = fake_content_key,
    .drop_content_key = fake_drop_content_key,
    .touch = fake_touch,
    .stage_open = fake_stage_open,
    .stage_write = fake_stage_write,
    .confirm = fake_confirm,
    .discard = fake_discard,
    .close = fake_close,
};

void fake_store_init(struct fake_store *store)
{
    memset(store, 0, sizeof *store);
    store->store.operations = &fake_operations;
}

void fake_store_destroy(struct fake_store *store)
{
    while (store->stages != NULL) /* as the real one sweeps what nobody confirmed */
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): stage_free moves store->stages on, through stage->link
        stage_free(&store->store, store->stages);
    for (unsigned i = 0; i < store->user_count; i++)
        ks_content_key_release(store->users[i].content_key);
    for (unsigned i = 0; i < store->file_count; i++)
        ks_buffer_free(&store->files[i].content);
}
