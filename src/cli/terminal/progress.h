/* progress.h — the progress bar of files that are sent or fetched: percent, rate, time left, over all files
 * of a command.
 *
 * Drawn on stderr, and only when that is a terminal; a few times a second at most. Main thread.
 */
#ifndef KS_CLI_TERMINAL_PROGRESS_H
#define KS_CLI_TERMINAL_PROGRESS_H

#include "cli/terminal/progress_text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ks_progress {
    bool drawing;      /* stderr is a terminal, and nobody asked for quiet */
    bool on_screen;    /* a bar stands in the current line */
    uint64_t total;    /* bytes of all files, as far as they are known */
    size_t files;      /* how many they are; 0 when that does not matter */
    size_t files_done; /* how many are done with */
    uint64_t moved;    /* bytes of all files */
    uint64_t current;  /* of these, bytes of the only file in hand */
    struct ks_rate rate;
    uint64_t drawn_ms;
    const char *name; /* of the file in hand, safe for a terminal; the caller's */
};

void ks_progress_start(struct ks_progress *progress, uint64_t total, bool quiet);

/* `sent` bytes of the file in hand are on their way, or have come; of which *before was known, which is set.
 * What is there from the beginning, since it came earlier, does not count for the rate. */
void ks_progress_move(struct ks_progress *progress, uint64_t *before, uint64_t sent);

/* A file of `size` bytes is done with, of which *before was known. */
void ks_progress_done(struct ks_progress *progress, uint64_t *before, uint64_t size);

/* The same where one file is in hand at a time. */
void ks_progress_update(struct ks_progress *progress, uint64_t sent);
void ks_progress_file_done(struct ks_progress *progress, uint64_t size);

/* Takes the bar off the screen, so that something else can be printed. */
void ks_progress_clear(struct ks_progress *progress);

/* Brings it back, behind something that was printed, where files are still to come. */
void ks_progress_restore(struct ks_progress *progress);

/* For kesher_observer.notice: prints `line` on stderr, alone in its line. `context` is a struct ks_progress
 * or NULL. */
void ks_progress_notice(void *context, const char *line);

#endif
