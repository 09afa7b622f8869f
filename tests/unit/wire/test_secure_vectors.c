/* Unit tests against tests/vectors-secure.json, which somebody else's reading of protocol.md made: what
 * accounts send, sign and prove on the secure port, what people compare, and links.
 */
#include "unit/unit.h"

#include "vectors_secure.h"

#include "crypto/account_key.h"
#include "crypto/base64.h"
#include "crypto/digest.h"
#include "crypto/rsa.h"
#include "unit/wire/pieces.h"
#include "vectors.h"
#include "wire/accounts_codec.h"
#include "wire/link.h"

/* ---- signatures ---- */

static void test_keys_and_signatures_are_those_of_the_rfc(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(vector_ed25519); i++) {
        struct piece secret = from_hex(vector_ed25519[i].secret_hex);
        struct piece message = from_hex(vector_ed25519[i].message_hex);
        struct piece key = {.size = KS_ED25519_PUBLIC_SIZE}, signature = {.size = KS_ED25519_SIGNATURE_SIZE};
        assert_int_equal(ks_account_key_public(secret.bytes, key.bytes), KS_OK);
        assert_piece(&key, vector_ed25519[i].key_hex);
        assert_int_equal(ks_account_key_sign(secret.bytes, message.bytes, message.size, signature.bytes),
                         KS_OK);
        assert_piece(&signature, vector_ed25519[i].signature_hex);
        assert_int_equal(ks_account_key_verify(key.bytes, message.bytes, message.size, signature.bytes),
                         KS_OK);
    }
}

/* What is signed for a payload of a vector; the removal's has no key of its own. */
static struct piece signed_for(unsigned request, const struct piece *payload, const struct piece *key,
                               const struct piece *channel)
{
    struct piece bytes = {.size = 0};
    struct ks_sign_in sign_in;
    struct ks_register_account registration;
    struct ks_adopt adopt;
    enum ks_result result = KS_INVALID;
    switch (request) {
    case 3001:
        assert_int_equal(ks_sign_in_parse(payload->bytes, payload->size, &sign_in), KS_OK);
        result = ks_sign_in_signed(sign_in.key, channel->bytes, bytes.bytes, BYTES_LIMIT, &bytes.size);
        break;
    case 3002:
        assert_int_equal(ks_register_account_parse(payload->bytes, payload->size, &registration), KS_OK);
        result =
            ks_register_account_signed(&registration, channel->bytes, bytes.bytes, BYTES_LIMIT, &bytes.size);
        break;
    case 3003:
        assert_int_equal(ks_adopt_parse(payload->bytes, payload->size, &adopt), KS_OK);
        result = ks_adopt_signed(&adopt, channel->bytes, bytes.bytes, BYTES_LIMIT, &bytes.size);
        break;
    default:
        assert_int_equal(request, 3008);
        result = ks_remove_account_signed(key->bytes, channel->bytes, bytes.bytes, BYTES_LIMIT, &bytes.size);
        break;
    }
    assert_int_equal(result, KS_OK);
    return bytes;
}

static void test_what_is_signed_for_each_label_is_what_the_peer_signs(void **state)
{
    (void)state;
    struct piece key = from_hex(VECTOR_KEY_HEX), channel = from_hex(VECTOR_CHANNEL_HEX);
    struct piece secret = from_hex(VECTOR_SECRET_HEX);
    for (size_t i = 0; i < KS_COUNT_OF(vector_signed); i++) {
        struct piece payload = from_hex(vector_signed[i].payload_hex);
        struct piece bytes = signed_for(vector_signed[i].request, &payload, &key, &channel);
        assert_piece(&bytes, vector_signed[i].signed_hex);
        struct piece signature = {.size = KS_ED25519_SIGNATURE_SIZE};
        assert_int_equal(ks_account_key_sign(secret.bytes, bytes.bytes, bytes.size, signature.bytes), KS_OK);
        assert_piece(&signature, vector_signed[i].signature_hex);
    }
}

static void test_a_signature_holds_for_nothing_but_what_was_signed(void **state)
{
    (void)state;
    struct piece key = from_hex(VECTOR_KEY_HEX);
    for (size_t i = 0; i < KS_COUNT_OF(vector_signed); i++) {
        struct piece signature = from_hex(vector_signed[i].signature_hex);
        for (size_t j = 0; j < KS_COUNT_OF(vector_signed); j++) {
            struct piece bytes = from_hex(vector_signed[j].signed_hex);
            enum ks_result judged =
                ks_account_key_verify(key.bytes, bytes.bytes, bytes.size, signature.bytes);
            assert_int_equal(judged, i == j ? KS_OK : KS_REFUSED);
        }
    }
}

