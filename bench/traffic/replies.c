/* replies.c — see replies.h. */
#include "bench/traffic/replies.h"

#include <string.h>

enum ks_result ks_replies_next(struct ks_replies *replies, const uint8_t *bytes, size_t size,
                               struct ks_reply *reply, size_t *taken)
{
    size_t start = 0;
    if (!replies->inside) {
        if (ks_response_header_parse(bytes, size, &replies->header) != KS_OK)
            return KS_MORE;
        start = KS_RESPONSE_HEADER_SIZE;
        size_t least = replies->header.payload_size;
        if (least > KS_REPLIES_WHOLE_LIMIT)
            least = 1;
        if (size - start < least)
            return KS_MORE;
        replies->inside = true;
        replies->offset = 0;
    }
    size_t piece = replies->header.payload_size - replies->offset;
    if (piece > size - start)
        piece = size - start;
    if (piece == 0 && start == 0)
        return KS_MORE;
    *reply = (struct ks_reply){.version = replies->header.version,
                               .code = replies->header.code,
                               .payload_size = replies->header.payload_size,
                               .offset = replies->offset,
                               .bytes = bytes + start,
                               .size = (uint32_t)piece};
    replies->offset += (uint32_t)piece;
    replies->inside = replies->offset < replies->header.payload_size;
    *taken = start + piece;
    return KS_OK;
}

/* Reads a message's fixed part, in place where it is whole. Returns how many bytes it took. */
static size_t take_head(struct ks_message_stream *stream, const uint8_t *bytes, size_t size)
{
    const uint8_t *head = bytes;
    size_t taken = sizeof stream->head;
    if (stream->head_size > 0 || size < sizeof stream->head) {
        size_t wanted = sizeof stream->head - stream->head_size;
        taken = size < wanted ? size : wanted;
        memcpy(stream->head + stream->head_size, bytes, taken);
        stream->head_size = (uint8_t)(stream->head_size + taken);
        if (stream->head_size < sizeof stream->head)
            return taken;
        head = stream->head;
    }
    stream->inside = ks_waiting_message_parse(head, sizeof stream->head, &stream->message) == KS_OK;
    stream->head_size = 0;
    stream->offset = 0;
    return taken;
}

enum ks_result ks_message_stream_next(struct ks_message_stream *stream, const uint8_t *bytes, size_t size,
                                      struct ks_message_part *part, size_t *taken)
{
    size_t start = stream->inside || size == 0 ? 0 : take_head(stream, bytes, size);
    *taken = size;
    if (!stream->inside)
        return KS_MORE;
    size_t piece = stream->message.content_size - stream->offset;
    bool is_empty = piece == 0;
    if (piece > size - start)
        piece = size - start;
    if (piece == 0 && !is_empty)
        return KS_MORE;
    *part = (struct ks_message_part){.message = &stream->message,
                                     .bytes = bytes + start,
                                     .offset = stream->offset,
                                     .size = (uint32_t)piece,
                                     .last = stream->offset + piece == stream->message.content_size};
    stream->offset += (uint32_t)piece;
    stream->inside = !part->last;
    *taken = start + piece;
    return KS_OK;
}
