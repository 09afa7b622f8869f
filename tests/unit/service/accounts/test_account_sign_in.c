/* Unit tests of the secure port until somebody has signed in: 3000, 3001, and who may ask for what. */
#include "unit/service/accounts/secure_fixture.h"

#include "wire/blocks.h"

/* ---- signing in ---- */

static void who_has_an_account_signs_in_and_is_told_of_it(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const uint8_t *list = NULL;
    size_t size = 0;
    size_t value_size = 0;
    struct ks_client_id alias;
    make_account(gate, 0, &alice, "alice");
    atomic_store(&gate->limits.user_files, 7);
    atomic_store(&gate->limits.user_bytes, 8);
    gate_open(gate, 0);
    sign_in(gate, 0, &alice);
    assert_int_equal(hear(gate, 0, &list, &size), KS_RESPONSE_SIGNED_IN);
    ks_alias_of_id(gate->alias_key, gate->store.users[0].user.id.bytes, alias.bytes);
    assert_memory_equal(entry_of(list, size, KS_ACCOUNT_ENTRY_PUBLIC_ID, &value_size), alias.bytes,
                        sizeof alias.bytes);
    assert_memory_equal(entry_of(list, size, KS_ACCOUNT_ENTRY_NAME, &value_size), "alice", 5);
    assert_int_equal(value_size, 5);
    assert_int_equal(number_of(list, size, KS_ACCOUNT_ENTRY_MESSAGE_LIMIT), usual_settings.message_limit);
    assert_int_equal(number_of(list, size, KS_ACCOUNT_ENTRY_FILES_LIMIT), 7);
    assert_int_equal(number_of(list, size, KS_ACCOUNT_ENTRY_BYTES_LIMIT), 8);
    assert_int_equal(number_of(list, size, KS_ACCOUNT_ENTRY_REGISTERED), FAKE_WALL_START);
    assert_int_equal(number_of(list, size, KS_ACCOUNT_ENTRY_CLASSIC), 0);
    assert_null(entry_of(list, size, KS_ACCOUNT_ENTRY_NEXT_KEY, &value_size));
    assert_int_equal(gate->peers[0].output.bytes[0], KS_VERSION_SECURE);
    assert_int_equal(gate->peers[0].standing, KS_STANDING_KNOWN);
    assert_int_equal(ks_presence_count(gate->accounts.presence), 1);
}

static void the_next_key_of_the_server_is_told_while_there_is_one(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const uint8_t *list = NULL;
    size_t size = 0;
    size_t value_size = 0;
    uint8_t next[KS_SERVER_FINGERPRINT_SIZE];
    memset(next, 0x77, sizeof next);
    ks_next_key_set(&gate->next_key, next);
    gate_open(gate, 0);
    enrol(gate, 0, &alice, "alice", "");
    assert_int_equal(hear(gate, 0, &list, &size), KS_RESPONSE_SIGNED_IN);
    assert_memory_equal(entry_of(list, size, KS_ACCOUNT_ENTRY_NEXT_KEY, &value_size), next, sizeof next);
}

static void nobody_signs_in_with_a_key_that_no_account_has(void **state)
{
    struct gate *gate = *state;
    const struct person stranger = person_of('s');
    gate_open(gate, 0);
    sign_in(gate, 0, &stranger);
    assert_refused(gate, 0, KS_REFUSAL_UNKNOWN_ACCOUNT);
    assert_int_equal(gate->peers[0].standing, KS_STANDING_STRANGER);
    assert_int_equal(ks_presence_count(gate->accounts.presence), 0);
}

static void what_was_signed_for_another_connection_is_worth_nothing(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    make_account(gate, 0, &alice, "alice");
    gate_open(gate, 0);
    gate_open(gate, 1);
    const struct sent sent = sign_in_for(gate, 0, &alice);
    send_it(gate, 0, &sent);
    assert_told(gate, 0, KS_RESPONSE_SIGNED_IN);
    send_it(gate, 1, &sent); /* a replay */
    assert_refused(gate, 1, KS_REFUSAL_SIGNATURE);
}

static void what_another_key_has_signed_is_worth_nothing(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct person mallory = person_of('m');
    make_account(gate, 0, &alice, "alice");
    gate_open(gate, 0);
    struct sent sent = sign_in_for(gate, 0, &mallory);
    memcpy(sent.bytes + KS_REQUEST_HEADER_SIZE, alice.key, sizeof alice.key);
    send_it(gate, 0, &sent);
    assert_refused(gate, 0, KS_REFUSAL_SIGNATURE);
}

