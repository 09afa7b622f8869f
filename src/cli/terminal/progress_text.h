/* progress_text.h — the line of a progress bar, and a rate that can be read. Pure; any thread. */
#ifndef KS_CLI_TERMINAL_PROGRESS_TEXT_H
#define KS_CLI_TERMINAL_PROGRESS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- the rate ---- */

/* The mean of the last seconds, in which what is newer weighs more. All zero at the beginning. */
struct ks_rate {
    bool has_begun;
    uint64_t began_ms;
    uint64_t counted_ms; /* up to when bytes are in per_second */
    uint64_t uncounted;  /* bytes since then */
    double per_second;
};

/* `bytes` more have moved, at `now_ms` of a clock that does not go back. What the first call brings is not
 * counted: it moved in no time. */
void ks_rate_count(struct ks_rate *rate, uint64_t now_ms, uint64_t bytes);

/* Whether it has been measured long enough for a forecast. */
bool ks_rate_is_settled(const struct ks_rate *rate);

/* ---- the line ---- */

struct ks_progress_view {
    uint64_t done; /* bytes, of `total` */
    uint64_t total;
    double rate;      /* bytes a second */
    bool is_settled;  /* the rate is good for a forecast */
    size_t file;      /* which file is in hand, from 1 */
    size_t files;     /* of how many; of one, nothing is said */
    const char *name; /* of the file in hand, safe for a terminal; may be empty */
};

enum { KS_PROGRESS_TEXT_SIZE = 2048 };

/* The line for a terminal of that many columns, of which it leaves three free: percent, a bar, rate, time
 * left, which file of how many, the end of its name; the narrower the terminal, the fewer of them. Characters
 * beyond ASCII count as two columns, which none exceeds. */
void ks_progress_text(const struct ks_progress_view *view, int columns,
                      char text[static KS_PROGRESS_TEXT_SIZE]);

#endif
