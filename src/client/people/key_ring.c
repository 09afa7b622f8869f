/* key_ring.c — see key_ring.h. */
#include "client/people/key_ring.h"

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

static bool is_known(const struct ks_key_ring *ring, const struct ks_symmetric_key *key)
{
    const struct ks_symmetric_key *candidate = NULL;
    for (size_t i = 0; (candidate = ks_key_ring_candidate(ring, i)) != NULL; i++)
        if (is_same(candidate, key))
            return true;
    return false;
}

/* ---- ours ---- */

static void push_ours(struct ks_key_ring *ring, const struct ks_symmetric_key *key)
{
    if (ring->ours_count < KS_KEY_RING_OURS)
        ring->ours_count++;
    memmove(&ring->ours[1], &ring->ours[0], (ring->ours_count - 1) * sizeof ring->ours[0]);
    ring->ours[0] = *key;
}

bool ks_key_ring_ask(struct ks_key_ring *ring)
{
    bool changes = ring->has_sending && !ring->share_again;
    ring->share_again = ring->has_sending;
    return changes;
}

void ks_key_ring_offer(struct ks_key_ring *ring, const struct ks_symmetric_key *key)
{
    push_ours(ring, key);
}

void ks_key_ring_withdraw(struct ks_key_ring *ring, const struct ks_symmetric_key *key)
{
    for (size_t i = 0; i < ring->ours_count; i++) {
        if (!is_same(&ring->ours[i], key))
            continue;
        ring->ours_count--;
        memmove(&ring->ours[i], &ring->ours[i + 1], (ring->ours_count - i) * sizeof ring->ours[0]);
        ks_secret_wipe(&ring->ours[ring->ours_count], sizeof ring->ours[0]);
        return;
    }
}

void ks_key_ring_use(struct ks_key_ring *ring, const struct ks_symmetric_key *key)
{
    ks_key_ring_withdraw(ring, key);
    if (!ring->has_sending || !is_same(&ring->sending, key))
        ks_key_ring_retire(ring);
    ring->sending = *key;
    ring->has_sending = true;
    ring->share_again = false;
}

void ks_key_ring_retire(struct ks_key_ring *ring)
{
    if (ring->has_sending)
        push_ours(ring, &ring->sending);
    ring->has_sending = false;
    ring->share_again = false;
    ks_secret_wipe(&ring->sending, sizeof ring->sending);
}

/* ---- received ---- */

/* The oldest of those with the least standing. */
static size_t least_worth(const struct ks_key_ring *ring)
{
    size_t found = 0;
    for (size_t i = 1; i < ring->received_count; i++)
        if (ring->received[i].standing <= ring->received[found].standing)
            found = i;
    return found;
}

static void drop_received(struct ks_key_ring *ring, size_t index)
{
    ring->received_count--;
    memmove(&ring->received[index], &ring->received[index + 1],
            (ring->received_count - index) * sizeof ring->received[0]);
    ks_secret_wipe(&ring->received[ring->received_count], sizeof ring->received[0]);
}

void ks_key_ring_receive(struct ks_key_ring *ring, const struct ks_symmetric_key *key)
{
    if (is_known(ring, key))
        return;
    if (ring->received_count == KS_KEY_RING_RECEIVED)
        drop_received(ring, least_worth(ring));
    memmove(&ring->received[1], &ring->received[0], ring->received_count * sizeof ring->received[0]);
    ring->received[0] = (struct ks_received_key){.key = *key, .standing = KS_KEY_STANDING_NEW};
    ring->received_count++;
    (void)ks_key_ring_ask(ring);
}

bool ks_key_ring_accept(struct ks_key_ring *ring)
{
    for (size_t i = 0; i < ring->received_count; i++) {
        if (ring->received[i].standing == KS_KEY_STANDING_ACCEPTED)
            continue;
        ring->received[i].standing = KS_KEY_STANDING_ACCEPTED;
        return true;
    }
    return false;
}

/* ---- for reading ---- */

static const struct ks_symmetric_key *ours_at(const struct ks_key_ring *ring, size_t index)
{
    if (ring->has_sending && index-- == 0)
        return &ring->sending;
    return &ring->ours[index];
}

const struct ks_symmetric_key *ks_key_ring_candidate(const struct ks_key_ring *ring, size_t index)
{
    size_t ours = ring->ours_count + (ring->has_sending ? 1 : 0);
    size_t first = ring->reads_ours ? ours : ring->received_count;
    if (index >= ours + ring->received_count)
        return NULL;
    if ((index < first) == ring->reads_ours)
        return ours_at(ring, ring->reads_ours ? index : index - first);
    return &ring->received[ring->reads_ours ? index - first : index].key;
}

static size_t find_received(const struct ks_key_ring *ring, const struct ks_symmetric_key *key)
{
    size_t index = 0;
    while (index < ring->received_count && !is_same(&ring->received[index].key, key))
        index++;
    return index;
}

enum ks_key_standing ks_key_ring_standing(const struct ks_key_ring *ring, const struct ks_symmetric_key *key)
{
    size_t index = find_received(ring, key);
    return index < ring->received_count ? ring->received[index].standing : KS_KEY_STANDING_OURS;
}

bool ks_key_ring_note_shown(struct ks_key_ring *ring, const struct ks_symmetric_key *key)
{
    if (!is_known(ring, key)) /* pushed out or forgotten meanwhile */
        return false;
    size_t index = find_received(ring, key);
    bool is_ours = index == ring->received_count;
    bool is_news = !is_ours && ring->received[index].standing == KS_KEY_STANDING_NEW;
    bool changes = ring->reads_ours != is_ours || is_news;
    if (is_news)
        ring->received[index].standing = KS_KEY_STANDING_TOLD;
    ring->reads_ours = is_ours;
    return changes;
}
