/* upload.c — 1028: a file's content on its way from the peer to a stage (protocol.md §1.2).
 *
 * Content goes into chunks; a full chunk goes to the store, whose thread decrypts, sums and writes it in
 * place while the loop fills the next one. At most CHUNKS_LIMIT chunks of one upload are out, all uploads
 * together stay within the loop's buffer budget; beyond either, the peer waits.
 *
 * An upload lives on its connection's loop, except for `struct content`, which belongs to the store's thread
 * while a chunk is there. It is freed when the last of its holders lets go: the session that feeds it, the
 * chunks and requests that are with the store, a place in the queue for the budget.
 */
#include "base/text.h"
#include "crypto/cksum.h"
#include "crypto/content.h"
#include "service/dismissal.h"
#include "service/session.h"
#include "service/session_keys.h"
#include "service/staged.h"

#include <stdlib.h>
#include <string.h>

enum {
    CHUNKS_LIMIT = 3,
    CHUNK_SMALLEST = 16 * 1024, /* a declared size buys no more memory than this before content comes */
    CHUNK_GROWTH = 4,
    CHUNK_LARGEST = 256 * 1024,
};

struct content {
    const struct ks_content_key *key;
    struct ks_content_cipher *cipher; /* made with the first chunk, on the store's thread */
    struct ks_cksum cksum;
};

struct upload;

struct chunk {
    struct ks_store_stage_write write;
    struct upload *upload;
    size_t capacity;
    size_t size;
    uint8_t bytes[];
};

struct upload {
    unsigned holders;
    struct ks_exchange *exchange; /* NULL once answered */
    struct ks_session *session;   /* NULL once all content came, or none will */
    struct ks_loop *loop;
    const struct ks_service_environment *environment;
    struct ks_client_id id;
    uint32_t content_size;
    uint8_t name_field[KS_TEXT_FIELD_SIZE]; /* as sent, to be echoed */
    size_t kept_offset;                     /* of the kept name in name_field */
    size_t kept_size;
    uint64_t owner;
    struct ks_content_key *key;
    struct content content;
    struct ks_stage *stage;
    uint64_t content_left; /* not yet in a chunk */
    struct chunk *filling;
    size_t next_capacity;
    unsigned chunks_out;
    bool failed;
    bool waiting_for_budget;
    struct ks_budget_waiter waiter;
    union {
        struct ks_store_content_key key;
        struct ks_store_stage_open open;
    } request;
};

/* Neither analyser counts holders: both take every letting go for a free.
 * NOLINTBEGIN(clang-analyzer-unix.Malloc) */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-use-after-free"
#pragma GCC diagnostic ignored "-Wanalyzer-use-of-uninitialized-value"
#endif

/* ---- the end of an upload ---- */

static void chunk_free(struct chunk *chunk)
{
    struct ks_budget *budget = chunk->upload->loop->budget;
    size_t capacity = chunk->capacity;
    free(chunk);
    ks_budget_give(budget, capacity);
}

static void upload_let_go(struct upload *upload)
{
    upload->holders--;
    if (upload->holders > 0)
        return;
    if (upload->stage != NULL)
        ks_dismiss_stage(upload->environment->store, upload->loop, upload->stage);
    if (upload->filling != NULL)
        chunk_free(upload->filling);
    ks_content_cipher_free(upload->content.cipher);
    ks_content_key_release(upload->key);
    free(upload);
}

static void stop_waiting(struct upload *upload)
{
    if (upload->waiting_for_budget && ks_budget_cancel(upload->loop->budget, &upload->waiter)) {
        upload->waiting_for_budget = false;
        upload_let_go(upload);
    }
}

/* The session feeds it no more. */
static void leave_session(struct upload *upload)
{
    if (upload->session == NULL)
        return;
    upload->session = NULL;
    upload_let_go(upload);
}

static struct ks_exchange *take_exchange(struct upload *upload)
{
    struct ks_exchange *exchange = upload->exchange;
    upload->exchange = NULL;
    if (exchange != NULL && exchange->session != NULL)
        ks_session_count_uploads(exchange->session, -1);
    return exchange;
}

/* 2107 at once; what is still to come of the content is skipped. */
static void upload_fail(struct upload *upload)
{
    if (upload->failed)
        return;
    upload->failed = true;
    upload->holders++;
    struct ks_session *session = upload->session;
    if (session != NULL)
        ks_session_skip_payload(session);
    stop_waiting(upload);
    leave_session(upload);
    struct ks_exchange *exchange = take_exchange(upload);
    if (exchange != NULL)
        ks_exchange_refuse(exchange);
    else if (session != NULL)
        ks_session_unblock(session);
    upload_let_go(upload);
}

