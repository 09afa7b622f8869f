/* pulls.c — see pulls.h. A read fills the caller's buffer from the rows of a part, in their order; a run that
 * fits a limit is found by walking the covering index, in pieces, so that others have their turn between
 * them. */
#include "store/sqlite/pulls.h"

#include "store/reply.h"
#include "store/sqlite/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WALK_PIECE = 100 * 1000 }; /* messages looked at in one go */

static const char walk_text[] = "SELECT ID, ContentSize FROM waiting"
                                " WHERE ToClient=? AND ID>? AND ID<=? ORDER BY ID";
enum { WALK_ID, WALK_SIZE };

/* CROSS JOIN: in the order of the tables. */
static const char read_text[] = "SELECT m.ID, m.FromClient, m.Type, m.ContentSize, m.Place, m.Content"
                                " FROM waiting AS w CROSS JOIN messages AS m ON m.ID=w.ID"
                                " WHERE w.ToClient=? AND w.ID>? AND w.ID<=? ORDER BY w.ID";
enum { READ_ID, READ_SENDER, READ_TYPE, READ_SIZE, READ_PLACE, READ_CONTENT };

/* ---- the connection ---- */

static void disconnect(struct ks_pulls *pulls)
{
    sqlite3_stmt **const statements[] = {&pulls->walk_sizes,    &pulls->read_messages,
                                         &pulls->describe_user, &pulls->describe_users,
                                         &pulls->sum_files,     &pulls->count_senders};
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        sqlite3_finalize(*statements[i]);
        *statements[i] = NULL;
    }
    sqlite3_close_v2(pulls->database);
    pulls->database = NULL;
}

enum ks_result ks_pulls_connect(struct ks_engine *engine)
{
    struct ks_pulls *pulls = &engine->pulls;
    char why[256] = "";
    if (pulls->database != NULL)
        return KS_OK;
    enum ks_result result = ks_database_open(engine->database_path, false, &pulls->database, why, sizeof why);
    if (result != KS_OK) {
        ks_log_error(engine->log, "%s", why);
        return result;
    }
    result = ks_database_prepare(pulls->database, walk_text, &pulls->walk_sizes);
    if (result == KS_OK)
        result = ks_database_prepare(pulls->database, read_text, &pulls->read_messages);
    if (result != KS_OK)
        disconnect(pulls);
    return result;
}

enum ks_result ks_pulls_failed(struct ks_engine *engine, enum ks_result result)
{
    ks_log_error(engine->log, "the database cannot be read: %s", sqlite3_errmsg(engine->pulls.database));
    disconnect(&engine->pulls);
    return result;
}

static struct ks_query start_query(sqlite3_stmt *statement, const struct ks_client_id *receiver,
                                   uint64_t after, uint64_t last)
{
    struct ks_query query = ks_query_start(statement);
    ks_query_blob(&query, receiver->bytes, sizeof receiver->bytes);
    ks_query_integer(&query, (int64_t)after);
    ks_query_integer(&query, (int64_t)last);
    return query;
}

/* ---- the run that fits ---- */

/* The request's out fields say how far the walk is: `count` messages with `size` bytes, up to `last`. */
static void walk_from(struct ks_store_lease_waiting *request, const struct ks_part *part)
{
    request->after = part->after;
    request->until = part->last;
    request->last = part->after;
    request->count = 0;
    request->size = 0;
    request->more = false;
}

/* True when one more message fits, or it is the first. */
static bool add_to_run(struct ks_store_lease_waiting *request, sqlite3_stmt *row)
{
    uint64_t size = request->size + (uint64_t)sqlite3_column_int64(row, WALK_SIZE) + request->overhead;
    if (request->count > 0 && size > request->size_limit)
        return false;
    request->last = (uint64_t)sqlite3_column_int64(row, WALK_ID);
    request->size = size;
    request->count++;
    return true;
}

/* KS_OK when the run is found; KS_MORE when there is more to look at. */
static enum ks_result walk_piece(struct ks_engine *engine, struct ks_store_lease_waiting *request)
{
    enum ks_result found = ks_pulls_connect(engine);
    if (found != KS_OK)
        return found;
    struct ks_query query =
        start_query(engine->pulls.walk_sizes, &request->receiver, request->last, request->until);
    size_t looked_at = 0;
    while (found == KS_OK && ks_query_next(&query) && add_to_run(request, query.statement))
        if (++looked_at == WALK_PIECE)
            found = KS_MORE;
    enum ks_result result = ks_query_end(&query);
    return result == KS_OK ? found : ks_pulls_failed(engine, result);
}

