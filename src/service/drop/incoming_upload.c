/* incoming_upload.c — see incoming_upload.h.
 *
 * Content goes through chunks (chunks.h) to the store, whose thread decrypts, sums and writes it in place.
 *
 * An upload is a content on its way in (incoming.h). It lives on its connection's loop, except for `struct
 * upload_content`, which belongs to the store's thread while a chunk is there.
 */
#include "service/drop/incoming_upload.h"

#include "crypto/checksum.h"
#include "crypto/content.h"
#include "service/core/dismissal.h"
#include "service/core/incoming.h"
#include "service/core/report.h"
#include "service/core/session_keys.h"
#include "service/core/tally.h"
#include "service/drop/places.h"
#include "service/drop/staged.h"

#include <stdlib.h>
#include <string.h>

struct upload_content {
    const struct ks_content_key *key;
    struct ks_content_cipher *cipher; /* made with the first chunk, on the store's thread */
    struct ks_cksum cksum;
    bool rightly_padded; /* known with the last chunk */
};

struct incoming_upload {
    struct ks_incoming incoming;
    struct ks_client_id id;
    uint8_t name_field[KS_TEXT_FIELD_SIZE]; /* as sent, to be echoed */
    size_t kept_offset;                     /* of the kept name in name_field */
    size_t kept_size;
    uint64_t owner;
    uint64_t number;
    struct ks_content_key *key;
    struct upload_content content;
    bool is_counted; /* in the registry of staged uploads, for this upload to count out */
    union {          /* one at a time */
        struct ks_store_content_key key;
        struct ks_store_drop_content_key drop;
    } question;
};

static struct incoming_upload *upload_of(struct ks_incoming *incoming)
{
    return KS_CONTAINER_OF(incoming, struct incoming_upload, incoming);
}

static void upload_free(struct ks_incoming *incoming)
{
    struct incoming_upload *upload = upload_of(incoming);
    if (upload->is_counted)
        ks_staged_leave(incoming->environment->staged, &upload->id);
    ks_content_cipher_free(upload->content.cipher);
    ks_content_key_release(upload->key);
    free(upload);
}

static void drop_key(struct incoming_upload *upload)
{
    struct ks_session *session = ks_incoming_session(&upload->incoming);
    if (session != NULL)
        ks_session_keys_drop(ks_session_keys_of(session), &upload->id);
    ks_dismissal_of_key(upload->incoming.environment->store, upload->incoming.loop, &upload->id, upload->key);
}

static void answer_with_sum(struct incoming_upload *upload)
{
    struct ks_file_answer answer = {.content_size = upload->incoming.size,
                                    .cksum = ks_cksum_value(&upload->content.cksum)};
    struct ks_exchange *exchange = ks_incoming_take_exchange(&upload->incoming);
    uint8_t payload[KS_FILE_ANSWER_SIZE];
    if (exchange == NULL)
        return;
    answer.client_id = exchange->shown;
    memcpy(answer.name_field, upload->name_field, KS_TEXT_FIELD_SIZE);
    ks_file_answer_encode(&answer, payload);
    ks_exchange_answer(exchange, KS_RESPONSE_FILE_RECEIVED, payload, sizeof payload);
}

/* Staged for its 1029, and answered with its checksum. */
static void stage_and_answer(struct incoming_upload *upload)
{
    struct ks_incoming *incoming = &upload->incoming;
    const struct ks_service_environment *environment = incoming->environment;
    struct ks_staged_upload staged = {
        .id = upload->id,
        .name = (const char *)upload->name_field + upload->kept_offset,
        .name_size = upload->kept_size,
        .owner = upload->owner,
        .number = upload->number,
        .stage = incoming->stage,
        .key = ks_content_key_retain(upload->key),
        .rightly_padded = upload->content.rightly_padded,
        .content_size = incoming->size,
        .has_files = incoming->open.has_files,
        .completed_ms = ks_clock_monotonic_ms(environment->clock),
        .cksum = ks_cksum_value(&upload->content.cksum),
    };
    struct ks_staged_upload replaced;
    bool has_replaced = false;
    ks_places_forget_stale(environment);
    if (ks_staged_put(environment->staged, &staged, &replaced, &has_replaced) != KS_OK) {
        ks_content_key_release(staged.key);
        ks_incoming_refuse(incoming);
        return;
    }
    incoming->stage = NULL;
    upload->is_counted = false;
    if (has_replaced)
        ks_places_discard(environment, &replaced);
    answer_with_sum(upload);
    ks_incoming_end(incoming);
}

static void cannot_take(struct ks_incoming *incoming, enum ks_result result, enum ks_store_limit met)
{
    const struct incoming_upload *upload = upload_of(incoming);
    char name[KS_REPORT_NAME_SIZE];
    ks_tally_refused(ks_tally_shard_of(incoming->environment->tally, incoming->loop), ks_tally_limit_of(met));
    ks_report(incoming->exchange, KS_LOG_WARNING, "cannot take \"%s\": %s%s",
              ks_report_file_name(upload->name_field, name), ks_result_text(result), ks_report_limit(met));
}

