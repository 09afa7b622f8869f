/* editor.h — the line that is typed at the bottom of a terminal, while other lines come in above it. Main
 * thread; one at a time, since the library behind it is global.
 *
 * With GNU readline there are editing and history, and what is typed stays intact. Built without it, the
 * terminal's own line editing serves: what comes in is printed into the line, which is sent whole all the
 * same.
 *
 * Nothing is written to the terminal but between ks_editor_hide and ks_editor_show.
 */
#ifndef KS_CLI_TERMINAL_EDITOR_H
#define KS_CLI_TERMINAL_EDITOR_H

#include <stdbool.h>
#include <stddef.h>

/* Gets each line that was typed; NULL when the input ends (Ctrl-D, or the terminal is gone). Not called any
 * more after ks_editor_close, which it may call. Writing needs neither hide nor show here. */
typedef void ks_editor_taken(void *context, const char *line, size_t size);

/* Shows the prompt on the terminal that stdin and stdout are. */
void ks_editor_open(const char *prompt, ks_editor_taken *taken, void *context);

/* Takes the line away and restores the terminal. May be called when it is closed already. */
void ks_editor_close(void);

/* The same, but what was typed and not entered stays on the screen: nobody else has it any more. */
void ks_editor_abandon(void);

/* To be called when stdin can be read. */
void ks_editor_read(void);

/* Takes the line from the screen, and brings it back. */
void ks_editor_hide(void);
void ks_editor_show(void);

/* The terminal has another size. */
void ks_editor_resize(void);

/* The program stops, or asks for something else on the terminal; and goes on. */
void ks_editor_suspend(void);
void ks_editor_resume(void);

#endif
