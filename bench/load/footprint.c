/* footprint.c — see footprint.h. */
#include "bench/load/footprint.h"

#include <inttypes.h>
#include <math.h>
#include <time.h>

enum {
    SAMPLE_MS = 100,
    SAMPLES_LIMIT = 100,
    CALM_SAMPLES = 3,             /* in a row */
    CALM_CPU_NS = 5 * 1000000,    /* between two samples: a twentieth of a core */
    CALM_GROWTH_LEAST = 64 << 10, /* bytes between two samples, */
    CALM_GROWTH_SHARE = 1000,     /* or a thousandth */
};

bool ks_footprint_measure(struct ks_run *run, struct ks_process *process)
{
    *process = (struct ks_process){0};
    if (run->settings->pid == 0)
        return true;
    enum ks_result result = ks_process_measure((pid_t)run->settings->pid, process);
    if (result == KS_OK)
        return true;
    ks_run_fail(run, "cannot measure process %" PRIu64 ": %s", run->settings->pid, ks_result_text(result));
    return false;
}

double ks_footprint_growth(uint64_t before, uint64_t after, uint64_t count)
{
    return ((double)after - (double)before) / (double)count;
}

static bool is_calm(const struct ks_process *earlier, const struct ks_process *now)
{
    double allowed = fmax(CALM_GROWTH_LEAST, (double)earlier->resident_bytes / CALM_GROWTH_SHARE);
    double growth = (double)now->resident_bytes - (double)earlier->resident_bytes;
    return fabs(growth) <= allowed && now->cpu_ns - earlier->cpu_ns <= CALM_CPU_NS;
}

bool ks_footprint_settle(struct ks_run *run, struct ks_process *process)
{
    const struct timespec pause = {.tv_nsec = SAMPLE_MS * 1000000L};
    unsigned calm = 0;
    if (!ks_footprint_measure(run, process))
        return false;
    for (unsigned i = 0; run->settings->pid != 0 && i < SAMPLES_LIMIT && calm < CALM_SAMPLES; i++) {
        struct ks_process earlier = *process;
        (void)nanosleep(&pause, NULL);
        if (!ks_footprint_measure(run, process))
            return false;
        calm = is_calm(&earlier, process) ? calm + 1 : 0;
    }
    return true;
}
