/* base64.c — see base64.h. OpenSSL's decoder is strict about line lengths and lax about padding, so blanks
 * are taken out and padding is completed before it sees the text. */
#include "crypto/base64.h"

#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

enum ks_result ks_base64_encode(const uint8_t *bytes, size_t size, struct ks_buffer *text)
{
    if (size > INT_MAX / 2)
        return KS_TOO_LARGE;
    size_t encoded_size = (size + 2) / 3 * 4;
    enum ks_result result = ks_buffer_reserve(text, encoded_size + 1); /* EVP_EncodeBlock adds a NUL */
    if (result != KS_OK)
        return result;
    EVP_EncodeBlock(text->bytes + text->size, bytes, (int)size);
    text->size += encoded_size;
    return KS_OK;
}

/* Copies what is not blank, so that `compact` holds whole groups of four. KS_INVALID for an impossible
 * length. */
static enum ks_result compact_text(const char *text, size_t text_size, struct ks_buffer *compact,
                                   size_t *padding)
{
    enum ks_result result = KS_OK;
    for (size_t i = 0; i < text_size && result == KS_OK; i++)
        if (strchr(" \t\r\n", text[i]) == NULL || text[i] == '\0')
            result = ks_buffer_append(compact, &text[i], 1);
    while (result == KS_OK && compact->size > 0 && compact->bytes[compact->size - 1] == '=')
        compact->size--;
    if (result != KS_OK)
        return result;
    *padding = (4 - compact->size % 4) % 4;
    if (*padding == 3 || memchr(compact->size > 0 ? (char *)compact->bytes : "", '=', compact->size) != NULL)
        return KS_INVALID;
    return ks_buffer_append(compact, "==", *padding);
}

enum ks_result ks_base64_decode(const char *text, size_t text_size, struct ks_buffer *bytes)
{
    if (text_size > INT_MAX / 2)
        return KS_TOO_LARGE;
    struct ks_buffer compact = ks_buffer_empty(0);
    size_t padding = 0;
    enum ks_result result = compact_text(text, text_size, &compact, &padding);
    if (result == KS_OK)
        result = ks_buffer_reserve(bytes, compact.size / 4 * 3);
    if (result == KS_OK && compact.size > 0) {
        int decoded = EVP_DecodeBlock(bytes->bytes + bytes->size, compact.bytes, (int)compact.size);
        if (decoded < 0)
            result = KS_INVALID;
        else
            bytes->size += (size_t)decoded - padding;
    }
    ks_buffer_wipe(&compact);
    return result;
}
