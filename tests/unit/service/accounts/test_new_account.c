/* Unit tests of 3002 and of who is admitted: open, by invitation, or nobody; also on the classic port. */
#include "unit/service/accounts/secure_fixture.h"

static void invited(struct ks_store_request *request)
{
    assert_int_equal(request->result, KS_OK);
}

static void make_invitation_for(struct gate *gate, uint8_t seed, unsigned uses, int64_t until,
                                const char *name, char text[static KS_INVITATION_TEXT_SIZE])
{
    struct ks_store_invite request = {.request = {.reply_to = &gate->loops[0].loop.executor, .done = invited},
                                      .uses = uses,
                                      .until = until};
    uint8_t code[KS_INVITATION_SIZE];
    memset(code, seed, sizeof code);
    ks_base64url_encode(code, sizeof code, text);
    assert_int_equal(ks_sha256(code, sizeof code, request.invitation), KS_OK);
    snprintf(request.name, sizeof request.name, "%s", name);
    bool later = gate->store.later;
    gate->store.later = false;
    ks_store_invite(&gate->store.store, &request);
    gate->store.later = later;
}

/* ---- names ---- */

static void a_new_account_is_stored_with_its_key_and_what_it_looks_like(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &alice, "Alice");
    assert_int_equal(gate->store.user_count, 1);
    assert_true(gate->store.users[0].user.is_account);
    assert_false(gate->store.users[0].user.has_classic_id);
    assert_memory_equal(gate->store.users[0].account_key, alice.key, sizeof alice.key);
    char skeleton[KS_SKELETON_SIZE];
    assert_int_equal(ks_account_name_skeleton(gate->names, "Alice", 5, skeleton), KS_OK);
    assert_string_equal(gate->store.users[0].skeleton, skeleton);
    assert_true(logged(gate, "registered the account \"Alice\""));
}

static void the_same_name_and_key_again_are_answered_again(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    make_account(gate, 0, &alice, "alice");
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &alice, "alice");
    assert_int_equal(gate->store.user_count, 1);
}

static void names_that_are_taken_or_look_like_one_are_refused(void **state)
{
    static const char *const likes[] = {"paypal", "PAYPAL", "paypa1",
                                        "\xd1\x80\xd0\xb0\xd1\x83\xd1\x80\xd0\xb0l"};
    struct gate *gate = *state;
    const struct person first = person_of('1');
    const struct person second = person_of('2');
    make_account(gate, 0, &first, "PayPal");
    for (size_t i = 0; i < 3; i++) {
        gate_open(gate, 0);
        enrol(gate, 0, &second, likes[i], "");
        assert_refused(gate, 0, KS_REFUSAL_NAME_TAKEN);
        gate_close(gate, 0);
    }
    gate_open(gate, 0);
    enrol(gate, 0, &second, likes[3], ""); /* of two scripts */
    assert_refused(gate, 0, KS_REFUSAL_NAME);
    assert_int_equal(gate->store.user_count, 1);
}

static void names_that_no_account_may_have_are_refused_before_anything_is_judged(void **state)
{
    static const char *const names[] = {"", " a", "a ", "a  b", "-a", "a\x01", "\xff", "a\xe2\x80\xae"};
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    gate_open(gate, 0);
    for (size_t i = 0; i < KS_COUNT_OF(names); i++) {
        enrol(gate, 0, &alice, names[i], "");
        assert_refused(gate, 0, KS_REFUSAL_NAME);
    }
    assert_enrolled(gate, 0, &alice, "alice"); /* no signature was judged for the others */
}

static void a_name_with_a_nul_inside_is_no_name(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    gate_open(gate, 0);
    struct sent sent = registration_for(gate, 0, &alice, "alice", "");
    sent.bytes[KS_REQUEST_HEADER_SIZE + KS_SIGN_IN_SIZE + 2 + 2] = 0;
    send_it(gate, 0, &sent);
    assert_refused(gate, 0, KS_REFUSAL_NAME);
}

