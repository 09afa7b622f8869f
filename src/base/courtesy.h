/* courtesy.h — how a thread that nobody waits for lets others go first.
 *
 * That it is nicer (thread.h) decides who gets how much, not when: once it has a core, the kernel lets it go
 * on for a while (some 1.5 to 3 ms), though somebody whose time has come has just woken up. A thread that
 * offers its core every few dozen microseconds keeps nobody waiting.
 *
 * But it offers it to everybody: a program that never sleeps takes it for a whole slice, however nice it is,
 * and that again and again. So after an offer that has cost as much as only such a one takes, or somebody
 * with so much to do that microseconds do not matter, nothing is offered for a while.
 */
#ifndef KS_BASE_COURTESY_H
#define KS_BASE_COURTESY_H

#include <stdint.h>

struct ks_courtesy {
    uint64_t not_before_ns; /* of the stopwatch (clock.h); 0 at first */
};

/* Offers the core of the calling thread to others, or not for now. */
void ks_courtesy_offer(struct ks_courtesy *courtesy);

#endif
