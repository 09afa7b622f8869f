/* exchange.c — see exchange.h. */
#include "client/transport/exchange.h"

#include "client/failure.h"
#include "client/transport/refusal.h"
#include "crypto/secret.h"

#include <string.h>

/* Of a refusal: more than any server of ours sends. */
enum { REFUSAL_LIMIT = 1024 };

enum kesher_status ks_exchange_send(struct ks_channel *channel, const struct ks_exchange *exchange,
                                    struct kesher_error *error)
{
    uint8_t bytes[KS_REQUEST_HEADER_SIZE + KS_SECURE_PAYLOAD_LIMIT];
    if (exchange->payload_size > KS_SECURE_PAYLOAD_LIMIT)
        return ks_failure(error, KESHER_INVALID, "a request of %zu bytes is no small request",
                          exchange->payload_size);
    const struct ks_request_header header = {.version = KS_VERSION_SECURE,
                                             .code = (uint16_t)exchange->code,
                                             .payload_size = (uint32_t)exchange->payload_size};
    ks_request_header_encode(&header, bytes);
    if (exchange->payload_size > 0)
        memcpy(bytes + KS_REQUEST_HEADER_SIZE, exchange->payload, exchange->payload_size);
    size_t size = KS_REQUEST_HEADER_SIZE + exchange->payload_size;
    enum kesher_status status = ks_channel_send(channel, bytes, size, error);
    ks_secret_wipe(bytes, sizeof bytes); /* an invitation, a classic id */
    return status;
}

enum kesher_status ks_exchange_refused(struct ks_channel *channel, struct ks_exchange *exchange,
                                       uint32_t payload_size, struct kesher_error *error)
{
    uint8_t bytes[REFUSAL_LIMIT];
    struct ks_refusal refusal;
    if (payload_size > sizeof bytes)
        return ks_channel_fail_protocol(channel, error, "a refusal that has no end");
    enum kesher_status status = ks_channel_receive(channel, bytes, payload_size, error);
    if (status != KESHER_OK)
        return status;
    if (ks_refusal_parse(bytes, payload_size, &refusal) != KS_OK)
        return ks_channel_fail_protocol(channel, error, "a refusal that makes no sense");
    exchange->reason = refusal.reason;
    const struct ks_refused refused = {
        .doing = exchange->doing, .server = exchange->shown, .name = exchange->name};
    return ks_refusal_tell(&refusal, &refused, error);
}

enum kesher_status ks_exchange_begin_answer(struct ks_channel *channel, struct ks_exchange *exchange,
                                            const struct ks_response_header *header,
                                            struct kesher_error *error)
{
    exchange->reason = 0;
    exchange->answer_size = header->payload_size;
    if (header->code == KS_RESPONSE_REFUSED)
        return ks_exchange_refused(channel, exchange, header->payload_size, error);
    if (header->code != exchange->expected)
        return ks_channel_fail_protocol(channel, error, "an answer that nobody asked for");
    return KESHER_OK;
}

enum kesher_status ks_exchange_run(struct ks_channel *channel, struct ks_exchange *exchange,
                                   struct kesher_error *error)
{
    struct ks_response_header header;
    enum kesher_status status = ks_exchange_send(channel, exchange, error);
    if (status == KESHER_OK)
        status = ks_channel_receive_header(channel, &header, error);
    if (status == KESHER_OK)
        status = ks_exchange_begin_answer(channel, exchange, &header, error);
    if (status != KESHER_OK)
        return status;
    if (exchange->answer_size > exchange->capacity)
        return ks_channel_fail_protocol(channel, error, "an answer that is too long to be one");
    return ks_channel_receive(channel, exchange->answer, exchange->answer_size, error);
}
