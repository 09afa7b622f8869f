/* test_connection_tcp.c — the contract of net/connection.h on TCP over loopback. */
#include "unit/net/contract/connection_contract.h"
#include "unit/net/tcp_fixture.h"

#include <errno.h>

enum { PIECE = 32 * 1024 };

struct over_tcp {
    struct tcp_fixture *fixture;
    struct ks_accepted accepted;
    int peer; /* -1: closed */
};

static void over_tcp_turn(struct contract_line *line)
{
    const struct over_tcp *tcp = line->carrier;
    tcp_fixture_turn(tcp->fixture);
}

static void over_tcp_set_up(struct contract_line *line)
{
    struct over_tcp *tcp = calloc(1, sizeof *tcp);
    assert_non_null(tcp);
    tcp->fixture = tcp_fixture_new();
    tcp->peer = -1;
    line->carrier = tcp;
}

static void over_tcp_tear_down(struct contract_line *line)
{
    struct over_tcp *tcp = line->carrier;
    if (tcp->peer >= 0)
        close(tcp->peer);
    tcp_fixture_free(tcp->fixture);
    free(tcp);
}

static void over_tcp_open(struct contract_line *line, const struct ks_connection_events *events)
{
    struct over_tcp *tcp = line->carrier;
    tcp->accepted = (struct ks_accepted){.events = events, .service = line};
    tcp->peer = tcp_fixture_connect(&tcp->accepted);
    tcp_fixture_open(tcp->fixture, &tcp->accepted);
}

static void over_tcp_pass(struct contract_line *line, uint64_t ms)
{
    const struct over_tcp *tcp = line->carrier;
    tcp_fixture_pass(tcp->fixture, ms);
}

/* What does not fit into the socket's buffers is sent as the loop takes it. */
static void over_tcp_send(struct contract_line *line, const void *bytes, size_t size)
{
    const struct over_tcp *tcp = line->carrier;
    const uint8_t *next = bytes;
    int unread = tcp_fixture_unread(tcp->accepted.fd);
    bool is_short = size < PIECE;
    while (size > 0) {
        ssize_t sent = send(tcp->peer, next, size, MSG_NOSIGNAL);
        if (sent < 0) {
            assert_int_equal(errno, EAGAIN);
            over_tcp_turn(line);
            continue;
        }
        next += sent;
        size -= (size_t)sent;
    }
    if (is_short)
        tcp_fixture_await_bytes(tcp->accepted.fd, unread + (int)(next - (const uint8_t *)bytes));
}

static void over_tcp_end(struct contract_line *line)
{
    const struct over_tcp *tcp = line->carrier;
    assert_int_equal(shutdown(tcp->peer, SHUT_WR), 0);
    if (line->connection != NULL)
        tcp_fixture_await(tcp->accepted.fd, POLLRDHUP);
}

static void over_tcp_reset(struct contract_line *line)
{
    struct over_tcp *tcp = line->carrier;
    tcp_fixture_reset(tcp->peer);
    tcp->peer = -1;
    tcp_fixture_await(tcp->accepted.fd, 0);
}

static void over_tcp_stall(struct contract_line *line)
{
    (void)line; /* it takes what its socket's buffer takes, and that is short */
}

/* Returns how much: 0 at our end. */
static size_t take_some(struct contract_line *line, size_t size)
{
    const struct over_tcp *tcp = line->carrier;
    uint8_t piece[PIECE];
    ssize_t got = -1;
    while ((got = recv(tcp->peer, piece, size < sizeof piece ? size : sizeof piece, 0)) < 0) {
        assert_int_equal(errno, EAGAIN);
        over_tcp_turn(line);
    }
    assert_int_equal(ks_buffer_append(&line->got, piece, (size_t)got), KS_OK);
    return (size_t)got;
}

static void over_tcp_take(struct contract_line *line, size_t total)
{
    while (line->got.size < total)
        assert_true(take_some(line, total - line->got.size) > 0);
    over_tcp_turn(line);
}

static void over_tcp_await_our_end(struct contract_line *line)
{
    while (take_some(line, PIECE) > 0)
        ;
}

static const struct contract_harness over_tcp_harness = {
    .set_up = over_tcp_set_up,
    .tear_down = over_tcp_tear_down,
    .open = over_tcp_open,
    .turn = over_tcp_turn,
    .pass = over_tcp_pass,
    .send = over_tcp_send,
    .end = over_tcp_end,
    .reset = over_tcp_reset,
    .stall = over_tcp_stall,
    .take = over_tcp_take,
    .await_our_end = over_tcp_await_our_end,
};

int main(void)
{
    return connection_contract_run("TCP", &over_tcp_harness);
}
