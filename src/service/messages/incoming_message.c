/* incoming_message.c — see incoming_message.h. */
#include "service/messages/incoming_message.h"

#include "service/core/incoming.h"
#include "service/core/report.h"
#include "service/users/target.h"
#include "wire/messages_codec.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct incoming_message {
    struct ks_incoming incoming;
    struct ks_client_id sender;
    struct ks_target target;
    uint8_t type;
    struct ks_store_append_message append;
};

static struct incoming_message *message_of(struct ks_incoming *incoming)
{
    return KS_CONTAINER_OF(incoming, struct incoming_message, incoming);
}

static void message_free(struct ks_incoming *incoming)
{
    free(message_of(incoming));
}

static void cannot_take(struct ks_incoming *incoming, enum ks_result result, enum ks_store_limit limit)
{
    ks_report_to(incoming->exchange, &message_of(incoming)->target.id, KS_LOG_WARNING,
                 "cannot take a message: %s%s", ks_result_text(result), ks_report_limit(limit));
}

static void was_cut(struct ks_incoming *incoming)
{
    ks_report_to(incoming->exchange, &message_of(incoming)->target.id, KS_LOG_WARNING,
                 "cannot take a message: " KS_INCOMING_CUT);
}

static void describe_stage(struct ks_incoming *incoming, struct ks_store_stage_open *open)
{
    open->id = message_of(incoming)->sender;
    open->purpose = KS_STAGE_MESSAGE;
    open->content_size = incoming->size;
}

/* ---- handing over ---- */

static void message_stored(struct ks_store_request *request)
{
    struct incoming_message *message = KS_CONTAINER_OF(request, struct incoming_message, append.request);
    struct ks_incoming *incoming = &message->incoming;
    struct ks_message_stored_answer answer = {.target = message->target.sent,
                                              .message_id = (uint32_t)message->append.message_id};
    uint8_t payload[KS_MESSAGE_STORED_ANSWER_SIZE];
    if (request->result != KS_OK && request->result != KS_NOT_FOUND)
        cannot_take(incoming, request->result, message->append.limit);
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
    struct incoming_message *message = message_of(incoming);
    struct ks_store_append_message *append = &message->append;
    memset(append, 0, sizeof *append);
    append->request.reply_to = &incoming->loop->executor;
    append->request.done = message_stored;
    append->receiver = message->target.id;
    append->sender = message->sender;
    append->type = message->type;
    append->content_size = incoming->size;
    append->content = incoming->bytes;
    append->stage = incoming->stage;
    if (incoming->stage == NULL)
        ks_exchange_let_others_begin(incoming->exchange);
    incoming->stage = NULL;
    ks_store_append_message(incoming->environment->store, append);
}

static const struct ks_incoming_kind message_kind = {.name = "message",
                                                     .describe_stage = describe_stage,
                                                     .complete = hand_over,
                                                     .cannot_take = cannot_take,
                                                     .was_cut = was_cut,
                                                     .free = message_free};

/* ---- the beginning ---- */

static void target_resolved(struct ks_target *target, enum ks_result result)
{
    struct incoming_message *message = KS_CONTAINER_OF(target, struct incoming_message, target);
    if (result == KS_OK)
        ks_incoming_prepared(&message->incoming);
    else
        ks_incoming_refuse(&message->incoming);
}

static struct incoming_message *message_new(struct ks_exchange *exchange,
                                            const struct ks_send_message_payload *payload)
{
    bool in_memory = payload->content_size <= exchange->environment->settings.spool_threshold;
    struct incoming_message *message = malloc(sizeof *message);
    if (message == NULL)
        return NULL;
    message->sender = exchange->header.client_id;
    message->target.exchange = exchange;
    message->target.sent = payload->target;
    message->target.resolved = target_resolved;
    message->type = payload->type;
    ks_incoming_begin(&message->incoming, &message_kind, exchange, payload->content_size, in_memory);
    return message;
}

void ks_incoming_message_begin(struct ks_exchange *exchange, const uint8_t *fixed)
{
    struct ks_send_message_payload payload = {0};
    bool is_sound = ks_send_message_payload_parse(fixed, KS_SEND_MESSAGE_FIXED_SIZE, &payload) == KS_OK &&
                    payload.content_size == exchange->header.payload_size - KS_SEND_MESSAGE_FIXED_SIZE;
    bool is_too_large = is_sound && payload.content_size > exchange->environment->settings.message_limit;
    if (is_too_large)
        ks_report_to(exchange, &payload.target, KS_LOG_WARNING,
                     "cannot take a message: it has %" PRIu32 " bytes (message-limit)", payload.content_size);
    if (!is_sound || is_too_large) {
        ks_exchange_refuse_payload(exchange, KS_SEND_MESSAGE_FIXED_SIZE);
        return;
    }
    struct incoming_message *message =
        ks_message_type_is_known(payload.type) ? message_new(exchange, &payload) : NULL;
    if (message == NULL)
        ks_exchange_refuse(exchange); /* the content is skipped */
    else
        ks_target_resolve(&message->target);
}
