/* contract_settling.c — parts that settle: what others see of them, and how they end. */
#include "unit/store/contract/contract_asking.h"

#include <sched.h>

static uint64_t send(struct party *me, const struct ks_client_id *bob, const char *text)
{
    return append(me, bob, bob, text);
}

static void assert_sums(struct party *me, uint64_t messages, uint64_t bytes)
{
    struct ks_user_details details;
    assert_int_equal(describe(me, "bob", &details, NULL), KS_OK);
    assert_int_equal(details.messages, messages);
    assert_int_equal(details.message_bytes, bytes);
}

/* ---- settling ---- */

static void what_settles_holds_nothing_back(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    struct ks_store_lease_waiting part = lease(me, &bob, 7);
    send(me, &bob, "two");
    assert_int_equal(lease(me, &bob, 8).count, 0);
    assert_int_equal(settle(me, &bob, 7, part.last), KS_OK);
    struct ks_store_lease_waiting later = lease(me, &bob, 8);
    assert_int_equal(later.count, 1);
    assert_part(me, &bob, &later, "two");
}

static void what_settles_counts_as_waiting_nowhere(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    send(me, &bob, "three");
    struct ks_store_lease_waiting part = lease_within(me, &bob, 7, 1);
    assert_sums(me, 2, 8);
    assert_int_equal(settle(me, &bob, 7, part.last), KS_OK);
    assert_sums(me, 1, 5);
    ks_store_lease_release(me->store, &bob, 7);
    assert_sums(me, 2, 8);
}

static void what_settles_is_read_no_more(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    struct ks_store_lease_waiting part = lease(me, &bob, 7);
    assert_int_equal(settle(me, &bob, 7, part.last), KS_OK);
    assert_int_equal(try_to_read(me, &bob, &part), KS_NOT_FOUND);
}

static void a_part_settles_once(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    struct ks_store_lease_waiting part = lease(me, &bob, 7);
    assert_int_equal(settle(me, &bob, 7, part.last), KS_OK);
    assert_int_equal(settle(me, &bob, 7, part.last), KS_NOT_FOUND);
}

static void the_oldest_part_settles_first(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    send(me, &bob, "two");
    struct ks_store_lease_waiting first = lease_within(me, &bob, 7, 1);
    struct ks_store_lease_waiting second = lease_within(me, &bob, 7, 1);
    assert_int_equal(settle(me, &bob, 7, second.last), KS_NOT_FOUND);
    assert_int_equal(settle(me, &bob, 7, first.last), KS_OK);
    assert_int_equal(settle(me, &bob, 7, second.last), KS_OK);
}

static void what_settles_is_not_taken_over(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    struct ks_store_lease_waiting part = lease(me, &bob, 7);
    assert_int_equal(settle(me, &bob, 7, part.last), KS_OK);
    pass_time(me, (uint64_t)2 * LEASE_SECONDS);
    assert_int_equal(lease(me, &bob, 8).count, 0);
    assert_int_equal(say_delivered(me, &bob, 7, part.last), KS_OK);
}

static void parts_that_follow_each_other_may_settle_as_one(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    uint64_t last = 0;
    for (unsigned i = 0; i < 3; i++) {
        bool joins = true;
        send(me, &bob, "text");
        last = lease(me, &bob, 7).last;
        assert_int_equal(ks_store_lease_settle(me->store, &bob, 7, last, &joins), KS_OK);
        assert_int_equal(joins, i > 0);
    }
    assert_int_equal(say_delivered(me, &bob, 7, last), KS_OK);
    ks_store_lease_release(me->store, &bob, 7); /* nothing is left of it */
    assert_waiting(me, &bob, "");
}

