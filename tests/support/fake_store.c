/* fake_store.c — see fake_store.h. */
#include "support/fake_store.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

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
        if (strcasecmp(fake->users[i].user.name, request->name) == 0)
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

static enum ks_result fake_name_at_hand(struct ks_store *store, const struct ks_client_id *id,
                                        char name[static KS_TEXT_FIELD_SIZE])
{
    const struct fake_user *user = find_user(store, id);
    if (user == NULL)
        return KS_NOT_FOUND;
    memcpy(name, user->user.name, sizeof user->user.name);
    return KS_OK;
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
    enum ks_result failure = fake_of(store)->fail_drops ? KS_IO : KS_OK;
    if (failure == KS_OK && user != NULL && user->content_key == request->content_key) {
        user->key_is_off_disk = true;
        if (!request->only_on_disk) {
            ks_content_key_release(user->content_key);
            user->content_key = NULL;
        }
    }
    complete(store, &request->request, failure);
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
    request->has_files = false;
    for (unsigned i = 0; i < fake->file_count; i++)
        request->has_files |= memcmp(&fake->files[i].id, &request->id, sizeof request->id) == 0;
    complete(store, &request->request, KS_OK);
}

static void fake_stage_write(struct ks_store *store, struct ks_store_stage_write *request)
{
    struct ks_stage *stage = request->stage;
    size_t size = request->size;
    enum ks_result result = stage->failure != KS_OK ? stage->failure : take_failure(store);
    if (result == KS_OK && stage->transform.apply != NULL)
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

/* ---- the list of users ---- */

static void fake_list_begin(struct ks_store *store, struct ks_store_list_begin *request)
{
    bool known = find_user(store, &request->except) != NULL;
    request->cursor = (struct ks_user_cursor){.until = fake_of(store)->user_count};
    request->count = known ? request->cursor.until - 1 : 0;
    complete(store, &request->request, known ? KS_OK : KS_NOT_FOUND);
}

static void fake_list_users(struct ks_store *store, struct ks_store_list_users *request)
{
    const struct fake_store *fake = fake_of(store);
    request->count = 0;
    while (request->cursor.given < request->cursor.until && request->count < request->limit) {
        const struct ks_user *user = &fake->users[request->cursor.given++].user;
        if (memcmp(&user->id, &request->except, sizeof user->id) != 0)
            request->users[request->count++] = *user;
    }
    complete(store, &request->request, take_failure(store));
}

/* ---- messages ---- */

static struct fake_message *message_new(struct fake_store *fake,
                                        const struct ks_store_append_message *request)
{
    struct fake_message *message = calloc(1, sizeof *message);
    if (message == NULL)
        return NULL;
    message->receiver = request->receiver;
    message->head = (struct ks_stored_message){.message_id = ++fake->last_message_id,
                                               .sender = request->sender,
                                               .type = request->type,
                                               .content_size = request->content_size};
    message->content = ks_buffer_empty(0);
    struct fake_message **end = &fake->messages;
    while (*end != NULL)
        end = &(*end)->next;
    *end = message;
    return message;
}

static enum ks_result append(struct ks_store *store, struct ks_store_append_message *request)
{
    const struct ks_stage *stage = request->stage;
    if (find_user(store, &request->receiver) == NULL)
        return KS_NOT_FOUND;
    if (stage != NULL && stage->failure != KS_OK)
        return stage->failure;
    if (stage != NULL && (!stage->complete || stage->file.content.size != request->content_size))
        return KS_INVALID;
    enum ks_result failure = take_failure(store);
    if (failure != KS_OK)
        return failure;
    struct fake_message *message = message_new(fake_of(store), request);
    const uint8_t *content = stage != NULL ? stage->file.content.bytes : request->content;
    if (message == NULL || ks_buffer_append(&message->content, content, request->content_size) != KS_OK)
        return KS_NO_MEMORY;
    request->message_id = message->head.message_id;
    return KS_OK;
}

static void fake_append_message(struct ks_store *store, struct ks_store_append_message *request)
{
    enum ks_result result = append(store, request);
    if (request->stage != NULL)
        stage_free(store, request->stage);
    struct fake_store *fake = fake_of(store);
    bool later = fake->later;
    fake->later = later || fake->later_appends;
    complete(store, &request->request, result);
    fake->later = later;
}

static bool is_for(const struct fake_message *message, const struct ks_client_id *receiver)
{
    return memcmp(&message->receiver, receiver, sizeof *receiver) == 0;
}

/* Nothing is leased to two owners. */
static bool is_leased_to_another(struct fake_store *fake, const struct ks_store_lease_waiting *request)
{
    for (const struct fake_message *message = fake->messages; message != NULL; message = message->next)
        if (is_for(message, &request->receiver) && message->owner != 0 && !message->settles &&
            message->owner != request->owner)
            return true;
    return false;
}

static bool joins_part(const struct fake_message *message, const struct ks_store_lease_waiting *request)
{
    uint64_t size = request->size + request->overhead + message->head.content_size;
    return request->count == 0 || size <= request->size_limit;
}

static void lease(struct fake_store *fake, struct ks_store_lease_waiting *request)
{
    request->count = 0;
    request->size = 0;
    request->after = 0;
    request->last = 0;
    request->more = false;
    for (struct fake_message *message = fake->messages; message != NULL; message = message->next) {
        if (!is_for(message, &request->receiver))
            continue;
        if (message->owner != 0 && request->count == 0)
            request->after = message->head.message_id;
        request->more = message->owner == 0 && !joins_part(message, request);
        if (request->more || (message->owner != 0 && request->count > 0))
            break; /* a part is one run */
        if (message->owner != 0)
            continue;
        message->owner = request->owner;
        request->count++;
        request->size += request->overhead + message->head.content_size;
        request->last = message->head.message_id;
    }
    for (struct fake_message *message = fake->messages; message != NULL; message = message->next)
        if (is_for(message, &request->receiver) && message->owner != 0 && message->part == 0)
            message->part = request->last;
}

static void fake_lease_waiting(struct ks_store *store, struct ks_store_lease_waiting *request)
{
    request->count = 0;
    request->more = false;
    enum ks_result failure = take_failure(store);
    if (failure == KS_OK && !is_leased_to_another(fake_of(store), request))
        lease(fake_of(store), request);
    complete(store, &request->request, failure);
}

/* The next message of the part that is not wholly given. */
static const struct fake_message *at_cursor(struct fake_store *fake,
                                            const struct ks_store_lease_read *request)
{
    for (const struct fake_message *message = fake->messages; message != NULL; message = message->next)
        if (is_for(message, &request->receiver) && message->owner == request->owner &&
            message->part == request->last && message->head.message_id > request->cursor.message_id)
            return message;
    return NULL;
}

/* False when the page is full. */
static bool give(struct ks_store_lease_read *request, const struct fake_message *message)
{
    struct ks_message_cursor *cursor = &request->cursor;
    if (cursor->next == 0) {
        if (request->capacity - request->size < request->overhead)
            return false;
        request->encode(request->context, &message->head, request->bytes + request->size);
        request->size += request->overhead;
        *cursor =
            (struct ks_message_cursor){.message_id = cursor->message_id, .next = message->head.message_id};
    }
    size_t room = request->capacity - request->size;
    size_t left = message->content.size - (size_t)cursor->offset;
    size_t part = left < room ? left : room;
    if (part > 0)
        memcpy(request->bytes + request->size, message->content.bytes + cursor->offset, part);
    request->size += part;
    cursor->offset += part;
    if (part < left)
        return false;
    *cursor = (struct ks_message_cursor){.message_id = message->head.message_id};
    return true;
}

static void fake_lease_read(struct ks_store *store, struct ks_store_lease_read *request)
{
    struct fake_store *fake = fake_of(store);
    enum ks_result result = take_failure(store);
    bool held = false;
    for (const struct fake_message *message = fake->messages; message != NULL; message = message->next)
        if (is_for(message, &request->receiver) && message->owner == request->owner &&
            message->part == request->last)
            held = true;
    if (result == KS_OK && !held)
        result = KS_NOT_FOUND;
    request->size = 0;
    const struct fake_message *message = NULL;
    while (result == KS_OK && (message = at_cursor(fake, request)) != NULL && give(request, message))
        ;
    complete(store, &request->request, result);
}

static void message_free(struct fake_message **link)
{
    struct fake_message *message = *link;
    *link = message->next;
    ks_buffer_free(&message->content);
    free(message);
}

/* The end of the settling part that ends where the part up to `last` begins; 0 for none. */
static uint64_t settling_before(struct fake_store *fake, const struct ks_client_id *receiver, uint64_t owner,
                                uint64_t last)
{
    uint64_t before = 0;
    for (const struct fake_message *message = fake->messages; message != NULL; message = message->next) {
        if (!is_for(message, receiver))
            continue;
        if (message->owner == owner && !message->settles && message->part == last)
            return before;
        before = message->owner == owner && message->settles ? message->part : 0;
    }
    return 0;
}

static enum ks_result fake_lease_settle(struct ks_store *store, const struct ks_client_id *receiver,
                                        uint64_t owner, uint64_t last, bool *joins)
{
    struct fake_store *fake = fake_of(store);
    uint64_t before = *joins ? settling_before(fake, receiver, owner, last) : 0;
    enum ks_result result = KS_NOT_FOUND;
    *joins = before != 0;
    if (fake->settles_no_more && before == 0)
        return KS_REFUSED;
    for (struct fake_message *message = fake->messages; message != NULL; message = message->next) {
        bool joined = before != 0 && message->settles && message->part == before;
        if (!is_for(message, receiver) || message->owner != owner || (message->part != last && !joined))
            continue;
        result = message->settles && !joined ? result : KS_OK;
        message->settles = true;
        message->part = last;
    }
    return result;
}

static void fake_lease_delivered(struct ks_store *store, struct ks_store_lease_delivered *request)
{
    enum ks_result result = KS_NOT_FOUND;
    struct fake_message **link = &fake_of(store)->messages;
    while (*link != NULL) {
        const struct fake_message *message = *link;
        if (is_for(message, &request->receiver) && message->owner == request->owner && message->settles &&
            message->part == request->last) {
            result = KS_OK;
            message_free(link);
        } else {
            link = &(*link)->next;
        }
    }
    complete(store, &request->request, result);
}

static void fake_lease_renew(struct ks_store *store, const struct ks_client_id *receiver, uint64_t owner)
{
    (void)receiver;
    (void)owner;
    fake_of(store)->renewals++;
}

static void fake_lease_release(struct ks_store *store, const struct ks_client_id *receiver, uint64_t owner)
{
    for (struct fake_message *message = fake_of(store)->messages; message != NULL; message = message->next)
        if (is_for(message, receiver) && message->owner == owner) {
            message->owner = 0;
            message->part = 0;
            message->settles = false;
        }
}

unsigned fake_store_waiting(const struct fake_store *store, const struct ks_client_id *receiver)
{
    unsigned count = 0;
    for (const struct fake_message *message = store->messages; message != NULL; message = message->next)
        if (is_for(message, receiver))
            count++;
    return count;
}

unsigned fake_store_leased(const struct fake_store *store, const struct ks_client_id *receiver)
{
    unsigned count = 0;
    for (const struct fake_message *message = store->messages; message != NULL; message = message->next)
        if (is_for(message, receiver) && message->owner != 0 && !message->settles)
            count++;
    return count;
}

unsigned fake_store_settling(const struct fake_store *store, const struct ks_client_id *receiver)
{
    unsigned count = 0;
    for (const struct fake_message *message = store->messages; message != NULL; message = message->next)
        if (is_for(message, receiver) && message->settles)
            count++;
    return count;
}

/* ---- for operators ---- */

static struct fake_user *find_name(struct ks_store *store, const char *name)
{
    struct fake_store *fake = fake_of(store);
    for (unsigned i = 0; i < fake->user_count; i++)
        if (strcmp(fake->users[i].user.name, name) == 0)
            return &fake->users[i];
    return NULL;
}

static void describe_fake(struct ks_store *store, const struct fake_user *user,
                          struct ks_user_details *details)
{
    const struct fake_store *fake = fake_of(store);
    *details =
        (struct ks_user_details){.user = user->user, .registered = 1767225600, .last_seen = 1767225661};
    for (unsigned i = 0; i < fake->file_count; i++) {
        if (memcmp(&fake->files[i].id, &user->user.id, sizeof user->user.id) != 0)
            continue;
        details->files++;
        details->file_bytes += fake->files[i].content.size;
    }
    details->messages = fake_store_waiting(fake, &user->user.id);
}

static void fake_describe_user(struct ks_store *store, struct ks_store_describe_user *request)
{
    const struct fake_user *user = find_name(store, request->name);
    enum ks_result failure = take_failure(store);
    if (failure == KS_OK && user != NULL) {
        describe_fake(store, user, &request->details);
        memcpy(request->public_key, user->public_key, KS_PUBLIC_KEY_SIZE);
    }
    complete(store, &request->request, failure != KS_OK ? failure : user != NULL ? KS_OK : KS_NOT_FOUND);
}

static void fake_describe_users(struct ks_store *store, struct ks_store_describe_users *request)
{
    const struct fake_store *fake = fake_of(store);
    request->count = 0;
    while (request->count < request->limit && request->cursor < fake->user_count)
        describe_fake(store, &fake->users[request->cursor++], &request->details[request->count++]);
    complete(store, &request->request, take_failure(store));
}

static void fake_reset_key(struct ks_store *store, struct ks_store_reset_key *request)
{
    struct fake_user *user = find_name(store, request->name);
    enum ks_result failure = take_failure(store);
    if (failure == KS_OK && user != NULL)
        user->user.has_public_key = false;
    complete(store, &request->request, failure != KS_OK ? failure : user != NULL ? KS_OK : KS_NOT_FOUND);
}

static void fake_remove_user(struct ks_store *store, struct ks_store_remove_user *request)
{
    struct fake_store *fake = fake_of(store);
    struct fake_user *user = find_name(store, request->name);
    enum ks_result failure = take_failure(store);
    if (failure == KS_OK && user != NULL) {
        ks_content_key_release(user->content_key);
        fake->user_count--;
        memmove(user, user + 1, (size_t)(fake->users + fake->user_count - user) * sizeof *user);
    }
    complete(store, &request->request, failure != KS_OK ? failure : user != NULL ? KS_OK : KS_NOT_FOUND);
}

static void fake_probe(struct ks_store *store, struct ks_store_probe *request)
{
    complete(store, &request->request, take_failure(store));
}

static void fake_close(struct ks_store *store)
{
    (void)store;
}

static const struct ks_store_operations fake_operations = {
    .register_user = fake_register_user,
    .look_up = fake_look_up,
    .name_at_hand = fake_name_at_hand,
    .public_key = fake_public_key,
    .set_keys = fake_set_keys,
    .content_key = fake_content_key,
    .drop_content_key = fake_drop_content_key,
    .touch = fake_touch,
    .stage_open = fake_stage_open,
    .stage_write = fake_stage_write,
    .confirm = fake_confirm,
    .discard = fake_discard,
    .list_begin = fake_list_begin,
    .list_users = fake_list_users,
    .append_message = fake_append_message,
    .lease_waiting = fake_lease_waiting,
    .lease_read = fake_lease_read,
    .lease_settle = fake_lease_settle,
    .lease_delivered = fake_lease_delivered,
    .lease_renew = fake_lease_renew,
    .lease_release = fake_lease_release,
    .describe_user = fake_describe_user,
    .describe_users = fake_describe_users,
    .reset_key = fake_reset_key,
    .remove_user = fake_remove_user,
    .probe = fake_probe,
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
    while (store->messages != NULL)
        message_free(&store->messages);
    for (unsigned i = 0; i < store->user_count; i++)
        ks_content_key_release(store->users[i].content_key);
    for (unsigned i = 0; i < store->file_count; i++)
        ks_buffer_free(&store->files[i].content);
}
