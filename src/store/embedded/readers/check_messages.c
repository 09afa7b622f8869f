/* check_messages.c — check.h: the rows of messages, the inboxes that list them, and what lies in messages/.
 */
#include "store/embedded/disk/damaged.h"
#include "store/embedded/readers/check_internal.h"
#include "store/embedded/vault/sweep.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PIECE = 256, DONE_SIZE = 128, MEANS_SIZE = 2 * KS_DAMAGE_WHO_SIZE + 128 };

/* ---- each message ---- */

static const char messages_text[] =
    "SELECT " KS_DAMAGE_COLUMNS " FROM messages AS m WHERE m.ID>? ORDER BY m.ID LIMIT ?";
static const char message_text[] = "SELECT " KS_DAMAGE_COLUMNS " FROM messages AS m WHERE m.ID=?";

/* Whose it is: only they can mend it, by sending it again. */
static void say_whose(const struct ks_check *check, const struct ks_damage_finding *finding,
                      char means[static MEANS_SIZE])
{
    char receiver[KS_DAMAGE_WHO_SIZE];
    char sender[KS_DAMAGE_WHO_SIZE] = "its sender, whom nobody knows any more,";
    if (finding->has_row)
        ks_damage_describe_user(check->damage, &finding->row.sender, sender);
    snprintf(means, MEANS_SIZE,
             "it cannot be delivered to %s as it was sent; %s has been told that it is kept",
             ks_damage_describe_user(check->damage, &finding->row.receiver, receiver), sender);
}

static void tell_damaged(struct ks_check *check, struct ks_store_check *request,
                         const struct ks_damage_finding *finding)
{
    const char *done = "";
    char means[MEANS_SIZE];
    say_whose(check, finding, means);
    if (request->repair)
        done = ks_damage_take_out(check->damage, finding) == KS_OK ? "put aside into damaged/"
                                                                   : "nothing: it could not be put aside";
    ks_check_tell(request, true, means, done, "message %" PRIu64 " is damaged: %s", finding->row.message_id,
                  finding->why);
}

/* Judges the row that the statement stands on, as its own receiver's. */
static enum ks_result judge_own(struct ks_check *check, sqlite3_stmt *statement,
                                struct ks_damage_finding *finding)
{
    struct ks_damage_row row;
    (void)ks_damage_read_row(statement, NULL, &row); /* judged below */
    *finding = (struct ks_damage_finding){.row = row, .counted_size = row.content_size};
    return ks_damage_judge(check->damage, statement, check->scratch, finding);
}

/* It was found to be damaged: once more, when all has settled; it may have been delivered meanwhile. */
static enum ks_result look_again(struct ks_check *check, struct ks_store_check *request, uint64_t message_id)
{
    sqlite3_stmt *statement = NULL;
    struct ks_damage_finding finding;
    ks_check_settle(check);
    enum ks_result result = ks_database_prepare(check->database, message_text, &statement);
    if (result != KS_OK)
        return result;
    struct ks_query query = ks_query_start(statement);
    ks_query_integer(&query, (int64_t)message_id);
    if (ks_query_next(&query) && judge_own(check, statement, &finding) == KS_INVALID)
        tell_damaged(check, request, &finding);
    result = ks_query_end(&query);
    sqlite3_finalize(statement);
    return result;
}

static void tell_unread(struct ks_store_check *request, uint64_t message_id)
{
    ks_check_tell(request, true, "it waits; the disk may give it another time", "",
                  "the file of message %" PRIu64 " cannot be read", message_id);
}

/* The next messages: KS_OK when there are no more, KS_MORE; KS_INVALID when the one at cursor.after is
 * damaged. */
static enum ks_result judge_piece(struct ks_check *check, struct ks_store_check *request,
                                  struct ks_query *query)
{
    struct ks_damage_finding finding;
    size_t count = 0;
    while (ks_query_next(query)) {
        enum ks_result result = judge_own(check, query->statement, &finding);
        request->cursor.after = finding.row.message_id;
        request->cursor.messages++;
        count++;
        if (result == KS_IO)
            tell_unread(request, finding.row.message_id);
        else if (result != KS_OK)
            return result;
        if (ks_check_must_pause(check, request))
            return KS_MORE;
    }
    return count == PIECE ? KS_MORE : KS_OK;
}

