/* exchange.c — see exchange.h: bytes to requests, requests to those who serve them, and answers in the order
 * of the requests. An answer may let the input go on, and so begin the next request: that is why both stand
 * here.
 */
#include "service/core/exchange.h"

#include "service/core/report.h"
#include "service/core/session_internal.h"
#include "service/core/tally.h"
#include "wire/messages_codec.h"

#include <stdlib.h>
#include <string.h>

enum {
    EXCHANGES_LIMIT = 256, /* unanswered at a time on one connection; then its input waits */
};

/* ---- answers ---- */

/* On the classic port an id that somebody shows stands for somebody; on another one whoever signed in asks,
 * and nobody else. */
static void identify(struct ks_exchange *exchange, struct ks_session *session)
{
    exchange->shown = exchange->header.client_id;
    if (session->port->access != NULL) {
        exchange->header.client_id = session->user;
        return;
    }
    (void)ks_store_classic_id(session->environment->store, &exchange->shown, &exchange->header.client_id);
    session->user = exchange->header.client_id;
    session->has_user = true;
}

/* An exchange for a request, the newest of its session. NULL when out of memory. */
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
    exchange->port = session->port;
    exchange->rule = rule;
    exchange->header = *header;
    identify(exchange, session);
    exchange->answered = false;
    exchange->counted = false;
    exchange->silent = false;
    exchange->last = false;
    exchange->in_the_way = rule->overlap == KS_OVERLAP_UPLOAD || rule->overlap == KS_OVERLAP_SEND ||
                           rule->overlap == KS_OVERLAP_PUT;
    session->in_the_way += exchange->in_the_way;
    if (session->newest != NULL)
        session->newest->next = exchange;
    else
        session->oldest = exchange;
    session->newest = exchange;
    session->exchange_count++;
    return exchange;
}

static void write_answer(struct ks_session *session, const struct ks_exchange *exchange)
{
    ks_padding_answer_begins(session);
    ks_session_write(session, exchange->answer, exchange->answer_size);
    ks_padding_answer_ends(session);
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
            write_answer(session, exchange);
        if (exchange->last)
            ks_session_end(session);
        free(exchange);
    }
}

void ks_exchange_let_others_begin(struct ks_exchange *exchange)
{
    if (exchange->in_the_way && exchange->session != NULL)
        exchange->session->in_the_way--;
    exchange->in_the_way = false;
}

static void exchange_is_answered(struct ks_exchange *exchange)
{
    struct ks_session *session = exchange->session;
    ks_exchange_let_others_begin(exchange);
    exchange->answered = true;
    if (session == NULL)
        free(exchange);
    else
        ks_exchange_unblock(session);
}

/* Whether an answer is given to users only, and to who has just become one. Where peers sign in, that tells.
 */
static bool is_for_a_user(const struct ks_exchange *exchange, uint16_t code)
{
    return exchange->port->access == NULL && code != 0 && code != exchange->rule->error &&
           code != KS_RESPONSE_ERROR && code != KS_RESPONSE_DROP_ERROR &&
           code != KS_RESPONSE_RECONNECT_DENIED;
}

/* In the tally. */
static size_t place_of(const struct ks_exchange *exchange)
{
    const struct ks_rules *table = exchange->port->rules;
    return table->first_place + (size_t)(exchange->rule - table->rules);
}

void ks_exchange_count(struct ks_exchange *exchange, uint16_t code)
{
    struct ks_tally_shard *shard = ks_tally_shard_of(exchange->environment->tally, exchange->loop);
    if (exchange->session != NULL && is_for_a_user(exchange, code))
        exchange->session->is_user = true;
    if (!exchange->counted) {
        ks_tally_answered(shard, place_of(exchange), code);
        ks_report_answer(exchange, code);
    }
    exchange->counted = true;
}

void ks_exchange_answer(struct ks_exchange *exchange, uint16_t code, const void *payload, size_t size)
{
    ks_exchange_count(exchange, code);
    struct ks_response_header header = {
        .version = exchange->rule->version, .code = code, .payload_size = (uint32_t)size};
    ks_response_header_encode(&header, exchange->answer);
    if (size > 0)
        memcpy(exchange->answer + KS_RESPONSE_HEADER_SIZE, payload, size);
    exchange->answer_size = (uint16_t)(KS_RESPONSE_HEADER_SIZE + size);
    exchange_is_answered(exchange);
}

