/* turnstile.c — see turnstile.h. A table of fixed size; an address may stand in any of the places of its row.
 */
#include "service/turnstile.h"

#include "base/networks.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS = 1024, /* a power of two */
    PLACES = 4,
    FREE_GUESSES = 3,
    SPACING_MS = 100, /* between two turns, for each wrong guess */
    SPACING_LARGEST_MS = 1000,
    FORGOTTEN_AFTER_MS = 10 * 60 * 1000,
};

struct place {
    uint8_t address[KS_PEER_ADDRESS_SIZE];
    uint32_t wrong;   /* 0: free */
    uint64_t last_ms; /* of the last wrong one */
    uint64_t next_turn_ms;
};

struct ks_turnstile {
    pthread_mutex_t lock;
    struct place rows[ROWS][PLACES];
};

enum ks_result ks_turnstile_new(struct ks_turnstile **turnstile)
{
    struct ks_turnstile *created = calloc(1, sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    pthread_mutex_init(&created->lock, NULL);
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

static struct place *row_of(struct ks_turnstile *turnstile,
                            const uint8_t network[static KS_PEER_ADDRESS_SIZE])
{
    return turnstile->rows[ks_networks_hash(network) % ROWS];
}

/* Under the lock; forgets what is old. NULL when the network stands nowhere. */
static struct place *find(struct ks_turnstile *turnstile, const uint8_t network[static KS_PEER_ADDRESS_SIZE],
                          uint64_t now_ms)
{
    struct place *row = row_of(turnstile, network);
    for (size_t i = 0; i < PLACES; i++) {
        if (row[i].wrong > 0 && now_ms - row[i].last_ms >= FORGOTTEN_AFTER_MS)
            row[i].wrong = 0;
        if (row[i].wrong > 0 && memcmp(row[i].address, network, KS_PEER_ADDRESS_SIZE) == 0)
            return &row[i];
    }
    return NULL;
}

/* Under the lock: the place of the fewest wrong guesses. */
static struct place *make_place(struct ks_turnstile *turnstile,
                                const uint8_t network[static KS_PEER_ADDRESS_SIZE])
{
    struct place *row = row_of(turnstile, network);
    struct place *place = &row[0];
    for (size_t i = 1; i < PLACES; i++)
        if (row[i].wrong < place->wrong)
            place = &row[i];
    *place = (struct place){.wrong = 0};
    memcpy(place->address, network, KS_PEER_ADDRESS_SIZE);
    return place;
}

/* Under the lock. The latest turn may come before those that are taken already: then it is one of them. */
static struct ks_turn take(struct place *place, uint64_t now_ms)
{
    uint64_t spacing = (uint64_t)place->wrong * SPACING_MS;
    uint64_t before = place->next_turn_ms > now_ms ? place->next_turn_ms : now_ms;
    uint64_t latest = now_ms + KS_TURNSTILE_WAIT_LARGEST_MS;
    uint64_t at = before < latest ? before : latest;
    uint64_t after = at + (spacing < SPACING_LARGEST_MS ? spacing : SPACING_LARGEST_MS);
    place->next_turn_ms = after > before ? after : before;
    return (struct ks_turn){.wait_ms = at - now_ms, .later_ms = place->next_turn_ms - before};
}

struct ks_turn ks_turnstile_take(struct ks_turnstile *turnstile,
                                 const uint8_t address[static KS_PEER_ADDRESS_SIZE], uint64_t now_ms)
{
    uint8_t network[KS_PEER_ADDRESS_SIZE];
    struct ks_turn turn = {.wait_ms = 0};
    ks_networks_customer(address, network);
    pthread_mutex_lock(&turnstile->lock);
    struct place *place = find(turnstile, network, now_ms);
    if (place != NULL && place->wrong > FREE_GUESSES)
        turn = take(place, now_ms);
    pthread_mutex_unlock(&turnstile->lock);
    return turn;
}

/* Of an address that was forgotten meanwhile there is nothing to give back to; of one that was also found
 * again, no more than it has. */
void ks_turnstile_give_back(struct ks_turnstile *turnstile,
                            const uint8_t address[static KS_PEER_ADDRESS_SIZE], struct ks_turn turn,
                            uint64_t now_ms)
{
    uint8_t network[KS_PEER_ADDRESS_SIZE];
    ks_networks_customer(address, network);
    pthread_mutex_lock(&turnstile->lock);
    struct place *place = find(turnstile, network, now_ms);
    if (place != NULL)
        place->next_turn_ms -= turn.later_ms < place->next_turn_ms ? turn.later_ms : place->next_turn_ms;
    pthread_mutex_unlock(&turnstile->lock);
}

void ks_turnstile_wrong(struct ks_turnstile *turnstile, const uint8_t address[static KS_PEER_ADDRESS_SIZE],
                        uint64_t now_ms)
{
    uint8_t network[KS_PEER_ADDRESS_SIZE];
    ks_networks_customer(address, network);
    pthread_mutex_lock(&turnstile->lock);
    struct place *place = find(turnstile, network, now_ms);
    if (place == NULL)
        place = make_place(turnstile, network);
    if (place->wrong < UINT32_MAX)
        place->wrong++;
    place->last_ms = now_ms;
    pthread_mutex_unlock(&turnstile->lock);
}
