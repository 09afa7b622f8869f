/* connection.h — what a service sees of a peer, and a peer of a service.
 *
 * Terms: *input* is what the peer sends, *output* what we send. A connection belongs to one *loop*; every
 * function here and every event runs on that loop's thread, never two at a time. `operations` is implemented
 * by a *carrier*: TCP (net/tcp/tcp.h, which says where TLS and WebSocket join), and one by hand for tests.
 * `events` is implemented by a service. This header knows no socket and no libuv. What it promises is tested
 * on every carrier by tests/unit/net/contract/connection_contract.c.
 */
#ifndef KS_NET_CONNECTION_H
#define KS_NET_CONNECTION_H

#include "base/clock.h"
#include "base/executor.h"
#include "base/limits/budget.h"
#include "base/log.h"
#include "base/machine.h"
#include "base/result.h"
#include "base/shared.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- loops ---- */

/* A piece of work that is too slow for a loop and needs no order: key parsing, RSA. `work` runs on some
 * thread of the pool, then `done` on the loop. The owner keeps the memory until `done`. */
struct ks_offload {
    struct ks_task task; /* the loop's */
    struct ks_loop *loop;
    void (*work)(struct ks_offload *offload);
    void (*done)(struct ks_offload *offload);
};

enum { KS_LOOPS_LIMIT = 64 };

struct ks_loop {
    struct ks_executor executor; /* posts here run on the loop; any thread may post */
    unsigned number;             /* from 0, below KS_LOOPS_LIMIT; each loop of a server has its own */
    const struct ks_clock *clock;
    struct ks_budget *contents; /* memory of what comes in, of all connections of all loops, */
    struct ks_budget *answers;  /* and of the long answers that go out: neither can starve the other */
    const struct ks_log *log;
    /* Loop's thread only. `done` runs later, never inside the call; if the pool refuses, `work` runs there.
     */
    void (*offload)(struct ks_loop *loop, struct ks_offload *offload);
};

static inline void ks_loop_offload(struct ks_loop *loop, struct ks_offload *offload)
{
    loop->offload(loop, offload);
}

/* ---- what a service implements ---- */

struct ks_connection;

struct ks_connection_events {
    /* A peer came. Sets connection->session; false ends the connection at once, without `closed` or any other
     * event: what the service wrote or set before is lost. */
    bool (*opened)(struct ks_connection *connection, void *service);

    /* Optional: where the next input should go, so that bulk data is not copied: *buffer and its size, or 0
     * for the loop's scratch buffer. `received` gets exactly that pointer. Asked before every read. */
    size_t (*receive_buffer)(struct ks_connection *connection, uint8_t **buffer);

    /* Input. Returns how many bytes were consumed; fewer than `size` only after ks_connection_pause (or
     * finish, or abort): the rest is kept and offered again after ks_connection_resume, before anything
     * newer. */
    size_t (*received)(struct ks_connection *connection, const uint8_t *bytes, size_t size);

    /* The peer has said that it will send no more, which a reset never does; all that it sent was consumed.
     * Output still goes out. Once. A service that owes nothing calls ks_connection_finish. After finish or
     * abort it comes only to who wants it (ks_connection_want_end), and what came before was dropped. */
    void (*input_ended)(struct ks_connection *connection);

    /* Output waiting for the peer fell to the low-water mark after having been above it, or there is room
     * again after ks_connection_output_is_full. Optional. */
    void (*drained)(struct ks_connection *connection);

    /* The deadline of ks_connection_set_deadline passed; it is no longer set. */
    void (*deadline)(struct ks_connection *connection);

    /* Output up to the position of ks_connection_watch_delivery was acknowledged by the peer's TCP. Optional.
     */
    void (*delivered)(struct ks_connection *connection);

    /* The time of ks_connection_set_reminder has come; it is no longer set. Optional. */
    void (*reminded)(struct ks_connection *connection);

