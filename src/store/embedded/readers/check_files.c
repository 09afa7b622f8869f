/* check_files.c — check.h: the rows of `files` and what lies in files/. */
#include "base/text.h"
#include "crypto/checksum.h"
#include "store/embedded/disk/damaged.h"
#include "store/embedded/disk/sums.h"
#include "store/embedded/readers/check_internal.h"
#include "store/embedded/vault/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 16, LOOKS = 3, WHO_SIZE = 384, NOTE_SIZE = 1536 };

/* A row of `files`. */
struct checked_file {
    int64_t number;
    uint64_t size;
    int64_t written;
    uint32_t cksum;
    bool has_size;
    bool has_cksum;
    struct ks_client_id id;
    char path[KS_NAMES_PATH_SIZE];
};

/* What was seen of it. */
enum sight { SOUND, MISSING, NO_FILE, UNREADABLE, OTHER_SIZE, LATER, DAMAGED };

static const struct {
    const char *what;
    const char *meaning;
    bool is_damage;
} sights[] = {
    [MISSING] = {"is missing", "its user was told that it is kept; if a backup has it, put it back", true},
    [NO_FILE] = {"is not a file", "its user was told that it is kept; if a backup has it, put it back", true},
    [UNREADABLE] = {"cannot be read",
                    "the disk may give it another time; if not, and a backup has it, put it back", false},
    [OTHER_SIZE] =
        {"has another size than its row",
         "it is a later upload whose row could not be kept, or damaged; the next start takes the size",
         false},
    [LATER] = {"was written later than its row",
               "it is a later upload whose row could not be kept; the next start adopts it", false},
    [DAMAGED] = {"is not what its sender was told",
                 "its bytes have changed on disk; if a backup has it, put it back", true},
};

/* ---- rows ---- */

static const char files_text[] = "SELECT rowid, ID, PathName, Size, Cksum, Written FROM files"
                                 " WHERE rowid>=? AND ID NOT IN (SELECT ID FROM removals)"
                                 " ORDER BY rowid LIMIT ?";

static bool read_file_row(sqlite3_stmt *row, struct checked_file *file)
{
    enum { NUMBER, USER, PATH, SIZE, CKSUM, WRITTEN };
    const char *path = (const char *)sqlite3_column_text(row, PATH);
    *file = (struct checked_file){
        .number = sqlite3_column_int64(row, NUMBER),
        .has_size = sqlite3_column_type(row, SIZE) == SQLITE_INTEGER,
        .size = (uint64_t)sqlite3_column_int64(row, SIZE),
        .has_cksum = sqlite3_column_type(row, CKSUM) == SQLITE_INTEGER,
        .cksum = (uint32_t)sqlite3_column_int64(row, CKSUM),
        .written = sqlite3_column_int64(row, WRITTEN),
    };
    if (path == NULL || sqlite3_column_bytes(row, USER) != KS_CLIENT_ID_SIZE ||
        strlen(path) >= sizeof file->path)
        return false;
    memcpy(file->id.bytes, sqlite3_column_blob(row, USER), KS_CLIENT_ID_SIZE);
    snprintf(file->path, sizeof file->path, "%s", path);
    return true;
}

/* The next rows. *count is how many; those that are not sound have an empty path. */
static enum ks_result read_rows(struct ks_check *check, int64_t from, struct checked_file *files,
                                size_t limit, size_t *count)
{
    sqlite3_stmt *statement = NULL;
    enum ks_result result = ks_database_prepare(check->database, files_text, &statement);
    if (result != KS_OK)
        return result;
    struct ks_query query = ks_query_start(statement);
    ks_query_integer(&query, from);
    ks_query_integer(&query, (int64_t)limit);
    for (*count = 0; *count < limit && ks_query_next(&query); ++*count)
        if (!read_file_row(statement, &files[*count]))
            files[*count].path[0] = '\0';
    result = ks_query_end(&query);
    sqlite3_finalize(statement);
    return result;
}

/* ---- looking ---- */

