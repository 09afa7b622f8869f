/* shown_time.c — see shown_time.h. */
#include "cli/terminal/shown_time.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MINUTE = 60, HOUR = 60 * MINUTE };

static struct tm local_time(int64_t seconds)
{
    const time_t when = (time_t)seconds;
    struct tm local;
    if (localtime_r(&when, &local) == NULL) /* a year that no int holds */
        local = (struct tm){.tm_year = 70, .tm_mday = 1};
    return local;
}

static const char *format(int64_t seconds, bool is_rfc3339, char text[static KS_SHOWN_TIME_SIZE])
{
    struct tm local = local_time(seconds);
    long distance = labs(local.tm_gmtoff);
    int size = snprintf(text, KS_SHOWN_TIME_SIZE, "%04ld-%02d-%02d%c%02d:%02d:%02d%s%c%02ld%s%02ld",
                        local.tm_year + 1900L, local.tm_mon + 1, local.tm_mday, is_rfc3339 ? 'T' : ' ',
                        local.tm_hour, local.tm_min, local.tm_sec, is_rfc3339 ? "" : " ",
                        local.tm_gmtoff < 0 ? '-' : '+', distance / HOUR, is_rfc3339 ? ":" : "",
                        distance % HOUR / MINUTE);
    if (size < 0 || size >= KS_SHOWN_TIME_SIZE)
        text[0] = '\0';
    return text;
}

const char *ks_shown_time(int64_t seconds, char text[static KS_SHOWN_TIME_SIZE])
{
    return format(seconds, false, text);
}

const char *ks_shown_time_rfc3339(int64_t seconds, char text[static KS_SHOWN_TIME_SIZE])
{
    return format(seconds, true, text);
}

const char *ks_shown_time_short(int64_t seconds, char text[static KS_SHOWN_TIME_SIZE])
{
    struct tm local = local_time(seconds);
    int size = snprintf(text, KS_SHOWN_TIME_SIZE, "%04ld-%02d-%02d %02d:%02d", local.tm_year + 1900L,
                        local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min);
    if (size < 0 || size >= KS_SHOWN_TIME_SIZE)
        text[0] = '\0';
    return text;
}
