/* upkeep.c — see upkeep.h. */
#include "store/embedded/upkeep.h"

#include "store/embedded/departures.h"
#include "store/embedded/engine.h"
#include "store/embedded/writer/removal.h"

enum {
    FLUSH_AFTER_MS = 30 * 1000, /* half of the minute that LastSeen may be late: the rest is for the queue */
    FLUSH_PIECE = 4096,         /* users in one transaction */
    FLUSH_PIECES = 4,           /* per tick: a million users in a minute */
    SWEEP_PIECE = 4096,         /* users looked at per tick: a million in four minutes */
    SWEEP_CHANGES = 512,        /* of them, changed in one transaction */
    LIST_MS = 60 * 1000,        /* a list that was begun so long ago may still be on its way … */
    PUT_OFF = 600,              /* … and while one may, keyless users stay so many seconds longer */
};

/* Ends a transaction of our own. */
static enum ks_result finish_own(struct ks_engine *engine)
{
    enum ks_result result = ks_database_writer_finish(&engine->writer);
    ks_database_writer_forget_failure(&engine->writer);
    return result;
}

/* ---- LastSeen ---- */

static void write_last_seen(struct ks_engine *engine, const struct ks_user_entry *entry)
{
    char last_seen[KS_CLOCK_TEXT_SIZE];
    ks_clock_format_utc(atomic_load(&entry->last_seen), last_seen);
    struct ks_query query = ks_database_writer_query(&engine->writer, KS_STATEMENT_SET_LAST_SEEN);
    ks_query_text(&query, last_seen, sizeof last_seen - 1);
    if (entry->content_key != NULL)
        ks_query_integer(&query, ks_age_to_stored(&engine->age, atomic_load(&entry->content_key->last_used)));
    else
        ks_query_null(&query);
    ks_query_integer(&query, entry->number);
    ks_database_writer_check(&engine->writer, ks_query_run(&query));
}

/* True when there may be more. */
static bool flush_piece(struct ks_engine *engine)
{
    struct ks_user_entry *entries[FLUSH_PIECE];
    size_t count = ks_users_take_touched(engine->users, entries, FLUSH_PIECE);
    if (count == 0)
        return false;
    ks_database_writer_begin(&engine->writer);
    for (size_t i = 0; i < count && engine->writer.failure == KS_OK; i++)
        write_last_seen(engine, entries[i]);
    if (finish_own(engine) == KS_OK)
        return count == FLUSH_PIECE;
    for (size_t i = 0; i < count; i++)
        ks_users_touch_again(engine->users, entries[i]);
    return false;
}

void ks_upkeep_finish(struct ks_engine *engine)
{
    while (flush_piece(engine))
        ;
    ks_age_note(&engine->age, true);
}

static void flush_when_due(struct ks_engine *engine)
{
    struct ks_upkeep *upkeep = &engine->upkeep;
    uint64_t now = ks_clock_monotonic_ms(engine->clock);
    if (!upkeep->flush_is_behind && now - upkeep->last_flush_ms < FLUSH_AFTER_MS)
        return;
    upkeep->last_flush_ms = now;
    upkeep->flush_is_behind = true;
    for (int i = 0; i < FLUSH_PIECES && upkeep->flush_is_behind; i++)
        upkeep->flush_is_behind = flush_piece(engine);
}

/* ---- lifetimes ---- */

struct sweep {
    struct ks_user_entry *keyless[SWEEP_CHANGES]; /* unpublished here, removed after the commit */
    struct ks_user_entry *stale[SWEEP_CHANGES];   /* their content keys go */
    size_t keyless_count;
    size_t stale_count;
};

static int64_t keyless_lifetime(const struct ks_engine *engine)
{
    uint64_t now = ks_clock_monotonic_ms(engine->clock);
    bool listing = ks_users_listed_since(engine->users, now > LIST_MS ? now - LIST_MS : 0);
    return engine->keyless_user_lifetime + (listing ? PUT_OFF : 0);
}

