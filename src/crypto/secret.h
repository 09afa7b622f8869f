/* secret.h — wiping and comparing secrets, so that nobody else needs OpenSSL for it. Any thread. */
#ifndef KS_CRYPTO_SECRET_H
#define KS_CRYPTO_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* Overwrites with zeros, and no compiler removes it. */
void ks_secret_wipe(void *bytes, size_t size);

/* Compares in a time that depends only on `size`. */
bool ks_secret_equal(const void *left, const void *right, size_t size);

#endif
