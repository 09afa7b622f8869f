/* engine.c — the embedded engine: opens and closes the data directory, gives each part what it works with,
 * and has the table of operations. Any thread asks; opening and closing are the server's main thread's.
 *
 * Stopping goes with the stream: the vault posts to the writer, the writer to the readers, so they end in
 * this order and nothing is lost between them. What posts the other way, check.h, damage.h,
 * digests.h and stored_files.h, is stopped before. */
#include "store/embedded/engine.h"

#include "crypto/secret.h"
#include "store/embedded/account_requests.h"
#include "store/embedded/changes.h"
#include "store/embedded/database/schema.h"
#include "store/embedded/disk/reaper.h"
#include "store/embedded/disk/store_directory.h"
#include "store/embedded/embedded.h"
#include "store/embedded/leftovers.h"
#include "store/embedded/loading.h"
#include "store/embedded/messages.h"
#include "store/embedded/operators.h"
#include "store/embedded/user_requests.h"
#include "store/embedded/vault/sweep.h"
#include "store/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    DEFAULT_STAGE_LIFETIME = 3600,
    DEFAULT_KEYLESS_LIFETIME = 24 * 3600,
    DEFAULT_CONTENT_KEY_LIFETIME = 24 * 3600,
    CACHED_PUBLIC_KEYS = 4096,
};

/* ---- files ---- */

static void refuse_stage(struct ks_store_stage_open *request, enum ks_store_limit limit)
{
    request->limit = limit;
    ks_reply_now(&request->request, KS_NO_SPACE);
}

/* A session may go on for a while after its user was removed. */
static void engine_stage_open(struct ks_store *store, struct ks_store_stage_open *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    struct ks_user user;
    uint64_t files = 0;
    uint64_t bytes = 0;
    ks_quotas_sums(engine->quotas, &request->id, &files, &bytes);
    request->has_files = files > 0;
    if (ks_users_look_up(engine->users, &request->id, true, &user) != KS_OK)
        ks_reply_now(&request->request, KS_NOT_FOUND);
    else if (ks_engine_is_short(engine))
        refuse_stage(request, KS_STORE_LIMIT_FREE_SPACE);
    else
        ks_vault_stage_open(engine->vault, request);
}

static void engine_stage_write(struct ks_store *store, struct ks_store_stage_write *request)
{
    ks_vault_stage_write(ks_engine_of(store)->vault, request);
}

static void engine_confirm(struct ks_store *store, struct ks_store_confirm *request)
{
    ks_vault_confirm(ks_engine_of(store)->vault, request);
}

static void engine_discard(struct ks_store *store, struct ks_stage *stage, struct ks_store_request *request)
{
    ks_vault_discard(ks_engine_of(store)->vault, stage, request);
}

static bool is_user(struct ks_engine *engine, const struct ks_client_id *id)
{
    struct ks_user user;
    return ks_users_look_up(engine->users, id, true, &user) == KS_OK;
}

static void engine_put_open(struct ks_store *store, struct ks_store_put_open *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    enum ks_result result = KS_OK;
    request->limit = KS_STORE_LIMIT_NONE;
    if (!is_user(engine, &request->id)) {
        result = KS_NOT_FOUND;
    } else if (ks_engine_is_short(engine)) {
        result = KS_NO_SPACE;
        request->limit = KS_STORE_LIMIT_FREE_SPACE;
    }
    if (result == KS_OK)
        ks_vault_put_open(engine->vault, request);
    else
        ks_reply_now(&request->request, result);
}

static void engine_put_park(struct ks_store *store, struct ks_stage *stage)
{
    ks_vault_put_park(ks_engine_of(store)->vault, stage);
}

static void engine_remove_file(struct ks_store *store, struct ks_store_remove_file *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    if (is_user(engine, &request->id))
        ks_vault_remove(engine->vault, request);
    else
        ks_reply_now(&request->request, KS_NOT_FOUND);
}

