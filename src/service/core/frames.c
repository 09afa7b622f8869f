/* frames.c — the session of the binary port: bytes to requests, requests to rules, answers in order. See
 * session.h for the terms; everything runs on the connection's loop.
 */
#include "service/core/frames.h"

#include "service/core/report.h"
#include "service/core/rules.h"
#include "service/core/session_internal.h"
#include "service/core/stream.h"
#include "service/drop/staged.h"
#include "wire/messages_codec.h"

#include <stdlib.h>
#include <string.h>

enum {
    EXCHANGES_LIMIT = 256, /* unanswered at a time on one connection; then its input waits */
    HEAD_LIMIT = KS_REQUEST_HEADER_SIZE + KS_NAME_AND_KEY_PAYLOAD_SIZE,
    DIRECT_PAYLOAD = 64 * 1024, /* so much payload ahead makes receiving without a copy worth it */
};

/* ---- requests ---- */

static void cancel_deferred(struct ks_session *session)
{
    struct ks_exchange *exchange = ks_session_take_deferred(session);
    if (exchange != NULL)
        ks_exchange_cancel(exchange);
}

static bool may_begin(const struct ks_session *session, const struct ks_rule *rule)
{
    if (session->exchange_count >= EXCHANGES_LIMIT || ks_connection_output_is_full(session->connection))
        return false;
    if (session->oldest == NULL)
        return true;
    enum ks_overlap before = session->newest->rule->overlap;
    if (rule->overlap == KS_OVERLAP_NONE || before == KS_OVERLAP_NONE)
        return false;
    if (rule->overlap == KS_OVERLAP_SEND || before == KS_OVERLAP_SEND)
        return rule->overlap == before && session->in_the_way == 0;
    return rule->overlap == KS_OVERLAP_UPLOAD || session->in_the_way == 0;
}

static void begin_request(struct ks_session *session, const struct ks_rule *rule,
                          const struct ks_request_header *header, const uint8_t *fixed)
{
    struct ks_exchange *exchange = ks_exchange_new(session, rule, header);
    if (exchange == NULL) {
        ks_session_become(session, STATE_ENDING);
        ks_connection_abort(session->connection);
        return;
    }
    ks_report_request(exchange, fixed != NULL);
    ks_blocks_begin(&session->padding.requests, KS_REQUEST_HEADER_SIZE);
    if (fixed == NULL) {
        ks_session_refuse_payload(exchange, 0);
        return;
    }
    ks_session_set_payload(session, header->payload_size - rule->fixed_size, NULL, NULL);
    ks_blocks_add(&session->padding.requests, rule->fixed_size);
    rule->begin(exchange, fixed);
}

/* gcc's analyser loses sight of what the session holds. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* False when out of memory; the session then ends. */
static bool have_head(struct ks_session *session)
{
    if (session->head == NULL)
        session->head = malloc(HEAD_LIMIT);
    if (session->head != NULL)
        return true;
    ks_session_become(session, STATE_ENDING);
    ks_connection_abort(session->connection);
    return false;
}

/* `size` contiguous bytes from the start of the request: in place when they are all in the input and none
 * were collected before, else collected in session->head. NULL when they are not all there (all input is then
 * taken) or there is no memory (the session then ends). */
static const uint8_t *collect(struct ks_session *session, size_t size, const uint8_t *bytes, size_t available,
                              size_t *used)
{
    if (session->head_size == 0 && available >= size) {
        *used = 0; /* taken when the request has begun */
        return bytes;
    }
    size_t missing = size > session->head_size ? size - session->head_size : 0;
    size_t taken = available < missing ? available : missing;
    *used = taken;
    if (taken > 0 && !have_head(session))
        return NULL;
    if (taken > 0)
        memcpy(session->head + session->head_size, bytes, taken);
    session->head_size = (uint16_t)(session->head_size + taken);
    return taken == missing ? session->head : NULL;
}

void ks_session_forget_head(struct ks_session *session)
{
    free(session->head);
    session->head = NULL;
    session->head_size = 0;
}

/* A 602 without a payload is of the family that pads: its target stands behind the header all the same. */
static void complete_header(struct ks_session *session, struct ks_request_header *header)
{
    if (header->code != KS_REQUEST_USER_KEY || header->payload_size != 0)
        return;
    header->payload_size = KS_TARGET_PAYLOAD_SIZE;
    ks_padding_is_the_custom(session);
}

/* One step over padding, or over a header and its fixed part. Returns how much of the input it took; sets
 * `blocked` when the request has to wait. */