/* ---- payloads ---- */

static void test_a_registration_is_read_and_written_as_the_peer_writes_it(void **state)
{
    (void)state;
    struct piece payload = from_hex(vector_signed[1].payload_hex), name = from_hex(VECTOR_NAME_HEX);
    struct ks_register_account registration;
    assert_int_equal(ks_register_account_parse(payload.bytes, payload.size, &registration), KS_OK);
    assert_int_equal(registration.sign_in.kind, KS_SIGNATURE_KIND_CHANNEL);
    assert_int_equal(registration.name.size, name.size);
    assert_memory_equal(registration.name.bytes, name.bytes, name.size);
    assert_int_equal(registration.invitation.size, strlen(VECTOR_INVITATION));
    assert_memory_equal(registration.invitation.bytes, VECTOR_INVITATION, strlen(VECTOR_INVITATION));
    struct piece again = {.size = 0};
    assert_int_equal(ks_register_account_encode(&registration, again.bytes, BYTES_LIMIT, &again.size), KS_OK);
    assert_piece(&again, vector_signed[1].payload_hex);
}

static void test_lists_are_read_and_written_as_the_peer_writes_them(void **state)
{
    (void)state;
    size_t next = 0;
    for (unsigned list = 0; list < KS_COUNT_OF(vector_lists); list++) {
        struct piece payload = from_hex(vector_lists[list].payload_hex), again = {.size = 0};
        struct ks_list_entry entry;
        size_t offset = 0;
        while (ks_list_next(payload.bytes, payload.size, &offset, &entry) == KS_OK) {
            assert_true(next < KS_COUNT_OF(vector_list_entries));
            struct piece value = from_hex(vector_list_entries[next].value_hex);
            assert_int_equal(vector_list_entries[next].list, list);
            assert_int_equal(entry.key, vector_list_entries[next++].key);
            assert_int_equal(entry.size, value.size);
            assert_memory_equal(entry.value, value.bytes, value.size);
            assert_int_equal(
                ks_list_add(again.bytes, BYTES_LIMIT, &again.size, entry.key, value.bytes, value.size),
                KS_OK);
        }
        assert_piece(&again, vector_lists[list].payload_hex);
    }
    assert_int_equal(next, KS_COUNT_OF(vector_list_entries));
}

static void test_refusals_are_read_and_written_as_the_peer_writes_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(vector_refusals); i++) {
        struct piece payload = from_hex(vector_refusals[i].payload_hex), again = {.size = 0};
        struct piece sentence = from_hex(vector_refusals[i].sentence_hex);
        struct ks_refusal refusal;
        assert_int_equal(ks_refusal_parse(payload.bytes, payload.size, &refusal), KS_OK);
        assert_int_equal(refusal.reason, vector_refusals[i].reason);
        assert_int_equal(refusal.sentence.size, sentence.size);
        assert_memory_equal(refusal.sentence.bytes, sentence.bytes, sentence.size);
        assert_int_equal(ks_refusal_encode(&refusal, again.bytes, BYTES_LIMIT, &again.size), KS_OK);
        assert_piece(&again, vector_refusals[i].payload_hex);
    }
}

/* ---- adoption ---- */

static void test_the_proof_of_an_adoption_is_the_peers(void **state)
{
    (void)state;
    struct piece channel = from_hex(VECTOR_CHANNEL_HEX), name = from_hex(VECTOR_NAME_HEX);
    struct piece key = from_hex(VECTOR_KEY_HEX), id = from_hex(VECTOR_CLASSIC_ID_HEX);
    struct piece secret = from_hex(VECTOR_ADOPTION_SECRET_HEX), proven = {.size = 0};
    struct ks_adopt adopt = {.name = text_of(&name)};
    memcpy(adopt.sign_in.key, key.bytes, sizeof adopt.sign_in.key);
    memcpy(adopt.classic_id.bytes, id.bytes, sizeof adopt.classic_id.bytes);
    assert_int_equal(ks_adoption_proven(&adopt, channel.bytes, proven.bytes, BYTES_LIMIT, &proven.size),
                     KS_OK);
    assert_piece(&proven, VECTOR_PROVEN_HEX);
    struct piece proof = {.size = KS_ADOPTION_PROOF_SIZE};
    assert_int_equal(ks_hmac_sha256(secret.bytes, secret.size, proven.bytes, proven.size, proof.bytes),
                     KS_OK);
    assert_piece(&proof, VECTOR_PROOF_HEX);
}

