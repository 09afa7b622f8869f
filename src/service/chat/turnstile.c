/* turnstile.c — see turnstile.h. A table of fixed size for each level of networks; a network may stand in any
 * of the places of its row.
 */
#include "service/chat/turnstile.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS = 1024,
    PLACES = 9, /* the last one is shared by whoever finds no other */
    FREE_GUESSES = 3,
    SPACING_MS = 100, /* between two turns, for each wrong guess */
    SPACING_LARGEST_MS = 1000,
    FORGOTTEN_AFTER_MS = 10 * 60 * 1000,
};

struct turnstile_place {
    uint8_t address[KS_NETWORK_ADDRESS_SIZE];
    uint32_t wrong;   /* 0: free */
    uint64_t last_ms; /* of the last wrong one */
    uint64_t next_turn_ms;
};

struct ks_turnstile {
    pthread_mutex_t lock;
    struct ks_hash_key key;
    struct turnstile_place rows[KS_NETWORK_LEVELS][ROWS][PLACES];
};

enum ks_result ks_turnstile_new(const struct ks_hash_key *key, struct ks_turnstile **turnstile)
{
    struct ks_turnstile *created = calloc(1, sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    pthread_mutex_init(&created->lock, NULL);
    created->key = *key;
    *turnstile = created;
    return KS_OK;
}

void ks_turnstile_free(struct ks_turnstile *turnstile)
{
    if (turnstile == NULL)
        return;
    pthread_mutex_destroy(&turnstile->lock);
    free(turnstile);
}

static struct turnstile_place *row_of(struct ks_turnstile *turnstile, unsigned level,
                                      const uint8_t network[static KS_NETWORK_ADDRESS_SIZE])
{
    uint64_t hash = ks_keyed_hash(&turnstile->key, network, KS_NETWORK_ADDRESS_SIZE);
    return turnstile->rows[level][hash % ROWS];
}

/* Under the lock; forgets what is old. The network's place, or the shared one where that is in use. NULL when
 * the network is not known. */
static struct turnstile_place *find(struct ks_turnstile *turnstile, unsigned level,
                                    const uint8_t network[static KS_NETWORK_ADDRESS_SIZE], uint64_t now_ms)
{
    struct turnstile_place *row = row_of(turnstile, level, network);
    struct turnstile_place *shared = &row[PLACES - 1];
    for (size_t i = 0; i < PLACES; i++) {
        if (row[i].wrong > 0 && now_ms - row[i].last_ms >= FORGOTTEN_AFTER_MS)
            row[i].wrong = 0;
        if (&row[i] != shared && row[i].wrong > 0 &&
            memcmp(row[i].address, network, KS_NETWORK_ADDRESS_SIZE) == 0)
            return &row[i];
    }
    return shared->wrong > 0 ? shared : NULL;
}

/* Under the lock: a free place for a network that has none, or the shared one. */
static struct turnstile_place *make_place(struct ks_turnstile *turnstile, unsigned level,
                                          const uint8_t network[static KS_NETWORK_ADDRESS_SIZE])
{
    struct turnstile_place *row = row_of(turnstile, level, network);
    size_t i = 0;
    while (i < PLACES - 1 && row[i].wrong > 0)
        i++;
    row[i] = (struct turnstile_place){.wrong = 0};
    memcpy(row[i].address, network, KS_NETWORK_ADDRESS_SIZE);
    return &row[i];
}

/* How many of a level's wrong guesses count. */
static uint32_t counted(const struct turnstile_place *place, unsigned level)
{
    return place->wrong / ks_network_shares[level];
}

static uint64_t spacing_of(const struct turnstile_place *place, unsigned level)
{
    uint64_t spacing = (uint64_t)counted(place, level) * SPACING_MS;
    return (spacing < SPACING_LARGEST_MS ? spacing : SPACING_LARGEST_MS) / ks_network_shares[level];
}

/* Under the lock. The latest turn may come before those that are taken already: then it is one of them. */
static void take(struct turnstile_place *place, unsigned level, uint64_t now_ms, struct ks_turn *turn)
{
    uint64_t before = place->next_turn_ms > now_ms ? place->next_turn_ms : now_ms;
    uint64_t latest = now_ms + KS_TURNSTILE_WAIT_LARGEST_MS;
    uint64_t at = before < latest ? before : latest;
    uint64_t after = at + spacing_of(place, level);
    place->next_turn_ms = after > before ? after : before;
    turn->later_ms[level] = place->next_turn_ms - before;
    if (at - now_ms > turn->wait_ms)
        turn->wait_ms = at - now_ms;
}

struct ks_turn ks_turnstile_take(struct ks_turnstile *turnstile,
                                 const uint8_t address[static KS_PEER_ADDRESS_SIZE], uint64_t now_ms)
{
    const struct ks_network_levels levels = ks_networks_levels(address);
    struct ks_turn turn = {.wait_ms = 0};
    pthread_mutex_lock(&turnstile->lock);
    for (unsigned i = 0; i < levels.count; i++) {
        struct turnstile_place *place = find(turnstile, i, levels.keys[i], now_ms);
        if (place != NULL && counted(place, i) > FREE_GUESSES)
            take(place, i, now_ms, &turn);
    }
    pthread_mutex_unlock(&turnstile->lock);
    return turn;
}

/* Of an address that was forgotten meanwhile there is nothing to give back to; of one that was also found
 * again, no more than it has. */
void ks_turnstile_give_back(struct ks_turnstile *turnstile,
                            const uint8_t address[static KS_PEER_ADDRESS_SIZE], struct ks_turn turn,
                            uint64_t now_ms)
{
    const struct ks_network_levels levels = ks_networks_levels(address);
    pthread_mutex_lock(&turnstile->lock);
    for (unsigned i = 0; i < levels.count; i++) {
        struct turnstile_place *place = find(turnstile, i, levels.keys[i], now_ms);
        uint64_t later_ms = turn.later_ms[i];
        if (place != NULL)
            place->next_turn_ms -= later_ms < place->next_turn_ms ? later_ms : place->next_turn_ms;
    }
    pthread_mutex_unlock(&turnstile->lock);
}

void ks_turnstile_wrong(struct ks_turnstile *turnstile, const uint8_t address[static KS_PEER_ADDRESS_SIZE],
                        uint64_t now_ms)
{
    const struct ks_network_levels levels = ks_networks_levels(address);
    pthread_mutex_lock(&turnstile->lock);
    for (unsigned i = 0; i < levels.count; i++) {
        struct turnstile_place *place = find(turnstile, i, levels.keys[i], now_ms);
        if (place == NULL)
            place = make_place(turnstile, i, levels.keys[i]);
        if (place->wrong < UINT32_MAX)
            place->wrong++;
        place->last_ms = now_ms;
    }
    pthread_mutex_unlock(&turnstile->lock);
}
