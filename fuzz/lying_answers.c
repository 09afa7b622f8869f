/* lying_answers.c — what is answered, as honest as the input lets it be: see lying_server.h. */
#include "crypto/checksum.h"
#include "crypto/rsa.h"
#include "lying_server_internal.h"
#include "scratch.h"
#include "wire/drop_codec.h"
#include "wire/messages_codec.h"

#include <string.h>

static uint8_t own_public_key[KS_PUBLIC_KEY_SIZE];

void lying_answer_meet(const uint8_t public_key[static KS_PUBLIC_KEY_SIZE])
{
    memcpy(own_public_key, public_key, sizeof own_public_key);
}

/* ---- putting one together ---- */

static void add(struct lying_answer *answer, const void *bytes, size_t size)
{
    size_t room = sizeof answer->bytes - answer->size;
    if (size > room)
        size = room;
    if (size > 0)
        memcpy(answer->bytes + answer->size, bytes, size);
    answer->size += size;
}

static size_t begin_answer(struct lying_answer *answer, uint16_t code, uint8_t version)
{
    const struct ks_response_header header = {.version = version, .code = code};
    uint8_t bytes[KS_RESPONSE_HEADER_SIZE];
    size_t begin = answer->size;
    ks_response_header_encode(&header, bytes);
    add(answer, bytes, sizeof bytes);
    return begin;
}

static void end_answer(struct lying_answer *answer, size_t begin)
{
    struct ks_response_header header;
    lying_server_require(ks_response_header_parse(answer->bytes + begin, answer->size - begin, &header) ==
                         KS_OK);
    header.payload_size = (uint32_t)(answer->size - begin - KS_RESPONSE_HEADER_SIZE);
    ks_response_header_encode(&header, answer->bytes + begin);
}

static void add_id(struct lying_answer *answer)
{
    struct ks_client_id id;
    uint8_t choice = lying_server_byte();
    if (choice < 16)
        id = lying_server_id(choice % (LYING_SERVER_USERS + 1)); /* the last is nobody's */
    else
        lying_server_take(id.bytes, sizeof id.bytes);
    add(answer, id.bytes, sizeof id.bytes);
}

/* ---- 2101 ---- */

static void add_user(struct lying_answer *answer, const char *name, size_t size, struct ks_client_id id)
{
    uint8_t field[KS_TEXT_FIELD_SIZE] = {0};
    memcpy(field, name, size < sizeof field ? size : sizeof field);
    add(answer, id.bytes, sizeof id.bytes);
    add(answer, field, sizeof field);
}

static void add_users(struct lying_answer *answer)
{
    static const char *const names[] = {"bob",
                                        "carol",
                                        "alice",
                                        "../../etc/passwd",
                                        "\x1b[2J",
                                        "-rf",
                                        "a: b",
                                        " blank",
                                        "bob",
                                        "\xe2\x80\xae",
                                        "0123456789abcdef0123456789abcdef",
                                        ".."};
    size_t count = lying_server_byte() % 24;
    if (count == 0) { /* honestly */
        add_user(answer, "bob", 3, lying_server_id(0));
        add_user(answer, "carol", 5, lying_server_id(1));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t choice = lying_server_byte();
        uint8_t name[KS_TEXT_FIELD_SIZE];
        size_t size = sizeof name;
        const char *known = names[choice % (sizeof names / sizeof names[0])];
        if (choice < 128) {
            add_user(answer, known, strlen(known), lying_server_id((unsigned)i));
            continue;
        }
        if (choice < 200)
            size = lying_server_byte();
        lying_server_take(name, size);
        add_user(answer, (const char *)name, size, lying_server_id(choice % LYING_SERVER_USERS));
    }
    for (uint8_t odd = lying_server_byte() / 64; odd > 0; odd--)
        add(answer, "x", 1);
}

/* ---- 2104 ---- */

static void add_message(struct lying_answer *answer)
{
    static uint8_t content[LYING_CONTENT_LIMIT];
    struct ks_waiting_message fixed = {.type = KS_MESSAGE_TEXT};
    uint8_t bytes[KS_WAITING_MESSAGE_FIXED_SIZE];
    size_t size = 0;
    uint8_t kind = lying_server_byte();
    uint8_t id = lying_server_byte();
    size_t begin = answer->size;
    add_id(answer);
    if (kind < 90) {
        fixed.type = KS_MESSAGE_KEY;
        size = lying_contents_key(lying_server_byte(), content);
    } else if (kind < 210) {
        fixed.type = kind < 150 ? KS_MESSAGE_TEXT : KS_MESSAGE_FILE;
        size = lying_contents_text(id, content);
    } else { /* anything as anything */
        fixed.type = kind < 230 ? KS_MESSAGE_KEY_REQUEST : lying_server_byte();
        size = lying_server_byte();
        lying_server_take(content, size);
        lying_contents_remember(id, content, 0, false);
    }
    if (begin + KS_CLIENT_ID_SIZE != answer->size)
        return; /* it is full */
    memcpy(fixed.sender.bytes, answer->bytes + begin, KS_CLIENT_ID_SIZE);
    fixed.message_id = id;
    fixed.content_size = (uint32_t)size;
    if (kind == 89 || kind == 209) /* the sizes do not add up */
        fixed.content_size += (uint32_t)lying_server_number() - 256;
    ks_waiting_message_encode(&fixed, bytes);
    answer->size = begin;
    add(answer, bytes, sizeof bytes);
    add(answer, content, size);
}

static void add_messages(struct lying_answer *answer)
{
    for (unsigned count = lying_server_byte() % 12; count > 0; count--)
        add_message(answer);
}

/* ---- the other answers ---- */

