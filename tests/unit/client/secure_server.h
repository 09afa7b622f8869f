/* secure_server.h — a small secure server in a thread of the test: one account, users, and lies to be told
 * instead of the next answers, or instead of TLS. It is written on libssl itself, so that it can do what
 * crypto/tls.h never would.
 *
 * The thread serves one connection after the other. What a test changes it changes while the thread waits.
 */
#ifndef KS_TESTS_UNIT_CLIENT_SECURE_SERVER_H
#define KS_TESTS_UNIT_CLIENT_SECURE_SERVER_H

#include "unit/client/certificates.h"
#include "unit/unit.h"

#include "crypto/account_key.h"
#include "crypto/digest.h"
#include "crypto/rsa.h"
#include "crypto/tls_identity.h"
#include "wire/accounts_codec.h"
#include "wire/drop_codec.h"
#include "wire/messages_codec.h"

#include <kesher/kesher.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    SECURE_LIES = 8,
    SECURE_TRAIL = 64,
    SECURE_USERS = 4,
    SECURE_REQUEST = 4096,
    SECURE_NUMBER = 7, /* of each number in a 4007, times its key */
};

/* What the server does at ALPN. */
enum secure_alpn {
    SECURE_ALPN_KESHER,
    SECURE_ALPN_NONE,    /* none is selected */
    SECURE_ALPN_FOREIGN, /* one that nobody offered */
};

/* How a lie ends. */
enum secure_end {
    SECURE_GOES_ON,
    SECURE_CUTS,       /* TCP ends, TLS does not */
    SECURE_ENDS,       /* close_notify */
    SECURE_GARBAGE,    /* bytes that are no record, then TCP ends */
    SECURE_STAYS_MUTE, /* until the client has gone */
    SECURE_REKEYS,     /* new keys, again and again */
    SECURE_TICKETS,    /* tickets that nobody wants, again and again */
    SECURE_FLOODS,     /* the payload, again and again */
};

/* Said instead of the true answer to a request with that code. */
struct secure_lie {
    uint16_t request;
    uint16_t code; /* 0: no answer */
    uint32_t told_size;
    uint8_t payload[2048];
    size_t size; /* what is sent of it */
    bool is_raw; /* without a header */
    enum secure_end end;
};

struct secure_user {
    char name[KS_TEXT_FIELD_SIZE];
    struct ks_client_id id;
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
};

/* A connection that is cut in the middle, once: what passes before, in bytes behind the sign-in. */
struct secure_cut {
    bool is_set;
    size_t left;
};

struct secure_connection;

struct secure_server {
    int listener;
    pthread_t thread;
    char address[KESHER_ADDRESS_SIZE]; /* "127.0.0.1:PORT" */
    char link[KESHER_ADDRESS_SIZE];    /* with the fingerprint */
    char plain_link[KESHER_ADDRESS_SIZE];
    uint8_t fingerprint[KS_TLS_FINGERPRINT_SIZE];
    SSL_CTX *context;
    enum secure_alpn alpn;
    bool talks_http; /* plain text instead of TLS */
    bool is_mute;    /* takes connections and says nothing */
    bool cuts_hello; /* closes at the ClientHello */
    atomic_uint connections;
    atomic_uint ended; /* of them */
    struct secure_lie lies[SECURE_LIES];
    size_t lie_count;
    uint16_t trail[SECURE_TRAIL];
    atomic_size_t trail_size;

    bool has_account;
    uint8_t account_key[KS_ACCOUNT_KEY_SIZE];
    char account_name[KS_TEXT_FIELD_SIZE];
    uint8_t public_id[KS_CLIENT_ID_SIZE];
    char invitation[KS_INVITATION_TEXT_SIZE]; /* that was given last */
    bool has_next_key;
    uint8_t next_key[KS_TLS_FINGERPRINT_SIZE];
    bool forgets_at_cut; /* a lie that cuts has removed the account */
    bool is_classic;
    uint8_t classic_key[KS_PUBLIC_KEY_SIZE];
    struct ks_client_id classic_id;  /* that is told, or that may be adopted */
    struct ks_public_key *adoptable; /* of the classic identity */
    char adoptable_name[KS_TEXT_FIELD_SIZE];

