/* departures.c — see departures.h. */
#include "store/embedded/departures.h"

#include "base/limits/log_repeats.h"
#include "store/embedded/engine.h"
#include "store/embedded/vault/sweep.h"
#include "store/embedded/writer/account_rows.h"
#include "store/reply.h"

#include <stdlib.h>
#include <string.h>

enum {
    PIECE_FILES = 10 * 1000, /* rows deleted in one batch */
    PIECE_ENTRIES = 256,     /* files removed in one go: then others have their turn */
    RETRY_MS = 60 * 1000,
};

struct ks_departure {
    struct ks_task task;
    struct ks_departure *next; /* while it waits */
    struct ks_departure *all_previous, *all_next;
    struct ks_engine *engine;
    struct ks_store_remove_user *request; /* NULL: nobody waits for an answer (any more) */
    struct ks_client_id id;
    struct ks_vault_expulsion expulsion;
    enum ks_result result;  /* of what was applied */
    bool has_messages;      /* a removal of them is on its way (inboxes.h) … */
    uint64_t last_message;  /* … up to this id */
    bool of_earlier_server; /* no upload can have begun, so the note goes in the end */
    bool is_clean;          /* and only the note is left */
};

void ks_departures_init(struct ks_departures *departures)
{
    pthread_mutex_init(&departures->lock, NULL);
}

void ks_departures_destroy(struct ks_departures *departures)
{
    struct ks_departure *next = NULL;
    for (struct ks_departure *departure = departures->all; departure != NULL; departure = next) {
        next = departure->all_next;
        free(departure);
    }
    pthread_mutex_destroy(&departures->lock);
}

/* ---- ends ---- */

static void wait_for_tick(struct ks_departure *departure)
{
    struct ks_departures *departures = &departure->engine->departures;
    pthread_mutex_lock(&departures->lock);
    LL_PREPEND(departures->waiting, departure);
    pthread_mutex_unlock(&departures->lock);
}

static void answer(struct ks_departure *departure, enum ks_result result)
{
    struct ks_store_remove_user *request = departure->request;
    departure->request = NULL;
    if (request == NULL)
        return;
    request->id = departure->id;
    ks_reply_post(&request->request, result);
}

static void departure_free(struct ks_departure *departure)
{
    struct ks_departures *departures = &departure->engine->departures;
    pthread_mutex_lock(&departures->lock);
    DL_DELETE2(departures->all, departure, all_previous, all_next);
    pthread_mutex_unlock(&departures->lock);
    free(departure);
}

/* All that it had is gone. */
static void become_clean(struct ks_departure *departure)
{
    struct ks_departures *departures = &departure->engine->departures;
    pthread_mutex_lock(&departures->lock);
    departure->is_clean = true;
    pthread_mutex_unlock(&departures->lock);
}

/* The user is gone, but not all that it had. */
static void put_off(struct ks_departure *departure, const char *what, enum ks_result why)
{
    ks_log_trouble(departure->engine->log, KS_LOG_ERROR,
                   "cannot delete %s of a removed user, and will try again: %s", what, ks_result_text(why));
    wait_for_tick(departure);
    answer(departure, KS_OK);
}

/* ---- the directory, on the reaper's thread ---- */

static void run_directory(struct ks_task *task)
{
    struct ks_departure *departure = KS_CONTAINER_OF(task, struct ks_departure, task);
    struct ks_engine *engine = departure->engine;
    enum ks_result result =
        ks_sweep_remove_user(engine->directory_fd, engine->aliases, &departure->id, PIECE_ENTRIES);
    if (result == KS_MORE) {
        ks_executor_post(ks_thread_executor(engine->reaper), task);
        return;
    }
    if (result == KS_OK)
        result = ks_sweep_remove_puts(engine->directory_fd, engine->aliases, engine->puts, &departure->id);
    if (result != KS_OK) {
        put_off(departure, "the files", result);
        return;
    }
    become_clean(departure);
    answer(departure, KS_OK);
    if (departure->of_earlier_server)
        wait_for_tick(departure);
    else
        departure_free(departure);
}

