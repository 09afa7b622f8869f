/* damage.c — see damage.h. */
#include "store/embedded/readers/damage.h"

#include "base/limits/log_repeats.h"
#include "base/text.h"
#include "store/embedded/disk/damaged.h"
#include "store/embedded/vault/contents.h"
#include "store/reply.h"

#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOTE_SIZE = 2048, ESCAPED_SIZE = 512, HEX_SIZE = 2 * KS_CLIENT_ID_SIZE + 1 };

/* Rows that are to go. */
struct damage_removal {
    struct ks_interlude interlude;
    struct ks_damage *damage;
    struct ks_store_lease_read *request; /* to be answered, or … */
    sem_t *done;                         /* … who waits for this, and … */
    bool *removed;                       /* … is told here */
    struct ks_client_id receiver;
    uint64_t message_id;
};

/* ---- rows ---- */

static bool read_id(sqlite3_stmt *statement, int column, struct ks_client_id *id)
{
    const void *bytes = sqlite3_column_blob(statement, column);
    if (bytes == NULL || sqlite3_column_bytes(statement, column) != KS_CLIENT_ID_SIZE)
        return false;
    memcpy(id->bytes, bytes, sizeof id->bytes);
    return true;
}

static uint32_t sum_of(const struct ks_damage_row *row)
{
    return ks_sums_of_row(&(struct ks_sums_row){
        .message_id = row->message_id,
        .receiver = &row->receiver,
        .sender = &row->sender,
        .type = row->type,
        .content_size = row->content_size,
        .bytes = row->place != NULL ? row->place : row->content,
        .size = row->place != NULL ? strlen(row->place) : row->content_bytes,
    });
}

const char *ks_damage_read_row(sqlite3_stmt *statement, const struct ks_client_id *receiver,
                               struct ks_damage_row *row)
{
    enum { ID, SENDER, TYPE, SIZE, PLACE, CONTENT, SUM, RECEIVER };
    int64_t size = sqlite3_column_int64(statement, SIZE);
    *row = (struct ks_damage_row){
        .message_id = (uint64_t)sqlite3_column_int64(statement, ID),
        .type = (uint8_t)sqlite3_column_int(statement, TYPE),
        .content_size = (uint32_t)size,
        .place = (const char *)sqlite3_column_text(statement, PLACE),
        .content = sqlite3_column_blob(statement, CONTENT),
        .content_bytes = (size_t)sqlite3_column_bytes(statement, CONTENT),
        .has_sum = sqlite3_column_type(statement, SUM) == SQLITE_INTEGER,
        .sum = (uint32_t)sqlite3_column_int64(statement, SUM),
    };
    if (receiver != NULL)
        row->receiver = *receiver;
    else if (!read_id(statement, RECEIVER, &row->receiver))
        return "its row is not sound";
    if (!read_id(statement, SENDER, &row->sender))
        return "its row is not sound";
    if (size < 0 || size > UINT32_MAX || (row->place == NULL && row->content_bytes != row->content_size) ||
        (row->content == NULL && row->content_bytes > 0))
        return "its size is not that of its content";
    if (row->has_sum && row->sum != sum_of(row))
        return "it is not what was stored";
    return NULL;
}

/* ---- notes ---- */

const char *ks_damage_describe_user(const struct ks_damage *damage, const struct ks_client_id *id,
                                    char who[static KS_DAMAGE_WHO_SIZE])
{
    struct ks_user user;
    struct ks_client_id alias;
    char hex[HEX_SIZE];
    char name[ESCAPED_SIZE];
    bool known = ks_users_look_up(damage->users, id, true, &user) == KS_OK;
    if (known)
        ks_text_escape_quoted(user.name, strlen(user.name), name, sizeof name);
    ks_alias_of_id(damage->aliases, id->bytes, alias.bytes);
    ks_text_to_hex(alias.bytes, sizeof alias.bytes, hex);
    if (known)
        snprintf(who, KS_DAMAGE_WHO_SIZE, "\"%s\" (public id %s)", name, hex);
    else
        snprintf(who, KS_DAMAGE_WHO_SIZE, "nobody who is known (public id %s)", hex);
    return who;
}

