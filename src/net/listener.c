/* listener.c — see listener.h. Runs on the main thread.
 *
 * Out of descriptors or memory, a listener stops polling for a moment instead of spinning on a backlog that
 * it cannot empty; who is connected is served meanwhile.
 */
#include "net/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ACCEPTS_PER_EVENT = 64,
    RETRY_MS = 100,
    BACKLOG = 4096,
    QUIET_MS = 10000, /* between two log lines about the same trouble */
};

struct ks_listener {
    const struct ks_listener_shared *shared;
    const struct ks_connection_events *events;
    void *service;
    uv_poll_t poll;
    uv_timer_t retry;
    int fd;
    int open_handles;
    uint64_t last_complaint_ms;
};

/* ---- accepting ---- */

static void complain(struct ks_listener *listener, const char *what)
{
    uint64_t now = uv_now(listener->shared->uv);
    if (listener->last_complaint_ms != 0 && now - listener->last_complaint_ms < QUIET_MS)
        return;
    listener->last_complaint_ms = now;
    ks_log_warning(listener->shared->counts->log, "cannot accept connections for the moment: %s", what);
}

static struct ks_worker *least_loaded(const struct ks_listener_shared *shared)
{
    struct ks_worker *least = shared->workers[0];
    for (unsigned i = 1; i < shared->worker_count; i++)
        if (atomic_load(&shared->workers[i]->connection_count) < atomic_load(&least->connection_count))
            least = shared->workers[i];
    return least;
}

/* True when somebody idle was found, who will leave shortly. */
static bool make_room(const struct ks_listener_shared *shared)
{
    struct ks_worker *with_oldest = NULL;
    uint64_t oldest_ms = UINT64_MAX;
    for (unsigned i = 0; i < shared->worker_count; i++) {
        uint64_t idle_ms = atomic_load_explicit(&shared->workers[i]->oldest_idle_ms, memory_order_relaxed);
        if (idle_ms < oldest_ms) {
            oldest_ms = idle_ms;
            with_oldest = shared->workers[i];
        }
    }
    return with_oldest != NULL && ks_worker_evict(with_oldest);
}

static void take_connection(struct ks_listener *listener, int fd, const struct sockaddr_storage *peer)
{
    const struct ks_listener_shared *shared = listener->shared;
    unsigned before = atomic_fetch_add(&shared->counts->connection_count, 1);
    bool welcome = before < shared->connection_limit || make_room(shared);
    if (welcome &&
        ks_worker_hand_over(least_loaded(shared), fd, peer, listener->events, listener->service) == KS_OK)
        return;
    atomic_fetch_sub(&shared->counts->connection_count, 1);
    close(fd);
    complain(listener, welcome ? "out of memory" : "the limit of connections is reached and nobody is idle");
}

static void poll_event(uv_poll_t *poll, int status, int events);

static void on_retry(uv_timer_t *retry)
{
    struct ks_listener *listener = retry->data;
    uv_poll_start(&listener->poll, UV_READABLE, poll_event);
}

static bool is_a_shortage(int error_number)
{
    return error_number == EMFILE || error_number == ENFILE || error_number == ENOBUFS ||
           error_number == ENOMEM;
}

static void poll_event(uv_poll_t *poll, int status, int events)
{
    struct ks_listener *listener = poll->data;
    (void)events;
    bool trouble = status < 0;
    for (int accepts = 0; accepts < ACCEPTS_PER_EVENT && !trouble; accepts++) {
        struct sockaddr_storage peer;
        socklen_t size = sizeof peer;
        memset(&peer, 0, sizeof peer);
        int fd = accept4(listener->fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take_connection(listener, fd, &peer);
        } else if (is_a_shortage(errno)) {
            complain(listener, strerror(errno)); // NOLINT(concurrency-mt-unsafe): the main thread alone
            trouble = true;
        } else if (errno != ECONNABORTED && errno != EINTR && errno != EPROTO) {
            break; /* EAGAIN: nobody is waiting any more */
        }
    }
    if (trouble) {
        uv_poll_stop(poll);
        uv_timer_start(&listener->retry, on_retry, RETRY_MS, 0);
    }
}

/* ---- opening ---- */

