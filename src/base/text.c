/* text.c — see text.h. */
#include "base/text.h"

#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

bool ks_text_is_user_name(const char *text, size_t size)
{
    if (size < 1 || size > 254)
        return false;
    bool all_blank = true;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
        if (text[i] != ' ')
            all_blank = false;
    }
    return !all_blank;
}

bool ks_text_is_new_user_name(const char *text, size_t size)
{
    return ks_text_is_user_name(text, size) && text[0] != ' ' && text[size - 1] != ' ';
}

static char lower_of(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

void ks_text_to_lower(const char *text, size_t size, char *lower)
{
    for (size_t i = 0; i < size; i++)
        lower[i] = lower_of(text[i]);
}

bool ks_text_equals_in_any_case(const char *one, const char *other, size_t size)
{
    size_t same = 0;
    while (same < size && lower_of(one[same]) == lower_of(other[same]))
        same++;
    return same == size;
}

static bool is_continuation(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

size_t ks_text_utf8_length(const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return 0;
    uint8_t lead = bytes[0];
    if (lead < 0x80)
        return 1;
    size_t length = lead >= 0xC2 && lead <= 0xDF   ? 2
                    : lead >= 0xE0 && lead <= 0xEF ? 3
                    : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                   : 0;
    if (length == 0 || size < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if (!is_continuation(bytes[i]))
            return 0;
    if ((lead == 0xE0 && bytes[1] < 0xA0) || (lead == 0xED && bytes[1] > 0x9F) ||
        (lead == 0xF0 && bytes[1] < 0x90) || (lead == 0xF4 && bytes[1] > 0x8F))
        return 0;
    return length;
}

size_t ks_text_cut(const uint8_t *bytes, size_t size, size_t limit)
{
    if (size <= limit)
        return size;
    /* Step back to the character that contains byte `limit`; at most three continuation bytes lie before it.
     */
    for (size_t back = 0; back < 4 && back <= limit; back++) {
        size_t start = limit - back;
        if (is_continuation(bytes[start]))
            continue;
        size_t length = ks_text_utf8_length(bytes + start, size - start);
        return length > back ? start : limit;
    }
    return limit;
}

/* The number of a well-formed character of at most three bytes. */
static unsigned code_point(const uint8_t *bytes, size_t size)
{
    switch (size) {
    case 1:
        return bytes[0];
    case 2:
        return (bytes[0] & 0x1FU) << 6 | (bytes[1] & 0x3FU);
    default:
        return (bytes[0] & 0x0FU) << 12 | (bytes[1] & 0x3FU) << 6 | (bytes[2] & 0x3FU);
    }
}

bool ks_text_is_direction_mark(const uint8_t *bytes, size_t size)
{
    if (size < 2 || size > 3 || ks_text_utf8_length(bytes, size) != size)
        return false;
    unsigned point = code_point(bytes, size);
    return point == 0x061C || point == 0x200E || point == 0x200F;
}

bool ks_text_is_harmless(const uint8_t *bytes, size_t size)
{
    static const struct {
        unsigned first;
        unsigned last;
    } harmful[] = {{0x00, 0x1F},     {0x7F, 0x9F},     {0x061C, 0x061C}, {0x200E, 0x200F},
                   {0x2028, 0x202E}, {0x2066, 0x206F}, {0xFEFF, 0xFEFF}};
    if (size == 0 || ks_text_utf8_length(bytes, size) != size)
        return false;
    if (size > 3)
        return true;
    unsigned point = code_point(bytes, size);
    for (size_t i = 0; i < sizeof harmful / sizeof harmful[0]; i++)
        if (point >= harmful[i].first && point <= harmful[i].last)
            return false;
    return true;
}

static void escape_byte(uint8_t byte, char *piece)
{
    piece[0] = '\\';
    piece[1] = 'x';
    piece[2] = hex_digits[byte >> 4];
    piece[3] = hex_digits[byte & 15];
}

enum { LONGEST_PIECE = 12 }; /* three bytes of a character that is not harmless; those of four all are */

static size_t escape_one(const uint8_t *bytes, size_t size, bool quoted, char *piece, size_t *piece_size)
{
    size_t length = ks_text_utf8_length(bytes, size);
    if (ks_text_is_harmless(bytes, length) && bytes[0] != '\\' && !(quoted && bytes[0] == '"')) {
        memcpy(piece, bytes, length);
        *piece_size = length;
        return length;
    }
    size_t taken = length == 0 ? 1 : length;
    for (size_t i = 0; i < taken; i++)
        escape_byte(bytes[i], piece + 4 * i);
    *piece_size = 4 * taken;
    return taken;
}

static char *escape(const uint8_t *bytes, size_t size, bool quoted, char *escaped, size_t capacity)
{
    size_t used = 0;
    size_t room_for_dots = 0; /* the last length after which "..." and the NUL still fit */
    while (size > 0) {
        char piece[LONGEST_PIECE];
        size_t piece_size = 0;
        size_t taken = escape_one(bytes, size, quoted, piece, &piece_size);
        if (used + piece_size + 1 > capacity) {
            memcpy(escaped + room_for_dots, "...", 4);
            return escaped;
        }
        memcpy(escaped + used, piece, piece_size);
        used += piece_size;
        if (used + 4 <= capacity)
            room_for_dots = used;
        bytes += taken;
        size -= taken;
    }
    escaped[used] = '\0';
    return escaped;
}

char *ks_text_escape(const void *text, size_t size, char *escaped, size_t capacity)
{
    return escape(text, size, false, escaped, capacity);
}

char *ks_text_escape_quoted(const void *text, size_t size, char *escaped, size_t capacity)
{
    return escape(text, size, true, escaped, capacity);
}

static bool is_all_harmless(const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        size_t taken = ks_text_utf8_length(bytes, size);
        if (taken == 0 || !ks_text_is_harmless(bytes, taken))
            return false;
        bytes += taken;
        size -= taken;
    }
    return true;
}

char *ks_text_shell_word(const char *text, char *word, size_t capacity)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:@%+,-";
    size_t size = strlen(text);
    size_t used = 0;
    if (size > 0 && size < capacity && text[0] != '-' && strspn(text, plain) == size)
        return memcpy(word, text, size + 1);
    if (!is_all_harmless((const uint8_t *)text, size))
        return ks_text_escape(text, size, word, capacity);
    word[used++] = '\'';
    for (size_t i = 0; i < size; i++) {
        static const char quote[] = "'\\''";
        size_t piece = text[i] == '\'' ? sizeof quote - 1 : 1;
        if (used + piece + sizeof "'" > capacity)
            return ks_text_escape(text, size, word, capacity);
        memcpy(word + used, text[i] == '\'' ? quote : text + i, piece);
        used += piece;
    }
    memcpy(word + used, "'", sizeof "'");
    return word;
}

void ks_text_to_hex(const uint8_t *bytes, size_t size, char *hex)
{
    for (size_t i = 0; i < size; i++) {
        hex[2 * i] = hex_digits[bytes[i] >> 4];
        hex[2 * i + 1] = hex_digits[bytes[i] & 15];
    }
    hex[2 * size] = '\0';
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

bool ks_text_from_hex(const char *hex, size_t hex_size, uint8_t *bytes, size_t size)
{
    size_t count = 0;
    size_t i = 0;
    while (i < hex_size) {
        if (hex[i] == ' ' || hex[i] == '\t') {
            i++;
            continue;
        }
        if (i + 1 >= hex_size || count == size)
            return false;
        int high = hex_digit(hex[i]);
        int low = hex_digit(hex[i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[count++] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    return count == size;
}
