/* Unit tests of base/limits/budget.h: limits, lines, shares, and who is cut. The last one is worth most under
 * the thread sanitizer (`make test-tsan`).
 */
#include "unit/unit.h"

#include "base/limits/budget.h"
#include "base/thread.h"

#include <semaphore.h>
#include <stdlib.h>

enum { USER_SIZE = KS_HOLDER_USER_SIZE };

static const uint8_t alice[USER_SIZE] = "alice";
static const uint8_t bob[USER_SIZE] = "bob";
static const uint8_t here[KS_NETWORK_ADDRESS_SIZE] = {0x20, 1, [15] = 1};
static const uint8_t there[KS_NETWORK_ADDRESS_SIZE] = {0x20, 2, [15] = 1};

struct desk {
    struct ks_budget budget;
    struct unit_executor executor;
    unsigned calls; /* of all its takers */
};

struct taker {
    struct ks_holder holder;
    struct desk *desk;
    size_t granted;
    unsigned place; /* of its grant among all calls */
    bool is_cut;
};

static void called(struct ks_holder *holder, size_t granted, bool is_cut)
{
    struct taker *taker = KS_CONTAINER_OF(holder, struct taker, holder);
    taker->granted += granted;
    taker->place = ++taker->desk->calls;
    taker->is_cut = is_cut;
}

static void desk_init(struct desk *desk, size_t limit)
{
    desk->calls = 0;
    ks_budget_init(&desk->budget, limit);
    unit_executor_init(&desk->executor);
}

static void desk_destroy(struct desk *desk)
{
    assert_int_equal(atomic_load(&desk->budget.used), 0);
    assert_int_equal(atomic_load(&desk->budget.waiting), 0);
    assert_int_equal(atomic_load(&desk->budget.in_line), 0);
    assert_null(desk->budget.shares);
    assert_null(desk->budget.watched);
    ks_budget_destroy(&desk->budget);
}

static void taker_init(struct desk *desk, struct taker *taker)
{
    *taker = (struct taker){.desk = desk};
    ks_holder_init(&taker->holder, &desk->budget, &desk->executor.executor, called);
}

static void claimant_init(struct desk *desk, struct taker *taker, const uint8_t *user, const uint8_t *address)
{
    taker_init(desk, taker);
    assert_int_equal(ks_holder_claim(&taker->holder, user, address), KS_OK);
}

/* Gives back what it holds, and is over. */
static void taker_end(struct taker *taker)
{
    ks_holder_stop_waiting(&taker->holder);
    ks_holder_give(&taker->holder, taker->holder.held);
    assert_true(ks_holder_end(&taker->holder));
}

static unsigned run(struct desk *desk)
{
    return unit_executor_run(&desk->executor);
}

/* ---- the limit ---- */

static void budget_is_taken_up_to_its_limit(void **state)
{
    (void)state;
    struct desk desk;
    struct taker taker;
    desk_init(&desk, 100);
    taker_init(&desk, &taker);
    assert_true(ks_holder_take(&taker.holder, 60));
    assert_false(ks_holder_take(&taker.holder, 41));
    assert_true(ks_holder_take(&taker.holder, 40));
    assert_false(ks_holder_take(&taker.holder, 1));
    assert_true(ks_holder_take(&taker.holder, 0));
    ks_holder_give(&taker.holder, 60);
    assert_true(ks_holder_take(&taker.holder, 60));
    taker_end(&taker);
    desk_destroy(&desk);
}

static void request_over_the_limit_is_granted_when_nothing_else_is_out(void **state)
{
    (void)state;
    struct desk desk;
    struct taker taker;
    desk_init(&desk, 100);
    taker_init(&desk, &taker);
    assert_true(ks_holder_take(&taker.holder, 1));
    assert_false(ks_holder_take(&taker.holder, 101));
    assert_false(ks_holder_take(&taker.holder, SIZE_MAX)); /* nor does the sum wrap round */
    ks_holder_give(&taker.holder, 1);
    assert_true(ks_holder_take(&taker.holder, 1000));
    assert_false(ks_holder_take(&taker.holder, 1));
    ks_holder_give(&taker.holder, 1000);
    assert_true(ks_holder_take(&taker.holder, 100));
    taker_end(&taker);
    desk_destroy(&desk);
}

