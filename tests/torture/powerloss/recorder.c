/* recorder.c — a library to be preloaded (LD_PRELOAD): it enters into a recording what a program does to the
 * files below one directory, and when it sends. The program is as it is; its calls of the C library come
 * here, and so do SQLite's.
 *
 * From the environment, at the start:
 *   KESHER_RECORDER_LOG    the log (recording.h); without it everything goes straight to the system
 *   KESHER_RECORDER_ROOT   the directory, absolute, without links in it
 *   KESHER_RECORDER_DELAY  microseconds that each sync takes longer: a memory disk syncs in none, and then
 * nothing ever waits for the next group KESHER_RECORDER_FAIL   "syncfs:2": the second syncfs answers EIO, and
 * what was written to the files that were created in `staging` and is not synced is lost. Also fsync and
 * fdatasync: what was written to that file is lost. Later syncs of such a file by descriptor answer EIO as
 *                          Linux does it: once for each that was open, and for the first one opened later.
 *
 * The system is called by syscall(), so nothing here comes here again. Names of the C library that headers
 * have already declared are given to our functions as names of the linker's.
 */
#include "recording.h"

#include <arpa/inet.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define INSTEAD_OF(name) __asm__(name) __attribute__((visibility("default")))

enum { FRAMES = 24, DESCRIPTORS = 65536, MAPS_SIZE = 256 * 1024 };

static struct {
    char root[PATH_MAX]; /* "": nothing is recorded */
    size_t root_size;
    dev_t device;
    useconds_t delay;
    enum recording_sync fails;
    uint64_t fails_at; /* of its kind, counted from 1; 0: none */
    uint64_t syncs[RECORDING_SYNCFS + 1];
    unsigned
        failures_seen[DESCRIPTORS]; /* by descriptor: of its inode's, those that it was told or need not be */
} recorder;

/* ---- the start ---- */

static void read_failure(const char *text)
{
    static const char *const names[] = {
        [RECORDING_FSYNC] = "fsync:", [RECORDING_FDATASYNC] = "fdatasync:", [RECORDING_SYNCFS] = "syncfs:"};
    for (enum recording_sync kind = RECORDING_FSYNC; text != NULL && kind <= RECORDING_SYNCFS; kind++) {
        if (strncmp(text, names[kind], strlen(names[kind])) != 0)
            continue;
        recorder.fails = kind;
        recorder.fails_at = strtoul(text + strlen(names[kind]), NULL, 10);
    }
}

static void enter_maps(void)
{
    static char maps[MAPS_SIZE];
    size_t size = 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
    long got = fd < 0 ? 0 : 1;
    while (got > 0 && size < sizeof maps) {
        got = syscall(SYS_read, fd, maps + size, sizeof maps - size);
        size += got > 0 ? (size_t)got : 0;
    }
    if (fd >= 0)
        syscall(SYS_close, fd);
    struct recording_entry entry = {.kind = RECORDING_MAPS};
    recording_enter(&entry, maps, size);
}

__attribute__((constructor)) static void start(void)
{
    struct stat status;
    void *frames[1];
    /* There is one thread yet. NOLINTBEGIN(concurrency-mt-unsafe) */
    const char *log = getenv("KESHER_RECORDER_LOG");
    const char *root = getenv("KESHER_RECORDER_ROOT");
    const char *delay = getenv("KESHER_RECORDER_DELAY");
    if (log == NULL || root == NULL || strlen(root) >= sizeof recorder.root)
        return;
    if (stat(root, &status) != 0 || !recording_open(log)) {
        fprintf(stderr, "the recorder cannot open %s for %s\n", log, root);
        _exit(1); /* a run that is not recorded would look like one */
    }
    (void)backtrace(frames, 1); /* the first one loads a library */
    recorder.device = status.st_dev;
    recorder.delay = delay != NULL ? (useconds_t)strtoul(delay, NULL, 10) : 0;
    read_failure(getenv("KESHER_RECORDER_FAIL"));
    /* NOLINTEND(concurrency-mt-unsafe) */
    recording_remember(status.st_ino);
    enter_maps();
    recorder.root_size = strlen(root);
    memcpy(recorder.root, root, recorder.root_size);
}

