/* contract_leases.c — who has which part of what waits, and for how long. */
#include "unit/store/contract/contract_asking.h"

static uint64_t send(struct party *me, const struct ks_client_id *bob, const char *text)
{
    return append(me, bob, bob, text);
}

/* ---- parts ---- */

static void where_nothing_waits_nothing_is_leased(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    struct ks_store_lease_waiting part = lease(me, &bob, 7);
    assert_int_equal(part.count, 0);
    assert_false(part.more);
}

static void a_part_tells_its_count_its_size_and_its_range(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    uint64_t first = send(me, &bob, "one");
    uint64_t last = send(me, &bob, "three");
    struct ks_store_lease_waiting part = lease(me, &bob, 7);
    assert_int_equal(part.count, 2);
    assert_int_equal(part.size, 2 * HEAD_SIZE + 8);
    assert_true(part.after < first);
    assert_int_equal(part.last, last);
}

static void a_part_is_what_fits_the_limit(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    uint64_t ids[5];
    uint64_t each = HEAD_SIZE + 10;
    for (unsigned i = 0; i < KS_COUNT_OF(ids); i++)
        ids[i] = send(me, &bob, "0123456789");
    struct ks_store_lease_waiting part = lease_within(me, &bob, 7, 2 * each);
    assert_int_equal(part.count, 2);
    assert_int_equal(part.size, 2 * each);
    assert_int_equal(part.last, ids[1]);
    part = lease_within(me, &bob, 7, 3 * each - 1);
    assert_int_equal(part.count, 2);
    assert_true(part.after >= ids[1] && part.after < ids[2]);
    assert_int_equal(part.last, ids[3]);
}

static void a_part_has_at_least_one_message(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "small");
    send(me, &bob, "a much larger message than the others");
    send(me, &bob, "tiny");
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(lease_within(me, &bob, 7, i).count, 1);
    assert_int_equal(lease(me, &bob, 7).count, 0);
}

static void more_says_whether_others_wait_behind_a_part(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    send(me, &bob, "two");
    assert_true(lease_within(me, &bob, 7, 1).more);
    assert_false(lease_within(me, &bob, 7, 1).more);
}

static void an_owner_may_lease_the_next_part_behind_the_ones_it_has(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    struct ks_store_lease_waiting first = lease(me, &bob, 7);
    send(me, &bob, "two");
    send(me, &bob, "three");
    struct ks_store_lease_waiting second = lease(me, &bob, 7);
    assert_int_equal(lease(me, &bob, 7).count, 0);
    assert_true(second.after >= first.last);
    /* They are read in any order. */
    assert_part(me, &bob, &second, "two three");
    assert_part(me, &bob, &first, "one");
}

static void a_part_may_be_read_again(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    struct ks_store_lease_waiting part = lease(me, &bob, 7);
    assert_part(me, &bob, &part, "one");
    assert_part(me, &bob, &part, "one");
}

static void what_comes_later_is_not_in_the_part(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    struct ks_store_lease_waiting part = lease(me, &bob, 7);
    send(me, &bob, "two");
    assert_part(me, &bob, &part, "one");
}

/* ---- owners ---- */

static void another_owner_gets_nothing_of_what_is_leased(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    assert_int_equal(lease(me, &bob, 7).count, 1);
    send(me, &bob, "two");
    assert_int_equal(lease(me, &bob, 8).count, 0);
}

static void only_its_owner_reads_and_settles_a_part(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    struct ks_store_lease_waiting part = lease(me, &bob, 7);
    struct ks_store_lease_waiting others = part;
    others.owner = 8;
    assert_int_equal(try_to_read(me, &bob, &others), KS_NOT_FOUND);
    assert_int_equal(settle(me, &bob, 8, part.last), KS_NOT_FOUND);
    ks_store_lease_release(me->store, &bob, 8);
    assert_int_equal(try_to_read(me, &bob, &part), KS_OK);
}

