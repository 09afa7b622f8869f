/* send_kesher.c — requests 603 for mode `send` (protocol.md §1.3), found again by 604. */
#include "bench/dialects/send_dialects.h"
#include "bench/traffic/receivers.h"

#include <inttypes.h>
#include <string.h>

static bool prepare(struct ks_senders *senders)
{
    if (senders->lanes.size > UINT32_MAX - KS_SEND_MESSAGE_FIXED_SIZE) {
        ks_run_fail(senders->run, "no message of this protocol is so large");
        return false;
    }
    return ks_load_users_register(senders->run, KS_LOAD_USERS_MESSAGES,
                                  senders->plan.senders + senders->plan.receivers, &senders->users);
}

/* The user who receives what goes into a lane. */
static const struct ks_client_id *target_of(const struct ks_senders *senders, uint32_t lane)
{
    return ks_load_users_id(senders->users, senders->plan.senders + lane % senders->plan.receivers);
}

static size_t head(const struct ks_senders *senders, const struct ks_sent *sent,
                   uint8_t bytes[KS_SEND_HEAD_LIMIT])
{
    const struct ks_request_header header = {.client_id = *ks_load_users_id(senders->users, sent->sender),
                                             .version = KS_VERSION_MESSAGES,
                                             .code = KS_REQUEST_SEND_MESSAGE,
                                             .payload_size =
                                                 KS_SEND_MESSAGE_FIXED_SIZE + senders->lanes.size};
    const struct ks_send_message_payload payload = {.target = *target_of(senders, sent->lane),
                                                    .type = KS_MESSAGE_TEXT,
                                                    .content_size = senders->lanes.size};
    ks_request_header_encode(&header, bytes);
    ks_send_message_payload_encode(&payload, bytes + KS_REQUEST_HEADER_SIZE);
    return KS_REQUEST_HEADER_SIZE + KS_SEND_MESSAGE_FIXED_SIZE;
}

static enum ks_result answer(struct ks_senders *senders, const struct ks_sent *sent, const uint8_t *bytes,
                             size_t size, size_t *taken, uint32_t *id)
{
    struct ks_replies replies = {0};
    struct ks_reply reply;
    struct ks_message_stored_answer stored;
    if (ks_replies_next(&replies, bytes, size, &reply, taken) != KS_OK)
        return KS_MORE;
    if (reply.code == KS_RESPONSE_ERROR) {
        ks_run_fail(senders->run,
                    "the server refused message %" PRIu64 " of sender %" PRIu32
                    " (9000); of kesherd, see --waiting-messages, --waiting-bytes, --message-limit and "
                    "--free-space",
                    sent->ordinal, sent->sender);
        return KS_REFUSED;
    }
    if (reply.code != KS_RESPONSE_MESSAGE_STORED ||
        ks_message_stored_answer_parse(reply.bytes, reply.size, &stored) != KS_OK) {
        ks_run_fail(senders->run,
                    "message %" PRIu64 " of sender %" PRIu32 " was answered with %u and %" PRIu32
                    " bytes, and not with 2103",
                    sent->ordinal, sent->sender, reply.code, reply.payload_size);
        return KS_INVALID;
    }
    if (stored.message_id == 0 ||
        memcmp(&stored.target, target_of(senders, sent->lane), sizeof stored.target) != 0) {
        ks_run_fail(senders->run, "the answer to message %" PRIu64 " of sender %" PRIu32 " %s", sent->ordinal,
                    sent->sender, stored.message_id == 0 ? "has the id 0" : "names another receiver");
        return KS_INVALID;
    }
    *id = stored.message_id;
    return KS_OK;
}

static bool verify(struct ks_senders *senders)
{
    struct ks_receivers_result result = {0};
    return ks_receivers_take_all(senders, false, &result);
}

const struct ks_send_dialect ks_send_kesher = {
    .protocol = "kesher",
    .verified = "each message once, in order, by content, sender and id",
    .prepare = prepare,
    .head = head,
    .tail = "",
    .answer = answer,
    .verify = verify,
};
