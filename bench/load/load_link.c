/* load_link.c — see load_link.h. */
#include "bench/load/load_link.h"

#include "bench/load/reactor_internal.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

static void watch(struct ks_load_link *link, bool wants_write, int operation)
{
    struct epoll_event event = {.events = EPOLLIN | (wants_write ? EPOLLOUT : 0u), .data.ptr = link};
    link->wants_write = wants_write;
    /* Fails only without memory in the kernel; then the run stands still, and is told so by its time limit.
     */
    (void)epoll_ctl(link->reactor->epoll, operation, link->fd, &event);
}

static int new_socket(const struct ks_route *route)
{
    const int on = 1;
    int fd = socket(route->target.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (route->source_size == 0)
        return fd;
    /* Without a port of its own until connect(2): the pair of addresses then decides which ports are free. */
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&route->source, route->source_size) != 0) {
        int error = errno;
        (void)close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* A socket on its way to the target; -1 with errno. */
static int connect_socket(const struct ks_route *route)
{
    int fd = new_socket(route);
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&route->target, route->target_size) == 0 || errno == EINPROGRESS)
        return fd;
    int error = errno;
    (void)close(fd);
    errno = error;
    return -1;
}

enum ks_result ks_load_link_open(struct ks_load_link *link, struct ks_reactor *reactor,
                                 const struct ks_route *route, const struct ks_load_link_events *events)
{
    void *owner = link->owner;
    uint32_t number = link->number + 1;
    struct ks_sealing *sealing = NULL;
    if (route->tls != NULL && ks_sealing_new(route->tls, &sealing) != KS_OK) {
        errno = ENOMEM;
        return KS_IO;
    }
    int fd = connect_socket(route);
    if (fd < 0) {
        int error = errno;
        ks_sealing_free(sealing);
        errno = error;
        return KS_IO;
    }
    *link = (struct ks_load_link){.owner = owner,
                                  .events = events,
                                  .reactor = reactor,
                                  .fd = fd,
                                  .open = true,
                                  .sealing = sealing,
                                  .record_limit = route->record_limit,
                                  .number = number};
    watch(link, true, EPOLL_CTL_ADD);
    return KS_OK;
}

/* ---- the reactor's lists ---- */

/* Has the link flushed at the end of this turn. */
static void flush_later(struct ks_load_link *link)
{
    if (link->dirty)
        return;
    link->dirty = true;
    link->next_dirty = link->reactor->dirty;
    link->reactor->dirty = link;
}

static bool take_off(struct ks_load_link **list, struct ks_load_link *link)
{
    for (struct ks_load_link **place = list; *place != NULL; place = &(*place)->next_dirty)
        if (*place == link) {
            *place = link->next_dirty;
            return true;
        }
    return false;
}

/* The link is gone. */
static void flush_never(struct ks_load_link *link)
{
    if (!link->dirty)
        return;
    link->dirty = false;
    if (!take_off(&link->reactor->dirty, link))
        (void)take_off(&link->reactor->flushing, link);
}

/* ---- the end ---- */

void ks_load_link_close(struct ks_load_link *link)
{
    if (!link->open)
        return;
    link->open = false;
    flush_never(link);
    (void)close(link->fd);
    free(link->kept);
    free(link->output);
    ks_sealing_free(link->sealing);
    link->kept = NULL;
    link->output = NULL;
    link->sealing = NULL;
    link->kept_size = link->kept_capacity = 0;
    link->output_start = link->output_size = link->output_capacity = 0;
    link->lent_size = 0;
}

void ks_load_link_reset(struct ks_load_link *link)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (link->open)
        (void)setsockopt(link->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ks_load_link_close(link);
}

static void end(struct ks_load_link *link, int error)
{
    ks_load_link_close(link);
    link->events->ended(link, error);
}

