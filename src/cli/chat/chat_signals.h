/* chat_signals.h — the signals of a terminal on which somebody types: another size, stop, go on. Main thread.
 */
#ifndef KS_CLI_CHAT_CHAT_SIGNALS_H
#define KS_CLI_CHAT_CHAT_SIGNALS_H

/* From now on they come as input of the descriptor that is returned, to be closed. -1 when there is none:
 * typing works all the same. */
int ks_chat_signals_watch(void);

/* To be called when the descriptor can be read: the editor's line goes along with what has happened. */
void ks_chat_signals_take(int fd);

/* They do what they always do; and come as input again. */
void ks_chat_signals_let(void);
void ks_chat_signals_hold(void);

#endif
