/* scheduling.c — see scheduling.h. */
#include "base/scheduling.h"

#include <sched.h>

enum ks_result ks_scheduling_let_others_finish(void)
{
    const struct sched_param no_priority = {0};
    int policy = sched_getscheduler(0);
    if (policy < 0)
        return KS_IO;
    if (policy != SCHED_OTHER)
        return KS_OK;
    return sched_setscheduler(0, SCHED_BATCH, &no_priority) == 0 ? KS_OK : KS_IO;
}
