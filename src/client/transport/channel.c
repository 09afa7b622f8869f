/* channel.c — see channel.h. */
#include "client/transport/channel.h"

#include "base/clock.h"
#include "base/text.h"
#include "client/failure.h"
#include "client/transport/dial.h"
#include "wire/blocks.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* More than all the answers to everything that a client of this library has in flight. */
enum { INPUT_SIZE = 64 * 1024 };

struct ks_channel {
    struct ks_carrier *carrier; /* owned */
    uint32_t progress_ms;
    bool broken;
    bool ended;   /* the server sends no more */
    size_t begin; /* of what has arrived and was not taken */
    size_t end;
    bool exactly;
    size_t wanted; /* with that: the most that may lie in `input` */
    bool pads;     /* answers may be padded: never under TLS */
    struct ks_blocks answers;
    uint32_t payload_left; /* of the answer whose header was taken */
    char shown[300];       /* the address, for sentences */
    uint8_t input[INPUT_SIZE];
};

enum kesher_status ks_channel_over(struct ks_carrier *carrier, const char *address, uint32_t progress_ms,
                                   struct ks_channel **channel, struct kesher_error *error)
{
    struct ks_channel *created = malloc(sizeof *created);
    if (created == NULL) {
        ks_carrier_free(carrier);
        return ks_failure_no_memory(error);
    }
    created->carrier = carrier;
    created->pads = ks_carrier_tls(carrier) == NULL;
    created->progress_ms = progress_ms;
    created->broken = false;
    created->ended = false;
    created->begin = 0;
    created->end = 0;
    created->exactly = false;
    created->wanted = 0;
    created->answers = (struct ks_blocks){0};
    created->payload_left = 0;
    ks_text_escape(address, strlen(address), created->shown, sizeof created->shown);
    *channel = created;
    return KESHER_OK;
}

enum kesher_status ks_channel_adopt(int fd, const char *address, uint32_t progress_ms,
                                    struct ks_channel **channel, struct kesher_error *error)
{
    struct ks_carrier *carrier = NULL;
    enum kesher_status status = ks_carrier_new(fd, &carrier, error);
    return status == KESHER_OK ? ks_channel_over(carrier, address, progress_ms, channel, error) : status;
}

enum kesher_status ks_channel_open(const char *address, uint32_t connect_ms, uint32_t progress_ms,
                                   struct ks_channel **channel, struct kesher_error *error)
{
    int fd = -1;
    enum kesher_status status = ks_dial(address, connect_ms, &fd, error);
    if (status != KESHER_OK)
        return status;
    return ks_channel_adopt(fd, address, progress_ms, channel, error);
}

void ks_channel_close(struct ks_channel *channel)
{
    if (channel == NULL)
        return;
    if (ks_carrier_tls(channel->carrier) != NULL && !channel->broken)
        ks_carrier_end(channel->carrier); /* what was asked for is whole */
    ks_carrier_free(channel->carrier);
    free(channel);
}

struct ks_carrier *ks_channel_give_up(struct ks_channel *channel)
{
    struct ks_carrier *carrier = channel->carrier;
    free(channel);
    return carrier;
}

struct ks_tls *ks_channel_tls(struct ks_channel *channel)
{
    return ks_carrier_tls(channel->carrier);
}

bool ks_channel_is_broken(const struct ks_channel *channel)
{
    return channel->broken || (channel->ended && channel->begin == channel->end);
}

bool ks_channel_has_ended(const struct ks_channel *channel)
{
    return channel->ended && channel->begin == channel->end;
}

void ks_channel_limit(struct ks_channel *channel, uint32_t progress_ms)
{
    channel->progress_ms = progress_ms;
}

int ks_channel_descriptor(const struct ks_channel *channel)
{
    return ks_carrier_descriptor(channel->carrier);
}

enum kesher_status ks_channel_fail_protocol(struct ks_channel *channel, struct kesher_error *error,
                                            const char *what)
{
    channel->broken = true;
    return ks_failure(error, KESHER_PROTOCOL, "%s sent %s; check the address and the port", channel->shown,
                      what);
}

static enum kesher_status fail_lost(struct ks_channel *channel, struct kesher_error *error, int error_number)
{
    channel->broken = true;
    return ks_carrier_failure(channel->carrier, error_number, channel->shown, error);
}

static enum kesher_status fail_timeout(struct ks_channel *channel, struct kesher_error *error)
{
    channel->broken = true;
    return ks_failure(error, KESHER_TIMEOUT,
                      "%s neither took nor sent a byte for %u s; check the network and the server",
                      channel->shown, channel->progress_ms / 1000);
}

