/* provision.c — see provision.h. A table is as large as the highest descriptor that was ever watched needs,
 * so one of that number is. */
#include "net/provision.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { POOL_THREADS = 4 }; /* libuv's default */

static void nothing_happens(uv_poll_t *poll, int status, int events)
{
    (void)poll;
    (void)status;
    (void)events;
}

/* Whether there is memory at all for what libuv would abort without. */
static bool is_affordable(unsigned descriptors)
{
    void *table = malloc(2 * (size_t)descriptors * sizeof(void *)); /* it takes a power of two */
    bool affordable = table != NULL;
    free(table);
    return affordable;
}

static bool watch_once(uv_loop_t *loop, int fd)
{
    uv_poll_t poll;
    if (uv_poll_init(loop, &poll, fd) != 0)
        return false;
    bool watched = uv_poll_start(&poll, UV_READABLE, nothing_happens) == 0;
    uv_close((uv_handle_t *)&poll, NULL);
    uv_run(loop, UV_RUN_NOWAIT); /* which is when it is closed */
    return watched;
}

enum ks_result ks_provision_watchers(uv_loop_t *loop, unsigned descriptors)
{
    if (descriptors == 0)
        return KS_OK;
    if (!is_affordable(descriptors))
        return KS_NO_MEMORY;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int highest = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, (int)descriptors - 1) : -1;
    /* Who has started us may have left the last one open: then nothing is the matter, or it shows later. */
    bool done = highest >= 0 ? watch_once(loop, highest) : fd >= 0 && errno == EMFILE;
    if (highest >= 0)
        close(highest);
    if (fd >= 0)
        close(fd);
    return done ? KS_OK : KS_IO;
}

static void *live_while_locked(void *lock)
{
    pthread_mutex_lock(lock);
    pthread_mutex_unlock(lock);
    return NULL;
}

/* Whether there can be as many threads as the pool is about to start, at a time: libuv would abort. What
 * theirs had, stacks and all, the C library keeps for the next ones. */
static bool are_threads_affordable(void)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t threads[POOL_THREADS];
    unsigned count = 0;
    pthread_mutex_lock(&lock);
    while (count < POOL_THREADS && pthread_create(&threads[count], NULL, live_while_locked, &lock) == 0)
        count++;
    pthread_mutex_unlock(&lock);
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    return count == POOL_THREADS;
}

static void do_nothing(uv_work_t *work)
{
    (void)work;
}

static void nothing_done(uv_work_t *work, int status)
{
    (void)work;
    (void)status;
}

enum ks_result ks_provision_pool(uv_loop_t *loop, uv_work_t *work)
{
    if (!are_threads_affordable())
        return KS_NO_MEMORY;
    return uv_queue_work(loop, work, do_nothing, nothing_done) == 0 ? KS_OK : KS_IO;
}
