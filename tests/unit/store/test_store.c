/* Unit tests of the embedded engine, src/store/embedded: users, keys, and how long they live. */
#include "unit/store/engine_fixture.h"

#include <pthread.h>

/* ---- users ---- */

static void a_registered_user_is_found_by_id(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    struct ks_user user;
    assert_int_equal(register_user(house, "Michael Jackson", NULL, &id), KS_OK);
    assert_int_equal(look_up(house, &id, &user), KS_OK);
    assert_string_equal(user.name, "Michael Jackson");
    assert_memory_equal(&user.id, &id, sizeof id);
    assert_false(user.has_public_key);
    id.bytes[7] ^= 1;
    assert_int_equal(look_up(house, &id, NULL), KS_NOT_FOUND);
}

static void a_name_is_taken_in_every_case_of_its_letters(void **state)
{
    struct house *house = *state;
    assert_int_equal(register_user(house, "alice@home", NULL, NULL), KS_OK);
    assert_int_equal(register_user(house, "alice@home", NULL, NULL), KS_EXISTS);
    assert_int_equal(register_user(house, "Alice@Home", NULL, NULL), KS_EXISTS);
    assert_int_equal(register_user(house, "ALICE@HOME", NULL, NULL), KS_EXISTS);
    assert_int_equal(register_user(house, "alice`home", NULL, NULL),
                     KS_OK); /* 0x40 and 0x60 are no letters */
    assert_int_equal(register_user(house, "alice@hom", NULL, NULL), KS_OK);
    assert_database(house, "SELECT count(*) FROM clients", "3");
}

static void users_of_older_databases_keep_names_that_differ_in_case_only(void **state)
{
    struct house *house = *state;
    struct ks_client_id ids[2];
    struct ks_user user;
    assert_int_equal(register_user(house, "alice", NULL, &ids[0]), KS_OK);
    assert_int_equal(register_user(house, "bob", NULL, &ids[1]), KS_OK);
    house_close(house);
    run_on_database(house, "UPDATE clients SET Name = ' Alice' WHERE Name = 'alice';"
                           "UPDATE clients SET Name = ' ALICE' WHERE Name = 'bob'");
    house_open(house);
    assert_int_equal(look_up(house, &ids[0], &user), KS_OK);
    assert_string_equal(user.name, " Alice");
    assert_int_equal(look_up(house, &ids[1], &user), KS_OK);
    assert_string_equal(user.name, " ALICE");
    assert_int_equal(register_user(house, " alice", NULL, NULL), KS_EXISTS);
}

/* Randomness that is all zeros: what is left is what the server adds. */
static enum ks_result fill_with_zeros(const struct ks_random *random, void *bytes, size_t size)
{
    (void)random;
    memset(bytes, 0, size);
    return KS_OK;
}

static void no_half_of_an_id_begins_or_ends_with_a_zero_digit(void **state)
{
    static const struct ks_random zeros = {.fill = fill_with_zeros};
    static const uint8_t expected[KS_CLIENT_ID_SIZE] = {[0] = 0x10, [7] = 0x10, [8] = 0x10, [15] = 0x10};
    struct house *house = *state;
    struct ks_client_id id;
    house_close(house);
    house->random = &zeros;
    house_open(house);
    assert_int_equal(register_user(house, "alice", NULL, &id), KS_OK);
    assert_memory_equal(id.bytes, expected, sizeof expected);
}

enum { RIVALS = 8, RIVAL_NAMES = 50 };

struct rival {
    struct house *house;
    struct fixture_waiter waiter;
    bool shouts; /* in capitals */
    unsigned won;
    unsigned lost;
};

static void *rival_run(void *argument)
{
    struct rival *rival = argument;
    for (int i = 0; i < RIVAL_NAMES; i++) {
        struct ks_store_register request = {.request = fixture_request(&rival->waiter)};
        snprintf(request.name, sizeof request.name, rival->shouts ? "NAME %d" : "name %d", i);
        ks_store_register_user(rival->house->store, &request);
        enum ks_result result = fixture_wait(&rival->waiter, &request.request);
        rival->won += result == KS_OK;
        rival->lost += result == KS_EXISTS;
    }
    return NULL;
}

