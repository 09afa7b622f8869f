/* challenge.h — what was asked in a 4003, and waits for its 3004 (protocol.md §8.3): part of a visitor.
 * Private to src/service/accounts; the connection's loop.
 */
#ifndef KS_SERVICE_ACCOUNTS_CHALLENGE_H
#define KS_SERVICE_ACCOUNTS_CHALLENGE_H

#include "wire/accounts_codec.h"

/* Whoever makes one allocates it as zeros. */
struct ks_challenge {
    uint8_t secret[KS_ADOPTION_SECRET_SIZE]; /* that was encrypted to the identity */
    struct ks_client_id id;                  /* whose it is: what the id that was shown stood for */
    uint8_t key[KS_ACCOUNT_KEY_SIZE];        /* of the account that it shall be */
    size_t size;                             /* of what the proof is over */
    uint8_t proven[KS_SIGNED_LIMIT];
};

void ks_challenge_free(struct ks_challenge *challenge); /* wipes; NULL is allowed */

#endif
