/* fake_connection.c — see fake_connection.h. */
#include "support/fake_connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fake_connection *fake_of(const struct ks_connection *connection)
{
    return KS_CONTAINER_OF(connection, struct fake_connection, connection);
}

/* The service has ended it. */
static bool is_over(const struct fake_connection *connection)
{
    return connection->finished || connection->aborted;
}

/* What is within the peer's window leaves with the next turn of the loop. */
static size_t fake_output_waiting(const struct ks_connection *connection)
{
    const struct fake_connection *fake = fake_of(connection);
    return fake->output.size - fake->taken;
}

static size_t fake_output_memory(const struct ks_connection *connection)
{
    size_t waiting = fake_output_waiting(connection);
    return waiting > 0 ? waiting + fake_of(connection)->overhead : 0;
}

static bool fake_output_is_full(struct ks_connection *connection)
{
    return fake_output_waiting(connection) > KS_OUTPUT_HIGH_WATER;
}

static bool trace(struct fake_connection *connection, const void *bytes, size_t size)
{
    return connection->loop->without_traces || ks_buffer_append(&connection->trace, bytes, size) == KS_OK;
}

static bool fake_write(struct ks_connection *connection, const void *bytes, size_t size)
{
    struct fake_connection *fake = fake_of(connection);
    if (is_over(fake))
        return true;
    if (fake->shut)
        abort(); /* a service that writes behind its end of stream */
    if (ks_buffer_append(&fake->output, bytes, size) != KS_OK || !trace(fake, bytes, size)) {
        fake->aborted = true;
        return false;
    }
    if (fake_output_waiting(connection) > KS_OUTPUT_LOW_WATER)
        fake->above_low = true;
    return true;
}

static bool fake_write_apart(struct ks_connection *connection, const void *bytes, size_t size)
{
    struct fake_connection *fake = fake_of(connection);
    if (is_over(fake))
        return true;
    bool written = trace(fake, "<", 1) && fake_write(connection, bytes, size) && trace(fake, ">", 1);
    fake->aborted = fake->aborted || !written;
    return written;
}

static bool fake_write_shared(struct ks_connection *connection, struct ks_shared *shared, size_t offset,
                              size_t size, bool apart)
{
    return apart ? fake_write_apart(connection, shared->bytes + offset, size)
                 : fake_write(connection, shared->bytes + offset, size);
}

static bool tell_delivered(struct fake_connection *connection)
{
    const struct ks_connection_events *events = connection->connection.events;
    if (!connection->open || connection->watched == 0 || connection->watched > connection->taken)
        return false;
    connection->watched = 0;
    if (events->delivered != NULL)
        events->delivered(&connection->connection);
    return true;
}

static void tell_drained(struct fake_connection *connection)
{
    const struct ks_connection_events *events = connection->connection.events;
    if (!connection->above_low || fake_output_waiting(&connection->connection) > KS_OUTPUT_LOW_WATER)
        return;
    connection->above_low = false;
    if (!is_over(connection) && events->drained != NULL)
        events->drained(&connection->connection);
}

/* The peer takes what is within its window. */
static bool take_window(struct fake_connection *connection)
{
    size_t limit =
        connection->output.size < connection->window ? connection->output.size : connection->window;
    if (connection->taken >= limit)
        return false;
    connection->taken = limit;
    return true;
}

/* The same, with the events that follow from it; the loop alone tells of deliveries. */
static bool move_output(struct fake_connection *connection)
{
    if (!connection->open || connection->aborted)
        return false;
    bool moves = take_window(connection);
    bool told = tell_delivered(connection);
    if (moves)
        tell_drained(connection);
    return moves || told;
}

static bool give_turn(struct fake_connection *connection)
{
    if (!connection->open || !connection->turn_wanted)
        return false;
    connection->turn_wanted = false;
    if (!is_over(connection) && connection->connection.events->turn != NULL)
        connection->connection.events->turn(&connection->connection);
    return true;
}

static void fake_want_turn(struct ks_connection *connection)
{
    struct fake_connection *fake = fake_of(connection);
    fake->turn_wanted = !is_over(fake);
}

static bool fake_channel(struct ks_connection *connection, uint8_t channel[static KS_CONNECTION_CHANNEL_SIZE])
{
    const struct fake_connection *fake = fake_of(connection);
    if (fake->has_channel)
        memcpy(channel, fake->channel, sizeof fake->channel);
    return fake->has_channel;
}

static void fake_flush(struct ks_connection *connection)
{
    struct fake_connection *fake = fake_of(connection);
    give_turn(fake);
    if (!is_over(fake) && take_window(fake))
        tell_drained(fake);
}

