/* request.c — see request.h. */
#include "client/transport/request.h"

#include "base/clock.h"
#include "base/text.h"
#include "client/failure.h"
#include "client/transport/refusal.h"
#include "client/transport/secure_request.h"
#include "crypto/secret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LONGEST_BACKOFF_MS = 5 * 1000 };

/* ---- when to try again ---- */

static void sleep_ms(uint64_t milliseconds)
{
    struct timespec left = {.tv_sec = (time_t)(milliseconds / 1000U),
                            .tv_nsec = (long)(milliseconds % 1000U) * 1000000L};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        ;
}

static uint64_t pause_after(const struct ks_client_session *session, unsigned failures)
{
    uint64_t pause_ms = session->options.backoff_ms;
    for (unsigned i = 1; i < failures && pause_ms < LONGEST_BACKOFF_MS; i++)
        pause_ms *= 2;
    return pause_ms < LONGEST_BACKOFF_MS ? pause_ms : LONGEST_BACKOFF_MS;
}

/* Without time for a first pause nothing is made again. */
static bool is_patient(const struct ks_client_session *session)
{
    return session->options.retry_ms >= session->options.backoff_ms;
}

/* After a connection was lost: says so and waits. False when there were too many, or when the server was
 * waited for already, by a request of which this one consists. */
static bool wait_after_loss(struct ks_client_session *session, struct ks_request_tries *tries,
                            const struct kesher_error *why)
{
    char line[KESHER_SENTENCE_SIZE + 64];
    if (tries->losses >= session->options.reconnects || !is_patient(session) || session->down_since_ms != 0)
        return false;
    tries->losses++;
    if (snprintf(line, sizeof line, "%s; connecting again (%u of %u)", why->sentence, tries->losses,
                 (unsigned)session->options.reconnects) > 0)
        ks_client_session_notice(session, line);
    sleep_ms(pause_after(session, tries->losses));
    return true;
}

/* The server is not there any more, it may be restarting: waits. False when it was waited for long enough. */
static bool wait_for_server(struct ks_client_session *session, unsigned *failures,
                            const struct kesher_error *why)
{
    char line[KESHER_SENTENCE_SIZE + 64];
    uint64_t now_ms = ks_clock_monotonic_ms(ks_clock_system());
    if (!is_patient(session))
        return false;
    if (session->down_since_ms == 0) {
        session->down_since_ms = now_ms;
        if (snprintf(line, sizeof line, "%s; waiting for it (up to %u s)", why->sentence,
                     (unsigned)(session->options.retry_ms / 1000)) > 0)
            ks_client_session_notice(session, line);
    }
    uint64_t waited_ms = now_ms - session->down_since_ms;
    if (waited_ms >= session->options.retry_ms)
        return false;
    uint64_t left_ms = session->options.retry_ms - waited_ms;
    uint64_t pause_ms = pause_after(session, ++*failures);
    sleep_ms(pause_ms < left_ms ? pause_ms : left_ms);
    return true;
}

/* After a refusal that need not last: says so and waits. False when it has lasted for long enough. */
static bool wait_after_refusal(struct ks_client_session *session, struct ks_request_tries *tries,
                               const struct kesher_error *why)
{
    char line[KESHER_SENTENCE_SIZE + 64];
    uint64_t now_ms = ks_clock_monotonic_ms(ks_clock_system());
    if (!is_patient(session))
        return false;
    if (tries->refusals == 0) {
        tries->later_since_ms = now_ms;
        if (snprintf(line, sizeof line, "%s; asking again (up to %u s)", why->sentence,
                     (unsigned)(session->options.retry_ms / 1000)) > 0)
            ks_client_session_notice(session, line);
    }
    if (now_ms - tries->later_since_ms >= session->options.retry_ms)
        return false;
    sleep_ms(pause_after(session, ++tries->refusals));
    return true;
}

static bool may_be_there_later(enum kesher_status status)
{
    return status == KESHER_CONNECTION || status == KESHER_TIMEOUT;
}