/* SQLite cannot read what it wants to, or it is not sound. */
static bool is_unreadable(int code)
{
    return (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_IOERR;
}

/* SQLite cannot go on behind cursor.after. Whoever these messages are for finds out, one by one. */
static void tell_unreadable(struct ks_store_check *request)
{
    ks_check_tell(request, true,
                  "those that are damaged are put aside when their receivers ask for them; see kesher.db", "",
                  "messages after %" PRIu64 " cannot be read from the database", request->cursor.after);
}

enum ks_result ks_check_messages(struct ks_check *check, struct ks_store_check *request)
{
    sqlite3_stmt *statement = NULL;
    enum ks_result result = ks_database_prepare(check->database, messages_text, &statement);
    if (result != KS_OK)
        return result;
    struct ks_query query = ks_query_start(statement);
    ks_query_integer(&query, (int64_t)request->cursor.after);
    ks_query_integer(&query, PIECE);
    result = judge_piece(check, request, &query);
    bool goes_on = !is_unreadable(query.code);
    enum ks_result read = ks_query_end(&query);
    sqlite3_finalize(statement);
    if (!goes_on) {
        tell_unreadable(request);
        return KS_OK;
    }
    if (result == KS_INVALID)
        result = look_again(check, request, request->cursor.after) == KS_OK ? KS_MORE : KS_IO;
    return read != KS_OK ? read : result;
}

/* ---- inboxes ---- */

/* One statement sees one moment: rows of both tables come and go together. */
static const char lost_text[] = "SELECT w.ToClient, w.ID, w.ContentSize FROM waiting AS w"
                                " LEFT JOIN messages AS m ON m.ID=w.ID WHERE m.ID IS NULL";
static const char unlisted_text[] =
    "SELECT m.ID FROM messages AS m"
    " WHERE NOT EXISTS (SELECT 1 FROM waiting AS w WHERE w.ToClient=m.ToClient AND w.ID=m.ID)";

static void tell_lost(struct ks_check *check, struct ks_store_check *request, sqlite3_stmt *row)
{
    struct ks_damage_finding finding = {.row.message_id = (uint64_t)sqlite3_column_int64(row, 1),
                                        .counted_size = (uint64_t)sqlite3_column_int64(row, 2),
                                        .why = "it is missing from the database"};
    if (sqlite3_column_bytes(row, 0) != KS_CLIENT_ID_SIZE)
        return; /* integrity_check tells */
    memcpy(finding.row.receiver.bytes, sqlite3_column_blob(row, 0), KS_CLIENT_ID_SIZE);
    tell_damaged(check, request, &finding);
}

static void tell_unlisted(struct ks_check *check, struct ks_store_check *request, sqlite3_stmt *row)
{
    (void)check;
    ks_check_tell(request, true, "it stays in the database, and is not delivered", "",
                  "message %lld is in nobody's inbox", (long long)sqlite3_column_int64(row, 0));
}

static enum ks_result tell_each(struct ks_check *check, struct ks_store_check *request, const char *text,
                                void (*tell)(struct ks_check *check, struct ks_store_check *request,
                                             sqlite3_stmt *row))
{
    sqlite3_stmt *statement = NULL;
    enum ks_result result = ks_database_prepare(check->database, text, &statement);
    if (result != KS_OK)
        return result;
    struct ks_query query = ks_query_start(statement);
    while (request->count < request->limit && ks_query_next(&query))
        tell(check, request, statement);
    bool goes_on = !is_unreadable(query.code);
    result = ks_query_end(&query);
    sqlite3_finalize(statement);
    return goes_on ? result : KS_OK; /* that was told by the phases before */
}

/* No more than one page of them: where there are more, the database as a whole is not sound. */
enum ks_result ks_check_inboxes(struct ks_check *check, struct ks_store_check *request)
{
    enum ks_result result = tell_each(check, request, lost_text, tell_lost);
    return result == KS_OK ? tell_each(check, request, unlisted_text, tell_unlisted) : result;
}

/* ---- contents without a message ---- */

static enum ks_result move_stray(struct ks_check *check, void *context)
{
    const char *place = context;
    char name[64];
    struct ks_damaged damaged = {.name = name,
                                 .note =
                                     "A content in messages/ of which the database knows no message: its\n"
                                     "sender was told that it was not stored, or it was delivered.\n"};
    snprintf(name, sizeof name, "content-%s", strrchr(place, '/') + 1);
    return ks_damaged_move(check->directory_fd, &damaged, place);
}

/* Says that it is known, whatever it is, so that it stays. */
static enum ks_result look_for_row(void *context, const char *path_name, bool *known)
{
    struct ks_stray_walk *strays = context;
    struct ks_store_check *request = strays->request;
    char place[KS_NAMES_MESSAGE_SIZE];
    bool is_next = false;
    *known = true;
    enum ks_result result = ks_check_stray(strays, path_name, &is_next);
    if (!is_next)
        return result;
    snprintf(place, sizeof place, "%s", path_name);
    bool moved = request->repair && ks_check_change(strays->check, move_stray, place) == KS_OK;
    strays->found -= moved; /* the next walk does not meet it */
    request->cursor.after += moved ? 0 : 1;
    ks_check_tell(request, true, "nobody waits for it; the next start removes it",
                  moved ? "put aside into damaged/" : "", "%s has no message", path_name);
    return KS_OK;
}

enum ks_result ks_check_contents(struct ks_check *check, struct ks_store_check *request)
{
    struct ks_stray_walk strays = {
        .check = check, .request = request, .row_text = "SELECT 1 FROM messages WHERE Place=?"};
    const struct ks_log silent = {.fd = -1, .level = KS_LOG_ERROR};
    size_t removed = 0;
    enum ks_result result = ks_sweep_messages(check->directory_fd, &silent, look_for_row, &strays, &removed);
    return result == KS_NOT_FOUND ? KS_OK : result;
}
