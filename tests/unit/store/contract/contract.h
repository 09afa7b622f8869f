/* contract.h — what store/store.h promises, as cases that every engine goes through.
 *
 * A case is asked by a party, on whose executor the answers arrive, and knows nothing of the engine but the
 * seam. Whatever a case asks, the suite sees to it that each `done` ran exactly once, on the party's thread,
 * and, at the latest, was posted when ks_store_close returned.
 *
 * An engine comes in by one file: a harness, and a main that calls contract_run with it
 * (test_store_contract_*.c).
 */
#ifndef KS_TESTS_UNIT_STORE_CONTRACT_CONTRACT_H
#define KS_TESTS_UNIT_STORE_CONTRACT_CONTRACT_H

#include "unit/store/store_fixture.h"

#include "store/limits.h"
#include "store/store.h"

#include <pthread.h>

/* ---- the engine ---- */

/* What a case may need, and an engine may lack: then the case is skipped. */
enum {
    CONTRACT_REOPENS = 1 << 0,     /* what was acknowledged is there after close and open */
    CONTRACT_LIMITS = 1 << 1,      /* keeps the limits it was given */
    CONTRACT_THREADS = 1 << 2,     /* may be asked by several at once */
    CONTRACT_DROPS_USERS = 1 << 3, /* drops users without a key, some time after their lifetime */
};

struct contract_harness {
    const char *name;
    unsigned lacks; /* CONTRACT_… */
    /* A place for one store, which is empty. Clock and limits outlive it. */
    void *(*set_up)(const struct ks_clock *clock, const struct ks_store_limits *limits);
    /* Opens the place's store, anew after ks_store_close. */
    struct ks_store *(*open)(void *place);
    /* The store is closed. */
    void (*tear_down)(void *place);
};

/* ---- who asks ---- */

/* A store with its surroundings. */
struct world {
    const struct contract_harness *harness;
    void *place;
    struct fixture_clock clock;
    struct ks_store_limits limits; /* none at first */
    struct ks_store *store;
};

enum { PARTY_ANSWERS = 4096 };

/* One thread that asks, and its executor, which runs what was posted only while the thread waits. */
struct party {
    struct ks_executor executor;
    struct world *world;
    struct ks_store *store; /* the world's */
    pthread_t thread;
    struct ks_mailbox mailbox;
    sem_t posted;
    unsigned asked;
    pthread_mutex_t lock; /* of what follows: an engine that breaks its word may answer on any thread */
    unsigned answered;    /* in all */
    unsigned strangers;   /* answers on another thread */
    size_t waiting;       /* answers that nobody has waited for */
    const struct ks_store_request *answers[PARTY_ANSWERS];
};

/* The calling thread's. End it when all was answered. */
void party_begin(struct party *party, struct world *world);

/* Fails the test unless each request was answered once, and where it should be. */
void party_end(struct party *party);

/* The head of a request that the party asks next. */
struct ks_store_request party_request(struct party *party);

/* Runs what was posted so far. */
void party_run(struct party *party);

/* Whether the request was answered; without running anything. */
bool party_has_answer(struct party *party, const struct ks_store_request *request);

/* Runs what is posted until the request was answered; its result. */
enum ks_result party_wait(struct party *party, const struct ks_store_request *request);

/* ---- the world ---- */

/* Closes, with all that was asked answered. */
void world_close(struct party *me);

/* And opens again. */
void world_reopen(struct party *me);

static inline void pass_time(struct party *me, uint64_t seconds)
{
    fixture_clock_forward(&me->world->clock, seconds);
}

/* ---- cases ---- */

struct contract_case {
    const char *name;
    void (*run)(struct party *me);
    unsigned needs; /* CONTRACT_… */
};

#define CASE(function)                                                                                       \
    {                                                                                                        \
#function, function, 0                                                                               \
    }
#define CASE_NEEDS(function, needs)                                                                          \
    {                                                                                                        \
#function, function, needs                                                                           \
    }

struct contract_subject {
    const char *name;
    const struct contract_case *cases;
    size_t count;
};

extern const struct contract_subject contract_requests;
extern const struct contract_subject contract_users;
extern const struct contract_subject contract_lists;
extern const struct contract_subject contract_keys;
extern const struct contract_subject contract_uploads;
extern const struct contract_subject contract_puts;
extern const struct contract_subject contract_put_limits;
extern const struct contract_subject contract_own_files;
extern const struct contract_subject contract_messages;
extern const struct contract_subject contract_leases;
extern const struct contract_subject contract_settling;
extern const struct contract_subject contract_limits;
extern const struct contract_subject contract_operators;
extern const struct contract_subject contract_accounts;
extern const struct contract_subject contract_identities;

/* Puts an engine through all of them; an exit status. */
int contract_run(const struct contract_harness *harness);

#endif
