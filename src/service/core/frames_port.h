/* frames_port.h — a port of the engine of frames: what may be asked there, and how it is known who asks. One
 * for each listener, which gives it to `ks_frames_events` (frames.h). Filled before the first connection;
 * read-only, any thread. Private to src/service and src/server.
 *
 * On the classic port every header says who asks, and peers may pad (padding.h). On a port with an *access*
 * peers sign in, once for the connection: before that a peer is a *stranger*, may ask little, and must become
 * a user in time. The core knows nothing of how: that is service/accounts.
 */
#ifndef KS_SERVICE_CORE_FRAMES_PORT_H
#define KS_SERVICE_CORE_FRAMES_PORT_H

#include "service/core/environment.h"
#include "service/core/rules.h"

#include <stdbool.h>

struct ks_accounts_environment;
struct ks_exchange;
struct ks_session;

/* Why a request is refused by those who do not know what it means. */
enum ks_fault {
    KS_FAULT_CODE,    /* nobody serves requests of this code */
    KS_FAULT_PAYLOAD, /* its payload makes no sense */
    KS_FAULT_SERVICE, /* its service cannot do it: what that means stands in the rule */
};

/* Functions of a port where peers sign in. On the connection's loop. */
struct ks_frames_access {
    /* The first bytes of a peer have come: gives the session its visitor (ks_session_set_visitor). False when
     * out of memory. */
    bool (*came)(struct ks_session *session);
    /* The session goes, and with it its visitor. */
    void (*went)(struct ks_session *session);
    /* Whether the peer may ask this; if not, the exchange was answered. */
    bool (*may_ask)(struct ks_exchange *exchange);
    /* Answers a request that is refused for `fault`. */
    void (*refuse)(struct ks_exchange *exchange, enum ks_fault fault);
    uint32_t stranger_payload; /* bytes; a longer request of a stranger ends the connection */
};

struct ks_frames_port {
    const struct ks_rules *rules; /* who serves what */
    struct ks_service_environment *environment;
    const struct ks_frames_access *access;    /* NULL: the classic port */
    struct ks_accounts_environment *accounts; /* of an access; the core does not look into it */
};

#endif
