/* changes.c — see changes.h. Of each request one function applies, inside the transaction, and one settles,
 * after it. The answer that a request got of its own while applying stands in request->result; a batch that
 * failed overrides it. */
#include "store/embedded/changes.h"

#include "crypto/secret.h"
#include "store/embedded/engine.h"
#include "store/embedded/memory/identities.h"
#include "store/embedded/messages.h"
#include "store/embedded/newcomers.h"
#include "store/embedded/writer/account_rows.h"
#include "store/reply.h"

#include <string.h>

/* ---- register ---- */

static enum ks_result add_client(struct ks_engine *engine, struct ks_store_register *request)
{
    char skeleton[KS_SKELETON_SIZE];
    struct ks_user_entry *entry = NULL;
    ks_newcomer_skeleton(request->name, request->skeleton, skeleton);
    enum ks_result result = ks_database_writer_begin(&engine->writer);
    if (result == KS_OK)
        result = ks_account_rows_judge_skeleton(&engine->writer, skeleton, false);
    if (result == KS_OK)
        result = ks_newcomer_judge_number(engine);
    if (result == KS_OK)
        result = ks_newcomer_draw_id(engine->random, &request->id);
    if (result == KS_OK)
        result = ks_newcomer_add(engine, &request->id, request->name, &entry);
    if (result != KS_OK)
        return result;
    result =
        ks_newcomer_insert(engine, entry, skeleton, request->has_public_key ? request->public_key : NULL);
    if (result != KS_OK)
        ks_users_remove(engine->users, entry);
    return result;
}

static void settle_register(struct ks_task *task)
{
    struct ks_store_register *request = KS_REQUEST_OF(task, struct ks_store_register);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    enum ks_result result = ks_engine_settled_result(engine, &request->request);
    if (request->request.result == KS_OK) {
        struct ks_user_entry *entry = ks_users_find(engine->users, &request->id);
        if (result == KS_OK)
            ks_users_publish(engine->users, entry, request->has_public_key);
        else
            ks_users_remove(engine->users, entry);
    }
    ks_reply_post(&request->request, result);
}

static void apply_register(struct ks_task *task)
{
    struct ks_store_register *request = KS_REQUEST_OF(task, struct ks_store_register);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    request->request.result = add_client(engine, request);
    ks_database_writer_settle_later(&engine->writer, task, settle_register);
}

void ks_change_register(struct ks_engine *engine, struct ks_store_register *request)
{
    ks_engine_ask_writer(engine, &request->request, apply_register);
}

/* ---- set_keys ---- */

/* NULL when the user was removed meanwhile: then nobody waits for the change. */
static void change_done(struct ks_user_entry *entry)
{
    if (entry != NULL)
        ks_users_change_done(entry);
}

/* KS_OK when this key is stored, KS_REFUSED when another is, KS_NOT_FOUND when none is. Asks the disk, so it
 * sees what the same batch did before. */
static enum ks_result compare_public_key(struct ks_engine *engine, const struct ks_user_entry *entry,
                                         const uint8_t public_key[static KS_PUBLIC_KEY_SIZE])
{
    struct ks_query query = ks_database_writer_query(&engine->writer, KS_STATEMENT_READ_PUBLIC_KEY);
    ks_query_integer(&query, entry->number);
    enum ks_result found = KS_NOT_FOUND;
    if (ks_query_next(&query) && sqlite3_column_type(query.statement, 0) != SQLITE_NULL) {
        const void *stored = sqlite3_column_blob(query.statement, 0);
        int size = sqlite3_column_bytes(query.statement, 0);
        bool same = size == KS_PUBLIC_KEY_SIZE && memcmp(stored, public_key, KS_PUBLIC_KEY_SIZE) == 0;
        found = same ? KS_OK : KS_REFUSED;
    }
    enum ks_result result = ks_database_writer_check(&engine->writer, ks_query_end(&query));
    return result == KS_OK ? found : result;
}

