/* Unit tests of service/accounts/presence.h: many threads come, go, and cut each other. Under
 * ThreadSanitizer, too. */
#include "unit/unit.h"

#include "service/accounts/presence.h"

#include <pthread.h>

static const uint8_t key[KS_ACCOUNT_KEY_SIZE] = {1};
static const uint8_t other_key[KS_ACCOUNT_KEY_SIZE] = {2};
static const struct ks_client_id alice = {{1}};
static const struct ks_client_id bob = {{2}};

static void count_cut(void *owner)
{
    ++*(unsigned *)owner;
}

static void only_the_account_is_cut_and_each_of_its_connections_once(void **state)
{
    struct ks_presence *presence = NULL;
    struct unit_executor executor;
    struct ks_attendance *attendances[4];
    unsigned cuts[4] = {0};
    (void)state;
    unit_executor_init(&executor);
    assert_int_equal(ks_presence_new(&presence), KS_OK);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(ks_presence_enter(presence, i == 3 ? &bob : &alice, i == 2 ? other_key : key, 0,
                                           &executor.executor, &attendances[i]),
                         KS_OK);
        assert_true(ks_attendance_set_owner(attendances[i], count_cut, &cuts[i]));
    }
    ks_presence_cut_others(presence, &alice, other_key);
    assert_int_equal(cuts[0] + cuts[1], 0); /* on their loop, not here */
    unit_executor_run(&executor);
    assert_int_equal(cuts[0], 1);
    assert_int_equal(cuts[1], 1);
    assert_int_equal(cuts[2] + cuts[3], 0);
    ks_presence_cut(presence, &alice, attendances[2]);
    unit_executor_run(&executor);
    assert_int_equal(cuts[0] + cuts[1], 2);
    assert_int_equal(cuts[2] + cuts[3], 0);
    ks_presence_cut(presence, &alice, NULL);
    ks_presence_leave(attendances[2]); /* while it is on its way */
    unit_executor_run(&executor);
    assert_int_equal(cuts[2] + cuts[3], 0);
    ks_presence_leave(attendances[0]);
    ks_presence_leave(attendances[1]);
    ks_presence_leave(attendances[3]);
    ks_presence_leave(NULL);
    assert_int_equal(ks_presence_count(presence), 0);
    ks_presence_free(presence);
}

static void who_was_cut_before_it_had_an_owner_says_so(void **state)
{
    struct ks_presence *presence = NULL;
    struct unit_executor executor;
    struct ks_attendance *attendance = NULL;
    unsigned cuts = 0;
    (void)state;
    unit_executor_init(&executor);
    assert_int_equal(ks_presence_new(&presence), KS_OK);
    assert_int_equal(ks_presence_enter(presence, &alice, key, 1, &executor.executor, &attendance), KS_OK);
    struct ks_attendance *second = NULL;
    assert_int_equal(ks_presence_enter(presence, &alice, key, 1, &executor.executor, &second), KS_REFUSED);
    ks_presence_cut(presence, &alice, NULL);
    unit_executor_run(&executor);
    assert_false(ks_attendance_set_owner(attendance, count_cut, &cuts));
    ks_presence_leave(attendance);
    assert_int_equal(ks_presence_enter(presence, &alice, key, 1, &executor.executor, &attendance), KS_OK);
    ks_presence_leave(attendance);
    assert_int_equal(cuts, 0);
    ks_presence_free(presence);
}

/* ---- threads ---- */

enum { CROWD_THREADS = 4, CROWD_ROUNDS = 3000 };

struct crowd_member {
    struct ks_presence *presence;
    struct unit_executor executor;
    pthread_t thread;
    unsigned cuts;
};

/* Each is a loop of its own: what is posted to it, it runs itself. */
static void *come_and_go(void *context)
{
    struct crowd_member *member = context;
    for (unsigned i = 0; i < CROWD_ROUNDS; i++) {
        struct ks_attendance *attendance = NULL;
        const struct ks_client_id *id = i % 3 == 0 ? &bob : &alice;
        if (ks_presence_enter(member->presence, id, i % 2 == 0 ? key : other_key, CROWD_THREADS,
                              &member->executor.executor, &attendance) != KS_OK)
            abort();
        ks_attendance_set_owner(attendance, count_cut, &member->cuts);
        if (i % 5 == 0)
            ks_presence_cut(member->presence, &alice, i % 10 == 0 ? attendance : NULL);
        if (i % 7 == 0)
            ks_presence_cut_others(member->presence, &bob, key);
        if (i % 3 != 1) /* sometimes it goes first */
            unit_executor_run(&member->executor);
        ks_presence_leave(attendance);
    }
    unit_executor_run(&member->executor);
    return NULL;
}

static void many_loops_come_go_and_cut_each_other(void **state)
{
    struct crowd_member members[CROWD_THREADS];
    struct ks_presence *presence = NULL;
    unsigned cuts = 0;
    (void)state;
    assert_int_equal(ks_presence_new(&presence), KS_OK);
    for (unsigned i = 0; i < CROWD_THREADS; i++) {
        members[i] = (struct crowd_member){.presence = presence};
        unit_executor_init(&members[i].executor);
        assert_int_equal(pthread_create(&members[i].thread, NULL, come_and_go, &members[i]), 0);
    }
    for (unsigned i = 0; i < CROWD_THREADS; i++)
        assert_int_equal(pthread_join(members[i].thread, NULL), 0);
    for (unsigned i = 0; i < CROWD_THREADS; i++) {
        unit_executor_run(&members[i].executor);
        cuts += members[i].cuts;
    }
    assert_true(cuts > 0);
    assert_int_equal(ks_presence_count(presence), 0);
    ks_presence_free(presence);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_account_is_cut_and_each_of_its_connections_once),
        cmocka_unit_test(who_was_cut_before_it_had_an_owner_says_so),
        cmocka_unit_test(many_loops_come_go_and_cut_each_other),
    };
    return cmocka_run_group_tests_name("presence", tests, NULL, NULL);
}
