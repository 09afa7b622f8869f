/* contract_keys.c — public keys, which are set once, and content keys, which come and go. */
#include "unit/store/contract/contract_asking.h"

enum { DAY = 24 * 3600 };

/* ---- public keys ---- */

static void who_has_no_public_key_is_refused_one(struct party *me)
{
    struct ks_client_id id = new_user(me, "bob");
    uint8_t byte = 0;
    assert_int_equal(public_key_of(me, &id, &byte), KS_REFUSED);
}

static void a_public_key_can_be_set_later(struct party *me)
{
    struct ks_client_id id = new_user(me, "bob");
    struct ks_user user;
    uint8_t byte = 0;
    assert_int_equal(set_keys(me, &id, 7, 1), KS_OK);
    assert_int_equal(public_key_of(me, &id, &byte), KS_OK);
    assert_int_equal(byte, 7);
    assert_int_equal(look_up(me, &id, &user), KS_OK);
    assert_true(user.has_public_key);
}

static void the_same_public_key_again_is_welcome(struct party *me)
{
    struct ks_client_id id = new_user(me, "bob");
    uint8_t byte = 0;
    assert_int_equal(set_keys(me, &id, 7, 1), KS_OK);
    assert_int_equal(set_keys(me, &id, 7, 2), KS_OK);
    assert_int_equal(content_key_of(me, &id, &byte), KS_OK);
    assert_int_equal(byte, 2);
}

static void another_public_key_changes_nothing(struct party *me)
{
    struct ks_client_id id = new_user(me, "bob");
    uint8_t byte = 0;
    assert_int_equal(set_keys(me, &id, 7, 1), KS_OK);
    assert_int_equal(set_keys(me, &id, 8, 2), KS_REFUSED);
    assert_int_equal(public_key_of(me, &id, &byte), KS_OK);
    assert_int_equal(byte, 7);
    assert_int_equal(content_key_of(me, &id, &byte), KS_OK);
    assert_int_equal(byte, 1);
}

static void of_two_public_keys_at_once_the_first_is_stored(struct party *me)
{
    struct ks_client_id id = new_user(me, "bob");
    struct ks_store_set_keys requests[2];
    uint8_t byte = 0;
    for (unsigned i = 0; i < 2; i++) {
        requests[i] = (struct ks_store_set_keys){.request = party_request(me),
                                                 .id = id,
                                                 .has_public_key = true,
                                                 .content_key = new_key(me, (uint8_t)(i + 21))};
        memset(requests[i].public_key, (int)i + 1, sizeof requests[i].public_key);
        ks_store_set_keys(me->store, &requests[i]);
    }
    assert_int_equal(party_wait(me, &requests[0].request), KS_OK);
    assert_int_equal(party_wait(me, &requests[1].request), KS_REFUSED);
    assert_int_equal(public_key_of(me, &id, &byte), KS_OK);
    assert_int_equal(byte, 1);
    assert_int_equal(content_key_of(me, &id, &byte), KS_OK);
    assert_int_equal(byte, 21);
    ks_content_key_release(requests[0].content_key);
    ks_content_key_release(requests[1].content_key);
}

static void a_content_key_alone_leaves_the_public_key(struct party *me)
{
    struct ks_client_id id = new_user(me, "bob");
    uint8_t byte = 0;
    assert_int_equal(set_keys(me, &id, 7, 1), KS_OK);
    assert_int_equal(set_keys(me, &id, 0, 2), KS_OK);
    assert_int_equal(public_key_of(me, &id, &byte), KS_OK);
    assert_int_equal(byte, 7);
}

/* ---- the current content key ---- */

static void a_key_that_was_never_issued_is_refused(struct party *me)
{
    struct ks_client_id id = new_user(me, "bob");
    assert_int_equal(content_key_of(me, &id, NULL), KS_REFUSED);
}

