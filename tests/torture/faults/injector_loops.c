/* injector_loops.c — calls about sockets, loops, threads and chance: see injector.c. */
#include "injector.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { SIGNAL_BYTES = 8 }; /* of the system's set of signals */

/* ---- sockets ---- */

int injected_socket(int domain, int type, int protocol) INSTEAD_OF("socket");
int injected_bind(int fd, const struct sockaddr *address, socklen_t size) INSTEAD_OF("bind");
int injected_listen(int fd, int backlog) INSTEAD_OF("listen");
int injected_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags) INSTEAD_OF("accept4");
int injected_setsockopt(int fd, int level, int name, const void *value, socklen_t size)
    INSTEAD_OF("setsockopt");
int injected_getsockopt(int fd, int level, int name, void *value, socklen_t *size) INSTEAD_OF("getsockopt");
int injected_getsockname(int fd, struct sockaddr *address, socklen_t *size) INSTEAD_OF("getsockname");
int injected_getpeername(int fd, struct sockaddr *address, socklen_t *size) INSTEAD_OF("getpeername");
int injected_shutdown(int fd, int how) INSTEAD_OF("shutdown");

int injected_socket(int domain, int type, int protocol)
{
    return injector_fails(INJECTOR_SOCKET) ? -1 : (int)syscall(SYS_socket, domain, type, protocol);
}

int injected_bind(int fd, const struct sockaddr *address, socklen_t size)
{
    return injector_fails(INJECTOR_BIND) ? -1 : (int)syscall(SYS_bind, fd, address, size);
}

int injected_listen(int fd, int backlog)
{
    return injector_fails(INJECTOR_LISTEN) ? -1 : (int)syscall(SYS_listen, fd, backlog);
}

int injected_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    return injector_fails(INJECTOR_ACCEPT) ? -1 : (int)syscall(SYS_accept4, fd, address, size, flags);
}

int injected_setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    return injector_fails(INJECTOR_SETSOCKOPT) ? -1
                                               : (int)syscall(SYS_setsockopt, fd, level, name, value, size);
}

int injected_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    return injector_fails(INJECTOR_GETSOCKOPT) ? -1
                                               : (int)syscall(SYS_getsockopt, fd, level, name, value, size);
}

int injected_getsockname(int fd, struct sockaddr *address, socklen_t *size)
{
    return injector_fails(INJECTOR_NAMES) ? -1 : (int)syscall(SYS_getsockname, fd, address, size);
}

int injected_getpeername(int fd, struct sockaddr *address, socklen_t *size)
{
    return injector_fails(INJECTOR_NAMES) ? -1 : (int)syscall(SYS_getpeername, fd, address, size);
}

int injected_shutdown(int fd, int how)
{
    return injector_fails(INJECTOR_SHUTDOWN) ? -1 : (int)syscall(SYS_shutdown, fd, how);
}

/* ---- what comes and goes ---- */

ssize_t injected_recv(int fd, void *bytes, size_t size, int flags) INSTEAD_OF("recv");
ssize_t injected_send(int fd, const void *bytes, size_t size, int flags) INSTEAD_OF("send");
ssize_t injected_sendmsg(int fd, const struct msghdr *message, int flags) INSTEAD_OF("sendmsg");
ssize_t injected_recvmsg(int fd, struct msghdr *message, int flags) INSTEAD_OF("recvmsg");

/* Half of it, where there is a half. */
static size_t prefix(struct injector_verdict verdict, size_t size)
{
    return verdict.is_short && size > 1 ? size / 2 : size;
}

static ssize_t failed(int error)
{
    errno = error;
    return -1;
}

ssize_t injected_recv(int fd, void *bytes, size_t size, int flags)
{
    struct injector_verdict verdict = injector_judge(INJECTOR_RECEIVE);
    if (verdict.error != 0)
        return failed(verdict.error);
    return syscall(SYS_recvfrom, fd, bytes, prefix(verdict, size), flags, NULL, NULL);
}

ssize_t injected_send(int fd, const void *bytes, size_t size, int flags)
{
    struct injector_verdict verdict = injector_judge(INJECTOR_SEND);
    if (verdict.error != 0)
        return failed(verdict.error);
    return syscall(SYS_sendto, fd, bytes, prefix(verdict, size), flags, NULL, 0);
}

/* Short is half of the first part. */
ssize_t injected_sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct injector_verdict verdict = injector_judge(INJECTOR_SEND);
    if (verdict.error != 0)
        return failed(verdict.error);
    if (!verdict.is_short || message->msg_iovlen == 0)
        return syscall(SYS_sendmsg, fd, message, flags);
    struct iovec first = message->msg_iov[0];
    first.iov_len = prefix(verdict, first.iov_len);
    struct msghdr part = *message;
    part.msg_iov = &first;
    part.msg_iovlen = 1;
    return syscall(SYS_sendmsg, fd, &part, flags);
}

ssize_t injected_recvmsg(int fd, struct msghdr *message, int flags)
{
    return injector_fails(INJECTOR_RECEIVE) ? -1 : syscall(SYS_recvmsg, fd, message, flags);
}

/* ---- loops ---- */

