/* key_ring.h — the symmetric keys that are shared with one other user, and which of them does what.
 *
 *   sending   encrypts what we send
 *   waiting   came from the user while another was in use: decrypts, and waits to be accepted for sending
 *   old       decrypt only: those that were replaced, and those of ours of which nobody knows whether they
 *             arrived; at most KS_KEY_RING_OLD, the oldest are forgotten
 *
 * A plain value without I/O; one owner, any thread. Wipe it.
 */
#ifndef KS_CLIENT_KEY_RING_H
#define KS_CLIENT_KEY_RING_H

#include "wire/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KS_KEY_RING_OLD = 64 };

struct ks_symmetric_key {
    uint8_t bytes[KS_CONTENT_KEY_SIZE];
};

struct ks_key_ring {
    bool has_sending;
    bool has_waiting; /* only together with has_sending */
    struct ks_symmetric_key sending;
    struct ks_symmetric_key waiting;
    size_t old_count;
    struct ks_symmetric_key old[KS_KEY_RING_OLD]; /* the newest first */
};

void ks_key_ring_wipe(struct ks_key_ring *ring); /* and it is empty */

/* A key came from the user. It becomes the one for sending when there is none, else it waits; what waited
 * before is old then. A key that is known already changes nothing. True when `key` waits now. */
bool ks_key_ring_receive(struct ks_key_ring *ring, const struct ks_symmetric_key *key);

/* A key of ours is about to be sent: until it is known to have arrived it only decrypts. */
void ks_key_ring_offer(struct ks_key_ring *ring, const struct ks_symmetric_key *key);

/* The offered key has arrived: it is the one for sending. What was that, and what waited, is old. */
void ks_key_ring_use(struct ks_key_ring *ring, const struct ks_symmetric_key *key);

/* The offered key was refused: forgets it. */
void ks_key_ring_withdraw(struct ks_key_ring *ring, const struct ks_symmetric_key *key);

/* The waiting key becomes the one for sending. False, and nothing done, when none waits. */
bool ks_key_ring_accept(struct ks_key_ring *ring);

/* Nothing of it may be used for sending any more; everything decrypts still. */
void ks_key_ring_retire(struct ks_key_ring *ring);

/* The keys in the order in which to try them on what came: the waiting one, the sending one, the old ones
 * from the newest. NULL when `index` is behind the last. */
const struct ks_symmetric_key *ks_key_ring_candidate(const struct ks_key_ring *ring, size_t index);

#endif
