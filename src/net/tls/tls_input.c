/* tls_input.c — what the peer sends, decrypted, until its service has consumed it: see
 * tls_carrier_internal.h. */
#include "net/tls/tls_carrier_internal.h"

#include "crypto/secret.h"

#include <stdlib.h>
#include <string.h>

static bool may_receive(const struct ks_tls_carrier *carrier)
{
    return carrier->state == TLS_OPEN && !carrier->paused && !carrier->end_seen;
}

/* ---- the peer's end ---- */

static void tell_end(struct ks_tls_carrier *carrier)
{
    if (!carrier->end_seen || carrier->end_told || carrier->paused || carrier->kept != NULL ||
        carrier->state != TLS_OPEN)
        return;
    carrier->end_told = true;
    carrier->connection.events->input_ended(&carrier->connection);
}

/* close_notify. While input was paused it may have come at any time since. */
static void note_end(struct ks_tls_carrier *carrier)
{
    carrier->end_seen = true;
    struct ks_tls_watch *watch = carrier->watch;
    if (watch != NULL)
        watch->acked_ended = carrier->was_paused ? watch->acked_paused : ks_tls_look_at_delivery(carrier);
}

/* ---- what was decrypted ---- */

static void keep(struct ks_tls_carrier *carrier, const uint8_t *bytes, size_t size)
{
    struct ks_tls_kept *kept = malloc(sizeof *kept + size);
    if (kept == NULL) {
        ks_tls_give_up(carrier);
        return;
    }
    kept->size = size;
    kept->offset = 0;
    memcpy(kept->bytes, bytes, size);
    carrier->kept = kept;
    ks_tls_count_memory(carrier);
}

/* Gives it to the service. Returns how much that has consumed. */
static size_t deliver(struct ks_tls_carrier *carrier, const uint8_t *bytes, size_t size)
{
    carrier->inside = true;
    size_t consumed = carrier->connection.events->received(&carrier->connection, bytes, size);
    carrier->inside = false;
    return carrier->state == TLS_OPEN ? consumed : size;
}

static void offer_kept(struct ks_tls_carrier *carrier)
{
    while (carrier->kept != NULL && may_receive(carrier)) {
        struct ks_tls_kept *kept = carrier->kept;
        carrier->kept = NULL; /* the connection may end inside */
        size_t left = kept->size - kept->offset;
        size_t consumed = deliver(carrier, kept->bytes + kept->offset, left);
        kept->offset += consumed;
        carrier->kept = kept;
        if (consumed == left)
            ks_tls_drop_kept(carrier);
    }
    ks_tls_count_memory(carrier);
}

/* Decrypts as much as there is, and as fits. */
static enum ks_result decrypt(struct ks_tls_carrier *carrier, uint8_t *bytes, size_t size, size_t *got)
{
    enum ks_result result = KS_OK;
    *got = 0;
    while (*got < size && result == KS_OK) {
        size_t part = 0;
        result = ks_tls_read(carrier->tls, bytes + *got, size - *got, &part);
        *got += part;
    }
    return result;
}

/* Where the next input goes: the service's place, or the loop's; its size, 0 without memory. */
static size_t choose_room(struct ks_tls_carrier *carrier, uint8_t **room, bool *is_ours)
{
    const struct ks_connection_events *events = carrier->connection.events;
    size_t size = events->receive_buffer != NULL ? events->receive_buffer(&carrier->connection, room) : 0;
    *is_ours = size == 0;
    if (size > 0)
        return size;
    *room = ks_tls_port_scratch(carrier->port, carrier->connection.loop->number);
    return *room != NULL ? KS_TLS_SCRATCH_SIZE : 0;
}

static void take_plaintext(struct ks_tls_carrier *carrier, uint8_t *bytes, size_t size, bool is_ours)
{
    bool is_secret = carrier->connection.events->input_is_secret;
    size_t consumed = deliver(carrier, bytes, size);
    if (consumed < size)
        keep(carrier, bytes + consumed, size - consumed);
    if (is_ours && is_secret)
        ks_secret_wipe(bytes, size);
}

/* One read. False when there is nothing more to do. */
static bool receive_once(struct ks_tls_carrier *carrier)
{
    uint8_t *room = NULL;
    bool is_ours = false;
    size_t got = 0;
    size_t size = choose_room(carrier, &room, &is_ours);
    if (size == 0) {
        ks_tls_give_up(carrier);
        return false;
    }
    enum ks_result result = decrypt(carrier, room, size, &got);
    if (got > 0)
        take_plaintext(carrier, room, got, is_ours);
    if (result == KS_OK || result == KS_MORE)
        return result == KS_OK;
    if (result == KS_CLOSED) {
        note_end(carrier);
    } else if (carrier->state != TLS_OVER) {
        ks_tls_log(carrier, "what it sent is no record of this connection");
        ks_tls_bow_out(carrier); /* behind the alert */
    }
    return false;
}

static void receive(struct ks_tls_carrier *carrier)
{
    bool goes_on = true;
    offer_kept(carrier);
    while (goes_on && may_receive(carrier) && carrier->kept == NULL)
        goes_on = receive_once(carrier);
    /* What libssl holds comes without new input. */
    carrier->input_waits = carrier->state == TLS_OPEN && (goes_on || carrier->kept != NULL);
    carrier->was_paused = carrier->was_paused && carrier->input_waits;
    tell_end(carrier);
}

size_t ks_tls_take_input(struct ks_tls_carrier *carrier, const uint8_t *bytes, size_t size)
{
    ks_tls_feed(carrier->tls, bytes, size);
    receive(carrier);
    size_t unread = carrier->state == TLS_OPEN && !carrier->end_seen ? ks_tls_unread(carrier->tls) : 0;
    ks_tls_feed(carrier->tls, NULL, 0);
    return size - unread;
}

void ks_tls_go_on_with_input(struct ks_tls_carrier *carrier)
{
    if (carrier->inside || carrier->state != TLS_OPEN)
        return;
    if (carrier->input_waits && !carrier->paused)
        receive(carrier);
    else
        tell_end(carrier);
}

/* ---- pausing ---- */

void ks_tls_pause(struct ks_connection *connection)
{
    struct ks_tls_carrier *carrier = ks_tls_carrier_of(connection);
    if (carrier->paused || carrier->state != TLS_OPEN)
        return;
    carrier->paused = true;
    if (carrier->watch != NULL && !carrier->was_paused) {
        carrier->was_paused = true;
        carrier->watch->acked_paused = ks_tls_look_at_delivery(carrier);
    }
    ks_connection_pause(carrier->below);
}

void ks_tls_resume(struct ks_connection *connection)
{
    struct ks_tls_carrier *carrier = ks_tls_carrier_of(connection);
    if (!carrier->paused || carrier->state != TLS_OPEN)
        return;
    carrier->paused = false;
    ks_connection_resume(carrier->below);
    ks_connection_want_turn(carrier->below); /* for what waits within */
}