/* The signature of a removal, which an account's own connection could be led to make, signs nobody in. */
static void what_was_signed_for_another_request_is_worth_nothing(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    make_account(gate, 0, &alice, "alice");
    gate_open(gate, 0);
    const struct sent removal = removal_for(gate, 0, &alice);
    struct sent sent = sign_in_for(gate, 0, &alice);
    memcpy(sent.bytes + sent.size - KS_SIGNATURE_SIZE, removal.bytes + removal.size - KS_SIGNATURE_SIZE,
           KS_SIGNATURE_SIZE);
    send_it(gate, 0, &sent);
    assert_refused(gate, 0, KS_REFUSAL_SIGNATURE);
}

static void three_signatures_are_judged_and_the_third_wrong_one_ends_the_connection(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    make_account(gate, 0, &alice, "alice");
    gate_open(gate, 0);
    gate_open(gate, 1);
    const struct sent wrong = sign_in_for(gate, 1, &alice);
    send_it(gate, 0, &wrong);
    assert_refused(gate, 0, KS_REFUSAL_SIGNATURE);
    send_it(gate, 0, &wrong);
    assert_refused(gate, 0, KS_REFUSAL_SIGNATURE);
    assert_false(gate->peers[0].finished);
    send_it(gate, 0, &wrong);
    assert_refused(gate, 0, KS_REFUSAL_SIGNATURES);
    assert_true(gate->peers[0].finished);
}

static void a_fourth_signature_is_not_even_judged(void **state)
{
    struct gate *gate = *state;
    const struct person stranger = person_of('s');
    const struct person alice = person_of('a');
    make_account(gate, 1, &alice, "alice");
    gate_open(gate, 0);
    for (int i = 0; i < 3; i++) {
        sign_in(gate, 0, &stranger); /* these hold, and are nobody's */
        assert_refused(gate, 0, KS_REFUSAL_UNKNOWN_ACCOUNT);
    }
    sign_in(gate, 0, &alice);
    assert_refused(gate, 0, KS_REFUSAL_SIGNATURES);
    assert_true(gate->peers[0].finished);
    assert_int_equal(ks_presence_count(gate->accounts.presence), 0);
}

static void a_second_sign_in_is_refused_whatever_it_says(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct person bob = person_of('b');
    make_account(gate, 1, &bob, "bob");
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &alice, "alice");
    sign_in(gate, 0, &alice);
    assert_refused(gate, 0, KS_REFUSAL_SIGNED_IN);
    sign_in(gate, 0, &bob);
    assert_refused(gate, 0, KS_REFUSAL_SIGNED_IN);
    enrol(gate, 0, &bob, "someone", "");
    assert_refused(gate, 0, KS_REFUSAL_SIGNED_IN);
    ask(gate, 0, KS_REQUEST_SIGN_IN, "nonsense", 8);
    assert_refused(gate, 0, KS_REFUSAL_SIGNED_IN);
    ask(gate, 0, KS_REQUEST_ADOPTION_PROOF, NULL, 0);
    assert_refused(gate, 0, KS_REFUSAL_SIGNED_IN);
    ask(gate, 0, KS_REQUEST_MY_ACCOUNT, NULL, 0);
    assert_told(gate, 0, KS_RESPONSE_MY_ACCOUNT);
    assert_false(gate->peers[0].finished);
}

static void signatures_of_browsers_and_unknown_kinds_are_refused(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    make_account(gate, 0, &alice, "alice");
    gate_open(gate, 0);
    struct sent sent = sign_in_for(gate, 0, &alice);
    sent.bytes[KS_REQUEST_HEADER_SIZE + KS_ACCOUNT_KEY_SIZE] = KS_SIGNATURE_KIND_BROWSER;
    send_it(gate, 0, &sent);
    assert_refused(gate, 0, KS_REFUSAL_CARRIER);
    sent.bytes[KS_REQUEST_HEADER_SIZE + KS_ACCOUNT_KEY_SIZE] = 3;
    send_it(gate, 0, &sent);
    assert_refused(gate, 0, KS_REFUSAL_MALFORMED);
}

