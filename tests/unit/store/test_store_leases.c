/* Unit tests of waiting messages in the embedded engine, src/store/embedded: who has leased which part. */
#include "unit/store/messages_fixture.h"

#include <pthread.h>
#include <sched.h>

/* Whoever asks first has what waits indexed (filing.h). From then on leases need the writer no more. */
static void have_filed(struct house *house, const struct ks_client_id *receiver, uint64_t count)
{
    assert_int_equal(lease(house, receiver, 99).count, count);
    ks_store_lease_release(house->store, receiver, 99);
}

/* ---- leases ---- */

static void only_the_owner_gets_what_is_leased(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "mine");
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    assert_int_equal(part.count, 1);
    unsigned answers = atomic_load(&house->waiter.answers);
    assert_int_equal(lease(house, &users.bob, 8).count, 0);
    assert_int_equal(atomic_load(&house->waiter.answers), answers + 1);
    struct ks_store_lease_waiting other = part;
    other.owner = 8;
    assert_int_equal(try_to_read(house, &users.bob, &other), KS_NOT_FOUND);
    assert_int_equal(delivered(house, &users.bob, 8, part.last), KS_NOT_FOUND);
    ks_store_lease_release(house->store, &users.bob, 8);
    assert_int_equal(try_to_read(house, &users.bob, &part), KS_OK);
    other = part;
    other.last++;
    assert_int_equal(try_to_read(house, &users.bob, &other), KS_NOT_FOUND);
    assert_int_equal(delivered(house, &users.bob, 7, other.last), KS_NOT_FOUND);
    assert_int_equal(delivered(house, &users.bob, 7, part.last), KS_OK);
    assert_int_equal(delivered(house, &users.bob, 7, part.last), KS_NOT_FOUND);
    assert_int_equal(try_to_read(house, &users.bob, &part), KS_NOT_FOUND);
}

/* The writer and the pull thread are busy, and the answer is there when the call returns: nothing waits, or
 * what waits was indexed when somebody asked for it before. */
static void what_is_known_in_memory_waits_for_no_thread(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_engine *engine = ks_engine_of(house->store);
    struct held_writer held;
    sem_t gate;
    struct fixture_call busy = {.task.run = fixture_call_run, .function = fixture_hold, .context = &gate};
    append(house, &users.bob, &users.alice, "one");
    append(house, &users.bob, &users.alice, "two");
    have_filed(house, &users.bob, 2);
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_int_equal(sem_init(&busy.done, 0, 0), 0);
    writer_hold(house, &held);
    ks_executor_post(ks_thread_executor(engine->pull_reader.reader.thread), &busy.task);
    struct ks_store_lease_waiting requests[] = {
        lease_request(house, &users.alice, 7, NO_LIMIT),
        lease_request(house, &users.bob, 7, NO_LIMIT),
        lease_request(house, &users.bob, 8, NO_LIMIT),
        lease_request(house, &users.bob, 7, NO_LIMIT),
    };
    static const unsigned counts[] = {0, 2, 0, 0};
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++) {
        ks_store_lease_waiting(house->store, &requests[i]);
        assert_int_equal(sem_trywait(&house->waiter.answered), 0);
        assert_int_equal(requests[i].request.result, KS_OK);
        assert_int_equal(requests[i].count, counts[i]);
    }
    sem_post(&gate);
    fixture_hold(&busy.done);
    writer_let_go(&held);
}

static void parts_follow_each_other(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    struct ks_store_lease_waiting first = lease(house, &users.bob, 7);
    append(house, &users.bob, &users.alice, "two");
    append(house, &users.bob, &users.alice, "three");
    struct ks_store_lease_waiting second = lease(house, &users.bob, 7);
    assert_int_equal(lease(house, &users.bob, 7).count, 0);
    append(house, &users.bob, &users.alice, "four");
    struct ks_store_lease_waiting third = lease(house, &users.bob, 7);
    assert_int_equal(first.count, 1);
    assert_int_equal(second.count, 2);
    assert_int_equal(third.count, 1);
    assert_int_equal(second.after, first.last);
    assert_int_equal(third.after, second.last);
    /* They are read in any order, and delivered in theirs. */
    assert_string_equal(read_all(house, &users.bob, &third).messages[0].text, "four");
    assert_string_equal(read_all(house, &users.bob, &second).messages[1].text, "three");
    assert_string_equal(read_all(house, &users.bob, &first).messages[0].text, "one");
    assert_int_equal(delivered(house, &users.bob, 7, second.last), KS_NOT_FOUND);
    assert_int_equal(delivered(house, &users.bob, 7, first.last), KS_OK);
    assert_int_equal(lease(house, &users.bob, 8).count, 0);
    assert_int_equal(delivered(house, &users.bob, 7, second.last), KS_OK);
    assert_string_equal(read_all(house, &users.bob, &third).messages[0].text, "four");
    ks_store_lease_release(house->store, &users.bob, 7);
    assert_waiting(house, &users.bob, "four");
    assert_database(house, "SELECT count(*) FROM messages", "1");
}

