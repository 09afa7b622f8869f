/* output.c — see output.h. */
#include "cli/terminal/output.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

/* Set once, at the start: errors come from everywhere. */
static bool as_json;

void ks_output_begin(bool json)
{
    as_json = json;
    if (json) /* an object is written at once, or those of several programs would mix */
        (void)setvbuf(stderr, NULL, _IOLBF, 0);
}

static void print_error(const char *word, const char *before, const char *line)
{
    if (!as_json) {
        (void)fprintf(stderr, "kesher: %s%s\n", before, line);
        return;
    }
    (void)fprintf(stderr, "{\"error\": \"%s\", \"message\": ", word);
    ks_output_json_string(stderr, line);
    (void)fputs("}\n", stderr);
}

__attribute__((format(printf, 2, 0))) static void print_formatted(const char *word, const char *format,
                                                                  va_list arguments)
{
    char line[1024];
    if (vsnprintf(line, sizeof line, format, arguments) >= 0)
        print_error(word, "", line);
}

void ks_output_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_formatted("failed", format, arguments);
    va_end(arguments);
}

void ks_output_usage(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_formatted("usage", format, arguments);
    va_end(arguments);
}

void ks_output_failed(enum kesher_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_formatted(kesher_status_text(status), format, arguments);
    va_end(arguments);
}

void ks_output_failure(const struct kesher_error *error)
{
    print_error(kesher_status_text(error->status), "", error->sentence);
}

static bool is_fatal(enum kesher_status status)
{
    return status == KESHER_REFUSED || status == KESHER_UNKNOWN || status == KESHER_CONNECTION ||
           status == KESHER_TIMEOUT || status == KESHER_PROTOCOL || status == KESHER_MISMATCH;
}

void ks_output_fatal(const struct kesher_error *error)
{
    print_error(kesher_status_text(error->status), is_fatal(error->status) ? "Fatal: " : "", error->sentence);
}

void ks_output_notice(const char *format, ...)
{
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    bool formatted = vsnprintf(line, sizeof line, format, arguments) >= 0;
    va_end(arguments);
    if (formatted && !as_json) {
        (void)fprintf(stderr, "%s\n", line);
    } else if (formatted) {
        (void)fputs("{\"notice\": ", stderr);
        ks_output_json_string(stderr, line);
        (void)fputs("}\n", stderr);
    }
}

void ks_output_notice_line(const char *sentence, char line[static KS_OUTPUT_NOTICE_SIZE])
{
    enum { FRAME_SIZE = 16 };
    (void)snprintf(line, KS_OUTPUT_NOTICE_SIZE, as_json ? "{\"notice\": \"%.*s\"}\n" : "%.*s\n",
                   KS_OUTPUT_NOTICE_SIZE - FRAME_SIZE, sentence);
}

void ks_output_warning(const struct kesher_error *error)
{
    ks_output_notice("%swarning: %s", as_json ? "" : "kesher: ", error->sentence);
}

char *ks_output_name(const char *name, char shown[static KS_SHOWN_NAME_SIZE])
{
    return isatty(STDOUT_FILENO) == 1 ? ks_shown_name_isolated(name, shown) : ks_shown_name(name, shown);
}

char *ks_output_path(const char *path, char *shown, size_t capacity)
{
    return ks_shown_path(path, isatty(STDOUT_FILENO) == 1, shown, capacity);
}

/* Pieces are converted in steps, so that the room for their growth is on the stack. */
enum { STEP_SIZE = 2048 };

static void print_text(FILE *stream, struct ks_text_stream *text, const char *piece, size_t size)
{
    char out[KS_TEXT_STREAM_GROWTH * STEP_SIZE + KS_TEXT_STREAM_REST];
    while (size > 0 && ferror(stream) == 0) {
        size_t step = size < STEP_SIZE ? size : STEP_SIZE;
        size_t used = ks_text_stream_convert(text, piece, step, out);
        (void)fwrite(out, 1, used, stream);
        piece += step;
        size -= step;
    }
}

static void print_text_end(FILE *stream, struct ks_text_stream *text)
{
    char out[KS_TEXT_STREAM_REST];
    size_t used = ks_text_stream_end(text, out);
    (void)fwrite(out, 1, used, stream);
}

void ks_output_json_bytes(FILE *stream, const void *bytes, size_t size)
{
    struct ks_text_stream converted = ks_text_stream_begin(KS_TEXT_FOR_JSON);
    (void)fputc('"', stream);
    print_text(stream, &converted, bytes, size);
    print_text_end(stream, &converted);
    (void)fputc('"', stream);
}

void ks_output_json_string(FILE *stream, const char *text)
{
    ks_output_json_bytes(stream, text, strlen(text));
}

bool ks_output_text(struct ks_text_stream *text, const void *piece, size_t size)
{
    print_text(stdout, text, piece, size);
    return ferror(stdout) == 0;
}

bool ks_output_text_end(struct ks_text_stream *text)
{
    print_text_end(stdout, text);
    return ferror(stdout) == 0;
}

bool ks_output_flush(void)
{
    char reason[128];
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return true;
    ks_output_error("cannot write to the standard output: %s", strerror_r(errno, reason, sizeof reason));
    return false;
}
