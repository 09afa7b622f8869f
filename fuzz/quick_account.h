/* quick_account.h — a client's account without TLS and without files, for targets that are about what a
 * secure server says: no fuzzer gets through the one, and the others take a millisecond for each input.
 * Inputs come one after the other on one thread; what costs time is made once. Its functions stand in the
 * place of the client's own by the linker's leave (meson.build).
 */
#ifndef KS_FUZZ_QUICK_ACCOUNT_H
#define KS_FUZZ_QUICK_ACCOUNT_H

#include "client/transport/carrier.h"

#include <kesher/kesher.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUICK_ACCOUNT_LINK "kesher://fuzz.example/"

enum { QUICK_ACCOUNT_INPUT_LIMIT = 100 * 1024 }; /* fits the socket's buffer, so that one write takes it */

/* A home with the account. */
struct kesher_home *quick_account_home(void);

/* All that the server says from now on: at each "[CUT]" the connection ends, and the next call to the server
 * hears what is behind it. Behind the last one nobody is there. With `lingers` a connection ends not
 * before quick_account_hang_up. */
void quick_account_prepare(const uint8_t *bytes, size_t size, bool lingers);

/* Ends the last one. False when there is none. */
bool quick_account_hang_up(void);

/* What the next call comes to, the caller's: a connection whose other end has said its all; NULL: nobody is
 * there. */
struct ks_carrier *quick_account_call(void);

/* At the end of an input. */
void quick_account_end(void);

#endif