/* ---- the rows of what it had, on the writer's thread ---- */

static void apply_rows(struct ks_task *task);

/* KS_OK when no row is left, KS_MORE when there are others. */
static enum ks_result delete_file_rows(struct ks_engine *engine, const struct ks_departure *departure)
{
    struct ks_query query = ks_database_writer_query(&engine->writer, KS_STATEMENT_DELETE_FILES);
    ks_query_blob(&query, departure->id.bytes, sizeof departure->id.bytes);
    ks_query_integer(&query, PIECE_FILES);
    enum ks_result result = ks_database_writer_check(&engine->writer, ks_query_run(&query));
    if (result != KS_OK)
        return result;
    return sqlite3_changes(engine->writer.database) == PIECE_FILES ? KS_MORE : KS_OK;
}

static enum ks_result delete_rows(struct ks_engine *engine, const struct ks_departure *departure)
{
    enum ks_result result = ks_database_writer_begin(&engine->writer);
    if (result == KS_OK)
        result = delete_file_rows(engine, departure);
    if (result == KS_OK && departure->has_messages)
        result = ks_removal_piece(&engine->removal, &departure->id, 0, departure->last_message);
    return result;
}

static void settle_rows(struct ks_task *task)
{
    struct ks_departure *departure = KS_CONTAINER_OF(task, struct ks_departure, task);
    struct ks_engine *engine = departure->engine;
    enum ks_result failure = engine->writer.failure;
    enum ks_result result = failure != KS_OK ? failure : departure->result;
    ks_removal_batch_over(&engine->removal, failure == KS_OK);
    if (result == KS_MORE) {
        task->run = apply_rows;
        ks_database_writer_post(&engine->writer, task);
        return;
    }
    if (departure->has_messages)
        ks_inboxes_removed(engine->inboxes, &departure->id, 0, result == KS_OK);
    departure->has_messages = false; /* if they are not gone, removal.c goes on with them */
    if (result != KS_OK) {
        put_off(departure, "the rows", result);
        return;
    }
    task->run = run_directory;
    ks_executor_post(ks_thread_executor(engine->reaper), task);
}

static void apply_rows(struct ks_task *task)
{
    struct ks_departure *departure = KS_CONTAINER_OF(task, struct ks_departure, task);
    departure->result = delete_rows(departure->engine, departure);
    ks_database_writer_settle_later(&departure->engine->writer, task, settle_rows);
}

static void post_rows(struct ks_departure *departure)
{
    departure->task.run = apply_rows;
    ks_database_writer_post(&departure->engine->writer, &departure->task);
}

/* ---- the user itself, on the writer's thread ---- */

/* In the transaction: the account may have got another key since the asker looked. */
static enum ks_result judge_key(struct ks_engine *engine, const struct ks_departure *departure)
{
    const struct ks_store_remove_user *request = departure->request;
    struct ks_account_row row;
    if (request == NULL || !request->only_with_key)
        return KS_OK;
    enum ks_result result = ks_account_rows_by_id(&engine->writer, &departure->id, &row);
    if (result == KS_OK && memcmp(row.key, request->account_key, sizeof row.key) != 0)
        return KS_NOT_FOUND;
    return result;
}