static void half_of_the_budget_is_left_by_those_who_can_do_with_less(void **state)
{
    (void)state;
    struct desk desk;
    struct taker taker;
    desk_init(&desk, 100);
    taker_init(&desk, &taker);
    assert_false(ks_holder_take_of_half(&taker.holder, 51));
    assert_true(ks_holder_take_of_half(&taker.holder, 50));
    assert_false(ks_holder_take_of_half(&taker.holder, 1));
    assert_false(ks_holder_take_of_half(&taker.holder, SIZE_MAX));
    assert_true(ks_holder_take(&taker.holder, 50));
    ks_holder_give(&taker.holder, 51);
    assert_true(ks_holder_take_of_half(&taker.holder, 1));
    taker_end(&taker);
    desk_destroy(&desk);
}

static void few_blocks_are_kept_and_used_again(void **state)
{
    (void)state;
    enum { MORE = KS_BUDGET_BLOCKS_KEPT + 2 };
    struct ks_budget budget;
    void *blocks[MORE];
    ks_budget_init(&budget, 100);
    for (size_t i = 0; i < MORE; i++) {
        blocks[i] = ks_budget_block_new(&budget);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % KS_BUDGET_BLOCK_ALIGNMENT, 0);
        memset(blocks[i], (int)i, KS_BUDGET_BLOCK_SIZE);
    }
    void *const first = blocks[0];
    for (size_t i = 0; i < MORE; i++)
        ks_budget_block_free(&budget, blocks[i]);
    assert_int_equal(budget.block_count, KS_BUDGET_BLOCKS_KEPT);
    for (size_t i = 0; i < KS_BUDGET_BLOCKS_KEPT; i++)
        blocks[i] = ks_budget_block_new(&budget);
    assert_ptr_equal(blocks[KS_BUDGET_BLOCKS_KEPT - 1], first);
    for (size_t i = 0; i < KS_BUDGET_BLOCKS_KEPT; i++)
        ks_budget_block_free(&budget, blocks[i]);
    ks_budget_destroy(&budget); /* and leaks none */
}

/* ---- the line ---- */

static void those_who_wait_are_given_what_is_there_in_their_order(void **state)
{
    (void)state;
    struct desk desk;
    struct taker holder;
    struct taker waiting[3];
    desk_init(&desk, 10);
    taker_init(&desk, &holder);
    assert_true(ks_holder_take(&holder.holder, 10));
    for (size_t i = 0; i < 3; i++) {
        taker_init(&desk, &waiting[i]);
        ks_holder_wait(&waiting[i].holder, 4);
    }
    assert_int_equal(run(&desk), 0);
    ks_holder_give(&holder.holder, 8);
    assert_int_equal(run(&desk), 2);
    assert_int_equal(waiting[0].place, 1);
    assert_int_equal(waiting[1].place, 2);
    assert_int_equal(waiting[1].granted, 4);
    assert_int_equal(waiting[2].granted, 0);
    ks_holder_give(&waiting[0].holder, 4);
    assert_int_equal(run(&desk), 1);
    assert_int_equal(waiting[2].granted, 4);
    for (size_t i = 0; i < 3; i++)
        taker_end(&waiting[i]);
    taker_end(&holder);
    desk_destroy(&desk);
}

static void nobody_passes_those_who_wait(void **state)
{
    (void)state;
    struct desk desk;
    struct taker holder;
    struct taker waiting;
    struct taker late;
    desk_init(&desk, 10);
    taker_init(&desk, &holder);
    taker_init(&desk, &waiting);
    taker_init(&desk, &late);
    assert_true(ks_holder_take(&holder.holder, 8));
    ks_holder_wait(&waiting.holder, 5);
    assert_false(ks_holder_take(&late.holder, 1)); /* though it would fit */
    ks_holder_give(&holder.holder, 8);
    assert_int_equal(run(&desk), 1);
    assert_true(ks_holder_take(&late.holder, 5));
    taker_end(&holder);
    taker_end(&waiting);
    taker_end(&late);
    desk_destroy(&desk);
}

static void waiting_for_what_is_there_ends_at_once(void **state)
{
    (void)state;
    struct desk desk;
    struct taker taker;
    desk_init(&desk, 10);
    taker_init(&desk, &taker);
    ks_holder_wait(&taker.holder, 11);
    assert_false(ks_holder_end(&taker.holder)); /* the call is on its way */
    assert_int_equal(run(&desk), 1);
    assert_int_equal(taker.granted, 11);
    taker_end(&taker);
    desk_destroy(&desk);
}

