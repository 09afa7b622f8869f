/* load_link.h — one TCP connection of a load generator, with TLS or without. Owned by whoever opened it; used
 * on its loop's thread.
 *
 * What is written within one turn of the loop goes out in one send(2) at the end of the turn; over TLS it is
 * encrypted then, so that it is one record where it fits one. Bytes that arrive are shown in a buffer that
 * all links of a loop share; only what a handler leaves over is copied.
 */
#ifndef KS_BENCH_LOAD_LOAD_LINK_H
#define KS_BENCH_LOAD_LOAD_LINK_H

#include "base/result.h"
#include "bench/load/reactor.h"
#include "bench/load/sealing.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct ks_load_link;

struct ks_load_link_events {
    /* The connection stands; with a context in its route, the TLS handshake is done, too. */
    void (*opened)(struct ks_load_link *link);
    /* Bytes have arrived: those that were left over last time, and new ones. Returns how many are taken; at
     * most KS_LOAD_LINK_KEPT_LIMIT may be left. May close the link, and returns anything then. */
    size_t (*received)(struct ks_load_link *link, const uint8_t *bytes, size_t size);
    /* All that was written or lent is with the kernel. NULL when that is of no interest. */
    void (*drained)(struct ks_load_link *link);
    /* The connection could not be made or is over; the link is closed already. `error` is an errno value, 0
     * when the peer ended it, EPROTO when TLS failed: ks_load_link_why. Not called after ks_load_link_close.
     */
    void (*ended)(struct ks_load_link *link, int error);
};

enum {
    KS_LOAD_LINK_READ_SIZE = 256 * 1024,  /* bytes of one recv(2) */
    KS_LOAD_LINK_KEPT_LIMIT = 512 * 1024, /* bytes that a handler may leave over */
};

/* Private but for `owner`, which is the opener's to set. Begins as zeros. */
struct ks_load_link {
    void *owner;
    const struct ks_load_link_events *events;
    struct ks_reactor *reactor;
    int fd; /* meaningful while `open` */
    bool open;
    bool connected; /* TCP */
    bool announced; /* `opened` was called, or is being called */
    bool finishing; /* the peer is to be told the end once all is sent */
    bool finished;
    bool wants_write; /* epoll watches for room */
    bool dirty;       /* in the loop's list of links to flush */
    struct ks_load_link *next_dirty;
    uint8_t *kept; /* bytes that arrived and were not taken */
    size_t kept_size;
    size_t kept_capacity;
    uint8_t *output; /* bytes that were written and are not with the kernel */
    size_t output_start;
    size_t output_size;
    size_t output_capacity;
    const uint8_t *lent; /* bytes that go out after them */
    size_t lent_size;
    struct ks_sealing *sealing; /* NULL without TLS */
    size_t record_limit;
    uint32_t number; /* of the connection: it differs from that of the link's earlier ones */
};

/* Where to connect to, and from where. */
struct ks_route {
    struct sockaddr_storage target;
    socklen_t target_size;
    struct sockaddr_storage source; /* used when source_size is not 0 */
    socklen_t source_size;
    struct ks_tls_context *tls; /* speaks TLS from the first byte; NULL: not */
    size_t record_limit;        /* bytes that a record of ours has at most; 0: as many as TLS takes */
};

/* Begins to connect; `opened` or `ended` follows, never from within this call. KS_OK; KS_IO (errno). The
 * context of the route must live as long as the connection. */
enum ks_result ks_load_link_open(struct ks_load_link *link, struct ks_reactor *reactor,
                                 const struct ks_route *route, const struct ks_load_link_events *events);

/* Speaks TLS from now on, on a connection that stands: what was written in this turn and what is written from
 * now on waits for the handshake. KS_OK; KS_NO_MEMORY, KS_CRYPTO, and then the link is of no use. */
enum ks_result ks_load_link_secure(struct ks_load_link *link, struct ks_tls_context *context);

/* Queues a copy of the bytes; nothing when the link is not open. KS_OK; KS_NO_MEMORY, and then the link is of
 * no use. */
enum ks_result ks_load_link_write(struct ks_load_link *link, const void *bytes, size_t size);

/* `size` bytes to be filled in by the caller at once, in the queue: saves a copy. NULL without memory. */
uint8_t *ks_load_link_reserve(struct ks_load_link *link, size_t size);

/* Sends `bytes` behind all that is queued, without a copy (but TLS makes its own): they stay the caller's and
 * must not change until `drained`. One loan at a time; nothing may be written until it is drained. */
void ks_load_link_lend(struct ks_load_link *link, const uint8_t *bytes, size_t size);

/* Bytes that are not with the kernel yet. */
size_t ks_load_link_waiting(const struct ks_load_link *link);

/* Sends all that is queued, then the end; nothing may be written any more. What comes is still shown, and
 * `ended` follows when the peer has ended it, too. */
void ks_load_link_finish(struct ks_load_link *link);

/* What TLS complained about when a link of this loop last ended with EPROTO: a sentence; "" for nothing.
 * Valid until the next such end. */
const char *ks_load_link_why(const struct ks_reactor *reactor);

/* Closes at once, what is queued is dropped; `ended` is not called. May be called twice, and from any
 * callback. */
void ks_load_link_close(struct ks_load_link *link);

/* The same with a reset instead of an end (SO_LINGER of 0): leaves no port in TIME_WAIT. */
void ks_load_link_reset(struct ks_load_link *link);

#endif
