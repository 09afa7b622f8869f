/* check_common.c — check_internal.h: what the phases of a check share. */
#include "store/embedded/disk/reaper.h"
#include "store/embedded/readers/check_internal.h"
#include "store/embedded/vault/sweep.h"

#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void ks_check_tell(struct ks_store_check *request, bool is_wrong, const char *meaning, const char *done,
                   const char *what, ...)
{
    struct ks_check_finding *finding = &request->findings[request->count++];
    va_list arguments;
    va_start(arguments, what);
    vsnprintf(finding->what, sizeof finding->what, what, arguments);
    va_end(arguments);
    snprintf(finding->meaning, sizeof finding->meaning, "%s", meaning);
    snprintf(finding->done, sizeof finding->done, "%s", done);
    finding->is_wrong = is_wrong;
    request->cursor.wrong += is_wrong ? 1 : 0;
}

bool ks_check_must_pause(const struct ks_check *check, const struct ks_store_check *request)
{
    return request->count == request->limit || atomic_load(&check->stopping);
}

/* A task that takes its turn with the writer's batches. */
struct turn {
    struct ks_task task;
    struct ks_check *check;
    sem_t over;
};

static void settle_turn(struct ks_task *task)
{
    sem_post(&KS_CONTAINER_OF(task, struct turn, task)->over);
}

/* Messages that wait in the journal get their rows. */
static void apply_turn(struct ks_task *task)
{
    struct ks_check *check = KS_CONTAINER_OF(task, struct turn, task)->check;
    /* A failure is told to who asked. */
    (void)ks_appending_reach(check->appending, check->filing->last_message_id);
    ks_database_writer_settle_later(check->writer, task, settle_turn);
}

void ks_check_settle(struct ks_check *check)
{
    struct turn turn = {.task.run = apply_turn, .check = check};
    ks_vault_settle(check->vault);
    sem_init(&turn.over, 0, 0); /* cannot fail with these */
    ks_database_writer_post(check->writer, &turn.task);
    while (sem_wait(&turn.over) != 0)
        ;
    sem_destroy(&turn.over);
    ks_vault_settle(check->vault); /* what was not committed may be brought back */
    ks_thread_reach(check->reaper);
}

struct change {
    struct ks_interlude interlude;
    struct ks_check *check;
    enum ks_result (*apply)(struct ks_check *check, void *context);
    void *context;
    enum ks_result result;
    sem_t over;
};

static void run_change(struct ks_interlude *interlude)
{
    struct change *change = KS_CONTAINER_OF(interlude, struct change, interlude);
    struct ks_check *check = change->check;
    change->result = ks_database_writer_begin(check->writer);
    if (change->result == KS_OK)
        change->result = ks_database_writer_check(check->writer, change->apply(check, change->context));
    enum ks_result finished = ks_database_writer_finish(check->writer);
    ks_database_writer_forget_failure(check->writer);
    change->result = change->result != KS_OK ? change->result : finished;
    sem_post(&change->over);
}

enum ks_result ks_check_change(struct ks_check *check,
                               enum ks_result (*apply)(struct ks_check *check, void *context), void *context)
{
    struct change change = {.interlude.run = run_change, .check = check, .apply = apply, .context = context};
    struct ks_vault_pause pause;
    ks_vault_hold(check->vault, &pause);
    sem_init(&change.over, 0, 0); /* cannot fail with these */
    ks_database_writer_between(check->writer, &change.interlude);
    while (sem_wait(&change.over) != 0)
        ;
    sem_destroy(&change.over);
    ks_vault_let_go(&pause);
    return change.result;
}

/* ---- files without a row ---- */

enum { STRAYS_LIMIT = 1000 };

static enum ks_result has_row(const struct ks_stray_walk *strays, const char *path, bool *has)
{
    sqlite3_stmt *statement = NULL;
    enum ks_result result = ks_database_prepare(strays->check->database, strays->row_text, &statement);
    if (result != KS_OK)
        return result;
    struct ks_query query = ks_query_start(statement);
    ks_query_text(&query, path, strlen(path));
    *has = ks_query_next(&query);
    result = ks_query_end(&query);
    sqlite3_finalize(statement);
    return result;
}

enum ks_result ks_check_stray(struct ks_stray_walk *strays, const char *path, bool *is_next)
{
    struct ks_check *check = strays->check;
    const struct ks_store_check *request = strays->request;
    bool has = false;
    *is_next = false;
    enum ks_result result = has_row(strays, path, &has);
    if (result != KS_OK || has)
        return result;
    ks_check_settle(check);
    result = has_row(strays, path, &has);
    if (result != KS_OK || has || !ks_sweep_has_file(check->directory_fd, path) ||
        strays->found++ < request->cursor.after)
        return result;
    if (strays->found > STRAYS_LIMIT)
        return KS_NOT_FOUND;
    if (ks_check_must_pause(check, request))
        return KS_MORE;
    *is_next = true;
    return KS_OK;
}
