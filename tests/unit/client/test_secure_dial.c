/* Unit tests of client/transport/secure_dial.h: who answers a call to the secure port, and that nobody who is
 * not meant hears a byte of ours. The servers are honest (crypto/tls.h would do) or hostile
 * (secure_server.h).
 */
#include "unit/client/secure_server.h"

#include "client/transport/secure_dial.h"

#include <fcntl.h>
#include <signal.h>

enum { PATIENT_MS = 60 * 1000, SHORT_MS = 50 };

/* A call, and what was asked and told during it. */
struct call {
    struct secure_server *server;
    struct ks_address address;
    struct ks_trust trust;
    struct kesher_options options;
    const uint8_t *linked;
    unsigned questions;
    unsigned notices;
    bool answer;
    char sentence[KESHER_SENTENCE_SIZE]; /* that was asked or told last */
};

static void take_notice(void *context, const char *line)
{
    struct call *call = context;
    call->notices++;
    assert_true(snprintf(call->sentence, sizeof call->sentence, "%s", line) > 0);
}

static bool take_question(void *context, const char *question)
{
    struct call *call = context;
    call->questions++;
    assert_true(snprintf(call->sentence, sizeof call->sentence, "%s", question) > 0);
    return call->answer;
}

static int open_call(void **state)
{
    struct call *call = calloc(1, sizeof *call);
    assert_non_null(call);
    call->server = secure_server_start();
    assert_int_equal(ks_address_parse(call->server->address, strlen(call->server->address), &call->address),
                     KS_OK);
    call->options = (struct kesher_options){
        .connect_ms = PATIENT_MS,
        .observer = {.context = call, .notice = take_notice},
        .questions = {.context = call, .trust = take_question},
    };
    *state = call;
    return 0;
}

static int close_call(void **state)
{
    struct call *call = *state;
    if (call->server != NULL)
        secure_server_stop(call->server);
    free(call);
    return 0;
}

/* All that was sent was taken by then. */
static void stop_server(struct call *call)
{
    assert_int_equal(call->server->trail_size, 0);
    secure_server_stop(call->server);
    call->server = NULL;
}

static enum kesher_status dial_over(struct call *call, int fd, struct kesher_error *error)
{
    struct ks_tls_context *context = NULL;
    struct ks_carrier *carrier = NULL;
    assert_int_equal(ks_secure_context(&call->trust, &context, NULL), KESHER_OK);
    const struct ks_secure_call secure = {
        .server = &call->address, .linked = call->linked, .tls = context, .options = &call->options};
    enum kesher_status status = fd < 0 ? ks_secure_dial(&secure, &call->trust, &carrier, error)
                                       : ks_secure_dial_over(fd, &secure, &call->trust, &carrier, error);
    assert_int_equal(status == KESHER_OK, carrier != NULL);
    ks_carrier_free(carrier);
    ks_tls_context_release(context);
    return status;
}

static enum kesher_status dial(struct call *call, struct kesher_error *error)
{
    return dial_over(call, -1, error);
}

static void trust_key(struct call *call, const uint8_t *key)
{
    call->trust = (struct ks_trust){.mode = KS_TRUST_KEY, .server = call->address};
    memcpy(call->trust.key, key, sizeof call->trust.key);
}

struct far_end {
    struct secure_server *server;
    int fd;
};

static void *serve_far_end(void *argument)
{
    const struct far_end *end = argument;
    secure_take_connection(end->server, end->fd);
    return NULL;
}

/* Over a socket whose other end has no address: nobody can take it for one on this machine. */
static enum kesher_status dial_from_afar(struct call *call, struct kesher_error *error)
{
    int fds[2];
    pthread_t thread;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    struct far_end end = {.server = call->server, .fd = fds[1]};
    assert_int_equal(pthread_create(&thread, NULL, serve_far_end, &end), 0);
    enum kesher_status status = dial_over(call, fds[0], error);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return status;
}

/* ---- keys ---- */

static void first_contact_on_this_machine_is_accepted_and_told(void **state)
{
    struct call *call = *state;
    char text[KS_TLS_FINGERPRINT_TEXT_SIZE];
    assert_int_equal(dial(call, NULL), KESHER_OK);
    assert_int_equal(call->questions, 0);
    assert_int_equal(call->notices, 1);
    ks_tls_fingerprint_text(call->server->fingerprint, text);
    assert_non_null(strstr(call->sentence, text));
    assert_int_equal(call->trust.mode, KS_TRUST_KEY);
    assert_memory_equal(call->trust.key, call->server->fingerprint, sizeof call->trust.key);
}

static void key_that_is_known_is_accepted_without_a_word(void **state)
{
    struct call *call = *state;
    trust_key(call, call->server->fingerprint);
    assert_int_equal(dial(call, NULL), KESHER_OK);
    assert_int_equal(call->questions + call->notices, 0);
}

