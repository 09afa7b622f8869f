/* lying_server.c — see lying_server.h. */
#include "lying_server.h"

#include "client/failure.h"
#include "client/transport/dial.h"
#include "crypto/checksum.h"
#include "crypto/content.h"
#include "crypto/rsa.h"
#include "wire/drop_codec.h"
#include "wire/messages_codec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    KEYS = 4,
    ODD_KEYS = 3,             /* of 0, 15 and 17 bytes */
    ANSWER_LIMIT = 96 * 1024, /* fits a socket's buffer */
    REQUEST_LIMIT = 4096,     /* of those that are looked at; a content may be longer */
    PLAIN_LIMIT = 40 * 1024,
    MESSAGES = 256,
    FILE_SIZE = 40, /* of the files that the client puts: zeros */
};

enum lie { /* about any answer; less is none */
           LIE_ERROR = 16,
           LIE_CODE,
           LIE_SIZE,
           LIE_CUT,
           LIE_SILENCE,
           LIE_CLOSE,
           LIE_TWICE,
           LIE_DAMAGE,
           LIE_VERSION,
           LIES
};

enum delivery { DELIVERY_WHOLE, DELIVERY_HALVES, DELIVERY_BYTES, DELIVERY_END, DELIVERY_RESET, DELIVERIES };

static struct {
    const uint8_t *bytes;
    size_t left;
    uint8_t own_public_key[KS_PUBLIC_KEY_SIZE];
    uint8_t keys[KEYS + ODD_KEYS][KS_RSA_ENCRYPTED_SIZE];
    int client; /* its descriptor; -1 */
    int fd;
    uint8_t request[REQUEST_LIMIT];
    size_t request_size;
    uint64_t skipped; /* of a content that follows */
    uint8_t answer[ANSWER_LIMIT];
    size_t answer_size;
    size_t said;
    size_t step;
    enum delivery delivery;
    uint8_t plains[PLAIN_LIMIT];
    size_t plains_size;
    struct {
        bool is_there;
        bool is_certain;
        size_t begin;
        size_t size;
    } sent[MESSAGES];
    unsigned keys_used; /* a bit for each */
} server = {.client = -1, .fd = -1};

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* ---- the input ---- */

uint8_t lying_server_byte(void)
{
    if (server.left == 0)
        return 0;
    server.left--;
    return *server.bytes++;
}

bool lying_server_has_more(void)
{
    return server.left > 0;
}

static size_t number(void)
{
    size_t low = lying_server_byte();
    return low | (size_t)lying_server_byte() << 8;
}

static void take(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = lying_server_byte();
}

/* ---- who there is ---- */

static void key_of(unsigned index, uint8_t key[static KS_CONTENT_KEY_SIZE])
{
    memset(key, (int)(0x30 + index), KS_CONTENT_KEY_SIZE);
}

void lying_server_meet(const uint8_t public_key[static KS_PUBLIC_KEY_SIZE])
{
    static const size_t odd_sizes[ODD_KEYS] = {0, 15, 17};
    struct ks_public_key *key = NULL;
    uint8_t plain[17];
    memcpy(server.own_public_key, public_key, KS_PUBLIC_KEY_SIZE);
    require(ks_public_key_parse(public_key, &key) == KS_OK);
    for (unsigned i = 0; i < KEYS + ODD_KEYS; i++) {
        size_t size = i < KEYS ? KS_CONTENT_KEY_SIZE : odd_sizes[i - KEYS];
        memset(plain, 'o', sizeof plain);
        if (i < KEYS)
            key_of(i, plain);
        require(ks_public_key_encrypt(key, plain, size, server.keys[i]) == KS_OK);
    }
    ks_public_key_free(key);
}

struct ks_client_id lying_server_id(unsigned user)
{
    struct ks_client_id id;
    memset(id.bytes, (int)user + 1, sizeof id.bytes);
    return id;
}

static void hang_up(void)
{
    if (server.fd >= 0)
        close(server.fd);
    server.fd = -1;
    server.client = -1;
    server.request_size = 0;
    server.skipped = 0;
    server.answer_size = 0;
    server.said = 0;
}

