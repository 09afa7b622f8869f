/* chat_reader.c — see chat_reader.h. */
#include "client/chat/chat_reader.h"

#include "base/text.h"
#include "wire/chat_codec.h"

#include <string.h>

/* What follows the name in KS_CHAT_HAS_LEFT, and what a message has there. */
#define HAS_LEFT " has removed from the group "
#define SAYS     ": "

static const struct {
    enum ks_chat_text kind;
    const char *text; /* %u stands for a number */
} texts[] = {
    {KS_CHAT_TEXT_MENU, KS_CHAT_MENU},
    {KS_CHAT_TEXT_ASK_NAME, KS_CHAT_ASK_NAME},
    {KS_CHAT_TEXT_ASK_GROUP, KS_CHAT_ASK_GROUP},
    {KS_CHAT_TEXT_NO_GROUP, KS_CHAT_NO_GROUP},
    {KS_CHAT_TEXT_ASK_PASSWORD, KS_CHAT_ASK_PASSWORD},
    {KS_CHAT_TEXT_WRONG_PASSWORD, KS_CHAT_WRONG_PASSWORD},
    {KS_CHAT_TEXT_ASK_NEW_PASSWORD, KS_CHAT_ASK_NEW_PASSWORD},
    {KS_CHAT_TEXT_JOINED, KS_CHAT_JOINED},
    {KS_CHAT_TEXT_CREATED, KS_CHAT_CREATED},
    {KS_CHAT_TEXT_EXIT, KS_CHAT_EXIT},
    {KS_CHAT_TEXT_INVALID_OPTION, KS_CHAT_INVALID_OPTION},
    {KS_CHAT_TEXT_FULL, KS_CHAT_FULL},
};

enum { TEXT_COUNT = sizeof texts / sizeof texts[0], DIGITS_LIMIT = 10 };

enum likeness { DIFFERENT, BEGINS_LIKE, WHOLE };

/* The course's own server was written in a word processor, which typesets. */
static const struct {
    const char *plain;
    const char *typeset;
} spellings[] = {
    {"'", "\u2019"},
    {"...", "\u2026"},
};

enum { SPELLING_COUNT = sizeof spellings / sizeof spellings[0] };

void ks_chat_reader_init(struct ks_chat_reader *reader, bool chunk_mode)
{
    reader->chunk_mode = chunk_mode;
    reader->member = false;
    reader->ended = false;
    reader->in_line = false;
    reader->begin = 0;
    reader->end = 0;
}

uint8_t *ks_chat_reader_room(struct ks_chat_reader *reader, size_t *room)
{
    memmove(reader->bytes, reader->bytes + reader->begin, reader->end - reader->begin);
    reader->end -= reader->begin;
    reader->begin = 0;
    *room = KS_CHAT_READER_SIZE - reader->end;
    return reader->bytes + reader->end;
}

void ks_chat_reader_add(struct ks_chat_reader *reader, size_t size)
{
    reader->end += size;
}

void ks_chat_reader_end(struct ks_chat_reader *reader)
{
    reader->ended = true;
}

static size_t count_digits(const uint8_t *bytes, size_t size)
{
    size_t count = 0;
    while (count < size && bytes[count] >= '0' && bytes[count] <= '9')
        count++;
    return count;
}

/* What stands next in a text, in either spelling: *known bytes of the text are *taken ones here. */
static enum likeness compare_next(const char *text, const uint8_t *bytes, size_t size, size_t *known,
                                  size_t *taken)
{
    *known = 1;
    *taken = 1;
    if (bytes[0] == (uint8_t)*text)
        return WHOLE;
    for (size_t i = 0; i < SPELLING_COUNT; i++) {
        *known = strlen(spellings[i].plain);
        *taken = strlen(spellings[i].typeset);
        size_t shown = size < *taken ? size : *taken;
        if (strncmp(text, spellings[i].plain, *known) == 0 && memcmp(bytes, spellings[i].typeset, shown) == 0)
            return shown == *taken ? WHOLE : BEGINS_LIKE;
    }
    return DIFFERENT;
}

/* Whether `bytes` begin with the text, or are the beginning of it; then *length and the last number in it. */
static enum likeness compare(const char *text, const uint8_t *bytes, size_t size, size_t *length,
                             unsigned *number)
{
    size_t at = 0;
    size_t known = 0;
    for (; *text != '\0'; text += known) {
        size_t taken = 0;
        if (at == size)
            return BEGINS_LIKE;
        if (*text == '%') {
            taken = count_digits(bytes + at, size - at);
            if (at + taken == size && taken <= DIGITS_LIMIT)
                return BEGINS_LIKE;
            if (!ks_chat_group_number(bytes + at, taken, number))
                return DIFFERENT;
            known = strlen("%u");
        } else {
            enum likeness likeness = compare_next(text, bytes + at, size - at, &known, &taken);
            if (likeness != WHOLE)
                return likeness;
        }
        at += taken;
    }
    *length = at;
    return WHOLE;
}

