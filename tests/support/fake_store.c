/* fake_store.c — see fake_store.h: users, keys, lists, and what operators ask. */
#include "support/fake_store_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { CONTENT_KEY_LIFETIME = 24 * 3600 }; /* seconds without use */

static void complete_later(struct ks_task *task)
{
    struct ks_store_request *request = KS_CONTAINER_OF(task, struct ks_store_request, task);
    request->done(request);
}

void fake_store_complete(struct ks_store *store, struct ks_store_request *request, enum ks_result result)
{
    request->result = result;
    if (!fake_store_of(store)->later) {
        request->done(request);
        return;
    }
    request->task.run = complete_later;
    ks_executor_post(request->reply_to, &request->task);
}

void fake_store_complete_end(struct ks_store *store, struct ks_store_request *request, enum ks_result result)
{
    struct fake_store *fake = fake_store_of(store);
    bool later = fake->later;
    fake->later = later || fake->later_ends;
    fake_store_complete(store, request, result);
    fake->later = later;
}

enum ks_result fake_store_take_failure(struct ks_store *store)
{
    enum ks_result failure = fake_store_of(store)->next_failure;
    fake_store_of(store)->next_failure = KS_OK;
    return failure;
}

struct fake_user *fake_store_find(struct ks_store *store, const struct ks_client_id *id)
{
    struct fake_store *fake = fake_store_of(store);
    for (unsigned i = 0; i < fake->user_count; i++)
        if (fake_store_same(&fake->users[i].user.id, id))
            return &fake->users[i];
    return NULL;
}

bool fake_store_is_short(const struct fake_store *store)
{
    return store->limits != NULL && atomic_load(&store->limits->free_space) > FAKE_DISK_SIZE;
}

int64_t fake_store_wall_seconds(const struct fake_store *store)
{
    return store->clock != NULL ? ks_clock_wall_seconds(store->clock) : FAKE_WALL_START;
}

/* ---- users ---- */

/* Never the same again, and told apart by its first byte in most tests. */
struct ks_client_id fake_store_next_id(struct fake_store *store)
{
    struct ks_client_id id;
    if (store->registered < store->user_count) /* some were put there by hand */
        store->registered = store->user_count;
    store->registered++;
    memset(id.bytes, 0xA0, sizeof id.bytes);
    id.bytes[0] = (uint8_t)store->registered;
    id.bytes[1] ^= (uint8_t)(store->registered >> 8);
    return id;
}

bool fake_store_is_full(const struct fake_store *fake)
{
    return fake->limits != NULL && fake_store_passes(atomic_load(&fake->limits->users), fake->user_count + 1);
}

enum ks_result fake_store_add(struct fake_store *fake, const char *name, struct fake_user **user)
{
    for (unsigned i = 0; i < fake->user_count; i++)
        if (strcasecmp(fake->users[i].user.name, name) == 0)
            return KS_EXISTS;
    if (fake_store_is_full(fake))
        return KS_TOO_LARGE;
    if (fake->user_count == FAKE_USERS_LIMIT)
        return KS_NO_SPACE;
    *user = &fake->users[fake->user_count];
    memset(*user, 0, sizeof **user);
    (*user)->user.id = fake_store_next_id(fake);
    snprintf((*user)->user.name, sizeof(*user)->user.name, "%s", name);
    (*user)->place = fake->registered;
    (*user)->registered = fake_store_wall_seconds(fake);
    (*user)->last_seen = (*user)->registered;
    fake->user_count++;
    return KS_OK;
}

static enum ks_result add_user(struct fake_store *fake, struct ks_store_register *request)
{
    struct fake_user *user = NULL;
    if (fake_store_is_like(fake, request->name, request->skeleton, true))
        return KS_EXISTS;
    enum ks_result result = fake_store_add(fake, request->name, &user);
    if (result != KS_OK)
        return result;
    user->skeleton = request->skeleton[0] != '\0' ? strdup(request->skeleton) : NULL;
    user->user.has_public_key = request->has_public_key;
    if (request->has_public_key)
        memcpy(user->public_key, request->public_key, KS_PUBLIC_KEY_SIZE);
    request->id = user->user.id;
    return KS_OK;
}