static enum ks_result store_public_key(struct ks_engine *engine, const struct ks_user_entry *entry,
                                       const uint8_t public_key[static KS_PUBLIC_KEY_SIZE])
{
    enum ks_result result = compare_public_key(engine, entry, public_key);
    if (result != KS_NOT_FOUND)
        return result;
    struct ks_query query = ks_database_writer_query(&engine->writer, KS_STATEMENT_SET_PUBLIC_KEY);
    ks_query_blob(&query, public_key, KS_PUBLIC_KEY_SIZE);
    ks_query_integer(&query, entry->number);
    return ks_database_writer_check(&engine->writer, ks_query_run(&query));
}

/* Of an account that the classic ports do not know, or not any more, nobody there sets keys: a request that
 * was on its way while it was adopted, or switched off, must not leave any behind. Asks the disk, as above;
 * while there is no account, it asks nothing. */
static enum ks_result judge_classic(struct ks_engine *engine, const struct ks_client_id *id)
{
    struct ks_account_row row;
    if (!ks_identities_are_there(engine->users))
        return KS_OK;
    enum ks_result result = ks_account_rows_by_id(&engine->writer, id, &row);
    if (result == KS_NOT_FOUND)
        return KS_OK;
    return result == KS_OK && !row.has_classic_id ? KS_NOT_FOUND : result;
}

static enum ks_result store_keys(struct ks_engine *engine, const struct ks_store_set_keys *request)
{
    const struct ks_user_entry *entry = ks_engine_find_staying(engine, &request->id);
    if (entry == NULL)
        return KS_NOT_FOUND;
    enum ks_result result = ks_database_writer_begin(&engine->writer);
    if (result == KS_OK)
        result = judge_classic(engine, &request->id);
    if (result == KS_OK && request->has_public_key)
        result = store_public_key(engine, entry, request->public_key);
    if (result != KS_OK)
        return result;
    struct ks_query query = ks_database_writer_query(&engine->writer, KS_STATEMENT_SET_CONTENT_KEY);
    ks_query_blob(&query, request->content_key->bytes, sizeof request->content_key->bytes);
    ks_query_integer(&query, ks_age_to_stored(&engine->age, atomic_load(&request->content_key->last_used)));
    ks_query_integer(&query, entry->number);
    return ks_database_writer_check(&engine->writer, ks_query_run(&query));
}

static void settle_set_keys(struct ks_task *task)
{
    struct ks_store_set_keys *request = KS_REQUEST_OF(task, struct ks_store_set_keys);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    enum ks_result result = ks_engine_settled_result(engine, &request->request);
    struct ks_user_entry *entry = ks_users_find(engine->users, &request->id);
    if (result == KS_OK) {
        ks_users_set_content_key(engine->users, entry, request->content_key);
        if (request->has_public_key)
            ks_users_publish(engine->users, entry, true);
    }
    change_done(entry);
    ks_reply_post(&request->request, result);
}

static void apply_set_keys(struct ks_task *task)
{
    struct ks_store_set_keys *request = KS_REQUEST_OF(task, struct ks_store_set_keys);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    request->request.result = store_keys(engine, request);
    ks_database_writer_settle_later(&engine->writer, task, settle_set_keys);
}

void ks_change_set_keys(struct ks_engine *engine, struct ks_store_set_keys *request)
{
    ks_engine_ask_writer(engine, &request->request, apply_set_keys);
}

/* ---- drop_content_key ---- */

/* By its bytes, on disk: an earlier change of the same batch may have put another one there. */
static enum ks_result forget_content_key(struct ks_engine *engine,
                                         const struct ks_store_drop_content_key *request)
{
    const struct ks_user_entry *entry = ks_engine_find_staying(engine, &request->id);
    if (entry == NULL)
        return KS_OK; /* who is not there has no key */
    enum ks_result result = ks_database_writer_begin(&engine->writer);
    if (result != KS_OK)
        return result;
    struct ks_query query = ks_database_writer_query(&engine->writer, KS_STATEMENT_FORGET_CONTENT_KEY);
    ks_query_integer(&query, entry->number);
    ks_query_blob(&query, request->content_key->bytes, sizeof request->content_key->bytes);
    return ks_database_writer_check(&engine->writer, ks_query_run(&query));
}