static enum ks_result delete_user(struct ks_engine *engine, const struct ks_departure *departure)
{
    struct ks_user_entry *entry = ks_users_find(engine->users, &departure->id);
    if (entry == NULL || !entry->published || entry->leaving)
        return KS_NOT_FOUND;
    enum ks_result result = ks_database_writer_begin(&engine->writer);
    if (result == KS_OK)
        result = judge_key(engine, departure);
    if (result == KS_OK)
        result = ks_account_rows_retire(&engine->writer, &departure->id);
    if (result != KS_OK)
        return result;
    struct ks_query user = ks_database_writer_query(&engine->writer, KS_STATEMENT_DELETE_CLIENT);
    ks_query_integer(&user, entry->number);
    result = ks_database_writer_check(&engine->writer, ks_query_run(&user));
    if (result != KS_OK)
        return result;
    struct ks_query note = ks_database_writer_query(&engine->writer, KS_STATEMENT_INSERT_REMOVAL);
    ks_query_blob(&note, departure->id.bytes, sizeof departure->id.bytes);
    result = ks_database_writer_check(&engine->writer, ks_query_run(&note));
    /* Its number may be given to another user in this very batch: no later change of it may touch a row. */
    entry->leaving = result == KS_OK;
    return result;
}

static void forget_user(struct ks_departure *departure, struct ks_user_entry *entry)
{
    struct ks_engine *engine = departure->engine;
    departure->has_messages = ks_inboxes_vacate(engine->inboxes, &departure->id, &departure->last_message);
    ks_quotas_forget(engine->quotas, &departure->id);
    ks_users_remove(engine->users, entry);
    ks_key_cache_drop(engine->keys, &departure->id);
}

static void settle_user(struct ks_task *task)
{
    struct ks_departure *departure = KS_CONTAINER_OF(task, struct ks_departure, task);
    struct ks_engine *engine = departure->engine;
    enum ks_result failure = engine->writer.failure;
    if (departure->result == KS_OK) {
        struct ks_user_entry *entry = ks_users_find(engine->users, &departure->id);
        entry->leaving = false;
        if (failure == KS_OK) {
            forget_user(departure, entry);
            post_rows(departure);
            return;
        }
    }
    answer(departure, failure != KS_OK ? failure : departure->result);
    departure_free(departure);
}

static void apply_user(struct ks_task *task)
{
    struct ks_departure *departure = KS_CONTAINER_OF(task, struct ks_departure, task);
    departure->result = delete_user(departure->engine, departure);
    ks_database_writer_settle_later(&departure->engine->writer, task, settle_user);
}

/* ---- the beginning ---- */

static void stages_failed(struct ks_vault_expulsion *expulsion)
{
    struct ks_departure *departure = KS_CONTAINER_OF(expulsion, struct ks_departure, expulsion);
    departure->task.run = apply_user;
    ks_database_writer_post(&departure->engine->writer, &departure->task);
}

static struct ks_departure *departure_new(struct ks_engine *engine, const struct ks_client_id *id)
{
    struct ks_departure *departure = calloc(1, sizeof *departure);
    if (departure == NULL)
        return NULL;
    departure->engine = engine;
    departure->id = *id;
    pthread_mutex_lock(&engine->departures.lock);
    DL_APPEND2(engine->departures.all, departure, all_previous, all_next);
    pthread_mutex_unlock(&engine->departures.lock);
    return departure;
}

void ks_departures_begin(struct ks_engine *engine, struct ks_store_remove_user *request)
{
    struct ks_user user;
    struct ks_departure *departure = NULL;
    enum ks_result result = ks_users_look_up_name(engine->users, request->name,
                                                  strnlen(request->name, sizeof request->name), true, &user);
    if (result == KS_OK) {
        departure = departure_new(engine, &user.id);
        result = departure == NULL ? KS_NO_MEMORY : KS_OK;
    }
    if (result != KS_OK) {
        ks_reply_now(&request->request, result);
        return;
    }
    departure->request = request;
    departure->expulsion.id = user.id;
    departure->expulsion.done = stages_failed;
    ks_vault_expel(engine->vault, &departure->expulsion);
}

/* ---- what is left ---- */