static void fake_register_user(struct ks_store *store, struct ks_store_register *request)
{
    enum ks_result failure = fake_store_take_failure(store);
    fake_store_complete(store, &request->request,
                        failure != KS_OK ? failure : add_user(fake_store_of(store), request));
}

static void fake_look_up(struct ks_store *store, struct ks_store_look_up *request)
{
    struct fake_user *user = fake_store_find(store, &request->id);
    if (user != NULL)
        request->user = user->user;
    fake_store_complete(store, &request->request, user != NULL ? KS_OK : KS_NOT_FOUND);
}

static enum ks_result fake_name_at_hand(struct ks_store *store, const struct ks_client_id *id,
                                        char name[static KS_TEXT_FIELD_SIZE])
{
    const struct fake_user *user = fake_store_find(store, id);
    if (user == NULL)
        return KS_NOT_FOUND;
    memcpy(name, user->user.name, sizeof user->user.name);
    return KS_OK;
}

static void fake_public_key(struct ks_store *store, struct ks_store_public_key *request)
{
    struct fake_user *user = fake_store_find(store, &request->id);
    enum ks_result result = user == NULL ? KS_NOT_FOUND : user->user.has_public_key ? KS_OK : KS_REFUSED;
    if (result == KS_OK)
        memcpy(request->public_key, user->public_key, KS_PUBLIC_KEY_SIZE);
    fake_store_complete(store, &request->request, result);
}

static enum ks_result set_keys(struct fake_user *user, const struct ks_store_set_keys *request)
{
    if (user == NULL || (user->user.is_account && !user->user.has_classic_id))
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
    user->key_is_off_disk = false;
    return KS_OK;
}

static void fake_set_keys(struct ks_store *store, struct ks_store_set_keys *request)
{
    enum ks_result failure = fake_store_take_failure(store);
    fake_store_complete(store, &request->request,
                        failure != KS_OK ? failure : set_keys(fake_store_find(store, &request->id), request));
}

static bool is_fresh(const struct fake_store *fake, const struct ks_content_key *key)
{
    if (key == NULL)
        return false;
    return fake->clock == NULL ||
           ks_clock_steady_seconds(fake->clock) - atomic_load(&key->last_used) <= CONTENT_KEY_LIFETIME;
}

static void fake_content_key(struct ks_store *store, struct ks_store_content_key *request)
{
    const struct fake_store *fake = fake_store_of(store);
    const struct fake_user *user = fake_store_find(store, &request->id);
    enum ks_result result = user == NULL                        ? KS_NOT_FOUND
                            : is_fresh(fake, user->content_key) ? KS_OK
                                                                : KS_REFUSED;
    if (result == KS_OK) {
        request->content_key = ks_content_key_retain(user->content_key);
        if (fake->clock != NULL)
            atomic_store(&user->content_key->last_used, ks_clock_steady_seconds(fake->clock));
    }
    fake_store_complete(store, &request->request, result);
}

static void fake_drop_content_key(struct ks_store *store, struct ks_store_drop_content_key *request)
{
    struct fake_user *user = fake_store_find(store, &request->id);
    enum ks_result failure = fake_store_of(store)->fail_drops ? KS_IO : KS_OK;
    if (failure == KS_OK && user != NULL && user->content_key != NULL &&
        memcmp(user->content_key->bytes, request->content_key->bytes, KS_CONTENT_KEY_SIZE) == 0) {
        user->key_is_off_disk = true;
        if (!request->only_on_disk) {
            ks_content_key_release(user->content_key);
            user->content_key = NULL;
        }
    }
    fake_store_complete(store, &request->request, failure);
}

static void fake_touch(struct ks_store *store, const struct ks_client_id *id)
{
    struct fake_user *user = fake_store_find(store, id);
    if (user != NULL)
        user->last_seen = fake_store_wall_seconds(fake_store_of(store));
}

/* ---- the list of users ---- */

static bool is_in_list(const struct ks_user *user, const struct ks_client_id *except, bool classic_only)
{
    bool is_hidden = user->is_account && !user->has_classic_id;
    return !(classic_only && is_hidden) && !fake_store_same(&user->id, except);
}

