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

/* ---- in place of the network and of TLS ---- */

static struct ks_carrier *prepared; /* what the next call to the server comes to; NULL: nobody is there */

enum kesher_status __wrap_ks_secure_dial(const struct ks_secure_call *call, struct ks_trust *trust,
                                         struct ks_carrier **carrier, struct kesher_error *error);
struct ks_tls *__wrap_ks_carrier_tls(struct ks_carrier *carrier);
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

/* ---- a home with an account, and a classic identity beside it ---- */

static struct kesher_home *home_new(void)
{
    struct kesher_home *made = NULL;
    struct ks_own_account account;
    static const uint8_t id[KS_CLIENT_ID_SIZE] = {'i'};
    const struct ks_trust before = {.mode = KS_TRUST_NONE};
    const struct ks_trust trust = {.mode = KS_TRUST_KEY, .server = {.host = "fuzz.example", .port = "1358"}};
    require(kesher_home_open(scratch_folder(), &made, NULL) == KESHER_OK);
    require(ks_account_file_prepare(made, NULL, false, &account, NULL) == KESHER_OK);
    require(ks_account_file_confirm(made, account.key, "Alice", id, NULL) == KESHER_OK);
    require(ks_trust_save(made, &before, &trust, NULL) == KESHER_OK);
    ks_own_account_wipe(&account);
    return made;
}

/* A fuzzer's inputs come one after the other on one thread; what costs time is made once. */
static struct kesher_home *home(void)
{
    static struct kesher_home *made;
    if (made == NULL)
        made = home_new();
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
    struct kesher_account_card card;
    if (status != KESHER_OK)
        require(error->status == status && error->sentence[0] != '\0');
    require(kesher_account_card(home(), &card, NULL) == KESHER_OK && card.has_id && card.name[0] != '\0');
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

/* Over a channel of its own: what comes of it in the home would be missing for the next input. */
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
    (void)unlinkat(home()->directory_fd, "me.info", 0); /* the next input begins without it */
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