static void the_newest_content_key_is_the_current_one(struct party *me)
{
    struct ks_client_id id = new_user(me, "bob");
    uint8_t byte = 0;
    assert_int_equal(set_keys(me, &id, 0, 1), KS_OK);
    assert_int_equal(set_keys(me, &id, 0, 2), KS_OK);
    assert_int_equal(content_key_of(me, &id, &byte), KS_OK);
    assert_int_equal(byte, 2);
}

static void whoever_has_the_current_key_finds_one_count(struct party *me)
{
    struct ks_client_id id = new_user(me, "bob");
    assert_int_equal(set_keys(me, &id, 0, 1), KS_OK);
    struct ks_content_key *one = current_key(me, &id);
    struct ks_content_key *other = current_key(me, &id);
    for (unsigned i = 0; i < KS_CONTENT_KEY_USES; i++)
        assert_true(ks_content_key_count(i % 2 == 0 ? one : other, true));
    assert_false(ks_content_key_count(one, true));
    assert_true(ks_content_key_is_used_up(other));
    ks_content_key_release(one);
    ks_content_key_release(other);
}

static void a_session_keeps_the_key_that_it_holds(struct party *me)
{
    struct ks_client_id id = new_user(me, "bob");
    assert_int_equal(set_keys(me, &id, 0, 1), KS_OK);
    struct ks_content_key *key = current_key(me, &id);
    assert_int_equal(set_keys(me, &id, 0, 2), KS_OK);
    assert_int_equal(key->bytes[0], 1);
    assert_int_equal(remove_user(me, "bob"), KS_OK);
    assert_int_equal(key->bytes[KS_CONTENT_KEY_SIZE - 1], 1);
    ks_content_key_release(key);
}

static enum ks_result drop_key(struct party *me, const struct ks_client_id *id, struct ks_content_key *key,
                               bool only_on_disk)
{
    struct ks_store_drop_content_key request = {
        .request = party_request(me), .id = *id, .content_key = key, .only_on_disk = only_on_disk};
    ks_store_drop_content_key(me->store, &request);
    return party_wait(me, &request.request);
}

static void a_used_up_key_is_given_until_it_is_dropped(struct party *me)
{
    struct ks_client_id id = new_user(me, "bob");
    assert_int_equal(set_keys(me, &id, 0, 1), KS_OK);
    struct ks_content_key *key = current_key(me, &id);
    for (unsigned i = 0; i < KS_CONTENT_KEY_USES; i++)
        assert_true(ks_content_key_count(key, true));
    struct ks_content_key *again = current_key(me, &id);
    assert_true(ks_content_key_is_used_up(again));
    assert_int_equal(drop_key(me, &id, again, false), KS_OK);
    assert_int_equal(content_key_of(me, &id, NULL), KS_REFUSED);
    ks_content_key_release(again);
    ks_content_key_release(key);
}

static void a_day_without_use_ends_a_key(struct party *me)
{
    struct ks_client_id id = new_user(me, "bob");
    assert_int_equal(set_keys(me, &id, 0, 1), KS_OK);
    pass_time(me, DAY - 1);
    assert_int_equal(content_key_of(me, &id, NULL), KS_OK);
    pass_time(me, DAY + 1);
    assert_int_equal(content_key_of(me, &id, NULL), KS_REFUSED);
}

static void a_use_lets_the_day_begin_anew(struct party *me)
{
    struct ks_client_id id = new_user(me, "bob");
    assert_int_equal(set_keys(me, &id, 0, 1), KS_OK);
    for (unsigned i = 0; i < 3; i++) {
        pass_time(me, DAY - 1);
        assert_int_equal(content_key_of(me, &id, NULL), KS_OK);
    }
}

static void a_content_key_is_there_after_a_restart(struct party *me)
{
    struct ks_client_id id = new_user(me, "bob");
    uint8_t byte = 0;
    assert_int_equal(set_keys(me, &id, 7, 1), KS_OK);
    world_reopen(me);
    assert_int_equal(content_key_of(me, &id, &byte), KS_OK);
    assert_int_equal(byte, 1);
}

