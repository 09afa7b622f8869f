/* json.h — flat JSON objects, one to a line: texts, whole numbers, true, false and null by name (RFC 8259).
 * Pure functions on bytes: no I/O, no allocation; any thread.
 */
#ifndef KS_WIRE_JSON_H
#define KS_WIRE_JSON_H

#include "base/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes into `line`, which must outlive it. The first call that finds no room makes all of it fail. */
struct ks_json_writer {
    char *line;
    size_t capacity;
    size_t size;
    bool failed;
};

/* Begins an object. */
struct ks_json_writer ks_json_begin(char *line, size_t capacity);

/* Members. Bytes below 0x20, DEL, '"' and '\' are escaped; that `text` is UTF-8 is the caller's business. */
void ks_json_text(struct ks_json_writer *writer, const char *name, const char *text, size_t size);
void ks_json_number(struct ks_json_writer *writer, const char *name, uint64_t number);
void ks_json_flag(struct ks_json_writer *writer, const char *name, bool flag);
void ks_json_null(struct ks_json_writer *writer, const char *name);

/* Ends the object and the line with LF. Returns the size of the line, 0 when it had no room. */
size_t ks_json_end(struct ks_json_writer *writer);

/* ---- reading ---- */

enum { KS_JSON_TEXT_LIMIT = 1024 }; /* bytes of a name or a text */

enum ks_json_kind { KS_JSON_TEXT, KS_JSON_NUMBER, KS_JSON_TRUE, KS_JSON_FALSE, KS_JSON_NULL };

struct ks_json_member {
    char name[KS_JSON_TEXT_LIMIT + 1];
    enum ks_json_kind kind;
    char text[KS_JSON_TEXT_LIMIT + 1]; /* of KS_JSON_TEXT, with a NUL behind it */
    size_t text_size;
    uint64_t number; /* of KS_JSON_NUMBER */
};

struct ks_json_reader {
    const char *next;
    const char *end;
    bool begun;
};

struct ks_json_reader ks_json_read(const char *line, size_t size);

/* The next member. KS_OK; KS_NOT_FOUND after the last, when nothing but blanks follows; KS_INVALID for what
 * is no flat object, a number that is none of 64 bits without sign, a character above U+007F that is escaped;
 * KS_TOO_LARGE for long texts. */
enum ks_result ks_json_next(struct ks_json_reader *reader, struct ks_json_member *member);

#endif
