/* scheduling.h — how the kernel shares the cores among a server's threads and others. */
#ifndef KS_BASE_SCHEDULING_H
#define KS_BASE_SCHEDULING_H

#include "base/result.h"

/* The calling thread, and those that it starts from now on, let whoever runs go on when they wake up, instead
 * of taking his core from him (SCHED_BATCH of sched(7)): so more has come in when it is their turn, and more
 * is done with one wait, one commit, one send. A core that is free they take at once, and their share of a
 * busy one is what it was. Where another policy than the ordinary one was chosen for the process (chrt(1),
 * CPUSchedulingPolicy= of systemd.exec(5)) it stays.
 *
 * Call it before threads are started. KS_OK; KS_IO with errno when the system refuses: everything works as
 * before. */
enum ks_result ks_scheduling_let_others_finish(void);

#endif