static void engine_list_files(struct ks_store *store, struct ks_store_list_files *request)
{
    ks_file_reader_list(&ks_engine_of(store)->file_reader, request);
}

static void engine_file_open(struct ks_store *store, struct ks_store_file_open *request)
{
    ks_stored_files_open(&ks_engine_of(store)->stored_files, request);
}

static void engine_file_read(struct ks_store *store, struct ks_store_file_read *request)
{
    ks_stored_files_read(&ks_engine_of(store)->stored_files, request);
}

static void engine_file_close(struct ks_store *store, struct ks_stored_file *file)
{
    (void)store;
    ks_stored_file_close(file);
}

static void engine_digest_file(struct ks_store *store, struct ks_store_digest_file *request)
{
    ks_digests_ask(&ks_engine_of(store)->digests, request);
}

/* ---- close ---- */

static void stop_writer(struct ks_engine *engine)
{
    if (engine->writer.thread == NULL)
        return;
    ks_database_writer_stop(&engine->writer);
    ks_upkeep_finish(engine);
}

static void stop_parts(struct ks_engine *engine)
{
    ks_check_stop(&engine->check);
    ks_digests_stop(&engine->digests);
    ks_stored_files_close(&engine->stored_files);
    if (engine->vault != NULL)
        ks_vault_stop(engine->vault);
    ks_damage_stop(&engine->damage);
    ks_counting_close(&engine->counting);
    ks_filing_settle(&engine->filing);
    stop_writer(engine);
    ks_key_reader_stop(&engine->key_reader);
    ks_pull_reader_stop(&engine->pull_reader);
    ks_file_reader_stop(&engine->file_reader);
    ks_digests_free(&engine->digests);
    ks_stored_files_stop(&engine->stored_files);
    ks_counting_finish(&engine->counting);
    ks_thread_stop(engine->reaper); /* last: the others have it delete */
    ks_filing_stop(&engine->filing);
    ks_database_writer_disconnect(&engine->writer);
    ks_departures_destroy(&engine->departures);
    ks_stored_files_destroy(&engine->stored_files);
    ks_counting_destroy(&engine->counting);
    ks_write_turn_destroy(&engine->turn);
}

/* Whatever was opened so far. */
static void engine_free(struct ks_engine *engine)
{
    if (engine->reaper != NULL)
        stop_parts(engine);
    ks_vault_free(engine->vault);
    ks_inboxes_free(engine->inboxes);
    ks_quotas_free(engine->quotas);
    ks_puts_free(engine->puts);
    ks_users_free(engine->users);
    ks_key_cache_free(engine->keys);
    ks_alias_key_free(engine->aliases);
    ks_secret_wipe(engine->alias_key, sizeof engine->alias_key);
    free(engine->database_path);
    ks_reserve_close(&engine->reserve);
    if (engine->directory_fd >= 0)
        close(engine->directory_fd);
    if (engine->lock_fd >= 0)
        close(engine->lock_fd);
    free(engine);
}

static void engine_check(struct ks_store *store, struct ks_store_check *request)
{
    ks_check_ask(&ks_engine_of(store)->check, request);
}

static void engine_close(struct ks_store *store)
{
    engine_free(ks_engine_of(store));
}

/* ---- open ---- */

