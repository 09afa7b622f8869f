/* ranking.c — see ranking.h. */
#include "base/limits/ranking.h"

#include <stdlib.h>

enum { FIRST_ROOM = 8 };

static void put(struct ks_ranking *ranking, struct ks_ranked *ranked, size_t place)
{
    ranking->heap[place] = ranked;
    ranked->place = place;
}

static void rise(struct ks_ranking *ranking, struct ks_ranked *ranked)
{
    size_t place = ranked->place;
    while (place > 0 && ranking->heap[(place - 1) / 2]->weight < ranked->weight) {
        put(ranking, ranking->heap[(place - 1) / 2], place);
        place = (place - 1) / 2;
    }
    put(ranking, ranked, place);
}

static void sink(struct ks_ranking *ranking, struct ks_ranked *ranked)
{
    size_t place = ranked->place;
    while (2 * place + 1 < ranking->count) {
        size_t child = 2 * place + 1;
        if (child + 1 < ranking->count && ranking->heap[child + 1]->weight > ranking->heap[child]->weight)
            child++;
        if (ranking->heap[child]->weight <= ranked->weight)
            break;
        put(ranking, ranking->heap[child], place);
        place = child;
    }
    put(ranking, ranked, place);
}

static enum ks_result make_room(struct ks_ranking *ranking)
{
    if (ranking->count < ranking->room)
        return KS_OK;
    size_t room = ranking->room == 0 ? FIRST_ROOM : 2 * ranking->room;
    struct ks_ranked **heap = reallocarray(ranking->heap, room, sizeof(struct ks_ranked *));
    if (heap == NULL)
        return KS_NO_MEMORY;
    ranking->heap = heap;
    ranking->room = room;
    return KS_OK;
}

enum ks_result ks_ranking_add(struct ks_ranking *ranking, struct ks_ranked *ranked)
{
    if (make_room(ranking) != KS_OK)
        return KS_NO_MEMORY;
    ranked->weight = 0; /* the last place is as good as any */
    put(ranking, ranked, ranking->count++);
    return KS_OK;
}

void ks_ranking_remove(struct ks_ranking *ranking, struct ks_ranked *ranked)
{
    struct ks_ranked *last = ranking->heap[--ranking->count];
    if (last == ranked)
        return;
    put(ranking, last, ranked->place);
    rise(ranking, last);
    sink(ranking, last);
}

void ks_ranking_set_weight(struct ks_ranking *ranking, struct ks_ranked *ranked, uint64_t weight)
{
    ranked->weight = weight;
    rise(ranking, ranked);
    sink(ranking, ranked);
}

struct ks_ranked *ks_ranking_first(const struct ks_ranking *ranking)
{
    return ranking->count > 0 ? ranking->heap[0] : NULL;
}

void ks_ranking_free(struct ks_ranking *ranking)
{
    free(ranking->heap);
    *ranking = (struct ks_ranking){0};
}
