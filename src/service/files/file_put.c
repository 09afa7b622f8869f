/* file_put.c — see file_put.h.
 *
 * A put is its session's while pieces may come. It leaves the session when it is stopped, fails, or its end
 * is asked for, and goes when the store has its last chunk. The end is an object of its own, for the next
 * put may be open by the time that it is answered.
 */
#include "service/files/file_put.h"

#include "base/bytes.h"
#include "service/core/incoming.h"
#include "service/core/report.h"
#include "service/core/session.h"
#include "service/core/store_door.h"
#include "service/core/tally.h"
#include "service/files/file_refusals.h"

#include <stdlib.h>
#include <string.h>

struct file_put {
    struct ks_incoming incoming;
    struct session_puts *puts;
    uint64_t size; /* of all of the content */
    bool was_kept; /* it is a file already, and nothing is to come */
    char name[KS_TEXT_FIELD_SIZE];
};

/* What a session has of puts, from its first 3013 to its end. */
struct session_puts {
    struct ks_session_companion companion;
    struct ks_session *session;
    struct file_put *open;          /* NULL for none */
    enum ks_refusal_reason because; /* why there is none, for who sends another piece */
};

static struct file_put *put_of(struct ks_incoming *incoming)
{
    return KS_CONTAINER_OF(incoming, struct file_put, incoming);
}

/* NULL before the session's first 3013. */
static struct session_puts *puts_of(struct ks_session *session)
{
    struct ks_session_companion *companion = ks_session_companion_of(session);
    return companion != NULL ? KS_CONTAINER_OF(companion, struct session_puts, companion) : NULL;
}

/* ---- what befalls a put ---- */

/* It is no longer its session's. The next piece is refused for `because`. */
static void leave_session(struct file_put *put, enum ks_refusal_reason because)
{
    put->puts->open = NULL;
    put->puts->because = because;
}

/* What came is parked: the put may be opened again. */
static void stop_open_put(struct session_puts *puts)
{
    struct file_put *put = puts->open;
    if (put == NULL)
        return;
    leave_session(put, KS_REFUSAL_NO_PUT);
    ks_incoming_stop(&put->incoming);
}

static void session_went(struct ks_session_companion *companion)
{
    struct session_puts *puts = KS_CONTAINER_OF(companion, struct session_puts, companion);
    stop_open_put(puts);
    free(puts);
}

static void count_limit(const struct ks_incoming *incoming, enum ks_store_limit limit)
{
    ks_tally_refused(ks_tally_shard_of(incoming->environment->tally, incoming->loop),
                     ks_tally_limit_of(limit));
}

/* Perhaps between two pieces. */
static void cannot_take(struct ks_incoming *incoming, enum ks_result result, enum ks_store_limit limit)
{
    const struct file_put *put = put_of(incoming);
    char shown[KS_TEXT_FIELD_SIZE];
    count_limit(incoming, limit);
    if (ks_file_is_a_warning(result))
        ks_report_session(put->puts->session, KS_LOG_WARNING, "cannot take \"%s\": %s%s",
                          ks_file_shown(put->name, shown), ks_result_text(result), ks_report_limit(limit));
    else
        ks_report_session(put->puts->session, KS_LOG_INFO,
                          "cannot take \"%s\": it was discarded meanwhile (stage-lifetime)",
                          ks_file_shown(put->name, shown));
}

static void was_cut(struct ks_incoming *incoming)
{
    const struct file_put *put = put_of(incoming);
    char shown[KS_TEXT_FIELD_SIZE];
    ks_report_session(put->puts->session, KS_LOG_WARNING, "cannot take \"%s\": " KS_INCOMING_CUT,
                      ks_file_shown(put->name, shown));
}

static void broke_off(struct ks_incoming *incoming, struct ks_exchange *exchange, enum ks_result why)
{
    enum ks_refusal_reason reason = ks_file_piece_reason(why);
    leave_session(put_of(incoming), exchange == NULL ? reason : KS_REFUSAL_NO_PUT);
    if (exchange != NULL)
        ks_refuse(exchange, reason);
}

static void piece_taken(struct ks_incoming *incoming)
{
    const struct file_put *put = put_of(incoming);
    struct ks_exchange *exchange = ks_incoming_take_exchange(incoming);
    uint8_t position[sizeof(uint64_t)];
    ks_store_u64(position, put->size - ks_incoming_left(incoming));
    ks_tally_put(ks_tally_shard_of(incoming->environment->tally, incoming->loop),
                 exchange->header.payload_size);
    ks_exchange_answer(exchange, KS_RESPONSE_PUT_PIECE, position, sizeof position);
}

static void put_free(struct ks_incoming *incoming)
{
    free(put_of(incoming));
}

static const struct ks_incoming_kind put_kind = {.name = "put",
                                                 .cannot_take = cannot_take,
                                                 .was_cut = was_cut,
                                                 .free = put_free,
                                                 .piece_taken = piece_taken,
                                                 .broke_off = broke_off};

/* ---- 3013 ---- */

