/* frame.h — the two headers of the binary port, and every code that stands in them (protocol.md §1).
 *
 * Pure functions on bytes: no I/O, no allocation; any thread.
 */
#ifndef KS_WIRE_FRAME_H
#define KS_WIRE_FRAME_H

#include "base/result.h"

#include <stddef.h>
#include <stdint.h>

enum {
    KS_CLIENT_ID_SIZE = 16,
    KS_REQUEST_HEADER_SIZE = 23,
    KS_RESPONSE_HEADER_SIZE = 7,
    KS_TEXT_FIELD_SIZE = 255, /* user and file names, NUL included */
    KS_PUBLIC_KEY_SIZE = 160, /* DER X.509 SubjectPublicKeyInfo of RSA-1024, e of one byte */
    KS_ENCRYPTED_KEY_SIZE = 128,
    KS_CONTENT_KEY_SIZE = 16,  /* AES-128 */
    KS_SKIP_LIMIT = 64 * 1024, /* payload that is skipped after a refusal; a longer one ends the connection */
};

enum {
    KS_VERSION_DROP = 3,
    KS_VERSION_MESSAGES = 2,
    KS_VERSION_SECURE = 4,
};

enum ks_request_code {
    KS_REQUEST_REGISTER_MESSAGES = 600,
    KS_REQUEST_LIST_USERS = 601,
    KS_REQUEST_USER_KEY = 602,
    KS_REQUEST_SEND_MESSAGE = 603,
    KS_REQUEST_WAITING_MESSAGES = 604,
    KS_REQUEST_REGISTER_DROP = 1025,
    KS_REQUEST_PUBLIC_KEY = 1026,
    KS_REQUEST_RECONNECT = 1027,
    KS_REQUEST_SEND_FILE = 1028,
    KS_REQUEST_CRC_OK = 1029,
    KS_REQUEST_CRC_WRONG = 1030,
    KS_REQUEST_CRC_GIVE_UP = 1031,

    KS_REQUEST_NONCE = 3000, /* of the secure port (accounts_codec.h), as all that follow */
    KS_REQUEST_SIGN_IN = 3001,
    KS_REQUEST_REGISTER_ACCOUNT = 3002,
    KS_REQUEST_ADOPT = 3003,
    KS_REQUEST_ADOPTION_PROOF = 3004,
    KS_REQUEST_MY_ACCOUNT = 3007,
    KS_REQUEST_REMOVE_ACCOUNT = 3008,
    KS_REQUEST_LIST_FILES = 3010, /* own files (files_codec.h), as the next six */
    KS_REQUEST_GET_FILE = 3011,
    KS_REQUEST_REMOVE_FILE = 3012,
    KS_REQUEST_PUT_FILE = 3013,
    KS_REQUEST_PUT_PIECE = 3014,
    KS_REQUEST_PUT_END = 3015,
    KS_REQUEST_FILE_DIGEST = 3016,
    KS_REQUEST_TALK = 3030,
};

/* 2100–2104 mean different things in the two services. */
enum ks_response_code {
    KS_RESPONSE_REGISTERED = 2100,

    KS_RESPONSE_REGISTRATION_FAILED = 2101, /* drop */
    KS_RESPONSE_KEY_ACCEPTED = 2102,
    KS_RESPONSE_FILE_RECEIVED = 2103,
    KS_RESPONSE_CONFIRMED = 2104,
    KS_RESPONSE_RECONNECTED = 2105,
    KS_RESPONSE_RECONNECT_DENIED = 2106,
    KS_RESPONSE_DROP_ERROR = 2107,

    KS_RESPONSE_USERS = 2101, /* messages */
    KS_RESPONSE_USER_KEY = 2102,
    KS_RESPONSE_MESSAGE_STORED = 2103,
    KS_RESPONSE_WAITING_MESSAGES = 2104,

    KS_RESPONSE_NONCE = 4000, /* the secure port */
    KS_RESPONSE_SIGNED_IN = 4001,
    KS_RESPONSE_ADOPTION_CHALLENGE = 4003,
    KS_RESPONSE_MY_ACCOUNT = 4007,
    KS_RESPONSE_ACCOUNT_REMOVED = 4008,
    KS_RESPONSE_FILES = 4010,
    KS_RESPONSE_FILE = 4011,
    KS_RESPONSE_FILE_REMOVED = 4012,
    KS_RESPONSE_PUT_OPEN = 4013,
    KS_RESPONSE_PUT_PIECE = 4014,
    KS_RESPONSE_PUT_END = 4015,
    KS_RESPONSE_FILE_DIGEST = 4016,
    KS_RESPONSE_FILE_PIECE = 4017,
    KS_RESPONSE_FILE_END = 4018,
    KS_RESPONSE_TALK = 4030,
    KS_RESPONSE_REFUSED = 4999,

    KS_RESPONSE_ERROR = 9000,
};

struct ks_client_id {
    uint8_t bytes[KS_CLIENT_ID_SIZE];
};

struct ks_request_header {
    struct ks_client_id client_id;
    uint8_t version;
    uint16_t code; /* enum ks_request_code, or anything a stranger sends */
    uint32_t payload_size;
};

struct ks_response_header {
    uint8_t version;
    uint16_t code; /* enum ks_response_code, or anything a server sends */
    uint32_t payload_size;
};

/* Reads a header from the first `size` bytes. KS_OK with *header set, or KS_MORE when there are too few
 * bytes; every value is accepted. */
enum ks_result ks_request_header_parse(const uint8_t *bytes, size_t size, struct ks_request_header *header);
enum ks_result ks_response_header_parse(const uint8_t *bytes, size_t size, struct ks_response_header *header);

/* Writes a header. */
void ks_request_header_encode(const struct ks_request_header *header,
                              uint8_t bytes[static KS_REQUEST_HEADER_SIZE]);
void ks_response_header_encode(const struct ks_response_header *header,
                               uint8_t bytes[static KS_RESPONSE_HEADER_SIZE]);

/* The text in a 255-byte field: up to the first NUL, not counted in *text_size, pointing into the field; what
 * follows the NUL is ignored. KS_INVALID without a NUL. The text itself is not judged. */
enum ks_result ks_text_field_parse(const uint8_t field[static KS_TEXT_FIELD_SIZE], const char **text,
                                   size_t *text_size);

/* Fills a field with `text` and NULs. KS_TOO_LARGE over 254 bytes, KS_INVALID with a NUL inside. */
enum ks_result ks_text_field_encode(const char *text, size_t text_size,
                                    uint8_t field[static KS_TEXT_FIELD_SIZE]);

#endif