static void write_note(const struct ks_damage *damage, const struct ks_damage_finding *finding,
                       char note[static NOTE_SIZE])
{
    char receiver[KS_DAMAGE_WHO_SIZE];
    char sender[KS_DAMAGE_WHO_SIZE];
    char now[KS_CLOCK_SHOWN_SIZE];
    const struct ks_damage_row *row = &finding->row;
    ks_clock_show(ks_clock_wall_seconds(damage->clock), now);
    int size = snprintf(note, NOTE_SIZE,
                        "Message %" PRIu64 " is damaged: %s.\n"
                        "kesherd has put it aside, and will not deliver it.\n\n"
                        "when  %s\n"
                        "to    %s\n",
                        row->message_id, finding->why, now,
                        ks_damage_describe_user(damage, &row->receiver, receiver));
    if (finding->has_row)
        snprintf(note + size, NOTE_SIZE - (size_t)size, "from  %s\ntype  %u\nsize  %" PRIu32 " bytes\n",
                 ks_damage_describe_user(damage, &row->sender, sender), row->type, row->content_size);
    else
        snprintf(note + size, NOTE_SIZE - (size_t)size, "from  cannot be read\nsize  %" PRIu64 " bytes\n",
                 finding->counted_size);
}

static void log_finding(const struct ks_damage *damage, const struct ks_damage_finding *finding,
                        const char *path)
{
    char receiver[KS_DAMAGE_WHO_SIZE];
    char sender[KS_DAMAGE_WHO_SIZE] = "a sender that cannot be read";
    if (finding->has_row)
        ks_damage_describe_user(damage, &finding->row.sender, sender);
    ks_log_error(damage->log, "message %" PRIu64 " to %s from %s is damaged: %s; it was put aside: %s",
                 finding->row.message_id, ks_damage_describe_user(damage, &finding->row.receiver, receiver),
                 sender, finding->why, path);
}

/* Puts aside what there is of it. When this is KS_OK, the rows may go. */
static enum ks_result put_aside(struct ks_damage *damage, const struct ks_damage_finding *finding)
{
    const struct ks_damage_row *row = &finding->row;
    char name[64];
    char note[NOTE_SIZE];
    struct ks_damaged damaged = {.name = name, .note = note};
    enum ks_result result = KS_OK;
    snprintf(name, sizeof name, "message-%" PRIu64, row->message_id);
    write_note(damage, finding, note);
    if (finding->has_row && row->place != NULL)
        result = ks_damaged_move(damage->directory_fd, &damaged, row->place);
    else if (finding->has_row && row->content != NULL)
        result = ks_damaged_write(damage->directory_fd, &damaged, row->content, row->content_bytes);
    else
        result = ks_damaged_note(damage->directory_fd, &damaged);
    if (result == KS_NOT_FOUND)
        result = KS_OK; /* its file is what is missing */
    if (result == KS_OK) {
        atomic_fetch_add(&damage->count, 1);
        log_finding(damage, finding, damaged.path);
    } else {
        ks_log_error(damage->log, "message %" PRIu64 " is damaged, and cannot be put aside: %s",
                     row->message_id, ks_result_text(result));
    }
    return result;
}

/* ---- looking, on the pull thread ---- */

static const char next_text[] = "SELECT ID, ContentSize FROM waiting"
                                " WHERE ToClient=? AND ID>? AND ID<=? ORDER BY ID LIMIT 1";
static const char message_text[] = "SELECT " KS_DAMAGE_COLUMNS " FROM messages AS m WHERE m.ID=?";

/* KS_OK with the next message's id and counted size; KS_NOT_FOUND behind the last one. */
static enum ks_result next_message(struct ks_damage *damage, sqlite3_stmt *statement,
                                   const struct ks_store_lease_read *request, uint64_t after,
                                   struct ks_damage_finding *finding)
{
    struct ks_query query = ks_query_start(statement);
    ks_query_blob(&query, request->receiver.bytes, sizeof request->receiver.bytes);
    ks_query_integer(&query, (int64_t)after);
    ks_query_integer(&query, (int64_t)request->last);
    bool found = ks_query_next(&query);
    *finding = (struct ks_damage_finding){.row.receiver = request->receiver};
    if (found) {
        finding->row.message_id = (uint64_t)sqlite3_column_int64(statement, 0);
        finding->counted_size = (uint64_t)sqlite3_column_int64(statement, 1);
    }
    enum ks_result result = ks_query_end(&query);
    if (result != KS_OK)
        return ks_database_reader_failed(damage->reader, result);
    return found ? KS_OK : KS_NOT_FOUND;
}

