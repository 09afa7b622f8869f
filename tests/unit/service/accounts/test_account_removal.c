/* Unit tests of 3008, and of who is cut when an account goes: on all loops, at once, and whatever was on its
 * way. */
#include "unit/service/accounts/secure_fixture.h"

#include "service/operators/control.h"

/* Of the user of this name, as an operator does it: asks the store, then tells presence. */
struct removal {
    struct ks_store_remove_user request;
    struct gate *gate;
};

static void user_removed(struct ks_store_request *request)
{
    struct removal *removal = KS_CONTAINER_OF(request, struct removal, request.request);
    assert_int_equal(request->result, KS_OK);
    ks_presence_cut(removal->gate->accounts.presence, &removal->request.id, NULL);
}

static void remove_user(struct gate *gate, const char *name)
{
    struct removal removal = {.gate = gate};
    bool later = gate->store.later;
    removal.request.request.done = user_removed;
    removal.request.request.reply_to = &gate->loops[1].loop.executor;
    snprintf(removal.request.name, sizeof removal.request.name, "%s", name);
    gate->store.later = false;
    ks_store_remove_user(&gate->store.store, &removal.request);
    gate->store.later = later;
}

static void an_account_is_removed_with_a_fresh_signature_and_the_connection_ends(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const uint8_t *payload = NULL;
    size_t size = 0;
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &alice, "alice");
    const struct sent removal = removal_for(gate, 0, &alice);
    send_it(gate, 0, &removal);
    assert_int_equal(hear(gate, 0, &payload, &size), KS_RESPONSE_ACCOUNT_REMOVED);
    assert_int_equal(size, 0);
    assert_true(gate->peers[0].finished);
    assert_int_equal(gate->store.user_count, 0);
    gate_open(gate, 1);
    sign_in(gate, 1, &alice);
    assert_refused(gate, 1, KS_REFUSAL_UNKNOWN_ACCOUNT);
    enrol(gate, 1, &alice, "alice", ""); /* the name goes to nobody by itself */
    assert_refused(gate, 1, KS_REFUSAL_NAME_TAKEN);
}

static void a_sign_in_is_no_signature_for_a_removal(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct person mallory = person_of('m');
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &alice, "alice");
    const struct sent signed_in = sign_in_for(gate, 0, &alice);
    ask(gate, 0, KS_REQUEST_REMOVE_ACCOUNT, signed_in.bytes + signed_in.size - KS_SIGNATURE_SIZE,
        KS_SIGNATURE_SIZE);
    assert_refused(gate, 0, KS_REFUSAL_SIGNATURE);
    struct sent other = removal_for(gate, 0, &mallory);
    send_it(gate, 0, &other); /* the third signature on this connection */
    assert_refused(gate, 0, KS_REFUSAL_SIGNATURES);
    assert_int_equal(gate->store.user_count, 1);
}

static void all_connections_of_a_removed_account_are_cut_at_once_and_no_others(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct person bob = person_of('b');
    make_account(gate, 0, &alice, "alice");
    for (unsigned i = 0; i < 4; i++) {
        gate_open_on(gate, i, i % 2);
        sign_in(gate, i, &alice);
        assert_told(gate, i, KS_RESPONSE_SIGNED_IN);
    }
    gate_open_on(gate, 4, 1);
    assert_enrolled(gate, 4, &bob, "bob");
    const struct sent removal = removal_for(gate, 0, &alice);
    send_it(gate, 0, &removal);
    assert_told(gate, 0, KS_RESPONSE_ACCOUNT_REMOVED);
    assert_false(gate->peers[0].aborted); /* it has its answer */
    for (unsigned i = 1; i < 4; i++)
        assert_true(gate->peers[i].aborted);
    assert_false(gate->peers[4].aborted);
    ask(gate, 4, KS_REQUEST_MY_ACCOUNT, NULL, 0);
    assert_told(gate, 4, KS_RESPONSE_MY_ACCOUNT);
}

