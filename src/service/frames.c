/* frames.c — the session of the binary port: bytes to requests, requests to rules, answers in order. See
 * session.h for the terms; everything runs on the connection's loop.
 */
#include "service/frames.h"

#include "service/session.h"
#include "service/session_keys.h"
#include "service/staged.h"

#include <stdlib.h>
#include <string.h>

enum {
    EXCHANGES_LIMIT = 256, /* unanswered at a time on one connection; then its input waits */
    HEAD_LIMIT = KS_REQUEST_HEADER_SIZE + KS_NAME_AND_KEY_PAYLOAD_SIZE,
    DIRECT_PAYLOAD = 64 * 1024, /* so much payload ahead makes receiving without a copy worth it */
};

enum state {
    STATE_HEAD,    /* collecting a header and its fixed part */
    STATE_PAYLOAD, /* the rest of a payload, to a sink or nowhere */
    STATE_ENDING,  /* whatever comes is dropped */
};

enum timer { TIMER_NONE, TIMER_HEAD, TIMER_PAYLOAD, TIMER_DEFERRED };

struct ks_session {
    struct ks_connection *connection;
    const struct ks_service_environment *environment;
    struct ks_exchange *oldest; /* unanswered, or answered behind an unanswered one */
    struct ks_exchange *newest;
    struct ks_exchange *deferred;
    void (*ripe)(struct ks_exchange *exchange);
    uint8_t *head; /* HEAD_LIMIT bytes while a header is incomplete, else NULL */
    uint64_t payload_left;
    const struct ks_sink *sink; /* NULL: skip */
    void *sink_context;
    uint64_t number;
    struct ks_session_keys keys;
    uint16_t head_size;
    uint16_t exchange_count;
    uint16_t upload_count;
    uint8_t state;
    uint8_t timer;
    bool pumping : 1; /* a loop over the input is running further up the stack */
    bool blocked : 1; /* input waits for an exchange, a sink or the output */
    bool input_ended : 1;
};

static const struct ks_rule rules[] = {
    {.code = KS_REQUEST_SEND_FILE,
     .version = KS_VERSION_DROP,
     .error = KS_RESPONSE_DROP_ERROR,
     .fixed_size = KS_SEND_FILE_FIXED_SIZE,
     .smallest_payload = KS_SEND_FILE_FIXED_SIZE,
     .largest_payload = UINT32_MAX,
     .overlap = KS_OVERLAP_UPLOAD,
     .begin = ks_upload_begin},
    {.code = KS_REQUEST_CRC_OK,
     .version = KS_VERSION_DROP,
     .error = KS_RESPONSE_DROP_ERROR,
     .fixed_size = KS_NAME_PAYLOAD_SIZE,
     .smallest_payload = KS_NAME_PAYLOAD_SIZE,
     .largest_payload = KS_NAME_PAYLOAD_SIZE,
     .overlap = KS_OVERLAP_CONFIRM,
     .begin = ks_drop_crc_ok},
    {.code = KS_REQUEST_CRC_WRONG,
     .version = KS_VERSION_DROP,
     .error = KS_RESPONSE_DROP_ERROR,
     .fixed_size = KS_NAME_PAYLOAD_SIZE,
     .smallest_payload = KS_NAME_PAYLOAD_SIZE,
     .largest_payload = KS_NAME_PAYLOAD_SIZE,
     .begin = ks_drop_crc_wrong},
    {.code = KS_REQUEST_CRC_GIVE_UP,
     .version = KS_VERSION_DROP,
     .error = KS_RESPONSE_DROP_ERROR,
     .fixed_size = KS_NAME_PAYLOAD_SIZE,
     .smallest_payload = KS_NAME_PAYLOAD_SIZE,
     .largest_payload = KS_NAME_PAYLOAD_SIZE,
     .begin = ks_drop_give_up},
    {.code = KS_REQUEST_REGISTER_DROP,
     .version = KS_VERSION_DROP,
     .error = KS_RESPONSE_REGISTRATION_FAILED,
     .fixed_size = KS_NAME_PAYLOAD_SIZE,
     .smallest_payload = KS_NAME_PAYLOAD_SIZE,
     .largest_payload = KS_NAME_PAYLOAD_SIZE,
     .begin = ks_identity_register_drop},
    {.code = KS_REQUEST_PUBLIC_KEY,
     .version = KS_VERSION_DROP,
     .error = KS_RESPONSE_DROP_ERROR,
     .fixed_size = KS_NAME_AND_KEY_PAYLOAD_SIZE,
     .smallest_payload = KS_NAME_AND_KEY_PAYLOAD_SIZE,
     .largest_payload = KS_NAME_AND_KEY_PAYLOAD_SIZE,
     .begin = ks_identity_public_key},
    {.code = KS_REQUEST_RECONNECT,
     .version = KS_VERSION_DROP,
     .error = KS_RESPONSE_DROP_ERROR,
     .fixed_size = KS_NAME_PAYLOAD_SIZE,
     .smallest_payload = KS_NAME_PAYLOAD_SIZE,
     .largest_payload = KS_NAME_PAYLOAD_SIZE,
     .begin = ks_identity_reconnect},
    {.code = KS_REQUEST_REGISTER_MESSAGES,
     .version = KS_VERSION_MESSAGES,
     .error = KS_RESPONSE_ERROR,
     .fixed_size = KS_NAME_AND_KEY_PAYLOAD_SIZE,
     .smallest_payload = KS_NAME_AND_KEY_PAYLOAD_SIZE,
     .largest_payload = KS_NAME_AND_KEY_PAYLOAD_SIZE,
     .begin = ks_identity_register_messages},
};