static void forget_old_stages(struct upload *upload)
{
    const struct ks_service_environment *environment = upload->environment;
    int64_t before = ks_clock_wall_seconds(environment->clock) - environment->settings.stage_lifetime;
    struct ks_staged_upload old;
    while (ks_staged_take_older(environment->staged, before, &old))
        ks_dismiss_upload(environment->store, upload->loop, &old);
}

/* A key serves KS_CONTENT_KEY_USES contents without a 1029, then it is dropped: whoever guesses at paddings
 * gets no further under one key. Contents count when they are complete, for only then there is an answer to
 * learn from. */
static void drop_key(struct upload *upload)
{
    struct ks_session *session = upload->exchange != NULL ? upload->exchange->session : NULL;
    if (session != NULL)
        ks_session_keys_drop(ks_session_keys_of(session), &upload->id);
    ks_dismiss_key(upload->environment->store, upload->loop, &upload->id, upload->key);
}

static bool count_use(struct upload *upload)
{
    if (atomic_fetch_add(&upload->key->uses, 1) < KS_CONTENT_KEY_USES)
        return true;
    drop_key(upload);
    return false;
}

/* Complete: staged for its 1029, and answered with its checksum. */
static void upload_complete(struct upload *upload)
{
    struct ks_staged_upload staged = {
        .id = upload->id,
        .name = (const char *)upload->name_field + upload->kept_offset,
        .name_size = upload->kept_size,
        .owner = upload->owner,
        .stage = upload->stage,
        .key = ks_content_key_retain(upload->key),
        .content_size = upload->content_size,
        .completed_at = ks_clock_wall_seconds(upload->environment->clock),
    };
    struct ks_staged_upload replaced;
    bool has_replaced = false;
    forget_old_stages(upload);
    if (!count_use(upload) ||
        ks_staged_put(upload->environment->staged, &staged, &replaced, &has_replaced) != KS_OK) {
        ks_content_key_release(staged.key);
        upload_fail(upload);
        return;
    }
    upload->stage = NULL;
    if (has_replaced)
        ks_dismiss_upload(upload->environment->store, upload->loop, &replaced);
    struct ks_exchange *exchange = take_exchange(upload);
    if (exchange == NULL)
        return;
    struct ks_file_answer answer = {.client_id = upload->id,
                                    .content_size = upload->content_size,
                                    .cksum = ks_cksum_value(&upload->content.cksum)};
    uint8_t payload[KS_FILE_ANSWER_SIZE];
    memcpy(answer.name_field, upload->name_field, KS_TEXT_FIELD_SIZE);
    ks_file_answer_encode(&answer, payload);
    ks_exchange_answer(exchange, KS_RESPONSE_FILE_RECEIVED, payload, sizeof payload);
}

/* ---- chunks ---- */

static void log_failure(const struct upload *upload, enum ks_result result)
{
    char peer[KS_PEER_TEXT_SIZE] = "gone";
    char name[KS_TEXT_FIELD_SIZE];
    const char *sent = (const char *)upload->name_field;
    ks_text_escape(sent, strlen(sent), name, sizeof name);
    if (upload->exchange != NULL)
        ks_exchange_peer(upload->exchange, peer);
    ks_log_warning(upload->environment->log, "%s: cannot take \"%s\": %s", peer, name,
                   ks_result_text(result));
}

/* Decrypts and sums a chunk in place; on a thread of the store. */
static enum ks_result content_apply(void *context, uint8_t *bytes, size_t size, bool last,
                                    size_t *output_size)
{
    struct content *content = context;
    enum ks_result result = KS_OK;
    if (content->cipher == NULL)
        result = ks_content_decryptor_new(content->key->bytes, &content->cipher);
    if (result == KS_OK)
        result = ks_content_cipher_blocks(content->cipher, bytes, bytes, size);
    if (result != KS_OK)
        return result;
    *output_size = last ? size - ks_content_padding_size(bytes, size) : size;
    ks_cksum_add(&content->cksum, bytes, *output_size);
    return KS_OK;
}

static void chunk_written(struct ks_store_request *request)
{
    struct chunk *chunk = KS_CONTAINER_OF(request, struct chunk, write.request);
    struct upload *upload = chunk->upload;
    enum ks_result result = request->result;
    bool last = chunk->write.last;
    upload->chunks_out--;
    chunk_free(chunk);
    if (result != KS_OK && !upload->failed) {
        log_failure(upload, result);
        upload_fail(upload);
    } else if (last && !upload->failed) {
        upload_complete(upload);
    } else if (upload->session != NULL) {
        ks_session_unblock(upload->session);
    }
    upload_let_go(upload);
}

