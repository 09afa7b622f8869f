/* visitor.h — a peer of the secure port, as far as it has shown who it is (protocol.md §8.1): part of its
 * session, on the connection's loop. Private to src/service.
 *
 * A request of a visitor is a chain of steps like those of users/registration.c, and outlives the connection:
 * a step that comes back finds no visitor then, and gives up what has not been asked for yet.
 */
#ifndef KS_SERVICE_ACCOUNTS_VISITOR_H
#define KS_SERVICE_ACCOUNTS_VISITOR_H

#include "service/accounts/accounts_environment.h"
#include "service/core/exchange.h"
#include "service/core/session.h"
#include "store/store.h"

struct ks_attendance;
struct ks_challenge;

enum { KS_VISITOR_SIGNATURES = 3 }; /* that are judged on a connection */

struct ks_visitor {
    struct ks_session *session;
    struct ks_attendance *attendance; /* NULL until it has signed in */
    struct ks_client_id id;           /* then, as all of the account's */
    uint8_t key[KS_ACCOUNT_KEY_SIZE];
    char *name; /* of its own size: thousands of visitors may be there */
    int64_t registered;
    struct ks_challenge *challenge; /* of an adoption, which waits for its proof; NULL for none */
    bool has_classic_id;
    uint8_t signatures; /* that were judged */
    bool has_nonce;
};

/* The access of the secure port. */
extern const struct ks_frames_access ks_visitor_access;

/* Whose request it is; NULL when the connection is gone. */
struct ks_visitor *ks_visitor_of(const struct ks_exchange *exchange);

/* Whether it has signed in. */
bool ks_visitor_is_known(const struct ks_visitor *visitor);

/* The account of one that has signed in. */
void ks_visitor_account(const struct ks_visitor *visitor, struct ks_account *account);

/* Makes the visitor of this exchange the account: once the store has said that there is one with this key,
 * and signatures and proofs have held. Answers the exchange with 4001, or refuses it: the account may have
 * been removed meanwhile, or have too many connections. */
void ks_visitor_arrive(struct ks_exchange *exchange, const struct ks_account *account);

#endif