static void without_a_channel_nobody_signs_in(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    make_account(gate, 0, &alice, "alice");
    gate_open(gate, 0);
    gate->peers[0].has_channel = false;
    sign_in(gate, 0, &alice);
    assert_refused(gate, 0, KS_REFUSAL_CARRIER);
}

static void a_connection_has_one_nonce(void **state)
{
    struct gate *gate = *state;
    const uint8_t *payload = NULL;
    size_t size = 0;
    gate_open(gate, 0);
    ask(gate, 0, KS_REQUEST_NONCE, NULL, 0);
    assert_int_equal(hear(gate, 0, &payload, &size), KS_RESPONSE_NONCE);
    assert_int_equal(size, KS_NONCE_SIZE);
    ask(gate, 0, KS_REQUEST_NONCE, NULL, 0);
    assert_refused(gate, 0, KS_REFUSAL_MALFORMED);
}

/* ---- strangers ---- */

static void strangers_are_told_to_sign_in_first(void **state)
{
    static const uint16_t codes[] = {KS_REQUEST_MY_ACCOUNT, KS_REQUEST_REMOVE_ACCOUNT, KS_REQUEST_TALK,
                                     KS_REQUEST_LIST_USERS, KS_REQUEST_USER_KEY};
    static const uint8_t payload[KS_SIGNATURE_SIZE] = {0};
    struct gate *gate = *state;
    gate_open(gate, 0);
    for (size_t i = 0; i < KS_COUNT_OF(codes); i++) {
        ask(gate, 0, codes[i], NULL, 0);
        assert_refused(gate, 0, KS_REFUSAL_SIGN_IN_FIRST);
        ask(gate, 0, codes[i], payload, sizeof payload);
        assert_refused(gate, 0, KS_REFUSAL_SIGN_IN_FIRST);
    }
    assert_false(gate->peers[0].finished);
}

static void the_id_in_a_header_is_nobodys_word(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct person bob = person_of('b');
    const uint8_t *list = NULL;
    size_t size = 0;
    size_t value_size = 0;
    make_account(gate, 0, &alice, "alice");
    struct ks_client_id id = gate->store.users[0].user.id;
    gate_open(gate, 0);
    const struct sent as_stranger = request_by(&id, KS_REQUEST_LIST_USERS, NULL, 0);
    send_it(gate, 0, &as_stranger);
    assert_refused(gate, 0, KS_REFUSAL_SIGN_IN_FIRST);
    assert_enrolled(gate, 0, &bob, "bob");
    const struct sent as_bob = request_by(&id, KS_REQUEST_MY_ACCOUNT, NULL, 0);
    send_it(gate, 0, &as_bob);
    assert_int_equal(hear(gate, 0, &list, &size), KS_RESPONSE_MY_ACCOUNT);
    assert_memory_equal(entry_of(list, size, KS_ACCOUNT_ENTRY_NAME, &value_size), "bob", 3);
}

static void unknown_requests_and_wrong_sizes_have_their_reasons(void **state)
{
    static const uint8_t payload[1000] = {0};
    struct gate *gate = *state;
    gate_open(gate, 0);
    ask(gate, 0, 4711, payload, sizeof payload);
    assert_refused(gate, 0, KS_REFUSAL_UNKNOWN_REQUEST);
    ask(gate, 0, KS_REQUEST_SEND_MESSAGE, payload, 100); /* not on this port */
    assert_refused(gate, 0, KS_REFUSAL_UNKNOWN_REQUEST);
    ask(gate, 0, KS_REQUEST_SIGN_IN, payload, KS_SIGN_IN_SIZE - 1);
    assert_refused(gate, 0, KS_REFUSAL_MALFORMED);
    ask(gate, 0, KS_REQUEST_SIGN_IN, payload, KS_SIGN_IN_SIZE + 1);
    assert_refused(gate, 0, KS_REFUSAL_MALFORMED);
    ask(gate, 0, KS_REQUEST_REGISTER_ACCOUNT, payload, 100);
    assert_refused(gate, 0, KS_REFUSAL_MALFORMED);
    ask(gate, 0, KS_REQUEST_REGISTER_ACCOUNT, payload, 200); /* bytes left over */
    assert_refused(gate, 0, KS_REFUSAL_MALFORMED);
    ask(gate, 0, KS_REQUEST_ADOPT, payload, 115);
    assert_refused(gate, 0, KS_REFUSAL_MALFORMED);
    ask(gate, 0, KS_REQUEST_NONCE, payload, 1);
    assert_refused(gate, 0, KS_REFUSAL_MALFORMED);
    assert_false(gate->peers[0].finished);
}

