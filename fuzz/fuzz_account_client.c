/* fuzz_account_client.c — whatever a secure server may send once it was accepted, against the client: the
 * first byte of the input chooses what the client is doing, the rest is all that the server ever says; then
 * it ends.
 *
 * The client runs as it is, from signing in on, over a socket pair: TLS is left out, for no fuzzer gets
 * through it. The properties: it ends, it reads nothing beyond its buffers, every failure has a sentence, and
 * what it keeps of an account is a name and an id.
 */
#include "client/account/account_internal.h"
#include "client/home/trust.h"
#include "client/people/correspondent.h"
#include "client/people/user_list.h"
#include "client/transport/secure_dial.h"
#include "crypto/account_key.h"
#include "crypto/rsa.h"
#include "scratch.h"

#include <kesher/kesher.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { INPUT_LIMIT = 100 * 1024 }; /* fits the socket's buffer, so that one write takes it */

#define LINK "kesher://fuzz.example/"

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */

/* ---- in place of the network and of TLS ---- */

static struct ks_carrier *prepared; /* what the next call to the server comes to; NULL: nobody is there */

enum kesher_status __wrap_ks_secure_dial(const struct ks_secure_call *call, struct ks_trust *trust,
                                         struct ks_carrier **carrier, struct kesher_error *error);
struct ks_tls *__wrap_ks_carrier_tls(struct ks_carrier *carrier);
enum kesher_status __wrap_ks_secure_context(const struct ks_trust *trust, struct ks_tls_context **context,
                                            struct kesher_error *error);
enum ks_result __wrap_ks_tls_channel(struct ks_tls *tls, uint8_t channel[static KS_TLS_CHANNEL_SIZE]);

enum kesher_status __wrap_ks_secure_dial(const struct ks_secure_call *call, struct ks_trust *trust,
                                         struct ks_carrier **carrier, struct kesher_error *error)
{
    (void)call;
    (void)trust;
    *carrier = prepared;
    prepared = NULL;
    return *carrier != NULL ? KESHER_OK : ks_carrier_failure(NULL, 0, "fuzz", error);
}

enum kesher_status __wrap_ks_secure_context(const struct ks_trust *trust, struct ks_tls_context **context,
                                            struct kesher_error *error)
{
    (void)trust;
    (void)error;
    *context = NULL; /* of which nothing is asked */
    return KESHER_OK;
}

struct ks_tls *__wrap_ks_carrier_tls(struct ks_carrier *carrier)
{
    return (struct ks_tls *)carrier; /* there is one, and nobody looks into it */
}

enum ks_result __wrap_ks_tls_channel(struct ks_tls *tls, uint8_t channel[static KS_TLS_CHANNEL_SIZE])
{
    (void)tls;
    memset(channel, 'c', KS_TLS_CHANNEL_SIZE);
    return KS_OK;
}

/* ---- in place of the home's files, which would take a millisecond for each input ---- */

static struct ks_own_account own = {.name = "Alice", .has_public_id = true, .public_id = {'i'}};

bool __wrap_ks_account_file_exists(const struct kesher_home *home);
enum kesher_status __wrap_ks_account_file_look(const struct kesher_home *home, struct ks_own_account *account,
                                               struct kesher_error *error);
enum kesher_status __wrap_ks_account_file_open(const struct kesher_home *home,
                                               const struct kesher_passphrase *passphrase,
                                               struct ks_own_account *account, struct kesher_error *error);
enum kesher_status __wrap_ks_account_file_prepare(struct kesher_home *home,
                                                  const struct kesher_passphrase *passphrase, bool seal,
                                                  struct ks_own_account *account, struct kesher_error *error);
enum kesher_status __wrap_ks_account_file_confirm(const struct kesher_home *home,
                                                  const uint8_t key[static KS_ED25519_PUBLIC_SIZE],
                                                  const char *name,
                                                  const uint8_t public_id[static KS_CLIENT_ID_SIZE],
                                                  struct kesher_error *error);
enum kesher_status __wrap_ks_trust_load(const struct kesher_home *home, struct ks_trust *trust,
                                        struct kesher_error *error);
enum kesher_status __wrap_ks_trust_save(const struct kesher_home *home, const struct ks_trust *before,
                                        const struct ks_trust *after, struct kesher_error *error);
enum kesher_status __wrap_ks_identity_prepare(const struct kesher_home *home, const char *name,
                                              struct kesher_identity **made, struct kesher_error *error);
enum kesher_status __wrap_ks_identity_save(const struct kesher_home *home,
                                           const struct kesher_identity *saved, struct kesher_error *error);

enum kesher_status __wrap_ks_identity_try_room(const struct kesher_home *home, struct kesher_error *error);