    struct secure_user users[SECURE_USERS];
    size_t user_count;
    struct secure_cut reading;
    struct secure_cut writing;
    /* Serves requests that are none of the above; false ends the connection. The payload of a 3014 is not
     * read before. */
    bool (*serve_more)(struct secure_connection *connection);
    void *more;               /* its owner's */
    const char *chat;         /* what is said after a 4030 */
    enum secure_end chat_end; /* and then; SECURE_GOES_ON: what comes is said again */
};

/* One connection, on the server's thread. */
struct secure_connection {
    struct secure_server *server;
    SSL *ssl;
    int fd;
    bool is_signed_in;
    uint8_t channel[KS_CHANNEL_SIZE];
    struct ks_adopt adopt;
    uint8_t adopt_payload[KS_SECURE_PAYLOAD_LIMIT];
    uint8_t secret[KS_ADOPTION_SECRET_SIZE];
    uint8_t request[SECURE_REQUEST];
    size_t request_size;
    struct ks_request_header header;
};

/* ---- bytes ---- */

/* How much may pass of `size` bytes before the connection is cut. */
static inline size_t secure_passes(const struct secure_connection *connection, struct secure_cut *cut,
                                   size_t size)
{
    if (!cut->is_set || !connection->is_signed_in)
        return size;
    size_t passes = size < cut->left ? size : cut->left;
    cut->left -= passes;
    cut->is_set = passes == size;
    return passes;
}

/* What comes up to a cut is in `bytes`, also when it fails: *got of it. */
static inline bool secure_read_some(struct secure_connection *connection, uint8_t *bytes, size_t size,
                                    size_t *got)
{
    size_t passes = secure_passes(connection, &connection->server->reading, size);
    for (*got = 0; *got < passes;) {
        size_t read = 0;
        if (SSL_read_ex(connection->ssl, bytes + *got, passes - *got, &read) != 1)
            return false;
        *got += read;
    }
    return passes == size;
}

static inline bool secure_read(struct secure_connection *connection, uint8_t *bytes, size_t size)
{
    size_t got = 0;
    return secure_read_some(connection, bytes, size, &got);
}

static inline bool secure_write(struct secure_connection *connection, const void *bytes, size_t size)
{
    size_t written = 0;
    size_t passes = secure_passes(connection, &connection->server->writing, size);
    bool went = passes == 0 || SSL_write_ex(connection->ssl, bytes, passes, &written) == 1;
    return went && passes == size;
}

static inline bool secure_answer(struct secure_connection *connection, uint16_t code, uint32_t told_size,
                                 const void *payload, size_t size)
{
    uint8_t bytes[KS_RESPONSE_HEADER_SIZE + SECURE_REQUEST];
    const struct ks_response_header header = {
        .version = KS_VERSION_SECURE, .code = code, .payload_size = told_size};
    ks_response_header_encode(&header, bytes);
    if (size > 0)
        memcpy(bytes + KS_RESPONSE_HEADER_SIZE, payload, size);
    return secure_write(connection, bytes, KS_RESPONSE_HEADER_SIZE + size);
}

static inline bool secure_refuse(struct secure_connection *connection, uint16_t reason, const char *sentence)
{
    uint8_t bytes[KS_REFUSAL_LIMIT];
    size_t size = 0;
    const struct ks_refusal refusal = {.reason = reason,
                                       .sentence = {.bytes = sentence, .size = (uint16_t)strlen(sentence)}};
    (void)ks_refusal_encode(&refusal, bytes, sizeof bytes, &size);
    return secure_answer(connection, KS_RESPONSE_REFUSED, (uint32_t)size, bytes, size);
}

/* ---- answers ---- */

static inline size_t secure_facts(const struct secure_server *server, bool all, uint8_t *bytes,
                                  size_t capacity)
{
    size_t size = 0;
    (void)ks_list_add(bytes, capacity, &size, KS_ACCOUNT_ENTRY_PUBLIC_ID, server->public_id,
                      sizeof server->public_id);
    (void)ks_list_add(bytes, capacity, &size, KS_ACCOUNT_ENTRY_NAME, server->account_name,
                      strlen(server->account_name));
    (void)ks_list_add(bytes, capacity, &size, 4711, "from the future", 15);
    if (server->has_next_key)
        (void)ks_list_add(bytes, capacity, &size, KS_ACCOUNT_ENTRY_NEXT_KEY, server->next_key,
                          sizeof server->next_key);
    for (uint16_t key = KS_ACCOUNT_ENTRY_MESSAGE_LIMIT; all && key <= KS_ACCOUNT_ENTRY_REGISTERED; key++)
        (void)ks_list_add_number(bytes, capacity, &size, key, (uint64_t)key * SECURE_NUMBER);
    if (all)
        (void)ks_list_add(bytes, capacity, &size, KS_ACCOUNT_ENTRY_CLASSIC, server->is_classic ? "\1" : "\0",
                          1);
    return size;
}

