/* fake_loop.c — see fake_loop.h. */
#include "support/fake_loop.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t fake_monotonic_ms(const struct ks_clock *clock)
{
    return KS_CONTAINER_OF(clock, struct fake_clock, clock)->monotonic_ms;
}

static int64_t fake_wall_seconds(const struct ks_clock *clock)
{
    return KS_CONTAINER_OF(clock, struct fake_clock, clock)->wall_seconds;
}

static void fake_post(struct ks_executor *executor, struct ks_task *task)
{
    struct fake_loop *loop = KS_CONTAINER_OF(executor, struct fake_loop, loop.executor);
    ks_mailbox_put(&loop->mailbox, task);
}

static void offload_done(struct ks_task *task)
{
    struct ks_offload *offload = KS_CONTAINER_OF(task, struct ks_offload, task);
    offload->done(offload);
}

static void offload_work(struct ks_task *task)
{
    struct ks_offload *offload = KS_CONTAINER_OF(task, struct ks_offload, task);
    offload->work(offload);
    task->run = offload_done;
    ks_executor_post(&offload->loop->executor, task);
}

static void fake_offload(struct ks_loop *loop, struct ks_offload *offload)
{
    offload->loop = loop;
    offload->task.run = offload_work;
    ks_executor_post(&loop->executor, &offload->task);
}

/* No time stands in the lines of the log, as in the journal. */
void fake_loop_init(struct fake_loop *loop, size_t buffer_limit)
{
    *loop = (struct fake_loop){.log = {.fd = -1, .level = KS_LOG_DEBUG, .journald = true}};
    ks_mailbox_init(&loop->mailbox);
    ks_budget_init(&loop->contents, buffer_limit);
    ks_budget_init(&loop->answers, buffer_limit);
    loop->time.clock.monotonic_ms = fake_monotonic_ms;
    loop->time.clock.wall_seconds = fake_wall_seconds;
    loop->time.wall_seconds = INT64_C(1700000000);
    loop->loop.executor.post = fake_post;
    loop->loop.clock = &loop->time.clock;
    loop->loop.contents = &loop->contents;
    loop->loop.answers = &loop->answers;
    loop->loop.log = &loop->log;
    loop->loop.offload = fake_offload;
}

void fake_loop_keep_log(struct fake_loop *loop)
{
    loop->log.fd = memfd_create("log", MFD_CLOEXEC);
}

const char *fake_loop_log(struct fake_loop *loop)
{
    struct stat status;
    free(loop->text);
    loop->text = NULL;
    if (fstat(loop->log.fd, &status) == 0)
        loop->text = calloc(1, (size_t)status.st_size + 1);
    if (loop->text == NULL || pread(loop->log.fd, loop->text, (size_t)status.st_size, 0) != status.st_size)
        abort();
    return loop->text;
}

static void close_log(struct fake_loop *loop)
{
    if (loop->log.fd < 0)
        return;
    if (strstr(fake_loop_log(loop), "a fault of kesherd's") != NULL) {
        fputs(loop->text, stderr);
        abort();
    }
    free(loop->text);
    close(loop->log.fd);
}

void fake_loop_destroy(struct fake_loop *loop)
{
    close_log(loop);
    ks_budget_destroy(&loop->contents);
    ks_budget_destroy(&loop->answers);
}

unsigned fake_loop_run(struct fake_loop *loop)
{
    unsigned count = 0;
    struct ks_task *task = ks_mailbox_take(&loop->mailbox);
    while (task != NULL) {
        struct ks_task *next = task->next;
        task->run(task);
        count++;
        task = next != NULL ? next : ks_mailbox_take(&loop->mailbox);
    }
    return count;
}
