/* test_tls.c — crypto/tls.h and crypto/tls_identity.h: both sides of a connection, in memory. */
#include "unit/unit.h"

#include "base/buffer.h"
#include "crypto/tls.h"

#include <stdio.h>

/* One side, and what it has sent that the other has not been fed yet. */
struct side {
    struct ks_tls *tls;
    struct ks_buffer sent;
};

struct pair {
    struct ks_tls_identity *identity;
    struct ks_tls_context *server_context;
    struct ks_tls_context *client_context;
    struct side server;
    struct side client;
};

static void send_to_buffer(void *owner, const uint8_t *bytes, size_t size)
{
    assert_int_equal(ks_buffer_append(&((struct side *)owner)->sent, bytes, size), KS_OK);
}

static void pair_open(struct pair *pair)
{
    *pair = (struct pair){.identity = NULL};
    assert_int_equal(ks_tls_identity_generate(&pair->identity), KS_OK);
    assert_int_equal(ks_tls_server_context_new(pair->identity, &pair->server_context), KS_OK);
    assert_int_equal(ks_tls_client_context_new(false, &pair->client_context), KS_OK);
    assert_int_equal(ks_tls_new(pair->server_context, NULL, send_to_buffer, &pair->server, &pair->server.tls),
                     KS_OK);
    assert_int_equal(
        ks_tls_new(pair->client_context, "localhost", send_to_buffer, &pair->client, &pair->client.tls),
        KS_OK);
}

static void pair_close(struct pair *pair)
{
    ks_tls_free(pair->server.tls);
    ks_tls_free(pair->client.tls);
    ks_tls_context_release(pair->server_context);
    ks_tls_context_release(pair->client_context);
    ks_tls_identity_free(pair->identity);
    ks_buffer_free(&pair->server.sent);
    ks_buffer_free(&pair->client.sent);
}

/* Takes what `from` has sent: the caller's to free. */
static struct ks_buffer take_sent(struct side *from)
{
    struct ks_buffer sent = from->sent;
    from->sent = ks_buffer_empty(0);
    return sent;
}

/* A step of a handshake, in pieces of `piece` bytes. The last result. */
static enum ks_result step(struct side *side, struct side *peer, size_t piece)
{
    struct ks_buffer sent = take_sent(peer);
    enum ks_result result = KS_MORE;
    for (size_t offset = 0; offset < sent.size; offset += piece) {
        size_t size = sent.size - offset < piece ? sent.size - offset : piece;
        ks_tls_feed(side->tls, sent.bytes + offset, size);
        result = ks_tls_handshake(side->tls);
        assert_int_equal(ks_tls_unread(side->tls), 0);
    }
    ks_buffer_free(&sent);
    return result;
}

static void shake_hands(struct pair *pair, size_t piece)
{
    assert_int_equal(ks_tls_handshake(pair->client.tls), KS_MORE);
    assert_int_equal(step(&pair->server, &pair->client, piece), KS_MORE);
    assert_int_equal(step(&pair->client, &pair->server, piece), KS_OK);
    assert_int_equal(step(&pair->server, &pair->client, piece), KS_OK);
    assert_int_equal(pair->server.sent.size, 0); /* no tickets */
}

static void deliver(struct side *side, struct ks_buffer *sent, const void *expected, size_t size)
{
    uint8_t got[64];
    size_t got_size = 0;
    ks_tls_feed(side->tls, sent->bytes, sent->size);
    assert_int_equal(ks_tls_read(side->tls, got, sizeof got, &got_size), KS_OK);
    assert_int_equal(got_size, size);
    assert_memory_equal(got, expected, size);
    assert_int_equal(ks_tls_read(side->tls, got, sizeof got, &got_size), KS_MORE);
}

static void test_both_sides_agree_and_say_something(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    shake_hands(&pair, SIZE_MAX / 2);
    assert_int_equal(ks_tls_protocol_of(pair.server.tls), KS_TLS_PROTOCOL_KESHER);
    assert_int_equal(ks_tls_protocol_of(pair.client.tls), KS_TLS_PROTOCOL_KESHER);
    assert_int_equal(ks_tls_write(pair.client.tls, (const uint8_t *)"hello", 5), KS_OK);
    struct ks_buffer sent = take_sent(&pair.client);
    assert_null(memmem(sent.bytes, sent.size, "hello", 5));
    deliver(&pair.server, &sent, "hello", 5);
    ks_buffer_free(&sent);
    pair_close(&pair);
}

