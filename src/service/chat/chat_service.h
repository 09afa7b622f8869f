/* chat_service.h — group chat on a port of its own (protocol.md §2), and behind the secure port (§9), where
 * its peers have an account: talk.c brings them.
 *
 * Give ks_chat_service_events to a listener with a `struct ks_chat_service_environment *` as the service. A
 * session is at the menu, at one of the prompts, or a member of a group (groups.h). Everything of a
 * connection runs on its loop.
 */
#ifndef KS_SERVICE_CHAT_CHAT_SERVICE_H
#define KS_SERVICE_CHAT_CHAT_SERVICE_H

#include "net/connection.h"
#include "store/store_accounts.h"

struct ks_account_names;
struct ks_attendance;
struct ks_chat_session;
struct ks_groups;
struct ks_store;
struct ks_turnstile;

/* One per server, filled before the first connection; then only the atomic settings change. */
struct ks_chat_service_environment {
    const struct ks_clock *clock;
    const struct ks_log *log;
    struct ks_groups *groups;
    struct ks_turnstile *turnstile;       /* of wrong passwords */
    struct ks_store *store;               /* who has which name: for the secure port alone, … */
    const struct ks_account_names *names; /* … likewise */
    _Atomic uint64_t prompt_timeout_ms;   /* without input, at the prompts */
    _Atomic unsigned wrong_passwords;     /* on one connection; the last one ends it */
};

extern const struct ks_connection_events ks_chat_service_events;

/* A session for who has signed in as `account`, on a connection that is still somebody else's. Takes the
 * attendance over: when the account is cut, the connection ends. NULL when out of memory. */
struct ks_chat_session *ks_chat_service_expect(const struct ks_chat_service_environment *environment,
                                               struct ks_connection *connection,
                                               const struct ks_account *account,
                                               struct ks_attendance *attendance);

/* The connection is the session's now, which tells the menu. */
void ks_chat_service_welcome(struct ks_chat_session *session);

/* The connection went before. */
void ks_chat_service_dismiss(struct ks_chat_session *session);

#endif
