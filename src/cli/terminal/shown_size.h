/* shown_size.h — an amount of bytes as kesher shows it to people. Pure; any thread. */
#ifndef KS_CLI_TERMINAL_SHOWN_SIZE_H
#define KS_CLI_TERMINAL_SHOWN_SIZE_H

enum { KS_SHOWN_SIZE_SIZE = 24 };

/* "12.3 MB": powers of 1000, in the unit that leaves one to three digits before the point. `bytes` is not
 * negative. At most 8 columns below a thousand petabytes. Returns `text`. */
const char *ks_shown_size(double bytes, char text[static KS_SHOWN_SIZE_SIZE]);

#endif
