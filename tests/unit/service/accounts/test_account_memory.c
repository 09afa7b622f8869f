/* test_account_memory.c — the secure port without memory: each scenario runs again and again, and in the n-th
 * run the n-th allocation fails. Whoever is not answered is cut off or told of trouble, who is told that it
 * is signed in has an account, and nothing leaks.
 */
#include "unit/service/accounts/secure_fixture.h"

#include "unit/base/failing_memory.h"

#include "crypto/rsa.h"

static bool is_there(const struct gate *gate)
{
    const struct fake_connection *peer = &gate->peers[0];
    return peer->open && !peer->aborted && !peer->finished;
}

/* False when the connection is gone, or about to. */
static bool try_send(struct gate *gate, const void *bytes, size_t size)
{
    if (is_there(gate))
        fake_connection_send(&gate->peers[0], bytes, size, 0);
    gate_run(gate);
    return is_there(gate);
}

/* The code of the next answer; refusals are for trouble of the server's. 0 when the connection is gone. */
static int outcome(struct gate *gate)
{
    struct ks_refusal refusal;
    const uint8_t *payload = NULL;
    size_t size = 0;
    int heard = hear(gate, 0, &payload, &size);
    if (heard == -1) {
        assert_false(is_there(gate));
        return 0;
    }
    if (heard == KS_RESPONSE_REFUSED) {
        assert_int_equal(ks_refusal_parse(payload, size, &refusal), KS_OK);
        assert_int_equal(refusal.reason, KS_REFUSAL_TROUBLE);
    }
    return heard;
}

/* ---- an account, its settings, talk, and its end ---- */

static void run_life(struct gate *gate, size_t nth)
{
    const struct person alice = person_of('a');
    const struct sent registration = registration_for(gate, 0, &alice, "alice", "");
    const struct sent settings = request(KS_REQUEST_MY_ACCOUNT, NULL, 0);
    const struct sent removal = removal_for(gate, 0, &alice);
    allocations_until_failure = nth;
    bool goes_on = try_send(gate, registration.bytes, 50) &&
                   try_send(gate, registration.bytes + 50, registration.size - 50);
    int told = outcome(gate);
    if (goes_on && told == KS_RESPONSE_SIGNED_IN && try_send(gate, settings.bytes, settings.size) &&
        outcome(gate) == KS_RESPONSE_MY_ACCOUNT && try_send(gate, removal.bytes, removal.size))
        outcome(gate);
    allocations_until_failure = 0;
    if (told == KS_RESPONSE_SIGNED_IN)
        assert_int_equal(gate->store.registered, 1);
}

static void run_talk(struct gate *gate, size_t nth)
{
    const struct person alice = person_of('a');
    const struct sent signing_in = sign_in_for(gate, 0, &alice);
    const struct sent talk = request(KS_REQUEST_TALK, NULL, 0);
    allocations_until_failure = nth;
    if (try_send(gate, signing_in.bytes, signing_in.size) && outcome(gate) == KS_RESPONSE_SIGNED_IN &&
        try_send(gate, talk.bytes, talk.size) && outcome(gate) == KS_RESPONSE_TALK) {
        (void)(try_send(gate, "2\nsomebody\nsecret\n", 18) && try_send(gate, "hello\n/who\n", 11) &&
               try_send(gate, "Exit\n", 5));
    }
    allocations_until_failure = 0;
}

static struct ks_private_key *identity;

static void run_adoption(struct gate *gate, size_t nth)
{
    const struct person alice = person_of('a');
    struct ks_adopt adopt = {.sign_in = {.kind = KS_SIGNATURE_KIND_CHANNEL}, .name = text_of("classic")};
    uint8_t bytes[KS_SIGNED_LIMIT];
    size_t size = 0;
    struct fake_user *user = &gate->store.users[gate->store.user_count++];
    memset(user->user.id.bytes, 0x40, sizeof user->user.id.bytes);
    strcpy(user->user.name, "classic");
    user->user.has_public_key = true;
    assert_int_equal(ks_private_key_public(identity, user->public_key), KS_OK);
    adopt.classic_id = user->user.id;
    memcpy(adopt.sign_in.key, alice.key, sizeof alice.key);
    assert_int_equal(ks_adopt_signed(&adopt, gate->peers[0].channel, bytes, sizeof bytes, &size), KS_OK);
    sign(&alice, bytes, size, adopt.sign_in.signature);
    assert_int_equal(ks_adopt_encode(&adopt, bytes, sizeof bytes, &size), KS_OK);
    const struct sent claim = request(KS_REQUEST_ADOPT, bytes, size);
    allocations_until_failure = nth;
    bool goes_on = try_send(gate, claim.bytes, claim.size);
    size_t mark = gate->read[0] + KS_RESPONSE_HEADER_SIZE;
    if (!goes_on || outcome(gate) != KS_RESPONSE_ADOPTION_CHALLENGE) {
        allocations_until_failure = 0;
        return;
    }
    size_t left = allocations_until_failure; /* what the peer does is not what fails */
    allocations_until_failure = 0;
    uint8_t secret[KS_RSA_PLAINTEXT_LIMIT];
    uint8_t proof[KS_ADOPTION_PROOF_SIZE];
    assert_int_equal(ks_private_key_decrypt_labelled(identity, "kesher adopt 1",
                                                     gate->peers[0].output.bytes + mark, secret, &size),
                     KS_OK);
    assert_int_equal(ks_adoption_proven(&adopt, gate->peers[0].channel, bytes, sizeof bytes, &size), KS_OK);
    assert_int_equal(ks_hmac_sha256(secret, KS_ADOPTION_SECRET_SIZE, bytes, size, proof), KS_OK);
    const struct sent proven = request(KS_REQUEST_ADOPTION_PROOF, proof, sizeof proof);
    allocations_until_failure = left;
    try_send(gate, proven.bytes, proven.size);
    allocations_until_failure = 0;
    if (outcome(gate) == KS_RESPONSE_SIGNED_IN)
        assert_true(user->user.is_account);
}

/* ---- again and again ---- */

static void run_all(void (*run)(struct gate *gate, size_t nth), bool with_account)
{
    size_t nth = 1;
    for (failed = true; failed && nth < 1000; nth++) {
        void *fresh = NULL;
        gate_set_up(&fresh);
        struct gate *gate = fresh;
        const struct person alice = person_of('a');
        if (with_account)
            make_account(gate, 1, &alice, "alice");
        gate_open(gate, 0);
        failed = false;
        run(gate, nth);
        gate_close(gate, 0);
        assert_int_equal(ks_presence_count(gate->accounts.presence), 0);
        gate_tear_down(&fresh);
    }
    assert_in_range(nth, 8, 999);
}

static void an_account_comes_and_goes_as_far_as_memory_allows(void **state)
{
    (void)state;
    run_all(run_life, false);
}

static void a_talker_enters_as_far_as_memory_allows(void **state)
{
    (void)state;
    run_all(run_talk, true);
}

static void an_identity_is_adopted_as_far_as_memory_allows(void **state)
{
    (void)state;
    assert_int_equal(ks_private_key_generate(&identity), KS_OK);
    run_all(run_adoption, false);
    ks_private_key_free(identity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_account_comes_and_goes_as_far_as_memory_allows),
        cmocka_unit_test(a_talker_enters_as_far_as_memory_allows),
        cmocka_unit_test(an_identity_is_adopted_as_far_as_memory_allows),
    };
    return cmocka_run_group_tests_name("account_memory", tests, NULL, NULL);
}
