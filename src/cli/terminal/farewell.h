/* farewell.h — for a command that SIGINT, SIGTERM and SIGHUP end at once, since nothing is lost by that: they
 * take what stands in the last line of the terminal, a progress bar or ^C, away, and leave a line that says
 * what becomes of what was begun. Main thread.
 */
#ifndef KS_CLI_TERMINAL_FAREWELL_H
#define KS_CLI_TERMINAL_FAREWELL_H

/* From now on, until the process dies: `sentence` is said on stderr, as ks_output_notice does; NULL: nothing.
 * It has no characters that JSON would escape. A signal that is ignored stays so. */
void ks_farewell_prepare(const char *sentence);

#endif
