/* contract_requests.c — what every operation promises: when and where `done` runs, in which order things take
 * effect, who may call, and what close leaves. That each `done` runs exactly once is looked at behind every
 * case of the contract (party_end). */
#include "unit/store/contract/contract_asking.h"

/* ---- done ---- */

/* Of each kind of question that can be answered without anything being there. */
static void every_operation_is_answered_also_for_an_unknown_user(struct party *me)
{
    const struct ks_client_id nobody = {{0}};
    struct ks_content_key *key = new_key(me, 1);
    struct ks_store_drop_content_key drop = {.request = party_request(me), .id = nobody, .content_key = key};
    struct ks_user_details details;
    uint8_t byte = 0;
    assert_int_equal(look_up(me, &nobody, NULL), KS_NOT_FOUND);
    assert_int_equal(public_key_of(me, &nobody, &byte), KS_NOT_FOUND);
    assert_int_equal(set_keys(me, &nobody, 1, 2), KS_NOT_FOUND);
    assert_int_equal(content_key_of(me, &nobody, &byte), KS_NOT_FOUND);
    ks_store_drop_content_key(me->store, &drop);
    assert_int_equal(party_wait(me, &drop.request), KS_OK);
    assert_int_equal(try_to_open(me, &nobody, "x", 1, NULL), KS_NOT_FOUND);
    assert_int_equal(try_append(me, &nobody, &nobody, "text", NULL), KS_NOT_FOUND);
    assert_int_equal(lease(me, &nobody, 7).count, 0);
    assert_int_equal(deliver(me, &nobody, 7, 1), KS_NOT_FOUND);
    assert_int_equal(say_delivered(me, &nobody, 7, 1), KS_NOT_FOUND);
    assert_int_equal(describe(me, "nobody", &details, NULL), KS_NOT_FOUND);
    assert_int_equal(reset_key(me, "nobody"), KS_NOT_FOUND);
    assert_int_equal(remove_user(me, "nobody"), KS_NOT_FOUND);
    ks_content_key_release(key);
}

/* Inside the call, or on its own executor: there is no third place. */
static void an_answer_waits_for_the_executor_of_who_asked(struct party *me)
{
    struct party other;
    party_begin(&other, me->world);
    struct ks_store_register request = register_request(&other, "slow");
    ks_store_register_user(me->store, &request);
    bool was_inside = party_has_answer(&other, &request.request);
    assert_int_equal(probe(me), KS_OK);
    assert_int_equal(register_user(me, "slow", NULL), KS_EXISTS);
    assert_int_equal(party_has_answer(&other, &request.request), was_inside);
    assert_int_equal(party_wait(&other, &request.request), KS_OK);
    party_end(&other);
}

static void what_was_asked_takes_effect_though_nobody_takes_the_answer(struct party *me)
{
    struct party other;
    struct ks_client_id bob = new_user(me, "bob");
    party_begin(&other, me->world);
    struct ks_store_append_message request = append_request(&other, &bob, &bob, "unasked for");
    ks_store_append_message(me->store, &request);
    append(me, &bob, &bob, "behind");
    assert_waiting(me, &bob, "unasked for behind");
    assert_int_equal(party_wait(&other, &request.request), KS_OK);
    party_end(&other);
}

/* Three steps, of which each asks for the next. */
struct chain {
    struct party *me;
    struct ks_store_register first;
    struct ks_store_set_keys second;
    struct ks_store_look_up third;
    struct ks_content_key *key;
    unsigned steps;
};

static void third_step(struct ks_store_request *request)
{
    struct chain *chain = KS_CONTAINER_OF(request, struct chain, third.request);
    chain->steps += request->result == KS_OK && chain->third.user.has_public_key ? 1 : 0;
}

static void second_step(struct ks_store_request *request)
{
    struct chain *chain = KS_CONTAINER_OF(request, struct chain, second.request);
    chain->steps += request->result == KS_OK ? 1 : 0;
    chain->third = (struct ks_store_look_up){.request = *request, .id = chain->first.id};
    chain->third.request.done = third_step;
    ks_store_look_up(chain->me->store, &chain->third);
}

static void first_step(struct ks_store_request *request)
{
    struct chain *chain = KS_CONTAINER_OF(request, struct chain, first.request);
    chain->steps += request->result == KS_OK ? 1 : 0;
    chain->second = (struct ks_store_set_keys){
        .request = *request, .id = chain->first.id, .has_public_key = true, .content_key = chain->key};
    chain->second.request.done = second_step;
    ks_store_set_keys(chain->me->store, &chain->second);
}

static void done_may_ask_for_the_next_thing(struct party *me)
{
    struct chain chain = {.me = me, .key = new_key(me, 1)};
    chain.first = (struct ks_store_register){
        .request.reply_to = &me->executor, .request.done = first_step, .name = "a"};
    ks_store_register_user(me->store, &chain.first);
    while (chain.steps < 3) {
        assert_int_equal(probe(me), KS_OK);
        party_run(me);
    }
    ks_content_key_release(chain.key);
}