static void what_was_released_waits_again_in_order(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    struct ks_store_lease_waiting first = lease(house, &users.bob, 7);
    append(house, &users.bob, &users.alice, "two");
    struct ks_store_lease_waiting second = lease(house, &users.bob, 7);
    append(house, &users.bob, &users.alice, "three");
    assert_int_equal(delivered(house, &users.bob, 7, first.last), KS_OK);
    ks_store_lease_release(house->store, &users.bob, 7);
    assert_int_equal(try_to_read(house, &users.bob, &second), KS_NOT_FOUND);
    assert_int_equal(delivered(house, &users.bob, 7, second.last), KS_NOT_FOUND);
    assert_waiting(house, &users.bob, "two three");
    ks_store_lease_release(house->store, &users.alice, 7); /* nobody's */
}

static void a_lease_without_progress_is_taken_over(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    fixture_clock_forward(&house->clock, LEASE_SECONDS - 1);
    assert_int_equal(lease(house, &users.bob, 8).count, 0);
    fixture_clock_forward(&house->clock, 1);
    struct ks_store_lease_waiting taken = lease(house, &users.bob, 8);
    assert_int_equal(taken.count, 1);
    assert_int_equal(taken.last, part.last);
    /* The old owner's is gone, whatever it does. */
    assert_int_equal(try_to_read(house, &users.bob, &part), KS_NOT_FOUND);
    assert_int_equal(delivered(house, &users.bob, 7, part.last), KS_NOT_FOUND);
    ks_store_lease_renew(house->store, &users.bob, 7);
    ks_store_lease_release(house->store, &users.bob, 7);
    assert_int_equal(lease(house, &users.bob, 7).count, 0);
    assert_string_equal(read_all(house, &users.bob, &taken).messages[0].text, "one");
    assert_int_equal(delivered(house, &users.bob, 8, taken.last), KS_OK);
}

static void a_lease_holds_until_it_is_taken_over(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    fixture_clock_forward(&house->clock, 10 * LEASE_SECONDS);
    assert_string_equal(read_all(house, &users.bob, &part).messages[0].text, "one");
    fixture_clock_forward(&house->clock, 10 * LEASE_SECONDS);
    assert_int_equal(delivered(house, &users.bob, 7, part.last), KS_OK);
    assert_waiting(house, &users.bob, "");
}

static void the_lifetime_of_a_lease_is_an_option(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    house->lease_lifetime_ms = 5000;
    house_restart(house);
    assert_int_equal(lease(house, &users.bob, 7).count, 1);
    fixture_clock_forward(&house->clock, 4);
    assert_int_equal(lease(house, &users.bob, 8).count, 0);
    fixture_clock_forward(&house->clock, 1);
    assert_int_equal(lease(house, &users.bob, 8).count, 1);
}

static void progress_keeps_a_lease(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    fixture_clock_forward(&house->clock, LEASE_SECONDS - 1);
    ks_store_lease_renew(house->store, &users.bob, 7);
    fixture_clock_forward(&house->clock, LEASE_SECONDS - 1);
    assert_int_equal(lease(house, &users.bob, 8).count, 0);
    assert_int_equal(try_to_read(house, &users.bob, &part), KS_OK);
    fixture_clock_forward(&house->clock, LEASE_SECONDS - 1);
    assert_int_equal(lease(house, &users.bob, 8).count, 0);
    append(house, &users.bob, &users.alice, "two");
    assert_int_equal(lease(house, &users.bob, 7).count, 1);
    fixture_clock_forward(&house->clock, LEASE_SECONDS - 1);
    assert_int_equal(lease(house, &users.bob, 8).count, 0);
    fixture_clock_forward(&house->clock, 1);
    assert_int_equal(lease(house, &users.bob, 8).count, 2);
}

