/* failure.h — sentences into a kesher_error. Any thread.
 *
 * Each returns the status that it was given, so that a failing function ends in one `return ks_failure…`.
 * Text that came from elsewhere goes through ks_text_escape before it comes here. `error` may be NULL.
 */
#ifndef KS_CLIENT_FAILURE_H
#define KS_CLIENT_FAILURE_H

#include "base/result.h"

#include <kesher/error.h>

enum kesher_status ks_failure(struct kesher_error *error, enum kesher_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, and the text of `error_number` (an errno) after a colon. */
enum kesher_status ks_failure_system(struct kesher_error *error, enum kesher_status status, int error_number,
                                     const char *format, ...) __attribute__((format(printf, 4, 5)));

/* KESHER_NO_MEMORY with its sentence. */
enum kesher_status ks_failure_no_memory(struct kesher_error *error);

/* The status that a result of a lower room amounts to, with a sentence about `what`: KS_NO_MEMORY and
 * KS_CRYPTO as themselves, everything else KESHER_INVALID. */
enum kesher_status ks_failure_from_result(struct kesher_error *error, enum ks_result result,
                                          const char *what);

#endif