static void test_a_handshake_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    shake_hands(&pair, 1);
    pair_close(&pair);
}

static void test_the_server_is_at_its_end_when_it_has_said_finished(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    assert_false(ks_tls_is_cheap(pair.server.tls));
    assert_int_equal(ks_tls_handshake(pair.client.tls), KS_MORE);
    assert_int_equal(step(&pair.server, &pair.client, SIZE_MAX / 2), KS_MORE);
    assert_true(ks_tls_is_cheap(pair.server.tls));
    pair_close(&pair);
}

static void test_both_sides_have_one_channel_and_each_connection_another(void **state)
{
    (void)state;
    uint8_t channels[3][KS_TLS_CHANNEL_SIZE];
    uint8_t fingerprint[KS_TLS_FINGERPRINT_SIZE];
    struct pair one;
    struct pair other;
    pair_open(&one);
    pair_open(&other);
    shake_hands(&one, SIZE_MAX / 2);
    shake_hands(&other, SIZE_MAX / 2);
    assert_int_equal(ks_tls_channel(one.server.tls, channels[0]), KS_OK);
    assert_int_equal(ks_tls_channel(one.client.tls, channels[1]), KS_OK);
    assert_int_equal(ks_tls_channel(other.client.tls, channels[2]), KS_OK);
    ks_tls_identity_fingerprint(one.identity, fingerprint);
    assert_memory_equal(channels[0], channels[1], KS_TLS_CHANNEL_SIZE);
    assert_memory_equal(channels[0], fingerprint, KS_TLS_FINGERPRINT_SIZE);
    assert_memory_not_equal(channels[0] + KS_TLS_FINGERPRINT_SIZE, channels[2] + KS_TLS_FINGERPRINT_SIZE, 32);
    pair_close(&one);
    pair_close(&other);
}

static void test_the_client_is_told_who_the_server_is_and_that_nobody_vouches(void **state)
{
    (void)state;
    struct ks_tls_peer peer;
    uint8_t fingerprint[KS_TLS_FINGERPRINT_SIZE];
    struct pair pair;
    pair_open(&pair);
    shake_hands(&pair, SIZE_MAX / 2);
    assert_int_equal(ks_tls_peer_of(pair.client.tls, &peer), KS_OK);
    ks_tls_identity_fingerprint(pair.identity, fingerprint);
    assert_memory_equal(peer.fingerprint, fingerprint, sizeof fingerprint);
    assert_false(peer.is_vouched_for);
    assert_true(peer.why_not[0] != '\0');
    pair_close(&pair);
}

static void test_authorities_do_not_vouch_for_a_self_signed_certificate(void **state)
{
    (void)state;
    struct ks_tls_peer peer;
    struct pair pair;
    pair_open(&pair);
    ks_tls_free(pair.client.tls);
    ks_tls_context_release(pair.client_context);
    assert_int_equal(ks_tls_client_context_new(true, &pair.client_context), KS_OK);
    assert_int_equal(
        ks_tls_new(pair.client_context, "localhost", send_to_buffer, &pair.client, &pair.client.tls), KS_OK);
    shake_hands(&pair, SIZE_MAX / 2);
    assert_int_equal(ks_tls_peer_of(pair.client.tls, &peer), KS_OK);
    assert_false(peer.is_vouched_for);
    pair_close(&pair);
}

