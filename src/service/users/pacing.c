/* pacing.c — see pacing.h. A uthash table of users and networks, which is also the list of those that were
 * asked for longest ago; one lock, held for moments. */
#include "service/users/pacing.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__)
/* gcc's analyser does not see that a bucket that HASH_ADD made belongs to the table. */
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

enum { LOOKED_AT = 8 }; /* old entries, for each list that begins: more than it can add */

static const uint64_t hour_us = UINT64_C(3600) * 1000000;

struct key {
    uint8_t bytes[KS_NETWORK_ADDRESS_SIZE];
    uint8_t is_network;
};

/* Both as in allowance.c: one number for what was used. */
struct payer {
    struct key key;
    uint64_t paid_at_us; /* when the budget is whole again, if nothing is charged */
    uint64_t turn_at_us; /* when the next turn comes */
    UT_hash_handle hh;
};

struct ks_pacing {
    pthread_mutex_t lock;
    struct payer *payers; /* uthash keeps them in the order of adding */
};

_Static_assert((int)KS_CLIENT_ID_SIZE == (int)KS_NETWORK_ADDRESS_SIZE, "ids and addresses are keys alike");

enum ks_result ks_pacing_new(struct ks_pacing **pacing)
{
    struct ks_pacing *created = calloc(1, sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    pthread_mutex_init(&created->lock, NULL);
    *pacing = created;
    return KS_OK;
}

/* uthash's macros count as statements of the function. NOLINTNEXTLINE(readability-function-size) */
void ks_pacing_free(struct ks_pacing *pacing)
{
    if (pacing == NULL)
        return;
    struct payer *payer = pacing->payers;
    struct payer *next = NULL;
    HASH_CLEAR(hh, pacing->payers);
    for (; payer != NULL; payer = next) {
        next = payer->hh.next;
        free(payer);
    }
    pthread_mutex_destroy(&pacing->lock);
    free(pacing);
}

// NOLINTNEXTLINE(readability-function-size): the same
static struct payer *find(struct ks_pacing *pacing, const struct key *key)
{
    struct payer *payer = NULL;
    HASH_FIND(hh, pacing->payers, key, sizeof *key, payer);
    return payer;
}

/* As the latest. False, and it is freed, when there is no memory for the table. */
// NOLINTNEXTLINE(readability-function-size): the same
static bool add(struct ks_pacing *pacing, struct payer *payer)
{
    HASH_ADD(hh, pacing->payers, key, sizeof payer->key, payer);
    if (payer->hh.tbl != NULL)
        return true;
    free(payer);
    return false;
}

static struct payer *find_or_add(struct ks_pacing *pacing, const void *bytes, bool is_network)
{
    struct key key;
    memset(&key, 0, sizeof key);
    memcpy(key.bytes, bytes, sizeof key.bytes);
    key.is_network = is_network;
    struct payer *payer = find(pacing, &key);
    if (payer != NULL)
        return payer;
    payer = calloc(1, sizeof *payer);
    if (payer == NULL)
        return NULL;
    payer->key = key;
    return add(pacing, payer) ? payer : NULL;
}

/* Forgets who owes nothing any more, a few at a time. */
// NOLINTNEXTLINE(readability-function-size): the same
static void forget_settled(struct ks_pacing *pacing, uint64_t now_us)
{
    for (unsigned i = 0; i < LOOKED_AT && pacing->payers != NULL; i++) {
        struct payer *oldest = pacing->payers;
        /* The first has none before it, so payers moves on: clang's analyzer cannot know that.
         * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
        HASH_DELETE(hh, pacing->payers, oldest);
        if (oldest->paid_at_us <= now_us && oldest->turn_at_us <= now_us)
            free(oldest);
        else
            (void)add(pacing, oldest); /* for the next round */
    }
}

/* Who pays for an answer: its user, and the networks that count; each has so many times what a user has. */
struct payers {
    unsigned count;
    struct payer *payer[1 + KS_NETWORK_LEVELS];
    unsigned times[1 + KS_NETWORK_LEVELS];
};

/* False without memory. */
static bool find_payers(struct ks_pacing *pacing, const struct ks_pacing_terms *terms, struct payers *payers)
{
    *payers = (struct payers){.count = 1, .times = {1}};
    payers->payer[0] = find_or_add(pacing, terms->id.bytes, false);
    if (payers->payer[0] == NULL)
        return false;
    for (unsigned i = 0; i < terms->networks.count; i++) {
        struct payer *network = find_or_add(pacing, terms->networks.keys[i], true);
        if (network == NULL)
            return false;
        payers->times[payers->count] = KS_PACING_NETWORK_SHARE * ks_network_shares[i];
        payers->payer[payers->count++] = network;
    }
    return true;
}

/* How long `size` bytes take where `per_hour` may go in an hour. */
static uint64_t time_of(uint64_t size, uint64_t per_hour)
{
    return (uint64_t)((double)size * (double)hour_us / (double)per_hour);
}

static uint64_t later_of(uint64_t one, uint64_t other)
{
    return one > other ? one : other;
}

static bool have_budget(const struct payers *payers, uint64_t now_us)
{
    for (unsigned i = 0; i < payers->count; i++)
        if (payers->payer[i]->paid_at_us >= now_us + hour_us)
            return false;
    return true;
}

static void charge(const struct payers *payers, uint64_t size, uint64_t budget, uint64_t now_us)
{
    for (unsigned i = 0; i < payers->count; i++) {
        struct payer *payer = payers->payer[i];
        payer->paid_at_us = later_of(payer->paid_at_us, now_us) + time_of(size, budget * payers->times[i]);
    }
}

bool ks_pacing_begin(struct ks_pacing *pacing, const struct ks_pacing_terms *terms, uint64_t size,
                     uint64_t now_ms)
{
    struct payers payers;
    uint64_t now_us = now_ms * 1000;
    if (terms->budget == 0)
        return true;
    pthread_mutex_lock(&pacing->lock);
    forget_settled(pacing, now_us);
    bool at_once = find_payers(pacing, terms, &payers) && have_budget(&payers, now_us);
    if (at_once)
        charge(&payers, size, terms->budget, now_us);
    pthread_mutex_unlock(&pacing->lock);
    return at_once;
}

/* In how many microseconds the payer's turn comes. */
static uint64_t take_turn(struct payer *payer, uint64_t time_us, uint64_t now_us)
{
    uint64_t turn_us = later_of(payer->turn_at_us, now_us);
    payer->turn_at_us = turn_us + time_us;
    return turn_us - now_us;
}

uint64_t ks_pacing_turn(struct ks_pacing *pacing, const struct ks_pacing_terms *terms, uint64_t size,
                        uint64_t now_ms)
{
    struct payers payers;
    uint64_t now_us = now_ms * 1000;
    uint64_t time_us = time_of(size, terms->rate * 3600);
    uint64_t after_us = 0;
    pthread_mutex_lock(&pacing->lock);
    if (!find_payers(pacing, terms, &payers)) {
        payers.count = 0;
        after_us = time_us;
    }
    for (unsigned i = 0; i < payers.count; i++)
        after_us = later_of(after_us, take_turn(payers.payer[i], time_us / payers.times[i], now_us));
    pthread_mutex_unlock(&pacing->lock);
    return (after_us + 999) / 1000;
}

static void return_turn(struct payer *payer, uint64_t time_us)
{
    payer->turn_at_us -= time_us < payer->turn_at_us ? time_us : payer->turn_at_us;
}

void ks_pacing_give_back(struct ks_pacing *pacing, const struct ks_pacing_terms *terms, uint64_t size)
{
    struct payers payers;
    uint64_t time_us = time_of(size, terms->rate * 3600);
    pthread_mutex_lock(&pacing->lock);
    if (find_payers(pacing, terms, &payers))
        for (unsigned i = 0; i < payers.count; i++)
            return_turn(payers.payer[i], time_us / payers.times[i]);
    pthread_mutex_unlock(&pacing->lock);
}
