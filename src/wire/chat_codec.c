/* chat_codec.c — see chat_codec.h. */
#include "wire/chat_codec.h"

#include "base/text.h"

#include <limits.h>
#include <string.h>

enum { ESCAPE = 0x1b, BELL = 0x07, DELETE = 0x7f };

bool ks_chat_line(const uint8_t *bytes, size_t size, size_t *line_size, size_t *taken)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != '\r' && bytes[i] != '\n')
            continue;
        *line_size = i;
        *taken = bytes[i] == '\r' && i + 1 < size && bytes[i + 1] == '\n' ? i + 2 : i + 1;
        return true;
    }
    return false;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

size_t ks_chat_trim(const uint8_t *text, size_t size, size_t *start)
{
    *start = 0;
    while (*start < size && is_blank(text[*start]))
        ++*start;
    while (size > *start && is_blank(text[size - 1]))
        size--;
    return size - *start;
}

bool ks_chat_group_number(const uint8_t *text, size_t size, unsigned *number)
{
    size_t start = 0;
    size_t length = ks_chat_trim(text, size, &start);
    unsigned value = 0;
    if (length == 0)
        return false;
    for (size_t i = start; i < start + length; i++) {
        if (text[i] < '0' || text[i] > '9' || value > (UINT_MAX - 9) / 10)
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *number = value;
    return value > 0;
}

/* How long the character that begins with this byte should be; 0 when none begins with it. */
static size_t promised_length(uint8_t first)
{
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/* False when no byte after these could make a character of them (RFC 3629, section 4). */
static bool second_byte_fits(uint8_t first, uint8_t second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0 && second <= 0xbf;
    case 0xed:
        return second >= 0x80 && second <= 0x9f;
    case 0xf0:
        return second >= 0x90 && second <= 0xbf;
    case 0xf4:
        return second >= 0x80 && second <= 0x8f;
    default:
        return second >= 0x80 && second <= 0xbf;
    }
}

/* How many of the first bytes belong to a character that ends too early, or not at all: at least one. */
static size_t malformed_length(const uint8_t *bytes, size_t size)
{
    size_t promised = promised_length(bytes[0]);
    size_t length = 1;
    if (promised > 1 && size > 1 && second_byte_fits(bytes[0], bytes[1]))
        length = 2;
    while (length >= 2 && length < promised && length < size && (bytes[length] & 0xc0) == 0x80)
        length++;
    return length;
}

size_t ks_chat_unfinished(const uint8_t *bytes, size_t size)
{
    for (size_t length = 1; length <= 3 && length <= size; length++) {
        const uint8_t *start = bytes + size - length;
        if ((*start & 0xc0) == 0x80)
            continue;
        bool may_go_on = promised_length(*start) > length && malformed_length(start, length) == length;
        return may_go_on ? length : 0;
    }
    return 0;
}

/* The size of a control sequence (ECMA-48, 5.4) from behind its introducer on. */
static size_t control_sequence_size(const uint8_t *bytes, size_t size)
{
    size_t length = 0;
    while (length < size && bytes[length] >= 0x20 && bytes[length] <= 0x3f)
        length++;
    return length < size && bytes[length] >= 0x40 && bytes[length] <= 0x7e ? length + 1 : length;
}

/* The size of a control string (ECMA-48, 5.6) from behind its opening on: to BEL or ESC \, or to the end. */
static size_t control_string_size(const uint8_t *bytes, size_t size)
{
    for (size_t length = 0; length < size; length++) {
        if (bytes[length] == BELL)
            return length + 1;
        if (bytes[length] == ESCAPE)
            return length + 1 < size && bytes[length + 1] == '\\' ? length + 2 : length;
    }
    return size;
}

/* OSC, DCS, SOS, PM and APC. */
static bool opens_control_string(uint8_t byte)
{
    return byte == ']' || byte == 'P' || byte == 'X' || byte == '^' || byte == '_';
}

/* The size of an escape sequence, its ESC included. */
static size_t escape_size(const uint8_t *bytes, size_t size)
{
    if (size < 2)
        return 1;
    if (bytes[1] == '[')
        return 2 + control_sequence_size(bytes + 2, size - 2);
    if (opens_control_string(bytes[1]))
        return 2 + control_string_size(bytes + 2, size - 2);
    size_t length = 1;
    while (length < size && bytes[length] >= 0x20 && bytes[length] <= 0x2f)
        length++;
    return length < size && bytes[length] >= 0x30 && bytes[length] <= 0x7e ? length + 1 : length;
}

static bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte < DELETE;
}

/* How many plain bytes a text begins with. Most texts have no others, so a block is looked at as a whole,
 * which compilers make a few instructions of. */
static size_t plain_length(const uint8_t *text, size_t size)
{
    enum { BLOCK = 16 };
    size_t length = 0;
    bool all_plain = true;
    while (all_plain && size - length >= BLOCK) {
        for (size_t i = 0; i < BLOCK; i++)
            all_plain &= is_plain(text[length + i]);
        length += all_plain ? BLOCK : 0;
    }
    while (length < size && is_plain(text[length]))
        length++;
    return length;
}

/* What a text has that does not begin with a plain byte: an escape sequence, a character, what is none.
 * Returns how much of the text that was; what stays of it goes behind the `used` bytes of `clean`. */
static size_t clean_other(const uint8_t *text, size_t size, uint8_t *clean, size_t *used)
{
    static const uint8_t replacement[] = {0xef, 0xbf, 0xbd};
    size_t length = ks_text_utf8_length(text, size);
    if (length == 0) {
        memcpy(clean + *used, replacement, sizeof replacement);
        *used += sizeof replacement;
        return malformed_length(text, size);
    }
    if (text[0] == ESCAPE)
        return escape_size(text, size);
    if (text[0] == '\t' || ks_text_is_harmless(text, length)) {
        memcpy(clean + *used, text, length);
        *used += length;
    }
    return length;
}

size_t ks_chat_clean(const uint8_t *text, size_t size, uint8_t *clean)
{
    size_t used = 0;
    size_t at = 0;
    while (at < size) {
        size_t plain = plain_length(text + at, size - at);
        memcpy(clean + used, text + at, plain);
        used += plain;
        at += plain;
        if (at < size)
            at += clean_other(text + at, size - at, clean, &used);
    }
    return used;
}
