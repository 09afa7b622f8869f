/* tcp.c — see tcp.h and connection.h. Everything here runs on the connection's own worker.
 *
 * A connection is polled with uv_poll: read and written with the bare system calls, so that input can go
 * straight into a service's buffer and many answers leave in one sendmsg. Changing what is polled costs
 * system calls, so it is lazy: a paused connection stays polled until input does arrive.
 */
#include "net/tcp/tcp.h"

#include "net/tcp/tcp_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- operations of connection.h ---- */

static void tcp_set_deadline(struct ks_connection *connection, uint64_t after_ms)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    if (tcp->state != STATE_OPEN)
        return;
    if (after_ms == 0)
        ks_deadline_clear(&ks_tcp_core(tcp)->deadlines, &tcp->deadline);
    else
        ks_tcp_start_deadline(tcp, after_ms);
}

static void tcp_set_idle(struct ks_connection *connection, bool idle)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    struct ks_worker_core *core = ks_tcp_core(tcp);
    if (tcp->state != STATE_OPEN)
        return;
    if (idle && core->quiescing)
        ks_tcp_finish(connection);
    else if (idle)
        ks_connection_lists_enter_idle(&core->lists, &tcp->links, uv_now(&core->uv));
    else
        ks_connection_lists_leave_idle(&core->lists, &tcp->links);
}

static void change_standing(struct ks_tcp *tcp, enum ks_standing standing)
{
    struct ks_worker_core *core = ks_tcp_core(tcp);
    ks_connection_lists_set_standing(&core->lists, &tcp->links, standing, uv_now(&core->uv));
}

static void tcp_set_standing(struct ks_connection *connection, enum ks_standing standing)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    if (tcp->state != STATE_DOOMED && !tcp->peer.is_local)
        change_standing(tcp, standing);
}

static void tcp_want_end(struct ks_connection *connection, bool wanted)
{
    ks_tcp_of(connection)->end_wanted = wanted;
}

static void tcp_describe_peer(const struct ks_connection *connection, char *text, size_t size)
{
    ks_peer_address_describe(&ks_tcp_of(connection)->peer, text, size);
}

static void tcp_peer_address(const struct ks_connection *connection,
                             uint8_t address[static KS_PEER_ADDRESS_SIZE])
{
    memcpy(address, ks_tcp_of(connection)->peer.bytes, KS_PEER_ADDRESS_SIZE);
}

static const struct ks_connection_operations tcp_operations = {
    .write = ks_tcp_write,
    .write_apart = ks_tcp_write_apart,
    .write_shared = ks_tcp_write_shared,
    .flush = ks_tcp_flush_now,
    .output_waiting = ks_tcp_output_waiting,
    .output_memory = ks_tcp_output_memory,
    .output_is_full = ks_tcp_output_is_full,
    .written = ks_tcp_written,
    .delivered_up_to = ks_tcp_delivered_up_to,
    .delivered_before_end = ks_tcp_delivered_before_end,
    .watch_delivery = ks_tcp_watch_delivery,
    .is_broken = ks_tcp_is_broken,
    .want_end = tcp_want_end,
    .pause = ks_tcp_pause,
    .resume = ks_tcp_resume,
    .set_deadline = tcp_set_deadline,
    .set_reminder = ks_tcp_set_reminder,
    .set_idle = tcp_set_idle,
    .set_standing = tcp_set_standing,
    .want_turn = ks_tcp_want_turn,
    .shut = ks_tcp_shut,
    .finish = ks_tcp_finish,
    .abort = ks_tcp_abort,
    .describe_peer = tcp_describe_peer,
    .peer_address = tcp_peer_address,
};

/* ---- opening and closing ---- */

static void handle_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void close_and_free(struct ks_tcp *tcp)
{
    change_standing(tcp, KS_STANDING_SILENT);
    ks_worker_core_count_out(ks_tcp_core(tcp), &tcp->peer, tcp->counts);
    ks_output_queue_clear(&tcp->output);
    ks_tcp_drop_kept(tcp);
    ks_tcp_count_memory(tcp);
    free(tcp->watch);
    uv_close((uv_handle_t *)&tcp->poll, handle_closed);
    close(tcp->fd);
}

static void nobody_cares(struct ks_connection *connection)
{
    (void)connection;
}

/* Who takes the place of a service that did not want the connection. */
static const struct ks_connection_events nobody = {.closed = nobody_cares};

/* Its service is out of memory, or has as many as it serves. What it did to the connection before is undone
 * with all else when that is closed. */
