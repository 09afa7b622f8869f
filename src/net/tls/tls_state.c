/* tls_state.c — what a connection over TLS is, how it is counted, and how it gives up: see
 * tls_carrier_internal.h.
 *
 * Life: GREETING -> WORKING -> SHAKING -> OPEN -> (finish) FINISHING -> OVER, until the connection below
 * tells that it is gone.
 */
#include "net/tls/tls_carrier_internal.h"

#include "base/limits/log_repeats.h"
#include "crypto/secret.h"
#include "net/loop/crowd.h"

#include <stdlib.h>
#include <string.h>

static const char *const state_names[TLS_STATES] = {"greeting", "working",   "shaking",
                                                    "open",     "finishing", "over"};

static const uint16_t state_ways[TLS_STATES] = {
    [TLS_GREETING] = KS_WAY_TO(TLS_WORKING) | KS_WAY_TO(TLS_OVER),
    [TLS_WORKING] = KS_WAY_TO(TLS_SHAKING) | KS_WAY_TO(TLS_OVER),
    [TLS_SHAKING] = KS_WAY_TO(TLS_WORKING) | KS_WAY_TO(TLS_OPEN) | KS_WAY_TO(TLS_OVER),
    [TLS_OPEN] = KS_WAY_TO(TLS_FINISHING) | KS_WAY_TO(TLS_OVER),
    [TLS_FINISHING] = KS_WAY_TO(TLS_OVER),
};

static const struct ks_machine machine = {.name = "tls", .states = state_names, .ways = state_ways};

void ks_tls_become(struct ks_tls_carrier *carrier, enum ks_tls_state state)
{
    ks_connection_step(carrier->below, &machine, &carrier->state, state);
}

void ks_tls_log(const struct ks_tls_carrier *carrier, const char *sentence)
{
    static const char line[] = "%s: closed: %s";
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    char peer[KS_PEER_TEXT_SIZE];
    if (!ks_log_shows(carrier->port->options.log, KS_LOG_INFO))
        return;
    ks_tls_peer_address(&carrier->connection, address);
    ks_tls_describe_peer(&carrier->connection, peer, sizeof peer);
    const struct ks_log_cause cause = ks_log_cause(sentence, address, NULL);
    ks_log_repeatable(carrier->port->options.log, KS_LOG_INFO, &cause, KS_LOG_REFUSALS, line, peer, sentence);
}

void ks_tls_give_up(struct ks_tls_carrier *carrier)
{
    if (carrier->state != TLS_OVER)
        ks_tls_become(carrier, TLS_OVER);
    ks_output_queue_clear(&carrier->output);
    ks_tls_drop_kept(carrier);
    ks_connection_abort(carrier->below);
}

void ks_tls_bow_out(struct ks_tls_carrier *carrier)
{
    if (carrier->state != TLS_OVER)
        ks_tls_become(carrier, TLS_OVER);
    ks_output_queue_clear(&carrier->output);
    ks_tls_drop_kept(carrier);
    ks_connection_finish(carrier->below);
}

/* ---- counts ---- */

enum { COUNTED_STEP = KS_OUTPUT_SHORT }; /* so that ordinary answers cost the sum nothing */

void ks_tls_count_memory(struct ks_tls_carrier *carrier)
{
    size_t memory = carrier->output.memory + (carrier->kept != NULL ? carrier->kept->size : 0);
    size_t counted = (memory < UINT32_MAX ? memory : UINT32_MAX) / COUNTED_STEP * COUNTED_STEP;
    if (carrier->port->options.output == NULL || counted == carrier->counted_memory)
        return;
    atomic_fetch_add_explicit(carrier->port->options.output, counted - carrier->counted_memory,
                              memory_order_relaxed);
    carrier->counted_memory = (uint32_t)counted;
}

void ks_tls_count_out_stranger(struct ks_tls_carrier *carrier)
{
    if (carrier->is_stranger)
        ks_tls_port_count_out_stranger(carrier->port);
    carrier->is_stranger = false;
}

void ks_tls_count_out_handshake(struct ks_tls_carrier *carrier)
{
    if (carrier->is_handshake)
        ks_tls_port_count_out_handshake(carrier->port);
    carrier->is_handshake = false;
}

/* ---- memory ---- */

void ks_tls_drop_kept(struct ks_tls_carrier *carrier)
{
    if (carrier->kept != NULL)
        ks_secret_wipe(carrier->kept->bytes, carrier->kept->size);
    free(carrier->kept);
    carrier->kept = NULL;
}

void ks_tls_forget_shaking(struct ks_tls_carrier *carrier)
{
    struct ks_tls_shaking *shaking = carrier->shaking;
    carrier->shaking = NULL;
    if (shaking == NULL)
        return;
    ks_buffer_free(&shaking->greeting);
    ks_buffer_free(&shaking->input);
    ks_buffer_free(&shaking->output);
    free(shaking);
}

void ks_tls_carrier_free(struct ks_tls_carrier *carrier)
{
    if (carrier->has_crowd)
        ks_crowd_leave(carrier->port->options.crowd, carrier->proxied->bytes);
    ks_tls_count_out_stranger(carrier);
    ks_tls_count_out_handshake(carrier);
    ks_output_queue_clear(&carrier->output);
    ks_tls_drop_kept(carrier);
    ks_tls_count_memory(carrier);
    ks_tls_free(carrier->tls);
    ks_tls_forget_shaking(carrier);
    free(carrier->watch);
    free(carrier->proxied);
    free(carrier);
}

/* ---- the peer ---- */

void ks_tls_peer_address(const struct ks_connection *connection, uint8_t address[static KS_PEER_ADDRESS_SIZE])
{
    const struct ks_tls_carrier *carrier = ks_tls_carrier_of(connection);
    if (carrier->proxied != NULL)
        memcpy(address, carrier->proxied->bytes, KS_PEER_ADDRESS_SIZE);
    else
        ks_connection_peer_address(carrier->below, address);
}

void ks_tls_describe_peer(const struct ks_connection *connection, char *text, size_t size)
{
    const struct ks_tls_carrier *carrier = ks_tls_carrier_of(connection);
    if (carrier->proxied != NULL)
        ks_peer_address_describe(carrier->proxied, text, size);
    else
        ks_connection_describe_peer(carrier->below, text, size);
}