    /* The end of a turn of the loop, asked for with ks_connection_want_turn: what is written now leaves with
     * what was written before. Optional. */
    void (*turn)(struct ks_connection *connection);

    /* The connection is gone, for whatever reason: without `input_ended` before, the peer has reset it, or we
     * have ended it. Last event. Frees the session; the connection is invalid
     * when it returns. */
    void (*closed)(struct ks_connection *connection);

    /* Input may hold secrets: what was read is wiped as soon as `received` has returned, what is kept as soon
     * as it was consumed. (A buffer of receive_buffer's is the service's own affair.) */
    bool input_is_secret;
};

/* ---- what a connection implements ---- */

enum {
    KS_PEER_ADDRESS_SIZE = 16,
    KS_CONNECTION_CHANNEL_SIZE = 64, /* of what a signature is bound to (protocol.md §8.1) */
};

/* Who a peer is, as far as it has shown: where room is made, the lower ones go first. */
enum ks_standing {
    KS_STANDING_SILENT,     /* it has said nothing */
    KS_STANDING_INCOMPLETE, /* the beginning of something */
    KS_STANDING_STRANGER,   /* it has asked for something, and could be anybody */
    KS_STANDING_KNOWN,      /* a user that was served, a member of a group */
    KS_STANDINGS,
};

struct ks_connection_operations {
    bool (*write)(struct ks_connection *connection, const void *bytes, size_t size);
    bool (*write_apart)(struct ks_connection *connection, const void *bytes, size_t size);
    bool (*write_shared)(struct ks_connection *connection, struct ks_shared *shared, size_t offset,
                         size_t size, bool apart);
    void (*flush)(struct ks_connection *connection);
    size_t (*output_waiting)(const struct ks_connection *connection);
    size_t (*output_memory)(const struct ks_connection *connection);
    bool (*output_is_full)(struct ks_connection *connection);
    uint64_t (*written)(const struct ks_connection *connection);
    uint64_t (*delivered_up_to)(struct ks_connection *connection);
    uint64_t (*delivered_before_end)(struct ks_connection *connection);
    void (*watch_delivery)(struct ks_connection *connection, uint64_t position);
    bool (*is_broken)(struct ks_connection *connection);
    void (*want_end)(struct ks_connection *connection, bool wanted);
    void (*pause)(struct ks_connection *connection);
    void (*resume)(struct ks_connection *connection);
    void (*set_deadline)(struct ks_connection *connection, uint64_t after_ms);
    void (*set_reminder)(struct ks_connection *connection, uint64_t after_ms);
    void (*set_idle)(struct ks_connection *connection, bool idle);
    void (*set_standing)(struct ks_connection *connection, enum ks_standing standing);
    void (*want_turn)(struct ks_connection *connection);
    bool (*channel)(struct ks_connection *connection, uint8_t channel[static KS_CONNECTION_CHANNEL_SIZE]);
    void (*shut)(struct ks_connection *connection);
    void (*finish)(struct ks_connection *connection);
    void (*abort)(struct ks_connection *connection);
    void (*describe_peer)(const struct ks_connection *connection, char *text, size_t size);
    void (*peer_address)(const struct ks_connection *connection,
                         uint8_t address[static KS_PEER_ADDRESS_SIZE]);
};

struct ks_connection {
    const struct ks_connection_operations *operations;
    const struct ks_connection_events *events;
    struct ks_loop *loop;
    void *session; /* the service's */
};

enum {
    KS_OUTPUT_LOW_WATER = 64 * 1024,   /* bytes; `drained` comes when output falls to it */
    KS_OUTPUT_HIGH_WATER = 256 * 1024, /* a service that streams stops here until `drained` */
    KS_OUTPUT_SHORT = 4 * 1024,        /* the same when the output of all connections together is too much */
    KS_PEER_TEXT_SIZE = 64,
};

/* Queues a copy of `bytes`; it goes out when the loop has handled what is at hand, together with whatever
 * else was written until then. Counted by `written`. False when there is no memory: the connection is then
 * aborted (`closed` comes later, not inside the call). Ignored after finish or abort (true). */
