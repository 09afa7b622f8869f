/* log.c — see log.h. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LOG_LINE_SIZE = 1024 };

static const struct {
    const char *name;
    int priority; /* of syslog(3), as journald reads it */
} log_levels[] = {
    [KS_LOG_ERROR] = {"error", 3}, [KS_LOG_WARNING] = {"warning", 4}, [KS_LOG_NOTICE] = {"notice", 5},
    [KS_LOG_INFO] = {"info", 6},   [KS_LOG_DEBUG] = {"debug", 7},
};

struct ks_log ks_log_to_stderr(enum ks_log_level level)
{
    /* Called once, from main, before there are other threads. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    bool journald = getenv("JOURNAL_STREAM") != NULL && !isatty(STDERR_FILENO);
    return (struct ks_log){.fd = STDERR_FILENO, .level = level, .journald = journald};
}

static int log_prefix(const struct ks_log *log, enum ks_log_level level, char *line, size_t size)
{
    if (log->journald)
        return snprintf(line, size, "<%d>", log_levels[level].priority);
    struct timespec now;
    struct tm parts = {0};
    char stamp[32] = "";
    clock_gettime(CLOCK_REALTIME, &now);
    if (localtime_r(&now.tv_sec, &parts) != NULL)
        strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", &parts);
    return snprintf(line, size, "%s.%03ld %-7s ", stamp, now.tv_nsec / 1000000L, log_levels[level].name);
}

void ks_log_write(const struct ks_log *log, enum ks_log_level level, const char *format, ...)
{
    if (level > log->level)
        return;
    int saved_errno = errno;
    char line[LOG_LINE_SIZE];
    int used = log_prefix(log, level, line, sizeof line);
    va_list arguments;
    va_start(arguments, format);
    int text = vsnprintf(line + used, sizeof line - (size_t)used - 1, format, arguments);
    va_end(arguments);
    size_t size = (size_t)used + (text > 0 ? (size_t)text : 0);
    if (size > sizeof line - 2)
        size = sizeof line - 2;
    line[size++] = '\n';
    /* A log that cannot be written has nowhere to say so. */
    ssize_t written = write(log->fd, line, size);
    (void)written;
    errno = saved_errno;
}

bool ks_log_level_parse(const char *text, enum ks_log_level *level)
{
    for (size_t i = 0; i < sizeof log_levels / sizeof log_levels[0]; i++) {
        if (strcmp(text, log_levels[i].name) == 0) {
            *level = (enum ks_log_level)i;
            return true;
        }
    }
    return false;
}
