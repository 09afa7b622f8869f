/* key_ring_fixture.h — rings whose keys are letters. */
#ifndef KS_TESTS_UNIT_CLIENT_KEY_RING_FIXTURE_H
#define KS_TESTS_UNIT_CLIENT_KEY_RING_FIXTURE_H

#include "unit/unit.h"

#include "client/people/key_ring.h"

static inline struct ks_symmetric_key key_of(char letter)
{
    struct ks_symmetric_key key;
    memset(key.bytes, letter, sizeof key.bytes);
    return key;
}

/* The letters of the ring's candidates, in their order. */
static inline const char *letters_of(const struct ks_key_ring *ring)
{
    static char letters[KS_KEY_RING_OURS + KS_KEY_RING_RECEIVED + 2];
    const struct ks_symmetric_key *key = NULL;
    size_t i = 0;
    for (; (key = ks_key_ring_candidate(ring, i)) != NULL; i++)
        letters[i] = (char)key->bytes[0];
    letters[i] = '\0';
    return letters;
}

static inline void receive(struct ks_key_ring *ring, char letter)
{
    struct ks_symmetric_key key = key_of(letter);
    ks_key_ring_receive(ring, &key);
}

static inline void share(struct ks_key_ring *ring, char letter)
{
    struct ks_symmetric_key key = key_of(letter);
    ks_key_ring_offer(ring, &key);
    ks_key_ring_use(ring, &key);
}

/* Something under that key is shown. */
static inline bool show(struct ks_key_ring *ring, char letter)
{
    struct ks_symmetric_key key = key_of(letter);
    return ks_key_ring_note_shown(ring, &key);
}

static inline enum ks_key_standing standing_of(const struct ks_key_ring *ring, char letter)
{
    struct ks_symmetric_key key = key_of(letter);
    return ks_key_ring_standing(ring, &key);
}

#endif
