/* contract_users.c — who is registered, under which name, and when it was seen. */
#include "unit/store/contract/contract_asking.h"

static void a_registered_user_is_found_by_its_id(struct party *me)
{
    struct ks_client_id id;
    struct ks_user user;
    assert_int_equal(register_user(me, "Michael Jackson", &id), KS_OK);
    assert_int_equal(look_up(me, &id, &user), KS_OK);
    assert_string_equal(user.name, "Michael Jackson");
    assert_memory_equal(&user.id, &id, sizeof id);
}

static void an_id_that_nobody_has_is_not_found(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    id.bytes[7] ^= 1;
    assert_int_equal(look_up(me, &id, NULL), KS_NOT_FOUND);
}

static void who_registers_with_a_public_key_has_it(struct party *me)
{
    struct ks_client_id id;
    struct ks_user user;
    uint8_t byte = 0;
    assert_int_equal(register_with_key(me, "alice", 9, &id), KS_OK);
    assert_int_equal(look_up(me, &id, &user), KS_OK);
    assert_true(user.has_public_key);
    assert_int_equal(public_key_of(me, &id, &byte), KS_OK);
    assert_int_equal(byte, 9);
}

static void who_registers_without_a_public_key_has_none(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct ks_user user;
    assert_int_equal(look_up(me, &id, &user), KS_OK);
    assert_false(user.has_public_key);
}

static void the_longest_name_is_kept_whole(struct party *me)
{
    char name[KS_TEXT_FIELD_SIZE];
    struct ks_user user;
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    struct ks_client_id id = new_user(me, name);
    assert_int_equal(look_up(me, &id, &user), KS_OK);
    assert_string_equal(user.name, name);
}

static void a_name_is_taken(struct party *me)
{
    (void)new_user(me, "alice");
    assert_int_equal(register_user(me, "alice", NULL), KS_EXISTS);
}

static void a_name_is_taken_in_every_case_of_its_letters(struct party *me)
{
    (void)new_user(me, "alice@home");
    assert_int_equal(register_user(me, "Alice@Home", NULL), KS_EXISTS);
    assert_int_equal(register_user(me, "ALICE@HOME", NULL), KS_EXISTS);
}

static void names_that_differ_otherwise_are_free(struct party *me)
{
    (void)new_user(me, "alice@home");
    (void)new_user(me, "alice`home"); /* 0x40 and 0x60 are no letters */
    (void)new_user(me, "alice@hom");
    (void)new_user(me, "alice@home ");
}

static void a_name_that_was_taken_registers_nobody(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct ks_store_list_begin request = {.request = party_request(me), .except = id};
    assert_int_equal(register_with_key(me, "ALICE", 1, NULL), KS_EXISTS);
    ks_store_list_begin(me->store, &request);
    assert_int_equal(party_wait(me, &request.request), KS_OK);
    assert_int_equal(request.count, 0);
}

static void of_requests_for_one_name_at_once_one_wins(struct party *me)
{
    static const char *const names[] = {"twin", "twin", "Twin", "TWIN"};
    struct ks_store_register requests[KS_COUNT_OF(names)];
    unsigned won = 0;
    for (size_t i = 0; i < KS_COUNT_OF(names); i++) {
        requests[i] = register_request(me, names[i]);
        ks_store_register_user(me->store, &requests[i]);
    }
    for (size_t i = 0; i < KS_COUNT_OF(names); i++) {
        enum ks_result result = party_wait(me, &requests[i].request);
        won += result == KS_OK ? 1 : 0;
        assert_true(result == KS_OK || result == KS_EXISTS);
    }
    assert_int_equal(won, 1);
}

static void every_id_is_another(struct party *me)
{
    enum { USERS = 300 };
    struct ks_store_register *requests = calloc(USERS, sizeof *requests);
    assert_non_null(requests);
    for (unsigned i = 0; i < USERS; i++) {
        char name[32];
        snprintf(name, sizeof name, "user %u", i);
        requests[i] = register_request(me, name);
        ks_store_register_user(me->store, &requests[i]);
    }
    for (unsigned i = 0; i < USERS; i++)
        assert_int_equal(party_wait(me, &requests[i].request), KS_OK);
    for (unsigned i = 0; i < USERS; i++)
        for (unsigned j = 0; j < i; j++)
            assert_memory_not_equal(&requests[i].id, &requests[j].id, sizeof requests[i].id);
    free(requests);
}