/* KS_PENDING: walk again. */
static enum ks_result lease_found(struct ks_engine *engine, struct ks_store_lease_waiting *request)
{
    /* What it was to find is somebody else's by now, and what came later is not filed: the next request's. */
    if (request->count == 0 && request->after >= atomic_load(&engine->filing.done))
        return KS_NOT_FOUND;
    struct ks_part part = {.after = request->after,
                           .last = request->last,
                           .count = request->count,
                           .bytes = request->size - request->count * request->overhead};
    enum ks_result result = ks_inboxes_lease_run(engine->inboxes, &request->receiver, request->owner, &part);
    if (result == KS_PENDING)
        walk_from(request, &part);
    else if (result == KS_OK)
        request->more = part.more;
    else if (result == KS_IO)
        ks_log_error(engine->log, "the database has other messages than were counted");
    return result;
}

static void run_lease(struct ks_task *task)
{
    struct ks_store_lease_waiting *request =
        KS_CONTAINER_OF(task, struct ks_store_lease_waiting, request.task);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    enum ks_result result = walk_piece(engine, request);
    if (result == KS_OK)
        result = lease_found(engine, request);
    if (result == KS_MORE || result == KS_PENDING) {
        ks_executor_post(ks_thread_executor(engine->pulls.thread), task);
        return;
    }
    if (result != KS_OK) {
        ks_inboxes_lease_nothing(engine->inboxes, &request->receiver, request->owner);
        request->count = 0;
        request->size = 0;
        request->more = false;
    }
    ks_reply_post(&request->request, result == KS_NOT_FOUND ? KS_OK : result);
}

void ks_pulls_lease(struct ks_engine *engine, struct ks_store_lease_waiting *request)
{
    walk_from(request, &(struct ks_part){.after = request->after, .last = request->until});
    request->request.task.run = run_lease;
    ks_executor_post(ks_thread_executor(engine->pulls.thread), &request->request.task);
}

/* ---- the bytes of a part ---- */

