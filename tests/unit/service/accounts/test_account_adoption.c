/* Unit tests of 3003 and 3004: a classic identity becomes an account. Nobody gets anything from relaying it,
 * or has it open something else, and the old id is void. */
#include "unit/service/accounts/secure_fixture.h"

#include "crypto/rsa.h"
#include "wire/messages_codec.h"

#define LABEL "kesher adopt 1"

/* A classic user with a key pair. */
struct identity {
    struct ks_private_key *key;
    struct ks_client_id id;
    const char *name;
};

static struct identity make_identity(struct gate *gate, const char *name)
{
    struct identity identity = {.name = name};
    struct fake_user *user = &gate->store.users[gate->store.user_count++];
    assert_int_equal(ks_private_key_generate(&identity.key), KS_OK);
    memset(user->user.id.bytes, 0x40, sizeof user->user.id.bytes);
    user->user.id.bytes[0] = (uint8_t)gate->store.user_count;
    strcpy(user->user.name, name);
    user->user.has_public_key = true;
    assert_int_equal(ks_private_key_public(identity.key, user->public_key), KS_OK);
    identity.id = user->user.id;
    return identity;
}

/* What is said in a 3003, whose texts live as long as the identity. */
static struct ks_adopt claim(const struct identity *identity, const struct person *person)
{
    struct ks_adopt adopt = {.sign_in = {.kind = KS_SIGNATURE_KIND_CHANNEL},
                             .classic_id = identity->id,
                             .name = text_of(identity->name)};
    memcpy(adopt.sign_in.key, person->key, sizeof adopt.sign_in.key);
    return adopt;
}

static struct sent claim_for(const struct gate *gate, unsigned bound_to, const struct ks_adopt *claimed,
                             const struct person *person)
{
    struct ks_adopt adopt = *claimed;
    uint8_t bytes[KS_SIGNED_LIMIT];
    size_t size = 0;
    assert_int_equal(ks_adopt_signed(&adopt, gate->peers[bound_to].channel, bytes, sizeof bytes, &size),
                     KS_OK);
    sign(person, bytes, size, adopt.sign_in.signature);
    assert_int_equal(ks_adopt_encode(&adopt, bytes, sizeof bytes, &size), KS_OK);
    return request(KS_REQUEST_ADOPT, bytes, size);
}

/* Sends a 3003, and opens what comes back. */
static void assert_challenged(struct gate *gate, unsigned peer, const struct identity *identity,
                              const struct person *person, uint8_t secret[static KS_RSA_PLAINTEXT_LIMIT])
{
    const struct ks_adopt adopt = claim(identity, person);
    const struct sent sent = claim_for(gate, peer, &adopt, person);
    const uint8_t *payload = NULL;
    size_t size = 0;
    send_it(gate, peer, &sent);
    assert_int_equal(hear(gate, peer, &payload, &size), KS_RESPONSE_ADOPTION_CHALLENGE);
    assert_int_equal(size, KS_RSA_ENCRYPTED_SIZE);
    assert_int_equal(ks_private_key_decrypt_labelled(identity->key, LABEL, payload, secret, &size), KS_OK);
    assert_int_equal(size, KS_ADOPTION_SECRET_SIZE);
}

static struct sent proof_of(const struct gate *gate, unsigned bound_to, const struct ks_adopt *adopt,
                            const uint8_t *secret)
{
    uint8_t bytes[KS_SIGNED_LIMIT];
    uint8_t proof[KS_ADOPTION_PROOF_SIZE];
    size_t size = 0;
    assert_int_equal(ks_adoption_proven(adopt, gate->peers[bound_to].channel, bytes, sizeof bytes, &size),
                     KS_OK);
    assert_int_equal(ks_hmac_sha256(secret, KS_ADOPTION_SECRET_SIZE, bytes, size, proof), KS_OK);
    return request(KS_REQUEST_ADOPTION_PROOF, proof, sizeof proof);
}

static void prove(struct gate *gate, unsigned peer, const struct identity *identity,
                  const struct person *person, const uint8_t *secret)
{
    const struct ks_adopt adopt = claim(identity, person);
    const struct sent proof = proof_of(gate, peer, &adopt, secret);
    send_it(gate, peer, &proof);
}

