/* tcp_delivery.c — what a connection's peer has acknowledged: see tcp_state.h and delivery.h. */
#include "net/tcp_state.h"

#include <stdlib.h>

/* A socket in the file system knows no acknowledgements: what our system has taken, the peer has, too. */
bool ks_tcp_read_delivery(const struct ks_tcp *tcp, struct ks_delivery *delivery)
{
    if (!tcp->peer.is_local)
        return ks_delivery_read(tcp->fd, delivery);
    *delivery = (struct ks_delivery){.bytes_acked = tcp->written - tcp->output.waiting};
    return true;
}

static uint64_t delivered_according_to(const struct ks_tcp *tcp, const struct ks_delivery *delivery)
{
    if (delivery->bytes_acked < tcp->acked_at_start)
        return 0;
    uint64_t acked = delivery->bytes_acked - tcp->acked_at_start;
    return acked < tcp->written ? acked : tcp->written; /* our end of stream counts as a byte there */
}

uint64_t ks_tcp_delivered_up_to(struct ks_connection *connection)
{
    const struct ks_tcp *tcp = ks_tcp_of(connection);
    struct ks_delivery delivery;
    return ks_tcp_read_delivery(tcp, &delivery) ? delivered_according_to(tcp, &delivery) : 0;
}

static void list_watch(struct ks_tcp *tcp)
{
    struct ks_worker *worker = ks_tcp_worker(tcp);
    if (tcp->watch->listed)
        return;
    tcp->watch->listed = true;
    tcp->watch->next = worker->watching;
    worker->watching = tcp;
}

void ks_tcp_watch_delivery(struct ks_connection *connection, uint64_t position)
{
    struct ks_tcp *tcp = ks_tcp_of(connection);
    if (tcp->watch == NULL)
        tcp->watch = calloc(1, sizeof *tcp->watch);
    if (tcp->watch == NULL) {
        ks_tcp_doom(tcp);
        return;
    }
    tcp->watch->position = position;
    list_watch(tcp);
    ks_worker_need_ticks(ks_tcp_worker(tcp));
}

/* True when the watch is over; the event may have begun another one. */
static bool check_delivery(struct ks_tcp *tcp)
{
    struct ks_delivery delivery;
    if (tcp->state == STATE_DOOMED)
        return true;
    bool known = ks_tcp_read_delivery(tcp, &delivery);
    if (known && delivered_according_to(tcp, &delivery) >= tcp->watch->position) {
        if (tcp->connection.events->delivered != NULL)
            tcp->connection.events->delivered(&tcp->connection);
        return true;
    }
    if (delivery.dead) /* nobody else tells of a reset while nothing is polled */
        ks_tcp_doom(tcp);
    return delivery.dead;
}

void ks_tcp_check_deliveries(struct ks_worker *worker)
{
    struct ks_tcp *tcp = worker->watching;
    worker->watching = NULL;
    while (tcp != NULL) {
        struct ks_tcp *next = tcp->watch->next;
        tcp->watch->listed = false;
        if (!check_delivery(tcp))
            list_watch(tcp);
        tcp = next;
    }
}