static const struct ks_store_operations engine_operations = {
    .register_user = ks_user_requests_register_user,
    .look_up = ks_user_requests_look_up,
    .classic_id = ks_account_requests_classic_id,
    .sign_in = ks_account_requests_sign_in,
    .register_account = ks_account_requests_register,
    .adopt = ks_account_requests_adopt,
    .set_classic = ks_account_requests_set_classic,
    .invite = ks_account_requests_invite,
    .name_holder = ks_account_requests_name_holder,
    .name_at_hand = ks_user_requests_name_at_hand,
    .public_key = ks_user_requests_public_key,
    .set_keys = ks_user_requests_set_keys,
    .content_key = ks_user_requests_content_key,
    .drop_content_key = ks_user_requests_drop_content_key,
    .touch = ks_user_requests_touch,
    .stage_open = engine_stage_open,
    .stage_write = engine_stage_write,
    .confirm = engine_confirm,
    .discard = engine_discard,
    .put_open = engine_put_open,
    .put_park = engine_put_park,
    .remove_file = engine_remove_file,
    .list_files = engine_list_files,
    .file_open = engine_file_open,
    .file_read = engine_file_read,
    .file_close = engine_file_close,
    .digest_file = engine_digest_file,
    .list_begin = ks_user_requests_list_begin,
    .list_users = ks_user_requests_list_users,
    .append_message = ks_messages_append,
    .lease_waiting = ks_messages_lease_waiting,
    .lease_read = ks_messages_lease_read,
    .lease_settle = ks_messages_lease_settle,
    .lease_delivered = ks_messages_lease_delivered,
    .lease_renew = ks_messages_lease_renew,
    .lease_release = ks_messages_lease_release,
    .describe_user = ks_operators_describe_user,
    .describe_users = ks_operators_describe_users,
    .reset_key = ks_operators_reset_key,
    .remove_user = ks_operators_remove_user,
    .check = engine_check,
    .probe = ks_operators_probe,
    .close = engine_close,
};

static void engine_commit_rows(struct ks_vault_index *index, struct ks_vault_rows *rows)
{
    ks_change_put_rows(KS_CONTAINER_OF(index, struct ks_engine, index), rows);
}

static int64_t or_default(int64_t value, int64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

static const struct ks_store_limits no_limits = {0};

static struct ks_engine *engine_new(const struct ks_embedded_options *options)
{
    struct ks_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL)
        return NULL;
    engine->store.operations = &engine_operations;
    engine->index.commit = engine_commit_rows;
    engine->clock = options->clock;
    engine->random = options->random;
    engine->log = options->log;
    engine->limits = options->limits != NULL ? options->limits : &no_limits;
    engine->stage_lifetime = or_default(options->stage_lifetime, DEFAULT_STAGE_LIFETIME);
    engine->keyless_user_lifetime = or_default(options->keyless_user_lifetime, DEFAULT_KEYLESS_LIFETIME);
    engine->content_key_lifetime = or_default(options->content_key_lifetime, DEFAULT_CONTENT_KEY_LIFETIME);
    engine->directory_fd = -1;
    engine->lock_fd = -1;
    ks_reserve_init(&engine->reserve);
    engine->keys = ks_key_cache_new(CACHED_PUBLIC_KEYS);
    engine->inboxes =
        ks_inboxes_new(engine->clock, (uint64_t)or_default(options->lease_lifetime_ms, KS_LEASE_LIFETIME_MS),
                       engine->limits);
    engine->quotas = ks_quotas_new(engine->limits);
    engine->puts = ks_puts_new(engine->limits, engine->log);
    if (engine->keys == NULL || engine->inboxes == NULL || engine->quotas == NULL || engine->puts == NULL ||
        asprintf(&engine->database_path, "%s/kesher.db", options->data_directory) < 0) {
        engine->database_path = NULL; /* asprintf leaves it undefined */
        engine_free(engine);
        return NULL;
    }
    return engine;
}

static enum ks_result open_directory(struct ks_engine *engine, const char *directory, char *why,
                                     size_t why_size)
{
    enum ks_result result = ks_store_directory_open(directory, engine->log, &engine->directory_fd,
                                                    &engine->lock_fd, why, why_size);
    if (result != KS_OK)
        return result;
    ks_reserve_open(&engine->reserve, engine->directory_fd, engine->log);
    result = ks_store_directory_fill(engine->directory_fd, directory, engine->database_path, why, why_size);
    if (result != KS_OK)
        return result;
    return ks_sweep_clear_staging(engine->directory_fd,
                                  ks_clock_wall_seconds(engine->clock) - engine->stage_lifetime);
}

