/* settling.h — messages that the peer's TCP has acknowledged, and that may yet come back (protocol.md §1.3).
 * Private to src/service.
 *
 * The kernel's acknowledgement is not the program's: a receiver that is killed with the answer unread has
 * acknowledged it, but its kernel then resets the connection. So a *part*, the messages of one 2104, settles
 * first: it is deleted at an end of input that came after the acknowledgement, or after
 * settings.settle_time_ms without a reset. When the connection goes before, it waits again. Meanwhile the
 * store hides it, and it holds nothing back.
 *
 * Parts of one receiver that follow each other closely become one, so a peer that pulls all day has some
 * sixteen of them settling, not thousands. Everything runs on the connection's loop.
 */
#ifndef KS_SERVICE_MESSAGES_SETTLING_H
#define KS_SERVICE_MESSAGES_SETTLING_H

#include "net/connection.h"
#include "service/core/environment.h"

/* A part, from its lease to its deletion. It needs no memory on its way. */
struct ks_settling_part {
    struct ks_settling_part *next;
    const struct ks_service_environment *environment;
    struct ks_executor *executor;
    struct ks_client_id receiver;
    uint64_t owner;
    uint64_t after;    /* message before the part */
    uint64_t last;     /* message of the part */
    uint64_t end;      /* position in the output behind the part's last byte */
    uint64_t since_ms; /* when the first of it was acknowledged */
    uint64_t due_ms;   /* when all of it has settled */
    struct ks_store_lease_delivered request;
};

/* Part of a session's pulls (pulls.c); starts as zeros. */
struct ks_settling {
    struct ks_settling_part *first; /* longest settling */
    struct ks_settling_part *last;
    unsigned count;
};

static inline bool ks_settling_any(const struct ks_settling *settling)
{
    return settling->first != NULL;
}

/* A part whose last byte was acknowledged settles from now on; it is `settling`'s then. False when too many
 * do already: it stays the caller's, and on lease. */
bool ks_settling_add(struct ks_settling *settling, struct ks_settling_part *part);

/* The peer's end of input came when output up to `position` had been acknowledged: what was in it is deleted.
 */
void ks_settling_ended(struct ks_settling *settling, uint64_t position);

/* Deletes what is due. */
void ks_settling_pass(struct ks_settling *settling, uint64_t now_ms);

/* Frees all parts; the caller releases their leases. */
void ks_settling_forget(struct ks_settling *settling);

#endif