struct put_opening {
    struct ks_exchange *exchange;
    struct file_put *put; /* for what is opened */
    struct ks_store_put_open question;
};

static void opening_free(struct put_opening *opening)
{
    free(opening->put);
    free(opening);
}

static void refuse_opening(struct put_opening *opening, enum ks_result result)
{
    struct ks_exchange *exchange = opening->exchange;
    enum ks_store_limit limit = opening->question.limit;
    char shown[KS_TEXT_FIELD_SIZE];
    ks_tally_refused(ks_tally_shard_of(exchange->environment->tally, exchange->loop),
                     ks_tally_limit_of(limit));
    if (ks_file_is_a_warning(result))
        ks_report(exchange, KS_LOG_WARNING, "cannot take \"%s\": %s%s",
                  ks_file_shown(opening->question.file_name, shown), ks_result_text(result),
                  ks_report_limit(limit));
    opening_free(opening);
    ks_refuse(exchange, ks_file_opening_reason(result, limit));
}

/* The connection went meanwhile. */
static void park_at_once(struct put_opening *opening)
{
    struct ks_exchange *exchange = opening->exchange;
    const struct ks_service_environment *environment = exchange->environment;
    if (ks_store_door_enter(environment->store_door)) {
        ks_store_put_park(environment->store, opening->question.stage);
        ks_store_door_leave(environment->store_door);
    }
    opening_free(opening);
    ks_exchange_cancel(exchange);
}

/* The put is its session's from here on. */
static void begin_put(struct put_opening *opening)
{
    struct ks_exchange *exchange = opening->exchange;
    const struct ks_store_put_open *question = &opening->question;
    struct file_put *put = opening->put;
    opening->put = NULL;
    put->puts = puts_of(exchange->session);
    put->puts->open = put;
    put->size = question->size;
    put->was_kept = question->is_kept;
    memcpy(put->name, question->file_name, sizeof put->name);
    ks_incoming_begin_in_pieces(&put->incoming, &put_kind, exchange, question->stage, question->offset,
                                question->size - question->offset);
}

static void opened(struct ks_store_request *request)
{
    struct put_opening *opening = KS_CONTAINER_OF(request, struct put_opening, question.request);
    struct ks_exchange *exchange = opening->exchange;
    const struct ks_put_open answer = {.flags = opening->question.is_kept ? KS_PUT_IS_KEPT : 0,
                                       .offset = opening->question.offset,
                                       .cksum = opening->question.cksum};
    uint8_t payload[KS_PUT_OPEN_SIZE];
    if (request->result != KS_OK) {
        refuse_opening(opening, request->result);
        return;
    }
    if (exchange->session == NULL) {
        park_at_once(opening);
        return;
    }
    begin_put(opening);
    opening_free(opening);
    ks_put_open_encode(&answer, payload);
    ks_exchange_answer(exchange, KS_RESPONSE_PUT_OPEN, payload, sizeof payload);
}

/* Once for a session. NULL when out of memory. */
static struct session_puts *have_puts(struct ks_session *session)
{
    struct session_puts *puts = puts_of(session);
    if (puts != NULL)
        return puts;
    puts = calloc(1, sizeof *puts);
    if (puts == NULL)
        return NULL;
    puts->companion.went = session_went;
    puts->session = session;
    puts->because = KS_REFUSAL_NO_PUT;
    ks_session_accompany(session, &puts->companion);
    return puts;
}

/* NULL when out of memory. */
static struct put_opening *opening_new(struct ks_exchange *exchange)
{
    struct put_opening *opening = calloc(1, sizeof *opening);
    if (opening == NULL)
        return NULL;
    opening->exchange = exchange;
    opening->put = calloc(1, sizeof *opening->put);
    if (opening->put != NULL)
        return opening;
    free(opening);
    return NULL;
}

static void ask_to_open(struct put_opening *opening, const struct ks_put_file *wish)
{
    struct ks_exchange *exchange = opening->exchange;
    struct ks_store_put_open *question = &opening->question;
    if (ks_file_judge_name(&wish->name, question->file_name) != KS_OK) {
        opening_free(opening);
        ks_refuse(exchange, KS_REFUSAL_FILE_NAME);
        return;
    }
    question->request.reply_to = &exchange->loop->executor;
    question->request.done = opened;
    question->id = exchange->header.client_id;
    memcpy(question->put_id, wish->put_id, sizeof question->put_id);
    question->size = wish->size;
    question->replace = (wish->flags & KS_PUT_REPLACE) != 0;
    question->anew = (wish->flags & KS_PUT_ANEW) != 0;
    ks_store_touch(exchange->environment->store, &question->id);
    ks_store_put_open(exchange->environment->store, question);
}