/* One of three stops waiting, at each place in the line, and then one more comes. */
static void who_stops_waiting_gets_nothing_and_the_others_do(void **state)
{
    (void)state;
    for (size_t stopped = 0; stopped < 3; stopped++) {
        struct desk desk;
        struct taker holder;
        struct taker waiting[4];
        desk_init(&desk, 12);
        taker_init(&desk, &holder);
        assert_true(ks_holder_take(&holder.holder, 12));
        for (size_t i = 0; i < 4; i++)
            taker_init(&desk, &waiting[i]);
        for (size_t i = 0; i < 3; i++)
            ks_holder_wait(&waiting[i].holder, 4);
        assert_true(ks_holder_end(&waiting[stopped].holder));
        ks_holder_wait(&waiting[3].holder, 4);
        ks_holder_give(&holder.holder, 12);
        assert_int_equal(run(&desk), 3);
        assert_int_equal(waiting[stopped].granted, 0);
        assert_int_equal(waiting[3].place, 3);
        for (size_t i = 0; i < 4; i++)
            taker_end(&waiting[i]);
        taker_end(&holder);
        desk_destroy(&desk);
    }
}

/* ---- shares ---- */

enum {
    LIMIT = 800,
    USER_SHARE = LIMIT / KS_BUDGET_PARTS,
    NETWORK_SHARE = USER_SHARE * KS_BUDGET_NETWORK_SHARE,
};

static void a_user_has_a_share_wherever_it_comes_from(void **state)
{
    (void)state;
    struct desk desk;
    struct taker first;
    struct taker second;
    struct taker other;
    desk_init(&desk, LIMIT);
    claimant_init(&desk, &first, alice, here);
    claimant_init(&desk, &second, alice, there);
    claimant_init(&desk, &other, bob, here);
    assert_true(ks_holder_take(&first.holder, USER_SHARE - 10));
    assert_false(ks_holder_take(&second.holder, 11));
    assert_true(ks_holder_take(&other.holder, USER_SHARE));
    ks_holder_wait(&second.holder, 11);
    assert_true(ks_holder_take(&other.holder, 0)); /* who waits for its own share is in nobody's way */
    ks_holder_give(&first.holder, 1);
    assert_int_equal(run(&desk), 1);
    assert_int_equal(second.granted, 11);
    taker_end(&first);
    taker_end(&second);
    taker_end(&other);
    desk_destroy(&desk);
}

static void a_network_has_a_share_for_all_its_users(void **state)
{
    (void)state;
    struct desk desk;
    struct taker takers[3];
    desk_init(&desk, LIMIT);
    for (uint8_t i = 0; i < 3; i++) {
        uint8_t address[KS_NETWORK_ADDRESS_SIZE];
        const uint8_t user[USER_SIZE] = {i};
        memcpy(address, here, sizeof address);
        address[15] = i; /* within the /64 of a customer */
        claimant_init(&desk, &takers[i], user, address);
    }
    assert_true(ks_holder_take(&takers[0].holder, USER_SHARE));
    assert_true(ks_holder_take(&takers[1].holder, NETWORK_SHARE - USER_SHARE));
    assert_false(ks_holder_take(&takers[2].holder, 1));
    ks_holder_wait(&takers[2].holder, 50);
    struct taker unlimited;
    claimant_init(&desk, &unlimited, bob, NULL);
    assert_true(ks_holder_take(&unlimited.holder, USER_SHARE));
    ks_holder_give(&takers[1].holder, 50);
    assert_int_equal(run(&desk), 1);
    assert_int_equal(takers[2].granted, 50);
    for (size_t i = 0; i < 3; i++)
        taker_end(&takers[i]);
    taker_end(&unlimited);
    desk_destroy(&desk);
}

/* Customers of one /48, each far from the share of its own /64. */
static void wider_networks_have_larger_shares(void **state)
{
    (void)state;
    struct desk desk;
    struct taker takers[8];
    size_t granted = 0;
    desk_init(&desk, LIMIT);
    for (uint8_t i = 0; i < 8; i++) {
        uint8_t address[KS_NETWORK_ADDRESS_SIZE];
        const uint8_t user[USER_SIZE] = {i};
        memcpy(address, here, sizeof address);
        address[6] = i / 2; /* two customers in each /56 */
        address[7] = i;
        claimant_init(&desk, &takers[i], user, address);
        granted += ks_holder_take(&takers[i].holder, USER_SHARE) ? 1 : 0;
    }
    assert_int_equal(granted, KS_BUDGET_NETWORK_SHARE + 2);
    for (size_t i = 0; i < 8; i++)
        taker_end(&takers[i]);
    desk_destroy(&desk);
}

