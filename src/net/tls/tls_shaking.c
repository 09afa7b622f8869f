/* tls_shaking.c — from a stranger's first byte to the end of the handshake: see tls_carrier_internal.h.
 *
 * A server's step of a handshake costs a signature and a key exchange, so it runs on the pool, with input and
 * output of its own, while the connection below is paused. What is left then, the client's Finished, costs
 * nothing and is judged at once. A hello that has to be said again (HelloRetryRequest) takes the first way
 * twice.
 */
#include "net/tls/client_hello.h"
#include "net/tls/proxy_header.h"
#include "net/tls/tls_carrier_internal.h"

#include "net/loop/crowd.h"

#include <stdlib.h>
#include <string.h>

enum {
    SHAKING_LIMIT = 2 * KS_TLS_HELLO_LIMIT
}; /* bytes after the first hello, to the end of the handshake */

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* The handshake has come to nothing: what is for the peer goes out. */
static void break_off(struct ks_tls_carrier *carrier, const char *sentence)
{
    count(&carrier->port->counts.broken);
    ks_tls_count_out_handshake(carrier);
    ks_tls_log(carrier, sentence);
    ks_tls_bow_out(carrier);
}

/* ---- a step on the pool ---- */

static void send_to_shaking(void *owner, const uint8_t *bytes, size_t size)
{
    struct ks_tls_shaking *shaking = owner;
    if (ks_buffer_append(&shaking->output, bytes, size) != KS_OK)
        shaking->result = KS_NO_MEMORY;
}

static void step_work(struct ks_offload *offload)
{
    struct ks_tls_shaking *shaking = KS_CONTAINER_OF(offload, struct ks_tls_shaking, offload);
    struct ks_tls *tls = shaking->carrier->tls;
    ks_tls_feed(tls, shaking->input.bytes, shaking->input.size);
    enum ks_result result = ks_tls_handshake(tls);
    if (shaking->result == KS_OK)
        shaking->result = result;
}

static void step_done(struct ks_offload *offload)
{
    struct ks_tls_shaking *shaking = KS_CONTAINER_OF(offload, struct ks_tls_shaking, offload);
    struct ks_tls_carrier *carrier = shaking->carrier;
    carrier->is_on_pool = false;
    if (carrier->below == NULL) { /* gone meanwhile */
        ks_tls_carrier_free(carrier);
        return;
    }
    if (carrier->state != TLS_WORKING)
        return;
    ks_tls_feed(carrier->tls, NULL, 0);
    ks_tls_send_to(carrier->tls, ks_tls_send_below, carrier);
    ks_connection_write(carrier->below, shaking->output.bytes, shaking->output.size);
    ks_buffer_free(&shaking->input);
    ks_buffer_free(&shaking->output);
    if (shaking->result != KS_MORE) { /* a client has the last word */
        break_off(carrier, ks_tls_why(carrier->tls));
        return;
    }
    ks_tls_become(carrier, TLS_SHAKING);
    ks_connection_set_standing(carrier->below, KS_STANDING_STRANGER);
    ks_connection_resume(carrier->below);
}

/* Takes over the input. */
static void begin_step(struct ks_tls_carrier *carrier, struct ks_buffer *input)
{
    struct ks_tls_shaking *shaking = carrier->shaking;
    shaking->input = *input;
    *input = ks_buffer_empty(0);
    shaking->output = ks_buffer_empty(0);
    shaking->result = KS_OK;
    shaking->offload.work = step_work;
    shaking->offload.done = step_done;
    ks_tls_send_to(carrier->tls, send_to_shaking, shaking);
    ks_tls_become(carrier, TLS_WORKING);
    carrier->is_on_pool = true;
    ks_connection_pause(carrier->below);
    ks_connection_set_idle(carrier->below, false);
    ks_loop_offload(carrier->below->loop, &shaking->offload);
}

/* ---- the greeting ---- */

/* KS_OK; KS_NO_MEMORY. */
static enum ks_result prepare(struct ks_tls_carrier *carrier)
{
    struct ks_tls_context *context = ks_tls_port_context(carrier->port);
    enum ks_result result = KS_NO_MEMORY;
    if (context != NULL)
        result = ks_tls_new(context, NULL, ks_tls_send_below, carrier, &carrier->tls);
    ks_tls_context_release(context);
    return result;
}

static void shake_hands(struct ks_tls_carrier *carrier)
{
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    ks_tls_peer_address(&carrier->connection, address);
    carrier->is_handshake = ks_tls_port_admit_handshake(carrier->port, address);
    if (!carrier->is_handshake) {
        ks_tls_log(carrier, "too many handshakes at once");
        ks_tls_give_up(carrier);
    } else if (prepare(carrier) != KS_OK) {
        ks_tls_give_up(carrier);
    } else {
        begin_step(carrier, &carrier->shaking->greeting);
    }
}

static bool begins_as_http(const struct ks_buffer *greeting)
{
    static const char *const methods[] = {"GET ", "HEAD", "POST", "PUT ", "DELE",
                                          "OPTI", "CONN", "PATC", "PRI "};
    for (size_t i = 0; greeting->size >= 4 && i < sizeof methods / sizeof methods[0]; i++)
        if (memcmp(greeting->bytes, methods[i], 4) == 0)
            return true;
    return false;
}