static inline bool secure_welcome(struct secure_connection *connection)
{
    uint8_t bytes[1024];
    size_t size = secure_facts(connection->server, false, bytes, sizeof bytes);
    bool went = secure_answer(connection, KS_RESPONSE_SIGNED_IN, (uint32_t)size, bytes, size);
    connection->is_signed_in = true;
    return went;
}

static inline bool secure_holds(const struct ks_sign_in *sign_in, const uint8_t *bytes, size_t size)
{
    return sign_in->kind == KS_SIGNATURE_KIND_CHANNEL &&
           ks_account_key_verify(sign_in->key, bytes, size, sign_in->signature) == KS_OK;
}

static inline bool secure_sign_in(struct secure_connection *connection)
{
    struct secure_server *server = connection->server;
    struct ks_sign_in sign_in;
    uint8_t bytes[KS_SIGNED_LIMIT];
    size_t size = 0;
    if (ks_sign_in_parse(connection->request, connection->request_size, &sign_in) != KS_OK)
        return secure_refuse(connection, KS_REFUSAL_MALFORMED, "?");
    (void)ks_sign_in_signed(sign_in.key, connection->channel, bytes, sizeof bytes, &size);
    if (!secure_holds(&sign_in, bytes, size))
        return secure_refuse(connection, KS_REFUSAL_SIGNATURE, "no");
    if (!server->has_account || memcmp(sign_in.key, server->account_key, sizeof sign_in.key) != 0)
        return secure_refuse(connection, KS_REFUSAL_UNKNOWN_ACCOUNT, "who are you?");
    return secure_welcome(connection);
}

static inline bool secure_register(struct secure_connection *connection)
{
    struct secure_server *server = connection->server;
    struct ks_register_account registration;
    uint8_t bytes[KS_SIGNED_LIMIT];
    size_t size = 0;
    if (ks_register_account_parse(connection->request, connection->request_size, &registration) != KS_OK)
        return secure_refuse(connection, KS_REFUSAL_MALFORMED, "?");
    (void)ks_register_account_signed(&registration, connection->channel, bytes, sizeof bytes, &size);
    if (!secure_holds(&registration.sign_in, bytes, size))
        return secure_refuse(connection, KS_REFUSAL_SIGNATURE, "no");
    bool same_name = strlen(server->account_name) == registration.name.size &&
                     memcmp(server->account_name, registration.name.bytes, registration.name.size) == 0;
    bool same_key = memcmp(server->account_key, registration.sign_in.key, KS_ACCOUNT_KEY_SIZE) == 0;
    if (server->has_account && same_name && !same_key)
        return secure_refuse(connection, KS_REFUSAL_NAME_TAKEN, "taken");
    if (server->has_account && same_key && !same_name)
        return secure_refuse(connection, KS_REFUSAL_KEY_TAKEN, "that key has another name");
    server->has_account = true;
    memcpy(server->account_key, registration.sign_in.key, sizeof server->account_key);
    memcpy(server->account_name, registration.name.bytes, registration.name.size);
    server->account_name[registration.name.size] = '\0';
    memset(server->invitation, 0, sizeof server->invitation);
    if (registration.invitation.size < sizeof server->invitation && registration.invitation.size > 0)
        memcpy(server->invitation, registration.invitation.bytes, registration.invitation.size);
    return secure_welcome(connection);
}

