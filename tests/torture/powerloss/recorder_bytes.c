/* recorder_bytes.c — what is written to files, their sizes, and what is sent: see recorder.c. */
#include "recorder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>

enum { FIRST_OPERATOR = 1 << 16 /* of the numbers of operators, in place of ports */ };

enum target { TARGET_OTHER, TARGET_FILE, TARGET_SOCKET };

static enum target target_of(int fd, uint64_t *number)
{
    struct stat status;
    if (recorder.root_size == 0 || fstat(fd, &status) != 0)
        return TARGET_OTHER;
    *number = status.st_ino;
    if (S_ISSOCK(status.st_mode))
        return TARGET_SOCKET;
    return S_ISREG(status.st_mode) && status.st_dev == recorder.device ? TARGET_FILE : TARGET_OTHER;
}

/* Enters what was written, from the first byte of the vectors on. */
static void enter_write(uint64_t number, const struct iovec *vectors, int count, off_t offset, size_t written)
{
    struct recording_inode *inode = recording_find(number);
    if (inode == NULL || inode->is_shared_memory)
        return;
    inode->is_written = true;
    for (int i = 0; i < count && written > 0; i++) {
        size_t size = vectors[i].iov_len < written ? vectors[i].iov_len : written;
        struct recording_entry entry = {
            .kind = RECORDING_WRITE, .inode = number, .offset = (uint64_t)offset, .length = size};
        recording_enter(&entry, vectors[i].iov_base, size);
        offset += (off_t)size;
        written -= size;
    }
}

/* At `offset`; a negative one is the descriptor's own. */
static ssize_t write_file(int fd, uint64_t number, const struct iovec *vectors, int count, off_t offset)
{
    recording_lock();
    ssize_t written = offset < 0 ? syscall(SYS_writev, fd, vectors, count)
                                 : syscall(SYS_pwritev, fd, vectors, count, offset, 0L);
    int failure = errno;
    if (offset < 0 && written > 0)
        offset = lseek(fd, 0, SEEK_CUR) - written;
    if (written > 0)
        enter_write(number, vectors, count, offset, (size_t)written);
    recording_unlock();
    errno = failure;
    return written;
}

/* The name that the system gives to a socket which asks for one: a zero and five hexadecimal digits. */
static uint64_t number_of(const struct sockaddr_un *peer, socklen_t size)
{
    enum { DIGITS = 5 };
    char digits[DIGITS + 1] = {0};
    if (size != offsetof(struct sockaddr_un, sun_path) + 1 + DIGITS)
        return 0;
    memcpy(digits, peer->sun_path + 1, DIGITS);
    return FIRST_OPERATOR + strtoul(digits, NULL, 16);
}

/* Of a client its port, of an operator a number above all ports; 0 for others. */
static uint64_t peer_number(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    } peer = {0};
    socklen_t size = sizeof peer;
    if (getpeername(fd, &peer.any, &size) != 0)
        return 0;
    if (peer.any.sa_family == AF_UNIX)
        return number_of(&peer.local, size);
    if (peer.any.sa_family == AF_INET)
        return ntohs(peer.v4.sin_port);
    return peer.any.sa_family == AF_INET6 ? ntohs(peer.v6.sin6_port) : 0;
}

/* 0 when the socket is not a connection of a client's or an operator's. */
static uint64_t enter_send(int fd)
{
    uint64_t port = recorder.root_size > 0 ? peer_number(fd) : 0;
    if (port == 0)
        return 0;
    recording_lock();
    struct recording_entry entry = {
        .kind = RECORDING_SEND_BEGIN, .call = recording_next_call(), .offset = port};
    recording_enter(&entry, NULL, 0);
    recording_unlock();
    return entry.call;
}

/* One that failed has sent nothing; one without an end has sent nobody knows how much. */
static ssize_t enter_sent(uint64_t call, ssize_t sent)
{
    int failure = errno;
    if (call == 0)
        return sent;
    recording_lock();
    struct recording_entry entry = {
        .kind = RECORDING_SEND_END, .call = call, .length = sent > 0 ? (uint64_t)sent : 0};
    recording_enter(&entry, NULL, 0);
    recording_unlock();
    errno = failure;
    return sent;
}