/* ---- where a path leads ---- */

struct place {
    uint64_t directory;
    const char *name;
    size_t name_size;
    bool is_victim; /* in `staging` */
};

static bool is_known_directory(int directory)
{
    struct stat status;
    return fstat(directory, &status) == 0 && status.st_dev == recorder.device && S_ISDIR(status.st_mode) &&
           recording_find(status.st_ino) != NULL;
}

static bool is_below_root(int directory, const char *path)
{
    if (recorder.root_size == 0)
        return false;
    if (path[0] == '/')
        return strncmp(path, recorder.root, recorder.root_size) == 0 && path[recorder.root_size] == '/';
    return directory != AT_FDCWD && is_known_directory(directory);
}

/* False when the path is none of ours, or leads nowhere. Needs the lock. */
static bool find_place(int directory, const char *path, struct place *place)
{
    char parent[PATH_MAX] = ".";
    struct stat status;
    if (!is_below_root(directory, path) || strlen(path) >= sizeof parent)
        return false;
    const char *slash = strrchr(path, '/');
    if (slash != NULL) {
        memcpy(parent, path, (size_t)(slash - path));
        parent[slash - path] = '\0';
    }
    if (fstatat(directory, parent, &status, 0) != 0)
        return false;
    place->directory = status.st_ino;
    place->name = slash != NULL ? slash + 1 : path;
    place->name_size = strlen(place->name);
    const struct recording_inode *inode = recording_find(status.st_ino);
    place->is_victim = inode != NULL && inode->is_victim;
    return true;
}

static uint64_t inode_at(int directory, const char *path)
{
    struct stat status;
    return fstatat(directory, path, &status, AT_SYMLINK_NOFOLLOW) == 0 ? status.st_ino : 0;
}

static bool ends_with(const struct place *place, const char *end)
{
    size_t size = strlen(end);
    return place->name_size >= size && memcmp(place->name + place->name_size - size, end, size) == 0;
}

static void enter_change(enum recording_kind kind, const struct place *place, uint64_t inode, uint64_t length)
{
    struct recording_entry entry = {
        .kind = kind, .inode = inode, .other = place->directory, .length = length};
    recording_enter(&entry, place->name, place->name_size);
}

static void enter_unknown(const char *what)
{
    struct recording_entry entry = {.kind = RECORDING_UNKNOWN};
    recording_enter(&entry, what, strlen(what));
}

/* ---- opening ---- */

/* A file or directory of ours was opened. */
static void note_descriptor(int fd, const struct place *place)
{
    struct stat status;
    struct recording_inode *inode = fstat(fd, &status) == 0 ? recording_remember(status.st_ino) : NULL;
    if (inode == NULL || fd >= DESCRIPTORS) {
        enter_unknown("too many files");
        return;
    }
    if (S_ISDIR(status.st_mode))
        inode->is_victim = place->name_size == 7 && memcmp(place->name, "staging", 7) == 0;
    else
        inode->is_victim = place->is_victim;
    inode->is_shared_memory = ends_with(place, "-shm");
    recorder.failures_seen[fd] = inode->failures - (inode->failure_is_unseen ? 1 : 0);
}

static int open_at(int directory, const char *path, int flags, mode_t mode)
{
    struct place place;
    recording_lock();
    bool is_ours = find_place(directory, path, &place);
    uint64_t before = is_ours ? inode_at(directory, path) : 0;
    int fd = (int)syscall(SYS_openat, directory, path, flags, mode);
    int failure = errno;
    if (is_ours && fd >= 0) {
        note_descriptor(fd, &place);
        if (before == 0)
            enter_change(RECORDING_CREATE, &place, inode_at(directory, path), 0);
        else if ((flags & O_TRUNC) != 0)
            enter_change(RECORDING_TRUNCATE, &place, before, 0);
        if ((flags & O_TMPFILE) == O_TMPFILE)
            enter_unknown("a file without a name");
    }
    recording_unlock();
    errno = failure;
    return fd;
}

