/* sending.c — 603: a message on its way to what waits for its receiver (protocol.md §1.3).
 *
 * Small contents are collected in memory, large ones go through chunks (chunks.h) to a stage. A message is
 * answered when it is durable; the next 603 begins as soon as this one was *handed over* to the store, so
 * that many share a commit. A large one is handed over only when it is safe: nothing may overtake it.
 *
 * A sending is an intake (intake.h), held by its requests to the store, too.
 */
#include "service/intake.h"
#include "service/target.h"
#include "wire/messages.h"

#include <stdlib.h>
#include <string.h>

struct sending {
    struct ks_intake intake;
    struct ks_client_id sender;
    struct ks_target target;
    uint8_t type;
    uint32_t content_size;
    bool is_large;
    bool resolved;
    bool is_counted;         /* as not handed over, by the session */
    bool waiting_for_budget; /* for the memory of a small content */
    struct ks_budget_waiter waiter;
    uint8_t *content; /* of a small message; content_size bytes from the budget */
    uint32_t collected;
    union { /* one at a time, in this order */
        struct ks_store_stage_open open;
        struct ks_store_append_message append;
    } request;
};

/* No analyser counts holders: they take every letting go for a free.
 * NOLINTBEGIN(clang-analyzer-unix.Malloc) */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-use-after-free"
#pragma GCC diagnostic ignored "-Wuse-after-free"
#pragma GCC diagnostic ignored "-Wanalyzer-use-of-uninitialized-value"
#endif

static struct sending *sending_of(struct ks_intake *intake)
{
    return KS_CONTAINER_OF(intake, struct sending, intake);
}

/* ---- the end of a sending ---- */

static void sending_free(struct ks_intake *intake)
{
    struct sending *sending = sending_of(intake);
    if (sending->content != NULL) {
        free(sending->content);
        ks_budget_give(intake->loop->budget, sending->content_size);
    }
    free(sending);
}

static void stop_waiting(struct ks_intake *intake)
{
    struct sending *sending = sending_of(intake);
    if (sending->waiting_for_budget && ks_budget_cancel(intake->loop->budget, &sending->waiter)) {
        sending->waiting_for_budget = false;
        ks_intake_let_go(intake);
    }
}

/* From here on the next 603 may be begun. */
static void handed_over(struct ks_intake *intake)
{
    struct sending *sending = sending_of(intake);
    if (sending->is_counted && intake->exchange != NULL && intake->exchange->session != NULL)
        ks_session_count_sendings(intake->exchange->session, -1);
    sending->is_counted = false;
}

static void log_failure(const struct sending *sending, enum ks_result result)
{
    char peer[KS_PEER_TEXT_SIZE];
    const char *limit = result == KS_REFUSED ? " (waiting-messages, waiting-bytes)" : "";
    ks_log_warning(sending->intake.environment->log, "%s: cannot take a message: %s%s",
                   ks_intake_peer(&sending->intake, peer), ks_result_text(result), limit);
}

/* ---- handing over ---- */

static void message_stored(struct ks_store_request *request)
{
    struct sending *sending = KS_CONTAINER_OF(request, struct sending, request.append.request);
    struct ks_message_stored_answer answer = {.target = sending->target.sent,
                                              .message_id = (uint32_t)sending->request.append.message_id};
    enum ks_result result = request->result;
    uint8_t payload[KS_MESSAGE_STORED_ANSWER_SIZE];
    if (result != KS_OK && result != KS_NOT_FOUND)
        log_failure(sending, result);
    struct ks_exchange *exchange = ks_intake_take_exchange(&sending->intake);
    sending->intake.failed = true; /* nothing that is still on its way matters any more */
    ks_intake_let_go(&sending->intake);
    if (exchange == NULL)
        return;
    if (result != KS_OK) {
        ks_exchange_refuse(exchange);
        return;
    }
    ks_message_stored_answer_encode(&answer, payload);
    ks_exchange_answer(exchange, KS_RESPONSE_MESSAGE_STORED, payload, sizeof payload);
}