static ssize_t write_vectors(int fd, const struct iovec *vectors, int count, off_t offset)
{
    uint64_t number = 0;
    enum target target = target_of(fd, &number);
    if (target == TARGET_FILE)
        return write_file(fd, number, vectors, count, offset);
    if (target == TARGET_SOCKET)
        return enter_sent(enter_send(fd), syscall(SYS_writev, fd, vectors, count));
    return offset < 0 ? syscall(SYS_writev, fd, vectors, count)
                      : syscall(SYS_pwritev, fd, vectors, count, offset, 0L);
}

/* Whether what is written there is recorded. */
static bool is_recorded(int fd, uint64_t *number)
{
    if (target_of(fd, number) != TARGET_FILE)
        return false;
    recording_lock();
    const struct recording_inode *inode = recording_find(*number);
    bool is_recorded = inode != NULL && !inode->is_shared_memory;
    recording_unlock();
    return is_recorded;
}

/* With RWF_DSYNC a write and, behind it, a sync of what it wrote: when that fails, so has the write. */
static ssize_t write_with_flags(int fd, const struct iovec *vectors, int count, off_t offset, int flags)
{
    uint64_t number = 0;
    if (flags == 0)
        return write_vectors(fd, vectors, count, offset);
    if (!is_recorded(fd, &number))
        return syscall(SYS_pwritev2, fd, vectors, count, offset, 0L, flags);
    if (flags == RWF_DSYNC && offset >= 0) {
        ssize_t written = write_file(fd, number, vectors, count, offset);
        bool is_synced = written <= 0 || recorder_sync_written(fd, number, offset, (size_t)written) == 0;
        return is_synced ? written : -1;
    }
    recording_lock();
    recorder_enter_unknown("pwritev2");
    recording_unlock();
    return syscall(SYS_pwritev2, fd, vectors, count, offset, 0L, flags);
}

ssize_t recorded_write(int fd, const void *bytes, size_t size) INSTEAD_OF("write");
ssize_t recorded_writev(int fd, const struct iovec *vectors, int count) INSTEAD_OF("writev");
ssize_t recorded_pwrite(int fd, const void *bytes, size_t size, off_t offset) INSTEAD_OF("pwrite");
ssize_t recorded_pwrite64(int fd, const void *bytes, size_t size, off_t offset) INSTEAD_OF("pwrite64");
ssize_t recorded_pwritev(int fd, const struct iovec *vectors, int count, off_t offset) INSTEAD_OF("pwritev");
ssize_t recorded_pwritev64(int fd, const struct iovec *vectors, int count, off_t offset)
    INSTEAD_OF("pwritev64");
ssize_t recorded_pwritev2(int fd, const struct iovec *vectors, int count, off_t offset, int flags)
    INSTEAD_OF("pwritev2");
ssize_t recorded_pwritev64v2(int fd, const struct iovec *vectors, int count, off_t offset, int flags)
    INSTEAD_OF("pwritev64v2");

ssize_t recorded_write(int fd, const void *bytes, size_t size)
{
    const struct iovec vector = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    return write_vectors(fd, &vector, 1, -1);
}

ssize_t recorded_writev(int fd, const struct iovec *vectors, int count)
{
    return write_vectors(fd, vectors, count, -1);
}

ssize_t recorded_pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    const struct iovec vector = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    return write_vectors(fd, &vector, 1, offset);
}

ssize_t recorded_pwrite64(int fd, const void *bytes, size_t size, off_t offset)
{
    return recorded_pwrite(fd, bytes, size, offset);
}

ssize_t recorded_pwritev(int fd, const struct iovec *vectors, int count, off_t offset)
{
    return write_vectors(fd, vectors, count, offset);
}

ssize_t recorded_pwritev64(int fd, const struct iovec *vectors, int count, off_t offset)
{
    return write_vectors(fd, vectors, count, offset);
}

ssize_t recorded_pwritev2(int fd, const struct iovec *vectors, int count, off_t offset, int flags)
{
    return write_with_flags(fd, vectors, count, offset, flags);
}

ssize_t recorded_pwritev64v2(int fd, const struct iovec *vectors, int count, off_t offset, int flags)
{
    return write_with_flags(fd, vectors, count, offset, flags);
}

ssize_t recorded_send(int fd, const void *bytes, size_t size, int flags) INSTEAD_OF("send");
ssize_t recorded_sendmsg(int fd, const struct msghdr *message, int flags) INSTEAD_OF("sendmsg");
ssize_t recorded_sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *address,
                        socklen_t address_size) INSTEAD_OF("sendto");

