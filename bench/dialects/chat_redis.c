/* chat_redis.c — publish and subscribe of Redis and its kin, RESP2. Who has subscribed may not publish there,
 * so writers have connections of their own; each PUBLISH is answered with the number of those it went to.
 */
#include "bench/dialects/chat_dialect.h"

#include <stdio.h>

enum { SIZE_LIMIT = 256 * 1024 };

static bool writes(const struct ks_chat_room *room, const struct ks_chat_person *person)
{
    return person->index < room->writers;
}

static void describe(struct ks_chat_room *room)
{
    const size_t topic_size = strlen(room->topic);
    const struct ks_chat_frame around = {.after = "\n\r\n", .after_size = 3};
    room->said = around;
    room->heard = around;
    room->said.before_size = (size_t)snprintf((char *)room->said.before, sizeof room->said.before,
                                              "*3\r\n$7\r\nPUBLISH\r\n$%zu\r\n%s\r\n$%zu\r\n", topic_size,
                                              room->topic, room->text_size + 1);
    room->heard.before_size = (size_t)snprintf((char *)room->heard.before, sizeof room->heard.before,
                                               "*3\r\n$7\r\nmessage\r\n$%zu\r\n%s\r\n$%zu\r\n", topic_size,
                                               room->topic, room->text_size + 1);
}

/* The answer to a writer's PING shows that the server lets us in. */
static void greet(struct ks_chat_room *room, struct ks_chat_person *person)
{
    if (writes(room, person))
        ks_chat_dialect_tell(room, person, "*1\r\n$4\r\nPING\r\n");
    else
        ks_chat_dialect_tell(room, person, "*2\r\n$9\r\nSUBSCRIBE\r\n$%zu\r\n%s\r\n", strlen(room->topic),
                             room->topic);
}

static size_t enter(struct ks_chat_room *room, struct ks_chat_person *person, const uint8_t *bytes,
                    size_t size)
{
    char due[80] = "+PONG\r\n";
    if (!writes(room, person))
        (void)snprintf(due, sizeof due, "*3\r\n$9\r\nsubscribe\r\n$%zu\r\n%s\r\n:1\r\n", strlen(room->topic),
                       room->topic);
    size_t due_size = strlen(due);
    if (memcmp(bytes, due, size < due_size ? size : due_size) != 0) {
        ks_chat_dialect_unexpected(room, person, bytes, size);
        return 0;
    }
    if (size < due_size)
        return 0;
    ks_chat_dialect_entered(room, person);
    return due_size;
}

/* ":99\r\n" */
static enum ks_chat_piece_kind hear_count(struct ks_chat_room *room, const struct ks_chat_person *person,
                                          const uint8_t *bytes, size_t size, struct ks_chat_piece *piece)
{
    uint32_t count = 0;
    size_t line_size = ks_chat_dialect_line_size(bytes, size);
    if (line_size == 0)
        return KS_CHAT_PIECE_MORE;
    if (bytes[0] != ':')
        return KS_CHAT_PIECE_WRONG;
    for (size_t i = 1; i + 2 < line_size && bytes[i] >= '0' && bytes[i] <= '9' && count <= room->hearers; i++)
        count = count * 10 + (uint32_t)(bytes[i] - '0');
    if (count != room->hearers) {
        ks_run_fail(room->run, "a line of writer %u went to %u members instead of %u", person->index, count,
                    room->hearers);
        return KS_CHAT_PIECE_WRONG;
    }
    piece->size = line_size;
    return KS_CHAT_PIECE_OTHER;
}

static enum ks_chat_piece_kind hear(struct ks_chat_room *room, struct ks_chat_person *person,
                                    const uint8_t *bytes, size_t size, struct ks_chat_piece *piece)
{
    if (writes(room, person))
        return hear_count(room, person, bytes, size, piece);
    return ks_chat_dialect_hear_frame(room, bytes, size, piece);
}

const struct ks_chat_dialect ks_chat_redis = {
    .name = "redis",
    .writers_apart = true,
    .size_limit = SIZE_LIMIT,
    .hint = "see the server's maxclients and client-output-buffer-limit",
    .describe = describe,
    .greet = greet,
    .enter = enter,
    .hear = hear,
};