static mode_t mode_of(int flags, va_list arguments)
{
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? (mode_t)va_arg(arguments, int) : 0;
}

#define DEFINE_OPEN(function, name)                                                                          \
    int function(const char *path, int flags, ...) INSTEAD_OF(name);                                         \
    int function(const char *path, int flags, ...)                                                           \
    {                                                                                                        \
        va_list arguments;                                                                                   \
        va_start(arguments, flags);                                                                          \
        mode_t mode = mode_of(flags, arguments);                                                             \
        va_end(arguments);                                                                                   \
        return open_at(AT_FDCWD, path, flags, mode);                                                         \
    }

#define DEFINE_OPENAT(function, name)                                                                        \
    int function(int directory, const char *path, int flags, ...) INSTEAD_OF(name);                          \
    int function(int directory, const char *path, int flags, ...)                                            \
    {                                                                                                        \
        va_list arguments;                                                                                   \
        va_start(arguments, flags);                                                                          \
        mode_t mode = mode_of(flags, arguments);                                                             \
        va_end(arguments);                                                                                   \
        return open_at(directory, path, flags, mode);                                                        \
    }

DEFINE_OPEN(recorded_open, "open")
DEFINE_OPEN(recorded_open64, "open64")
DEFINE_OPEN(recorded_open_2, "__open_2")
DEFINE_OPEN(recorded_open64_2, "__open64_2")
DEFINE_OPENAT(recorded_openat, "openat")
DEFINE_OPENAT(recorded_openat64, "openat64")
DEFINE_OPENAT(recorded_openat_2, "__openat_2")
DEFINE_OPENAT(recorded_openat64_2, "__openat64_2")

/* ---- names ---- */

int recorded_mkdirat(int directory, const char *path, mode_t mode) INSTEAD_OF("mkdirat");
int recorded_mkdir(const char *path, mode_t mode) INSTEAD_OF("mkdir");
int recorded_unlinkat(int directory, const char *path, int flags) INSTEAD_OF("unlinkat");
int recorded_unlink(const char *path) INSTEAD_OF("unlink");
int recorded_rmdir(const char *path) INSTEAD_OF("rmdir");
int recorded_renameat2(int from, const char *old, int to, const char *new, unsigned flags)
    INSTEAD_OF("renameat2");
int recorded_renameat(int from, const char *old, int to, const char *new) INSTEAD_OF("renameat");
int recorded_rename(const char *old, const char *new) INSTEAD_OF("rename");
int recorded_linkat(int from, const char *old, int to, const char *new, int flags) INSTEAD_OF("linkat");
int recorded_link(const char *old, const char *new) INSTEAD_OF("link");

int recorded_mkdirat(int directory, const char *path, mode_t mode)
{
    struct place place;
    recording_lock();
    bool is_ours = find_place(directory, path, &place);
    int result = (int)syscall(SYS_mkdirat, directory, path, mode);
    int failure = errno;
    if (is_ours && result == 0)
        enter_change(RECORDING_MKDIR, &place, inode_at(directory, path), 0);
    recording_unlock();
    errno = failure;
    return result;
}

int recorded_mkdir(const char *path, mode_t mode)
{
    return recorded_mkdirat(AT_FDCWD, path, mode);
}

