/* json.c — see json.h. */
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- writing ---- */

static void put(struct ks_json_writer *writer, const char *bytes, size_t size)
{
    if (writer->failed || size > writer->capacity - writer->size) {
        writer->failed = true;
        return;
    }
    memcpy(writer->line + writer->size, bytes, size);
    writer->size += size;
}

static void put_character(struct ks_json_writer *writer, char character)
{
    unsigned char code = (unsigned char)character;
    char escaped[8] = {character};
    if (code == '"' || code == '\\')
        snprintf(escaped, sizeof escaped, "\\%c", character);
    else if (code < 0x20 || code == 0x7f)
        snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)code);
    put(writer, escaped, escaped[1] != '\0' ? strlen(escaped) : 1);
}

static void put_text(struct ks_json_writer *writer, const char *text, size_t size)
{
    put(writer, "\"", 1);
    for (size_t i = 0; i < size; i++)
        put_character(writer, text[i]);
    put(writer, "\"", 1);
}

static void put_name(struct ks_json_writer *writer, const char *name)
{
    if (writer->size > 1)
        put(writer, ",", 1);
    put_text(writer, name, strlen(name));
    put(writer, ":", 1);
}

struct ks_json_writer ks_json_begin(char *line, size_t capacity)
{
    struct ks_json_writer writer = {.line = line, .capacity = capacity, .size = 0, .failed = false};
    put(&writer, "{", 1);
    return writer;
}

void ks_json_text(struct ks_json_writer *writer, const char *name, const char *text, size_t size)
{
    put_name(writer, name);
    put_text(writer, text, size);
}

void ks_json_number(struct ks_json_writer *writer, const char *name, uint64_t number)
{
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%" PRIu64, number);
    put_name(writer, name);
    put(writer, digits, (size_t)size);
}

static void put_word(struct ks_json_writer *writer, const char *name, const char *word)
{
    put_name(writer, name);
    put(writer, word, strlen(word));
}

void ks_json_flag(struct ks_json_writer *writer, const char *name, bool flag)
{
    put_word(writer, name, flag ? "true" : "false");
}

void ks_json_null(struct ks_json_writer *writer, const char *name)
{
    put_word(writer, name, "null");
}

size_t ks_json_end(struct ks_json_writer *writer)
{
    put(writer, "}\n", 2);
    return writer->failed ? 0 : writer->size;
}

/* ---- reading ---- */

struct ks_json_reader ks_json_read(const char *line, size_t size)
{
    return (struct ks_json_reader){.next = line, .end = line + size, .begun = false};
}

/* The next character that is no blank; NUL at the end. */
static char peek(struct ks_json_reader *reader)
{
    while (reader->next < reader->end && strchr(" \t\r\n", *reader->next) != NULL && *reader->next != '\0')
        reader->next++;
    return reader->next < reader->end ? *reader->next : '\0';
}

static bool take(struct ks_json_reader *reader, char character)
{
    if (peek(reader) != character || reader->next == reader->end)
        return false;
    reader->next++;
    return true;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* What follows "\u"; -1 unless it is ASCII. */
static int take_code(struct ks_json_reader *reader)
{
    int code = 0;
    if (reader->end - reader->next < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(*reader->next++);
        if (digit < 0)
            return -1;
        code = code * 16 + digit;
    }
    return code < 0x80 ? code : -1;
}

/* What follows a backslash; -1 when it may not. */
static int take_escape(struct ks_json_reader *reader)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    if (reader->next == reader->end)
        return -1;
    char letter = *reader->next++;
    if (letter == 'u')
        return take_code(reader);
    const char *found = letter != '\0' ? strchr(letters, letter) : NULL;
    return found != NULL ? meanings[found - letters] : -1;
}

static enum ks_result take_text(struct ks_json_reader *reader, char text[static KS_JSON_TEXT_LIMIT + 1],
                                size_t *size)
{
    *size = 0;
    if (!take(reader, '"'))
        return KS_INVALID;
    while (reader->next < reader->end && *reader->next != '"') {
        int character = (unsigned char)*reader->next++;
        if (character < 0x20)
            return KS_INVALID;
        if (character == '\\')
            character = take_escape(reader);
        if (character < 0)
            return KS_INVALID;
        if (*size == KS_JSON_TEXT_LIMIT)
            return KS_TOO_LARGE;
        text[(*size)++] = (char)character;
    }
    text[*size] = '\0';
    return take(reader, '"') ? KS_OK : KS_INVALID;
}

static enum ks_result take_number(struct ks_json_reader *reader, uint64_t *number)
{
    const char *start = reader->next;
    *number = 0;
    while (reader->next < reader->end && *reader->next >= '0' && *reader->next <= '9') {
        unsigned digit = (unsigned)(*reader->next++ - '0');
        if (__builtin_mul_overflow(*number, 10, number) || __builtin_add_overflow(*number, digit, number))
            return KS_INVALID;
    }
    bool none = reader->next == start;
    bool padded = !none && *start == '0' && reader->next - start > 1;
    return none || padded ? KS_INVALID : KS_OK;
}

static enum ks_result take_word(struct ks_json_reader *reader, enum ks_json_kind *kind)
{
    static const struct {
        const char *word;
        enum ks_json_kind kind;
    } words[] = {{"true", KS_JSON_TRUE}, {"false", KS_JSON_FALSE}, {"null", KS_JSON_NULL}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t size = strlen(words[i].word);
        if ((size_t)(reader->end - reader->next) < size || memcmp(reader->next, words[i].word, size) != 0)
            continue;
        reader->next += size;
        *kind = words[i].kind;
        return KS_OK;
    }
    return KS_INVALID;
}

static enum ks_result take_value(struct ks_json_reader *reader, struct ks_json_member *member)
{
    char first = peek(reader);
    member->text_size = 0;
    member->number = 0;
    if (first == '"') {
        member->kind = KS_JSON_TEXT;
        return take_text(reader, member->text, &member->text_size);
    }
    if (first >= '0' && first <= '9') {
        member->kind = KS_JSON_NUMBER;
        return take_number(reader, &member->number);
    }
    return take_word(reader, &member->kind);
}

enum ks_result ks_json_next(struct ks_json_reader *reader, struct ks_json_member *member)
{
    size_t name_size = 0;
    bool first = !reader->begun;
    if (first && !take(reader, '{'))
        return KS_INVALID;
    reader->begun = true;
    if (take(reader, '}'))
        return peek(reader) == '\0' && reader->next == reader->end ? KS_NOT_FOUND : KS_INVALID;
    if (!first && !take(reader, ','))
        return KS_INVALID;
    enum ks_result result = take_text(reader, member->name, &name_size);
    if (result != KS_OK)
        return result;
    return take(reader, ':') ? take_value(reader, member) : KS_INVALID;
}
