/* log.h — one line per event to a file descriptor, with a level and, under journald, its priority prefix.
 *
 * Any thread may log; a line is one write(2), so lines never mix. Text from strangers goes through
 * ks_text_escape_quoted before it comes here, and stands in quotation marks. Never a secret: no ids, no keys,
 * no contents.
 */
#ifndef KS_BASE_LOG_H
#define KS_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum ks_log_level {
    KS_LOG_ERROR,   /* the operator must act */
    KS_LOG_WARNING, /* the operator should know */
    KS_LOG_NOTICE,  /* start, stop, ready */
    KS_LOG_INFO,    /* connections and what became of them */
    KS_LOG_DEBUG,   /* every request */
};

/* How many lines a second strangers may cause; shared by all threads. Lines at debug have a rate of their
 * own, or requests would push out what is refused. Zeros: no limit. */
struct ks_log_rate {
    _Atomic unsigned per_second; /* 0: no limit */
    _Atomic int64_t second;      /* that the next three count */
    _Atomic unsigned written;
    _Atomic unsigned debugged;
    _Atomic unsigned suppressed;
    _Atomic uint64_t suppressed_in_all;
};

struct ks_log_repeats;

struct ks_log {
    int fd;                           /* usually 2 */
    _Atomic(enum ks_log_level) level; /* lines above it are dropped; may be changed at any time */
    bool journald;                    /* "<N>" before the line instead of a time stamp */
    struct ks_log_rate *rate;         /* NULL: no limit */
    struct ks_log_repeats *repeats;   /* of log_repeats.h; NULL: no limit */
};

/* A log to stderr; the journald form when $JOURNAL_STREAM says that stderr goes there. */
struct ks_log ks_log_to_stderr(enum ks_log_level level);

/* Whether lines of this level are written: so that nothing is made ready for those that are not. */
static inline bool ks_log_shows(const struct ks_log *log, enum ks_log_level level)
{
    return level <= atomic_load_explicit(&log->level, memory_order_relaxed);
}

/* Writes one line; a longer one than 1023 bytes is cut. Never fails, keeps errno. Errors and notices are
 * always written; of the rest no more than the rate allows, and then a line tells how many were left out. */
void ks_log_write(const struct ks_log *log, enum ks_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "error", "warning", "notice", "info" or "debug" to a level; false for anything else. */
bool ks_log_level_parse(const char *text, enum ks_log_level *level);

#define ks_log_error(log, ...)   ks_log_write((log), KS_LOG_ERROR, __VA_ARGS__)
#define ks_log_warning(log, ...) ks_log_write((log), KS_LOG_WARNING, __VA_ARGS__)
#define ks_log_notice(log, ...)  ks_log_write((log), KS_LOG_NOTICE, __VA_ARGS__)
#define ks_log_info(log, ...)    ks_log_write((log), KS_LOG_INFO, __VA_ARGS__)
#define ks_log_debug(log, ...)   ks_log_write((log), KS_LOG_DEBUG, __VA_ARGS__)

#endif
