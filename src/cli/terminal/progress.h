/* progress.h — the progress bar of uploads: percent, rate, time left, over all files of a command.
 *
 * Drawn on stderr, and only when that is a terminal. Main thread.
 */
#ifndef KS_CLI_TERMINAL_PROGRESS_H
#define KS_CLI_TERMINAL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct ks_progress {
    bool drawing;     /* stderr is a terminal, and nobody asked for quiet */
    bool on_screen;   /* a bar stands in the current line */
    uint64_t total;   /* bytes of all files */
    uint64_t done;    /* bytes of the files that are done with */
    uint64_t current; /* bytes of the file in hand */
    uint64_t started_ms;
    uint64_t drawn_ms;
    const char *name; /* of the file in hand, safe for a terminal; the caller's */
};

void ks_progress_start(struct ks_progress *progress, uint64_t total, bool quiet);

/* `sent` bytes of the file in hand are on their way; draws at most ten times a second. */
void ks_progress_update(struct ks_progress *progress, uint64_t sent);

/* The file in hand, of `size` bytes, is done with. */
void ks_progress_file_done(struct ks_progress *progress, uint64_t size);

/* Takes the bar off the screen, so that something else can be printed. */
void ks_progress_clear(struct ks_progress *progress);

/* For kesher_observer.notice: prints `line` on stderr, alone in its line. `context` is a struct ks_progress
 * or NULL. */
void ks_progress_notice(void *context, const char *line);

#endif
