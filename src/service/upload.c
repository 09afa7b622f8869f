/* upload.c — 1028: a file's content on its way from the peer to a stage (protocol.md §1.2).
 *
 * Content goes through chunks (chunks.h) to the store, whose thread decrypts, sums and writes it in place.
 *
 * An upload is an intake (intake.h), held by its requests to the store, too. It lives on its connection's
 * loop, except for `struct content`, which belongs to the store's thread while a chunk is there.
 */
#include "base/text.h"
#include "crypto/cksum.h"
#include "crypto/content.h"
#include "service/dismissal.h"
#include "service/intake.h"
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
    struct ks_intake intake;
    struct ks_client_id id;
    uint32_t content_size;
    uint8_t name_field[KS_TEXT_FIELD_SIZE]; /* as sent, to be echoed */
    size_t kept_offset;                     /* of the kept name in name_field */
    size_t kept_size;
    uint64_t owner;
    struct ks_content_key *key;
    struct content content;
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

static struct upload *upload_of(struct ks_intake *intake)
{
    return KS_CONTAINER_OF(intake, struct upload, intake);
}

/* ---- the end of an upload ---- */

static void upload_free(struct ks_intake *intake)
{
    struct upload *upload = upload_of(intake);
    if (upload->is_counted)
        ks_staged_leave(intake->environment->staged, &upload->id);
    ks_content_cipher_free(upload->content.cipher);
    ks_content_key_release(upload->key);
    free(upload);
}

static void upload_answering(struct ks_intake *intake)
{
    if (intake->exchange->session != NULL)
        ks_session_count_uploads(intake->exchange->session, -1);
}

static void forget_old_stages(struct upload *upload)
{
    const struct ks_service_environment *environment = upload->intake.environment;
    int64_t before = ks_clock_wall_seconds(environment->clock) - environment->settings.stage_lifetime;
    struct ks_staged_upload old;
    while (ks_staged_take_older(environment->staged, before, &old))
        ks_dismiss_upload(environment->store, upload->intake.loop, &old);
}

/* A key serves KS_CONTENT_KEY_USES contents without a 1029, then it is dropped: whoever guesses at paddings
 * gets no further under one key. Contents count when they are complete, for only then there is an answer to
 * learn from. */
static void drop_key(struct upload *upload)
{
    struct ks_session *session = upload->intake.exchange != NULL ? upload->intake.exchange->session : NULL;
    if (session != NULL)
        ks_session_keys_drop(ks_session_keys_of(session), &upload->id);
    ks_dismiss_key(upload->intake.environment->store, upload->intake.loop, &upload->id, upload->key);
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
        .stage = upload->intake.chunks.stage,
        .key = ks_content_key_retain(upload->key),
        .content_size = upload->content_size,
        .completed_at = ks_clock_wall_seconds(upload->intake.environment->clock),
    };
    struct ks_staged_upload replaced;
    bool has_replaced = false;
    forget_old_stages(upload);
    if (!count_use(upload) ||
        ks_staged_put(upload->intake.environment->staged, &staged, &replaced, &has_replaced) != KS_OK) {
        ks_content_key_release(staged.key);
        ks_intake_fail(&upload->intake);
        return;
    }
    upload->intake.chunks.stage = NULL;
    upload->is_counted = false;
    if (has_replaced)
        ks_dismiss_upload(upload->intake.environment->store, upload->intake.loop, &replaced);
    struct ks_exchange *exchange = ks_intake_take_exchange(&upload->intake);
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
    char peer[KS_PEER_TEXT_SIZE];
    char name[KS_TEXT_FIELD_SIZE];
    const char *sent = (const char *)upload->name_field;
    ks_text_escape(sent, strlen(sent), name, sizeof name);
    ks_tally_refused(ks_tally_shard_of(upload->intake.environment->tally, upload->intake.loop), limit);
    ks_log_warning(upload->intake.environment->log, "%s: cannot take \"%s\": %s%s",
                   ks_intake_peer(&upload->intake, peer), name, ks_result_text(result),
                   ks_tally_limit_note(limit));
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

static void chunk_written(struct ks_intake *intake, enum ks_result result, bool last)
{
    struct upload *upload = upload_of(intake);
    if (result != KS_OK && !intake->failed) {
        log_failure(upload, result, KS_TALLY_LIMITS);
        ks_intake_fail(intake);
    } else if (last && !intake->failed) {
        upload_complete(upload);
    } else {
        ks_intake_unblock(intake);
    }
}

