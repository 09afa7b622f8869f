/* operator_complain.h — what an operator's command says on stderr, and how it ends. Main thread. Private to
 * operator*.c.
 */
#ifndef KS_SERVER_OPERATOR_COMPLAIN_H
#define KS_SERVER_OPERATOR_COMPLAIN_H

enum { KS_OPERATOR_EXIT_USAGE = 2 };

/* Prints a line. Returns the exit status of a command line that makes no sense, for whoever ends with it. */
int ks_operator_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, for whoever has failed: returns EXIT_FAILURE. */
int ks_operator_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
