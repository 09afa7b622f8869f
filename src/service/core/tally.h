/* tally.h — what the services count, for metrics: requests by code and by the code of their answer, uploads
 * by the limit that they were refused at. Private to src/service and src/server.
 *
 * Each loop counts in a shard of its own; whoever reads adds them up. Counting costs a few nanoseconds.
 */
#ifndef KS_SERVICE_CORE_TALLY_H
#define KS_SERVICE_CORE_TALLY_H

#include "base/counter.h"
#include "net/connection.h"
#include "store/store.h"
#include "wire/ask_codec.h"

enum {
    KS_TALLY_REQUESTS = 40, /* rules there may be, in the tables of all ports (rules.h) */
    KS_TALLY_ANSWERS = 24,
    KS_TALLY_ASKED = KS_ASK_UNKNOWN + 1,
};

/* The limits that refuse an upload. */
enum ks_tally_limit {
    KS_TALLY_USER_FILES,
    KS_TALLY_USER_BYTES,
    KS_TALLY_FREE_SPACE,
    KS_TALLY_UPLOADS_PER_USER,
    KS_TALLY_UPLOADS,
    KS_TALLY_LIMITS, /* also: none of them */
};

struct ks_tally_shard {
    _Alignas(KS_CACHE_LINE) _Atomic uint64_t answers[KS_TALLY_REQUESTS][KS_TALLY_ANSWERS];
    _Atomic uint64_t asked[KS_TALLY_ASKED];
    _Atomic uint64_t refused[KS_TALLY_LIMITS];
    _Atomic uint64_t put_bytes;
    _Atomic uint64_t got_bytes;
};

/* Zeros to begin with; aligned as its shards are. */
struct ks_tally {
    struct ks_tally_shard shards[KS_LOOPS_LIMIT];
};

/* The shard that a loop counts in; NULL without a tally. */
static inline struct ks_tally_shard *ks_tally_shard_of(struct ks_tally *tally, const struct ks_loop *loop)
{
    return tally != NULL ? &tally->shards[loop->number % KS_LOOPS_LIMIT] : NULL;
}

/* The place of an answer of the secure port, or of one that has none of its own. */
size_t ks_tally_place_of(uint16_t code);

/* A request was answered: `request` is the place of its rule among those of all tables (rules.h), `code` of
 * the answer, 0 for none. On the shard's loop. NULL counts nothing. */
static inline void ks_tally_answered(struct ks_tally_shard *shard, size_t request, uint16_t code)
{
    /* 2100 to 2107 have the first eight places. */
    size_t answer = code >= 2100 && code <= 2107 ? code - 2100U : ks_tally_place_of(code);
    if (shard != NULL)
        ks_count(&shard->answers[request][answer], 1);
}

/* The same for one of ask. */
static inline void ks_tally_asked(struct ks_tally_shard *shard, enum ks_ask_request request)
{
    if (shard != NULL)
        ks_count(&shard->asked[request], 1);
}

/* An upload was refused at a limit; at KS_TALLY_LIMITS nothing is counted. */
static inline void ks_tally_refused(struct ks_tally_shard *shard, enum ks_tally_limit limit)
{
    if (shard != NULL && limit < KS_TALLY_LIMITS)
        ks_count(&shard->refused[limit], 1);
}

/* Bytes of own files came in pieces of puts, or went out. */
static inline void ks_tally_put(struct ks_tally_shard *shard, uint64_t bytes)
{
    if (shard != NULL)
        ks_count(&shard->put_bytes, bytes);
}

static inline void ks_tally_got(struct ks_tally_shard *shard, uint64_t bytes)
{
    if (shard != NULL)
        ks_count(&shard->got_bytes, bytes);
}

/* The store's limits among them. */
enum ks_tally_limit ks_tally_limit_of(enum ks_store_limit limit);

/* The sum of all shards. Any thread. */
uint64_t ks_tally_answers(const struct ks_tally *tally, size_t request, size_t answer);
uint64_t ks_tally_asks(const struct ks_tally *tally, enum ks_ask_request request);
uint64_t ks_tally_refusals(const struct ks_tally *tally, enum ks_tally_limit limit);
uint64_t ks_tally_put_bytes(const struct ks_tally *tally);
uint64_t ks_tally_got_bytes(const struct ks_tally *tally);

/* How metrics call them: "2100", "9000" or "none"; "TIME". Static. A request is called by the label of its
 * rule. */
const char *ks_tally_answer_name(size_t answer);
const char *ks_tally_ask_name(enum ks_ask_request request);

/* A limit is called as its setting is. Static; not for KS_TALLY_LIMITS. */
const char *ks_tally_limit_name(enum ks_tally_limit limit);

#endif