static void an_operator_who_removes_an_account_cuts_its_connections(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    struct ks_control_environment control = {.operations = {.store = &gate->store.store,
                                                            .random = ks_random_system(),
                                                            .clock = gate->environment.clock,
                                                            .groups = gate->groups,
                                                            .presence = gate->accounts.presence,
                                                            .alias_key = gate->alias_key,
                                                            .log = gate->environment.log}};
    gate_open_on(gate, 0, 1);
    assert_enrolled(gate, 0, &alice, "alice");
    assert_true(fake_connection_open(&gate->peers[1], &gate->loops[0], &ks_control_events, &control));
    fake_connection_send(&gate->peers[1], "1 remove alice\n", 15, 0);
    gate_run(gate);
    assert_true(gate->peers[0].aborted);
    gate_close(gate, 1);
}

/* What an account was asking for goes nowhere, and what it had sent behind it is not looked at. */
static void who_is_cut_in_the_middle_of_a_request_is_served_no_further(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &alice, "alice");
    gate->store.later = true;
    const struct sent settings = request(KS_REQUEST_MY_ACCOUNT, NULL, 0);
    send_only(gate, 0, &settings);
    send_only(gate, 0, &settings);
    remove_user(gate, "alice");
    gate_run(gate);
    assert_true(gate->peers[0].aborted);
    gate_close(gate, 0);
}

/* ---- races ---- */

/* The store has said yes, the removal is committed, and nobody attends yet whom it could cut. */
static void a_sign_in_whose_account_goes_meanwhile_does_not_stay(void **state)
{
    struct gate *gate = *state;
    bool was_told = false;
    bool was_refused = false;
    for (unsigned steps = 0; steps < 20; steps++) {
        char name[16];
        const struct person person = person_of((uint8_t)(100 + steps));
        snprintf(name, sizeof name, "person%u", steps);
        gate->store.later = false;
        make_account(gate, 0, &person, name);
        gate->store.later = true;
        gate_open(gate, 0);
        const struct sent sent = sign_in_for(gate, 0, &person);
        send_only(gate, 0, &sent);
        gate_step(gate, steps);
        remove_user(gate, name);
        gate_run(gate);
        const uint8_t *payload = NULL;
        size_t size = 0;
        int heard = hear(gate, 0, &payload, &size);
        was_told = was_told || heard == KS_RESPONSE_SIGNED_IN;
        was_refused = was_refused || heard == KS_RESPONSE_REFUSED;
        /* Whatever it was told: it is no longer signed in. */
        assert_true(gate->peers[0].aborted || heard == KS_RESPONSE_REFUSED);
        if (heard == KS_RESPONSE_REFUSED) {
            ask(gate, 0, KS_REQUEST_MY_ACCOUNT, NULL, 0);
            assert_refused(gate, 0, KS_REFUSAL_SIGN_IN_FIRST);
        }
        gate_close(gate, 0);
    }
    assert_true(was_told && was_refused); /* else nothing has raced */
}

static void a_registration_whose_account_goes_meanwhile_does_not_stay(void **state)
{
    struct gate *gate = *state;
    bool has_raced = false;
    for (unsigned steps = 0; steps < 20; steps++) {
        char name[16];
        const struct person person = person_of((uint8_t)(100 + steps));
        snprintf(name, sizeof name, "person%u", steps);
        gate->store.later = true;
        gate_open(gate, 0);
        const struct sent sent = registration_for(gate, 0, &person, name, "");
        send_only(gate, 0, &sent);
        gate_step(gate, steps);
        if (gate->store.user_count == 1) {
            remove_user(gate, name);
            has_raced = true;
            gate_run(gate);
            const uint8_t *payload = NULL;
            size_t size = 0;
            int heard = hear(gate, 0, &payload, &size);
            assert_true(gate->peers[0].aborted || heard == KS_RESPONSE_REFUSED);
        } else {
            gate_run(gate);
            remove_user(gate, name);
            gate_run(gate);
            assert_true(gate->peers[0].aborted);
        }
        gate_close(gate, 0);
    }
    assert_true(has_raced);
}

