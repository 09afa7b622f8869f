/* Unit tests of src/store/embedded/vault without memory: own files that are put and removed. Every failure is
 * told, and leaves what is there as it was. */
#include "unit/store/vault/puts_fixture.h"

#include "unit/base/failing_memory.h"

/* Nobody gets memory from when this thread goes on until an answer has come. */
static enum ks_result wait_without_memory(struct house *house, struct gate *gate,
                                          const struct ks_store_request *request)
{
    atomic_store(&no_memory, true);
    gate_open(gate);
    enum ks_result result = fixture_wait(&house->waiter, request);
    atomic_store(&no_memory, false);
    return result;
}

/* Each allocation of whoever asks fails once. */
static void a_put_that_finds_no_memory_is_not_opened(void **state)
{
    struct house *house = *state;
    unsigned nth = 0;
    do {
        struct ks_store_put_open opening = put_request(house, 1, "x", 4);
        failed = false;
        allocations_until_failure = ++nth;
        enum ks_result result = ask_to_put(house, &opening);
        allocations_until_failure = 0;
        assert_int_equal(result, failed ? KS_NO_MEMORY : KS_OK);
        assert_true((opening.stage == NULL) == failed);
        if (!failed)
            assert_int_equal(discard(house, opening.stage), KS_OK);
        assert_puts(house, 0, 0);
        assert_staged(house, 0);
    } while (failed);
    assert_true(nth > 1);
}

static void a_put_that_cannot_be_entered_is_not_opened(void **state)
{
    struct house *house = *state;
    struct gate gate;
    struct ks_stage *other = put_open(house, 1, "other", 4, "");
    struct ks_store_put_open opening = put_request(house, 2, "x", 4);
    gate_close(&gate, other->owner->thread->thread);
    ks_vault_put_open(house->vault, &opening);
    assert_int_equal(wait_without_memory(house, &gate, &opening.request), KS_NO_MEMORY);
    assert_null(opening.stage);
    assert_puts(house, 1, 0);
    assert_staged(house, 1);
    assert_int_equal(discard(house, other), KS_OK);
}

static void what_cannot_be_read_for_want_of_memory_stays_parked(void **state)
{
    struct house *house = *state;
    struct gate gate;
    struct ks_stage *other = put_open(house, 1, "other", 4, "");
    put_broken(house, 2, "x", 8, "half");
    struct ks_store_put_open opening = put_request(house, 2, "x", 8);
    gate_close(&gate, other->owner->thread->thread);
    ks_vault_put_open(house->vault, &opening);
    assert_int_equal(wait_without_memory(house, &gate, &opening.request), KS_NO_MEMORY);
    assert_puts(house, 2, 4);
    assert_int_equal(discard(house, put_open(house, 2, "x", 8, "half")), KS_OK);
    assert_int_equal(discard(house, other), KS_OK);
}

/* Neither whoever asks nor the confirm thread. */
static void a_removal_that_finds_no_memory_removes_nothing(void **state)
{
    struct house *house = *state;
    struct gate gate;
    put_file(house, "x", "text");
    unsigned nth = 0;
    do {
        struct ks_store_remove_file removal = {
            .request = fixture_request(&house->waiter), .id = somebody, .name = "x"};
        failed = false;
        allocations_until_failure = ++nth;
        gate_close(&gate, house->vault->confirm_thread);
        ks_vault_remove(house->vault, &removal);
        allocations_until_failure = 0;
        house_settle(house);
        assert_int_equal(wait_without_memory(house, &gate, &removal.request), KS_NO_MEMORY);
        assert_true(has_file(house, "x", "text"));
    } while (failed);
    assert_true(nth > 1);
    ks_vault_settle(house->vault);
    assert_int_equal(fixture_count_removed(house->directory), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(a_put_that_finds_no_memory_is_not_opened),
        HOUSE_TEST(a_put_that_cannot_be_entered_is_not_opened),
        HOUSE_TEST(what_cannot_be_read_for_want_of_memory_stays_parked),
        HOUSE_TEST(a_removal_that_finds_no_memory_removes_nothing),
    };
    return cmocka_run_group_tests_name("vault_memory", tests, NULL, NULL);
}