static void a_key_has_one_name(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    make_account(gate, 0, &alice, "alice");
    gate_open(gate, 0);
    enrol(gate, 0, &alice, "another", "");
    assert_refused(gate, 0, KS_REFUSAL_KEY_TAKEN);
}

static void a_registration_is_signed_with_its_name_and_invitation(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    gate_open(gate, 0);
    struct sent sent = registration_for(gate, 0, &alice, "alice", "");
    sent.bytes[KS_REQUEST_HEADER_SIZE + KS_SIGN_IN_SIZE + 2] = 'b'; /* blice */
    send_it(gate, 0, &sent);
    assert_refused(gate, 0, KS_REFUSAL_SIGNATURE);
    gate_open(gate, 1);
    const struct sent other = registration_for(gate, 1, &alice, "alice", "");
    send_it(gate, 0, &other); /* another's channel */
    assert_refused(gate, 0, KS_REFUSAL_SIGNATURE);
    assert_int_equal(gate->store.user_count, 0);
}

static void of_two_registrations_of_one_name_one_gets_it(void **state)
{
    struct gate *gate = *state;
    const struct person first = person_of('1');
    const struct person second = person_of('2');
    gate->store.later = true;
    gate_open_on(gate, 0, 0);
    gate_open_on(gate, 1, 1);
    const struct sent one = registration_for(gate, 0, &first, "Dana", "");
    const struct sent other = registration_for(gate, 1, &second, "dana", "");
    send_only(gate, 0, &one);
    send_only(gate, 1, &other);
    gate_run(gate);
    assert_told(gate, 0, KS_RESPONSE_SIGNED_IN);
    assert_refused(gate, 1, KS_REFUSAL_NAME_TAKEN);
}

/* ---- what the store cannot do ---- */

static void trouble_of_the_store_has_its_reasons(void **state)
{
    static const struct {
        enum ks_result failure;
        enum ks_refusal_reason reason;
    } cases[] = {{KS_TOO_LARGE, KS_REFUSAL_FULL},
                 {KS_NO_SPACE, KS_REFUSAL_NO_SPACE},
                 {KS_IO, KS_REFUSAL_TROUBLE},
                 {KS_NO_MEMORY, KS_REFUSAL_TROUBLE}};
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    for (unsigned i = 0; i < KS_COUNT_OF(cases); i++) {
        gate_open(gate, i);
        gate->store.next_failure = cases[i].failure;
        enrol(gate, i, &alice, "alice", "");
        assert_refused(gate, i, cases[i].reason);
        assert_false(gate->peers[i].finished);
    }
    assert_enrolled(gate, 0, &alice, "alice"); /* nothing has changed */
}

/* ---- who is admitted ---- */

static void a_closed_server_takes_nobody_whatever_they_bring(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    char invitation[KS_INVITATION_TEXT_SIZE];
    make_invitation_for(gate, 7, 1, 0, "", invitation);
    gate->environment.settings.registration = KS_REGISTRATION_CLOSED;
    gate_open(gate, 0);
    for (int i = 0; i < 3; i++) {
        enrol(gate, 0, &alice, "alice", i % 2 == 0 ? "" : invitation);
        assert_refused(gate, 0, KS_REFUSAL_CLOSED);
    }
    assert_int_equal(gate->store.invitations[0].uses, 1);
    assert_int_equal(gate->store.user_count, 0);
}

