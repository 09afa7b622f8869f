/* outgoing.c — see outgoing.h. */
#include "client/outbound/outgoing.h"

#include "base/text.h"
#include "client/failure.h"
#include "crypto/rsa.h"
#include "crypto/secret.h"
#include "wire/drop_codec.h"
#include "wire/messages_codec.h"

#include <string.h>

enum {
    FIXED_SIZE = KS_REQUEST_HEADER_SIZE + KS_SEND_MESSAGE_FIXED_SIZE,
    USUAL_CONTENT_LIMIT = 64 * 1024 * 1024, /* kesherd's, unless it is told otherwise */
    BUFFERS_SIZE = 16 * 1024 * 1024,
    OLD_CONTENT_LIMIT = 1024 - FIXED_SIZE, /* of servers that read once */
};

static enum kesher_status fail_source(enum ks_result result, int error_number, struct kesher_error *error)
{
    switch (result) {
    case KS_MORE:
        return ks_failure(
            error, KESHER_FILE,
            "the file became shorter while it was being sent; try again when nobody writes to it");
    case KS_IO:
        return ks_failure_system(error, KESHER_FILE, error_number, "cannot read what is to be sent");
    default:
        return ks_failure_from_result(error, result, "cannot encrypt the message");
    }
}

/* One message on its way. */
struct outgoing_attempt {
    struct ks_client_session *session;
    const struct ks_outgoing *outgoing;
    struct kesher_receipt *receipt;
    uint8_t *piece;                  /* of the message: what is sent next is put together here */
    struct ks_content_source source; /* of a text or a file */
    bool begun;                      /* some of it was sent */
    bool was_sent;                   /* all of it was */
};

/* Header and fixed fields into the piece. */
static void fill_fixed(const struct outgoing_attempt *attempt)
{
    const struct ks_outgoing *outgoing = attempt->outgoing;
    const struct ks_send_message_payload fixed = {
        .target = *outgoing->target, .type = outgoing->type, .content_size = outgoing->content_size};
    struct ks_request_header header = ks_client_session_header(
        attempt->session, KS_REQUEST_SEND_MESSAGE, KS_SEND_MESSAGE_FIXED_SIZE + outgoing->content_size);
    ks_request_header_encode(&header, attempt->piece);
    ks_send_message_payload_encode(&fixed, attempt->piece + KS_REQUEST_HEADER_SIZE);
    ks_secret_wipe(&header, sizeof header);
}

/* The next part of the content behind the first `used` bytes of the piece. */
static enum kesher_status fill_content(struct outgoing_attempt *attempt, size_t used, size_t *size,
                                       struct kesher_error *error)
{
    const struct ks_outgoing *outgoing = attempt->outgoing;
    uint8_t *room = attempt->piece + used;
    if (outgoing->key == NULL) {
        *size = used > 0 ? outgoing->content_size : 0; /* small, and all of it goes with the fixed fields */
        if (*size > 0)
            memcpy(room, outgoing->content, *size);
        return KESHER_OK;
    }
    size_t capacity = (KS_OUTGOING_PIECE_SIZE - used) / KS_CONTENT_BLOCK_SIZE * KS_CONTENT_BLOCK_SIZE;
    enum ks_result result = ks_content_source_read(&attempt->source, room, capacity, size);
    return result == KS_OK ? KESHER_OK : fail_source(result, attempt->source.error_number, error);
}

static void report_progress(const struct outgoing_attempt *attempt)
{
    const struct kesher_observer *observer = &attempt->session->options.observer;
    if (attempt->outgoing->key != NULL && observer->progress != NULL)
        observer->progress(observer->context, attempt->outgoing->plain_size - attempt->source.plain_left,
                           attempt->outgoing->plain_size);
}

/* Sends all of it, or until the server says something. *early: it did before the end. */
static enum kesher_status send_pieces(struct outgoing_attempt *attempt, bool *early,
                                      struct kesher_error *error)
{
    struct ks_client_session *session = attempt->session;
    struct ks_response_header unread;
    uint64_t left = FIXED_SIZE + (uint64_t)attempt->outgoing->content_size;
    const uint64_t whole = left;
    size_t used = FIXED_SIZE;
    fill_fixed(attempt);
    for (;;) {
        size_t size = 0;
        enum kesher_status status = fill_content(attempt, used, &size, error);
        if (status != KESHER_OK && attempt->begun)
            ks_client_session_disconnect(session); /* the frame cannot be completed any more */
        if (status != KESHER_OK || used + size == 0)
            return status;
        *early = attempt->begun && ks_channel_peek(session->channel, 0, &unread);
        if (*early)
            return KESHER_OK;
        attempt->begun = true;
        left -= used + size;
        status = left > 0 ? ks_channel_send(session->channel, attempt->piece, used + size, error)
                          : ks_channel_send_end(session->channel, attempt->piece, used + size, whole, error);
        if (status != KESHER_OK)
            return status;
        attempt->was_sent = left == 0;
        session->is_alive |= whole - left > BUFFERS_SIZE; /* a large content may take long to be synced */
        report_progress(attempt);
        used = 0;
    }
}

