/* text_stream.c — see text_stream.h. Each of the give_… functions writes to `out` and returns what follows.
 */
#include "cli/text_stream.h"

#include "base/text.h"

#include <string.h>

struct ks_text_stream ks_text_stream_begin(enum ks_text_form form)
{
    return (struct ks_text_stream){.form = form};
}

static char *give_bytes(char *out, const void *bytes, size_t size)
{
    memcpy(out, bytes, size);
    return out + size;
}

static char *give_hex(char *out, const char *prefix, const uint8_t *bytes, size_t size)
{
    char hex[2 * 4 + 1];
    ks_text_to_hex(bytes, size, hex);
    out = give_bytes(out, prefix, strlen(prefix));
    return give_bytes(out, hex, 2 * size);
}

static bool can_be_shown(const uint8_t *bytes, size_t size)
{
    return ks_text_is_harmless(bytes, size) || ks_text_is_direction_mark(bytes, size);
}

/* A character that cannot be shown. None of those has more than three bytes. */
static char *give_escaped(const struct ks_text_stream *stream, char *out, const uint8_t *bytes, size_t size)
{
    if (stream->form == KS_TEXT_FOR_TERMINAL) {
        for (size_t i = 0; i < size; i++)
            out = give_hex(out, "\\x", bytes + i, 1);
        return out;
    }
    unsigned point = size == 1   ? bytes[0]
                     : size == 2 ? (bytes[0] & 0x1FU) << 6 | (bytes[1] & 0x3FU)
                                 : (bytes[0] & 0x0FU) << 12 | (bytes[1] & 0x3FU) << 6 | (bytes[2] & 0x3FU);
    const uint8_t both[2] = {(uint8_t)(point >> 8), (uint8_t)point};
    return give_hex(out, "\\u", both, 2);
}

/* A CR that no LF follows is shown. */
static char *give_held_return(struct ks_text_stream *stream, char *out)
{
    static const uint8_t carriage_return = '\r';
    stream->return_held = false;
    return give_escaped(stream, out, &carriage_return, 1);
}

static char *give_replacement(struct ks_text_stream *stream, char *out)
{
    if (stream->return_held)
        out = give_held_return(stream, out);
    stream->at_line_start = false;
    return stream->form == KS_TEXT_FOR_JSON ? give_bytes(out, "\\ufffd", 6)
                                            : give_bytes(out, "\xEF\xBF\xBD", 3);
}

static char *give_json_character(const struct ks_text_stream *stream, char *out, const uint8_t *bytes,
                                 size_t size)
{
    switch (bytes[0]) {
    case '"':
        return give_bytes(out, "\\\"", 2);
    case '\\':
        return give_bytes(out, "\\\\", 2);
    case '\n':
        return give_bytes(out, "\\n", 2);
    case '\t':
        return give_bytes(out, "\\t", 2);
    default:
        return can_be_shown(bytes, size) ? give_bytes(out, bytes, size)
                                         : give_escaped(stream, out, bytes, size);
    }
}

static char *give_terminal_character(struct ks_text_stream *stream, char *out, const uint8_t *bytes,
                                     size_t size)
{
    if (bytes[0] == '\n')
        stream->return_held = false;
    if (stream->return_held)
        out = give_held_return(stream, out);
    if (bytes[0] == '\r') {
        stream->return_held = true;
        return out;
    }
    if (bytes[0] == '\n' || bytes[0] == '\t' || can_be_shown(bytes, size))
        return give_bytes(out, bytes, size);
    return give_escaped(stream, out, bytes, size);
}

/* A whole, well-formed character. */
static char *give_character(struct ks_text_stream *stream, char *out, const uint8_t *bytes, size_t size)
{
    stream->at_line_start = bytes[0] == '\n';
    return stream->form == KS_TEXT_FOR_JSON ? give_json_character(stream, out, bytes, size)
                                            : give_terminal_character(stream, out, bytes, size);
}

/* True when a well-formed character of more than one byte can begin with these: the bytes after the second
 * are not bound to the first, so any of them completes it. */
static bool can_begin_character(const uint8_t *bytes, size_t size)
{
    uint8_t completed[4] = {0x80, 0x80, 0x80, 0x80};
    if (size == 1)
        return bytes[0] >= 0xC2 && bytes[0] <= 0xF4;
    memcpy(completed, bytes, size);
    return ks_text_utf8_length(completed, sizeof completed) >= size;
}

static char *take_byte(struct ks_text_stream *stream, char *out, uint8_t byte)
{
    stream->held[stream->held_size] = byte;
    if (stream->held_size > 0 && !can_begin_character(stream->held, stream->held_size + 1)) {
        out = give_replacement(stream, out);
        stream->held[0] = byte;
        stream->held_size = 0;
    }
    stream->held_size++;
    bool is_whole = ks_text_utf8_length(stream->held, stream->held_size) == stream->held_size;
    if (!is_whole && can_begin_character(stream->held, stream->held_size))
        return out;
    out = is_whole ? give_character(stream, out, stream->held, stream->held_size)
                   : give_replacement(stream, out);
    stream->held_size = 0;
    return out;
}

static bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/* How many bytes can be copied as they are: most of most texts. */
static size_t plain_run(const struct ks_text_stream *stream, const uint8_t *bytes, size_t size)
{
    size_t run = 0;
    if (stream->held_size > 0 || stream->return_held)
        return 0;
    while (run < size && is_plain(bytes[run]))
        run++;
    return run;
}

size_t ks_text_stream_convert(struct ks_text_stream *stream, const void *piece, size_t size, char *out)
{
    const uint8_t *bytes = piece;
    char *next = out;
    while (size > 0) {
        size_t taken = plain_run(stream, bytes, size);
        if (taken > 0) {
            next = give_bytes(next, bytes, taken);
            stream->at_line_start = false;
        } else {
            next = take_byte(stream, next, bytes[0]);
            taken = 1;
        }
        bytes += taken;
        size -= taken;
    }
    return (size_t)(next - out);
}

size_t ks_text_stream_end(struct ks_text_stream *stream, char *out)
{
    char *next = out;
    if (stream->held_size > 0)
        next = give_replacement(stream, next);
    if (stream->return_held)
        next = give_held_return(stream, next);
    stream->held_size = 0;
    return (size_t)(next - out);
}