/* Its answer may have been lost, and the door closed meanwhile; but nobody has it opened by a key alone. */
static void who_has_registered_is_answered_again_where_nobody_new_may(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct person mallory = person_of('m');
    make_account(gate, 0, &alice, "alice");
    for (int i = 0; i < 2; i++) {
        gate->environment.settings.registration = i == 0 ? KS_REGISTRATION_CLOSED : KS_REGISTRATION_INVITED;
        enum ks_refusal_reason reason = i == 0 ? KS_REFUSAL_CLOSED : KS_REFUSAL_INVITATION_NEEDED;
        gate_open(gate, 0);
        gate_open(gate, 1);
        enrol(gate, 0, &alice, "another", "");
        assert_refused(gate, 0, reason);
        enrol(gate, 0, &mallory, "alice", "");
        assert_refused(gate, 0, reason);
        const struct sent of_another = registration_for(gate, 1, &alice, "alice", "");
        send_it(gate, 0, &of_another); /* not for this connection */
        assert_refused(gate, 0, KS_REFUSAL_SIGNATURES);
        enrol(gate, 1, &alice, "alice", "");
        assert_told(gate, 1, KS_RESPONSE_SIGNED_IN);
        gate_close(gate, 0);
        gate_close(gate, 1);
    }
}

static void by_invitation_one_needs_one_that_holds(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct person bob = person_of('b');
    char invitation[KS_INVITATION_TEXT_SIZE];
    char unknown[KS_INVITATION_TEXT_SIZE];
    uint8_t code[KS_INVITATION_SIZE] = {0};
    ks_base64url_encode(code, sizeof code, unknown);
    make_invitation_for(gate, 7, 1, 0, "", invitation);
    gate->environment.settings.registration = KS_REGISTRATION_INVITED;
    gate_open(gate, 0);
    enrol(gate, 0, &alice, "alice", "");
    assert_refused(gate, 0, KS_REFUSAL_INVITATION_NEEDED);
    enrol(gate, 0, &alice, "alice", "no invitation at all");
    assert_refused(gate, 0, KS_REFUSAL_INVITATION);
    enrol(gate, 0, &alice, "alice", unknown);
    assert_refused(gate, 0, KS_REFUSAL_INVITATION);
    enrol(gate, 0, &alice, "alice", invitation);
    assert_told(gate, 0, KS_RESPONSE_SIGNED_IN);
    gate_open(gate, 1);
    enrol(gate, 1, &bob, "bob", invitation); /* it is used up */
    assert_refused(gate, 1, KS_REFUSAL_INVITATION);
    gate_close(gate, 0);
    gate_open(gate, 0);
    enrol(gate, 0, &alice, "alice", invitation); /* but the first answer may have been lost */
    assert_told(gate, 0, KS_RESPONSE_SIGNED_IN);
}

static void an_invitation_is_over_in_time_and_a_wrong_one_counts_where_all_may_register(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    char invitation[KS_INVITATION_TEXT_SIZE];
    make_invitation_for(gate, 7, 5, FAKE_WALL_START - 1, "", invitation);
    gate_open(gate, 0);
    enrol(gate, 0, &alice, "alice", invitation);
    assert_refused(gate, 0, KS_REFUSAL_INVITATION);
}

static void a_taken_name_uses_no_invitation_up(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct person bob = person_of('b');
    char invitation[KS_INVITATION_TEXT_SIZE];
    make_account(gate, 0, &alice, "alice");
    make_invitation_for(gate, 7, 1, 0, "", invitation);
    gate_open(gate, 0);
    enrol(gate, 0, &bob, "Alice", invitation);
    assert_refused(gate, 0, KS_REFUSAL_NAME_TAKEN);
    enrol(gate, 0, &bob, "bob", invitation);
    assert_told(gate, 0, KS_RESPONSE_SIGNED_IN);
}

static void of_two_who_use_one_invitation_at_once_one_gets_in(void **state)
{
    struct gate *gate = *state;
    const struct person first = person_of('1');
    const struct person second = person_of('2');
    char invitation[KS_INVITATION_TEXT_SIZE];
    make_invitation_for(gate, 7, 1, 0, "", invitation);
    gate->environment.settings.registration = KS_REGISTRATION_INVITED;
    gate->store.later = true;
    gate_open_on(gate, 0, 0);
    gate_open_on(gate, 1, 1);
    const struct sent one = registration_for(gate, 0, &first, "one", invitation);
    const struct sent other = registration_for(gate, 1, &second, "two", invitation);
    send_only(gate, 0, &one);
    send_only(gate, 1, &other);
    gate_run(gate);
    assert_told(gate, 0, KS_RESPONSE_SIGNED_IN);
    assert_refused(gate, 1, KS_REFUSAL_INVITATION);
    assert_int_equal(gate->store.user_count, 1);
}

