/* tls.h — TLS 1.3 (protocol.md §7) over bytes: an engine without sockets, for both sides.
 *
 * What comes from the peer is given with ks_tls_feed, what is for the peer comes out by `send`. A *context*
 * has the rules of one side, and the identity of a server; it is counted and may be used from any thread. A
 * *connection* (struct ks_tls) belongs to one thread at a time, whichever that is. Buffers of a connection
 * that is quiet are given back.
 *
 * Costs: a server's first step of a handshake some 200 microseconds, a record of 16 KiB some 5.
 */
#ifndef KS_CRYPTO_TLS_H
#define KS_CRYPTO_TLS_H

#include "crypto/tls_identity.h"

enum {
    KS_TLS_CHANNEL_SIZE =
        64, /* fingerprint of the server's certificate, then 32 bytes of exporter (RFC 9266) */
    KS_TLS_RECORD_SIZE = 16 * 1024, /* of plaintext, at most */
    KS_TLS_HELLO_LIMIT = 16 * 1024, /* bytes of a ClientHello, with what is around it */
};

#define KS_TLS_ALPN "kesher/1"

/* What was agreed on: what the peer wants to speak. */
enum ks_tls_protocol {
    KS_TLS_PROTOCOL_NONE,   /* no ALPN: HTTP at a server, a stranger's server at a client */
    KS_TLS_PROTOCOL_HTTP,   /* "http/1.1" */
    KS_TLS_PROTOCOL_KESHER, /* "kesher/1" */
};

/* ---- contexts ---- */

struct ks_tls_context;

/* For a server: takes a reference to nothing of `identity`, which may be freed. KS_OK with one reference;
 * KS_CRYPTO, KS_NO_MEMORY.
 */
enum ks_result ks_tls_server_context_new(const struct ks_tls_identity *identity,
                                         struct ks_tls_context **context);

/* For a client that offers `kesher/1`. `with_authorities`: loads those that the system trusts, so that
 * ks_tls_peer can tell whether one vouches; else none does. KS_OK, KS_CRYPTO, KS_NO_MEMORY. */
enum ks_result ks_tls_client_context_new(bool with_authorities, struct ks_tls_context **context);

/* Of a server's certificate: KS_TLS_FINGERPRINT_SIZE bytes, the context's. */
const uint8_t *ks_tls_context_fingerprint(const struct ks_tls_context *context);

/* For a client that measures servers of any kind: it offers TLS_AES_128_GCM_SHA256 and X25519 and nothing
 * else, so that all of them have the same work; and `kesher/1` or, without `offers_kesher`, no protocol.
 * Nobody vouches. KS_OK, KS_CRYPTO, KS_NO_MEMORY. */
enum ks_result ks_tls_measuring_context_new(bool offers_kesher, struct ks_tls_context **context);

struct ks_tls_context *ks_tls_context_retain(struct ks_tls_context *context);
void ks_tls_context_release(struct ks_tls_context *context); /* NULL is allowed */

/* ---- connections ---- */

struct ks_tls;

/* Takes bytes for the peer, all of them; inside the calls below. */
typedef void ks_tls_send(void *owner, const uint8_t *bytes, size_t size);

/* Takes a reference to the context. `host`: what a client calls the server, for SNI and for authorities; NULL
 * at a server. KS_OK with *tls for ks_tls_free; KS_NO_MEMORY. */
enum ks_result ks_tls_new(struct ks_tls_context *context, const char *host, ks_tls_send *send, void *owner,
                          struct ks_tls **tls);
void ks_tls_free(struct ks_tls *tls); /* sends nothing; NULL is allowed */

/* From now on bytes for the peer go there. */
void ks_tls_send_to(struct ks_tls *tls, ks_tls_send *send, void *owner);

/* What came from the peer: `bytes` must live until all was taken (ks_tls_unread is 0), or is fed anew.
 * Nothing is unread when this is called. */
void ks_tls_feed(struct ks_tls *tls, const uint8_t *bytes, size_t size);
size_t ks_tls_unread(const struct ks_tls *tls);

/* Goes on with the handshake. KS_OK when it is done; KS_MORE: feed it; KS_INVALID: the peer does not speak
 * TLS 1.3 as we do, which it was told (an alert was sent); KS_CRYPTO, KS_NO_MEMORY. */
enum ks_result ks_tls_handshake(struct ks_tls *tls);

/* At a server: the next step costs no more than a record: its own part is done. */
bool ks_tls_is_cheap(const struct ks_tls *tls);

/* Plaintext from what was fed. KS_OK with *got > 0; KS_MORE: all that came was taken; KS_CLOSED: the peer has
 * said all; KS_INVALID: what came is broken, which the peer was told. After an error nothing can be read any
 * more. */
enum ks_result ks_tls_read(struct ks_tls *tls, uint8_t *bytes, size_t size, size_t *got);

/* Plaintext that was decrypted already waits to be read, beyond what is unread. */
bool ks_tls_has_pending(const struct ks_tls *tls);

/* Sends it, in records of KS_TLS_RECORD_SIZE; a shorter call is a record of its own. KS_OK; KS_CRYPTO,
 * KS_NO_MEMORY, and the connection is of no use any more. */
enum ks_result ks_tls_write(struct ks_tls *tls, const uint8_t *bytes, size_t size);

/* Sends close_notify, once: we have said all. */
void ks_tls_end(struct ks_tls *tls);

/* ---- after the handshake ---- */

enum ks_tls_protocol ks_tls_protocol_of(const struct ks_tls *tls);

/* What signatures are bound to. KS_OK, KS_CRYPTO. */
enum ks_result ks_tls_channel(struct ks_tls *tls, uint8_t channel[static KS_TLS_CHANNEL_SIZE]);

/* Who a client's peer is. */
struct ks_tls_peer {
    uint8_t fingerprint[KS_TLS_FINGERPRINT_SIZE];
    bool is_vouched_for;           /* an authority vouches for the certificate, its time and this host */
    char why_not[KS_TLS_WHY_SIZE]; /* else: a sentence */
};

/* KS_OK, KS_CRYPTO. */
enum ks_result ks_tls_peer_of(struct ks_tls *tls, struct ks_tls_peer *peer);

/* What went wrong in the last call, for the log or for people; "" for nothing. Valid until the next call. */
const char *ks_tls_why(const struct ks_tls *tls);

#endif
