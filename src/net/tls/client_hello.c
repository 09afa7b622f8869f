/* client_hello.c — see client_hello.h. */
#include "net/tls/client_hello.h"

enum {
    RECORD_HEADER_SIZE = 5, /* type, version, length */
    RECORD_HANDSHAKE = 22,
    RECORD_LIMIT = 16 * 1024,
    RECORD_MAJOR = 3,
    MESSAGE_HEADER_SIZE = 4, /* type, length of three bytes */
    MESSAGE_CLIENT_HELLO = 1,
};

/* The message as its records bring it. */
struct hello_message {
    size_t size;   /* bytes of it that have come */
    size_t length; /* that it says it has, its header included; 0: unknown */
};

/* The record's header, as far as it has come. */
static enum ks_result judge_record(const uint8_t *header, size_t size)
{
    if (header[0] != RECORD_HANDSHAKE || (size > 1 && header[1] != RECORD_MAJOR))
        return KS_INVALID;
    if (size < RECORD_HEADER_SIZE)
        return KS_MORE;
    size_t length = (size_t)header[3] << 8 | header[4];
    return length == 0 || length > RECORD_LIMIT ? KS_INVALID : KS_OK;
}

/* Adds what a record has of the message. KS_OK, or KS_INVALID for another message. */
static enum ks_result add_fragment(struct hello_message *message, const uint8_t *fragment, size_t size)
{
    for (size_t i = 0; i < size && message->size + i < MESSAGE_HEADER_SIZE; i++) {
        if (message->size + i == 0 && fragment[i] != MESSAGE_CLIENT_HELLO)
            return KS_INVALID;
        if (message->size + i > 0)
            message->length = message->length << 8 | fragment[i];
        if (message->size + i == MESSAGE_HEADER_SIZE - 1)
            message->length += MESSAGE_HEADER_SIZE;
    }
    message->size += size;
    return KS_OK;
}

enum ks_result ks_client_hello_scan(const uint8_t *bytes, size_t size, size_t limit)
{
    struct hello_message message = {.size = 0};
    size_t offset = 0;
    while (offset < size) {
        enum ks_result result = judge_record(bytes + offset, size - offset);
        if (result == KS_MORE)
            break;
        if (result != KS_OK)
            return result;
        size_t length = (size_t)bytes[offset + 3] << 8 | bytes[offset + 4];
        offset += RECORD_HEADER_SIZE;
        size_t here = size - offset < length ? size - offset : length;
        if (add_fragment(&message, bytes + offset, here) != KS_OK)
            return KS_INVALID;
        if (message.size >= MESSAGE_HEADER_SIZE && message.length > limit)
            return KS_TOO_LARGE;
        if (here == length && message.size >= MESSAGE_HEADER_SIZE && message.size >= message.length)
            return offset + here > limit ? KS_TOO_LARGE : KS_OK;
        offset += here;
    }
    return size >= limit ? KS_TOO_LARGE : KS_MORE;
}
