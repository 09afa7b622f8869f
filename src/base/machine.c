/* machine.c — see machine.h. */
#include "base/machine.h"

#include "base/limits/log_repeats.h"

void ks_machine_tell(const struct ks_machine *machine, const struct ks_log *log, const char *who,
                     unsigned from, unsigned to)
{
    ks_log_debug(log, "%s: %s: %s -> %s", who, machine->name, machine->states[from], machine->states[to]);
}

void ks_machine_blame(const struct ks_machine *machine, const struct ks_log *log, unsigned from, unsigned to)
{
    ks_log_trouble(log, KS_LOG_WARNING, "a fault of kesherd's: %s: there is no way %s -> %s", machine->name,
                   machine->states[from], machine->states[to]);
}