static void another_key_than_the_known_one_is_refused_and_hears_nothing(void **state)
{
    struct call *call = *state;
    struct kesher_error error;
    char before[KS_TLS_FINGERPRINT_TEXT_SIZE];
    char after[KS_TLS_FINGERPRINT_TEXT_SIZE];
    trust_key(call, call->server->fingerprint);
    ks_tls_fingerprint_text(call->server->fingerprint, before);
    secure_server_new_key(call->server);
    ks_tls_fingerprint_text(call->server->fingerprint, after);
    const struct ks_trust trust = call->trust;
    assert_int_equal(dial(call, &error), KESHER_REFUSED);
    assert_non_null(strstr(error.sentence, before));
    assert_non_null(strstr(error.sentence, after));
    assert_non_null(strstr(error.sentence, "kesher server --forget"));
    assert_memory_equal(&call->trust, &trust, sizeof trust);
    assert_int_equal(call->questions, 0);
    stop_server(call);
}

static void key_of_a_link_counts_at_first_contact(void **state)
{
    struct call *call = *state;
    uint8_t linked[KS_TLS_FINGERPRINT_SIZE];
    struct kesher_error error;
    memcpy(linked, call->server->fingerprint, sizeof linked);
    call->linked = linked;
    assert_int_equal(dial_from_afar(call, NULL), KESHER_OK);
    assert_int_equal(call->questions, 0);
    linked[0] ^= 1;
    call->trust = (struct ks_trust){.mode = KS_TRUST_NONE};
    assert_int_equal(dial_from_afar(call, &error), KESHER_REFUSED);
    assert_int_equal(call->questions, 0);
    stop_server(call);
}

static void stranger_from_afar_is_asked_about(void **state)
{
    struct call *call = *state;
    char text[KS_TLS_FINGERPRINT_TEXT_SIZE];
    call->answer = true;
    assert_int_equal(dial_from_afar(call, NULL), KESHER_OK);
    assert_int_equal(call->questions, 1);
    ks_tls_fingerprint_text(call->server->fingerprint, text);
    assert_non_null(strstr(call->sentence, text));
    assert_int_equal(call->trust.mode, KS_TRUST_KEY);
}

static void no_to_a_stranger_is_a_refusal_and_nothing_is_sent(void **state)
{
    struct call *call = *state;
    struct kesher_error error;
    call->answer = false;
    assert_int_equal(dial_from_afar(call, &error), KESHER_REFUSED);
    assert_int_equal(call->questions, 1);
    assert_int_equal(call->trust.mode, KS_TRUST_NONE);
    stop_server(call);
}

static void stranger_is_refused_where_nobody_can_be_asked(void **state)
{
    struct call *call = *state;
    struct kesher_error error;
    call->options.questions.trust = NULL;
    assert_int_equal(dial_from_afar(call, &error), KESHER_REFUSED);
    assert_non_null(strstr(error.sentence, "no terminal"));
    assert_int_equal(call->trust.mode, KS_TRUST_NONE);
    stop_server(call);
}

/* ---- what speaks something else ---- */

/* Whatever its certificate, and before anybody is asked about it. */
static void server_that_did_not_choose_kesher_is_refused(void **state)
{
    struct call *call = *state;
    struct kesher_error error;
    call->answer = true;
    call->server->alpn = SECURE_ALPN_NONE;
    assert_int_equal(dial(call, &error), KESHER_REFUSED);
    assert_non_null(strstr(error.sentence, "kesher/1"));
    trust_key(call, call->server->fingerprint);
    assert_int_equal(dial(call, &error), KESHER_REFUSED);
    call->server->alpn = SECURE_ALPN_FOREIGN;
    assert_int_not_equal(dial(call, &error), KESHER_OK);
    assert_int_equal(call->questions + call->notices, 0);
    stop_server(call);
}

static void plain_text_is_no_secure_server(void **state)
{
    struct call *call = *state;
    struct kesher_error error;
    call->server->talks_http = true;
    assert_int_equal(dial(call, &error), KESHER_PROTOCOL);
    assert_non_null(strstr(error.sentence, call->server->address));
    stop_server(call);
}

static void server_that_says_nothing_is_given_up(void **state)
{
    struct call *call = *state;
    struct kesher_error error;
    call->server->is_mute = true;
    call->options.connect_ms = SHORT_MS;
    assert_int_equal(dial(call, &error), KESHER_TIMEOUT);
    assert_non_null(strstr(error.sentence, call->server->address));
}

static void server_that_closes_at_once_is_a_lost_connection(void **state)
{
    struct call *call = *state;
    struct kesher_error error;
    call->server->cuts_hello = true;
    assert_int_equal(dial(call, &error), KESHER_CONNECTION);
    assert_non_null(strstr(error.sentence, call->server->address));
}

