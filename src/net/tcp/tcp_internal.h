/* tcp_internal.h — a TCP connection from within: one object in six files. Its worker's thread alone. Private
 * to these six.
 *
 * They stand on each other in this order, without a circle: tcp_state.c, tcp_delivery.c, tcp_ending.c,
 * tcp_output.c, tcp_input.c, tcp.c.
 */
#ifndef KS_NET_TCP_TCP_INTERNAL_H
#define KS_NET_TCP_TCP_INTERNAL_H

#include "net/loop/output_queue.h"
#include "net/tcp/tcp.h"

enum ks_tcp_state { STATE_OPEN, STATE_FINISHING, STATE_LINGERING, STATE_DOOMED, STATES };

/* Input that was read but not consumed; offered again after resume. */
struct ks_kept_input {
    size_t size;
    size_t offset;
    uint8_t bytes[];
};

/* A watched delivery, and a reminder; few connections have one. */
struct ks_delivery_watch {
    struct ks_tcp *tcp;
    uint64_t position;    /* 0: none */
    uint64_t acked_open;  /* acknowledged when we last looked and the peer's end had not come */
    uint64_t acked_ended; /* acknowledged when it came, or fewer */
    struct ks_deadline reminder;
    struct ks_delivery_watch *next;
    struct ks_delivery_watch **link; /* what points here in the worker's list; NULL while not listed */
    bool watches; /* a delivery is watched, or was: else it is there for its reminder alone */
    bool end_came;
};

struct ks_tcp {
    struct ks_connection connection;
    uv_poll_t poll;
    struct ks_deadline deadline;
    struct ks_connection_links links; /* its standing, too */
    struct ks_output_queue output;
    uint64_t written;
    struct ks_connection_counts *counts;
    struct ks_kept_input *kept;
    struct ks_delivery_watch *watch;
    int fd;
    uint32_t counted_memory; /* of its output's and kept input's, in the sum of all */
    uint32_t acked_at_start;
    struct ks_peer_address peer;
    uint8_t state;  /* enum ks_tcp_state; ks_tcp_become changes it */
    uint8_t polled; /* UV_READABLE | UV_WRITABLE as uv_poll has it now */
    bool paused : 1;
    bool output_full : 1; /* the socket took no more */
    bool told_full : 1;   /* a service waits for `drained` though less than the low-water mark waits */
    bool above_low : 1;   /* output passed the low-water mark, `drained` is owed */
    bool end_seen : 1;    /* the peer's end of stream was read */
    bool end_told : 1;    /* and the service knows */
    bool end_wanted : 1;  /* ks_connection_want_end */
    bool shutting : 1;    /* our end of stream follows the output */
    bool shut : 1;        /* it has left */
    bool turn_wanted : 1; /* ks_connection_want_turn */
    bool broken : 1;      /* the system has told of an error, which it does once */
};

static inline struct ks_tcp *ks_tcp_of(const struct ks_connection *connection)
{
    return KS_CONTAINER_OF(connection, struct ks_tcp, connection);
}

static inline struct ks_worker_core *ks_tcp_core(const struct ks_tcp *tcp)
{
    return ks_worker_core_of(tcp->connection.loop);
}

static inline void ks_tcp_mark_dirty(struct ks_tcp *tcp)
{
    ks_connection_lists_add_dirty(&ks_tcp_core(tcp)->lists, &tcp->links);
}

/* ---- state, polling, memory: tcp_state.c ---- */

/* The only way to another state. */
void ks_tcp_become(struct ks_tcp *tcp, enum ks_tcp_state state);

/* The connection is over; `closed` comes when the worker works its lists off. */
void ks_tcp_doom(struct ks_tcp *tcp);

/* In so many milliseconds: the event `deadline`, or, in another state than open, the connection's end. */
void ks_tcp_start_deadline(struct ks_tcp *tcp, uint64_t after_ms);

/* Whether input is read as it comes. */
bool ks_tcp_wants_input(const struct ks_tcp *tcp);

/* Makes the polling right in both directions; called when something asks for more events, and when an event
 * came that nobody wants. */
void ks_tcp_poll_what_is_wanted(struct ks_tcp *tcp);