static bool read_content(const struct ks_check *check, int fd, struct ks_cksum *cksum)
{
    while (!atomic_load(&check->stopping)) {
        ssize_t count = read(fd, check->scratch, KS_SUMS_PIECE);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count == 0;
        ks_cksum_add(cksum, check->scratch, (size_t)count);
    }
    return true;
}

static enum sight judge(const struct ks_check *check, const struct checked_file *file, int fd,
                        const struct stat *status)
{
    struct ks_cksum cksum = ks_cksum_start();
    bool same_size = !file->has_size || (uint64_t)status->st_size == file->size;
    if (file->has_cksum && ks_sweep_written(status) != file->written)
        return LATER;
    if (!same_size)
        return file->has_cksum ? DAMAGED : OTHER_SIZE;
    if (!read_content(check, fd, &cksum))
        return UNREADABLE;
    bool same = !file->has_cksum || ks_cksum_value(&cksum) == file->cksum;
    return same || atomic_load(&check->stopping) ? SOUND : DAMAGED;
}

static enum sight look(const struct ks_check *check, const struct checked_file *file)
{
    struct stat status;
    int fd = openat(check->directory_fd, file->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? MISSING : errno == ELOOP ? NO_FILE : UNREADABLE;
    enum sight sight = UNREADABLE;
    if (fstat(fd, &status) == 0)
        sight = S_ISREG(status.st_mode) ? judge(check, file, fd, &status) : NO_FILE;
    close(fd);
    return sight;
}

static bool is_same_row(const struct checked_file *left, const struct checked_file *right)
{
    return left->number == right->number && strcmp(left->path, right->path) == 0 &&
           left->has_size == right->has_size && left->size == right->size &&
           left->has_cksum == right->has_cksum && left->cksum == right->cksum &&
           left->written == right->written;
}

/* Looks, and when something is odd, lets everything settle, and looks again if the row has changed meanwhile.
 * What changes all the time is not wrong. KS_OK with *sight; errors of the database. */
static enum ks_result look_until_still(struct ks_check *check, struct checked_file *file, enum sight *sight)
{
    for (int i = 0; i < LOOKS; i++) {
        struct checked_file now;
        size_t count = 0;
        *sight = look(check, file);
        if (*sight == SOUND)
            return KS_OK;
        ks_check_settle(check);
        enum ks_result result = read_rows(check, file->number, &now, 1, &count);
        if (result == KS_OK && count == 1 && is_same_row(file, &now))
            *sight = look(check, file); /* a removal that failed may have brought it back */
        if (result != KS_OK || (count == 1 && is_same_row(file, &now)))
            return result;
        if (count == 0 || now.number != file->number)
            break; /* it is gone */
        *file = now;
    }
    *sight = SOUND;
    return KS_OK;
}

/* ---- repairing ---- */

static enum ks_result remove_row(struct ks_check *check, void *context)
{
    const struct checked_file *file = context;
    struct ks_query query = ks_database_writer_query(check->writer, KS_STATEMENT_DELETE_FILE);
    ks_query_integer(&query, file->number);
    ks_query_text(&query, file->path, strlen(file->path));
    return ks_database_writer_check(check->writer, ks_query_run(&query));
}

/* Nothing is put into files/ meanwhile (ks_check_change), so what was seen is what is moved. */
struct putting_aside {
    struct checked_file *file;
    struct ks_damaged *damaged;
    uint64_t size;
    bool was_there;
};

static enum ks_result put_aside(struct ks_check *check, void *context)
{
    struct putting_aside *putting = context;
    putting->was_there = ks_sweep_file_size(check->directory_fd, putting->file->path, &putting->size);
    enum ks_result result = ks_damaged_move(check->directory_fd, putting->damaged, putting->file->path);
    return result == KS_OK || result == KS_NOT_FOUND ? remove_row(check, putting->file) : result;
}

static void describe_owner(struct ks_check *check, const struct ks_client_id *id, char who[static WHO_SIZE])
{
    struct ks_user user;
    char name[WHO_SIZE];
    if (ks_users_look_up(check->users, id, true, &user) == KS_OK)
        snprintf(who, WHO_SIZE, " of %s",
                 ks_text_escape(user.name, strlen(user.name), name, sizeof name - 8));
    else
        who[0] = '\0';
}

/* What was done, in words. */
static void repair(struct ks_check *check, struct checked_file *file, enum sight sight,
                   char done[static WHO_SIZE])
{
    char name[KS_NAMES_PATH_SIZE];
    char note[NOTE_SIZE];
    char who[WHO_SIZE];
    struct ks_damaged damaged = {.name = name, .note = note};
    struct putting_aside putting = {.file = file, .damaged = &damaged};
    describe_owner(check, &file->id, who);
    snprintf(name, sizeof name, "file-%s", file->path + sizeof "files/" - 1);
    for (char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash, '/'))
        *slash = '-';
    snprintf(note, sizeof note, "%s%s %s: %s.\nkesherd check --repair has put it aside.\n", file->path, who,
             sights[sight].what, sights[sight].meaning);
    if (ks_check_change(check, put_aside, &putting) != KS_OK) {
        snprintf(done, WHO_SIZE, "nothing: it could not be put aside");
        return;
    }
    if (putting.was_there && check->quotas != NULL)
        ks_quotas_give_back(check->quotas, &file->id, &(struct ks_quota_change){.after = putting.size});
    snprintf(done, WHO_SIZE, "put aside: %s", damaged.path);
}