void lying_server_begin(const uint8_t *bytes, size_t size)
{
    server.bytes = bytes;
    server.left = size;
    server.plains_size = 0;
    server.keys_used = 0;
    memset(server.sent, 0, sizeof server.sent);
}

void lying_server_end(void)
{
    hang_up();
}

/* ---- putting an answer together ---- */

static void add(const void *bytes, size_t size)
{
    size_t room = sizeof server.answer - server.answer_size;
    if (size > room)
        size = room;
    if (size > 0)
        memcpy(server.answer + server.answer_size, bytes, size);
    server.answer_size += size;
}

static size_t begin_answer(uint16_t code, uint8_t version)
{
    const struct ks_response_header header = {.version = version, .code = code};
    uint8_t bytes[KS_RESPONSE_HEADER_SIZE];
    size_t begin = server.answer_size;
    ks_response_header_encode(&header, bytes);
    add(bytes, sizeof bytes);
    return begin;
}

static void end_answer(size_t begin)
{
    struct ks_response_header header;
    require(ks_response_header_parse(server.answer + begin, server.answer_size - begin, &header) == KS_OK);
    header.payload_size = (uint32_t)(server.answer_size - begin - KS_RESPONSE_HEADER_SIZE);
    ks_response_header_encode(&header, server.answer + begin);
}

static void add_id(void)
{
    struct ks_client_id id;
    uint8_t choice = lying_server_byte();
    if (choice < 16)
        id = lying_server_id(choice % (LYING_SERVER_USERS + 1)); /* the last is nobody's */
    else
        take(id.bytes, sizeof id.bytes);
    add(id.bytes, sizeof id.bytes);
}

/* ---- 2101 ---- */

static void add_user(const char *name, size_t size, struct ks_client_id id)
{
    uint8_t field[KS_TEXT_FIELD_SIZE] = {0};
    memcpy(field, name, size < sizeof field ? size : sizeof field);
    add(id.bytes, sizeof id.bytes);
    add(field, sizeof field);
}

static void add_users(void)
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
        add_user("bob", 3, lying_server_id(0));
        add_user("carol", 5, lying_server_id(1));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t choice = lying_server_byte();
        uint8_t name[KS_TEXT_FIELD_SIZE];
        size_t size = sizeof name;
        const char *known = names[choice % (sizeof names / sizeof names[0])];
        if (choice < 128) {
            add_user(known, strlen(known), lying_server_id((unsigned)i));
            continue;
        }
        if (choice < 200)
            size = lying_server_byte();
        take(name, size);
        add_user((const char *)name, size, lying_server_id(choice % LYING_SERVER_USERS));
    }
    for (uint8_t odd = lying_server_byte() / 64; odd > 0; odd--)
        add("x", 1);
}

/* ---- one message of a 2104 ---- */

static void damage(uint8_t *bytes, size_t size)
{
    if (size > 0)
        bytes[number() % size] ^= lying_server_byte() | 1;
}

static size_t make_key(uint8_t choice, uint8_t *content)
{
    unsigned index = choice % (KEYS + ODD_KEYS);
    memcpy(content, server.keys[index], KS_RSA_ENCRYPTED_SIZE);
    if (index < KEYS)
        server.keys_used |= 1U << index;
    if (choice >= 240)
        take(content, KS_RSA_ENCRYPTED_SIZE);
    else if (choice >= 200)
        damage(content, KS_RSA_ENCRYPTED_SIZE);
    if (choice >= 160 && choice < 180)
        return choice % 3 == 0 ? KS_RSA_ENCRYPTED_SIZE + 1U : choice; /* less or more than one */
    return KS_RSA_ENCRYPTED_SIZE;
}

/* Of up to PLAIN_LIMIT bytes: the input's own, or many of one, with characters that a buffer's end may cut.
 */
