/* answer.c — see answer.h. */
#include "client/answer.h"

#include "client/failure.h"
#include "crypto/secret.h"

#include <string.h>

enum kesher_status ks_answer_request(struct ks_channel *channel, const struct ks_request_header *header,
                                     const uint8_t *payload, struct kesher_error *error)
{
    uint8_t bytes[KS_SMALL_REQUEST_LIMIT];
    if (header->payload_size > sizeof bytes - KS_REQUEST_HEADER_SIZE)
        return ks_failure(error, KESHER_INVALID, "a request of %u bytes is no small request",
                          (unsigned)header->payload_size);
    ks_request_header_encode(header, bytes);
    if (header->payload_size > 0)
        memcpy(bytes + KS_REQUEST_HEADER_SIZE, payload, header->payload_size);
    size_t size = KS_REQUEST_HEADER_SIZE + (size_t)header->payload_size;
    enum kesher_status status = ks_channel_send_end(channel, bytes, size, size, error);
    ks_secret_wipe(bytes, sizeof bytes); /* the client id is a secret */
    return status;
}

enum kesher_status ks_answer_receive(struct ks_channel *channel, struct ks_answer *answer,
                                     struct kesher_error *error)
{
    struct ks_response_header header;
    enum kesher_status status = ks_channel_receive_header(channel, &header, error);
    if (status != KESHER_OK)
        return status;
    answer->code = header.code;
    answer->payload_size = header.payload_size;
    if (header.payload_size <= sizeof answer->payload)
        return ks_channel_receive(channel, answer->payload, header.payload_size, error);
    if (header.payload_size > KS_SKIP_LIMIT)
        return ks_channel_fail_protocol(channel, error, "an answer that is far too long");
    return ks_channel_skip(channel, header.payload_size, error);
}
