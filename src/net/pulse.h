/* pulse.h — whether a set of executors still turns: each is given a task that says so. Private to src/net.
 *
 * What a watchdog of the process wants to know: a loop that hangs serves nobody, while the others look well.
 */
#ifndef KS_NET_PULSE_H
#define KS_NET_PULSE_H

#include "base/executor.h"

#include <stdatomic.h>
#include <stdbool.h>

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

#endif
