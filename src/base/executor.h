/* executor.h — a place where tasks run: a worker loop, a thread of the store, or a test's hand.
 *
 * The only way in which one thread of kesher speaks to another. A task is posted exactly once, runs exactly
 * once on the executor's own thread, in the order of posting per posting thread, and may be posted again
 * when it has run. Whoever posts gives the task's memory away until `run` is called.
 */
#ifndef KS_BASE_EXECUTOR_H
#define KS_BASE_EXECUTOR_H

#include <stddef.h>

struct ks_task {
    struct ks_task *next; /* the executor's while posted */
    void (*run)(struct ks_task *task);
};

struct ks_executor {
    /* Any thread. Never blocks, never fails: the task brings its own memory. */
    void (*post)(struct ks_executor *executor, struct ks_task *task);
};

static inline void ks_executor_post(struct ks_executor *executor, struct ks_task *task)
{
    executor->post(executor, task);
}

/* The structure that has `member` at `pointer`. */
#define KS_CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