static void an_invitation_for_a_name_binds_it_to_a_new_key_and_cuts_the_old_one(void **state)
{
    struct gate *gate = *state;
    const struct person lost = person_of('a');
    const struct person found = person_of('b');
    char invitation[KS_INVITATION_TEXT_SIZE];
    make_account(gate, 0, &lost, "alice");
    struct ks_client_id id = gate->store.users[0].user.id;
    make_invitation_for(gate, 7, 1, 0, "alice", invitation);
    gate_open_on(gate, 0, 0);
    sign_in(gate, 0, &lost);
    assert_told(gate, 0, KS_RESPONSE_SIGNED_IN);
    gate_open_on(gate, 1, 1);
    sign_in(gate, 1, &lost);
    assert_told(gate, 1, KS_RESPONSE_SIGNED_IN);
    gate_open(gate, 2);
    enrol(gate, 2, &found, "alice", invitation);
    assert_told(gate, 2, KS_RESPONSE_SIGNED_IN);
    assert_true(gate->peers[0].aborted);
    assert_true(gate->peers[1].aborted);
    assert_false(gate->peers[2].aborted);
    assert_memory_equal(&gate->store.users[0].user.id, &id, sizeof id);
    gate_open(gate, 3);
    sign_in(gate, 3, &lost);
    assert_refused(gate, 3, KS_REFUSAL_UNKNOWN_ACCOUNT);
    assert_true(logged(gate, "the account \"alice\" has another key now"));
}

static void registrations_are_limited_by_network_as_the_classic_ones(void **state)
{
    struct gate *gate = *state;
    char name[8];
    gate->environment.settings.registrations_per_hour = 2;
    for (unsigned i = 0; i < 3; i++) {
        const struct person person = person_of((uint8_t)('a' + i));
        gate_open(gate, i);
        gate_move_to_first_network(gate, i);
        snprintf(name, sizeof name, "user%u", i);
        enrol(gate, i, &person, name, "");
        if (i < 2)
            assert_told(gate, i, KS_RESPONSE_SIGNED_IN);
        else
            assert_refused(gate, i, KS_REFUSAL_TOO_MANY);
    }
    assert_true(logged(gate, "(registrations-per-hour)"));
}

static int register_classic(struct gate *gate, unsigned peer, const char *name)
{
    uint8_t field[KS_TEXT_FIELD_SIZE];
    const uint8_t *payload = NULL;
    size_t size = 0;
    assert_int_equal(ks_text_field_encode(name, strlen(name), field), KS_OK);
    ask(gate, peer, KS_REQUEST_REGISTER_DROP, field, sizeof field);
    return hear(gate, peer, &payload, &size);
}

static void a_policy_that_was_set_holds_for_the_classic_port_too(void **state)
{
    static uint8_t name_and_key[KS_NAME_AND_KEY_PAYLOAD_SIZE] = "dana";
    struct gate *gate = *state;
    gate_open_classic(gate, 0);
    gate->environment.settings.registration = KS_REGISTRATION_CLOSED;
    assert_int_equal(register_classic(gate, 0, "one"), KS_RESPONSE_REGISTERED); /* not set there */
    gate->environment.settings.registration_is_for_all = true;
    assert_int_equal(register_classic(gate, 0, "two"), KS_RESPONSE_REGISTRATION_FAILED);
    ask(gate, 0, KS_REQUEST_REGISTER_MESSAGES, name_and_key, sizeof name_and_key);
    assert_told(gate, 0, KS_RESPONSE_ERROR);
    gate->environment.settings.registration = KS_REGISTRATION_INVITED;
    assert_int_equal(register_classic(gate, 0, "three"), KS_RESPONSE_REGISTRATION_FAILED);
    assert_true(logged(gate, "this port takes no new users (registration)"));
    gate->environment.settings.registration = KS_REGISTRATION_OPEN;
    assert_int_equal(register_classic(gate, 0, "four"), KS_RESPONSE_REGISTERED);
    assert_int_equal(gate->store.user_count, 2);
}