static uint64_t fake_written(const struct ks_connection *connection)
{
    return fake_of(connection)->output.size;
}

static uint64_t fake_delivered_up_to(struct ks_connection *connection)
{
    return fake_of(connection)->taken;
}

static void fake_watch_delivery(struct ks_connection *connection, uint64_t position)
{
    fake_of(connection)->watched = position;
}

static uint64_t fake_delivered_before_end(struct ks_connection *connection)
{
    const struct fake_connection *fake = fake_of(connection);
    return fake->ended ? fake->taken_at_end : fake->taken;
}

static bool fake_is_broken(struct ks_connection *connection)
{
    return fake_of(connection)->broken;
}

static void fake_want_end(struct ks_connection *connection, bool wanted)
{
    fake_of(connection)->end_wanted = wanted;
}

static void fake_set_reminder(struct ks_connection *connection, uint64_t after_ms)
{
    struct fake_connection *fake = fake_of(connection);
    fake->reminder_ms = after_ms == 0 ? 0 : fake->loop->time.monotonic_ms + after_ms;
}

static void fake_set_standing(struct ks_connection *connection, enum ks_standing standing)
{
    fake_of(connection)->standing = standing;
}

static void fake_shut(struct ks_connection *connection)
{
    fake_of(connection)->shut = true;
}

static void fake_pause(struct ks_connection *connection)
{
    fake_of(connection)->paused = true;
}

static void fake_resume(struct ks_connection *connection)
{
    struct fake_connection *fake = fake_of(connection);
    fake->resumed = fake->resumed || fake->paused;
    fake->paused = false;
}

static void fake_set_deadline(struct ks_connection *connection, uint64_t after_ms)
{
    struct fake_connection *fake = fake_of(connection);
    if (is_over(fake))
        return;
    fake->deadline_ms = after_ms == 0 ? 0 : fake->loop->time.monotonic_ms + after_ms;
}

static void fake_set_idle(struct ks_connection *connection, bool idle)
{
    fake_of(connection)->idle = idle;
}

static void fake_finish(struct ks_connection *connection)
{
    fake_of(connection)->finished = true;
    fake_of(connection)->deadline_ms = 0;
}

static void fake_abort(struct ks_connection *connection)
{
    fake_of(connection)->aborted = true;
    fake_of(connection)->deadline_ms = 0;
}

static void fake_describe_peer(const struct ks_connection *connection, char *text, size_t size)
{
    (void)connection;
    snprintf(text, size, "192.0.2.1:40000");
}

static void fake_peer_address(const struct ks_connection *connection,
                              uint8_t address[static KS_PEER_ADDRESS_SIZE])
{
    memcpy(address, fake_of(connection)->address, KS_PEER_ADDRESS_SIZE);
}

static const struct ks_connection_operations fake_operations = {
    .write = fake_write,
    .write_apart = fake_write_apart,
    .write_shared = fake_write_shared,
    .flush = fake_flush,
    .output_waiting = fake_output_waiting,
    .output_memory = fake_output_memory,
    .output_is_full = fake_output_is_full,
    .written = fake_written,
    .delivered_up_to = fake_delivered_up_to,
    .delivered_before_end = fake_delivered_before_end,
    .watch_delivery = fake_watch_delivery,
    .is_broken = fake_is_broken,
    .want_end = fake_want_end,
    .pause = fake_pause,
    .resume = fake_resume,
    .set_deadline = fake_set_deadline,
    .set_reminder = fake_set_reminder,
    .set_idle = fake_set_idle,
    .set_standing = fake_set_standing,
    .want_turn = fake_want_turn,
    .channel = fake_channel,
    .shut = fake_shut,
    .finish = fake_finish,
    .abort = fake_abort,
    .describe_peer = fake_describe_peer,
    .peer_address = fake_peer_address,
};

static bool takes_input(const struct fake_connection *connection)
{
    return connection->open && !connection->paused && !is_over(connection);
}

/* Offers bytes as net/tcp/tcp_input.c does: into the service's own buffer when it wants that. What is not
 * consumed is kept. */
