/* contract_accounts.c — who registers with a key, whose a name is, and what an invitation is good for. */
#include "unit/store/contract/contract_account_asking.h"

enum { KEY = 11, OTHER_KEY = 12, THIRD_KEY = 13, CODE = 21, OTHER_CODE = 22 };

/* ---- keys ---- */

static void who_registers_signs_in_with_its_key(struct party *me)
{
    struct ks_account account;
    struct ks_user user;
    pass_time(me, 7);
    assert_int_equal(register_account(me, "alice", KEY, &account), KS_OK);
    assert_string_equal(account.name, "alice");
    assert_int_equal(account.registered, FIXTURE_WALL_START + 7);
    assert_false(account.has_classic_id);
    assert_account(me, KEY, "alice", &account.id);
    assert_int_equal(look_up(me, &account.id, &user), KS_OK);
    assert_string_equal(user.name, "alice");
    assert_true(user.is_account);
    assert_false(user.has_classic_id);
    assert_false(user.has_public_key);
}

static void a_key_that_nobody_has_is_not_found(struct party *me)
{
    assert_int_equal(sign_in(me, KEY, NULL), KS_NOT_FOUND);
    (void)new_account(me, "alice", KEY);
    (void)new_user(me, "bob");
    assert_int_equal(sign_in(me, OTHER_KEY, NULL), KS_NOT_FOUND);
    assert_int_equal(sign_in(me, 0, NULL), KS_NOT_FOUND);
}

static void the_same_key_and_name_again_change_nothing(struct party *me)
{
    struct ks_account again;
    struct ks_client_id alice = new_account(me, "alice", KEY);
    pass_time(me, 50);
    assert_int_equal(register_account(me, "alice", KEY, &again), KS_OK);
    assert_memory_equal(&again.id, &alice, sizeof alice);
    assert_int_equal(again.registered, FIXTURE_WALL_START);
    assert_int_equal(count_list(me, &alice, false), 0);
}

static void the_same_key_and_name_again_use_up_no_invitation(struct party *me)
{
    (void)new_account(me, "alice", KEY);
    assert_int_equal(invite(me, CODE, 1, 0, ""), KS_OK);
    assert_int_equal(register_invited(me, "alice", KEY, CODE, NULL), KS_OK);
    assert_int_equal(register_invited(me, "alice", KEY, OTHER_CODE, NULL), KS_OK); /* whatever it is */
    assert_int_equal(register_invited(me, "bob", OTHER_KEY, CODE, NULL), KS_OK);
}

static void a_key_is_of_one_account(struct party *me)
{
    struct ks_client_id alice = new_account(me, "alice", KEY);
    assert_int_equal(invite(me, CODE, 1, 0, "bob"), KS_OK);
    assert_int_equal(register_account(me, "bob", KEY, NULL), KS_INVALID);
    assert_int_equal(register_account(me, "Alice", KEY, NULL), KS_INVALID);
    assert_int_equal(register_invited(me, "bob", KEY, CODE, NULL), KS_INVALID);
    assert_account(me, KEY, "alice", &alice);
    assert_int_equal(register_invited(me, "bob", OTHER_KEY, CODE, NULL), KS_OK);
}

static void accounts_are_there_after_a_restart(struct party *me)
{
    struct ks_account account;
    struct ks_client_id alice = new_account(me, "alice", KEY);
    struct ks_client_id classic_id = classic_on(me, &alice, 5);
    pass_time(me, 30);
    world_reopen(me);
    assert_account(me, KEY, "alice", &alice);
    assert_int_equal(sign_in(me, KEY, &account), KS_OK);
    assert_true(account.has_classic_id);
    assert_int_equal(account.registered, FIXTURE_WALL_START);
    assert_stands_for(me, &classic_id, &alice);
    assert_stands_for_nobody(me, &alice);
    assert_int_equal(register_account(me, "ALICE", OTHER_KEY, NULL), KS_EXISTS);
}

