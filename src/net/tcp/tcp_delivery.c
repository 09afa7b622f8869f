/* tcp_delivery.c — what a connection's peer has acknowledged, and whether it had before its end of stream:
 * see tcp_internal.h.
 *
 * Nothing tells when an end of stream came, only that it did. While input is read, it is read as soon as it
 * comes; while not, what had been acknowledged when we last looked and it had not come is what is certain. A
 * peer may also have ended its side before our answer is sent, so we look before each send, too.
 */
#include "net/tcp/tcp_internal.h"
#include "net/tcp/tcp_socket.h"

#include <stdlib.h>
#include <sys/socket.h>

/* A socket in the file system knows no acknowledgements: what our system has taken, the peer has, too. False
 * when it cannot be known. */
static bool read_delivery(const struct ks_tcp *tcp, struct ks_tcp_delivery *delivery)
{
    if (!tcp->peer.is_local)
        return ks_tcp_socket_read_delivery(tcp->fd, delivery);
    *delivery = (struct ks_tcp_delivery){.bytes_acked = tcp->written - tcp->output.waiting};
    return true;
}

uint32_t ks_tcp_acked_at_start(const struct ks_tcp *tcp)
{
    struct ks_tcp_delivery delivery;
    return read_delivery(tcp, &delivery) ? (uint32_t)delivery.bytes_acked : 0;
}

static uint64_t delivered_according_to(const struct ks_tcp *tcp, const struct ks_tcp_delivery *delivery)
{
    if (delivery->bytes_acked < tcp->acked_at_start)
        return 0;
    uint64_t acked = delivery->bytes_acked - tcp->acked_at_start;
    return acked < tcp->written ? acked : tcp->written; /* our end of stream counts as a byte there */
}

/* ---- the peer's end ---- */

static bool watches(const struct ks_tcp *tcp)
{
    return tcp->watch != NULL && tcp->watch->watches;
}

static void note_end(struct ks_tcp *tcp, uint64_t acked)
{
    if (tcp->watch->end_came)
        return;
    tcp->watch->end_came = true;
    tcp->watch->acked_ended = acked;
}

/* Returns what is acknowledged now. */
static uint64_t take_note(struct ks_tcp *tcp, const struct ks_tcp_delivery *delivery, bool promptly)
{
    uint64_t acked = delivered_according_to(tcp, delivery);
    if (!watches(tcp))
        return acked;
    if (delivery->end_came)
        note_end(tcp, promptly ? acked : tcp->watch->acked_open);
    else if (!tcp->watch->end_came)
        tcp->watch->acked_open = acked;
    return acked;
}

void ks_tcp_look_for_end(struct ks_tcp *tcp, bool promptly)
{
    struct ks_tcp_delivery delivery;
    if (watches(tcp) && !tcp->watch->end_came && read_delivery(tcp, &delivery))
        take_note(tcp, &delivery, promptly);
}

uint64_t ks_tcp_delivered_up_to(struct ks_connection *connection)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    struct ks_tcp_delivery delivery;
    return read_delivery(tcp, &delivery) ? take_note(tcp, &delivery, ks_tcp_wants_input(tcp)) : 0;
}

uint64_t ks_tcp_delivered_before_end(struct ks_connection *connection)
{
    const struct ks_tcp *tcp = ks_tcp_of(connection);
    if (!watches(tcp))
        return 0;
    return tcp->watch->end_came ? tcp->watch->acked_ended : tcp->watch->acked_open;
}

bool ks_tcp_is_broken(struct ks_connection *connection)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    int failure = 0;
    socklen_t size = sizeof failure;
    if (!tcp->broken && (getsockopt(tcp->fd, SOL_SOCKET, SO_ERROR, &failure, &size) != 0 || failure != 0)) {
        tcp->broken = true;
        ks_tcp_doom(tcp);
    }
    return tcp->broken;
}

/* ---- watching ---- */

static void list_watch(struct ks_tcp *tcp)
{
    struct ks_worker_core *core = ks_tcp_core(tcp);
    struct ks_delivery_watch *watch = tcp->watch;
    if (watch->link != NULL)
        return;
    watch->next = core->watching;
    watch->link = &core->watching;
    if (watch->next != NULL)
        watch->next->link = &watch->next;
    core->watching = watch;
    ks_worker_core_need_ticks(core);
}

