/* housekeeping.h — what the main thread looks after from time to time, while others serve: whether all loops
 * still turn, and whether memory can go back to the system. Private to src/net.
 */
#ifndef KS_NET_HOUSEKEEPING_H
#define KS_NET_HOUSEKEEPING_H

#include "base/executor.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- pulse: whether a set of executors still turns; each is given a task that says so ----
 *
 * What a watchdog of the process wants to know: a loop that hangs serves nobody, while the others look well.
 */

enum { KS_PULSE_LIMIT = 64 };

struct ks_pulse_beat {
    struct ks_task task;
    struct ks_executor *executor;
    _Atomic bool due; /* posted and not run yet */
};

/* Zeroed at first. Outlives the executors. */
struct ks_pulse {
    struct ks_pulse_beat beats[KS_PULSE_LIMIT];
    unsigned count;
};

/* Executors to look at: at most KS_PULSE_LIMIT, all before the first ks_pulse_feel. */
void ks_pulse_add(struct ks_pulse *pulse, struct ks_executor *executor);

/* True when every executor has run its task since the last call, or when there was none; then each is given
 * the next one. False when one is late; it keeps the task that it has. One thread. */
bool ks_pulse_feel(struct ks_pulse *pulse);

/* ---- ebb: when a crowd of connections has gone, and what they used can go back to the system ----
 *
 * malloc keeps what was freed for whoever asks next. Behind ten thousand connections that may be tens of MiB,
 * which nobody asks for until the next such crowd comes.
 */

enum {
    KS_EBB_CROWD = 1000,    /* connections; fewer leave nothing worth the effort */
    KS_EBB_LOOK_MS = 1000,  /* how often to look */
    KS_EBB_PAUSE_MS = 5000, /* between two times: giving back stops everybody who needs memory meanwhile */
};

/* Zeroed at first. */
struct ks_ebb {
    unsigned most;   /* connections since memory was given back last */
    unsigned before; /* connections at the last look */
    uint64_t next_ms;
};

/* Takes a look: `connections` are there now. True when memory should be given back now: KS_EBB_CROWD or more
 * were there, fewer than half of them are left, these no longer become fewer from one look to the next, and
 * the last time is KS_EBB_PAUSE_MS ago. `now_ms` of any clock that does not go backwards. One thread. */
bool ks_ebb_look(struct ks_ebb *ebb, unsigned connections, uint64_t now_ms);

#endif
