/* tls_peer.h — a client in the test's hand, over a TCP connection of tcp_fixture.h: encrypts and decrypts,
 * and lets the loop turn while the socket has no room, or nothing. And a secure port for it to speak to.
 */
#ifndef KS_TESTS_UNIT_NET_TLS_PEER_H
#define KS_TESTS_UNIT_NET_TLS_PEER_H

#include "unit/net/tcp_fixture.h"

#include "base/buffer.h"
#include "net/tls/tls_carrier.h"

#include <errno.h>

enum { TLS_PEER_PIECE = 32 * 1024 };

struct tls_peer {
    struct tcp_fixture *fixture;
    struct ks_tls_port *port;
    struct ks_tls_context *context;
    struct ks_tls *tls;
    struct ks_accepted accepted;
    struct ks_buffer out;
    uint8_t in[TLS_PEER_PIECE];
    int fd; /* -1: closed */
    bool has_seen_end;
};

/* A pool that is done at once, but tells it later. */
static inline void tls_peer_done(struct ks_task *task)
{
    struct ks_offload *offload = KS_CONTAINER_OF(task, struct ks_offload, task);
    offload->done(offload);
}

static inline void tls_peer_offload(struct ks_loop *loop, struct ks_offload *offload)
{
    offload->loop = loop;
    offload->work(offload);
    offload->task.run = tls_peer_done;
    ks_executor_post(&loop->executor, &offload->task);
}

static inline void tls_peer_keep(void *owner, const uint8_t *bytes, size_t size)
{
    assert_int_equal(ks_buffer_append(&((struct tls_peer *)owner)->out, bytes, size), KS_OK);
}

static inline struct tls_peer *tls_peer_new(void)
{
    struct tls_peer *peer = calloc(1, sizeof *peer);
    assert_non_null(peer);
    peer->fixture = tcp_fixture_new();
    peer->fixture->core.loop.offload = tls_peer_offload;
    peer->fd = -1;
    assert_int_equal(ks_tls_client_context_new(false, &peer->context), KS_OK);
    assert_int_equal(ks_tls_new(peer->context, NULL, tls_peer_keep, peer, &peer->tls), KS_OK);
    return peer;
}

static inline void tls_peer_free(struct tls_peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    tcp_fixture_free(peer->fixture);
    ks_tls_port_free(peer->port);
    ks_tls_free(peer->tls);
    ks_tls_context_release(peer->context);
    ks_buffer_free(&peer->out);
    free(peer);
}

/* Makes the port, which serves `events` to whoever speaks kesher/1, and connects. No handshake yet. */
static inline void tls_peer_connect(struct tls_peer *peer, const struct ks_connection_events *events,
                                    void *service, struct ks_networks_current *proxies)
{
    struct ks_tls_identity *identity = NULL;
    const struct ks_tls_port_options options = {.clock = ks_clock_system(),
                                                .random = ks_random_system(),
                                                .log = &peer->fixture->log,
                                                .kesher = {events, service},
                                                .http = {events, service},
                                                .proxies = proxies,
                                                .crowd = &peer->fixture->shared.crowd,
                                                .output = &peer->fixture->shared.output};
    assert_int_equal(ks_tls_port_new(&options, &peer->port), KS_OK);
    assert_int_equal(ks_tls_identity_generate(&identity), KS_OK);
    assert_int_equal(ks_tls_port_set_identity(peer->port, identity), KS_OK);
    ks_tls_identity_free(identity);
    peer->accepted = (struct ks_accepted){.events = &ks_tls_carrier_events, .service = peer->port};
    peer->fd = tcp_fixture_connect(&peer->accepted);
    tcp_fixture_open(peer->fixture, &peer->accepted);
}

/* Sends bytes as they are; what does not fit is sent as the loop takes it. False when the connection is gone.
 */
static inline bool tls_peer_send_raw(struct tls_peer *peer, const void *bytes, size_t size)
{
    const uint8_t *next = bytes;
    while (size > 0) {
        ssize_t sent = send(peer->fd, next, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return false;
        if (sent < 0) {
            tcp_fixture_turn(peer->fixture);
            continue;
        }
        next += sent;
        size -= (size_t)sent;
    }
    return true;
}

/* Sends what TLS has for the server. False when the connection is gone. */
static inline bool tls_peer_send_out(struct tls_peer *peer)
{
    bool sent = tls_peer_send_raw(peer, peer->out.bytes, peer->out.size);
    ks_buffer_free(&peer->out);
    return sent;
}

/* Reads something, and feeds it. False at the end of the stream, or after a reset. */
static inline bool tls_peer_receive(struct tls_peer *peer)
{
    ssize_t got = -1;
    while ((got = recv(peer->fd, peer->in, sizeof peer->in, 0)) < 0 && errno == EAGAIN)
        tcp_fixture_turn(peer->fixture);
    ks_tls_feed(peer->tls, peer->in, got > 0 ? (size_t)got : 0);
    return got > 0;
}

/* False when the server broke it off. */
static inline bool tls_peer_shake_hands(struct tls_peer *peer)
{
    enum ks_result result = KS_MORE;
    while ((result = ks_tls_handshake(peer->tls)) == KS_MORE)
        if (!tls_peer_send_out(peer) || !tls_peer_receive(peer))
            return false;
    return result == KS_OK && tls_peer_send_out(peer);
}

/* Little has come to the server's door when this returns. */
static inline void tls_peer_send(struct tls_peer *peer, const void *bytes, size_t size)
{
    bool is_little = size <= TLS_PEER_PIECE / 2;
    const uint8_t *next = bytes;
    while (size > 0) {
        size_t part = size < TLS_PEER_PIECE / 2 ? size : TLS_PEER_PIECE / 2;
        assert_int_equal(ks_tls_write(peer->tls, next, part), KS_OK);
        int unread = is_little ? tcp_fixture_unread(peer->accepted.fd) : 0;
        int sent = (int)peer->out.size;
        assert_true(tls_peer_send_out(peer));
        if (is_little)
            tcp_fixture_await_bytes(peer->accepted.fd, unread + sent);
        next += part;
        size -= part;
    }
}

/* Appends up to `limit` bytes that the server has sent. False at its end. */
static inline bool tls_peer_take(struct tls_peer *peer, struct ks_buffer *got, size_t limit)
{
    uint8_t bytes[TLS_PEER_PIECE];
    size_t size = 0;
    enum ks_result result = KS_MORE;
    while ((result = ks_tls_read(peer->tls, bytes, limit < sizeof bytes ? limit : sizeof bytes, &size)) ==
           KS_MORE)
        if (!tls_peer_receive(peer))
            return false;
    peer->has_seen_end = peer->has_seen_end || result == KS_CLOSED;
    if (result == KS_OK)
        assert_int_equal(ks_buffer_append(got, bytes, size), KS_OK);
    return result == KS_OK;
}

#endif
