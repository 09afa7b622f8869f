/* tcp_output.c — what is written to a TCP connection, until its socket has taken it: see tcp_internal.h. */
#include "net/tcp/tcp_internal.h"

/* gcc's analyser loses sight of what the connection keeps. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* ---- sending ---- */

static void tell_drained(struct ks_tcp *tcp)
{
    bool fell = tcp->above_low && tcp->output.waiting <= KS_OUTPUT_LOW_WATER;
    size_t room_at = ks_tcp_memory_is_short(tcp) ? KS_OUTPUT_SHORT : KS_OUTPUT_LOW_WATER;
    if (!fell && (!tcp->told_full || tcp->output.waiting > room_at))
        return;
    tcp->above_low = tcp->above_low && !fell;
    tcp->told_full = false;
    if (tcp->state == STATE_OPEN && tcp->connection.events->drained != NULL)
        tcp->connection.events->drained(&tcp->connection);
}

static void give_turn(struct ks_tcp *tcp)
{
    tcp->turn_wanted = false;
    if (tcp->state == STATE_OPEN && tcp->connection.events->turn != NULL)
        tcp->connection.events->turn(&tcp->connection);
}

void ks_tcp_flush(struct ks_tcp *tcp)
{
    if (tcp->turn_wanted)
        give_turn(tcp);
    if (tcp->state == STATE_DOOMED || tcp->state == STATE_LINGERING)
        return;
    ks_tcp_look_for_end(tcp, ks_tcp_wants_input(tcp)); /* it may come before what we send */
    size_t before = tcp->output.waiting;
    enum ks_result result = ks_output_queue_send(&tcp->output, tcp->fd);
    ks_count(&ks_tcp_core(tcp)->counts.sent, before - tcp->output.waiting);
    if (result == KS_IO) {
        ks_tcp_doom(tcp);
        return;
    }
    ks_tcp_count_memory(tcp);
    tcp->output_full = result == KS_MORE;
    if (tcp->output_full)
        ks_tcp_poll_for_room(tcp);
    tell_drained(tcp);
    if (tcp->output.waiting == 0)
        ks_tcp_output_is_out(tcp);
}

void ks_tcp_flush_now(struct ks_connection *connection)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    if (tcp->state == STATE_OPEN && !tcp->output_full)
        ks_tcp_flush(tcp);
}

void ks_tcp_want_turn(struct ks_connection *connection)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    if (tcp->state != STATE_OPEN || tcp->turn_wanted)
        return;
    tcp->turn_wanted = true;
    if (!tcp->output_full)
        ks_tcp_mark_dirty(tcp);
}

/* ---- writing ---- */

static bool appended(struct ks_tcp *tcp, enum ks_result result, size_t size)
{
    if (result != KS_OK) {
        ks_tcp_doom(tcp);
        return false;
    }
    tcp->written += size;
    if (tcp->output.waiting > KS_OUTPUT_LOW_WATER)
        tcp->above_low = true;
    ks_tcp_count_memory(tcp);
    if (!tcp->output_full)
        ks_tcp_mark_dirty(tcp);
    return true;
}

bool ks_tcp_write(struct ks_connection *connection, const void *bytes, size_t size)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    if (tcp->state != STATE_OPEN)
        return true;
    return appended(tcp, ks_output_queue_append(&tcp->output, bytes, size), size);
}

bool ks_tcp_write_apart(struct ks_connection *connection, const void *bytes, size_t size)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    if (tcp->state != STATE_OPEN)
        return true;
    return appended(tcp, ks_output_queue_append_apart(&tcp->output, bytes, size), size);
}

bool ks_tcp_write_shared(struct ks_connection *connection, struct ks_shared *shared, size_t offset,
                         size_t size, bool apart)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    if (tcp->state != STATE_OPEN)
        return true;
    return appended(tcp, ks_output_queue_append_shared(&tcp->output, shared, offset, size, apart), size);
}

/* ---- how much waits ---- */

size_t ks_tcp_output_waiting(const struct ks_connection *connection)
{
    return ks_tcp_of(connection)->output.waiting;
}

size_t ks_tcp_output_memory(const struct ks_connection *connection)
{
    return ks_tcp_of(connection)->output.memory;
}

bool ks_tcp_output_is_full(struct ks_connection *connection)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    size_t limit = ks_tcp_memory_is_short(tcp) ? KS_OUTPUT_SHORT : KS_OUTPUT_HIGH_WATER;
    tcp->told_full = tcp->output.waiting > limit;
    return tcp->told_full;
}

uint64_t ks_tcp_written(const struct ks_connection *connection)
{
    return ks_tcp_of(connection)->written;
}
