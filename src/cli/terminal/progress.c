/* progress.c — see progress.h. */
#include "cli/terminal/progress.h"

#include "base/clock.h"
#include "cli/terminal/output.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { DRAW_EVERY_MS = 100, SETTLE_MS = 500, DEFAULT_COLUMNS = 80, NUMBERS_COLUMNS = 40 };

static uint64_t now_ms(void)
{
    return ks_clock_monotonic_ms(ks_clock_system());
}

void ks_progress_start(struct ks_progress *progress, uint64_t total, bool quiet)
{
    *progress = (struct ks_progress){
        .drawing = !quiet && isatty(STDERR_FILENO) == 1,
        .total = total,
        .started_ms = now_ms(),
        .name = "",
    };
}

static int columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return DEFAULT_COLUMNS;
}

/* "12.3 MB" with the unit that leaves one to three digits before the point. */
static void format_bytes(double bytes, char *text, size_t capacity)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    size_t unit = 0;
    while (bytes >= 1000 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1000;
        unit++;
    }
    (void)snprintf(text, capacity, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

static void format_left(double seconds, char *text, size_t capacity)
{
    if (seconds > 359999) {
        (void)snprintf(text, capacity, "--:--");
        return;
    }
    unsigned whole = (unsigned)seconds;
    if (whole >= 3600)
        (void)snprintf(text, capacity, "%u:%02u:%02u", whole / 3600, whole / 60 % 60, whole % 60);
    else
        (void)snprintf(text, capacity, "%u:%02u", whole / 60, whole % 60);
}

static void draw(struct ks_progress *progress, uint64_t now)
{
    char rate_text[24];
    char left_text[24] = "--:--";
    uint64_t sent = progress->done + progress->current;
    uint64_t elapsed = now - progress->started_ms;
    double rate = elapsed == 0 ? 0 : (double)sent * 1000.0 / (double)elapsed;
    uint64_t percent = progress->total == 0 ? 100 : sent * 100 / progress->total;
    int room = columns() - NUMBERS_COLUMNS;
    format_bytes(rate, rate_text, sizeof rate_text);
    if (rate > 0 && elapsed >= SETTLE_MS && progress->total >= sent)
        format_left((double)(progress->total - sent) / rate, left_text, sizeof left_text);
    (void)fprintf(stderr, "\r\033[K%3llu%%  %s/s  %s left  %.*s", (unsigned long long)percent, rate_text,
                  left_text, room > 0 ? room : 0, progress->name);
    (void)fflush(stderr);
    progress->drawn_ms = now;
    progress->on_screen = true;
}

void ks_progress_update(struct ks_progress *progress, uint64_t sent)
{
    progress->current = sent;
    if (!progress->drawing)
        return;
    uint64_t now = now_ms();
    if (!progress->on_screen || now - progress->drawn_ms >= DRAW_EVERY_MS)
        draw(progress, now);
}

void ks_progress_file_done(struct ks_progress *progress, uint64_t size)
{
    progress->done += size;
    progress->current = 0;
    if (progress->drawing && now_ms() - progress->drawn_ms >= DRAW_EVERY_MS)
        draw(progress, now_ms());
}

void ks_progress_clear(struct ks_progress *progress)
{
    if (!progress->on_screen)
        return;
    (void)fputs("\r\033[K", stderr);
    (void)fflush(stderr);
    progress->on_screen = false;
}

void ks_progress_notice(void *context, const char *line)
{
    if (context != NULL)
        ks_progress_clear(context);
    ks_output_notice("%s", line);
}
