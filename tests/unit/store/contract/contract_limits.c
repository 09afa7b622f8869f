/* contract_limits.c — how much is stored for whom, and what is told at a limit (store/limits.h). */
#include "unit/store/contract/contract_asking.h"

struct three {
    struct ks_client_id alice;
    struct ks_client_id bob;
    struct ks_client_id carol;
};

static struct three three_users(struct party *me)
{
    return (struct three){
        .alice = new_user(me, "alice"), .bob = new_user(me, "bob"), .carol = new_user(me, "carol")};
}

static void limit_to(_Atomic uint64_t *limit, uint64_t value)
{
    atomic_store(limit, value);
}

static void take_all(struct party *me, const struct ks_client_id *receiver)
{
    struct ks_store_lease_waiting part = lease(me, receiver, 7);
    assert_true(part.count > 0);
    assert_int_equal(deliver(me, receiver, 7, part.last), KS_OK);
}

/* Refused, and for this. */
static void assert_refused(struct party *me, const struct ks_client_id *receiver,
                           const struct ks_client_id *sender, const char *text, enum ks_store_limit expected)
{
    enum ks_store_limit limit = KS_STORE_LIMIT_NONE;
    assert_int_equal(try_append(me, receiver, sender, text, &limit), KS_REFUSED);
    assert_int_equal(limit, expected);
}

/* How many messages of `sender` are taken in a row. */
static unsigned takes(struct party *me, const struct ks_client_id *receiver,
                      const struct ks_client_id *sender, const char *text)
{
    unsigned count = 0;
    while (try_append(me, receiver, sender, text, NULL) == KS_OK)
        count++;
    return count;
}

/* ---- what waits for a receiver ---- */

static void without_limits_nothing_is_refused(struct party *me)
{
    struct three users = three_users(me);
    for (unsigned i = 0; i < 30; i++)
        append(me, &users.bob, &users.alice, "text");
    assert_int_equal(try_to_open(me, &users.alice, "file", UINT32_MAX, NULL), KS_OK);
}

static void a_message_too_many_is_refused(struct party *me)
{
    struct three users = three_users(me);
    limit_to(&me->world->limits.waiting_messages, 2);
    append(me, &users.bob, &users.alice, "one");
    append(me, &users.bob, &users.carol, "two");
    assert_refused(me, &users.bob, &users.bob, "three", KS_STORE_LIMIT_WAITING_MESSAGES);
    assert_waiting(me, &users.bob, "one two");
    append(me, &users.alice, &users.bob, "another's inbox");
}

static void bytes_too_many_are_refused(struct party *me)
{
    struct three users = three_users(me);
    limit_to(&me->world->limits.waiting_bytes, 10);
    assert_refused(me, &users.bob, &users.alice, "eleven byte", KS_STORE_LIMIT_WAITING_BYTES);
    append(me, &users.bob, &users.alice, "five.");
    append(me, &users.bob, &users.carol, "four");
    assert_refused(me, &users.bob, &users.bob, "1 ", KS_STORE_LIMIT_WAITING_BYTES);
    append(me, &users.bob, &users.bob, "1");
    assert_waiting(me, &users.bob, "five. four 1");
}

static void what_the_receiver_takes_makes_room(struct party *me)
{
    struct three users = three_users(me);
    limit_to(&me->world->limits.waiting_messages, 1);
    append(me, &users.bob, &users.alice, "one");
    assert_refused(me, &users.bob, &users.alice, "two", KS_STORE_LIMIT_WAITING_MESSAGES);
    take_all(me, &users.bob);
    append(me, &users.bob, &users.alice, "two");
}

static void what_is_leased_counts(struct party *me)
{
    struct three users = three_users(me);
    limit_to(&me->world->limits.waiting_messages, 1);
    append(me, &users.bob, &users.alice, "one");
    assert_int_equal(lease(me, &users.bob, 7).count, 1);
    assert_refused(me, &users.bob, &users.alice, "two", KS_STORE_LIMIT_WAITING_MESSAGES);
}

static void what_settles_counts_against_no_limit_and_comes_back_over_it(struct party *me)
{
    struct three users = three_users(me);
    limit_to(&me->world->limits.waiting_messages, 1);
    append(me, &users.bob, &users.alice, "one");
    assert_int_equal(settle(me, &users.bob, 7, lease(me, &users.bob, 7).last), KS_OK);
    append(me, &users.bob, &users.alice, "two");
    ks_store_lease_release(me->store, &users.bob, 7);
    assert_waiting(me, &users.bob, "one two");
    assert_refused(me, &users.bob, &users.alice, "three", KS_STORE_LIMIT_WAITING_MESSAGES);
}

