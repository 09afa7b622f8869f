/* replies.h — the answers of the binary port as a client under load reads them: small ones whole, long ones
 * (lists of users, waiting messages) in pieces as they come, so that none is ever held. Pure functions on
 * bytes; a reader has one owner.
 */
#ifndef KS_BENCH_TRAFFIC_REPLIES_H
#define KS_BENCH_TRAFFIC_REPLIES_H

#include "wire/frame.h"
#include "wire/messages_codec.h"

#include <stdbool.h>

/* An answer whose payload is not larger comes whole: every one of fixed size does. */
enum { KS_REPLIES_WHOLE_LIMIT = 512 };

/* Where the answers of one connection are. Begins as zeros; private. */
struct ks_replies {
    struct ks_response_header header;
    uint32_t offset; /* of the payload's next byte */
    bool inside;     /* a payload */
};

/* An answer, or a piece of it. */
struct ks_reply {
    uint8_t version;
    uint16_t code;
    uint32_t payload_size; /* of the whole answer */
    uint32_t offset;       /* in the payload, of `bytes` */
    const uint8_t *bytes;  /* point into what was read */
    uint32_t size;         /* of `bytes`: 0 only where the payload is empty */
};

static inline bool ks_reply_is_last(const struct ks_reply *reply)
{
    return reply->offset + reply->size == reply->payload_size;
}

/* The next answer, or piece, at the beginning of `bytes`: KS_OK with *reply, and how many bytes that was in
 * *taken; KS_MORE when more has to come first, and nothing is taken. */
enum ks_result ks_replies_next(struct ks_replies *replies, const uint8_t *bytes, size_t size,
                               struct ks_reply *reply, size_t *taken);

/* The messages in the payload of a 2104, which comes in pieces. Begins as zeros; private. */
struct ks_message_stream {
    struct ks_waiting_message message; /* whose content is coming */
    uint32_t offset;                   /* of the content's next byte */
    bool inside;                       /* a message */
    uint8_t head_size;                 /* bytes of `head` that have come */
    uint8_t head[KS_WAITING_MESSAGE_FIXED_SIZE];
};

/* Some of a message's content; all of it when offset is 0 and `last` is set. */
struct ks_message_part {
    const struct ks_waiting_message *message; /* until the next call */
    const uint8_t *bytes;
    uint32_t offset; /* in the content */
    uint32_t size;   /* 0 only where the content is empty */
    bool last;
};

/* The next part at the beginning of `bytes`: KS_OK with *part and *taken, or KS_MORE: everything is taken. */
enum ks_result ks_message_stream_next(struct ks_message_stream *stream, const uint8_t *bytes, size_t size,
                                      struct ks_message_part *part, size_t *taken);

/* Whether it stands between two messages, as it must at the end of a payload. */
static inline bool ks_message_stream_is_between(const struct ks_message_stream *stream)
{
    return !stream->inside && stream->head_size == 0;
}

#endif
