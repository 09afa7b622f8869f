/* terminal.h — the terminal of whoever runs the program, wherever the standard descriptors go: questions on
 * it, and its settings, which are restored however the program ends. Main thread.
 */
#ifndef KS_CLI_TERMINAL_TERMINAL_H
#define KS_CLI_TERMINAL_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* True when there is one. */
bool ks_terminal_is_there(void);

/* Writes `question` and reads a line, `hidden` without showing what is typed. True with the line, a NUL after
 * it, and its size; it is the caller's to be wiped. False at the end of input, for a line that does not fit,
 * and when the terminal fails. A signal that ends or stops the program finds the terminal as it was. */
bool ks_terminal_ask(const char *question, bool hidden, char *line, size_t capacity, size_t *size);

/* Remembers the settings of the terminal behind `fd`, so that ks_terminal_restore can bring them back, as
 * SIGQUIT does from now on; and forgets them, when somebody else has brought them back. */
void ks_terminal_remember(int fd);
void ks_terminal_forget(void);

/* Brings back the settings that are remembered, if any. May be called in a signal handler. */
void ks_terminal_restore(void);

#endif