static void was_cut(struct ks_incoming *incoming)
{
    char name[KS_REPORT_NAME_SIZE];
    ks_report(incoming->exchange, KS_LOG_WARNING, "cannot take \"%s\": " KS_INCOMING_CUT,
              ks_report_file_name(upload_of(incoming)->name_field, name));
}

/* The key is used up: by contents that were wrongly padded, or by many that nobody confirmed. */
static void refuse_for_key(struct incoming_upload *upload)
{
    bool is_padding = atomic_load(&upload->key->wrong_paddings) > KS_CONTENT_KEY_WRONG_PADDINGS;
    char name[KS_REPORT_NAME_SIZE];
    if (upload->incoming.exchange != NULL)
        ks_report(upload->incoming.exchange, KS_LOG_WARNING,
                  "cannot take \"%s\": too many contents came under its AES key %s",
                  ks_report_file_name(upload->name_field, name),
                  is_padding ? "with a wrong padding" : "without a confirmation");
    drop_key(upload);
    ks_incoming_refuse(&upload->incoming);
}

static void key_is_off_disk(struct ks_store_request *request)
{
    struct incoming_upload *upload = KS_CONTAINER_OF(request, struct incoming_upload, question.drop.request);
    if (request->result == KS_OK) {
        stage_and_answer(upload);
    } else {
        cannot_take(&upload->incoming, request->result, KS_STORE_LIMIT_NONE);
        ks_incoming_refuse(&upload->incoming);
    }
}

/* What is counted for a key is counted in RAM: so before an answer tells of a wrong padding, the key goes
 * from the disk, where the next start would find it and count from nought. */
static void take_key_off_disk(struct incoming_upload *upload)
{
    struct ks_store_drop_content_key *drop = &upload->question.drop;
    memset(drop, 0, sizeof *drop);
    drop->request.reply_to = &upload->incoming.loop->executor;
    drop->request.done = key_is_off_disk;
    drop->id = upload->id;
    drop->content_key = upload->key;
    drop->only_on_disk = true;
    ks_store_drop_content_key(upload->incoming.environment->store, drop);
}

/* The checksum tells whether the padding was right (protocol.md §1.2), so contents count before they are
 * answered, and when they are complete, for only then there is something to learn. */
static void upload_complete(struct ks_incoming *incoming)
{
    struct incoming_upload *upload = upload_of(incoming);
    if (!ks_content_key_count(upload->key, upload->content.rightly_padded)) {
        refuse_for_key(upload);
    } else if (upload->content.rightly_padded) {
        stage_and_answer(upload);
    } else {
        take_key_off_disk(upload);
    }
}

/* ---- the stage ---- */

/* Decrypts and sums a chunk in place; on a thread of the store. */
static enum ks_result content_apply(void *context, uint8_t *bytes, size_t size, bool last,
                                    size_t *output_size)
{
    struct upload_content *content = context;
    enum ks_result result = KS_OK;
    if (content->cipher == NULL)
        result = ks_content_decryptor_new(content->key->bytes, &content->cipher);
    if (result == KS_OK)
        result = ks_content_cipher_blocks(content->cipher, bytes, bytes, size);
    if (result != KS_OK)
        return result;
    size_t padding = last ? ks_content_padding_size(bytes, size) : 0;
    content->rightly_padded = padding > 0;
    *output_size = size - padding;
    ks_cksum_add(&content->cksum, bytes, *output_size);
    return KS_OK;
}

static void describe_stage(struct ks_incoming *incoming, struct ks_store_stage_open *open)
{
    struct incoming_upload *upload = upload_of(incoming);
    open->id = upload->id;
    /* Decrypted, it is smaller by its padding, at most a block. */
    open->content_size = incoming->size - KS_CONTENT_BLOCK_SIZE;
    open->transform.apply = content_apply;
    open->transform.context = &upload->content;
    memcpy(open->file_name, upload->name_field, strlen((const char *)upload->name_field));
}

static const struct ks_incoming_kind upload_kind = {.name = "upload",
                                                    .describe_stage = describe_stage,
                                                    .complete = upload_complete,
                                                    .cannot_take = cannot_take,
                                                    .was_cut = was_cut,
                                                    .free = upload_free};

/* ---- the beginning ---- */

static void have_key(struct incoming_upload *upload)
{
    upload->content.key = upload->key;
    atomic_store(&upload->key->last_used, ks_clock_steady_seconds(upload->incoming.environment->clock));
    if (ks_content_key_is_used_up(upload->key)) {
        refuse_for_key(upload);
        return;
    }
    ks_incoming_prepared(&upload->incoming);
}

