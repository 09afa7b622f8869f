/* puts.c — see puts.h. One uthash table of users under one mutex; the puts of a user, of which the limits
 * allow few, are a list. */
#include "store/embedded/memory/puts.h"

#include "base/machine.h"
#include "store/embedded/memory/id_hash.h"
#include "store/embedded/memory/table.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A user with puts. */
struct putter {
    UT_hash_handle hh;
    struct ks_client_id id;
    struct ks_put_entry *puts;
    uint64_t open;
    uint64_t parked;
};

struct ks_puts {
    pthread_mutex_t lock; /* of all below */
    struct putter *putters;
    uint64_t counts[KS_PUT_STATES]; /* of all users */
    uint64_t bytes;
    uint64_t earliest_ms; /* nothing that is parked goes before */
    const struct ks_store_limits *limits;
    const struct ks_log *log;
};

struct ks_puts *ks_puts_new(const struct ks_store_limits *limits, const struct ks_log *log)
{
    struct ks_puts *puts = calloc(1, sizeof *puts);
    if (puts == NULL)
        return NULL;
    pthread_mutex_init(&puts->lock, NULL);
    puts->earliest_ms = UINT64_MAX;
    puts->limits = limits;
    puts->log = log;
    return puts;
}

static void putter_free(struct putter *putter)
{
    struct ks_put_entry *next = NULL;
    for (struct ks_put_entry *put = putter->puts; put != NULL; put = next) {
        next = put->next;
        free(put);
    }
    free(putter);
}

void ks_puts_free(struct ks_puts *puts)
{
    if (puts == NULL)
        return;
    struct putter *putter = puts->putters;
    struct putter *next = NULL;
    HASH_CLEAR(hh, puts->putters);
    for (; putter != NULL; putter = next) {
        next = putter->hh.next;
        putter_free(putter);
    }
    pthread_mutex_destroy(&puts->lock);
    free(puts);
}

/* ---- under the lock ---- */

static const char *const state_names[KS_PUT_STATES] = {"open", "parked", "leaving"};

static const uint16_t state_ways[KS_PUT_STATES] = {
    [KS_PUT_OPEN] = KS_WAY_TO(KS_PUT_PARKED) | KS_WAY_TO(KS_PUT_LEAVING),
    [KS_PUT_PARKED] = KS_WAY_TO(KS_PUT_OPEN) | KS_WAY_TO(KS_PUT_LEAVING),
};

static const struct ks_machine machine = {.name = "put", .states = state_names, .ways = state_ways};

static struct putter *putter_find(const struct ks_puts *puts, const struct ks_client_id *id)
{
    struct putter *putter = NULL;
    HASH_FIND_BYHASHVALUE(hh, puts->putters, id->bytes, sizeof id->bytes, ks_id_hash(id), putter);
    return putter;
}

static struct putter *putter_new(struct ks_puts *puts, const struct ks_client_id *id)
{
    struct putter *putter = calloc(1, sizeof *putter);
    if (putter == NULL)
        return NULL;
    putter->id = *id;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, puts->putters, putter->id.bytes, sizeof putter->id.bytes, ks_id_hash(id),
                                putter);
    if (putter->hh.tbl != NULL)
        return putter;
    free(putter);
    return NULL;
}

/* One more, or one less, is in the state that the put has. */
static void count(struct ks_puts *puts, struct putter *putter, const struct ks_put_entry *put, bool more)
{
    uint64_t one = more ? 1 : UINT64_MAX; /* modulo 2^64, that is one less */
    puts->counts[put->state] += one;
    putter->open += put->state == KS_PUT_OPEN ? one : 0;
    putter->parked += put->state == KS_PUT_PARKED ? one : 0;
}

/* The only way to another state. */
static void become(struct ks_puts *puts, struct putter *putter, struct ks_put_entry *put,
                   enum ks_put_state state)
{
    unsigned from = put->state;
    count(puts, putter, put, false);
    bool changed = ks_machine_step(&machine, puts->log, &put->state, state);
    count(puts, putter, put, true);
    if (changed && ks_log_shows(puts->log, KS_LOG_DEBUG))
        ks_machine_tell(&machine, puts->log, "store", from, state);
}