static void of_two_registrations_for_one_name_exactly_one_wins(void **state)
{
    struct house *house = *state;
    struct rival rivals[RIVALS];
    pthread_t threads[RIVALS];
    unsigned won = 0;
    unsigned lost = 0;
    for (size_t i = 0; i < RIVALS; i++) {
        rivals[i] = (struct rival){.house = house, .shouts = i % 2 != 0};
        fixture_waiter_init(&rivals[i].waiter);
        assert_int_equal(pthread_create(&threads[i], NULL, rival_run, &rivals[i]), 0);
    }
    for (size_t i = 0; i < RIVALS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        won += rivals[i].won;
        lost += rivals[i].lost;
        assert_int_equal(atomic_load(&rivals[i].waiter.answers), RIVAL_NAMES);
    }
    assert_int_equal(won, RIVAL_NAMES);
    assert_int_equal(lost, RIVAL_NAMES * (RIVALS - 1));
    assert_database(house, "SELECT count(*) FROM clients", "50");
}

static void one_batch_registers_a_name_once(void **state)
{
    struct house *house = *state;
    struct held_writer held;
    static const char *const names[] = {"twin", "twin", "Twin"};
    struct ks_store_register requests[KS_COUNT_OF(names)];
    writer_hold(house, &held);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++) {
        requests[i] = (struct ks_store_register){.request = fixture_request(&house->waiter)};
        snprintf(requests[i].name, sizeof requests[i].name, "%s", names[i]);
        ks_store_register_user(house->store, &requests[i]);
    }
    writer_let_go(&held);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++)
        fixture_wait_for_answer(&house->waiter);
    assert_int_equal(requests[0].request.result, KS_OK);
    assert_int_equal(requests[1].request.result, KS_EXISTS);
    assert_int_equal(requests[2].request.result, KS_EXISTS);
}

/* A user whose row is not committed holds its name, and is nobody's to see. */
static void a_user_is_seen_only_after_the_commit(void **state)
{
    struct house *house = *state;
    struct held_writer held;
    struct middle_of_a_batch middle;
    struct ks_store_register request = {.request = fixture_request(&house->waiter), .name = "early"};
    writer_hold(house, &held);
    ks_store_register_user(house->store, &request);
    middle_stay(house, &middle);
    writer_let_go(&held);
    middle_reach(&middle);
    struct ks_client_id id = request.id; /* made, and inserted, but not committed */
    assert_int_equal(look_up(house, &id, NULL), KS_NOT_FOUND);
    assert_int_equal(set_keys(house, &id, NULL, 1), KS_NOT_FOUND);
    assert_database(house, "SELECT count(*) FROM clients", "0");
    middle_leave(&middle);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
    assert_int_equal(look_up(house, &id, NULL), KS_OK);
}

static void a_restart_keeps_users_and_the_alias_key(void **state)
{
    struct house *house = *state;
    struct ks_client_id ids[20];
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    uint8_t stored[KS_PUBLIC_KEY_SIZE];
    uint8_t alias_key[KS_ALIAS_KEY_SIZE];
    struct ks_user user;
    fill_public_key(public_key, 9);
    memcpy(alias_key, ks_embedded_alias_key(house->store), sizeof alias_key);
    for (size_t i = 0; i < KS_COUNT_OF(ids); i++) {
        char name[16];
        snprintf(name, sizeof name, "user %zu", i);
        assert_int_equal(register_user(house, name, i % 2 == 0 ? NULL : public_key, &ids[i]), KS_OK);
    }
    house_restart(house);
    for (size_t i = 0; i < KS_COUNT_OF(ids); i++) {
        char name[16];
        snprintf(name, sizeof name, "user %zu", i);
        assert_int_equal(look_up(house, &ids[i], &user), KS_OK);
        assert_string_equal(user.name, name);
        assert_int_equal(user.has_public_key, i % 2);
        assert_int_equal(register_user(house, name, NULL, NULL), KS_EXISTS);
        assert_int_equal(public_key_of(house, &ids[i], stored), i % 2 == 0 ? KS_REFUSED : KS_OK);
    }
    assert_memory_equal(stored, public_key, sizeof stored);
    assert_memory_equal(alias_key, ks_embedded_alias_key(house->store), sizeof alias_key);
}

/* ---- keys ---- */

