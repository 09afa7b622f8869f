/* check.c — see check.h. */
#include "store/embedded/readers/check.h"

#include "base/text.h"
#include "store/embedded/disk/sums.h"
#include "store/embedded/engine.h"
#include "store/reply.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what the phases share ---- */

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

bool ks_check_must_pause(const struct ks_engine *engine, const struct ks_store_check *request)
{
    return request->count == request->limit || atomic_load(&engine->check.stopping);
}

/* A task that takes its turn with the writer's batches. */
struct turn {
    struct ks_task task;
    struct ks_engine *engine;
    sem_t over;
};

static void settle_turn(struct ks_task *task)
{
    sem_post(&KS_CONTAINER_OF(task, struct turn, task)->over);
}

/* Messages that wait in the journal, or to be filed, get their rows. */
static void apply_turn(struct ks_task *task)
{
    struct ks_engine *engine = KS_CONTAINER_OF(task, struct turn, task)->engine;
    (void)ks_filing_reach(engine, engine->writer.last_message_id); /* a failure is told to who asked */
    ks_database_writer_settle_later(engine, task, settle_turn);
}

void ks_check_settle(struct ks_engine *engine)
{
    struct turn turn = {.task.run = apply_turn, .engine = engine};
    ks_vault_settle(engine->vault);
    sem_init(&turn.over, 0, 0); /* cannot fail with these */
    ks_database_writer_post(engine, &turn.task);
    while (sem_wait(&turn.over) != 0)
        ;
    sem_destroy(&turn.over);
    ks_thread_reach(engine->reaper);
}

struct change {
    struct ks_interlude interlude;
    enum ks_result (*apply)(struct ks_engine *engine, void *context);
    void *context;
    enum ks_result result;
    sem_t over;
};

static void run_change(struct ks_interlude *interlude)
{
    struct change *change = KS_CONTAINER_OF(interlude, struct change, interlude);
    struct ks_engine *engine = interlude->engine;
    change->result = ks_database_writer_begin(engine);
    if (change->result == KS_OK)
        change->result = ks_database_writer_check(engine, change->apply(engine, change->context));
    enum ks_result finished = ks_database_writer_finish(engine);
    ks_database_writer_forget_failure(engine);
    change->result = change->result != KS_OK ? change->result : finished;
    sem_post(&change->over);
}

enum ks_result ks_check_change(struct ks_engine *engine,
                               enum ks_result (*apply)(struct ks_engine *engine, void *context),
                               void *context)
{
    struct change change = {.interlude.run = run_change, .apply = apply, .context = context};
    struct ks_vault_pause pause;
    ks_vault_hold(engine->vault, &pause);
    sem_init(&change.over, 0, 0); /* cannot fail with these */
    ks_database_writer_between(engine, &change.interlude);
    while (sem_wait(&change.over) != 0)
        ;
    sem_destroy(&change.over);
    ks_vault_let_go(&pause);
    return change.result;
}

/* ---- the directory ---- */

static const char open_means[] =
    "whoever reads it is every user of the classic ports: it should be closed to others";

static enum ks_result check_permissions(struct ks_engine *engine, struct ks_store_check *request)
{
    static const char *const names[] = {".",     "kesher.db", "kesher.db-wal", "journal",
                                        "files", "messages",  "staging",       "damaged"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct stat status;
        if (fstatat(engine->directory_fd, names[i], &status, AT_SYMLINK_NOFOLLOW) != 0 ||
            (status.st_mode & 0077) == 0)
            continue;
        bool closed =
            request->repair && fchmodat(engine->directory_fd, names[i], status.st_mode & 0700, 0) == 0;
        ks_check_tell(request, true, open_means, closed ? "closed to others" : "",
                      "%s is open to others (mode %04o)", i == 0 ? "the data directory" : names[i],
                      (unsigned)(status.st_mode & 07777));
    }
    return KS_OK;
}