static inline bool secure_adopt(struct secure_connection *connection)
{
    struct secure_server *server = connection->server;
    uint8_t bytes[KS_SIGNED_LIMIT];
    uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE];
    size_t size = 0;
    memcpy(connection->adopt_payload, connection->request, connection->request_size);
    if (ks_adopt_parse(connection->adopt_payload, connection->request_size, &connection->adopt) != KS_OK)
        return secure_refuse(connection, KS_REFUSAL_MALFORMED, "?");
    (void)ks_adopt_signed(&connection->adopt, connection->channel, bytes, sizeof bytes, &size);
    if (!secure_holds(&connection->adopt.sign_in, bytes, size))
        return secure_refuse(connection, KS_REFUSAL_SIGNATURE, "no");
    if (server->adoptable == NULL ||
        memcmp(connection->adopt.classic_id.bytes, server->classic_id.bytes, KS_CLIENT_ID_SIZE) != 0)
        return secure_refuse(connection, KS_REFUSAL_NO_IDENTITY, "nobody");
    memset(connection->secret, 's', sizeof connection->secret);
    if (ks_public_key_encrypt_labelled(server->adoptable, "kesher adopt 1", connection->secret,
                                       sizeof connection->secret, encrypted) != KS_OK)
        return false;
    return secure_answer(connection, KS_RESPONSE_ADOPTION_CHALLENGE, sizeof encrypted, encrypted,
                         sizeof encrypted);
}

static inline bool secure_prove(struct secure_connection *connection)
{
    struct secure_server *server = connection->server;
    uint8_t bytes[KS_SIGNED_LIMIT];
    uint8_t expected[KS_SHA256_SIZE];
    size_t size = 0;
    (void)ks_adoption_proven(&connection->adopt, connection->channel, bytes, sizeof bytes, &size);
    (void)ks_hmac_sha256(connection->secret, sizeof connection->secret, bytes, size, expected);
    if (connection->request_size != sizeof expected ||
        memcmp(connection->request, expected, sizeof expected) != 0)
        return secure_refuse(connection, KS_REFUSAL_PROOF, "wrong");
    ks_public_key_free(server->adoptable);
    server->adoptable = NULL;
    server->has_account = true;
    memcpy(server->account_key, connection->adopt.sign_in.key, sizeof server->account_key);
    memcpy(server->account_name, connection->adopt.name.bytes, connection->adopt.name.size);
    server->account_name[connection->adopt.name.size] = '\0';
    return secure_welcome(connection);
}

static inline bool secure_my_account(struct secure_connection *connection)
{
    struct secure_server *server = connection->server;
    struct ks_list_entry entry;
    uint8_t bytes[1024];
    size_t offset = 0;
    bool makes_id = false;
    while (ks_list_next(connection->request, connection->request_size, &offset, &entry) == KS_OK) {
        if (entry.key == KS_ACCOUNT_ENTRY_CLASSIC) {
            makes_id = entry.value[0] == 1 && !server->is_classic;
            server->is_classic = entry.value[0] == 1;
        }
        if (entry.key == KS_ACCOUNT_ENTRY_CLASSIC_KEY && entry.size == sizeof server->classic_key)
            memcpy(server->classic_key, entry.value, entry.size);
    }
    size_t size = secure_facts(server, true, bytes, sizeof bytes);
    if (makes_id)
        (void)ks_list_add(bytes, sizeof bytes, &size, KS_ACCOUNT_ENTRY_CLASSIC_ID, server->classic_id.bytes,
                          sizeof server->classic_id.bytes);
    return secure_answer(connection, KS_RESPONSE_MY_ACCOUNT, (uint32_t)size, bytes, size);
}

static inline bool secure_remove(struct secure_connection *connection)
{
    struct secure_server *server = connection->server;
    uint8_t bytes[KS_SIGNED_LIMIT];
    size_t size = 0;
    (void)ks_remove_account_signed(server->account_key, connection->channel, bytes, sizeof bytes, &size);
    if (connection->request_size != KS_SIGNATURE_SIZE ||
        ks_account_key_verify(server->account_key, bytes, size, connection->request) != KS_OK)
        return secure_refuse(connection, KS_REFUSAL_SIGNATURE, "no");
    server->has_account = false;
    (void)secure_answer(connection, KS_RESPONSE_ACCOUNT_REMOVED, 0, NULL, 0);
    return false;
}