static void turn_down(struct ks_tcp *tcp)
{
    ks_peer_address_log_refusal(&tcp->peer, ks_tcp_core(tcp)->shared->log,
                                "its service has no room or no memory for it");
    atomic_fetch_add_explicit(&tcp->counts->unwelcome, 1, memory_order_relaxed);
    tcp->connection.events = &nobody;
    ks_tcp_doom(tcp);
}

void ks_tcp_open(struct ks_worker_core *core, const struct ks_accepted *accepted)
{
    const struct ks_peer_address peer = ks_peer_address_of(&accepted->peer);
    struct ks_tcp *tcp = calloc(1, sizeof *tcp);
    if (tcp == NULL || uv_poll_init_socket(&core->uv, &tcp->poll, accepted->fd) != 0) {
        free(tcp);
        close(accepted->fd);
        ks_worker_core_count_out(core, &peer, accepted->counts);
        return;
    }
    tcp->poll.data = tcp;
    tcp->fd = accepted->fd;
    tcp->peer = peer;
    tcp->counts = accepted->counts;
    tcp->connection.operations = &tcp_operations;
    tcp->connection.events = accepted->events;
    tcp->connection.loop = &core->loop;
    tcp->acked_at_start = ks_tcp_acked_at_start(tcp);
    if (peer.is_local)
        change_standing(tcp, KS_STANDING_KNOWN);
    ks_connection_lists_enter_idle(&core->lists, &tcp->links, uv_now(&core->uv));
    if (!accepted->events->opened(&tcp->connection, accepted->service))
        turn_down(tcp);
    else if (core->quiescing)
        ks_tcp_finish(&tcp->connection);
    ks_tcp_poll_what_is_wanted(tcp);
}

/* ---- what the loop calls ---- */

static void socket_event(uv_poll_t *poll, int status, int events)
{
    struct ks_tcp *tcp = poll->data;
    if (tcp->state == STATE_DOOMED)
        return;
    if (status < 0) {
        tcp->polled = 0; /* libuv has stopped the handle */
        ks_tcp_read_what_is_left(tcp);
        return;
    }
    if ((events & UV_READABLE) != 0) {
        if (ks_tcp_wants_input(tcp))
            ks_tcp_read(tcp);
        else
            ks_tcp_poll_what_is_wanted(tcp);
    }
    if ((events & UV_WRITABLE) != 0) {
        ks_tcp_flush(tcp);
        if (!tcp->output_full)
            ks_tcp_poll_what_is_wanted(tcp);
    }
}

static void deadline_passed(struct ks_deadline *deadline, void *context)
{
    struct ks_tcp *tcp = KS_CONTAINER_OF(deadline, struct ks_tcp, deadline);
    (void)context;
    if (tcp->state == STATE_OPEN)
        tcp->connection.events->deadline(&tcp->connection);
    else
        ks_tcp_doom(tcp);
}

static void tick(uv_timer_t *ticks)
{
    struct ks_worker_core *core = KS_CONTAINER_OF(ticks, struct ks_worker_core, ticks);
    if (ks_worker_core_stood_still(core))
        return;
    ks_deadline_wheel_advance(&core->deadlines, uv_now(&core->uv), deadline_passed, NULL);
    ks_tcp_check_deliveries(core);
    ks_deadline_wheel_advance(&core->reminders, uv_now(&core->uv), ks_tcp_reminder_passed, NULL);
    if (core->deadlines.count == 0 && core->watching == NULL)
        ks_worker_core_stop_ticks(core);
}

void ks_tcp_serve(struct ks_worker_core *core)
{
    core->on_tick = tick;
    core->on_socket = socket_event;
}

static struct ks_tcp *tcp_of_links(struct ks_connection_links *links)
{
    return links == NULL ? NULL : KS_CONTAINER_OF(links, struct ks_tcp, links);
}

static void close_doomed(struct ks_tcp *tcp)
{
    ks_tcp_forget_watch(tcp);
    tcp->connection.events->closed(&tcp->connection);
    close_and_free(tcp);
}

void ks_tcp_work_off(struct ks_worker_core *core)
{
    struct ks_connection_lists *lists = &core->lists;
    struct ks_tcp *tcp = NULL;
    while (!ks_connection_lists_are_worked_off(lists)) {
        while ((tcp = tcp_of_links(ks_connection_lists_take_ready(lists))) != NULL)
            ks_tcp_offer_kept(tcp);
        while ((tcp = tcp_of_links(ks_connection_lists_take_dirty(lists))) != NULL)
            ks_tcp_flush(tcp);
        while ((tcp = tcp_of_links(ks_connection_lists_take_doomed(lists))) != NULL)
            close_doomed(tcp);
    }
}