/* Unknown codes: 9000, version 2, and every payload fits. */
static void begin_unknown(struct ks_exchange *exchange, const uint8_t *fixed)
{
    (void)fixed;
    ks_exchange_refuse(exchange);
}

static const struct ks_rule unknown_rule = {.version = KS_VERSION_MESSAGES,
                                            .error = KS_RESPONSE_ERROR,
                                            .largest_payload = UINT32_MAX,
                                            .begin = begin_unknown};

static const struct ks_rule *rule_for(uint16_t code)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].code == code)
            return &rules[i];
    return &unknown_rule;
}

/* ---- exchanges and their answers ---- */

static void session_go_on(struct ks_session *session);

static struct ks_exchange *exchange_new(struct ks_session *session, const struct ks_rule *rule,
                                        const struct ks_request_header *header)
{
    struct ks_exchange *exchange = malloc(sizeof *exchange);
    if (exchange == NULL)
        return NULL;
    exchange->next = NULL;
    exchange->session = session;
    exchange->loop = session->connection->loop;
    exchange->environment = session->environment;
    exchange->rule = rule;
    exchange->header = *header;
    exchange->answered = false;
    exchange->silent = false;
    exchange->last = false;
    if (session->newest != NULL)
        session->newest->next = exchange;
    else
        session->oldest = exchange;
    session->newest = exchange;
    session->exchange_count++;
    return exchange;
}

static void session_end(struct ks_session *session)
{
    session->state = STATE_ENDING;
    ks_connection_finish(session->connection);
}

/* Sends what is answered, up to the first exchange that is not. */
static void send_answers(struct ks_session *session)
{
    while (session->oldest != NULL && session->oldest->answered) {
        struct ks_exchange *exchange = session->oldest;
        session->oldest = exchange->next;
        if (session->oldest == NULL)
            session->newest = NULL;
        session->exchange_count--;
        if (!exchange->silent)
            ks_connection_write(session->connection, exchange->answer, exchange->answer_size);
        if (exchange->last)
            session_end(session);
        free(exchange);
    }
}

static void exchange_is_answered(struct ks_exchange *exchange)
{
    struct ks_session *session = exchange->session;
    exchange->answered = true;
    if (session == NULL)
        free(exchange);
    else if (!session->pumping)
        session_go_on(session);
}

