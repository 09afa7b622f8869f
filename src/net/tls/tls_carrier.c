/* tls_carrier.c — see tls_carrier.h: the events of the connection below, and the operations for the service
 * above. See tls_carrier_internal.h for the rest.
 */
#include "net/tls/tls_carrier.h"

#include "net/tls/tls_carrier_internal.h"

#include <stdlib.h>

enum { LAST_OUTPUT_MS = 30 * 1000 };

/* ---- operations of connection.h ---- */

static uint64_t carrier_delivered_before_end(struct ks_connection *connection)
{
    struct ks_tls_carrier *carrier = ks_tls_carrier_of(connection);
    if (carrier->end_seen)
        return carrier->watch != NULL ? carrier->watch->acked_ended : 0;
    return ks_tls_look_at_delivery(carrier);
}

static bool carrier_is_broken(struct ks_connection *connection)
{
    return ks_connection_is_broken(ks_tls_carrier_of(connection)->below);
}

static void carrier_want_end(struct ks_connection *connection, bool wanted)
{
    struct ks_tls_carrier *carrier = ks_tls_carrier_of(connection);
    carrier->end_wanted = wanted;
    ks_connection_want_end(carrier->below, wanted);
}

static void carrier_set_deadline(struct ks_connection *connection, uint64_t after_ms)
{
    struct ks_tls_carrier *carrier = ks_tls_carrier_of(connection);
    if (carrier->state == TLS_OPEN)
        ks_connection_set_deadline(carrier->below, after_ms);
}

static void carrier_set_reminder(struct ks_connection *connection, uint64_t after_ms)
{
    ks_connection_set_reminder(ks_tls_carrier_of(connection)->below, after_ms);
}

/* Below, one that is idle may be ended at any time: so not before its output is there. */
static void carrier_set_idle(struct ks_connection *connection, bool idle)
{
    struct ks_tls_carrier *carrier = ks_tls_carrier_of(connection);
    if (carrier->state != TLS_OPEN)
        return;
    carrier->idle_later = idle && carrier->output.waiting > 0;
    if (!carrier->idle_later)
        ks_connection_set_idle(carrier->below, idle);
}

static void carrier_set_standing(struct ks_connection *connection, enum ks_standing standing)
{
    struct ks_tls_carrier *carrier = ks_tls_carrier_of(connection);
    if (standing == KS_STANDING_KNOWN && carrier->is_stranger) {
        uint8_t address[KS_PEER_ADDRESS_SIZE];
        ks_tls_peer_address(connection, address);
        ks_tls_port_note_user(carrier->port, address);
        ks_tls_count_out_stranger(carrier);
    }
    ks_connection_set_standing(carrier->below, standing);
}

static void carrier_want_turn(struct ks_connection *connection)
{
    struct ks_tls_carrier *carrier = ks_tls_carrier_of(connection);
    carrier->turn_wanted = carrier->state == TLS_OPEN;
    ks_connection_want_turn(carrier->below);
}

static bool carrier_channel(struct ks_connection *connection,
                            uint8_t channel[static KS_CONNECTION_CHANNEL_SIZE])
{
    return ks_tls_channel(ks_tls_carrier_of(connection)->tls, channel) == KS_OK;
}

static void carrier_shut(struct ks_connection *connection)
{
    struct ks_tls_carrier *carrier = ks_tls_carrier_of(connection);
    if (carrier->state != TLS_OPEN || carrier->shutting)
        return;
    carrier->shutting = true;
    ks_connection_want_turn(carrier->below);
}

static void carrier_finish(struct ks_connection *connection)
{
    struct ks_tls_carrier *carrier = ks_tls_carrier_of(connection);
    if (carrier->state != TLS_OPEN)
        return;
    ks_tls_become(carrier, TLS_FINISHING);
    ks_tls_drop_kept(carrier);
    ks_tls_count_memory(carrier);
    ks_connection_set_idle(carrier->below, false);
    ks_connection_set_deadline(carrier->below, LAST_OUTPUT_MS);
    ks_connection_want_turn(carrier->below);
}

static void carrier_abort(struct ks_connection *connection)
{
    ks_tls_give_up(ks_tls_carrier_of(connection));
}

static const struct ks_connection_operations carrier_operations = {
    .write = ks_tls_write_copy,
    .write_apart = ks_tls_write_apart,
    .write_shared = ks_tls_write_shared,
    .flush = ks_tls_flush,
    .output_waiting = ks_tls_output_waiting,
    .output_memory = ks_tls_output_memory,
    .output_is_full = ks_tls_output_is_full,
    .written = ks_tls_written,
    .delivered_up_to = ks_tls_delivered_up_to,
    .delivered_before_end = carrier_delivered_before_end,
    .watch_delivery = ks_tls_watch_delivery,
    .is_broken = carrier_is_broken,
    .want_end = carrier_want_end,
    .pause = ks_tls_pause,
    .resume = ks_tls_resume,
    .set_deadline = carrier_set_deadline,
    .set_reminder = carrier_set_reminder,
    .set_idle = carrier_set_idle,
    .set_standing = carrier_set_standing,
    .want_turn = carrier_want_turn,
    .channel = carrier_channel,
    .shut = carrier_shut,
    .finish = carrier_finish,
    .abort = carrier_abort,
    .describe_peer = ks_tls_describe_peer,
    .peer_address = ks_tls_peer_address,
};

/* ---- the service above ---- */

