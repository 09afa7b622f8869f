/* tcp_state.h — a TCP connection from within: what tcp.c, tcp_lists.c and tcp_delivery.c share. Its worker's
 * thread alone. Private to these three.
 */
#ifndef KS_NET_TCP_STATE_H
#define KS_NET_TCP_STATE_H

#include "net/delivery.h"
#include "net/output.h"
#include "net/peer.h"
#include "net/tcp.h"

enum ks_tcp_state { STATE_OPEN, STATE_FINISHING, STATE_LINGERING, STATE_DOOMED };

/* Input that was read but not consumed; offered again after resume. */
struct kept_input {
    size_t size;
    size_t offset;
    uint8_t bytes[];
};

/* A watched delivery; few connections have one. */
struct delivery_watch {
    uint64_t position;
    struct ks_tcp *next;
    bool listed;
};

struct ks_tcp {
    struct ks_connection connection;
    uv_poll_t poll;
    struct ks_deadline deadline;
    struct ks_output output;
    uint64_t written;
    struct ks_listener_counts *listener;
    struct kept_input *kept;
    struct delivery_watch *watch;
    struct ks_tcp *next_ready;
    struct ks_tcp *next_dirty; /* also links the doomed */
    struct ks_tcp *idle_older;
    struct ks_tcp *idle_newer;
    uint64_t idle_since_ms;
    int fd;
    uint32_t counted_output; /* of its output's memory, in the sum of all */
    uint32_t acked_at_start;
    struct ks_peer peer;
    uint8_t state;  /* enum ks_tcp_state */
    uint8_t polled; /* UV_READABLE | UV_WRITABLE as uv_poll has it now */
    bool paused : 1;
    bool output_full : 1; /* the socket took no more */
    bool told_full : 1;   /* a service waits for `drained` though less than the low-water mark waits */
    bool above_low : 1;   /* output passed the low-water mark, `drained` is owed */
    bool end_seen : 1;    /* the peer's end of stream was read */
    bool end_told : 1;    /* and the service knows */
    bool is_ready : 1;
    bool is_dirty : 1;
    bool is_idle : 1;
};

static inline struct ks_tcp *ks_tcp_of(const struct ks_connection *connection)
{
    return KS_CONTAINER_OF(connection, struct ks_tcp, connection);
}

static inline struct ks_worker *ks_tcp_worker(const struct ks_tcp *tcp)
{
    return KS_CONTAINER_OF(tcp->connection.loop, struct ks_worker, loop);
}

/* ---- the worker's lists: tcp_lists.c ---- */

/* Kept input is to be offered again. */
void ks_tcp_mark_ready(struct ks_tcp *tcp);

/* Output is to be sent. */
void ks_tcp_mark_dirty(struct ks_tcp *tcp);

/* Nothing is in flight, since now; or something is. */
void ks_tcp_enter_idle(struct ks_tcp *tcp);
void ks_tcp_leave_idle(struct ks_tcp *tcp);

/* The connection is over; `closed` comes when the worker works its lists off. */
void ks_tcp_doom(struct ks_tcp *tcp);

/* ---- delivery: tcp_delivery.c ---- */

/* What the peer has acknowledged. False when that cannot be known. */
bool ks_tcp_read_delivery(const struct ks_tcp *tcp, struct ks_delivery *delivery);

/* Operations of connection.h. */
uint64_t ks_tcp_delivered_up_to(struct ks_connection *connection);
void ks_tcp_watch_delivery(struct ks_connection *connection, uint64_t position);

#endif
