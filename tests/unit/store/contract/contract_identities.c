/* contract_identities.c — classic users who become accounts, accounts on the classic ports, and accounts that
 * get another key, are removed, or come back. */
#include "unit/store/contract/contract_account_asking.h"

enum { KEY = 11, OTHER_KEY = 12, THIRD_KEY = 13, CODE = 21, OTHER_CODE = 22 };

/* ---- adopting ---- */

static void whoever_is_adopted_keeps_everything_but_the_classic_ports(struct party *me)
{
    struct ks_client_id alice;
    struct ks_client_id bob = new_user(me, "bob");
    struct ks_account account;
    struct ks_user user;
    struct ks_user_details details;
    assert_int_equal(register_with_key(me, "alice", 9, &alice), KS_OK);
    keep_file(me, &alice, "file", "12345");
    append(me, &alice, &bob, "message");
    assert_stands_for(me, &alice, &alice);
    pass_time(me, 5);
    assert_int_equal(adopt(me, &alice, KEY, &account), KS_OK);
    assert_string_equal(account.name, "alice");
    assert_memory_equal(&account.id, &alice, sizeof alice);
    assert_int_equal(account.registered, FIXTURE_WALL_START + 5);
    assert_account(me, KEY, "alice", &alice);
    assert_stands_for_nobody(me, &alice);
    assert_stands_for(me, &bob, &bob);
    assert_files(me, "alice", 1, 5);
    assert_waiting(me, &alice, "message");
    assert_int_equal(look_up(me, &alice, &user), KS_OK);
    assert_true(user.is_account && !user.has_classic_id && !user.has_public_key);
    assert_int_equal(describe(me, "alice", &details, NULL), KS_OK);
    assert_true(details.user.is_account);
    assert_int_equal(details.account_key[0], KEY);
}

static void adopted_keys_are_void(struct party *me)
{
    struct ks_client_id alice = new_user(me, "alice");
    uint8_t byte = 0;
    assert_int_equal(set_keys(me, &alice, 9, 10), KS_OK);
    assert_int_equal(public_key_of(me, &alice, &byte), KS_OK); /* and so it is at hand */
    assert_int_equal(adopt(me, &alice, KEY, NULL), KS_OK);
    assert_int_equal(public_key_of(me, &alice, &byte), KS_REFUSED);
    assert_int_equal(content_key_of(me, &alice, NULL), KS_REFUSED);
}

static void keys_that_come_behind_an_adoption_are_refused(struct party *me)
{
    struct ks_client_id alice = new_user(me, "alice");
    struct ks_store_adopt adoption = {.request = party_request(me), .id = alice};
    struct ks_store_set_keys keys = {
        .request = party_request(me), .id = alice, .has_public_key = true, .content_key = new_key(me, 3)};
    uint8_t byte = 0;
    memset(adoption.key, KEY, sizeof adoption.key);
    memset(keys.public_key, 66, sizeof keys.public_key);
    ks_store_adopt(me->store, &adoption);
    ks_store_set_keys(me->store, &keys);
    assert_int_equal(party_wait(me, &adoption.request), KS_OK);
    assert_int_equal(party_wait(me, &keys.request), KS_NOT_FOUND);
    ks_content_key_release(keys.content_key);
    assert_int_equal(public_key_of(me, &alice, &byte), KS_REFUSED);
    assert_int_equal(set_keys(me, &alice, 66, 3), KS_NOT_FOUND);
    (void)classic_on(me, &alice, 5);
    assert_int_equal(set_keys(me, &alice, 66, 3), KS_REFUSED);
    assert_int_equal(set_keys(me, &alice, 0, 3), KS_OK);
}

static void adopting_again_with_the_same_key_changes_nothing(struct party *me)
{
    struct ks_account account;
    struct ks_client_id alice = new_user(me, "alice");
    assert_int_equal(adopt(me, &alice, KEY, NULL), KS_OK);
    struct ks_client_id classic_id = classic_on(me, &alice, 4);
    pass_time(me, 9);
    assert_int_equal(adopt(me, &alice, KEY, &account), KS_OK);
    assert_int_equal(account.registered, FIXTURE_WALL_START);
    assert_stands_for(me, &classic_id, &alice);
}