static bool is_keyless_since(const struct ks_user_entry *entry, int64_t steady_seconds)
{
    return !entry->has_public_key && !entry->key_was_reset && entry->account == NULL &&
           entry->since <= steady_seconds;
}

static bool has_stale_key(const struct ks_engine *engine, const struct ks_user_entry *entry, int64_t now)
{
    return entry->content_key != NULL &&
           now - atomic_load(&entry->content_key->last_used) >= engine->content_key_lifetime;
}

static void sweep_collect(struct ks_engine *engine, struct sweep *sweep)
{
    int64_t now = ks_clock_steady_seconds(engine->clock);
    int64_t keyless_since = now - keyless_lifetime(engine);
    size_t count = ks_users_count(engine->users);
    for (size_t i = 0; i < count && i < SWEEP_PIECE; i++) {
        if (sweep->keyless_count + sweep->stale_count == SWEEP_CHANGES)
            return;
        struct ks_user_entry *entry = ks_users_walk(engine->users);
        if (is_keyless_since(entry, keyless_since) && ks_users_unpublish(engine->users, entry))
            sweep->keyless[sweep->keyless_count++] = entry;
        else if (has_stale_key(engine, entry, now))
            sweep->stale[sweep->stale_count++] = entry;
    }
}

static void delete_client(struct ks_engine *engine, const struct ks_user_entry *entry)
{
    struct ks_query query = ks_database_writer_query(&engine->writer, KS_STATEMENT_DELETE_CLIENT);
    ks_query_integer(&query, entry->number);
    ks_database_writer_check(&engine->writer, ks_query_run(&query));
}

static void delete_content_key(struct ks_engine *engine, const struct ks_user_entry *entry)
{
    struct ks_query query = ks_database_writer_query(&engine->writer, KS_STATEMENT_SET_CONTENT_KEY);
    ks_query_null(&query);
    ks_query_null(&query);
    ks_query_integer(&query, entry->number);
    ks_database_writer_check(&engine->writer, ks_query_run(&query));
}

static enum ks_result sweep_disk(struct ks_engine *engine, const struct sweep *sweep)
{
    ks_database_writer_begin(&engine->writer);
    for (size_t i = 0; i < sweep->keyless_count && engine->writer.failure == KS_OK; i++)
        delete_client(engine, sweep->keyless[i]);
    for (size_t i = 0; i < sweep->stale_count && engine->writer.failure == KS_OK; i++)
        delete_content_key(engine, sweep->stale[i]);
    return finish_own(engine);
}

static void sweep_users(struct ks_engine *engine)
{
    struct sweep sweep = {.keyless_count = 0, .stale_count = 0};
    sweep_collect(engine, &sweep);
    if (sweep.keyless_count + sweep.stale_count == 0)
        return;
    bool done = sweep_disk(engine, &sweep) == KS_OK;
    for (size_t i = 0; i < sweep.keyless_count; i++) {
        if (done) {
            ks_inboxes_abandon(engine->inboxes, &sweep.keyless[i]->id);
            ks_quotas_forget(engine->quotas, &sweep.keyless[i]->id);
            ks_users_remove(engine->users, sweep.keyless[i]);
        } else {
            ks_users_publish(engine->users, sweep.keyless[i], false);
        }
    }
    for (size_t i = 0; i < sweep.stale_count && done; i++)
        ks_users_set_content_key(engine->users, sweep.stale[i], NULL);
    if (done && sweep.keyless_count > 0)
        ks_log_info(engine->log, "dropped %zu users that never sent a public key", sweep.keyless_count);
}

static void look_at_reserve(struct ks_engine *engine)
{
    if (ks_reserve_is_given_up(&engine->reserve))
        ks_reserve_tick(&engine->reserve, ks_database_writer_find_room(&engine->writer));
}

void ks_upkeep_tick(struct ks_engine *engine)
{
    ks_filing_tick(&engine->filing, engine->appending.is_quiet);
    flush_when_due(engine);
    ks_age_note(&engine->age, false);
    sweep_users(engine);
    ks_removal_tick(&engine->removal);
    look_at_reserve(engine);
    ks_departures_tick(engine);
    ks_space_tick(&engine->space);
}
