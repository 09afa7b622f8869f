/* carrier.c — see carrier.h. */
#include "client/transport/carrier.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/text.h"
#include "client/failure.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    INPUT_SIZE = 16 * 1024 + 512, /* a record, and what is around it */
    /* What a server sends that is no plaintext is looked at for so long at a time; then its time counts. */
    ROUNDS = 8,
    TOGETHER = 4 * KS_TLS_RECORD_SIZE, /* of plaintext: what is encrypted before it is sent */
};

struct ks_carrier {
    int fd;
    struct ks_tls *tls;      /* NULL without TLS, as is what follows */
    struct ks_buffer output; /* encrypted, and to be sent */
    int output_errno;        /* why nothing can be sent any more */
    int input_errno;         /* why nothing can be received any more */
    bool input_ended;        /* the server has said all */
    uint8_t *input;          /* as it came; of TLS until all of it was taken */
};

enum kesher_status ks_carrier_new(int fd, struct ks_carrier **carrier, struct kesher_error *error)
{
    struct ks_carrier *created = calloc(1, sizeof *created);
    if (created == NULL) {
        close(fd);
        return ks_failure_no_memory(error);
    }
    created->fd = fd;
    created->output = ks_buffer_empty(KS_CARRIER_OUTPUT_LIMIT);
    *carrier = created;
    return KESHER_OK;
}

void ks_carrier_free(struct ks_carrier *carrier)
{
    if (carrier == NULL)
        return;
    ks_tls_free(carrier->tls);
    ks_buffer_free(&carrier->output);
    free(carrier->input);
    close(carrier->fd);
    free(carrier);
}

struct ks_tls *ks_carrier_tls(struct ks_carrier *carrier)
{
    return carrier->tls;
}

int ks_carrier_descriptor(const struct ks_carrier *carrier)
{
    return carrier->fd;
}

static ssize_t fail_with(int error_number)
{
    errno = error_number;
    return -1;
}

static bool is_for_later(int error_number)
{
    return error_number == EAGAIN || error_number == EWOULDBLOCK || error_number == EINTR;
}

/* ---- what was encrypted ---- */

static void keep_for_peer(void *owner, const uint8_t *bytes, size_t size)
{
    struct ks_carrier *carrier = owner;
    if (carrier->output_errno != 0)
        return;
    enum ks_result result = ks_buffer_append(&carrier->output, bytes, size);
    if (result != KS_OK)
        carrier->output_errno = result == KS_NO_MEMORY ? ENOMEM : ENOBUFS;
}

/* Sends of it what the socket takes. */
static void flush(struct ks_carrier *carrier)
{
    while (carrier->output.size > 0 && carrier->output_errno == 0) {
        ssize_t sent =
            send(carrier->fd, carrier->output.bytes, carrier->output.size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && is_for_later(errno))
            return;
        if (sent < 0)
            carrier->output_errno = errno;
        else
            ks_buffer_drop_front(&carrier->output, (size_t)sent);
    }
}

static int errno_of(enum ks_result result)
{
    return result == KS_NO_MEMORY ? ENOMEM : EPROTO;
}

/* ---- the handshake ---- */

static enum kesher_status fail_handshake(struct ks_carrier *carrier, enum ks_result result, const char *shown,
                                         struct kesher_error *error)
{
    char why[300];
    const char *reason = ks_tls_why(carrier->tls);
    if (result == KS_NO_MEMORY)
        return ks_failure_no_memory(error);
    ks_text_escape(reason, strlen(reason), why, sizeof why);
    if (result == KS_CRYPTO)
        return ks_failure(error, KESHER_CRYPTO, "cannot speak TLS with %s: %.200s", shown, why);
    return ks_failure(
        error, KESHER_PROTOCOL,
        "%s does not speak TLS as a kesher server's secure port does (%.200s); check the address "
        "and the port",
        shown, why);
}

static enum kesher_status fail_closed(int error_number, const char *shown, struct kesher_error *error)
{
    if (error_number == 0)
        return ks_failure(error, KESHER_CONNECTION,
                          "%s closed the connection during the TLS handshake; check that this is its secure "
                          "port, or try again later",
                          shown);
    return ks_failure_system(error, KESHER_CONNECTION, error_number,
                             "the connection to %s was lost during the TLS handshake", shown);
}