static void offer(struct fake_connection *connection, const uint8_t *bytes, size_t size)
{
    const struct ks_connection_events *events = connection->connection.events;
    while (size > 0 && takes_input(connection) && connection->kept.size == 0) {
        uint8_t *buffer = NULL;
        size_t room =
            events->receive_buffer != NULL ? events->receive_buffer(&connection->connection, &buffer) : 0;
        size_t part = room > 0 && room < size ? room : size;
        const uint8_t *from = bytes;
        if (room > 0) {
            memcpy(buffer, bytes, part);
            from = buffer;
        }
        size_t consumed = events->received(&connection->connection, from, part);
        if (consumed > part)
            abort(); /* a service that takes more than there is */
        bytes += consumed;
        size -= consumed;
        if (consumed < part && takes_input(connection))
            abort(); /* only a paused or ending connection may leave input */
        if (consumed < part)
            break;
    }
    if (size > 0 && connection->open && !is_over(connection))
        if (ks_buffer_append(&connection->kept, bytes, size) != KS_OK)
            connection->aborted = true;
}

static void free_input(const struct fake_connection *connection, struct ks_buffer *input)
{
    if (connection->connection.events->input_is_secret)
        ks_buffer_wipe(input);
    else
        ks_buffer_free(input);
}

static bool offer_kept(struct fake_connection *connection)
{
    if (!takes_input(connection) || connection->kept.size == 0)
        return false;
    struct ks_buffer kept = connection->kept;
    connection->kept = ks_buffer_empty(0);
    connection->resumed = false;
    offer(connection, kept.bytes, kept.size);
    bool progress = connection->kept.size < kept.size;
    free_input(connection, &kept);
    return progress;
}

static void tell_end(struct fake_connection *connection)
{
    bool now = is_over(connection) ? connection->open && connection->end_wanted
                                   : takes_input(connection) && connection->kept.size == 0;
    if (!connection->ended || connection->end_told || !now)
        return;
    connection->end_told = true;
    connection->connection.events->input_ended(&connection->connection);
}

void fake_connection_take(struct fake_connection *connection, size_t size)
{
    connection->window = connection->taken + size;
    fake_connection_run(connection);
}

void fake_connection_run(struct fake_connection *connection)
{
    bool progress = true;
    while (progress) {
        progress = fake_loop_run(connection->loop) > 0;
        progress = offer_kept(connection) || progress;
        progress = give_turn(connection) || progress;
        progress = move_output(connection) || progress;
        tell_end(connection);
    }
}

bool fake_connection_open(struct fake_connection *connection, struct fake_loop *loop,
                          const struct ks_connection_events *events, void *service)
{
    *connection = (struct fake_connection){.loop = loop, .open = true, .idle = true, .window = SIZE_MAX};
    connection->output = ks_buffer_empty(0);
    connection->trace = ks_buffer_empty(0);
    connection->kept = ks_buffer_empty(0);
    connection->connection.operations = &fake_operations;
    connection->connection.events = events;
    connection->connection.loop = &loop->loop;
    connection->open = events->opened(&connection->connection, service);
    return connection->open;
}

void fake_connection_send_only(struct fake_connection *connection, const void *bytes, size_t size)
{
    offer(connection, bytes, size);
}

void fake_connection_send(struct fake_connection *connection, const void *bytes, size_t size, size_t step)
{
    const uint8_t *next = bytes;
    while (size > 0) {
        size_t part = step == 0 || step > size ? size : step;
        offer(connection, next, part);
        fake_connection_run(connection);
        next += part;
        size -= part;
    }
    fake_connection_run(connection);
}

void fake_connection_end(struct fake_connection *connection)
{
    connection->ended = true;
    connection->taken_at_end = connection->taken;
    fake_connection_run(connection);
}

/* Whether that time has come; it is no longer set then. */
static bool is_due(const struct fake_connection *connection, uint64_t *at_ms)
{
    bool closes = connection->aborted && !connection->end_wanted;
    if (!connection->open || closes || *at_ms == 0 || *at_ms > connection->loop->time.monotonic_ms)
        return false;
    *at_ms = 0;
    return true;
}

void fake_connection_wait(struct fake_connection *connection, uint64_t ms)
{
    struct fake_clock *time = &connection->loop->time;
    time->monotonic_ms += ms;
    time->wall_seconds += (int64_t)(ms / 1000);
    if (is_due(connection, &connection->deadline_ms))
        connection->connection.events->deadline(&connection->connection);
    if (is_due(connection, &connection->reminder_ms) && connection->connection.events->reminded != NULL)
        connection->connection.events->reminded(&connection->connection);
    fake_connection_run(connection);
}

void fake_connection_close(struct fake_connection *connection)
{
    if (connection->open) {
        connection->open = false;
        connection->connection.events->closed(&connection->connection);
    }
    fake_loop_run(connection->loop);
    ks_buffer_free(&connection->output);
    ks_buffer_free(&connection->trace);
    free_input(connection, &connection->kept);
}
