/* fault.h — what the places ask that faults.py breaks in kesherd-faulty. */
#ifndef KS_TORTURE_CONTROLS_FAULT_H
#define KS_TORTURE_CONTROLS_FAULT_H

#include <stdbool.h>

/* Whether it is this fault that $KESHER_FAULT chooses. That it has happened is noted: by the file that
 * $KESHER_FAULT_HAPPENED names, which is made then. Any thread. */
bool fault(const char *name);

#endif
