/* notify.c — see notify.h. */
#include "server/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NOTIFY_TEXT_SIZE = 1024, NOTIFY_PATIENCE_SECONDS = 5 };

/* Before there is a second thread, and the environment is never written. */
static const char *environment(const char *name)
{
    const char *value = getenv(name); // NOLINT(concurrency-mt-unsafe): see above
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* A whole number, or 0. */
static uint64_t number_in(const char *text)
{
    char *end = NULL;
    errno = 0;
    uint64_t number = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    return errno == 0 && end != NULL && *end == '\0' ? number : 0;
}

/* Twice as often as the manager wants it, as sd_watchdog_enabled(3) recommends. */
static uint64_t watchdog_interval(void)
{
    const char *interval = environment("WATCHDOG_USEC");
    const char *pid = environment("WATCHDOG_PID");
    if (interval == NULL || (pid != NULL && number_in(pid) != (uint64_t)getpid()))
        return 0;
    uint64_t us = number_in(interval);
    return us > 0 && us < 2000 ? 1 : us / 2000;
}

/* A path, or "@name" in the abstract name space, where the bytes of the name are all there is. */
static enum ks_result set_address(struct ks_notify *notify, const char *name)
{
    size_t size = strlen(name);
    if ((name[0] != '/' && name[0] != '@') || size < 2 || size >= sizeof notify->address.sun_path)
        return KS_INVALID;
    notify->address.sun_family = AF_UNIX;
    memcpy(notify->address.sun_path, name, size + 1);
    if (name[0] == '@')
        notify->address.sun_path[0] = '\0';
    notify->address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    return KS_OK;
}

enum ks_result ks_notify_open(struct ks_notify *notify)
{
    const struct timeval patience = {.tv_sec = NOTIFY_PATIENCE_SECONDS};
    const char *name = environment("NOTIFY_SOCKET");
    *notify = (struct ks_notify){.fd = -1};
    if (name == NULL)
        return KS_OK;
    enum ks_result result = set_address(notify, name);
    if (result != KS_OK)
        return result;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return KS_IO;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0) {
        close(fd);
        return KS_IO;
    }
    notify->fd = fd;
    notify->watchdog_ms = watchdog_interval();
    return KS_OK;
}

void ks_notify_close(struct ks_notify *notify)
{
    if (notify->fd >= 0)
        close(notify->fd);
    notify->fd = -1;
}

static enum ks_result tell(const struct ks_notify *notify, const char *text)
{
    if (notify->fd < 0)
        return KS_OK;
    ssize_t sent = sendto(notify->fd, text, strlen(text), MSG_NOSIGNAL,
                          (const struct sockaddr *)&notify->address, notify->address_size);
    return sent < 0 ? KS_IO : KS_OK;
}

enum ks_result ks_notify_ready(const struct ks_notify *notify, const char *status)
{
    char text[NOTIFY_TEXT_SIZE];
    int used = snprintf(text, sizeof text, "READY=1\nSTATUS=");
    snprintf(text + used, sizeof text - (size_t)used, "%s", status);
    /* A line break would begin another assignment. */
    for (char *at = text + used; *at != '\0'; at++)
        if ((unsigned char)*at < ' ')
            *at = ' ';
    return tell(notify, text);
}

enum ks_result ks_notify_reloading(const struct ks_notify *notify)
{
    char text[NOTIFY_TEXT_SIZE];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t us = (uint64_t)now.tv_sec * 1000000U + (uint64_t)now.tv_nsec / 1000U;
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, us);
    return tell(notify, text);
}

enum ks_result ks_notify_stopping(const struct ks_notify *notify)
{
    return tell(notify, "STOPPING=1");
}

enum ks_result ks_notify_alive(const struct ks_notify *notify)
{
    return tell(notify, "WATCHDOG=1");
}

void ks_notify_check(const struct ks_log *log, enum ks_result told)
{
    if (told != KS_OK)
        ks_log_warning(log, "cannot tell the service manager: %s", ks_result_text(told));
}
