/* prepare.h — what a program that has promises to keep does with the crypto library before it makes any. */
#ifndef KS_CRYPTO_PREPARE_H
#define KS_CRYPTO_PREPARE_H

#include "base/result.h"

/* Has OpenSSL set up all that kesher uses, and tries it: a digest, AES, a key read and encrypted with, which
 * takes its random generator, too. Otherwise that happens at the first use, and there an allocation that
 * fails may cost all later uses their success, or end the process (OpenSSL 3.0: RAND_get0_primary without its
 * context).
 *
 * KS_OK; anything else is a reason not to go on: KS_NO_MEMORY, or KS_CRYPTO where this OpenSSL, or how it is
 * configured, does not do it. Some milliseconds; once, before other threads use what is in this folder. */
enum ks_result ks_crypto_prepare(void);

#endif
