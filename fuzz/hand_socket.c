/* hand_socket.c — see hand_socket.h. The functions of the system that are defined here take the place of
 * libc's in the whole program.
 */
#include "hand_socket.h"

#include "wire/blocks.h"
#include "wire/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CRUMB_SIZE = 5 };

static struct hand_socket *at_hand;
static int its_fd = -1;

static int open_it(void)
{
    its_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (its_fd < 0)
        abort();
    return its_fd;
}

void hand_socket_take(struct hand_socket *socket)
{
    at_hand = socket;
    its_fd = -1;
}

int hand_socket_open(struct hand_socket *socket)
{
    hand_socket_take(socket);
    return open_it();
}

static size_t next_frame(const struct hand_socket *socket)
{
    struct ks_response_header header;
    if (ks_response_header_parse(socket->bytes, socket->size, &header) != KS_OK ||
        header.payload_size > socket->size - KS_RESPONSE_HEADER_SIZE)
        return socket->size;
    size_t size = KS_RESPONSE_HEADER_SIZE + (size_t)header.payload_size;
    return size + ks_blocks_count_zeros(socket->bytes + size, socket->size - size);
}

static void say(struct hand_socket *socket)
{
    size_t size = socket->next != NULL ? socket->next(socket->bytes, socket->size) : next_frame(socket);
    socket->bytes += size;
    socket->size -= size;
    socket->said += size;
    socket->asked = false;
}

/* Something can be received, if only the end. */
static bool is_readable(const struct hand_socket *socket)
{
    return socket->said > 0 || socket->size == 0;
}

/* The header says of poll(2) that it reads nothing of `fds`, and the compiler would believe it. */
int hand_poll(struct pollfd *fds, nfds_t count, int wait_ms) __asm__("poll");

int hand_poll(struct pollfd *fds, nfds_t count, int wait_ms)
{
    if (count == 0)
        return 0; /* a pause */
    if (count != 1 || fds[0].fd != its_fd)
        abort(); /* a client waits for its server only */
    if (!is_readable(at_hand) && wait_ms != 0 && at_hand->asked)
        say(at_hand);
    fds[0].revents = (short)(fds[0].events & (is_readable(at_hand) ? POLLIN | POLLOUT : POLLOUT));
    return fds[0].revents != 0 ? 1 : 0;
}

/* Their parameters have names that say more than those of the system's headers.
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */
ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
    (void)bytes;
    (void)flags;
    if (fd != its_fd)
        abort();
    at_hand->asked = true;
    return (ssize_t)size;
}

ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
    if (fd != its_fd)
        abort();
    if (!is_readable(at_hand)) {
        errno = EAGAIN;
        return -1;
    }
    if (size > at_hand->said)
        size = at_hand->said;
    if (at_hand->in_crumbs && size > CRUMB_SIZE)
        size = CRUMB_SIZE;
    if (size > 0)
        memcpy(bytes, at_hand->bytes - at_hand->said, size);
    if ((flags & MSG_PEEK) == 0)
        at_hand->said -= size;
    return (ssize_t)size;
}

int socket(int domain, int type, int protocol)
{
    (void)domain;
    (void)type;
    (void)protocol;
    return open_it();
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    (void)fd;
    (void)level;
    (void)name;
    (void)value;
    (void)size;
    return 0;
}

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    (void)fd;
    (void)address;
    (void)size;
    return 0;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *pause, struct timespec *left)
{
    (void)clock;
    (void)flags;
    (void)pause;
    (void)left;
    return 0;
}

int fsync(int fd)
{
    (void)fd;
    return 0;
}

int syncfs(int fd)
{
    (void)fd;
    return 0;
}

int fallocate(int fd, int mode, off_t offset, off_t size)
{
    (void)fd;
    (void)mode;
    (void)offset;
    (void)size;
    return 0;
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