ssize_t recorded_sendto(int fd, const void *bytes, size_t size, int flags, const struct sockaddr *address,
                        socklen_t address_size)
{
    uint64_t call = address == NULL ? enter_send(fd) : 0;
    return enter_sent(call, syscall(SYS_sendto, fd, bytes, size, flags, address, address_size));
}

ssize_t recorded_send(int fd, const void *bytes, size_t size, int flags)
{
    return recorded_sendto(fd, bytes, size, flags, NULL, 0);
}

ssize_t recorded_sendmsg(int fd, const struct msghdr *message, int flags)
{
    uint64_t call = enter_send(fd);
    return enter_sent(call, syscall(SYS_sendmsg, fd, message, flags));
}

/* ---- sizes ---- */

static int set_size(int fd, off_t size, long (*change)(int fd, off_t size))
{
    uint64_t number = 0;
    if (target_of(fd, &number) != TARGET_FILE)
        return (int)change(fd, size);
    recording_lock();
    int result = (int)change(fd, size);
    int failure = errno;
    const struct recording_inode *inode = recording_find(number);
    if (result == 0 && inode != NULL && !inode->is_shared_memory) {
        struct recording_entry entry = {
            .kind = RECORDING_TRUNCATE, .inode = number, .length = (uint64_t)size};
        recording_enter(&entry, NULL, 0);
    }
    recording_unlock();
    errno = failure;
    return result;
}

static long truncate_file(int fd, off_t size)
{
    return syscall(SYS_ftruncate, fd, size);
}

int recorded_ftruncate(int fd, off_t size) INSTEAD_OF("ftruncate");
int recorded_ftruncate64(int fd, off_t size) INSTEAD_OF("ftruncate64");
int recorded_fallocate(int fd, int mode, off_t offset, off_t size) INSTEAD_OF("fallocate");
int recorded_fallocate64(int fd, int mode, off_t offset, off_t size) INSTEAD_OF("fallocate64");
int recorded_posix_fallocate(int fd, off_t offset, off_t size) INSTEAD_OF("posix_fallocate");
int recorded_posix_fallocate64(int fd, off_t offset, off_t size) INSTEAD_OF("posix_fallocate64");

int recorded_ftruncate(int fd, off_t size)
{
    return set_size(fd, size, truncate_file);
}

int recorded_ftruncate64(int fd, off_t size)
{
    return set_size(fd, size, truncate_file);
}

static long grow_file(int fd, off_t size)
{
    return syscall(SYS_fallocate, fd, 0, (off_t)0, size);
}

/* Without a change of size it is no change; holes and moves are none that a recording can have. */
int recorded_fallocate(int fd, int mode, off_t offset, off_t size)
{
    struct stat status;
    uint64_t number = 0;
    if (mode == 0 && fstat(fd, &status) == 0 && offset + size > status.st_size)
        return set_size(fd, offset + size, grow_file);
    if (mode != 0 && mode != FALLOC_FL_KEEP_SIZE && target_of(fd, &number) == TARGET_FILE) {
        recording_lock();
        recorder_enter_unknown("fallocate");
        recording_unlock();
    }
    return (int)syscall(SYS_fallocate, fd, mode, offset, size);
}

int recorded_fallocate64(int fd, int mode, off_t offset, off_t size)
{
    return recorded_fallocate(fd, mode, offset, size);
}

int recorded_posix_fallocate(int fd, off_t offset, off_t size)
{
    return recorded_fallocate(fd, 0, offset, size) == 0 ? 0 : errno;
}

int recorded_posix_fallocate64(int fd, off_t offset, off_t size)
{
    return recorded_posix_fallocate(fd, offset, size);
}

/* What is written through a map is seen by nobody here. */
void *recorded_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
    INSTEAD_OF("mmap");
void *recorded_mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset)
    INSTEAD_OF("mmap64");

void *recorded_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    uint64_t number = 0;
    bool writes = (protection & PROT_WRITE) != 0 && (flags & MAP_TYPE) != MAP_PRIVATE;
    if (fd >= 0 && writes && target_of(fd, &number) == TARGET_FILE) {
        recording_lock();
        const struct recording_inode *inode = recording_find(number);
        if (inode != NULL && !inode->is_shared_memory)
            recorder_enter_unknown("a file is mapped to be written");
        recording_unlock();
    }
    return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}

void *recorded_mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    return recorded_mmap(address, size, protection, flags, fd, offset);
}