static void a_restart_revives_no_key_of_yesterday(struct party *me)
{
    struct ks_client_id id = new_user(me, "bob");
    assert_int_equal(set_keys(me, &id, 7, 1), KS_OK);
    pass_time(me, DAY + 1);
    world_reopen(me);
    assert_int_equal(content_key_of(me, &id, NULL), KS_REFUSED);
}

/* ---- dropping ---- */

static void nobody_has_a_key_to_be_dropped(struct party *me)
{
    struct ks_client_id id = new_user(me, "bob");
    struct ks_content_key *key = new_key(me, 1);
    assert_int_equal(drop_key(me, &id, key, false), KS_OK);
    id.bytes[2] ^= 1;
    assert_int_equal(drop_key(me, &id, key, false), KS_OK);
    ks_content_key_release(key);
}

static void a_dropped_key_is_gone(struct party *me)
{
    struct ks_client_id id = new_user(me, "bob");
    assert_int_equal(set_keys(me, &id, 0, 1), KS_OK);
    struct ks_content_key *key = current_key(me, &id);
    assert_int_equal(drop_key(me, &id, key, false), KS_OK);
    ks_content_key_release(key);
    assert_int_equal(content_key_of(me, &id, NULL), KS_REFUSED);
}

static void a_dropped_key_is_gone_after_a_restart(struct party *me)
{
    struct ks_client_id id = new_user(me, "bob");
    assert_int_equal(set_keys(me, &id, 7, 1), KS_OK);
    struct ks_content_key *key = current_key(me, &id);
    assert_int_equal(drop_key(me, &id, key, false), KS_OK);
    ks_content_key_release(key);
    world_reopen(me);
    assert_int_equal(content_key_of(me, &id, NULL), KS_REFUSED);
}

static void a_key_is_dropped_by_its_bytes(struct party *me)
{
    struct ks_client_id id = new_user(me, "bob");
    struct ks_content_key *same = new_key(me, 1);
    assert_int_equal(set_keys(me, &id, 0, 1), KS_OK);
    assert_int_equal(drop_key(me, &id, same, false), KS_OK);
    ks_content_key_release(same);
    assert_int_equal(content_key_of(me, &id, NULL), KS_REFUSED);
}

static void dropping_an_older_key_leaves_the_current_one(struct party *me)
{
    struct ks_client_id id = new_user(me, "bob");
    uint8_t byte = 0;
    assert_int_equal(set_keys(me, &id, 0, 1), KS_OK);
    struct ks_content_key *key = current_key(me, &id);
    assert_int_equal(set_keys(me, &id, 0, 2), KS_OK);
    assert_int_equal(drop_key(me, &id, key, false), KS_OK);
    ks_content_key_release(key);
    assert_int_equal(content_key_of(me, &id, &byte), KS_OK);
    assert_int_equal(byte, 2);
}

static void a_key_that_is_dropped_only_on_disk_serves_until_the_restart(struct party *me)
{
    struct ks_client_id id = new_user(me, "bob");
    uint8_t byte = 0;
    assert_int_equal(set_keys(me, &id, 7, 1), KS_OK);
    struct ks_content_key *key = current_key(me, &id);
    assert_int_equal(drop_key(me, &id, key, true), KS_OK);
    ks_content_key_release(key);
    assert_int_equal(content_key_of(me, &id, &byte), KS_OK);
    assert_int_equal(byte, 1);
    world_reopen(me);
    assert_int_equal(content_key_of(me, &id, NULL), KS_REFUSED);
}

static void the_next_key_after_one_dropped_on_disk_is_kept(struct party *me)
{
    struct ks_client_id id = new_user(me, "bob");
    uint8_t byte = 0;
    assert_int_equal(set_keys(me, &id, 7, 1), KS_OK);
    struct ks_content_key *key = current_key(me, &id);
    assert_int_equal(drop_key(me, &id, key, true), KS_OK);
    ks_content_key_release(key);
    assert_int_equal(set_keys(me, &id, 0, 2), KS_OK);
    world_reopen(me);
    assert_int_equal(content_key_of(me, &id, &byte), KS_OK);
    assert_int_equal(byte, 2);
}

/* ---- what is counted for a key ---- */