static void classic_names_and_those_of_accounts_are_told_apart_by_their_looks(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct person bob = person_of('b');
    gate_open_classic(gate, 0);
    assert_int_equal(register_classic(gate, 0, "lrene"), KS_RESPONSE_REGISTERED);
    gate_open(gate, 1);
    enrol(gate, 1, &alice, "Irene", "");
    assert_refused(gate, 1, KS_REFUSAL_NAME_TAKEN);
    gate_open(gate, 2);
    assert_enrolled(gate, 2, &bob, "bob10");
    assert_int_equal(register_classic(gate, 0, "bobl0"), KS_RESPONSE_REGISTRATION_FAILED);
}

/* ---- connections that go ---- */

static struct sent prepare_registration(struct gate *gate)
{
    static uint8_t seed;
    char name[16];
    seed++;
    const struct person person = person_of(seed);
    gate_open(gate, 0);
    snprintf(name, sizeof name, "person%u", (unsigned)seed);
    return registration_for(gate, 0, &person, name, "");
}

static void judge_nothing(struct gate *gate)
{
    (void)gate;
}

static void a_connection_may_go_at_every_step_of_a_registration(void **state)
{
    gate_cut_at_every_step(*state, prepare_registration, judge_nothing);
}

static const struct person *signing_person(void)
{
    static struct person person;
    person = person_of('p');
    return &person;
}

static struct sent prepare_sign_in(struct gate *gate)
{
    gate_open(gate, 0);
    return sign_in_for(gate, 0, signing_person());
}

static void a_connection_may_go_at_every_step_of_a_sign_in(void **state)
{
    make_account(*state, 0, signing_person(), "somebody");
    gate_cut_at_every_step(*state, prepare_sign_in, judge_nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(a_new_account_is_stored_with_its_key_and_what_it_looks_like),
        GATE_TEST(the_same_name_and_key_again_are_answered_again),
        GATE_TEST(names_that_are_taken_or_look_like_one_are_refused),
        GATE_TEST(names_that_no_account_may_have_are_refused_before_anything_is_judged),
        GATE_TEST(a_name_with_a_nul_inside_is_no_name),
        GATE_TEST(a_key_has_one_name),
        GATE_TEST(a_registration_is_signed_with_its_name_and_invitation),
        GATE_TEST(of_two_registrations_of_one_name_one_gets_it),
        GATE_TEST(trouble_of_the_store_has_its_reasons),
        GATE_TEST(a_closed_server_takes_nobody_whatever_they_bring),
        GATE_TEST(who_has_registered_is_answered_again_where_nobody_new_may),
        GATE_TEST(by_invitation_one_needs_one_that_holds),
        GATE_TEST(an_invitation_is_over_in_time_and_a_wrong_one_counts_where_all_may_register),
        GATE_TEST(a_taken_name_uses_no_invitation_up),
        GATE_TEST(of_two_who_use_one_invitation_at_once_one_gets_in),
        GATE_TEST(an_invitation_for_a_name_binds_it_to_a_new_key_and_cuts_the_old_one),
        GATE_TEST(registrations_are_limited_by_network_as_the_classic_ones),
        GATE_TEST(a_policy_that_was_set_holds_for_the_classic_port_too),
        GATE_TEST(classic_names_and_those_of_accounts_are_told_apart_by_their_looks),
        GATE_TEST(a_connection_may_go_at_every_step_of_a_registration),
        GATE_TEST(a_connection_may_go_at_every_step_of_a_sign_in),
    };
    return cmocka_run_group_tests_name("new_account", tests, NULL, NULL);
}