static inline bool secure_users(struct secure_connection *connection)
{
    struct secure_server *server = connection->server;
    uint8_t bytes[SECURE_USERS * KS_LISTED_USER_SIZE];
    size_t size = server->user_count * KS_LISTED_USER_SIZE;
    memset(bytes, 0, sizeof bytes);
    for (size_t i = 0; i < server->user_count; i++) {
        memcpy(bytes + i * KS_LISTED_USER_SIZE, server->users[i].id.bytes, KS_CLIENT_ID_SIZE);
        memcpy(bytes + i * KS_LISTED_USER_SIZE + KS_CLIENT_ID_SIZE, server->users[i].name,
               strlen(server->users[i].name));
    }
    return secure_answer(connection, KS_RESPONSE_USERS, (uint32_t)size, bytes, size);
}

static inline bool secure_user_key(struct secure_connection *connection)
{
    struct secure_server *server = connection->server;
    uint8_t bytes[KS_USER_KEY_ANSWER_SIZE];
    for (size_t i = 0; i < server->user_count; i++)
        if (connection->request_size == KS_CLIENT_ID_SIZE &&
            memcmp(server->users[i].id.bytes, connection->request, KS_CLIENT_ID_SIZE) == 0) {
            memcpy(bytes, server->users[i].id.bytes, KS_CLIENT_ID_SIZE);
            memcpy(bytes + KS_CLIENT_ID_SIZE, server->users[i].public_key, KS_PUBLIC_KEY_SIZE);
            return secure_answer(connection, KS_RESPONSE_USER_KEY, sizeof bytes, bytes, sizeof bytes);
        }
    return secure_refuse(connection, KS_REFUSAL_NO_IDENTITY, "no such user");
}

/* Says what is to be said, and then what came, line for line. */
static inline bool secure_talk(struct secure_connection *connection)
{
    struct secure_server *server = connection->server;
    uint8_t bytes[1024];
    size_t size = 0;
    const struct ks_wire_text name = {.bytes = server->account_name,
                                      .size = (uint16_t)strlen(server->account_name)};
    (void)ks_wire_text_encode(&name, bytes, sizeof bytes, &size);
    if (!secure_answer(connection, KS_RESPONSE_TALK, (uint32_t)size, bytes, size))
        return false;
    if (server->chat == NULL || !secure_write(connection, server->chat, strlen(server->chat)))
        return false;
    while (server->chat_end == SECURE_GOES_ON &&
           SSL_read_ex(connection->ssl, bytes, sizeof bytes, &size) == 1)
        if (!secure_write(connection, bytes, size))
            return false;
    return false;
}

static inline bool secure_serve(struct secure_connection *connection)
{
    uint16_t code = connection->header.code;
    bool is_anonymous = code >= KS_REQUEST_SIGN_IN && code <= KS_REQUEST_ADOPTION_PROOF;
    if (!connection->is_signed_in && !is_anonymous)
        return secure_refuse(connection, KS_REFUSAL_SIGN_IN_FIRST, "first");
    switch (code) {
    case KS_REQUEST_SIGN_IN:
        return secure_sign_in(connection);
    case KS_REQUEST_REGISTER_ACCOUNT:
        return secure_register(connection);
    case KS_REQUEST_ADOPT:
        return secure_adopt(connection);
    case KS_REQUEST_ADOPTION_PROOF:
        return secure_prove(connection);
    case KS_REQUEST_MY_ACCOUNT:
        return secure_my_account(connection);
    case KS_REQUEST_REMOVE_ACCOUNT:
        return secure_remove(connection);
    case KS_REQUEST_LIST_USERS:
        return secure_users(connection);
    case KS_REQUEST_USER_KEY:
        return secure_user_key(connection);
    case KS_REQUEST_TALK:
        return secure_talk(connection);
    default:
        if (connection->server->serve_more != NULL)
            return connection->server->serve_more(connection);
        return secure_refuse(connection, KS_REFUSAL_UNKNOWN_REQUEST, "what?");
    }
}

/* ---- lies ---- */

static inline void secure_tell_lie(struct secure_server *server, const struct secure_lie *lie)
{
    assert_true(server->lie_count < SECURE_LIES);
    server->lies[server->lie_count++] = *lie;
}

