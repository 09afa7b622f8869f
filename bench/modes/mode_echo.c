/* mode_echo.c — a server that sends back what it reads and does nothing else: what one thread of this machine
 * can do at most, for `ask --protocol echo` to compare other servers with.
 *
 * Each thread has its own epoll; the first one accepts, and deals the connections out in turn. Nothing is
 * kept for a connection: one whose peer sends on and on without reading what comes back is ended.
 */
#include "bench/load/resolve.h"
#include "bench/modes/modes.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    BACKLOG = 4096,
    READ_SIZE = 64 * 1024,
    EVENTS_OF_A_TURN = 512,
};

struct echo;

struct echo_thread {
    struct echo *echo;
    pthread_t thread;
    bool runs;
    int epoll;
    uint64_t reads; /* written by the thread, read when it has ended */
    uint64_t bytes;
    uint8_t buffer[READ_SIZE];
};

struct echo {
    struct ks_run *run;
    int listener;
    int stop; /* an eventfd that all threads watch: readable when they shall end */
    uint32_t count;
    struct echo_thread *threads;
    uint64_t connections; /* accepted; the first thread's */
    int error;            /* of accept(2), which ended it all; the first thread's */
};

/* ---- threads ---- */

static bool watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* The main thread waits for this signal in sigwait(3). */
static void give_up(struct echo *echo, int error)
{
    echo->error = error;
    (void)kill(getpid(), SIGTERM);
}

static void accept_one(struct echo *echo)
{
    const int on = 1;
    int fd = accept4(echo->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED && echo->error == 0)
            give_up(echo, errno);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!watch(echo->threads[echo->connections % echo->count].epoll, fd)) {
        (void)close(fd);
        return;
    }
    echo->connections++;
}

static void echo_bytes(struct echo_thread *thread, int fd)
{
    ssize_t size = recv(fd, thread->buffer, sizeof thread->buffer, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0 || send(fd, thread->buffer, (size_t)size, MSG_NOSIGNAL) != size) {
        (void)close(fd);
        return;
    }
    thread->reads++;
    thread->bytes += (uint64_t)size;
}

static void *run_thread(void *argument)
{
    struct echo_thread *thread = argument;
    const struct echo *echo = thread->echo;
    struct epoll_event events[EVENTS_OF_A_TURN];
    for (;;) {
        int count = epoll_wait(thread->epoll, events, EVENTS_OF_A_TURN, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == echo->stop)
                return NULL;
            if (events[i].data.fd == echo->listener)
                accept_one(thread->echo);
            else
                echo_bytes(thread, events[i].data.fd);
        }
    }
}

static bool start_threads(struct echo *echo)
{
    for (uint32_t i = 0; i < echo->count; i++) {
        struct echo_thread *thread = &echo->threads[i];
        thread->epoll = epoll_create1(EPOLL_CLOEXEC);
        if (thread->epoll < 0 || !watch(thread->epoll, echo->stop))
            return false;
    }
    if (!watch(echo->threads[0].epoll, echo->listener))
        return false;
    for (uint32_t i = 0; i < echo->count; i++) {
        struct echo_thread *thread = &echo->threads[i];
        errno = pthread_create(&thread->thread, NULL, run_thread, thread);
        if (errno != 0)
            return false;
        thread->runs = true;
    }
    return true;
}

/* Connections that are still open end with the program. */
static void stop_threads(struct echo *echo)
{
    const uint64_t one = 1;
    if (write(echo->stop, &one, sizeof one) != sizeof one)
        abort(); /* an eventfd at 0 takes it */
    for (uint32_t i = 0; i < echo->count; i++) {
        if (echo->threads[i].runs)
            (void)pthread_join(echo->threads[i].thread, NULL);
        if (echo->threads[i].epoll >= 0)
            (void)close(echo->threads[i].epoll);
    }
}

/* ---- the beginning ---- */

/* Tells where it listens: with port 0 that is not what was asked for. */
static bool announce(int listener)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    char port[8];
    if (getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        return false;
    if (getnameinfo((const struct sockaddr *)&address, size, NULL, 0, port, sizeof port, NI_NUMERICSERV) != 0)
        return false;
    (void)fprintf(stderr, "kesher-bench: echo: ready on port %s\n", port);
    return true;
}

static bool listen_there(struct echo *echo)
{
    char reason[KS_RUN_REASON_SIZE];
    struct sockaddr_storage address = {0};
    socklen_t size = 0;
    const int on = 1;
    if (ks_resolve_address(echo->run->settings->server, &address, &size, reason, sizeof reason) != KS_OK) {
        ks_run_fail(echo->run, "%s", reason);
        return false;
    }
    echo->listener = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (echo->listener < 0)
        return false;
    (void)setsockopt(echo->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return bind(echo->listener, (const struct sockaddr *)&address, size) == 0 &&
           listen(echo->listener, BACKLOG) == 0;
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static bool prepare(struct echo *echo)
{
    echo->threads = calloc(echo->count, sizeof *echo->threads);
    echo->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (echo->threads == NULL || echo->stop < 0)
        return false;
    for (uint32_t i = 0; i < echo->count; i++) {
        echo->threads[i].echo = echo;
        echo->threads[i].epoll = -1;
    }
    raise_descriptor_limit();
    return listen_there(echo);
}

/* ---- the mode ---- */

/* Serves until SIGINT or SIGTERM, which all threads block so that it waits for sigwait(3). */
static bool serve(struct echo *echo)
{
    sigset_t signals;
    int signal_number = 0;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    bool started = start_threads(echo) && announce(echo->listener);
    int error = errno;
    if (started)
        (void)sigwait(&signals, &signal_number);
    stop_threads(echo);
    errno = started ? echo->error : error;
    return started && echo->error == 0;
}

static void report(const struct echo *echo)
{
    struct ks_findings *rows = &echo->run->findings;
    uint64_t reads = 0;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < echo->count; i++) {
        reads += echo->threads[i].reads;
        bytes += echo->threads[i].bytes;
    }
    ks_findings_number(rows, "threads", echo->count);
    ks_findings_number(rows, "connections", (double)echo->connections);
    ks_findings_number(rows, "reads", (double)reads);
    ks_findings_number(rows, "bytes", (double)bytes);
}

bool ks_mode_echo(struct ks_run *run)
{
    char why[100];
    struct echo echo = {.run = run, .listener = -1, .stop = -1, .count = (uint32_t)run->settings->threads};
    bool right = prepare(&echo) && serve(&echo);
    if (right)
        report(&echo);
    else
        ks_run_fail(run, "%s", strerror_r(errno, why, sizeof why));
    if (echo.listener >= 0)
        (void)close(echo.listener);
    if (echo.stop >= 0)
        (void)close(echo.stop);
    free(echo.threads);
    return right;
}
