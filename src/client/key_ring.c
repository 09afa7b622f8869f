/* key_ring.c — see key_ring.h. */
#include "client/key_ring.h"

#include "crypto/secret.h"

#include <string.h>

void ks_key_ring_wipe(struct ks_key_ring *ring)
{
    ks_secret_wipe(ring, sizeof *ring);
}

static bool is_same(const struct ks_symmetric_key *left, const struct ks_symmetric_key *right)
{
    return ks_secret_equal(left->bytes, right->bytes, sizeof left->bytes);
}

static void push_old(struct ks_key_ring *ring, const struct ks_symmetric_key *key)
{
    if (ring->old_count < KS_KEY_RING_OLD)
        ring->old_count++;
    memmove(&ring->old[1], &ring->old[0], (ring->old_count - 1) * sizeof ring->old[0]);
    ring->old[0] = *key;
}

static bool is_known(const struct ks_key_ring *ring, const struct ks_symmetric_key *key)
{
    const struct ks_symmetric_key *candidate = NULL;
    for (size_t i = 0; (candidate = ks_key_ring_candidate(ring, i)) != NULL; i++)
        if (is_same(candidate, key))
            return true;
    return false;
}

static void drop_waiting(struct ks_key_ring *ring)
{
    if (ring->has_waiting)
        push_old(ring, &ring->waiting);
    ring->has_waiting = false;
    ks_secret_wipe(&ring->waiting, sizeof ring->waiting);
}

static void drop_sending(struct ks_key_ring *ring)
{
    if (ring->has_sending)
        push_old(ring, &ring->sending);
    ring->has_sending = false;
    ks_secret_wipe(&ring->sending, sizeof ring->sending);
}

bool ks_key_ring_receive(struct ks_key_ring *ring, const struct ks_symmetric_key *key)
{
    if (is_known(ring, key))
        return ring->has_waiting && is_same(&ring->waiting, key);
    if (!ring->has_sending) {
        ring->sending = *key;
        ring->has_sending = true;
        return false;
    }
    drop_waiting(ring);
    ring->waiting = *key;
    ring->has_waiting = true;
    return true;
}

void ks_key_ring_offer(struct ks_key_ring *ring, const struct ks_symmetric_key *key)
{
    push_old(ring, key);
}

void ks_key_ring_withdraw(struct ks_key_ring *ring, const struct ks_symmetric_key *key)
{
    for (size_t i = 0; i < ring->old_count; i++) {
        if (!is_same(&ring->old[i], key))
            continue;
        ring->old_count--;
        memmove(&ring->old[i], &ring->old[i + 1], (ring->old_count - i) * sizeof ring->old[0]);
        ks_secret_wipe(&ring->old[ring->old_count], sizeof ring->old[0]);
        return;
    }
}

void ks_key_ring_use(struct ks_key_ring *ring, const struct ks_symmetric_key *key)
{
    ks_key_ring_withdraw(ring, key);
    ks_key_ring_retire(ring);
    ring->sending = *key;
    ring->has_sending = true;
}

bool ks_key_ring_accept(struct ks_key_ring *ring)
{
    if (!ring->has_waiting)
        return false;
    drop_sending(ring);
    ring->sending = ring->waiting;
    ring->has_sending = true;
    ring->has_waiting = false;
    ks_secret_wipe(&ring->waiting, sizeof ring->waiting);
    return true;
}

void ks_key_ring_retire(struct ks_key_ring *ring)
{
    drop_sending(ring);
    drop_waiting(ring);
}

const struct ks_symmetric_key *ks_key_ring_candidate(const struct ks_key_ring *ring, size_t index)
{
    if (ring->has_waiting && index-- == 0)
        return &ring->waiting;
    if (ring->has_sending && index-- == 0)
        return &ring->sending;
    return index < ring->old_count ? &ring->old[index] : NULL;
}
