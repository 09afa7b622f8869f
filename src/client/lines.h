/* lines.h — the lines of a small text file that a person or another program wrote. Pure; any thread. */
#ifndef KS_CLIENT_LINES_H
#define KS_CLIENT_LINES_H

#include <stdbool.h>
#include <stddef.h>

struct ks_lines {
    const char *text; /* what is left; must outlive the iteration */
    size_t size;
};

/* The next line that is not blank (blanks, tabs and NULs only), without its LF or CRLF and without what
 * follows a NUL: some programs pad with them. The last line needs no newline. False when there is none. */
bool ks_lines_next(struct ks_lines *lines, const char **line, size_t *line_size);

/* A file of kesher's own: a first line that says what it is, then lines that `take` judges, then "end", and
 * nothing behind it. False when it is none, is cut short, or `take` said false. */
bool ks_lines_take_all(const void *text, size_t size, const char *first_line,
                       bool (*take)(void *context, const char *line, size_t line_size), void *context);

#endif