static inline bool ks_connection_write(struct ks_connection *connection, const void *bytes, size_t size)
{
    return connection->operations->write(connection, bytes, size);
}

/* The same in a send of its own, joined with nothing before or after it: for peers that take one read for one
 * text. */
static inline bool ks_connection_write_apart(struct ks_connection *connection, const void *bytes, size_t size)
{
    return connection->operations->write_apart(connection, bytes, size);
}

/* Queues `size` bytes of `shared` from `offset` on without a copy, `apart` as above. Takes a reference of its
 * own. */
static inline bool ks_connection_write_shared(struct ks_connection *connection, struct ks_shared *shared,
                                              size_t offset, size_t size, bool apart)
{
    return connection->operations->write_shared(connection, shared, offset, size, apart);
}

/* Sends what waits now, as far as the peer takes it, and not when the loop has handled what is at hand: to
 * see whether a long queue is the peer's fault or ours. `drained` may come inside. */
static inline void ks_connection_flush(struct ks_connection *connection)
{
    connection->operations->flush(connection);
}

/* How many bytes wait for the peer to take them. */
static inline size_t ks_connection_output_waiting(const struct ks_connection *connection)
{
    return connection->operations->output_waiting(connection);
}

/* How much memory that takes, shared bytes counted as if they were not. */
static inline size_t ks_connection_output_memory(const struct ks_connection *connection)
{
    return connection->operations->output_memory(connection);
}

/* Whether enough waits for this peer: more than KS_OUTPUT_HIGH_WATER, or than KS_OUTPUT_SHORT while the
 * output of all connections is more than it may be. Then a service takes no more requests until `drained`,
 * which comes. */
static inline bool ks_connection_output_is_full(struct ks_connection *connection)
{
    return connection->operations->output_is_full(connection);
}

/* How many bytes were given to ks_connection_write since the connection was opened. */
static inline uint64_t ks_connection_written(const struct ks_connection *connection)
{
    return connection->operations->written(connection);
}

/* How many of them the peer's TCP has acknowledged (TCP_INFO.tcpi_bytes_acked less its value at the start).
 */
static inline uint64_t ks_connection_delivered_up_to(struct ks_connection *connection)
{
    return connection->operations->delivered_up_to(connection);
}

/* After `input_ended`: how many of them had been acknowledged when the peer's end of input came, or fewer
 * where that is not known. Known only of what was written while a delivery was watched. */
static inline uint64_t ks_connection_delivered_before_end(struct ks_connection *connection)
{
    return connection->operations->delivered_before_end(connection);
}

/* Whether the peer has reset the connection, or is out of reach, though no event has told it yet; `closed`
 * comes then. */
static inline bool ks_connection_is_broken(struct ks_connection *connection)
{
    return connection->operations->is_broken(connection);
}

/* While wanted, a connection that we end (by finish, abort, eviction or an orderly stop) stays for up to a
 * second in which the peer's end of input is still told, and only then `closed`. */
static inline void ks_connection_want_end(struct ks_connection *connection, bool wanted)
{
    connection->operations->want_end(connection, wanted);
}

/* Asks for the event `delivered` once delivered_up_to >= position. One watch at a time; a new one replaces
 * it. */
static inline void ks_connection_watch_delivery(struct ks_connection *connection, uint64_t position)
{
    connection->operations->watch_delivery(connection, position);
}

/* Stops and starts input. Paused, nothing is read from the peer and `input_ended` waits. Resume never calls
 * `received` from inside. Both may be repeated. */
static inline void ks_connection_pause(struct ks_connection *connection)
{
    connection->operations->pause(connection);
}

static inline void ks_connection_resume(struct ks_connection *connection)
{
    connection->operations->resume(connection);
}

/* The event `deadline` comes after `after_ms` milliseconds (to about a tenth of a second); 0 means never. One
 * at a time; a new one replaces it; none after finish or abort. Cheap enough to be called for every message.
 */
