/* housekeeping.c — see housekeeping.h. */
#include "net/housekeeping.h"

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

bool ks_ebb_look(struct ks_ebb *ebb, unsigned connections, uint64_t now_ms)
{
    bool falling = connections < ebb->before;
    ebb->before = connections;
    if (connections > ebb->most)
        ebb->most = connections;
    if (ebb->most < KS_EBB_CROWD || connections * 2 >= ebb->most || falling || now_ms < ebb->next_ms)
        return false;
    ebb->most = connections;
    ebb->next_ms = now_ms + KS_EBB_PAUSE_MS;
    return true;
}
