/* drop_codec.c — see drop_codec.h. */
#include "wire/drop_codec.h"

#include "base/bytes.h"

#include <string.h>

static bool is_dot_name(const char *name, size_t size)
{
    return (size == 1 && name[0] == '.') || (size == 2 && name[0] == '.' && name[1] == '.');
}

enum ks_result ks_kept_name(const char *name, size_t name_size, const char **kept, size_t *kept_size)
{
    size_t start = 0;
    for (size_t i = 0; i < name_size; i++) {
        unsigned char byte = (unsigned char)name[i];
        if (byte < 0x20 || byte == 0x7f)
            return KS_INVALID;
        if (byte == '/' || byte == '\\')
            start = i + 1;
    }
    if (start == name_size || is_dot_name(name + start, name_size - start))
        return KS_INVALID;
    *kept = name + start;
    *kept_size = name_size - start;
    return KS_OK;
}

enum ks_result ks_name_payload_parse(const uint8_t *bytes, size_t size, struct ks_name_payload *payload)
{
    if (size < KS_NAME_PAYLOAD_SIZE)
        return KS_MORE;
    return ks_text_field_parse(bytes, &payload->name, &payload->name_size);
}

enum ks_result ks_name_and_key_payload_parse(const uint8_t *bytes, size_t size,
                                             struct ks_name_and_key_payload *payload)
{
    if (size < KS_NAME_AND_KEY_PAYLOAD_SIZE)
        return KS_MORE;
    payload->public_key = bytes + KS_TEXT_FIELD_SIZE;
    return ks_text_field_parse(bytes, &payload->name, &payload->name_size);
}

enum ks_result ks_send_file_payload_parse(const uint8_t *bytes, size_t size,
                                          struct ks_send_file_payload *payload)
{
    if (size < KS_SEND_FILE_FIXED_SIZE)
        return KS_MORE;
    payload->content_size = ks_load_u32(bytes);
    payload->name_field = bytes + 4;
    return ks_text_field_parse(payload->name_field, &payload->name, &payload->name_size);
}

enum ks_result ks_send_file_content_follows(uint32_t payload_size, uint32_t content_size, uint64_t *follows)
{
    if (content_size > KS_CONTENT_SIZE_LIMIT)
        return KS_INVALID;
    bool complete = (uint64_t)payload_size == (uint64_t)KS_SEND_FILE_FIXED_SIZE + content_size;
    bool left_out = payload_size == KS_SEND_FILE_FIXED_SIZE && content_size > 0;
    if (!complete && !left_out)
        return KS_INVALID;
    *follows = content_size;
    return KS_OK;
}

void ks_key_answer_encode(const struct ks_key_answer *answer, uint8_t bytes[static KS_KEY_ANSWER_SIZE])
{
    memcpy(bytes, answer->client_id.bytes, KS_CLIENT_ID_SIZE);
    memcpy(bytes + KS_CLIENT_ID_SIZE, answer->encrypted_key, KS_ENCRYPTED_KEY_SIZE);
}

void ks_file_answer_encode(const struct ks_file_answer *answer, uint8_t bytes[static KS_FILE_ANSWER_SIZE])
{
    struct ks_writer writer = ks_writer_over(bytes, KS_FILE_ANSWER_SIZE);
    ks_writer_put(&writer, answer->client_id.bytes, KS_CLIENT_ID_SIZE);
    ks_writer_u32(&writer, answer->content_size);
    ks_writer_put(&writer, answer->name_field, KS_TEXT_FIELD_SIZE);
    ks_writer_u32(&writer, answer->cksum);
}

enum ks_result ks_client_id_answer_parse(const uint8_t *bytes, size_t size, struct ks_client_id *client_id)
{
    if (size != KS_CLIENT_ID_ANSWER_SIZE)
        return KS_INVALID;
    memcpy(client_id->bytes, bytes, KS_CLIENT_ID_SIZE);
    return KS_OK;
}

enum ks_result ks_key_answer_parse(const uint8_t *bytes, size_t size, struct ks_key_answer *answer)
{
    if (size != KS_KEY_ANSWER_SIZE)
        return KS_INVALID;
    memcpy(answer->client_id.bytes, bytes, KS_CLIENT_ID_SIZE);
    memcpy(answer->encrypted_key, bytes + KS_CLIENT_ID_SIZE, KS_ENCRYPTED_KEY_SIZE);
    return KS_OK;
}

enum ks_result ks_file_answer_parse(const uint8_t *bytes, size_t size, struct ks_file_answer *answer)
{
    if (size != KS_FILE_ANSWER_SIZE)
        return KS_INVALID;
    struct ks_reader reader = ks_reader_over(bytes, size);
    ks_reader_copy(&reader, answer->client_id.bytes, KS_CLIENT_ID_SIZE);
    answer->content_size = ks_reader_u32(&reader);
    ks_reader_copy(&reader, answer->name_field, KS_TEXT_FIELD_SIZE);
    answer->cksum = ks_reader_u32(&reader);
    return reader.failed ? KS_INVALID : KS_OK;
}

enum ks_result ks_name_payload_encode(const char *name, size_t name_size,
                                      uint8_t bytes[static KS_NAME_PAYLOAD_SIZE])
{
    return ks_text_field_encode(name, name_size, bytes);
}

enum ks_result ks_name_and_key_payload_encode(const char *name, size_t name_size,
                                              const uint8_t public_key[static KS_PUBLIC_KEY_SIZE],
                                              uint8_t bytes[static KS_NAME_AND_KEY_PAYLOAD_SIZE])
{
    memcpy(bytes + KS_TEXT_FIELD_SIZE, public_key, KS_PUBLIC_KEY_SIZE);
    return ks_text_field_encode(name, name_size, bytes);
}

enum ks_result ks_send_file_payload_encode(uint32_t content_size, const char *name, size_t name_size,
                                           uint8_t bytes[static KS_SEND_FILE_FIXED_SIZE])
{
    ks_store_u32(bytes, content_size);
    return ks_text_field_encode(name, name_size, bytes + 4);
}
