/* chat_service.h — group chat on a port of its own (protocol.md §2).
 *
 * Give ks_chat_service_events to a listener with a `struct ks_chat_service_environment *` as the service. A
 * session is at the menu, at one of the prompts, or a member of a group (groups.h). Everything of a
 * connection runs on its loop.
 */
#ifndef KS_SERVICE_CHAT_CHAT_SERVICE_H
#define KS_SERVICE_CHAT_CHAT_SERVICE_H

#include "net/connection.h"

struct ks_groups;
struct ks_turnstile;

/* One per server, filled before the first connection; then only the atomic settings change. */
struct ks_chat_service_environment {
    const struct ks_clock *clock;
    const struct ks_log *log;
    struct ks_groups *groups;
    struct ks_turnstile *turnstile;     /* of wrong passwords */
    _Atomic uint64_t prompt_timeout_ms; /* without input, at the prompts */
    _Atomic unsigned wrong_passwords;   /* on one connection; the last one ends it */
};

extern const struct ks_connection_events ks_chat_service_events;

#endif