/* ---- settling ---- */

static void what_settles_is_hidden_and_holds_nothing_back(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    append(house, &users.bob, &users.alice, "two");
    assert_int_equal(lease(house, &users.bob, 8).count, 0);
    assert_int_equal(settle(house, &users.bob, 7, part.last), KS_OK);
    assert_int_equal(settle(house, &users.bob, 7, part.last), KS_NOT_FOUND); /* once */
    struct ks_store_lease_waiting later = lease(house, &users.bob, 8);
    assert_int_equal(later.count, 1);
    assert_int_equal(later.after, part.last);
    assert_database(house, "SELECT count(*) FROM messages", "2");
    assert_int_equal(delivered(house, &users.bob, 8, later.last), KS_OK);
    assert_database(house, "SELECT count(*) FROM messages", "1"); /* the older one settles still */
    assert_int_equal(delivered(house, &users.bob, 7, part.last), KS_OK);
    assert_database(house, "SELECT count(*) FROM messages", "0");
    assert_waiting(house, &users.bob, "");
}

static void what_settled_and_comes_back_waits_in_order(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    struct ks_store_lease_waiting first = lease(house, &users.bob, 7);
    assert_int_equal(settle(house, &users.bob, 7, first.last), KS_OK);
    append(house, &users.bob, &users.alice, "two");
    struct ks_store_lease_waiting second = lease(house, &users.bob, 7);
    assert_int_equal(settle(house, &users.bob, 7, second.last), KS_OK);
    append(house, &users.bob, &users.alice, "three");
    assert_int_equal(lease(house, &users.bob, 7).count, 1);
    append(house, &users.bob, &users.alice, "four");
    ks_store_lease_release(house->store, &users.bob, 7);
    assert_int_equal(delivered(house, &users.bob, 7, first.last), KS_NOT_FOUND);
    assert_waiting(house, &users.bob, "one two three four"); /* one part, in order */
}

static void what_comes_back_behind_a_later_lease_waits_before_the_rest(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    append(house, &users.bob, &users.alice, "two");
    struct ks_store_lease_waiting first = lease(house, &users.bob, 7);
    assert_int_equal(settle(house, &users.bob, 7, first.last), KS_OK);
    append(house, &users.bob, &users.alice, "three");
    struct ks_store_lease_waiting other = lease(house, &users.bob, 8);
    append(house, &users.bob, &users.alice, "four");
    ks_store_lease_release(house->store, &users.bob, 7);
    struct ks_store_lease_waiting again = lease_within(house, &users.bob, 8, HEAD_SIZE + 3);
    assert_int_equal(again.count, 1); /* a run of what came back */
    assert_true(again.more);
    assert_string_equal(read_all(house, &users.bob, &again).messages[0].text, "one");
    struct ks_store_lease_waiting rest = lease(house, &users.bob, 8);
    assert_string_equal(read_all(house, &users.bob, &rest).messages[0].text, "two");
    assert_int_equal(rest.count, 1);
    struct ks_store_lease_waiting tail = lease(house, &users.bob, 8);
    assert_string_equal(read_all(house, &users.bob, &tail).messages[0].text, "four");
    assert_false(tail.more);
    assert_int_equal(delivered(house, &users.bob, 8, other.last), KS_OK);
    ks_store_lease_release(house->store, &users.bob, 8);
    struct ks_store_lease_waiting left = lease(house, &users.bob, 9);
    assert_int_equal(left.count, 2);
    assert_int_equal(delivered(house, &users.bob, 9, left.last), KS_OK);
    assert_waiting(house, &users.bob, "four");
    assert_database(house, "SELECT count(*) FROM messages", "1");
}

static void parts_that_settle_one_after_the_other_become_one(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    uint64_t last = 0;
    for (int i = 0; i < 3; i++) {
        bool joins = true;
        append(house, &users.bob, &users.alice, "text");
        struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
        assert_int_equal(ks_store_lease_settle(house->store, &users.bob, 7, part.last, &joins), KS_OK);
        assert_int_equal(joins, i > 0);
        last = part.last;
    }
    assert_int_equal(delivered(house, &users.bob, 7, last), KS_OK);
    assert_database(house, "SELECT count(*) FROM messages", "0");
}