void ks_file_put_open(struct ks_exchange *exchange, const uint8_t *payload)
{
    struct session_puts *puts = have_puts(exchange->session);
    struct ks_put_file wish;
    if (puts != NULL) /* whatever becomes of this one: what follows it is not for the last one */
        stop_open_put(puts);
    if (ks_put_file_parse(payload, exchange->header.payload_size, &wish) != KS_OK) {
        ks_refuse(exchange, KS_REFUSAL_MALFORMED);
        return;
    }
    struct put_opening *opening = puts != NULL ? opening_new(exchange) : NULL;
    if (opening == NULL) {
        ks_refuse(exchange, KS_REFUSAL_TROUBLE);
        return;
    }
    puts->because = KS_REFUSAL_NO_PUT;
    ask_to_open(opening, &wish);
}

/* ---- 3014 ---- */

/* There is no put: says why, once. What comes of the payload is skipped. */
static void refuse_without_put(struct ks_exchange *exchange, struct session_puts *puts)
{
    enum ks_refusal_reason because = KS_REFUSAL_NO_PUT;
    if (puts != NULL) {
        because = puts->because;
        puts->because = KS_REFUSAL_NO_PUT;
    }
    ks_refuse(exchange, because);
}

void ks_file_put_piece(struct ks_exchange *exchange, const uint8_t *fixed)
{
    struct session_puts *puts = puts_of(exchange->session);
    struct file_put *put = puts != NULL ? puts->open : NULL;
    uint32_t size = exchange->header.payload_size;
    bool is_piece = size > 0 && size <= KS_FILE_PIECE_LIMIT;
    (void)fixed;
    if (is_piece && put == NULL) {
        refuse_without_put(exchange, puts);
        return;
    }
    if (is_piece && size <= ks_incoming_left(&put->incoming)) {
        ks_incoming_feed(&put->incoming, exchange);
        return;
    }
    if (put != NULL)
        stop_open_put(puts);
    if (is_piece)
        ks_refuse(exchange, KS_REFUSAL_MALFORMED);
    else
        ks_exchange_refuse_payload(exchange, 0);
}

/* ---- 3015 ---- */

struct put_end {
    struct ks_exchange *exchange;
    char name[KS_TEXT_FIELD_SIZE];
    bool was_kept;
    struct ks_store_confirm question;
};

static void report_refusal(const struct ks_exchange *exchange, const char *shown, enum ks_result result,
                           enum ks_store_limit limit)
{
    ks_tally_refused(ks_tally_shard_of(exchange->environment->tally, exchange->loop),
                     ks_tally_limit_of(limit));
    if (ks_file_is_a_warning(result))
        ks_report(exchange, KS_LOG_WARNING, "cannot keep \"%s\": %s%s", shown, ks_result_text(result),
                  ks_report_limit(limit));
    else if (result == KS_NOT_FOUND)
        ks_report(exchange, KS_LOG_INFO, "cannot keep \"%s\": it was discarded meanwhile (stage-lifetime)",
                  shown);
}

static void confirmed(struct ks_store_request *request)
{
    struct put_end *end = KS_CONTAINER_OF(request, struct put_end, question.request);
    struct ks_exchange *exchange = end->exchange;
    enum ks_result result = request->result;
    enum ks_store_limit limit = end->question.limit;
    uint8_t flags =
        (uint8_t)((end->question.replaced ? KS_PUT_REPLACED : 0) | (end->was_kept ? KS_PUT_WAS_KEPT : 0));
    char shown[KS_TEXT_FIELD_SIZE];
    ks_file_shown(end->name, shown);
    free(end);
    if (result != KS_OK) {
        report_refusal(exchange, shown, result, limit);
        ks_refuse(exchange, ks_file_end_reason(result));
        return;
    }
    ks_report_event(exchange, "kept \"%s\"", shown);
    ks_exchange_answer(exchange, KS_RESPONSE_PUT_END, &flags, sizeof flags);
}

/* All of the content is with the store: the stage goes there, too. */
static void confirm(struct put_end *end, struct session_puts *puts, uint32_t cksum)
{
    struct file_put *put = puts->open;
    struct ks_store_confirm *question = &end->question;
    memcpy(end->name, put->name, sizeof end->name);
    end->was_kept = put->was_kept;
    question->request.reply_to = &end->exchange->loop->executor;
    question->request.done = confirmed;
    question->stage = put->incoming.stage;
    question->has_cksum = true;
    question->cksum = cksum;
    put->incoming.stage = NULL;
    stop_open_put(puts);
    ks_store_touch(end->exchange->environment->store, &end->exchange->header.client_id);
    ks_store_confirm(end->exchange->environment->store, question);
}

void ks_file_put_end(struct ks_exchange *exchange, const uint8_t *fixed)
{
    struct session_puts *puts = puts_of(exchange->session);
    if (puts == NULL || puts->open == NULL) {
        refuse_without_put(exchange, puts);
        return;
    }
    if (ks_incoming_left(&puts->open->incoming) > 0) {
        stop_open_put(puts);
        ks_refuse(exchange, KS_REFUSAL_NO_PUT);
        return;
    }
    struct put_end *end = calloc(1, sizeof *end);
    if (end == NULL) {
        stop_open_put(puts);
        ks_refuse(exchange, KS_REFUSAL_TROUBLE);
        return;
    }
    end->exchange = exchange;
    confirm(end, puts, ks_load_u32(fixed));
}