void ks_exchange_answer(struct ks_exchange *exchange, uint16_t code, const void *payload, size_t size)
{
    struct ks_response_header header = {
        .version = exchange->rule->version, .code = code, .payload_size = (uint32_t)size};
    ks_response_header_encode(&header, exchange->answer);
    if (size > 0)
        memcpy(exchange->answer + KS_RESPONSE_HEADER_SIZE, payload, size);
    exchange->answer_size = (uint16_t)(KS_RESPONSE_HEADER_SIZE + size);
    exchange_is_answered(exchange);
}

void ks_exchange_refuse(struct ks_exchange *exchange)
{
    ks_exchange_answer(exchange, exchange->rule->error, NULL, 0);
}

void ks_exchange_cancel(struct ks_exchange *exchange)
{
    exchange->silent = true;
    exchange_is_answered(exchange);
}

/* ---- time and idleness ---- */

static void set_timer(struct ks_session *session, enum timer timer, uint64_t after_ms)
{
    session->timer = (uint8_t)timer;
    ks_connection_set_deadline(session->connection, timer == TIMER_NONE ? 0 : after_ms);
}

/* Called after every step: a header has one limit from its first byte on, a payload a new one with every
 * byte, waiting for us none. */
static void keep_time(struct ks_session *session)
{
    const struct ks_service_settings *settings = &session->environment->settings;
    if (session->deferred != NULL)
        return;
    if (!session->blocked && session->state == STATE_PAYLOAD)
        set_timer(session, TIMER_PAYLOAD, settings->payload_timeout_ms);
    else if (!session->blocked && session->state == STATE_HEAD && session->head_size > 0) {
        if (session->timer != TIMER_HEAD)
            set_timer(session, TIMER_HEAD, settings->header_timeout_ms);
    } else if (session->timer != TIMER_NONE)
        set_timer(session, TIMER_NONE, 0);
}

static void keep_idleness(struct ks_session *session)
{
    bool idle = session->oldest == NULL && session->state == STATE_HEAD && session->head_size == 0;
    ks_connection_set_idle(session->connection, idle);
}

/* ---- the deferred answer to a 1030 ---- */

void ks_session_defer(struct ks_exchange *exchange, uint64_t after_ms,
                      void (*ripe)(struct ks_exchange *exchange))
{
    struct ks_session *session = exchange->session;
    if (session->blocked) { /* something has arrived behind the request already */
        ks_exchange_cancel(exchange);
        return;
    }
    if (session->input_ended) {
        ripe(exchange);
        return;
    }
    session->deferred = exchange;
    session->ripe = ripe;
    set_timer(session, TIMER_DEFERRED, after_ms);
}

static struct ks_exchange *take_deferred(struct ks_session *session)
{
    struct ks_exchange *exchange = session->deferred;
    session->deferred = NULL;
    if (exchange != NULL)
        set_timer(session, TIMER_NONE, 0);
    return exchange;
}

static void cancel_deferred(struct ks_session *session)
{
    struct ks_exchange *exchange = take_deferred(session);
    if (exchange != NULL)
        ks_exchange_cancel(exchange);
}

/* ---- requests ---- */

static bool may_begin(const struct ks_session *session, const struct ks_rule *rule)
{
    if (session->exchange_count >= EXCHANGES_LIMIT ||
        ks_connection_output_waiting(session->connection) > KS_OUTPUT_HIGH_WATER)
        return false;
    if (session->oldest == NULL)
        return true;
    if (rule->overlap == KS_OVERLAP_NONE || session->newest->rule->overlap == KS_OVERLAP_NONE)
        return false;
    return rule->overlap == KS_OVERLAP_UPLOAD || session->upload_count == 0;
}

void ks_session_set_payload(struct ks_session *session, uint64_t size, const struct ks_sink *sink,
                            void *context)
{
    session->payload_left = size;
    session->sink = sink;
    session->sink_context = context;
    session->state = size > 0 ? STATE_PAYLOAD : STATE_HEAD;
}

