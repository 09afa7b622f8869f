/* shown_size.c — see shown_size.h. */
#include "cli/terminal/shown_size.h"

#include <stddef.h>
#include <stdio.h>

const char *ks_shown_size(double bytes, char text[static KS_SHOWN_SIZE_SIZE])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    size_t unit = 0;
    /* What would be rounded to 1000.0 is 1.0 of the next unit. */
    while (bytes >= (unit == 0 ? 999.5 : 999.95) && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1000;
        unit++;
    }
    (void)snprintf(text, KS_SHOWN_SIZE_SIZE, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
    return text;
}
