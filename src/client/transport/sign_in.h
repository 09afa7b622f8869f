/* sign_in.h — who asks, on a connection to the secure port (protocol.md §8.1 to §8.3): signing in,
 * registering, adopting a classic identity, removing the account. Each is over a channel whose server was
 * judged; what is signed is bound to that very connection. Blocking, within the channel's limits; one thread
 * at a time.
 *
 * Errors that they have in common: those of ks_secure_request_run; KESHER_CRYPTO; KESHER_NO_MEMORY.
 */
#ifndef KS_CLIENT_TRANSPORT_SIGN_IN_H
#define KS_CLIENT_TRANSPORT_SIGN_IN_H

#include "client/home/identity.h"
#include "client/transport/account_facts.h"
#include "client/transport/channel.h"

/* Whoever signs: the caller's. */
struct ks_signer {
    const uint8_t *secret; /* KS_ED25519_SECRET_SIZE bytes */
    const uint8_t *key;    /* KS_ACCOUNT_KEY_SIZE bytes, its public half */
    const char *shown;     /* the server, safe for sentences */
};

/* 3001. KESHER_OK with *facts; KESHER_UNKNOWN when the server has no account with this key. */
enum kesher_status ks_sign_in(struct ks_channel *channel, const struct ks_signer *signer,
                              struct ks_account_facts *facts, struct kesher_error *error);

/* 3002. `invitation`: its text; NULL or empty for none. The same again has the same effect. KESHER_OK with
 * *facts; KESHER_INVALID for a name or an invitation that does not fit. */
enum kesher_status ks_sign_in_register(struct ks_channel *channel, const struct ks_signer *signer,
                                       const char *name, const char *invitation,
                                       struct ks_account_facts *facts, struct kesher_error *error);

/* 3003 and 3004: the account takes the place of the classic identity. KESHER_OK with *facts; KESHER_CRYPTO
 * also when the challenge was not made for this identity's key, or for something else than an adoption. */
enum kesher_status ks_sign_in_adopt(struct ks_channel *channel, const struct ks_signer *signer,
                                    const struct kesher_identity *identity, struct ks_account_facts *facts,
                                    struct kesher_error *error);

/* 3008, after signing in. */
enum kesher_status ks_sign_in_remove(struct ks_channel *channel, const struct ks_signer *signer,
                                     struct kesher_error *error);

#endif
