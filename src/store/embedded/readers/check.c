/* check.c — see check.h. */
#include "base/text.h"
#include "store/embedded/disk/sums.h"
#include "store/embedded/readers/check_internal.h"
#include "store/reply.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the directory ---- */

static const char open_means[] =
    "whoever reads it is every user of the classic ports: it should be closed to others";

static enum ks_result check_permissions(struct ks_check *check, struct ks_store_check *request)
{
    static const char *const names[] = {".",     "kesher.db", "kesher.db-wal", "journal",
                                        "files", "messages",  "staging",       "damaged"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct stat status;
        if (fstatat(check->directory_fd, names[i], &status, AT_SYMLINK_NOFOLLOW) != 0 ||
            (status.st_mode & 0077) == 0)
            continue;
        bool closed =
            request->repair && fchmodat(check->directory_fd, names[i], status.st_mode & 0700, 0) == 0;
        ks_check_tell(request, true, open_means, closed ? "closed to others" : "",
                      "%s is open to others (mode %04o)", i == 0 ? "the data directory" : names[i],
                      (unsigned)(status.st_mode & 07777));
    }
    return KS_OK;
}

/* What lies there is told, and nothing is wrong with that: somebody should look at it some day. */
static enum ks_result list_damaged(struct ks_check *check, struct ks_store_check *request)
{
    size_t count = 0;
    int fd = openat(check->directory_fd, "damaged", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
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

static enum ks_result rebuild_indexes(struct ks_check *check, void *context)
{
    (void)context;
    return ks_database_run(check->writer->database, "REINDEX");
}

/* Rows of the pragma; one is "ok" when all is well. */
static enum ks_result ask_sqlite(struct ks_check *check, struct ks_store_check *request, bool is_last,
                                 bool *only_indexes)
{
    enum { LINES = 8 };
    sqlite3_stmt *statement = NULL;
    const char *pragma = request->is_alone ? "PRAGMA integrity_check(8)" : "PRAGMA quick_check(8)";
    enum ks_result result = ks_database_prepare(check->database, pragma, &statement);
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

static enum ks_result check_database(struct ks_check *check, struct ks_store_check *request)
{
    bool only_indexes = false;
    bool may_mend = request->repair && request->is_alone;
    enum ks_result result = ask_sqlite(check, request, !may_mend, &only_indexes);
    if (result != KS_INVALID || !may_mend)
        return result == KS_INVALID ? KS_OK : result;
    if (only_indexes && ks_check_change(check, rebuild_indexes, NULL) == KS_OK) {
        result = ask_sqlite(check, request, false, &only_indexes);
        if (result == KS_OK)
            ks_check_tell(request, true, "rows would not have been found", "built anew",
                          "indexes of kesher.db were damaged");
        if (result != KS_INVALID)
            return result;
    }
    result = ask_sqlite(check, request, true, &only_indexes);
    return result == KS_INVALID ? KS_OK : result;
}

static enum ks_result check_journal(struct ks_check *check, struct ks_store_check *request)
{
    if (faccessat(check->directory_fd, "journal", R_OK | W_OK, 0) != 0)
        ks_check_tell(request, true, "messages go straight to the database, which is slower", "",
                      "the journal is not there, or not to be read");
    return KS_OK;
}

/* ---- phases ---- */

static enum ks_result (*const phases[])(struct ks_check *check, struct ks_store_check *request) = {
    check_permissions, check_database,   check_journal,     ks_check_files,    ks_check_strays,
    ks_check_messages, ks_check_inboxes, ks_check_contents, ks_check_accounts, list_damaged,
};

enum { PHASES = sizeof phases / sizeof phases[0] };

static enum ks_result connect_database(struct ks_check *check)
{
    char why[256] = "";
    if (check->database != NULL)
        return KS_OK;
    enum ks_result result = ks_database_open(check->database_path, false, &check->database, why, sizeof why);
    if (result != KS_OK)
        ks_log_error(check->log, "%s", why);
    return result;
}

static void disconnect(struct ks_check *check)
{
    sqlite3_close_v2(check->database);
    check->database = NULL;
}

/* One piece. */
static enum ks_result run_piece(struct ks_check *check, struct ks_store_check *request)
{
    if (atomic_load(&check->stopping))
        return KS_CLOSED;
    enum ks_result result = connect_database(check);
    if (result == KS_OK)
        result = phases[request->cursor.phase](check, request);
    if (result == KS_MORE)
        return atomic_load(&check->stopping) ? KS_CLOSED : KS_OK;
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
    struct ks_check *check = request->request.part;
    request->count = 0;
    request->is_complete = false;
    enum ks_result result = request->cursor.phase < PHASES ? run_piece(check, request) : KS_INVALID;
    if (result != KS_OK || request->is_complete)
        disconnect(check);
    ks_reply_post(&request->request, result);
}

void ks_check_ask(struct ks_check *check, struct ks_store_check *request)
{
    request->request.part = check;
    request->request.task.run = run;
    ks_executor_post(ks_thread_executor(check->thread), &request->request.task);
}

enum ks_result ks_check_start(struct ks_check *check)
{
    static const struct ks_thread_hooks no_hooks = {0};
    check->scratch = malloc(KS_SUMS_PIECE);
    if (check->scratch == NULL)
        return KS_NO_MEMORY;
    return ks_thread_start(&check->thread, "store-check", &no_hooks);
}

void ks_check_stop(struct ks_check *check)
{
    atomic_store(&check->stopping, true);
    ks_thread_stop(check->thread);
    check->thread = NULL;
    free(check->scratch);
    check->scratch = NULL;
    disconnect(check);
}