/* All of the content is here, or on its way to the stage. */
static void hand_over(struct sending *sending)
{
    struct ks_store_append_message *request = &sending->request.append;
    memset(request, 0, sizeof *request);
    request->request.reply_to = &sending->intake.loop->executor;
    request->request.done = message_stored;
    request->receiver = sending->target.id;
    request->sender = sending->sender;
    request->type = sending->type;
    request->content_size = sending->content_size;
    request->content = sending->content;
    request->stage = sending->intake.chunks.stage;
    sending->intake.chunks.stage = NULL;
    ks_intake_hold(&sending->intake); /* the request */
    ks_intake_hold(&sending->intake); /* this function */
    ks_store_append_message(sending->intake.environment->store, request);
    if (!sending->is_large)
        handed_over(&sending->intake);
    ks_intake_leave_session(&sending->intake);
    ks_intake_let_go(&sending->intake);
}

/* ---- large contents ---- */

static void chunk_written(struct ks_intake *intake, enum ks_result result, bool last)
{
    (void)last;
    if (result != KS_OK && !intake->failed && intake->chunks.stage != NULL) {
        log_failure(sending_of(intake), result);
        ks_intake_fail(intake);
    } else {
        ks_intake_unblock(intake);
    }
}

static void stage_opened(struct ks_store_request *request)
{
    struct sending *sending = KS_CONTAINER_OF(request, struct sending, request.open.request);
    if (request->result != KS_OK)
        log_failure(sending, request->result);
    ks_intake_staged(&sending->intake, request->result, sending->request.open.stage);
    ks_intake_let_go(&sending->intake);
}

static void open_stage(struct sending *sending)
{
    struct ks_store_stage_open *open = &sending->request.open;
    memset(open, 0, sizeof *open);
    open->request.reply_to = &sending->intake.loop->executor;
    open->request.done = stage_opened;
    open->id = sending->sender;
    open->purpose = KS_STAGE_MESSAGE;
    open->content_size = sending->content_size;
    ks_intake_hold(&sending->intake);
    ks_store_stage_open(sending->intake.environment->store, open);
}

/* ---- small contents ---- */

static void budget_has_room(struct ks_task *task)
{
    struct sending *sending = KS_CONTAINER_OF(task, struct sending, waiter.task);
    sending->waiting_for_budget = false;
    ks_intake_unblock(&sending->intake);
    ks_intake_let_go(&sending->intake);
}

/* Makes sure that there is memory for the content; false when it has to wait, or has failed. */
static bool have_content(struct sending *sending)
{
    struct ks_loop *loop = sending->intake.loop;
    if (sending->content != NULL)
        return true;
    if (!sending->resolved || sending->waiting_for_budget)
        return false;
    if (!ks_budget_take(loop->budget, sending->content_size)) {
        sending->waiting_for_budget = true;
        ks_intake_hold(&sending->intake);
        sending->waiter.task.run = budget_has_room;
        sending->waiter.executor = &loop->executor;
        ks_budget_wait(loop->budget, &sending->waiter);
        return false;
    }
    sending->content = malloc(sending->content_size);
    if (sending->content != NULL)
        return true;
    ks_budget_give(loop->budget, sending->content_size);
    ks_intake_fail(&sending->intake);
    return false;
}

/* Takes bytes of a small content; they may stand in its buffer already. */
static size_t collect(struct sending *sending, const uint8_t *bytes, size_t size)
{
    if (!have_content(sending))
        return 0;
    if (bytes != sending->content + sending->collected)
        memcpy(sending->content + sending->collected, bytes, size);
    sending->collected += (uint32_t)size;
    return size;
}

/* ---- the sink ---- */

