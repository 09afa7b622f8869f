/* courtesy.c — see courtesy.h. */
#include "base/courtesy.h"

#include "base/clock.h"

#include <sched.h>

enum {
    LONG_NS = 2 * 1000 * 1000,   /* threads of a server that is busy take a tenth of it, and then sleep */
    PAUSE_NS = 100 * 1000 * 1000 /* so with a hog beside us one part in thirty is lost, not nine in ten */
};

void ks_courtesy_offer(struct ks_courtesy *courtesy)
{
    const uint64_t before = ks_clock_stopwatch_ns();
    if (before < courtesy->not_before_ns)
        return;
    (void)sched_yield(); /* which cannot fail */
    const uint64_t after = ks_clock_stopwatch_ns();
    if (after - before >= LONG_NS)
        courtesy->not_before_ns = after + PAUSE_NS;
}
