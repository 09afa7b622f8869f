/* ebb.c — see ebb.h. */
#include "net/ebb.h"

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