static void a_user_that_is_not_known_yet_counts_for_its_network_only(void **state)
{
    (void)state;
    struct desk desk;
    struct taker taker;
    desk_init(&desk, LIMIT);
    claimant_init(&desk, &taker, NULL, here);
    assert_true(ks_holder_take(&taker.holder, USER_SHARE + 1));
    assert_false(ks_holder_take(&taker.holder, NETWORK_SHARE - USER_SHARE));
    taker_end(&taker);
    desk_destroy(&desk);
}

/* A request over a share is granted when nothing else of it is out; over the limit it waits in line. */
static void a_share_is_never_too_small_for_one(void **state)
{
    (void)state;
    struct desk desk;
    struct taker taker;
    struct taker other;
    desk_init(&desk, LIMIT);
    claimant_init(&desk, &taker, alice, here);
    claimant_init(&desk, &other, bob, there);
    assert_true(ks_holder_take(&taker.holder, LIMIT - 1));
    assert_false(ks_holder_take(&taker.holder, 1));
    assert_false(ks_holder_take(&other.holder, 2));
    ks_holder_wait(&other.holder, 2);
    ks_holder_give(&taker.holder, LIMIT - 1);
    assert_int_equal(run(&desk), 1);
    taker_end(&taker);
    taker_end(&other);
    desk_destroy(&desk);
}

/* ---- the slowest ---- */

enum { PATIENCE = KS_HOLDER_PATIENCE_MS };

/* Two users of other networks, one with a hundred bytes and one that fills the budget. */
struct pressed {
    struct desk desk;
    struct taker slow; /* sends 10 bytes a second */
    struct taker fast; /* sends what it holds every second */
    struct taker waiting;
    uint64_t now_ms;
};

static void pressed_init(struct pressed *pressed)
{
    static const uint8_t third[USER_SIZE] = "third";
    static const uint8_t elsewhere[KS_NETWORK_ADDRESS_SIZE] = {0x20, 3};
    desk_init(&pressed->desk, 200);
    claimant_init(&pressed->desk, &pressed->slow, alice, here);
    claimant_init(&pressed->desk, &pressed->fast, bob, there);
    claimant_init(&pressed->desk, &pressed->waiting, third, elsewhere);
    assert_true(ks_holder_take(&pressed->slow.holder, 100));
    assert_true(ks_holder_take(&pressed->fast.holder, 100));
    pressed->now_ms = 1000;
    ks_holder_watch(&pressed->slow.holder, true, pressed->now_ms);
    ks_holder_watch(&pressed->fast.holder, true, pressed->now_ms);
    ks_holder_wait(&pressed->waiting.holder, 20);
}

/* `seconds` pass, after each of which who waits presses. */
static void press(struct pressed *pressed, unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        pressed->now_ms += 1000;
        ks_holder_progressed(&pressed->slow.holder, 10);
        ks_holder_progressed(&pressed->fast.holder, 100);
        ks_holder_press(&pressed->waiting.holder, pressed->now_ms);
        run(&pressed->desk);
    }
}

static void pressed_end(struct pressed *pressed)
{
    taker_end(&pressed->slow);
    taker_end(&pressed->fast);
    run(&pressed->desk);
    taker_end(&pressed->waiting);
    desk_destroy(&pressed->desk);
}

static void who_waits_has_the_slowest_holder_cut(void **state)
{
    (void)state;
    struct pressed pressed;
    pressed_init(&pressed);
    press(&pressed, PATIENCE / 1000 - 1);
    assert_false(pressed.slow.is_cut); /* everybody is given some time */
    press(&pressed, 1);
    assert_true(pressed.slow.is_cut);
    assert_false(pressed.fast.is_cut);
    assert_int_equal(atomic_load(&pressed.desk.budget.cuts), 1);
    ks_holder_give(&pressed.slow.holder, 100);
    assert_int_equal(run(&pressed.desk), 1);
    assert_int_equal(pressed.waiting.granted, 20);
    pressed_end(&pressed);
}