static void what_was_asked_for_before_counts_though_it_is_not_answered(struct party *me)
{
    struct three users = three_users(me);
    struct ks_store_append_message requests[6];
    limit_to(&me->world->limits.waiting_messages, 6);
    for (unsigned i = 0; i < KS_COUNT_OF(requests); i++) {
        requests[i] = append_request(me, &users.bob, &users.alice, "x");
        ks_store_append_message(me->store, &requests[i]);
    }
    for (unsigned i = 0; i < KS_COUNT_OF(requests); i++)
        assert_int_equal(party_wait(me, &requests[i].request), i < 3 ? KS_OK : KS_REFUSED);
    assert_waiting(me, &users.bob, "x x x");
}

static void a_large_message_is_refused_likewise(struct party *me)
{
    struct three users = three_users(me);
    enum ks_store_limit limit = KS_STORE_LIMIT_NONE;
    limit_to(&me->world->limits.waiting_bytes, 6);
    struct ks_stage *fits = stage_message(me, &users.alice, "six   ");
    struct ks_stage *passes = stage_message(me, &users.carol, "1");
    assert_int_equal(append_stage(me, &users.bob, &users.alice, fits, 6, NULL), KS_OK);
    assert_int_equal(append_stage(me, &users.bob, &users.carol, passes, 1, &limit), KS_REFUSED);
    assert_int_equal(limit, KS_STORE_LIMIT_WAITING_BYTES);
    assert_waiting(me, &users.bob, "six   ");
}

static void a_lower_limit_takes_no_message_away(struct party *me)
{
    struct three users = three_users(me);
    append(me, &users.bob, &users.alice, "one");
    append(me, &users.bob, &users.alice, "two");
    limit_to(&me->world->limits.waiting_messages, 1);
    assert_refused(me, &users.bob, &users.alice, "three", KS_STORE_LIMIT_WAITING_MESSAGES);
    assert_waiting(me, &users.bob, "one two");
}

static void what_waited_before_a_restart_counts(struct party *me)
{
    struct three users = three_users(me);
    limit_to(&me->world->limits.waiting_messages, 1);
    append(me, &users.bob, &users.alice, "one");
    world_reopen(me);
    assert_refused(me, &users.bob, &users.carol, "two", KS_STORE_LIMIT_WAITING_MESSAGES);
}

/* ---- shares ---- */

static void one_sender_fills_half_and_what_is_left_is_for_others(struct party *me)
{
    struct three users = three_users(me);
    limit_to(&me->world->limits.waiting_messages, 10);
    assert_int_equal(takes(me, &users.bob, &users.alice, "flood"), 5);
    assert_int_equal(takes(me, &users.bob, &users.carol, "many"), 3);
    assert_refused(me, &users.bob, &users.alice, "flood", KS_STORE_LIMIT_SHARE_OF_MESSAGES);
    append(me, &users.bob, &users.bob, "who had nothing gets in");
    assert_int_equal(takes(me, &users.alice, &users.bob, "another's inbox"), 5);
}

static void bytes_are_shared_likewise(struct party *me)
{
    struct three users = three_users(me);
    limit_to(&me->world->limits.waiting_bytes, 100);
    assert_int_equal(takes(me, &users.bob, &users.alice, "ten bytes."), 5);
    assert_refused(me, &users.bob, &users.alice, "ten bytes.", KS_STORE_LIMIT_SHARE_OF_BYTES);
    assert_int_equal(takes(me, &users.bob, &users.carol, "ten bytes."), 3);
}

static void what_is_taken_makes_room_for_its_sender(struct party *me)
{
    struct three users = three_users(me);
    limit_to(&me->world->limits.waiting_messages, 10);
    assert_int_equal(takes(me, &users.bob, &users.alice, "flood"), 5);
    struct ks_store_lease_waiting part = lease(me, &users.bob, 7);
    assert_int_equal(takes(me, &users.bob, &users.carol, "meanwhile"), 3);
    assert_int_equal(deliver(me, &users.bob, 7, part.last), KS_OK);
    assert_int_equal(takes(me, &users.bob, &users.alice, "again"), 4);
}

