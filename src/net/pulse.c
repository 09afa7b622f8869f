/* pulse.c — see pulse.h. */
#include "net/pulse.h"

#include <stddef.h>

static void beat_run(struct ks_task *task)
{
    struct ks_pulse_beat *beat = KS_CONTAINER_OF(task, struct ks_pulse_beat, task);
    atomic_store(&beat->due, false);
}

void ks_pulse_add(struct ks_pulse *pulse, struct ks_executor *executor)
{
    struct ks_pulse_beat *beat = &pulse->beats[pulse->count++];
    beat->executor = executor;
    beat->task.run = beat_run;
    atomic_init(&beat->due, false);
}

bool ks_pulse_feel(struct ks_pulse *pulse)
{
    for (unsigned i = 0; i < pulse->count; i++)
        if (atomic_load(&pulse->beats[i].due))
            return false;
    for (unsigned i = 0; i < pulse->count; i++) {
        atomic_store(&pulse->beats[i].due, true);
        ks_executor_post(pulse->beats[i].executor, &pulse->beats[i].task);
    }
    return true;
}