static void a_request_may_be_asked_again_when_it_was_answered(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    struct ks_store_look_up request = {.request = party_request(me), .id = bob};
    for (unsigned i = 0; i < 3; i++) {
        ks_store_look_up(me->store, &request);
        assert_int_equal(party_wait(me, &request.request), KS_OK);
        me->asked++;
    }
    me->asked--; /* for the last one nobody asked */
}

/* ---- order ---- */

static void questions_see_the_changes_of_a_user_that_were_asked_for_before(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    struct ks_store_set_keys change = {
        .request = party_request(me), .id = bob, .has_public_key = true, .content_key = new_key(me, 31)};
    struct ks_store_look_up look = {.request = party_request(me), .id = bob};
    struct ks_store_content_key content = {.request = party_request(me), .id = bob};
    struct ks_store_public_key public = {.request = party_request(me), .id = bob};
    memset(change.public_key, 5, sizeof change.public_key);
    ks_store_set_keys(me->store, &change);
    ks_store_look_up(me->store, &look);
    ks_store_content_key(me->store, &content);
    ks_store_public_key(me->store, &public);
    assert_int_equal(party_wait(me, &change.request), KS_OK);
    assert_int_equal(party_wait(me, &look.request), KS_OK);
    assert_true(look.user.has_public_key);
    assert_int_equal(party_wait(me, &content.request), KS_OK);
    assert_int_equal(content.content_key->bytes[0], 31);
    assert_int_equal(party_wait(me, &public.request), KS_OK);
    assert_int_equal(public.public_key[0], 5);
    ks_content_key_release(content.content_key);
    ks_content_key_release(change.content_key);
}

static void changes_of_a_user_take_effect_in_the_order_of_asking(struct party *me)
{
    enum { CHANGES = 20 };
    struct ks_store_set_keys changes[CHANGES];
    struct ks_client_id bob = new_user(me, "bob");
    uint8_t byte = 0;
    for (unsigned i = 0; i < CHANGES; i++) {
        changes[i] = (struct ks_store_set_keys){
            .request = party_request(me), .id = bob, .content_key = new_key(me, (uint8_t)(i + 1))};
        ks_store_set_keys(me->store, &changes[i]);
    }
    assert_int_equal(content_key_of(me, &bob, &byte), KS_OK);
    assert_int_equal(byte, CHANGES);
    for (unsigned i = 0; i < CHANGES; i++) {
        assert_int_equal(party_wait(me, &changes[i].request), KS_OK);
        ks_content_key_release(changes[i].content_key);
    }
}

/* ---- threads ---- */

enum { RIVALS = 6, RIVAL_NAMES = 20 };

struct rival {
    struct world *world;
    bool shouts; /* in capitals */
    unsigned won;
    unsigned lost;
};

static void *compete(void *argument)
{
    struct rival *rival = argument;
    struct party me;
    party_begin(&me, rival->world);
    for (unsigned i = 0; i < RIVAL_NAMES; i++) {
        char name[32];
        snprintf(name, sizeof name, rival->shouts ? "NAME %u" : "name %u", i);
        enum ks_result result = register_user(&me, name, NULL);
        rival->won += result == KS_OK ? 1 : 0;
        rival->lost += result == KS_EXISTS ? 1 : 0;
    }
    party_end(&me);
    return NULL;
}

static void any_thread_may_ask_and_of_rivals_for_a_name_one_wins(struct party *me)
{
    struct rival rivals[RIVALS];
    pthread_t threads[RIVALS];
    unsigned won = 0;
    unsigned lost = 0;
    for (unsigned i = 0; i < RIVALS; i++) {
        rivals[i] = (struct rival){.world = me->world, .shouts = i % 2 != 0};
        assert_int_equal(pthread_create(&threads[i], NULL, compete, &rivals[i]), 0);
    }
    for (unsigned i = 0; i < RIVALS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        won += rivals[i].won;
        lost += rivals[i].lost;
    }
    assert_int_equal(won, RIVAL_NAMES);
    assert_int_equal(lost, RIVAL_NAMES * (RIVALS - 1));
}

enum { UPLOADERS = 4, UPLOADS = 10 };

struct uploader {
    struct world *world;
    struct ks_client_id id; /* one for all */
    unsigned number;
};

/* Half of the names are everybody's. */
static void *upload_many(void *argument)
{
    const struct uploader *uploader = argument;
    struct party me;
    party_begin(&me, uploader->world);
    for (unsigned i = 0; i < UPLOADS; i++) {
        char name[32];
        snprintf(name, sizeof name, "file %u of %u", i, i % 2 == 0 ? 0 : uploader->number + 1);
        keep_file(&me, &uploader->id, name, "text");
        assert_int_equal(set_keys(&me, &uploader->id, 0, (uint8_t)uploader->number), KS_OK);
        assert_int_equal(content_key_of(&me, &uploader->id, NULL), KS_OK);
    }
    party_end(&me);
    return NULL;
}