void ks_exchange_answer_last(struct ks_exchange *exchange, uint16_t code, const void *payload, size_t size)
{
    exchange->last = true;
    ks_exchange_answer(exchange, code, payload, size);
}

static void refuse_for(struct ks_exchange *exchange, enum ks_fault fault)
{
    if (exchange->port->access == NULL)
        ks_exchange_answer(exchange, exchange->rule->error, NULL, 0);
    else
        exchange->port->access->refuse(exchange, fault);
}

void ks_exchange_refuse(struct ks_exchange *exchange)
{
    refuse_for(exchange, KS_FAULT_SERVICE);
}

void ks_exchange_cancel(struct ks_exchange *exchange)
{
    ks_exchange_count(exchange, 0);
    exchange->silent = true;
    exchange_is_answered(exchange);
}

bool ks_exchange_is_newest(const struct ks_exchange *exchange)
{
    return exchange->session->newest == exchange;
}

void ks_exchange_refuse_payload(struct ks_exchange *exchange, uint32_t taken)
{
    if (!ks_session_drop_payload(exchange->session, exchange->header.payload_size, taken))
        exchange->last = true;
    refuse_for(exchange, exchange->rule->begin == NULL ? KS_FAULT_CODE : KS_FAULT_PAYLOAD);
}

/* ---- the deferred answer to a 1030 ---- */

void ks_exchange_defer(struct ks_exchange *exchange, uint64_t after_ms,
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
    ks_session_set_timer(session, KS_SESSION_TIMER_DEFERRED, after_ms);
}

/* ---- requests ---- */

static void cancel_deferred(struct ks_session *session)
{
    struct ks_exchange *exchange = ks_session_take_deferred(session);
    if (exchange != NULL)
        ks_exchange_cancel(exchange);
}