/* ---- the parts ---- */

static void appending_batch(void *context)
{
    struct ks_engine *engine = context;
    ks_appending_batch(&engine->appending);
}

static void appending_batch_over(void *context)
{
    struct ks_engine *engine = context;
    ks_appending_batch_over(&engine->appending);
}

static void filing_transaction_over(void *context, bool committed)
{
    struct ks_engine *engine = context;
    ks_filing_transaction_over(&engine->filing, committed);
}

static void log_is_long(void *context)
{
    struct ks_engine *engine = context;
    ks_filing_write_back_log(&engine->filing);
}

static uint64_t appending_idle(void *context)
{
    struct ks_engine *engine = context;
    return ks_appending_idle(&engine->appending);
}

static void upkeep_tick(void *engine)
{
    ks_upkeep_tick(engine);
}

/* What is done on the writer's thread. */
static void assemble_writer(struct ks_engine *engine)
{
    engine->writer.database_path = engine->database_path;
    engine->writer.log = engine->log;
    ks_write_turn_init(&engine->turn);
    engine->writer.turn = &engine->turn;
    engine->writer.in_a_hurry = true;
    engine->writer.context = engine;
    engine->writer.transaction_over = filing_transaction_over;
    engine->writer.log_is_long = log_is_long;
    engine->writer.hooks = (struct ks_database_writer_hooks){
        .batch = appending_batch,
        .batch_over = appending_batch_over,
        .idle = appending_idle,
        .tick = upkeep_tick,
    };
    engine->age = (struct ks_age){.writer = &engine->writer, .clock = engine->clock};
    engine->filing = (struct ks_filing){
        .writer = &engine->writer,
        .clock = engine->clock,
        .random = engine->random,
        .log = engine->log,
        .directory_fd = engine->directory_fd,
    };
    ks_journal_init(&engine->filing.journal);
    engine->appending = (struct ks_appending){
        .writer = &engine->writer, .filing = &engine->filing, .clock = engine->clock, .log = engine->log};
    engine->removal = (struct ks_removal){
        .writer = &engine->writer,
        .appending = &engine->appending,
        .inboxes = engine->inboxes,
        .reserve = &engine->reserve,
        .reaper = engine->reaper,
        .clock = engine->clock,
        .log = engine->log,
        .directory_fd = engine->directory_fd,
    };
    engine->upkeep.last_flush_ms = ks_clock_monotonic_ms(engine->clock);
    ks_departures_init(&engine->departures);
}

/* What is done on the threads of readers. */
static void assemble_readers(struct ks_engine *engine)
{
    engine->key_reader.keys = engine->keys;
    engine->key_reader.reader = (struct ks_database_reader){
        .database_path = engine->database_path, .subject = "public keys", .log = engine->log};
    engine->pull_reader = (struct ks_pull_reader){
        .reader = {.database_path = engine->database_path, .subject = "messages", .log = engine->log},
        .inboxes = engine->inboxes,
        .filing = &engine->filing,
        .damage = &engine->damage,
        .log = engine->log,
        .directory_fd = engine->directory_fd,
    };
    engine->details = (struct ks_details){
        .reader = &engine->pull_reader.reader,
        .users = engine->users,
        .inboxes = engine->inboxes,
        .puts = engine->puts,
    };
    engine->counting = (struct ks_counting){
        .writer = &engine->writer,
        .filing = &engine->filing,
        .appending = &engine->appending,
        .inboxes = engine->inboxes,
        .reader = &engine->pull_reader.reader,
        .apply = ks_messages_apply_counted,
    };
    ks_counting_init(&engine->counting);
    engine->damage = (struct ks_damage){
        .writer = &engine->writer,
        .reader = &engine->pull_reader.reader,
        .users = engine->users,
        .inboxes = engine->inboxes,
        .clock = engine->clock,
        .log = engine->log,
        .directory_fd = engine->directory_fd,
    };
    engine->check = (struct ks_check){
        .writer = &engine->writer,
        .filing = &engine->filing,
        .appending = &engine->appending,
        .damage = &engine->damage,
        .users = engine->users,
        .quotas = engine->quotas,
        .reaper = engine->reaper,
        .log = engine->log,
        .database_path = engine->database_path,
        .directory_fd = engine->directory_fd,
    };
}

