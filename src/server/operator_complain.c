/* operator_complain.c — see operator_complain.h. */
#include "server/operator_complain.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int ks_operator_complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("kesherd: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return KS_OPERATOR_EXIT_USAGE;
}

int ks_operator_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("kesherd: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return EXIT_FAILURE;
}