static void so_many_parts_may_settle_and_the_next_stays_leased(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    for (unsigned i = 0; i <= KS_SETTLING_LIMIT; i++) {
        append(house, &users.bob, &users.alice, "text");
        struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
        assert_int_equal(settle(house, &users.bob, 7, part.last), i < KS_SETTLING_LIMIT ? KS_OK : KS_REFUSED);
    }
    append(house, &users.bob, &users.alice, "text");
    assert_int_equal(lease(house, &users.bob, 8).count, 0);
    ks_store_lease_release(house->store, &users.bob, 7);
    assert_int_equal(lease(house, &users.bob, 8).count, KS_SETTLING_LIMIT + 2);
}

static void what_settles_counts_against_no_limit(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    house->limits.waiting_messages = 1;
    append(house, &users.bob, &users.alice, "one");
    assert_int_equal(try_append(house, &users.bob, &users.alice, "two"), KS_REFUSED);
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    assert_int_equal(settle(house, &users.bob, 7, part.last), KS_OK);
    append(house, &users.bob, &users.alice, "two");
    ks_store_lease_release(house->store, &users.bob, 7); /* too many for a while, and none is lost */
    assert_waiting(house, &users.bob, "one two");
}

static void what_settles_when_the_server_dies_comes_again_with_the_same_ids(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    assert_int_equal(settle(house, &users.bob, 7, part.last), KS_OK);
    append(house, &users.bob, &users.alice, "two");
    house_restart(house);
    struct ks_store_lease_waiting again = lease(house, &users.bob, 8);
    assert_int_equal(again.count, 2);
    assert_int_equal(read_all(house, &users.bob, &again).messages[0].id, part.last);
}

static void more_says_whether_others_wait_behind_a_part(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    assert_false(lease(house, &users.bob, 7).more);
    append(house, &users.bob, &users.alice, "one");
    append(house, &users.bob, &users.alice, "two");
    assert_true(lease_within(house, &users.bob, 7, 1).more);
    assert_false(lease_within(house, &users.bob, 7, 1).more);
}

/* ---- limits ---- */

static void a_part_is_what_fits_the_limit(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    uint64_t ids[6];
    for (size_t i = 0; i < KS_COUNT_OF(ids); i++)
        ids[i] = append(house, &users.bob, &users.alice, "0123456789");
    uint64_t each = HEAD_SIZE + 10;
    struct ks_store_lease_waiting part = lease_within(house, &users.bob, 7, 2 * each);
    assert_int_equal(part.count, 2);
    assert_int_equal(part.size, 2 * each);
    assert_int_equal(part.last, ids[1]);
    part = lease_within(house, &users.bob, 7, 3 * each - 1);
    assert_int_equal(part.count, 2);
    assert_int_equal(part.after, ids[1]);
    assert_int_equal(part.last, ids[3]);
    part = lease_within(house, &users.bob, 7, 1);
    assert_int_equal(part.count, 1); /* larger than the limit, and yet at least one */
    part = lease_within(house, &users.bob, 7, 0);
    assert_int_equal(part.count, 1);
    assert_int_equal(part.last, ids[5]);
    assert_int_equal(lease_within(house, &users.bob, 7, NO_LIMIT).count, 0);
    assert_int_equal(read_all(house, &users.bob, &part).messages[0].id, ids[5]);
}

static void a_message_larger_than_the_limit_is_a_part_alone(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "small");
    append(house, &users.bob, &users.alice, "a much larger message than the others");
    append(house, &users.bob, &users.alice, "tiny");
    enum { LIMIT = HEAD_SIZE + 5 };
    for (int i = 0; i < 3; i++) {
        struct ks_store_lease_waiting part = lease_within(house, &users.bob, 7, LIMIT);
        assert_int_equal(part.count, 1);
        assert_int_equal(delivered(house, &users.bob, 7, part.last), KS_OK);
    }
    assert_int_equal(lease_within(house, &users.bob, 7, LIMIT).count, 0);
}

/* While the pull thread looks for what fits, others find the lease taken, and the same owner's next one waits
 * its turn. */
