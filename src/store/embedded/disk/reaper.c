/* reaper.c — see reaper.h. An open descriptor keeps an inode without names; closing it frees the space. */
#include "store/embedded/disk/reaper.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LARGE = 4 * 1024 * 1024 }; /* bytes: less is freed faster than another thread is woken */

struct ks_held_file {
    struct ks_task task;
    int fd;
};

enum ks_result ks_reaper_start(struct ks_thread **reaper)
{
    static const struct ks_thread_hooks no_hooks = {0};
    return ks_thread_start(reaper, "store-reaper", &no_hooks);
}

struct ks_held_file *ks_reaper_hold(int directory_fd, const char *path)
{
    struct stat status;
    if (fstatat(directory_fd, path, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode) ||
        status.st_size < LARGE)
        return NULL;
    struct ks_held_file *held = calloc(1, sizeof *held);
    if (held == NULL)
        return NULL;
    held->fd = openat(directory_fd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (held->fd >= 0)
        return held;
    free(held);
    return NULL;
}

static void close_held(struct ks_task *task)
{
    struct ks_held_file *held = KS_CONTAINER_OF(task, struct ks_held_file, task);
    close(held->fd);
    free(held);
}

void ks_reaper_let_go(struct ks_thread *reaper, struct ks_held_file *held)
{
    if (held == NULL)
        return;
    held->task.run = close_held;
    ks_executor_post(ks_thread_executor(reaper), &held->task);
}