/* What lies there is told, and nothing is wrong with that: somebody should look at it some day. */
static enum ks_result list_damaged(struct ks_engine *engine, struct ks_store_check *request)
{
    size_t count = 0;
    int fd = openat(engine->directory_fd, "damaged", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *listing = fd < 0 ? NULL : fdopendir(fd);
    if (listing == NULL) {
        if (fd >= 0)
            close(fd);
        return fd >= 0 ? KS_NO_MEMORY : errno == ENOENT ? KS_OK : KS_IO;
    }
    /* Each listing is read by one thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    for (const struct dirent *entry = readdir(listing); entry != NULL; entry = readdir(listing)) {
        size_t size = strlen(entry->d_name);
        count += size > 4 && strcmp(entry->d_name + size - 4, ".txt") == 0;
    }
    closedir(listing);
    if (count > 0)
        ks_check_tell(request, false, "each has a note that says what it is; what you do not need can go", "",
                      "damaged/ has %zu things that were put aside", count);
    return KS_OK;
}

/* ---- the database ---- */

static const char database_means[] =
    "what stands on such pages may be lost: put a backup in place, or make a copy with sqlite3's .recover";
static const char index_means[] = "rows may not be found; --repair on a stopped server builds indexes anew";

static enum ks_result rebuild_indexes(struct ks_engine *engine, void *context)
{
    (void)context;
    return ks_database_run(engine->writer.database, "REINDEX");
}

/* Rows of the pragma; one is "ok" when all is well. */
static enum ks_result ask_sqlite(struct ks_engine *engine, struct ks_store_check *request, bool is_last,
                                 bool *only_indexes)
{
    enum { LINES = 8 };
    sqlite3_stmt *statement = NULL;
    const char *pragma = request->is_alone ? "PRAGMA integrity_check(8)" : "PRAGMA quick_check(8)";
    enum ks_result result = ks_database_prepare(engine->check.database, pragma, &statement);
    size_t count = 0;
    *only_indexes = true;
    while (result == KS_OK && count < LINES && sqlite3_step(statement) == SQLITE_ROW) {
        char line[512];
        const char *text = (const char *)sqlite3_column_text(statement, 0);
        if (text == NULL || strcmp(text, "ok") == 0)
            break;
        bool is_index = strstr(text, "index") != NULL;
        *only_indexes = *only_indexes && is_index;
        count++;
        if (is_last)
            ks_check_tell(request, true, is_index ? index_means : database_means, "", "kesher.db: %s",
                          ks_text_escape(text, strlen(text), line, sizeof line));
    }
    sqlite3_finalize(statement);
    return result != KS_OK || count == 0 ? result : KS_INVALID;
}

static enum ks_result check_database(struct ks_engine *engine, struct ks_store_check *request)
{
    bool only_indexes = false;
    bool may_mend = request->repair && request->is_alone;
    enum ks_result result = ask_sqlite(engine, request, !may_mend, &only_indexes);
    if (result != KS_INVALID || !may_mend)
        return result == KS_INVALID ? KS_OK : result;
    if (only_indexes && ks_check_change(engine, rebuild_indexes, NULL) == KS_OK) {
        result = ask_sqlite(engine, request, false, &only_indexes);
        if (result == KS_OK)
            ks_check_tell(request, true, "rows would not have been found", "built anew",
                          "indexes of kesher.db were damaged");
        if (result != KS_INVALID)
            return result;
    }
    result = ask_sqlite(engine, request, true, &only_indexes);
    return result == KS_INVALID ? KS_OK : result;
}

static enum ks_result check_journal(struct ks_engine *engine, struct ks_store_check *request)
{
    if (faccessat(engine->directory_fd, "journal", R_OK | W_OK, 0) != 0)
        ks_check_tell(request, true, "messages go straight to the database, which is slower", "",
                      "the journal is not there, or not to be read");
    return KS_OK;
}

/* ---- phases ---- */

static enum ks_result (*const phases[])(struct ks_engine *engine, struct ks_store_check *request) = {
    check_permissions, check_database,   check_journal,     ks_check_files, ks_check_strays,
    ks_check_messages, ks_check_inboxes, ks_check_contents, list_damaged,
};

enum { PHASES = sizeof phases / sizeof phases[0] };

static enum ks_result connect_database(struct ks_engine *engine)
{
    char why[256] = "";
    if (engine->check.database != NULL)
        return KS_OK;
    enum ks_result result =
        ks_database_open(engine->database_path, false, &engine->check.database, why, sizeof why);
    if (result != KS_OK)
        ks_log_error(engine->log, "%s", why);
    return result;
}

static void disconnect(struct ks_engine *engine)
{
    sqlite3_close_v2(engine->check.database);
    engine->check.database = NULL;
}

/* One piece. */
static enum ks_result run_piece(struct ks_engine *engine, struct ks_store_check *request)
{
    if (atomic_load(&engine->check.stopping))
        return KS_CLOSED;
    enum ks_result result = connect_database(engine);
    if (result == KS_OK)
        result = phases[request->cursor.phase](engine, request);
    if (result == KS_MORE)
        return atomic_load(&engine->check.stopping) ? KS_CLOSED : KS_OK;
    if (result != KS_OK)
        return result;
    request->cursor.phase++;
    request->cursor.after = 0;
    request->is_complete = request->cursor.phase == PHASES;
    return KS_OK;
}

static void run(struct ks_task *task)
{
    struct ks_store_check *request = KS_CONTAINER_OF(task, struct ks_store_check, request.task);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    request->count = 0;
    request->is_complete = false;
    enum ks_result result = request->cursor.phase < PHASES ? run_piece(engine, request) : KS_INVALID;
    if (result != KS_OK || request->is_complete)
        disconnect(engine);
    ks_reply_post(&request->request, result);
}

void ks_check_ask(struct ks_store *store, struct ks_store_check *request)
{
    request->request.store = store;
    request->request.task.run = run;
    ks_executor_post(ks_thread_executor(ks_engine_of(store)->check.thread), &request->request.task);
}

enum ks_result ks_check_start(struct ks_engine *engine)
{
    static const struct ks_thread_hooks no_hooks = {0};
    engine->check.scratch = malloc(KS_SUMS_PIECE);
    if (engine->check.scratch == NULL)
        return KS_NO_MEMORY;
    return ks_thread_start(&engine->check.thread, "store-check", &no_hooks);
}

void ks_check_stop(struct ks_engine *engine)
{
    atomic_store(&engine->check.stopping, true);
    ks_thread_stop(engine->check.thread);
    engine->check.thread = NULL;
    free(engine->check.scratch);
    engine->check.scratch = NULL;
    disconnect(engine);
}
