/* operator_show.h — how an operator's command shows its answers: aligned on a terminal, separated by tabs in
 * a pipe, as they came with --json. Main thread. Private to operator*.c.
 */
#ifndef KS_SERVER_OPERATOR_SHOW_H
#define KS_SERVER_OPERATOR_SHOW_H

#include "wire/control_codec.h"

struct ks_operator_show {
    enum ks_control_verb verb;
    bool json;
    bool terminal;
    struct ks_control_user *rows; /* on a terminal, users that wait for the width of the names */
    size_t row_count;
    int name_width; /* 0: nothing was printed yet */
    bool begun;
};

/* For an answer to `verb`, on stdout. */
struct ks_operator_show ks_operator_show_begin(enum ks_control_verb verb, bool json);

/* A ks_operator_line whose context is the struct. False when stdout takes no more, or the line is not
 * understood. */
bool ks_operator_show_line(void *show, const char *line, size_t size);

/* Prints what waits, and frees. False when stdout takes no more. */
bool ks_operator_show_end(struct ks_operator_show *show);

#endif