static size_t input_room(struct ks_channel *channel)
{
    if (channel->begin == channel->end) {
        channel->begin = 0;
        channel->end = 0;
    }
    if (channel->end == INPUT_SIZE && channel->begin > 0) {
        memmove(channel->input, channel->input + channel->begin, channel->end - channel->begin);
        channel->end -= channel->begin;
        channel->begin = 0;
    }
    return INPUT_SIZE - channel->end;
}

/* How much of what arrives is to be taken in. */
static size_t room_for_input(struct ks_channel *channel)
{
    size_t room = input_room(channel);
    size_t arrived = channel->end - channel->begin;
    if (!channel->exactly)
        return room;
    size_t missing = channel->wanted > arrived ? channel->wanted - arrived : 0;
    return missing < room ? missing : room;
}

/* Takes in what has arrived, without waiting. 0, or the errno of a lost connection; the end of the stream is
 * only noted. */
static int take_in(struct ks_channel *channel)
{
    size_t room = room_for_input(channel);
    if (channel->ended || room == 0)
        return 0;
    ssize_t got = ks_carrier_receive(channel->carrier, channel->input + channel->end, room);
    if (got < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : errno;
    channel->ended = got == 0;
    channel->end += (size_t)got;
    return 0;
}

/* How long nothing may move from now on. Under TLS much can come that moves nothing. */
static uint64_t progress_deadline(const struct ks_channel *channel)
{
    return ks_clock_monotonic_ms(ks_clock_system()) + channel->progress_ms;
}

static int left_until(uint64_t deadline)
{
    uint64_t now = ks_clock_monotonic_ms(ks_clock_system());
    return now < deadline ? (int)(deadline - now) : 0;
}

/* Waits until the socket can be written to, taking in meanwhile what arrives. A server that has ended its
 * side answers nothing any more, and with its window closed would not even refuse what is sent. */
static enum kesher_status wait_to_send(struct ks_channel *channel, struct kesher_error *error)
{
    uint64_t deadline = progress_deadline(channel);
    while (!channel->ended) {
        bool listening = room_for_input(channel) > 0;
        struct pollfd waiting = {.fd = ks_channel_descriptor(channel),
                                 .events = POLLOUT | POLLRDHUP | (listening ? POLLIN : 0)};
        int ready = poll(&waiting, 1, left_until(deadline));
        if (ready < 0 && errno != EINTR)
            return fail_lost(channel, error, errno);
        if (ready == 0 && !listening)
            return ks_channel_fail_protocol(channel, error, "more than it was asked for");
        if (ready == 0)
            return fail_timeout(channel, error);
        if (ready < 0)
            continue;
        size_t arrived = channel->end - channel->begin;
        int failure = listening ? take_in(channel) : 0;
        if (failure != 0)
            return fail_lost(channel, error, failure);
        if (channel->end - channel->begin != arrived)
            deadline = progress_deadline(channel);
        else if (left_until(deadline) == 0)
            return fail_timeout(channel, error);
        else if (!listening && (waiting.revents & POLLRDHUP) != 0)
            break;
        if ((waiting.revents & (POLLOUT | POLLERR | POLLHUP)) != 0)
            return KESHER_OK;
    }
    return fail_lost(channel, error, 0);
}

static enum kesher_status send_all(struct ks_channel *channel, const void *bytes, size_t size, bool more,
                                   struct kesher_error *error)
{
    const uint8_t *next = bytes;
    if (channel->broken)
        return fail_lost(channel, error, 0);
    while (size > 0) {
        ssize_t sent = ks_carrier_send(channel->carrier, next, size, more);
        if (sent >= 0) {
            next += sent;
            size -= (size_t)sent;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) {
            int failure = errno;
            (void)take_in(channel); /* the reason may have come before the end */
            return fail_lost(channel, error, failure);
        }
        enum kesher_status status = wait_to_send(channel, error);
        if (status != KESHER_OK)
            return status;
    }
    return KESHER_OK;
}

enum kesher_status ks_channel_send(struct ks_channel *channel, const void *bytes, size_t size,
                                   struct kesher_error *error)
{
    return send_all(channel, bytes, size, false, error);
}

/* ---- padding ---- */

/* What has arrived of what stands behind the last answer. Exactly as many zeros as padding would have there,
 * though fewer than a header, cannot be one either: no code has them. */
static enum ks_blocks_verdict judge_input(const struct ks_channel *channel)
{
    size_t size = channel->end - channel->begin;
    size_t enough = ks_blocks_rest(channel->answers.size);
    if (channel->payload_left > 0 || !channel->pads)
        return KS_BLOCKS_FRAME;
    if (enough > KS_RESPONSE_HEADER_SIZE)
        enough = KS_RESPONSE_HEADER_SIZE;
    if (size > enough)
        size = enough;
    size_t zeros = ks_blocks_count_zeros(channel->input + channel->begin, size);
    return ks_blocks_judge(&channel->answers, enough, zeros, size);
}

/* Takes the padding that has arrived. False when something else stands inside it. */
static bool take_padding(struct ks_channel *channel)
{
    bool broken = false;
    if (channel->answers.padding == 0 && judge_input(channel) == KS_BLOCKS_PADDING)
        ks_blocks_recognise(&channel->answers, 0);
    channel->begin += ks_blocks_take(&channel->answers, channel->input + channel->begin,
                                     channel->end - channel->begin, &broken);
    return !broken;
}

/* Whether what comes next is a header. */
static bool is_behind_padding(const struct ks_channel *channel)
{
    return channel->answers.padding == 0 && judge_input(channel) == KS_BLOCKS_FRAME;
}

enum kesher_status ks_channel_send_end(struct ks_channel *channel, const void *bytes, size_t size,
                                       uint64_t request_size, struct kesher_error *error)
{
    (void)take_padding(channel); /* may be the first */
    size_t rest = channel->answers.on ? ks_blocks_rest(request_size) : 0;
    enum kesher_status status = send_all(channel, bytes, size, rest > 0, error);
    return status == KESHER_OK ? send_all(channel, ks_blocks_zeros, rest, false, error) : status;
}

/* Waits until something arrives, or the stream has ended. */
static enum kesher_status wait_for_input(struct ks_channel *channel, uint64_t deadline,
                                         struct kesher_error *error)
{
    while (!ks_carrier_has_pending(channel->carrier)) {
        struct pollfd waiting = {.fd = ks_channel_descriptor(channel),
                                 .events = ks_carrier_events(channel->carrier, POLLIN)};
        int ready = poll(&waiting, 1, left_until(deadline));
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready < 0)
            return fail_lost(channel, error, errno);
        return ready == 0 ? fail_timeout(channel, error) : KESHER_OK;
    }
    return KESHER_OK;
}