static void a_public_key_is_set_once(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    struct ks_user user;
    uint8_t first[KS_PUBLIC_KEY_SIZE];
    uint8_t second[KS_PUBLIC_KEY_SIZE];
    uint8_t stored[KS_PUBLIC_KEY_SIZE];
    uint8_t byte = 0;
    fill_public_key(first, 1);
    fill_public_key(second, 1);
    second[KS_PUBLIC_KEY_SIZE - 1] = 2;
    assert_int_equal(register_user(house, "bob", NULL, &id), KS_OK);
    assert_int_equal(public_key_of(house, &id, stored), KS_REFUSED);
    assert_int_equal(set_keys(house, &id, first, 11), KS_OK);
    assert_int_equal(look_up(house, &id, &user), KS_OK);
    assert_true(user.has_public_key);
    assert_int_equal(public_key_of(house, &id, stored), KS_OK);
    assert_memory_equal(stored, first, sizeof stored);
    /* The same key again is welcome, another one changes nothing at all. */
    assert_int_equal(set_keys(house, &id, first, 12), KS_OK);
    assert_int_equal(set_keys(house, &id, second, 13), KS_REFUSED);
    assert_int_equal(content_key_of(house, &id, &byte), KS_OK);
    assert_int_equal(byte, 12);
    assert_int_equal(public_key_of(house, &id, stored), KS_OK);
    assert_memory_equal(stored, first, sizeof stored);
    assert_database(house, "SELECT hex(AESKey) FROM clients", "0C0C0C0C0C0C0C0C0C0C0C0C0C0C0C0C");
    id.bytes[0] ^= 1;
    assert_int_equal(set_keys(house, &id, first, 14), KS_NOT_FOUND);
    assert_int_equal(public_key_of(house, &id, stored), KS_NOT_FOUND);
}

static void in_one_batch_the_first_public_key_wins(void **state)
{
    struct house *house = *state;
    struct held_writer held;
    struct ks_client_id id;
    struct ks_store_set_keys requests[2];
    uint8_t byte = 0;
    assert_int_equal(register_user(house, "bob", NULL, &id), KS_OK);
    writer_hold(house, &held);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++) {
        requests[i] = (struct ks_store_set_keys){
            .request = fixture_request(&house->waiter), .id = id, .has_public_key = true};
        fill_public_key(requests[i].public_key, (uint8_t)(i + 1));
        requests[i].content_key = new_content_key(house, (uint8_t)(i + 21));
        ks_store_set_keys(house->store, &requests[i]);
    }
    writer_let_go(&held);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++)
        fixture_wait_for_answer(&house->waiter);
    assert_int_equal(requests[0].request.result, KS_OK);
    assert_int_equal(requests[1].request.result, KS_REFUSED);
    assert_int_equal(content_key_of(house, &id, &byte), KS_OK);
    assert_int_equal(byte, 21);
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++)
        ks_content_key_release(requests[i].content_key);
}

/* The log tells who a refused request came from, and strangers make as many as they like. */
static void a_name_at_hand_waits_for_no_change(void **state)
{
    struct house *house = *state;
    struct held_writer held;
    struct ks_client_id id;
    char name[KS_TEXT_FIELD_SIZE] = "";
    assert_int_equal(register_user(house, "bob", NULL, &id), KS_OK);
    writer_hold(house, &held);
    struct ks_store_set_keys change = {
        .request = fixture_request(&house->waiter), .id = id, .has_public_key = true};
    change.content_key = new_content_key(house, 31);
    ks_store_set_keys(house->store, &change);
    assert_int_equal(ks_store_name_at_hand(house->store, &id, name), KS_OK);
    writer_let_go(&held);
    assert_string_equal(name, "bob");
    fixture_wait_for_answer(&house->waiter);
    ks_content_key_release(change.content_key);
    id.bytes[7] ^= 1;
    assert_int_equal(ks_store_name_at_hand(house->store, &id, name), KS_NOT_FOUND);
}