enum ks_result ks_damage_judge(const struct ks_damage *damage, sqlite3_stmt *statement, uint8_t *scratch,
                               struct ks_damage_finding *finding)
{
    const struct ks_client_id receiver = finding->row.receiver;
    finding->why = ks_damage_read_row(statement, NULL, &finding->row);
    finding->has_row = true;
    if (finding->why == NULL && memcmp(&finding->row.receiver, &receiver, sizeof receiver) != 0)
        finding->why = "it is another receiver's by its row";
    if (finding->why == NULL && finding->row.content_size != finding->counted_size)
        finding->why = "it has another size than was counted";
    finding->row.receiver = receiver;
    if (sqlite3_errcode(sqlite3_db_handle(statement)) == SQLITE_NOMEM)
        return KS_NO_MEMORY; /* and not all that was read is what the row has */
    if (finding->why == NULL && finding->row.place != NULL) {
        struct ks_contents contents = {.directory_fd = damage->directory_fd,
                                       .place = finding->row.place,
                                       .content_size = finding->row.content_size,
                                       .scratch = scratch};
        enum ks_result result = ks_contents_check(&contents, NULL, NULL);
        if (result != KS_INVALID)
            return result;
        finding->why = contents.why;
    }
    return finding->why != NULL ? KS_INVALID : KS_OK;
}

/* KS_OK when the message is sound; KS_INVALID when it was damaged, and is put aside now; anything else:
 * nobody knows, or it could not be put aside. */
static enum ks_result examine(struct ks_damage *damage, sqlite3_stmt *statement, uint8_t *scratch,
                              struct ks_damage_finding *finding)
{
    struct ks_query query = ks_query_start(statement);
    ks_query_integer(&query, (int64_t)finding->row.message_id);
    enum ks_result result = KS_INVALID;
    if (ks_query_next(&query))
        result = ks_damage_judge(damage, statement, scratch, finding);
    else if ((query.code & 0xff) == SQLITE_CORRUPT && !ks_database_could_not_read(damage->reader->database))
        finding->why = "its page of the database is corrupt";
    else if (query.code == SQLITE_DONE)
        finding->why = "it is missing from the database";
    else
        result = KS_IO;
    if (result == KS_INVALID) {
        enum ks_result put = put_aside(damage, finding);
        result = put == KS_OK ? KS_INVALID : put;
    }
    (void)ks_query_end(&query); /* what it says is in `result` */
    return result;
}

/* The first damaged message of the part, behind the cursor, as a new connection reads it. KS_INVALID when it
 * is put aside; KS_NOT_FOUND when there is none; anything else: nobody knows. */
static enum ks_result find_damaged(struct ks_damage *damage, const struct ks_store_lease_read *request,
                                   uint8_t *scratch, struct ks_damage_finding *finding)
{
    sqlite3_stmt *next = NULL;
    sqlite3_stmt *message = NULL;
    uint64_t after = request->cursor.message_id;
    enum ks_result result = ks_database_reader_reconnect(damage->reader);
    if (result != KS_OK)
        return result;
    result = ks_database_prepare(damage->reader->database, next_text, &next);
    if (result == KS_OK)
        result = ks_database_prepare(damage->reader->database, message_text, &message);
    while (result == KS_OK) {
        result = next_message(damage, next, request, after, finding);
        after = finding->row.message_id;
        if (result == KS_OK)
            result = examine(damage, message, scratch, finding);
    }
    sqlite3_finalize(next);
    sqlite3_finalize(message);
    return result;
}

/* ---- removing, on the writer's thread ---- */

/* What the receiver's inbox has for a message. */
struct listed {
    bool is_listed;
    uint64_t counted_size;
};

static enum ks_result delete_waiting(struct ks_damage *damage, const struct ks_client_id *receiver,
                                     uint64_t message_id, struct listed *listed)
{
    struct ks_query query = ks_database_writer_query(damage->writer, KS_STATEMENT_DELETE_WAITING_ONE);
    ks_query_blob(&query, receiver->bytes, sizeof receiver->bytes);
    ks_query_integer(&query, (int64_t)message_id);
    *listed = (struct listed){.is_listed = ks_query_next(&query)};
    if (listed->is_listed) {
        listed->counted_size = (uint64_t)sqlite3_column_int64(query.statement, 0);
        (void)ks_query_next(&query); /* there is no other; this ends the statement */
    }
    return ks_database_writer_check(damage->writer, ks_query_end(&query));
}

static enum ks_result delete_message(struct ks_damage *damage, uint64_t message_id)
{
    struct ks_query query = ks_database_writer_query(damage->writer, KS_STATEMENT_DELETE_MESSAGE);
    ks_query_integer(&query, (int64_t)message_id);
    return ks_database_writer_check(damage->writer, ks_query_run(&query));
}

/* In a transaction of its own. *listed is what was, before. */
static enum ks_result delete_rows(struct ks_damage *damage, const struct ks_client_id *receiver,
                                  uint64_t message_id, bool from_messages, struct listed *listed)
{
    enum ks_result result = ks_database_writer_begin(damage->writer);
    if (result == KS_OK)
        result = delete_waiting(damage, receiver, message_id, listed);
    if (result == KS_OK && from_messages)
        result = delete_message(damage, message_id);
    enum ks_result finished = ks_database_writer_finish(damage->writer);
    ks_database_writer_forget_failure(damage->writer);
    return result != KS_OK ? result : finished;
}