/* Reads bytes of a content that lies in a file. KS_OK; KS_IO when the file is not what the row says. */
static enum ks_result read_file(const struct ks_engine *engine, const char *place, uint8_t *bytes,
                                size_t size, const struct ks_message_cursor *cursor, uint32_t content_size)
{
    struct stat status;
    int fd = openat(engine->directory_fd, place, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return KS_IO;
    bool whole = fstat(fd, &status) == 0 && status.st_size == (off_t)content_size;
    size_t done = 0;
    while (whole && done < size) {
        ssize_t count = pread(fd, bytes + done, size - done, (off_t)(cursor->offset + done));
        if (count > 0)
            done += (size_t)count;
        else if (count == 0 || errno != EINTR)
            whole = false;
    }
    close(fd);
    return whole ? KS_OK : KS_IO;
}

static enum ks_result read_content(const struct ks_engine *engine, sqlite3_stmt *row, uint8_t *bytes,
                                   size_t size, const struct ks_message_cursor *cursor, uint32_t content_size)
{
    const char *place = (const char *)sqlite3_column_text(row, READ_PLACE);
    if (place != NULL)
        return read_file(engine, place, bytes, size, cursor, content_size);
    if (sqlite3_column_bytes(row, READ_CONTENT) != (int)content_size)
        return KS_IO;
    if (size > 0)
        memcpy(bytes, (const uint8_t *)sqlite3_column_blob(row, READ_CONTENT) + cursor->offset, size);
    return KS_OK;
}

/* False when the row is none that can be read here: another one than the cursor stands in, or not sound. */
static bool describe_message(sqlite3_stmt *row, const struct ks_message_cursor *cursor,
                             struct ks_stored_message *message)
{
    int64_t size = sqlite3_column_int64(row, READ_SIZE);
    message->message_id = (uint64_t)sqlite3_column_int64(row, READ_ID);
    message->type = (uint8_t)sqlite3_column_int(row, READ_TYPE);
    message->content_size = (uint32_t)size;
    if (sqlite3_column_bytes(row, READ_SENDER) != KS_CLIENT_ID_SIZE || size < 0 || size > UINT32_MAX ||
        (cursor->next != 0 && cursor->next != message->message_id))
        return false;
    memcpy(message->sender.bytes, sqlite3_column_blob(row, READ_SENDER), KS_CLIENT_ID_SIZE);
    return true;
}

/* The next bytes of one message: its head, if it is not given yet, and of its content what there is room for.
 * KS_OK; KS_IO when the row is not what it should be. */
static enum ks_result take_message(const struct ks_engine *engine, struct ks_store_lease_read *request,
                                   sqlite3_stmt *row)
{
    struct ks_message_cursor *cursor = &request->cursor;
    struct ks_stored_message message;
    if (!describe_message(row, cursor, &message))
        return KS_IO;
    if (cursor->next == 0) {
        request->encode(request->context, &message, request->bytes + request->size);
        request->size += request->overhead;
        cursor->next = message.message_id;
        cursor->offset = 0;
    }
    uint64_t left = message.content_size - cursor->offset;
    size_t room = request->capacity - request->size;
    size_t size = left < room ? (size_t)left : room;
    enum ks_result result =
        read_content(engine, row, request->bytes + request->size, size, cursor, message.content_size);
    if (result != KS_OK)
        return result;
    request->size += size;
    cursor->offset += size;
    if (cursor->offset == message.content_size) {
        *cursor = (struct ks_message_cursor){.message_id = message.message_id,
                                             .given = cursor->given + 1,
                                             .given_size = cursor->given_size + message.content_size};
    }
    return KS_OK;
}

static bool has_room(const struct ks_store_lease_read *request)
{
    size_t needed = request->cursor.next == 0 ? request->overhead : 1;
    return request->capacity - request->size >= needed;
}

/* Whether what was given can still become the part, and is it when there are no more rows. */
static bool agrees(const struct ks_message_cursor *cursor, const struct ks_part *part, bool at_end)
{
    if (cursor->given == part->count)
        return cursor->given_size == part->bytes;
    return !at_end && cursor->given < part->count;
}

static enum ks_result read_rows(struct ks_engine *engine, struct ks_store_lease_read *request,
                                const struct ks_part *part)
{
    enum ks_result taken = ks_pulls_connect(engine);
    if (taken != KS_OK)
        return taken;
    struct ks_query query = start_query(engine->pulls.read_messages, &request->receiver,
                                        request->cursor.message_id, request->last);
    bool at_end = false;
    while (taken == KS_OK && !at_end && has_room(request)) {
        at_end = !ks_query_next(&query);
        if (!at_end)
            taken = take_message(engine, request, query.statement);
    }
    enum ks_result result = ks_query_end(&query);
    if (result != KS_OK)
        return ks_pulls_failed(engine, result);
    if (taken == KS_OK && !agrees(&request->cursor, part, at_end))
        taken = KS_IO;
    return taken;
}

static enum ks_result read_part(struct ks_engine *engine, struct ks_store_lease_read *request)
{
    struct ks_part part;
    if (ks_inboxes_part(engine->inboxes, &request->receiver, request->owner, request->last, &part) != KS_OK)
        return KS_NOT_FOUND;
    if (request->cursor.given == part.count)
        return KS_OK;
    enum ks_result result = read_rows(engine, request, &part);
    if (result == KS_OK)
        return KS_OK;
    /* What another owner has got meanwhile may be deleted. */
    if (ks_inboxes_part(engine->inboxes, &request->receiver, request->owner, request->last, &part) != KS_OK)
        return KS_NOT_FOUND;
    ks_log_error(engine->log, "a waiting message cannot be read: %s", ks_result_text(result));
    return result;
}

static void run_read(struct ks_task *task)
{
    struct ks_store_lease_read *request = KS_CONTAINER_OF(task, struct ks_store_lease_read, request.task);
    struct ks_engine *engine = ks_engine_of(request->request.store);
    ks_reply_post(&request->request, read_part(engine, request));
}

void ks_pulls_read(struct ks_engine *engine, struct ks_store_lease_read *request)
{
    request->request.task.run = run_read;
    ks_executor_post(ks_thread_executor(engine->pulls.thread), &request->request.task);
}

/* ---- the thread ---- */

enum ks_result ks_pulls_start(struct ks_engine *engine)
{
    const struct ks_thread_hooks hooks = {.context = engine};
    enum ks_result result = ks_pulls_connect(engine);
    return result != KS_OK ? result : ks_thread_start(&engine->pulls.thread, "store-pull", &hooks);
}

void ks_pulls_stop(struct ks_engine *engine)
{
    ks_thread_stop(engine->pulls.thread);
    engine->pulls.thread = NULL;
    disconnect(&engine->pulls);
}