static void nobody_adopts_an_account_or_who_is_not_there(struct party *me)
{
    struct ks_client_id alice = new_account(me, "alice", KEY);
    struct ks_client_id nobody = alice;
    nobody.bytes[3] ^= 1;
    assert_int_equal(adopt(me, &alice, OTHER_KEY, NULL), KS_NOT_FOUND);
    assert_int_equal(adopt(me, &nobody, OTHER_KEY, NULL), KS_NOT_FOUND);
    assert_account(me, KEY, "alice", &alice);
    assert_int_equal(sign_in(me, OTHER_KEY, NULL), KS_NOT_FOUND);
}

static void nobody_is_adopted_with_the_key_of_another(struct party *me)
{
    struct ks_client_id alice = new_account(me, "alice", KEY);
    struct ks_client_id bob = new_user(me, "bob");
    assert_int_equal(adopt(me, &bob, KEY, NULL), KS_EXISTS);
    assert_stands_for(me, &bob, &bob);
    assert_account(me, KEY, "alice", &alice);
}

static void of_adoptions_at_once_one_wins(struct party *me)
{
    struct ks_client_id alice = new_user(me, "alice");
    struct ks_store_adopt requests[4];
    unsigned won = 0;
    for (unsigned i = 0; i < KS_COUNT_OF(requests); i++) {
        requests[i] = (struct ks_store_adopt){.request = party_request(me), .id = alice};
        memset(requests[i].key, (int)(KEY + i), sizeof requests[i].key);
        ks_store_adopt(me->store, &requests[i]);
    }
    for (unsigned i = 0; i < KS_COUNT_OF(requests); i++) {
        enum ks_result result = party_wait(me, &requests[i].request);
        assert_true(result == KS_OK || result == KS_NOT_FOUND);
        won += result == KS_OK ? 1 : 0;
        assert_int_equal(sign_in(me, (uint8_t)(KEY + i), NULL), result);
    }
    assert_int_equal(won, 1);
}

static void questions_see_an_adoption_that_was_asked_for_before(struct party *me)
{
    struct ks_client_id alice = new_user(me, "alice");
    struct ks_store_adopt adoption = {.request = party_request(me), .id = alice};
    struct ks_store_look_up look = {.request = party_request(me), .id = alice};
    memset(adoption.key, KEY, sizeof adoption.key);
    ks_store_adopt(me->store, &adoption);
    ks_store_look_up(me->store, &look);
    assert_int_equal(party_wait(me, &look.request), KS_OK);
    assert_true(look.user.is_account);
    assert_int_equal(party_wait(me, &adoption.request), KS_OK);
}

static void an_adoption_is_there_after_a_restart(struct party *me)
{
    struct ks_client_id alice = new_user(me, "alice");
    assert_int_equal(set_keys(me, &alice, 9, 10), KS_OK);
    assert_int_equal(adopt(me, &alice, KEY, NULL), KS_OK);
    world_reopen(me);
    assert_account(me, KEY, "alice", &alice);
    assert_stands_for_nobody(me, &alice);
    assert_int_equal(content_key_of(me, &alice, NULL), KS_REFUSED);
}

static void accounts_are_never_dropped_for_want_of_a_public_key(struct party *me)
{
    struct ks_client_id alice = new_account(me, "alice", KEY);
    struct ks_client_id bob = new_user(me, "bob");
    assert_int_equal(adopt(me, &bob, OTHER_KEY, NULL), KS_OK);
    struct ks_client_id carol = new_user(me, "carol");
    pass_time(me, 10 * 24 * 3600);
    while (look_up(me, &carol, NULL) == KS_OK)
        usleep(10 * 1000); /* the engine's own second */
    assert_account(me, KEY, "alice", &alice);
    assert_account(me, OTHER_KEY, "bob", &bob);
}

/* ---- the classic ports ---- */

static void an_account_is_nobody_on_the_classic_ports_until_it_is_switched_on(struct party *me)
{
    struct ks_client_id alice = new_account(me, "alice", KEY);
    struct ks_client_id nobody = {.bytes = {7}};
    struct ks_user user;
    uint8_t byte = 0;
    assert_stands_for_nobody(me, &alice);
    assert_stands_for(me, &nobody, &nobody);
    struct ks_client_id classic_id = classic_on(me, &alice, 5);
    assert_memory_not_equal(&classic_id, &alice, sizeof alice);
    assert_stands_for(me, &classic_id, &alice);
    assert_stands_for_nobody(me, &alice);
    assert_int_equal(look_up(me, &alice, &user), KS_OK);
    assert_true(user.has_classic_id && user.has_public_key);
    assert_int_equal(public_key_of(me, &alice, &byte), KS_OK);
    assert_int_equal(byte, 5);
    assert_int_equal(look_up(me, &classic_id, NULL), KS_NOT_FOUND); /* it is nobody's id */
}