static void submit_chunk(struct upload *upload, bool last)
{
    struct chunk *chunk = upload->filling;
    upload->filling = NULL;
    upload->chunks_out++;
    upload->holders++;
    chunk->write.request.reply_to = &upload->loop->executor;
    chunk->write.request.done = chunk_written;
    chunk->write.stage = upload->stage;
    chunk->write.bytes = chunk->bytes;
    chunk->write.size = chunk->size;
    chunk->write.last = last;
    ks_store_stage_write(upload->environment->store, &chunk->write);
}

static void budget_has_room(struct ks_task *task)
{
    struct upload *upload = KS_CONTAINER_OF(task, struct upload, waiter.task);
    upload->waiting_for_budget = false;
    if (upload->session != NULL)
        ks_session_unblock(upload->session);
    upload_let_go(upload);
}

static void wait_for_budget(struct upload *upload)
{
    if (upload->waiting_for_budget)
        return;
    upload->waiting_for_budget = true;
    upload->holders++;
    upload->waiter.task.run = budget_has_room;
    upload->waiter.executor = &upload->loop->executor;
    ks_budget_wait(upload->loop->budget, &upload->waiter);
}

/* Makes sure that there is a chunk with room; false when the upload has to wait, or has failed. */
static bool have_chunk(struct upload *upload)
{
    if (upload->filling != NULL)
        return true;
    if (upload->stage == NULL || upload->chunks_out == CHUNKS_LIMIT || upload->waiting_for_budget)
        return false;
    size_t capacity = upload->next_capacity;
    if (capacity > upload->content_left)
        capacity = (size_t)upload->content_left;
    if (!ks_budget_take(upload->loop->budget, capacity)) {
        wait_for_budget(upload);
        return false;
    }
    struct chunk *chunk = malloc(sizeof *chunk + capacity);
    if (chunk == NULL) {
        ks_budget_give(upload->loop->budget, capacity);
        upload_fail(upload);
        return false;
    }
    memset(chunk, 0, sizeof *chunk);
    chunk->upload = upload;
    chunk->capacity = capacity;
    upload->filling = chunk;
    if (upload->next_capacity < CHUNK_LARGEST)
        upload->next_capacity *= CHUNK_GROWTH;
    return true;
}

/* `size` more bytes stand in the chunk that is being filled. */
static void chunk_grew(struct upload *upload, size_t size)
{
    upload->filling->size += size;
    upload->content_left -= size;
    bool complete = upload->content_left == 0;
    if (!complete && upload->filling->size < upload->filling->capacity)
        return;
    submit_chunk(upload, complete);
    if (complete)
        leave_session(upload);
}

/* ---- the sink ---- */

static size_t sink_buffer(void *context, size_t limit, uint8_t **buffer)
{
    struct upload *upload = context;
    if (!have_chunk(upload))
        return 0;
    size_t room = upload->filling->capacity - upload->filling->size;
    *buffer = upload->filling->bytes + upload->filling->size;
    return room < limit ? room : limit;
}

static size_t sink_received(void *context, const uint8_t *bytes, size_t size)
{
    struct upload *upload = context;
    size_t taken = 0;
    upload->holders++;
    while (taken < size && have_chunk(upload)) {
        struct chunk *chunk = upload->filling;
        size_t room = chunk->capacity - chunk->size;
        size_t part = size - taken < room ? size - taken : room;
        if (bytes + taken != chunk->bytes + chunk->size) /* else it was received in place */
            memcpy(chunk->bytes + chunk->size, bytes + taken, part);
        taken += part;
        chunk_grew(upload, part);
    }
    if (upload->failed)
        taken = size;
    upload_let_go(upload);
    return taken;
}

static void sink_broken(void *context)
{
    struct upload *upload = context;
    upload->failed = true; /* nobody waits for an answer, and the stage is dismissed at the end */
    upload->holders++;
    stop_waiting(upload);
    leave_session(upload);
    struct ks_exchange *exchange = take_exchange(upload);
    if (exchange != NULL)
        ks_exchange_cancel(exchange);
    upload_let_go(upload);
}

static const struct ks_sink upload_sink = {
    .buffer = sink_buffer, .received = sink_received, .broken = sink_broken};

/* ---- the beginning ---- */

static void stage_opened(struct ks_store_request *request)
{
    struct upload *upload = KS_CONTAINER_OF(request, struct upload, request.open.request);
    if (request->result != KS_OK) {
        log_failure(upload, request->result);
        upload_fail(upload);
    } else {
        upload->stage = upload->request.open.stage;
        if (upload->session != NULL)
            ks_session_unblock(upload->session);
    }
    upload_let_go(upload);
}

