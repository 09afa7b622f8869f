/* base64url.c — see base64url.h. */
#include "base/base64url.h"

#include <stdbool.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void ks_base64url_encode(const uint8_t *bytes, size_t size, char *text)
{
    unsigned bits = 0;
    unsigned count = 0; /* of bits that wait, the lowest of `bits` */
    for (size_t i = 0; i < size; i++) {
        bits = (bits << 8 | bytes[i]) & 0xffff;
        for (count += 8; count >= 6; count -= 6)
            *text++ = digits[bits >> (count - 6) & 63];
    }
    if (count > 0)
        *text++ = digits[bits << (6 - count) & 63];
    *text = '\0';
}

static bool digit_value(char digit, unsigned *value)
{
    if (digit >= 'A' && digit <= 'Z')
        *value = (unsigned)(digit - 'A');
    else if (digit >= 'a' && digit <= 'z')
        *value = (unsigned)(digit - 'a') + 26;
    else if (digit >= '0' && digit <= '9')
        *value = (unsigned)(digit - '0') + 52;
    else if (digit == '-' || digit == '_')
        *value = digit == '-' ? 62 : 63;
    else
        return false;
    return true;
}

enum ks_result ks_base64url_decode(const char *text, size_t text_size, uint8_t *bytes, size_t size)
{
    unsigned bits = 0;
    unsigned count = 0;
    if (size > SIZE_MAX / 8 - 1 || text_size != KS_BASE64URL_LENGTH(size))
        return KS_INVALID;
    for (size_t i = 0; i < text_size; i++) {
        unsigned value = 0;
        if (!digit_value(text[i], &value))
            return KS_INVALID;
        bits = (bits << 6 | value) & 0xffff;
        count += 6;
        if (count >= 8) {
            count -= 8;
            *bytes++ = (uint8_t)(bits >> count);
        }
    }
    return (bits & ((1U << count) - 1)) == 0 ? KS_OK : KS_INVALID;
}