static void unlist_watch(struct ks_delivery_watch *watch)
{
    if (watch->link == NULL)
        return;
    *watch->link = watch->next;
    if (watch->next != NULL)
        watch->next->link = watch->link;
    watch->next = NULL;
    watch->link = NULL;
}

void ks_tcp_forget_watch(struct ks_tcp *tcp)
{
    if (tcp->watch == NULL)
        return;
    unlist_watch(tcp->watch);
    ks_deadline_clear(&ks_tcp_core(tcp)->reminders, &tcp->watch->reminder);
}

static bool have_watch(struct ks_tcp *tcp)
{
    if (tcp->watch != NULL)
        return true;
    tcp->watch = calloc(1, sizeof *tcp->watch);
    if (tcp->watch == NULL) {
        ks_tcp_doom(tcp);
        return false;
    }
    tcp->watch->tcp = tcp;
    return true;
}

void ks_tcp_watch_delivery(struct ks_connection *connection, uint64_t position)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    if (tcp->state == STATE_DOOMED || !have_watch(tcp))
        return;
    if (!tcp->watch->watches) {
        tcp->watch->watches = true;
        ks_tcp_look_for_end(tcp, true);
    }
    tcp->watch->position = position;
    list_watch(tcp);
}

void ks_tcp_set_reminder(struct ks_connection *connection, uint64_t after_ms)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    struct ks_worker_core *core = ks_tcp_core(tcp);
    if (tcp->state == STATE_DOOMED || (after_ms == 0 && tcp->watch == NULL) || !have_watch(tcp))
        return;
    if (after_ms == 0) {
        ks_deadline_clear(&core->reminders, &tcp->watch->reminder);
        return;
    }
    ks_deadline_set(&core->reminders, &tcp->watch->reminder, uv_now(&core->uv) + after_ms);
    list_watch(tcp);
}

void ks_tcp_reminder_passed(struct ks_deadline *reminder, void *context)
{
    (void)context;
    const struct ks_delivery_watch *watch = KS_CONTAINER_OF(reminder, struct ks_delivery_watch, reminder);
    struct ks_connection *connection = &watch->tcp->connection;
    if (connection->events->reminded != NULL)
        connection->events->reminded(connection);
}

/* Nobody else tells of a reset while nothing is polled. */
static void check_for_reset(struct ks_tcp *tcp, const struct ks_tcp_delivery *delivery)
{
    if (!ks_tcp_is_broken(&tcp->connection) && delivery->dead && !tcp->shut)
        ks_tcp_doom(tcp);
}

static void check_delivery(struct ks_delivery_watch *watch)
{
    struct ks_tcp_delivery delivery;
    struct ks_tcp *tcp = watch->tcp;
    if (tcp->state == STATE_DOOMED || (watch->position == 0 && (tcp->polled & UV_READABLE) != 0))
        return; /* there for its reminder alone, and the poll tells of resets */
    bool known = read_delivery(tcp, &delivery);
    uint64_t acked = known ? take_note(tcp, &delivery, ks_tcp_wants_input(tcp)) : 0;
    if (watch->position != 0 && known && acked >= watch->position) {
        watch->position = 0;
        if (tcp->connection.events->delivered != NULL)
            tcp->connection.events->delivered(&tcp->connection);
    } else {
        check_for_reset(tcp, &delivery);
    }
}

/* One that was there for its reminder alone is needed no more. */
static void put_away(struct ks_delivery_watch *watch)
{
    unlist_watch(watch);
    if (watch->watches)
        return;
    watch->tcp->watch = NULL;
    free(watch);
}

void ks_tcp_check_deliveries(struct ks_worker_core *core)
{
    struct ks_delivery_watch *watch = core->watching;
    while (watch != NULL) {
        /* What an event begins to watch comes to the front, behind us; what it ends stays until `closed`. */
        struct ks_delivery_watch *next = watch->next;
        check_delivery(watch);
        if (watch->position == 0 && !ks_deadline_is_set(&watch->reminder))
            put_away(watch);
        watch = next;
    }
}
