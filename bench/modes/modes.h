/* modes.h — the modes of kesher-bench. Each runs once, from beginning to end, fills run->findings, and
 * returns whether all that it verifies was right; else run->reason says what was not. Main thread.
 */
#ifndef KS_BENCH_MODES_MODES_H
#define KS_BENCH_MODES_MODES_H

#include "bench/load/run.h"

bool ks_mode_upload(struct ks_run *run);    /* files, encrypted, confirmed: checksums */
bool ks_mode_send(struct ks_run *run);      /* durable messages: ids, then each exactly once and in order */
bool ks_mode_pull(struct ks_run *run);      /* waiting messages: counts, order, content */
bool ks_mode_chat(struct ks_run *run);      /* a group: each line to each other member, in order */
bool ks_mode_ask(struct ks_run *run);       /* requests of ask: every answer */
bool ks_mode_idle(struct ks_run *run);      /* connections that do nothing: the server's memory */
bool ks_mode_handshake(struct ks_run *run); /* TLS connections that come and go */
bool ks_mode_users(struct ks_run *run);     /* registrations and the list: every name once */
bool ks_mode_echo(struct ks_run *run);      /* no load: echoes until it is interrupted */

#endif
