/* fake_connection.h — a connection by hand, with its peer: feeds bytes to a service as a carrier would, and
 * keeps what it writes. It keeps the promises of net/connection.h (tests/unit/net/test_connection_fake.c),
 * but that `closed` comes when the test says so. */
#ifndef KS_TESTS_SUPPORT_FAKE_CONNECTION_H
#define KS_TESTS_SUPPORT_FAKE_CONNECTION_H

#include "base/buffer.h"
#include "support/fake_loop.h"

struct fake_connection {
    struct ks_connection connection;
    struct fake_loop *loop;
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    struct ks_buffer output; /* all that the service wrote */
    struct ks_buffer trace;  /* the same, with what went apart between < and > */
    struct ks_buffer kept;   /* input that was not consumed yet */
    uint64_t deadline_ms;    /* 0: not set */
    size_t window;           /* how much of the output the peer takes by itself; SIZE_MAX at first */
    size_t taken;            /* how much it has taken, and acknowledged */
    size_t overhead;         /* how much more memory the output takes than what waits, if anything does */
    uint64_t watched;        /* position of ks_connection_watch_delivery; 0: none */
    uint8_t channel[KS_CONNECTION_CHANNEL_SIZE]; /* what signatures are bound to, if it has_channel */
    bool has_channel;
    bool turn_wanted;
    bool above_low; /* `drained` is owed */
    bool open;
    bool paused;
    bool resumed; /* kept input is to be offered again */
    bool idle;
    enum ks_standing standing;
    uint64_t reminder_ms; /* 0: not set */
    size_t taken_at_end;  /* how much it had acknowledged when it ended its side */
    bool end_wanted;
    bool shut;   /* the service writes no more */
    bool broken; /* reset by the peer, and nobody has told the service yet */
    bool finished;
    bool aborted;
    bool ended; /* the peer sends no more */
    bool end_told;
};

/* Opens a connection to `service`. False when the service refuses it. */
bool fake_connection_open(struct fake_connection *connection, struct fake_loop *loop,
                          const struct ks_connection_events *events, void *service);

/* The peer sends bytes, `step` at a time (0: all at once); then everything runs until nothing is left to do.
 */
void fake_connection_send(struct fake_connection *connection, const void *bytes, size_t size, size_t step);

/* The same, but leaves completions where they are. */
void fake_connection_send_only(struct fake_connection *connection, const void *bytes, size_t size);

/* Runs completions and kept input until nothing is left to do. */
void fake_connection_run(struct fake_connection *connection);

/* The peer takes and acknowledges `size` bytes more of the output, beyond its window if need be. Set `window`
 * to what is there already to have a peer that takes nothing more. */
void fake_connection_take(struct fake_connection *connection, size_t size);

/* The peer ends its side; what it has not acknowledged before, it does after. Of a connection that the
 * service has ended it is told where it wants to be. */
void fake_connection_end(struct fake_connection *connection);

/* Lets `ms` pass; the deadline and the reminder are told if they pass. */
void fake_connection_wait(struct fake_connection *connection, uint64_t ms);

/* The connection is gone, and all that it held is freed. */
void fake_connection_close(struct fake_connection *connection);

#endif
