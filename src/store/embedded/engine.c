/* engine.c — the embedded engine: opens and closes the data directory, and sends each request to whoever can
 * answer it: RAM, a reader, the writer or the vault. Any thread asks; opening and closing are the server's
 * main thread's.
 *
 * Stopping goes with the stream: the vault posts to the writer, the writer to the readers, so they end in
 * this order and nothing is lost between them. What posts the other way, check.h and damage.h, is stopped
 * before. */
#include "store/embedded/engine.h"

#include "crypto/secret.h"
#include "store/embedded/database/schema.h"
#include "store/embedded/embedded.h"
#include "store/embedded/loading.h"
#include "store/embedded/messages.h"
#include "store/embedded/operators.h"
#include "store/embedded/vault/sweep.h"
#include "store/embedded/writer/changes.h"
#include "store/reply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DEFAULT_STAGE_LIFETIME = 3600,
    DEFAULT_KEYLESS_LIFETIME = 24 * 3600,
    DEFAULT_CONTENT_KEY_LIFETIME = 24 * 3600,
    CACHED_PUBLIC_KEYS = 4096,
};

/* ---- requests ---- */

static void engine_register_user(struct ks_store *store, struct ks_store_register *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    if (ks_users_name_is_taken(engine->users, request->name, strnlen(request->name, sizeof request->name)))
        ks_reply_now(&request->request, KS_EXISTS);
    else
        ks_change_register(engine, request);
}

/* A question about a user with changes on their way: the writer settles those first, then answers. */
static void ask_behind_changes(struct ks_engine *engine, struct ks_store_request *request,
                               void (*apply)(struct ks_task *task))
{
    request->store = &engine->store;
    request->task.run = apply;
    ks_database_writer_post(engine, &request->task);
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
    ks_database_writer_settle_later(ks_engine_of(request->request.store), task, settle_look_up);
}

static void engine_look_up(struct ks_store *store, struct ks_store_look_up *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    enum ks_result result = ks_users_look_up(engine->users, &request->id, false, &request->user);
    if (result == KS_PENDING)
        ask_behind_changes(engine, &request->request, apply_look_up);
    else
        ks_reply_now(&request->request, result);
}

static enum ks_result engine_name_at_hand(struct ks_store *store, const struct ks_client_id *id,
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
        ks_key_reader_public_key(engine, request);
    else
        ks_reply_post(&request->request, result == KS_OK ? KS_REFUSED : result);
}

static void apply_public_key(struct ks_task *task)
{
    struct ks_store_public_key *request = KS_CONTAINER_OF(task, struct ks_store_public_key, request.task);
    ks_database_writer_settle_later(ks_engine_of(request->request.store), task, settle_public_key);
}

static void engine_public_key(struct ks_store *store, struct ks_store_public_key *request)
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
        ask_behind_changes(engine, &request->request, apply_public_key);
    else if (result == KS_OK && user.has_public_key)
        ks_key_reader_public_key(engine, request);
    else
        ks_reply_now(&request->request, result == KS_OK ? KS_REFUSED : result);
}

static void engine_set_keys(struct ks_store *store, struct ks_store_set_keys *request)
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
    ks_database_writer_settle_later(ks_engine_of(request->request.store), task, settle_content_key);
}

static void engine_content_key(struct ks_store *store, struct ks_store_content_key *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    enum ks_result result = current_content_key(engine, request, false);
    if (result == KS_PENDING)
        ask_behind_changes(engine, &request->request, apply_content_key);
    else
        ks_reply_now(&request->request, result);
}

static void engine_drop_content_key(struct ks_store *store, struct ks_store_drop_content_key *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    if (ks_users_expect_change(engine->users, &request->id))
        ks_change_drop_content_key(engine, request);
    else
        ks_reply_now(&request->request, KS_OK); /* who is not there has no key */
}

static void engine_touch(struct ks_store *store, const struct ks_client_id *id)
{
    struct ks_engine *engine = ks_engine_of(store);
    ks_users_touch(engine->users, id, ks_clock_wall_seconds(engine->clock));
}

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

static void engine_discard(struct ks_store *store, struct ks_store_discard *request)
{
    ks_vault_discard(ks_engine_of(store)->vault, request);
}

static void engine_list_begin(struct ks_store *store, struct ks_store_list_begin *request)
{
    struct ks_engine *engine = ks_engine_of(store);
    ks_reply_now(&request->request,
                 ks_users_list_begin(engine->users, &request->except, ks_clock_monotonic_ms(engine->clock),
                                     &request->count, &request->cursor));
}