static size_t make_plain(uint8_t *plain)
{
    static const char character[] = "\xf0\x9f\x98\x80";
    uint8_t kind = lying_server_byte();
    size_t size = kind < 128 ? kind : number() % (PLAIN_LIMIT - 16);
    if (kind < 128)
        take(plain, size);
    else
        for (size_t i = 0; i < size; i++)
            plain[i] = kind < 192 ? (uint8_t)character[(i + kind) % 4] : kind;
    return size;
}

static size_t seal(unsigned key_index, bool is_padded, uint8_t *plain, size_t size, uint8_t *content)
{
    struct ks_content_cipher *cipher = NULL;
    uint8_t key[KS_CONTENT_KEY_SIZE];
    size_t sealed = 0;
    key_of(key_index, key);
    require(ks_content_encryptor_new(key, &cipher) == KS_OK);
    if (is_padded) {
        require(ks_content_encrypt_last(cipher, plain, size, content, &sealed) == KS_OK);
    } else { /* whatever ends the plain text is the padding */
        sealed = (size + 15) / 16 * 16;
        memset(plain + size, 1, sealed - size);
        require(ks_content_cipher_blocks(cipher, plain, content, sealed) == KS_OK);
    }
    ks_content_cipher_free(cipher);
    return sealed;
}

static void remember(uint8_t id, const uint8_t *plain, size_t size, bool is_whole)
{
    bool fits = size <= sizeof server.plains - server.plains_size;
    bool is_first = !server.sent[id].is_there;
    server.sent[id].is_there = true;
    server.sent[id].is_certain = is_first && is_whole && fits;
    if (!server.sent[id].is_certain)
        return;
    server.sent[id].begin = server.plains_size;
    server.sent[id].size = size;
    memcpy(server.plains + server.plains_size, plain, size);
    server.plains_size += size;
}

bool lying_server_sent(uint32_t message_id, const uint8_t **plain, size_t *size)
{
    bool has_one_key = (server.keys_used & (server.keys_used - 1)) == 0;
    if (message_id >= MESSAGES || !server.sent[message_id].is_certain || !has_one_key)
        return false;
    *plain = server.plains + server.sent[message_id].begin;
    *size = server.sent[message_id].size;
    return true;
}

static bool fits_under(unsigned key_index, const uint8_t *content, size_t size)
{
    struct ks_content_cipher *cipher = NULL;
    uint8_t key[KS_CONTENT_KEY_SIZE];
    uint8_t plain[2 * KS_CONTENT_BLOCK_SIZE];
    size_t end = size < sizeof plain ? size : sizeof plain;
    key_of(key_index, key);
    require(ks_content_decryptor_new(key, &cipher) == KS_OK);
    require(ks_content_cipher_blocks(cipher, content + size - end, plain, end) == KS_OK);
    ks_content_cipher_free(cipher);
    return ks_content_padding_size(plain, end) > 0;
}

/* Changes the begin of the plain text until its padding is right under another key, too. */
static size_t seal_for_two(unsigned key_index, uint8_t *plain, size_t *size, uint8_t *content)
{
    size_t sealed = 0;
    if (*size < 2)
        *size = 2;
    for (unsigned tries = 0; tries < 1000; tries++) {
        plain[0] = (uint8_t)(tries % 128);
        plain[1] = (uint8_t)(tries / 128);
        sealed = seal(key_index, true, plain, *size, content);
        if (fits_under((key_index + 1) % KEYS, content, sealed))
            break;
    }
    return sealed;
}

static size_t make_text(uint8_t id, uint8_t *content)
{
    static uint8_t plain[PLAIN_LIMIT + 16];
    uint8_t how = lying_server_byte();
    size_t size = make_plain(plain);
    bool is_padded = how < 192;
    unsigned key_index = how % KEYS;
    bool is_for_two = how >= 88 && how < 96 && size < 256;
    size_t sealed = is_for_two ? seal_for_two(key_index, plain, &size, content)
                               : seal(key_index, is_padded, plain, size, content);
    bool is_whole = how < 96;
    server.keys_used |= 1U << key_index;
    remember(id, plain, size, is_whole);
    if (how >= 96 && how < 128)
        damage(content, sealed);
    if (how >= 128 && how < 160)
        sealed -= lying_server_byte() % (sealed + 1);
    if (how >= 160 && how < 192)
        content[sealed++] = how;
    return sealed;
}