/* TLS failed: the peer is told, if the kernel takes it at once. */
static void end_for_tls(struct ks_load_link *link, enum ks_result result)
{
    size_t size = 0;
    const uint8_t *alert = ks_sealing_queued(link->sealing, &size);
    const char *why = ks_tls_why(link->sealing->tls);
    (void)snprintf(link->reactor->why, sizeof link->reactor->why, "%s",
                   why[0] != '\0' ? why : ks_result_text(result));
    if (size > 0)
        (void)send(link->fd, alert, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    end(link, result == KS_NO_MEMORY ? ENOMEM : EPROTO);
}

const char *ks_load_link_why(const struct ks_reactor *reactor)
{
    return reactor->why;
}

/* ---- output ---- */

uint8_t *ks_load_link_reserve(struct ks_load_link *link, size_t size)
{
    if (!link->open)
        return NULL;
    if (link->output_start == link->output_size)
        link->output_start = link->output_size = 0;
    if (size > link->output_capacity - link->output_size) {
        size_t capacity = link->output_capacity == 0 ? 512 : link->output_capacity;
        while (capacity - link->output_size < size)
            capacity *= 2;
        uint8_t *grown = realloc(link->output, capacity);
        if (grown == NULL)
            return NULL;
        link->output = grown;
        link->output_capacity = capacity;
    }
    uint8_t *place = link->output + link->output_size;
    link->output_size += size;
    if (link->connected)
        flush_later(link);
    return place;
}

enum ks_result ks_load_link_write(struct ks_load_link *link, const void *bytes, size_t size)
{
    if (!link->open || size == 0)
        return KS_OK;
    uint8_t *place = ks_load_link_reserve(link, size);
    if (place == NULL)
        return KS_NO_MEMORY;
    memcpy(place, bytes, size);
    return KS_OK;
}

void ks_load_link_lend(struct ks_load_link *link, const uint8_t *bytes, size_t size)
{
    if (!link->open)
        return;
    link->lent = bytes;
    link->lent_size = size;
    if (link->connected)
        flush_later(link);
}

void ks_load_link_finish(struct ks_load_link *link)
{
    if (!link->open)
        return;
    link->finishing = true;
    if (link->connected)
        flush_later(link);
}

/* Bytes that the kernel can be given now. */
static size_t sendable(const struct ks_load_link *link)
{
    size_t sealed = 0;
    if (link->sealing == NULL)
        return link->output_size - link->output_start + link->lent_size;
    (void)ks_sealing_queued(link->sealing, &sealed);
    return sealed;
}

size_t ks_load_link_waiting(const struct ks_load_link *link)
{
    size_t plain = link->output_size - link->output_start + link->lent_size;
    return link->sealing == NULL ? plain : plain + sendable(link);
}

static enum ks_result seal_bytes(struct ks_load_link *link, const uint8_t *bytes, size_t size)
{
    enum ks_result result = KS_OK;
    size_t limit = link->record_limit > 0 ? link->record_limit : size;
    while (size > 0 && result == KS_OK) {
        size_t some = size < limit ? size : limit;
        result = ks_sealing_seal(link->sealing, bytes, some);
        bytes += some;
        size -= some;
    }
    return result;
}

/* Encrypts all that was written, once the handshake is done. */
static enum ks_result seal(struct ks_load_link *link)
{
    if (link->sealing == NULL || !link->sealing->is_done)
        return KS_OK;
    enum ks_result result =
        seal_bytes(link, link->output + link->output_start, link->output_size - link->output_start);
    if (result == KS_OK)
        result = seal_bytes(link, link->lent, link->lent_size);
    link->output_start = link->output_size = 0;
    link->lent_size = 0;
    return result == KS_OK && link->finishing ? ks_sealing_end(link->sealing) : result;
}

static void count_sent(struct ks_load_link *link, size_t sent)
{
    if (link->sealing != NULL) {
        ks_sealing_sent(link->sealing, sent);
        return;
    }
    size_t queued = link->output_size - link->output_start;
    size_t of_queue = sent < queued ? sent : queued;
    link->output_start += of_queue;
    link->lent += sent - of_queue;
    link->lent_size -= sent - of_queue;
}

static ssize_t send_some(struct ks_load_link *link)
{
    if (link->sealing != NULL) {
        size_t size = 0;
        const uint8_t *sealed = ks_sealing_queued(link->sealing, &size);
        return send(link->fd, sealed, size, MSG_NOSIGNAL);
    }
    if (link->lent_size == 0)
        return send(link->fd, link->output + link->output_start, link->output_size - link->output_start,
                    MSG_NOSIGNAL);
    struct iovec parts[2] = {
        {.iov_base = link->output + link->output_start, .iov_len = link->output_size - link->output_start},
        {.iov_base = (void *)(uintptr_t)link->lent, .iov_len = link->lent_size},
    };
    bool any_queued = parts[0].iov_len > 0;
    struct msghdr message = {.msg_iov = any_queued ? parts : parts + 1, .msg_iovlen = any_queued ? 2 : 1};
    return sendmsg(link->fd, &message, MSG_NOSIGNAL);
}

/* Nothing is left to be sent. */
static void note_drained(struct ks_load_link *link)
{
    if (link->wants_write)
        watch(link, false, EPOLL_CTL_MOD);
    if (ks_load_link_waiting(link) > 0)
        return; /* for the handshake */
    if (link->finishing && !link->finished) {
        link->finished = true;
        (void)shutdown(link->fd,
                       SHUT_WR); /* fails when the peer has reset it, which the next recv(2) tells */
    }
    if (link->events->drained != NULL)
        link->events->drained(link);
}

void ks_load_link_flush(struct ks_load_link *link)
{
    enum ks_result result = seal(link);
    if (result != KS_OK) {
        end_for_tls(link, result);
        return;
    }
    while (sendable(link) > 0) {
        ssize_t sent = send_some(link);
        if (sent > 0) {
            count_sent(link, (size_t)sent);
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN) {
            end(link, errno);
            return;
        }
        if (!link->wants_write)
            watch(link, true, EPOLL_CTL_MOD);
        return;
    }
    note_drained(link);
}

/* ---- input ---- */

/* Keeps what the handler left. False when that is too much, or there is no memory. */
static bool keep(struct ks_load_link *link, const uint8_t *bytes, size_t size)
{
    if (size > KS_LOAD_LINK_KEPT_LIMIT)
        return false;
    if (size > link->kept_capacity) {
        uint8_t *grown = realloc(link->kept, size);
        if (grown == NULL)
            return false;
        link->kept = grown;
        link->kept_capacity = size;
    }
    memcpy(link->kept, bytes, size);
    link->kept_size = size;
    return true;
}

static void show(struct ks_load_link *link, const uint8_t *bytes, size_t size)
{
    size_t taken = link->events->received(link, bytes, size);
    if (!link->open)
        return;
    link->kept_size = 0;
    if (taken < size && !keep(link, bytes + taken, size - taken))
        end(link, ENOBUFS);
}

static void announce(struct ks_load_link *link)
{
    link->announced = true;
    link->events->opened(link);
}

/* The handshake goes on. False when nothing more is to be done with what came. */
static bool shake_hands(struct ks_load_link *link, const uint8_t *bytes, size_t size)
{
    const uint32_t number = link->number;
    enum ks_result result = ks_sealing_shake_hands(link->sealing, bytes, size);
    if (result != KS_OK && result != KS_MORE) {
        end_for_tls(link, result);
        return false;
    }
    flush_later(link);
    if (result == KS_OK && !link->announced)
        announce(link);
    return result == KS_OK && link->open && link->number == number;
}

/* Decrypts all that was fed, and shows it at once. */
static void unseal(struct ks_load_link *link, uint8_t *input, size_t kept)
{
    const uint32_t number = link->number;
    size_t size = 0;
    enum ks_result result =
        ks_sealing_open(link->sealing, input + kept, KS_LOAD_LINK_READ_SIZE + KS_SEALING_EXCESS, &size);
    if (size > 0)
        show(link, input, kept + size);
    if (!link->open || link->number != number)
        return;
    if (result == KS_CLOSED)
        end(link, 0);
    else if (result != KS_MORE)
        end_for_tls(link, result);
}

static void receive_sealed(struct ks_load_link *link, uint8_t *input, const uint8_t *bytes, size_t size)
{
    if (link->sealing->is_done)
        ks_sealing_feed(link->sealing, bytes, size);
    else if (!shake_hands(link, bytes, size))
        return;
    unseal(link, input, link->kept_size);
}

static void receive(struct ks_load_link *link)
{
    uint8_t *input = link->reactor->input;
    size_t kept = link->kept_size;
    uint8_t *place = link->sealing != NULL ? link->reactor->sealed : input + kept;
    ssize_t size = recv(link->fd, place, KS_LOAD_LINK_READ_SIZE, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        end(link, size == 0 ? 0 : errno);
        return;
    }
    if (kept > 0)
        memcpy(input, link->kept, kept);
    if (link->sealing != NULL)
        receive_sealed(link, input, place, (size_t)size);
    else
        show(link, input, kept + (size_t)size);
}

enum ks_result ks_load_link_secure(struct ks_load_link *link, struct ks_tls_context *context)
{
    enum ks_result result = ks_sealing_new(context, &link->sealing);
    if (result == KS_OK)
        result = ks_sealing_shake_hands(link->sealing, NULL, 0);
    if (result == KS_MORE)
        flush_later(link);
    return result == KS_MORE ? KS_OK : result;
}

/* The connection stands, or does not, or neither: the event may be one of this link's earlier connection. */
static void finish_connecting(struct ks_load_link *link)
{
    int error = 0;
    socklen_t size = sizeof error;
    struct sockaddr_storage peer;
    socklen_t peer_size = sizeof peer;
    if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error != 0) {
        end(link, error);
        return;
    }
    if (getpeername(link->fd, (struct sockaddr *)&peer, &peer_size) != 0)
        return;
    link->connected = true;
    if (ks_load_link_waiting(link) == 0)
        watch(link, false, EPOLL_CTL_MOD);
    else
        flush_later(link);
    if (link->sealing != NULL)
        (void)shake_hands(link, NULL, 0);
    else
        announce(link);
}

void ks_load_link_ready(struct ks_load_link *link, uint32_t events)
{
    if (!link->open)
        return;
    if (!link->connected) {
        finish_connecting(link);
        return;
    }
    if ((events & EPOLLOUT) != 0)
        ks_load_link_flush(link);
    if (link->open && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        receive(link);
}