/* The task that cuts is on its way when the connection goes by itself. */
static void who_goes_while_being_cut_is_gone_once(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    gate_open_on(gate, 0, 1);
    assert_enrolled(gate, 0, &alice, "alice");
    remove_user(gate, "alice");
    gate_close(gate, 0);
    assert_int_equal(ks_presence_count(gate->accounts.presence), 0);
}

static void two_who_remove_one_account_at_once_both_end(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    make_account(gate, 0, &alice, "alice");
    for (unsigned i = 0; i < 2; i++) {
        gate_open_on(gate, i, i);
        sign_in(gate, i, &alice);
        assert_told(gate, i, KS_RESPONSE_SIGNED_IN);
    }
    gate->store.later = true;
    for (unsigned i = 0; i < 2; i++) {
        const struct sent removal = removal_for(gate, i, &alice);
        send_only(gate, i, &removal);
    }
    gate_run(gate);
    assert_int_equal(gate->store.user_count, 0);
    for (unsigned i = 0; i < 2; i++)
        assert_true(gate->peers[i].finished || gate->peers[i].aborted);
}

/* ---- connections that go ---- */

static struct sent prepare_removal(struct gate *gate)
{
    static uint8_t seed;
    char name[16];
    seed++;
    const struct person person = person_of(seed);
    snprintf(name, sizeof name, "person%u", (unsigned)seed);
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &person, name);
    return removal_for(gate, 0, &person);
}

/* It is gone, or as it was. */
static void judge_removal(struct gate *gate)
{
    static unsigned removed;
    assert_in_range(gate->store.user_count + gate->store.removed, 1, 60);
    assert_true(gate->store.removed >= removed);
    removed = (unsigned)gate->store.removed;
}

static void a_connection_may_go_at_every_step_of_a_removal(void **state)
{
    struct gate *gate = *state;
    gate_cut_at_every_step(gate, prepare_removal, judge_removal);
    assert_true(gate->store.removed > 0);
    assert_true(gate->store.user_count > 0);
}

static void a_removal_that_the_disk_refuses_changes_nothing(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &alice, "alice");
    gate->store.next_failure = KS_NO_SPACE;
    const struct sent removal = removal_for(gate, 0, &alice);
    send_it(gate, 0, &removal);
    assert_refused(gate, 0, KS_REFUSAL_NO_SPACE);
    assert_false(gate->peers[0].finished);
    ask(gate, 0, KS_REQUEST_MY_ACCOUNT, NULL, 0);
    assert_told(gate, 0, KS_RESPONSE_MY_ACCOUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(an_account_is_removed_with_a_fresh_signature_and_the_connection_ends),
        GATE_TEST(a_sign_in_is_no_signature_for_a_removal),
        GATE_TEST(all_connections_of_a_removed_account_are_cut_at_once_and_no_others),
        GATE_TEST(an_operator_who_removes_an_account_cuts_its_connections),
        GATE_TEST(who_is_cut_in_the_middle_of_a_request_is_served_no_further),
        GATE_TEST(a_sign_in_whose_account_goes_meanwhile_does_not_stay),
        GATE_TEST(a_registration_whose_account_goes_meanwhile_does_not_stay),
        GATE_TEST(who_goes_while_being_cut_is_gone_once),
        GATE_TEST(two_who_remove_one_account_at_once_both_end),
        GATE_TEST(a_connection_may_go_at_every_step_of_a_removal),
        GATE_TEST(a_removal_that_the_disk_refuses_changes_nothing),
    };
    return cmocka_run_group_tests_name("account_removal", tests, NULL, NULL);
}
