/* pulls.h — the answers to 604 that are on their way to one session's peer, and what becomes of the messages
 * in them (protocol.md §1.3). Private to src/service.
 *
 * Nothing of a 2104 is deleted before its last byte was acknowledged by the peer's TCP. Until then its
 * messages are leased to the session; then they settle (settling.h); when the connection goes first, they
 * wait again. Everything runs on the connection's loop.
 */
#ifndef KS_SERVICE_PULLS_H
#define KS_SERVICE_PULLS_H

#include "net/connection.h"
#include "service/core/environment.h"
#include "service/messages/settling.h"

struct ks_pull;

/* Part of a session; starts as zeros. */
struct ks_pulls {
    struct ks_pull *first; /* the oldest that is not acknowledged */
    struct ks_pull *last;
    unsigned count;
    uint64_t delivered; /* bytes of output, when we last looked */
    struct ks_settling settling;
    uint64_t size_limit; /* bytes of the last 2104; 0: there was none, or it left nothing waiting */
};

/* Whether any is on its way. */
static inline bool ks_pulls_any(const struct ks_pulls *pulls)
{
    return pulls->first != NULL;
}

/* Whether any is on its way, or settles. */
static inline bool ks_pulls_unsettled(const struct ks_pulls *pulls)
{
    return pulls->first != NULL || ks_settling_any(&pulls->settling);
}

/* Looks what the peer has acknowledged, which settles from then on, renews the leases after any progress, and
 * asks for the event `delivered` while anything is on its way, `reminded` while anything settles. Cheap when
 * nothing is. */
void ks_pulls_look(struct ks_pulls *pulls, struct ks_connection *connection);

/* The peer's input has ended: what it had acknowledged before is deleted. */
void ks_pulls_ended(struct ks_pulls *pulls, struct ks_connection *connection);

/* The reminder has come: what has settled is deleted. */
void ks_pulls_reminded(struct ks_pulls *pulls, struct ks_connection *connection);

/* The connection is gone: everything that has not settled waits again. */
void ks_pulls_give_up(struct ks_pulls *pulls);

#endif