/* Polls for room in the socket, too. */
void ks_tcp_poll_for_room(struct ks_tcp *tcp);

/* Counts the memory of what waits on this connection in the sum of all. Input that is kept is counted with
 * the output: both wait for somebody. */
void ks_tcp_count_memory(struct ks_tcp *tcp);

/* Whether the sum of all is more than it may be. */
bool ks_tcp_memory_is_short(const struct ks_tcp *tcp);

/* Wipes bytes of input that are needed no more, if they may be secret. */
void ks_tcp_forget_input(const struct ks_tcp *tcp, void *bytes, size_t size);

/* Input that was kept is dropped. */
void ks_tcp_drop_kept(struct ks_tcp *tcp);

/* ---- delivery: tcp_delivery.c ---- */

/* What the peer had acknowledged when the connection was handed to us: the base of all counts. */
uint32_t ks_tcp_acked_at_start(const struct ks_tcp *tcp);

/* Looks whether the peer's end of stream has come, while a delivery is watched, and what was acknowledged by
 * then. `promptly`: if it has, it has come just now; else it may have come at any time since the last look.
 */
void ks_tcp_look_for_end(struct ks_tcp *tcp, bool promptly);

/* Looks at every watched delivery. */
void ks_tcp_check_deliveries(struct ks_worker_core *core);

/* A reminder is due. */
void ks_tcp_reminder_passed(struct ks_deadline *reminder, void *context);

/* Takes it off the list of those that are watched, and its reminder back. */
void ks_tcp_forget_watch(struct ks_tcp *tcp);

/* Operations of connection.h. */
uint64_t ks_tcp_delivered_up_to(struct ks_connection *connection);
uint64_t ks_tcp_delivered_before_end(struct ks_connection *connection);
void ks_tcp_watch_delivery(struct ks_connection *connection, uint64_t position);
void ks_tcp_set_reminder(struct ks_connection *connection, uint64_t after_ms);
bool ks_tcp_is_broken(struct ks_connection *connection);

/* ---- endings: tcp_ending.c ---- */

/* All output has left: our end of stream follows, if that is wanted. */
void ks_tcp_output_is_out(struct ks_tcp *tcp);

/* The peer's end of stream was read. */
void ks_tcp_end_of_input(struct ks_tcp *tcp);

/* Tells it, if it is time to. */
void ks_tcp_tell_end(struct ks_tcp *tcp);

/* Operations of connection.h. Abort: at once, unless the service waits for the peer's end. */
void ks_tcp_shut(struct ks_connection *connection);
void ks_tcp_finish(struct ks_connection *connection);
void ks_tcp_abort(struct ks_connection *connection);

/* ---- output: tcp_output.c ---- */

/* Sends what waits, as far as the peer takes it. */
void ks_tcp_flush(struct ks_tcp *tcp);

/* Operations of connection.h. */
bool ks_tcp_write(struct ks_connection *connection, const void *bytes, size_t size);
bool ks_tcp_write_apart(struct ks_connection *connection, const void *bytes, size_t size);
bool ks_tcp_write_shared(struct ks_connection *connection, struct ks_shared *shared, size_t offset,
                         size_t size, bool apart);
void ks_tcp_flush_now(struct ks_connection *connection);
void ks_tcp_want_turn(struct ks_connection *connection);
size_t ks_tcp_output_waiting(const struct ks_connection *connection);
size_t ks_tcp_output_memory(const struct ks_connection *connection);
bool ks_tcp_output_is_full(struct ks_connection *connection);
uint64_t ks_tcp_written(const struct ks_connection *connection);

/* ---- input: tcp_input.c ---- */

/* Input has come: reads some of it. */
void ks_tcp_read(struct ks_tcp *tcp);

/* The socket has failed: what came before is still there to be read; then the connection is over. */
void ks_tcp_read_what_is_left(struct ks_tcp *tcp);

/* Offers kept input again, and tells the peer's end behind it. */
void ks_tcp_offer_kept(struct ks_tcp *tcp);

/* Operations of connection.h. */
void ks_tcp_pause(struct ks_connection *connection);
void ks_tcp_resume(struct ks_connection *connection);

#endif