static void nobody_is_cut_while_memory_comes_back_soon(void **state)
{
    (void)state;
    struct pressed pressed;
    pressed_init(&pressed);
    ks_holder_watch(&pressed.slow.holder, false, 0); /* waits for us: for the disk, say */
    press(&pressed, 100);
    assert_int_equal(pressed.desk.calls, 0);
    pressed_end(&pressed);
}

static void what_was_long_ago_does_not_help(void **state)
{
    (void)state;
    struct pressed pressed;
    pressed_init(&pressed);
    ks_holder_progressed(&pressed.slow.holder, 1000 * 1000); /* a fast beginning */
    press(&pressed, 100);
    assert_true(pressed.slow.is_cut);
    assert_false(pressed.fast.is_cut);
    pressed_end(&pressed);
}

static void who_has_gone_on_meanwhile_is_not_cut(void **state)
{
    (void)state;
    struct pressed pressed;
    pressed_init(&pressed);
    pressed.now_ms += PATIENCE;
    ks_holder_progressed(&pressed.fast.holder, 1000);
    ks_holder_press(&pressed.waiting.holder, pressed.now_ms);
    ks_holder_watch(&pressed.slow.holder, false, 0);
    assert_false(ks_holder_end(&pressed.slow.holder)); /* the call is still on its way */
    assert_int_equal(run(&pressed.desk), 1);
    assert_false(pressed.slow.is_cut);
    pressed_end(&pressed);
}

static void who_waits_for_its_own_share_has_nobody_cut(void **state)
{
    (void)state;
    struct desk desk;
    struct taker slow;
    struct taker waiting;
    desk_init(&desk, LIMIT);
    claimant_init(&desk, &slow, alice, here);
    claimant_init(&desk, &waiting, alice, there);
    assert_true(ks_holder_take(&slow.holder, USER_SHARE));
    ks_holder_watch(&slow.holder, true, 0);
    ks_holder_wait(&waiting.holder, 1);
    ks_holder_press(&waiting.holder, UINT64_C(10) * PATIENCE);
    assert_int_equal(run(&desk), 0);
    taker_end(&waiting);
    taker_end(&slow);
    desk_destroy(&desk);
}

static void who_waits_for_a_network_has_somebody_of_it_cut(void **state)
{
    (void)state;
    struct desk desk;
    struct taker neighbour;
    struct taker slower;
    struct taker waiting;
    static const uint8_t other[USER_SIZE] = "other";
    desk_init(&desk, LIMIT);
    claimant_init(&desk, &neighbour, alice, here);
    claimant_init(&desk, &slower, bob, there);
    claimant_init(&desk, &waiting, other, here);
    assert_true(ks_holder_take(&neighbour.holder, NETWORK_SHARE));
    assert_true(ks_holder_take(&slower.holder, NETWORK_SHARE));
    ks_holder_watch(&neighbour.holder, true, 0);
    ks_holder_watch(&slower.holder, true, 0);
    ks_holder_progressed(&neighbour.holder, 1);
    ks_holder_wait(&waiting.holder, 1);
    ks_holder_press(&waiting.holder, UINT64_C(10) * PATIENCE);
    assert_int_equal(run(&desk), 1);
    assert_true(neighbour.is_cut);
    assert_false(slower.is_cut);
    taker_end(&neighbour);
    taker_end(&slower);
    run(&desk);
    taker_end(&waiting);
    desk_destroy(&desk);
}

/* ---- threads ---- */

/* A user of the budget on a thread of its own: takes or waits, again and again, until it took often enough.
 */
struct consumer {
    struct ks_holder holder;
    struct ks_task task;
    struct ks_thread *thread;
    _Atomic size_t *out;
    sem_t *finished;
    size_t size;
    unsigned left;
    bool over_limit;
};

enum { BUDGET_LIMIT = 100, CONSUMERS = 6, TAKES_OF_EACH = 3000 };

static void consume(struct consumer *consumer)
{
    if (atomic_fetch_add(consumer->out, consumer->size) + consumer->size > BUDGET_LIMIT)
        consumer->over_limit = true;
    ks_holder_watch(&consumer->holder, true, 0);
    ks_holder_watch(&consumer->holder, false, 0);
    atomic_fetch_sub(consumer->out, consumer->size);
    ks_holder_give(&consumer->holder, consumer->size);
    if (--consumer->left > 0)
        ks_executor_post(consumer->holder.executor, &consumer->task);
    else
        sem_post(consumer->finished);
}

