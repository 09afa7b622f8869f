/* machine.h — state machines: the names of their states, and which of them may follow which. Each machine has
 * one function that changes its state, its *door*, which asks ks_machine_step. Pure but for the log; whoever
 * owns the machine calls.
 */
#ifndef KS_BASE_MACHINE_H
#define KS_BASE_MACHINE_H

#include "base/log.h"

/* Constant, one for all machines of a sort. At most 16 states. */
struct ks_machine {
    const char *name;
    const char *const *states; /* their names */
    const uint16_t *ways;      /* for each, those that may follow, or-ed: KS_WAY_TO */
};

#define KS_WAY_TO(state) ((uint16_t)(1U << (state)))

/* Says in the log, at debug, "who: name: from -> to". */
void ks_machine_tell(const struct ks_machine *machine, const struct ks_log *log, const char *who,
                     unsigned from, unsigned to);

/* Says in the log that the machine cannot go that way: a fault of ours. */
void ks_machine_blame(const struct ks_machine *machine, const struct ks_log *log, unsigned from, unsigned to);

/* Makes *state `to`. False when it was that already, or when there is no such way: then it stays what it was,
 * and the log says so. */
static inline bool ks_machine_step(const struct ks_machine *machine, const struct ks_log *log, uint8_t *state,
                                   unsigned to)
{
    if (*state == to)
        return false;
    if ((machine->ways[*state] & KS_WAY_TO(to)) == 0) {
        ks_machine_blame(machine, log, *state, to);
        return false;
    }
    *state = (uint8_t)to;
    return true;
}

#endif