static void key_found(struct ks_store_request *request)
{
    struct incoming_upload *upload = KS_CONTAINER_OF(request, struct incoming_upload, question.key.request);
    if (request->result != KS_OK) {
        struct ks_session *session = ks_incoming_session(&upload->incoming);
        if (request->result == KS_NOT_FOUND && session != NULL)
            ks_session_end_behind_payload(session);
        ks_incoming_refuse(&upload->incoming);
        return;
    }
    upload->key = upload->question.key.content_key;
    have_key(upload);
}

/* The key issued on this connection, unless it was not used for too long, else the user's current one. */
static void find_key(struct incoming_upload *upload)
{
    const struct ks_service_environment *environment = upload->incoming.environment;
    upload->key =
        ks_session_keys_get(ks_session_keys_of(ks_incoming_session(&upload->incoming)), &upload->id);
    if (upload->key != NULL) {
        int64_t unused = ks_clock_steady_seconds(environment->clock) - atomic_load(&upload->key->last_used);
        if (unused <= environment->settings.content_key_lifetime) {
            have_key(upload);
            return;
        }
        ks_content_key_release(upload->key);
        upload->key = NULL;
    }
    struct ks_store_content_key *request = &upload->question.key;
    request->request.reply_to = &upload->incoming.loop->executor;
    request->request.done = key_found;
    request->id = upload->id;
    ks_store_content_key(environment->store, request);
}

static struct incoming_upload *upload_new(struct ks_exchange *exchange,
                                          const struct ks_send_file_payload *payload, const char *kept,
                                          size_t kept_size)
{
    struct incoming_upload *upload = calloc(1, sizeof *upload);
    if (upload == NULL) {
        ks_staged_leave(exchange->environment->staged, &exchange->header.client_id);
        return NULL;
    }
    upload->is_counted = true;
    upload->id = exchange->header.client_id;
    upload->owner = ks_session_number(exchange->session);
    upload->number = ks_staged_number(exchange->environment->staged);
    upload->content.cksum = ks_cksum_start();
    memcpy(upload->name_field, payload->name_field, KS_TEXT_FIELD_SIZE);
    upload->kept_offset = (size_t)(kept - payload->name);
    upload->kept_size = kept_size;
    ks_incoming_begin(&upload->incoming, &upload_kind, exchange, payload->content_size, false);
    return upload;
}

/* ---- refused before anything of the content is looked at ---- */

struct refusal {
    struct ks_exchange *exchange;
    struct ks_store_look_up look_up;
};

static void user_looked_up(struct ks_store_request *request)
{
    struct refusal *refusal = KS_CONTAINER_OF(request, struct refusal, look_up.request);
    struct ks_exchange *exchange = refusal->exchange;
    enum ks_result result = request->result;
    free(refusal);
    /* When a later request has begun, the content is over already. */
    if (result == KS_NOT_FOUND && exchange->session != NULL && ks_exchange_is_newest(exchange))
        ks_session_end_behind_payload(exchange->session);
    ks_exchange_refuse(exchange);
}

/* Answers with the rule's error, in the call or later, once it is known whether there is such a user: for one
 * there is, the content is skipped whole; for a stranger the connection ends after KS_SKIP_LIMIT bytes of it.
 * The payload is set, without a sink. */
static void refuse_content(struct ks_exchange *exchange)
{
    struct refusal *refusal = calloc(1, sizeof *refusal);
    if (refusal == NULL) {
        ks_exchange_refuse(exchange);
        return;
    }
    refusal->exchange = exchange;
    refusal->look_up.id = exchange->header.client_id;
    refusal->look_up.request.reply_to = &exchange->loop->executor;
    refusal->look_up.request.done = user_looked_up;
    ks_store_look_up(exchange->environment->store, &refusal->look_up);
}

/* ---- the rule ---- */

void ks_incoming_upload_begin(struct ks_exchange *exchange, const uint8_t *fixed)
{
    struct ks_send_file_payload payload = {0};
    const char *kept = NULL;
    size_t kept_size = 0;
    uint64_t follows = 0;
    enum ks_result result = ks_send_file_payload_parse(fixed, KS_SEND_FILE_FIXED_SIZE, &payload);
    if (ks_send_file_content_follows(exchange->header.payload_size, payload.content_size, &follows) !=
        KS_OK) {
        ks_exchange_refuse_payload(exchange, KS_SEND_FILE_FIXED_SIZE);
        return;
    }
    if (result == KS_OK)
        result = ks_kept_name(payload.name, payload.name_size, &kept, &kept_size);
    bool sound =
        result == KS_OK && payload.content_size > 0 && payload.content_size % KS_CONTENT_BLOCK_SIZE == 0;
    struct incoming_upload *upload =
        sound && ks_places_enter(exchange) ? upload_new(exchange, &payload, kept, kept_size) : NULL;
    if (upload == NULL) {
        ks_session_set_payload(exchange->session, follows, NULL, NULL);
        refuse_content(exchange);
        return;
    }
    ks_store_touch(exchange->environment->store, &upload->id);
    find_key(upload);
}