static void fake_list_begin(struct ks_store *store, struct ks_store_list_begin *request)
{
    const struct fake_store *fake = fake_store_of(store);
    bool known = fake_store_find(store, &request->except) != NULL;
    request->cursor =
        (struct ks_user_cursor){.until = fake->user_count, .drops = fake->removed + fake->list_changes};
    request->count = 0;
    for (unsigned i = 0; i < fake->user_count && known; i++)
        request->count += is_in_list(&fake->users[i].user, &request->except, request->classic_only) ? 1 : 0;
    fake_store_complete(store, &request->request, known ? KS_OK : KS_NOT_FOUND);
}

static void fake_list_users(struct ks_store *store, struct ks_store_list_users *request)
{
    const struct fake_store *fake = fake_store_of(store);
    bool intact = request->cursor.drops == fake->removed + fake->list_changes;
    request->count = 0;
    while (intact && request->cursor.given < request->cursor.until && request->count < request->limit) {
        const struct ks_user *user = &fake->users[request->cursor.given++].user;
        if (is_in_list(user, &request->except, request->classic_only))
            request->users[request->count++] = *user;
    }
    enum ks_result failure = fake_store_take_failure(store);
    fake_store_complete(store, &request->request, intact ? failure : KS_NOT_FOUND);
}

/* ---- for operators ---- */

struct fake_user *fake_store_find_name(struct ks_store *store, const char *name)
{
    struct fake_store *fake = fake_store_of(store);
    for (unsigned i = 0; i < fake->user_count; i++)
        if (strcmp(fake->users[i].user.name, name) == 0)
            return &fake->users[i];
    return NULL;
}

static void describe_fake(const struct fake_store *fake, const struct fake_user *user,
                          struct ks_user_details *details)
{
    *details = (struct ks_user_details){
        .user = user->user, .registered = user->registered, .last_seen = user->last_seen};
    memcpy(details->account_key, user->account_key, sizeof details->account_key);
    fake_store_sum_files(fake, &user->user.id, &details->files, &details->file_bytes);
    fake_store_sum_puts(fake, &user->user.id, &details->puts, &details->put_bytes);
    fake_store_sum_messages(fake, &user->user.id, &details->messages, &details->message_bytes);
}

static void fake_describe_user(struct ks_store *store, struct ks_store_describe_user *request)
{
    const struct fake_user *user = fake_store_find_name(store, request->name);
    enum ks_result failure = fake_store_take_failure(store);
    if (failure == KS_OK && user != NULL) {
        describe_fake(fake_store_of(store), user, &request->details);
        memcpy(request->public_key, user->public_key, KS_PUBLIC_KEY_SIZE);
    }
    fake_store_complete(store, &request->request,
                        failure != KS_OK ? failure
                        : user != NULL   ? KS_OK
                                         : KS_NOT_FOUND);
}

static void fake_describe_users(struct ks_store *store, struct ks_store_describe_users *request)
{
    const struct fake_store *fake = fake_store_of(store);
    request->count = 0;
    for (unsigned i = 0; i < fake->user_count && request->count < request->limit; i++) {
        if (fake->users[i].place <= request->cursor)
            continue;
        request->cursor = fake->users[i].place;
        describe_fake(fake, &fake->users[i], &request->details[request->count++]);
    }
    fake_store_complete(store, &request->request, fake_store_take_failure(store));
}

static void forget_content_key(struct fake_user *user)
{
    ks_content_key_release(user->content_key);
    user->content_key = NULL;
}

static void fake_reset_key(struct ks_store *store, struct ks_store_reset_key *request)
{
    struct fake_user *user = fake_store_find_name(store, request->name);
    enum ks_result failure = fake_store_take_failure(store);
    if (failure == KS_OK && user != NULL) {
        user->user.has_public_key = false;
        forget_content_key(user);
    }
    fake_store_complete(store, &request->request,
                        failure != KS_OK ? failure
                        : user != NULL   ? KS_OK
                                         : KS_NOT_FOUND);
}

static void remove_user(struct fake_store *fake, struct fake_user *user)
{
    fake_store_expel(fake, &user->user.id);
    fake_store_empty_inbox(fake, &user->user.id);
    forget_content_key(user);
    fake_store_retire(fake, user);
    fake->user_count--;
    fake->removed++;
    memmove(user, user + 1, (size_t)(fake->users + fake->user_count - user) * sizeof *user);
}