static const struct ks_rule *find_rule(const struct ks_rules *rules, uint16_t code)
{
    const struct ks_rule *rule = rules->rules;
    const struct ks_rule *last = rules->rules + rules->count - 1;
    while (rule < last && rule->code != code)
        rule++;
    return rule;
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

/* Bytes of its payload that `begin` gets. */
static uint32_t collected_of(const struct ks_rule *rule, const struct ks_request_header *header)
{
    return rule->is_collected ? header->payload_size : rule->fixed_size;
}

static void begin_request(struct ks_session *session, const struct ks_rule *rule,
                          const struct ks_request_header *header, const uint8_t *fixed)
{
    struct ks_exchange *exchange = exchange_new(session, rule, header);
    if (exchange == NULL) {
        ks_session_become(session, KS_SESSION_ENDING);
        ks_connection_abort(session->connection);
        return;
    }
    ks_report_request(exchange, fixed != NULL);
    ks_blocks_begin(&session->padding.requests, KS_REQUEST_HEADER_SIZE);
    if (fixed == NULL) {
        ks_exchange_refuse_payload(exchange, 0);
        return;
    }
    uint32_t collected = collected_of(rule, header);
    ks_session_set_payload(session, header->payload_size - collected, NULL, NULL);
    ks_blocks_add(&session->padding.requests, collected);
    if (session->port->access == NULL || session->port->access->may_ask(exchange))
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
        session->head = malloc(KS_REQUEST_HEADER_SIZE + (size_t)session->port->rules->most_collected);
    if (session->head != NULL)
        return true;
    ks_session_become(session, KS_SESSION_ENDING);
    ks_connection_abort(session->connection);
    return false;
}

/* `size` contiguous bytes from the start of the request: in place when they are all in the input and none
 * were collected before, else collected in session->head. NULL when they are not all there (all input is then
 * taken) or there is no memory (the session then ends). */
static const uint8_t *collect_head(struct ks_session *session, size_t size, const uint8_t *bytes,
                                   size_t available, size_t *used)
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

/* A 602 without a payload is of the family that pads: its target stands behind the header all the same. */
static void complete_header(struct ks_session *session, struct ks_request_header *header)
{
    if (session->port->access != NULL || header->code != KS_REQUEST_USER_KEY || header->payload_size != 0)
        return;
    header->payload_size = KS_TARGET_PAYLOAD_SIZE;
    ks_padding_is_the_custom(session);
}

/* After all that is still to be answered. */
static void end_in_turn(struct ks_session *session)
{
    if (session->newest == NULL) {
        ks_session_end(session);
        return;
    }
    session->newest->last = true;
    ks_session_become(session, KS_SESSION_ENDING);
}

/* As ks_padding_take. A byte other than zero inside the padding ends the session. */
static bool take_padding(struct ks_session *session, const uint8_t *bytes, size_t size, size_t *taken)
{
    bool is_broken = false;
    if (!ks_padding_take(session, bytes, size, taken, &is_broken))
        return false;
    if (is_broken) {
        ks_report_session(session, KS_LOG_INFO, "closed: a byte other than zero inside the padding");
        end_in_turn(session);
    }
    return true;
}

/* A stranger may not have us skip what only users may send. */
static uint32_t largest_payload(const struct ks_session *session, const struct ks_rule *rule)
{
    if (ks_session_is_strange(session) && rule->largest_payload > session->port->access->stranger_payload)
        return session->port->access->stranger_payload;
    return rule->largest_payload;
}

/* One step over padding, or over a header and its fixed part. Returns how much of the input it took; sets
 * `blocked` when the request has to wait. */
static size_t take_head(struct ks_session *session, const uint8_t *bytes, size_t size)
{
    struct ks_request_header header;
    size_t used = 0;
    if (session->port->access == NULL && take_padding(session, bytes, size, &used))
        return used;
    const uint8_t *head = collect_head(session, KS_REQUEST_HEADER_SIZE, bytes, size, &used);
    if (head == NULL || ks_request_header_parse(head, KS_REQUEST_HEADER_SIZE, &header) != KS_OK)
        return used;
    complete_header(session, &header);
    const struct ks_rule *rule = find_rule(session->port->rules, header.code);
    bool fits = rule->begin != NULL && header.payload_size >= rule->smallest_payload &&
                header.payload_size <= largest_payload(session, rule);
    size_t head_size = KS_REQUEST_HEADER_SIZE + (fits ? collected_of(rule, &header) : 0);
    size_t more = 0;
    head = collect_head(session, head_size, bytes + used, size - used, &more);
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
    if (session->payload_left == 0 && session->state == KS_SESSION_PAYLOAD) {
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
    return session->state == KS_SESSION_HEAD && session->head_size >= KS_REQUEST_HEADER_SIZE;
}

size_t ks_exchange_take_input(struct ks_session *session, const uint8_t *bytes, size_t size)
{
    static const uint8_t nothing[1];
    size_t used = 0;
    if (bytes == NULL)
        bytes = nothing;
    session->pumping = true;
    session->blocked = false;
    bool again = head_waits(session);
    while ((used < size || again) && !session->blocked && session->state <= KS_SESSION_PAYLOAD) {
        again = false;
        if (used < size && !ks_padding_is_possible(session, bytes + used, size - used)) {
            cancel_deferred(session);
            send_answers(session);
        }
        if (session->state == KS_SESSION_HEAD)
            used += take_head(session, bytes + used, size - used);
        else
            used += take_payload(session, bytes + used, size - used);
        send_answers(session);
    }
    session->pumping = false;
    return session->state == KS_SESSION_ENDING ? size : used;
}

void ks_exchange_go_on(struct ks_session *session)
{
    if (session->state == KS_SESSION_LEAVING)
        return;
    send_answers(session);
    if (session->blocked && session->state != KS_SESSION_ENDING) {
        ks_exchange_take_input(session, NULL, 0);
        if (session->state == KS_SESSION_LEAVING) {
            ks_session_leave_later(session);
            return;
        }
        if (!session->blocked)
            ks_connection_resume(session->connection);
    }
    if (session->state != KS_SESSION_ENDING && session->input_ended && session->oldest == NULL &&
        !session->blocked) {
        if (session->follower == NULL || !session->follower->awaits_end) {
            ks_session_end(session);
            return;
        }
        ks_connection_shut(session->connection);
    }
    ks_session_keep_time(session);
    ks_session_keep_idleness(session);
}

void ks_exchange_unblock(struct ks_session *session)
{
    if (!session->pumping)
        ks_exchange_go_on(session);
}