/* ---- the way it should go ---- */

static void an_identity_becomes_an_account_and_keeps_its_name_and_alias(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct identity identity = make_identity(gate, "alice in chains");
    uint8_t secret[KS_RSA_PLAINTEXT_LIMIT];
    const uint8_t *list = NULL;
    size_t size = 0;
    size_t value_size = 0;
    struct ks_client_id alias;
    ks_alias_of_id(gate->alias_key, identity.id.bytes, alias.bytes);
    gate_open(gate, 0);
    assert_challenged(gate, 0, &identity, &alice, secret);
    prove(gate, 0, &identity, &alice, secret);
    assert_int_equal(hear(gate, 0, &list, &size), KS_RESPONSE_SIGNED_IN);
    assert_memory_equal(entry_of(list, size, KS_ACCOUNT_ENTRY_NAME, &value_size), "alice in chains", 15);
    assert_memory_equal(entry_of(list, size, KS_ACCOUNT_ENTRY_PUBLIC_ID, &value_size), alias.bytes,
                        sizeof alias.bytes);
    assert_true(gate->store.users[0].user.is_account);
    gate_open(gate, 1);
    sign_in(gate, 1, &alice);
    assert_told(gate, 1, KS_RESPONSE_SIGNED_IN);
    ks_private_key_free(identity.key);
}

/* ---- the old id ---- */

static void the_old_id_is_void_on_the_classic_port_and_no_target(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct identity identity = make_identity(gate, "alice");
    const struct identity bob = make_identity(gate, "bob");
    uint8_t secret[KS_RSA_PLAINTEXT_LIMIT];
    uint8_t field[KS_TEXT_FIELD_SIZE];
    const uint8_t *payload = NULL;
    size_t size = 0;
    struct ks_client_id alias;
    ks_alias_of_id(gate->alias_key, identity.id.bytes, alias.bytes);
    assert_int_equal(ks_text_field_encode("alice", 5, field), KS_OK);
    gate_open_classic(gate, 1);
    const struct sent reconnect = request_by(&identity.id, KS_REQUEST_RECONNECT, field, sizeof field);
    const struct sent pull = request_by(&identity.id, KS_REQUEST_WAITING_MESSAGES, NULL, 0);
    const struct sent key_by_id =
        request_by(&bob.id, KS_REQUEST_USER_KEY, identity.id.bytes, KS_CLIENT_ID_SIZE);
    const struct sent key_by_alias = request_by(&bob.id, KS_REQUEST_USER_KEY, alias.bytes, KS_CLIENT_ID_SIZE);
    const struct sent list = request_by(&bob.id, KS_REQUEST_LIST_USERS, NULL, 0);
    send_it(gate, 1, &reconnect);
    assert_told(gate, 1, KS_RESPONSE_RECONNECTED);
    send_it(gate, 1, &pull);
    assert_told(gate, 1, KS_RESPONSE_WAITING_MESSAGES);
    send_it(gate, 1, &key_by_id);
    assert_told(gate, 1, KS_RESPONSE_USER_KEY);
    gate_open(gate, 0);
    assert_challenged(gate, 0, &identity, &alice, secret);
    prove(gate, 0, &identity, &alice, secret);
    assert_told(gate, 0, KS_RESPONSE_SIGNED_IN);
    send_it(gate, 1, &reconnect); /* and the answer has the id as it was sent */
    assert_int_equal(hear(gate, 1, &payload, &size), KS_RESPONSE_RECONNECT_DENIED);
    assert_memory_equal(payload, identity.id.bytes, sizeof identity.id.bytes);
    send_it(gate, 1, &pull);
    assert_told(gate, 1, KS_RESPONSE_ERROR);
    send_it(gate, 1, &key_by_id);
    assert_told(gate, 1, KS_RESPONSE_ERROR);
    send_it(gate, 1, &key_by_alias); /* it is not on the classic ports at all */
    assert_told(gate, 1, KS_RESPONSE_ERROR);
    send_it(gate, 1, &list);
    assert_int_equal(hear(gate, 1, &payload, &size), KS_RESPONSE_USERS);
    assert_int_equal(size, 0);
    struct ks_send_message_payload message = {
        .target = identity.id, .type = KS_MESSAGE_KEY_REQUEST, .content_size = 0};
    uint8_t fixed[KS_SEND_MESSAGE_FIXED_SIZE];
    for (int i = 0; i < 2; i++) {
        ks_send_message_payload_encode(&message, fixed);
        const struct sent send = request_by(&bob.id, KS_REQUEST_SEND_MESSAGE, fixed, sizeof fixed);
        send_it(gate, 1, &send);
        assert_told(gate, 1, KS_RESPONSE_ERROR);
        message.target = alias;
    }
    assert_int_equal(fake_store_waiting(&gate->store, &identity.id), 0);
    ks_private_key_free(identity.key);
    ks_private_key_free(bob.key);
}