/* ---- names ---- */

static void a_name_is_of_one_user_whoever_has_it(struct party *me)
{
    (void)new_account(me, "alice", KEY);
    (void)new_user(me, "bob");
    assert_int_equal(register_account(me, "alice", OTHER_KEY, NULL), KS_EXISTS);
    assert_int_equal(register_account(me, "Alice", OTHER_KEY, NULL), KS_EXISTS);
    assert_int_equal(register_account(me, "BOB", OTHER_KEY, NULL), KS_EXISTS);
    assert_int_equal(register_user(me, "ALICE", NULL), KS_EXISTS);
    assert_int_equal(sign_in(me, OTHER_KEY, NULL), KS_NOT_FOUND);
}

static void a_name_that_is_like_another_is_taken(struct party *me)
{
    assert_int_equal(register_alike(me, "paypal", "paypal-ish", KEY), KS_OK);
    assert_int_equal(register_classic(me, "bank", "bank-ish"), KS_OK);
    assert_int_equal(register_alike(me, "paypa1", "paypal-ish", OTHER_KEY), KS_EXISTS);
    assert_int_equal(register_alike(me, "8ank", "bank-ish", OTHER_KEY), KS_EXISTS);
    assert_int_equal(register_classic(me, "paypa1", "paypal-ish"), KS_EXISTS);
    assert_int_equal(register_alike(me, "paypaw", "paypaw", OTHER_KEY), KS_OK);
}

static void classic_names_may_be_alike(struct party *me)
{
    assert_int_equal(register_classic(me, "bank", "bank-ish"), KS_OK);
    assert_int_equal(register_classic(me, "8ank", "bank-ish"), KS_OK);
}

static void without_a_skeleton_a_name_is_like_itself_in_lower_case(struct party *me)
{
    struct ks_client_id id;
    struct ks_client_id alice = new_account(me, "Alice", KEY);
    struct ks_client_id bob = new_user(me, "Bob");
    assert_int_equal(register_alike(me, "something", "alice", OTHER_KEY), KS_EXISTS);
    assert_int_equal(register_alike(me, "something", "bob", OTHER_KEY), KS_EXISTS);
    assert_int_equal(register_classic(me, "something", "alice"), KS_EXISTS);
    assert_int_equal(name_holder(me, "alice", &id), KS_OK);
    assert_memory_equal(&id, &alice, sizeof id);
    assert_int_equal(name_holder(me, "bob", &id), KS_OK);
    assert_memory_equal(&id, &bob, sizeof id);
}

static void it_is_told_whose_a_name_would_be(struct party *me)
{
    static const struct ks_client_id zeros;
    struct ks_client_id id;
    assert_int_equal(register_alike(me, "paypal", "paypal-ish", KEY), KS_OK);
    assert_int_equal(name_holder(me, "paypal", &id), KS_NOT_FOUND);
    assert_int_equal(name_holder(me, "", &id), KS_NOT_FOUND);
    assert_int_equal(name_holder(me, "paypal-ish", &id), KS_OK);
    assert_account(me, KEY, "paypal", &id);
    assert_int_equal(remove_user(me, "paypal"), KS_OK);
    assert_int_equal(name_holder(me, "paypal-ish", &id), KS_OK);
    assert_memory_equal(&id, &zeros, sizeof id);
}

static void whoever_has_lost_its_name_to_another_key_removes_nobody(struct party *me)
{
    struct ks_client_id alice = new_account(me, "alice", KEY);
    assert_int_equal(register_classic(me, "bob", "bob"), KS_OK);
    assert_int_equal(invite(me, CODE, 1, 0, "alice"), KS_OK);
    assert_int_equal(register_invited(me, "alice", OTHER_KEY, CODE, NULL), KS_OK);
    assert_int_equal(remove_account(me, "alice", KEY), KS_NOT_FOUND);
    assert_int_equal(remove_account(me, "bob", KEY), KS_NOT_FOUND);
    assert_account(me, OTHER_KEY, "alice", &alice);
    assert_int_equal(remove_account(me, "alice", OTHER_KEY), KS_OK);
    assert_int_equal(sign_in(me, OTHER_KEY, NULL), KS_NOT_FOUND);
}

