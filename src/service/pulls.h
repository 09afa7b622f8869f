/* pulls.h — the answers to 604 that are on their way to one session's peer, and what becomes of the messages
 * in them (protocol.md §1.3). Private to src/service.
 *
 * Nothing of a 2104 is deleted before its last byte was acknowledged by the peer's TCP. Until then its
 * messages are leased to the session; when the connection goes first, they wait again. Everything runs on the
 * connection's loop.
 */
#ifndef KS_SERVICE_PULLS_H
#define KS_SERVICE_PULLS_H

#include "net/connection.h"
#include "service/environment.h"

struct ks_pull;

/* Part of a session; starts as zeros. */
struct ks_pulls {
    struct ks_pull *first; /* the oldest that is not delivered */
    struct ks_pull *last;
    unsigned count;
    uint64_t delivered; /* bytes of output, when we last looked */
};

static inline bool ks_pulls_any(const struct ks_pulls *pulls)
{
    return pulls->first != NULL;
}

/* Looks what the peer has acknowledged: deletes what was delivered, renews the leases after any progress, and
 * asks for the event `delivered` while anything is on its way. Cheap when nothing is. True after progress. */
bool ks_pulls_look(struct ks_pulls *pulls, struct ks_connection *connection);

/* The connection is gone: looks for the last time, then gives up what was not delivered. */
void ks_pulls_give_up(struct ks_pulls *pulls, struct ks_connection *connection);

#endif