static void looking_for_a_run_holds_the_lease(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_engine *engine = ks_engine_of(house->store);
    struct fixture_waiter other;
    sem_t gate;
    struct fixture_call busy = {.task.run = fixture_call_run, .function = fixture_hold, .context = &gate};
    fixture_waiter_init(&other);
    for (int i = 0; i < 4; i++)
        append(house, &users.bob, &users.alice, "text");
    have_filed(house, &users.bob, 4);
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_int_equal(sem_init(&busy.done, 0, 0), 0);
    ks_executor_post(ks_thread_executor(engine->pull_reader.reader.thread), &busy.task);
    struct ks_store_lease_waiting first = lease_request(house, &users.bob, 7, 1);
    struct ks_store_lease_waiting second = lease_request(house, &users.bob, 7, 1);
    first.request.reply_to = &other.executor;
    second.request.reply_to = &other.executor;
    ks_store_lease_waiting(house->store, &first);
    ks_store_lease_waiting(house->store, &second);
    assert_int_equal(lease(house, &users.bob, 8).count, 0);
    sem_post(&gate);
    fixture_wait_for_answer(&other);
    fixture_wait_for_answer(&other);
    fixture_hold(&busy.done);
    assert_int_equal(first.request.result, KS_OK);
    assert_int_equal(second.request.result, KS_OK);
    assert_int_equal(first.count, 1);
    assert_int_equal(second.count, 1);
    assert_int_equal(second.after, first.last);
    assert_int_equal(lease(house, &users.bob, 7).count, 2);
}

static void a_lease_that_was_lost_while_looking_is_empty(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_engine *engine = ks_engine_of(house->store);
    struct fixture_waiter other;
    sem_t gate;
    struct fixture_call busy = {.task.run = fixture_call_run, .function = fixture_hold, .context = &gate};
    fixture_waiter_init(&other);
    for (int i = 0; i < 4; i++)
        append(house, &users.bob, &users.alice, "text");
    have_filed(house, &users.bob, 4);
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_int_equal(sem_init(&busy.done, 0, 0), 0);
    ks_executor_post(ks_thread_executor(engine->pull_reader.reader.thread), &busy.task);
    struct ks_store_lease_waiting late = lease_request(house, &users.bob, 7, 1);
    late.request.reply_to = &other.executor;
    ks_store_lease_waiting(house->store, &late);
    ks_store_lease_release(house->store, &users.bob, 7);
    assert_int_equal(lease(house, &users.bob, 8).count, 4);
    sem_post(&gate);
    assert_int_equal(fixture_wait(&other, &late.request), KS_OK);
    fixture_hold(&busy.done);
    assert_int_equal(late.count, 0);
    assert_int_equal(late.size, 0);
    ks_store_lease_release(house->store, &users.bob, 8);
    assert_int_equal(lease(house, &users.bob, 9).count, 4);
}

/* ---- everybody at once ---- */

enum { SENDERS = 3, PULLERS = 4, EACH = 400, ALL = SENDERS * EACH };

struct crowd {
    struct house *house;
    struct pair users;
    _Atomic unsigned got; /* messages that were delivered */
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
    struct fixture_waiter waiter;
    fixture_waiter_init(&waiter);
    for (int i = 0; i < EACH; i++) {
        struct ks_store_append_message request =
            append_request(member->crowd->house, &member->crowd->users.bob, &member->crowd->users.alice, "x");
        request.request = fixture_request(&waiter);
        ks_store_append_message(member->crowd->house->store, &request);
        assert_int_equal(fixture_wait(&waiter, &request.request), KS_OK);
    }
    return NULL;
}

/* Reads a part: the ids of its messages. */
static void pull_part(const struct member *member, const struct ks_store_lease_waiting *part,
                      struct fixture_waiter *waiter, uint64_t *ids)
{
    uint8_t bytes[(HEAD_SIZE + 1) * 5];
    struct ks_store_lease_read request =
        read_request(member->crowd->house, &member->crowd->users.bob, part, bytes, sizeof bytes);
    request.request = fixture_request(waiter);
    ks_store_lease_read(member->crowd->house->store, &request);
    assert_int_equal(fixture_wait(waiter, &request.request), KS_OK);
    assert_int_equal(request.size, part->size);
    for (size_t i = 0; i < part->count; i++) {
        memcpy(&ids[i], bytes + i * (HEAD_SIZE + 1), sizeof ids[i]);
        assert_true(ids[i] > (i == 0 ? part->after : ids[i - 1]) && ids[i] <= part->last);
    }
}

