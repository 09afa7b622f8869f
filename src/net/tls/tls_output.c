/* tls_output.c — what a service writes, until it is encrypted and given to the connection below, and what of
 * it was delivered: see tls_carrier_internal.h.
 */
#include "net/tls/tls_carrier_internal.h"

#include <stdlib.h>

enum { ENCRYPTED_LIMIT = 2 * KS_OUTPUT_LOW_WATER }; /* that waits below; then the peer takes some first */

void ks_tls_send_below(void *owner, const uint8_t *bytes, size_t size)
{
    const struct ks_tls_carrier *carrier = owner;
    ks_connection_write(carrier->below, bytes, size); /* without memory it ends, and tells so */
}

/* ---- delivery ---- */

/* What was encrypted since the last mark. Where there is no room the last one moves: then more of it is told
 * later. */
static void add_mark(struct ks_tls_carrier *carrier)
{
    const struct ks_tls_mark mark = {.written = carrier->encrypted,
                                     .below = ks_connection_written(carrier->below)};
    if (carrier->mark_count < KS_TLS_MARKS)
        carrier->mark_count++;
    carrier->marks[carrier->mark_count - 1] = mark;
}

uint64_t ks_tls_look_at_delivery(struct ks_tls_carrier *carrier)
{
    if (carrier->mark_count == 0)
        return carrier->delivered;
    uint64_t acked = ks_connection_delivered_up_to(carrier->below);
    uint8_t gone = 0;
    while (gone < carrier->mark_count && carrier->marks[gone].below <= acked)
        carrier->delivered = carrier->marks[gone++].written;
    for (uint8_t i = gone; i < carrier->mark_count; i++)
        carrier->marks[i - gone] = carrier->marks[i];
    carrier->mark_count = (uint8_t)(carrier->mark_count - gone);
    return carrier->delivered;
}

/* Watches the record that brings what is watched, if there is one by now. */
static void watch_below(struct ks_tls_carrier *carrier)
{
    const struct ks_tls_watch *watch = carrier->watch;
    if (watch == NULL || watch->position == 0 || watch->position > carrier->encrypted)
        return;
    uint64_t position = ks_connection_written(carrier->below);
    for (uint8_t i = carrier->mark_count; i > 0 && carrier->marks[i - 1].written >= watch->position; i--)
        position = carrier->marks[i - 1].below;
    ks_connection_watch_delivery(carrier->below, position);
}

void ks_tls_tell_delivered(struct ks_tls_carrier *carrier)
{
    struct ks_tls_watch *watch = carrier->watch;
    if (watch == NULL || watch->position == 0)
        return;
    if (ks_tls_look_at_delivery(carrier) < watch->position) {
        watch_below(carrier);
        return;
    }
    watch->position = 0;
    if (carrier->has_service && carrier->connection.events->delivered != NULL)
        carrier->connection.events->delivered(&carrier->connection);
}

uint64_t ks_tls_delivered_up_to(struct ks_connection *connection)
{
    struct ks_tls_carrier *carrier = ks_tls_carrier_of(connection);
    return carrier->below != NULL ? ks_tls_look_at_delivery(carrier) : carrier->delivered;
}

void ks_tls_watch_delivery(struct ks_connection *connection, uint64_t position)
{
    struct ks_tls_carrier *carrier = ks_tls_carrier_of(connection);
    if (carrier->watch == NULL)
        carrier->watch = calloc(1, sizeof *carrier->watch);
    if (carrier->watch == NULL) {
        ks_tls_give_up(carrier);
        return;
    }
    carrier->watch->position = position;
    watch_below(carrier);
}

/* ---- encrypting ---- */

static void tell_drained(struct ks_tls_carrier *carrier)
{
    struct ks_connection *connection = &carrier->connection;
    size_t waiting = ks_tls_output_waiting(connection);
    bool fell = carrier->above_low && waiting <= KS_OUTPUT_LOW_WATER;
    bool has_room =
        carrier->told_full && waiting <= KS_OUTPUT_LOW_WATER && !ks_connection_output_is_full(carrier->below);
    if (!fell && !has_room)
        return;
    carrier->above_low = carrier->above_low && !fell;
    carrier->told_full = false;
    if (carrier->state == TLS_OPEN && connection->events->drained != NULL)
        connection->events->drained(connection);
}

/* All output is below. */
static void output_is_out(struct ks_tls_carrier *carrier)
{
    if (carrier->state == TLS_FINISHING) {
        ks_tls_end(carrier->tls);
        ks_tls_bow_out(carrier);
    } else if (carrier->shutting && !carrier->shut) {
        carrier->shut = true;
        ks_tls_end(carrier->tls);
        ks_connection_shut(carrier->below);
    } else if (carrier->idle_later) {
        carrier->idle_later = false;
        ks_connection_set_idle(carrier->below, true);
    }
}