bool __wrap_ks_account_file_exists(const struct kesher_home *home)
{
    (void)home;
    return true;
}

enum kesher_status __wrap_ks_account_file_look(const struct kesher_home *home, struct ks_own_account *account,
                                               struct kesher_error *error)
{
    (void)home;
    (void)error;
    *account = own;
    return KESHER_OK;
}

enum kesher_status __wrap_ks_account_file_open(const struct kesher_home *home,
                                               const struct kesher_passphrase *passphrase,
                                               struct ks_own_account *account, struct kesher_error *error)
{
    (void)passphrase;
    return __wrap_ks_account_file_look(home, account, error);
}

enum kesher_status __wrap_ks_account_file_prepare(struct kesher_home *home,
                                                  const struct kesher_passphrase *passphrase, bool seal,
                                                  struct ks_own_account *account, struct kesher_error *error)
{
    (void)passphrase;
    (void)seal;
    return __wrap_ks_account_file_look(home, account, error);
}

enum kesher_status __wrap_ks_account_file_confirm(const struct kesher_home *home,
                                                  const uint8_t key[static KS_ED25519_PUBLIC_SIZE],
                                                  const char *name,
                                                  const uint8_t public_id[static KS_CLIENT_ID_SIZE],
                                                  struct kesher_error *error)
{
    (void)home;
    (void)public_id;
    require(memcmp(key, own.key, sizeof own.key) == 0 && name[0] != '\0');
    if (ks_account_text_is_name(name, strlen(name)))
        return KESHER_OK;
    return ks_carrier_failure(NULL, 0, "fuzz", error);
}

enum kesher_status __wrap_ks_trust_load(const struct kesher_home *home, struct ks_trust *trust,
                                        struct kesher_error *error)
{
    (void)home;
    (void)error;
    *trust = (struct ks_trust){.mode = KS_TRUST_KEY, .server = {.host = "fuzz.example", .port = "1358"}};
    return KESHER_OK;
}

enum kesher_status __wrap_ks_trust_save(const struct kesher_home *home, const struct ks_trust *before,
                                        const struct ks_trust *after, struct kesher_error *error)
{
    (void)home;
    (void)error;
    require(before->mode == KS_TRUST_KEY && after->mode == KS_TRUST_KEY);
    require(memcmp(before->key, after->key, sizeof after->key) == 0); /* only `next` is the server's to say */
    return KESHER_OK;
}

/* A key pair for the classic ports: the one that there is. */
static const struct kesher_identity *identity(void);

enum kesher_status __wrap_ks_identity_prepare(const struct kesher_home *home, const char *name,
                                              struct kesher_identity **made, struct kesher_error *error)
{
    struct ks_buffer der = ks_buffer_empty(0);
    (void)home;
    (void)error;
    *made = calloc(1, sizeof **made);
    require(*made != NULL && strlen(name) < sizeof(*made)->name);
    memcpy((*made)->name, name, strlen(name) + 1);
    require(ks_private_key_encode(identity()->key, &der) == KS_OK);
    require(ks_private_key_parse(der.bytes, der.size, &(*made)->key) == KS_OK);
    ks_buffer_wipe(&der);
    return KESHER_OK;
}

enum kesher_status __wrap_ks_identity_try_room(const struct kesher_home *home, struct kesher_error *error)
{
    (void)home;
    (void)error;
    return KESHER_OK;
}

enum kesher_status __wrap_ks_identity_save(const struct kesher_home *home,
                                           const struct kesher_identity *saved, struct kesher_error *error)
{
    (void)home;
    (void)error;
    require(saved->key != NULL);
    return KESHER_OK;
}

/* NOLINTEND(bugprone-reserved-identifier) */

/* A fuzzer's inputs come one after the other on one thread; what costs time is made once. */
static struct kesher_home *home(void)
{
    static struct kesher_home *made;
    if (made == NULL) {
        require(kesher_home_open(scratch_folder(), &made, NULL) == KESHER_OK);
        memset(own.secret, 's', sizeof own.secret);
        require(ks_account_key_public(own.secret, own.key) == KS_OK);
    }
    return made;
}

static const struct kesher_identity *identity(void)
{
    static struct kesher_identity *made;
    if (made == NULL) {
        made = calloc(1, sizeof *made);
        require(made != NULL);
        memcpy(made->name, "Alice", 6);
        require(ks_private_key_generate(&made->key) == KS_OK);
    }
    return made;
}

/* ---- what the client is doing ---- */

static const struct kesher_options options = {.retry_ms = 1}; /* who is not there is not waited for */

static void judge(enum kesher_status status, const struct kesher_error *error)
{
    if (status != KESHER_OK)
        require(error->status == status && error->sentence[0] != '\0');
}