static void an_upload_of_before_is_not_confirmed_by_the_old_id(void **state)
{
    struct gate *gate = *state;
    const struct identity identity = make_identity(gate, "alice");
    uint8_t field[KS_TEXT_FIELD_SIZE];
    assert_int_equal(ks_text_field_encode("file", 4, field), KS_OK);
    gate_open_classic(gate, 1);
    gate->store.users[0].user.is_account = true; /* as after an adoption */
    const struct sent confirm = request_by(&identity.id, KS_REQUEST_CRC_OK, field, sizeof field);
    send_it(gate, 1, &confirm);
    assert_told(gate, 1, KS_RESPONSE_DROP_ERROR);
    ks_private_key_free(identity.key);
}

/* ---- what is refused ---- */

static void what_is_no_identity_is_refused_with_one_reason(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct person bob = person_of('b');
    struct identity identity = make_identity(gate, "alice");
    const struct identity keyless = make_identity(gate, "keyless");
    make_account(gate, 0, &bob, "bob");
    gate->store.users[1].user.has_public_key = false;
    struct fake_user *on_classic = &gate->store.users[2];
    on_classic->user.has_classic_id = true; /* with an id and a key of its own there */
    on_classic->user.has_public_key = true;
    memset(on_classic->classic_id.bytes, 7, sizeof on_classic->classic_id.bytes);
    memcpy(on_classic->public_key, gate->store.users[0].public_key, sizeof on_classic->public_key);
    const struct identity wrong[] = {
        {.id = {{9}}, .name = "alice"},                      /* nobody's id */
        {.id = identity.id, .name = "Alice"},                /* another name */
        {.id = identity.id, .name = "bob"},                  /* somebody else's */
        {.id = keyless.id, .name = "keyless"},               /* no public key */
        {.id = gate->store.users[2].user.id, .name = "bob"}, /* an account */
        {.id = on_classic->classic_id, .name = "bob"},
        {.id = {{0}}, .name = "alice"},
    };
    for (unsigned i = 0; i < KS_COUNT_OF(wrong); i++) {
        gate_open(gate, 0);
        const struct ks_adopt adopt = claim(&wrong[i], &alice);
        const struct sent sent = claim_for(gate, 0, &adopt, &alice);
        send_it(gate, 0, &sent);
        assert_refused(gate, 0, KS_REFUSAL_NO_IDENTITY);
        gate_close(gate, 0);
    }
    ks_private_key_free(identity.key);
    ks_private_key_free(keyless.key);
}

static void a_proof_holds_once_and_for_what_was_asked(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct identity identity = make_identity(gate, "alice");
    uint8_t secret[KS_RSA_PLAINTEXT_LIMIT];
    uint8_t wrong[KS_ADOPTION_SECRET_SIZE] = {1};
    gate_open(gate, 0);
    prove(gate, 0, &identity, &alice, wrong); /* nothing was asked */
    assert_refused(gate, 0, KS_REFUSAL_PROOF);
    assert_challenged(gate, 0, &identity, &alice, secret);
    prove(gate, 0, &identity, &alice, wrong);
    assert_refused(gate, 0, KS_REFUSAL_PROOF);
    prove(gate, 0, &identity, &alice, secret); /* it is over after a wrong one */
    assert_refused(gate, 0, KS_REFUSAL_PROOF);
    ask(gate, 0, KS_REQUEST_ADOPTION_PROOF, secret, KS_ADOPTION_SECRET_SIZE);
    assert_refused(gate, 0, KS_REFUSAL_PROOF);
    assert_challenged(gate, 0, &identity, &alice, secret);
    prove(gate, 0, &identity, &alice, secret);
    assert_told(gate, 0, KS_RESPONSE_SIGNED_IN);
    ks_private_key_free(identity.key);
}

