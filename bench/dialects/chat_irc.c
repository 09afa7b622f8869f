/* chat_irc.c — a channel of an IRC server (RFC 2812). Nobody hears itself there. Servers hold back who talks
 * much: that limit belongs to their configuration.
 *
 * Over TLS records are small, as they are when people type: ngIRCd reads 2 KiB at a time, and waits for more
 * to come before it reads what GnuTLS has decrypted beyond that.
 */
#include "bench/dialects/chat_dialect.h"

#include <stdio.h>

enum {
    NICK_SIZE = 1 + KS_CHAT_NUMBER_SIZE, /* "m" and the member's number: nine, as every server allows */
    AT_A_TIME = 8, /* ngIRCd's backlog is ten connections; one more is only tried again after seconds */
    RECORD_LIMIT = 1024,
    SIZE_LIMIT = 384, /* of 512 for a line of the protocol, with who says it and where */
};

static void describe(struct ks_chat_room *room)
{
    room->said = (struct ks_chat_frame){.after = "\r\n", .after_size = 2};
    room->said.before_size =
        (size_t)snprintf((char *)room->said.before, sizeof room->said.before, "PRIVMSG #%s :", room->topic);
    room->heard = room->said; /* behind ":NICK!USER@HOST " */
}

static void greet(struct ks_chat_room *room, struct ks_chat_person *person)
{
    char nick[NICK_SIZE + 1] = "m";
    ks_chat_put_number((uint8_t *)nick + 1, person->index);
    ks_chat_dialect_tell(room, person, "NICK %s\r\nUSER bench 0 * :kesher-bench\r\n", nick);
}

/* Answers "PING :text" and "PING text". False when the line is no PING. */
static bool is_ping(struct ks_chat_room *room, struct ks_chat_person *person, const uint8_t *line,
                    size_t size)
{
    if (!ks_chat_dialect_begins_with(line, size, "PING "))
        return false;
    ks_chat_dialect_tell(room, person, "PONG %.*s\n", (int)(size - strlen("PING ") - 1),
                         (const char *)line + strlen("PING "));
    return true;
}

/* The word after the server's or somebody's name: a command, or a number of three digits. False when there is
 * none. */
static bool find_command(const uint8_t *line, size_t size, const uint8_t **command, size_t *left)
{
    const uint8_t *blank = line[0] == ':' ? memchr(line, ' ', size) : NULL;
    if (blank == NULL)
        return false;
    *command = blank + 1;
    *left = (size_t)(line + size - blank) - 1;
    return true;
}

/* Numbers from 400 on are errors, but for 422: the server has no message of the day. */
static bool is_refusal(const uint8_t *command, size_t size)
{
    if (size < 4 || command[3] != ' ' || ks_chat_dialect_begins_with(command, size, "422"))
        return false;
    return command[0] >= '4' && command[0] <= '5';
}

/* 001: the server knows us; 366: the end of the channel's names, we are in. */
static size_t enter(struct ks_chat_room *room, struct ks_chat_person *person, const uint8_t *bytes,
                    size_t size)
{
    const uint8_t *command = NULL;
    size_t left = 0;
    size_t line_size = ks_chat_dialect_line_size(bytes, size);
    if (line_size == 0 || is_ping(room, person, bytes, line_size))
        return line_size;
    if (!find_command(bytes, line_size, &command, &left)) {
        if (!ks_chat_dialect_begins_with(bytes, line_size, "NOTICE "))
            ks_chat_dialect_unexpected(room, person, bytes, size);
        return line_size;
    }
    if (ks_chat_dialect_begins_with(command, left, "001 "))
        ks_chat_dialect_tell(room, person, "JOIN #%s\r\n", room->topic);
    else if (ks_chat_dialect_begins_with(command, left, "366 "))
        ks_chat_dialect_entered(room, person);
    else if (is_refusal(command, left))
        ks_chat_dialect_unexpected(room, person, bytes, size);
    return line_size;
}

/* What is no text: others come, the server asks whether we are there. Nobody may go. */
static enum ks_chat_piece_kind hear_other(struct ks_chat_room *room, struct ks_chat_person *person,
                                          const uint8_t *bytes, size_t size, struct ks_chat_piece *piece)
{
    const uint8_t *command = NULL;
    size_t left = 0;
    size_t line_size = ks_chat_dialect_line_size(bytes, size);
    if (line_size == 0)
        return KS_CHAT_PIECE_MORE;
    piece->size = line_size;
    if (is_ping(room, person, bytes, line_size))
        return KS_CHAT_PIECE_OTHER;
    if (!find_command(bytes, line_size, &command, &left) || is_refusal(command, left))
        return KS_CHAT_PIECE_WRONG;
    if (ks_chat_dialect_begins_with(command, left, "JOIN ") ||
        ks_chat_dialect_begins_with(command, left, "MODE ") ||
        ks_chat_dialect_begins_with(command, left, "NOTICE ") ||
        (left >= 4 && command[0] >= '0' && command[0] <= '3' && command[3] == ' '))
        return KS_CHAT_PIECE_OTHER;
    return KS_CHAT_PIECE_WRONG;
}

/* ":mNUMBER!USER@HOST PRIVMSG #TOPIC :TEXT", where the text begins with the number. */
static enum ks_chat_piece_kind hear(struct ks_chat_room *room, struct ks_chat_person *person,
                                    const uint8_t *bytes, size_t size, struct ks_chat_piece *piece)
{
    const struct ks_chat_frame *frame = &room->heard;
    const uint8_t *blank = memchr(bytes, ' ', size);
    size_t source_size = blank == NULL ? size : (size_t)(blank - bytes) + 1;
    size_t whole = source_size + frame->before_size + room->text_size + frame->after_size;
    if (size < whole || memcmp(bytes + source_size, frame->before, frame->before_size) != 0)
        return hear_other(room, person, bytes, size, piece);
    const uint8_t *text = bytes + source_size + frame->before_size;
    if (memcmp(text + room->text_size, "\r\n", 2) != 0 || source_size < 2 + NICK_SIZE ||
        bytes[1 + NICK_SIZE] != '!' || memcmp(bytes + 2, text, KS_CHAT_NUMBER_SIZE) != 0)
        return KS_CHAT_PIECE_WRONG;
    *piece = (struct ks_chat_piece){.text = text, .size = whole};
    return KS_CHAT_PIECE_TEXT;
}

const struct ks_chat_dialect ks_chat_irc = {
    .name = "irc",
    .at_a_time = AT_A_TIME,
    .record_limit = RECORD_LIMIT,
    .size_limit = SIZE_LIMIT,
    .hint = "see the server's limits of connections, also of one address, and of channels",
    .describe = describe,
    .greet = greet,
    .enter = enter,
    .hear = hear,
};