static void engine_list_users(struct ks_store *store, struct ks_store_list_users *request)
{
    ks_reply_now(&request->request,
                 ks_users_list(ks_engine_of(store)->users, &request->except, &request->cursor, request->users,
                               request->limit, &request->count));
}

/* ---- close ---- */

/* Whatever was opened so far. */
static void engine_free(struct ks_engine *engine)
{
    ks_check_stop(engine);
    if (engine->vault != NULL)
        ks_vault_stop(engine->vault);
    ks_damage_stop(engine);
    ks_counting_close(engine);
    ks_database_writer_stop(engine);
    ks_key_reader_stop(engine);
    ks_pull_reader_stop(engine);
    ks_counting_finish(engine);
    ks_thread_stop(engine->reaper); /* last: the others have it delete */
    ks_filing_stop(engine);
    ks_database_writer_disconnect(engine);
    ks_departures_destroy(&engine->departures);
    ks_counting_destroy(&engine->counting);
    ks_vault_free(engine->vault);
    ks_inboxes_free(engine->inboxes);
    ks_quotas_free(engine->quotas);
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

static void engine_close(struct ks_store *store)
{
    engine_free(ks_engine_of(store));
}

/* ---- open ---- */

static const struct ks_store_operations engine_operations = {
    .register_user = engine_register_user,
    .look_up = engine_look_up,
    .name_at_hand = engine_name_at_hand,
    .public_key = engine_public_key,
    .set_keys = engine_set_keys,
    .content_key = engine_content_key,
    .drop_content_key = engine_drop_content_key,
    .touch = engine_touch,
    .stage_open = engine_stage_open,
    .stage_write = engine_stage_write,
    .confirm = engine_confirm,
    .discard = engine_discard,
    .list_begin = engine_list_begin,
    .list_users = engine_list_users,
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
    .check = ks_check_ask,
    .probe = ks_operators_probe,
    .close = engine_close,
};

static void engine_commit_rows(struct ks_vault_index *index, struct ks_vault_rows *rows)
{
    ks_change_put_rows(KS_CONTAINER_OF(index, struct ks_engine, index), rows);
}

/* What the operating system said, as one of the results that opening may have. */
static enum ks_result system_failure(const char *what, const char *name, char *why, size_t why_size)
{
    enum ks_result result = ks_result_from_errno(errno);
    char text[128];
    snprintf(why, why_size, "cannot %s %s: %s", what, name, strerror_r(errno, text, sizeof text));
    return result == KS_NO_SPACE || result == KS_NO_MEMORY ? result : KS_IO;
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
    engine->keyless_user_lifetime = or_default(options->keyless_user_lifetime, DEFAULT_KEYLESS_LIFETIME);
    engine->content_key_lifetime = or_default(options->content_key_lifetime, DEFAULT_CONTENT_KEY_LIFETIME);
    engine->directory_fd = -1;
    engine->lock_fd = -1;
    ks_departures_init(&engine->departures);
    ks_reserve_init(&engine->reserve);
    ks_counting_init(&engine->counting);
    ks_journal_init(&engine->filing.journal);
    engine->keys = ks_key_cache_new(CACHED_PUBLIC_KEYS);
    engine->inboxes =
        ks_inboxes_new(engine->clock, (uint64_t)or_default(options->lease_lifetime_ms, KS_LEASE_LIFETIME_MS),
                       engine->limits);
    engine->quotas = ks_quotas_new(engine->limits);
    if (engine->keys == NULL || engine->inboxes == NULL || engine->quotas == NULL ||
        asprintf(&engine->database_path, "%s/kesher.db", options->data_directory) < 0) {
        engine->database_path = NULL; /* asprintf leaves it undefined */
        engine_free(engine);
        return NULL;
    }
    return engine;
}

static enum ks_result take_lock(struct ks_engine *engine, const char *directory, char *why, size_t why_size)
{
    engine->lock_fd = openat(engine->directory_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (engine->lock_fd < 0)
        return system_failure("open the lock in", directory, why, why_size);
    if (flock(engine->lock_fd, LOCK_EX | LOCK_NB) == 0)
        return KS_OK;
    if (errno != EWOULDBLOCK)
        return system_failure("lock", directory, why, why_size);
    snprintf(why, why_size, "another server uses %s", directory);
    return KS_EXISTS;
}

/* SQLite would create its file readable for all; it takes the mode of the others from this one. */
static enum ks_result create_private(struct ks_engine *engine, char *why, size_t why_size)
{
    int fd = openat(engine->directory_fd, "kesher.db", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return system_failure("open", engine->database_path, why, why_size);
    close(fd);
    return KS_OK;
}

/* A new directory must survive a power cut like what will be in it. */
static enum ks_result sync_parent(struct ks_engine *engine, const char *directory, char *why, size_t why_size)
{
    int fd = openat(engine->directory_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum ks_result result = KS_OK;
    if (fd < 0 || fsync(fd) != 0)
        result = system_failure("sync the parent of", directory, why, why_size);
    if (fd >= 0)
        close(fd);
    return result;
}

static enum ks_result create_inside(struct ks_engine *engine, const char *directory, char *why,
                                    size_t why_size)
{
    if ((mkdirat(engine->directory_fd, "staging", 0700) != 0 && errno != EEXIST) ||
        (mkdirat(engine->directory_fd, "files", 0700) != 0 && errno != EEXIST) ||
        (mkdirat(engine->directory_fd, "messages", 0700) != 0 && errno != EEXIST))
        return system_failure("create staging/, files/ and messages/ in", directory, why, why_size);
    enum ks_result result = create_private(engine, why, why_size);
    if (result == KS_OK && fsync(engine->directory_fd) != 0)
        result = system_failure("sync", directory, why, why_size);
    return result;
}

static void warn_when_open_to_others(const struct ks_engine *engine, const char *directory)
{
    struct stat status;
    if (fstat(engine->directory_fd, &status) == 0 && (status.st_mode & 0077) != 0)
        ks_log_warning(engine->log, "%s is open to others than its owner: chmod 700 is better", directory);
}

static enum ks_result open_directory(struct ks_engine *engine, const char *directory, char *why,
                                     size_t why_size)
{
    bool is_new = mkdir(directory, 0700) == 0;
    if (!is_new && errno != EEXIST)
        return system_failure("create", directory, why, why_size);
    engine->directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (engine->directory_fd < 0)
        return system_failure("open", directory, why, why_size);
    warn_when_open_to_others(engine, directory);
    enum ks_result result = is_new ? sync_parent(engine, directory, why, why_size) : KS_OK;
    if (result == KS_OK)
        result = take_lock(engine, directory, why, why_size);
    if (result == KS_OK)
        ks_reserve_open(&engine->reserve, engine->directory_fd, engine->log);
    if (result == KS_OK)
        result = create_inside(engine, directory, why, why_size);
    return result == KS_OK ? ks_sweep_clear_staging(engine->directory_fd) : result;
}

static enum ks_result open_database(struct ks_engine *engine, char *why, size_t why_size)
{
    enum ks_result result = ks_users_new(engine->random, &engine->users);
    if (result == KS_OK)
        result = ks_database_writer_connect(engine, why, why_size);
    if (result == KS_OK)
        result = ks_schema_upgrade(engine->writer.database, why, why_size);
    if (result == KS_OK)
        result = ks_schema_alias_key(engine->writer.database, engine->random, engine->alias_key);
    if (result == KS_OK)
        result = ks_alias_key_new(engine->alias_key, &engine->aliases);
    if (result == KS_OK)
        result = ks_age_load(engine);
    if (result == KS_OK)
        result = ks_departures_load(engine);
    if (result == KS_OK)
        result = ks_loading_users(engine);
    if (result == KS_OK)
        result = ks_loading_files(engine);
    if (result == KS_OK)
        result = ks_filing_recover(engine, why, why_size);
    if (result == KS_OK)
        result = ks_loading_messages(engine);
    return result;
}

static enum ks_result start_threads(struct ks_engine *engine, const struct ks_embedded_options *options)
{
    enum ks_result result = ks_reaper_start(&engine->reaper);
    if (result == KS_OK)
        result = ks_key_reader_start(engine);
    if (result == KS_OK)
        result = ks_pull_reader_start(engine);
    if (result == KS_OK)
        result = ks_database_writer_start(engine);
    if (result == KS_OK)
        result = ks_check_start(engine);
    if (result != KS_OK)
        return result;
    const struct ks_vault_options vault = {
        .directory_fd = engine->directory_fd,
        .aliases = engine->aliases,
        .clock = engine->clock,
        .random = engine->random,
        .log = engine->log,
        .index = &engine->index,
        .quotas = engine->quotas,
        .reaper = engine->reaper,
        .threads = options->vault_threads,
        .stage_lifetime = or_default(options->stage_lifetime, DEFAULT_STAGE_LIFETIME),
    };
    return ks_vault_open(&vault, &engine->vault);
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
        result = open_database(engine, why, why_size);
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
        .reader_queue = ks_thread_waiting(engine->key_reader.thread),
        .pull_queue = ks_thread_waiting(engine->pull_reader.thread),
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
    ks_vault_waiting(engine->vault, &statistics->stage_queue, &statistics->confirm_queue);
}
