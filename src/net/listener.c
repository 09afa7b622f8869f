/* listener.c — see listener.h. Runs on the main thread.
 *
 * Out of descriptors or memory, a listener stops polling for a moment instead of spinning on a backlog that
 * it cannot empty; who is connected is served meanwhile.
 */
#include "net/listener.h"

#include "base/local.h"
#include "net/tcp/tcp_socket.h"

#include <errno.h>
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
        if (atomic_load(&shared->workers[i]->core.connection_count) <
            atomic_load(&least->core.connection_count))
            least = shared->workers[i];
    return least;
}

/* Out of memory it says so as of any shortage; for each address that meets a limit there are lines of its
 * own. */
static void log_refusal(struct ks_listener *listener, const struct ks_peer_address *from,
                        enum ks_net_refusal why)
{
    static const char *const sentences[KS_NET_REFUSALS] = {
        [KS_NET_REFUSED_FULL] = ks_worker_no_room,
        [KS_NET_REFUSED_ADDRESS] = "this address has as many connections as it may (connections-per-address)",
        [KS_NET_REFUSED_STRANGER] = "a program of another user was turned away",
    };
    if (sentences[why] == NULL)
        complain(listener, "out of memory");
    else
        ks_peer_address_log_refusal(from, listener->shared->counts->log, sentences[why]);
}

/* Closes it last: who sees the end finds it counted and told. */
static void refuse_connection(struct ks_listener *listener, int fd, const struct ks_peer_address *peer,
                              enum ks_net_refusal why)
{
    ks_count(&listener->counts->refused[why], 1);
    log_refusal(listener, peer, why);
    close(fd);
}

/* True when it may stay, and is counted; else it is closed. Our own operators find a full server open, too.
 */
static bool admit(struct ks_listener *listener, int fd, const struct ks_peer_address *peer)
{
    const struct ks_listener_shared *shared = listener->shared;
    if (listener->path != NULL && !ks_local_peer_is_trusted(fd)) {
        refuse_connection(listener, fd, peer, KS_NET_REFUSED_STRANGER);
        return false;
    }
    enum ks_result result =
        listener->path != NULL ? KS_OK : ks_crowd_enter(&shared->counts->crowd, peer->bytes);
    if (result == KS_OK)
        return true;
    refuse_connection(listener, fd, peer,
                      result == KS_REFUSED ? KS_NET_REFUSED_ADDRESS : KS_NET_REFUSED_MEMORY);
    return false;
}

static void take_connection(struct ks_listener *listener, const struct ks_accepted *accepted)
{
    const struct ks_listener_shared *shared = listener->shared;
    const struct ks_peer_address peer = ks_peer_address_of(&accepted->peer);
    if (!admit(listener, accepted->fd, &peer))
        return;
    unsigned before = atomic_fetch_add(&shared->counts->connection_count, 1);
    bool is_full = listener->path == NULL && before >= atomic_load(&shared->counts->connection_limit);
    enum ks_result result = ks_worker_hand_over(least_loaded(shared), accepted, is_full);
    if (result == KS_OK) {
        ks_count(&listener->counts->accepted, 1);
        return;
    }
    atomic_fetch_sub(&shared->counts->connection_count, 1);
    if (listener->path == NULL)
        ks_crowd_leave(&shared->counts->crowd, peer.bytes);
    refuse_connection(listener, accepted->fd, &peer,
                      result == KS_REFUSED ? KS_NET_REFUSED_FULL : KS_NET_REFUSED_MEMORY);
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
        struct ks_accepted accepted = {.events = listener->events,
                                       .service = listener->service,
                                       .counts = &listener->counts->connections};
        socklen_t size = sizeof accepted.peer;
        accepted.fd =
            accept4(listener->fd, (struct sockaddr *)&accepted.peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted.fd >= 0) {
            take_connection(listener, &accepted);
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
    enum ks_result result = path != NULL
                                ? open_local(listener, path, why, why_size)
                                : ks_tcp_socket_listen(address, BACKLOG, listener->shared->counts->log,
                                                       &listener->fd, why, why_size);
    if (result != KS_OK)
        return result;
    if (path != NULL)
        snprintf(bound, bound_size, "%s", path);
    else
        ks_tcp_socket_describe(listener->fd, bound, bound_size);
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
