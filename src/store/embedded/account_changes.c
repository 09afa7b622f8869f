/* account_changes.c — see account_changes.h: adoption, the classic side of an account, and invitations. */
#include "store/embedded/account_changes.h"

#include "store/embedded/engine.h"
#include "store/embedded/memory/identities.h"
#include "store/embedded/newcomers.h"
#include "store/embedded/writer/account_rows.h"
#include "store/reply.h"

#include <string.h>

/* What classic sessions were told of the user's keys is void. */
static void settle_classic_key(struct ks_engine *engine, struct ks_user_entry *entry, bool has_public_key)
{
    ks_users_set_content_key(engine->users, entry, NULL);
    ks_users_publish(engine->users, entry, has_public_key);
    ks_key_cache_drop(engine->keys, &entry->id);
}

/* ---- adopt ---- */

/* The rows of who is to become an account. */
static enum ks_result insert_adopted(struct ks_engine *engine, const struct ks_store_adopt *request,
                                     const struct ks_user_entry *entry, int64_t now)
{
    struct ks_account_row row = {.id = entry->id, .registered = now};
    memcpy(row.key, request->key, sizeof row.key);
    enum ks_result result = ks_account_rows_insert(&engine->writer, &row);
    return result == KS_OK ? ks_account_rows_set_classic_key(&engine->writer, entry->number, NULL) : result;
}

static enum ks_result become_account(struct ks_engine *engine, struct ks_store_adopt *request,
                                     struct ks_user_entry *entry)
{
    struct ks_account_entry *account = NULL;
    const int64_t now = ks_clock_wall_seconds(engine->clock);
    enum ks_result result = ks_identities_expect(engine->users, entry, request->key, now, &account);
    if (result != KS_OK)
        return result;
    result = insert_adopted(engine, request, entry, now);
    if (result == KS_OK)
        request->request.part = account;
    else
        ks_identities_unexpect(engine->users, account);
    return result;
}

static enum ks_result adopt(struct ks_engine *engine, struct ks_store_adopt *request)
{
    struct ks_account_row row;
    struct ks_user_entry *entry = ks_engine_find_staying(engine, &request->id);
    if (entry == NULL)
        return KS_NOT_FOUND;
    enum ks_result result = ks_database_writer_begin(&engine->writer);
    if (result == KS_OK)
        result = ks_account_rows_by_id(&engine->writer, &request->id, &row);
    if (result == KS_OK)
        return memcmp(row.key, request->key, sizeof row.key) == 0 ? KS_OK : KS_NOT_FOUND;
    if (result == KS_NOT_FOUND)
        result = ks_account_rows_by_key(&engine->writer, request->key, &row);
    if (result == KS_NOT_FOUND)
        return become_account(engine, request, entry);
    return result == KS_OK ? KS_EXISTS : result;
}

static void settle_adopt(struct ks_task *task)
{
    struct ks_store_adopt *request = KS_REQUEST_OF(task, struct ks_store_adopt);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    enum ks_result result = ks_engine_settled_result(engine, &request->request);
    struct ks_user_entry *entry = ks_users_find(engine->users, &request->id);
    if (request->request.part != NULL && result == KS_OK) {
        ks_identities_set(engine->users, request->request.part);
        settle_classic_key(engine, entry, false);
    } else if (request->request.part != NULL) {
        ks_identities_unexpect(engine->users, request->request.part);
    }
    if (result == KS_OK)
        (void)ks_identities_describe(entry, &request->account);
    if (entry != NULL)
        ks_users_change_done(entry);
    ks_reply_post(&request->request, result);
}

static void apply_adopt(struct ks_task *task)
{
    struct ks_store_adopt *request = KS_REQUEST_OF(task, struct ks_store_adopt);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    request->request.part = NULL;
    request->request.result = adopt(engine, request);
    ks_database_writer_settle_later(&engine->writer, task, settle_adopt);
}

void ks_account_change_adopt(struct ks_engine *engine, struct ks_store_adopt *request)
{
    ks_engine_ask_writer(engine, &request->request, apply_adopt);
}

/* ---- the classic ports ---- */

static enum ks_result change_classic(struct ks_engine *engine, const struct ks_store_set_classic *request,
                                     const struct ks_user_entry *entry)
{
    const struct ks_client_id *classic_id = request->on ? &request->classic_id : NULL;
    enum ks_result result = ks_account_rows_set_classic_id(&engine->writer, &request->id, classic_id);
    if (result != KS_OK)
        return result;
    return ks_account_rows_set_classic_key(&engine->writer, entry->number,
                                           request->on ? request->public_key : NULL);
}