static void set_bytes(struct ks_puts *puts, struct ks_put_entry *put, uint64_t bytes)
{
    puts->bytes = puts->bytes - put->bytes + bytes;
    put->bytes = bytes;
}

static void keep_until(struct ks_puts *puts, struct ks_put_entry *put, uint64_t until_ms)
{
    put->until_ms = until_ms;
    if (until_ms < puts->earliest_ms)
        puts->earliest_ms = until_ms;
}

/* A new one in that state, of nothing. NULL when out of memory. */
static struct ks_put_entry *put_new(struct ks_puts *puts, const struct ks_client_id *id,
                                    const uint8_t put_id[static KS_PUT_ID_SIZE], enum ks_put_state state)
{
    struct ks_put_entry *put = calloc(1, sizeof *put);
    if (put == NULL)
        return NULL;
    struct putter *putter = putter_find(puts, id);
    if (putter == NULL)
        putter = putter_new(puts, id);
    if (putter == NULL) {
        free(put);
        return NULL;
    }
    put->id = *id;
    memcpy(put->put_id, put_id, sizeof put->put_id);
    put->state = (uint8_t)state;
    DL_APPEND2(putter->puts, put, previous, next);
    count(puts, putter, put, true);
    return put;
}

static void put_end(struct ks_puts *puts, struct ks_put_entry *put)
{
    struct putter *putter = putter_find(puts, &put->id);
    set_bytes(puts, put, 0);
    count(puts, putter, put, false);
    DL_DELETE2(putter->puts, put, previous, next);
    if (putter->puts == NULL) {
        HASH_DELETE(hh, puts->putters, putter);
        free(putter);
    }
    free(put);
}

static struct ks_put_entry *put_find(const struct putter *putter, const uint8_t put_id[static KS_PUT_ID_SIZE])
{
    struct ks_put_entry *put = putter != NULL ? putter->puts : NULL;
    while (put != NULL && memcmp(put->put_id, put_id, sizeof put->put_id) != 0)
        put = put->next;
    return put;
}

/* ---- limits ---- */

static bool passes(uint64_t limit, uint64_t sum)
{
    return limit != 0 && sum > limit;
}

static uint64_t add(uint64_t left, uint64_t right)
{
    return left > UINT64_MAX - right ? UINT64_MAX : left + right;
}

/* What a user's others are, beside the one that is to be opened. */
struct others {
    uint64_t open;
    uint64_t parked;
    uint64_t open_bytes;
    uint64_t parked_bytes;
};

static struct others others_of(const struct putter *putter, const struct ks_put_entry *but)
{
    struct others others = {0};
    const struct ks_put_entry *put = putter != NULL ? putter->puts : NULL;
    for (; put != NULL; put = put->next) {
        if (put == but || put->state == KS_PUT_LEAVING)
            continue;
        bool is_open = put->state == KS_PUT_OPEN;
        *(is_open ? &others.open : &others.parked) += 1;
        if (is_open)
            others.open_bytes = add(others.open_bytes, put->size);
        else
            others.parked_bytes = add(others.parked_bytes, put->bytes);
    }
    return others;
}

/* The limit that would be passed whatever made room. */
static enum ks_store_limit hard_limit(const struct ks_puts *puts, const struct others *others, uint64_t size)
{
    const struct ks_store_limits *limits = puts->limits;
    if (passes(atomic_load(&limits->user_puts), others->open + 1))
        return KS_STORE_LIMIT_USER_PUTS;
    if (passes(atomic_load(&limits->user_bytes), add(others->open_bytes, size)))
        return KS_STORE_LIMIT_USER_BYTES;
    if (passes(atomic_load(&limits->puts), puts->counts[KS_PUT_OPEN] + 1))
        return KS_STORE_LIMIT_PUTS;
    return KS_STORE_LIMIT_NONE;
}

/* Whether one of the user's own has to make room. */
static bool needs_own(const struct ks_puts *puts, const struct others *others, uint64_t size)
{
    const struct ks_store_limits *limits = puts->limits;
    uint64_t bytes = add(add(others->open_bytes, others->parked_bytes), size);
    return others->parked > 0 &&
           (passes(atomic_load(&limits->user_puts), others->open + others->parked + 1) ||
            passes(atomic_load(&limits->user_bytes), bytes));
}