static void shares_are_what_waited_before_a_restart(struct party *me)
{
    struct three users = three_users(me);
    for (unsigned i = 0; i < 6; i++)
        append(me, &users.bob, &users.alice, "before");
    append(me, &users.bob, &users.carol, "before");
    world_reopen(me);
    limit_to(&me->world->limits.waiting_messages, 10);
    assert_int_equal(takes(me, &users.bob, &users.alice, "flood"), 0);
    assert_int_equal(takes(me, &users.bob, &users.carol, "more"), 1);
}

/* ---- what a user keeps ---- */

static void a_file_too_many_is_refused_before_its_content(struct party *me)
{
    struct three users = three_users(me);
    enum ks_store_limit limit = KS_STORE_LIMIT_NONE;
    limit_to(&me->world->limits.user_files, 2);
    keep_file(me, &users.alice, "one", "1");
    keep_file(me, &users.alice, "two", "2");
    assert_int_equal(try_to_open(me, &users.alice, "three", 1, &limit), KS_REFUSED);
    assert_int_equal(limit, KS_STORE_LIMIT_USER_FILES);
    keep_file(me, &users.bob, "three", "3");
}

static void a_file_that_replaces_another_is_not_one_too_many(struct party *me)
{
    struct three users = three_users(me);
    limit_to(&me->world->limits.user_files, 1);
    keep_file(me, &users.alice, "one", "1");
    keep_file(me, &users.alice, "folder/one", "another");
    assert_files(me, "alice", 1, 7);
}

static void bytes_too_many_are_refused_before_they_come(struct party *me)
{
    struct three users = three_users(me);
    enum ks_store_limit limit = KS_STORE_LIMIT_NONE;
    limit_to(&me->world->limits.user_bytes, 10);
    keep_file(me, &users.alice, "six", "123456");
    assert_int_equal(try_to_open(me, &users.alice, "other", 5, &limit), KS_REFUSED);
    assert_int_equal(limit, KS_STORE_LIMIT_USER_BYTES);
    assert_int_equal(try_to_open(me, &users.alice, "other", 4, NULL), KS_OK);
}

static void of_a_replacement_the_difference_counts(struct party *me)
{
    struct three users = three_users(me);
    limit_to(&me->world->limits.user_bytes, 10);
    keep_file(me, &users.alice, "six", "123456");
    assert_int_equal(try_to_open(me, &users.alice, "six", 11, NULL), KS_REFUSED);
    assert_int_equal(try_to_open(me, &users.alice, "six", 10, NULL), KS_OK);
}

static void a_refused_confirmation_leaves_the_older_file(struct party *me)
{
    struct three users = three_users(me);
    enum ks_store_limit limit = KS_STORE_LIMIT_NONE;
    limit_to(&me->world->limits.user_bytes, 8);
    keep_file(me, &users.alice, "name", "12345");
    struct ks_stage *stage = stage_file(me, &users.alice, "name", "123456789"); /* that nobody declared */
    assert_int_equal(confirm(me, stage, &limit), KS_REFUSED);
    assert_int_equal(limit, KS_STORE_LIMIT_USER_BYTES);
    assert_files(me, "alice", 1, 5);
    keep_file(me, &users.alice, "name", "12345678");
}

static void of_several_stages_only_those_that_fit_are_confirmed(struct party *me)
{
    struct three users = three_users(me);
    struct ks_store_confirm requests[4];
    unsigned confirmed = 0;
    limit_to(&me->world->limits.user_files, 2);
    for (unsigned i = 0; i < KS_COUNT_OF(requests); i++) {
        char name[32];
        snprintf(name, sizeof name, "file %u", i);
        requests[i].stage = stage_file(me, &users.alice, name, "1");
    }
    for (unsigned i = 0; i < KS_COUNT_OF(requests); i++) {
        requests[i] = (struct ks_store_confirm){.request = party_request(me), .stage = requests[i].stage};
        ks_store_confirm(me->store, &requests[i]);
    }
    for (unsigned i = 0; i < KS_COUNT_OF(requests); i++) {
        enum ks_result result = party_wait(me, &requests[i].request);
        confirmed += result == KS_OK ? 1 : 0;
        assert_true(result == KS_OK || requests[i].limit == KS_STORE_LIMIT_USER_FILES);
    }
    assert_int_equal(confirmed, 2);
    assert_files(me, "alice", 2, 2);
}