static void switched_on_again_a_classic_id_is_another_one(struct party *me)
{
    struct ks_client_id alice = new_account(me, "alice", KEY);
    struct ks_client_id first = classic_on(me, &alice, 5);
    uint8_t byte = 0;
    assert_int_equal(set_keys(me, &alice, 0, 33), KS_OK);
    struct ks_client_id second = classic_on(me, &alice, 6);
    assert_memory_not_equal(&first, &second, sizeof first);
    assert_stands_for(me, &first, &first); /* as anything that nobody has */
    assert_stands_for(me, &second, &alice);
    assert_int_equal(public_key_of(me, &alice, &byte), KS_OK);
    assert_int_equal(byte, 6);
    assert_int_equal(content_key_of(me, &alice, NULL), KS_REFUSED);
}

static void switched_off_a_classic_id_is_void(struct party *me)
{
    struct ks_client_id alice = new_account(me, "alice", KEY);
    struct ks_client_id classic_id = classic_on(me, &alice, 5);
    struct ks_user user;
    uint8_t byte = 0;
    assert_int_equal(set_classic(me, &alice, false, 0, NULL), KS_OK);
    assert_stands_for(me, &classic_id, &classic_id);
    assert_stands_for_nobody(me, &alice);
    assert_int_equal(look_up(me, &alice, &user), KS_OK);
    assert_false(user.has_classic_id || user.has_public_key);
    assert_int_equal(public_key_of(me, &alice, &byte), KS_REFUSED);
    assert_int_equal(set_classic(me, &alice, false, 0, NULL), KS_OK); /* as often as one likes */
}

static void who_is_no_account_is_not_switched_on(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    struct ks_client_id nobody = bob;
    nobody.bytes[3] ^= 1;
    assert_int_equal(set_classic(me, &bob, true, 5, NULL), KS_NOT_FOUND);
    assert_int_equal(set_classic(me, &bob, false, 0, NULL), KS_NOT_FOUND);
    assert_int_equal(set_classic(me, &nobody, true, 5, NULL), KS_NOT_FOUND);
    assert_stands_for(me, &bob, &bob);
}

static void a_reset_key_of_an_account_is_that_of_the_classic_ports(struct party *me)
{
    struct ks_client_id alice = new_account(me, "alice", KEY);
    struct ks_client_id classic_id = classic_on(me, &alice, 5);
    uint8_t byte = 0;
    assert_int_equal(reset_key(me, "alice"), KS_OK);
    assert_account(me, KEY, "alice", &alice);
    assert_stands_for(me, &classic_id, &alice);
    assert_int_equal(public_key_of(me, &alice, &byte), KS_REFUSED);
    assert_int_equal(set_keys(me, &alice, 8, 9), KS_OK);
    assert_int_equal(public_key_of(me, &alice, &byte), KS_OK);
    assert_int_equal(byte, 8);
}

/* ---- lists ---- */

static void classic_lists_have_no_accounts_but_those_that_are_switched_on(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    struct ks_client_id carol = new_user(me, "carol");
    struct ks_client_id alice = new_account(me, "alice", KEY);
    (void)new_account(me, "dave", OTHER_KEY);
    assert_int_equal(count_list(me, &bob, true), 1);
    assert_int_equal(count_list(me, &bob, false), 3);
    assert_int_equal(count_list(me, &alice, true), 2);
    (void)classic_on(me, &alice, 5);
    assert_int_equal(count_list(me, &bob, true), 2);
    assert_int_equal(count_list(me, &alice, true), 2);
    assert_int_equal(adopt(me, &carol, THIRD_KEY, NULL), KS_OK);
    assert_int_equal(count_list(me, &bob, true), 1);
    assert_int_equal(count_list(me, &bob, false), 3);
    assert_int_equal(set_classic(me, &alice, false, 0, NULL), KS_OK);
    assert_int_equal(count_list(me, &bob, true), 0);
    assert_int_equal(remove_user(me, "dave"), KS_OK);
    assert_int_equal(count_list(me, &bob, true), 0);
    assert_int_equal(count_list(me, &bob, false), 2);
    assert_int_equal(count_list(me, &alice, false), 2);
}

