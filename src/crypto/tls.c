/* tls.c — see tls.h. libssl speaks to a BIO of ours, which hands on what there is and keeps nothing: input
 * stays where the caller has it until libssl takes it, output goes to the caller as it comes.
 */
#include "crypto/tls.h"

#include "crypto/openssl_error.h"
#include "crypto/tls_internal.h"

#include <arpa/inet.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXPORTER_SIZE = 32,
    CHAIN_BYTES_LIMIT = 64 * 1024, /* of the certificates that a client reads */
    HANDSHAKE_FINISHED = 20,       /* RFC 8446, 4 */
    KEY_UPDATES_LIMIT = 32,        /* of the peer's, between two things that it says */
};

struct ks_tls_context {
    _Atomic unsigned references;
    SSL_CTX *ssl;
    BIO_METHOD *method;
    bool is_server;
    bool with_authorities;
    uint8_t fingerprint[KS_TLS_FINGERPRINT_SIZE]; /* a server's */
};

struct ks_tls {
    SSL *ssl;
    struct ks_tls_context *context;
    ks_tls_send *send;
    void *owner;
    const uint8_t *input;
    size_t unread;
    bool has_said_finished; /* a server's own part of the handshake is done */
    bool has_ended;         /* close_notify was sent, or an alert */
    unsigned key_updates;   /* of the peer's, since it last said something */
    const char *why;        /* static */
};

/* ---- the BIO ---- */

static int bio_read(BIO *bio, char *bytes, size_t size, size_t *got)
{
    struct ks_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    *got = size < tls->unread ? size : tls->unread;
    if (*got == 0 || tls->key_updates > KEY_UPDATES_LIMIT) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(bytes, tls->input, *got);
    tls->input += *got;
    tls->unread -= *got;
    return 1;
}

static int bio_write(BIO *bio, const char *bytes, size_t size, size_t *written)
{
    const struct ks_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    tls->send(tls->owner, (const uint8_t *)bytes, size);
    *written = size;
    return 1;
}

static long bio_control(BIO *bio, int command, long number, void *argument)
{
    (void)bio, (void)number, (void)argument;
    return command == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "kesher");
    if (method != NULL &&
        (BIO_meth_set_read_ex(method, bio_read) != 1 || BIO_meth_set_write_ex(method, bio_write) != 1 ||
         BIO_meth_set_ctrl(method, bio_control) != 1 || BIO_meth_set_create(method, bio_create) != 1)) {
        BIO_meth_free(method);
        return NULL;
    }
    return method;
}

/* ---- contexts ---- */

/* OpenSSL refuses a list with a name that it does not know, so each is asked for by itself. */
static bool set_groups(SSL_CTX *ssl)
{
    static const char *const wanted[] = {"X25519MLKEM768", "X25519", "P-256", "P-384"};
    char list[64] = "";
    size_t used = 0;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (SSL_CTX_set1_groups_list(ssl, wanted[i]) == 1)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used > 0 ? ":" : "", wanted[i]);
    ERR_clear_error();
    return SSL_CTX_set1_groups_list(ssl, list) == 1;
}

static bool set_rules(SSL_CTX *ssl)
{
    SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_RENEGOTIATION);
    /* A chain is what the operator has given, and is not looked for again with every handshake. */
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ssl, TLS1_3_VERSION) == 1 && SSL_CTX_set_num_tickets(ssl, 0) == 1 &&
           SSL_CTX_set_ciphersuites(ssl, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                         "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
           set_groups(ssl);
}

/* A context with what both sides share, and one reference. NULL after a failure. */
static struct ks_tls_context *context_new(bool is_server)
{
    struct ks_tls_context *context = calloc(1, sizeof *context);
    if (context == NULL)
        return NULL;
    atomic_init(&context->references, 1);
    context->is_server = is_server;
    context->method = method_new();
    context->ssl = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    if (context->method == NULL || context->ssl == NULL || !set_rules(context->ssl)) {
        ks_tls_context_release(context);
        return NULL;
    }
    return context;
}