static void test_the_end_is_told_and_what_is_cut_is_not_the_end(void **state)
{
    (void)state;
    uint8_t got[8];
    size_t size = 0;
    struct pair pair;
    pair_open(&pair);
    shake_hands(&pair, SIZE_MAX / 2);
    ks_tls_end(pair.client.tls);
    ks_tls_end(pair.client.tls); /* once */
    struct ks_buffer sent = take_sent(&pair.client);
    ks_tls_feed(pair.server.tls, sent.bytes, sent.size - 1);
    assert_int_equal(ks_tls_read(pair.server.tls, got, sizeof got, &size), KS_MORE);
    ks_tls_feed(pair.server.tls, sent.bytes + sent.size - 1, 1);
    assert_int_equal(ks_tls_read(pair.server.tls, got, sizeof got, &size), KS_CLOSED);
    ks_buffer_free(&sent);
    /* The other direction goes on. */
    assert_int_equal(ks_tls_write(pair.server.tls, (const uint8_t *)"still", 5), KS_OK);
    sent = take_sent(&pair.server);
    deliver(&pair.client, &sent, "still", 5);
    ks_buffer_free(&sent);
    pair_close(&pair);
}

static void test_a_byte_that_was_changed_on_the_way_breaks_the_connection(void **state)
{
    (void)state;
    uint8_t got[8];
    size_t size = 0;
    struct pair pair;
    pair_open(&pair);
    shake_hands(&pair, SIZE_MAX / 2);
    assert_int_equal(ks_tls_write(pair.client.tls, (const uint8_t *)"hello", 5), KS_OK);
    struct ks_buffer sent = take_sent(&pair.client);
    sent.bytes[sent.size - 1] ^= 1;
    ks_tls_feed(pair.server.tls, sent.bytes, sent.size);
    assert_int_equal(ks_tls_read(pair.server.tls, got, sizeof got, &size), KS_INVALID);
    assert_true(ks_tls_why(pair.server.tls)[0] != '\0');
    assert_true(pair.server.sent.size > 0); /* the alert */
    ks_buffer_free(&sent);
    pair_close(&pair);
}

static void test_long_output_is_records_of_16_kib(void **state)
{
    (void)state;
    enum { SIZE = 3 * KS_TLS_RECORD_SIZE + 5, RECORD = 5 + KS_TLS_RECORD_SIZE + 1 + 16 };
    uint8_t *bytes = calloc(1, SIZE);
    struct pair pair;
    assert_non_null(bytes);
    pair_open(&pair);
    shake_hands(&pair, SIZE_MAX / 2);
    assert_int_equal(ks_tls_write(pair.client.tls, bytes, SIZE), KS_OK);
    assert_int_equal(pair.client.sent.size, 3 * RECORD + 5 + 5 + 1 + 16);
    free(bytes);
    pair_close(&pair);
}

static void test_what_is_no_hello_is_refused_with_an_alert(void **state)
{
    (void)state;
    static const char text[] = "GET / HTTP/1.1\r\nHost: example\r\n\r\n";
    struct pair pair;
    pair_open(&pair);
    ks_tls_feed(pair.server.tls, (const uint8_t *)text, sizeof text - 1);
    assert_int_equal(ks_tls_handshake(pair.server.tls), KS_INVALID);
    pair_close(&pair);
}

static void test_an_identity_is_the_same_after_pem(void **state)
{
    (void)state;
    struct ks_tls_identity *identity = NULL;
    struct ks_tls_identity *again = NULL;
    struct ks_buffer certificate = ks_buffer_empty(0);
    struct ks_buffer key = ks_buffer_empty(0);
    char why[KS_TLS_WHY_SIZE];
    uint8_t one[KS_TLS_FINGERPRINT_SIZE];
    uint8_t other[KS_TLS_FINGERPRINT_SIZE];
    assert_int_equal(ks_tls_identity_generate(&identity), KS_OK);
    assert_true(ks_tls_identity_is_self_signed(identity));
    assert_true(ks_tls_identity_ends(identity) > INT64_C(200000000000));
    assert_false(ks_tls_identity_name(identity, why, sizeof why));
    assert_int_equal(ks_tls_identity_encode_certificates(identity, &certificate), KS_OK);
    assert_int_equal(ks_tls_identity_encode_key(identity, &key), KS_OK);
    assert_int_equal(ks_tls_identity_parse((char *)certificate.bytes, certificate.size, (char *)key.bytes,
                                           key.size, &again, why),
                     KS_OK);
    ks_tls_identity_fingerprint(identity, one);
    ks_tls_identity_fingerprint(again, other);
    assert_memory_equal(one, other, sizeof one);
    ks_tls_identity_free(identity);
    ks_tls_identity_free(again);
    ks_buffer_free(&certificate);
    ks_buffer_wipe(&key);
}

