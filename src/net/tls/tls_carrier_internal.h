/* tls_carrier_internal.h — a connection over TLS from within: one object in five files. Its loop's thread
 * alone, but for what runs on the pool. Private to these.
 *
 * They stand on each other in this order, without a circle: tls_state.c, tls_output.c, tls_input.c,
 * tls_shaking.c, tls_carrier.c.
 */
#ifndef KS_NET_TLS_TLS_CARRIER_INTERNAL_H
#define KS_NET_TLS_TLS_CARRIER_INTERNAL_H

#include "base/buffer.h"
#include "net/loop/output_queue.h"
#include "net/loop/peer_address.h"
#include "net/tls/tls_carrier.h"
#include "net/tls/tls_port_internal.h"

enum ks_tls_state {
    TLS_GREETING,  /* a PROXY header where one is due, and a ClientHello, are coming */
    TLS_WORKING,   /* a step of the handshake is on the pool */
    TLS_SHAKING,   /* the handshake waits for the peer */
    TLS_OPEN,      /* a service has the connection */
    TLS_FINISHING, /* the service has ended it: its output still goes out */
    TLS_OVER,      /* the connection below ends */
    TLS_STATES,
};

enum { KS_TLS_MARKS = 2 };

/* A part of the output: up to this of what was written, up to that below. */
struct ks_tls_mark {
    uint64_t written;
    uint64_t below;
};

/* From the first byte to the end of the handshake. */
struct ks_tls_shaking {
    struct ks_offload offload;
    struct ks_tls_carrier *carrier;
    struct ks_buffer greeting; /* what has come before a whole ClientHello */
    struct ks_buffer input;    /* of the step that is on the pool */
    struct ks_buffer output;   /* likewise */
    enum ks_result result;     /* likewise */
    size_t received;           /* bytes since the first hello */
};

/* A delivery that is watched, or was. Few connections have one. */
struct ks_tls_watch {
    uint64_t position;     /* 0: none */
    uint64_t acked_paused; /* when input was paused, if was_paused */
    uint64_t acked_ended;  /* when the peer's end was read, or was paused before */
};

/* Plaintext that a service did not consume. */
struct ks_tls_kept {
    size_t size;
    size_t offset;
    uint8_t bytes[];
};

struct ks_tls_carrier {
    struct ks_connection connection; /* what services see */
    struct ks_connection *below;     /* NULL when it is gone */
    struct ks_tls_port *port;
    struct ks_tls *tls; /* NULL before a whole ClientHello */
    struct ks_buffer greeting;
    struct ks_tls_shaking *shaking;  /* NULL when there is none */
    struct ks_peer_address *proxied; /* from the PROXY header; NULL without one */
    struct ks_tls_kept *kept;
    struct ks_output_queue output; /* plaintext */
    uint64_t written;
    uint64_t encrypted;         /* of that */
    uint64_t delivered;         /* as far as we have looked */
    struct ks_tls_watch *watch; /* NULL for none */
    struct ks_tls_mark marks[KS_TLS_MARKS];
    uint32_t counted_memory;
    uint8_t mark_count;
    uint8_t state; /* enum ks_tls_state; ks_tls_become changes it */
    bool has_service : 1;
    bool is_on_pool : 1;   /* nobody else may touch what the pool works on, or free it */
    bool is_stranger : 1;  /* counted as one */
    bool is_handshake : 1; /* likewise */
    bool awaits_proxy : 1;
    bool has_crowd : 1; /* counted by the address in the PROXY header */
    bool paused : 1;
    bool was_paused : 1; /* and not all that came meanwhile was read since */
    bool inside : 1;     /* an event of the service's runs, or it has asked for a flush: no input now */
    bool input_waits : 1;
    bool above_low : 1; /* output passed the low-water mark, `drained` is owed */
    bool told_full : 1;
    bool end_seen : 1; /* close_notify was read */
    bool end_told : 1;
    bool end_wanted : 1;
    bool turn_wanted : 1;
    bool shutting : 1;
    bool shut : 1;
    bool idle_later : 1; /* idle as soon as the output is encrypted */
};

