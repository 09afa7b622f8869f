/* tcp_internal.h — a TCP connection from within: what tcp.c, tcp_lists.c, tcp_delivery.c and tcp_ending.c
 * share. Its worker's thread alone. Private to these four.
 */
#ifndef KS_NET_TCP_STATE_H
#define KS_NET_TCP_STATE_H

#include "net/delivery.h"
#include "net/output_queue.h"
#include "net/peer_address.h"
#include "net/tcp/tcp.h"

enum ks_tcp_state { STATE_OPEN, STATE_FINISHING, STATE_LINGERING, STATE_DOOMED, STATES };

/* Input that was read but not consumed; offered again after resume. */
struct kept_input {
    size_t size;
    size_t offset;
    uint8_t bytes[];
};

/* A watched delivery, and a reminder; few connections have one. */
struct delivery_watch {
    struct ks_tcp *tcp;
    uint64_t position;    /* 0: none */
    uint64_t acked_open;  /* acknowledged when we last looked and the peer's end had not come */
    uint64_t acked_ended; /* acknowledged when it came, or fewer */
    struct ks_deadline reminder;
    struct ks_tcp *next;
    struct ks_tcp **link; /* what points here in the list; NULL while not listed */
    bool end_came;
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
    uint8_t state;    /* enum ks_tcp_state; ks_tcp_become changes it */
    uint8_t standing; /* enum ks_standing */
    uint8_t polled;   /* UV_READABLE | UV_WRITABLE as uv_poll has it now */
    bool paused : 1;
    bool output_full : 1; /* the socket took no more */
    bool told_full : 1;   /* a service waits for `drained` though less than the low-water mark waits */
    bool above_low : 1;   /* output passed the low-water mark, `drained` is owed */
    bool end_seen : 1;    /* the peer's end of stream was read */
    bool end_told : 1;    /* and the service knows */
    bool is_ready : 1;
    bool is_dirty : 1;
    bool is_idle : 1;
    bool end_wanted : 1; /* ks_connection_want_end */
    bool shutting : 1;   /* our end of stream follows the output */
    bool shut : 1;       /* it has left */
    bool broken : 1;     /* the system has told of an error, which it does once */
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

/* Who the peer is; one that is idle has been so since now. */
void ks_tcp_change_standing(struct ks_tcp *tcp, enum ks_standing standing);

/* The connection is over; `closed` comes when the worker works its lists off. */
void ks_tcp_doom(struct ks_tcp *tcp);

/* ---- delivery: tcp_delivery.c ---- */

/* What the peer had acknowledged when the connection was handed to us: the base of all counts. */
uint32_t ks_tcp_acked_at_start(const struct ks_tcp *tcp);

/* Looks whether the peer's end of stream has come, while a delivery is watched, and what was acknowledged by
 * then. `promptly`: if it has, it has come just now; else it may have come at any time since the last look.
 */
void ks_tcp_look_for_end(struct ks_tcp *tcp, bool promptly);

/* Takes it off the list of those that are watched, and its reminder back. */
void ks_tcp_forget_watch(struct ks_tcp *tcp);

/* Operations of connection.h. */
uint64_t ks_tcp_delivered_up_to(struct ks_connection *connection);
uint64_t ks_tcp_delivered_before_end(struct ks_connection *connection);
void ks_tcp_watch_delivery(struct ks_connection *connection, uint64_t position);
void ks_tcp_set_reminder(struct ks_connection *connection, uint64_t after_ms);
bool ks_tcp_is_broken(struct ks_connection *connection);

/* ---- polling: tcp.c ---- */

/* Whether input is read as it comes. */
bool ks_tcp_wants_input(const struct ks_tcp *tcp);

/* Makes the polling right in both directions; called when something asks for more events, and when an event
 * came that nobody wants. */
void ks_tcp_poll_what_is_wanted(struct ks_tcp *tcp);

/* Input that was kept is dropped. */
void ks_tcp_drop_kept(struct ks_tcp *tcp);

/* ---- endings: tcp_ending.c ---- */

/* The only way to another state. */
void ks_tcp_become(struct ks_tcp *tcp, enum ks_tcp_state state);

/* All output has left: our end of stream follows, if that is wanted. */
void ks_tcp_output_is_out(struct ks_tcp *tcp);

/* The peer's end of stream was read. */
void ks_tcp_end_of_input(struct ks_tcp *tcp);

/* Tells it, if it is time to. */
void ks_tcp_tell_end(struct ks_tcp *tcp);

/* We end the connection: at once, unless its service waits for the peer's end. */
void ks_tcp_dismiss(struct ks_tcp *tcp);

/* Operations of connection.h. */
void ks_tcp_finish(struct ks_connection *connection);
void ks_tcp_shut(struct ks_connection *connection);

#endif
