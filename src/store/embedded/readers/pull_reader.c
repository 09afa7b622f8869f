/* pull_reader.c — see pull_reader.h. A read fills the caller's buffer from the rows of a part, in their
 * order; a run that fits a limit is found by walking the covering index, in pieces, so that others have their
 * turn between them. */
#include "store/embedded/readers/pull_reader.h"

#include "base/limits/log_repeats.h"
#include "store/embedded/vault/contents.h"
#include "store/reply.h"

#include <stdlib.h>
#include <string.h>

_Static_assert((int)KS_PULL_STATEMENTS <= (int)KS_READER_STATEMENTS, "each has a place");

enum { WALK_PIECE = 100 * 1000 }; /* messages looked at in one go */

static const char walk_text[] = "SELECT ID, ContentSize FROM waiting"
                                " WHERE ToClient=? AND ID>? AND ID<=? ORDER BY ID";
enum { WALK_ID, WALK_SIZE };

/* CROSS JOIN: in the order of the tables. */
static const char read_text[] =
    "SELECT " KS_DAMAGE_OWN_COLUMNS " FROM waiting AS w CROSS JOIN messages AS m ON m.ID=w.ID"
    " WHERE w.ToClient=? AND w.ID>? AND w.ID<=? ORDER BY w.ID";

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
static enum ks_result walk_piece(struct ks_pull_reader *pull_reader, struct ks_store_lease_waiting *request)
{
    enum ks_result found = ks_database_reader_prepare(&pull_reader->reader, KS_PULL_WALK_SIZES, walk_text);
    if (found != KS_OK)
        return found;
    struct ks_query query = start_query(pull_reader->reader.statements[KS_PULL_WALK_SIZES],
                                        &request->receiver, request->last, request->until);
    size_t looked_at = 0;
    while (found == KS_OK && ks_query_next(&query) && add_to_run(request, query.statement))
        if (++looked_at == WALK_PIECE)
            found = KS_MORE;
    enum ks_result result = ks_query_end(&query);
    return result == KS_OK ? found : ks_database_reader_failed(&pull_reader->reader, result);
}

/* KS_PENDING: walk again. */
static enum ks_result lease_found(struct ks_pull_reader *pull_reader, struct ks_store_lease_waiting *request)
{
    /* What it was to find is somebody else's by now, and what came later is not filed: the next request's.
     */
    if (request->count == 0 && request->after >= atomic_load(&pull_reader->filing->filed))
        return KS_NOT_FOUND;
    struct ks_part part = {.after = request->after,
                           .last = request->last,
                           .count = request->count,
                           .bytes = request->size - request->count * request->overhead};
    enum ks_result result =
        ks_inboxes_lease_run(pull_reader->inboxes, &request->receiver, request->owner, &part);
    if (result == KS_PENDING)
        walk_from(request, &part);
    else if (result == KS_OK)
        request->more = part.more;
    else if (result == KS_IO)
        ks_log_trouble(pull_reader->log, KS_LOG_ERROR, "the database has other messages than were counted");
    return result;
}

static void run_lease(struct ks_task *task)
{
    struct ks_store_lease_waiting *request =
        KS_CONTAINER_OF(task, struct ks_store_lease_waiting, request.task);
    struct ks_pull_reader *pull_reader = request->request.part;
    enum ks_result result = walk_piece(pull_reader, request);
    if (result == KS_OK)
        result = lease_found(pull_reader, request);
    if (result == KS_MORE || result == KS_PENDING) {
        ks_database_reader_post(&pull_reader->reader, task);
        return;
    }
    if (result != KS_OK) {
        ks_inboxes_lease_nothing(pull_reader->inboxes, &request->receiver, request->owner);
        request->count = 0;
        request->size = 0;
        request->more = false;
    }
    ks_reply_post(&request->request, result == KS_NOT_FOUND ? KS_OK : result);
}

void ks_pull_reader_lease(struct ks_pull_reader *pull_reader, struct ks_store_lease_waiting *request)
{
    walk_from(request, &(struct ks_part){.after = request->after, .last = request->until});
    request->request.part = pull_reader;
    request->request.task.run = run_lease;
    ks_database_reader_post(&pull_reader->reader, &request->request.task);
}

/* ---- the bytes of a part ---- */

/* KS_OK; KS_INVALID when the content is damaged; KS_NO_MEMORY, KS_IO. */
static enum ks_result read_content(const struct ks_pull_reader *pull_reader, const struct ks_damage_row *row,
                                   uint8_t *bytes, size_t size, uint64_t offset)
{
    if (row->place == NULL) {
        if (size > 0)
            memcpy(bytes, (const uint8_t *)row->content + offset, size);
        return KS_OK;
    }
    struct ks_contents contents = {.directory_fd = pull_reader->directory_fd,
                                   .place = row->place,
                                   .content_size = row->content_size,
                                   .scratch = pull_reader->scratch};
    return ks_contents_read(&contents, offset, bytes, size);
}

/* False when the row is none that can be read here: not sound, or another one than the cursor stands in. That
 * all together have another size than was counted is seen at the end. */
static bool read_row(sqlite3_stmt *statement, const struct ks_store_lease_read *request,
                     struct ks_damage_row *row)
{
    const struct ks_message_cursor *cursor = &request->cursor;
    return ks_damage_read_row(statement, &request->receiver, row) == NULL &&
           (cursor->next == 0 || cursor->next == row->message_id);
}

