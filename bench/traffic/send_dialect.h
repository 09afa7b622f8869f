/* send_dialect.h — what differs between the protocols that mode `send` loads: how a message is framed, what
 * acknowledges it, and how it is found again. The loop, the counting and the clock are the same for all
 * (senders.h). Main thread.
 */
#ifndef KS_BENCH_TRAFFIC_SEND_DIALECT_H
#define KS_BENCH_TRAFFIC_SEND_DIALECT_H

#include "bench/traffic/senders.h"

enum { KS_SEND_HEAD_LIMIT = 256 };

/* A message that is on its way. */
struct ks_sent {
    uint32_t sender;
    uint32_t lane;
    uint64_t number;  /* in the lane */
    uint64_t ordinal; /* of all of the sender's messages */
};

struct ks_send_dialect {
    const char *protocol; /* what --protocol calls it */
    const char *verified; /* for the report: what `verify` looks at */

    /* Before the connections: whatever must be there. May run the loop. NULL when nothing must; false when
     * the run has failed. */
    bool (*prepare)(struct ks_senders *senders);

    /* Writes what a connection begins with; its answer goes to `welcome`. NULL when it begins with messages.
     */
    size_t (*greet)(const struct ks_senders *senders, uint32_t sender, uint8_t bytes[KS_SEND_HEAD_LIMIT]);
    /* Takes the answer to it: KS_OK with *taken; KS_MORE; else the run has failed. */
    enum ks_result (*welcome)(struct ks_senders *senders, const uint8_t *bytes, size_t size, size_t *taken);

    /* Writes what stands before a message's content, returns its size. */
    size_t (*head)(const struct ks_senders *senders, const struct ks_sent *sent,
                   uint8_t bytes[KS_SEND_HEAD_LIMIT]);
    const char *tail; /* what stands after it */

    /* Takes what acknowledges a message, the oldest of its sender: KS_OK with *taken, and in *id what the
     * server calls it, or 0; KS_MORE; else the run has failed. */
    enum ks_result (*answer)(struct ks_senders *senders, const struct ks_sent *sent, const uint8_t *bytes,
                             size_t size, size_t *taken, uint32_t *id);

    /* After all: whether each acknowledged message is there, once, in order, with its content, and nothing
     * else. Runs the loop. NULL when it cannot be found out. */
    bool (*verify)(struct ks_senders *senders);
};

#endif
