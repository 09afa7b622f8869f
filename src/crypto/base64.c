/* base64.c — see base64.h. OpenSSL's decoder is strict about line lengths and lax about padding and dashes,
 * so the text is cleaned and its padding completed before OpenSSL sees it. Private keys come through here:
 * nothing is left behind in memory that was freed.
 */
#include "crypto/base64.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdbool.h>
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

static bool is_blank(char character)
{
    return character == ' ' || character == '\t' || character == '\r' || character == '\n';
}

/* Copies what is not blank, so that `compact` holds whole groups of four; `padding` of its characters stand
 * for nothing. KS_INVALID for an impossible length. */
static enum ks_result compact_text(const char *text, size_t text_size, struct ks_buffer *compact,
                                   size_t *padding)
{
    /* All at once: a buffer that grew would leave a part of the key in freed memory. */
    enum ks_result result = ks_buffer_reserve(compact, text_size + 2);
    if (result != KS_OK)
        return result;
    for (size_t i = 0; i < text_size; i++)
        if (!is_blank(text[i]))
            compact->bytes[compact->size++] = (uint8_t)text[i];
    while (compact->size > 0 && compact->bytes[compact->size - 1] == '=')
        compact->size--;
    *padding = (4 - compact->size % 4) % 4;
    if (*padding == 3 || memchr(compact->bytes, '=', compact->size) != NULL ||
        memchr(compact->bytes, '-', compact->size) != NULL)
        return KS_INVALID;
    return ks_buffer_append(compact, "==", *padding);
}

/* Decodes in place, which EVP_DecodeBlock does not promise to allow; hence the three bytes at a time. */
static enum ks_result decode_groups(struct ks_buffer *compact)
{
    size_t decoded = 0;
    for (size_t i = 0; i < compact->size; i += 4) {
        uint8_t three[3];
        if (EVP_DecodeBlock(three, compact->bytes + i, 4) != sizeof three)
            return KS_INVALID;
        memcpy(compact->bytes + decoded, three, sizeof three);
        decoded += sizeof three;
        OPENSSL_cleanse(three, sizeof three);
    }
    compact->size = decoded;
    return KS_OK;
}

enum ks_result ks_base64_decode(const char *text, size_t text_size, struct ks_buffer *bytes)
{
    if (text_size > INT_MAX / 2)
        return KS_TOO_LARGE;
    struct ks_buffer compact = ks_buffer_empty(0);
    size_t padding = 0;
    enum ks_result result = compact_text(text, text_size, &compact, &padding);
    if (result == KS_OK)
        result = decode_groups(&compact);
    if (result == KS_OK && compact.size > 0)
        result = ks_buffer_append(bytes, compact.bytes, compact.size - padding);
    ks_buffer_wipe(&compact);
    return result;
}