/* Takes `size` bytes of a text and `ending` more. */
static void take(struct ks_chat_reader *reader, struct ks_chat_said *said, size_t size, size_t ending)
{
    said->text = reader->bytes + reader->begin;
    said->size = size;
    reader->begin += size + ending;
}

/* One of the texts, or DIFFERENT. */
static enum likeness take_known(struct ks_chat_reader *reader, struct ks_chat_said *said)
{
    const uint8_t *bytes = reader->bytes + reader->begin;
    size_t size = reader->end - reader->begin;
    enum likeness best = DIFFERENT;
    for (size_t i = 0; i < TEXT_COUNT && best != WHOLE; i++) {
        size_t length = 0;
        enum likeness likeness = compare(texts[i].text, bytes, size, &length, &said->group);
        if (likeness == WHOLE) {
            said->kind = texts[i].kind;
            size_t ending = bytes[length - 1] == '\n' ? 1 : 0;
            take(reader, said, length - ending, ending);
        }
        best = likeness > best ? likeness : best;
    }
    if (best == WHOLE && (said->kind == KS_CHAT_TEXT_JOINED || said->kind == KS_CHAT_TEXT_CREATED))
        reader->member = true;
    return best;
}

/* To the line end; or, when the end of what has come may end it as well, to there. */
static bool take_line(struct ks_chat_reader *reader, struct ks_chat_said *said, bool end_ends)
{
    const uint8_t *bytes = reader->bytes + reader->begin;
    size_t size = reader->end - reader->begin;
    const uint8_t *newline = memchr(bytes, '\n', size);
    said->kind = KS_CHAT_TEXT_OTHER;
    said->unfinished = newline == NULL;
    if (newline != NULL) {
        size_t length = (size_t)(newline - bytes);
        size_t ending = length > 0 && bytes[length - 1] == '\r' ? 2 : 1;
        take(reader, said, length + 1 - ending, ending);
        return true;
    }
    if (size == 0 || (!end_ends && !reader->ended && size < KS_CHAT_READER_SIZE))
        return false;
    size_t whole = size;
    if (!reader->ended)
        whole -= bytes[size - 1] == '\r' ? 1 : ks_chat_unfinished(bytes, size);
    if (whole > 0)
        take(reader, said, whole, 0);
    return whole > 0;
}

static void skip_line_ends(struct ks_chat_reader *reader)
{
    while (reader->begin < reader->end &&
           (reader->bytes[reader->begin] == '\n' || reader->bytes[reader->begin] == '\r'))
        reader->begin++;
}

static bool ends_with(const struct ks_chat_said *said, const char *text)
{
    size_t size = strlen(text);
    return said->size > size && memcmp(said->text + said->size - size, text, size) == 0;
}

static void split_name(struct ks_chat_said *said, enum ks_chat_text kind, size_t name_size)
{
    said->kind = kind;
    said->name = said->text;
    said->name_size = name_size;
    said->text += name_size;
    said->size -= name_size;
}

/* What a member's line is. A name may have anything in it; what looks like a message is one. */
static void tell_apart(struct ks_chat_said *said)
{
    static const char farewell[] = KS_CHAT_LEFT;
    const uint8_t *says = memmem(said->text, said->size, SAYS, strlen(SAYS));
    said->unfinished = false;
    if (says != NULL) {
        split_name(said, KS_CHAT_TEXT_MESSAGE, (size_t)(says - said->text));
        said->text += strlen(SAYS);
        said->size -= strlen(SAYS);
    } else if (ends_with(said, HAS_LEFT)) {
        split_name(said, KS_CHAT_TEXT_HAS_LEFT, said->size - strlen(HAS_LEFT));
    } else if (said->size == sizeof farewell - 2 && memcmp(said->text, farewell, said->size) == 0) {
        said->kind = KS_CHAT_TEXT_LEFT;
    }
}

/* What somebody hears who is no member. */
static bool take_text(struct ks_chat_reader *reader, struct ks_chat_said *said)
{
    bool at_line_end = reader->in_line && reader->begin < reader->end && reader->bytes[reader->begin] == '\n';
    enum likeness likeness = at_line_end ? DIFFERENT : take_known(reader, said);
    if (likeness == BEGINS_LIKE && !reader->ended)
        return false;
    if (likeness != WHOLE && !take_line(reader, said, true))
        return false;
    reader->in_line = said->unfinished;
    return true;
}

bool ks_chat_reader_next(struct ks_chat_reader *reader, struct ks_chat_said *said)
{
    *said = (struct ks_chat_said){.kind = KS_CHAT_TEXT_OTHER};
    if (!reader->in_line)
        skip_line_ends(reader);
    if (!reader->member)
        return take_text(reader, said);
    if (!take_line(reader, said, reader->chunk_mode))
        return false;
    tell_apart(said);
    return true;
}
