/* output.c — see output.h. */
#include "cli/output.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

void ks_output_error(const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(line, sizeof line, format, arguments) >= 0)
        (void)fprintf(stderr, "kesher: %s\n", line);
    va_end(arguments);
}

static bool is_fatal(enum kesher_status status)
{
    return status == KESHER_REFUSED || status == KESHER_CONNECTION || status == KESHER_TIMEOUT ||
           status == KESHER_PROTOCOL || status == KESHER_MISMATCH;
}

void ks_output_failure(const struct kesher_error *error)
{
    ks_output_error("%s%s", is_fatal(error->status) ? "Fatal: " : "", error->sentence);
}

static void print_json_character(FILE *stream, const char *bytes, size_t size)
{
    unsigned char first = (unsigned char)bytes[0];
    if (size == 0)
        (void)fputs("\\ufffd", stream);
    else if (first == '"' || first == '\\')
        (void)fprintf(stream, "\\%c", first);
    else if (first < 0x20 || first == 0x7f)
        (void)fprintf(stream, "\\u%04x", (unsigned)first);
    else
        (void)fwrite(bytes, 1, size, stream);
}

void ks_output_json_string(FILE *stream, const char *text)
{
    size_t left = strlen(text);
    (void)fputc('"', stream);
    while (left > 0) {
        size_t size = ks_text_utf8_length((const uint8_t *)text, left);
        size_t taken = size == 0 ? 1 : size;
        print_json_character(stream, text, size);
        text += taken;
        left -= taken;
    }
    (void)fputc('"', stream);
}

bool ks_output_flush(void)
{
    char reason[128];
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return true;
    ks_output_error("cannot write to the standard output: %s", strerror_r(errno, reason, sizeof reason));
    return false;
}