static void parts_that_did_not_join_are_delivered_one_by_one(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    uint64_t lasts[2];
    for (unsigned i = 0; i < 2; i++) {
        send(me, &bob, "text");
        lasts[i] = lease(me, &bob, 7).last;
        assert_int_equal(settle(me, &bob, 7, lasts[i]), KS_OK);
    }
    assert_int_equal(say_delivered(me, &bob, 7, lasts[1]), KS_OK);
    ks_store_lease_release(me->store, &bob, 7);
    assert_waiting(me, &bob, "text");
}

static void a_part_joins_none_that_was_delivered(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    bool joins = true;
    send(me, &bob, "one");
    assert_int_equal(deliver(me, &bob, 7, lease(me, &bob, 7).last), KS_OK);
    send(me, &bob, "two");
    uint64_t last = lease(me, &bob, 7).last;
    assert_int_equal(ks_store_lease_settle(me->store, &bob, 7, last, &joins), KS_OK);
    assert_false(joins);
    assert_int_equal(say_delivered(me, &bob, 7, last), KS_OK);
}

static void a_part_joins_none_of_another_owner(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    bool joins = true;
    send(me, &bob, "one");
    assert_int_equal(settle(me, &bob, 7, lease(me, &bob, 7).last), KS_OK);
    send(me, &bob, "two");
    uint64_t last = lease(me, &bob, 8).last;
    assert_int_equal(ks_store_lease_settle(me->store, &bob, 8, last, &joins), KS_OK);
    assert_false(joins);
}

/* How many may settle is the engine's; that it is a number keeps its memory bounded. */
static void when_too_many_settle_the_next_stays_leased(struct party *me)
{
    enum { PARTS = 3000 };
    struct ks_client_id bob = new_user(me, "bob");
    struct ks_store_append_message *requests = calloc(PARTS, sizeof *requests);
    enum ks_result result = KS_OK;
    uint64_t before = 0;
    uint64_t last = 0;
    assert_non_null(requests);
    for (unsigned i = 0; i < PARTS; i++) {
        requests[i] = append_request(me, &bob, &bob, "x");
        ks_store_append_message(me->store, &requests[i]);
    }
    for (unsigned i = 0; i < PARTS; i++)
        assert_int_equal(party_wait(me, &requests[i].request), KS_OK);
    while (result == KS_OK) {
        before = last;
        struct ks_store_lease_waiting part = lease_within(me, &bob, 7, 1);
        assert_int_equal(part.count, 1);
        last = part.last;
        result = settle(me, &bob, 7, last);
    }
    assert_int_equal(result, KS_REFUSED);
    assert_int_equal(lease(me, &bob, 8).count, 0);
    assert_int_equal(say_delivered(me, &bob, 7, before), KS_OK);
    assert_int_equal(settle(me, &bob, 7, last), KS_OK);
    ks_store_lease_release(me->store, &bob, 7);
    assert_sums(me, PARTS - 1, PARTS - 1);
    free(requests);
}

/* ---- delivered ---- */

static void what_was_delivered_is_gone(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    send(me, &bob, "two");
    struct ks_store_lease_waiting part = lease_within(me, &bob, 7, 1);
    assert_int_equal(deliver(me, &bob, 7, part.last), KS_OK);
    ks_store_lease_release(me->store, &bob, 7);
    assert_waiting(me, &bob, "two");
    assert_sums(me, 1, 3);
}

static void what_was_delivered_is_gone_after_a_restart(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    struct ks_stage *stage = stage_message(me, &bob, "staged");
    assert_int_equal(append_stage(me, &bob, &bob, stage, 6, NULL), KS_OK);
    send(me, &bob, "three");
    struct ks_store_lease_waiting part = lease_within(me, &bob, 7, 2 * HEAD_SIZE + 9);
    assert_int_equal(part.count, 2);
    assert_int_equal(deliver(me, &bob, 7, part.last), KS_OK);
    world_reopen(me);
    assert_waiting(me, &bob, "three");
}

