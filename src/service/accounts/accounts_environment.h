/* accounts_environment.h — what a server has for those who sign in on the secure port (protocol.md §8). One
 * per server, filled before the first connection, and handed to sessions with their port
 * (core/frames_port.h). Any thread. Private to src/service and src/server.
 */
#ifndef KS_SERVICE_ACCOUNTS_ACCOUNTS_ENVIRONMENT_H
#define KS_SERVICE_ACCOUNTS_ACCOUNTS_ENVIRONMENT_H

#include "base/result.h"

#include <stddef.h>
#include <stdint.h>

struct ks_allowance;
struct ks_chat_service_environment;
struct ks_next_key;
struct ks_presence;

struct ks_accounts_environment {
    struct ks_presence *presence;             /* who is signed in (presence.h) */
    struct ks_allowance *failures;            /* signatures and proofs that did not hold, by address; NULL: no
                                               * limit */
    struct ks_next_key *next_key;             /* of the server (core/next_key.h); NULL: never any */
    struct ks_chat_service_environment *chat; /* where 3030 leads; NULL: nowhere */
    /* Judges a signature, on the pool: as ks_account_key_verify (crypto/account_key.h), which it is in a
     * server. */
    enum ks_result (*verify)(const uint8_t *key, const void *bytes, size_t size, const uint8_t *signature);
};

#endif
