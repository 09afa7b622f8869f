/* Unit tests of the embedded engine, src/store, without memory, or threads. Every failure must be told, and
 * leave what waits as it was.
 */
#include "unit/store/accounts_fixture.h"

#include "unit/base/failing_memory.h"

#include <errno.h>
#include <pthread.h>

/* The names are the linker's (failing_memory.h). NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *context);
/* NOLINTEND(bugprone-reserved-identifier) */

static unsigned threads_until_failure; /* of the main thread; 0: none fails */

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *context)
{
    if (threads_until_failure == 0 || --threads_until_failure > 0)
        return __real_pthread_create(thread, attributes, run, context);
    failed = true;
    return EAGAIN;
}

/* What a request answers while nobody gets memory. */
static enum ks_result wait_without_memory(struct house *house, const struct ks_store_request *request)
{
    enum ks_result result = fixture_wait(&house->waiter, request);
    atomic_store(&no_memory, false);
    return result;
}

static void a_message_without_memory_is_not_stored(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_stage *stage = message_stage(house, &users.alice, "large");
    struct ks_store_append_message request = append_request(house, &users.bob, &users.alice, "small");
    atomic_store(&no_memory, true);
    ks_store_append_message(house->store, &request);
    assert_int_equal(wait_without_memory(house, &request.request), KS_NO_MEMORY);
    request = append_request(house, &users.bob, &users.alice, "");
    request.content_size = 5;
    request.stage = stage;
    atomic_store(&no_memory, true);
    ks_store_append_message(house->store, &request);
    assert_int_equal(wait_without_memory(house, &request.request), KS_NO_MEMORY);
    assert_spooled(house, 0);
    assert_database(house, "SELECT count(*) FROM messages", "0");
    append(house, &users.bob, &users.alice, "after");
    assert_waiting(house, &users.bob, "after");
}

static void a_stage_without_memory_is_not_opened(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_store_stage_open opening = {
        .request = fixture_request(&house->waiter), .id = users.alice, .purpose = KS_STAGE_MESSAGE};
    atomic_store(&no_memory, true);
    ks_store_stage_open(house->store, &opening);
    assert_int_equal(wait_without_memory(house, &opening.request), KS_NO_MEMORY);
}

static void a_file_without_memory_is_not_opened(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    keep_file(house, &users.alice, "a", "text");
    struct ks_store_file_open opening = {
        .request = fixture_request(&house->waiter), .id = users.alice, .name = "a"};
    for (int i = 0; i < 2; i++) { /* with its statement, and again */
        opening.request = fixture_request(&house->waiter);
        atomic_store(&no_memory, true);
        ks_store_file_open(house->store, &opening);
        assert_int_equal(wait_without_memory(house, &opening.request), KS_NO_MEMORY);
    }
    opening.request = fixture_request(&house->waiter);
    ks_store_file_open(house->store, &opening);
    assert_int_equal(fixture_wait(&house->waiter, &opening.request), KS_OK);
    ks_store_file_close(house->store, opening.file);
}

static void a_lease_without_memory_holds_nothing(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    append(house, &users.bob, &users.alice, "two");
    static const uint64_t limits[] = {NO_LIMIT, HEAD_SIZE + 3}; /* by the sums, and by looking */
    for (size_t i = 0; i < KS_COUNT_OF(limits); i++) {
        struct ks_store_lease_waiting request = lease_request(house, &users.bob, 7, limits[i]);
        atomic_store(&no_memory, true);
        ks_store_lease_waiting(house->store, &request);
        assert_int_equal(wait_without_memory(house, &request.request), KS_NO_MEMORY);
        assert_int_equal(lease(house, &users.bob, 8).count, 2);
        ks_store_lease_release(house->store, &users.bob, 8);
    }
    /* Without a part more, the ones that are held stay. */
    struct ks_store_lease_waiting part = lease_within(house, &users.bob, 7, 1);
    struct ks_store_lease_waiting next = lease_request(house, &users.bob, 7, NO_LIMIT);
    atomic_store(&no_memory, true);
    ks_store_lease_waiting(house->store, &next);
    assert_int_equal(wait_without_memory(house, &next.request), KS_NO_MEMORY);
    assert_int_equal(lease(house, &users.bob, 8).count, 0);
    assert_int_equal(delivered(house, &users.bob, 7, part.last), KS_OK);
    assert_waiting(house, &users.bob, "two");
}

static void a_deletion_without_memory_is_tried_again(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append_spooled(house, &users.bob, &users.alice, "large");
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    struct ks_store_lease_delivered request = {
        .request = fixture_request(&house->waiter), .receiver = users.bob, .owner = 7, .last = part.last};
    atomic_store(&no_memory, true);
    assert_int_equal(settle(house, &users.bob, 7, part.last), KS_OK); /* needs none */
    ks_store_lease_delivered(house->store, &request);
    enum ks_result result = fixture_wait(&house->waiter, &request.request);
    house_tick(house);
    atomic_store(&no_memory, false);
    assert_int_equal(result, KS_NO_MEMORY);
    assert_spooled(house, 1);
    assert_waiting(house, &users.bob, "");
    fixture_clock_forward(&house->clock, 1);
    house_tick(house);
    assert_spooled(house, 0);
    assert_database(house, "SELECT count(*) FROM messages", "0");
}

