/* ending_disk.h — calls that write to the disk come here by the linker's --wrap: after so many the program
 * dies, or the disk is full. scrypt is a cheap one. */
#ifndef KS_TESTS_UNIT_CLIENT_ENDING_DISK_H
#define KS_TESTS_UNIT_CLIENT_ENDING_DISK_H

#include "unit/unit.h"

#include "crypto/passphrase.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NEVER = -1, DIED = 99 };

static int calls_until_end = NEVER;
static bool end_is_failure; /* ENOSPC from then on, not death */

static inline bool call_fails(void)
{
    if (calls_until_end == NEVER)
        return false;
    if (calls_until_end > 0) {
        calls_until_end--;
        return false;
    }
    if (!end_is_failure)
        _exit(DIED);
    errno = ENOSPC;
    return true;
}

/* The names are the linker's. NOLINTBEGIN(bugprone-reserved-identifier) */
ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode);
int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
struct ks_scrypt_cost __wrap_ks_scrypt_cost_usual(void);
/* NOLINTEND(bugprone-reserved-identifier) */

ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
    /* Half of it gets to the disk. */
    if (calls_until_end == 0)
        assert_true(__real_write(fd, bytes, size / 2) >= 0);
    return call_fails() ? -1 : __real_write(fd, bytes, size);
}

int __wrap_fsync(int fd)
{
    return call_fails() ? -1 : __real_fsync(fd);
}

int __wrap_fchmod(int fd, mode_t mode)
{
    return call_fails() ? -1 : __real_fchmod(fd, mode);
}

int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    return call_fails() ? -1 : __real_renameat(from_fd, from, to_fd, to);
}

struct ks_scrypt_cost __wrap_ks_scrypt_cost_usual(void)
{
    return (struct ks_scrypt_cost){.log_n = 4, .r = 1, .p = 1};
}

#endif