/* False when it cannot be encrypted: the connection is given up. */
static bool encrypt_output(struct ks_tls_carrier *carrier)
{
    uint8_t room[KS_TLS_RECORD_SIZE];
    size_t size = 0;
    const uint8_t *bytes = NULL;
    while (ks_connection_output_waiting(carrier->below) < ENCRYPTED_LIMIT &&
           (bytes = ks_output_queue_next(&carrier->output, room, sizeof room, &size)) != NULL) {
        if (ks_tls_write(carrier->tls, bytes, size) != KS_OK) {
            ks_tls_give_up(carrier);
            return false;
        }
        ks_output_queue_sent(&carrier->output, size);
        carrier->encrypted += size;
    }
    return true;
}

void ks_tls_push_output(struct ks_tls_carrier *carrier)
{
    if (carrier->state != TLS_OPEN && carrier->state != TLS_FINISHING)
        return;
    uint64_t before = carrier->encrypted;
    if (carrier->output.waiting > 0 && !encrypt_output(carrier))
        return;
    if (carrier->encrypted > before) {
        add_mark(carrier);
        watch_below(carrier);
        ks_tls_count_memory(carrier);
    }
    if (carrier->output.waiting == 0)
        output_is_out(carrier);
    tell_drained(carrier);
}

void ks_tls_flush(struct ks_connection *connection)
{
    struct ks_tls_carrier *carrier = ks_tls_carrier_of(connection);
    bool was_inside = carrier->inside;
    if (carrier->state != TLS_OPEN)
        return;
    carrier->inside = true;
    ks_tls_push_output(carrier);
    ks_connection_flush(carrier->below);
    carrier->inside = was_inside;
    if (carrier->input_waits) /* its turn has passed */
        ks_connection_want_turn(carrier->below);
}

/* ---- writing ---- */

static bool appended(struct ks_tls_carrier *carrier, enum ks_result result, size_t size)
{
    if (result != KS_OK) {
        ks_tls_give_up(carrier);
        return false;
    }
    carrier->written += size;
    if (ks_tls_output_waiting(&carrier->connection) > KS_OUTPUT_LOW_WATER)
        carrier->above_low = true;
    ks_tls_count_memory(carrier);
    ks_connection_want_turn(carrier->below);
    return true;
}

bool ks_tls_write_copy(struct ks_connection *connection, const void *bytes, size_t size)
{
    struct ks_tls_carrier *carrier = ks_tls_carrier_of(connection);
    if (carrier->state != TLS_OPEN)
        return true;
    return appended(carrier, ks_output_queue_append(&carrier->output, bytes, size), size);
}

bool ks_tls_write_apart(struct ks_connection *connection, const void *bytes, size_t size)
{
    struct ks_tls_carrier *carrier = ks_tls_carrier_of(connection);
    if (carrier->state != TLS_OPEN)
        return true;
    return appended(carrier, ks_output_queue_append_apart(&carrier->output, bytes, size), size);
}

bool ks_tls_write_shared(struct ks_connection *connection, struct ks_shared *shared, size_t offset,
                         size_t size, bool apart)
{
    struct ks_tls_carrier *carrier = ks_tls_carrier_of(connection);
    if (carrier->state != TLS_OPEN)
        return true;
    return appended(carrier, ks_output_queue_append_shared(&carrier->output, shared, offset, size, apart),
                    size);
}

/* ---- how much waits ---- */

size_t ks_tls_output_waiting(const struct ks_connection *connection)
{
    const struct ks_tls_carrier *carrier = ks_tls_carrier_of(connection);
    return carrier->output.waiting + ks_connection_output_waiting(carrier->below);
}

size_t ks_tls_output_memory(const struct ks_connection *connection)
{
    const struct ks_tls_carrier *carrier = ks_tls_carrier_of(connection);
    return carrier->output.memory + ks_connection_output_memory(carrier->below);
}

bool ks_tls_output_is_full(struct ks_connection *connection)
{
    struct ks_tls_carrier *carrier = ks_tls_carrier_of(connection);
    carrier->told_full = ks_tls_output_waiting(connection) > KS_OUTPUT_HIGH_WATER ||
                         ks_connection_output_is_full(carrier->below);
    return carrier->told_full;
}

uint64_t ks_tls_written(const struct ks_connection *connection)
{
    return ks_tls_carrier_of(connection)->written;
}