static void test_files_that_are_no_identity_are_refused_with_a_sentence(void **state)
{
    (void)state;
    struct ks_tls_identity *identity = NULL;
    struct ks_tls_identity *other = NULL;
    struct ks_buffer certificate = ks_buffer_empty(0);
    struct ks_buffer key = ks_buffer_empty(0);
    char why[KS_TLS_WHY_SIZE];
    assert_int_equal(ks_tls_identity_generate(&identity), KS_OK);
    assert_int_equal(ks_tls_identity_generate(&other), KS_OK);
    assert_int_equal(ks_tls_identity_encode_certificates(identity, &certificate), KS_OK);
    assert_int_equal(ks_tls_identity_encode_key(other, &key), KS_OK);
    char *pem = (char *)certificate.bytes;
    struct ks_tls_identity *none = NULL;
    assert_int_equal(ks_tls_identity_parse("", 0, (char *)key.bytes, key.size, &none, why), KS_INVALID);
    assert_non_null(strstr(why, "certificate"));
    assert_int_equal(ks_tls_identity_parse(pem, certificate.size, "", 0, &none, why), KS_INVALID);
    assert_non_null(strstr(why, "private key"));
    assert_int_equal(ks_tls_identity_parse(pem, certificate.size, (char *)key.bytes, key.size, &none, why),
                     KS_INVALID);
    assert_non_null(strstr(why, "not the key"));
    assert_null(none);
    ks_tls_identity_free(identity);
    ks_tls_identity_free(other);
    ks_buffer_free(&certificate);
    ks_buffer_wipe(&key);
}

static void test_a_fingerprint_has_one_text(void **state)
{
    (void)state;
    uint8_t fingerprint[KS_TLS_FINGERPRINT_SIZE];
    uint8_t again[KS_TLS_FINGERPRINT_SIZE];
    char text[KS_TLS_FINGERPRINT_TEXT_SIZE];
    for (size_t i = 0; i < sizeof fingerprint; i++)
        fingerprint[i] = (uint8_t)(251 + i * 7);
    ks_tls_fingerprint_text(fingerprint, text);
    assert_string_equal(text, "-wIJEBceJSwzOkFIT1ZdZGtyeYCHjpWco6qxuL_GzdQ");
    assert_int_equal(ks_tls_fingerprint_parse(text, 43, again), KS_OK);
    assert_memory_equal(fingerprint, again, sizeof again);
    assert_int_equal(ks_tls_fingerprint_parse(text, 42, again), KS_INVALID);
    text[42] = 'R'; /* bits that mean nothing */
    assert_int_equal(ks_tls_fingerprint_parse(text, 43, again), KS_INVALID);
    text[42] = '=';
    assert_int_equal(ks_tls_fingerprint_parse(text, 43, again), KS_INVALID);
    text[42] = 'Q';
    text[0] = '+';
    assert_int_equal(ks_tls_fingerprint_parse(text, 43, again), KS_INVALID);
    text[0] = ' ';
    assert_int_equal(ks_tls_fingerprint_parse(text, 43, again), KS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_sides_agree_and_say_something),
        cmocka_unit_test(test_a_handshake_may_come_byte_by_byte),
        cmocka_unit_test(test_the_server_is_at_its_end_when_it_has_said_finished),
        cmocka_unit_test(test_both_sides_have_one_channel_and_each_connection_another),
        cmocka_unit_test(test_the_client_is_told_who_the_server_is_and_that_nobody_vouches),
        cmocka_unit_test(test_authorities_do_not_vouch_for_a_self_signed_certificate),
        cmocka_unit_test(test_the_end_is_told_and_what_is_cut_is_not_the_end),
        cmocka_unit_test(test_a_byte_that_was_changed_on_the_way_breaks_the_connection),
        cmocka_unit_test(test_long_output_is_records_of_16_kib),
        cmocka_unit_test(test_what_is_no_hello_is_refused_with_an_alert),
        cmocka_unit_test(test_an_identity_is_the_same_after_pem),
        cmocka_unit_test(test_files_that_are_no_identity_are_refused_with_a_sentence),
        cmocka_unit_test(test_a_fingerprint_has_one_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
