/* dial.c — see dial.h. */
#include "client/transport/dial.h"

#include "base/address.h"
#include "base/clock.h"
#include "base/text.h"
#include "client/failure.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Waits for a connect in progress. 0, or the errno of what went wrong. */
static int wait_connected(int fd, uint64_t deadline)
{
    const struct ks_clock *clock = ks_clock_system();
    for (;;) {
        uint64_t now = ks_clock_monotonic_ms(clock);
        if (now >= deadline)
            return ETIMEDOUT;
        struct pollfd waiting = {.fd = fd, .events = POLLOUT};
        int ready = poll(&waiting, 1, (int)(deadline - now));
        if (ready < 0 && errno != EINTR)
            return errno;
        if (ready <= 0)
            continue;
        int failure = 0;
        socklen_t size = sizeof failure;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) != 0)
            return errno;
        return failure;
    }
}

/* 0 with *fd, or the errno of what went wrong. */
static int dial_one(const struct addrinfo *candidate, uint64_t deadline, int *fd)
{
    int created =
        socket(candidate->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, candidate->ai_protocol);
    if (created < 0)
        return errno;
    int on = 1;
    int failure = 0;
    if (setsockopt(created, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        failure = errno;
    else if (connect(created, candidate->ai_addr, candidate->ai_addrlen) != 0)
        failure = errno == EINPROGRESS ? wait_connected(created, deadline) : errno;
    if (failure != 0) {
        close(created);
        return failure;
    }
    *fd = created;
    return 0;
}

static enum kesher_status report(struct kesher_error *error, const char *shown, int failure)
{
    if (failure == ETIMEDOUT)
        return ks_failure(error, KESHER_TIMEOUT,
                          "no connection to %s within the time limit; check the address and the network",
                          shown);
    char reason[128];
    return ks_failure(error, KESHER_CONNECTION,
                      "cannot connect to %s: %s; check the address, and that a server runs there", shown,
                      strerror_r(failure, reason, sizeof reason));
}

enum kesher_status ks_dial(const char *address, uint32_t connect_ms, int *fd, struct kesher_error *error)
{
    struct ks_address parsed;
    char shown[300];
    ks_text_escape(address, strlen(address), shown, sizeof shown);
    if (ks_address_parse(address, strlen(address), &parsed) != KS_OK)
        return ks_failure(error, KESHER_INVALID,
                          "'%s' is no server address; give it as address:port, such as 127.0.0.1:1357",
                          shown);
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *candidates = NULL;
    int failure = getaddrinfo(parsed.host, parsed.port, &wanted, &candidates);
    if (failure != 0)
        return ks_failure(error, KESHER_NOT_FOUND, "cannot find the server %s: %s; check the address", shown,
                          gai_strerror(failure));
    uint64_t deadline = ks_clock_monotonic_ms(ks_clock_system()) + connect_ms;
    failure = ENOENT;
    for (const struct addrinfo *next = candidates; next != NULL && failure != 0; next = next->ai_next)
        failure = dial_one(next, deadline, fd);
    freeaddrinfo(candidates);
    return failure == 0 ? KESHER_OK : report(error, shown, failure);
}
