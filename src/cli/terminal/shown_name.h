/* shown_name.h — the names of users where people read them. Pure; any thread. */
#ifndef KS_CLI_TERMINAL_SHOWN_NAME_H
#define KS_CLI_TERMINAL_SHOWN_NAME_H

#include <kesher/home.h>

enum { KS_SHOWN_NAME_SIZE = 4 * KESHER_NAME_SIZE + 3 }; /* with quotes and its NUL */

/* The name, safe for a terminal; in quotes when it could be taken for something else: with blanks at its ends
 * or two in a row (the limits of a name are not to be seen), a colon (it may look like a header), a quote, a
 * bracket at its beginning (as our own remarks have it), or the form of an id. Returns `shown`. */
char *ks_shown_name(const char *name, char shown[static KS_SHOWN_NAME_SIZE]);

#endif