static enum ks_result check_file(struct ks_check *check, struct ks_store_check *request,
                                 struct checked_file *file)
{
    enum sight sight = SOUND;
    char path[WHO_SIZE];
    char who[WHO_SIZE];
    char done[WHO_SIZE] = "";
    request->cursor.files++;
    enum ks_result result = look_until_still(check, file, &sight);
    if (result != KS_OK || sight == SOUND)
        return result;
    if (request->repair && sights[sight].is_damage)
        repair(check, file, sight, done);
    describe_owner(check, &file->id, who);
    ks_check_tell(request, true, sights[sight].meaning, done, "%s%s %s",
                  ks_text_escape(file->path, strlen(file->path), path, sizeof path), who, sights[sight].what);
    return KS_OK;
}

enum ks_result ks_check_files(struct ks_check *check, struct ks_store_check *request)
{
    struct checked_file files[PIECE];
    size_t count = 0;
    enum ks_result result = read_rows(check, (int64_t)request->cursor.after, files, PIECE, &count);
    for (size_t i = 0; i < count && result == KS_OK; i++) {
        if (ks_check_must_pause(check, request))
            return KS_MORE;
        if (files[i].path[0] != '\0')
            result = check_file(check, request, &files[i]);
        else
            ks_check_tell(request, true, "nobody can tell which file it means", "",
                          "row %lld of the table files is not sound", (long long)files[i].number);
        request->cursor.after = (uint64_t)files[i].number + 1;
    }
    if (result != KS_OK)
        return result;
    return count == PIECE ? KS_MORE : KS_OK;
}

/* ---- files without a row ---- */

static enum ks_result look_for_row(void *context, const struct ks_vault_row *row)
{
    struct ks_stray_walk *strays = context;
    struct ks_store_check *request = strays->request;
    char path[WHO_SIZE];
    bool is_next = false;
    enum ks_result result = ks_check_stray(strays, row->path_name, &is_next);
    if (!is_next)
        return result;
    request->cursor.after++;
    ks_check_tell(request, true,
                  "it is a confirmed file whose row could not be kept; the next start adopts it", "",
                  "%s has no row", ks_text_escape(row->path_name, strlen(row->path_name), path, sizeof path));
    return KS_OK;
}

enum ks_result ks_check_strays(struct ks_check *check, struct ks_store_check *request)
{
    struct ks_stray_walk strays = {
        .check = check, .request = request, .row_text = "SELECT 1 FROM files WHERE PathName=?"};
    const struct ks_log silent = {.fd = -1, .level = KS_LOG_ERROR};
    enum ks_result result =
        ks_sweep_walk_files(check->directory_fd, check->aliases, &silent, look_for_row, &strays);
    return result == KS_NOT_FOUND ? KS_OK : result;
}
