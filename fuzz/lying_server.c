/* lying_server.c — the input, and the conversation that it makes: see lying_server.h. */
#include "client/failure.h"
#include "client/transport/dial.h"
#include "lying_server_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { REQUEST_LIMIT = 4096 }; /* of those that are looked at; a content may be longer */

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
    int client; /* its descriptor; -1 */
    int fd;
    uint8_t request[REQUEST_LIMIT];
    size_t request_size;
    uint64_t skipped; /* of a content that follows */
    struct lying_answer answer;
    size_t said;
    size_t step;
    enum delivery delivery;
} server = {.client = -1, .fd = -1};

void lying_server_require(bool holds)
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

size_t lying_server_number(void)
{
    size_t low = lying_server_byte();
    return low | (size_t)lying_server_byte() << 8;
}

void lying_server_take(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = lying_server_byte();
}

void lying_server_damage(uint8_t *bytes, size_t size)
{
    if (size > 0)
        bytes[lying_server_number() % size] ^= lying_server_byte() | 1;
}

/* ---- who there is ---- */

void lying_server_meet(const uint8_t public_key[static KS_PUBLIC_KEY_SIZE])
{
    lying_contents_meet(public_key);
    lying_answer_meet(public_key);
}

struct ks_client_id lying_server_id(unsigned user)
{
    struct ks_client_id id;
    memset(id.bytes, (int)user + 1, sizeof id.bytes);
    return id;
}

bool lying_server_sent(uint32_t message_id, const uint8_t **plain, size_t *size)
{
    return lying_contents_sent(message_id, plain, size);
}

/* ---- its life ---- */

static void hang_up(void)
{
    if (server.fd >= 0)
        close(server.fd);
    server.fd = -1;
    server.client = -1;
    server.request_size = 0;
    server.skipped = 0;
    server.answer.size = 0;
    server.said = 0;
}

void lying_server_begin(const uint8_t *bytes, size_t size)
{
    server.bytes = bytes;
    server.left = size;
    lying_contents_begin();
}

void lying_server_end(void)
{
    hang_up();
}

/* ---- lies ---- */

/* False when nothing is to be said. */
static bool lie(enum lie lie)
{
    switch (lie) {
    case LIE_ERROR:
        lying_answer_replace(&server.answer,
                             lying_server_byte() < 128 ? KS_RESPONSE_ERROR : KS_RESPONSE_DROP_ERROR,
                             lying_server_byte());
        return true;
    case LIE_CODE:
        lying_answer_replace(&server.answer, (uint16_t)lying_server_number(), lying_server_number());
        return true;
    case LIE_SIZE:
        lying_answer_lie_about_size(&server.answer);
        lying_contents_doubt();
        return true;
    case LIE_CUT:
        server.answer.size -= lying_server_number() % (server.answer.size + 1);
        server.delivery = DELIVERY_END;
        return true;
    case LIE_SILENCE:
        server.answer.size = 0;
        return false;
    case LIE_CLOSE:
        server.answer.size = 0;
        server.delivery = DELIVERY_RESET;
        return true;
    case LIE_TWICE:
        lying_answer_repeat(&server.answer);
        return true;
    case LIE_DAMAGE:
        lying_server_damage(server.answer.bytes, server.answer.size);
        lying_contents_doubt();
        return true;
    case LIE_VERSION:
        server.answer.bytes[0] = lying_server_byte();
        return true;
    default:
        return true;
    }
}

/* ---- the conversation ---- */

static void say_more(void)
{
    size_t size = server.answer.size - server.said;
    if (size > server.step)
        size = server.step;
    if (size > 0 && send(server.fd, server.answer.bytes + server.said, size, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
        server.said += size;
    if (server.said < server.answer.size)
        return;
    server.answer.size = 0;
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
    if (delivery == DELIVERY_BYTES && server.answer.size > 2048)
        delivery = DELIVERY_HALVES; /* else it takes long */
    server.delivery = delivery;
    server.step = sizeof server.answer.bytes;
    if (delivery == DELIVERY_HALVES)
        server.step = server.answer.size / 2 + 1;
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
    lying_answer_make(&server.answer, &request, payload);
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
    if (server.answer.size == 0) {
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
    lying_server_require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    lying_server_require(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
    server.client = fds[0];
    server.fd = fds[1];
    *fd = fds[0];
    return KESHER_OK;
}
