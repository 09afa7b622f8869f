/* chat_mqtt.c — one topic of an MQTT 3.1.1 broker, QoS 0. A publisher that has subscribed hears itself in
 * that version, so writers have connections of their own.
 */
#include "bench/dialects/chat_dialect.h"

#include <stdio.h>

enum {
    SIZE_LIMIT = 256 * 1024,
    CONNECT = 0x10,
    PUBLISH = 0x30,
    SUBSCRIBE = 0x82,
    PACKET_CAPACITY = 96,
};

/* A packet's first byte, and how many follow: seven bits a byte, the lowest first. Returns the size. */
static size_t put_header(uint8_t *packet, uint8_t kind, size_t rest)
{
    size_t size = 0;
    packet[size++] = kind;
    while (rest > 127) {
        packet[size++] = (uint8_t)((rest & 127) | 128);
        rest >>= 7;
    }
    packet[size++] = (uint8_t)rest;
    return size;
}

/* Two bytes of size, the higher first, and the text. Returns the size of all. */
static size_t put_text(uint8_t *place, const char *text)
{
    size_t size = 2;
    while (*text != '\0')
        place[size++] = (uint8_t)*text++;
    place[0] = (uint8_t)((size - 2) >> 8);
    place[1] = (uint8_t)(size - 2);
    return size;
}

/* Published and delivered packets are the same. */
static void describe(struct ks_chat_room *room)
{
    struct ks_chat_frame *frame = &room->said;
    *frame = (struct ks_chat_frame){.after = "\n", .after_size = 1};
    frame->before_size =
        put_header(frame->before, PUBLISH, 2 + strlen(room->topic) + room->text_size + frame->after_size);
    frame->before_size += put_text(frame->before + frame->before_size, room->topic);
    room->heard = *frame;
}

static void send_packet(struct ks_chat_room *room, struct ks_chat_person *person, uint8_t kind,
                        const uint8_t *rest, size_t size)
{
    uint8_t packet[PACKET_CAPACITY + 5];
    size_t header = put_header(packet, kind, size);
    memcpy(packet + header, rest, size);
    if (ks_load_link_write(person->link, packet, header + size) != KS_OK)
        ks_run_fail(room->run, "no memory for what member %u says", person->index);
}

/* Version 4, a clean session, no keep-alive. */
static void greet(struct ks_chat_room *room, struct ks_chat_person *person)
{
    static const uint8_t head[] = {0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0};
    uint8_t rest[PACKET_CAPACITY];
    char client[KS_CHAT_TOPIC_SIZE + 12];
    memcpy(rest, head, sizeof head);
    (void)snprintf(client, sizeof client, "%sm%u", room->topic, person->index);
    send_packet(room, person, CONNECT, rest, sizeof head + put_text(rest + sizeof head, client));
}

static void subscribe(struct ks_chat_room *room, struct ks_chat_person *person)
{
    uint8_t rest[PACKET_CAPACITY] = {0, 1}; /* the packet's number */
    size_t size = 2;
    size += put_text(rest + size, room->topic);
    rest[size++] = 0; /* QoS */
    send_packet(room, person, SUBSCRIBE, rest, size);
    person->step++;
}

/* CONNACK, then, but for writers, SUBACK. */
static size_t enter(struct ks_chat_room *room, struct ks_chat_person *person, const uint8_t *bytes,
                    size_t size)
{
    static const uint8_t welcome[] = {0x20, 2, 0, 0};
    static const uint8_t subscribed[] = {0x90, 3, 0, 1, 0};
    const uint8_t *due = person->step == 0 ? welcome : subscribed;
    size_t due_size = person->step == 0 ? sizeof welcome : sizeof subscribed;
    if (memcmp(bytes, due, size < due_size ? size : due_size) != 0) {
        ks_chat_dialect_unexpected(room, person, bytes, size);
        return 0;
    }
    if (size < due_size)
        return 0;
    if (person->step == 0 && person->index >= room->writers)
        subscribe(room, person);
    else
        ks_chat_dialect_entered(room, person);
    return due_size;
}

/* Brokers say nothing else unasked. */
static enum ks_chat_piece_kind hear(struct ks_chat_room *room, struct ks_chat_person *person,
                                    const uint8_t *bytes, size_t size, struct ks_chat_piece *piece)
{
    return person->index < room->writers ? KS_CHAT_PIECE_WRONG
                                         : ks_chat_dialect_hear_frame(room, bytes, size, piece);
}

const struct ks_chat_dialect ks_chat_mqtt = {
    .name = "mqtt",
    .writers_apart = true,
    .size_limit = SIZE_LIMIT,
    .hint = "see the broker's max_connections and allow_anonymous",
    .describe = describe,
    .greet = greet,
    .enter = enter,
    .hear = hear,
};
