/* drop_codec.h — payloads of registration, keys and file drop, 1025–1031 with their answers, and 600
 * (protocol.md §1.1, §1.2). Pure functions on bytes: no I/O, no allocation; any thread.
 *
 * Parsed structures point into the bytes that they were parsed from. `*_parse` functions take the whole fixed
 * part of a payload and return KS_MORE when `size` is short of it, KS_INVALID when a text field has no NUL.
 */
#ifndef KS_WIRE_DROP_CODEC_H
#define KS_WIRE_DROP_CODEC_H

#include "wire/frame.h"

#include <stdbool.h>

enum {
    KS_NAME_PAYLOAD_SIZE = KS_TEXT_FIELD_SIZE,                              /* 1025, 1027, 1029, 1030, 1031 */
    KS_NAME_AND_KEY_PAYLOAD_SIZE = KS_TEXT_FIELD_SIZE + KS_PUBLIC_KEY_SIZE, /* 600, 1026 */
    KS_SEND_FILE_FIXED_SIZE = 4 + KS_TEXT_FIELD_SIZE,                       /* 1028 without its content */
    KS_CLIENT_ID_ANSWER_SIZE = KS_CLIENT_ID_SIZE,                           /* 2100, 2104, 2106 */
    KS_KEY_ANSWER_SIZE = KS_CLIENT_ID_SIZE + KS_ENCRYPTED_KEY_SIZE,         /* 2102, 2105 */
    KS_FILE_ANSWER_SIZE = KS_CLIENT_ID_SIZE + 4 + KS_TEXT_FIELD_SIZE + 4,   /* 2103 */
};

/* The largest content of a 1028 (its size field and the payload size both fit 32 bits), and the largest file
 * in it: at least one byte of padding. */
#define KS_CONTENT_SIZE_LIMIT UINT32_C(4294967024)
#define KS_FILE_SIZE_LIMIT    (KS_CONTENT_SIZE_LIMIT - 1)

/* The size of a file of `file_size` bytes after AES-CBC with PKCS#7: the next multiple of 16 above it. */
static inline uint64_t ks_content_size_of_file(uint64_t file_size)
{
    return (file_size / 16 + 1) * 16;
}

/* The part of a file's name that a server keeps (protocol.md §1.2): what follows the last '/' or '\'. KS_OK
 * with *kept pointing into `name`; KS_INVALID for empty, ".", "..", and names with control bytes (below 0x20,
 * 0x7f), which are refused. */
enum ks_result ks_kept_name(const char *name, size_t name_size, const char **kept, size_t *kept_size);

struct ks_name_payload {
    const char *name; /* name_size bytes; the NUL that ended it follows */
    size_t name_size;
};

struct ks_name_and_key_payload {
    const char *name;
    size_t name_size;
    const uint8_t *public_key; /* KS_PUBLIC_KEY_SIZE bytes */
};

struct ks_send_file_payload {
    uint32_t content_size;
    const uint8_t *name_field; /* the KS_TEXT_FIELD_SIZE bytes as sent, to be echoed */
    const char *name;
    size_t name_size;
};

enum ks_result ks_name_payload_parse(const uint8_t *bytes, size_t size, struct ks_name_payload *payload);
enum ks_result ks_name_and_key_payload_parse(const uint8_t *bytes, size_t size,
                                             struct ks_name_and_key_payload *payload);
/* With KS_INVALID (no NUL in the name) content_size and name_field are set all the same: the content has to
 * be skipped. */
enum ks_result ks_send_file_payload_parse(const uint8_t *bytes, size_t size,
                                          struct ks_send_file_payload *payload);

/* How many bytes of content follow the fixed part of a 1028: content_size, also in the variant whose payload
 * size leaves the content out (payload size 259). KS_INVALID when the two sizes contradict each other or the
 * content is over the protocol's limit. */
enum ks_result ks_send_file_content_follows(uint32_t payload_size, uint32_t content_size, uint64_t *follows);

struct ks_key_answer {
    struct ks_client_id client_id;
    uint8_t encrypted_key[KS_ENCRYPTED_KEY_SIZE];
};

struct ks_file_answer {
    struct ks_client_id client_id;
    uint32_t content_size;
    uint8_t name_field[KS_TEXT_FIELD_SIZE];
    uint32_t cksum;
};

void ks_key_answer_encode(const struct ks_key_answer *answer, uint8_t bytes[static KS_KEY_ANSWER_SIZE]);
void ks_file_answer_encode(const struct ks_file_answer *answer, uint8_t bytes[static KS_FILE_ANSWER_SIZE]);

/* The client's side. KS_INVALID when `size` is not exactly the answer's. */
enum ks_result ks_client_id_answer_parse(const uint8_t *bytes, size_t size, struct ks_client_id *client_id);
enum ks_result ks_key_answer_parse(const uint8_t *bytes, size_t size, struct ks_key_answer *answer);
enum ks_result ks_file_answer_parse(const uint8_t *bytes, size_t size, struct ks_file_answer *answer);

/* Request payloads of the client. Errors as ks_text_field_encode. */
enum ks_result ks_name_payload_encode(const char *name, size_t name_size,
                                      uint8_t bytes[static KS_NAME_PAYLOAD_SIZE]);
enum ks_result ks_name_and_key_payload_encode(const char *name, size_t name_size,
                                              const uint8_t public_key[static KS_PUBLIC_KEY_SIZE],
                                              uint8_t bytes[static KS_NAME_AND_KEY_PAYLOAD_SIZE]);
enum ks_result ks_send_file_payload_encode(uint32_t content_size, const char *name, size_t name_size,
                                           uint8_t bytes[static KS_SEND_FILE_FIXED_SIZE]);

#endif