static void add_user_key(struct lying_answer *answer, const uint8_t *target)
{
    uint8_t choice = lying_server_byte();
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    memcpy(key, own_public_key, sizeof key); /* everybody's, unless another one is told */
    if (choice >= 192)
        lying_server_take(key, sizeof key);
    else if (choice >= 128)
        lying_server_damage(key, sizeof key);
    if (choice >= 64 && choice < 128)
        add_id(answer);
    else
        add(answer, target, KS_CLIENT_ID_SIZE);
    add(answer, key, sizeof key);
}

static void add_receipt(struct lying_answer *answer, const uint8_t *target)
{
    const uint8_t id[4] = {lying_server_byte()};
    if (id[0] == 255) /* there are servers that only say that they have it */
        return;
    if (id[0] >= 200)
        add_id(answer);
    else
        add(answer, target, KS_CLIENT_ID_SIZE);
    add(answer, id, sizeof id);
}

static void add_content_key(struct lying_answer *answer, const uint8_t *client)
{
    static uint8_t key[256];
    uint8_t choice = lying_server_byte();
    (void)lying_contents_key(choice, key);
    add(answer, client, KS_CLIENT_ID_SIZE);
    add(answer, key, KS_RSA_ENCRYPTED_SIZE);
}

static void add_file_answer(struct lying_answer *answer, const uint8_t *client, const uint8_t *payload)
{
    static const uint8_t zeros[SCRATCH_FILE_SIZE]; /* what the client puts */
    struct ks_file_answer file;
    uint8_t bytes[KS_FILE_ANSWER_SIZE];
    struct ks_cksum cksum = ks_cksum_start();
    ks_cksum_add(&cksum, zeros, sizeof zeros);
    memcpy(file.client_id.bytes, client, KS_CLIENT_ID_SIZE);
    file.content_size = payload[0];
    memcpy(file.name_field, payload + 4, sizeof file.name_field);
    file.cksum = ks_cksum_value(&cksum) ^ lying_server_byte();
    ks_file_answer_encode(&file, bytes);
    add(answer, bytes, sizeof bytes);
}

void lying_answer_make(struct lying_answer *answer, const struct ks_request_header *request,
                       const uint8_t *payload)
{
    const uint8_t *client = request->client_id.bytes;
    uint16_t code = 0;
    switch (request->code) {
    case KS_REQUEST_LIST_USERS:
        code = KS_RESPONSE_USERS;
        break;
    case KS_REQUEST_USER_KEY:
    case KS_REQUEST_PUBLIC_KEY:
        code = KS_RESPONSE_USER_KEY; /* the same as KS_RESPONSE_KEY_ACCEPTED */
        break;
    case KS_REQUEST_SEND_MESSAGE:
    case KS_REQUEST_SEND_FILE:
        code = KS_RESPONSE_MESSAGE_STORED; /* the same as KS_RESPONSE_FILE_RECEIVED */
        break;
    case KS_REQUEST_RECONNECT:
        code = lying_server_byte() < 200 ? KS_RESPONSE_RECONNECTED : KS_RESPONSE_RECONNECT_DENIED;
        break;
    case KS_REQUEST_REGISTER_DROP:
    case KS_REQUEST_REGISTER_MESSAGES:
        code = lying_server_byte() < 200 ? KS_RESPONSE_REGISTERED : KS_RESPONSE_REGISTRATION_FAILED;
        break;
    default:
        code = KS_RESPONSE_WAITING_MESSAGES; /* the same as KS_RESPONSE_CONFIRMED */
    }
    size_t begin = begin_answer(
        answer, code, request->code < KS_REQUEST_REGISTER_DROP ? KS_VERSION_MESSAGES : KS_VERSION_DROP);
    switch (request->code) {
    case KS_REQUEST_LIST_USERS:
        add_users(answer);
        break;
    case KS_REQUEST_USER_KEY:
        add_user_key(answer, payload);
        break;
    case KS_REQUEST_SEND_MESSAGE:
        add_receipt(answer, payload);
        break;
    case KS_REQUEST_WAITING_MESSAGES:
        add_messages(answer);
        break;
    case KS_REQUEST_PUBLIC_KEY:
        add_content_key(answer, client);
        break;
    case KS_REQUEST_RECONNECT:
        if (code == KS_RESPONSE_RECONNECTED)
            add_content_key(answer, client);
        else
            add(answer, client, KS_CLIENT_ID_SIZE);
        break;
    case KS_REQUEST_SEND_FILE:
        add_file_answer(answer, client, payload);
        break;
    case KS_REQUEST_REGISTER_DROP:
    case KS_REQUEST_REGISTER_MESSAGES:
        if (code == KS_RESPONSE_REGISTERED)
            add_id(answer);
        break;
    default:
        add(answer, client, KS_CLIENT_ID_SIZE);
    }
    end_answer(answer, begin);
}

/* ---- about any answer ---- */

void lying_answer_replace(struct lying_answer *answer, uint16_t code, size_t size)
{
    answer->size = 0;
    size_t begin = begin_answer(answer, code, KS_VERSION_MESSAGES);
    while (size-- > 0)
        add(answer, "e", 1);
    end_answer(answer, begin);
}

void lying_answer_lie_about_size(struct lying_answer *answer)
{
    struct ks_response_header header;
    (void)ks_response_header_parse(answer->bytes, answer->size, &header);
    header.payload_size += (uint32_t)lying_server_number() - 32768;
    ks_response_header_encode(&header, answer->bytes);
}

void lying_answer_repeat(struct lying_answer *answer)
{
    if (answer->size * 2 <= sizeof answer->bytes)
        add(answer, answer->bytes, answer->size);
}