static void settle_drop_content_key(struct ks_task *task)
{
    struct ks_store_drop_content_key *request = KS_REQUEST_OF(task, struct ks_store_drop_content_key);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    enum ks_result result = ks_engine_settled_result(engine, &request->request);
    struct ks_user_entry *entry = ks_users_find(engine->users, &request->id);
    const struct ks_content_key *current = entry != NULL ? entry->content_key : NULL;
    if (result == KS_OK && !request->only_on_disk && current != NULL &&
        ks_secret_equal(current->bytes, request->content_key->bytes, sizeof current->bytes))
        ks_users_set_content_key(engine->users, entry, NULL);
    change_done(entry);
    ks_reply_post(&request->request, result);
}

static void apply_drop_content_key(struct ks_task *task)
{
    struct ks_store_drop_content_key *request = KS_REQUEST_OF(task, struct ks_store_drop_content_key);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    request->request.result = forget_content_key(engine, request);
    ks_database_writer_settle_later(&engine->writer, task, settle_drop_content_key);
}

void ks_change_drop_content_key(struct ks_engine *engine, struct ks_store_drop_content_key *request)
{
    ks_engine_ask_writer(engine, &request->request, apply_drop_content_key);
}

/* ---- reset_key ---- */

static enum ks_result reset_key(struct ks_engine *engine, const struct ks_store_reset_key *request)
{
    const struct ks_user_entry *entry = ks_engine_find_staying(engine, &request->id);
    if (entry == NULL)
        return KS_NOT_FOUND;
    enum ks_result result = ks_database_writer_begin(&engine->writer);
    if (result != KS_OK)
        return result;
    struct ks_query query = ks_database_writer_query(&engine->writer, KS_STATEMENT_RESET_KEY);
    ks_query_integer(&query, ks_clock_wall_seconds(engine->clock));
    ks_query_integer(&query, entry->number);
    return ks_database_writer_check(&engine->writer, ks_query_run(&query));
}

static void settle_reset_key(struct ks_task *task)
{
    struct ks_store_reset_key *request = KS_REQUEST_OF(task, struct ks_store_reset_key);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    enum ks_result result = ks_engine_settled_result(engine, &request->request);
    struct ks_user_entry *entry = ks_users_find(engine->users, &request->id);
    if (result == KS_OK) {
        ks_users_set_content_key(engine->users, entry, NULL);
        ks_users_forget_public_key(engine->users, entry);
        ks_key_cache_drop(engine->keys, &request->id);
    }
    change_done(entry);
    ks_reply_post(&request->request, result);
}

static void apply_reset_key(struct ks_task *task)
{
    struct ks_store_reset_key *request = KS_REQUEST_OF(task, struct ks_store_reset_key);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    request->request.result = reset_key(engine, request);
    ks_database_writer_settle_later(&engine->writer, task, settle_reset_key);
}

void ks_change_reset_key(struct ks_engine *engine, struct ks_store_reset_key *request)
{
    ks_engine_ask_writer(engine, &request->request, apply_reset_key);
}

/* ---- rows of files and messages ---- */

static void bind_cksum(struct ks_query *query, const struct ks_vault_row *row)
{
    if (row->has_cksum) {
        ks_query_integer(query, row->cksum);
        ks_query_integer(query, row->written);
    } else {
        ks_query_null(query);
        ks_query_null(query);
    }
}