void ks_session_skip_payload(struct ks_session *session)
{
    session->sink = NULL;
    session->sink_context = NULL;
}

void ks_session_refuse_payload(struct ks_exchange *exchange, uint32_t taken)
{
    struct ks_session *session = exchange->session;
    if (exchange->header.payload_size > KS_SKIP_LIMIT) {
        exchange->last = true;
        session->state = STATE_ENDING;
    } else {
        ks_session_set_payload(session, exchange->header.payload_size - taken, NULL, NULL);
    }
    ks_exchange_refuse(exchange);
}

static void begin_request(struct ks_session *session, const struct ks_rule *rule,
                          const struct ks_request_header *header, const uint8_t *fixed)
{
    struct ks_exchange *exchange = exchange_new(session, rule, header);
    if (exchange == NULL) {
        session->state = STATE_ENDING;
        ks_connection_abort(session->connection);
        return;
    }
    if (fixed == NULL) {
        ks_session_refuse_payload(exchange, 0);
        return;
    }
    ks_session_set_payload(session, header->payload_size - rule->fixed_size, NULL, NULL);
    rule->begin(exchange, fixed);
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
    if (taken > 0 && session->head == NULL && (session->head = malloc(HEAD_LIMIT)) == NULL) {
        session->state = STATE_ENDING;
        ks_connection_abort(session->connection);
        return NULL;
    }
    if (taken > 0)
        memcpy(session->head + session->head_size, bytes, taken);
    session->head_size = (uint16_t)(session->head_size + taken);
    return taken == missing ? session->head : NULL;
}

static void forget_head(struct ks_session *session)
{
    free(session->head);
    session->head = NULL;
    session->head_size = 0;
}

/* One step over a header and its fixed part. Returns how much of the input it took; sets `blocked` when the
 * request has to wait. */
static size_t take_head(struct ks_session *session, const uint8_t *bytes, size_t size)
{
    struct ks_request_header header;
    size_t used = 0;
    const uint8_t *head = collect(session, KS_REQUEST_HEADER_SIZE, bytes, size, &used);
    if (head == NULL || ks_request_header_parse(head, KS_REQUEST_HEADER_SIZE, &header) != KS_OK)
        return used;
    const struct ks_rule *rule = rule_for(header.code);
    bool fits = rule != &unknown_rule && header.payload_size >= rule->smallest_payload &&
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
    forget_head(session);
    return used;
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
    if (session->payload_left == 0 && session->state == STATE_PAYLOAD)
        ks_session_set_payload(session, 0, NULL, NULL);
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
        if (used < size) {
            cancel_deferred(session);
            send_answers(session);
        }
        if (session->state == STATE_HEAD)
            used += take_head(session, bytes + used, size - used);
        else
            used += take_payload(session, bytes + used, size - used);
        send_answers(session);
    }
    session->pumping = false;
    return session->state == STATE_ENDING ? size : used;
}

/* An exchange was answered, a sink has room again, the output went out: goes on where the input had to stop.
 */
static void session_go_on(struct ks_session *session)
{
    send_answers(session);
    if (session->blocked && session->state != STATE_ENDING) {
        pump(session, NULL, 0);
        if (!session->blocked)
            ks_connection_resume(session->connection);
    }
    if (session->state == STATE_ENDING)
        return;
    if (session->input_ended && session->oldest == NULL && !session->blocked) {
        session_end(session);
        return;
    }
    keep_time(session);
    keep_idleness(session);
}

void ks_session_unblock(struct ks_session *session)
{
    if (!session->pumping)
        session_go_on(session);
}

/* ---- events of the connection ---- */

static bool frames_opened(struct ks_connection *connection, void *service)
{
    struct ks_session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return false;
    session->connection = connection;
    session->environment = service;
    session->number = ks_staged_new_owner(session->environment->staged);
    connection->session = session;
    return true;
}