/* The last challenge alone counts. */
static void a_new_challenge_takes_the_place_of_the_one_before(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct identity identity = make_identity(gate, "alice");
    uint8_t first[KS_RSA_PLAINTEXT_LIMIT];
    uint8_t second[KS_RSA_PLAINTEXT_LIMIT];
    gate_open(gate, 0);
    assert_challenged(gate, 0, &identity, &alice, first);
    assert_challenged(gate, 0, &identity, &alice, second);
    assert_memory_not_equal(first, second, KS_ADOPTION_SECRET_SIZE);
    prove(gate, 0, &identity, &alice, first);
    assert_refused(gate, 0, KS_REFUSAL_PROOF);
    ks_private_key_free(identity.key);
}

/* Mallory, whom alice's client speaks to, speaks to the server: alice proves for her channel to mallory, and
 * what mallory gets is worth nothing on his. */
static void a_relayed_adoption_gets_nobody_an_account(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct person mallory = person_of('m');
    const struct identity identity = make_identity(gate, "alice");
    uint8_t secret[KS_RSA_PLAINTEXT_LIMIT];
    gate_open(gate, 0); /* mallory's to the server */
    gate_open(gate, 1); /* stands for alice's to mallory: another channel */
    const struct ks_adopt of_alice = claim(&identity, &alice);
    const struct sent relayed = claim_for(gate, 1, &of_alice, &alice);
    send_it(gate, 0, &relayed);
    assert_refused(gate, 0, KS_REFUSAL_SIGNATURE);
    /* With a key of his own he gets the challenge, and has alice answer it. */
    assert_challenged(gate, 0, &identity, &mallory, secret);
    const struct sent answered = proof_of(gate, 1, &of_alice, secret);
    send_it(gate, 0, &answered);
    assert_refused(gate, 0, KS_REFUSAL_PROOF);
    /* Not even where her client thinks that the key is his. */
    assert_challenged(gate, 0, &identity, &mallory, secret);
    const struct ks_adopt of_mallory = claim(&identity, &mallory);
    const struct sent for_his_key = proof_of(gate, 1, &of_mallory, secret);
    send_it(gate, 0, &for_his_key);
    assert_refused(gate, 0, KS_REFUSAL_PROOF);
    assert_false(gate->store.users[0].user.is_account);
    ks_private_key_free(identity.key);
}

/* A client that answers challenges opens no classic key: those have the empty label. */
static void what_is_sent_as_a_challenge_is_under_a_label_of_its_own(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct identity identity = make_identity(gate, "alice");
    const struct ks_adopt adopt = claim(&identity, &alice);
    uint8_t plaintext[KS_RSA_PLAINTEXT_LIMIT];
    const uint8_t *payload = NULL;
    size_t size = 0;
    gate_open(gate, 0);
    const struct sent sent = claim_for(gate, 0, &adopt, &alice);
    send_it(gate, 0, &sent);
    assert_int_equal(hear(gate, 0, &payload, &size), KS_RESPONSE_ADOPTION_CHALLENGE);
    assert_int_equal(ks_private_key_decrypt(identity.key, payload, plaintext, &size), KS_INVALID);
    struct ks_public_key *public_key = NULL;
    uint8_t classic[KS_RSA_ENCRYPTED_SIZE];
    assert_int_equal(ks_public_key_parse(gate->store.users[0].public_key, &public_key), KS_OK);
    assert_int_equal(ks_public_key_encrypt(public_key, (const uint8_t *)"an AES key of 16", 16, classic),
                     KS_OK);
    assert_int_equal(ks_private_key_decrypt_labelled(identity.key, LABEL, classic, plaintext, &size),
                     KS_INVALID);
    ks_public_key_free(public_key);
    ks_private_key_free(identity.key);
}

