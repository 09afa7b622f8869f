/* shown_name.h — the names of users, and of files, where people read them. Pure; any thread. */
#ifndef KS_CLI_TERMINAL_SHOWN_NAME_H
#define KS_CLI_TERMINAL_SHOWN_NAME_H

#include <kesher/home.h>

#include <stdbool.h>
#include <stddef.h>

enum { KS_SHOWN_NAME_SIZE = 4 * KESHER_NAME_SIZE + 9 }; /* with quotes, isolates and its NUL */

/* The name, safe for a terminal; in quotes when it could be taken for something else: with blanks at its ends
 * or two in a row (the limits of a name are not to be seen), a colon (it may look like a header), a quote, a
 * bracket at its beginning (as our own remarks have it), or the form of an id. Returns `shown`. */
char *ks_shown_name(const char *name, char shown[static KS_SHOWN_NAME_SIZE]);

/* The same between marks that keep a direction of writing inside (U+2068, U+2069), where there are other
 * letters than ASCII's: for a terminal, on which a name from right to left would turn round what stands
 * beside it. */
char *ks_shown_name_isolated(const char *name, char shown[static KS_SHOWN_NAME_SIZE]);

enum { KS_SHOWN_PATH_SIZE = 4 * KESHER_PATH_SIZE + 8 }; /* with isolates and its NUL */

/* The name or path of a file, safe for a terminal, without quotes; `isolated`: between those marks, where it
 * has other letters. What does not fit is cut and ends in "...". `capacity` is at least 16. Returns `shown`.
 */
char *ks_shown_path(const char *path, bool isolated, char *shown, size_t capacity);

#endif