/* ---- authorities ---- */

/* The system's authorities are a file of the test's. */
struct authority {
    X509 *certificate;
    EVP_PKEY *key;
    char path[64];
};

static void authority_open(struct authority *authority)
{
    secure_certificate("authority of a test", 24L * 60 * 60, NULL, NULL, &authority->certificate,
                       &authority->key);
    strcpy(authority->path, "/tmp/kesher-test-XXXXXX");
    int fd = mkstemp(authority->path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, authority->certificate), 1);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(setenv("SSL_CERT_FILE", authority->path, 1), 0);
}

static void authority_close(struct authority *authority)
{
    assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
    assert_int_equal(unlink(authority->path), 0);
    X509_free(authority->certificate);
    EVP_PKEY_free(authority->key);
}

static void show_signed(struct call *call, const struct authority *authority, const char *name, long seconds)
{
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    secure_certificate(name, seconds, authority->key, X509_get_subject_name(authority->certificate),
                       &certificate, &key);
    secure_server_show(call->server, certificate, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void use_name(struct call *call, const char *name)
{
    assert_true(snprintf(call->address.host, sizeof call->address.host, "%s", name) > 0);
}

static void what_an_authority_vouches_for_is_trusted_by_that(void **state)
{
    struct call *call = *state;
    struct authority authority;
    authority_open(&authority);
    use_name(call, "localhost");
    show_signed(call, &authority, "localhost", 60L * 60);
    assert_int_equal(dial_from_afar(call, NULL), KESHER_OK);
    assert_int_equal(call->questions, 0);
    assert_int_equal(call->trust.mode, KS_TRUST_CA);
    show_signed(call, &authority, "localhost", 60L * 60); /* renewed, with another key */
    assert_int_equal(dial_from_afar(call, NULL), KESHER_OK);
    authority_close(&authority);
}

static void certificate_that_is_over_or_for_another_name_is_refused(void **state)
{
    struct call *call = *state;
    struct authority authority;
    struct kesher_error error;
    authority_open(&authority);
    use_name(call, "localhost");
    call->answer = true; /* the mode never changes, whoever would say yes */
    call->trust = (struct ks_trust){.mode = KS_TRUST_CA, .server = call->address};
    show_signed(call, &authority, "localhost", -60);
    assert_int_equal(dial_from_afar(call, &error), KESHER_REFUSED);
    assert_non_null(strstr(error.sentence, "expired"));
    show_signed(call, &authority, "localhost.example", 60L * 60);
    assert_int_equal(dial_from_afar(call, &error), KESHER_REFUSED);
    secure_server_new_key(call->server);
    assert_int_equal(dial_from_afar(call, &error), KESHER_REFUSED);
    assert_int_equal(call->questions, 0);
    assert_int_equal(call->trust.mode, KS_TRUST_CA);
    authority_close(&authority);
    stop_server(call);
}

/* A key that is known is that key or nothing. */
static void authority_does_not_make_another_key_good(void **state)
{
    struct call *call = *state;
    struct authority authority;
    struct kesher_error error;
    authority_open(&authority);
    use_name(call, "localhost");
    trust_key(call, call->server->fingerprint);
    show_signed(call, &authority, "localhost", 60L * 60);
    assert_int_equal(dial_from_afar(call, &error), KESHER_REFUSED);
    authority_close(&authority);
    stop_server(call);
}

#define CALL_TEST(function) cmocka_unit_test_setup_teardown(function, open_call, close_call)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CALL_TEST(first_contact_on_this_machine_is_accepted_and_told),
        CALL_TEST(key_that_is_known_is_accepted_without_a_word),
        CALL_TEST(another_key_than_the_known_one_is_refused_and_hears_nothing),
        CALL_TEST(key_of_a_link_counts_at_first_contact),
        CALL_TEST(stranger_from_afar_is_asked_about),
        CALL_TEST(no_to_a_stranger_is_a_refusal_and_nothing_is_sent),
        CALL_TEST(stranger_is_refused_where_nobody_can_be_asked),
        CALL_TEST(server_that_did_not_choose_kesher_is_refused),
        CALL_TEST(plain_text_is_no_secure_server),
        CALL_TEST(server_that_says_nothing_is_given_up),
        CALL_TEST(server_that_closes_at_once_is_a_lost_connection),
        CALL_TEST(what_an_authority_vouches_for_is_trusted_by_that),
        CALL_TEST(certificate_that_is_over_or_for_another_name_is_refused),
        CALL_TEST(authority_does_not_make_another_key_good),
    };
    (void)signal(SIGPIPE, SIG_IGN); /* of the test's server */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