static void classic_lists_are_the_same_after_a_restart(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    (void)new_user(me, "carol");
    struct ks_client_id alice = new_account(me, "alice", KEY);
    (void)new_account(me, "dave", OTHER_KEY);
    (void)classic_on(me, &alice, 5);
    world_reopen(me);
    assert_int_equal(count_list(me, &bob, true), 2);
    assert_int_equal(count_list(me, &bob, false), 3);
}

static struct ks_store_list_users begin_list(struct party *me, const struct ks_client_id *except,
                                             struct ks_user *users)
{
    struct ks_store_list_begin begin = {
        .request = party_request(me), .except = *except, .classic_only = true};
    ks_store_list_begin(me->store, &begin);
    assert_int_equal(party_wait(me, &begin.request), KS_OK);
    return (struct ks_store_list_users){
        .except = *except, .classic_only = true, .cursor = begin.cursor, .users = users, .limit = 1};
}

static enum ks_result go_on(struct party *me, struct ks_store_list_users *list)
{
    list->request = party_request(me);
    ks_store_list_users(me->store, list);
    return party_wait(me, &list->request);
}

static void a_list_ends_when_somebody_comes_to_the_classic_ports_or_leaves_them(struct party *me)
{
    struct ks_user user;
    struct ks_client_id bob = new_user(me, "bob");
    struct ks_client_id carol = new_user(me, "carol");
    struct ks_client_id alice = new_account(me, "alice", KEY);
    struct ks_store_list_users list = begin_list(me, &bob, &user);
    (void)new_account(me, "dave", OTHER_KEY); /* whom the list does not have */
    assert_int_equal(go_on(me, &list), KS_OK);
    assert_int_equal(adopt(me, &carol, THIRD_KEY, NULL), KS_OK);
    assert_int_equal(go_on(me, &list), KS_NOT_FOUND);
    list = begin_list(me, &bob, &user);
    (void)classic_on(me, &alice, 5);
    assert_int_equal(go_on(me, &list), KS_NOT_FOUND);
    list = begin_list(me, &bob, &user);
    assert_int_equal(set_classic(me, &alice, false, 0, NULL), KS_OK);
    assert_int_equal(go_on(me, &list), KS_NOT_FOUND);
}

static void details_tell_of_an_account(struct party *me)
{
    struct ks_user_details page[2];
    struct ks_store_describe_users pages = {
        .request = party_request(me), .details = page, .limit = KS_COUNT_OF(page)};
    struct ks_client_id alice = new_account(me, "alice", KEY);
    (void)new_user(me, "bob");
    (void)classic_on(me, &alice, 5);
    ks_store_describe_users(me->store, &pages);
    assert_int_equal(party_wait(me, &pages.request), KS_OK);
    assert_int_equal(pages.count, 2);
    assert_true(page[0].user.is_account && page[0].user.has_classic_id);
    assert_int_equal(page[0].account_key[31], KEY);
    assert_false(page[1].user.is_account || page[1].user.has_classic_id);
}

/* ---- another key for a name ---- */

static void an_invitation_for_a_name_gives_it_to_another_key(struct party *me)
{
    struct ks_client_id alice = new_account(me, "alice", KEY);
    struct ks_client_id classic_id = classic_on(me, &alice, 5);
    uint8_t byte = 0;
    keep_file(me, &alice, "file", "12345");
    append(me, &alice, &alice, "message");
    assert_int_equal(public_key_of(me, &alice, &byte), KS_OK); /* and so it is at hand */
    assert_int_equal(invite(me, CODE, 1, 0, "alice"), KS_OK);
    struct ks_store_register_account request = invited_request(me, "alice", OTHER_KEY, CODE);
    ks_store_register_account(me->store, &request);
    assert_int_equal(party_wait(me, &request.request), KS_OK);
    assert_true(request.replaced);
    assert_account(me, OTHER_KEY, "alice", &alice);
    assert_int_equal(sign_in(me, KEY, NULL), KS_NOT_FOUND);
    assert_stands_for(me, &classic_id, &classic_id); /* the thief may know it */
    assert_int_equal(public_key_of(me, &alice, &byte), KS_REFUSED);
    assert_stands_for_nobody(me, &alice);
    assert_files(me, "alice", 1, 5);
    assert_waiting(me, &alice, "message");
    assert_int_equal(register_invited(me, "alice", THIRD_KEY, CODE, NULL), KS_REFUSED);
    assert_int_equal(register_account(me, "carol", KEY, NULL), KS_OK); /* the old key is nobody's */
}

