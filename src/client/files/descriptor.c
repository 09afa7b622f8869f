/* descriptor.c — see descriptor.h. SIGPIPE is held back on this thread, and taken out if it came: what the
 * program does with that signal is none of a library's business. */
#include "client/files/descriptor.h"

#include "client/failure.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

/* 0 or an errno. */
static int write_all(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        struct pollfd waiting = {.fd = fd, .events = POLLOUT};
        ssize_t written = write(fd, bytes, size);
        if (written >= 0) {
            bytes += written;
            size -= (size_t)written;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            (void)poll(&waiting, 1, -1);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

static void take_signal(const sigset_t *signals)
{
    const struct timespec no_time = {0};
    while (sigtimedwait(signals, NULL, &no_time) < 0 && errno == EINTR)
        ;
}

enum kesher_status ks_descriptor_write(int fd, const uint8_t *bytes, size_t size, const char *shown,
                                       struct kesher_error *error)
{
    sigset_t pipe_signal;
    sigset_t before;
    sigset_t pending;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    sigemptyset(&pending);
    (void)sigpending(&pending);
    int failure = pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    if (failure != 0)
        return ks_failure_system(error, KESHER_FILE, failure, "cannot write '%s'", shown);
    failure = write_all(fd, bytes, size);
    if (failure == EPIPE && sigismember(&pending, SIGPIPE) == 0)
        take_signal(&pipe_signal);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure == 0)
        return KESHER_OK;
    return ks_failure_system(error, KESHER_FILE, failure, "cannot write '%s' to where it should go", shown);
}
