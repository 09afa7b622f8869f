/* text_stream.c — see text_stream.h. Each of the give_… functions writes to `out` and returns what follows.
 */
#include "cli/terminal/text_stream.h"

#include "base/text.h"

#include <string.h>

struct ks_text_stream ks_text_stream_begin(enum ks_text_form form)
{
    return (struct ks_text_stream){.form = form, .judging = form == KS_TEXT_FOR_MESSAGE};
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
    if (stream->form != KS_TEXT_FOR_JSON) {
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

static char *give_judged(struct ks_text_stream *stream, char *out, const uint8_t *bytes, size_t size)
{
    stream->at_line_start = bytes[0] == '\n';
    stream->judging = stream->form == KS_TEXT_FOR_MESSAGE && stream->at_line_start;
    return stream->form == KS_TEXT_FOR_JSON ? give_json_character(stream, out, bytes, size)
                                            : give_terminal_character(stream, out, bytes, size);
}

/* ---- lines that look like ours ---- */

static unsigned code_point(const uint8_t *bytes, size_t size)
{
    unsigned point = size == 1 ? bytes[0] : bytes[0] & (0x7FU >> size);
    for (size_t i = 1; i < size; i++)
        point = point << 6 | (bytes[i] & 0x3FU);
    return point;
}

/* Characters that take no place, so that a line with them looks as it does without (the default ignorable
 * ones of Unicode). */
static bool is_invisible(const uint8_t *bytes, size_t size)
{
    static const unsigned ranges[][2] = {
        {0xAD, 0xAD},     {0x34F, 0x34F},     {0x61C, 0x61C},     {0x115F, 0x1160},
        {0x17B4, 0x17B5}, {0x180B, 0x180F},   {0x200B, 0x200F},   {0x2060, 0x206F},
        {0x3164, 0x3164}, {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},
        {0xFFF0, 0xFFF8}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
    };
    unsigned point = code_point(bytes, size);
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (point >= ranges[i][0] && point <= ranges[i][1])
            return true;
    return false;
}

/* Ours, each with a beginning of its own. */
static const char *ours_beginning_with(uint8_t byte)
{
    static const char *const ours[] = {"From: ", "Content:", "-----<EOM>-----"};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if ((uint8_t)ours[i][0] == byte)
            return ours[i];
    return NULL;
}

/* The line's beginning is what it is: gives it out. */
static char *give_pending(struct ks_text_stream *stream, char *out)
{
    size_t done = 0;
    while (done < stream->pending_size) {
        size_t size = ks_text_utf8_length(stream->pending + done, stream->pending_size - done);
        out = give_judged(stream, out, stream->pending + done, size);
        done += size;
    }
    stream->judging = false;
    stream->like = NULL;
    stream->matched = 0;
    stream->pending_size = 0;
    return out;
}

static char *give_marked(struct ks_text_stream *stream, char *out)
{
    return give_pending(stream, give_bytes(out, "> ", 2));
}

/* A character while it is open what the line looks like. */
static char *judge(struct ks_text_stream *stream, char *out, const uint8_t *bytes, size_t size)
{
    if (stream->matched == 0 && stream->like == NULL)
        stream->like = ours_beginning_with(bytes[0]);
    bool goes_on = stream->like != NULL && bytes[0] == (uint8_t)stream->like[stream->matched];
    if (!goes_on && !is_invisible(bytes, size))
        return give_judged(stream, give_pending(stream, out), bytes, size);
    if (stream->pending_size + size >
        sizeof stream->pending) /* nobody begins a line like that in good faith */
        return give_judged(stream, give_marked(stream, out), bytes, size);
    memcpy(stream->pending + stream->pending_size, bytes, size);
    stream->pending_size += size;
    stream->matched += goes_on ? 1 : 0;
    bool is_like_ours = goes_on && stream->like[stream->matched] == '\0';
    return is_like_ours ? give_marked(stream, out) : out;
}

/* ---- characters ---- */

/* A whole, well-formed character. */
static char *give_character(struct ks_text_stream *stream, char *out, const uint8_t *bytes, size_t size)
{
    return stream->judging ? judge(stream, out, bytes, size) : give_judged(stream, out, bytes, size);
}

static char *give_replacement(struct ks_text_stream *stream, char *out)
{
    out = give_pending(stream, out);
    if (stream->return_held)
        out = give_held_return(stream, out);
    stream->at_line_start = false;
    return stream->form == KS_TEXT_FOR_JSON ? give_bytes(out, "\\ufffd", 6)
                                            : give_bytes(out, "\xEF\xBF\xBD", 3);
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
    if (stream->held_size > 0 || stream->return_held || stream->judging)
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
    char *next = give_pending(stream, out);
    if (stream->held_size > 0)
        next = give_replacement(stream, next);
    if (stream->return_held)
        next = give_held_return(stream, next);
    stream->held_size = 0;
    return (size_t)(next - out);
}
