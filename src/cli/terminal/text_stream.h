/* text_stream.h — a text of any size that a stranger wrote, made safe piece by piece: for a terminal, or as
 * the inside of a JSON string. Characters may be cut anywhere by the pieces. Pure; any thread.
 *
 * In every form what is not UTF-8 becomes U+FFFD, once for each longest beginning of a character.
 * For a terminal newlines and tabs stay, CR LF becomes a newline, and every other character that is neither
 * ks_text_is_harmless nor a mark of direction becomes \xNN, byte by byte, as in ks_text_escape; backslashes
 * stay.
 * For a message, which stands between lines of our own, the same, and a line that could be taken for one of
 * those ("From: ", "Content:" or "-----<EOM>-----" at its beginning, whatever invisible characters are in
 * between) is preceded by "> ".
 * For JSON nothing is lost: what cannot be shown, and what JSON wants escaped, becomes an escape sequence.
 */
#ifndef KS_CLI_TERMINAL_TEXT_STREAM_H
#define KS_CLI_TERMINAL_TEXT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ks_text_form { KS_TEXT_FOR_TERMINAL, KS_TEXT_FOR_MESSAGE, KS_TEXT_FOR_JSON };

enum { KS_TEXT_STREAM_PENDING = 48 };

struct ks_text_stream {
    enum ks_text_form form;
    bool return_held;   /* a CR came, whose LF may follow */
    bool at_line_start; /* the last character given out was a newline; false before the first */
    size_t held_size;   /* of the character that the last piece cut */
    uint8_t held[4];
    /* For a message: the beginning of a line, until it is known whether it looks like one of ours. */
    bool judging;
    const char *like; /* which of ours it may become; NULL at its beginning */
    size_t matched;   /* how much of that */
    size_t pending_size;
    uint8_t pending[KS_TEXT_STREAM_PENDING];
};

enum {
    /* `out` needs this much room for each byte of a piece, and the rest once. */
    KS_TEXT_STREAM_GROWTH = 6,
    KS_TEXT_STREAM_REST = 24 + 4 * KS_TEXT_STREAM_PENDING,
};

struct ks_text_stream ks_text_stream_begin(enum ks_text_form form);

/* Converts a piece into `out`; how many bytes that gave. No NUL is added. */
size_t ks_text_stream_convert(struct ks_text_stream *stream, const void *piece, size_t size, char *out);

/* What the end of the text leaves: KS_TEXT_STREAM_REST bytes of room are enough. */
size_t ks_text_stream_end(struct ks_text_stream *stream, char *out);

#endif