static void add_message(void)
{
    static uint8_t content[PLAIN_LIMIT + 64];
    struct ks_waiting_message fixed = {.type = KS_MESSAGE_TEXT};
    uint8_t bytes[KS_WAITING_MESSAGE_FIXED_SIZE];
    size_t size = 0;
    uint8_t kind = lying_server_byte();
    uint8_t id = lying_server_byte();
    size_t begin = server.answer_size;
    add_id();
    if (kind < 90) {
        fixed.type = KS_MESSAGE_KEY;
        size = make_key(lying_server_byte(), content);
    } else if (kind < 210) {
        fixed.type = kind < 150 ? KS_MESSAGE_TEXT : KS_MESSAGE_FILE;
        size = make_text(id, content);
    } else { /* anything as anything */
        fixed.type = kind < 230 ? KS_MESSAGE_KEY_REQUEST : lying_server_byte();
        size = lying_server_byte();
        take(content, size);
        remember(id, content, 0, false);
    }
    if (begin + KS_CLIENT_ID_SIZE != server.answer_size)
        return; /* it is full */
    memcpy(fixed.sender.bytes, server.answer + begin, KS_CLIENT_ID_SIZE);
    fixed.message_id = id;
    fixed.content_size = (uint32_t)size;
    if (kind == 89 || kind == 209) /* the sizes do not add up */
        fixed.content_size += (uint32_t)number() - 256;
    ks_waiting_message_encode(&fixed, bytes);
    server.answer_size = begin;
    add(bytes, sizeof bytes);
    add(content, size);
}

static void add_messages(void)
{
    for (unsigned count = lying_server_byte() % 12; count > 0; count--)
        add_message();
}

/* ---- the other answers ---- */

static void add_user_key(const uint8_t *target)
{
    uint8_t choice = lying_server_byte();
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    memcpy(key, server.own_public_key, sizeof key); /* everybody's, unless another one is told */
    if (choice >= 192)
        take(key, sizeof key);
    else if (choice >= 128)
        damage(key, sizeof key);
    if (choice >= 64 && choice < 128)
        add_id();
    else
        add(target, KS_CLIENT_ID_SIZE);
    add(key, sizeof key);
}

static void add_receipt(const uint8_t *target)
{
    const uint8_t id[4] = {lying_server_byte()};
    if (id[0] == 255) /* there are servers that only say that they have it */
        return;
    if (id[0] >= 200)
        add_id();
    else
        add(target, KS_CLIENT_ID_SIZE);
    add(id, sizeof id);
}

static void add_content_key(const uint8_t *client)
{
    static uint8_t key[256];
    uint8_t choice = lying_server_byte();
    (void)make_key(choice, key);
    add(client, KS_CLIENT_ID_SIZE);
    add(key, KS_RSA_ENCRYPTED_SIZE);
}

static void add_file_answer(const uint8_t *client, const uint8_t *payload)
{
    static const uint8_t zeros[FILE_SIZE];
    struct ks_file_answer answer;
    uint8_t bytes[KS_FILE_ANSWER_SIZE];
    struct ks_cksum cksum = ks_cksum_start();
    ks_cksum_add(&cksum, zeros, sizeof zeros);
    memcpy(answer.client_id.bytes, client, KS_CLIENT_ID_SIZE);
    answer.content_size = payload[0];
    memcpy(answer.name_field, payload + 4, sizeof answer.name_field);
    answer.cksum = ks_cksum_value(&cksum) ^ lying_server_byte();
    ks_file_answer_encode(&answer, bytes);
    add(bytes, sizeof bytes);
}