static void of_requests_for_names_that_are_alike_at_once_one_wins(struct party *me)
{
    enum { RIVALS = 6 };
    struct ks_store_register_account requests[RIVALS];
    unsigned won = 0;
    for (unsigned i = 0; i < RIVALS; i++) {
        char name[16];
        snprintf(name, sizeof name, "twin %u", i);
        requests[i] = account_request(me, name, "twins", (uint8_t)(KEY + i));
        ks_store_register_account(me->store, &requests[i]);
    }
    for (unsigned i = 0; i < RIVALS; i++) {
        enum ks_result result = party_wait(me, &requests[i].request);
        assert_true(result == KS_OK || result == KS_EXISTS);
        won += result == KS_OK ? 1 : 0;
        assert_int_equal(sign_in(me, (uint8_t)(KEY + i), NULL), result == KS_OK ? KS_OK : KS_NOT_FOUND);
    }
    assert_int_equal(won, 1);
}

static void of_a_classic_and_another_request_for_a_name_at_once_one_wins(struct party *me)
{
    struct ks_store_register classic = register_request(me, "twin");
    struct ks_store_register_account secure = account_request(me, "Twin", NULL, KEY);
    struct ks_store_register late = register_request(me, "TWIN");
    ks_store_register_user(me->store, &classic);
    ks_store_register_account(me->store, &secure);
    ks_store_register_user(me->store, &late);
    unsigned won = party_wait(me, &classic.request) == KS_OK ? 1 : 0;
    won += party_wait(me, &secure.request) == KS_OK ? 1 : 0;
    won += party_wait(me, &late.request) == KS_OK ? 1 : 0;
    assert_int_equal(won, 1);
}

static void of_requests_with_one_key_at_once_one_name_wins(struct party *me)
{
    struct ks_store_register_account one = account_request(me, "one", NULL, KEY);
    struct ks_store_register_account same = account_request(me, "one", NULL, KEY);
    struct ks_store_register_account other = account_request(me, "other", NULL, KEY);
    ks_store_register_account(me->store, &one);
    ks_store_register_account(me->store, &same);
    ks_store_register_account(me->store, &other);
    assert_int_equal(party_wait(me, &one.request), KS_OK);
    assert_int_equal(party_wait(me, &same.request), KS_OK);
    assert_int_equal(party_wait(me, &other.request), KS_INVALID);
    assert_memory_equal(&one.account, &same.account, sizeof one.account);
    assert_int_equal(count_list(me, &one.account.id, false), 0);
}

/* ---- how many users there may be ---- */

static void there_are_as_many_users_as_there_may_be(struct party *me)
{
    struct ks_client_id alice = new_account(me, "alice", KEY);
    atomic_store(&me->world->limits.users, 2);
    assert_int_equal(invite(me, CODE, 1, 0, ""), KS_OK);
    (void)new_user(me, "bob");
    assert_int_equal(register_user(me, "carol", NULL), KS_TOO_LARGE);
    assert_int_equal(register_invited(me, "carol", OTHER_KEY, CODE, NULL), KS_TOO_LARGE);
    assert_int_equal(register_user(me, "bob", NULL), KS_EXISTS);
    assert_int_equal(register_account(me, "alice", KEY, NULL), KS_OK);
    assert_int_equal(count_list(me, &alice, false), 1);
    atomic_store(&me->world->limits.users, 3);
    assert_int_equal(register_invited(me, "carol", OTHER_KEY, CODE, NULL), KS_OK); /* it was not used up */
    assert_int_equal(register_user(me, "dave", NULL), KS_TOO_LARGE);
    assert_int_equal(remove_user(me, "bob"), KS_OK);
    assert_int_equal(register_user(me, "dave", NULL), KS_OK);
}

