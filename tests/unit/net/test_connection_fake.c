/* test_connection_fake.c — the contract of net/connection.h on the connection by hand, which services are
 * tested with. When it closes is in the test's hand, too: here, as a loop would.
 */
#include "unit/net/contract/connection_contract.h"

#include "support/fake_connection.h"

enum { CAPACITY = 1024 * 1024 };

struct by_hand {
    struct fake_loop loop;
    struct fake_connection connection;
};

static void copy_taken(struct contract_line *line)
{
    const struct fake_connection *connection = &((struct by_hand *)line->carrier)->connection;
    size_t had = line->got.size;
    if (connection->taken > had)
        assert_int_equal(
            ks_buffer_append(&line->got, connection->output.bytes + had, connection->taken - had), KS_OK);
}

/* What fake_connection.h leaves to the test. */
static bool is_over(const struct fake_connection *connection)
{
    bool peer_is_through = connection->ended && (connection->end_told || !connection->end_wanted);
    if (connection->broken)
        return true;
    if (connection->aborted)
        return !connection->end_wanted || peer_is_through;
    return connection->finished && connection->taken == connection->output.size && peer_is_through;
}

static void by_hand_turn(struct contract_line *line)
{
    struct by_hand *by_hand = line->carrier;
    fake_connection_run(&by_hand->connection);
    copy_taken(line);
    if (line->connection != NULL && is_over(&by_hand->connection))
        fake_connection_close(&by_hand->connection);
}

static void by_hand_set_up(struct contract_line *line)
{
    struct by_hand *by_hand = calloc(1, sizeof *by_hand);
    assert_non_null(by_hand);
    fake_loop_init(&by_hand->loop, CAPACITY);
    line->carrier = by_hand;
}

static void by_hand_tear_down(struct contract_line *line)
{
    struct by_hand *by_hand = line->carrier;
    fake_connection_close(&by_hand->connection);
    fake_loop_destroy(&by_hand->loop);
    free(by_hand);
}

static void by_hand_open(struct contract_line *line, const struct ks_connection_events *events)
{
    struct by_hand *by_hand = line->carrier;
    fake_connection_open(&by_hand->connection, &by_hand->loop, events, line);
}

static void by_hand_pass(struct contract_line *line, uint64_t ms)
{
    fake_connection_wait(&((struct by_hand *)line->carrier)->connection, ms);
}

static void by_hand_send(struct contract_line *line, const void *bytes, size_t size)
{
    fake_connection_send_only(&((struct by_hand *)line->carrier)->connection, bytes, size);
}

static void by_hand_end(struct contract_line *line)
{
    fake_connection_end(&((struct by_hand *)line->carrier)->connection);
}

static void by_hand_reset(struct contract_line *line)
{
    ((struct by_hand *)line->carrier)->connection.broken = true;
}

static void by_hand_stall(struct contract_line *line)
{
    struct fake_connection *connection = &((struct by_hand *)line->carrier)->connection;
    connection->window = connection->taken;
}

static void by_hand_take(struct contract_line *line, size_t total)
{
    struct fake_connection *connection = &((struct by_hand *)line->carrier)->connection;
    by_hand_turn(line);
    while (connection->taken < total)
        fake_connection_take(connection, total - connection->taken);
    copy_taken(line);
}

static void by_hand_await_our_end(struct contract_line *line)
{
    const struct fake_connection *connection = &((struct by_hand *)line->carrier)->connection;
    by_hand_take(line, connection->output.size);
    assert_true(connection->shut || connection->finished);
}

static const struct contract_harness by_hand_harness = {
    .set_up = by_hand_set_up,
    .tear_down = by_hand_tear_down,
    .open = by_hand_open,
    .turn = by_hand_turn,
    .pass = by_hand_pass,
    .send = by_hand_send,
    .end = by_hand_end,
    .reset = by_hand_reset,
    .stall = by_hand_stall,
    .take = by_hand_take,
    .await_our_end = by_hand_await_our_end,
};

int main(void)
{
    return connection_contract_run("the connection by hand", &by_hand_harness);
}