static size_t take_head(struct ks_session *session, const uint8_t *bytes, size_t size)
{
    struct ks_request_header header;
    size_t used = 0;
    if (ks_padding_take(session, bytes, size, &used))
        return used;
    const uint8_t *head = collect(session, KS_REQUEST_HEADER_SIZE, bytes, size, &used);
    if (head == NULL || ks_request_header_parse(head, KS_REQUEST_HEADER_SIZE, &header) != KS_OK)
        return used;
    complete_header(session, &header);
    const struct ks_rule *known = ks_rules_find(header.code);
    const struct ks_rule *rule = known != NULL ? known : &ks_rules_unknown;
    bool fits = known != NULL && header.payload_size >= rule->smallest_payload &&
                header.payload_size <= rule->largest_payload;
    size_t head_size = KS_REQUEST_HEADER_SIZE + (fits ? rule->fixed_size : 0);
    size_t more = 0;
    head = collect(session, head_size, bytes + used, size - used, &more);
    used += more;
    if (head == NULL)
        return used;
    if (!may_begin(session, rule)) {
        session->blocked = true;
        return used;
    }
    if (session->head_size == 0)
        used = head_size; /* it was all in place */
    begin_request(session, rule, &header, fits ? head + KS_REQUEST_HEADER_SIZE : NULL);
    ks_session_forget_head(session);
    return used;
}

/* After all that is still to be answered. */
static void end_in_turn(struct ks_session *session)
{
    if (session->newest == NULL) {
        ks_session_end(session);
        return;
    }
    session->newest->last = true;
    ks_session_become(session, STATE_ENDING);
}

static size_t take_payload(struct ks_session *session, const uint8_t *bytes, size_t size)
{
    size_t wanted = size < session->payload_left ? size : (size_t)session->payload_left;
    size_t taken = wanted;
    if (session->sink != NULL) {
        taken = session->sink->received(session->sink_context, bytes, wanted);
        if (taken < wanted)
            session->blocked = true;
    }
    session->payload_left -= taken;
    ks_blocks_add(&session->padding.requests, taken);
    if (session->payload_left == 0 && session->state == STATE_PAYLOAD) {
        ks_session_set_payload(session, 0, NULL, NULL);
        if (session->ends_behind_payload)
            end_in_turn(session);
    }
    return taken;
}

/* Whether the next step could do something without any input: a whole request was collected and had to wait.
 */
static bool head_waits(const struct ks_session *session)
{
    return session->state == STATE_HEAD && session->head_size >= KS_REQUEST_HEADER_SIZE;
}

static size_t pump(struct ks_session *session, const uint8_t *bytes, size_t size)
{
    static const uint8_t nothing[1];
    size_t used = 0;
    if (bytes == NULL)
        bytes = nothing;
    session->pumping = true;
    session->blocked = false;
    bool again = head_waits(session);
    while ((used < size || again) && !session->blocked && session->state != STATE_ENDING) {
        again = false;
        if (used < size && !ks_padding_is_possible(session, bytes + used, size - used)) {
            cancel_deferred(session);
            ks_session_send_answers(session);
        }
        if (session->state == STATE_HEAD)
            used += take_head(session, bytes + used, size - used);
        else
            used += take_payload(session, bytes + used, size - used);
        ks_session_send_answers(session);
    }
    session->pumping = false;
    return session->state == STATE_ENDING ? size : used;
}

/* An exchange was answered, a sink has room again, the output went out: goes on where the input had to stop.
 */
void ks_session_go_on(struct ks_session *session)
{
    ks_session_send_answers(session);
    if (session->blocked && session->state != STATE_ENDING) {
        pump(session, NULL, 0);
        if (!session->blocked)
            ks_connection_resume(session->connection);
    }
    if (session->state != STATE_ENDING && session->input_ended && session->oldest == NULL &&
        !session->blocked) {
        if (!ks_pulls_unsettled(&session->pulls)) {
            ks_session_end(session);
            return;
        }
        ks_connection_shut(session->connection);
    }
    ks_session_keep_time(session);
    ks_session_keep_idleness(session);
}

void ks_session_unblock(struct ks_session *session)
{
    if (!session->pumping)
        ks_session_go_on(session);
}

/* ---- events of the connection ---- */

static size_t frames_receive_buffer(struct ks_connection *connection, uint8_t **buffer)
{
    struct ks_session *session = connection->session;
    if (session->state != STATE_PAYLOAD || session->sink == NULL || session->sink->buffer == NULL ||
        session->payload_left < DIRECT_PAYLOAD)
        return 0;
    size_t limit = session->payload_left < SIZE_MAX ? (size_t)session->payload_left : SIZE_MAX;
    return session->sink->buffer(session->sink_context, limit, buffer);
}

static void end_slow_peer(struct ks_session *session)
{
    ks_report_session(session, KS_LOG_INFO, "closed: a payload comes too slowly (payload-rate)");
    ks_session_become(session, STATE_ENDING);
    ks_connection_abort(session->connection);
}

static size_t frames_received(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    struct ks_session *session = connection->session;
    ks_pulls_look(&session->pulls, connection);
    size_t used = pump(session, bytes, size);
    if (session->state == STATE_PAYLOAD && !session->blocked &&
        !ks_session_payload_is_fast_enough(session, used))
        end_slow_peer(session);
    if (session->blocked && session->state != STATE_ENDING)
        ks_connection_pause(connection);
    ks_session_keep_time(session); /* of one that ends, too: it may wait for answers */
    ks_session_keep_idleness(session);
    return session->state == STATE_ENDING ? size : used;
}

static void break_payload(struct ks_session *session)
{
    const struct ks_sink *sink = session->sink;
    session->sink = NULL;
    session->payload_left = 0;
    if (session->state == STATE_PAYLOAD)
        ks_session_become(session, STATE_HEAD);
    if (sink != NULL)
        sink->broken(session->sink_context);
}

