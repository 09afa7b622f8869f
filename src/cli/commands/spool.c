/* spool.c — see spool.h. */
#include "cli/commands/spool.h"

#include "base/file.h"
#include "base/text.h"
#include "cli/terminal/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const char *what, const char *directory)
{
    char shown[200];
    char reason[128];
    const char *text = strerror_r(errno, reason, sizeof reason);
    ks_text_escape(directory, strlen(directory), shown, sizeof shown);
    ks_output_failed(KESHER_FILE, "cannot %s '%s': %s; set TMPDIR to a directory with room", what, shown,
                     text);
    return -1;
}

/* O_TMPFILE where the file system has it, else a file that is unlinked at once. */
static int create_unlinked(const char *directory)
{
    char path[4096];
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    int length = snprintf(path, sizeof path, "%s/kesher-XXXXXX", directory);
    if (length < 0 || (size_t)length >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        (void)unlink(path);
    return fd;
}

static int copy(int from, int to, uint64_t limit, uint64_t *size, const char *directory)
{
    uint8_t step[64 * 1024];
    char reason[128];
    *size = 0;
    for (;;) {
        ssize_t got = read(from, step, sizeof step);
        if (got == 0)
            return 0;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            ks_output_failed(KESHER_FILE, "cannot read the standard input: %s",
                             strerror_r(errno, reason, sizeof reason));
            return -1;
        }
        *size += (uint64_t)got;
        if (*size > limit) {
            ks_output_failed(
                KESHER_FILE,
                "the standard input has more than %llu bytes, which is all that the protocol carries; "
                "split it",
                (unsigned long long)limit);
            return -1;
        }
        if (ks_file_write_all(to, step, (size_t)got) != KS_OK)
            return fail("write a temporary file in", directory);
    }
}

int ks_spool(int from, uint64_t limit, uint64_t *size)
{
    const char *directory =
        getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe): nobody changes the environment */
    if (directory == NULL || directory[0] == '\0')
        directory = "/tmp";
    int fd = create_unlinked(directory);
    if (fd < 0)
        return fail("make a temporary file in", directory);
    if (copy(from, fd, limit, size, directory) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int ks_spool_bytes(const void *bytes, size_t size, struct kesher_error *error)
{
    char reason[128];
    int fd = memfd_create("kesher", MFD_CLOEXEC);
    if (fd >= 0 && ks_file_write_all(fd, bytes, size) == KS_OK)
        return fd;
    *error = (struct kesher_error){.status = KESHER_FILE};
    (void)snprintf(error->sentence, sizeof error->sentence, "cannot keep the text in memory: %s",
                   strerror_r(errno, reason, sizeof reason));
    if (fd >= 0)
        close(fd);
    return -1;
}

static int refuse(const char *path, const char *why, struct kesher_error *error)
{
    char shown[300];
    *error = (struct kesher_error){.status = KESHER_FILE};
    ks_text_escape(path, strlen(path), shown, sizeof shown);
    (void)snprintf(error->sentence, sizeof error->sentence, "cannot send '%s': %s", shown, why);
    return -1;
}

int ks_spool_open(const char *path, bool no_link, uint64_t *size, struct kesher_error *error)
{
    struct stat status;
    char reason[128];
    /* O_NONBLOCK, so that a FIFO is refused instead of waited for. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (no_link ? O_NOFOLLOW : 0));
    if (fd < 0)
        return refuse(path, strerror_r(errno, reason, sizeof reason), error);
    const char *why = NULL;
    if (fstat(fd, &status) != 0)
        why = "its size cannot be found";
    else if (S_ISDIR(status.st_mode))
        why = "it is a directory; send its files one by one, or pack it first";
    else if (!S_ISREG(status.st_mode))
        why = "it is no regular file; give it as the standard input, -";
    if (why != NULL) {
        close(fd);
        return refuse(path, why, error);
    }
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    *size = (uint64_t)status.st_size;
    return fd;
}