/* What is done on the threads that read users' files. */
static void assemble_files(struct ks_engine *engine)
{
    engine->file_reader = (struct ks_file_reader){
        .reader = {.database_path = engine->database_path, .subject = "files", .log = engine->log},
        .users = engine->users,
        .directory_fd = engine->directory_fd,
        .hooks = {.context = &engine->digests, .idle = ks_digests_idle},
    };
    engine->stored_files = (struct ks_stored_files){
        .reader = &engine->file_reader,
        .writer = &engine->writer,
        .reaper = engine->reaper,
        .log = engine->log,
        .directory_fd = engine->directory_fd,
    };
    ks_stored_files_init(&engine->stored_files);
    engine->digests = (struct ks_digests){
        .reader = &engine->file_reader,
        .files = &engine->stored_files,
        .writer = &engine->writer,
        .clock = engine->clock,
        .log = engine->log,
    };
}

/* The reaper is the first to start: where there is one, there are all parts, and they are to be stopped. */
static enum ks_result assemble(struct ks_engine *engine)
{
    enum ks_result result = ks_users_new(engine->random, &engine->users);
    if (result == KS_OK)
        result = ks_reaper_start(&engine->reaper);
    if (result != KS_OK)
        return result;
    assemble_writer(engine);
    assemble_readers(engine);
    assemble_files(engine);
    return KS_OK;
}

static enum ks_result open_aliases(struct ks_engine *engine)
{
    enum ks_result result = ks_schema_alias_key(engine->writer.database, engine->random, engine->alias_key);
    if (result == KS_OK)
        result = ks_alias_key_new(engine->alias_key, &engine->aliases);
    engine->damage.aliases = engine->aliases;
    engine->check.aliases = engine->aliases;
    return result;
}

static enum ks_result open_database(struct ks_engine *engine, const struct ks_embedded_options *options,
                                    char *why, size_t why_size)
{
    enum ks_result result = ks_database_writer_connect(&engine->writer, why, why_size);
    if (result == KS_OK)
        result = ks_schema_upgrade(engine->writer.database, options->skeleton, why, why_size);
    if (result == KS_OK)
        result = open_aliases(engine);
    if (result == KS_OK)
        result = ks_age_load(&engine->age);
    if (result == KS_OK)
        result = ks_departures_load(engine);
    if (result == KS_OK)
        result = ks_loading_users(engine);
    if (result == KS_OK)
        result = ks_loading_accounts(engine);
    if (result == KS_OK)
        result = ks_leftovers_load(engine);
    if (result == KS_OK)
        result = ks_loading_files(engine);
    if (result == KS_OK)
        result = ks_filing_recover(&engine->filing, why, why_size);
    if (result == KS_OK)
        result = ks_loading_messages(engine);
    return result;
}

static enum ks_result open_vault(struct ks_engine *engine, const struct ks_embedded_options *options)
{
    const struct ks_vault_options vault = {
        .directory_fd = engine->directory_fd,
        .aliases = engine->aliases,
        .clock = engine->clock,
        .random = engine->random,
        .log = engine->log,
        .index = &engine->index,
        .quotas = engine->quotas,
        .puts = engine->puts,
        .reaper = engine->reaper,
        .threads = options->vault_threads,
        .stage_lifetime = engine->stage_lifetime,
    };
    enum ks_result result = ks_vault_open(&vault, &engine->vault);
    engine->check.vault = engine->vault;
    engine->stored_files.vault = engine->vault;
    engine->digests.vault = engine->vault;
    return result;
}