static enum kesher_status reach(struct ks_client_session *session, const struct ks_request *request,
                                struct kesher_error *error)
{
    bool may_wait = session->connections > 0 && request->repeat != KS_REQUEST_UNTIL_LOST;
    unsigned failures = 0;
    for (;;) {
        enum kesher_status status = ks_client_session_connect(session, error);
        if (!may_wait || !may_be_there_later(status) || !wait_for_server(session, &failures, error))
            return status;
    }
}

/* ---- the ladder ---- */

/* The server closed the connection behind its last answer, before it can have taken this request. */
static bool was_closed_between(struct ks_client_session *session, unsigned answers,
                               struct ks_request_tries *tries)
{
    if (answers == 0 || session->answers != answers || tries->closed_between)
        return false;
    tries->closed_between = true;
    session->closes |= session->access == NULL; /* no secure server has this habit */
    return true;
}

static bool is_repeated_after_loss(struct ks_client_session *session, const struct ks_request *request,
                                   unsigned answers, struct ks_request_tries *tries,
                                   const struct kesher_error *why)
{
    bool closed_between = was_closed_between(session, answers, tries);
    bool spent = request->spent != NULL && *request->spent;
    if (closed_between)
        ks_client_session_hang_up(session);
    else
        ks_client_session_disconnect(session);
    if (spent || closed_between)
        return !spent;
    if (request->progressed != NULL && *request->progressed)
        tries->losses = 0;
    return request->repeat >= KS_REQUEST_UNTIL_ANSWERED && wait_after_loss(session, tries, why);
}

/* What the course's batch client says, and does. */
static bool is_repeated_after_refusal(struct ks_client_session *session, const struct ks_request *request,
                                      struct ks_request_tries *tries, struct kesher_error *error)
{
    if (request->later != NULL && *request->later)
        return wait_after_refusal(session, tries, error);
    if (!request->after_errors || session->options.error_repeats == 0 || *request->answer_code == 0)
        return false;
    ks_client_session_notice(session, "server responded with an error");
    if (++tries->errors <= session->options.error_repeats)
        return true;
    const struct kesher_error reason = *error;
    (void)ks_failure(error, KESHER_REFUSED, "cannot %s: %s answered %u, %u times; %.500s", request->doing,
                     session->shown, (unsigned)*request->answer_code, tries->errors, reason.sentence);
    return false;
}

static bool is_repeated(struct ks_client_session *session, const struct ks_request *request,
                        enum kesher_status status, unsigned answers, struct ks_request_tries *tries,
                        struct kesher_error *error)
{
    switch (status) {
    case KESHER_REFUSED:
        return is_repeated_after_refusal(session, request, tries, error);
    case KESHER_CONNECTION:
        return is_repeated_after_loss(session, request, answers, tries, error);
    case KESHER_PROTOCOL:
    case KESHER_TIMEOUT:
        ks_client_session_disconnect(session);
        return false;
    default:
        return false;
    }
}

/* A server that has not shown that it keeps connections open is sent on a new one what can be sent only
 * once: so that it cannot fall into the moment in which the server closes. */
static void avoid_used_connection(struct ks_client_session *session, const struct ks_request *request,
                                  const struct ks_request_tries *tries)
{
    bool is_used = session->answers > 0 && tries->errors == 0;
    if (request->repeat == KS_REQUEST_ONCE && is_used && !session->keeps_open)
        ks_client_session_hang_up(session);
}

static void clear(bool *flag)
{
    if (flag != NULL)
        *flag = false;
}

enum kesher_status ks_request_run(struct ks_client_session *session, const struct ks_request *request,
                                  struct ks_request_tries *tries, struct kesher_error *error)
{
    struct ks_request_tries own = {0};
    struct kesher_error local = {.status = KESHER_OK};
    if (tries == NULL)
        tries = &own;
    if (error == NULL)
        error = &local;
    for (;;) {
        avoid_used_connection(session, request, tries);
        enum kesher_status status = reach(session, request, error);
        if (status == KESHER_OK && request->prepare != NULL)
            status = request->prepare(session, error);
        if (status != KESHER_OK)
            return status;
        clear(request->spent);
        clear(request->progressed);
        clear(request->later);
        unsigned answers = session->answers;
        session->is_aside = request->repeat == KS_REQUEST_UNTIL_LOST;
        status = request->perform(session, request->context, error);
        session->is_aside = false;
        if (!is_repeated(session, request, status, answers, tries, error))
            return status;
    }
}

