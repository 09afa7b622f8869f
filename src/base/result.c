/* result.c — results as text. Pure; any thread. */
#include "base/result.h"

#include <errno.h>

const char *ks_result_text(enum ks_result result)
{
    switch (result) {
    case KS_OK:
        return "done";
    case KS_MORE:
        return "incomplete";
    case KS_PENDING:
        return "pending";
    case KS_INVALID:
        return "invalid";
    case KS_TOO_LARGE:
        return "too large";
    case KS_NOT_FOUND:
        return "not found";
    case KS_EXISTS:
        return "already exists";
    case KS_REFUSED:
        return "refused";
    case KS_NO_MEMORY:
        return "out of memory";
    case KS_NO_SPACE:
        return "no space left";
    case KS_IO:
        return "input/output error";
    case KS_CRYPTO:
        return "cryptographic library error";
    case KS_CLOSED:
        return "closed";
    }
    return "unknown result";
}

enum ks_result ks_result_from_errno(int error_number)
{
    switch (error_number) {
    case ENOSPC:
    case EDQUOT:
        return KS_NO_SPACE;
    case ENOMEM:
        return KS_NO_MEMORY;
    case ENOENT:
        return KS_NOT_FOUND;
    case EEXIST:
        return KS_EXISTS;
    default:
        return KS_IO;
    }
}