int injected_epoll_create1(int flags) INSTEAD_OF("epoll_create1");
int injected_epoll_ctl(int fd, int operation, int about, struct epoll_event *event) INSTEAD_OF("epoll_ctl");
int injected_epoll_pwait(int fd, struct epoll_event *events, int room, int timeout, const sigset_t *signals)
    INSTEAD_OF("epoll_pwait");
int injected_epoll_wait(int fd, struct epoll_event *events, int room, int timeout) INSTEAD_OF("epoll_wait");
int injected_eventfd(unsigned value, int flags) INSTEAD_OF("eventfd");
int injected_pipe2(int fds[2], int flags) INSTEAD_OF("pipe2");

int injected_epoll_create1(int flags)
{
    return injector_fails(INJECTOR_EPOLL_CREATE) ? -1 : (int)syscall(SYS_epoll_create1, flags);
}

/* libuv asks so whether a descriptor can be watched, and takes a no. When it is to be watched then, libuv has
 * no other answer to a failure than abort(); leaving needs no memory. */
static bool is_question(int operation, const struct epoll_event *event)
{
    return operation == EPOLL_CTL_ADD && event->data.fd == -1;
}

int injected_epoll_ctl(int fd, int operation, int about, struct epoll_event *event)
{
    if (is_question(operation, event) && injector_fails(INJECTOR_EPOLL_CTL))
        return -1;
    return (int)syscall(SYS_epoll_ctl, fd, operation, about, event);
}

int injected_epoll_pwait(int fd, struct epoll_event *events, int room, int timeout, const sigset_t *signals)
{
    if (injector_fails(INJECTOR_EPOLL_WAIT))
        return -1;
    return (int)syscall(SYS_epoll_pwait, fd, events, room, timeout, signals, SIGNAL_BYTES);
}

int injected_epoll_wait(int fd, struct epoll_event *events, int room, int timeout)
{
    return injected_epoll_pwait(fd, events, room, timeout, NULL);
}

int injected_eventfd(unsigned value, int flags)
{
    return injector_fails(INJECTOR_EVENTFD) ? -1 : (int)syscall(SYS_eventfd2, value, flags);
}

/* The first one that libuv makes blocks; without that it abort()s. */
int injected_pipe2(int fds[2], int flags)
{
    return (flags & O_NONBLOCK) != 0 && injector_fails(INJECTOR_PIPE) ? -1
                                                                      : (int)syscall(SYS_pipe2, fds, flags);
}

/* ---- threads, time, chance, names of hosts ---- */

typedef int create_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *data);
typedef int wait_until(sem_t *semaphore, clockid_t clock, const struct timespec *time);
typedef int find_host(const char *host, const char *service, const struct addrinfo *hints,
                      struct addrinfo **found);

create_thread injected_pthread_create INSTEAD_OF("pthread_create");
int injected_sched_setscheduler(pid_t process, int policy, const struct sched_param *parameters)
    INSTEAD_OF("sched_setscheduler");
int injected_sem_wait(sem_t *semaphore) INSTEAD_OF("sem_wait");
wait_until injected_sem_clockwait INSTEAD_OF("sem_clockwait");
int injected_nanosleep(const struct timespec *time, struct timespec *left) INSTEAD_OF("nanosleep");
int injected_getentropy(void *bytes, size_t size) INSTEAD_OF("getentropy");
find_host injected_getaddrinfo INSTEAD_OF("getaddrinfo");

/* libuv's, which abort()s without them. */
static bool is_of_pool(const void *caller)
{
    return injector_asker(caller) == INJECTOR_MEMORY_LIBUV;
}

int injected_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                            void *data)
{
    if (!is_of_pool(__builtin_return_address(0)) && injector_fails(INJECTOR_THREAD))
        return errno;
    return ((create_thread *)injector_next("pthread_create"))(thread, attributes, run, data);
}

int injected_sched_setscheduler(pid_t process, int policy, const struct sched_param *parameters)
{
    if (injector_fails(INJECTOR_SCHEDULER))
        return -1;
    return (int)syscall(SYS_sched_setscheduler, process, policy, parameters);
}

int injected_sem_wait(sem_t *semaphore)
{
    return injector_fails(INJECTOR_SEMAPHORE) ? -1 : ((int (*)(sem_t *))injector_next("sem_wait"))(semaphore);
}

int injected_sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *time)
{
    if (injector_fails(INJECTOR_SEMAPHORE))
        return -1;
    return ((wait_until *)injector_next("sem_clockwait"))(semaphore, clock, time);
}

/* Interrupted at once, with all of it left. */
int injected_nanosleep(const struct timespec *time, struct timespec *left)
{
    if (!injector_fails(INJECTOR_SLEEP))
        return (int)syscall(SYS_nanosleep, time, left);
    if (left != NULL)
        *left = *time;
    return -1;
}

int injected_getentropy(void *bytes, size_t size)
{
    return injector_fails(INJECTOR_ENTROPY)
               ? -1
               : ((int (*)(void *, size_t))injector_next("getentropy"))(bytes, size);
}

int injected_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                         struct addrinfo **found)
{
    if (injector_fails(INJECTOR_RESOLVE))
        return EAI_AGAIN;
    return ((find_host *)injector_next("getaddrinfo"))(host, service, hints, found);
}
