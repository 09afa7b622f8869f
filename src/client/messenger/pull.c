/* pull.c — kesher_messenger_pull: 604, and what comes of it goes to the disk. */
#include "client/failure.h"
#include "client/inbound/arrival.h"
#include "client/messenger/messenger_internal.h"
#include "client/people/user_list.h"
#include "client/transport/request.h"

struct pull {
    struct kesher_messenger *messenger;
    struct ks_arrival arrival;
    uint32_t size;
    bool begun; /* an answer has */
};

/* All but the last byte. */
static enum kesher_status receive_beginning(struct pull *pull, struct kesher_error *error)
{
    struct kesher_messenger *messenger = pull->messenger;
    uint32_t left = pull->size - 1;
    enum kesher_status status = ks_arrival_expect(&pull->arrival, pull->size, error);
    while (left > 0 && status == KESHER_OK) {
        size_t size = left < sizeof messenger->piece ? left : sizeof messenger->piece;
        status = ks_channel_receive(messenger->session.channel, messenger->piece, size, error);
        if (status == KESHER_OK)
            status = ks_arrival_write(&pull->arrival, messenger->piece, size, error);
        left -= (uint32_t)size;
    }
    return status;
}

/* The last byte stays in the socket until all of the answer is safe on the disk: if this program dies or
 * fails before, the server is told by a reset, and sends it again. */
static enum kesher_status receive_payload(struct pull *pull, struct kesher_error *error)
{
    struct ks_client_session *session = &pull->messenger->session;
    uint8_t last = 0;
    if (pull->size == 0)
        return KESHER_OK;
    enum kesher_status status = receive_beginning(pull, error);
    if (status == KESHER_OK)
        status = ks_channel_look(session->channel, &last, error);
    if (status == KESHER_OK)
        status = ks_arrival_write(&pull->arrival, &last, sizeof last, error);
    if (status == KESHER_OK)
        status = ks_arrival_finish(&pull->arrival, error);
    /* What is lost now came all the same. */
    if (status == KESHER_OK && ks_channel_receive(session->channel, &last, sizeof last, NULL) != KESHER_OK)
        ks_client_session_disconnect(session);
    return status;
}

/* An answer that broke off is not asked for again here: its messages are the lost connection's, until the
 * server has noticed. */
static enum kesher_status ask(struct ks_client_session *session, struct pull *pull,
                              struct kesher_error *error)
{
    enum kesher_status status = ks_request_begin(session, KS_REQUEST_WAITING_MESSAGES,
                                                 KS_RESPONSE_WAITING_MESSAGES, &pull->size, error);
    if (status != KESHER_OK)
        return status;
    pull->begun = true;
    status = receive_payload(pull, error);
    if (status == KESHER_INVALID)
        status = ks_channel_fail_protocol(session->channel, error,
                                          "messages whose sizes do not add up to their answer's");
    if (status != KESHER_OK)
        ks_client_session_disconnect(session);
    return status;
}

static enum kesher_status pull_once(struct ks_client_session *session, void *context,
                                    struct kesher_error *error)
{
    ks_channel_take_exactly(session->channel, true);
    enum kesher_status status = ask(session, context, error);
    if (session->channel != NULL)
        ks_channel_take_exactly(session->channel, false);
    return status;
}

enum kesher_status kesher_messenger_pull(struct kesher_messenger *messenger, bool *more,
                                         struct kesher_error *error)
{
    struct pull pull = {.messenger = messenger};
    const struct ks_request request = {
        .repeat = KS_REQUEST_UNTIL_ANSWERED, .perform = pull_once, .context = &pull, .spent = &pull.begun};
    enum kesher_status status = ks_client_session_is_classic(&messenger->session, "messages", error);
    if (status == KESHER_OK)
        status =
            ks_arrival_begin(&pull.arrival, &messenger->inbox, messenger->session.options.progress_ms, error);
    if (status != KESHER_OK)
        return status;
    status = ks_request_run(&messenger->session, &request, NULL, error);
    ks_arrival_end(&pull.arrival);
    if (status == KESHER_REFUSED)
        return ks_user_list_explain_refusal(&messenger->session, error);
    if (status != KESHER_OK)
        return status;
    if (messenger->offline)
        messenger->retrial.begun = false; /* what only it could tell can be asked for again */
    messenger->offline = false;
    messenger->has_distrusted = false;
    if (pull.size > 0)
        ks_sender_names_reset(&messenger->senders);
    bool only_repeats = pull.size > 0 && !pull.arrival.brings_new;
    /* Behind one such answer there may be new ones; behind two there is a server that deletes nothing. */
    if (more != NULL)
        *more = pull.size > 0 && !(only_repeats && messenger->had_only_repeats);
    messenger->had_only_repeats = only_repeats;
    return KESHER_OK;
}
