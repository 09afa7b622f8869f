/* recorder.c — a library to be preloaded (LD_PRELOAD): it enters into a recording what a program does to the
 * files below one directory, and when it sends. The program is as it is; its calls of the C library come
 * here, and so do SQLite's. Here: the start, opening, and names; recorder_bytes.c has what is written and
 * sent, recorder_syncs.c what is synced.
 *
 * From the environment, at the start:
 *
 *   KESHER_RECORDER_LOG    the log (recording.h); without it everything goes straight to the system
 *   KESHER_RECORDER_ROOT   the directory, absolute, without links in it
 *   KESHER_RECORDER_DELAY  microseconds that each sync takes longer: a memory disk syncs in none, and then
 *                          nothing ever waits for the next group
 *   KESHER_RECORDER_FAIL   "syncfs:2": the second syncfs answers EIO, and what was written to the files that
 *                          were created in `staging` and is not synced is lost. Also fsync and fdatasync:
 * what was written to that file is lost. And dsync, a write with RWF_DSYNC: what it wrote is lost. Later
 * syncs of such a file by descriptor answer EIO as Linux does it: once for each that was open, and for the
 * first one opened later.
 *
 * The system is called by syscall(), so nothing here comes here again. Names of the C library that headers
 * have already declared are given to our functions as names of the linker's.
 */
#include "recorder.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { MAPS_SIZE = 256 * 1024 };

struct recorder recorder;

/* ---- the start ---- */

static void read_failure(const char *text)
{
    static const char *const names[] = {
        [RECORDING_FSYNC] = "fsync:",
        [RECORDING_FDATASYNC] = "fdatasync:",
        [RECORDING_SYNCFS] = "syncfs:",
        [RECORDING_DSYNC] = "dsync:",
    };
    for (enum recording_sync kind = RECORDING_FSYNC; text != NULL && kind < RECORDING_SYNCS; kind++) {
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

void recorder_enter_unknown(const char *what)
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
    if (inode == NULL || fd >= RECORDER_DESCRIPTORS) {
        recorder_enter_unknown("too many files");
        return;
    }
    if (S_ISDIR(status.st_mode))
        inode->is_victim = place->name_size == 7 && memcmp(place->name, "staging", 7) == 0;
    else
        inode->is_victim = place->is_victim;
    inode->is_shared_memory = ends_with(place, "-shm");
    recorder.failures_seen[fd] = inode->failures - (inode->failure_is_unseen ? 1 : 0);
}

/* It gets its name with a link, if at all. */
static void enter_unnamed(int fd, const struct place *directory)
{
    const struct place nowhere = {.directory = directory->directory, .name = ""};
    struct stat status;
    if (fstat(fd, &status) == 0)
        enter_change(RECORDING_CREATE, &nowhere, status.st_ino, 0);
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
        if ((flags & O_TMPFILE) == O_TMPFILE)
            enter_unnamed(fd, &place);
        else if (before == 0)
            enter_change(RECORDING_CREATE, &place, inode_at(directory, path), 0);
        else if ((flags & O_TRUNC) != 0)
            enter_change(RECORDING_TRUNCATE, &place, before, 0);
    }
    recording_unlock();
    errno = failure;
    return fd;
}

INSTEAD_OF_OPENS(open_at)

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
        recorder_enter_unknown("a rename across the root, or an exchange");
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
