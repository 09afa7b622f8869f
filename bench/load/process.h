/* process.h — what another process has used: its CPU time and its memory. Linux. Any thread. */
#ifndef KS_BENCH_LOAD_PROCESS_H
#define KS_BENCH_LOAD_PROCESS_H

#include "base/result.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct ks_process {
    uint64_t cpu_ns;         /* of all its threads, those that ended too */
    uint64_t resident_bytes; /* Rss of smaps_rollup: exact, where VmRSS of status lags behind */
    uint64_t private_bytes;  /* Private_Clean + Private_Dirty */
};

/* KS_OK; KS_NOT_FOUND when there is no such process; KS_REFUSED without permission; KS_IO (errno). */
enum ks_result ks_process_measure(pid_t pid, struct ks_process *process);

#endif