/* ---- the sink ---- */

static size_t sink_buffer(void *context, size_t limit, uint8_t **buffer)
{
    struct upload *upload = context;
    return ks_chunks_buffer(&upload->intake.chunks, limit, buffer);
}

static size_t sink_received(void *context, const uint8_t *bytes, size_t size)
{
    struct ks_intake *intake = &((struct upload *)context)->intake;
    size_t taken = 0;
    ks_intake_hold(intake);
    if (ks_chunks_take(&intake->chunks, bytes, size, &taken) != KS_OK)
        ks_intake_fail(intake);
    if (ks_chunks_complete(&intake->chunks))
        ks_intake_leave_session(intake);
    if (intake->failed)
        taken = size;
    ks_intake_let_go(intake);
    return taken;
}

static void sink_broken(void *context)
{
    struct upload *upload = context;
    ks_intake_broken(&upload->intake);
}

static const struct ks_sink upload_sink = {
    .buffer = sink_buffer, .received = sink_received, .broken = sink_broken};

/* ---- the beginning ---- */

static void stage_opened(struct ks_store_request *request)
{
    struct upload *upload = KS_CONTAINER_OF(request, struct upload, request.open.request);
    if (request->result != KS_OK)
        log_failure(upload, request->result, ks_tally_limit_of(upload->request.open.limit));
    ks_intake_staged(&upload->intake, request->result, upload->request.open.stage);
    ks_intake_let_go(&upload->intake);
}

static void open_stage(struct upload *upload)
{
    struct ks_store_stage_open *open = &upload->request.open;
    memset(open, 0, sizeof *open);
    open->request.reply_to = &upload->intake.loop->executor;
    open->request.done = stage_opened;
    open->id = upload->id;
    /* Decrypted, it is smaller by its padding, at most a block. */
    open->content_size = upload->content_size - KS_CONTENT_BLOCK_SIZE;
    open->transform.apply = content_apply;
    open->transform.context = &upload->content;
    memcpy(open->file_name, upload->name_field, strlen((const char *)upload->name_field));
    ks_store_stage_open(upload->intake.environment->store, open);
}

static void have_key(struct upload *upload)
{
    upload->content.key = upload->key;
    atomic_store(&upload->key->last_used, ks_clock_wall_seconds(upload->intake.environment->clock));
    if (atomic_load(&upload->key->uses) >= KS_CONTENT_KEY_USES) {
        drop_key(upload);
        ks_intake_fail(&upload->intake);
        ks_intake_let_go(&upload->intake);
        return;
    }
    open_stage(upload);
}

static void key_found(struct ks_store_request *request)
{
    struct upload *upload = KS_CONTAINER_OF(request, struct upload, request.key.request);
    if (request->result != KS_OK) {
        ks_intake_fail(&upload->intake);
        ks_intake_let_go(&upload->intake);
        return;
    }
    upload->key = upload->request.key.content_key;
    have_key(upload);
}

/* The key issued on this connection, unless it was not used for too long, else the user's current one. */
static void find_key(struct upload *upload)
{
    const struct ks_service_environment *environment = upload->intake.environment;
    upload->key = ks_session_keys_get(ks_session_keys_of(upload->intake.session), &upload->id);
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
    request->request.reply_to = &upload->intake.loop->executor;
    request->request.done = key_found;
    request->id = upload->id;
    ks_store_content_key(environment->store, request);
}

static const struct ks_intake_kind upload_kind = {
    .free = upload_free, .answering = upload_answering, .written = chunk_written};

static struct upload *upload_new(struct ks_exchange *exchange, const struct ks_send_file_payload *payload,
                                 const char *kept, size_t kept_size)
{
    struct upload *upload = calloc(1, sizeof *upload);
    if (upload == NULL) {
        ks_staged_leave(exchange->environment->staged, &exchange->header.client_id);
        return NULL;
    }
    upload->is_counted = true;
    ks_intake_init(&upload->intake, &upload_kind, exchange, payload->content_size);
    ks_intake_hold(&upload->intake); /* the chain of requests that begins it */
    upload->id = exchange->header.client_id;
    upload->content_size = payload->content_size;
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
