/* text.h — text that came from strangers: checks, escapes, cuts, hex. Pure; any thread. */
#ifndef KS_BASE_TEXT_H
#define KS_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True for 1–254 bytes of printable ASCII (0x20–0x7e), not all blank: a name that a user may have. */
bool ks_text_is_user_name(const char *text, size_t size);

/* True for a name that can be registered: one of those without a blank at either end (protocol.md §1). Users
 * who registered when those were allowed keep them. */
bool ks_text_is_new_user_name(const char *text, size_t size);

/* Writes `size` bytes with the letters of ASCII in lower case. */
void ks_text_to_lower(const char *text, size_t size, char *lower);

/* Whether two texts of `size` bytes differ in the case of ASCII's letters at most, whatever the locale. */
bool ks_text_equals_in_any_case(const char *one, const char *other, size_t size);

/* How many bytes the well-formed UTF-8 character at `bytes` takes (1–4; RFC 3629, so no surrogates, no
 * overlong forms); 0 when it is malformed or `size` ends inside it. */
size_t ks_text_utf8_length(const uint8_t *bytes, size_t size);

/* The largest cut <= `limit` of `size` bytes that splits no UTF-8 character. Malformed bytes count as
 * characters of one byte. */
size_t ks_text_cut(const uint8_t *bytes, size_t size, size_t limit);

/* True for a character that is only seen: `bytes` is one well-formed UTF-8 character, and none of these:
 *
 *   U+0000–U+001F, U+007F–U+009F   controls (C0, DEL, C1)
 *   U+2028, U+2029                 ends of lines and paragraphs, where only LF is expected to be one
 *   U+202A–U+202E, U+2066–U+206F   turn the direction of the text behind them, or other habits of it
 *   U+061C, U+200E, U+200F         marks of direction (ks_text_is_direction_mark)
 *   U+FEFF                         the mark of byte order
 *
 * The joiners U+200C and U+200D are harmless: scripts and emoji need them. */
bool ks_text_is_harmless(const uint8_t *bytes, size_t size);

/* True for U+061C, U+200E and U+200F: not seen, and otherwise like a letter of their direction. In a text of
 * many lines they do no harm, and keyboards put them there; in a name nobody can tell that they are there. */
bool ks_text_is_direction_mark(const uint8_t *bytes, size_t size);

/* Makes `text` safe for a log line or a terminal: backslashes, bytes that are no UTF-8 and characters that
 * are not ks_text_is_harmless become \xNN, byte by byte. Always NUL-terminated; what does not fit is cut and
 * ends in "...". Returns `escaped`. `capacity` at least 8. */
char *ks_text_escape(const void *text, size_t size, char *escaped, size_t capacity);

/* The same of what stands between quotation marks: such a mark inside it becomes \x22, so that it cannot end
 * there. */
char *ks_text_escape_quoted(const void *text, size_t size, char *escaped, size_t capacity);

/* Makes `text` one word of a shell's command line, for a command that a person is told to type: as it is, or
 * in single quotes. What is not harmless, or does not fit, is shown as ks_text_escape does, and is no command
 * then. Always NUL-terminated. Returns `word`. `capacity` at least 16. */
char *ks_text_shell_word(const char *text, char *word, size_t capacity);

/* Lower-case hex of `bytes` with a NUL; `hex` has room for 2 * size + 1. */
void ks_text_to_hex(const uint8_t *bytes, size_t size, char *hex);

/* Reads exactly 2 * size hex digits of either case, blanks between pairs allowed, blanks around allowed.
 * False when there are other characters, or fewer or more digits. */
bool ks_text_from_hex(const char *hex, size_t hex_size, uint8_t *bytes, size_t size);

#endif