/* What we speak, by preference. */
static int select_protocol(SSL *ssl, const unsigned char **selected, unsigned char *selected_size,
                           const unsigned char *offered, unsigned int offered_size, void *argument)
{
    static const unsigned char ours[] = "\x08" KS_TLS_ALPN "\x08http/1.1";
    (void)ssl, (void)argument;
    int found = SSL_select_next_proto((unsigned char **)selected, selected_size, ours, sizeof ours - 1,
                                      offered, offered_size);
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* While a handshake lasts: sees our own part of it end. */
static void note_message(int is_sent, int version, int content_type, const void *bytes, size_t size, SSL *ssl,
                         void *argument)
{
    struct ks_tls *tls = argument;
    (void)version, (void)ssl;
    if (is_sent && content_type == SSL3_RT_HANDSHAKE && size > 0 &&
        *(const uint8_t *)bytes == HANDSHAKE_FINISHED)
        tls->has_said_finished = true;
}

/* After it: sees the peer change its keys, which costs us more than it, and has no limit in libssl. */
static void note_key_update(int is_sent, int version, int content_type, const void *bytes, size_t size,
                            SSL *ssl, void *argument)
{
    struct ks_tls *tls = argument;
    (void)version, (void)ssl;
    if (!is_sent && content_type == SSL3_RT_HANDSHAKE && size > 0 &&
        *(const uint8_t *)bytes == SSL3_MT_KEY_UPDATE)
        tls->key_updates++;
}

enum ks_result ks_tls_server_context_new(const struct ks_tls_identity *identity,
                                         struct ks_tls_context **context)
{
    struct ks_tls_context *created = context_new(true);
    if (created == NULL)
        return ks_openssl_failure(KS_NO_MEMORY);
    SSL_CTX_set_alpn_select_cb(created->ssl, select_protocol, NULL);
    memcpy(created->fingerprint, identity->fingerprint, sizeof created->fingerprint);
    if (SSL_CTX_use_cert_and_key(created->ssl, identity->certificate, identity->key, identity->chain, 1) !=
        1) {
        ks_tls_context_release(created);
        return ks_openssl_failure(KS_CRYPTO);
    }
    *context = created;
    return KS_OK;
}

enum ks_result ks_tls_client_context_new(bool with_authorities, struct ks_tls_context **context)
{
    static const unsigned char offered[] = "\x08" KS_TLS_ALPN;
    struct ks_tls_context *created = context_new(false);
    if (created == NULL)
        return ks_openssl_failure(KS_NO_MEMORY);
    created->with_authorities = with_authorities;
    /* The caller judges, before a byte of its own goes out: so the handshake comes to its end in any case. */
    SSL_CTX_set_verify(created->ssl, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_max_cert_list(created->ssl, CHAIN_BYTES_LIMIT);
    if (SSL_CTX_set_alpn_protos(created->ssl, offered, sizeof offered - 1) != 0 ||
        (with_authorities && SSL_CTX_set_default_verify_paths(created->ssl) != 1)) {
        ks_tls_context_release(created);
        return ks_openssl_failure(KS_CRYPTO);
    }
    *context = created;
    return KS_OK;
}

/* Nobody is asked whether the certificate is good: that would cost the one who measures, not who is measured.
 */
static int accept_certificate(X509_STORE_CTX *store, void *argument)
{
    (void)store, (void)argument;
    return 1;
}

enum ks_result ks_tls_measuring_context_new(bool offers_kesher, struct ks_tls_context **context)
{
    struct ks_tls_context *created = NULL;
    enum ks_result result = ks_tls_client_context_new(false, &created);
    if (created == NULL)
        return result;
    SSL_CTX_set_cert_verify_callback(created->ssl, accept_certificate, NULL);
    if (SSL_CTX_set_ciphersuites(created->ssl, "TLS_AES_128_GCM_SHA256") != 1 ||
        SSL_CTX_set1_groups_list(created->ssl, "X25519") != 1 ||
        (!offers_kesher && SSL_CTX_set_alpn_protos(created->ssl, NULL, 0) != 0)) {
        ks_tls_context_release(created);
        return ks_openssl_failure(KS_CRYPTO);
    }
    *context = created;
    return KS_OK;
}

struct ks_tls_context *ks_tls_context_retain(struct ks_tls_context *context)
{
    atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
    return context;
}

void ks_tls_context_release(struct ks_tls_context *context)
{
    if (context == NULL || atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(context->ssl);
    BIO_meth_free(context->method);
    free(context);
}

const uint8_t *ks_tls_context_fingerprint(const struct ks_tls_context *context)
{
    return context->fingerprint;
}

/* ---- connections ---- */

static bool is_address(const char *host)
{
    uint8_t address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* Whom an authority has to vouch for, and, for a name, SNI. */
static bool set_host(SSL *ssl, const char *host)
{
    if (is_address(host))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

enum ks_result ks_tls_new(struct ks_tls_context *context, const char *host, ks_tls_send *send, void *owner,
                          struct ks_tls **tls)
{
    struct ks_tls *created = calloc(1, sizeof *created);
    SSL *ssl = SSL_new(context->ssl);
    BIO *bio = BIO_new(context->method);
    if (created == NULL || ssl == NULL || bio == NULL || (host != NULL && !set_host(ssl, host))) {
        BIO_free(bio);
        SSL_free(ssl);
        free(created);
        (void)ks_openssl_failure(KS_OK);
        return KS_NO_MEMORY;
    }
    BIO_set_data(bio, created);
    SSL_set_bio(ssl, bio, bio);
    if (context->is_server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    SSL_set_msg_callback(ssl, note_message);
    SSL_set_msg_callback_arg(ssl, created);
    *created = (struct ks_tls){
        .ssl = ssl, .context = ks_tls_context_retain(context), .send = send, .owner = owner, .why = ""};
    *tls = created;
    return KS_OK;
}

void ks_tls_free(struct ks_tls *tls)
{
    if (tls == NULL)
        return;
    SSL_set_quiet_shutdown(tls->ssl, 1);
    SSL_free(tls->ssl);
    ks_tls_context_release(tls->context);
    free(tls);
}

void ks_tls_send_to(struct ks_tls *tls, ks_tls_send *send, void *owner)
{
    tls->send = send;
    tls->owner = owner;
}

void ks_tls_feed(struct ks_tls *tls, const uint8_t *bytes, size_t size)
{
    tls->input = bytes;
    tls->unread = size;
}

size_t ks_tls_unread(const struct ks_tls *tls)
{
    return tls->unread;
}

/* What a call that came to nothing means. */
static enum ks_result outcome(struct ks_tls *tls, int code)
{
    int error = SSL_get_error(tls->ssl, code);
    unsigned long first = ERR_peek_error();
    tls->why = "";
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return KS_MORE;
    if (error == SSL_ERROR_ZERO_RETURN)
        return KS_CLOSED;
    const char *reason = ERR_reason_error_string(first);
    tls->why = reason != NULL ? reason : "it broke off";
    tls->has_ended = true; /* libssl has sent an alert */
    return ks_openssl_failure(KS_INVALID);
}

enum ks_result ks_tls_handshake(struct ks_tls *tls)
{
    ERR_clear_error();
    int code = SSL_do_handshake(tls->ssl);
    if (code != 1)
        return outcome(tls, code);
    SSL_set_msg_callback(tls->ssl, note_key_update);
    return KS_OK;
}

bool ks_tls_is_cheap(const struct ks_tls *tls)
{
    return tls->has_said_finished;
}

enum ks_result ks_tls_read(struct ks_tls *tls, uint8_t *bytes, size_t size, size_t *got)
{
    *got = 0;
    ERR_clear_error();
    int code = SSL_read_ex(tls->ssl, bytes, size, got);
    if (code == 1) {
        tls->key_updates = 0;
        return KS_OK;
    }
    if (tls->key_updates <= KEY_UPDATES_LIMIT)
        return outcome(tls, code);
    tls->why = "too many new keys";
    tls->has_ended = true;
    return ks_openssl_failure(KS_INVALID);
}

bool ks_tls_has_pending(const struct ks_tls *tls)
{
    return SSL_pending(tls->ssl) > 0;
}

enum ks_result ks_tls_write(struct ks_tls *tls, const uint8_t *bytes, size_t size)
{
    size_t written = 0;
    ERR_clear_error();
    if (size == 0)
        return KS_OK;
    if (SSL_write_ex(tls->ssl, bytes, size, &written) == 1)
        return KS_OK; /* all of it: there are no partial writes */
    tls->has_ended = true;
    return ks_openssl_failure(KS_CRYPTO);
}

void ks_tls_end(struct ks_tls *tls)
{
    if (tls->has_ended || SSL_is_init_finished(tls->ssl) != 1)
        return;
    tls->has_ended = true;
    ERR_clear_error();
    (void)SSL_shutdown(tls->ssl); /* says that the peer has not answered yet, which is as it should be */
    ERR_clear_error();
}

/* ---- after the handshake ---- */

enum ks_tls_protocol ks_tls_protocol_of(const struct ks_tls *tls)
{
    const unsigned char *name = NULL;
    unsigned int size = 0;
    SSL_get0_alpn_selected(tls->ssl, &name, &size);
    if (size == sizeof KS_TLS_ALPN - 1 && memcmp(name, KS_TLS_ALPN, size) == 0)
        return KS_TLS_PROTOCOL_KESHER;
    return size > 0 ? KS_TLS_PROTOCOL_HTTP : KS_TLS_PROTOCOL_NONE;
}

static enum ks_result peer_fingerprint(const struct ks_tls *tls,
                                       uint8_t fingerprint[static KS_TLS_FINGERPRINT_SIZE])
{
    X509 *certificate = SSL_get1_peer_certificate(tls->ssl);
    if (certificate == NULL)
        return ks_openssl_failure(KS_CRYPTO);
    enum ks_result result = ks_tls_certificate_fingerprint(certificate, fingerprint);
    X509_free(certificate);
    return result;
}

enum ks_result ks_tls_channel(struct ks_tls *tls, uint8_t channel[static KS_TLS_CHANNEL_SIZE])
{
    static const char label[] = "EXPORTER-Channel-Binding"; /* RFC 9266, 4.2 */
    enum ks_result result = KS_OK;
    if (tls->context->is_server)
        memcpy(channel, tls->context->fingerprint, KS_TLS_FINGERPRINT_SIZE);
    else
        result = peer_fingerprint(tls, channel);
    if (result != KS_OK)
        return result;
    int made = SSL_export_keying_material(tls->ssl, channel + KS_TLS_FINGERPRINT_SIZE, EXPORTER_SIZE, label,
                                          sizeof label - 1, NULL, 0, 0);
    return made == 1 ? KS_OK : ks_openssl_failure(KS_CRYPTO);
}

enum ks_result ks_tls_peer_of(struct ks_tls *tls, struct ks_tls_peer *peer)
{
    *peer = (struct ks_tls_peer){.is_vouched_for = false};
    enum ks_result result = peer_fingerprint(tls, peer->fingerprint);
    if (result != KS_OK)
        return result;
    long verdict = SSL_get_verify_result(tls->ssl);
    peer->is_vouched_for = tls->context->with_authorities && verdict == X509_V_OK;
    if (!peer->is_vouched_for)
        snprintf(peer->why_not, sizeof peer->why_not, "%s",
                 tls->context->with_authorities ? X509_verify_cert_error_string(verdict)
                                                : "no authority was asked");
    return KS_OK;
}

const char *ks_tls_why(const struct ks_tls *tls)
{
    return tls->why;
}
