/* worker_core.c — see worker_core.h. */
#include "net/loop/worker_core.h"

enum { STANDSTILL_MS = 2 * KS_DEADLINE_TICK_MS }; /* between two ticks */

void ks_worker_core_need_ticks(struct ks_worker_core *core)
{
    if (core->ticking)
        return;
    /* An empty wheel may have slept; nothing hangs there that a jump could miss, save what was just set. */
    core->ticking = true;
    core->ticked_ms = uv_now(&core->uv);
    uv_timer_start(&core->ticks, core->on_tick, KS_DEADLINE_TICK_MS, KS_DEADLINE_TICK_MS);
}

void ks_worker_core_stop_ticks(struct ks_worker_core *core)
{
    uv_timer_stop(&core->ticks);
    core->ticking = false;
}

bool ks_worker_core_stood_still(struct ks_worker_core *core)
{
    uint64_t now_ms = uv_now(&core->uv);
    core->stood_still = !core->stood_still && now_ms - core->ticked_ms > STANDSTILL_MS;
    core->ticked_ms = now_ms;
    return core->stood_still;
}

void ks_worker_core_count_out(struct ks_worker_core *core, const struct ks_peer_address *peer,
                              struct ks_connection_counts *counts)
{
    if (!peer->is_local)
        ks_crowd_leave(&core->shared->crowd, peer->bytes);
    atomic_fetch_sub(&core->connection_count, 1);
    atomic_fetch_sub(&core->shared->connection_count, 1);
    atomic_fetch_add_explicit(&counts->closed, 1, memory_order_relaxed);
}
