/* send_mqtt.c — MQTT 3.1.1 for mode `send`: PUBLISH with QoS 1, acknowledged by PUBACK, each lane to a topic
 * that nobody has subscribed to. So there is nothing to be found again. */
#include "base/bytes.h"
#include "bench/dialects/send_dialects.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    CONNECT = 0x10,
    CONNACK = 0x20,
    PUBLISH_QOS_1 = 0x32,
    PUBACK = 0x40,
    CLEAN_SESSION = 0x02,
    VERSION = 4,
    SHORT_PACKET_SIZE = 4, /* CONNACK and PUBACK */
    PACKET_LIMIT = 268435455,
    NAME_SIZE = 64,
};

static void put_u16(struct ks_writer *writer, uint16_t value) /* big-endian, unlike kesher's */
{
    ks_writer_u8(writer, (uint8_t)(value >> 8));
    ks_writer_u8(writer, (uint8_t)value);
}

static void put_text(struct ks_writer *writer, const char *text, size_t size)
{
    put_u16(writer, (uint16_t)size);
    ks_writer_put(writer, text, size);
}

/* The fixed header: a packet of `size` bytes follows. */
static void put_header(struct ks_writer *writer, uint8_t type, uint32_t size)
{
    ks_writer_u8(writer, type);
    do {
        uint8_t digit = size & 0x7F;
        size >>= 7;
        ks_writer_u8(writer, size > 0 ? digit | 0x80 : digit);
    } while (size > 0);
}

static bool prepare(struct ks_senders *senders)
{
    if (senders->lanes.size <= PACKET_LIMIT - NAME_SIZE)
        return true;
    ks_run_fail(senders->run, "no message of this protocol is so large");
    return false;
}

static size_t greet(const struct ks_senders *senders, uint32_t sender, uint8_t bytes[KS_SEND_HEAD_LIMIT])
{
    struct ks_writer writer = ks_writer_over(bytes, KS_SEND_HEAD_LIMIT);
    char name[NAME_SIZE];
    int size = snprintf(name, sizeof name, "kb%08" PRIx32 "%" PRIu32, senders->tag, sender);
    put_header(&writer, CONNECT, 12 + (uint32_t)size);
    put_text(&writer, "MQTT", 4);
    ks_writer_u8(&writer, VERSION);
    ks_writer_u8(&writer, CLEAN_SESSION);
    put_u16(&writer, 0); /* no keep-alive */
    put_text(&writer, name, (size_t)size);
    return writer.size;
}

static enum ks_result welcome(struct ks_senders *senders, const uint8_t *bytes, size_t size, size_t *taken)
{
    if (size < SHORT_PACKET_SIZE)
        return KS_MORE;
    if (bytes[0] != CONNACK || bytes[1] != 2 || bytes[3] != 0) {
        ks_run_fail(senders->run, "the broker answered CONNECT with packet 0x%02x, code %u", bytes[0],
                    bytes[3]);
        return KS_REFUSED;
    }
    *taken = SHORT_PACKET_SIZE;
    return KS_OK;
}

static uint16_t packet_id(const struct ks_sent *sent)
{
    return (uint16_t)(sent->ordinal % UINT16_MAX + 1);
}

static size_t head(const struct ks_senders *senders, const struct ks_sent *sent,
                   uint8_t bytes[KS_SEND_HEAD_LIMIT])
{
    struct ks_writer writer = ks_writer_over(bytes, KS_SEND_HEAD_LIMIT);
    char topic[NAME_SIZE];
    int size = snprintf(topic, sizeof topic, "kesher-bench/%08" PRIx32 "/%" PRIu32, senders->tag,
                        sent->lane % senders->lanes.receivers);
    put_header(&writer, PUBLISH_QOS_1, 4 + (uint32_t)size + senders->lanes.size);
    put_text(&writer, topic, (size_t)size);
    put_u16(&writer, packet_id(sent));
    return writer.size;
}

static enum ks_result answer(struct ks_senders *senders, const struct ks_sent *sent, const uint8_t *bytes,
                             size_t size, size_t *taken, uint32_t *id)
{
    if (size < SHORT_PACKET_SIZE)
        return KS_MORE;
    uint16_t acknowledged = (uint16_t)(bytes[2] << 8 | bytes[3]);
    if (bytes[0] != PUBACK || bytes[1] != 2 || acknowledged != packet_id(sent)) {
        ks_run_fail(senders->run,
                    "message %" PRIu64 " of sender %" PRIu32
                    " was answered with packet 0x%02x for id %u, and not with PUBACK for %u",
                    sent->ordinal, sent->sender, bytes[0], acknowledged, packet_id(sent));
        return KS_INVALID;
    }
    *taken = SHORT_PACKET_SIZE;
    *id = 0;
    return KS_OK;
}

const struct ks_send_dialect ks_send_mqtt = {
    .protocol = "mqtt",
    .verified = "each message acknowledged",
    .prepare = prepare,
    .greet = greet,
    .welcome = welcome,
    .head = head,
    .tail = "",
    .answer = answer,
};