/* What one thread asks for takes effect in the order of asking, though the first has to wait for a commit. */
static void questions_wait_for_the_changes_asked_for_before(void **state)
{
    struct house *house = *state;
    struct held_writer held;
    struct ks_client_id id;
    assert_int_equal(register_user(house, "bob", NULL, &id), KS_OK);
    writer_hold(house, &held);
    struct ks_store_set_keys change = {
        .request = fixture_request(&house->waiter), .id = id, .has_public_key = true};
    change.content_key = new_content_key(house, 31);
    struct ks_store_look_up look = {.request = fixture_request(&house->waiter), .id = id};
    struct ks_store_content_key content = {.request = fixture_request(&house->waiter), .id = id};
    struct ks_store_public_key public = {.request = fixture_request(&house->waiter), .id = id};
    ks_store_set_keys(house->store, &change);
    ks_store_look_up(house->store, &look);
    ks_store_content_key(house->store, &content);
    ks_store_public_key(house->store, &public);
    assert_int_equal(sem_trywait(&house->waiter.answered), -1);
    writer_let_go(&held);
    for (int i = 0; i < 4; i++)
        fixture_wait_for_answer(&house->waiter);
    assert_int_equal(change.request.result, KS_OK);
    assert_int_equal(look.request.result, KS_OK);
    assert_true(look.user.has_public_key);
    assert_int_equal(content.request.result, KS_OK);
    assert_ptr_equal(content.content_key, change.content_key);
    assert_int_equal(public.request.result, KS_OK);
    ks_content_key_release(content.content_key);
    ks_content_key_release(change.content_key);
}

static void the_ram_answers_inside_the_call(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    struct held_writer held;
    struct ks_user user;
    uint8_t byte = 0;
    fill_public_key(key, 3);
    assert_int_equal(register_user(house, "quick", key, &id), KS_OK);
    assert_int_equal(set_keys(house, &id, NULL, 33), KS_OK);
    assert_int_equal(public_key_of(house, &id, key), KS_OK);
    writer_hold(house, &held);
    assert_int_equal(look_up(house, &id, &user), KS_OK);
    assert_int_equal(content_key_of(house, &id, &byte), KS_OK);
    assert_int_equal(public_key_of(house, &id, key), KS_OK);
    assert_int_equal(register_user(house, "quick", NULL, NULL), KS_EXISTS);
    writer_let_go(&held);
}

static void a_content_key_survives_a_restart_and_a_day_ends_it(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    uint8_t byte = 0;
    fill_public_key(key, 4);
    assert_int_equal(register_user(house, "carol", key, &id), KS_OK);
    assert_int_equal(content_key_of(house, &id, &byte), KS_REFUSED);
    assert_int_equal(set_keys(house, &id, NULL, 41), KS_OK);
    house_restart(house);
    assert_int_equal(content_key_of(house, &id, &byte), KS_OK);
    assert_int_equal(byte, 41);
    /* A use within the day counts from there. */
    fixture_clock_forward(&house->clock, DAY - 1);
    house_tick(house);
    assert_int_equal(content_key_of(house, &id, &byte), KS_OK);
    fixture_clock_forward(&house->clock, DAY - 1);
    assert_int_equal(content_key_of(house, &id, &byte), KS_OK);
    fixture_clock_forward(&house->clock, DAY + 1);
    assert_int_equal(content_key_of(house, &id, &byte), KS_REFUSED);
    assert_database(house, "SELECT hex(AESKey) FROM clients", "29292929292929292929292929292929");
    house_tick(house);
    assert_database(house, "SELECT AESKey FROM clients", "NULL");
    assert_database(house, "SELECT AESKeyUsed FROM clients", "NULL");
}

static void a_stale_content_key_is_not_revived_by_a_restart(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    uint8_t byte = 0;
    fill_public_key(key, 4);
    assert_int_equal(register_user(house, "carol", key, &id), KS_OK);
    assert_int_equal(set_keys(house, &id, NULL, 42), KS_OK);
    fixture_clock_forward(&house->clock, DAY + 1);
    house_restart(house);
    assert_int_equal(content_key_of(house, &id, &byte), KS_REFUSED);
    house_tick(house);
    assert_database(house, "SELECT AESKey FROM clients", "NULL");
}

static void a_dropped_content_key_is_gone_in_ram_and_on_disk(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    uint8_t byte = 0;
    fill_public_key(key, 5);
    assert_int_equal(register_user(house, "dave", key, &id), KS_OK);
    assert_int_equal(set_keys(house, &id, NULL, 51), KS_OK);
    assert_int_equal(set_keys(house, &id, NULL, 52), KS_OK);
    assert_int_equal(drop_content_key(house, &id, 51), KS_OK); /* no longer the current one */
    assert_int_equal(content_key_of(house, &id, &byte), KS_OK);
    assert_int_equal(byte, 52);
    assert_int_equal(drop_content_key(house, &id, 52), KS_OK);
    assert_int_equal(content_key_of(house, &id, &byte), KS_REFUSED);
    assert_database(house, "SELECT AESKey FROM clients", "NULL");
    id.bytes[0] ^= 1;
    assert_int_equal(drop_content_key(house, &id, 52), KS_OK);
    assert_int_equal(content_key_of(house, &id, &byte), KS_NOT_FOUND);
}