static void begin_message(struct ks_store_lease_read *request, const struct ks_damage_row *row)
{
    const struct ks_stored_message message = {.message_id = row->message_id,
                                              .sender = row->sender,
                                              .type = row->type,
                                              .content_size = row->content_size};
    request->encode(request->context, &message, request->bytes + request->size);
    request->size += request->overhead;
    request->cursor.next = row->message_id;
    request->cursor.offset = 0;
}

/* The next bytes of one message: its head, if it is not given yet, and of its content what there is room for.
 * KS_OK; KS_INVALID when it is damaged, and nothing of it is given in this call; KS_NO_MEMORY, KS_IO. */
static enum ks_result take_message(const struct ks_pull_reader *pull_reader,
                                   struct ks_store_lease_read *request, sqlite3_stmt *statement)
{
    struct ks_message_cursor *cursor = &request->cursor;
    struct ks_damage_row row;
    if (!read_row(statement, request, &row))
        return KS_INVALID;
    if (cursor->next == 0)
        begin_message(request, &row);
    uint64_t left = row.content_size - cursor->offset;
    size_t room = request->capacity - request->size;
    size_t size = left < room ? (size_t)left : room;
    enum ks_result result =
        read_content(pull_reader, &row, request->bytes + request->size, size, cursor->offset);
    if (result != KS_OK)
        return result;
    request->size += size;
    cursor->offset += size;
    if (cursor->offset == row.content_size) {
        *cursor = (struct ks_message_cursor){.message_id = row.message_id,
                                             .given = cursor->given + 1,
                                             .given_size = cursor->given_size + row.content_size};
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

static enum ks_result read_rows(struct ks_pull_reader *pull_reader, struct ks_store_lease_read *request,
                                const struct ks_part *part)
{
    enum ks_result taken = ks_database_reader_prepare(&pull_reader->reader, KS_PULL_READ_MESSAGES, read_text);
    if (taken != KS_OK)
        return taken;
    struct ks_query query = start_query(pull_reader->reader.statements[KS_PULL_READ_MESSAGES],
                                        &request->receiver, request->cursor.message_id, request->last);
    bool at_end = false;
    while (taken == KS_OK && !at_end && has_room(request)) {
        at_end = !ks_query_next(&query);
        if (!at_end)
            taken = take_message(pull_reader, request, query.statement);
    }
    enum ks_result result = ks_query_end(&query);
    if (result != KS_OK)
        return ks_database_reader_failed(&pull_reader->reader, result);
    if (taken == KS_OK && !agrees(&request->cursor, part, at_end))
        taken = KS_IO;
    return taken;
}

/* KS_PENDING: ks_damage_look answers. */
static enum ks_result read_part(struct ks_pull_reader *pull_reader, struct ks_store_lease_read *request)
{
    struct ks_part part;
    const struct ks_message_cursor before = request->cursor;
    if (ks_inboxes_part(pull_reader->inboxes, &request->receiver, request->owner, request->last, &part) !=
        KS_OK)
        return KS_NOT_FOUND;
    if (request->cursor.given == part.count)
        return KS_OK;
    enum ks_result result = read_rows(pull_reader, request, &part);
    if (result == KS_OK)
        return KS_OK;
    /* What another owner has got meanwhile may be deleted. */
    if (ks_inboxes_part(pull_reader->inboxes, &request->receiver, request->owner, request->last, &part) !=
        KS_OK)
        return KS_NOT_FOUND;
    ks_log_trouble(pull_reader->log, KS_LOG_ERROR, "a waiting message cannot be read: %s",
                   ks_result_text(result));
    request->cursor = before;
    request->size = 0;
    ks_damage_look(pull_reader->damage, request, pull_reader->scratch);
    return KS_PENDING;
}

static void run_read(struct ks_task *task)
{
    struct ks_store_lease_read *request = KS_CONTAINER_OF(task, struct ks_store_lease_read, request.task);
    struct ks_pull_reader *pull_reader = request->request.part;
    enum ks_result result = read_part(pull_reader, request);
    if (result != KS_PENDING)
        ks_reply_post(&request->request, result);
}

void ks_pull_reader_read(struct ks_pull_reader *pull_reader, struct ks_store_lease_read *request)
{
    request->request.part = pull_reader;
    request->request.task.run = run_read;
    ks_database_reader_post(&pull_reader->reader, &request->request.task);
}

/* ---- the thread ---- */

enum ks_result ks_pull_reader_start(struct ks_pull_reader *pull_reader)
{
    struct ks_database_reader *reader = &pull_reader->reader;
    pull_reader->scratch = malloc(KS_SUMS_PIECE);
    if (pull_reader->scratch == NULL)
        return KS_NO_MEMORY;
    enum ks_result result = ks_database_reader_prepare(reader, KS_PULL_WALK_SIZES, walk_text);
    if (result == KS_OK)
        result = ks_database_reader_prepare(reader, KS_PULL_READ_MESSAGES, read_text);
    return result != KS_OK ? result : ks_database_reader_start(reader, "store-pull");
}

void ks_pull_reader_stop(struct ks_pull_reader *pull_reader)
{
    ks_database_reader_stop(&pull_reader->reader);
    free(pull_reader->scratch);
    pull_reader->scratch = NULL;
}
