/* failure.c — see failure.h. */
#include "client/failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *kesher_status_text(enum kesher_status status)
{
    switch (status) {
    case KESHER_OK:
        return "done";
    case KESHER_INVALID:
        return "invalid";
    case KESHER_NOT_FOUND:
        return "not found";
    case KESHER_EXISTS:
        return "already exists";
    case KESHER_REFUSED:
        return "refused";
    case KESHER_CONNECTION:
        return "connection failed";
    case KESHER_TIMEOUT:
        return "timed out";
    case KESHER_PROTOCOL:
        return "protocol error";
    case KESHER_CHANGED:
        return "the public key has changed";
    case KESHER_NO_KEY:
        return "no symmetric key";
    case KESHER_MISMATCH:
        return "checksum mismatch";
    case KESHER_FILE:
        return "file error";
    case KESHER_CRYPTO:
        return "cryptographic error";
    case KESHER_NO_MEMORY:
        return "out of memory";
    case KESHER_FULL:
        return "full";
    case KESHER_NOT_SENT:
        return "not sent";
    case KESHER_UNKNOWN:
        return "not known to the server";
    case KESHER_PASSPHRASE:
        return "passphrase needed";
    }
    return "unknown status";
}

enum kesher_status ks_failure(struct kesher_error *error, enum kesher_status status, const char *format, ...)
{
    if (error == NULL)
        return status;
    va_list arguments;
    va_start(arguments, format);
    error->status = status;
    if (vsnprintf(error->sentence, sizeof error->sentence, format, arguments) < 0)
        error->sentence[0] = '\0';
    va_end(arguments);
    return status;
}

enum kesher_status ks_failure_system(struct kesher_error *error, enum kesher_status status, int error_number,
                                     const char *format, ...)
{
    if (error == NULL)
        return status;
    char sentence[KESHER_SENTENCE_SIZE];
    char reason[128];
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(sentence, sizeof sentence, format, arguments) < 0)
        sentence[0] = '\0';
    va_end(arguments);
    return ks_failure(error, status, "%.600s: %s", sentence, strerror_r(error_number, reason, sizeof reason));
}

enum kesher_status ks_failure_no_memory(struct kesher_error *error)
{
    return ks_failure(error, KESHER_NO_MEMORY, "out of memory; close other programs and try again");
}

enum kesher_status ks_failure_from_result(struct kesher_error *error, enum ks_result result, const char *what)
{
    if (result == KS_NO_MEMORY)
        return ks_failure_no_memory(error);
    return ks_failure(error, result == KS_CRYPTO ? KESHER_CRYPTO : KESHER_INVALID, "%s: %s", what,
                      ks_result_text(result));
}
