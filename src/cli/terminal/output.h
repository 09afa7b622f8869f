/* output.h — what kesher prints: errors and notices in one line each on stderr, data on stdout, JSON. Main
 * thread.
 */
#ifndef KS_CLI_TERMINAL_OUTPUT_H
#define KS_CLI_TERMINAL_OUTPUT_H

#include "cli/terminal/shown_name.h"
#include "cli/terminal/text_stream.h"

#include <kesher/kesher.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { KS_OUTPUT_NOTICE_SIZE = 256 };

/* Once, before anything is printed: with `json` every error and every notice is an object in a line of
 * stderr, {"error": WORD, "message": TEXT} or {"notice": TEXT}. */
void ks_output_begin(bool json);

/* "kesher: <what, where, what to do>" on stderr. The text must be safe for a terminal. As JSON its word is
 * "failed". */
void ks_output_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for a command that was not given as it should be; the word is "usage". */
void ks_output_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for what libkesher has a status for; as JSON the word is kesher_status_text's. */
void ks_output_failed(enum kesher_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for a failed call of libkesher. As JSON the word is kesher_status_text's. */
void ks_output_failure(const struct kesher_error *error);

/* The same as the course's batch client has it: "Fatal: " stands before the sentence when the server or the
 * way to it is to blame. As JSON without that. */
void ks_output_fatal(const struct kesher_error *error);

/* A line on stderr that tells of no failure. Safe for a terminal. */
void ks_output_notice(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The bytes of such a line, with its newline, for whoever has to print it in a signal handler. `sentence` has
 * no characters that JSON escapes; it is cut where it does not fit. */
void ks_output_notice_line(const char *sentence, char line[static KS_OUTPUT_NOTICE_SIZE]);

/* "kesher: warning: <what>" for what would be a failure elsewhere. As JSON it is a notice. */
void ks_output_warning(const struct kesher_error *error);

/* A user's name for stdout: ks_shown_name, and isolated where that is a terminal. Returns `shown`. */
char *ks_output_name(const char *name, char shown[static KS_SHOWN_NAME_SIZE]);

/* A file's name or path for stdout in the same way: ks_shown_path. Returns `shown`. */
char *ks_output_path(const char *path, char *shown, size_t capacity);

/* A JSON string with its quotes; what is not UTF-8 becomes U+FFFD. */
void ks_output_json_string(FILE *stream, const char *text);
void ks_output_json_bytes(FILE *stream, const void *bytes, size_t size);

/* A piece of a text, and its end, on stdout. False when stdout cannot be written to: then nobody needs the
 * rest; ks_output_flush says why. */
bool ks_output_text(struct ks_text_stream *text, const void *piece, size_t size);
bool ks_output_text_end(struct ks_text_stream *text);

/* Flushes stdout. False, and an error was printed, when something could not be written. */
bool ks_output_flush(void);

#endif