static void a_part_is_known_by_its_last_message(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    struct ks_store_lease_waiting part = lease(me, &bob, 7);
    struct ks_store_lease_waiting other = part;
    other.last++;
    assert_int_equal(try_to_read(me, &bob, &other), KS_NOT_FOUND);
    assert_int_equal(settle(me, &bob, 7, other.last), KS_NOT_FOUND);
    assert_int_equal(settle(me, &bob, 7, part.last), KS_OK);
}

static void leases_of_two_receivers_are_apart(struct party *me)
{
    struct ks_client_id alice = new_user(me, "alice");
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &alice, "hers");
    send(me, &bob, "his");
    struct ks_store_lease_waiting hers = lease(me, &alice, 7);
    struct ks_store_lease_waiting his = lease(me, &bob, 8);
    assert_part(me, &alice, &hers, "hers");
    assert_part(me, &bob, &his, "his");
    ks_store_lease_release(me->store, &alice, 8);
    assert_part(me, &alice, &hers, "hers");
}

/* ---- time ---- */

static void a_lease_without_progress_is_taken_over(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    struct ks_store_lease_waiting part = lease(me, &bob, 7);
    pass_time(me, LEASE_SECONDS - 1);
    assert_int_equal(lease(me, &bob, 8).count, 0);
    pass_time(me, 1);
    struct ks_store_lease_waiting taken = lease(me, &bob, 8);
    assert_int_equal(taken.count, 1);
    assert_int_equal(taken.last, part.last);
    assert_part(me, &bob, &taken, "one");
}

static void who_lost_its_lease_can_do_nothing_to_it(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    struct ks_store_lease_waiting part = lease(me, &bob, 7);
    pass_time(me, LEASE_SECONDS);
    struct ks_store_lease_waiting taken = lease(me, &bob, 8);
    assert_int_equal(try_to_read(me, &bob, &part), KS_NOT_FOUND);
    assert_int_equal(settle(me, &bob, 7, part.last), KS_NOT_FOUND);
    assert_int_equal(say_delivered(me, &bob, 7, part.last), KS_NOT_FOUND);
    ks_store_lease_renew(me->store, &bob, 7);
    ks_store_lease_release(me->store, &bob, 7);
    assert_int_equal(lease(me, &bob, 7).count, 0);
    assert_part(me, &bob, &taken, "one");
}

static void a_lease_holds_until_it_is_taken_over(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    struct ks_store_lease_waiting part = lease(me, &bob, 7);
    pass_time(me, (uint64_t)10 * LEASE_SECONDS);
    assert_part(me, &bob, &part, "one");
    pass_time(me, (uint64_t)10 * LEASE_SECONDS);
    assert_int_equal(deliver(me, &bob, 7, part.last), KS_OK);
    assert_waiting(me, &bob, "");
}

/* A lease that was about to lapse, after some progress. */
static void assert_kept(struct party *me, const struct ks_client_id *bob)
{
    pass_time(me, LEASE_SECONDS - 1);
    assert_int_equal(lease(me, bob, 8).count, 0);
    pass_time(me, 1);
    assert_true(lease(me, bob, 8).count > 0);
}

static void a_renewal_is_progress(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    assert_int_equal(lease(me, &bob, 7).count, 1);
    pass_time(me, LEASE_SECONDS - 1);
    ks_store_lease_renew(me->store, &bob, 7);
    assert_kept(me, &bob);
}

static void reading_is_progress(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    struct ks_store_lease_waiting part = lease(me, &bob, 7);
    pass_time(me, LEASE_SECONDS - 1);
    assert_int_equal(try_to_read(me, &bob, &part), KS_OK);
    assert_kept(me, &bob);
}

static void leasing_more_is_progress(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    assert_int_equal(lease(me, &bob, 7).count, 1);
    pass_time(me, LEASE_SECONDS - 1);
    send(me, &bob, "two");
    assert_int_equal(lease(me, &bob, 7).count, 1);
    assert_kept(me, &bob);
}