static inline struct ks_tls_carrier *ks_tls_carrier_of(const struct ks_connection *connection)
{
    return KS_CONTAINER_OF(connection, struct ks_tls_carrier, connection);
}

/* ---- tls_state.c ---- */

/* The only way to another state. */
void ks_tls_become(struct ks_tls_carrier *carrier, enum ks_tls_state state);

/* A line of the log about the peer, one of many that are alike; `sentence` is constant. */
void ks_tls_log(const struct ks_tls_carrier *carrier, const char *sentence);

/* The connection below ends: at once, or when what was written to it is out. */
void ks_tls_give_up(struct ks_tls_carrier *carrier);
void ks_tls_bow_out(struct ks_tls_carrier *carrier);

/* Counts the memory of what waits in the sum of all. */
void ks_tls_count_memory(struct ks_tls_carrier *carrier);

/* Plaintext that was kept is wiped and dropped. */
void ks_tls_drop_kept(struct ks_tls_carrier *carrier);

/* What was there for the handshake is freed; nothing of it is on the pool, as below. */
void ks_tls_forget_shaking(struct ks_tls_carrier *carrier);

/* Frees all. */
void ks_tls_carrier_free(struct ks_tls_carrier *carrier);

/* It has signed in, or is gone. Once, or more often. */
void ks_tls_count_out_stranger(struct ks_tls_carrier *carrier);
void ks_tls_count_out_handshake(struct ks_tls_carrier *carrier);

/* The peer's address: of the PROXY header, where there is one. */
void ks_tls_peer_address(const struct ks_connection *connection,
                         uint8_t address[static KS_PEER_ADDRESS_SIZE]);
void ks_tls_describe_peer(const struct ks_connection *connection, char *text, size_t size);

/* ---- tls_output.c ---- */

/* Where TLS sends its bytes: a ks_tls_send. */
void ks_tls_send_below(void *owner, const uint8_t *bytes, size_t size);

/* Encrypts what waits, as far as the connection below may take it, and what follows from its being out. */
void ks_tls_push_output(struct ks_tls_carrier *carrier);

/* What was acknowledged of what was written. */
uint64_t ks_tls_look_at_delivery(struct ks_tls_carrier *carrier);

/* The connection below tells that something was delivered. */
void ks_tls_tell_delivered(struct ks_tls_carrier *carrier);

/* Operations of connection.h. */
bool ks_tls_write_copy(struct ks_connection *connection, const void *bytes, size_t size);
bool ks_tls_write_apart(struct ks_connection *connection, const void *bytes, size_t size);
bool ks_tls_write_shared(struct ks_connection *connection, struct ks_shared *shared, size_t offset,
                         size_t size, bool apart);
void ks_tls_flush(struct ks_connection *connection);
size_t ks_tls_output_waiting(const struct ks_connection *connection);
size_t ks_tls_output_memory(const struct ks_connection *connection);
bool ks_tls_output_is_full(struct ks_connection *connection);
uint64_t ks_tls_written(const struct ks_connection *connection);
uint64_t ks_tls_delivered_up_to(struct ks_connection *connection);
void ks_tls_watch_delivery(struct ks_connection *connection, uint64_t position);

/* ---- tls_input.c ---- */

/* Ciphertext has come: returns how much of it was taken. */
size_t ks_tls_take_input(struct ks_tls_carrier *carrier, const uint8_t *bytes, size_t size);

/* Goes on with what waits within, in a turn of the loop. */
void ks_tls_go_on_with_input(struct ks_tls_carrier *carrier);

/* Operations of connection.h. */
void ks_tls_pause(struct ks_connection *connection);
void ks_tls_resume(struct ks_connection *connection);

/* ---- tls_shaking.c ---- */

/* Bytes have come before the connection was open: returns how many were taken. */
size_t ks_tls_take_greeting(struct ks_tls_carrier *carrier, const uint8_t *bytes, size_t size);

/* The same; *is_done says that the handshake is, and what was not taken is input. */
size_t ks_tls_take_handshake(struct ks_tls_carrier *carrier, const uint8_t *bytes, size_t size,
                             bool *is_done);

#endif
