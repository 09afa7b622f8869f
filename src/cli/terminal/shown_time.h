/* shown_time.h — a time of day as kesher prints it: local, with its distance from UTC. Main thread. */
#ifndef KS_CLI_TERMINAL_SHOWN_TIME_H
#define KS_CLI_TERMINAL_SHOWN_TIME_H

#include <stdint.h>

enum { KS_SHOWN_TIME_SIZE = 64 };

/* `seconds` since 1970, UTC, for people: "2026-11-22 19:35:07 +0200". Returns `text`. */
const char *ks_shown_time(int64_t seconds, char text[static KS_SHOWN_TIME_SIZE]);

/* The same for programs (RFC 3339): "2026-11-22T19:35:07+02:00". */
const char *ks_shown_time_rfc3339(int64_t seconds, char text[static KS_SHOWN_TIME_SIZE]);

/* Without seconds and the distance, for columns: "2026-11-22 19:35". */
const char *ks_shown_time_short(int64_t seconds, char text[static KS_SHOWN_TIME_SIZE]);

#endif