static enum ks_result start_threads(struct ks_engine *engine, const struct ks_embedded_options *options)
{
    enum ks_result result = ks_key_reader_start(&engine->key_reader);
    if (result == KS_OK)
        result = ks_pull_reader_start(&engine->pull_reader);
    if (result == KS_OK)
        result = ks_digests_start(&engine->digests);
    if (result == KS_OK)
        result = ks_file_reader_start(&engine->file_reader);
    if (result == KS_OK)
        result = ks_stored_files_start(&engine->stored_files);
    if (result == KS_OK)
        result = ks_database_writer_start(&engine->writer);
    if (result == KS_OK)
        result = open_vault(engine, options);
    if (result == KS_OK)
        result = ks_check_start(&engine->check);
    if (result == KS_OK)
        ks_digests_begin(&engine->digests);
    return result;
}

enum ks_result ks_embedded_open(const struct ks_embedded_options *options, struct ks_store **store, char *why,
                                size_t why_size)
{
    why[0] = '\0';
    struct ks_engine *engine = engine_new(options);
    enum ks_result result = engine == NULL ? KS_NO_MEMORY : KS_OK;
    if (result == KS_OK)
        result = open_directory(engine, options->data_directory, why, why_size);
    if (result == KS_OK)
        result = assemble(engine);
    if (result == KS_OK)
        result = open_database(engine, options, why, why_size);
    if (result == KS_OK) {
        ks_space_init(&engine->space, engine->directory_fd, engine->clock, engine->log, engine->limits);
        result = start_threads(engine, options);
    }
    if (result == KS_OK) {
        *store = &engine->store;
        return KS_OK;
    }
    if (why[0] == '\0')
        snprintf(why, why_size, "cannot open %s: %s", options->data_directory, ks_result_text(result));
    if (engine != NULL)
        engine_free(engine);
    return result;
}

const uint8_t *ks_embedded_alias_key(const struct ks_store *store)
{
    return KS_CONTAINER_OF(store, const struct ks_engine, store)->alias_key;
}

size_t ks_embedded_user_count(const struct ks_store *store)
{
    return ks_users_count(KS_CONTAINER_OF(store, const struct ks_engine, store)->users);
}

void ks_embedded_statistics(const struct ks_store *store, struct ks_embedded_statistics *statistics)
{
    const struct ks_engine *engine = KS_CONTAINER_OF(store, const struct ks_engine, store);
    const struct ks_database_writer_counts *counts = &engine->writer.counts;
    *statistics = (struct ks_embedded_statistics){
        .users = ks_users_count(engine->users),
        .writer_queue = ks_thread_waiting(engine->writer.thread),
        .reader_queue = ks_thread_waiting(engine->key_reader.reader.thread),
        .pull_queue = ks_thread_waiting(engine->pull_reader.reader.thread),
        .files_queue = ks_thread_waiting(engine->file_reader.reader.thread),
        .files_without_sha256 = atomic_load_explicit(&engine->digests.unknown, memory_order_relaxed),
        .free_bytes = atomic_load_explicit(&engine->space.free_bytes, memory_order_relaxed),
        .free_limit = atomic_load_explicit(&engine->limits->free_space, memory_order_relaxed),
        .is_short = atomic_load_explicit(&engine->space.is_short, memory_order_relaxed),
        .failed_commits = ks_counted(&counts->failures),
        .commit_requests = &counts->requests,
        .commit_request_bounds = ks_database_writer_request_bounds,
        .commit_microseconds = &counts->microseconds,
        .commit_microsecond_bounds = ks_database_writer_microsecond_bounds,
    };
    ks_inboxes_all_waiting(engine->inboxes, &statistics->waiting_messages, &statistics->waiting_bytes);
    ks_quotas_all(engine->quotas, &statistics->files, &statistics->file_bytes);
    ks_puts_all(engine->puts, &statistics->puts, &statistics->put_bytes);
    ks_vault_waiting(engine->vault, &statistics->stage_queue, &statistics->confirm_queue);
}
