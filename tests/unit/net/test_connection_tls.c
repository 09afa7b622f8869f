/* test_connection_tls.c — the contract of net/connection.h on TLS over TCP over loopback. */
#include "unit/net/contract/connection_contract.h"
#include "unit/net/tls_peer.h"

static void over_tls_turn(struct contract_line *line)
{
    const struct tls_peer *peer = line->carrier;
    tcp_fixture_turn(peer->fixture);
}

static void over_tls_set_up(struct contract_line *line)
{
    line->carrier = tls_peer_new();
}

static void over_tls_tear_down(struct contract_line *line)
{
    tls_peer_free(line->carrier);
}

static void over_tls_open(struct contract_line *line, const struct ks_connection_events *events)
{
    struct tls_peer *peer = line->carrier;
    tls_peer_connect(peer, events, line, NULL);
    assert_true(tls_peer_shake_hands(peer));
}

static void over_tls_pass(struct contract_line *line, uint64_t ms)
{
    const struct tls_peer *peer = line->carrier;
    tcp_fixture_pass(peer->fixture, ms);
}

static void over_tls_send(struct contract_line *line, const void *bytes, size_t size)
{
    tls_peer_send(line->carrier, bytes, size);
}

static void over_tls_end(struct contract_line *line)
{
    struct tls_peer *peer = line->carrier;
    ks_tls_end(peer->tls);
    (void)tls_peer_send_raw(peer, peer->out.bytes, peer->out.size); /* it may be gone */
    ks_buffer_free(&peer->out);
    (void)shutdown(peer->fd, SHUT_WR);
    if (line->connection != NULL)
        tcp_fixture_await(peer->accepted.fd, POLLRDHUP);
}

static void over_tls_reset(struct contract_line *line)
{
    struct tls_peer *peer = line->carrier;
    tcp_fixture_reset(peer->fd);
    peer->fd = -1;
    tcp_fixture_await(peer->accepted.fd, 0);
}

static void over_tls_stall(struct contract_line *line)
{
    (void)line; /* it takes what its socket's buffer takes, and that is short */
}

static void over_tls_take(struct contract_line *line, size_t total)
{
    while (line->got.size < total)
        assert_true(tls_peer_take(line->carrier, &line->got, total - line->got.size));
    over_tls_turn(line);
}

/* close_notify, and the end of the stream behind it. */
static void over_tls_await_our_end(struct contract_line *line)
{
    struct tls_peer *peer = line->carrier;
    while (tls_peer_take(peer, &line->got, SIZE_MAX))
        ;
    while (tls_peer_receive(peer))
        ;
    assert_true(peer->has_seen_end);
}

static const struct contract_harness over_tls_harness = {
    .set_up = over_tls_set_up,
    .tear_down = over_tls_tear_down,
    .open = over_tls_open,
    .turn = over_tls_turn,
    .pass = over_tls_pass,
    .send = over_tls_send,
    .end = over_tls_end,
    .reset = over_tls_reset,
    .stall = over_tls_stall,
    .take = over_tls_take,
    .await_our_end = over_tls_await_our_end,
};

int main(void)
{
    return connection_contract_run("TLS", &over_tls_harness);
}
