/* user_requests.c — see user_requests.h. */
#include "store/embedded/user_requests.h"

#include "store/embedded/changes.h"
#include "store/embedded/engine.h"
#include "store/reply.h"

#include <string.h>

void ks_user_requests_register_user(struct ks_store *store, struct ks_store_register *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    if (ks_users_name_is_taken(engine->users, request->name, strnlen(request->name, sizeof request->name)))
        ks_reply_now(&request->request, KS_EXISTS);
    else
        ks_change_register(engine, request);
}

static void settle_look_up(struct ks_task *task)
{
    struct ks_store_look_up *request = KS_CONTAINER_OF(task, struct ks_store_look_up, request.task);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    ks_reply_post(&request->request, ks_users_look_up(engine->users, &request->id, true, &request->user));
}

static void apply_look_up(struct ks_task *task)
{
    struct ks_store_look_up *request = KS_CONTAINER_OF(task, struct ks_store_look_up, request.task);
    ks_database_writer_settle_later(&ks_engine_of(request->request.store)->writer, task, settle_look_up);
}

void ks_user_requests_look_up(struct ks_store *store, struct ks_store_look_up *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    enum ks_result result = ks_users_look_up(engine->users, &request->id, false, &request->user);
    if (result == KS_PENDING)
        ks_engine_ask_writer(engine, &request->request, apply_look_up);
    else
        ks_reply_now(&request->request, result);
}

enum ks_result ks_user_requests_name_at_hand(struct ks_store *store, const struct ks_client_id *id,
                                             char name[static KS_TEXT_FIELD_SIZE])
{
    struct ks_user user;
    enum ks_result result = ks_users_look_up(ks_engine_of(store)->users, id, true, &user);
    if (result == KS_OK)
        memcpy(name, user.name, sizeof user.name);
    return result;
}

static void settle_public_key(struct ks_task *task)
{
    struct ks_store_public_key *request = KS_CONTAINER_OF(task, struct ks_store_public_key, request.task);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    struct ks_user user;
    enum ks_result result = ks_users_look_up(engine->users, &request->id, true, &user);
    if (result == KS_OK && user.has_public_key)
        ks_key_reader_read(&engine->key_reader, request);
    else
        ks_reply_post(&request->request, result == KS_OK ? KS_REFUSED : result);
}

static void apply_public_key(struct ks_task *task)
{
    struct ks_store_public_key *request = KS_CONTAINER_OF(task, struct ks_store_public_key, request.task);
    ks_database_writer_settle_later(&ks_engine_of(request->request.store)->writer, task, settle_public_key);
}

void ks_user_requests_public_key(struct ks_store *store, struct ks_store_public_key *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    struct ks_user user;
    request->request.store = store;
    if (ks_key_cache_get(engine->keys, &request->id, request->public_key)) {
        ks_reply_now(&request->request, KS_OK);
        return;
    }
    enum ks_result result = ks_users_look_up(engine->users, &request->id, false, &user);
    if (result == KS_PENDING)
        ks_engine_ask_writer(engine, &request->request, apply_public_key);
    else if (result == KS_OK && user.has_public_key)
        ks_key_reader_read(&engine->key_reader, request);
    else
        ks_reply_now(&request->request, result == KS_OK ? KS_REFUSED : result);
}

void ks_user_requests_set_keys(struct ks_store *store, struct ks_store_set_keys *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    if (ks_users_expect_change(engine->users, &request->id))
        ks_change_set_keys(engine, request);
    else
        ks_reply_now(&request->request, KS_NOT_FOUND);
}

static enum ks_result current_content_key(struct ks_engine *engine, struct ks_store_content_key *request,
                                          bool behind_changes)
{
    int64_t now = ks_clock_steady_seconds(engine->clock);
    return ks_users_content_key(engine->users, &request->id, behind_changes,
                                now - engine->content_key_lifetime, now, &request->content_key);
}

static void settle_content_key(struct ks_task *task)
{
    struct ks_store_content_key *request = KS_CONTAINER_OF(task, struct ks_store_content_key, request.task);
    ks_reply_post(&request->request,
                  current_content_key(ks_engine_of(request->request.store), request, true));
}

static void apply_content_key(struct ks_task *task)
{
    struct ks_store_content_key *request = KS_CONTAINER_OF(task, struct ks_store_content_key, request.task);
    ks_database_writer_settle_later(&ks_engine_of(request->request.store)->writer, task, settle_content_key);
}

void ks_user_requests_content_key(struct ks_store *store, struct ks_store_content_key *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    enum ks_result result = current_content_key(engine, request, false);
    if (result == KS_PENDING)
        ks_engine_ask_writer(engine, &request->request, apply_content_key);
    else
        ks_reply_now(&request->request, result);
}

void ks_user_requests_drop_content_key(struct ks_store *store, struct ks_store_drop_content_key *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    if (ks_users_expect_change(engine->users, &request->id))
        ks_change_drop_content_key(engine, request);
    else
        ks_reply_now(&request->request, KS_OK); /* who is not there has no key */
}

void ks_user_requests_touch(struct ks_store *store, const struct ks_client_id *id)
{
    struct ks_engine *engine = ks_engine_of(store);
    ks_users_touch(engine->users, id, ks_clock_wall_seconds(engine->clock));
}

void ks_user_requests_list_begin(struct ks_store *store, struct ks_store_list_begin *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    ks_reply_now(&request->request,
                 ks_users_list_begin(engine->users, &request->except, request->classic_only,
                                     ks_clock_monotonic_ms(engine->clock), &request->count,
                                     &request->cursor));
}

void ks_user_requests_list_users(struct ks_store *store, struct ks_store_list_users *request)
{
    ks_reply_now(&request->request,
                 ks_users_list(ks_engine_of(store)->users, &request->except, request->classic_only,
                               &request->cursor, request->users, request->limit, &request->count));
}