static struct ks_put_entry *oldest_parked(const struct putter *putter, const struct ks_put_entry *but)
{
    struct ks_put_entry *oldest = NULL;
    struct ks_put_entry *put = putter->puts;
    for (; put != NULL; put = put->next)
        if (put != but && put->state == KS_PUT_PARKED && (oldest == NULL || put->until_ms < oldest->until_ms))
            oldest = put;
    return oldest;
}

/* Who has most that are parked, `but` not counted. */
static struct putter *who_has_most(const struct ks_puts *puts, const struct ks_put_entry *but)
{
    struct putter *most = NULL;
    uint64_t most_parked = 0;
    for (struct putter *putter = puts->putters; putter != NULL; putter = putter->hh.next) {
        bool is_here = but != NULL && memcmp(&putter->id, &but->id, sizeof but->id) == 0;
        uint64_t parked = putter->parked - (is_here ? 1 : 0);
        if (parked > most_parked) {
            most = putter;
            most_parked = parked;
        }
    }
    return most;
}

/* The one that has to make room for another of `putter`, taken; `parked` is this other one, if it is there.
 * NULL when there is room. */
static struct ks_put_entry *take_for_room(struct ks_puts *puts, struct putter *putter,
                                          const struct ks_put_entry *parked, const struct others *others,
                                          uint64_t size)
{
    uint64_t all = puts->counts[KS_PUT_OPEN] + puts->counts[KS_PUT_PARKED] + (parked != NULL ? 0 : 1);
    struct putter *whose = NULL;
    if (needs_own(puts, others, size))
        whose = putter;
    else if (passes(atomic_load(&puts->limits->puts), all))
        whose = who_has_most(puts, parked);
    struct ks_put_entry *oldest = whose != NULL ? oldest_parked(whose, parked) : NULL;
    if (oldest != NULL)
        become(puts, whose, oldest, KS_PUT_LEAVING);
    return oldest;
}

static enum ks_result open_put(struct ks_puts *puts, const struct ks_client_id *id,
                               const uint8_t put_id[static KS_PUT_ID_SIZE], uint64_t size,
                               struct ks_put_entry **put, enum ks_store_limit *limit)
{
    struct putter *putter = putter_find(puts, id);
    struct ks_put_entry *parked = put_find(putter, put_id);
    if (parked != NULL && parked->state != KS_PUT_PARKED)
        return KS_CLOSED;
    const struct others others = others_of(putter, parked);
    *limit = hard_limit(puts, &others, size);
    if (*limit != KS_STORE_LIMIT_NONE)
        return KS_REFUSED;
    *put = take_for_room(puts, putter, parked, &others, size);
    if (*put != NULL)
        return KS_MORE;
    *put = parked;
    if (parked != NULL)
        become(puts, putter, parked, KS_PUT_OPEN);
    else
        *put = put_new(puts, id, put_id, KS_PUT_OPEN);
    if (*put == NULL)
        return KS_NO_MEMORY;
    (*put)->size = size;
    return KS_OK;
}

/* ---- for all ---- */

enum ks_result ks_puts_load(struct ks_puts *puts, const struct ks_client_id *id,
                            const uint8_t put_id[static KS_PUT_ID_SIZE], uint64_t bytes, uint64_t until_ms)
{
    pthread_mutex_lock(&puts->lock);
    struct ks_put_entry *put = put_new(puts, id, put_id, KS_PUT_PARKED);
    if (put != NULL) {
        put->size = bytes;
        set_bytes(puts, put, bytes);
        keep_until(puts, put, until_ms);
    }
    pthread_mutex_unlock(&puts->lock);
    return put != NULL ? KS_OK : KS_NO_MEMORY;
}

enum ks_result ks_puts_open(struct ks_puts *puts, const struct ks_client_id *id,
                            const uint8_t put_id[static KS_PUT_ID_SIZE], uint64_t size,
                            struct ks_put_entry **put, bool *was_parked, enum ks_store_limit *limit)
{
    pthread_mutex_lock(&puts->lock);
    *was_parked = put_find(putter_find(puts, id), put_id) != NULL;
    enum ks_result result = open_put(puts, id, put_id, size, put, limit);
    pthread_mutex_unlock(&puts->lock);
    return result;
}

