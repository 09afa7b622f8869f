/* stop.h — a command that goes on until SIGINT, SIGTERM or SIGHUP. Main thread, and no other beside it.
 *
 * The signal is only noted, and whoever runs asks for it where it is safe to end. Should that not come about
 * within some seconds, because a server keeps us waiting or nobody reads our output, the process ends all the
 * same, as it does at the second signal, with the terminal as it was.
 *
 * Either way it dies of the signal in the end, as a program does that takes none: a shell then tells 130 of a
 * Ctrl-C, and a script that was meant as well ends, too.
 */
#ifndef KS_CLI_TERMINAL_STOP_H
#define KS_CLI_TERMINAL_STOP_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* From now on; `grace_seconds` are how long it may take from the signal to the end. False after printing why
 * not. */
bool ks_stop_prepare(unsigned grace_seconds);

bool ks_stop_is_requested(void);

/* The signal that has come first; 0 for none. */
int ks_stop_signal(void);

/* It was a way to end like any other, and nobody dies of it. */
void ks_stop_forgive(void);

/* Dies of the signal that has come, if any: the last thing to do. */
void ks_stop_obey(void);

/* Dies of this signal, as if nobody had taken it. May be called in a signal handler. */
void ks_stop_die(int signal_number);

/* poll(2), which the signals interrupt (-1 with EINTR); with `heed` also one that came before. */
int ks_stop_poll(struct pollfd *watched, nfds_t count, int timeout_ms, bool heed);

/* Sleeps, at most until a signal comes. False, at once, when nobody reads stdout any more. */
bool ks_stop_sleep(uint64_t milliseconds);

#endif
