/* footprint.h — the memory of the server, before and after something: measured once it is calm. Main thread;
 * does nothing without --pid.
 */
#ifndef KS_BENCH_LOAD_FOOTPRINT_H
#define KS_BENCH_LOAD_FOOTPRINT_H

#include "bench/load/run.h"

/* Measures the process of --pid now. False when that failed, and with it the run. */
bool ks_footprint_measure(struct ks_run *run, struct ks_process *process);

/* Waits until it neither works nor grows, for some seconds at most, and measures it. The loop of the run does
 * not run meanwhile. False as above. */
bool ks_footprint_settle(struct ks_run *run, struct ks_process *process);

/* How much `after` is above `before`, for each of `count`; below 0 when it is less. */
double ks_footprint_growth(uint64_t before, uint64_t after, uint64_t count);

#endif