static void consumer_run(struct ks_task *task)
{
    struct consumer *consumer = KS_CONTAINER_OF(task, struct consumer, task);
    if (ks_holder_take(&consumer->holder, consumer->size)) {
        consume(consumer);
        return;
    }
    ks_holder_wait(&consumer->holder, consumer->size);
    ks_holder_press(&consumer->holder, consumer->left);
}

static void consumer_called(struct ks_holder *holder, size_t granted, bool is_cut)
{
    (void)is_cut;
    if (granted > 0)
        consume(KS_CONTAINER_OF(holder, struct consumer, holder));
}

static struct ks_thread *start_thread(void)
{
    static const struct ks_thread_hooks no_hooks = {0};
    struct ks_thread *thread = NULL;
    assert_int_equal(ks_thread_start(&thread, "test", &no_hooks), KS_OK);
    return thread;
}

static void many_threads_share_a_budget_and_nobody_is_forgotten(void **state)
{
    (void)state;
    struct ks_budget budget;
    struct consumer consumers[CONSUMERS];
    _Atomic size_t out = 0;
    sem_t finished;
    sem_init(&finished, 0, 0);
    ks_budget_init(&budget, BUDGET_LIMIT);
    for (size_t i = 0; i < CONSUMERS; i++) {
        struct ks_thread *thread = start_thread();
        consumers[i] = (struct consumer){
            .task.run = consumer_run,
            .thread = thread,
            .out = &out,
            .finished = &finished,
            .size = 30 + 10 * i, /* so that two or three fit together */
            .left = TAKES_OF_EACH,
        };
        ks_holder_init(&consumers[i].holder, &budget, ks_thread_executor(thread), consumer_called);
        if (i % 3 > 0) /* claims of two users, and none */
            assert_int_equal(ks_holder_claim(&consumers[i].holder, i % 3 == 1 ? alice : bob, here), KS_OK);
    }
    for (size_t i = 0; i < CONSUMERS; i++)
        ks_executor_post(consumers[i].holder.executor, &consumers[i].task);
    for (size_t i = 0; i < CONSUMERS; i++)
        while (sem_wait(&finished) != 0)
            ;
    for (size_t i = 0; i < CONSUMERS; i++)
        ks_thread_stop(consumers[i].thread);
    for (size_t i = 0; i < CONSUMERS; i++) {
        assert_false(consumers[i].over_limit);
        assert_true(ks_holder_end(&consumers[i].holder));
    }
    assert_int_equal(atomic_load(&budget.used), 0);
    assert_int_equal(atomic_load(&budget.waiting), 0);
    ks_budget_destroy(&budget);
    sem_destroy(&finished);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budget_is_taken_up_to_its_limit),
        cmocka_unit_test(request_over_the_limit_is_granted_when_nothing_else_is_out),
        cmocka_unit_test(half_of_the_budget_is_left_by_those_who_can_do_with_less),
        cmocka_unit_test(few_blocks_are_kept_and_used_again),
        cmocka_unit_test(those_who_wait_are_given_what_is_there_in_their_order),
        cmocka_unit_test(nobody_passes_those_who_wait),
        cmocka_unit_test(waiting_for_what_is_there_ends_at_once),
        cmocka_unit_test(who_stops_waiting_gets_nothing_and_the_others_do),
        cmocka_unit_test(a_user_has_a_share_wherever_it_comes_from),
        cmocka_unit_test(a_network_has_a_share_for_all_its_users),
        cmocka_unit_test(wider_networks_have_larger_shares),
        cmocka_unit_test(a_user_that_is_not_known_yet_counts_for_its_network_only),
        cmocka_unit_test(a_share_is_never_too_small_for_one),
        cmocka_unit_test(who_waits_has_the_slowest_holder_cut),
        cmocka_unit_test(nobody_is_cut_while_memory_comes_back_soon),
        cmocka_unit_test(what_was_long_ago_does_not_help),
        cmocka_unit_test(who_has_gone_on_meanwhile_is_not_cut),
        cmocka_unit_test(who_waits_for_its_own_share_has_nobody_cut),
        cmocka_unit_test(who_waits_for_a_network_has_somebody_of_it_cut),
        cmocka_unit_test(many_threads_share_a_budget_and_nobody_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
