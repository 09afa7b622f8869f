/* incoming_message.c — 603: a message on its way to what waits for its receiver (protocol.md §1.3).
 *
 * A sending is a content on its way in (incoming.h): small ones in memory, large ones through a stage. It is
 * answered when it is durable; the next 603 begins as soon as this one was *handed over* to the store, so
 * that many share a commit. A large one is in the way until it is safe: nothing may overtake it.
 */
#include "service/core/incoming.h"
#include "service/core/report.h"
#include "service/users/target.h"
#include "wire/messages_codec.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct sending {
    struct ks_incoming incoming;
    struct ks_client_id sender;
    struct ks_target target;
    uint8_t type;
    struct ks_store_append_message append;
};

static struct sending *sending_of(struct ks_incoming *incoming)
{
    return KS_CONTAINER_OF(incoming, struct sending, incoming);
}

static void sending_free(struct ks_incoming *incoming)
{
    free(sending_of(incoming));
}

static void cannot_take(struct ks_incoming *incoming, enum ks_result result, enum ks_store_limit limit)
{
    ks_report_to(incoming->exchange, &sending_of(incoming)->target.id, KS_LOG_WARNING,
                 "cannot take a message: %s%s", ks_result_text(result), ks_report_limit(limit));
}

static void was_cut(struct ks_incoming *incoming)
{
    ks_report_to(incoming->exchange, &sending_of(incoming)->target.id, KS_LOG_WARNING,
                 "cannot take a message: " KS_INCOMING_CUT);
}

static void describe_stage(struct ks_incoming *incoming, struct ks_store_stage_open *open)
{
    open->id = sending_of(incoming)->sender;
    open->purpose = KS_STAGE_MESSAGE;
    open->content_size = incoming->size;
}

/* ---- handing over ---- */

static void message_stored(struct ks_store_request *request)
{
    struct sending *sending = KS_CONTAINER_OF(request, struct sending, append.request);
    struct ks_incoming *incoming = &sending->incoming;
    struct ks_message_stored_answer answer = {.target = sending->target.sent,
                                              .message_id = (uint32_t)sending->append.message_id};
    uint8_t payload[KS_MESSAGE_STORED_ANSWER_SIZE];
    if (request->result != KS_OK && request->result != KS_NOT_FOUND)
        cannot_take(incoming, request->result, sending->append.limit);
    if (request->result != KS_OK) {
        ks_incoming_refuse(incoming);
        return;
    }
    struct ks_exchange *exchange = ks_incoming_take_exchange(incoming);
    ks_incoming_end(incoming);
    if (exchange == NULL)
        return;
    ks_message_stored_answer_encode(&answer, payload);
    ks_exchange_answer(exchange, KS_RESPONSE_MESSAGE_STORED, payload, sizeof payload);
}

static void hand_over(struct ks_incoming *incoming)
{
    struct sending *sending = sending_of(incoming);
    struct ks_store_append_message *append = &sending->append;
    memset(append, 0, sizeof *append);
    append->request.reply_to = &incoming->loop->executor;
    append->request.done = message_stored;
    append->receiver = sending->target.id;
    append->sender = sending->sender;
    append->type = sending->type;
    append->content_size = incoming->size;
    append->content = incoming->bytes;
    append->stage = incoming->stage;
    if (incoming->stage == NULL)
        ks_exchange_let_others_begin(incoming->exchange);
    incoming->stage = NULL;
    ks_store_append_message(incoming->environment->store, append);
}

static const struct ks_incoming_kind sending_kind = {.name = "message",
                                                     .describe_stage = describe_stage,
                                                     .complete = hand_over,
                                                     .cannot_take = cannot_take,
                                                     .was_cut = was_cut,
                                                     .free = sending_free};

/* ---- the beginning ---- */

static void target_resolved(struct ks_target *target, enum ks_result result)
{
    struct sending *sending = KS_CONTAINER_OF(target, struct sending, target);
    if (result == KS_OK)
        ks_incoming_prepared(&sending->incoming);
    else
        ks_incoming_refuse(&sending->incoming);
}

static struct sending *sending_new(struct ks_exchange *exchange,
                                   const struct ks_send_message_payload *payload)
{
    bool in_memory = payload->content_size <= exchange->environment->settings.spool_threshold;
    struct sending *sending = malloc(sizeof *sending);
    if (sending == NULL)
        return NULL;
    sending->sender = exchange->header.client_id;
    sending->target.exchange = exchange;
    sending->target.sent = payload->target;
    sending->target.resolved = target_resolved;
    sending->type = payload->type;
    ks_incoming_begin(&sending->incoming, &sending_kind, exchange, payload->content_size, in_memory);
    return sending;
}

void ks_sending_begin(struct ks_exchange *exchange, const uint8_t *fixed)
{
    struct ks_send_message_payload payload = {0};
    bool is_sound = ks_send_message_payload_parse(fixed, KS_SEND_MESSAGE_FIXED_SIZE, &payload) == KS_OK &&
                    payload.content_size == exchange->header.payload_size - KS_SEND_MESSAGE_FIXED_SIZE;
    bool is_too_large = is_sound && payload.content_size > exchange->environment->settings.message_limit;
    if (is_too_large)
        ks_report_to(exchange, &payload.target, KS_LOG_WARNING,
                     "cannot take a message: it has %" PRIu32 " bytes (message-limit)", payload.content_size);
    if (!is_sound || is_too_large) {
        ks_session_refuse_payload(exchange, KS_SEND_MESSAGE_FIXED_SIZE);
        return;
    }
    struct sending *sending = ks_message_type_is_known(payload.type) ? sending_new(exchange, &payload) : NULL;
    if (sending == NULL)
        ks_exchange_refuse(exchange); /* the content is skipped */
    else
        ks_target_resolve(&sending->target);
}