void ks_puts_set_bytes(struct ks_puts *puts, struct ks_put_entry *put, uint64_t bytes, uint64_t size)
{
    pthread_mutex_lock(&puts->lock);
    set_bytes(puts, put, bytes);
    put->size = size;
    pthread_mutex_unlock(&puts->lock);
}

bool ks_puts_park(struct ks_puts *puts, struct ks_put_entry *put, uint64_t until_ms)
{
    pthread_mutex_lock(&puts->lock);
    struct putter *putter = putter_find(puts, &put->id);
    bool parked = !put->is_expelled;
    become(puts, putter, put, parked ? KS_PUT_PARKED : KS_PUT_LEAVING);
    if (parked)
        keep_until(puts, put, until_ms);
    DL_DELETE2(putter->puts, put, previous,
               next); /* of two of one age, the one that broke off first is older */
    DL_APPEND2(putter->puts, put, previous, next);
    pthread_mutex_unlock(&puts->lock);
    return parked;
}

void ks_puts_forget(struct ks_puts *puts, struct ks_put_entry *put)
{
    pthread_mutex_lock(&puts->lock);
    put_end(puts, put);
    pthread_mutex_unlock(&puts->lock);
}

/* Looks at all of them, but only when it may be time. */
static struct ks_put_entry *find_over_age(struct ks_puts *puts, uint64_t now_ms, struct putter **whose)
{
    uint64_t earliest_ms = UINT64_MAX;
    if (now_ms < puts->earliest_ms)
        return NULL;
    for (*whose = puts->putters; *whose != NULL; *whose = (*whose)->hh.next) {
        struct ks_put_entry *oldest = oldest_parked(*whose, NULL);
        if (oldest != NULL && oldest->until_ms <= now_ms)
            return oldest;
        if (oldest != NULL && oldest->until_ms < earliest_ms)
            earliest_ms = oldest->until_ms;
    }
    puts->earliest_ms = earliest_ms;
    return NULL;
}

struct ks_put_entry *ks_puts_take_over_age(struct ks_puts *puts, uint64_t now_ms)
{
    struct putter *putter = NULL;
    pthread_mutex_lock(&puts->lock);
    struct ks_put_entry *put = find_over_age(puts, now_ms, &putter);
    if (put != NULL)
        become(puts, putter, put, KS_PUT_LEAVING);
    pthread_mutex_unlock(&puts->lock);
    return put;
}

struct ks_put_entry *ks_puts_take_of(struct ks_puts *puts, const struct ks_client_id *id)
{
    pthread_mutex_lock(&puts->lock);
    struct putter *putter = putter_find(puts, id);
    struct ks_put_entry *taken = putter != NULL ? oldest_parked(putter, NULL) : NULL;
    if (taken != NULL)
        become(puts, putter, taken, KS_PUT_LEAVING);
    for (struct ks_put_entry *put = putter != NULL ? putter->puts : NULL; put != NULL; put = put->next)
        put->is_expelled = true;
    pthread_mutex_unlock(&puts->lock);
    return taken;
}

static uint64_t sum_up(const struct putter *putter, uint64_t *bytes)
{
    uint64_t count = 0;
    *bytes = 0;
    for (const struct ks_put_entry *put = putter != NULL ? putter->puts : NULL; put != NULL;
         put = put->next) {
        if (put->state == KS_PUT_LEAVING)
            continue;
        *bytes += put->bytes;
        count++;
    }
    return count;
}

void ks_puts_sums(struct ks_puts *puts, const struct ks_client_id *id, uint64_t *count, uint64_t *bytes)
{
    pthread_mutex_lock(&puts->lock);
    *count = sum_up(putter_find(puts, id), bytes);
    pthread_mutex_unlock(&puts->lock);
}

void ks_puts_all(struct ks_puts *puts, uint64_t *count, uint64_t *bytes)
{
    pthread_mutex_lock(&puts->lock);
    *count = puts->counts[KS_PUT_OPEN] + puts->counts[KS_PUT_PARKED];
    *bytes = puts->bytes;
    pthread_mutex_unlock(&puts->lock);
}