static void test_a_challenge_opens_under_its_label_and_nothing_else_does(void **state)
{
    (void)state;
    struct ks_buffer der = {0};
    struct ks_private_key *key = NULL;
    const char *text = vector_keys[0].private_base64;
    assert_int_equal(ks_base64_decode(text, strlen(text), &der), KS_OK);
    assert_int_equal(ks_private_key_parse(der.bytes, der.size, &key), KS_OK);
    struct piece challenge = from_hex(VECTOR_CHALLENGE_HEX), classic = from_hex(VECTOR_NOT_A_CHALLENGE_HEX);
    struct piece plain = {.size = 0};
    assert_int_equal(
        ks_private_key_decrypt_labelled(key, "kesher adopt 1", challenge.bytes, plain.bytes, &plain.size),
        KS_OK);
    assert_piece(&plain, VECTOR_ADOPTION_SECRET_HEX);
    assert_int_equal(
        ks_private_key_decrypt_labelled(key, "kesher adopt 1", classic.bytes, plain.bytes, &plain.size),
        KS_INVALID);
    assert_int_equal(ks_private_key_decrypt(key, challenge.bytes, plain.bytes, &plain.size), KS_INVALID);
    ks_private_key_free(key);
    ks_buffer_free(&der);
}

/* ---- what people see ---- */

static void test_short_fingerprints_are_the_peers(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(vector_short_fingerprints); i++) {
        struct piece key = from_hex(vector_short_fingerprints[i].key_hex);
        char text[KS_SHORT_FINGERPRINT_SIZE];
        assert_int_equal(ks_account_key_short_fingerprint(key.bytes, text), KS_OK);
        assert_string_equal(text, vector_short_fingerprints[i].text);
    }
}

static void test_links_are_read_as_the_peer_reads_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(vector_links); i++) {
        struct ks_link link;
        const char *why = NULL;
        assert_int_equal(ks_link_parse(vector_links[i].link, strlen(vector_links[i].link), &link, &why),
                         KS_OK);
        struct piece fingerprint = from_hex(vector_links[i].fingerprint_hex);
        struct piece code = from_hex(vector_links[i].code_hex);
        assert_string_equal(link.host, vector_links[i].host);
        assert_int_equal(link.port, vector_links[i].port);
        assert_int_equal(link.has_fingerprint, fingerprint.size > 0);
        assert_int_equal(link.has_code, code.size > 0);
        assert_true(!link.has_fingerprint ||
                    memcmp(link.fingerprint, fingerprint.bytes, fingerprint.size) == 0);
        assert_true(!link.has_code || memcmp(link.code, code.bytes, code.size) == 0);
    }
}

static void test_what_is_no_link_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(vector_no_links); i++) {
        struct ks_link link;
        const char *why = NULL;
        const char *text = vector_no_links[i].link;
        if (ks_link_parse(text, strlen(text), &link, &why) != KS_INVALID)
            fail_msg("it passed for a link: %s", text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_and_signatures_are_those_of_the_rfc),
        cmocka_unit_test(test_what_is_signed_for_each_label_is_what_the_peer_signs),
        cmocka_unit_test(test_a_signature_holds_for_nothing_but_what_was_signed),
        cmocka_unit_test(test_a_registration_is_read_and_written_as_the_peer_writes_it),
        cmocka_unit_test(test_lists_are_read_and_written_as_the_peer_writes_them),
        cmocka_unit_test(test_refusals_are_read_and_written_as_the_peer_writes_them),
        cmocka_unit_test(test_the_proof_of_an_adoption_is_the_peers),
        cmocka_unit_test(test_a_challenge_opens_under_its_label_and_nothing_else_does),
        cmocka_unit_test(test_short_fingerprints_are_the_peers),
        cmocka_unit_test(test_links_are_read_as_the_peer_reads_them),
        cmocka_unit_test(test_what_is_no_link_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
