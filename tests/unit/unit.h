/* unit.h — what every unit test begins with: cmocka with the headers that it wants before it, copies whose
 * ends are guarded, and an executor that runs tasks when the test says so.
 */
#ifndef KS_TESTS_UNIT_UNIT_H
#define KS_TESTS_UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* After those four. */
#include <cmocka.h>

#include "base/executor.h"
#include "base/mailbox.h"

#include <stdlib.h>
#include <string.h>

#define KS_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A copy of exactly `size` bytes, to be freed, so that a read past its end is seen. NULL for no bytes. */
static inline uint8_t *unit_exact_copy(const void *bytes, size_t size)
{
    if (size == 0)
        return NULL;
    uint8_t *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    return copy;
}

/* An executor by hand: tasks wait until unit_executor_run. */
struct unit_executor {
    struct ks_executor executor;
    struct ks_mailbox mailbox;
};

static inline void unit_executor_post(struct ks_executor *executor, struct ks_task *task)
{
    ks_mailbox_put(&KS_CONTAINER_OF(executor, struct unit_executor, executor)->mailbox, task);
}

static inline void unit_executor_init(struct unit_executor *executor)
{
    executor->executor.post = unit_executor_post;
    ks_mailbox_init(&executor->mailbox);
}

/* Runs everything that is posted, and what that posts; how many tasks that were. */
static inline unsigned unit_executor_run(struct unit_executor *executor)
{
    unsigned count = 0;
    struct ks_task *task = NULL;
    while ((task = ks_mailbox_take(&executor->mailbox)) != NULL) {
        while (task != NULL) {
            struct ks_task *next = task->next;
            task->run(task);
            task = next;
            count++;
        }
    }
    return count;
}

#endif
