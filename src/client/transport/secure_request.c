/* secure_request.c — see secure_request.h. */
#include "client/transport/secure_request.h"

#include "client/failure.h"
#include "client/transport/refusal.h"
#include "crypto/secret.h"

#include <string.h>

/* Of a refusal: more than any server of ours sends. */
enum { REFUSAL_LIMIT = 1024 };

enum kesher_status ks_secure_request_send(struct ks_channel *channel, const struct ks_secure_request *request,
                                          struct kesher_error *error)
{
    uint8_t bytes[KS_REQUEST_HEADER_SIZE + KS_SECURE_PAYLOAD_LIMIT];
    if (request->payload_size > KS_SECURE_PAYLOAD_LIMIT)
        return ks_failure(error, KESHER_INVALID, "a request of %zu bytes is no small request",
                          request->payload_size);
    const struct ks_request_header header = {.version = KS_VERSION_SECURE,
                                             .code = (uint16_t)request->code,
                                             .payload_size = (uint32_t)request->payload_size};
    ks_request_header_encode(&header, bytes);
    if (request->payload_size > 0)
        memcpy(bytes + KS_REQUEST_HEADER_SIZE, request->payload, request->payload_size);
    size_t size = KS_REQUEST_HEADER_SIZE + request->payload_size;
    enum kesher_status status = ks_channel_send(channel, bytes, size, error);
    ks_secret_wipe(bytes, sizeof bytes); /* an invitation, a classic id */
    return status;
}

enum kesher_status ks_secure_request_refused(struct ks_channel *channel, struct ks_secure_request *request,
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
    request->reason = refusal.reason;
    const struct ks_refused refused = {
        .doing = request->doing, .server = request->shown, .name = request->name};
    return ks_refusal_tell(&refusal, &refused, error);
}

enum kesher_status ks_secure_request_begin_answer(struct ks_channel *channel,
                                                  struct ks_secure_request *request,
                                                  const struct ks_response_header *header,
                                                  struct kesher_error *error)
{
    request->reason = 0;
    request->answer_size = header->payload_size;
    if (header->code == KS_RESPONSE_REFUSED)
        return ks_secure_request_refused(channel, request, header->payload_size, error);
    if (header->code != request->expected)
        return ks_channel_fail_protocol(channel, error, "an answer that nobody asked for");
    return KESHER_OK;
}

enum kesher_status ks_secure_request_run(struct ks_channel *channel, struct ks_secure_request *request,
                                         struct kesher_error *error)
{
    struct ks_response_header header;
    enum kesher_status status = ks_secure_request_send(channel, request, error);
    if (status == KESHER_OK)
        status = ks_channel_receive_header(channel, &header, error);
    if (status == KESHER_OK)
        status = ks_secure_request_begin_answer(channel, request, &header, error);
    if (status != KESHER_OK)
        return status;
    if (request->answer_size > request->capacity)
        return ks_channel_fail_protocol(channel, error, "an answer that is too long to be one");
    return ks_channel_receive(channel, request->answer, request->answer_size, error);
}