static void an_invitation_for_a_name_is_for_that_name_alone(struct party *me)
{
    (void)new_account(me, "alice", KEY);
    (void)new_user(me, "bob");
    assert_int_equal(invite(me, CODE, 1, 0, "alice"), KS_OK);
    assert_int_equal(invite(me, OTHER_CODE, 1, 0, "bob"), KS_OK);
    assert_int_equal(register_invited(me, "Alice", OTHER_KEY, CODE, NULL), KS_REFUSED);
    assert_int_equal(register_invited(me, "carol", OTHER_KEY, CODE, NULL), KS_REFUSED);
    assert_int_equal(register_invited(me, "bob", OTHER_KEY, OTHER_CODE, NULL),
                     KS_EXISTS); /* a classic user */
    assert_int_equal(register_invited(me, "alice", OTHER_KEY, CODE, NULL), KS_OK);
}

static void an_invitation_for_a_name_that_nobody_had_makes_an_account(struct party *me)
{
    struct ks_store_register_account request = invited_request(me, "alice", KEY, CODE);
    assert_int_equal(invite(me, CODE, 1, 0, "alice"), KS_OK);
    ks_store_register_account(me->store, &request);
    assert_int_equal(party_wait(me, &request.request), KS_OK);
    assert_false(request.replaced);
    assert_account(me, KEY, "alice", &request.account.id);
}

static void of_keys_for_one_name_at_once_one_stays(struct party *me)
{
    struct ks_client_id alice = new_account(me, "alice", KEY);
    struct ks_store_register_account one = invited_request(me, "alice", OTHER_KEY, CODE);
    struct ks_store_register_account other = invited_request(me, "alice", THIRD_KEY, CODE);
    struct ks_store_register_account old = account_request(me, "carol", NULL, KEY);
    assert_int_equal(invite(me, CODE, 1, 0, "alice"), KS_OK);
    ks_store_register_account(me->store, &one);
    ks_store_register_account(me->store, &other);
    ks_store_register_account(me->store, &old);
    assert_int_equal(party_wait(me, &one.request), KS_OK);
    assert_int_equal(party_wait(me, &other.request), KS_REFUSED);
    assert_int_equal(party_wait(me, &old.request), KS_OK);
    assert_account(me, OTHER_KEY, "alice", &alice);
    assert_account(me, KEY, "carol", &old.account.id);
    assert_int_equal(sign_in(me, THIRD_KEY, NULL), KS_NOT_FOUND);
}

/* ---- removed accounts ---- */

static void the_name_of_a_removed_account_goes_to_nobody(struct party *me)
{
    struct ks_client_id alice = new_account(me, "alice", KEY);
    struct ks_client_id classic_id = classic_on(me, &alice, 5);
    assert_int_equal(remove_user(me, "alice"), KS_OK);
    assert_int_equal(sign_in(me, KEY, NULL), KS_NOT_FOUND);
    assert_int_equal(look_up(me, &alice, NULL), KS_NOT_FOUND);
    assert_stands_for(me, &classic_id, &classic_id);
    assert_int_equal(register_user(me, "alice", NULL), KS_EXISTS);
    assert_int_equal(register_user(me, "ALICE", NULL), KS_EXISTS);
    assert_int_equal(register_account(me, "alice", KEY, NULL), KS_EXISTS);
    assert_int_equal(invite(me, CODE, 1, 0, ""), KS_OK);
    assert_int_equal(register_invited(me, "Alice", OTHER_KEY, CODE, NULL), KS_EXISTS);
}

static void the_name_of_a_removed_classic_user_is_free(struct party *me)
{
    (void)new_user(me, "bob");
    assert_int_equal(remove_user(me, "bob"), KS_OK);
    assert_int_equal(register_account(me, "bob", KEY, NULL), KS_OK);
}