/* What a server means that knows sender and receiver and does not take the message. */
static enum kesher_status fail_refused(const struct outgoing_attempt *attempt, struct kesher_error *error)
{
    char shown[300];
    const struct ks_outgoing *outgoing = attempt->outgoing;
    const struct ks_client_session *session = attempt->session;
    ks_text_escape(outgoing->receiver, strlen(outgoing->receiver), shown, sizeof shown);
    if (outgoing->content_size > USUAL_CONTENT_LIMIT)
        return ks_failure(
            error, KESHER_REFUSED,
            "%s did not take the message: it is larger than this server takes (usually %u MiB); split it",
            session->shown, USUAL_CONTENT_LIMIT / (1024 * 1024));
    if (outgoing->content_size > OLD_CONTENT_LIMIT)
        return ks_failure(
            error, KESHER_REFUSED,
            "%s did not take the message: the inbox of '%s' is full, or the message is perhaps too "
            "long for this server (old ones take %d bytes)",
            session->shown, shown, OLD_CONTENT_LIMIT);
    return ks_failure(error, KESHER_REFUSED,
                      "%s did not take the message: the inbox of '%s' is full; try again when it was read",
                      session->shown, shown);
}

/* What may have become of a text or a file that was sent in full. Servers of the course that read once know
 * only the beginning of what is longer, and most hang then. */
static enum kesher_status add_suspicion(const struct outgoing_attempt *attempt, enum kesher_status status,
                                        struct kesher_error *error)
{
    bool was_lost = status == KESHER_CONNECTION || status == KESHER_TIMEOUT;
    if (!was_lost || !attempt->was_sent || attempt->outgoing->key == NULL)
        return status;
    const struct kesher_error cause = *error;
    if (attempt->outgoing->content_size <= OLD_CONTENT_LIMIT)
        return ks_failure(error, status, "%.500s; the message may have arrived", cause.sentence);
    return ks_failure(error, status,
                      "%.500s; the message may have arrived, or is perhaps too long for this server (old "
                      "ones take %d bytes)",
                      cause.sentence, OLD_CONTENT_LIMIT);
}

static enum kesher_status take_answer(struct outgoing_attempt *attempt, bool early,
                                      struct kesher_error *error)
{
    struct ks_client_session *session = attempt->session;
    struct ks_answer answer;
    struct ks_message_stored_answer stored = {.message_id = 0};
    enum kesher_status status = ks_request_take_answer(session, &answer, error);
    if (status != KESHER_OK)
        return add_suspicion(attempt, status, error);
    if (answer.code == KS_RESPONSE_ERROR)
        return fail_refused(attempt, error);
    if (answer.code != KS_RESPONSE_MESSAGE_STORED)
        return ks_request_fail_answer(session, error);
    if (early)
        return ks_channel_fail_protocol(session->channel, error, "a receipt before it had the message");
    bool has_id = answer.payload_size > 0; /* there are servers that only say that they have it */
    if (has_id &&
        (answer.payload_size > sizeof answer.payload ||
         ks_message_stored_answer_parse(answer.payload, answer.payload_size, &stored) != KS_OK ||
         memcmp(stored.target.bytes, attempt->outgoing->target->bytes, sizeof stored.target.bytes) != 0))
        return ks_channel_fail_protocol(session->channel, error,
                                        "a receipt for another message than it was sent");
    ks_client_session_is_known(session);
    *attempt->receipt = (struct kesher_receipt){.has_id = has_id, .message_id = stored.message_id};
    return KESHER_OK;
}

/* An answer that came before the content was complete says that the server does not have it, whatever it
 * says; and nobody knows where the server takes the next request to begin. */
static enum kesher_status take_early_answer(struct outgoing_attempt *attempt, struct kesher_error *error)
{
    enum kesher_status status = take_answer(attempt, true, error);
    ks_client_session_disconnect(attempt->session);
    return status;
}

static enum kesher_status send_and_take_answer(struct outgoing_attempt *attempt, struct kesher_error *error)
{
    struct ks_response_header unread;
    bool early = false;
    enum kesher_status status = send_pieces(attempt, &early, error);
    bool was_lost = status == KESHER_CONNECTION || status == KESHER_TIMEOUT;
    /* A server that refuses and closes may cut our sending short: its answer is there all the same. */
    if (early || (was_lost && ks_channel_peek(attempt->session->channel, 0, &unread)))
        return take_early_answer(attempt, error);
    return status == KESHER_OK ? take_answer(attempt, false, error) : status;
}

static enum kesher_status perform(struct ks_client_session *session, void *context,
                                  struct kesher_error *error)
{
    struct outgoing_attempt *attempt = context;
    const struct ks_outgoing *outgoing = attempt->outgoing;
    (void)session;
    attempt->begun = false;
    if (outgoing->key == NULL)
        return send_and_take_answer(attempt, error);
    enum ks_result result =
        ks_content_source_open(&attempt->source, outgoing->fd, outgoing->plain_size, outgoing->key);
    enum kesher_status status =
        result == KS_OK ? send_and_take_answer(attempt, error) : fail_source(result, 0, error);
    ks_content_source_close(&attempt->source);
    return status;
}

enum kesher_status ks_outgoing_send(struct ks_client_session *session, const struct ks_outgoing *outgoing,
                                    struct kesher_receipt *receipt, bool *sent, struct kesher_error *error)
{
    struct kesher_receipt unwanted = {.has_id = false};
    uint8_t small[FIXED_SIZE + KS_RSA_ENCRYPTED_SIZE];
    struct outgoing_attempt attempt = {.session = session,
                                       .outgoing = outgoing,
                                       .receipt = receipt != NULL ? receipt : &unwanted,
                                       .piece = outgoing->key != NULL ? outgoing->piece : small};
    const struct ks_request request = {.repeat = KS_REQUEST_ONCE,
                                       .doing = "send the message",
                                       .perform = perform,
                                       .context = &attempt,
                                       .spent = &attempt.was_sent};
    enum kesher_status status = ks_request_run(session, &request, NULL, error);
    ks_secret_wipe(attempt.piece, FIXED_SIZE); /* the client id is a secret */
    if (sent != NULL)
        *sent = attempt.was_sent && status != KESHER_REFUSED;
    return status;
}