static void only_what_settles_is_delivered(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    struct ks_store_lease_waiting part = lease(me, &bob, 7);
    assert_int_equal(say_delivered(me, &bob, 7, part.last), KS_NOT_FOUND);
    assert_int_equal(settle(me, &bob, 7, part.last), KS_OK);
    assert_int_equal(say_delivered(me, &bob, 8, part.last), KS_NOT_FOUND);
    assert_int_equal(say_delivered(me, &bob, 7, part.last + 1), KS_NOT_FOUND);
    assert_int_equal(say_delivered(me, &bob, 7, part.last), KS_OK);
    assert_int_equal(say_delivered(me, &bob, 7, part.last), KS_NOT_FOUND);
}

static void what_settles_is_delivered_in_any_order(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    uint64_t first = lease(me, &bob, 7).last;
    assert_int_equal(settle(me, &bob, 7, first), KS_OK);
    send(me, &bob, "two");
    assert_int_equal(deliver(me, &bob, 8, lease(me, &bob, 8).last), KS_OK);
    assert_int_equal(say_delivered(me, &bob, 7, first), KS_OK);
    assert_waiting(me, &bob, "");
}

/* ---- what comes back ---- */

static void what_settled_and_comes_back_waits_in_order(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    assert_int_equal(settle(me, &bob, 7, lease(me, &bob, 7).last), KS_OK);
    send(me, &bob, "two");
    assert_int_equal(settle(me, &bob, 7, lease(me, &bob, 7).last), KS_OK);
    send(me, &bob, "three");
    assert_int_equal(lease(me, &bob, 7).count, 1);
    send(me, &bob, "four");
    ks_store_lease_release(me->store, &bob, 7);
    assert_waiting(me, &bob, "one two three four"); /* one part */
}

static void what_comes_back_waits_before_what_nobody_has_had(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    send(me, &bob, "two");
    assert_int_equal(settle(me, &bob, 7, lease(me, &bob, 7).last), KS_OK);
    send(me, &bob, "three");
    assert_int_equal(lease(me, &bob, 8).count, 1);
    send(me, &bob, "four");
    ks_store_lease_release(me->store, &bob, 7);
    struct ks_store_lease_waiting again = lease_within(me, &bob, 8, HEAD_SIZE + 3);
    struct ks_store_lease_waiting rest = lease(me, &bob, 8);
    struct ks_store_lease_waiting tail = lease(me, &bob, 8);
    assert_true(again.more && rest.more);
    assert_false(tail.more);
    assert_part(me, &bob, &again, "one");
    assert_part(me, &bob, &rest, "two");
    assert_part(me, &bob, &tail, "four");
}

static void a_release_leaves_what_settles_for_others(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    uint64_t first = lease(me, &bob, 7).last;
    assert_int_equal(settle(me, &bob, 7, first), KS_OK);
    send(me, &bob, "two");
    assert_int_equal(lease(me, &bob, 8).count, 1);
    ks_store_lease_release(me->store, &bob, 8);
    assert_int_equal(say_delivered(me, &bob, 7, first), KS_OK);
    assert_waiting(me, &bob, "two");
}

static void what_settles_waits_after_a_restart_under_the_same_ids(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    send(me, &bob, "one");
    struct ks_store_lease_waiting part = lease(me, &bob, 7);
    assert_int_equal(settle(me, &bob, 7, part.last), KS_OK);
    send(me, &bob, "two");
    world_reopen(me);
    struct ks_store_lease_waiting again = lease_within(me, &bob, 8, 1);
    assert_int_equal(again.last, part.last);
    assert_part(me, &bob, &again, "one");
}

/* ---- everybody at once ---- */

enum { SENDERS = 2, PULLERS = 3, EACH = 150, ALL = SENDERS * EACH };

struct crowd {
    struct world *world;
    struct ks_client_id bob;
    _Atomic unsigned delivered;
    _Atomic unsigned times[ALL + 1];
};

struct member {
    struct crowd *crowd;
    unsigned number;
    pthread_t thread;
};

