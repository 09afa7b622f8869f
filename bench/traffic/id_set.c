/* id_set.c — see id_set.h. Linear probing. */
#include "bench/traffic/id_set.h"

#include <stdlib.h>
#include <string.h>

bool ks_id_set_init(struct ks_id_set *set, uint64_t count)
{
    uint64_t size = 16;
    while (size / 4 * 3 < count)
        size *= 2;
    *set = (struct ks_id_set){.places = calloc(size, sizeof *set->places), .mask = size - 1};
    return set->places != NULL;
}

void ks_id_set_free(struct ks_id_set *set)
{
    free(set->places);
    *set = (struct ks_id_set){0};
}

/* Ids are random, but need not be: a server may count. */
static uint64_t hash(const uint8_t id[static KS_CLIENT_ID_SIZE])
{
    const uint64_t odd = UINT64_C(0x9E3779B97F4A7C15); /* 2^64 by the golden ratio */
    uint64_t halves[2];
    memcpy(halves, id, sizeof halves);
    uint64_t mixed = (halves[0] ^ (halves[1] * odd)) * odd;
    return mixed ^ (mixed >> 32);
}

bool ks_id_set_add(struct ks_id_set *set, const uint8_t id[static KS_CLIENT_ID_SIZE])
{
    static const struct ks_client_id zeros;
    if (memcmp(id, zeros.bytes, sizeof zeros) == 0)
        return false;
    uint64_t place = hash(id) & set->mask;
    while (memcmp(set->places[place].bytes, zeros.bytes, sizeof zeros) != 0) {
        if (memcmp(set->places[place].bytes, id, sizeof zeros) == 0)
            return false;
        place = (place + 1) & set->mask;
    }
    memcpy(set->places[place].bytes, id, sizeof zeros);
    return true;
}