static inline bool secure_take_lie(struct secure_server *server, uint16_t code, struct secure_lie *lie)
{
    for (size_t i = 0; i < server->lie_count; i++) {
        if (server->lies[i].request != code)
            continue;
        *lie = server->lies[i];
        memmove(&server->lies[i], &server->lies[i + 1], (server->lie_count - i - 1) * sizeof *lie);
        server->lie_count--;
        return true;
    }
    return false;
}

/* libssl does not tell of a peer that has gone while it sends tickets. */
static inline bool secure_is_gone(int fd)
{
    struct pollfd waiting = {.fd = fd, .events = POLLRDHUP};
    return poll(&waiting, 1, 0) != 0;
}

/* False when the connection ends. */
static inline bool secure_lie(struct secure_connection *connection, const struct secure_lie *lie)
{
    uint8_t byte = 0;
    if (lie->is_raw)
        (void)secure_write(connection, lie->payload, lie->size);
    else if (lie->code != 0)
        (void)secure_answer(connection, lie->code, lie->told_size, lie->payload, lie->size);
    if (lie->end == SECURE_CUTS && connection->server->forgets_at_cut)
        connection->server->has_account = false;
    if (lie->end == SECURE_ENDS)
        (void)SSL_shutdown(connection->ssl);
    if (lie->end == SECURE_GARBAGE && write(connection->fd, "this is no record of TLS at all", 31) < 0)
        return false;
    while (lie->end == SECURE_REKEYS && !secure_is_gone(connection->fd) &&
           SSL_key_update(connection->ssl, SSL_KEY_UPDATE_REQUESTED) == 1 &&
           SSL_do_handshake(connection->ssl) == 1)
        ;
    while (lie->end == SECURE_TICKETS && !secure_is_gone(connection->fd) &&
           SSL_new_session_ticket(connection->ssl) == 1 && SSL_do_handshake(connection->ssl) == 1)
        ;
    while (lie->end == SECURE_FLOODS && secure_write(connection, lie->payload, lie->size))
        ;
    if (lie->end == SECURE_STAYS_MUTE)
        while (read(connection->fd, &byte, 1) > 0)
            ;
    return lie->end == SECURE_GOES_ON;
}

/* ---- connections ---- */

/* The payload of a 3014 that nobody wants. */
static inline bool secure_drop_piece(struct secure_connection *connection)
{
    uint8_t bytes[4096];
    size_t left = connection->header.code == KS_REQUEST_PUT_PIECE ? connection->header.payload_size : 0;
    while (left > 0) {
        size_t step = left < sizeof bytes ? left : sizeof bytes;
        if (!secure_read(connection, bytes, step))
            return false;
        left -= step;
    }
    return true;
}

static inline bool secure_take_request(struct secure_connection *connection)
{
    uint8_t bytes[KS_REQUEST_HEADER_SIZE];
    struct secure_server *server = connection->server;
    if (!secure_read(connection, bytes, sizeof bytes) ||
        ks_request_header_parse(bytes, sizeof bytes, &connection->header) != KS_OK)
        return false;
    bool is_piece = connection->header.code == KS_REQUEST_PUT_PIECE;
    connection->request_size = is_piece ? 0 : connection->header.payload_size;
    if (connection->request_size > sizeof connection->request)
        return false;
    if (!secure_read(connection, connection->request, connection->request_size))
        return false;
    size_t at = server->trail_size;
    if (at < SECURE_TRAIL)
        server->trail[at] = connection->header.code;
    server->trail_size = at + 1;
    return true;
}

static inline void secure_converse(struct secure_connection *connection)
{
    struct secure_lie lie;
    static const char label[] = "EXPORTER-Channel-Binding";
    memcpy(connection->channel, connection->server->fingerprint, KS_TLS_FINGERPRINT_SIZE);
    if (SSL_export_keying_material(connection->ssl, connection->channel + KS_TLS_FINGERPRINT_SIZE,
                                   KS_EXPORTER_SIZE, label, sizeof label - 1, NULL, 0, 0) != 1)
        return;
    bool goes_on = true;
    while (goes_on && secure_take_request(connection)) {
        if (secure_take_lie(connection->server, connection->header.code, &lie))
            goes_on = secure_drop_piece(connection) && secure_lie(connection, &lie);
        else
            goes_on = secure_serve(connection);
        if (!goes_on && connection->server->chat_end != SECURE_CUTS &&
            (connection->header.code == KS_REQUEST_REMOVE_ACCOUNT ||
             connection->header.code == KS_REQUEST_TALK))
            (void)SSL_shutdown(connection->ssl);
    }
}