static void of_many_requests_at_once_no_more_win_than_there_may_be_users(struct party *me)
{
    enum { RIVALS = 9 };
    struct ks_store_register classic[RIVALS];
    struct ks_store_register_account secure[RIVALS];
    unsigned won = 0;
    atomic_store(&me->world->limits.users, 5);
    for (unsigned i = 0; i < RIVALS; i++) {
        char name[32];
        snprintf(name, sizeof name, "classic %u", i);
        classic[i] = register_request(me, name);
        ks_store_register_user(me->store, &classic[i]);
        snprintf(name, sizeof name, "secure %u", i);
        secure[i] = account_request(me, name, NULL, (uint8_t)(i + 1));
        ks_store_register_account(me->store, &secure[i]);
    }
    for (unsigned i = 0; i < RIVALS; i++) {
        won += party_wait(me, &classic[i].request) == KS_OK ? 1 : 0;
        won += party_wait(me, &secure[i].request) == KS_OK ? 1 : 0;
        assert_true(classic[i].request.result == KS_OK || classic[i].request.result == KS_TOO_LARGE);
        assert_true(secure[i].request.result == KS_OK || secure[i].request.result == KS_TOO_LARGE);
    }
    assert_int_equal(won, 5);
}

/* ---- invitations ---- */

static void an_invitation_has_as_many_uses_as_it_has(struct party *me)
{
    assert_int_equal(invite(me, CODE, 2, 0, ""), KS_OK);
    assert_int_equal(register_invited(me, "alice", KEY, CODE, NULL), KS_OK);
    assert_int_equal(register_invited(me, "bob", OTHER_KEY, CODE, NULL), KS_OK);
    assert_int_equal(register_invited(me, "carol", THIRD_KEY, CODE, NULL), KS_REFUSED);
    assert_int_equal(sign_in(me, THIRD_KEY, NULL), KS_NOT_FOUND);
}

static void an_unknown_invitation_is_refused(struct party *me)
{
    assert_int_equal(invite(me, CODE, 1, 0, ""), KS_OK);
    assert_int_equal(register_invited(me, "alice", KEY, OTHER_CODE, NULL), KS_REFUSED);
    (void)new_user(me, "bob");
    assert_int_equal(register_invited(me, "bob", KEY, OTHER_CODE, NULL),
                     KS_REFUSED); /* no oracle for names */
}

static void a_name_that_is_taken_uses_nothing_up(struct party *me)
{
    (void)new_user(me, "bob");
    assert_int_equal(invite(me, CODE, 1, 0, ""), KS_OK);
    assert_int_equal(register_invited(me, "bob", KEY, CODE, NULL), KS_EXISTS);
    assert_int_equal(register_invited(me, "alice", KEY, CODE, NULL), KS_OK);
    assert_int_equal(register_invited(me, "carol", OTHER_KEY, CODE, NULL), KS_REFUSED);
}

static void an_invitation_is_over_at_its_time(struct party *me)
{
    assert_int_equal(invite(me, CODE, 5, FIXTURE_WALL_START + 100, ""), KS_OK);
    pass_time(me, 99);
    assert_int_equal(register_invited(me, "alice", KEY, CODE, NULL), KS_OK);
    pass_time(me, 1);
    assert_int_equal(register_invited(me, "bob", OTHER_KEY, CODE, NULL), KS_REFUSED);
    assert_int_equal(register_invited(me, "alice", KEY, CODE, NULL), KS_OK); /* who is there is there */
}