/* Waits and takes in what arrives. KESHER_OK also when the stream has ended; see `ended`. */
static enum kesher_status wait_to_receive(struct ks_channel *channel, struct kesher_error *error)
{
    uint64_t deadline = progress_deadline(channel);
    size_t arrived = channel->end - channel->begin;
    for (;;) {
        enum kesher_status status = wait_for_input(channel, deadline, error);
        if (status != KESHER_OK)
            return status;
        int failure = take_in(channel);
        if (failure != 0)
            return fail_lost(channel, error, failure);
        if (channel->ended || channel->end - channel->begin != arrived)
            return KESHER_OK;
        if (left_until(deadline) == 0) /* something comes all the time, and it is nothing */
            return fail_timeout(channel, error);
    }
}

bool ks_channel_peek(struct ks_channel *channel, uint32_t wait_ms, struct ks_response_header *header)
{
    const struct ks_clock *clock = ks_clock_system();
    uint64_t deadline = ks_clock_monotonic_ms(clock) + wait_ms;
    channel->wanted = KS_RESPONSE_HEADER_SIZE;
    for (;;) {
        bool is_sound = take_padding(channel);
        if (is_sound && is_behind_padding(channel) &&
            ks_response_header_parse(channel->input + channel->begin, channel->end - channel->begin,
                                     header) == KS_OK)
            return true;
        if (channel->ended || channel->broken || !is_sound)
            return false;
        uint64_t now = ks_clock_monotonic_ms(clock);
        uint32_t left = now < deadline ? (uint32_t)(deadline - now) : 0;
        bool pending = ks_carrier_has_pending(channel->carrier);
        struct pollfd waiting = {.fd = ks_channel_descriptor(channel),
                                 .events = ks_carrier_events(channel->carrier, POLLIN)};
        int ready = pending ? 1 : poll(&waiting, 1, (int)left);
        size_t arrived = channel->end - channel->begin;
        if (ready == 0 || (ready < 0 && errno != EINTR) || (ready > 0 && take_in(channel) != 0))
            return false;
        if (left == 0 && channel->end - channel->begin == arrived && !channel->ended)
            return false; /* under TLS much can come that is nothing */
    }
}

void ks_channel_take_exactly(struct ks_channel *channel, bool exactly)
{
    channel->exactly = exactly;
    channel->wanted = KS_RESPONSE_HEADER_SIZE;
}

