/* exchange.c — see exchange.h. */
#include "client/exchange.h"

#include "client/failure.h"
#include "crypto/secret.h"

#include <stdio.h>

enum kesher_status ks_exchange_connect(struct ks_session *session, struct kesher_error *error)
{
    struct ks_response_header unasked;
    /* Also notices that the server has closed the connection meanwhile. */
    if (session->channel != NULL && ks_channel_peek(session->channel, 0, &unasked))
        ks_session_disconnect(session);
    enum kesher_status status = ks_session_connect(session, error);
    if (status != KESHER_NOT_FOUND)
        return status;
    /* The server's name does not resolve. For messages NOT_FOUND is a user whom the list does not have. */
    if (error != NULL)
        error->status = KESHER_CONNECTION;
    return KESHER_CONNECTION;
}

enum kesher_status ks_exchange_repeat(struct ks_session *session,
                                      enum kesher_status (*once)(struct ks_session *session, void *context,
                                                                 struct kesher_error *error),
                                      void *context, struct kesher_error *error)
{
    unsigned losses = 0;
    struct kesher_error local = {.status = KESHER_OK};
    struct kesher_error *why = error != NULL ? error : &local;
    for (;;) {
        enum kesher_status status = ks_exchange_connect(session, why);
        if (status == KESHER_OK)
            status = once(session, context, why);
        if (status == KESHER_PROTOCOL)
            ks_session_disconnect(session);
        if (!ks_session_was_lost(status) || !session->ever_connected)
            return status;
        if (!ks_session_back_off(session, &losses, why))
            return status;
    }
}

enum kesher_status ks_exchange_judge(struct ks_session *session, uint16_t code, uint16_t expected,
                                     const char *doing, struct kesher_error *error)
{
    char what[80];
    if (code == expected)
        return KESHER_OK;
    if (code == KS_RESPONSE_ERROR)
        return ks_failure(error, KESHER_REFUSED,
                          "cannot %s: %s answered %u; it may not know this identity any more, or not offer "
                          "messages; its log may tell why",
                          doing, session->shown, (unsigned)code);
    if (snprintf(what, sizeof what, "an answer with the code %u where %u belongs", (unsigned)code,
                 (unsigned)expected) < 0)
        what[0] = '\0';
    return ks_channel_fail_protocol(session->channel, error, what);
}

/* The answer to a request whose answer is long: a short one is an error. */
static enum kesher_status take_header(struct ks_session *session, uint16_t expected, const char *doing,
                                      uint32_t *payload_size, struct kesher_error *error)
{
    struct ks_response_header header;
    enum kesher_status status = ks_channel_receive_header(session->channel, &header, error);
    if (status != KESHER_OK)
        return status;
    *payload_size = header.payload_size;
    if (header.code == expected)
        return KESHER_OK;
    if (header.code == KS_RESPONSE_ERROR && header.payload_size > KS_SKIP_LIMIT)
        return ks_channel_fail_protocol(session->channel, error, "an error answer that is far too long");
    if (header.code == KS_RESPONSE_ERROR)
        status = ks_channel_skip(session->channel, header.payload_size, error);
    return status == KESHER_OK ? ks_exchange_judge(session, header.code, expected, doing, error) : status;
}

enum kesher_status ks_exchange_begin(struct ks_session *session, enum ks_request_code code, uint16_t expected,
                                     const char *doing, uint32_t *payload_size, struct kesher_error *error)
{
    struct ks_request_header header = ks_session_header(session, code, 0);
    enum kesher_status status = ks_answer_request(session->channel, &header, NULL, error);
    ks_secret_wipe(&header, sizeof header);
    return status == KESHER_OK ? take_header(session, expected, doing, payload_size, error) : status;
}