/* Zeros that were too few for padding were the beginning of a request. */
static void answer_deferred(struct ks_session *session, struct ks_exchange *deferred, bool has_head)
{
    if (has_head)
        ks_exchange_cancel(deferred);
    else
        session->ripe(deferred);
}

static void frames_input_ended(struct ks_connection *connection)
{
    struct ks_session *session = connection->session;
    session->input_ended = true;
    ks_pulls_ended(&session->pulls, connection);
    if (session->state == STATE_ENDING)
        return;
    if (ks_padding_needs_silence(session))
        ks_padding_had_silence(session);
    struct ks_exchange *deferred = ks_session_take_deferred(session);
    bool has_head = session->head_size > 0;
    ks_session_forget_head(session);
    break_payload(session);
    if (deferred != NULL)
        answer_deferred(session, deferred, has_head);
    else
        ks_session_go_on(session);
}

static void frames_drained(struct ks_connection *connection)
{
    struct ks_session *session = connection->session;
    ks_pulls_look(&session->pulls, connection);
    if (session->stream != NULL)
        ks_stream_go_on(session->stream);
    else
        ks_session_go_on(session);
}

static void frames_delivered(struct ks_connection *connection)
{
    struct ks_session *session = connection->session;
    ks_pulls_look(&session->pulls, connection);
    if (session->stream != NULL)
        ks_stream_look(session->stream);
    if (session->state != STATE_ENDING)
        ks_session_go_on(session);
}

static void frames_reminded(struct ks_connection *connection)
{
    struct ks_session *session = connection->session;
    ks_pulls_reminded(&session->pulls, connection);
    if (session->state != STATE_ENDING)
        ks_session_go_on(session);
}

static void frames_deadline(struct ks_connection *connection)
{
    struct ks_session *session = connection->session;
    struct ks_exchange *deferred = ks_session_take_deferred(session);
    if (deferred != NULL) {
        answer_deferred(session, deferred, session->head_size > 0);
    } else if (session->timer == TIMER_SILENCE) {
        if (ks_padding_needs_silence(session)) /* not when the session is ending meanwhile */
            ks_padding_had_silence(session);
        ks_session_go_on(session);
    } else if (session->timer == TIMER_TURN) {
        session->timer = TIMER_NONE;
        ks_session_keep_time(session);
        ks_stream_turn_has_come(session->stream);
    } else if (!ks_session_time_is_up(session)) {
        ks_session_become(session, STATE_ENDING);
        ks_connection_abort(connection);
    }
}

/* What it asked for is done to its end, and the log may tell of it. */
static void orphan(struct ks_exchange *exchange, const struct ks_connection *connection)
{
    struct ks_exchange_gone *gone = &exchange->gone;
    exchange->session = NULL;
    ks_connection_peer_address(connection, gone->address);
    ks_connection_describe_peer(connection, gone->peer, sizeof gone->peer);
}

static void frames_closed(struct ks_connection *connection)
{
    struct ks_session *session = connection->session;
    session->pumping = true; /* answers from here on only mark their exchanges */
    break_payload(session);
    struct ks_exchange *exchange = session->oldest;
    while (exchange != NULL) {
        struct ks_exchange *next = exchange->next;
        if (exchange->answered || exchange == session->deferred)
            free(exchange);
        else
            orphan(exchange, connection);
        exchange = next;
    }
    if (session->stream != NULL)
        ks_stream_orphan(session->stream);
    ks_pulls_give_up(&session->pulls);
    ks_session_keys_clear(&session->keys);
    free(session->head);
    free(session);
}

static const struct ks_connection_events session_events = {
    .receive_buffer = frames_receive_buffer,
    .received = frames_received,
    .input_ended = frames_input_ended,
    .drained = frames_drained,
    .delivered = frames_delivered,
    .reminded = frames_reminded,
    .deadline = frames_deadline,
    .closed = frames_closed,
};

/* ---- a peer that has said nothing yet ----
 *
 * has no session, only the environment in its place: ten thousand silent connections then cost a third less.
 */

static bool silent_opened(struct ks_connection *connection, void *service)
{
    connection->session = service;
    return true;
}

static size_t silent_received(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    const struct ks_service_environment *environment = connection->session;
    struct ks_session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        ks_connection_abort(connection);
        return size;
    }
    session->connection = connection;
    session->environment = environment;
    session->number = ks_staged_new_owner(environment->staged);
    connection->session = session;
    connection->events = &session_events;
    return frames_received(connection, bytes, size);
}

static void silent_input_ended(struct ks_connection *connection)
{
    ks_connection_finish(connection);
}

static void silent_deadline(struct ks_connection *connection)
{
    (void)connection; /* nobody sets one */
}

static void silent_closed(struct ks_connection *connection)
{
    connection->session = NULL;
}

const struct ks_connection_events ks_frames_events = {
    .opened = silent_opened,
    .received = silent_received,
    .input_ended = silent_input_ended,
    .deadline = silent_deadline,
    .closed = silent_closed,
};
