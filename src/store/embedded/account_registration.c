/* account_registration.c — account_changes.h: who registers with a key. All that decides is asked inside the
 * transaction, behind what the same batch did before: so of two that want one name, or the last use of an
 * invitation, the second finds it gone, and none of both is there when the batch fails. */
#include "store/embedded/account_changes.h"

#include "store/embedded/departures.h"
#include "store/embedded/engine.h"
#include "store/embedded/memory/identities.h"
#include "store/embedded/newcomers.h"
#include "store/embedded/writer/account_rows.h"
#include "store/reply.h"

#include <string.h>

/* ---- what decides ---- */

/* KS_OK when the key is an account of this name; KS_INVALID when it is one of another; KS_NOT_FOUND. */
static enum ks_result judge_key(struct ks_engine *engine, struct ks_store_register_account *request)
{
    struct ks_account_row row;
    enum ks_result result = ks_account_rows_by_key(&engine->writer, request->key, &row);
    if (result != KS_OK)
        return result;
    const struct ks_user_entry *entry = ks_users_find(engine->users, &row.id);
    size_t size = strnlen(request->name, sizeof request->name);
    bool is_same = entry != NULL && entry->name_size == size && memcmp(entry->name, request->name, size) == 0;
    request->account.id = row.id;
    return is_same ? KS_OK : KS_INVALID;
}

/* KS_OK with the uses that are left and whether it is for this very name; KS_REFUSED. */
static enum ks_result judge_invitation(struct ks_engine *engine,
                                       const struct ks_store_register_account *request, unsigned *uses,
                                       bool *is_for_name)
{
    struct ks_invitation_row row;
    enum ks_result result = ks_account_rows_invitation(&engine->writer, request->invitation, &row);
    if (result != KS_OK)
        return result == KS_NOT_FOUND ? KS_REFUSED : result;
    *uses = row.uses;
    *is_for_name = row.name[0] != '\0';
    bool fits = !*is_for_name || strncmp(row.name, request->name, sizeof row.name) == 0;
    bool is_over = ks_invitation_is_over(row.until, ks_clock_wall_seconds(engine->clock));
    return fits && !is_over ? KS_OK : KS_REFUSED;
}

/* ---- a key for an account that there is ---- */

static enum ks_result bind_key(struct ks_engine *engine, struct ks_store_register_account *request,
                               struct ks_user_entry *entry, int64_t registered)
{
    struct ks_account_entry *account = NULL;
    struct ks_account_row row = {.id = entry->id};
    memcpy(row.key, request->key, sizeof row.key);
    enum ks_result result = ks_identities_expect(engine->users, entry, request->key, registered, &account);
    if (result != KS_OK)
        return result;
    result = ks_account_rows_set_key(&engine->writer, &row);
    if (result == KS_OK)
        result = ks_account_rows_set_classic_key(&engine->writer, entry->number, NULL);
    if (result != KS_OK) {
        ks_identities_unexpect(engine->users, account);
        return result;
    }
    request->request.part = account;
    request->account.id = entry->id;
    request->replaced = true;
    return KS_OK;
}

/* KS_EXISTS when a classic user has the name; KS_IO while it is being removed. */
static enum ks_result replace_key(struct ks_engine *engine, struct ks_store_register_account *request,
                                  struct ks_user_entry *entry)
{
    struct ks_account_row row;
    if (entry->leaving)
        return KS_IO;
    enum ks_result result = ks_account_rows_by_id(&engine->writer, &entry->id, &row);
    if (result != KS_OK)
        return result == KS_NOT_FOUND ? KS_EXISTS : result;
    return bind_key(engine, request, entry, row.registered);
}

/* ---- a new user ---- */

/* Both rows. What was taken in RAM is given back by the caller. */
static enum ks_result insert_rows(struct ks_engine *engine, const struct ks_store_register_account *request,
                                  struct ks_user_entry *entry, int64_t now)
{
    char skeleton[KS_SKELETON_SIZE];
    struct ks_account_row row = {.id = entry->id, .registered = now};
    memcpy(row.key, request->key, sizeof row.key);
    ks_newcomer_skeleton(request->name, request->skeleton, skeleton);
    enum ks_result result = ks_newcomer_insert(engine, entry, skeleton, NULL);
    return result == KS_OK ? ks_account_rows_insert(&engine->writer, &row) : result;
}

static enum ks_result add_account(struct ks_engine *engine, struct ks_store_register_account *request,
                                  const struct ks_client_id *id)
{
    struct ks_user_entry *entry = NULL;
    struct ks_account_entry *account = NULL;
    const int64_t now = ks_clock_wall_seconds(engine->clock);
    enum ks_result result = ks_newcomer_judge_number(engine);
    if (result == KS_OK)
        result = ks_newcomer_add(engine, id, request->name, &entry);
    if (result != KS_OK)
        return result;
    result = ks_identities_expect(engine->users, entry, request->key, now, &account);
    if (result == KS_OK)
        result = insert_rows(engine, request, entry, now);
    if (result == KS_OK) {
        request->request.part = account;
        request->account.id = *id;
        return KS_OK;
    }
    if (account != NULL)
        ks_identities_unexpect(engine->users, account);
    ks_users_remove(engine->users, entry);
    return result;
}