/* Splits "host:port", "[v6]:port" or ":port"; host is "" for all interfaces. */
static bool split_address(const char *address, char *host, size_t host_size, const char **port)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon[1] == '\0')
        return false;
    const char *start = address;
    const char *end = colon;
    if (*start == '[') {
        start++;
        end = colon - 1;
        if (end < start || *end != ']')
            return false;
    }
    size_t size = (size_t)(end - start);
    if (size >= host_size)
        return false;
    memcpy(host, start, size);
    host[size] = '\0';
    *port = colon + 1;
    return true;
}

static struct addrinfo *resolve(const char *address, char *why, size_t why_size)
{
    char host[256];
    const char *port = NULL;
    if (!split_address(address, host, sizeof host, &port)) {
        snprintf(why, why_size, "\"%s\" is not of the form address:port", address);
        return NULL;
    }
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    struct addrinfo *found = NULL;
    int failure = getaddrinfo(host[0] == '\0' ? NULL : host, port, &hints, &found);
    if (failure != 0) {
        snprintf(why, why_size, "cannot find the address \"%s\": %s", address, gai_strerror(failure));
        return NULL;
    }
    return found;
}

static void set_option(int fd, int level, int option, int value)
{
    /* Improvements, all of them; a system that has not got one serves all the same. */
    int failure = setsockopt(fd, level, option, &value, sizeof value);
    (void)failure;
}

/* Accepted sockets inherit these, which saves system calls for every one of them. */
static void set_inherited_options(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 120);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 30);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
}

static int open_socket(const struct addrinfo *where)
{
    int fd = socket(where->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_inherited_options(fd);
    if (bind(fd, where->ai_addr, where->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return -1;
}

static void describe_bound(int fd, char *bound, size_t bound_size)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    char host[128] = "?";
    char port[16] = "?";
    if (getsockname(fd, (struct sockaddr *)&address, &size) == 0)
        getnameinfo((struct sockaddr *)&address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(bound, bound_size, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
}

static enum ks_result open_first(const char *address, int *fd, char *why, size_t why_size)
{
    struct addrinfo *found = resolve(address, why, why_size);
    if (found == NULL)
        return KS_INVALID;
    *fd = -1;
    for (struct addrinfo *where = found; where != NULL && *fd < 0; where = where->ai_next)
        *fd = open_socket(where);
    int failure = errno;
    freeaddrinfo(found);
    if (*fd >= 0)
        return KS_OK;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the main thread alone
    snprintf(why, why_size, "cannot listen on %s: %s", address, strerror(failure));
    return failure == EADDRINUSE ? KS_EXISTS : KS_IO;
}

enum ks_result ks_listener_open(const struct ks_listener_shared *shared, const char *address,
                                const struct ks_connection_events *events, void *service, char *bound,
                                size_t bound_size, char *why, size_t why_size, struct ks_listener **listener)
{
    struct ks_listener *created = calloc(1, sizeof *created);
    if (created == NULL) {
        snprintf(why, why_size, "out of memory");
        return KS_NO_MEMORY;
    }
    enum ks_result result = open_first(address, &created->fd, why, why_size);
    if (result != KS_OK)
        goto no_socket;
    result = KS_IO;
    if (uv_poll_init_socket(shared->uv, &created->poll, created->fd) != 0) {
        snprintf(why, why_size, "cannot poll the socket of %s", address);
        goto no_poll;
    }
    uv_timer_init(shared->uv, &created->retry);
    created->poll.data = created;
    created->retry.data = created;
    created->open_handles = 2;
    created->shared = shared;
    created->events = events;
    created->service = service;
    describe_bound(created->fd, bound, bound_size);
    uv_poll_start(&created->poll, UV_READABLE, poll_event);
    *listener = created;
    return KS_OK;

no_poll:
    close(created->fd);
no_socket:
    free(created);
    return result;
}

static void handle_closed(uv_handle_t *handle)
{
    struct ks_listener *listener = handle->data;
    listener->open_handles--;
    if (listener->open_handles == 0)
        free(listener);
}

void ks_listener_close(struct ks_listener *listener)
{
    uv_close((uv_handle_t *)&listener->poll, handle_closed);
    uv_close((uv_handle_t *)&listener->retry, handle_closed);
    close(listener->fd);
}
