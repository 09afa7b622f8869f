/* openssl_error.c — see openssl_error.h. */
#include "crypto/openssl_error.h"

#include <openssl/err.h>

enum ks_result ks_openssl_failure(enum ks_result otherwise)
{
    enum ks_result result = otherwise;
    unsigned long error = 0;
    while ((error = ERR_get_error()) != 0)
        if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE)
            result = KS_NO_MEMORY;
    return result;
}
