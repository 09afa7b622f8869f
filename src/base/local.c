/* local.c — see local.h. */
#include "base/local.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void close_keeping_errno(int fd)
{
    int saved_errno = errno;
    if (fd >= 0)
        close(fd);
    errno = saved_errno;
}

/* The directory of `path` through a descriptor of it, which the caller closes after use. */
static bool address_by_directory(const char *path, struct sockaddr_un *address, int *directory_fd)
{
    char copy[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t size = slash != NULL ? (size_t)(slash - path) : 0;
    if (slash == NULL || size >= sizeof copy) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(copy, path, size);
    copy[size] = '\0';
    *directory_fd = open(size > 0 ? copy : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*directory_fd < 0)
        return false;
    int length = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", *directory_fd,
                          slash + 1);
    if (length > 0 && (size_t)length < sizeof address->sun_path)
        return true;
    errno = ENAMETOOLONG;
    return false;
}

/* *directory_fd is to be closed after use; -1 when there is none. */
static bool make_address(const char *path, struct sockaddr_un *address, int *directory_fd)
{
    size_t size = strlen(path);
    *directory_fd = -1;
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (size >= sizeof address->sun_path)
        return address_by_directory(path, address, directory_fd);
    memcpy(address->sun_path, path, size + 1);
    return true;
}

/* KS_OK when nothing lies there (any more). */
static enum ks_result make_way(const char *path)
{
    struct stat status;
    if (lstat(path, &status) != 0)
        return errno == ENOENT ? KS_OK : KS_IO;
    if (!S_ISSOCK(status.st_mode))
        return KS_EXISTS;
    return unlink(path) == 0 || errno == ENOENT ? KS_OK : KS_IO;
}

/* On Linux what bind(2) makes has the socket's own mode, so nobody else can get in between. */
static bool bind_privately(int fd, const struct sockaddr_un *address, int backlog)
{
    return fchmod(fd, 0600) == 0 && bind(fd, (const struct sockaddr *)address, sizeof *address) == 0 &&
           listen(fd, backlog) == 0;
}

enum ks_result ks_local_listen(const char *path, int backlog, int *fd)
{
    struct sockaddr_un address;
    int directory_fd = -1;
    enum ks_result result = make_way(path);
    if (result != KS_OK)
        return result;
    *fd = -1;
    if (make_address(path, &address, &directory_fd))
        *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd >= 0 && !bind_privately(*fd, &address, backlog)) {
        close_keeping_errno(*fd);
        *fd = -1;
    }
    close_keeping_errno(directory_fd);
    return *fd >= 0 ? KS_OK : KS_IO;
}

enum ks_result ks_local_connect(const char *path, int *fd)
{
    struct sockaddr_un address;
    int directory_fd = -1;
    *fd = -1;
    if (make_address(path, &address, &directory_fd))
        *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd >= 0 && connect(*fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        close_keeping_errno(*fd);
        *fd = -1;
    }
    close_keeping_errno(directory_fd);
    if (*fd >= 0)
        return KS_OK;
    return errno == ENOENT || errno == ECONNREFUSED ? KS_NOT_FOUND : KS_IO;
}

bool ks_local_peer_is_trusted(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}
