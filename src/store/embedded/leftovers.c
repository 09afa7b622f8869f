/* leftovers.c — see leftovers.h. */
#include "store/embedded/leftovers.h"

#include "store/embedded/engine.h"
#include "store/embedded/vault/sweep.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { PIECE_FILES = 4096 /* in one transaction */ };

/* ---- own files that broke off ---- */

/* What is left of its lifetime, now; one that was written in the future has all of it. */
static uint64_t kept_until_ms(const struct ks_engine *engine, int64_t written)
{
    int64_t age = ks_clock_wall_seconds(engine->clock) - written;
    int64_t left = engine->stage_lifetime - (age > 0 ? age : 0);
    return ks_clock_monotonic_ms(engine->clock) + (uint64_t)(left > 0 ? left : 0) * 1000U;
}

static enum ks_result load_put(void *context, const struct ks_sweep_staged *staged)
{
    struct ks_engine *engine = context;
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

struct leftover_removals {
    struct ks_engine *engine;
    size_t count;
};

static enum ks_result complete_removal(void *context, const char *path, const char *removed)
{
    struct leftover_removals *removals = context;
    (void)removed;
    enum ks_result result = remove_row(removals->engine, path);
    if (result != KS_OK || ++removals->count % PIECE_FILES != 0)
        return result;
    return ks_database_writer_finish(&removals->engine->writer);
}

/* Only then: until its row is gone for good, the file says that it is to go. */
static enum ks_result delete_file(void *context, const char *path, const char *removed)
{
    const struct ks_engine *engine = context;
    (void)path;
    return unlinkat(engine->directory_fd, removed, 0) == 0 || errno == ENOENT ? KS_OK : KS_IO;
}

static enum ks_result complete_removals(struct ks_engine *engine)
{
    struct leftover_removals removals = {.engine = engine, .count = 0};
    enum ks_result result =
        ks_sweep_walk_removed(engine->directory_fd, engine->aliases, complete_removal, &removals);
    enum ks_result finished = ks_database_writer_finish(&engine->writer);
    ks_database_writer_forget_failure(&engine->writer);
    if (result != KS_OK || finished != KS_OK)
        return result != KS_OK ? result : finished;
    if (removals.count == 0)
        return KS_OK;
    ks_log_notice(engine->log, "completed %zu removals of files", removals.count);
    return ks_sweep_walk_removed(engine->directory_fd, engine->aliases, delete_file, engine);
}

/* ---- both ---- */

enum ks_result ks_leftovers_load(struct ks_engine *engine)
{
    enum ks_result result = ks_sweep_walk_staging(engine->directory_fd, engine->aliases, load_put, engine);
    return result == KS_OK ? complete_removals(engine) : result;
}
