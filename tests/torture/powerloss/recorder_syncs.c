/* recorder_syncs.c — when a sync begins, from where, and when it has ended; and those that are to fail: see
 * recorder.c. */
#include "recorder.h"

#include <errno.h>
#include <execinfo.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { FRAMES = 24 };

/* Of what, all of it or only what a write wrote. */
struct synced {
    enum recording_sync kind;
    struct recording_inode *inode;
    off_t offset;
    size_t size;
};

/* What was written to a file and not synced, or `size` bytes of it; 0: all. */
static void lose(struct recording_inode *inode, off_t offset, size_t size)
{
    struct recording_entry entry = {
        .kind = RECORDING_LOST, .inode = inode->number, .offset = (uint64_t)offset, .length = size};
    recording_enter(&entry, NULL, 0);
    if (size == 0)
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
            lose(&inodes[i], 0, 0);
}

/* Whether this sync is to fail: because it was chosen, or because of an earlier failure. */
static bool must_fail(const struct synced *synced, int fd)
{
    struct recording_inode *inode = synced->inode;
    bool is_chosen = ++recorder.syncs[synced->kind] == recorder.fails_at && synced->kind == recorder.fails;
    if (synced->kind == RECORDING_SYNCFS) {
        if (is_chosen)
            lose_victims();
        return is_chosen;
    }
    if (is_chosen && inode->is_written)
        lose(inode, synced->offset, synced->size);
    bool is_told = fd < RECORDER_DESCRIPTORS && recorder.failures_seen[fd] != inode->failures;
    if (is_told) {
        recorder.failures_seen[fd] = inode->failures;
        inode->failure_is_unseen = false;
    }
    return is_chosen || is_told;
}

/* A write's own sync leaves it open whether the file has more. */
static void forget_written(const struct synced *synced)
{
    size_t count = 0;
    struct recording_inode *inodes = recording_inodes(&count);
    if (synced->kind != RECORDING_DSYNC)
        synced->inode->is_written = false;
    for (size_t i = 0; synced->kind == RECORDING_SYNCFS && i < count; i++)
        inodes[i].is_written = false;
}

static int sync_recorded(const struct synced *synced, long number, int fd)
{
    void *frames[FRAMES];
    int depth = backtrace(frames, FRAMES);
    recording_lock();
    struct recording_entry entry = {
        .kind = RECORDING_SYNC_BEGIN,
        .inode = synced->inode->number,
        .length = synced->kind,
        .offset = (uint64_t)synced->offset,
        .other = synced->size,
        .call = recording_next_call(),
    };
    recording_enter(&entry, frames, (size_t)depth * sizeof frames[0]);
    bool fails = must_fail(synced, fd);
    if (!fails)
        forget_written(synced);
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

static struct recording_inode *find_inode(uint64_t number)
{
    recording_lock();
    struct recording_inode *inode = recording_find(number);
    recording_unlock();
    return inode;
}

static int sync_descriptor(enum recording_sync kind, long number, int fd)
{
    struct stat status;
    struct synced synced = {.kind = kind};
    if (recorder.root_size > 0 && fstat(fd, &status) == 0 && status.st_dev == recorder.device)
        synced.inode = find_inode(status.st_ino);
    return synced.inode != NULL ? sync_recorded(&synced, number, fd) : (int)syscall(number, fd);
}

/* The system may do more than is asked here: what counts is what is entered. */
int recorder_sync_written(int fd, uint64_t inode, off_t offset, size_t size)
{
    const struct synced synced = {
        .kind = RECORDING_DSYNC, .inode = find_inode(inode), .offset = offset, .size = size};
    return sync_recorded(&synced, SYS_fdatasync, fd);
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