static void an_invitation_is_known_once(struct party *me)
{
    assert_int_equal(invite(me, CODE, 1, 0, ""), KS_OK);
    assert_int_equal(invite(me, CODE, 5, 0, ""), KS_EXISTS);
    assert_int_equal(register_invited(me, "alice", KEY, CODE, NULL), KS_OK);
    assert_int_equal(register_invited(me, "bob", OTHER_KEY, CODE, NULL), KS_REFUSED);
}

static void of_requests_for_the_last_use_at_once_one_wins(struct party *me)
{
    enum { RIVALS = 6, USES = 2 };
    struct ks_store_register_account requests[RIVALS];
    unsigned won = 0;
    assert_int_equal(invite(me, CODE, USES, 0, ""), KS_OK);
    for (unsigned i = 0; i < RIVALS; i++) {
        char name[16];
        snprintf(name, sizeof name, "guest %u", i);
        requests[i] = invited_request(me, name, (uint8_t)(KEY + i), CODE);
        ks_store_register_account(me->store, &requests[i]);
    }
    for (unsigned i = 0; i < RIVALS; i++) {
        enum ks_result result = party_wait(me, &requests[i].request);
        assert_true(result == KS_OK || result == KS_REFUSED);
        won += result == KS_OK ? 1 : 0;
    }
    assert_int_equal(won, USES);
}

static void invitations_are_there_after_a_restart(struct party *me)
{
    assert_int_equal(invite(me, CODE, 2, FIXTURE_WALL_START + 100, ""), KS_OK);
    assert_int_equal(invite(me, OTHER_CODE, 1, 0, "bob"), KS_OK);
    assert_int_equal(register_invited(me, "alice", KEY, CODE, NULL), KS_OK);
    world_reopen(me);
    assert_int_equal(register_invited(me, "carol", THIRD_KEY, OTHER_CODE, NULL), KS_REFUSED);
    assert_int_equal(register_invited(me, "carol", THIRD_KEY, CODE, NULL), KS_OK);
    assert_int_equal(register_invited(me, "dave", 99, CODE, NULL), KS_REFUSED);
    assert_int_equal(register_invited(me, "bob", OTHER_KEY, OTHER_CODE, NULL), KS_OK);
}

static const struct contract_case cases[] = {
    CASE(who_registers_signs_in_with_its_key),
    CASE(a_key_that_nobody_has_is_not_found),
    CASE(the_same_key_and_name_again_change_nothing),
    CASE(the_same_key_and_name_again_use_up_no_invitation),
    CASE(a_key_is_of_one_account),
    CASE_NEEDS(accounts_are_there_after_a_restart, CONTRACT_REOPENS),
    CASE(a_name_is_of_one_user_whoever_has_it),
    CASE(a_name_that_is_like_another_is_taken),
    CASE(classic_names_may_be_alike),
    CASE(without_a_skeleton_a_name_is_like_itself_in_lower_case),
    CASE(it_is_told_whose_a_name_would_be),
    CASE(whoever_has_lost_its_name_to_another_key_removes_nobody),
    CASE(of_requests_for_names_that_are_alike_at_once_one_wins),
    CASE(of_a_classic_and_another_request_for_a_name_at_once_one_wins),
    CASE(of_requests_with_one_key_at_once_one_name_wins),
    CASE_NEEDS(there_are_as_many_users_as_there_may_be, CONTRACT_LIMITS),
    CASE_NEEDS(of_many_requests_at_once_no_more_win_than_there_may_be_users, CONTRACT_LIMITS),
    CASE(an_invitation_has_as_many_uses_as_it_has),
    CASE(an_unknown_invitation_is_refused),
    CASE(a_name_that_is_taken_uses_nothing_up),
    CASE(an_invitation_is_over_at_its_time),
    CASE(an_invitation_is_known_once),
    CASE(of_requests_for_the_last_use_at_once_one_wins),
    CASE_NEEDS(invitations_are_there_after_a_restart, CONTRACT_REOPENS),
};

const struct contract_subject contract_accounts = {"accounts", cases, KS_COUNT_OF(cases)};