static void a_long_request_of_a_stranger_ends_the_connection(void **state)
{
    static const uint8_t payload[KS_SECURE_PAYLOAD_LIMIT + 1] = {0};
    static const uint16_t codes[] = {4711, KS_REQUEST_REGISTER_ACCOUNT, KS_REQUEST_MY_ACCOUNT};
    static const enum ks_refusal_reason reasons[] = {KS_REFUSAL_UNKNOWN_REQUEST, KS_REFUSAL_MALFORMED,
                                                     KS_REFUSAL_SIGN_IN_FIRST};
    struct gate *gate = *state;
    for (unsigned i = 0; i < KS_COUNT_OF(codes); i++) {
        gate_open(gate, i);
        ask(gate, i, codes[i], payload, sizeof payload - 1);
        assert_refused(gate, i, reasons[i]);
        assert_false(gate->peers[i].finished);
        ask(gate, i, codes[i], payload, sizeof payload);
        assert_refused(gate, i, reasons[i]);
        assert_true(gate->peers[i].finished);
    }
}

static void who_has_signed_in_may_send_more_that_is_skipped(void **state)
{
    static const uint8_t payload[4000] = {0};
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &alice, "alice");
    ask(gate, 0, 4711, payload, sizeof payload);
    assert_refused(gate, 0, KS_REFUSAL_UNKNOWN_REQUEST);
    assert_false(gate->peers[0].finished);
    ask(gate, 0, KS_REQUEST_MY_ACCOUNT, NULL, 0);
    assert_told(gate, 0, KS_RESPONSE_MY_ACCOUNT);
}

/* What would be padding on the classic port is nothing here. */
static void zeros_are_never_taken_for_padding(void **state)
{
    enum { GATE_HEADER_MS = 10 * 1000 };
    static const uint8_t zeros[KS_BLOCK_SIZE] = {0};
    struct gate *gate = *state;
    gate->environment.settings.header_timeout_ms = GATE_HEADER_MS;
    gate_open(gate, 0);
    fake_connection_send(&gate->peers[0], zeros, (size_t)16 * KS_REQUEST_HEADER_SIZE, 0);
    for (int i = 0; i < 16; i++)
        assert_refused(gate, 0, KS_REFUSAL_UNKNOWN_REQUEST);
    assert_hears_nothing(gate, 0);
    /* As many as would complete a block. */
    ask(gate, 0, 4711, zeros, KS_BLOCK_SIZE - KS_REQUEST_HEADER_SIZE - 5);
    assert_refused(gate, 0, KS_REFUSAL_UNKNOWN_REQUEST);
    fake_connection_send(&gate->peers[0], zeros, 5, 0);
    fake_connection_wait(&gate->peers[0], KS_BLOCKS_QUIET_MS);
    assert_hears_nothing(gate, 0);
    fake_connection_wait(&gate->peers[0], GATE_HEADER_MS);
    assert_true(logged(gate, "(header-timeout)")); /* half a header */
}

/* ---- time ---- */

static void a_stranger_has_thirty_seconds_and_leaves_a_line(void **state)
{
    struct gate *gate = *state;
    gate_open(gate, 0);
    fake_connection_wait(&gate->peers[0], GATE_SIGN_IN_MS - 1);
    assert_false(gate->peers[0].aborted);
    fake_connection_wait(&gate->peers[0], 1);
    assert_true(gate->peers[0].aborted);
    assert_true(logged(gate, "nobody signed in in time (sign-in-timeout)"));
}

static void asking_this_and_that_wins_a_stranger_no_time(void **state)
{
    struct gate *gate = *state;
    gate_open(gate, 0);
    for (int i = 0; i < 29; i++) {
        ask(gate, 0, KS_REQUEST_NONCE, NULL, 0);
        fake_connection_wait(&gate->peers[0], 1000);
    }
    assert_false(gate->peers[0].aborted);
    fake_connection_wait(&gate->peers[0], 1000);
    assert_true(gate->peers[0].aborted);
    assert_true(logged(gate, "nobody signed in in time (sign-in-timeout)"));
}