/* What one request has come to while nobody gets memory. */
static enum ks_result register_without_memory(struct house *house, const char *name, uint8_t key,
                                              uint8_t code)
{
    struct ks_store_register_account request = account_request(house, name, key, code);
    atomic_store(&no_memory, true);
    ks_store_register_account(house->store, &request);
    return wait_without_memory(house, &request.request);
}

static void accounts_without_memory_stay_as_they_are(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct ks_client_id carol;
    assert_int_equal(register_account(house, "carol", 11, 0, &carol), KS_OK);
    assert_int_equal(invite(house, 21, 1, "carol"), KS_OK);
    assert_int_equal(register_without_memory(house, "dave", 12, 0), KS_NO_MEMORY);
    assert_int_equal(register_without_memory(house, "carol", 12, 21), KS_NO_MEMORY);
    struct ks_store_adopt adoption = adopt_request(house, &users.bob, 12);
    atomic_store(&no_memory, true);
    ks_store_adopt(house->store, &adoption);
    assert_int_equal(wait_without_memory(house, &adoption.request), KS_NO_MEMORY);
    struct ks_store_set_classic on = classic_request(house, &carol, 5);
    atomic_store(&no_memory, true);
    ks_store_set_classic(house->store, &on);
    assert_int_equal(wait_without_memory(house, &on.request), KS_NO_MEMORY);
    assert_key(house, 11, &carol);
    assert_int_equal(sign_in(house, 12, NULL), KS_NOT_FOUND);
    assert_stands_for(house, &users.bob, &users.bob);
    assert_database(house, "SELECT count(*) FROM accounts", "1");
    assert_database(house, "SELECT count(*) FROM clients", "3");
    assert_int_equal(register_account(house, "carol", 12, 21, NULL), KS_OK);
    assert_int_equal(set_classic(house, &carol, 0, NULL), KS_OK); /* needs none */
}

/* Each allocation of opening fails once. */
static void opening_without_memory_is_refused_and_leaks_nothing(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "small");
    append_spooled(house, &users.bob, &users.alice, "large");
    append(house, &users.alice, &users.bob, "other");
    struct ks_client_id carol;
    struct ks_client_id classic_id;
    assert_int_equal(register_account(house, "carol", 11, 0, &carol), KS_OK);
    assert_int_equal(set_classic(house, &carol, 5, &classic_id), KS_OK);
    house_close(house);
    unsigned nth = 0;
    do {
        char why[256];
        failed = false;
        allocations_until_failure = ++nth;
        enum ks_result result = house_try_open(house, &house->store, why, sizeof why);
        allocations_until_failure = 0;
        assert_int_equal(result, failed ? KS_NO_MEMORY : KS_OK);
    } while (failed);
    assert_true(nth > 10);
    assert_waiting(house, &users.bob, "small large");
    assert_waiting(house, &users.alice, "other");
    assert_key(house, 11, &carol);
    assert_stands_for(house, &classic_id, &carol);
}

/* Likewise each thread: those that were started before it end, and what they work with goes after them. */
static void opening_without_a_thread_is_refused_and_leaks_nothing(void **state)
{
    enum {
        THREADS = 16
    }; /* reaper, filer, three readers, two that compute, four that read files, writer,
        * confirm, two of stages, check */
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "small");
    append_spooled(house, &users.bob, &users.alice, "large");
    house_close(house);
    for (unsigned nth = 1; nth <= THREADS + 1; nth++) {
        char why[256];
        failed = false;
        threads_until_failure = nth;
        enum ks_result result = house_try_open(house, &house->store, why, sizeof why);
        threads_until_failure = 0;
        assert_int_equal(failed, nth <= THREADS);
        assert_int_equal(result, failed ? KS_IO : KS_OK);
    }
    assert_waiting(house, &users.bob, "small large");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(a_message_without_memory_is_not_stored),
        HOUSE_TEST(a_stage_without_memory_is_not_opened),
        HOUSE_TEST(a_file_without_memory_is_not_opened),
        HOUSE_TEST(a_lease_without_memory_holds_nothing),
        HOUSE_TEST(a_deletion_without_memory_is_tried_again),
        HOUSE_TEST(accounts_without_memory_stay_as_they_are),
        HOUSE_TEST(opening_without_memory_is_refused_and_leaks_nothing),
        HOUSE_TEST(opening_without_a_thread_is_refused_and_leaks_nothing),
    };
    return cmocka_run_group_tests_name("store_memory", tests, NULL, NULL);
}