/* A name that nobody has or had. */
static enum ks_result add_newcomer(struct ks_engine *engine, struct ks_store_register_account *request)
{
    char skeleton[KS_SKELETON_SIZE];
    struct ks_client_id id;
    ks_newcomer_skeleton(request->name, request->skeleton, skeleton);
    enum ks_result result = ks_account_rows_judge_skeleton(&engine->writer, skeleton, true);
    if (result == KS_OK)
        result = ks_newcomer_draw_fresh_id(engine, &id);
    return result == KS_OK ? add_account(engine, request, &id) : result;
}

/* One that was removed. While something of it is left on disk, what deletes that would take the new files and
 * messages for it: KS_IO then, for a moment, or until the disk is well. */
static enum ks_result add_retired(struct ks_engine *engine, struct ks_store_register_account *request,
                                  const struct ks_client_id *id)
{
    if (!ks_departures_is_over(engine, id))
        return KS_IO;
    enum ks_result result = add_account(engine, request, id);
    return result == KS_OK ? ks_account_rows_bring_back(&engine->writer, id) : result;
}

/* ---- the request ---- */

/* For an invitation that is for this very name. */
static enum ks_result give_name(struct ks_engine *engine, struct ks_store_register_account *request)
{
    struct ks_client_id id;
    struct ks_user_entry *entry =
        ks_users_find_named(engine->users, request->name, strnlen(request->name, sizeof request->name));
    if (entry != NULL)
        return replace_key(engine, request, entry);
    enum ks_result result = ks_account_rows_retired(&engine->writer, request->name, &id);
    if (result == KS_NOT_FOUND)
        return add_newcomer(engine, request);
    return result == KS_OK ? add_retired(engine, request, &id) : result;
}

static enum ks_result register_account(struct ks_engine *engine, struct ks_store_register_account *request)
{
    bool is_for_name = false;
    unsigned uses = 0;
    enum ks_result result = ks_database_writer_begin(&engine->writer);
    if (result == KS_OK)
        result = judge_key(engine, request);
    if (result != KS_NOT_FOUND)
        return result;
    result = KS_OK;
    if (request->has_invitation)
        result = judge_invitation(engine, request, &uses, &is_for_name);
    if (result == KS_OK)
        result = is_for_name ? give_name(engine, request) : add_newcomer(engine, request);
    if (result == KS_OK && request->has_invitation)
        result = ks_account_rows_use(&engine->writer, request->invitation, uses);
    return result;
}

/* A user whose batch has failed was never there; one that had the account before has it still. */
static void take_back(struct ks_engine *engine, const struct ks_store_register_account *request)
{
    ks_identities_unexpect(engine->users, request->request.part);
    if (!request->replaced)
        ks_users_remove(engine->users, ks_users_find(engine->users, &request->account.id));
}

static void keep(struct ks_engine *engine, const struct ks_store_register_account *request)
{
    struct ks_user_entry *entry = ks_users_find(engine->users, &request->account.id);
    ks_identities_set(engine->users, request->request.part);
    if (request->replaced) {
        ks_users_set_content_key(engine->users, entry, NULL);
        ks_key_cache_drop(engine->keys, &entry->id);
    } else {
        ks_departures_forget(engine, &entry->id);
    }
    ks_users_publish(engine->users, entry, false);
}

static void settle_register_account(struct ks_task *task)
{
    struct ks_store_register_account *request = KS_REQUEST_OF(task, struct ks_store_register_account);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    enum ks_result result = ks_engine_settled_result(engine, &request->request);
    if (request->request.part != NULL && result == KS_OK)
        keep(engine, request);
    else if (request->request.part != NULL)
        take_back(engine, request);
    if (result == KS_OK)
        (void)ks_identities_describe(ks_users_find(engine->users, &request->account.id), &request->account);
    else
        request->replaced = false;
    ks_reply_post(&request->request, result);
}

static void apply_register_account(struct ks_task *task)
{
    struct ks_store_register_account *request = KS_REQUEST_OF(task, struct ks_store_register_account);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    request->request.part = NULL;
    request->replaced = false;
    request->request.result = register_account(engine, request);
    ks_database_writer_settle_later(&engine->writer, task, settle_register_account);
}

void ks_account_change_register(struct ks_engine *engine, struct ks_store_register_account *request)
{
    ks_engine_ask_writer(engine, &request->request, apply_register_account);
}
