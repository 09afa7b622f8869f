/* refusal.h — a 4999 as a status and a sentence that says what to do. Pure; any thread. */
#ifndef KS_CLIENT_TRANSPORT_REFUSAL_H
#define KS_CLIENT_TRANSPORT_REFUSAL_H

#include "wire/accounts_codec.h"

#include <kesher/error.h>

/* Whoever was refused: all of it is safe for sentences. */
struct ks_refused {
    const char *doing;  /* "sign in" */
    const char *server; /* its address */
    const char *name;   /* that was asked for; NULL for none */
};

/* The sentence has what the server said, escaped, in parentheses. KESHER_UNKNOWN, KESHER_FULL, KESHER_EXISTS,
 * of files also KESHER_NOT_FOUND, KESHER_MISMATCH and KESHER_INVALID, else KESHER_REFUSED: never KESHER_OK.
 */
enum kesher_status ks_refusal_tell(const struct ks_refusal *refusal, const struct ks_refused *refused,
                                   struct kesher_error *error);

#endif