static void a_key_that_is_another_accounts_adopts_nothing(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct identity identity = make_identity(gate, "classic alice");
    uint8_t secret[KS_RSA_PLAINTEXT_LIMIT];
    make_account(gate, 0, &alice, "alice");
    gate_open(gate, 0);
    assert_challenged(gate, 0, &identity, &alice, secret);
    prove(gate, 0, &identity, &alice, secret);
    assert_refused(gate, 0, KS_REFUSAL_KEY_TAKEN);
    assert_false(gate->store.users[0].user.is_account);
    ks_private_key_free(identity.key);
}

static void challenges_cost_rsa_and_are_limited_by_network(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct identity identity = make_identity(gate, "alice");
    uint8_t secret[KS_RSA_PLAINTEXT_LIMIT];
    gate->environment.settings.keys_per_hour = 1;
    gate_open(gate, 0);
    assert_challenged(gate, 0, &identity, &alice, secret);
    const struct ks_adopt adopt = claim(&identity, &alice);
    const struct sent sent = claim_for(gate, 0, &adopt, &alice);
    send_it(gate, 0, &sent);
    assert_refused(gate, 0, KS_REFUSAL_TOO_MANY);
    assert_true(logged(gate, "(keys-per-hour)"));
    ks_private_key_free(identity.key);
}

static void an_account_can_be_made_of_an_identity_where_registration_is_closed(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct identity identity = make_identity(gate, "alice");
    uint8_t secret[KS_RSA_PLAINTEXT_LIMIT];
    gate->environment.settings.registration = KS_REGISTRATION_CLOSED;
    gate_open(gate, 0);
    assert_challenged(gate, 0, &identity, &alice, secret);
    prove(gate, 0, &identity, &alice, secret);
    assert_told(gate, 0, KS_RESPONSE_SIGNED_IN);
    ks_private_key_free(identity.key);
}

/* ---- connections that go ---- */

static struct identity shared_identity;

static struct sent prepare_claim(struct gate *gate)
{
    const struct person alice = person_of('a');
    const struct ks_adopt adopt = claim(&shared_identity, &alice);
    gate_open(gate, 0);
    return claim_for(gate, 0, &adopt, &alice);
}

static struct sent prepare_proof(struct gate *gate)
{
    const struct person alice = person_of('a');
    const struct ks_adopt adopt = claim(&shared_identity, &alice);
    uint8_t secret[KS_RSA_PLAINTEXT_LIMIT];
    gate->store.users[0].user.is_account = false; /* what a round before has made of it is undone */
    gate->store.users[0].user.has_public_key = true;
    assert_int_equal(ks_private_key_public(shared_identity.key, gate->store.users[0].public_key), KS_OK);
    gate_open(gate, 0);
    assert_challenged(gate, 0, &shared_identity, &alice, secret);
    return proof_of(gate, 0, &adopt, secret);
}

static void judge_nothing(struct gate *gate)
{
    (void)gate;
}

static void a_connection_may_go_at_every_step_of_an_adoption(void **state)
{
    shared_identity = make_identity(*state, "alice");
    gate_cut_at_every_step(*state, prepare_claim, judge_nothing);
    gate_cut_at_every_step(*state, prepare_proof, judge_nothing);
    ks_private_key_free(shared_identity.key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(an_identity_becomes_an_account_and_keeps_its_name_and_alias),
        GATE_TEST(the_old_id_is_void_on_the_classic_port_and_no_target),
        GATE_TEST(an_upload_of_before_is_not_confirmed_by_the_old_id),
        GATE_TEST(what_is_no_identity_is_refused_with_one_reason),
        GATE_TEST(a_proof_holds_once_and_for_what_was_asked),
        GATE_TEST(a_new_challenge_takes_the_place_of_the_one_before),
        GATE_TEST(a_relayed_adoption_gets_nobody_an_account),
        GATE_TEST(what_is_sent_as_a_challenge_is_under_a_label_of_its_own),
        GATE_TEST(a_key_that_is_another_accounts_adopts_nothing),
        GATE_TEST(challenges_cost_rsa_and_are_limited_by_network),
        GATE_TEST(an_account_can_be_made_of_an_identity_where_registration_is_closed),
        GATE_TEST(a_connection_may_go_at_every_step_of_an_adoption),
    };
    return cmocka_run_group_tests_name("account_adoption", tests, NULL, NULL);
}