static inline void secure_take_connection(struct secure_server *server, int fd)
{
    struct secure_connection *connection = calloc(1, sizeof *connection);
    uint8_t byte = 0;
    const int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    server->connections++;
    if (server->talks_http && write(fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28) < 0)
        server->talks_http = true;
    while (server->is_mute && read(fd, &byte, 1) > 0)
        ;
    SSL *ssl = server->talks_http || server->is_mute || server->cuts_hello ? NULL : SSL_new(server->context);
    if (connection != NULL && ssl != NULL && SSL_set_fd(ssl, fd) == 1 && SSL_accept(ssl) == 1) {
        *connection = (struct secure_connection){.server = server, .ssl = ssl, .fd = fd};
        secure_converse(connection);
    }
    ERR_clear_error();
    SSL_free(ssl);
    free(connection);
    close(fd);
    server->ended++;
}

static inline void *secure_run(void *argument)
{
    struct secure_server *server = argument;
    int fd = -1;
    while ((fd = accept(server->listener, NULL, NULL)) >= 0)
        secure_take_connection(server, fd);
    ERR_clear_error();
    return NULL;
}

/* ---- the server ---- */

static inline int secure_select(SSL *ssl, const unsigned char **chosen, unsigned char *size,
                                const unsigned char *offered, unsigned int offered_size, void *argument)
{
    const struct secure_server *server = argument;
    (void)ssl;
    (void)offered;
    (void)offered_size;
    if (server->alpn == SECURE_ALPN_NONE)
        return SSL_TLSEXT_ERR_NOACK;
    *chosen = (const unsigned char *)(server->alpn == SECURE_ALPN_KESHER ? "kesher/1" : "http/1.1");
    *size = 8;
    return SSL_TLSEXT_ERR_OK;
}

/* From now on another key: what a server would show that is another one. */
static inline void secure_server_show(struct secure_server *server, X509 *certificate, EVP_PKEY *key)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    unsigned char *der = NULL;
    assert_non_null(context);
    assert_int_equal(SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION), 1);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_alpn_select_cb(context, secure_select, server);
    assert_int_equal(SSL_CTX_use_certificate(context, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    assert_true(size > 0);
    assert_int_equal(ks_sha256(der, (size_t)size, server->fingerprint), KS_OK);
    OPENSSL_free(der);
    SSL_CTX_free(server->context);
    server->context = context;
}

static inline void secure_server_new_key(struct secure_server *server)
{
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    char text[KS_TLS_FINGERPRINT_TEXT_SIZE];
    secure_certificate("test", 24L * 60 * 60, NULL, NULL, &certificate, &key);
    secure_server_show(server, certificate, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    ks_tls_fingerprint_text(server->fingerprint, text);
    assert_true(snprintf(server->link, sizeof server->link, "kesher://%s/#%s", server->address, text) > 0);
    assert_true(snprintf(server->plain_link, sizeof server->plain_link, "kesher://%s/", server->address) > 0);
}

static inline struct secure_server *secure_server_start(void)
{
    struct secure_server *server = calloc(1, sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    assert_non_null(server);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->listener >= 0);
    assert_int_equal(bind(server->listener, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->listener, 16), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    assert_true(snprintf(server->address, sizeof server->address, "127.0.0.1:%u",
                         (unsigned)ntohs(address.sin_port)) > 0);
    secure_server_new_key(server);
    memset(server->public_id, 'p', sizeof server->public_id);
    memset(server->classic_id.bytes, 'c', sizeof server->classic_id.bytes);
    assert_int_equal(pthread_create(&server->thread, NULL, secure_run, server), 0);
    return server;
}

/* Waits until no connection is served any more: from then on the server's state is the test's. */
static inline void secure_server_settle(const struct secure_server *server)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    while (server->ended != server->connections)
        (void)nanosleep(&pause, NULL);
}

static inline void secure_server_stop(struct secure_server *server)
{
    assert_int_equal(shutdown(server->listener, SHUT_RDWR), 0);
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    close(server->listener);
    SSL_CTX_free(server->context);
    ks_public_key_free(server->adoptable);
    free(server);
}

#endif
