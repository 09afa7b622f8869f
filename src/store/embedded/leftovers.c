/* leftovers.c — see leftovers.h. */
#include "store/embedded/leftovers.h"

#include "store/embedded/engine.h"
#include "store/embedded/vault/sweep.h"

#include <string.h>

enum { PIECE_FILES = 4096 /* in one transaction */ };

/* ---- own files that broke off ---- */

/* What is left of its lifetime, now; one that was written in the future has all of it. */
static uint64_t kept_until_ms(const struct ks_engine *engine, int64_t written)
{
    int64_t age = ks_clock_wall_seconds(engine->clock) - written;
    int64_t left = engine->stage_lifetime - (age > 0 ? age : 0);
    return ks_clock_monotonic_ms(engine->clock) + (uint64_t)(left > 0 ? left : 0) * 1000U;
}

static enum ks_result load_put(struct ks_engine *engine, const struct ks_sweep_staged *staged)
{
    if (ks_users_find(engine->users, &staged->id) == NULL)
        return ks_sweep_remove_staged(engine->directory_fd, staged->name);
    return ks_puts_load(engine->puts, &staged->id, staged->put_id, staged->bytes,
                        kept_until_ms(engine, staged->written));
}

/* ---- removals that were cut short ---- */

/* The row may have gone with them, or not. Where a file is, its row is that of a later one. */
static enum ks_result remove_row(struct ks_engine *engine, const char *path_name)
{
    if (ks_sweep_has_file(engine->directory_fd, path_name))
        return KS_OK;
    enum ks_result result = ks_database_writer_begin(&engine->writer);
    if (result != KS_OK)
        return result;
    struct ks_query query = ks_database_writer_query(&engine->writer, KS_STATEMENT_REMOVE_FILE);
    ks_query_text(&query, path_name, strlen(path_name));
    return ks_database_writer_check(&engine->writer, ks_query_run(&query));
}

/* ---- both ---- */

struct leftover_loading {
    struct ks_engine *engine;
    size_t removals;
};

static enum ks_result load(void *context, const struct ks_sweep_staged *staged)
{
    struct leftover_loading *leftovers = context;
    if (staged->is_put)
        return load_put(leftovers->engine, staged);
    enum ks_result result = remove_row(leftovers->engine, staged->path_name);
    if (result != KS_OK || ++leftovers->removals % PIECE_FILES != 0)
        return result;
    return ks_database_writer_finish(&leftovers->engine->writer);
}

/* Only then: until its row is gone for good, the file says that it is to go. */
static enum ks_result remove_file(void *context, const struct ks_sweep_staged *staged)
{
    const struct ks_engine *engine = context;
    return staged->is_put ? KS_OK : ks_sweep_remove_staged(engine->directory_fd, staged->name);
}

enum ks_result ks_leftovers_load(struct ks_engine *engine)
{
    struct leftover_loading leftovers = {.engine = engine, .removals = 0};
    enum ks_result result = ks_sweep_walk_staging(engine->directory_fd, engine->aliases, load, &leftovers);
    enum ks_result finished = ks_database_writer_finish(&engine->writer);
    ks_database_writer_forget_failure(&engine->writer);
    if (result != KS_OK || finished != KS_OK)
        return result != KS_OK ? result : finished;
    if (leftovers.removals == 0)
        return KS_OK;
    ks_log_notice(engine->log, "completed %zu removals of files", leftovers.removals);
    return ks_sweep_walk_staging(engine->directory_fd, engine->aliases, remove_file, engine);
}