/* ---- sending and taking ---- */

enum kesher_status ks_request_send(struct ks_client_session *session, enum ks_request_code code,
                                   const uint8_t *payload, uint32_t payload_size, struct kesher_error *error)
{
    uint8_t bytes[KS_SMALL_REQUEST_LIMIT];
    if (payload_size > sizeof bytes - KS_REQUEST_HEADER_SIZE)
        return ks_failure(error, KESHER_INVALID, "a request of %u bytes is no small request",
                          (unsigned)payload_size);
    struct ks_request_header header = ks_client_session_header(session, code, payload_size);
    ks_request_header_encode(&header, bytes);
    if (payload_size > 0)
        memcpy(bytes + KS_REQUEST_HEADER_SIZE, payload, payload_size);
    size_t size = KS_REQUEST_HEADER_SIZE + (size_t)payload_size;
    enum kesher_status status = ks_channel_send_end(session->channel, bytes, size, size, error);
    ks_secret_wipe(bytes, sizeof bytes); /* the client id is a secret */
    ks_secret_wipe(&header, sizeof header);
    return status;
}

static enum kesher_status fail_silent(const struct ks_client_session *session, struct kesher_error *error)
{
    return ks_failure(error, KESHER_TIMEOUT,
                      "%s has said nothing for %u s: this is no kesher server (is it the chat port?), or one "
                      "that hangs; check the address",
                      session->shown, (unsigned)((session->options.answer_ms + 999) / 1000));
}

enum kesher_status ks_request_take_header(struct ks_client_session *session,
                                          struct ks_response_header *header, struct kesher_error *error)
{
    bool is_first = !session->is_alive;
    if (is_first || session->is_aside)
        ks_channel_limit(session->channel, session->options.answer_ms);
    enum kesher_status status = ks_channel_receive_header(session->channel, header, error);
    ks_channel_limit(session->channel, session->options.progress_ms);
    if (status == KESHER_TIMEOUT && is_first)
        return fail_silent(session, error);
    if (status != KESHER_OK)
        return status;
    session->is_alive = true;
    session->answers++;
    session->keeps_open |= session->answers > 1;
    return KESHER_OK;
}

enum kesher_status ks_request_take_refusal(struct ks_client_session *session, const char *doing,
                                           const struct ks_response_header *header,
                                           struct kesher_error *error)
{
    struct ks_secure_request request = {.doing = doing, .shown = session->shown};
    return ks_secure_request_refused(session->channel, &request, header->payload_size, error);
}

enum kesher_status ks_request_take_answer(struct ks_client_session *session, struct ks_answer *answer,
                                          struct kesher_error *error)
{
    struct ks_response_header header;
    enum kesher_status status = ks_request_take_header(session, &header, error);
    if (status != KESHER_OK)
        return status;
    answer->code = header.code;
    answer->payload_size = header.payload_size;
    if (header.payload_size <= sizeof answer->payload)
        return ks_channel_receive(session->channel, answer->payload, header.payload_size, error);
    if (header.payload_size > KS_SKIP_LIMIT)
        return ks_request_fail_answer(session, error);
    return ks_channel_skip(session->channel, header.payload_size, error);
}

bool ks_request_is_no(const struct ks_client_session *session, enum ks_request_code code,
                      uint16_t answer_code)
{
    if (session->access != NULL)
        return answer_code == KS_RESPONSE_REFUSED || answer_code == KS_RESPONSE_ERROR;
    if (session->options.error_repeats > 0)
        return true; /* to the course's client everything else is an error */
    if (answer_code == KS_RESPONSE_ERROR || code < KS_REQUEST_REGISTER_DROP)
        return answer_code == KS_RESPONSE_ERROR;
    return answer_code == KS_RESPONSE_DROP_ERROR ||
           (answer_code == KS_RESPONSE_REGISTRATION_FAILED && code == KS_REQUEST_REGISTER_DROP);
}

enum kesher_status ks_request_fail_answer(struct ks_client_session *session, struct kesher_error *error)
{
    (void)ks_channel_fail_protocol(session->channel, NULL, "");
    return ks_failure(error, KESHER_PROTOCOL,
                      "%s is no kesher server (is it the chat port?): its answer makes no sense",
                      session->shown);
}

