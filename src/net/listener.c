/* listener.c — see listener.h. Runs on the main thread.
 *
 * Out of descriptors or memory, a listener stops polling for a moment instead of spinning on a backlog that
 * it cannot empty; who is connected is served meanwhile.
 */
#include "net/listener.h"

#include "base/address.h"
#include "base/local.h"
#include "net/peer_address.h"
#include "net/tcp/tcp.h"

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
    struct ks_listener_counts *counts;
    const struct ks_connection_events *events;
    void *service;
    uv_poll_t poll;
    uv_timer_t retry;
    char *path; /* of a socket in the file system; NULL for a TCP one */
    int fd;
    int open_handles;
    uint64_t last_complaint_ms;
};

/* ---- accepting ---- */

static void complain(struct ks_listener *listener, const char *what)
{
    uint64_t now = uv_now(listener->shared->uv);
    if (listener->last_complaint_ms != 0 && now - listener->last_complaint_ms < QUIET_MS) {
        ks_count(&listener->counts->quiet, 1);
        return;
    }
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

/* Out of memory it says so as of any shortage; for each address that meets a limit there are lines of its
 * own. */
static void log_refusal(struct ks_listener *listener, const struct sockaddr_storage *from,
                        enum ks_net_refusal why)
{
    static const char *const sentences[KS_NET_REFUSALS] = {
        [KS_NET_REFUSED_FULL] = ks_tcp_no_room,
        [KS_NET_REFUSED_ADDRESS] = "this address has as many connections as it may (connections-per-address)",
        [KS_NET_REFUSED_STRANGER] = "a program of another user was turned away",
    };
    if (sentences[why] == NULL)
        complain(listener, "out of memory");
    else
        ks_tcp_log_refusal(listener->shared->counts->log, from, sentences[why]);
}

static void refuse_connection(struct ks_listener *listener, int fd, const struct sockaddr_storage *peer,
                              enum ks_net_refusal why)
{
    close(fd);
    ks_count(&listener->counts->refused[why], 1);
    log_refusal(listener, peer, why);
}

/* True when it may stay, and is counted; else it is closed. Our own operators find a full server open, too.
 */
static bool admit(struct ks_listener *listener, int fd, const struct sockaddr_storage *peer,
                  const uint8_t address[static KS_PEER_ADDRESS_SIZE])
{
    const struct ks_listener_shared *shared = listener->shared;
    if (listener->path != NULL && !ks_local_peer_is_trusted(fd)) {
        refuse_connection(listener, fd, peer, KS_NET_REFUSED_STRANGER);
        return false;
    }
    enum ks_result result = listener->path != NULL ? KS_OK : ks_crowd_enter(&shared->counts->crowd, address);
    if (result == KS_OK)
        return true;
    refuse_connection(listener, fd, peer,
                      result == KS_REFUSED ? KS_NET_REFUSED_ADDRESS : KS_NET_REFUSED_MEMORY);
    return false;
}

static void take_connection(struct ks_listener *listener, int fd, const struct sockaddr_storage *peer)
{
    const struct ks_listener_shared *shared = listener->shared;
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    ks_peer_address(peer, address);
    if (!admit(listener, fd, peer, address))
        return;
    unsigned before = atomic_fetch_add(&shared->counts->connection_count, 1);
    bool is_full = listener->path == NULL && before >= atomic_load(&shared->counts->connection_limit);
    enum ks_result result = ks_worker_hand_over(least_loaded(shared), fd, peer, listener->events,
                                                listener->service, listener->counts, is_full);
    if (result == KS_OK) {
        ks_count(&listener->counts->accepted, 1);
        return;
    }
    atomic_fetch_sub(&shared->counts->connection_count, 1);
    if (listener->path == NULL)
        ks_crowd_leave(&shared->counts->crowd, address);
    refuse_connection(listener, fd, peer, result == KS_REFUSED ? KS_NET_REFUSED_FULL : KS_NET_REFUSED_MEMORY);
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

static struct addrinfo *resolve(const struct ks_address *address, int family, char *why, size_t why_size)
{
    const struct addrinfo hints = {
        .ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int failure = getaddrinfo(address->host[0] == '\0' ? NULL : address->host, address->port, &hints, &found);
    if (failure == 0)
        return found;
    snprintf(why, why_size, "cannot find the address \"%s\": %s", address->host, gai_strerror(failure));
    return NULL;
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
    if (where->ai_family == AF_INET6) /* [::] takes IPv4, too, whatever the system's default is */
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    set_inherited_options(fd);
    if (bind(fd, where->ai_addr, where->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    return -1;
}

/* What a socket for all interfaces takes; nothing for others. */
static const char *families(int fd, const char *host)
{
    int alone = 1;
    socklen_t size = sizeof alone;
    if (strcmp(host, "0.0.0.0") == 0)
        return " (IPv4 only)";
    if (strcmp(host, "::") != 0)
        return "";
    bool known = getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &alone, &size) == 0;
    return known && alone == 0 ? " (IPv4 and IPv6)" : " (IPv6 only)";
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
    snprintf(bound, bound_size, strchr(host, ':') != NULL ? "[%s]:%s%s" : "%s:%s%s", host, port,
             families(fd, host));
}

/* Opens the first that can be opened. KS_OK; KS_NOT_FOUND without any address; KS_EXISTS; KS_IO (errno). */
static enum ks_result open_first(const struct ks_address *address, int family, int *fd, char *why,
                                 size_t why_size)
{
    struct addrinfo *found = resolve(address, family, why, why_size);
    if (found == NULL)
        return KS_NOT_FOUND;
    *fd = -1;
    for (struct addrinfo *where = found; where != NULL && *fd < 0; where = where->ai_next)
        *fd = open_socket(where);
    int failure = errno;
    freeaddrinfo(found);
    if (*fd >= 0)
        return KS_OK;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the main thread alone
    snprintf(why, why_size, "cannot listen on %s:%s: %s", address->host, address->port, strerror(failure));
    errno = failure;
    return failure == EADDRINUSE ? KS_EXISTS : KS_IO;
}

/* A host that is empty is all interfaces: one socket for both families, or for IPv4 where there is no other.
 */
static enum ks_result open_tcp(struct ks_listener *listener, const char *text, char *why, size_t why_size)
{
    struct ks_address address;
    if (ks_address_parse_listener(text, &address) != KS_OK) {
        snprintf(why, why_size, "\"%s\" is not of the form address:port", text);
        return KS_INVALID;
    }
    if (address.host[0] != '\0')
        return open_first(&address, AF_UNSPEC, &listener->fd, why, why_size);
    enum ks_result result = open_first(&address, AF_INET6, &listener->fd, why, why_size);
    if (result != KS_IO || (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL))
        return result;
    ks_log_notice(listener->shared->counts->log, "this system has no IPv6: %s is IPv4 only", text);
    return open_first(&address, AF_INET, &listener->fd, why, why_size);
}

/* What follows "unix:", NULL for another address. */
static const char *path_of_address(const char *address)
{
    static const char prefix[] = "unix:";
    size_t size = sizeof prefix - 1;
    return strncmp(address, prefix, size) == 0 ? address + size : NULL;
}

static enum ks_result open_local(struct ks_listener *listener, const char *path, char *why, size_t why_size)
{
    listener->path = strdup(path);
    if (listener->path == NULL)
        return KS_NO_MEMORY;
    enum ks_result result = ks_local_listen(path, BACKLOG, &listener->fd);
    if (result == KS_OK)
        return KS_OK;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the main thread alone
    const char *reason = result == KS_EXISTS ? "something else lies there" : strerror(errno);
    snprintf(why, why_size, "cannot listen on %s: %s", path, reason);
    return result;
}

static enum ks_result open_address(struct ks_listener *listener, const char *address, char *bound,
                                   size_t bound_size, char *why, size_t why_size)
{
    const char *path = path_of_address(address);
    enum ks_result result =
        path != NULL ? open_local(listener, path, why, why_size) : open_tcp(listener, address, why, why_size);
    if (result != KS_OK)
        return result;
    if (path != NULL)
        snprintf(bound, bound_size, "%s", path);
    else
        describe_bound(listener->fd, bound, bound_size);
    return KS_OK;
}

static void close_socket(struct ks_listener *listener)
{
    close(listener->fd);
    if (listener->path != NULL)
        unlink(listener->path);
}

enum ks_result ks_listener_open(const struct ks_listener_shared *shared, struct ks_listener_counts *counts,
                                const char *address, const struct ks_connection_events *events, void *service,
                                char *bound, size_t bound_size, char *why, size_t why_size,
                                struct ks_listener **listener)
{
    struct ks_listener *created = calloc(1, sizeof *created);
    if (created == NULL) {
        snprintf(why, why_size, "out of memory");
        return KS_NO_MEMORY;
    }
    created->shared = shared;
    enum ks_result result = open_address(created, address, bound, bound_size, why, why_size);
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
    created->counts = counts;
    created->events = events;
    created->service = service;
    uv_poll_start(&created->poll, UV_READABLE, poll_event);
    *listener = created;
    return KS_OK;

no_poll:
    close_socket(created);
no_socket:
    free(created->path);
    free(created);
    return result;
}

static void handle_closed(uv_handle_t *handle)
{
    struct ks_listener *listener = handle->data;
    listener->open_handles--;
    if (listener->open_handles > 0)
        return;
    free(listener->path);
    free(listener);
}

void ks_listener_close(struct ks_listener *listener)
{
    uv_close((uv_handle_t *)&listener->poll, handle_closed);
    uv_close((uv_handle_t *)&listener->retry, handle_closed);
    close_socket(listener);
}
