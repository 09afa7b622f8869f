/* chat_reader.h — what a chat server sends, cut into texts. Pure: no I/O, no allocation; one thread at a
 * time.
 *
 * The stream has no frames. Before one is a member, the server says the texts of wire/chat_codec.h, some of
 * which end without a line end: they are known by their bytes, however TCP cuts the stream, and whether an
 * apostrophe is ASCII's or U+2019. What is none of them is taken to its line end, or, without one, as it
 * came. A member hears lines; in chunk mode the end of what one read returned ends a line as well, for want
 * of anything better. Empty lines are nothing.
 */
#ifndef KS_CLIENT_CHAT_CHAT_READER_H
#define KS_CLIENT_CHAT_CHAT_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KS_CHAT_READER_SIZE = 32 * 1024 }; /* a longer line comes in pieces */

enum ks_chat_text {
    /* To somebody who is no member. */
    KS_CHAT_TEXT_MENU,
    KS_CHAT_TEXT_ASK_NAME,
    KS_CHAT_TEXT_ASK_GROUP,
    KS_CHAT_TEXT_NO_GROUP,
    KS_CHAT_TEXT_ASK_PASSWORD,
    KS_CHAT_TEXT_WRONG_PASSWORD,
    KS_CHAT_TEXT_ASK_NEW_PASSWORD,
    KS_CHAT_TEXT_JOINED, /* from here on one is a member */
    KS_CHAT_TEXT_CREATED,
    KS_CHAT_TEXT_EXIT,
    KS_CHAT_TEXT_INVALID_OPTION,
    KS_CHAT_TEXT_FULL,
    /* To a member. */
    KS_CHAT_TEXT_MESSAGE,
    KS_CHAT_TEXT_HAS_LEFT,
    KS_CHAT_TEXT_LEFT,
    /* To anybody. */
    KS_CHAT_TEXT_OTHER,
};

struct ks_chat_said {
    enum ks_chat_text kind;
    unsigned group;      /* of JOINED and CREATED */
    const uint8_t *name; /* of MESSAGE and HAS_LEFT */
    size_t name_size;
    const uint8_t *text; /* without a line end; of MESSAGE and HAS_LEFT what follows the name */
    size_t size;
    bool unfinished; /* OTHER without a line end */
};

struct ks_chat_reader {
    bool chunk_mode;
    bool member;
    bool ended;   /* nothing comes any more */
    bool in_line; /* the last text was unfinished */
    size_t begin; /* of what was not taken yet */
    size_t end;
    uint8_t bytes[KS_CHAT_READER_SIZE];
};

void ks_chat_reader_init(struct ks_chat_reader *reader, bool chunk_mode);

/* Where the bytes of the next read go, and how many: at least one once ks_chat_reader_next has said that
 * there is nothing. */
uint8_t *ks_chat_reader_room(struct ks_chat_reader *reader, size_t *room);

/* So many bytes were put there by one read. */
void ks_chat_reader_add(struct ks_chat_reader *reader, size_t size);

/* Nothing comes any more: what is there without a line end is given all the same. */
void ks_chat_reader_end(struct ks_chat_reader *reader);

/* The next text, which points into the reader until the next call. False when there is none before more
 * bytes come. */
bool ks_chat_reader_next(struct ks_chat_reader *reader, struct ks_chat_said *said);

#endif