static enum ks_result switch_on(struct ks_engine *engine, struct ks_store_set_classic *request,
                                struct ks_user_entry *entry)
{
    struct ks_classic_entry *classic = NULL;
    enum ks_result result = ks_newcomer_draw_fresh_id(engine, &request->classic_id);
    if (result == KS_OK)
        result = ks_identities_expect_classic(engine->users, entry, &request->classic_id, &classic);
    if (result != KS_OK)
        return result;
    result = change_classic(engine, request, entry);
    if (result == KS_OK)
        request->request.part = classic;
    else
        ks_identities_unexpect_classic(engine->users, classic);
    return result;
}

static enum ks_result set_classic(struct ks_engine *engine, struct ks_store_set_classic *request)
{
    struct ks_account_row row;
    struct ks_user_entry *entry = ks_engine_find_staying(engine, &request->id);
    if (entry == NULL)
        return KS_NOT_FOUND;
    enum ks_result result = ks_database_writer_begin(&engine->writer);
    if (result == KS_OK)
        result = ks_account_rows_by_id(&engine->writer, &request->id, &row);
    if (result != KS_OK)
        return result;
    return request->on ? switch_on(engine, request, entry) : change_classic(engine, request, entry);
}

static void settle_set_classic(struct ks_task *task)
{
    struct ks_store_set_classic *request = KS_REQUEST_OF(task, struct ks_store_set_classic);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    enum ks_result result = ks_engine_settled_result(engine, &request->request);
    struct ks_user_entry *entry = ks_users_find(engine->users, &request->id);
    if (result == KS_OK) {
        ks_identities_set_classic(engine->users, entry, request->request.part);
        settle_classic_key(engine, entry, request->on);
    } else if (request->request.part != NULL) {
        ks_identities_unexpect_classic(engine->users, request->request.part);
    }
    if (entry != NULL)
        ks_users_change_done(entry);
    ks_reply_post(&request->request, result);
}

static void apply_set_classic(struct ks_task *task)
{
    struct ks_store_set_classic *request = KS_REQUEST_OF(task, struct ks_store_set_classic);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    request->request.part = NULL;
    request->request.result = set_classic(engine, request);
    ks_database_writer_settle_later(&engine->writer, task, settle_set_classic);
}

void ks_account_change_set_classic(struct ks_engine *engine, struct ks_store_set_classic *request)
{
    ks_engine_ask_writer(engine, &request->request, apply_set_classic);
}

/* ---- invitations ---- */

/* Those that are over make room only when there is none: a clock that was ahead for a while would have taken
 * the others with them. */
static enum ks_result make_room(struct ks_engine *engine)
{
    int64_t count = 0;
    enum ks_result result = ks_account_rows_count_invitations(&engine->writer, &count);
    if (result != KS_OK || count < KS_INVITATIONS_LIMIT)
        return result;
    result = ks_account_rows_delete_over(&engine->writer, ks_clock_wall_seconds(engine->clock));
    if (result == KS_OK)
        result = ks_account_rows_count_invitations(&engine->writer, &count);
    return result == KS_OK && count >= KS_INVITATIONS_LIMIT ? KS_TOO_LARGE : result;
}

static enum ks_result invite(struct ks_engine *engine, const struct ks_store_invite *request)
{
    struct ks_invitation_row row = {.uses = request->uses, .until = request->until};
    memcpy(row.name, request->name, strnlen(request->name, sizeof row.name - 1));
    enum ks_result result = ks_database_writer_begin(&engine->writer);
    if (result == KS_OK)
        result = make_room(engine);
    return result == KS_OK ? ks_account_rows_invite(&engine->writer, request->invitation, &row) : result;
}

static void settle_invite(struct ks_task *task)
{
    struct ks_store_invite *request = KS_REQUEST_OF(task, struct ks_store_invite);
    const struct ks_engine *engine = ks_engine_of(request->request.store);
    ks_reply_post(&request->request, ks_engine_settled_result(engine, &request->request));
}

static void apply_invite(struct ks_task *task)
{
    struct ks_store_invite *request = KS_REQUEST_OF(task, struct ks_store_invite);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    request->request.result = invite(engine, request);
    ks_database_writer_settle_later(&engine->writer, task, settle_invite);
}

void ks_account_change_invite(struct ks_engine *engine, struct ks_store_invite *request)
{
    ks_engine_ask_writer(engine, &request->request, apply_invite);
}