static enum ks_result load_note(struct ks_engine *engine, sqlite3_stmt *row)
{
    struct ks_client_id id;
    if (sqlite3_column_bytes(row, 0) != KS_CLIENT_ID_SIZE)
        return KS_INVALID;
    memcpy(id.bytes, sqlite3_column_blob(row, 0), sizeof id.bytes);
    struct ks_departure *departure = departure_new(engine, &id);
    if (departure == NULL)
        return KS_NO_MEMORY;
    departure->of_earlier_server = true;
    wait_for_tick(departure);
    return KS_OK;
}

enum ks_result ks_departures_load(struct ks_engine *engine)
{
    sqlite3_stmt *statement = NULL;
    enum ks_result result =
        ks_database_prepare(engine->writer.database, "SELECT ID FROM removals", &statement);
    if (result != KS_OK)
        return result;
    struct ks_query query = ks_query_start(statement);
    while (result == KS_OK && ks_query_next(&query))
        result = load_note(engine, statement);
    enum ks_result read = ks_query_end(&query);
    sqlite3_finalize(statement);
    return result != KS_OK ? result : read;
}

bool ks_departures_is_over(struct ks_engine *engine, const struct ks_client_id *id)
{
    struct ks_departures *departures = &engine->departures;
    bool is_over = !ks_inboxes_has(engine->inboxes, id);
    pthread_mutex_lock(&departures->lock);
    for (const struct ks_departure *departure = departures->all; departure != NULL;
         departure = departure->all_next)
        if (!departure->is_clean && memcmp(&departure->id, id, sizeof *id) == 0)
            is_over = false;
    pthread_mutex_unlock(&departures->lock);
    return is_over;
}

void ks_departures_forget(struct ks_engine *engine, const struct ks_client_id *id)
{
    struct ks_departures *departures = &engine->departures;
    pthread_mutex_lock(&departures->lock);
    struct ks_departure *departure = departures->waiting;
    while (departure != NULL && memcmp(&departure->id, id, sizeof *id) != 0)
        departure = departure->next;
    if (departure != NULL)
        LL_DELETE(departures->waiting, departure);
    pthread_mutex_unlock(&departures->lock);
    if (departure != NULL)
        departure_free(departure);
}

static void delete_note(struct ks_engine *engine, const struct ks_departure *departure)
{
    if (ks_database_writer_begin(&engine->writer) != KS_OK)
        return;
    struct ks_query query = ks_database_writer_query(&engine->writer, KS_STATEMENT_DELETE_REMOVAL);
    ks_query_blob(&query, departure->id.bytes, sizeof departure->id.bytes);
    ks_database_writer_check(&engine->writer, ks_query_run(&query));
}

static void delete_notes(struct ks_engine *engine, struct ks_departure *clean)
{
    struct ks_departure *next = NULL;
    for (const struct ks_departure *departure = clean; departure != NULL; departure = departure->next)
        delete_note(engine, departure);
    bool done = ks_database_writer_finish(&engine->writer) == KS_OK;
    ks_database_writer_forget_failure(&engine->writer);
    for (; clean != NULL; clean = next) {
        next = clean->next;
        if (done)
            departure_free(clean);
        else
            wait_for_tick(clean);
    }
}

void ks_departures_tick(struct ks_engine *engine)
{
    struct ks_departures *departures = &engine->departures;
    struct ks_departure *clean = NULL;
    uint64_t now = ks_clock_monotonic_ms(engine->clock);
    if (now < departures->retry_at_ms)
        return;
    pthread_mutex_lock(&departures->lock);
    struct ks_departure *waiting = departures->waiting;
    departures->waiting = NULL;
    pthread_mutex_unlock(&departures->lock);
    if (waiting != NULL)
        departures->retry_at_ms = now + RETRY_MS;
    while (waiting != NULL) {
        struct ks_departure *departure = waiting;
        waiting = departure->next;
        if (departure->is_clean)
            LL_PREPEND(clean, departure);
        else
            post_rows(departure);
    }
    if (clean != NULL)
        delete_notes(engine, clean);
}