/* Sockets come without a call of ours, so they go without one. */
static bool is_socket(int directory, const char *path)
{
    struct stat status;
    return fstatat(directory, path, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(status.st_mode);
}

int recorded_unlinkat(int directory, const char *path, int flags)
{
    struct place place;
    recording_lock();
    bool is_ours = find_place(directory, path, &place) && !is_socket(directory, path);
    int result = (int)syscall(SYS_unlinkat, directory, path, flags);
    int failure = errno;
    if (is_ours && result == 0)
        enter_change((flags & AT_REMOVEDIR) != 0 ? RECORDING_RMDIR : RECORDING_UNLINK, &place, 0, 0);
    recording_unlock();
    errno = failure;
    return result;
}

int recorded_unlink(const char *path)
{
    return recorded_unlinkat(AT_FDCWD, path, 0);
}

int recorded_rmdir(const char *path)
{
    return recorded_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

static void enter_rename(const struct place *from, const struct place *to)
{
    char names[2 * NAME_MAX + 2];
    struct recording_entry entry = {
        .kind = RECORDING_RENAME, .other = from->directory, .inode = to->directory};
    int size = snprintf(names, sizeof names, "%s%c%s", from->name, '\0', to->name);
    recording_enter(&entry, names, (size_t)size);
}

int recorded_renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
    struct place source;
    struct place target;
    recording_lock();
    bool from_us = find_place(from, old, &source);
    bool to_us = find_place(to, new, &target);
    int result = (int)syscall(SYS_renameat2, from, old, to, new, flags);
    int failure = errno;
    if (result == 0 && from_us && to_us && flags == 0)
        enter_rename(&source, &target);
    else if (result == 0 && (from_us || to_us))
        enter_unknown("a rename across the root, or an exchange");
    recording_unlock();
    errno = failure;
    return result;
}

int recorded_renameat(int from, const char *old, int to, const char *new)
{
    return recorded_renameat2(from, old, to, new, 0);
}

int recorded_rename(const char *old, const char *new)
{
    return recorded_renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}

int recorded_linkat(int from, const char *old, int to, const char *new, int flags)
{
    struct place place;
    recording_lock();
    bool is_ours = find_place(to, new, &place);
    int result = (int)syscall(SYS_linkat, from, old, to, new, flags);
    int failure = errno;
    if (is_ours && result == 0)
        enter_change(RECORDING_LINK, &place, inode_at(to, new), 0);
    recording_unlock();
    errno = failure;
    return result;
}

int recorded_link(const char *old, const char *new)
{
    return recorded_linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
}

/* ---- bytes ---- */

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

static uint16_t peer_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer = {0};
    socklen_t size = sizeof peer;
    if (getpeername(fd, &peer.any, &size) != 0)
        return 0;
    if (peer.any.sa_family == AF_INET)
        return ntohs(peer.v4.sin_port);
    return peer.any.sa_family == AF_INET6 ? ntohs(peer.v6.sin6_port) : 0;
}

/* 0 when the socket is not a connection of a client's. */
static uint64_t enter_send(int fd)
{
    uint16_t port = recorder.root_size > 0 ? peer_port(fd) : 0;
    if (port == 0)
        return 0;
    recording_lock();
    struct recording_entry entry = {
        .kind = RECORDING_SEND_BEGIN, .call = recording_next_call(), .offset = port};
    recording_enter(&entry, NULL, 0);
    recording_unlock();
    return entry.call;
}

static ssize_t enter_sent(uint64_t call, ssize_t sent)
{
    int failure = errno;
    if (call == 0 || sent <= 0)
        return sent;
    recording_lock();
    struct recording_entry entry = {.kind = RECORDING_SEND_END, .call = call, .length = (uint64_t)sent};
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

ssize_t recorded_write(int fd, const void *bytes, size_t size) INSTEAD_OF("write");
ssize_t recorded_writev(int fd, const struct iovec *vectors, int count) INSTEAD_OF("writev");
ssize_t recorded_pwrite(int fd, const void *bytes, size_t size, off_t offset) INSTEAD_OF("pwrite");
ssize_t recorded_pwrite64(int fd, const void *bytes, size_t size, off_t offset) INSTEAD_OF("pwrite64");
ssize_t recorded_pwritev(int fd, const struct iovec *vectors, int count, off_t offset) INSTEAD_OF("pwritev");
ssize_t recorded_pwritev64(int fd, const struct iovec *vectors, int count, off_t offset)
    INSTEAD_OF("pwritev64");

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
        enter_unknown("fallocate");
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
            enter_unknown("a file is mapped to be written");
        recording_unlock();
    }
    return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}

