/* keyed_hash.c — see keyed_hash.h; the names are the paper's. */
#include "base/limits/keyed_hash.h"

enum { WORD_SIZE = 8, COMPRESSION_ROUNDS = 2, FINALIZATION_ROUNDS = 4, FINALIZATION_MARK = 0xff };

struct hash_state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static uint64_t little_endian(const uint8_t *bytes, size_t size)
{
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++)
        word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

static void round_once(struct hash_state *state)
{
    state->v0 += state->v1;
    state->v1 = rotate(state->v1, 13) ^ state->v0;
    state->v0 = rotate(state->v0, 32);
    state->v2 += state->v3;
    state->v3 = rotate(state->v3, 16) ^ state->v2;
    state->v0 += state->v3;
    state->v3 = rotate(state->v3, 21) ^ state->v0;
    state->v2 += state->v1;
    state->v1 = rotate(state->v1, 17) ^ state->v2;
    state->v2 = rotate(state->v2, 32);
}

static void compress(struct hash_state *state, uint64_t word)
{
    state->v3 ^= word;
    for (int i = 0; i < COMPRESSION_ROUNDS; i++)
        round_once(state);
    state->v0 ^= word;
}

uint64_t ks_keyed_hash(const struct ks_hash_key *key, const void *bytes, size_t size)
{
    const uint8_t *next = bytes;
    const uint64_t k0 = little_endian(key->bytes, WORD_SIZE);
    const uint64_t k1 = little_endian(key->bytes + WORD_SIZE, WORD_SIZE);
    struct hash_state state = {k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
                               k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
    size_t left = size;
    for (; left >= WORD_SIZE; left -= WORD_SIZE, next += WORD_SIZE)
        compress(&state, little_endian(next, WORD_SIZE));
    compress(&state, little_endian(next, left) | (uint64_t)size << 56);
    state.v2 ^= FINALIZATION_MARK;
    for (int i = 0; i < FINALIZATION_ROUNDS; i++)
        round_once(&state);
    return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}
