/* privacy.h — the memory of a process that holds keys. */
#ifndef KS_BASE_PRIVACY_H
#define KS_BASE_PRIVACY_H

#include "base/result.h"

/* Other processes of the same user can no longer read the memory of this one, by ptrace(2) or in /proc, and
 * it leaves no core (PR_SET_DUMPABLE of prctl(2)); root can, so debuggers and profilers need root. The
 * process's own files in /proc still open for itself.
 *
 * Call it first of all in main: what was started before can be looked into until then. KS_OK; KS_IO with
 * errno when the system refuses (a sandbox may): everything else works as before. */
enum ks_result ks_privacy_hide_memory(void);

#endif