static void *send_many(void *argument)
{
    const struct member *member = argument;
    struct party me;
    party_begin(&me, member->crowd->world);
    for (unsigned i = 0; i < EACH; i++)
        send(&me, &member->crowd->bob, "x");
    party_end(&me);
    return NULL;
}

/* A part of which every message counts once. */
static void take_part(struct party *me, struct crowd *crowd, const struct ks_store_lease_waiting *part)
{
    size_t at = 0;
    uint8_t *bytes = read_part(me, &crowd->bob, part, 4096);
    for (uint64_t i = 0; i < part->count; i++)
        atomic_fetch_add(&crowd->times[hear(bytes, &at).id], 1);
    free(bytes);
    assert_int_equal(deliver(me, &crowd->bob, part->owner, part->last), KS_OK);
    atomic_fetch_add(&crowd->delivered, (unsigned)part->count);
}

/* Leases small parts, and gives up every third. */
static void *pull_many(void *argument)
{
    const struct member *member = argument;
    struct crowd *crowd = member->crowd;
    struct party me;
    party_begin(&me, crowd->world);
    for (unsigned turn = 0; atomic_load(&crowd->delivered) < ALL; turn++) {
        struct ks_store_lease_waiting part =
            lease_within(&me, &crowd->bob, member->number + 1, (uint64_t)5 * (HEAD_SIZE + 1));
        if (part.count == 0)
            sched_yield();
        else if (turn % 3 == 2)
            ks_store_lease_release(me.store, &crowd->bob, part.owner);
        else
            take_part(&me, crowd, &part);
    }
    party_end(&me);
    return NULL;
}

static void a_crowd_of_senders_and_owners_loses_and_doubles_nothing(struct party *me)
{
    struct crowd crowd = {.world = me->world, .bob = new_user(me, "bob")};
    struct member members[SENDERS + PULLERS];
    for (unsigned i = 0; i < KS_COUNT_OF(members); i++) {
        members[i] = (struct member){.crowd = &crowd, .number = i};
        assert_int_equal(
            pthread_create(&members[i].thread, NULL, i < SENDERS ? send_many : pull_many, &members[i]), 0);
    }
    for (unsigned i = 0; i < KS_COUNT_OF(members); i++)
        assert_int_equal(pthread_join(members[i].thread, NULL), 0);
    for (unsigned id = 1; id <= ALL; id++)
        assert_int_equal(atomic_load(&crowd.times[id]), 1);
    assert_waiting(me, &crowd.bob, "");
}

static const struct contract_case cases[] = {
    CASE(what_settles_holds_nothing_back),
    CASE(what_settles_counts_as_waiting_nowhere),
    CASE(what_settles_is_read_no_more),
    CASE(a_part_settles_once),
    CASE(the_oldest_part_settles_first),
    CASE(what_settles_is_not_taken_over),
    CASE(parts_that_follow_each_other_may_settle_as_one),
    CASE(parts_that_did_not_join_are_delivered_one_by_one),
    CASE(a_part_joins_none_that_was_delivered),
    CASE(a_part_joins_none_of_another_owner),
    CASE(when_too_many_settle_the_next_stays_leased),
    CASE(what_was_delivered_is_gone),
    CASE_NEEDS(what_was_delivered_is_gone_after_a_restart, CONTRACT_REOPENS),
    CASE(only_what_settles_is_delivered),
    CASE(what_settles_is_delivered_in_any_order),
    CASE(what_settled_and_comes_back_waits_in_order),
    CASE(what_comes_back_waits_before_what_nobody_has_had),
    CASE(a_release_leaves_what_settles_for_others),
    CASE_NEEDS(what_settles_waits_after_a_restart_under_the_same_ids, CONTRACT_REOPENS),
    CASE_NEEDS(a_crowd_of_senders_and_owners_loses_and_doubles_nothing, CONTRACT_THREADS),
};

const struct contract_subject contract_settling = {"settling", cases, KS_COUNT_OF(cases)};
