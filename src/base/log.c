/* log.c — see log.h. */
#include "base/log.h"

#include "base/file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* The variable names what systemd connected, and is inherited: stderr may have been sent elsewhere since. */
static bool stderr_is_the_journal(void)
{
    /* Asked for by main, before there are other threads. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    if (stream == NULL || fstat(STDERR_FILENO, &status) != 0)
        return false;
    char ours[64];
    snprintf(ours, sizeof ours, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return strcmp(ours, stream) == 0;
}

struct ks_log ks_log_to_stderr(enum ks_log_level level)
{
    return (struct ks_log){.fd = STDERR_FILENO, .level = level, .journald = stderr_is_the_journal()};
}

static int log_prefix(const struct ks_log *log, enum ks_log_level level, char *line, size_t size)
{
    if (log->journald)
        return snprintf(line, size, "<%d>", log_levels[level].priority);
    struct timespec now;
    struct tm parts = {0};
    char stamp[32] = "";
    char offset[8] = "";
    clock_gettime(CLOCK_REALTIME, &now);
    if (localtime_r(&now.tv_sec, &parts) != NULL) {
        strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", &parts);
        strftime(offset, sizeof offset, "%z",
                 &parts); /* else nobody knows what hour a line of autumn is of */
    }
    return snprintf(line, size, "%s.%03ld%s %-7s ", stamp, now.tv_nsec / 1000000L, offset,
                    log_levels[level].name);
}

/* A line of the operator's own, or within the rate. */
static bool may_write(struct ks_log_rate *rate, enum ks_log_level level, unsigned *suppressed)
{
    *suppressed = 0;
    unsigned limit = rate == NULL ? 0 : atomic_load_explicit(&rate->per_second, memory_order_relaxed);
    if (limit == 0)
        return true;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    int64_t second = atomic_load_explicit(&rate->second, memory_order_relaxed);
    if (second != now.tv_sec && atomic_compare_exchange_strong(&rate->second, &second, now.tv_sec)) {
        atomic_store_explicit(&rate->written, 0, memory_order_relaxed);
        atomic_store_explicit(&rate->debugged, 0, memory_order_relaxed);
        *suppressed = atomic_exchange(&rate->suppressed, 0);
    }
    _Atomic unsigned *written = level == KS_LOG_DEBUG ? &rate->debugged : &rate->written;
    if (level == KS_LOG_ERROR || level == KS_LOG_NOTICE ||
        atomic_fetch_add_explicit(written, 1, memory_order_relaxed) < limit)
        return true;
    atomic_fetch_add_explicit(&rate->suppressed, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&rate->suppressed_in_all, 1, memory_order_relaxed);
    return false;
}

static void write_line(const struct ks_log *log, enum ks_log_level level, const char *format,
                       va_list arguments) __attribute__((format(printf, 3, 0)));

static void write_line(const struct ks_log *log, enum ks_log_level level, const char *format,
                       va_list arguments)
{
    char line[LOG_LINE_SIZE];
    int used = log_prefix(log, level, line, sizeof line);
    int text = vsnprintf(line + used, sizeof line - (size_t)used - 1, format, arguments);
    size_t size = (size_t)used + (text > 0 ? (size_t)text : 0);
    if (size > sizeof line - 2)
        size = sizeof line - 2;
    line[size++] = '\n';
    /* A log that cannot be written has nowhere to say so. */
    (void)ks_file_write_all(log->fd, line, size);
}

static void write_formatted(const struct ks_log *log, enum ks_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void write_formatted(const struct ks_log *log, enum ks_log_level level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_line(log, level, format, arguments);
    va_end(arguments);
}

void ks_log_write(const struct ks_log *log, enum ks_log_level level, const char *format, ...)
{
    unsigned suppressed = 0;
    if (!ks_log_shows(log, level))
        return;
    int saved_errno = errno;
    bool allowed = may_write(log->rate, level, &suppressed);
    if (suppressed > 0)
        write_formatted(log, KS_LOG_WARNING, "%u lines were left out: more than log-rate allows", suppressed);
    if (allowed) {
        va_list arguments;
        va_start(arguments, format);
        write_line(log, level, format, arguments);
        va_end(arguments);
    }
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