static void deliver_part(const struct member *member, const struct ks_store_lease_waiting *part,
                         struct fixture_waiter *waiter, const uint64_t *ids)
{
    struct ks_store_lease_delivered request = {.request = fixture_request(waiter),
                                               .receiver = member->crowd->users.bob,
                                               .owner = part->owner,
                                               .last = part->last};
    for (size_t i = 0; i < part->count; i++)
        atomic_fetch_add(&member->crowd->times[ids[i]], 1);
    assert_int_equal(settle(member->crowd->house, &member->crowd->users.bob, part->owner, part->last), KS_OK);
    if (part->last % 2 == 0)
        sched_yield(); /* others lease what came later meanwhile */
    ks_store_lease_delivered(member->crowd->house->store, &request);
    assert_int_equal(fixture_wait(waiter, &request.request), KS_OK);
    atomic_fetch_add(&member->crowd->got, (unsigned)part->count);
}

/* Leases small parts, and gives up every third. */
static void *pull_many(void *argument)
{
    const struct member *member = argument;
    struct crowd *crowd = member->crowd;
    struct fixture_waiter waiter;
    fixture_waiter_init(&waiter);
    for (unsigned turn = 0; atomic_load(&crowd->got) < ALL; turn++) {
        uint64_t ids[5];
        struct ks_store_lease_waiting part =
            lease_request(crowd->house, &crowd->users.bob, member->number + 1, 5 * (HEAD_SIZE + 1));
        part.request = fixture_request(&waiter);
        ks_store_lease_waiting(crowd->house->store, &part);
        assert_int_equal(fixture_wait(&waiter, &part.request), KS_OK);
        if (part.count == 0)
            continue;
        pull_part(member, &part, &waiter, ids);
        if (turn % 3 == 2)
            ks_store_lease_release(crowd->house->store, &crowd->users.bob, part.owner);
        else
            deliver_part(member, &part, &waiter, ids);
    }
    return NULL;
}

static void a_crowd_of_senders_and_owners_loses_and_doubles_nothing(void **state)
{
    struct house *house = *state;
    struct crowd *crowd = calloc(1, sizeof *crowd);
    struct member members[SENDERS + PULLERS];
    assert_non_null(crowd);
    crowd->house = house;
    crowd->users = two_users(house);
    for (unsigned i = 0; i < KS_COUNT_OF(members); i++) {
        members[i] = (struct member){.crowd = crowd, .number = i};
        assert_int_equal(
            pthread_create(&members[i].thread, NULL, i < SENDERS ? send_many : pull_many, &members[i]), 0);
    }
    for (size_t i = 0; i < KS_COUNT_OF(members); i++)
        assert_int_equal(pthread_join(members[i].thread, NULL), 0);
    for (size_t id = 1; id <= ALL; id++)
        assert_int_equal(atomic_load(&crowd->times[id]), 1);
    assert_int_equal(atomic_load(&crowd->got), ALL);
    assert_waiting(house, &crowd->users.bob, "");
    assert_database(house, "SELECT count(*) FROM messages", "0");
    free(crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(only_the_owner_gets_what_is_leased),
        HOUSE_TEST(what_is_known_in_memory_waits_for_no_thread),
        HOUSE_TEST(parts_follow_each_other),
        HOUSE_TEST(what_was_released_waits_again_in_order),
        HOUSE_TEST(a_lease_without_progress_is_taken_over),
        HOUSE_TEST(a_lease_holds_until_it_is_taken_over),
        HOUSE_TEST(the_lifetime_of_a_lease_is_an_option),
        HOUSE_TEST(progress_keeps_a_lease),
        HOUSE_TEST(what_settles_is_hidden_and_holds_nothing_back),
        HOUSE_TEST(what_settled_and_comes_back_waits_in_order),
        HOUSE_TEST(what_comes_back_behind_a_later_lease_waits_before_the_rest),
        HOUSE_TEST(parts_that_settle_one_after_the_other_become_one),
        HOUSE_TEST(so_many_parts_may_settle_and_the_next_stays_leased),
        HOUSE_TEST(what_settles_counts_against_no_limit),
        HOUSE_TEST(what_settles_when_the_server_dies_comes_again_with_the_same_ids),
        HOUSE_TEST(more_says_whether_others_wait_behind_a_part),
        HOUSE_TEST(a_part_is_what_fits_the_limit),
        HOUSE_TEST(a_message_larger_than_the_limit_is_a_part_alone),
        HOUSE_TEST(looking_for_a_run_holds_the_lease),
        HOUSE_TEST(a_lease_that_was_lost_while_looking_is_empty),
        HOUSE_TEST(a_crowd_of_senders_and_owners_loses_and_doubles_nothing),
    };
    return cmocka_run_group_tests_name("store_leases", tests, NULL, NULL);
}