enum kesher_status ks_request_begin(struct ks_client_session *session, enum ks_request_code code,
                                    uint16_t expected, uint32_t *payload_size, struct kesher_error *error)
{
    struct ks_response_header header;
    enum kesher_status status = ks_request_send(session, code, NULL, 0, error);
    if (status == KESHER_OK)
        status = ks_request_take_header(session, &header, error);
    if (status != KESHER_OK)
        return status;
    *payload_size = header.payload_size;
    if (header.code == expected) {
        ks_client_session_is_known(session);
        return KESHER_OK;
    }
    if (session->access != NULL && header.code == KS_RESPONSE_REFUSED)
        return ks_request_take_refusal(session, code == KS_REQUEST_LIST_USERS ? "list its users" : "answer",
                                       &header, error);
    if (header.code != KS_RESPONSE_ERROR || header.payload_size > KS_SKIP_LIMIT)
        return ks_request_fail_answer(session, error);
    status = ks_channel_skip(session->channel, header.payload_size, error);
    if (status != KESHER_OK)
        return status;
    if (code == KS_REQUEST_LIST_USERS)
        return ks_home_server_forgot(&session->server, session->shown, ks_client_session_name(session),
                                     error);
    return ks_failure(error, KESHER_REFUSED, "%s gives no messages; its log may tell why", session->shown);
}

/* ---- small requests ---- */

struct small_request_run {
    const struct ks_small_request *small;
    struct ks_answer *answer;
    bool spent;
};

/* A 4999 that was taken as an answer. */
static enum kesher_status refuse_securely(const struct ks_client_session *session,
                                          const struct small_request_run *run, struct kesher_error *error)
{
    const struct ks_answer *answer = run->answer;
    struct ks_refusal refusal = {.reason = 0};
    const struct ks_refused refused = {.doing = run->small->doing, .server = session->shown};
    if (answer->payload_size > sizeof answer->payload ||
        ks_refusal_parse(answer->payload, answer->payload_size, &refusal) != KS_OK)
        refusal = (struct ks_refusal){.reason = 0};
    return ks_refusal_tell(&refusal, &refused, error);
}

static enum kesher_status refuse(const struct ks_client_session *session, const struct small_request_run *run,
                                 struct kesher_error *error)
{
    if (run->answer->code == KS_RESPONSE_REFUSED)
        return refuse_securely(session, run, error);
    if (run->small->refused != NULL)
        return run->small->refused(session, run->answer->code, error);
    return ks_failure(error, KESHER_REFUSED, "%s refused to %s; its log may tell why", session->shown,
                      run->small->doing);
}

static bool is_accepted(const struct ks_small_request *small, const struct ks_answer *answer)
{
    if (answer->code == small->expected)
        return small->expected_size == 0 || answer->payload_size == small->expected_size;
    return small->alternative != 0 && answer->code == small->alternative;
}

static enum kesher_status ask_once(struct ks_client_session *session, void *context,
                                   struct kesher_error *error)
{
    struct small_request_run *run = context;
    const struct ks_small_request *small = run->small;
    enum kesher_status status =
        ks_request_send(session, small->code, small->payload, small->payload_size, error);
    run->spent = status == KESHER_OK && small->repeat == KS_REQUEST_ONCE;
    if (status == KESHER_OK)
        status = ks_request_take_answer(session, run->answer, error);
    if (status != KESHER_OK || is_accepted(small, run->answer))
        return status;
    if (!ks_request_is_no(session, small->code, run->answer->code))
        return ks_request_fail_answer(session, error);
    return refuse(session, run, error);
}

enum kesher_status ks_request_ask(struct ks_client_session *session, const struct ks_small_request *small,
                                  struct ks_answer *answer, struct kesher_error *error)
{
    struct small_request_run run = {.small = small, .answer = answer};
    const struct ks_request request = {.repeat = small->repeat,
                                       .after_errors = small->after_errors,
                                       .doing = small->doing,
                                       .perform = ask_once,
                                       .context = &run,
                                       .spent = &run.spent,
                                       .answer_code = &answer->code};
    return ks_request_run(session, &request, NULL, error);
}
