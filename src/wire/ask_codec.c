/* ask_codec.c — see ask_codec.h. */
#include "wire/ask_codec.h"

#include "base/bytes.h"

#include <string.h>

_Static_assert(sizeof KS_ASK_BANNER - 1 == KS_ASK_BANNER_SIZE, "clients read exactly so much");

/* Four letters as one number, whatever their case: only 'T' and 't' become 't' when 0x20 is set in them. */
#define FOLDED(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define LOWER_CASE         UINT32_C(0x20202020)

static bool is_line_end(uint8_t byte)
{
    return byte == '\r' || byte == '\n';
}

static enum ks_ask_request request_named(const uint8_t *name, size_t size)
{
    if (size != KS_ASK_REQUEST_SIZE)
        return KS_ASK_UNKNOWN;
    switch (ks_load_u32(name) | LOWER_CASE) {
    case FOLDED('t', 'i', 'm', 'e'):
        return KS_ASK_TIME;
    case FOLDED('n', 'a', 'm', 'e'):
        return KS_ASK_NAME;
    case FOLDED('r', 'a', 'n', 'd'):
        return KS_ASK_RAND;
    case FOLDED('s', 't', 'a', 't'):
        return KS_ASK_STAT;
    case FOLDED('e', 'x', 'i', 't'):
        return KS_ASK_EXIT;
    default:
        return KS_ASK_UNKNOWN;
    }
}

enum ks_result ks_ask_greeting(const uint8_t *bytes, size_t size, size_t *greeting_size)
{
    static const uint8_t usual[] = {'H', 'i'};
    if (size == 1 && bytes[0] == usual[0])
        return KS_MORE;
    bool is_usual = size >= sizeof usual && memcmp(bytes, usual, sizeof usual) == 0;
    size_t rest = is_usual ? size - sizeof usual : 0;
    const uint8_t *next = bytes + sizeof usual;
    is_usual = is_usual &&
               (rest == 0 || is_line_end(*next) ||
                (rest >= KS_ASK_REQUEST_SIZE && request_named(next, KS_ASK_REQUEST_SIZE) != KS_ASK_UNKNOWN));
    *greeting_size = is_usual ? sizeof usual : size;
    return KS_OK;
}

enum ks_result ks_ask_request_parse(const uint8_t *bytes, size_t size, enum ks_ask_request *request,
                                    size_t *taken)
{
    size_t start = 0;
    while (start < size && is_line_end(bytes[start]))
        start++;
    *request = request_named(bytes + start, size - start < KS_ASK_REQUEST_SIZE ? 0 : KS_ASK_REQUEST_SIZE);
    if (*request != KS_ASK_UNKNOWN) { /* so there is no end of a line in it */
        *taken = start + KS_ASK_REQUEST_SIZE;
        return KS_OK;
    }
    size_t length = 0;
    while (length < KS_ASK_REQUEST_SIZE && start + length < size && !is_line_end(bytes[start + length]))
        length++;
    *taken = start;
    if (length < KS_ASK_REQUEST_SIZE && start + length == size)
        return KS_MORE;
    *request = request_named(bytes + start, length);
    *taken = start + length;
    return KS_OK;
}

/* Two digits at a time: what answers in a row cost is mostly this. */
void ks_ask_length_encode(size_t size, uint8_t digits[static KS_ASK_LENGTH_SIZE])
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    const uint32_t rest = (uint32_t)size % (KS_ASK_ANSWER_LIMIT + 1);
    memcpy(digits, pairs + 2 * (size_t)(rest / 100), 2);
    memcpy(digits + 2, pairs + 2 * (size_t)(rest % 100), 2);
}

enum ks_result ks_ask_length_parse(const uint8_t digits[static KS_ASK_LENGTH_SIZE], size_t *size)
{
    *size = 0;
    for (size_t i = 0; i < KS_ASK_LENGTH_SIZE; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return KS_INVALID;
        *size = *size * 10 + (size_t)(digits[i] - '0');
    }
    return KS_OK;
}