static size_t sink_buffer(void *context, size_t limit, uint8_t **buffer)
{
    struct sending *sending = context;
    if (sending->is_large)
        return ks_chunks_buffer(&sending->intake.chunks, limit, buffer);
    ks_intake_hold(&sending->intake);
    size_t room = have_content(sending) ? sending->content_size - sending->collected : 0;
    if (room > 0)
        *buffer = sending->content + sending->collected;
    ks_intake_let_go(&sending->intake);
    return room < limit ? room : limit;
}

static bool is_complete(const struct sending *sending)
{
    return sending->is_large ? ks_chunks_complete(&sending->intake.chunks)
                             : sending->collected == sending->content_size;
}

static size_t sink_received(void *context, const uint8_t *bytes, size_t size)
{
    struct sending *sending = context;
    struct ks_intake *intake = &sending->intake;
    size_t taken = 0;
    ks_intake_hold(intake);
    if (!sending->is_large)
        taken = collect(sending, bytes, size);
    else if (ks_chunks_take(&intake->chunks, bytes, size, &taken) != KS_OK)
        ks_intake_fail(intake);
    if (intake->failed)
        taken = size;
    else if (is_complete(sending))
        hand_over(sending);
    ks_intake_let_go(intake);
    return taken;
}

static void sink_broken(void *context)
{
    struct sending *sending = context;
    ks_intake_broken(&sending->intake);
}

static const struct ks_sink sending_sink = {
    .buffer = sink_buffer, .received = sink_received, .broken = sink_broken};

/* ---- the beginning ---- */

static void target_resolved(struct ks_target *target, enum ks_result result)
{
    struct sending *sending = KS_CONTAINER_OF(target, struct sending, target);
    struct ks_intake *intake = &sending->intake;
    sending->resolved = true;
    if (result != KS_OK)
        ks_intake_fail(intake);
    else if (intake->failed)
        ; /* the connection went meanwhile */
    else if (sending->content_size == 0)
        hand_over(sending);
    else if (sending->is_large)
        open_stage(sending);
    else
        ks_intake_unblock(intake);
    ks_intake_let_go(intake);
}

static const struct ks_intake_kind sending_kind = {
    .free = sending_free, .answering = handed_over, .stop_waiting = stop_waiting, .written = chunk_written};

static struct sending *sending_new(struct ks_exchange *exchange,
                                   const struct ks_send_message_payload *payload)
{
    struct sending *sending = calloc(1, sizeof *sending);
    if (sending == NULL)
        return NULL;
    ks_intake_init(&sending->intake, &sending_kind, exchange, payload->content_size);
    ks_intake_hold(&sending->intake); /* the look-up of the target */
    sending->sender = exchange->header.client_id;
    sending->target.exchange = exchange;
    sending->target.sent = payload->target;
    sending->target.resolved = target_resolved;
    sending->type = payload->type;
    sending->content_size = payload->content_size;
    sending->is_large = payload->content_size > exchange->environment->settings.spool_threshold;
    sending->is_counted = true;
    ks_session_count_sendings(exchange->session, 1);
    return sending;
}

void ks_sending_begin(struct ks_exchange *exchange, const uint8_t *fixed)
{
    struct ks_send_message_payload payload = {0};
    if (ks_send_message_payload_parse(fixed, KS_SEND_MESSAGE_FIXED_SIZE, &payload) != KS_OK ||
        payload.content_size != exchange->header.payload_size - KS_SEND_MESSAGE_FIXED_SIZE ||
        payload.content_size > exchange->environment->settings.message_limit) {
        ks_session_refuse_payload(exchange, KS_SEND_MESSAGE_FIXED_SIZE);
        return;
    }
    struct sending *sending = ks_message_type_is_known(payload.type) ? sending_new(exchange, &payload) : NULL;
    if (sending == NULL) {
        ks_exchange_refuse(exchange); /* the content is skipped */
        return;
    }
    if (payload.content_size > 0)
        ks_session_set_payload(exchange->session, payload.content_size, &sending_sink, sending);
    ks_target_resolve(&sending->target);
}
/* NOLINTEND(clang-analyzer-unix.Malloc) */
