/* key_ring.h — the symmetric keys that are shared with one other user, and which of them does what.
 *
 * - `sending`, of ours, encrypts what we send. A key that only came from the other side never does, for
 * nothing proves who made it (protocol.md §1.3); but the classic console takes it for ours, with
 * ks_key_ring_use.
 * - `ours` were made here and only decrypt: those that were replaced, and those of which nobody knows whether
 *   they arrived.
 * - `received` came from the other side, or from whoever holds that user's id; they only decrypt.
 *
 * Ours and the received ones have a limit each, so that nobody pushes out ours by sending keys. A plain value
 * without I/O; one owner, any thread. Wipe it.
 */
#ifndef KS_CLIENT_PEOPLE_KEY_RING_H
#define KS_CLIENT_PEOPLE_KEY_RING_H

#include "wire/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KS_KEY_RING_OURS = 64, KS_KEY_RING_RECEIVED = 64 };

struct ks_symmetric_key {
    uint8_t bytes[KS_CONTENT_KEY_SIZE];
};

/* What the user thinks of a key, in the order of its worth. */
enum ks_key_standing {
    KS_KEY_STANDING_NEW,      /* received, and nothing under it was shown yet */
    KS_KEY_STANDING_TOLD,     /* received, and the user was told so */
    KS_KEY_STANDING_ACCEPTED, /* received, and the user has accepted it */
    KS_KEY_STANDING_OURS,
};

struct ks_received_key {
    struct ks_symmetric_key key;
    enum ks_key_standing standing; /* never that of ours */
};

struct ks_key_ring {
    bool has_sending;
    bool share_again; /* the other side may have lost the sending key: share it before the next text */
    bool reads_ours;  /* what was read last was under one of ours */
    struct ks_symmetric_key sending;
    size_t ours_count;
    struct ks_symmetric_key ours[KS_KEY_RING_OURS]; /* the newest first */
    size_t received_count;
    struct ks_received_key received[KS_KEY_RING_RECEIVED]; /* the newest first */
};

void ks_key_ring_wipe(struct ks_key_ring *ring); /* and it is empty */

/* A key came from the other side. When it was not seen before, ours is to be shared again. Over the limit the
 * oldest of the least standing goes. A key that is known already changes nothing. */
void ks_key_ring_receive(struct ks_key_ring *ring, const struct ks_symmetric_key *key);

/* The other side asks for a key: ours is to be shared again. False when there is none, or that is due anyway.
 */
bool ks_key_ring_ask(struct ks_key_ring *ring);

/* A new key of ours is about to be sent: until it is known to have arrived it only decrypts. */
void ks_key_ring_offer(struct ks_key_ring *ring, const struct ks_symmetric_key *key);

/* `key`, offered or the one for sending, has arrived (or came, to the classic console): it is the one for
 * sending, and need not be shared again. What was that before is one of ours. */
void ks_key_ring_use(struct ks_key_ring *ring, const struct ks_symmetric_key *key);

/* The offered key was refused: forgets it. */
void ks_key_ring_withdraw(struct ks_key_ring *ring, const struct ks_symmetric_key *key);

/* Accepts the newest received key that was not accepted before. False, and nothing done, when there is none.
 */
bool ks_key_ring_accept(struct ks_key_ring *ring);

/* Nothing of it may be used for sending any more; everything decrypts still. */
void ks_key_ring_retire(struct ks_key_ring *ring);

/* The keys in the order in which to try them on what came: ours or the received ones first, as what was read
 * last was; each from the newest. NULL when `index` is behind the last. */
const struct ks_symmetric_key *ks_key_ring_candidate(const struct ks_key_ring *ring, size_t index);

/* The standing of a candidate. */
enum ks_key_standing ks_key_ring_standing(const struct ks_key_ring *ring, const struct ks_symmetric_key *key);

/* Something under the candidate `key` was shown. False when that changes nothing. */
bool ks_key_ring_note_shown(struct ks_key_ring *ring, const struct ks_symmetric_key *key);

#endif
