/* progress.c — see progress.h. */
#include "cli/terminal/progress.h"

#include "base/clock.h"
#include "cli/terminal/output.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    DRAW_EVERY_MS = 200,
    DRAW_AGAIN_MS = 50, /* where it was taken off the screen */
    DEFAULT_COLUMNS = 80,
    LARGEST_STEP = 1024 * 1024, /* what a file begins with beyond that was there before */
};

static uint64_t now_ms(void)
{
    return ks_clock_monotonic_ms(ks_clock_system());
}

void ks_progress_start(struct ks_progress *progress, uint64_t total, bool quiet)
{
    *progress = (struct ks_progress){
        .drawing = !quiet && isatty(STDERR_FILENO) == 1,
        .total = total,
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

static void draw(struct ks_progress *progress, uint64_t now)
{
    char text[KS_PROGRESS_TEXT_SIZE];
    const struct ks_progress_view view = {
        .done = progress->moved,
        .total = progress->total,
        .rate = progress->rate.per_second,
        .is_settled = ks_rate_is_settled(&progress->rate),
        .file = progress->files_done < progress->files ? progress->files_done + 1 : progress->files,
        .files = progress->files,
        .name = progress->name,
    };
    ks_progress_text(&view, columns(), text);
    (void)fprintf(stderr, "\r\033[K%s", text);
    (void)fflush(stderr);
    progress->drawn_ms = now;
    progress->on_screen = true;
}

static void draw_when_due(struct ks_progress *progress, uint64_t now)
{
    uint64_t every = progress->on_screen ? DRAW_EVERY_MS : DRAW_AGAIN_MS;
    if (progress->drawing && now - progress->drawn_ms >= every)
        draw(progress, now);
}

static void count(struct ks_progress *progress, uint64_t moved)
{
    uint64_t now = now_ms();
    ks_rate_count(&progress->rate, now, moved);
    draw_when_due(progress, now);
}

void ks_progress_move(struct ks_progress *progress, uint64_t *before, uint64_t sent)
{
    bool was_there = sent < *before || (*before == 0 && sent > LARGEST_STEP);
    uint64_t step = was_there ? 0 : sent - *before;
    progress->moved += sent - *before; /* may be less than nothing */
    *before = sent;
    count(progress, step);
}

void ks_progress_done(struct ks_progress *progress, uint64_t *before, uint64_t size)
{
    progress->files_done++;
    progress->moved += size - *before;
    *before = size;
    count(progress, 0);
}

void ks_progress_update(struct ks_progress *progress, uint64_t sent)
{
    ks_progress_move(progress, &progress->current, sent);
}

void ks_progress_file_done(struct ks_progress *progress, uint64_t size)
{
    ks_progress_done(progress, &progress->current, size);
    progress->current = 0;
}

void ks_progress_clear(struct ks_progress *progress)
{
    if (!progress->on_screen)
        return;
    (void)fputs("\r\033[K", stderr);
    (void)fflush(stderr);
    progress->on_screen = false;
}

void ks_progress_restore(struct ks_progress *progress)
{
    if (progress->drawn_ms != 0)
        draw_when_due(progress, now_ms());
}

void ks_progress_notice(void *context, const char *line)
{
    if (context != NULL)
        ks_progress_clear(context);
    ks_output_notice("%s", line);
}
