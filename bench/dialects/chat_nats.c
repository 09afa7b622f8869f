/* chat_nats.c — core NATS: one subject, to which every member subscribes and to which writers publish, with
 * `echo` off: nobody hears itself. TLS begins behind the server's INFO, which is in the clear.
 */
#include "bench/dialects/chat_dialect.h"

#include <stdio.h>

enum { SIZE_LIMIT = 256 * 1024 };

enum nats_step { INFO, PONG };

static void describe(struct ks_chat_room *room)
{
    const struct ks_chat_frame around = {.after = "\n\r\n", .after_size = 3};
    room->said = around;
    room->heard = around;
    room->said.before_size = (size_t)snprintf((char *)room->said.before, sizeof room->said.before,
                                              "PUB %s %zu\r\n", room->topic, room->text_size + 1);
    room->heard.before_size = (size_t)snprintf((char *)room->heard.before, sizeof room->heard.before,
                                               "MSG %s 1 %zu\r\n", room->topic, room->text_size + 1);
}

/* The server speaks first. */
static void greet(struct ks_chat_room *room, struct ks_chat_person *person)
{
    (void)room;
    person->step = INFO;
}

/* What is written from now on waits for the handshake. */
static void secure(struct ks_chat_room *room, struct ks_chat_person *person)
{
    if (room->run->tls != NULL && ks_load_link_secure(person->link, room->run->tls) != KS_OK)
        ks_run_fail(room->run, "member %u cannot begin with TLS", person->index);
}

/* The PONG shows that the subscription stands. */
static void introduce(struct ks_chat_room *room, struct ks_chat_person *person)
{
    ks_chat_dialect_tell(
        room, person,
        "CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false,\"name\":\"kesher-bench\","
        "\"lang\":\"c\",\"version\":\"" KESHER_VERSION "\",\"protocol\":1}\r\n"
        "SUB %s 1\r\nPING\r\n",
        room->topic);
    person->step = PONG;
}

/* What the server may say at any time; false for anything else. */
static bool is_aside(struct ks_chat_room *room, struct ks_chat_person *person, const uint8_t *line,
                     size_t size)
{
    if (!ks_chat_dialect_begins_with(line, size, "PING\r\n"))
        return ks_chat_dialect_begins_with(line, size, "INFO ");
    ks_chat_dialect_tell(room, person, "PONG\r\n");
    return true;
}

static size_t enter(struct ks_chat_room *room, struct ks_chat_person *person, const uint8_t *bytes,
                    size_t size)
{
    size_t line_size = ks_chat_dialect_line_size(bytes, size);
    if (line_size == 0)
        return 0;
    if (person->step == PONG && ks_chat_dialect_begins_with(bytes, line_size, "PONG\r\n"))
        ks_chat_dialect_entered(room, person);
    else if (!is_aside(room, person, bytes, line_size))
        ks_chat_dialect_unexpected(room, person, bytes, size);
    else if (person->step == INFO) {
        secure(room, person);
        introduce(room, person);
    }
    return line_size;
}

static enum ks_chat_piece_kind hear(struct ks_chat_room *room, struct ks_chat_person *person,
                                    const uint8_t *bytes, size_t size, struct ks_chat_piece *piece)
{
    if (bytes[0] == 'M')
        return ks_chat_dialect_hear_frame(room, bytes, size, piece);
    size_t line_size = ks_chat_dialect_line_size(bytes, size);
    if (line_size == 0)
        return KS_CHAT_PIECE_MORE;
    piece->size = line_size;
    return is_aside(room, person, bytes, line_size) ? KS_CHAT_PIECE_OTHER : KS_CHAT_PIECE_WRONG;
}

const struct ks_chat_dialect ks_chat_nats = {
    .name = "nats",
    .secures_itself = true,
    .size_limit = SIZE_LIMIT,
    .hint = "see the server's max_connections and authorization",
    .describe = describe,
    .greet = greet,
    .enter = enter,
    .hear = hear,
};