static void who_has_signed_in_may_be_silent_for_long(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    gate_open(gate, 0);
    fake_connection_wait(&gate->peers[0], GATE_SIGN_IN_MS - 1);
    assert_enrolled(gate, 0, &alice, "alice");
    fake_connection_wait(&gate->peers[0], UINT64_C(1000) * 3600 * 24);
    assert_false(gate->peers[0].aborted);
}

/* It is not the peer's fault that our disk is slow. */
static void a_slow_store_does_not_count_as_the_strangers_time(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    gate_open(gate, 0);
    gate->store.later = true;
    const struct sent sent = registration_for(gate, 0, &alice, "alice", "");
    send_only(gate, 0, &sent);
    gate->loops[0].time.monotonic_ms += GATE_SIGN_IN_MS;
    gate->peers[0].connection.events->reminded(&gate->peers[0].connection);
    assert_false(gate->peers[0].aborted);
    gate_run(gate);
    assert_told(gate, 0, KS_RESPONSE_SIGNED_IN);
    fake_connection_wait(&gate->peers[0], GATE_SIGN_IN_MS);
    assert_false(gate->peers[0].aborted);
}

/* ---- limits ---- */

static void failed_sign_ins_are_limited_by_network_and_successful_ones_are_not(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    make_account(gate, 0, &alice, "alice");
    gate->environment.settings.failed_sign_ins_per_hour = 2;
    gate_open(gate, 0);
    gate_open(gate, 1);
    const struct sent wrong = sign_in_for(gate, 1, &alice);
    send_it(gate, 0, &wrong);
    send_it(gate, 0, &wrong);
    assert_refused(gate, 0, KS_REFUSAL_SIGNATURE);
    assert_refused(gate, 0, KS_REFUSAL_SIGNATURE);
    sign_in(gate, 0, &alice); /* not judged any more */
    assert_refused(gate, 0, KS_REFUSAL_TOO_MANY);
    assert_true(logged(gate, "too many failed sign-ins from this address in an hour"));
    sign_in(gate, 1, &alice); /* somebody else's network */
    assert_told(gate, 1, KS_RESPONSE_SIGNED_IN);
    for (unsigned i = 2; i < 6; i++) {
        gate_open(gate, i);
        gate->peers[i].address[KS_PEER_ADDRESS_SIZE - 1] = 2; /* that of the second peer */
        sign_in(gate, i, &alice);
        assert_told(gate, i, KS_RESPONSE_SIGNED_IN);
    }
}

static void an_account_has_so_many_connections(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct person bob = person_of('b');
    make_account(gate, 0, &alice, "alice");
    gate->environment.settings.connections_per_account = 3;
    for (unsigned i = 0; i < 3; i++) {
        gate_open_on(gate, i, i % 2);
        sign_in(gate, i, &alice);
        assert_told(gate, i, KS_RESPONSE_SIGNED_IN);
    }
    gate_open(gate, 3);
    sign_in(gate, 3, &alice);
    assert_refused(gate, 3, KS_REFUSAL_TOO_MANY);
    assert_true(logged(gate, "too many connections of one account"));
    assert_enrolled(gate, 3, &bob, "bob");
    gate_close(gate, 0);
    gate_open(gate, 0);
    sign_in(gate, 0, &alice);
    assert_told(gate, 0, KS_RESPONSE_SIGNED_IN);
}

/* ---- the engine ---- */

static void a_sign_in_may_come_one_byte_at_a_time_and_with_others_behind_it(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    make_account(gate, 0, &alice, "alice");
    gate->store.later = true;
    for (size_t step = 0; step < 3; step++) {
        struct ks_buffer bytes = ks_buffer_empty(0);
        gate_open(gate, 0);
        const struct sent first = sign_in_for(gate, 0, &alice);
        const struct sent second = request(KS_REQUEST_MY_ACCOUNT, NULL, 0);
        const struct sent third = request(KS_REQUEST_LIST_USERS, NULL, 0);
        assert_int_equal(ks_buffer_append(&bytes, first.bytes, first.size), KS_OK);
        assert_int_equal(ks_buffer_append(&bytes, second.bytes, second.size), KS_OK);
        assert_int_equal(ks_buffer_append(&bytes, third.bytes, third.size), KS_OK);
        fake_connection_send(&gate->peers[0], bytes.bytes, bytes.size, step);
        gate_run(gate);
        assert_told(gate, 0, KS_RESPONSE_SIGNED_IN);
        assert_told(gate, 0, KS_RESPONSE_MY_ACCOUNT);
        assert_told(gate, 0, KS_RESPONSE_USERS);
        assert_hears_nothing(gate, 0);
        ks_buffer_free(&bytes);
        gate_close(gate, 0);
    }
}