static void over_a_limit_that_was_lowered_a_file_may_become_smaller(struct party *me)
{
    struct three users = three_users(me);
    keep_file(me, &users.alice, "one", "1234567890");
    keep_file(me, &users.alice, "two", "1234567890");
    limit_to(&me->world->limits.user_bytes, 5);
    limit_to(&me->world->limits.user_files, 1);
    assert_files(me, "alice", 2, 20);
    assert_int_equal(try_to_open(me, &users.alice, "two", 11, NULL), KS_REFUSED);
    keep_file(me, &users.alice, "two", "123456789");
    assert_files(me, "alice", 2, 19);
}

static void contents_of_messages_are_no_files(struct party *me)
{
    struct three users = three_users(me);
    limit_to(&me->world->limits.user_files, 1);
    limit_to(&me->world->limits.user_bytes, 1);
    struct ks_stage *stage = stage_message(me, &users.alice, "a large one");
    assert_int_equal(append_stage(me, &users.bob, &users.alice, stage, 11, NULL), KS_OK);
    assert_files(me, "alice", 0, 0);
}

/* ---- room ---- */

static void without_free_space_uploads_and_messages_are_refused(struct party *me)
{
    struct three users = three_users(me);
    enum ks_store_limit limit = KS_STORE_LIMIT_NONE;
    limit_to(&me->world->limits.free_space, UINT64_MAX - 1);
    assert_int_equal(try_to_open(me, &users.alice, "file", 1, &limit), KS_NO_SPACE);
    assert_int_equal(limit, KS_STORE_LIMIT_FREE_SPACE);
    limit = KS_STORE_LIMIT_NONE;
    assert_int_equal(try_append(me, &users.bob, &users.alice, "text", &limit), KS_NO_SPACE);
    assert_int_equal(limit, KS_STORE_LIMIT_FREE_SPACE);
    limit_to(&me->world->limits.free_space, 0);
    append(me, &users.bob, &users.alice, "text");
}

static const struct contract_case cases[] = {
    CASE(without_limits_nothing_is_refused),
    CASE_NEEDS(a_message_too_many_is_refused, CONTRACT_LIMITS),
    CASE_NEEDS(bytes_too_many_are_refused, CONTRACT_LIMITS),
    CASE_NEEDS(what_the_receiver_takes_makes_room, CONTRACT_LIMITS),
    CASE_NEEDS(what_is_leased_counts, CONTRACT_LIMITS),
    CASE_NEEDS(what_settles_counts_against_no_limit_and_comes_back_over_it, CONTRACT_LIMITS),
    CASE_NEEDS(what_was_asked_for_before_counts_though_it_is_not_answered, CONTRACT_LIMITS),
    CASE_NEEDS(a_large_message_is_refused_likewise, CONTRACT_LIMITS),
    CASE_NEEDS(a_lower_limit_takes_no_message_away, CONTRACT_LIMITS),
    CASE_NEEDS(what_waited_before_a_restart_counts, CONTRACT_LIMITS | CONTRACT_REOPENS),
    CASE_NEEDS(one_sender_fills_half_and_what_is_left_is_for_others, CONTRACT_LIMITS),
    CASE_NEEDS(bytes_are_shared_likewise, CONTRACT_LIMITS),
    CASE_NEEDS(what_is_taken_makes_room_for_its_sender, CONTRACT_LIMITS),
    CASE_NEEDS(shares_are_what_waited_before_a_restart, CONTRACT_LIMITS | CONTRACT_REOPENS),
    CASE_NEEDS(a_file_too_many_is_refused_before_its_content, CONTRACT_LIMITS),
    CASE_NEEDS(a_file_that_replaces_another_is_not_one_too_many, CONTRACT_LIMITS),
    CASE_NEEDS(bytes_too_many_are_refused_before_they_come, CONTRACT_LIMITS),
    CASE_NEEDS(of_a_replacement_the_difference_counts, CONTRACT_LIMITS),
    CASE_NEEDS(a_refused_confirmation_leaves_the_older_file, CONTRACT_LIMITS),
    CASE_NEEDS(of_several_stages_only_those_that_fit_are_confirmed, CONTRACT_LIMITS),
    CASE_NEEDS(over_a_limit_that_was_lowered_a_file_may_become_smaller, CONTRACT_LIMITS),
    CASE_NEEDS(contents_of_messages_are_no_files, CONTRACT_LIMITS),
    CASE_NEEDS(without_free_space_uploads_and_messages_are_refused, CONTRACT_LIMITS),
};

const struct contract_subject contract_limits = {"limits", cases, KS_COUNT_OF(cases)};
