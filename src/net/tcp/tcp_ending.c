/* tcp_ending.c — how a TCP connection ends: by the peer, by its service, or by us: see tcp_internal.h. */
#include "base/log_repeats.h"
#include "net/tcp/tcp_internal.h"

#include <sys/socket.h>

enum {
    LINGER_MS = 5000,
    LAST_OUTPUT_MS = 30000,
    QUIESCING_LINGER_MS = 500,
    WANTED_END_MS = 1000,
};

/* ---- states ---- */

static const char *const state_names[STATES] = {"open", "finishing", "lingering", "doomed"};

/* As tcp.c tells its life. */
static const uint16_t state_ways[STATES] = {
    [STATE_OPEN] = KS_WAY_TO(STATE_FINISHING) | KS_WAY_TO(STATE_LINGERING) | KS_WAY_TO(STATE_DOOMED),
    [STATE_FINISHING] = KS_WAY_TO(STATE_LINGERING) | KS_WAY_TO(STATE_DOOMED),
    [STATE_LINGERING] = KS_WAY_TO(STATE_DOOMED),
};

static const struct ks_machine machine = {.name = "connection", .states = state_names, .ways = state_ways};

void ks_tcp_become(struct ks_tcp *tcp, enum ks_tcp_state state)
{
    ks_connection_step(&tcp->connection, &machine, &tcp->state, state);
}

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
    return ks_tcp_worker(tcp)->quiescing ? QUIESCING_LINGER_MS : LINGER_MS;
}

static void begin_lingering(struct ks_tcp *tcp)
{
    if (tcp->end_seen || shutdown(tcp->fd, SHUT_WR) != 0) {
        ks_tcp_doom(tcp);
        return;
    }
    struct ks_worker *worker = ks_tcp_worker(tcp);
    ks_tcp_become(tcp, STATE_LINGERING);
    ks_deadline_set(&worker->wheel, &tcp->deadline, uv_now(&worker->uv) + linger_ms(tcp));
    ks_worker_need_ticks(worker);
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
    struct ks_worker *worker = ks_tcp_worker(tcp);
    ks_tcp_become(tcp, STATE_FINISHING);
    ks_tcp_leave_idle(tcp);
    ks_tcp_drop_kept(tcp);
    /* A peer that takes nothing for so long gets nothing more. */
    ks_deadline_set(&worker->wheel, &tcp->deadline, uv_now(&worker->uv) + LAST_OUTPUT_MS);
    ks_worker_need_ticks(worker);
    ks_tcp_mark_dirty(tcp);
}

void ks_tcp_dismiss(struct ks_tcp *tcp)
{
    if (tcp->state == STATE_LINGERING && tcp->end_wanted)
        return;
    if (tcp->state == STATE_DOOMED || !tcp->end_wanted || tcp->end_seen) {
        ks_tcp_doom(tcp);
        return;
    }
    ks_tcp_leave_idle(tcp);
    ks_tcp_drop_kept(tcp);
    ks_output_clear(&tcp->output);
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
    ks_peer_describe(&tcp->peer, peer, sizeof peer);
    ks_log_repeatable(ks_tcp_worker(tcp)->shared->log, KS_LOG_INFO, &cause, KS_LOG_REFUSALS, line, peer,
                      standings[tcp->standing]);
}

bool ks_tcp_evict_idle(struct ks_worker *worker, enum ks_standing up_to)
{
    /* At once: nothing is owed to it, and while it lingered it would still take a place. */
    struct ks_tcp *tcp = NULL;
    for (unsigned standing = 0; standing <= up_to && tcp == NULL; standing++)
        tcp = worker->idle[standing].oldest;
    if (tcp == NULL)
        return false;
    log_eviction(tcp);
    ks_tcp_change_standing(tcp, KS_STANDING_SILENT); /* it counts as one of the known no more */
    ks_tcp_dismiss(tcp);
    ks_count(&worker->counts.evicted, 1);
    return true;
}

struct end_request {
    bool all;
};

static void end_one(uv_handle_t *handle, void *argument)
{
    const struct end_request *request = argument;
    if (handle->type != UV_POLL || uv_is_closing(handle))
        return;
    struct ks_tcp *tcp = handle->data;
    if (request->all)
        ks_tcp_doom(tcp);
    else if (tcp->is_idle)
        ks_tcp_dismiss(tcp);
}

void ks_tcp_end_connections(struct ks_worker *worker, bool all)
{
    struct end_request request = {.all = all};
    uv_walk(&worker->uv, end_one, &request);
}
