/* answer.h — one request of the binary port out, one answer of known, small size in. One thread at a time. */
#ifndef KS_CLIENT_ANSWER_H
#define KS_CLIENT_ANSWER_H

#include "client/channel.h"
#include "wire/drop.h"

enum { KS_SMALL_REQUEST_LIMIT = 1024 };

/* The payload is there when payload_size <= sizeof payload; a longer one was dropped. */
struct ks_answer {
    uint16_t code;
    uint32_t payload_size;
    uint8_t payload[KS_FILE_ANSWER_SIZE];
};

/* Sends a small request, header and payload together at most KS_SMALL_REQUEST_LIMIT bytes, in one piece.
 * Errors as ks_channel_send. */
enum kesher_status ks_answer_request(struct ks_channel *channel, const struct ks_request_header *header,
                                     const uint8_t *payload, struct kesher_error *error);

/* Takes the next answer. A payload over KS_SKIP_LIMIT is KESHER_PROTOCOL, and the channel is broken; other
 * errors as ks_channel_receive_header. */
enum kesher_status ks_answer_receive(struct ks_channel *channel, struct ks_answer *answer,
                                     struct kesher_error *error);

#endif
