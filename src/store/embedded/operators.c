/* operators.c — see operators.h. */
#include "store/embedded/operators.h"

#include "store/embedded/changes.h"
#include "store/embedded/departures.h"
#include "store/embedded/engine.h"
#include "store/embedded/readers/details.h"
#include "store/reply.h"

#include <string.h>

static enum ks_result look_up_name(struct ks_engine *engine, const char name[static KS_TEXT_FIELD_SIZE],
                                   bool behind_changes, struct ks_user *user)
{
    return ks_users_look_up_name(engine->users, name, strnlen(name, KS_TEXT_FIELD_SIZE), behind_changes,
                                 user);
}

static void settle_describe_user(struct ks_task *task)
{
    struct ks_store_describe_user *request =
        KS_CONTAINER_OF(task, struct ks_store_describe_user, request.task);
    ks_details_user(&ks_engine_of(request->request.store)->details, request);
}

static void apply_describe_user(struct ks_task *task)
{
    struct ks_store_describe_user *request =
        KS_CONTAINER_OF(task, struct ks_store_describe_user, request.task);
    ks_database_writer_settle_later(&ks_engine_of(request->request.store)->writer, task,
                                    settle_describe_user);
}

void ks_operators_describe_user(struct ks_store *store, struct ks_store_describe_user *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    struct ks_user user;
    request->request.store = store;
    enum ks_result result = look_up_name(engine, request->name, false, &user);
    if (result == KS_PENDING)
        ks_engine_ask_writer(engine, &request->request, apply_describe_user);
    else if (result == KS_OK)
        ks_details_user(&engine->details, request);
    else
        ks_reply_now(&request->request, result);
}

void ks_operators_describe_users(struct ks_store *store, struct ks_store_describe_users *request)
{
    request->request.store = store;
    ks_details_users(&ks_engine_of(store)->details, request);
}

void ks_operators_reset_key(struct ks_store *store, struct ks_store_reset_key *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    struct ks_user user;
    enum ks_result result = look_up_name(engine, request->name, true, &user);
    if (result == KS_OK && ks_users_expect_change(engine->users, &user.id)) {
        request->id = user.id;
        ks_change_reset_key(engine, request);
    } else {
        ks_reply_now(&request->request, KS_NOT_FOUND);
    }
}

void ks_operators_remove_user(struct ks_store *store, struct ks_store_remove_user *request)
{
    ks_departures_begin(ks_engine_of(store), request);
}

static void settle_probe(struct ks_task *task)
{
    ks_reply_post(KS_CONTAINER_OF(task, struct ks_store_request, task), KS_OK);
}

static void apply_probe(struct ks_task *task)
{
    const struct ks_store_request *request = KS_CONTAINER_OF(task, struct ks_store_request, task);
    ks_database_writer_settle_later(&ks_engine_of(request->store)->writer, task, settle_probe);
}

void ks_operators_probe(struct ks_store *store, struct ks_store_probe *request)
{
    ks_engine_ask_writer(ks_engine_of(store), &request->request, apply_probe);
}