static void a_new_key_has_what_it_was_given(struct party *me)
{
    struct ks_content_key *key = new_key(me, 9);
    assert_int_equal(key->bytes[0], 9);
    assert_int_equal(key->bytes[KS_CONTENT_KEY_SIZE - 1], 9);
    assert_false(ks_content_key_is_used_up(key));
    assert_ptr_equal(ks_content_key_retain(key), key);
    ks_content_key_release(key);
    assert_int_equal(key->bytes[0], 9);
    ks_content_key_release(key);
    ks_content_key_release(NULL);
}

static void a_confirmation_allows_as_many_contents_again(struct party *me)
{
    struct ks_content_key *key = new_key(me, 1);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < KS_CONTENT_KEY_USES; i++)
            assert_true(ks_content_key_count(key, true));
        assert_true(ks_content_key_is_used_up(key));
        ks_content_key_confirmed(key);
        assert_false(ks_content_key_is_used_up(key));
    }
    ks_content_key_release(key);
}

static void of_wrong_paddings_so_many_are_answered_whatever_is_confirmed(struct party *me)
{
    struct ks_content_key *key = new_key(me, 1);
    for (unsigned i = 0; i < KS_CONTENT_KEY_WRONG_PADDINGS; i++) {
        assert_true(ks_content_key_count(key, false));
        ks_content_key_confirmed(key);
    }
    assert_false(ks_content_key_is_used_up(key));
    assert_false(ks_content_key_count(key, false));
    assert_true(ks_content_key_is_used_up(key));
    ks_content_key_release(key);
}

static void a_key_that_is_gone_stays_gone(struct party *me)
{
    struct ks_content_key *key = new_key(me, 1);
    for (unsigned i = 0; i < KS_CONTENT_KEY_USES; i++)
        assert_true(ks_content_key_count(key, true));
    assert_false(ks_content_key_count(key, true));
    ks_content_key_confirmed(key);
    assert_true(ks_content_key_is_used_up(key));
    assert_false(ks_content_key_count(key, true));
    ks_content_key_release(key);
}

static const struct contract_case cases[] = {
    CASE(who_has_no_public_key_is_refused_one),
    CASE(a_public_key_can_be_set_later),
    CASE(the_same_public_key_again_is_welcome),
    CASE(another_public_key_changes_nothing),
    CASE(of_two_public_keys_at_once_the_first_is_stored),
    CASE(a_content_key_alone_leaves_the_public_key),
    CASE(a_key_that_was_never_issued_is_refused),
    CASE(the_newest_content_key_is_the_current_one),
    CASE(whoever_has_the_current_key_finds_one_count),
    CASE(a_session_keeps_the_key_that_it_holds),
    CASE(a_used_up_key_is_given_until_it_is_dropped),
    CASE(a_day_without_use_ends_a_key),
    CASE(a_use_lets_the_day_begin_anew),
    CASE_NEEDS(a_content_key_is_there_after_a_restart, CONTRACT_REOPENS),
    CASE_NEEDS(a_restart_revives_no_key_of_yesterday, CONTRACT_REOPENS),
    CASE(nobody_has_a_key_to_be_dropped),
    CASE(a_dropped_key_is_gone),
    CASE_NEEDS(a_dropped_key_is_gone_after_a_restart, CONTRACT_REOPENS),
    CASE(a_key_is_dropped_by_its_bytes),
    CASE(dropping_an_older_key_leaves_the_current_one),
    CASE_NEEDS(a_key_that_is_dropped_only_on_disk_serves_until_the_restart, CONTRACT_REOPENS),
    CASE_NEEDS(the_next_key_after_one_dropped_on_disk_is_kept, CONTRACT_REOPENS),
    CASE(a_new_key_has_what_it_was_given),
    CASE(a_confirmation_allows_as_many_contents_again),
    CASE(of_wrong_paddings_so_many_are_answered_whatever_is_confirmed),
    CASE(a_key_that_is_gone_stays_gone),
};

const struct contract_subject contract_keys = {"keys", cases, KS_COUNT_OF(cases)};
