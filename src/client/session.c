/* session.c — see session.h. */
#include "client/session.h"

#include "base/text.h"
#include "client/failure.h"
#include "crypto/secret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    DEFAULT_CONNECT_MS = 10 * 1000,
    DEFAULT_PROGRESS_MS = 120 * 1000,
    DEFAULT_BACKOFF_MS = 250,
    DEFAULT_RECONNECTS = 5,
    LONGEST_BACKOFF_MS = 30 * 1000,
    LONGEST_LIMIT_MS = 24 * 60 * 60 * 1000, /* fits the int of poll(2) */
};

static uint32_t limit_or_default(uint32_t value, uint32_t default_value)
{
    if (value == 0)
        return default_value;
    return value < LONGEST_LIMIT_MS ? value : LONGEST_LIMIT_MS;
}

struct kesher_options ks_session_limits(const struct kesher_options *options)
{
    struct kesher_options result = {0};
    if (options != NULL)
        result = *options;
    result.connect_ms = limit_or_default(result.connect_ms, DEFAULT_CONNECT_MS);
    result.progress_ms = limit_or_default(result.progress_ms, DEFAULT_PROGRESS_MS);
    result.backoff_ms = limit_or_default(result.backoff_ms, DEFAULT_BACKOFF_MS);
    result.reconnects = limit_or_default(result.reconnects, DEFAULT_RECONNECTS);
    return result;
}

enum kesher_status ks_session_init(struct ks_session *session, const struct kesher_home *home,
                                   const char *address, const struct kesher_options *options,
                                   struct kesher_error *error)
{
    memset(session, 0, sizeof *session);
    session->home = home;
    session->options = ks_session_limits(options);
    size_t size = strlen(address);
    if (size >= sizeof session->address)
        return ks_failure(error, KESHER_INVALID, "the server's address is too long; give it as address:port");
    memcpy(session->address, address, size + 1);
    ks_text_escape(address, size, session->shown, sizeof session->shown);
    return KESHER_OK;
}

void ks_session_destroy(struct ks_session *session)
{
    ks_channel_close(session->channel);
    kesher_identity_free(session->identity);
    ks_secret_wipe(session, sizeof *session);
}

enum kesher_status ks_session_connect(struct ks_session *session, struct kesher_error *error)
{
    if (session->channel != NULL && !ks_channel_is_broken(session->channel))
        return KESHER_OK;
    ks_session_disconnect(session);
    enum kesher_status status = ks_channel_open(session->address, session->options.connect_ms,
                                                session->options.progress_ms, &session->channel, error);
    if (status == KESHER_OK)
        session->ever_connected = true;
    return status;
}

void ks_session_disconnect(struct ks_session *session)
{
    ks_channel_close(session->channel);
    session->channel = NULL;
    session->has_key = false;
    session->thanks_may_come = false;
    ks_secret_wipe(session->key, sizeof session->key);
}

bool ks_session_was_lost(enum kesher_status status)
{
    return status == KESHER_CONNECTION || status == KESHER_TIMEOUT;
}

static void sleep_ms(uint64_t milliseconds)
{
    struct timespec left = {.tv_sec = (time_t)(milliseconds / 1000U),
                            .tv_nsec = (long)(milliseconds % 1000U) * 1000000L};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        ;
}

bool ks_session_back_off(struct ks_session *session, unsigned *losses, const struct kesher_error *why)
{
    char line[KESHER_SENTENCE_SIZE + 64];
    ks_session_disconnect(session);
    if (*losses >= session->options.reconnects)
        return false;
    uint64_t wait_ms = session->options.backoff_ms;
    for (unsigned i = 0; i < *losses && wait_ms < LONGEST_BACKOFF_MS; i++)
        wait_ms *= 2;
    ++*losses;
    if (why != NULL && snprintf(line, sizeof line, "%s; connecting again (%u of %u)", why->sentence, *losses,
                                (unsigned)session->options.reconnects) > 0)
        ks_session_notice(session, line);
    sleep_ms(wait_ms < LONGEST_BACKOFF_MS ? wait_ms : LONGEST_BACKOFF_MS);
    return true;
}

void ks_session_notice(const struct ks_session *session, const char *line)
{
    if (session->options.observer.notice != NULL)
        session->options.observer.notice(session->options.observer.context, line);
}

struct ks_request_header ks_session_header(const struct ks_session *session, enum ks_request_code code,
                                           uint32_t payload_size)
{
    return (struct ks_request_header){
        .client_id = session->identity->id,
        .version = code < KS_REQUEST_REGISTER_DROP ? KS_VERSION_MESSAGES : KS_VERSION_DROP,
        .code = (uint16_t)code,
        .payload_size = payload_size,
    };
}

enum kesher_status ks_session_ask_once(struct ks_session *session, const struct ks_question *question,
                                       struct ks_answer *answer, struct kesher_error *error)
{
    struct ks_request_header header = ks_session_header(session, question->code, question->payload_size);
    enum kesher_status status = ks_answer_request(session->channel, &header, question->payload, error);
    if (status == KESHER_OK)
        status = ks_answer_receive(session->channel, answer, error);
    ks_secret_wipe(&header, sizeof header);
    return status;
}

static const char *advice_for(uint16_t answer_code)
{
    switch (answer_code) {
    case KS_RESPONSE_REGISTRATION_FAILED:
        return "the name may be taken, choose another";
    case KS_RESPONSE_RECONNECT_DENIED:
        return "the server does not know this identity";
    case KS_RESPONSE_ERROR:
        return "the server may not offer this, or the name may be taken";
    default:
        return "the server's log may tell why";
    }
}

enum kesher_status ks_session_count_error(struct ks_session *session, const char *doing, uint16_t answer_code,
                                          unsigned *errors, struct kesher_error *error)
{
    ks_session_notice(session, "server responded with an error");
    if (++*errors <= KS_SESSION_REPEATS)
        return KESHER_OK;
    return ks_failure(error, KESHER_REFUSED, "cannot %s: %s answered %u, %u times; %s", doing, session->shown,
                      (unsigned)answer_code, *errors, advice_for(answer_code));
}

enum kesher_status ks_session_ask(struct ks_session *session, const struct ks_question *question,
                                  struct ks_answer *answer, struct kesher_error *error)
{
    unsigned errors = 0;
    for (;;) {
        enum kesher_status status = ks_session_ask_once(session, question, answer, error);
        if (status != KESHER_OK || question->accepts(answer))
            return status;
        status = ks_session_count_error(session, question->doing, answer->code, &errors, error);
        if (status != KESHER_OK)
            return status;
    }
}