/* Waits until the socket has something to read, sending what waits. KESHER_OK; KESHER_TIMEOUT;
 * KESHER_CONNECTION; KESHER_NO_MEMORY. */
static enum kesher_status wait_for_server(struct ks_carrier *carrier, uint64_t deadline, const char *shown,
                                          struct kesher_error *error)
{
    for (;;) {
        flush(carrier);
        if (carrier->output_errno == ENOMEM) /* the server waits for what it will never get */
            return ks_failure_no_memory(error);
        uint64_t now = ks_clock_monotonic_ms(ks_clock_system());
        if (now >= deadline)
            return ks_failure(
                error, KESHER_TIMEOUT,
                "%s does not come to an end with the TLS handshake; check the address, the port "
                "and the network",
                shown);
        struct pollfd waiting = {.fd = carrier->fd, .events = ks_carrier_events(carrier, POLLIN)};
        int ready = poll(&waiting, 1, (int)(deadline - now));
        if (ready < 0 && errno != EINTR)
            return fail_closed(errno, shown, error);
        if (ready > 0 && (waiting.revents & ~POLLOUT) != 0)
            return KESHER_OK;
    }
}

/* The next bytes of the server. KESHER_OK also when there were none after all. */
static enum kesher_status take_handshake(struct ks_carrier *carrier, const char *shown,
                                         struct kesher_error *error)
{
    ssize_t got = recv(carrier->fd, carrier->input, INPUT_SIZE, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && !is_for_later(errno)))
        return fail_closed(got == 0 ? carrier->output_errno : errno, shown, error);
    if (got > 0)
        ks_tls_feed(carrier->tls, carrier->input, (size_t)got);
    return KESHER_OK;
}

enum kesher_status ks_carrier_secure(struct ks_carrier *carrier, struct ks_tls_context *context,
                                     const char *host, const char *shown, uint32_t limit_ms,
                                     struct kesher_error *error)
{
    uint64_t deadline = ks_clock_monotonic_ms(ks_clock_system()) + limit_ms;
    carrier->input = malloc(INPUT_SIZE);
    if (carrier->input == NULL || ks_tls_new(context, host, keep_for_peer, carrier, &carrier->tls) != KS_OK)
        return ks_failure_no_memory(error);
    for (;;) {
        enum ks_result result = ks_tls_handshake(carrier->tls);
        flush(carrier); /* what was an error is told to the server, too */
        if (result == KS_OK)
            return KESHER_OK;
        if (result != KS_MORE)
            return fail_handshake(carrier, result, shown, error);
        enum kesher_status status = wait_for_server(carrier, deadline, shown, error);
        if (status == KESHER_OK)
            status = take_handshake(carrier, shown, error);
        if (status != KESHER_OK)
            return status;
    }
}

/* ---- out ---- */

/* Encrypts as many records as are sent together, and sends them: fewer calls of the system cost less. */
static ssize_t send_securely(struct ks_carrier *carrier, const void *bytes, size_t size)
{
    const uint8_t *next = bytes;
    flush(carrier);
    if (carrier->output_errno != 0)
        return fail_with(carrier->output_errno);
    if (carrier->output.size > 0)
        return fail_with(EAGAIN);
    size_t taken = 0;
    while (taken < size && taken < TOGETHER && carrier->output_errno == 0) {
        size_t record = size - taken < KS_TLS_RECORD_SIZE ? size - taken : KS_TLS_RECORD_SIZE;
        enum ks_result result = ks_tls_write(carrier->tls, next + taken, record);
        if (result != KS_OK)
            carrier->output_errno = errno_of(result);
        taken += record;
    }
    flush(carrier);
    return carrier->output_errno == 0 ? (ssize_t)taken : fail_with(carrier->output_errno);
}

ssize_t ks_carrier_send(struct ks_carrier *carrier, const void *bytes, size_t size, bool more)
{
    if (carrier->tls != NULL)
        return send_securely(carrier, bytes, size);
    return send(carrier->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0));
}