/* The honest answer, as honest as the input lets it be. `payload` has as much as a request may look at. */
static void answer(const struct ks_request_header *request, const uint8_t *payload)
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
    size_t begin =
        begin_answer(code, request->code < KS_REQUEST_REGISTER_DROP ? KS_VERSION_MESSAGES : KS_VERSION_DROP);
    switch (request->code) {
    case KS_REQUEST_LIST_USERS:
        add_users();
        break;
    case KS_REQUEST_USER_KEY:
        add_user_key(payload);
        break;
    case KS_REQUEST_SEND_MESSAGE:
        add_receipt(payload);
        break;
    case KS_REQUEST_WAITING_MESSAGES:
        add_messages();
        break;
    case KS_REQUEST_PUBLIC_KEY:
        add_content_key(client);
        break;
    case KS_REQUEST_RECONNECT:
        if (code == KS_RESPONSE_RECONNECTED)
            add_content_key(client);
        else
            add(client, KS_CLIENT_ID_SIZE);
        break;
    case KS_REQUEST_SEND_FILE:
        add_file_answer(client, payload);
        break;
    case KS_REQUEST_REGISTER_DROP:
    case KS_REQUEST_REGISTER_MESSAGES:
        if (code == KS_RESPONSE_REGISTERED)
            add_id();
        break;
    default:
        add(client, KS_CLIENT_ID_SIZE);
    }
    end_answer(begin);
}

static void lie_about_size(void)
{
    struct ks_response_header header;
    (void)ks_response_header_parse(server.answer, server.answer_size, &header);
    header.payload_size += (uint32_t)number() - 32768;
    ks_response_header_encode(&header, server.answer);
}

static void replace_answer(uint16_t code, size_t size)
{
    server.answer_size = 0;
    size_t begin = begin_answer(code, KS_VERSION_MESSAGES);
    while (size-- > 0)
        add("e", 1);
    end_answer(begin);
}

/* False when nothing is to be said. */
static bool lie(enum lie lie)
{
    switch (lie) {
    case LIE_ERROR:
        replace_answer(lying_server_byte() < 128 ? KS_RESPONSE_ERROR : KS_RESPONSE_DROP_ERROR,
                       lying_server_byte());
        return true;
    case LIE_CODE:
        replace_answer((uint16_t)number(), number());
        return true;
    case LIE_SIZE:
        lie_about_size();
        return true;
    case LIE_CUT:
        server.answer_size -= number() % (server.answer_size + 1);
        server.delivery = DELIVERY_END;
        return true;
    case LIE_SILENCE:
        server.answer_size = 0;
        return false;
    case LIE_CLOSE:
        server.answer_size = 0;
        server.delivery = DELIVERY_RESET;
        return true;
    case LIE_TWICE:
        if (server.answer_size * 2 <= sizeof server.answer)
            add(server.answer, server.answer_size);
        return true;
    case LIE_DAMAGE:
        damage(server.answer, server.answer_size);
        return true;
    case LIE_VERSION:
        server.answer[0] = lying_server_byte();
        return true;
    default:
        return true;
    }
}

/* ---- the conversation ---- */