static void a_key_that_is_dropped_only_on_disk_serves_until_the_restart(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    uint8_t byte = 0;
    fill_public_key(key, 5);
    assert_int_equal(register_user(house, "fred", key, &id), KS_OK);
    assert_int_equal(set_keys(house, &id, NULL, 54), KS_OK);
    assert_int_equal(drop_content_key_where(house, &id, 54, true), KS_OK);
    assert_database(house, "SELECT AESKey FROM clients", "NULL");
    assert_int_equal(content_key_of(house, &id, &byte), KS_OK);
    assert_int_equal(byte, 54);
    fixture_clock_forward(&house->clock, 120);
    house_tick(house); /* when it was last used is written without it */
    house_restart(house);
    assert_int_equal(content_key_of(house, &id, &byte), KS_REFUSED);
    assert_int_equal(set_keys(house, &id, NULL, 55), KS_OK);
    house_restart(house);
    assert_int_equal(content_key_of(house, &id, &byte), KS_OK);
}

static void a_used_up_content_key_is_known_to_be_so(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    fill_public_key(key, 5);
    assert_int_equal(register_user(house, "erin", key, &id), KS_OK);
    assert_int_equal(set_keys(house, &id, NULL, 53), KS_OK);
    struct ks_store_content_key request = {.request = fixture_request(&house->waiter), .id = id};
    ks_store_content_key(house->store, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
    uint8_t byte = 0;
    atomic_store(&request.content_key->uses, KS_CONTENT_KEY_USES - 1);
    assert_false(ks_content_key_is_used_up(request.content_key));
    atomic_store(&request.content_key->uses, KS_CONTENT_KEY_USES);
    assert_true(ks_content_key_is_used_up(request.content_key));
    assert_int_equal(content_key_of(house, &id, &byte), KS_OK);
    ks_content_key_release(request.content_key);
}

static void more_public_keys_than_the_cache_holds_are_all_found(void **state)
{
    struct house *house = *state;
    struct ks_key_cache *cache = ks_key_cache_new(3);
    struct ks_client_id id = {.bytes = {0}};
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    (void)house;
    assert_non_null(cache);
    for (uint8_t i = 0; i < 4; i++) {
        id.bytes[0] = i;
        fill_public_key(key, i);
        ks_key_cache_put(cache, &id, key, 0);
        id.bytes[0] = 0; /* asked for all the time: it stays */
        assert_true(ks_key_cache_get(cache, &id, key));
        assert_int_equal(key[0], 0);
    }
    id.bytes[0] = 1;
    assert_false(ks_key_cache_get(cache, &id, key));
    for (uint8_t i = 2; i < 4; i++) {
        id.bytes[0] = i;
        assert_true(ks_key_cache_get(cache, &id, key));
        assert_int_equal(key[0], i);
        ks_key_cache_put(cache, &id, key, 0); /* twice the same is once */
    }
    ks_key_cache_free(cache);
}

/* ---- lifetimes ---- */

static void a_user_without_a_key_is_dropped_after_a_day(void **state)
{
    struct house *house = *state;
    struct ks_client_id keyless;
    struct ks_client_id keyed;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    fill_public_key(key, 6);
    assert_int_equal(register_user(house, "keyless", NULL, &keyless), KS_OK);
    assert_int_equal(register_user(house, "keyed", key, &keyed), KS_OK);
    fixture_clock_forward(&house->clock, DAY - 1);
    house_tick(house);
    assert_int_equal(look_up(house, &keyless, NULL), KS_OK);
    fixture_clock_forward(&house->clock, 1);
    house_tick(house);
    assert_int_equal(look_up(house, &keyless, NULL), KS_NOT_FOUND);
    assert_int_equal(look_up(house, &keyed, NULL), KS_OK);
    assert_database(house, "SELECT group_concat(Name) FROM clients", "keyed");
    assert_int_equal(register_user(house, "keyless", NULL, &keyless), KS_OK);
}

static void the_day_of_a_keyless_user_counts_over_restarts(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    assert_int_equal(register_user(house, "keyless", NULL, &id), KS_OK);
    fixture_clock_forward(&house->clock, DAY);
    house_restart(house);
    house_tick(house);
    assert_int_equal(look_up(house, &id, NULL), KS_NOT_FOUND);
}

static void a_key_on_its_way_keeps_its_user(void **state)
{
    struct house *house = *state;
    struct held_writer held;
    struct ks_client_id id;
    assert_int_equal(register_user(house, "late", NULL, &id), KS_OK);
    writer_hold(house, &held);
    fixture_clock_forward(&house->clock, DAY);
    struct ks_store_set_keys change = {
        .request = fixture_request(&house->waiter), .id = id, .has_public_key = true};
    struct ks_engine *engine = ks_engine_of(house->store);
    struct fixture_call sweep = {.task.run = fixture_call_run, .function = tick, .context = engine};
    assert_int_equal(sem_init(&sweep.done, 0, 0), 0);
    change.content_key = new_content_key(house, 61);
    ks_executor_post(ks_thread_executor(engine->writer.thread), &sweep.task);
    ks_store_set_keys(house->store, &change);
    writer_let_go(&held);
    assert_int_equal(fixture_wait(&house->waiter, &change.request), KS_OK);
    while (sem_wait(&sweep.done) != 0)
        ;
    assert_int_equal(look_up(house, &id, NULL), KS_OK);
    ks_content_key_release(change.content_key);
}

static void last_seen_is_written_within_a_minute_and_at_close(void **state)
{
    struct house *house = *state;
    struct ks_client_id id;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    fill_public_key(key, 7);
    assert_int_equal(register_user(house, "seen", key, &id), KS_OK);
    assert_database(house, "SELECT LastSeen FROM clients", "2026-01-01 00:00:00");
    fixture_clock_forward(&house->clock, 10);
    ks_store_touch(house->store, &id);
    fixture_clock_forward(&house->clock, 59);
    house_tick(house);
    assert_database(house, "SELECT LastSeen FROM clients", "2026-01-01 00:00:10");
    ks_store_touch(house->store, &id);
    house_close(house);
    assert_database(house, "SELECT LastSeen FROM clients", "2026-01-01 00:01:09");
    house_open(house);
    id.bytes[0] ^= 1;
    ks_store_touch(house->store, &id); /* nobody: ignored */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(a_registered_user_is_found_by_id),
        HOUSE_TEST(a_name_is_taken_in_every_case_of_its_letters),
        HOUSE_TEST(users_of_older_databases_keep_names_that_differ_in_case_only),
        HOUSE_TEST(no_half_of_an_id_begins_or_ends_with_a_zero_digit),
        HOUSE_TEST(of_two_registrations_for_one_name_exactly_one_wins),
        HOUSE_TEST(one_batch_registers_a_name_once),
        HOUSE_TEST(a_user_is_seen_only_after_the_commit),
        HOUSE_TEST(a_restart_keeps_users_and_the_alias_key),
        HOUSE_TEST(a_public_key_is_set_once),
        HOUSE_TEST(in_one_batch_the_first_public_key_wins),
        HOUSE_TEST(a_name_at_hand_waits_for_no_change),
        HOUSE_TEST(questions_wait_for_the_changes_asked_for_before),
        HOUSE_TEST(the_ram_answers_inside_the_call),
        HOUSE_TEST(a_content_key_survives_a_restart_and_a_day_ends_it),
        HOUSE_TEST(a_stale_content_key_is_not_revived_by_a_restart),
        HOUSE_TEST(a_dropped_content_key_is_gone_in_ram_and_on_disk),
        HOUSE_TEST(a_key_that_is_dropped_only_on_disk_serves_until_the_restart),
        HOUSE_TEST(a_used_up_content_key_is_known_to_be_so),
        HOUSE_TEST(more_public_keys_than_the_cache_holds_are_all_found),
        HOUSE_TEST(a_user_without_a_key_is_dropped_after_a_day),
        HOUSE_TEST(the_day_of_a_keyless_user_counts_over_restarts),
        HOUSE_TEST(a_key_on_its_way_keeps_its_user),
        HOUSE_TEST(last_seen_is_written_within_a_minute_and_at_close),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
