/* frame.c — see frame.h. */
#include "wire/frame.h"

#include "base/bytes.h"

#include <string.h>

enum ks_result ks_request_header_parse(const uint8_t *bytes, size_t size, struct ks_request_header *header)
{
    if (size < KS_REQUEST_HEADER_SIZE)
        return KS_MORE;
    memcpy(header->client_id.bytes, bytes, KS_CLIENT_ID_SIZE);
    header->version = bytes[16];
    header->code = ks_load_u16(bytes + 17);
    header->payload_size = ks_load_u32(bytes + 19);
    return KS_OK;
}

enum ks_result ks_response_header_parse(const uint8_t *bytes, size_t size, struct ks_response_header *header)
{
    if (size < KS_RESPONSE_HEADER_SIZE)
        return KS_MORE;
    header->version = bytes[0];
    header->code = ks_load_u16(bytes + 1);
    header->payload_size = ks_load_u32(bytes + 3);
    return KS_OK;
}

void ks_request_header_encode(const struct ks_request_header *header,
                              uint8_t bytes[static KS_REQUEST_HEADER_SIZE])
{
    memcpy(bytes, header->client_id.bytes, KS_CLIENT_ID_SIZE);
    bytes[16] = header->version;
    ks_store_u16(bytes + 17, header->code);
    ks_store_u32(bytes + 19, header->payload_size);
}

void ks_response_header_encode(const struct ks_response_header *header,
                               uint8_t bytes[static KS_RESPONSE_HEADER_SIZE])
{
    bytes[0] = header->version;
    ks_store_u16(bytes + 1, header->code);
    ks_store_u32(bytes + 3, header->payload_size);
}

enum ks_result ks_text_field_parse(const uint8_t field[static KS_TEXT_FIELD_SIZE], const char **text,
                                   size_t *text_size)
{
    const uint8_t *end = memchr(field, '\0', KS_TEXT_FIELD_SIZE);
    if (end == NULL)
        return KS_INVALID;
    *text = (const char *)field;
    *text_size = (size_t)(end - field);
    return KS_OK;
}

enum ks_result ks_text_field_encode(const char *text, size_t text_size,
                                    uint8_t field[static KS_TEXT_FIELD_SIZE])
{
    if (text_size > KS_TEXT_FIELD_SIZE - 1)
        return KS_TOO_LARGE;
    if (text_size > 0 && memchr(text, '\0', text_size) != NULL)
        return KS_INVALID;
    memset(field, 0, KS_TEXT_FIELD_SIZE);
    if (text_size > 0)
        memcpy(field, text, text_size);
    return KS_OK;
}