static void ask(struct kesher_account *account)
{
    struct kesher_account_state state;
    struct kesher_error error = {.sentence = ""};
    judge(kesher_account_ask(account, &state, &error), &error);
}

static void register_again(struct kesher_account *account)
{
    struct kesher_account *other = NULL;
    struct kesher_error error = {.sentence = ""};
    judge(kesher_account_register(home(), LINK, kesher_account_name(account), NULL, &options, &other, &error),
          &error);
    kesher_account_close(other);
}

/* Over a channel of its own: what is behind it changes files. */
static void adopt(struct kesher_account *account)
{
    struct ks_account_facts facts;
    struct ks_channel *channel = NULL;
    struct kesher_error error = {.sentence = ""};
    const struct ks_signer signer = ks_access_signer(account->session.access);
    require(ks_channel_over(prepared, "fuzz", 1000, &channel, NULL) == KESHER_OK);
    prepared = NULL;
    judge(ks_sign_in_adopt(channel, &signer, identity(), &facts, &error), &error);
    ks_channel_close(channel);
}

static void remove_account(struct kesher_account *account)
{
    struct ks_channel *channel = NULL;
    struct kesher_error error = {.sentence = ""};
    const struct ks_signer signer = ks_access_signer(account->session.access);
    require(ks_channel_over(prepared, "fuzz", 1000, &channel, NULL) == KESHER_OK);
    prepared = NULL;
    judge(ks_sign_in_remove(channel, &signer, &error), &error);
    ks_channel_close(channel);
}

static void switch_classic(struct kesher_account *account)
{
    struct kesher_error error = {.sentence = ""};
    judge(kesher_account_set_classic(account, true, &error), &error);
}

static bool visit(void *context, const struct kesher_user *user)
{
    (void)context;
    require(strnlen(user->name, sizeof user->name) < sizeof user->name);
    return true;
}

static void list(struct kesher_account *account)
{
    struct kesher_error error = {.sentence = ""};
    judge(ks_user_list_each(&account->session, KS_REQUEST_UNTIL_ANSWERED, visit, NULL, &error), &error);
}

static void ask_key(struct kesher_account *account)
{
    static const struct ks_client_id id = {.bytes = {'i'}};
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    struct kesher_error error = {.sentence = ""};
    judge(ks_correspondent_ask_key(&account->session, &id, KS_REQUEST_UNTIL_ANSWERED, key, &error), &error);
}

/* To the end of what is said; nothing comes later, so nothing is waited for. */
static void hear(struct kesher_chat *chat)
{
    struct kesher_chat_line line = {.kind = KESHER_CHAT_TEXT};
    struct kesher_error error = {.sentence = ""};
    enum kesher_status status = KESHER_OK;
    while (status == KESHER_OK && line.kind != KESHER_CHAT_END && line.kind != KESHER_CHAT_NOTHING)
        status = kesher_chat_receive(chat, &line, &error);
    judge(status, &error);
}

static void talk(struct kesher_account *account)
{
    struct kesher_chat *chat = NULL;
    struct kesher_error error = {.sentence = ""};
    unsigned group = 0;
    enum kesher_status status = kesher_chat_open_account(account, &options, &chat, &error);
    if (status == KESHER_OK) {
        require(kesher_chat_proposed_name(chat)[0] != '\0');
        status = kesher_chat_create(chat, "Alice", "secret", 6, &group, &error);
    }
    judge(status, &error);
    if (chat != NULL)
        hear(chat);
    kesher_chat_close(chat);
}

/* ---- an input ---- */

/* The client's end of a connection whose other end has said its all. *peer is to be closed after it. */
static void prepare(const uint8_t *bytes, size_t size, int *peer)
{
    int fds[2];
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    require(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
    require(write(fds[1], bytes, size) == (ssize_t)size);
    require(shutdown(fds[1], SHUT_WR) == 0);
    require(ks_carrier_new(fds[0], &prepared, NULL) == KESHER_OK);
    *peer = fds[1];
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static void (*const doings[])(struct kesher_account *) = {
        ask, register_again, adopt, remove_account, switch_classic, list, ask_key, talk};
    struct kesher_account *account = NULL;
    int peer = -1;
    if (size < 1 || size > INPUT_LIMIT)
        return 0;
    require(kesher_account_open(home(), LINK, &options, &account, NULL) == KESHER_OK);
    prepare(bytes + 1, size - 1, &peer);
    doings[bytes[0] % (sizeof doings / sizeof doings[0])](account);
    kesher_account_close(account);
    ks_carrier_free(prepared);
    prepared = NULL;
    close(peer);
    return 0;
}