static size_t frames_receive_buffer(struct ks_connection *connection, uint8_t **buffer)
{
    struct ks_session *session = connection->session;
    if (session->state != STATE_PAYLOAD || session->sink == NULL || session->sink->buffer == NULL ||
        session->payload_left < DIRECT_PAYLOAD)
        return 0;
    size_t limit = session->payload_left < SIZE_MAX ? (size_t)session->payload_left : SIZE_MAX;
    return session->sink->buffer(session->sink_context, limit, buffer);
}

static size_t frames_received(struct ks_connection *connection, const uint8_t *bytes, size_t size)
{
    struct ks_session *session = connection->session;
    size_t used = pump(session, bytes, size);
    if (session->state == STATE_ENDING)
        return size;
    if (session->blocked)
        ks_connection_pause(connection);
    keep_time(session);
    keep_idleness(session);
    return used;
}

static void break_payload(struct ks_session *session)
{
    const struct ks_sink *sink = session->sink;
    session->sink = NULL;
    session->payload_left = 0;
    if (session->state == STATE_PAYLOAD)
        session->state = STATE_HEAD;
    if (sink != NULL)
        sink->broken(session->sink_context);
}

static void frames_input_ended(struct ks_connection *connection)
{
    struct ks_session *session = connection->session;
    session->input_ended = true;
    forget_head(session);
    break_payload(session);
    struct ks_exchange *deferred = take_deferred(session);
    if (deferred != NULL)
        session->ripe(deferred);
    else
        session_go_on(session);
}

static void frames_drained(struct ks_connection *connection)
{
    session_go_on(connection->session);
}

static void frames_deadline(struct ks_connection *connection)
{
    struct ks_session *session = connection->session;
    char peer[KS_PEER_TEXT_SIZE];
    if (session->timer == TIMER_DEFERRED) {
        struct ks_exchange *deferred = take_deferred(session);
        if (deferred != NULL)
            session->ripe(deferred);
        return;
    }
    ks_connection_describe_peer(connection, peer, sizeof peer);
    ks_log_info(session->environment->log, "%s: closed: the rest of a %s did not come in time", peer,
                session->timer == TIMER_HEAD ? "request header" : "payload");
    session->state = STATE_ENDING;
    ks_connection_abort(connection);
}

static void frames_closed(struct ks_connection *connection)
{
    struct ks_session *session = connection->session;
    session->pumping = true; /* answers from here on only mark their exchanges */
    break_payload(session);
    struct ks_exchange *exchange = session->oldest;
    while (exchange != NULL) {
        struct ks_exchange *next = exchange->next;
        exchange->session = NULL;
        if (exchange->answered || exchange == session->deferred)
            free(exchange);
        exchange = next;
    }
    ks_session_keys_clear(&session->keys);
    free(session->head);
    free(session);
}

const struct ks_connection_events ks_frames_events = {
    .opened = frames_opened,
    .receive_buffer = frames_receive_buffer,
    .received = frames_received,
    .input_ended = frames_input_ended,
    .drained = frames_drained,
    .deadline = frames_deadline,
    .closed = frames_closed,
};

/* ---- for the services ---- */

const char *ks_exchange_peer(const struct ks_exchange *exchange, char text[static KS_PEER_TEXT_SIZE])
{
    if (exchange->session == NULL)
        return "gone";
    ks_connection_describe_peer(exchange->session->connection, text, KS_PEER_TEXT_SIZE);
    return text;
}

struct ks_session_keys *ks_session_keys_of(struct ks_session *session)
{
    return &session->keys;
}

uint64_t ks_session_number(const struct ks_session *session)
{
    return session->number;
}

void ks_session_count_uploads(struct ks_session *session, int change)
{
    session->upload_count = (uint16_t)(session->upload_count + change);
}

struct ks_service_settings ks_service_settings_default(void)
{
    return (struct ks_service_settings){
        .header_timeout_ms = UINT64_C(30) * 1000,
        .payload_timeout_ms = UINT64_C(60) * 1000,
        .crc_wrong_delay_ms = 2000,
        .content_key_lifetime = INT64_C(24) * 3600,
        .stage_lifetime = 3600,
    };
}