static inline void ks_connection_set_deadline(struct ks_connection *connection, uint64_t after_ms)
{
    connection->operations->set_deadline(connection, after_ms);
}

/* The event `reminded` comes after `after_ms` milliseconds, to about a tenth of a second; 0 means never. One
 * at a time, independent of the deadline, and until `closed`. A connection with a reminder is looked after
 * even while nothing is read from it: a reset ends it. Without memory it is aborted. */
static inline void ks_connection_set_reminder(struct ks_connection *connection, uint64_t after_ms)
{
    connection->operations->set_reminder(connection, after_ms);
}

/* Tells whether nothing is in flight either way: among those of the lowest standing, the longest-idle makes
 * room when there are too many connections. A connection starts idle. */
static inline void ks_connection_set_idle(struct ks_connection *connection, bool idle)
{
    connection->operations->set_idle(connection, idle);
}

/* Tells who the peer is. A connection starts with KS_STANDING_SILENT, one of this machine's operators with
 * KS_STANDING_KNOWN, which it keeps. */
static inline void ks_connection_set_standing(struct ks_connection *connection, enum ks_standing standing)
{
    connection->operations->set_standing(connection, standing);
}

/* The event `turn` comes once, when the output is about to be sent: at the end of what the loop has at hand,
 * or, where the peer takes nothing, when it takes some again. For a carrier over this one, which gathers what
 * is written to it.
 */
static inline void ks_connection_want_turn(struct ks_connection *connection)
{
    connection->operations->want_turn(connection);
}

/* What signatures of this peer are bound to: the fingerprint of our certificate, and 32 bytes that nobody
 * else has. False where the carrier has no such thing. */
static inline bool ks_connection_channel(struct ks_connection *connection,
                                         uint8_t channel[static KS_CONNECTION_CHANNEL_SIZE])
{
    return connection->operations->channel != NULL && connection->operations->channel(connection, channel);
}

/* The output goes out, then our end of stream; nothing may be written any more. All else stays as it is. */
static inline void ks_connection_shut(struct ks_connection *connection)
{
    connection->operations->shut(connection);
}

/* Ends the connection politely: the output goes out, then our end of stream; input is read and dropped for a
 * few seconds, so that no reset destroys what is still on its way. `closed` comes later. */
static inline void ks_connection_finish(struct ks_connection *connection)
{
    connection->operations->finish(connection);
}

/* Ends the connection at once; output is lost. `closed` comes later, not inside the call. */
static inline void ks_connection_abort(struct ks_connection *connection)
{
    connection->operations->abort(connection);
}

/* "address:port", or "this machine" for a local socket, for log lines; `size` at least KS_PEER_TEXT_SIZE. */
static inline void ks_connection_describe_peer(const struct ks_connection *connection, char *text,
                                               size_t size)
{
    connection->operations->describe_peer(connection, text, size);
}

/* The peer's address as 16 bytes of IPv6, an IPv4 one mapped (RFC 4291, 2.5.5.2), a local one zeros: to
 * count by. */
static inline void ks_connection_peer_address(const struct ks_connection *connection,
                                              uint8_t address[static KS_PEER_ADDRESS_SIZE])
{
    connection->operations->peer_address(connection, address);
}

/* For the door of a machine that belongs to a connection (base/machine.h): makes *state `to`, and says so in
 * the log. False when it stays what it was. Inline, for it is called with every request. */
static inline bool ks_connection_step(const struct ks_connection *connection,
                                      const struct ks_machine *machine, uint8_t *state, unsigned to)
{
    const struct ks_log *log = connection->loop->log;
    unsigned from = *state;
    if (!ks_machine_step(machine, log, state, to))
        return false;
    if (ks_log_shows(log, KS_LOG_DEBUG)) {
        char peer[KS_PEER_TEXT_SIZE];
        ks_connection_describe_peer(connection, peer, sizeof peer);
        ks_machine_tell(machine, log, peer, from, to);
    }
    return true;
}

#endif
