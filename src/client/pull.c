/* pull.c — kesher_messenger_pull: 604, and what comes of it goes to the disk. */
#include "client/arrival.h"
#include "client/exchange.h"
#include "client/failure.h"
#include "client/messenger.h"

struct pull {
    struct kesher_messenger *messenger;
    struct ks_arrival arrival;
    uint32_t size;
    enum kesher_status outcome; /* once an answer has begun */
};

static enum kesher_status receive_payload(struct pull *pull, struct kesher_error *error)
{
    struct kesher_messenger *messenger = pull->messenger;
    uint32_t left = pull->size;
    enum kesher_status status = left > 0 ? ks_arrival_reserve(&pull->arrival, left, error) : KESHER_OK;
    while (left > 0 && status == KESHER_OK) {
        size_t size = left < sizeof messenger->piece ? left : sizeof messenger->piece;
        status = ks_channel_receive(messenger->session.channel, messenger->piece, size, error);
        if (status == KESHER_OK)
            status = ks_arrival_write(&pull->arrival, messenger->piece, size, error);
        left -= (uint32_t)size;
    }
    if (status == KESHER_OK && pull->size > 0)
        status = ks_arrival_finish(&pull->arrival, error);
    return status;
}

/* An answer that broke off is not asked for again here: its messages are the lost connection's, until the
 * server has noticed. */
static enum kesher_status pull_once(struct ks_session *session, void *context, struct kesher_error *error)
{
    struct pull *pull = context;
    enum kesher_status status =
        ks_exchange_begin(session, KS_REQUEST_WAITING_MESSAGES, KS_RESPONSE_WAITING_MESSAGES,
                          "get the waiting messages", &pull->size, error);
    if (status != KESHER_OK)
        return status;
    pull->outcome = receive_payload(pull, error);
    if (pull->outcome == KESHER_INVALID)
        pull->outcome = ks_channel_fail_protocol(session->channel, error,
                                                 "messages whose sizes do not add up to their answer's");
    if (pull->outcome != KESHER_OK)
        ks_session_disconnect(session);
    return KESHER_OK;
}

enum kesher_status kesher_messenger_pull(struct kesher_messenger *messenger, bool *more,
                                         struct kesher_error *error)
{
    struct pull pull = {.messenger = messenger, .outcome = KESHER_OK};
    enum kesher_status status =
        ks_arrival_begin(&pull.arrival, &messenger->inbox, messenger->session.options.progress_ms, error);
    if (status != KESHER_OK)
        return status;
    status = ks_exchange_repeat(&messenger->session, pull_once, &pull, error);
    ks_arrival_end(&pull.arrival);
    if (status == KESHER_OK)
        status = pull.outcome;
    if (status != KESHER_OK)
        return status;
    messenger->offline = false;
    messenger->has_distrusted = false;
    if (pull.size > 0)
        ks_senders_reset(&messenger->senders);
    bool only_repeats = pull.size > 0 && !pull.arrival.brings_new;
    /* Behind one such answer there may be new ones; behind two there is a server that deletes nothing. */
    if (more != NULL)
        *more = pull.size > 0 && !(only_repeats && messenger->had_only_repeats);
    messenger->had_only_repeats = only_repeats;
    return KESHER_OK;
}
