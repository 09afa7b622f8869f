/* senders.h — connections that send messages, each with some of them on their way, and count what is
 * acknowledged: the load of mode `send`, and what prepares mode `pull`. Main thread.
 */
#ifndef KS_BENCH_TRAFFIC_SENDERS_H
#define KS_BENCH_TRAFFIC_SENDERS_H

#include "bench/load/run.h"
#include "bench/traffic/lanes.h"
#include "bench/traffic/load_users.h"
#include "bench/traffic/replies.h"

struct ks_send_dialect;
struct ks_senders_connection; /* one connection: senders.c */

struct ks_senders_plan {
    const struct ks_send_dialect *dialect;
    uint32_t senders;
    uint32_t receivers;
    uint32_t depth;    /* messages on their way per sender */
    uint32_t size;     /* bytes of each */
    uint64_t messages; /* in all; 0: until the measurement ends */
    bool measured;     /* else it is preparation, and `messages` is not 0 */
};

struct ks_senders {
    struct ks_run *run;
    struct ks_senders_plan plan;
    struct ks_lanes lanes;
    struct ks_lane *counts; /* lanes.count of them: what was acknowledged */

    /* Of a dialect that needs them: the senders are users 0..senders-1, the receivers come behind them. */
    struct ks_load_users *users;
    uint32_t tag; /* of a dialect without users: for names that no other run has */

    /* Private. */
    struct ks_fleet *fleet;
    struct ks_senders_connection *connections;
    uint64_t *begun_ns; /* when each message on its way was written: senders * depth */
    uint32_t ready;     /* senders that may send */
    bool stopping;
    uint64_t sent;
    uint64_t acknowledged;
};

/* Sends what the plan says, or until the measurement is over, and waits for what is on its way. False when
 * the run has failed. `senders` is for ks_senders_end, whatever is returned. */
bool ks_senders_run(struct ks_senders *senders, struct ks_run *run, const struct ks_senders_plan *plan);

/* Closes the connections, if they are not yet; what was acknowledged stays known. */
void ks_senders_close(struct ks_senders *senders);
void ks_senders_end(struct ks_senders *senders);

#endif
