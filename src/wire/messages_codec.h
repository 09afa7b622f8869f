/* messages_codec.h — payloads of the message service, 601–604 with their answers (protocol.md §1.3); 600 is
 * in drop_codec.h. Pure functions on bytes: no I/O, no allocation; any thread.
 *
 * Lists of users and of waiting messages are longer than anyone wants to hold: their entries are coded one at
 * a time.
 */
#ifndef KS_WIRE_MESSAGES_CODEC_H
#define KS_WIRE_MESSAGES_CODEC_H

#include "wire/frame.h"

#include <stdbool.h>

enum {
    KS_TARGET_PAYLOAD_SIZE = KS_CLIENT_ID_SIZE,                       /* 602 */
    KS_LISTED_USER_SIZE = KS_CLIENT_ID_SIZE + KS_TEXT_FIELD_SIZE,     /* one of 2101 */
    KS_USER_KEY_ANSWER_SIZE = KS_CLIENT_ID_SIZE + KS_PUBLIC_KEY_SIZE, /* 2102 */
    KS_SEND_MESSAGE_FIXED_SIZE = KS_CLIENT_ID_SIZE + 1 + 4,           /* 603 without its content */
    KS_MESSAGE_STORED_ANSWER_SIZE = KS_CLIENT_ID_SIZE + 4,            /* 2103 */
    KS_WAITING_MESSAGE_FIXED_SIZE = KS_CLIENT_ID_SIZE + 4 + 1 + 4,    /* one of 2104 without its content */
};

enum ks_message_type {
    KS_MESSAGE_KEY_REQUEST = 1, /* the sender asks for a symmetric key */
    KS_MESSAGE_KEY = 2,         /* a symmetric key under the receiver's public key */
    KS_MESSAGE_TEXT = 3,        /* under the symmetric key */
    KS_MESSAGE_FILE = 4,        /* the same */
};

static inline bool ks_message_type_is_known(uint8_t type)
{
    return type >= KS_MESSAGE_KEY_REQUEST && type <= KS_MESSAGE_FILE;
}

/* A user as others see it: the alias, or, where the server is set up so, the id. */
struct ks_listed_user {
    struct ks_client_id alias;
    const char *name; /* points into the bytes it was parsed from */
    size_t name_size;
};

struct ks_user_key_answer {
    struct ks_client_id target; /* as sent in the request */
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
};

/* The fixed part of a 603. */
struct ks_send_message_payload {
    struct ks_client_id target;
    uint8_t type; /* enum ks_message_type, or anything a stranger sends */
    uint32_t content_size;
};

struct ks_message_stored_answer {
    struct ks_client_id target; /* as sent in the request */
    uint32_t message_id;
};

/* The fixed part of one message in a 2104; its content follows. */
struct ks_waiting_message {
    struct ks_client_id sender;
    uint32_t message_id;
    uint8_t type; /* enum ks_message_type, or anything a server sends */
    uint32_t content_size;
};

/* Encoders: into exactly the bytes that the sizes above name. ks_listed_user_encode: errors as
 * ks_text_field_encode. */
enum ks_result ks_listed_user_encode(const struct ks_listed_user *entry,
                                     uint8_t bytes[static KS_LISTED_USER_SIZE]);
void ks_user_key_answer_encode(const struct ks_user_key_answer *answer,
                               uint8_t bytes[static KS_USER_KEY_ANSWER_SIZE]);
void ks_send_message_payload_encode(const struct ks_send_message_payload *payload,
                                    uint8_t bytes[static KS_SEND_MESSAGE_FIXED_SIZE]);
void ks_message_stored_answer_encode(const struct ks_message_stored_answer *answer,
                                     uint8_t bytes[static KS_MESSAGE_STORED_ANSWER_SIZE]);
void ks_waiting_message_encode(const struct ks_waiting_message *message,
                               uint8_t bytes[static KS_WAITING_MESSAGE_FIXED_SIZE]);

/* Parsers of parts that more may follow: KS_OK, or KS_MORE when `size` is short of the part;
 * ks_listed_user_parse also KS_INVALID for a name without a NUL. Types and content sizes are not judged. */
enum ks_result ks_listed_user_parse(const uint8_t *bytes, size_t size, struct ks_listed_user *entry);
enum ks_result ks_send_message_payload_parse(const uint8_t *bytes, size_t size,
                                             struct ks_send_message_payload *payload);
enum ks_result ks_waiting_message_parse(const uint8_t *bytes, size_t size,
                                        struct ks_waiting_message *message);

/* Parsers of whole answers: KS_OK, or KS_INVALID when `size` is not exactly the answer's. */
enum ks_result ks_user_key_answer_parse(const uint8_t *bytes, size_t size, struct ks_user_key_answer *answer);
enum ks_result ks_message_stored_answer_parse(const uint8_t *bytes, size_t size,
                                              struct ks_message_stored_answer *answer);

#endif
