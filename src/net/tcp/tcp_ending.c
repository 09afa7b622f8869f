/* tcp_ending.c — how a TCP connection ends: by the peer, by its service, or by us: see tcp_internal.h. */
#include "base/limits/log_repeats.h"
#include "net/tcp/tcp_internal.h"

#include <sys/socket.h>

enum {
    LINGER_MS = 5000,
    LAST_OUTPUT_MS = 30000,
    QUIESCING_LINGER_MS = 500,
    WANTED_END_MS = 1000,
};

/* ---- the peer's end ---- */

void ks_tcp_tell_end(struct ks_tcp *tcp)
{
    if (!tcp->end_seen || tcp->end_told || tcp->paused || tcp->kept != NULL || tcp->state != STATE_OPEN)
        return;
    tcp->end_told = true;
    tcp->connection.events->input_ended(&tcp->connection);
}

static void end_of_lingering(struct ks_tcp *tcp)
{
    if (tcp->end_wanted && !tcp->end_told) {
        tcp->end_told = true;
        tcp->connection.events->input_ended(&tcp->connection);
    }
    ks_tcp_doom(tcp);
}

void ks_tcp_end_of_input(struct ks_tcp *tcp)
{
    /* An end may have been overtaken by a reset, which a read does not tell. */
    if (tcp->watch != NULL && ks_tcp_is_broken(&tcp->connection))
        return;
    ks_tcp_look_for_end(tcp, true);
    tcp->end_seen = true;
    if (tcp->state == STATE_LINGERING)
        end_of_lingering(tcp);
    ks_tcp_tell_end(tcp);
    ks_tcp_poll_what_is_wanted(tcp);
}

/* ---- ours ---- */

static uint64_t linger_ms(const struct ks_tcp *tcp)
{
    if (tcp->end_wanted)
        return WANTED_END_MS;
    return ks_tcp_core(tcp)->quiescing ? QUIESCING_LINGER_MS : LINGER_MS;
}

static void begin_lingering(struct ks_tcp *tcp)
{
    if (tcp->end_seen || shutdown(tcp->fd, SHUT_WR) != 0) {
        ks_tcp_doom(tcp);
        return;
    }
    ks_tcp_become(tcp, STATE_LINGERING);
    ks_tcp_start_deadline(tcp, linger_ms(tcp));
    ks_tcp_poll_what_is_wanted(tcp);
}

void ks_tcp_output_is_out(struct ks_tcp *tcp)
{
    if (tcp->state == STATE_FINISHING) {
        begin_lingering(tcp);
    } else if (tcp->state == STATE_OPEN && tcp->shutting && !tcp->shut) {
        tcp->shut = true;
        if (shutdown(tcp->fd, SHUT_WR) != 0)
            ks_tcp_doom(tcp);
    }
}

static void leave_idle(struct ks_tcp *tcp)
{
    ks_connection_lists_leave_idle(&ks_tcp_core(tcp)->lists, &tcp->links);
}

void ks_tcp_shut(struct ks_connection *connection)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    if (tcp->state != STATE_OPEN || tcp->shutting)
        return;
    tcp->shutting = true;
    ks_tcp_mark_dirty(tcp);
}

void ks_tcp_finish(struct ks_connection *connection)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    if (tcp->state != STATE_OPEN)
        return;
    ks_tcp_become(tcp, STATE_FINISHING);
    leave_idle(tcp);
    ks_tcp_drop_kept(tcp);
    /* A peer that takes nothing for so long gets nothing more. */
    ks_tcp_start_deadline(tcp, LAST_OUTPUT_MS);
    ks_tcp_mark_dirty(tcp);
}

void ks_tcp_abort(struct ks_connection *connection)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    if (tcp->state == STATE_LINGERING && tcp->end_wanted)
        return;
    if (tcp->state == STATE_DOOMED || !tcp->end_wanted || tcp->end_seen) {
        ks_tcp_doom(tcp);
        return;
    }
    leave_idle(tcp);
    ks_tcp_drop_kept(tcp);
    ks_output_queue_clear(&tcp->output);
    tcp->output_full = false;
    begin_lingering(tcp);
}

static void log_eviction(const struct ks_tcp *tcp)
{
    static const char line[] = "%s: closed: it makes room for others, as %s (connections)";
    static const char *const standings[KS_STANDINGS] = {
        "one that has said nothing", "one with half a request", "a stranger", "the longest-idle user"};
    const struct ks_log_cause cause = ks_log_cause(line, tcp->peer.bytes, NULL);
    char peer[KS_PEER_TEXT_SIZE];
    ks_peer_address_describe(&tcp->peer, peer, sizeof peer);
    ks_log_repeatable(ks_tcp_core(tcp)->shared->log, KS_LOG_INFO, &cause, KS_LOG_REFUSALS, line, peer,
                      standings[tcp->links.standing]);
}

bool ks_tcp_evict_idle(struct ks_worker_core *core, enum ks_standing up_to)
{
    /* At once: nothing is owed to it, and while it lingered it would still take a place. */
    struct ks_connection_links *links = ks_connection_lists_longest_idle(&core->lists, up_to);
    if (links == NULL)
        return false;
    struct ks_tcp *tcp = KS_CONTAINER_OF(links, struct ks_tcp, links);
    log_eviction(tcp);
    /* It counts as one of the known no more. */
    ks_connection_lists_set_standing(&core->lists, links, KS_STANDING_SILENT, uv_now(&core->uv));
    ks_tcp_abort(&tcp->connection);
    ks_count(&core->counts.evicted, 1);
    return true;
}

static void end_one(uv_handle_t *handle, void *argument)
{
    const bool *all = argument;
    if (handle->type != UV_POLL || uv_is_closing(handle))
        return;
    struct ks_tcp *tcp = handle->data;
    if (*all)
        ks_tcp_doom(tcp);
    else if (tcp->links.is_idle)
        ks_tcp_abort(&tcp->connection);
}

void ks_tcp_end_connections(struct ks_worker_core *core, bool all)
{
    uv_walk(&core->uv, end_one, &all);
}
