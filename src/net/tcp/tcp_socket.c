/* tcp_socket.c — see tcp_socket.h. */
#include "net/tcp/tcp_socket.h"

#include "base/address.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- listening ---- */

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

static int open_socket(const struct addrinfo *where, int backlog)
{
    int fd = socket(where->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (where->ai_family == AF_INET6) /* [::] takes IPv4, too, whatever the system's default is */
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    set_inherited_options(fd);
    if (bind(fd, where->ai_addr, where->ai_addrlen) == 0 && listen(fd, backlog) == 0)
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

void ks_tcp_socket_describe(int fd, char *bound, size_t bound_size)
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
static enum ks_result open_first(const struct ks_address *address, int family, int backlog, int *fd,
                                 char *why, size_t why_size)
{
    struct addrinfo *found = resolve(address, family, why, why_size);
    if (found == NULL)
        return KS_NOT_FOUND;
    *fd = -1;
    for (struct addrinfo *where = found; where != NULL && *fd < 0; where = where->ai_next)
        *fd = open_socket(where, backlog);
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
enum ks_result ks_tcp_socket_listen(const char *address, int backlog, const struct ks_log *log, int *fd,
                                    char *why, size_t why_size)
{
    struct ks_address parsed;
    if (ks_address_parse_listener(address, &parsed) != KS_OK) {
        snprintf(why, why_size, "\"%s\" is not of the form address:port", address);
        return KS_INVALID;
    }
    if (parsed.host[0] != '\0')
        return open_first(&parsed, AF_UNSPEC, backlog, fd, why, why_size);
    enum ks_result result = open_first(&parsed, AF_INET6, backlog, fd, why, why_size);
    if (result != KS_IO || (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL))
        return result;
    ks_log_notice(log, "this system has no IPv6: %s is IPv4 only", address);
    return open_first(&parsed, AF_INET, backlog, fd, why, why_size);
}

/* ---- delivery ---- */

/* As tcpi_state has them. */
enum {
    TCP_STATE_TIME_WAIT = 6,
    TCP_STATE_CLOSE = 7,
    TCP_STATE_CLOSE_WAIT = 8,
    TCP_STATE_LAST_ACK = 9,
    TCP_STATE_CLOSING = 11,
};

static bool peer_has_ended(uint8_t state)
{
    return state == TCP_STATE_CLOSE_WAIT || state == TCP_STATE_LAST_ACK || state == TCP_STATE_CLOSING ||
           state == TCP_STATE_TIME_WAIT || state == TCP_STATE_CLOSE;
}

bool ks_tcp_socket_read_delivery(int fd, struct ks_tcp_delivery *delivery)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    memset(&info, 0, sizeof info);
    bool known = getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
                 size >= offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof info.tcpi_bytes_acked;
    delivery->bytes_acked = info.tcpi_bytes_acked;
    delivery->dead = !known || info.tcpi_state == TCP_STATE_CLOSE;
    delivery->end_came = known && peer_has_ended(info.tcpi_state);
    return known;
}
