/* recorder_syncs.c — when a sync begins, from where, and when it has ended; and those that are to fail: see
 * recorder.c. */
#include "recorder.h"

#include <errno.h>
#include <execinfo.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { FRAMES = 24 };

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
    bool is_told = fd < RECORDER_DESCRIPTORS && recorder.failures_seen[fd] != inode->failures;
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