static void open_service(struct ks_tls_carrier *carrier)
{
    const struct ks_tls_port_options *options = &carrier->port->options;
    const struct ks_tls_service *service =
        ks_tls_protocol_of(carrier->tls) == KS_TLS_PROTOCOL_KESHER ? &options->kesher : &options->http;
    ks_tls_become(carrier, TLS_OPEN);
    ks_connection_set_deadline(carrier->below, 0);
    ks_connection_set_idle(carrier->below, true);
    carrier->connection.events = service->events;
    carrier->has_service = true;
    if (!service->events->opened(&carrier->connection, service->service)) {
        carrier->has_service = false;
        ks_tls_give_up(carrier);
    }
}

/* ---- events of the connection below ---- */

/* NULL when out of memory. */
static struct ks_tls_carrier *carrier_new(struct ks_tls_port *port, struct ks_connection *below)
{
    struct ks_tls_carrier *carrier = calloc(1, sizeof *carrier);
    struct ks_tls_shaking *shaking = calloc(1, sizeof *shaking);
    if (carrier == NULL || shaking == NULL) {
        free(carrier);
        free(shaking);
        return NULL;
    }
    shaking->carrier = carrier;
    carrier->shaking = shaking;
    carrier->port = port;
    carrier->connection.operations = &carrier_operations;
    carrier->connection.loop = below->loop;
    carrier->below = below;
    below->session = carrier;
    return carrier;
}

static bool below_opened(struct ks_connection *below, void *service)
{
    struct ks_tls_port *port = service;
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    struct ks_tls_carrier *carrier = carrier_new(port, below);
    if (carrier == NULL)
        return false;
    ks_connection_peer_address(below, address);
    carrier->awaits_proxy =
        port->options.proxies != NULL && ks_networks_current_contain(port->options.proxies, address);
    carrier->is_stranger = ks_tls_port_admit_stranger(port, address);
    if (!carrier->is_stranger) {
        ks_tls_log(carrier, "too many strangers at once");
        ks_tls_carrier_free(carrier);
        return false;
    }
    ks_connection_set_deadline(below, KS_TLS_HANDSHAKE_MS);
    return true;
}

static size_t below_received(struct ks_connection *below, const uint8_t *bytes, size_t size)
{
    struct ks_tls_carrier *carrier = below->session;
    size_t used = 0;
    bool is_done = false;
    if (carrier->state == TLS_GREETING)
        return ks_tls_take_greeting(carrier, bytes, size);
    if (carrier->state == TLS_SHAKING)
        used = ks_tls_take_handshake(carrier, bytes, size, &is_done);
    if (is_done)
        open_service(carrier);
    if (carrier->state == TLS_OPEN && used < size)
        used += ks_tls_take_input(carrier, bytes + used, size - used);
    return carrier->state == TLS_OPEN ? used : size;
}

/* A stream that ends without close_notify was cut, wherever that was. */
static void below_input_ended(struct ks_connection *below)
{
    struct ks_tls_carrier *carrier = below->session;
    switch (carrier->state) {
    case TLS_FINISHING:
        return;
    case TLS_OPEN:
        if (!carrier->end_seen)
            ks_tls_give_up(carrier);
        return;
    case TLS_OVER:
        if (carrier->has_service && carrier->end_wanted && !carrier->end_told) {
            carrier->end_told = true;
            carrier->connection.events->input_ended(&carrier->connection);
        }
        return;
    default:
        ks_tls_give_up(carrier);
    }
}

static void below_drained(struct ks_connection *below)
{
    ks_tls_push_output(below->session);
}

static void give_turn(struct ks_tls_carrier *carrier)
{
    carrier->turn_wanted = false;
    if (carrier->state == TLS_OPEN && carrier->connection.events->turn != NULL)
        carrier->connection.events->turn(&carrier->connection);
}

static void below_turn(struct ks_connection *below)
{
    struct ks_tls_carrier *carrier = below->session;
    ks_tls_go_on_with_input(carrier);
    if (carrier->turn_wanted)
        give_turn(carrier);
    ks_tls_push_output(carrier);
}

static void below_deadline(struct ks_connection *below)
{
    struct ks_tls_carrier *carrier = below->session;
    if (carrier->state == TLS_OPEN) {
        carrier->connection.events->deadline(&carrier->connection);
        return;
    }
    if (carrier->state < TLS_OPEN) {
        atomic_fetch_add_explicit(&carrier->port->counts.late, 1, memory_order_relaxed);
        ks_tls_log(carrier, "the handshake took too long");
    }
    ks_tls_give_up(carrier);
}

static void below_delivered(struct ks_connection *below)
{
    ks_tls_tell_delivered(below->session);
}

static void below_reminded(struct ks_connection *below)
{
    struct ks_tls_carrier *carrier = below->session;
    if (carrier->has_service && carrier->connection.events->reminded != NULL)
        carrier->connection.events->reminded(&carrier->connection);
}

static void below_closed(struct ks_connection *below)
{
    struct ks_tls_carrier *carrier = below->session;
    if (carrier->has_service)
        carrier->connection.events->closed(&carrier->connection);
    carrier->has_service = false;
    ks_tls_count_out_stranger(carrier);
    ks_tls_count_out_handshake(carrier);
    carrier->below = NULL;
    if (!carrier->is_on_pool)
        ks_tls_carrier_free(carrier);
}

const struct ks_connection_events ks_tls_carrier_events = {
    .opened = below_opened,
    .received = below_received,
    .input_ended = below_input_ended,
    .drained = below_drained,
    .turn = below_turn,
    .deadline = below_deadline,
    .delivered = below_delivered,
    .reminded = below_reminded,
    .closed = below_closed,
};
