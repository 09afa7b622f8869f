/* progress_text.c — see progress_text.h. */
#include "cli/terminal/progress_text.h"

#include "cli/terminal/shown_size.h"

#include <stdio.h>
#include <string.h>

/* ---- the rate ---- */

enum { COUNT_EVERY_MS = 200, MEAN_MS = 4000, SETTLED_MS = 1000 };

void ks_rate_count(struct ks_rate *rate, uint64_t now_ms, uint64_t bytes)
{
    if (!rate->has_begun) {
        *rate = (struct ks_rate){.has_begun = true, .began_ms = now_ms, .counted_ms = now_ms};
        return;
    }
    rate->uncounted += bytes;
    uint64_t passed = now_ms - rate->counted_ms;
    if (passed < COUNT_EVERY_MS)
        return;
    /* A plain mean until MEAN_MS are full. */
    uint64_t before = rate->counted_ms - rate->began_ms;
    double weight = (double)passed / (double)(passed + (before < MEAN_MS ? before : MEAN_MS));
    double now = (double)rate->uncounted * 1000.0 / (double)passed;
    rate->per_second += (now - rate->per_second) * weight;
    rate->counted_ms = now_ms;
    rate->uncounted = 0;
}

bool ks_rate_is_settled(const struct ks_rate *rate)
{
    return rate->has_begun && rate->counted_ms - rate->began_ms >= SETTLED_MS;
}

/* ---- parts of the line ---- */

enum {
    PART_SIZE = 128,
    NUMBER_SIZE = 32,
    BAR_MOST = 30, /* columns, with its brackets */
    BAR_LEAST = 8,
    NAME_WANTED = 24, /* columns that a bar leaves the name */
    NAME_LEAST = 8,
    ROOMY = 60, /* columns from which on there is room for words */
    GAP = 2,    /* between parts */
    SPARE = 3,  /* for the ^C that a terminal echoes, and the last column, behind which it may begin a line */
};

/* Both sums fit double better than a product of theirs fits 64 bits. */
static unsigned percent_of(const struct ks_progress_view *view)
{
    if (view->total == 0 || view->done >= view->total)
        return 100;
    return (unsigned)((double)view->done * 100.0 / (double)view->total);
}

static void write_left(const struct ks_progress_view *view, char text[static NUMBER_SIZE])
{
    enum { MINUTE = 60, HOUR = 3600, LONGEST = 100 * HOUR - 1 };
    uint64_t missing = view->total > view->done ? view->total - view->done : 0;
    double seconds = view->rate > 0 ? (double)missing / view->rate : LONGEST + 1.0;
    if (!view->is_settled || seconds > LONGEST) {
        (void)snprintf(text, NUMBER_SIZE, "-:--");
        return;
    }
    unsigned whole = (unsigned)(seconds + 0.5);
    if (whole >= HOUR)
        (void)snprintf(text, NUMBER_SIZE, "%u:%02u:%02u", whole / HOUR, whole / MINUTE % 60, whole % MINUTE);
    else
        (void)snprintf(text, NUMBER_SIZE, "%u:%02u", whole / MINUTE, whole % MINUTE);
}

/* What stands behind the bar, but for the name. Numbers have a width, so that what follows stands still. */
static void write_numbers(const struct ks_progress_view *view, bool is_roomy, char text[static PART_SIZE])
{
    char size[KS_SHOWN_SIZE_SIZE];
    char left[NUMBER_SIZE];
    char rate[NUMBER_SIZE];
    write_left(view, left);
    (void)snprintf(rate, sizeof rate, "%s/s", ks_shown_size(view->rate, size));
    if (!is_roomy)
        (void)snprintf(text, PART_SIZE, "%10s %6s", rate, left);
    else if (view->files > 1)
        (void)snprintf(text, PART_SIZE, "%10s %8s left  %zu of %zu", rate, left, view->file, view->files);
    else
        (void)snprintf(text, PART_SIZE, "%10s %8s left", rate, left);
}

static void write_bar(unsigned percent, int width, char text[static PART_SIZE])
{
    int inside = width - 2;
    int full = (int)percent * inside / 100;
    text[0] = '[';
    memset(text + 1, '=', (size_t)full);
    memset(text + 1 + full, ' ', (size_t)(inside - full));
    if (full < inside)
        text[1 + full] = '>';
    text[1 + inside] = ']';
    text[2 + inside] = '\0';
}

static bool begins_character(char byte)
{
    return ((unsigned char)byte & 0xc0) != 0x80;
}

static bool is_ascii(char byte)
{
    return ((unsigned char)byte & 0x80) == 0;
}

/* The longest end of the name that fits; *cut when something is missing before it. */
static const char *end_that_fits(const char *name, int room, bool *cut)
{
    const char *end = name + strlen(name);
    const char *from = end;
    while (end > name) {
        do
            end--;
        while (end > name && !begins_character(*end));
        room -= is_ascii(*end) ? 1 : 2;
        if (room < 0)
            break;
        from = end;
    }
    *cut = from > name;
    return from;
}

/* ---- the line ---- */

static int write_name(const char *name, int room, char *text, size_t capacity)
{
    bool cut = false;
    const char *shown = end_that_fits(name, room, &cut);
    if (cut)
        shown = end_that_fits(name, room - 3, &cut);
    return snprintf(text, capacity, "  %s%s", cut ? "..." : "", shown);
}

void ks_progress_text(const struct ks_progress_view *view, int columns,
                      char text[static KS_PROGRESS_TEXT_SIZE])
{
    char numbers[PART_SIZE];
    char bar[PART_SIZE] = "";
    unsigned percent = percent_of(view);
    int used = snprintf(text, KS_PROGRESS_TEXT_SIZE, "%3u%%", percent);
    int room = columns - SPARE - used;
    if (room < 0)
        text[0] = '\0';
    write_numbers(view, columns >= ROOMY, numbers);
    room -= (int)strlen(numbers) + 1;
    if (room < 0)
        return;
    int bar_width = room - NAME_WANTED - 1 < BAR_MOST ? room - NAME_WANTED - 1 : BAR_MOST;
    if (bar_width >= BAR_LEAST) {
        write_bar(percent, bar_width, bar);
        room -= bar_width + 1;
    }
    used += snprintf(text + used, KS_PROGRESS_TEXT_SIZE - (size_t)used, "%s%s %s", bar[0] != '\0' ? " " : "",
                     bar, numbers);
    if (room >= NAME_LEAST + GAP && view->name[0] != '\0')
        (void)write_name(view->name, room - GAP, text + used, KS_PROGRESS_TEXT_SIZE - (size_t)used);
}
