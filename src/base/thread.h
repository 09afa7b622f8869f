/* thread.h — a thread that is an executor: it takes all that was posted, runs it, then says "batch over".
 *
 * The store's writer, readers and vault threads are all of this kind. The batch hook is what makes group
 * commit possible: everything that was posted while one batch ran is in the next one.
 */
#ifndef KS_BASE_THREAD_H
#define KS_BASE_THREAD_H

#include "base/executor.h"
#include "base/result.h"

#include <stdbool.h>
#include <stdint.h>

struct ks_thread;

struct ks_thread_hooks {
    void *context;
    /* After the last task of a batch; may be NULL. Runs on the thread. */
    void (*batch_done)(void *context);
    /* About every `tick_ms` milliseconds, between batches; NULL or 0 for never. Runs on the thread. */
    void (*tick)(void *context);
    uint64_t tick_ms;
    /* When nothing was posted; may be NULL. May do some work, not for long, since what is posted meanwhile
     * waits. Returns after how many milliseconds to be called again if still nothing is posted. Runs on the
     * thread. */
    uint64_t (*idle)(void *context);
    /* How much the others go before it where cores are scarce, as with nice(1). */
    int nice;
    /* It gets a core, and the disk, only when nobody else wants them (SCHED_IDLE), where the system lets us
     * say so. Such a thread may stand still for long, with whatever it holds: so it holds nothing that others
     * wait for. */
    bool is_last;
};

#define KS_THREAD_UNTIL_POSTED UINT64_MAX

/* Starts a thread called `name` (at most 15 characters, shown by ps -T). `hooks` is copied.
 * KS_OK with *thread to be given to ks_thread_stop; KS_NO_MEMORY; KS_IO when no thread is to be had. */
enum ks_result ks_thread_start(struct ks_thread **thread, const char *name,
                               const struct ks_thread_hooks *hooks);

/* Where to post. Owned by the thread; valid until ks_thread_stop. */
struct ks_executor *ks_thread_executor(struct ks_thread *thread);

/* How many tasks were posted and have not run yet. Any thread, between start and stop. */
uint64_t ks_thread_waiting(const struct ks_thread *thread);

/* Returns when all that was posted before has run; its batch may not be over. Not from the thread itself. */
void ks_thread_reach(struct ks_thread *thread);

/* Runs all that was posted before the call (and whatever that posts to this thread), ends the thread and
 * frees it. NULL is allowed. Not from the thread itself; nobody may post any more. */
void ks_thread_stop(struct ks_thread *thread);

#endif
