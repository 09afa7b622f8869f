/* reactor.h — the loop of a load generator: epoll, one thread, links and one tick. Everything that concerns a
 * loop and its links happens on the thread that runs it.
 *
 * libuv serves kesherd, where there are disks and signals as well; here nothing but sockets moves, and the
 * generator must cost less than what it measures.
 */
#ifndef KS_BENCH_LOAD_REACTOR_H
#define KS_BENCH_LOAD_REACTOR_H

#include "base/result.h"

#include <stdbool.h>
#include <stdint.h>

struct ks_reactor;

/* Called about every `tick_ms` of ks_reactor_new while the loop runs. */
typedef void ks_reactor_tick(void *context, uint64_t now_ns);

/* KS_OK with *reactor for ks_reactor_free; KS_NO_MEMORY; KS_IO (errno). A loop that stays `awake` looks for
 * events again and again instead of sleeping until one comes: who sends to it then spends no time on waking
 * it, which over the loopback interface is a part of sending. */
enum ks_result ks_reactor_new(uint32_t tick_ms, ks_reactor_tick *tick, void *context, bool awake,
                              struct ks_reactor **reactor);

/* Frees the loop. Its links must be closed. NULL is allowed. */
void ks_reactor_free(struct ks_reactor *reactor);

/* Runs until ks_reactor_stop, which may come from any callback or a signal handler. KS_OK; KS_IO (errno). */
enum ks_result ks_reactor_run(struct ks_reactor *reactor);
void ks_reactor_stop(struct ks_reactor *reactor);

#endif