enum kesher_status ks_channel_look(struct ks_channel *channel, uint8_t *byte, struct kesher_error *error)
{
    if (channel->begin < channel->end) {
        *byte = channel->input[channel->begin];
        return KESHER_OK;
    }
    uint64_t deadline = progress_deadline(channel);
    for (;;) {
        if (channel->broken || channel->ended)
            return fail_lost(channel, error, 0);
        ssize_t got = ks_carrier_peek(channel->carrier, byte, 1);
        if (got > 0)
            return KESHER_OK;
        channel->ended = got == 0;
        if (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
            return fail_lost(channel, error, errno);
        enum kesher_status status = channel->ended ? KESHER_OK : wait_for_input(channel, deadline, error);
        if (status != KESHER_OK)
            return status;
    }
}

/* Makes sure that something is there to take. */
static enum kesher_status need_input(struct ks_channel *channel, struct kesher_error *error)
{
    while (channel->begin == channel->end) {
        if (channel->broken || channel->ended)
            return fail_lost(channel, error, 0);
        enum kesher_status status = wait_to_receive(channel, error);
        if (status != KESHER_OK)
            return status;
    }
    return KESHER_OK;
}

static void take(struct ks_channel *channel, size_t size)
{
    channel->begin += size;
    channel->payload_left -= size < channel->payload_left ? (uint32_t)size : channel->payload_left;
}

enum kesher_status ks_channel_receive(struct ks_channel *channel, void *bytes, size_t size,
                                      struct kesher_error *error)
{
    uint8_t *next = bytes;
    while (size > 0) {
        channel->wanted = size;
        enum kesher_status status = need_input(channel, error);
        if (status != KESHER_OK)
            return status;
        size_t ready = channel->end - channel->begin;
        size_t taken = ready < size ? ready : size;
        memcpy(next, channel->input + channel->begin, taken);
        take(channel, taken);
        next += taken;
        size -= taken;
    }
    return KESHER_OK;
}

/* Receives into the caller's bytes, without waiting: *size is 0 when nothing was there. */
static enum kesher_status receive_directly(struct ks_channel *channel, void *bytes, size_t capacity,
                                           size_t *size, struct kesher_error *error)
{
    *size = 0;
    if (channel->broken || channel->ended)
        return fail_lost(channel, error, 0);
    ssize_t got = ks_carrier_receive(channel->carrier, bytes, capacity);
    if (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        return fail_lost(channel, error, errno);
    channel->ended = got == 0;
    if (channel->ended)
        return fail_lost(channel, error, 0);
    *size = got > 0 ? (size_t)got : 0;
    channel->payload_left -= *size < channel->payload_left ? (uint32_t)*size : channel->payload_left;
    return KESHER_OK;
}

enum kesher_status ks_channel_receive_some(struct ks_channel *channel, void *bytes, size_t capacity,
                                           size_t *size, struct kesher_error *error)
{
    size_t ready = channel->end - channel->begin;
    uint64_t deadline = progress_deadline(channel);
    enum kesher_status status = KESHER_OK;
    *size = ready < capacity ? ready : capacity;
    if (ready > 0) {
        memcpy(bytes, channel->input + channel->begin, *size);
        take(channel, *size);
        return KESHER_OK;
    }
    while (status == KESHER_OK && *size == 0) {
        status = receive_directly(channel, bytes, capacity, size, error);
        if (status == KESHER_OK && *size == 0)
            status = left_until(deadline) == 0 ? fail_timeout(channel, error)
                                               : wait_for_input(channel, deadline, error);
    }
    return status;
}

static enum kesher_status skip_padding(struct ks_channel *channel, struct kesher_error *error)
{
    for (;;) {
        if (!take_padding(channel))
            return ks_channel_fail_protocol(channel, error, "something inside the padding of an answer");
        if (is_behind_padding(channel))
            return KESHER_OK;
        if (channel->broken || channel->ended)
            return fail_lost(channel, error, 0);
        enum kesher_status status = wait_to_receive(channel, error);
        if (status != KESHER_OK)
            return status;
    }
}

enum kesher_status ks_channel_receive_header(struct ks_channel *channel, struct ks_response_header *header,
                                             struct kesher_error *error)
{
    uint8_t bytes[KS_RESPONSE_HEADER_SIZE];
    channel->wanted = sizeof bytes;
    enum kesher_status status = skip_padding(channel, error);
    if (status == KESHER_OK)
        status = ks_channel_receive(channel, bytes, sizeof bytes, error);
    if (status != KESHER_OK)
        return status;
    if (ks_response_header_parse(bytes, sizeof bytes, header) != KS_OK)
        return ks_channel_fail_protocol(channel, error, "no header");
    ks_blocks_begin(&channel->answers, KS_RESPONSE_HEADER_SIZE);
    ks_blocks_add(&channel->answers, header->payload_size);
    channel->payload_left = header->payload_size;
    return KESHER_OK;
}

enum kesher_status ks_channel_skip(struct ks_channel *channel, uint64_t size, struct kesher_error *error)
{
    while (size > 0) {
        channel->wanted = size < INPUT_SIZE ? (size_t)size : INPUT_SIZE;
        enum kesher_status status = need_input(channel, error);
        if (status != KESHER_OK)
            return status;
        size_t ready = channel->end - channel->begin;
        size_t taken = ready < size ? ready : (size_t)size;
        take(channel, taken);
        size -= taken;
    }
    return KESHER_OK;
}
