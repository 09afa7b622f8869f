/* upload.c — 1028: a file's content on its way from the peer to a stage (protocol.md §1.2).
 *
 * Content goes through chunks (chunks.h) to the store, whose thread decrypts, sums and writes it in place.
 *
 * An upload lives on its connection's loop, except for `struct content`, which belongs to the store's thread
 * while a chunk is there. It is freed when the last of its holders lets go: the session that feeds it, the
 * requests that are with the store, the chunks.
 */
#include "base/text.h"
#include "crypto/cksum.h"
#include "crypto/content.h"
#include "service/chunks.h"
#include "service/dismissal.h"
#include "service/session.h"
#include "service/session_keys.h"
#include "service/staged.h"
#include "service/tally.h"

#include <stdlib.h>
#include <string.h>

struct content {
    const struct ks_content_key *key;
    struct ks_content_cipher *cipher; /* made with the first chunk, on the store's thread */
    struct ks_cksum cksum;
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
    struct ks_chunks chunks; /* with the stage */
    bool failed;
    bool is_counted; /* in the registry of staged uploads, for this upload to count out */
    union {
        struct ks_store_content_key key;
        struct ks_store_stage_open open;
    } request;
};

/* No analyser counts holders: they take every letting go for a free.
 * NOLINTBEGIN(clang-analyzer-unix.Malloc) */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-use-after-free"
#pragma GCC diagnostic ignored "-Wuse-after-free"
#pragma GCC diagnostic ignored "-Wanalyzer-use-of-uninitialized-value"
#endif

/* ---- the end of an upload ---- */

static void upload_free(struct upload *upload)
{
    if (upload->chunks.stage != NULL)
        ks_dismiss_stage(upload->environment->store, upload->loop, upload->chunks.stage);
    if (upload->is_counted)
        ks_staged_leave(upload->environment->staged, &upload->id);
    ks_chunks_clear(&upload->chunks);
    ks_content_cipher_free(upload->content.cipher);
    ks_content_key_release(upload->key);
    free(upload);
}

static void upload_let_go(struct upload *upload)
{
    upload->holders--;
    if (upload->holders == 0 && !ks_chunks_pending(&upload->chunks))
        upload_free(upload);
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
    ks_chunks_stop_waiting(&upload->chunks);
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
        .stage = upload->chunks.stage,
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
    upload->chunks.stage = NULL;
    upload->is_counted = false;
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

/* Logs that the upload fails; `limit` is KS_TALLY_LIMITS when it is for none of them. */
static void log_failure(const struct upload *upload, enum ks_result result, enum ks_tally_limit limit)
{

    char peer[KS_PEER_TEXT_SIZE] = "gone";
    char name[KS_TEXT_FIELD_SIZE];
    const char *sent = (const char *)upload->name_field;
    ks_text_escape(sent, strlen(sent), name, sizeof name);
    if (upload->exchange != NULL)
        ks_exchange_peer(upload->exchange, peer);
    ks_tally_refused(ks_tally_shard_of(upload->environment->tally, upload->loop), limit);
    ks_log_warning(upload->environment->log, "%s: cannot take \"%s\": %s%s", peer, name,
                   ks_result_text(result), ks_tally_limit_note(limit));
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

static void chunk_written(struct ks_chunks *chunks, enum ks_result result, bool last)
{
    struct upload *upload = KS_CONTAINER_OF(chunks, struct upload, chunks);
    upload->holders++;
    if (result != KS_OK && !upload->failed) {
        log_failure(upload, result, KS_TALLY_LIMITS);
        upload_fail(upload);
    } else if (last && !upload->failed) {
        upload_complete(upload);
    } else if (upload->session != NULL) {
        ks_session_unblock(upload->session);
    }
    upload_let_go(upload);
}

static void budget_has_room(struct ks_chunks *chunks)
{
    struct upload *upload = KS_CONTAINER_OF(chunks, struct upload, chunks);
    upload->holders++;
    if (upload->session != NULL)
        ks_session_unblock(upload->session);
    upload_let_go(upload);
}

/* ---- the sink ---- */

static size_t sink_buffer(void *context, size_t limit, uint8_t **buffer)
{
    struct upload *upload = context;
    return ks_chunks_buffer(&upload->chunks, limit, buffer);
}

static size_t sink_received(void *context, const uint8_t *bytes, size_t size)
{
    struct upload *upload = context;
    size_t taken = 0;
    upload->holders++;
    if (ks_chunks_take(&upload->chunks, bytes, size, &taken) != KS_OK)
        upload_fail(upload);
    if (ks_chunks_complete(&upload->chunks))
        leave_session(upload);
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
    ks_chunks_stop_waiting(&upload->chunks);
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
        log_failure(upload, request->result, ks_tally_limit_of(upload->request.open.limit));
        upload_fail(upload);
    } else {
        upload->chunks.stage = upload->request.open.stage;
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
    /* Decrypted, it is smaller by its padding, at most a block. */
    open->content_size = upload->content_size - KS_CONTENT_BLOCK_SIZE;
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
    if (upload == NULL) {
        ks_staged_leave(exchange->environment->staged, &exchange->header.client_id);
        return NULL;
    }
    upload->is_counted = true;
    upload->holders = 2; /* the session, and the chain of requests that begins it */
    upload->exchange = exchange;
    upload->session = exchange->session;
    upload->loop = exchange->loop;
    upload->environment = exchange->environment;
    upload->id = exchange->header.client_id;
    upload->content_size = payload->content_size;
    ks_chunks_init(&upload->chunks, exchange->loop, exchange->environment->store, payload->content_size);
    upload->chunks.written = chunk_written;
    upload->chunks.has_room = budget_has_room;
    upload->owner = ks_session_number(exchange->session);
    upload->content.cksum = ks_cksum_start();
    memcpy(upload->name_field, payload->name_field, KS_TEXT_FIELD_SIZE);
    upload->kept_offset = (size_t)(kept - payload->name);
    upload->kept_size = kept_size;
    return upload;
}

/* Counts the upload in; false at a limit. */
static bool enter(const struct ks_exchange *exchange)
{
    const struct ks_service_environment *environment = exchange->environment;
    char peer[KS_PEER_TEXT_SIZE];
    enum ks_staged_entry entry =
        ks_staged_enter(environment->staged, &exchange->header.client_id,
                        environment->settings.uploads_per_user, environment->settings.uploads);
    if (entry == KS_STAGED_ENTERED)
        return true;
    if (entry == KS_STAGED_NO_MEMORY) {
        ks_log_warning(environment->log, "%s: an upload is refused: %s", ks_exchange_peer(exchange, peer),
                       ks_result_text(KS_NO_MEMORY));
        return false;
    }
    enum ks_tally_limit limit =
        entry == KS_STAGED_USER_IS_FULL ? KS_TALLY_UPLOADS_PER_USER : KS_TALLY_UPLOADS;
    ks_tally_refused(ks_tally_shard_of(environment->tally, exchange->loop), limit);
    ks_log_warning(environment->log, "%s: an upload is refused: there are too many that wait%s",
                   ks_exchange_peer(exchange, peer), ks_tally_limit_note(limit));
    return false;
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
    struct upload *upload = sound && enter(exchange) ? upload_new(exchange, &payload, kept, kept_size) : NULL;
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