static void threads_may_upload_and_change_keys_for_one_user(struct party *me)
{
    struct uploader uploaders[UPLOADERS];
    pthread_t threads[UPLOADERS];
    struct ks_client_id id = new_user(me, "busy");
    for (unsigned i = 0; i < UPLOADERS; i++) {
        uploaders[i] = (struct uploader){.world = me->world, .id = id, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, upload_many, &uploaders[i]), 0);
    }
    for (unsigned i = 0; i < UPLOADERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    unsigned files = UPLOADS / 2 + UPLOADERS * UPLOADS / 2;
    assert_files(me, "busy", files, (uint64_t)4 * files);
}

/* ---- close ---- */

static void closing_finishes_what_was_asked(struct party *me)
{
    struct ks_client_id alice = new_user(me, "alice");
    struct ks_client_id bob = new_user(me, "bob");
    uint8_t chunk[5] = "12345";
    append(me, &bob, &alice, "one");
    struct ks_store_lease_waiting part = lease(me, &bob, 7);
    assert_int_equal(settle(me, &bob, 7, part.last), KS_OK);
    struct ks_stage *stage = open_file(me, &alice, "file");
    struct ks_store_register registration = register_request(me, "carol");
    struct ks_store_append_message message = append_request(me, &bob, &alice, "two");
    struct ks_store_lease_delivered delivered = {
        .request = party_request(me), .receiver = bob, .owner = 7, .last = part.last};
    struct ks_store_stage_write writing = write_request(me, stage, chunk, sizeof chunk, true);
    struct ks_store_confirm confirmation = {.request = party_request(me), .stage = stage};
    ks_store_register_user(me->store, &registration);
    ks_store_append_message(me->store, &message);
    ks_store_lease_delivered(me->store, &delivered);
    ks_store_stage_write(me->store, &writing);
    ks_store_confirm(me->store, &confirmation);
    world_close(me); /* looks whether all were answered */
    assert_int_equal(party_wait(me, &registration.request), KS_OK);
    assert_int_equal(party_wait(me, &message.request), KS_OK);
    assert_int_equal(party_wait(me, &delivered.request), KS_OK);
    assert_int_equal(party_wait(me, &writing.request), KS_OK);
    assert_int_equal(party_wait(me, &confirmation.request), KS_OK);
}

static void what_was_acknowledged_before_a_close_is_there_after_it(struct party *me)
{
    enum { MESSAGES = 50 };
    struct ks_store_append_message requests[MESSAGES];
    struct ks_client_id bob = new_user(me, "bob");
    unsigned acknowledged = 0;
    for (unsigned i = 0; i < MESSAGES; i++) {
        requests[i] = append_request(me, &bob, &bob, "x");
        ks_store_append_message(me->store, &requests[i]);
    }
    world_reopen(me);
    for (unsigned i = 0; i < MESSAGES; i++)
        acknowledged += party_wait(me, &requests[i].request) == KS_OK ? 1 : 0;
    assert_int_equal(lease(me, &bob, 7).count, acknowledged);
    assert_int_equal(acknowledged, MESSAGES);
}

static void closing_frees_what_nobody_ended(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    struct ks_content_key *key = NULL;
    assert_int_equal(set_keys(me, &bob, 1, 2), KS_OK);
    key = current_key(me, &bob);
    append(me, &bob, &bob, "leased");
    assert_int_equal(lease(me, &bob, 7).count, 1);
    (void)stage_file(me, &bob, "never confirmed", "bytes");
    (void)open_file(me, &bob, "never begun");
    world_close(me);
    assert_int_equal(key->bytes[0], 2); /* ours to the end */
    ks_content_key_release(key);
}

static const struct contract_case cases[] = {
    CASE(every_operation_is_answered_also_for_an_unknown_user),
    CASE(an_answer_waits_for_the_executor_of_who_asked),
    CASE(what_was_asked_takes_effect_though_nobody_takes_the_answer),
    CASE(done_may_ask_for_the_next_thing),
    CASE(a_request_may_be_asked_again_when_it_was_answered),
    CASE(questions_see_the_changes_of_a_user_that_were_asked_for_before),
    CASE(changes_of_a_user_take_effect_in_the_order_of_asking),
    CASE_NEEDS(any_thread_may_ask_and_of_rivals_for_a_name_one_wins, CONTRACT_THREADS),
    CASE_NEEDS(threads_may_upload_and_change_keys_for_one_user, CONTRACT_THREADS),
    CASE(closing_finishes_what_was_asked),
    CASE_NEEDS(what_was_acknowledged_before_a_close_is_there_after_it, CONTRACT_REOPENS),
    CASE(closing_frees_what_nobody_ended),
};

const struct contract_subject contract_requests = {"requests", cases, KS_COUNT_OF(cases)};