void ks_carrier_end(struct ks_carrier *carrier)
{
    if (carrier->tls == NULL) {
        (void)shutdown(carrier->fd, SHUT_WR); /* fails when the connection is gone, which is told elsewhere */
        return;
    }
    ks_tls_end(carrier->tls);
    flush(carrier);
}

/* ---- in ---- */

/* Gives TLS what has come. 0, or an errno. */
static int feed(struct ks_carrier *carrier)
{
    ssize_t got = recv(carrier->fd, carrier->input, INPUT_SIZE, MSG_DONTWAIT);
    if (got < 0)
        return errno;
    if (got == 0)
        return ECONNABORTED; /* TLS has not ended: anybody may have cut it */
    ks_tls_feed(carrier->tls, carrier->input, (size_t)got);
    return 0;
}

static ssize_t read_plaintext(struct ks_carrier *carrier, void *bytes, size_t size)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t got = 0;
        enum ks_result result = ks_tls_read(carrier->tls, bytes, size, &got);
        if (result == KS_OK)
            return (ssize_t)got;
        if (result == KS_CLOSED) {
            carrier->input_ended = true;
            return 0;
        }
        int failure = result == KS_MORE ? feed(carrier) : errno_of(result);
        if (failure != 0)
            return fail_with(failure);
    }
    return fail_with(EAGAIN);
}

static ssize_t receive_securely(struct ks_carrier *carrier, void *bytes, size_t size)
{
    if (carrier->input_ended)
        return 0;
    if (carrier->input_errno != 0)
        return fail_with(carrier->input_errno);
    flush(carrier);
    ssize_t got = read_plaintext(carrier, bytes, size);
    int failure = got < 0 ? errno : 0;
    if (failure != 0 && !is_for_later(failure))
        carrier->input_errno = failure;
    flush(carrier); /* an alert, an answer to new keys */
    return failure == 0 ? got : fail_with(failure);
}

ssize_t ks_carrier_receive(struct ks_carrier *carrier, void *bytes, size_t size)
{
    if (carrier->tls != NULL)
        return receive_securely(carrier, bytes, size);
    return recv(carrier->fd, bytes, size, MSG_DONTWAIT);
}

ssize_t ks_carrier_peek(struct ks_carrier *carrier, void *bytes, size_t size)
{
    if (carrier->tls != NULL)
        return fail_with(ENOTSUP);
    return recv(carrier->fd, bytes, size, MSG_DONTWAIT | MSG_PEEK);
}

bool ks_carrier_has_pending(const struct ks_carrier *carrier)
{
    if (carrier->tls == NULL)
        return false;
    return carrier->input_ended || carrier->input_errno != 0 || ks_tls_unread(carrier->tls) > 0 ||
           ks_tls_has_pending(carrier->tls);
}

short ks_carrier_events(const struct ks_carrier *carrier, short wanted)
{
    bool waits = carrier->tls != NULL && carrier->output.size > 0 && carrier->output_errno == 0;
    return waits ? (short)(wanted | POLLOUT) : wanted;
}

/* ---- what failed ---- */

enum kesher_status ks_carrier_failure(const struct ks_carrier *carrier, int error_number, const char *shown,
                                      struct kesher_error *error)
{
    char why[300] = "";
    if (error_number == 0)
        return ks_failure(error, KESHER_CONNECTION, "%s closed the connection; its log may tell why", shown);
    bool is_secure = carrier != NULL && carrier->tls != NULL;
    if (is_secure && error_number == ECONNABORTED)
        return ks_failure(error, KESHER_CONNECTION,
                          "the connection to %s was lost: it was cut before the server had said all", shown);
    if (!is_secure || error_number != EPROTO)
        return ks_failure_system(error, KESHER_CONNECTION, error_number, "the connection to %s was lost",
                                 shown);
    const char *reason = ks_tls_why(carrier->tls);
    ks_text_escape(reason, strlen(reason), why, sizeof why);
    return ks_failure(error, KESHER_CONNECTION,
                      "what came from %s was not as a server had sent it, and the connection was given up "
                      "(%.200s)",
                      shown, why);
}
