/* hash.c — see hash.h. After "SipHash: a fast short-input PRF", Aumasson and Bernstein, 2012. */
#include "store/sqlite/hash.h"

struct hash_state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t load_u64(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static void hash_round(struct hash_state *state)
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

static void hash_word(struct hash_state *state, uint64_t word)
{
    state->v3 ^= word;
    hash_round(state);
    hash_round(state);
    state->v0 ^= word;
}

uint64_t ks_hash_keyed(const uint8_t key[static KS_HASH_KEY_SIZE], const void *bytes, size_t size)
{
    uint64_t k0 = load_u64(key, 8);
    uint64_t k1 = load_u64(key + 8, 8);
    struct hash_state state = {
        .v0 = k0 ^ 0x736f6d6570736575U,
        .v1 = k1 ^ 0x646f72616e646f6dU,
        .v2 = k0 ^ 0x6c7967656e657261U,
        .v3 = k1 ^ 0x7465646279746573U,
    };
    const uint8_t *next = bytes;
    size_t left = size;
    for (; left >= 8; left -= 8, next += 8)
        hash_word(&state, load_u64(next, 8));
    hash_word(&state, load_u64(next, left) | (uint64_t)size << 56);
    state.v2 ^= 0xff;
    for (int i = 0; i < 4; i++)
        hash_round(&state);
    return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}
