/* contract.c — see contract.h. */
#include "unit/store/contract/contract.h"

/* ---- who asks ---- */

static struct party *party_of(struct ks_executor *executor)
{
    return KS_CONTAINER_OF(executor, struct party, executor);
}

static void party_post(struct ks_executor *executor, struct ks_task *task)
{
    struct party *party = party_of(executor);
    ks_mailbox_put(&party->mailbox, task);
    sem_post(&party->posted);
}

static void party_answered(struct ks_store_request *request)
{
    struct party *party = party_of(request->reply_to);
    pthread_mutex_lock(&party->lock);
    party->answered++;
    party->strangers += pthread_equal(pthread_self(), party->thread) ? 0 : 1;
    if (party->waiting < PARTY_ANSWERS)
        party->answers[party->waiting++] = request;
    pthread_mutex_unlock(&party->lock);
    sem_post(&party->posted);
}

void party_begin(struct party *party, struct world *world)
{
    memset(party, 0, sizeof *party);
    party->executor.post = party_post;
    party->world = world;
    party->store = world->store;
    party->thread = pthread_self();
    ks_mailbox_init(&party->mailbox);
    assert_int_equal(sem_init(&party->posted, 0, 0), 0);
    assert_int_equal(pthread_mutex_init(&party->lock, NULL), 0);
}

void party_end(struct party *party)
{
    party_run(party);
    assert_int_equal(party->strangers, 0);
    assert_int_equal(party->answered, party->asked);
    assert_int_equal(party->waiting, 0);
    sem_destroy(&party->posted);
    pthread_mutex_destroy(&party->lock);
}

struct ks_store_request party_request(struct party *party)
{
    party->asked++;
    return (struct ks_store_request){.reply_to = &party->executor, .done = party_answered};
}

void party_run(struct party *party)
{
    struct ks_task *task = ks_mailbox_take(&party->mailbox);
    while (task != NULL) {
        struct ks_task *next = task->next;
        task->run(task);
        task = next;
    }
}

/* The place of a request's answer; `waiting` when there is none. Under the lock. */
static size_t find_answer(const struct party *party, const struct ks_store_request *request)
{
    size_t at = 0;
    while (at < party->waiting && party->answers[at] != request)
        at++;
    return at;
}

bool party_has_answer(struct party *party, const struct ks_store_request *request)
{
    pthread_mutex_lock(&party->lock);
    bool has = find_answer(party, request) < party->waiting;
    pthread_mutex_unlock(&party->lock);
    return has;
}

static bool take_answer(struct party *party, const struct ks_store_request *request)
{
    pthread_mutex_lock(&party->lock);
    size_t at = find_answer(party, request);
    bool has = at < party->waiting;
    if (has)
        party->answers[at] = party->answers[--party->waiting];
    pthread_mutex_unlock(&party->lock);
    return has;
}

enum ks_result party_wait(struct party *party, const struct ks_store_request *request)
{
    while (!take_answer(party, request)) {
        while (sem_wait(&party->posted) != 0)
            ;
        party_run(party);
    }
    return request->result;
}

/* ---- the world ---- */

static void world_open(struct party *me)
{
    me->world->store = me->world->harness->open(me->world->place);
    assert_non_null(me->world->store);
    me->store = me->world->store;
}

void world_close(struct party *me)
{
    ks_store_close(me->world->store);
    me->world->store = NULL;
    party_run(me);
    assert_int_equal(me->answered, me->asked);
}

void world_reopen(struct party *me)
{
    world_close(me);
    world_open(me);
}

/* ---- the suite ---- */

/* A case that is about to run, with the engine that it is for. */
struct trial {
    const struct contract_harness *harness;
    const struct contract_case *tried;
    struct world world;
    struct party me;
};

static bool is_skipped(const struct trial *trial)
{
    return (trial->tried->needs & trial->harness->lacks) != 0;
}

static int set_up(void **state)
{
    struct trial *trial = *state;
    struct world *world = &trial->world;
    if (is_skipped(trial))
        return 0;
    memset(world, 0, sizeof *world);
    fixture_clock_init(&world->clock);
    world->harness = trial->harness;
    world->place = world->harness->set_up(&world->clock.clock, &world->limits);
    assert_non_null(world->place);
    party_begin(&trial->me, world);
    world_open(&trial->me);
    return 0;
}

static int tear_down(void **state)
{
    struct trial *trial = *state;
    if (is_skipped(trial))
        return 0;
    if (trial->world.store != NULL)
        ks_store_close(trial->world.store);
    trial->harness->tear_down(trial->world.place);
    party_end(&trial->me);
    return 0;
}

static void run(void **state)
{
    struct trial *trial = *state;
    if (is_skipped(trial))
        skip();
    trial->tried->run(&trial->me);
}

static int run_subject(const struct contract_harness *harness, const struct contract_subject *subject)
{
    struct CMUnitTest *tests = calloc(subject->count, sizeof *tests);
    struct trial *trials = calloc(subject->count, sizeof *trials);
    char title[128];
    if (tests == NULL || trials == NULL)
        abort();
    for (size_t i = 0; i < subject->count; i++) {
        trials[i] = (struct trial){.harness = harness, .tried = &subject->cases[i]};
        tests[i] = (struct CMUnitTest){.name = subject->cases[i].name,
                                       .test_func = run,
                                       .setup_func = set_up,
                                       .teardown_func = tear_down,
                                       .initial_state = &trials[i]};
    }
    snprintf(title, sizeof title, "%s, %s", subject->name, harness->name);
    int failed = _cmocka_run_group_tests(title, tests, subject->count, NULL, NULL);
    free(tests);
    free(trials);
    return failed;
}

int contract_run(const struct contract_harness *harness)
{
    static const struct contract_subject *const subjects[] = {
        &contract_requests,  &contract_users,    &contract_lists,      &contract_keys,
        &contract_uploads,   &contract_puts,     &contract_put_limits, &contract_own_files,
        &contract_messages,  &contract_leases,   &contract_settling,   &contract_limits,
        &contract_operators, &contract_accounts, &contract_identities,
    };
    int failed = 0;
    for (size_t i = 0; i < KS_COUNT_OF(subjects); i++)
        failed += run_subject(harness, subjects[i]);
    return failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