/* A row that SQLite cannot reach stays, and nothing leads to it any more. */
static enum ks_result unlist(struct ks_damage *damage, const struct ks_client_id *receiver,
                             uint64_t message_id, struct listed *listed)
{
    if (delete_rows(damage, receiver, message_id, true, listed) == KS_OK)
        return KS_OK;
    return delete_rows(damage, receiver, message_id, false, listed);
}

static void answer(struct ks_store_lease_read *request, bool put_aside)
{
    bool is_begun = request->cursor.given > 0 || request->cursor.next != 0 || request->size > 0;
    request->size = 0;
    ks_reply_post(&request->request, put_aside && !is_begun ? KS_NOT_FOUND : KS_IO);
}

static void end_removal(struct damage_removal *removal, bool removed)
{
    if (removal->request != NULL) {
        answer(removal->request, removed);
        free(removal);
        return;
    }
    *removal->removed = removed;
    sem_post(removal->done); /* the removal is the waiter's */
}

/* Two may have found the same message, and what a damaged row says of its receiver and size need not be what
 * was counted: so the inbox loses what was listed in it, once. */
static void run_removal(struct ks_interlude *interlude)
{
    struct damage_removal *removal = KS_CONTAINER_OF(interlude, struct damage_removal, interlude);
    struct ks_damage *damage = removal->damage;
    struct listed listed;
    bool done = unlist(damage, &removal->receiver, removal->message_id, &listed) == KS_OK;
    if (done && listed.is_listed)
        ks_inboxes_forget(damage->inboxes, &removal->receiver, removal->message_id, listed.counted_size);
    end_removal(removal, done);
}

static void log_unknown(const struct ks_damage *damage, enum ks_result result)
{
    if (result == KS_IO || result == KS_NO_MEMORY)
        ks_log_trouble(damage->log, KS_LOG_ERROR,
                       "whether a waiting message is damaged cannot be told now, so it stays: %s",
                       ks_result_text(result));
}

void ks_damage_look(struct ks_damage *damage, struct ks_store_lease_read *request, uint8_t *scratch)
{
    struct ks_damage_finding finding;
    struct damage_removal *removal = calloc(1, sizeof *removal);
    enum ks_result found = KS_NO_MEMORY;
    if (removal != NULL)
        found = atomic_load(&damage->stopped) ? KS_CLOSED : find_damaged(damage, request, scratch, &finding);
    if (found != KS_INVALID) {
        log_unknown(damage, found);
        free(removal);
        answer(request, false);
        return;
    }
    *removal = (struct damage_removal){.interlude.run = run_removal,
                                       .damage = damage,
                                       .request = request,
                                       .receiver = request->receiver,
                                       .message_id = finding.row.message_id};
    ks_database_writer_between(damage->writer, &removal->interlude);
}

enum ks_result ks_damage_take_out(struct ks_damage *damage, const struct ks_damage_finding *finding)
{
    sem_t done;
    bool removed = false;
    struct damage_removal removal = {.interlude.run = run_removal,
                                     .damage = damage,
                                     .done = &done,
                                     .removed = &removed,
                                     .receiver = finding->row.receiver,
                                     .message_id = finding->row.message_id};
    enum ks_result result = put_aside(damage, finding);
    if (result != KS_OK)
        return result;
    sem_init(&done, 0, 0); /* cannot fail with these */
    ks_database_writer_between(damage->writer, &removal.interlude);
    while (sem_wait(&done) != 0)
        ;
    sem_destroy(&done);
    return removed ? KS_OK : KS_IO;
}

/* ---- at the end and at the start ---- */

void ks_damage_stop(struct ks_damage *damage)
{
    atomic_store(&damage->stopped, true);
    if (damage->reader->thread != NULL)
        ks_thread_reach(damage->reader->thread);
}

enum ks_result ks_damage_put_aside(struct ks_damage *damage, const struct ks_damage_row *row, const char *why)
{
    const struct ks_damage_finding finding = {
        .row = *row, .has_row = true, .counted_size = row->content_size, .why = why};
    const struct ks_client_id receiver = row->receiver;
    const uint64_t message_id = row->message_id;
    struct listed listed; /* nothing is counted yet */
    enum ks_result result = put_aside(damage, &finding);
    return result == KS_OK ? delete_rows(damage, &receiver, message_id, true, &listed) : result;
}