static void a_renewal_of_nobody_is_ignored(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    ks_store_lease_renew(me->store, &bob, 7);
    send(me, &bob, "one");
    assert_int_equal(lease(me, &bob, 7).count, 1);
    pass_time(me, LEASE_SECONDS - 1);
    ks_store_lease_renew(me->store, &bob, 9);
    pass_time(me, 1);
    assert_int_equal(lease(me, &bob, 8).count, 1);
}

/* ---- giving back ---- */

static void what_was_released_waits_again_in_order(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    struct ks_store_lease_waiting first = lease(me, &bob, 7);
    send(me, &bob, "two");
    struct ks_store_lease_waiting second = lease(me, &bob, 7);
    send(me, &bob, "three");
    ks_store_lease_release(me->store, &bob, 7);
    assert_int_equal(try_to_read(me, &bob, &first), KS_NOT_FOUND);
    assert_int_equal(try_to_read(me, &bob, &second), KS_NOT_FOUND);
    assert_int_equal(settle(me, &bob, 7, first.last), KS_NOT_FOUND);
    assert_waiting(me, &bob, "one two three");
}

static void a_release_of_nobody_is_ignored(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    struct ks_client_id nobody = {{0}};
    send(me, &bob, "one");
    ks_store_lease_release(me->store, &bob, 7);
    ks_store_lease_release(me->store, &nobody, 7);
    assert_waiting(me, &bob, "one");
}

static void a_read_that_loses_its_lease_on_the_way_is_answered(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    uint8_t bytes[1024];
    send(me, &bob, "one");
    struct ks_store_lease_waiting part = lease(me, &bob, 7);
    struct ks_store_lease_read request = read_request(&bob, &part, bytes, sizeof bytes);
    request.request = party_request(me);
    ks_store_lease_read(me->store, &request);
    ks_store_lease_release(me->store, &bob, 7);
    enum ks_result result = party_wait(me, &request.request);
    assert_true(result == KS_OK || result == KS_NOT_FOUND);
    assert_waiting(me, &bob, "one");
}

static void what_was_leased_waits_after_a_restart(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    send(me, &bob, "two");
    assert_int_equal(lease(me, &bob, 7).count, 2);
    world_reopen(me);
    assert_waiting(me, &bob, "one two");
}

static const struct contract_case cases[] = {
    CASE(where_nothing_waits_nothing_is_leased),
    CASE(a_part_tells_its_count_its_size_and_its_range),
    CASE(a_part_is_what_fits_the_limit),
    CASE(a_part_has_at_least_one_message),
    CASE(more_says_whether_others_wait_behind_a_part),
    CASE(an_owner_may_lease_the_next_part_behind_the_ones_it_has),
    CASE(a_part_may_be_read_again),
    CASE(what_comes_later_is_not_in_the_part),
    CASE(another_owner_gets_nothing_of_what_is_leased),
    CASE(only_its_owner_reads_and_settles_a_part),
    CASE(a_part_is_known_by_its_last_message),
    CASE(leases_of_two_receivers_are_apart),
    CASE(a_lease_without_progress_is_taken_over),
    CASE(who_lost_its_lease_can_do_nothing_to_it),
    CASE(a_lease_holds_until_it_is_taken_over),
    CASE(a_renewal_is_progress),
    CASE(reading_is_progress),
    CASE(leasing_more_is_progress),
    CASE(a_renewal_of_nobody_is_ignored),
    CASE(what_was_released_waits_again_in_order),
    CASE(a_release_of_nobody_is_ignored),
    CASE(a_read_that_loses_its_lease_on_the_way_is_answered),
    CASE_NEEDS(what_was_leased_waits_after_a_restart, CONTRACT_REOPENS),
};

const struct contract_subject contract_leases = {"leases", cases, KS_COUNT_OF(cases)};