static void open_stage(struct upload *upload)
{
    struct ks_store_stage_open *open = &upload->request.open;
    memset(open, 0, sizeof *open);
    open->request.reply_to = &upload->loop->executor;
    open->request.done = stage_opened;
    open->id = upload->id;
    open->content_size = upload->content_size;
    open->transform.apply = content_apply;
    open->transform.context = &upload->content;
    memcpy(open->file_name, upload->name_field, strlen((const char *)upload->name_field));
    ks_store_stage_open(upload->environment->store, open);
}

static void have_key(struct upload *upload)
{
    upload->content.key = upload->key;
    atomic_store(&upload->key->last_used, ks_clock_wall_seconds(upload->environment->clock));
    if (atomic_load(&upload->key->uses) >= KS_CONTENT_KEY_USES) {
        drop_key(upload);
        upload_fail(upload);
        upload_let_go(upload);
        return;
    }
    open_stage(upload);
}

static void key_found(struct ks_store_request *request)
{
    struct upload *upload = KS_CONTAINER_OF(request, struct upload, request.key.request);
    if (request->result != KS_OK) {
        upload_fail(upload);
        upload_let_go(upload);
        return;
    }
    upload->key = upload->request.key.content_key;
    have_key(upload);
}

/* The key issued on this connection, unless it was not used for too long, else the user's current one. */
static void find_key(struct upload *upload)
{
    const struct ks_service_environment *environment = upload->environment;
    upload->key = ks_session_keys_get(ks_session_keys_of(upload->session), &upload->id);
    if (upload->key != NULL) {
        int64_t unused = ks_clock_wall_seconds(environment->clock) - atomic_load(&upload->key->last_used);
        if (unused <= environment->settings.content_key_lifetime) {
            have_key(upload);
            return;
        }
        ks_content_key_release(upload->key);
        upload->key = NULL;
    }
    struct ks_store_content_key *request = &upload->request.key;
    request->request.reply_to = &upload->loop->executor;
    request->request.done = key_found;
    request->id = upload->id;
    ks_store_content_key(environment->store, request);
}

static struct upload *upload_new(struct ks_exchange *exchange, const struct ks_send_file_payload *payload,
                                 const char *kept, size_t kept_size)
{
    struct upload *upload = calloc(1, sizeof *upload);
    if (upload == NULL)
        return NULL;
    upload->holders = 2; /* the session, and the chain of requests that begins it */
    upload->exchange = exchange;
    upload->session = exchange->session;
    upload->loop = exchange->loop;
    upload->environment = exchange->environment;
    upload->id = exchange->header.client_id;
    upload->content_size = payload->content_size;
    upload->content_left = payload->content_size;
    upload->next_capacity = CHUNK_SMALLEST;
    upload->owner = ks_session_number(exchange->session);
    upload->content.cksum = ks_cksum_start();
    memcpy(upload->name_field, payload->name_field, KS_TEXT_FIELD_SIZE);
    upload->kept_offset = (size_t)(kept - payload->name);
    upload->kept_size = kept_size;
    return upload;
}

void ks_upload_begin(struct ks_exchange *exchange, const uint8_t *fixed)
{
    struct ks_session *session = exchange->session;
    struct ks_send_file_payload payload = {0};
    const char *kept = NULL;
    size_t kept_size = 0;
    uint64_t follows = 0;
    enum ks_result result = ks_send_file_payload_parse(fixed, KS_SEND_FILE_FIXED_SIZE, &payload);
    if (ks_send_file_content_follows(exchange->header.payload_size, payload.content_size, &follows) !=
        KS_OK) {
        ks_session_refuse_payload(exchange, KS_SEND_FILE_FIXED_SIZE);
        return;
    }
    if (result == KS_OK)
        result = ks_kept_name(payload.name, payload.name_size, &kept, &kept_size);
    bool sound =
        result == KS_OK && payload.content_size > 0 && payload.content_size % KS_CONTENT_BLOCK_SIZE == 0;
    struct upload *upload = sound ? upload_new(exchange, &payload, kept, kept_size) : NULL;
    ks_session_set_payload(session, follows, upload == NULL ? NULL : &upload_sink, upload);
    if (upload == NULL) {
        ks_exchange_refuse(exchange);
        return;
    }
    ks_session_count_uploads(session, 1);
    ks_store_touch(exchange->environment->store, &upload->id);
    find_key(upload);
}
/* NOLINTEND(clang-analyzer-unix.Malloc) */