void *recorded_mmap64(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    return recorded_mmap(address, size, protection, flags, fd, offset);
}

/* ---- syncs ---- */

static void lose(struct recording_inode *inode)
{
    struct recording_entry entry = {.kind = RECORDING_LOST, .inode = inode->number};
    recording_enter(&entry, NULL, 0);
    inode->is_written = false;
    inode->failures++;
    inode->failure_is_unseen = true;
}

static void lose_victims(void)
{
    size_t count = 0;
    struct recording_inode *inodes = recording_inodes(&count);
    for (size_t i = 0; i < count; i++)
        if (inodes[i].number != 0 && inodes[i].is_victim && inodes[i].is_written)
            lose(&inodes[i]);
}

/* Whether this sync is to fail: because it was chosen, or because of an earlier failure. */
static bool must_fail(enum recording_sync kind, int fd, struct recording_inode *inode)
{
    bool is_chosen = ++recorder.syncs[kind] == recorder.fails_at && kind == recorder.fails;
    if (kind == RECORDING_SYNCFS) {
        if (is_chosen)
            lose_victims();
        return is_chosen;
    }
    if (is_chosen && inode->is_written)
        lose(inode);
    bool is_told = fd < DESCRIPTORS && recorder.failures_seen[fd] != inode->failures;
    if (is_told) {
        recorder.failures_seen[fd] = inode->failures;
        inode->failure_is_unseen = false;
    }
    return is_chosen || is_told;
}

static void forget_written(enum recording_sync kind, struct recording_inode *inode)
{
    size_t count = 0;
    struct recording_inode *inodes = recording_inodes(&count);
    inode->is_written = false;
    for (size_t i = 0; kind == RECORDING_SYNCFS && i < count; i++)
        inodes[i].is_written = false;
}

static int sync_recorded(enum recording_sync kind, long number, int fd, struct recording_inode *inode)
{
    void *frames[FRAMES];
    int depth = backtrace(frames, FRAMES);
    recording_lock();
    struct recording_entry entry = {
        .kind = RECORDING_SYNC_BEGIN, .inode = inode->number, .length = kind, .call = recording_next_call()};
    recording_enter(&entry, frames, (size_t)depth * sizeof frames[0]);
    bool fails = must_fail(kind, fd, inode);
    if (!fails)
        forget_written(kind, inode);
    recording_unlock();
    int result = fails ? -1 : (int)syscall(number, fd);
    int failure = fails ? EIO : errno;
    if (recorder.delay > 0)
        usleep(recorder.delay);
    recording_lock();
    entry.kind = RECORDING_SYNC_END;
    entry.error = result == 0 ? 0 : failure;
    recording_enter(&entry, NULL, 0);
    recording_unlock();
    errno = failure;
    return result;
}

static int sync_descriptor(enum recording_sync kind, long number, int fd)
{
    struct stat status;
    struct recording_inode *inode = NULL;
    if (recorder.root_size > 0 && fstat(fd, &status) == 0 && status.st_dev == recorder.device) {
        recording_lock();
        inode = recording_find(status.st_ino);
        recording_unlock();
    }
    return inode != NULL ? sync_recorded(kind, number, fd, inode) : (int)syscall(number, fd);
}

int recorded_fsync(int fd) INSTEAD_OF("fsync");
int recorded_fdatasync(int fd) INSTEAD_OF("fdatasync");
int recorded_syncfs(int fd) INSTEAD_OF("syncfs");

int recorded_fsync(int fd)
{
    return sync_descriptor(RECORDING_FSYNC, SYS_fsync, fd);
}

int recorded_fdatasync(int fd)
{
    return sync_descriptor(RECORDING_FDATASYNC, SYS_fdatasync, fd);
}

int recorded_syncfs(int fd)
{
    return sync_descriptor(RECORDING_SYNCFS, SYS_syncfs, fd);
}