/* Of a file that was kept already, the row mostly says what is to be said, and knows more. KS_MORE if not. */
static enum ks_result find_file(struct ks_engine *engine, const struct ks_vault_row *row)
{
    if (!row->is_kept)
        return KS_MORE;
    struct ks_query query = ks_database_writer_query(&engine->writer, KS_STATEMENT_HAS_FILE);
    ks_query_blob(&query, row->id.bytes, sizeof row->id.bytes);
    ks_query_text(&query, row->kept_name, strlen(row->kept_name));
    ks_query_text(&query, row->path_name, strlen(row->path_name));
    ks_query_integer(&query, (int64_t)row->size);
    bind_cksum(&query, row);
    bool has = ks_query_next(&query);
    enum ks_result result = ks_database_writer_check(&engine->writer, ks_query_end(&query));
    return result == KS_OK && !has ? KS_MORE : result;
}

/* By its path, for the file of that path is what is removed. */
static enum ks_result remove_file(struct ks_engine *engine, const struct ks_vault_row *row)
{
    struct ks_query query = ks_database_writer_query(&engine->writer, KS_STATEMENT_REMOVE_FILE);
    ks_query_text(&query, row->path_name, strlen(row->path_name));
    enum ks_result result = ks_database_writer_check(&engine->writer, ks_query_run(&query));
    bool had_row = result == KS_OK && sqlite3_changes(engine->writer.database) > 0;
    return result == KS_OK && !had_row && !row->had_file ? KS_NOT_FOUND : result;
}

/* KS_NOT_FOUND when the user was removed: then the vault takes the file away again. */
static enum ks_result apply_file(struct ks_engine *engine, const struct ks_vault_row *row)
{
    if (ks_engine_find_staying(engine, &row->id) == NULL)
        return KS_NOT_FOUND;
    enum ks_result result = ks_database_writer_begin(&engine->writer);
    if (result == KS_OK)
        result = row->is_removal ? remove_file(engine, row) : find_file(engine, row);
    if (result != KS_MORE)
        return result;
    struct ks_query query = ks_database_writer_query(&engine->writer, KS_STATEMENT_PUT_FILE);
    ks_query_blob(&query, row->id.bytes, sizeof row->id.bytes);
    ks_query_text(&query, row->file_name, strlen(row->file_name));
    ks_query_text(&query, row->path_name, strlen(row->path_name));
    ks_query_text(&query, row->kept_name, strlen(row->kept_name));
    ks_query_integer(&query, (int64_t)row->size);
    bind_cksum(&query, row);
    return ks_database_writer_check(&engine->writer, ks_query_run(&query));
}

static void settle_put_rows(struct ks_task *task)
{
    struct ks_vault_rows *rows = KS_CONTAINER_OF(task, struct ks_vault_rows, task);
    struct ks_engine *engine = KS_CONTAINER_OF(rows->index, struct ks_engine, index);
    uint64_t files = 0;
    for (struct ks_vault_row *row = rows->first; row != NULL; row = row->next) {
        if (row->result == KS_OK)
            row->result =
                row->message != NULL ? ks_messages_settle(engine, row->message) : engine->writer.failure;
        files += row->message == NULL && !row->is_removal && row->result == KS_OK ? 1 : 0;
    }
    rows->done(rows);
    if (files > 0)
        ks_digests_wake(&engine->digests, files);
}

static void apply_put_rows(struct ks_task *task)
{
    struct ks_vault_rows *rows = KS_CONTAINER_OF(task, struct ks_vault_rows, task);
    struct ks_engine *engine = KS_CONTAINER_OF(rows->index, struct ks_engine, index);
    for (struct ks_vault_row *row = rows->first; row != NULL; row = row->next)
        row->result = row->message != NULL ? ks_messages_apply(engine, row->message, row->path_name)
                                           : apply_file(engine, row);
    ks_database_writer_settle_later(&engine->writer, task, settle_put_rows);
}

void ks_change_put_rows(struct ks_engine *engine, struct ks_vault_rows *rows)
{
    rows->task.run = apply_put_rows;
    ks_database_writer_post(&engine->writer, &rows->task);
}
