/* openssl_error.h — what a failed call of OpenSSL amounts to. Private to src/crypto; any thread. */
#ifndef KS_CRYPTO_OPENSSL_ERROR_H
#define KS_CRYPTO_OPENSSL_ERROR_H

#include "base/result.h"

/* KS_NO_MEMORY where the thread's queue of errors says so, else `otherwise`. Empties the queue, so that
 * nobody takes them for his own later. */
enum ks_result ks_openssl_failure(enum ks_result otherwise);

#endif