static void fake_remove_user(struct ks_store *store, struct ks_store_remove_user *request)
{
    struct fake_user *user = fake_store_find_name(store, request->name);
    enum ks_result failure = fake_store_take_failure(store);
    if (user != NULL && request->only_with_key &&
        (!user->user.is_account ||
         memcmp(user->account_key, request->account_key, sizeof user->account_key) != 0))
        user = NULL;
    if (user != NULL)
        request->id = user->user.id;
    if (failure == KS_OK && user != NULL)
        remove_user(fake_store_of(store), user);
    fake_store_complete(store, &request->request,
                        failure != KS_OK ? failure
                        : user != NULL   ? KS_OK
                                         : KS_NOT_FOUND);
}

/* Memory is sound. */
static void fake_check(struct ks_store *store, struct ks_store_check *request)
{
    const struct fake_store *fake = fake_store_of(store);
    request->count = 0;
    request->is_complete = true;
    for (unsigned i = 0; i < fake->file_count; i++)
        request->cursor.files += fake->files[i].is_gone ? 0 : 1;
    for (const struct fake_message *message = fake->messages; message != NULL; message = message->next)
        request->cursor.messages++;
    fake_store_complete(store, &request->request, fake_store_take_failure(store));
}

static void fake_probe(struct ks_store *store, struct ks_store_probe *request)
{
    fake_store_complete(store, &request->request, fake_store_take_failure(store));
}

/* What is not on disk is gone. */
static void fake_close(struct ks_store *store)
{
    struct fake_store *fake = fake_store_of(store);
    fake_store_sweep(fake);
    fake_store_end_leases(fake);
    for (unsigned i = 0; i < fake->user_count; i++)
        if (fake->users[i].key_is_off_disk)
            forget_content_key(&fake->users[i]);
}

static const struct ks_store_operations fake_operations = {
    .register_user = fake_register_user,
    .look_up = fake_look_up,
    .classic_id = fake_store_classic_id,
    .sign_in = fake_store_sign_in,
    .register_account = fake_store_register_account,
    .adopt = fake_store_adopt,
    .set_classic = fake_store_set_classic,
    .invite = fake_store_invite,
    .name_holder = fake_store_name_holder,
    .name_at_hand = fake_name_at_hand,
    .public_key = fake_public_key,
    .set_keys = fake_set_keys,
    .content_key = fake_content_key,
    .drop_content_key = fake_drop_content_key,
    .touch = fake_touch,
    .stage_open = fake_store_stage_open,
    .stage_write = fake_store_stage_write,
    .confirm = fake_store_confirm,
    .discard = fake_store_discard,
    .put_open = fake_store_put_open,
    .put_park = fake_store_put_park,
    .list_files = fake_store_list_files,
    .file_open = fake_store_file_open,
    .file_read = fake_store_file_read,
    .file_close = fake_store_file_close,
    .remove_file = fake_store_remove_file,
    .digest_file = fake_store_digest_file,
    .list_begin = fake_list_begin,
    .list_users = fake_list_users,
    .append_message = fake_store_append_message,
    .lease_waiting = fake_store_lease_waiting,
    .lease_read = fake_store_lease_read,
    .lease_settle = fake_store_lease_settle,
    .lease_delivered = fake_store_lease_delivered,
    .lease_renew = fake_store_lease_renew,
    .lease_release = fake_store_lease_release,
    .describe_user = fake_describe_user,
    .describe_users = fake_describe_users,
    .reset_key = fake_reset_key,
    .remove_user = fake_remove_user,
    .check = fake_check,
    .probe = fake_probe,
    .close = fake_close,
};

void fake_store_init(struct fake_store *store)
{
    memset(store, 0, sizeof *store);
    store->store.operations = &fake_operations;
    store->end = &store->messages;
}

void fake_store_destroy(struct fake_store *store)
{
    fake_store_sweep(store);
    fake_store_forget_parked(store, NULL);
    fake_store_empty_inbox(store, NULL);
    for (unsigned i = 0; i < store->user_count; i++)
        ks_content_key_release(store->users[i].content_key);
    fake_store_forget_names(store);
    for (unsigned i = 0; i < store->file_count; i++)
        ks_buffer_free(&store->files[i].content);
}
