/* outgoing.c — see outgoing.h, and kesher_messenger_send. */
#include "client/outgoing.h"

#include "base/text.h"
#include "client/conversation.h"
#include "client/exchange.h"
#include "client/failure.h"
#include "crypto/secret.h"
#include "wire/drop.h"
#include "wire/messages.h"

#include <string.h>

enum {
    FIXED_SIZE = KS_REQUEST_HEADER_SIZE + KS_SEND_MESSAGE_FIXED_SIZE,
    SEND_ATTEMPTS = 2, /* the second with an id from a new list */
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

/* Header and fixed fields into the messenger's piece. */
static void fill_fixed(struct kesher_messenger *messenger, const struct ks_outgoing *outgoing)
{
    const struct ks_send_message_payload fixed = {
        .target = *outgoing->target, .type = outgoing->type, .content_size = outgoing->content_size};
    struct ks_request_header header = ks_session_header(&messenger->session, KS_REQUEST_SEND_MESSAGE,
                                                        KS_SEND_MESSAGE_FIXED_SIZE + outgoing->content_size);
    ks_request_header_encode(&header, messenger->piece);
    ks_send_message_payload_encode(&fixed, messenger->piece + KS_REQUEST_HEADER_SIZE);
    ks_secret_wipe(&header, sizeof header);
}

/* The next part of the content behind the first `used` bytes of the piece. */
static enum kesher_status fill_content(struct kesher_messenger *messenger, const struct ks_outgoing *outgoing,
                                       size_t used, size_t *size, struct kesher_error *error)
{
    uint8_t *room = messenger->piece + used;
    if (outgoing->source == NULL) {
        *size = used > 0 ? outgoing->content_size : 0; /* small, and all of it goes with the fixed fields */
        if (*size > 0)
            memcpy(room, outgoing->content, *size);
        return KESHER_OK;
    }
    size_t capacity = (sizeof messenger->piece - used) / KS_CONTENT_BLOCK_SIZE * KS_CONTENT_BLOCK_SIZE;
    enum ks_result result = ks_content_source_read(outgoing->source, room, capacity, size);
    return result == KS_OK ? KESHER_OK : fail_source(result, outgoing->source->error_number, error);
}

static void report_progress(const struct ks_session *session, const struct ks_outgoing *outgoing)
{
    if (outgoing->source != NULL && session->options.observer.progress != NULL)
        session->options.observer.progress(session->options.observer.context,
                                           outgoing->plain_size - outgoing->source->plain_left,
                                           outgoing->plain_size);
}

/* Sends all of it, or until the server says something. *early: it did before the end. */
static enum kesher_status send_pieces(struct kesher_messenger *messenger, const struct ks_outgoing *outgoing,
                                      bool *sent, bool *early, struct kesher_error *error)
{
    struct ks_session *session = &messenger->session;
    struct ks_response_header unread;
    uint64_t left = FIXED_SIZE + (uint64_t)outgoing->content_size;
    const uint64_t whole = left;
    size_t used = FIXED_SIZE;
    fill_fixed(messenger, outgoing);
    for (;;) {
        size_t size = 0;
        enum kesher_status status = fill_content(messenger, outgoing, used, &size, error);
        if (status != KESHER_OK && *sent)
            ks_session_disconnect(session); /* the frame cannot be completed any more */
        if (status != KESHER_OK || used + size == 0)
            return status;
        *early = *sent && ks_channel_peek(session->channel, 0, &unread);
        if (*early)
            return KESHER_OK;
        *sent = true;
        left -= used + size;
        status = left > 0
                     ? ks_channel_send(session->channel, messenger->piece, used + size, error)
                     : ks_channel_send_end(session->channel, messenger->piece, used + size, whole, error);
        if (status != KESHER_OK)
            return status;
        report_progress(session, outgoing);
        used = 0;
    }
}

static enum kesher_status take_answer(struct ks_session *session, const struct ks_outgoing *outgoing,
                                      uint32_t *message_id, struct kesher_error *error)
{
    struct ks_answer answer;
    struct ks_message_stored_answer stored;
    enum kesher_status status = ks_answer_receive(session->channel, &answer, error);
    if (status == KESHER_OK)
        status =
            ks_exchange_judge(session, answer.code, KS_RESPONSE_MESSAGE_STORED, "send the message", error);
    if (status != KESHER_OK)
        return status;
    if (answer.payload_size > sizeof answer.payload ||
        ks_message_stored_answer_parse(answer.payload, answer.payload_size, &stored) != KS_OK ||
        memcmp(stored.target.bytes, outgoing->target->bytes, sizeof stored.target.bytes) != 0)
        return ks_channel_fail_protocol(session->channel, error,
                                        "a receipt for another message than it was sent");
    if (message_id != NULL)
        *message_id = stored.message_id;
    return KESHER_OK;
}

struct sending {
    struct kesher_messenger *messenger;
    const struct ks_outgoing *outgoing;
    uint32_t *message_id;
    bool sent;
    enum kesher_status outcome;
};

/* An answer that came before the content was complete cannot be a receipt. */
static enum kesher_status take_early_answer(struct sending *sending, struct kesher_error *error)
{
    struct ks_session *session = &sending->messenger->session;
    enum kesher_status status = take_answer(session, sending->outgoing, NULL, error);
    if (status == KESHER_OK)
        status = ks_channel_fail_protocol(session->channel, error, "a receipt before it had the message");
    sending->sent = false;
    ks_session_disconnect(session);
    return status;
}

static enum kesher_status send_once(struct ks_session *session, struct sending *sending,
                                    struct kesher_error *error)
{
    struct ks_response_header unread;
    bool early = false;
    enum kesher_status status =
        send_pieces(sending->messenger, sending->outgoing, &sending->sent, &early, error);
    /* A server that refuses and closes may cut our sending short: its answer is there all the same. */
    if (early || (ks_session_was_lost(status) && ks_channel_peek(session->channel, 0, &unread)))
        return take_early_answer(sending, error);
    if (status != KESHER_OK)
        return status;
    status = take_answer(session, sending->outgoing, sending->message_id, error);
    if (status == KESHER_REFUSED)
        sending->sent = false;
    return status;
}

/* Keeps ks_exchange_repeat from repeating what was sent. */
static enum kesher_status send_once_only(struct ks_session *session, void *context,
                                         struct kesher_error *error)
{
    struct sending *sending = context;
    sending->outcome = send_once(session, sending, error);
    if (sending->outcome == KESHER_PROTOCOL || ks_session_was_lost(sending->outcome))
        ks_session_disconnect(session);
    return KESHER_OK;
}

enum kesher_status ks_outgoing_send(struct kesher_messenger *messenger, const struct ks_outgoing *outgoing,
                                    uint32_t *message_id, bool *sent, struct kesher_error *error)
{
    struct sending sending = {
        .messenger = messenger, .outgoing = outgoing, .message_id = message_id, .outcome = KESHER_OK};
    enum kesher_status status = ks_exchange_repeat(&messenger->session, send_once_only, &sending, error);
    ks_secret_wipe(messenger->piece, FIXED_SIZE); /* the client id is a secret */
    if (sent != NULL)
        *sent = sending.sent;
    return status == KESHER_OK ? sending.outcome : status;
}

/* ---- texts and files ---- */

struct text_or_file {
    uint8_t type;
    int fd;
    uint64_t size;
    bool make_key;
    uint32_t *message_id;
};

static enum kesher_status send_content(struct kesher_messenger *messenger, const struct ks_contact *contact,
                                       const struct text_or_file *content, struct kesher_error *error)
{
    struct ks_content_source source = {0};
    enum ks_result result =
        ks_content_source_open(&source, content->fd, content->size, contact->ring.sending.bytes);
    if (result != KS_OK)
        return fail_source(result, 0, error);
    const struct ks_outgoing outgoing = {
        .target = &contact->id,
        .type = content->type,
        .content_size = (uint32_t)ks_content_size_of_file(content->size),
        .source = &source,
        .plain_size = content->size,
    };
    enum kesher_status status = ks_outgoing_send(messenger, &outgoing, content->message_id, NULL, error);
    ks_content_source_close(&source);
    return status;
}

static enum kesher_status fail_without_key(const struct ks_contact *contact, struct kesher_error *error)
{
    char shown[300];
    return ks_failure(error, KESHER_NO_KEY, "there is no symmetric key with '%s'; share one, or ask for one",
                      ks_text_escape(contact->name, strlen(contact->name), shown, sizeof shown));
}

/* A key that the other side has, and the message. */
static enum kesher_status send_to_peer(struct kesher_messenger *messenger, struct ks_peer *peer,
                                       const struct text_or_file *content, struct kesher_error *error)
{
    if (!peer->contact.ring.has_sending && !content->make_key)
        return fail_without_key(&peer->contact, error);
    enum kesher_status status = ks_conversation_prepare(messenger, peer, error);
    return status == KESHER_OK ? send_content(messenger, &peer->contact, content, error) : status;
}

static enum kesher_status check(enum kesher_message_type type, uint64_t size, struct kesher_error *error)
{
    if (type != KESHER_MESSAGE_TEXT && type != KESHER_MESSAGE_FILE)
        return ks_failure(error, KESHER_INVALID, "only texts and files can be sent this way");
    if (size > KS_OUTGOING_PLAIN_LIMIT)
        return ks_failure(error, KESHER_FILE,
                          "a message of %llu bytes is too long, the protocol carries at most %llu; split it",
                          (unsigned long long)size, (unsigned long long)KS_OUTGOING_PLAIN_LIMIT);
    return KESHER_OK;
}

enum kesher_status kesher_messenger_send(struct kesher_messenger *messenger, const char *user,
                                         enum kesher_message_type type, int fd, uint64_t size, bool make_key,
                                         uint32_t *message_id, struct kesher_error *error)
{
    const struct text_or_file content = {
        .type = (uint8_t)type, .fd = fd, .size = size, .make_key = make_key, .message_id = message_id};
    struct ks_peer peer;
    enum kesher_status status = check(type, size, error);
    if (status != KESHER_OK)
        return status;
    status = ks_peer_find(messenger, user, &peer, error);
    for (int attempt = 0; status == KESHER_OK && attempt < SEND_ATTEMPTS; attempt++) {
        status = send_to_peer(messenger, &peer, &content, error);
        if (status != KESHER_REFUSED)
            break;
        status = ks_peer_refresh(messenger, &peer, error);
    }
    ks_peer_wipe(&peer);
    return status;
}