static void say_more(void)
{
    size_t size = server.answer_size - server.said;
    if (size > server.step)
        size = server.step;
    if (size > 0 && send(server.fd, server.answer + server.said, size, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
        server.said += size;
    if (server.said < server.answer_size)
        return;
    server.answer_size = 0;
    server.said = 0;
    if (server.delivery == DELIVERY_END)
        (void)shutdown(server.fd, SHUT_WR);
    if (server.delivery == DELIVERY_RESET) {
        close(server.fd);
        server.fd = -1;
    }
}

static void choose_delivery(void)
{
    uint8_t choice = lying_server_byte();
    enum delivery delivery = choice < 200 ? DELIVERY_WHOLE : (enum delivery)(choice % DELIVERIES);
    if (delivery == DELIVERY_BYTES && server.answer_size > 2048)
        delivery = DELIVERY_HALVES; /* else it takes long */
    server.delivery = delivery;
    server.step = sizeof server.answer;
    if (delivery == DELIVERY_HALVES)
        server.step = server.answer_size / 2 + 1;
    if (delivery == DELIVERY_BYTES)
        server.step = 1;
}

/* The request at the begin of what has come, if it is there. */
static bool take_request(void)
{
    static const uint8_t nothing[REQUEST_LIMIT];
    struct ks_request_header request;
    uint8_t payload[REQUEST_LIMIT] = {0};
    if (ks_request_header_parse(server.request, server.request_size, &request) != KS_OK)
        return false;
    size_t there = server.request_size - KS_REQUEST_HEADER_SIZE;
    size_t whole = request.payload_size < there ? request.payload_size : there;
    if (whole < request.payload_size && server.request_size < sizeof server.request)
        return false;
    memcpy(payload, whole > 0 ? server.request + KS_REQUEST_HEADER_SIZE : nothing, whole);
    server.skipped = request.payload_size - whole;
    server.request_size -= KS_REQUEST_HEADER_SIZE + whole;
    memmove(server.request, server.request + KS_REQUEST_HEADER_SIZE + whole, server.request_size);
    answer(&request, payload);
    choose_delivery();
    uint8_t choice = lying_server_byte();
    return choice < 160 || lie((enum lie)(LIE_ERROR + choice % (LIES - LIE_ERROR)));
}

static void read_requests(void)
{
    uint8_t rest[4096];
    ssize_t got = 1;
    while (got > 0 && server.skipped > 0) {
        size_t wanted = server.skipped < sizeof rest ? (size_t)server.skipped : sizeof rest;
        got = recv(server.fd, rest, wanted, MSG_DONTWAIT);
        server.skipped -= got > 0 ? (uint64_t)got : 0;
    }
    while (got > 0 && server.request_size < sizeof server.request) {
        got = recv(server.fd, server.request + server.request_size,
                   sizeof server.request - server.request_size, MSG_DONTWAIT);
        server.request_size += got > 0 ? (size_t)got : 0;
    }
}

/* The client waits: false when it does so in vain. */
static bool speak(void)
{
    if (server.fd < 0)
        return false;
    if (server.answer_size == 0) {
        read_requests();
        if (!take_request())
            return false;
    }
    say_more();
    return true;
}

/* ---- what the client calls ---- */

/* The names that the linker gives them. */
int real_poll(struct pollfd *descriptors, nfds_t count, int timeout) __asm__("__real_poll");
int wrapped_poll(struct pollfd *descriptors, nfds_t count, int timeout) __asm__("__wrap_poll");
int wrapped_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time,
                            struct timespec *left) __asm__("__wrap_clock_nanosleep");
enum ks_result wrapped_make_room(int fd, off_t size) __asm__("__wrap_ks_file_make_room");
enum kesher_status wrapped_dial(const char *address, uint32_t connect_ms, int *fd,
                                struct kesher_error *error) __asm__("__wrap_ks_dial");

int wrapped_poll(struct pollfd *descriptors, nfds_t count, int timeout)
{
    if (count == 0)
        return 0; /* a pause */
    if (descriptors[0].fd != server.client)
        return real_poll(descriptors, count, timeout);
    int ready = real_poll(descriptors, count, 0);
    if (ready == 0 && timeout != 0 && speak())
        ready = real_poll(descriptors, count, 0);
    return ready;
}

int wrapped_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left)
{
    (void)clock;
    (void)flags;
    (void)time;
    (void)left;
    return 0;
}

/* A mebibyte for each answer takes longer than all the rest. */
enum ks_result wrapped_make_room(int fd, off_t size)
{
    (void)fd;
    (void)size;
    return KS_OK;
}

enum kesher_status wrapped_dial(const char *address, uint32_t connect_ms, int *fd, struct kesher_error *error)
{
    int fds[2];
    (void)connect_ms;
    hang_up();
    if (lying_server_byte() >= 240)
        return ks_failure(error, KESHER_CONNECTION, "cannot connect to %s", address);
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    require(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
    server.client = fds[0];
    server.fd = fds[1];
    *fd = fds[0];
    return KESHER_OK;
}
