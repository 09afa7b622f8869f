/* messages_codec.c — see messages_codec.h. */
#include "wire/messages_codec.h"

#include "base/bytes.h"

enum ks_result ks_listed_user_encode(const struct ks_listed_user *entry,
                                     uint8_t bytes[static KS_LISTED_USER_SIZE])
{
    memcpy(bytes, entry->alias.bytes, KS_CLIENT_ID_SIZE);
    return ks_text_field_encode(entry->name, entry->name_size, bytes + KS_CLIENT_ID_SIZE);
}

void ks_user_key_answer_encode(const struct ks_user_key_answer *answer,
                               uint8_t bytes[static KS_USER_KEY_ANSWER_SIZE])
{
    memcpy(bytes, answer->target.bytes, KS_CLIENT_ID_SIZE);
    memcpy(bytes + KS_CLIENT_ID_SIZE, answer->public_key, KS_PUBLIC_KEY_SIZE);
}

void ks_send_message_payload_encode(const struct ks_send_message_payload *payload,
                                    uint8_t bytes[static KS_SEND_MESSAGE_FIXED_SIZE])
{
    struct ks_writer writer = ks_writer_over(bytes, KS_SEND_MESSAGE_FIXED_SIZE);
    ks_writer_put(&writer, payload->target.bytes, KS_CLIENT_ID_SIZE);
    ks_writer_u8(&writer, payload->type);
    ks_writer_u32(&writer, payload->content_size);
}

void ks_message_stored_answer_encode(const struct ks_message_stored_answer *answer,
                                     uint8_t bytes[static KS_MESSAGE_STORED_ANSWER_SIZE])
{
    struct ks_writer writer = ks_writer_over(bytes, KS_MESSAGE_STORED_ANSWER_SIZE);
    ks_writer_put(&writer, answer->target.bytes, KS_CLIENT_ID_SIZE);
    ks_writer_u32(&writer, answer->message_id);
}

void ks_waiting_message_encode(const struct ks_waiting_message *message,
                               uint8_t bytes[static KS_WAITING_MESSAGE_FIXED_SIZE])
{
    struct ks_writer writer = ks_writer_over(bytes, KS_WAITING_MESSAGE_FIXED_SIZE);
    ks_writer_put(&writer, message->sender.bytes, KS_CLIENT_ID_SIZE);
    ks_writer_u32(&writer, message->message_id);
    ks_writer_u8(&writer, message->type);
    ks_writer_u32(&writer, message->content_size);
}

enum ks_result ks_listed_user_parse(const uint8_t *bytes, size_t size, struct ks_listed_user *entry)
{
    if (size < KS_LISTED_USER_SIZE)
        return KS_MORE;
    memcpy(entry->alias.bytes, bytes, KS_CLIENT_ID_SIZE);
    return ks_text_field_parse(bytes + KS_CLIENT_ID_SIZE, &entry->name, &entry->name_size);
}

enum ks_result ks_send_message_payload_parse(const uint8_t *bytes, size_t size,
                                             struct ks_send_message_payload *payload)
{
    struct ks_reader reader = ks_reader_over(bytes, size);
    ks_reader_copy(&reader, payload->target.bytes, KS_CLIENT_ID_SIZE);
    payload->type = ks_reader_u8(&reader);
    payload->content_size = ks_reader_u32(&reader);
    return reader.failed ? KS_MORE : KS_OK;
}

enum ks_result ks_waiting_message_parse(const uint8_t *bytes, size_t size, struct ks_waiting_message *message)
{
    struct ks_reader reader = ks_reader_over(bytes, size);
    ks_reader_copy(&reader, message->sender.bytes, KS_CLIENT_ID_SIZE);
    message->message_id = ks_reader_u32(&reader);
    message->type = ks_reader_u8(&reader);
    message->content_size = ks_reader_u32(&reader);
    return reader.failed ? KS_MORE : KS_OK;
}

enum ks_result ks_user_key_answer_parse(const uint8_t *bytes, size_t size, struct ks_user_key_answer *answer)
{
    if (size != KS_USER_KEY_ANSWER_SIZE)
        return KS_INVALID;
    memcpy(answer->target.bytes, bytes, KS_CLIENT_ID_SIZE);
    memcpy(answer->public_key, bytes + KS_CLIENT_ID_SIZE, KS_PUBLIC_KEY_SIZE);
    return KS_OK;
}

enum ks_result ks_message_stored_answer_parse(const uint8_t *bytes, size_t size,
                                              struct ks_message_stored_answer *answer)
{
    if (size != KS_MESSAGE_STORED_ANSWER_SIZE)
        return KS_INVALID;
    memcpy(answer->target.bytes, bytes, KS_CLIENT_ID_SIZE);
    answer->message_id = ks_load_u32(bytes + KS_CLIENT_ID_SIZE);
    return KS_OK;
}