/* One line, and the end. */
static void answer_plain_text(struct ks_tls_carrier *carrier)
{
    static const char http[] =
        "HTTP/1.1 400 This port speaks TLS: https, or kesher with a kesher:// link\r\n\r\n";
    static const char text[] = "This port speaks TLS 1.3: use a kesher:// link.\r\n";
    bool is_http = begins_as_http(&carrier->shaking->greeting);
    count(&carrier->port->counts.no_tls);
    ks_tls_log(carrier, is_http ? "it speaks HTTP, and no TLS" : "it speaks no TLS");
    ks_connection_write(carrier->below, is_http ? http : text, is_http ? sizeof http - 1 : sizeof text - 1);
    ks_tls_bow_out(carrier);
}

static void refuse_long_hello(struct ks_tls_carrier *carrier)
{
    static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 22}; /* fatal, record_overflow (RFC 8446, 6) */
    ks_connection_write(carrier->below, alert, sizeof alert);
    break_off(carrier, "its ClientHello is too long");
}

/* From now on the peer is whom the proxy names. False when it may not be. */
static bool take_address(struct ks_tls_carrier *carrier, const struct ks_proxy_header *header)
{
    struct ks_crowd *crowd = carrier->port->options.crowd;
    struct ks_peer_address *peer = calloc(1, sizeof *peer);
    if (peer == NULL)
        return false;
    peer->port = header->port;
    memcpy(peer->bytes, header->address, sizeof peer->bytes);
    carrier->proxied = peer;
    carrier->has_crowd = crowd != NULL && ks_crowd_enter(crowd, peer->bytes) == KS_OK;
    if (crowd == NULL || carrier->has_crowd)
        return true;
    ks_tls_log(carrier, "this address has as many connections as it may (connections-per-address)");
    return false;
}

/* KS_OK: what is left of the greeting is the client's own. KS_MORE; else the connection has ended. */
static enum ks_result take_proxy_header(struct ks_tls_carrier *carrier)
{
    struct ks_proxy_header header;
    struct ks_buffer *greeting = &carrier->shaking->greeting;
    enum ks_result result = ks_proxy_header_parse(greeting->bytes, greeting->size, &header);
    if (result == KS_MORE)
        return KS_MORE;
    if (result != KS_OK) {
        ks_tls_log(carrier, "it is a proxy, and sent no PROXY header, version 2 (proxy-networks)");
        ks_tls_give_up(carrier);
        return result;
    }
    if (header.has_address && !take_address(carrier, &header)) {
        ks_tls_give_up(carrier);
        return KS_REFUSED;
    }
    carrier->awaits_proxy = false;
    ks_buffer_drop_front(greeting, header.size);
    return KS_OK;
}

static void look_at_greeting(struct ks_tls_carrier *carrier)
{
    if (carrier->awaits_proxy && take_proxy_header(carrier) != KS_OK)
        return;
    const struct ks_buffer *greeting = &carrier->shaking->greeting;
    if (greeting->size == 0)
        return;
    switch (ks_client_hello_scan(greeting->bytes, greeting->size, KS_TLS_HELLO_LIMIT)) {
    case KS_OK:
        shake_hands(carrier);
        return;
    case KS_MORE:
        ks_connection_set_standing(carrier->below, KS_STANDING_INCOMPLETE);
        return;
    case KS_TOO_LARGE:
        refuse_long_hello(carrier);
        return;
    default:
        answer_plain_text(carrier);
    }
}

size_t ks_tls_take_greeting(struct ks_tls_carrier *carrier, const uint8_t *bytes, size_t size)
{
    enum { LIMIT = KS_PROXY_HEADER_LIMIT + KS_TLS_HELLO_LIMIT };
    struct ks_buffer *greeting = &carrier->shaking->greeting;
    size_t room = LIMIT > greeting->size ? LIMIT - greeting->size : 0;
    if (ks_buffer_append(greeting, bytes, size < room ? size : room) != KS_OK)
        ks_tls_give_up(carrier);
    else
        look_at_greeting(carrier);
    return size; /* what was beyond the limit is of one that is refused */
}

/* ---- the rest ---- */

static void handshake_is_done(struct ks_tls_carrier *carrier)
{
    count(&carrier->port->counts.handshakes);
    ks_tls_count_out_handshake(carrier);
    ks_tls_forget_shaking(carrier);
}

/* Another hello: on the pool, too. */
static void take_hello_again(struct ks_tls_carrier *carrier, const uint8_t *bytes, size_t size)
{
    struct ks_buffer input = ks_buffer_empty(0);
    if (ks_buffer_append(&input, bytes, size) != KS_OK)
        ks_tls_give_up(carrier);
    else
        begin_step(carrier, &input);
}

size_t ks_tls_take_handshake(struct ks_tls_carrier *carrier, const uint8_t *bytes, size_t size, bool *is_done)
{
    *is_done = false;
    carrier->shaking->received += size;
    if (!ks_tls_is_cheap(carrier->tls)) {
        if (carrier->shaking->received > SHAKING_LIMIT)
            refuse_long_hello(carrier);
        else
            take_hello_again(carrier, bytes, size);
        return size;
    }
    ks_tls_feed(carrier->tls, bytes, size);
    enum ks_result result = ks_tls_handshake(carrier->tls);
    size_t unread = ks_tls_unread(carrier->tls);
    ks_tls_feed(carrier->tls, NULL, 0);
    *is_done = result == KS_OK;
    if (*is_done)
        handshake_is_done(carrier);
    else if (result != KS_MORE)
        break_off(carrier, ks_tls_why(carrier->tls));
    else if (carrier->shaking->received > SHAKING_LIMIT)
        break_off(carrier, "it does not come to the end of the handshake");
    return size - unread;
}