static void everybody_is_in_the_list_and_has_a_key_if_there_is_one(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct person bob = person_of('b');
    const uint8_t *payload = NULL;
    size_t size = 0;
    struct ks_client_id alias;
    make_account(gate, 0, &alice, "alice");
    struct fake_user *classic = &gate->store.users[gate->store.user_count++];
    memset(classic->user.id.bytes, 0x33, sizeof classic->user.id.bytes);
    strcpy(classic->user.name, "carol");
    classic->user.has_public_key = true;
    memset(classic->public_key, 'c', sizeof classic->public_key);
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &bob, "bob");
    ask(gate, 0, KS_REQUEST_LIST_USERS, NULL, 0);
    assert_int_equal(hear(gate, 0, &payload, &size), KS_RESPONSE_USERS);
    assert_int_equal(size, 2 * (KS_CLIENT_ID_SIZE + KS_TEXT_FIELD_SIZE));
    assert_string_equal((const char *)payload + KS_CLIENT_ID_SIZE, "alice");
    ks_alias_of_id(gate->alias_key, classic->user.id.bytes, alias.bytes);
    ask(gate, 0, KS_REQUEST_USER_KEY, alias.bytes, sizeof alias.bytes);
    assert_int_equal(hear(gate, 0, &payload, &size), KS_RESPONSE_USER_KEY);
    assert_memory_equal(payload, alias.bytes, sizeof alias.bytes);
    ks_alias_of_id(gate->alias_key, gate->store.users[0].user.id.bytes, alias.bytes);
    ask(gate, 0, KS_REQUEST_USER_KEY, alias.bytes, sizeof alias.bytes); /* alice has none */
    assert_refused(gate, 0, KS_REFUSAL_NO_IDENTITY);
    ask(gate, 0, KS_REQUEST_USER_KEY, gate->store.users[0].user.id.bytes, KS_CLIENT_ID_SIZE);
    assert_refused(gate, 0, KS_REFUSAL_NO_IDENTITY); /* the id of an account is nobody's word */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(who_has_an_account_signs_in_and_is_told_of_it),
        GATE_TEST(the_next_key_of_the_server_is_told_while_there_is_one),
        GATE_TEST(nobody_signs_in_with_a_key_that_no_account_has),
        GATE_TEST(what_was_signed_for_another_connection_is_worth_nothing),
        GATE_TEST(what_another_key_has_signed_is_worth_nothing),
        GATE_TEST(what_was_signed_for_another_request_is_worth_nothing),
        GATE_TEST(three_signatures_are_judged_and_the_third_wrong_one_ends_the_connection),
        GATE_TEST(a_fourth_signature_is_not_even_judged),
        GATE_TEST(a_second_sign_in_is_refused_whatever_it_says),
        GATE_TEST(signatures_of_browsers_and_unknown_kinds_are_refused),
        GATE_TEST(without_a_channel_nobody_signs_in),
        GATE_TEST(a_connection_has_one_nonce),
        GATE_TEST(strangers_are_told_to_sign_in_first),
        GATE_TEST(the_id_in_a_header_is_nobodys_word),
        GATE_TEST(unknown_requests_and_wrong_sizes_have_their_reasons),
        GATE_TEST(a_long_request_of_a_stranger_ends_the_connection),
        GATE_TEST(who_has_signed_in_may_send_more_that_is_skipped),
        GATE_TEST(zeros_are_never_taken_for_padding),
        GATE_TEST(a_stranger_has_thirty_seconds_and_leaves_a_line),
        GATE_TEST(asking_this_and_that_wins_a_stranger_no_time),
        GATE_TEST(who_has_signed_in_may_be_silent_for_long),
        GATE_TEST(a_slow_store_does_not_count_as_the_strangers_time),
        GATE_TEST(failed_sign_ins_are_limited_by_network_and_successful_ones_are_not),
        GATE_TEST(an_account_has_so_many_connections),
        GATE_TEST(a_sign_in_may_come_one_byte_at_a_time_and_with_others_behind_it),
        GATE_TEST(everybody_is_in_the_list_and_has_a_key_if_there_is_one),
    };
    return cmocka_run_group_tests_name("account_sign_in", tests, NULL, NULL);
}
