/* identity_text.c — see identity_text.h. */
#include "client/home/identity_text.h"

#include "base/text.h"
#include "client/lines.h"
#include "crypto/base64.h"
#include "crypto/secret.h"

#include <string.h>

/* The base64 text may hold the NULs of a padded file; they are no more part of it than blanks are. */
static enum ks_result parse_base64_key(const char *text, size_t size, struct ks_private_key **key)
{
    struct ks_buffer joined = ks_buffer_empty(KS_IDENTITY_TEXT_LIMIT);
    struct ks_buffer der = ks_buffer_empty(KS_IDENTITY_TEXT_LIMIT);
    struct ks_lines lines = {.text = text, .size = size};
    const char *line = NULL;
    size_t line_size = 0;
    enum ks_result result = KS_OK;
    while (result == KS_OK && ks_lines_next(&lines, &line, &line_size))
        result = ks_buffer_append(&joined, line, line_size);
    if (result == KS_OK && joined.size == 0)
        result = KS_INVALID;
    if (result == KS_OK)
        result = ks_base64_decode((const char *)joined.bytes, joined.size, &der);
    if (result == KS_OK)
        result = ks_private_key_parse(der.bytes, der.size, key);
    ks_buffer_wipe(&joined);
    ks_buffer_wipe(&der);
    return result == KS_OK || result == KS_NO_MEMORY ? result : KS_INVALID;
}

static enum ks_result parse_name(const char *line, size_t size, struct ks_identity_text *identity)
{
    if (!ks_text_is_user_name(line, size))
        return KS_INVALID;
    memset(identity->name, 0, sizeof identity->name);
    memcpy(identity->name, line, size);
    return KS_OK;
}

enum ks_result ks_identity_text_parse(const uint8_t *bytes, size_t size, struct ks_identity_text *identity)
{
    struct ks_lines lines = {.text = (const char *)bytes, .size = size};
    const char *line = NULL;
    size_t line_size = 0;
    identity->key = NULL;
    if (!ks_lines_next(&lines, &line, &line_size) || parse_name(line, line_size, identity) != KS_OK)
        return KS_INVALID;
    if (!ks_lines_next(&lines, &line, &line_size) ||
        !ks_text_from_hex(line, line_size, identity->id.bytes, sizeof identity->id.bytes))
        return KS_INVALID;
    struct ks_private_key *key = NULL;
    if (parse_base64_key(lines.text, lines.size, &key) == KS_OK)
        identity->key = key;
    return KS_OK;
}

enum ks_result ks_identity_text_parse_key(const uint8_t *bytes, size_t size, struct ks_private_key **key)
{
    if (size > 0 && ks_private_key_parse(bytes, size, key) == KS_OK)
        return KS_OK;
    return parse_base64_key((const char *)bytes, size, key);
}

enum ks_result ks_identity_text_format_key(const struct ks_private_key *key, struct ks_buffer *text)
{
    struct ks_buffer der = ks_buffer_empty(KS_IDENTITY_TEXT_LIMIT);
    enum ks_result result = ks_private_key_encode(key, &der);
    if (result == KS_OK)
        result = ks_base64_encode(der.bytes, der.size, text);
    if (result == KS_OK)
        result = ks_buffer_append(text, "\n", 1);
    ks_buffer_wipe(&der);
    return result;
}

enum ks_result ks_identity_text_format(const char *name, const struct ks_client_id *id,
                                       const struct ks_private_key *key, struct ks_buffer *text)
{
    char hex[2 * KS_CLIENT_ID_SIZE + 1];
    ks_text_to_hex(id->bytes, sizeof id->bytes, hex);
    enum ks_result result = ks_buffer_append(text, name, strlen(name));
    if (result == KS_OK)
        result = ks_buffer_append(text, "\n", 1);
    if (result == KS_OK)
        result = ks_buffer_append(text, hex, sizeof hex - 1);
    if (result == KS_OK)
        result = ks_buffer_append(text, "\n", 1);
    if (result == KS_OK)
        result = ks_identity_text_format_key(key, text);
    ks_secret_wipe(hex, sizeof hex);
    return result;
}
