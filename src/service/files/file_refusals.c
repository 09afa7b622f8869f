/* file_refusals.c — see file_refusals.h. */
#include "service/files/file_refusals.h"

#include "base/text.h"

#include <string.h>

enum ks_result ks_file_judge_name(const struct ks_wire_text *text, char name[static KS_TEXT_FIELD_SIZE])
{
    if (!ks_file_name_is_valid(text->bytes, text->size))
        return KS_INVALID;
    memcpy(name, text->bytes, text->size);
    name[text->size] = '\0';
    return KS_OK;
}

enum ks_result ks_file_take_name(struct ks_exchange *exchange, const uint8_t *payload,
                                 char name[static KS_TEXT_FIELD_SIZE])
{
    struct ks_wire_text text;
    if (ks_wire_text_parse(payload, exchange->header.payload_size, &text) != KS_OK) {
        ks_refuse(exchange, KS_REFUSAL_MALFORMED);
        return KS_INVALID;
    }
    if (ks_file_judge_name(&text, name) != KS_OK) {
        ks_refuse(exchange, KS_REFUSAL_FILE_NAME);
        return KS_INVALID;
    }
    return KS_OK;
}

const char *ks_file_shown(const char *name, char shown[static KS_TEXT_FIELD_SIZE])
{
    return ks_text_escape_quoted(name, strlen(name), shown, KS_TEXT_FIELD_SIZE);
}

enum ks_refusal_reason ks_file_reason(enum ks_result result)
{
    switch (result) {
    case KS_NOT_FOUND:
        return KS_REFUSAL_NO_FILE;
    case KS_INVALID:
        return KS_REFUSAL_DAMAGED;
    case KS_REFUSED:
        return KS_REFUSAL_TOO_MANY;
    default:
        return ks_refusal_of(result);
    }
}

enum ks_refusal_reason ks_file_opening_reason(enum ks_result result, enum ks_store_limit limit)
{
    switch (result) {
    case KS_NOT_FOUND:
        return KS_REFUSAL_UNKNOWN_ACCOUNT;
    case KS_INVALID:
        return KS_REFUSAL_FILE_NAME;
    case KS_EXISTS:
        return KS_REFUSAL_FILE_EXISTS;
    case KS_CLOSED:
        return KS_REFUSAL_PUT_IN_USE;
    case KS_REFUSED: /* that there are too many of all users is nothing that this one could do about */
        return limit == KS_STORE_LIMIT_PUTS ? KS_REFUSAL_TROUBLE : KS_REFUSAL_QUOTA;
    default:
        return ks_refusal_of(result);
    }
}

enum ks_refusal_reason ks_file_piece_reason(enum ks_result result)
{
    switch (result) {
    case KS_NOT_FOUND: /* it was dropped for its age, or with its user */
    case KS_CLOSED:
        return KS_REFUSAL_NO_PUT;
    default:
        return ks_refusal_of(result);
    }
}

enum ks_refusal_reason ks_file_end_reason(enum ks_result result)
{
    switch (result) {
    case KS_CRYPTO:
        return KS_REFUSAL_CKSUM;
    case KS_EXISTS:
        return KS_REFUSAL_FILE_EXISTS;
    case KS_REFUSED:
        return KS_REFUSAL_QUOTA;
    case KS_INVALID:
    case KS_NOT_FOUND:
        return KS_REFUSAL_NO_PUT;
    default:
        return ks_refusal_of(result);
    }
}

bool ks_file_is_a_warning(enum ks_result result)
{
    return result == KS_REFUSED || result == KS_NO_SPACE || result == KS_IO || result == KS_NO_MEMORY;
}
