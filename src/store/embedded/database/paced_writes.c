/* paced_writes.c — see paced_writes.h. SQLite lets its calls of the system be replaced, for the whole process
 * (sqlite3_vfs.xSetSystemCall): all others go on as before. */
#include "store/embedded/database/paced_writes.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <unistd.h>

enum { STEP = 256 * 1024 };

/* What was written and not waited for. */
static _Thread_local struct {
    bool is_paced;
    int fd;
    off_t from;
    off_t to;
    size_t bytes;
} unsettled;

static void note(int fd, off_t offset, ssize_t size)
{
    if (unsettled.bytes == 0 || unsettled.fd != fd) {
        unsettled.fd = fd;
        unsettled.from = offset;
        unsettled.to = offset;
        unsettled.bytes = 0;
    }
    if (offset < unsettled.from)
        unsettled.from = offset;
    if (offset + size > unsettled.to)
        unsettled.to = offset + size;
    unsettled.bytes += (size_t)size;
}

/* False with errno when what was written is lost. Where a file system cannot wait, there is no pace. */
static bool wait_for_disk(void)
{
    const unsigned all = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    unsettled.bytes = 0;
    return sync_file_range(unsettled.fd, unsettled.from, unsettled.to - unsettled.from, all) == 0 ||
           (errno != EIO && errno != ENOSPC && errno != EDQUOT);
}

static ssize_t paced_pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    ssize_t count = pwrite(fd, bytes, size, offset);
    if (!unsettled.is_paced || count <= 0)
        return count;
    note(fd, offset, count);
    return unsettled.bytes < STEP || wait_for_disk() ? count : -1;
}

void ks_paced_writes_install(void)
{
    sqlite3_vfs *system = sqlite3_vfs_find(NULL);
    if (system == NULL || system->iVersion < 3)
        return;
    const sqlite3_syscall_ptr call = (sqlite3_syscall_ptr)paced_pwrite;
    (void)system->xSetSystemCall(system, "pwrite", call); /* it has one of the two */
    (void)system->xSetSystemCall(system, "pwrite64", call);
}

void ks_paced_writes_begin(void)
{
    unsettled.is_paced = true;
}