static void a_removed_account_comes_back_by_an_invitation_for_its_name(struct party *me)
{
    struct ks_account account;
    struct ks_client_id alice = new_account(me, "alice", KEY);
    struct ks_client_id bob = new_user(me, "bob");
    keep_file(me, &alice, "file", "12345");
    append(me, &alice, &bob, "old");
    assert_int_equal(remove_user(me, "alice"), KS_OK);
    assert_int_equal(invite(me, CODE, 1, 0, "alice"), KS_OK);
    assert_int_equal(register_invited(me, "alice", OTHER_KEY, CODE, &account), KS_OK);
    assert_memory_equal(&account.id, &alice, sizeof alice);
    assert_account(me, OTHER_KEY, "alice", &alice);
    assert_int_equal(sign_in(me, KEY, NULL), KS_NOT_FOUND);
    assert_files(me, "alice", 0, 0);
    keep_file(me, &alice, "file", "123");
    append(me, &alice, &bob, "new");
    assert_waiting(me, &alice, "new");
    assert_files(me, "alice", 1, 3);
    assert_int_equal(remove_user(me, "alice"), KS_OK); /* as any other */
    assert_int_equal(register_account(me, "alice", KEY, NULL), KS_EXISTS);
}

static void what_came_back_is_there_after_restarts(struct party *me)
{
    struct ks_client_id alice = new_account(me, "alice", KEY);
    assert_int_equal(remove_user(me, "alice"), KS_OK);
    assert_int_equal(invite(me, CODE, 1, 0, "alice"), KS_OK);
    world_reopen(me);
    assert_int_equal(register_account(me, "alice", KEY, NULL), KS_EXISTS);
    while (register_invited(me, "alice", OTHER_KEY, CODE, NULL) == KS_IO)
        usleep(10 * 1000); /* the engine's own second, in which it removes what may be left */
    keep_file(me, &alice, "file", "123");
    append(me, &alice, &alice, "new");
    world_reopen(me);
    pass_time(me, 120);
    assert_account(me, OTHER_KEY, "alice", &alice);
    assert_files(me, "alice", 1, 3);
    assert_waiting(me, &alice, "new");
}

static const struct contract_case cases[] = {
    CASE(whoever_is_adopted_keeps_everything_but_the_classic_ports),
    CASE(adopted_keys_are_void),
    CASE(keys_that_come_behind_an_adoption_are_refused),
    CASE(adopting_again_with_the_same_key_changes_nothing),
    CASE(nobody_adopts_an_account_or_who_is_not_there),
    CASE(nobody_is_adopted_with_the_key_of_another),
    CASE(of_adoptions_at_once_one_wins),
    CASE(questions_see_an_adoption_that_was_asked_for_before),
    CASE_NEEDS(an_adoption_is_there_after_a_restart, CONTRACT_REOPENS),
    CASE_NEEDS(accounts_are_never_dropped_for_want_of_a_public_key, CONTRACT_DROPS_USERS),
    CASE(an_account_is_nobody_on_the_classic_ports_until_it_is_switched_on),
    CASE(switched_on_again_a_classic_id_is_another_one),
    CASE(switched_off_a_classic_id_is_void),
    CASE(who_is_no_account_is_not_switched_on),
    CASE(a_reset_key_of_an_account_is_that_of_the_classic_ports),
    CASE(classic_lists_have_no_accounts_but_those_that_are_switched_on),
    CASE_NEEDS(classic_lists_are_the_same_after_a_restart, CONTRACT_REOPENS),
    CASE(a_list_ends_when_somebody_comes_to_the_classic_ports_or_leaves_them),
    CASE(details_tell_of_an_account),
    CASE(an_invitation_for_a_name_gives_it_to_another_key),
    CASE(an_invitation_for_a_name_is_for_that_name_alone),
    CASE(an_invitation_for_a_name_that_nobody_had_makes_an_account),
    CASE(of_keys_for_one_name_at_once_one_stays),
    CASE(the_name_of_a_removed_account_goes_to_nobody),
    CASE(the_name_of_a_removed_classic_user_is_free),
    CASE(a_removed_account_comes_back_by_an_invitation_for_its_name),
    CASE_NEEDS(what_came_back_is_there_after_restarts, CONTRACT_REOPENS),
};

const struct contract_subject contract_identities = {"identities", cases, KS_COUNT_OF(cases)};