static void users_are_there_after_a_restart(struct party *me)
{
    struct ks_client_id ids[10];
    struct ks_user user;
    char name[32];
    uint8_t byte = 0;
    for (unsigned i = 0; i < KS_COUNT_OF(ids); i++) {
        snprintf(name, sizeof name, "user %u", i);
        assert_int_equal(i % 2 == 0 ? register_user(me, name, &ids[i])
                                    : register_with_key(me, name, (uint8_t)i, &ids[i]),
                         KS_OK);
    }
    world_reopen(me);
    for (unsigned i = 0; i < KS_COUNT_OF(ids); i++) {
        snprintf(name, sizeof name, "user %u", i);
        assert_int_equal(look_up(me, &ids[i], &user), KS_OK);
        assert_string_equal(user.name, name);
        assert_int_equal(user.has_public_key, i % 2 != 0);
        assert_int_equal(public_key_of(me, &ids[i], &byte), i % 2 == 0 ? KS_REFUSED : KS_OK);
        assert_true(i % 2 == 0 || byte == i);
    }
}

static void names_are_taken_after_a_restart(struct party *me)
{
    (void)new_user(me, "alice");
    world_reopen(me);
    assert_int_equal(register_user(me, "Alice", NULL), KS_EXISTS);
}

/* ---- the name at hand ---- */

static void a_name_is_at_hand_when_its_registration_was_answered(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    char name[KS_TEXT_FIELD_SIZE] = "";
    assert_int_equal(ks_store_name_at_hand(me->store, &id, name), KS_OK);
    assert_string_equal(name, "alice");
}

static void without_a_name_at_hand_the_text_is_as_it_was(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    char name[KS_TEXT_FIELD_SIZE] = "before";
    id.bytes[7] ^= 1;
    assert_int_equal(ks_store_name_at_hand(me->store, &id, name), KS_NOT_FOUND);
    assert_string_equal(name, "before");
}

static void a_name_at_hand_waits_for_no_change_of_its_user(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    char name[KS_TEXT_FIELD_SIZE] = "";
    struct ks_store_set_keys change = {.request = party_request(me), .id = id, .content_key = new_key(me, 1)};
    ks_store_set_keys(me->store, &change);
    assert_int_equal(ks_store_name_at_hand(me->store, &id, name), KS_OK);
    assert_string_equal(name, "alice");
    assert_int_equal(party_wait(me, &change.request), KS_OK);
    ks_content_key_release(change.content_key);
}

/* ---- when users were seen ---- */

static void a_touch_notes_when_the_user_was_seen(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct ks_user_details details;
    pass_time(me, 10);
    ks_store_touch(me->store, &id);
    pass_time(me, 5);
    assert_int_equal(describe(me, "alice", &details, NULL), KS_OK);
    assert_int_equal(details.last_seen, FIXTURE_WALL_START + 10);
    assert_int_equal(details.registered, FIXTURE_WALL_START);
}

static void a_touch_is_written_at_close(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct ks_user_details details;
    pass_time(me, 10);
    ks_store_touch(me->store, &id);
    world_reopen(me);
    pass_time(me, 5);
    assert_int_equal(describe(me, "alice", &details, NULL), KS_OK);
    assert_int_equal(details.last_seen, FIXTURE_WALL_START + 10);
}

static void a_touch_of_nobody_is_ignored(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct ks_user_details details;
    id.bytes[7] ^= 1;
    pass_time(me, 10);
    ks_store_touch(me->store, &id);
    assert_int_equal(describe(me, "alice", &details, NULL), KS_OK);
    assert_int_equal(details.last_seen, details.registered);
}

static const struct contract_case cases[] = {
    CASE(a_registered_user_is_found_by_its_id),
    CASE(an_id_that_nobody_has_is_not_found),
    CASE(who_registers_with_a_public_key_has_it),
    CASE(who_registers_without_a_public_key_has_none),
    CASE(the_longest_name_is_kept_whole),
    CASE(a_name_is_taken),
    CASE(a_name_is_taken_in_every_case_of_its_letters),
    CASE(names_that_differ_otherwise_are_free),
    CASE(a_name_that_was_taken_registers_nobody),
    CASE(of_requests_for_one_name_at_once_one_wins),
    CASE(every_id_is_another),
    CASE_NEEDS(users_are_there_after_a_restart, CONTRACT_REOPENS),
    CASE_NEEDS(names_are_taken_after_a_restart, CONTRACT_REOPENS),
    CASE(a_name_is_at_hand_when_its_registration_was_answered),
    CASE(without_a_name_at_hand_the_text_is_as_it_was),
    CASE(a_name_at_hand_waits_for_no_change_of_its_user),
    CASE(a_touch_notes_when_the_user_was_seen),
    CASE_NEEDS(a_touch_is_written_at_close, CONTRACT_REOPENS),
    CASE(a_touch_of_nobody_is_ignored),
};

const struct contract_subject contract_users = {"users", cases, KS_COUNT_OF(cases)};
